//! A buffer that is read into again and again.
//!
//! Rules: it is made once, as large as one read may be, and belongs to a worker; what was read is made
//! use of before the next read replaces it.

use std::io::{self, Read};

use super::stream::Stream;

/// What the last read brought, in memory that the next one uses again.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Buffer {
    /// An empty buffer of this size.
    pub fn new(size: usize) -> Buffer {
        Buffer {
            bytes: vec![0; size].into_boxed_slice(),
            filled: 0,
        }
    }

    /// What the last read brought.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Whether the last read filled it, so that more may have been there.
    pub fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// Reads once what a connection has; `Some(0)` is its end, `None` that nothing has come.
    pub fn receive(&mut self, stream: &Stream) -> io::Result<Option<usize>> {
        self.filled = 0;
        let received = stream.receive(&mut self.bytes)?;
        self.filled = received.unwrap_or(0);
        Ok(received)
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    pub(super) fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        self.filled = 0;
        loop {
            match source.read(&mut self.bytes) {
                Ok(read) => {
                    self.filled = read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
