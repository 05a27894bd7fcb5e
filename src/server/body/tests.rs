use super::*;
use crate::sys::spool::Content;
use crate::sys::testing::{TempDir, pattern};

const START: Moment = Moment(1_000);

fn room(max_disk: u64) -> (TempDir, Arc<Room>) {
    let folder = TempDir::new();
    let room = Arc::new(Room::new(folder.path(), max_disk));
    (folder, room)
}

fn state(framing: Framing, fate: Fate, max_body: u64, room: &Arc<Room>) -> Option<BodyState> {
    let wanted = Wanted {
        framing,
        expectation: Expectation::None,
        fate,
    };
    BodyState::new(wanted, max_body, room, START)
}

/// What came of feeding `input` in steps of `step` bytes, as a connection does: what was not used is
/// there again the next time.
fn feed(body: &mut BodyState, input: &[u8], step: usize) -> Result<String, Reason> {
    let mut consumed = 0;
    let mut end = 0;
    loop {
        match body.take(&input[consumed..end])? {
            Received::Some { used } => consumed += used,
            Received::All { used, spool } => {
                let rest = String::from_utf8_lossy(&input[consumed + used..]).into_owned();
                let kept = spool.map(|spool| match spool.content() {
                    Content::Memory(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                    Content::File(_) => format!("{} bytes on disk", spool.len()),
                });
                return Ok(format!("{} | {rest}", kept.as_deref().unwrap_or("dropped")));
            }
            Received::Enough => return Ok("enough".to_owned()),
        }
        if end == input.len() {
            return Ok("more".to_owned());
        }
        end = input.len().min(end + step);
    }
}

/// Framing, fate, --max-body, input and what came of it.
type Case<'c> = (Framing, Fate, u64, &'c str, Result<&'c str, Reason>);

#[test]
fn a_body_is_the_same_however_it_comes() {
    use Fate::{Dropped, Kept};
    use Framing::{Chunked, Length};
    let long = "x".repeat(DRAINED_MAX as usize + 1);
    let chunk = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let cases: [Case<'_>; 20] = [
        (Length(5), Kept, 9, "hello", Ok("hello | ")),
        (Length(5), Kept, 5, "helloGET /", Ok("hello | GET /")),
        (Length(0), Kept, 5, "GET /", Ok(" | GET /")),
        (Length(0), Kept, 5, "", Ok(" | ")),
        (Length(5), Kept, 9, "hell", Ok("more")),
        (Length(5), Dropped, 0, "helloGET /", Ok("dropped | GET /")),
        (Chunked, Kept, 9, "0\r\n\r\nGET /", Ok(" | GET /")),
        (
            Chunked,
            Kept,
            9,
            "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\nGET /",
            Ok("hello | GET /"),
        ),
        (
            Chunked,
            Kept,
            5,
            "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            Ok("hello | "),
        ),
        (Chunked, Kept, 9, "3\r\nhel\r\n2\r\nlo\r\n0\r\n", Ok("more")),
        (
            Chunked,
            Dropped,
            0,
            "3\r\nhel\r\n0\r\n\r\nGET /",
            Ok("dropped | GET /"),
        ),
        (
            Chunked,
            Kept,
            4,
            "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            Err(Reason::BodyTooLong),
        ),
        // As soon as a size says so.
        (Chunked, Kept, 9, "a\r\n", Err(Reason::BodyTooLong)),
        (
            Chunked,
            Kept,
            9,
            "1\r\nx\r\nffffffffffffffff\r\n",
            Err(Reason::BodyTooLong),
        ),
        (Chunked, Dropped, 0, "10001\r\n", Ok("enough")),
        (Chunked, Kept, 9, "x\r\n", Err(Reason::FramingChunkSize)),
        (Chunked, Kept, 9, "1\nx", Err(Reason::FramingChunkLine)),
        (Chunked, Kept, 9, "1\r\nxy", Err(Reason::FramingChunkLine)),
        (Chunked, Dropped, 0, &chunk, Ok("enough")),
        (Length(DRAINED_MAX), Dropped, 0, &long, Ok("dropped | x")),
    ];
    let (_folder, room) = room(1 << 20);
    for (number, (framing, fate, max_body, input, expected)) in cases.into_iter().enumerate() {
        for step in [1, 2, 3, 7, 1_000, input.len().max(1)] {
            let mut body = state(framing, fate, max_body, &room).unwrap();
            let told = feed(&mut body, input.as_bytes(), step);
            assert_eq!(
                told.as_deref(),
                expected.as_ref().copied(),
                "case {number} by {step}"
            );
        }
    }
}

#[test]
fn what_is_not_worth_receiving_is_left_unread() {
    let (_folder, room) = room(0);
    use Expectation::{Continue, None as Nothing};
    use Fate::{Dropped, Kept};
    // (framing, fate, expectation, whether it is received)
    for (framing, fate, expectation, is_received) in [
        (Framing::None, Kept, Nothing, false),
        (Framing::None, Dropped, Nothing, false),
        (Framing::Length(1), Kept, Nothing, true),
        (Framing::Length(1), Kept, Continue, true),
        (Framing::Chunked, Kept, Continue, true),
        (Framing::Length(DRAINED_MAX), Dropped, Nothing, true),
        (Framing::Length(DRAINED_MAX + 1), Dropped, Nothing, false),
        (Framing::Chunked, Dropped, Nothing, true),
        // A client that asks first need not send a body that nobody wants.
        (Framing::Length(1), Dropped, Continue, false),
        (Framing::Chunked, Dropped, Continue, false),
    ] {
        let wanted = Wanted {
            framing,
            expectation,
            fate,
        };
        let body = BodyState::new(wanted, 100, &room, START);
        assert_eq!(body.is_some(), is_received, "{wanted:?}");
        if let Some(body) = body {
            assert_eq!(body.is_asked_for(), expectation == Continue);
            let mut out = b"earlier ".to_vec();
            body.ask(&mut out);
            assert_eq!(out, b"earlier HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
}

#[test]
fn a_body_past_the_room_is_refused() {
    let content = String::from_utf8(vec![b'x'; 300_000]).unwrap();
    let framing = Framing::Length(300_000);
    let (_folder, plenty) = room(1 << 20);
    let mut body = state(framing, Fate::Kept, 1 << 20, &plenty).unwrap();
    assert_eq!(
        feed(&mut body, content.as_bytes(), 10_000).as_deref(),
        Ok("300000 bytes on disk | ")
    );
    let (_other, little) = room(200_000);
    let mut body = state(framing, Fate::Kept, 1 << 20, &little).unwrap();
    assert_eq!(
        feed(&mut body, content.as_bytes(), 10_000),
        Err(Reason::SpoolFull)
    );
    let missing = Arc::new(Room::new(std::path::Path::new("/nowhere"), 1 << 20));
    let mut body = state(framing, Fate::Kept, 1 << 20, &missing).unwrap();
    assert_eq!(
        feed(&mut body, content.as_bytes(), 10_000),
        Err(Reason::SpoolFailed)
    );
}

#[test]
fn the_least_rate_counts_the_bytes_of_the_framing_too() {
    let (_folder, room) = room(0);
    let mut body = state(Framing::Chunked, Fate::Kept, 1 << 20, &room).unwrap();
    let first = START + BODY_WINDOW;
    assert_eq!(body.deadline(), first);
    let later = START + BODY_WINDOW / 2;
    body.take(b"1\r\nx\r\n").unwrap();
    assert_eq!(
        body.advance(later),
        first,
        "a byte now and then buys nothing"
    );
    for _ in 0..600 {
        body.take(b"1\r\nx\r\n").unwrap();
    }
    assert_eq!(body.advance(later), later + BODY_WINDOW);
}

#[test]
fn a_read_is_given_room_for_what_is_left() {
    let (_folder, room) = room(1 << 20);
    for (framing, len) in [
        (Framing::Length(1), 512),
        (Framing::Length(10_000), 10_000),
        (Framing::Length(1 << 40), READ_LEN),
        (Framing::Chunked, READ_LEN),
    ] {
        let mut body = state(framing, Fate::Kept, u64::MAX, &room).unwrap();
        assert_eq!(body.read_len(), len, "{framing:?}");
        if framing == Framing::Length(10_000) {
            body.take(&pattern(9_000)).unwrap();
            assert_eq!(body.read_len(), 1_000);
        }
    }
}
