//! Parses a request head: the request line and the header section.
//!
//! Source: RFC 9112 sections 2.2, 2.3, 3 and 5; RFC 9110 sections 2.5, 5.1 and 5.5.
//! Shape: bytes of a connection in; a refilled [`RequestHead`] and the number of bytes it took out.
//! Rules:
//! - Security: httparse ends a line at a bare LF, skips any number of empty lines and takes bytes
//!   over 0x7F in a target. None of it passes here: whoever stands in front of us may read such a
//!   head otherwise, and then two servers see two requests. So `RequestHead::fill` takes a head
//!   only if httparse does *and* it is free of these.
//! - The verdict follows from the bytes alone, however they were split. A head that was not taken is
//!   read again by `Place`, slowly and to the letter: the first byte that no valid head could have
//!   in its place is refused at once, and names the reason.
//! - A refilled head allocates nothing once its buffers have grown.
//!
//! Not here: the forms of a target (`uri::target`), and what any field means.
//!
//! ```text
//! bytes → httparse + strict checks → taken
//!                  └ not taken → Place, byte by byte → Partial, or a Reason
//! ```

use std::fmt;
use std::mem::{self, MaybeUninit};
use std::ops::Range;

use crate::proto::grammar::{is_field_content, is_tchar};
use crate::proto::{Parsed, Reason};

/// The HTTP version of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// HTTP/1.0
    #[default]
    Http10,
    /// HTTP/1.1, and every later minor version, whose messages are read as if they were 1.1
    /// (RFC 9110 section 2.5).
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Version {
    /// As it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// How large a request head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// The most bytes, from the first to the end of the empty line. Default 16 KiB.
    pub max_len: usize,
    /// The most field lines. Default 100, and never more than that.
    pub max_fields: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits {
            max_len: 16 * 1024,
            max_fields: MOST_FIELDS,
        }
    }
}

/// A request line and header section, with the bytes they were parsed from.
///
/// Owned, so that it can be kept while a body is received, and made to be refilled: a worker parses
/// one request after another into the same value and allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    bytes: Vec<u8>,
    /// The method and all names, which are asked for as text again and again.
    tokens: String,
    method: Range<usize>,
    target: Range<usize>,
    version: Version,
    fields: Vec<FieldLine>,
}

#[derive(Debug, Clone)]
struct FieldLine {
    key: NameKey,
    /// In `tokens`.
    name: Range<usize>,
    /// In `bytes`.
    value: Range<usize>,
}

/// What names that are equal but for the case of letters have in common, and others seldom: a request is asked for
/// a dozen names, and a browser sends as many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NameKey([u8; 4]);

impl NameKey {
    fn of(name: &[u8]) -> NameKey {
        /// Makes a letter a small one, and keeps apart what is none.
        const CASE: u8 = 0x20;
        let at = |place: usize| name.get(place).map_or(0, |byte| byte | CASE);
        // Of a name of 256 bytes and more any part does.
        let len = name.len() as u8;
        NameKey([
            len,
            at(0),
            at(name.len() / 2),
            at(name.len().saturating_sub(1)),
        ])
    }
}

impl RequestHead {
    /// Parses the head at the beginning of `input` into this value.
    ///
    /// On `Complete` this value holds the head, and `used` counts its bytes with the empty line and
    /// the one or two empty lines that may stand before it. Otherwise this value is empty.
    ///
    /// Errors: `HeadMalformed`, `HeadControlByte`, `HeadFieldName`, `HeadFolded`, `HeadVersion`;
    /// past the limits `HeadTooManyFields`, `HeadTooLong`, and `HeadTargetTooLong` where not even
    /// the request line fits. Each as soon as the bytes allow, and then for every longer input.
    ///
    /// ```
    /// use tollgate::proto::Parsed;
    /// use tollgate::proto::http::head::{HeadLimits, RequestHead};
    ///
    /// let mut head = RequestHead::default();
    /// let input = b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\nnext";
    /// let parsed = head.parse(input, &HeadLimits::default());
    /// assert_eq!(parsed, Ok(Parsed::Complete { value: (), used: input.len() - 4 }));
    /// assert_eq!((head.method(), head.target()), ("GET", &b"/a"[..]));
    /// assert_eq!(head.field("host"), Some(&b"example.org"[..]));
    /// ```
    pub fn parse(&mut self, input: &[u8], limits: &HeadLimits) -> Result<Parsed<()>, Reason> {
        self.clear();
        let input = &input[..input.len().min(limits.max_len)];
        let max_fields = limits.max_fields.min(MOST_FIELDS);
        if let Some(used) = self.fill(input, max_fields) {
            return Ok(Parsed::Complete { value: (), used });
        }
        match Place::reached(input, max_fields)? {
            Place::Fields(FieldSection::End) => self
                .fill_later_minor(input, max_fields)
                .map(|used| Parsed::Complete { value: (), used })
                .ok_or(Reason::HeadMalformed),
            _ if input.len() < limits.max_len => Ok(Parsed::Partial),
            Place::Fields(_) => Err(Reason::HeadTooLong),
            _ => Err(Reason::HeadTargetTooLong),
        }
    }

