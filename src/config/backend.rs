//! FastCGI routes, and the form that a backend is written in.
//!
//! Source: ours; FastCGI 1.0 section 6 for the two duties.
//! Shape: `ROUTE=BACKEND` in, a [`FastcgiRoute`] out; or what is wrong with it, as the rest of a
//! sentence that begins with the text in quotes.
//! Rules: nothing is guessed. A BACKEND is `[authorizer:]` and then either addresses with commas
//! between or `exec:COMMAND[|OPTIONS]`, which stands alone.
//! - A COMMAND is split at white space. Quotes of either kind keep white space, the other quote and
//!   `|`; inside and outside of them a backslash is a character like any other, and nothing else of a
//!   shell is known, so that what is read here is what is run.
//! - PROGRAM is a path like every other one on the command line, and not looked for along PATH.
//!
//! Not here: whether a program exists or an address answers (who starts and connects).

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::proto::uri::route::RouteKey;

use super::value;

/// What an operator decides about FastCGI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastcgiSettings {
    /// Routes as written: no two with the same key and duty, and none that answers with the key of a
    /// static or CGI route.
    pub routes: Vec<FastcgiRoute>,
    /// The longest wait for a connection to an application.
    pub connect_timeout: Duration,
    /// The longest silence of an application.
    pub timeout: Duration,
    /// Requests at once per backend, at least 1.
    pub max_backend: usize,
    /// Idle connections kept for each backend; 0 keeps none.
    pub keep: usize,
    /// How long an idle connection is kept.
    pub idle: Duration,
}

impl FastcgiSettings {
    /// Settings in which nothing that has a default is set.
    pub(super) const fn unset() -> FastcgiSettings {
        FastcgiSettings {
            routes: Vec::new(),
            connect_timeout: Duration::ZERO,
            timeout: Duration::ZERO,
            max_backend: 0,
            keep: 0,
            idle: Duration::ZERO,
        }
    }
}

/// Applications that are asked for some of the URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastcgiRoute {
    /// What a request is known by.
    pub key: RouteKey,
    /// What the application is asked for.
    pub duty: Duty,
    /// Who is asked.
    pub application: Application,
}

/// What an application is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// The response.
    Respond,
    /// Whether the request may go on to whatever else answers its URL.
    Authorize,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    /// Applications that run already, each at an address of its own: from 1 to 64, no two alike.
    Backends(Vec<BackendAddress>),
    /// Processes of a program that the server starts.
    Exec(ExecProgram),
}

/// As the line at the start tells of it.
impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Application::Backends(addresses) => {
                let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                f.write_str(&shown.join(","))
            }
            Application::Exec(program) => write!(f, "exec:{}", program.program.display()),
        }
    }
}

/// Where an application listens. Displays as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BackendAddress {
    /// A TCP port.
    Tcp {
        /// An IPv4 or IPv6 address without brackets, or a name.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// A unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendAddress::Tcp { host, port } if host.contains(':') => {
                write!(f, "[{host}]:{port}")
            }
            BackendAddress::Tcp { host, port } => write!(f, "{host}:{port}"),
            BackendAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A program that the server starts and keeps running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecProgram {
    /// Its path, never empty.
    pub program: PathBuf,
    /// What it is given on its command line, without its own name.
    pub arguments: Vec<String>,
    /// How many processes run: at least its start, which is no less than 1, and more while all are
    /// busy.
    pub processes: RangeInclusive<usize>,
    /// How long a process above the least number may be without a request before it is ended.
    pub idle: Duration,
    /// After how many requests a process is replaced, at least 1; `None` for never.
    pub requests: Option<u64>,
    /// What its processes listen at.
    pub socket: ExecSocket,
}

/// The kind of socket that a started process is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecSocket {
    /// A unix domain socket.
    Unix,
    /// A TCP port of the loopback interface.
    Tcp,
}

const FORM: &str = "write it as ROUTE=BACKEND, for example .php=unix:/run/php/php-fpm.sock or \
                    /app/=127.0.0.1:9000";
const LIST_FORM: &str = "write HOST:PORT, [V6]:PORT or unix:PATH, several with commas between";
const COMMAND_FORM: &str = "write exec:PROGRAM ARGS, with quotes where white space is meant";
const OPTIONS_FORM: &str = "processes=N or MIN-MAX, idle=SECS, requests=N, socket=unix|tcp";

/// How many addresses can be named for one route.
const BACKENDS_MAX: usize = 64;
/// How many processes of one program can be asked for.
const PROCESSES: RangeInclusive<usize> = 1..=64;
/// After how many requests a process can be replaced.
const REQUESTS: RangeInclusive<usize> = 1..=1_000_000_000;
const IDLE: Duration = Duration::from_secs(60);

/// Reads `ROUTE=BACKEND`.
pub(super) fn fastcgi_route(text: &str) -> Result<FastcgiRoute, String> {
    let (key, backend) = value::route(text, FORM)?;
    let (duty, backend) = match backend.strip_prefix("authorizer:") {
        Some(backend) => (Duty::Authorize, backend),
        None => (Duty::Respond, backend),
    };
    let application = match backend.strip_prefix("exec:") {
        Some(command) => Application::Exec(exec_program(command)?),
        None => Application::Backends(backends(backend)?),
    };
    Ok(FastcgiRoute {
        key,
        duty,
        application,
    })
}

