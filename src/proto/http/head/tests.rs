use super::*;
use crate::proto::testing::{Case, check_parse, check_split, complete, request_head};

/// What a request line and header section say, in a form that tables can spell.
type Said = (String, Version, Vec<(String, Vec<u8>)>);

fn said(head: &RequestHead) -> Said {
    let target = String::from_utf8(head.target().to_vec()).unwrap();
    let fields = head
        .field_lines()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    (
        format!("{} {target}", head.method()),
        head.version(),
        fields.collect(),
    )
}

fn parse_within(input: &[u8], limits: &HeadLimits) -> Result<Parsed<Said>, Reason> {
    let mut head = RequestHead::default();
    let parsed = head.parse(input, limits);
    if !matches!(parsed, Ok(Parsed::Complete { .. })) {
        assert_eq!(head.bytes(), b"");
        assert_eq!(said(&head), (" ".to_owned(), Version::Http10, Vec::new()));
    }
    match parsed? {
        Parsed::Complete { used, .. } => complete(said(&head), used),
        Parsed::Partial => Ok(Parsed::Partial),
    }
}

fn parse(input: &[u8]) -> Result<Parsed<Said>, Reason> {
    parse_within(input, &HeadLimits::default())
}

#[test]
fn what_is_taken() {
    use Version::{Http10, Http11};
    type Row<'a> = (
        &'a str,
        &'a [u8],
        &'a str,
        Version,
        &'a [(&'a str, &'a [u8])],
    );
    let rows: &[Row<'_>] = &[
        ("no fields", b"GET / HTTP/1.0\r\n\r\n", "GET /", Http10, &[]),
        (
            "fields in order, in their spelling",
            b"GET /a?b#c HTTP/1.1\r\nHost: h\r\naCCept: */*\r\nX: 1\r\nx: 2\r\n\r\n",
            "GET /a?b#c",
            Http11,
            &[("Host", b"h"), ("aCCept", b"*/*"), ("X", b"1"), ("x", b"2")],
        ),
        (
            "whitespace around a value, and in it",
            b"GET / HTTP/1.1\r\nA:b\r\nC: \t d  e\t\t \r\n\r\n",
            "GET /",
            Http11,
            &[("A", b"b"), ("C", b"d  e")],
        ),
        (
            "empty values",
            b"GET / HTTP/1.1\r\nA:\r\nB: \t\r\nC: c\r\n\r\n",
            "GET /",
            Http11,
            &[("A", b""), ("B", b""), ("C", b"c")],
        ),
        (
            "opaque bytes in a value",
            b"GET / HTTP/1.1\r\nA: \x80\xc3\xa9\xff\r\n\r\n",
            "GET /",
            Http11,
            &[("A", b"\x80\xc3\xa9\xff")],
        ),
        (
            "a colon in a value",
            b"GET / HTTP/1.1\r\nA::b:\r\n\r\n",
            "GET /",
            Http11,
            &[("A", b":b:")],
        ),
        (
            "any token is a method",
            b"a!#$%&'*+-.^_`|~9 * HTTP/1.1\r\n\r\n",
            "a!#$%&'*+-.^_`|~9 *",
            Http11,
            &[],
        ),
        (
            "any visible target",
            b"GET !\"<>[\\]^`{|}~ HTTP/1.1\r\n\r\n",
            "GET !\"<>[\\]^`{|}~",
            Http11,
            &[],
        ),
        (
            "an empty line before",
            b"\r\nGET / HTTP/1.1\r\n\r\n",
            "GET /",
            Http11,
            &[],
        ),
        (
            "two empty lines before",
            b"\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n",
            "GET /",
            Http11,
            &[("A", b"b")],
        ),
        (
            "a later minor version",
            b"GET /HTTP/1.3 HTTP/1.2\r\nA: b\r\n\r\n",
            "GET /HTTP/1.3",
            Http11,
            &[("A", b"b")],
        ),
        (
            "the last minor version",
            b"\r\nGET / HTTP/1.9\r\n\r\n",
            "GET /",
            Http11,
            &[],
        ),
    ];
    let cases: Vec<Case<'_, Said>> = rows
        .iter()
        .map(|&(what, input, line, version, fields)| {
            let fields = fields
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_vec()));
            (
                what,
                input,
                complete((line.to_owned(), version, fields.collect()), input.len()),
            )
        })
        .collect();
    check_parse(&cases, parse);
}

