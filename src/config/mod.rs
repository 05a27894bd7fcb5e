//! The operator's words, made into settings.
//!
//! Shape: [`parse`] takes the arguments and what the server finds around itself, and gives a
//! [`Command`] or the one line that says what is wrong.
//! Rules: pure. Whether a folder exists or a port is free is found out by who opens it, and told
//! with a [`StartError`]. An option is stated once, in [`flags`]; a value is checked once, here, so
//! that nothing below meets a text that it has to read again. Every error names the option, the
//! value and the form expected.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::path::Path;
#[cfg(feature = "auth")]
use std::path::PathBuf;

mod args;
#[cfg(feature = "fastcgi")]
mod backend;
#[cfg(feature = "explain")]
mod check;
mod confinement;
mod dump;
mod environment;
mod file;
pub mod flags;
mod help;
mod log_format;
mod origin;
mod settings;
mod sites;
mod value;

#[cfg(feature = "fastcgi")]
pub use backend::{
    Application, BackendAddress, Duty, ExecProgram, ExecSocket, FastcgiRoute, FastcgiSettings,
};
#[cfg(feature = "explain")]
pub use check::Check;
pub use confinement::{Confinement, Limits, User};
pub use file::FILE_MAX;
pub use log_format::{Early, Late, LogFormat, Part, Piece};
pub use origin::Places;
#[cfg(feature = "auth")]
pub use settings::AuthRoute;
pub use settings::{
    AccessLog, Authorization, CgiRoute, Explain, ListenAddress, Listing, Proxies, Scheme, Settings,
    StaticRoute, Symlinks, Verbosity,
};
pub use sites::{SiteSettings, UnknownHost};

/// What the arguments ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one in the life of a process"
)]
pub enum Command {
    /// Serve, so.
    Serve(Settings),
    /// Set the password of a user in a file for `--auth`.
    #[cfg(feature = "auth")]
    Passwd {
        /// The file.
        file: PathBuf,
        /// The user's name, as an entry can have it.
        user: String,
    },
    /// Run a program as the server would, so, and report; or look at a folder.
    #[cfg(feature = "explain")]
    Check(Box<Settings>, Box<Check>),
    /// Print this description of all options.
    Help(String),
    /// Print this name and version.
    Version(String),
    /// Print what is in force.
    Dump(String),
    /// Look whether a server could start so, and say what is wrong.
    CheckConfig(Settings),
}

/// The word that has a configuration checked. A folder of that name is served as `./check-config`.
const CHECK: &str = "check-config";

/// What [`parse`] needs to know of the process it runs in.
pub struct Surroundings<'a> {
    /// Looks up one of the server's own environment variables.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// How many cores the server may use, at least 1.
    pub cores: usize,
    /// Whether someone may be reading along on standard output.
    pub stdout_is_terminal: bool,
    /// Reads a file, or as much of it as shows that it is longer than [`FILE_MAX`]; what went wrong is the
    /// rest of a sentence about it.
    pub file: &'a dyn Fn(&Path) -> Result<Vec<u8>, String>,
}

/// Returns what `args`, without the program's own name, ask for.
///
/// Help and version are given even when other options have wrong values.
///
/// # Errors
/// The first thing that is wrong with the command line, or all that is wrong with a configuration file, a
/// line each.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    surroundings: &Surroundings<'_>,
) -> Result<Command, UsageError> {
    let args: Vec<OsString> = args.into_iter().collect();
    #[cfg(feature = "auth")]
    if args.first().is_some_and(|first| first == "passwd") {
        return passwd(&args[1..]);
    }
    #[cfg(feature = "explain")]
    if args.first().is_some_and(|first| first == "check") {
        return check::parse(&args[1..], surroundings);
    }
    let line = args::read(args)?;
    if let Some(answer) = line.answer() {
        return Ok(answer());
    }
    let (checks, dumps) = (line.checks, line.value("dump-config").is_some());
    let settled = origin::layers(line, surroundings).and_then(|layers| {
        let settings = settings::settle(&layers, surroundings)?;
        Ok(match (checks, dumps) {
            (true, _) => Command::CheckConfig(settings),
            (_, true) => Command::Dump(dump::text(&layers, surroundings)),
            _ => Command::Serve(settings),
        })
    });
    settled.map_err(|error| match checks {
        // What is found wrong is what was asked for: the question was a right one.
        true => error.ends_with(ExitStatus::CouldNotStart),
        false => error,
    })
}

