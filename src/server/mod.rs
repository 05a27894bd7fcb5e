//! Connections and threads: start, serve, drain, stop.
//!
//! Shape: [`run`] turns settings into a running server and returns when that has ended. Threads: the
//! workers are all alike: `--threads` of them have a seat, one at least for each lane, and as many more as
//! there may be programs take the seats of those that run one, so files always answer; and a few more
//! those of workers that check a password. A janitor walks the deadlines; what it does waits for no file
//! system, which may hang: that is for the caretaker, who looks after folders and open files. The main
//! thread waits for signals.

mod access_log;
#[cfg(feature = "fastcgi")]
mod applications;
mod body;
#[cfg(feature = "explain")]
pub mod check;
#[cfg(feature = "config")]
mod check_config;
mod connection;
mod exchange;
mod listeners;
#[cfg(feature = "console")]
mod observe;
mod opening;
mod origin;
mod parking;
mod places;
mod record;
mod reload;
mod request;
mod sandbox;
mod seats;
mod served;
mod stopping;
mod supervision;
mod table;
mod wakes;
mod worker;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::handler::admission::{Admission, Ties, Wake};
use access_log::Logs;
#[cfg(feature = "fastcgi")]
use applications::Applications;
#[cfg(feature = "config")]
pub use check_config::check_config;
use listeners::Listeners;
use opening::{Opened, SPAWNERS_MAX};
use parking::Parking;
pub use reload::Reread;
use reload::Retired;
use seats::Seats;
use served::{Current, Hosted, Served};
use supervision::Supervision;
use worker::Worker;

use crate::config::{Settings, StartError};
#[cfg(feature = "console")]
use crate::console::{Console, DESCRIPTORS};
use crate::handler::cache::OPEN_MAX;
#[cfg(feature = "explain")]
use crate::handler::diagnose;
use crate::handler::report::Id;
use crate::sys::clock::{Clock, Moment, epoch_seconds};
use crate::sys::listener::Listener;
use crate::sys::private_folder::PrivateFolder;
use crate::sys::sandbox::Rule;
use crate::sys::signal::Steering;
use crate::sys::spawner::Spawners;
use crate::sys::spool::Room;
use crate::sys::watch::Halt;
use crate::sys::{descriptors, kernel};

/// Tokens from here on name listeners; below, they are the numbers of slots.
const LISTENER_TOKEN: u64 = 1 << 32;

/// Tokens from here on are the numbers of connections to applications.
#[cfg(feature = "fastcgi")]
const APPLICATION_TOKEN: u64 = 1 << 33;

/// The token of [`Wakes`].
const WAKE_TOKEN: u64 = u64::MAX;

/// The stack of a thread; nothing here recurses or keeps large values on it.
const STACK: usize = 256 << 10;

/// How many descriptors one running program takes: its pipes, pidfd, stdin and what std opens for a
/// moment.
const DESCRIPTORS_PER_PROGRAM: u64 = 10;

/// How many descriptors the server itself takes, and files on their way and those that are kept open.
const DESCRIPTORS_RESERVED: u64 = 22 + OPEN_MAX as u64;

/// How long accepting rests when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked at least whether a lane's watcher is held up somewhere.
const RELIEF: Duration = Duration::from_secs(1);

/// How often it is looked whether other folders have come to be served, and files need not be open any more.
const FOLDER_LOOK: Duration = Duration::from_secs(1);

