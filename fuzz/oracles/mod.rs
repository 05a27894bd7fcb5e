//! What holds of each parser whatever bytes it is given: the part of fuzzing that tells right from
//! wrong.
//!
//! Shape: an oracle takes any bytes and panics where its parser breaks a promise. The fuzz targets
//! hand it what libFuzzer makes up, `tests/seeds.rs` every seed and past crash.
//! Rules:
//! - That nothing panics is the least. An oracle also holds the verdict to be the same however the
//!   bytes were split, and the same as that of a reference.
//! - A reference is written from the standard, naively, and shares no code with what it judges: the
//!   same mistake would have to be made twice.
//! - Nothing is drawn by chance: what failed once fails again.

mod cgi_response;
mod chunked;
mod explain;
mod fastcgi_params;
mod fastcgi_response;
mod forwarded;
mod framing;
mod head;
mod path;
mod proxy;
mod range;

use std::fmt::Debug;

use tollgate::proto::{Parsed, Reason};

pub use cgi_response::cgi_response;
pub use chunked::chunked;
pub use explain::explain;
pub use fastcgi_params::fastcgi_params;
pub use fastcgi_response::fastcgi_response;
pub use forwarded::forwarded;
pub use framing::framing;
pub use head::head;
pub use path::path;
pub use proxy::proxy;
pub use range::range;

/// An oracle: panics where the parser breaks a promise.
pub type Oracle = fn(&[u8]);

/// Every oracle, with the name of its fuzz target and of the folders of its seeds and crashes.
pub const TARGETS: [(&str, Oracle); 11] = [
    ("cgi_response", cgi_response),
    ("chunked", chunked),
    ("explain", explain),
    ("fastcgi_params", fastcgi_params),
    ("fastcgi_response", fastcgi_response),
    ("forwarded", forwarded),
    ("framing", framing),
    ("head", head),
    ("path", path),
    ("proxy", proxy),
    ("range", range),
];

/// Returns the verdict of `parse` on `input`, if its prefixes and what extends it get no other: each
/// is `Partial` until the bytes suffice, and from then on the verdict stands.
fn verdict<T: Debug + PartialEq>(
    input: &[u8],
    mut parse: impl FnMut(&[u8]) -> Result<Parsed<T>, Reason>,
) -> Result<Parsed<T>, Reason> {
    let whole = parse(input);
    let used = match &whole {
        Ok(Parsed::Complete { used, .. }) => Some(*used),
        _ => None,
    };
    assert!(used.unwrap_or(0) <= input.len(), "{used:?} bytes used");

    let mut settled = false;
    for len in places(input).chain(used) {
        let part = parse(&input[..len]);
        settled |= part != Ok(Parsed::Partial);
        if settled {
            assert_eq!(part, whole, "of {len} bytes");
        }
        if let Some(used) = used {
            assert_eq!(settled, len >= used, "{len} bytes of {used}");
        }
    }
    if whole != Ok(Parsed::Partial) {
        for more in [&b"\r\n"[..], b"\n\n", b"\0", b"GET / HTTP/1.1\r\n\r\n"] {
            let extended = parse(&[input, more].concat());
            assert_eq!(extended, whole, "with more bytes behind it");
        }
    }
    whole
}

/// Returns places to split `input` at, in ascending order: all of them in a short one, in a longer
/// one a few that depend on its bytes alone.
fn places(input: &[u8]) -> impl Iterator<Item = usize> {
    let step = match input.len() {
        0..128 => 1,
        len => len / 32 + usize::from(input[len / 2]) % 32,
    };
    let first = input.first().map_or(0, |&byte| usize::from(byte) % step);
    (first..input.len()).step_by(step)
}

/// Whether the byte may stand in a token (RFC 9110 section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)
}

/// Whether these bytes are a token.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Whether these bytes are a field value: nothing that ends a line or a string in any language.
fn is_value(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

/// The bytes without spaces and tabs around them.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    match bytes.iter().position(|byte| !is_blank(byte)) {
        None => b"",
        Some(start) => {
            let end = bytes.iter().rposition(|byte| !is_blank(byte));
            &bytes[start..=end.unwrap_or(start)]
        }
    }
}

/// Splits at the first occurrence of `mark`, which belongs to neither part.
fn split_at<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|part| part == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}
