//! The FastCGI applications of a server: a pool of backends for each route, and the processes of those
//! that the server runs itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{APPLICATION_TOKEN, Parking};
use crate::config::{
    Application, BackendAddress, FastcgiRoute, FastcgiSettings, Settings, StartError,
};
use crate::handler::admission::Wake;
use crate::handler::fastcgi::connect::Address;
use crate::handler::fastcgi::links::{Concerned, Interest, Links, Register};
use crate::handler::fastcgi::pool::{Bounds, Owner, Pool};
use crate::handler::fastcgi::supervisor::Supervisor;
use crate::handler::fastcgi::watch::Watch;
use crate::sys::clock::Clock;
use crate::sys::spawner::Spawners;

/// How many descriptors one process takes: its listening socket, its pipe and pidfd, and what std opens
/// for a moment.
const DESCRIPTORS_PER_PROCESS: usize = 4;

/// All that serves FastCGI routes.
#[derive(Debug)]
pub(super) struct Applications {
    /// The pools of the routes, in their order; one stands for all routes to the same backends.
    pools: Vec<Arc<Pool>>,
    supervisors: Vec<(Supervisor, Arc<Pool>)>,
    links: Arc<Links>,
    watch: Arc<Watch>,
    clock: Clock,
    idle: Duration,
    shortest_wait: Duration,
}

impl Applications {
    /// Makes the pools, and opens the sockets of processes that are to be started.
    pub(super) fn open(
        settings: &Settings,
        parking: &Arc<Parking>,
        wake: &Wake,
        clock: Clock,
        services: &Arc<Spawners>,
    ) -> Result<Applications, StartError> {
        let fastcgi = &settings.fastcgi;
        let mut applications = Applications {
            pools: Vec::new(),
            supervisors: Vec::new(),
            links: Arc::new(open_links(fastcgi, parking)),
            watch: Arc::new(Watch::default()),
            clock,
            idle: fastcgi.idle,
            shortest_wait: fastcgi.connect_timeout.min(fastcgi.timeout),
        };
        for (at, route) in fastcgi.routes.iter().enumerate() {
            // What a backend can spare, and whether it is well, is the same for all routes to it.
            let is_same = |other: &FastcgiRoute| {
                matches!(other.application, Application::Backends(_))
                    && other.application == route.application
            };
            if let Some(earlier) = fastcgi.routes[..at].iter().position(is_same) {
                let pool = Arc::clone(&applications.pools[earlier]);
                applications.pools.push(pool);
                continue;
            }
            let supervisor = match &route.application {
                Application::Backends(_) => None,
                Application::Exec(program) => Some(Supervisor::open(
                    program,
                    &settings.environment,
                    clock,
                    services,
                )?),
            };
            let addresses = match (&route.application, &supervisor) {
                (Application::Backends(addresses), _) => named(addresses, None),
                (application, supervisor) => {
                    let addresses = supervisor.as_ref().map_or(&[][..], Supervisor::addresses);
                    named(addresses, Some(&application.to_string()))
                }
            };
            let pool = applications.pool(fastcgi, &route.application, addresses, wake);
            if let Some(supervisor) = supervisor {
                pool.hang(supervisor.bell());
                applications
                    .supervisors
                    .push((supervisor, Arc::clone(&pool)));
            }
            applications.pools.push(pool);
        }
        Ok(applications)
    }

    fn pool(
        &self,
        settings: &FastcgiSettings,
        application: &Application,
        addresses: Vec<Address>,
        wake: &Wake,
    ) -> Arc<Pool> {
        let (owner, requests) = match application {
            Application::Backends(_) => (Owner::Operator, None),
            Application::Exec(program) => (Owner::Supervisor, program.requests),
        };
        let bounds = Bounds {
            max: settings.max_backend,
            keep: settings.keep,
            idle: settings.idle,
            requests,
        };
        // There are as many as were written on a command line.
        let number = self.pools.len() as u32;
        let (links, watch) = (&self.links, &self.watch);
        Arc::new(Pool::new(
            number,
            addresses,
            owner,
            bounds,
            links,
            wake.clone(),
            watch,
        ))
    }

