//! Encodes what a server sends to an application.
//!
//! Source: FastCGI 1.0 sections 3.3 (records and streams), 4.2, 5.1, 5.2, 5.3.
//! Shape: values in; records out, appended to a buffer of the caller's. Its variables and a body in
//! memory leave in one write; a body that lies in a file has only its headers made here.
//! Rules:
//! - Security: a stream is laid into records in one pass, and a record's length is counted from what
//!   lies in the buffer. A length that is computed ahead of the filling is what other servers have
//!   been overrun by, where the two did not agree.
//! - A stream is split where a record is full, in the midst of a pair, a name or a length if it falls
//!   so: borders carry no meaning (section 3.3).
//! - Records of PARAMS and of STDIN from memory are padded to eight bytes, as section 3.3 recommends.
//!   What is sent from a file is not: its length is a multiple of eight but for the last record, which
//!   is followed by a header at once.
//!
//! Not here: which variables there are (cgi/meta.rs); how long a body may be.

use super::params;
use super::record::{
    CONTENT_MAX, HEADER_LEN, KeepConn, MANAGEMENT_ID, RecordHeader, RecordType, Role,
};

/// The number of every request: a connection has one at a time.
pub const REQUEST_ID: u16 = 1;

/// The longest content of an STDIN record, in bytes: the greatest multiple of eight that fits.
pub const STDIN_STEP: usize = CONTENT_MAX / ALIGNMENT * ALIGNMENT;

/// What records are padded to, in bytes.
const ALIGNMENT: usize = 8;

/// What the beginning of a request seldom exceeds, in bytes: its buffer need not grow step by step.
const CUSTOMARY_LEN: usize = 2 << 10;

/// The flag of a request after which the application leaves the connection open.
const KEEP_CONN: u8 = 1;

/// Appends the beginning of a request: BEGIN_REQUEST, the PARAMS stream, and its end.
///
/// STDIN has to follow, [its end](encode_stdin_header) at the least.
///
/// ```
/// use tollgate::proto::fastcgi::record::{KeepConn, Role};
/// use tollgate::proto::fastcgi::request::encode_begin;
///
/// let mut out = Vec::new();
/// let params = [(&b"SERVER_PORT"[..], &b"80"[..])];
/// encode_begin(&mut out, Role::Responder, KeepConn::Keep, params.into_iter());
/// assert_eq!(out[..16], *b"\x01\x01\0\x01\0\x08\0\0\0\x01\x01\0\0\0\0\0");
/// assert_eq!(out[16..40], *b"\x01\x04\0\x01\0\x0f\x01\0\x0b\x02SERVER_PORT80\0");
/// assert_eq!(out[40..], *b"\x01\x04\0\x01\0\0\0\0");
/// ```
pub fn encode_begin<'p>(
    out: &mut Vec<u8>,
    role: Role,
    keep: KeepConn,
    params: impl Iterator<Item = (&'p [u8], &'p [u8])>,
) {
    let [role1, role0] = u16::from(role).to_be_bytes();
    let flags = match keep {
        KeepConn::Close => 0,
        KeepConn::Keep => KEEP_CONN,
    };
    let body = [role1, role0, flags, 0, 0, 0, 0, 0];
    out.extend_from_slice(&header(RecordType::BeginRequest, body.len()).encode());
    out.extend_from_slice(&body);

    out.reserve(CUSTOMARY_LEN);
    let mut stream = ParamsStream::begin(out);
    for (name, value) in params {
        stream.push_pair(name, value);
    }
    stream.finish();
}

/// Returns the header of an STDIN record whose content, `len` bytes of it, follows from elsewhere and
/// is not padded; or, for 0, of the record that ends the stream.
///
/// `len` is at most [`STDIN_STEP`].
///
/// ```
/// use tollgate::proto::fastcgi::request::{STDIN_STEP, encode_stdin_header};
///
/// assert_eq!(encode_stdin_header(STDIN_STEP), [1, 5, 0, 1, 0xff, 0xf8, 0, 0]);
/// assert_eq!(encode_stdin_header(0), [1, 5, 0, 1, 0, 0, 0, 0]);
/// ```
pub fn encode_stdin_header(len: usize) -> [u8; HEADER_LEN] {
    debug_assert!(len <= STDIN_STEP, "{len} bytes in one record");
    header(RecordType::Stdin, len).encode()
}

