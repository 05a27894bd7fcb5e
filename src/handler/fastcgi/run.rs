//! One request at a FastCGI application, over one connection.
//!
//! Source: the FastCGI specification, sections 3 to 6; how applications really behave.
//! Shape: a [`Run`] is driven whenever something may have happened: it sends what the connection takes,
//! relays what has come through a [`Reply`], and says until when it can be left alone, or what came of
//! it. It never waits, so a request at an application costs no thread.
//! Rules:
//! - END_REQUEST is the only end. A connection that is lost before it cuts the response, visibly.
//! - Nothing is sent to the client before the application's header is whole; until its first byte has
//!   come the request may go elsewhere: always when it was refused or never sent, and when the
//!   connection was lost only if doing it twice does no harm (RFC 9110 section 9.2.2), or if it was a
//!   kept connection, which the application may have closed before it saw the request. When its time is
//!   up it goes elsewhere only if its backend has said nothing to anybody meanwhile: where others are
//!   answered it is the request that takes long, and would elsewhere.
//! - A client that goes away ends the connection: that is the abort that works.
//! - STDIN is written and STDOUT read at the same time, so neither side can block the other.

mod ending;
mod hearing;
mod sending;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::connect::Connecting;
use super::links::Channel;
use super::pool::{Given, Pool};
use crate::handler::admission::Permit;
use crate::handler::cgi::Outcome;
use crate::handler::pace::Pace;
use crate::handler::reply::Reply;
use crate::handler::report::{Course, Id};
use crate::handler::script::Script;
use crate::handler::stderr::StderrLog;
use crate::proto::Reason;
use crate::proto::fastcgi::record::{KeepConn, Role};
use crate::proto::fastcgi::request;
use crate::proto::fastcgi::response::ResponseDecoder;
use crate::proto::finding::Finding;
use crate::sys::buffer::Buffer;
use crate::sys::clock::Moment;
use crate::sys::outgoing::Outgoing;
use crate::sys::spool::Spool;

/// How often a full queue of connections is tried.
const QUEUE_RETRY: Duration = Duration::from_millis(50);

/// How much is received before others get their turn.
const RECEIVED_PER_TURN: usize = 4 << 20;

/// How much may be unsent for a management record to be answered: an application that sends them without
/// end and reads nothing is owed no memory.
const ANSWERS_MAX: usize = 2 * request::STDIN_STEP;

/// What a run is bounded by.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The longest wait for a connection.
    pub connect: Duration,
    /// The longest silence of the application.
    pub silence: Duration,
    /// The window of a client's least rate.
    pub send_window: Duration,
    /// How long a client that sends nothing more is believed to be still reading.
    pub half_closed: Duration,
    /// The longest header.
    pub max_header: usize,
}

/// What a run is about.
#[derive(Debug)]
pub struct Errand {
    /// The application.
    pub pool: Arc<Pool>,
    /// The right to be at one of its backends.
    pub permit: Permit,
    /// The connection to that backend.
    pub given: Given,
    /// The number of the client's connection.
    pub client: u32,
    /// What the application is asked to do.
    pub role: Role,
    /// Whether the request may be done twice.
    pub is_idempotent: bool,
    /// What log lines begin with, and what is asked for.
    pub name: Name,
    /// Whether the client is told what went wrong.
    pub explains: bool,
    /// What is to be noted of how it goes, if anything.
    pub seen: Option<Box<Course>>,
}

/// What a request at an application is known by: in the log as its id and the path, which nobody reads of most.
#[derive(Debug, Clone)]
pub struct Name {
    /// The id of the exchange.
    pub id: Id,
    /// What the application is asked for; its file, where that is known.
    pub script: Arc<Script>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = String::from_utf8_lossy(&self.script.script_name);
        write!(f, "{} {path}", self.id)
    }
}

/// What came of a run.
#[derive(Debug)]
pub enum Ended {
    /// The request is answered, or cannot be.
    Over(Outcome),
    /// An authorizer lets the request through, with these variables.
    Allowed(Vec<(Vec<u8>, Vec<u8>)>),
    /// Another backend may be asked; without one, this is why.
    Elsewhere(Reason),
    /// The kept connection was dead: the request is to be sent again over a new one.
    Stale,
}

/// How far a run is.
#[derive(Debug)]
pub enum Driven {
    /// Nothing can be done until something happens, or this moment comes.
    Parked(Moment),
    /// It could go on, but others should have a turn.
    Turn,
    /// It is over.
    Ended(Ended),
}

/// What the STDOUT stream is.
#[derive(Debug)]
enum Stage {
    /// A header that is not whole yet.
    Header(Vec<u8>),
    /// The body of the response.
    Body,
    /// Nothing that anyone waits for: this comes of the request at its end.
    Passed(Option<Ended>),
}

