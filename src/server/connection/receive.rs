//! What a connection takes in: heads, bodies, and what is dropped after a refusal.

use std::io;
use std::sync::Arc;

use super::{Connection, FRESH, Next, Pending, PreambleState, Stage, Step, Then};
use crate::proto::http::head::RequestHead;
use crate::proto::proxy;
use crate::proto::{Parsed, Reason};
use crate::server::body::{BodyState, Received, Wanted};
use crate::server::exchange::Turn;
use crate::server::record::Record;
use crate::server::request::body_wanted;
#[cfg(feature = "auth")]
use crate::server::request::is_behind_door;
use crate::server::worker::Worker;
use crate::sys::buffer;
use crate::sys::clock::Moment;
use crate::sys::outgoing::Flushed;

/// How much room a read is given at least.
const READ_LEAST: usize = 4 << 10;

/// How much is received before others get their turn.
const RECEIVED_PER_TURN: usize = 4 << 20;

impl Connection {
    /// Receives and parses a head; then answers, or goes on to receive the body.
    pub(super) fn receive_head(&mut self, worker: &mut Worker<'_>) -> Step {
        loop {
            if self.preamble == PreambleState::Owed
                && let Err(reason) = self.receive_preamble(worker)
            {
                return self.refuse(RequestHead::default(), reason, worker);
            }
            if self.consumed < self.input.len() && self.preamble != PreambleState::Owed {
                let mut head = std::mem::take(&mut worker.head);
                match head.parse(&self.input[self.consumed..], &worker.served.head_limits) {
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
            // A request may have come that no event was told of yet, and nobody is to be sent away who came in time.
            self.drained &= !worker.server.is_stopping();
            match self.read(READ_LEAST) {
                Ok(Some(0)) => {}
                // A PROXY header and the head behind it have one deadline.
                Ok(Some(_)) if is_idle && self.preamble != PreambleState::Taken => {
                    let now = worker.now();
                    self.idle_since = now + FRESH;
                    self.deadline = now + worker.served.settings.header_timeout;
                }
                Ok(Some(_)) => {}
                Ok(None) if is_idle && worker.server.is_stopping() => {
                    // A request may be on its way to one that was just accepted: no other server has
                    // heard of it, so it would be lost.
                    if self.is_new && worker.now() < self.idle_since {
                        self.deadline = self.deadline.min(self.idle_since);
                        return Step::Done(Next::Park);
                    }
                    return Step::Done(Next::Close);
                }
                Ok(None) => return Step::Done(Next::Park),
                Err(_) => return Step::Done(Next::Close),
            }
        }
    }

    /// Takes the header of the PROXY protocol once it is whole.
    fn receive_preamble(&mut self, worker: &Worker<'_>) -> Result<(), Reason> {
        if let Parsed::Complete { value, used } = proxy::parse(&self.input[self.consumed..])? {
            self.consumed += used;
            self.preamble = PreambleState::Taken;
            self.peer = self.peer.after(value, &worker.served.settings.proxies);
        }
        Ok(())
    }

    /// Decides what a whole head asks for.
    fn begin(&mut self, head: RequestHead, worker: &mut Worker<'_>) -> Step {
        self.preamble = PreambleState::None;
        self.is_new = false;
        self.idle_since = Moment::NEVER;
        self.deadline = Moment::NEVER;
        worker.look_what_is_served();
        let Some(hosted) = worker.served.site_of(&head).map(Arc::clone) else {
            return self.refuse(head, Reason::HostUnknown, worker);
        };
        let started = worker.started(&hosted);
        let pending = Pending::new(head, hosted, started);
        let wanted = match body_wanted(&pending.head, &pending.hosted.site) {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return self.answer(pending, Turn::First, worker),
            Err(reason) => return self.refuse(pending.head, reason, worker),
        };
        #[cfg(feature = "auth")]
        if is_behind_door(&pending.head, &wanted, &pending.hosted.site) {
            let pending = Pending {
                behind_door: Some(wanted),
                ..pending
            };
            return self.answer(pending, Turn::First, worker);
        }
        self.begin_body(pending, wanted, worker)
    }

    /// Receives a body, or leaves it unread, and answers.
    pub(super) fn begin_body(
        &mut self,
        mut pending: Pending,
        wanted: Wanted,
        worker: &mut Worker<'_>,
    ) -> Step {
        let (max_body, room) = (pending.hosted.settings.max_body, &worker.server.room);
        if wanted.is_longer_than(max_body) {
            return self.refuse(pending.head, Reason::BodyTooLong, worker);
        }
        match BodyState::new(wanted, max_body, room, worker.now()) {
            None => {
                pending.is_unread = true;
                let turn = pending.turn();
                self.answer(pending, turn, worker)
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
    pub(super) fn receive_body(&mut self, worker: &mut Worker<'_>) -> Step {
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
                    let turn = pending.turn();
                    return self.answer(pending, turn, worker);
                }
                Ok(Received::Enough) => {
                    pending.is_unread = true;
                    return self.answer(pending, Turn::First, worker);
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
                Err(_) => return self.lose_pending(&pending, Record::default(), worker),
            }
        }
    }

    /// Drops what the client still sends.
    pub(super) fn linger(&mut self) -> Step {
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

    /// Learns whether a client that has hung up did so in both directions, which is an error.
    pub(super) fn look_for_end(&mut self) -> io::Result<()> {
        if self.hung_up && self.input.len() < READ_LEAST {
            self.read(READ_LEAST)?;
        }
        Ok(())
    }

    /// What was received of a line that is no request line yet, or none at all. Empty ones may stand before
    /// it.
    pub(in crate::server) fn input_line(&self) -> &[u8] {
        let mut input = &self.input[self.consumed..];
        while let [b'\r', b'\n', rest @ ..] = input {
            input = rest;
        }
        let ends = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        &input[..ends.unwrap_or(input.len())]
    }

    /// Reads more input. `Some(0)` is the end of it, noted in `input_ended`.
    fn read(&mut self, least: usize) -> io::Result<Option<usize>> {
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
        buffer::reserve(&mut self.input, least)?;
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
