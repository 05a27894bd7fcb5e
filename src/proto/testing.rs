//! Runs the tables of parser tests: every case whole, cut at every byte, and with bytes behind it.
//!
//! Rules: a parser is asked again whenever bytes arrive, and a client decides how they arrive. So its
//! verdict must follow from the bytes alone: what a whole message is, no prefix of it may deny, and
//! what one prefix was refused for, every longer one is refused for too.

use std::fmt::Debug;

use crate::proto::http::head::{HeadLimits, RequestHead};
use crate::proto::{Parsed, Reason};

/// A row of a table: what it shows, the bytes, and the verdict on all of them.
pub(crate) type Case<'a, T> = (&'a str, &'a [u8], Result<Parsed<T>, Reason>);

/// Makes the verdict on a message that is whole, and takes `used` bytes.
pub(crate) fn complete<T>(value: T, used: usize) -> Result<Parsed<T>, Reason> {
    Ok(Parsed::Complete { value, used })
}

/// Fails where `parse` gives another verdict than the cases say, or one that depends on how the
/// bytes were split.
pub(crate) fn check_parse<T: Debug + PartialEq>(
    cases: &[Case<'_, T>],
    mut parse: impl FnMut(&[u8]) -> Result<Parsed<T>, Reason>,
) {
    for (what, input, expected) in cases {
        assert_eq!(parse(input), *expected, "{what}");
        check_split(what, input, &mut parse);
    }
}

/// Fails where the verdict of `parse` on the prefixes of `input` and on what extends it contradicts
/// that on `input`.
pub(crate) fn check_split<T: Debug + PartialEq>(
    what: &str,
    input: &[u8],
    mut parse: impl FnMut(&[u8]) -> Result<Parsed<T>, Reason>,
) {
    let whole = parse(input);
    let mut settled = false;
    for len in 0..input.len() {
        let verdict = parse(&input[..len]);
        let begins = input[..len].escape_ascii();
        if settled || verdict != Ok(Parsed::Partial) {
            settled = true;
            assert_eq!(verdict, whole, "{what}: {len} bytes: {begins}");
        }
        if let Ok(Parsed::Complete { used, .. }) = whole {
            assert_eq!(
                settled,
                len >= used,
                "{what}: {len} bytes of {used}: {begins}"
            );
        }
    }
    if whole != Ok(Parsed::Partial) {
        for trailing in [&b"\r\n"[..], b"\0", b"GET / HTTP/1.1\r\n\r\n"] {
            let extended = [input, trailing].concat();
            assert_eq!(
                parse(&extended),
                whole,
                "{what}: {}",
                extended.escape_ascii()
            );
        }
    }
}

/// Parses a request head that is known to be good.
pub(crate) fn request_head(bytes: impl AsRef<[u8]>) -> RequestHead {
    let mut head = RequestHead::default();
    match head.parse(bytes.as_ref(), &HeadLimits::default()) {
        Ok(Parsed::Complete { .. }) => head,
        other => panic!("{other:?}: {}", bytes.as_ref().escape_ascii()),
    }
}
