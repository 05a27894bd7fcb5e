//! Bodies that come piece by piece, and what is not copied of them.

use super::*;

#[test]
fn a_body_is_held_back_up_to_a_bound() {
    for (len, is_chunked) in [
        (HELD_MAX, false),
        (HELD_MAX + 1, true),
        (5 * HELD_MAX, true),
    ] {
        let content = pattern(len);
        for step in [1_000, len] {
            let given = give(Get11, |reply| {
                reply.begin(ResponseHead::new(StatusCode::OK), None);
                content.chunks(step).for_each(|piece| reply.push(piece));
                assert_eq!(reply.is_held(), !is_chunked, "{len} by {step}");
                assert_eq!(reply.finish(), Ending::Whole);
            });
            let head = String::from_utf8_lossy(&given.wire[..80]).into_owned();
            assert_eq!(
                head.contains("Transfer-Encoding: chunked"),
                is_chunked,
                "{head}"
            );
            assert_eq!(given.wire.ends_with(b"\r\n0\r\n\r\n"), is_chunked);
            assert_eq!(given.body_len, len as u64);
            if !is_chunked {
                assert!(given.wire.ends_with(&content));
            }
        }
    }
}

#[test]
fn a_body_in_parts_is_framed_as_one_that_lies_in_one_piece() {
    let content = pattern(60_000);
    for (from, announced) in [
        (Get11, None),
        (Get10, None),
        (Get11, Some(60_000)),
        (Get11, Some(41_000)),
        (Get11, Some(70_000)),
        (Head11, Some(60_000)),
    ] {
        let whole = |reply: &mut Reply<'_>, parts: &[&[u8]]| {
            reply.begin(ResponseHead::new(StatusCode::OK), announced);
            reply.push_parts(&[]);
            reply.push_parts(parts);
            assert_eq!(reply.has_excess(), announced == Some(41_000));
            let ending = reply.finish();
            assert_eq!(ending == Ending::Short, announced == Some(70_000));
        };
        let expected = give(from, |reply| whole(reply, &[&content]));
        let len = content.len().div_ceil(BODY_PARTS);
        for len in [len, 25_000] {
            let parts: Vec<&[u8]> = content.chunks(len).collect();
            assert_eq!(give(from, |reply| whole(reply, &parts)), expected);
        }
    }
}

/// The body of a chunked response, and whether it is whole.
fn dechunked(wire: &[u8]) -> (Vec<u8>, bool) {
    let end = wire.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
    let mut decoder = ChunkedDecoder::default();
    let (mut rest, mut body) = (&wire[end..], Vec::new());
    loop {
        match decoder.step(rest).unwrap() {
            Step::Data { bytes, used } => {
                body.extend_from_slice(bytes);
                rest = &rest[used..];
            }
            Step::Partial { .. } => return (body, false),
            Step::End { .. } => return (body, true),
        }
    }
}

