//! Holds SECURITY.md and docs/limits.md to the tree, and the links of all documents: files, tests, options, reason
//! codes and values that are named are there, every bound of the source has its row, and threats are numbered
//! without a gap.
//!
//! Shape: [`threats`], [`limits`] and [`links`] take a document as text and a [`Tree`], and list what is wrong. That
//! they find it is tried by misspelling the documents.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use tollgate::config::flags::{FLAGS, Fallback, Flag, Takes};
use tollgate::proto::Reason;

/// Constants that are numbers or times and bound nobody: sizes of buffers and of what is done at once, how often
/// something is looked at, numbers of standards and of the system, and parts of other constants.
const NO_BOUNDS: &[(&str, &str)] = &[
    ("config/flags/table.rs", "KIB MIB TIB"),
    ("config/help.rs", "WIDTH INDENT"),
    ("handler/auth/mod.rs", "FRESH"),
    ("handler/cache.rs", "PLACE SETTLED"),
    ("handler/cgi/bulk.rs", "MUCH ROUNDS"),
    ("handler/fastcgi/links.rs", "NOBODY"),
    ("handler/fastcgi/lookup.rs", "STACK"),
    ("handler/fastcgi/run/sending.rs", "STDIN_AHEAD"),
    ("handler/fastcgi/supervisor.rs", "STACK OUTPUT_READ"),
    ("handler/fastcgi/supervisor/crew.rs", "LOOKS LEAVING_LOOK"),
    ("handler/reply.rs", "COPIED_MAX BODY_PARTS"),
    ("proto/fastcgi/params.rs", "LONG"),
    ("proto/fastcgi/record.rs", "HEADER_LEN CONTENT_MAX LEN"),
    ("proto/fastcgi/request.rs", "STDIN_STEP ALIGNMENT"),
    ("proto/http/chunked.rs", "CHUNK_SIZE_LEN"),
    ("proto/http/conditional.rs", "LAST_SECOND"),
    ("proto/http/head.rs", "MAJOR_VERSION"),
    ("proto/network.rs", "MAPPED"),
    ("proto/proxy.rs", "FIXED"),
    ("server/connection/receive.rs", "READ_LEAST"),
    ("server/connection/respond.rs", "GATHERED_MAX LONG"),
    ("server/body.rs", "READ_LEN"),
    ("server/exchange/forward.rs", "LONG"),
    (
        "server/mod.rs",
        "LISTENER_TOKEN APPLICATION_TOKEN WAKE_TOKEN STACK",
    ),
    ("server/opening.rs", "SINGLE"),
    ("server/table.rs", "BLOCK"),
    (
        "server/worker.rs",
        "INPUT_LEN OUTPUT_LEN BEHIND ACCEPTED_ALONE",
    ),
    (
        "sys/child.rs",
        "CPU_LIMIT FILE_LIMIT PIPE_LEAST ASK_AGAIN",
    ),
    ("sys/descriptors.rs", "SIGPIPE"),
    ("sys/outgoing.rs", "PARTS SENDFILE"),
    ("sys/poller.rs", "REPORTED SLEPT"),
    ("sys/sandbox.rs", "WHOLE"),
    ("sys/service.rs", "WITHOUT_PIDFD"),
    ("sys/spawner/order.rs", "REPORT_LEN"),
    ("sys/spawner/process.rs", "DESCRIPTORS_MAX"),
    ("sys/watch.rs", "WITHOUT_PIDFD"),
];

/// A test, by the file that it is in and its name.
type Test = (PathBuf, String);

/// What documents can name.
struct Tree {
    root: PathBuf,
    /// Every Rust file of src and tests, by its path below the root.
    sources: BTreeMap<PathBuf, String>,
    tests: BTreeSet<Test>,
}

