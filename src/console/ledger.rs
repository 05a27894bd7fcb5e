//! The last journeys, and what all of them add up to.
//!
//! Shape: a worker gives a journey that is over to [`Ledger::take`], and gets an old one back whose memory it can
//! use again; others look at journeys one at a time. Rules: each lane has a book of its own, so that workers on
//! different processors wait neither for each other nor for each other's memory. A book has one lock, held for as
//! long as it takes to look at one journey; so the console never holds up workers for longer. Journeys are few, and
//! take no more memory together than [`MEMORY_MAX`]; sums are of all that ever were.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::journey::{Journey, Kind, Step};
use crate::proto::Reason;

/// How many journeys are kept.
pub const JOURNEYS_MAX: usize = 256;

/// How much memory they may take together; past it the oldest go.
pub const MEMORY_MAX: usize = 8 << 20;

/// How many books there are at most: with more each had little memory.
const BOOKS_MAX: usize = 8;

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
    books: Box<[Book]>,
    /// How many journeys are kept.
    kept: usize,
    /// The number of the next journey; taken behind the lock of the book that it comes into.
    next: AtomicU64,
    /// How many wait for that.
    waiting: AtomicUsize,
    bench: Mutex<()>,
    changed: Condvar,
}

/// The journeys of some lanes, in memory that no other book's are in.
#[derive(Debug)]
#[repr(align(64))]
struct Book(Mutex<Pages>);

#[derive(Debug)]
struct Pages {
    /// With what each takes, in the order of their numbers.
    journeys: VecDeque<(Box<Journey>, usize)>,
    memory: usize,
    sums: Sums,
}

/// What all exchanges add up to.
#[derive(Debug, Clone, Default)]
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
    /// An empty one for so many lanes, which keeps so many journeys.
    pub fn new(lanes: usize, kept: usize) -> Ledger {
        let book = |_| {
            Book(Mutex::new(Pages {
                journeys: VecDeque::new(),
                memory: 0,
                sums: Sums {
                    reasons: vec![0; Reason::ALL.len()],
                    ..Sums::default()
                },
            }))
        };
        Ledger {
            books: (0..lanes.clamp(1, BOOKS_MAX)).map(book).collect(),
            kept,
            next: AtomicU64::new(1),
            waiting: AtomicUsize::new(0),
            bench: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Takes a journey of this lane that is over; gives one that is no longer kept, if there is.
    pub fn take(&self, mut journey: Box<Journey>, lane: usize) -> Option<Box<Journey>> {
        let size = journey.size();
        let mut pages = self.books[lane % self.books.len()].pages();
        let seq = self.next.fetch_add(1, Ordering::SeqCst);
        journey.seq = seq;
        pages.sums.add(&journey);
        pages.memory += size;
        pages.journeys.push_back((journey, size));
        let mut gone = None;
        while pages.memory > MEMORY_MAX / self.books.len() || pages.begins_before(self.first(seq)) {
            let Some((oldest, size)) = pages.journeys.pop_front() else {
                break;
            };
            pages.memory -= size;
            gone = Some(oldest);
        }
        drop(pages);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // Behind the lock, so that one who is about to wait hears it.
            drop(self.bench());
            self.changed.notify_all();
        }
        gone
    }

    /// Looks at the journey with this number.
    pub fn look<T>(&self, seq: u64, look: impl FnOnce(&Journey) -> T) -> Option<T> {
        for book in &self.books {
            let pages = book.pages();
            let found = pages.journeys.binary_search_by_key(&seq, |it| it.0.seq);
            if let Some((journey, _)) = found.ok().and_then(|at| pages.journeys.get(at)) {
                return Some(look(journey));
            }
        }
        None
    }

    /// The numbers of the journeys that are kept and come after this one: the first of them, and one past the last. Of
    /// those between some may be gone.
    pub fn after(&self, seq: u64) -> (u64, u64) {
        let next = self.next.load(Ordering::SeqCst);
        // Whoever had taken a number by then is done with its book once that was locked.
        let first = self.books.iter().filter_map(|book| book.pages().first());
        let first = first.min().unwrap_or(next).max(self.first(next - 1));
        (first.max(seq.saturating_add(1)).min(next), next)
    }

    /// Waits for a journey after this one, no longer than that.
    pub fn wait(&self, seq: u64, patience: Duration) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let is_old = |(): &mut ()| self.next.load(Ordering::SeqCst) <= seq.saturating_add(1);
        // It came, or its time is over, or a worker failed: it is looked at all the same.
        let waited = self
            .changed
            .wait_timeout_while(self.bench(), patience, is_old);
        drop(waited);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// What all exchanges add up to.
    pub fn sums(&self) -> Sums {
        let mut all = self.books.iter().map(|book| book.pages().sums.clone());
        let first = all.next().unwrap_or_default();
        all.fold(first, Sums::plus)
    }

    /// The number of the first journey that is kept while this is the last one.
    fn first(&self, last: u64) -> u64 {
        (last + 1).saturating_sub(self.kept as u64)
    }

    fn bench(&self) -> MutexGuard<'_, ()> {
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn first(&self) -> Option<u64> {
        self.journeys.front().map(|it| it.0.seq)
    }

    fn begins_before(&self, seq: u64) -> bool {
        self.first().is_some_and(|first| first < seq)
    }
}

impl Sums {
    /// These and others.
    fn plus(mut self, other: Sums) -> Sums {
        fn add(own: &mut [u64], its: &[u64]) {
            own.iter_mut().zip(its).for_each(|(sum, more)| *sum += more);
        }
        for (own, its) in self.kinds.iter_mut().zip(other.kinds) {
            add(&mut own.classes, &its.classes);
            add(&mut own.buckets, &its.buckets);
            own.took += its.took;
            own.sent += its.sent;
        }
        add(&mut self.reasons, &other.reasons);
        for its in other.tolls {
            if let Some(own) = self.toll(&its.site, &its.route, its.kind) {
                own.requests += its.requests;
                own.start += its.start;
                own.work += its.work;
                own.relay += its.relay;
                own.total += its.total;
            }
        }
        self
    }

    /// The toll of a route, if there is room for it.
    fn toll(&mut self, site: &str, route: &str, kind: Kind) -> Option<&mut Toll> {
        let is_it = |toll: &Toll| toll.kind == kind && toll.route == route && toll.site == site;
        let at = match self.tolls.iter().position(is_it) {
            Some(at) => at,
            None if self.tolls.len() == ROUTES_MAX => return None,
            None => {
                self.tolls.push(Toll {
                    site: site.to_owned(),
                    route: route.to_owned(),
                    kind,
                    ..Toll::default()
                });
                self.tolls.len() - 1
            }
        };
        self.tolls.get_mut(at)
    }

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
        let Some(toll) = self.toll(&journey.site, &journey.route, journey.kind) else {
            return;
        };
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
