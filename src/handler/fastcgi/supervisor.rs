//! Runs an `exec:` application: as many processes of its program as the load asks for, each at a
//! listening socket of its own.
//!
//! Source: FastCGI 1.0 sections 2 and 7.
//! Shape: [`Supervisor::open`] checks the program and makes the sockets, whose addresses are the backends
//! of a pool; [`Supervisor::start`] gives the processes to a thread, which tells the pool ([`Roster`])
//! who accepts; [`Supervisor::stop`] ends them. Rules:
//! - A request goes only to a process that has accepted a connection: none is lost to one that fails
//!   before it serves.
//! - A process that was left in the midst of a request, as its client went away or its time was up, is
//!   given another one when it has accepted a connection again, and is ended when it does not.
//! - It never spins: a program that fails is started again after a pause that doubles.
//! - Nothing outlives [`Supervisor::stop`]: no process, no socket, no folder.
//!
//! Not here: when a process is started and ended (`crew.rs`, `left.rs`), what is known of one
//! (`station.rs`).

mod crew;
mod left;
mod station;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crew::{Crew, Rules};
use station::{Launch, Station};

use crate::config::{BackendAddress, ExecProgram, ExecSocket, StartError};
use crate::handler::site::is_executable;
use crate::proto::cgi::meta::DEFAULT_PATH;
use crate::sys::buffer::Buffer;
use crate::sys::clock::{Clock, Moment};
use crate::sys::listener::Bound;
use crate::sys::private_folder::PrivateFolder;
use crate::sys::service::{Doorbell, ServiceSocket};
use crate::sys::spawner::Spawners;
use crate::sys::stream::Stream;

/// The IPv4 addresses that a program lets connect (section 2.3). To be set for TCP only: over a unix
/// socket there is no address, and the program would close every connection.
const WEB_SERVER_ADDRS: &[u8] = b"FCGI_WEB_SERVER_ADDRS";

/// How long [`Supervisor::stop`] waits at most: the grace of the processes, and some for the kernel.
const STOP_MAX: Duration = Duration::from_secs(4);

/// The stack of the thread; it keeps its buffer elsewhere.
const STACK: usize = 256 << 10;

/// What is read of a program's output at once: what a pipe holds, so that one read has all of it.
const OUTPUT_READ: usize = 64 << 10;

/// What the supervisor tells of its processes, and learns: implemented by the pool. `which` is the index
/// of a process, from 0 to below `processes.max`; each keeps its address.
pub trait Roster: Send + Sync {
    /// The process accepts: requests may go to it. `warm` is a connection to it that it has accepted
    /// already.
    fn offer(&self, which: usize, warm: Stream, now: Moment);

    /// No new request may go to it from now on, its idle connections are closed: told once after an
    /// offer. Also told of each one that failed before it was offered. `why` is for the log and for
    /// requests that find nobody.
    fn withdraw(&self, which: usize, why: &str);

    /// The pause after a failure is over: the process is started again, now or when it is needed.
    fn recover(&self, which: usize);

    /// A process that was left in the midst of a request accepts again: further ones may go to it, over
    /// `warm` for the first.
    fn resume(&self, which: usize, warm: Stream, now: Moment);

    /// Until when a process that is offered has time to accept again, where its last request was left
    /// before its end. None goes to it before it is resumed.
    fn left_until(&self, which: usize) -> Option<Moment>;

    /// Requests that are at it now.
    fn in_use(&self, which: usize) -> usize;

    /// Requests that it was given since it was last offered.
    fn served(&self, which: usize) -> u64;

    /// Requests that wait because all that are offered are busy.
    fn waiting(&self) -> usize;

    /// How long it has had nothing to do; zero while it has.
    fn idle_for(&self, which: usize, now: Moment) -> Duration;
}

/// The processes of one application.
pub struct Supervisor {
    addresses: Vec<BackendAddress>,
    bell: Arc<Doorbell>,
    stopping: Arc<AtomicBool>,
    stage: Mutex<Stage>,
}

enum Stage {
    Opened(Box<Opened>),
    /// The other end is dropped when the thread has ended.
    Running(Receiver<()>),
    Stopped,
}

/// What the thread is given.
struct Opened {
    launch: Launch,
    rules: Rules,
    stations: Vec<Station>,
    clock: Clock,
}

impl Supervisor {
    /// Checks that the program can be executed and opens a socket for every process that there may be;
    /// nothing is started. `environment` is what the operator gives to programs, and `spawners` start the
    /// processes.
    ///
    /// # Errors
    /// The program is no executable file, or the sockets could not be made.
    pub fn open(
        program: &ExecProgram,
        environment: &[(Vec<u8>, Vec<u8>)],
        clock: Clock,
        spawners: &Arc<Spawners>,
    ) -> Result<Supervisor, StartError> {
        let path = find_program(&program.program)?;
        let failed =
            |problem: String| StartError::failed("--fastcgi", program.program.display(), problem);
        let sockets = open_sockets(program.socket, *program.processes.end()).map_err(failed)?;
        let bell =
            Doorbell::new().map_err(|error| failed(format!("cannot be supervised ({error})")))?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let arguments = program.arguments.iter();
        Ok(Supervisor {
            addresses: sockets.iter().map(address_of).collect(),
            bell: Arc::new(bell),
            stopping: Arc::new(AtomicBool::new(false)),
            stage: Mutex::new(Stage::Opened(Box::new(Opened {
                launch: Launch {
                    program: path,
                    arguments: arguments.map(|text| text.as_bytes().to_vec()).collect(),
                    folder,
                    environment: environment_for(program.socket, environment),
                    spawners: Arc::clone(spawners),
                },
                rules: Rules {
                    processes: program.processes.clone(),
                    idle: program.idle,
                    requests: program.requests,
                },
                stations: sockets.into_iter().map(Station::new).collect(),
                clock,
            }))),
        })
    }

