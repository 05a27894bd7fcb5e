//! Brings a program's stderr to the log: by line, named, and within a bound.
//!
//! Rules: a line never reaches a client. Every line names the request and the program. A program that
//! floods stderr cannot fill the disk through the log: past a burst only so many lines a second are
//! kept, and how many were dropped is said with the next that is, or at the end. What ends in the log
//! has its control bytes escaped by the logger.

use std::fmt::Display;
use std::time::Duration;

use crate::sys::clock::Moment;

/// A line is cut here.
const LINE_MAX: usize = 1024;

/// How many lines a program may write at once.
const BURST: u64 = 200;

/// How many more it gains with each second.
const LINES_PER_SECOND: u64 = 10;

/// How much of the end is kept for the message about a failure.
const TAIL_MAX: usize = 512;

/// The stderr of one run.
#[derive(Debug)]
pub struct StderrLog<N> {
    name: N,
    line: Vec<u8>,
    /// Lines that may be logged now.
    allowed: u64,
    /// Until when `allowed` has grown.
    counted: Moment,
    dropped: u64,
    tail: Vec<u8>,
}

impl<N: Display> StderrLog<N> {
    /// A log whose lines begin with `name`.
    pub fn new(name: N, now: Moment) -> StderrLog<N> {
        StderrLog {
            name,
            line: Vec::new(),
            allowed: BURST,
            counted: now,
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
        self.tell_dropped();
        std::mem::take(&mut self.tail)
    }

    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            log::warn!("{}: {dropped} more lines were dropped", self.name);
        }
    }

    /// Adds what was gained since the last time, up to a burst.
    fn gain(&mut self, now: Moment) {
        let seconds = self.counted.until(now).as_secs();
        if seconds > 0 {
            self.counted = self.counted + Duration::from_secs(seconds);
            let gained = seconds.saturating_mul(LINES_PER_SECOND);
            self.allowed = self.allowed.saturating_add(gained).min(BURST);
        }
    }

    fn extend_line(&mut self, bytes: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, now: Moment) {
        if self.line.is_empty() {
            return;
        }
        self.gain(now);
        if self.allowed > 0 {
            self.allowed -= 1;
            self.tell_dropped();
            let line = String::from_utf8_lossy(&self.line);
            log::warn!("{}: {}", self.name, line.trim_end_matches('\r'));
        } else {
            self.dropped += 1;
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_bounded_and_counted() {
        let mut log = StderrLog::new("x", Moment(0));
        log.take(b"one ", Moment(0));
        log.take(b"line\ntwo\n", Moment(0));
        assert_eq!((log.allowed, log.dropped), (BURST - 2, 0));
        for _ in 0..BURST {
            log.take(b"flood\n", Moment(0));
        }
        assert_eq!((log.allowed, log.dropped), (0, 2));
        log.take(b"later\n", Moment(1_000));
        assert_eq!((log.allowed, log.dropped), (LINES_PER_SECOND - 1, 0));
    }

    #[test]
    fn silence_saves_up_no_more_than_a_burst() {
        let mut log = StderrLog::new("x", Moment(0));
        let later = Moment(1_000_000);
        for _ in 0..BURST + 3 {
            log.take(b"flood\n", later);
        }
        assert_eq!((log.allowed, log.dropped), (0, 3));
    }

    #[test]
    fn an_endless_line_takes_no_more_than_its_bound() {
        let mut log = StderrLog::new("x", Moment(0));
        for _ in 0..100 {
            log.take(&[b'a'; 4096], Moment(0));
        }
        assert_eq!(log.line.len(), LINE_MAX);
        assert_eq!(log.finish(Moment(0)), vec![b'a'; TAIL_MAX]);
    }
}