#[test]
fn what_the_client_leaves_in_a_pipe_is_owed_to_its_chunk() {
    let content = pattern(300_000);
    for is_stolen in [false, true] {
        let (stream, mut peer) = tcp_connection();
        rustix::net::sockopt::set_socket_send_buffer_size(&stream, 4096).unwrap();
        let folder = TempDir::new();
        let room = Arc::new(Room::new(folder.path(), 1 << 20));
        let mut outgoing = Outgoing::default();
        let draft = Draft::new(Get11.envelope());
        let mut reply = Reply::new(&stream, &mut outgoing, &room, draft);
        let (mut reader, mut writer) = io::pipe().unwrap();
        let client = std::thread::spawn(move || {
            let mut wire = Vec::new();
            // Not before the pipe was left with something.
            std::thread::park();
            peer.read_to_end(&mut wire).unwrap();
            wire
        });

        assert!(!reply.can_splice());
        reply.begin(ResponseHead::new(StatusCode::OK), None);
        assert!(!reply.can_splice(), "it may end while it is short");
        reply.release();
        let mut next = 0;
        let (lying, taken) = loop {
            assert!(reply.can_splice() && !reply.owes());
            let lying = content[next..].len().min(60_000);
            assert!(lying > 0, "the client was to leave off in the middle");
            writer.write_all(&content[next..][..lying]).unwrap();
            let taken = reply.splice(&reader, lying).unwrap();
            next += taken;
            if taken < lying {
                break (lying, taken);
            }
        };
        assert!(reply.owes() && reply.is_blocked() && !reply.can_splice());
        let mut rest = vec![0; lying - taken];
        reader.read_exact(&mut rest).unwrap();
        let mut expected = next;
        if !is_stolen {
            // In two steps, the second of which goes beyond.
            let (first, second) = rest.split_at(rest.len() / 2);
            reply.push(first);
            assert!(reply.owes());
            let second = [second, b"more"].concat();
            reply.push_parts(&[b"", &second[..1], &second[1..]]);
            expected += rest.len();
        }
        client.thread().unpark();
        while reply.flush().unwrap() != Flushed::All {
            std::thread::yield_now();
        }
        assert_eq!(reply.owes(), is_stolen);
        let ending = reply.finish();
        assert_eq!(ending == Ending::Short, is_stolen);
        assert_eq!(reply.closes(), is_stolen);
        while reply.flush().unwrap() != Flushed::All {
            std::thread::yield_now();
        }
        let body_len = reply.body_len();
        drop(stream);
        let (body, is_whole) = dechunked(&client.join().unwrap());
        assert_eq!(is_whole, !is_stolen);
        let more: &[u8] = if is_stolen { b"" } else { b"more" };
        assert!(body == [&content[..expected], more].concat());
        assert_eq!(body_len, body.len() as u64);
    }
}

#[test]
fn no_more_of_a_pipe_is_sent_than_was_announced() {
    let (mut reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"hello, and more").unwrap();
    let given = give(Get11, |reply| {
        reply.begin(ResponseHead::new(StatusCode::OK), Some(5));
        assert!(reply.can_splice());
        assert_eq!(reply.splice(&reader, 15).unwrap(), 5);
        assert!(!reply.can_splice() && !reply.owes());
        let mut rest = [0; 10];
        reader.read_exact(&mut rest).unwrap();
        reply.push(&rest);
        assert!(reply.has_excess());
        assert_eq!(reply.finish(), Ending::Whole);
    });
    assert!(given.wire.ends_with(b"\r\n\r\nhello"));
    assert_eq!(given.body_len, 5);
}

#[test]
fn a_client_that_takes_nothing_has_its_output_on_disk() {
    let folder = TempDir::new();
    let room = Arc::new(Room::new(folder.path(), 32 << 20));
    let (stream, mut peer) = connection();
    let mut outgoing = Outgoing::default();
    let mut reply = Reply::new(&stream, &mut outgoing, &room, Draft::new(Get11.envelope()));
    let content = pattern(4 << 20);
    reply.begin(
        ResponseHead::new(StatusCode::OK),
        Some(content.len() as u64),
    );
    for piece in content.chunks(64 << 10) {
        reply.push(piece);
        reply.flush().unwrap();
        assert!(!reply.is_full());
    }
    assert_eq!(reply.finish(), Ending::Whole);
    let reader = std::thread::spawn(move || {
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        received
    });
    while reply.flush().unwrap() != Flushed::All {
        std::thread::yield_now();
    }
    drop(stream);
    assert!(reader.join().unwrap().ends_with(&content));
}

#[test]
fn a_client_that_is_given_up_holds_nothing_any_more() {
    let folder = TempDir::new();
    let room = Arc::new(Room::new(folder.path(), 64 << 20));
    let (stream, mut peer) = tcp_connection();
    let mut outgoing = Outgoing::default();
    let mut reply = Reply::new(&stream, &mut outgoing, &room, Draft::new(Get11.envelope()));
    let content = pattern(16 << 20);
    reply.begin(
        ResponseHead::new(StatusCode::OK),
        Some(content.len() as u64),
    );
    reply.push(&content);
    assert_eq!(reply.flush().unwrap(), Flushed::Blocked);
    reply.abandon();
    assert!(reply.is_flushed() && reply.closes());
    drop(stream);
    assert!(peer.read_to_end(&mut Vec::new()).is_err());
}
