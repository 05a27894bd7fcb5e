//! Headers that are none, or wrong.

use super::*;

#[test]
fn output_that_does_not_begin_with_a_header() {
    let cases: &[(&str, Bytes)] = &[
        ("a document", b"<"),
        ("a sentence", b"Hello "),
        ("a word and the end of its line", b"Hello\n"),
        ("a word and CR LF", b"Hello\r\n"),
        ("a blank line", b"\n"),
        ("a blank line by CR LF", b"\r\n"),
        ("a bare CR", b"\rA"),
        ("a status line", b"HTTP/"),
        ("a byte order mark", b"\xef"),
        ("a NUL", b"\0"),
        ("an empty name", b":"),
        ("a space before the colon", b"Content-Type "),
        ("a space before the name", b" "),
        ("a parenthesis", b"print("),
    ];
    for (description, output) in cases {
        assert_eq!(refusal(output), Some(Reason::CgiNoHeader), "{description}");
        let before = &output[..output.len() - 1];
        assert_eq!(
            parse(before, MAX_LEN),
            Ok(Parsed::Partial),
            "{description}: refused too early"
        );
    }
}

#[test]
fn malformed_headers_are_refused_at_the_first_wrong_byte() {
    let cases: &[(&str, Bytes)] = &[
        ("a later line without a colon", b"A: 1\nHello\n"),
        ("a sentence on a later line", b"A: 1\nHello "),
        ("a document right after the fields", b"A: 1\n<"),
        ("a continued line", b"A: 1\n "),
        ("a line continued by a tab", b"A: 1\r\n\t"),
        ("a space before the colon", b"A: 1\nB "),
        ("an empty name", b"A: 1\n:"),
        ("a NUL in a value", b"A: 1\0"),
        ("a NUL in a name", b"A: 1\nB\0"),
        ("an escape character", b"A: \x1b"),
        ("a DEL", b"A: \x7f"),
        ("a bare CR in a value", b"A: 1\rB"),
        ("two CR", b"A: 1\r\r"),
        ("a bare CR in a name", b"A: 1\nB\rC"),
        ("a bare CR before a line", b"A: 1\n\rB"),
        ("two types", b"Content-Type: a/b\ncontent-type: a/b\n"),
        ("two locations", b"Location: /a\nLOCATION: /b\n"),
        ("two Status fields", b"Status: 200\nStatus: 200\n"),
        ("two files", b"X-Sendfile: /a\nx-sendfile: /a\n"),
        (
            "two URLs of files",
            b"X-Accel-Redirect: /a\nX-Accel-Redirect: /b\n",
        ),
        (
            "a file and a URL",
            b"X-Sendfile: /a\nX-Accel-Redirect: /a\n",
        ),
        (
            "a URL and a file",
            b"X-Accel-Redirect: /a\nX-Sendfile: /a\n",
        ),
    ];
    for (description, output) in cases {
        assert_eq!(
            refusal(output),
            Some(Reason::CgiHeaderMalformed),
            "{description}"
        );
        let before = &output[..output.len() - 1];
        assert_eq!(
            parse(before, MAX_LEN),
            Ok(Parsed::Partial),
            "{description}: refused too early"
        );
    }
}

#[test]
fn locations_that_are_refused() {
    for location in ["/a\tb", "http://www.example/\tx"] {
        let output = format!("Location: {location}\n");
        assert_eq!(
            refusal(output.as_bytes()),
            Some(Reason::CgiLocation),
            "{location}"
        );
    }
}

/// What a program prints that puts a client's text into its header unexamined.
#[test]
fn header_injection() {
    let refused: &[(&str, Bytes)] = &[
        (
            "a field after a bare CR",
            b"Location: /a\rSet-Cookie: b=c\n\n",
        ),
        ("a field after the phrase", b"Status: 200 OK\rX: y\n\n"),
        (
            "a second length",
            b"Content-Length: 5\nX: y\r\nContent-Length: 0\n\n",
        ),
        (
            "a second type",
            b"Content-Type: a/b\nX: y\nContent-Type: text/html\n\n",
        ),
        ("a second status", b"Status: 302\nX: y\nStatus: 200\n\n"),
        ("a second response", b"X: y\nHTTP/1.1 200 OK\n\n"),
    ];
    for (description, output) in refused {
        assert_eq!(
            refusal(output),
            Some(Reason::CgiHeaderMalformed),
            "{description}"
        );
    }
}

#[test]
fn the_longest_header() {
    let header = b"A: 1\r\nB: 2\r\n\r\n";
    let len = header.len();
    assert_eq!(verdict(header, len).unwrap().unwrap().1, len);
    assert_eq!(verdict(header, len - 1), Err(Reason::CgiHeaderTooLong));
    assert_eq!(
        verdict(&[header, b"body".as_slice()].concat(), len)
            .unwrap()
            .unwrap()
            .1,
        len
    );

    assert_eq!(verdict(&[b'a'; MAX_LEN - 1], MAX_LEN), Ok(None));
    assert_eq!(refusal(&[b'a'; MAX_LEN]), Some(Reason::CgiNoHeader));
    assert_eq!(
        refusal(&[b"A:".as_slice(), &[b'a'; MAX_LEN]].concat()),
        Some(Reason::CgiHeaderTooLong)
    );
    assert_eq!(
        refusal(&b"A: 1\n".repeat(MAX_LEN)),
        Some(Reason::CgiHeaderTooLong)
    );
}

#[test]
fn programs_that_ended_too_early() {
    let cases: &[(Bytes, Reason)] = &[
        (b"", Reason::CgiNoOutput),
        (b"Hello", Reason::CgiNoHeader),
        (b"Content-Type", Reason::CgiNoHeader),
        (b"\r", Reason::CgiNoHeader),
        (b"Content-Type:", Reason::CgiHeaderCut),
        (b"Content-Type: text/html\n", Reason::CgiHeaderCut),
        (b"Content-Type: text/html\r\nSta", Reason::CgiHeaderCut),
        (b"Content-Type: text/html\r\n\r", Reason::CgiHeaderCut),
    ];
    for (output, reason) in cases {
        assert_eq!(
            parse(output, MAX_LEN),
            Ok(Parsed::Partial),
            "{}",
            text(output)
        );
        assert_eq!(ended(output), *reason, "{}", text(output));
    }
}
