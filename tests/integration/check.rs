//! `tollgate check`: a program tried without a server, and folders looked at.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rustix::process::geteuid;

use crate::support::{Folder, Ran, run, tollgate};

/// Checks a file of a folder.
fn check(folder: &Folder, name: &str, options: &[&str]) -> Ran {
    let mut command = tollgate();
    command.arg("check").arg(folder.path(name)).args(options);
    if geteuid().is_root() && !options.contains(&"--user") {
        command.arg("--allow-root");
    }
    run(&mut command)
}

#[track_caller]
fn expect(ran: &Ran, status: i32, words: &[&str]) {
    assert_eq!(ran.status.code(), Some(status), "{ran:?}");
    assert_eq!(ran.stderr, "", "{ran:?}");
    for word in words {
        assert!(
            ran.stdout.contains(word),
            "{word:?} is not in {}",
            ran.stdout
        );
    }
}

#[test]
fn a_good_program_is_run_as_the_server_would() {
    let folder = Folder::new();
    folder.script(
        "cgi-bin/x",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nX-Own: %s\\n\\n' \"$HTTP_X_ASKED\"\nenv | sort\ncat\npwd\n",
    );
    let body = folder.file("body", "a=1&b=2");
    let ran = check(
        &folder,
        "cgi-bin/x",
        &[
            "--query",
            "q=%20",
            "--body",
            body.to_str().unwrap(),
            "--header",
            "Content-Type: application/x-www-form-urlencoded",
            "--header",
            "X-Asked: yes",
            "--header",
            "Proxy: evil",
            "--env",
            "OWN=own",
        ],
    );
    let cgi_bin = folder.text("cgi-bin");
    expect(
        &ran,
        0,
        &[
            "POST /cgi-bin/x?q=%20, with these variables:",
            "  QUERY_STRING=q=%20\n",
            "  CONTENT_LENGTH=7\n",
            "  CONTENT_TYPE=application/x-www-form-urlencoded\n",
            "  OWN=own\n",
            "   | Content-Type: text/plain\\r\\n\n   | X-Own: yes\\n\n   | \\n\n",
            "   | REQUEST_METHOD=POST\\n\n",
            "a=1&b=2",
            &cgi_bin,
            "exit status 0",
            "   | HTTP/1.1 200 OK\n",
            "nothing is wrong\n",
        ],
    );
    assert!(!ran.stdout.contains("evil"), "{}", ran.stdout);
}

#[test]
fn what_is_wrong_is_told_with_status_1() {
    let folder = Folder::new();
    for (name, content) in [
        (
            "late",
            "#!/bin/sh\necho stray\nprintf 'Content-Type: x/y\\n\\n'\n",
        ),
        (
            "trace",
            "#!/bin/sh\nprintf 'X: y\\n\\n'\necho $0: 2: foo: not found >&2\nexit 127\n",
        ),
        ("crlf", "#!/bin/sh\r\n"),
        ("silent", "#!/bin/sh\nsleep 1000\n"),
        ("esc", "#!/bin/sh\nprintf '\\033[2Jx'\n"),
    ] {
        folder.script(name, content);
    }
    folder.file("bit", "#!/bin/sh\n");
    for (name, words) in [
        (
            "late",
            &["error[cgi.header-late]: ", "stray\\n", "1 error\n"][..],
        ),
        (
            "trace",
            &[
                "error[cgi.exit]: The program failed at line 2 of ",
                "printf 'X: y",
            ],
        ),
        (
            "crlf",
            &[
                "error[cgi.carriage-return]: ",
                "#!/bin/sh\\r\\n",
                "= to mend it: sed -i ",
            ],
        ),
        ("silent", &["error[cgi.timeout]: ", "the server ended it"]),
        ("esc", &["error[cgi.no-header]: ", "\\x1b[2Jx"]),
        (
            "bit",
            &["error[cgi.not-executable]: ", "= to mend it: chmod +x "],
        ),
    ] {
        let ran = check(&folder, name, &["--cgi-timeout", "1"]);
        expect(&ran, 1, words);
        assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
    }
}

#[test]
fn output_that_waits_for_the_end_is_worth_a_note() {
    let folder = Folder::new();
    folder.script(
        "late",
        "#!/bin/sh\nsleep 1.3\nprintf 'X: y\\n\\nall at once'\n",
    );
    folder.script(
        "soon",
        "#!/bin/sh\nprintf 'X: y\\n\\n'\nsleep 1.3\necho more\n",
    );
    expect(
        &check(&folder, "late", &[]),
        0,
        &["note[lint.buffered]: ", "flush", "1 note\n"],
    );
    expect(&check(&folder, "soon", &[]), 0, &["nothing is wrong"]);
}

#[test]
fn an_interpreter_of_an_extension_runs_its_files() {
    let folder = Folder::new();
    folder.file("page.own", "printf 'X: y\\n\\n'; echo $SCRIPT_FILENAME\n");
    let ran = check(&folder, "page.own", &["--cgi", ".own=/bin/sh"]);
    expect(
        &ran,
        0,
        &[
            "GET /page.own",
            "REDIRECT_STATUS=200",
            &folder.text("page.own"),
        ],
    );
}

