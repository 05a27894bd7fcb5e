//! Keeps small files in memory and a few long ones open, and is never stale: what it has was on the disk
//! after the request came.
//!
//! Source: ours.
//! Shape: a [`Key`] in; a [`Representation`], checked against the file system just now, out.
//! Rules:
//! - A hit is validated by one stat of the path that was opened: device, inode, size and both times
//!   must be those of the file that was read. So the content is that file's, and it was opened
//!   beneath its root; the stat decides nothing else.
//! - A file that changed within the last `SETTLED` seconds is not kept: it could be written again
//!   within the same tick of the file system's clock and look the same.
//! - What a stat does not show (a better neighbour that appeared, a folder that was moved out of the
//!   root and is linked to) shows after `KEPT` seconds at the latest.
//! - Bounded in bytes, however many files that are; room is taken as files come. When the young ones have
//!   half of it they become the old ones, and those that were so are forgotten: they are merely read again.
//! - Bounded in descriptors as well. A file that is kept open takes room on its disk when it is deleted, so
//!   [`Cache::close_idle`] closes it in time, whether or not anyone asks for it again.
//! - A hit allocates nothing, and no lock is held while the file system is asked.
//!
//! Not here: opening and reading (`static_file.rs`); what a file is sent with (`representation.rs`).

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::mem;
use std::sync::{Arc, PoisonError, RwLock};

use crate::handler::representation::Representation;
use crate::proto::http::negotiate::Coding;
use crate::sys::beneath::{Root, Stat};

/// The longest content that is kept in memory, in bytes.
pub const LONGEST: u64 = 64 * 1024;

/// How many longer files are kept open.
pub const OPEN_MAX: usize = 32;

/// How many bytes are kept in all.
const CAPACITY: usize = 8 * 1024 * 1024;

/// What a file takes beside itself, in bytes, roughly: its place in a table that is half empty.
const PLACE: usize = 48;

/// How long a file must have rested before it is kept, in seconds: the coarsest clock of a file
/// system in use (FAT) ticks every two seconds.
const SETTLED: i64 = 2;

/// How long a file is kept, in seconds, before it is opened again.
const KEPT: u64 = 10;

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
}

/// Files, shared by all threads.
#[derive(Debug)]
pub struct Cache {
    /// Keyed: nobody can aim at a place, nor make two keys meet.
    hasher: RandomState,
    files: RwLock<Files>,
}

#[derive(Debug, Default)]
struct Files {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// By the hash of its key.
    files: HashMap<u64, Arc<Held>, BuildHasherDefault<Hashed>>,
    bytes: usize,
    /// How many of them are open.
    open: usize,
}

/// The hash of what is a hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Cache {
    /// An empty cache.
    pub fn new() -> Cache {
        Cache {
            hasher: RandomState::new(),
            files: RwLock::default(),
        }
    }

    /// Whether a file that was opened at `now` (seconds since the epoch) may be kept.
    pub fn admits(stat: &Stat, now: u64) -> bool {
        let changed = stat.changed.max(stat.modified).seconds;
        changed.saturating_add(SETTLED) <= now.cast_signed()
    }

    /// Closes files that have been open for so long that they would be opened again anyway.
    pub fn close_idle(&self, now: u64) {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let is_late = |held: &Held| held.file.is_open() && !held.is_fresh(now);
        let generations = [&files.young, &files.old].into_iter();
        let late: Vec<u64> = generations
            .filter(|generation| generation.open > 0)
            .flat_map(|generation| &generation.files)
            .filter_map(|(hash, held)| is_late(held).then_some(*hash))
            .collect();
        drop(files);
        if !late.is_empty() {
            let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
            let closed: Vec<_> = late.into_iter().map(|hash| files.forget(hash)).collect();
            // To close a file may take long, where its file system hangs.
            drop(files);
            drop(closed);
        }
    }

    /// The file that `key` names, unless it is unknown, too old, or no longer what `root` holds.
    pub fn lookup(&self, root: &Root, key: &Key<'_>, now: u64) -> Option<Arc<Representation>> {
        let hash = self.hasher.hash_one(key);
        let held = self
            .files
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)?;
        if held.key() != *key {
            return None;
        }
        if held.is_current(root, now) {
            return Some(Arc::clone(&held.file));
        }
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.forget(hash);
        None
    }

    /// Keeps a file that was read at `now`, at the cost of others where there is no room.
    pub fn insert(&self, key: &Key<'_>, file: Arc<Representation>, now: u64) {
        let Key {
            route,
            path,
            coding,
        } = *key;
        let held = Held {
            route,
            path: path.into(),
            coding,
            file,
            read_at: now,
        };
        let hash = self.hasher.hash_one(key);
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let forgotten = files.keep(hash, held);
        // It may be many, or take long to close, which others need not wait for.
        drop(files);
        drop(forgotten);
    }
}

impl Files {
    fn get(&self, hash: u64) -> Option<Arc<Held>> {
        let held = self.young.files.get(&hash);
        held.or_else(|| self.old.files.get(&hash)).cloned()
    }

    /// Keeps a file, unless too many are open; returns those that had to go for it.
    fn keep(&mut self, hash: u64, held: Held) -> (Option<Arc<Held>>, Option<Generation>) {
        let before = self.forget(hash);
        // Those that are open now are closed within a while.
        if held.file.is_open() && self.young.open + self.old.open >= OPEN_MAX {
            return (before, None);
        }
        let is_full = self.young.bytes + held.weight() > CAPACITY / 2;
        let forgotten = is_full.then(|| {
            let aged = mem::take(&mut self.young);
            mem::replace(&mut self.old, aged)
        });
        self.young.bytes += held.weight();
        self.young.open += usize::from(held.file.is_open());
        self.young.files.insert(hash, Arc::new(held));
        (before, forgotten)
    }

    /// Takes a file out, for the caller to drop. It is in one generation at most.
    fn forget(&mut self, hash: u64) -> Option<Arc<Held>> {
        let mut generations = [&mut self.young, &mut self.old].into_iter();
        generations.find_map(|generation| {
            let held = generation.files.remove(&hash)?;
            generation.bytes -= held.weight();
            generation.open -= usize::from(held.file.is_open());
            Some(held)
        })
    }
}

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 ^= hash;
    }

    fn finish(&self) -> u64 {
        self.0
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

    /// Whether it was opened a short while ago.
    fn is_fresh(&self, now: u64) -> bool {
        // A clock that was set back tells no age.
        now.checked_sub(self.read_at).is_some_and(|age| age <= KEPT)
    }

    fn is_current(&self, root: &Root, now: u64) -> bool {
        let file = &self.file;
        self.is_fresh(now) && root.stat(&file.path).is_ok_and(|stat| stat == file.stat)
    }

    fn weight(&self) -> usize {
        PLACE + size_of::<Held>() + self.path.len() + self.file.weight()
    }
}

#[cfg(test)]
mod tests;
