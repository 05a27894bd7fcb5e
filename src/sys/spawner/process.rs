//! The spawner itself: a process that starts programs on order, and tells what became of them.
//!
//! Rules:
//! - Descriptor 0 is a connection to the server, and is moved out of the way before any program is
//!   started: a program finds /dev/null there, or what the server sent for it. Descriptor 1 is /dev/null
//!   when it starts.
//! - What would end the server gracefully (SIGTERM, SIGINT, SIGHUP) does not end a spawner, whose
//!   programs the server may still be waiting for. The end of the connection does: the programs are
//!   ended then, so that a server that was killed leaves none behind. Nor does SIGXCPU: its own limit of
//!   processor time is for its programs to inherit (`confinement.rs`).
//! - Security: what programs share with it is their user. It cannot be traced by them (non-dumpable), once it
//!   is confined; exec gives a program back what that takes away.
//! - A program's group is signalled before its process is reaped, while the number cannot belong to
//!   anyone else. Of one that was told to end nothing is left: its group is killed once more then.

use std::ffi::OsStr;
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU};

use super::confinement::{self, Limits};
use super::order::{ORDER_MAX, Order, Report, Start, Urgency};
use crate::sys::child::reap;
use crate::sys::{clock, descriptors, fault};

/// How long programs whose server is gone may take to end after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long a spawner rests when the system has no memory for a call.
const WANT_PAUSE: Duration = Duration::from_millis(10);

/// The descriptors that come with an order to start a program: where to report, stdout, stderr, and
/// stdin where it has one.
pub(super) const DESCRIPTORS_MAX: usize = 4;

/// What a spawner says once it has entered its confinement; anything else is why it could not.
pub(super) const READY: [u8; 5] = *b"ready";

