//! What was found wrong, told to the person who can mend it.
//!
//! Shape: a [`Finding`] has a stable code, how bad it is, a plain sentence, what shows it, and what mends
//! it. It is written as one line for the log, as lines for a terminal, and as JSON; a page is made of its
//! parts. Rules: it quotes files and output, so it is for whoever runs the server: nothing of it goes to
//! a client unless that is asked for (`--explain`). What it quotes is bounded, and every byte in it can be
//! seen ([`visible`]).

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::time::Duration;

use super::Reason;
use super::json::Json;

/// How much of a piece of evidence is quoted.
pub const QUOTED_MAX: usize = 800;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does not work.
    Error,
    /// It works, and may not be meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// What a look at files finds that no request has failed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lint {
    /// Anybody on the machine can change it.
    WorldWritable,
    /// It looks like a secret, and is sent to everybody.
    Secret,
    /// It looks like a secret, and lies where files are sent from.
    HiddenSecret,
    /// All output comes at the end.
    Buffered,
    /// There is more than was looked at.
    Unseen,
}

impl Lint {
    /// Every lint, in the order of `docs/reasons.md`.
    pub const ALL: [Lint; 5] = [
        Lint::WorldWritable,
        Lint::Secret,
        Lint::HiddenSecret,
        Lint::Buffered,
        Lint::Unseen,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Lint::WorldWritable => "lint.world-writable",
            Lint::Secret => "lint.secret",
            Lint::HiddenSecret => "lint.hidden-secret",
            Lint::Buffered => "lint.buffered",
            Lint::Unseen => "lint.unseen",
        }
    }
}

/// The name of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// For this reason a request fails, or would.
    Reason(Reason),
    /// No request has to fail for it.
    Lint(Lint),
}

impl Code {
    /// The stable name, as `area.what`.
    pub const fn name(self) -> &'static str {
        match self {
            Code::Reason(reason) => reason.code(),
            Code::Lint(lint) => lint.code(),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What shows a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where it is from: `line 1 of /srv/cgi-bin/x`.
    pub from: Cow<'static, str>,
    /// What stands there, every byte to be seen; lines end in `\n`.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its stable name.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence or two.
    pub sentence: Cow<'static, str>,
    /// What shows it, the most telling first.
    pub evidence: Vec<Evidence>,
    /// What mends it: a command, or what to do. Empty where nobody can tell.
    pub remedy: Cow<'static, str>,
}

impl Finding {
    /// An error for which a request fails.
    pub fn error(
        reason: Reason,
        sentence: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Finding {
        let code = Code::Reason(reason);
        Finding::made(code, Severity::Error, sentence.into(), remedy.into())
    }

    /// What no request has to fail for.
    pub fn lint(
        lint: Lint,
        severity: Severity,
        sentence: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Finding {
        Finding::made(Code::Lint(lint), severity, sentence.into(), remedy.into())
    }

    // Once for all callers, of which there are many: so are the next two.
    #[inline(never)]
    fn made(
        code: Code,
        severity: Severity,
        sentence: Cow<'static, str>,
        remedy: Cow<'static, str>,
    ) -> Finding {
        Finding {
            code,
            severity,
            sentence,
            evidence: Vec::new(),
            remedy,
        }
    }

    /// The same, shown by the beginning of these bytes.
    #[must_use]
    pub fn shown_by(mut self, from: impl Into<Cow<'static, str>>, bytes: &[u8]) -> Finding {
        self.add_evidence(from.into(), bytes);
        self
    }

    #[inline(never)]
    fn add_evidence(&mut self, from: Cow<'static, str>, bytes: &[u8]) {
        if !bytes.is_empty() {
            let text = visible(bytes, QUOTED_MAX);
            self.evidence.push(Evidence { from, text });
        }
    }

    /// The same, shown by the end of these bytes: whole lines of it, if there are.
    #[must_use]
    #[inline(never)]
    pub fn shown_by_end(self, from: &'static str, bytes: &[u8]) -> Finding {
        let bytes = bytes.trim_ascii_end();
        let mut tail = &bytes[bytes.len().saturating_sub(QUOTED_MAX)..];
        if tail.len() < bytes.len()
            && let Some(end) = tail.iter().position(|&byte| byte == b'\n')
        {
            tail = &tail[end + 1..];
        }
        self.shown_by(from, tail)
    }

    /// The same, in other words.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Finding {
        self.severity = severity;
        self
    }

    /// The reason of a request that fails for it.
    pub fn reason(&self) -> Option<Reason> {
        match self.code {
            Code::Reason(reason) => Some(reason),
            Code::Lint(_) => None,
        }
    }

    /// All of it but the code, in one line.
    pub fn line(&self) -> String {
        let mut line = self.sentence.trim_end_matches('.').to_owned();
        for Evidence { from, text } in &self.evidence {
            // A line's end shows as `\n` already.
            let text = text.replace('\n', "");
            // Writing to a String cannot fail.
            let _ = write!(line, "; {from}: \"{text}\"");
        }
        if !self.remedy.is_empty() {
            let remedy = self.remedy.replace('\n', " ");
            let _ = write!(line, "; to mend it: {remedy}");
        }
        line
    }

    /// All of it, in lines as a compiler writes them.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}[{}]: {}\n",
            self.severity.name(),
            self.code,
            self.sentence
        );
        for Evidence { from, text: shown } in &self.evidence {
            let _ = writeln!(text, "  --> {from}");
            for line in shown.lines() {
                let _ = writeln!(text, "   | {line}");
            }
        }
        let mut remedy = self.remedy.lines();
        if let Some(first) = remedy.next() {
            let _ = writeln!(text, "  = to mend it: {first}");
            for line in remedy {
                let _ = writeln!(text, "      {line}");
            }
        }
        text
    }

