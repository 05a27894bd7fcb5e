//! The backends of one FastCGI application: which of them serves a request, and over which connection.
//!
//! Shape: a request asks with [`Pool::ask`] and gets a permit for a backend, a place in the line, or
//! learns that there is none to ask; [`Pool::connect`] gives it a connection, kept or new.
//! Rules:
//! - The least busy backend that is up is chosen; each serves at most `--max-backend` requests at once,
//!   one that tollgate started itself a single one.
//! - A backend that cannot be reached, or does not speak FastCGI, is left out for a pause that grows
//!   with each failure in a row. Then one request tries it; where no other backend is up, one request at
//!   a time tries without a pause, so that an application that is back is found at once. Of several
//!   backends one is also left out that says nothing to anybody: neither before a request's time is up,
//!   nor before it closes one connection after another.
//! - A kept connection may occupy a whole process of the application (php-fpm). It is kept for
//!   `--fastcgi-idle` at most, and must not stand in the way of a new one that nobody accepts. As many
//!   as were seen to be accepted at the same time never do. Where there are more, a first byte that is
//!   late (`LATE`) has the kept ones closed, and for a while (`CROWDED`) none is kept where another
//!   request waits for its first byte over a new connection.
//!
//! Not here: the processes of `exec:` (`supervisor.rs`), what is said over a connection (`run.rs`).

mod health;
mod kept;
mod roster;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use self::health::{has_withdrawn, soonest};
use super::connect::{Address, Connecting};
use super::links::{Channel, Links};
use super::lookup::Lookup;
use super::watch::Watch;
use crate::handler::admission::{Admission, Admitted, Party, Permit, Places, Ticket, Ties, Wake};
use crate::proto::Reason;
use crate::proto::finding::Finding;
use crate::sys::clock::Moment;
use crate::sys::service::Doorbell;
use crate::sys::stream::Stream;

/// The first pause of a backend that failed; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How many connections in a row a backend closes without a word before it is left out, if nothing was
/// heard of it for as long as `UNHEARD` either: one request that crashes it does not make it a dead one.
const DROPS: u32 = 3;
const UNHEARD: Duration = Duration::from_secs(1);

/// How long a new connection may be without an answer beside idle ones before those are closed.
pub const LATE: Duration = Duration::from_millis(10);

/// How long a backend is then taken to have no process to spare.
const CROWDED: Duration = Duration::from_secs(30);

/// What a pool is bounded by.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Requests at once per backend.
    pub max: usize,
    /// Idle connections kept per backend.
    pub keep: usize,
    /// How long an idle connection is kept.
    pub idle: Duration,
    /// After how many requests a backend's supervisor wants to know of it.
    pub requests: Option<u64>,
}

/// Whose the backends are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Somebody else's: they are there, or are not.
    Operator,
    /// Processes of a supervisor, who offers them.
    Supervisor,
}

/// The backends of an application.
#[derive(Debug)]
pub struct Pool {
    /// Which of the server's pools this is.
    number: u32,
    addresses: Vec<Address>,
    /// Of the names among them.
    lookups: Vec<Lookup>,
    wake: Wake,
    admission: Arc<Admission>,
    bounds: Bounds,
    links: Arc<Links>,
    watch: Arc<Watch>,
    backends: Mutex<Vec<Backend>>,
    /// Rung when the supervisor of the pool's processes should look.
    bell: OnceLock<Arc<Doorbell>>,
    /// No route leads to it any more.
    is_retired: AtomicBool,
}

/// What is known of one backend.
#[derive(Debug)]
struct Backend {
    health: Health,
    /// Most recently used last.
    idle: Vec<Kept>,
    /// Requests over new connections of which no byte was answered yet: the client's number, and since
    /// when.
    unanswered: Vec<(u32, Moment)>,
    /// Connections that are known to be accepted, as each of them tells.
    accepted: Arc<AtomicUsize>,
    /// How many were so at the same time.
    accepted_most: usize,
    /// Until when it is taken to have no process to spare.
    crowded: Moment,
    /// Requests since it was offered.
    served: u64,
    /// Requests in all, and how often it failed.
    requests: u64,
    failures: u64,
    /// When it last began or ended a request.
    used: Moment,
    /// When it last began to answer one.
    heard: Moment,
    /// How many new connections it has closed since without a word.
    dropped: u32,
    /// Until when a process that was left in the midst of a request may take to accept again.
    left: Option<Moment>,
    /// Why its process failed last.
    why: String,
}

