//! Which backends are believed to answer.
//!
//! Rules: what is left out is tried again by itself; a pause grows with each try that fails, and failures
//! at the same time are one.

use super::{Backend, DROPS, Health, PAUSE_FIRST, PAUSE_MAX, Pool, UNHEARD};
use crate::handler::admission::Places;
use crate::sys::clock::Moment;

impl Pool {
    /// Notes that a backend speaks FastCGI.
    pub fn succeeded(&self, place: usize) {
        let mut backends = self.backends();
        if let Health::Failing { .. } = backends[place].health {
            backends[place].health = Health::Up;
            drop(backends);
            log::info!("{} answers again", self.addresses[place]);
            self.admission.set_max(place, self.bounds.max);
        }
    }

    /// Leaves a backend out for a while.
    pub fn failed(&self, place: usize, now: Moment) {
        let mut backends = self.backends();
        backends[place].failures += 1;
        let after = |failures: u32| {
            let pause = PAUSE_FIRST.saturating_mul(1 << (failures - 1).min(10));
            (failures, now + pause.min(PAUSE_MAX))
        };
        let (failures, until) = match backends[place].health {
            Health::Up => after(1),
            // One failure, however many requests were on their way to it.
            Health::Failing {
                failures, until, ..
            } if now < until => (failures, until),
            Health::Failing { failures, .. } => after(failures.saturating_add(1)),
            Health::Withdrawn | Health::Broken => return,
        };
        backends[place].health = Health::Failing {
            failures,
            until,
            since: now,
        };
        backends[place].idle.clear();
        let mut left = standing(&backends);
        let back = match left == Places::default() {
            true => perhaps_back(&backends, now),
            false => None,
        };
        drop(backends);
        self.admission.set_max(place, 0);
        if let Some(back) = back {
            left.add(back);
            self.admission.set_max(back, 1);
        }
        self.admission.dismiss_but_for(left);
    }

    /// Notes that a backend has not said a word to a request that was given to it at `since`, for as
    /// long as it may; true when it is left out for having said nothing to any other either.
    pub fn silent(&self, place: usize, since: Moment, now: Moment) -> bool {
        let is_dead = self.has_choice() && self.backends()[place].heard <= since;
        if is_dead {
            self.failed(place, now);
        }
        is_dead
    }

    /// Notes that a backend has closed a new connection without a word.
    pub fn dropped(&self, place: usize, now: Moment) {
        let mut backends = self.backends();
        let backend = &mut backends[place];
        backend.dropped = backend.dropped.saturating_add(1);
        let is_dead = backend.dropped >= DROPS && backend.heard + UNHEARD <= now;
        drop(backends);
        if is_dead && self.has_choice() {
            self.failed(place, now);
        }
    }

    /// Whether another backend is there to be asked in place of one; processes are the supervisor's care.
    pub(super) fn has_choice(&self) -> bool {
        self.addresses.len() > 1 && !self.is_supervised()
    }
}

/// The backends that are not left out, though some may have to start first.
pub(super) fn standing(backends: &[Backend]) -> Places {
    let mut standing = Places::default();
    for (place, backend) in backends.iter().enumerate() {
        if matches!(backend.health, Health::Up | Health::Withdrawn) {
            standing.add(place);
        }
    }
    standing
}

/// The failing backend whose pause ends first, of those that nobody has tried for a while.
pub(super) fn perhaps_back(backends: &[Backend], now: Moment) -> Option<usize> {
    let mut tried = Places::default();
    for (place, backend) in backends.iter().enumerate() {
        if matches!(backend.health, Health::Failing { since, .. } if now < since + PAUSE_FIRST) {
            tried.add(place);
        }
    }
    soonest(backends, tried)
}

/// The failing backend whose pause ends first, of those that were not tried.
pub(super) fn soonest(backends: &[Backend], tried: Places) -> Option<usize> {
    let failing = backends
        .iter()
        .enumerate()
        .filter_map(|(place, backend)| match backend.health {
            Health::Failing { until, .. } if !tried.has(place) => Some((until, place)),
            _ => None,
        });
    failing.min().map(|(_, place)| place)
}

/// Whether a process is about to be there to be asked. Where one failed, those that were never started
/// are not: the supervisor starts no more than it must.
pub(super) fn has_withdrawn(backends: &[Backend], tried: Places) -> bool {
    let mut places = backends.iter().enumerate();
    let is_broken = backends
        .iter()
        .any(|backend| backend.health == Health::Broken);
    !is_broken
        && places.any(|(place, backend)| backend.health == Health::Withdrawn && !tried.has(place))
}
