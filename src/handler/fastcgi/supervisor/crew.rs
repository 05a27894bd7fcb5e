//! Looks after the processes of one application: when one is started, offered, withdrawn and ended.
//!
//! Shape: [`Crew::run`] goes round between [`Crew::step`], which decides on what is known at a moment,
//! and [`Crew::attend`], which waits for what processes do. Rules:
//! - Below the least number every vacant station is filled at once. Above it one process is started at
//!   a time, and only while requests wait: a program that is slow to start is not started often.
//! - While a station rests after a failure none is started beyond the least number: what fails there
//!   would fail elsewhere.
//! - A process leaves by itself, or is withdrawn before it is asked to end: it never loses a request
//!   for the server's reasons.
//!
//! ```text
//!                            accepts                  idle, or N requests
//!   Vacant ────▶ Starting ─────────────▶ Offered ─────────────────────────▶ Leaving
//!     ▲  ▲           │ too slow            │ ends ▲ ╲ left in a request       │ free
//!     │  ╰── Resting ◀─────────────────────╯      ╰─ Left ──────────────────╮ ▼
//!     ╰───────────────────────────────────────────────────────────────── Ending
//! ```

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Roster;
use super::station::{Launch, Process, Stage, Station};
use crate::handler::diagnose;
use crate::sys::buffer::Buffer;
use crate::sys::child::{Exit, StartFailure};
use crate::sys::clock::{Clock, Moment};
use crate::sys::service::{Doorbell, watch_services};
use crate::sys::watch::Pipe;

/// How long a process may take to accept its first connection.
pub(super) const ACCEPT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a process may take to end after SIGTERM.
pub(super) const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long one that has been given its last request holds back others that have been too.
const RELIEF_TURN: Duration = Duration::from_secs(2);

/// A starting process is looked at so often at the most and at the least; in between, after an eighth of
/// the time that it has taken. The first look is late enough for a handshake over loopback to be over.
pub(super) const LOOKS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// How often a withdrawn process is looked at that nobody says is free.
const LEAVING_LOOK: Duration = Duration::from_millis(250);

/// The least time of idleness, so that a process is not ended before the request that it was started
/// for has come to it.
const IDLE_LEAST: Duration = Duration::from_millis(100);

/// How long to rest when the system cannot even wait.
const FAULT_PAUSE: Duration = Duration::from_millis(100);

/// How much of a process's last words goes into the message about its end.
const LAST_WORDS_MAX: usize = 200;

/// How many processes there are to be.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) processes: RangeInclusive<usize>,
    /// For how long one above the least number may have nothing to do.
    pub(super) idle: Duration,
    /// After how many requests one is replaced.
    pub(super) requests: Option<u64>,
}

/// The processes, and what decides about them.
pub(super) struct Crew {
    pub(super) launch: Launch,
    pub(super) rules: Rules,
    pub(super) stations: Vec<Station>,
    pub(super) clock: Clock,
    pub(super) bell: Arc<Doorbell>,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) roster: Arc<dyn Roster>,
    pub(super) buffer: Buffer,
}

impl Crew {
    /// Looks after the processes until told to stop, and ends them.
    pub(super) fn run(mut self) {
        while !self.stopping.load(Ordering::SeqCst) {
            let now = self.clock.now();
            self.step(now);
            self.attend(now.until(self.next_deadline(now)));
        }
        self.end_all();
    }

    /// Does what is to be done at this moment.
    pub(super) fn step(&mut self, now: Moment) {
        for at in 0..self.stations.len() {
            match self.stations[at].stage {
                Stage::Starting(look) if now >= look => self.look(at, now),
                Stage::Offered { successor } => self.check(at, successor, now),
                Stage::Left { look, until } if now >= look => self.look_again(at, until, now),
                Stage::Leaving(_) => self.let_go(at, now),
                Stage::Ending { kill, failed } if now >= kill => {
                    if let Some(process) = &self.stations[at].process {
                        log::warn!("{}: does not end on SIGTERM; it is killed", process.name);
                        process.child.kill();
                    }
                    let kill = Moment::NEVER;
                    self.stations[at].stage = Stage::Ending { kill, failed };
                }
                Stage::Resting(until) if now >= until => {
                    self.stations[at].stage = Stage::Vacant;
                    self.roster.recover(at);
                }
                _ => {}
            }
        }
        self.relieve(now);
        self.shrink(now);
        self.grow(now);
    }

