//! Runs one program in a process group of its own, with stdin given whole and two pipes back, or as a
//! service with a listening socket for stdin and one pipe back.
//!
//! Shape: a [`Program`] is started, by a spawner where there is one (`spawner.rs`), and becomes a
//! [`Child`], which is watched (`watch.rs`, `service.rs`), read from and reaped. That a program could not
//! be started is told by [`Program::start`], or by the end of the child where a spawner was to do it. Rules:
//! - Started by `std::process::Command` without anything that would make it leave the posix_spawn
//!   path (no pre_exec, uid or gid): forking costs more the more memory the server has.
//! - stdin is whole before the program starts: a pipe that already holds everything, or a file. So
//!   nothing has to be fed, and a program that never reads cannot block anything.
//! - A child is reaped exactly once, also when its owner gives up: dropping it kills its group.
//! - Its group is killed before it is reaped, while the number cannot belong to anyone else.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, waitid};
use wait4::Wait4;

use super::buffer::Buffer;
use super::spawner::{Fate, Lease, Spawners, Urgency};
use super::spool::{Content, memory_file};
use super::watch;
use super::{clock, fault};

/// The signal that ends a program which has used up its processor time.
pub const CPU_LIMIT: i32 = Signal::XCPU.as_raw();

/// The one that ends a program which writes more to a file than it may.
pub const FILE_LIMIT: i32 = Signal::XFSZ.as_raw();

/// What any pipe holds, even when a user's pipes are rationed.
const PIPE_LEAST: usize = 4096;

/// How soon it is looked again whether a program that was told to end has.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// A program about to be started.
#[derive(Debug)]
pub struct Program<'a> {
    /// The file to execute, absolute.
    pub path: &'a Path,
    /// Its arguments, without its own name.
    pub arguments: &'a [Vec<u8>],
    /// Its working folder.
    pub folder: &'a Path,
    /// What it reads from stdin; `None` is /dev/null.
    pub stdin: Option<Content<'a>>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It was never started: the kernel's error number.
    Unstarted(i32),
    /// Nobody knows: its spawner was ended, and the program with it.
    Lost,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Status(status) => write!(f, "exit status {status}"),
            Exit::Signal(CPU_LIMIT) => write!(f, "signal {CPU_LIMIT}, its limit of processor time"),
            Exit::Signal(FILE_LIMIT) => {
                write!(f, "signal {FILE_LIMIT}, its limit of a file's size")
            }
            Exit::Signal(signal) => write!(f, "signal {signal}"),
            Exit::Unstarted(error) => write!(f, "not started, error {error}"),
            Exit::Lost => f.write_str("lost with its spawner"),
        }
    }
}

/// What a program took, as far as it is known: by itself and by those of its own programs that it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Its process id.
    pub pid: Option<u32>,
    /// How long it took to be started, in microseconds: until exec was done.
    pub start: Option<u32>,
    /// Its processor time, in microseconds.
    pub cpu: Option<u32>,
    /// The most memory that it had, in KiB; no less than what its spawner had, from which it came.
    pub memory: Option<u32>,
}

/// A running program.
#[derive(Debug)]
pub struct Child {
    usage: Usage,
    parent: Parent,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    exit: Option<Exit>,
}

/// Whose child the process is.
#[derive(Debug)]
enum Parent {
    /// The server's, with its pidfd, which kernels before 5.3 have not.
    Server(std::process::Child, Option<OwnedFd>),
    /// A spawner's.
    Spawner(Lease),
}

