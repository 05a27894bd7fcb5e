//! Whoever started the server and looks after it: told when it is ready, and that it is alive.
//!
//! Source: sd_notify(3), sd_watchdog_enabled(3).
//! Rules: a sign of life (`WATCHDOG=1`) is given for workers alone: one of each lane is asked for a sign by the
//! way of all other events, and only when all have come are the next ones asked for. A process with a lane that
//! stands still is thus ended and started again, also where this thread is well.

use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Server;
use super::parking::Parking;
use crate::config::StartError;
use crate::sys::notify::Notifier;

/// The number in [`super::Wakes`] that asks for a sign of life; no slot has it.
pub(super) const SIGN: u32 = u32::MAX;

/// The shortest interval that signs of life are asked for in: more often would be work for its own sake.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Whoever looks after the server.
#[derive(Debug)]
pub(super) struct Supervision {
    notifier: Notifier,
    /// How often it wants a sign of life.
    interval: Option<Duration>,
    /// How many of the signs that were asked for have not come.
    awaited: AtomicUsize,
}

impl Supervision {
    /// Finds out who it is; with no `NOTIFY_SOCKET`, nobody.
    pub(super) fn open(
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Supervision, StartError> {
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let path = variable("NOTIFY_SOCKET").filter(|path| !path.is_empty());
        let notifier = match &path {
            None => Notifier::nobody(),
            Some(path) => Notifier::connect(path).map_err(|error| {
                let problem = format!(
                    "cannot be told that the server is ready ({error}); unset it, or name a socket"
                );
                StartError::failed("NOTIFY_SOCKET", path.display(), problem)
            })?,
        };
        let is_meant = variable("WATCHDOG_PID").is_none()
            || number("WATCHDOG_PID") == Some(std::process::id().into());
        let limit = number("WATCHDOG_USEC").filter(|limit| *limit > 0 && is_meant);
        let interval = limit
            .filter(|_| notifier.is_heard())
            .map(|limit| (Duration::from_micros(limit) / 2).max(INTERVAL_MIN));
        Ok(Supervision {
            notifier,
            interval,
            awaited: AtomicUsize::new(0),
        })
    }

    /// Connections are accepted, by what `summary` says.
    pub(super) fn ready(&self, summary: &str) {
        self.notifier.tell(&format!("READY=1\nSTATUS={summary}"));
    }

    /// What was opened is opened anew; [`Supervision::reloaded`] follows.
    pub(super) fn reloading(&self) {
        self.notifier.tell_of_reload();
    }

    /// It is.
    pub(super) fn reloaded(&self) {
        self.notifier.tell("READY=1");
    }

    /// Nobody is accepted any more.
    pub(super) fn stopping(&self) {
        self.notifier.tell("STOPPING=1\nSTATUS=Finishing what runs");
    }

    /// Whether signs of life are wanted.
    pub(super) fn is_watched(&self) -> bool {
        self.interval.is_some()
    }

    /// A worker is at work.
    pub(super) fn give_sign(&self) {
        self.awaited.fetch_sub(1, Ordering::Relaxed);
    }

    /// Passes on that all signs have come and asks for others; nothing where one has not come.
    fn look(&self, parking: &Parking) {
        if self.awaited.load(Ordering::Relaxed) == 0 {
            self.notifier.tell("WATCHDOG=1");
            let lanes = parking.lanes();
            self.awaited.store(lanes.len(), Ordering::Relaxed);
            lanes.iter().for_each(|lane| lane.wakes.push(SIGN));
        }
    }
}

impl Server {
    /// Passes on signs of life until the server stops.
    pub(super) fn keep_watched(&self) {
        let Some(interval) = self.supervision.interval else {
            return;
        };
        loop {
            self.supervision.look(&self.parking);
            if self.halt.wait(interval) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
