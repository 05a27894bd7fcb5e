//! Tells a person what went wrong.
//!
//! Shape: a bare error [`Response`] → the same with a page: `<status>.html` of the default static
//! root where there is one, else a short page of our own, in HTML or plain text.
//! Rules:
//! - A client's fault is explained by the reason's one sentence. A fault of ours is not: what went
//!   wrong inside stands in the log, under the request id that the page shows.
//! - Never stored, since the page shows an id and a fault may be mended any moment.
//! - The fields that the response has (Allow, Content-Range, Retry-After) stay.
//!
//! Not here: which form a client prefers (`proto::http::negotiate`).

use crate::handler::cache::Cache;
use crate::handler::html::{self, escape};
use crate::handler::static_file::{self, StaticRoot};
use crate::handler::{Body, Response};
use crate::proto::Reason;

/// The form of our own page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a browser.
    Html,
    /// For a terminal.
    Text,
}

/// What an error page is made from, beside the error.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The id under which the log has the request.
    pub request_id: &'a str,
    /// The form of our own page.
    pub form: Form,
    /// Where pages that replace ours are looked for.
    pub site: Option<(&'a StaticRoot, &'a Cache)>,
    /// Seconds since the epoch.
    pub now: u64,
}

/// The response to a request that failed for `reason`.
pub fn error_response(reason: Reason, frame: &Frame<'_>) -> Response {
    explain(Response::refused(reason), frame)
}

/// Gives a bare error response a page, whatever its status; a response without a reason, or with a
/// body, stays as it is.
pub fn explain(mut response: Response, frame: &Frame<'_>) -> Response {
    let (Some(reason), Body::Empty) = (response.reason, &response.body) else {
        return response;
    };
    let status = response.head.status;
    let override_page = frame.site.and_then(|(site, cache)| {
        static_file::page(site, cache, &format!("{}.html", status.as_u16()), frame.now)
    });
    response.head.field("Cache-Control", "no-store");
    if let Some(page) = override_page {
        response
            .head
            .field("Content-Type", page.media_type().to_string());
        response.body = page.body();
        return response;
    }
    let title = format!("{} {}", status.as_u16(), status.reason_phrase());
    let sentence = match status.as_u16() {
        400..500 => reason.meaning(),
        _ => "The server could not answer this request. Its log has the cause.",
    };
    let (media_type, page) = match frame.form {
        Form::Html => (
            html::MEDIA_TYPE,
            html_page(&title, sentence, frame.request_id),
        ),
        Form::Text => (
            "text/plain; charset=utf-8",
            text_page(&title, sentence, frame.request_id),
        ),
    };
    response.head.field("Content-Type", media_type);
    response.body = Body::Bytes(page);
    response
}

fn html_page(title: &str, sentence: &str, request_id: &str) -> Vec<u8> {
    let [sentence, request_id] = [sentence, request_id].map(escape);
    html::page(
        title,
        &format!("<p>{sentence}</p>\n<footer>Request {request_id}</footer>\n"),
    )
}

fn text_page(title: &str, sentence: &str, request_id: &str) -> Vec<u8> {
    format!("{title}\n{sentence}\nRequest {request_id}\n").into_bytes()
}

#[cfg(test)]
mod tests;