    /// Returns the method, as it was sent: methods are case-sensitive.
    pub fn method(&self) -> &str {
        self.token(&self.method)
    }

    /// Returns the request target, as it was sent: visible ASCII, at least one byte.
    pub fn target(&self) -> &[u8] {
        &self.bytes[self.target.clone()]
    }

    /// Returns the version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the request line without its line end.
    pub fn request_line(&self) -> &[u8] {
        let end = self.target.end + " HTTP/1.1".len();
        &self.bytes[..end.min(self.bytes.len())]
    }

    /// Returns name and value of every field line in the order they were sent. A value has no
    /// whitespace around it and may hold any byte but control characters other than HTAB.
    pub fn field_lines(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.fields
            .iter()
            .map(|line| (self.token(&line.name), &self.bytes[line.value.clone()]))
    }

    /// Returns the value of the first field line with this name, in any case of letters.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.field_values(name).next()
    }

    /// Returns the values of all field lines with this name, in any case of letters, in order.
    pub fn field_values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let key = NameKey::of(name.as_bytes());
        self.fields
            .iter()
            .filter(move |line| {
                line.key == key && self.token(&line.name).eq_ignore_ascii_case(name)
            })
            .map(|line| &self.bytes[line.value.clone()])
    }

    /// Returns the head as it was sent, from the request line to the empty line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the head at the beginning of `input` into this empty value and returns its length, if
    /// httparse finds it whole and it is free of what httparse overlooks.
    fn fill(&mut self, input: &[u8], max_fields: usize) -> Option<usize> {
        let mut slots = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(input, &mut slots[..max_fields]);
        let Ok(httparse::Status::Complete(used)) = parsed else {
            return None;
        };
        let (method, target) = (request.method?, request.path?);
        let start = range_in(input, method.as_bytes()).start;
        let head = &input[start..used];

        // Security: httparse pairs every CR with an LF, so a line that ended in a bare LF shows in
        // what stands before the next one.
        let begins_line =
            |name: &str| head[..range_in(head, name.as_bytes()).start].ends_with(b"\r\n");
        let is_strict = MOST_EMPTY_LINES.starts_with(&input[..start])
            && target.is_ascii()
            && request.headers.iter().all(|field| begins_line(field.name))
            && head.ends_with(b"\r\n\r\n");
        if !is_strict {
            return None;
        }

        self.bytes.extend_from_slice(head);
        self.method = add(&mut self.tokens, method);
        self.target = range_in(head, target.as_bytes());
        self.version = if request.version? == 0 {
            Version::Http10
        } else {
            Version::Http11
        };
        self.fields
            .extend(request.headers.iter().map(|field| FieldLine {
                key: NameKey::of(field.name.as_bytes()),
                name: add(&mut self.tokens, field.name),
                value: range_in(head, field.value),
            }));
        Some(used)
    }

    /// Takes a head that [`Place`] found valid and httparse did not, which knows 1.0 and 1.1 only: it
    /// is shown a copy that says 1.1. Rare enough that the copy does not matter.
    fn fill_later_minor(&mut self, input: &[u8], max_fields: usize) -> Option<usize> {
        let start = input.iter().position(|&byte| is_tchar(byte))?;
        let minor = start + input[start..].iter().position(|&byte| byte == b'\r')? - 1;
        let mut copy = input.to_vec();
        let sent = mem::replace(&mut copy[minor], b'1');
        let used = self.fill(&copy, max_fields)?;
        self.bytes[minor - start] = sent;
        Some(used)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.tokens.clear();
        self.fields.clear();
        (self.method, self.target, self.version) = (0..0, 0..0, Version::default());
    }

    fn token(&self, range: &Range<usize>) -> &str {
        &self.tokens[range.clone()]
    }
}

/// Appends a token, and returns where it is.
fn add(tokens: &mut String, token: &str) -> Range<usize> {
    let start = tokens.len();
    tokens.push_str(token);
    start..tokens.len()
}

/// Returns where `part`, which was cut from `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// Where in a head the next byte falls: the grammar of the request line, a byte at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of the request line, after so many empty lines.
    Blank(usize),
    /// After the CR of the empty line of that number.
    BlankEnd(usize),
    Method,
    TargetStart,
    Target,
    /// After so many bytes of [`VERSION`].
    Version(usize),
    MinorVersion,
    VersionEnd,
    /// After the CR of the request line.
    LineEnd,
    Fields(FieldSection),
}

