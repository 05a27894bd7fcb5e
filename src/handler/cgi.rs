//! Runs a program for one request and relays what it prints (RFC 3875 sections 6 and 7).
//!
//! Shape: [`run`] gets a [`Script`], its variables and its whole stdin, writes through a [`Reply`] and
//! returns an [`Outcome`]. It holds a worker for as long as the program computes. Rules:
//! - **No orphans**: a client that is gone, a time-out, a failed write and the server's stop all end
//!   the program's whole group. A client that only half-closed gets a grace
//!   ([`Terms::half_closed`]) in which something must be printed.
//! - **Honest truncation**: a program ended by a signal, or with less output than it announced, leaves
//!   a response that the client can tell is cut.
//! - **A client never slows a program**, but for one that has filled its spool: then its own least
//!   rate decides.
//! - The end of the program is the end of the response, even where a child that it left behind holds
//!   stdout open.
//!
//! Not here: what the header may say (`proto::cgi::response`), what stderr may cost (`stderr.rs`).

mod bulk;
mod output;
mod verdict;

use std::io;
use std::mem;
use std::time::Duration;

use self::bulk::Bulk;
use self::verdict::{is_in_vain, verdict_of};
use super::diagnose;
use super::diagnose::ended::Case;
use super::handover::Handover;
use super::pace::Pace;
use super::reply::{Ending, Reply};
use super::report::{Course, Witness, report};
use super::script::Script;
use super::stderr::StderrLog;
use crate::proto::Reason;
use crate::proto::cgi::meta::MetaVariables;
use crate::proto::cgi::response::{self, CgiHead, CgiResponse};
use crate::proto::http::response::ResponseHead;
use crate::sys::buffer::Buffer;
use crate::sys::child::{Child, Exit, Program, StartFailure};
use crate::sys::clock::{Clock, Moment};
use crate::sys::look;
use crate::sys::spawner::Spawners;
use crate::sys::spool::Content;
use crate::sys::watch::{Events, Halt, Wanted, watch};

/// How long a program may take to end after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long a pipe must be still to count as quiet while the first output is held back.
const QUIET: Duration = Duration::from_millis(10);

/// How long a program that has closed stdout may take to tell by its exit whether that was on purpose.
const EXIT_GRACE: Duration = Duration::from_millis(250);

/// How long a program whose header is wrong may go on, for what it prints and complains of then.
const EVIDENCE_GRACE: Duration = Duration::from_millis(200);

/// How much of its output is looked at.
pub const EVIDENCE_MAX: usize = 4096;

/// What a pipe holds at most (pipe(7), pipe-max-size).
const PIPE_WIDEST: usize = 1 << 20;

/// What a program is run under.
#[derive(Debug)]
pub struct Terms<'a> {
    /// The longest silence on stdout.
    pub silence: Duration,
    /// The window of a client's least rate.
    pub send_window: Duration,
    /// How long a client that sends nothing more is believed to be still reading, counted anew with
    /// every output that it takes.
    pub half_closed: Duration,
    /// The longest header.
    pub max_header: usize,
    /// The clock of all deadlines.
    pub clock: &'a Clock,
    /// The order to stop.
    pub halt: &'a Halt,
    /// Who starts programs.
    pub spawners: &'a Spawners,
    /// Who is told what was found out.
    pub witness: &'a Witness,
    /// Whether the client is told, too.
    pub explains: bool,
}

/// What came of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The response was given; the reason, if there is one, is for the log.
    Answered(Option<Reason>),
    /// Nothing was sent: the client is to be answered with this reason.
    Failed(Reason),
    /// The response was begun and cut.
    Cut(Reason),
    /// The program asks for another path of this server to be answered instead.
    LocalRedirect(Vec<u8>),
    /// The program asks for a file of this server to be sent with its fields.
    SendFile(Box<Handover>),
}