    /// When there is something to do though nothing happens.
    pub(super) fn next_deadline(&self, now: Moment) -> Moment {
        let has_excess = self.live() > *self.rules.processes.start();
        let deadlines = self
            .stations
            .iter()
            .enumerate()
            .map(|(at, station)| match station.stage {
                Stage::Resting(at) | Stage::Starting(at) | Stage::Ending { kill: at, .. } => at,
                Stage::Left { look, .. } => look,
                Stage::Leaving(_) => now + LEAVING_LOOK,
                Stage::Offered { .. } if has_excess => {
                    let idle = self.roster.idle_for(at, now);
                    now + self.idle_limit().saturating_sub(idle).max(LOOKS[0])
                }
                Stage::Vacant | Stage::Offered { .. } => Moment::NEVER,
            });
        deadlines.min().unwrap_or(Moment::NEVER)
    }

    /// Waits for what the processes do, and takes note of it.
    pub(super) fn attend(&mut self, patience: Duration) {
        let watched: Vec<usize> = (0..self.stations.len())
            .filter(|at| self.stations[*at].process.is_some())
            .collect();
        let processes = self.stations.iter().filter_map(|it| it.process.as_ref());
        let children: Vec<_> = processes.map(|process| &process.child).collect();
        let events = match watch_services(&children, &self.bell, patience) {
            Ok(events) => events,
            Err(error) => {
                log::error!("{}: {error}", self.launch.program.display());
                thread::sleep(FAULT_PAUSE);
                return;
            }
        };
        let now = self.clock.now();
        for (at, events) in watched.into_iter().zip(events) {
            if let Some(process) = &mut self.stations[at].process {
                listen(process, events.output, &mut self.buffer, now);
            }
            if events.ended {
                self.bury(at, now);
            }
        }
    }

    /// Offers a process that has accepted, or ends it when that takes too long.
    fn look(&mut self, at: usize, now: Moment) {
        let station = &mut self.stations[at];
        let accepted = station.take_accepted();
        let Some(process) = &mut station.process else {
            return;
        };
        let in_use = self.roster.in_use(at);
        process.count(in_use, self.roster.served(at));
        if in_use > 0 {
            // Requests that its predecessor never accepted come first, and take their time.
            process.awaited = now;
        }
        let taken = process.awaited.until(now);
        if let Some(warm) = accepted {
            let taken = seconds(process.started.until(now));
            log::debug!("{}: accepts after {taken} s", process.name);
            process.was_offered = true;
            station.stage = Stage::Offered { successor: None };
            self.roster.offer(at, warm, now);
        } else if taken >= ACCEPT_TIMEOUT {
            let limit = seconds(ACCEPT_TIMEOUT);
            log::error!("{}: accepted no connection within {limit} s", process.name);
            let why = format!("its process accepted no connection within {limit} s");
            self.roster.withdraw(at, &why);
            self.end(at, now, true);
        } else {
            let [shortest, longest] = LOOKS;
            station.stage = Stage::Starting(now + (taken / 8).clamp(shortest, longest));
        }
    }

    /// Replaces processes that have been given as many requests as they may: with room for one more
    /// after the next one accepts, without it one at a time.
    fn relieve(&mut self, now: Moment) {
        let Some(limit) = self.rules.requests else {
            return;
        };
        for at in 0..self.stations.len() {
            let Stage::Offered { successor } = self.stations[at].stage else {
                continue;
            };
            let next = successor.map(|next| self.stations[next].stage);
            match next {
                Some(Stage::Starting(_)) => continue,
                Some(Stage::Offered { .. }) => {
                    self.withdraw(at, now, "it was given all its requests");
                    continue;
                }
                _ => self.stations[at].stage = Stage::Offered { successor: None },
            }
            let is_due = self.roster.served(at) >= limit;
            if !is_due || self.changes(now) || self.stations.iter().any(Station::is_resting) {
                continue;
            }
            match self.vacant() {
                Some(next) => {
                    self.start(next, now);
                    let successor = Some(next);
                    self.stations[at].stage = Stage::Offered { successor };
                }
                None => self.withdraw(at, now, "it was given all its requests"),
            }
        }
    }

