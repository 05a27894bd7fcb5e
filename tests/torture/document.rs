//! Figures as people read them: a line each while the scenarios run, and the table of a page.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime};

use super::scenario::Figures;

pub(crate) const TITLES: &str = "scenario                  seconds  file p50/p99/max ms     program p50/p99/max ms   memory KiB  spool MiB  what came of it";

/// Where the table of a page begins and ends.
const BEGIN: &str = "<!-- figures -->";
const END: &str = "<!-- end of figures -->";

const COLUMNS: &str = "| scenario | what came of it | time | file: median, 99 %, slowest | program: the same | memory | spool | date, machine |\n\
                       |---|---|---|---|---|---|---|---|\n";

pub(crate) fn line(figures: &Figures) -> String {
    format!(
        "{:25} {:7.1}  {:22} {:24} {:>+11} {:>10}  {}",
        figures.name,
        figures.seconds,
        times(&figures.file),
        figures.program.as_ref().map_or("-".to_owned(), times),
        figures.growth,
        figures.spool >> 10,
        figures.told
    )
}

fn times(times: &[Duration; 3]) -> String {
    let shown = times.map(|time| format!("{:.1}", time.as_secs_f64() * 1e3));
    shown.join(" / ")
}

/// Writes the figures into the table of a page, each in place of those of the same scenario before.
pub(crate) fn write(page: &Path, run: &[Figures]) {
    let text = fs::read_to_string(page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let begins = |name: &str| format!("| {name} |");
    let mut rows: Vec<String> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !COLUMNS.starts_with(line))
        .map(str::to_owned)
        .collect();
    for figures in run {
        let row = row(figures);
        match rows
            .iter_mut()
            .find(|other| other.starts_with(&begins(&figures.name)))
        {
            Some(other) => *other = row,
            None => rows.push(row),
        }
    }
    let table = format!("{BEGIN}\n{COLUMNS}{}\n{END}", rows.join("\n"));
    fs::write(page, [before, &table, after].concat()).unwrap();
}

fn row(figures: &Figures) -> String {
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let spool = match figures.spool {
        0 => "-".to_owned(),
        kib => mib(kib),
    };
    format!(
        "| {} | {} | {:.0} s | {} ms | {} | +{} | {spool} | {} |",
        figures.name,
        figures.told,
        figures.seconds,
        times(&figures.file),
        figures
            .program
            .as_ref()
            .map_or("-".to_owned(), |it| times(it) + " ms"),
        mib(figures.growth),
        when_and_where(),
    )
}

/// The date, and what kind of machine this is.
fn when_and_where() -> String {
    let now = httpdate::fmt_http_date(SystemTime::now());
    // "Sun, 06 Nov 1994 08:49:37 GMT"
    let date = now.get(5..16).unwrap_or(&now);
    let cores = available_parallelism().map_or(1, |it| it.get());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: Vec<&str> = kernel.split('.').take(2).collect();
    format!("{date}, {cores} cores, Linux {}", version.join("."))
}
