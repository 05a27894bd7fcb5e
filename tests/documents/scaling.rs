//! Holds docs/scaling.md to docs/performance.md: what the first counts with is what the second says was measured.

/// The cells of the rows of a table: the one that has this head.
fn rows<'t>(page: &'t str, head: &'t str) -> impl Iterator<Item = Vec<&'t str>> {
    let table = page.split_once(head).map_or("", |(_, rest)| rest);
    let lines = table.lines().skip(1);
    lines
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .filter(|line| !line.contains("--"))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
}

fn number(text: &str) -> f64 {
    text.replace(',', "").parse().unwrap_or(f64::NAN)
}

/// What performance.md has for tollgate, in the section of this title.
fn measured<'t>(performance: &'t str, title: &str, row: &str) -> Option<&'t str> {
    let section = performance.split_once(title)?.1;
    let found = rows(section, "|  | tollgate |").find(|cells| cells.first() == Some(&row));
    found?.get(1).copied()
}

/// What is wrong with it.
pub(crate) fn problems(page: &str, performance: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let times: Vec<_> = rows(page, "| answer | µs | a second, one core |").collect();
    let rates: Vec<_> = rows(page, "| answer | twice one core | measured |").collect();
    if times.len() < 5 || rates.len() < 3 {
        problems.push(format!("{} and {} rows", times.len(), rates.len()));
    }
    let time = |row: &str| measured(performance, "## Processor time of an answer", row);
    for cells in &times {
        let Some(micros) = time(cells[0]) else {
            problems.push(format!("performance.md has no row {}", cells[0]));
            continue;
        };
        let rate = (1e6 / number(micros)).round();
        if cells[1] != micros || number(cells[2]) != rate {
            problems.push(format!("{}: it is {micros} µs, {rate} a second", cells[0]));
        }
    }
    for cells in &rates {
        let rate = measured(performance, "## Answers a second", cells[0]).unwrap_or_default();
        let twice = (2e6 / number(time(cells[0]).unwrap_or_default())).round();
        if cells[2] != rate || number(cells[1]) != twice {
            problems.push(format!("{}: it is {twice} and {rate}", cells[0]));
        }
        // The model is of use: what is measured is no more than it says, and no less than four fifths.
        if !(0.8..=1.0).contains(&(number(rate) / twice)) {
            problems.push(format!(
                "{}: {rate} measured, {twice} by the model",
                cells[0]
            ));
        }
    }
    problems
}
