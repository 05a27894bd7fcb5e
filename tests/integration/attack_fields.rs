//! What a request writes must not become more than it is: no field of a response, no variable of a program
//! that it may not set, no line of a log, no option of an interpreter. And the other way: what a program
//! prints is one response.

use crate::support::{PATIENCE, Server, Site, eventually, installed, request};

#[test]
fn no_path_and_no_query_puts_a_field_into_a_redirect() {
    let site = Site::new();
    site.file("www/folder/x", "x");
    site.file("www/evil.test/x", "x");
    site.file("www/\\evil.test/x", "x");
    site.file("www/a b\"<'>&\u{e9}/x", "x");
    let server = site.serve(&[]);
    for (target, status) in [
        ("/folder", 301),
        ("/folder?%0d%0aX-Evil:%20yes", 301),
        ("/folder?a=\"b\"<c>", 301),
        ("/folder?//evil.test", 301),
        ("//evil.test", 301),
        ("///evil.test", 301),
        ("/.//evil.test", 301),
        ("/%2e/evil.test", 301),
        ("/folder/..//evil.test", 301),
        ("//folder/%2e%2e//evil.test", 301),
        ("/%5cevil.test", 301),
        ("/\\evil.test", 301),
        ("//%5Cevil.test", 301),
        ("http://evil.test/folder", 301),
        ("/a%20b%22%3c%27%3e%26%c3%a9", 301),
        ("/folder%0d%0aX-Evil:%20yes", 400),
        ("/folder%0aX-Evil:%20yes", 400),
        ("/folder%0d", 400),
        ("/folder%00", 400),
        ("/%0d%0aX-Evil:%20yes/../folder", 400),
        ("/folder%250d%250aX-Evil:%20yes", 404),
        ("/folder%c4%8d%c4%8aX-Evil:%20yes", 404),
        ("/folder%e5%98%8a%e5%98%8dX-Evil:%20yes", 404),
        ("/folder%5cn", 404),
        ("/folder%c2%85", 404),
    ] {
        let response = server.get(target);
        assert_eq!(response.status, status, "{target}: {response:?}");
        assert_eq!(response.field("X-Evil"), None, "{target}: {response:?}");
        if let Some(location) = response.field("Location") {
            // A path of this server: a second slash, or what a browser takes for one, begins a host.
            let second = location.chars().nth(1).unwrap();
            assert!(
                location.starts_with('/') && !matches!(second, '/' | '\\'),
                "{target}: {location}"
            );
            assert!(
                location.bytes().all(|byte| byte.is_ascii_graphic()),
                "{target}: {location}"
            );
        }
    }
}

