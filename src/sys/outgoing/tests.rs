use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Advice;
use rustix::net::sockopt::set_socket_send_buffer_size;

use super::*;
use crate::sys::testing::{TempDir, connection, pattern, tcp_connection};

/// A connection of which the kernel holds little.
fn narrow() -> (Stream, UnixStream) {
    let (stream, peer) = connection();
    set_socket_send_buffer_size(stream.as_fd(), 4096).unwrap();
    (stream, peer)
}

fn room(max_disk: u64) -> (TempDir, Arc<Room>) {
    let folder = TempDir::new();
    let room = Arc::new(Room::new(folder.path(), max_disk));
    (folder, room)
}

fn file(folder: &TempDir, content: &[u8]) -> Arc<File> {
    folder.write("file", content);
    Arc::new(
        File::options()
            .read(true)
            .write(true)
            .open(folder.path().join("file"))
            .unwrap(),
    )
}

/// Reads exactly what was sent and not read yet.
fn take(peer: &mut impl Read, received: &mut Vec<u8>, sent: u64) {
    let mut fresh = vec![0; usize::try_from(sent).unwrap() - received.len()];
    peer.read_exact(&mut fresh).unwrap();
    received.extend_from_slice(&fresh);
}

/// Sends everything to a peer that reads only when nothing more fits; returns what it got, and how
/// often it was waited for.
fn drain(outgoing: &mut Outgoing, stream: &Stream, peer: &mut UnixStream) -> (Vec<u8>, u32) {
    let before = outgoing.sent();
    let mut received = Vec::new();
    let mut blocked = 0;
    loop {
        let flushed = outgoing.flush(stream).unwrap();
        take(peer, &mut received, outgoing.sent() - before);
        match flushed {
            Flushed::All => return (received, blocked),
            Flushed::Blocked => blocked += 1,
            Flushed::Turn => {}
        }
    }
}

#[test]
fn pieces_of_all_kinds_leave_in_order() {
    let (folder, room) = room(1 << 20);
    let (stream, mut peer) = narrow();
    let content = pattern(100 << 10);
    let file = file(&folder, &content);
    let mut outgoing = Outgoing::default();
    assert!(outgoing.is_empty() && !outgoing.has_bulk());
    outgoing.bytes().extend_from_slice(b"head");
    assert!(!outgoing.is_empty() && !outgoing.has_bulk());
    outgoing.push_shared(content[..30_000].into());
    outgoing.bytes().extend_from_slice(b"between");
    outgoing.push_file(Arc::clone(&file), 1, 70_000);
    outgoing.push_file(file, 5, 0);
    outgoing.push_output(&content[..9_000], &room);
    outgoing.push_output(&content[9_000..50_000], &room);
    outgoing.push_output(&content[50_000..], &room);
    outgoing.bytes().extend_from_slice(b"tail");
    assert!(outgoing.has_bulk());
    let expected = [
        b"head",
        &content[..30_000],
        b"between",
        &content[1..70_001],
        &content[..],
        b"tail",
    ]
    .concat();
    let (received, blocked) = drain(&mut outgoing, &stream, &mut peer);
    assert!(received == expected);
    assert!(blocked > 3, "the peer was to be slow");
    assert_eq!(outgoing.sent(), expected.len() as u64);
    assert_eq!(outgoing.in_memory(), 0);
    assert!(outgoing.is_empty() && !outgoing.has_bulk());
}

#[test]
fn what_is_pushed_while_others_are_on_their_way_stays_behind_them() {
    let (_folder, room) = room(1 << 20);
    let (stream, mut peer) = narrow();
    let mut outgoing = Outgoing::default();
    let mut expected = Vec::new();
    let mut received = Vec::new();
    for round in 0..200_usize {
        let piece = pattern(round * 37 % 5_000);
        expected.extend_from_slice(&piece);
        match round % 3 {
            0 => outgoing.bytes().extend_from_slice(&piece),
            1 => outgoing.push_shared(piece.into()),
            _ => outgoing.push_output(&piece, &room),
        }
        outgoing.flush(&stream).unwrap();
        if round % 4 == 0 {
            let sent = outgoing.sent();
            take(&mut peer, &mut received, sent);
        }
    }
    let sent = outgoing.sent();
    take(&mut peer, &mut received, sent);
    received.extend(drain(&mut outgoing, &stream, &mut peer).0);
    assert!(received == expected);
}

