//! What is told of a program, a file or an application that failed: on the page where that is asked for,
//! and otherwise in the log alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::support::{Response, Server, Site, installed, is_root, program};

/// The answer to a client on this machine, which asks for it by that name.
fn fetch(server: &Server, method: &str, target: &str, fields: &[&str]) -> Response {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    server.exchange(method, request.as_bytes())
}

/// The page as a terminal gets it.
fn page(server: &Server, target: &str) -> Response {
    fetch(server, "GET", target, &["Accept: text/plain"])
}

/// Fails unless the page of `target` has this code and all `words`, and the log the code.
#[track_caller]
fn expect(server: &Server, target: &str, status: u16, code: &str, words: &[&str]) {
    let response = page(server, target);
    let text = response.text();
    assert_eq!(response.status, status, "{target}: {text}");
    assert!(
        text.contains(&format!("error[{code}]: ")),
        "{target}: {text}"
    );
    for word in words {
        assert!(text.contains(word), "{target}: {word:?} is not in {text}");
    }
    server.expect_access(target, status, code);
    server.wait_for_log(&format!(": {code}: "));
}

#[test]
fn what_cannot_be_started_is_explained() {
    let site = Site::new();
    site.file("cgi-bin/bit", "#!/bin/sh\n");
    site.script("cgi-bin/none", "echo hello\n");
    site.script("cgi-bin/unknown", "#!/nowhere/sh\n");
    site.script("cgi-bin/crlf", "#!/bin/sh\r\necho\r\n");
    site.script("cgi-bin/env-crlf", "#!/usr/bin/env sh\r\necho\r\n");
    site.script("cgi-bin/env", "#!/usr/bin/env nowhere9\n");
    site.script("cgi-bin/bom", "\u{feff}#!/bin/sh\n");
    let mut other = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    other.resize(18, 0);
    other.extend([22, 0]);
    other.resize(120, 0);
    site.script("cgi-bin/s390", other);
    let server = site.serve(&[]);
    for (name, status, code, words) in [
        ("bit", 403, "cgi.not-executable", &["chmod +x ", "rw-"][..]),
        (
            "none",
            500,
            "cgi.bad-format",
            &["has no #! line", "echo hello"],
        ),
        (
            "unknown",
            500,
            "cgi.no-interpreter",
            &["'/nowhere/sh'", "#!/nowhere/sh\\n"],
        ),
        (
            "crlf",
            500,
            "cgi.carriage-return",
            &["#!/bin/sh\\r\\n", "sed -i 's/\\r$//' "],
        ),
        (
            "env-crlf",
            500,
            "cgi.carriage-return",
            &["'sh^M'", "sed -i"],
        ),
        ("env", 500, "cgi.no-interpreter", &["'nowhere9'"]),
        (
            "bom",
            500,
            "cgi.byte-order-mark",
            &["\\u{feff}#!/bin/sh\\n"],
        ),
        ("s390", 500, "cgi.processor", &["compiled for s390x"]),
    ] {
        expect(&server, &format!("/cgi-bin/{name}"), status, code, words);
        // The start has told of it, too.
        server.wait_for_log(&format!("WARN  {code}: "));
    }
}

#[test]
fn what_a_program_prints_is_explained() {
    let site = Site::new();
    for (name, body) in [
        ("nothing", "exit 0"),
        ("text", "echo 'stray print'; exit 0"),
        (
            "late",
            "echo 'stray print'; printf 'Content-Type: text/plain\\n\\nx'",
        ),
        ("colon", "printf 'X: y\\nno colon here\\n\\n'"),
        ("blank", "printf 'X: y\\n'"),
        ("status", "printf 'Status: okay\\n\\n'"),
        ("control", "printf 'X: a\\001b\\n\\n'"),
        (
            "trace",
            "printf 'X: y\\n'; echo $0: 12: foo: not found >&2; exit 127",
        ),
        ("crash", "kill -SEGV $$"),
        ("killed", "kill -KILL $$"),
        ("silent", "sleep 1000"),
        ("busy", "while :; do :; done"),
    ] {
        site.script(&format!("cgi-bin/{name}"), format!("#!/bin/sh\n{body}\n"));
    }
    let server = site.serve(&["--cgi-timeout", "1.5"]);
    for (name, status, code, words) in [
        (
            "nothing",
            502,
            "cgi.no-output",
            &["without printing anything"][..],
        ),
        (
            "text",
            502,
            "cgi.no-header",
            &["no colon", "stray print\\n"],
        ),
        (
            "late",
            502,
            "cgi.header-late",
            &["in line 2", "stray print\\n", "Content-Type: text/plain\\n"],
        ),
        (
            "colon",
            502,
            "cgi.header-malformed",
            &["Line 2 ", "no colon here"],
        ),
        ("blank", 502, "cgi.header-cut", &["no empty line", "X: y"]),
        ("status", 502, "cgi.status", &["Status: okay"]),
        ("control", 502, "cgi.header-malformed", &["X: a\\x01b"]),
        (
            "trace",
            502,
            "cgi.failed",
            &[
                "line 12 of",
                "cgi-bin/trace (shell): foo: not found",
                "X: y",
            ],
        ),
        ("crash", 502, "cgi.killed", &["SIGSEGV (11)", "crashed"]),
        ("killed", 502, "cgi.killed", &["SIGKILL (9)"]),
        (
            "silent",
            504,
            "cgi.timeout",
            &["has printed nothing for 1.50 s", "sleep (process "],
        ),
        (
            "busy",
            504,
            "cgi.timeout",
            &["It computes", "of processor time"],
        ),
    ] {
        expect(&server, &format!("/cgi-bin/{name}"), status, code, words);
    }
}

