//! Who waits at the poller: one worker, while the others sleep until they are called.
//!
//! A thread that waits at the poller is woken for every event that finds it there, and waking a thread
//! costs more than answering with a small file. So one **watches**; when it is woken it works, and then
//! it watches again. A sleeping one is called to watch when the watcher goes to run a program or to
//! move much data, and when it has found work waiting so often that it must be falling behind. At most
//! so many work at once as there are **seats** (`--threads`); who runs a program has none, so there are
//! always workers for files.
//!
//! Rules: whoever leaves the watch for something that takes its time calls another one first. Whoever
//! comes back and finds that somebody watches looks once for work and then sleeps. Hence somebody
//! always watches, or works and will watch next.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The seats, and the watch.
#[derive(Debug)]
pub struct Seats {
    empty: Mutex<usize>,
    called: Condvar,
    /// How many are empty, to be read without the lock.
    empty_now: AtomicUsize,
    watched: AtomicBool,
    #[cfg(feature = "console")]
    count: usize,
}

impl Seats {
    /// So many empty seats.
    pub fn new(count: usize) -> Seats {
        Seats {
            empty: Mutex::new(count),
            called: Condvar::new(),
            empty_now: AtomicUsize::new(count),
            watched: AtomicBool::new(false),
            #[cfg(feature = "console")]
            count,
        }
    }

    /// Takes a seat; sleeps until there is one and nobody watches.
    pub fn take(&self) {
        let mut empty = self.empty();
        while *empty == 0 || self.watched.load(Ordering::SeqCst) {
            empty = self
                .called
                .wait(empty)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *empty -= 1;
        self.empty_now.store(*empty, Ordering::SeqCst);
    }

    /// Leaves a seat, and calls a sleeping worker if nobody watches.
    pub fn leave(&self) {
        let mut empty = self.empty();
        *empty += 1;
        self.empty_now.store(*empty, Ordering::SeqCst);
        drop(empty);
        self.call();
    }

    /// Calls a sleeping worker to an empty seat, unless somebody watches.
    pub fn call(&self) {
        if !self.watched.load(Ordering::SeqCst) && self.empty_now.load(Ordering::SeqCst) > 0 {
            // Behind the lock, so that one who is about to sleep hears it.
            drop(self.empty());
            self.called.notify_one();
        }
    }

    /// Runs `wait` as the one who watches; `None` when somebody else does.
    pub fn watch<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        if self.watched.swap(true, Ordering::SeqCst) {
            return None;
        }
        let woken = wait();
        self.watched.store(false, Ordering::SeqCst);
        Some(woken)
    }

    /// How many seats are taken by those who work, and do not watch.
    #[cfg(feature = "console")]
    pub fn busy(&self) -> usize {
        let empty = self.empty_now.load(Ordering::Relaxed);
        let watching = usize::from(self.watched.load(Ordering::Relaxed));
        self.count.saturating_sub(empty + watching)
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

    /// A thread that takes a seat, and a channel that tells when it has one.
    fn sleeper(seats: &Arc<Seats>) -> mpsc::Receiver<()> {
        let (told, seated) = mpsc::channel();
        let seats = Arc::clone(seats);
        thread::spawn(move || {
            seats.take();
            told.send(()).unwrap();
        });
        seated
    }

    #[test]
    fn the_seat_of_a_worker_that_leaves_is_taken() {
        let seats = Arc::new(Seats::new(1));
        seats.take();
        let seated = sleeper(&seats);
        assert!(seated.try_recv().is_err());
        seats.leave();
        seated.recv().unwrap();
    }

    #[test]
    fn while_somebody_watches_nobody_is_called() {
        let seats = Arc::new(Seats::new(2));
        seats.take();
        let seated = seats.watch(|| {
            assert_eq!(seats.watch(|| ()), None);
            let seated = sleeper(&seats);
            seats.call();
            seats.leave();
            assert!(seated.try_recv().is_err());
            seated
        });
        seats.call();
        seated.unwrap().recv().unwrap();
    }
}
