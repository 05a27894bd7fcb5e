//! Holds the manual pages and the completions to the table of options, and tries both with what reads them; and
//! what installs them.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without ends it")]
// They tell of all options.
#![cfg(all(feature = "auth", feature = "console", feature = "fastcgi"))]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tollgate::config::flags::FLAGS;

#[path = "../dist/documents/mod.rs"]
mod documents;

fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a program prints, as long as it ends well; `None`, and a word of it, where it is not installed.
#[track_caller]
fn output(program: &str, args: &[&str]) -> Option<String> {
    let ran = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    let ran = match ran {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_complete = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!is_complete, "{program} is not installed");
            // Where it is seen, unlike what `eprintln!` prints in a test that passes.
            let line = format!("skipped: {program} is not installed\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        ran => ran.unwrap(),
    };
    let said = String::from_utf8(ran.stdout).unwrap();
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{program}: {said}{complained}");
    assert_eq!(complained, "", "{program}");
    Some(said)
}

#[test]
fn what_is_committed_is_what_the_table_makes() {
    for (path, text) in documents::all() {
        let committed = fs::read_to_string(tree(path)).unwrap_or_default();
        // Not the whole of both, which nobody would read.
        let differs = committed.lines().zip(text.lines()).find(|(a, b)| a != b);
        assert!(
            committed == text,
            "{path} is not what the options are now: run `make documents` ({differs:?})"
        );
    }
}

#[test]
fn manual_pages_are_as_their_readers_want_them() {
    for page in ["dist/man/tollgate.1", "dist/man/tollgate.conf.5"] {
        let path = tree(page).to_str().unwrap().to_owned();
        // No date: a page is as old as the program, which stands in its foot.
        if let Some(said) = output("mandoc", &["-T", "lint", "-W", "error", &path]) {
            assert_eq!(said, "");
        }
    }
    let path = tree("dist/man/tollgate.1").to_str().unwrap().to_owned();
    let Some(shown) = output("mandoc", &["-T", "ascii", "-O", "width=300", &path]) else {
        return;
    };
    // What is bold is printed twice, with a backspace between.
    let mut plain = String::new();
    for c in shown.chars() {
        match c {
            '\u{8}' => drop(plain.pop()),
            c => plain.push(c),
        }
    }
    for flag in FLAGS {
        assert!(plain.contains(&format!("{flag}")), "{flag} is not shown");
    }
    assert!(
        plain.contains("-f '/app/=exec:./app.py | processes="),
        "{plain}"
    );
}

