//! A request whose head is in order, and what is to become of its body.
//!
//! Shape: [`Request::read`] finds a head in order or refuses it; [`body_wanted`] looks up who would
//! read its body. Rules: a request is refused for its framing, its target and its Host before anything
//! is looked up.

use super::body::{Fate, Wanted};
use crate::handler::site::{Resource, Site};
use crate::proto::Reason;
use crate::proto::http::framing::{self, Expectation, Framing};
use crate::proto::http::head::RequestHead;
use crate::proto::http::host::{Authority, request_authority};
use crate::proto::http::persist::{self, Persistence};
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
    pub(super) persistence: Persistence,
}

impl<'h> Request<'h> {
    /// Checks what a head says about the message and where it is directed.
    pub fn read(head: &'h RequestHead) -> Result<Request<'h>, Reason> {
        let framing = framing::request_body(head)?;
        framing::check_connection_options(head)?;
        let target = Target::parse(head.method(), head.target())?;
        let authority = request_authority(head, target.authority)?;
        let expectation = framing::expectation(head)?;
        Ok(Request {
            head,
            target,
            authority,
            framing,
            expectation,
            persistence: persist::of_request(head),
        })
    }

    /// Whether the whole server is meant, or a method that it does not offer: no path is looked at.
    pub(super) fn is_pathless(&self) -> bool {
        let method = self.head.method();
        method == "TRACE" || method == "CONNECT" || self.target.form == Form::Asterisk
    }

    /// Whether a program or an application answers it, which would want its body.
    fn is_for_script(&self, site: &Site) -> bool {
        let Ok(path) = UrlPath::decode(self.target.path) else {
            return false;
        };
        let is_for_file = match site.resolve(&path) {
            // The fallback may be a program.
            Ok(Resource::File(..)) => !site.falls_back(Reason::FileMethod, &path),
            Err(reason) => !site.falls_back(reason, &path),
            Ok(_) => false,
        };
        !self.is_pathless() && !is_for_file
    }
}

/// Whether a door has to let the request through before its body is received, which somebody wants.
#[cfg(feature = "auth")]
pub fn is_behind_door(head: &RequestHead, wanted: &Wanted, site: &Site) -> bool {
    let doors = &site.doors;
    wanted.fate == Fate::Kept
        && !doors.is_empty()
        && Target::parse(head.method(), head.target())
            .and_then(|target| UrlPath::decode(target.path))
            .is_ok_and(|path| !doors.at(&path).is_empty())
}

/// Says what is to be done with the body that a head announces; `None` when it announces none, and
/// the rest of the head is not looked at yet.
pub fn body_wanted(head: &RequestHead, site: &Site) -> Result<Option<Wanted>, Reason> {
    if framing::request_body(head)? == Framing::None {
        return Ok(None);
    }
    let request = Request::read(head)?;
    let fate = match request.is_for_script(site) {
        true => Fate::Kept,
        false => Fate::Dropped,
    };
    let Request {
        framing,
        expectation,
        ..
    } = request;
    Ok(Some(Wanted {
        framing,
        expectation,
        fate,
    }))
}
