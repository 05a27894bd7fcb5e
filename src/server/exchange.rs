//! One exchange: from a whole request to its response, in a straight line.
//!
//! Shape: [`answer`] gives the response through a [`Reply`], step by step (`resource.rs`); [`refuse`]
//! answers what cannot be gone on with. What has to wait leaves the exchange as a [`Course`], from which
//! it is taken up again.
//! Rules: a local redirect of a program is resolved again as a GET without a body, at most
//! [`REDIRECTS_MAX`] times. A client learns a status and an id; what went wrong inside is in the log
//! under that id.

mod course;
mod errors;
#[cfg(feature = "fastcgi")]
mod forward;
#[cfg(feature = "auth")]
mod login;
mod resource;
mod variables;

pub use course::{Course, Turn};
use errors::{ALLOWED, error_response};
#[cfg(feature = "fastcgi")]
pub use forward::{Client, Forward, go_on};
#[cfg(feature = "auth")]
pub use login::WRONG_PAUSE;
use resource::Step;

use std::sync::Arc;

use super::Server;
use super::access_log::Entry;
use super::connection::{Connection, Pending, Then};
use super::origin::Origin;
use super::record::Record;
use super::request::Request;
use super::served::Hosted;
use super::worker::Worker;
use crate::config::Explain;
use crate::handler::admission::{Party, Permit, Ticket};
use crate::handler::cgi::Outcome;
use crate::handler::error_page;
use crate::handler::reply::{Draft, Envelope, Reply};
use crate::handler::report::Id;
#[cfg(feature = "fastcgi")]
use crate::handler::report::report;
use crate::handler::{Body, Response};
use crate::proto::Reason;
use crate::proto::finding::Finding;
use crate::proto::http::head::{RequestHead, Version};
use crate::proto::http::host;
use crate::proto::http::persist::Persistence;
use crate::proto::http::response::{Connection as ConnectionField, ResponseHead};
use crate::proto::http::status::StatusCode;
#[cfg(feature = "auth")]
use crate::sys::clock::Moment;
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
    /// A door has let the request through: its body can be received.
    #[cfg(feature = "auth")]
    LetIn(Box<Course>),
    /// The client is to be kept waiting until then.
    #[cfg(feature = "auth")]
    Pause(Box<Course>, Moment),
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
    let (permit, lost) = match turn {
        Turn::First => {
            exchange.course.record = worker.record(pending.started);
            (None, None)
        }
        Turn::Come(course, permit) => {
            exchange.go_on(*course);
            (permit, None)
        }
        Turn::Never(course, reason) => {
            exchange.go_on(*course);
            (None, Some(reason))
        }
    };
    if pending.body.is_some() {
        exchange.course.record.receive_body(worker.server);
    }
    let mut draft = Draft::new(exchange.envelope(pending, worker));
    exchange.course.record.lend_head(&mut draft);
    let mut reply = connection.reply(&worker.server.room, draft);
    let given = match lost {
        Some(reason) => Given::Answered(exchange.give_error(&mut reply, reason)),
        #[cfg(feature = "auth")]
        None if pending.behind_door.is_some() => exchange.knock(&mut reply, permit, worker),
        None if exchange.request.is_pathless() => exchange.give_pathless(&mut reply),
        None => exchange.give(&mut reply, permit, worker),
    };
    exchange.conclude(given, reply, pending, worker)
}