#[test]
fn a_traceback_names_the_line_and_shows_it() {
    let test = "a_traceback_names_the_line_and_shows_it";
    for (name, interpreter, source, language, line, message) in [
        (
            "x.py",
            "python3",
            "import os\nprint(nowhere)\n",
            "Python",
            3,
            "NameError",
        ),
        (
            "x.pl",
            "perl",
            "my $x = 1;\ndie 'no luck';\n",
            "Perl",
            3,
            "no luck",
        ),
        (
            "x.js",
            "node",
            "\nnowhere.x\n",
            "Node.js",
            3,
            "ReferenceError",
        ),
        (
            "x.sh",
            "sh",
            "exec 3>&1\n: ${NOWHERE?is not set}\n",
            "shell",
            3,
            "NOWHERE",
        ),
        ("x.rb", "ruby", "\nnowhere\n", "Ruby", 3, "nowhere"),
        ("x.lua", "lua", "\nnowhere.x = 1\n", "Lua", 3, "nowhere"),
    ] {
        let Some(path) = program(interpreter) else {
            crate::support::skipped(test, interpreter);
            continue;
        };
        let site = Site::new();
        let own = format!("cgi-bin/{name}");
        site.script(&own, format!("#!{}\n{source}", path.display()));
        // A wrapper of an interpreter may need what a program is not told.
        let home = std::env::var("HOME").unwrap_or_default();
        let server = site.serve(&["--env", &format!("HOME={home}"), "--env", "PATH"]);
        let place = format!("line {line} of {} ({language}): ", server.text(&own));
        let quoted = source.lines().nth(line - 2).unwrap();
        expect(
            &server,
            &format!("/{own}"),
            502,
            "cgi.failed",
            &[&place, message, quoted],
        );
    }
}

#[test]
fn a_missing_library_is_named() {
    let test = "a_missing_library_is_named";
    let Some(cc) = installed(test, "cc") else {
        return;
    };
    let site = Site::new();
    let library = site.text("libnowhere9.so");
    let source = site.file("lib.c", "int nowhere(void) { return 1; }\n");
    let main = site.file(
        "main.c",
        "int nowhere(void); int main(void) { return nowhere(); }\n",
    );
    let program = site.path("cgi-bin/linked");
    fs::create_dir_all(site.path("cgi-bin")).unwrap();
    for arguments in [
        vec!["-shared", "-fPIC", "-o", &library, source.to_str().unwrap()],
        vec![
            "-o",
            program.to_str().unwrap(),
            main.to_str().unwrap(),
            &library,
        ],
    ] {
        let status = std::process::Command::new(&cc).args(arguments).status();
        assert!(status.unwrap().success());
    }
    fs::remove_file(&library).unwrap();
    let server = site.serve(&[]);
    expect(
        &server,
        "/cgi-bin/linked",
        502,
        "cgi.library",
        &["libnowhere9.so", "ldd"],
    );
}