    /// All of it, as an object.
    pub fn push_json(&self, json: &mut Json) {
        self.push_json_as(json, "from", true);
    }

    /// The same, where what evidence is from has another name, and what it is may have to be hidden.
    pub fn push_json_as(&self, json: &mut Json, origin: &str, shows_evidence: bool) {
        json.object()
            .text("code", self.code.name())
            .text("severity", self.severity.name())
            .text("sentence", &self.sentence)
            .text("remedy", &self.remedy);
        json.name("evidence").array();
        for Evidence { from, text } in &self.evidence {
            json.object().text(origin, from);
            match shows_evidence {
                true => json.text("text", text),
                false => json.text("text", "(hidden)").name("hidden").truth(true),
            };
            json.end_object();
        }
        json.end_array().end_object();
    }
}

/// The first `max` bytes as text in which nothing hides: ends of lines, control characters, spaces that
/// are none and bytes that are no UTF-8 are written out. A line of it ends where one of the bytes does.
pub fn visible(bytes: &[u8], max: usize) -> String {
    let mut text = String::new();
    for chunk in bytes[..bytes.len().min(max)].utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' => text.push_str("\\n\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                _ if letter.is_ascii_control() => {
                    let _ = write!(text, "\\x{:02x}", letter as u32);
                }
                _ if letter.is_control() || is_invisible(letter) => {
                    let _ = write!(text, "\\u{{{:x}}}", letter as u32);
                }
                _ => text.push(letter),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if bytes.len() > max {
        text.push_str("...");
    }
    text
}

/// Characters that look like nothing, like a space, or that turn what follows them around.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{a0}' | '\u{ad}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

/// A time in seconds, with two digits of their parts.
pub fn seconds(time: Duration) -> String {
    format!("{}.{:02}", time.as_secs(), time.subsec_millis() / 10)
}

/// A path, or another word, as a shell takes it.
pub fn quoted(word: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(&byte) || byte >= 0x80;
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests;