/// Reads what follows `tollgate passwd`. A folder of that name is served as `./passwd`.
#[cfg(feature = "auth")]
fn passwd(args: &[OsString]) -> Result<Command, UsageError> {
    let wrong = |problem: &str| Err(UsageError::new("passwd", problem));
    let [file, user] = args else {
        return wrong("write it as tollgate passwd FILE USER; the password is asked for");
    };
    let Some(user) = user.to_str() else {
        return wrong("the user's name is not UTF-8");
    };
    let is_entry =
        !user.starts_with(['#', '-']) && !user.contains(|c: char| c == ':' || c.is_control());
    if user.is_empty() || !is_entry {
        let problem =
            "cannot be a user; leave out ':' and control characters, and begin with no '#' or '-'";
        return Err(UsageError::of_value("passwd", user, problem));
    }
    if file.is_empty() || file.as_encoded_bytes().starts_with(b"-") {
        return wrong("the FILE is empty or looks like an option; write ./-NAME for such a file");
    }
    Ok(Command::Passwd {
        file: PathBuf::from(file),
        user: user.to_owned(),
    })
}

/// A wrong use of the command line, or of a configuration file. Displays as a line for each thing that is
/// wrong, which names the option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError {
    lines: Vec<String>,
    exit: ExitStatus,
}

impl UsageError {
    fn line(line: String) -> UsageError {
        UsageError {
            lines: vec![line],
            exit: ExitStatus::Usage,
        }
    }

    /// `--option: problem`.
    fn new(option: impl fmt::Display, problem: impl fmt::Display) -> UsageError {
        UsageError::line(format!("{option}: {problem}"))
    }

    /// `--option: 'value' problem`.
    fn of_value(option: impl fmt::Display, value: &str, problem: impl fmt::Display) -> UsageError {
        UsageError::line(format!("{option}: '{value}' {problem}"))
    }

    /// All of these as one; nothing where there are none.
    fn all(errors: Vec<UsageError>) -> Result<(), UsageError> {
        let mut lines: Vec<String> = Vec::new();
        for line in errors.into_iter().flat_map(|it| it.lines) {
            // What holds for several sites is wrong for all of them, and told once.
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        match lines.is_empty() {
            true => Ok(()),
            false => Err(UsageError {
                lines,
                exit: ExitStatus::Usage,
            }),
        }
    }

    fn ends_with(self, exit: ExitStatus) -> UsageError {
        UsageError { exit, ..self }
    }

    /// What asks for something else than to serve has no settings.
    pub fn not_to_serve() -> UsageError {
        UsageError::line("nothing is to be served".to_owned())
    }

    /// What is wrong, a line each.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What the process ends with.
    pub fn exit(&self) -> ExitStatus {
        self.exit
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for UsageError {}

/// What kept the server from starting, told in the operator's words: a missing folder, a taken port.
///
/// Displays as one line, `--static: '/srv/x' is not a folder; give an existing folder as ROUTE=DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
    /// The line of the configuration file that the value is from, as `FILE:LINE`; empty where it is from none.
    pub place: String,
    /// The option to change, with its dashes; or `ROOT`.
    pub option: &'static str,
    /// Its value, as written or as it holds by default; empty where it is not to blame.
    pub value: String,
    /// What is wrong with the value, and what is expected: the rest of the sentence.
    pub problem: String,
    /// What the process ends with.
    pub exit: ExitStatus,
}

impl StartError {
    /// The value is wrong: what is in `problem` completes the sentence that begins with it.
    pub fn wrong(option: &'static str, value: impl Display, problem: impl Display) -> StartError {
        StartError::new(option, value, problem, ExitStatus::Usage)
    }

    /// The value is right, and yet the machine does not permit it.
    pub fn failed(option: &'static str, value: impl Display, problem: impl Display) -> StartError {
        StartError::new(option, value, problem, ExitStatus::CouldNotStart)
    }

    fn new(
        option: &'static str,
        value: impl Display,
        problem: impl Display,
        exit: ExitStatus,
    ) -> StartError {
        StartError {
            place: String::new(),
            option,
            value: value.to_string(),
            problem: problem.to_string(),
            exit,
        }
    }

    /// With the place that the value is from, where these settings have one.
    pub fn placed(self, settings: &Settings) -> StartError {
        if !self.place.is_empty() {
            return self;
        }
        let place = settings.places.of(self.option, &self.value);
        StartError {
            place: place.unwrap_or(self.place),
            ..self
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = match self.place.as_str() {
            "" => self.option,
            place => {
                write!(f, "{place}: ")?;
                self.option.trim_start_matches("--")
            }
        };
        match self.value.as_str() {
            "" => write!(f, "{option}: {}", self.problem),
            value => write!(f, "{option}: '{value}' {}", self.problem),
        }
    }
}

impl std::error::Error for StartError {}

/// How the process ends when it does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// The words are right, the machine does not permit it: a taken port, a missing right.
    CouldNotStart,
    /// The words are wrong: an unknown option, a value out of range, a folder that is not there.
    Usage,
}

impl ExitStatus {
    /// The number that a shell sees.
    pub const fn code(self) -> u8 {
        match self {
            ExitStatus::CouldNotStart => 1,
            ExitStatus::Usage => 2,
        }
    }
}

#[cfg(test)]
mod tests;
