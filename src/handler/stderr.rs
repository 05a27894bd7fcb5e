//! Brings a program's stderr to the log: by line, named, and within a bound.
//!
//! Rules: a line never reaches a client. Every line names the request and the program. A program that
//! floods stderr cannot fill the disk through the log: past a burst only so many lines a second are
//! kept, and how many were dropped is said with the next that is, or at the end. Nor can many that
//! complain a little each, one for every request: all together have a bound of the same kind. What ends
//! in the log has its control bytes escaped by the logger.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sys::clock::Moment;

/// A line is cut here.
const LINE_MAX: usize = 1024;

/// How many lines a program may write at once.
const BURST: u64 = 200;

/// How many more it gains with each second.
const LINES_PER_SECOND: u64 = 10;

/// The same for all programs together.
const ALL_BURST: u64 = 2000;
const ALL_LINES_PER_SECOND: u64 = 100;

/// How much of the end is kept for the message about a failure.
const TAIL_MAX: usize = 2048;

/// The stderr of one run.
#[derive(Debug)]
pub struct StderrLog<N> {
    name: N,
    line: Vec<u8>,
    own: Allowance,
    all: &'static Mutex<All>,
    dropped: u64,
    tail: Vec<u8>,
}

/// How many lines may be logged.
#[derive(Debug)]
struct Allowance {
    burst: u64,
    per_second: u64,
    /// Lines that may be logged now.
    left: u64,
    /// Until when `left` has grown.
    counted: Moment,
}

/// What all logs share.
#[derive(Debug)]
struct All {
    allowance: Allowance,
    /// Lines that were dropped and not told, as there were lines enough.
    dropped: u64,
}

static ALL: Mutex<All> = Mutex::new(All::new());

impl<N: Display> StderrLog<N> {
    /// A log whose lines begin with `name`.
    pub fn new(name: N, now: Moment) -> StderrLog<N> {
        StderrLog::sharing(&ALL, name, now)
    }

    fn sharing(all: &'static Mutex<All>, name: N, now: Moment) -> StderrLog<N> {
        StderrLog {
            name,
            line: Vec::new(),
            own: Allowance::new(BURST, LINES_PER_SECOND, now),
            all,
            dropped: 0,
            tail: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8], now: Moment) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        if let Some(first) = pieces.next() {
            self.extend_line(first);
        }
        for piece in pieces {
            self.end_line(now);
            self.extend_line(piece);
        }
        let keep = bytes.len().min(TAIL_MAX);
        self.tail.extend_from_slice(&bytes[bytes.len() - keep..]);
        let excess = self.tail.len().saturating_sub(TAIL_MAX);
        self.tail.drain(..excess);
    }

    /// Logs an unended line and what was dropped; returns the last bytes that were written.
    pub fn finish(&mut self, now: Moment) -> Vec<u8> {
        self.end_line(now);
        if self.dropped > 0 {
            let mut all = self.all();
            if all.allowance.take(now) {
                drop(all);
                self.tell_dropped();
            } else {
                // Where every request has something dropped, telling it of each would be a flood too.
                all.dropped += self.dropped;
                drop(all);
                self.dropped = 0;
            }
        }
        std::mem::take(&mut self.tail)
    }

    /// The end of what was written so far.
    #[cfg(feature = "fastcgi")]
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            log::warn!("{}: {dropped} more lines were dropped", self.name);
        }
        let dropped = std::mem::take(&mut self.all().dropped);
        if dropped > 0 {
            log::warn!("{dropped} more lines of several programs were dropped");
        }
    }

    fn all(&self) -> MutexGuard<'static, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend_line(&mut self, bytes: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, now: Moment) {
        if self.line.is_empty() {
            return;
        }
        if self.own.take(now) && self.all().allowance.take(now) {
            self.tell_dropped();
            let line = String::from_utf8_lossy(&self.line);
            log::warn!("{}: {}", self.name, line.trim_end_matches('\r'));
        } else {
            self.dropped += 1;
        }
        self.line.clear();
    }
}

impl Allowance {
    const fn new(burst: u64, per_second: u64, now: Moment) -> Allowance {
        Allowance {
            burst,
            per_second,
            left: burst,
            counted: now,
        }
    }

    /// Uses up one line, if there is one.
    fn take(&mut self, now: Moment) -> bool {
        self.gain(now);
        let may = self.left > 0;
        self.left -= u64::from(may);
        may
    }

    /// Adds what was gained since the last time, up to a burst.
    fn gain(&mut self, now: Moment) {
        let seconds = self.counted.until(now).as_secs();
        if seconds > 0 {
            self.counted = self.counted + Duration::from_secs(seconds);
            let gained = seconds.saturating_mul(self.per_second);
            self.left = self.left.saturating_add(gained).min(self.burst);
        }
    }
}

impl All {
    const fn new() -> All {
        All {
            allowance: Allowance::new(ALL_BURST, ALL_LINES_PER_SECOND, Moment(0)),
            dropped: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that shares with no other.
    fn alone() -> StderrLog<&'static str> {
        StderrLog::sharing(all_alone(), "x", Moment(0))
    }

    fn all_alone() -> &'static Mutex<All> {
        Box::leak(Box::new(Mutex::new(All::new())))
    }

    #[test]
    fn many_that_complain_a_little_are_bounded_together() {
        let all = all_alone();
        let complain = |now: Moment| {
            let mut log = StderrLog::sharing(all, "x", now);
            for _ in 0..BURST {
                log.take(b"flood\n", now);
            }
            log.finish(now);
            log
        };
        let runs = ALL_BURST / BURST + 3;
        for run in 1..=runs {
            let log = complain(Moment(0));
            // What is dropped of each is told once, of all together.
            assert_eq!(log.dropped, 0, "{run}");
        }
        assert_eq!((log_left(all), dropped(all)), (0, 3 * BURST));
        let later = Moment(1_000);
        complain(later);
        let more = BURST - ALL_LINES_PER_SECOND;
        assert_eq!((log_left(all), dropped(all)), (0, more));
    }

    fn log_left(all: &Mutex<All>) -> u64 {
        all.lock().unwrap().allowance.left
    }

    fn dropped(all: &Mutex<All>) -> u64 {
        all.lock().unwrap().dropped
    }

    #[test]
    fn lines_are_joined_bounded_and_counted() {
        let mut log = alone();
        log.take(b"one ", Moment(0));
        log.take(b"line\ntwo\n", Moment(0));
        assert_eq!((log.own.left, log.dropped), (BURST - 2, 0));
        for _ in 0..BURST {
            log.take(b"flood\n", Moment(0));
        }
        assert_eq!((log.own.left, log.dropped), (0, 2));
        log.take(b"later\n", Moment(1_000));
        assert_eq!((log.own.left, log.dropped), (LINES_PER_SECOND - 1, 0));
    }

    #[test]
    fn silence_saves_up_no_more_than_a_burst() {
        let mut log = alone();
        let later = Moment(1_000_000);
        for _ in 0..BURST + 3 {
            log.take(b"flood\n", later);
        }
        assert_eq!((log.own.left, log.dropped), (0, 3));
    }

    #[test]
    fn an_endless_line_takes_no_more_than_its_bound() {
        let mut log = alone();
        for _ in 0..100 {
            log.take(&[b'a'; 4096], Moment(0));
        }
        assert_eq!(log.line.len(), LINE_MAX);
        assert_eq!(log.finish(Moment(0)), vec![b'a'; TAIL_MAX]);
    }
}
