//! What a program is given: its environment, arguments, standard input, folder and descriptors
//! (RFC 3875 sections 4 and 7.2), and which program it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;

use crate::support::{Ended, Server, Site, request};

#[test]
fn every_meta_variable() {
    let server = Server::start(&[]);
    let target = "/cgi-bin/probe/env/a%20b//C?x=%41&y";
    let variables = server.variables(target, &["X-Test: yes", "Accept: text/plain"]);
    let port = server.port().to_string();
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("PATH_INFO", "/env/a b/C"),
        ("QUERY_STRING", "x=%41&y"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "http"),
        ("REQUEST_URI", target),
        ("SCRIPT_NAME", "/cgi-bin/probe"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_NAME", "tollgate.test"),
        ("SERVER_PORT", &port),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTP_ACCEPT", "text/plain"),
        ("HTTP_HOST", "tollgate.test"),
        ("HTTP_X_TEST", "yes"),
    ] {
        assert_eq!(variables.value(name), Some(value), "{name}");
    }
    let script = variables.value("SCRIPT_FILENAME").unwrap();
    assert_eq!(
        fs::canonicalize(script).unwrap(),
        fs::canonicalize(server.path("cgi-bin/probe")).unwrap()
    );
    let root = variables.value("DOCUMENT_ROOT").unwrap();
    assert_eq!(
        fs::canonicalize(root).unwrap(),
        fs::canonicalize(server.path("www")).unwrap()
    );
    let translated = variables.value("PATH_TRANSLATED").unwrap();
    assert_eq!(translated, format!("{root}/env/a b/C"));
    assert!(
        variables
            .value("SERVER_SOFTWARE")
            .unwrap()
            .starts_with("tollgate/")
    );
    assert!(
        variables
            .value("REMOTE_PORT")
            .unwrap()
            .parse::<u16>()
            .unwrap()
            > 0
    );
}

#[test]
fn programs_know_of_a_proxy_with_tls_where_the_operator_says_so() {
    let server = Server::start(&[]);
    let fields = ["Https: on", "X-Forwarded-Proto: https"];
    let variables = server.variables("/cgi-bin/probe", &fields);
    assert_eq!(variables.value("HTTPS"), None);
    let server = Server::start(&["--env", "HTTPS=on"]);
    let variables = server.variables("/cgi-bin/probe", &[]);
    assert_eq!(variables.value("HTTPS"), Some("on"));
    assert_eq!(variables.value("REQUEST_SCHEME"), Some("https"));
}

#[test]
fn nothing_is_there_that_was_not_asked_for() {
    let site = Site::new()
        .environment("TOLLGATE_SECRET", "secret")
        .environment("HOME", "/secret");
    let variables = site.serve(&[]).variables("/cgi-bin/probe", &[]);
    let expected = [
        "DOCUMENT_ROOT",
        "GATEWAY_INTERFACE",
        "HTTP_HOST",
        "PATH",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_PORT",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_FILENAME",
        "SCRIPT_NAME",
        "SERVER_ADDR",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    ];
    for name in variables.names() {
        // RFC 3875 section 4.1.5: PATH_INFO may be there, and empty.
        assert!(
            expected.contains(&name) || name == "PATH_INFO",
            "{name} in {variables:?}"
        );
    }
    for name in expected {
        assert!(
            variables.value(name).is_some(),
            "{name} is missing in {variables:?}"
        );
    }
    assert_eq!(variables.value("PATH_INFO").unwrap_or(""), "");
    assert_eq!(variables.value("QUERY_STRING"), Some(""));
    assert!(variables.value("PATH").unwrap().contains("/bin"));
}

#[test]
fn env_sets_a_variable_or_passes_the_servers_own() {
    let site = Site::new().environment("OWN", "passed");
    let server = site.serve(&["-e", "SET=to=this", "--env", "OWN", "--env", "NOT_THERE"]);
    let variables = server.variables("/cgi-bin/probe", &[]);
    assert_eq!(variables.value("SET"), Some("to=this"));
    assert_eq!(variables.value("OWN"), Some("passed"));
    assert_eq!(variables.value("NOT_THERE"), None);
}

#[test]
fn without_path_info_there_is_no_path_translated() {
    let server = Server::start(&[]);
    let variables = server.variables("/cgi-bin/probe", &[]);
    assert_eq!(variables.value("PATH_TRANSLATED").unwrap_or(""), "");
    let variables = server.variables("/cgi-bin/probe/", &[]);
    assert_eq!(variables.value("PATH_INFO"), Some("/"));
}

