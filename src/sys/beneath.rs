//! Opens files below a folder, and nowhere else.
//!
//! Source: openat2(2), path_resolution(7).
//! Shape: [`Root`] and a path relative to it in; an open [`File`], a [`Stat`] or a list of names out.
//! Rules:
//! - The kernel confines the path while it resolves it (RESOLVE_BENEATH). Nothing here looks at a path
//!   and opens it afterwards: between the two it could come to mean another file.
//! - Where openat2 is missing (before Linux 5.6, or kept away by a seccomp filter) a path is opened
//!   name by name, and a symbolic link in it is refused even where it stays inside: stricter, never
//!   looser.
//! - A `..` or a leading slash is refused everywhere, so that following links ([`Links::Follow`]) lets
//!   the owner of the folder leave it by a link, but never the writer of a path.
//! - Files are opened with O_NONBLOCK: a FIFO or a device must not hold up a thread.
//! - A folder that has come to the path of the root is taken in its place ([`Root::renew`]), if no link leads
//!   there that did not when the root was opened: what is known of the path holds for the new one. In a
//!   sandbox that is for the old folder alone nothing in the new one could be opened: the old one is kept.
//! - [`Root::stat`] follows links without confinement: it is good for comparing with a file opened
//!   earlier, never for deciding that something may be opened.
//!
//! Not here: which names are hidden, and what a client is told (`handler/static_file.rs`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use rustix::fs::{self as sys, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::buffer::reserve;
use super::fault;

/// What is done about symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// A link is followed while it stays inside the root.
    Within,
    /// A link is followed wherever it leads.
    Follow,
}

/// A folder, held open, below which files are opened.
#[derive(Debug)]
pub struct Root {
    /// Locked for writing by [`Root::renew`] alone, which waits for nobody.
    folder: RwLock<OwnedFd>,
    path: PathBuf,
    way: Way,
    /// The last folder that was not taken.
    refused: Mutex<Option<(u64, u64)>>,
}

/// What a look at the path of a root led to.
#[derive(Debug)]
pub enum Renewal {
    /// All is as it was.
    None,
    /// There is another folder, which was taken.
    Taken,
    /// There is another folder, which cannot be read; said once for each.
    Refused(io::Error),
}

/// How paths are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By openat2, confined.
    Confined,
    /// Name by name, without links.
    Steps,
    /// By openat, following links out of the root.
    Open,
}

/// What a file is and which version of it: two equal values mean the same bytes, as far as the file
/// system's clock tells versions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The file system.
    pub device: u64,
    /// The file on its file system.
    pub inode: u64,
    /// Type and permissions (st_mode).
    pub mode: u32,
    /// Length in bytes.
    pub size: u64,
    /// When the content last changed.
    pub modified: Time,
    /// When the content or the inode last changed; unlike `modified`, no program can set it back.
    pub changed: Time,
}

/// A time of the file system, since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Whole seconds; negative before 1970.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanos: u32,
}

/// The kind of thing that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its permission bits (0o7777).
        permissions: u32,
    },
    /// A folder.
    Folder,
    /// A FIFO, a socket, a device.
    Other,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without a slash.
    pub name: Vec<u8>,
    /// What it names; for a symbolic link, what it leads to.
    pub stat: Stat,
}

impl Root {
    /// Opens the folder `path`, itself reached by whatever links the caller likes.
    ///
    /// Fails where `path` is no folder or may not be searched.
    pub fn open(path: &Path, links: Links) -> io::Result<Root> {
        let path = fs::canonicalize(path)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = sys::open(&path, flags, Mode::empty())?;
        let way = match links {
            Links::Follow => Way::Open,
            Links::Within if confines(&folder) => Way::Confined,
            Links::Within => Way::Steps,
        };
        Ok(Root {
            folder: RwLock::new(folder),
            path,
            way,
            refused: Mutex::default(),
        })
    }

    /// Takes the folder that is now at the path of this root, where that is another one. It was removed and
    /// put back, or exchanged. In a sandbox it is taken only if it can be read.
    pub fn renew(&self, in_sandbox: bool) -> Renewal {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let found = self.open_anew(flags);
        let Ok(found) = found else {
            return Renewal::None;
        };
        let which = |stat: sys::Stat| (stat.st_dev, stat.st_ino);
        let number = match (sys::fstat(&*self.folder()), sys::fstat(&found)) {
            (Ok(held), Ok(found)) if which(held) != which(found) => which(found),
            _ => return Renewal::None,
        };
        if in_sandbox {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            if let Err(error) = sys::openat(&found, ".", flags, Mode::empty()) {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                return match refused.replace(number) == Some(number) {
                    true => Renewal::None,
                    false => Renewal::Refused(error.into()),
                };
            }
        }
        // Whoever reads is inside a call that may take long; the next look is soon enough.
        for _ in 0..RENEWALS {
            if let Ok(mut folder) = self.folder.try_write() {
                *folder = found;
                return Renewal::Taken;
            }
            std::thread::yield_now();
        }
        Renewal::None
    }

