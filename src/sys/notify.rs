//! Tells the service manager how the server is.
//!
//! Source: sd_notify(3): lines `NAME=VALUE` in a datagram to the unix socket `NOTIFY_SOCKET`, which begins
//! with `@` where it is abstract.
//! Rules: connected at the start, before the root is another one and rights are given up. A manager that
//! does not listen harms nobody: what cannot be told within a second is lost.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use super::clock::monotonic_micros;

/// How long a full queue of the manager is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whoever wants to know.
#[derive(Debug)]
pub struct Notifier(Option<OwnedFd>);

impl Notifier {
    /// Nobody.
    pub fn nobody() -> Notifier {
        Notifier(None)
    }

    /// Whoever listens at this socket.
    pub fn connect(path: &OsStr) -> io::Result<Notifier> {
        let address = match path.as_bytes() {
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
            _ => SocketAddrUnix::new(path)?,
        };
        let socket = net::socket_with(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        net::connect(&socket, &address)?;
        Ok(Notifier(Some(socket)))
    }

    /// Whether anybody is told.
    pub fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Tells these lines.
    pub fn tell(&self, lines: &str) {
        if let Some(socket) = &self.0 {
            let send = || net::send(socket, lines.as_bytes(), SendFlags::NOSIGNAL);
            // With the manager gone there is nobody to tell. A signal ends a wait that has a limit (signal(7)).
            let _ = retry_on_intr(send);
        }
    }

    /// Tells that what follows is a change of configuration or log, until it is ready again.
    pub fn tell_of_reload(&self) {
        let micros = monotonic_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Instant;

    use super::*;
    use crate::sys::testing::TempDir;

    #[test]
    fn a_manager_that_takes_nothing_is_not_waited_for_long() {
        let folder = TempDir::new();
        let path = folder.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::connect(path.as_os_str()).unwrap();
        let socket = notifier.0.as_ref().unwrap();
        // Its queue is full when a message would have to wait.
        while net::send(socket, b"X=1", SendFlags::DONTWAIT).is_ok() {}
        let start = Instant::now();
        notifier.tell("WATCHDOG=1");
        assert!(start.elapsed() >= PATIENCE / 2, "it was not full");
    }
}
