//! Folders that only the server's user may enter, for sockets and spools.
//!
//! Rules:
//! - Security: the name cannot be guessed, so that nobody can have put anything in its place before; and the
//!   mode is 0700 from the start.
//! - It is gone with its value, or when it is told to go: what a stranger to it put there stays, and keeps it.

use std::collections::hash_map::RandomState;
use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::identity::Identity;

/// A folder that only the server's user may enter, removed when nobody has it any more.
#[derive(Debug)]
pub struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Makes one below `parent`.
    pub fn create(parent: &Path) -> io::Result<Arc<PrivateFolder>> {
        loop {
            // Its keys are random, and so is the hash of nothing.
            let name = RandomState::new().build_hasher().finish();
            let path = parent.join(format!("tollgate-{name:016x}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Arc::new(PrivateFolder(path))),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes one below `parent` as root, for the user to go on as.
    pub fn create_for(parent: &Path, heir: &Identity) -> io::Result<Arc<PrivateFolder>> {
        let made = PrivateFolder::create(parent)?;
        // A folder, which can have no second name elsewhere, and no link.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&made.0, flags, Mode::empty())?;
        heir.take_file(&File::from(opened))?;
        Ok(made)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it, unless somebody has something there.
    pub fn remove(&self) {
        let _ = fs::remove_dir(&self.0);
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::TempDir;

    #[test]
    fn folders_have_names_of_their_own_and_what_is_theirs_alone() {
        let dir = TempDir::new();
        let one = PrivateFolder::create(dir.path()).unwrap();
        let other = PrivateFolder::create(dir.path()).unwrap();
        assert_ne!(one.0, other.0);
        fs::write(one.0.join("foreign"), "").unwrap();
        let places = [&one, &other].map(|it| it.0.clone());
        drop((one, other));
        assert!(places[0].join("foreign").exists());
        assert!(!places[1].exists());
        assert!(PrivateFolder::create(&dir.path().join("missing")).is_err());
    }
}
