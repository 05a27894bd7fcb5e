//! Holds SECURITY.md and docs/limits.md to the tree, and the links of all documents: files, tests, options, reason
//! codes and values that are named are there, every bound of the source has its row, and threats are numbered
//! without a gap.
//!
//! Shape: [`threats`], [`limits`] and [`links`] take a document as text and a [`Tree`], and list what is wrong. That
//! they find it is tried by misspelling the documents.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

#[path = "documents/figures.rs"]
mod figures;
#[path = "documents/measured.rs"]
mod measured;
#[path = "documents/scaling.rs"]
mod scaling;
#[path = "documents/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use figures::{evaluate, figure, value_of};
use tollgate::config::flags::FLAGS;
use tollgate::proto::Reason;
use tree::{Tree, constants, files_below};

/// Constants that are numbers or times and bound nobody: sizes of buffers and of what is done at once, how often
/// something is looked at, numbers of standards and of the system, and parts of other constants.
const NO_BOUNDS: &[(&str, &str)] = &[
    ("config/args.rs", "LONGEST"),
    ("config/flags/table.rs", "KIB MIB TIB"),
    ("config/help.rs", "WIDTH INDENT"),
    ("console/events.rs", "STATE PACE"),
    ("console/journey.rs", "REUSED_MAX"),
    ("console/ledger.rs", "BOOKS_MAX"),
    ("console/mod.rs", "STACK DESCRIPTORS THREADS_MAX"),
    ("handler/auth/mod.rs", "FRESH"),
    ("handler/cache.rs", "PLACE SETTLED"),
    ("handler/cgi/bulk.rs", "MUCH ROUNDS"),
    ("handler/fastcgi/links.rs", "NOBODY"),
    ("handler/fastcgi/lookup.rs", "STACK"),
    ("handler/fastcgi/run/sending.rs", "STDIN_AHEAD"),
    ("handler/fastcgi/supervisor.rs", "STACK OUTPUT_READ"),
    ("handler/fastcgi/supervisor/crew.rs", "LOOKS LEAVING_LOOK"),
    ("handler/reply.rs", "COPIED_MAX BODY_PARTS"),
    ("proto/explain/file.rs", "PT_INTERP"),
    ("proto/fastcgi/params.rs", "LONG"),
    ("proto/fastcgi/record.rs", "HEADER_LEN CONTENT_MAX LEN"),
    (
        "proto/fastcgi/request.rs",
        "STDIN_STEP ALIGNMENT CUSTOMARY_LEN",
    ),
    ("proto/grammar.rs", "DIGITS_MAX"),
    ("proto/http/chunked.rs", "CHUNK_SIZE_LEN"),
    ("proto/http/conditional.rs", "LAST_SECOND"),
    ("proto/http/head.rs", "MAJOR_VERSION"),
    ("proto/http/response.rs", "NAME"),
    ("proto/network.rs", "MAPPED"),
    ("proto/proxy.rs", "FIXED"),
    ("server/connection/receive.rs", "READ_LEAST"),
    ("server/connection/respond.rs", "GATHERED_MAX"),
    ("server/access_log/format.rs", "SECOND"),
    ("server/applications.rs", "TICK_MAX"),
    ("server/body.rs", "READ_LEN"),
    ("server/check.rs", "BUFFERED_FROM"),
    (
        "server/mod.rs",
        "LISTENER_TOKEN APPLICATION_TOKEN WAKE_TOKEN STACK",
    ),
    ("proto/address.rs", "LONGEST"),
    ("server/opening.rs", "SINGLE"),
    ("server/parking.rs", "DESCRIPTORS FIRST_LISTENER"),
    ("server/sandbox.rs", "TRUNCATE"),
    ("server/supervision.rs", "SIGN INTERVAL_MIN"),
    ("server/table.rs", "BLOCK NOWHERE STANDINGS"),
    ("server/worker.rs", "INPUT_LEN OUTPUT_LEN BEHIND FOLLOWED"),
    ("sys/activation.rs", "FIRST"),
    ("sys/child.rs", "CPU_LIMIT FILE_LIMIT PIPE_LEAST ASK_AGAIN"),
    ("sys/clock.rs", "STAMP_MASK"),
    ("sys/descriptors.rs", "SIGPIPE"),
    ("sys/outgoing.rs", "PARTS SENDFILE LONG"),
    ("sys/poller.rs", "REPORTED SLEPT"),
    ("sys/sandbox.rs", "WHOLE"),
    ("sys/service.rs", "WITHOUT_PIDFD"),
    ("sys/spawner/order.rs", "REPORT_LEN REPORTS_MAX"),
    ("sys/spawner/process.rs", "DESCRIPTORS_MAX"),
    ("sys/watch.rs", "WITHOUT_PIDFD"),
];

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What is wrong with the words in backticks of a text: an option, a reason code with the status before it, or the
/// path of a file.
fn words(text: &str, tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    if !text.matches('`').count().is_multiple_of(2) {
        problems.push(format!("a backtick without another in: {text}"));
    }
    let mut before = "";
    for (at, piece) in text.split('`').enumerate() {
        if at % 2 == 0 {
            before = piece;
            continue;
        }
        if let Some(option) = piece.strip_prefix("--") {
            let name = option.split([' ', '=']).next().unwrap();
            if !FLAGS.iter().any(|flag| flag.long == name) {
                problems.push(format!("no option --{name}"));
            }
            continue;
        }
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        };
        let is_code = piece
            .split_once('.')
            .is_some_and(|(area, what)| is_word(area) && is_word(what));
        let last = piece.rsplit('/').next().unwrap();
        let is_file = [".rs", ".md", ".toml", ".table", ".py"]
            .iter()
            .any(|end| last.ends_with(end));
        // `area` stands for any, and what begins with a slash is a URL.
        if piece.contains("/area") || piece.starts_with('/') {
            continue;
        }
        if is_file || piece.ends_with('/') {
            let is_there = ["", "src"]
                .iter()
                .any(|folder| tree.root.join(folder).join(piece).exists());
            if !is_there {
                problems.push(format!("no file {piece}"));
            }
        } else if is_code {
            let status = before
                .trim_end()
                .rsplit(|c: char| !c.is_ascii_digit())
                .next()
                .unwrap();
            match Reason::ALL.iter().find(|reason| reason.code() == piece) {
                None => problems.push(format!("no reason code {piece}")),
                Some(reason)
                    if status.len() == 3 && status != reason.status().as_u16().to_string() =>
                {
                    problems.push(format!("{piece} is not answered with {status}"));
                }
                Some(_) => {}
            }
        }
    }
    problems
}

