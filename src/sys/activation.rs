//! Listening sockets that whoever started the server hands over, and keeps: a restart then loses nobody.
//!
//! Source: sd_listen_fds(3): descriptors from 3 on, `LISTEN_FDS` of them, meant for the process
//! `LISTEN_PID`; `LISTEN_FDNAMES` has a name for each, with colons between.
//! Rules: what is no listening stream socket is an error that names it. The number of a descriptor is no
//! descriptor yet, and to say that it is one would be `unsafe`: the kernel is asked for another one of the
//! same socket (pidfd_getfd(2), Linux 5.6). The first stays, closed to programs, until the process ends.

use std::ffi::OsString;
use std::fmt;

use rustix::io::Errno;
use rustix::process::{ForeignRawFd, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::listener::Listener;

/// How many sockets may be handed over.
pub const SOCKETS_MAX: usize = 64;

/// The first descriptor that is handed over.
const FIRST: usize = 3;

/// What is wrong with what was handed over: the variable, its value, and the rest of the sentence.
#[derive(Debug)]
pub struct Wrong {
    /// The variable to blame.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Takes over the sockets that these variables tell of; none where they are meant for somebody else.
pub fn take(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Vec<Listener>, Wrong> {
    let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
    let own = getpid();
    let is_meant = text("LISTEN_PID").is_some_and(|pid| pid == own.to_string());
    let Some(value) = text("LISTEN_FDS").filter(|_| is_meant) else {
        return Ok(Vec::new());
    };
    let wrong = |problem: &dyn fmt::Display| Wrong {
        variable: "LISTEN_FDS",
        value: value.clone(),
        problem: problem.to_string(),
    };
    let count = value.parse().ok().filter(|count| *count <= SOCKETS_MAX);
    let count: usize = count.ok_or_else(|| {
        wrong(&format_args!(
            "is not a number of sockets from 0 to {SOCKETS_MAX}"
        ))
    })?;
    let names = text("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let too_old = |error| {
        wrong(&format_args!(
            "cannot be taken over: {error}; that wants Linux 5.6"
        ))
    };
    let process = pidfd_open(own, PidfdFlags::empty()).map_err(too_old)?;
    let mut listeners = Vec::new();
    for number in FIRST..FIRST + count {
        let name = names
            .next()
            .filter(|name| !name.is_empty())
            .unwrap_or("unnamed");
        let socket = pidfd_getfd(&process, number as ForeignRawFd, PidfdGetfdFlags::empty());
        if socket.as_ref().is_err_and(|error| *error == Errno::NOSYS) {
            return Err(too_old(Errno::NOSYS));
        }
        let listener = socket
            .map_err(std::io::Error::from)
            .and_then(Listener::take_over)
            .map_err(|error| {
                wrong(&format_args!(
                    "has descriptor {number} ({name}), which cannot be listened on: {error}"
                ))
            })?;
        listeners.push(listener);
    }
    Ok(listeners)
}
