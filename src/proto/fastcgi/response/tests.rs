use super::*;
use crate::proto::Parsed;
use crate::proto::fastcgi::record::{CONTENT_MAX, ProtocolStatus};
use crate::proto::testing::{Case, check_parse, complete};

const STDOUT: u8 = 6;
const STDERR: u8 = 7;

/// A record, built without what is tested here. Its padding looks like headers.
fn record(record_type: u8, request_id: u16, content: &[u8], padding_len: u8) -> Vec<u8> {
    let [id1, id0] = request_id.to_be_bytes();
    let [len1, len0] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = [1, record_type, id1, id0, len1, len0, padding_len, 0];
    let padding = [1, 3, 0, 1, 0].repeat(60);
    [&header, content, &padding[..padding_len.into()]].concat()
}

fn stdout(content: &[u8]) -> Vec<u8> {
    record(STDOUT, 1, content, 0)
}

fn stderr(content: &[u8]) -> Vec<u8> {
    record(STDERR, 1, content, 0)
}

fn end() -> Vec<u8> {
    record(3, 1, &[0; 8], 0)
}

const SUCCESS: EndRequest = EndRequest {
    app_status: 0,
    protocol_status: ProtocolStatus::RequestComplete,
};

/// What was told of a whole response; neighbouring parts of one stream are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Unknown(u8),
    End(EndRequest),
}

fn tell(told: &mut Vec<Told>, event: Event<'_>) {
    match (told.last_mut(), event) {
        (_, Event::Stdout(b"") | Event::Stderr(b"")) => panic!("an empty part"),
        (Some(Told::Stdout(so_far)), Event::Stdout(more))
        | (Some(Told::Stderr(so_far)), Event::Stderr(more)) => so_far.extend(more),
        (_, Event::Stdout(part)) => told.push(Told::Stdout(part.to_vec())),
        (_, Event::Stderr(part)) => told.push(Told::Stderr(part.to_vec())),
        (_, Event::UnknownManagement(record_type)) => told.push(Told::Unknown(record_type)),
        (_, Event::End(end)) => told.push(Told::End(end)),
    }
}

/// Decodes input that comes in these pieces, as far as the end.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Parsed<Vec<Told>>, Reason> {
    let mut decoder = ResponseDecoder::default();
    let (mut told, mut used) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = piece;
        loop {
            let event = decoder
                .next(&mut rest)
                .inspect_err(|reason| assert_stays(&mut decoder.clone(), *reason))?;
            let Some(event) = event else {
                assert_eq!(rest, b"", "all is used");
                break;
            };
            tell(&mut told, event);
            if matches!(event, Event::End(_)) {
                used += piece.len() - rest.len();
                assert_ended(&mut decoder);
                return complete(told, used);
            }
        }
        used += piece.len();
    }
    Ok(Parsed::Partial)
}

fn assert_stays(decoder: &mut ResponseDecoder, reason: Reason) {
    for mut more in [&b""[..], b"\x01", &end()] {
        // An empty input asks nothing once the request has ended.
        if !(more.is_empty() && matches!(decoder.place, Place::Ended)) {
            assert_eq!(decoder.next(&mut more), Err(reason));
        }
    }
}

fn assert_ended(decoder: &mut ResponseDecoder) {
    let mut nothing = &b""[..];
    assert_eq!(decoder.next(&mut nothing), Ok(None));
    for mut more in [&b"\0"[..], b"\x01", &stdout(b"more"), &end()] {
        assert_eq!(decoder.next(&mut more), Err(Reason::FastcgiEndRequest));
    }
    assert_eq!(decoder.next(&mut nothing), Ok(None));
}

fn check(cases: &[Case<'_, Vec<Told>>]) {
    for piece_len in [1, 2, 3, 7, usize::MAX] {
        check_parse(cases, |input| decode(input.chunks(piece_len)));
    }
    for (what, input, expected) in cases {
        for at in 0..=input.len() {
            let (start, rest) = input.split_at(at);
            assert_eq!(decode([start, rest].into_iter()), *expected, "{what}: {at}");
        }
    }
}

/// What a response is about, its records, and what is told of them.
type Row<'a> = (&'a str, &'a [Vec<u8>], &'a [Told]);

