//! Encodes a response head and plans how its body is framed.
//!
//! Source: RFC 9112 sections 4, 6 and 9.6; RFC 9110 sections 5.5, 6.6.1, 8.6 and 10.2.4.
//! Shape: a resource fills a [`ResponseHead`]; [`BodyPlan::for_response`] decides the framing from
//! what the request and the status allow; [`encode_head`] appends the whole head to a buffer. A
//! [`HeadRef`] borrows a head, so that a block of fields kept in a cache is sent without a copy.
//! Rules:
//! - No value can begin a line of its own: a block is filled by [`ResponseHead::field`] alone, which
//!   makes control characters spaces. A program's output and a decoded path both end up in fields.
//! - The fields that frame the message and speak for the connection are written by `encode_head`
//!   alone: `field` leaves them out, so that no program frames its own response.
//! - The version is HTTP/1.1 also to a client of 1.0 (RFC 9110 section 6.2); what such a client cannot
//!   read is left to the plan.
//!
//! Not here: chunks (`chunked`), whether the connection is kept (`persist`), CGI's header
//! (`cgi::response`).

use crate::proto::grammar::{Decimal, is_tchar};
use crate::proto::http::head::Version;
use crate::proto::http::status::StatusCode;

macro_rules! server_software {
    () => {
        concat!("tollgate/", env!("CARGO_PKG_VERSION"))
    };
}

/// What the `Server` field says.
pub const SERVER_SOFTWARE: &str = server_software!();

/// What stands between a reason phrase and the date.
const AFTER_PHRASE: &str = concat!("\r\nServer: ", server_software!(), "\r\nDate: ");

/// The interim response that asks for the body of a request (RFC 9110 section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The fields that [`encode_head`] writes.
const RESERVED: [&str; 5] = [
    "Connection",
    "Content-Length",
    "Date",
    "Server",
    "Transfer-Encoding",
];

/// A status line and the fields that the resource decides; framing, Date, Server and Connection are
/// added when it is encoded.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status code.
    pub status: StatusCode,
    /// A reason phrase other than the customary one.
    pub phrase: Option<Vec<u8>>,
    /// The field lines, each ended by CR LF, ready to be sent.
    pub block: Vec<u8>,
}

impl ResponseHead {
    /// A head without fields.
    pub const fn new(status: StatusCode) -> ResponseHead {
        ResponseHead {
            status,
            phrase: None,
            block: Vec::new(),
        }
    }

    /// Appends a field line.
    ///
    /// A control character of the value other than a tab becomes a space, as RFC 9110 section 5.5 has
    /// it. Left out is a field whose name is no token, and one that [`encode_head`] writes itself:
    /// Connection, Content-Length, Date, Server and Transfer-Encoding.
    pub fn field(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let is_token = !name.is_empty() && name.bytes().all(is_tchar);
        let is_reserved = RESERVED.iter().any(|it| it.eq_ignore_ascii_case(name));
        if !is_token || is_reserved {
            return;
        }
        self.block.extend_from_slice(name.as_bytes());
        self.block.extend_from_slice(b": ");
        push_text(&mut self.block, value.as_ref());
        self.block.extend_from_slice(b"\r\n");
    }

    /// The head, borrowed to be encoded.
    pub fn as_head_ref(&self) -> HeadRef<'_> {
        HeadRef {
            status: self.status,
            phrase: self.phrase.as_deref(),
            block: &self.block,
        }
    }
}

/// A borrowed [`ResponseHead`], or a block of fields that something else keeps.
#[derive(Debug, Clone, Copy)]
pub struct HeadRef<'a> {
    /// The status code.
    pub status: StatusCode,
    /// A reason phrase other than the customary one.
    pub phrase: Option<&'a [u8]>,
    /// The field lines, made by [`ResponseHead::field`].
    pub block: &'a [u8],
}

/// How the body of a response is delimited on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPlan {
    /// There is no body and no length field: 1xx, 204, 304.
    Empty,
    /// The answer to HEAD: no body, but the length that a GET would have, where it is known.
    Omitted(Option<u64>),
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
    /// Until the connection closes.
    UntilClose,
}

