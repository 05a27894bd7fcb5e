//! Every reason code is there once and is documented, with its status, in `docs/reasons.md`; and
//! nothing is documented that does not exist.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use tollgate::proto::Reason;
use tollgate::proto::finding::Lint;

/// The rows of the table in `docs/reasons.md`: code and status.
fn documented() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reasons.md");
    let page = fs::read_to_string(path).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(
            cells.len(),
            6,
            "not a row of code, status, meaning and advice: {row}"
        );
        assert!(
            cells.iter().skip(1).take(4).all(|cell| !cell.is_empty()),
            "an empty cell: {row}"
        );
        (cells[1].trim_matches('`').to_string(), cells[2].to_string())
    })
    .collect()
}

/// The rows as the program has them.
fn known() -> Vec<(String, String)> {
    let row = |reason: &Reason| {
        (
            reason.code().to_string(),
            reason.status().as_u16().to_string(),
        )
    };
    Reason::ALL.iter().map(row).collect()
}

#[test]
fn codes_are_unique_and_of_the_form_area_dot_what() {
    let mut seen = BTreeSet::new();
    for reason in Reason::ALL {
        let code = reason.code();
        assert!(seen.insert(code), "{code} is there twice");
        let (area, what) = code.split_once('.').unwrap();
        for word in [area, what] {
            let allowed = word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(allowed && !word.is_empty(), "{code}");
        }
    }
}

#[test]
fn meanings_are_sentences() {
    for reason in Reason::ALL {
        let (code, meaning) = (reason.code(), reason.meaning());
        assert!(
            meaning.ends_with('.') && meaning.len() <= 120,
            "{code}: {meaning}"
        );
    }
}

#[test]
fn every_reason_is_documented_with_its_status_and_no_other() {
    let (known, documented) = (known(), documented());
    for row in &known {
        assert!(
            documented.contains(row),
            "docs/reasons.md has no row {row:?}"
        );
    }
    for row in &documented {
        assert!(
            known.contains(row),
            "docs/reasons.md has a row that no code has: {row:?}"
        );
    }
    assert_eq!(
        known.len(),
        documented.len(),
        "docs/reasons.md has a row twice"
    );
}

#[test]
fn every_lint_is_documented_and_no_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reasons.md");
    let page = fs::read_to_string(path).unwrap();
    let documented: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.split_once('`'))
        .map(|(code, _)| code)
        .collect();
    let known: Vec<&str> = Lint::ALL.iter().map(|lint| lint.code()).collect();
    assert_eq!(documented, known);
}
