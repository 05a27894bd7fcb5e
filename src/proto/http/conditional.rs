//! Decides what the conditions of a GET or HEAD request ask for.
//!
//! Source: RFC 9110 sections 8.8 and 13; dates by section 5.6.7.
//! Shape: [`Conditions`] are the raw values of the request, [`Validators`] the present state of the
//! file; [`evaluate`] gives a [`Verdict`], [`if_range_holds`] whether Range is obeyed. The functions
//! that make an entity tag and a date stand here too, beside those that compare them.
//! Rules:
//! - The order of section 13.2.2: an entity tag silences the date of the same kind, also where the
//!   tags are malformed.
//! - Times are whole seconds, as a date on the wire is: with the file's nanoseconds every
//!   If-Modified-Since would fail.
//! - A list of tags that is malformed anywhere holds nothing, and a malformed date is no condition:
//!   in doubt the file is sent (or, for If-Match, nothing is done).
//! - The entity tag is strong, although a file written twice within one tick of the kernel's clock,
//!   to the same size, keeps it. The inode is in it so that a precompressed neighbour, or a file
//!   moved into place with the same time, has a tag of its own.
//!
//! Not here: the ranges themselves (`range`); methods other than GET and HEAD; when conditions count
//! at all, which is only where the answer would be 2xx (section 13.2.1).

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use crate::proto::grammar::trim_ows;

/// 9999-12-31 23:59:59, the last second that an HTTP date can say.
const LAST_SECOND: u64 = 253_402_300_799;

/// The conditional fields of a request, each `None` where it is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions<'a> {
    /// If-Match.
    pub if_match: Option<Cow<'a, [u8]>>,
    /// If-None-Match.
    pub if_none_match: Option<Cow<'a, [u8]>>,
    /// If-Modified-Since.
    pub if_modified_since: Option<Cow<'a, [u8]>>,
    /// If-Unmodified-Since.
    pub if_unmodified_since: Option<Cow<'a, [u8]>>,
}

impl<'a> Conditions<'a> {
    /// Picks the conditions out of the fields of a request, as (name, value).
    ///
    /// Field lines of one name are joined by commas (RFC 9110 section 5.3), which allocates; a single
    /// one is borrowed.
    pub fn from_fields<N: AsRef<[u8]>>(
        fields: impl IntoIterator<Item = (N, &'a [u8])>,
    ) -> Conditions<'a> {
        let mut conditions = Conditions::default();
        for (name, value) in fields {
            let Some(slot) = conditions.slot(name.as_ref()) else {
                continue;
            };
            match slot {
                None => *slot = Some(Cow::Borrowed(value)),
                Some(first) => {
                    let joined = first.to_mut();
                    joined.extend_from_slice(b", ");
                    joined.extend_from_slice(value);
                }
            }
        }
        conditions
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Cow<'a, [u8]>>> {
        if name.eq_ignore_ascii_case(b"If-Match") {
            Some(&mut self.if_match)
        } else if name.eq_ignore_ascii_case(b"If-None-Match") {
            Some(&mut self.if_none_match)
        } else if name.eq_ignore_ascii_case(b"If-Modified-Since") {
            Some(&mut self.if_modified_since)
        } else if name.eq_ignore_ascii_case(b"If-Unmodified-Since") {
            Some(&mut self.if_unmodified_since)
        } else {
            None
        }
    }
}

/// What a file is compared by.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// The strong entity tag with its quotes, from [`entity_tag`].
    pub entity_tag: &'a [u8],
    /// What Last-Modified says, in seconds since the epoch, from [`last_modified`].
    pub last_modified: u64,
    /// What Date says, in seconds since the epoch.
    pub now: u64,
}

/// What the conditions ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The plain answer.
    Proceed,
    /// 304: the client has this representation.
    NotModified,
    /// 412: the representation is not the one that the client means.
    PreconditionFailed,
}

