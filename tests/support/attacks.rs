//! The tables of `tests/attacks`: requests as bytes, and what is to become of them.

use std::fs;
use std::path::Path;

/// A row of a table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// What stands between the name and the bytes.
    pub(crate) words: [String; 2],
    pub(crate) bytes: Vec<u8>,
}

impl Row {
    /// The method, as far as it decides whether the response has a body.
    pub(crate) fn method(&self) -> &'static str {
        match self.bytes.trim_ascii_start().starts_with(b"HEAD ") {
            true => "HEAD",
            false => "GET",
        }
    }
}

/// The rows of `refused.table` or `taken.table`.
pub(crate) fn table(name: &str) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows: Vec<Row> = lines.map(row).collect();
    assert!(!rows.is_empty(), "{name} has no rows");
    rows
}

fn row(line: &str) -> Row {
    let (before, quoted) = line
        .split_once(" \"")
        .unwrap_or_else(|| panic!("no bytes: {line}"));
    let words: Vec<&str> = before.split(' ').collect();
    let [name, first, second] = words[..] else {
        panic!("not a name and two words: {line}");
    };
    let quoted = quoted
        .strip_suffix('"')
        .unwrap_or_else(|| panic!("no end: {line}"));
    Row {
        name: name.to_string(),
        words: [first.to_string(), second.to_string()],
        bytes: unescape(quoted),
    }
}

/// The bytes that a row's text stands for.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        assert!(letter.is_ascii() && letter != '"', "{letter:?} in {text}");
        if letter != '\\' {
            bytes.push(letter as u8);
            continue;
        }
        bytes.push(match letters.next() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some(letter @ ('\\' | '"')) => letter as u8,
            Some('x') => {
                let digits: String = letters.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).unwrap()
            }
            other => panic!("\\{other:?} in {text}"),
        });
    }
    bytes
}
