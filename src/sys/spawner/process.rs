//! The spawner itself: a process that starts programs on order, one after the other.
//!
//! Rules:
//! - Descriptor 0 is a connection to the server, and is moved out of the way before any program is
//!   started: a program finds /dev/null there, or what the server sent for it.
//! - What would end the server gracefully (SIGTERM, SIGINT, SIGHUP) does not end a spawner, whose
//!   programs the server may still be waiting for. The end of the connection does: the programs are
//!   ended then, so that a server that was killed leaves none behind.
//! - A process is reaped when the server says so, and not before: until then its number is its own.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::order::{Answer, ORDER_MAX, Order, Start};
use crate::sys::descriptors;

/// How long programs whose server is gone may take to end after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// Serves until the server is gone.
pub fn serve() -> ExitCode {
    match prepare() {
        Ok(server) => Spawner::new(server).serve(),
        // Nobody listens; the server finds the connection ended, and does without.
        Err(_) => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// The connection to the server.
fn prepare() -> io::Result<OwnedFd> {
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        // With a handler, and not ignored: what is ignored a program would inherit.
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let server = io::stdin().as_fd().try_clone_to_owned()?;
    descriptors::seal()?;
    // What `ps` shows; without it a spawner works as well.
    let _ = rustix::thread::set_name(c"tollgate-spawn");
    Ok(server)
}

struct Spawner {
    server: OwnedFd,
    children: HashMap<i32, Child>,
}

impl Spawner {
    fn new(server: OwnedFd) -> Spawner {
        Spawner {
            server,
            children: HashMap::new(),
        }
    }

    fn serve(&mut self) {
        let mut message = vec![0; ORDER_MAX];
        while let Ok((len @ 1.., stdin)) = self.receive(&mut message) {
            let told = match Order::decode(&message[..len]) {
                Some(Order::Start(order)) => self.start(&order, stdin),
                Some(Order::Reap(pid)) => self.reap(pid),
                None => self.tell(Answer::Failed(Errno::INVAL.raw_os_error()), &[]),
            };
            if told.is_err() {
                break;
            }
        }
        self.end_all();
    }

    /// The next order, and the descriptor that came with it.
    fn receive(&self, message: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let mut parts = [IoSliceMut::new(message)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match recvmsg(&self.server, &mut parts, &mut control, flags) {
                Err(Errno::INTR) => {}
                received => break received?,
            }
        };
        let sent = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        Ok((received.bytes, sent))
    }

    fn start(&mut self, order: &Start<'_>, stdin: Option<OwnedFd>) -> io::Result<()> {
        match spawn(order, stdin) {
            Ok((mut child, pidfd)) => {
                // Of a process that was just spawned.
                let pid = child.id().cast_signed();
                let pipes: [Option<OwnedFd>; 2] = [
                    child.stdout.take().map(OwnedFd::from),
                    child.stderr.take().map(OwnedFd::from),
                ];
                self.children.insert(pid, child);
                let [Some(stdout), Some(stderr)] = &pipes else {
                    return Err(io::ErrorKind::BrokenPipe.into());
                };
                let descriptors = [stdout.as_fd(), stderr.as_fd(), pidfd.as_fd()];
                self.tell(Answer::Started(pid), &descriptors)
            }
            Err(error) => {
                let number = error.raw_os_error();
                let number = number.unwrap_or(Errno::INVAL.raw_os_error());
                self.tell(Answer::Failed(number), &[])
            }
        }
    }

    fn reap(&mut self, pid: i32) -> io::Result<()> {
        let status = match self.children.remove(&pid) {
            Some(mut child) => child.wait()?.into_raw(),
            None => return self.tell(Answer::Failed(Errno::CHILD.raw_os_error()), &[]),
        };
        self.tell(Answer::Ended(status), &[])
    }

    fn tell(&self, answer: Answer, descriptors: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let answer = answer.encode();
        let parts = [IoSlice::new(&answer)];
        loop {
            match sendmsg(&self.server, &parts, &mut control, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent.map(drop)?),
            }
        }
    }

    fn end_all(&mut self) {
        self.signal_all(Signal::TERM);
        let until = Instant::now() + TERM_GRACE;
        loop {
            // One that has ended keeps its number until its group was ended too.
            let mut running = self.children.values_mut();
            let is_over = running.all(|child| !matches!(child.try_wait(), Ok(None)));
            if is_over || Instant::now() >= until {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.signal_all(Signal::KILL);
    }

    fn signal_all(&self, signal: Signal) {
        for child in self.children.values() {
            // Its group may be gone with it.
            let _ = kill_process_group(Pid::from_child(child), signal);
        }
    }
}

fn spawn(order: &Start<'_>, stdin: Option<OwnedFd>) -> io::Result<(Child, OwnedFd)> {
    let mut command = Command::new(OsStr::from_bytes(order.path));
    let environment = order.environment.iter();
    command
        .args(order.arguments.iter().map(|it| OsStr::from_bytes(it)))
        .env_clear()
        .envs(environment.map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))))
        .current_dir(OsStr::from_bytes(order.folder))
        .process_group(0)
        .stdin(stdin.map_or_else(Stdio::inherit, Stdio::from))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
        Ok(pidfd) => Ok((child, pidfd)),
        Err(error) => {
            // Without it the server could not see the end. Nobody has seen the program yet.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            child.wait()?;
            Err(error.into())
        }
    }
}