/// Reads addresses with commas between.
fn backends(text: &str) -> Result<Vec<BackendAddress>, String> {
    if text.contains('|') {
        return Err("has a '|'; only exec: takes options".to_owned());
    }
    let mut addresses = Vec::new();
    for word in text.split(',') {
        if addresses.len() == BACKENDS_MAX {
            return Err(format!(
                "names more than {BACKENDS_MAX} addresses; give that many at most"
            ));
        }
        let address = backend(word)?;
        if addresses.contains(&address) {
            return Err(format!("names '{word}' twice; give each address once"));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

fn backend(word: &str) -> Result<BackendAddress, String> {
    if word.is_empty() {
        return Err(format!("has an empty address; {LIST_FORM}"));
    }
    if word.starts_with("exec:") {
        return Err("has exec: in a list; give one exec: alone".to_owned());
    }
    if word.starts_with("authorizer:") {
        return Err("has authorizer: in a list; write it once, right after the '='".to_owned());
    }
    backend_address(word).map_err(|problem| format!("names '{word}', which {problem}"))
}

fn backend_address(word: &str) -> Result<BackendAddress, String> {
    if let Some(path) = word.strip_prefix("unix:") {
        return value::socket_path(path).map(BackendAddress::Unix);
    }
    let (host, port) = value::host_and_port(word, 1..=u16::MAX, |port| {
        format!("127.0.0.1:{port} or [::1]:{port} for this machine")
    })?;
    Ok(BackendAddress::Tcp {
        host: host.to_owned(),
        port,
    })
}

/// Reads `PROGRAM ARGS`, and the options after a `|`.
fn exec_program(text: &str) -> Result<ExecProgram, String> {
    let (words, options) = split_command(text)?;
    let mut words = words.into_iter();
    let program = words
        .next()
        .filter(|program| !program.is_empty())
        .ok_or_else(|| format!("has no program after exec:; {COMMAND_FORM}"))?;
    let mut exec = ExecProgram {
        program: PathBuf::from(program),
        arguments: words.collect(),
        processes: 1..=1,
        idle: IDLE,
        requests: None,
        socket: ExecSocket::Unix,
    };
    if let Some(options) = options {
        set_options(&mut exec, options)?;
    }
    Ok(exec)
}

/// Splits a command into its words, and off what follows the first `|` outside of quotes.
fn split_command(text: &str) -> Result<(Vec<String>, Option<&str>), String> {
    let mut words = Vec::new();
    // A word that is begun: quotes with nothing between begin an empty one.
    let mut word: Option<String> = None;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|') => {
                words.extend(word);
                return Ok((words, Some(&text[at + 1..])));
            }
            (None, _) if c.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(open) => Err(format!("has a {open} that is not closed; {COMMAND_FORM}")),
        None => {
            words.extend(word);
            Ok((words, None))
        }
    }
}

/// Reads options with commas or white space between.
fn set_options(exec: &mut ExecProgram, text: &str) -> Result<(), String> {
    let mut seen = Vec::new();
    for part in text.split(',') {
        if part.trim_ascii().is_empty() {
            return Err(format!(
                "has an empty option after the '|'; write {OPTIONS_FORM}"
            ));
        }
        for option in part.split_ascii_whitespace() {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            if seen.contains(&name) {
                return Err(format!(
                    "gives {name} twice; write each option once: {OPTIONS_FORM}"
                ));
            }
            seen.push(name);
            set_option(exec, name, value)
                .map_err(|problem| format!("has the option '{option}', which {problem}"))?;
        }
    }
    Ok(())
}

fn set_option(exec: &mut ExecProgram, name: &str, value: &str) -> Result<(), String> {
    match name {
        "processes" => exec.processes = processes(value)?,
        "idle" => exec.idle = value::seconds(value)?,
        "requests" => exec.requests = Some(value::count(value, &REQUESTS)? as u64),
        "socket" => {
            exec.socket = match value {
                "unix" => ExecSocket::Unix,
                "tcp" => ExecSocket::Tcp,
                _ => return Err("is neither socket=unix nor socket=tcp".to_owned()),
            }
        }
        _ => return Err(format!("is not known; known are {OPTIONS_FORM}")),
    }
    Ok(())
}

/// Reads `N` or `MIN-MAX`.
fn processes(value: &str) -> Result<RangeInclusive<usize>, String> {
    let (least, most) = value.split_once('-').unwrap_or((value, value));
    match (
        value::count(least, &PROCESSES),
        value::count(most, &PROCESSES),
    ) {
        (Ok(least), Ok(most)) if least <= most => Ok(least..=most),
        _ => Err(format!(
            "is not a whole number from {} to {}, nor two as MIN-MAX",
            PROCESSES.start(),
            PROCESSES.end()
        )),
    }
}

#[cfg(test)]
mod tests;
