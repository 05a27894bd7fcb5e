//! What a line of the access log is made of.
//!
//! Source: Apache's mod_log_config, whose directives mean here what they mean there, and JSON Lines.
//! Shape: `combined`, `json` or a format string become a list of [`Piece`]s.
//! Rules: a directive that is not known is an error, and not text: who misspells one learns of it at once. Text
//! in a format stands in the line as it is, so it may hold no control character.

use crate::proto::grammar::is_tchar;

/// How long a format string may be.
const FORMAT_MAX: usize = 1024;

/// How many directives it may have: each costs time at every request.
const DIRECTIVES_MAX: usize = 32;

/// How the access log is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// What a line is made of, in its order.
    pub pieces: Vec<Piece>,
    /// Whether what is told is written as values of JSON.
    pub is_json: bool,
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// This, as it is.
    Text(String),
    /// What is known when a request has come.
    Early(Early),
    /// What is known when it was answered.
    Late(Late),
}

/// What is known of an exchange when its request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Early {
    /// `%h`: the client's address.
    Client,
    /// `%u`: the user who was verified.
    User,
    /// `%t`: when it began, as `[06/Nov/1994:08:49:37 +0000]`.
    Date,
    /// The same as RFC 3339 has it.
    Timestamp,
    /// `%r`: the request line.
    RequestLine,
    /// `%m`, `%U`, `%q`, `%H`: a part of the request line.
    Part(Part),
    /// `%{NAME}i`: a field of the request.
    Field(String),
}

/// A part of a request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The method.
    Method,
    /// The target without a query.
    Path,
    /// The query with its question mark, or nothing.
    Query,
    /// The version of HTTP.
    Protocol,
}

/// What is known of an exchange when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// `%s`, `%>s`: the status.
    Status,
    /// `%B`: how many bytes of body were given.
    Bytes,
    /// `%b`: the same, with a dash for none.
    BytesOrDash,
    /// `%T`, `%{s}T`: the time it took, in whole seconds.
    Seconds,
    /// `%{ms}T`.
    Millis,
    /// `%D`, `%{us}T`.
    Micros,
    /// `%{seconds}n`: the same in seconds with a fraction.
    SecondsFraction,
    /// `%{reason}n`: why it was not the plain answer.
    Reason,
}

const COMBINED: &str =
    "%h - %u %t \"%r\" %>s %B \"%{Referer}i\" \"%{User-Agent}i\" %{seconds}ns %{reason}n";

impl Default for LogFormat {
    fn default() -> LogFormat {
        LogFormat {
            // It is right, as a test says.
            pieces: pieces(COMBINED).unwrap_or_default(),
            is_json: false,
        }
    }
}

/// Reads the value of `--log-format`.
pub(super) fn parse(text: &str) -> Result<LogFormat, String> {
    match text {
        "combined" => Ok(LogFormat::default()),
        "json" => Ok(json()),
        _ if !text.contains('%') => Err(
            "is no format; write combined, json, or a line with directives, as '%h %r %>s'"
                .to_owned(),
        ),
        _ => Ok(LogFormat {
            pieces: pieces(text)?,
            is_json: false,
        }),
    }
}

fn json() -> LogFormat {
    let members = [
        ("{\"time\":", Piece::Early(Early::Timestamp)),
        (",\"client\":", Piece::Early(Early::Client)),
        (",\"user\":", Piece::Early(Early::User)),
        (",\"request\":", Piece::Early(Early::RequestLine)),
        (",\"status\":", Piece::Late(Late::Status)),
        (",\"bytes\":", Piece::Late(Late::Bytes)),
        (
            ",\"referer\":",
            Piece::Early(Early::Field("referer".to_owned())),
        ),
        (
            ",\"user_agent\":",
            Piece::Early(Early::Field("user-agent".to_owned())),
        ),
        (",\"seconds\":", Piece::Late(Late::SecondsFraction)),
        (",\"reason\":", Piece::Late(Late::Reason)),
    ];
    let mut pieces: Vec<Piece> = Vec::new();
    for (text, piece) in members {
        pieces.extend([Piece::Text(text.to_owned()), piece]);
    }
    pieces.push(Piece::Text("}".to_owned()));
    LogFormat {
        pieces,
        is_json: true,
    }
}