#[test]
fn without_a_body_there_is_no_content_length() {
    let server = Server::start(&[]);
    let variables = server.variables("/cgi-bin/probe", &["Content-Type: text/x"]);
    assert_eq!(variables.value("CONTENT_LENGTH").unwrap_or(""), "");
    assert_eq!(variables.value("CONTENT_TYPE"), Some("text/x"));
    assert_eq!(variables.value("HTTP_CONTENT_TYPE"), None);
}

#[test]
fn the_server_name_is_the_host_without_its_port() {
    let server = Server::start(&[]);
    for (host, name) in [
        ("Example.test:8080", "Example.test"),
        ("example.test", "example.test"),
        ("[::1]:80", "[::1]"),
    ] {
        let bytes = format!("GET /cgi-bin/probe HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let text = server.exchange("GET", bytes.as_bytes()).text();
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix("SERVER_NAME="))
            .unwrap();
        assert!(found.eq_ignore_ascii_case(name), "{host}: {found}");
        assert!(text.contains(&format!("HTTP_HOST={host}\n")), "{text}");
    }
}

#[test]
fn a_proxy_field_never_becomes_http_proxy() {
    let server = Server::start(&[]);
    for field in ["Proxy: http://evil.test/", "PROXY: x", "proxy: x"] {
        let variables = server.variables("/cgi-bin/probe", &[field]);
        assert_eq!(variables.value("HTTP_PROXY"), None, "{field}");
    }
}

#[test]
fn an_underscore_cannot_stand_in_for_a_dash() {
    let server = Server::start(&[]);
    let response = server.fetch("GET", "/cgi-bin/probe", &["X_Forwarded_For: evil"], b"");
    // Refused or dropped; never a variable.
    assert!(!response.text().contains("evil"), "{response:?}");
    let both = ["X-Forwarded-For: good", "X_Forwarded_For: evil"];
    let response = server.fetch("GET", "/cgi-bin/probe", &both, b"");
    assert!(!response.text().contains("evil"), "{response:?}");
}

#[test]
fn credentials_are_withheld_unless_asked_for() {
    let field = [
        "Authorization: Basic dTpw",
        "Proxy-Authorization: Basic dTpw",
    ];
    let withheld = Server::start(&[]).variables("/cgi-bin/probe", &field);
    for name in [
        "HTTP_AUTHORIZATION",
        "HTTP_PROXY_AUTHORIZATION",
        "REMOTE_USER",
        "AUTH_TYPE",
    ] {
        assert_eq!(withheld.value(name), None, "{name}");
    }
    let passed = Server::start(&["-e", "HTTP_AUTHORIZATION"]).variables("/cgi-bin/probe", &field);
    assert_eq!(passed.value("HTTP_AUTHORIZATION"), Some("Basic dTpw"));
    assert_eq!(passed.value("REMOTE_USER"), None);
}

#[test]
fn connection_fields_are_not_passed() {
    let server = Server::start(&[]);
    let response = server.exchange(
        "POST",
        b"POST /cgi-bin/probe HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
          Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nTrailer: X\r\n\
          Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    );
    let text = response.text();
    let passed: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("HTTP_"))
        .collect();
    assert_eq!(passed, ["HTTP_HOST=h"]);
    assert!(text.contains("CONTENT_LENGTH=1\n"), "{text}");
}

#[test]
fn repeated_fields_are_joined() {
    let server = Server::start(&[]);
    let fields = [
        "Accept: text/html",
        "Cookie: a=1",
        "Accept: text/plain",
        "Cookie: b=2",
        "accept: */*",
    ];
    let variables = server.variables("/cgi-bin/probe", &fields);
    assert_eq!(
        variables.value("HTTP_ACCEPT"),
        Some("text/html, text/plain, */*")
    );
    assert_eq!(variables.value("HTTP_COOKIE"), Some("a=1; b=2"));
}

#[test]
fn an_indexed_query_becomes_arguments() {
    let server = Server::start(&[]);
    for (method, query, arguments) in [
        ("GET", "", ""),
        ("GET", "one", "one\n"),
        ("GET", "one+two+three", "one\ntwo\nthree\n"),
        ("GET", "a%20b+%3D+%2B", "a b\n=\n+\n"),
        // An equals sign makes it a form.
        ("GET", "a=b", ""),
        ("GET", "one+a=b", ""),
        // One word that could be an option, and there are none at all.
        ("GET", "-s", ""),
        ("GET", "one+-s", ""),
        ("GET", "%2ds", ""),
        // A word that cannot be passed.
        ("GET", "one+%00", ""),
        ("GET", "one+%zz", ""),
        ("POST", "one+two", ""),
    ] {
        let response = server.fetch(method, &format!("/cgi-bin/probe/args?{query}"), &[], b"");
        assert_eq!(response.text(), arguments, "{method} {query}");
    }
}