/// Appends `content` as STDIN records, without the end of the stream.
///
/// ```
/// use tollgate::proto::fastcgi::request::encode_stdin;
///
/// let mut out = Vec::new();
/// encode_stdin(&mut out, b"name=value");
/// assert_eq!(out, b"\x01\x05\0\x01\0\x0a\x06\0name=value\0\0\0\0\0\0");
/// ```
pub fn encode_stdin(out: &mut Vec<u8>, content: &[u8]) {
    for content in content.chunks(STDIN_STEP) {
        let header = padded(header(RecordType::Stdin, content.len()));
        out.extend_from_slice(&header.encode());
        out.extend_from_slice(content);
        pad(out, header);
    }
}

/// Appends the answer to a management record of a type that is not known.
///
/// Section 4.2 has an application give it, and appendix A knows it from nobody else: a server that
/// gives it goes beyond the specification.
///
/// ```
/// let mut out = Vec::new();
/// tollgate::proto::fastcgi::request::encode_unknown_type(&mut out, 42);
/// assert_eq!(out, b"\x01\x0b\0\0\0\x08\0\0\x2a\0\0\0\0\0\0\0");
/// ```
pub fn encode_unknown_type(out: &mut Vec<u8>, record_type: u8) {
    let body = [record_type, 0, 0, 0, 0, 0, 0, 0];
    let header = RecordHeader {
        request_id: MANAGEMENT_ID,
        ..header(RecordType::UnknownType, body.len())
    };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(&body);
}

/// The header of a record of the request, without padding.
fn header(record_type: RecordType, content_len: usize) -> RecordHeader {
    RecordHeader {
        record_type: record_type.into(),
        request_id: REQUEST_ID,
        content_len: content_len.min(CONTENT_MAX) as u16,
        padding_len: 0,
    }
}

fn padded(header: RecordHeader) -> RecordHeader {
    let content_len = usize::from(header.content_len);
    RecordHeader {
        padding_len: (content_len.next_multiple_of(ALIGNMENT) - content_len) as u8,
        ..header
    }
}

fn pad(out: &mut Vec<u8>, header: RecordHeader) {
    out.resize(out.len() + usize::from(header.padding_len), 0);
}

/// The PARAMS stream on its way into a buffer, whose last record is open: its header is a blank.
struct ParamsStream<'o> {
    out: &'o mut Vec<u8>,
    /// Where the content of the open record begins.
    start: usize,
}

impl<'o> ParamsStream<'o> {
    fn begin(out: &'o mut Vec<u8>) -> ParamsStream<'o> {
        let mut stream = ParamsStream { out, start: 0 };
        stream.open();
        stream
    }

    fn open(&mut self) {
        self.out.extend_from_slice(&[0; HEADER_LEN]);
        self.start = self.out.len();
    }

    fn content_len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Most pairs fit into the open record; others are split where they have to be.
    fn push_pair(&mut self, name: &[u8], value: &[u8]) {
        let longest = name.len().saturating_add(value.len()).saturating_add(8);
        if longest <= CONTENT_MAX - self.content_len() {
            params::encode_pair(self.out, name, value);
        } else {
            params::each_part(name, value, |part| self.push(part));
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.content_len() == CONTENT_MAX {
                self.close();
                self.open();
            }
            let room = CONTENT_MAX - self.content_len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.out.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Fills in the header and pads.
    fn close(&mut self) {
        let header = padded(header(RecordType::Params, self.content_len()));
        self.out[self.start - HEADER_LEN..self.start].copy_from_slice(&header.encode());
        pad(self.out, header);
    }

    /// Ends the stream. A record without content does that, so that one which is still empty is it.
    fn finish(mut self) {
        if self.content_len() > 0 {
            self.close();
            self.open();
        }
        self.close();
    }
}

#[cfg(test)]
mod tests;
