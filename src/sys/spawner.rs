//! Processes that start programs for the server.
//!
//! A process that holds thousands of descriptors pays for them with every program that it starts: the
//! child copies the table, and exec closes each again. A C library may let one thread at a time start a
//! program (musl does), and threads that share memory slow each other down at it. So programs are
//! started by *spawners*: small processes of the same binary with a handful of descriptors and one
//! thread each, made when they are first needed. Two for each core, since one waits for exec to begin.
//!
//! Shape: [`Spawners::start`] sends a spawner an order (`order.rs`), and gets back the program's pipes
//! and a descriptor of its process (`process.rs`). Rules:
//! - Whatever is wrong with a spawner is no fault of the program: it is then started without one.
//! - A process is reaped through the spawner that started it, after it has ended, and only once.
//! - A spawner ends with the connection to it, and takes its programs along.

mod order;
mod process;

use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

use order::{ANSWER_LEN, Answer, ORDER_MAX, encode_reap, encode_start};
pub use process::serve;

/// What a spawner is called by `ps`, and knows itself by.
const NAME: &str = "tollgate: spawner";

/// How a spawner is started.
#[derive(Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// What it is called.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Launch {
    /// As this very program, also when its file was replaced meanwhile.
    pub fn own() -> Launch {
        Launch {
            program: "/proc/self/exe".into(),
            name: NAME.to_owned(),
            arguments: Vec::new(),
        }
    }
}

/// Whether this process was started to be a spawner, by what it is called.
pub fn is_meant(name: Option<&OsStr>) -> bool {
    name == Some(OsStr::new(NAME))
}

/// The spawners of a server.
#[derive(Debug)]
pub struct Spawners {
    launch: Launch,
    places: Box<[Mutex<Option<Spawner>>]>,
    next: AtomicUsize,
    launched: AtomicU64,
}

#[derive(Debug)]
struct Spawner {
    /// Which of all that were launched.
    number: u64,
    socket: OwnedFd,
    process: std::process::Child,
    message: Vec<u8>,
}

/// Who started a program, and is to reap it.
#[derive(Debug, Clone, Copy)]
pub struct Starter {
    place: usize,
    number: u64,
}

/// A program that was started.
#[derive(Debug)]
pub struct Started {
    /// Who is to reap it.
    pub starter: Starter,
    /// Its process.
    pub pid: Pid,
    /// Readable once it has ended.
    pub pidfd: OwnedFd,
    /// What it prints.
    pub stdout: OwnedFd,
    /// What it complains of.
    pub stderr: OwnedFd,
}

impl Spawners {
    /// At most so many spawners; none where the kernel has no pidfds (before 5.3), since nobody but a
    /// parent could see the end of a program there.
    pub fn new(count: usize, launch: Launch) -> Spawners {
        let has_pidfds = pidfd_open(getpid(), PidfdFlags::empty()).is_ok();
        let count = if has_pidfds { count } else { 0 };
        Spawners {
            launch,
            places: (0..count).map(|_| Mutex::new(None)).collect(),
            next: AtomicUsize::new(0),
            launched: AtomicU64::new(0),
        }
    }

    /// None at all: programs are started by the server itself.
    pub fn none() -> Spawners {
        Spawners::new(0, Launch::own())
    }

