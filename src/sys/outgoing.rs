//! What is on its way to a peer: bytes and file ranges that leave as fast as the peer takes them.
//!
//! Shape: pieces are pushed at the end and flushed from the front. Rules: nothing here waits. Output
//! of a program, which may come faster than the peer takes it, is held to [`MEMORY`] bytes in memory
//! and goes to a spool file beyond; everything else that is pushed is bounded by its maker.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::io::{ReadWriteFlags, preadv2};

use super::spool::{Room, SpoolFile};
use super::stream::{More, Stream};

/// How much unsent program output is kept in memory.
pub const MEMORY: usize = 16 << 10;

/// How many parts are passed on at once.
pub const PARTS: usize = 36;

/// How much one flush sends before others get their turn: when hundreds ask for something long in the
/// same moment, whoever asks for something short waits for a turn of each.
const TURN: u64 = 1 << 20;

/// How much one sendfile is asked to send.
const SENDFILE: u64 = 1 << 20;

/// From this length on it is looked whether a file has to come from a disk: of a shorter one that would be half a
/// hundredth of the time that it takes to send it.
const LONG: u64 = 128 << 10;

/// The state after a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Everything was sent.
    All,
    /// The peer takes no more for now.
    Blocked,
    /// The peer would take more, but others should have a turn.
    Turn,
}

/// A queue of pieces on their way out.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The first bytes, in a buffer that is kept for the next response.
    front: Vec<u8>,
    front_sent: usize,
    rest: VecDeque<Piece>,
    sent: u64,
    /// Whether the peer took no more when it was last tried.
    blocked: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes {
        bytes: Vec<u8>,
        sent: usize,
    },
    Shared {
        bytes: Arc<[u8]>,
        sent: usize,
    },
    File {
        file: Arc<File>,
        next: u64,
        end: u64,
    },
    Spooled {
        file: SpoolFile,
        next: u64,
    },
}