#[test]
fn what_is_passed_on_stays_in_order_wherever_the_peer_leaves_off() {
    for memory in [0, 3, 5_000] {
        let (_folder, room) = room(64 << 20);
        let (stream, mut peer) = narrow();
        let mut outgoing = Outgoing::default();
        let mut expected = Vec::new();
        let mut received = Vec::new();
        let mut short = 0;
        for round in 0..200_usize {
            let head = pattern(memory);
            let piece = pattern(round * 371 % 40_000);
            outgoing.bytes().extend_from_slice(&head);
            let (first, last) = piece.split_at(piece.len() / 3);
            let before = outgoing.sent();
            outgoing.pass_output(&[first, b"", last, b"end"], &stream, &room);
            expected.extend([&head, &piece[..], b"end"].concat());
            let is_split = outgoing.sent() > before && !outgoing.is_empty();
            short += u32::from(is_split && outgoing.is_blocked());
            assert!(memory > 0 || outgoing.in_memory() <= MEMORY);
            if round % 3 == 0 {
                let sent = outgoing.sent();
                take(&mut peer, &mut received, sent);
                received.extend(drain(&mut outgoing, &stream, &mut peer).0);
            }
        }
        let sent = outgoing.sent();
        take(&mut peer, &mut received, sent);
        received.extend(drain(&mut outgoing, &stream, &mut peer).0);
        assert!(received == expected, "{memory}");
        assert!(
            short > 3,
            "{short}: the peer was to leave off in the middle"
        );
        assert_eq!(outgoing.sent(), expected.len() as u64);
    }
}

#[test]
fn as_many_parts_as_may_be_are_passed_on_in_one_call() {
    let (_folder, room) = room(0);
    let (stream, mut peer) = connection();
    let mut outgoing = Outgoing::default();
    outgoing.bytes().extend_from_slice(b"head");
    outgoing.pass_output(&[&b"12"[..]; PARTS], &stream, &room);
    assert!(outgoing.is_empty() && !outgoing.is_blocked());
    let mut received = Vec::new();
    take(&mut peer, &mut received, 4 + 2 * PARTS as u64);
    assert_eq!(received, [&b"head"[..], &b"12".repeat(PARTS)].concat());
}

#[test]
fn a_flush_tells_that_the_peer_went_while_something_was_passed_on() {
    let (_folder, room) = room(1 << 20);
    let (stream, peer) = connection();
    let mut outgoing = Outgoing::default();
    drop(peer);
    outgoing.pass_output(&[b"lost"], &stream, &room);
    assert!(!outgoing.is_empty());
    assert_eq!(outgoing.sent(), 0);
    let error = outgoing.flush(&stream).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn what_lies_in_a_pipe_is_sent_behind_what_is_in_memory_as_far_as_the_peer_takes_it() {
    let (stream, mut peer) = tcp_connection();
    set_socket_send_buffer_size(stream.as_fd(), 4096).unwrap();
    let content = pattern(60_000);
    let mut outgoing = Outgoing::default();
    let mut expected = Vec::new();
    let mut received = Vec::new();
    let mut short = 0;
    let (mut reader, mut writer) = io::pipe().unwrap();
    for round in 0..50_usize {
        let head = pattern(round * 911 % 30_000);
        outgoing.bytes().extend_from_slice(&head);
        expected.extend_from_slice(&head);
        writer.write_all(&content).unwrap();
        let mut left = content.len();
        while left > 0 {
            let spliced = outgoing.splice(&reader, left, &stream).unwrap();
            left -= spliced;
            assert_eq!(outgoing.is_blocked(), left > 0);
            short += u32::from(spliced > 0 && left > 0);
            let sent = outgoing.sent();
            take(&mut peer, &mut received, sent);
        }
        expected.extend_from_slice(&content);
        assert!(outgoing.is_empty());
    }
    assert!(received == expected);
    assert!(
        short > 3,
        "{short}: the peer was to leave off in the middle"
    );

    // Less lies there than was asked for, and nobody waits for the rest.
    writer.write_all(b"few").unwrap();
    assert_eq!(outgoing.splice(&reader, 10, &stream).unwrap(), 3);
    assert_eq!(outgoing.splice(&reader, 10, &stream).unwrap(), 0);

    // The peer is gone for us when its reset is here, which a machine under load may deliver later.
    writer.write_all(b"lost").unwrap();
    drop(peer);
    let mut reset = [PollFd::new(&stream, PollFlags::empty())];
    let deadline = Timespec {
        tv_sec: 30,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut reset, Some(&deadline)).unwrap(), 1);
    assert!(outgoing.splice(&reader, 4, &stream).is_err());
    drop(writer);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert!(rest.len() <= 4);
}

