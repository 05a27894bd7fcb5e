//! Brings a program's stderr to the log: by line, named, and within a bound.
//!
//! Rules: a line never reaches a client. Every line names the request and the program. A program that
//! floods stderr cannot fill the disk through the log: past a first burst only so many lines a second
//! are kept, and how many were dropped is said. What ends in the log has its control bytes escaped by
//! the logger.

use std::fmt::Display;

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
    started: Moment,
    logged: u64,
    dropped: u64,
    tail: Vec<u8>,
}

impl<N: Display> StderrLog<N> {
    /// A log whose lines begin with `name`.
    pub fn new(name: N, now: Moment) -> StderrLog<N> {
        StderrLog {
            name,
            line: Vec::new(),
            started: now,
            logged: 0,
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
            log::warn!(
                "{}: {} more lines of stderr were dropped",
                self.name,
                self.dropped
            );
        }
        std::mem::take(&mut self.tail)
    }

    fn extend_line(&mut self, bytes: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self, now: Moment) {
        if self.line.is_empty() {
            return;
        }
        let allowed = BURST + self.started.until(now).as_secs() * LINES_PER_SECOND;
        if self.logged < allowed {
            self.logged += 1;
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
        assert_eq!((log.logged, log.dropped), (2, 0));
        for _ in 0..BURST {
            log.take(b"flood\n", Moment(0));
        }
        assert_eq!((log.logged, log.dropped), (BURST, 2));
        log.take(b"later\n", Moment(1_000));
        assert_eq!((log.logged, log.dropped), (BURST + 1, 2));
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