/// Everything that the threads share.
#[derive(Debug)]
struct Server {
    /// What it was started with. Of this holds what stays until a restart; the rest is asked of `current`.
    settings: Settings,
    current: Current,
    /// How the configuration is read again.
    reread: Reread,
    retired: Retired,
    /// What may be reached, in a sandbox.
    permitted: Option<Vec<Rule>>,
    parking: Arc<Parking>,
    listeners: Listeners,
    admission: Arc<Admission>,
    /// Who may check passwords.
    #[cfg(feature = "auth")]
    checks: Arc<Admission>,
    #[cfg(feature = "fastcgi")]
    applications: Applications,
    seats: Seats,
    logs: Mutex<Logs>,
    room: Arc<Room>,
    /// The folder of that, where it is one of its own.
    spool: Option<Arc<PrivateFolder>>,
    clock: Clock,
    /// Who starts programs.
    spawners: Spawners,
    /// Programs are to be ended.
    halt: Halt,
    /// It is to stop soon, and serves on until then.
    leaving: AtomicBool,
    stopping: AtomicBool,
    accepting_paused: AtomicBool,
    /// When accepting goes on by itself.
    accept_again: AtomicU64,
    /// Who started it, and looks after it.
    supervision: Supervision,
    started: u64,
    serial: AtomicU64,
    /// Who is told of every exchange.
    #[cfg(feature = "console")]
    console: Option<Arc<Console>>,
}

/// What of the system keeps the server from starting.
fn system(error: io::Error) -> StartError {
    match error.kind() {
        ErrorKind::Unsupported => {
            let problem = format!(
                "the kernel lacks a call ({error}); {} has it",
                kernel::OLDEST
            );
            StartError::failed("tollgate", "", problem)
        }
        _ => StartError::failed("tollgate", "", error),
    }
}

