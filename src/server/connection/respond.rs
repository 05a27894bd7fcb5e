//! What a connection gives out: the turn in line, the answer, and the bytes on their way.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::{Connection, FRESH, HALF_CLOSED_GRACE, Next, Pending, Stage, Step, Then};
use crate::handler::pace::Pace;
use crate::proto::Reason;
use crate::proto::http::head::RequestHead;
use crate::server::exchange::{self, Answer, Turn};
#[cfg(feature = "fastcgi")]
use crate::server::exchange::{Client, Forward};
use crate::server::record::Record;
use crate::server::worker::Worker;
use crate::sys::clock::Moment;
use crate::sys::outgoing::Flushed;
use crate::sys::stream::is_of_peer;

/// How much of several responses is gathered into one call.
const GATHERED_MAX: usize = 64 << 10;

/// How long a program's turn is waited for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a client is listened to after a refusal.
const LINGER: Duration = Duration::from_secs(5);

/// How long after a response a connection counts as idle: until then the next request may well be on
/// its way, and would be lost.
const QUIET: Duration = Duration::from_millis(250);

impl Connection {
    /// Looks whether the turn to run a program has come.
    pub(super) fn await_turn(&mut self, worker: &mut Worker<'_>) -> Step {
        let Stage::Waiting(stage) = std::mem::replace(&mut self.stage, Stage::Head) else {
            return Step::Again;
        };
        let (pending, course, ticket) = *stage;
        if ticket.is_granted() {
            let turn = Turn::Come(Box::new(course), ticket.redeem());
            return self.answer(pending, turn, worker);
        }
        let in_vain = match (ticket.is_dismissed(), ticket.is_displaced()) {
            (true, _) => Some(Reason::FastcgiDown),
            (_, true) => Some(course.busy()),
            _ => None,
        };
        if let Some(reason) = in_vain {
            return self.answer(pending, Turn::Never(Box::new(course), reason), worker);
        }
        // Earlier responses need not wait for this one.
        let is_lost = self.outgoing.flush(&self.stream).is_err() || self.look_for_end().is_err();
        if is_lost {
            return self.lose_pending(&pending, course.record, worker);
        }
        if self.input_ended {
            self.deadline = self.deadline.min(worker.now() + HALF_CLOSED_GRACE);
        }
        self.stage = Stage::Waiting(Box::new((pending, course, ticket)));
        Step::Done(Next::Park)
    }

    /// Keeps a client waiting, until its deadline.
    #[cfg(feature = "auth")]
    pub(super) fn pause(&mut self, worker: &mut Worker<'_>) -> Step {
        // Earlier responses need not wait for this one.
        if (self.outgoing.flush(&self.stream).is_err() || self.look_for_end().is_err())
            && let Stage::Paused(stage) = std::mem::replace(&mut self.stage, Stage::Head)
        {
            return self.lose_pending(&stage.0, stage.1.record, worker);
        }
        Step::Done(Next::Park)
    }

    /// Has a whole request answered.
    pub(super) fn answer(&mut self, pending: Pending, turn: Turn, worker: &mut Worker<'_>) -> Step {
        self.deadline = Moment::NEVER;
        self.end_entry(worker);
        let answer = exchange::answer(self, &pending, turn, worker);
        self.act_on(answer, pending, worker)
    }

    /// Goes on with what came of a request.
    fn act_on(&mut self, answer: Answer, pending: Pending, worker: &mut Worker<'_>) -> Step {
        match answer {
            Answer::Given { entry, then } => {
                self.entry = entry;
                worker.head = pending.head;
                self.after(then)
            }
            Answer::Refused(reason) => self.refuse(pending.head, reason, worker),
            Answer::Wait(course, ticket) => {
                self.deadline = worker.now() + WAIT_MAX;
                self.stage = Stage::Waiting(Box::new((pending, *course, ticket)));
                Step::Again
            }
            #[cfg(feature = "auth")]
            Answer::LetIn(course) => {
                let mut pending = pending;
                let Some(wanted) = pending.behind_door.take() else {
                    return self.refuse(pending.head, Reason::ServerFailed, worker);
                };
                pending.course = Some(course);
                self.begin_body(pending, wanted, worker)
            }
            #[cfg(feature = "auth")]
            Answer::Pause(course, until) => {
                self.deadline = until;
                self.stage = Stage::Paused(Box::new((pending, *course)));
                Step::Again
            }
            #[cfg(feature = "fastcgi")]
            Answer::Forwarded(forward) => self.park_forwarded(Box::new((pending, forward))),
        }
    }