#[test]
fn a_closed_folder_is_named() {
    if !is_root("a_closed_folder_is_named") {
        return;
    }
    let site = Site::new();
    site.script("cgi-bin/closed/x", "#!/bin/sh\n");
    site.file("www/closed/x.txt", "x");
    site.file("www/own.txt", "x");
    for (name, mode) in [
        ("cgi-bin/closed", 0o700),
        ("www/closed", 0o700),
        ("www/own.txt", 0o600),
    ] {
        fs::set_permissions(site.path(name), Permissions::from_mode(mode)).unwrap();
    }
    let server = site.serve(&["--user", "65534:65534"]);
    let closed = format!("{} ", server.text("cgi-bin/closed"));
    let words = [
        "user (65534) may not pass",
        closed.trim(),
        "chmod a+x ",
        "rwx------ (0700)",
    ];
    expect(
        &server,
        "/cgi-bin/closed/x",
        403,
        "cgi.folder-denied",
        &words,
    );
    expect(
        &server,
        "/closed/x.txt",
        403,
        "file.denied",
        &["may not pass", "chmod a+x "],
    );
    expect(
        &server,
        "/own.txt",
        403,
        "file.denied",
        &["may not be read", "chmod o+r "],
    );
}

#[test]
fn a_response_that_is_begun_stands_and_the_log_tells() {
    let site = Site::new();
    for (name, body) in [
        ("short", "printf 'Content-Length: 10\\n\\nabc'"),
        ("long", "printf 'Content-Length: 2\\n\\nabc'"),
        ("exit", "printf 'Content-Type: text/plain\\n\\nabc'; exit 3"),
        (
            "trace",
            "printf 'Content-Type: text/plain\\n\\nabc'; echo $0: 7: foo: not found >&2; exit 127",
        ),
    ] {
        site.script(&format!("cgi-bin/{name}"), format!("#!/bin/sh\n{body}\n"));
    }
    let server = site.serve(&[]);
    for (name, code, words) in [
        (
            "short",
            "cgi.short",
            &["printed 3 bytes of body, fewer than"][..],
        ),
        ("long", "cgi.long", &["more than the 2 bytes"]),
        ("exit", "cgi.exit", &["ended with exit status 3"]),
        (
            "trace",
            "cgi.exit",
            &["failed at line 7 of", "(shell): foo: not found"],
        ),
    ] {
        let mut client = server.connect();
        client.send(format!(
            "GET /cgi-bin/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ));
        let line = server.wait_for_log(&format!("/cgi-bin/{name}: {code}: "));
        for word in words {
            assert!(line.contains(word), "{word:?} is not in {line}");
        }
    }
}

#[test]
fn limits_are_told_apart() {
    let site = Site::new();
    site.script("cgi-bin/cpu", "#!/bin/sh\nwhile :; do :; done\n");
    site.script("cgi-bin/file", "#!/bin/sh\ncat /dev/zero > big\n");
    let server = site.serve(&["--limit", "cpu=1,file-size=64K"]);
    expect(
        &server,
        "/cgi-bin/cpu",
        504,
        "cgi.cpu-limit",
        &["SIGXCPU (24)", "--limit cpu"],
    );
    let response = page(&server, "/cgi-bin/file");
    // It is cat that is ended, mostly, and the shell that prints nothing after that.
    assert!(response.status >= 500, "{}", response.text());
}

/// What no client is to see: the program's words, its place and what it prints.
const SECRETS: [&str; 4] = ["stray print", "cgi-bin/", "no colon", "error["];

#[track_caller]
fn expect_plain(response: &Response) {
    assert_eq!(response.status, 502);
    for secret in SECRETS {
        assert!(
            !response.text().contains(secret),
            "{secret:?} leaks: {}",
            response.text()
        );
    }
    assert!(response.text().contains("Request "), "{}", response.text());
}

fn failing() -> Site {
    let site = Site::new();
    site.script("cgi-bin/x", "#!/bin/sh\necho 'stray print'\n");
    site
}

#[test]
fn nothing_leaks_unless_it_is_asked_for() {
    for options in [
        &["--no-explain"][..],
        &["--explain", "--no-explain"],
        &["--trusted-proxy", "127.0.0.1"],
        &["--listen", "0.0.0.0:0"],
        &["--listen", "unix:sock"],
    ] {
        let site = failing();
        let socket = format!("unix:{}", site.text("sock"));
        let options: Vec<&str> = options
            .iter()
            .map(|&it| if it == "unix:sock" { &socket } else { it })
            .collect();
        let server = site.serve(&options);
        for accept in ["Accept: text/html", "Accept: text/plain"] {
            expect_plain(&fetch(&server, "GET", "/cgi-bin/x", &[accept]));
        }
        // The operator finds it under the id that the page shows.
        let response = page(&server, "/cgi-bin/x");
        let text = response.text();
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("Request "))
            .unwrap();
        let line = server.wait_for_log(&format!("{id} /cgi-bin/x: cgi.no-header"));
        assert!(
            line.contains("stray print\\n") && line.contains("to mend it"),
            "{line}"
        );
    }
}

#[test]
fn by_default_only_who_comes_by_itself_is_told() {
    let server = failing().serve(&[]);
    assert!(page(&server, "/cgi-bin/x").text().contains("stray print"));
    for field in [
        "X-Forwarded-For: 192.0.2.1",
        "Forwarded: for=192.0.2.1",
        "Via: 1.1 proxy",
        "X-Real-IP: 192.0.2.1",
        "X-Forwarded-Host: example.org",
        "x-forwarded-proto: https",
        "X-Forwarded-Server: example.org",
        "X-Client-IP: 192.0.2.1",
        "CF-Connecting-IP: 192.0.2.1",
        "True-Client-IP: 192.0.2.1",
    ] {
        expect_plain(&fetch(&server, "GET", "/cgi-bin/x", &[field]));
    }
    for host in [
        "example.org",
        "127.0.0.1.example.org",
        "192.0.2.1",
        "[2001:db8::1]",
    ] {
        let request = format!("GET /cgi-bin/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        expect_plain(&server.exchange("GET", request.as_bytes()));
    }
    let as_nginx = b"GET /cgi-bin/x HTTP/1.0\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n";
    expect_plain(&server.exchange("GET", as_nginx));
    for host in ["localhost:8080", "127.0.0.1", "[::1]:80"] {
        let request = format!("GET /cgi-bin/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let response = server.exchange("GET", request.as_bytes());
        assert!(
            response.text().contains("stray print"),
            "{host}: {}",
            response.text()
        );
    }
    let server = failing().serve(&["--explain", "--listen", "0.0.0.0:0"]);
    let request = b"GET /cgi-bin/x HTTP/1.1\r\nHost: example.org\r\nVia: 1.1 x\r\n\r\n";
    assert!(
        server
            .exchange("GET", request)
            .text()
            .contains("stray print")
    );
}

#[test]
fn the_page_is_html_in_which_nothing_runs() {
    let site = Site::new();
    site.script("cgi-bin/x", "#!/bin/sh\necho '<script>alert(1)</script>'\n");
    site.file("www/502.html", "a page of the site's own");
    let server = site.serve(&[]);
    let response = fetch(&server, "GET", "/cgi-bin/x", &["Accept: text/html"]);
    let text = response.text();
    assert!(text.starts_with("<!DOCTYPE html>"), "{text}");
    assert!(
        text.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\n"),
        "{text}"
    );
    assert!(!text.contains("<script"), "{text}");
    assert!(
        text.contains("<h2>To mend it</h2>") && text.contains("cgi.no-header"),
        "{text}"
    );
    assert_eq!(response.field("cache-control"), Some("no-store"));
    // A HEAD has no page, and others have the site's.
    let bare = fetch(&server, "HEAD", "/cgi-bin/x", &[]);
    assert_eq!((bare.status, bare.text().as_str()), (502, ""));
    let plain = fetch(
        &server,
        "GET",
        "/cgi-bin/x",
        &["Via: 1.1 x", "Accept: text/html"],
    );
    assert_eq!(plain.text(), "a page of the site's own");
}

#[test]
fn secrets_among_the_files_are_told_at_the_start() {
    let site = Site::new();
    site.file("www/dump.sql", "x");
    site.file("www/.env", "x");
    let open = site.script("cgi-bin/open", "#!/bin/sh\n");
    fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
    let server = site.serve(&[]);
    server.wait_for_log("WARN  lint.secret: ");
    server.wait_for_log("WARN  lint.world-writable: ");
    // What is not sent anyway is told by `check` alone.
    assert!(!server.log().contains("hidden-secret"), "{}", server.log());
    assert_eq!(server.get("/dump.sql").status, 200);
}

#[test]
fn only_so_many_faults_are_told_at_the_start() {
    let site = Site::new();
    for number in 0..25 {
        site.file(&format!("www/{number}.sql"), "x");
    }
    let server = site.serve(&[]);
    server.wait_for_log("5 more faults are told by: tollgate check FOLDER");
    let log = server.log();
    assert_eq!(log.matches("WARN  lint.secret: ").count(), 20, "{log}");
}

/// What it says after a wrong header may be the cause, but its client is not kept for it.
#[test]
fn a_program_is_not_heard_for_long_after_a_wrong_header() {
    let site = Site::new();
    site.script("cgi-bin/sleeps", "#!/bin/sh\necho wrong\nexec sleep 600\n");
    site.script("cgi-bin/floods", "#!/bin/sh\nexec yes wrong\n");
    let server = site.serve(&["--cgi-timeout", "600"]);
    for name in ["sleeps", "floods"] {
        let target = format!("/cgi-bin/{name}");
        expect(&server, &target, 502, "cgi.no-header", &["wrong\\n"]);
        let quoted = page(&server, &target).text().matches("wrong").count();
        assert!(quoted < 200, "{name}: {quoted}");
    }
}

#[cfg(feature = "fastcgi")]
mod applications {
    use super::*;
    use crate::fastcgi_php::php_fpm;
    use crate::support::Fpm;
    use crate::support::backend::records::{OVERLOADED, UNKNOWN_ROLE};
    use crate::support::backend::{Backend, Exchange, Scripted};

    #[test]
    fn a_backend_that_is_not_there_is_explained() {
        let site = Site::new();
        site.file("plain", "");
        let missing = site.text("missing.sock");
        let plain = site.text("plain");
        let stale = site.text("stale.sock");
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let server = site.serve(&[
            "-f",
            &format!("/missing/=unix:{missing}"),
            "-f",
            &format!("/plain/=unix:{plain}"),
            "-f",
            &format!("/stale/=unix:{stale}"),
            "-f",
            &format!("/closed/={closed}"),
        ]);
        for (target, words) in [
            (
                "/missing/",
                &["there is no such socket", "start the application"][..],
            ),
            ("/plain/", &["nobody listens on it"]),
            ("/stale/", &["nobody listens on it"]),
            ("/closed/", &["nobody listens there"]),
        ] {
            expect(&server, target, 502, "fastcgi.unreachable", words);
        }
    }

    #[test]
    fn a_socket_without_leave_is_explained() {
        if !is_root("a_socket_without_leave_is_explained") {
            return;
        }
        let site = Site::new();
        let path = site.text("own.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let server = site.serve(&["--user", "65534:65534", "-f", &format!("/x/=unix:{path}")]);
        let words = ["mode 0600", "runs as user 65534", "listen.group"];
        expect(&server, "/x/", 502, "fastcgi.denied", &words);
    }

    #[test]
    fn what_an_application_refuses_is_explained() {
        for (backend, status, code, words) in [
            (
                Backend::start(|exchange| exchange.end_with(0, UNKNOWN_ROLE)),
                502,
                "fastcgi.role",
                &["does not know the role", "authorizer:"][..],
            ),
            (
                Backend::start(|exchange| exchange.end_with(0, OVERLOADED)),
                503,
                "fastcgi.overloaded",
                &["limit of connections", "--max-backend"],
            ),
            (
                Backend::start(|exchange| {
                    exchange.err("about to fail\n")?;
                    exchange.reply("stray print\nContent-Type: text/html\n\nx")
                }),
                502,
                "cgi.header-late",
                &["in line 2", "stray print\\n", "about to fail"],
            ),
        ] {
            let server = Site::new().serve(&["-f", &format!("/app/={}", backend.address())]);
            expect(&server, "/app/x", status, code, words);
        }
    }

    /// What php-fpm says where it finds no file.
    fn unknown(exchange: &mut Exchange<'_>) -> Scripted {
        exchange.err("Primary script unknown")?;
        exchange.reply("Status: 404 Not Found\nContent-type: text/html\n\nFile not found.\n")
    }

    #[test]
    fn the_path_that_php_looks_for_is_told() {
        let code = "fastcgi.script-unknown";
        let site = Site::new();
        site.file("www/app/there.php", "<?php");
        let backend = Backend::start(unknown);
        let server = site.serve(&["-f", &format!("/app/={}", backend.address())]);
        let there = server.text("www/app/there.php");
        let words = ["For tollgate it is there", &there, "chroot"];
        expect(&server, "/app/there.php", 404, code, &words);
        let words = ["neither does tollgate", "www/app/none.php"];
        expect(&server, "/app/none.php", 404, code, &words);
        // Who is told nothing gets what PHP says.
        let plain = server.get("/app/there.php?plain");
        assert_eq!(
            (plain.status, plain.text().as_str()),
            (404, "File not found.\n")
        );
        server.expect_access("/app/there.php?plain", 404, code);
    }

    #[test]
    fn php_fpm_is_understood() {
        let Some(fpm) = php_fpm("php_fpm_is_understood") else {
            return;
        };
        let site = Site::new();
        site.file("www/x.txt", "");
        let fpm = Fpm::start(&fpm, &site, 1, "");
        let server = site.serve(&["-f", &format!("/app/={}", fpm.backend())]);
        let words = ["neither does tollgate", "www/app/none.php"];
        expect(
            &server,
            "/app/none.php",
            404,
            "fastcgi.script-unknown",
            &words,
        );
    }
}