#[test]
fn what_a_program_makes_of_a_request_is_one_response_or_none() {
    let server = Server::start(&[]);
    // What a program that does not look at its input would print of a name, a URL or a cookie.
    for printed in [
        "x\rX-Evil: yes",
        "x\r\r\nX-Evil: yes",
        "x\0",
        "x\0\nX-Evil: yes",
        "x\x0b\nX: y",
        "x\x7f",
        "\x01",
        "x\r\n X-Evil: yes",
        "x\n\tX-Evil: yes",
        "x\n X-Evil: yes",
    ] {
        for line in [
            format!("X-Name: {printed}"),
            format!("Location: http://h/{printed}"),
            format!("Location: /page?{printed}"),
            format!("Status: 200 {printed}"),
            format!("Content-Type: text/{printed}"),
            format!("Set-Cookie: a={printed}"),
            format!("X-Sendfile: /{printed}"),
            format!("X-Accel-Redirect: /{printed}"),
        ] {
            let output = format!("X-First: 1\n{line}\n\nbody");
            let response = server.post("/cgi-bin/probe/raw", output.as_bytes());
            assert_eq!(response.status, 502, "{output:?}: {response:?}");
            assert_eq!(response.field("X-Evil"), None, "{output:?}: {response:?}");
        }
    }
    // The framing is the server's, whatever the program says of it.
    for line in [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Connection: close, X-Other",
        "Trailer: X",
        "Upgrade: h2c",
        "Keep-Alive: timeout=99",
        "TE: trailers",
        "Proxy-Connection: close",
    ] {
        let output =
            format!("Content-Type: text/plain\n{line}\n\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
        let mut client = server.connect();
        for _ in 0..2 {
            client.send(request(
                "POST",
                "/cgi-bin/probe/raw",
                &[],
                output.as_bytes(),
            ));
            let response = client.read_response("POST");
            assert_eq!(
                response.text(),
                "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                "{line}"
            );
            assert_eq!(response.field("Connection"), None, "{line}");
        }
    }
    for length in [
        "+5",
        "5, 5",
        "0x5",
        "5 5",
        "-1",
        "5\nContent-Length: 6",
        "99999999999999999999",
    ] {
        let output = format!("Content-Type: text/plain\nContent-Length: {length}\n\nhello");
        let response = server.post("/cgi-bin/probe/raw", output.as_bytes());
        assert_eq!(response.status, 502, "{length}: {response:?}");
    }
}

/// Fields that try to be taken for others, and what must not come of them.
const LOOK_ALIKES: [&str; 12] = [
    "X_Forwarded_For: evil",
    "X.Forwarded.For: evil",
    "X-Forwarded_For: evil",
    "X!Forwarded-For: evil",
    "x_real_ip: evil",
    "Content_Length: evil",
    "Content_Type: evil",
    "Remote_User: evil",
    "Auth_Type: evil",
    "HTTP_HOST: evil",
    "Proxy: evil",
    "PROXY: evil",
];

/// Fields with names of their own that look like variables of the server's.
const PRETENDERS: [&str; 8] = [
    "Remote-User: claimed",
    "Remote-Addr: claimed",
    "Auth-Type: claimed",
    "Script-Filename: claimed",
    "Server-Name: claimed",
    "Redirect-Status: claimed",
    "Https: claimed",
    "Path: claimed",
];

fn fields() -> Vec<&'static str> {
    let honest = ["X-Forwarded-For: honest", "X-Real-Ip: honest"];
    LOOK_ALIKES
        .into_iter()
        .chain(PRETENDERS)
        .chain(honest)
        .collect()
}

/// Fails unless these are the variables that [`fields`] may make.
#[track_caller]
fn expect_honest(variables: &[(String, String)]) {
    let of = |name: &str| {
        let mut found = variables.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(
            found.next().is_none(),
            "{name} is there twice: {variables:?}"
        );
        value
    };
    assert_eq!(of("HTTP_X_FORWARDED_FOR"), Some("honest"));
    assert_eq!(of("HTTP_X_REAL_IP"), Some("honest"));
    assert_eq!(of("HTTP_PROXY"), None);
    assert_eq!(of("HTTP_HTTP_HOST"), None);
    assert_eq!(of("SERVER_NAME"), Some("tollgate.test"));
    assert_eq!(of("REMOTE_USER"), None);
    assert_eq!(of("AUTH_TYPE"), None);
    assert_eq!(of("HTTPS"), None);
    for (name, value) in variables {
        assert!(!value.contains("evil"), "{name}={value}");
        assert!(
            value != "claimed" || name.starts_with("HTTP_"),
            "{name}={value}"
        );
    }
}

#[test]
fn no_field_stands_in_for_another_before_a_program() {
    let server = Server::start(&[]);
    let text = server.fetch("GET", "/cgi-bin/probe", &fields(), b"").text();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<(String, String)> = lines
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    expect_honest(&variables);
    server.wait_for_log("the field X_Forwarded_For was not passed on");
}

