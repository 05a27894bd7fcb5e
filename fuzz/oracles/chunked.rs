//! The chunked transfer coding.

use std::iter;

use tollgate::proto::Reason;
use tollgate::proto::http::chunked::{
    CHUNK_END, CHUNK_SIZE_LEN, ChunkedDecoder, LAST_CHUNK, Step, encode_chunk_size,
};

use super::{is_token, is_value, split_at};

/// Takes bytes once as a coded body that a client may send, and once as a body to encode.
pub fn chunked(input: &[u8]) {
    let whole = decode(iter::once(input));
    assert_eq!(decode(input.chunks(1)), whole, "byte by byte");
    assert_eq!(decode(cut(input).into_iter()), whole, "in pieces");

    let (body, end) = whole;
    let complete = end.ok().flatten().map(|used| (body, used));
    assert_eq!(complete, reference(input));

    if let Some((len, _)) = input.split_first_chunk() {
        check_size(u64::from_be_bytes(*len).max(1));
    }
    let coded = encode(input);
    let followed = [&coded, &b"0\r\n\r\n"[..]].concat();
    let expected = (input.to_vec(), Ok(Some(coded.len())));
    assert_eq!(decode(iter::once(&followed[..])), expected);
    assert_eq!(decode(followed.chunks(1)), expected);
}

/// Returns the body as far as it goes, and how many bytes it took, if it ended.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Result<Option<usize>, Reason>) {
    let mut decoder = ChunkedDecoder::default();
    let (mut body, mut taken) = (Vec::new(), 0);
    for mut piece in pieces {
        while !piece.is_empty() {
            let step = match decoder.step(piece) {
                Ok(step) => step,
                Err(reason) => return (body, Err(reason)),
            };
            let used = match step {
                Step::Data { bytes, used } => {
                    assert!(!bytes.is_empty());
                    assert!(piece[..used].ends_with(bytes));
                    body.extend(bytes);
                    used
                }
                Step::Partial { used } => {
                    assert_eq!(used, piece.len());
                    used
                }
                Step::End { used } => {
                    let after = decoder.step(&piece[used..]);
                    assert_eq!(after, Ok(Step::End { used: 0 }));
                    return (body, Ok(Some(taken + used)));
                }
            };
            taken += used;
            piece = &piece[used..];
        }
    }
    (body, Ok(None))
}

fn encode(body: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    for chunk in cut(body) {
        let mut line = [0; CHUNK_SIZE_LEN];
        coded.extend(encode_chunk_size(&mut line, chunk.len() as u64));
        coded.extend(chunk);
        coded.extend(CHUNK_END);
    }
    coded.extend(LAST_CHUNK);
    coded
}

/// Cuts the bytes into pieces of uneven length, none of them empty.
fn cut(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some(&first) = bytes.first() {
        let len = (1 + usize::from(first) % 40).min(bytes.len());
        let (piece, rest) = bytes.split_at(len);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// A size is spelled so that it is read as the same, however great.
fn check_size(len: u64) {
    let mut line = [0; CHUNK_SIZE_LEN];
    let line = encode_chunk_size(&mut line, len);
    assert_eq!(line.strip_suffix(b"\r\n").and_then(chunk_size), Some(len));
}

/// RFC 9112 section 7.1 with the documented bounds: the body, and how many bytes it took. Extensions
/// are not looked into.
fn reference(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    let mut rest = input;
    loop {
        let (line, after) = split_at(rest, b"\r\n")?;
        let size = chunk_size(line)?;
        if size == 0 {
            let after = after_trailers(after)?;
            return Some((body, input.len() - after.len()));
        }
        let (chunk, after) = after.split_at_checked(size.try_into().ok()?)?;
        body.extend(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (size, extensions) = line.split_at(digits);
    let gap = extensions
        .iter()
        .take_while(|&&byte| byte == b' ' || byte == b'\t')
        .count();
    let is_extension = extensions.is_empty() || extensions[gap..].starts_with(b";");
    if line.len() + 2 > 256 || !is_extension || !is_value(extensions) {
        return None;
    }
    u64::from_str_radix(str::from_utf8(size).ok()?, 16).ok()
}

fn after_trailers(section: &[u8]) -> Option<&[u8]> {
    let mut rest = section;
    loop {
        let (line, after) = split_at(rest, b"\r\n")?;
        rest = after;
        if line.is_empty() {
            return (section.len() - rest.len() <= 8 * 1024).then_some(rest);
        }
        let (name, value) = split_at(line, b":")?;
        if !is_token(name) || !is_value(value) {
            return None;
        }
    }
}