/// What tells of the end of a program.
#[derive(Debug, Clone, Copy)]
pub enum Sign<'c> {
    /// That this descriptor becomes readable.
    Readable(BorrowedFd<'c>),
    /// That this one is hung up.
    HungUp(BorrowedFd<'c>),
    /// Nothing: it has to be asked for.
    Nothing,
}

impl Program<'_> {
    /// Starts the program with exactly these environment variables, through `spawners` if it can be.
    ///
    /// Errors: what exec or fork said, as the kernel's error number; through a spawner the child tells
    /// it as [`Exit::Unstarted`].
    pub fn start<'e>(
        &self,
        environment: impl Iterator<Item = (&'e [u8], &'e [u8])> + Clone,
        spawners: &Spawners,
    ) -> io::Result<Child> {
        let stdin = self.stdin.map(stdin_of).transpose()?;
        let ordered = spawners.start(
            self.path.as_os_str().as_bytes(),
            self.folder.as_os_str().as_bytes(),
            self.arguments,
            environment.clone(),
            stdin.as_ref().map(AsFd::as_fd),
        )?;
        if let Some(ordered) = ordered {
            return Ok(Child {
                usage: Usage::default(),
                parent: Parent::Spawner(ordered.lease),
                stdout: Some(OwnedFd::from(ordered.stdout).into()),
                stderr: Some(OwnedFd::from(ordered.stderr).into()),
                exit: None,
            });
        }
        let mut command = self.command(environment);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(stdin) = stdin {
            command.stdin(stdin);
        }
        Child::spawn(command)
    }

    /// Starts the program as a service: its descriptor 0 is `listener`, its name the last component of
    /// its path, and all it prints, on stdout too, is read from [`Child::stderr`].
    ///
    /// Errors: what exec or fork said, through a spawner too.
    #[cfg(feature = "fastcgi")]
    pub fn start_service<'e>(
        &self,
        listener: BorrowedFd<'_>,
        environment: impl Iterator<Item = (&'e [u8], &'e [u8])> + Clone,
        spawners: &Spawners,
    ) -> io::Result<Child> {
        let name = self.path.file_name().unwrap_or_default();
        let texts = [self.path.as_os_str(), name, self.folder.as_os_str()];
        let ordered = spawners.start_service(
            texts.map(OsStr::as_bytes),
            self.arguments,
            environment.clone(),
            listener,
        )?;
        if let Some((lease, output)) = ordered {
            return Ok(Child {
                usage: Usage::default(),
                parent: Parent::Spawner(lease),
                stdout: None,
                stderr: Some(OwnedFd::from(output).into()),
                exit: None,
            });
        }
        let mut command = self.command(environment);
        if let Some(name) = self.path.file_name() {
            command.arg0(name);
        }
        fault::pipe()?;
        let (reader, writer) = io::pipe()?;
        command
            .stdin(listener.try_clone_to_owned()?)
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = Child::spawn(command)?;
        child.stderr = Some(OwnedFd::from(reader).into());
        Ok(child)
    }

    fn command<'e>(&self, environment: impl Iterator<Item = (&'e [u8], &'e [u8])>) -> Command {
        let mut command = Command::new(self.path);
        command
            .args(
                self.arguments
                    .iter()
                    .map(|argument| OsStr::from_bytes(argument)),
            )
            .env_clear()
            .envs(
                environment
                    .map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))),
            )
            .current_dir(self.folder)
            .process_group(0);
        command
    }
}

/// A stdin that holds everything already.
fn stdin_of(content: Content<'_>) -> io::Result<OwnedFd> {
    let bytes = match content {
        Content::File(mut file) => {
            file.rewind()?;
            return Ok(file.try_clone()?.into());
        }
        Content::Memory(bytes) => bytes,
    };
    fault::pipe()?;
    let (reader, mut writer) = io::pipe()?;
    if bytes.len() > PIPE_LEAST && rustix::pipe::fcntl_getpipe_size(&writer)? < bytes.len() {
        return Ok(memory_file(bytes)?.into());
    }
    writer.write_all(bytes)?;
    Ok(reader.into())
}