impl Outgoing {
    /// A buffer to append bytes to, behind everything that was pushed.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        if self.rest.is_empty() {
            return &mut self.front;
        }
        if !matches!(self.rest.back(), Some(Piece::Bytes { .. })) {
            self.rest.push_back(Piece::Bytes {
                bytes: Vec::new(),
                sent: 0,
            });
        }
        match self.rest.back_mut() {
            Some(Piece::Bytes { bytes, .. }) => bytes,
            _ => &mut self.front,
        }
    }

    /// Pushes bytes that are shared with others.
    pub fn push_shared(&mut self, bytes: Arc<[u8]>) {
        self.rest.push_back(Piece::Shared { bytes, sent: 0 });
    }

    /// Pushes `len` bytes of a file from `first`.
    pub fn push_file(&mut self, file: Arc<File>, first: u64, len: u64) {
        self.rest.push_back(Piece::File {
            file,
            next: first,
            end: first.saturating_add(len),
        });
    }

    /// Pushes output of a program: into memory while little is pending, else into a spool file.
    ///
    /// Where the spool has no room, or this peer has its share of it, the bytes are kept in memory all the same; [`Outgoing::is_full`]
    /// then asks the caller to bring no more for now.
    pub fn push_output(&mut self, bytes: &[u8], room: &Arc<Room>) {
        if !matches!(self.rest.back(), Some(Piece::Spooled { .. })) {
            if self.in_memory() + bytes.len() <= MEMORY || self.spooled() >= room.share() {
                return self.bytes().extend_from_slice(bytes);
            }
            if let Ok(file) = SpoolFile::create(room) {
                self.rest.push_back(Piece::Spooled { file, next: 0 });
            }
        }
        let has_share = self.spooled() < room.share();
        let kept = match self.rest.back_mut() {
            Some(Piece::Spooled { file, .. }) if has_share => file.append(bytes).is_ok(),
            _ => false,
        };
        if !kept {
            self.bytes().extend_from_slice(bytes);
        }
    }

    /// Sends output of a program, at most [`PARTS`] parts, from where it lies, behind what is in memory;
    /// what the peer does not take is pushed.
    ///
    /// Where the connection is beyond use all of it is, and the next flush tells.
    pub fn pass_output(&mut self, parts: &[&[u8]], stream: &Stream, room: &Arc<Room>) {
        let mut taken = match self.rest.is_empty() && !self.blocked {
            true => self.pass(parts, stream).unwrap_or(0),
            false => 0,
        };
        for part in parts {
            let skipped = taken.min(part.len());
            taken -= skipped;
            if skipped < part.len() {
                self.push_output(&part[skipped..], room);
            }
        }
    }

    /// Sends what is in memory and then `parts`, in one call; returns how much of these was sent.
    fn pass(&mut self, parts: &[&[u8]], stream: &Stream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); PARTS + 1];
        slices[0] = IoSlice::new(&self.front[self.front_sent..]);
        for (slice, part) in slices[1..].iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
        }
        let slices = &slices[..=parts.len()];
        let len: usize = slices.iter().map(|slice| slice.len()).sum();
        let front_len = slices[0].len();
        let sent = stream.write_parts(slices)?.unwrap_or(0);
        self.sent += sent as u64;
        self.blocked = sent < len;
        if sent < front_len {
            self.front_sent += sent;
            return Ok(0);
        }
        self.front.clear();
        self.front_sent = 0;
        Ok(sent - front_len)
    }

    /// Sends what is in memory, and behind it `len` bytes that lie in a pipe, without copying these;
    /// returns how many of them. Only where [`Outgoing::has_bulk`] says no.
    pub fn splice(&mut self, pipe: impl AsFd, len: usize, stream: &Stream) -> io::Result<usize> {
        let mut spliced = 0;
        if self.send_front(stream, More::Follows)? {
            spliced = stream.splice(pipe, len)?.unwrap_or(0);
            self.sent += spliced as u64;
        }
        self.blocked = spliced < len;
        Ok(spliced)
    }

    /// Moves what is in memory to a spool file, if it is more than memory is meant for and nothing
    /// else is pending.
    pub fn spill(&mut self, room: &Arc<Room>) {
        if self.in_memory() <= MEMORY || !self.rest.is_empty() {
            return;
        }
        let front = std::mem::take(&mut self.front);
        let unsent = self.front_sent;
        self.front_sent = 0;
        let spooled = SpoolFile::create(room).and_then(|mut file| {
            file.append(&front[unsent..])?;
            Ok(file)
        });
        match spooled {
            Ok(file) => self.rest.push_back(Piece::Spooled { file, next: 0 }),
            Err(_) => {
                self.front = front;
                self.front_sent = unsent;
            }
        }
    }

    /// Whether more lies in memory than is meant to: a program should not be read from now.
    pub fn is_full(&self) -> bool {
        self.in_memory() > MEMORY
    }

    /// Whether the peer took no more when it was last tried. Until then what is pushed may well leave at
    /// once, and belongs in memory.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether the next turn has to wait for a disk, as far as the system tells.
    pub fn comes_from_disk(&self) -> bool {
        let mut files = self.rest.iter().filter_map(Piece::range);
        files.next().is_some_and(|(file, next, end)| {
            let end = end.min(next + TURN);
            // What lies between was read with them.
            end - next >= LONG && ![next, end - 1].iter().all(|at| is_in_memory(file, *at))
        })
    }

    /// Whether everything was sent.
    pub fn is_empty(&self) -> bool {
        self.front_sent == self.front.len() && self.rest.is_empty()
    }

    /// Whether a file or something else beside bytes of this queue's own is to be sent.
    pub fn has_bulk(&self) -> bool {
        !self.rest.is_empty()
    }

    /// How many bytes were sent since this queue was made.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How many bytes are still to be sent.
    pub fn unsent(&self) -> u64 {
        let front = self.front.len() - self.front_sent;
        front as u64 + self.rest.iter().map(Piece::unsent).sum::<u64>()
    }

    /// How many unsent bytes lie in memory of this queue's own.
    pub fn in_memory(&self) -> usize {
        let rest: usize = self.rest.iter().map(Piece::in_memory).sum();
        self.front.len() - self.front_sent + rest
    }

    /// How many bytes the spool files of this queue are long.
    fn spooled(&self) -> u64 {
        let len = |piece: &Piece| match piece {
            Piece::Spooled { file, .. } => file.len(),
            _ => 0,
        };
        self.rest.iter().map(len).sum()
    }

    /// Puts another buffer in the place of the (empty) first one, and returns that.
    pub fn swap_buffer(&mut self, buffer: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.front, buffer)
    }

    /// Sends until everything is gone, the peer takes no more, or the turn is over.
    ///
    /// Errors: the connection is beyond use, or a file is shorter than was pushed (`UnexpectedEof`).
    pub fn flush(&mut self, stream: &Stream) -> io::Result<Flushed> {
        let flushed = self.send(stream)?;
        self.blocked = flushed == Flushed::Blocked;
        Ok(flushed)
    }

    /// Sends the first bytes; false when the peer does not take them all.
    fn send_front(&mut self, stream: &Stream, more: More) -> io::Result<bool> {
        let unsent = &self.front[self.front_sent..];
        if !unsent.is_empty() {
            let len = unsent.len();
            let sent = stream.write(unsent, more)?.unwrap_or(0);
            self.front_sent += sent;
            self.sent += sent as u64;
            // A short write to a stream socket has filled it (epoll(7)).
            if sent < len {
                return Ok(false);
            }
        }
        self.front.clear();
        self.front_sent = 0;
        Ok(true)
    }

    fn send(&mut self, stream: &Stream) -> io::Result<Flushed> {
        let before = self.sent;
        let more = if self.rest.is_empty() {
            More::No
        } else {
            More::Follows
        };
        if !self.send_front(stream, more)? {
            return Ok(Flushed::Blocked);
        }
        while !self.rest.is_empty() {
            let more = if self.rest.len() > 1 {
                More::Follows
            } else {
                More::No
            };
            let Some(piece) = self.rest.front_mut() else {
                break;
            };
            match piece.send(stream, more)? {
                Some(sent) => self.sent += sent,
                None => return Ok(Flushed::Blocked),
            }
            if piece.unsent() == 0 {
                self.rest.pop_front();
            }
            if self.sent - before >= TURN && !self.rest.is_empty() {
                return Ok(Flushed::Turn);
            }
        }
        Ok(Flushed::All)
    }
}

