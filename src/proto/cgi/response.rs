//! Parses what a program answers: the header before its document, and what that header asks for.
//!
//! Source: RFC 3875 section 6. FastCGI applications answer in the same form.
//!
//! Shape: the program's first bytes in; [`CgiHead`], "more" or a [`Reason`] out. The verdict is
//! that of the first wrong byte, however the bytes were cut into pieces.
//!
//! Rules:
//! - The grammar is strict (names are tokens, no space before the colon, no continued line, no
//!   control byte; each line ends in LF or CR LF): a client's text that a program prints unexamined
//!   must not split the response. A status line (`HTTP/1.1 200 OK`) is for `nph-` scripts alone.
//! - Framing and connection are the server's. Fields about them, Date and Server are dropped;
//!   Content-Length is one number and is handed over, not passed on.
//! - Any field makes a header, as with Apache, lighttpd and nginx; a type is not guessed.
//! - Only a local path that is the whole header is a local redirect. With a Status or another field
//!   the client is sent there, for the field (a cookie) would be lost inside the server; with a
//!   fragment too, since only a client has a use for that. A relative Location goes to the client:
//!   RFC 9110 permits it. A space in a Location, which careless programs print (`?note=all done`), is
//!   encoded: it can mean nothing else.
//! - X-Sendfile and X-Accel-Redirect name a file that is to be sent in place of a document. They are
//!   for the server and never reach the client. A file name is taken as it is, without decoding: a
//!   name that holds `%` can be named, and one is only decoded where a URL is expected.
//!
//! Not here: following a local redirect, finding a file, the body and its length.

use std::borrow::Cow;

use crate::proto::grammar::{is_tchar, parse_decimal, trim_ows};
use crate::proto::http::status::StatusCode;
use crate::proto::{Parsed, Reason};

/// The header of a program's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgiHead {
    /// Which response it is.
    pub kind: CgiResponse,
    /// The program's Status; without one 200, or 302 where it is a redirect for the client.
    pub status: StatusCode,
    /// The reason phrase of the program's Status.
    pub phrase: Option<Vec<u8>>,
    /// The field lines for the client, each ended by CR LF. Order, repetition and spelling are the
    /// program's, but a Location comes last. Empty for a local redirect.
    pub block: Vec<u8>,
    /// The body's length, as the program tells it.
    pub content_length: Option<u64>,
}

/// The kinds of response: the four of RFC 3875 section 6.2, and that of the servers it was not
/// enough for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgiResponse {
    /// A document, for the client as it is.
    Document,
    /// Answer as if the client had asked for another URL of this server.
    LocalRedirect {
        /// An absolute path, still encoded, and perhaps a query.
        location: Vec<u8>,
    },
    /// The client is sent elsewhere.
    ClientRedirect,
    /// The client is sent elsewhere, and a document (a Content-Type) tells it so.
    ClientRedirectWithDocument,
    /// A file of this server, with the program's fields: X-Sendfile or X-Accel-Redirect.
    SendFile {
        /// The file.
        from: SendFile,
    },
}

/// How a program names the file that is to be sent in place of what it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendFile {
    /// X-Sendfile: the absolute name of a file, as the file system has it.
    Path(Vec<u8>),
    /// X-Accel-Redirect: the path of a URL of this server, still encoded and without a query.
    Url(Vec<u8>),
}

