//! Decides how the body of a request is delimited, and whether the client waits before it sends one.
//!
//! Source: RFC 9112 sections 6.1 to 6.3; RFC 9110 sections 7.6.1, 8.6 and 10.1.1.
//! Shape: a head in; a [`Framing`] and an [`Expectation`] out. No byte of the body is read.
//! Rules, all for security: a request whose end two servers could see in two places is refused, never
//! repaired, because what the one takes for the body the other takes for the next request.
//! - Transfer-Encoding beside Content-Length is refused, although the RFC lets the length be dropped.
//! - Content-Length is one line of digits. A second line or a list is refused even where all values
//!   agree, which the RFC lets a server accept: no client needs it.
//! - Transfer-Encoding is `chunked` alone, once, without an empty list member beside it, in HTTP/1.1.
//! - Connection does not name Content-Length, Transfer-Encoding or Host: a proxy that does as it says passes
//!   the request on without them, and then it ends elsewhere, or is for somebody else.
//!
//! Not here: decoding chunks (`chunked`); how long a body may be.

use crate::proto::Reason;
use crate::proto::grammar::{list_members, parse_decimal, trim_ows};
use crate::proto::http::head::{RequestHead, Version};
use crate::proto::http::persist::connection_options;

/// How the body of a request is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body has so many bytes, perhaps none.
    Length(u64),
    /// The body comes in chunks.
    Chunked,
}

/// What the client waits for before it sends its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing.
    None,
    /// The interim response 100 Continue.
    Continue,
}

/// Returns how the body of the request is delimited.
///
/// Errors, after each of which the connection has to be closed: `FramingLengthAndCoding`,
/// `FramingLengthInvalid`, `FramingLengthDiffers`, `FramingCodingVersion`, `FramingCodingOrder`, and
/// `FramingCodingUnknown` (501).
///
/// ```
/// use tollgate::proto::http::framing::{Framing, request_body};
/// use tollgate::proto::http::head::{HeadLimits, RequestHead};
///
/// let mut head = RequestHead::default();
/// head.parse(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", &HeadLimits::default()).unwrap();
/// assert_eq!(request_body(&head), Ok(Framing::Length(5)));
/// ```
pub fn request_body(head: &RequestHead) -> Result<Framing, Reason> {
    let has_coding = head.field("Transfer-Encoding").is_some();
    let has_length = head.field("Content-Length").is_some();
    match (has_coding, has_length) {
        (false, false) => Ok(Framing::None),
        (false, true) => content_length(head).map(Framing::Length),
        (true, false) => chunked_coding(head).map(|()| Framing::Chunked),
        (true, true) => Err(Reason::FramingLengthAndCoding),
    }
}

/// Refuses a head whose Connection field names a field that every recipient of the request needs.
///
/// Errors: `FramingConnectionOption`, after which the connection has to be closed.
pub fn check_connection_options(head: &RequestHead) -> Result<(), Reason> {
    let is_needed = |option: &[u8]| {
        ["Content-Length", "Transfer-Encoding", "Host"]
            .iter()
            .any(|name| option.eq_ignore_ascii_case(name.as_bytes()))
    };
    match connection_options(head).any(is_needed) {
        true => Err(Reason::FramingConnectionOption),
        false => Ok(()),
    }
}

/// Returns what the client waits for before it sends its body. HTTP/1.0 knows no interim responses,
/// so there the field is ignored.
///
/// Errors: `ExpectUnknown`.
pub fn expectation(head: &RequestHead) -> Result<Expectation, Reason> {
    if head.version() < Version::Http11 {
        return Ok(Expectation::None);
    }
    head.field_values("Expect")
        .flat_map(list_members)
        .try_fold(Expectation::None, |_, member| {
            if member.eq_ignore_ascii_case(b"100-continue") {
                Ok(Expectation::Continue)
            } else {
                Err(Reason::ExpectUnknown)
            }
        })
}

fn content_length(head: &RequestHead) -> Result<u64, Reason> {
    let mut lengths = head
        .field_values("Content-Length")
        .map(|value| parse_decimal(value).ok_or(Reason::FramingLengthInvalid));
    let length = lengths
        .next()
        .unwrap_or(Err(Reason::FramingLengthInvalid))?;
    match lengths.next().transpose()? {
        None => Ok(length),
        Some(again) if again == length => Err(Reason::FramingLengthInvalid),
        Some(_) => Err(Reason::FramingLengthDiffers),
    }
}

/// An unknown coding is told from a misplaced `chunked`: the first is a request for something that
/// is not offered (501), the second an error (400).
fn chunked_coding(head: &RequestHead) -> Result<(), Reason> {
    if head.version() < Version::Http11 {
        return Err(Reason::FramingCodingVersion);
    }
    let (mut chunked, mut unknown) = (false, false);
    for value in head.field_values("Transfer-Encoding") {
        for coding in value.split(|&byte| byte == b',').map(trim_ows) {
            if chunked || coding.is_empty() {
                return Err(Reason::FramingCodingOrder);
            }
            chunked = coding.eq_ignore_ascii_case(b"chunked");
            unknown |= !chunked;
        }
    }
    if unknown {
        Err(Reason::FramingCodingUnknown)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
