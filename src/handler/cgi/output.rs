//! What a program prints: read and given to the reply, or passed on to the client where it lies.
//!
//! Rules: what is read at once after the end of a program was printed before it, up to what a pipe
//! holds; whatever follows comes from a child that it left behind, and is nobody's.

use std::time::Duration;

use super::{EVIDENCE_GRACE, EVIDENCE_MAX, EXIT_GRACE, Outcome, PIPE_WIDEST, QUIET, Relay, Stage};
use crate::proto::cgi::response::{self, CgiHead};
use crate::proto::http::response::ResponseHead;
use crate::proto::{Parsed, Reason};
use crate::sys::clock::Moment;
use crate::sys::watch::{Events, Pipe, Wanted, watch};

impl Relay<'_, '_> {
    /// Takes what both pipes have; true when stdout had nothing more.
    pub(super) fn read(&mut self, events: &Events, now: Moment) -> Result<bool, Reason> {
        match events.stderr {
            Pipe::Quiet => {}
            Pipe::End => self.child.close_stderr(),
            Pipe::Bytes => {
                let read = self.child.read_stderr(self.buffer);
                read.map_err(|_| Reason::ServerFailed)?;
                let filled = self.buffer.filled();
                self.terms.witness.note(|course| course.complain(filled));
                self.stderr.take(filled, now);
            }
        }
        match events.stdout {
            Pipe::Quiet => Ok(true),
            Pipe::End => {
                self.child.close_stdout();
                self.quiet_from = now + EXIT_GRACE;
                Ok(true)
            }
            Pipe::Bytes => {
                // What follows such a header reaches nobody, and counts as silence.
                if !matches!(self.stage, Stage::Elsewhere(_)) {
                    self.silence_ends = now + self.terms.silence;
                }
                self.quiet_from = now + QUIET;
                let read_all = !self.splice(now)? && self.read_stdout(now)?;
                // A pipe that was made as wide as it can be holds the last of an ended program; what
                // is more comes from a child that it left behind.
                Ok(read_all || self.read_late >= PIPE_WIDEST && !self.reply.owes())
            }
        }
    }

    /// Reads stdout once; true when it had nothing more.
    fn read_stdout(&mut self, now: Moment) -> Result<bool, Reason> {
        let read = self.child.read_stdout(self.buffer);
        read.map_err(|_| Reason::ServerFailed)?;
        let is_full = self.buffer.is_full();
        let filled = self.buffer.filled();
        self.terms.witness.note(|course| course.print(filled, now));
        self.count(self.buffer.filled().len());
        self.look_for_bulk();
        self.take_output()?;
        if !self.reply.is_held() {
            self.flush(now)?;
        }
        Ok(!is_full)
    }

    /// Listens for a moment to a program whose header is wrong: what it goes on to print, to complain of, and
    /// how it ends tell why.
    pub(super) fn hear_out(&mut self) {
        let until = self.terms.clock.now() + EVIDENCE_GRACE;
        loop {
            let now = self.terms.clock.now();
            let Stage::Header(seen) = &mut self.stage else {
                return;
            };
            let wanted = Wanted {
                stdout: seen.len() < EVIDENCE_MAX,
                end: !self.ended,
                client: false,
                client_half: false,
                client_room: false,
            };
            let patience = match self.ended {
                true => Duration::ZERO,
                false => now.until(until),
            };
            let (stream, halt) = (self.reply.stream(), self.terms.halt);
            let Ok(events) = watch(&self.child, stream, halt, wanted, patience) else {
                return;
            };
            let was_ended = self.ended;
            self.ended |= events.ended;
            let mut is_quiet = true;
            if events.stderr == Pipe::Bytes && self.child.read_stderr(self.buffer).is_ok() {
                is_quiet = false;
                let filled = self.buffer.filled();
                self.terms.witness.note(|course| course.complain(filled));
                self.stderr.take(filled, now);
            }
            if events.stdout == Pipe::Bytes && self.child.read_stdout(self.buffer).is_ok() {
                is_quiet = false;
                let room = EVIDENCE_MAX.saturating_sub(seen.len());
                let filled = self.buffer.filled();
                self.terms.witness.note(|course| course.print(filled, now));
                seen.extend_from_slice(&filled[..filled.len().min(room)]);
            }
            if events.stdout == Pipe::End {
                self.child.close_stdout();
            }
            if events.stderr == Pipe::End {
                self.child.close_stderr();
            }
            if was_ended && is_quiet || events.halted || now >= until {
                return;
            }
        }
    }

    /// Counts what came from stdout once the program had ended.
    pub(super) fn count(&mut self, len: usize) {
        if self.ended {
            self.read_late += len;
        }
    }

    /// Gives what was read from stdout to where the stage says.
    fn take_output(&mut self) -> Result<(), Reason> {
        match &mut self.stage {
            Stage::Raw if !self.reply.is_begun() && !self.buffer.filled().is_empty() => {
                self.reply.begin_raw();
                self.reply.push(self.buffer.filled());
            }
            Stage::Body | Stage::Raw => self.reply.push(self.buffer.filled()),
            Stage::Elsewhere(_) | Stage::Given => {}
            Stage::Header(seen) => {
                seen.extend_from_slice(self.buffer.filled());
                if let Parsed::Complete { value, used } =
                    response::parse(seen, self.terms.max_header)?
                {
                    let body = seen.split_off(used);
                    self.begin(value, &body);
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, mut head: CgiHead, body: &[u8]) {
        if let Some(outcome) = Outcome::elsewhere(&mut head) {
            self.stage = Stage::Elsewhere(outcome);
            return;
        }
        let response = ResponseHead {
            status: head.status,
            phrase: head.phrase,
            block: head.block,
        };
        self.reply.begin(response, head.content_length);
        self.reply.push(body);
        self.stage = Stage::Body;
    }
}