/// Parses the header, whose blank line must lie within the first `max_len` bytes of `input`.
/// `used` counts that line; the body follows it.
///
/// **Errors** (all 502): [`Reason::CgiNoHeader`] when the first line is no field line,
/// [`Reason::CgiHeaderMalformed`] when a later line is none, a value holds a control byte, a field
/// that is to be single is repeated, or Content-Length is no number; [`Reason::CgiStatus`],
/// [`Reason::CgiLocation`], [`Reason::CgiHeaderTooLong`].
///
/// ```
/// use tollgate::proto::{Parsed, cgi::response::parse};
/// let output = b"Status: 404 Gone fishing\nContent-Type: text/plain\n\nNot today.\n";
/// let Ok(Parsed::Complete { value, used }) = parse(output, 16_384) else { panic!() };
/// assert_eq!(value.status.as_u16(), 404);
/// assert_eq!(value.block, b"Content-Type: text/plain\r\n");
/// assert_eq!(&output[used..], b"Not today.\n");
/// ```
pub fn parse(input: &[u8], max_len: usize) -> Result<Parsed<CgiHead>, Reason> {
    let header = &input[..input.len().min(max_len)];
    let mut fields = Fields::default();
    let mut used = 0;
    while let Some(end) = header[used..].iter().position(|&byte| byte == b'\n') {
        let line = without_cr(&header[used..used + end]);
        let is_first = used == 0;
        used += end + 1;
        if line.is_empty() && !is_first {
            return Ok(Parsed::Complete {
                value: fields.respond(),
                used,
            });
        }
        let (name, value) = split_line(line, is_first)?.ok_or(not_a_field(is_first))?;
        fields.take(name, trim_ows(value))?;
    }
    split_line(without_cr(&header[used..]), used == 0)?;
    if input.len() < max_len {
        Ok(Parsed::Partial)
    } else if header.contains(&b':') {
        Err(Reason::CgiHeaderTooLong)
    } else {
        Err(Reason::CgiNoHeader)
    }
}

/// Why a program failed that ended when [`parse`] still found `input` to be [`Parsed::Partial`].
pub fn ended(input: &[u8]) -> Reason {
    if input.is_empty() {
        Reason::CgiNoOutput
    } else if input.contains(&b':') {
        Reason::CgiHeaderCut
    } else {
        Reason::CgiNoHeader
    }
}

/// Whether a script's output goes to the client as it is, without [`parse`]: its file name begins
/// with `nph-` (RFC 3875 section 5).
pub fn is_nph(file_name: &[u8]) -> bool {
    file_name.starts_with(b"nph-")
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn not_a_field(is_first: bool) -> Reason {
    if is_first {
        Reason::CgiNoHeader
    } else {
        Reason::CgiHeaderMalformed
    }
}

/// Name and value.
type FieldLine<'a> = (&'a [u8], &'a [u8]);

/// The parts of a field line, which may still lack its end; none while there is no colon.
fn split_line(line: &[u8], is_first: bool) -> Result<Option<FieldLine<'_>>, Reason> {
    let Some(colon) = line.iter().position(|&byte| !is_tchar(byte)) else {
        return Ok(None);
    };
    if colon == 0 || line[colon] != b':' {
        return Err(not_a_field(is_first));
    }
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if value
        .iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err(Reason::CgiHeaderMalformed);
    }
    Ok(Some((name, value)))
}

