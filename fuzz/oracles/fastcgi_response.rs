//! What a FastCGI application answers.

use std::iter;

use tollgate::proto::Reason;
use tollgate::proto::fastcgi::record::EndRequest;
use tollgate::proto::fastcgi::response::{Event, ResponseDecoder};

use super::places;

/// Takes bytes once as the answer of an application, and once as the output of one that speaks well.
pub fn fastcgi_response(input: &[u8]) {
    let whole = decode(iter::once(input));
    assert_eq!(whole, reference(input));
    assert_eq!(decode(input.chunks(1)), whole, "byte by byte");
    for at in places(input) {
        let (start, rest) = input.split_at(at);
        assert_eq!(decode([start, rest].into_iter()), whole, "cut at {at}");
    }
    check_records(input);
}

/// What was told: neighbouring parts of one stream are put together.
#[derive(Debug, PartialEq)]
enum Told {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Unknown(u8),
    /// Status of the application, and of the protocol.
    End(u32, u8),
}

/// What was told, and how many bytes it took if the request ended.
type Verdict = (Vec<Told>, Result<Option<usize>, Reason>);

fn put(told: &mut Vec<Told>, part: Told) {
    match (told.last_mut(), part) {
        (_, Told::Stdout(part) | Told::Stderr(part)) if part.is_empty() => {}
        (Some(Told::Stdout(so_far)), Told::Stdout(more))
        | (Some(Told::Stderr(so_far)), Told::Stderr(more)) => so_far.extend(more),
        (_, part) => told.push(part),
    }
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Verdict {
    let mut decoder = ResponseDecoder::default();
    let (mut told, mut taken) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = piece;
        loop {
            let before = rest;
            let event = match decoder.next(&mut rest) {
                Ok(event) => event,
                Err(reason) => {
                    assert_eq!(decoder.next(&mut rest), Err(reason), "once more");
                    return (told, Err(reason));
                }
            };
            assert!(before.ends_with(rest));
            match event {
                Some(Event::Stdout(part)) => put(&mut told, Told::Stdout(lent(part, before))),
                Some(Event::Stderr(part)) => put(&mut told, Told::Stderr(lent(part, before))),
                Some(Event::UnknownManagement(number)) => put(&mut told, Told::Unknown(number)),
                Some(Event::End(end)) => {
                    check_ended(&mut decoder, end);
                    put(
                        &mut told,
                        Told::End(end.app_status, end.protocol_status.into()),
                    );
                    return (told, Ok(Some(taken + piece.len() - rest.len())));
                }
                None => {
                    assert!(rest.is_empty());
                    break;
                }
            }
        }
        taken += piece.len();
    }
    (told, Ok(None))
}

/// A part is not empty, and of the bytes that were given.
fn lent(part: &[u8], given: &[u8]) -> Vec<u8> {
    assert!(!part.is_empty());
    assert!(given.as_ptr_range().contains(&part.as_ptr()));
    part.to_vec()
}

fn check_ended(decoder: &mut ResponseDecoder, end: EndRequest) {
    assert_eq!(decoder.next(&mut &b""[..]), Ok(None));
    let more = decoder.next(&mut &b"\x01"[..]);
    assert_eq!(more, Err(Reason::FastcgiEndRequest));
    assert_eq!(EndRequest::decode(&end.encode()), Ok(end));
}

/// FastCGI 1.0 sections 3.3, 4 and 5.5 for a server that has asked one request, number 1.
fn reference(input: &[u8]) -> Verdict {
    let mut told = Vec::new();
    let mut at = 0;
    loop {
        let record = &input[at..];
        if record.first().is_some_and(|&version| version != 1) {
            return (told, Err(Reason::FastcgiVersion));
        }
        if record.len() < 8 {
            return (told, Ok(None));
        }
        let request = usize::from(record[2]) * 256 + usize::from(record[3]);
        let len = usize::from(record[4]) * 256 + usize::from(record[5]);
        let whole_len = 8 + len + usize::from(record[6]);
        let content = &record[8..record.len().min(8 + len)];
        let is_whole = record.len() >= whole_len;
        let fault = match (request, record[1]) {
            (0, 0 | 12..) => {
                if is_whole {
                    put(&mut told, Told::Unknown(record[1]));
                }
                None
            }
            (0, 10 | 11) => None,
            (0, 1..=9) => Some(Reason::FastcgiRecordType),
            (2.., _) => Some(Reason::FastcgiRequestId),
            (1, 6) => {
                put(&mut told, Told::Stdout(content.to_vec()));
                None
            }
            (1, 7) => {
                put(&mut told, Told::Stderr(content.to_vec()));
                None
            }
            (1, 3) if len != 8 => Some(Reason::FastcgiEndRequest),
            (1, 3) if content.len() < 8 => None,
            (1, 3) if content[4] > 3 => Some(Reason::FastcgiEndRequest),
            (1, 3) if is_whole => {
                let app_status = content[..4]
                    .iter()
                    .fold(0, |status, &byte| status * 256 + u32::from(byte));
                put(&mut told, Told::End(app_status, content[4]));
                return (told, Ok(Some(at + whole_len)));
            }
            (1, 3) => None,
            (1, _) => Some(Reason::FastcgiRecordType),
        };
        if let Some(reason) = fault {
            return (told, Err(reason));
        }
        if !is_whole {
            return (told, Ok(None));
        }
        at += whole_len;
    }
}

/// Records that hold these bytes in pieces, of both streams and with padding, give them back.
fn check_records(bytes: &[u8]) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let len = (usize::from(first) % 60).min(rest.len());
        let (part, after) = rest.split_at(len);
        let (stream, padding) = if first < 128 {
            put(&mut told, Told::Stdout(part.to_vec()));
            (6, first)
        } else {
            put(&mut told, Told::Stderr(part.to_vec()));
            (7, first - 128)
        };
        sent.extend([1, stream, 0, 1, 0, len as u8, padding, 0]);
        sent.extend(part);
        sent.extend(iter::repeat_n(first, padding.into()));
        // An empty record takes nothing.
        rest = if len == 0 { &rest[1..] } else { after };
    }
    sent.extend(b"\x01\x03\0\x01\0\x08\x01\0\0\0\x03\xaa\0\0\0\0\0");
    put(&mut told, Told::End(938, 0));
    let expected = (told, Ok(Some(sent.len())));
    let followed = [&sent[..], b"\x01\x06"].concat();
    assert_eq!(decode(iter::once(&followed[..])), expected);
    assert_eq!(decode(followed.chunks(7)), expected);
}
