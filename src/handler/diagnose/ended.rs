//! Finds out why a program, or an application, failed with a request: from how it ended, what it printed,
//! and what it complained of.
//!
//! Shape: [`Case`] goes in, a [`Finding`] comes out; its reason may be a more exact one than the first
//! symptom's. Rules: the innermost cause wins: a line that a traceback names explains why no header came.
//! A file that a traceback names is read for that line alone, and only below the folder of the program,
//! which the operator owns.

#[cfg(feature = "fastcgi")]
use std::ffi::OsStr;
#[cfg(feature = "fastcgi")]
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::LOOKS;
use crate::proto::Reason;
use crate::proto::explain::output;
use crate::proto::explain::stderr::{self, Complaint, Trace};
use crate::proto::finding::{Finding, Severity, quoted, seconds};
use crate::proto::grammar::holds;
use crate::sys::child::{self, Exit};
use crate::sys::first_bytes;
use crate::sys::look::{self, Look};

/// How much of a source file is read for the line that a traceback names.
const SOURCE_MAX: usize = 256 << 10;

/// What is known of a request that failed.
#[derive(Debug)]
pub struct Case<'a> {
    /// The first symptom.
    pub reason: Reason,
    /// The script, where there is a file.
    pub script: &'a Path,
    /// How the program ended; none for an application, which goes on.
    pub exit: Option<Exit>,
    /// What it printed of a header that is not whole.
    pub printed: &'a [u8],
    /// The end of what it complained of.
    pub stderr: &'a [u8],
    /// How many bytes of body were given.
    pub body_len: u64,
    /// What was seen of it when its time was up.
    pub looks: &'a [Look],
    /// How long its silence was waited for.
    pub silence: Duration,
}

/// What helps a program that gets no more memory.
const MEMORY: &str =
    "have it use less memory, or give it more: --limit memory=SIZE, where that is given";

/// Whether a complaint is that there is no memory left: of Python, C, Perl, PHP, Lua, Node.js.
fn is_short_of_memory(complaint: &[u8]) -> bool {
    let words: [&[u8]; 4] = [
        b"MemoryError",
        b"ut of memory",
        b"allocate memory",
        b"not enough memory",
    ];
    words.iter().any(|word| holds(complaint, word))
}

/// How many programs the kernel had ended for want of memory when that was last asked.
static ENDED_FOR_MEMORY: AtomicU64 = AtomicU64::new(u64::MAX);

/// Notes where the kernel's count stands; what is more later was ended meanwhile.
pub fn begin() {
    if let Some(count) = look::ended_for_memory() {
        ENDED_FOR_MEMORY.store(count, Ordering::Relaxed);
    }
}

/// Whether the kernel has ended a program for want of memory since that was last asked.
fn memory_was_short() -> bool {
    look::ended_for_memory()
        .is_some_and(|count| ENDED_FOR_MEMORY.swap(count, Ordering::Relaxed) < count)
}

