//! One line for each exchange: the combined format with its duration and reason code, or another one (`format`).
//!
//! Shape: `client - user [date] "request line" status bytes "referer" "user agent" 0.000123s reason`.
//! Rules: a line is one write to a file opened for appending, and short enough for a pipe to take it whole, so
//! lines never mix. A log that cannot be written harms no request: its lines are lost, and counted.

mod format;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use self::format::Known;
use super::origin::Whom;
use super::record::Record;
use crate::config::{self, LogFormat, Settings, StartError};
use crate::proto::Reason;
use crate::proto::http::head::RequestHead;
use crate::proto::http::status::StatusCode;
use crate::sys::identity::Identity;
use crate::sys::log_file;

/// The log, or none.
#[derive(Debug)]
pub struct AccessLog {
    target: Option<Target>,
    /// What its lines are made of.
    pub format: LogFormat,
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
    /// The line, but for that.
    text: Vec<u8>,
    /// Where in it what is known at the end has its places.
    places: Vec<usize>,
    /// When the exchange began, on the server's clock, in microseconds.
    pub started: u64,
    /// The status that was answered.
    pub status: StatusCode,
    /// How many bytes of body were given.
    pub body_len: u64,
    /// Why it was not the plain answer.
    pub reason: Option<Reason>,
    /// The log of its site.
    pub log: Option<Arc<AccessLog>>,
    /// What is kept of the exchange for the console.
    pub record: Record,
}

impl AccessLog {
    /// Opens the log that the settings ask for; as root, for the user who will have to open it anew.
    pub fn open(
        setting: &config::AccessLog,
        format: &LogFormat,
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
            format: format.clone(),
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
        let line = format::end(entry, &self.format, now.saturating_sub(entry.started));
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

/// The logs of all sites, each once.
#[derive(Debug, Default)]
pub struct Logs(Vec<((config::AccessLog, LogFormat), Arc<AccessLog>)>);

impl Logs {
    /// Opens those that the settings ask for, as [`AccessLog::open`] does.
    pub fn open(settings: &Settings, heir: Option<&Identity>) -> Result<Logs, StartError> {
        Logs::default().with(settings, heir)
    }

    /// Opens those that the settings ask for and that are not here, and leaves out those that they do not.
    pub fn with(&self, settings: &Settings, heir: Option<&Identity>) -> Result<Logs, StartError> {
        let mut logs = Logs::default();
        for site in settings.each_site() {
            let wanted = wanted(site);
            if logs.find(wanted).is_some() {
                continue;
            }
            let log = match self.find(wanted) {
                Some(log) => log,
                None => {
                    let opened = AccessLog::open(wanted.0, wanted.1, heir);
                    Arc::new(opened.map_err(|error| error.placed(site))?)
                }
            };
            logs.0.push(((wanted.0.clone(), wanted.1.clone()), log));
        }
        Ok(logs)
    }

    fn find(&self, wanted: (&config::AccessLog, &LogFormat)) -> Option<Arc<AccessLog>> {
        let mut logs = self.0.iter();
        let (_, log) = logs.find(|((log, format), _)| (log, format) == wanted)?;
        Some(Arc::clone(log))
    }

    /// The log of a site; none is written where it has none here.
    pub fn of(&self, site: &Settings) -> Arc<AccessLog> {
        let none = || AccessLog {
            target: None,
            format: LogFormat::default(),
            lost: AtomicU64::new(0),
        };
        self.find(wanted(site)).unwrap_or_else(|| Arc::new(none()))
    }

    /// Takes note that paths mean other files from now on, before anybody has a part in a log.
    pub fn leave_outside(&mut self) {
        let logs = self.0.iter_mut();
        let own = logs.filter_map(|(_, log)| Arc::get_mut(log));
        own.for_each(AccessLog::leave_outside);
    }

    /// Opens the files anew, after they were renamed.
    pub fn reopen(&self) {
        self.0.iter().for_each(|(_, log)| log.reopen());
    }
}

/// What makes a log of a site what it is.
fn wanted(site: &Settings) -> (&config::AccessLog, &LogFormat) {
    (&site.access_log, &site.log_format)
}

impl Entry {
    /// The entry of an exchange that began with `request_line`, of a user who was verified, if of any. Its
    /// head may be empty, where it could not be parsed. `date` is an HTTP date.
    pub fn new(
        format: &LogFormat,
        whom: &Whom,
        user: Option<&str>,
        request_line: &[u8],
        head: &RequestHead,
        date: &[u8; 29],
        started: u64,
    ) -> Entry {
        let known = Known {
            whom,
            user,
            request_line,
            head,
            date,
        };
        let mut text = Vec::with_capacity(192);
        let places = format::begin(&mut text, format, &known);
        Entry {
            text,
            places,
            ..Entry::unwritten(started)
        }
    }

    /// One without a line: the console alone is told of it.
    pub fn unwritten(started: u64) -> Entry {
        Entry {
            text: Vec::new(),
            places: Vec::new(),
            started,
            status: StatusCode::OK,
            body_len: 0,
            reason: None,
            log: None,
            record: Record::default(),
        }
    }

    /// Writes the line of an exchange that ended now.
    pub fn write(&self, now: u64) {
        if let Some(log) = &self.log {
            log.write(self, now);
        }
    }
}

#[cfg(test)]
mod tests;
