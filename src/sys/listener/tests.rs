use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::*;
use crate::sys::stream::More;
use crate::sys::testing::TempDir;

fn port(listener: &Listener) -> u16 {
    match listener.bound() {
        Bound::Tcp(address) => address.port(),
        Bound::Unix(path) => panic!("{path:?}"),
    }
}

fn accept(listener: &Listener) -> (Stream, Option<SocketAddr>) {
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        match listener.accept() {
            Accepted::Connection(stream, peer) => return (stream, peer),
            Accepted::Nobody if Instant::now() < patience => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_address_of_a_name_shares_the_port_that_the_first_was_given() {
    // (host, whether it has to be there)
    for (host, is_sure) in [
        ("127.0.0.1", true),
        ("localhost", true),
        ("::1", false),
        ("[::1]", false),
    ] {
        let listeners = match Listener::tcp(host, 0) {
            Ok(listeners) => listeners,
            Err(error) => {
                assert!(!is_sure, "{host}: {error}");
                continue;
            }
        };
        let port = port(&listeners[0]);
        assert!(port != 0);
        for listener in &listeners {
            let Bound::Tcp(address) = *listener.bound() else {
                panic!("{listener:?}")
            };
            assert!(
                address.ip().is_loopback() && address.port() == port,
                "{address}"
            );
            assert_eq!(listener.bound().to_string(), format!("http://{address}/"));
            let client = TcpStream::connect(address).unwrap();
            let (stream, peer) = accept(listener);
            assert_eq!(peer, Some(client.local_addr().unwrap()));
            assert_eq!(stream.local_address(), Some(address));
        }
    }
}

#[test]
fn both_families_of_every_address_stand_beside_each_other() {
    let four = Listener::tcp("0.0.0.0", 0).unwrap();
    match Listener::tcp("::", port(&four[0])) {
        Ok(six) => assert_eq!(port(&six[0]), port(&four[0])),
        // A machine without IPv6.
        Err(error) => assert_ne!(error.kind(), io::ErrorKind::AddrInUse),
    }
}

#[test]
fn a_taken_port_is_told_and_so_is_an_address_of_another_machine() {
    let taken = Listener::tcp("127.0.0.1", 0).unwrap();
    let error = Listener::tcp("127.0.0.1", port(&taken[0])).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    // RFC 5737: an address of documentation, which no machine has.
    let error = Listener::tcp("192.0.2.1", 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
}

#[test]
fn an_accepted_connection_never_blocks_and_delays_nothing() {
    let listener = &Listener::tcp("127.0.0.1", 0).unwrap()[0];
    assert!(matches!(listener.accept(), Accepted::Nobody) && !listener.has_waiting());
    let _client = TcpStream::connect(("127.0.0.1", port(listener))).unwrap();
    let (stream, _) = accept(listener);
    assert_eq!(stream.read(&mut Vec::with_capacity(1)).unwrap(), None);
    assert!(sockopt::tcp_nodelay(&stream).unwrap());
    assert!(matches!(listener.accept(), Accepted::Nobody));
}

#[test]
fn a_socket_that_nobody_answers_on_is_replaced() {
    let folder = TempDir::new();
    let path = folder.path().join("socket");
    // It never listens: a program that another test starts just now holds a copy until its exec.
    let stale = net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    net::bind(&stale, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    drop(stale);
    let listener = Listener::unix(&path).unwrap();
    assert_eq!(
        listener.bound().to_string(),
        format!("unix:{}", path.display())
    );
    let mut client = UnixStream::connect(&path).unwrap();
    let (stream, peer) = accept(&listener);
    assert_eq!(peer, None);
    client.write_all(b"x").unwrap();
    assert_eq!(stream.read(&mut Vec::with_capacity(8)).unwrap(), Some(1));
    stream.write(b"y", More::No).unwrap();
    client.read_exact(&mut [0]).unwrap();
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let folder = TempDir::new();
    let at = |name: &str| folder.path().join(name);
    let live = UnixListener::bind(at("live")).unwrap();
    folder.write("file", "content");
    fs::create_dir(at("folder")).unwrap();
    folder.fifo("fifo");
    drop(UnixListener::bind(at("stale")).unwrap());
    folder.link("stale", "link");
    for name in ["live", "file", "folder", "fifo", "link"] {
        let before = fs::symlink_metadata(at(name)).unwrap();
        let error = Listener::unix(&at(name)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{name}");
        let after = fs::symlink_metadata(at(name)).unwrap();
        assert_eq!(before.file_type(), after.file_type(), "{name}");
    }
    assert_eq!(fs::read(at("file")).unwrap(), b"content");
    UnixStream::connect(at("live")).unwrap();
    drop(live);
    let error = Listener::unix(&at("missing/socket")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(Listener::unix(&at(&"n".repeat(200))).is_err());
}

#[test]
fn who_connects_after_the_stop_is_refused() {
    let listener = &Listener::tcp("127.0.0.1", 0).unwrap()[0];
    listener.stop().unwrap();
    let error = TcpStream::connect(("127.0.0.1", port(listener))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);

    let folder = TempDir::new();
    let path = folder.path().join("socket");
    let listener = Listener::unix(&path).unwrap();
    let other_name = folder.path().join("other name");
    fs::hard_link(&path, &other_name).unwrap();
    listener.stop().unwrap();
    assert!(!path.exists());
    assert!(UnixStream::connect(&other_name).is_err());

    let listener = Listener::unix(&path).unwrap();
    fs::rename(&path, &other_name).unwrap();
    assert!(listener.stop().is_err());
    assert!(UnixStream::connect(&other_name).is_err());
}

#[test]
fn want_of_descriptors_is_told_from_the_fault_of_one_connection() {
    for error in [Errno::CONNABORTED, Errno::PERM, Errno::PROTO, Errno::INTR] {
        assert!(is_of_connection(error), "{error}");
    }
    // Whoever tried again at once after one of these would spin.
    for error in [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::INVAL,
        Errno::BADF,
    ] {
        assert!(!is_of_connection(error), "{error}");
    }
}

#[test]
fn a_link_in_the_place_of_a_socket_opens_nothing_to_the_group() {
    let dir = TempDir::new();
    let at = |name: &str| dir.path().join(name);
    dir.write("file", "");
    let closed = Permissions::from_mode(0o600);
    fs::set_permissions(at("file"), closed.clone()).unwrap();
    std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
    // Whether this is an error differs from one kernel to the next.
    let _ = open_to_group(&at("link"));
    let mode = |name| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("file"), 0o600);
    open_to_group(&at("file")).unwrap();
    assert_eq!(mode("file"), 0o660);
}
