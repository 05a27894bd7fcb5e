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
//!   kept connection, which the application may have closed before it saw the request.
//! - A client that goes away ends the connection: that is the abort that works.
//! - STDIN is written and STDOUT read at the same time, so neither side can block the other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::authorizer;
use super::connect::{Attempt, Connecting, diagnose};
use super::links::Channel;
use super::pool::{Given, Pool};
use crate::handler::admission::Permit;
use crate::handler::cgi::Outcome;
use crate::handler::pace::Pace;
use crate::handler::reply::{Ending, Reply};
use crate::handler::report::report;
use crate::handler::stderr::StderrLog;
use crate::proto::cgi::response::{self, CgiHead, CgiResponse};
use crate::proto::fastcgi::record::{EndRequest, KeepConn, ProtocolStatus, Role};
use crate::proto::fastcgi::request;
use crate::proto::fastcgi::response::{Event, ResponseDecoder};
use crate::proto::http::response::ResponseHead;
use crate::proto::http::status::StatusCode;
use crate::proto::{Parsed, Reason};
use crate::sys::buffer::Buffer;
use crate::sys::clock::Moment;
use crate::sys::outgoing::{Flushed, Outgoing};
use crate::sys::spool::{Content, Spool};

/// How often a full queue of connections is tried.
const QUEUE_RETRY: Duration = Duration::from_millis(50);

/// How much is received before others get their turn.
const RECEIVED_PER_TURN: usize = 4 << 20;