    /// Where the processes listen, in the order of their indexes.
    pub fn addresses(&self) -> &[BackendAddress] {
        &self.addresses
    }

    /// What has the supervisor look at the roster again. To be rung when a request has to wait in line,
    /// when a withdrawn process has become free, when one was left in the midst of a request, and when one
    /// was given the last request that it may be given.
    pub fn bell(&self) -> Arc<Doorbell> {
        Arc::clone(&self.bell)
    }

    /// Starts the least number of processes, in a thread that looks after them from now on. Does not wait
    /// for them to accept.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(&self, roster: Arc<dyn Roster>) -> io::Result<()> {
        let mut stage = self.lock();
        let opened = match std::mem::replace(&mut *stage, Stage::Stopped) {
            Stage::Opened(opened) => *opened,
            other => {
                *stage = other;
                return Ok(());
            }
        };
        let crew = Crew {
            launch: opened.launch,
            rules: opened.rules,
            stations: opened.stations,
            clock: opened.clock,
            bell: Arc::clone(&self.bell),
            stopping: Arc::clone(&self.stopping),
            roster,
            buffer: Buffer::new(OUTPUT_READ),
        };
        let (running, ended) = mpsc::channel();
        let builder = thread::Builder::new().name("supervisor".to_owned());
        builder.stack_size(STACK).spawn(move || {
            crew.run();
            drop(running);
        })?;
        *stage = Stage::Running(ended);
        Ok(())
    }

    /// Has all processes ended, without waiting for it: several applications can be asked before the
    /// first is waited for.
    pub fn order_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    /// Ends all processes (SIGTERM, after 2 s SIGKILL), reaps them and removes the sockets. Returns when
    /// that is done, after 4 s at the latest.
    pub fn stop(&self) {
        self.order_stop();
        let stage = std::mem::replace(&mut *self.lock(), Stage::Stopped);
        if let Stage::Running(ended) = stage {
            // Nothing is ever sent: this returns when the thread has ended, or is given up.
            let _ = ended.recv_timeout(STOP_MAX);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Supervisor");
        shown.field("addresses", &self.addresses).finish()
    }
}

/// The program's path made absolute, if it can be executed.
fn find_program(program: &Path) -> Result<PathBuf, StartError> {
    is_executable(program)
        .then(|| std::path::absolute(program).ok())
        .flatten()
        .ok_or_else(|| {
            let problem = "is no executable file; give an existing program as ROUTE=exec:PROGRAM";
            StartError::wrong("--fastcgi", program.display(), problem)
        })
}

/// Opens `count` sockets; what went wrong is the rest of a sentence about the program.
fn open_sockets(kind: ExecSocket, count: usize) -> Result<Vec<ServiceSocket>, String> {
    match kind {
        ExecSocket::Tcp => (0..count)
            .map(|_| ServiceSocket::tcp())
            .collect::<io::Result<_>>()
            .map_err(|error| format!("gets no port of 127.0.0.1 to listen at ({error})")),
        ExecSocket::Unix => {
            let parent = std::env::temp_dir();
            let folder = PrivateFolder::create(&parent);
            let sockets = folder.and_then(|folder| {
                let numbers = 0..count;
                numbers
                    .map(|number| ServiceSocket::unix(&folder, &number.to_string()))
                    .collect()
            });
            sockets.map_err(|error: io::Error| {
                let hint = match error.kind() {
                    io::ErrorKind::InvalidInput => "a socket's path is at most 107 bytes",
                    _ => "let it be written to",
                };
                let parent = parent.display();
                format!("gets no socket below {parent}; {hint}, or set TMPDIR ({error})")
            })
        }
    }
}

fn address_of(socket: &ServiceSocket) -> BackendAddress {
    match socket.bound() {
        Bound::Tcp(address) => BackendAddress::Tcp {
            host: address.ip().to_string(),
            port: address.port(),
        },
        Bound::Unix(path) => BackendAddress::Unix(path.clone()),
    }
}

/// What every process finds in its environment: the operator's variables, and who may connect.
fn environment_for(socket: ExecSocket, given: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let kept = given.iter().filter(|(name, _)| name != WEB_SERVER_ADDRS);
    let mut variables: Vec<(Vec<u8>, Vec<u8>)> = kept.cloned().collect();
    if !variables.iter().any(|(name, _)| name == b"PATH") {
        variables.push((b"PATH".to_vec(), DEFAULT_PATH.into()));
    }
    if socket == ExecSocket::Tcp {
        variables.push((WEB_SERVER_ADDRS.to_vec(), b"127.0.0.1".to_vec()));
    }
    variables
}

#[cfg(test)]
mod tests;