#[test]
fn what_is_refused() {
    use Reason::{
        HeadControlByte, HeadFieldName, HeadFolded, HeadMalformed, HeadTooManyFields, HeadVersion,
    };
    let request_lines: &[(&str, &[u8], Reason)] = &[
        (
            "three empty lines",
            b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "an empty line of LF",
            b"\nGET / HTTP/1.1\r\n\r\n",
            HeadControlByte,
        ),
        (
            "a second empty line of LF",
            b"\r\n\nGET / HTTP/1.1\r\n\r\n",
            HeadControlByte,
        ),
        (
            "bare CR before the request line",
            b"\rGET / HTTP/1.1\r\n\r\n",
            HeadControlByte,
        ),
        (
            "space before the method",
            b" GET / HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "a method that is no token",
            b"G@T / HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "an empty method",
            b"(GET) / HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "an opaque byte in the method",
            b"G\xc3\xa9T / HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "NUL in the method",
            b"GE\0T / HTTP/1.1\r\n\r\n",
            HeadControlByte,
        ),
        (
            "a TLS handshake",
            b"\x16\x03\x01\x02\0\x01",
            HeadControlByte,
        ),
        (
            "a tab after the method",
            b"GET\t/ HTTP/1.1\r\n\r\n",
            HeadControlByte,
        ),
        ("a method alone", b"GET\r\n\r\n", HeadMalformed),
        (
            "two spaces before the target",
            b"GET  / HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        ("no target", b"GET HTTP/1.1\r\n\r\n", HeadMalformed),
        ("an empty target", b"GET \r\n\r\n", HeadMalformed),
        (
            "NUL in the target",
            b"GET /\0 HTTP/1.1\r\n\r\n",
            HeadControlByte,
        ),
        (
            "DEL in the target",
            b"GET /\x7f HTTP/1.1\r\n\r\n",
            HeadControlByte,
        ),
        (
            "UTF-8 in the target",
            b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "Latin-1 in the target",
            b"GET /\xe9 HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "a space in the target",
            b"GET /a b HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "two spaces before the version",
            b"GET /  HTTP/1.1\r\n\r\n",
            HeadMalformed,
        ),
        ("HTTP/0.9", b"GET /\r\n", HeadMalformed),
        ("HTTP/0.9 with LF", b"GET /\n", HeadControlByte),
        (
            "the version of 0.9 spelt out",
            b"GET / HTTP/0.9\r\n\r\n",
            HeadVersion,
        ),
        ("HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HeadVersion),
        (
            "a version of small letters",
            b"GET / http/1.1\r\n\r\n",
            HeadMalformed,
        ),
        ("another protocol", b"GET / ICY/1.1\r\n\r\n", HeadMalformed),
        ("no minor version", b"GET / HTTP/1\r\n\r\n", HeadMalformed),
        (
            "a minor version of two digits",
            b"GET / HTTP/1.10\r\n\r\n",
            HeadMalformed,
        ),
        (
            "a minor version with a sign",
            b"GET / HTTP/1.+1\r\n\r\n",
            HeadMalformed,
        ),
        (
            "a space after the version",
            b"GET / HTTP/1.1 \r\n\r\n",
            HeadMalformed,
        ),
        (
            "a tab after the version",
            b"GET / HTTP/1.1\t\r\n\r\n",
            HeadControlByte,
        ),
        (
            "a request line ended by LF",
            b"GET / HTTP/1.1\nA: b\r\n\r\n",
            HeadControlByte,
        ),
        (
            "a request line ended by LF, no fields",
            b"GET / HTTP/1.1\n\r\n",
            HeadControlByte,
        ),
        (
            "a request line ended by CR",
            b"GET / HTTP/1.1\rA: b\r\n\r\n",
            HeadControlByte,
        ),
        (
            "a request line ended by CR CR LF",
            b"GET / HTTP/1.1\r\r\n\r\n",
            HeadControlByte,
        ),
        (
            "a later minor version ended by LF",
            b"GET / HTTP/1.2\n\r\n",
            HeadControlByte,
        ),
    ];
    let fields: &[(&str, &[u8], Reason)] = &[
        (
            "space before the first field",
            b" A: b\r\n\r\n",
            HeadMalformed,
        ),
        (
            "tab before the first field",
            b"\tA: b\r\n\r\n",
            HeadMalformed,
        ),
        ("obs-fold by space", b"A: b\r\n c\r\n\r\n", HeadFolded),
        ("obs-fold by tab", b"A: b\r\n\tc\r\n\r\n", HeadFolded),
        (
            "obs-fold of an empty value",
            b"A:\r\n b\r\n\r\n",
            HeadFolded,
        ),
        ("obs-fold of nothing", b"A: b\r\n \r\n\r\n", HeadFolded),
        ("space before the colon", b"A : b\r\n\r\n", HeadFieldName),
        (
            "tab before the colon",
            b"Content-Length\t: 5\r\n\r\n",
            HeadFieldName,
        ),
        ("an empty name", b": b\r\n\r\n", HeadFieldName),
        ("space in a name", b"A b: c\r\n\r\n", HeadFieldName),
        ("a name that is no token", b"A(b): c\r\n\r\n", HeadFieldName),
        (
            "an opaque byte in a name",
            b"A\xe9: c\r\n\r\n",
            HeadFieldName,
        ),
        (
            "a name that begins with an opaque byte",
            b"\xe9: c\r\n\r\n",
            HeadFieldName,
        ),
        ("NUL in a name", b"A\0: c\r\n\r\n", HeadControlByte),
        ("CR in a name", b"A\r: c\r\n\r\n", HeadMalformed),
        ("a line without a colon", b"A\r\n\r\n", HeadMalformed),
        ("a line of LF without a colon", b"A\n\r\n", HeadControlByte),
        ("NUL in a value", b"A: b\0c\r\n\r\n", HeadControlByte),
        ("NUL before a value", b"A:\0\r\n\r\n", HeadControlByte),
        ("ESC in a value", b"A: \x1b[2J\r\n\r\n", HeadControlByte),
        ("DEL in a value", b"A: b\x7f\r\n\r\n", HeadControlByte),
        ("bare CR in a value", b"A: b\rc\r\n\r\n", HeadControlByte),
        (
            "bare CR before a field",
            b"A: b\rTransfer-Encoding: chunked\r\n\r\n",
            HeadControlByte,
        ),
        ("CR CR LF", b"A: b\r\r\n\r\n", HeadControlByte),
        (
            "a field ended by LF",
            b"A: b\nC: d\r\n\r\n",
            HeadControlByte,
        ),
        (
            "an empty field ended by LF",
            b"A:\nC: d\r\n\r\n",
            HeadControlByte,
        ),
        ("the last field ended by LF", b"A: b\n\r\n", HeadControlByte),
        ("an empty line of LF", b"A: b\r\n\n", HeadControlByte),
        ("LF alone all over", b"A: b\nC: d\n\n", HeadControlByte),
        (
            "an empty line of CR",
            b"A: b\r\n\rC: d\r\n\r\n",
            HeadControlByte,
        ),
        (
            "more fields than permitted",
            b"A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\n",
            HeadTooManyFields,
        ),
    ];
    let fields: Vec<_> = fields
        .iter()
        .map(|&(what, input, reason)| (what, [b"GET / HTTP/1.1\r\n", input].concat(), reason))
        .collect();
    let cases: Vec<Case<'_, Said>> = request_lines
        .iter()
        .map(|&(what, input, reason)| (what, input, Err(reason)))
        .chain(
            fields
                .iter()
                .map(|(what, input, reason)| (*what, &input[..], Err(*reason))),
        )
        .collect();
    let limits = HeadLimits {
        max_fields: 3,
        ..HeadLimits::default()
    };
    check_parse(&cases, |input| parse_within(input, &limits));
}

#[test]
fn a_fault_is_refused_at_its_first_byte() {
    let cases: &[(&[u8], Reason)] = &[
        (b"\r\n\r\n\r", Reason::HeadMalformed),
        (b"G@", Reason::HeadMalformed),
        (b"GET  ", Reason::HeadMalformed),
        (b"GET /\x80", Reason::HeadMalformed),
        (b"GET /\r", Reason::HeadMalformed),
        (b"GET / X", Reason::HeadMalformed),
        (b"GET / HTTP/2", Reason::HeadVersion),
        (b"GET / HTTP/1.1\n", Reason::HeadControlByte),
        (b"GET / HTTP/1.1\r\n ", Reason::HeadMalformed),
        (b"GET / HTTP/1.1\r\nA ", Reason::HeadFieldName),
        (b"GET / HTTP/1.1\r\nA: b\n", Reason::HeadControlByte),
        (b"GET / HTTP/1.1\r\nA: b\rC", Reason::HeadControlByte),
        (b"GET / HTTP/1.1\r\nA: b\r\n\t", Reason::HeadFolded),
    ];
    for (input, reason) in cases {
        let (_, before) = input.split_last().unwrap();
        assert_eq!(
            parse(before),
            Ok(Parsed::Partial),
            "{}",
            input.escape_ascii()
        );
        assert_eq!(parse(input), Err(*reason), "{}", input.escape_ascii());
    }
}

#[test]
fn a_head_has_to_end_within_its_length() {
    let whole = b"GET /abcdefgh HTTP/1.1\r\nA: b\r\n\r\n";
    for max_len in 0..=whole.len() {
        let limits = HeadLimits {
            max_len,
            ..HeadLimits::default()
        };
        let verdict = parse_within(whole, &limits);
        match max_len {
            0..24 => assert_eq!(verdict, Err(Reason::HeadTargetTooLong), "{max_len}"),
            24..32 => assert_eq!(verdict, Err(Reason::HeadTooLong), "{max_len}"),
            _ => assert!(
                matches!(verdict, Ok(Parsed::Complete { used: 32, .. })),
                "{max_len}"
            ),
        }
        check_split("a short limit", whole, |input| parse_within(input, &limits));
    }

    let limits = HeadLimits {
        max_len: 64,
        ..HeadLimits::default()
    };
    for (what, endless, byte) in [
        ("method", &b"A"[..], b'A'),
        ("target", b"GET /", b'a'),
        ("name", b"GET / HTTP/1.1\r\nA", b'a'),
        ("value", b"GET / HTTP/1.1\r\nA:", b' '),
    ] {
        let mut input = endless.to_vec();
        input.resize(63, byte);
        assert_eq!(parse_within(&input, &limits), Ok(Parsed::Partial), "{what}");
        input.push(byte);
        let reason = match what {
            "method" | "target" => Reason::HeadTargetTooLong,
            _ => Reason::HeadTooLong,
        };
        assert_eq!(parse_within(&input, &limits), Err(reason), "{what}");
        check_split(what, &input, |input| parse_within(input, &limits));
    }
}

#[test]
fn a_hundred_fields_fit_and_no_more() {
    let head = |fields| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(fields));
    assert_eq!(request_head(head(100)).field_lines().count(), 100);
    assert_eq!(parse(head(101).as_bytes()), Err(Reason::HeadTooManyFields));

    let generous = HeadLimits {
        max_fields: 1000,
        ..HeadLimits::default()
    };
    assert_eq!(
        parse_within(head(101).as_bytes(), &generous),
        Err(Reason::HeadTooManyFields)
    );
    let none = HeadLimits {
        max_fields: 0,
        ..HeadLimits::default()
    };
    assert!(matches!(
        parse_within(head(0).as_bytes(), &none),
        Ok(Parsed::Complete { .. })
    ));
    assert_eq!(
        parse_within(head(1).as_bytes(), &none),
        Err(Reason::HeadTooManyFields)
    );
}

/// httparse looks at many bytes at a time where it can, so every byte is tried at every distance
/// from the ends of a long target, name and value.
#[test]
fn every_byte_is_judged_alike_wherever_it_stands() {
    let sample = format!(
        "GET /{} HTTP/1.1\r\n{}: {}\r\n\r\n",
        "t".repeat(70),
        "n".repeat(70),
        "v".repeat(70)
    );
    for at in 0..sample.len() {
        for byte in 0..=u8::MAX {
            let mut input = sample.clone().into_bytes();
            input[at] = byte;
            let closely = Place::reached(&input, MOST_FIELDS).map(|place| match place {
                Place::Fields(FieldSection::End) => true,
                place => panic!("{place:?}: {}", input.escape_ascii()),
            });
            let taken = parse(&input).map(|parsed| matches!(parsed, Parsed::Complete { .. }));
            assert_eq!(taken, closely, "{}", input.escape_ascii());
        }
    }
}

#[test]
fn no_change_of_a_byte_makes_the_verdict_depend_on_the_split() {
    let sample = b"\r\nGET /a HTTP/1.1\r\nHost: h\r\nA:\t\r\n\r\n";
    let telling = b"\0\t\n\x0b\r\x1b !\"+/012:;AHz\x7f\x80\xc3\xff";
    for at in 0..sample.len() {
        for &byte in telling {
            let mut replaced = sample.to_vec();
            replaced[at] = byte;
            check_split("replaced", &replaced, parse);
            let mut inserted = sample.to_vec();
            inserted.insert(at, byte);
            check_split("inserted", &inserted, parse);
        }
        let mut removed = sample.to_vec();
        removed.remove(at);
        check_split("removed", &removed, parse);
    }
}

#[test]
fn fields_are_found_by_name_in_any_case() {
    let head =
        request_head("GET / HTTP/1.1\r\nAccept: a\r\nX: 0\r\nACCEPT: b\r\nAccept-X: c\r\n\r\n");
    assert_eq!(head.field("accept"), Some(&b"a"[..]));
    assert_eq!(
        head.field_values("aCCEPT").collect::<Vec<_>>(),
        [b"a", b"b"]
    );
    assert_eq!(head.field("Acc"), None);
    assert_eq!(head.field(""), None);
}

#[test]
fn a_head_is_kept_as_it_was_sent() {
    let head = request_head("\r\n\r\nGET /a HTTP/1.7\r\nA:  b \r\n\r\nbody");
    assert_eq!(head.bytes(), b"GET /a HTTP/1.7\r\nA:  b \r\n\r\n");
    assert_eq!(head.request_line(), b"GET /a HTTP/1.7");
    assert_eq!(head.version().as_str(), "HTTP/1.1");
    assert_eq!(
        request_head("GET / HTTP/1.0\r\n\r\n").version().as_str(),
        "HTTP/1.0"
    );
    assert_eq!(RequestHead::default().request_line(), b"");
}

#[test]
fn a_refilled_head_forgets_the_last_one_and_allocates_nothing() {
    let mut head = request_head("POST /long/target HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n");
    let buffers = (head.bytes.as_ptr(), head.fields.as_ptr());
    let limits = HeadLimits::default();
    assert!(
        head.parse(b"GET / HTTP/1.0\r\nE: f\r\n\r\n", &limits)
            .is_ok()
    );
    assert_eq!(
        said(&head),
        (
            "GET /".to_owned(),
            Version::Http10,
            vec![("E".to_owned(), b"f".to_vec())]
        )
    );
    assert_eq!((head.bytes.as_ptr(), head.fields.as_ptr()), buffers);

    assert_eq!(head.parse(b"GET", &limits), Ok(Parsed::Partial));
    assert_eq!((head.method(), head.field("E")), ("", None));
}