/// Checks responses that are whole at their last byte.
fn check_whole(rows: &[Row<'_>]) {
    let inputs: Vec<Vec<u8>> = rows
        .iter()
        .map(|(_, records, _)| records.concat())
        .collect();
    let cases: Vec<_> = rows
        .iter()
        .zip(&inputs)
        .map(|((what, _, told), input)| (*what, &input[..], complete(told.to_vec(), input.len())))
        .collect();
    check(&cases);
}

fn out(content: &[u8]) -> Told {
    Told::Stdout(content.to_vec())
}

fn err(content: &[u8]) -> Told {
    Told::Stderr(content.to_vec())
}

#[test]
fn the_examples_of_the_specification() {
    check(&[
        (
            "a success",
            b"\x01\x06\0\x01\0\x1f\x01\0Content-type: text/html\r\n\r\n<htm\0\
              \x01\x06\0\x01\0\0\0\0\
              \x01\x03\0\x01\0\x08\0\0\0\0\0\0\0\0\0\0",
            complete(
                vec![
                    out(b"Content-type: text/html\r\n\r\n<htm"),
                    Told::End(SUCCESS),
                ],
                40 + 8 + 16,
            ),
        ),
        (
            "an error, with a complaint amidst the output and a status of 938",
            b"\x01\x06\0\x01\0\x1e\0\0Content-type: text/html\r\n\r\n<ht\
              \x01\x07\0\x01\0\x1d\0\0config error: missing SI_UID\n\
              \x01\x06\0\x01\0\x0a\0\0ml>\n<head>\
              \x01\x06\0\x01\0\0\0\0\
              \x01\x07\0\x01\0\0\0\0\
              \x01\x03\0\x01\0\x08\0\0\0\0\x03\xaa\0\0\0\0",
            complete(
                vec![
                    out(b"Content-type: text/html\r\n\r\n<ht"),
                    err(b"config error: missing SI_UID\n"),
                    out(b"ml>\n<head>"),
                    Told::End(EndRequest {
                        app_status: 938,
                        ..SUCCESS
                    }),
                ],
                38 + 37 + 18 + 8 + 8 + 16,
            ),
        ),
    ]);
}

#[test]
fn streams() {
    check_whole(&[
        ("nothing", &[end()], &[Told::End(SUCCESS)]),
        (
            "no end of STDOUT, as PHP has it",
            &[stdout(b"out"), end()],
            &[out(b"out"), Told::End(SUCCESS)],
        ),
        (
            "one record of several",
            &[stdout(b"o"), stdout(b"u"), stdout(b"t"), stdout(b""), end()],
            &[out(b"out"), Told::End(SUCCESS)],
        ),
        (
            "complaints first",
            &[stderr(b"err"), stdout(b"out"), stdout(b""), end()],
            &[err(b"err"), out(b"out"), Told::End(SUCCESS)],
        ),
        (
            "in turns",
            &[
                stdout(b"a"),
                stderr(b"b"),
                stdout(b"c"),
                stderr(b"d"),
                end(),
            ],
            &[
                out(b"a"),
                err(b"b"),
                out(b"c"),
                err(b"d"),
                Told::End(SUCCESS),
            ],
        ),
        (
            "empty records alone",
            &[stdout(b""), stderr(b""), end()],
            &[Told::End(SUCCESS)],
        ),
        (
            "empty records before and between",
            &[
                stdout(b""),
                stdout(b"a"),
                stderr(b""),
                stdout(b""),
                stdout(b"b"),
                end(),
            ],
            &[out(b"ab"), Told::End(SUCCESS)],
        ),
        (
            "content that looks like records",
            &[stdout(&end()), stderr(&stdout(b"x")), end()],
            &[out(&end()), err(&stdout(b"x")), Told::End(SUCCESS)],
        ),
        (
            "reserved bytes",
            &[
                b"\x01\x06\0\x01\0\x01\0\xffa\x01\x03\0\x01\0\x08\0\xff\0\0\0\0\0\xff\xff\xff"
                    .to_vec(),
            ],
            &[out(b"a"), Told::End(SUCCESS)],
        ),
    ]);
}

#[test]
fn ends() {
    use ProtocolStatus::{CantMpxConn, Overloaded, RequestComplete, UnknownRole};
    for (protocol_status, app_status) in [
        (RequestComplete, 1),
        (RequestComplete, u32::MAX),
        (CantMpxConn, 0),
        (Overloaded, 0),
        (UnknownRole, 7),
    ] {
        let end = EndRequest {
            app_status,
            protocol_status,
        };
        check_whole(&[(
            "an end",
            &[record(3, 1, &end.encode(), 0)],
            &[Told::End(end)],
        )]);
    }
}

#[test]
fn padding_of_every_length() {
    for len in 0..=u8::MAX {
        let input = [
            record(STDOUT, 1, b"out", len),
            record(STDERR, 1, b"", len),
            record(11, 0, &[0; 8], len),
            record(3, 1, &[0; 8], len),
        ]
        .concat();
        let expected = complete(vec![out(b"out"), Told::End(SUCCESS)], input.len());
        for piece_len in [1, 8, 100, usize::MAX] {
            assert_eq!(decode(input.chunks(piece_len)), expected, "{len}");
        }
        let cut = &input[..input.len() - 1];
        assert_eq!(decode([cut].into_iter()), Ok(Parsed::Partial), "{len}");
    }
}

#[test]
fn a_kept_connection_goes_on_where_the_end_was() {
    let first = [stdout(b"one"), record(3, 1, &[0; 8], 5)].concat();
    let both = [&first[..], &stdout(b"two"), &end()].concat();
    let Ok(Parsed::Complete { used, .. }) = decode([&both[..]].into_iter()) else {
        panic!();
    };
    assert_eq!(used, first.len());
    let second = decode([&both[used..]].into_iter());
    let expected = complete(vec![out(b"two"), Told::End(SUCCESS)], both.len() - used);
    assert_eq!(second, expected);
}

#[test]
fn management_records() {
    check_whole(&[
        (
            "known ones are skipped",
            &[
                record(10, 0, b"\x0f\x01FCGI_MPXS_CONNS0", 6),
                stdout(b"a"),
                record(11, 0, &[42, 0, 0, 0, 0, 0, 0, 0], 0),
                record(10, 0, b"", 0),
                stdout(b"b"),
                end(),
            ],
            &[out(b"ab"), Told::End(SUCCESS)],
        ),
        (
            "unknown ones are told",
            &[
                record(12, 0, b"anything", 3),
                stdout(b"a"),
                record(255, 0, b"", 0),
                record(0, 0, b"", 9),
                record(12, 0, &[b'x'; 300], 255),
                end(),
            ],
            &[
                Told::Unknown(12),
                out(b"a"),
                Told::Unknown(255),
                Told::Unknown(0),
                Told::Unknown(12),
                Told::End(SUCCESS),
            ],
        ),
    ]);
}

#[test]
fn refusals() {
    use Reason::{FastcgiEndRequest, FastcgiRecordType, FastcgiRequestId, FastcgiVersion};
    let unknown_status = [0, 0, 0, 0, 4, 0, 0, 0];
    let rows: &[(&str, Vec<u8>, Reason)] = &[
        ("version 0", vec![0], FastcgiVersion),
        (
            "version 2",
            b"\x02\x06\0\x01\0\0\0\0".to_vec(),
            FastcgiVersion,
        ),
        (
            "HTTP",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            FastcgiVersion,
        ),
        (
            "a program's output",
            b"Content-Type: text/plain\n\n".to_vec(),
            FastcgiVersion,
        ),
        (
            "another version later",
            [stdout(b"a"), vec![0; 8]].concat(),
            FastcgiVersion,
        ),
        (
            "one byte too many",
            [stdout(b"a"), b"\n".to_vec(), end()].concat(),
            FastcgiVersion,
        ),
        (
            "another request",
            record(STDOUT, 2, b"a", 0),
            FastcgiRequestId,
        ),
        (
            "the high byte of the id",
            record(STDOUT, 0x0100, b"a", 0),
            FastcgiRequestId,
        ),
        (
            "the end of another request",
            record(3, 2, &[0; 8], 0),
            FastcgiRequestId,
        ),
        (
            "an unknown type of another request",
            record(12, 3, b"", 0),
            FastcgiRequestId,
        ),
        ("an unknown type", record(12, 1, b"", 0), FastcgiRecordType),
        ("type 0", record(0, 1, b"", 0), FastcgiRecordType),
        (
            "STDOUT of no request",
            record(STDOUT, 0, b"a", 0),
            FastcgiRecordType,
        ),
        (
            "an end of no request",
            record(3, 0, &[0; 8], 0),
            FastcgiRecordType,
        ),
        ("GET_VALUES", record(9, 0, b"", 0), FastcgiRecordType),
        (
            "GET_VALUES_RESULT of a request",
            record(10, 1, b"", 0),
            FastcgiRecordType,
        ),
        (
            "UNKNOWN_TYPE of a request",
            record(11, 1, &[0; 8], 0),
            FastcgiRecordType,
        ),
        (
            "an end without content",
            record(3, 1, b"", 0),
            FastcgiEndRequest,
        ),
        (
            "an end of seven bytes",
            record(3, 1, &[0; 7], 1),
            FastcgiEndRequest,
        ),
        (
            "an end of nine bytes",
            record(3, 1, &[0; 9], 0),
            FastcgiEndRequest,
        ),
        (
            "an endless end",
            record(3, 1, &[0; 0x0800], 0),
            FastcgiEndRequest,
        ),
        (
            "protocol status 4",
            record(3, 1, &unknown_status, 0),
            FastcgiEndRequest,
        ),
        (
            "protocol status 255",
            record(3, 1, &[255; 8], 0),
            FastcgiEndRequest,
        ),
        (
            "an unknown status before its padding",
            record(3, 1, &unknown_status, 255),
            FastcgiEndRequest,
        ),
    ];
    let cases: Vec<_> = rows
        .iter()
        .map(|(what, input, reason)| (*what, &input[..], Err(*reason)))
        .collect();
    check(&cases);

    for server_only in [1, 2, 4, 5, 8, 9] {
        for request_id in [0, 1] {
            let input = record(server_only, request_id, b"", 0);
            check(&[("the wrong direction", &input, Err(FastcgiRecordType))]);
        }
    }
}

#[test]
fn a_version_is_judged_by_one_byte() {
    for version in (0..=u8::MAX).filter(|&version| version != 1) {
        let verdict = decode([&[version][..]].into_iter());
        assert_eq!(verdict, Err(Reason::FastcgiVersion));
    }
}

#[test]
fn what_came_before_a_fault_is_told() {
    let input = [stdout(b"out"), record(STDOUT, 2, b"not ours", 0)].concat();
    let mut decoder = ResponseDecoder::default();
    let mut rest = &input[..];
    assert_eq!(decoder.next(&mut rest), Ok(Some(Event::Stdout(b"out"))));
    assert_eq!(decoder.next(&mut rest), Err(Reason::FastcgiRequestId));
}

#[test]
fn unfinished() {
    let whole = [
        record(STDOUT, 1, b"out", 5),
        record(STDERR, 1, b"err", 5),
        record(11, 0, &[0; 8], 1),
        record(3, 1, &[0; 8], 3),
    ]
    .concat();
    for len in 0..whole.len() {
        check(&[("cut", &whole[..len], Ok(Parsed::Partial))]);
    }
}

#[test]
fn content_is_lent_and_not_gathered() {
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(CONTENT_MAX).collect();
    let input = record(STDOUT, 1, &content, 255);
    let mut decoder = ResponseDecoder::default();
    let mut found = Vec::new();
    for piece in input.chunks(4096) {
        let mut rest = piece;
        while let Some(event) = decoder.next(&mut rest).unwrap() {
            let Event::Stdout(part) = event else { panic!() };
            assert!(piece.as_ptr_range().contains(&part.as_ptr()));
            found.push(part);
        }
    }
    assert!(found.concat() == content);
    // One part for each piece that held content.
    assert_eq!(found.len(), (CONTENT_MAX + HEADER_LEN).div_ceil(4096));
}
