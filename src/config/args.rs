//! Arguments, sorted by option.
//!
//! Source: the conventions of getopt_long(3): `-l ADDR`, `-lADDR`, `--listen ADDR`, `--listen=ADDR`,
//! options and ROOT in any order, `--` before a ROOT that begins with a dash.
//! Shape: arguments in, a [`Line`] out: for each option what was written for it, ROOT as `--root`.
//! Rules: names are checked here, values are not read. Only UTF-8 is taken: getopts works on
//! strings, and a path that cannot be written in a log line helps no one.

use std::ffi::OsString;

use getopts::{Fail, HasArg, Matches, Occur, Options};

use super::flags::{FLAGS, Flag, Takes};
use super::origin::{Value, Written};
use super::{CHECK, Command, UsageError};

/// What was written on a command line.
pub(super) struct Line {
    /// What was written for each option, in the order of the table.
    pub(super) written: Vec<Written>,
    /// Whether the configuration is to be checked, and nothing served.
    pub(super) checks: bool,
}

impl Line {
    /// Returns what makes the text that was asked for instead of serving.
    pub(super) fn answer(&self) -> Option<fn() -> Command> {
        self.written
            .iter()
            .find_map(|written| match written.flag.takes {
                Takes::Answer(answer) if !written.values.is_empty() => Some(answer),
                _ => None,
            })
    }

    /// The first value of the option of this name.
    pub(super) fn value(&self, long: &str) -> Option<&Value> {
        let mut written = self.written.iter();
        written.find(|it| it.flag.long == long)?.values.first()
    }
}

/// Returns what was written for each option.
///
/// # Errors
/// An unknown option, a missing or unexpected value, an option or ROOT given too often.
pub(super) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Line, UsageError> {
    Ok(read_with(args, &[])?.0)
}

/// What was written for one option of a command of its own: its name and its values.
pub(super) type Own = (&'static str, Vec<String>);

/// Returns what was written for each option, and for these, which only a command has: name and whether
/// it takes a value.
pub(super) fn read_with(
    args: impl IntoIterator<Item = OsString>,
    own: &[(&'static str, bool)],
) -> Result<(Line, Vec<Own>), UsageError> {
    let args = args.into_iter().map(utf8).collect::<Result<Vec<_>, _>>()?;
    let mut options = Options::new();
    for flag in FLAGS {
        let short = flag.short.map(String::from).unwrap_or_default();
        let has_value = if flag.value_name().is_some() {
            HasArg::Yes
        } else {
            HasArg::No
        };
        options.opt(&short, flag.long, flag.help, "", has_value, Occur::Multi);
    }
    for &(name, has_value) in own {
        let has_value = match has_value {
            true => HasArg::Yes,
            false => HasArg::No,
        };
        options.opt("", name, "", "", has_value, Occur::Multi);
    }
    let mut matches = options.parse(args).map_err(refusal)?;
    // A command of its own has no other one in it.
    let checks = matches
        .free
        .iter()
        .position(|word| word == CHECK && own.is_empty());
    if let Some(at) = checks {
        matches.free.remove(at);
    }
    let mut written = FLAGS
        .iter()
        .map(|flag| written(flag, &matches))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(roots) = written.iter_mut().find(|it| it.flag.long == "root") {
        add_root(&mut roots.values, &matches.free)?;
    }
    let values = |&(name, has_value): &(&'static str, bool)| match has_value {
        true => (name, matches.opt_strs(name)),
        false => (name, vec![String::new(); matches.opt_count(name)]),
    };
    let line = Line {
        written,
        checks: checks.is_some(),
    };
    Ok((line, own.iter().map(values).collect()))
}

fn utf8(arg: OsString) -> Result<String, UsageError> {
    arg.into_string().map_err(|arg| {
        let shown = arg.display();
        UsageError::line(format!(
            "'{shown}' is not UTF-8; write names and paths in UTF-8"
        ))
    })
}

fn written(flag: &'static Flag, matches: &Matches) -> Result<Written, UsageError> {
    let values = match flag.takes {
        Takes::Answer(_) | Takes::Switch(_) => vec![String::new(); matches.opt_count(flag.long)],
        _ => matches.opt_strs(flag.long),
    };
    match values.as_slice() {
        [_, second, ..] if flag.value_name().is_some() && !flag.is_repeatable() => Err(
            UsageError::of_value(flag, second, "is a second value; give this option once"),
        ),
        _ => Ok(Written {
            flag,
            values: values.into_iter().map(Value::of_command_line).collect(),
        }),
    }
}

/// ROOT is another way to write `--root`.
fn add_root(roots: &mut Vec<Value>, free: &[String]) -> Result<(), UsageError> {
    for root in free {
        let problem = match roots.as_slice() {
            [_, ..] => "is a second folder; give one, or none for .",
            [] if root.is_empty() => "is empty; give the folder of www/ and cgi-bin/",
            [] => {
                roots.push(Value::of_command_line(root.clone()));
                continue;
            }
        };
        return Err(UsageError::of_value("ROOT", root, problem));
    }
    Ok(())
}

/// Says what getopts found, in the words of the table.
fn refusal(fail: Fail) -> UsageError {
    match fail {
        Fail::UnrecognizedOption(name) => {
            let remedy = match nearest(&name) {
                Some(flag) => format!("did you mean {flag}?"),
                None => "see tollgate --help".to_owned(),
            };
            UsageError::new(dashed(&name), format_args!("unknown option; {remedy}"))
        }
        Fail::ArgumentMissing(name) => {
            let (option, value) = described(&name);
            UsageError::new(
                &option,
                format_args!("no value; write it as {option} {value}"),
            )
        }
        Fail::UnexpectedArgument(name) => {
            let (option, _) = described(&name);
            UsageError::new(
                &option,
                format_args!("takes no value; write it as {option}"),
            )
        }
        // No option is required, and how often one may be given is not left to getopts.
        Fail::OptionMissing(name) | Fail::OptionDuplicated(name) => {
            UsageError::new(dashed(&name), "wrong number of times; see tollgate --help")
        }
    }
}

/// Returns the full name of a known option, and what it calls its value.
fn described(name: &str) -> (String, &'static str) {
    let known = FLAGS
        .iter()
        .find(|flag| flag.long == name || flag.short.is_some_and(|short| name.chars().eq([short])));
    match known {
        Some(flag) => (flag.to_string(), flag.value_name().unwrap_or_default()),
        None => (dashed(name), ""),
    }
}

fn dashed(name: &str) -> String {
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    format!("{dashes}{name}")
}

/// Returns the option that was probably meant: one that `name` is the beginning of, or else one that
/// is at most two slips of the finger away, of a third of the name.
pub(super) fn nearest(name: &str) -> Option<&'static Flag> {
    /// No name is as long: comparing takes time in proportion.
    const LONGEST: usize = 32;
    if !(3..=LONGEST).contains(&name.chars().count()) {
        return None;
    }
    FLAGS
        .iter()
        .find(|flag| flag.long.starts_with(name))
        .or_else(|| {
            let near = FLAGS.iter().map(|flag| (distance(name, flag.long), flag));
            near.filter(|(slips, _)| *slips <= 2 && slips * 3 <= name.len())
                .min_by_key(|(slips, _)| *slips)
                .map(|(_, flag)| flag)
        })
}

/// Returns how many characters have to be put in, left out or changed to turn `from` into `to`
/// (Levenshtein's distance, a row of the table at a time).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, a) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, b) in to.chars().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.chars().count()]
}

#[cfg(test)]
mod tests;