#[test]
fn bash_completes() {
    let script = tree("dist/completions/tollgate.bash");
    let answers = |words: &[&str]| {
        let ask = r#"
            source "$0" || exit 1
            COMP_WORDS=(tollgate "$@") COMP_CWORD=$#
            _tollgate tollgate
            [[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\n' "${COMPREPLY[@]}""#;
        let script = script.to_str().unwrap();
        let args = [&["-c", ask, script], words].concat();
        let said = output("bash", &args)?;
        Some(said.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let manifest = tree("Cargo.tom").to_str().unwrap().to_owned();
    let whole = tree("Cargo.toml").to_str().unwrap().to_owned();
    for (words, expected) in [
        (&["--lis"][..], &["--listen", "--listing"][..]),
        (&["--quer"], &[]),
        (&["check", "--quer"], &["--query"]),
        (&["pass"], &["passwd"]),
        (&["--listen", ""], &[]),
        (&["--access-log", &manifest], &[&whole]),
        (&["--access-log", "=", &manifest], &[&whole]),
        (&["-s", "/x/", "=", &manifest], &[&whole]),
        (&["--user", "roo"], &["root"]),
        (&[&manifest], &[&whole]),
    ] {
        let Some(found) = answers(words) else { return };
        assert_eq!(found, expected, "{words:?}");
    }
}

#[test]
fn fish_completes() {
    let script = tree("dist/completions/tollgate.fish");
    let answers = |line: &str| {
        let script = script.to_str().unwrap();
        let ask = format!("source {script}; complete -C {line:?}");
        let said = output("fish", &["--no-config", "-c", &ask])?;
        let words = said.lines().filter_map(|line| line.split('\t').next());
        Some(words.map(str::to_owned).collect::<Vec<_>>())
    };
    for (line, expected) in [
        ("tollgate --lis", &["--listen", "--listing"][..]),
        ("tollgate --quer", &[]),
        ("tollgate check --quer", &["--query"]),
        ("tollgate pass", &["passwd"]),
        ("tollgate --user roo", &["root"]),
    ] {
        let Some(found) = answers(line) else { return };
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn zsh_completes() {
    let script = tree("dist/completions/_tollgate");
    // What it asks for is looked at: a completion itself wants a terminal.
    let ask = r#"
        _arguments() {
            print -rl -- "$@"
            [[ $words[2] == check ]] || _tollgate_first
        }
        _describe() { print -rl -- ${(P)2} }
        _files() { print FILES }
        script=$1; shift
        words=(tollgate "$@")
        complete() { source $script }
        complete"#;
    let answers = |words: &[&str]| {
        let args = [&["-f", "-c", ask, "zsh", script.to_str().unwrap()], words].concat();
        output("zsh", &args)
    };
    for (words, expected, not) in [
        (&["--x"][..], "--listen=[", "--query=["),
        (&["--x"], "check:", "--query=["),
        (&["--x"], "passwd:", "--query=["),
        (&["check"], "--query=[", "nothing of that"),
        (&["passwd"], "FILES", "--listen=["),
    ] {
        let Some(found) = answers(words) else { return };
        assert!(
            found.contains(expected) && !found.contains(not),
            "{words:?}: {found}"
        );
    }
}

#[test]
fn scripts_are_as_shellcheck_wants_them() {
    let mut scripts = [files_below(&tree("dist")), files_below(&tree(".ci"))].concat();
    scripts.retain(|path| {
        let text = fs::read(path).unwrap();
        text.starts_with(b"#!/bin/sh") || path.extension().is_some_and(|end| end == "bash")
    });
    assert!(scripts.len() > 4, "{scripts:?}");
    let names: Vec<_> = scripts.iter().map(|it| it.to_str().unwrap()).collect();
    if let Some(said) = output("shellcheck", &names) {
        assert_eq!(said, "");
    }
}

/// rc.common of OpenWrt, as far as the script uses it; the command line is printed.
const RC_COMMON: &str = r#"
    procd_open_instance() { :; }
    procd_close_instance() { echo; }
    procd_set_param() { [ "$1" != command ] || { shift; printf '%s\n' "$@"; }; }
    procd_append_param() { shift; printf '%s\n' "$@"; }
    procd_add_reload_trigger() { :; }
    config_load() { :; }
    config_foreach() { "$1" main; }
    config_get() { eval "$1=\$4"; }
    config_list_foreach() {
        case $2 in
            listen) "$3" 0.0.0.0:8000 ;;
            args) "$3" --max-processes=2; "$3" --max-spool=16M ;;
        esac
    }
    . "$0"
    start_service"#;

#[test]
fn the_script_for_openwrt_makes_a_command_line() {
    let script = tree("dist/openwrt/tollgate.init");
    let args = ["-c", RC_COMMON, script.to_str().unwrap()];
    let Some(said) = output("sh", &args) else {
        return;
    };
    let words: Vec<_> = said.trim().lines().collect();
    let expected = [
        "/usr/bin/tollgate",
        "--user",
        "nobody",
        "--listen",
        "0.0.0.0:8000",
        "--max-processes=2",
        "--max-spool=16M",
        "/srv",
    ];
    assert_eq!(words, expected);
    let surroundings = tollgate::config::Surroundings {
        variable: &|_| None,
        cores: 1,
        stdout_is_terminal: false,
        file: &|_| Err("is not read".to_owned()),
    };
    let parsed = tollgate::config::parse(words[1..].iter().map(Into::into), &surroundings);
    assert!(parsed.is_ok(), "{parsed:?}");
}

/// What `systemd-analyze security` gives the unit, times ten: 0 is a service that can do nothing, 96 one that can do
/// everything.
const EXPOSURE: &str = "15";

#[test]
fn the_unit_is_sandboxed_as_far_as_programs_can_bear() {
    let unit = tree("dist/systemd/tollgate.service");
    let args = [
        "security",
        "--no-pager",
        "--offline=true",
        "--threshold",
        EXPOSURE,
        unit.to_str().unwrap(),
    ];
    output("systemd-analyze", &args);
    // What it says of the server is so.
    let unit = fs::read_to_string(unit).unwrap();
    for (line, why) in [
        ("Type=notify", "it is told when the server is ready"),
        (
            "SystemCallFilter=pidfd_getfd",
            "sockets are taken over by it",
        ),
        ("KillMode=mixed", "the server ends its programs"),
    ] {
        assert!(unit.contains(&format!("\n{line}")), "{line}: {why}");
    }
}

#[test]
fn the_bill_of_materials_has_what_the_program_is_linked_with() {
    let sbom = || {
        let script = tree("dist/sbom").to_str().unwrap().to_owned();
        output("python3", &[&script, "x86_64-unknown-linux-gnu"])
    };
    let Some(first) = sbom() else { return };
    assert_eq!(Some(&first), sbom().as_ref(), "another one each time");
    let lock = fs::read_to_string(tree("Cargo.lock")).unwrap();
    for crate_name in ["httparse", "getopts", "rustix"] {
        let entry = lock
            .split("[[package]]")
            .find(|it| it.contains(&format!("name = \"{crate_name}\"")));
        let hash = entry.unwrap().split("checksum = \"").nth(1).unwrap();
        let hash = hash.split('"').next().unwrap();
        assert!(
            first.contains(&format!("\"pkg:cargo/{crate_name}@")),
            "{crate_name}"
        );
        assert!(first.contains(hash), "{crate_name}: {hash}");
    }
    // Tests and macros are not in it.
    for other in ["divan", "syn"] {
        assert!(!first.contains(&format!("\"pkg:cargo/{other}@")), "{other}");
    }
}

/// Below this folder nothing is left when it is dropped.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(files_below(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}

#[test]
fn make_installs_what_runs_and_takes_it_away() {
    let stage = Stage(std::env::temp_dir().join(format!("tollgate-stage-{}", std::process::id())));
    let root = stage.0.to_str().unwrap();
    let destination = format!("DESTDIR={root}");
    let binary = format!("BINARY={}", env!("CARGO_BIN_EXE_tollgate"));
    let tree = env!("CARGO_MANIFEST_DIR");
    let make = |target| {
        output(
            "make",
            &[
                "-s",
                "-C",
                tree,
                target,
                &destination,
                "PREFIX=/opt/it",
                &binary,
            ],
        )
    };
    if make("install").is_none() {
        return;
    }
    let program = format!("{root}/opt/it/bin/tollgate");
    let version = output(&program, &["--version"]).unwrap();
    assert_eq!(version, format!("tollgate {}\n", env!("CARGO_PKG_VERSION")));
    for file in [
        "share/man/man1/tollgate.1",
        "share/man/man5/tollgate.conf.5",
        "share/bash-completion/completions/tollgate",
        "share/zsh/site-functions/_tollgate",
        "share/fish/vendor_completions.d/tollgate.fish",
        "lib/systemd/system/tollgate.socket",
        "share/doc/tollgate/README.md",
        "share/doc/tollgate/examples/www/index.html",
        "share/doc/tollgate/examples/cgi-bin/hello.sh",
    ] {
        assert!(stage.0.join("opt/it").join(file).is_file(), "no {file}");
    }
    let unit = fs::read_to_string(format!("{root}/opt/it/lib/systemd/system/tollgate.service"));
    assert!(unit.unwrap().contains("\nExecStart=/opt/it/bin/tollgate "));
    // Twice is once.
    make("install");
    make("uninstall");
    assert_eq!(files_below(&stage.0), Vec::<PathBuf>::new());
}

/// The step of `make release-check` that compares versions, in a copy of what it reads.
#[test]
fn a_release_has_one_version() {
    let stage =
        Stage(std::env::temp_dir().join(format!("tollgate-release-{}", std::process::id())));
    let read = [
        "Cargo.toml",
        "Cargo.lock",
        "CHANGELOG.md",
        "docs/options.md",
        "dist/release-check",
        "dist/man/tollgate.1",
        "dist/man/tollgate.conf.5",
    ];
    for file in read {
        let place = stage.0.join(file);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(tree(file), place).unwrap();
    }
    let check = |step: &str| {
        // By sh: of a program that was just written another test may hold the descriptor, in a child of its own,
        // and then it cannot be executed.
        let ran = Command::new("sh")
            .arg(stage.0.join("dist/release-check"))
            .arg(step)
            .output();
        let ran = ran.unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        (ran.status.code(), said)
    };
    let (status, said) = check("versions");
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(check("verzions").0, Some(2));
    let version = env!("CARGO_PKG_VERSION");
    for file in read.iter().filter(|file| !file.contains("check")) {
        let path = stage.0.join(file);
        let right = fs::read_to_string(&path).unwrap();
        let wrong = match *file {
            "Cargo.lock" => {
                let named = format!("name = \"tollgate\"\nversion = \"{version}");
                right.replace(&named, &format!("{named}9"))
            }
            "Cargo.toml" => right.replacen(version, "9.9.9", 1),
            "CHANGELOG.md" => right.replacen(version, "9.9.9, not yet released", 1),
            _ => right.replace(&format!("tollgate {version}"), "tollgate 9.9.9"),
        };
        assert_ne!(right, wrong, "{file}");
        fs::write(&path, wrong).unwrap();
        let (status, said) = check("versions");
        assert_eq!(status, Some(1), "{file}: {said}");
        assert!(said.contains("not ready: versions"), "{said}");
        fs::write(&path, right).unwrap();
    }
}

#[test]
fn each_step_of_a_release_is_there() {
    let script = fs::read_to_string(tree("dist/release-check")).unwrap();
    let names = script
        .lines()
        .find_map(|line| line.strip_prefix("all='"))
        .unwrap();
    let names: Vec<&str> = names.trim_end_matches('\'').split(' ').collect();
    let steps: Vec<&str> = script
        .lines()
        .filter_map(|line| line.strip_prefix("step_")?.split_once("() {"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, steps);
    output(
        "shellcheck",
        &[tree("dist/release-check").to_str().unwrap()],
    );
}
