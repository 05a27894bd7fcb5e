//! Looks after processes that were left in the midst of a request: its client went away, or its time
//! was up. The connection is closed, and whether the process takes note of that is its own affair.
//!
//! Shape: what [`Crew::step`] does about such a process, from when the roster tells of it to when it is
//! asked for more, or ended. Rules: no request goes to it before it has accepted a connection; it has as
//! long for that as the request that was left had, and a moment at least.

use std::time::Duration;

use super::crew::{Crew, LOOKS};
use super::station::Stage;
use crate::sys::clock::Moment;

/// How long such a process has at least to accept again.
const LEFT_LEAST: Duration = Duration::from_secs(1);

impl Crew {
    /// Takes note that a process was left in the midst of a request. It may still work on it, and would
    /// keep the next one waiting.
    pub(super) fn check(&mut self, at: usize, successor: Option<usize>, now: Moment) {
        let Some(until) = self.roster.left_until(at) else {
            return;
        };
        if successor.is_some() {
            self.withdraw(at, now, "it was given all its requests");
            return;
        }
        let station = &mut self.stations[at];
        if let Some(process) = &mut station.process {
            process.awaited = now;
        }
        station.leave(now + LOOKS[0], until);
    }

    /// Has requests go again to a process that was left, or ends it when it has not come back in time.
    pub(super) fn look_again(&mut self, at: usize, until: Moment, now: Moment) {
        let station = &mut self.stations[at];
        let accepted = station.take_accepted();
        let Some(process) = &station.process else {
            return;
        };
        let taken = process.awaited.until(now);
        if let Some(warm) = accepted {
            station.stage = Stage::Offered { successor: None };
            self.roster.resume(at, warm, now);
        } else if now >= until && taken >= LEFT_LEAST {
            let why = "it does not come back from a request that was given up";
            log::warn!("{}: is ended, as {why}", process.name);
            self.roster.withdraw(at, why);
            self.end(at, now, false);
        } else {
            let [shortest, longest] = LOOKS;
            let look = now + (taken / 8).clamp(shortest, longest);
            station.stage = Stage::Left { look, until };
        }
    }
}
