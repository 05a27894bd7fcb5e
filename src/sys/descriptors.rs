//! What the process inherited: descriptors, limits and ignored signals, put in order once at start.
//!
//! Rules: a program that tollgate runs sees descriptors 0, 1 and 2 and default signal dispositions,
//! whatever tollgate itself was started with.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::SigSet;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use signal_hook::consts::SIGXFSZ;

/// Closes inherited descriptors above 2 to the programs that are run, and puts /dev/null in the place
/// of the server's own stdin, where a program without a body then finds it without a call of its own.
pub fn seal() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    seal_with(null.as_fd())
}

/// The same with an open /dev/null.
pub fn seal_with(null: BorrowedFd<'_>) -> io::Result<()> {
    close_fds::set_fds_cloexec(3, &[]);
    Ok(rustix::stdio::dup2_stdin(null)?)
}

/// How many descriptors there may be.
#[cfg(feature = "console")]
pub fn limit() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// How many descriptors are open; 0 where /proc does not tell.
#[cfg(feature = "console")]
pub fn count_open() -> u64 {
    // Since Linux 6.2 the folder's size is their number.
    match std::fs::metadata("/proc/self/fd").map(|folder| folder.len()) {
        Ok(0) => std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

/// Lifts the limit of open descriptors to `wanted`, or as near as the system lets it be, and returns
/// it. Not higher: programs inherit it, and some go through all descriptors that there could be.
pub fn raise_limit(wanted: u64) -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let target = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    if target <= current {
        return current;
    }
    let raised = Rlimit {
        current: Some(target),
        maximum: limit.maximum,
    };
    match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => target,
        Err(_) => current,
    }
}

/// Lets every signal through that whoever started the server had blocked: programs inherit the mask,
/// and a server that cannot hear SIGTERM cannot be stopped. To be called before any thread starts.
pub fn unblock_signals() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Has a file that comes to be longer than a limit lets it (RLIMIT_FSIZE) be an error of the write, and not
/// the end of the server. A handler that does nothing, so that programs start with the default.
pub fn survive_file_limit() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Gives signals that were ignored when the server started (as `nohup` and a shell's `&` do) a handler
/// that does nothing: the server goes on ignoring them, but a program starts with the default, as
/// exec(2) resets handlers and keeps what is ignored.
pub fn hand_down_default_signals() {
    const SIGPIPE: i32 = 13; // std ignores it in the server and restores it in the child.
    for signal in ignored_signals() {
        if signal != SIGPIPE {
            // SIGKILL and the like cannot be ignored, so registering cannot fail for those here.
            let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
        }
    }
}

/// The numbers of the signals that are ignored, from /proc; none where that cannot be read.
fn ignored_signals() -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    // The first real-time signals, 32 to 34, belong to the C library.
    (1..32)
        .chain(35..65)
        .filter(move |signal| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests;
