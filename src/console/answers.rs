//! What the console answers, by path.
//!
//! Source: ours; docs/console.md has it. Rules: every answer says that no other page may embed, frame or read it.

use std::io::{self, Write};
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tiny_http::{Header, Method, Request, Response, StatusCode};

use super::events;
use super::gate::TOKEN_FIELD;
use super::view::{self, Sight};
use super::{Console, Host, Of, metrics, with_place};
use crate::handler::site::Why;
use crate::proto::http::response::SERVER_SOFTWARE;
use crate::proto::json::Json;

const PAGE: &str = include_str!("page/index.html");
const SCRIPT: &str = include_str!("page/console.js");
const STYLE: &str = include_str!("page/console.css");

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What stands in every answer.
pub(super) const FIELDS: &[(&str, &str)] = &[
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
struct Answer(u16, &'static str, String);

/// Answers a request. What cannot be sent is nobody's any more.
pub(super) fn answer(request: Request, console: &Arc<Console>, host: &Arc<dyn Host>) {
    let url = request.url().to_owned();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    if path == "/api/events" {
        return events::begin(request, console, host);
    }
    let Answer(status, media_type, text) = find(&request, path, query, console, host);
    let mut response = Response::from_string(text)
        .with_status_code(StatusCode(status))
        .with_chunked_threshold(usize::MAX);
    for (name, value) in FIELDS.iter().chain(&[("Content-Type", media_type)]) {
        response.headers_push(name, value);
    }
    let _ = request.respond(response);
}

/// Adds a field; those here are well formed.
trait Push {
    fn headers_push(&mut self, name: &str, value: &str);
}

impl<R: io::Read> Push for Response<R> {
    fn headers_push(&mut self, name: &str, value: &str) {
        if let Ok(header) = Header::from_bytes(name, value) {
            self.add_header(header);
        }
    }
}

fn find(
    request: &Request,
    path: &str,
    query: &str,
    console: &Console,
    host: &Arc<dyn Host>,
) -> Answer {
    let sight = match sight(request, query, console) {
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
                false => Answer(200, TEXT, "ok\n".to_owned()),
                true => Answer(503, TEXT, "stopping\n".to_owned()),
            };
        }
        "/metrics" => {
            let text = metrics::text(&console.ledger.sums(), &**host);
            return Answer(200, "text/plain; version=0.0.4; charset=utf-8", text);
        }
        "/api/state" => push_state(&mut json, &**host),
        "/api/toll" => push_tolls(&mut json, console),
        "/api/journeys" => {
            let after = parameter(query, "after").and_then(|it| it.parse().ok());
            push_journeys(&mut json, console, after.unwrap_or(0));
        }
        "/api/why" => {
            let url = parameter(query, "url").unwrap_or_default();
            let method = parameter(query, "method").filter(|it| !it.is_empty());
            push_why(&mut json, &url, method.as_deref().unwrap_or("GET"), &**host);
        }
        _ => {
            let seq = path
                .strip_prefix("/api/journeys/")
                .and_then(|seq| seq.parse().ok());
            let found =
                seq.is_some_and(|seq| push_journey(&mut json, seq, console, &**host, sight));
            if !found {
                return Answer(404, TEXT, "There is no such thing here.\n".to_owned());
            }
        }
    }
    Answer(200, JSON, json.finish() + "\n")
}

/// What may be seen: all where the token is right; a wrong one is told.
fn sight(request: &Request, query: &str, console: &Console) -> Result<Sight, Answer> {
    let mut fields = request.headers().iter();
    let given = fields.find(|it| it.field.as_str().as_str().eq_ignore_ascii_case(TOKEN_FIELD));
    let asks = parameter(query, "reveal").as_deref() == Some("1");
    let refused = |sentence: &str| Err(Answer(403, TEXT, format!("{sentence}\n")));
    match given {
        None if asks => refused("Secrets are shown with the token alone."),
        None => Ok(Sight::default()),
        Some(given) if !is_same(given.value.as_str().as_bytes(), console.token.as_bytes()) => {
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

/// Begins a stream of events by hand, since its length is not known and each is to leave at once.
pub(super) fn begin_events(writer: &mut dyn Write) -> io::Result<()> {
    let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n".to_owned();
    for (name, value) in FIELDS {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\nretry: 1000\n\n");
    writer.write_all(head.as_bytes())?;
    writer.flush()
}

/// Answers that there are listeners enough.
pub(super) fn refuse_listener(request: Request) {
    let response = Response::from_string("There are as many listeners as there may be.\n")
        .with_status_code(StatusCode(503));
    let _ = request.respond(response);
}

/// Whether only the head is wanted.
pub(super) fn is_head(request: &Request) -> bool {
    *request.method() == Method::Head
}

#[cfg(test)]
mod tests;
