//! The place of one process: its socket, which stays, and whoever accepts at it.
//!
//! Rules: after a failure the place is left alone for a pause, which doubles with each failure in a
//! row. A process that has served a request, or has run for a while, did not fail from the start.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::handler::stderr::StderrLog;
use crate::sys::child::{Child, Program};
use crate::sys::clock::Moment;
use crate::sys::service::ServiceSocket;
use crate::sys::spawner::Spawners;
use crate::sys::stream::Stream;

/// The pause after a first failure, and the longest.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(30)];

/// Who has run for so long did not fail from the start.
pub(super) const SETTLED: Duration = Duration::from_secs(10);

/// What every process is started with.
#[derive(Debug)]
pub(super) struct Launch {
    /// The file to execute, absolute.
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<Vec<u8>>,
    /// The working folder.
    pub(super) folder: PathBuf,
    pub(super) environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// Who starts it.
    pub(super) spawners: Arc<Spawners>,
}

/// The place of one process.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) socket: ServiceSocket,
    pub(super) stage: Stage,
    /// There in the stages in which there is one: from `Starting` on.
    pub(super) process: Option<Process>,
    /// A connection that nobody has accepted yet. It outlives a process that never did.
    pub(super) warm: Option<Stream>,
    /// Failures in a row.
    failures: u32,
}

/// What is with the process of a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is none.
    Vacant,
    /// It failed, and none is started here before this moment.
    Resting(Moment),
    /// It has accepted nothing yet; at this moment it is looked at again.
    Starting(Moment),
    /// Requests go to it.
    Offered {
        /// Who is to take its place, once that one accepts.
        successor: Option<usize>,
    },
    /// It was left in the midst of a request.
    Left {
        /// When it is looked at again.
        look: Moment,
        /// When it has to have accepted again.
        until: Moment,
    },
    /// No more requests go to it; since this moment its last ones are waited for.
    Leaving(Moment),
    /// It was asked to end.
    Ending {
        /// When it is killed.
        kill: Moment,
        /// Whether it was ended for having failed.
        failed: bool,
    },
}

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    /// Program and process id.
    pub(super) name: String,
    pub(super) output: StderrLog<String>,
    pub(super) started: Moment,
    /// Since when it has had nothing to do but to accept.
    pub(super) awaited: Moment,
    /// Whether requests were sent its way.
    pub(super) was_offered: bool,
    /// Requests that it found waiting at the socket, before it was offered.
    pub(super) found: u64,
    /// What the roster had counted when it started.
    pub(super) known: u64,
}

impl Process {
    /// Takes note of what the roster counts for its station; returns how many requests it may have served.
    pub(super) fn count(&mut self, in_use: usize, counted: u64) -> u64 {
        if self.was_offered {
            return self.found + counted;
        }
        let since = counted.saturating_sub(self.known);
        self.found = self.found.max(in_use as u64).max(since);
        self.found
    }
}

impl Station {
    pub(super) fn new(socket: ServiceSocket) -> Station {
        Station {
            socket,
            stage: Stage::Vacant,
            process: None,
            warm: None,
            failures: 0,
        }
    }

    /// Starts a process here; it is first looked at at the moment `look`.
    pub(super) fn start(&mut self, launch: &Launch, now: Moment, look: Moment) -> io::Result<()> {
        let program = Program {
            path: &launch.program,
            arguments: &launch.arguments,
            folder: &launch.folder,
            stdin: None,
        };
        let environment = launch.environment.iter();
        let variables = environment.map(|(name, value)| (&name[..], &value[..]));
        let child = program.start_service(self.socket.as_fd(), variables, &launch.spawners)?;
        let name = format!(
            "{}[{}]",
            launch.program.display(),
            child.id().unwrap_or_default()
        );
        self.process = Some(Process {
            output: StderrLog::new(name.clone(), now),
            name,
            child,
            started: now,
            awaited: now,
            was_offered: false,
            found: 0,
            known: 0,
        });
        self.stage = Stage::Starting(look);
        self.warm_up();
        Ok(())
    }

    /// Has a process that was left in the midst of a request accept again.
    pub(super) fn leave(&mut self, look: Moment, until: Moment) {
        self.stage = Stage::Left { look, until };
        self.warm_up();
    }

    /// Sees to it that a connection waits to be accepted.
    fn warm_up(&mut self) {
        let waits = self.warm.as_ref().is_some_and(Stream::is_quiet) && self.socket.has_waiting();
        if !waits {
            // Where this fails for want of descriptors the next look tries again.
            self.warm = self.socket.connect().ok();
        }
    }

    /// The connection that was made at the start, once it has been accepted.
    pub(super) fn take_accepted(&mut self) -> Option<Stream> {
        if self.warm.is_none() {
            self.warm_up();
            return None;
        }
        if self.socket.has_waiting() {
            return None;
        }
        self.warm.take()
    }

    /// Whether a process runs here that serves or soon will.
    pub(super) fn is_live(&self) -> bool {
        let is_there = |stage| matches!(stage, Stage::Offered { .. } | Stage::Left { .. });
        matches!(self.stage, Stage::Starting(_)) || is_there(self.stage)
    }

    pub(super) fn is_resting(&self) -> bool {
        matches!(self.stage, Stage::Resting(_))
    }

    /// Takes note that a process did what it was started for: a later failure is a first one.
    pub(super) fn forgive(&mut self, served: u64, ran: Duration) {
        if served > 0 || ran >= SETTLED {
            self.failures = 0;
        }
    }

    /// Leaves the station alone after a failure; returns for how long.
    pub(super) fn rest(&mut self, now: Moment) -> Duration {
        let [first, longest] = PAUSES;
        let doubled = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let pause = first.saturating_mul(doubled).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.stage = Stage::Resting(now + pause);
        pause
    }
}
