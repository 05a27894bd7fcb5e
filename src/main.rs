//! tollgate's program: arguments in, a running server out.
//!
//! Rules: what is printed or logged is one line, whatever it quotes: control characters are escaped,
//! so that a name in a request or an argument can neither forge a line nor steer a terminal. A reader
//! that has gone away (`tollgate --help | head -1`) is no error.

use std::env;
use std::fmt::{self, Display, Write as _};
use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::SystemTime;

use log::LevelFilter;
use tollgate::config::{self, Command, ExitStatus, FILE_MAX, Surroundings, UsageError, Verbosity};
use tollgate::server::{self, Reread};
use tollgate::sys::{first_bytes, log_file, spawner};

fn main() -> ExitCode {
    if spawner::is_meant(env::args_os().next().as_deref()) {
        return spawner::serve();
    }
    // Asked once: standard output may be gone when the configuration is read again.
    let stdout_is_terminal = io::stdout().is_terminal();
    let settings = match command(stdout_is_terminal) {
        Ok(Command::Serve(settings)) => settings,
        #[cfg(feature = "auth")]
        Ok(Command::Passwd { file, user }) => {
            return match tollgate::handler::auth::passwd::run(&file, &user) {
                Ok(text) => print(&format!("{}\n", OneLine(text.trim_end()))),
                Err(error) => fail(&error, error.exit),
            };
        }
        #[cfg(feature = "explain")]
        Ok(Command::Check(settings, check)) => {
            return match server::check::run(&settings, &check) {
                Ok(report) => match print(&report.text) {
                    ExitCode::SUCCESS if report.is_right => ExitCode::SUCCESS,
                    _ => ExitCode::FAILURE,
                },
                Err(error) => fail(&error, error.exit),
            };
        }
        #[cfg(feature = "explain")]
        Ok(Command::New(new)) => {
            return match tollgate::handler::new::run(&new) {
                Ok(text) => print(&text),
                Err(error) => fail(&error, error.exit),
            };
        }
        Ok(Command::Help(text) | Command::Version(text)) => return print(&text),
        #[cfg(feature = "config")]
        Ok(Command::Dump(text)) => return print(&text),
        #[cfg(feature = "config")]
        Ok(Command::CheckConfig(settings)) => return check(&settings),
        Err(error) => return fail_all(error.lines(), error.exit()),
    };
    start_log(settings.verbosity);
    for warning in &settings.warnings {
        log::warn!("{warning}");
    }
    let reread = move || match cfg!(feature = "config") {
        true => match command(stdout_is_terminal)? {
            Command::Serve(settings) => Ok(settings),
            // The same arguments ask for the same.
            _ => Err(UsageError::not_to_serve()),
        },
        false => Err(UsageError::not_to_serve()),
    };
    match server::run(settings, Reread(Box::new(reread)), &|name| {
        env::var_os(name)
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, error.exit),
    }
}

/// What the arguments ask for, and the configuration file that they name, as it is now.
#[inline(never)] // It is long, and called from two places.
fn command(stdout_is_terminal: bool) -> Result<Command, UsageError> {
    let surroundings = Surroundings {
        variable: &|name| env::var_os(name),
        cores: thread::available_parallelism().map_or(1, usize::from),
        stdout_is_terminal,
        file: &read_config,
    };
    config::parse(env::args_os().skip(1), &surroundings)
}

/// Reads a configuration file, or as much of it as shows that it is too long.
fn read_config(path: &Path) -> Result<Vec<u8>, String> {
    first_bytes(path, FILE_MAX + 1)
        .map_err(|error| format!("cannot be read ({error}); give an existing file of options"))
}

/// Looks whether a server could start so.
#[cfg(feature = "config")]
fn check(settings: &config::Settings) -> ExitCode {
    start_log(settings.verbosity);
    settings.warnings.iter().for_each(|it| log::warn!("{it}"));
    match server::check_config(settings) {
        errors if errors.is_empty() => print("tollgate: the configuration is in order\n"),
        errors => fail_all(&errors, ExitStatus::CouldNotStart),
    }
}

fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => fail(
            &format_args!("standard output: {error}"),
            ExitStatus::CouldNotStart,
        ),
        _ => ExitCode::SUCCESS,
    }
}

fn fail_all<E: Display>(errors: &[E], status: ExitStatus) -> ExitCode {
    for error in errors {
        fail(error, status);
    }
    ExitCode::from(status.code())
}

fn fail(error: &dyn Display, status: ExitStatus) -> ExitCode {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "tollgate: {}", OneLine(error));
    ExitCode::from(status.code())
}

/// Sends the log to standard error, where no thread ever waits for its reader. How much of it is said by `-q` and
/// `-v`, and otherwise by RUST_LOG. The journal is told how grave a line is in its own way (sd-daemon(3)), and has a
/// clock itself. There are no colours.
fn start_log(verbosity: Option<Verbosity>) {
    let is_journal = stderr_is_journal();
    let mut log =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    match verbosity {
        None => {}
        Some(Verbosity::Quiet) => drop(log.filter_level(LevelFilter::Warn)),
        Some(Verbosity::Verbose) => drop(log.filter_level(LevelFilter::Debug)),
    }
    if let Ok(stderr) = log_file::stderr() {
        log.target(env_logger::Target::Pipe(Box::new(stderr)));
    }
    log.format(move |out, record| {
        if is_journal {
            let grave = priority(record.level());
            return writeln!(out, "<{grave}>{}", OneLine(record.args()));
        }
        write!(out, "{} ", httpdate::HttpDate::from(SystemTime::now()))?;
        writeln!(out, "{:<5} {}", record.level(), OneLine(record.args()))
    })
    .init();
}

/// How grave a line is, as syslog(3) counts it.
fn priority(level: log::Level) -> u8 {
    match level {
        log::Level::Error => 3,
        log::Level::Warn => 4,
        log::Level::Info => 6,
        log::Level::Debug | log::Level::Trace => 7,
    }
}

/// Whether standard error is the systemd journal, which notes the time itself: systemd.exec(5),
/// `$JOURNAL_STREAM`. Children inherit the variable, so it is held against the descriptor.
fn stderr_is_journal() -> bool {
    let stderr = fs::metadata("/proc/self/fd/2").map(|it| format!("{}:{}", it.dev(), it.ino()));
    env::var("JOURNAL_STREAM").is_ok_and(|journal| stderr.is_ok_and(|stderr| stderr == journal))
}

/// Displays without control characters: each is written as Rust writes it, `\n` or `\u{1b}`.
struct OneLine<T>(T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(f), "{}", self.0)
    }
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if c.is_control() {
                write!(self.0, "{}", c.escape_default())
            } else {
                self.0.write_char(c)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::OneLine;

    #[test]
    fn what_is_printed_stays_on_one_line() {
        let cases = [
            ("plain text, 'quoted' and \\", "plain text, 'quoted' and \\"),
            ("two\r\nlines\t", "two\\r\\nlines\\t"),
            (
                "\0 \u{1b}[2J \u{7f} \u{9b}",
                "\\u{0} \\u{1b}[2J \\u{7f} \\u{9b}",
            ),
            ("Grüße", "Grüße"),
        ];
        for (text, line) in cases {
            assert_eq!(OneLine(text).to_string(), line);
        }
    }
}