#[test]
fn output_past_memory_waits_on_disk_until_it_was_sent() {
    // Its share is one answer: the second finds room only when the first gave it back.
    let (_folder, room) = room(4 * (100 << 10));
    let (stream, mut peer) = narrow();
    let mut outgoing = Outgoing::default();
    for _ in 0..2 {
        let content = pattern(90 << 10);
        for piece in content.chunks(1_000) {
            outgoing.push_output(piece, &room);
        }
        assert!(!outgoing.is_full());
        assert!(outgoing.in_memory() <= MEMORY);
        assert!(drain(&mut outgoing, &stream, &mut peer).0 == content);
    }
}

#[test]
fn without_room_the_source_is_asked_to_wait_and_nothing_is_lost() {
    for max_disk in [0, 20 << 10] {
        let (_folder, room) = room(max_disk);
        let (stream, mut peer) = narrow();
        let content = pattern(90 << 10);
        let mut outgoing = Outgoing::default();
        let mut pushed = 0;
        for piece in content.chunks(1_000) {
            if outgoing.is_full() {
                break;
            }
            outgoing.push_output(piece, &room);
            pushed += piece.len();
        }
        let most = MEMORY + max_disk as usize + MEMORY + 1_000;
        assert!(outgoing.is_full() && pushed <= most, "{pushed}");
        // What is brought all the same comes after the rest.
        outgoing.push_output(&content[pushed..], &room);
        let (received, _) = drain(&mut outgoing, &stream, &mut peer);
        assert!(received == content, "{max_disk}");
        assert!(!outgoing.is_full());
    }
}

#[test]
fn unsent_bytes_are_moved_to_disk_only_when_they_are_many_and_alone() {
    let (_folder, plenty) = room(1 << 20);
    let (_other, none) = room(0);
    // (bytes, something behind them, room, left in memory)
    let cases = [
        (MEMORY, false, &plenty, true),
        (MEMORY + 1, false, &plenty, false),
        (MEMORY + 1, true, &plenty, true),
        (MEMORY + 1, false, &none, true),
    ];
    for (len, has_rest, room, in_memory) in cases {
        let (stream, mut peer) = narrow();
        let mut outgoing = Outgoing::default();
        // So many that `len` are left when the connection takes no more.
        outgoing.bytes().extend_from_slice(&pattern(1 << 20));
        assert_eq!(outgoing.flush(&stream).unwrap(), Flushed::Blocked);
        let taken = usize::try_from(outgoing.sent()).unwrap();
        outgoing.bytes().truncate(taken + len);
        if has_rest {
            outgoing.push_shared((*b"rest").into());
        }
        outgoing.spill(room);
        let left = if in_memory { len } else { 0 };
        assert_eq!(outgoing.in_memory(), left, "{len} {has_rest}");
        let mut received = Vec::new();
        take(&mut peer, &mut received, taken as u64);
        received.extend(drain(&mut outgoing, &stream, &mut peer).0);
        let rest: &[u8] = if has_rest { b"rest" } else { b"" };
        assert!(
            received == [&pattern(taken + len), rest].concat(),
            "{len} {has_rest}"
        );
    }
}

