//! Whom a request comes from, as the proxies on its way tell: Forwarded and the X-Forwarded-* fields.
//!
//! Source: RFC 7239; for X-Forwarded-For and X-Forwarded-Proto the custom that it writes down.
//! Shape: a [`RequestHead`] and who is trusted → [`Told`]. To be asked about what a trusted peer sent.
//! Rules:
//! - Each proxy adds, behind what it was sent, whom it was sent it by. So a list is read from its end: an
//!   address counts as the client's as soon as it is none of a trusted proxy. What stands before it is
//!   whatever the client wished to write there, and is not looked at.
//! - What is looked at and is no address refuses the request. A client behind proxies that do as above
//!   cannot bring that about, and the operator has to see it; to take the proxy for the client instead
//!   would make a stranger look like somebody local. `unknown` and the hidden names of RFC 7239 section 6
//!   are addresses that nobody knows: no address at all is told then.
//! - A proxy that writes the one kind of field passes the other one on as a client wrote it. Where both
//!   are there they have to tell the same.
//! - Forwarded is a grammar with quotation marks: a mark that a client left open would swallow what its
//!   proxy has added. Each line is read whole, and one that does not follow the grammar refuses the
//!   request.
//!
//! Not here: who is trusted (`config`), and what programs are told of it (`server::origin`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::proto::Reason;
use crate::proto::cgi::meta::Scheme;
use crate::proto::grammar::{is_field_content, is_tchar, list_members, parse_decimal, trim_ows};
use crate::proto::http::head::RequestHead;

/// What the fields of a request tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The client.
    pub client: Client,
    /// How the client sent the request.
    pub scheme: Option<Scheme>,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Nothing is told: the peer itself.
    Peer,
    /// Somebody whose address is not told.
    Unknown,
    /// The one with this address, and its port where that is told.
    At(IpAddr, Option<u16>),
}

/// Returns what a request tells that came from a trusted peer; `is_trusted` says who else is.
///
/// Errors: `ProxyForwarded` where a field that counts is malformed, `ProxyConflict` where two differ.
///
/// ```
/// use tollgate::proto::http::forwarded::{Client, told};
/// use tollgate::proto::http::head::{HeadLimits, RequestHead};
///
/// let mut head = RequestHead::default();
/// let request = b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.2\r\n\r\n";
/// head.parse(request, &HeadLimits::default())?;
/// let client = told(&head, |address| address.to_string().starts_with("10."))?.client;
/// assert_eq!(client, Client::At("192.0.2.7".parse().unwrap(), None));
/// # Ok::<(), tollgate::proto::Reason>(())
/// ```
pub fn told(head: &RequestHead, is_trusted: impl Fn(IpAddr) -> bool) -> Result<Told, Reason> {
    let customary = customary(head, &is_trusted)?;
    let standard = standard(head, &is_trusted)?;
    match (customary, standard) {
        (None, None) => Ok(Told {
            client: Client::Peer,
            scheme: None,
        }),
        (Some(told), None) | (None, Some(told)) => Ok(told),
        (Some(one), Some(other)) => agreed(one, other).ok_or(Reason::ProxyConflict),
    }
}

/// What two tell, if that is the same.
fn agreed(one: Told, other: Told) -> Option<Told> {
    let client = match (one.client, other.client) {
        (Client::At(one, port), Client::At(other, other_port)) if one == other => {
            Client::At(one, port.or(other_port))
        }
        (one, other) if one == other => one,
        _ => return None,
    };
    let scheme = match (one.scheme, other.scheme) {
        (Some(one), Some(other)) if one != other => return None,
        (one, other) => one.or(other),
    };
    Some(Told { client, scheme })
}

/// Goes back through what each proxy told, the last one first, to the first that is not trusted; returns
/// the client and how many of `nodes` were passed for it, at least one.
fn walk<'n>(
    nodes: impl Iterator<Item = Option<&'n [u8]>>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<(Client, usize), Reason> {
    let (mut client, mut passed) = (Client::Peer, 0);
    for node in nodes {
        passed += 1;
        client = match node {
            Some(node) => parse_node(node).ok_or(Reason::ProxyForwarded)?,
            None => Client::Unknown,
        };
        match client {
            Client::At(address, _) if is_trusted(address) => {}
            _ => break,
        }
    }
    Ok((client, passed))
}

/// What X-Forwarded-For and X-Forwarded-Proto tell.
fn customary(
    head: &RequestHead,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<Option<Told>, Reason> {
    let members = |name: &'static str| -> Vec<&[u8]> {
        head.field_values(name).flat_map(list_members).collect()
    };
    let (nodes, schemes) = (members("X-Forwarded-For"), members("X-Forwarded-Proto"));
    if nodes.is_empty() && schemes.is_empty() {
        return Ok(None);
    }
    let backwards = nodes.iter().rev().map(|node| Some(*node));
    let (client, passed) = walk(backwards, is_trusted)?;
    let scheme = match schemes.as_slice() {
        [] => None,
        [scheme] => Some(*scheme),
        // One for each proxy: that of the one who had to do with the client.
        schemes if schemes.len() == nodes.len() => schemes.iter().rev().nth(passed - 1).copied(),
        _ => return Err(Reason::ProxyForwarded),
    };
    let scheme = scheme.map(|word| parse_scheme(word).ok_or(Reason::ProxyForwarded));
    Ok(Some(Told {
        client,
        scheme: scheme.transpose()?,
    }))
}

