//! Parses a request head: request line and header section.

use std::ops::Range;

/// The HTTP version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// HTTP/1.0
    #[default]
    Http10,
    /// HTTP/1.1
    Http11,
}

/// A request line and header section, with the bytes they were parsed from.
///
/// Owned, so that it can be kept while a body is received, and made to be refilled: a worker parses
/// one request after another into the same value and allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    bytes: Vec<u8>,
    method: Range<u32>,
    target: Range<u32>,
    version: Version,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    name: Range<u32>,
    value: Range<u32>,
}
