//! One connection, as the states in which it can be parked.
//!
//! ```text
//!            head whole            body whole        turn given, or an event
//!   Head ───────────────▶ Body ──────────────▶ (answer) ◀────────── Waiting, Paused, Forwarded
//!    ▲  ╲____________________________________▶    │  ╲_______________▶
//!    │          no body                           ▼   all are busy; wrong password; at an application
//!    ╰───────────────────────────────────────── Sending ────▶ Lingering ────▶ closed
//!                 kept                                 refused
//! ```
//!
//! Shape: [`Connection::drive`] is called by the worker that owns the connection, whenever something
//! may have changed, and goes on until nothing more can be done without waiting. Rules:
//! - No state waits for the peer with a worker. What is not sent or received yet is a state.
//! - Deadlines are set when a state is entered and by progress at the least rate, not by every byte.
//! - Responses leave in the order of their requests. Several small ones leave in one call.
//! - A door is asked before a body is received: nobody uploads anything with a wrong password.
//! - After a refusal what the client still sends is read for a while and dropped, so that the answer
//!   is not lost to a reset.
//!
//! Not here: how a connection takes in (`receive.rs`) and gives out (`respond.rs`), and what the answer
//! is (`exchange.rs`).

mod receive;
mod respond;

use std::sync::Arc;
use std::time::Duration;

use super::access_log::Entry;
use super::body::BodyState;
#[cfg(feature = "auth")]
use super::body::Wanted;
#[cfg(feature = "fastcgi")]
use super::exchange::Forward;
use super::exchange::{Course, Turn};
use super::origin::Peer;
use super::record::Record;
use super::served::Hosted;
use super::table::Standing;
use super::worker::Worker;
use crate::handler::admission::Ticket;
use crate::handler::pace::Pace;
use crate::handler::reply::{Draft, Reply};
use crate::proto::Reason;
use crate::proto::http::head::RequestHead;
use crate::sys::clock::Moment;
use crate::sys::outgoing::Outgoing;
use crate::sys::spool::Room;
use crate::sys::stream::Stream;

/// How many requests of one connection are answered before others get their turn.
const REQUESTS_PER_TURN: u32 = 64;

/// How long a client that sends nothing more is believed to be still reading while it waits for a
/// program.
pub const HALF_CLOSED_GRACE: Duration = Duration::from_secs(5);

/// How long a connection may take for a head before it counts as idle: it is closed if there is no room
/// for another one. Otherwise slow heads, which cost their clients next to nothing, could keep everybody
/// out for `--header-timeout`.
const FRESH: Duration = Duration::from_secs(1);

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
pub enum Then {
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
    /// A request waits for its turn to be served by a program or an application.
    Waiting(Box<(Pending, Course, Ticket)>),
    /// The answer to a request is held back until the deadline.
    #[cfg(feature = "auth")]
    Paused(Box<(Pending, Course)>),
    /// A request is at an application.
    #[cfg(feature = "fastcgi")]
    Forwarded(Box<(Pending, Box<Forward>)>),
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
    /// The site that it is for, as that was when it began.
    pub hosted: Arc<Hosted>,
    /// Its body, once it was received.
    pub body: Option<crate::sys::spool::Spool>,
    /// Whether the client may still be sending a body that is left unread.
    pub is_unread: bool,
    /// When its head was whole, in microseconds, where that is logged.
    pub started: u64,
    /// What is to become of its body once a door has let the request through, which is waited for first.
    #[cfg(feature = "auth")]
    pub behind_door: Option<Wanted>,
    /// How far it has come, where that was before its body was received.
    #[cfg(feature = "auth")]
    pub course: Option<Box<Course>>,
}

impl Pending {
    /// A request with this head for this site, which became whole at `started`.
    fn new(head: RequestHead, hosted: Arc<Hosted>, started: u64) -> Pending {
        Pending {
            head,
            hosted,
            body: None,
            is_unread: false,
            started,
            #[cfg(feature = "auth")]
            behind_door: None,
            #[cfg(feature = "auth")]
            course: None,
        }
    }

    /// Whether the client may still be sending a body when this is answered now.
    pub fn leaves_body(&self) -> bool {
        #[cfg(feature = "auth")]
        if self.behind_door.is_some() {
            return true;
        }
        self.is_unread
    }

    /// Why it is answered, now that its body is here.
    fn turn(&mut self) -> Turn {
        #[cfg(feature = "auth")]
        if let Some(course) = self.course.take() {
            return Turn::Come(course, None);
        }
        Turn::First
    }
}

