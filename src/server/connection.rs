//! One connection, as the states in which it can be parked.
//!
//! ```text
//!            head whole            body whole            turn given
//!   Head ───────────────▶ Body ──────────────▶ (answer) ◀────────── Waiting
//!    ▲  ╲____________________________________▶    │  ╲_______________▶
//!    │          no body                           ▼     all programs busy
//!    ╰───────────────────────────────────────── Sending ────▶ Lingering ────▶ closed
//!                 kept                                 refused
//! ```
//!
//! Shape: [`Connection::drive`] is called by the worker that owns the connection, whenever something
//! may have changed, and goes on until nothing more can be done without waiting. Rules:
//! - No state waits for the peer with a worker. What is not sent or received yet is a state.
//! - Deadlines are set when a state is entered and by progress at the least rate, not by every byte.
//! - Responses leave in the order of their requests. Several small ones leave in one call.
//! - After a refusal what the client still sends is read for a while and dropped, so that the answer
//!   is not lost to a reset.
//!
//! Not here: what the answer is (`exchange.rs`).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use super::access_log::Entry;
use super::admission::Ticket;
use super::body::{BodyState, Received};
use super::exchange::{self, Answer, Request};
use super::worker::Worker;
use crate::handler::pace::Pace;
use crate::proto::http::head::RequestHead;
use crate::proto::http::persist::{self, Persistence};
use crate::proto::{Parsed, Reason};
use crate::sys::clock::Moment;
use crate::sys::outgoing::{Flushed, Outgoing};
use crate::sys::stream::Stream;

/// How much room a read is given at least.
const READ_LEAST: usize = 4 << 10;

/// How many requests of one connection are answered before others get their turn.
const REQUESTS_PER_TURN: u32 = 64;

/// How much of several responses is gathered into one call.
const GATHERED_MAX: usize = 64 << 10;

/// How long a program's turn is waited for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a client that sends nothing more is believed to be still reading while it waits for a
/// program.
pub const HALF_CLOSED_GRACE: Duration = Duration::from_secs(5);

/// How long a client is listened to after a refusal.
const LINGER: Duration = Duration::from_secs(5);

/// How long after its start a connection without a request counts as idle.
const FRESH: Duration = Duration::from_secs(1);

/// How long after a response a connection counts as idle: until then the next request may well be on
/// its way, and would be lost.
const QUIET: Duration = Duration::from_millis(250);

/// How much is received before others get their turn.
const RECEIVED_PER_TURN: usize = 4 << 20;

/// What a worker has to do with a connection that it has driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Leave it until something happens.
    Park,
    /// Leave it, but have it looked at again soon: it could go on.
    Turn,
    /// Close it.
    Close,
}

/// What a state led to.
enum Step {
    /// The next state can be entered.
    Again,
    /// Nothing more can be done now.
    Done(Next),
}

/// What follows when everything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The next request.
    Keep,
    /// The end.
    Close,
    /// The end, once the client has had the time to read.
    Linger,
}

/// Where a connection stands between two events.
#[derive(Debug)]
enum Stage {
    /// A request head is being received; with nothing of it there yet, the connection is idle.
    Head,
    /// The body of a request is being received.
    Body(Box<(Pending, BodyState)>),
    /// A request waits for its turn to run a program.
    Waiting(Box<(Pending, Ticket)>),
    /// A response is being sent.
    Sending(Then),
    /// The answer was given; what the client still sends is dropped.
    Lingering,
}