#[test]
fn a_program_runs_in_its_own_folder_and_process_group() {
    let site = Site::new();
    fs::create_dir(site.path("cgi-bin/sub")).unwrap();
    site.add_probe("cgi-bin/sub/probe");
    let server = site.serve(&[]);
    let text = server.get("/cgi-bin/sub/probe/process").text();
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .trim()
            .to_string()
    };
    assert_eq!(value("pid"), value("pgid"));
    assert_eq!(
        fs::canonicalize(value("cwd")).unwrap(),
        fs::canonicalize(server.path("cgi-bin/sub")).unwrap()
    );
}

#[test]
fn a_program_has_descriptors_0_1_and_2_alone() {
    let site = Site::new().after("exec 7</dev/null 8>/dev/null");
    let server = site.serve(&[]);
    let _idle = server.connect();
    for method in ["GET", "POST"] {
        let body: &[u8] = if method == "POST" { b"body" } else { b"" };
        let text = server
            .fetch(method, "/cgi-bin/probe/descriptors", &[], body)
            .text();
        let numbers: Vec<&str> = text
            .lines()
            .map(|line| line.split_once(' ').unwrap().0)
            .collect();
        assert_eq!(numbers, ["0", "1", "2"], "{text}");
    }
}

#[test]
fn a_program_has_default_signals_and_an_empty_mask() {
    let site = Site::new();
    // Not the probe: a Rust program ignores SIGPIPE from its start.
    site.script(
        "cgi-bin/signals",
        "#!/bin/sh\necho Content-Type: text/plain\necho\nexec cat /proc/self/status\n",
    );
    // As nohup does, and worse.
    let site = site.after("trap '' HUP INT TERM PIPE CHLD USR1 40 64");
    let text = site.serve(&[]).get("/cgi-bin/signals").text();
    let mask = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0);
    for signal in (1..32).chain(35..65) {
        assert_eq!(
            mask("SigIgn:") >> (signal - 1) & 1,
            0,
            "signal {signal} is ignored"
        );
    }
}

#[test]
fn a_body_arrives_whole_whatever_its_size_and_framing() {
    let server = Server::start(&[]);
    for size in [1, 1000, 64 * 1024, 64 * 1024 + 1, 200_000, 5 << 20] {
        let body: Vec<u8> = (0..size).map(|at| (at * 7 + at / 251) as u8).collect();
        let expected = [format!("told {size}, read {size}\n").as_bytes(), &body].concat();
        let response = server.post("/cgi-bin/probe/stdin", &body);
        assert!(
            response.body == expected,
            "{size}: {} bytes",
            response.body.len()
        );

        let mut chunked = request(
            "POST",
            "/cgi-bin/probe/stdin",
            &["Transfer-Encoding: chunked", "Connection: close"],
            b"",
        );
        for piece in body.chunks(30_000) {
            chunked.extend(format!("{:X}\r\n", piece.len()).bytes());
            chunked.extend(piece);
            chunked.extend(b"\r\n");
        }
        chunked.extend(b"0\r\n\r\n");
        let response = server.exchange("POST", &chunked);
        assert!(
            response.body == expected,
            "{size} chunked: {} bytes",
            response.body.len()
        );
    }
}

#[test]
fn an_empty_body_is_an_empty_standard_input() {
    let server = Server::start(&[]);
    assert!(
        server
            .get("/cgi-bin/probe/stdin")
            .text()
            .ends_with(", read 0\n")
    );
    let response = server.fetch("POST", "/cgi-bin/probe/stdin", &["Content-Length: 0"], b"");
    assert_eq!(response.text(), "told 0, read 0\n");
}

#[test]
fn a_program_may_leave_its_body_unread() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(request(
            "POST",
            "/cgi-bin/probe/hello",
            &[],
            &vec![b'a'; 1 << 20],
        ));
        assert_eq!(client.read_response("POST").text(), "hello\n");
    }
}

#[test]
fn a_program_that_reads_and_writes_at_once_does_not_hang() {
    let server = Server::start(&[]);
    let body = vec![b'x'; 3 << 20];
    let response = server.post("/cgi-bin/probe/copy", &body);
    assert!(response.body == body, "{} bytes", response.body.len());
}

#[test]
fn methods_are_the_programs_own_affair() {
    let server = Server::start(&[]);
    for method in [
        "GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH",
    ] {
        let text = server.fetch(method, "/cgi-bin/probe", &[], b"").text();
        assert!(
            text.contains(&format!("REQUEST_METHOD={method}\n")),
            "{text}"
        );
    }
}

