//! One spawner, as the server has it: started, confined, given orders, ended.
//!
//! Rules:
//! - It does nothing before it is confined, and nobody waits for ever for it to say that it is.
//! - One that cannot be confined is ended, and why is told.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, sendmsg, socketpair,
};

use super::confinement::{self, Confinement, Jail};
use super::process;
use crate::sys::fault;

/// What a spawner is called by `ps`, and knows itself by.
pub(super) const NAME: &str = "tollgate: spawner";

/// How much of what a spawner says is listened to.
const TOLD_MAX: usize = 512;

/// How long a spawner may take to listen at first, and to take an order later. One that takes longer was
/// stopped by somebody; it is given up, and nobody waits for it for ever.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How a spawner is started.
#[derive(Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// What it is called.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What its programs are kept from.
    pub confinement: Confinement,
}

impl Launch {
    /// As this very program, also when its file was replaced meanwhile.
    pub fn own(confinement: Confinement) -> Launch {
        Launch {
            program: "/proc/self/exe".into(),
            name: NAME.to_owned(),
            arguments: Vec::new(),
            confinement,
        }
    }
}

/// Whether this process was started to be a spawner, by what it is called.
pub fn is_meant(name: Option<&OsStr>) -> bool {
    name == Some(OsStr::new(NAME))
}

/// A spawner, as the server has it.
#[derive(Debug)]
pub(super) struct Spawner {
    pub(super) socket: OwnedFd,
    pub(super) process: Mutex<Child>,
    /// How many of its programs run.
    pub(super) running: AtomicUsize,
    /// Whether it left a program without a word about it: it is about to be gone, if it is not yet.
    pub(super) is_lost: AtomicBool,
}

impl Spawner {
    /// Starts a spawner, and waits until it is confined and listens.
    pub(super) fn launch(launch: &Launch) -> io::Result<Spawner> {
        let spawner = Spawner::start(launch)?;
        spawner.confine(&launch.confinement, None)?;
        Ok(spawner)
    }

    /// Starts a spawner, which does nothing before it is confined.
    pub(super) fn start(launch: &Launch) -> io::Result<Spawner> {
        fault::socketpair()?;
        let (socket, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        for way in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&socket, way, Some(PATIENCE))?;
        }
        let mut command = Command::new(&launch.program);
        command
            .arg0(&launch.name)
            .args(&launch.arguments)
            .env_clear()
            .envs(fault::handed_down())
            .stdin(theirs)
            .stdout(open_null()?)
            // Ctrl-C at a terminal is for the server.
            .process_group(0);
        fault::launch()?;
        let spawner = Spawner {
            socket,
            process: Mutex::new(command.spawn()?),
            running: AtomicUsize::new(0),
            is_lost: AtomicBool::new(false),
        };
        Ok(spawner)
    }

    /// Has it enter its confinement. One that cannot is ended.
    pub(super) fn confine(
        &self,
        confinement: &Confinement,
        jail: Option<&Jail<'_>>,
    ) -> io::Result<()> {
        let mut told = [0; TOLD_MAX];
        let answer = self
            .send(&confinement::encode(confinement, jail), &[])
            .and_then(|()| {
                let receive = || recv(&self.socket, &mut told, RecvFlags::empty());
                Ok(rustix::io::retry_on_intr(receive)?.1)
            });
        let error = match answer {
            Ok(len) if told[..len] == process::READY => return Ok(()),
            Ok(len) if len > 0 => {
                io::Error::other(String::from_utf8_lossy(&told[..len]).into_owned())
            }
            Ok(_) => io::ErrorKind::BrokenPipe.into(),
            Err(error) => error,
        };
        self.end();
        Err(error)
    }

    pub(super) fn send(&self, order: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(process::DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let parts = [IoSlice::new(order)];
        let send = || {
            fault::sendmsg()?;
            sendmsg(&self.socket, &parts, &mut control, SendFlags::NOSIGNAL)
        };
        Ok(rustix::io::retry_on_intr(send).map(drop)?)
    }

    /// Ends a spawner that does not listen.
    pub(super) fn end(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        // It may be gone already.
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// /dev/null, also in a jail that has none: there the server's stdin is one from outside.
fn open_null() -> io::Result<OwnedFd> {
    let null = File::options().read(true).write(true).open("/dev/null");
    null.map(OwnedFd::from)
        .or_else(|_| io::stdin().as_fd().try_clone_to_owned())
}
