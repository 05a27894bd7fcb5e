//! Rations dynamic work: so many requests at once at each place, so many in line, where clients take
//! turns.
//!
//! Shape: a place is what runs programs (there is one, of `--max-processes`) or one backend of a FastCGI
//! application (`--max-backend`). A request asks with [`Admission::ask`] and gets a [`Permit`] for a
//! place, a [`Ticket`] for the line, or neither. Rules:
//! - A permit is always given back, because dropping it does so, and goes straight to the next in line
//!   that may be served there.
//! - The line is fair by client address (`line.rs`). Where it is full, who has more in it than others
//!   makes room for them: a ticket can be displaced.
//! - A request that waits holds no worker: it is parked, and woken by the number it left.

mod line;

pub use self::line::Party;
use self::line::{Entered, Line};

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests may wait in one line.
pub const LINE_MAX: usize = 1024;

const WAITING: u8 = 0;
const GRANTED: u8 = 1;
const LEFT: u8 = 2;
const DISMISSED: u8 = 3;
const DISPLACED: u8 = 4;

/// The places where requests may be served, and the line of those that wait for one.
#[derive(Debug)]
pub struct Admission {
    state: Mutex<State>,
    wake: Wake,
}

#[derive(Debug)]
struct State {
    places: Vec<Place>,
    line: Line<Arc<Waiter>>,
    /// Where to look first among equals.
    turn: usize,
    ties: Ties,
}

/// How much one place is used.
#[derive(Debug, Clone, Copy)]
struct Place {
    running: usize,
    max: usize,
}

/// A set of places, of the first 64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places(u64);

impl Places {
    /// Adds a place.
    pub fn add(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    /// Whether the place is one of them.
    pub fn has(self, place: usize) -> bool {
        self.0 & (1 << place) != 0
    }
}

/// One request in the line.
#[derive(Debug)]
struct Waiter {
    state: AtomicU8,
    /// Where it is not to be served.
    tried: Places,
    /// The place that was granted.
    place: std::sync::atomic::AtomicUsize,
    number: u32,
}

/// Which of several equally busy places serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// The first.
    First,
    /// Each in its turn.
    InTurn,
}

/// The answer to a request that wants to be served.
#[derive(Debug)]
pub enum Admitted {
    /// It may be served now.
    Now(Permit),
    /// It has to wait.
    Wait(Ticket),
    /// The line is full.
    Full,
}

/// The right to be one of those who are served at a place.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    place: usize,
}

/// How to wake the connection with a number.
#[derive(Clone)]
pub struct Wake(pub Arc<dyn Fn(u32) + Send + Sync>);

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}

/// A stand in the line; leaving it is dropping it.
#[derive(Debug)]
pub struct Ticket {
    waiter: Arc<Waiter>,
    party: Party,
    stand: u64,
    admission: Arc<Admission>,
}

impl Admission {
    /// An admission to places of which each serves so many at once. Those in line are woken by their
    /// numbers.
    pub fn new(places: &[usize], ties: Ties, wake: Wake) -> Admission {
        let place = |&max: &usize| Place { running: 0, max };
        Admission {
            state: Mutex::new(State {
                places: places.iter().map(place).collect(),
                line: Line::new(LINE_MAX),
                turn: 0,
                ties,
            }),
            wake,
        }
    }

    /// Asks for the connection with this number, of a client who counts to `party`, to be served at any
    /// of the places that `suits` names: at the least busy one, or when all of them are full by waiting
    /// in line for whichever place is free first. It is served at none of those that were tried before.
    pub fn ask(
        self: &Arc<Admission>,
        number: u32,
        party: Party,
        tried: Places,
        suits: impl Fn(usize) -> bool,
    ) -> Admitted {
        let mut state = self.state();
        if let Some(place) = state.least_busy(|place| suits(place) && !tried.has(place)) {
            state.places[place].running += 1;
            return Admitted::Now(self.permit(place));
        }
        let waiter = Arc::new(Waiter {
            state: AtomicU8::new(WAITING),
            tried,
            place: 0.into(),
            number,
        });
        let (stand, displaced) = match state.line.enter(party, Arc::clone(&waiter)) {
            Entered::Stands(stand) => (stand, None),
            Entered::InPlaceOf(stand, other) => (stand, Some(other)),
            Entered::Full => return Admitted::Full,
        };
        drop(state);
        if let Some(other) = displaced
            && other.moves(WAITING, DISPLACED)
        {
            (self.wake.0)(other.number);
        }
        Admitted::Wait(Ticket {
            waiter,
            party,
            stand,
            admission: Arc::clone(self),
        })
    }