impl Tree {
    fn read() -> Tree {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let sources: BTreeMap<_, _> = ["src", "tests"]
            .into_iter()
            .flat_map(|folder| files_below(&root.join(folder), "rs"))
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                (path.strip_prefix(&root).unwrap().to_owned(), text)
            })
            .collect();
        let tests = sources.iter().flat_map(|(path, text)| {
            let names = tests_of(text);
            names.map(move |name| (path.clone(), name.to_owned()))
        });
        let tests = tests.collect();
        Tree {
            root,
            sources,
            tests,
        }
    }

    fn document(&self, name: &str) -> String {
        fs::read_to_string(self.root.join(name)).unwrap()
    }

    /// Whether there is a test of the name that a document gives it, in a row about `files`.
    fn has_test(&self, name: &str, files: &[&str]) -> bool {
        if let Some(scenario) = name.strip_prefix("torture/") {
            let row = format!("(\"{scenario}\", ");
            let mut sources = self.sources.iter();
            return sources.any(|(path, text)| {
                path.starts_with("tests/torture") && text.contains(&row)
                    || scenario == "soak" && path.ends_with("tests/torture/soak.rs")
            });
        }
        let is_at = |path: PathBuf, test: &str| self.tests.contains(&(path, test.to_owned()));
        if let Some((area, test)) = name.split_once('/') {
            return is_at(format!("tests/integration/{area}.rs").into(), test)
                || is_at(format!("tests/{area}.rs").into(), test);
        }
        match name.split_once("::") {
            Some((stem, test)) => self.sources.keys().any(|path| {
                path.starts_with("src")
                    && has_stem(path, stem)
                    && unit_tests_of(path).into_iter().any(|path| is_at(path, test))
            }),
            None => files.iter().any(|file| {
                let paths = unit_tests_of(&Path::new("src").join(file));
                paths.into_iter().any(|path| is_at(path, name))
            }),
        }
    }

    /// The expressions that constants of this name have in a file below src.
    fn constants(&self, file: &str, name: &str) -> Vec<&str> {
        let text = self.source(file).unwrap_or_default();
        let found = constants(text).filter(|constant| constant.name == name);
        found.map(|constant| constant.value).collect()
    }

    fn source(&self, file: &str) -> Option<&str> {
        self.sources.get(&Path::new("src").join(file)).map(|text| &**text)
    }
}

/// The files below a folder that end so, hidden ones and what is built left out.
fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let is_left_out = name.as_encoded_bytes().starts_with(b".")
            || ["target", "corpus", "artifacts"].iter().any(|other| name == *other);
        match entry.file_type().unwrap() {
            _ if is_left_out => {}
            kind if kind.is_dir() => found.extend(files_below(&path, extension)),
            _ if path.extension().is_some_and(|it| it == extension) => found.push(path),
            _ => {}
        }
    }
    found
}

/// The names of the tests of a source file.
fn tests_of(text: &str) -> impl Iterator<Item = &str> {
    let mut is_next = false;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        if line == "#[test]" {
            is_next = true;
        }
        let name = line.strip_prefix("fn ")?.split('(').next()?;
        std::mem::take(&mut is_next).then_some(name)
    })
}

/// The name that tests call a file by: that of the folder for `mod.rs`.
fn has_stem(path: &Path, stem: &str) -> bool {
    match path.file_stem() {
        Some(name) if name == "mod" => path.parent().is_some_and(|folder| folder.ends_with(stem)),
        name => name.is_some_and(|name| name == stem),
    }
}

/// Where the unit tests of a file are: in it, or beside it.
fn unit_tests_of(path: &Path) -> [PathBuf; 2] {
    let beside = match path.ends_with("mod.rs") {
        true => path.with_file_name("tests.rs"),
        false => path.with_extension("").join("tests.rs"),
    };
    [path.to_owned(), beside]
}

/// A constant that is a number or a time.
struct Constant<'t> {
    name: &'t str,
    value: &'t str,
}

/// The constants of a source file, without those of its tests.
fn constants(text: &str) -> impl Iterator<Item = Constant<'_>> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = match line.strip_prefix("pub") {
            Some(line) => &line[line.find("const ")?..],
            None => line,
        };
        let (name, line) = line.strip_prefix("const ")?.split_once(": ")?;
        let (kind, value) = line.split_once(" = ")?;
        let kinds = ["usize", "u64", "u32", "i32", "i64", "Duration", "[Duration; 2]"];
        let value = value.split(';').next()?;
        kinds.contains(&kind).then_some(Constant { name, value })
    })
}

