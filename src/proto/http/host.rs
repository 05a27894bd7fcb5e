//! Decides which host a request is for.
//!
//! Source: RFC 9110 section 7.2; RFC 9112 sections 3.2 and 3.2.2; RFC 3986 section 3.2.
//! Shape: the Host fields of a head, and the authority of an absolute-form target, in; one
//! [`Authority`] or none out.
//! Rules:
//! - Security: Host is sent once, and names a host by letters, digits and `-._~` alone, or an IPv6
//!   address. The rest of what RFC 3986 lets a name hold (`%`-escapes, `!$&'()*+,;=`) and user
//!   information are refused: programs build links, cookies and file names from the host. So is an empty
//!   label, but for the last one: `..` is the name of a folder.
//! - An absolute-form target wins over Host, but does not excuse a bad one.
//!
//! Not here: which forms a target has (`uri::target`).

use std::net::{IpAddr, Ipv6Addr};

use crate::proto::Reason;
use crate::proto::grammar::parse_decimal;
use crate::proto::http::head::{RequestHead, Version};

/// A host, and the port if one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name or IPv4 address as it was sent, or an IPv6 address in brackets; never empty.
    pub host: &'a str,
    /// The port.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses `HOST` or `HOST:PORT`.
    ///
    /// Errors: `HostInvalid`, also for an empty host and a port over 65535.
    ///
    /// ```
    /// use tollgate::proto::http::host::Authority;
    ///
    /// let authority = Authority::parse(b"[::1]:8080").unwrap();
    /// assert_eq!((authority.host, authority.port), ("[::1]", Some(8080)));
    /// ```
    pub fn parse(bytes: &'a [u8]) -> Result<Authority<'a>, Reason> {
        Self::from_bytes(bytes).ok_or(Reason::HostInvalid)
    }

    fn from_bytes(bytes: &'a [u8]) -> Option<Authority<'a>> {
        let text = str::from_utf8(bytes).ok()?;
        let host_len = match text.strip_prefix('[') {
            Some(address) => {
                let len = address.find(']')?;
                address[..len].parse::<Ipv6Addr>().ok()?;
                len + "[]".len()
            }
            None => bytes
                .iter()
                .position(|byte| *byte == b':')
                .unwrap_or(bytes.len()),
        };
        let (host, port) = text.split_at(host_len);
        if !(host.starts_with('[') || is_name(host)) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            // RFC 9110 section 4.2.3: the same as none.
            Some("") => None,
            Some(digits) if digits.len() <= 5 => {
                Some(parse_decimal(digits.as_bytes())?.try_into().ok()?)
            }
            None if port.is_empty() => None,
            _ => return None,
        };
        Some(Authority { host, port })
    }
}

/// Returns what the request is for: the authority of its absolute-form target if it has one, else
/// that of its Host field; `None` where Host is empty, or HTTP/1.0 leaves it out.
///
/// Errors: `HostMissing` in HTTP/1.1, `HostRepeated` in any version, `HostInvalid`.
pub fn request_authority<'a>(
    head: &'a RequestHead,
    target_authority: Option<&'a [u8]>,
) -> Result<Option<Authority<'a>>, Reason> {
    let mut values = head.field_values("Host");
    let value = values.next();
    if values.next().is_some() {
        return Err(Reason::HostRepeated);
    }
    let host = match value {
        None if head.version() >= Version::Http11 => return Err(Reason::HostMissing),
        None | Some(b"") => None,
        Some(value) => Some(Authority::parse(value)?),
    };
    match target_authority {
        Some(authority) => Authority::parse(authority).map(Some),
        None => Ok(host),
    }
}

fn is_name(host: &str) -> bool {
    // What stands before a dot is a label, which is not empty.
    let mut before = b'.';
    let goes_on = |byte: u8| {
        let is_label = byte != b'.' || before != b'.';
        before = byte;
        is_label && is_name_byte(byte)
    };
    !host.is_empty() && host.bytes().all(goes_on)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a host, an IPv6 address with or without its brackets, is this machine to itself.
pub fn is_loopback(host: &str) -> bool {
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests;