#[cfg(feature = "fastcgi")]
#[test]
fn no_field_stands_in_for_another_before_an_application_or_an_authorizer() {
    use crate::support::backend::Backend;
    let application = Backend::start(|exchange| exchange.document("hello\n"));
    let guard = Backend::start(|exchange| exchange.reply("Status: 200\n\n"));
    let server = Server::start(&[
        "--fastcgi",
        &format!("/app/={}", application.address()),
        "--fastcgi",
        &format!("/app/=authorizer:{}", guard.address()),
    ]);
    assert_eq!(
        server.fetch("GET", "/app/", &fields(), b"").text(),
        "hello\n"
    );
    expect_honest(&application.last().params);
    expect_honest(&guard.last().params);
}

#[cfg(feature = "fastcgi")]
#[test]
fn an_application_and_an_authorizer_cannot_split_the_response_either() {
    use crate::support::backend::Backend;
    for output in [
        "X-Name: x\rX-Evil: yes\n\nbody",
        "X-Name: x\0\n\nbody",
        "X-Name: x\n X-Evil: yes\n\nbody",
        "Status: 401 x\rX-Evil: yes\n\nbody",
        "Location: http://h/x\r\r\nX-Evil: yes\n\nbody",
        "X-Accel-Redirect: /x\rX-Evil: yes\n\nbody",
    ] {
        let backend = Backend::start(move |exchange| exchange.reply(output));
        let application = format!("/app/={}", backend.address());
        let guard = format!("/cgi-bin/=authorizer:{}", backend.address());
        let server = Server::start(&["--fastcgi", &application, "--fastcgi", &guard]);
        for target in ["/app/", "/cgi-bin/probe"] {
            let response = server.get(target);
            assert_eq!(response.status, 502, "{target}: {output:?}: {response:?}");
            assert_eq!(
                response.field("X-Evil"),
                None,
                "{target}: {output:?}: {response:?}"
            );
        }
    }
}

#[test]
fn the_log_has_one_printable_line_for_each_request() {
    let server = Server::start(&[]);
    let mut sent = 0;
    let mut send = |bytes: &[u8]| {
        let mut client = server.connect();
        client.send(bytes);
        client.read_response("GET");
        sent += 1;
    };
    let values: [&[u8]; 7] = [
        b"\" 200 1 \"-\" \"-\" forged",
        b"\\\" forged",
        b"\x9b31m\x9b2J",
        b"\xe2\x80\xae\xe2\x80\xa8",
        b"\xff\x85",
        b"a\tb",
        b"%0d%0a%1b[31m",
    ];
    for value in values {
        for field in ["User-Agent", "Referer", "Authorization"] {
            let head = [
                b"GET /cgi-bin/probe HTTP/1.1\r\nHost: h\r\n",
                field.as_bytes(),
                b": ",
                value,
            ];
            send(&[&head.concat()[..], b"\r\n\r\n"].concat());
        }
    }
    for line in [
        &b"GET /\"%22'\\x?\"\\ HTTP/1.1"[..],
        b"GET /%0d%0aforged HTTP/1.1",
        b"GET /%1b[31m HTTP/1.1",
        b"\x1b[31m\x07\x08 / HTTP/1.1",
        b"GET /a\x0bb HTTP/1.1",
        b"GET /\x9b31m HTTP/1.1",
        b"\" 200 1 \"-\" forged",
        b"G\"ET / HTTP/1.1",
    ] {
        send(&[line, b"\r\nHost: h\r\n\r\n"].concat());
    }
    server.get("/cgi-bin/probe/stderr?text=%1b[31m%0aforged");
    sent += 1;
    let is_whole = || server.access_log().lines().count() >= sent;
    assert!(eventually(PATIENCE, is_whole));
    let log = server.access_log();
    assert_eq!(log.lines().count(), sent, "{log}");
    for line in log.lines() {
        assert!(
            line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{}",
            line.escape_debug()
        );
        // Address, date, request line, status ...: a quotation ends where the server ends it.
        let unescaped = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(unescaped.matches('"').count(), 6, "{line}");
    }
    server.wait_for_log("31m");
    let log = server.log();
    assert!(
        log.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')),
        "{}",
        log.escape_debug()
    );
}

