//! Who watches which lane: one worker each, while the others sleep until they are called.
//!
//! A thread that waits at a poller is woken for every event that finds it there, and waking a thread
//! costs more than answering with a small file. So one **watches** each lane; when it is woken it works, and
//! then it watches again. A sleeping one is called to a lane when its watcher goes to run a program or to
//! send what has to come from a disk, when it does not come back for long, and when it has found work waiting so often that it must be falling behind. At most
//! so many work at once as there are **seats** (`--threads`); who runs a program has none, so there are
//! always workers for files.
//!
//! Rules: whoever leaves the watch for something that takes its time calls another one first. Whoever
//! comes back and finds that somebody watches looks once for work and then sleeps. Hence each lane is
//! watched, or somebody works for it and will watch next, or it wants somebody, and whoever is free comes.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The seats, and the watch of each lane.
#[derive(Debug)]
pub struct Seats {
    empty: Mutex<usize>,
    called: Condvar,
    /// How many are empty, to be read without the lock.
    empty_now: AtomicUsize,
    watches: Box<[Watch]>,
    #[cfg(feature = "console")]
    count: usize,
}

/// The watch of a lane. Each lies in memory of its own, or the watchers of other lanes would wait for it.
#[derive(Debug)]
#[repr(align(64))]
struct Watch {
    is_kept: AtomicBool,
    /// Whether a worker was called, and none has come.
    is_wanted: AtomicBool,
    /// How many have a seat for this lane; changed behind the lock.
    seated: AtomicUsize,
    /// How often it was begun, going round.
    begun: AtomicU32,
    /// That, when it was last looked at.
    begun_before: AtomicU32,
}

impl Seats {
    /// So many empty seats, and lanes that want somebody.
    pub fn new(count: usize, lanes: usize) -> Seats {
        let watch = |_| Watch {
            is_kept: AtomicBool::new(false),
            is_wanted: AtomicBool::new(true),
            seated: AtomicUsize::new(0),
            begun: AtomicU32::new(0),
            begun_before: AtomicU32::new(0),
        };
        Seats {
            empty: Mutex::new(count),
            called: Condvar::new(),
            empty_now: AtomicUsize::new(count),
            watches: (0..lanes).map(watch).collect(),
            #[cfg(feature = "console")]
            count,
        }
    }

