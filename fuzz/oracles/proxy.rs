//! The header of the PROXY protocol.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tollgate::proto::proxy::{Preamble, parse};
use tollgate::proto::{Parsed, Reason};

use super::{split_at, verdict};

/// Takes the first bytes of a connection.
pub fn proxy(input: &[u8]) {
    match verdict(input, parse) {
        Ok(Parsed::Partial) => assert!(input.len() < 16 + 8192),
        Ok(Parsed::Complete { value, used }) => {
            assert!(used <= 16 + 8192);
            assert_eq!(reference(&input[..used]), Some(value));
        }
        Err(reason) => {
            let begins = [&b"PROXY "[..], b"\r\n\r\n\0\r\nQUIT\n"]
                .iter()
                .any(|start| input.starts_with(&start[..start.len().min(input.len())]));
            let expected = match begins {
                true => Reason::ProxyMalformed,
                false => Reason::ProxyMissing,
            };
            assert_eq!(reason, expected);
            assert_eq!(reference(input), None);
        }
    }
}

/// What a header says that is whole and perhaps has more behind it.
fn reference(header: &[u8]) -> Option<Preamble> {
    match header.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n") {
        Some(rest) => binary(rest),
        None => {
            let (line, _) = split_at(&header[..header.len().min(107)], b"\n")?;
            text(str::from_utf8(line).ok()?.strip_suffix('\r')?)
        }
    }
}

fn text(line: &str) -> Option<Preamble> {
    if line == "PROXY UNKNOWN" || line.starts_with("PROXY UNKNOWN ") {
        return Some(Preamble::Unknown);
    }
    let mut words = line.split(' ').skip(2);
    let mut word = || words.next();
    let (source, target) = (word()?, word()?);
    let (port, target_port): (u16, u16) = (word()?.parse().ok()?, word()?.parse().ok()?);
    let family = match source.parse().ok()? {
        IpAddr::V4(_) => "TCP4",
        IpAddr::V6(_) => "TCP6",
    };
    // Written again it is the same line, whatever the parsers of numbers put up with.
    let again = format!("PROXY {family} {source} {target} {port} {target_port}");
    let same = source.parse::<IpAddr>().ok()?.is_ipv4() == target.parse::<IpAddr>().ok()?.is_ipv4();
    (line == again && same).then_some(client(source.parse().ok()?, port))
}

fn binary(rest: &[u8]) -> Option<Preamble> {
    let (&[command, family, high, low], rest) = rest.split_first_chunk()?;
    let len = usize::from(high) * 256 + usize::from(low);
    if len > 8192 || family / 16 > 3 || family % 16 > 2 {
        return None;
    }
    let rest = rest.get(..len)?;
    let port = |at: usize| u16::from(rest[at]) * 256 + u16::from(rest[at + 1]);
    match (command, family) {
        (0x20, _) => Some(Preamble::Local),
        (0x21, 0x11) if len >= 12 => {
            let address = Ipv4Addr::new(rest[0], rest[1], rest[2], rest[3]);
            Some(client(address.into(), port(8)))
        }
        (0x21, 0x21) if len >= 36 => {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(&rest[..16]).ok()?);
            Some(client(address.into(), port(32)))
        }
        (0x21, 0x11 | 0x21) => None,
        (0x21, 0x31) if len < 216 => None,
        (0x21, _) => Some(Preamble::Unknown),
        _ => None,
    }
}

fn client(address: IpAddr, port: u16) -> Preamble {
    let address = match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        four => four,
    };
    Preamble::Client(address, port)
}
