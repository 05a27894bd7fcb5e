//! Encodes and decodes name-value pairs.
//!
//! Source: FastCGI 1.0 section 3.4.
//! Shape: name and value in, their lengths and bytes out; and back, as slices of the input. A length
//! up to 127 takes one byte, a greater one four, with the top bit set.
//! Rules, for security: a length is a claim of whoever sent it. It is measured against the bytes that
//! are there before anything is done with it, and nothing is ever allocated by it.
//! Not here: how pairs are laid into records (request.rs); which pairs there are.

use std::{error, fmt};

/// Appends a pair.
///
/// **Limits**: a name or value of 2^31 bytes or more has no spelling, and its pair is left out.
///
/// ```
/// let mut out = Vec::new();
/// tollgate::proto::fastcgi::params::encode_pair(&mut out, b"SERVER_PORT", b"80");
/// assert_eq!(out, b"\x0b\x02SERVER_PORT80");
/// ```
pub fn encode_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    match (u8::try_from(name.len()), u8::try_from(value.len())) {
        // As nearly all are: in few pieces, each of which costs more than its bytes do.
        (Ok(name_len @ ..=MAX_SHORT), Ok(value_len @ ..=MAX_SHORT)) => {
            out.extend_from_slice(&[name_len, value_len]);
            out.extend_from_slice(name);
            out.extend_from_slice(value);
        }
        _ => each_part(name, value, |part| out.extend_from_slice(part)),
    }
}

/// Gives the parts of an encoded pair to `push`, in their order: nothing has to be gathered first.
pub(super) fn each_part(name: &[u8], value: &[u8], mut push: impl FnMut(&[u8])) {
    let (Some(name_len), Some(value_len)) = (encode_len(name.len()), encode_len(value.len()))
    else {
        return;
    };
    for part in [name_len.as_slice(), value_len.as_slice(), name, value] {
        push(part);
    }
}

/// A length as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Short([u8; 1]),
    Long([u8; 4]),
}

impl Length {
    fn as_slice(&self) -> &[u8] {
        match self {
            Length::Short(bytes) => bytes,
            Length::Long(bytes) => bytes,
        }
    }
}

fn encode_len(len: usize) -> Option<Length> {
    let len = u32::try_from(len).ok().filter(|len| len & LONG == 0)?;
    Some(match u8::try_from(len) {
        Ok(short @ ..=MAX_SHORT) => Length::Short([short]),
        _ => Length::Long((len | LONG).to_be_bytes()),
    })
}

/// The greatest length that one byte tells.
const MAX_SHORT: u8 = 0x7f;

/// Set in a length of four bytes.
const LONG: u32 = 0x8000_0000;

/// What was to be name-value pairs ends inside of one, or claims to be longer than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name-value pair is longer than what is left of its stream")
    }
}

impl error::Error for Malformed {}

/// A name and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Returns the pairs of a whole stream, in their order, as slices of it.
///
/// A length below 128 is taken in four bytes too: the specification does not forbid it.
///
/// **Errors**: [`Malformed`].
///
/// ```
/// use tollgate::proto::fastcgi::params::{Malformed, decode_pairs};
///
/// let pairs = decode_pairs(b"\x0b\x02SERVER_PORT80\x05\x00EMPTY");
/// assert_eq!(pairs, Ok(vec![(&b"SERVER_PORT"[..], &b"80"[..]), (b"EMPTY", b"")]));
/// assert_eq!(decode_pairs(b"\x04\xff\xff\xff\xffNAME"), Err(Malformed));
/// ```
pub fn decode_pairs(input: &[u8]) -> Result<Vec<Pair<'_>>, Malformed> {
    let mut pairs = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let name_len = decode_len(&mut rest)?;
        let value_len = decode_len(&mut rest)?;
        let name = take(&mut rest, name_len)?;
        let value = take(&mut rest, value_len)?;
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decode_len(rest: &mut &[u8]) -> Result<usize, Malformed> {
    if let Some((&short @ ..=MAX_SHORT, after)) = rest.split_first() {
        *rest = after;
        return Ok(short.into());
    }
    let (long, after) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = after;
    usize::try_from(u32::from_be_bytes(*long) & !LONG).map_err(|_| Malformed)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Malformed> {
    let (taken, after) = rest.split_at_checked(len).ok_or(Malformed)?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests;
