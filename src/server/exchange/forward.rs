//! Has a FastCGI application answer a request, or an authorizer decide about it.
//!
//! Shape: an exchange asks an application and is parked as a [`Forward`]; [`go_on`] drives it when
//! something has happened, and takes up the exchange again once the application has answered.
//! Rules: a request that no byte was answered to is given to the next backend where that does no harm.
//! Every authorizer of a resource has to let the request through before the resource's own handler sees
//! it; one that fails lets nobody through.

use std::sync::Arc;

use super::{Answer, Course, Exchange};
use crate::config::Settings;
use crate::handler;
use crate::handler::admission::Permit;
use crate::handler::fastcgi::authorizer;
use crate::handler::fastcgi::pool::{Asked, Pool};
use crate::handler::fastcgi::run::{Driven, Ended, Errand, Means, Name, Run, Terms};
use crate::handler::reply::{Draft, Reply};
use crate::handler::script::Script;
use crate::handler::site::Resource;
use crate::proto::Reason;
use crate::proto::cgi::meta::Authorization;
use crate::proto::fastcgi::record::Role;
use crate::proto::uri::path::UrlPath;
use crate::server::connection::{Connection, HALF_CLOSED_GRACE, Next, Pending};
use crate::server::exchange::resource::{Step, Subject};
use crate::server::worker::Worker;
use crate::sys::clock::Moment;

/// A run that has to wait.
pub(super) struct Parked {
    run: Box<Run>,
    until: Moment,
    next: Next,
}

/// A request that is at an application.
#[derive(Debug)]
pub struct Forward {
    run: Box<Run>,
    /// The response as far as it has come; taken while it is written.
    draft: Option<Draft>,
    course: Course,
    /// When it has to be looked at.
    pub deadline: Moment,
    /// Whether it could go on at once.
    pub next: Next,
}

impl Forward {
    pub(super) fn new(parked: Parked, reply: Reply<'_>, course: Course) -> Forward {
        Forward {
            run: parked.run,
            draft: Some(reply.suspend()),
            course,
            deadline: parked.until,
            next: parked.next,
        }
    }
}

/// Why a parked run is ended without its application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// It is there.
    Here,
    /// It sends nothing more, and may still be reading.
    HalfClosed,
    /// It is gone.
    Gone,
}

/// Drives a request that is at an application; `None` when that is to be waited for still.
pub fn go_on(
    connection: &mut Connection,
    pending: &Pending,
    forward: &mut Forward,
    client: Client,
    worker: &mut Worker<'_>,
) -> Option<Answer> {
    let server = worker.server;
    let now = worker.now();
    let draft = forward.draft.take()?;
    let mut reply = connection.reply(&server.room, draft);
    let ended = match (client, server.halt.is_ordered()) {
        (Client::Gone, _) => forward.run.end(Reason::ClientGone, &mut reply, now),
        (_, true) => forward.run.end(Reason::ServerStopping, &mut reply, now),
        _ => {
            let mut means = Means {
                body: pending.body.as_ref(),
                buffer: &mut worker.buffer,
                terms: &terms(&pending.hosted.settings),
                now,
                is_half_closed: client == Client::HalfClosed,
            };
            match forward.run.drive(&mut reply, &mut means) {
                Driven::Ended(ended) => ended,
                driven => {
                    (forward.deadline, forward.next) = match driven {
                        Driven::Parked(until) => (until, Next::Park),
                        _ => (Moment::NEVER, Next::Turn),
                    };
                    forward.draft = Some(reply.suspend());
                    return None;
                }
            }
        }
    };
    let draft = reply.suspend();
    let mut exchange = match Exchange::of(connection, pending, worker) {
        Ok(exchange) => exchange,
        Err(reason) => return Some(Answer::Refused(reason)),
    };
    let mut reply = connection.reply(&server.room, draft);
    exchange.course = std::mem::take(&mut forward.course);
    let step = exchange.after(&mut forward.run, ended);
    let given = exchange.follow(step, &mut reply, None, worker);
    Some(exchange.conclude(given, reply, pending, worker))
}

fn terms(settings: &Settings) -> Terms {
    Terms {
        connect: settings.fastcgi.connect_timeout,
        silence: settings.fastcgi.timeout,
        send_window: settings.send_timeout,
        half_closed: HALF_CLOSED_GRACE,
        max_header: settings.max_header,
    }
}

/// What an application is asked about.
struct Question<'q> {
    pool: &'q Arc<Pool>,
    role: Role,
    script: &'q Arc<Script>,
}

