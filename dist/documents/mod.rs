//! The manual pages, the completions of shells, and docs/options.md, made from the table of options.
//!
//! Shape: [`all`] gives each file's path in the tree and its text. Rules: what an option is called, takes,
//! does and holds by default comes from [`FLAGS`], what commands there are from the help text; so none of it
//! can be wrong here. `tests/made.rs` compares what was made with what is committed. It is no part of the
//! program: `make documents` runs it.

use std::ffi::OsString;

use tollgate::config::flags::FLAGS;
use tollgate::config::{self, Command, Surroundings};

mod completions;
mod man;

/// The files, each as its path in the tree and its text.
pub fn all() -> Vec<(&'static str, String)> {
    let help = Help::read();
    vec![
        ("dist/man/tollgate.1", man::program(&help)),
        ("dist/man/tollgate.conf.5", man::configuration()),
        ("dist/completions/tollgate.bash", completions::bash(&help)),
        ("dist/completions/_tollgate", completions::zsh(&help)),
        ("dist/completions/tollgate.fish", completions::fish(&help)),
        ("docs/options.md", options()),
    ]
}

/// The page of all options: what `--help` prints.
fn options() -> String {
    format!(
        "# Options\n\nWhat `tollgate --help` prints, and `tollgate check --help` after it; `make documents` writes this page. \
         [manual.md](manual.md)\nsays what each is for.\n\n```text\n{}```\n\n## tollgate check\n\n```text\n{}```\n",
        help(&["--help"]),
        help(&["check", "--help"])
    )
}

/// What the texts of `--help` have beside the table.
pub struct Help {
    /// The commands.
    pub commands: Vec<Entry>,
    /// The options that `tollgate check` alone has.
    pub check: Vec<Entry>,
    /// The examples: a command line, and what it does.
    pub examples: Vec<(String, String)>,
}

/// A command, or an option of one.
pub struct Entry {
    /// Its name: `check`, or `--query`.
    pub name: String,
    /// As it is used: `tollgate check PATH`, or `--query Q`.
    pub usage: String,
    /// What it does.
    pub text: String,
}

impl Help {
    fn read() -> Help {
        let text = help(&["--help"]);
        let usage = text
            .split("Usage: ")
            .nth(1)
            .and_then(|rest| rest.split("\n\n").next());
        let usage = usage.unwrap_or_default().lines().skip(1);
        let named = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let commands = entries(usage, |usage| {
            let mut words = usage.split(' ').skip(1);
            words
                .find(|word| named(word) && !word.starts_with('-'))
                .map(str::to_owned)
        });
        let check = help(&["check", "--help"]);
        let own = check.lines().filter(|line| line.starts_with("  --"));
        let check = entries(own, |usage| usage.split(' ').next().map(str::to_owned));
        let mut lines = text.split("Examples:\n").nth(1).unwrap_or_default().lines();
        let mut examples = Vec::new();
        while let (Some(line), Some(does)) = (lines.next(), lines.next()) {
            examples.push((line.trim().to_owned(), does.trim().to_owned()));
        }
        Help {
            commands,
            check,
            examples,
        }
    }
}

/// Reads lines of two columns; one that begins in the second goes on with the entry before.
fn entries<'a>(
    lines: impl Iterator<Item = &'a str>,
    name: impl Fn(&str) -> Option<String>,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in lines {
        let line = line.trim();
        match line.split_once("  ") {
            Some((usage, text)) => entries.push(Entry {
                name: name(usage).unwrap_or_default(),
                usage: usage.to_owned(),
                text: text.trim().to_owned(),
            }),
            None => {
                if let Some(entry) = entries.last_mut() {
                    entry.text.push(' ');
                    entry.text.push_str(line);
                }
            }
        }
    }
    entries
}

fn help(args: &[&str]) -> String {
    let surroundings = Surroundings {
        variable: &|_| None,
        cores: 1,
        stdout_is_terminal: false,
        file: &|_| Err("is not read".to_owned()),
    };
    match config::parse(args.iter().map(OsString::from), &surroundings) {
        Ok(Command::Help(text)) => text,
        other => panic!("{args:?} give no help: {other:?}"),
    }
}

/// The headings of the table with their options.
fn groups() -> impl Iterator<Item = &'static [tollgate::config::flags::Flag]> {
    FLAGS.chunk_by(|one, next| one.group == next.group)
}
