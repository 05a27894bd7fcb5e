//! A pool as the supervisor of its processes sees it.

use std::time::Duration;

use super::super::links::Channel;
use super::super::supervisor::Roster;
use super::{Health, Kept, Pool};
use crate::handler::admission::Places;
use crate::sys::clock::Moment;
use crate::sys::stream::Stream;

impl Roster for Pool {
    fn offer(&self, which: usize, warm: Stream, now: Moment) {
        self.backends()[which].served = 0;
        self.resume(which, warm, now);
    }

    fn resume(&self, which: usize, warm: Stream, now: Moment) {
        let channel = Channel::new(warm, self.number, None, &self.links);
        let mut backends = self.backends();
        let backend = &mut backends[which];
        backend.health = Health::Up;
        backend.left = None;
        backend.used = now;
        // Without it the first request makes a connection of its own.
        if let Ok(mut channel) = channel {
            channel.count(&backend.accepted);
            let since = now;
            backend.idle.push(Kept { channel, since });
        }
        drop(backends);
        self.admission.set_max(which, 1);
    }

    fn left_until(&self, which: usize) -> Option<Moment> {
        self.backends()[which].left
    }

    fn withdraw(&self, which: usize, why: &str) {
        let mut backends = self.backends();
        let backend = &mut backends[which];
        backend.health = match backend.health {
            Health::Up => Health::Withdrawn,
            // It was offered until it was left.
            Health::Withdrawn if backend.left.is_some() => Health::Withdrawn,
            _ => Health::Broken,
        };
        backend.left = None;
        backend.idle.clear();
        why.clone_into(&mut backend.why);
        let mut healths = backends.iter().map(|backend| &backend.health);
        let is_hopeless =
            healths.all(|health| *health != Health::Up) && backends[which].health == Health::Broken;
        drop(backends);
        self.admission.set_max(which, 0);
        log::debug!("{}: {why}", self.addresses[which]);
        if is_hopeless {
            self.admission.dismiss_but_for(Places::default());
        }
    }

    fn recover(&self, which: usize) {
        let backend = &mut self.backends()[which];
        if backend.health == Health::Broken {
            backend.health = Health::Withdrawn;
        }
    }

    fn in_use(&self, which: usize) -> usize {
        self.admission.running_at(which)
    }

    fn served(&self, which: usize) -> u64 {
        self.backends()[which].served
    }

    fn waiting(&self) -> usize {
        self.admission.waiting()
    }

    fn idle_for(&self, which: usize, now: Moment) -> Duration {
        match self.admission.running_at(which) {
            0 => self.backends()[which].used.until(now),
            _ => Duration::ZERO,
        }
    }
}
