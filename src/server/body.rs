//! Receives a request body whole, into a spool or nowhere (RFC 9112 sections 6 and 7).
//!
//! Rules: nothing is handed on before the body is whole, so a program's CONTENT_LENGTH is always
//! right. A body that nobody wants is received only while it is short, to keep the connection; a body
//! that is too long is refused as early as its length is known.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use crate::handler::pace::Pace;
use crate::proto::Reason;
use crate::proto::http::chunked::{ChunkedDecoder, Step};
use crate::proto::http::framing::{Expectation, Framing};
use crate::proto::http::response::CONTINUE;
use crate::sys::clock::Moment;
use crate::sys::spool::{Room, Spool};

/// How much of a body that nobody wants is read to keep the connection.
const DRAINED_MAX: u64 = 64 << 10;

/// The window of a client's least rate while it sends a body.
const BODY_WINDOW: Duration = Duration::from_secs(10);

/// How much is read at a time. Files take large pieces better: 10 MiB cost 6 % less than with 64 KiB.
const READ_LEN: usize = 256 << 10;

/// What is to be done with a request's body.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// How it is framed.
    pub framing: Framing,
    /// Whether the client waits to be asked for it.
    pub expectation: Expectation,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A program reads it.
    Kept,
    /// Nobody does.
    Dropped,
}

/// A body on its way in.
#[derive(Debug)]
pub struct BodyState {
    decoder: Decoder,
    spool: Option<Spool>,
    asked_for: bool,
    len: u64,
    max: u64,
    received: u64,
    pace: Pace,
}

#[derive(Debug)]
enum Decoder {
    Length { left: u64 },
    Chunked(ChunkedDecoder),
}

impl Decoder {
    /// How much more of the body is announced beyond what [`Wanted::is_longer_than`] knew: the rest of a
    /// chunk.
    fn announced(&self) -> u64 {
        match self {
            Decoder::Length { .. } => 0,
            Decoder::Chunked(decoder) => decoder.announced(),
        }
    }
}

/// What some input brought.
#[derive(Debug)]
pub enum Received {
    /// More is to come.
    Some {
        /// How many bytes of the input were used.
        used: usize,
    },
    /// The body is whole.
    All {
        /// How many bytes of the input were used.
        used: usize,
        /// The body, unless nobody wants it.
        spool: Option<Spool>,
    },
    /// More was sent than is worth reading for nobody.
    Enough,
}

impl Wanted {
    /// Whether it is known to be longer than a body that is kept may be.
    pub fn is_longer_than(&self, max_body: u64) -> bool {
        match (self.fate, self.framing) {
            (Fate::Kept, Framing::Length(len)) => len > max_body,
            _ => false,
        }
    }
}

impl BodyState {
    /// The state before the first byte; `None` where there is no body to receive, or none worth it:
    /// then what the client sends is left unread. A body that is kept may be `max_body` bytes long, and
    /// is spooled in `room`.
    pub fn new(wanted: Wanted, max_body: u64, room: &Arc<Room>, now: Moment) -> Option<BodyState> {
        let max = match wanted.fate {
            Fate::Kept => max_body,
            Fate::Dropped => DRAINED_MAX,
        };
        let decoder = match (wanted.framing, wanted.fate) {
            (Framing::None, _) => return None,
            (Framing::Length(len), Fate::Dropped) if len > max => return None,
            (Framing::Length(len), _) => Decoder::Length { left: len },
            (Framing::Chunked, _) => Decoder::Chunked(ChunkedDecoder::default()),
        };
        if wanted.fate == Fate::Dropped
            && wanted.expectation == Expectation::Continue
            && wanted.framing != Framing::Length(0)
        {
            return None;
        }
        Some(BodyState {
            decoder,
            spool: (wanted.fate == Fate::Kept).then(|| Spool::new(room)),
            asked_for: wanted.expectation == Expectation::Continue,
            len: 0,
            max,
            received: 0,
            pace: Pace::start(BODY_WINDOW, now, 0),
        })
    }

    /// Whether the client waits for 100 Continue.
    pub fn is_asked_for(&self) -> bool {
        self.asked_for
    }

    /// Writes 100 Continue.
    pub fn ask(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(CONTINUE);
    }

    /// When the present window of the least rate ends.
    pub fn deadline(&self) -> Moment {
        self.pace.ends()
    }

    /// Takes notice of the time after progress; returns the deadline.
    pub fn advance(&mut self, now: Moment) -> Moment {
        self.pace.advance(now, self.received)
    }

    /// How much room to give the next read.
    pub fn read_len(&self) -> usize {
        match self.decoder {
            // At most READ_LEN. With less to come, a request behind it may come along.
            Decoder::Length { left } => left.min(READ_LEN as u64).max(512) as usize,
            Decoder::Chunked(_) => READ_LEN,
        }
    }

    /// Takes what belongs to the body from the beginning of `input`.
    pub fn take(&mut self, input: &[u8]) -> Result<Received, Reason> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let (data, step, is_whole) = match &mut self.decoder {
                Decoder::Length { left } => {
                    // At most the length of a slice.
                    let len = (rest.len() as u64).min(*left) as usize;
                    *left -= len as u64;
                    (&rest[..len], len, *left == 0)
                }
                Decoder::Chunked(decoder) => match decoder.step(rest)? {
                    Step::Data { bytes, used } => (bytes, used, false),
                    Step::Partial { used } => (&rest[..0], used, false),
                    Step::End { used } => (&rest[..0], used, true),
                },
            };
            used += step;
            self.received += step as u64;
            self.len += data.len() as u64;
            if self.len.saturating_add(self.decoder.announced()) > self.max {
                return match self.spool {
                    Some(_) => Err(Reason::BodyTooLong),
                    None => Ok(Received::Enough),
                };
            }
            self.keep(data)?;
            if is_whole {
                return Ok(Received::All {
                    used,
                    spool: self.spool.take(),
                });
            }
            if used == input.len() {
                return Ok(Received::Some { used });
            }
        }
    }

    fn keep(&mut self, data: &[u8]) -> Result<(), Reason> {
        match &mut self.spool {
            Some(spool) => spool.append(data).map_err(|error| {
                log::error!("a request body cannot be spooled: {error}");
                match error.kind() {
                    // The disk or --max-spool, what this user may have of it, the longest file.
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                        Reason::SpoolFull
                    }
                    _ => Reason::SpoolFailed,
                }
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
