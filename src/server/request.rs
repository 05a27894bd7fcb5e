//! A request whose head is in order, and what is to become of its body.
//!
//! Shape: [`Request::read`] finds a head in order or refuses it; [`body_wanted`] looks up who would
//! read its body. Rules: a request is refused for its framing, its target and its Host before anything
//! is looked up.

use super::Server;
use super::body::{Fate, Wanted};
use crate::handler::site::Resource;
use crate::proto::Reason;
use crate::proto::http::framing::{self, Expectation, Framing};
use crate::proto::http::head::RequestHead;
use crate::proto::http::host::{Authority, request_authority};
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::target::{Form, Target};

/// A request whose head was found in order.
#[derive(Debug)]
pub struct Request<'h> {
    pub(super) head: &'h RequestHead,
    pub(super) target: Target<'h>,
    pub(super) authority: Option<Authority<'h>>,
    pub(super) framing: Framing,
    pub(super) expectation: Expectation,
}

impl<'h> Request<'h> {
    /// Checks what a head says about the message and where it is directed.
    pub fn read(head: &'h RequestHead) -> Result<Request<'h>, Reason> {
        let framing = framing::request_body(head)?;
        let target = Target::parse(head.method(), head.target())?;
        let authority = request_authority(head, target.authority)?;
        let expectation = framing::expectation(head)?;
        Ok(Request {
            head,
            target,
            authority,
            framing,
            expectation,
        })
    }

    /// Whether the whole server is meant, or a method that it does not offer: no path is looked at.
    pub(super) fn is_pathless(&self) -> bool {
        let method = self.head.method();
        method == "TRACE" || method == "CONNECT" || self.target.form == Form::Asterisk
    }
}

/// Says what is to be done with the body of a request; `None` when it has none.
pub fn body_wanted(request: &Request<'_>, server: &Server) -> Result<Option<Wanted>, Reason> {
    if request.framing == Framing::None {
        return Ok(None);
    }
    let is_script = !request.is_pathless()
        && matches!(
            UrlPath::decode(request.target.path).and_then(|path| {
                server
                    .site
                    .resolve(&path)
                    .map(|found| matches!(found, Resource::Script(_)))
            }),
            Ok(true)
        );
    let fate = if is_script { Fate::Kept } else { Fate::Dropped };
    if let (Fate::Kept, Framing::Length(len)) = (fate, request.framing)
        && len > server.settings.max_body
    {
        return Err(Reason::BodyTooLong);
    }
    let Request {
        framing,
        expectation,
        ..
    } = *request;
    Ok(Some(Wanted {
        framing,
        expectation,
        fate,
    }))
}