    /// Whether a process is on its way in or out.
    fn changes(&self, now: Moment) -> bool {
        self.stations.iter().any(|station| match station.stage {
            Stage::Starting(_) | Stage::Ending { .. } => true,
            Stage::Leaving(since) => now < since + RELIEF_TURN,
            Stage::Vacant | Stage::Resting(_) | Stage::Offered { .. } | Stage::Left { .. } => false,
        })
    }

    /// Has processes above the least number end that have had nothing to do for long, the last first.
    fn shrink(&mut self, now: Moment) {
        let mut excess = self.live().saturating_sub(*self.rules.processes.start());
        for at in (0..self.stations.len()).rev() {
            let is_offered = matches!(self.stations[at].stage, Stage::Offered { .. });
            let is_idle = || {
                self.roster.in_use(at) == 0 && self.roster.idle_for(at, now) >= self.idle_limit()
            };
            if excess > 0 && is_offered && is_idle() {
                self.withdraw(at, now, "it had nothing to do");
                excess -= 1;
            }
        }
    }

    fn idle_limit(&self) -> Duration {
        self.rules.idle.max(IDLE_LEAST)
    }

    /// Starts what is missing of the least number, and one more when requests wait.
    fn grow(&mut self, now: Moment) {
        let resting = |crew: &Crew| crew.stations.iter().filter(|it| it.is_resting()).count();
        while self.live() + resting(self) < *self.rules.processes.start() {
            match self.vacant() {
                Some(at) => self.start(at, now),
                None => break,
            }
        }
        let starting = |station: &Station| matches!(station.stage, Stage::Starting(_));
        if self.stations.iter().any(starting) || resting(self) > 0 || self.roster.waiting() == 0 {
            return;
        }
        if let Some(at) = self.vacant() {
            self.start(at, now);
        }
    }

    /// How many processes serve or soon will.
    fn live(&self) -> usize {
        self.stations.iter().filter(|it| it.is_live()).count()
    }

    fn vacant(&self) -> Option<usize> {
        self.stations
            .iter()
            .position(|station| station.stage == Stage::Vacant)
    }

    fn start(&mut self, at: usize, now: Moment) {
        // Before there is a process: it may have served them by the time that its start returns.
        let found = self.roster.in_use(at) as u64;
        let known = self.roster.served(at);
        let station = &mut self.stations[at];
        let Err(error) = station.start(&self.launch, now, now + LOOKS[0]) else {
            if let Some(process) = &mut station.process {
                (process.found, process.known) = (found, known);
                log::info!("{}: started", process.name);
            }
            return;
        };
        let failure = StartFailure::from(&error);
        let sentence = diagnose::start_failure(&self.launch.program, failure).line();
        let next = self.rest(at, now);
        let program = self.launch.program.display();
        log::error!("{program}: could not be started: {sentence} ({error}){next}");
        let why = format!("its program could not be started ({error}){next}");
        self.roster.withdraw(at, &why);
    }

    /// Has no more requests go to a process.
    pub(super) fn withdraw(&mut self, at: usize, now: Moment, why: &str) {
        if let Some(process) = &self.stations[at].process {
            log::info!("{}: is ended, as {why}", process.name);
        }
        self.stations[at].stage = Stage::Leaving(now);
        self.roster.withdraw(at, why);
        self.let_go(at, now);
    }

    /// Ends a withdrawn process that has nothing more to do.
    fn let_go(&mut self, at: usize, now: Moment) {
        if self.roster.in_use(at) == 0 {
            self.end(at, now, false);
        }
    }

    pub(super) fn end(&mut self, at: usize, now: Moment, failed: bool) {
        let station = &mut self.stations[at];
        if let Some(process) = &station.process {
            process.child.ask_to_end();
        }
        let kill = now + TERM_GRACE;
        station.stage = Stage::Ending { kill, failed };
    }

