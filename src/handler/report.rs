//! Tells the log, and whoever else wants to know, what was found out about a program or application that
//! failed.
//!
//! Shape: a [`Finding`] becomes a line of the log, and stays with the [`Witness`] of the run. Rules: it
//! may quote output, so it goes no further than the operator says (`--explain`), and no more of it is
//! kept than helps.

use std::cell::RefCell;
use std::fmt;

use crate::proto::Reason;
use crate::proto::finding::Finding;
use crate::sys::child::Usage;
use crate::sys::clock::{Clock, Moment};

/// The number under which the log tells of an exchange: no other exchange of this server has it, nor one of a server
/// that was started at another second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id {
    /// When the server was started, in seconds since the epoch.
    pub started: u64,
    /// The number of the exchange.
    pub serial: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.started, self.serial)
    }
}

/// How much of what a program writes is kept for `tollgate check`.
pub const KEPT_MAX: usize = 64 << 10;

/// What was seen of one run.
#[derive(Debug, Default)]
pub struct Witness {
    /// What is wrong.
    pub findings: RefCell<Vec<Finding>>,
    /// What is kept of a run that is watched closely.
    pub course: Option<RefCell<Course>>,
}

/// How a run went. Times are microseconds on the clock.
#[derive(Debug, Default)]
pub struct Course {
    clock: Option<Clock>,
    /// How much is kept of what it wrote.
    kept_max: usize,
    /// The beginning of what it printed.
    pub printed: Vec<u8>,
    /// How much it printed in all.
    pub printed_len: u64,
    /// When the first of it came.
    pub first_output: Option<Moment>,
    /// The same, exactly.
    pub first_at: Option<u64>,
    /// The beginning of what it complained of.
    pub complained: Vec<u8>,
    /// How much it complained in all.
    pub complained_len: u64,
    /// The end of that.
    pub stderr: Vec<u8>,
    /// When it was ordered to be started, or a connection to it.
    pub ordered_at: Option<u64>,
    /// When it ran, or was connected.
    pub began_at: Option<u64>,
    /// How it ended; none where it was not started.
    pub ending: Option<String>,
    /// When it had ended.
    pub ended_at: Option<u64>,
    /// What it took.
    pub usage: Usage,
}

impl Course {
    /// One that keeps so much of what is written.
    pub fn new(clock: Clock, kept_max: usize) -> Course {
        Course {
            clock: Some(clock),
            kept_max,
            ..Course::default()
        }
    }

    fn now(&self) -> Option<u64> {
        self.clock.map(|clock| clock.micros())
    }

    /// Notes that it is ordered now.
    pub fn order(&mut self) {
        self.ordered_at = self.now();
    }

    /// Notes that it runs, or is connected.
    pub fn begin(&mut self) {
        if self.began_at.is_none() {
            self.began_at = self.now();
        }
    }

    /// Notes what was printed.
    pub fn print(&mut self, bytes: &[u8], now: Moment) {
        if bytes.is_empty() {
            return;
        }
        self.printed_len += bytes.len() as u64;
        keep(&mut self.printed, bytes, self.kept_max);
        self.first_output.get_or_insert(now);
        if self.first_at.is_none() {
            self.first_at = self.now();
        }
    }

    /// Notes what was complained of.
    pub fn complain(&mut self, bytes: &[u8]) {
        self.complained_len += bytes.len() as u64;
        keep(&mut self.complained, bytes, self.kept_max);
    }

    /// What happened when, in microseconds since it was ordered.
    pub fn times(&self) -> Vec<(&'static str, u64)> {
        let Some(ordered) = self.ordered_at else {
            return Vec::new();
        };
        let steps = [
            ("started", self.began_at),
            ("first byte", self.first_at),
            ("exit", self.ended_at),
        ];
        let known = steps.into_iter().filter_map(|(name, at)| Some((name, at?)));
        known
            .map(|(name, at)| (name, at.saturating_sub(ordered)))
            .collect()
    }

    /// Notes how it ended.
    pub fn end(&mut self, ending: &str, stderr: &[u8], usage: Usage) {
        self.ending = Some(ending.to_owned());
        self.stderr = stderr.to_vec();
        self.ended_at = self.now();
        self.usage = usage;
        if let (Some(ordered), Some(start)) = (self.ordered_at, usage.start) {
            self.began_at = Some(ordered + u64::from(start));
        }
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8], max: usize) {
    let room = max.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

impl Witness {
    /// One that watches closely, and keeps so much of what is written.
    pub fn close(clock: Clock, kept_max: usize) -> Witness {
        Witness {
            course: Some(RefCell::new(Course::new(clock, kept_max))),
            ..Witness::default()
        }
    }

    /// Notes something, where it watches closely.
    pub fn note(&self, note: impl FnOnce(&mut Course)) {
        if let Some(course) = &self.course {
            note(&mut course.borrow_mut());
        }
    }

    /// Notes what is wrong.
    pub fn found(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }
}

/// Writes a line that begins with `name`. `detail` tells how it ended.
pub fn report(name: &dyn fmt::Display, finding: &Finding, detail: &str) {
    let (code, line) = (finding.code, finding.line());
    match finding.reason() {
        Some(Reason::ClientGone | Reason::ClientSlow | Reason::ServerStopping) => {
            log::info!("{name}: {code}: {line} ({detail})");
        }
        Some(Reason::CgiExit | Reason::CgiLong | Reason::FastcgiStatus) => {
            log::warn!("{name}: {code}: {line} ({detail})")
        }
        _ => log::error!("{name}: {code}: {line} ({detail})"),
    }
}
