//! An epoll instance that several workers may wait at, one at a time; a descriptor is registered with one of them,
//! once, and a listener with each.
//!
//! Rules:
//! - Connections are registered edge-triggered for reading and writing together and are never re-armed,
//!   so that an answered request costs no epoll_ctl. Hence whoever is woken must go on until a call
//!   would block, or see to being woken again.
//! - Events are reported many at a time and given out one at a time, to whoever asks next: who goes to
//!   run a program for a minute takes none with him.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use super::clock::monotonic_micros;
use super::fault;

const EDGES: EventFlags = INPUT_EDGES.union(EventFlags::OUT);

const INPUT_EDGES: EventFlags = EventFlags::IN
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

const SHARED_EDGES: EventFlags = EventFlags::IN
    .union(EventFlags::EXCLUSIVE)
    .union(EventFlags::ET);

/// How many events are reported at once.
const REPORTED: usize = 64;

/// A wait of more microseconds than these was one.
const SLEPT: u64 = 5;

/// An epoll instance whose events carry a caller's token.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    reported: Mutex<Reported>,
}

/// The events that were reported last, of which so many were given out.
#[derive(Debug)]
struct Reported {
    events: Vec<Woken>,
    given: usize,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Woken {
    /// What the descriptor was registered with.
    pub token: u64,
    /// Whether the peer has ended its half of the connection, or all of it.
    pub hung_up: bool,
    /// Whether it had to be waited for.
    pub was_awaited: bool,
}

impl Poller {
    /// Makes an epoll instance.
    pub fn new() -> io::Result<Poller> {
        fault::epoll_create()?;
        Ok(Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            reported: Mutex::new(Reported {
                events: Vec::with_capacity(REPORTED),
                given: 0,
            }),
        })
    }

    /// Registers a descriptor for edge-triggered events in both directions. A first event follows at
    /// once, since a fresh socket can be written.
    pub fn register(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        self.add(source, token, EDGES)
    }

    /// Registers a descriptor for edge-triggered events of what comes in alone.
    pub fn register_input(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        self.add(source, token, INPUT_EDGES)
    }

    /// Registers a descriptor that others wait for as well, at other pollers: of what comes in, one of those is told where
    /// somebody waits, or all of them where nobody does. A first event follows where something is there already.
    pub fn register_shared(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        self.add(source, token, SHARED_EDGES)
    }

    fn add(&self, source: impl AsFd, token: u64, events: EventFlags) -> io::Result<()> {
        fault::epoll_add()?;
        let data = EventData::new_u64(token);
        Ok(epoll::add(&self.epoll, source, data, events)?)
    }

    /// Has a registered descriptor reported once more if it is ready, and for events in both
    /// directions from now on.
    pub fn wake(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        Ok(epoll::modify(
            &self.epoll,
            source,
            EventData::new_u64(token),
            EDGES,
        )?)
    }

    /// Ends the registration of a descriptor that stays open.
    pub fn forget(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Waits for one event. Whoever else asks meanwhile waits behind this caller.
    pub fn wait(&self) -> io::Result<Woken> {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(woken) = reported.give() {
                return Ok(woken);
            }
            reported.refill(&self.epoll, None)?;
        }
    }

    /// Takes one event that is there already, unless somebody waits, who will get it.
    pub fn look(&self) -> io::Result<Option<Woken>> {
        let Ok(mut reported) = self.reported.try_lock() else {
            return Ok(None);
        };
        if let Some(woken) = reported.give() {
            return Ok(Some(woken));
        }
        reported.refill(&self.epoll, Some(&Timespec::default()))?;
        Ok(reported.give())
    }
}

impl Reported {
    fn give(&mut self) -> Option<Woken> {
        let woken = self.events.get(self.given).copied();
        self.given += 1;
        woken
    }

    fn refill(&mut self, epoll: &OwnedFd, patience: Option<&Timespec>) -> io::Result<()> {
        self.events.clear();
        self.given = 0;
        let mut slots = [MaybeUninit::<Event>::uninit(); REPORTED];
        let before = monotonic_micros();
        let waited = fault::epoll_wait().and_then(|()| epoll::wait(epoll, &mut slots, patience));
        let events = match waited {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.events.extend(events.iter().map(|event| {
            let flags = event.flags;
            let ends = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
            Woken {
                token: event.data.u64(),
                hung_up: flags.intersects(ends),
                was_awaited: false,
            }
        }));
        if let Some(first) = self.events.first_mut() {
            first.was_awaited = monotonic_micros() - before > SLEPT;
        }
        Ok(())
    }
}

/// Something to be registered that is reported once for every ring, though rings may fall together.
#[derive(Debug)]
pub struct Bell {
    event: OwnedFd,
}

impl Bell {
    /// A bell that was not rung yet.
    pub fn new() -> io::Result<Bell> {
        fault::eventfd()?;
        Ok(Bell {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Has whoever waits at the poller told.
    ///
    /// The counter is never read: each write is an edge, and 2^64 of them are out of reach.
    pub fn ring(&self) {
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests;
