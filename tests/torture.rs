//! Everything that a server on the open internet meets in bad times, done to the program on purpose:
//! `make torture`, and `make soak` for as long as `SECONDS` says.
//!
//! Shape: a scenario has a name, is run with a server of its own, and gives [`Figures`]; the words on the
//! command line choose those whose names begin so, all but the soak without any. `--document FILE` writes
//! the figures into the table of a page. Rules: what may not happen is asserted; figures are told, and no
//! test asserts one, but for bounds that only a hang or a leak would reach (`scenario.rs`). Everything is
//! bounded in number and time, and talks to this machine alone.
//!
//! Not here: what takes less than a few seconds (`tests/integration`).

// Clippy's leave for tests does not reach a program.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(
    dead_code,
    unused_imports,
    reason = "the integration tests use the rest of it"
)]
mod support;

#[path = "torture/document.rs"]
mod document;
#[path = "torture/endless.rs"]
mod endless;
#[path = "torture/incoming.rs"]
mod incoming;
#[path = "torture/many.rs"]
mod many;
#[path = "torture/programs.rs"]
mod programs;
#[path = "torture/scenario.rs"]
mod scenario;
#[path = "torture/slow.rs"]
mod slow;
#[path = "torture/soak.rs"]
mod soak;
#[path = "torture/swarm.rs"]
mod swarm;
#[path = "torture/vitals.rs"]
mod vitals;

use std::path::PathBuf;
use std::process::ExitCode;

use scenario::Figures;

/// A scenario and its name.
type Scenario = (&'static str, fn(&str) -> Figures);

fn main() -> ExitCode {
    let mut names = Vec::new();
    let mut page = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--document" => page = words.next().map(PathBuf::from),
            _ => names.push(word),
        }
    }
    let all = [
        slow::SCENARIOS,
        endless::SCENARIOS,
        many::SCENARIOS,
        programs::SCENARIOS,
    ];
    let all = all.into_iter().flatten().chain([&soak::SCENARIO]);
    let is_wanted = |name: &str| match names.as_slice() {
        [] => name != soak::SCENARIO.0,
        names => names.iter().any(|wanted| name.starts_with(wanted)),
    };
    let mut failed = Vec::new();
    let mut run = Vec::new();
    println!("{}", document::TITLES);
    for (name, scenario) in all.filter(|(name, _)| is_wanted(name)) {
        match std::panic::catch_unwind(|| scenario(name)) {
            Ok(figures) => {
                println!("{}", document::line(&figures));
                run.push(figures);
            }
            Err(_) => {
                println!("{name}: failed");
                failed.push(*name);
            }
        }
    }
    if run.is_empty() && failed.is_empty() {
        println!("torture: no scenario begins with {names:?}");
        return ExitCode::FAILURE;
    }
    if let Some(page) = page {
        document::write(&page, &run);
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("torture: failed: {}", failed.join(", "));
    ExitCode::FAILURE
}
