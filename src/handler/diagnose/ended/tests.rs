#![cfg(feature = "explain")]

use super::*;
use crate::sys::testing::TempDir;

fn nothing() -> Case<'static> {
    Case {
        reason: Reason::CgiNoOutput,
        script: Path::new("/srv/cgi-bin/x"),
        exit: Some(Exit::Status(0)),
        printed: b"",
        stderr: b"",
        body_len: 0,
        looks: &[],
        silence: Duration::from_secs(60),
    }
}

#[test]
fn the_innermost_cause_is_told() {
    let failed = Some(Exit::Status(1));
    // (case, code, part of it in one line)
    for (case, code, words) in [
        (nothing(), "cgi.no-output", "without printing anything"),
        (
            Case { exit: failed, ..nothing() },
            "cgi.no-output",
            "ended with exit status 1 and printed nothing",
        ),
        (
            Case { exit: failed, stderr: b"/srv/cgi-bin/x: 3: foo: not found\n", ..nothing() },
            "cgi.failed",
            "failed at line 3 of /srv/cgi-bin/x (shell): foo: not found",
        ),
        // What ends well has not failed, whatever it complains of.
        (
            Case { stderr: b"/srv/cgi-bin/x: 3: foo: not found\n", ..nothing() },
            "cgi.no-output",
            "printed nothing",
        ),
        (
            Case {
                reason: Reason::CgiNoHeader,
                printed: b"debug\n",
                exit: failed,
                stderr: b"  File \"x.py\", line 3\nNameError: y\n",
                ..nothing()
            },
            "cgi.failed",
            "it printed: \"debug\\n\"",
        ),
        (
            Case { reason: Reason::CgiNoHeader, printed: b"debug\n", exit: None, ..nothing() },
            "cgi.no-header",
            "no colon",
        ),
        (
            Case {
                exit: Some(Exit::Status(127)),
                stderr: b"x: error while loading shared libraries: libz.so.9: cannot open shared object file\n",
                ..nothing()
            },
            "cgi.library",
            "libz.so.9",
        ),
        (
            Case {
                exit: Some(Exit::Status(127)),
                stderr: b"env: 'python9': No such file or directory\n",
                ..nothing()
            },
            "cgi.no-interpreter",
            "'python9'",
        ),
        (
            Case { reason: Reason::CgiShort, body_len: 3, ..nothing() },
            "cgi.short",
            "printed 3 bytes",
        ),
        (
            Case { reason: Reason::CgiLong, body_len: 3, ..nothing() },
            "cgi.long",
            "more than the 3 bytes",
        ),
        (
            Case { reason: Reason::CgiExit, exit: failed, ..nothing() },
            "cgi.exit",
            "exit status 1",
        ),
        (
            Case { reason: Reason::FastcgiRole, exit: None, ..nothing() },
            "fastcgi.role",
            "authorizer:",
        ),
        (
            Case { reason: Reason::FastcgiMultiplex, exit: None, ..nothing() },
            "fastcgi.multiplex",
            "to mend it: have it take a request",
        ),
        (
            Case { reason: Reason::FastcgiStatus, exit: None, ..nothing() },
            "fastcgi.status",
            "with status 0",
        ),
        (
            Case {
                reason: Reason::FastcgiStatus,
                exit: None,
                stderr: b"PHP message: PHP Fatal error:  Uncaught Error: no foo() in /srv/x.php:2\n",
                ..nothing()
            },
            "fastcgi.status",
            "failed at line 2 of /srv/x.php (PHP)",
        ),
        (
            Case {
                exit: failed,
                stderr: b"  File \"/srv/x.py\", line 3\nMemoryError: \n",
                ..nothing()
            },
            "cgi.failed",
            "--limit memory",
        ),
        (
            Case { exit: failed, stderr: b"Out of memory!\n", ..nothing() },
            "cgi.no-output",
            "--limit memory",
        ),
        (
            Case {
                exit: failed,
                stderr: b"  File \"/usr/lib/python3/x.py\", line 3\nKeyError: 1\n",
                ..nothing()
            },
            "cgi.failed",
            "it is in a library",
        ),
        (
            Case { reason: Reason::FastcgiOverloaded, exit: None, ..nothing() },
            "fastcgi.overloaded",
            "limit of connections",
        ),
    ] {
        let finding = case.finding();
        assert_eq!(finding.code.to_string(), code, "{finding:?}");
        assert!(finding.line().contains(words), "{words}: {}", finding.line());
    }
}

