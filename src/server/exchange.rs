//! One exchange: from a whole request to its response, in a straight line.
//!
//! Shape: [`answer`] resolves the path and has a file sent, a program run or an application asked, through
//! a [`Reply`]; [`refuse`] answers what cannot be gone on with. What has to wait leaves the exchange as a
//! [`Course`], from which it is taken up again.
//! Rules: a local redirect of a program is resolved again as a GET without a body, at most
//! [`REDIRECTS_MAX`] times. A client learns a status and an id; what went wrong inside is in the log
//! under that id.

mod course;
mod errors;
#[cfg(feature = "fastcgi")]
mod forward;
mod variables;

use std::net::SocketAddr;

pub use course::{Course, Turn};
use errors::{ALLOWED, error_response};
#[cfg(feature = "fastcgi")]
pub use forward::{Client, Forward, go_on};

use super::Server;
use super::access_log::Entry;
use super::connection::{Connection, HALF_CLOSED_GRACE, Pending, Then};
use super::request::Request;
use super::worker::Worker;
use crate::handler::admission::{Admitted, Permit, Ticket};
use crate::handler::cgi::{self, Outcome, Terms};
use crate::handler::error_page;
use crate::handler::handover::{self, Handover, HandoverRequest};
use crate::handler::reply::{Draft, Envelope, Reply};
use crate::handler::script::Script;
use crate::handler::site::Resource;
use crate::handler::static_file::{self, FileRequest};
use crate::handler::{Body, Response};
use crate::proto::Reason;
use crate::proto::cgi::arguments::indexed_query;
use crate::proto::http::head::{RequestHead, Version};
use crate::proto::http::persist::{self, Persistence};
use crate::proto::http::response::{Connection as ConnectionField, ResponseHead};
use crate::proto::http::status::StatusCode;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::target::Target;
use crate::sys::spool::Spool;

/// How many local redirects may follow one another.
const REDIRECTS_MAX: usize = 10;

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// The response was given.
    Given {
        /// Its line in the access log.
        entry: Option<Box<Entry>>,
        /// What becomes of the connection.
        then: Then,
    },
    /// The head is not in order, and nothing was given.
    Refused(Reason),
    /// Whoever is to answer is busy: this is its place in the line.
    Wait(Box<Course>, Ticket),
    /// An application was asked.
    #[cfg(feature = "fastcgi")]
    Forwarded(Box<Forward>),
}

/// Answers a whole request, or goes on with it where its turn has come.
pub fn answer(
    connection: &mut Connection,
    pending: &Pending,
    turn: Turn,
    worker: &mut Worker<'_>,
) -> Answer {
    let mut exchange = match Exchange::of(connection, pending, worker) {
        Ok(exchange) => exchange,
        Err(reason) => return Answer::Refused(reason),
    };
    let draft = Draft::new(exchange.envelope(pending, worker));
    let mut reply = connection.reply(&worker.server.room, draft);
    let given = match turn {
        Turn::First if exchange.request.is_pathless() => exchange.give_pathless(&mut reply),
        Turn::First => exchange.give(&mut reply, None, worker),
        Turn::Come(course, permit) => {
            exchange.course = *course;
            exchange.give(&mut reply, permit, worker)
        }
        Turn::Never(course) => {
            exchange.course = *course;
            Given::Answered(exchange.give_error(&mut reply, Reason::FastcgiDown))
        }
    };
    exchange.conclude(given, reply, pending, worker)
}

/// Answers a request that cannot be gone on with; the connection is to be closed. The head may be
/// empty.
pub fn refuse(
    connection: &mut Connection,
    head: &RequestHead,
    reason: Reason,
    worker: &mut Worker<'_>,
) -> Option<Box<Entry>> {
    let envelope = Envelope {
        version: Version::Http11,
        is_head: head.method() == "HEAD",
        connection: ConnectionField::Close,
        date: worker.date(),
    };
    let mut reply = connection.reply(&worker.server.room, Draft::new(envelope));
    let id = worker.server.next_id();
    reply.respond(error_response(
        worker.server,
        head,
        reason,
        &id,
        worker.seconds(),
    ));
    let body_len = reply.body_len();
    log::debug!("{id}: {}: {}", reason.code(), reason.meaning());
    let line = match head.request_line() {
        [] => connection.input_line(),
        line => line,
    };
    let started = worker.server.clock.micros();
    let mut entry = worker.entry(connection.peer, line, head, started);
    if let Some(entry) = &mut entry {
        entry.status = reason.status();
        entry.body_len = body_len;
        entry.reason = Some(reason);
    }
    entry
}