impl Case<'_> {
    /// Why the request failed.
    pub fn finding(&self) -> Finding {
        if !LOOKS {
            return self.as_it_is();
        }
        let complaint = stderr::complaint(self.stderr);
        match self.reason {
            Reason::CgiNoOutput
            | Reason::CgiNoHeader
            | Reason::CgiHeaderCut
            | Reason::CgiHeaderMalformed
            | Reason::CgiHeaderTooLong
            | Reason::CgiStatus
            | Reason::CgiLocation
            | Reason::CgiSendFile => self.of_output(complaint),
            Reason::CgiKilled | Reason::CgiCpuLimit | Reason::CgiFileLimit => self.killed(),
            Reason::CgiTimeout => self.silent(),
            Reason::CgiShort => self.complained(Finding::error(
                self.reason,
                format!(
                    "The program printed {} bytes of body, fewer than its Content-Length.",
                    self.body_len
                ),
                "leave Content-Length to the server, or count bytes and not characters",
            )),
            Reason::CgiLong => self.complained(
                Finding::error(
                    self.reason,
                    format!(
                        "The program printed more than the {} bytes of its Content-Length; the rest was \
                         dropped.",
                        self.body_len
                    ),
                    "leave Content-Length to the server, or count bytes and not characters",
                )
                .severity(Severity::Warning),
            ),
            Reason::CgiExit | Reason::FastcgiStatus => self.complained(
                match complaint {
                    Some(Complaint::Trace(trace)) => self.traced(self.reason, &trace),
                    _ if self.exit.is_none() => Finding::error(
                        self.reason,
                        self.reason.meaning(),
                        "end requests with status 0 where nothing is wrong",
                    )
                    .severity(Severity::Warning),
                    _ => Finding::error(
                        self.reason,
                        format!("The program ended with {}; its response stands.", self.ending()),
                        "end it with exit status 0 where nothing is wrong",
                    )
                    .severity(Severity::Warning),
                },
            ),
            reason => {
                let finding = Finding::error(reason, reason.meaning(), remedy_of(reason));
                self.complained(finding.shown_by("it printed", self.printed))
            }
        }
    }

    /// The symptom, and what the program had to say.
    fn as_it_is(&self) -> Finding {
        let reason = match self.exit {
            Some(Exit::Signal(child::CPU_LIMIT)) => Reason::CgiCpuLimit,
            Some(Exit::Signal(child::FILE_LIMIT)) => Reason::CgiFileLimit,
            _ => self.reason,
        };
        let finding = Finding::error(reason, reason.meaning(), "");
        self.complained(finding.shown_by("it printed", self.printed))
    }

    fn ending(&self) -> String {
        self.exit.map_or(String::new(), |exit| exit.to_string())
    }

    /// The same, shown by the end of stderr too.
    fn complained(&self, finding: Finding) -> Finding {
        finding.shown_by_end("its stderr ended in", self.stderr)
    }

    fn of_output(&self, complaint: Option<Complaint>) -> Finding {
        let has_failed = !matches!(self.exit, Some(Exit::Status(0)));
        let of_complaint = complaint.filter(|_| has_failed).and_then(|complaint| {
            let is_start = self.printed.is_empty();
            match complaint {
                Complaint::Trace(trace) => Some(self.traced(Reason::CgiFailed, &trace)),
                Complaint::Library(name) => Some(Finding::error(
                    Reason::CgiLibrary,
                    format!("The shared library {name}, which the program needs, is not found here."),
                    "install the package that has it, or link the program statically (ldd tells what it needs)",
                )),
                Complaint::NotFound(name) if is_start => Some(self.not_found(&name)),
                Complaint::NotFound(_) => None,
            }
        });
        let finding = of_complaint
            .or_else(|| self.unreadable())
            .unwrap_or_else(|| {
                let mut finding = output::finding(self.reason, self.printed);
                if let (Reason::CgiNoOutput, Some(exit)) = (self.reason, self.exit)
                    && (exit != Exit::Status(0) || !self.stderr.is_empty())
                {
                    finding.sentence =
                        format!("The program ended with {exit} and printed nothing.").into();
                    if is_short_of_memory(self.stderr) {
                        finding.remedy = MEMORY.into();
                    } else if exit != Exit::Status(0) {
                        finding.remedy = format!(
                            "run it by hand and see why it fails: tollgate check {}",
                            quoted(&self.script.display().to_string())
                        )
                        .into();
                    }
                }
                finding
            });
        let is_shown = finding.evidence.iter().any(|it| it.from == "it printed");
        let finding = match is_shown || finding.reason() == Some(self.reason) {
            true => finding,
            false => finding.shown_by("it printed", self.printed),
        };
        self.complained(finding)
    }

    /// A script that may be executed, and not be read by its interpreter.
    fn unreadable(&self) -> Option<Finding> {
        let is_told = holds(self.stderr, b"Permission denied");
        let is_start = is_told && self.printed.is_empty();
        let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
        let read = is_start.then(|| first_bytes(self.script, 1))?;
        let shown = self.script.display();
        let finding = Finding::error(
            Reason::CgiNotExecutable,
            format!(
                "{shown} may be executed by the server's user ({}), but not read, as its interpreter has to.",
                super::own_user()
            ),
            format!("chmod a+r {}", quoted(&shown.to_string())),
        );
        read.is_err_and(denied).then_some(finding)
    }

    fn traced(&self, reason: Reason, trace: &Trace) -> Finding {
        let Trace {
            language,
            file,
            line,
            message,
        } = trace;
        let sentence =
            format!("The program failed at line {line} of {file} ({language}): {message}.");
        let remedy = match file {
            _ if is_short_of_memory(message.as_bytes()) => MEMORY.to_owned(),
            file if stderr::is_library(file) => {
                "see what the program gives to that: it is in a library".to_owned()
            }
            file => format!("mend line {line} of {}", quoted(file)),
        };
        let source = self.source_line(file, *line);
        Finding::error(reason, sentence, remedy)
            .shown_by(format!("line {line} of {file}"), source.as_bytes())
    }

    /// The line that a traceback names.
    fn source_line(&self, file: &str, line: u32) -> String {
        let own = || {
            let folder = self.script.parent()?.canonicalize().ok()?;
            let path = folder.join(file).canonicalize().ok()?;
            let is_own = path.starts_with(&folder);
            let source = is_own.then(|| first_bytes(&path, SOURCE_MAX).ok())??;
            let bytes = source.split(|&byte| byte == b'\n').nth(line as usize - 1)?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        own().unwrap_or_default()
    }

    /// `env` did not find what a `#!` line names.
    fn not_found(&self, name: &str) -> Finding {
        let shown = self.script.display().to_string();
        // The first line shows it, where it is that.
        let of_file = super::program(self.script).into_iter().find(|finding| {
            matches!(
                finding.reason(),
                Some(Reason::CgiCarriageReturn | Reason::CgiNoInterpreter)
            )
        });
        of_file.unwrap_or_else(|| {
            let sentence = format!(
                "{shown} has env look for '{}', which is not found.",
                name.trim_end()
            );
            let remedy = "install it, or name it with its whole path";
            Finding::error(Reason::CgiNoInterpreter, sentence, remedy)
        })
    }

    fn killed(&self) -> Finding {
        let Some(Exit::Signal(signal)) = self.exit else {
            let sentence = "The process that had started the program was ended by somebody, and the \
                            program with it.";
            return Finding::error(self.reason, sentence, "see who ends processes of this user");
        };
        let (reason, sentence, remedy) = match signal {
            child::CPU_LIMIT => (
                Reason::CgiCpuLimit,
                "The program used more processor time than --limit cpu permits.",
                "have it do less for one request, or give it more: --limit cpu=SECS",
            ),
            child::FILE_LIMIT => (
                Reason::CgiFileLimit,
                "The program wrote a longer file than --limit file-size permits.",
                "look for what it writes without an end, or give it more: --limit file-size=SIZE",
            ),
            9 if memory_was_short() => (
                Reason::CgiMemory,
                "The kernel was short of memory and ended a program just now, most likely this one \
                 (SIGKILL, from the out-of-memory killer).",
                "have it use less, give the machine more, or run fewer at once: --max-processes; dmesg tells \
                 more",
            ),
            9 => (
                self.reason,
                "The program was ended from outside by SIGKILL, which tollgate did not send.",
                "see who ends processes of this user; a hard limit of processor time (ulimit -t) does \
                 so too",
            ),
            11 | 7 | 4 | 8 | 31 => (
                self.reason,
                "The program crashed: it did something with memory or numbers, or of the system, that is \
                 refused.",
                "find the place with a debugger (gdb), or compile it with -g -fsanitize=address",
            ),
            6 | 5 => (
                self.reason,
                "The program gave itself up (abort): a check of its own, or of its library, has failed.",
                match is_short_of_memory(self.stderr) {
                    true => MEMORY,
                    false => "its stderr tells which, mostly",
                },
            ),
            13 => (
                self.reason,
                "The program wrote to a pipe or connection that nobody reads any more.",
                "look which of the programs that it starts ends early",
            ),
            _ => (
                self.reason,
                "The program was ended from outside by a signal that tollgate did not send.",
                "see who sends signals to processes of this user",
            ),
        };
        let names = [
            (1, "SIGHUP"),
            (2, "SIGINT"),
            (3, "SIGQUIT"),
            (4, "SIGILL"),
            (5, "SIGTRAP"),
            (6, "SIGABRT"),
            (7, "SIGBUS"),
            (8, "SIGFPE"),
            (9, "SIGKILL"),
            (11, "SIGSEGV"),
            (13, "SIGPIPE"),
            (14, "SIGALRM"),
            (15, "SIGTERM"),
            (24, "SIGXCPU"),
            (25, "SIGXFSZ"),
            (31, "SIGSYS"),
        ];
        let name = names.iter().find(|(number, _)| *number == signal);
        let name = name.map_or("a signal", |(_, name)| name);
        let mut finding = Finding::error(reason, sentence, remedy);
        finding = finding.shown_by("it ended by", format!("{name} ({signal})").as_bytes());
        self.complained(finding.shown_by("it printed", self.printed))
    }

    fn silent(&self) -> Finding {
        let seconds = seconds(self.silence);
        let sofar = match (self.printed, self.body_len) {
            (b"", 0) => "has printed nothing",
            _ => "has printed nothing more",
        };
        let is_reading = |look: &Look| matches!(look.doing, look::Doing::Reads(..));
        let computes = |look: &Look| matches!(look.doing, look::Doing::Computes(_));
        let (what, remedy) = match self.looks {
            looks if looks.iter().any(computes) => (
                " It computes.",
                "have it do less for one request, or give it longer: --cgi-timeout=SECS",
            ),
            looks if looks.iter().any(is_reading) => (
                " It waits for bytes that do not come.",
                "its standard input ends after CONTENT_LENGTH bytes: see what else it reads from",
            ),
            [] => ("", "give it longer: --cgi-timeout=SECS"),
            _ => (
                " It waits.",
                "see what it waits for; where it is only slow, give it longer: --cgi-timeout=SECS",
            ),
        };
        let sentence = format!(
            "The program {sofar} for {seconds} s, and was ended.{what} What it has printed into a \
             buffer of its \
             own counts as nothing until that is flushed."
        );
        let doing: Vec<String> = self.looks.iter().map(Look::to_string).collect();
        let finding = Finding::error(self.reason, sentence, remedy)
            .shown_by(
                "what it did when its time was up",
                doing.join("\n").as_bytes(),
            )
            .shown_by("it printed", self.printed);
        self.complained(finding)
    }
}