fn pieces(format: &str) -> Result<Vec<Piece>, String> {
    if format.len() > FORMAT_MAX {
        return Err(format!("is longer than {FORMAT_MAX} bytes"));
    }
    if format.contains(char::is_control) {
        return Err("has a control character; a line is one line".to_owned());
    }
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            rest = after;
            continue;
        }
        let (piece, len) = directive(after).ok_or_else(|| {
            let shown: String = after.chars().take(12).collect();
            format!(
                "has a directive that is not known, at '%{shown}'; known are %h %l %u %t %r %m %U %q %H %s %>s %b %B \
                 %T %D %{{NAME}}i %{{s|ms|us}}T %{{seconds}}n %{{reason}}n and %% for a percent sign"
            )
        })?;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(piece);
        rest = &after[len..];
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    let directives = pieces
        .iter()
        .filter(|piece| !matches!(piece, Piece::Text(_)));
    if directives.count() > DIRECTIVES_MAX {
        return Err(format!("has more than {DIRECTIVES_MAX} directives"));
    }
    Ok(pieces)
}

/// The directive at the beginning of what stands after a percent sign, and its length.
fn directive(text: &str) -> Option<(Piece, usize)> {
    let (argument, letters) = match text.strip_prefix('{') {
        Some(inner) => {
            let (argument, _) = inner.split_once('}')?;
            (Some(argument), &inner[argument.len() + 1..])
        }
        None => (None, text),
    };
    // The status of the last request of a chain of redirects, which there are none of here.
    let plain = letters.strip_prefix('>').unwrap_or(letters);
    let letter = plain.chars().next()?;
    let piece = match (argument, letter) {
        (None, 's') => Piece::Late(Late::Status),
        _ if plain.len() < letters.len() => return None,
        (None, 'h') => Piece::Early(Early::Client),
        // What identd says, whom nobody asks.
        (None, 'l') => Piece::Text("-".to_owned()),
        (None, 'u') => Piece::Early(Early::User),
        (None, 't') => Piece::Early(Early::Date),
        (None, 'r') => Piece::Early(Early::RequestLine),
        (None, 'm') => Piece::Early(Early::Part(Part::Method)),
        (None, 'U') => Piece::Early(Early::Part(Part::Path)),
        (None, 'q') => Piece::Early(Early::Part(Part::Query)),
        (None, 'H') => Piece::Early(Early::Part(Part::Protocol)),
        (None, 'b') => Piece::Late(Late::BytesOrDash),
        (None, 'B') => Piece::Late(Late::Bytes),
        (None | Some("s"), 'T') => Piece::Late(Late::Seconds),
        (Some("ms"), 'T') => Piece::Late(Late::Millis),
        (None, 'D') | (Some("us"), 'T') => Piece::Late(Late::Micros),
        (Some("seconds"), 'n') => Piece::Late(Late::SecondsFraction),
        (Some("reason"), 'n') => Piece::Late(Late::Reason),
        (Some(name), 'i') if !name.is_empty() && name.bytes().all(is_tchar) => {
            Piece::Early(Early::Field(name.to_ascii_lowercase()))
        }
        _ => return None,
    };
    Some((piece, text.len() - plain.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_format_is_refused() {
        let long = format!("%h{}", "x".repeat(FORMAT_MAX - 1));
        let many = "%h".repeat(DIRECTIVES_MAX + 1);
        for (text, told) in [
            ("jsn", "is no format; "),
            ("", "is no format; "),
            ("%", "has a directive that is not known, at '%'"),
            ("%h %x", "has a directive that is not known, at '%x'"),
            ("%>h", "has a directive that is not known, at '%>h'"),
            ("%{Host}", "at '%{Host}'"),
            ("%{Host}o", "at '%{Host}o'"),
            ("%{}i", "at '%{}i'"),
            ("%{a b}i", "at '%{a b}i'"),
            ("%{min}T", "at '%{min}T'"),
            ("%h\n%u", "has a control character; "),
            (&long, "is longer than 1024 bytes"),
            (&many, "has more than 32 directives"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
        assert!(parse(&long[..FORMAT_MAX]).is_ok());
        assert!(parse(&many[2..]).is_ok());
    }

    #[test]
    fn a_format_is_text_and_directives() {
        let found = parse("100%% %{X-Y}i%D é").unwrap();
        let expected = [
            Piece::Text("100% ".to_owned()),
            Piece::Early(Early::Field("x-y".to_owned())),
            Piece::Late(Late::Micros),
            Piece::Text(" é".to_owned()),
        ];
        assert_eq!(found.pieces, expected);
        assert_eq!(parse("combined"), parse(COMBINED));
        assert!(LogFormat::default().pieces.len() > 10);
    }
}
