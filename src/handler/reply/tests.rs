mod passing;

use std::fs::File;
use std::io::{Read, Write};

use super::*;
use crate::proto::Reason;
use crate::proto::http::chunked::{ChunkedDecoder, Step};
use crate::sys::testing::{TempDir, connection, pattern, tcp_connection};

const DATE: [u8; 29] = *b"Sun, 06 Nov 1994 08:49:37 GMT";

/// What is done with a reply.
enum Do {
    Begin(u16, Option<u64>),
    Raw,
    Push(&'static str),
    Release,
    Finish,
    Cut,
}
use Do::*;

/// Who asks.
#[derive(Debug, Clone, Copy)]
enum Asker {
    Get11,
    Get10,
    Head11,
    Head10,
}
use Asker::*;

impl Asker {
    fn envelope(self) -> Envelope {
        let version = match self {
            Get11 | Head11 => Version::Http11,
            Get10 | Head10 => Version::Http10,
        };
        Envelope {
            version,
            is_head: matches!(self, Head11 | Head10),
            connection: match version {
                Version::Http11 => Connection::Keep,
                Version::Http10 => Connection::KeepAlive,
            },
            date: DATE,
        }
    }
}

/// A reply that is over.
#[derive(Debug, PartialEq, Eq)]
struct Given {
    wire: Vec<u8>,
    closes: bool,
    body_len: u64,
}

fn give(from: Asker, act: impl FnOnce(&mut Reply<'_>)) -> Given {
    let folder = TempDir::new();
    let room = Arc::new(Room::new(folder.path(), 1 << 20));
    let (stream, mut peer) = connection();
    let mut outgoing = Outgoing::default();
    let mut reply = Reply::new(&stream, &mut outgoing, &room, Draft::new(from.envelope()));
    act(&mut reply);
    let (closes, body_len) = (reply.closes(), reply.body_len());
    let mut wire = Vec::new();
    loop {
        let flushed = reply.flush().unwrap();
        let mut fresh = vec![0; usize::try_from(reply.sent()).unwrap() - wire.len()];
        peer.read_exact(&mut fresh).unwrap();
        wire.extend_from_slice(&fresh);
        if flushed == Flushed::All {
            break;
        }
    }
    assert!(reply.is_flushed());
    drop(stream);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    Given {
        wire: without_constants(wire),
        closes,
        body_len,
    }
}

/// Leaves out the fields that are the same in every response.
fn without_constants(wire: Vec<u8>) -> Vec<u8> {
    let constant = [
        format!(
            "Server: {}\r\n",
            crate::proto::http::response::SERVER_SOFTWARE
        ),
        format!("Date: {}\r\n", String::from_utf8_lossy(&DATE)),
    ]
    .concat()
    .into_bytes();
    match wire.windows(constant.len()).position(|at| at == constant) {
        Some(at) => [&wire[..at], &wire[at + constant.len()..]].concat(),
        None => wire,
    }
}

fn apply(reply: &mut Reply<'_>, steps: &[Do]) {
    for step in steps {
        match step {
            Begin(status, len) => {
                let status = StatusCode::new(*status).unwrap();
                reply.begin(ResponseHead::new(status), *len);
            }
            Raw => reply.begin_raw(),
            Push(text) => reply.push(text.as_bytes()),
            Release => reply.release(),
            Finish => drop(reply.finish()),
            Cut => reply.cut(),
        }
    }
}

#[test]
fn the_framing_follows_from_what_is_known_when_it_has_to_be() {
    // (who asks, what is done, the head below its status line and the body, closes, body_len)
    let cases: &[(Asker, &[Do], &str, bool, u64)] = &[
        // Short and ended: a length.
        (
            Get11,
            &[Begin(200, None), Finish],
            "Content-Length: 0\r\n\r\n",
            false,
            0,
        ),
        (
            Get11,
            &[Begin(200, None), Push("hel"), Push("lo"), Finish],
            "Content-Length: 5\r\n\r\nhello",
            false,
            5,
        ),
        (
            Get10,
            &[Begin(200, None), Push("hello"), Finish],
            "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
            false,
            5,
        ),
        // Quiet before its end: chunks, or until close.
        (
            Get11,
            &[
                Begin(200, None),
                Push("hel"),
                Release,
                Push("lo"),
                Push(""),
                Release,
                Finish,
            ],
            "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            false,
            5,
        ),
        (
            Get11,
            &[Begin(200, None), Release, Finish],
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            false,
            0,
        ),
        (
            Get10,
            &[Begin(200, None), Push("hel"), Release, Push("lo"), Finish],
            "Connection: close\r\n\r\nhello",
            true,
            5,
        ),
        // A length that was told.
        (
            Get11,
            &[
                Begin(200, Some(5)),
                Push("hel"),
                Release,
                Push("lo"),
                Finish,
            ],
            "Content-Length: 5\r\n\r\nhello",
            false,
            5,
        ),
        (
            Get11,
            &[Begin(200, Some(5)), Push("hello world"), Push("!"), Finish],
            "Content-Length: 5\r\n\r\nhello",
            false,
            5,
        ),
        (
            Get11,
            &[Begin(200, Some(0)), Push("x"), Finish],
            "Content-Length: 0\r\n\r\n",
            false,
            0,
        ),
        (
            Get11,
            &[Begin(200, Some(5)), Push("hel"), Finish],
            "Content-Length: 5\r\n\r\nhel",
            true,
            3,
        ),
        // HEAD, and what has no body.
        (
            Head11,
            &[Begin(200, None), Push("hello"), Finish],
            "\r\n",
            false,
            0,
        ),
        (
            Head11,
            &[Begin(200, Some(5)), Push("hello"), Finish],
            "Content-Length: 5\r\n\r\n",
            false,
            0,
        ),
        (
            Head11,
            &[Begin(200, Some(5)), Finish],
            "Content-Length: 5\r\n\r\n",
            false,
            0,
        ),
        (
            Head10,
            &[Begin(200, None), Push("hello"), Release, Finish],
            "Connection: keep-alive\r\n\r\n",
            false,
            0,
        ),
        (
            Get11,
            &[Begin(204, None), Push("hello"), Finish],
            "\r\n",
            false,
            0,
        ),
        (
            Get11,
            &[Begin(304, Some(5)), Push("hello"), Release, Finish],
            "\r\n",
            false,
            0,
        ),
        (
            Get10,
            &[Begin(204, None), Finish],
            "Connection: keep-alive\r\n\r\n",
            false,
            0,
        ),
        // RFC 9110 section 15.3.6: 205 has no content, and says so.
        (
            Get11,
            &[Begin(205, None), Push("hello"), Finish],
            "Content-Length: 0\r\n\r\n",
            false,
            0,
        ),
        // Cut.
        (Get11, &[Cut], "", true, 0),
        (
            Get11,
            &[Begin(200, None), Push("hel"), Cut],
            "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
            true,
            3,
        ),
        (
            Get11,
            &[Begin(200, None), Cut, Push("late"), Finish],
            "Transfer-Encoding: chunked\r\n\r\n",
            true,
            0,
        ),
        (
            Get11,
            &[
                Begin(200, None),
                Push("hel"),
                Release,
                Push("lo"),
                Cut,
                Push("late"),
                Finish,
            ],
            "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n",
            true,
            5,
        ),
        (
            Get11,
            &[Begin(200, Some(5)), Push("hel"), Cut, Push("lo")],
            "Content-Length: 5\r\n\r\nhel",
            true,
            3,
        ),
    ];
    for (number, (from, steps, expected, closes, body_len)) in cases.iter().enumerate() {
        let given = give(*from, |reply| apply(reply, steps));
        let wire = String::from_utf8(given.wire).unwrap();
        let (status_line, rest) = wire.split_once("\r\n").unwrap_or(("", ""));
        assert_eq!(rest, *expected, "case {number}");
        assert!(status_line.is_empty() || status_line.starts_with("HTTP/1.1 "));
        assert_eq!(
            (given.closes, given.body_len),
            (*closes, *body_len),
            "case {number}"
        );
    }
}

#[test]
fn a_source_that_writes_the_response_itself_is_relayed_and_closed() {
    let response = "HTTP/1.1 299 Own\r\nX: y\r\n\r\nbody";
    let given = give(Get11, |reply| {
        apply(reply, &[Raw, Push(response), Release, Push("!"), Finish])
    });
    let expected = Given {
        wire: [response.as_bytes(), b"!"].concat(),
        closes: true,
        body_len: response.len() as u64 + 1,
    };
    assert_eq!(given, expected);
}

#[test]
fn the_ending_tells_what_is_missing_and_what_is_too_much() {
    // (announced, printed, ending, excess)
    for (announced, printed, ending, has_excess) in [
        (Some(5), "hello", Ending::Whole, false),
        (Some(5), "hell", Ending::Short, false),
        (Some(5), "hello!", Ending::Whole, true),
        (Some(0), "", Ending::Whole, false),
        (None, "hello", Ending::Whole, false),
    ] {
        give(Get11, |reply| {
            assert!(!reply.is_begun() && reply.status().is_none());
            reply.begin(ResponseHead::new(StatusCode::OK), announced);
            assert!(reply.is_begun() && reply.status() == Some(StatusCode::OK));
            reply.push(printed.as_bytes());
            assert_eq!(reply.finish(), ending, "{announced:?} {printed}");
            assert_eq!(reply.has_excess(), has_excess);
            assert_eq!(reply.closes(), ending == Ending::Short);
        });
    }
    // HEAD announces a length that nobody has to bring.
    give(Head11, |reply| {
        reply.begin(ResponseHead::new(StatusCode::OK), Some(5));
        assert_eq!(reply.finish(), Ending::Whole);
    });
}

#[test]
fn where_the_end_of_the_connection_ends_the_body_a_cut_is_a_reset() {
    // (who asks, what is done, reset)
    let cases: [(Asker, &[Do], bool); 5] = [
        (Get10, &[Begin(200, None), Push("hello"), Cut], true),
        (
            Get10,
            &[Begin(200, None), Push("hello"), Release, Finish],
            false,
        ),
        (
            Get11,
            &[Raw, Push("HTTP/1.1 200 OK\r\n\r\nhello"), Cut],
            true,
        ),
        (Get11, &[Begin(200, None), Push("hello"), Cut], false),
        (Get11, &[Begin(200, Some(9)), Push("hello"), Cut], false),
    ];
    for (number, (from, steps, is_reset)) in cases.into_iter().enumerate() {
        let (stream, mut peer) = tcp_connection();
        let room = Arc::new(Room::new(&std::env::temp_dir(), 0));
        let mut outgoing = Outgoing::default();
        let mut reply = Reply::new(&stream, &mut outgoing, &room, Draft::new(from.envelope()));
        apply(&mut reply, steps);
        assert_eq!(reply.flush().unwrap(), Flushed::All);
        drop(stream);
        let mut received = Vec::new();
        let read = peer.read_to_end(&mut received);
        assert_eq!(read.is_err(), is_reset, "case {number}");
        assert!(is_reset || String::from_utf8_lossy(&received).contains("hello"));
    }
}

/// Makes a body anew for each case.
type MakeBody = fn() -> Body;

#[test]
fn every_kind_of_body_is_given() {
    let folder = TempDir::new();
    folder.write("file", "0123456789");
    let file = Arc::new(File::open(folder.path().join("file")).unwrap());
    let long = pattern(COPIED_MAX + 1);
    let part = |first, len| Body::File {
        file: Arc::clone(&file),
        first,
        len,
    };
    let bodies: [(MakeBody, &[u8]); 2] = [
        (|| Body::Empty, b""),
        (|| Body::Bytes(b"bytes".to_vec()), b"bytes"),
    ];
    let mut cases: Vec<(Body, Vec<u8>)> = bodies
        .into_iter()
        .map(|(body, content)| (body(), content.to_vec()))
        .collect();
    cases.push((Body::Shared((*b"shared").into()), b"shared".to_vec()));
    cases.push((Body::Shared(long.clone().into()), long.clone()));
    cases.push((part(0, 10), b"0123456789".to_vec()));
    cases.push((part(3, 4), b"3456".to_vec()));
    cases.push((part(3, 0), b"".to_vec()));
    let parts = vec![
        Body::Bytes(b"--a\r\n".to_vec()),
        part(1, 2),
        Body::Shared(long.clone().into()),
        Body::Bytes(b"--a--".to_vec()),
        Body::Parts(vec![Body::Empty, part(9, 1)]),
    ];
    cases.push((
        Body::Parts(parts),
        [b"--a\r\n12", &long[..], b"--a--9"].concat(),
    ));
    for (number, (body, content)) in cases.into_iter().enumerate() {
        let len = content.len() as u64;
        assert_eq!((body.len(), body.is_empty()), (len, len == 0));
        let given = give(Get11, |reply| {
            reply.respond(Response {
                head: ResponseHead::new(StatusCode::OK),
                body,
                reason: None,
            });
        });
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
        let expected = Given {
            wire: [head.as_bytes(), &content].concat(),
            closes: false,
            body_len: len,
        };
        assert!(given == expected, "case {number}");
    }
}

#[test]
fn a_body_is_left_out_where_there_may_be_none() {
    for (from, status, expected) in [
        (Head11, 200, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (Get11, 304, "HTTP/1.1 304 Not Modified\r\n\r\n"),
        (Get11, 204, "HTTP/1.1 204 No Content\r\n\r\n"),
    ] {
        let given = give(from, |reply| {
            reply.respond(Response {
                head: ResponseHead::new(StatusCode::new(status).unwrap()),
                body: Body::Bytes(b"hello".to_vec()),
                reason: Some(Reason::FileNotFound),
            });
        });
        assert_eq!(String::from_utf8(given.wire).unwrap(), expected);
        assert_eq!((given.closes, given.body_len), (false, 0));
    }
}
