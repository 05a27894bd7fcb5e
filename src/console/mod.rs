//! The console: what the server does, shown to whoever runs it.
//!
//! It has listeners and threads of its own, so that it answers while every worker is busy. Of tiny_http it takes the
//! writing of answers: its server bounds neither a head nor its connections nor any time, and one accept that fails
//! ends it. So whoever comes meets a gate, which reads heads by the rules of the public port, within its bounds.
//!
//! ```text
//! browser ─▶ gate: bounds, Host, Origin ─▶ answers ─▶ ledger, host
//!                                          workers ─▶ ledger
//! ```
//!
//! Shape: workers give what is over to the [`ledger`]; the rest is asked of the server, who is a [`Host`]. Rules:
//! - Security: it tells of requests, and so is for this machine alone: an address of it, or a unix socket. A page of
//!   another origin is not answered, whatever name it reaches the console by (DNS rebinding).
//!   What `--health` shows to whoever reaches it tells of no request.
//! - Bodies and secrets are for who has the token that is printed at the start.
//! - Nothing can be changed by it, and nothing is run for it.

mod answers;
mod events;
mod gate;
pub mod journey;
pub mod ledger;
mod meaning;
pub mod metrics;
mod places;
mod repeat;
pub mod view;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::thread;

use self::gate::{Gate, Reached};
use self::ledger::Ledger;
use self::places::Places;
use self::repeat::Place;
use crate::handler::site::Why;
use crate::proto::json::Json;
use crate::sys::clock::{Clock, epoch_micros};
use crate::sys::listener::{Bound, Listener};
use crate::sys::random;

/// How many descriptors it takes: for its connections, its listeners, and one that is turned away.
pub const DESCRIPTORS: u64 = gate::CONNECTIONS_MAX as u64 + 8;

/// How many threads it has at most: one for each connection and each listener.
pub const THREADS_MAX: usize = gate::CONNECTIONS_MAX + 4;

/// The stack of a thread.
const STACK: usize = 256 << 10;

/// Which of several sites is meant.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// The one of this name; it may be gone.
    Site(&'a str),
    /// The one that a request for this host comes to.
    Host(&'a str),
}

/// What the console asks the server.
pub trait Host: Send + Sync {
    /// Appends the members of the present state.
    fn state(&self, json: &mut Json);

    /// Appends gauges of it, in Prometheus' format.
    fn gauges(&self, text: &mut String);

    /// Why a target leads where it leads, at this site.
    fn why(&self, of: Of<'_>, target: &[u8], method: &str) -> Why;

    /// Where clients reach the server.
    fn bound(&self) -> Bound;

    /// Whether the server stops.
    fn is_stopping(&self) -> bool;
}

/// The console of a server.
#[derive(Debug)]
pub struct Console {
    /// The journeys.
    pub ledger: Ledger,
    token: String,
    listeners: Places,
    /// When the clock began, in microseconds since 1970.
    epoch: u64,
    /// Where it is reached, and where no more of it than how the server is.
    sockets: [Vec<Listener>; 2],
}

impl Console {
    /// One that is reached there, and where no more of it than how the server is; its times are of this clock, and its
    /// journeys of so many lanes.
    pub fn new(sockets: [Vec<Listener>; 2], clock: Clock, lanes: usize) -> io::Result<Console> {
        // Without a page nobody sees them.
        let kept = match sockets[0].is_empty() {
            true => 0,
            false => ledger::JOURNEYS_MAX,
        };
        Ok(Console {
            ledger: Ledger::new(lanes, kept),
            token: random::hex()?,
            listeners: Places::default(),
            epoch: epoch_micros().saturating_sub(clock.micros()),
            sockets,
        })
    }

    /// Where it is: the link that opens it, with the token, and that for machines.
    pub fn links(&self) -> String {
        let token = &self.token;
        let [page, health] = &self.sockets;
        let page = page.first().map(|it| match it.bound() {
            bound @ Bound::Tcp(_) => format!("tollgate: the console is at {bound}#token={token}\n"),
            bound @ Bound::Unix(_) => {
                format!("tollgate: the console is at {bound} #token={token}\n")
            }
        });
        let health = health.first().map(Listener::bound);
        let health = health.map(|bound| format!("tollgate: health is told at {bound}\n"));
        page.unwrap_or_default() + &health.unwrap_or_default()
    }

    /// Answers from now on, in threads of its own.
    pub fn start(self: &Arc<Console>, host: Arc<dyn Host>) -> io::Result<()> {
        let gate = Arc::new(Gate::new(self, &host));
        for (kind, reached) in [Reached::All, Reached::Health].into_iter().enumerate() {
            for at in 0..self.sockets[kind].len() {
                let (console, gate) = (Arc::clone(self), Arc::clone(&gate));
                let job = move || gate.keep(&console.sockets[kind][at], reached);
                spawn(format!("console-gate-{at}"), Box::new(job))?;
            }
        }
        Ok(())
    }

    fn bounds(&self) -> impl Iterator<Item = &Bound> {
        self.sockets[0].iter().map(Listener::bound)
    }

    /// Removes what lies in the file system of it.
    pub fn stop(&self) {
        for listener in self.sockets.iter().flatten() {
            // What fails here is gone already.
            let _ = listener.stop();
        }
    }
}

/// In a box, since each kind of job would have the code that starts a thread for itself.
fn spawn(name: String, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let builder = thread::Builder::new().name(name).stack_size(STACK);
    builder.spawn(job).map(drop)
}

/// Where clients reach a server that is bound there.
fn with_place<T>(bound: &Bound, with: impl FnOnce(&Place<'_>) -> T) -> T {
    match bound {
        Bound::Tcp(address) => with(&Place::Authority(&address.to_string())),
        Bound::Unix(path) => with(&Place::Unix(&path.display().to_string())),
    }
}
