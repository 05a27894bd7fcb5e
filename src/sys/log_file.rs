//! Files that lines are written to by threads that must not wait.
//!
//! Rules: whoever reads a log may stand still (a pipe that nobody empties, Ctrl-S on a terminal), and
//! may not hold up the server: a write that would wait is an error, and the line is lost. The standard
//! streams are opened anew for that, since the flag would hold for everyone who shares them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

const FLAGS: OFlags = OFlags::WRONLY
    .union(OFlags::APPEND)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Opens a file at its end, and makes it where there is none: for its owner to write, for the group to
/// read.
///
/// Fails with ENXIO for a FIFO that nobody reads.
pub fn open(path: &Path) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
    Ok(File::from(rustix::fs::open(
        path,
        FLAGS | OFlags::CREATE,
        mode,
    )?))
}

/// Standard output. Where it cannot be opened anew (a socket, another user's file) writing to it may
/// wait.
pub fn stdout() -> io::Result<File> {
    standard("/proc/self/fd/1", io::stdout())
}

/// Standard error, with the same reserve.
pub fn stderr() -> io::Result<File> {
    standard("/proc/self/fd/2", io::stderr())
}

fn standard(path: &str, stream: impl AsFd) -> io::Result<File> {
    let shared = File::from(stream.as_fd().try_clone_to_owned()?);
    if shared.metadata()?.is_file() {
        // It never waits, and whoever else writes to it has its place in it.
        return Ok(shared);
    }
    Ok(rustix::fs::open(path, FLAGS, Mode::empty()).map_or(shared, File::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::TempDir;
    use std::io::{ErrorKind, Write};

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up() {
        let folder = TempDir::new();
        let path = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        assert!(open(&path).is_err(), "nobody reads");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let _reader = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
        let mut log = open(&path).unwrap();
        let error = loop {
            if let Err(error) = log.write_all(&[b'x'; 1000]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn lines_are_appended() {
        let folder = TempDir::new();
        let path = folder.path().join("log");
        open(&path).unwrap().write_all(b"one\n").unwrap();
        open(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    }
}