impl BodyPlan {
    /// Plans the body of a response to a request of this method and version, `len` bytes long where
    /// that is known (RFC 9112 section 6.3).
    pub fn for_response(
        method: &str,
        version: Version,
        status: StatusCode,
        len: Option<u64>,
    ) -> BodyPlan {
        match (len, version) {
            // Before HEAD: a 204 has no Content-Length whatever the method (RFC 9110 section 8.6).
            _ if !status.has_body() => BodyPlan::Empty,
            _ if method == "HEAD" => BodyPlan::Omitted(len),
            (Some(len), _) => BodyPlan::Length(len),
            (None, Version::Http11) => BodyPlan::Chunked,
            (None, Version::Http10) => BodyPlan::UntilClose,
        }
    }

    /// Whether only the end of the connection ends the body.
    pub const fn needs_close(self) -> bool {
        matches!(self, BodyPlan::UntilClose)
    }
}

/// What the response says of the connection (RFC 9112 section 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Nothing: in HTTP/1.1 it is kept.
    Keep,
    /// `keep-alive`: it is kept for a client of HTTP/1.0, which has to be told.
    KeepAlive,
    /// `close`: this response is the last.
    Close,
}

/// Appends the whole head of a response: status line, fields and the empty line.
///
/// `date` is the present in the form of [`http_date`](super::conditional::http_date). A plan that
/// [needs the close](BodyPlan::needs_close) goes with [`Connection::Close`] only.
///
/// ```
/// use tollgate::proto::http::response::{BodyPlan, Connection, ResponseHead, encode_head};
/// use tollgate::proto::http::status::StatusCode;
///
/// let mut head = ResponseHead::new(StatusCode::OK);
/// head.field("Content-Type", "text/plain");
/// let mut out = Vec::new();
/// let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
/// encode_head(&mut out, head.as_head_ref(), BodyPlan::Length(5), Connection::Keep, date);
/// assert!(out.starts_with(b"HTTP/1.1 200 OK\r\n"));
/// assert!(out.ends_with(b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n"));
/// ```
pub fn encode_head(
    out: &mut Vec<u8>,
    head: HeadRef<'_>,
    plan: BodyPlan,
    connection: Connection,
    date: &[u8; 29],
) {
    debug_assert!(!plan.needs_close() || connection == Connection::Close);
    // The rest of a head is less than 200 bytes: one growth of the buffer at most.
    out.reserve(head.block.len() + head.phrase.map_or(0, <[u8]>::len) + 200);

    // In few pieces: each is a call of memcpy, whose beginning takes longer than some bytes more.
    out.extend_from_slice(&status_line(head.status.as_u16()));
    match head.phrase {
        Some(phrase) => push_text(out, phrase),
        None => out.extend_from_slice(head.status.reason_phrase().as_bytes()),
    }
    out.extend_from_slice(AFTER_PHRASE.as_bytes());
    let mut dated = *b"Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    dated[..date.len()].copy_from_slice(date);
    out.extend_from_slice(&dated);
    out.extend_from_slice(head.block);
    match plan {
        BodyPlan::Length(len) | BodyPlan::Omitted(Some(len)) => push_length(out, len),
        BodyPlan::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        BodyPlan::Empty | BodyPlan::Omitted(None) | BodyPlan::UntilClose => {}
    }
    out.extend_from_slice(match connection {
        Connection::Keep => b"\r\n",
        Connection::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Connection::Close => b"Connection: close\r\n\r\n",
    });
}

/// A status line up to its reason phrase.
fn status_line(code: u16) -> [u8; 13] {
    let mut line = *b"HTTP/1.1 000 ";
    for (place, unit) in line[9..12].iter_mut().zip([100, 10, 1]) {
        *place += (code / unit % 10) as u8;
    }
    line
}

/// Appends a field value or reason phrase, control characters made spaces.
///
/// Security: without this a CR LF in the value would end the field, and what follows it would be
/// read as fields, a body or a second response.
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|&byte| match byte {
        b'\t' => b'\t',
        _ if byte.is_ascii_control() => b' ',
        _ => byte,
    }));
}

/// Appends a Content-Length field.
fn push_length(out: &mut Vec<u8>, number: u64) {
    const NAME: usize = b"Content-Length: ".len();
    let number = Decimal::of(number);
    let digits = number.as_ref();
    // In one piece, as above.
    let mut line = *b"Content-Length: 00000000000000000000\r\n";
    let (end, len) = (NAME + digits.len(), NAME + digits.len() + 2);
    line[NAME..end].copy_from_slice(digits);
    line[end..len].copy_from_slice(b"\r\n");
    out.extend_from_slice(&line[..len]);
}

#[cfg(test)]
mod tests;
