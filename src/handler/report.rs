//! Tells the log, and whoever else wants to know, what was found out about a program or application that
//! failed.
//!
//! Shape: a [`Finding`] becomes a line of the log, and stays with the [`Witness`] of the run. Rules: it
//! may quote output, so it goes no further than the operator says (`--explain`), and no more of it is
//! kept than helps.

use std::cell::RefCell;

use crate::proto::Reason;
use crate::proto::finding::Finding;
use crate::sys::clock::Moment;

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

/// How a run went.
#[derive(Debug, Default)]
pub struct Course {
    /// The beginning of what it printed.
    pub printed: Vec<u8>,
    /// How much it printed in all.
    pub printed_len: u64,
    /// When the first of it came.
    pub first_output: Option<Moment>,
    /// The end of what it complained of.
    pub stderr: Vec<u8>,
    /// How it ended; none where it was not started.
    pub ending: Option<String>,
}

impl Witness {
    /// One that keeps what was printed, too.
    pub fn close() -> Witness {
        Witness {
            course: Some(RefCell::default()),
            ..Witness::default()
        }
    }

    /// Notes what was printed.
    pub fn printed(&self, bytes: &[u8], now: Moment) {
        if let Some(course) = &self.course
            && !bytes.is_empty()
        {
            let mut course = course.borrow_mut();
            let room = KEPT_MAX.saturating_sub(course.printed.len());
            course
                .printed
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
            course.printed_len += bytes.len() as u64;
            course.first_output.get_or_insert(now);
        }
    }

    /// Notes how much was passed on unseen.
    pub fn passed_by(&self, len: u64) {
        if let Some(course) = &self.course {
            course.borrow_mut().printed_len += len;
        }
    }

    /// Notes how it ended.
    pub fn ended(&self, ending: &str, stderr: &[u8]) {
        if let Some(course) = &self.course {
            let mut course = course.borrow_mut();
            course.ending = Some(ending.to_owned());
            course.stderr = stderr.to_vec();
        }
    }

    /// Notes what is wrong.
    pub fn found(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }
}

/// Writes a line that begins with `name`. `detail` tells how it ended.
pub fn report(name: &str, finding: &Finding, detail: &str) {
    let (code, line) = (finding.code, finding.line());
    match finding.reason() {
        Some(Reason::ClientGone | Reason::ClientSlow | Reason::ServerStopping) => {
            log::info!("{name}: {code}: {line} ({detail})");
        }
        Some(Reason::CgiExit | Reason::CgiLong) => log::warn!("{name}: {code}: {line} ({detail})"),
        _ => log::error!("{name}: {code}: {line} ({detail})"),
    }
}
