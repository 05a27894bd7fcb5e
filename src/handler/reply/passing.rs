//! How a body reaches the client that comes piece by piece: from where it lies, if it is much.
//!
//! Shape: parts that lie in memory leave together with what frames them, in one call; bytes that lie in
//! a pipe are not copied at all (splice(2)). Rules: nothing overtakes what is queued. What the client
//! does not take at once goes into the queue; what lies in a pipe stays there, and its chunk is owed the
//! rest.

use std::io;
use std::os::fd::AsFd;

use super::{COPIED_MAX, Progress, Reply};
use crate::proto::http::chunked::{CHUNK_END, CHUNK_SIZE_LEN, encode_chunk_size};
use crate::proto::http::response::BodyPlan;
use crate::sys::outgoing::PARTS;

impl Reply<'_> {
    /// Whether a chunk was begun that is owed more bytes.
    pub fn owes(&self) -> bool {
        let plan = BodyPlan::Chunked;
        matches!(self.draft.progress, Progress::Open { plan: owing, left: 1.. } if owing == plan)
    }

    /// Whether bytes of the body can go from a pipe to the client, without a copy.
    pub fn can_splice(&self) -> bool {
        let is_wanted = matches!(
            self.draft.progress,
            Progress::Open {
                plan: BodyPlan::Length(_),
                left: 1..,
            } | Progress::Open {
                plan: BodyPlan::Chunked | BodyPlan::UntilClose,
                ..
            } | Progress::Raw
        );
        is_wanted && !self.outgoing.has_bulk() && !self.outgoing.is_blocked()
    }

    /// Sends the next bytes of the body, `len` of which lie in a pipe; returns how many the client has
    /// taken. The others are given in whatever way, once they are.
    pub fn splice(&mut self, pipe: impl AsFd, len: usize) -> io::Result<usize> {
        let mut wanted = len;
        if let Progress::Open { plan, left } = &mut self.draft.progress {
            match plan {
                BodyPlan::Chunked if *left == 0 => {
                    *left = len as u64;
                    let mut size = [0; CHUNK_SIZE_LEN];
                    let size = encode_chunk_size(&mut size, *left);
                    self.outgoing.bytes().extend_from_slice(size);
                }
                // At most the length of what lies in a pipe.
                BodyPlan::Chunked | BodyPlan::Length(_) => {
                    wanted = (len as u64).min(*left) as usize;
                }
                _ => {}
            }
        }
        let taken = self.outgoing.splice(pipe, wanted, self.stream)?;
        self.draft.body_len += taken as u64;
        if let Progress::Open { plan, left } = &mut self.draft.progress {
            *left = left.saturating_sub(taken as u64);
            if *plan == BodyPlan::Chunked && *left == 0 {
                self.outgoing.bytes().extend_from_slice(CHUNK_END);
            }
        }
        Ok(taken)
    }

    pub(super) fn send_chunk(&mut self, parts: &[&[u8]], len: usize) {
        if len == 0 {
            return; // An empty chunk would be the last one.
        }
        let mut size = [0; CHUNK_SIZE_LEN];
        let size = encode_chunk_size(&mut size, len as u64);
        let mut framed: [&[u8]; PARTS] = [b""; PARTS];
        framed[0] = size;
        framed[1..=parts.len()].copy_from_slice(parts);
        framed[1 + parts.len()] = CHUNK_END;
        self.draft.body_len += len as u64;
        self.pass(&framed[..parts.len() + 2], len);
    }

    pub(super) fn send(&mut self, parts: &[&[u8]], len: usize) {
        self.draft.body_len += len as u64;
        self.pass(parts, len);
    }

    /// Sends much from where it lies; gathers what is little, for the next flush.
    pub(super) fn pass(&mut self, parts: &[&[u8]], len: usize) {
        if self.outgoing.is_blocked() || len > COPIED_MAX {
            self.outgoing.pass_output(parts, self.stream, self.room);
        } else {
            let out = self.outgoing.bytes();
            parts.iter().for_each(|part| out.extend_from_slice(part));
        }
    }
}

/// The first `len` bytes of these parts, and the others.
pub(super) fn split<'p>(parts: &[&'p [u8]], len: usize) -> (Vec<&'p [u8]>, Vec<&'p [u8]>) {
    let mut left = len;
    let cut = |part: &&'p [u8]| {
        let (first, rest) = part.split_at(left.min(part.len()));
        left -= first.len();
        (first, rest)
    };
    parts.iter().map(cut).unzip()
}