/// How many STDIN records are queued at once.
const STDIN_AHEAD: usize = 16;

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
    /// What log lines begin with.
    pub name: String,
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
    ended_at: Moment,
    client: u32,
    role: Role,
    is_idempotent: bool,
    name: String,
    connecting: Option<Connecting>,
    channel: Option<Channel>,
    is_kept: bool,
    /// Whether the backend's first byte is still to come over a new connection.
    is_unanswered: bool,
    /// Whether anything came over the connection.
    is_answered: bool,
    outgoing: Outgoing,
    /// How much of the body was queued; none once the end of STDIN was.
    stdin: Option<u64>,
    /// Whether the application takes no more.
    is_deaf: bool,
    /// Whether it was not looked for an answer yet.
    is_new: bool,
    decoder: ResponseDecoder,
    stage: Stage,
    stderr: StderrLog<String>,
    connect_ends: Moment,
    silence_ends: Moment,
    half_closed: Option<Moment>,
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
            stderr: StderrLog::new(errand.name.clone(), now),
            pool: errand.pool,
            place: errand.permit.place(),
            permit: Some(errand.permit),
            ended_at: now,
            client: errand.client,
            role: errand.role,
            is_idempotent: errand.is_idempotent,
            name: errand.name,
            connecting,
            channel,
            outgoing,
            stdin: Some(0),
            is_deaf: false,
            is_new: true,
            decoder: ResponseDecoder::default(),
            stage: Stage::Header(Vec::new()),
            connect_ends: now + terms.connect,
            silence_ends: now + terms.silence,
            half_closed: None,
            pace: None,
        }
    }

    /// The backend that was chosen.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Goes on as far as it goes without waiting.
    pub fn drive(&mut self, reply: &mut Reply<'_>, means: &mut Means<'_>) -> Driven {
        match self.step(reply, means) {
            Ok(None) => Driven::Parked(self.deadline(means.now)),
            Ok(Some(driven)) => driven,
            Err(reason) => Driven::Ended(self.fail(reason, "", reply, means.now)),
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
        if means.is_half_closed && self.half_closed.is_none() {
            self.half_closed = Some(now + means.terms.half_closed);
        }
        if !reply.is_held() && !reply.is_flushed() {
            self.flush(reply, means)?;
        }
        let mut received = 0;
        loop {
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
                    if !reply.is_held() && !reply.is_flushed() {
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
        Ok(None)
    }

    /// Begins to connect, if a connection is still to be made; false when that has to wait.
    fn connect(&mut self, now: Moment) -> Result<bool, Ended> {
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
                    return Ok(true);
                }
                Err(error) => error,
            },
        };
        log::debug!("{}: {}: {error}", self.name, self.pool.address(place));
        Err(self.unreachable(&error, now))
    }

    /// No connection came about.
    fn unreachable(&mut self, error: &io::Error, now: Moment) -> Ended {
        let place = self.place;
        let (reason, sentence) = diagnose(self.pool.address(place), error);
        log::error!("{}: {}: {sentence}", self.name, reason.code());
        self.answered();
        self.pool.failed(place, now);
        Ended::Elsewhere(reason)
    }

    /// Sends what the connection takes; false when it did not come about and another one may.
    fn send(&mut self, means: &Means<'_>) -> Result<bool, Reason> {
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
                    self.channel = None;
                    if let Some(connecting) = &mut self.connecting {
                        connecting.fail(error);
                    }
                    return Ok(false);
                }
                // What it has answered before it closed may be there to be read.
                Err(_) => self.is_deaf = true,
            }
        }
    }

    /// Queues more of the request's body.
    fn feed(&mut self, body: Option<&Spool>) {
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

    fn end_stdin(&mut self) {
        let header = request::encode_stdin_header(0);
        self.outgoing.bytes().extend_from_slice(&header);
        self.stdin = None;
    }

    /// Notes that bytes came.
    fn hear(&mut self, means: &Means<'_>) {
        self.silence_ends = means.now + means.terms.silence;
        if !std::mem::replace(&mut self.is_answered, true)
            && let Some(channel) = &mut self.channel
        {
            self.pool.accepted(self.place, channel);
            self.answered();
        }
    }

    /// Notes that nobody waits behind this request's connection any more.
    fn answered(&mut self) {
        if std::mem::take(&mut self.is_unanswered) {
            self.pool.answered(self.place, self.client);
        }
    }

    /// Takes what was received apart, and gives it to where it belongs.
    fn take_records(
        &mut self,
        reply: &mut Reply<'_>,
        means: &Means<'_>,
    ) -> Result<Option<EndRequest>, Reason> {
        let mut input = means.buffer.filled();
        let mut end = None;
        while let Some(event) = self.decoder.next(&mut input)? {
            match event {
                Event::Stdout(bytes) => self.take_output(bytes, reply, means.terms.max_header)?,
                Event::Stderr(bytes) => self.stderr.take(bytes, means.now),
                Event::End(request) => end = Some(request),
                Event::UnknownManagement(_) if self.outgoing.in_memory() > ANSWERS_MAX => {}
                Event::UnknownManagement(record_type) => {
                    request::encode_unknown_type(self.outgoing.bytes(), record_type);
                }
            }
        }
        Ok(end)
    }

    fn take_output(
        &mut self,
        bytes: &[u8],
        reply: &mut Reply<'_>,
        max_header: usize,
    ) -> Result<(), Reason> {
        match &mut self.stage {
            Stage::Passed(_) => {}
            Stage::Body => reply.push(bytes),
            Stage::Header(seen) if seen.is_empty() => {
                // Mostly the header comes in one piece.
                match response::parse(bytes, max_header)? {
                    Parsed::Complete { value, used } => self.begin(value, &bytes[used..], reply),
                    Parsed::Partial => seen.extend_from_slice(bytes),
                }
            }
            Stage::Header(seen) => {
                seen.extend_from_slice(bytes);
                if let Parsed::Complete { value, used } = response::parse(seen, max_header)? {
                    let body = seen.split_off(used);
                    self.begin(value, &body, reply);
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, mut head: CgiHead, body: &[u8], reply: &mut Reply<'_>) {
        if self.role == Role::Authorizer {
            let variables = authorizer::take_variables(&mut head.block);
            // A header that leads elsewhere (to a login page) has no Status, and is an answer.
            if head.kind == CgiResponse::Document && head.status == StatusCode::OK {
                self.stage = Stage::Passed(Some(Ended::Allowed(variables)));
                return;
            }
        }
        if let Some(outcome) = Outcome::elsewhere(&mut head) {
            self.stage = Stage::Passed(Some(Ended::Over(outcome)));
            return;
        }
        let response = ResponseHead {
            status: head.status,
            phrase: head.phrase,
            block: head.block,
        };
        reply.begin(response, head.content_length);
        reply.push(body);
        self.stage = Stage::Body;
    }

    fn flush(&mut self, reply: &mut Reply<'_>, means: &Means<'_>) -> Result<(), Reason> {
        let before = reply.sent();
        reply.flush().map_err(|_| Reason::ClientGone)?;
        let sent = reply.sent();
        if sent > before && self.half_closed.is_some() {
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
            Some(_) if self.is_connecting() => self.connect_ends,
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

    /// The connection was lost before the end of the request.
    fn closed(&mut self, error: Option<io::Error>, reply: &mut Reply<'_>, now: Moment) -> Ended {
        if !self.is_answered && !reply.is_begun() {
            if self.is_kept && self.may_be_stale(error.as_ref()) {
                log::debug!("{}: a kept connection was closed meanwhile", self.name);
                return Ended::Stale;
            }
            if self.is_connecting() {
                let error = error.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into());
                return self.unreachable(&error, now);
            }
        }
        let how = error.map_or(String::new(), |error| error.to_string());
        self.fail(Reason::FastcgiClosed, &how, reply, now)
    }

    /// Whether the application may have closed a kept connection before it saw the request. Where that
    /// is a process of the server's own a plain end says that it had read all there was: it has failed
    /// with the request, and what is not to be done twice is not tried on the next one.
    fn may_be_stale(&self, error: Option<&io::Error>) -> bool {
        let is_unread = self.outgoing.sent() == 0 || error.is_some();
        is_unread || self.is_idempotent || !self.pool.is_supervised()
    }

    /// The request has come to its end.
    fn finish(&mut self, end: EndRequest, reply: &mut Reply<'_>, now: Moment) -> Ended {
        let refused = match end.protocol_status {
            ProtocolStatus::RequestComplete => None,
            ProtocolStatus::Overloaded => Some(Reason::FastcgiOverloaded),
            ProtocolStatus::CantMpxConn => Some(Reason::FastcgiMultiplex),
            ProtocolStatus::UnknownRole => Some(Reason::FastcgiRole),
        };
        if let Some(reason) = refused {
            return self.fail(reason, "", reply, now);
        }
        self.pool.succeeded(self.place);
        let status = format!("status {}", end.app_status as i32);
        match &mut self.stage {
            Stage::Header(seen) => {
                let reason = response::ended(seen);
                return self.fail(reason, &status, reply, now);
            }
            Stage::Body if reply.finish() == Ending::Short => {
                return self.fail(Reason::CgiShort, &status, reply, now);
            }
            _ => {}
        }
        self.leave(now);
        self.stderr.finish(now);
        let remark = match end.app_status {
            _ if reply.has_excess() => Some(Reason::CgiLong),
            0 => None,
            _ => Some(Reason::FastcgiStatus),
        };
        if let Some(reason) = remark {
            log::warn!("{}: {}: {status}", self.name, reason.code());
        }
        if let Stage::Passed(ended) = &mut self.stage
            && let Some(ended) = ended.take()
        {
            return ended;
        }
        Ended::Over(Outcome::Answered(remark))
    }

    /// Keeps the connection, if both sides have said all that they had to.
    fn leave(&mut self, now: Moment) {
        self.ended_at = now;
        let is_done = self.stdin.is_none() && self.outgoing.is_empty();
        if let Some(channel) = self.channel.take()
            && is_done
        {
            self.pool.keep(self.place, channel, now);
        }
    }

    /// The request cannot be answered as it should be.
    fn fail(&mut self, reason: Reason, how: &str, reply: &mut Reply<'_>, now: Moment) -> Ended {
        self.ended_at = now;
        let was_sent = !self.is_connecting();
        self.channel = None;
        self.answered();
        let tail = self.stderr.finish(now);
        let seen: &[u8] = match &self.stage {
            Stage::Header(seen) => seen,
            _ => b"",
        };
        let address = self.pool.address(self.place);
        let detail = match how {
            "" => address.to_string(),
            how => format!("{address}, {how}"),
        };
        report(&self.name, reason, &detail, seen, &tail);
        if matches!(
            reason,
            Reason::FastcgiConnectTimeout | Reason::FastcgiVersion
        ) {
            self.pool.failed(self.place, now);
        }
        if reply.is_begun() {
            match reason {
                Reason::ClientGone | Reason::ClientSlow => reply.abandon(),
                _ => reply.cut(),
            }
            return Ended::Over(Outcome::Cut(reason));
        }
        let may_repeat = match reason {
            Reason::FastcgiOverloaded | Reason::FastcgiConnectTimeout => true,
            Reason::FastcgiClosed => !self.is_answered && (self.is_idempotent || !was_sent),
            _ => false,
        };
        match may_repeat {
            true => Ended::Elsewhere(reason),
            false => Ended::Over(Outcome::Failed(reason)),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.answered();
        self.channel = None;
        self.permit = None;
        self.pool.ended(self.place, self.ended_at);
    }
}
