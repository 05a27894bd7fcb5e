//! What `tollgate check` found out, told to people as a compiler would, or to programs in JSON.
//!
//! Rules: what is told of output is bounded, and shows every byte; no control character reaches a terminal.

use std::fmt::Write;

use super::Told;
use crate::proto::finding::{Severity, push_json_member, push_json_string, seconds, visible};
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
        let mut json = String::from("{");
        push_json_member(&mut json, "path", &self.path.display().to_string());
        if self.was_run {
            push_json_member(&mut json, "request", &self.request);
            json.push_str("\"variables\":{");
            for (at, (name, value)) in self.variables.iter().enumerate() {
                json.push_str(if at > 0 { "," } else { "" });
                push_json_string(&mut json, name);
                json.push(':');
                push_json_string(&mut json, value);
            }
            json.push_str("},");
            let ending = self.course.ending.as_deref().unwrap_or_default();
            push_json_member(&mut json, "exit", ending);
            push_json_member(
                &mut json,
                "stdout",
                &visible(&self.course.printed, SHOWN_MAX),
            );
            push_json_member(
                &mut json,
                "stderr",
                &visible(&self.course.stderr, SHOWN_MAX),
            );
            push_json_member(
                &mut json,
                "response",
                &String::from_utf8_lossy(&self.response),
            );
            let _ = write!(json, "\"stdout_length\":{},", self.course.printed_len);
        }
        json.push_str("\"findings\":[");
        for (at, finding) in self.findings.iter().enumerate() {
            json.push_str(if at > 0 { "," } else { "" });
            finding.push_json(&mut json);
        }
        json.push_str("]}\n");
        json
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
