//! The documents: every command in them is run, and prints what they say; none is left out without a reason.
//!
//! A document is run section by section, each in a folder of its own, which has what readers are taken to have (a
//! site, `/srv`, `/run` and others, which are put below that folder). Its fenced blocks are those of the course, but:
//!
//! - `sh server`: one command a line that starts a server; the last runs until the next one or the section's end;
//! - `conf`: a configuration file, which is checked;
//! - a block of `sh` whose every line is in [`ELSEWHERE`] is run elsewhere, or by nobody, for the reason there.
//!
//! In tables, what stands between backticks and begins with `tollgate`, or with `-` where the column is tollgate's, is a
//! server to start too. The course has its own runner.

#[path = "commands/scene.rs"]
mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use scene::Scene;

use crate::course::lesson::{Block, Kind, blocks, differs};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Lines that are not run here, and why: the test that runs the same, or what it would take.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "make run",
        "serves until it is stopped; its parts are what every test starts",
    ),
    ("make test", "this is a part of it"),
    (
        "make static",
        "a quarter of an hour; .ci/run's own step builds it and runs these tests with it",
    ),
    (
        "sudo make install",
        "made.rs installs, as another user than root, below a folder",
    ),
    ("make install", "made.rs"),
    (
        "make deb",
        "make test-deb installs, upgrades and purges the package",
    ),
    (
        "make dist",
        "minutes for each processor: a step of release-check",
    ),
    (
        "make image",
        "a step of release-check, with what reads images",
    ),
    (
        "docker run",
        "needs docker; the binary and its image are what make image looks into",
    ),
    ("make reproducible", "as make dist"),
    (
        "rustup target add",
        "changes the toolchain of who runs the tests",
    ),
    (
        "cargo build --release",
        "minutes; made.rs has what it leads to installed",
    ),
    (
        "systemctl",
        "needs systemd; activation.rs and managers.rs do what it does",
    ),
    (
        "python3 -m bench.scaling",
        "takes minutes, and the machine for itself",
    ),
    ("make bench", "takes minutes, and the machine for itself"),
    ("make check", "takes minutes: .ci/run's first step"),
    ("make torture", "takes minutes"),
    ("make soak", "takes ten minutes"),
    ("make fuzz", "takes minutes; seeds.rs replays what it found"),
    ("make deny", "needs the list of vulnerabilities from GitHub"),
    (
        "make documents",
        "writes into the tree; made.rs compares what it would write",
    ),
    (
        "make learn",
        "writes into the tree; course.rs compares what it would write",
    ),
    ("make picture", "writes into the tree"),
    ("make release-check", "runs this"),
    ("git tag", "is the release itself"),
    ("git push origin", "is the release itself"),
    ("cargo test --locked", "this is a part of it"),
    ("cargo fmt", "make check"),
    (
        "tollgate passwd /etc/tollgate/users ann",
        "asks at the terminal: auth.rs",
    ),
];

/// Words that a command begins with, for finding those in blocks that nothing runs.
const COMMANDS: &[&str] = &[
    "tollgate",
    "make",
    "sudo",
    "curl",
    "git",
    "systemctl",
    "cargo",
    "rustup",
    "kubectl",
    "buildah",
    "mkdir",
    "chmod",
    "printf",
    "kill",
    "python3",
    "docker",
    "podman",
    "apt",
    "cd",
];