impl Outcome {
    /// What the header of a program asks for in place of what follows it; none where that is the
    /// document.
    pub fn elsewhere(head: &mut CgiHead) -> Option<Outcome> {
        match &mut head.kind {
            CgiResponse::LocalRedirect { location } => {
                Some(Outcome::LocalRedirect(mem::take(location)))
            }
            CgiResponse::SendFile { from } => Some(Outcome::SendFile(Box::new(Handover {
                from: from.clone(),
                head: ResponseHead {
                    status: head.status,
                    phrase: head.phrase.take(),
                    block: mem::take(&mut head.block),
                },
            }))),
            CgiResponse::Document
            | CgiResponse::ClientRedirect
            | CgiResponse::ClientRedirectWithDocument => None,
        }
    }
}

/// Runs `script`, whose log lines begin with `name`.
pub fn run(
    script: &Script,
    variables: &MetaVariables,
    stdin: Option<Content<'_>>,
    reply: &mut Reply<'_>,
    buffer: &mut Buffer,
    terms: &Terms<'_>,
    name: &str,
) -> Outcome {
    if terms.halt.is_ordered() {
        return Outcome::Failed(Reason::ServerStopping);
    }
    let program = Program {
        path: &script.program,
        arguments: &script.arguments,
        folder: &script.folder,
        stdin,
    };
    terms.witness.note(Course::order);
    let child = match program.start(variables.iter(), terms.spawners) {
        Ok(child) => child,
        Err(error) => return not_started(name, script, &error, terms.witness),
    };
    let now = terms.clock.now();
    let stage = if script.is_nph {
        Stage::Raw
    } else {
        Stage::Header(Vec::new())
    };
    let client_took = reply.sent();
    let mut relay = Relay {
        child,
        reply,
        buffer,
        terms,
        name,
        script,
        stage,
        stderr: StderrLog::new(name, now),
        silence_ends: now + terms.silence,
        quiet_from: Moment::NEVER,
        half_closed: None,
        client_took,
        pace: None,
        ended: false,
        read_late: 0,
        bulk: Bulk::default(),
    };
    let stopped = relay.pump();
    relay.settle(stopped)
}

/// What the bytes of stdout are.
#[derive(Debug)]
enum Stage {
    /// A header that is not whole yet.
    Header(Vec<u8>),
    /// The body of the response.
    Body,
    /// A whole response, head and all.
    Raw,
    /// Nothing that anyone waits for: the answer is to come from elsewhere in the server.
    Elsewhere(Outcome),
    /// Nothing: stdout was closed and the response is given.
    Given,
}

/// One run on its way.
struct Relay<'r, 'c> {
    child: Child,
    reply: &'r mut Reply<'c>,
    buffer: &'r mut Buffer,
    terms: &'r Terms<'r>,
    name: &'r str,
    script: &'r Script,
    stage: Stage,
    stderr: StderrLog<&'r str>,
    silence_ends: Moment,
    /// When stdout counts as quiet, or its close as meant; other events may come before.
    quiet_from: Moment,
    /// Set once the client has closed its half.
    half_closed: Option<Moment>,
    /// What the client was sent when that was last looked at.
    client_took: u64,
    /// Runs while something is unsent.
    pace: Option<Pace>,
    ended: bool,
    /// How much was read since.
    read_late: usize,
    bulk: Bulk,
}

impl Relay<'_, '_> {
    /// Relays until the program has ended and all it wrote was read, or until there is a reason to
    /// end it.
    fn pump(&mut self) -> Result<(), Reason> {
        loop {
            let waits = self.bulk.waits_until().is_some();
            let wanted = Wanted {
                stdout: !waits && !self.reply.is_full(),
                end: !self.ended,
                client: !(matches!(self.stage, Stage::Given) && self.reply.is_flushed()),
                client_half: self.half_closed.is_none(),
                client_room: waits || !self.reply.is_flushed(),
            };
            let now = self.terms.clock.now();
            let patience = self.patience(now);
            let events = watch(
                &self.child,
                self.reply.stream(),
                self.terms.halt,
                wanted,
                patience,
            )
            .map_err(|_| Reason::ServerFailed)?;
            let now = self.terms.clock.now();
            if events.halted {
                return Err(Reason::ServerStopping);
            }
            self.attend_client(&events, now)?;
            self.bulk.look(now);
            self.ended |= events.ended;
            let read_all = self.read(&events, now)?;
            if self.ended && wanted.stdout && read_all {
                return Ok(());
            }
            if !wanted.stdout {
                // It is the client that keeps the program waiting.
                self.silence_ends = now + self.terms.silence;
            }
            self.check_deadlines(now)?;
        }
    }

