use super::*;
use crate::proto::fastcgi::params::{Pair, decode_pairs, encode_pair};

/// Type, id, content and padding of each record, read without what is tested here.
fn records(mut bytes: &[u8]) -> Vec<(u8, u16, &[u8], &[u8])> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_at(8);
        assert_eq!((header[0], header[7]), (1, 0));
        let request_id = u16::from_be_bytes([header[2], header[3]]);
        let content_len = u16::from_be_bytes([header[4], header[5]]);
        let (content, rest) = rest.split_at(content_len.into());
        let (padding, rest) = rest.split_at(header[6].into());
        records.push((header[1], request_id, content, padding));
        bytes = rest;
    }
    records
}

/// The content of one whole stream, whose records are aligned, of id 1, and full but for the last.
fn stream(record_type: u8, bytes: &[u8], full: usize) -> Vec<u8> {
    let records = records(bytes);
    let (&(_, _, end, _), parts) = records.split_last().unwrap();
    assert_eq!(end, b"", "the end of the stream");
    for (place, &(found, request_id, content, padding)) in records.iter().enumerate() {
        assert_eq!((found, request_id), (record_type, 1));
        assert!(padding.len() < 8 && padding.iter().all(|&byte| byte == 0));
        assert_eq!((content.len() + padding.len()) % 8, 0);
        assert!(content.len() == full || place + 1 >= parts.len());
        assert_eq!(content.is_empty(), place == parts.len());
    }
    let parts: Vec<&[u8]> = parts.iter().map(|record| record.2).collect();
    parts.concat()
}

