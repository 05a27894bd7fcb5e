//! Writes one response: the only way from a handler to the client.
//!
//! Shape: a handler either gives a whole [`Response`], or begins a response and pushes its body as it
//! comes; `proto::http::response` decides the framing. Rules:
//! - **Adaptive**: a body of unknown length is held back for a moment. If it ends while it is short it
//!   gets a Content-Length; if it grows, or its source goes quiet, it is sent on at once in chunks (or
//!   until close, for HTTP/1.0).
//! - Nothing here waits. What the client cannot take yet stays in the [`Outgoing`] queue, which keeps
//!   it in memory or on disk within bounds.
//! - A response that is not whole never looks whole: no last chunk, fewer bytes than announced, or a
//!   reset where the end of the connection is the end of the body.

mod passing;

use std::io;
use std::sync::Arc;

use self::passing::split;
use super::{Body, Response};
use crate::proto::Reason;
use crate::proto::http::chunked::{CHUNK_END, LAST_CHUNK};
use crate::proto::http::head::Version;
use crate::proto::http::response::{BodyPlan, Connection, ResponseHead, encode_head};
use crate::proto::http::status::StatusCode;
use crate::sys::outgoing::{Flushed, Outgoing, PARTS};
use crate::sys::spool::Room;
use crate::sys::stream::{Stream, is_of_peer};

/// How much of a body of unknown length is held back in the hope of its end.
const HELD_MAX: usize = 16 << 10;

/// A file of up to this size is copied behind its head, so that both leave in one call.
const COPIED_MAX: usize = 16 << 10;

/// How many parts of a body are given at once.
pub const BODY_PARTS: usize = PARTS - 2;

/// What the request and the server decide about the response's head.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    /// The request's version.
    pub version: Version,
    /// Whether the request is HEAD, which gets no body.
    pub is_head: bool,
    /// What the Connection field is to say.
    pub connection: Connection,
    /// The Date field's value.
    pub date: [u8; 29],
}

/// How far the response is.
#[derive(Debug)]
enum Progress {
    /// Nothing was given yet.
    Unbegun,
    /// Head and first bytes are held back.
    Held { head: ResponseHead, body: Vec<u8> },
    /// The head is on its way; `left` of an announced length, or of a chunk, are still to come.
    Open { plan: BodyPlan, left: u64 },
    /// A program writes the response itself, head and all.
    Raw,
    /// Nothing more is to come.
    Ended,
}

/// What became of an announced length at the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The body is as long as announced, or nothing was announced.
    Whole,
    /// Bytes are missing; the client will see it.
    Short,
}

/// How far a response is, apart from the connection that it goes to: what a parked one is kept as.
#[derive(Debug)]
pub struct Draft {
    envelope: Envelope,
    progress: Progress,
    status: Option<StatusCode>,
    body_len: u64,
    excess: bool,
    closes: bool,
    /// The head as it was given to the client, where somebody wants to know.
    head: Option<Vec<u8>>,
}

impl Draft {
    /// A response of which nothing was given yet.
    pub fn new(envelope: Envelope) -> Draft {
        Draft {
            closes: envelope.connection == Connection::Close,
            envelope,
            progress: Progress::Unbegun,
            status: None,
            body_len: 0,
            excess: false,
            head: None,
        }
    }

    /// Has the head of the response be kept, in this memory.
    pub fn keep_head(&mut self, memory: Vec<u8>) {
        self.head = Some(memory);
    }
}

/// The writer of one response.
#[derive(Debug)]
pub struct Reply<'c> {
    stream: &'c Stream,
    outgoing: &'c mut Outgoing,
    room: &'c Arc<Room>,
    draft: Draft,
}

