//! The FastCGI applications of a server: a pool of backends for each route, and the processes of those
//! that the server runs itself.
//!
//! Rules: where a configuration is read again, an application that is in it still goes on as it is, with its
//! connections and processes. One that is gone has its processes end when the last request that could ask it is
//! over (`reload.rs`).

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::APPLICATION_TOKEN;
use super::parking::Parking;
use crate::config::{Application, BackendAddress, Settings, StartError};
use crate::handler::admission::Wake;
use crate::handler::fastcgi::connect::Address;
use crate::handler::fastcgi::links::{Concerned, Interest, Lanes, Links};
use crate::handler::fastcgi::pool::{Bounds, Owner, Pool};
use crate::handler::fastcgi::supervisor::Supervisor;
use crate::handler::fastcgi::watch::Watch;
use crate::sys::clock::Clock;
use crate::sys::spawner::Spawners;
use crate::sys::stream::Stream;

/// How many descriptors one process takes: its listening socket, its pipe and pidfd, and what std opens
/// for a moment.
const DESCRIPTORS_PER_PROCESS: usize = 4;

/// How many connections there is room for to applications that a configuration comes to name later.
const ROOM_FOR_MORE: usize = 1024;

/// How often it is looked after idle connections at least, times 4.
const TICK_MAX: Duration = Duration::from_secs(60);

/// All that serves FastCGI routes.
#[derive(Debug)]
pub(super) struct Applications {
    /// By the number of the pool, which is never another one's.
    entries: RwLock<Vec<Option<Entry>>>,
    /// How many connections there may be at once.
    room: usize,
    links: Arc<Links>,
    watch: Arc<Watch>,
    clock: Clock,
    wake: Wake,
    services: Arc<Spawners>,
}

/// An application that serves, one route or several.
#[derive(Debug, Clone)]
struct Entry {
    key: Key,
    pool: Arc<Pool>,
    supervisor: Option<Arc<Supervisor>>,
}

/// What makes an application what it is: with another one that has all of this it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    application: Application,
    max: usize,
    keep: usize,
    idle: Duration,
    /// What its processes are given, where the server starts them.
    environment: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What has to change so that other routes are served.
#[derive(Debug)]
pub(super) struct Change {
    /// The pools of each site, in the order of its routes; taken by the sites.
    pub(super) pools: Vec<Vec<Arc<Pool>>>,
    /// With the numbers that follow those that are there.
    new: Vec<Entry>,
    /// The numbers of those that no route leads to any more.
    pub(super) gone: Vec<usize>,
}

/// An application that nothing is asked any more: dropping it ends its processes.
#[derive(Debug)]
pub(super) struct Gone {
    entry: Entry,
}

impl Gone {
    /// Has its processes ended without waiting for it.
    pub(super) fn order_stop(&self) {
        if let Some(supervisor) = &self.entry.supervisor {
            supervisor.order_stop();
        }
    }
}

impl Applications {
    /// Room for applications, and none yet.
    pub(super) fn new(
        settings: &Settings,
        parking: &Arc<Parking>,
        wake: &Wake,
        clock: Clock,
        services: &Arc<Spawners>,
    ) -> Applications {
        let room = connections_room(settings);
        Applications {
            entries: RwLock::default(),
            room,
            links: Arc::new(Links::new(room, Arc::clone(parking) as _)),
            watch: Arc::new(Watch::default()),
            clock,
            wake: wake.clone(),
            services: Arc::clone(services),
        }
    }

