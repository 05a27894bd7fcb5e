//! Processes that start programs for the server.
//!
//! A process that holds thousands of descriptors pays for them with every program that it starts: the
//! child copies the table, and exec closes each again. A C library may let one thread at a time start a
//! program (musl does), and threads that share memory slow each other down at it. So programs are
//! started by *spawners*: small processes of the same binary with a handful of descriptors and one
//! thread each, made when they are first needed. Two for each core, since one waits for exec to begin.
//!
//! Shape: [`Spawners::start`] makes a program's pipes and sends a spawner (`launch.rs`) an order (`order.rs`,
//! `process.rs`); nothing is waited for. The [`Lease`] tells by the end of a pipe that the program has
//! ended, or could not be started. Rules:
//! - Whatever is wrong with a spawner is no fault of the program: it is then started without one, unless
//!   only a spawner can confine it (`confinement.rs`). Then it is not started.
//! - Signals go through the spawner, which alone knows whose number a process id is.
//! - A spawner ends with the connection to it, and takes its programs along.

mod confinement;
mod launch;
mod order;
mod process;

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[cfg(feature = "fastcgi")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use super::child::Usage;
use super::kernel::has_pidfds;
use super::{clock, fault};
pub use confinement::{Confinement, Jail, Limits};
#[cfg(feature = "fastcgi")]
use launch::PATIENCE;
use launch::Spawner;
pub use launch::{Launch, is_meant};
pub use order::Urgency;
use order::{ORDER_MAX, REPORT_LEN, REPORTS_MAX, Report, encode_signal, encode_start};
pub use process::serve;

/// After so many launches in a row that came to nothing the next one is tried after [`RETRY_PAUSE`]: what
/// was wanting may have been memory.
const FAILURES_MAX: u32 = 3;

/// How long programs are started without a new spawner, or refused for want of one, before one is tried
/// again. Counted by time: where programs are refused there are few of them.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The spawners of a server.
#[derive(Debug)]
pub struct Spawners {
    launch: Launch,
    max: usize,
    all: Mutex<Vec<Arc<Spawner>>>,
    serial: AtomicU32,
    /// Launches in a row that came to nothing; locked while `all` is.
    failures: Mutex<Failures>,
}

/// How often in a row no spawner could be launched, and until when none is tried for that.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    rest_until: Option<Instant>,
}

/// A program that a spawner was ordered to start.
#[derive(Debug)]
pub struct Lease {
    spawner: Arc<Spawner>,
    serial: u32,
    reports: PipeReader,
    /// The process, where it was waited for that it starts.
    process: Option<i32>,
    /// When it was ordered, as [`clock::stamp`] tells it.
    ordered: i32,
}

/// A program on its way.
#[derive(Debug)]
pub struct Ordered {
    /// What became of it.
    pub lease: Lease,
    /// What it prints.
    pub stdout: PipeReader,
    /// What it complains of.
    pub stderr: PipeReader,
}

/// What became of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has ended.
    Ended(ExitStatus),
    /// It could not be started: the kernel's error number.
    Unstarted(i32),
    /// Nobody knows: its spawner was ended by somebody else. What ran of it was ended as well.
    Lost,
}

/// Spawners that were started and do nothing yet. Those that nobody employs are ended.
#[derive(Debug)]
pub struct Reserve(Vec<Spawner>);

impl Reserve {
    /// Starts so many, as this very program.
    pub fn start(count: usize) -> io::Result<Reserve> {
        let launch = Launch::own(Confinement::default());
        let mut reserve = Reserve(Vec::new());
        for _ in 0..count {
            reserve.0.push(Spawner::start(&launch)?);
        }
        Ok(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.0.iter().for_each(Spawner::end);
    }
}

impl Spawners {
    /// At most so many spawners; none where the kernel has no pidfds (before 5.3), by which a spawner
    /// sees the end of its programs.
    pub fn new(max: usize, launch: Launch) -> Spawners {
        Spawners {
            launch,
            max: if has_pidfds() { max } else { 0 },
            all: Mutex::default(),
            serial: AtomicU32::new(0),
            failures: Mutex::default(),
        }
    }

    /// None at all: programs are started by the server itself.
    pub fn none() -> Spawners {
        Spawners::new(0, Launch::own(Confinement::default()))
    }

    /// How many there may be.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Whether programs are kept from nothing but what the server is kept from too.
    pub fn are_plain(&self) -> bool {
        self.launch.confinement.is_plain()
    }

    /// Starts a spawner, as a trial.
    ///
    /// Errors: it cannot be started, or not enter its confinement.
    pub fn try_out(&self) -> io::Result<()> {
        self.check()?;
        let spawner = Spawner::launch(&self.launch)?;
        self.all().push(Arc::new(spawner));
        Ok(())
    }