    /// The application of the route with this number.
    pub(super) fn pool_of(&self, route: usize) -> &Arc<Pool> {
        &self.pools[route]
    }

    /// All of them, in the order of their routes.
    #[cfg(feature = "console")]
    pub(super) fn pools(&self) -> &[Arc<Pool>] {
        &self.pools
    }

    /// Starts the processes; false when there is no application at all.
    pub(super) fn start(&self) -> io::Result<bool> {
        for (supervisor, pool) in &self.supervisors {
            supervisor.start(Arc::clone(pool) as _)?;
        }
        Ok(!self.pools.is_empty())
    }

    /// Looks after idle connections for as long as the server runs.
    pub(super) fn keep(&self) {
        let tick = (self.idle / 4).max(Duration::from_millis(10));
        self.watch.keep(&self.pools, &self.clock, tick);
    }

    /// Ends the processes.
    pub(super) fn stop(&self) {
        let supervisors = || self.supervisors.iter().map(|(supervisor, _)| supervisor);
        supervisors().for_each(Supervisor::order_stop);
        supervisors().for_each(Supervisor::stop);
    }

    /// The number of the client's connection that an event on a connection to an application concerns.
    pub(super) fn concerned(&self, token: u64, hung_up: bool) -> Option<u32> {
        // Tokens from there on are numbers of links.
        let link = (token - APPLICATION_TOKEN) as u32;
        match self.links.concerned(link, hung_up) {
            Concerned::Client(number) => Some(number),
            Concerned::Pool(number) => {
                self.pools[number as usize].look_at_idle();
                None
            }
        }
    }

    /// The shortest of the times that an application may take for something.
    pub(super) fn shortest_wait(&self) -> Duration {
        match self.pools.is_empty() {
            true => Duration::MAX,
            false => self.shortest_wait,
        }
    }
}

/// How many descriptors connections to applications and their processes take at most.
pub(super) fn descriptors_needed(settings: &FastcgiSettings) -> u64 {
    (connections_max(settings) + processes_max(settings) * DESCRIPTORS_PER_PROCESS) as u64
}

/// How many processes of `exec:` there may be.
pub(super) fn processes_max(settings: &FastcgiSettings) -> usize {
    let routes = settings.routes.iter();
    let processes = routes.map(|route| match &route.application {
        Application::Backends(_) => 0,
        Application::Exec(program) => *program.processes.end(),
    });
    processes.sum()
}

/// How many connections to applications there may be.
fn connections_max(settings: &FastcgiSettings) -> usize {
    let connections = |application: &Application| match application {
        Application::Backends(addresses) => {
            addresses.len() * (settings.max_backend + settings.keep)
        }
        // One that is used, one that is kept, one that was made to see whether it is accepted.
        Application::Exec(program) => program.processes.end() * 3,
    };
    let routes = settings.routes.iter();
    routes.map(|route| connections(&route.application)).sum()
}

fn named(addresses: &[BackendAddress], program: Option<&str>) -> Vec<Address> {
    let address = |(number, at): (usize, &BackendAddress)| Address {
        at: at.clone(),
        label: program.map(|program| format!("{program} ({})", number + 1)),
    };
    addresses.iter().enumerate().map(address).collect()
}

/// Room for every connection to an application that there may be.
fn open_links(settings: &FastcgiSettings, parking: &Arc<Parking>) -> Links {
    let count = connections_max(settings);
    let parking = Arc::clone(parking);
    let register = Register(Box::new(move |stream, number, interest| {
        let token = APPLICATION_TOKEN + u64::from(number);
        match interest {
            Interest::Input => parking.poller.register_input(stream, token),
            Interest::Room => parking.poller.wake(stream, token),
        }
    }));
    Links::new(u32::try_from(count).unwrap_or(u32::MAX - 1), register)
}
