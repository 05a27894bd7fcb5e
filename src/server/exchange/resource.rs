//! One step of an exchange: resolves a path, and has a file sent, a program run or an application asked.
//!
//! Rules: whoever guards a path is asked before anything about it is told, whether or not there is
//! anything.

use std::borrow::Cow;
use std::cell::RefCell;

use super::Exchange;
#[cfg(feature = "fastcgi")]
use super::forward;
use crate::handler::admission::{Admitted, Permit, Places, Ticket};
use crate::handler::cgi::{self, Outcome, Terms};
use crate::handler::diagnose;
use crate::handler::handover::{self, Handover, HandoverRequest};
use crate::handler::reply::Reply;
use crate::handler::report::{Witness, report};
use crate::handler::script::Script;
use crate::handler::site::Resource;
use crate::handler::static_file::{self, FileRequest};
use crate::proto::Reason;
use crate::proto::cgi::arguments::indexed_query;
use crate::proto::finding::Finding;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::target::Target;
use crate::server::connection::HALF_CLOSED_GRACE;
use crate::server::worker::Worker;
#[cfg(feature = "auth")]
use crate::sys::clock::Moment;
use crate::sys::spool::Spool;

/// What a step towards the response led to.
pub(super) enum Step {
    Over(Outcome),
    Wait(Ticket),
    /// The client is kept waiting; then the step is taken again.
    #[cfg(feature = "auth")]
    Pause(Moment),
    /// An application was asked, and its answer is waited for.
    #[cfg(feature = "fastcgi")]
    Forwarded(forward::Parked),
    /// The course has changed: the next step is to be taken.
    Again,
}

impl Step {
    pub(super) fn failed(reason: Reason) -> Step {
        Step::Over(Outcome::Failed(reason))
    }
}

/// A resource to be answered with: that of the request, or one that stands in for it.
pub(super) struct Subject<'t> {
    pub(super) target: Target<'t>,
    pub(super) request_uri: &'t [u8],
    pub(super) method: &'t str,
    pub(super) body: Option<&'t Spool>,
    pub(super) is_redirected: bool,
}