/// The fields read so far.
#[derive(Default)]
struct Fields<'a> {
    status: Option<(StatusCode, &'a [u8])>,
    location: Option<Cow<'a, [u8]>>,
    content_type: Option<&'a [u8]>,
    content_length: Option<u64>,
    send_file: Option<SendFile>,
    block: Vec<u8>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, name: &'a [u8], value: &'a [u8]) -> Result<(), Reason> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if value.is_empty() || DROPPED.iter().any(|dropped| is(dropped)) || is_cgi_extension(name) {
            return Ok(());
        }
        if is("Status") {
            return once(
                &mut self.status,
                parse_status(value).ok_or(Reason::CgiStatus)?,
            );
        }
        if is("Location") {
            let location = reference(value).ok_or(Reason::CgiLocation)?;
            return once(&mut self.location, location);
        }
        if is("Content-Length") {
            let len = parse_decimal(value).ok_or(Reason::CgiHeaderMalformed)?;
            return once(&mut self.content_length, len);
        }
        if is("X-Sendfile") {
            let is_absolute = value.starts_with(b"/");
            let path = is_absolute.then(|| SendFile::Path(value.to_vec()));
            return once(&mut self.send_file, path.ok_or(Reason::CgiSendFile)?);
        }
        if is("X-Accel-Redirect") {
            let url = reference(value).filter(|url| is_local(url));
            let url = url.map(|url| SendFile::Url(without_query(&url).to_vec()));
            return once(&mut self.send_file, url.ok_or(Reason::CgiSendFile)?);
        }
        if is("Content-Type") {
            once(&mut self.content_type, value)?;
        }
        push_line(&mut self.block, name, value);
        Ok(())
    }

    fn respond(mut self) -> CgiHead {
        if let Some(location) = &self.location
            && self.status.is_none()
            && self.block.is_empty()
            && self.send_file.is_none()
            && is_local(location)
        {
            let location = location.to_vec();
            return self.into_head(CgiResponse::LocalRedirect { location }, StatusCode::OK);
        }
        if let Some(location) = &self.location {
            push_line(&mut self.block, b"Location", location);
        }
        if let Some(from) = self.send_file.take() {
            return self.into_head(CgiResponse::SendFile { from }, StatusCode::OK);
        }
        if self.location.is_none() {
            return self.into_head(CgiResponse::Document, StatusCode::OK);
        }
        let kind = match (self.status, self.content_type) {
            (Some((status, _)), _) if !is_redirection(status) => CgiResponse::Document,
            (_, Some(_)) => CgiResponse::ClientRedirectWithDocument,
            (_, None) => CgiResponse::ClientRedirect,
        };
        self.into_head(kind, FOUND)
    }

    fn into_head(self, kind: CgiResponse, customary: StatusCode) -> CgiHead {
        let (status, phrase) = self.status.unwrap_or((customary, b""));
        CgiHead {
            kind,
            status,
            phrase: (!phrase.is_empty()).then(|| phrase.to_vec()),
            block: self.block,
            content_length: self.content_length,
        }
    }
}

const FOUND: StatusCode = StatusCode::new_const(302);

/// Fields about the connection, which is the server's (RFC 3875 section 6.3.4), and those that the
/// server gives itself.
const DROPPED: [&str; 9] = [
    "Connection",
    "Date",
    "Keep-Alive",
    "Proxy-Connection",
    "Server",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// Fields for the server itself (RFC 3875 section 6.3.5); it knows none.
fn is_cgi_extension(name: &[u8]) -> bool {
    name.get(..6)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"X-CGI-"))
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Reason> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Reason::CgiHeaderMalformed),
    }
}

/// A final status code and its reason phrase, which may be empty.
fn parse_status(value: &[u8]) -> Option<(StatusCode, &[u8])> {
    let (digits, phrase) = value.split_at_checked(3)?;
    if !(phrase.is_empty() || phrase.starts_with(b" ")) {
        return None;
    }
    let code = u16::try_from(parse_decimal(digits)?).ok()?;
    let status = StatusCode::new(code).filter(|_| code >= 200)?;
    Some((status, trim_ows(phrase)))
}

fn is_redirection(status: StatusCode) -> bool {
    (300..400).contains(&status.as_u16())
}

/// A Location, or another URL that a program names, as a URI reference: its spaces are written `%20`, as
/// browsers read them. `None` with a tab in it.
fn reference(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if value.contains(&b'\t') {
        return None;
    }
    if !value.contains(&b' ') {
        return Some(Cow::Borrowed(value));
    }
    let words: Vec<&[u8]> = value.split(|&byte| byte == b' ').collect();
    Some(Cow::Owned(words.join(&b"%20"[..])))
}

/// Whether this is a path of this server, with or without a query: `//` would begin an authority.
fn is_local(location: &[u8]) -> bool {
    location.starts_with(b"/") && !location.starts_with(b"//") && !location.contains(&b'#')
}

fn without_query(url: &[u8]) -> &[u8] {
    url.split(|&byte| byte == b'?').next().unwrap_or(url)
}

fn push_line(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.reserve(name.len() + value.len() + 4);
    for part in [name, b": ", value, b"\r\n"] {
        block.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests;
