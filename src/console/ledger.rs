//! The last journeys, and what all of them add up to.
//!
//! Shape: a worker gives a journey that is over to [`Ledger::take`], and gets an old one back whose memory it can
//! use again; others look at journeys one at a time. Rules: there is one lock, held for as long as it takes to look
//! at one journey; so the console never holds up workers for longer. Journeys are few, and take no more memory
//! together than [`MEMORY_MAX`]; sums are of all that ever were.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::journey::{Journey, Kind, Step};
use crate::proto::Reason;

/// How many journeys are kept.
pub const JOURNEYS_MAX: usize = 256;

/// How much memory they may take together; past it the oldest go.
pub const MEMORY_MAX: usize = 8 << 20;

/// How many routes the toll is counted for; there are as many as an operator writes.
pub const ROUTES_MAX: usize = 256;

/// The upper bounds of a histogram's buckets, in microseconds.
pub const BUCKETS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 10_000_000,
];

/// All of it.
#[derive(Debug)]
pub struct Ledger {
    pages: Mutex<Pages>,
    changed: Condvar,
    /// How many wait for the next journey.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Pages {
    /// How many journeys are kept.
    kept: usize,
    /// With what each takes; each has the number after the one before it.
    journeys: VecDeque<(Box<Journey>, usize)>,
    memory: usize,
    next: u64,
    sums: Sums,
}

/// What all exchanges add up to.
#[derive(Debug, Clone)]
pub struct Sums {
    /// By kind, in their order.
    pub kinds: [KindSums; Kind::ALL.len()],
    /// How often each reason was, in their order.
    pub reasons: Vec<u64>,
    /// By site, route and kind.
    pub tolls: Vec<Toll>,
}

/// Of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct KindSums {
    /// How many, by the first digit of their status.
    pub classes: [u64; 6],
    /// How many took no longer than each of [`BUCKETS`], and longer than the one before; last, the others.
    pub buckets: [u64; BUCKETS.len() + 1],
    /// How long they took together, in microseconds.
    pub took: u64,
    /// How many bytes of body were sent.
    pub sent: u64,
}

/// Where the time of a route goes, in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Toll {
    /// The site, where there are several.
    pub site: String,
    /// The route.
    pub route: String,
    /// What answers there.
    pub kind: Kind,
    /// How many requests.
    pub requests: u64,
    /// Starting a program, or connecting to an application.
    pub start: u64,
    /// Their own work, until the first byte.
    pub work: u64,
    /// From then on until the last one.
    pub relay: u64,
    /// All of it.
    pub total: u64,
}

impl Ledger {
    /// An empty one.
    pub fn new() -> Ledger {
        Ledger::keeping(JOURNEYS_MAX)
    }

    /// An empty one, which keeps so many journeys.
    pub fn keeping(kept: usize) -> Ledger {
        Ledger {
            pages: Mutex::new(Pages {
                kept,
                journeys: VecDeque::with_capacity(kept),
                memory: 0,
                next: 1,
                sums: Sums {
                    kinds: [KindSums::default(); Kind::ALL.len()],
                    reasons: vec![0; Reason::ALL.len()],
                    tolls: Vec::new(),
                },
            }),
            changed: Condvar::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Takes a journey that is over; gives one that is no longer kept, if there is.
    pub fn take(&self, mut journey: Box<Journey>) -> Option<Box<Journey>> {
        let size = journey.size();
        let mut pages = self.pages();
        journey.seq = pages.next;
        pages.next += 1;
        pages.sums.add(&journey);
        pages.memory += size;
        pages.journeys.push_back((journey, size));
        let mut gone = None;
        while pages.journeys.len() > pages.kept || pages.memory > MEMORY_MAX {
            let Some((oldest, size)) = pages.journeys.pop_front() else {
                break;
            };
            pages.memory -= size;
            gone = Some(oldest);
        }
        drop(pages);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.changed.notify_all();
        }
        gone
    }

    /// Looks at the journey with this number.
    pub fn look<T>(&self, seq: u64, look: impl FnOnce(&Journey) -> T) -> Option<T> {
        let pages = self.pages();
        let first = pages.journeys.front()?.0.seq;
        let at = usize::try_from(seq.checked_sub(first)?).ok()?;
        pages.journeys.get(at).map(|(journey, _)| look(journey))
    }

    /// The numbers of the journeys that are kept and come after this one: the first of them, and one past the last.
    pub fn after(&self, seq: u64) -> (u64, u64) {
        let pages = self.pages();
        let first = pages.journeys.front().map_or(pages.next, |it| it.0.seq);
        (first.max(seq.saturating_add(1)).min(pages.next), pages.next)
    }

    /// Waits for a journey after this one, no longer than that.
    pub fn wait(&self, seq: u64, patience: Duration) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let pages = self.pages();
        let is_old = |pages: &mut Pages| pages.next <= seq.saturating_add(1);
        // It came, or its time is over, or a worker failed: it is looked at all the same.
        drop(self.changed.wait_timeout_while(pages, patience, is_old));
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// What all exchanges add up to.
    pub fn sums(&self) -> Sums {
        self.pages().sums.clone()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger::new()
    }
}

impl Sums {
    fn add(&mut self, journey: &Journey) {
        let took = journey.took();
        let kind = &mut self.kinds[journey.kind as usize];
        kind.classes[usize::from(journey.status / 100).min(5)] += 1;
        kind.buckets[BUCKETS.partition_point(|&bound| bound < took)] += 1;
        kind.took += took;
        kind.sent += journey.sent;
        if let Some(reason) = journey.reason {
            self.reasons[reason as usize] += 1;
        }
        self.add_toll(journey, took);
    }

    fn add_toll(&mut self, journey: &Journey, took: u64) {
        if journey.kind == Kind::Refusal {
            return;
        }
        let is_it = |toll: &Toll| {
            toll.kind == journey.kind && toll.route == journey.route && toll.site == journey.site
        };
        let at = match self.tolls.iter().position(is_it) {
            Some(at) => at,
            None if self.tolls.len() == ROUTES_MAX => return,
            None => {
                self.tolls.push(Toll {
                    site: journey.site.clone(),
                    route: journey.route.clone(),
                    kind: journey.kind,
                    ..Toll::default()
                });
                self.tolls.len() - 1
            }
        };
        let toll = &mut self.tolls[at];
        toll.requests += 1;
        toll.total += took;
        let [mut asked, mut began, mut first, mut last] = [None; 4];
        for &(step, at) in &journey.steps {
            match step {
                Step::Resolved | Step::Waited => asked = Some(at),
                Step::Started | Step::Connected => began = Some(at),
                Step::FirstByte => first = Some(at),
                Step::LastByte => last = Some(at),
                Step::Received | Step::Body | Step::Exit => {}
            }
        }
        let span = |from: Option<u64>, to: Option<u64>| match (from, to) {
            (Some(from), Some(to)) => to.saturating_sub(from),
            _ => 0,
        };
        toll.start += span(asked, began);
        toll.work += span(began.or(asked), first.or(last));
        toll.relay += span(first, last);
    }
}

#[cfg(test)]
mod tests;
