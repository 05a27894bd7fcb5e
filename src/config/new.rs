//! What follows `tollgate new`: the name of a program to make, and its language.
//!
//! Rules: the name is one that the server would run: not hidden, and not that of a copy. What tells no
//! language is refused, but for a name without an ending, which is a shell script.

use std::ffi::OsString;

use super::{Command, UsageError, help};
use crate::proto::uri::copy::is_copy;

/// A program to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its name, or its path.
    pub name: String,
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

/// Each language, with its name and the ending of its files, of which either tells it.
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

const USAGE: &str = "write it as tollgate new NAME [--lang LANG]";
const NOT_EXPECTED: &str = "is not expected; write it as tollgate new NAME [--lang LANG]";
const UNKNOWN: &str = "tells no language; take sh, python, perl, c, rust, php, lua, ruby or node";
const NO_ENDING: &str =
    "tells no language; add --lang, with sh, python, perl, c, rust, php, lua, ruby or node";
const NOT_RUN: &str =
    "is a name that the server does not run; begin with a letter, and end like hello.py";

impl Language {
    fn of(word: &str) -> Option<Language> {
        let is_it = |known: &&(Language, &str, &str)| known.1 == word || known.2 == word;
        LANGUAGES.iter().find(is_it).map(|known| known.0)
    }
}

/// Reads what follows `tollgate new`. A folder of that name is served as `./new`.
pub(super) fn parse(args: &[OsString]) -> Result<Command, UsageError> {
    let (mut name, mut language) = ("", None);
    // What is not UTF-8 is no option, and no good name.
    let mut words = args.iter().map(|arg| arg.to_str().unwrap_or("\0"));
    while let Some(word) = words.next() {
        let lang = match word.strip_prefix("--lang") {
            Some("") => Some(words.next().unwrap_or_default()),
            rest => rest.and_then(|rest| rest.strip_prefix('=')),
        };
        match (lang, word) {
            (Some(lang), _) => {
                let known = Language::of(lang);
                language =
                    Some(known.ok_or_else(|| UsageError::of_value("--lang", lang, UNKNOWN))?);
            }
            (None, "-h" | "--help") => return Ok(Command::Help(help::new())),
            _ if name.is_empty() && !word.starts_with('-') => name = word,
            _ => return Err(UsageError::of_value("new", word, NOT_EXPECTED)),
        }
    }
    if args.is_empty() {
        return Err(UsageError::new("new", USAGE));
    }
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.is_empty()
        || last.starts_with('.')
        || is_copy(last.as_bytes())
        || name.contains(char::is_control)
    {
        return Err(UsageError::of_value("new", name, NOT_RUN));
    }
    let ending = last.rsplit_once('.').map_or("sh", |(_, ending)| ending);
    let language = language.or_else(|| Language::of(ending));
    Ok(Command::New(New {
        language: language.ok_or_else(|| UsageError::of_value("new", name, NO_ENDING))?,
        name: name.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::super::tests::parse_words;
    use super::*;

    #[test]
    fn the_language_is_told_or_read_off_the_name() {
        for (words, name, language) in [
            (&["hello.py"][..], "hello.py", Language::Python),
            (&["x/hello.rs"], "x/hello.rs", Language::Rust),
            (&["hello"], "hello", Language::Sh),
            (&["hello", "--lang", "ruby"], "hello", Language::Ruby),
            (&["--lang=js", "a.b"], "a.b", Language::Node),
            (&["x.py", "--lang", "perl"], "x.py", Language::Perl),
        ] {
            let found = parse_words(&[&["new"], words].concat());
            let name = name.to_owned();
            assert_eq!(found, Ok(Command::New(New { name, language })), "{words:?}");
        }
        for (language, name, ending) in LANGUAGES {
            for word in [name, ending] {
                let found = parse_words(&["new", "x", "--lang", word]);
                assert!(matches!(found, Ok(Command::New(new)) if new.language == language));
            }
            let found = parse_words(&["new", &format!("x.{ending}")]);
            assert!(matches!(found, Ok(Command::New(new)) if new.language == language));
        }
        let names = LANGUAGES.map(|(_, name, _)| name).join(", ");
        assert!(matches!(
            parse_words(&["new", "-h"]),
            Ok(Command::Help(text)) if text.contains(&names)
        ));
        for problem in [UNKNOWN, NO_ENDING] {
            assert!(problem.contains(&names.replace(", node", " or node")));
        }
        // Not the command.
        assert!(matches!(parse_words(&["./new"]), Ok(Command::Serve(_))));
    }

    #[test]
    fn what_would_not_run_is_refused() {
        for (words, line) in [
            (&[][..], format!("new: {USAGE}")),
            (&["a", "b"], format!("new: 'b' {NOT_EXPECTED}")),
            (&["-x"], format!("new: '-x' {NOT_EXPECTED}")),
            (
                &["a", "--language"],
                format!("new: '--language' {NOT_EXPECTED}"),
            ),
            (&["a", "--lang", "ada"], format!("--lang: 'ada' {UNKNOWN}")),
            (&["a", "--lang"], format!("--lang: '' {UNKNOWN}")),
            (&["a.exe"], format!("new: 'a.exe' {NO_ENDING}")),
            (&[".x.py"], format!("new: '.x.py' {NOT_RUN}")),
            (&["x/"], format!("new: 'x/' {NOT_RUN}")),
            (&[""], format!("new: '' {NOT_RUN}")),
            (
                &["x.py~", "--lang", "python"],
                format!("new: 'x.py~' {NOT_RUN}"),
            ),
            (&["a\nb"], format!("new: 'a\nb' {NOT_RUN}")),
        ] {
            let found = parse_words(&[&["new"], words].concat());
            assert_eq!(found.map_err(|error| error.to_string()), Err(line));
        }
        let found = parse(&[OsString::from_vec(vec![0xff])]);
        assert!(found.is_err());
    }
}