/// What is wrong with the files and tests that a row names.
fn evidence(files: &[&str], tests: &[&str], tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    if files.is_empty() || tests.is_empty() {
        problems.push("no file or no test".to_owned());
    }
    for file in files {
        if !tree.root.join("src").join(file).is_file() && !tree.root.join(file).is_file() {
            problems.push(format!("no file src/{file}"));
        }
    }
    for test in tests {
        if !tree.has_test(test, files) {
            problems.push(format!("no test {test}"));
        }
    }
    problems
}

/// What is wrong with docs/limits.md.
fn limits(page: &str, tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut options, mut bounds) = (BTreeSet::new(), BTreeSet::new());
    let is_row = |line: &&str| {
        line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| bound |")
    };
    for row in page.lines().filter(is_row) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [bound, by, value, happens, files, tests] = cells[..] else {
            problems.push(format!("not a row of six cells: {row}"));
            continue;
        };
        let mut wrong = |problem: String| problems.push(format!("{bound}: {problem}"));
        if cells.iter().any(|cell| cell.is_empty()) {
            wrong("an empty cell".to_owned());
        }
        let files: Vec<&str> = files.split(", ").collect();
        let tests: Vec<&str> = quoted(tests).collect();
        for problem in evidence(&files, &tests, tree) {
            wrong(problem);
        }
        for problem in [by, value, happens]
            .iter()
            .flat_map(|cell| words(cell, tree))
        {
            wrong(problem);
        }
        let name = quoted(by).next().unwrap_or_default();
        if let Some(option) = name.strip_prefix("--") {
            let Some(flag) = FLAGS.iter().find(|flag| flag.long == option) else {
                continue;
            };
            options.insert(option);
            if let Some(expected) = value_of(flag).filter(|expected| expected != value) {
                wrong(format!("the value of {name} is {expected}, not {value}"));
            }
        } else if !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            let constants: Vec<_> = files
                .iter()
                .flat_map(|file| {
                    tree.constants(file, name)
                        .into_iter()
                        .map(move |value| (*file, value))
                })
                .collect();
            bounds.extend(constants.iter().map(|(file, _)| (*file, name)));
            let is_said = |expression: &str| match evaluate(expression) {
                None => true,
                // A time of a file system is a number of seconds.
                Some(number) => {
                    [Some(number), number.checked_mul(1_000_000)].contains(&figure(value))
                }
            };
            let is_elsewhere = files.iter().any(|file| {
                let text = tree.source(file).unwrap_or_default();
                text.contains(&format!("const {name}: "))
            });
            if !is_elsewhere
                || !constants.is_empty() && !constants.iter().any(|(_, it)| is_said(it))
            {
                wrong(format!(
                    "no constant {name} of {value} in {}",
                    files.join(", ")
                ));
            }
        } else if by != "the system's"
            && !files.iter().any(|file| {
                tree.source(file)
                    .is_some_and(|text| text.contains(&format!("fn {name}(")))
            })
        {
            wrong(format!("{by} is no option, constant or function"));
        }
    }
    let numeric = FLAGS
        .iter()
        .filter(|flag| value_of(flag).is_some() || flag.long == "limit");
    for flag in numeric.filter(|flag| !options.contains(flag.long) && flag.long != "limit") {
        problems.push(format!("{flag} has no row"));
    }
    let others: BTreeSet<(&str, &str)> = NO_BOUNDS
        .iter()
        .flat_map(|(file, names)| names.split(' ').map(move |name| (*file, name)))
        .collect();
    let mut known = BTreeSet::new();
    for (path, text) in &tree.sources {
        let Some(file) = path.strip_prefix("src").ok().and_then(Path::to_str) else {
            continue;
        };
        let is_of_tests = ["tests.rs", "testing.rs"]
            .iter()
            .any(|it| file.ends_with(it));
        if !is_of_tests && !file.contains("/tests/") {
            known.extend(constants(text).map(|constant| (file, constant.name)));
        }
    }
    for (file, name) in known.difference(&others).filter(|it| !bounds.contains(*it)) {
        problems.push(format!(
            "src/{file}: {name} has no row; if it bounds nobody, NO_BOUNDS of this test can have it"
        ));
    }
    for (file, name) in others
        .iter()
        .filter(|it| !known.contains(*it) || bounds.contains(*it))
    {
        problems.push(format!(
            "src/{file}: {name} of NO_BOUNDS is gone, or has a row"
        ));
    }
    problems
}

