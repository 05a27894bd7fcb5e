//! What a run sends: the connection it is sent over, and the body of the request as the application takes
//! it.
//!
//! Source: the FastCGI specification, sections 5.3 and 6.2. Rules: no more of the body is queued than the
//! next calls can send, and never a copy of what lies in a file.

use std::io;
use std::sync::Arc;

use super::super::connect::{Attempt, diagnose};
use super::{Ended, Means, Run};
use crate::handler::report::report;
use crate::proto::Reason;
use crate::proto::fastcgi::record::Role;
use crate::proto::fastcgi::request;
use crate::sys::clock::Moment;
use crate::sys::outgoing::Flushed;
use crate::sys::spool::{Content, Spool};
use crate::sys::stream::is_of_peer;

/// How many STDIN records are queued at once.
const STDIN_AHEAD: usize = 16;

impl Run {
    /// Begins to connect, if a connection is still to be made; false when that has to wait.
    pub(super) fn connect(&mut self, now: Moment) -> Result<bool, Ended> {
        let place = self.place;
        let Some(connecting) = &mut self.connecting else {
            return Err(self.unreachable(&io::ErrorKind::NotConnected.into(), now));
        };
        let error = match connecting.attempt() {
            Attempt::Later => return Ok(false),
            Attempt::Failed(error) => error,
            Attempt::Stream(stream) => match self.pool.channel(stream, self.client) {
                Ok(channel) => {
                    self.channel = Some(channel);
                    let share = connecting.share(now.until(self.connect_ends));
                    self.address_ends = share.map_or(Moment::NEVER, |share| now + share);
                    return Ok(true);
                }
                Err(error) => error,
            },
        };
        log::debug!("{}: {}: {error}", self.name, self.pool.address(place));
        Err(self.unreachable(&error, now))
    }

    /// Gives up the connection that is being made.
    pub(super) fn turn_to_next_address(&mut self, error: io::Error) {
        self.channel = None;
        self.address_ends = Moment::NEVER;
        if let Some(connecting) = &mut self.connecting {
            connecting.fail(error);
        }
    }

    /// No connection came about.
    pub(super) fn unreachable(&mut self, error: &io::Error, now: Moment) -> Ended {
        let place = self.place;
        let finding = diagnose(self.pool.address(place), error);
        let reason = finding.reason().unwrap_or(Reason::FastcgiUnreachable);
        report(&self.name, &finding, "no connection");
        self.finding = Some(Box::new(finding));
        self.answered();
        self.pool.failed(place, now);
        Ended::Elsewhere(reason)
    }

    /// Sends what the connection takes; false when it did not come about and another one may.
    pub(super) fn send(&mut self, means: &Means<'_>) -> Result<bool, Reason> {
        loop {
            self.feed(means.body);
            let Some(channel) = &self.channel else {
                return Ok(false);
            };
            if self.outgoing.is_empty() || self.is_deaf {
                return Ok(true);
            }
            let before = self.outgoing.sent();
            match self.outgoing.flush(channel.stream()) {
                Ok(flushed) => {
                    if self.outgoing.sent() > before {
                        if let Some(seen) = &mut self.seen {
                            seen.begin();
                        }
                        self.silence_ends = means.now + means.terms.silence;
                    }
                    if flushed != Flushed::All {
                        if let Some(channel) = &mut self.channel {
                            channel.await_room().map_err(|_| Reason::ServerFailed)?;
                        }
                        return Ok(true);
                    }
                }
                Err(error) if self.outgoing.sent() == 0 && !self.is_kept => {
                    self.turn_to_next_address(error);
                    return Ok(false);
                }
                // What it has answered before it closed may be there to be read.
                Err(error) if is_of_peer(&error) => self.is_deaf = true,
                // It is still there, and waits for the rest.
                Err(error) => {
                    log::error!(
                        "{}: the request cannot be sent to its end: {error}",
                        self.name
                    );
                    return Err(Reason::ServerFailed);
                }
            }
        }
    }

    /// Queues more of the request's body.
    pub(super) fn feed(&mut self, body: Option<&Spool>) {
        while let Some(queued) = self.stdin
            && !self.outgoing.has_bulk()
            && self.outgoing.in_memory() < request::STDIN_STEP
        {
            // An authorizer gets no body (section 6.3).
            let content = match (body, self.role) {
                (Some(body), Role::Responder) if !body.is_empty() => body.content(),
                _ => Content::Memory(b""),
            };
            let len = match content {
                Content::Memory(bytes) => {
                    request::encode_stdin(self.outgoing.bytes(), bytes);
                    self.end_stdin();
                    return;
                }
                Content::File(_) => body.map_or(0, Spool::len),
            };
            let Some(file) = body.and_then(Spool::shared_file) else {
                return;
            };
            let mut next = queued;
            for _ in 0..STDIN_AHEAD {
                // At most STDIN_STEP.
                let step = (len - next).min(request::STDIN_STEP as u64) as usize;
                if step == 0 {
                    break;
                }
                let header = request::encode_stdin_header(step);
                self.outgoing.bytes().extend_from_slice(&header);
                self.outgoing
                    .push_file(Arc::clone(&file), next, step as u64);
                next += step as u64;
            }
            self.stdin = Some(next);
            if next == len {
                self.end_stdin();
            }
        }
    }

    pub(super) fn end_stdin(&mut self) {
        let header = request::encode_stdin_header(0);
        self.outgoing.bytes().extend_from_slice(&header);
        self.stdin = None;
    }
}
