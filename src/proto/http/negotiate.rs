//! Reads what a client would rather have: a content coding, or a page in HTML.
//!
//! Source: RFC 9110 sections 12.4 and 12.5, 8.4.1.
//! Shape: [`acceptable_codings`] takes the field lines of Accept-Encoding and gives the codings worth
//! looking for, best first; [`prefers_html`] takes Accept and decides the form of an error page.
//! Rules:
//! - A coding is only ever used on a clear yes: a client that sends no Accept-Encoding gets the file
//!   as it is, and a member with a malformed weight counts as not written.
//! - Nothing is refused with 406: where nothing fits, the file as it is does (section 12.4.1).
//! - Members are split at every comma, also within a quoted parameter; none that is read here has one.
//!
//! Not here: which files lie beside one another, and Vary (the handler for files).

use std::cmp::Reverse;

use crate::proto::grammar::{list_members, trim_ows};

/// A content coding in which a file can lie precompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
    /// Gzip (RFC 1952).
    Gzip,
}

impl Coding {
    /// All of them in our order: made once and kept, a file is usually smallest in Brotli.
    pub const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// The name in Content-Encoding.
    pub const fn token(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the name of the precompressed file ends with, dot and all.
    pub const fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Zstd => ".zst",
            Coding::Gzip => ".gz",
        }
    }

    /// The coding of a name in Accept-Encoding; `x-gzip` is gzip's old one.
    fn from_token(token: &[u8]) -> Option<Coding> {
        Coding::ALL
            .into_iter()
            .find(|coding| token.eq_ignore_ascii_case(coding.token().as_bytes()))
            .or_else(|| {
                token
                    .eq_ignore_ascii_case(b"x-gzip")
                    .then_some(Coding::Gzip)
            })
    }
}

/// The codings that a client would rather have than the file as it is, best first.
#[derive(Debug, Clone, Copy)]
pub struct Codings {
    order: [Coding; 3],
    count: usize,
}

impl Codings {
    /// The file as it is, and nothing else.
    pub const NONE: Codings = Codings {
        order: Coding::ALL,
        count: 0,
    };

    /// The codings, best first.
    pub fn as_slice(&self) -> &[Coding] {
        &self.order[..self.count]
    }
}

/// The codings to look for, from the values of all Accept-Encoding lines: in the client's order, and
/// in ours (Brotli, Zstandard, gzip) where it has none.
///
/// One that the client wants less than `identity` is left out. `identity;q=0` changes nothing: a file
/// that has no acceptable coding is sent as it is.
///
/// ```
/// use tollgate::proto::http::negotiate::{Coding, acceptable_codings};
///
/// let codings = acceptable_codings([b"gzip, deflate, br, zstd;q=0".as_slice()].into_iter());
/// assert_eq!(codings.as_slice(), [Coding::Brotli, Coding::Gzip]);
/// ```
pub fn acceptable_codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Codings {
    let mut named = [None; 3];
    let mut identity = None;
    let mut any = None;
    for (name, weight) in values.flat_map(list_members).filter_map(weighted) {
        if let Some(coding) = Coding::from_token(name) {
            named[coding as usize] = Some(weight);
        } else if name.eq_ignore_ascii_case(b"identity") {
            identity = Some(weight);
        } else if name == b"*" {
            any = Some(weight);
        }
    }
    let weight_of = |coding: &Coding| named[*coding as usize].or(any).unwrap_or(0);
    let least = identity.or(any).unwrap_or(0).max(1);

    let mut order = Coding::ALL;
    order.sort_by_key(|coding| Reverse(weight_of(coding)));
    let count = order
        .iter()
        .take_while(|coding| weight_of(coding) >= least)
        .count();
    Codings { order, count }
}

/// Whether a page is sent as HTML rather than plain text, from the value of Accept.
///
/// HTML it is when `text/html` is named, with a weight not below that of plain text: browsers do so,
/// while curl, wget and most libraries send `*/*` or nothing and show the answer to a person or a log.
pub fn prefers_html(accept: Option<&[u8]>) -> bool {
    let mut html = None;
    let mut plain = None;
    let mut any_text = None;
    let mut any = None;
    for (range, weight) in list_members(accept.unwrap_or_default()).filter_map(weighted) {
        if range.eq_ignore_ascii_case(b"text/html") {
            html = Some(weight);
        } else if range.eq_ignore_ascii_case(b"text/plain") {
            plain = Some(weight);
        } else if range.eq_ignore_ascii_case(b"text/*") {
            any_text = Some(weight);
        } else if range == b"*/*" {
            any = Some(weight);
        }
    }
    let plain = plain.or(any_text).or(any).unwrap_or(0);
    html.is_some_and(|html| html > 0 && html >= plain)
}

/// Splits a member into what it names and its weight in thousandths, 1000 where it has none; other
/// parameters are passed over. `None` when the weight is malformed.
fn weighted(member: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = member.split(|&byte| byte == b';').map(trim_ows);
    let name = parts.next()?;
    let mut weight = 1000;
    for parameter in parts {
        let mut halves = parameter.splitn(2, |&byte| byte == b'=').map(trim_ows);
        if halves
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"q"))
        {
            weight = parse_qvalue(halves.next()?)?;
        }
    }
    Some((name, weight))
}

/// The thousandths of a qvalue: 0 to 1, with at most three decimals (RFC 9110 section 12.4.2).
fn parse_qvalue(text: &[u8]) -> Option<u16> {
    let (unit, decimals) = match text {
        [unit @ (b'0' | b'1')] => (unit, [].as_slice()),
        [unit @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (unit, decimals),
        _ => return None,
    };
    let mut thousandths = u16::from(unit - b'0');
    for place in 0..3 {
        let digit = *decimals.get(place).unwrap_or(&b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths = thousandths * 10 + u16::from(digit - b'0');
    }
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests;
