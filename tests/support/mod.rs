//! What the integration tests stand on: a server of their own each, and a client that sees bytes.
//!
//! Rules: nothing here or in the tests sleeps in the hope that something has happened meanwhile; it
//! is waited for with [`eventually`], and a wait that is too long fails.

#[cfg(feature = "fastcgi")]
mod application;
pub(crate) mod attacks;
#[cfg(feature = "fastcgi")]
pub(crate) mod backend;
mod client;
mod folder;
mod front;
mod server;

use std::env;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, geteuid, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

#[cfg(feature = "fastcgi")]
pub(crate) use application::{Application, Fpm};
pub(crate) use client::{Client, Ended, Framing, Response, request};
pub(crate) use folder::Folder;
pub(crate) use front::{Front, nginx};
#[cfg(feature = "fastcgi")]
pub(crate) use server::example;
pub(crate) use server::{Server, Site, Variables, tollgate};

/// Longer than anything that works takes on a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Lets this process have as many descriptors as it may, and returns how many: a soft limit of 1,024 is
/// customary, and too low to crowd a server.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    limit.current.unwrap_or(u64::MAX)
}

/// Whether `condition` holds within the time given.
pub(crate) fn eventually(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > within {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The process ids that the probe wrote to `file`, once it has.
pub(crate) fn published_pids(file: &Path) -> Vec<i32> {
    assert!(
        eventually(PATIENCE, || file.exists()),
        "{} was not written",
        file.display()
    );
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Whether the process does no more work: it is gone, or is a zombie that another has to reap.
pub(crate) fn has_ended(pid: i32) -> bool {
    process_state(pid).is_none_or(|state| state.letter == 'Z')
}

/// Says that a test did not run, where it is seen: what `eprintln!` prints in a test that passes is
/// not.
pub(crate) fn skipped(test: &str, reason: &str) {
    let line = format!("skipped: {test}: {reason}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// As [`skipped`], for want of something to install; fails with `CI=true`, where all of it is.
#[track_caller]
pub(crate) fn not_installed(test: &str, what: &str) {
    let reason = format!("{what} is not installed");
    assert!(
        env::var_os("CI").is_none_or(|value| value != "true"),
        "{reason}"
    );
    skipped(test, &reason);
}

/// Whether the tests are run by root, who can become somebody else; without it the test is [`skipped`].
pub(crate) fn is_root(test: &str) -> bool {
    let can_change = can_change_user();
    if !geteuid().is_root() {
        skipped(test, "root alone can become somebody else");
    } else if !can_change {
        skipped(test, "this root may not become somebody else");
    }
    can_change
}

/// Whether the tests are run by root, who can become somebody else.
pub(crate) fn can_change_user() -> bool {
    let wanted = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::CHOWN;
    // Root of a user namespace (`unshare -r`) may not set groups.
    let denied = std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|it| it == "deny\n");
    geteuid().is_root() && may(wanted) && !denied
}

/// Whether the tests have these capabilities.
pub(crate) fn may(wanted: CapabilitySet) -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(wanted))
}

/// The path of a program that a test needs; without it the test is [`not_installed`].
#[track_caller]
pub(crate) fn installed(test: &str, program: &str) -> Option<PathBuf> {
    let found = self::program(program);
    if found.is_none() {
        not_installed(test, program);
    }
    found
}

/// The path of a program, also of one that only root's `PATH` leads to.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
}

/// How a program ended and all that it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program to its end, which has to come within [`PATIENCE`].
pub(crate) fn run(command: &mut Command) -> Ran {
    run_within(PATIENCE, command)
}

/// Runs a program to its end, which has to come within the time given.
pub(crate) fn run_within(patience: Duration, command: &mut Command) -> Ran {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let collect = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    thread::scope(|scope| {
        let stdout = scope.spawn(move || collect(&mut out));
        let stderr = scope.spawn(move || collect(&mut err));
        let mut status = None;
        let ended = eventually(patience, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        if !ended {
            child.kill().unwrap();
            status = Some(child.wait().unwrap());
        }
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        assert!(
            ended,
            "{command:?} did not end; it printed {stdout:?} and {stderr:?}"
        );
        Ran {
            status: status.unwrap(),
            stdout,
            stderr,
        }
    })
}

/// What `/proc/PID/stat` says of a process.
pub(crate) struct ProcessState {
    /// R, S, D, Z ...
    pub(crate) letter: char,
    pub(crate) parent: i32,
    /// User and system time, in clock ticks (1/100 s).
    pub(crate) cpu_ticks: u64,
}

/// `None` when there is no such process.
pub(crate) fn process_state(pid: i32) -> Option<ProcessState> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let letter = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let cpu_ticks = fields
        .skip(9)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Some(ProcessState {
        letter,
        parent,
        cpu_ticks,
    })
}

/// The memory of a process in KiB, and its share of what others have too (Pss_Anon). That of the program's file
/// is left out: the share grows when servers of other tests end.
pub(crate) fn memory_of(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss_Anon:"));
    line.unwrap()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .unwrap()
}

/// The processes whose parent is `pid`, zombies included.
pub(crate) fn children_of(pid: i32) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&child| process_state(child).is_some_and(|state| state.parent == pid))
        .collect()
}
