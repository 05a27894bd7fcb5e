use super::*;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

fn encoded(head: &ResponseHead, plan: BodyPlan, connection: Connection) -> Vec<u8> {
    let mut out = b"before".to_vec();
    encode_head(&mut out, head.as_head_ref(), plan, connection, DATE);
    out.strip_prefix(b"before").unwrap().to_vec()
}

#[test]
fn the_whole_head_in_order() {
    let mut head = ResponseHead::new(StatusCode::OK);
    head.field("Content-Type", "text/html; charset=utf-8");
    head.field("Set-Cookie", b"a=1");
    head.field("Set-Cookie", String::from("b=2"));
    let expected = format!(
        "HTTP/1.1 200 OK\r\nServer: {SERVER_SOFTWARE}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Content-Type: text/html; charset=utf-8\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
         Content-Length: 12\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(
        encoded(&head, BodyPlan::Length(12), Connection::Close),
        expected.as_bytes()
    );
}

#[test]
fn the_plan_and_the_connection_say_so() {
    use BodyPlan::*;
    use Connection::*;
    let cases: &[(BodyPlan, Connection, &str)] = &[
        (Empty, Keep, ""),
        (Omitted(None), Keep, ""),
        (Omitted(Some(7)), Keep, "Content-Length: 7\r\n"),
        (Length(0), Keep, "Content-Length: 0\r\n"),
        (
            Length(u64::MAX),
            Keep,
            "Content-Length: 18446744073709551615\r\n",
        ),
        (
            Length(10),
            KeepAlive,
            "Content-Length: 10\r\nConnection: keep-alive\r\n",
        ),
        (Chunked, Keep, "Transfer-Encoding: chunked\r\n"),
        (
            Chunked,
            Close,
            "Transfer-Encoding: chunked\r\nConnection: close\r\n",
        ),
        (UntilClose, Close, "Connection: close\r\n"),
    ];
    for (plan, connection, fields) in cases {
        let out = encoded(&ResponseHead::new(StatusCode::OK), *plan, *connection);
        let expected = [&DATE[..], b"\r\n", fields.as_bytes(), b"\r\n"].concat();
        assert!(out.ends_with(&expected), "{plan:?} {connection:?}");
    }
}

#[test]
fn the_plan_follows_status_method_version_and_length() {
    use BodyPlan::*;
    use Version::*;
    let cases: &[(&str, Version, u16, Option<u64>, BodyPlan)] = &[
        ("GET", Http11, 200, Some(3), Length(3)),
        ("GET", Http10, 200, Some(3), Length(3)),
        ("GET", Http11, 200, None, Chunked),
        ("GET", Http10, 200, None, UntilClose),
        ("POST", Http11, 404, Some(0), Length(0)),
        ("HEAD", Http11, 200, Some(3), Omitted(Some(3))),
        ("HEAD", Http10, 200, None, Omitted(None)),
        ("head", Http11, 200, Some(3), Length(3)), // methods are case-sensitive
        ("HEAD", Http11, 304, Some(3), Empty),
        ("HEAD", Http11, 204, None, Empty),
        ("GET", Http11, 304, Some(3), Empty),
        ("GET", Http10, 204, None, Empty),
        ("GET", Http11, 103, Some(3), Empty),
    ];
    for &(method, version, status, len, plan) in cases {
        let status = StatusCode::new_const(status);
        let planned = BodyPlan::for_response(method, version, status, len);
        assert_eq!(planned, plan, "{method} {version:?} {status} {len:?}");
        assert_eq!(planned.needs_close(), plan == UntilClose);
    }
}

#[test]
fn a_phrase_of_its_own_replaces_the_customary_one() {
    type Case<'a> = (u16, Option<&'a [u8]>, &'a [u8]);
    let cases: &[Case<'_>] = &[
        (404, None, b"HTTP/1.1 404 Not Found\r\nServer"),
        (
            404,
            Some(b"Gone Fishing"),
            b"HTTP/1.1 404 Gone Fishing\r\nServer",
        ),
        (404, Some(b""), b"HTTP/1.1 404 \r\nServer"),
        (299, None, b"HTTP/1.1 299 \r\nServer"),
        (
            200,
            Some(b"a\r\nSet-Cookie: b\0\x7f\tc\xfc"),
            b"HTTP/1.1 200 a  Set-Cookie: b  \tc\xfc\r\nServer",
        ),
    ];
    for (status, phrase, line) in cases {
        let mut head = ResponseHead::new(StatusCode::new_const(*status));
        head.phrase = phrase.map(<[u8]>::to_vec);
        let out = encoded(&head, BodyPlan::Length(0), Connection::Keep);
        assert!(out.starts_with(line), "{}", out.escape_ascii());
    }
}

#[test]
fn a_cached_block_is_encoded_as_the_head_it_came_from() {
    let mut head = ResponseHead::new(StatusCode::OK);
    head.field("ETag", "\"x\"");
    let mut from_block = Vec::new();
    let cached = HeadRef {
        status: StatusCode::OK,
        phrase: None,
        block: b"ETag: \"x\"\r\n",
    };
    encode_head(
        &mut from_block,
        cached,
        BodyPlan::Length(1),
        Connection::Keep,
        DATE,
    );
    assert_eq!(
        from_block,
        encoded(&head, BodyPlan::Length(1), Connection::Keep)
    );
}

/// Any two bytes, in a value or in a name, give at most the one field they were meant to give.
#[test]
fn no_byte_injects_a_field() {
    for pair in 0..=u16::MAX {
        let [a, b] = pair.to_be_bytes();
        let mut head = ResponseHead::new(StatusCode::OK);
        head.field("X", [b'v', a, b, b':', b'v']);
        if let Ok(name) = str::from_utf8(&[a, b]) {
            head.field(name, "v");
        }
        let out = encoded(&head, BodyPlan::Length(0), Connection::Keep);

        let name_is_token = is_tchar(a) && is_tchar(b);
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let mut parsed = httparse::Response::new(&mut fields);
        assert_eq!(
            parsed.parse(&out),
            Ok(httparse::Status::Complete(out.len()))
        );
        let names: Vec<&str> = parsed.headers.iter().map(|field| field.name).collect();
        assert_eq!(names[..3], ["Server", "Date", "X"]);
        assert_eq!(names.len(), 4 + usize::from(name_is_token), "{names:?}");
        assert_eq!(*names.last().unwrap(), "Content-Length");
    }
}

#[test]
fn fields_of_the_connection_and_names_that_are_no_token_are_left_out() {
    let left_out = [
        "Connection",
        "content-length",
        "DATE",
        "Server",
        "transfer-Encoding",
        "",
        "a b",
        "a:",
        "ä",
        "a\r\nb",
    ];
    let mut head = ResponseHead::new(StatusCode::OK);
    for name in left_out {
        head.field(name, "1");
    }
    assert_eq!(head.block.escape_ascii().to_string(), "");
    head.field("Content-Lengths", "1");
    assert_eq!(head.block, b"Content-Lengths: 1\r\n");
}

#[test]
fn the_reserved_names_are_those_written() {
    let head = ResponseHead::new(StatusCode::OK);
    let length = encoded(&head, BodyPlan::Length(0), Connection::Close);
    let chunked = encoded(&head, BodyPlan::Chunked, Connection::Keep);
    let both = [length, chunked].concat();
    let mut written: Vec<&str> = str::from_utf8(&both)
        .unwrap()
        .lines()
        .filter_map(|line| Some(line.split_once(": ")?.0))
        .collect();
    written.sort_unstable();
    written.dedup();
    assert_eq!(written, RESERVED);
}
