use std::io::{Read, Write};

use super::*;
use crate::sys::testing::{TempDir, connection, pattern, tcp_connection};

#[test]
fn a_read_tells_bytes_silence_and_end_apart() {
    let (stream, mut peer) = connection();
    let mut buffer = Vec::with_capacity(8);
    assert_eq!(stream.read(&mut buffer).unwrap(), None);
    peer.write_all(b"0123456789").unwrap();
    assert_eq!(stream.read(&mut buffer).unwrap(), Some(8));
    assert_eq!(buffer, b"01234567");
    buffer.reserve_exact(100);
    assert_eq!(stream.read(&mut buffer).unwrap(), Some(2));
    assert_eq!(stream.read(&mut buffer).unwrap(), None);
    drop(peer);
    assert_eq!(stream.read(&mut buffer).unwrap(), Some(0));
    assert_eq!(buffer, b"0123456789");
}

#[test]
fn a_write_takes_what_fits() {
    let (stream, mut peer) = connection();
    let content = pattern(1 << 20);
    let mut sent = 0;
    while let Some(step) = stream.write(&content[sent..], More::Follows).unwrap() {
        sent += step;
    }
    assert!(sent > 0 && sent < content.len());
    let mut received = vec![0; sent];
    peer.read_exact(&mut received).unwrap();
    assert!(received == content[..sent]);
    assert!(stream.write(b"more", More::No).unwrap().is_some());
}

#[test]
fn a_part_of_a_file_is_sent_from_where_it_is_asked_for() {
    let folder = TempDir::new();
    folder.write("file", "0123456789");
    let file = File::open(folder.path().join("file")).unwrap();
    let (stream, mut peer) = connection();
    let mut offset = 4;
    assert_eq!(stream.send_file(&file, &mut offset, 3).unwrap(), Some(3));
    assert_eq!(stream.send_file(&file, &mut offset, 99).unwrap(), Some(3));
    assert_eq!(stream.send_file(&file, &mut offset, 99).unwrap(), Some(0));
    assert_eq!(offset, 10);
    drop(stream);
    let mut received = String::new();
    peer.read_to_string(&mut received).unwrap();
    assert_eq!(received, "456789");
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_no_signal() {
    let (stream, peer) = connection();
    drop(peer);
    let error = stream.write(b"lost", More::No).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn who_ended_writing_still_reads() {
    let (stream, mut peer) = tcp_connection();
    stream.end_writing().unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    peer.write_all(b"late").unwrap();
    drop(peer);
    let mut buffer = Vec::with_capacity(100);
    rustix::io::ioctl_fionbio(&stream, false).unwrap();
    assert_eq!(stream.read(&mut buffer).unwrap(), Some(4));
    assert_eq!(stream.read(&mut buffer).unwrap(), Some(0));
    assert!(stream.write(b"x", More::No).is_err());
}

#[test]
fn a_reset_cannot_be_taken_for_an_end() {
    let (stream, mut peer) = tcp_connection();
    stream.write(b"part", More::No).unwrap();
    stream.reset_on_close().unwrap();
    assert!(stream.end_writing().is_err());
    drop(stream);
    let error = peer.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn only_tcp_has_an_address() {
    let (stream, peer) = tcp_connection();
    assert_eq!(stream.local_address(), Some(peer.peer_addr().unwrap()));
    assert_eq!(connection().0.local_address(), None);
}
