//! Reads the header of the PROXY protocol, with which a proxy begins a connection: for whom it is made.
//!
//! Source: "The PROXY protocol, versions 1 & 2", sections 2.1 (text) and 2.2 (binary), as HAProxy's
//! documentation has it.
//! Shape: the first bytes of a connection → [`Preamble`] and how many bytes it took.
//! Rules:
//! - It is asked for, never guessed: whoever may send it has to, and whoever may not is read as HTTP.
//! - Section 2: what is not valid ends the connection. Text is taken to the letter: one space, ports and
//!   addresses as a system prints them.
//! - The source alone counts. Where it was connected to is told by Host, and additional vectors (TLV) are
//!   passed over.
//! - Bounded: 107 bytes of text, 8 KiB in binary.
//!
//! Not here: who may send it (`server::origin`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::proto::grammar::parse_decimal;
use crate::proto::{Parsed, Reason};

/// For whom a connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preamble {
    /// For the proxy itself, which looks whether we are there.
    Local,
    /// For somebody whose address the proxy does not know, or who has none.
    Unknown,
    /// For the client with this address and port.
    Client(IpAddr, u16),
}

/// What a text header begins with.
const TEXT: &[u8] = b"PROXY ";

/// The longest text header, with its line end.
const TEXT_MAX: usize = 107;

/// What a binary header begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What stands before the addresses: the signature, version and command, family, length.
const FIXED: usize = 16;

/// The longest that is taken behind that: room for vectors with a certificate in them.
const REST_MAX: usize = 8 << 10;

/// Parses the header at the beginning of `input`.
///
/// Errors: `ProxyMissing` where the bytes begin no header; `ProxyMalformed`.
///
/// ```
/// use tollgate::proto::Parsed;
/// use tollgate::proto::proxy::{Preamble, parse};
///
/// let input = b"PROXY TCP4 192.0.2.1 192.0.2.9 50000 80\r\nGET / HTTP/1.1\r\n";
/// let client = Preamble::Client("192.0.2.1".parse().unwrap(), 50000);
/// assert_eq!(parse(input), Ok(Parsed::Complete { value: client, used: 41 }));
/// ```
pub fn parse(input: &[u8]) -> Result<Parsed<Preamble>, Reason> {
    let begins = |with: &[u8]| {
        let len = input.len().min(with.len());
        input[..len] == with[..len]
    };
    if begins(TEXT) {
        parse_text(input)
    } else if begins(SIGNATURE) {
        parse_binary(input)
    } else {
        Err(Reason::ProxyMissing)
    }
}

fn parse_text(input: &[u8]) -> Result<Parsed<Preamble>, Reason> {
    let first = &input[..input.len().min(TEXT_MAX)];
    let Some(end) = first.iter().position(|&byte| byte == b'\n') else {
        return match input.len() {
            0..TEXT_MAX => Ok(Parsed::Partial),
            _ => Err(Reason::ProxyMalformed),
        };
    };
    let value = first[..end]
        .strip_suffix(b"\r")
        .and_then(|line| str::from_utf8(line).ok())
        .and_then(text_line)
        .ok_or(Reason::ProxyMalformed)?;
    Ok(Parsed::Complete {
        value,
        used: end + 1,
    })
}

fn text_line(line: &str) -> Option<Preamble> {
    let words: Vec<&str> = line.split(' ').collect();
    match *words.as_slice() {
        // Section 2.1: whatever stands behind it is to be ignored.
        ["PROXY", "UNKNOWN", ..] => Some(Preamble::Unknown),
        ["PROXY", family, source, target, source_port, target_port] => {
            let source = text_address(family, source)?;
            // Only to be valid.
            text_address(family, target)?;
            text_port(target_port)?;
            let port = text_port(source_port)?;
            Some(Preamble::Client(source.to_canonical(), port))
        }
        _ => None,
    }
}

fn text_address(family: &str, word: &str) -> Option<IpAddr> {
    match family {
        "TCP4" => Some(word.parse::<Ipv4Addr>().ok()?.into()),
        "TCP6" => Some(word.parse::<Ipv6Addr>().ok()?.into()),
        _ => None,
    }
}

fn text_port(word: &str) -> Option<u16> {
    let is_plain = word == "0" || !word.starts_with('0');
    let port = parse_decimal(word.as_bytes()).filter(|_| is_plain)?;
    u16::try_from(port).ok()
}

fn parse_binary(input: &[u8]) -> Result<Parsed<Preamble>, Reason> {
    const MALFORMED: Reason = Reason::ProxyMalformed;
    let Some(&command) = input.get(SIGNATURE.len()) else {
        return Ok(Parsed::Partial);
    };
    if !matches!(command, 0x20 | 0x21) {
        return Err(MALFORMED);
    }
    let Some(&family) = input.get(13) else {
        return Ok(Parsed::Partial);
    };
    // Address family and transport: each of them unspecified, or one of those that there are.
    if family >> 4 > 3 || family & 0xF > 2 {
        return Err(MALFORMED);
    }
    let Some(&[high, low]) = input.get(14..FIXED) else {
        return Ok(Parsed::Partial);
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let is_local = command == 0x20;
    let least = match family {
        _ if is_local => 0,
        0x11 => 12,
        0x21 => 36,
        0x31 => 216,
        _ => 0,
    };
    if !(least..=REST_MAX).contains(&len) {
        return Err(MALFORMED);
    }
    let used = FIXED + len;
    let Some(rest) = input.get(FIXED..used) else {
        return Ok(Parsed::Partial);
    };
    let value = match (is_local, family) {
        (true, _) => Preamble::Local,
        (_, 0x11) => client(rest, 4, |bytes| {
            Some(<[u8; 4]>::try_from(bytes).ok()?.into())
        })
        .ok_or(MALFORMED)?,
        (_, 0x21) => client(rest, 16, |bytes| {
            Some(<[u8; 16]>::try_from(bytes).ok()?.into())
        })
        .ok_or(MALFORMED)?,
        // Unix sockets have no address, and datagrams are none of ours.
        _ => Preamble::Unknown,
    };
    Ok(Parsed::Complete { value, used })
}

/// The source of two addresses of `len` bytes each, which two ports follow.
fn client(rest: &[u8], len: usize, read: impl Fn(&[u8]) -> Option<IpAddr>) -> Option<Preamble> {
    let address = read(rest.get(..len)?)?;
    let port = rest.get(2 * len..2 * len + 2)?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    Some(Preamble::Client(address.to_canonical(), port))
}

#[cfg(test)]
mod tests;
