//! Users and passwords for routes: who has to be asked for them, and who is who.
//!
//! Source: RFC 7617 (Basic) for the scheme; ours for what it guards.
//! Shape: [`Doors`] are opened at start from `--auth`; [`Doors::at`] names those that a path lies
//! behind; a [`Door`] looks at credentials, at once where it remembers them and else by hashing.
//! Rules:
//! - The door with the longest prefix that the path begins with decides alone, as a route does. One that
//!   some file system would take for a longer one (`/Private.`) has to let the request through as well:
//!   it does no harm to ask once too often.
//! - An unknown user costs what a known one costs, and a wrong password what the right one does.
//! - A file is looked at for every request (a stat), and read again when it has changed. What cannot be
//!   read lets nobody in; a line that cannot be used keeps out its user alone, and the log tells of it.
//! - What is remembered of a password is a hash of it, of its user and of the entry, under a key that
//!   nobody else has: a changed entry is not found again. A wrong one is never remembered.
//!
//! Not here: how many are checked at once, and how a wrong one is made to wait (`server::exchange`).

mod htpasswd;
pub mod passwd;

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use crate::config::{AuthRoute, StartError};
use crate::proto::Reason;
use crate::proto::http::basic::{Credentials, challenge};
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::route::Routes;
use htpasswd::Users;

/// The longest file of users.
const FILE_MAX: u64 = 4 << 20;

/// How long after a file's last change it is read again each time: until then another change may leave
/// no trace, for the clock that a file system goes by ticks a few hundred times a second.
const FRESH: Duration = Duration::from_secs(2);

/// How many successful checks are remembered, and for how long.
const REMEMBERED_MAX: usize = 1024;
const REMEMBERED_FOR: Duration = Duration::from_secs(15 * 60);

/// All routes with users.
#[derive(Debug, Default)]
pub struct Doors {
    routes: Routes<usize>,
    doors: Vec<Door>,
    memory: Arc<Memory>,
}

/// A route that asks for user and password.
#[derive(Debug)]
pub struct Door {
    prefix: String,
    file: Arc<UserFile>,
    challenge: Arc<str>,
    memory: Arc<Memory>,
}

/// What can be said of credentials without hashing a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// They are known to be right.
    Known,
    /// The password is to be checked: [`Door::is_right`] says.
    Unsure(Check),
}

/// A password to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    hash: String,
    is_decoy: bool,
    trace: Trace,
}

impl Doors {
    /// Reads every file.
    ///
    /// Fails where one cannot be read or has a line that cannot be used.
    pub fn open(routes: &[AuthRoute]) -> Result<Doors, StartError> {
        let mut doors = Doors::default();
        for route in routes {
            let known = doors.doors.iter().find(|door| door.file.path == route.file);
            // The same file is the same realm: a browser asks once.
            let (file, challenge) = match known {
                Some(door) => (Arc::clone(&door.file), Arc::clone(&door.challenge)),
                None => (
                    Arc::new(UserFile::open(&route.file)?),
                    challenge(&route.prefix).into(),
                ),
            };
            doors.routes.insert_prefix(&route.prefix, doors.doors.len());
            doors.doors.push(Door {
                prefix: route.prefix.clone(),
                file,
                challenge,
                memory: Arc::clone(&doors.memory),
            });
        }
        Ok(doors)
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.doors.is_empty()
    }

    /// The doors that this path lies behind, all of which have to let a request through.
    pub fn at(&self, path: &UrlPath<'_>) -> Vec<&Door> {
        if self.doors.is_empty() {
            return Vec::new();
        }
        let own = self.routes.resolve_prefix(path);
        let own_len = own.as_ref().map_or(0, |found| found.prefix.len());
        let longer = self
            .routes
            .all_above(path)
            .map(|&number| &self.doors[number]);
        let longer = longer.filter(|door| door.prefix.len() > own_len);
        let own = own.map(|found| &self.doors[*found.target]);
        own.into_iter().chain(longer).collect()
    }

    /// The files of users: none is ever to be sent.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.doors.iter().map(|door| door.file.canonical.as_path())
    }
}

impl Door {
    /// What a client that is turned away is told: the value of WWW-Authenticate.
    pub fn challenge(&self) -> &Arc<str> {
        &self.challenge
    }

    /// Says what can be said at once.
    ///
    /// Errors: `AuthFile` where the file cannot be read.
    pub fn look(&self, credentials: &Credentials) -> Result<Look, Reason> {
        let users = self.file.users()?;
        let hash = users.hash_of(&credentials.user);
        let is_decoy = hash.is_none();
        let hash = hash.unwrap_or_else(|| users.decoy(self.memory.number_of(&credentials.user)));
        let trace = self.memory.trace(credentials, hash);
        if !is_decoy && self.memory.has(trace) {
            return Ok(Look::Known);
        }
        Ok(Look::Unsure(Check {
            hash: hash.to_owned(),
            is_decoy,
            trace,
        }))
    }

