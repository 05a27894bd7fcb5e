//! Connections and threads: start, serve, drain, stop.
//!
//! Shape: [`run`] turns settings into a running server and returns when that has ended. Threads: the
//! workers are all alike: `--threads` of them have a seat at the shared poller, and as many more as
//! there may be programs take the seats of those that run one, so files always answer; and a few more
//! those of workers that check a password. A janitor walks the deadlines; what it does waits for no file
//! system, which may hang: that is for the caretaker, who looks after folders and open files. The main
//! thread waits for signals.

mod access_log;
#[cfg(feature = "fastcgi")]
mod applications;
mod body;
pub mod check;
mod connection;
mod exchange;
#[cfg(feature = "console")]
mod observe;
mod opening;
mod origin;
mod record;
mod request;
mod sandbox;
mod seats;
mod table;
mod wakes;
mod worker;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::handler::admission::{Admission, Ties, Wake};
use access_log::AccessLog;
#[cfg(feature = "fastcgi")]
use applications::Applications;
use opening::{Opened, SPAWNERS_MAX};
use seats::Seats;
use table::{Evicted, Table};
use wakes::Wakes;
use worker::Worker;

use crate::config::{Explain, Settings, StartError};
#[cfg(feature = "console")]
use crate::console::{Console, DESCRIPTORS};
use crate::handler::cache::OPEN_MAX;
use crate::handler::site::Site;
use crate::handler::{diagnose, lint};
use crate::proto::finding::Severity;
use crate::proto::http::head::HeadLimits;
use crate::sys::clock::{Clock, Moment, epoch_seconds};
use crate::sys::descriptors;
use crate::sys::listener::Listener;
use crate::sys::poller::Poller;
use crate::sys::private_folder::PrivateFolder;
use crate::sys::signal::{Request, Steering};
use crate::sys::spawner::Spawners;
use crate::sys::spool::Room;
use crate::sys::watch::Halt;

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
const DESCRIPTORS_RESERVED: u64 = 24 + OPEN_MAX as u64;

/// How long accepting rests when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked whether other folders have come to be served, and files need not be open any more.
const FOLDER_LOOK: Duration = Duration::from_secs(1);

/// How many faults of what is served are told at the start.
const FAULTS_TOLD: usize = 20;

/// How long the last responses may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long programs that are ended by the stop are waited for: their grace, and some.
const HALT_GRACE: Duration = Duration::from_secs(4);

/// Everything that the threads share.
#[derive(Debug)]
struct Server {
    settings: Settings,
    head_limits: HeadLimits,
    site: Site,
    parking: Arc<Parking>,
    listeners: Vec<Listener>,
    /// Which clients are told what went wrong inside.
    explain: Explain,
    admission: Arc<Admission>,
    /// Who may check passwords.
    #[cfg(feature = "auth")]
    checks: Arc<Admission>,
    #[cfg(feature = "fastcgi")]
    applications: Applications,
    seats: Seats,
    access_log: AccessLog,
    room: Arc<Room>,
    /// The folder of that, where it is one of its own.
    spool: Option<Arc<PrivateFolder>>,
    clock: Clock,
    /// Who starts programs.
    spawners: Spawners,
    /// Programs are to be ended.
    halt: Halt,
    stopping: AtomicBool,
    accepting_paused: AtomicBool,
    /// When accepting goes on by itself.
    accept_again: AtomicU64,
    started: u64,
    serial: AtomicU64,
    /// Who is told of every exchange.
    #[cfg(feature = "console")]
    console: Option<Arc<Console>>,
}

/// Where connections wait, and what wakes them.
#[derive(Debug)]
struct Parking {
    table: Table,
    poller: Poller,
    wakes: Wakes,
}

/// Serves until told to stop by a signal.
///
/// Prints one line to stdout once it accepts connections: what is served where.
///
/// # Errors
/// What kept the server from starting.
pub fn run(settings: Settings) -> Result<(), StartError> {
    let system = |error: io::Error| StartError::failed("tollgate", "", error);
    descriptors::hand_down_default_signals();
    descriptors::unblock_signals().map_err(system)?;
    descriptors::survive_file_limit().map_err(system)?;
    descriptors::seal().map_err(system)?;
    let steering = Steering::catch().map_err(system)?;
    let server = Arc::new(Server::open(settings)?);
    diagnose::ended::begin();
    // With stdout gone there is nobody to tell, and every reason to serve.
    let _ = writeln!(io::stdout(), "tollgate: {}", server.summary());
    #[cfg(feature = "console")]
    if let Some(console) = &server.console {
        let _ = writeln!(
            io::stdout(),
            "tollgate: the console is at {}",
            console.link()
        );
    }
    server.tell_of_faults();
    server.serve(steering).map_err(system)
}