    /// How many are served in all.
    pub fn running(&self) -> usize {
        self.state().places.iter().map(|place| place.running).sum()
    }

    /// How many are served at a place.
    pub fn running_at(&self, place: usize) -> usize {
        self.state().places[place].running
    }

    /// How many may be served at a place.
    #[cfg(feature = "console")]
    pub fn max_at(&self, place: usize) -> usize {
        self.state().places[place].max
    }

    /// How many wait in line.
    pub fn waiting(&self) -> usize {
        self.state().line.len()
    }

    /// Changes how many a place serves at once; those in line take what is free.
    pub fn set_max(&self, place: usize, max: usize) {
        let mut woken = Vec::new();
        let mut state = self.state();
        state.places[place].max = max;
        while state.places[place].running < max {
            let Some(number) = state.grant_first(place) else {
                break;
            };
            state.places[place].running += 1;
            woken.push(number);
        }
        drop(state);
        woken.into_iter().for_each(|number| (self.wake.0)(number));
    }

    /// Tells all who could be served at none of these places that they wait in vain.
    pub fn dismiss_but_for(&self, left: Places) {
        let in_vain = |waiter: &Arc<Waiter>| left.0 & !waiter.tried.0 == 0;
        let dismissed = self.state().line.take_all(in_vain);
        for waiter in dismissed {
            if waiter.moves(WAITING, DISMISSED) {
                (self.wake.0)(waiter.number);
            }
        }
    }

    fn permit(self: &Arc<Admission>, place: usize) -> Permit {
        Permit {
            admission: Arc::clone(self),
            place,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a turn on to the next in line; returns its number.
    fn hand_on(&self, place: usize) -> Option<u32> {
        let mut state = self.state();
        if state.places[place].running <= state.places[place].max
            && let Some(number) = state.grant_first(place)
        {
            return Some(number);
        }
        state.places[place].running -= 1;
        None
    }
}

impl State {
    /// The least busy of the places that suit and have room; they take turns where it is all the same.
    fn least_busy(&mut self, suits: impl Fn(usize) -> bool) -> Option<usize> {
        let count = self.places.len();
        let has_room = |&at: &usize| self.places[at].running < self.places[at].max && suits(at);
        let found = (0..count)
            .map(|step| (self.turn + step) % count)
            .filter(has_room)
            .min_by_key(|&at| self.places[at].running)?;
        if self.ties == Ties::InTurn {
            self.turn = (found + 1) % count;
        }
        Some(found)
    }

    /// Grants a turn at a place to the next in line that was not there before; returns its number.
    fn grant_first(&mut self, place: usize) -> Option<u32> {
        while let Some(waiter) = self.line.take_next(|waiter| !waiter.tried.has(place)) {
            waiter.place.store(place, Ordering::Relaxed);
            // One that is leaving at this moment is passed over.
            if waiter.moves(WAITING, GRANTED) {
                return Some(waiter.number);
            }
        }
        None
    }
}

impl Permit {
    /// Where it holds.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Whether it was given by this admission.
    pub fn is_of(&self, admission: &Arc<Admission>) -> bool {
        Arc::ptr_eq(&self.admission, admission)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(number) = self.admission.hand_on(self.place) {
            (self.admission.wake.0)(number);
        }
    }
}

impl Ticket {
    /// Whether the turn has come; then [`Ticket::redeem`] gives the permit.
    pub fn is_granted(&self) -> bool {
        self.waiter.state.load(Ordering::Acquire) == GRANTED
    }

    /// Whether the turn will never come.
    pub fn is_dismissed(&self) -> bool {
        self.waiter.state.load(Ordering::Acquire) == DISMISSED
    }

    /// Whether another was let in instead, since the client had more in line than others.
    pub fn is_displaced(&self) -> bool {
        self.waiter.state.load(Ordering::Acquire) == DISPLACED
    }

    /// Turns a granted ticket into the permit.
    pub fn redeem(self) -> Option<Permit> {
        let redeemed = self.waiter.moves(GRANTED, LEFT);
        redeemed.then(|| self.permit())
    }

    fn permit(&self) -> Permit {
        self.admission
            .permit(self.waiter.place.load(Ordering::Relaxed))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.waiter.moves(WAITING, LEFT) {
            let mut state = self.admission.state();
            state.line.leave(self.party, self.stand);
        } else if self.waiter.moves(GRANTED, LEFT) {
            // A turn that came too late is handed on.
            drop(self.permit());
        }
    }
}

impl Waiter {
    /// Goes from one state to another, if it is in the one.
    fn moves(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cfg(test)]
mod tests;
