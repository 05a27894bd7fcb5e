//! Request heads.

use tollgate::proto::http::head::{HeadLimits, RequestHead, Version};
use tollgate::proto::{Parsed, Reason};

use super::{is_token, is_value, split_at, trimmed, verdict};

/// Takes bytes as a client may send them.
pub fn head(input: &[u8]) {
    let tight = HeadLimits {
        max_len: 96,
        max_fields: 3,
    };
    for limits in [HeadLimits::default(), tight] {
        // One value for all of them, as a worker has it: what it held before must not show.
        let mut head = RequestHead::default();
        let taken = match verdict(input, |bytes| read(&mut head, bytes, &limits)) {
            Ok(Parsed::Complete { value, used }) => Some((value, used)),
            Ok(Parsed::Partial) => {
                check_hope(input, &limits);
                None
            }
            Err(_) => None,
        };
        assert_eq!(taken, reference(input, &limits));
        if let Some((sent, used)) = taken {
            check_accessors(&input[..used], &sent, &limits);
            let spelled = spell(&sent);
            let again = read(&mut head, &spelled, &limits);
            let used = spelled.len();
            assert_eq!(again, Ok(Parsed::Complete { value: sent, used }));
        }
    }
}

/// What a head says.
#[derive(Debug, PartialEq)]
struct Sent {
    method: Vec<u8>,
    target: Vec<u8>,
    version: Version,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

fn read(head: &mut RequestHead, input: &[u8], limits: &HeadLimits) -> Result<Parsed<Sent>, Reason> {
    let parsed = head.parse(input, limits);
    let Ok(Parsed::Complete { used, .. }) = parsed else {
        assert_eq!((head.bytes(), head.field_lines().count()), (&b""[..], 0));
        return parsed.map(|_| Parsed::Partial);
    };
    let value = Sent {
        method: head.method().into(),
        target: head.target().into(),
        version: head.version(),
        fields: head
            .field_lines()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    };
    Ok(Parsed::Complete { value, used })
}

/// To wait for more bytes is right only where some would make a head.
fn check_hope(input: &[u8], limits: &HeadLimits) {
    assert!(input.len() < limits.max_len);
    let rest = b"\nGET / HTTP/1.1\r\nA:\r\n\r\n";
    if input.len() + rest.len() > limits.max_len {
        return;
    }
    let mut head = RequestHead::default();
    let mut ends = (0..rest.len()).map(|start| [input, &rest[start..]].concat());
    assert!(ends.any(|whole| matches!(head.parse(&whole, limits), Ok(Parsed::Complete { .. }))));
}

/// Holds the ways to look at one head against one another.
fn check_accessors(input: &[u8], sent: &Sent, limits: &HeadLimits) {
    let mut head = RequestHead::default();
    assert!(head.parse(input, limits).is_ok());
    assert!(input.ends_with(head.bytes()));
    let line = [&sent.method, &b" "[..], &sent.target, b" HTTP/1."].concat();
    assert!(head.request_line().starts_with(&line));
    assert_eq!(head.request_line().len(), line.len() + 1);
    for (name, value) in head.field_lines() {
        assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)));
        let same = |(other, _): &(&str, &[u8])| other.eq_ignore_ascii_case(name);
        let values = head.field_lines().filter(same).map(|(_, value)| value);
        assert!(head.field_values(&name.to_uppercase()).eq(values));
        assert!(head.field_values(name).any(|other| other == value));
    }
}

/// Writes a head as tersely as it can be.
fn spell(sent: &Sent) -> Vec<u8> {
    let version = format!(" {}\r\n", sent.version);
    let mut bytes = [&sent.method, &b" "[..], &sent.target, version.as_bytes()].concat();
    for (name, value) in &sent.fields {
        bytes.extend([name, &b":"[..], value, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes
}

/// RFC 9112 sections 2.1, 3 and 5, without any of the leniency they permit.
fn reference(input: &[u8], limits: &HeadLimits) -> Option<(Sent, usize)> {
    let mut rest = input;
    for _ in 0..2 {
        rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    }
    let (request_line, mut rest) = split_at(rest, b"\r\n")?;
    let (method, line) = split_at(request_line, b" ")?;
    let (target, version) = split_at(line, b" ")?;
    let version = match version.strip_prefix(b"HTTP/1.")? {
        b"0" => Version::Http10,
        [b'1'..=b'9'] => Version::Http11,
        _ => return None,
    };
    if !is_token(method) || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let mut fields = Vec::new();
    loop {
        let (line, after) = split_at(rest, b"\r\n")?;
        rest = after;
        if line.is_empty() {
            break;
        }
        let (name, value) = split_at(line, b":")?;
        if !is_token(name) || !is_value(value) {
            return None;
        }
        fields.push((name.to_vec(), trimmed(value).to_vec()));
    }
    let used = input.len() - rest.len();
    let fits = used <= limits.max_len && fields.len() <= limits.max_fields;
    let sent = Sent {
        method: method.to_vec(),
        target: target.to_vec(),
        version,
        fields,
    };
    fits.then_some((sent, used))
}
