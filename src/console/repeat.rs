//! A request as a curl command, and a program's run as a command that repeats it.
//!
//! Source: curl(1), env(1), printf(1).
//! Shape: a [`Journey`] in, a line for a shell out. Rules: whatever a client wrote is one word to the shell. What
//! stands there is what was sent, and nothing that curl or a shell adds by itself; where a body was cut, or may not
//! be seen, the line says so.

use std::fmt::Write;

use super::journey::{Journey, Kept};
use super::meaning;
use super::view::{Sight, base64, fields, request_line};
use crate::proto::finding::quoted;

/// Where the server is reached.
#[derive(Debug, Clone, Copy)]
pub enum Place<'p> {
    /// At this authority: `127.0.0.1:8080`.
    Authority(&'p str),
    /// At this unix socket.
    Unix(&'p str),
}

/// What stands for a secret.
const MASK: &str = "***";

/// Fields that curl would send by itself.
const OF_CURL: [&str; 3] = ["User-Agent", "Accept", "Host"];

/// The request as a curl command; none where it was none.
pub(super) fn curl(journey: &Journey, place: &Place<'_>, sight: Sight) -> Option<String> {
    let (line, method, target) = request_line(journey);
    let target = str::from_utf8(target).ok().filter(|it| !it.is_empty())?;
    let method = str::from_utf8(method).ok()?;
    let mut command = "curl -i -g".to_owned();
    match method {
        "GET" if journey.body.is_none() => {}
        "HEAD" => command.push_str(" --head"),
        // Writing to a String cannot fail.
        _ => drop(write!(command, " -X {}", quoted(method))),
    }
    if line.ends_with(b"HTTP/1.0") {
        command.push_str(" --http1.0");
    }
    let mut seen = Vec::new();
    // A body that was announced, and is not there: nobody wanted it.
    let mut has_more = false;
    for (name, value) in fields(&journey.head) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        // It counts for itself.
        if is("Content-Length") {
            has_more |= value != b"0";
            continue;
        }
        seen.push(name.to_ascii_lowercase());
        let (between, value): (&[u8], &[u8]) = match value {
            _ if meaning::is_secret_field(name) && !sight.secrets => (b": ", MASK.as_bytes()),
            // Without a value curl would leave it out.
            b"" => (b";", b""),
            value => (b": ", value),
        };
        let _ = write!(command, " -H {}", word(&[name, between, value].concat()));
    }
    let is_unseen = |name: &str| !seen.contains(&name.to_ascii_lowercase().into_bytes());
    for name in OF_CURL.into_iter().filter(|name| is_unseen(name)) {
        let _ = write!(command, " -H {name}:");
    }
    let mut before = String::new();
    let mut remark = match has_more {
        true => " # its body was not taken in, and is not here",
        false => "",
    };
    if let Some(body) = &journey.body {
        for name in ["Content-Type", "Expect"]
            .into_iter()
            .filter(|name| is_unseen(name))
        {
            let _ = write!(command, " -H {name}:");
        }
        let data = data(body, sight);
        remark = data.remark;
        match data.text {
            Some(text) => drop(write!(command, " --data-raw {}", quoted(text))),
            None => {
                command.push_str(" --data-binary @-");
                before = data.source;
            }
        }
    }
    let is_plain = target.starts_with('/') && !target.contains(['#', ' ']);
    if !is_plain {
        let _ = write!(command, " --request-target {}", quoted(target));
    }
    let path = if is_plain { target } else { "/" };
    let url = match place {
        Place::Authority(authority) => format!("http://{authority}{path}"),
        Place::Unix(socket) => {
            let _ = write!(command, " --unix-socket {}", quoted(socket));
            format!("http://localhost{path}")
        }
    };
    let _ = write!(command, " --path-as-is {}", quoted(&url));
    Some(format!("{before}{command}{remark}"))
}

/// The run of a program as a command that has it see the same again; none where there was none.
pub(super) fn run(journey: &Journey, sight: Sight) -> Option<String> {
    let program = journey.program.as_deref()?;
    // env(1) takes a word with a '=' for a variable.
    if program.command.first()?.contains(&b'=') {
        return None;
    }
    let stdin = journey.body.as_ref().filter(|_| journey.is_body_stdin);
    let stdin = stdin.filter(|body| body.length > 0);
    let mut command = format!("cd {} && ", word(&program.folder));
    let mut remark = "";
    if let Some(body) = stdin {
        let data = data(body, sight);
        remark = data.remark;
        match data.text {
            Some(text) => drop(write!(command, "printf %s {} | ", quoted(text))),
            None => command.push_str(&data.source),
        }
    }
    command.push_str("env -i");
    for (name, value) in journey.variables() {
        let shown = String::from_utf8_lossy(name);
        let value = match meaning::is_secret_variable(&shown) && !sight.secrets {
            true => MASK.as_bytes(),
            false => value,
        };
        // The name stays bare, as people write it.
        let _ = match name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            true => write!(command, " {shown}={}", word(value)),
            false => write!(command, " {}", word(&[name, b"=", value].concat())),
        };
    }
    for it in &program.command {
        let _ = write!(command, " {}", word(it));
    }
    if stdin.is_none() {
        command.push_str(" </dev/null");
    }
    command.push_str(remark);
    Some(command)
}

/// Bytes as one word to a shell. What is no text is written out, since no page could show it to be copied.
fn word(bytes: &[u8]) -> String {
    if let Ok(text) = str::from_utf8(bytes) {
        return quoted(text);
    }
    let mut word = "\"$(printf '".to_owned();
    for &byte in bytes {
        let _ = match byte.is_ascii_alphanumeric() {
            true => write!(word, "{}", byte as char),
            false => write!(word, "\\{byte:03o}"),
        };
    }
    word + "')\""
}

/// A body for a shell.
struct Data<'b> {
    /// Itself, where it is a text.
    text: Option<&'b str>,
    /// Otherwise what it comes from, with the pipe behind it.
    source: String,
    /// What is to be said of it.
    remark: &'static str,
}

fn data(body: &Kept, sight: Sight) -> Data<'_> {
    if !sight.bodies {
        return Data {
            text: Some(MASK),
            source: String::new(),
            remark: " # the body is shown with the token alone",
        };
    }
    let is_text = |text: &&str| !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
    let text = str::from_utf8(&body.bytes).ok().filter(is_text);
    Data {
        source: match text {
            Some(_) => String::new(),
            None => format!("printf %s {} | base64 -d | ", base64(&body.bytes)),
        },
        text,
        remark: match body.is_cut() {
            true => " # the body was longer, and is cut here",
            false => "",
        },
    }
}

#[cfg(test)]
mod tests;
