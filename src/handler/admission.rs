//! Rations dynamic work: so many requests at once at each place, so many in line, first come first
//! served.
//!
//! Shape: a place is what runs programs (there is one, of `--max-processes`) or one backend of a FastCGI
//! application (`--max-backend`). A request asks with [`Admission::ask`] and gets a [`Permit`] for a
//! place, a [`Ticket`] for the line, or neither. Rules: a permit is always given back, because dropping
//! it does so, and goes straight to the first in line that may be served there; a ticket whose request
//! went away is passed over.
//! A request that waits holds no worker: it is parked, and woken by the number it left.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests may wait in one line.
pub const LINE_MAX: usize = 1024;

const WAITING: u8 = 0;
const GRANTED: u8 = 1;
const LEFT: u8 = 2;
const DISMISSED: u8 = 3;

/// The places where requests may be served, and the line of those that wait for one.
#[derive(Debug)]
pub struct Admission {
    state: Mutex<State>,
    wake: Wake,
}

#[derive(Debug)]
struct State {
    places: Vec<Place>,
    line: VecDeque<Arc<Waiter>>,
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
                line: VecDeque::new(),
                turn: 0,
                ties,
            }),
            wake,
        }
    }

    /// Asks for the connection with this number to be served at any of the places that `suits` names:
    /// at the least busy one, or when all of them are full by waiting in line for whichever place is
    /// free first. It is served at none of those that were tried before.
    pub fn ask(
        self: &Arc<Admission>,
        number: u32,
        tried: Places,
        suits: impl Fn(usize) -> bool,
    ) -> Admitted {
        let mut state = self.state();
        if let Some(place) = state.least_busy(|place| suits(place) && !tried.has(place)) {
            state.places[place].running += 1;
            return Admitted::Now(self.permit(place));
        }
        if state.line.len() >= LINE_MAX {
            // Those who left without a turn still stand there.
            state
                .line
                .retain(|waiter| waiter.state.load(Ordering::Acquire) == WAITING);
        }
        if state.line.len() >= LINE_MAX {
            return Admitted::Full;
        }
        let waiter = Arc::new(Waiter {
            state: AtomicU8::new(WAITING),
            tried,
            place: 0.into(),
            number,
        });
        state.line.push_back(Arc::clone(&waiter));
        Admitted::Wait(Ticket {
            waiter,
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

    /// How many wait in line.
    pub fn waiting(&self) -> usize {
        let state = self.state();
        let waits = |waiter: &&Arc<Waiter>| waiter.state.load(Ordering::Acquire) == WAITING;
        state.line.iter().filter(waits).count()
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
        let mut state = self.state();
        let (stay, go) = std::mem::take(&mut state.line)
            .into_iter()
            .partition(|waiter| left.0 & !waiter.tried.0 != 0);
        state.line = stay;
        drop(state);
        let go: VecDeque<Arc<Waiter>> = go;
        for waiter in go {
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

    /// Hands a turn on to the first in line who still waits; returns its number.
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

    /// Grants a turn at a place to the first in line who still waits and was not there before; returns
    /// its number.
    fn grant_first(&mut self, place: usize) -> Option<u32> {
        let mut at = 0;
        while at < self.line.len() {
            if self.line[at].tried.has(place) {
                at += 1;
                continue;
            }
            let waiter = self.line.remove(at)?;
            waiter.place.store(place, Ordering::Relaxed);
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
        if !self.waiter.moves(WAITING, LEFT) && self.waiter.moves(GRANTED, LEFT) {
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
mod tests {
    use super::*;

    fn wake_log() -> (Wake, Arc<Mutex<Vec<u32>>>) {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&woken);
        (
            Wake(Arc::new(move |number| log.lock().unwrap().push(number))),
            woken,
        )
    }

    fn wait(admission: &Arc<Admission>, number: u32) -> Ticket {
        match admission.ask(number, Places::default(), |_| true) {
            Admitted::Wait(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn turns_are_handed_on_in_order_and_past_those_who_left() {
        let (wake, woken) = wake_log();
        let admission = Arc::new(Admission::new(&[1], Ties::First, wake));
        let Admitted::Now(permit) = admission.ask(1, Places::default(), |_| true) else {
            panic!()
        };
        let second = wait(&admission, 2);
        let third = wait(&admission, 3);
        let fourth = wait(&admission, 4);
        drop(second);
        drop(permit);
        assert_eq!(*woken.lock().unwrap(), [3]);
        assert!(third.is_granted() && !fourth.is_granted());
        drop(third.redeem());
        assert_eq!(*woken.lock().unwrap(), [3, 4]);
        drop(fourth);
        assert_eq!(admission.running(), 0);
    }

    #[test]
    fn a_full_line_turns_away_until_someone_leaves_it() {
        let (wake, _) = wake_log();
        let admission = Arc::new(Admission::new(&[1], Ties::First, wake));
        let _permit = admission.ask(0, Places::default(), |_| true);
        let mut tickets: Vec<Ticket> = (0..LINE_MAX as u32)
            .map(|number| wait(&admission, number))
            .collect();
        assert!(matches!(
            admission.ask(9, Places::default(), |_| true),
            Admitted::Full
        ));
        tickets.pop();
        assert!(matches!(
            admission.ask(9, Places::default(), |_| true),
            Admitted::Wait(_)
        ));
    }

    #[test]
    fn the_least_busy_place_that_suits_serves_and_equals_take_turns() {
        let admission = Arc::new(Admission::new(&[2, 2, 2], Ties::InTurn, wake_log().0));
        let place = |suits: fn(usize) -> bool| match admission.ask(0, Places::default(), suits) {
            Admitted::Now(permit) => {
                let place = permit.place();
                std::mem::forget(permit);
                Some(place)
            }
            _ => None,
        };
        assert_eq!(
            [(); 3].map(|()| place(|_| true)),
            [Some(0), Some(1), Some(2)]
        );
        assert_eq!(place(|at| at == 2), Some(2));
        assert_eq!(place(|at| at == 2), None);
        assert_eq!(place(|at| at != 1), Some(0));
        assert_eq!(place(|_| true), Some(1));
    }

    #[test]
    fn a_place_that_comes_to_serve_more_takes_from_the_line() {
        let (wake, woken) = wake_log();
        let admission = Arc::new(Admission::new(&[0, 0], Ties::First, wake));
        let tickets: Vec<Ticket> = (1..4).map(|number| wait(&admission, number)).collect();
        assert_eq!(admission.waiting(), 3);
        admission.set_max(1, 2);
        assert_eq!(*woken.lock().unwrap(), [1, 2]);
        let mut permits = tickets.into_iter().filter_map(Ticket::redeem);
        let permit = permits.next().unwrap();
        assert_eq!(permit.place(), 1);
        // Less from now on: the turn is not handed on.
        admission.set_max(1, 0);
        drop(permit);
        drop(permits);
        assert_eq!((admission.running(), woken.lock().unwrap().len()), (0, 2));
    }

    #[test]
    fn nobody_is_served_again_where_it_was_before() {
        let (wake, woken) = wake_log();
        let admission = Arc::new(Admission::new(&[1, 1], Ties::First, wake));
        let mut tried = Places::default();
        tried.add(0);
        let ask = |number, tried| admission.ask(number, tried, |_| true);
        let (Admitted::Now(first), Admitted::Now(second)) =
            (ask(1, Places::default()), ask(2, Places::default()))
        else {
            panic!()
        };
        let Admitted::Wait(ticket) = ask(3, tried) else {
            panic!()
        };
        drop(first);
        assert!(!ticket.is_granted());
        assert!(matches!(ask(4, Places::default()), Admitted::Now(permit) if permit.place() == 0));
        drop(second);
        assert_eq!(*woken.lock().unwrap(), [3]);
        assert_eq!(ticket.redeem().map(|permit| permit.place()), Some(1));

        let permit = admission.ask(5, Places::default(), |place| place == 1);
        let Admitted::Wait(ticket) = ask(6, tried) else {
            panic!()
        };
        admission.dismiss_but_for(tried);
        assert!(ticket.is_dismissed());
        drop(permit);
    }

    #[test]
    fn those_who_are_dismissed_are_woken_and_told() {
        let (wake, woken) = wake_log();
        let admission = Arc::new(Admission::new(&[0], Ties::First, wake));
        let ticket = wait(&admission, 7);
        admission.dismiss_but_for(Places::default());
        assert_eq!(*woken.lock().unwrap(), [7]);
        assert!(ticket.is_dismissed() && !ticket.is_granted());
        assert!(ticket.redeem().is_none());
        assert_eq!(admission.running(), 0);
    }
}