#[test]
fn the_first_file_along_the_path_is_the_script() {
    let site = Site::new();
    fs::create_dir_all(site.path("cgi-bin/a/b")).unwrap();
    site.add_probe("cgi-bin/a/b/probe");
    let server = site.serve(&[]);
    let variables = server.variables("/cgi-bin/a/b/probe/env/x", &[]);
    assert_eq!(variables.value("SCRIPT_NAME"), Some("/cgi-bin/a/b/probe"));
    assert_eq!(variables.value("PATH_INFO"), Some("/env/x"));
}

#[test]
fn dot_segments_are_removed_before_the_script_is_looked_for() {
    let site = Site::new();
    site.script("outside", "#!/bin/sh\necho; echo outside\n");
    let server = site.serve(&[]);
    let variables = server.variables("/cgi-bin/x/../probe/env/y/../z", &[]);
    assert_eq!(variables.value("SCRIPT_NAME"), Some("/cgi-bin/probe"));
    assert_eq!(variables.value("PATH_INFO"), Some("/env/z"));
    for target in ["/cgi-bin/../outside", "/cgi-bin/%2e%2e/outside"] {
        assert_eq!(server.get(target).status, 404, "{target}");
    }
    for target in [
        "/cgi-bin/..%2foutside",
        "/cgi-bin%2fprobe",
        "/cgi-bin/probe%00",
    ] {
        assert_eq!(server.get(target).status, 400, "{target}");
    }
}

#[test]
fn what_is_no_program_is_not_run_and_its_source_never_sent() {
    let site = Site::new();
    let source = "#!/bin/sh\necho Content-Type: text/plain\necho\necho source ran\n";
    site.file("cgi-bin/not-executable", source);
    site.script("cgi-bin/.hidden", source);
    site.script(
        "cgi-bin/no-interpreter",
        source.replace("/bin/sh", "/no/such/interpreter"),
    );
    site.script("cgi-bin/carriage-return", source.replace('\n', "\r\n"));
    site.script("cgi-bin/no-shebang", "echo source ran\n");
    site.script(
        "cgi-bin/garbage",
        [0x7f, b'E', b'L', b'F', 9, 9, 9, 9, 0, 1, 2, 3],
    );
    let long = "/long".repeat(60);
    site.script("cgi-bin/long", source.replace("/bin/sh", &long));
    let circle = site.text("cgi-bin/circle");
    site.script("cgi-bin/circle", source.replace("/bin/sh", &circle));
    let written = site.script("cgi-bin/written", source);
    let _writer = fs::OpenOptions::new().append(true).open(written).unwrap();
    fs::create_dir(site.path("cgi-bin/folder")).unwrap();
    site.script("outside", source);
    symlink("../outside", site.path("cgi-bin/escapes")).unwrap();
    assert!(
        fs::metadata(site.path("outside"))
            .unwrap()
            .permissions()
            .mode()
            & 0o111
            != 0
    );
    let server = site.serve(&["--listing"]);
    let carriage_return = match cfg!(feature = "explain") {
        true => "cgi.carriage-return",
        false => "cgi.no-interpreter",
    };
    for (name, status, reason) in [
        ("not-executable", 403, "cgi.not-executable"),
        (".hidden", 404, "cgi.hidden"),
        ("none", 404, "cgi.not-found"),
        ("no-interpreter", 500, "cgi.no-interpreter"),
        ("carriage-return", 500, carriage_return),
        ("no-shebang", 500, "cgi.bad-format"),
        ("garbage", 500, "cgi.bad-format"),
        ("long", 500, "cgi.bad-format"),
        ("circle", 500, "cgi.bad-format"),
        ("written", 503, "cgi.spawn-failed"),
        ("folder", 403, "cgi.folder"),
        ("folder/", 403, "cgi.folder"),
        ("", 403, "cgi.folder"),
        ("escapes", 403, "cgi.denied"),
    ] {
        for target in [
            format!("/cgi-bin/{name}"),
            format!("//cgi-bin/./{name}"),
            format!("/x/../cgi-bin//{name}"),
            format!("/%63gi-bin/{name}"),
        ] {
            let response = server.get(&target);
            assert_eq!(response.status, status, "{target}: {response:?}");
            assert!(
                !response.text().contains("source ran"),
                "{target}: {response:?}"
            );
            server.expect_access(&target, status, reason);
        }
    }
    if !cfg!(feature = "explain") {
        return;
    }
    // The cause, exactly, is for the operator.
    for words in [
        "/no/such/interpreter",
        "cgi-bin/long is longer than the 256 bytes",
        "cgi-bin/circle leads to another",
        "cgi-bin/written is still being written",
        "/cgi-bin/not-executable: cgi.not-executable",
        "/cgi-bin/escapes: cgi.denied",
    ] {
        server.wait_for_log(words);
    }
}

