//! The pipe that a program prints into: how much lies in it, and how much it holds.
//!
//! Rules: both are asked of the end that is read from, by the only one who reads.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

/// How many bytes lie in a pipe.
pub fn lying_in(pipe: impl AsFd) -> usize {
    let lying = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
    // What a pipe holds fits in memory.
    usize::try_from(lying).unwrap_or(0)
}

/// Has a pipe hold as much as `size`; where a user's pipes are rationed it stays as it is.
pub fn widen(pipe: impl AsFd, size: usize) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, size);
}

/// Whether splice(2) was refused for what the two ends are, so that it will be again.
pub fn is_unfit(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::INVAL | Errno::NOSYS | Errno::PERM))
}
