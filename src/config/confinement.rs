//! Whom the server runs as, and what programs are kept from: the forms of these values, and what they
//! mean together.
//!
//! Rules: those of `value`. Nothing is looked up here: whether there is such a user, or a folder, is
//! found out at the start (`server/opening.rs`).

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::value;

/// Whom the server runs as, and what programs are kept from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Whom to go on as.
    pub user: Option<User>,
    /// Whether programs may be run by root.
    pub allow_root: bool,
    /// The folder that is to be the root of all paths; with a user to go on as.
    pub chroot: Option<PathBuf>,
    /// What a program may use up.
    pub limits: Limits,
    /// How far programs stand back, up to 19.
    pub nice: usize,
    /// Whether programs may gain rights by executing a file; never in a sandbox.
    pub allow_setuid: bool,
    /// Whether the kernel is to keep the server and programs from files that they do not need.
    pub sandbox: bool,
    /// What programs may read and execute, in a sandbox.
    pub allow_read: Vec<PathBuf>,
    /// What programs may read and write, in a sandbox.
    pub allow_write: Vec<PathBuf>,
}

impl Confinement {
    /// Refuses what means nothing together: an option, and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let wrong = |option, problem| Err((option, problem));
        if self.chroot.is_some() && self.user.is_none() {
            return wrong("--chroot", "holds nobody who stays root; give --user too");
        }
        if self.sandbox && self.allow_setuid {
            let problem = "is what --sandbox rules out; leave out one of the two";
            return wrong("--allow-setuid", problem);
        }
        for (option, paths) in [
            ("--allow-read", &self.allow_read),
            ("--allow-write", &self.allow_write),
        ] {
            if !self.sandbox && !paths.is_empty() {
                return wrong(option, "counts in a sandbox alone; give --sandbox too");
            }
        }
        Ok(())
    }
}

/// A user to go on as, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name or number.
    pub name: String,
    /// The name or number of a group to be in first of all, in place of the user's own.
    pub group: Option<String>,
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{}:{group}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What a program may use up; without a number as much as the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of each process, in seconds.
    pub cpu: Option<u64>,
    /// Address space of each process, in bytes.
    pub memory: Option<u64>,
    /// Descriptors of each process.
    pub files: Option<u64>,
    /// Processes and threads of all programs together.
    pub processes: Option<u64>,
    /// The length of a file that is written, in bytes.
    pub file_size: Option<u64>,
}

/// A week, as the longest of all times.
const CPU: RangeInclusive<usize> = 1..=604_800;
/// The least is what a C library takes to start a program.
const MEMORY: RangeInclusive<u64> = 16 << 20..=1 << 40;
/// The least leaves room for what starting a program takes.
const FILES: RangeInclusive<usize> = 16..=1 << 20;
const PROCESSES: RangeInclusive<usize> = 1..=1 << 20;
const FILE_SIZE: RangeInclusive<u64> = 0..=1 << 40;

impl Limits {
    /// Adds limits as written: `NAME=VALUE` with commas between.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        for limit in text.split(',') {
            self.add_one(limit.trim())?;
        }
        Ok(())
    }

    fn add_one(&mut self, limit: &str) -> Result<(), String> {
        let form = "write cpu=SECS, memory=SIZE, files=N, processes=N or file-size=SIZE";
        let (name, written) = limit
            .split_once('=')
            .ok_or_else(|| format!("has no '=' in '{limit}'; {form}"))?;
        let count = |range| value::count(written, range).map(|number| number as u64);
        let (place, read) = match name {
            "cpu" => (&mut self.cpu, count(&CPU)),
            "memory" => (&mut self.memory, value::size(written, &MEMORY)),
            "files" => (&mut self.files, count(&FILES)),
            "processes" => (&mut self.processes, count(&PROCESSES)),
            "file-size" => (&mut self.file_size, value::size(written, &FILE_SIZE)),
            _ => return Err(format!("has no limit called '{name}'; {form}")),
        };
        let number = read.map_err(|problem| format!("has a '{name}' that {problem}"))?;
        match place.replace(number) {
            None => Ok(()),
            Some(_) => Err(format!("gives {name} a second value; give each limit once")),
        }
    }
}

/// Reads `NAME[:GROUP]`.
pub(super) fn user(text: &str) -> Result<User, String> {
    let (name, group) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (text, None),
    };
    let is_name = |name: &str| {
        let is_odd = |c: char| c == ':' || c == ',' || c.is_whitespace() || c.is_control();
        !name.is_empty() && !name.starts_with(['-', '+']) && !name.contains(is_odd)
    };
    if !is_name(name) || !group.is_none_or(is_name) {
        let problem = "is no user; write NAME or NAME:GROUP, for example www-data, or numbers";
        return Err(problem.to_owned());
    }
    Ok(User {
        name: name.to_owned(),
        group: group.map(str::to_owned),
    })
}

/// Reads the path of a folder.
pub(super) fn folder(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("is empty; give a folder".to_owned()),
        // Otherwise `--chroot --sandbox` would be a folder of that name.
        _ if text.starts_with('-') => Err(format!(
            "looks like an option; write ./{text} for a folder of that name"
        )),
        _ => Ok(PathBuf::from(text)),
    }
}

/// Adds a path to those that programs may use.
pub(super) fn allow(paths: &mut Vec<PathBuf>, text: &str) -> Result<(), String> {
    let path = folder(text)?;
    if paths.contains(&path) {
        return Err("is given twice; give each path once".to_owned());
    }
    paths.push(path);
    Ok(())
}

#[cfg(test)]
mod tests;