/// A request that is kept while it is parked.
#[derive(Debug)]
pub struct Pending {
    /// Its head.
    pub head: RequestHead,
    /// Its body, once it was received.
    pub body: Option<crate::sys::spool::Spool>,
    /// Whether the client may still be sending a body that is left unread.
    pub is_unread: bool,
    /// When its head was whole, in microseconds.
    pub started: u64,
}

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: Stream,
    pub(super) number: u32,
    pub(super) listener: usize,
    pub(super) peer: Option<SocketAddr>,
    /// What was read; up to `consumed` it has been made use of.
    pub(super) input: Vec<u8>,
    pub(super) consumed: usize,
    pub(super) outgoing: Outgoing,
    stage: Stage,
    deadline: Moment,
    idle_since: Moment,
    pace: Option<Pace>,
    /// The client sends nothing more.
    pub(super) input_ended: bool,
    /// An end of the client's half was reported, perhaps behind bytes that are not read yet.
    pub(super) hung_up: bool,
    /// Nothing is left to read until the next event.
    drained: bool,
    /// The line of the response that is being sent.
    entry: Option<Box<Entry>>,
}

impl Connection {
    /// A connection that was accepted `now` and may take until `deadline` for its first head.
    pub fn new(
        stream: Stream,
        number: u32,
        listener: usize,
        peer: Option<SocketAddr>,
        now: Moment,
        deadline: Moment,
    ) -> Connection {
        Connection {
            stream,
            number,
            listener,
            peer,
            input: Vec::new(),
            consumed: 0,
            outgoing: Outgoing::default(),
            stage: Stage::Head,
            deadline,
            idle_since: now + FRESH,
            pace: None,
            input_ended: false,
            hung_up: false,
            drained: false,
            entry: None,
        }
    }

    /// The socket.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// When something must have happened.
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// Since when no request is on its way; [`Moment::NEVER`] while one is.
    pub fn idle_since(&self) -> Moment {
        self.idle_since
    }

    /// Goes on from where the connection was parked.
    pub fn drive(&mut self, worker: &mut Worker<'_>) -> Next {
        self.drained = false;
        if worker.now() >= self.deadline
            && let Step::Done(next) = self.expire(worker)
        {
            return next;
        }
        let mut answered = 0;
        loop {
            let step = match &mut self.stage {
                Stage::Head if answered >= REQUESTS_PER_TURN => return Next::Turn,
                Stage::Head => {
                    answered += 1;
                    self.receive_head(worker)
                }
                Stage::Body(_) => self.receive_body(worker),
                Stage::Waiting(_) => self.await_turn(worker),
                Stage::Sending(then) => {
                    let then = *then;
                    self.send(then, worker)
                }
                Stage::Lingering => self.linger(),
            };
            match step {
                Step::Again => {}
                Step::Done(next) => return next,
            }
        }
    }

    /// The client closed or reset the connection, or a worker failed with it.
    pub fn abandon(&mut self, worker: &Worker<'_>, reason: Reason) {
        if let Some(mut entry) = self.entry.take() {
            entry.reason = entry.reason.or(Some(reason));
            entry.body_len = entry.body_len.saturating_sub(self.outgoing.unsent());
            worker.log(&entry);
        }
    }

    /// Receives and parses a head; then answers, or goes on to receive the body.
    fn receive_head(&mut self, worker: &mut Worker<'_>) -> Step {
        loop {
            if self.consumed < self.input.len() {
                let mut head = std::mem::take(&mut worker.head);
                match head.parse(&self.input[self.consumed..], &worker.server.head_limits) {
                    Ok(Parsed::Complete { used, .. }) => {
                        self.consumed += used;
                        return self.begin(head, worker);
                    }
                    Ok(Parsed::Partial) => worker.head = head,
                    Err(reason) => return self.refuse(head, reason, worker),
                }
            }
            // The responses to the requests before are gathered until more input is needed; then the
            // wait for the next request begins, which sets a deadline.
            if self.deadline == Moment::NEVER {
                self.stage = Stage::Sending(Then::Keep);
                return Step::Again;
            }
            let is_idle = self.consumed == self.input.len();
            if self.input_ended {
                return Step::Done(Next::Close);
            }
            match self.read(READ_LEAST) {
                Ok(Some(0)) => {}
                Ok(Some(_)) if is_idle => {
                    self.idle_since = Moment::NEVER;
                    self.deadline = worker.now() + worker.server.settings.header_timeout;
                }
                Ok(Some(_)) => {}
                Ok(None) if is_idle && worker.server.is_stopping() => {
                    return Step::Done(Next::Close);
                }
                Ok(None) => return Step::Done(Next::Park),
                Err(_) => return Step::Done(Next::Close),
            }
        }
    }