#[test]
fn a_file_that_shrank_is_an_error_and_not_an_end() {
    let (folder, _room) = room(0);
    let (stream, _peer) = connection();
    let file = file(&folder, &pattern(1_000));
    let mut outgoing = Outgoing::default();
    outgoing.push_file(Arc::clone(&file), 0, 1_000);
    file.set_len(400).unwrap();
    let error = outgoing.flush(&stream).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(outgoing.sent(), 400);
}

#[test]
fn a_long_file_lets_others_have_their_turn() {
    let (folder, _room) = room(0);
    // Blocks, so that only the turn can end a flush.
    let (ours, mut peer) = UnixStream::pair().unwrap();
    let stream = Stream::new(ours.into());
    let file = file(&folder, b"");
    let len = 2 * TURN + 1_000;
    file.set_len(len).unwrap();
    file.write_all_at(b"end", len - 3).unwrap();
    let mut outgoing = Outgoing::default();
    outgoing.push_file(file, 0, len);
    let reader = std::thread::spawn(move || {
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        received
    });
    let mut turns = 0;
    loop {
        let before = outgoing.sent();
        let flushed = outgoing.flush(&stream).unwrap();
        let sent = outgoing.sent() - before;
        assert!(sent < TURN + SENDFILE);
        if flushed == Flushed::All {
            break;
        }
        assert_eq!(flushed, Flushed::Turn);
        assert!(sent >= TURN);
        turns += 1;
    }
    // A call sends as much as it likes, so that two turns may be enough.
    assert!(turns >= 1);
    drop(stream);
    let received = reader.join().unwrap();
    assert_eq!(received.len() as u64, len);
    assert!(received.ends_with(b"\0end"));
}

#[test]
fn a_peer_that_is_gone_is_an_error() {
    let (folder, _room) = room(0);
    let pushes: [fn(&mut Outgoing, &TempDir); 3] = [
        |outgoing, _| outgoing.bytes().extend_from_slice(b"bytes"),
        |outgoing, _| outgoing.push_shared((*b"shared").into()),
        |outgoing, folder| outgoing.push_file(file(folder, b"file"), 0, 4),
    ];
    for push in pushes {
        let (stream, peer) = connection();
        drop(peer);
        let mut outgoing = Outgoing::default();
        push(&mut outgoing, &folder);
        let error = outgoing.flush(&stream).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

#[test]
fn the_first_buffer_can_be_lent() {
    let (stream, mut peer) = connection();
    let mut outgoing = Outgoing::default();
    assert_eq!(
        outgoing.swap_buffer(Vec::with_capacity(8_000)).capacity(),
        0
    );
    outgoing.bytes().extend_from_slice(b"kept");
    assert_eq!(drain(&mut outgoing, &stream, &mut peer).0, b"kept");
    let buffer = outgoing.swap_buffer(Vec::new());
    assert!(buffer.is_empty() && buffer.capacity() >= 8_000);
}

/// What was written out and dropped from memory has to be read again, but for file systems that are memory.
#[test]
fn a_long_file_that_is_not_in_memory_comes_from_a_disk() {
    const LEN: u64 = 1 << 20;
    let folder = TempDir::new();
    let file = file(&folder, &pattern(LEN as usize));
    let comes_from_disk = |len| {
        let mut outgoing = Outgoing::default();
        outgoing.bytes().extend_from_slice(b"head");
        outgoing.push_file(Arc::clone(&file), 0, len);
        outgoing.comes_from_disk()
    };
    assert!(!comes_from_disk(LEN));
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    assert!(!comes_from_disk(LONG - 1), "nobody looks");
    // TMPFS_MAGIC, which the kernel's interface has in another type on each processor.
    let is_on_disk = rustix::fs::fstatfs(&file).unwrap().f_type != 0x0102_1994;
    assert_eq!(comes_from_disk(LEN), is_on_disk);
    assert!(!Outgoing::default().comes_from_disk());
}