/// What mends a fault that its reason says all about.
fn remedy_of(reason: Reason) -> &'static str {
    match reason {
        Reason::FastcgiConnectTimeout => {
            "its queue of connections may be full, as all its processes are busy: give it more of them \
             (php-fpm: \
             pm.max_children), or send it fewer at once: --max-backend"
        }
        Reason::FastcgiOverloaded => {
            "it has reached its limit of connections: give it more processes, or send it fewer requests at \
             once: --max-backend"
        }
        Reason::FastcgiMultiplex => {
            "have it take a request on each connection at a time: that is all it was sent"
        }
        Reason::FastcgiRole => {
            "write authorizer: before a backend that is one, and leave it out before one that answers"
        }
        Reason::FastcgiClosed => "it has ended or was ended in the midst of it: see its own log",
        Reason::FastcgiVersion => {
            "it does not speak FastCGI: check the address, and that it is no HTTP server"
        }
        Reason::FastcgiTimeout => {
            "have it answer sooner, or give it longer: --fastcgi-timeout=SECS"
        }
        _ => "",
    }
}

/// Whether this is what PHP complains of when it finds no file.
#[cfg(feature = "fastcgi")]
pub fn is_script_unknown(stderr: &[u8]) -> bool {
    holds(stderr, b"Primary script unknown")
}

