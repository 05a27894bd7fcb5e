//! The record of a server that has a console.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

#[cfg(feature = "fastcgi")]
use crate::console::journey::Application;
use crate::console::journey::{BODY_MAX, Client, HEAD_MAX, Journey, Kept, Kind, Program, Step};
use crate::handler::reply::{Draft, Reply};
use crate::handler::report::{Course, Id};
use crate::handler::script::Script;
use crate::handler::site::Resource;
use crate::handler::{Body, Response};
use crate::proto::Reason;
use crate::proto::cgi::meta::MetaVariables;
use crate::proto::finding::Finding;
use crate::proto::http::status::StatusCode;
use crate::proto::uri::path::UrlPath;
use crate::server::Server;
use crate::server::origin::Whom;
use crate::server::served::Hosted;
use crate::sys::spool::{Content, Spool};

/// The journey of an exchange, where the console is on.
#[derive(Debug, Default)]
pub struct Record(Option<Box<Journey>>);

impl Record {
    /// One of an exchange whose head was whole then, in this memory.
    pub fn begin(mut journey: Box<Journey>, received: u64) -> Record {
        journey.clear();
        journey.step(Step::Received, received);
        Record(Some(journey))
    }

    /// Whether anything is kept.
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// How much of what a program writes is kept.
    pub fn kept_max(&self) -> usize {
        if self.is_kept() { BODY_MAX } else { 0 }
    }

    /// Has the head of the response be kept.
    pub fn lend_head(&mut self, draft: &mut Draft) {
        if let Some(journey) = &mut self.0 {
            draft.keep_head(std::mem::take(&mut journey.response));
        }
    }

    /// Notes that its body was whole; again is no news.
    pub fn receive_body(&mut self, server: &Server) {
        if let Some(journey) = &mut self.0
            && journey.at(Step::Body).is_none()
        {
            journey.step(Step::Body, server.clock.micros());
        }
    }

    /// Notes that it is in line.
    pub fn wait(&mut self) {
        if let Some(journey) = &mut self.0 {
            journey.is_waiting = true;
        }
    }

    /// Notes that it goes on; where it was in line, its turn has come.
    pub fn go_on(&mut self, server: &Server) {
        if let Some(journey) = &mut self.0
            && std::mem::take(&mut journey.is_waiting)
        {
            journey.step(Step::Waited, server.clock.micros());
        }
    }

    /// Notes that a program has it go on elsewhere.
    pub fn redirect(&mut self, location: &[u8]) {
        if let Some(journey) = &mut self.0 {
            journey.redirects.push(location.to_vec());
        }
    }

    /// Notes what a path leads to.
    pub fn resolve(
        &mut self,
        server: &Server,
        hosted: &Hosted,
        path: &UrlPath<'_>,
        found: Result<&Resource<'_, '_>, &Reason>,
    ) {
        let Some(journey) = &mut self.0 else { return };
        if journey.at(Step::Waited).is_none() {
            journey.step(Step::Resolved, server.clock.micros());
        }
        journey.kind = match found {
            Ok(Resource::File(..)) => Kind::File,
            Ok(Resource::Script(_)) => Kind::Program,
            #[cfg(feature = "fastcgi")]
            Ok(Resource::Application(..)) => Kind::Application,
            Err(_) => Kind::Refusal,
        };
        journey.route.clear();
        if let Some(route) = hosted.site.route_name(path, found.ok()) {
            journey.route.push_str(route);
        }
    }

    /// Notes what a file's response is.
    pub fn file(&mut self, response: &Response) {
        let Some(journey) = &mut self.0 else { return };
        journey.kind = match (response.reason, &response.body) {
            (Some(_), _) => Kind::Refusal,
            (None, _) if response.head.status == StatusCode::MOVED_PERMANENTLY => Kind::Redirect,
            (None, Body::Bytes(_)) => Kind::Listing,
            (None, _) => Kind::File,
        };
    }

