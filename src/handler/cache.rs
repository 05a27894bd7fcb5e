//! Keeps small files in memory, and is never stale: what it has was on the disk after the request came.
//!
//! Source: ours.
//! Shape: a [`Key`] in; a [`Representation`], checked against the file system just now, out.
//! Rules:
//! - A hit is validated by one stat of the path that was opened: device, inode, size and both times
//!   must be those of the file that was read. So the content is that file's, and it was opened
//!   beneath its root; the stat decides nothing else.
//! - One stat is enough for all requests of one [`Round`]: they had come before it was made.
//! - A file that changed within the last `SETTLED` seconds is not kept: it could be written again
//!   within the same tick of the file system's clock and look the same.
//! - What a stat does not show (a better neighbour that appeared, a folder that was moved out of the
//!   root and is linked to) shows after `KEPT` seconds at the latest.
//! - Bounded in bytes and in entries; what is evicted is merely read again.
//! - A hit takes the read lock of one slot and allocates nothing, so threads do not wait for each
//!   other.
//!
//! Not here: opening and reading (`static_file.rs`); what a file is sent with (`representation.rs`).

use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::handler::representation::Representation;
use crate::proto::http::negotiate::Coding;
use crate::sys::beneath::{Root, Stat};

/// The longest content that is kept, in bytes.
pub const LONGEST: u64 = 64 * 1024;

/// How many bytes are kept in all.
const CAPACITY: usize = 8 * 1024 * 1024;

/// How many files are kept in all; even, since a key has two slots to choose from.
const SLOTS: usize = 2048;

/// How long a file must have rested before it is kept, in seconds: the coarsest clock of a file
/// system in use (FAT) ticks every two seconds.
const SETTLED: i64 = 2;

/// How long a file is kept, in seconds, before it is opened again.
const KEPT: u64 = 10;

/// When a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// Seconds since the epoch.
    pub seconds: u64,
    /// The round of the request.
    pub round: Round,
}

/// Requests that all had come when the first of them was looked at, by their number. What the file
/// system showed to one of them meanwhile is not too old for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round(pub u64);

impl Round {
    /// That of one who may have waited meanwhile, for a program say: nobody has looked for him.
    pub const OWN: Round = Round(0);
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// The number of the static route.
    pub route: usize,
    /// The path below the route's folder, as asked for.
    pub path: &'a [u8],
    /// The content coding, or none for the file itself.
    pub coding: Option<Coding>,
}

/// A file that is kept, and what it was asked for by.
#[derive(Debug)]
struct Held {
    route: usize,
    path: Box<[u8]>,
    coding: Option<Coding>,
    file: Arc<Representation>,
    read_at: u64,
    /// The round for which a stat was made last.
    checked: AtomicU64,
}

/// Small files, shared by all threads.
#[derive(Debug)]
pub struct Cache {
    slots: Box<[Slot]>,
    hasher: RandomState,
    bytes: AtomicUsize,
    hand: AtomicUsize,
}

type Slot = RwLock<Option<Held>>;

impl Cache {
    /// An empty cache.
    pub fn new() -> Cache {
        Cache {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            hasher: RandomState::new(),
            bytes: AtomicUsize::new(0),
            hand: AtomicUsize::new(0),
        }
    }

    /// Whether a file that was opened at `now` (seconds since the epoch) may be kept.
    pub fn admits(stat: &Stat, now: u64) -> bool {
        let changed = stat.changed.max(stat.modified).seconds;
        stat.size <= LONGEST && changed.saturating_add(SETTLED) <= now.cast_signed()
    }

    /// The file that `key` names, unless it is unknown, too old, or no longer what `root` holds.
    pub fn lookup(&self, root: &Root, key: &Key<'_>, now: Present) -> Option<Arc<Representation>> {
        self.choices(key).into_iter().find_map(|slot| {
            let place = self.read(slot);
            let held = place.as_ref().filter(|held| held.key() == *key)?;
            if held.is_current(root, now) {
                return Some(Arc::clone(&held.file));
            }
            drop(place);
            self.replace(slot, None);
            None
        })
    }

    /// Keeps a file that was read at `now`, at the cost of others where there is no room.
    pub fn insert(&self, key: &Key<'_>, file: Arc<Representation>, now: u64) {
        // The slot that holds the same key, else an empty one, else that of the older file.
        let rank = |&slot: &usize| match &*self.read(slot) {
            Some(held) if held.key() == *key => (0, 0),
            None => (1, 0),
            Some(held) => (2, held.read_at),
        };
        let Some(slot) = self.choices(key).into_iter().min_by_key(rank) else {
            return;
        };
        let Key {
            route,
            path,
            coding,
        } = *key;
        self.replace(
            slot,
            Some(Held {
                route,
                path: path.into(),
                coding,
                file,
                read_at: now,
                checked: AtomicU64::new(Round::OWN.0),
            }),
        );
        for _ in 0..SLOTS {
            if self.bytes.load(Ordering::Relaxed) <= CAPACITY {
                break;
            }
            self.replace(self.hand.fetch_add(1, Ordering::Relaxed) % SLOTS, None);
        }
    }

    /// The two slots that a key may lie in. The hash is keyed: nobody can aim at a slot.
    fn choices(&self, key: &Key<'_>) -> [usize; 2] {
        let slot = self.hasher.hash_one(key) as usize % SLOTS;
        [slot, slot ^ 1]
    }

    fn read(&self, slot: usize) -> RwLockReadGuard<'_, Option<Held>> {
        self.slots[slot]
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, slot: usize, file: Option<Held>) {
        self.bytes
            .fetch_add(file.as_ref().map_or(0, Held::weight), Ordering::Relaxed);
        let mut held = self.slots[slot]
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let evicted = mem::replace(&mut *held, file);
        self.bytes
            .fetch_sub(evicted.as_ref().map_or(0, Held::weight), Ordering::Relaxed);
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

impl Held {
    fn key(&self) -> Key<'_> {
        Key {
            route: self.route,
            path: &self.path,
            coding: self.coding,
        }
    }

    fn is_current(&self, root: &Root, now: Present) -> bool {
        if now.seconds.abs_diff(self.read_at) > KEPT {
            return false;
        }
        if now.round != Round::OWN && self.checked.load(Ordering::Relaxed) == now.round.0 {
            return true;
        }
        let file = &self.file;
        let is_same = root.stat(&file.path).is_ok_and(|stat| stat == file.stat);
        if is_same {
            self.checked.store(now.round.0, Ordering::Relaxed);
        }
        is_same
    }

    fn weight(&self) -> usize {
        size_of::<Held>() + self.path.len() + self.file.weight()
    }
}

#[cfg(test)]
mod tests;