    /// How long nothing may happen before something has to be done about it.
    fn patience(&self, now: Moment) -> Duration {
        if let Some(waits_until) = self.bulk.waits_until() {
            return now.until(waits_until);
        }
        if self.ended && !self.reply.is_full() {
            return Duration::ZERO;
        }
        let deadline = if self.awaits_quiet() {
            self.quiet_from
        } else {
            self.next_deadline()
        };
        now.until(deadline)
    }

    /// Whether something is done once stdout has been quiet, or closed, for a while.
    fn awaits_quiet(&self) -> bool {
        match self.stage {
            Stage::Header(_) | Stage::Body | Stage::Raw if self.child.stdout().is_none() => true,
            _ => self.reply.is_held(),
        }
    }

    fn next_deadline(&self) -> Moment {
        let client = self.pace.as_ref().map_or(Moment::NEVER, Pace::ends);
        self.silence_ends.min(client).min(self.half_closed_ends())
    }

    /// Until when a half-closed client is waited for without a sign of it.
    fn half_closed_ends(&self) -> Moment {
        match self.stage {
            Stage::Given => Moment::NEVER,
            _ => self.half_closed.unwrap_or(Moment::NEVER),
        }
    }

    /// Sends what the client has room for, and learns whether it is still there.
    fn attend_client(&mut self, events: &Events, now: Moment) -> Result<(), Reason> {
        if events.client_gone {
            return Err(Reason::ClientGone);
        }
        if events.client_half && self.half_closed.is_none() {
            self.half_closed = Some(now + self.terms.half_closed);
        }
        if events.client_room {
            self.bulk.go_on();
            self.flush(now)?;
        }
        Ok(())
    }

    fn flush(&mut self, now: Moment) -> Result<(), Reason> {
        let flushed = self.reply.flush();
        flushed.map_err(|error| Reply::broken(&error))?;
        let sent = self.reply.sent();
        if mem::replace(&mut self.client_took, sent) < sent && self.half_closed.is_some() {
            self.half_closed = Some(now + self.terms.half_closed);
        }
        if self.reply.is_flushed() {
            self.pace = None;
            if matches!(self.stage, Stage::Given) {
                self.reply.end_stream();
            }
            return Ok(());
        }
        match &mut self.pace {
            Some(pace) => {
                pace.advance(now, sent);
            }
            None => self.pace = Some(Pace::start(self.terms.send_window, now, sent)),
        }
        Ok(())
    }

    /// Acts on what has not happened for too long.
    fn check_deadlines(&mut self, now: Moment) -> Result<(), Reason> {
        if now >= self.quiet_from && self.awaits_quiet() && !self.ended {
            if self.child.stdout().is_none() {
                self.give_early(now)?;
            } else {
                self.reply.release();
                self.flush(now)?;
            }
        }
        if now >= self.silence_ends {
            return Err(Reason::CgiTimeout);
        }
        if self.pace.as_ref().is_some_and(|pace| now >= pace.ends()) {
            return Err(Reason::ClientSlow);
        }
        if now >= self.half_closed_ends() {
            return Err(Reason::ClientGone);
        }
        Ok(())
    }