impl Piece {
    /// Sends some of the piece once.
    fn send(&mut self, stream: &Stream, more: More) -> io::Result<Option<u64>> {
        match self {
            Piece::Bytes { bytes, sent } => {
                let step = stream.write(&bytes[*sent..], more)?;
                *sent += step.unwrap_or(0);
                Ok(step.map(|n| n as u64))
            }
            Piece::Shared { bytes, sent } => {
                let step = stream.write(&bytes[*sent..], more)?;
                *sent += step.unwrap_or(0);
                Ok(step.map(|n| n as u64))
            }
            Piece::File { file, next, end } => send_range(stream, file, next, *end),
            Piece::Spooled { file, next } => {
                let end = file.len();
                send_range(stream, file.file(), next, end)
            }
        }
    }

    fn unsent(&self) -> u64 {
        match self {
            Piece::Bytes { bytes, sent } => (bytes.len() - sent) as u64,
            Piece::Shared { bytes, sent } => (bytes.len() - sent) as u64,
            Piece::File { next, end, .. } => end - next,
            Piece::Spooled { file, next } => file.len() - next,
        }
    }

    /// What is sent of which file.
    fn range(&self) -> Option<(&File, u64, u64)> {
        match self {
            Piece::File { file, next, end } => Some((file, *next, *end)),
            Piece::Spooled { file, next } => Some((file.file(), *next, file.len())),
            _ => None,
        }
    }

    fn in_memory(&self) -> usize {
        match self {
            Piece::Bytes { bytes, sent } => bytes.len() - sent,
            _ => 0,
        }
    }
}

/// Whether the byte of a file at this place could be read without waiting for a disk (Linux 4.14).
fn is_in_memory(file: &File, at: u64) -> bool {
    let mut byte = [0];
    let mut room = [IoSliceMut::new(&mut byte)];
    preadv2(file, &mut room, at, ReadWriteFlags::NOWAIT).is_ok()
}

fn send_range(stream: &Stream, file: &File, next: &mut u64, end: u64) -> io::Result<Option<u64>> {
    let len = (end - *next).min(SENDFILE);
    if len == 0 {
        return Ok(Some(0));
    }
    // At most SENDFILE, which fits any usize.
    match stream.send_file(file, next, len as usize)? {
        Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Some(sent) => Ok(Some(sent as u64)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
