//! What a server sends to a FastCGI application: pairs, and the records of its streams.

use tollgate::proto::fastcgi::params::{decode_pairs, encode_pair};
use tollgate::proto::fastcgi::record::{CONTENT_MAX, KeepConn, Role};
use tollgate::proto::fastcgi::request::{encode_begin, encode_stdin, encode_stdin_header};

/// Takes bytes once as a stream of pairs, once as names and values on lines in turn, and once as a
/// body.
pub fn fastcgi_params(input: &[u8]) {
    let decoded = decode_pairs(input).ok();
    assert_eq!(decoded, reference(input));
    if let Some(pairs) = decoded {
        let len = check_pairs(&pairs);
        assert!(len <= input.len(), "the shortest spelling");
        check_begin(&pairs);
    }

    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    let pairs: Vec<_> = lines
        .chunks(2)
        .map(|line| (line[0], line.get(1).copied().unwrap_or_default()))
        .collect();
    check_pairs(&pairs);
    check_begin(&pairs);
    // A longer value before them, so that a record is full somewhere within them.
    let place = usize::from(input.first().copied().unwrap_or_default()) * 8;
    let filler = vec![b'x'; CONTENT_MAX - place];
    let name = lines[0];
    let pairs = [&[(name, &filler[..])], &pairs[..]].concat();
    check_begin(&pairs);

    let mut out = Vec::new();
    encode_stdin(&mut out, input);
    out.extend(encode_stdin_header(0));
    let (body, rest) = stream(&out, 5);
    assert!(body == input && rest.is_empty());
}

/// Returns how long the pairs are that are found to be the same once encoded.
fn check_pairs(pairs: &[(&[u8], &[u8])]) -> usize {
    let coded = encode(pairs);
    assert_eq!(decode_pairs(&coded).as_deref(), Ok(pairs));
    coded.len()
}

fn encode(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut coded = Vec::new();
    for (name, value) in pairs {
        encode_pair(&mut coded, name, value);
    }
    coded
}

/// The beginning of a request holds the pairs, whatever records they are laid into.
fn check_begin(pairs: &[(&[u8], &[u8])]) {
    let mut out = Vec::new();
    let params = pairs.iter().copied();
    encode_begin(&mut out, Role::Responder, KeepConn::Keep, params);
    let begin = b"\x01\x01\0\x01\0\x08\0\0\0\x01\x01\0\0\0\0\0";
    let params = out.strip_prefix(begin).map(|records| stream(records, 4));
    assert!(params == Some((encode(pairs), &b""[..])));
}

/// Returns the content of a stream of this record type, and what follows its end.
fn stream(records: &[u8], record_type: u8) -> (Vec<u8>, &[u8]) {
    let mut whole = Vec::new();
    let mut rest = records;
    loop {
        assert_eq!(rest[..4], [1, record_type, 0, 1]);
        let len = usize::from(rest[4]) * 256 + usize::from(rest[5]);
        let (content, after) = rest[8..].split_at(len);
        let (padding, after) = after.split_at(rest[6].into());
        assert!(rest[7] == 0 && padding.iter().all(|&byte| byte == 0));
        assert_eq!((len + padding.len()) % 8, 0);
        whole.extend(content);
        rest = after;
        if content.is_empty() {
            return (whole, rest);
        }
    }
}

/// FastCGI 1.0 section 3.4.
fn reference(input: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut pairs = Vec::new();
    let mut at = 0;
    while at < input.len() {
        let mut lens = [0; 2];
        for len in &mut lens {
            let first = u64::from(*input.get(at)?);
            if first < 128 {
                *len = first;
                at += 1;
            } else {
                let bytes = input.get(at..at + 4)?;
                let number = bytes
                    .iter()
                    .fold(0, |sum, &byte| sum * 256 + u64::from(byte));
                *len = number - (1 << 31);
                at += 4;
            }
        }
        let left = (input.len() - at) as u64;
        if lens[0] + lens[1] > left {
            return None;
        }
        let [name_len, value_len] = lens.map(|len| len as usize);
        let (name, value) = input[at..at + name_len + value_len].split_at(name_len);
        pairs.push((name, value));
        at += name_len + value_len;
    }
    Some(pairs)
}