    /// Ends the response of a program that has closed stdout on purpose and goes on running.
    fn give_early(&mut self, now: Moment) -> Result<(), Reason> {
        match &self.stage {
            Stage::Header(seen) => Err(response::ended(seen)),
            Stage::Elsewhere(_) | Stage::Given => Ok(()), // Nobody waits for it.
            Stage::Raw if !self.reply.is_begun() => Err(Reason::CgiNoOutput),
            Stage::Body | Stage::Raw => match self.reply.finish() {
                Ending::Whole => {
                    self.stage = Stage::Given;
                    self.flush(now)
                }
                Ending::Short => Err(Reason::CgiShort),
            },
        }
    }

    /// Ends or reaps the program, and turns what happened into an outcome.
    fn settle(mut self, pumped: Result<(), Reason>) -> Outcome {
        let looks = match pumped {
            Err(Reason::CgiTimeout) if cfg!(feature = "explain") => {
                self.child.stdout().map(look::writers)
            }
            Err(reason) if reason.is_of_header() && cfg!(feature = "explain") => {
                self.hear_out();
                None
            }
            _ => None,
        };
        let exit = match pumped {
            Ok(()) => self.child.reap(),
            // What it left behind is ended too.
            Err(_) => self.child.end(TERM_GRACE),
        };
        // One that is said not to have started may have printed something before it was ended.
        let is_untold = pumped.is_ok() && !self.reply.is_begun();
        let witness = self.terms.witness;
        if let (Exit::Unstarted(error), true) = (exit, is_untold) {
            let error = io::Error::from_raw_os_error(error);
            return not_started(self.name, self.script, &error, witness);
        }
        let was_ended = pumped.is_err() && !self.ended;
        let ending = match was_ended {
            false => exit.to_string(),
            true => format!("the server ended it: {exit}"),
        };
        let tail = self.stderr.finish(self.terms.clock.now());
        let usage = self.child.usage();
        witness.note(|course| course.end(&ending, &tail, usage));
        let verdict = match pumped {
            Ok(())
                if is_in_vain(&self.stage, exit, &tail, self.terms) && self.reply.take_back() =>
            {
                Err(Reason::CgiExit)
            }
            pumped => pumped.and_then(|()| verdict_of(&self.stage, exit, self.reply)),
        };
        let case = |reason, printed: &[u8], body_len| {
            let case = Case {
                reason,
                script: &self.script.filename,
                exit: (!was_ended).then_some(exit),
                printed,
                stderr: &tail,
                body_len,
                looks: looks.as_deref().unwrap_or_default(),
                silence: self.terms.silence,
            };
            let finding = case.finding();
            report(&self.name, &finding, &ending);
            let reason = finding.reason().unwrap_or(reason);
            (reason, finding)
        };
        let body_len = self.reply.body_len();
        match (verdict, self.stage) {
            (Ok(_), Stage::Elsewhere(outcome)) => outcome,
            (Ok(None), _) => Outcome::Answered(None),
            (Ok(Some(reason)), _) => {
                let (_, finding) = case(reason, b"", body_len);
                witness.found(finding);
                Outcome::Answered(Some(reason))
            }
            (Err(reason), stage) => {
                let printed: &[u8] = match &stage {
                    Stage::Header(seen) => seen,
                    _ => b"",
                };
                let (reason, finding) = case(reason, printed, body_len);
                witness.found(finding);
                match stage {
                    Stage::Given => Outcome::Answered(Some(reason)),
                    _ if self.reply.is_begun() => {
                        match reason {
                            Reason::ClientGone | Reason::ClientSlow => self.reply.abandon(),
                            _ => self.reply.cut(),
                        }
                        Outcome::Cut(reason)
                    }
                    _ => Outcome::Failed(reason),
                }
            }
        }
    }
}

fn not_started(name: &str, script: &Script, error: &io::Error, witness: &Witness) -> Outcome {
    let finding = diagnose::start_failure(&script.program, StartFailure::from(error));
    report(&name, &finding, &error.to_string());
    let reason = finding.reason().unwrap_or(Reason::ServerFailed);
    witness.found(finding);
    Outcome::Failed(reason)
}

#[cfg(test)]
mod tests;