    /// Notes which program was run, with what, and how that went.
    pub fn run(
        &mut self,
        script: &Script,
        variables: &MetaVariables,
        has_stdin: bool,
        course: Option<Course>,
    ) {
        let Some(journey) = &mut self.0 else { return };
        journey.tell(variables.iter());
        journey.is_body_stdin = has_stdin;
        let bytes = |path: &std::path::Path| path.as_os_str().as_bytes().to_vec();
        let arguments = script.arguments.iter().cloned();
        journey.program = Some(Box::new(Program {
            path: bytes(&script.filename),
            command: std::iter::once(bytes(&script.program))
                .chain(arguments)
                .collect(),
            folder: bytes(&script.folder),
            ..Program::default()
        }));
        if let Some(course) = course {
            journey.run(course, Step::Started);
        }
    }

    /// Notes what an application is told.
    #[cfg(feature = "fastcgi")]
    pub fn ask<'v>(&mut self, has_stdin: bool, params: impl Iterator<Item = (&'v [u8], &'v [u8])>) {
        if let Some(journey) = &mut self.0 {
            journey.tell(params);
            journey.is_body_stdin = has_stdin;
        }
    }

    /// Notes which backend was asked, and how that went.
    #[cfg(feature = "fastcgi")]
    pub fn asked(
        &mut self,
        backend: String,
        is_kept: bool,
        is_in_vain: bool,
        course: Option<Course>,
    ) {
        let Some(journey) = &mut self.0 else { return };
        let application = journey.application.get_or_insert_default();
        if is_in_vain {
            application.tried.push(backend);
            return;
        }
        let tried = std::mem::take(&mut application.tried);
        **application = Application {
            backend,
            tried,
            is_kept,
        };
        if let Some(course) = course {
            journey.run(course, Step::Connected);
        }
    }

    /// Notes what was found out.
    pub fn find(&mut self, finding: Option<&Finding>) {
        if let (Some(journey), Some(finding)) = (&mut self.0, finding) {
            journey.find(finding);
        }
    }

    /// Notes the request, and the head of the response that it was given.
    pub fn answer(
        &mut self,
        head: &[u8],
        body: Option<&Spool>,
        id: Option<Id>,
        reply: &mut Reply<'_>,
    ) {
        let Some(journey) = &mut self.0 else { return };
        journey
            .head
            .extend_from_slice(&head[..head.len().min(HEAD_MAX)]);
        journey.body = body.map(keep);
        journey.id = id;
        if let Some(mut response) = reply.take_head() {
            response.truncate(HEAD_MAX);
            journey.response = response;
        }
    }

    /// Notes whom it came from, and which site it was for.
    pub fn come(&mut self, hosted: &Hosted, whom: &Whom, line: &[u8]) {
        let Some(journey) = &mut self.0 else { return };
        journey.site.clone_from(&hosted.name);
        journey.client = match whom {
            Whom::At(address, _) => Client::Address(*address),
            Whom::Local => Client::Local,
            Whom::Unknown => Client::Unknown,
        };
        // Of what was no request, or is answered without having been read to its end.
        if journey.head.is_empty() {
            journey
                .head
                .extend_from_slice(&line[..line.len().min(HEAD_MAX)]);
        }
    }

    /// Ends it.
    pub fn end(
        &mut self,
        status: StatusCode,
        reason: Option<Reason>,
        sent: u64,
        now: u64,
    ) -> Option<Box<Journey>> {
        let mut journey = self.0.take()?;
        journey.status = status.as_u16();
        journey.reason = reason;
        journey.sent = sent;
        journey.step(Step::LastByte, now);
        Some(journey)
    }
}

/// The beginning of a body.
fn keep(body: &Spool) -> Kept {
    let bytes = match body.content() {
        Content::Memory(bytes) => bytes[..bytes.len().min(BODY_MAX)].to_vec(),
        Content::File(file) => {
            let mut bytes = vec![0; BODY_MAX];
            // What cannot be read now is not shown.
            let read = file.read_at(&mut bytes, 0).unwrap_or(0);
            bytes.truncate(read);
            bytes
        }
    };
    Kept::of(bytes, body.len())
}
