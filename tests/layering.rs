//! The layers of `src/` hold: imports point down, never up and never sideways, and each facility has
//! one home. A path that is named where it may not be fails with file, line and rule.
//!
//! It reads the text of the source, comments, strings and tests left out: enough for paths that are
//! written as paths, `use` trees among them. A path hidden in a macro's output escapes it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Where a path may be named.
struct Rule {
    /// The path and everything below it.
    path: &'static str,
    /// What is below it and may be named anywhere.
    except: &'static [&'static str],
    /// The files and folders of `src/` that may name it.
    homes: &'static [&'static str],
    why: &'static str,
}

const fn rule(path: &'static str, homes: &'static [&'static str], why: &'static str) -> Rule {
    Rule {
        path,
        except: &[],
        homes,
        why,
    }
}

/// Everything above `proto` and `config`, which are pure.
const IMPURE: &[&str] = &["sys/", "handler/", "console/", "server/", "main.rs"];
const PURE: &str = "proto and config do no I/O, start no thread and read no clock";

const RULES: &[Rule] = &[
    // Layers.
    rule(
        "crate::config",
        &["config/", "handler/", "console/", "server/", "main.rs"],
        "imports point down",
    ),
    rule(
        "crate::sys",
        IMPURE,
        "imports point down, and config and sys do not know each other",
    ),
    rule(
        "crate::handler",
        &["handler/", "console/", "server/", "main.rs"],
        "imports point down",
    ),
    rule(
        "crate::console",
        &["console/", "server/"],
        "imports point down",
    ),
    rule(
        "crate::server",
        &["server/", "main.rs"],
        "imports point down",
    ),
    // Purity.
    rule("std::fs", IMPURE, PURE),
    rule("std::io", IMPURE, PURE),
    rule("std::thread", IMPURE, PURE),
    rule("std::time::Instant", IMPURE, PURE),
    rule("std::time::SystemTime", IMPURE, PURE),
    Rule {
        path: "std::net",
        except: &[
            "std::net::IpAddr",
            "std::net::Ipv4Addr",
            "std::net::Ipv6Addr",
        ],
        homes: IMPURE,
        why: PURE,
    },
    Rule {
        path: "std::env",
        except: &["std::env::consts", "std::env::temp_dir"],
        homes: &["main.rs", "sys/fault.rs"],
        why: "the environment is read once, at the start",
    },
    // One home for each facility.
    Rule {
        path: "std::process",
        except: &["std::process::id", "std::process::ExitCode"],
        homes: &["sys/child.rs", "sys/spawner.rs", "sys/spawner/"],
        why: "processes are started in sys/child and sys/spawner",
    },
    rule("rustix", &["sys/"], "system calls are made in sys alone"),
    rule("nix", &["sys/"], "system calls are made in sys alone"),
    rule(
        "wait4",
        &["sys/child.rs"],
        "children are reaped in one place",
    ),
    rule("tiny_http", &["console/"], "it serves the console alone"),
    rule("landlock", &["sys/"], "system calls are made in sys alone"),
    rule(
        "close_fds",
        &["sys/"],
        "descriptors are closed in sys alone",
    ),
    rule("signal_hook", &["sys/"], "signals are taken in sys alone"),
    rule(
        "getopts",
        &["config/args.rs"],
        "one file reads the command line",
    ),
    rule(
        "mime_guess",
        &["handler/mime.rs"],
        "one file knows media types",
    ),
    rule("httparse", &["proto/"], "one layer parses"),
    rule(
        "base64",
        &["proto/http/basic.rs", "console/view.rs"],
        "credentials are decoded in proto, bodies encoded for the console's page",
    ),
    rule(
        "bcrypt",
        &["handler/auth/"],
        "passwords are hashed in one place",
    ),
    rule(
        "percent_encoding",
        &["proto/", "handler/", "console/answers.rs"],
        "paths are decoded in proto, encoded in pages",
    ),
    rule(
        "env_logger",
        &["main.rs"],
        "the program decides where the log goes",
    ),
    rule(
        "log",
        &["handler/", "console/", "server/", "main.rs"],
        "proto, config and sys return what they saw",
    ),
];

#[test]
fn the_layers_hold() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(
        files.len() > 10,
        "only {} files under {}",
        files.len(),
        src.display()
    );
    let mut found = Vec::new();
    for file in files {
        let name = file
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .to_string();
        found.extend(violations(&name, &fs::read_to_string(&file).unwrap()));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_checker_finds_what_it_should() {
    for (file, source, lines) in [
        ("proto/http/head.rs", "use std::fs;\n", &[1][..]),
        (
            "proto/http/head.rs",
            "\n\nuse std::{fmt, fs::File, io::{self, Read}};\n",
            &[3, 3, 3],
        ),
        (
            "proto/http/head.rs",
            "fn f() {\n    log::info!(\"x\");\n}\n",
            &[2],
        ),
        (
            "proto/http/head.rs",
            "use super::super::super::sys::clock;\n",
            &[1],
        ),
        ("proto/mod.rs", "use super::handler;\n", &[1]),
        ("proto/mod.rs", "pub use ::rustix as r;\n", &[1]),
        (
            "proto/mod.rs",
            "use std::time::{Duration, SystemTime};\n",
            &[1],
        ),
        (
            "proto/mod.rs",
            "use std::net::{Ipv6Addr, TcpStream};\n",
            &[1],
        ),
        ("config/value.rs", "use crate::sys::listener;\n", &[1]),
        (
            "sys/stream.rs",
            "use crate::{\n    proto::Reason,\n    config::settings,\n};\n",
            &[3],
        ),
        (
            "handler/cgi.rs",
            "use std::process::Command;\nuse crate::server;\n",
            &[1, 2],
        ),
        (
            "handler/cgi.rs",
            "impl From<rustix::io::Errno> for E {}\n",
            &[1],
        ),
        (
            "server/mod.rs",
            "fn f() { getopts::Options::new(); }\n",
            &[1],
        ),
        ("lib.rs", "use crate::server::run;\n", &[1]),
    ] {
        let found = violations(file, source);
        assert_eq!(found.len(), lines.len(), "{file}: {source:?}: {found:?}");
        for (found, line) in found.iter().zip(lines) {
            assert!(
                found.starts_with(&format!("src/{file}:{line}: ")),
                "{found}"
            );
        }
    }
}

#[test]
fn the_checker_lets_pass_what_it_should() {
    for (file, source) in [
        (
            "proto/http/head.rs",
            "use std::fmt;\nuse crate::proto::Reason;\nuse super::host;\n",
        ),
        (
            "proto/http/head.rs",
            "// use std::fs;\n/* std::io /* nested */ log::info */\n",
        ),
        (
            "proto/http/head.rs",
            "const A: &str = \"std::fs \\\" rustix::io\";\n",
        ),
        (
            "proto/http/head.rs",
            "const A: &str = r#\"\"std::fs\"\"#; const B: char = '\"';\n",
        ),
        (
            "proto/http/head.rs",
            "fn f<'a>(log: &'a str) -> &'a str { log }\n",
        ),
        (
            "proto/http/head.rs",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
        ),
        ("proto/http/head.rs", "#[cfg(test)]\nuse std::fs;\n"),
        ("proto/http/head/tests.rs", "use std::fs;\n"),
        ("proto/http/head/tests/long.rs", "use std::fs;\n"),
        ("proto/testing.rs", "use std::fs;\n"),
        (
            "sys/child.rs",
            "use std::process::Command;\nuse rustix::process::Pid;\n",
        ),
        ("sys/spool.rs", "fn f() { std::process::id(); }\n"),
        (
            "server/mod.rs",
            "use crate::{config, handler, proto, sys};\nuse std::{fs, io};\n",
        ),
        (
            "main.rs",
            "use tollgate::{config, server};\nuse std::process::ExitCode;\n",
        ),
    ] {
        assert_eq!(
            violations(file, source),
            Vec::<String>::new(),
            "{file}: {source:?}"
        );
    }
}

/// The Rust files below a folder, in order.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What `source`, the file of that name below `src/`, names and may not.
fn violations(file: &str, source: &str) -> Vec<String> {
    let is_of_tests = ["tests.rs", "testing.rs"]
        .iter()
        .any(|it| file.ends_with(it));
    if is_of_tests || file.contains("/tests/") {
        return Vec::new();
    }
    let tokens = without_tests(tokens(source));
    let mut found = Vec::new();
    for (line, path) in paths(&tokens) {
        let path = absolute(&path, file);
        for rule in RULES {
            let forbidden = is_below(&path, rule.path)
                && !rule.except.iter().any(|except| is_below(&path, except))
                && !rule.homes.iter().any(|home| file.starts_with(home));
            if forbidden {
                found.push(format!("src/{file}:{line}: {path}: {}", rule.why));
            }
        }
    }
    found
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The path from the crate's root, whatever `self`, `super` and `tollgate` mean in that file.
fn absolute(path: &[&str], file: &str) -> String {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let mut here: Vec<&str> = module
        .split('/')
        .filter(|name| !["lib", "main"].contains(name))
        .collect();
    let mut rest = path;
    match path[0] {
        "crate" | "tollgate" => {
            here.clear();
            rest = &path[1..];
        }
        "self" | "super" => {
            while let ["self", ..] | ["super", ..] = rest {
                if rest[0] == "super" {
                    here.pop();
                }
                rest = &rest[1..];
            }
        }
        _ => return path.join("::"),
    }
    [&["crate"][..], &here, rest].concat().join("::")
}

/// An identifier, `::`, or one other character, and its line.
type Token<'a> = (usize, &'a str);

/// The tokens of Rust source, without comments and literals.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' || rest.starts_with("b\"") {
            string(rest)
        } else if ["r\"", "r#\"", "r##\"", "br"]
            .iter()
            .any(|start| rest.starts_with(start))
            && rest.trim_start_matches(['b', 'r', '#']).starts_with('"')
        {
            raw_string(rest)
        } else if first == '\'' {
            character(rest)
        } else if is_word(first) {
            let len = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            tokens.push((line, &rest[..len]));
            len
        } else if rest.starts_with("::") {
            tokens.push((line, "::"));
            2
        } else {
            if !first.is_whitespace() {
                tokens.push((line, &rest[..first.len_utf8()]));
            }
            first.len_utf8()
        };
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    tokens
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn string(text: &str) -> usize {
    let start = text.find('"').unwrap() + 1;
    let mut escaped = false;
    for (at, letter) in text[start..].char_indices() {
        match letter {
            '"' if !escaped => return start + at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let quote = text.find('"').unwrap();
    let end = format!("\"{}", "#".repeat(text[..quote].matches('#').count()));
    let body = quote + 1;
    text[body..]
        .find(&end)
        .map_or(text.len(), |at| body + at + end.len())
}

/// A character literal, or the quote of a lifetime.
fn character(text: &str) -> usize {
    if text[1..].starts_with('\\') {
        return text[3..].find('\'').map_or(text.len(), |at| 3 + at + 1);
    }
    let letter = text[1..].chars().next().map_or(0, char::len_utf8);
    if text[1 + letter..].starts_with('\'') {
        1 + letter + 1
    } else {
        1
    }
}

/// Leaves out each item that stands under `#[cfg(test)]`.
fn without_tests(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..]
            .iter()
            .map(|token| token.1)
            .take(MARK.len())
            .eq(MARK);
        if !marked {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        let mut depth = 0;
        for token in &tokens[at..] {
            at += 1;
            match token.1 {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// The paths of two names or more, and what `use` names; `use` trees are spread out.
fn paths<'a>(tokens: &[Token<'a>]) -> Vec<(usize, Vec<&'a str>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].1 == "use" {
            at += 1;
            spread(tokens, &mut at, &[], &mut found);
        } else if is_name(tokens[at].1) {
            let mut path = Vec::new();
            let line = tokens[at].0;
            take_names(tokens, &mut at, &mut path);
            if path.len() > 1 {
                found.push((line, path));
            }
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one branch of a `use` tree.
fn spread<'a>(
    tokens: &[Token<'a>],
    at: &mut usize,
    prefix: &[&'a str],
    found: &mut Vec<(usize, Vec<&'a str>)>,
) {
    let mut path = prefix.to_vec();
    let Some(&(line, _)) = tokens.get(*at) else {
        return;
    };
    take_names(tokens, at, &mut path);
    if tokens.get(*at).is_none_or(|token| token.1 != "{") {
        // `self` at the end of a branch is the module itself.
        if path.len() > 1 && path.last() == Some(&"self") {
            path.pop();
        }
        if !path.is_empty() {
            found.push((line, path));
        }
        return;
    }
    *at += 1;
    while let Some(token) = tokens.get(*at) {
        match token.1 {
            "}" => {
                *at += 1;
                return;
            }
            name if is_name(name) && name != "as" => spread(tokens, at, &path, found),
            "as" => *at += 2,
            _ => *at += 1,
        }
    }
}

/// Takes `a::b::c`, and the `::` after it that a brace or star follows.
fn take_names<'a>(tokens: &[Token<'a>], at: &mut usize, path: &mut Vec<&'a str>) {
    if tokens.get(*at).is_some_and(|token| token.1 == "::") {
        *at += 1;
    }
    while let Some(&(_, name)) = tokens.get(*at) {
        if !is_name(name) {
            return;
        }
        path.push(name);
        *at += 1;
        if tokens.get(*at).is_none_or(|token| token.1 != "::") {
            return;
        }
        *at += 1;
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}
