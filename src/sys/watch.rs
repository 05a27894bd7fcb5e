//! Waits for a program, its client and the order to stop, all at once.
//!
//! Rules: one poll(2) over everything that can matter while a program runs, so that a silent program
//! is left as soon as its client goes, and a daemon that holds stdout open is not waited for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use super::child::{Child, Sign};
use super::fault;
use super::stream::Stream;

/// How often a program without a pidfd is asked whether it has ended.
const WITHOUT_PIDFD: Duration = Duration::from_millis(50);

/// An order that can be given once and is seen by everyone who waits.
#[derive(Debug)]
pub struct Halt {
    event: OwnedFd,
    ordered: AtomicBool,
}

impl Halt {
    /// An order that was not given yet.
    pub fn new() -> io::Result<Halt> {
        fault::eventfd()?;
        Ok(Halt {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            ordered: AtomicBool::new(false),
        })
    }

    /// Gives the order.
    pub fn order(&self) {
        self.ordered.store(true, Ordering::Relaxed);
        // The counter would have to overflow for this to fail.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// Whether the order was given.
    pub fn is_ordered(&self) -> bool {
        self.ordered.load(Ordering::Relaxed)
    }

    /// Waits for the order; false when `patience` ended before it.
    pub fn wait(&self, patience: Duration) -> bool {
        await_readable(&self.event, patience)
    }
}

impl AsFd for Halt {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// What to wait for, besides stderr, a client that is gone and the order to stop. What was seen and
/// stays true is left out, or the wait would end at once for ever.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// That stdout has bytes or is at its end.
    pub stdout: bool,
    /// That the program ends.
    pub end: bool,
    /// That the client goes; not once it has all that it is to get.
    pub client: bool,
    /// That the client sends nothing more.
    pub client_half: bool,
    /// That the client takes bytes.
    pub client_room: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events {
    /// stdout can be read.
    pub stdout: Pipe,
    /// stderr can be read.
    pub stderr: Pipe,
    /// The program has ended.
    pub ended: bool,
    /// The client takes bytes.
    pub client_room: bool,
    /// The client sends nothing more; it may still be reading.
    pub client_half: bool,
    /// The client is gone in both directions.
    pub client_gone: bool,
    /// The server is to stop.
    pub halted: bool,
}

/// The state of one pipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pipe {
    /// Nothing to read.
    #[default]
    Quiet,
    /// Bytes can be read.
    Bytes,
    /// All was read, and nobody can write any more.
    End,
}

impl From<PollFlags> for Pipe {
    fn from(flags: PollFlags) -> Pipe {
        if flags.contains(PollFlags::IN) {
            Pipe::Bytes
        } else if flags.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            Pipe::End
        } else {
            Pipe::Quiet
        }
    }
}

/// Waits until something happens, at most for `patience`.
pub fn watch(
    child: &Child,
    client: &Stream,
    halt: &Halt,
    wanted: Wanted,
    patience: Duration,
) -> io::Result<Events> {
    let mut patience = patience;
    let sign = child.sign();
    if matches!(sign, Sign::Nothing) && wanted.end {
        patience = patience.min(WITHOUT_PIDFD);
    }
    let mut client_flags = PollFlags::empty();
    if wanted.client_half {
        client_flags |= PollFlags::RDHUP;
    }
    if wanted.client_room {
        client_flags |= PollFlags::OUT;
    }
    let client = if wanted.client {
        PollFd::new(client, client_flags)
    } else {
        PollFd::new(halt, PollFlags::empty())
    };
    let mut polled = [
        client,
        PollFd::new(halt, PollFlags::IN),
        // What is not watched is a second look at the order to stop, which costs nothing.
        PollFd::new(halt, PollFlags::IN),
        PollFd::new(halt, PollFlags::IN),
        PollFd::new(halt, PollFlags::IN),
    ];
    let mut stdout_at = None;
    let mut stderr_at = None;
    let mut end_at = None;
    let mut count = 2;
    // Before the pipes: what poll finds in them is then the last of a program that it found ended.
    if let (Some(end), true) = (polled_for(sign), wanted.end) {
        polled[count] = end;
        end_at = Some(count);
        count += 1;
    }
    if let Some(stderr) = child.stderr() {
        polled[count] = PollFd::new(stderr, PollFlags::IN);
        stderr_at = Some(count);
        count += 1;
    }
    if let (Some(stdout), true) = (child.stdout(), wanted.stdout) {
        polled[count] = PollFd::new(stdout, PollFlags::IN);
        stdout_at = Some(count);
        count += 1;
    }
    let waited = fault::poll().and_then(|()| poll(&mut polled[..count], Some(&timespec(patience))));
    match waited {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = |at: Option<usize>| at.map_or(PollFlags::empty(), |at| polled[at].revents());
    let client_flags = polled[0].revents();
    let mut events = Events {
        stdout: Pipe::from(flags(stdout_at)),
        stderr: Pipe::from(flags(stderr_at)),
        ended: !flags(end_at).is_empty(),
        client_room: client_flags.contains(PollFlags::OUT),
        client_half: client_flags.contains(PollFlags::RDHUP),
        client_gone: client_flags.intersects(PollFlags::HUP | PollFlags::ERR),
        halted: !polled[1].revents().is_empty(),
    };
    if end_at.is_none() && wanted.end {
        events.ended = child.has_ended();
    }
    Ok(events)
}

/// Waits for the sign of a program's end; false when `patience` ended before it, or there is none.
pub(super) fn await_sign(sign: Sign<'_>, patience: Duration) -> bool {
    let Some(polled) = polled_for(sign) else {
        return false;
    };
    matches!(poll(&mut [polled], Some(&timespec(patience))), Ok(1..))
}

/// What to poll for a sign: when anything is reported of it, it was given.
pub(super) fn polled_for(sign: Sign<'_>) -> Option<PollFd<'_>> {
    match sign {
        Sign::Readable(pidfd) => Some(PollFd::from_borrowed_fd(pidfd, PollFlags::IN)),
        Sign::HungUp(pipe) => Some(PollFd::from_borrowed_fd(pipe, PollFlags::empty())),
        Sign::Nothing => None,
    }
}

/// Waits until a descriptor is readable; false when `patience` ended before.
pub(super) fn await_readable(descriptor: &OwnedFd, patience: Duration) -> bool {
    await_sign(Sign::Readable(descriptor.as_fd()), patience)
}

fn timespec(span: Duration) -> Timespec {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Timespec {
        tv_sec: seconds,
        tv_nsec: i64::from(span.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests;
