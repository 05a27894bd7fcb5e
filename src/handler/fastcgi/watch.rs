//! Looks after idle connections to applications, on a thread of its own.
//!
//! Shape: a pool calls; a moment later, and now and then without being called, [`Watch::keep`] has every
//! pool close what it should not keep. Rules: a call while one is outstanding costs nothing, so that it
//! may come with every request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::pool::{LATE, Pool};
use crate::sys::clock::Clock;

/// Calls whoever looks after the pools.
#[derive(Debug, Default)]
pub struct Watch {
    called: AtomicBool,
    waits: Mutex<()>,
    comes: Condvar,
}

impl Watch {
    /// Has the pools looked at soon.
    pub fn call(&self) {
        if !self.called.swap(true, Ordering::SeqCst) {
            // Behind the lock, so that one who is about to wait hears it.
            drop(self.waits.lock().unwrap_or_else(PoisonError::into_inner));
            self.comes.notify_one();
        }
    }

    /// Looks after the pools until the process ends; which these are, and how often at least, is asked each time.
    pub fn keep(&self, clock: &Clock, look: impl Fn() -> (Vec<Arc<Pool>>, Duration)) {
        loop {
            let (_, tick) = look();
            let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
            let is_called = |_: &mut ()| !self.called.load(Ordering::SeqCst);
            // A poisoned lock guards nothing that could be broken.
            let _ = self.comes.wait_timeout_while(waits, tick, is_called);
            if self.called.swap(false, Ordering::SeqCst) {
                std::thread::sleep(LATE);
            }
            let now = clock.now();
            for pool in look().0 {
                pool.expire(now);
                if pool.relieve(now) {
                    self.call();
                }
            }
        }
    }
}
