//! What follows `tollgate new`: the name of a program to make, and its language.
//!
//! Rules: the name is one that the server would run: not hidden, and not that of a copy. What tells no
//! language is refused, but for a name without an ending, which is a shell script.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Command, UsageError, help};
use crate::proto::uri::copy::is_copy;

/// A program to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its name, or its path.
    pub path: PathBuf,
    /// What it is written in.
    pub language: Language,
}

/// A language that there is a first program in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its own name")]
pub enum Language {
    Sh,
    Python,
    Perl,
    C,
    Rust,
    Php,
    Lua,
    Ruby,
    Node,
}

/// Each language, with its name for `--lang` and the ending of its files.
const LANGUAGES: [(Language, &str, &str); 9] = [
    (Language::Sh, "sh", "sh"),
    (Language::Python, "python", "py"),
    (Language::Perl, "perl", "pl"),
    (Language::C, "c", "c"),
    (Language::Rust, "rust", "rs"),
    (Language::Php, "php", "php"),
    (Language::Lua, "lua", "lua"),
    (Language::Ruby, "ruby", "rb"),
    (Language::Node, "node", "js"),
];

impl Language {
    /// What the names of its files end in.
    pub fn ending(self) -> &'static str {
        LANGUAGES
            .iter()
            .find(|(language, ..)| *language == self)
            .map_or("", |(.., ending)| ending)
    }
}

/// Reads what follows `tollgate new`. A folder of that name is served as `./new`.
pub(super) fn parse(args: &[OsString]) -> Result<Command, UsageError> {
    let wrong = |problem: &str| Err(UsageError::new("new", problem));
    let (mut name, mut language) = (None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(word) = arg.to_str() else {
            return wrong("the name is not UTF-8");
        };
        let given = match word.split_once('=') {
            Some(("--lang", value)) => value,
            _ if word == "--lang" => args.next().and_then(|it| it.to_str()).unwrap_or_default(),
            _ if ["-h", "--help"].contains(&word) => return Ok(Command::Help(help::new())),
            _ if name.is_none() && !word.starts_with('-') => {
                name = Some(word);
                continue;
            }
            _ => {
                let problem = "is not expected; write it as tollgate new NAME [--lang LANG]";
                return Err(UsageError::of_value("new", word, problem));
            }
        };
        let known = LANGUAGES.iter().find(|(_, name, _)| *name == given);
        let Some((known, ..)) = known else {
            let problem = format_args!("is not known; take {}", names());
            return Err(UsageError::of_value("--lang", given, problem));
        };
        language = Some(*known);
    }
    let Some(name) = name else {
        return wrong("write it as tollgate new NAME [--lang LANG]");
    };
    let last = name.rsplit('/').next().unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default();
    let is_run = !stem.is_empty() && !is_copy(last.as_bytes());
    if !is_run || name.contains(char::is_control) {
        let problem =
            "is a name that the server does not run; begin with a letter, and end like hello.py";
        return Err(UsageError::of_value("new", name, problem));
    }
    let language = match (language, last.rsplit_once('.')) {
        (Some(language), _) => language,
        (None, None) => Language::Sh,
        (None, Some((_, ending))) => {
            let known = LANGUAGES.iter().find(|(.., known)| *known == ending);
            let Some((language, ..)) = known else {
                let problem = format_args!("tells no language; add --lang, and one of {}", names());
                return Err(UsageError::of_value("new", name, problem));
            };
            *language
        }
    };
    Ok(Command::New(New {
        path: PathBuf::from(name),
        language,
    }))
}

fn names() -> String {
    LANGUAGES.map(|(_, name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse_words;
    use super::*;

    #[test]
    fn the_language_is_told_or_read_off_the_name() {
        for (words, path, language) in [
            (&["hello.py"][..], "hello.py", Language::Python),
            (&["x/hello.rs"], "x/hello.rs", Language::Rust),
            (&["hello"], "hello", Language::Sh),
            (&["hello", "--lang", "ruby"], "hello", Language::Ruby),
            (&["--lang=node", "a.b"], "a.b", Language::Node),
            (&["x.py", "--lang", "perl"], "x.py", Language::Perl),
        ] {
            let found = parse_words(&[&["new"], words].concat());
            let path = PathBuf::from(path);
            assert_eq!(found, Ok(Command::New(New { path, language })), "{words:?}");
        }
        for (language, name, ending) in LANGUAGES {
            assert_eq!(language.ending(), ending);
            let by_name = parse_words(&["new", "x", "--lang", name]);
            let by_ending = parse_words(&["new", &format!("x.{ending}")]);
            for found in [by_name, by_ending] {
                assert!(matches!(found, Ok(Command::New(new)) if new.language == language));
            }
        }
        assert!(matches!(
            parse_words(&["new", "-h"]),
            Ok(Command::Help(text)) if text.contains(&names())
        ));
        // Not the command.
        assert!(matches!(parse_words(&["./new"]), Ok(Command::Serve(_))));
    }

    #[test]
    fn what_would_not_run_is_refused() {
        let all = "sh, python, perl, c, rust, php, lua, ruby, node";
        let not_run =
            "is a name that the server does not run; begin with a letter, and end like hello.py";
        let usage = "write it as tollgate new NAME [--lang LANG]";
        for (words, line) in [
            (&[][..], format!("new: {usage}")),
            (&["a", "b"], format!("new: 'b' is not expected; {usage}")),
            (&["-x"], format!("new: '-x' is not expected; {usage}")),
            (
                &["a", "--lang", "ada"],
                format!("--lang: 'ada' is not known; take {all}"),
            ),
            (
                &["a", "--lang"],
                format!("--lang: '' is not known; take {all}"),
            ),
            (
                &["a.exe"],
                format!("new: 'a.exe' tells no language; add --lang, and one of {all}"),
            ),
            (&[".x.py"], format!("new: '.x.py' {not_run}")),
            (&["x/"], format!("new: 'x/' {not_run}")),
            (&[""], format!("new: '' {not_run}")),
            (
                &["x.py~", "--lang", "python"],
                format!("new: 'x.py~' {not_run}"),
            ),
            (&["a\nb"], format!("new: 'a\nb' {not_run}")),
        ] {
            let found = parse_words(&[&["new"], words].concat());
            assert_eq!(found.map_err(|error| error.to_string()), Err(line));
        }
    }
}
