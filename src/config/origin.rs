//! Where values come from: the command line, a configuration file, or a default; and which of them hold.
//!
//! Shape: what was written on the command line, and the file that it names, become [`Layers`]: for each
//! option the values that hold. Rules: of the command line, the file and the default the first that says
//! anything about an option says all of it, and in the file the section of a site comes before what stands above. So values of an option that can be repeated take the place of
//! those below and never add to them: `--listen` on the command line listens there and nowhere else.

use std::fmt;
use std::path::Path;
use std::rc::Rc;

use super::args::Line;
use super::file::{self, File, Section};
use super::flags::{Fallback, Flag, Scope};
use super::{Surroundings, UsageError};
use crate::proto::http::site_hosts::HostPattern;

/// A value, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// The text; empty for a mere switch.
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Where a value was written. Displays as a dump tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    CommandLine,
    File { name: Rc<str>, line: usize },
    Default,
}

/// What was written for one option.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// The option.
    pub(super) flag: &'static Flag,
    /// Its values in the order given; an empty one for each time that a mere switch was given.
    pub(super) values: Vec<Value>,
}

/// All that was written, as far as it holds.
#[derive(Debug)]
pub(super) struct Layers {
    /// For each option, in the order of the table.
    pub(super) server: Vec<Written>,
    pub(super) sites: Vec<SiteLayer>,
}

/// All that was written for one of several sites, as far as it holds.
#[derive(Debug)]
pub(super) struct SiteLayer {
    pub(super) hosts: Vec<HostPattern>,
    /// Where its section begins.
    pub(super) origin: Origin,
    /// For each option, in the order of the table.
    pub(super) written: Vec<Written>,
}

impl Value {
    pub(super) fn of_command_line(text: String) -> Value {
        Value {
            text,
            origin: Origin::CommandLine,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::CommandLine => f.write_str("command line"),
            Origin::File { name, line } => write!(f, "{name}:{line}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// An option as it was written there: `--listen`, or `FILE:LINE: listen`.
pub(super) struct Named<'a>(pub(super) &'a Flag, pub(super) &'a Origin);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Named(flag, origin) = self;
        match origin {
            Origin::File { .. } => write!(f, "{origin}: {}", flag.long),
            Origin::CommandLine | Origin::Default => flag.fmt(f),
        }
    }
}

/// Reads the file that a command line names, if it names one.
///
/// # Errors
/// The file cannot be read, or all that is wrong with the form of its lines.
pub(super) fn layers(line: Line, surroundings: &Surroundings<'_>) -> Result<Layers, UsageError> {
    let named = line.value("config").map(|value| value.text.clone());
    let Some(named) = named else {
        return Ok(Layers {
            server: line.written,
            sites: Vec::new(),
        });
    };
    let wrong = |problem: String| UsageError::of_value("--config", &named, problem);
    let path = super::value::config_file(&named).map_err(wrong)?;
    let bytes = (surroundings.file)(Path::new(&path)).map_err(wrong)?;
    let name: Rc<str> = named.as_str().into();
    let File { top, sections } = file::parse(&name, &bytes)?;
    let site = |section: Section| SiteLayer {
        written: over(&line.written, &over_all(&section.written, &top)),
        hosts: section.hosts,
        origin: section.origin,
    };
    let mut server = over(&line.written, &top);
    if !sections.is_empty() {
        // What a site says of itself is nobody's where it is no site's.
        let of_sites = server.iter_mut().filter(|it| it.flag.scope == Scope::Site);
        of_sites.for_each(|written| written.values.clear());
    }
    Ok(Layers {
        server,
        sites: sections.into_iter().map(site).collect(),
    })
}

/// For each option what is written in the upper layer, or else in the lower one.
fn over(upper: &[Written], lower: &[Written]) -> Vec<Written> {
    let below = |flag: &'static Flag| lower.iter().find(|it| std::ptr::eq(it.flag, flag));
    let chosen = upper.iter().map(|written| match below(written.flag) {
        Some(lower) if written.values.is_empty() => lower.clone(),
        _ => written.clone(),
    });
    chosen.collect()
}

/// The same where the layers have but the options that are written in them.
fn over_all(upper: &[Written], lower: &[Written]) -> Vec<Written> {
    let is_above = |flag: &'static Flag| upper.iter().any(|it| std::ptr::eq(it.flag, flag));
    let below = lower.iter().filter(|written| !is_above(written.flag));
    upper.iter().chain(below).cloned().collect()
}

/// Returns the values that hold for an option, a default among them, and the option that says so: itself,
/// or one that it follows for want of a value of its own.
pub(super) fn in_force(
    all: &[Written],
    written: &Written,
    surroundings: &Surroundings<'_>,
) -> (Vec<Value>, &'static Flag) {
    let mut followed = written;
    while let (true, Fallback::Like(name)) = (followed.values.is_empty(), &followed.flag.default) {
        match all.iter().find(|written| written.flag.long == *name) {
            Some(next) => followed = next,
            None => break,
        }
    }
    let values = match followed.values.as_slice() {
        [] => {
            let default = followed.flag.default.value(surroundings).into_iter();
            let value = |text| Value {
                text,
                origin: Origin::Default,
            };
            default.map(value).collect()
        }
        values => values.to_vec(),
    };
    (values, followed.flag)
}

/// The places of a configuration file that values are from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Options, their values, and where they stand.
    values: Vec<(&'static str, String, String)>,
    /// The beginning of the section of a site.
    section: Option<String>,
}

impl Places {
    pub(super) fn new(all: &[Written], section: Option<String>) -> Places {
        let of_file = |value: &Value| matches!(value.origin, Origin::File { .. });
        let values = all.iter().flat_map(|written| {
            let values = written.values.iter().filter(move |value| of_file(value));
            values.map(|it| (written.flag.long, it.text.clone(), it.origin.to_string()))
        });
        Places {
            values: values.collect(),
            section,
        }
    }

    /// Where a value of an option stands, `FILE:LINE`; or at least the section that it holds in. The value may be
    /// a part of what was written.
    pub(super) fn of(&self, option: &str, value: &str) -> Option<String> {
        let long = match option {
            "ROOT" => "root",
            option => option.trim_start_matches("--"),
        };
        let of_option = || self.values.iter().filter(|(name, ..)| *name == long);
        let end = format!("={value}");
        let exact = of_option().find(|(_, text, _)| text == value || text.ends_with(&end));
        let found = exact.or_else(|| of_option().find(|(_, text, _)| text.contains(value)));
        let place = found.map(|(.., place)| place.clone());
        place.or_else(|| self.section.clone())
    }
}
