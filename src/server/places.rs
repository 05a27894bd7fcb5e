//! Places for connections: who gets one, and when accepting rests and goes on.
//!
//! Rules: whoever comes is worth more than a connection that is idle, and less than one that is not. Where there is no
//! place, nobody is accepted until there is one: the kernel has them wait, and no thread does.

use std::sync::atomic::Ordering;

use super::table::Evicted;
use super::{ACCEPT_PAUSE, Server};
use crate::sys::listener::Listener;

impl Server {
    /// Reserves a slot for whoever waits at `listener`, at the cost of an idle connection where it has
    /// to be. When there is none, accepting goes on with the next connection that closes or comes to
    /// be idle.
    pub(super) fn reserve(&self, listener: &Listener) -> Option<u32> {
        let table = &self.parking.table;
        let free = || match table.reserve() {
            None if listener.has_waiting() && self.evict_idle() => table.reserve(),
            reserved => reserved,
        };
        free().or_else(|| {
            self.accepting_paused.store(true, Ordering::SeqCst);
            // One may have closed before it could see that.
            free()
        })
    }

    /// Closes the connection that has been idle for longest; false when none is.
    pub(super) fn evict_idle(&self) -> bool {
        loop {
            match self.parking.table.evict_idle(self.clock.now()) {
                Evicted::One => return true,
                Evicted::Nobody => return false,
                Evicted::Busy(number) => self.parking.wake(number),
            }
        }
    }

    /// Gives back the slot of a connection that is gone.
    pub(super) fn closed(&self, number: u32) {
        self.parking.table.release(number);
        self.resume_accepting();
    }

    /// Goes on accepting where that was given up for want of room.
    pub(super) fn resume_accepting(&self) {
        if self.accepting_paused.load(Ordering::Relaxed)
            && self.accepting_paused.swap(false, Ordering::SeqCst)
        {
            self.accept_all();
        }
    }

    pub(super) fn pause_accepting(&self) {
        let again = self.clock.now() + ACCEPT_PAUSE;
        self.accept_again.store(again.0, Ordering::Relaxed);
    }

    /// Has workers look at all listeners.
    pub(super) fn accept_all(&self) {
        let lanes = self.parking.lanes().len();
        for (at, _) in self.listeners.all() {
            self.parking.look_at(at, at % lanes);
        }
    }
}