/// Evaluates the conditions of a GET or HEAD request for a file that exists, in the order of RFC 9110
/// section 13.2.2.
///
/// ```
/// use tollgate::proto::http::conditional::{Conditions, Validators, Verdict, evaluate};
///
/// let file = Validators { entity_tag: b"\"a\"", last_modified: 784111777, now: 784111999 };
/// let fields = [("If-None-Match", b"W/\"a\", \"b\"".as_slice())];
/// assert_eq!(evaluate(&Conditions::from_fields(fields), &file), Verdict::NotModified);
/// ```
pub fn evaluate(conditions: &Conditions<'_>, validators: &Validators<'_>) -> Verdict {
    let tag = validators.entity_tag;
    let modified_since = |date: &[u8]| Some(validators.last_modified > parse_http_date(date)?);

    if let Some(list) = &conditions.if_match {
        if !list_holds(list, |member| member == tag) {
            return Verdict::PreconditionFailed;
        }
    } else if let Some(date) = &conditions.if_unmodified_since
        && modified_since(date) == Some(true)
    {
        return Verdict::PreconditionFailed;
    }

    if let Some(list) = &conditions.if_none_match {
        if list_holds(list, |member| {
            member.strip_prefix(b"W/").unwrap_or(member) == tag
        }) {
            return Verdict::NotModified;
        }
    } else if let Some(date) = &conditions.if_modified_since
        && modified_since(date) == Some(false)
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether the value of If-Range names the file as it is, so that Range is obeyed.
///
/// A weak tag never does. A date does when it is exactly Last-Modified, and that second has passed:
/// while it lasts the file can change once more under the same date, which is then no strong
/// validator (RFC 9110 sections 8.8.2.2 and 13.1.5).
pub fn if_range_holds(value: &[u8], validators: &Validators<'_>) -> bool {
    trim_ows(value) == validators.entity_tag
        || (validators.last_modified < validators.now
            && parse_http_date(value) == Some(validators.last_modified))
}

/// The strong entity tag of a file, with its quotes; the modification time since the epoch.
pub fn entity_tag(size: u64, mtime_secs: i64, mtime_nanos: u32, inode: u64) -> Vec<u8> {
    format!("\"{inode:x}-{size:x}-{mtime_secs:x}.{mtime_nanos:x}\"").into_bytes()
}

/// What Last-Modified says of a file modified at `mtime`, both in seconds since the epoch: never later
/// than Date (RFC 9110 section 8.8.2.1), nor before the epoch.
pub fn last_modified(mtime: i64, now: u64) -> u64 {
    u64::try_from(mtime).unwrap_or(0).min(now)
}

/// The time as `Sun, 06 Nov 1994 08:49:37 GMT`, from seconds since the epoch; past the year 9999, its
/// last second.
pub fn http_date(epoch_secs: u64) -> [u8; 29] {
    let time = UNIX_EPOCH + Duration::from_secs(epoch_secs.min(LAST_SECOND));
    let mut date = [0; 29];
    date.copy_from_slice(httpdate::fmt_http_date(time).as_bytes());
    date
}

/// Such a date as RFC 3339 has it, but for its zone, which is UTC: `1994-11-06T08:49:37`.
pub fn rfc3339(date: &[u8; 29]) -> [u8; 19] {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut months = MONTHS.chunks_exact(3);
    let month = months.position(|name| *name == date[8..11]).unwrap_or(0) as u8 + 1;
    let mut text = *b"0000-00-00T00:00:00";
    text[..4].copy_from_slice(&date[12..16]);
    text[5] += month / 10;
    text[6] += month % 10;
    text[8..10].copy_from_slice(&date[5..7]);
    text[11..].copy_from_slice(&date[17..25]);
    text
}

/// Seconds since the epoch of a date in one of the three forms of RFC 9110 section 5.6.7; `None` for
/// anything else, and for a time before the epoch.
fn parse_http_date(value: &[u8]) -> Option<u64> {
    let time = httpdate::parse_http_date(str::from_utf8(value).ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// Whether a list of entity tags is `*` or has a member that matches; false when it is malformed.
fn list_holds(list: &[u8], matches: impl Fn(&[u8]) -> bool) -> bool {
    if trim_ows(list) == b"*" {
        return true;
    }
    let mut found = false;
    let mut rest = list;
    loop {
        while let [b',' | b' ' | b'\t', tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() {
            return found;
        }
        let Some((tag, tail)) = split_entity_tag(rest) else {
            return false;
        };
        rest = trim_ows(tail);
        if !rest.is_empty() && !rest.starts_with(b",") {
            return false;
        }
        found |= matches(tag);
    }
}

/// Splits the entity tag at the beginning of `text` from what follows it. A comma may stand within
/// the quotes, and nothing is escaped there.
fn split_entity_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let quoted = text.strip_prefix(b"W/").unwrap_or(text);
    let opaque = quoted.strip_prefix(b"\"")?;
    let len = opaque
        .iter()
        .position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
    let tail = opaque[len..].strip_prefix(b"\"")?;
    Some((&text[..text.len() - tail.len()], tail))
}

#[cfg(test)]
mod tests;