    /// Takes as many as there may be out of a reserve, and has them go to jail with what is theirs. In
    /// the jail others may not be to be had.
    ///
    /// Errors: as of [`Spawners::try_out`].
    pub fn employ(&self, reserve: &mut Reserve, jail: &Jail<'_>) -> io::Result<()> {
        for _ in 0..self.max {
            self.check()?;
            let spawner = match reserve.0.pop() {
                Some(spawner) => spawner,
                None => break,
            };
            spawner.confine(&self.launch.confinement, Some(jail))?;
            self.all().push(Arc::new(spawner));
        }
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        match self.max {
            0 => Err(io::Error::other("the kernel has no pidfds (before 5.3)")),
            _ => Ok(()),
        }
    }

    /// What is done about a program that no spawner can start: `None` leaves it to the server, where
    /// that does not undo its confinement.
    fn without<T>(&self, error: io::Error) -> io::Result<Option<T>> {
        match self.are_plain() {
            true => Ok(None),
            false => Err(error),
        }
    }

    /// Orders a program to be started; `None` where no spawner can do it and the server may.
    ///
    /// Errors: there is no descriptor left for its pipes, or nobody to confine it.
    pub fn start<'e>(
        &self,
        path: &[u8],
        folder: &[u8],
        arguments: &[Vec<u8>],
        environment: impl Iterator<Item = (&'e [u8], &'e [u8])>,
        stdin: Option<BorrowedFd<'_>>,
    ) -> io::Result<Option<Ordered>> {
        let descriptors = 3 + u8::from(stdin.is_some());
        let texts = [path, b"", folder];
        let order = self.order(descriptors, texts, arguments, environment);
        let (serial, order) = match order {
            Ok(order) => order,
            Err(error) => return self.without(error),
        };
        fault::pipe()?;
        let ((stdout, its_stdout), (stderr, its_stderr)) = (io::pipe()?, io::pipe()?);
        let (reports, its_reports) = io::pipe()?;
        let mut descriptors = vec![its_reports.as_fd(), its_stdout.as_fd(), its_stderr.as_fd()];
        descriptors.extend(stdin);
        let ordered = clock::stamp();
        let Some(spawner) = self.give(&order, &descriptors) else {
            return self.without(nobody());
        };
        Ok(Some(Ordered {
            lease: Lease::new(spawner, serial, reports, ordered),
            stdout,
            stderr,
        }))
    }

