//! Records of FastCGI, as the backend of the tests reads and writes them.
//!
//! Source: FastCGI 1.0 sections 3.3, 3.4, 5 and 8.
//! Rules: it is a reading of the specification of its own, and shares nothing with the server's. What
//! a server may not send is [`ErrorKind::InvalidData`].

use std::io::{self, ErrorKind, Read};

pub(crate) const BEGIN_REQUEST: u8 = 1;
pub(crate) const ABORT_REQUEST: u8 = 2;
pub(crate) const END_REQUEST: u8 = 3;
pub(crate) const PARAMS: u8 = 4;
pub(crate) const STDIN: u8 = 5;
pub(crate) const STDOUT: u8 = 6;
pub(crate) const STDERR: u8 = 7;
pub(crate) const GET_VALUES_RESULT: u8 = 10;
pub(crate) const UNKNOWN_TYPE: u8 = 11;

pub(crate) const RESPONDER: u16 = 1;
pub(crate) const AUTHORIZER: u16 = 2;

pub(crate) const REQUEST_COMPLETE: u8 = 0;
pub(crate) const CANT_MPX_CONN: u8 = 1;
pub(crate) const OVERLOADED: u8 = 2;
pub(crate) const UNKNOWN_ROLE: u8 = 3;

/// One record without its padding.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) kind: u8,
    pub(crate) id: u16,
    pub(crate) content: Vec<u8>,
}

/// The bytes of a record with `padding` bytes after its content, of which there are at most 65,535.
pub(crate) fn record(kind: u8, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let [id_high, id_low] = id.to_be_bytes();
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut bytes = vec![1, kind, id_high, id_low, high, low, padding, 0];
    bytes.extend_from_slice(content);
    // Anything may stand there, and is to be skipped.
    bytes.resize(bytes.len() + usize::from(padding), b'#');
    bytes
}

/// The bytes of an END_REQUEST record.
pub(crate) fn end_request(id: u16, app_status: u32, protocol_status: u8) -> Vec<u8> {
    let mut content = app_status.to_be_bytes().to_vec();
    content.extend_from_slice(&[protocol_status, 0, 0, 0]);
    record(END_REQUEST, id, &content, 0)
}

/// The next record; `None` where the connection ends between two.
pub(crate) fn read_record(from: &mut impl Read) -> io::Result<Option<Record>> {
    let mut header = [0; 8];
    let count = loop {
        match from.read(&mut header) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if count == 0 {
        return Ok(None);
    }
    from.read_exact(&mut header[count..])?;
    let [version, kind, id_high, id_low, high, low, padding, reserved] = header;
    if (version, reserved) != (1, 0) {
        return Err(fault(format!("not a record's header: {header:?}")));
    }
    let mut content = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    from.read_exact(&mut content)?;
    from.read_exact(&mut vec![0; usize::from(padding)])?;
    let id = u16::from_be_bytes([id_high, id_low]);
    Ok(Some(Record { kind, id, content }))
}

/// The role and flags of a BEGIN_REQUEST record.
pub(crate) fn begin_request(record: &Record) -> io::Result<(u16, u8)> {
    match record.content[..] {
        [high, low, flags, 0, 0, 0, 0, 0] if flags <= 1 && record.id != 0 => {
            Ok((u16::from_be_bytes([high, low]), flags))
        }
        _ => Err(fault(format!("not a beginning: {record:?}"))),
    }
}

/// The name-value pairs of a whole PARAMS stream, each name once.
pub(crate) fn pairs(mut bytes: &[u8]) -> io::Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    while !bytes.is_empty() {
        let (name_len, value_len) = (length(&mut bytes)?, length(&mut bytes)?);
        if bytes.len() < name_len || bytes.len() - name_len < value_len {
            return Err(fault("a pair that is longer than the stream"));
        }
        let (name, rest) = bytes.split_at(name_len);
        let (value, rest) = rest.split_at(value_len);
        bytes = rest;
        let [name, value] = [name, value].map(|text| String::from_utf8_lossy(text).into_owned());
        if name.is_empty() || name.contains('\0') || value.contains('\0') {
            return Err(fault(format!("{name:?}={value:?}")));
        }
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(fault(format!("{name} is there twice")));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Takes a length of one or four bytes from the front.
fn length(bytes: &mut &[u8]) -> io::Result<usize> {
    let (length, rest) = match **bytes {
        [byte, ref rest @ ..] if byte < 128 => (u32::from(byte), rest),
        [a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a & 127, b, c, d]), rest),
        _ => return Err(fault("a length that is cut")),
    };
    *bytes = rest;
    Ok(length as usize)
}

/// What a server did wrong.
pub(crate) fn fault(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.into())
}
