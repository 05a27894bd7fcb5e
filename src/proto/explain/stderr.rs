//! Where a program failed, and why, from what it complained of.
//!
//! Source: what the interpreters write: Python, Perl, PHP, Ruby, Node.js, Lua and the shells; what the
//! loaders of glibc and musl write.
//! Shape: the end of stderr in, a [`Complaint`] out. Rules: only what names a file and a line is a trace;
//! the last one that stands there is meant, since a program fails once. Of the places that it names the
//! innermost counts that is in no library: what is to be mended is there.

/// What a program complained of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// A program in this language failed at a line.
    Trace(Trace),
    /// The loader did not find this shared library.
    Library(String),
    /// `env` or a shell did not find this program; a CR at its end is kept.
    NotFound(String),
}

/// The place and the cause of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The language.
    pub language: &'static str,
    /// The file, as the interpreter names it.
    pub file: String,
    /// The line in it.
    pub line: u32,
    /// What the interpreter says is wrong.
    pub message: String,
}

/// What the end of stderr complains of, if it can be told.
pub fn complaint(stderr: &[u8]) -> Option<Complaint> {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.split('\n').collect();
    library(&lines)
        .map(Complaint::Library)
        .or_else(|| not_found(&lines).map(Complaint::NotFound))
        .or_else(|| trace(&lines).map(Complaint::Trace))
}

fn library(lines: &[&str]) -> Option<String> {
    // glibc: "x: error while loading shared libraries: libz.so.1: cannot open shared object file: ..."
    // musl: "Error loading shared library libz.so.1: No such file or directory (needed by ./x)"
    let starts = [
        "error while loading shared libraries: ",
        "Error loading shared library ",
    ];
    lines.iter().rev().find_map(|line| {
        let rest = starts.iter().find_map(|start| line.split_once(start))?.1;
        Some(rest.split(": ").next()?.to_owned())
    })
}

/// What `env` says: GNU's "env: ‘x’: No such file or directory", in quotes of any kind; that of busybox
/// "env: can't execute 'x': No such file or directory".
fn not_found(lines: &[&str]) -> Option<String> {
    lines.iter().rev().find_map(|line| {
        let rest = line.split_once("env: ")?.1;
        let (name, _) = rest.rsplit_once(": No such file or directory")?;
        let name = name.strip_prefix("can't execute ").unwrap_or(name);
        // GNU writes a CR out.
        let name = name.replace("'$'\\r'", "\r").replace("\\r", "\r");
        Some(
            name.trim_matches(['\'', '\u{2018}', '\u{2019}', '"'])
                .to_owned(),
        )
    })
}

fn trace(lines: &[&str]) -> Option<Trace> {
    let readers = [python, php, node, ruby, perl, lua, shell];
    readers.iter().find_map(|reader| reader(lines))
}

fn made(language: &'static str, file: &str, line: &str, message: &str) -> Option<Trace> {
    let line = line.parse().ok().filter(|&line| line > 0)?;
    let (file, message) = (file.trim(), message.trim());
    (!file.is_empty() && !message.is_empty()).then(|| Trace {
        language,
        file: file.to_owned(),
        line,
        message: message.to_owned(),
    })
}

/// Whether a file belongs to a language or to a package, and not to who asks why a program failed.
pub fn is_library(file: &str) -> bool {
    const FOLDERS: [&str; 10] = [
        "/lib/python",
        "-packages/",
        "/node_modules/",
        "/lib/ruby/",
        "/gems/",
        "/share/perl",
        "/lib/perl",
        "/perl5/",
        "/share/lua/",
        "/vendor/",
    ];
    file.starts_with(['<', '('])
        || file.starts_with("node:")
        || FOLDERS.iter().any(|it| file.contains(it))
}

/// `  File "x.py", line 3, in f`, and below all of them `NameError: ...`.
fn python(lines: &[&str]) -> Option<Trace> {
    fn place<'l>(line: &&'l str) -> Option<(&'l str, &'l str)> {
        line.trim_start()
            .strip_prefix("File \"")?
            .split_once("\", line ")
    }
    let at = lines.iter().rposition(|line| place(line).is_some())?;
    let begins = |line: &&str| line.starts_with("Traceback ");
    let begin = lines[..at].iter().rposition(begins).unwrap_or(0);
    let mut places = lines[begin..=at].iter().rev().filter_map(place);
    let own = places.find(|(file, _)| !is_library(file));
    let (file, rest) = own.or_else(|| place(&lines[at]))?;
    let number = digits(rest);
    let message = lines[at + 1..]
        .iter()
        .find(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))?;
    made("Python", file, number, message)
}

/// `PHP Fatal error:  Uncaught Error: ... in /x.php:3`, or `... in /x.php on line 3`.
fn php(lines: &[&str]) -> Option<Trace> {
    let kinds = ["Fatal error: ", "Parse error: ", "PHP Warning: "];
    lines.iter().rev().find_map(|line| {
        let rest = kinds.iter().find_map(|kind| line.split_once(kind))?.1;
        let (message, place) = rest.rsplit_once(" in ")?;
        let (file, number) = place.split_once(" on line ").or(place.rsplit_once(':'))?;
        made("PHP", file, digits(number), message)
    })
}

