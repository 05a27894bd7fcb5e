//! Connections to applications, and whom each of them works for at the moment.
//!
//! Shape: a [`Channel`] is a connection that is registered with a poller, that of the client it works
//! for, under the number of its [`Links`] entry. The entry names the client's connection that is to be
//! driven when something happens on the channel, or nobody while it is idle.
//! Rules: the client is named before anything is sent for it, so no event that matters to it can find
//! another one. An event that comes late finds a client that has nothing to do, and costs a look.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::stream::Stream;

/// What stands for the client of an idle channel.
const NOBODY: u32 = u32::MAX;

/// What is to be told of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// That something has come; it is new to the poller.
    Input,
    /// That there is room to write, too.
    Room,
}

/// Where connections are registered so that workers are told of what happens on them: several pollers, each of
/// which has some of the clients.
pub trait Lanes: Send + Sync {
    /// The one that has the client's connection with this number.
    fn lane_of(&self, client: u32) -> usize;

    /// Registers a stream there, under the number of its entry, or widens what is told of it.
    fn register(
        &self,
        stream: &Stream,
        number: u32,
        lane: usize,
        interest: Interest,
    ) -> io::Result<()>;

    /// Ends the registration of a stream.
    fn forget(&self, stream: &Stream, lane: usize) -> io::Result<()>;
}

/// Not of whoever is behind it: a table of methods that had Debug would bring that of all the server into the program.
impl fmt::Debug for dyn Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lanes")
    }
}

/// One entry for each connection to an application that there may be.
#[derive(Debug)]
pub struct Links {
    entries: Box<[Entry]>,
    free: Mutex<Vec<u32>>,
    lanes: Arc<dyn Lanes>,
}

#[derive(Debug)]
struct Entry {
    client: AtomicU32,
    pool: AtomicU32,
    hung_up: AtomicBool,
}

/// Who has to know of an event on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerned {
    /// The client's connection with this number.
    Client(u32),
    /// The pool with this number, in which the channel is idle.
    Pool(u32),
}

impl Links {
    /// So many entries, all free.
    pub fn new(count: usize, lanes: Arc<dyn Lanes>) -> Links {
        let count = u32::try_from(count).unwrap_or(u32::MAX - 1);
        let entry = |_| Entry {
            client: AtomicU32::new(NOBODY),
            pool: AtomicU32::new(0),
            hung_up: AtomicBool::new(false),
        };
        Links {
            entries: (0..count).map(entry).collect(),
            free: Mutex::new((0..count).rev().collect()),
            lanes,
        }
    }

    /// Notes an event on the channel with this number, and returns whom it concerns.
    pub fn concerned(&self, number: u32, hung_up: bool) -> Concerned {
        let entry = &self.entries[number as usize];
        if hung_up {
            entry.hung_up.store(true, Ordering::Relaxed);
        }
        match entry.client.load(Ordering::SeqCst) {
            NOBODY => Concerned::Pool(entry.pool.load(Ordering::Relaxed)),
            client => Concerned::Client(client),
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to an application.
#[derive(Debug)]
pub struct Channel {
    stream: Stream,
    number: u32,
    /// Where it is registered.
    lane: usize,
    links: Arc<Links>,
    /// Whether room to write is told of.
    tells_room: bool,
    /// Where it is counted as accepted, once it is known to be.
    counted: Option<Arc<AtomicUsize>>,
}

impl Channel {
    /// Registers a connection of the pool with this number, idle for now, beside a client's where it is made for one.
    ///
    /// Fails when there are as many connections as there may be, or the poller has no memory for it.
    pub fn new(
        stream: Stream,
        pool: u32,
        client: Option<u32>,
        links: &Arc<Links>,
    ) -> io::Result<Channel> {
        let number = links.free().pop().ok_or(io::ErrorKind::QuotaExceeded)?;
        let entry = &links.entries[number as usize];
        entry.client.store(NOBODY, Ordering::SeqCst);
        entry.pool.store(pool, Ordering::Relaxed);
        entry.hung_up.store(false, Ordering::Relaxed);
        let channel = Channel {
            stream,
            number,
            lane: client.map_or(0, |client| links.lanes.lane_of(client)),
            links: Arc::clone(links),
            tells_room: false,
            counted: None,
        };
        channel.register(Interest::Input)?;
        Ok(channel)
    }

    /// Has its client driven once more when there is room to write. Events of that kind come with
    /// every answer, so they are not asked for before they are needed.
    pub fn await_room(&mut self) -> io::Result<()> {
        if !self.tells_room {
            self.register(Interest::Room)?;
            self.tells_room = true;
        }
        Ok(())
    }

    /// Counts it among those that the application has accepted, for as long as it lasts.
    pub fn count(&mut self, accepted: &Arc<AtomicUsize>) {
        if self.counted.is_none() {
            accepted.fetch_add(1, Ordering::Relaxed);
            self.counted = Some(Arc::clone(accepted));
        }
    }

    /// The connection itself.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Has the client's connection with this number driven when something happens.
    pub fn work_for(&self, client: u32) {
        self.entry().client.store(client, Ordering::SeqCst);
    }

    /// Whether it is registered where the client's connection with this number is.
    pub fn is_beside(&self, client: u32) -> bool {
        self.links.lanes.lane_of(client) == self.lane
    }

    /// Has it registered where the client's connection with this number is: told elsewhere, what comes would be
    /// passed on by a worker on another processor than the client's.
    pub fn move_beside(&mut self, client: u32) -> io::Result<()> {
        let lane = self.links.lanes.lane_of(client);
        if lane != self.lane {
            self.links.lanes.forget(&self.stream, self.lane)?;
            self.lane = lane;
            self.register(Interest::Input)?;
            self.tells_room = false;
        }
        Ok(())
    }

    fn register(&self, interest: Interest) -> io::Result<()> {
        let lanes = &self.links.lanes;
        lanes.register(&self.stream, self.number, self.lane, interest)
    }

    /// Leaves the channel without a client.
    pub fn rest(&self) {
        self.work_for(NOBODY);
    }

    /// Whether the application is known to have ended its half, perhaps behind bytes that are still to
    /// be read.
    pub fn is_hung_up(&self) -> bool {
        self.entry().hung_up.load(Ordering::Relaxed)
    }

    fn entry(&self) -> &Entry {
        &self.links.entries[self.number as usize]
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(accepted) = &self.counted {
            accepted.fetch_sub(1, Ordering::Relaxed);
        }
        self.rest();
        self.links.free().push(self.number);
    }
}