/// What is wrong with SECURITY.md.
fn threats(page: &str, tree: &Tree) -> Vec<String> {
    let mut problems = words(page, tree);
    let number_of = |line: &str| {
        line.split_once(". **")
            .and_then(|(number, _)| number.parse::<usize>().ok())
    };
    let mut items: Vec<(usize, String)> = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        if let Some(number) = number_of(line) {
            items.push((number, String::new()));
        }
        is_inside = number_of(line).is_some() || is_inside && line.starts_with("   ");
        if let Some((_, item)) = items.last_mut().filter(|_| is_inside) {
            item.push_str(line);
            item.push('\n');
        }
    }
    let rules = page.matches("Kept by").count();
    if items.is_empty() || items.len() != rules {
        problems.push(format!("{} threats, and {rules} rules", items.len()));
    }
    for (at, (number, item)) in items.iter().enumerate() {
        if *number != at + 1 {
            problems.push(format!("threat {number} where {} comes next", at + 1));
        }
        let kept = item
            .split_once("Kept by ")
            .and_then(|(_, rest)| rest.split_once("Tried by"));
        let Some((files, tests)) = kept else {
            problems.push(format!("threat {number} has no 'Kept by' and 'Tried by'"));
            continue;
        };
        let files: Vec<&str> = quoted(files).collect();
        let tests: Vec<&str> = quoted(tests).collect();
        let found = evidence(&files, &tests, tree);
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("threat {number}: {problem}")),
        );
    }
    for target in files_below(&tree.root.join("fuzz/fuzz_targets"), "rs") {
        let row = format!("| `{}` |", target.file_stem().unwrap().display());
        if !page.contains(&row) {
            problems.push(format!("no row of the fuzz target {row}"));
        }
    }
    problems
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines of a document that are in no block of code: there a `#` begins a comment.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    page.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence && !line.starts_with("    ")
    })
}

