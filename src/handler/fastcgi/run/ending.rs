//! How a run ends: as the application says, with its connection, or because the server says so.
//!
//! Source: the FastCGI specification, section 5.5. Rules: END_REQUEST is the only good end; what the
//! client has seen of the response decides whether it can be told, and what the application may have
//! done whether another one is asked.

use std::io;
use std::os::unix::ffi::OsStrExt;

use super::{Ended, Run, Stage};
use crate::handler::cgi::Outcome;
use crate::handler::diagnose::ended::{self, Case};
use crate::handler::reply::{Ending, Reply};
use crate::handler::report::report;
use crate::proto::Reason;
use crate::proto::cgi::response;
use crate::proto::fastcgi::record::{EndRequest, ProtocolStatus};
use crate::proto::finding::Finding;
use crate::sys::clock::Moment;

impl Run {
    /// The connection was lost before the end of the request.
    pub(super) fn closed(
        &mut self,
        error: Option<io::Error>,
        reply: &mut Reply<'_>,
        now: Moment,
    ) -> Ended {
        self.is_ended = true;
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
    pub(super) fn may_be_stale(&self, error: Option<&io::Error>) -> bool {
        let is_unread = self.outgoing.sent() == 0 || error.is_some();
        is_unread || self.is_idempotent || !self.pool.is_supervised()
    }

    /// The request has come to its end.
    pub(super) fn finish(&mut self, end: EndRequest, reply: &mut Reply<'_>, now: Moment) -> Ended {
        self.is_ended = true;
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
        let status = || format!("status {}", end.app_status as i32);
        // PHP ends a request with 0 also where its script has failed, and with 200 where it had begun to print.
        let says_so = reply.status().is_some_and(|status| status.as_u16() >= 500);
        let tail = self.stderr.tail();
        let has_failed = (says_so || ended::is_fatal(tail)) && ended::is_traced(tail);
        match &mut self.stage {
            // An empty page says nothing: who may know why it is empty is told that.
            Stage::Body if has_failed && self.explains && reply.take_back() => {
                self.leave(now);
                return self.fail(Reason::FastcgiStatus, &status(), reply, now);
            }
            Stage::Header(seen) => {
                let reason = response::ended(seen);
                return self.fail(reason, &status(), reply, now);
            }
            Stage::Body if reply.finish() == Ending::Short => {
                return self.fail(Reason::CgiShort, &status(), reply, now);
            }
            _ => {}
        }
        self.leave(now);
        let tail = self.stderr.finish(now);
        if self.finding.is_none() && ended::is_script_unknown(&tail) {
            self.finding = Some(Box::new(self.script_unknown(&tail)));
        }
        let unknown = self.finding.as_deref();
        if let Some(finding) = unknown {
            report(&self.name, finding, &status());
        }
        let remark = match end.app_status {
            _ if reply.has_excess() => Some(Reason::CgiLong),
            _ if unknown.is_some() => Some(Reason::FastcgiScriptUnknown),
            0 if !has_failed => None,
            _ => Some(Reason::FastcgiStatus),
        };
        if let Some(reason @ (Reason::CgiLong | Reason::FastcgiStatus)) = remark {
            let finding = self.case(reason, b"", &tail, reply, now).finding();
            report(&self.name, &finding, &status());
            self.finding = Some(Box::new(finding));
        }
        if let Stage::Passed(ended) = &mut self.stage
            && let Some(ended) = ended.take()
        {
            return ended;
        }
        Ended::Over(Outcome::Answered(remark))
    }

    /// Keeps the connection, if both sides have said all that they had to.
    pub(super) fn leave(&mut self, now: Moment) {
        self.ended_at = now;
        let is_done = self.stdin.is_none() && self.outgoing.is_empty();
        if let Some(channel) = self.channel.take()
            && is_done
        {
            self.pool.keep(self.place, channel, now);
        }
    }

    /// Why PHP has no such script.
    pub(super) fn script_unknown(&self, stderr: &[u8]) -> Finding {
        ended::script_unknown(self.name.script.filename.as_os_str().as_bytes(), stderr)
    }

    /// What is known of a request that failed.
    fn case<'c>(
        &'c self,
        reason: Reason,
        printed: &'c [u8],
        stderr: &'c [u8],
        reply: &Reply<'_>,
        now: Moment,
    ) -> Case<'c> {
        Case {
            reason,
            script: &self.name.script.filename,
            exit: None,
            printed,
            stderr,
            body_len: reply.body_len(),
            looks: &[],
            silence: self.started.until(now),
        }
    }

    /// The request cannot be answered as it should be.
    pub(super) fn fail(
        &mut self,
        reason: Reason,
        how: &str,
        reply: &mut Reply<'_>,
        now: Moment,
    ) -> Ended {
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
        let finding = self.case(reason, seen, &tail, reply, now).finding();
        let reason = finding.reason().unwrap_or(reason);
        report(&self.name, &finding, &detail);
        self.finding = Some(Box::new(finding));
        let is_mute = !self.is_answered;
        let mut is_left_out = false;
        match reason {
            Reason::FastcgiConnectTimeout | Reason::FastcgiVersion => {
                self.pool.failed(self.place, now);
            }
            Reason::FastcgiTimeout if is_mute => {
                is_left_out = self.pool.silent(self.place, self.started, now);
            }
            Reason::FastcgiClosed if is_mute && !self.is_kept => {
                self.pool.dropped(self.place, now);
            }
            _ => {}
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
            Reason::FastcgiClosed => is_mute && (self.is_idempotent || !was_sent),
            Reason::FastcgiTimeout => is_left_out && self.is_idempotent,
            _ => false,
        };
        match may_repeat {
            true => Ended::Elsewhere(reason),
            false => Ended::Over(Outcome::Failed(reason)),
        }
    }
}