    /// Decides what a whole head asks for.
    fn begin(&mut self, head: RequestHead, worker: &mut Worker<'_>) -> Step {
        self.idle_since = Moment::NEVER;
        self.deadline = Moment::NEVER;
        let started = worker.server.clock.micros();
        let mut pending = Pending {
            head,
            body: None,
            is_unread: false,
            started,
        };
        let wanted = match Request::read(&pending.head) {
            Ok(request) => exchange::body_wanted(&request, worker.server),
            Err(reason) => return self.refuse(pending.head, reason, worker),
        };
        let wanted = match wanted {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return self.answer(pending, None, worker),
            Err(reason) => return self.refuse(pending.head, reason, worker),
        };
        let (max_body, room) = (worker.server.settings.max_body, &worker.server.room);
        match BodyState::new(wanted, max_body, room, worker.now()) {
            None => {
                pending.is_unread = true;
                self.answer(pending, None, worker)
            }
            Some(body) => {
                if body.is_asked_for() && self.consumed == self.input.len() {
                    body.ask(self.outgoing.bytes());
                }
                self.deadline = body.deadline();
                self.stage = Stage::Body(Box::new((pending, body)));
                Step::Again
            }
        }
    }

    /// Receives the body.
    fn receive_body(&mut self, worker: &mut Worker<'_>) -> Step {
        if !self.outgoing.is_empty() {
            // 100 Continue, perhaps behind earlier responses.
            match self.outgoing.flush(&self.stream) {
                Ok(Flushed::All) => self.end_entry(worker),
                Ok(_) => {}
                Err(_) => return self.lose(worker),
            }
        }
        let Stage::Body(stage) = std::mem::replace(&mut self.stage, Stage::Head) else {
            return Step::Again;
        };
        let (mut pending, mut body) = *stage;
        let mut received = 0;
        loop {
            match body.take(&self.input[self.consumed..]) {
                Ok(Received::Some { used }) => self.consumed += used,
                Ok(Received::All { used, spool }) => {
                    self.consumed += used;
                    pending.body = spool;
                    return self.answer(pending, None, worker);
                }
                Ok(Received::Enough) => {
                    pending.is_unread = true;
                    return self.answer(pending, None, worker);
                }
                Err(reason) => return self.refuse(pending.head, reason, worker),
            }
            if self.input_ended {
                return self.refuse(pending.head, Reason::BodyCut, worker);
            }
            if received >= RECEIVED_PER_TURN {
                self.stage = Stage::Body(Box::new((pending, body)));
                return Step::Done(Next::Turn);
            }
            match self.read(body.read_len()) {
                Ok(Some(read)) => {
                    received += read;
                    self.deadline = body.advance(worker.now());
                }
                Ok(None) => {
                    self.stage = Stage::Body(Box::new((pending, body)));
                    return Step::Done(Next::Park);
                }
                Err(_) => return self.lose_pending(&pending, worker),
            }
        }
    }

    /// Looks whether the turn to run a program has come.
    fn await_turn(&mut self, worker: &mut Worker<'_>) -> Step {
        let Stage::Waiting(stage) = std::mem::replace(&mut self.stage, Stage::Head) else {
            return Step::Again;
        };
        let (pending, ticket) = *stage;
        if ticket.is_granted() {
            self.deadline = Moment::NEVER;
            return self.answer(pending, ticket.redeem(), worker);
        }
        // Earlier responses need not wait for this one.
        let is_lost = self.outgoing.flush(&self.stream).is_err() || self.look_for_end().is_err();
        if is_lost {
            return self.lose_pending(&pending, worker);
        }
        if self.input_ended {
            self.deadline = self.deadline.min(worker.now() + HALF_CLOSED_GRACE);
        }
        self.stage = Stage::Waiting(Box::new((pending, ticket)));
        Step::Done(Next::Park)
    }

