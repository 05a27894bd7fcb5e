//! What the console answers, by path.
//!
//! Source: ours; docs/console.md has it. Heads are written by tiny_http. Rules: every answer says that no other page may
//! embed, frame or read it, and that the connection is closed.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tiny_http::{HTTPVersion, Header, Response, StatusCode};

use super::events;
use super::view::{self, Sight};
use super::{Console, Host, Of, metrics, with_place};
use crate::handler::site::Why;
use crate::proto::http::head::RequestHead;
use crate::proto::http::response::SERVER_SOFTWARE;
use crate::proto::json::Json;

const PAGE: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/console.js");
const STYLE: &str = include_str!("page/console.css");

/// The name by which a client gives the token.
const TOKEN_FIELD: &str = "X-Tollgate-Token";

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What stands in every answer.
const FIELDS: &[(&str, &str)] = &[
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
    ("Server", SERVER_SOFTWARE),
];

/// An answer: its status, its media type, and itself.
pub(super) struct Answer(u16, &'static str, String);

impl Answer {
    /// One of a sentence.
    pub(super) fn sentence(status: u16, sentence: &str) -> Answer {
        Answer(status, TEXT, format!("{sentence}\n"))
    }

    /// Sends it, or its head alone.
    pub(super) fn send(self, mut client: &UnixStream, head_only: bool) -> io::Result<()> {
        let Answer(status, media_type, text) = self;
        client.write_all(&response_head(status, media_type, text.len())?)?;
        if head_only {
            return Ok(());
        }
        client.write_all(text.as_bytes())
    }
}

/// The head of an answer of this length.
fn response_head(status: u16, media_type: &str, length: usize) -> io::Result<Vec<u8>> {
    let of_type = ("Content-Type", media_type);
    let fields = FIELDS.iter().chain([&of_type]);
    // Those here are well formed.
    let fields = fields.filter_map(|&(name, value)| Header::from_bytes(name, value).ok());
    let (status, fields) = (StatusCode(status), fields.collect());
    let response = Response::new(status, fields, io::empty(), Some(length), None)
        .with_chunked_threshold(usize::MAX);
    let mut head = Vec::with_capacity(1024);
    response.raw_print(&mut head, HTTPVersion(1, 1), &[], true, None)?;
    // It takes no Connection field.
    head.truncate(head.len() - 2);
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    Ok(head)
}

/// The head of a stream of events, which ends with the connection: tiny_http's have a length or chunks.
pub(super) fn stream_head() -> String {
    let mut head = "HTTP/1.1 200 OK\r\nConnection: close\r\n".to_owned();
    for (name, value) in FIELDS
        .iter()
        .chain(&[("Content-Type", "text/event-stream")])
    {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

/// Answers a request.
pub(super) fn answer(
    head: &RequestHead,
    client: &UnixStream,
    console: &Console,
    host: &dyn Host,
) -> io::Result<()> {
    let head_only = head.method() == "HEAD";
    let target = String::from_utf8_lossy(head.target());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    if path == "/api/events" && !head_only {
        return events::tell(client, console, host);
    }
    find(head, path, query, console, host).send(client, head_only)
}

fn find(head: &RequestHead, path: &str, query: &str, console: &Console, host: &dyn Host) -> Answer {
    let sight = match sight(head, query, console) {
        Ok(sight) => sight,
        Err(answer) => return answer,
    };
    let mut json = Json::new();
    match path {
        "/" => return Answer(200, "text/html; charset=utf-8", PAGE.to_owned()),
        "/console.js" => return Answer(200, "text/javascript; charset=utf-8", SCRIPT.to_owned()),
        "/console.css" => return Answer(200, "text/css; charset=utf-8", STYLE.to_owned()),
        "/healthz" => {
            return match host.is_stopping() {
                false => Answer::sentence(200, "ok"),
                true => Answer::sentence(503, "stopping"),
            };
        }
        "/metrics" => {
            let text = metrics::text(&console.ledger.sums(), host);
            return Answer(200, "text/plain; version=0.0.4; charset=utf-8", text);
        }
        "/api/state" => push_state(&mut json, host),
        "/api/toll" => push_tolls(&mut json, console),
        "/api/journeys" => {
            let after = parameter(query, "after").and_then(|it| it.parse().ok());
            push_journeys(&mut json, console, after.unwrap_or(0));
        }
        "/api/why" => {
            let url = parameter(query, "url").unwrap_or_default();
            let method = parameter(query, "method").filter(|it| !it.is_empty());
            push_why(&mut json, &url, method.as_deref().unwrap_or("GET"), host);
        }
        _ => {
            let seq = path
                .strip_prefix("/api/journeys/")
                .and_then(|seq| seq.parse().ok());
            let found = seq.is_some_and(|seq| push_journey(&mut json, seq, console, host, sight));
            if !found {
                return Answer::sentence(404, "There is no such thing here.");
            }
        }
    }
    Answer(200, JSON, json.finish() + "\n")
}

/// What may be seen: all where the token is right; a wrong one is told.
fn sight(head: &RequestHead, query: &str, console: &Console) -> Result<Sight, Answer> {
    let asks = parameter(query, "reveal").as_deref() == Some("1");
    let refused = |sentence: &str| Err(Answer::sentence(403, sentence));
    match head.field(TOKEN_FIELD) {
        None if asks => refused("Secrets are shown with the token alone."),
        None => Ok(Sight::default()),
        Some(given) if !is_same(given, console.token.as_bytes()) => {
            refused("That is not the token of this console.")
        }
        Some(_) => Ok(Sight {
            bodies: true,
            secrets: asks,
        }),
    }
}

/// Compares in the same time wherever the first difference is.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one
        .iter()
        .zip(other)
        .fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && differences == 0
}

/// The value of a parameter of a query, decoded; `+` is a space, as forms write it.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut parameters = query.split('&').filter_map(|it| it.split_once('='));
    let (_, value) = parameters.find(|it| it.0 == name)?;
    let value = value.replace('+', " ");
    let decoded = percent_decode_str(&value);
    Some(decoded.decode_utf8_lossy().into_owned())
}

pub(super) fn push_state(json: &mut Json, host: &dyn Host) {
    json.object().text("version", env!("CARGO_PKG_VERSION"));
    host.state(json);
    json.end_object();
}

fn push_tolls(json: &mut Json, console: &Console) {
    json.object().name("routes").array();
    for toll in &console.ledger.sums().tolls {
        let each = |all: u64| all / toll.requests.max(1);
        json.object().name("site").optional(view::named(&toll.site));
        json.text("route", &toll.route)
            .text("kind", toll.kind.name())
            .count("requests", toll.requests)
            .count("start", each(toll.start))
            .count("work", each(toll.work))
            .count("relay", each(toll.relay))
            .count("total", each(toll.total))
            .end_object();
    }
    json.end_array().end_object();
}

fn push_journeys(json: &mut Json, console: &Console, after: u64) {
    json.object().name("journeys").array();
    let (first, next) = console.ledger.after(after);
    for seq in first..next {
        // One at a time, so that no worker waits for all of them.
        console
            .ledger
            .look(seq, |journey| view::summary(json, journey, console.epoch));
    }
    json.end_array().end_object();
}

fn push_journey(
    json: &mut Json,
    seq: u64,
    console: &Console,
    host: &dyn Host,
    sight: Sight,
) -> bool {
    let asked = console.ledger.look(seq, |journey| {
        let (_, method, target) = view::request_line(journey);
        (
            journey.site.clone(),
            String::from_utf8_lossy(method).into_owned(),
            target.to_vec(),
        )
    });
    let Some((site, method, target)) = asked else {
        return false;
    };
    // It may take a while, in which no worker is to wait.
    let why = host.why(Of::Site(&site), &target, &method);
    let shown = console.ledger.look(seq, |journey| {
        with_place(&host.bound(), |place| {
            view::whole(json, journey, console.epoch, &why, sight, place);
        });
    });
    shown.is_some()
}

fn push_why(json: &mut Json, url: &str, method: &str, host: &dyn Host) {
    let (authority, target) = match url.split_once("://") {
        Some(("http" | "https", rest)) => match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        },
        _ => ("", url),
    };
    // A browser does not send what is for itself.
    let target = target.split('#').next().unwrap_or(target);
    let target = encoded(target);
    let why: Why = host.why(Of::Host(authority), target.as_bytes(), method);
    json.object().text("url", url).text("path", &why.path);
    json.name("site").optional(view::named(&why.site));
    json.name("route").optional(why.route.as_deref());
    json.text("kind", why.kind).texts("why", &why.sentences);
    view::push_tried(json, &why);
    json.text("outcome", &why.outcome);
    json.name("reason").optional(why.reason.map(|it| it.code()));
    json.end_object();
}

/// A target as a browser would send it: what cannot stand there is encoded.
fn encoded(target: &str) -> String {
    const NOT_PLAIN: &AsciiSet = &CONTROLS.add(b' ');
    utf8_percent_encode(target, NOT_PLAIN).to_string()
}

#[cfg(test)]
mod tests;
