//! Files that lines are written to by threads that must not wait.
//!
//! Rules: whoever reads a log may stand still (a pipe that nobody empties, Ctrl-S on a terminal), and
//! may not hold up the server: a write that would wait is an error, and the line is lost. The standard
//! streams are opened anew for that, since the flag would hold for everyone who shares them.
//!
//! Security: the folder of a log may be one that its later user writes to, who then chooses what lies at its
//! path. Root opens nothing there through a link, and gives away only what it has just made itself
//! ([`open_for`]).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::identity::Identity;

const FLAGS: OFlags = OFlags::WRONLY
    .union(OFlags::APPEND)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// For its owner to write, for the group to read.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);

/// Opens a file at its end, and makes it where there is none: for its owner to write, for the group to
/// read.
///
/// Fails with ENXIO for a FIFO that nobody reads.
pub fn open(path: &Path) -> io::Result<File> {
    Ok(File::from(rustix::fs::open(
        path,
        FLAGS | OFlags::CREATE,
        MODE,
    )?))
}

/// The same as root, for `heir`, who will have to open it anew some day: a file that was made is theirs, and
/// one that was there stays whose it is.
///
/// Errors: a link is at `path`, or a file that has other names too: where it leads, or what else it is, may
/// be nobody's business but root's.
pub fn open_for(path: &Path, heir: &Identity) -> io::Result<File> {
    let made = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    match rustix::fs::open(path, FLAGS | made, MODE) {
        Ok(made) => {
            let made = File::from(made);
            heir.take_file(&made)?;
            return Ok(made);
        }
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let found = match rustix::fs::open(path, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::LOOP) => {
            let problem = "it is a link, which root does not follow for --user; name the file itself, or - \
                           for standard output";
            return Err(io::Error::other(problem));
        }
        found => found?,
    };
    let stat = rustix::fs::fstat(&found)?;
    if FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_nlink > 1 {
        let problem = "the file has another name too, which may be anybody's; remove one of them";
        return Err(io::Error::other(problem));
    }
    Ok(File::from(found))
}

/// Opens a file that is there as [`open`] would, and closes it again; makes none.
pub fn could_open(path: &Path) -> io::Result<()> {
    match rustix::fs::open(path, FLAGS, Mode::empty()) {
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
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
