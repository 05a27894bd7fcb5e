//! Thousands of clients in one thread: each sends and reads at its own pace, and all that came of it is
//! told in the end.
//!
//! Shape: a [`Visit`] says what one connection does, a [`Swarm`] makes many of them at the same time, and
//! each gives an [`Outcome`]. Rules: a swarm never waits for one of its connections; it ends when all of
//! them have, or when it is told to.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
    sockopt,
};

use super::incoming::Incoming;

/// How often what is done slowly is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Longer than anything lasts.
const NEVER: Duration = Duration::from_secs(1 << 20);

/// How much one client sends before others have their turn: a server may take it as fast as it comes.
const TURN: usize = 256 << 10;

/// How many connections may be on their way at once: fewer than a listener lets wait.
const CONNECTING: usize = 512;

/// So many bytes at once, and a pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) bytes: usize,
    pub(crate) every: Duration,
}

/// How a client reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reads {
    All,
    Slowly(Rate),
    Nothing,
}

/// When a client goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Leaves {
    /// When it is connected, without a byte.
    AtOnce,
    /// When its answer is whole, or the server closes.
    Answered,
    /// With a reset, once it has read so much.
    After(u64),
    /// When the server closes.
    Never,
    /// As `Answered`, and comes again for as long as the swarm lives.
    Returns,
}

/// What one connection does.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Sent as soon as there is room.
    first: Arc<[u8]>,
    /// Sent after that, again and again without an end.
    again: Arc<[u8]>,
    /// How fast that is; as fast as it goes without.
    rate: Option<Rate>,
    reads: Reads,
    leaves: Leaves,
}

impl Visit {
    /// Sends this, and reads the answer.
    pub(crate) fn sending(first: impl AsRef<[u8]>) -> Visit {
        Visit {
            first: first.as_ref().into(),
            again: Arc::new([]),
            rate: None,
            reads: Reads::All,
            leaves: Leaves::Answered,
        }
    }

    /// Then sends this for ever.
    pub(crate) fn then_endlessly(mut self, again: impl AsRef<[u8]>) -> Visit {
        // A call for a few bytes each would have the swarm be slower than what it is to crowd.
        let again = again.as_ref();
        self.again = again.repeat(4096_usize.div_ceil(again.len())).into();
        self
    }

    /// Sends what comes for ever so slowly.
    pub(crate) fn at(mut self, bytes: usize, every: Duration) -> Visit {
        self.rate = Some(Rate { bytes, every });
        self
    }

    pub(crate) fn reading(mut self, reads: Reads) -> Visit {
        self.reads = reads;
        self
    }

    pub(crate) fn leaving(mut self, leaves: Leaves) -> Visit {
        self.leaves = leaves;
        self
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The answer was whole; the client left, or the swarm was told to end.
    Whole,
    /// The server closed before that.
    Closed,
    /// The server reset the connection.
    Reset,
    /// It was never made.
    Refused,
    /// The client left, or the swarm was told to end, before an answer was whole.
    Left,
}

/// What came of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    /// The status of the answer, 0 where none came.
    pub(crate) status: u16,
    /// Whether it said when to come again.
    pub(crate) retry_after: bool,
    /// From the beginning of its connection to its end.
    pub(crate) after: Duration,
}

/// What is known of all connections while they are there.
#[derive(Debug, Default)]
struct Counts {
    connected: AtomicUsize,
    answered: AtomicUsize,
    ended: AtomicUsize,
    stops: AtomicBool,
}

/// Many clients at work.
pub(crate) struct Swarm {
    counts: Arc<Counts>,
    thread: Option<JoinHandle<Vec<Outcome>>>,
}

impl Swarm {
    /// Starts `count` clients that all do the same.
    pub(crate) fn start(address: SocketAddr, count: usize, visit: Visit) -> Swarm {
        Swarm::of(address, vec![visit; count])
    }

    /// Starts a client for each visit.
    pub(crate) fn of(address: SocketAddr, visits: Vec<Visit>) -> Swarm {
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let thread = thread::spawn(move || Crowd::new(address, visits, &shared).live());
        Swarm {
            counts,
            thread: Some(thread),
        }
    }

    /// How many connections were made.
    pub(crate) fn connected(&self) -> usize {
        self.counts.connected.load(Ordering::Relaxed)
    }

    /// How many answers were whole.
    pub(crate) fn answered(&self) -> usize {
        self.counts.answered.load(Ordering::Relaxed)
    }

    /// How many connections have ended.
    pub(crate) fn ended(&self) -> usize {
        self.counts.ended.load(Ordering::Relaxed)
    }