/// The relative links of a document at `path` that lead nowhere.
fn links(page: &str, path: &Path, tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let folder = path.parent().unwrap();
    for target in prose(page).flat_map(|line| line.split("](").skip(1)) {
        let target = target.split(')').next().unwrap();
        if target.contains("://") {
            continue;
        }
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let place = match file {
            "" => path.to_owned(),
            _ => folder.join(file),
        };
        let is_outside = place.components().fold(0_i32, |depth, part| match part {
            Component::ParentDir => depth - 1,
            _ => depth + 1,
        }) <= 0;
        let place = tree.root.join(place);
        let has_heading = || {
            let other = fs::read_to_string(&place).unwrap_or_default();
            let there = if file.is_empty() { page } else { &other };
            let mut headings = prose(there).filter(|line| line.starts_with('#'));
            headings.any(|line| anchor(line) == heading)
        };
        if is_outside
            || !file.is_empty() && !place.exists()
            || !heading.is_empty() && !has_heading()
        {
            problems.push(format!("{}: {target} leads nowhere", path.display()));
        }
    }
    problems
}

#[test]
#[cfg_attr(
    not(all(feature = "auth", feature = "console", feature = "fastcgi")),
    ignore = "documents tell of all options"
)]
fn threats_have_their_rules_and_tests() {
    let tree = Tree::read();
    let problems = threats(&tree.document("SECURITY.md"), &tree);
    assert!(problems.is_empty(), "SECURITY.md:\n{}", problems.join("\n"));
}

#[test]
#[cfg_attr(
    not(all(feature = "auth", feature = "console", feature = "fastcgi")),
    ignore = "documents tell of all options"
)]
fn every_bound_has_its_row() {
    let tree = Tree::read();
    let problems = limits(&tree.document("docs/limits.md"), &tree);
    assert!(
        problems.is_empty(),
        "docs/limits.md:\n{}",
        problems.join("\n")
    );
}

