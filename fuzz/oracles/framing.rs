//! How the body of a request is delimited.

use tollgate::proto::Parsed;
use tollgate::proto::http::framing::{Expectation, Framing, expectation, request_body};
use tollgate::proto::http::head::{HeadLimits, RequestHead, Version};

use super::trimmed;

/// Takes field lines, each ended by LF: they are given a request line of either version.
pub fn framing(input: &[u8]) {
    let input = input.strip_suffix(b"\n").unwrap_or(input);
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    for version in [Version::Http10, Version::Http11] {
        let Some(head) = request(version, lines.iter()) else {
            continue;
        };
        let verdict = request_body(&head);
        let status = verdict.map_err(|reason| reason.status().as_u16());
        assert_eq!(status, reference(&head), "{verdict:?}");
        assert_eq!(
            expectation(&head) == Ok(Expectation::Continue),
            waits(&head)
        );

        // Whether a request is taken does not hang on the order of its lines.
        let reversed = request(version, lines.iter().rev());
        assert_eq!(
            reversed.map(|head| request_body(&head).ok()),
            Some(verdict.ok())
        );
    }
}

/// Makes a head of the lines, if they are field lines.
fn request<'a>(version: Version, lines: impl Iterator<Item = &'a &'a [u8]>) -> Option<RequestHead> {
    let mut bytes = format!("POST / {version}\r\n").into_bytes();
    for line in lines.filter(|line| !line.is_empty()) {
        bytes.extend([line, &b"\r\n"[..]].concat());
    }
    bytes.extend(b"\r\n");
    let mut head = RequestHead::default();
    match head.parse(&bytes, &HeadLimits::default()) {
        Ok(Parsed::Complete { used, .. }) if used == bytes.len() => Some(head),
        _ => None,
    }
}

/// RFC 9112 section 6.3, where every choice it leaves is made for refusal: the framing, or the status
/// of the refusal.
fn reference(head: &RequestHead) -> Result<Framing, u16> {
    let lengths = values(head, "content-length");
    let codings = values(head, "transfer-encoding");
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::None),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| 400)
        }
        ([], codings) if head.version() == Version::Http11 => {
            let list = codings.join(",");
            let names: Vec<&[u8]> = list
                .split(',')
                .map(|name| trimmed(name.as_bytes()))
                .collect();
            match names[..] {
                [b"chunked"] => Ok(Framing::Chunked),
                [ref others @ .., _] if others.contains(&&b"chunked"[..]) => Err(400),
                _ if names.contains(&&b""[..]) => Err(400),
                _ => Err(501),
            }
        }
        _ => Err(400),
    }
}

/// Whether every expectation is `100-continue`, and there is one.
fn waits(head: &RequestHead) -> bool {
    let value = values(head, "expect").join(",");
    let mut members = value.split(',').map(|member| trimmed(member.as_bytes()));
    let mut some = false;
    let all = members.all(|member| {
        some |= !member.is_empty();
        member.is_empty() || member == b"100-continue"
    });
    head.version() == Version::Http11 && all && some
}

/// The values of a field, in lower case. Where they are not UTF-8 they are none of the known words.
fn values(head: &RequestHead, name: &str) -> Vec<String> {
    head.field_lines()
        .filter(|(other, _)| other.to_ascii_lowercase() == name)
        .map(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase())
        .collect()
}