/// A count, bytes, or microseconds.
type Value = u64;

/// What a constant's expression comes to, `None` where it speaks of other constants.
fn evaluate(expression: &str) -> Option<Value> {
    let expression = expression.trim();
    for (call, unit) in [("secs", 1_000_000), ("millis", 1_000), ("micros", 1)] {
        let call = format!("Duration::from_{call}(");
        if let Some(inner) = expression.strip_prefix(&*call) {
            return Some(evaluate(inner.strip_suffix(')')?)? * unit);
        }
    }
    if let Some((left, right)) = expression.split_once(" << ") {
        return Some(evaluate(left)? << evaluate(right)?);
    }
    if let Some((left, right)) = expression.split_once(" * ") {
        return Some(evaluate(left)? * evaluate(right)?);
    }
    expression.replace('_', "").parse().ok()
}

/// What a document's figure comes to: `16 KiB`, `250 ms`, `10,000`. More may follow.
fn figure(text: &str) -> Option<Value> {
    let mut words = text.split(' ');
    let number: Value = words.next()?.replace(',', "").parse().ok()?;
    let unit = match words.next().unwrap_or_default() {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "days" => 24 * 3_600_000_000,
        _ => 1,
    };
    Some(number * unit)
}

/// A number as documents write it: `10,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size as documents write it: `16 KiB`.
fn sized(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = |shift: u32| bytes != 0 && bytes.trailing_zeros() >= shift;
    match units.into_iter().find(|(shift, _)| whole(*shift)) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} B"),
    }
}

/// What the row of an option says of its value; `None` for one that sets no number.
fn value_of(flag: &Flag) -> Option<String> {
    let (unit, range) = match &flag.takes {
        Takes::Count(range, _) => {
            let [least, most] = [*range.start(), *range.end()].map(|end| grouped(end as u64));
            ("", format!(" ({least} to {most})"))
        }
        Takes::Size(range, _) => {
            let [least, most] = [*range.start(), *range.end()].map(sized);
            ("", format!(" ({least} to {most})"))
        }
        Takes::Seconds(_) => (" s", String::new()),
        _ => return None,
    };
    let default = match &flag.default {
        Fallback::Value(value) => match &flag.takes {
            Takes::Size(..) => format!("{} {}iB", &value[..value.len() - 1], &value[value.len() - 1..]),
            _ => format!("{}{unit}", grouped(value.parse().unwrap())),
        },
        Fallback::Computed(words, _) => (*words).to_owned(),
        Fallback::Like(other) => format!("as `--{other}`"),
        Fallback::None | Fallback::Words(_) => return None,
    };
    Some(default + &range)
}

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
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let is_code = piece.split_once('.').is_some_and(|(area, what)| is_word(area) && is_word(what));
        let last = piece.rsplit('/').next().unwrap();
        let is_file = [".rs", ".md", ".toml", ".table", ".py"].iter().any(|end| last.ends_with(end));
        if is_file || piece.ends_with('/') {
            let is_there = ["", "src"].iter().any(|folder| tree.root.join(folder).join(piece).exists());
            if !is_there {
                problems.push(format!("no file {piece}"));
            }
        } else if is_code {
            let status = before.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next().unwrap();
            match Reason::ALL.iter().find(|reason| reason.code() == piece) {
                None => problems.push(format!("no reason code {piece}")),
                Some(reason) if status.len() == 3 && status != reason.status().as_u16().to_string() => {
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
    let is_row = |line: &&str| line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| bound |");
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
        for problem in [by, value, happens].iter().flat_map(|cell| words(cell, tree)) {
            wrong(problem);
        }
        let name = quoted(by).next().unwrap_or(by);
        if let Some(option) = name.strip_prefix("--") {
            let Some(flag) = FLAGS.iter().find(|flag| flag.long == option) else {
                continue;
            };
            options.insert(option);
            if let Some(expected) = value_of(flag).filter(|expected| expected != value) {
                wrong(format!("the value of {name} is {expected}, not {value}"));
            }
        } else if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            let constants: Vec<_> = files
                .iter()
                .flat_map(|file| tree.constants(file, name).into_iter().map(move |value| (*file, value)))
                .collect();
            bounds.extend(constants.iter().map(|(file, _)| (*file, name)));
            let is_said = |expression: &str| match evaluate(expression) {
                None => true,
                // A time of a file system is a number of seconds.
                Some(number) => [Some(number), number.checked_mul(1_000_000)].contains(&figure(value)),
            };
            let is_elsewhere = files.iter().any(|file| {
                let text = tree.source(file).unwrap_or_default();
                text.contains(&format!("const {name}: "))
            });
            if !is_elsewhere || !constants.is_empty() && !constants.iter().any(|(_, it)| is_said(it)) {
                wrong(format!("no constant {name} of {value} in {}", files.join(", ")));
            }
        } else if name != "the system's"
            && !files.iter().any(|file| tree.source(file).is_some_and(|text| text.contains(&format!("fn {name}("))))
        {
            wrong(format!("{name} is no option, constant or function"));
        }
    }
    let numeric = FLAGS.iter().filter(|flag| value_of(flag).is_some() || flag.long == "limit");
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
        if !file.ends_with("tests.rs") && !file.ends_with("testing.rs") {
            known.extend(constants(text).map(|constant| (file, constant.name)));
        }
    }
    for (file, name) in known.difference(&others).filter(|it| !bounds.contains(*it)) {
        problems.push(format!("src/{file}: {name} has no row; if it bounds nobody, NO_BOUNDS of this test can have it"));
    }
    for (file, name) in others.iter().filter(|it| !known.contains(*it) || bounds.contains(*it)) {
        problems.push(format!("src/{file}: {name} of NO_BOUNDS is gone, or has a row"));
    }
    problems
}