/// One request at an application.
#[derive(Debug)]
pub struct Run {
    pool: Arc<Pool>,
    place: usize,
    /// Given back before the pool is told of it.
    permit: Option<Permit>,
    started: Moment,
    ended_at: Moment,
    client: u32,
    role: Role,
    is_idempotent: bool,
    name: Name,
    explains: bool,
    seen: Option<Box<Course>>,
    /// What is wrong.
    finding: Option<Box<Finding>>,
    connecting: Option<Connecting>,
    channel: Option<Channel>,
    is_kept: bool,
    /// Whether the backend's first byte is still to come over a new connection.
    is_unanswered: bool,
    /// Whether anything came over the connection.
    is_answered: bool,
    /// Whether the application is done with the request.
    is_ended: bool,
    outgoing: Outgoing,
    /// How much of the body was queued; none once the end of STDIN was.
    stdin: Option<u64>,
    /// Whether the application takes no more.
    is_deaf: bool,
    /// Whether it was not looked for an answer yet.
    is_new: bool,
    decoder: ResponseDecoder,
    stage: Stage,
    stderr: StderrLog<Name>,
    connect_ends: Moment,
    /// When the next address is tried, while there are others.
    address_ends: Moment,
    silence_ends: Moment,
    half_closed: Option<Moment>,
    /// What the client was sent when that was last looked at.
    client_took: Option<u64>,
    pace: Option<Pace>,
}

/// What a drive is given for the time of it.
#[derive(Debug)]
pub struct Means<'a> {
    /// The body of the request.
    pub body: Option<&'a Spool>,
    /// What the application's records are read into.
    pub buffer: &'a mut Buffer,
    /// The bounds.
    pub terms: &'a Terms,
    /// The present moment.
    pub now: Moment,
    /// Whether the client sends nothing more.
    pub is_half_closed: bool,
}

