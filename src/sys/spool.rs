//! Where bodies wait: in memory while small, then in a file that has no name.
//!
//! A request body is received whole before a program starts, and output that a client cannot take yet
//! waits here so that the program need not. Rules: every byte is claimed from the shared [`Room`]
//! before it is kept and given back when its spool goes, so disk and memory are bounded however many
//! requests there are. The file is unlinked from the start: a crash leaves nothing behind.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::buffer::reserve;
use super::fault;

/// How much of one body is kept in memory: what fits a pipe.
pub const MEMORY_EACH: u64 = 64 << 10;

/// How much all bodies together may take in memory; past it they go to disk at once.
const MEMORY_ALL: u64 = 8 << 20;

/// The bounds that all spools share.
#[derive(Debug)]
pub struct Room {
    folder: PathBuf,
    disk: Budget,
    memory: Budget,
}

impl Room {
    /// How much of the disk the output for one slow client may take.
    pub fn share(&self) -> u64 {
        self.disk.max / 4
    }

    /// How many bytes of disk are taken, and how many may be.
    #[cfg(feature = "console")]
    pub fn disk(&self) -> (u64, u64) {
        (self.disk.used.load(Ordering::Relaxed), self.disk.max)
    }

    /// A room of `max_disk` bytes for files in `folder`.
    pub fn new(folder: &Path, max_disk: u64) -> Room {
        Room {
            folder: folder.to_owned(),
            disk: Budget {
                used: AtomicU64::new(0),
                max: max_disk,
            },
            memory: Budget {
                used: AtomicU64::new(0),
                max: MEMORY_ALL,
            },
        }
    }
}

#[derive(Debug)]
struct Budget {
    used: AtomicU64,
    max: u64,
}

impl Budget {
    fn claim(&self, len: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(len).filter(|sum| *sum <= self.max)
            })
            .is_ok()
    }

    fn release(&self, len: u64) {
        self.used.fetch_sub(len, Ordering::Relaxed);
    }
}

/// A file without a name that bytes are appended to.
#[derive(Debug)]
pub struct SpoolFile {
    room: Arc<Room>,
    file: Arc<File>,
    len: u64,
    claimed: u64,
}

impl SpoolFile {
    /// Makes an empty file in the room's folder.
    pub fn create(room: &Arc<Room>) -> io::Result<SpoolFile> {
        let folder = &room.folder;
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
        };
        Ok(SpoolFile {
            file: Arc::new(open_unnamed(folder).map_err(named)?),
            room: Arc::clone(room),
            len: 0,
            claimed: 0,
        })
    }

    /// Appends all of `bytes`. Fails with `StorageFull` when the room's bound or the disk is reached;
    /// the file is then as long as before.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let len = bytes.len() as u64;
        let needed = (self.len + len).saturating_sub(self.claimed);
        if !self.room.disk.claim(needed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.claimed += needed;
        fault::spool_write()?;
        self.file.write_all_at(bytes, self.len)?;
        self.len += len;
        Ok(())
    }

    /// The file itself, for sendfile or as a program's stdin.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// How many bytes it holds.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        self.room.disk.release(self.claimed);
    }
}

/// A body: memory first, then a file.
#[derive(Debug)]
pub struct Spool {
    room: Arc<Room>,
    memory: Vec<u8>,
    claimed: u64,
    file: Option<SpoolFile>,
}

/// The content of a [`Spool`].
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// All of it, in memory.
    Memory(&'a [u8]),
    /// All of it, from the first byte of a file.
    File(&'a File),
}

impl Spool {
    /// An empty spool that claims from `room`.
    pub fn new(room: &Arc<Room>) -> Spool {
        Spool {
            room: Arc::clone(room),
            memory: Vec::new(),
            claimed: 0,
            file: None,
        }
    }

    /// Appends all of `bytes`; errors as [`SpoolFile::append`].
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            return file.append(bytes);
        }
        let len = bytes.len() as u64;
        if self.claimed + len <= MEMORY_EACH && self.room.memory.claim(len) {
            if reserve(&mut self.memory, bytes.len()).is_ok() {
                self.claimed += len;
                self.memory.extend_from_slice(bytes);
                return Ok(());
            }
            self.room.memory.release(len);
        }
        let mut file = SpoolFile::create(&self.room)?;
        file.append(&self.memory)?;
        file.append(bytes)?;
        self.memory = Vec::new();
        self.room.memory.release(self.claimed);
        self.claimed = 0;
        self.file = Some(file);
        Ok(())
    }

    /// How many bytes were appended.
    pub fn len(&self) -> u64 {
        self.file
            .as_ref()
            .map_or(self.memory.len() as u64, SpoolFile::len)
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file, where it has come to be one.
    pub fn shared_file(&self) -> Option<Arc<File>> {
        let file = self.file.as_ref();
        file.map(|spooled| Arc::clone(&spooled.file))
    }

    /// What was appended.
    pub fn content(&self) -> Content<'_> {
        match &self.file {
            Some(spooled) => Content::File(spooled.file()),
            None => Content::Memory(&self.memory),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.room.memory.release(self.claimed);
    }
}

/// Opens a file that has no name; where the file system cannot make one, a named one is unlinked at
/// once.
fn open_unnamed(folder: &Path) -> io::Result<File> {
    fault::spool_open()?;
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags | OFlags::TMPFILE, mode) {
        Ok(file) => return Ok(File::from(file)),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    open_unlinked(folder)
}

fn open_unlinked(folder: &Path) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".tollgate-{}-{serial}", std::process::id()));
        match rustix::fs::open(&path, flags, mode) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(File::from(file));
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Copies `bytes` into a file of memory, positioned at its beginning.
pub(super) fn memory_file(bytes: &[u8]) -> io::Result<File> {
    use std::io::Seek;
    let descriptor = rustix::fs::memfd_create("tollgate", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(descriptor);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests;
