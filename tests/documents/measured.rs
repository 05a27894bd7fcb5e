//! README.md's summary of docs/performance.md: who is ahead in which row.

use std::cmp::Ordering;

/// Columns of the tables of docs/performance.md, after that of the work.
const SERVERS: &[&str] = &["tollgate", "lighttpd", "nginx", "apache", "busybox"];

/// Rows, whom README.md calls the best of them, and whether more is better.
const BEST: &[(&str, &str, Ordering)] = &[
    ("CGI, static C hello", "tollgate", Ordering::Greater),
    ("CGI, sh hello", "tollgate", Ordering::Greater),
    (
        "12 bytes, 16 requests at a time",
        "tollgate",
        Ordering::Greater,
    ),
    ("file of 12 bytes", "tollgate", Ordering::Greater),
    ("file of 100 KB", "tollgate", Ordering::Greater),
    ("file of 10 MiB", "tollgate", Ordering::Greater),
    ("CGI, python3 hello", "lighttpd", Ordering::Greater),
    ("FastCGI hello, 16 processes", "nginx", Ordering::Greater),
    ("memory at start (Pss)", "busybox", Ordering::Less),
];

/// Where the figures of a page are not as [`BEST`] has them.
pub(crate) fn differences(page: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (row, best, order) in BEST {
        // The first table that has the row is that of rates.
        let begin = format!("| {row} |");
        let measured = page.split_once("## Answers a second").map_or("", |it| it.1);
        let Some(line) = measured.lines().find(|line| line.starts_with(&begin)) else {
            problems.push(format!("{row}: no such row"));
            continue;
        };
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let figures = cells.iter().skip(1).filter(|cell| **cell != "KiB");
        let figures: Vec<Option<f64>> = figures
            .map(|cell| cell.replace(',', "").parse().ok())
            .collect();
        let figure = |name: &str| {
            let at = SERVERS.iter().position(|server| *server == name);
            at.and_then(|at| *figures.get(at)?)
        };
        let own = figure(best);
        for other in SERVERS.iter().filter(|server| *server != best) {
            let is_best = match (own, figure(other)) {
                (Some(own), Some(other)) => own.partial_cmp(&other) == Some(*order),
                (Some(_), None) => true,
                (None, _) => false,
            };
            if !is_best {
                problems.push(format!(
                    "{row}: {best} is not better than {other}: README.md has it so (Beside others)"
                ));
            }
        }
    }
    problems
}