/// `/x.js:3` in a line of its own, the source with a caret, then `TypeError: ...`, and where it comes from:
/// `    at f (/x.js:3:9)`. What is thrown and no error has a hint behind it, and nothing of that.
fn node(lines: &[&str]) -> Option<Trace> {
    fn place(text: &str) -> Option<(&str, &str)> {
        let (file, number) = text.rsplit_once(':')?;
        let file = file.strip_prefix("file://").unwrap_or(file);
        (file.contains('/') && number.parse::<u32>().is_ok()).then_some((file, number))
    }
    fn frame<'l>(line: &&'l str) -> Option<(&'l str, &'l str)> {
        let rest = line.trim_start().strip_prefix("at ")?;
        let rest = rest.rsplit_once('(').map_or(rest, |(_, rest)| rest);
        let rest = rest.strip_prefix("async ").unwrap_or(rest);
        place(rest.trim_end_matches([')', ' ', '{']).rsplit_once(':')?.0)
    }
    let is_message = |line: &&str| {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        name.ends_with("Error") && name.len() < line.len()
    };
    let is_frame = |line: &&str| line.starts_with("    at ");
    let is_hint = |line: &&str| line.starts_with("(Use `node --trace-uncaught");
    let message = match lines.iter().rposition(is_frame) {
        Some(at) => lines[..at].iter().rposition(is_message)?,
        None => lines.iter().position(is_hint)?.checked_sub(1)?,
    };
    let (above, below) = (&lines[..message], &lines[message..]);
    let above = above.iter().rev().find_map(|line| place(line));
    let mut places = above.into_iter().chain(below.iter().filter_map(frame));
    let (file, number) = places.find(|(file, _)| !is_library(file)).or(above)?;
    made("Node.js", file, number, lines[message])
}

/// ``x.rb:3:in `f': undefined ... (NameError)``, and below it ``\tfrom x.rb:9:in `<main>'``; a mistake in the
/// grammar is `x.rb:3: syntax error`.
fn ruby(lines: &[&str]) -> Option<Trace> {
    /// The file, the line, and what stands behind them.
    fn place(line: &str) -> Option<(&str, &str, &str)> {
        line.match_indices(':').find_map(|(colon, _)| {
            let (file, rest) = (&line[..colon], &line[colon + 1..]);
            let number = digits(rest);
            let rest = rest[number.len()..].strip_prefix(':')?;
            (!number.is_empty()).then_some((file, number, rest))
        })
    }
    lines.iter().enumerate().find_map(|(at, line)| {
        let (file, number, rest) = place(line).filter(|_| !line.starts_with(['\t', ' ']))?;
        let is_ruby = file.ends_with(".rb") || file.ends_with(".cgi");
        let message = match rest
            .strip_prefix("in ")
            .filter(|rest| rest.starts_with(['`', '\'']))
        {
            Some(rest) => rest.split_once(": ")?.1,
            None if is_ruby && (rest.contains("syntax error") || rest.contains("Error)")) => rest,
            None => return None,
        };
        let from = lines[at..]
            .iter()
            .filter_map(|line| place(line.strip_prefix("\tfrom ")?));
        let from = from.map(|(file, number, _)| (file, number));
        let mut places = [(file, number)].into_iter().chain(from);
        let own = places.find(|(file, _)| !is_library(file));
        let (file, number) = own.unwrap_or((file, number));
        made("Ruby", file, number, message)
    })
}

/// `Can't locate ... at x.pl line 3.`, perhaps `line 3, <STDIN> line 1.` or `line 3, near "x"`.
fn perl(lines: &[&str]) -> Option<Trace> {
    lines.iter().find_map(|line| {
        let (before, rest) = line
            .split_once(" line ")
            .filter(|_| !line.starts_with("  "))?;
        let (message, file) = before.rsplit_once(" at ")?;
        let number = digits(rest);
        let rest = &rest[number.len()..];
        (rest.starts_with('.') || rest.starts_with(", "))
            .then(|| made("Perl", file, number, message))?
    })
}

/// `lua: x.lua:3: attempt to ...`.
fn lua(lines: &[&str]) -> Option<Trace> {
    lines.iter().find_map(|line| {
        let (name, rest) = line.split_once(": ")?;
        let is_lua = name.rsplit('/').next()?.starts_with("lua");
        let (place, message) = rest.split_once(": ").filter(|_| is_lua)?;
        let (file, number) = place.rsplit_once(':')?;
        made("Lua", file, number, message)
    })
}

/// `/x: 3: foo: not found` (dash), `/x: line 3: foo: command not found` (bash, busybox). A script is
/// executed by its path.
fn shell(lines: &[&str]) -> Option<Trace> {
    lines.iter().rev().find_map(|line| {
        let (file, rest) = line.split_once(": ")?;
        let (number, message) = rest.split_once(": ")?;
        let number = number.strip_prefix("line ").unwrap_or(number);
        file.contains('/')
            .then(|| made("shell", file, number, message))?
    })
}

/// The digits at the beginning of a text.
fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests;