impl Server {
    /// Opens what it needs, and gives up what it does not need.
    fn open(mut settings: Settings) -> Result<Server, StartError> {
        let system = |error: io::Error| StartError::failed("tollgate", "", error);
        let Opened {
            site,
            access_log,
            listeners,
            #[cfg(feature = "console")]
            console,
            spool,
            spawners,
            #[cfg(feature = "fastcgi")]
            services,
        } = Opened::open(&settings)?;
        #[cfg(feature = "fastcgi")]
        let connected = applications::descriptors_needed(&settings.fastcgi);
        #[cfg(not(feature = "fastcgi"))]
        let connected = 0;
        // Few descriptors for each make more spawners, which are connected to.
        let more = spawners.max().saturating_sub(SPAWNERS_MAX);
        let others = (listeners.len() + more) as u64 + connected;
        #[cfg(feature = "console")]
        let others = others + console.as_ref().map_or(0, |_| DESCRIPTORS);
        fit_descriptors(&mut settings, others);
        let parking = Arc::new(Parking {
            table: Table::new(settings.max_connections),
            poller: Poller::new().map_err(system)?,
            wakes: Wakes::new().map_err(system)?,
        });
        parking
            .poller
            .register(&parking.wakes, WAKE_TOKEN)
            .map_err(system)?;
        for (at, listener) in listeners.iter().enumerate() {
            let token = LISTENER_TOKEN + at as u64;
            parking.poller.register(listener, token).map_err(system)?;
        }
        let waking = Arc::clone(&parking);
        let wake = Wake(Arc::new(move |number| waking.wakes.push(number)));
        let clock = Clock::start();
        #[cfg(feature = "console")]
        let console = console
            .map(|sockets| Console::new(sockets, clock).map(Arc::new))
            .transpose()
            .map_err(system)?;
        #[cfg(feature = "fastcgi")]
        let applications = Applications::open(&settings, &parking, &wake, clock, &services)?;
        let spool_folder = match &spool {
            Some(spool) => spool.path().to_owned(),
            None => std::env::temp_dir(),
        };
        Ok(Server {
            head_limits: HeadLimits {
                max_len: settings.max_header,
                ..HeadLimits::default()
            },
            site,
            parking,
            listeners,
            explain: settings.explained_to(),
            #[cfg(feature = "auth")]
            checks: Arc::new(Admission::new(
                &[checks_at_once(&settings)],
                Ties::First,
                wake.clone(),
            )),
            admission: Arc::new(Admission::new(&[settings.max_processes], Ties::First, wake)),
            #[cfg(feature = "fastcgi")]
            applications,
            seats: Seats::new(settings.threads),
            access_log,
            room: Arc::new(Room::new(&spool_folder, settings.max_spool)),
            spool,
            clock,
            spawners,
            halt: Halt::new().map_err(system)?,
            stopping: AtomicBool::new(false),
            accepting_paused: AtomicBool::new(false),
            accept_again: AtomicU64::new(Moment::NEVER.0),
            started: epoch_seconds(),
            serial: AtomicU64::new(0),
            #[cfg(feature = "console")]
            console,
            settings,
        })
    }

    /// What is served where.
    fn summary(&self) -> String {
        let addresses: Vec<String> = self
            .listeners
            .iter()
            .map(|listener| listener.bound().to_string())
            .collect();
        format!("{} {}", addresses.join(" "), self.site.summary())
    }

    /// Tells the log what will fail, or is not meant to be seen, among what is served; a line for each.
    fn tell_of_faults(&self) {
        let mut findings = Vec::new();
        for programs in &self.site.programs {
            findings.extend(lint::programs(programs, lint::START_MAX));
        }
        for files in self.site.static_roots() {
            let root = files.root.path();
            findings.extend(lint::files(root, lint::START_MAX, &self.site.programs));
        }
        findings.retain(|finding| finding.severity < Severity::Note);
        for finding in findings.iter().take(FAULTS_TOLD) {
            log::warn!("{}: {}", finding.code, finding.line());
        }
        let untold = findings.len().saturating_sub(FAULTS_TOLD);
        if untold > 0 {
            log::warn!("{untold} more faults are told by: tollgate check FOLDER");
        }
    }