#[test]
fn a_route_may_be_one_program() {
    let site = Site::new();
    let program = format!("/app/={}", site.text("cgi-bin/probe"));
    let server = site.serve(&["-c", &program]);
    let variables = server.variables("/app/env/x?q", &[]);
    assert_eq!(variables.value("SCRIPT_NAME"), Some("/app"));
    assert_eq!(variables.value("PATH_INFO"), Some("/env/x"));
    assert_eq!(variables.value("QUERY_STRING"), Some("q"));
    let variables = server.variables("/app/", &[]);
    assert_eq!(variables.value("PATH_INFO"), Some("/"));
}

#[test]
fn an_extension_route_runs_files_with_their_interpreter() {
    let site = Site::new();
    let interpreter = site.script(
        "interpreter",
        "#!/bin/sh\necho Content-Type: text/plain\necho\nfor argument; do echo \"ARGUMENT=$argument\"; \
         done\necho \"FOLDER=$(pwd)\"\nenv\n",
    );
    site.file("www/dir/page.foo", "the source");
    site.file("www/page.txt", "a page");
    let route = format!(".foo={}", interpreter.display());
    let server = site.serve(&["-c", &route]);

    let variables = server.variables("/dir/page.foo/extra/path?a+-s", &[]);
    assert_eq!(variables.value("SCRIPT_NAME"), Some("/dir/page.foo"));
    assert_eq!(variables.value("PATH_INFO"), Some("/extra/path"));
    assert_eq!(variables.value("REDIRECT_STATUS"), Some("200"));
    let script = variables.value("SCRIPT_FILENAME").unwrap();
    assert_eq!(
        fs::canonicalize(script).unwrap(),
        fs::canonicalize(server.path("www/dir/page.foo")).unwrap()
    );
    let folder = variables.value("FOLDER").unwrap();
    assert_eq!(
        fs::canonicalize(folder).unwrap(),
        fs::canonicalize(server.path("www/dir")).unwrap()
    );

    let plain = server.get("/dir/page.foo?one+two").text();
    assert!(
        !plain.contains("ARGUMENT=one"),
        "a query reached an interpreter: {plain}"
    );
    assert_eq!(server.get("/none.foo").status, 404);
    assert_eq!(
        server.get("/page.txt/x.foo").status,
        404,
        "page.txt was run"
    );
    assert_eq!(server.get("/page.txt").text(), "a page");
    for target in [
        "/dir/page.foo",
        "/dir/%70age.f%6fo",
        "/dir//page.foo",
        "/dir/./page.foo",
    ] {
        for fields in [&[][..], &["Range: bytes=0-1"], &["Accept-Encoding: gzip"]] {
            let response = server.fetch("GET", target, fields, b"");
            assert!(
                response.text().contains("GATEWAY_INTERFACE"),
                "{target}: {response:?}"
            );
        }
    }
    // Another spelling names another file, or none; never this one's text.
    for target in [
        "/dir/page.FOO",
        "/dir/page.foo.",
        "/dir/page.foo%20",
        "/dir/page.foo/",
    ] {
        let response = server.get(target);
        assert!(
            !response.text().contains("the source"),
            "{target}: {response:?}"
        );
    }
}

#[test]
fn an_interpreter_that_cannot_be_run_is_named_and_not_the_file() {
    let site = Site::new();
    let interpreter = site.script("interpreter", "#!/bin/sh\n");
    site.file("www/page.foo", "the source");
    let server = site.serve(&["-c", &format!(".foo={}", interpreter.display())]);
    fs::set_permissions(&interpreter, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(server.get("/page.foo").status, 403);
    if cfg!(feature = "explain") {
        server.wait_for_log(&format!("chmod +x {}", interpreter.display()));
    }
    fs::remove_file(&interpreter).unwrap();
    assert_eq!(server.get("/page.foo").status, 404);
    server.wait_for_log(&format!("{} is gone", interpreter.display()));
}

#[test]
fn many_requests_at_once_are_not_mixed_up() {
    let server = Server::start(&[]);
    thread::scope(|scope| {
        for client in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..10 {
                    let body = format!("{client}-{number} ").repeat(500);
                    let response = server.post("/cgi-bin/probe/stdin", body.as_bytes());
                    assert_eq!(response.ended, Ended::Clean);
                    assert!(response.text().ends_with(&body), "{client}-{number}");
                }
            });
        }
    });
}
