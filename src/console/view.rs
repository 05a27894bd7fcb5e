//! Journeys as JSON.
//!
//! Shape: a [`Journey`] and what may be seen of it ([`Sight`]) in, JSON out. Rules: without the token nothing is shown
//! that a client or a program wrote as a body, or that quotes one; secrets (Authorization, Cookie and what is made of
//! them, variables of the operator's own) only with the token, and where they are asked for.
//!
//! Not here: how a request is repeated (`repeat.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::journey::{Client, Journey, Kept, Step};
use super::meaning;
use super::repeat::{Place, curl, run};
use crate::handler::site::Why;
use crate::proto::http::conditional::{http_date, rfc3339};
use crate::proto::json::Json;

/// How much of a target stands in a summary.
const TARGET_MAX: usize = 512;

/// What may be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sight {
    /// Bodies: the token was given.
    pub bodies: bool,
    /// Secrets: they were asked for, too.
    pub secrets: bool,
}

/// The parts of a request line, as far as they are there.
pub(super) fn request_line(journey: &Journey) -> (&[u8], &[u8], &[u8]) {
    let line = lines(&journey.head).next().unwrap_or_default();
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let mut next = || words.next().unwrap_or_default();
    (line, next(), next())
}

/// The lines of a head, without their ends.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = head.split(|&byte| byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The fields of a head.
pub(super) fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(head).skip(1).filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

/// The name of a site or a route, if it has one.
pub(super) fn named(name: &str) -> Option<&str> {
    Some(name).filter(|it| !it.is_empty())
}

/// The line of a journey in the list; `epoch` is when the clock began, in microseconds since 1970.
pub fn summary(json: &mut Json, journey: &Journey, epoch: u64) {
    json.object();
    push_summary(json, journey, epoch);
    json.end_object();
}

fn push_summary(json: &mut Json, journey: &Journey, epoch: u64) {
    let (_, method, target) = request_line(journey);
    let received = journey.at(Step::Received).unwrap_or(0);
    let client = match journey.client {
        Client::Address(address) => address.to_string(),
        Client::Local => "unix".to_owned(),
        Client::Unknown => "unknown".to_owned(),
    };
    json.count("seq", journey.seq)
        .text(
            "id",
            &journey.id.map(|id| id.to_string()).unwrap_or_default(),
        )
        .text("at", &date(epoch + received))
        .text("client", &client);
    json.name("method").bytes(&method[..method.len().min(32)]);
    json.name("target")
        .bytes(&target[..target.len().min(TARGET_MAX)]);
    json.count("status", journey.status.into());
    json.name("reason")
        .optional(journey.reason.map(|it| it.code()));
    json.name("site").optional(named(&journey.site));
    json.name("route").optional(named(&journey.route));
    json.text("kind", journey.kind.name())
        .count("took", journey.took())
        .count("sent", journey.sent);
}

/// All of a journey. `why` tells where its path leads.
pub fn whole(
    json: &mut Json,
    journey: &Journey,
    epoch: u64,
    why: &Why,
    sight: Sight,
    place: &Place<'_>,
) {
    json.object();
    push_summary(json, journey, epoch);
    let (line, ..) = request_line(journey);
    json.name("request").object();
    json.name("line").bytes(line);
    push_fields(json, fields(&journey.head), sight);
    json.name("body");
    push_kept(json, journey.body.as_ref(), sight);
    json.end_object();
    json.texts("why", &why.sentences);
    push_tried(json, why);
    push_steps(json, journey);
    push_runner(json, journey);
    json.name("variables").array();
    for (name, value) in journey.variables() {
        let name = String::from_utf8_lossy(name);
        let (meaning, section) = meaning::of(&name);
        json.object().text("name", &name);
        match meaning::is_secret_variable(&name) && !sight.secrets {
            true => json.name("masked").truth(true),
            false => json.name("value").bytes(value),
        };
        json.text("meaning", meaning);
        json.name("section").optional(section.as_deref());
        json.end_object();
    }
    json.end_array();
    let stdin = journey.body.as_ref().filter(|_| journey.is_body_stdin);
    for (name, kept) in [
        ("stdin", stdin),
        ("stdout", journey.stdout.as_ref()),
        ("stderr", journey.stderr.as_ref()),
    ] {
        json.name(name);
        push_kept(json, kept, sight);
    }
    json.name("response").object();
    json.count("status", journey.status.into());
    push_fields(json, fields(&journey.response), sight);
    json.count("length", journey.sent).end_object();
    json.name("findings").array();
    for finding in &journey.findings {
        finding.push_json_as(json, "of", sight.bodies);
    }
    json.end_array();
    json.name("curl")
        .optional(curl(journey, place, sight).as_deref());
    json.name("run").optional(run(journey, sight).as_deref());
    json.end_object();
}

