//! Keeps a process, and all that it starts from then on, from files that it does not need.
//!
//! Source: landlock(7).
//! Shape: [`enter`] takes rules, a path and an [`Access`] each. Rules:
//! - What no rule permits is refused, at or below no path of one. Descriptors that are open already stay
//!   as they are, and so does what needs no open file: looking for a name, reading a link, stat, chmod and
//!   the like of files that are the user's own, connecting to a unix socket.
//! - A rule is for a file or a folder that is there now: where another is put in its place, it is for
//!   the folder above to permit that one. A path that is not there permits nothing; one that this user
//!   cannot look up is an error, as what lies there may be open already and would be refused later.
//! - A sandbox is for good, and one entered inside another only takes away.
//! - An older kernel knows less to refuse. How much it knows is returned, and one without Landlock is no
//!   error here: the server reports it.
//! - The network is as it was.

#[cfg(feature = "sandbox")]
mod ruleset;

#[cfg(not(feature = "sandbox"))]
use std::io;
use std::path::PathBuf;

#[cfg(feature = "sandbox")]
pub use ruleset::enter;

/// The version of Landlock that knows all that is refused here.
pub const WHOLE: i32 = 6;

/// What a rule permits at a path and below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read and to list.
    Read,
    /// The same, and to execute.
    Run,
    /// To read, list, write, make and remove; not to execute.
    Write,
    /// To make files and to write them, as a log is.
    Append,
    /// To remove files.
    Remove,
    /// To use devices.
    Device,
}

/// What may be reached at a path.
pub type Rule = (Access, PathBuf);

/// Whom a process may send signals to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signals {
    /// Whom its user may.
    Anybody,
    /// Those in its sandbox.
    Inside,
}

/// A build without the feature `sandbox` has none to enter.
#[cfg(not(feature = "sandbox"))]
pub fn enter(_: &[Rule], _: Signals) -> io::Result<i32> {
    let problem = "this program was built without it, which is the feature `sandbox`";
    Err(io::Error::other(problem))
}

impl Access {
    /// All of them, at the places of their codes.
    const ALL: [Access; 6] = [
        Access::Read,
        Access::Run,
        Access::Write,
        Access::Append,
        Access::Remove,
        Access::Device,
    ];

    /// As a byte of a message.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What such a byte means.
    pub fn from_code(code: u8) -> Option<Access> {
        Access::ALL.get(usize::from(code)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back() {
        for (code, access) in Access::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(access.code()), code);
            assert_eq!(Access::from_code(access.code()), Some(access));
        }
        assert_eq!(Access::from_code(6), None);
    }
}
