//! Whom a request comes from: the peer of its connection, or whoever a trusted proxy says it is for.
//!
//! Shape: a connection has a [`Peer`], which the PROXY header at its beginning may replace; a request that
//! came from it has an [`Origin`].
//! Rules:
//! - Only the peers that `--trusted-proxy` names are believed. What others send of the kind is a field
//!   like any other.
//! - With `--proxy-protocol` a trusted peer has to begin with that header. It tells whom the connection is
//!   from; whether the fields of its requests count is then asked about that address. A client without an
//!   address is not believed anything: its fields are its own.
//! - A proxy that is its own client (a health check) is itself.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::config::Proxies;
use crate::proto::Reason;
use crate::proto::address::AddressText;
use crate::proto::cgi::meta::Scheme;
use crate::proto::http::forwarded::{self, Client};
use crate::proto::http::head::RequestHead;
use crate::proto::proxy::Preamble;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    whom: Whom,
    is_trusted: bool,
}

/// Who sent a request, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Who.
    pub whom: Whom,
    /// How, where a proxy tells it.
    pub scheme: Option<Scheme>,
}

/// Somebody's address. Displays as it stands in the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// An address, and a port where it is known.
    At(IpAddr, Option<u16>),
    /// A program on this machine, at a unix socket.
    Local,
    /// Nobody knows.
    Unknown,
}

impl Whom {
    /// The address.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Whom::At(address, _) => Some(*address),
            Whom::Local | Whom::Unknown => None,
        }
    }

    /// The port.
    pub fn port(&self) -> Option<u16> {
        match self {
            Whom::At(_, port) => *port,
            Whom::Local | Whom::Unknown => None,
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::At(address, _) => f.write_str(AddressText::of(*address).as_str()),
            Whom::Local => f.write_str("unix:"),
            Whom::Unknown => f.write_str("unknown"),
        }
    }
}

impl Peer {
    /// The peer of a connection that was accepted from this address; without one, at a unix socket.
    pub fn new(address: Option<SocketAddr>, proxies: &Proxies) -> Peer {
        match address {
            Some(address) => Peer {
                whom: Whom::At(address.ip(), Some(address.port())),
                is_trusted: proxies.trusts(address.ip()),
            },
            None => Peer {
                whom: Whom::Local,
                is_trusted: proxies.unix,
            },
        }
    }

    /// Whether its connection has to begin with a PROXY header.
    pub fn owes_preamble(&self, proxies: &Proxies) -> bool {
        proxies.protocol && self.is_trusted
    }

    /// Who is at the other end, after this header.
    pub fn after(self, preamble: Preamble, proxies: &Proxies) -> Peer {
        match preamble {
            Preamble::Local => self,
            Preamble::Unknown => Peer {
                whom: Whom::Unknown,
                is_trusted: false,
            },
            Preamble::Client(address, port) => Peer {
                whom: Whom::At(address, Some(port)),
                is_trusted: proxies.trusts(address),
            },
        }
    }

    /// Itself, as the origin of what is no request or none that can be believed.
    pub fn itself(&self) -> Origin {
        Origin {
            whom: self.whom,
            scheme: None,
        }
    }

    /// Whom a request of it comes from.
    ///
    /// Errors: those of [`forwarded::told`].
    pub fn origin(&self, head: &RequestHead, proxies: &Proxies) -> Result<Origin, Reason> {
        if !self.is_trusted {
            return Ok(self.itself());
        }
        let told = forwarded::told(head, |address| proxies.trusts(address))?;
        Ok(Origin {
            whom: match told.client {
                Client::Peer => self.whom,
                Client::Unknown => Whom::Unknown,
                Client::At(address, port) => Whom::At(address, port),
            },
            scheme: told.scheme,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::http::head::HeadLimits;
    use crate::proto::network::Network;

    fn proxies() -> Proxies {
        Proxies {
            networks: vec![Network::parse("10.0.0.0/8").unwrap()],
            unix: true,
            protocol: true,
        }
    }

    fn head(fields: &str) -> RequestHead {
        let mut head = RequestHead::default();
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        head.parse(text.as_bytes(), &HeadLimits::default()).unwrap();
        head
    }

    #[test]
    fn who_is_believed_what() {
        let tcp = |text: &str| Some(text.parse().unwrap());
        let client = |text: &str| {
            let address: SocketAddr = text.parse().unwrap();
            Preamble::Client(address.ip(), address.port())
        };
        let fields = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n";
        for (peer, preamble, shown, is_https) in [
            (tcp("192.0.2.1:9"), None, "192.0.2.1", false),
            (tcp("10.0.0.1:9"), None, "192.0.2.9", true),
            (None, None, "192.0.2.9", true),
            (tcp("10.0.0.1:9"), Some(Preamble::Local), "192.0.2.9", true),
            (tcp("10.0.0.1:9"), Some(Preamble::Unknown), "unknown", false),
            (None, Some(Preamble::Unknown), "unknown", false),
            (
                tcp("10.0.0.1:9"),
                Some(client("192.0.2.3:4")),
                "192.0.2.3",
                false,
            ),
            // A proxy behind the proxy.
            (
                tcp("10.0.0.1:9"),
                Some(client("10.0.0.2:4")),
                "192.0.2.9",
                true,
            ),
        ] {
            let proxies = proxies();
            let mut peer = Peer::new(peer, &proxies);
            assert_eq!(peer.owes_preamble(&proxies), shown != "192.0.2.1");
            if let Some(preamble) = preamble {
                peer = peer.after(preamble, &proxies);
            }
            let origin = peer.origin(&head(fields), &proxies).unwrap();
            assert_eq!(origin.whom.to_string(), shown, "{peer:?}");
            assert_eq!(origin.scheme == Some(Scheme::Https), is_https, "{peer:?}");
        }
        let proxies = proxies();
        let local = Peer::new(
            None,
            &Proxies {
                unix: false,
                ..proxies.clone()
            },
        );
        assert_eq!(
            local.origin(&head(fields), &proxies).unwrap().whom,
            Whom::Local
        );
        let proxy = Peer::new(tcp("10.0.0.1:9"), &proxies);
        let own = proxy.origin(&head(""), &proxies).unwrap();
        assert_eq!(own.whom, Whom::At("10.0.0.1".parse().unwrap(), Some(9)));
        let malformed = proxy.origin(&head("X-Forwarded-For: x\r\n"), &proxies);
        assert_eq!(malformed, Err(Reason::ProxyForwarded));
    }
}
