//! Where connections are parked: a slot each, found by number, owned by whoever claims it.
//!
//! Rules:
//! - **A claim is tried, never waited for.** Whoever is woken for a connection leaves a mark and tries
//!   the slot's lock. If another worker has it, the mark tells that one to look again before it lets
//!   go, so no event is lost and no two workers serve one connection.
//! - Deadlines lie beside the lock, so that the janitor can read ten thousand of them without taking
//!   one.
//! - Slots are made in blocks when they are first needed and used again afterwards, so the table costs
//!   nothing at the start and no lock to look into.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use super::connection::Connection;
use crate::sys::clock::Moment;

const BLOCK: usize = 256;

/// The lane of a slot without a connection.
const NOWHERE: u32 = u32::MAX;

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// There is none.
    None,
    /// It waits for a request.
    Idle,
    /// It receives a head.
    Head,
    /// It receives a body.
    Body,
    /// Its request is answered, is at an application, or waits for one of these.
    Busy,
    /// It sends what is left of a response, or waits for its client to have read that.
    Sending,
}

/// How many standings there are.
#[cfg(feature = "console")]
const STANDINGS: usize = 6;

/// A place for one connection.
#[derive(Debug)]
pub struct Slot {
    connection: Mutex<Option<Box<Connection>>>,
    marked: AtomicBool,
    heard: AtomicBool,
    hung_up: AtomicBool,
    deadline: AtomicU64,
    idle_since: AtomicU64,
    standing: AtomicU8,
    /// The lane that the connection stands in, or [`NOWHERE`].
    lane: AtomicU32,
}

impl Slot {
    fn new() -> Slot {
        Slot {
            connection: Mutex::new(None),
            marked: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            hung_up: AtomicBool::new(false),
            deadline: AtomicU64::new(Moment::NEVER.0),
            idle_since: AtomicU64::new(Moment::NEVER.0),
            standing: AtomicU8::new(Standing::None as u8),
            lane: AtomicU32::new(NOWHERE),
        }
    }

    /// Claims the connection for as long as there are marks, and serves it: `serve` is called at
    /// least once if nobody else has the claim.
    pub fn attend(&self, mut serve: impl FnMut(&mut Option<Box<Connection>>)) {
        self.marked.store(true, Ordering::SeqCst);
        // Each side writes one of mark and lock and then looks at the other: without the fences both
        // could miss what the other wrote.
        fence(Ordering::SeqCst);
        while self.marked.load(Ordering::SeqCst) {
            let mut claimed = match self.connection.try_lock() {
                Ok(claimed) => claimed,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            while self.marked.swap(false, Ordering::SeqCst) {
                // While it is served it is neither overdue nor idle.
                self.park(Moment::NEVER, Moment::NEVER, Standing::Busy);
                serve(&mut claimed);
            }
            drop(claimed);
            fence(Ordering::SeqCst);
        }
    }

    /// Whether an event came that nobody has looked at.
    pub fn is_marked(&self) -> bool {
        self.marked.load(Ordering::SeqCst)
    }

    /// Notes an event of the connection's own, which may be that the peer has ended its half.
    pub fn hear(&self, hung_up: bool) {
        if hung_up {
            self.hung_up.store(true, Ordering::Relaxed);
        }
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Whether there was such an event since this was asked last.
    pub fn take_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed) && self.heard.swap(false, Ordering::Relaxed)
    }

    /// Whether the peer is known to have ended its half.
    pub fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::Relaxed)
    }

    /// Sets until when something must happen, since when the connection is idle ([`Moment::NEVER`] when it
    /// is not), and what it is at.
    pub fn park(&self, deadline: Moment, idle_since: Moment, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Relaxed);
        self.deadline.store(deadline.0, Ordering::Relaxed);
        self.idle_since.store(idle_since.0, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Connection>>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// All slots.
#[derive(Debug)]
pub struct Table {
    blocks: Box<[OnceLock<Box<[Slot]>>]>,
    free: Mutex<Free>,
    live: AtomicUsize,
    /// How many connections stand in each lane.
    lanes: Box<[AtomicUsize]>,
    max: usize,
}

/// What came of looking for an idle connection to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evicted {
    /// One was closed.
    One,
    /// The one that was found is no longer idle, and has to be looked at by a worker.
    Busy(u32),
    /// There is none.
    Nobody,
}

/// The numbers that are not in use.
#[derive(Debug, Default)]
struct Free {
    returned: Vec<u32>,
    next: u32,
}

impl Table {
    /// A table for at most `max` connections, which stand in so many lanes.
    pub fn new(max: usize, lanes: usize) -> Table {
        let blocks = max.div_ceil(BLOCK);
        Table {
            blocks: (0..blocks).map(|_| OnceLock::new()).collect(),
            free: Mutex::new(Free::default()),
            live: AtomicUsize::new(0),
            lanes: (0..lanes).map(|_| AtomicUsize::new(0)).collect(),
            max,
        }
    }

