//! The connections that are kept between requests.
//!
//! Rules: none is kept that stands in the way of a new one, or for longer than the operator says.

use std::sync::atomic::Ordering;

use super::super::links::Channel;
use super::{CROWDED, Health, Kept, LATE, Pool};
use crate::sys::clock::Moment;

impl Pool {
    /// Keeps a connection whose request is over, or closes it.
    pub fn keep(&self, place: usize, channel: Channel, now: Moment) {
        let mut backends = self.backends();
        let backend = &mut backends[place];
        let is_full = backend.is_full();
        let spares = backend.idle.len() < self.bounds.keep && (!is_full || now >= backend.crowded);
        let spares = spares && !self.is_retired.load(Ordering::Relaxed);
        if spares && backend.health == Health::Up && !channel.is_hung_up() {
            channel.rest();
            let since = now;
            backend.idle.push(Kept { channel, since });
            drop(backends);
            if is_full {
                self.watch.call();
            }
        }
    }

    /// Closes all idle connections, and keeps none from now on: only what has begun will still ask.
    pub fn retire(&self) {
        let mut backends = self.backends();
        self.is_retired.store(true, Ordering::Relaxed);
        backends.iter_mut().for_each(|backend| backend.idle.clear());
    }

    /// Closes idle connections that stand in the way of new ones; true when there may be others later.
    pub fn relieve(&self, now: Moment) -> bool {
        let mut is_full = false;
        for backend in self.backends().iter_mut() {
            if backend.idle.is_empty() || !backend.is_full() {
                continue;
            }
            let is_late = |(_, since): &(u32, Moment)| *since + LATE <= now;
            if backend.unanswered.iter().any(is_late) {
                backend.idle.clear();
                backend.crowded = now + CROWDED;
                backend.accepted_most = backend.accepted.load(Ordering::Relaxed);
            } else {
                is_full = true;
            }
        }
        is_full
    }

    /// Closes idle connections that were kept for long enough.
    pub fn expire(&self, now: Moment) {
        let mut backends = self.backends();
        for backend in backends.iter_mut() {
            let idle = self.bounds.idle;
            backend.idle.retain(|kept| kept.since + idle > now);
        }
    }

    /// Closes idle connections that their application has closed, or sent something over.
    pub fn look_at_idle(&self) {
        let mut backends = self.backends();
        for backend in backends.iter_mut() {
            backend.idle.retain(|kept| kept.channel.stream().is_quiet());
        }
    }
}