/// What is wrong with SECURITY.md.
fn threats(page: &str, tree: &Tree) -> Vec<String> {
    let mut problems = words(page, tree);
    let number_of = |line: &str| line.split_once(". **").and_then(|(number, _)| number.parse::<usize>().ok());
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
    if items.is_empty() {
        problems.push("no threat".to_owned());
    }
    for (at, (number, item)) in items.iter().enumerate() {
        if *number != at + 1 {
            problems.push(format!("threat {number} where {} comes next", at + 1));
        }
        let kept = item.split_once("Kept by ").and_then(|(_, rest)| rest.split_once("Tried by "));
        let Some((files, tests)) = kept else {
            problems.push(format!("threat {number} has no 'Kept by' and 'Tried by'"));
            continue;
        };
        let files: Vec<&str> = quoted(files).collect();
        let tests: Vec<&str> = quoted(tests).collect();
        let found = evidence(&files, &tests, tree);
        problems.extend(found.into_iter().map(|problem| format!("threat {number}: {problem}")));
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
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The relative links of a document at `path` that lead nowhere.
fn links(page: &str, path: &Path, tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let folder = path.parent().unwrap();
    let text = page.lines().filter(|line| !line.starts_with("    "));
    for target in text.flat_map(|line| line.split("](").skip(1)) {
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
            let mut headings = other.lines().filter(|line| line.starts_with('#'));
            headings.any(|line| anchor(line) == heading)
        };
        if is_outside || !place.exists() || !heading.is_empty() && !has_heading() {
            problems.push(format!("{}: {target} leads nowhere", path.display()));
        }
    }
    problems
}

#[test]
#[cfg_attr(not(all(feature = "auth", feature = "fastcgi")), ignore = "documents tell of all options")]
fn threats_have_their_rules_and_tests() {
    let tree = Tree::read();
    let problems = threats(&tree.document("SECURITY.md"), &tree);
    assert!(problems.is_empty(), "SECURITY.md:\n{}", problems.join("\n"));
}

#[test]
#[cfg_attr(not(all(feature = "auth", feature = "fastcgi")), ignore = "documents tell of all options")]
fn every_bound_has_its_row() {
    let tree = Tree::read();
    let problems = limits(&tree.document("docs/limits.md"), &tree);
    assert!(problems.is_empty(), "docs/limits.md:\n{}", problems.join("\n"));
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