#[derive(Debug)]
struct Kept {
    channel: Channel,
    since: Moment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Health {
    Up,
    /// It failed so often in a row, and is left out until then.
    Failing {
        failures: u32,
        until: Moment,
        /// When it failed last.
        since: Moment,
    },
    /// Its process is about to be there to be asked.
    Withdrawn,
    /// Its process failed before it could be asked.
    Broken,
}

/// The answer to a request that wants to be served.
#[derive(Debug)]
pub enum Asked {
    /// It may go to a backend now.
    Now(Permit),
    /// It has to wait.
    Wait(Ticket),
    /// The line is full.
    Full,
    /// No backend is left that it could go to.
    Nobody,
}

/// How a backend is.
#[cfg(feature = "console")]
#[derive(Debug)]
pub struct Vitals {
    /// Its name.
    pub address: String,
    /// Whether it is asked.
    pub is_up: bool,
    /// How many requests are there.
    pub busy: u64,
    /// How many may be.
    pub max: u64,
    /// How many idle connections are kept.
    pub kept: u64,
    /// How many requests it was given in all.
    pub requests: u64,
    /// How often it failed.
    pub failures: u64,
}

/// A connection for a request.
#[derive(Debug)]
pub enum Given {
    /// One that was kept; the application may close it just now.
    Kept(Channel),
    /// A new one.
    New(Connecting),
}

impl Backend {
    /// The idle connection that was used last, of those that are beside the client's if there are any.
    fn take_idle(&mut self, client: u32) -> Option<Kept> {
        let beside = |kept: &Kept| kept.channel.is_beside(client);
        let last = self.idle.len().checked_sub(1)?;
        Some(
            self.idle
                .remove(self.idle.iter().rposition(beside).unwrap_or(last)),
        )
    }

    /// Whether new connections wait for their first byte that perhaps nobody has accepted.
    fn is_full(&self) -> bool {
        let open = self.accepted.load(Ordering::Relaxed) + self.unanswered.len();
        !self.unanswered.is_empty() && open > self.accepted_most
    }
}

impl Pool {
    /// A pool of the backends at these addresses.
    pub fn new(
        number: u32,
        addresses: Vec<Address>,
        owner: Owner,
        bounds: Bounds,
        links: &Arc<Links>,
        wake: Wake,
        watch: &Arc<Watch>,
    ) -> Pool {
        let (health, max, ties) = match owner {
            Owner::Operator => (Health::Up, bounds.max, Ties::InTurn),
            // Those that are not needed are to be found idle.
            Owner::Supervisor => (Health::Withdrawn, 0, Ties::First),
        };
        let backend = |_: &Address| Backend {
            health: health.clone(),
            idle: Vec::new(),
            unanswered: Vec::new(),
            accepted: Arc::default(),
            accepted_most: 0,
            crowded: Moment(0),
            served: 0,
            requests: 0,
            failures: 0,
            used: Moment(0),
            heard: Moment(0),
            dropped: 0,
            left: None,
            why: String::new(),
        };
        let backends = addresses.iter().map(backend).collect();
        Pool {
            number,
            admission: Arc::new(Admission::new(
                &vec![max; addresses.len()],
                ties,
                wake.clone(),
            )),
            lookups: addresses.iter().map(|_| Lookup::default()).collect(),
            wake,
            addresses,
            bounds,
            links: Arc::clone(links),
            watch: Arc::clone(watch),
            backends: Mutex::new(backends),
            bell: OnceLock::new(),
            is_retired: AtomicBool::new(false),
        }
    }

    /// Has this rung when there is something to do for whoever supervises the processes.
    pub fn hang(&self, bell: Arc<Doorbell>) {
        // A second one would be of a second supervisor, which there is not.
        let _ = self.bell.set(bell);
    }

    /// The name of a backend, for the log.
    pub fn address(&self, place: usize) -> &Address {
        &self.addresses[place]
    }

    /// How many requests wait in line for any of the backends.
    #[cfg(feature = "console")]
    pub fn waiting(&self) -> usize {
        self.admission.waiting()
    }

    /// Why nobody is left to be asked, as far as a supervisor has told.
    pub fn down(&self) -> Finding {
        let backends = self.backends();
        let broken = backends.iter().position(|it| it.health == Health::Broken);
        let reason = Reason::FastcgiDown;
        let remedy = "mend what keeps it from answering: it is tried again by itself";
        let finding = Finding::error(reason, reason.meaning(), remedy);
        match broken {
            None => finding,
            Some(at) => {
                finding.shown_by(self.addresses[at].to_string(), backends[at].why.as_bytes())
            }
        }
    }

    /// How all backends are.
    #[cfg(feature = "console")]
    pub fn vitals(&self) -> Vec<Vitals> {
        let backends = self.backends();
        let vitals = backends.iter().enumerate().map(|(place, backend)| Vitals {
            address: self.addresses[place].to_string(),
            is_up: backend.health == Health::Up,
            busy: self.admission.running_at(place) as u64,
            max: self.admission.max_at(place) as u64,
            kept: backend.idle.len() as u64,
            requests: backend.requests,
            failures: backend.failures,
        });
        vitals.collect()
    }

    /// Whether this permit is for one of the backends.
    pub fn granted(&self, permit: &Permit) -> bool {
        permit.is_of(&self.admission)
    }

