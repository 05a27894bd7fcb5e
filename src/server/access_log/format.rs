//! The line of an exchange, by the format of `--log-format`.
//!
//! Shape: what is known at the beginning is written into an [`Entry`](super::Entry), with the places where the
//! rest is to stand; [`Late`] values are put there at the end.
//! Rules: what a client wrote is escaped: in JSON as JSON has it, with U+FFFD for what is no UTF-8, and elsewhere as
//! `\xNN`, as Apache and nginx do. Either way it can neither forge a line nor end a quotation.

use std::io::Write;

use super::super::origin::Whom;
use super::Entry;
use crate::config::{Early, Late, LogFormat, Part, Piece};
use crate::proto::Reason;
use crate::proto::grammar::Decimal;
use crate::proto::http::conditional::rfc3339;
use crate::proto::http::head::RequestHead;

/// How much of a request line is written, and of each other field: in `combined` and `json` together with the
/// rest less than [`LINE_MAX`].
pub(super) const REQUEST_LINE_MAX: usize = 2000;
pub(super) const QUOTED_MAX: usize = 800;

/// How much of a user's name is written.
pub(super) const USER_MAX: usize = 128;

/// How long a line may be, its end included: what a pipe takes as one. Where a format of its own makes a longer
/// one, it is cut.
pub(super) const LINE_MAX: usize = 4_095;

/// Microseconds in it.
const SECOND: u64 = 1_000_000;

/// What is known of an exchange at its beginning.
pub(super) struct Known<'a> {
    pub(super) whom: &'a Whom,
    pub(super) user: Option<&'a str>,
    pub(super) request_line: &'a [u8],
    pub(super) head: &'a RequestHead,
    pub(super) date: &'a [u8; 29],
}

/// Writes what is known at the beginning; returns where what comes at the end has its places.
pub(super) fn begin(line: &mut Vec<u8>, format: &LogFormat, known: &Known<'_>) -> Vec<usize> {
    let mut places = Vec::with_capacity(4);
    for piece in &format.pieces {
        match piece {
            Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
            Piece::Early(early) => push_early(line, early, known, format.is_json),
            Piece::Late(_) => places.push(line.len()),
        }
    }
    places
}

/// The whole line of an exchange that took `micros`.
pub(super) fn end(entry: &Entry, format: &LogFormat, micros: u64) -> Vec<u8> {
    let mut line = Vec::with_capacity(entry.text.len() + 64);
    let mut written = 0;
    let late = format.pieces.iter().filter_map(|piece| match piece {
        Piece::Late(late) => Some(*late),
        _ => None,
    });
    for (late, &place) in late.zip(&entry.places) {
        line.extend_from_slice(&entry.text[written..place]);
        written = place;
        push_late(&mut line, late, entry, micros, format.is_json);
    }
    line.extend_from_slice(&entry.text[written..]);
    if line.len() >= LINE_MAX {
        line.truncate(LINE_MAX - "...\n".len());
        line.extend_from_slice(b"...");
    }
    line.push(b'\n');
    line
}

fn push_early(line: &mut Vec<u8>, early: &Early, known: &Known<'_>, is_json: bool) {
    match early {
        // Writing to memory cannot fail.
        Early::Client if is_json => drop(write!(line, "\"{}\"", known.whom)),
        Early::Client => drop(write!(line, "{}", known.whom)),
        Early::User => {
            let user = known.user.map(str::as_bytes);
            push(line, user, USER_MAX, &OF_WORD, is_json);
        }
        Early::Date => push_log_date(line, known.date),
        Early::Timestamp => push_timestamp(line, known.date),
        Early::RequestLine => {
            let text = Some(known.request_line).filter(|text| !text.is_empty());
            push(line, text, REQUEST_LINE_MAX, &QUOTABLE, is_json);
        }
        Early::Part(part) => {
            let text = part_of(known, *part);
            push(line, text, REQUEST_LINE_MAX, &OF_WORD, is_json);
        }
        Early::Field(name) => {
            let value = known.head.field(name);
            push(line, value, QUOTED_MAX, &QUOTABLE, is_json);
        }
    }
}

/// A part of the request line; `None` where that could not be parsed.
fn part_of<'a>(known: &Known<'a>, part: Part) -> Option<&'a [u8]> {
    if known.head.request_line().is_empty() {
        return None;
    }
    let target = known.head.target();
    let query = target.iter().position(|byte| *byte == b'?');
    let (path, query) = target.split_at(query.unwrap_or(target.len()));
    Some(match part {
        Part::Method => known.head.method().as_bytes(),
        Part::Path => path,
        Part::Query => query,
        Part::Protocol => &known.request_line[known.request_line.len().saturating_sub(8)..],
    })
}