/// Whether this names the line at which a program failed.
pub fn is_traced(stderr: &[u8]) -> bool {
    LOOKS && matches!(stderr::complaint(stderr), Some(Complaint::Trace(_)))
}

/// Whether this is what PHP complains of when a script has failed.
#[cfg(feature = "fastcgi")]
pub fn is_fatal(stderr: &[u8]) -> bool {
    holds(stderr, b"PHP Fatal error:") || holds(stderr, b"PHP Parse error:")
}

/// Why PHP answers that there is no such file: where it looked, and what is there for the server.
#[cfg(feature = "fastcgi")]
pub fn script_unknown(looked_for: &[u8], stderr: &[u8]) -> Finding {
    if !LOOKS {
        let reason = Reason::FastcgiScriptUnknown;
        let finding = Finding::error(reason, reason.meaning(), "");
        return finding.shown_by("PHP looked for", looked_for);
    }
    let path = Path::new(OsStr::from_bytes(looked_for));
    let shown = path.display();
    let rights = path.metadata().map(|meta| super::rights(&meta));
    let (sentence, remedy) = match (looked_for, &rights) {
        (b"", _) => (
            "PHP finds no script: it was told of none, as nothing maps this URL to a file."
                .to_owned(),
            "give the route a folder of files with -s, or use -f .php=... in place of a prefix",
        ),
        (_, Ok(_)) => (
            format!(
                "PHP finds no file {shown}. For tollgate it is there: PHP sees other folders, or may \
                 not read it."
            ),
            "have PHP run with the same folders under the same paths (chroot in its pool, another container), \
             and let its user read the file and pass the folders above it",
        ),
        (_, Err(_)) => (
            format!("PHP finds no file {shown}, and neither does tollgate."),
            "mend the URL, or put the file there",
        ),
    };
    let rights = rights.unwrap_or_default();
    Finding::error(Reason::FastcgiScriptUnknown, sentence, remedy)
        .shown_by("PHP looked for", looked_for)
        .shown_by(format!("rights of {shown}"), rights.as_bytes())
        .shown_by_end("its stderr ended in", stderr)
}

#[cfg(test)]
mod tests;