    /// Opens what is at the path of this root now, following no link.
    fn open_anew(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        let confined = match self.way {
            Way::Steps => Err(Errno::NOSYS),
            Way::Confined | Way::Open => {
                let no_links = ResolveFlags::NO_SYMLINKS;
                sys::openat2(sys::CWD, &self.path, flags, Mode::empty(), no_links)
            }
        };
        match confined {
            // As a seccomp filter refuses it, or an old kernel.
            Err(Errno::NOSYS | Errno::PERM) => {
                let top = sys::open("/", flags, Mode::empty())?;
                let below = self.path.strip_prefix("/").unwrap_or(&self.path);
                open_by_steps(&top, below.as_os_str().as_bytes(), flags)
            }
            opened => opened,
        }
    }

    fn folder(&self) -> RwLockReadGuard<'_, OwnedFd> {
        self.folder.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The canonical path that the folder had when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file or folder `rel` for reading; an empty `rel` is the root itself. A folder that may
    /// be searched but not read (0711) is opened all the same: what lies in it can be reached, only
    /// its list is withheld.
    ///
    /// [`Failure`] tells what an error means. A FIFO or device that can be opened is: ask the
    /// [`Stat`] of the file before reading from it.
    pub fn open_file(&self, rel: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = match self.resolve(rel, flags) {
            Err(Errno::ACCESS) => self
                .resolve(rel, OFlags::PATH | OFlags::DIRECTORY)
                .or(Err(Errno::ACCESS)),
            opened => opened,
        };
        Ok(File::from(opened?))
    }

    /// The kind of thing that `rel` names, without opening it for reading: no read permission is
    /// needed, and no device is disturbed. Fails as [`Root::open_file`] does.
    pub fn kind(&self, rel: &[u8]) -> io::Result<Kind> {
        Ok(Stat::from(&sys::fstat(self.resolve(rel, OFlags::PATH)?)?).kind())
    }

    /// What `rel` names now, **not confined**: only to be compared with the [`Stat`] of a file that
    /// was opened here before.
    pub fn stat(&self, rel: &[u8]) -> io::Result<Stat> {
        fault::stat()?;
        let folder = self.folder();
        Ok(Stat::from(&sys::statat(&*folder, rel, AtFlags::empty())?))
    }

    /// Whether `rel` leads to the file that `stat` is of, and no link is on the way.
    pub fn leads_straight(&self, rel: &[u8], stat: &Stat) -> bool {
        let found = open_by_steps(&self.folder(), rel, OFlags::PATH);
        let found = found.and_then(sys::fstat).map(|it| Stat::from(&it));
        found.is_ok_and(|it| (it.device, it.inode) == (stat.device, stat.inode))
    }

    /// Reads at most `most` names that satisfy `wanted` from the folder `rel`, in no order. The
    /// second value tells whether there are more.
    ///
    /// A name that cannot be looked at, such as a link that leaves the root, is left out.
    pub fn entries(
        &self,
        rel: &[u8],
        most: usize,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> io::Result<(Vec<Entry>, Rest)> {
        let folder = self.resolve(rel, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for name in Dir::read_from(&folder)? {
            let name = name?.file_name().to_bytes().to_vec();
            if name == b"." || name == b".." || !wanted(&name) {
                continue;
            }
            let Ok(stat) = self.stat_entry(rel, &folder, &name) else {
                continue;
            };
            if entries.len() == most {
                return Ok((entries, Rest::More));
            }
            entries.push(Entry { name, stat });
        }
        Ok((entries, Rest::None))
    }

    fn stat_entry(&self, rel: &[u8], folder: impl AsFd, name: &[u8]) -> io::Result<Stat> {
        let stat = sys::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !is_link(&stat) {
            return Ok(Stat::from(&stat));
        }
        let path = [rel, b"/".as_slice(), name].concat();
        let path = if rel.is_empty() { name } else { &path };
        Ok(Stat::from(&sys::fstat(self.resolve(path, OFlags::PATH)?)?))
    }

    fn resolve(&self, rel: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        if rel.first() == Some(&b'/') || rel.split(|&byte| byte == b'/').any(|name| name == b"..") {
            return Err(Errno::XDEV);
        }
        let rel = if rel.is_empty() { b"." } else { rel };
        let flags = flags | OFlags::CLOEXEC;
        let folder = &*self.folder();
        let open = || {
            fault::open()?;
            match self.way {
                Way::Confined => open_confined(folder, rel, flags),
                Way::Steps => open_by_steps(folder, rel, flags),
                Way::Open => sys::openat(folder, rel, flags, Mode::empty()),
            }
        };
        // A file system over a network, or in a process, may be interrupted.
        rustix::io::retry_on_intr(open)
    }
}

/// Why something below a root could not be opened: the one place where an errno gets a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There is nothing by that name.
    Missing,
    /// The server's user may not have it.
    Denied,
    /// A link or a `..` leads out of the root, or in a circle.
    Escapes,
    /// It is a socket, or a device that is not there.
    Special,
    /// The system has no descriptors or memory left, or the disk failed.
    System,
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Failure {
        match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::INVAL) => {
                Failure::Missing
            }
            Some(Errno::ACCESS | Errno::PERM) => Failure::Denied,
            Some(Errno::XDEV | Errno::LOOP) => Failure::Escapes,
            Some(Errno::NXIO | Errno::NODEV) => Failure::Special,
            _ => Failure::System,
        }
    }
}

