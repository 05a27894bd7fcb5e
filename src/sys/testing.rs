//! What tests share: a folder that is gone when its test ends, connections to talk over, bytes to send
//! and a look at processes.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::stream::Stream;

/// A new, empty folder that is removed with all it holds when the value is dropped.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "tollgate-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        TempDir(fs::canonicalize(path).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, rel: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.0.join(rel);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Makes the symbolic link `rel` to `target`.
    pub(crate) fn link(&self, target: impl AsRef<Path>, rel: impl AsRef<Path>) {
        symlink(target, self.0.join(rel)).unwrap();
    }

    pub(crate) fn fifo(&self, rel: impl AsRef<Path>) {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, self.0.join(rel), FileType::Fifo, mode, 0).unwrap();
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Both ends of a connection: ours, which never blocks, and the peer's, which does.
pub(crate) fn connection() -> (Stream, UnixStream) {
    let (ours, peer) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Stream::new(ours.into()), peer)
}

/// The same over TCP, which alone knows resets.
pub(crate) fn tcp_connection() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Stream::new(ours.into()), peer)
}

/// `len` bytes in which no part looks like its neighbour.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251) as u8).collect()
}

/// Whether a process runs: neither gone nor a zombie.
pub(crate) fn runs(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Waits until a process that was killed is gone.
pub(crate) fn await_gone(pid: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    while runs(pid) {
        assert!(Instant::now() < until, "{pid} still runs");
        std::thread::yield_now();
    }
}
