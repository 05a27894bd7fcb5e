//! The FastCGI applications of a server: one pool of backends for each route.

use std::sync::Arc;
use std::time::Duration;

use super::{APPLICATION_TOKEN, Parking, Server};
use crate::config::{Application, BackendAddress, FastcgiSettings};
use crate::handler::admission::Wake;
use crate::handler::fastcgi::connect::Address;
use crate::handler::fastcgi::links::{Interest, Links, Register};
use crate::handler::fastcgi::pool::{Bounds, Pool};
use crate::handler::fastcgi::watch::Watch;

/// Room for every connection to an application that there may be.
pub(super) fn links(settings: &FastcgiSettings, parking: &Arc<Parking>) -> Arc<Links> {
    let backends = |application: &Application| match application {
        Application::Backends(addresses) => {
            addresses.len() * (settings.max_backend + settings.keep)
        }
        // One that is used, or is kept, and one that is about to replace it.
        Application::Exec(program) => program.processes.end() * 3,
    };
    let count: usize = settings
        .routes
        .iter()
        .map(|route| backends(&route.application))
        .sum();
    let parking = Arc::clone(parking);
    let register = Register(Box::new(move |stream, number, interest| {
        let token = APPLICATION_TOKEN + u64::from(number);
        match interest {
            Interest::Input => parking.poller.register_input(stream, token),
            Interest::Room => parking.poller.wake(stream, token),
        }
    }));
    Arc::new(Links::new(
        u32::try_from(count).unwrap_or(u32::MAX - 1),
        register,
    ))
}

/// The pools of all routes, in their order.
pub(super) fn open(
    settings: &FastcgiSettings,
    links: &Arc<Links>,
    wake: &Wake,
    watch: &Arc<Watch>,
) -> Vec<Arc<Pool>> {
    let mut pools = Vec::new();
    for (number, route) in settings.routes.iter().enumerate() {
        let bounds = Bounds {
            max: settings.max_backend,
            keep: settings.keep,
            idle: settings.idle,
        };
        let Application::Backends(addresses) = &route.application else {
            continue;
        };
        let address = |at: &BackendAddress| Address {
            at: at.clone(),
            label: None,
        };
        let addresses = addresses.iter().map(address).collect();
        let pool = Pool::new(
            number as u32,
            addresses,
            false,
            bounds,
            links,
            wake.clone(),
            watch,
        );
        pools.push(Arc::new(pool));
    }
    pools
}

/// Looks after idle connections for as long as the server runs.
pub(super) fn keep(server: &Server) {
    let tick = (server.settings.fastcgi.idle / 4).max(Duration::from_millis(10));
    server.watch.keep(&server.applications, &server.clock, tick);
}

/// The shortest of the times that an application may take for something.
pub(super) fn shortest_wait(settings: &FastcgiSettings) -> Duration {
    settings.connect_timeout.min(settings.timeout)
}