#[test]
fn growth_is_counted_with_what_was_measured() {
    let tree = Tree::read();
    let page = tree.document("docs/scaling.md");
    let performance = tree.document("docs/performance.md");
    let problems = scaling::problems(&page, &performance);
    assert!(
        problems.is_empty(),
        "docs/scaling.md:\n{}",
        problems.join("\n")
    );
    // Each figure of these rows, and the name, cannot be another one.
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| CGI, static C hello |"))
        .collect();
    assert_eq!(rows.len(), 2);
    for row in rows {
        for (at, _) in row.match_indices(' ').skip(1) {
            let wrong = format!("{}7{}", &row[..at], &row[at..]);
            let slip = page.replace(row, &wrong);
            assert_ne!(
                scaling::problems(&slip, &performance),
                [""; 0],
                "{wrong} goes unnoticed"
            );
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let tree = Tree::read();
    let pages = files_below(&tree.root, "md");
    assert!(pages.len() >= 10, "{pages:?}");
    for page in pages {
        let path = page.strip_prefix(&tree.root).unwrap();
        let problems = links(&fs::read_to_string(&page).unwrap(), path, &tree);
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}

#[test]
fn the_readme_says_who_is_faster_as_it_was_measured() {
    let tree = Tree::read();
    let page = tree.document("docs/performance.md");
    assert_eq!(measured::differences(&page), Vec::<String>::new());
    for (right, wrong) in [
        ("| CGI, sh hello | ", "| CGI, sh hello | 1 | "),
        ("| file of 100 KB |", "| file |"),
    ] {
        let page = page.replace(right, wrong);
        assert!(!measured::differences(&page).is_empty(), "{wrong}");
    }
}

/// Both documents with each of these slips, of which none may go unnoticed.
#[test]
#[cfg_attr(
    not(all(feature = "auth", feature = "console", feature = "fastcgi")),
    ignore = "documents tell of all options"
)]
fn slips_are_found() {
    type Check = fn(&str, &Tree) -> Vec<String>;
    let in_limits: &[(&str, &str)] = &[
        ("`--max-body`", "`--max-bodies`"),
        ("| `--nice` | 0 (0 to 19) |", "| `--nice` | 0 (0 to 20) |"),
        ("16 KiB (1 KiB to 1 MiB)", "8 KiB (1 KiB to 1 MiB)"),
        ("as `--cgi-timeout`", "as `--send-timeout`"),
        ("4 per core", "3 per core"),
        ("431 `head.too-long`", "413 `head.too-long`"),
        ("`head.too-long`", "`head.to-long`"),
        ("| `MOST_FIELDS` | 100 |", "| `MOST_FIELDS` | 101 |"),
        ("| `MOST_FIELDS` |", "| `MOST_FIELD` |"),
        ("| `LINGER` | 5 s |", "| `LINGER` | 5 ms |"),
        ("| `checks_at_once` |", "| `checks_at_one` |"),
        ("| proto/http/chunked.rs |", "| proto/http/chunk.rs |"),
        ("| proto/http/chunked.rs |", "| proto/http/head.rs |"),
        (
            "`lines_and_trailers_are_bounded`",
            "`lines_and_trailers_are_bound`",
        ),
        ("`torture/many-idle`", "`torture/many-idl`"),
        ("`outgoing::without_room", "`spool::without_room"),
        ("| time in line |", "| time | in line |"),
        ("`RACES`", "RACES"),
    ];
    let in_threats: &[(&str, &str)] = &[
        ("\n7. **", "\n8. **"),
        ("\n59. **", "\n 59. **"),
        ("Kept by `proto/http/host.rs`", "By `proto/http/host.rs`"),
        ("`proto/http/host.rs`", "`proto/http/hosts.rs`"),
        ("`host::authorities`", "`host::authority`"),
        ("`auth/who_guesses", "`cgi/who_guesses"),
        ("502 `cgi.header-malformed`", "500 `cgi.header-malformed`"),
        ("`--sandbox`", "`--sand-box`"),
        ("| `range` |", "| `ranges` |"),
        ("`deny.toml`", "`deny.tom`l"),
    ];
    let tree = Tree::read();
    let documents: [(&str, Check, _); 2] = [
        ("docs/limits.md", limits, in_limits),
        ("SECURITY.md", threats, in_threats),
    ];
    for (name, check, slips) in documents {
        let page = tree.document(name);
        for (right, wrong) in slips {
            assert!(page.contains(right), "{name} has no {right}");
            let problems = check(&page.replacen(right, wrong, 1), &tree);
            assert!(!problems.is_empty(), "{name}: {wrong} in place of {right}");
        }
        // A row that is taken out is missed, of a bound at least.
        let row = page
            .lines()
            .find(|line| line.contains("| `range` |") || line.contains("| `LINGER` |"));
        let without = page.replace(row.unwrap(), "");
        assert!(!check(&without, &tree).is_empty(), "{name} without {row:?}");
    }
    let page = "[a](docs/limits.md) [b](docs/manual.md#signals) [c](#there)\n# There\n\
                ```\n[d](nowhere)\n```\n";
    assert_eq!(links(page, Path::new("X.md"), &tree), Vec::<String>::new());
    for wrong in [
        "docs/limit.md",
        "docs/manual.md#signal",
        "docs/console.pngg",
        "#their",
        "../other/file.md",
    ] {
        let page = format!("[a]({wrong})\n# There\n```\n# their\n```\n");
        assert_eq!(links(&page, Path::new("X.md"), &tree).len(), 1, "{wrong}");
    }
}
