//! Sets of byte ranges.

use tollgate::proto::http::range::{ByteRange, Ranges, multipart, resolve};

use super::trimmed;

/// Takes two lines: the length of a file, and the value of a Range field.
pub fn range(input: &[u8]) {
    let mut lines = input.split(|&byte| byte == b'\n');
    let len = file_len(lines.next().unwrap_or_default());
    let value = lines.next().unwrap_or_default();
    let ranges = resolve(value, len);
    if let Ranges::Satisfiable(ranges) = &ranges {
        check_ranges(ranges, len);
    }
    if len <= 512 {
        assert_eq!(ranges, reference(value, len));
    }
}

/// A length is what the system's type for it holds.
fn file_len(digits: &[u8]) -> u64 {
    digits
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |len: u64, digit| {
            len.saturating_mul(10)
                .saturating_add((digit - b'0').into())
                .min(i64::MAX as u64)
        })
}

fn check_ranges(ranges: &[ByteRange], len: u64) {
    assert!((1..=16).contains(&ranges.len()));
    assert!(
        ranges
            .iter()
            .all(|range| range.first <= range.last && range.last < len)
    );
    let within: u64 = ranges.iter().map(ByteRange::len).sum();
    assert!(within <= len, "{within} bytes of {len}");

    let layout = multipart(ranges, len, b"text/plain", "boundary");
    let around = layout.part_heads.concat().len() + layout.close.len();
    assert_eq!(layout.part_heads.len(), ranges.len());
    assert_eq!(layout.len, within + around as u64);
}

/// RFC 9110 section 14.1.2, by looking at every byte of the file in turn.
fn reference(value: &[u8], len: u64) -> Ranges {
    let value = String::from_utf8_lossy(value).to_ascii_lowercase();
    let Some(set) = value.strip_prefix("bytes=").filter(|_| len > 0) else {
        return Ranges::Ignore;
    };
    let members: Vec<&[u8]> = set
        .split(',')
        .map(|member| trimmed(member.as_bytes()))
        .filter(|member| !member.is_empty())
        .collect();
    let mut ranges = Vec::new();
    for member in &members {
        let Some(covers) = covered(member, len) else {
            return Ranges::Ignore;
        };
        let bytes: Vec<u64> = (0..len).filter(|&place| covers(place)).collect();
        if let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) {
            ranges.push(ByteRange { first, last });
        }
    }
    let asked: u64 = ranges.iter().map(ByteRange::len).sum();
    if members.is_empty() || members.len() > 16 || asked > len {
        Ranges::Ignore
    } else if ranges.is_empty() {
        Ranges::Unsatisfiable
    } else {
        Ranges::Satisfiable(ranges)
    }
}

/// Which bytes of the file a member of the set covers, if it is a range.
fn covered(member: &[u8], len: u64) -> Option<impl Fn(u64) -> bool> {
    let (first, last) = str::from_utf8(member).ok()?.split_once('-')?;
    let (from, to) = match (first, last) {
        ("", suffix) => (len.saturating_sub(number(suffix)?), len),
        (first, "") => (number(first)?, u64::MAX),
        (first, last) => (number(first)?, number(last)?),
    };
    (from <= to).then_some(move |place| from <= place && place <= to)
}

/// A number too great to be told is as far away as any.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}