fn begun(pairs: &[Pair<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let params = pairs.iter().copied();
    encode_begin(&mut out, Role::Responder, KeepConn::Close, params);
    out
}

/// The pairs as a stream that no record cuts.
fn encoded(pairs: &[Pair<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        encode_pair(&mut out, name, value);
    }
    out
}

/// The length of what BEGIN_REQUEST takes.
const BEGIN_LEN: usize = 16;

#[test]
fn the_examples_of_the_specification() {
    let pairs: [Pair<'_>; 2] = [(b"SERVER_PORT", b"80"), (b"SERVER_ADDR", b"199.170.183.42")];
    let mut out = begun(&pairs);
    out.extend(encode_stdin_header(0));
    let without_body = [
        &b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0"[..],
        b"\x01\x04\0\x01\0\x2a\x06\0\x0b\x02SERVER_PORT80\x0b\x0eSERVER_ADDR199.170.183.42",
        b"\0\0\0\0\0\0",
        b"\x01\x04\0\x01\0\0\0\0",
        b"\x01\x05\0\x01\0\0\0\0",
    ]
    .concat();
    assert_eq!(out, without_body, "{}", out.escape_ascii());

    let mut out = Vec::new();
    encode_stdin(&mut out, b"quantity=100&item=3047936");
    out.extend(encode_stdin_header(0));
    let body = [
        &b"\x01\x05\0\x01\0\x19\x07\0quantity=100&item=3047936\0\0\0\0\0\0\0"[..],
        b"\x01\x05\0\x01\0\0\0\0",
    ]
    .concat();
    assert_eq!(out, body, "{}", out.escape_ascii());
}

#[test]
fn roles_and_who_closes() {
    for (role, keep, expected) in [
        (Role::Responder, KeepConn::Close, [0, 1, 0]),
        (Role::Responder, KeepConn::Keep, [0, 1, 1]),
        (Role::Authorizer, KeepConn::Close, [0, 2, 0]),
        (Role::Filter, KeepConn::Keep, [0, 3, 1]),
    ] {
        let mut out = b"before".to_vec();
        encode_begin(&mut out, role, keep, [].into_iter());
        let begin = [&b"\x01\x01\0\x01\0\x08\0\0"[..], &expected, &[0; 5]].concat();
        let no_params = b"\x01\x04\0\x01\0\0\0\0";
        assert_eq!(out, [b"before", &begin[..], no_params].concat());
    }
}

#[test]
fn a_stream_is_split_wherever_a_record_is_full() {
    // A name and value with lengths of four bytes, so that the border falls into each part in turn.
    let (name, value) = ([b'N'; 128], [b'v'; 130]);
    let pair_len = encoded(&[(&name, &value)]).len();
    for before in CONTENT_MAX - pair_len - 2..=CONTENT_MAX + 1 {
        let filler = vec![b'x'; before - encoded(&[(b"", &[b'x'; 128])]).len() + 128];
        let pairs: [Pair<'_>; 3] = [(b"", &filler), (&name, &value), (b"LAST", b"")];
        let whole = encoded(&pairs);
        assert_eq!(whole.len(), before + pair_len + 6);

        let out = begun(&pairs);
        let content = stream(RecordType::Params.into(), &out[BEGIN_LEN..], CONTENT_MAX);
        assert!(content == whole, "{before} bytes before");
        assert_eq!(decode_pairs(&content), Ok(pairs.to_vec()));
        let expected = whole.len().div_ceil(CONTENT_MAX) + 1;
        assert_eq!(records(&out[BEGIN_LEN..]).len(), expected);
    }
}

#[test]
fn values_longer_than_a_record() {
    let great = vec![b'v'; 200 * 1024];
    let rows: [&[Pair<'_>]; 3] = [
        &[(b"GREAT", &great)],
        &[(&great, b"name")],
        &[
            (b"A", b"b"),
            (b"GREAT", &great),
            (&great, &great),
            (b"C", b"d"),
        ],
    ];
    for pairs in rows {
        let out = begun(pairs);
        let content = stream(RecordType::Params.into(), &out[BEGIN_LEN..], CONTENT_MAX);
        assert!(decode_pairs(&content).unwrap() == pairs);
    }
}

#[test]
fn a_stream_that_fills_its_records() {
    for count in 1..=2 {
        let filler = vec![b'x'; count * CONTENT_MAX - 5];
        let out = begun(&[(b"", &filler)]);
        let lens: Vec<_> = records(&out[BEGIN_LEN..])
            .iter()
            .map(|record| (record.2.len(), record.3.len()))
            .collect();
        let mut expected = vec![(CONTENT_MAX, 1); count];
        expected.push((0, 0));
        assert_eq!(lens, expected);
    }
}

#[test]
fn bodies() {
    assert_eq!(STDIN_STEP, 65_528);
    let body: Vec<u8> = (0..=u8::MAX).cycle().take(3 * STDIN_STEP + 5).collect();
    for len in [
        0,
        1,
        7,
        8,
        9,
        4096,
        STDIN_STEP - 1,
        STDIN_STEP,
        STDIN_STEP + 1,
        body.len(),
    ] {
        let mut out = Vec::new();
        encode_stdin(&mut out, &body[..len]);
        assert_eq!(records(&out).len(), len.div_ceil(STDIN_STEP));
        out.extend(encode_stdin_header(0));
        let content = stream(RecordType::Stdin.into(), &out, STDIN_STEP);
        assert!(content == body[..len], "{len} bytes");
    }
}

#[test]
fn headers_of_what_follows_from_elsewhere() {
    for (len, expected) in [
        (0, [1, 5, 0, 1, 0, 0, 0, 0]),
        (1, [1, 5, 0, 1, 0, 1, 0, 0]),
        (0x1234, [1, 5, 0, 1, 0x12, 0x34, 0, 0]),
        (STDIN_STEP, [1, 5, 0, 1, 0xff, 0xf8, 0, 0]),
    ] {
        assert_eq!(encode_stdin_header(len), expected);
    }
}

#[test]
fn the_answer_to_an_unknown_type() {
    for record_type in [0, 12, 0xff] {
        let mut out = b"before".to_vec();
        encode_unknown_type(&mut out, record_type);
        let (header, body) = (
            b"\x01\x0b\0\0\0\x08\0\0",
            [record_type, 0, 0, 0, 0, 0, 0, 0],
        );
        assert_eq!(out, [b"before", &header[..], &body].concat());
    }
}