/// Serves until the server is gone.
pub fn serve() -> ExitCode {
    match prepare().and_then(Spawner::confined) {
        Ok(mut spawner) => spawner.serve(),
        // Nobody listens; the server finds the connection ended, and does without.
        Err(_) => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// The connection to the server.
fn prepare() -> io::Result<OwnedFd> {
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGXCPU] {
        // With a handler, and not ignored: what is ignored a program would inherit.
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let server = io::stdin().as_fd().try_clone_to_owned()?;
    descriptors::seal_with(io::stdout().as_fd())?;
    // What `ps` shows; without it a spawner works as well.
    let _ = rustix::thread::set_name(c"tollgate-spawn");
    Ok(server)
}

struct Spawner {
    server: OwnedFd,
    limits: Limits,
    programs: Vec<Program>,
    message: Vec<u8>,
}

/// A program that was started and has not ended.
struct Program {
    serial: u32,
    child: Child,
    pidfd: OwnedFd,
    report: io::PipeWriter,
    is_told_to_end: bool,
}

impl Spawner {
    /// Receives its confinement, enters it, and tells what came of it.
    fn confined(server: OwnedFd) -> io::Result<Spawner> {
        let mut spawner = Spawner {
            server,
            limits: Limits::default(),
            programs: Vec::new(),
            message: vec![0; ORDER_MAX],
        };
        let len = spawner.receive(&mut [const { None }; DESCRIPTORS_MAX])?;
        let entered = confinement::obey(&spawner.message[..len]);
        // Its programs have the same user, who may otherwise look into it and command it.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        let (limits, told) = match entered {
            Ok(limits) => (Ok(limits), READY.to_vec()),
            Err(error) => (Err(error.kind()), error.to_string().into_bytes()),
        };
        rustix::net::send(&spawner.server, &told, SendFlags::NOSIGNAL)?;
        spawner.limits = limits?;
        Ok(spawner)
    }

    fn serve(&mut self) {
        while let Ok(is_ordered) = self.wait() {
            if is_ordered && self.obey().is_err() {
                break;
            }
        }
        self.end_all();
    }

    /// Waits until there is an order, or programs have ended, of which is told.
    fn wait(&mut self) -> io::Result<bool> {
        let mut polled = Vec::with_capacity(1 + self.programs.len());
        polled.push(PollFd::new(&self.server, PollFlags::IN));
        let pidfds = self.programs.iter().map(|program| &program.pidfd);
        polled.extend(pidfds.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        match fault::poll().and_then(|()| poll(&mut polled, None)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) if is_passing(error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let mut happened = polled.iter().map(|polled| !polled.revents().is_empty());
        let is_ordered = happened.next() == Some(true);
        let ended: Vec<bool> = happened.collect();
        let mut ended = ended.into_iter();
        for program in self.programs.extract_if(.., |_| ended.next() == Some(true)) {
            program.settle();
        }
        Ok(is_ordered)
    }

    /// Carries out the next order; fails when there will be none.
    fn obey(&mut self) -> io::Result<()> {
        let mut descriptors = [const { None }; DESCRIPTORS_MAX];
        let len = match self.receive(&mut descriptors) {
            // The order is still there.
            Err(error) if Errno::from_io_error(&error).is_some_and(is_passing) => return Ok(()),
            received => received?,
        };
        match Order::decode(&self.message[..len]) {
            Some(Order::Start(order)) => {
                let started = start(&order, descriptors, &self.limits);
                self.programs.extend(started);
                Ok(())
            }
            Some(Order::Signal(serial, urgency)) => {
                let mut programs = self.programs.iter_mut();
                if let Some(program) = programs.find(|program| program.serial == serial) {
                    program.is_told_to_end = true;
                    program.signal(match urgency {
                        Urgency::Term => Signal::TERM,
                        Urgency::Kill => Signal::KILL,
                    });
                }
                Ok(())
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// The length of the next order, and the descriptors that came with it.
    fn receive(
        &mut self,
        descriptors: &mut [Option<OwnedFd>; DESCRIPTORS_MAX],
    ) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut self.message)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let receive = || {
            fault::recvmsg()?;
            recvmsg(&self.server, &mut parts, &mut control, flags)
        };
        let received = rustix::io::retry_on_intr(receive)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(sent) = message {
                for (place, descriptor) in descriptors.iter_mut().zip(sent) {
                    *place = Some(descriptor);
                }
            }
        }
        match received.bytes {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => Ok(len),
        }
    }

    fn end_all(&mut self) {
        for program in &self.programs {
            program.signal(Signal::TERM);
        }
        let until = Instant::now() + TERM_GRACE;
        let is_running = |program: &Program| {
            let mut polled = [PollFd::new(&program.pidfd, PollFlags::IN)];
            poll(&mut polled, Some(&rustix::event::Timespec::default())) == Ok(0)
        };
        while self.programs.iter().any(is_running) && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        for program in &self.programs {
            program.signal(Signal::KILL);
        }
    }
}

impl Program {
    fn signal(&self, signal: Signal) {
        // Its group may be gone with it.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }

    /// Reaps the process, which has ended, and tells how.
    fn settle(mut self) {
        if self.is_told_to_end {
            self.signal(Signal::KILL);
        }
        if let Ok(reaped) = reap(&mut self.child) {
            let number = |known: u32| known.try_into().unwrap_or(i32::MAX);
            let reports = [
                Report::Cpu(number(reaped.cpu)),
                Report::Memory(number(reaped.memory)),
                Report::Ended(reaped.status.into_raw()),
            ];
            // The server reads it, or is gone. A pipe takes as little as this whole.
            let _ = self.report.write(&reports.map(Report::encode).concat());
        }
    }
}

/// Whether a call failed for want of memory: to end all programs would be the worse answer. Waits a while
/// before it is made again.
fn is_passing(error: Errno) -> bool {
    let passes = matches!(error, Errno::NOMEM | Errno::NOBUFS);
    if passes {
        thread::sleep(WANT_PAUSE);
    }
    passes
}

/// Starts a program, and tells the server what came of it, unless that is gone.
fn start(
    order: &Start<'_>,
    descriptors: [Option<OwnedFd>; DESCRIPTORS_MAX],
    limits: &Limits,
) -> Option<Program> {
    let came = descriptors.iter().flatten().count();
    let [report, stdout, stderr, stdin] = descriptors;
    // Where there was no room even for this one, its end alone tells the server.
    let mut report = io::PipeWriter::from(report?);
    let spawned = match (stdout, stderr) {
        (Some(stdout), Some(stderr)) if came == order.descriptors.into() => {
            spawn(order, stdin, stdout, stderr, limits)
        }
        // The kernel leaves out what it finds no room for.
        _ => Err(Errno::MFILE.into()),
    };
    match spawned {
        Ok((child, pidfd)) => {
            let pid = child.id().cast_signed();
            let reports = [Report::Started(pid), Report::At(clock::stamp())];
            let _ = report.write(&reports.map(Report::encode).concat());
            Some(Program {
                serial: order.serial,
                child,
                pidfd,
                report,
                is_told_to_end: false,
            })
        }
        Err(error) => {
            let number = error.raw_os_error();
            let number = number.unwrap_or(Errno::INVAL.raw_os_error());
            let _ = report.write(&Report::Failed(number).encode());
            None
        }
    }
}

fn spawn(
    order: &Start<'_>,
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
    limits: &Limits,
) -> io::Result<(Child, OwnedFd)> {
    let mut command = Command::new(OsStr::from_bytes(order.path));
    let environment = order.environment.iter();
    if !order.name.is_empty() {
        command.arg0(OsStr::from_bytes(order.name));
    }
    command
        .args(order.arguments.iter().map(|it| OsStr::from_bytes(it)))
        .env_clear()
        .envs(environment.map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))))
        .current_dir(OsStr::from_bytes(order.folder))
        .process_group(0)
        .stdin(stdin.map_or_else(Stdio::inherit, Stdio::from))
        .stdout(stdout)
        .stderr(stderr);
    limits.enter_own_cpu()?;
    fault::spawn()?;
    let mut child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let opened = limits
        .enter_cpu(pid)
        .and_then(|()| Ok(fault::pidfd().and_then(|()| pidfd_open(pid, PidfdFlags::empty()))?));
    match opened {
        Ok(pidfd) => Ok((child, pidfd)),
        Err(error) => {
            // It could not be limited, or its end not be seen.
            let _ = kill_process_group(pid, Signal::KILL);
            child.wait()?;
            Err(error)
        }
    }
}
