//! What is in force, and where each value comes from, in the form of a configuration file.
//!
//! Rules: read back as a file it means the same: what is not in force, or cannot be written in a file,
//! stands in comments.

use std::fmt::Write;

use super::Surroundings;
use super::flags::{Fallback, Scope};
use super::help;
use super::origin::{self, Layers, Value, Written};

/// Returns the text.
pub(super) fn text(layers: &Layers, surroundings: &Surroundings<'_>) -> String {
    let mut text = format!("# {}", help::version());
    text.push_str("# What is in force. Above each line stands where it comes from.\n");
    let is_only_site = layers.sites.is_empty();
    push(&mut text, &layers.server, surroundings, |scope| {
        is_only_site || scope != Scope::Site
    });
    for site in &layers.sites {
        let hosts = site.hosts.iter().map(ToString::to_string);
        let hosts: Vec<String> = hosts.collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n# {}\n[site {}]\n", site.origin, hosts.join(" "));
        push(&mut text, &site.written, surroundings, |scope| {
            scope == Scope::Site
        });
    }
    text
}

/// Adds what holds for each option of the scopes that are shown.
fn push(
    text: &mut String,
    all: &[Written],
    surroundings: &Surroundings<'_>,
    shows: impl Fn(Scope) -> bool,
) {
    let mut group = None;
    let options = all.iter().filter(|it| {
        let scope = it.flag.scope;
        scope != Scope::CommandLine && shows(scope)
    });
    for written in options {
        let flag = written.flag;
        if group.replace(flag.group) != Some(flag.group) {
            text.extend(["\n# ", flag.group.title(), "\n\n"]);
        }
        let (values, followed) = origin::in_force(all, written, surroundings);
        // Writing to a String cannot fail.
        let _ = match (values.is_empty(), &flag.default) {
            (true, Fallback::Words(words)) => writeln!(text, "# default: {} {words}", flag.long),
            (true, _) => writeln!(text, "# not given: {}", flag.long),
            (false, _) => Ok(()),
        };
        for value in values {
            let _ = match followed.long == flag.long {
                true => writeln!(text, "# {}", one_line(&value.origin.to_string())),
                false => writeln!(text, "# {}, as {}", value.origin, followed.long),
            };
            push_value(text, flag.long, &value);
        }
    }
}

fn push_value(text: &mut String, name: &str, value: &Value) {
    let value = value.text.as_str();
    // A file has no way to write these; a command line has.
    let fits = value == value.trim() && !value.contains('\n') && !value.starts_with('=');
    let _ = match (value, fits) {
        ("", _) => writeln!(text, "{name}"),
        (_, true) => writeln!(text, "{name} {value}"),
        (_, false) => writeln!(text, "# which no file can hold: {name} {value:?}"),
    };
}

/// A name that would break a comment into two lines is shown with what it holds escaped.
fn one_line(origin: &str) -> String {
    match origin.contains('\n') {
        true => format!("{origin:?}"),
        false => origin.to_owned(),
    }
}

#[cfg(test)]
mod tests;
