//! One connection, accepted or made, TCP or unix, never blocking.
//!
//! Shape: a transfer gives `Ok(Some(n))` for n bytes moved, `Ok(None)` when it would block, and an
//! error when the connection is beyond use. Rules: a write to a peer that is gone is an error, never
//! a SIGPIPE.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketAddrUnix,
    SocketFlags, SocketType, sockopt,
};
use rustix::pipe::SpliceFlags;

use super::fault;
use super::listener::canonical;

const SOCKET_FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Whether more bytes follow at once, so that the kernel may wait for them to fill a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Nothing follows: send now.
    No,
    /// More bytes follow in a moment.
    Follows,
}

/// A connected, non-blocking socket.
#[derive(Debug)]
pub struct Stream {
    socket: OwnedFd,
}

impl Stream {
    /// Takes over a connected socket that is already non-blocking.
    pub fn new(socket: OwnedFd) -> Stream {
        Stream { socket }
    }

    /// The processor that took in what came last, where the system tells (Linux 3.19, TCP).
    pub fn incoming_cpu(&self) -> Option<u32> {
        let cpu = sockopt::socket_incoming_cpu(&self.socket).ok();
        cpu.filter(|cpu| *cpu != u32::MAX)
    }

    /// Two ends of a connection inside this process: one that never blocks, and one to read from to its end.
    pub fn pair() -> io::Result<(Stream, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((Stream::new(ours.into()), theirs))
    }

    /// The socket as one that blocks, for a thread of its own.
    #[cfg(feature = "console")]
    pub fn into_blocking(self) -> io::Result<OwnedFd> {
        rustix::io::ioctl_fionbio(&self.socket, false)?;
        Ok(self.socket)
    }

    /// Begins to connect to a TCP address. Writes would block until it is connected; what kept it from
    /// being so is the error of the first one.
    pub fn connect_tcp(address: &SocketAddr) -> io::Result<Stream> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        fault::socket()?;
        let socket = net::socket_with(family, SocketType::STREAM, SOCKET_FLAGS, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        match fault::connect().and_then(|()| net::connect(&socket, address)) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Stream { socket }),
            Err(error) => Err(error.into()),
        }
    }

    /// Connects to a unix socket. Fails with `WouldBlock` when its queue of connections is full.
    pub fn connect_unix(path: &Path) -> io::Result<Stream> {
        fault::socket()?;
        let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SOCKET_FLAGS, None)?;
        fault::connect()?;
        net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Stream { socket })
    }

    /// Whether the peer has neither sent anything nor ended the connection.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let looked = settle(|| {
            let looked = net::recv(&self.socket, &mut byte[..], RecvFlags::PEEK);
            looked.map(|(seen, _)| seen)
        });
        matches!(looked, Ok(None))
    }

    /// Reads once into `buffer`; `Some(0)` is the end of what the peer sends.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        settle(|| {
            fault::recv()?;
            let received = net::recv(&self.socket, &mut *buffer, RecvFlags::empty());
            received.map(|(read, _)| read)
        })
    }

    /// Reads into the spare capacity of `buffer`; `Some(0)` is the end of what the peer sends.
    ///
    /// The caller reserves the capacity; with none left nothing is read and `Some(0)` must not be
    /// taken for an end.
    pub fn read(&self, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
        settle(|| {
            fault::recv()?;
            let spare = rustix::buffer::spare_capacity(buffer);
            net::recv(&self.socket, spare, RecvFlags::empty()).map(|(read, _)| read)
        })
    }

    /// Sends the beginning of `bytes`, as much as the peer's window takes.
    pub fn write(&self, bytes: &[u8], more: More) -> io::Result<Option<usize>> {
        let flags = match more {
            More::No => SendFlags::NOSIGNAL,
            More::Follows => SendFlags::NOSIGNAL | SendFlags::MORE,
        };
        settle(|| {
            fault::send()?;
            net::send(&self.socket, bytes, flags)
        })
    }

    /// Sends the beginning of what these parts are together.
    pub fn write_parts(&self, parts: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        settle(|| {
            fault::send()?;
            let mut none = SendAncillaryBuffer::default();
            net::sendmsg(&self.socket, parts, &mut none, SendFlags::NOSIGNAL)
        })
    }

    /// Sends up to `len` bytes of `file` from `*offset`, which is moved on; `Some(0)` means that the
    /// file is shorter than that.
    pub fn send_file(
        &self,
        file: &File,
        offset: &mut u64,
        len: usize,
    ) -> io::Result<Option<usize>> {
        settle(|| {
            fault::sendfile()?;
            rustix::fs::sendfile(&self.socket, file, Some(offset), len)
        })
    }

    /// Sends up to `len` bytes of those that lie in a pipe, without copying them.
    pub fn splice(&self, pipe: impl AsFd, len: usize) -> io::Result<Option<usize>> {
        let flags = SpliceFlags::NONBLOCK;
        settle(|| {
            fault::splice()?;
            rustix::pipe::splice(&pipe, None, &self.socket, None, len, flags)
        })
    }

    /// Tells the peer that nothing more is sent, while it may go on sending.
    ///
    /// Fails where the end is to be a reset: the peer would take this one for a good end.
    pub fn end_writing(&self) -> io::Result<()> {
        if sockopt::socket_linger(&self.socket)? == Some(Duration::ZERO) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(net::shutdown(&self.socket, Shutdown::Write)?)
    }

    /// Makes closing reset the connection, so that the peer cannot take what it has for the whole.
    pub fn reset_on_close(&self) -> io::Result<()> {
        Ok(sockopt::set_socket_linger(
            &self.socket,
            Some(Duration::ZERO),
        )?)
    }

    /// The address of this end, where it is TCP.
    pub fn local_address(&self) -> Option<SocketAddr> {
        let address = SocketAddr::try_from(net::getsockname(&self.socket).ok()?).ok()?;
        Some(canonical(address))
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a transfer failed for what became of the peer or of the way there, and not for want of memory or
/// for the disk that a file is sent from.
pub fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::PIPE
                | Errno::CONNRESET
                | Errno::CONNABORTED
                | Errno::CONNREFUSED
                | Errno::NOTCONN
                | Errno::TIMEDOUT
                | Errno::HOSTUNREACH
                | Errno::HOSTDOWN
                | Errno::NETUNREACH
                | Errno::NETDOWN
        )
    )
}

/// Makes a call, again where a signal interrupted it, and tells "would block" from failure.
fn settle(call: impl FnMut() -> Result<usize, Errno>) -> io::Result<Option<usize>> {
    match rustix::io::retry_on_intr(call) {
        Ok(moved) => Ok(Some(moved)),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