impl Run {
    /// Begins an errand with these parameters. Nothing is sent before [`Run::drive`].
    pub fn start<'p>(
        errand: Errand,
        params: impl Iterator<Item = (&'p [u8], &'p [u8])>,
        terms: &Terms,
        now: Moment,
    ) -> Run {
        let (channel, connecting) = match errand.given {
            Given::Kept(channel) => (Some(channel), None),
            Given::New(connecting) => (None, Some(connecting)),
        };
        let keep = match errand.pool.keeps() {
            true => KeepConn::Keep,
            false => KeepConn::Close,
        };
        let mut outgoing = Outgoing::default();
        request::encode_begin(outgoing.bytes(), errand.role, keep, params);
        Run {
            is_kept: channel.is_some(),
            is_unanswered: channel.is_none(),
            is_answered: false,
            is_ended: false,
            stderr: StderrLog::new(errand.name.clone(), now),
            pool: errand.pool,
            place: errand.permit.place(),
            permit: Some(errand.permit),
            started: now,
            ended_at: now,
            client: errand.client,
            role: errand.role,
            is_idempotent: errand.is_idempotent,
            name: errand.name,
            explains: errand.explains,
            seen: errand.seen,
            finding: None,
            connecting,
            channel,
            outgoing,
            stdin: Some(0),
            is_deaf: false,
            is_new: true,
            decoder: ResponseDecoder::default(),
            stage: Stage::Header(Vec::new()),
            connect_ends: now + terms.connect,
            address_ends: Moment::NEVER,
            silence_ends: now + terms.silence,
            half_closed: None,
            client_took: None,
            pace: None,
        }
    }

    /// The backend that was chosen.
    pub fn place(&self) -> usize {
        self.place
    }

    /// The name of the backend.
    pub fn address(&self) -> String {
        self.pool.address(self.place).to_string()
    }

    /// Whether the connection was kept from before.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// What was noted of it, once it is over.
    pub fn take_seen(&mut self) -> Option<Box<Course>> {
        self.seen.take()
    }

    /// What was found out about it, once it is over.
    pub fn take_finding(&mut self) -> Option<Box<Finding>> {
        self.finding.take()
    }

    /// Goes on as far as it goes without waiting.
    pub fn drive(&mut self, reply: &mut Reply<'_>, means: &mut Means<'_>) -> Driven {
        match self.step(reply, means) {
            Ok(None) => Driven::Parked(self.deadline(means.now)),
            Ok(Some(driven)) => driven,
            Err(reason) => {
                let is_name = |connecting: &Connecting| connecting.is_looking_up();
                let how = match reason {
                    Reason::FastcgiConnectTimeout
                        if self.connecting.as_ref().is_some_and(is_name) =>
                    {
                        "whose name is still being looked up"
                    }
                    _ => "",
                };
                Driven::Ended(self.fail(reason, how, reply, means.now))
            }
        }
    }

    /// Ends a run whose client is gone, or that the server can wait for no longer.
    pub fn end(&mut self, reason: Reason, reply: &mut Reply<'_>, now: Moment) -> Ended {
        self.fail(reason, "", reply, now)
    }

    fn step(
        &mut self,
        reply: &mut Reply<'_>,
        means: &mut Means<'_>,
    ) -> Result<Option<Driven>, Reason> {
        let now = means.now;
        self.client_took.get_or_insert(reply.sent());
        if means.is_half_closed && self.half_closed.is_none() {
            self.half_closed = Some(now + means.terms.half_closed);
        }
        if !reply.is_held() && !reply.is_flushed() {
            self.flush(reply, means)?;
        }
        let mut received = 0;
        loop {
            if self.is_connecting() && now >= self.address_ends {
                self.turn_to_next_address(io::ErrorKind::TimedOut.into());
            }
            if self.channel.is_none() {
                match self.connect(now) {
                    Ok(true) => {}
                    Ok(false) if now >= self.connect_ends => {
                        return Err(Reason::FastcgiConnectTimeout);
                    }
                    Ok(false) => return Ok(None),
                    Err(ended) => return Ok(Some(Driven::Ended(ended))),
                }
            }
            if !self.send(means)? {
                continue; // There is another address to try.
            }
            // So that a client which takes nothing keeps the application waiting, not the memory.
            if reply.is_full() {
                self.silence_ends = now + means.terms.silence;
                break;
            }
            let Some(channel) = &self.channel else {
                continue;
            };
            let hung_up = channel.is_hung_up();
            // No answer is there before the application has run: that it comes is an event.
            if std::mem::take(&mut self.is_new) && !self.is_deaf && !hung_up {
                break;
            }
            match means.buffer.receive(channel.stream()) {
                Ok(None) => break,
                Ok(Some(0)) => return Ok(Some(Driven::Ended(self.closed(None, reply, now)))),
                Err(error) => return Ok(Some(Driven::Ended(self.closed(Some(error), reply, now)))),
                Ok(Some(read)) => {
                    received += read;
                    self.hear(means);
                    if let Some(end) = self.take_records(reply, means)? {
                        return Ok(Some(Driven::Ended(self.finish(end, reply, now))));
                    }
                    if !reply.is_held() {
                        self.flush(reply, means)?;
                    }
                    // An answer to a management record, where one came.
                    self.send(means)?;
                    if received >= RECEIVED_PER_TURN {
                        return Ok(Some(Driven::Turn));
                    }
                    // A short read of a stream socket has emptied it (epoll(7)); an end that had come
                    // by then is no event of its own.
                    if !means.buffer.is_full() && !hung_up {
                        break;
                    }
                }
            }
        }
        if reply.is_held() {
            // The application has written out what it has so far, and thinks about the rest.
            reply.release();
            self.flush(reply, means)?;
        }
        self.check_deadlines(now)?;
        // The client would take more, which is no event: it has had its turn.
        let has_more = !reply.is_flushed() && !reply.is_blocked();
        Ok(has_more.then_some(Driven::Turn))
    }

    fn flush(&mut self, reply: &mut Reply<'_>, means: &Means<'_>) -> Result<(), Reason> {
        reply.flush().map_err(|error| Reply::broken(&error))?;
        let sent = reply.sent();
        let took = self.client_took.replace(sent);
        if took.is_some_and(|took| took < sent) && self.half_closed.is_some() {
            self.half_closed = Some(means.now + means.terms.half_closed);
        }
        if reply.is_flushed() {
            self.pace = None;
            return Ok(());
        }
        match &mut self.pace {
            Some(pace) => {
                pace.advance(means.now, sent);
            }
            None => self.pace = Some(Pace::start(means.terms.send_window, means.now, sent)),
        }
        Ok(())
    }

    /// When something must have happened.
    fn deadline(&self, now: Moment) -> Moment {
        let client = self.pace.as_ref().map_or(Moment::NEVER, Pace::ends);
        let application = match &self.channel {
            None => self.connect_ends.min(now + QUEUE_RETRY),
            Some(_) if self.is_connecting() => self.connect_ends.min(self.address_ends),
            Some(_) => self.silence_ends,
        };
        application
            .min(client)
            .min(self.half_closed.unwrap_or(Moment::NEVER))
    }

    /// Whether no byte was taken by a connection yet.
    fn is_connecting(&self) -> bool {
        !self.is_kept && self.outgoing.sent() == 0
    }

    fn check_deadlines(&self, now: Moment) -> Result<(), Reason> {
        if self.is_connecting() && now >= self.connect_ends {
            return Err(Reason::FastcgiConnectTimeout);
        }
        if now >= self.silence_ends {
            return Err(Reason::FastcgiTimeout);
        }
        if self.pace.as_ref().is_some_and(|pace| now >= pace.ends()) {
            return Err(Reason::ClientSlow);
        }
        if self.half_closed.is_some_and(|ends| now >= ends) {
            return Err(Reason::ClientGone);
        }
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.answered();
        self.channel = None;
        if !self.is_ended && self.outgoing.sent() > 0 {
            self.pool.leave(self.place, self.silence_ends);
        }
        self.permit = None;
        self.pool.ended(self.place, self.ended_at);
    }
}
