//! What services need of the system: sockets to listen at, and one wait for all that they do.
//!
//! Shape: a [`ServiceSocket`] stays while the programs that accept at it come and go: who connects
//! between two of them is accepted by the second. Rules:
//! - The server never accepts at it. It holds the socket to hand it on, and to see whether a connection
//!   waits in its queue.
//! - The socket blocks, as programs expect of theirs, and is closed on exec: a program gets it as
//!   descriptor 0, and no other.
//! - Security: a unix socket has mode 0600, in a folder of mode 0700 with a name that cannot be
//!   guessed, and both are gone with the value. A TCP port is one of 127.0.0.1, open to every user of
//!   this machine.

use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::child::{Child, Sign};
use super::fault;
use super::listener::Bound;
use super::private_folder::PrivateFolder;
use super::stream::Stream;
use super::watch::{Pipe, polled_for};

/// How many connections may wait to be accepted by one program: of a server that gives each one
/// request at a time only those whose clients left meanwhile.
const BACKLOG: i32 = 128;

/// How often a program without a pidfd is asked whether it has ended.
const WITHOUT_PIDFD: Duration = Duration::from_millis(50);

/// A listening socket that is handed to one program after another.
#[derive(Debug)]
pub struct ServiceSocket {
    socket: OwnedFd,
    bound: Bound,
    /// Kept for as long as there is a socket in it.
    _folder: Option<Arc<PrivateFolder>>,
}

impl ServiceSocket {
    /// Listens at the socket `name` in `folder`.
    ///
    /// Errors: `InvalidInput` where the path is longer than a socket's may be.
    pub fn unix(folder: &Arc<PrivateFolder>, name: &str) -> io::Result<ServiceSocket> {
        let path = folder.path().join(name);
        let address =
            SocketAddrUnix::new(&path).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let socket = open_socket(AddressFamily::UNIX)?;
        net::bind(&socket, &address)?;
        let opened = ServiceSocket {
            socket,
            bound: Bound::Unix(path.clone()),
            _folder: Some(Arc::clone(folder)),
        };
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        net::listen(&opened.socket, BACKLOG)?;
        Ok(opened)
    }

    /// Listens at a free port of 127.0.0.1.
    pub fn tcp() -> io::Result<ServiceSocket> {
        let socket = open_socket(AddressFamily::INET)?;
        net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        net::listen(&socket, BACKLOG)?;
        let bound = SocketAddr::try_from(net::getsockname(&socket)?)?;
        Ok(ServiceSocket {
            socket,
            bound: Bound::Tcp(bound),
            _folder: None,
        })
    }

    /// Where it listens.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Connects to it, without waiting until somebody accepts.
    pub fn connect(&self) -> io::Result<Stream> {
        match &self.bound {
            Bound::Tcp(address) => Stream::connect_tcp(address),
            Bound::Unix(path) => Stream::connect_unix(path),
        }
    }

    /// Whether a connection waits to be accepted. Over TCP one that was made just now may still be on
    /// its way into the queue.
    pub fn has_waiting(&self) -> bool {
        let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut sockets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for ServiceSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for ServiceSocket {
    fn drop(&mut self) {
        if let Bound::Unix(path) = &self.bound {
            let _ = fs::remove_file(path);
        }
    }
}

fn open_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    fault::socket()?;
    Ok(net::socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Wakes the one thread that waits in [`watch_services`]; rings that fall together are heard once.
#[derive(Debug)]
pub struct Doorbell {
    event: OwnedFd,
    rung: AtomicBool,
}

impl Doorbell {
    /// A bell that was not rung yet.
    pub fn new() -> io::Result<Doorbell> {
        fault::eventfd()?;
        Ok(Doorbell {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            rung: AtomicBool::new(false),
        })
    }

    /// Has the thread look again at whatever the caller has changed before.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // The counter would have to overflow for this to fail.
            let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
        }
    }

    /// Takes the ring; the caller looks at everything afterwards.
    fn silence(&self) {
        let mut counter = [0; 8];
        let _ = rustix::io::read(&self.event, &mut counter);
        // Only now: who rang in between and wrote nothing is seen by the look that follows.
        self.rung.store(false, Ordering::SeqCst);
    }
}

/// What happened to one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceEvents {
    /// It has ended and is to be reaped.
    pub ended: bool,
    /// What its pipe has.
    pub output: Pipe,
}

/// Waits until one of the services prints something or ends, or the bell rings, at most for `patience`.
/// The answer has the order of `children`.
pub fn watch_services(
    children: &[&Child],
    bell: &Doorbell,
    patience: Duration,
) -> io::Result<Vec<ServiceEvents>> {
    let mut patience = patience;
    let mut polled = vec![PollFd::new(&bell.event, PollFlags::IN)];
    let mut have_ended = vec![false; children.len()];
    for (child, has_ended) in children.iter().zip(&mut have_ended) {
        // Before the pipe: what is found in that is then the last of a program that was found ended.
        match polled_for(child.sign()) {
            Some(sign) => polled.push(sign),
            None => {
                *has_ended = child.has_ended();
                let limit = if *has_ended {
                    Duration::ZERO
                } else {
                    WITHOUT_PIDFD
                };
                patience = patience.min(limit);
            }
        }
        if let Some(output) = child.stderr() {
            polled.push(PollFd::new(output, PollFlags::IN));
        }
    }
    let patience = Timespec::try_from(patience).ok();
    match fault::poll().and_then(|()| poll(&mut polled, patience.as_ref())) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut flags = polled.iter().map(PollFd::revents);
    if flags.next().is_some_and(|flags| !flags.is_empty()) {
        bell.silence();
    }
    let events = children.iter().zip(have_ended).map(|(child, has_ended)| {
        let ended = match child.sign() {
            Sign::Nothing => has_ended,
            _ => flags.next().is_some_and(|flags| !flags.is_empty()),
        };
        let output = child.stderr().and_then(|_| flags.next());
        ServiceEvents {
            ended,
            output: output.map_or(Pipe::Quiet, Pipe::from),
        }
    });
    Ok(events.collect())
}

#[cfg(test)]
mod tests;