    /// Finds or makes the pools of all sites, and opens the sockets of processes that are to be started. Those
    /// that are there are not touched.
    pub(super) fn plan(&self, settings: &Settings) -> Result<Change, StartError> {
        if connections_max(settings) > self.room {
            let problem = "would have more connections than there is room for until a restart";
            return Err(StartError::failed("--fastcgi", "", problem));
        }
        let mut there = self.entries().clone();
        let first = there.len();
        let mut used = Vec::new();
        let mut pools = Vec::new();
        for site in settings.each_site() {
            let mut of_site = Vec::new();
            for route in &site.fastcgi.routes {
                let key = Key::new(&route.application, site);
                // What a backend can spare, and whether it is well, is the same for all routes to it. Processes are
                // each route's own.
                let is_own = matches!(key.application, Application::Exec(_));
                let suits = |at: usize, entry: &Option<Entry>| {
                    entry.as_ref().is_some_and(|entry| entry.key == key)
                        && !(is_own && used.contains(&at))
                };
                let mut found = there.iter().enumerate();
                let at = match found.find(|(at, entry)| suits(*at, entry)) {
                    Some((at, _)) => at,
                    None => {
                        let entry = self.open(key, there.len());
                        there.push(Some(entry.map_err(|error| error.placed(site))?));
                        there.len() - 1
                    }
                };
                used.push(at);
                of_site.extend(there[at].as_ref().map(|entry| Arc::clone(&entry.pool)));
            }
            pools.push(of_site);
        }
        let new = there.split_off(first).into_iter().flatten().collect();
        let is_gone = |at: &usize| there[*at].is_some() && !used.contains(at);
        Ok(Change {
            pools,
            new,
            gone: (0..first).filter(is_gone).collect(),
        })
    }

    /// Takes in what was planned, and has it start where the server runs already.
    pub(super) fn add(&self, change: &mut Change, runs: bool) -> io::Result<()> {
        let new = std::mem::take(&mut change.new);
        if runs {
            new.iter().try_for_each(Entry::start)?;
        }
        self.entries_mut().extend(new.into_iter().map(Some));
        Ok(())
    }

    /// Takes out what no request is to come to any more.
    pub(super) fn remove(&self, gone: &[usize]) -> Vec<Gone> {
        let mut entries = self.entries_mut();
        let taken = gone.iter().filter_map(|at| entries.get_mut(*at)?.take());
        let retire = |entry: &Entry| entry.pool.retire();
        taken.inspect(retire).map(|entry| Gone { entry }).collect()
    }

    fn open(&self, key: Key, number: usize) -> Result<Entry, StartError> {
        let supervisor = match &key.application {
            Application::Backends(_) => None,
            Application::Exec(program) => {
                let (environment, services) = (&key.environment, &self.services);
                Some(Supervisor::open(
                    program,
                    environment,
                    self.clock,
                    services,
                )?)
            }
        };
        let addresses = match (&key.application, &supervisor) {
            (Application::Backends(addresses), _) => named(addresses, None),
            (application, supervisor) => {
                let addresses = supervisor.as_ref().map_or(&[][..], Supervisor::addresses);
                named(addresses, Some(&application.to_string()))
            }
        };
        let (owner, requests) = match &key.application {
            Application::Backends(_) => (Owner::Operator, None),
            Application::Exec(program) => (Owner::Supervisor, program.requests),
        };
        let bounds = Bounds {
            max: key.max,
            keep: key.keep,
            idle: key.idle,
            requests,
        };
        // There are as many as were written in configurations.
        let number = number as u32;
        let (links, watch, wake) = (&self.links, &self.watch, self.wake.clone());
        let pool = Pool::new(number, addresses, owner, bounds, links, wake, watch);
        if let Some(supervisor) = &supervisor {
            pool.hang(supervisor.bell());
        }
        Ok(Entry {
            key,
            pool: Arc::new(pool),
            supervisor: supervisor.map(Arc::new),
        })
    }

    /// Starts the processes; false when there is no application at all.
    pub(super) fn start(&self) -> io::Result<bool> {
        let entries = self.entries();
        entries.iter().flatten().try_for_each(Entry::start)?;
        Ok(entries.iter().any(Option::is_some))
    }

    /// Looks after idle connections for as long as the server runs.
    pub(super) fn keep(&self) {
        self.watch.keep(&self.clock, || {
            let entries = self.entries();
            let pools = entries.iter().flatten().map(|it| Arc::clone(&it.pool));
            let idle = entries.iter().flatten().map(|entry| entry.key.idle).min();
            let tick = idle.unwrap_or(TICK_MAX).min(TICK_MAX) / 4;
            (pools.collect(), tick.max(Duration::from_millis(10)))
        });
    }

