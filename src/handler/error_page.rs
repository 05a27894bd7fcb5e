//! Tells a person what went wrong.
//!
//! Shape: a bare error [`Response`] → the same with a page: `<status>.html` of the default static
//! root where there is one, else a short page of our own, in HTML or plain text.
//! Rules:
//! - A client's fault is explained by the reason's one sentence. A fault of ours is not: what went
//!   wrong inside stands in the log, under the request id that the page shows.
//! - Security: a [`Finding`] tells of paths, files and output. Whoever gives one here has made sure that the
//!   client may know it (`--explain`). Then no page of the site's stands in for it.
//! - Never stored, since the page shows an id and a fault may be mended any moment.
//! - The fields that the response has (Allow, Content-Range, Retry-After) stay.
//!
//! Not here: which form a client prefers (`proto::http::negotiate`).

use crate::handler::cache::Cache;
use crate::handler::html::{self, escape};
use crate::handler::static_file::{self, StaticRoot};
use crate::handler::{Body, Response};
use crate::proto::Reason;
use crate::proto::finding::{Evidence, Finding};

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
    /// What was found out, where the client may know it.
    pub finding: Option<&'a Finding>,
    /// What happened when, in microseconds since a program was looked for, where the client may know it.
    pub times: &'a [(&'static str, u64)],
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
    let site = frame.site.filter(|_| frame.finding.is_none());
    let override_page = site.and_then(|(site, cache)| {
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
    let id = frame.request_id;
    let page = match (frame.form, frame.finding) {
        (Form::Html, None) => html_page(&title, sentence, id),
        (Form::Html, Some(finding)) => html_finding(&title, finding, frame.times, id),
        (Form::Text, None) => text_page(&title, sentence, id),
        (Form::Text, Some(finding)) => text_page(&title, finding.text().trim_end(), id),
    };
    let media_type = match frame.form {
        Form::Html => html::MEDIA_TYPE,
        Form::Text => "text/plain; charset=utf-8",
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

/// What is wrong, what shows it and what mends it.
fn html_finding(
    title: &str,
    finding: &Finding,
    times: &[(&'static str, u64)],
    request_id: &str,
) -> Vec<u8> {
    let lines = |text: &str| text.lines().map(escape).collect::<Vec<_>>().join("\n");
    let mut main = format!("<p>{}</p>\n", escape(&finding.sentence));
    for Evidence { from, text } in &finding.evidence {
        let from = escape(from);
        let id = format!("e{}", main.len()); // A name that no other has.
        main.push_str(&format!(
            "<h2 id=\"{id}\">{from}</h2>\n<pre tabindex=\"0\" aria-labelledby=\"{id}\">{}</pre>\n",
            lines(text)
        ));
    }
    if !finding.remedy.is_empty() {
        let remedy = lines(&finding.remedy);
        main.push_str(&format!(
            "<h2>To mend it</h2>\n<p class=\"m\">{remedy}</p>\n"
        ));
    }
    main.push_str(&timeline(times));
    let (code, request_id) = (finding.code, escape(request_id));
    main.push_str(&format!(
        "<footer>{code} &middot; Request {request_id} &middot; shown to this machine or by --explain</footer>\n"
    ));
    html::page(title, &main)
}

/// The steps of a run, each with the time that it ended, and a bar as long as it took.
fn timeline(times: &[(&'static str, u64)]) -> String {
    let Some(whole) = times.iter().map(|it| it.1).max() else {
        return String::new();
    };
    let mut table = "<h2>What happened when</h2>\n<table>\n".to_owned();
    let mut before = 0;
    for (name, at) in times {
        let width = (at.saturating_sub(before) * 100).div_ceil(whole.max(1));
        let (seconds, millis, rest) = (at / 1_000_000, at / 1_000 % 1_000, at % 1_000);
        table.push_str(&format!(
            "<tr><td>{name}</td><td><meter min=\"0\" max=\"100\" value=\"{width}\">{width} %</meter></td>\
             <td>{seconds}.{millis:03}{rest:03} s</td></tr>\n"
        ));
        before = *at;
    }
    table + "</table>\n"
}

fn text_page(title: &str, sentence: &str, request_id: &str) -> Vec<u8> {
    format!("{title}\n{sentence}\nRequest {request_id}\n").into_bytes()
}

#[cfg(test)]
mod tests;
