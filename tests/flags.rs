//! Holds the table of options, what is printed of it, and what is said of it, together.

#![allow(clippy::expect_used, reason = "what a test cannot do without ends it")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tollgate::config::flags::{FLAGS, Flag};
use tollgate::proto::Reason;

/// Where options are named. docs/options.md is made of the table (tests/made.rs).
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "MIGRATING.md",
    "docs/confinement.md",
    "docs/console.md",
    "docs/fastcgi.md",
    "docs/install.md",
    "docs/manual.md",
    "docs/recipes.md",
];

fn tollgate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    tollgate(args).output().expect("tollgate runs")
}

fn help() -> String {
    String::from_utf8(run(&["--help"]).stdout).expect("help is UTF-8")
}

/// What `--help` begins the entry of an option with: where the description does not fit beside it, a
/// line of its own.
fn entry(flag: &Flag) -> String {
    let short = flag
        .short
        .map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = flag
        .value_name()
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    format!("  {short}--{}{value}  ", flag.long)
}

#[test]
fn names_are_unique_and_well_formed() {
    let mut names = HashSet::new();
    for flag in FLAGS {
        let long = flag.long;
        assert!(names.insert(long.to_owned()), "--{long} is there twice");
        assert!(
            long.len() > 1 && long.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{long}"
        );
        if let Some(short) = flag.short {
            assert!(names.insert(short.to_string()), "-{short} is there twice");
            assert!(short.is_ascii_alphabetic(), "-{short}");
        }
        assert!(
            !flag.help.is_empty() && !flag.help.ends_with('.'),
            "--{long}: {}",
            flag.help
        );
    }
}

#[test]
fn groups_are_not_torn_apart() {
    let groups: Vec<_> = FLAGS.iter().map(|flag| flag.group.title()).collect();
    let runs = groups.chunk_by(|one, next| one == next).count();
    assert_eq!(
        runs,
        groups.iter().collect::<HashSet<_>>().len(),
        "{groups:?}"
    );
}

#[test]
fn help_has_every_option_once_in_the_order_of_the_table() {
    let help = help();
    let entries: Vec<_> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .collect();
    assert_eq!(entries.len(), FLAGS.len());
    for (line, flag) in entries.into_iter().zip(FLAGS) {
        let entry = entry(flag);
        assert!(
            line.starts_with(&entry) || line == entry.trim_end(),
            "{line:?} is not the entry of --{}",
            flag.long
        );
    }
}

#[test]
fn help_fits_a_terminal() {
    for line in help().lines() {
        assert!(line.chars().count() <= 80, "more than 80 columns: {line}");
        assert_eq!(line, line.trim_end());
    }
}

#[test]
#[cfg_attr(
    not(all(feature = "auth", feature = "console", feature = "fastcgi")),
    ignore = "documents tell of all options"
)]
fn options_named_elsewhere_exist() {
    let mut texts: Vec<String> = Reason::ALL
        .iter()
        .map(|reason| reason.meaning().to_owned())
        .collect();
    // Documents speak of other programs' options too: only command lines of tollgate are held.
    for document in DOCUMENTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = fs::read_to_string(path).expect("a document");
        for line in text.lines() {
            let Some((_, options)) = line.split_once("tollgate -") else {
                continue;
            };
            // What `exec:` starts has options of its own.
            let (options, command) = options.split_once("exec:").unwrap_or((options, ""));
            let rest = command.split_once('\'').map_or("", |(_, rest)| rest);
            texts.push(format!("-{options} {rest}"));
        }
    }
    for text in texts {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
                assert!(
                    FLAGS.iter().any(|flag| flag.long == name),
                    "--{name} in: {text}"
                );
            }
        }
    }
}

#[test]
fn help_and_version_are_printed_on_standard_output() {
    for (args, beginning) in [(["--help"], "tollgate "), (["-V"], "tollgate ")] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stdout.starts_with(beginning.as_bytes()), "{args:?}");
        assert_eq!(output.stderr, b"", "{args:?}");
    }
}

#[test]
fn a_wrong_word_is_one_line_and_status_2() {
    let cases = [
        (
            "--lisen",
            "tollgate: --lisen: unknown option; did you mean --listen?\n",
        ),
        (
            "-lhost",
            "tollgate: --listen: 'host' has no port; write it as HOST:PORT, [V6]:PORT or unix:PATH\n",
        ),
        (
            "-ta\nb\u{1b}[2J",
            "tollgate: --threads: 'a\\nb\\u{1b}[2J' is not a whole number from 1 to 1024\n",
        ),
    ];
    for (arg, line) in cases {
        let output = run(&[arg]);
        assert_eq!(output.status.code(), Some(2), "{arg}");
        assert_eq!(output.stdout, b"", "{arg}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), line);
    }
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = tollgate(&["--help"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output();
    let output = output.expect("tollgate runs");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_full_disk_is_an_error() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let output = tollgate(&["--help"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output();
    let output = output.expect("tollgate runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.starts_with(b"tollgate: standard output: "));
}
