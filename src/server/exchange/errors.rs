//! What a client is told when its request cannot be answered as it wished.

use crate::handler::Response;
use crate::handler::error_page::{self, Form, Frame};
use crate::handler::site::Site;
use crate::proto::Reason;
use crate::proto::finding::Finding;
use crate::proto::http::head::RequestHead;
use crate::proto::http::negotiate::prefers_html;

/// What a client that finds everyone busy is told to wait, in seconds.
const RETRY_AFTER: &str = "2";

/// What a server of files and programs understands, for OPTIONS and refused methods.
pub(super) const ALLOWED: &str = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";

/// Fields by which a request shows that a proxy has passed it on.
const BY_PROXY: [&str; 6] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// Whether a field of this name is one that a proxy adds.
pub(super) fn is_by_proxy(name: &str) -> bool {
    /// What the names of many begin with: X-Forwarded-For, -Host, -Proto, -Server and others.
    const BEGINNING: &[u8] = b"x-forwarded-";
    let beginning = name.as_bytes().get(..BEGINNING.len());
    beginning.is_some_and(|it| it.eq_ignore_ascii_case(BEGINNING))
        || BY_PROXY.iter().any(|it| name.eq_ignore_ascii_case(it))
}

pub(super) fn error_response(
    site: Option<&Site>,
    head: &RequestHead,
    reason: Reason,
    id: &str,
    now: u64,
    finding: Option<&Finding>,
    times: &[(&'static str, u64)],
) -> Response {
    let frame = Frame {
        times,
        ..frame(site, head, id, now, finding)
    };
    let mut response = error_page::error_response(reason, &frame);
    match reason {
        Reason::AuthBusy
        | Reason::CgiBusy
        | Reason::FastcgiBusy
        | Reason::FastcgiDown
        | Reason::FastcgiOverloaded => response.head.field("Retry-After", RETRY_AFTER),
        Reason::MethodRefused => response.head.field("Allow", ALLOWED),
        _ => {}
    }
    response
}

pub(super) fn frame<'f>(
    site: Option<&'f Site>,
    head: &RequestHead,
    id: &'f str,
    now: u64,
    finding: Option<&'f Finding>,
) -> Frame<'f> {
    Frame {
        request_id: id,
        form: if prefers_html(head.field("accept")) {
            Form::Html
        } else {
            Form::Text
        },
        site: site.and_then(|site| Some((site.document_root()?, &*site.cache))),
        now,
        finding,
        times: &[],
    }
}