/// Answers a request that cannot be gone on with; the connection is to be closed. The head may be
/// empty.
pub fn refuse(
    connection: &mut Connection,
    head: &RequestHead,
    reason: Reason,
    record: Record,
    worker: &mut Worker<'_>,
) -> Option<Box<Entry>> {
    let envelope = Envelope {
        version: Version::Http11,
        // As far as can be told: what is wrong may stand behind the request line.
        is_head: request_line(connection, head).starts_with(b"HEAD "),
        connection: ConnectionField::Close,
        date: worker.date(),
    };
    let served = Arc::clone(&worker.served);
    // An unknown host learns nothing of any site, and has its line in the log of the first.
    let of_head = served.site_of(head);
    let hosted = of_head.unwrap_or(&served.sites[0]);
    let started = worker.started(hosted);
    let mut record = record;
    if !record.is_kept() {
        record = worker.record(started);
    }
    let mut draft = Draft::new(envelope);
    record.lend_head(&mut draft);
    let mut reply = connection.reply(&worker.server.room, draft);
    let id = worker.server.next_id();
    reply.respond(error_response(
        of_head.map(|hosted| &hosted.site),
        head,
        reason,
        &id.to_string(),
        worker.seconds(),
        None,
        &[],
    ));
    let body_len = reply.body_len();
    record.answer(head.bytes(), None, Some(id), &mut reply);
    log::debug!("{id}: {}: {}", reason.code(), reason.meaning());
    let line = request_line(connection, head);
    // Where it cannot be told whom it is from, the connection is known.
    let proxies = &hosted.settings.proxies;
    let origin = connection.peer.origin(head, proxies);
    let origin = origin.unwrap_or(connection.peer.itself());
    let mut entry = worker.entry(hosted, (&origin, None), line, head, started, record);
    if let Some(entry) = &mut entry {
        entry.status = reason.status();
        entry.body_len = body_len;
        entry.reason = Some(reason);
    }
    entry
}

/// The request line, or as much of one as came where the head is none.
fn request_line<'l>(connection: &'l Connection, head: &'l RequestHead) -> &'l [u8] {
    match head.request_line() {
        [] => connection.input_line(),
        line => line,
    }
}

/// What came of giving a response.
enum Given {
    Answered(Option<Reason>),
    Wait(Ticket),
    #[cfg(feature = "auth")]
    LetIn,
    #[cfg(feature = "auth")]
    Pause(Moment),
    #[cfg(feature = "fastcgi")]
    Forwarded(forward::Parked),
}

