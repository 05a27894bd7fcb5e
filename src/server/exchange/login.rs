//! Asks for user and password where a path lies behind a door.
//!
//! Shape: [`Exchange::ask_password`] lets a step go on, or turns it into an answer, a wait or a pause.
//! Rules:
//! - It comes before everything else about a path: who is turned away learns nothing of what is there.
//! - Hashing a password takes tens of milliseconds of computing: so many are hashed at once as there are
//!   permits, by workers that are spare for that, and who waits for a permit is parked.
//! - A body is received after that: who is turned away uploads nothing.
//! - Who was wrong is told after a pause, for which the connection is parked. Its next attempt comes no
//!   sooner, and others are not held up.
//! - Security: credentials that were found right go no further. A program is told the user.

use std::sync::Arc;
use std::time::Duration;

use super::resource::Step;
use super::{Exchange, Given};
use crate::handler::admission::{Admitted, Permit, Places};
use crate::handler::auth::{Door, Look};
use crate::handler::reply::Reply;
use crate::proto::Reason;
use crate::proto::http::basic::Credentials;
use crate::proto::uri::path::UrlPath;
use crate::server::worker::Worker;

/// How long the answer to a wrong password is held back.
pub const WRONG_PAUSE: Duration = Duration::from_secs(1);

/// How far the course is with the doors of its present path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Login {
    /// They were not asked.
    #[default]
    Unasked,
    /// They let the request through.
    LetIn,
    /// One did not, and the client has been kept waiting for that.
    Wrong,
}

impl Exchange<'_> {
    /// Has the doors of the request's own path let it through, before its body is received.
    pub(super) fn knock(
        &mut self,
        reply: &mut Reply<'_>,
        permit: Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Given {
        let mut permit = permit;
        let step = match UrlPath::decode(self.request.target.path) {
            Ok(path) => self.ask_password(&path, &mut permit, worker),
            Err(reason) => Some(Step::failed(reason)),
        };
        match step {
            None => Given::LetIn,
            Some(step) => self.follow(step, reply, permit, worker),
        }
    }

    /// Has the doors of a path let the request through; `None` when they do.
    pub(super) fn ask_password(
        &mut self,
        path: &UrlPath<'_>,
        permit: &mut Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Option<Step> {
        if self.course.login == Login::LetIn {
            return None;
        }
        let doors = self.hosted.site.doors.at(path);
        let first = doors.first()?;
        self.course.challenge = Some(Arc::clone(first.challenge()));
        if self.course.login == Login::Wrong {
            return Some(Step::failed(Reason::AuthWrong));
        }
        let credentials = match Credentials::of(self.request.head) {
            Ok(credentials) => credentials,
            Err(reason) => return Some(Step::failed(reason)),
        };
        for door in doors {
            if let Some(step) = self.ask_door(door, &credentials, permit, worker) {
                return Some(step);
            }
        }
        self.course.login = Login::LetIn;
        // Names of users in the files are UTF-8.
        self.course.user = String::from_utf8(credentials.user).ok();
        None
    }

    fn ask_door(
        &mut self,
        door: &Door,
        credentials: &Credentials,
        permit: &mut Option<Permit>,
        worker: &mut Worker<'_>,
    ) -> Option<Step> {
        let check = match door.look(credentials) {
            Ok(Look::Known) => return None,
            Ok(Look::Unsure(check)) => check,
            Err(reason) => return Some(Step::failed(reason)),
        };
        let checks = &self.server.checks;
        let held = permit.take().filter(|permit| permit.is_of(checks));
        let held = match held {
            Some(permit) => permit,
            None => match checks.ask(self.number, self.party(), Places::default(), |_| true) {
                Admitted::Now(permit) => permit,
                Admitted::Wait(ticket) => return Some(self.wait(ticket, Reason::AuthBusy)),
                Admitted::Full => return Some(Step::failed(Reason::AuthBusy)),
            },
        };
        worker.leave_seat();
        let is_right = door.is_right(credentials, &check);
        drop(held);
        if is_right {
            return None;
        }
        self.course.login = Login::Wrong;
        // For whoever watches the log for guesses. What was typed for a user may be a password.
        let (id, whom, code) = (self.id(), self.origin.whom, Reason::AuthWrong.code());
        log::info!("{id}: {code}: a wrong user or password from {whom}");
        Some(Step::Pause(worker.now() + WRONG_PAUSE))
    }
}