    /// Reaps a process that has ended, and decides when its station is filled again.
    fn bury(&mut self, at: usize, now: Moment) {
        let station = &mut self.stations[at];
        let Some(mut process) = station.process.take() else {
            return;
        };
        // What it left behind in its group would accept at the socket in its stead.
        let exit = process.child.end(Duration::ZERO);
        let served = process.count(self.roster.in_use(at), self.roster.served(at));
        let stage = std::mem::replace(&mut station.stage, Stage::Vacant);
        let failed = matches!(stage, Stage::Ending { failed: true, .. });
        if !failed {
            station.forgive(served, process.started.until(now));
        }
        if !matches!(stage, Stage::Ending { .. }) {
            self.explain(at, now, stage, process, exit, served);
            return;
        }
        process.output.finish(now);
        let next = if failed {
            self.rest(at, now)
        } else {
            String::new()
        };
        log::info!("{}: ended with {exit}{next}", process.name);
    }

    /// Says why a process ended that nobody had asked to, and leaves its station alone where that was
    /// no good end.
    fn explain(
        &mut self,
        at: usize,
        now: Moment,
        stage: Stage,
        mut process: Process,
        exit: Exit,
        served: u64,
    ) {
        let name = &process.name;
        let ending = exit.to_string();
        let tail = process.output.finish(now);
        let why = if exit == Exit::Status(0) && served > 0 {
            log::info!("{name}: ended by itself with {ending} after {served} requests");
            "its process ended by itself".to_owned()
        } else {
            let next = self.rest(at, now);
            let words = last_words(&tail);
            let hint = match exit {
                Exit::Status(0) if !process.was_offered => {
                    "; a program that is run so accepts at its descriptor 0, and stays in the \
                     foreground"
                }
                _ => "",
            };
            log::error!("{name}: ended with {ending} after {served} requests{next}{words}{hint}");
            format!("its process ended with {ending}{next}{words}{hint}")
        };
        // One that has served did not fail to start, and a withdrawal is told once.
        let is_news = match stage {
            Stage::Starting(_) => served == 0,
            Stage::Offered { .. } | Stage::Left { .. } => true,
            _ => false,
        };
        if is_news {
            self.roster.withdraw(at, &why);
        }
    }

    /// Leaves a station alone for a while; returns what follows, as the rest of a sentence.
    fn rest(&mut self, at: usize, now: Moment) -> String {
        let pause = seconds(self.stations[at].rest(now));
        match self.live() < *self.rules.processes.start() {
            true => format!("; it is started again in {pause} s"),
            false => format!("; it is started again when it is needed, not before {pause} s"),
        }
    }

    /// Ends all processes, within the grace and what the kernel takes to kill.
    pub(super) fn end_all(&mut self) {
        let now = self.clock.now();
        for at in 0..self.stations.len() {
            if self.stations[at].process.is_some() {
                self.roster.withdraw(at, "the server is stopping");
                self.end(at, now, false);
            }
        }
        let ends = now + TERM_GRACE;
        let mut now = now;
        while now < ends && self.stations.iter().any(|it| it.process.is_some()) {
            self.attend(now.until(ends));
            now = self.clock.now();
        }
        for at in 0..self.stations.len() {
            if let Some(process) = &self.stations[at].process {
                log::warn!("{}: does not end on SIGTERM; it is killed", process.name);
            }
            self.bury(at, now);
        }
    }
}

/// Brings what a process printed to the log.
fn listen(process: &mut Process, output: Pipe, buffer: &mut Buffer, now: Moment) {
    match output {
        Pipe::Quiet => {}
        Pipe::End => process.child.close_stderr(),
        Pipe::Bytes => match process.child.read_stderr(buffer) {
            Ok(()) => process.output.take(buffer.filled(), now),
            Err(_) => process.child.close_stderr(),
        },
    }
}

/// The last line of what a process printed, as the rest of a sentence.
pub(super) fn last_words(tail: &[u8]) -> String {
    let lines = tail.trim_ascii().rsplit(|byte| *byte == b'\n');
    match lines.into_iter().next() {
        None | Some([]) => String::new(),
        Some(line) => {
            let shown = &line[line.len().saturating_sub(LAST_WORDS_MAX)..];
            format!("; its last words were \"{}\"", shown.escape_ascii())
        }
    }
}

/// A time in seconds, as it is written: `0.25`, `2`.
fn seconds(span: Duration) -> String {
    let text = format!("{}.{:03}", span.as_secs(), span.subsec_millis());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
