//! Lists a folder as a page.
//!
//! Shape: what a folder holds → HTML. Folders first, then files, as a person would sort them: `2`
//! before `10`, `a` beside `A`.
//! Rules:
//! - Only what can be asked for is shown: no hidden names, nothing that a link takes out of the
//!   root, no name with a control character (no URL path has one), no folder of a CGI route, no copy of
//!   a program.
//! - A name is encoded in the link and escaped in the text: whoever may write a file name must not
//!   write the page.
//! - Bounded: a folder of a million names costs no more than `MOST`.
//!
//! Not here: whether a folder is listed at all (`static_file.rs`).

use std::cmp::Reverse;
use std::fmt::Write;
use std::io;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::handler::html::{escape, page};
use crate::proto::http::conditional::{http_date, last_modified};
use crate::proto::uri::path::UrlPath;
use crate::sys::beneath::{Entry, Kind, Rest, Root};

/// How many names are shown at most.
const MOST: usize = 10_000;

/// All but the unreserved characters (RFC 3986 section 2.3): a colon would make the link absolute.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The page for the folder `rel` below `root`, which is known to the client as `path`.
///
/// `is_hidden` tells which entries are left out beside those that no request could reach.
pub fn list(
    root: &Root,
    rel: &[u8],
    path: &UrlPath<'_>,
    is_hidden: impl Fn(&Entry) -> bool,
) -> io::Result<Vec<u8>> {
    let is_shown = |name: &[u8]| !name.starts_with(b".") && !name.iter().any(u8::is_ascii_control);
    let (mut entries, rest) = root.entries(rel, MOST, is_shown)?;
    entries.retain(|entry| entry.stat.kind() != Kind::Other && !is_hidden(entry));
    Ok(render(path, entries, rest))
}

fn render(path: &UrlPath<'_>, mut entries: Vec<Entry>, rest: Rest) -> Vec<u8> {
    entries.sort_by_cached_key(|entry| {
        (
            Reverse(is_folder(entry)),
            natural(&entry.name),
            entry.name.clone(),
        )
    });

    let mut main = String::from("<table>\n");
    if path.as_bytes() != b"/" {
        main.push_str("<tr><td><a href=\"../\">../</a><td><td>\n");
    }
    for entry in &entries {
        push_row(&mut main, entry);
    }
    main.push_str("</table>\n");
    if rest == Rest::More {
        // Writing to a String cannot fail.
        let _ = writeln!(main, "<p>There are more: only {MOST} names are shown.</p>");
    }
    let title = format!("Index of {}", String::from_utf8_lossy(path.as_bytes()));
    page(&title, &main)
}

fn is_folder(entry: &Entry) -> bool {
    entry.stat.kind() == Kind::Folder
}

fn push_row(main: &mut String, entry: &Entry) {
    let link = percent_encode(&entry.name, ENCODED);
    let name = escape(&String::from_utf8_lossy(&entry.name));
    let (slash, size) = match entry.stat.kind() {
        Kind::Folder => ("/", String::new()),
        _ => ("", readable_size(entry.stat.size)),
    };
    let date = http_date(last_modified(entry.stat.modified.seconds, u64::MAX));
    // Of "Sun, 06 Nov 1994 08:49:37 GMT" the day and the minute.
    let date = String::from_utf8_lossy(&date[5..22]);
    let _ = writeln!(
        main,
        "<tr><td><a href=\"{link}{slash}\">{name}{slash}</a><td>{size}<td>{date}"
    );
}

/// A length in bytes with a binary unit, as `1.5 KiB`.
fn readable_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = UNITS[0];
    let mut whole = u128::from(bytes);
    for larger in &UNITS[1..] {
        // What would be rounded to 1024.0 is one of the next.
        if tenths(whole) < 10_240 {
            break;
        }
        whole = whole.div_ceil(1024);
        unit = larger;
    }
    let tenths = tenths(whole);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A 1024th of it, rounded to tenths.
fn tenths(of: u128) -> u128 {
    (of * 10 + 512) / 1024
}

/// A part of a name: numbers sort by value, before text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The count of digits without leading zeros, then the digits.
    Number(usize, String),
    Text(String),
}

fn natural(name: &[u8]) -> Vec<Part> {
    let name: Vec<char> = String::from_utf8_lossy(name)
        .to_lowercase()
        .chars()
        .collect();
    let parts = name.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    parts
        .map(|part| {
            let text: String = part.iter().collect();
            if !part[0].is_ascii_digit() {
                return Part::Text(text);
            }
            let digits = text.trim_start_matches('0');
            Part::Number(digits.len(), digits.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests;