impl Exchange<'_> {
    /// Asks the next authorizer of a resource, if there is one left.
    pub(super) fn ask_guard(
        &mut self,
        path: &UrlPath<'_>,
        resource: Option<&Resource<'_, '_>>,
        subject: &Subject<'_>,
        reply: &mut Reply<'_>,
        permit: &mut Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Option<Step> {
        let guards = match resource {
            Some(resource) => self.hosted.site.guards(path, resource),
            None => self.hosted.site.guards_of_path(path),
        };
        let number = *guards.get(self.course.guards_passed)?;
        let question = Question {
            pool: &self.hosted.pools[number],
            role: Role::Authorizer,
            script: &Arc::new(Script::guard(path.as_bytes())),
        };
        Some(self.ask(&question, subject, reply, permit, worker))
    }

    /// Asks the application with this number to answer.
    pub(super) fn ask_application(
        &mut self,
        number: usize,
        script: &Arc<Script>,
        subject: &Subject<'_>,
        reply: &mut Reply<'_>,
        permit: &mut Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Step {
        let question = Question {
            pool: &self.hosted.pools[number],
            role: Role::Responder,
            script,
        };
        self.ask(&question, subject, reply, permit, worker)
    }

    fn ask(
        &mut self,
        question: &Question<'_>,
        subject: &Subject<'_>,
        reply: &mut Reply<'_>,
        permit: &mut Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Step {
        let pool = question.pool;
        let held = permit.take().filter(|permit| pool.granted(permit));
        let permit = match held {
            Some(permit) => permit,
            None => match pool.ask(self.number, self.party(), self.course.tried, worker.now()) {
                Asked::Now(permit) => permit,
                Asked::Wait(ticket) => {
                    self.course.waits_for = Some(Arc::clone(pool));
                    return self.wait(ticket, Reason::FastcgiBusy);
                }
                Asked::Full => return Step::failed(Reason::FastcgiBusy),
                Asked::Nobody => {
                    let failure = self.course.failure.unwrap_or(Reason::FastcgiDown);
                    self.course.waits_for = Some(Arc::clone(pool));
                    return Step::failed(failure);
                }
            },
        };
        self.send(question, permit, subject, reply, worker)
    }

    /// Sends the request to the backend that the permit is for.
    fn send(
        &mut self,
        question: &Question<'_>,
        permit: Permit,
        subject: &Subject<'_>,
        reply: &mut Reply<'_>,
        worker: &mut Worker<'_>,
    ) -> Step {
        let &Question { pool, role, script } = question;
        let authorization = match role {
            Role::Authorizer => Authorization::Passed,
            _ => self.hosted.settings.authorization,
        };
        let name = Name {
            id: self.id(),
            script: Arc::clone(script),
        };
        if let Err(reason) = self.fill(&mut worker.variables, script, subject, authorization, reply)
        {
            return Step::failed(reason);
        }
        for dropped in worker.variables.dropped() {
            log::info!("{name}: the field {dropped} was not passed on");
        }
        let wants_new = std::mem::take(&mut self.course.wants_new);
        let given = pool.connect(permit.place(), self.number, wants_new, worker.now());
        let terms = terms(&self.hosted.settings);
        let now = worker.now();
        let errand = Errand {
            pool: Arc::clone(pool),
            permit,
            given,
            client: self.number,
            role,
            is_idempotent: is_idempotent(subject.method),
            name,
            explains: self.explains(),
            seen: (role == Role::Responder && self.course.record.is_kept()).then(|| {
                let kept_max = self.course.record.kept_max();
                Box::new(handler::report::Course::new(self.server.clock, kept_max))
            }),
        };
        let params = worker.variables.iter().filter(|(name, _)| match role {
            Role::Authorizer => authorizer::is_told(name) && *name != b"PATH",
            // A program that runs already has one.
            _ => *name != b"PATH",
        });
        if role == Role::Responder {
            let has_stdin = subject.body.is_some();
            self.course.record.ask(has_stdin, params.clone());
        }
        let mut run = Box::new(Run::start(errand, params, &terms, now));
        let mut means = Means {
            body: subject.body,
            buffer: &mut worker.buffer,
            terms: &terms,
            now,
            is_half_closed: false,
        };
        match run.drive(reply, &mut means) {
            Driven::Ended(ended) => self.after(&mut run, ended),
            Driven::Parked(until) => Step::Forwarded(Parked {
                run,
                until,
                next: Next::Park,
            }),
            Driven::Turn => Step::Forwarded(Parked {
                run,
                until: Moment::NEVER,
                next: Next::Turn,
            }),
        }
    }

    /// Goes on after a run.
    fn after(&mut self, run: &mut Run, ended: Ended) -> Step {
        let finding = run.take_finding();
        self.course.record.find(finding.as_deref());
        if self.course.record.is_kept()
            && let Some(seen) = run.take_seen()
        {
            let is_in_vain = matches!(ended, Ended::Elsewhere(_) | Ended::Stale);
            let backend = run.address();
            let is_kept = run.is_kept();
            self.course
                .record
                .asked(backend, is_kept, is_in_vain, Some(*seen));
        }
        match ended {
            Ended::Over(outcome) => {
                self.course.turn_to_another();
                self.course.finding = finding;
                Step::Over(outcome)
            }
            Ended::Allowed(variables) => {
                self.course.guards_passed += 1;
                self.course.granted.extend(variables);
                self.course.turn_to_another();
                Step::Again
            }
            Ended::Elsewhere(reason) => {
                self.course.tried.add(run.place());
                self.course.failure = Some(reason);
                self.course.finding = finding;
                Step::Again
            }
            Ended::Stale => {
                self.course.wants_new = true;
                Step::Again
            }
        }
    }
}

/// Whether doing a request twice is as good as doing it once (RFC 9110 section 9.2.2).
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}