#[test]
fn json_has_all_of_it() {
    let folder = Folder::new();
    folder.script("x", "#!/bin/sh\nprintf 'no \"colon\"\\t'\n");
    let ran = check(&folder, "x", &["--json"]);
    expect(
        &ran,
        1,
        &[
            "\"request\":\"GET /cgi-bin/x\"",
            "\"SCRIPT_NAME\":\"/cgi-bin/x\"",
            "\"stdout\":\"no \\\"colon\\\"\\\\t\"",
            "\"stdout_length\":11",
            "\"code\":\"cgi.no-header\",\"severity\":\"error\"",
        ],
    );
    if let Some(python) = crate::support::program("python3") {
        let script = folder.file(
            "read.py",
            "import json, sys\nprint(len(json.load(open(sys.argv[1]))['findings']))\n",
        );
        let json = folder.file("x.json", &ran.stdout);
        let read = run(std::process::Command::new(python).arg(script).arg(json));
        assert_eq!(read.stdout, "1\n", "{read:?}");
    }
}

#[test]
fn what_is_shown_of_much_output_is_bounded() {
    let folder = Folder::new();
    folder.script(
        "much",
        "#!/bin/sh\nprintf 'X: y\\n\\n'\nhead -c 100000 /dev/zero | tr '\\0' m\n",
    );
    let ran = check(&folder, "much", &[]);
    expect(
        &ran,
        0,
        &[
            "it printed 100006 bytes",
            "(the first 4096 of 100006 bytes)",
        ],
    );
    assert!(ran.stdout.matches('m').count() < 4_300, "{ran:?}");
    let json = check(&folder, "much", &["--json"]);
    expect(&json, 0, &["\"stdout_length\":100006"]);
    assert!(
        json.stdout.len() < (64 << 10) + 8_000,
        "{}",
        json.stdout.len()
    );
    // As long a header as is permitted, with the server's own fields: the end of it is not shown.
    folder.script(
        "fields",
        "#!/bin/sh\nfor i in $(seq 60); do printf 'X-%s: ' $i; head -c 250 /dev/zero | tr '\\0' f; echo; done\n\
         printf '\\n'\n",
    );
    let ran = check(&folder, "fields", &[]);
    expect(&ran, 0, &["X-60: "]);
    let response = ran.stdout.split("a client would get").nth(1).unwrap();
    assert!(response.len() < (16 << 10) + 2_000, "{}", response.len());
}

#[test]
fn a_folder_is_looked_at_and_nothing_in_it_run() {
    let folder = Folder::new();
    folder.script("cgi-bin/runs", "#!/bin/sh\ntouch ran\n");
    folder.file("cgi-bin/bit", "#!/bin/sh\n");
    folder.script("cgi-bin/crlf", "#!/bin/sh\r\n");
    let open = folder.script("cgi-bin/open", "#!/bin/sh\n");
    fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
    folder.file("www/.env", "A=1");
    folder.file("www/dump.sql", "");
    folder.file("www/key.pem", "-----BEGIN PRIVATE KEY-----\nabc\n");
    let programs = [
        "error[cgi.not-executable]: ",
        "error[cgi.carriage-return]: ",
        "warning[lint.world-writable]: ",
    ];
    let files = [
        "warning[lint.secret]: ",
        "dump.sql",
        "key.pem",
        "note[lint.hidden-secret]: ",
    ];
    expect(&check(&folder, "cgi-bin", &[]), 1, &programs);
    expect(&check(&folder, "www", &[]), 0, &files);
    let whole = check(&folder, "", &[]);
    expect(&whole, 1, &[&programs[..], &files].concat());
    expect(&whole, 1, &["2 errors, 3 warnings, 1 note\n"]);
    assert!(!whole.stdout.contains("abc") && !folder.path("cgi-bin/ran").exists());
    let json = check(&folder, "cgi-bin", &["--json"]);
    expect(
        &json,
        1,
        &["\"findings\":[{\"code\":\"cgi.not-executable\""],
    );
}

#[test]
fn what_cannot_be_tried_is_told_in_one_line() {
    let folder = Folder::new();
    folder.script("x", "#!/bin/sh\n");
    for (name, options, status, words) in [
        ("none", &[][..], 2, "cannot be found"),
        (
            "x",
            &["--body", "/nowhere/body"],
            2,
            "--body: '/nowhere/body' cannot be read",
        ),
        ("x", &["--sandbox"], 2, "--sandbox: is for the server alone"),
        ("x", &["--method", "a b"], 2, "--method: 'a b' is no method"),
    ] {
        let ran = check(&folder, name, options);
        assert_eq!(ran.status.code(), Some(status), "{ran:?}");
        assert!(
            ran.stderr.contains(words) && ran.stderr.lines().count() == 1,
            "{ran:?}"
        );
    }
    if geteuid().is_root() {
        let ran = run(tollgate().arg("check").arg(folder.path("x")));
        assert!(ran.stderr.contains("programs would run as root"), "{ran:?}");
        folder.script("who", "#!/bin/sh\nprintf 'X: y\\n\\n'; id -u\n");
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let ran = check(&folder, "who", &["--user", "65534:65534"]);
        expect(&ran, 0, &["   | 65534\\n"]);
    }
}

#[test]
fn help_tells_of_the_command() {
    let ran = run(tollgate().args(["check", "--help"]));
    expect(
        &ran,
        0,
        &["tollgate check [OPTIONS] PATH", "--query Q", "--json"],
    );
    assert!(
        ran.stdout.lines().all(|line| line.len() <= 84),
        "{}",
        ran.stdout
    );
}
