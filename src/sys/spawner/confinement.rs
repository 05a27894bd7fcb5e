//! What programs are kept from: taken upon itself by the spawner, before it starts any.
//!
//! Source: setrlimit(2), setpriority(2), landlock(7).
//! Shape: the server makes a [`Confinement`] and sends it as bytes; the spawner reads it and enters it.
//! Rules:
//! - A program inherits its limits from the spawner and so has them from its first instruction: nothing
//!   is set on a program that runs already, and none can be quicker. The spawner lives with the same
//!   limits, which leave it room: for so many programs as [`Limits::programs_each`] says.
//! - Of processor time only the soft limit is inherited, since the hard one would end the spawner. Past the
//!   soft one the kernel signals the spawner, which does not mind, and puts its limit up by a second: so it
//!   is set anew before each program. The hard limit is set on the program once it runs. A child that it
//!   started in the moment before has the soft one alone: it is ended by that unless it sees to it that it
//!   is not (by ignoring SIGXCPU, or raising the limit). So has a program that runs as another user by its
//!   set-user-ID bit, on which nothing may be set.
//! - A limit is never above what the server itself was given.
//! - Of a jail the order is: the root, the user, then all else, which needs no rights.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::order::{length, push, take, take_length};
use crate::sys::identity::{self, Identity};
use crate::sys::sandbox::{self, Access, Rule, Signals};

/// What a spawner has open besides what it has for its programs: its streams, the connection, and what
/// comes with an order and is opened for it.
const DESCRIPTORS_OWN: u64 = 9;

/// What it has open for each: the pidfd, and the pipe for reports.
const DESCRIPTORS_EACH: u64 = 2;

/// What programs are kept from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confinement {
    /// How far they stand back for the processor.
    pub nice: u32,
    /// What they may use up.
    pub limits: Limits,
    /// What files alone they may reach, and so the spawner; `None` for whatever their user may.
    pub sandbox: Option<Vec<Rule>>,
}

/// What a program may use up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of each process, in seconds (RLIMIT_CPU).
    pub cpu: Option<u64>,
    /// Address space of each process, in bytes (RLIMIT_AS).
    pub memory: Option<u64>,
    /// Descriptors of each process (RLIMIT_NOFILE).
    pub files: Option<u64>,
    /// Processes and threads of the user, the server's own among them (RLIMIT_NPROC).
    pub processes: Option<u64>,
    /// The length of a file that is written, in bytes (RLIMIT_FSIZE).
    pub file_size: Option<u64>,
}

/// What a spawner that was started by root gives up first.
#[derive(Debug)]
pub struct Jail<'a> {
    /// The root of all its paths; the server's is the same.
    pub root: &'a std::path::Path,
    /// Whom it goes on as.
    pub identity: &'a Identity,
}

impl Confinement {
    /// Whether there is nothing of it that the server does not have itself.
    pub fn is_plain(&self) -> bool {
        *self == Confinement::default()
    }

    /// Takes all of it upon this process and those that it will start.
    fn enter(&self) -> io::Result<()> {
        if self.nice > 0 {
            // At most 19 is written.
            rustix::process::nice(self.nice.cast_signed())?;
        }
        if let Some(rules) = &self.sandbox {
            sandbox::enter(rules, Signals::Inside)?;
        }
        self.limits.enter()
    }
}

impl Limits {
    /// How many programs a spawner has descriptors for.
    pub fn programs_each(&self) -> usize {
        let room = self
            .files
            .unwrap_or(u64::MAX)
            .saturating_sub(DESCRIPTORS_OWN);
        usize::try_from(room / DESCRIPTORS_EACH).map_or(usize::MAX, |each| each.max(1))
    }

    /// Limits this process and those that it will start.
    fn enter(&self) -> io::Result<()> {
        self.enter_own_cpu()?;
        for (resource, limit) in [
            (Resource::As, self.memory),
            (Resource::Nofile, self.files),
            (Resource::Nproc, self.processes),
            (Resource::Fsize, self.file_size),
        ] {
            if let Some(limit) = limit {
                setrlimit(resource, within(resource, limit, limit))?;
            }
        }
        Ok(())
    }

    /// Has the programs that are started next inherit the soft limit of processor time, whatever the kernel
    /// has made of it meanwhile.
    pub(super) fn enter_own_cpu(&self) -> io::Result<()> {
        let Some(limit) = self.cpu else {
            return Ok(());
        };
        let maximum = getrlimit(Resource::Cpu).maximum;
        let limits = Rlimit {
            maximum,
            ..within(Resource::Cpu, limit, limit)
        };
        Ok(setrlimit(Resource::Cpu, limits)?)
    }