    /// Learns whether a client that has hung up did so in both directions, which is an error.
    fn look_for_end(&mut self) -> std::io::Result<()> {
        if self.hung_up && !self.input_ended && self.input.len() < READ_LEAST {
            self.read(READ_LEAST)?;
        }
        Ok(())
    }

    /// Has a whole request answered.
    fn answer(
        &mut self,
        mut pending: Pending,
        permit: Option<super::admission::Permit>,
        worker: &mut Worker<'_>,
    ) -> Step {
        self.end_entry(worker);
        match exchange::answer(self, &mut pending, permit, worker) {
            Answer::Given { entry, closes } => {
                self.entry = entry;
                let goes_on = persist::of_request(&pending.head) == Persistence::Keep;
                worker.head = pending.head;
                self.after(match closes {
                    _ if pending.is_unread => Then::Linger,
                    // Its next request, unread, would turn the close into a reset.
                    true if goes_on => Then::Linger,
                    true => Then::Close,
                    false => Then::Keep,
                })
            }
            Answer::Wait(ticket) => {
                self.deadline = worker.now() + WAIT_MAX;
                self.stage = Stage::Waiting(Box::new((pending, ticket)));
                Step::Again
            }
        }
    }

    /// Answers a request that cannot be gone on with.
    fn refuse(&mut self, head: RequestHead, reason: Reason, worker: &mut Worker<'_>) -> Step {
        self.end_entry(worker);
        self.entry = exchange::refuse(self, &head, reason, worker);
        worker.head = head;
        self.after(Then::Linger)
    }

    /// Goes on after a response was given.
    fn after(&mut self, then: Then) -> Step {
        self.deadline = Moment::NEVER;
        // The next request may be here already; its response leaves together with this one.
        let gathers = then == Then::Keep
            && self.consumed < self.input.len()
            && self.outgoing.in_memory() <= GATHERED_MAX
            && !self.outgoing.has_bulk();
        self.stage = if gathers {
            Stage::Head
        } else {
            Stage::Sending(then)
        };
        Step::Again
    }

    /// Sends what is to be sent, then enters the state that follows.
    fn send(&mut self, then: Then, worker: &mut Worker<'_>) -> Step {
        match self.outgoing.flush(&self.stream) {
            Ok(Flushed::All) => {}
            Ok(flushed) => {
                let (now, sent) = (worker.now(), self.outgoing.sent());
                let window = worker.server.settings.send_timeout;
                let pace = self
                    .pace
                    .get_or_insert_with(|| Pace::start(window, now, sent));
                self.deadline = pace.advance(now, sent);
                return Step::Done(if flushed == Flushed::Turn {
                    Next::Turn
                } else {
                    Next::Park
                });
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.abandon(worker, Reason::FileShrunk);
                return Step::Done(Next::Close);
            }
            Err(_) => return self.lose(worker),
        }
        self.pace = None;
        self.end_entry(worker);
        match then {
            Then::Keep => {
                let now = worker.now();
                self.stage = Stage::Head;
                if self.consumed == self.input.len() {
                    self.idle_since = now + QUIET;
                    self.deadline = now + worker.server.settings.idle_timeout;
                } else {
                    self.deadline = now + worker.server.settings.header_timeout;
                }
                Step::Again
            }
            Then::Linger | Then::Close
                if (then == Then::Linger || self.consumed < self.input.len())
                    && !self.input_ended
                    && self.stream.end_writing().is_ok() =>
            {
                self.deadline = worker.now() + LINGER;
                self.stage = Stage::Lingering;
                Step::Again
            }
            Then::Linger | Then::Close => Step::Done(Next::Close),
        }
    }