#[test]
fn a_signal_is_told_by_its_name_and_its_hand() {
    begin();
    for (signal, reason, code, words) in [
        (11, Reason::CgiKilled, "cgi.killed", "SIGSEGV (11)"),
        (6, Reason::CgiKilled, "cgi.killed", "SIGABRT (6)"),
        (5, Reason::CgiKilled, "cgi.killed", "gave itself up"),
        (31, Reason::CgiKilled, "cgi.killed", "crashed"),
        (
            15,
            Reason::CgiKilled,
            "cgi.killed",
            "that tollgate did not send",
        ),
        (40, Reason::CgiKilled, "cgi.killed", "a signal (40)"),
        (
            child::CPU_LIMIT,
            Reason::CgiCpuLimit,
            "cgi.cpu-limit",
            "--limit cpu",
        ),
        (
            child::FILE_LIMIT,
            Reason::CgiFileLimit,
            "cgi.file-limit",
            "--limit file-size",
        ),
    ] {
        let case = Case {
            reason,
            exit: Some(Exit::Signal(signal)),
            ..nothing()
        };
        let finding = case.finding();
        assert_eq!(finding.code.to_string(), code, "{finding:?}");
        assert!(finding.line().contains(words), "{finding:?}");
    }
    let lost = Case {
        reason: Reason::CgiKilled,
        exit: Some(Exit::Lost),
        ..nothing()
    };
    assert!(lost.finding().sentence.contains("had started the program"));
}

#[test]
fn silence_is_told_by_what_the_program_did() {
    let look = |doing| Look {
        pid: 7,
        name: "x".to_owned(),
        doing,
    };
    for (looks, words) in [
        (vec![], "printed nothing for 60.00 s, and was ended. What"),
        (vec![look(look::Doing::Computes(1234))], "It computes."),
        (vec![look(look::Doing::Computes(1234))], "taken 12.34 s"),
        (
            vec![
                look(look::Doing::AwaitsChild),
                look(look::Doing::Reads(3, "pipe:[1]".to_owned())),
            ],
            "descriptor 3 (pipe:[1])",
        ),
        (vec![look(look::Doing::Sleeps)], "It waits."),
    ] {
        let case = Case {
            reason: Reason::CgiTimeout,
            exit: None,
            looks: &looks,
            ..nothing()
        };
        let line = case.finding().line();
        assert!(line.contains(words), "{words}: {line}");
    }
}

#[test]
fn only_a_file_beside_the_program_is_quoted() {
    let folder = TempDir::new();
    folder.write("cgi-bin/x.py", "one\ntwo\nthree\n");
    folder.write("secret.py", "secret\n");
    folder.link("../secret.py", "cgi-bin/link.py");
    let script = folder.path().join("cgi-bin/x.py");
    let case = Case {
        script: &script,
        ..nothing()
    };
    let own = script.to_str().unwrap();
    let outside = folder.path().join("secret.py");
    for (file, line, quoted) in [
        (own, 2, "two"),
        ("x.py", 3, "three"),
        ("x.py", 4, ""),
        (outside.to_str().unwrap(), 1, ""),
        ("../secret.py", 1, ""),
        ("link.py", 1, ""),
        ("/etc/passwd", 1, ""),
        (".", 1, ""),
    ] {
        assert_eq!(case.source_line(file, line), quoted, "{file}");
    }
}

#[test]
fn a_long_source_is_read_to_a_bound() {
    let folder = TempDir::new();
    let first = "x".repeat(SOURCE_MAX - 4);
    folder.write("x.py", format!("{first}\ntwo\nthree\n"));
    let script = folder.path().join("x.py");
    let case = Case {
        script: &script,
        ..nothing()
    };
    assert_eq!(case.source_line("x.py", 2), "two");
    assert_eq!(case.source_line("x.py", 3), "");
}

#[cfg(feature = "fastcgi")]
#[test]
fn the_path_that_php_looked_for_is_told() {
    let folder = TempDir::new();
    folder.write("x.php", "<?php");
    let path = folder.path().join("x.php");
    for (path, words) in [
        (path.as_os_str().as_bytes(), "For tollgate it is there"),
        (b"/nowhere/x.php", "neither does tollgate"),
        (b"", "it was told of none"),
    ] {
        let finding = script_unknown(path, b"Primary script unknown\n");
        assert!(finding.sentence.contains(words), "{finding:?}");
        assert_eq!(finding.reason(), Some(Reason::FastcgiScriptUnknown));
    }
    assert!(is_script_unknown(b"PHP message: Primary script unknown\n"));
    assert!(!is_script_unknown(b"Primary"));
}