    /// Has a program started with `listener` for its descriptor 0 and one pipe for all that it prints,
    /// whose end is returned, and waits until it runs. `texts` are its path, name and folder.
    ///
    /// Errors: as of [`Spawners::start`], and what exec or fork said.
    #[cfg(feature = "fastcgi")]
    pub fn start_service<'e>(
        &self,
        texts: [&[u8]; 3],
        arguments: &[Vec<u8>],
        environment: impl Iterator<Item = (&'e [u8], &'e [u8])>,
        listener: BorrowedFd<'_>,
    ) -> io::Result<Option<(Lease, PipeReader)>> {
        let order = self.order(4, texts, arguments, environment);
        let (serial, order) = match order {
            Ok(order) => order,
            Err(error) => return self.without(error),
        };
        fault::pipe()?;
        let (output, its_output) = io::pipe()?;
        let (reports, its_reports) = io::pipe()?;
        let output_fd = its_output.as_fd();
        let descriptors = [its_reports.as_fd(), output_fd, output_fd, listener];
        let Some(spawner) = self.give(&order, &descriptors) else {
            return self.without(nobody());
        };
        let mut lease = Lease::new(spawner, serial, reports, clock::stamp());
        // The end of the pipe is to be seen, if nothing else.
        drop(its_reports);
        lease.await_start()?;
        Ok(Some((lease, output)))
    }

    /// Makes an order, and its serial number.
    ///
    /// Errors: there can be no spawner, or the order would be too long for one.
    fn order<'e>(
        &self,
        descriptors: u8,
        texts: [&[u8]; 3],
        arguments: &[Vec<u8>],
        environment: impl Iterator<Item = (&'e [u8], &'e [u8])>,
    ) -> io::Result<(u32, Vec<u8>)> {
        if self.max == 0 {
            return Err(nobody());
        }
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let mut order = Vec::with_capacity(4096);
        encode_start(
            &mut order,
            serial,
            descriptors,
            texts,
            arguments,
            environment,
        );
        match order.len() {
            ..=ORDER_MAX => Ok((serial, order)),
            _ => Err(Errno::TOOBIG.into()),
        }
    }

    /// Gives an order to a spawner. One that was killed is found out by that, and another one gets it.
    fn give(&self, order: &[u8], descriptors: &[BorrowedFd<'_>]) -> Option<Arc<Spawner>> {
        for _ in 0..=self.max {
            let spawner = self.choose()?;
            if spawner.send(order, descriptors).is_ok() {
                spawner.running.fetch_add(1, Ordering::Relaxed);
                return Some(spawner);
            }
            self.give_up(&spawner);
        }
        None
    }

    /// The least busy spawner, or a new one where there may be one and all are busy.
    fn choose(&self) -> Option<Arc<Spawner>> {
        let mut all = self.all();
        for lost in all.extract_if(.., |spawner| spawner.is_lost.load(Ordering::Relaxed)) {
            lost.end();
        }
        let running = |spawner: &&Arc<Spawner>| spawner.running.load(Ordering::Relaxed);
        let least = all.iter().min_by_key(running).cloned();
        let is_idle = least.as_ref().is_some_and(|least| running(&least) == 0);
        if is_idle || all.len() == self.max {
            return least;
        }
        let mut failures = self.failures();
        if failures
            .rest_until
            .is_some_and(|until| Instant::now() < until)
        {
            return least;
        }
        match Spawner::launch(&self.launch) {
            Ok(spawner) => {
                let spawner = Arc::new(spawner);
                all.push(Arc::clone(&spawner));
                *failures = Failures::default();
                Some(spawner)
            }
            Err(_) => {
                failures.count = failures.count.saturating_add(1);
                if failures.count >= FAILURES_MAX {
                    failures.rest_until = Some(Instant::now() + RETRY_PAUSE);
                }
                least
            }
        }
    }

    fn give_up(&self, spawner: &Arc<Spawner>) {
        self.all().retain(|other| !Arc::ptr_eq(other, spawner));
        spawner.end();
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Spawner>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody() -> io::Error {
    io::Error::other("there is no spawner, which alone could confine it")
}

impl Lease {
    fn new(spawner: Arc<Spawner>, serial: u32, reports: PipeReader, ordered: i32) -> Lease {
        Lease {
            spawner,
            serial,
            reports,
            process: None,
            ordered,
        }
    }

    /// The process id of a program that was waited for at its start.
    pub fn id(&self) -> Option<u32> {
        self.process.map(i32::cast_unsigned)
    }

    /// Waits until the program runs. A spawner that says nothing is given up, with its programs.
    #[cfg(feature = "fastcgi")]
    fn await_start(&mut self) -> io::Result<()> {
        let mut told = [0; REPORT_LEN];
        let patience = Timespec::try_from(PATIENCE).ok();
        let mut polled = [PollFd::new(&self.reports, PollFlags::IN)];
        let wait = || poll(&mut polled, patience.as_ref());
        let is_told = rustix::io::retry_on_intr(wait)? > 0;
        let read = is_told && self.reports.read_exact(&mut told).is_ok();
        match Report::decode(&told).filter(|_| read) {
            Some(Report::Started(pid)) => self.process = Some(pid),
            Some(Report::Failed(error)) => return Err(io::Error::from_raw_os_error(error)),
            _ => {
                self.spawner.is_lost.store(true, Ordering::Relaxed);
                return Err(io::Error::other("its spawner says nothing"));
            }
        }
        Ok(())
    }

    /// What comes to its end when the program has.
    pub fn reports(&self) -> &PipeReader {
        &self.reports
    }

    /// Has the program and its whole group told to end. Nothing is waited for.
    pub fn signal(&self, urgency: Urgency) {
        // Without a spawner `wait` sees to it.
        let _ = self.spawner.send(&encode_signal(self.serial, urgency), &[]);
    }

    /// Waits until the program has ended and was reaped, and notes what it took.
    pub fn wait(&mut self, usage: &mut Usage) -> Fate {
        let fate = self.read_reports(usage);
        if fate == Fate::Lost {
            self.spawner.is_lost.store(true, Ordering::Relaxed);
        }
        fate
    }

    fn read_reports(&mut self, usage: &mut Usage) -> Fate {
        let mut told = [0; REPORTS_MAX * REPORT_LEN];
        let mut len = 0;
        // What was read of it before an error counts, and behind the last report there is only the end.
        while len < told.len() {
            match self.reports.read(&mut told[len..]) {
                Ok(read @ 1..) => len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
            }
        }
        let mut fate = self.process.map(Report::Started);
        usage.pid = self.id();
        for report in told[..len].chunks(REPORT_LEN).filter_map(Report::decode) {
            match report {
                Report::At(stamp) => usage.start = Some(clock::since(self.ordered, stamp)),
                Report::Cpu(micros) => usage.cpu = Some(micros.cast_unsigned()),
                Report::Memory(kib) => usage.memory = Some(kib.cast_unsigned()),
                Report::Started(pid) => {
                    usage.pid = Some(pid.cast_unsigned());
                    fate = Some(report);
                }
                Report::Failed(_) | Report::Ended(_) => fate = Some(report),
            }
        }
        match fate {
            Some(Report::Ended(status)) => Fate::Ended(ExitStatus::from_raw(status)),
            Some(Report::Failed(error)) => Fate::Unstarted(error),
            Some(Report::Started(pid)) => {
                if let Some(pid) = Pid::from_raw(pid) {
                    let _ = kill_process_group(pid, Signal::KILL);
                }
                Fate::Lost
            }
            _ => Fate::Lost,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.spawner.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