    /// Checks a password, which takes a while, and remembers it where it is right.
    pub fn is_right(&self, credentials: &Credentials, check: &Check) -> bool {
        let is_right = htpasswd::is_right(&credentials.password, &check.hash) && !check.is_decoy;
        if is_right {
            self.memory.add(check.trace);
        }
        is_right
    }
}

/// A file of users, and what was last read of it.
#[derive(Debug)]
struct UserFile {
    path: PathBuf,
    canonical: PathBuf,
    reading: RwLock<Arc<Reading>>,
}

/// What was read of a file, and when it was what.
#[derive(Debug)]
struct Reading {
    /// `None` where it could not be read.
    users: Option<Arc<Users>>,
    stamp: Option<Stamp>,
}

/// What changes with a file.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// Whether the last change lies so far back that another one would show.
    is_settled: bool,
}

impl Stamp {
    fn of(meta: &fs::Metadata) -> Stamp {
        let changed = (meta.ctime(), meta.ctime_nsec());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let age = now.ok().and_then(|now| {
            let seconds = u64::try_from(changed.0).ok()?;
            now.checked_sub(Duration::from_secs(seconds))
        });
        Stamp {
            inode: (meta.dev(), meta.ino()),
            len: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed,
            is_settled: age.is_some_and(|age| age > FRESH),
        }
    }
}

impl UserFile {
    fn open(path: &Path) -> Result<UserFile, StartError> {
        let wrong = |problem: String| StartError::wrong("--auth", path.display(), problem);
        let unreadable = |error: io::Error| {
            wrong(format!(
                "cannot be read ({error}); give a file of users, made with: tollgate passwd FILE USER"
            ))
        };
        let canonical = fs::canonicalize(path).map_err(unreadable)?;
        let (stamp, text) = read(path).map_err(unreadable)?;
        let (users, bad) = Users::parse(&text);
        if let Some(line) = bad.first() {
            return Err(wrong(line.to_string()));
        }
        if users.count() == 0 {
            log::warn!("--auth: '{}' has no users: nobody gets in", path.display());
        }
        Ok(UserFile {
            path: path.to_owned(),
            canonical,
            reading: RwLock::new(Arc::new(Reading {
                users: Some(Arc::new(users)),
                stamp: Some(stamp),
            })),
        })
    }

    /// The users as the file has them now.
    fn users(&self) -> Result<Arc<Users>, Reason> {
        let stamp = fs::metadata(&self.path).map(|meta| Stamp::of(&meta)).ok();
        let reading = Arc::clone(&self.reading.read().unwrap_or_else(PoisonError::into_inner));
        let is_settled = stamp.as_ref().is_none_or(|stamp| stamp.is_settled);
        let reading = match reading.stamp == stamp && is_settled {
            true => reading,
            false => self.read_again(&reading),
        };
        reading.users.clone().ok_or(Reason::AuthFile)
    }

    fn read_again(&self, before: &Reading) -> Arc<Reading> {
        let name = self.path.display();
        let reading = match read(&self.path) {
            Ok((stamp, text)) => {
                let (users, bad) = Users::parse(&text);
                let is_new = before.stamp.as_ref() != Some(&stamp);
                if is_new {
                    log::info!("--auth: {name} was read again: {} users", users.count());
                }
                for line in bad.iter().filter(|_| is_new) {
                    log::error!("--auth: {name}: {line}");
                }
                Reading {
                    users: Some(Arc::new(users)),
                    stamp: Some(stamp),
                }
            }
            Err(error) => {
                if before.users.is_some() {
                    log::error!("--auth: {name} cannot be read, and nobody gets in: {error}");
                }
                Reading {
                    users: None,
                    stamp: None,
                }
            }
        };
        let reading = Arc::new(reading);
        *self.reading.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&reading);
        reading
    }
}

/// Reads a file whole; its stamp is that of what was read.
fn read(path: &Path) -> io::Result<(Stamp, Vec<u8>)> {
    let file = fs::File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::other("it is longer than 4 MiB"));
    }
    Ok((Stamp::of(&meta), text))
}

/// The keyed hash of a user, a password and the entry that it was right for.
type Trace = [u64; 2];

/// The successful checks of late.
#[derive(Debug, Default)]
struct Memory {
    /// SipHash under two random keys: 128 bits, so that nobody finds another password with that hash.
    keys: [RandomState; 2],
    known: Mutex<HashMap<Trace, Instant>>,
}

impl Memory {
    fn trace(&self, credentials: &Credentials, hash: &str) -> Trace {
        let text = (&credentials.user, &credentials.password, hash);
        [0, 1].map(|key: usize| self.keys[key].hash_one(text))
    }

    /// A number that stands for a name, and that nobody can foretell.
    fn number_of(&self, name: &[u8]) -> u64 {
        self.keys[0].hash_one(name)
    }

    fn has(&self, trace: Trace) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = known.get(&trace);
        checked.is_some_and(|checked| checked.elapsed() < REMEMBERED_FOR)
    }

    fn add(&self, trace: Trace) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, checked| checked.elapsed() < REMEMBERED_FOR);
        }
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(trace, Instant::now());
    }
}

#[cfg(test)]
mod tests;
