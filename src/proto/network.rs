//! A range of IP addresses, as a prefix and its length.
//!
//! Source: RFC 4632 section 3.1 and RFC 4291 section 2.3 for how it is written, RFC 4291 section 2.5.5.2
//! for IPv4-mapped addresses.
//! Rules: an IPv4 address is the same as that address mapped into IPv6, in a network and in what is looked
//! for. Bits behind the prefix are refused: who writes `10.0.0.1/8` means one of two things.

use std::fmt;
use std::net::IpAddr;

use crate::proto::grammar::parse_decimal;

/// A network. Displays as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many bits of it count.
    len: u32,
}

/// The bits of an address, from the first one on.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// How many bits an IPv4-mapped address has before the IPv4 address.
const MAPPED: u32 = 96;

impl Network {
    /// Reads `ADDRESS/LEN`, or one address.
    ///
    /// Errors: what is wrong with it, as the rest of a sentence that begins with it.
    ///
    /// ```
    /// use tollgate::proto::network::Network;
    ///
    /// let network = Network::parse("10.0.0.0/8").unwrap();
    /// assert!(network.contains("10.255.0.1".parse().unwrap()));
    /// assert!(network.contains("::ffff:10.0.0.1".parse().unwrap()));
    /// assert!(!network.contains("11.0.0.1".parse().unwrap()));
    /// ```
    pub fn parse(text: &str) -> Result<Network, &'static str> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let written: IpAddr = address
            .parse()
            .map_err(|_| "is no address and no network; write it as 10.0.0.0/8 or fd00::/8")?;
        let longest = match written {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let len = match len {
            None => longest,
            Some(len) => parse_decimal(len.as_bytes())
                .and_then(|len| u32::try_from(len).ok())
                .filter(|&len| len <= longest)
                .ok_or("has no prefix length that its kind of address can have")?,
        };
        let (address, len) = match written {
            IpAddr::V6(v6) if len >= MAPPED => match v6.to_ipv4_mapped() {
                Some(v4) => (IpAddr::V4(v4), len - MAPPED),
                None => (written, len),
            },
            _ => (written, len),
        };
        // A shift by all 128 bits is none that a processor has.
        if bits(address).checked_shl(len).unwrap_or(0) != 0 {
            return Err("has bits behind its prefix; write them as zeros");
        }
        Ok(Network { address, len })
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = match (self.address, address.to_canonical()) {
            // A network that is wider than all mapped addresses has them in it.
            (IpAddr::V6(_), IpAddr::V4(v4)) => IpAddr::V6(v4.to_ipv6_mapped()),
            (_, address) => address,
        };
        let differ = bits(address) ^ bits(self.address);
        address.is_ipv4() == self.address.is_ipv4()
            && differ.checked_shr(128 - self.len).unwrap_or(0) == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

#[cfg(test)]
mod tests;
