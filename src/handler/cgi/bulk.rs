//! Much output: it goes from the program's pipe to the client without being copied (splice(2)).
//!
//! Shape: once one read has brought much, the relay asks [`Relay::splice`] first, and reads only what
//! that leaves. Rules:
//! - Little output is read: that is as cheap, and several pieces leave in one packet.
//! - A client that takes no more is waited for for a moment, in which the pipe holds what comes. One
//!   that takes nothing in it has its output read again, into the spool: it does not slow the program.

use std::time::Duration;

use super::{Course, PIPE_WIDEST, Relay, Reply, Stage};
use crate::proto::Reason;
use crate::sys::clock::Moment;
use crate::sys::pipe::{self, is_unfit};

/// How much a read brings of a program that prints much; less is not worth a splice.
const MUCH: usize = 32 << 10;

/// How long a client that takes no more is waited for.
pub(super) const MOMENT: Duration = Duration::from_millis(10);

/// How often the pipe is emptied before other events are looked for.
const ROUNDS: usize = 4;

/// What a relay knows of a program that prints much.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    is_on: bool,
    /// Whether the kernel does not move bytes from there to the client.
    is_refused: bool,
    /// Until when the client is waited for.
    waits_until: Option<Moment>,
}

impl Bulk {
    /// Until when stdout is left alone for the client's sake.
    pub(super) fn waits_until(&self) -> Option<Moment> {
        self.waits_until
    }

    /// Ends the wait when its time is over.
    pub(super) fn look(&mut self, now: Moment) {
        self.waits_until = self.waits_until.filter(|ends| now < *ends);
    }

    /// Ends the wait: the client takes bytes again.
    pub(super) fn go_on(&mut self) {
        self.waits_until = None;
    }
}

impl Relay<'_, '_> {
    /// Takes notice of what a read has brought.
    pub(super) fn look_for_bulk(&mut self) {
        if !self.bulk.is_on
            && self.buffer.filled().len() >= MUCH
            && let Some(stdout) = self.child.stdout()
        {
            self.bulk.is_on = true;
            pipe::widen(stdout, PIPE_WIDEST);
        }
    }

    /// Sends what lies in stdout, if it is much and the client takes it; else what lies there is to be
    /// read, and this returns false.
    pub(super) fn splice(&mut self, now: Moment) -> Result<bool, Reason> {
        let is_body = matches!(self.stage, Stage::Body | Stage::Raw);
        if !self.bulk.is_on || self.bulk.is_refused || !is_body || !self.reply.can_splice() {
            return Ok(false);
        }
        let mut moved = false;
        for _ in 0..ROUNDS {
            let Some(stdout) = self.child.stdout() else {
                break;
            };
            let lying = pipe::lying_in(stdout);
            // Past what an ended program can have left nothing is begun, only what is owed given.
            let is_past = self.ended && self.read_late >= PIPE_WIDEST && !self.reply.owes();
            if lying < MUCH || is_past {
                break;
            }
            let sent = match self.reply.splice(stdout, lying) {
                Ok(sent) => sent,
                // Some kernels and filters have no splice(2) for these descriptors.
                Err(error) if is_unfit(&error) => {
                    self.bulk.is_refused = true;
                    break;
                }
                Err(error) => return Err(Reply::broken(&error)),
            };
            moved = true;
            let note = |course: &mut Course| course.printed_len += sent as u64;
            self.terms.witness.note(note);
            self.count(sent);
            if self.reply.is_blocked() {
                self.bulk.waits_until = Some(now + MOMENT);
                return Ok(true);
            }
            if !self.reply.can_splice() {
                break;
            }
        }
        if moved {
            self.flush(now)?;
        }
        Ok(moved)
    }
}
