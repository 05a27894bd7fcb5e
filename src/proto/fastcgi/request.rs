//! What a server sends for a request: BEGIN_REQUEST, PARAMS and STDIN.
//!
//! Source: the FastCGI specification, sections 3.3 and 5.
//! Shape: a request in, bytes appended to a buffer.
//! Rules: one pass, in which the length of a record is written behind its content, never computed before
//! it (nginx #1194). A stream is cut into records wherever one is full, and closed by an empty record,
//! also where it holds nothing. Records are padded to a multiple of eight, as section 3.3 advises.
//!
//! Not here: STDIN that comes from a file; its records get their headers here, and nothing else.

use super::params::encode_pair;
use super::record::{
    CONTENT_MAX, HEADER_LEN, KeepConn, NULL_REQUEST_ID, RecordHeader, RecordType, Role,
    encode_begin_request,
};

/// The requestId of every request: there is one at a time on a connection.
pub const REQUEST_ID: u16 = 1;

/// The longest content of a STDIN record that is used: a multiple of eight, so that it needs no padding.
pub const STDIN_STEP: usize = 65_528;

/// Appends BEGIN_REQUEST and the whole of PARAMS.
///
/// ```
/// use tollgate::proto::fastcgi::{record::{KeepConn, Role}, request::encode_begin};
///
/// let mut out = Vec::new();
/// encode_begin(&mut out, Role::Responder, KeepConn::Close, [(&b"A"[..], &b"1"[..])].into_iter());
/// assert_eq!(out, b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\
///                   \x01\x04\0\x01\0\x04\x04\0\x01\x01A1\0\0\0\0\
///                   \x01\x04\0\x01\0\0\0\0");
/// ```
pub fn encode_begin<'p>(
    out: &mut Vec<u8>,
    role: Role,
    keep: KeepConn,
    params: impl Iterator<Item = (&'p [u8], &'p [u8])>,
) {
    out.extend_from_slice(&header(RecordType::BeginRequest, 8, 0));
    out.extend_from_slice(&encode_begin_request(role, keep));
    let mut start = open(out, RecordType::Params);
    for (name, value) in params {
        encode_pair(out, name, value);
        while out.len() - start - HEADER_LEN > CONTENT_MAX {
            let rest = out.split_off(start + HEADER_LEN + CONTENT_MAX);
            close(out, start);
            start = open(out, RecordType::Params);
            out.extend_from_slice(&rest);
        }
    }
    if out.len() == start + HEADER_LEN {
        return; // Without parameters, this is the empty record.
    }
    close(out, start);
    out.extend_from_slice(&header(RecordType::Params, 0, 0));
}

/// The header of a STDIN record whose `len` bytes, at most [`STDIN_STEP`], follow from elsewhere; with 0
/// the end of the stream.
pub fn encode_stdin_header(len: usize) -> [u8; HEADER_LEN] {
    debug_assert!(len <= STDIN_STEP);
    header(RecordType::Stdin, len as u16, 0)
}

/// Appends `content` as STDIN, without the end of the stream.
pub fn encode_stdin(out: &mut Vec<u8>, content: &[u8]) {
    for piece in content.chunks(STDIN_STEP) {
        let start = open(out, RecordType::Stdin);
        out.extend_from_slice(piece);
        close(out, start);
    }
}

/// Appends the answer to a management record of a type that is not known (section 4.2).
pub fn encode_unknown_type(out: &mut Vec<u8>, record_type: u8) {
    let header = RecordHeader {
        record_type: RecordType::UnknownType.into(),
        request_id: NULL_REQUEST_ID,
        content_len: 8,
        padding_len: 0,
    };
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(&[record_type, 0, 0, 0, 0, 0, 0, 0]);
}

const fn header(record_type: RecordType, content_len: u16, padding_len: u8) -> [u8; HEADER_LEN] {
    let header = RecordHeader {
        record_type: record_type as u8,
        request_id: REQUEST_ID,
        content_len,
        padding_len,
    };
    header.encode()
}

/// Begins a record whose length is not known yet; returns where.
fn open(out: &mut Vec<u8>, record_type: RecordType) -> usize {
    let start = out.len();
    out.extend_from_slice(&header(record_type, 0, 0));
    start
}

/// Ends the record that begins at `start`.
fn close(out: &mut Vec<u8>, start: usize) {
    let len = out.len() - start - HEADER_LEN;
    let padding = len.next_multiple_of(8) - len;
    let [high, low] = (len as u16).to_be_bytes();
    out[start + 4] = high;
    out[start + 5] = low;
    out[start + 6] = padding as u8;
    out.resize(out.len() + padding, 0);
}