fn push_late(line: &mut Vec<u8>, late: Late, entry: &Entry, micros: u64, is_json: bool) {
    let number = match late {
        Late::Reason => {
            let code = entry.reason.map(|reason| Reason::code(reason).as_bytes());
            return push(line, code, usize::MAX - LINE_MAX, &QUOTABLE, is_json);
        }
        Late::BytesOrDash if entry.body_len == 0 => return line.push(b'-'),
        Late::SecondsFraction => {
            line.extend_from_slice(Decimal::of(micros / SECOND).as_ref());
            line.push(b'.');
            // Of seven digits, so that zeros stand before those of a short time.
            let fraction = Decimal::of(SECOND + micros % SECOND);
            return line.extend_from_slice(&fraction.as_ref()[1..]);
        }
        Late::Status => entry.status.as_u16().into(),
        Late::Bytes | Late::BytesOrDash => entry.body_len,
        Late::Seconds => micros / SECOND,
        Late::Millis => micros / 1_000,
        Late::Micros => micros,
    };
    line.extend_from_slice(Decimal::of(number).as_ref());
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as `[06/Nov/1994:08:49:37 +0000]`.
fn push_log_date(line: &mut Vec<u8>, date: &[u8; 29]) {
    line.push(b'[');
    line.extend_from_slice(&date[5..7]);
    line.push(b'/');
    line.extend_from_slice(&date[8..11]);
    line.push(b'/');
    line.extend_from_slice(&date[12..16]);
    line.push(b':');
    line.extend_from_slice(&date[17..25]);
    line.extend_from_slice(b" +0000]");
}

/// The same as `"1994-11-06T08:49:37Z"`.
fn push_timestamp(line: &mut Vec<u8>, date: &[u8; 29]) {
    line.push(b'"');
    line.extend_from_slice(&rfc3339(date));
    line.extend_from_slice(b"Z\"");
}

/// Writes a text, `max` bytes at most, or that there is none.
fn push(
    line: &mut Vec<u8>,
    text: Option<&[u8]>,
    max: usize,
    printable: &[bool; 256],
    is_json: bool,
) {
    match text {
        None if is_json => line.extend_from_slice(b"null"),
        None => line.push(b'-'),
        Some(text) if is_json => {
            line.push(b'"');
            escape_json(line, text, max);
            line.push(b'"');
        }
        Some(text) => escape(line, text, max, printable),
    }
}

fn escape(line: &mut Vec<u8>, text: &[u8], max: usize, printable: &[bool; 256]) {
    let is_printable = |byte: u8| printable[usize::from(byte)];
    // As most are.
    if text.len() + 3 <= max && text.iter().copied().all(is_printable) {
        return line.extend_from_slice(text);
    }
    let ends = line.len() + max;
    for &byte in text {
        if line.len() + 4 > ends {
            return line.extend_from_slice(b"...");
        }
        match is_printable(byte) {
            true => line.push(byte),
            false => drop(write!(line, "\\x{byte:02X}")),
        }
    }
}

fn escape_json(line: &mut Vec<u8>, text: &[u8], max: usize) {
    let ends = line.len().saturating_add(max);
    // No more of it than there may be room for.
    let text = &text[..text.len().min(max)];
    for c in text.utf8_chunks().flat_map(|chunk| {
        let wrong = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(wrong)
    }) {
        // The longest is \u0000.
        if line.len() + 6 > ends {
            return line.extend_from_slice(b"...");
        }
        match c {
            '"' | '\\' => line.extend_from_slice(&[b'\\', c as u8]),
            // Also what steers a terminal, or ends a line for some.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                drop(write!(line, "\\u{:04x}", u32::from(c)));
            }
            c => drop(write!(line, "{c}")),
        }
    }
}

/// The bytes that may stand between quotation marks.
static QUOTABLE: [bool; 256] = without(b"\"\\");

/// Those that may stand in a word: a space would begin the next one.
static OF_WORD: [bool; 256] = without(b" \"\\");

/// What is visible, and the space, but for these.
const fn without(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        table[byte as usize] = true;
        byte += 1;
    }
    let mut place = 0;
    while place < others.len() {
        table[others[place] as usize] = false;
        place += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_forge_a_line() {
        let mut line = Vec::new();
        escape(&mut line, b"a\" \\ \x1b[31m\r\nb\xff", 100, &QUOTABLE);
        assert_eq!(line, br#"a\x22 \x5C \x1B[31m\x0D\x0Ab\xFF"#);
        line.clear();
        let hostile = "a\" \\ \u{1b}[31m\r\nb\u{9b}\u{2028}é😀".as_bytes();
        escape_json(&mut line, &[hostile, b"\xff."].concat(), 100);
        let expected = r#"a\" \\ \u001b[31m\u000d\u000ab\u009b\u2028é😀"#;
        assert_eq!(
            String::from_utf8(line).unwrap(),
            format!("{expected}\u{fffd}.")
        );
    }

    #[test]
    fn dates_are_rearranged() {
        let mut line = Vec::new();
        let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
        push_log_date(&mut line, date);
        push_timestamp(&mut line, date);
        assert_eq!(
            line,
            b"[06/Nov/1994:08:49:37 +0000]\"1994-11-06T08:49:37Z\""
        );
    }
}
