use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use super::*;
use crate::sys::buffer::Buffer;
use crate::sys::child::{Exit, Program};
use crate::sys::spawner::Spawners;
use crate::sys::testing::TempDir;

/// More than any step takes, so that a fault ends in a failure and not in a wait.
const PATIENCE: Duration = Duration::from_secs(20);

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn path_of(socket: &ServiceSocket) -> &Path {
    match socket.bound() {
        Bound::Unix(path) => path,
        Bound::Tcp(address) => panic!("{address} has no path"),
    }
}

fn sockets(dir: &TempDir) -> [ServiceSocket; 2] {
    let folder = PrivateFolder::create(dir.path()).unwrap();
    [
        ServiceSocket::unix(&folder, "0").unwrap(),
        ServiceSocket::tcp().unwrap(),
    ]
}

/// A shell at the socket.
fn service(socket: &ServiceSocket, text: &str) -> Child {
    let program = Program {
        path: Path::new("/bin/sh"),
        arguments: &[b"-c".to_vec(), text.into()],
        folder: Path::new("/"),
        stdin: None,
    };
    let environment = [(&b"PATH"[..], &b"/usr/bin:/bin"[..])];
    program
        .start_service(socket.as_fd(), environment.into_iter(), &Spawners::none())
        .unwrap()
}

/// Waits until the service ends; returns all that it printed.
fn output(child: &mut Child) -> String {
    let mut buffer = Buffer::new(64 << 10);
    let mut all = Vec::new();
    while child.stderr().is_some() {
        child.read_stderr(&mut buffer).unwrap();
        all.extend_from_slice(buffer.filled());
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_unix_socket_is_the_users_alone_and_goes_with_its_value() {
    let dir = TempDir::new();
    let folder = PrivateFolder::create(dir.path()).unwrap();
    let sockets = ["0", "1"].map(|name| ServiceSocket::unix(&folder, name).unwrap());
    let place = folder.path().to_owned();
    drop(folder);
    assert_eq!(mode(&place), 0o700);
    for socket in &sockets {
        assert!(path_of(socket).starts_with(&place));
        assert_eq!(mode(path_of(socket)), 0o600);
    }
    let [first, second] = sockets;
    let path = path_of(&first).to_owned();
    drop(first);
    assert!(!path.exists() && place.exists());
    drop(second);
    assert!(!place.exists());
}

#[test]
fn a_path_that_no_socket_can_have_is_told() {
    let dir = TempDir::new();
    let folder = PrivateFolder::create(dir.path()).unwrap();
    let error = ServiceSocket::unix(&folder, &"x".repeat(120)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_tcp_socket_listens_on_loopback_alone() {
    let socket = ServiceSocket::tcp().unwrap();
    match socket.bound() {
        Bound::Tcp(address) => {
            assert!(address.ip().is_loopback() && address.is_ipv4() && address.port() != 0);
        }
        Bound::Unix(path) => panic!("{}", path.display()),
    }
}

#[test]
fn a_connection_waits_until_it_is_accepted_whoever_does_that() {
    let dir = TempDir::new();
    for socket in sockets(&dir) {
        assert!(!socket.has_waiting());
        let stream = socket.connect().unwrap();
        assert!(crate::sys::watch::await_readable(&socket.socket, PATIENCE));
        // One that ends without accepting leaves it to the next.
        let mut child = service(&socket, "exit 1");
        assert_eq!(child.reap(), Exit::Status(1));
        assert!(socket.has_waiting() && stream.is_quiet());
        let accepted = net::accept(&socket).unwrap();
        assert!(!socket.has_waiting() && stream.is_quiet());
        drop(accepted);
    }
}

#[test]
fn a_service_has_the_socket_as_descriptor_0_and_its_own_name() {
    let dir = TempDir::new();
    for socket in sockets(&dir) {
        let text = "own=$(readlink /proc/$$/fd/0); echo $own; readlink /proc/$$/fd/* | grep -cF $own; \
                    cat /proc/$$/cmdline; echo to stderr >&2";
        let mut child = service(&socket, text);
        let printed = output(&mut child);
        let mut lines = printed.lines();
        assert!(lines.next().unwrap().starts_with("socket:["), "{printed}");
        assert_eq!(lines.next(), Some("1"), "it has the socket twice");
        assert!(lines.next().unwrap().starts_with("sh\0-c\0"), "{printed:?}");
        assert!(printed.ends_with("to stderr\n"), "{printed}");
        assert!(child.stdout().is_none());
        assert_eq!(child.reap(), Exit::Status(0));
    }
}

#[test]
fn the_socket_that_is_handed_on_blocks() {
    let dir = TempDir::new();
    for socket in sockets(&dir) {
        let flags = rustix::fs::fcntl_getfl(&socket).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
        let closed = rustix::io::fcntl_getfd(&socket).unwrap();
        assert!(closed.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[test]
fn one_wait_sees_output_ends_and_the_bell() {
    let dir = TempDir::new();
    let [socket, _] = sockets(&dir);
    let bell = Doorbell::new().unwrap();
    let silent = service(&socket, "sleep 1000");
    let mut talking = service(&socket, "echo a line; sleep 1000");
    let events = watch_services(&[&silent, &talking], &bell, PATIENCE).unwrap();
    let nothing = ServiceEvents {
        ended: false,
        output: Pipe::Quiet,
    };
    let bytes = ServiceEvents {
        ended: false,
        output: Pipe::Bytes,
    };
    assert_eq!(events, [nothing, bytes]);
    let mut buffer = Buffer::new(100);
    talking.read_stderr(&mut buffer).unwrap();
    assert_eq!(buffer.filled(), b"a line\n");

    talking.ask_to_end();
    let mut ended = false;
    while !ended {
        let events = watch_services(&[&silent, &talking], &bell, PATIENCE).unwrap();
        assert_eq!(events[0], nothing);
        ended = events[1].ended;
    }
    assert_eq!(talking.end(Duration::ZERO), Exit::Signal(15));

    bell.ring();
    bell.ring();
    let events = watch_services(&[&silent], &bell, PATIENCE).unwrap();
    assert_eq!(events, [nothing]);
    assert!(!crate::sys::watch::await_readable(
        &bell.event,
        Duration::ZERO
    ));
    thread::scope(|scope| {
        scope.spawn(|| bell.ring());
        watch_services(&[&silent], &bell, PATIENCE).unwrap();
    });
    assert!(!bell.rung.load(Ordering::SeqCst));
    silent.kill();
    let events = watch_services(&[&silent], &bell, PATIENCE).unwrap();
    assert!(events[0].ended || events[0].output == Pipe::End);
}

#[test]
fn a_connection_is_served_over_a_socket_that_is_listened_at() {
    let dir = TempDir::new();
    let [socket, _] = sockets(&dir);
    let listener = UnixListener::from(socket.socket.try_clone().unwrap());
    let stream = socket.connect().unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"hello").unwrap();
    let mut read = Vec::with_capacity(10);
    while read.len() < 5 {
        stream.read(&mut read).unwrap();
    }
    assert_eq!(read, b"hello");
    drop(stream);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
}