/// What all steps of one exchange know.
struct Exchange<'e> {
    server: &'e Server,
    hosted: &'e Hosted,
    number: u32,
    listener: usize,
    origin: Origin,
    request: Request<'e>,
    body: Option<&'e Spool>,
    now: u64,
    /// How far it has come.
    course: Course,
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
            hosted: &pending.hosted,
            number: connection.number,
            listener: connection.listener,
            origin: connection
                .peer
                .origin(&pending.head, &pending.hosted.settings.proxies)?,
            request: Request::read(&pending.head)?,
            body: pending.body.as_ref(),
            now: worker.seconds(),
            course: Course::default(),
        })
    }

    /// Takes up how far it had come.
    fn go_on(&mut self, course: Course) {
        self.course = course;
        self.course.record.go_on(self.server);
    }

    /// What the request decides about the head of its response.
    fn envelope(&self, pending: &Pending, worker: &mut Worker<'_>) -> Envelope {
        let head = self.request.head;
        let goes_on = self.request.persistence == Persistence::Keep;
        let keeps = goes_on && !pending.leaves_body() && !worker.server.is_leaving();
        Envelope {
            version: head.version(),
            is_head: head.method() == "HEAD",
            connection: connection_field(keeps, head.version()),
            date: worker.date(),
        }
    }

    /// Turns what came of it into what the connection has to know.
    fn conclude(
        mut self,
        given: Given,
        mut reply: Reply<'_>,
        pending: &Pending,
        worker: &mut Worker<'_>,
    ) -> Answer {
        let reason = match given {
            Given::Answered(reason) => reason,
            Given::Wait(ticket) => return Answer::Wait(Box::new(self.course), ticket),
            #[cfg(feature = "auth")]
            Given::LetIn => return Answer::LetIn(Box::new(self.course)),
            #[cfg(feature = "auth")]
            Given::Pause(until) => return Answer::Pause(Box::new(self.course), until),
            #[cfg(feature = "fastcgi")]
            Given::Forwarded(parked) => {
                return Answer::Forwarded(Box::new(Forward::new(parked, reply, self.course)));
            }
        };
        let head = self.request.head;
        let mut record = std::mem::take(&mut self.course.record);
        let id = self.course.id;
        record.answer(head.bytes(), pending.body.as_ref(), id, &mut reply);
        let line = head.request_line();
        let whom = (&self.origin, self.course.user());
        let mut entry = worker.entry(self.hosted, whom, line, head, pending.started, record);
        if let Some(entry) = &mut entry {
            let untold = reason.map_or(StatusCode::OK, Reason::status);
            entry.status = reply.status().unwrap_or(untold);
            entry.body_len = reply.body_len();
            entry.reason = reason;
        }
        let goes_on = self.request.persistence == Persistence::Keep;
        let then = match reply.closes() {
            _ if pending.leaves_body() => Then::Linger,
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
                #[cfg(feature = "auth")]
                Step::Pause(until) => return Given::Pause(until),
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
        if self.request.head.method() == "CONNECT" {
            // Security: a client that takes the tunnel for granted sends what is meant for somebody else.
            reply.close();
        }
        Given::Answered(self.give_error(reply, Reason::MethodRefused))
    }

    /// Gives an error page, with what was found out where the client may know it.
    fn give_error(&mut self, reply: &mut Reply<'_>, reason: Reason) -> Option<Reason> {
        let id = self.id().to_string();
        self.find_untold(reason);
        let finding = self.take_finding();
        let finding = finding.filter(|it| it.reason() == Some(reason) && self.explains());
        if self.server.is_leaving() {
            reply.close();
        }
        let head = self.request.head;
        let (finding, times) = (finding.as_deref(), &self.course.times);
        let site = Some(&self.hosted.site);
        let mut response = error_response(site, head, reason, &id, self.now, finding, times);
        if response.head.status == StatusCode::UNAUTHORIZED
            && let Some(challenge) = self.course.challenge()
        {
            response.head.field("WWW-Authenticate", challenge);
        }
        reply.respond(response);
        Some(reason)
    }

    /// Finds out what nobody has who ran something, as nothing ran. Rules: that nobody is left is in the
    /// log; that all are busy is not, which a flood of requests would fill.
    fn find_untold(&mut self, reason: Reason) {
        if self.course.finding.is_some() {
            return;
        }
        let finding = match reason {
            #[cfg(feature = "fastcgi")]
            Reason::FastcgiDown => match &self.course.waits_for {
                Some(pool) => {
                    let finding = pool.down();
                    report(&self.id(), &finding, "not asked");
                    finding
                }
                None => return,
            },
            Reason::CgiBusy | Reason::FastcgiBusy => Finding::error(
                reason,
                reason.meaning(),
                "have each request take less time, or let more of them be served at once: --max-processes, \
                 --max-backend",
            ),
            _ => return,
        };
        self.course.finding = Some(Box::new(finding));
    }

    /// What was found out, for who is told of it; the console is told of it always.
    fn take_finding(&mut self) -> Option<Box<Finding>> {
        let finding = self.course.finding.take();
        self.course.record.find(finding.as_deref());
        finding
    }

    /// Gives a bare error of the file handler its page.
    fn explain(&mut self, response: Response) -> Response {
        if response.reason.is_none() {
            return response;
        }
        let id = self.id().to_string();
        let finding = self.take_finding().filter(|_| self.explains());
        let frame = errors::frame(
            Some(&self.hosted.site),
            self.request.head,
            &id,
            self.now,
            finding.as_deref(),
        );
        error_page::explain(response, &frame)
    }

    /// Whether the client is told what went wrong inside.
    fn explains(&self) -> bool {
        match self.hosted.explain {
            Explain::Nobody => false,
            Explain::Everybody => true,
            // Security: a proxy that nobody told us of passes on the world's requests (nginx, told no more
            // than where, as HTTP/1.0 and under the name it knows us by), and a page elsewhere can have
            // a browser here ask for what it gives a name of its own (DNS rebinding).
            Explain::Local => {
                let mut fields = self.request.head.field_lines();
                let whom = self.origin.whom.address();
                let host = self.request.authority.map(|authority| authority.host);
                whom.is_some_and(|whom| whom.is_loopback())
                    && self.request.head.version() == Version::Http11
                    && host.is_none_or(host::is_loopback)
                    && !fields.any(|(name, _)| errors::is_by_proxy(name))
            }
        }
    }

    /// Whom the request counts to in a waiting line.
    fn party(&self) -> Party {
        Party::of(self.origin.whom.address())
    }

    fn id(&mut self) -> Id {
        *self.course.id.get_or_insert_with(|| self.server.next_id())
    }
}

fn connection_field(keeps: bool, version: Version) -> ConnectionField {
    match (keeps, version) {
        (false, _) => ConnectionField::Close,
        (true, Version::Http10) => ConnectionField::KeepAlive,
        (true, Version::Http11) => ConnectionField::Keep,
    }
}