    /// Serves until a signal asks to stop. The threads are not joined: what is not over when this
    /// returns ends with the process.
    fn serve(self: &Arc<Server>, steering: Steering) -> io::Result<()> {
        let served = self.serve_until_stop(steering);
        #[cfg(feature = "fastcgi")]
        self.applications.stop();
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
        if self.applications.start()? {
            self.spawn("keeper".to_owned(), |server| server.applications.keep())?;
        }
        self.await_stop(&mut steering);
        self.stop_accepting();
        // A second request to stop ends the drain.
        self.spawn("steering".to_owned(), move |server| {
            server.await_stop(&mut steering);
            server.halt.order();
        })?;
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

    fn await_stop(&self, steering: &mut Steering) {
        while steering.await_request() == Some(Request::Reopen) {
            self.access_log.reopen();
        }
    }

    /// Accepts nobody from now on, and has idle connections closed.
    fn stop_accepting(&self) {
        let mut worker = Worker::new(self);
        for listener in 0..self.listeners.len() {
            // Those who wait to be accepted came in time.
            worker.accept(listener);
        }
        self.stopping.store(true, Ordering::SeqCst);
        for listener in &self.listeners {
            // What fails here is a listener that accepts no more already.
            let _ = self.parking.poller.forget(listener);
            let _ = listener.stop();
        }
        self.wake_all();
    }

    /// Has every connection looked at.
    fn wake_all(&self) {
        for number in self.parking.table.used() {
            self.parking.wakes.push(number);
        }
    }

    /// Lets what runs come to its end, then ends what is left.
    fn drain(&self) {
        let table = &self.parking.table;
        let is_done = || table.live() == 0 || self.halt.is_ordered();
        self.wait_until(self.settings.drain_timeout, is_done);
        if table.live() > 0 {
            log::info!("stopping with {} connections still open", table.live());
        }
        self.halt.order();
        self.wake_all();
        self.wait_until(HALT_GRACE, || self.admission.running() == 0);
        // For what can be told at once to those whose programs were ended.
        self.wait_until(LAST_WORDS, || table.live() == 0);
    }

    fn wait_until(&self, patience: Duration, done: impl Fn() -> bool) {
        let ends = self.clock.now() + patience;
        while !done() && self.clock.now() < ends {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Walks the deadlines until the server stops: whatever is overdue is looked at by a worker.
    fn keep_deadlines(&self) {
        let settings = &self.settings;
        let shortest = settings
            .header_timeout
            .min(settings.idle_timeout)
            .min(settings.send_timeout)
            .min(Duration::from_secs(4));
        #[cfg(feature = "fastcgi")]
        let shortest = shortest.min(self.applications.shortest_wait());
        #[cfg(feature = "auth")]
        let shortest = match self.site.doors.is_empty() {
            true => shortest,
            false => shortest.min(exchange::WRONG_PAUSE),
        };
        let tick = (shortest / 4).max(Duration::from_millis(10));
        while !self.halt.wait(tick) {
            let now = self.clock.now();
            for number in self.parking.table.overdue(now) {
                self.parking.wakes.push(number);
            }
            if self.accept_again.load(Ordering::Relaxed) <= now.0 {
                self.accept_again.store(Moment::NEVER.0, Ordering::Relaxed);
                self.accept_all();
            }
            // A connection comes to count as idle without an event.
            self.resume_accepting();
        }
    }

    /// Takes folders that have come in place of others, and closes files that nobody asks for, until the
    /// server stops. Where a file system hangs, so does this, and nothing else waits for it.
    fn keep_files(&self) {
        while !self.halt.wait(FOLDER_LOOK) {
            self.site.renew(self.settings.confinement.sandbox);
            self.site.cache.close_idle(epoch_seconds());
        }
    }

    fn has_console(&self) -> bool {
        #[cfg(feature = "console")]
        return self.console.is_some();
        #[cfg(not(feature = "console"))]
        return false;
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Reserves a slot for whoever waits at `listener`, at the cost of an idle connection where it has
    /// to be. When there is none, accepting goes on with the next connection that closes or comes to
    /// be idle.
    fn reserve(&self, listener: &Listener) -> Option<u32> {
        let table = &self.parking.table;
        let free = || match table.reserve() {
            None if listener.has_waiting() && self.evict_idle() => table.reserve(),
            reserved => reserved,
        };
        free().or_else(|| {
            self.accepting_paused.store(true, Ordering::SeqCst);
            // One may have closed before it could see that.
            free()
        })
    }

    /// Closes the connection that has been idle for longest; false when none is.
    fn evict_idle(&self) -> bool {
        loop {
            match self.parking.table.evict_idle(self.clock.now()) {
                Evicted::One => return true,
                Evicted::Nobody => return false,
                Evicted::Busy(number) => self.parking.wakes.push(number),
            }
        }
    }

    /// Gives back the slot of a connection that is gone.
    fn closed(&self, number: u32) {
        self.parking.table.release(number);
        self.resume_accepting();
    }

    /// Goes on accepting where that was given up for want of room.
    fn resume_accepting(&self) {
        if self.accepting_paused.load(Ordering::Relaxed)
            && self.accepting_paused.swap(false, Ordering::SeqCst)
        {
            self.accept_all();
        }
    }

    fn pause_accepting(&self) {
        let again = self.clock.now() + ACCEPT_PAUSE;
        self.accept_again.store(again.0, Ordering::Relaxed);
    }

    /// Has workers look at all listeners.
    fn accept_all(&self) {
        for (at, listener) in self.listeners.iter().enumerate() {
            // After the stop it is no longer registered, and nobody is to be accepted.
            let _ = self
                .parking
                .poller
                .wake(listener, LISTENER_TOKEN + at as u64);
        }
    }

    /// An id that no other request of this server has, nor one of a server started at another second.
    fn next_id(&self) -> String {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{serial:x}", self.started)
    }
}

/// How many passwords are checked at once: half of the threads, so that guessing leaves the other
/// half of the cores to those who have what they want.
fn checks_at_once(settings: &Settings) -> usize {
    #[cfg(feature = "auth")]
    if !settings.auths.is_empty() {
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
