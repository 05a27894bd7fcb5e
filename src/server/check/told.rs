//! What `tollgate check` found out, told to people as a compiler would, or to programs in JSON.
//!
//! Rules: what is told of output is bounded, and shows every byte; no control character reaches a terminal.

use std::fmt::Write;

use super::Told;
use crate::proto::finding::{Severity, seconds, visible};
use crate::proto::json::Json;
use crate::sys::clock::Moment;

/// How much of what a program printed is shown.
const SHOWN_MAX: usize = 4096;

impl Told {
    fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|it| it.severity == severity)
            .count()
    }

    /// As a compiler would say it.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", escaped(&self.path.display().to_string()));
        if self.was_run {
            self.push_run(&mut text);
        }
        for finding in &self.findings {
            text.push('\n');
            text.push_str(&finding.text());
        }
        let counts = [
            (Severity::Error, "error"),
            (Severity::Warning, "warning"),
            (Severity::Note, "note"),
        ];
        let mut words = Vec::new();
        for (severity, word) in counts {
            match self.count(severity) {
                0 => {}
                1 => words.push(format!("1 {word}")),
                count => words.push(format!("{count} {word}s")),
            }
        }
        let summary = match words.is_empty() {
            true => "nothing is wrong".to_owned(),
            false => words.join(", "),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{summary}");
        text
    }

    fn push_run(&self, text: &mut String) {
        let course = &self.course;
        let _ = writeln!(text, "\n{}, with these variables:", escaped(&self.request));
        for (name, value) in &self.variables {
            let _ = writeln!(text, "  {}={}", escaped(name), escaped(value));
        }
        let ending = course.ending.as_deref().unwrap_or("it was not started");
        let _ = writeln!(
            text,
            "\nit printed {} bytes ({}); {ending}",
            course.printed_len,
            self.when()
        );
        push_quoted(text, &course.printed, course.printed_len);
        if !course.stderr.is_empty() {
            let _ = writeln!(text, "\nits standard error ended in");
            push_quoted(text, &course.stderr, course.stderr.len() as u64);
        }
        if !self.response.is_empty() {
            let _ = writeln!(text, "\na client would get");
            for line in String::from_utf8_lossy(&self.response).lines() {
                let _ = writeln!(text, "   | {}", escaped(line));
            }
        }
    }

    fn when(&self) -> String {
        let time = |moment: Moment| seconds(Moment(0).until(moment));
        match self.times {
            Some((Some(first), ended)) => {
                format!(
                    "the first after {} s, over after {} s",
                    time(first),
                    time(ended)
                )
            }
            Some((None, ended)) => format!("over after {} s", time(ended)),
            None => String::new(),
        }
    }

    /// For a program.
    pub(super) fn json(&self) -> String {
        let mut json = Json::new();
        json.object().text("path", &self.path.display().to_string());
        if self.was_run {
            json.text("request", &self.request);
            json.name("variables").object();
            for (name, value) in &self.variables {
                json.text(name, value);
            }
            let course = &self.course;
            json.end_object()
                .text("exit", course.ending.as_deref().unwrap_or_default())
                .text("stdout", &visible(&course.printed, SHOWN_MAX))
                .text("stderr", &visible(&course.stderr, SHOWN_MAX))
                .text("response", &String::from_utf8_lossy(&self.response))
                .count("stdout_length", course.printed_len);
        }
        json.name("findings").array();
        for finding in &self.findings {
            finding.push_json(&mut json);
        }
        json.end_array().end_object();
        json.finish() + "\n"
    }
}

/// Text for a terminal, which no control character is to reach.
fn escaped(text: &str) -> String {
    visible(text.as_bytes(), usize::MAX).replace('\n', "")
}

fn push_quoted(text: &mut String, bytes: &[u8], len: u64) {
    let shown = visible(bytes, SHOWN_MAX);
    for line in shown.lines() {
        let _ = writeln!(text, "   | {line}");
    }
    if len > SHOWN_MAX as u64 {
        let _ = writeln!(text, "   (the first {SHOWN_MAX} of {len} bytes)");
    }
}
