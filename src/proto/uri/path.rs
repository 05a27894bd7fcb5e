//! Decodes the path of a URL, once, into the only form that files and programs are looked up by.
//!
//! Source: RFC 3986 sections 2.1 (percent-encoding), 3.3 (path) and 5.2.4 (dot segments).
//! Shape: the raw path of a target → [`UrlPath`], which borrows it where it already is what decoding
//! would give; back by [`UrlPath::encode`].
//! Rules:
//! - Decoded once: `%252e` is the three characters `%2e`, a name like any other.
//! - Segments are those of the raw path: an encoded slash is refused, because what splits a path
//!   differs between the server, the programs and the proxies in front of them.
//! - NUL and control characters are refused: they end names and lines for whoever comes after.
//! - Dot segments are removed *after* decoding, so that `%2e%2e` climbs no further than `..` does,
//!   which is to the root. Empty segments vanish first: `/a//..` is `/`, as the file system has it.
//! - Every other byte, backslash and 0x80-0xFF included, stays as it is and means nothing.
//!
//! Not here: symbolic links and the confinement of what is opened (`sys::beneath`).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::proto::Reason;

/// A path that was percent-decoded once and had its dot segments removed.
///
/// Always begins with `/`, holds no NUL or other control byte, no empty segment but a last one, and
/// no `.` or `..` segment. The only way from a request to a file or program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath<'a>(Cow<'a, [u8]>);

impl<'a> UrlPath<'a> {
    /// Decodes the path of an origin-form or absolute-form target.
    ///
    /// A path that ends in a slash or in a dot segment still ends in a slash. Allocates only where
    /// the decoded path differs from the raw one.
    ///
    /// Errors (all 400): [`Reason::TargetForm`] for a path without a leading slash,
    /// [`Reason::TargetEncoding`] for `%` without two hexadecimal digits, [`Reason::TargetSlash`] for
    /// an encoded slash, [`Reason::TargetByte`] for a control character, encoded or not.
    ///
    /// ```
    /// use tollgate::proto::Reason;
    /// use tollgate::proto::uri::path::UrlPath;
    ///
    /// assert_eq!(UrlPath::decode(b"/a//b/%2e%2e/na%C3%AFve")?.as_bytes(), "/a/naïve".as_bytes());
    /// assert_eq!(UrlPath::decode(b"/cgi-bin%2Fsecret"), Err(Reason::TargetSlash));
    /// # Ok::<(), Reason>(())
    /// ```
    pub fn decode(raw: &'a [u8]) -> Result<UrlPath<'a>, Reason> {
        if !raw.starts_with(b"/") {
            return Err(Reason::TargetForm);
        }
        if is_decoded(raw) {
            return Ok(UrlPath(Cow::Borrowed(raw)));
        }
        let mut path = Vec::with_capacity(raw.len());
        for segment in raw.split(|&byte| byte == b'/').skip(1) {
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            let start = path.len();
            decode_segment(segment, &mut path)?;
            match &path[start..] {
                b"." => path.truncate(start),
                b".." => path.truncate(parent_len(&path[..start])),
                _ => {}
            }
        }
        Ok(UrlPath(Cow::Owned(path)))
    }
}

impl UrlPath<'_> {
    /// The decoded bytes, led by a slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the path ends in a slash.
    pub fn is_folder(&self) -> bool {
        self.0.ends_with(b"/")
    }

    /// The segments, none of them empty; none at all for `/`.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .split(|&byte| byte == b'/')
            .filter(|segment| !segment.is_empty())
    }

    /// Whether a segment begins with a dot, other than a first one `.well-known` (RFC 8615).
    ///
    /// Such names (`.git`, `.env`, `.htpasswd`) lie in served folders without being meant for show.
    pub fn has_hidden_segment(&self) -> bool {
        self.segments()
            .enumerate()
            .any(|(place, name)| name.starts_with(b".") && (place, name) != (0, b".well-known"))
    }

    /// Percent-encodes the path for a `Location` field or a link.
    ///
    /// The result is ASCII, begins with exactly one slash, needs no escaping in an HTML attribute,
    /// and decodes to the same path.
    ///
    /// ```
    /// use tollgate::proto::uri::path::UrlPath;
    ///
    /// let path = UrlPath::decode(b"/50%25 \xE2\x82\xAC/")?;
    /// assert_eq!(path.encode(), "/50%25%20%E2%82%AC/");
    /// # Ok::<(), tollgate::proto::Reason>(())
    /// ```
    pub fn encode(&self) -> String {
        percent_encode(&self.0, ENCODED).to_string()
    }
}

/// The shortest spelling of a name, or of a path that ends in it: FAT and SMB drop dots and spaces at its
/// end.
pub fn plain_name(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .rposition(|byte| !matches!(byte, b'.' | b' '))
        .map_or(0, |last| last + 1);
    &path[..end]
}

/// All but the slash and `pchar` (RFC 3986 section 3.3). `&` and `'` are encoded too, for HTML.
///
/// Security: the backslash must be among them. Browsers read it as a slash, so that `/\host` in a
/// `Location` field would lead to another site.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Whether decoding would succeed and change nothing.
fn is_decoded(raw: &[u8]) -> bool {
    raw.iter().enumerate().all(|(at, &byte)| match byte {
        b'/' => !matches!(
            &raw[at + 1..],
            [b'/', ..] | [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..]
        ),
        b'%' => false,
        _ => !byte.is_ascii_control(),
    })
}

/// Appends the decoded bytes of one raw segment.
fn decode_segment(segment: &[u8], path: &mut Vec<u8>) -> Result<(), Reason> {
    let mut bytes = segment.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => decode_escape(bytes.next(), bytes.next())?,
            _ => byte,
        };
        match byte {
            b'/' => return Err(Reason::TargetSlash),
            _ if byte.is_ascii_control() => return Err(Reason::TargetByte),
            _ => path.push(byte),
        }
    }
    Ok(())
}

fn decode_escape(high: Option<u8>, low: Option<u8>) -> Result<u8, Reason> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let (high, low) = digit(high).zip(digit(low)).ok_or(Reason::TargetEncoding)?;
    Ok((high << 4 | low) as u8)
}

/// The length of `folder`, which ends in a slash, without its last segment; the root has no parent.
fn parent_len(folder: &[u8]) -> usize {
    let name_end = folder.len() - 1;
    folder[..name_end]
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(1, |slash| slash + 1)
}

#[cfg(test)]
mod tests;
