//! The shared epoll: every worker waits on it, every descriptor is registered with it once.
//!
//! Rules: connections are registered edge-triggered for reading and writing together and are never
//! re-armed, so that an answered request costs no epoll_ctl. Hence whoever is woken must go on until
//! a call would block, or see to being woken again.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

const EDGES: EventFlags = INPUT_EDGES.union(EventFlags::OUT);

const INPUT_EDGES: EventFlags = EventFlags::IN
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// An epoll instance whose events carry a caller's token.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Woken {
    /// What the descriptor was registered with.
    pub token: u64,
    /// Whether the peer has ended its half of the connection, or all of it.
    pub hung_up: bool,
}

impl Poller {
    /// Makes an epoll instance.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
        })
    }

    /// Registers a descriptor for edge-triggered events in both directions. A first event follows at
    /// once, since a fresh socket can be written.
    pub fn register(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            source,
            EventData::new_u64(token),
            EDGES,
        )?)
    }

    /// Registers a descriptor for edge-triggered events of what comes in alone.
    pub fn register_input(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            source,
            EventData::new_u64(token),
            INPUT_EDGES,
        )?)
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

    /// Waits for one event.
    ///
    /// One at a time, because the caller may then run a program for a minute: what else was ready
    /// is for the other workers.
    pub fn wait(&self) -> io::Result<Woken> {
        loop {
            if let Some(woken) = self.take(None)? {
                return Ok(woken);
            }
        }
    }

    /// Takes one event that is there already.
    pub fn look(&self) -> io::Result<Option<Woken>> {
        self.take(Some(&Timespec::default()))
    }

    fn take(&self, patience: Option<&Timespec>) -> io::Result<Option<Woken>> {
        let mut slot = [MaybeUninit::<Event>::uninit(); 1];
        match epoll::wait(&self.epoll, &mut slot, patience) {
            Ok(([event, ..], _)) => {
                let flags = event.flags;
                let ends = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
                Ok(Some(Woken {
                    token: event.data.u64(),
                    hung_up: flags.intersects(ends),
                }))
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
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