/// Whether a PROXY header stands before the next request of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PreambleState {
    /// None does.
    None,
    /// One has to, and is not whole yet.
    Owed,
    /// One did, and was taken.
    Taken,
}

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: Stream,
    pub(super) number: u32,
    pub(super) listener: usize,
    pub(super) peer: Peer,
    preamble: PreambleState,
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
    hung_up: bool,
    /// No request of it has come yet.
    is_new: bool,
    /// Nothing is left to read until the next event of the connection itself.
    drained: bool,
    /// How often it was parked, going round.
    pub(super) parked: u32,
    /// The line of the response that is being sent.
    entry: Option<Box<Entry>>,
}

impl Connection {
    /// A connection that was accepted `now` and may take until `deadline` for its first head.
    pub fn new(
        stream: Stream,
        number: u32,
        listener: usize,
        peer: Peer,
        now: Moment,
        deadline: Moment,
    ) -> Connection {
        Connection {
            stream,
            number,
            listener,
            peer,
            preamble: PreambleState::None,
            input: Vec::new(),
            consumed: 0,
            outgoing: Outgoing::default(),
            stage: Stage::Head,
            deadline,
            idle_since: now + FRESH,
            pace: None,
            input_ended: false,
            hung_up: false,
            is_new: true,
            drained: false,
            parked: 0,
            entry: None,
        }
    }

    /// Has a PROXY header stand before the first request.
    pub fn expect_preamble(&mut self) {
        self.preamble = PreambleState::Owed;
    }

    /// The socket.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// A writer that goes on with one response to the client.
    pub fn reply<'c>(&'c mut self, room: &'c Arc<Room>, draft: Draft) -> Reply<'c> {
        Reply::new(&self.stream, &mut self.outgoing, room, draft)
    }

    /// When something must have happened.
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// Since when it may be closed to make room; [`Moment::NEVER`] while a request is on its way.
    pub fn idle_since(&self) -> Moment {
        self.idle_since
    }

    /// What it is at.
    pub fn standing(&self) -> Standing {
        match self.stage {
            Stage::Head if self.consumed == self.input.len() => Standing::Idle,
            Stage::Head => Standing::Head,
            Stage::Body(_) => Standing::Body,
            Stage::Sending(_) | Stage::Lingering => Standing::Sending,
            _ => Standing::Busy,
        }
    }

    /// Takes notice of what happened on it since, and whether it is known that its peer has ended its half.
    pub fn hear(&mut self, has_event: bool, hung_up: bool) {
        self.drained &= !has_event;
        self.hung_up |= hung_up;
    }

    /// Goes on from where the connection was parked.
    pub fn drive(&mut self, worker: &mut Worker<'_>) -> Next {
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
                #[cfg(feature = "auth")]
                Stage::Paused(_) => self.pause(worker),
                #[cfg(feature = "fastcgi")]
                Stage::Forwarded(_) => self.forward(worker),
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
            worker.log(entry);
        }
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
                let (pending, mut course, ticket) = *stage;
                drop(ticket);
                let record = std::mem::take(&mut course.record);
                if self.input_ended {
                    return self.lose_pending(&pending, record, worker);
                }
                self.refuse_after(pending.head, course.busy(), record, worker)
            }
            #[cfg(feature = "auth")]
            Stage::Paused(stage) => {
                let (pending, course) = *stage;
                self.answer(pending, Turn::Come(Box::new(course), None), worker)
            }
            // It has deadlines of its own, and looks at them itself.
            #[cfg(feature = "fastcgi")]
            stage @ Stage::Forwarded(_) => {
                self.stage = stage;
                Step::Again
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
    fn lose_pending(&mut self, pending: &Pending, record: Record, worker: &mut Worker<'_>) -> Step {
        self.end_entry(worker);
        let proxies = &pending.hosted.settings.proxies;
        let origin = self.peer.origin(&pending.head, proxies);
        let record = match record.is_kept() {
            true => record,
            false => worker.record(pending.started),
        };
        self.entry = worker.entry(
            &pending.hosted,
            (&origin.unwrap_or(self.peer.itself()), None),
            pending.head.request_line(),
            &pending.head,
            pending.started,
            record,
        );
        if let Some(entry) = &mut self.entry {
            entry.status = Reason::ClientGone.status();
        }
        self.lose(worker)
    }

    fn end_entry(&mut self, worker: &Worker<'_>) {
        if let Some(entry) = self.entry.take() {
            worker.log(entry);
        }
    }
}
