//! One exchange: from a whole request to its response, in a straight line.
//!
//! Shape: [`answer`] resolves the path and has a file sent or a program run, through a [`Reply`];
//! [`refuse`] answers what cannot be gone on with.
//! Rules: a local redirect of a program is resolved again as a GET without a body, at most
//! [`REDIRECTS_MAX`] times. A client learns a status and an id; what went wrong inside is in the log
//! under that id.

mod variables;

use std::net::SocketAddr;

use super::Server;
use super::access_log::Entry;
use super::connection::{Connection, HALF_CLOSED_GRACE, Pending, Then};
use super::request::Request;
use super::worker::Worker;
use crate::handler::admission::{Admitted, Permit, Ticket};
use crate::handler::cgi::{self, Outcome, Terms};
use crate::handler::error_page::{self, Form, Frame};
use crate::handler::reply::{Draft, Envelope, Reply};
use crate::handler::script::Script;
use crate::handler::site::Resource;
use crate::handler::static_file::{self, FileRequest};
use crate::handler::{Body, Response};
use crate::proto::Reason;
use crate::proto::cgi::arguments::indexed_query;
use crate::proto::http::head::{RequestHead, Version};
use crate::proto::http::negotiate::prefers_html;
use crate::proto::http::persist::{self, Persistence};
use crate::proto::http::response::{Connection as ConnectionField, ResponseHead};
use crate::proto::http::status::StatusCode;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::target::Target;

/// How many local redirects may follow one another.
const REDIRECTS_MAX: usize = 10;

/// What a client that finds all programs busy is told to wait, in seconds.
const RETRY_AFTER: &str = "2";

/// What a server of files and programs understands, for OPTIONS and refused methods.
const ALLOWED: &str = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";

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
    /// All programs are busy: this is its place in the line.
    Wait(Ticket),
}

/// Answers a whole request.
pub fn answer(
    connection: &mut Connection,
    pending: &mut Pending,
    permit: Option<Permit>,
    worker: &mut Worker<'_>,
) -> Answer {
    let head = &pending.head;
    let request = match Request::read(head) {
        Ok(request) => request,
        Err(reason) => return Answer::Refused(reason),
    };
    let mut exchange = Exchange {
        server: worker.server,
        number: connection.number,
        listener: connection.listener,
        peer: connection.peer,
        is_head: head.method() == "HEAD",
        request,
        id: None,
        now: worker.seconds(),
    };
    let goes_on = persist::of_request(head) == Persistence::Keep;
    let keeps = goes_on && !pending.is_unread && !worker.server.is_stopping();
    let envelope = Envelope {
        version: head.version(),
        is_head: exchange.is_head,
        connection: connection_field(keeps, head.version()),
        date: worker.date(),
    };
    let mut reply = connection.reply(&worker.server.room, Draft::new(envelope));
    let body = pending.body.as_ref();
    let reason = match exchange.give(&mut reply, body, permit, worker) {
        Given::Answered(reason) => reason,
        Given::Wait(ticket) => return Answer::Wait(ticket),
    };
    let mut entry = worker.entry(exchange.peer, head.request_line(), head, pending.started);
    if let Some(entry) = &mut entry {
        let untold = reason.map_or(StatusCode::OK, Reason::status);
        entry.status = reply.status().unwrap_or(untold);
        entry.body_len = reply.body_len();
        entry.reason = reason;
    }
    let then = match reply.closes() {
        _ if pending.is_unread => Then::Linger,
        // Its next request, unread, would turn the close into a reset.
        true if goes_on => Then::Linger,
        true => Then::Close,
        false => Then::Keep,
    };
    Answer::Given { entry, then }
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
}

/// What all steps of one exchange know.
struct Exchange<'e> {
    server: &'e Server,
    number: u32,
    listener: usize,
    peer: Option<SocketAddr>,
    is_head: bool,
    request: Request<'e>,
    id: Option<String>,
    now: u64,
}

/// A resource to be answered with: that of the request, or that of a local redirect.
struct Subject<'t> {
    target: Target<'t>,
    request_uri: &'t [u8],
    method: &'t str,
    body: Option<&'t crate::sys::spool::Spool>,
    is_redirected: bool,
}

