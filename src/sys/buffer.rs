//! A buffer that is read into again and again.
//!
//! Rules: it is as large as one read may be, and belongs to a worker, most of which never read into theirs:
//! it takes memory from the first read on. What was read is made use of before the next read replaces it.
//! Where there is no memory for a buffer, that is an error of whoever wanted to read, and not the end of all.

use std::io::{self, Read};

use super::fault;
use super::stream::Stream;

/// Sees to it that `len` more bytes fit into `bytes`.
///
/// Errors: there is no memory for them.
pub fn reserve(bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
    fault::memory()?;
    Ok(bytes.try_reserve(len)?)
}

/// What the last read brought, in memory that the next one uses again.
#[derive(Debug)]
pub struct Buffer {
    /// Empty until it is read into.
    bytes: Vec<u8>,
    size: usize,
    filled: usize,
}

impl Buffer {
    /// An empty buffer of this size.
    pub fn new(size: usize) -> Buffer {
        Buffer {
            bytes: Vec::new(),
            size,
            filled: 0,
        }
    }

    /// What the last read brought.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Whether the last read filled it, so that more may have been there.
    pub fn is_full(&self) -> bool {
        self.filled == self.size
    }

    /// Reads once what a connection has; `Some(0)` is its end, `None` that nothing has come.
    pub fn receive(&mut self, stream: &Stream) -> io::Result<Option<usize>> {
        let received = stream.receive(self.emptied()?)?;
        self.filled = received.unwrap_or(0);
        Ok(received)
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    pub(super) fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        loop {
            let emptied = self.emptied()?;
            match fault::read()
                .map_err(io::Error::from)
                .and_then(|()| source.read(emptied))
            {
                Ok(read) => {
                    self.filled = read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// All of it, to be read into.
    fn emptied(&mut self) -> io::Result<&mut [u8]> {
        self.filled = 0;
        if self.bytes.is_empty() {
            reserve(&mut self.bytes, self.size)?;
            self.bytes.resize(self.size, 0);
        }
        Ok(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_memory_from_the_first_read_on() {
        let mut buffer = Buffer::new(4);
        assert_eq!((buffer.bytes.capacity(), buffer.is_full()), (0, false));
        let mut source = &b"12345"[..];
        assert_eq!(buffer.fill(&mut source).unwrap(), 4);
        assert_eq!((buffer.filled(), buffer.is_full()), (&b"1234"[..], true));
        assert_eq!(buffer.fill(&mut source).unwrap(), 1);
        assert_eq!((buffer.filled(), buffer.is_full()), (&b"5"[..], false));
    }
}