    /// Limits the processor time of a program that was just started: it is told by SIGXCPU, which ends
    /// it, and one that does not mind is killed a second later.
    pub(super) fn enter_cpu(&self, program: Pid) -> io::Result<()> {
        let Some(limit) = self.cpu else {
            return Ok(());
        };
        let limits = within(Resource::Cpu, limit, limit + 1);
        match prlimit(Some(program), Resource::Cpu, limits) {
            // It has ended already; or it is another user's by its set-user-ID bit, and keeps what it inherited.
            Ok(_) | Err(Errno::SRCH | Errno::PERM) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Both limits, and neither above what there is: only root could raise that.
fn within(resource: Resource, current: u64, maximum: u64) -> Rlimit {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    Rlimit {
        current: Some(current.min(most)),
        maximum: Some(maximum.min(most)),
    }
}

/// The message that has a spawner enter a confinement, and a jail first.
pub(super) fn encode(confinement: &Confinement, jail: Option<&Jail<'_>>) -> Vec<u8> {
    let mut message = Vec::new();
    let limits = &confinement.limits;
    message.extend(confinement.nice.to_ne_bytes());
    for limit in [
        limits.cpu,
        limits.memory,
        limits.files,
        limits.processes,
        limits.file_size,
    ] {
        message.extend(limit.unwrap_or(u64::MAX).to_ne_bytes());
    }
    message.push(confinement.sandbox.is_some().into());
    let rules = confinement.sandbox.as_deref().unwrap_or_default();
    message.extend(length(rules.len()));
    for (access, path) in rules {
        message.push(access.code());
        push(&mut message, path.as_os_str().as_bytes());
    }
    let Some(jail) = jail else {
        return message;
    };
    push(&mut message, jail.root.as_os_str().as_bytes());
    let identity = jail.identity;
    message.extend(length(identity.groups.len()));
    for number in [identity.uid, identity.gid].iter().chain(&identity.groups) {
        message.extend(number.to_ne_bytes());
    }
    message
}

/// What such a message means.
fn decode(message: &[u8]) -> Option<(Confinement, Option<(PathBuf, Identity)>)> {
    let mut rest = message;
    let nice = take_u32(&mut rest)?;
    let [cpu, memory, files, processes, file_size] =
        [(); 5].map(|()| take_u64(&mut rest).map(|limit| (limit != u64::MAX).then_some(limit)));
    let has_sandbox = take_byte(&mut rest)? == 1;
    let count = take_length(&mut rest)?;
    let mut rule = || {
        Some((
            Access::from_code(take_byte(&mut rest)?)?,
            take_path(&mut rest)?,
        ))
    };
    let rules: Vec<Rule> = (0..count).map(|_| rule()).collect::<Option<_>>()?;
    let confinement = Confinement {
        nice,
        sandbox: has_sandbox.then_some(rules),
        limits: Limits {
            cpu: cpu?,
            memory: memory?,
            files: files?,
            processes: processes?,
            file_size: file_size?,
        },
    };
    if rest.is_empty() {
        return Some((confinement, None));
    }
    let root = take_path(&mut rest)?;
    let count = take_length(&mut rest)?;
    let identity = Identity {
        uid: take_u32(&mut rest)?,
        gid: take_u32(&mut rest)?,
        groups: (0..count)
            .map(|_| take_u32(&mut rest))
            .collect::<Option<_>>()?,
    };
    rest.is_empty()
        .then_some((confinement, Some((root, identity))))
}

/// Enters what a message tells to, in the spawner; returns the limits that are left to be set on each
/// program.
pub(super) fn obey(message: &[u8]) -> io::Result<Limits> {
    let (confinement, jail) = decode(message).ok_or(io::ErrorKind::InvalidData)?;
    let of = |what: &str, result: io::Result<()>| {
        result.map_err(|error| io::Error::new(error.kind(), format!("{what}: {error}")))
    };
    if let Some((root, identity)) = jail {
        of("--chroot", identity::change_root(&root))?;
        of("--user", identity.assume())?;
    }
    of("--limit, --nice or --sandbox", confinement.enter())?;
    Ok(confinement.limits)
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}

fn take_path(rest: &mut &[u8]) -> Option<PathBuf> {
    take(rest).map(|path| PathBuf::from(OsStr::from_bytes(path)))
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_ne_bytes(*number))
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u64::from_ne_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confinement() -> Confinement {
        Confinement {
            nice: 3,
            limits: Limits {
                cpu: Some(1),
                memory: None,
                files: Some(3),
                processes: Some(4),
                file_size: Some(0),
            },
            sandbox: Some(vec![
                (Access::Run, PathBuf::from("/usr")),
                (Access::Write, PathBuf::from("/a path")),
            ]),
        }
    }

    #[test]
    fn what_is_said_is_understood() {
        let plain = Confinement::default();
        assert_eq!(decode(&encode(&plain, None)), Some((plain, None)));
        let identity = Identity {
            uid: 5,
            gid: 6,
            groups: vec![6, 7],
        };
        let root = PathBuf::from("/srv/jail");
        let jail = Jail {
            root: &root,
            identity: &identity,
        };
        let message = encode(&confinement(), Some(&jail));
        let expected = (confinement(), Some((root.clone(), identity.clone())));
        assert_eq!(decode(&message), Some(expected));
    }

    #[test]
    fn what_is_cut_is_not_understood() {
        let message = encode(&confinement(), None);
        for len in 0..message.len() {
            assert_eq!(decode(&message[..len]), None, "{len}");
        }
        assert_eq!(decode(&[&message[..], b"x"].concat()), None);
    }

    #[test]
    fn few_descriptors_are_for_few_programs() {
        for (files, programs) in [(Some(16), 3), (Some(64), 27), (Some(10), 1), (Some(0), 1)] {
            let limits = Limits {
                files,
                ..Limits::default()
            };
            assert_eq!(limits.programs_each(), programs);
        }
    }
}
