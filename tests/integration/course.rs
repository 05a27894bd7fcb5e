//! The course: every command of docs/course/ is run, and prints what the lesson says; the pages below www/learn/
//! are the lessons; what a lesson names is there.
//!
//! A lesson is run as its reader would, from top to bottom, in a copy of docs/course/ (the ninth: of the source). Its fenced blocks say how:
//!
//! - `sh`: commands, run by `sh -e`, which have to succeed; `sh fails`: which have to fail;
//! - `sh server`: one command that starts a server, which runs until the next one or the lesson's end;
//! - `output`: all that the block before it prints, on both streams; `…` stands for anything within a line, and a
//!   line of it alone for any lines;
//! - any other word: a text to read.
//!
//! Lessons say port 8080, and the console's 8081; here each server takes a free one, and is told from what it prints.

#[path = "course/lesson.rs"]
pub(crate) mod lesson;
#[path = "course/page.rs"]
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lesson::{Block, Kind, blocks, differs, prerequisites, run_lesson};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

fn course() -> PathBuf {
    Path::new(REPOSITORY).join("docs/course")
}

/// The names of the lessons, in order, and the contents page before them.
fn lessons() -> Vec<String> {
    let entries = fs::read_dir(course()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    let contents = names.iter().position(|name| name == "README.md").unwrap();
    let contents = names.remove(contents);
    names.insert(0, contents);
    names
}

fn text(name: &str) -> String {
    fs::read_to_string(course().join(name)).unwrap()
}

#[test]
fn lesson_0_contents() {
    run_lesson("README.md");
}

#[test]
fn lesson_1_click() {
    run_lesson("1-click.md");
}

#[test]
fn lesson_2_file() {
    run_lesson("2-file.md");
}

#[test]
fn lesson_3_script() {
    run_lesson("3-script.md");
}

#[test]
fn lesson_4_forms() {
    run_lesson("4-forms.md");
}

#[test]
fn lesson_5_broken() {
    run_lesson("5-broken.md");
}

#[test]
fn lesson_6_state() {
    run_lesson("6-state.md");
}

#[test]
fn lesson_7_toll() {
    run_lesson("7-toll.md");
}

#[test]
#[cfg(feature = "fastcgi")]
fn lesson_8_fastcgi() {
    run_lesson("8-fastcgi.md");
}

#[test]
fn lesson_9_source() {
    run_lesson("9-source.md");
}

#[test]
fn every_lesson_is_run_by_a_test_and_leads_on() {
    let source = include_str!("course.rs");
    let names = lessons();
    assert_eq!(names.len(), 10, "{names:?}");
    for (at, name) in names.iter().enumerate() {
        assert!(
            source.contains(&format!("run_lesson(\"{name}\")")),
            "{name}"
        );
        let text = text(name);
        for part in ["## Run", "## Break", "## Watch"] {
            assert!(
                at == 0 || text.contains(&format!("\n{part}\n")),
                "{name} has no {part}"
            );
        }
        let contents = self::text("README.md");
        assert!(
            at == 0 || contents.contains(&format!("]({name})")),
            "nothing leads to {name}"
        );
        if let Some(next) = names.get(at + 1) {
            assert!(
                text.trim_end().ends_with(&format!("({next})")) || at == 0,
                "{name} does not lead to {next}"
            );
        }
    }
}

/// Nobody finds what is called otherwise on the page, nor what is hidden from who opens it without the key.
#[test]
#[cfg(feature = "console")]
fn what_is_to_be_watched_is_on_the_page() {
    let page = [
        include_str!("../../src/console/page/index.html"),
        include_str!("../../src/console/page/console.js"),
    ]
    .concat();
    for name in lessons().iter().skip(1) {
        let text = text(name);
        let watch = text.split("\n## Watch\n").nth(1).expect(name);
        let watch = watch.split("\n## ").next().unwrap();
        let watch = watch.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(watch.contains("the link that the server printed"), "{name}");
        assert!(!watch.contains(":8081"), "{name}");
        let named: Vec<&str> = watch.split('*').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || *name == "5-broken.md", "{name}");
        for word in named {
            let word = word.trim_end_matches([',', ':']);
            assert!(page.contains(word), "{name}: {word:?} is not on the page");
        }
    }
}