impl Child {
    /// By value: the command keeps our copies of the child's ends of pipes open.
    fn spawn(mut command: Command) -> io::Result<Child> {
        fault::spawn()?;
        let before = clock::stamp();
        let mut process = command.spawn()?;
        let usage = Usage {
            pid: Some(process.id()),
            start: Some(clock::since(before, clock::stamp())),
            ..Usage::default()
        };
        let pid = Pid::from_child(&process);
        let pidfd = fault::pidfd()
            .and_then(|()| rustix::process::pidfd_open(pid, PidfdFlags::empty()))
            .ok();
        Ok(Child {
            usage,
            stdout: process.stdout.take(),
            stderr: process.stderr.take(),
            exit: None,
            parent: Parent::Server(process, pidfd),
        })
    }

    /// The process id, which is also that of its group; not of a program that was ordered and not
    /// waited for.
    pub fn id(&self) -> Option<u32> {
        match &self.parent {
            Parent::Server(process, _) => Some(process.id()),
            Parent::Spawner(lease) => lease.id(),
        }
    }

    /// The end of stdout that is read from, until it was closed.
    pub fn stdout(&self) -> Option<&ChildStdout> {
        self.stdout.as_ref()
    }

    /// The end of stderr that is read from, until it was closed.
    pub fn stderr(&self) -> Option<&ChildStderr> {
        self.stderr.as_ref()
    }

    /// By what it can be seen that the program has ended.
    pub fn sign(&self) -> Sign<'_> {
        match &self.parent {
            Parent::Server(_, Some(pidfd)) => Sign::Readable(pidfd.as_fd()),
            Parent::Server(_, None) => Sign::Nothing,
            Parent::Spawner(lease) => Sign::HungUp(lease.reports().as_fd()),
        }
    }

    /// Reads what lies in stdout into `buffer`, whose old content is replaced. At its end nothing is
    /// left in the buffer, and stdout is closed.
    ///
    /// Call it only when stdout was reported ready, since it blocks otherwise.
    pub fn read_stdout(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        let Some(stdout) = &mut self.stdout else {
            buffer.clear();
            return Ok(());
        };
        if buffer.fill(stdout)? == 0 {
            self.stdout = None;
        }
        Ok(())
    }

    /// Reads what lies in stderr, as [`Child::read_stdout`] does.
    pub fn read_stderr(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        let Some(stderr) = &mut self.stderr else {
            buffer.clear();
            return Ok(());
        };
        if buffer.fill(stderr)? == 0 {
            self.stderr = None;
        }
        Ok(())
    }

    /// Closes stdout.
    pub fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Closes stderr.
    pub fn close_stderr(&mut self) {
        self.stderr = None;
    }

    /// Whether the program has ended, without waiting and without reaping it.
    pub fn has_ended(&self) -> bool {
        const LOOK: WaitIdOptions = WaitIdOptions::EXITED
            .union(WaitIdOptions::NOHANG)
            .union(WaitIdOptions::NOWAIT);
        match &self.parent {
            Parent::Server(process, None) => {
                let pid = Pid::from_child(process);
                !matches!(waitid(WaitId::Pid(pid), LOOK), Ok(None))
            }
            _ => watch::await_sign(self.sign(), Duration::ZERO),
        }
    }

    /// Waits for the end and reaps; children that the program left behind live on.
    pub fn reap(&mut self) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let fate = match &mut self.parent {
            Parent::Server(process, _) => match reap(process) {
                Ok(reaped) => {
                    self.usage.cpu = Some(reaped.cpu);
                    self.usage.memory = Some(reaped.memory);
                    Fate::Ended(reaped.status)
                }
                Err(_) => Fate::Lost,
            },
            Parent::Spawner(lease) => lease.wait(&mut self.usage),
        };
        let exit = match fate {
            Fate::Ended(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Status(code),
                (None, signal) => Exit::Signal(signal.unwrap_or(0)),
            },
            Fate::Unstarted(error) => Exit::Unstarted(error),
            Fate::Lost => Exit::Lost,
        };
        self.exit = Some(exit);
        exit
    }

    /// What it took; all of that is known once it is reaped.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Asks the program's whole group to end (SIGTERM), without waiting.
    pub fn ask_to_end(&self) {
        self.signal_group(Urgency::Term);
    }

    /// Has the kernel end the program's whole group (SIGKILL), without waiting.
    pub fn kill(&self) {
        self.signal_group(Urgency::Kill);
    }

    /// Ends the program and its whole group: SIGTERM, SIGKILL after `grace`, then reaps.
    pub fn end(&mut self, grace: Duration) -> Exit {
        if self.exit.is_none() {
            self.ask_to_end();
            self.stdout = None;
            // stderr stays: a shell whose command was ended says so there, before it does what its trap says.
            self.await_end(grace);
            self.kill();
        }
        self.reap()
    }

    fn signal_group(&self, urgency: Urgency) {
        // Once it is reaped, the number may belong to others.
        if self.exit.is_some() {
            return;
        }
        match &self.parent {
            Parent::Server(process, _) => {
                let signal = match urgency {
                    Urgency::Term => Signal::TERM,
                    Urgency::Kill => Signal::KILL,
                };
                // It may have ended by itself in between; then there is nobody left to signal.
                let _ = rustix::process::kill_process_group(Pid::from_child(process), signal);
            }
            Parent::Spawner(lease) => lease.signal(urgency),
        }
    }

    fn await_end(&mut self, grace: Duration) {
        let until = Instant::now() + grace;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let has_ended = match self.sign() {
                Sign::Nothing => self.has_ended(),
                sign => fault::grace().is_ok() && watch::await_sign(sign, left),
            };
            if has_ended || left.is_zero() {
                return;
            }
            // There is no sign to wait for, or a signal to the server interrupted that.
            std::thread::sleep(left.min(ASK_AGAIN));
        }
    }
}