/// The path that an open file has now; where the file is gone, its folder and a name.
///
/// Fails where /proc is not mounted.
pub fn path_of(file: &File) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Reads an open file of `len` bytes from where it stands to its end; one of another length is an error of
/// the kind `UnexpectedEof`.
pub fn read_whole(file: &File, len: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    reserve(&mut content, usize::try_from(len).unwrap_or(usize::MAX))?;
    fault::read_file()?;
    file.take(len.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(content)
}

/// Whether a folder has more names than were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// All names were read.
    None,
    /// There are more.
    More,
}

impl Stat {
    /// The kind and version of an open file.
    pub fn of(file: &File) -> io::Result<Stat> {
        fault::stat()?;
        Ok(Stat::from(&sys::fstat(file)?))
    }

    /// The kind of file.
    pub fn kind(&self) -> Kind {
        match FileType::from_raw_mode(self.mode) {
            FileType::RegularFile => Kind::File {
                permissions: self.mode & 0o7777,
            },
            FileType::Directory => Kind::Folder,
            _ => Kind::Other,
        }
    }
}

impl From<&sys::Stat> for Stat {
    // The widths of the kernel's fields differ from one processor to the next.
    #[allow(clippy::unnecessary_cast)]
    fn from(stat: &sys::Stat) -> Stat {
        Stat {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            mode: stat.st_mode as u32,
            size: stat.st_size as u64,
            modified: Time {
                seconds: stat.st_mtime as i64,
                nanos: stat.st_mtime_nsec as u32,
            },
            changed: Time {
                seconds: stat.st_ctime as i64,
                nanos: stat.st_ctime_nsec as u32,
            },
        }
    }
}

/// How often a resolution that raced with a rename is tried again before the error is passed on.
const RACES: usize = 8;

/// How often a root is tried to be renewed between two others that read from it.
const RENEWALS: usize = 100;

/// Whether the kernel confines paths.
pub(super) fn confines_root() -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // Without a root that can be opened nothing is known against the kernel.
    sys::open("/", flags, Mode::empty()).map_or(true, |root| confines(&root))
}

fn confines(folder: &OwnedFd) -> bool {
    open_confined(folder, b".", OFlags::PATH | OFlags::CLOEXEC).is_ok()
}

fn open_confined(folder: &OwnedFd, rel: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let confined = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let open = || sys::openat2(folder, rel, flags, Mode::empty(), confined);
    // The kernel gives up with EAGAIN where a rename elsewhere might have let a `..` in a link slip out.
    let mut opened = open();
    for _ in 1..RACES {
        if !matches!(opened, Err(Errno::AGAIN)) {
            break;
        }
        opened = open();
    }
    opened
}

fn open_by_steps(folder: &OwnedFd, rel: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    // A path that ends in a slash names a folder: its last step is `.`, which no file has.
    let (parents, last) = match rel.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&rel[..slash], &rel[slash + 1..]),
        None => (b"".as_slice(), rel),
    };
    let mut here = step(folder, b".", OFlags::PATH)?;
    for name in parents
        .split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty())
    {
        here = step(&here, name, OFlags::PATH)?;
    }
    step(&here, if last.is_empty() { b"." } else { last }, flags)
}

/// Opens one name; a symbolic link is an error also where O_PATH would open the link itself.
fn step(folder: &OwnedFd, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = sys::openat(folder, name, flags, Mode::empty())?;
    if flags.contains(OFlags::PATH) && is_link(&sys::fstat(&file)?) {
        return Err(Errno::LOOP);
    }
    Ok(file)
}

fn is_link(stat: &sys::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

#[cfg(test)]
mod tests;
