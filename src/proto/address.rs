//! An IP address as text, without an allocation.
//!
//! Source: RFC 5952 for IPv6, as the standard library has it.
//! Rules: an IPv4 address, as most are, is written digit by digit: the standard library's formatting takes ten times as
//! long, and each program is told two addresses, each line of the access log one.

use std::fmt::{self, Write};
use std::net::IpAddr;

use crate::proto::grammar::Decimal;

/// How long an address is at most: an IPv4 one written as IPv6.
const LONGEST: usize = 45;

/// An address, without brackets.
#[derive(Debug, Clone, Copy)]
pub struct AddressText {
    bytes: [u8; LONGEST],
    len: usize,
}

impl AddressText {
    /// The text of an address.
    ///
    /// ```
    /// use tollgate::proto::address::AddressText;
    ///
    /// assert_eq!(AddressText::of([127, 0, 0, 1].into()).as_str(), "127.0.0.1");
    /// ```
    pub fn of(address: IpAddr) -> AddressText {
        let mut text = AddressText {
            bytes: [0; LONGEST],
            len: 0,
        };
        match address {
            IpAddr::V4(address) => {
                for (place, octet) in address.octets().into_iter().enumerate() {
                    if place > 0 {
                        text.push(b".");
                    }
                    text.push(Decimal::of(octet.into()).as_ref());
                }
            }
            // There is room for the longest.
            IpAddr::V6(address) => drop(write!(text, "{address}")),
        }
        text
    }

    /// As a program or a log is told it.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}

impl Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        let addresses = [
            "0.0.0.0",
            "10.200.99.100",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1:0:0:2",
            "::ffff:192.0.2.255",
            "1111:2222:3333:4444:5555:6666:7777:8888",
        ];
        for address in addresses {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(parsed.to_string(), address);
            assert_eq!(AddressText::of(parsed).as_str(), address);
        }
    }
}