#[test]
fn a_query_is_no_option_of_a_program() {
    let server = Server::start(&[]);
    for query in [
        "-s",
        "%2ds",
        "%2Ds",
        "--version",
        "a+-s",
        "-d+allow_url_include%3d1",
        "-dallow_url_include%3don+-n",
        "+-s",
        "%20-s+-n",
        "-",
        "a+--",
        "%2d%2dversion",
        "-T+10000",
        "-b+127.0.0.1:9000",
    ] {
        let text = server.get(&format!("/cgi-bin/probe/args?{query}")).text();
        assert!(
            !text.lines().any(|word| word.starts_with('-')),
            "{query}: {text}"
        );
    }
}

#[test]
fn a_query_is_no_option_of_php() {
    let Some(php) = installed("a_query_is_no_option_of_php", "php-cgi") else {
        return;
    };
    let site = Site::new();
    site.file("www/page.php", "<?php /* the-secret */ echo 'ran';");
    site.file("www/evil.txt", "<?php echo 'evil';");
    let evil = site.text("www/evil.txt").replace('/', "%2f");
    let server = site.serve(&["-c", &format!(".php={}", php.display())]);
    for query in [
        "-s",
        "%2ds",
        "-s+-n",
        "%20-s",
        "+-s",
        "%AD-s",
        "%ADs",
        "%C2%ADs",
        "%E2%80%90s",
        "-T+5",
        "-h",
        "-i",
        "-v",
        "-d+display_errors%3d1+-s",
    ] {
        assert_eq!(
            server.get(&format!("/page.php?{query}")).text(),
            "ran",
            "{query}"
        );
    }
    for dash in ["-", "%2d", "%AD", "%C2%AD"] {
        let query = format!("{dash}d+auto_prepend_file%3d{evil}");
        for method in ["GET", "POST"] {
            let response = server.fetch(method, &format!("/page.php?{query}"), &[], b"");
            assert_eq!(response.text(), "ran", "{method} {query}");
        }
    }
}

#[test]
fn a_request_too_large_for_an_environment_is_431() {
    let server = Site::new()
        .after("ulimit -s 1024")
        .serve(&["--max-header", "1M"]);
    // One string of it may have 128 KiB in all (MAX_ARG_STRLEN).
    let long = "v".repeat(140 << 10);
    let field = format!("X-Long: {long}");
    for (target, fields) in [
        ("/cgi-bin/probe/hello".to_string(), &[field.as_str()][..]),
        (format!("/cgi-bin/probe/hello?{long}"), &[]),
        (format!("/cgi-bin/probe/hello/{long}"), &[]),
    ] {
        let response = server.fetch("GET", &target, fields, b"");
        assert_eq!(response.status, 431, "{}", response.text());
        server.wait_for_access("431 ");
    }
    // All of it together may have a quarter of the stack (ARG_MAX).
    let many: Vec<String> = (0..9)
        .map(|n| format!("X-Field-{n}: {}", "v".repeat(100 << 10)))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let response = server.fetch("GET", "/cgi-bin/probe/hello", &many, b"");
    assert_eq!(response.status, 431, "{}", response.text());
    server.wait_for_access("cgi.arguments-too-long");
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    server.wait_until_childless();
}

#[test]
fn the_longest_head_of_the_default_fits_an_environment() {
    // The least that Linux gives programs, whatever the stack: 128 KiB.
    let server = Site::new().after("ulimit -s 256").serve(&[]);
    let field = format!("X-Long: {}", "v".repeat(15 << 10));
    assert_eq!(
        server
            .variables("/cgi-bin/probe", &[&field])
            .value("HTTP_X_LONG")
            .unwrap()
            .len(),
        15 << 10
    );
    let target = format!("/cgi-bin/probe/{}", "p".repeat(15 << 10));
    assert_eq!(server.get(&target).status, 404);
}
