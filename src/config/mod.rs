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
#[cfg(feature = "auth")]
use std::path::PathBuf;

mod args;
#[cfg(feature = "fastcgi")]
mod backend;
#[cfg(feature = "explain")]
mod check;
mod confinement;
mod environment;
pub mod flags;
mod help;
#[cfg(feature = "explain")]
mod new;
mod settings;
mod value;

#[cfg(feature = "fastcgi")]
pub use backend::{
    Application, BackendAddress, Duty, ExecProgram, ExecSocket, FastcgiRoute, FastcgiSettings,
};
#[cfg(feature = "explain")]
pub use check::Check;
pub use confinement::{Confinement, Limits, User};
#[cfg(feature = "explain")]
pub use new::{Language, New};
#[cfg(feature = "auth")]
pub use settings::AuthRoute;
pub use settings::{
    AccessLog, Authorization, CgiRoute, Explain, ListenAddress, Listing, Proxies, Scheme, Settings,
    StaticRoute, Symlinks,
};

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
    /// Make a first program.
    #[cfg(feature = "explain")]
    New(New),
    /// Print this description of all options.
    Help(String),
    /// Print this name and version.
    Version(String),
}

/// What [`parse`] needs to know of the process it runs in.
pub struct Surroundings<'a> {
    /// Looks up one of the server's own environment variables.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// How many cores the server may use, at least 1.
    pub cores: usize,
    /// Whether someone may be reading along on standard output.
    pub stdout_is_terminal: bool,
}

/// Returns what `args`, without the program's own name, ask for.
///
/// Help and version are given even when other options have wrong values.
///
/// # Errors
/// The first thing that is wrong, as one line.
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
    #[cfg(feature = "explain")]
    if args.first().is_some_and(|first| first == "new") {
        return new::parse(&args[1..]);
    }
    let line = args::read(args)?;
    match line.answer() {
        Some(answer) => Ok(answer()),
        None => settings::settle(line, surroundings).map(Command::Serve),
    }
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

/// A wrong use of the command line. Displays as one line that names the option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError(String);

impl UsageError {
    /// `--option: problem`.
    fn new(option: impl fmt::Display, problem: impl fmt::Display) -> UsageError {
        UsageError(format!("{option}: {problem}"))
    }

    /// `--option: 'value' problem`.
    fn of_value(option: impl fmt::Display, value: &str, problem: impl fmt::Display) -> UsageError {
        UsageError(format!("{option}: '{value}' {problem}"))
    }

    /// What the process ends with.
    pub fn exit(&self) -> ExitStatus {
        ExitStatus::Usage
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// What kept the server from starting, told in the operator's words: a missing folder, a taken port.
///
/// Displays as one line, `--static: '/srv/x' is not a folder; give an existing folder as ROUTE=DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartError {
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
            option,
            value: value.to_string(),
            problem: problem.to_string(),
            exit,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_str() {
            "" => write!(f, "{}: {}", self.option, self.problem),
            value => write!(f, "{}: '{value}' {}", self.option, self.problem),
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