    /// Ends what is left, with plain closes.
    pub(crate) fn stop(mut self) -> Vec<Outcome> {
        self.counts.stops.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }

    /// What came of all, once they have ended; those that have not within the time given are ended.
    pub(crate) fn outcomes(self, within: Duration) -> Vec<Outcome> {
        let thread = self.thread.as_ref().unwrap();
        crate::support::eventually(within, || thread.is_finished());
        self.stop()
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.counts.stops.store(true, Ordering::Relaxed);
    }
}

/// All connections of a swarm.
struct Crowd<'c> {
    address: SocketAddr,
    visits: Vec<Visit>,
    guests: Vec<Option<Guest>>,
    /// Those that are to be made yet.
    due: Vec<usize>,
    connecting: usize,
    open: usize,
    epoll: OwnedFd,
    outcomes: Vec<Outcome>,
    counts: &'c Counts,
}

/// One connection.
struct Guest {
    socket: OwnedFd,
    began: Instant,
    is_connected: bool,
    sent: usize,
    incoming: Incoming,
    is_counted: bool,
    /// When it does something slowly the next time.
    next: Instant,
}

impl Crowd<'_> {
    fn new(address: SocketAddr, visits: Vec<Visit>, counts: &Counts) -> Crowd<'_> {
        Crowd {
            address,
            guests: visits.iter().map(|_| None).collect(),
            due: (0..visits.len()).rev().collect(),
            visits,
            connecting: 0,
            open: 0,
            epoll: epoll::create(CreateFlags::CLOEXEC).unwrap(),
            outcomes: Vec::new(),
            counts,
        }
    }

    fn live(mut self) -> Vec<Outcome> {
        let mut looked = Instant::now();
        loop {
            let stops = self.counts.stops.load(Ordering::Relaxed);
            if stops || (self.due.is_empty() && self.open == 0) {
                break;
            }
            while self.connecting < CONNECTING
                && let Some(at) = self.due.pop()
            {
                self.connect(at);
            }
            let mut slots = [MaybeUninit::<Event>::uninit(); 256];
            let patience = Timespec {
                tv_sec: 0,
                tv_nsec: TICK.as_nanos() as i64,
            };
            let tokens: Vec<usize> = match epoll::wait(&self.epoll, &mut slots, Some(&patience)) {
                Ok((events, _)) => events
                    .iter()
                    .map(|event| event.data.u64() as usize)
                    .collect(),
                Err(Errno::INTR) => Vec::new(),
                Err(error) => panic!("epoll_wait: {error}"),
            };
            for at in tokens {
                self.attend(at, false);
            }
            if looked.elapsed() >= TICK {
                looked = Instant::now();
                for at in 0..self.guests.len() {
                    if self.guests[at].as_ref().is_some_and(|it| it.next <= looked) {
                        self.attend(at, true);
                    }
                }
            }
        }
        for at in 0..self.guests.len() {
            let whole = self.guests[at].as_ref().map(|it| it.incoming.is_whole());
            match whole {
                Some(true) => self.end(at, Ended::Whole),
                Some(false) => self.end(at, Ended::Left),
                None => {}
            }
        }
        self.outcomes
    }

    fn connect(&mut self, at: usize) {
        let visit = &self.visits[at];
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        sockopt::set_tcp_nodelay(&socket, true).unwrap();
        if matches!(visit.reads, Reads::Slowly(_) | Reads::Nothing) {
            // Otherwise the kernel reads for it, by megabytes.
            sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
        }
        let began = Instant::now();
        let is_slow = visit.rate.is_some() || matches!(visit.reads, Reads::Slowly(_));
        let mut guest = Guest {
            socket,
            began,
            is_connected: false,
            sent: 0,
            incoming: Incoming::default(),
            is_counted: false,
            next: if is_slow { began } else { began + NEVER },
        };
        let connected = connect(&guest.socket, &self.address);
        if !matches!(connected, Ok(()) | Err(Errno::INPROGRESS)) {
            guest.next = began + NEVER;
        }
        let data = EventData::new_u64(at as u64);
        let wanted = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, &guest.socket, data, wanted).unwrap();
        self.guests[at] = Some(guest);
        self.open += 1;
        self.connecting += 1;
    }

    /// Does what can be done on a connection, and what is due.
    fn attend(&mut self, at: usize, is_due: bool) {
        let Some(guest) = &mut self.guests[at] else {
            return;
        };
        let visit = &self.visits[at];
        if !guest.is_connected {
            match sockopt::socket_error(&guest.socket).unwrap() {
                Ok(()) if rustix::net::getpeername(&guest.socket).is_ok() => {
                    guest.is_connected = true;
                    self.connecting -= 1;
                    self.counts.connected.fetch_add(1, Ordering::Relaxed);
                    if matches!(visit.leaves, Leaves::AtOnce) {
                        return self.end(at, Ended::Left);
                    }
                }
                Ok(()) => return,
                Err(_) => {
                    self.connecting -= 1;
                    return self.end(at, Ended::Refused);
                }
            }
        }
        let now = Instant::now();
        if is_due {
            guest.next = now + NEVER;
        }
        let may_send = guest.send(visit, is_due);
        let ended = guest.read(visit, is_due);
        if is_due {
            let slow = match visit.reads {
                Reads::Slowly(rate) => Some(rate),
                _ => visit.rate,
            };
            if let Some(rate) = slow {
                guest.next = now + rate.every;
            }
        }
        if guest.incoming.is_whole() && !guest.is_counted {
            guest.is_counted = true;
            self.counts.answered.fetch_add(1, Ordering::Relaxed);
        }
        let has_read = guest.incoming.received();
        match (visit.leaves, ended) {
            (Leaves::Answered | Leaves::Returns, _) if guest.incoming.is_whole() => {
                self.end(at, Ended::Whole);
            }
            (Leaves::After(most), _) if has_read >= most => {
                let no_time = Some(Duration::ZERO);
                sockopt::set_socket_linger(&guest.socket, no_time).unwrap();
                self.end(at, Ended::Left);
            }
            (_, Some(Ended::Closed)) if guest.incoming.is_whole() => self.end(at, Ended::Whole),
            (_, Some(ended)) => self.end(at, ended),
            // What is reset while it sends may still have something to read; then it would be seen above.
            (_, None) if !may_send && matches!(visit.reads, Reads::Nothing) => {
                self.end(at, Ended::Reset);
            }
            _ => {}
        }
    }

    fn end(&mut self, at: usize, ended: Ended) {
        let Some(guest) = self.guests[at].take() else {
            return;
        };
        self.open -= 1;
        self.outcomes.push(Outcome {
            ended,
            status: guest.incoming.status(),
            retry_after: guest.incoming.has_field("retry-after"),
            after: guest.began.elapsed(),
        });
        self.counts.ended.fetch_add(1, Ordering::Relaxed);
        if matches!(self.visits[at].leaves, Leaves::Returns) {
            self.due.push(at);
        }
    }
}

