//! All options, in one table.
//!
//! Shape: [`FLAGS`] is what the command line is read by and what `--help` is written from.
//! Rules: an option is one row: its names, what it takes, what holds without it, a sentence, and how
//! it is set. Rows stand in the order of `--help`, those of a group together. A default is a text
//! that goes through the same reading as what an operator writes, so it is stated here alone.
//! Not here: the rows (`table`), the grammar of a value (`value`), or what several values mean together
//! (`settings`).

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::settings::Settings;
use super::{Command, Surroundings, value};

mod table;

pub use table::FLAGS;

/// One option.
#[derive(Debug)]
pub struct Flag {
    /// The letter that can stand for it after one dash.
    pub short: Option<char>,
    /// The name after two dashes.
    pub long: &'static str,
    /// Where `--help` lists it.
    pub group: Group,
    /// What follows the name, and how it is set.
    pub takes: Takes,
    /// What holds when the option is not given.
    pub default: Fallback,
    /// What it does, for people.
    pub help: &'static str,
    /// Where it may be written.
    pub scope: Scope,
}

/// Where an option may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On the command line alone.
    CommandLine,
    /// In a configuration file too: it is for the whole server, and stays what it is until a restart.
    Start,
    /// There too: it is for the whole server.
    Server,
    /// In the section of a site too, for that site alone.
    Site,
}

/// The headings of `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Where to listen, and which files to send.
    Serving,
    /// Which programs to run, and how.
    Programs,
    /// Which applications to ask that stay running, and how.
    Fastcgi,
    /// How much of everything.
    Limits,
    /// How long for everything.
    Timeouts,
    /// Whom the server runs as, and what programs are kept from.
    Confinement,
    /// What is written down, and shown.
    Log,
    /// What does not serve.
    Other,
}

/// Sets what a text means, or says what is wrong with it: the rest of a sentence that begins with
/// the text in quotes.
type SetText = fn(&mut Settings, &str, &Surroundings<'_>) -> Result<(), String>;

/// What an option takes after its name, with its limits and its setter.
#[derive(Debug)]
pub enum Takes {
    /// Nothing; asks for a text instead of serving.
    Answer(fn() -> Command),
    /// Nothing; turns something on.
    Switch(fn(&mut Settings)),
    /// A number of things.
    Count(RangeInclusive<usize>, fn(&mut Settings, usize)),
    /// A number of bytes.
    Size(RangeInclusive<u64>, fn(&mut Settings, u64)),
    /// A time in seconds.
    Seconds(fn(&mut Settings, Duration)),
    /// A text, called so in `--help`; once.
    Text(&'static str, SetText),
    /// A text, called so in `--help`; as often as wished.
    Texts(&'static str, SetText),
}

/// What holds when an option is not given.
#[derive(Debug)]
pub enum Fallback {
    /// Nothing.
    None,
    /// This value.
    Value(&'static str),
    /// A value that depends on the surroundings, and the rule in words.
    Computed(&'static str, fn(&Surroundings<'_>) -> Option<String>),
    /// What holds for the option of this long name, whose values are all values of this one too.
    Like(&'static str),
    /// What these words say. The server settles it: it takes a look at the file system.
    Words(&'static str),
}

impl Group {
    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Serving => "Serving",
            Group::Programs => "Programs",
            Group::Fastcgi => "FastCGI",
            Group::Limits => "Limits",
            Group::Timeouts => "Time-outs",
            Group::Confinement => "Confinement",
            Group::Log => "Log and console",
            Group::Other => "Other",
        }
    }
}

impl Flag {
    /// What `--help` calls the value, `None` for an option that takes none.
    pub fn value_name(&self) -> Option<&'static str> {
        match &self.takes {
            Takes::Answer(_) | Takes::Switch(_) => None,
            Takes::Count(..) => Some("N"),
            Takes::Size(..) => Some("SIZE"),
            Takes::Seconds(_) => Some("SECS"),
            Takes::Text(name, _) | Takes::Texts(name, _) => Some(name),
        }
    }

    /// Whether each further value adds to those before it.
    pub fn is_repeatable(&self) -> bool {
        matches!(self.takes, Takes::Texts(..))
    }

    /// Sets what `value` means. An option that takes no value is given an empty one.
    ///
    /// # Errors
    /// What is wrong with the value: the rest of a sentence that begins with the value in quotes.
    pub(super) fn set(
        &self,
        settings: &mut Settings,
        value: &str,
        surroundings: &Surroundings<'_>,
    ) -> Result<(), String> {
        match &self.takes {
            Takes::Answer(_) => {}
            Takes::Switch(set) => set(settings),
            Takes::Count(range, set) => set(settings, value::count(value, range)?),
            Takes::Size(range, set) => set(settings, value::size(value, range)?),
            Takes::Seconds(set) => set(settings, value::seconds(value)?),
            Takes::Text(_, set) | Takes::Texts(_, set) => set(settings, value, surroundings)?,
        }
        Ok(())
    }
}

impl Fallback {
    /// Returns the value to set, `None` where there is nothing to set.
    pub(super) fn value(&self, surroundings: &Surroundings<'_>) -> Option<String> {
        match self {
            Fallback::None | Fallback::Like(_) | Fallback::Words(_) => None,
            Fallback::Value(value) => Some((*value).to_owned()),
            Fallback::Computed(_, value) => value(surroundings),
        }
    }
}

/// Displays as an operator writes it in full: `--listen`.
impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.long)
    }
}