impl Place {
    /// Returns the place after all of `input`, or why no valid head begins with it.
    fn reached(input: &[u8], max_fields: usize) -> Result<Place, Reason> {
        let mut bytes = input.iter();
        bytes.try_fold(Place::Blank(0), |place, &byte| {
            place.after(byte, max_fields)
        })
    }

    /// Returns the place after `byte`, or why no valid head has that byte here.
    fn after(self, byte: u8, max_fields: usize) -> Result<Place, Reason> {
        Ok(match (self, byte) {
            (Place::Fields(section), _) => Place::Fields(section.after(byte, max_fields)?),
            (Place::Blank(n), b'\r') if n * 2 < MOST_EMPTY_LINES.len() => Place::BlankEnd(n + 1),
            (Place::BlankEnd(n), b'\n') => Place::Blank(n),
            (Place::Blank(_) | Place::Method, _) if is_tchar(byte) => Place::Method,
            (Place::Method, b' ') => Place::TargetStart,
            (Place::TargetStart | Place::Target, b'!'..=b'~') => Place::Target,
            (Place::Target, b' ') => Place::Version(0),
            (Place::Version(n), _) if VERSION[n] == byte => match n + 1 {
                n if n < VERSION.len() => Place::Version(n),
                _ => Place::MinorVersion,
            },
            (Place::MinorVersion, b'0'..=b'9') => Place::VersionEnd,
            (Place::VersionEnd, b'\r') => Place::LineEnd,
            (Place::LineEnd, b'\n') => Place::Fields(FieldSection::LineStart(0)),

            (Place::Version(MAJOR_VERSION), b'0'..=b'9') => return Err(Reason::HeadVersion),
            (Place::BlankEnd(_) | Place::LineEnd, _) => return Err(Reason::HeadControlByte),
            // The line ends too early, as the request line of HTTP/0.9 does.
            (_, b'\r') => return Err(Reason::HeadMalformed),
            _ if byte.is_ascii_control() => return Err(Reason::HeadControlByte),
            _ => return Err(Reason::HeadMalformed),
        })
    }
}

/// Where in a header or trailer section the next byte falls: the grammar of field lines, a byte at a
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldSection {
    /// At the beginning of a line, after so many field lines.
    LineStart(usize),
    /// In the name of the field line of that number.
    Name(usize),
    /// After its colon.
    Value(usize),
    /// After its CR.
    LineEnd(usize),
    /// After the CR of the empty line.
    EmptyLineEnd,
    /// After the empty line; whatever follows is no part of the section.
    End,
}

impl FieldSection {
    /// Returns the place after `byte`, or why no valid section has that byte here.
    pub(super) fn after(self, byte: u8, max_fields: usize) -> Result<FieldSection, Reason> {
        use FieldSection::{EmptyLineEnd, End, LineEnd, LineStart, Name, Value};
        Ok(match (self, byte) {
            (LineStart(_), b'\r') => EmptyLineEnd,
            (LineStart(n), _) if n < max_fields && is_tchar(byte) => Name(n + 1),
            (Name(n), b':') => Value(n),
            (Name(n), _) if is_tchar(byte) => Name(n),
            (Value(n), b'\r') => LineEnd(n),
            (Value(n), _) if is_field_content(byte) => Value(n),
            (LineEnd(n), b'\n') => LineStart(n),
            (EmptyLineEnd, b'\n') | (End, _) => End,

            // Whitespace before the first field continues nothing; a line without a colon is no field.
            (LineStart(0), b' ' | b'\t') | (Name(_), b'\r') => return Err(Reason::HeadMalformed),
            (LineStart(_), b' ' | b'\t') => return Err(Reason::HeadFolded),
            (LineStart(_), _) if is_tchar(byte) => return Err(Reason::HeadTooManyFields),
            (Name(_), b'\t') => return Err(Reason::HeadFieldName),
            (LineEnd(_) | EmptyLineEnd, _) => return Err(Reason::HeadControlByte),
            _ if byte.is_ascii_control() => return Err(Reason::HeadControlByte),
            _ => return Err(Reason::HeadFieldName),
        })
    }
}

/// As many field lines as fit the parser's place on the stack.
const MOST_FIELDS: usize = 100;

/// What may stand before a request line (RFC 9112 section 2.2): some clients end a body with one
/// CR LF too many.
const MOST_EMPTY_LINES: &[u8] = b"\r\n\r\n";

/// What every version that is served begins with.
const VERSION: &[u8] = b"HTTP/1.";

/// The place of the major version in [`VERSION`].
const MAJOR_VERSION: usize = 5;

#[cfg(test)]
mod tests;
