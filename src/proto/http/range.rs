//! Resolves a Range field against the length of a file, and lays out the answer.
//!
//! Source: RFC 9110 section 14; multipart/byteranges by section 14.6 and RFC 2046 section 5.1.
//! Shape: [`resolve`] turns the raw value and the length into [`Ranges`]; one range is answered with
//! [`content_range`], several with [`multipart`], none with 416 and [`unsatisfied`].
//! Rules:
//! - Security: a set of more than 16 ranges, or of ranges that together are longer than the file, is
//!   ignored and the whole file sent, which a server may always do (section 14.2): so no request
//!   makes a response that is much larger than its file, nor work that grows with its head.
//! - What is not a set of byte ranges is ignored, not refused: the field is optional to obey.
//! - Ranges keep the order in which they were asked for, and are not merged: a client may count on
//!   the order, and the bound on their sum makes merging needless.
//! - An empty file is sent whole: no range lies within it, but clients that put a Range in every
//!   request mean no error.
//!
//! Not here: whether Range is obeyed at all (GET only; If-Range is `conditional`'s).

use crate::proto::grammar::list_members;

/// Peers allow from 10 (lighttpd) to 200 (Apache); a viewer of PDF asks for a handful.
const MAX_RANGES: usize = 16;

/// A range of bytes that lies within a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The offset of the first byte.
    pub first: u64,
    /// The offset of the last byte, which belongs to the range.
    pub last: u64,
}

impl ByteRange {
    /// How many bytes: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// What a Range field asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    /// The whole file: the field is malformed, in another unit, or asks for too much.
    Ignore,
    /// 206: at least one range, in the order asked for.
    Satisfiable(Vec<ByteRange>),
    /// 416: none of the ranges lies within the file.
    Unsatisfiable,
}

/// Resolves the value of a Range field against a file of `len` bytes.
///
/// ```
/// use tollgate::proto::http::range::{ByteRange, Ranges, resolve};
///
/// let last_two = ByteRange { first: 8, last: 9 };
/// assert_eq!(resolve(b"bytes=-2", 10), Ranges::Satisfiable(vec![last_two]));
/// assert_eq!(resolve(b"bytes=10-", 10), Ranges::Unsatisfiable);
/// assert_eq!(resolve(b"lines=1-2", 10), Ranges::Ignore);
/// ```
pub fn resolve(value: &[u8], len: u64) -> Ranges {
    let Some(set) = strip_unit(value).filter(|_| len > 0) else {
        return Ranges::Ignore;
    };
    let mut ranges = Vec::new();
    let mut allowance = len;
    let mut count = 0;
    for member in list_members(set) {
        let Some(spec) = RangeSpec::parse(member) else {
            return Ranges::Ignore;
        };
        count += 1;
        if count > MAX_RANGES {
            return Ranges::Ignore;
        }
        if let Some(range) = spec.within(len) {
            let Some(rest) = allowance.checked_sub(range.len()) else {
                return Ranges::Ignore;
            };
            allowance = rest;
            ranges.push(range);
        }
    }
    match (count, ranges.is_empty()) {
        (0, _) => Ranges::Ignore,
        (_, true) => Ranges::Unsatisfiable,
        (_, false) => Ranges::Satisfiable(ranges),
    }
}

/// The value of Content-Range for a range of a file of `len` bytes.
pub fn content_range(range: &ByteRange, len: u64) -> Vec<u8> {
    format!("bytes {}-{}/{len}", range.first, range.last).into_bytes()
}

/// The value of Content-Range in a 416 for a file of `len` bytes.
pub fn unsatisfied(len: u64) -> Vec<u8> {
    format!("bytes */{len}").into_bytes()
}

/// What stands around the ranges of a file in a multipart/byteranges body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    /// What precedes the bytes of each range, in the order of the ranges.
    pub part_heads: Vec<Vec<u8>>,
    /// What follows the last range.
    pub close: Vec<u8>,
    /// The length of the whole body, ranges and all.
    pub len: u64,
}

/// Lays out several ranges of a file of `len` bytes and this content type.
///
/// The boundary is 1 to 70 letters and digits that the file does not hold: the caller makes it
/// unforeseeable, since nobody reads the file to be sure.
pub fn multipart(ranges: &[ByteRange], len: u64, content_type: &[u8], boundary: &str) -> Multipart {
    let part_heads: Vec<Vec<u8>> = ranges
        .iter()
        .enumerate()
        .map(|(at, range)| {
            let line_end = if at == 0 { "" } else { "\r\n" };
            let mut head = format!("{line_end}--{boundary}\r\nContent-Type: ").into_bytes();
            head.extend_from_slice(content_type);
            head.extend_from_slice(b"\r\nContent-Range: ");
            head.extend_from_slice(&content_range(range, len));
            head.extend_from_slice(b"\r\n\r\n");
            head
        })
        .collect();
    let close = format!("\r\n--{boundary}--\r\n").into_bytes();
    let around = part_heads.iter().map(Vec::len).sum::<usize>() + close.len();
    let within: u64 = ranges.iter().map(ByteRange::len).sum();
    Multipart {
        part_heads,
        close,
        len: within + around as u64,
    }
}

/// The value of Content-Type for a body that [`multipart`] lays out.
pub fn multipart_type(boundary: &str) -> Vec<u8> {
    format!("multipart/byteranges; boundary={boundary}").into_bytes()
}

/// The set of a Range value in bytes.
fn strip_unit(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// One range as it is written (RFC 9110 section 14.1.1).
enum RangeSpec {
    /// `first-last`, or `first-` with the greatest number for its last.
    Int { first: u64, last: u64 },
    /// `-length`.
    Suffix { length: u64 },
}

impl RangeSpec {
    fn parse(spec: &[u8]) -> Option<RangeSpec> {
        let dash = spec.iter().position(|&byte| byte == b'-')?;
        let (first, last) = (&spec[..dash], &spec[dash + 1..]);
        if first.is_empty() {
            return Some(RangeSpec::Suffix {
                length: parse_position(last)?,
            });
        }
        let first = parse_position(first)?;
        let last = if last.is_empty() {
            u64::MAX
        } else {
            parse_position(last)?
        };
        (first <= last).then_some(RangeSpec::Int { first, last })
    }

    /// The bytes of a file of `len` bytes, at least one, that the range covers.
    fn within(&self, len: u64) -> Option<ByteRange> {
        let end = len.checked_sub(1)?;
        match *self {
            RangeSpec::Int { first, last } => (first <= end).then_some(ByteRange {
                first,
                last: last.min(end),
            }),
            RangeSpec::Suffix { length } => (length > 0).then_some(ByteRange {
                first: len.saturating_sub(length),
                last: end,
            }),
        }
    }
}

/// The value of one or more digits. One that does not fit is the greatest there is: it lies past the
/// end of any file all the same.
fn parse_position(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |value: u64, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    }))
}

#[cfg(test)]
mod tests;