    /// Drops what the client still sends.
    fn linger(&mut self) -> Step {
        let mut received = 0;
        while received < RECEIVED_PER_TURN {
            self.input.clear();
            self.consumed = 0;
            match self.read(READ_LEAST) {
                Ok(Some(0)) | Err(_) => return Step::Done(Next::Close),
                Ok(Some(read)) => received += read,
                Ok(None) => return Step::Done(Next::Park),
            }
        }
        Step::Done(Next::Turn)
    }

    /// Acts on a deadline that has passed.
    fn expire(&mut self, worker: &mut Worker<'_>) -> Step {
        self.deadline = Moment::NEVER;
        match std::mem::replace(&mut self.stage, Stage::Head) {
            // Some clients end a body with one CR LF too many, which begins no request.
            Stage::Head
                if self.input[self.consumed..]
                    .iter()
                    .all(|byte| b"\r\n".contains(byte)) =>
            {
                Step::Done(Next::Close)
            }
            Stage::Head => {
                // Not the worker's, which still holds somebody else's request.
                self.refuse(RequestHead::default(), Reason::HeadTimeout, worker)
            }
            Stage::Body(stage) => self.refuse(stage.0.head, Reason::BodyTimeout, worker),
            Stage::Waiting(stage) => {
                let (pending, ticket) = *stage;
                drop(ticket);
                if self.input_ended {
                    return self.lose_pending(&pending, worker);
                }
                self.refuse(pending.head, Reason::CgiBusy, worker)
            }
            Stage::Sending(_) => {
                // What the kernel still holds for this client is dropped with the connection.
                let _ = self.stream.reset_on_close();
                self.abandon(worker, Reason::ClientSlow);
                Step::Done(Next::Close)
            }
            Stage::Lingering => Step::Done(Next::Close),
        }
    }

    /// The client is gone.
    fn lose(&mut self, worker: &mut Worker<'_>) -> Step {
        self.abandon(worker, Reason::ClientGone);
        Step::Done(Next::Close)
    }

    /// The client is gone before its request could be answered.
    fn lose_pending(&mut self, pending: &Pending, worker: &mut Worker<'_>) -> Step {
        self.end_entry(worker);
        self.entry = worker.entry(
            self.peer,
            pending.head.request_line(),
            &pending.head,
            pending.started,
        );
        if let Some(entry) = &mut self.entry {
            entry.status = Reason::ClientGone.status();
        }
        self.lose(worker)
    }

    /// What was received of a line that is no request line yet, or none at all.
    pub(super) fn input_line(&self) -> &[u8] {
        let input = &self.input[self.consumed..];
        let ends = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        &input[..ends.unwrap_or(input.len())]
    }

    fn end_entry(&mut self, worker: &Worker<'_>) {
        if let Some(entry) = self.entry.take() {
            worker.log(&entry);
        }
    }

    /// Reads more input. `Some(0)` is the end of it, noted in `input_ended`.
    fn read(&mut self, least: usize) -> std::io::Result<Option<usize>> {
        if self.drained {
            return Ok(None);
        }
        if self.consumed == self.input.len() {
            self.input.clear();
            self.consumed = 0;
        } else if self.input.capacity() - self.input.len() < least && self.consumed > 0 {
            self.input.drain(..self.consumed);
            self.consumed = 0;
        }
        self.input.reserve(least);
        let room = self.input.capacity() - self.input.len();
        let read = self.stream.read(&mut self.input)?;
        match read {
            Some(0) => self.input_ended = true,
            // epoll(7): a short read of a stream socket has emptied it; what comes later is an event.
            // An end that came before the last event is not, hence `is_hung_up`.
            Some(read) => self.drained = read < room && !self.hung_up,
            None => self.drained = true,
        }
        Ok(read)
    }
}