#[test]
fn ten_broken_scripts_are_told_of_and_mended() {
    let text = text("5-broken.md");
    let entries = fs::read_dir(course().join("broken")).unwrap();
    let names: BTreeSet<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 10, "{names:?}");
    let blocks = blocks(&text);
    for name in names {
        // `check` fails and says why, and the next block mends it and has `check` succeed.
        let check = format!("tollgate check broken/{name}");
        let is_check = |block: &&Block| block.text.lines().any(|line| line.starts_with(&check));
        let checks: Vec<&Block> = blocks.iter().filter(is_check).collect();
        let [broken, mended] = checks[..] else {
            panic!("{name} is checked {} times", checks.len());
        };
        assert_eq!(
            (broken.kind, mended.kind),
            (Kind::Fails, Kind::Run),
            "{name}"
        );
        let outputs: Vec<&str> = blocks
            .windows(2)
            .filter(|pair| pair[0].line == broken.line || pair[0].line == mended.line)
            .map(|pair| pair[1].text.as_str())
            .collect();
        assert!(outputs[0].contains("error[cgi."), "{name}: {outputs:?}");
        assert!(
            outputs[1].contains("nothing is wrong"),
            "{name}: {outputs:?}"
        );
    }
}

/// What the ninth lesson says of the source: each `name()` is a function of the file that is named before it.
#[test]
fn the_tour_of_the_source_names_what_is_there() {
    let text = text("9-source.md");
    let (mut file, mut functions, mut files) = (String::new(), 0, BTreeSet::new());
    for (at, piece) in text.split('`').enumerate() {
        if at % 2 == 0 {
            continue;
        }
        if piece.starts_with("src/") && piece.ends_with(".rs") {
            file = fs::read_to_string(Path::new(REPOSITORY).join(piece)).expect(piece);
            files.insert(piece);
        } else if let Some(path) = piece.strip_suffix("()") {
            let name = path.rsplit("::").next().unwrap();
            assert!(
                [format!("fn {name}("), format!("fn {name}<")]
                    .iter()
                    .any(|it| file.contains(it)),
                "{name} is not in the file named before it"
            );
            functions += 1;
        } else if let Some((kind, name)) = piece
            .split_once(' ')
            .filter(|(kind, _)| ["struct", "enum"].contains(kind))
        {
            assert!(file.contains(&format!("{kind} {name} ")), "{piece}");
        }
    }
    assert!(
        functions >= 20 && files.len() >= 10,
        "{functions} functions, {} files",
        files.len()
    );
}

#[test]
fn the_pages_are_the_lessons() {
    let folder = Path::new(REPOSITORY).join("www/learn");
    let mut expected = BTreeSet::new();
    let titles: Vec<(String, String)> = lessons()
        .iter()
        .map(|name| (page::address(name), page::title(&text(name)).to_owned()))
        .collect();
    for name in lessons() {
        let (file, page) = (page::file(&name), page::page(&name, &text(&name), &titles));
        let path = folder.join(&file);
        if std::env::var_os("TOLLGATE_WRITE_LEARN").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &page).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == page,
            "www/learn/{file} is not docs/course/{name}; `make learn` writes it"
        );
        expected.insert(file);
    }
    let entries = fs::read_dir(folder).unwrap();
    let found = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(found.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn slips_in_a_lesson_are_found() {
    for (expected, printed, is_same) in [
        ("a\nb", "a\nb\n", true),
        ("a", "a\nb\n", false),
        ("a\nb", "a\n", false),
        ("a … c", "a b c\n", true),
        ("a … c", "a b d\n", false),
        ("…", "", true),
        ("a\n…\nd", "a\nb\nc\nd\n", true),
        ("a\n…\nd", "a\nd\n", true),
        ("a\n…\nd", "a\nb\nc\n", false),
        ("…a…", "bab\n", true),
        ("… ms", "1.5 ms\n", true),
        ("… ms", "1.5 s\n", false),
        ("a\r\n", "a\n", false),
    ] {
        assert_eq!(
            differs(expected, printed).is_none(),
            is_same,
            "{expected:?} {printed:?}"
        );
    }
    let blocks = blocks(
        "```sh\nx\n```\n\n```output\ny\n```\n```sh server\ntollgate\n```\n```html\nz\n```\n",
    );
    let kinds: Vec<Kind> = blocks.iter().map(|block| block.kind).collect();
    assert_eq!(kinds, [Kind::Run, Kind::Output, Kind::Serve, Kind::Shown]);
    assert_eq!(blocks[2].line, 8);
    assert_eq!(
        prerequisites("# T\n\nYou need: `curl`, `python3`.\n"),
        ["curl", "python3"]
    );
    for wrong in [
        "```sh\nx\n",
        "```output\nx\n```\n",
        "```sh run\nx\n```\n",
        "```html\nx\n```\n```output\nx\n```\n",
    ] {
        let found = std::panic::catch_unwind(|| lesson::blocks(wrong));
        assert!(found.is_err(), "{wrong}");
    }
}
