//! A configuration file: an option on each line.
//!
//! Source: ours.
//! Shape: the bytes of a file in, what was written for each option out; or all that is wrong, as lines that
//! begin with `FILE:LINE`.
//! Rules:
//! - A line is the long name of an option, white space, and its value, which is the rest of the line as it
//!   stands. There is no `=` between them, since many values have one (`static /=./www`) and two that mean
//!   different things would be read for each other.
//! - A value has no quotes and no escapes. So a comment has a line of its own, whose first character is `#`: within
//!   a value that is a character like any other.
//! - A section, `[site HOST ...]`, goes on to the next one or to the end. What stands before the first is for the
//!   server, and for each site that does not say otherwise.
//! - Names come from the table of options and from nowhere else; values are read by who reads those of the
//!   command line.
//!
//! Not here: which values hold (`origin`), what they mean (`settings`).

use std::rc::Rc;

use super::UsageError;
use super::args::nearest;
use super::flags::{FLAGS, Flag, Scope};
use super::origin::{Origin, Value, Written};
use crate::proto::http::site_hosts::HostPattern;

/// How long a file may be, in bytes: a thousand sites of ten lines each.
pub const FILE_MAX: usize = 512 << 10;

/// How many sites there may be: each has its folders open.
const SITES_MAX: usize = 256;

const SECTION_FORM: &str = "write it as [site HOST ...], as in [site example.org www.example.org]";

/// What a file says.
#[derive(Debug)]
pub(super) struct File {
    /// For each option that stands before the first section.
    pub(super) top: Vec<Written>,
    pub(super) sections: Vec<Section>,
}

/// What a section says.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) hosts: Vec<HostPattern>,
    /// Where it begins.
    pub(super) origin: Origin,
    /// For each option that is in it.
    pub(super) written: Vec<Written>,
}

/// Reads a file that is called `name`.
///
/// # Errors
/// All lines that have not the form of one.
pub(super) fn parse(name: &Rc<str>, bytes: &[u8]) -> Result<File, UsageError> {
    if bytes.len() > FILE_MAX {
        let problem = format!("is longer than {} KiB; shorten it", FILE_MAX >> 10);
        return Err(UsageError::of_value("--config", name, problem));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut file = File {
        top: Vec::new(),
        sections: Vec::new(),
    };
    let mut errors = Vec::new();
    for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let origin = Origin::File {
            name: Rc::clone(name),
            line: at + 1,
        };
        let added = match str::from_utf8(line) {
            Ok(line) => file.add_line(line.trim(), &origin),
            Err(_) => Err("the line is not UTF-8; write names and paths in UTF-8".to_owned()),
        };
        if let Err(problem) = added {
            errors.push(UsageError::line(format!("{origin}: {problem}")));
        }
    }
    UsageError::all(errors).map(|()| file)
}

impl File {
    fn add_line(&mut self, line: &str, origin: &Origin) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with('[') {
            return self.add_section(line, origin);
        }
        let (name, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let text = text.trim_start();
        let flag = known(name, text)?;
        if flag.scope == Scope::CommandLine {
            return Err(format!(
                "{name}: has a meaning on the command line alone; leave it out"
            ));
        }
        check_form(flag, text)?;
        match self.sections.last_mut() {
            None => add(&mut self.top, flag, text, origin),
            Some(section) if flag.scope == Scope::Site => {
                add(&mut section.written, flag, text, origin)
            }
            Some(_) => Err(format!(
                "{name}: is for the whole server; write it before the first [site ...]"
            )),
        }
    }

    fn add_section(&mut self, line: &str, origin: &Origin) -> Result<(), String> {
        let words = line.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let mut words = words.unwrap_or_default().split_whitespace();
        if words.next() != Some("site") {
            return Err(format!("'{line}' is no section; {SECTION_FORM}"));
        }
        // What follows belongs to it also where its names are wrong.
        self.sections.push(Section {
            hosts: Vec::new(),
            origin: origin.clone(),
            written: Vec::new(),
        });
        if self.sections.len() > SITES_MAX {
            return Err(format!(
                "is one more than {SITES_MAX} sites; give that many at most"
            ));
        }
        for word in words {
            let host = HostPattern::parse(word).ok_or_else(|| {
                format!(
                    "site: '{word}' is no name of a host; write it as example.org, *.example.org or an \
                     address, without a port"
                )
            })?;
            let mut sections = self.sections.iter();
            if let Some(other) = sections.find(|section| section.hosts.contains(&host)) {
                let other = other.origin.clone();
                return Err(format!(
                    "site: '{word}' is named at {other} too; give each name once"
                ));
            }
            if let Some(section) = self.sections.last_mut() {
                section.hosts.push(host);
            }
        }
        match self.sections.last() {
            Some(section) if !section.hosts.is_empty() => Ok(()),
            _ => Err(format!("'{line}' has no host; {SECTION_FORM}")),
        }
    }
}

/// Finds the option of this name.
fn known(name: &str, text: &str) -> Result<&'static Flag, String> {
    let find = |name: &str| FLAGS.iter().find(|flag| flag.long == name);
    if let Some(flag) = find(name) {
        return Ok(flag);
    }
    let bare = name.trim_start_matches('-');
    let remedy = if let Some((name, rest)) = bare.split_once('=')
        && let Some(flag) = find(name)
    {
        let value = format!("{rest} {text}");
        format!("write a space for the '=': {} {}", flag.long, value.trim())
    } else if let Some(flag) = find(bare) {
        format!("write {} without dashes", flag.long)
    } else {
        match nearest(bare) {
            Some(flag) => format!("did you mean {}?", flag.long),
            None => {
                "see tollgate --help; a line is the long name of an option and its value".to_owned()
            }
        }
    };
    Err(format!("'{name}' is no option; {remedy}"))
}

/// Holds an option to having a value, or none.
fn check_form(flag: &Flag, text: &str) -> Result<(), String> {
    let name = flag.long;
    match flag.value_name() {
        Some(value) if text.is_empty() => {
            Err(format!("{name}: no value; write it as {name} {value}"))
        }
        Some(value) if text.starts_with('=') => Err(format!(
            "{name}: has a '='; write it as {name} {value}, with a space between"
        )),
        None if text.starts_with('#') => Err(format!(
            "{name}: takes no value; write the comment on a line of its own"
        )),
        None if !text.is_empty() => Err(format!(
            "{name}: takes no value; write {name} alone, or leave the line out"
        )),
        _ => Ok(()),
    }
}

/// Adds a value of an option to those of one layer.
fn add(
    layer: &mut Vec<Written>,
    flag: &'static Flag,
    text: &str,
    origin: &Origin,
) -> Result<(), String> {
    let value = Value {
        text: text.to_owned(),
        origin: origin.clone(),
    };
    match layer.iter_mut().find(|it| it.flag.long == flag.long) {
        None => layer.push(Written {
            flag,
            values: vec![value],
        }),
        // A switch that is turned on twice is on.
        Some(written) if flag.is_repeatable() || flag.value_name().is_none() => {
            written.values.push(value);
        }
        Some(written) => {
            let before = written.values.first().map(|it| it.origin.to_string());
            let before = before.unwrap_or_default();
            let name = flag.long;
            return Err(format!(
                "{name}: is given at {before} too; give this option once"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
