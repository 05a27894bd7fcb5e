//! tiny_http, behind the gate.
//!
//! Rules: it accepts from the gate alone, so it has as many connections and threads as that lets in, and heads that
//! that has read. One failed accept ends it, and another takes its place at the same socket.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answers::answer;
use super::{Console, Host};

/// How many threads answer.
pub(super) const THREADS: usize = 3;

/// How long tiny_http may take for the next piece of an answer. A stream of events says something sooner.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// How soon after another it is replaced.
const REVIVAL_PAUSE: Duration = Duration::from_secs(1);

/// How often its threads look whether it was replaced.
const LOOK: Duration = Duration::from_millis(500);

/// tiny_http, and where it is.
pub(super) struct Plane {
    socket: UnixListener,
    path: PathBuf,
    server: Mutex<(Arc<tiny_http::Server>, Instant)>,
}

impl std::fmt::Debug for Plane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plane")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Plane {
    pub(super) fn open(socket: &UnixListener, path: &Path) -> io::Result<Plane> {
        let socket = socket.try_clone()?;
        Ok(Plane {
            server: Mutex::new((server(&socket)?, Instant::now())),
            socket,
            path: path.to_owned(),
        })
    }

    /// Asks it; the answer can be read from what this returns.
    pub(super) fn connect(&self, head: &[u8]) -> io::Result<UnixStream> {
        let mut inner = UnixStream::connect(&self.path)?;
        inner.set_read_timeout(Some(ANSWER_TIME))?;
        inner.set_write_timeout(Some(ANSWER_TIME))?;
        inner.write_all(head)?;
        Ok(inner)
    }

    /// Puts another one in its place.
    pub(super) fn revive(&self) {
        let mut current = self.current();
        if current.1.elapsed() < REVIVAL_PAUSE {
            return;
        }
        match server(&self.socket) {
            Ok(server) => {
                *current = (server, Instant::now());
            }
            Err(error) => log::error!("console: {error}"),
        }
    }

    /// Answers what comes through, until the process ends.
    pub(super) fn serve(&self, console: &Arc<Console>, host: &Arc<dyn Host>) {
        loop {
            let server = Arc::clone(&self.current().0);
            match server.recv_timeout(LOOK) {
                Ok(Some(request)) => answer(request, console, host),
                Ok(None) => {}
                Err(error) => {
                    log::error!("console: {error}");
                    self.revive();
                    std::thread::sleep(LOOK);
                }
            }
        }
    }

    fn current(&self) -> MutexGuard<'_, (Arc<tiny_http::Server>, Instant)> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn server(socket: &UnixListener) -> io::Result<Arc<tiny_http::Server>> {
    let server = tiny_http::Server::from_listener(socket.try_clone()?, None);
    let server = Arc::new(server.map_err(io::Error::other)?);
    // It is never dropped: that would take the socket's path along.
    std::mem::forget(Arc::clone(&server));
    Ok(server)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::sys::testing::TempDir;

    #[test]
    fn another_takes_its_place_and_not_at_once() {
        let dir = TempDir::new();
        let path = dir.path().join("socket");
        let plane = Plane::open(&UnixListener::bind(&path).unwrap(), &path).unwrap();
        let first = Arc::clone(&plane.current().0);
        plane.revive();
        assert!(Arc::ptr_eq(&first, &plane.current().0));
        plane.current().1 -= REVIVAL_PAUSE;
        plane.revive();
        let second = Arc::clone(&plane.current().0);
        assert!(!Arc::ptr_eq(&first, &second));
        // Whichever of the two accepts, it is answered, and the socket is there still.
        drop(first.recv_timeout(Duration::ZERO));
        let mut answer = plane.connect(b"nonsense\r\n\r\n").unwrap();
        let mut text = String::new();
        answer.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
        assert!(path.exists());
    }
}