impl Exchange<'_> {
    /// Takes the next step: resolves what the course is at, and has it answered.
    pub(super) fn take_step(
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
                target: match self.hosted.site.fallback() {
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
        #[cfg(feature = "auth")]
        if let Some(step) = self.ask_password(&path, permit, worker) {
            return step;
        }
        let site = &self.hosted.site;
        let found = site.resolve(&path);
        let record = &mut self.course.record;
        record.resolve(server, self.hosted, &path, found.as_ref());
        #[cfg(feature = "fastcgi")]
        if let Some(step) =
            self.ask_guard(&path, found.as_ref().ok(), subject, reply, permit, worker)
        {
            return step;
        }
        let resource = match found {
            Ok(resource) => resource,
            Err(reason) if self.falls_back(reason, &path) => return Step::Again,
            Err(reason) => {
                let reason = self.find_out(reason, &path);
                return Step::failed(reason);
            }
        };
        match resource {
            // Of what is no file, only the fallback knows the methods.
            Resource::File(..)
                if subject.method == "OPTIONS" && self.falls_back(Reason::FileMethod, &path) =>
            {
                Step::Again
            }
            Resource::File(root, rest) => {
                let file = FileRequest {
                    head: self.request.head,
                    method: subject.method,
                    path: &path,
                    rest,
                    query: subject.target.query,
                    now: self.now,
                };
                let response = static_file::respond(root, &site.cache, &file);
                match response.reason {
                    Some(reason) if self.falls_back(reason, &path) => Step::Again,
                    reason => {
                        let reason = reason.map(|reason| self.find_out(reason, &path));
                        self.course.record.file(&response);
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
                    match server
                        .admission
                        .ask(self.number, self.party(), Places::default(), |_| true)
                    {
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

    /// Finds out why a file or program is refused that is there; returns the exact reason. The owner of the
    /// site is to mend it.
    fn find_out(&mut self, reason: Reason, path: &UrlPath<'_>) -> Reason {
        let is_to_mend = matches!(
            reason,
            Reason::CgiDenied | Reason::CgiNotExecutable | Reason::FileDenied | Reason::FileEscapes
        );
        if !is_to_mend {
            return reason;
        }
        let finding = self
            .hosted
            .site
            .place_of(path)
            .and_then(|file| diagnose::refused(&file, reason))
            .unwrap_or_else(|| Finding::error(reason, reason.meaning(), ""));
        let exact = finding.reason().unwrap_or(reason);
        let name = format!("{} {}", self.id(), String::from_utf8_lossy(path.as_bytes()));
        report(&name, &finding, "not opened");
        self.course.finding = Some(Box::new(finding));
        exact
    }

    /// Whether the fallback is to be answered with in place of what was refused; once only.
    fn falls_back(&mut self, reason: Reason, path: &UrlPath<'_>) -> bool {
        let falls_back = !self.course.falls_back
            && self.course.location.is_none()
            && self.hosted.site.falls_back(reason, path);
        if falls_back {
            self.course.fall_back();
        }
        falls_back
    }

    /// Sends the file that a program names.
    pub(super) fn hand_over(
        &mut self,
        reply: &mut Reply<'_>,
        handover: &Handover,
    ) -> Option<Reason> {
        let name = self.id().to_string();
        let request = HandoverRequest {
            head: self.request.head,
            method: match self.course.location {
                None => self.request.head.method(),
                Some(_) => "GET",
            },
            now: self.now,
            name: &name,
        };
        match handover::respond(&self.hosted.site, handover, &request) {
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
    pub(super) fn wait(&mut self, ticket: Ticket, busy: Reason) -> Step {
        self.course.busy = Some(busy);
        self.course.record.wait();
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
        let (server, settings) = (self.server, &self.hosted.settings);
        let id = self.id();
        let name = format!("{id} {}", String::from_utf8_lossy(&script.script_name));
        let pass = settings.authorization;
        if let Err(reason) = self.fill(&mut worker.variables, &script, subject, pass, reply) {
            return Outcome::Failed(reason);
        }
        for dropped in worker.variables.dropped() {
            log::info!("{name}: the field {dropped} was not passed on");
        }
        if !script.is_interpreted {
            script.arguments = indexed_query(subject.method, subject.target.query);
        }
        let witness = match self.course.record.is_kept() || self.explains() {
            true => Witness::close(server.clock, self.course.record.kept_max()),
            false => Witness::default(),
        };
        let terms = Terms {
            silence: settings.cgi_timeout,
            send_window: settings.send_timeout,
            half_closed: HALF_CLOSED_GRACE,
            max_header: settings.max_header,
            clock: &server.clock,
            halt: &server.halt,
            spawners: &server.spawners,
            witness: &witness,
            explains: self.explains(),
        };
        worker.leave_seat();
        let stdin = subject
            .body
            .filter(|body| !body.is_empty())
            .map(|body| body.content());
        let outcome = cgi::run(
            &script,
            &worker.variables,
            stdin,
            reply,
            &mut worker.buffer,
            &terms,
            &name,
        );
        self.course.finding = witness.findings.take().pop().map(Box::new);
        let course = witness.course.map(RefCell::into_inner);
        if let (Some(course), Outcome::Failed(_)) = (&course, &outcome) {
            self.course.times = course.times();
        }
        let record = &mut self.course.record;
        record.find(self.course.finding.as_deref());
        record.run(&script, &worker.variables, stdin.is_some(), course);
        outcome
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
fn origin_form<'t>(target: &Target<'t>) -> Cow<'t, [u8]> {
    match target.query {
        Some(query) => [target.path, b"?", query].concat().into(),
        None => target.path.into(),
    }
}
