//! The kinds of resource: one file each.

use std::fs::File;
use std::sync::Arc;

use crate::proto::Reason;
use crate::proto::http::response::ResponseHead;

pub mod admission;
#[cfg(feature = "auth")]
pub mod auth;
pub mod cache;
pub mod cgi;
pub mod diagnose;
pub mod error_page;
#[cfg(feature = "fastcgi")]
pub mod fastcgi;
pub mod handover;
pub mod html;
#[cfg(feature = "explain")]
pub mod lint;
pub mod listing;
pub mod mime;
pub mod pace;
pub mod reply;
pub mod report;
pub mod representation;
pub mod script;
pub mod site;
pub mod static_file;
pub mod stderr;
#[cfg(test)]
pub(crate) mod testing;

/// A whole answer that needs no program: what a file, a redirect or an error gives.
#[derive(Debug)]
pub struct Response {
    /// Status and fields, without those of framing and connection.
    pub head: ResponseHead,
    /// What follows the head. For HEAD the body is given all the same; the connection leaves it out.
    pub body: Body,
    /// Why this is not the plain answer, for the log.
    pub reason: Option<Reason>,
}

impl Response {
    /// A bare answer with the status of `reason`: fields and a page may be added.
    pub fn refused(reason: Reason) -> Response {
        let head = ResponseHead::new(reason.status());
        Response {
            head,
            body: Body::Empty,
            reason: Some(reason),
        }
    }
}

/// The content of a [`Response`].
#[derive(Debug)]
pub enum Body {
    /// No content (Content-Length 0, or none for 204 and 304).
    Empty,
    /// Bytes made for this answer.
    Bytes(Vec<u8>),
    /// Content shared with the cache.
    Shared(Arc<[u8]>),
    /// `len` bytes of a file from `first`.
    File {
        /// The open file.
        file: Arc<File>,
        /// The offset of the first byte.
        first: u64,
        /// How many bytes.
        len: u64,
    },
    /// Several pieces after one another (multipart/byteranges).
    Parts(Vec<Body>),
}

impl Body {
    /// How many bytes it is long.
    pub fn len(&self) -> u64 {
        match self {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Shared(bytes) => bytes.len() as u64,
            Body::File { len, .. } => *len,
            Body::Parts(parts) => parts.iter().map(Body::len).sum(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
