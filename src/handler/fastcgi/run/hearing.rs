//! What a run hears: records, taken apart and given to the client, the log, or whoever asked for them.
//!
//! Source: the FastCGI specification, sections 5.3 and 6. Rules: a header is parsed once it is whole,
//! however its bytes were split over records.

use super::super::authorizer;
use super::{ANSWERS_MAX, Ended, Means, Run, Stage};
use crate::handler::cgi::{EVIDENCE_MAX, Outcome};
use crate::handler::diagnose::ended;
use crate::handler::reply::{BODY_PARTS, Reply};
use crate::proto::cgi::response::{self, CgiHead, CgiResponse};
use crate::proto::fastcgi::record::{EndRequest, Role};
use crate::proto::fastcgi::request;
use crate::proto::fastcgi::response::Event;
use crate::proto::http::response::ResponseHead;
use crate::proto::http::status::StatusCode;
use crate::proto::{Parsed, Reason};

impl Run {
    /// Notes that bytes came.
    pub(super) fn hear(&mut self, means: &Means<'_>) {
        self.silence_ends = means.now + means.terms.silence;
        if !std::mem::replace(&mut self.is_answered, true)
            && let Some(channel) = &mut self.channel
        {
            self.pool.accepted(self.place, channel, means.now);
            self.answered();
        }
    }

    /// Notes that nobody waits behind this request's connection any more.
    pub(super) fn answered(&mut self) {
        if std::mem::take(&mut self.is_unanswered) {
            self.pool.answered(self.place, self.client);
        }
    }

    /// Takes what was received apart, and gives it to where it belongs.
    pub(super) fn take_records(
        &mut self,
        reply: &mut Reply<'_>,
        means: &Means<'_>,
    ) -> Result<Option<EndRequest>, Reason> {
        let mut input = means.buffer.filled();
        let mut end = None;
        // The body, to be given in one piece although it lies between records.
        let mut parts = [&input[..0]; BODY_PARTS];
        let mut count = 0;
        while let Some(event) = self.decoder.next(&mut input)? {
            match event {
                Event::Stdout(bytes) if matches!(self.stage, Stage::Body) => {
                    if let Some(seen) = &mut self.seen {
                        seen.print(bytes, means.now);
                    }
                    parts[count] = bytes;
                    count += 1;
                    if count == parts.len() {
                        reply.push_parts(&parts);
                        count = 0;
                    }
                }
                Event::Stdout(bytes) => {
                    if let Some(seen) = &mut self.seen {
                        seen.print(bytes, means.now);
                    }
                    self.take_output(bytes, reply, means.terms.max_header)?;
                }
                Event::Stderr(bytes) => {
                    if let Some(seen) = &mut self.seen {
                        seen.complain(bytes);
                    }
                    self.stderr.take(bytes, means.now);
                }
                Event::End(request) => end = Some(request),
                Event::UnknownManagement(_) if self.outgoing.in_memory() > ANSWERS_MAX => {}
                Event::UnknownManagement(record_type) => {
                    request::encode_unknown_type(self.outgoing.bytes(), record_type);
                }
            }
        }
        if count > 0 {
            reply.push_parts(&parts[..count]);
        }
        Ok(end)
    }

    pub(super) fn take_output(
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
                match response::parse(bytes, max_header) {
                    Ok(Parsed::Complete { value, used }) => {
                        self.begin(value, &bytes[used..], reply);
                    }
                    Ok(Parsed::Partial) => seen.extend_from_slice(bytes),
                    Err(reason) => {
                        seen.extend_from_slice(&bytes[..bytes.len().min(EVIDENCE_MAX)]);
                        return Err(reason);
                    }
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

    pub(super) fn begin(&mut self, mut head: CgiHead, body: &[u8], reply: &mut Reply<'_>) {
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
        if head.status == Reason::FastcgiScriptUnknown.status()
            && self.explains
            && ended::is_script_unknown(self.stderr.tail())
        {
            let finding = self.script_unknown(self.stderr.tail());
            self.finding = Some(Box::new(finding));
            let failed = Outcome::Failed(Reason::FastcgiScriptUnknown);
            self.stage = Stage::Passed(Some(Ended::Over(failed)));
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
}
