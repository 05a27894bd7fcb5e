//! One line for each exchange: the combined format, then its duration and reason code.
//!
//! Shape: `client - user [date] "request line" status bytes "referer" "user agent" 0.000123s reason`.
//! Rules: what a client wrote is escaped, so that it can neither forge a line nor end a quotation. A
//! line is one write to a file opened for appending, and short enough for a pipe to take it whole, so
//! lines never mix. A log that cannot be written harms no request: its lines are lost, and counted.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::origin::Whom;
use super::record::Record;
use crate::config::{self, StartError};
use crate::proto::Reason;
use crate::proto::http::head::RequestHead;
use crate::proto::http::status::StatusCode;
use crate::sys::identity::Identity;
use crate::sys::log_file;

/// How much of a request line is written, and of each other field: together with the rest less than
/// the 4,096 bytes that a pipe takes as one.
const REQUEST_LINE_MAX: usize = 2000;
const QUOTED_MAX: usize = 800;

/// How much of a user's name is written.
const USER_MAX: usize = 128;

/// The log, or none.
#[derive(Debug)]
pub struct AccessLog {
    target: Option<Target>,
    lost: AtomicU64,
}

#[derive(Debug)]
struct Target {
    path: Option<PathBuf>,
    /// Whether the path means this file no more.
    is_outside: bool,
    file: RwLock<File>,
}

/// What an exchange's line says, but for what is known only at its end.
#[derive(Debug)]
pub struct Entry {
    /// The line up to the status.
    before: Vec<u8>,
    /// The line after the byte count, up to the duration.
    after: Vec<u8>,
    /// When the exchange began, on the server's clock, in microseconds.
    pub started: u64,
    /// The status that was answered.
    pub status: StatusCode,
    /// How many bytes of body were given.
    pub body_len: u64,
    /// Why it was not the plain answer.
    pub reason: Option<Reason>,
    /// What is kept of the exchange for the console.
    pub record: Record,
}

impl AccessLog {
    /// Opens the log that the settings ask for; as root, for the user who will have to open it anew.
    pub fn open(
        setting: &config::AccessLog,
        heir: Option<&Identity>,
    ) -> Result<AccessLog, StartError> {
        let open = |path: &Path| match heir {
            Some(heir) => log_file::open_for(path, heir),
            None => log_file::open(path),
        };
        let target = match setting {
            config::AccessLog::Off => None,
            config::AccessLog::Stdout => Some((None, log_file::stdout())),
            config::AccessLog::File(path) => Some((Some(path.clone()), open(path))),
        };
        let target = match target {
            None => None,
            Some((path, Ok(file))) => Some(Target {
                path,
                is_outside: false,
                file: RwLock::new(file),
            }),
            Some((path, Err(error))) => {
                let shown = path
                    .as_deref()
                    .unwrap_or(Path::new("-"))
                    .display()
                    .to_string();
                let problem = format!("cannot be opened for writing ({error})");
                return Err(StartError::failed("--access-log", shown, problem));
            }
        };
        Ok(AccessLog {
            target,
            lost: AtomicU64::new(0),
        })
    }

    /// Whether lines are wanted.
    pub fn is_on(&self) -> bool {
        self.target.is_some()
    }

    /// How many lines were lost since one was last written.
    #[cfg(feature = "console")]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Takes note that paths mean other files from now on, as the root was changed.
    pub fn leave_outside(&mut self) {
        if let Some(target) = &mut self.target {
            target.is_outside = true;
        }
    }

    /// Opens the file anew, after it was renamed.
    pub fn reopen(&self) {
        let Some(Target {
            path: Some(path),
            is_outside,
            file,
        }) = &self.target
        else {
            return;
        };
        if *is_outside {
            let path = path.display();
            log::error!(
                "--access-log: {path}: lies outside of --chroot, where nothing can be opened anew; \
                 have it copied and truncated (copytruncate of logrotate)"
            );
            return;
        }
        match log_file::open(path) {
            Ok(fresh) => *file.write().unwrap_or_else(PoisonError::into_inner) = fresh,
            Err(error) => log::error!(
                "--access-log: {}: {error}; the old file stays",
                path.display()
            ),
        }
    }