    /// How many requests are at the backends now.
    pub fn running(&self) -> usize {
        self.admission.running()
    }

    /// Asks for the connection with this number, of a client who counts to `party`, to be served by a
    /// backend that it has not tried.
    pub fn ask(&self, client: u32, party: Party, tried: Places, now: Moment) -> Asked {
        let backends = self.backends();
        let mut suits = Places::default();
        for (place, backend) in backends.iter().enumerate() {
            match backend.health {
                _ if tried.has(place) => {}
                Health::Up => suits.add(place),
                Health::Failing { until, .. } if until <= now => {
                    suits.add(place);
                    self.admission.set_max(place, 1);
                }
                _ => {}
            }
        }
        if suits == Places::default() {
            match soonest(&backends, tried) {
                Some(place) => {
                    suits.add(place);
                    self.admission.set_max(place, 1);
                }
                None if !has_withdrawn(&backends, tried) => return Asked::Nobody,
                None => {}
            }
        }
        let suits = |place| suits.has(place);
        let asked = match self.admission.ask(client, party, tried, suits) {
            Admitted::Now(permit) => Asked::Now(permit),
            Admitted::Wait(ticket) => Asked::Wait(ticket),
            Admitted::Full => Asked::Full,
        };
        drop(backends);
        if !matches!(asked, Asked::Now(_)) {
            self.ring();
        }
        asked
    }

    /// Gives a connection to a backend for the client's connection with this number: the one that was
    /// kept last, unless a new one is wanted. One that the application has closed meanwhile, or sent
    /// something over that nobody asked for, is not given: what came would be taken for the answer.
    pub fn connect(&self, place: usize, client: u32, wants_new: bool, now: Moment) -> Given {
        let mut backends = self.backends();
        let backend = &mut backends[place];
        backend.used = now;
        backend.served += 1;
        backend.requests += 1;
        while !wants_new && let Some(kept) = backends[place].take_idle(client) {
            drop(backends);
            let mut channel = kept.channel;
            channel.work_for(client);
            if channel.stream().is_quiet() && channel.move_beside(client).is_ok() {
                return Given::Kept(channel);
            }
            backends = self.backends();
        }
        backends[place].unanswered.push((client, now));
        drop(backends);
        let look_up = |host: &str, port| self.lookups[place].join(host, port, client, &self.wake);
        Given::New(Connecting::new(&self.addresses[place], look_up))
    }

    /// Registers a new connection for the client's connection with this number.
    pub fn channel(&self, stream: Stream, client: u32) -> std::io::Result<Channel> {
        let channel = Channel::new(stream, self.number, Some(client), &self.links)?;
        channel.work_for(client);
        Ok(channel)
    }

    /// Notes that a request over a new connection is no longer without an answer.
    pub fn answered(&self, place: usize, client: u32) {
        let mut backends = self.backends();
        let unanswered = &mut backends[place].unanswered;
        unanswered.retain(|(other, _)| *other != client);
    }

    /// Notes that a backend has accepted a connection, and begins to answer over it.
    pub fn accepted(&self, place: usize, channel: &mut Channel, now: Moment) {
        let mut backends = self.backends();
        let backend = &mut backends[place];
        (backend.heard, backend.dropped) = (now, 0);
        channel.count(&backend.accepted);
        let accepted = backend.accepted.load(Ordering::Relaxed);
        backend.accepted_most = backend.accepted_most.max(accepted);
    }

    /// Whether the backends are processes of a supervisor.
    pub fn is_supervised(&self) -> bool {
        self.bell.get().is_some()
    }

    /// Whether connections are kept at all.
    pub fn keeps(&self) -> bool {
        self.bounds.keep > 0
    }

    /// Notes that a process is left in the midst of a request, whose permit was not given back yet: it
    /// is asked no more before its supervisor has seen it accept again, for which it has until then.
    pub fn leave(&self, place: usize, until: Moment) {
        let mut backends = self.backends();
        let backend = &mut backends[place];
        if !self.is_supervised() || backend.health != Health::Up {
            return;
        }
        backend.health = Health::Withdrawn;
        backend.left = Some(until);
        backend.idle.clear();
        drop(backends);
        self.admission.set_max(place, 0);
    }

    /// Notes that a backend has a request less, whose permit was given back.
    pub fn ended(&self, place: usize, now: Moment) {
        if self.bell.get().is_none() {
            return;
        }
        let mut backends = self.backends();
        let backend = &mut backends[place];
        backend.used = now;
        let is_due = self
            .bounds
            .requests
            .is_some_and(|most| backend.served >= most);
        if is_due || backend.health != Health::Up {
            drop(backends);
            self.ring();
        }
    }

    fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell.ring();
        }
    }

    fn backends(&self) -> MutexGuard<'_, Vec<Backend>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