/// What Forwarded tells.
fn standard(
    head: &RequestHead,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<Option<Told>, Reason> {
    let mut elements = Vec::new();
    for line in head.field_values("Forwarded") {
        parse_elements(line, &mut elements).ok_or(Reason::ProxyForwarded)?;
    }
    if elements.is_empty() {
        return Ok(None);
    }
    let backwards = elements.iter().rev().map(|element| element.node.as_deref());
    let (client, passed) = walk(backwards, is_trusted)?;
    let told = elements.iter().rev().nth(passed - 1);
    let scheme = told.and_then(|element| element.scheme.as_deref());
    let scheme = scheme.map(|word| parse_scheme(word).ok_or(Reason::ProxyForwarded));
    Ok(Some(Told {
        client,
        scheme: scheme.transpose()?,
    }))
}

/// What one proxy wrote into Forwarded, of what is of use.
#[derive(Debug, Default)]
struct Element {
    node: Option<Vec<u8>>,
    scheme: Option<Vec<u8>>,
}

/// Reads a line of Forwarded (RFC 7239 section 4):
/// `[ forwarded-pair ] *( ";" [ forwarded-pair ] )`, with commas between.
fn parse_elements(line: &[u8], elements: &mut Vec<Element>) -> Option<()> {
    let mut rest = line;
    let (mut element, mut is_empty) = (Element::default(), true);
    loop {
        rest = trim_ows(rest);
        if !matches!(rest, [] | [b';' | b',', ..]) {
            is_empty = false;
            rest = trim_ows(parse_pair(rest, &mut element)?);
        }
        match rest {
            [b';', after @ ..] => rest = after,
            [] | [b',', ..] => {
                let ended = std::mem::take(&mut element);
                // An empty member of a list is none (RFC 9110 section 5.6.1.2).
                if !std::mem::replace(&mut is_empty, true) {
                    elements.push(ended);
                }
                match rest {
                    [_, after @ ..] => rest = after,
                    [] => return Some(()),
                }
            }
            _ => return None,
        }
    }
}

/// Reads `token "=" ( token / quoted-string )`; returns what follows it.
fn parse_pair<'l>(line: &'l [u8], element: &mut Element) -> Option<&'l [u8]> {
    let (name, rest) = split_token(line)?;
    let rest = rest.strip_prefix(b"=")?;
    let (value, rest) = match rest {
        [b'"', quoted @ ..] => unquote(quoted)?,
        _ => split_token(rest).map(|(token, rest)| (token.to_vec(), rest))?,
    };
    let place = if name.eq_ignore_ascii_case(b"for") {
        &mut element.node
    } else if name.eq_ignore_ascii_case(b"proto") {
        &mut element.scheme
    } else {
        return Some(rest);
    };
    // Section 4: each parameter once.
    match place.replace(value) {
        None => Some(rest),
        Some(_) => None,
    }
}

fn split_token(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = bytes.iter().take_while(|&&byte| is_tchar(byte)).count();
    (len > 0).then(|| bytes.split_at(len))
}

/// Reads a quoted string from behind its first mark (RFC 9110 section 5.6.4).
fn unquote(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = bytes;
    loop {
        match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', byte, after @ ..] | [byte, after @ ..] if is_field_content(*byte) => {
                value.push(*byte);
                rest = after;
            }
            _ => return None,
        }
    }
}

fn parse_scheme(word: &[u8]) -> Option<Scheme> {
    let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
    if is("https") || is("wss") {
        Some(Scheme::Https)
    } else if is("http") || is("ws") {
        Some(Scheme::Http)
    } else {
        None
    }
}

/// Reads a node (RFC 7239 section 6), and an IPv6 address without brackets, as X-Forwarded-For has it.
fn parse_node(node: &[u8]) -> Option<Client> {
    let text = str::from_utf8(node).ok()?;
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(Client::At(IpAddr::V6(address).to_canonical(), None));
    }
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (Err(address), port),
        None => {
            let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (Ok(name), port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return None,
        Some(port) if is_hidden_name(port) => None,
        Some(port) if port.len() <= 5 => Some(u16::try_from(parse_decimal(port.as_bytes())?).ok()?),
        Some(_) => return None,
    };
    let address: IpAddr = match name {
        Err(bracketed) => bracketed.parse::<Ipv6Addr>().ok()?.into(),
        Ok(name) if name.eq_ignore_ascii_case("unknown") || is_hidden_name(name) => {
            return Some(Client::Unknown);
        }
        Ok(name) => name.parse::<Ipv4Addr>().ok()?.into(),
    };
    Some(Client::At(address.to_canonical(), port))
}

/// `obfnode` and `obfport`: `"_" 1*( ALPHA / DIGIT / "." / "_" / "-")`.
fn is_hidden_name(text: &str) -> bool {
    let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.strip_prefix('_')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_permitted))
}

#[cfg(test)]
mod tests;
