//! The end: clients are told to go elsewhere and served on for `--stop-delay`; then nobody is accepted any more, what
//! runs comes to its end, and what is left is ended.
//!
//! Rules: no response is cut before `--drain-timeout` is over, and no program outlives the server.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::Server;
use super::worker::Worker;

/// How long the last responses may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long programs that are ended by the stop are waited for: their grace, and some.
const HALT_GRACE: Duration = Duration::from_secs(4);

impl Server {
    /// Serves on for as long as those who send clients here take to notice that they should not: each response
    /// closes its connection, and health is told as 503.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        let patience = self.current.served().settings.stop_delay;
        self.wait_until(patience, || self.halt.is_ordered());
    }

    /// Accepts nobody from now on, and has idle connections closed.
    pub(super) fn stop_accepting(&self) {
        let mut worker = Worker::new(self);
        let listeners = self.listeners.all();
        for (at, listener) in &listeners {
            // Those who wait to be accepted came in time; at a shared socket others will accept them.
            if !listener.is_shared() {
                while worker.accept(*at) {}
            }
        }
        self.stopping.store(true, Ordering::SeqCst);
        for (_, listener) in &listeners {
            self.parking.stop_listening(listener);
        }
        self.wake_all();
    }

    /// Has every connection looked at.
    fn wake_all(&self) {
        for number in self.parking.table.used() {
            self.parking.wake(number);
        }
    }

    /// Lets what runs come to its end, then ends what is left.
    pub(super) fn drain(&self) {
        let table = &self.parking.table;
        let is_done = || table.live() == 0 || self.halt.is_ordered();
        let patience = self.current.served().settings.drain_timeout;
        self.wait_until(patience, is_done);
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
}