    /// Takes a seat for a lane, first of all for one that nobody has a seat for; sleeps until there is a seat, and
    /// a lane that wants somebody.
    pub fn take(&self) -> usize {
        let mut empty = self.empty();
        loop {
            if *empty > 0
                && let Some(lane) = self.neediest()
            {
                let watch = &self.watches[lane];
                watch.is_wanted.store(false, Ordering::SeqCst);
                watch.seated.fetch_add(1, Ordering::Relaxed);
                *empty -= 1;
                self.empty_now.store(*empty, Ordering::SeqCst);
                return lane;
            }
            empty = self
                .called
                .wait(empty)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Leaves a seat, and calls a sleeping worker if nobody watches this lane.
    pub fn leave(&self, lane: usize) {
        let mut empty = self.empty();
        *empty += 1;
        self.watches[lane].seated.fetch_sub(1, Ordering::Relaxed);
        self.empty_now.store(*empty, Ordering::SeqCst);
        drop(empty);
        self.call(lane);
    }

    /// Calls a sleeping worker to an empty seat, unless somebody watches this lane.
    pub fn call(&self, lane: usize) {
        let watch = &self.watches[lane];
        if watch.is_kept.load(Ordering::SeqCst) {
            return;
        }
        watch.is_wanted.store(true, Ordering::SeqCst);
        if self.empty_now.load(Ordering::SeqCst) > 0 {
            // Behind the lock, so that one who is about to sleep hears it.
            drop(self.empty());
            self.called.notify_one();
        }
    }

    /// Runs `wait` as the one who watches this lane; `None` when somebody else does.
    pub fn watch<T>(&self, lane: usize, wait: impl FnOnce() -> T) -> Option<T> {
        let watch = &self.watches[lane];
        if watch.is_kept.swap(true, Ordering::SeqCst) {
            return None;
        }
        if watch.is_wanted.load(Ordering::Relaxed) {
            watch.is_wanted.store(false, Ordering::SeqCst);
        }
        // Nobody else writes it.
        let begun = watch.begun.load(Ordering::Relaxed);
        watch.begun.store(begun.wrapping_add(1), Ordering::Relaxed);
        let woken = wait();
        watch.is_kept.store(false, Ordering::SeqCst);
        Some(woken)
    }

    /// Calls a sleeping worker to each lane whose watcher has not come back since this was called last: it may wait
    /// for a file system, for as long as that hangs.
    pub fn relieve(&self) {
        for (lane, watch) in self.watches.iter().enumerate() {
            let begun = watch.begun.load(Ordering::Relaxed);
            if watch.begun_before.swap(begun, Ordering::Relaxed) == begun {
                self.call(lane);
            }
        }
    }

    /// How many seats are taken by those who work, and do not watch.
    #[cfg(feature = "console")]
    pub fn busy(&self) -> usize {
        let empty = self.empty_now.load(Ordering::Relaxed);
        let is_kept = |watch: &&Watch| watch.is_kept.load(Ordering::Relaxed);
        let watching = self.watches.iter().filter(is_kept).count();
        self.count.saturating_sub(empty + watching)
    }

    /// Of the lanes that want somebody the one with the fewest workers.
    fn neediest(&self) -> Option<usize> {
        let wanting = self.watches.iter().enumerate();
        let wanting = wanting.filter(|(_, watch)| watch.is_open());
        let seated = |(_, watch): &(usize, &Watch)| watch.seated.load(Ordering::Relaxed);
        wanting.min_by_key(seated).map(|(lane, _)| lane)
    }

    fn empty(&self) -> MutexGuard<'_, usize> {
        self.empty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn is_open(&self) -> bool {
        self.is_wanted.load(Ordering::SeqCst) && !self.is_kept.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;

    /// A thread that takes a seat, and a channel that tells for which lane.
    fn sleeper(seats: &Arc<Seats>) -> mpsc::Receiver<usize> {
        let (told, seated) = mpsc::channel();
        let seats = Arc::clone(seats);
        thread::spawn(move || told.send(seats.take()).unwrap());
        seated
    }

    #[test]
    fn the_seat_of_a_worker_that_leaves_is_taken() {
        let seats = Arc::new(Seats::new(1, 1));
        seats.take();
        let seated = sleeper(&seats);
        assert!(seated.try_recv().is_err());
        seats.leave(0);
        assert_eq!(seated.recv(), Ok(0));
    }

    #[test]
    fn while_somebody_watches_nobody_is_called() {
        let seats = Arc::new(Seats::new(2, 1));
        seats.take();
        let seated = seats.watch(0, || {
            assert_eq!(seats.watch(0, || ()), None);
            let seated = sleeper(&seats);
            seats.call(0);
            seats.leave(0);
            assert!(seated.try_recv().is_err());
            seated
        });
        seats.call(0);
        seated.unwrap().recv().unwrap();
    }

    #[test]
    fn at_the_start_each_lane_wants_somebody() {
        let seats = Seats::new(3, 2);
        assert_eq!([seats.take(), seats.take()], [0, 1]);
        let seats = Arc::new(seats);
        let seated = sleeper(&seats);
        seats.watch(0, || assert!(seated.try_recv().is_err()));
        seats.call(1);
        assert_eq!(seated.recv(), Ok(1));
    }

    #[test]
    fn a_lane_whose_watcher_does_not_come_back_gets_another_one() {
        let seats = Arc::new(Seats::new(3, 2));
        assert_eq!([seats.take(), seats.take()], [0, 1]);
        seats.watch(0, || ());
        seats.watch(1, || ());
        seats.relieve();
        let seated = sleeper(&seats);
        // One is at the watch, and the other one comes back to it.
        seats.watch(1, || {
            seats.watch(0, || ());
            seats.relieve();
            assert!(seated.try_recv().is_err());
            seats.relieve();
        });
        assert_eq!(seated.recv(), Ok(0));
    }

    /// A lane is without anybody before another one gets a second worker.
    #[test]
    fn a_lane_that_is_left_comes_before_one_that_wants_help() {
        let seats = Seats::new(2, 2);
        assert_eq!([seats.take(), seats.take()], [0, 1]);
        // There is no seat for whoever would help.
        seats.call(0);
        seats.leave(1);
        assert_eq!(seats.take(), 1);
    }

    #[test]
    fn who_is_back_at_the_watch_needs_no_help() {
        let seats = Seats::new(2, 2);
        assert_eq!([seats.take(), seats.take()], [0, 1]);
        seats.call(0);
        seats.watch(0, || ());
        seats.leave(1);
        assert_eq!(seats.take(), 1);
        seats.leave(0);
        assert_eq!(seats.take(), 0);
    }
}