impl Guest {
    /// Sends as much as there is room for, or as is due; false once nothing can be sent any more.
    fn send(&mut self, visit: &Visit, is_due: bool) -> bool {
        let mut left = match visit.rate {
            Some(rate) if is_due => rate.bytes,
            Some(_) => 0,
            None => TURN,
        };
        loop {
            let first = visit.first.len();
            let bytes = match self.sent.checked_sub(first) {
                None => &visit.first[self.sent..],
                Some(_) if visit.again.is_empty() => return true,
                Some(_) if left == 0 => {
                    if visit.rate.is_none() {
                        self.next = Instant::now();
                    }
                    return true;
                }
                Some(beyond) => {
                    let rest = &visit.again[beyond % visit.again.len()..];
                    &rest[..rest.len().min(left)]
                }
            };
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    if self.sent >= first {
                        left -= count;
                    }
                    self.sent += count;
                }
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Reads what there is, or what is due; how the connection ended, if it did.
    fn read(&mut self, visit: &Visit, is_due: bool) -> Option<Ended> {
        let mut left = match visit.reads {
            Reads::All => usize::MAX,
            Reads::Slowly(rate) if is_due => rate.bytes,
            Reads::Slowly(_) => 0,
            Reads::Nothing => {
                let failed = sockopt::socket_error(&self.socket).unwrap().is_err();
                return failed.then_some(Ended::Reset);
            }
        };
        let mut piece = [MaybeUninit::<u8>::uninit(); 64 << 10];
        while left > 0 {
            let most = left.min(piece.len());
            match recv(&self.socket, &mut piece[..most], RecvFlags::empty()) {
                Ok((([], _), _)) => return Some(Ended::Closed),
                Ok(((bytes, _), _)) => {
                    left -= bytes.len();
                    self.incoming.take(bytes);
                    if self.incoming.is_whole() {
                        break;
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(error) if std::io::Error::from(error).kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(Ended::Reset),
            }
        }
        None
    }
}

/// How many outcomes are so.
pub(crate) fn count(outcomes: &[Outcome], is_so: impl Fn(&Outcome) -> bool) -> usize {
    outcomes.iter().filter(|outcome| is_so(outcome)).count()
}