    /// Has a program started; `None` where no spawner can do it.
    ///
    /// Errors: what exec or fork said, as the kernel's error number.
    pub fn start<'e>(
        &self,
        path: &[u8],
        folder: &[u8],
        arguments: &[Vec<u8>],
        environment: impl Iterator<Item = (&'e [u8], &'e [u8])>,
        stdin: Option<BorrowedFd<'_>>,
    ) -> Option<io::Result<Started>> {
        let (place, mut guard) = self.choose()?;
        let spawner = self.at(&mut guard)?;
        encode_start(&mut spawner.message, path, folder, arguments, environment);
        if spawner.message.len() > ORDER_MAX {
            return None;
        }
        let starter = Starter {
            place,
            number: spawner.number,
        };
        match spawner.ask(None, stdin) {
            Ok((Answer::Started(pid), [Some(stdout), Some(stderr), Some(pidfd)])) => {
                Pid::from_raw(pid).map(|pid| {
                    Ok(Started {
                        starter,
                        pid,
                        pidfd,
                        stdout,
                        stderr,
                    })
                })
            }
            Ok((Answer::Failed(error), _)) => Some(Err(io::Error::from_raw_os_error(error))),
            Ok(_) | Err(_) => {
                lose(&mut guard);
                None
            }
        }
    }

    /// Reaps a program that has ended; `None` when its spawner is no more.
    pub fn reap(&self, starter: Starter, pid: Pid) -> Option<ExitStatus> {
        let mut guard = lock(&self.places[starter.place]);
        let spawner = guard.as_mut()?;
        if spawner.number != starter.number {
            return None;
        }
        let order = encode_reap(pid.as_raw_nonzero().get());
        match spawner.ask(Some(&order), None) {
            Ok((Answer::Ended(status), _)) => Some(ExitStatus::from_raw(status)),
            Ok((Answer::Failed(_), _)) => None,
            Ok(_) | Err(_) => {
                lose(&mut guard);
                None
            }
        }
    }

    /// The first place where nobody is at work, else the one whose turn it is.
    fn choose(&self) -> Option<(usize, MutexGuard<'_, Option<Spawner>>)> {
        let mut places = self.places.iter().enumerate();
        let free = places.find_map(|(at, place)| Some((at, place.try_lock().ok()?)));
        if free.is_some() || self.places.is_empty() {
            return free;
        }
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.places.len();
        Some((at, lock(&self.places[at])))
    }

    /// The spawner of a place, launched if there is none.
    fn at<'g>(&self, place: &'g mut Option<Spawner>) -> Option<&'g mut Spawner> {
        if place.is_none() {
            let number = self.launched.fetch_add(1, Ordering::Relaxed);
            *place = Spawner::launch(&self.launch, number).ok();
        }
        place.as_mut()
    }
}

impl Spawner {
    fn launch(launch: &Launch, number: u64) -> io::Result<Spawner> {
        let (socket, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let mut command = Command::new(&launch.program);
        command
            .arg0(&launch.name)
            .args(&launch.arguments)
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            // Ctrl-C at a terminal is for the server.
            .process_group(0);
        Ok(Spawner {
            number,
            socket,
            process: command.spawn()?,
            message: Vec::new(),
        })
    }

    /// Sends an order, which may be the one in `message`, and waits for the answer.
    fn ask(
        &self,
        order: Option<&[u8]>,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<(Answer, [Option<OwnedFd>; 3])> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if let Some(descriptor) = &descriptor {
            let descriptors = std::slice::from_ref(descriptor);
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let parts = [IoSlice::new(order.unwrap_or(&self.message))];
        rustix::io::retry_on_intr(|| {
            sendmsg(&self.socket, &parts, &mut control, SendFlags::NOSIGNAL)
        })?;
        self.hear()
    }

    fn hear(&self) -> io::Result<(Answer, [Option<OwnedFd>; 3])> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut message = [0; ANSWER_LEN];
        let received = loop {
            let mut parts = [IoSliceMut::new(&mut message)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match recvmsg(self.socket.as_fd(), &mut parts, &mut control, flags) {
                Err(Errno::INTR) => {}
                received => break received?,
            }
        };
        let mut descriptors = [None, None, None];
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(sent) = message {
                for (place, descriptor) in descriptors.iter_mut().zip(sent) {
                    *place = Some(descriptor);
                }
            }
        }
        let answer = Answer::decode(&message[..received.bytes]);
        Ok((answer.ok_or(io::ErrorKind::BrokenPipe)?, descriptors))
    }
}

/// Gives up a spawner that does not answer as it should.
fn lose(place: &mut Option<Spawner>) {
    if let Some(mut spawner) = place.take() {
        drop(spawner.socket);
        // It may hang in what made it fail.
        let _ = spawner.process.kill();
        let _ = spawner.process.wait();
    }
}

fn lock(place: &Mutex<Option<Spawner>>) -> MutexGuard<'_, Option<Spawner>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