    /// How many connections there are.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// How many connections stand in each lane.
    pub fn in_lanes(&self) -> impl Iterator<Item = usize> + Clone {
        self.lanes.iter().map(|count| count.load(Ordering::Relaxed))
    }

    /// The lane of the connection with this number; any lane where there is none.
    pub fn lane_of(&self, number: u32) -> usize {
        match self.slot(number).lane.load(Ordering::Relaxed) {
            NOWHERE => 0,
            lane => lane as usize,
        }
    }

    /// Has a connection stand in another lane.
    pub fn change_lane(&self, number: u32, lane: usize) {
        // There are as many as threads at most.
        let before = self.slot(number).lane.swap(lane as u32, Ordering::Relaxed);
        if let Some(count) = self.lanes.get(before as usize) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        self.lanes[lane].fetch_add(1, Ordering::Relaxed);
    }

    /// Reserves the number of a free slot; `None` when the table is full.
    pub fn reserve(&self) -> Option<u32> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match free.returned.pop() {
            Some(number) => number,
            None if (free.next as usize) < self.max => {
                free.next += 1;
                free.next - 1
            }
            None => return None,
        };
        self.live.fetch_add(1, Ordering::Relaxed);
        Some(number)
    }

    /// Puts a connection into the slot that was reserved for it, in this lane. `register` is called while the slot
    /// is claimed; a first event that finds it so leaves its mark, which the caller has to look for.
    pub fn fill<E>(
        &self,
        number: u32,
        connection: Connection,
        lane: usize,
        register: impl FnOnce(&Connection) -> Result<(), E>,
    ) -> Result<(), E> {
        let slot = self.slot(number);
        slot.hung_up.store(false, Ordering::Relaxed);
        let mut place = slot.lock();
        self.change_lane(number, lane);
        register(&connection)?;
        slot.park(
            connection.deadline(),
            connection.idle_since(),
            connection.standing(),
        );
        *place = Some(Box::new(connection));
        Ok(())
    }

    /// Gives back the number of a slot whose connection is gone.
    pub fn release(&self, number: u32) {
        let slot = self.slot(number);
        slot.park(Moment::NEVER, Moment::NEVER, Standing::None);
        let lane = slot.lane.swap(NOWHERE, Ordering::Relaxed);
        if let Some(count) = self.lanes.get(lane as usize) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.returned.push(number);
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// The slot with this number, which was reserved at some time.
    pub fn slot(&self, number: u32) -> &Slot {
        let number = number as usize;
        let block =
            self.blocks[number / BLOCK].get_or_init(|| (0..BLOCK).map(|_| Slot::new()).collect());
        &block[number % BLOCK]
    }

    /// The numbers of slots whose deadline has passed.
    pub fn overdue(&self, now: Moment) -> Vec<u32> {
        self.numbers(|slot| slot.deadline.load(Ordering::Relaxed) <= now.0)
            .collect()
    }

    /// How many connections are at what, by its number.
    #[cfg(feature = "console")]
    pub fn standings(&self) -> [u64; STANDINGS] {
        let mut counts = [0; STANDINGS];
        for slot in self.blocks.iter().filter_map(OnceLock::get).flatten() {
            let standing = usize::from(slot.standing.load(Ordering::Relaxed));
            counts[standing] += 1;
        }
        counts
    }

    /// The numbers of all slots that may hold a connection, parked or being served.
    pub fn used(&self) -> Range<u32> {
        0..self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next
    }

    /// Removes the connection that has been idle for longest.
    pub fn evict_idle(&self, now: Moment) -> Evicted {
        let since = |number: &u32| self.slot(*number).idle_since.load(Ordering::Relaxed);
        let idle = |slot: &Slot| slot.idle_since.load(Ordering::Relaxed) <= now.0;
        let Some(number) = self.numbers(idle).min_by_key(since) else {
            return Evicted::Nobody;
        };
        let slot = self.slot(number);
        let Ok(mut place) = slot.connection.try_lock() else {
            return Evicted::Nobody;
        };
        // A request may have come since, of which perhaps nobody was told yet.
        let is_quiet = |connection: &Connection| connection.stream().is_quiet();
        if slot.is_marked() || !idle(slot) || !place.as_deref().is_some_and(is_quiet) {
            slot.idle_since.store(Moment::NEVER.0, Ordering::Relaxed);
            return Evicted::Busy(number);
        }
        *place = None;
        self.release(number);
        Evicted::One
    }

    fn numbers(&self, wanted: impl Fn(&Slot) -> bool) -> impl Iterator<Item = u32> {
        let made = self
            .blocks
            .iter()
            .enumerate()
            .filter_map(|(at, block)| Some((at, block.get()?)));
        made.flat_map(|(at, block)| block.iter().enumerate().map(move |(i, slot)| (at, i, slot)))
            .filter(move |(_, _, slot)| wanted(slot))
            // At most `max` connections, which are numbered by u32.
            .map(|(at, i, _)| (at * BLOCK + i) as u32)
    }
}

#[cfg(test)]
mod tests;
