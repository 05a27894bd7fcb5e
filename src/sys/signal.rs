//! The signals that steer the server, waited for on a thread of their own.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What the operator asks for by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// SIGTERM or SIGINT: finish what runs, then end.
    Stop,
    /// SIGHUP: open the log anew, and read the configuration.
    Reread,
}

/// The steering signals, caught from now on.
#[derive(Debug)]
pub struct Steering {
    signals: Signals,
}

impl Steering {
    /// Starts to catch the signals.
    pub fn catch() -> io::Result<Steering> {
        Ok(Steering {
            signals: Signals::new([SIGTERM, SIGINT, SIGHUP])?,
        })
    }

    /// Waits for the next request; `None` when signals can be caught no more.
    pub fn await_request(&mut self) -> Option<Request> {
        self.signals.forever().next().map(|signal| match signal {
            SIGHUP => Request::Reread,
            _ => Request::Stop,
        })
    }
}
