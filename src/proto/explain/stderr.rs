//! Where a program failed, and why, from what it complained of.
//!
//! Source: what the interpreters write: Python, Perl, PHP, Ruby, Node.js, Lua and the shells; what the
//! loaders of glibc and musl write.
//! Shape: the end of stderr in, a [`Complaint`] out. Rules: only what names a file and a line is a trace;
//! the last one that stands there is meant, since a program fails once.

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

/// `  File "x.py", line 3, in f`, and below all of them `NameError: ...`.
fn python(lines: &[&str]) -> Option<Trace> {
    let place =
        |line: &&str| line.trim_start().starts_with("File \"") && line.contains("\", line ");
    let at = lines.iter().rposition(place)?;
    let (file, rest) = lines[at].split_once("File \"")?.1.split_once("\", line ")?;
    let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
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

/// `/x.js:3` in a line of its own, the source with a caret, and then `TypeError: ...`.
fn node(lines: &[&str]) -> Option<Trace> {
    let is_message = |line: &&str| {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        name.ends_with("Error") && name.len() < line.len()
    };
    let at = lines
        .iter()
        .rposition(|line| line.trim_start().starts_with("at "))?;
    let message = lines[..at].iter().rposition(is_message)?;
    let place = lines[..message].iter().rposition(|line| {
        let place = line.rsplit_once(':');
        place.is_some_and(|(file, number)| file.contains('/') && number.parse::<u32>().is_ok())
    })?;
    let (file, number) = lines[place].rsplit_once(':')?;
    let file = file.strip_prefix("file://").unwrap_or(file);
    made("Node.js", file, number, lines[message])
}

/// ``x.rb:3:in `f': undefined ... (NameError)``; a mistake in the grammar is `x.rb:3: syntax error`.
fn ruby(lines: &[&str]) -> Option<Trace> {
    lines.iter().find_map(|line| {
        let (place, rest) = line.split_once(".rb:").or(line.split_once(".cgi:"))?;
        let end = line.len() - rest.len() - 1;
        let (number, rest) = rest.split_once(':')?;
        let message = match rest.strip_prefix("in ") {
            Some(rest) => rest.split_once(": ")?.1,
            None if rest.contains("syntax error") || rest.contains("Error)") => rest,
            None => return None,
        };
        (!place.starts_with(['\t', ' '])).then(|| made("Ruby", &line[..end], number, message))?
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