    /// Writes the line of an exchange that ended now.
    pub fn write(&self, entry: &Entry, now: u64) {
        let Some(target) = &self.target else { return };
        let mut line = Vec::with_capacity(entry.before.len() + entry.after.len() + 64);
        line.extend_from_slice(&entry.before);
        let micros = now.saturating_sub(entry.started);
        let reason = entry.reason.map_or("-", Reason::code);
        // Writing to memory cannot fail.
        let _ = write!(line, "{} {} ", entry.status, entry.body_len);
        line.extend_from_slice(&entry.after);
        let _ = writeln!(
            line,
            " {}.{:06}s {reason}",
            micros / 1_000_000,
            micros % 1_000_000
        );
        let mut file = &*target.file.read().unwrap_or_else(PoisonError::into_inner);
        let written = match file.write(&line) {
            Ok(written) if written < line.len() => Err(io::ErrorKind::WriteZero.into()),
            written => written,
        };
        match written {
            Ok(_) if self.lost.load(Ordering::Relaxed) > 0 => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                log::warn!("{lost} lines of the access log were lost");
            }
            Err(error) if self.lost.fetch_add(1, Ordering::Relaxed) == 0 => {
                log::error!("the access log cannot be written, and its lines are lost: {error}");
            }
            _ => {}
        }
    }
}

impl Entry {
    /// The entry of an exchange that began with `request_line`, of a user who was verified, if of any. Its
    /// head may be empty, where it could not be parsed. `date` is an HTTP date.
    pub fn new(
        whom: &Whom,
        user: Option<&str>,
        request_line: &[u8],
        head: &RequestHead,
        date: &[u8; 29],
        started: u64,
    ) -> Entry {
        let mut before = Vec::with_capacity(128);
        // Writing to memory cannot fail.
        let _ = write!(before, "{whom}");
        before.extend_from_slice(b" - ");
        match user {
            Some(user) => escape(&mut before, user.as_bytes(), USER_MAX, is_of_word),
            None => before.push(b'-'),
        }
        before.extend_from_slice(b" [");
        push_log_date(&mut before, date);
        before.extend_from_slice(b"] \"");
        match request_line {
            [] => before.push(b'-'),
            line => escape(&mut before, line, REQUEST_LINE_MAX, is_quotable),
        }
        before.extend_from_slice(b"\" ");
        let mut after = Vec::with_capacity(96);
        push_quoted(&mut after, head.field("referer"));
        after.push(b' ');
        push_quoted(&mut after, head.field("user-agent"));
        Entry {
            before,
            after,
            started,
            status: StatusCode::OK,
            body_len: 0,
            reason: None,
            record: Record::default(),
        }
    }

    /// One that the console alone is told of.
    #[cfg(feature = "console")]
    pub fn unwritten(started: u64) -> Entry {
        Entry {
            before: Vec::new(),
            after: Vec::new(),
            started,
            status: StatusCode::OK,
            body_len: 0,
            reason: None,
            record: Record::default(),
        }
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as `06/Nov/1994:08:49:37 +0000`.
fn push_log_date(line: &mut Vec<u8>, date: &[u8; 29]) {
    line.extend_from_slice(&date[5..7]);
    line.push(b'/');
    line.extend_from_slice(&date[8..11]);
    line.push(b'/');
    line.extend_from_slice(&date[12..16]);
    line.push(b':');
    line.extend_from_slice(&date[17..25]);
    line.extend_from_slice(b" +0000");
}

fn push_quoted(line: &mut Vec<u8>, value: Option<&[u8]>) {
    line.push(b'"');
    match value {
        Some(value) => escape(line, value, QUOTED_MAX, is_quotable),
        None => line.push(b'-'),
    }
    line.push(b'"');
}

/// Writes all that is not printable in its place as `\xNN`, as Apache and nginx do; `max` bytes at most.
fn escape(line: &mut Vec<u8>, text: &[u8], max: usize, is_printable: fn(u8) -> bool) {
    let ends = line.len() + max;
    for &byte in text {
        if line.len() + 4 > ends {
            return line.extend_from_slice(b"...");
        }
        match is_printable(byte) {
            true => line.push(byte),
            false => drop(write!(line, "\\x{byte:02X}")),
        }
    }
}

/// Whether a byte may stand between quotation marks.
fn is_quotable(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | 0..=0x1F | 0x7F..)
}

/// Whether it may stand in a word: a space would begin the next one.
fn is_of_word(byte: u8) -> bool {
    byte != b' ' && is_quotable(byte)
}

#[cfg(test)]
mod tests;