    /// Drives a request that is at an application.
    #[cfg(feature = "fastcgi")]
    pub(super) fn forward(&mut self, worker: &mut Worker<'_>) -> Step {
        let Stage::Forwarded(mut stage) = std::mem::replace(&mut self.stage, Stage::Head) else {
            return Step::Again;
        };
        self.deadline = Moment::NEVER;
        let client = match self.look_for_end() {
            Err(_) => Client::Gone,
            Ok(()) if self.input_ended => Client::HalfClosed,
            Ok(()) => Client::Here,
        };
        let (pending, forward) = &mut *stage;
        match exchange::go_on(self, pending, forward, client, worker) {
            None => self.park_forwarded(stage),
            Some(answer) => self.act_on(answer, stage.0, worker),
        }
    }

    #[cfg(feature = "fastcgi")]
    fn park_forwarded(&mut self, stage: Box<(Pending, Box<Forward>)>) -> Step {
        let forward = &stage.1;
        self.deadline = forward.deadline;
        let next = forward.next;
        self.stage = Stage::Forwarded(stage);
        Step::Done(next)
    }

    /// Answers a request that cannot be gone on with.
    pub(super) fn refuse(
        &mut self,
        head: RequestHead,
        reason: Reason,
        worker: &mut Worker<'_>,
    ) -> Step {
        self.refuse_after(head, reason, Record::default(), worker)
    }

    /// The same, of which something was kept before.
    pub(super) fn refuse_after(
        &mut self,
        head: RequestHead,
        reason: Reason,
        record: Record,
        worker: &mut Worker<'_>,
    ) -> Step {
        self.end_entry(worker);
        self.entry = exchange::refuse(self, &head, reason, record, worker);
        worker.head = head;
        self.after(Then::Linger)
    }

    /// Goes on after a response was given.
    fn after(&mut self, then: Then) -> Step {
        self.deadline = Moment::NEVER;
        // A refusal in the midst of a head, too, is to be sent to its end.
        self.idle_since = Moment::NEVER;
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

    /// Ends a connection over which a response cannot be sent to its end.
    fn break_off(&mut self, error: &io::Error, worker: &Worker<'_>) -> Step {
        let reason = match error.kind() {
            ErrorKind::UnexpectedEof => Reason::FileShrunk,
            _ if is_of_peer(error) => Reason::ClientGone,
            _ => {
                log::error!("a response cannot be sent to its end: {error}");
                match self.outgoing.has_bulk() {
                    true => Reason::FileFailed,
                    false => Reason::ServerFailed,
                }
            }
        };
        // Also where the end of the connection is that of the body: it is not to be taken for a good one.
        let _ = self.stream.reset_on_close();
        self.abandon(worker, reason);
        Step::Done(Next::Close)
    }

    /// Sends what is to be sent, then enters the state that follows.
    pub(super) fn send(&mut self, then: Then, worker: &mut Worker<'_>) -> Step {
        if self.outgoing.comes_from_disk() {
            // Others are not to wait for it.
            worker.call();
        }
        match self.outgoing.flush(&self.stream) {
            Ok(Flushed::All) => {}
            Ok(flushed) => {
                let (now, sent) = (worker.now(), self.outgoing.sent());
                let window = worker.served.settings.send_timeout;
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
            Err(error) => return self.break_off(&error, worker),
        }
        self.pace = None;
        self.end_entry(worker);
        match then {
            Then::Keep => {
                let now = worker.now();
                self.stage = Stage::Head;
                if self.consumed == self.input.len() {
                    self.idle_since = now + QUIET;
                    self.deadline = now + worker.served.settings.idle_timeout;
                } else {
                    self.idle_since = now + FRESH;
                    self.deadline = now + worker.served.settings.header_timeout;
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
}