impl<'e> Exchange<'e> {
    /// Gives the response.
    fn give(
        &mut self,
        reply: &mut Reply<'_>,
        body: Option<&crate::sys::spool::Spool>,
        permit: Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Given {
        if self.request.is_pathless() {
            return self.give_pathless(reply);
        }
        let head = self.request.head;
        let target = self.request.target;
        let subject = Subject {
            target,
            request_uri: &origin_form(&target),
            method: head.method(),
            body,
            is_redirected: false,
        };
        let mut permit = permit;
        let mut outcome = match self.give_subject(&subject, reply, &mut permit, worker) {
            Step::Wait(ticket) => return Given::Wait(ticket),
            Step::Over(outcome) => outcome,
        };
        for _ in 0..REDIRECTS_MAX {
            let Outcome::LocalRedirect(location) = outcome else {
                break;
            };
            outcome = match Target::parse("GET", &location) {
                Ok(target) => {
                    let subject = Subject {
                        target,
                        request_uri: &origin_form(&target),
                        method: "GET",
                        body: None,
                        is_redirected: true,
                    };
                    // The permit of the first program serves the next one.
                    match self.give_subject(&subject, reply, &mut permit, worker) {
                        Step::Wait(_) => Outcome::Failed(Reason::CgiBusy),
                        Step::Over(outcome) => outcome,
                    }
                }
                Err(_) => Outcome::Failed(Reason::CgiLocation),
            };
        }
        drop(permit);
        Given::Answered(match outcome {
            Outcome::Answered(reason) => reason,
            Outcome::Cut(reason) => Some(reason),
            Outcome::Failed(reason @ (Reason::ClientGone | Reason::ClientSlow)) => {
                reply.cut(); // Nobody is left to be told.
                Some(reason)
            }
            Outcome::Failed(reason) => self.give_error(reply, reason),
            Outcome::LocalRedirect(_) => self.give_error(reply, Reason::CgiRedirects),
        })
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
        match server.site.resolve(&path) {
            Err(reason) => {
                if matches!(reason, Reason::CgiDenied | Reason::CgiNotExecutable) {
                    // The owner of the site is to mend this, and sees no more than the log.
                    let path = String::from_utf8_lossy(path.as_bytes());
                    let (id, code, meaning) = (self.id(), reason.code(), reason.meaning());
                    log::error!("{id} {path}: {code}: {meaning}");
                }
                Step::failed(reason)
            }
            Ok(Resource::File(root, rest)) => {
                let file = FileRequest {
                    head: self.request.head,
                    method: subject.method,
                    path: &path,
                    rest,
                    query: subject.target.query,
                    now: self.now,
                };
                let response = static_file::respond(root, &server.site.cache, &file);
                let reason = response.reason;
                let response = self.explain(response);
                reply.respond(response);
                Step::Over(Outcome::Answered(reason))
            }
            Ok(Resource::Script(script)) => {
                if permit.is_none() {
                    match server.admission.ask(self.number, |_| true) {
                        Admitted::Now(granted) => *permit = Some(granted),
                        Admitted::Wait(ticket) => return Step::Wait(ticket),
                        Admitted::Full => return Step::failed(Reason::CgiBusy),
                    }
                }
                Step::Over(self.run(*script, subject, reply, worker))
            }
        }
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
        if let Err(reason) = self.fill(&mut worker.variables, &script, subject, reply) {
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
        let frame = frame(self.server, self.request.head, &id, self.now);
        error_page::explain(response, &frame)
    }

    fn id(&mut self) -> String {
        self.id.get_or_insert_with(|| self.server.next_id()).clone()
    }
}

/// What a step towards the response led to.
enum Step {
    Over(Outcome),
    Wait(Ticket),
}

impl Step {
    fn failed(reason: Reason) -> Step {
        Step::Over(Outcome::Failed(reason))
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

fn error_response(
    server: &Server,
    head: &RequestHead,
    reason: Reason,
    id: &str,
    now: u64,
) -> Response {
    let mut response = error_page::error_response(reason, &frame(server, head, id, now));
    match reason {
        Reason::CgiBusy => response.head.field("Retry-After", RETRY_AFTER),
        Reason::MethodRefused => response.head.field("Allow", ALLOWED),
        _ => {}
    }
    response
}

fn frame<'f>(server: &'f Server, head: &RequestHead, id: &'f str, now: u64) -> Frame<'f> {
    Frame {
        request_id: id,
        form: if prefers_html(head.field("accept")) {
            Form::Html
        } else {
            Form::Text
        },
        site: server
            .site
            .document_root()
            .map(|root| (root, &server.site.cache)),
        now,
    }
}