    /// Ends the processes.
    pub(super) fn stop(&self) {
        let entries = self.entries();
        let supervisors = || {
            entries
                .iter()
                .flatten()
                .filter_map(|it| it.supervisor.as_ref())
        };
        supervisors().for_each(|supervisor| supervisor.order_stop());
        supervisors().for_each(|supervisor| supervisor.stop());
    }

    /// The number of the client's connection that an event on a connection to an application concerns.
    pub(super) fn concerned(&self, token: u64, hung_up: bool) -> Option<u32> {
        // Tokens from there on are numbers of links.
        let link = (token - APPLICATION_TOKEN) as u32;
        match self.links.concerned(link, hung_up) {
            Concerned::Client(number) => Some(number),
            Concerned::Pool(number) => {
                if let Some(Some(entry)) = self.entries().get(number as usize) {
                    entry.pool.look_at_idle();
                }
                None
            }
        }
    }

    fn entries(&self) -> RwLockReadGuard<'_, Vec<Option<Entry>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries_mut(&self) -> RwLockWriteGuard<'_, Vec<Option<Entry>>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn start(&self) -> io::Result<()> {
        match &self.supervisor {
            Some(supervisor) => supervisor.start(Arc::clone(&self.pool) as _),
            None => Ok(()),
        }
    }
}

impl Key {
    fn new(application: &Application, settings: &Settings) -> Key {
        let fastcgi = &settings.fastcgi;
        Key {
            application: application.clone(),
            max: fastcgi.max_backend,
            keep: fastcgi.keep,
            idle: fastcgi.idle,
            environment: match application {
                Application::Exec(_) => settings.environment.clone(),
                Application::Backends(_) => Vec::new(),
            },
        }
    }
}

/// How many descriptors connections to applications and their processes take at most.
pub(super) fn descriptors_needed(settings: &Settings) -> u64 {
    (connections_max(settings) + processes_max(settings) * DESCRIPTORS_PER_PROCESS) as u64
}

/// How many processes of `exec:` there may be.
pub(super) fn processes_max(settings: &Settings) -> usize {
    let sites = settings.each_site().into_iter();
    let routes = sites.flat_map(|site| &site.fastcgi.routes);
    let processes = routes.map(|route| match &route.application {
        Application::Backends(_) => 0,
        Application::Exec(program) => *program.processes.end(),
    });
    processes.sum()
}

/// How many connections to applications there may be.
fn connections_max(settings: &Settings) -> usize {
    let fastcgi = &settings.fastcgi;
    let connections = |application: &Application| match application {
        Application::Backends(addresses) => addresses.len() * (fastcgi.max_backend + fastcgi.keep),
        // One that is used, one that is kept, one that was made to see whether it is accepted.
        Application::Exec(program) => program.processes.end() * 3,
    };
    let sites = settings.each_site().into_iter();
    let routes = sites.flat_map(|site| &site.fastcgi.routes);
    routes.map(|route| connections(&route.application)).sum()
}

/// How many of them there is room for. Where the configuration may change there have to be some for other
/// applications, beside those that are about to go.
fn connections_room(settings: &Settings) -> usize {
    match settings.config {
        Some(_) => 2 * connections_max(settings) + ROOM_FOR_MORE,
        None => connections_max(settings),
    }
}

fn named(addresses: &[BackendAddress], program: Option<&str>) -> Vec<Address> {
    let address = |(number, at): (usize, &BackendAddress)| Address {
        at: at.clone(),
        label: program.map(|program| format!("{program} ({})", number + 1)),
    };
    addresses.iter().enumerate().map(address).collect()
}

impl Lanes for Parking {
    fn lane_of(&self, client: u32) -> usize {
        self.table.lane_of(client)
    }

    fn register(
        &self,
        stream: &Stream,
        number: u32,
        lane: usize,
        interest: Interest,
    ) -> io::Result<()> {
        let token = APPLICATION_TOKEN + u64::from(number);
        let poller = &self.lane(lane).poller;
        match interest {
            Interest::Input => poller.register_input(stream, token),
            Interest::Room => poller.wake(stream, token),
        }
    }

    fn forget(&self, stream: &Stream, lane: usize) -> io::Result<()> {
        self.lane(lane).poller.forget(stream)
    }
}
