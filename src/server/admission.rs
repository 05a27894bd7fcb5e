//! Rations programs: so many at once, so many in line, first come first served.
//!
//! Shape: a request asks with [`Admission::ask`] and gets a [`Permit`], a [`Ticket`] for the line, or
//! neither. Rules: a permit is always given back, because dropping it does so, and goes straight to
//! the first in line; a ticket whose request went away is passed over. A request that waits holds no
//! worker: it is parked, and woken by the number it left.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests may wait for a program's turn.
const LINE_MAX: usize = 1024;

const WAITING: u8 = 0;
const GRANTED: u8 = 1;
const LEFT: u8 = 2;

/// The programs that may run, and the line of requests that wait for them.
#[derive(Debug)]
pub struct Admission {
    state: Mutex<State>,
    max: usize,
    wake: Wake,
}

#[derive(Debug)]
struct State {
    running: usize,
    line: VecDeque<Arc<Place>>,
}

/// One request's place in the line.
#[derive(Debug)]
struct Place {
    state: AtomicU8,
    number: u32,
}

/// The answer to a request that wants to run a program.
#[derive(Debug)]
pub enum Admitted {
    /// It may run now.
    Now(Permit),
    /// It has to wait.
    Wait(Ticket),
    /// The line is full.
    Full,
}

/// The right to run one program at a time.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
}

/// How to wake the connection with a number.
pub struct Wake(pub Box<dyn Fn(u32) + Send + Sync>);

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}

/// A place in the line; leaving it is dropping it.
#[derive(Debug)]
pub struct Ticket {
    place: Arc<Place>,
    admission: Arc<Admission>,
}

impl Admission {
    /// An admission to `max` programs at once, which wakes those in line by their numbers.
    pub fn new(max: usize, wake: Wake) -> Admission {
        Admission {
            state: Mutex::new(State {
                running: 0,
                line: VecDeque::new(),
            }),
            max,
            wake,
        }
    }

    /// Asks to run a program for the connection with this number.
    pub fn ask(self: &Arc<Admission>, number: u32) -> Admitted {
        let mut state = self.state();
        if state.running < self.max {
            state.running += 1;
            return Admitted::Now(self.permit());
        }
        if state.line.len() >= LINE_MAX {
            // Those who left without a turn still stand there.
            state
                .line
                .retain(|place| place.state.load(Ordering::Acquire) == WAITING);
        }
        if state.line.len() >= LINE_MAX {
            return Admitted::Full;
        }
        let place = Arc::new(Place {
            state: AtomicU8::new(WAITING),
            number,
        });
        state.line.push_back(Arc::clone(&place));
        Admitted::Wait(Ticket {
            place,
            admission: Arc::clone(self),
        })
    }

    /// How many programs run.
    pub fn running(&self) -> usize {
        self.state().running
    }

    fn permit(self: &Arc<Admission>) -> Permit {
        Permit {
            admission: Arc::clone(self),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a turn on to the first in line who still waits; returns its number.
    fn hand_on(&self) -> Option<u32> {
        let mut state = self.state();
        while let Some(place) = state.line.pop_front() {
            let granted =
                place
                    .state
                    .compare_exchange(WAITING, GRANTED, Ordering::AcqRel, Ordering::Acquire);
            if granted.is_ok() {
                return Some(place.number);
            }
        }
        state.running -= 1;
        None
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(number) = self.admission.hand_on() {
            (self.admission.wake.0)(number);
        }
    }
}

impl Ticket {
    /// Whether the turn has come; then [`Ticket::redeem`] gives the permit.
    pub fn is_granted(&self) -> bool {
        self.place.state.load(Ordering::Acquire) == GRANTED
    }

    /// Turns a granted ticket into the permit.
    pub fn redeem(self) -> Option<Permit> {
        let redeemed = self.place.leave(GRANTED);
        redeemed.then(|| self.admission.permit())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.place.leave(WAITING) && self.place.leave(GRANTED) {
            // A turn that came too late is handed on.
            drop(self.admission.permit());
        }
    }
}

impl Place {
    /// Leaves the line, if the place is in this state.
    fn leave(&self, from: u8) -> bool {
        self.state
            .compare_exchange(from, LEFT, Ordering::AcqRel, Ordering::Acquire)
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
            Wake(Box::new(move |number| log.lock().unwrap().push(number))),
            woken,
        )
    }

    fn wait(admission: &Arc<Admission>, number: u32) -> Ticket {
        match admission.ask(number) {
            Admitted::Wait(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn turns_are_handed_on_in_order_and_past_those_who_left() {
        let (wake, woken) = wake_log();
        let admission = Arc::new(Admission::new(1, wake));
        let Admitted::Now(permit) = admission.ask(1) else {
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
        let admission = Arc::new(Admission::new(1, wake));
        let _permit = admission.ask(0);
        let mut tickets: Vec<Ticket> = (0..LINE_MAX as u32)
            .map(|number| wait(&admission, number))
            .collect();
        assert!(matches!(admission.ask(9), Admitted::Full));
        tickets.pop();
        assert!(matches!(admission.ask(9), Admitted::Wait(_)));
    }
}