/// What came of giving a response.
enum Given {
    Answered(Option<Reason>),
    Wait(Ticket),
    #[cfg(feature = "fastcgi")]
    Forwarded(forward::Parked),
}

/// What all steps of one exchange know.
struct Exchange<'e> {
    server: &'e Server,
    number: u32,
    listener: usize,
    peer: Option<SocketAddr>,
    request: Request<'e>,
    body: Option<&'e Spool>,
    now: u64,
    /// How far it has come.
    course: Course,
}

/// A resource to be answered with: that of the request, or one that stands in for it.
struct Subject<'t> {
    target: Target<'t>,
    request_uri: &'t [u8],
    method: &'t str,
    body: Option<&'t Spool>,
    is_redirected: bool,
}

impl<'e> Exchange<'e> {
    /// The exchange that a request begins.
    fn of(
        connection: &Connection,
        pending: &'e Pending,
        worker: &Worker<'e>,
    ) -> Result<Exchange<'e>, Reason> {
        Ok(Exchange {
            server: worker.server,
            number: connection.number,
            listener: connection.listener,
            peer: connection.peer,
            request: Request::read(&pending.head)?,
            body: pending.body.as_ref(),
            now: worker.seconds(),
            course: Course::default(),
        })
    }

    /// What the request decides about the head of its response.
    fn envelope(&self, pending: &Pending, worker: &mut Worker<'_>) -> Envelope {
        let head = self.request.head;
        let goes_on = persist::of_request(head) == Persistence::Keep;
        let keeps = goes_on && !pending.is_unread && !worker.server.is_stopping();
        Envelope {
            version: head.version(),
            is_head: head.method() == "HEAD",
            connection: connection_field(keeps, head.version()),
            date: worker.date(),
        }
    }

    /// Turns what came of it into what the connection has to know.
    fn conclude(
        self,
        given: Given,
        reply: Reply<'_>,
        pending: &Pending,
        worker: &mut Worker<'_>,
    ) -> Answer {
        let reason = match given {
            Given::Answered(reason) => reason,
            Given::Wait(ticket) => return Answer::Wait(Box::new(self.course), ticket),
            #[cfg(feature = "fastcgi")]
            Given::Forwarded(parked) => {
                return Answer::Forwarded(Box::new(Forward::new(parked, reply, self.course)));
            }
        };
        let head = self.request.head;
        let mut entry = worker.entry(self.peer, head.request_line(), head, pending.started);
        if let Some(entry) = &mut entry {
            let untold = reason.map_or(StatusCode::OK, Reason::status);
            entry.status = reply.status().unwrap_or(untold);
            entry.body_len = reply.body_len();
            entry.reason = reason;
        }
        let goes_on = persist::of_request(head) == Persistence::Keep;
        let then = match reply.closes() {
            _ if pending.is_unread => Then::Linger,
            // Its next request, unread, would turn the close into a reset.
            true if goes_on => Then::Linger,
            true => Then::Close,
            false => Then::Keep,
        };
        Answer::Given { entry, then }
    }

    /// Gives the response, from where the course has come to.
    fn give(
        &mut self,
        reply: &mut Reply<'_>,
        permit: Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Given {
        let mut permit = permit;
        let step = self.take_step(reply, &mut permit, worker);
        self.follow(step, reply, permit, worker)
    }

    /// Goes on until the response is given, or something has to be waited for.
    fn follow(
        &mut self,
        step: Step,
        reply: &mut Reply<'_>,
        mut permit: Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Given {
        let mut step = step;
        loop {
            let outcome = match step {
                Step::Over(outcome) => outcome,
                Step::Wait(ticket) => return Given::Wait(ticket),
                #[cfg(feature = "fastcgi")]
                Step::Forwarded(parked) => return Given::Forwarded(parked),
                Step::Again => {
                    step = self.take_step(reply, &mut permit, worker);
                    continue;
                }
            };
            let reason = match outcome {
                Outcome::LocalRedirect(_) if self.course.redirects >= REDIRECTS_MAX => {
                    self.give_error(reply, Reason::CgiRedirects)
                }
                Outcome::LocalRedirect(location) => {
                    self.course.redirect(location);
                    // The permit of the first program serves the next one.
                    step = self.take_step(reply, &mut permit, worker);
                    continue;
                }
                Outcome::SendFile(handover) => self.hand_over(reply, &handover),
                Outcome::Answered(reason) => reason,
                Outcome::Cut(reason) => Some(reason),
                Outcome::Failed(reason @ (Reason::ClientGone | Reason::ClientSlow)) => {
                    reply.cut(); // Nobody is left to be told.
                    Some(reason)
                }
                Outcome::Failed(reason) => self.give_error(reply, reason),
            };
            return Given::Answered(reason);
        }
    }

    fn give_pathless(&mut self, reply: &mut Reply<'_>) -> Given {
        if self.request.head.method() == "OPTIONS" {
            let mut head = ResponseHead::new(StatusCode::NO_CONTENT);
            head.field("Allow", ALLOWED);
            reply.respond(Response {
                head,
                body: Body::Empty,
                reason: None,
            });
            return Given::Answered(None);
        }
        Given::Answered(self.give_error(reply, Reason::MethodRefused))
    }

    /// Takes the next step: resolves what the course is at, and has it answered.
    fn take_step(
        &mut self,
        reply: &mut Reply<'_>,
        permit: &mut Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Step {
        let own_target = self.request.target;
        let own_uri = origin_form(&own_target);
        let location = self.course.location.clone();
        let subject = match &location {
            None => Subject {
                target: match self.server.site.fallback() {
                    Some(fallback) if self.course.falls_back => standing_in(fallback, own_target),
                    _ => own_target,
                },
                request_uri: &own_uri,
                method: self.request.head.method(),
                body: self.body,
                is_redirected: false,
            },
            Some(location) => match Target::parse("GET", location) {
                Ok(target) => Subject {
                    target,
                    request_uri: location,
                    method: "GET",
                    body: None,
                    is_redirected: true,
                },
                Err(_) => return Step::failed(Reason::CgiLocation),
            },
        };
        self.give_subject(&subject, reply, permit, worker)
    }

    fn give_subject(
        &mut self,
        subject: &Subject<'_>,
        reply: &mut Reply<'_>,
        permit: &mut Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Step {
        let path = match UrlPath::decode(subject.target.path) {
            Ok(path) => path,
            Err(reason) => return Step::failed(reason),
        };
        let server = self.server;
        let resource = match server.site.resolve(&path) {
            Ok(resource) => resource,
            Err(reason) if self.falls_back(reason, &path) => return Step::Again,
            Err(reason) => {
                if matches!(reason, Reason::CgiDenied | Reason::CgiNotExecutable) {
                    // The owner of the site is to mend this, and sees no more than the log.
                    let path = String::from_utf8_lossy(path.as_bytes());
                    let (id, code, meaning) = (self.id(), reason.code(), reason.meaning());
                    log::error!("{id} {path}: {code}: {meaning}");
                }
                return Step::failed(reason);
            }
        };
        #[cfg(feature = "fastcgi")]
        if let Some(step) = self.ask_guard(&path, &resource, subject, reply, permit, worker) {
            return step;
        }
        match resource {
            Resource::File(root, rest) => {
                let file = FileRequest {
                    head: self.request.head,
                    method: subject.method,
                    path: &path,
                    rest,
                    query: subject.target.query,
                    now: self.now,
                };
                let response = static_file::respond(root, &server.site.cache, &file);
                match response.reason {
                    Some(reason) if self.falls_back(reason, &path) => Step::Again,
                    reason => {
                        let response = self.explain(response);
                        reply.respond(response);
                        Step::Over(Outcome::Answered(reason))
                    }
                }
            }
            Resource::Script(script) => {
                if !permit
                    .as_ref()
                    .is_some_and(|permit| permit.is_of(&server.admission))
                {
                    match server.admission.ask(self.number, |_| true) {
                        Admitted::Now(granted) => *permit = Some(granted),
                        // A program that redirects gave its own turn for this one.
                        Admitted::Wait(ticket) => return self.wait(ticket, Reason::CgiBusy),
                        Admitted::Full => return Step::failed(Reason::CgiBusy),
                    }
                }
                Step::Over(self.run(*script, subject, reply, worker))
            }
            #[cfg(feature = "fastcgi")]
            Resource::Application(number, script) => {
                self.ask_application(number, &script, subject, reply, permit, worker)
            }
        }
    }

    /// Whether the fallback is to be answered with in place of what was refused; once only.
    fn falls_back(&mut self, reason: Reason, path: &UrlPath<'_>) -> bool {
        let falls_back = !self.course.falls_back
            && self.course.location.is_none()
            && self.server.site.falls_back(reason, path);
        if falls_back {
            self.course.fall_back();
        }
        falls_back
    }

    /// Sends the file that a program names.
    fn hand_over(&mut self, reply: &mut Reply<'_>, handover: &Handover) -> Option<Reason> {
        let name = self.id();
        let request = HandoverRequest {
            head: self.request.head,
            method: match self.course.location {
                None => self.request.head.method(),
                Some(_) => "GET",
            },
            now: self.now,
            name: &name,
        };
        match handover::respond(&self.server.site, handover, &request) {
            Ok(response) => {
                let reason = response.reason;
                let response = self.explain(response);
                reply.respond(response);
                reason
            }
            Err(reason) => self.give_error(reply, reason),
        }
    }

    /// Waits in line; this is the reason where it comes to nothing.
    fn wait(&mut self, ticket: Ticket, busy: Reason) -> Step {
        self.course.busy = Some(busy);
        Step::Wait(ticket)
    }

    /// Runs a program.
    fn run(
        &mut self,
        mut script: Script,
        subject: &Subject<'_>,
        reply: &mut Reply<'_>,
        worker: &mut Worker<'_>,
    ) -> Outcome {
        let server = self.server;
        let id = self.id();
        let name = format!("{id} {}", String::from_utf8_lossy(&script.script_name));
        let pass = server.settings.authorization;
        if let Err(reason) = self.fill(&mut worker.variables, &script, subject, pass, reply) {
            return Outcome::Failed(reason);
        }
        for dropped in worker.variables.dropped() {
            log::info!("{name}: the field {dropped} was not passed on");
        }
        if !script.is_interpreted {
            script.arguments = indexed_query(subject.method, subject.target.query);
        }
        let terms = Terms {
            silence: server.settings.cgi_timeout,
            send_window: server.settings.send_timeout,
            half_closed: HALF_CLOSED_GRACE,
            max_header: server.settings.max_header,
            clock: &server.clock,
            halt: &server.halt,
        };
        worker.leave_seat();
        let stdin = subject
            .body
            .filter(|body| !body.is_empty())
            .map(|body| body.content());
        cgi::run(
            &script,
            &worker.variables,
            stdin,
            reply,
            &mut worker.buffer,
            &terms,
            &name,
        )
    }

    /// Gives an error page.
    fn give_error(&mut self, reply: &mut Reply<'_>, reason: Reason) -> Option<Reason> {
        let id = self.id();
        if self.server.is_stopping() {
            reply.close();
        }
        reply.respond(error_response(
            self.server,
            self.request.head,
            reason,
            &id,
            self.now,
        ));
        Some(reason)
    }

    /// Gives a bare error of the file handler its page.
    fn explain(&mut self, response: Response) -> Response {
        if response.reason.is_none() {
            return response;
        }
        let id = self.id();
        let frame = errors::frame(self.server, self.request.head, &id, self.now);
        error_page::explain(response, &frame)
    }

    fn id(&mut self) -> String {
        let id = &mut self.course.id;
        id.get_or_insert_with(|| self.server.next_id()).clone()
    }
}

/// What a step towards the response led to.
enum Step {
    Over(Outcome),
    Wait(Ticket),
    /// An application was asked, and its answer is waited for.
    #[cfg(feature = "fastcgi")]
    Forwarded(forward::Parked),
    /// The course has changed: the next step is to be taken.
    Again,
}

impl Step {
    fn failed(reason: Reason) -> Step {
        Step::Over(Outcome::Failed(reason))
    }
}

/// The fallback in place of what was asked for, whose query it takes over if it has none of its own.
fn standing_in<'t>(fallback: &'t [u8], own: Target<'t>) -> Target<'t> {
    let mut parts = fallback.splitn(2, |&byte| byte == b'?');
    Target {
        path: parts.next().unwrap_or(fallback),
        query: parts.next().or(own.query),
        ..own
    }
}

/// REQUEST_URI is the path and query, also where the client sent the absolute form.
fn origin_form(target: &Target<'_>) -> Vec<u8> {
    match target.query {
        Some(query) => [target.path, b"?", query].concat(),
        None => target.path.to_vec(),
    }
}

fn connection_field(keeps: bool, version: Version) -> ConnectionField {
    match (keeps, version) {
        (false, _) => ConnectionField::Close,
        (true, Version::Http10) => ConnectionField::KeepAlive,
        (true, Version::Http11) => ConnectionField::Keep,
    }
}