/// Serves until told to stop by a signal; `reread` reads the configuration again when another one tells to.
///
/// Prints one line to stdout once it accepts connections: what is served where. `variable` looks up what
/// whoever started it may have to say: sockets that are handed over, and whom to tell how it is.
///
/// # Errors
/// What kept the server from starting.
pub fn run(
    settings: Settings,
    reread: Reread,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(), StartError> {
    descriptors::hand_down_default_signals();
    descriptors::unblock_signals().map_err(system)?;
    descriptors::survive_file_limit().map_err(system)?;
    descriptors::seal().map_err(system)?;
    let steering = Steering::catch().map_err(system)?;
    let supervision = Supervision::open(variable)?;
    let handed = opening::take_over(variable)?;
    let named = settings.clone();
    let server = Server::open(settings, reread, handed, supervision);
    let server = Arc::new(server.map_err(|error| error.placed(&named))?);
    kernel::wants().for_each(|it| log::warn!("{it}"));
    #[cfg(feature = "explain")]
    diagnose::ended::begin();
    // With stdout gone there is nobody to tell, and every reason to serve.
    let _ = writeln!(io::stdout(), "tollgate: {}", server.summary());
    #[cfg(feature = "console")]
    if let Some(console) = &server.console {
        let _ = write!(io::stdout(), "{}", console.links());
    }
    server.serve(steering).map_err(system)
}

impl Server {
    /// Opens what it needs, and gives up what it does not need.
    fn open(
        mut settings: Settings,
        reread: Reread,
        handed: Vec<Listener>,
        supervision: Supervision,
    ) -> Result<Server, StartError> {
        let Opened {
            sites,
            logs,
            listeners,
            #[cfg(feature = "console")]
            console,
            permitted,
            spool,
            spawners,
            #[cfg(feature = "fastcgi")]
            services,
        } = Opened::open(&mut settings, handed)?;
        #[cfg(feature = "fastcgi")]
        let connected = applications::descriptors_needed(&settings);
        #[cfg(not(feature = "fastcgi"))]
        let connected = 0;
        // Few descriptors for each make more spawners, which are connected to.
        let more = spawners.max().saturating_sub(SPAWNERS_MAX);
        let listeners = Listeners::new(listeners);
        let lanes = parking::lanes_for(settings.threads);
        let own = listeners.all().len() + more + lanes * parking::DESCRIPTORS;
        let others = own as u64 + connected;
        #[cfg(feature = "console")]
        let is_watched = console.iter().any(|listeners| !listeners.is_empty());
        #[cfg(feature = "console")]
        let others = others + if is_watched { DESCRIPTORS } else { 0 };
        fit_descriptors(&mut settings, others);
        let parking = Parking::new(settings.max_connections, lanes).map_err(system)?;
        let parking = Arc::new(parking);
        for (at, listener) in listeners.all() {
            parking.listen(at, &listener).map_err(system)?;
        }
        let waking = Arc::clone(&parking);
        let wake = Wake(Arc::new(move |number| waking.wake(number)));
        let clock = Clock::start();
        #[cfg(feature = "console")]
        let console = match is_watched {
            true => Some(Arc::new(
                Console::new(console, clock, lanes).map_err(system)?,
            )),
            false => None,
        };
        #[cfg(feature = "fastcgi")]
        let applications = Applications::new(&settings, &parking, &wake, clock, &services);
        #[cfg(feature = "fastcgi")]
        let mut change = applications.plan(&settings)?;
        #[cfg(feature = "fastcgi")]
        applications.add(&mut change, false).map_err(system)?;
        let spool_folder = match &spool {
            Some(spool) => spool.path().to_owned(),
            None => std::env::temp_dir(),
        };
        let hosted = Hosted::all(
            &settings,
            sites,
            &logs,
            #[cfg(feature = "fastcgi")]
            change.pools,
        );
        Ok(Server {
            current: Current::new(Served::new(settings.clone(), hosted)),
            reread,
            retired: Retired::default(),
            permitted,
            parking,
            listeners,
            #[cfg(feature = "auth")]
            checks: Arc::new(Admission::new(
                &[checks_at_once(&settings)],
                Ties::First,
                wake.clone(),
            )),
            admission: Arc::new(Admission::new(&[settings.max_processes], Ties::First, wake)),
            #[cfg(feature = "fastcgi")]
            applications,
            seats: Seats::new(settings.threads, lanes),
            logs: Mutex::new(logs),
            room: Arc::new(Room::new(&spool_folder, settings.max_spool)),
            spool,
            clock,
            spawners,
            halt: Halt::new().map_err(system)?,
            leaving: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            accepting_paused: AtomicBool::new(false),
            accept_again: AtomicU64::new(Moment::NEVER.0),
            supervision,
            started: epoch_seconds(),
            serial: AtomicU64::new(0),
            #[cfg(feature = "console")]
            console,
            settings,
        })
    }

    /// What is served where.
    fn summary(&self) -> String {
        let listeners = self.listeners.all();
        let addresses = listeners.iter().map(|(_, it)| it.bound().to_string());
        let addresses: Vec<String> = addresses.collect();
        format!(
            "{} {}",
            addresses.join(" "),
            self.current.served().summary()
        )
    }

    /// Serves until a signal asks to stop. The threads are not joined: what is not over when this
    /// returns ends with the process.
    fn serve(self: &Arc<Server>, steering: Steering) -> io::Result<()> {
        let served = self.serve_until_stop(steering);
        #[cfg(feature = "fastcgi")]
        {
            self.applications.stop();
            self.retired.stop();
        }
        #[cfg(feature = "console")]
        if let Some(console) = &self.console {
            console.stop();
        }
        // The threads have the server still.
        if let Some(spool) = &self.spool {
            spool.remove();
        }
        served
    }

    fn serve_until_stop(self: &Arc<Server>, mut steering: Steering) -> io::Result<()> {
        let spare = self.settings.max_processes + checks_at_once(&self.settings);
        for number in 0..self.settings.threads + spare {
            let name = format!("worker-{number}");
            self.spawn(name, |server| Worker::new(server).work())?;
        }
        #[cfg(feature = "console")]
        if let Some(console) = &self.console {
            console.start(Arc::clone(self) as _)?;
        }
        self.spawn("janitor".to_owned(), Server::keep_deadlines)?;
        self.spawn("caretaker".to_owned(), Server::keep_files)?;
        #[cfg(feature = "fastcgi")]
        if self.applications.start()? || self.settings.config.is_some() {
            self.spawn("keeper".to_owned(), |server| server.applications.keep())?;
        }
        if self.supervision.is_watched() {
            self.spawn("watchdog".to_owned(), Server::keep_watched)?;
        }
        self.supervision.ready(&self.summary());
        self.await_stop(&mut steering, Server::reload);
        self.supervision.stopping();
        // A second request to stop ends the delay and the drain.
        self.spawn("steering".to_owned(), move |server| {
            // What is about to end has no use for another configuration.
            server.await_stop(&mut steering, Server::reopen_logs);
            server.halt.order();
        })?;
        self.leave();
        self.stop_accepting();
        self.drain();
        Ok(())
    }

    fn spawn(
        self: &Arc<Server>,
        name: String,
        job: impl FnOnce(&Server) + Send + 'static,
    ) -> io::Result<()> {
        let server = Arc::clone(self);
        let builder = thread::Builder::new().name(name).stack_size(STACK);
        builder.spawn(move || job(&server)).map(drop)
    }

    /// Walks the deadlines until the server stops: whatever is overdue is looked at by a worker, and a lane whose
    /// worker is held up gets another one.
    fn keep_deadlines(&self) {
        let tick = || {
            let shortest = self.current.served().shortest_wait();
            (shortest / 4).clamp(Duration::from_millis(10), RELIEF)
        };
        while !self.halt.wait(tick()) {
            let now = self.clock.now();
            for number in self.parking.table.overdue(now) {
                self.parking.wake(number);
            }
            if self.accept_again.load(Ordering::Relaxed) <= now.0 {
                self.accept_again.store(Moment::NEVER.0, Ordering::Relaxed);
                self.accept_all();
            }
            self.seats.relieve();
            // A connection comes to count as idle without an event.
            self.resume_accepting();
        }
    }

    /// Takes folders that have come in place of others, and closes files that nobody asks for, until the
    /// server stops. Where a file system hangs, so does this, and nothing else waits for it.
    fn keep_files(&self) {
        // Nobody has to wait for that, however many files there are.
        #[cfg(feature = "explain")]
        self.current.served().tell_of_faults();
        while !self.halt.wait(FOLDER_LOOK) {
            let served = self.current.served();
            for hosted in &served.sites {
                hosted.site.renew(self.settings.confinement.sandbox);
            }
            if let Some(hosted) = served.sites.first() {
                hosted.site.cache.close_idle(epoch_seconds());
            }
            self.retired.release();
        }
    }

    fn has_console(&self) -> bool {
        #[cfg(feature = "console")]
        return self.console.is_some();
        #[cfg(not(feature = "console"))]
        return false;
    }

    /// Whether clients do better to go elsewhere.
    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The id of the next exchange that the log is to tell of.
    fn next_id(&self) -> Id {
        Id {
            started: self.started,
            serial: self.serial.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// How many passwords are checked at once: half of the threads, so that guessing leaves the other
/// half of the cores to those who have what they want.
fn checks_at_once(settings: &Settings) -> usize {
    // A configuration that is read again may come to ask for some.
    #[cfg(feature = "auth")]
    if settings.config.is_some()
        || settings
            .each_site()
            .iter()
            .any(|site| !site.auths.is_empty())
    {
        return (settings.threads / 2).clamp(1, 8);
    }
    let _ = settings;
    0
}

/// Lowers --max-connections to what the limit of descriptors leaves room for beside programs and
/// `others`.
fn fit_descriptors(settings: &mut Settings, others: u64) {
    // A connection that is sent a file has two.
    let wanted = settings.max_connections as u64 * 2;
    let programs = settings.max_processes as u64 * DESCRIPTORS_PER_PROGRAM;
    let limit = descriptors::raise_limit(wanted + programs + DESCRIPTORS_RESERVED + others);
    let reserved = DESCRIPTORS_RESERVED + (others + programs).min(limit / 2);
    let room = limit.saturating_sub(reserved).max(1);
    if (settings.max_connections as u64) > room {
        log::warn!(
            "--max-connections: {} do not fit the limit of {limit} open files beside {} programs; \
             at most {room} are held",
            settings.max_connections,
            settings.max_processes
        );
        settings.max_connections = usize::try_from(room).unwrap_or(usize::MAX);
    }
}