impl<'c> Reply<'c> {
    /// A writer that goes on with the response to one request.
    pub fn new(
        stream: &'c Stream,
        outgoing: &'c mut Outgoing,
        room: &'c Arc<Room>,
        draft: Draft,
    ) -> Reply<'c> {
        Reply {
            stream,
            outgoing,
            room,
            draft,
        }
    }

    /// Leaves off, to go on with what this returns.
    pub fn suspend(self) -> Draft {
        self.draft
    }

    /// The connection, to be watched.
    pub fn stream(&self) -> &'c Stream {
        self.stream
    }

    /// The status of the response, once it was begun.
    pub fn status(&self) -> Option<StatusCode> {
        self.draft.status
    }

    /// The head of the response, where it is kept and was begun.
    pub fn take_head(&mut self) -> Option<Vec<u8>> {
        self.draft.head.take()
    }

    /// How many bytes of body were given to the client or queued for it.
    pub fn body_len(&self) -> u64 {
        self.draft.body_len
    }

    /// Whether the connection has to close after this response.
    pub fn closes(&self) -> bool {
        self.draft.closes
    }

    /// Has the connection close after this response, which tells the client so if it is not begun.
    pub fn close(&mut self) {
        self.draft.closes = true;
    }

    /// Whether more came than was announced, which was dropped.
    pub fn has_excess(&self) -> bool {
        self.draft.excess
    }

    /// How many bytes the client was sent on this connection so far.
    pub fn sent(&self) -> u64 {
        self.outgoing.sent()
    }

    /// Whether anything was begun that another response can no longer replace.
    pub fn is_begun(&self) -> bool {
        !matches!(self.draft.progress, Progress::Unbegun)
    }

    /// Whether the first bytes are being held back.
    pub fn is_held(&self) -> bool {
        matches!(self.draft.progress, Progress::Held { .. })
    }

    /// Whether everything that was given is sent.
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Whether the client took no more when it was last tried.
    pub fn is_blocked(&self) -> bool {
        self.outgoing.is_blocked()
    }

    /// Whether so much is unsent that the source should wait.
    pub fn is_full(&self) -> bool {
        self.outgoing.is_full()
    }

    /// Takes back a response of which nothing has been given but the head, and that not sent; false where that
    /// cannot be done.
    pub fn take_back(&mut self) -> bool {
        let is_bare =
            matches!(&self.draft.progress, Progress::Held { body, .. } if body.is_empty());
        if is_bare {
            self.draft.progress = Progress::Unbegun;
            self.draft.status = None;
        }
        is_bare
    }

    /// Gives a whole response. Nothing is sent before [`Reply::flush`].
    pub fn respond(&mut self, response: Response) {
        let plan = self.open(&response.head, Some(response.body.len()));
        self.draft.progress = Progress::Ended;
        if !matches!(plan, BodyPlan::Empty | BodyPlan::Omitted(_)) {
            self.draft.body_len = response.body.len();
            push_body(self.outgoing, response.body);
        }
    }

    /// Begins a response whose body is pushed afterwards.
    pub fn begin(&mut self, head: ResponseHead, content_length: Option<u64>) {
        // RFC 9110 section 15.3.6: what a program prints behind it is dropped.
        let content_length = match head.status {
            StatusCode::RESET_CONTENT => Some(0),
            _ => content_length,
        };
        if content_length.is_some() || self.draft.envelope.is_head || !head.status.has_body() {
            let plan = self.open(&head, content_length);
            self.draft.progress = Progress::Open {
                plan,
                left: content_length.unwrap_or(0),
            };
        } else {
            self.draft.status = Some(head.status);
            self.draft.progress = Progress::Held {
                head,
                body: Vec::new(),
            };
        }
    }

    /// Begins a response that its source writes itself, head and all; the connection closes after it.
    pub fn begin_raw(&mut self) {
        self.draft.closes = true;
        self.draft.progress = Progress::Raw;
    }

    /// Gives the next bytes of the body, which may be sent at once.
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_parts(&[bytes]);
    }

    /// Gives the next bytes of the body as they lie in memory, in [`BODY_PARTS`] parts at most.
    pub fn push_parts(&mut self, parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        match &mut self.draft.progress {
            Progress::Held { body, .. } if body.len() + len <= HELD_MAX => {
                parts.iter().for_each(|part| body.extend_from_slice(part));
            }
            Progress::Held { .. } => {
                self.release();
                self.push_parts(parts);
            }
            Progress::Open {
                plan: BodyPlan::Length(_),
                left,
            } => {
                // At most the length of what is in memory.
                let taken = (len as u64).min(*left) as usize;
                *left -= taken as u64;
                self.draft.excess |= taken < len;
                match taken == len {
                    true => self.send(parts, len),
                    false => self.send(&split(parts, taken).0, taken),
                }
            }
            Progress::Open {
                plan: BodyPlan::Chunked,
                left: 0,
            } => self.send_chunk(parts, len),
            Progress::Open {
                plan: BodyPlan::Chunked,
                left,
            } => {
                // The rest of a chunk comes first.
                let taken = (len as u64).min(*left) as usize;
                *left -= taken as u64;
                let is_whole = *left == 0;
                let (rest, parts) = split(parts, taken);
                self.send(&rest, taken);
                if is_whole {
                    self.pass(&[CHUNK_END], CHUNK_END.len());
                    self.push_parts(&parts);
                }
            }
            Progress::Open {
                plan: BodyPlan::UntilClose,
                ..
            }
            | Progress::Raw => self.send(parts, len),
            Progress::Open { .. } | Progress::Unbegun | Progress::Ended => {}
        }
    }

    /// Sends on what is held back: its source went quiet.
    pub fn release(&mut self) {
        match std::mem::replace(&mut self.draft.progress, Progress::Ended) {
            Progress::Held { head, body } => {
                let plan = self.open(&head, None);
                self.draft.progress = Progress::Open { plan, left: 0 };
                if !body.is_empty() {
                    self.push(&body);
                }
            }
            other => self.draft.progress = other,
        }
    }

    /// Ends the body.
    pub fn finish(&mut self) -> Ending {
        match std::mem::replace(&mut self.draft.progress, Progress::Ended) {
            Progress::Held { head, body } => {
                self.open(&head, Some(body.len() as u64));
                self.draft.body_len = body.len() as u64;
                self.outgoing.bytes().extend_from_slice(&body);
            }
            Progress::Open {
                plan: BodyPlan::Chunked,
                left: 0,
            } => {
                self.outgoing.push_output(LAST_CHUNK, self.room);
            }
            Progress::Open {
                plan: BodyPlan::Length(_) | BodyPlan::Chunked,
                left: 1..,
            } => {
                self.draft.closes = true;
                return Ending::Short;
            }
            _ => {}
        }
        Ending::Whole
    }

    /// Ends the response without its being whole, in a way that the client can tell.
    pub fn cut(&mut self) {
        self.release();
        self.draft.closes = true;
        if let Progress::Open {
            plan: BodyPlan::UntilClose,
            ..
        }
        | Progress::Raw = self.draft.progress
        {
            // A connection that is gone anyway needs no reset.
            let _ = self.stream.reset_on_close();
        }
        self.draft.progress = Progress::Ended;
    }

    /// Shows a client whose connection closes after this response, all of which is sent, its end now:
    /// it may be the end of the body.
    pub fn end_stream(&mut self) {
        if self.draft.closes {
            // A connection that is gone has ended.
            let _ = self.stream.end_writing();
        }
    }

    /// Ends the response to a client that is given up: what it did not take is dropped, and the memory
    /// and disk that held it are free at once.
    pub fn abandon(&mut self) {
        *self.outgoing = Outgoing::default();
        self.draft.closes = true;
        self.draft.progress = Progress::Ended;
        // A connection that is gone anyway needs no reset.
        let _ = self.stream.reset_on_close();
    }

    /// Sends as much as the client takes; of the rest, what is too much for memory goes to disk.
    pub fn flush(&mut self) -> io::Result<Flushed> {
        let flushed = self.outgoing.flush(self.stream)?;
        if flushed == Flushed::Blocked {
            self.outgoing.spill(self.room);
        }
        Ok(flushed)
    }

    /// Why a response cannot go on that could not be sent or spooled.
    pub fn broken(error: &io::Error) -> Reason {
        if is_of_peer(error) {
            return Reason::ClientGone;
        }
        log::error!("a response cannot be sent to its end: {error}");
        Reason::ServerFailed
    }

    /// Encodes the head, and returns how the body is framed.
    fn open(&mut self, head: &ResponseHead, len: Option<u64>) -> BodyPlan {
        let method = if self.draft.envelope.is_head {
            "HEAD"
        } else {
            "GET"
        };
        let plan = BodyPlan::for_response(method, self.draft.envelope.version, head.status, len);
        self.draft.closes |= plan.needs_close();
        let connection = if self.draft.closes {
            Connection::Close
        } else {
            self.draft.envelope.connection
        };
        self.draft.status = Some(head.status);
        let bytes = self.outgoing.bytes();
        let before = bytes.len();
        let date = &self.draft.envelope.date;
        encode_head(bytes, head.as_head_ref(), plan, connection, date);
        if let Some(kept) = &mut self.draft.head {
            kept.clear();
            kept.extend_from_slice(&bytes[before..]);
        }
        plan
    }
}

fn push_body(outgoing: &mut Outgoing, body: Body) {
    match body {
        Body::Empty => {}
        Body::Bytes(bytes) => outgoing.bytes().extend_from_slice(&bytes),
        Body::Shared(bytes) if bytes.len() <= COPIED_MAX => {
            outgoing.bytes().extend_from_slice(&bytes);
        }
        Body::Shared(bytes) => outgoing.push_shared(bytes),
        Body::File { file, first, len } => outgoing.push_file(file, first, len),
        Body::Parts(parts) => parts.into_iter().for_each(|part| push_body(outgoing, part)),
    }
}

#[cfg(test)]
mod tests;
