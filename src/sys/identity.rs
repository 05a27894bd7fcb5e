//! Whom the process runs as, which root its paths have, and what its files permit to others.
//!
//! Source: credentials(7), capabilities(7), setresuid(2), chroot(2), umask(2).
//! Rules:
//! - Linux keeps credentials for each thread; a new one gets those of its maker. So they are changed
//!   while there is but one thread, which is checked, and all later threads and processes have them.
//! - Security: first the groups, then the group, last the user, who may change neither. Then all three
//!   are tried to be taken back: a process that could is not to serve. Nor is one that is the user already
//!   but in groups besides that it cannot leave.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, Uid, chownat};
use rustix::process::{getegid, geteuid, getgid, getgroups, getuid};
use rustix::thread::{
    capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid, set_thread_uid,
};

/// What files that are made permit to nobody: anything to others, writing to the group.
const UMASK: Mode = Mode::WGRP.union(Mode::RWXO);

/// A user to go on as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's number, which is not root's.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
    /// The numbers of all its groups.
    pub groups: Vec<u32>,
}

/// Whether the process is root, or can be.
pub fn is_root() -> bool {
    getuid().is_root() || geteuid().is_root()
}

/// Whether the process may execute this file, or pass this folder, by its rights.
pub fn may_execute(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Has files that are made from now on be the user's own and readable for its group, here and in
/// programs.
pub fn restrict_new_files() {
    rustix::process::umask(UMASK);
}

/// Has programs, and the process itself, gain no rights from a file that they execute (set-user-ID,
/// set-group-ID, capabilities), for good.
pub fn gain_no_rights() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Makes `folder` the root of all paths, and the working folder.
pub fn change_root(folder: &Path) -> io::Result<()> {
    rustix::process::chroot(folder)?;
    Ok(rustix::process::chdir("/")?)
}

impl Identity {
    /// Goes on as this user, for good.
    ///
    /// Errors: what the kernel did not permit; or that it would permit to go back.
    pub fn assume(&self) -> io::Result<()> {
        if !is_single_threaded() {
            return Err(io::Error::other("other threads run already"));
        }
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        if !self.is_current() {
            set_thread_groups(&groups)?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
        }
        let foreign = self.foreign_groups()?;
        if !foreign.is_empty() {
            set_thread_groups(&groups).map_err(|error| {
                let problem = format!(
                    "it is in {} too, unlike that user: {error}",
                    foreign.join(", ")
                );
                io::Error::new(io::Error::from(error).kind(), problem)
            })?;
        }
        let kept = kept_capabilities();
        if !kept.is_empty() {
            let kept = kept.join(", ");
            let problem = format!("it keeps {kept}, by which it could be more than that user");
            return Err(io::Error::other(problem));
        }
        if !self.is_current() || can_go_back() {
            return Err(io::Error::other("rights of root could be taken back"));
        }
        Ok(())
    }

    /// The groups that the process is in and the user is not.
    fn foreign_groups(&self) -> io::Result<Vec<String>> {
        let is_foreign = |group: &Gid| !self.groups.contains(&group.as_raw());
        let foreign = getgroups()?.into_iter().filter(is_foreign);
        Ok(foreign.map(|group| format!("group {group}")).collect())
    }

    /// Whether the process is this user, as far as can be asked.
    pub fn is_current(&self) -> bool {
        let users = [getuid(), geteuid()].map(Uid::as_raw);
        let groups = [getgid(), getegid()].map(Gid::as_raw);
        users == [self.uid; 2] && groups == [self.gid; 2]
    }

    /// Gives what lies at `path` to this user: a link itself, not where somebody may have it lead.
    pub fn take_path(&self, path: &Path) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(chownat(CWD, path, Some(uid), Some(gid), flags)?)
    }

    /// Gives an open file to this user: never one that was found, only one that was just made.
    pub(super) fn take_file(&self, made: &File) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        Ok(rustix::fs::fchown(made, Some(uid), Some(gid))?)
    }
}

/// Without /proc nobody can say, and nothing here starts a thread so early.
fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").map_or(true, |threads| threads.count() == 1)
}

/// The capabilities that the process has or could have again, by name.
fn kept_capabilities() -> Vec<String> {
    match capabilities(None) {
        Ok(sets) => {
            let names = sets.permitted.iter_names();
            names.map(|(name, _)| format!("CAP_{name}")).collect()
        }
        Err(error) => vec![format!("capabilities that cannot be asked for ({error})")],
    }
}

/// Tries to be root again, in each way that there is. What succeeds of it is not undone: the process
/// ends.
fn can_go_back() -> bool {
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    let is_other = getgid() != gid;
    set_thread_uid(uid).is_ok()
        || set_thread_res_uid(uid, uid, uid).is_ok()
        || is_other && set_thread_res_gid(gid, gid, gid).is_ok()
        || set_thread_groups(&[gid]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of this process, where tests run in threads.
    #[test]
    fn it_is_not_assumed_beside_other_threads() {
        let identity = Identity {
            uid: getuid().as_raw(),
            gid: getgid().as_raw(),
            groups: Vec::new(),
        };
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv().is_err());
        let error = identity.assume().unwrap_err();
        assert_eq!(error.to_string(), "other threads run already");
        drop(release);
        assert!(other.join().unwrap());
    }

    #[test]
    fn a_link_is_given_away_and_not_where_it_leads() {
        if !is_root() {
            return eprintln!("skipped: root alone can give away what it has");
        }
        let dir = crate::sys::testing::TempDir::new();
        dir.write("file", "");
        let path = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        let identity = Identity {
            uid: 61701,
            gid: 61702,
            groups: Vec::new(),
        };
        let owner = |name: &str| {
            let stat = rustix::fs::lstat(path(name)).unwrap();
            (stat.st_uid, stat.st_gid)
        };
        identity.take_path(&path("link")).unwrap();
        assert_eq!((owner("link"), owner("file").0), ((61701, 61702), 0));
    }
}