fn push_fields<'f>(
    json: &mut Json,
    fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    sight: Sight,
) {
    json.name("fields").array();
    for (name, value) in fields {
        json.object().name("name").bytes(name);
        match meaning::is_secret_field(name) && !sight.secrets {
            true => json.name("masked").truth(true),
            false => json.name("value").bytes(value),
        };
        json.end_object();
    }
    json.end_array();
}

fn push_kept(json: &mut Json, kept: Option<&Kept>, sight: Sight) {
    let Some(kept) = kept else {
        json.null();
        return;
    };
    json.object().count("length", kept.length);
    match sight.bodies {
        true => json
            .name("cut")
            .truth(kept.is_cut())
            .text("base64", &base64(&kept.bytes)),
        false => json.name("hidden").truth(true),
    };
    json.end_object();
}

/// Where a path was looked for.
pub fn push_tried(json: &mut Json, why: &Why) {
    json.name("tried").array();
    for (path, result) in &why.tried {
        json.object()
            .text("path", path)
            .text("result", result)
            .end_object();
    }
    json.end_array();
}

/// In their order in time; a step that is taken again counts from the last time.
fn push_steps(json: &mut Json, journey: &Journey) {
    let began = journey.at(Step::Received).unwrap_or(0);
    let mut steps = journey.steps.clone();
    // There are few, and nearly in order: the library's sort would be code for nothing.
    for end in 1..steps.len() {
        let mut at = end;
        while at > 0 && steps[at - 1].1 > steps[at].1 {
            steps.swap(at - 1, at);
            at -= 1;
        }
    }
    json.name("steps").array();
    for &(step, at) in &steps {
        json.object()
            .text("name", step.name())
            .count("at", at.saturating_sub(began))
            .end_object();
    }
    json.end_array();
}

fn push_runner(json: &mut Json, journey: &Journey) {
    json.name("program");
    match &journey.program {
        None => json.null(),
        Some(program) => {
            json.object().name("path").bytes(&program.path);
            let usage = program.usage;
            for (name, value) in [
                ("pid", usage.pid),
                ("cpu", usage.cpu),
                ("memory", usage.memory),
            ] {
                match value {
                    Some(value) => json.count(name, value.into()),
                    None => json.name(name).null(),
                };
            }
            json.name("ending").optional(program.ending.as_deref());
            json.end_object()
        }
    };
    json.name("application");
    match &journey.application {
        None => json.null(),
        Some(application) => json
            .object()
            .text("backend", &application.backend)
            .texts("tried", &application.tried)
            .name("kept")
            .truth(application.is_kept)
            .end_object(),
    };
}

/// Microseconds since 1970 as `2026-11-28T08:30:00.123Z`.
fn date(micros: u64) -> String {
    let date = rfc3339(&http_date(micros / 1_000_000));
    let millis = micros / 1_000 % 1_000;
    format!("{}.{millis:03}Z", String::from_utf8_lossy(&date))
}

/// RFC 4648 section 4.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests;
