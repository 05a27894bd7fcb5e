//! Seats at the poller: so many workers wait there, however many threads there are.
//!
//! A worker that runs a program leaves its seat, and a spare takes it: so `--threads` workers are
//! there for files whatever the programs do. Without programs the spares sleep, since every thread
//! that waits at the poller is one more to be woken for work that a busy one would have done sooner.
//!
//! Rules: a spare is called only when nobody else waits at the poller. A worker that comes back to an
//! empty seat takes it without a word, so a short program disturbs nobody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The seats, and who waits for one.
#[derive(Debug)]
pub struct Seats {
    empty: Mutex<usize>,
    called: Condvar,
    /// How many are empty, to be read without the lock.
    empty_now: AtomicUsize,
    /// How many workers wait at the poller.
    idle: AtomicUsize,
}

impl Seats {
    /// So many empty seats.
    pub fn new(count: usize) -> Seats {
        Seats {
            empty: Mutex::new(count),
            called: Condvar::new(),
            empty_now: AtomicUsize::new(count),
            idle: AtomicUsize::new(0),
        }
    }

    /// Takes a seat; waits, called or not, until there is one.
    pub fn take(&self) {
        let mut empty = self.empty();
        while *empty == 0 {
            empty = self
                .called
                .wait(empty)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *empty -= 1;
        self.empty_now.store(*empty, Ordering::SeqCst);
    }

    /// Leaves a seat.
    pub fn leave(&self) {
        let mut empty = self.empty();
        *empty += 1;
        self.empty_now.store(*empty, Ordering::SeqCst);
        drop(empty);
        self.call_if_needed();
    }

    /// Runs `wait`, during which this worker waits at the poller.
    pub fn while_idle<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.idle.fetch_add(1, Ordering::SeqCst);
        let woken = wait();
        self.idle.fetch_sub(1, Ordering::SeqCst);
        self.call_if_needed();
        woken
    }

    /// Calls a spare to an empty seat when nobody waits at the poller.
    fn call_if_needed(&self) {
        if self.idle.load(Ordering::SeqCst) == 0 && self.empty_now.load(Ordering::SeqCst) > 0 {
            // Behind the lock, so that a spare about to sleep hears it.
            drop(self.empty());
            self.called.notify_one();
        }
    }

    fn empty(&self) -> MutexGuard<'_, usize> {
        self.empty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_spare_takes_the_seat_of_a_worker_that_leaves() {
        let seats = Arc::new(Seats::new(1));
        seats.take();
        let (told, seated) = mpsc::channel();
        let spare = Arc::clone(&seats);
        let spare = thread::spawn(move || {
            spare.take();
            told.send(()).unwrap();
        });
        assert!(seated.try_recv().is_err());
        seats.leave();
        seated.recv().unwrap();
        spare.join().unwrap();
    }

    #[test]
    fn a_worker_that_comes_back_takes_the_empty_seat() {
        let seats = Seats::new(2);
        seats.take();
        seats.take();
        seats.while_idle(|| {
            // Somebody waits at the poller, so nobody is called.
            seats.leave();
            seats.take();
        });
        assert_eq!(*seats.empty(), 0);
    }
}