/// Documents by their path, with the course left out, and what is made.
fn documents() -> Vec<String> {
    fn below(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_left_out = name.starts_with('.')
                || ["target", "node_modules", "course", "corpus", "results"].contains(&name);
            if path.is_dir() && !is_left_out {
                below(&path, found);
            } else if name.ends_with(".md") {
                found.push(
                    path.strip_prefix(ROOT)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    let mut found = Vec::new();
    below(Path::new(ROOT), &mut found);
    found.sort();
    found
}

fn text(document: &str) -> String {
    fs::read_to_string(PathBuf::from(ROOT).join(document)).unwrap()
}

/// The sections of a document, each with the line that it begins in. A heading in a fenced block is none.
fn sections(document: &str) -> Vec<(usize, String)> {
    let mut sections = vec![(0, String::new())];
    let mut is_fenced = false;
    for (at, line) in document.lines().enumerate() {
        is_fenced ^= line.starts_with("```");
        if !is_fenced && line.starts_with("##") {
            sections.push((at, String::new()));
        }
        let (_, section) = sections.last_mut().unwrap();
        section.push_str(line);
        section.push('\n');
    }
    sections
}

/// The entry of a line that is not run here.
fn elsewhere(line: &str) -> Option<&'static str> {
    let is_it = |begin: &&&str| {
        line.strip_prefix(**begin)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-']))
    };
    ELSEWHERE
        .iter()
        .map(|(begin, _)| begin)
        .find(is_it)
        .copied()
}

/// Whether a block is run elsewhere; one that is so in part is an error.
fn is_elsewhere(block: &Block, at: &str) -> bool {
    let lines = || block.text.lines().filter(|line| !line.is_empty());
    let others = lines().filter(|line| elsewhere(line).is_some()).count();
    assert!(
        others == 0 || others == lines().count(),
        "{at}: a part of it is in ELSEWHERE: give it a block of its own"
    );
    others > 0
}

/// Runs every section of a document.
fn run_document(document: &str) {
    for (first, section) in sections(&text(document)) {
        let wanted: Vec<Block> = blocks(&section)
            .into_iter()
            .filter(|block| block.kind != Kind::Shown || block.word == "conf")
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let place = |block: &Block| format!("{document}, line {}", first + block.line);
        let Some(mut scene) = Scene::new(document, &section) else {
            continue;
        };
        let mut printed = String::new();
        for block in wanted {
            let at = place(&block);
            match block.kind {
                Kind::Run if is_elsewhere(&block, &at) => {}
                Kind::Run | Kind::Fails => {
                    printed = scene.run(&block.text, block.kind == Kind::Run, &at)
                }
                Kind::Serve => block.text.lines().for_each(|line| scene.serve(line, &at)),
                Kind::Output => {
                    if let Some(difference) = differs(&block.text, &printed) {
                        panic!("{at}: {difference}");
                    }
                }
                Kind::Shown => scene.check_configuration(&block.text, &at),
            }
        }
    }
}

/// The commands in the tables of a document: by the line, a command of tollgate with its arguments.
fn in_tables(document: &str) -> Vec<(usize, String)> {
    let (mut found, mut column) = (Vec::new(), None);
    for (at, line) in document.lines().enumerate() {
        if !line.starts_with('|') {
            column = None;
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let quoted = |cell: &str| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(|piece| piece.replace("\\|", "|"))
                .collect::<Vec<_>>()
        };
        for (number, cell) in cells.iter().enumerate() {
            if *cell == "tollgate" {
                column = Some(number);
            }
            for piece in quoted(cell) {
                let options = piece.starts_with('-') && column == Some(number);
                if piece == "tollgate" || piece.starts_with("tollgate ") {
                    found.push((at + 1, piece));
                } else if options {
                    found.push((at + 1, format!("tollgate {piece}")));
                }
            }
        }
    }
    found
}

/// Starts what the tables of a document have.
fn run_tables(document: &str, least: usize) {
    let text = text(document);
    let commands = in_tables(&text);
    assert!(commands.len() >= least, "{commands:?}");
    for (line, command) in commands {
        let Some(mut scene) = Scene::new("a table", &command) else {
            continue;
        };
        scene.serve(&command, &format!("{document}, line {line}"));
    }
}

#[test]
fn the_readme_holds_what_it_says() {
    run_document("README.md");
}

#[test]
fn the_readmes_table_of_recipes_serves() {
    run_tables("README.md", 7);
}

#[test]
fn the_manual_holds_what_it_says() {
    run_document("docs/manual.md");
}

#[test]
fn recipes_hold_what_they_say() {
    run_document("docs/recipes.md");
}

#[test]
fn the_page_of_fastcgi_holds_what_it_says() {
    run_document("docs/fastcgi.md");
}

#[test]
fn the_page_of_confinement_holds_what_it_says() {
    run_document("docs/confinement.md");
}

#[test]
fn the_page_of_migrating_holds_what_it_says() {
    run_document("MIGRATING.md");
}

#[test]
fn options_of_other_servers_have_those_that_are_named() {
    run_tables("MIGRATING.md", 20);
}

#[test]
fn the_rest_of_the_documents_hold_what_they_say() {
    let source = include_str!("commands.rs");
    for document in documents() {
        if !source.contains(&format!("    run_document(\"{document}\")")) {
            run_document(&document);
        }
    }
}

/// The examples that `--help` ends with, as docs/options.md has them.
#[test]
fn the_examples_of_the_help_serve() {
    let text = text("docs/options.md");
    let examples: Vec<&str> = text
        .split("Examples:\n")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("  tollgate"))
        .collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        let command = format!("tollgate{example}");
        let Some(mut scene) = Scene::new("the help", &command) else {
            continue;
        };
        scene.serve(&command, "docs/options.md");
    }
}

#[test]
fn no_command_is_left_out_without_a_reason() {
    let (mut problems, mut used) = (Vec::new(), BTreeSet::new());
    for document in documents() {
        // It is made, and its examples are run above.
        if document == "docs/options.md" {
            continue;
        }
        let text = text(&document);
        for block in blocks(&text) {
            for line in block.text.lines() {
                match block.kind {
                    Kind::Run | Kind::Fails => used.extend(elsewhere(line)),
                    Kind::Shown if is_command(line) => {
                        problems.push(format!(
                            "{document}, line {}: nothing runs {line:?}: it is in no block of sh",
                            block.line
                        ));
                    }
                    _ => {}
                }
            }
        }
        let mut is_fenced = false;
        for (at, line) in text.lines().enumerate() {
            is_fenced ^= line.starts_with("```");
            let Some(line) = line.strip_prefix("    ").filter(|_| !is_fenced) else {
                continue;
            };
            match elsewhere(line) {
                Some(entry) => drop(used.insert(entry)),
                None if is_command(line) => problems.push(format!(
                    "{document}, line {}: nothing runs {line:?}",
                    at + 1
                )),
                None => {}
            }
        }
    }
    for (entry, _) in ELSEWHERE {
        if !used.contains(entry) {
            problems.push(format!("ELSEWHERE has {entry:?}, which is in no document"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn is_command(line: &str) -> bool {
    line.split_once(' ')
        .is_some_and(|(word, _)| COMMANDS.contains(&word))
        || line == "tollgate"
}

#[test]
fn commands_are_found_where_they_are() {
    let page = "# A\n```sh\nmake x\n# no heading\n## nor this\n```\n## B\n";
    assert_eq!(sections(page).len(), 2);
    let table = "| there | tollgate |\n|---|---|\n| `-p 80` | `-l 0.0.0.0:80`, `tollgate check` |\n\n| a |\n| `-x` |\n";
    let found: Vec<String> = in_tables(table)
        .into_iter()
        .map(|(_, command)| command)
        .collect();
    assert_eq!(found, ["tollgate -l 0.0.0.0:80", "tollgate check"]);
    assert_eq!(elsewhere("make test    # all"), Some("make test"));
    assert_eq!(elsewhere("make tests"), None);
    assert!(is_command("tollgate -x") && !is_command("tollgated is no word"));
}