/// What wait4(2) tells of a process that has ended.
pub(super) struct Reaped {
    pub(super) status: ExitStatus,
    /// Processor time in microseconds.
    pub(super) cpu: u32,
    /// The most memory, in KiB.
    pub(super) memory: u32,
}

/// Waits for a process to end, and reaps it.
pub(super) fn reap(process: &mut std::process::Child) -> io::Result<Reaped> {
    loop {
        match process.wait4() {
            Ok(used) => {
                let cpu = used.rusage.utime + used.rusage.stime;
                return Ok(Reaped {
                    status: used.status,
                    cpu: u32::try_from(cpu.as_micros()).unwrap_or(u32::MAX),
                    // The crate counts in bytes.
                    memory: u32::try_from(used.rusage.maxrss >> 10).unwrap_or(u32::MAX),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// Whether an error of [`Program::start`] has this meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFailure {
    /// ENOENT or ENOTDIR: the program, or the interpreter that its first line names, is not there.
    Missing,
    /// EACCES or EPERM: no execute permission on the way.
    Denied,
    /// ENOEXEC: the kernel knows no way to execute this file.
    Format,
    /// ELOOP: interpreters name one another, in a circle or too many in a row.
    Nested,
    /// ETXTBSY: somebody has the program open for writing.
    Busy,
    /// E2BIG: arguments and environment are too large together.
    TooLarge,
    /// Processes, memory or descriptors are used up, or something else that may pass.
    Exhausted,
}

impl From<&io::Error> for StartFailure {
    fn from(error: &io::Error) -> StartFailure {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NOTDIR) => StartFailure::Missing,
            Some(Errno::ACCESS | Errno::PERM) => StartFailure::Denied,
            Some(Errno::NOEXEC | Errno::LIBBAD) => StartFailure::Format,
            Some(Errno::LOOP) => StartFailure::Nested,
            Some(Errno::TXTBSY) => StartFailure::Busy,
            Some(Errno::TOOBIG) => StartFailure::TooLarge,
            _ => StartFailure::Exhausted,
        }
    }
}

#[cfg(test)]
mod tests;
