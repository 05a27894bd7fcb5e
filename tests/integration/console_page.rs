//! The console's page, in the browser that Debian has (tests/console, on Node.js), and what can be said of it without one.
//! A test whose programs are not installed says so and is skipped, except with `CI=true`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{installed, not_installed, tollgate};

/// The oldest Node.js that the packages of tests/console run on.
const NODE: u32 = 20;

/// What the page may be long, all of it: it is in every binary.
const MOST: usize = 40 * 1024;

fn below_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn page_file(name: &str) -> String {
    fs::read_to_string(below_root("src/console/page").join(name)).unwrap()
}

/// Node.js, if it is new enough and `.ci/install` has fetched what the test needs.
fn node(test: &str) -> Option<PathBuf> {
    let node = installed(test, "node")?;
    let version = Command::new(&node).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .unwrap_or_default();
    if major.parse::<u32>().unwrap_or(0) < NODE {
        not_installed(test, &format!("node {NODE} or later"));
        return None;
    }
    if !below_root("tests/console/node_modules/playwright-core").exists() {
        not_installed(test, "what tests/console/package.json lists");
        return None;
    }
    Some(node)
}

#[test]
fn the_page_works_in_a_real_browser() {
    let test = "the_page_works_in_a_real_browser";
    let Some(node) = node(test) else {
        return;
    };
    if installed(test, "chromium").is_none() {
        return;
    }
    let server = PathBuf::from(tollgate().get_program());
    let ran = Command::new(node)
        .args(["--test", "--test-timeout=600000", "page.test.mjs"])
        .current_dir(below_root("tests/console"))
        .env("TOLLGATE_BIN", server.canonicalize().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    // A file in which no test was found succeeds too.
    let passed = said.lines().find_map(|line| {
        line.trim_start_matches(['#', 'ℹ', ' '])
            .strip_prefix("pass ")
    });
    assert!(
        passed.is_some_and(|count| count.trim().parse::<u32>().unwrap() > 20),
        "{said}"
    );
}

#[test]
fn the_page_is_small_and_all_of_it_is_its_own() {
    let files = ["index.html", "console.css", "console.js"];
    let text: String = files.iter().map(|name| page_file(name)).collect();
    assert!(text.len() <= MOST, "the page has {} bytes", text.len());

    // Where it leads, and the name that SVG has.
    let known = [
        "https://www.rfc-editor.org/rfc/",
        "http://www.w3.org/2000/svg",
    ];
    for scheme in ["http:", "https:", "'//", "\"//", "(//"] {
        for (at, _) in text.match_indices(scheme) {
            let rest = &text[at..];
            assert!(
                known.iter().any(|address| rest.starts_with(address)),
                "{}",
                rest.lines().next().unwrap()
            );
        }
    }
}

#[test]
fn the_page_puts_in_text_and_never_markup() {
    let script = page_file("console.js");
    for way in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "eval(",
        "Function(",
    ] {
        assert!(!script.contains(way), "console.js has {way}");
    }
    let page = page_file("index.html");
    for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.contains(inline), "index.html has {inline}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script type=\"module\" src=\"console.js\"></script>"));
}
