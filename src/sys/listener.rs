//! Listening sockets: bind TCP or unix, accept, and sort what can go wrong in accepting.
//!
//! Rules: a failed accept never ends the server. Want of descriptors or memory is told apart, since
//! trying again at once would only spin: the caller pauses. A stale unix socket is replaced; one
//! that somebody answers on, or a file that is no socket, is left alone.

use std::fmt;
use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, sockopt,
};

use super::fault;
use super::stream::Stream;

/// How many connections the kernel may hold that were not accepted yet (it caps this at somaxconn).
const BACKLOG: i32 = 4096;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Where a listener really listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// An address and the port that the system gave.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Tcp(address) => write!(f, "http://{address}/"),
            Bound::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What came of one accept.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, and its address where it has one.
    Connection(Stream, Option<SocketAddr>),
    /// Nobody is waiting.
    Nobody,
    /// The system has no descriptor or memory for another connection: try again later.
    Exhausted(io::Error),
}

/// A socket that accepts connections, non-blocking.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    bound: Bound,
    /// Whether its path means this socket no more.
    is_outside: bool,
    /// Whether others have it too, who go on listening when this process stops.
    is_shared: bool,
}

impl Listener {
    /// Binds every address that `host` resolves to, and listens. With port 0 the first address
    /// chooses the port and the others follow it.
    ///
    /// An address of a family that this machine lacks is passed over as long as another one could be
    /// bound.
    pub fn tcp(host: &str, port: u16) -> io::Result<Vec<Listener>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut listeners: Vec<Listener> = Vec::new();
        let mut failure = None;
        // A name may stand for one address twice.
        let mut seen = Vec::new();
        for mut address in (bare, port).to_socket_addrs()? {
            if seen.contains(&address) {
                continue;
            }
            seen.push(address);
            if let (0, Some(Bound::Tcp(first))) = (port, listeners.first().map(|l| &l.bound)) {
                address.set_port(first.port());
            }
            match Listener::bind_tcp(address) {
                Ok(listener) => listeners.push(listener),
                Err(error)
                    if matches!(
                        Errno::from_io_error(&error),
                        Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
                    ) =>
                {
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match (listeners.is_empty(), failure) {
            (true, Some(error)) => Err(error),
            (true, None) => Err(Errno::ADDRNOTAVAIL.into()),
            (false, _) => Ok(listeners),
        }
    }

    fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        fault::socket()?;
        let socket = net::socket_with(family, SocketType::STREAM, FLAGS, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if matches!(address, SocketAddr::V6(SocketAddrV6 { .. })) {
            // So that [::]:80 and 0.0.0.0:80 can stand beside each other and mean what they say.
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        // Linux hands this on to every accepted connection.
        sockopt::set_tcp_nodelay(&socket, true)?;
        fault::bind()?;
        net::bind(&socket, &address)?;
        net::listen(&socket, BACKLOG)?;
        let bound = SocketAddr::try_from(net::getsockname(&socket)?)?;
        Ok(Listener {
            socket,
            bound: Bound::Tcp(bound),
            is_outside: false,
            is_shared: false,
        })
    }

    /// Binds a unix socket at `path` and listens.
    pub fn unix(path: &Path) -> io::Result<Listener> {
        let address = SocketAddrUnix::new(path)?;
        fault::socket()?;
        let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
        if let Err(error) = fault::bind().and_then(|()| net::bind(&socket, &address)) {
            if error != Errno::ADDRINUSE || !is_stale(path, &address) {
                return Err(error.into());
            }
            std::fs::remove_file(path)?;
            net::bind(&socket, &address)?;
        }
        open_to_group(path)?;
        net::listen(&socket, BACKLOG)?;
        Ok(Listener {
            socket,
            bound: Bound::Unix(path.to_owned()),
            is_outside: false,
            is_shared: false,
        })
    }

    /// Takes over a socket that somebody else bound and keeps.
    ///
    /// Fails where it is none that accepts connections, over TCP or at a unix socket with a path.
    pub fn take_over(socket: OwnedFd) -> io::Result<Listener> {
        if sockopt::socket_type(&socket)? != SocketType::STREAM
            || !sockopt::socket_acceptconn(&socket)?
        {
            return Err(io::Error::other("it is no socket that accepts connections"));
        }
        rustix::io::ioctl_fionbio(&socket, true)?;
        let address = net::getsockname(&socket)?;
        let bound = match SocketAddr::try_from(address.clone()) {
            Ok(address) => {
                sockopt::set_tcp_nodelay(&socket, true)?;
                Bound::Tcp(address)
            }
            Err(_) => Bound::Unix(unix_path(address)?),
        };
        Ok(Listener {
            socket,
            bound,
            is_outside: false,
            is_shared: true,
        })
    }

    /// Where it listens.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Takes note that paths mean other files from now on, as the root was changed.
    pub fn leave_outside(&mut self) {
        self.is_outside = true;
    }

    /// Whether others have the socket too, and accept whom this process does not.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Stops listening: whoever connects from now on is refused. A unix socket is removed, unless it
    /// lies outside. One that is shared is left to the others.
    pub fn stop(&self) -> io::Result<()> {
        if self.is_shared {
            return Ok(());
        }
        net::shutdown(&self.socket, net::Shutdown::Both)?;
        match &self.bound {
            Bound::Unix(path) if !self.is_outside => std::fs::remove_file(path),
            _ => Ok(()),
        }
    }

    /// Whether somebody waits to be accepted.
    pub fn has_waiting(&self) -> bool {
        let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut sockets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Waits until somebody waits to be accepted, or something is wrong with it.
    #[cfg(feature = "console")]
    pub fn await_waiting(&self) {
        // Interrupted, or without memory, it is tried what there is.
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], None);
    }

    /// Accepts one connection.
    pub fn accept(&self) -> Accepted {
        loop {
            match fault::accept().and_then(|()| net::acceptfrom_with(&self.socket, FLAGS)) {
                Ok((socket, address)) => {
                    let address = address.and_then(|any| SocketAddr::try_from(any).ok());
                    return Accepted::Connection(Stream::new(socket), address.map(canonical));
                }
                Err(Errno::AGAIN) => return Accepted::Nobody,
                Err(error) if is_of_connection(error) => {}
                Err(error) => return Accepted::Exhausted(error.into()),
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What keeps a host and port from standing for any address, if anything does.
pub fn stands_for_none(host: &str, port: u16) -> Option<io::Error> {
    match (host, port).to_socket_addrs() {
        Ok(found) if found.len() == 0 => Some(Errno::ADDRNOTAVAIL.into()),
        Ok(_) => None,
        Err(error) => Some(error),
    }
}

/// An IPv4 address also where a socket is of both families, which one that was taken over may be.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Where a unix socket lies.
fn unix_path(address: SocketAddrAny) -> io::Result<PathBuf> {
    let address = SocketAddrUnix::try_from(address)?;
    let path = address.path().map(|path| path.into_owned().into_bytes());
    let path = path.ok_or_else(|| io::Error::other("it has neither a port nor a path"))?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

/// Lets the user's group connect, which a proxy in front can be of: to connect is to write.
///
/// Security: what lies at the path may have been replaced by a link, and root may do this. So the link
/// would be opened, and then it is the opened file whose mode is set.
fn open_to_group(path: &Path) -> io::Result<()> {
    let mode = || Permissions::from_mode(0o660);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    match std::fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), mode()) {
        // Without /proc there is but the path.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::set_permissions(path, mode())
        }
        set => set,
    }
}

/// Whether an accept failed for what went wrong on the waiting connection itself, which accept(2)
/// reports too: that connection is lost, the next one is not.
fn is_of_connection(error: Errno) -> bool {
    matches!(
        error,
        Errno::INTR
            | Errno::CONNABORTED
            | Errno::NETDOWN
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::HOSTUNREACH
            | Errno::OPNOTSUPP
            | Errno::NETUNREACH
            | Errno::PERM
    )
}

/// Whether the file is a socket that nobody answers on.
fn is_stale(path: &Path, address: &SocketAddrUnix) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    let probe = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None);
    is_socket && probe.is_ok_and(|probe| net::connect(&probe, address) == Err(Errno::CONNREFUSED))
}

#[cfg(test)]
mod tests;
