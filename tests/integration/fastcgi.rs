//! What a FastCGI application is sent, and what becomes of its answers when it does as it should
//! (FastCGI 1.0 sections 5 and 6; RFC 3875).

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::backend::records::{
    GET_VALUES_RESULT, RESPONDER, STDOUT, UNKNOWN_TYPE, end_request, record,
};
use crate::support::backend::{Backend, Exchange, Gate, Scripted, Then};
use crate::support::{Client, Ended, Framing, Response, Server, Site, request};

/// A server that asks `backend` for everything below `/app/`.
fn serve(backend: &Backend, arguments: &[&str]) -> Server {
    serve_site(Site::new(), "/app/", backend, arguments)
}

fn serve_site(site: Site, route: &str, backend: &Backend, arguments: &[&str]) -> Server {
    let fastcgi = format!("{route}={}", backend.address());
    site.serve(&[&["--fastcgi", &fastcgi], arguments].concat())
}

/// The answer to a GET when the application does as `script` says.
fn scripted(script: fn(&mut Exchange) -> Scripted) -> Response {
    let backend = Backend::start(script);
    serve(&backend, &[]).get("/app/")
}

/// Prints what it was sent on standard input, after its length as told.
fn echo(exchange: &mut Exchange) -> Scripted {
    exchange.read_stdin()?;
    let told = exchange.param("CONTENT_LENGTH").to_string();
    let body = [told.as_bytes(), b"\n", &exchange.seen.stdin].concat();
    exchange.document(body)
}

fn hello(exchange: &mut Exchange) -> Scripted {
    exchange.document("hello\n")
}

#[test]
fn every_meta_variable() {
    let backend = Backend::start(hello);
    let server = serve(&backend, &[]);
    let target = "/app/x/y%20z?q=%41&r";
    let fields = ["X-Test: yes", "Proxy: http://evil.test/", "X-Empty:"];
    let response = server.fetch("GET", target, &fields, b"");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "hello\n")
    );
    let seen = backend.last();
    assert_eq!((seen.role, seen.keep), (RESPONDER, true));
    let port = server.port().to_string();
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTP_HOST", "tollgate.test"),
        ("HTTP_X_EMPTY", ""),
        ("HTTP_X_TEST", "yes"),
        ("PATH_INFO", "/x/y z"),
        ("QUERY_STRING", "q=%41&r"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "http"),
        ("REQUEST_URI", target),
        ("SCRIPT_NAME", "/app"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_NAME", "tollgate.test"),
        ("SERVER_PORT", &port),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
    ] {
        assert_eq!(seen.param(name), Some(value), "{name}");
    }
    let software = seen.param("SERVER_SOFTWARE").unwrap();
    assert!(software.starts_with("tollgate/"), "{software}");
    let root = seen.param("DOCUMENT_ROOT").unwrap();
    assert_eq!(canonical(root), canonical(&server.text("www")));
    let translated = seen.param("PATH_TRANSLATED").unwrap();
    assert_eq!(translated, format!("{root}/x/y z"));
    for name in ["HTTP_PROXY", "CONTENT_LENGTH", "HTTP_CONTENT_LENGTH"] {
        assert_eq!(seen.param(name), None, "{name}");
    }
}

fn canonical(path: &str) -> std::path::PathBuf {
    fs::canonicalize(path).unwrap()
}

#[test]
fn the_root_of_a_route_has_an_empty_or_short_path_info() {
    let backend = Backend::start(hello);
    let server = serve(&backend, &[]);
    server.get("/app/");
    let seen = backend.last();
    let (script, info) = (seen.param("SCRIPT_NAME"), seen.param("PATH_INFO"));
    assert_eq!((script, info), (Some("/app"), Some("/")));
    assert_eq!(seen.param("QUERY_STRING"), Some(""));
}

#[test]
fn long_names_and_values_arrive_whole() {
    let backend = Backend::start(hello);
    let server = serve(&backend, &["--max-header", "200K"]);
    let name = format!("X-{}", "n".repeat(150));
    for len in [127, 128, 65_400, 65_535, 65_536, 140_000] {
        let value = "v".repeat(len);
        let response = server.fetch("GET", "/app/", &[&format!("{name}: {value}")], b"");
        assert_eq!(response.status, 200, "{len}");
        let variable = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
        assert_eq!(
            backend.last().param(&variable),
            Some(value.as_str()),
            "{len}"
        );
    }
}

#[test]
fn a_body_arrives_whole_whatever_its_size_and_framing() {
    for backend in [Backend::start(echo), Backend::unix(echo)] {
        let server = serve(&backend, &[]);
        for size in [1, 1000, 65_528, 65_535, 65_536, 200_000, 10_000_000] {
            let body: Vec<u8> = (0..size).map(|at| (at * 7 + at / 251) as u8).collect();
            let response = server.post("/app/", &body);
            let expected = [format!("{size}\n").as_bytes(), &body].concat();
            assert!(response.body == expected, "{size}: not what was sent");
        }
    }
}

#[test]
fn a_chunked_body_has_its_length() {
    let backend = Backend::start(echo);
    let server = serve(&backend, &[]);
    let response = server.exchange(
        "POST",
        b"POST /app/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Type: text/x\r\n\r\n\
          3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    assert_eq!(response.text(), "5\nabcde");
    let seen = backend.last();
    assert_eq!(seen.param("CONTENT_TYPE"), Some("text/x"));
    assert_eq!(seen.param("HTTP_TRANSFER_ENCODING"), None);
}

#[test]
fn a_file_by_extension_is_named_in_every_way() {
    let site = Site::new();
    let file = site.file("www/dir/a.php", "<?php ?>");
    let backend = Backend::start(hello);
    let server = serve_site(site, ".php", &backend, &[]);
    assert_eq!(server.get("/dir/a.php/re%20st?x").text(), "hello\n");
    let seen = backend.last();
    for (name, value) in [
        ("PATH_INFO", "/re st"),
        ("QUERY_STRING", "x"),
        ("REDIRECT_STATUS", "200"),
        ("REQUEST_URI", "/dir/a.php/re%20st?x"),
        ("SCRIPT_NAME", "/dir/a.php"),
    ] {
        assert_eq!(seen.param(name), Some(value), "{name}");
    }
    let script = seen.param("SCRIPT_FILENAME").unwrap();
    assert!(script.starts_with('/'), "{script}");
    assert_eq!(canonical(script), file.canonicalize().unwrap());
    let root = seen.param("DOCUMENT_ROOT").unwrap();
    assert_eq!(canonical(root), canonical(&server.text("www")));
    let translated = seen.param("PATH_TRANSLATED").unwrap();
    assert_eq!(translated, format!("{root}/re st"));

    server.get("/dir/a.php");
    let seen = backend.last();
    assert_eq!(seen.param("PATH_INFO").unwrap_or_default(), "");
    assert_eq!(seen.param("PATH_TRANSLATED").unwrap_or_default(), "");
}

#[test]
fn what_is_no_file_with_the_extension_never_reaches_the_application() {
    let site = Site::new();
    site.file("www/upload/photo.jpg", "not a program");
    site.file("www/dir.php/page.txt", "a page\n");
    let backend = Backend::start(hello);
    let server = serve_site(site, ".php", &backend, &[]);
    for target in [
        "/none.php",
        "/upload/photo.jpg/x.php",
        "/upload/photo.jpg%00.php",
        "/upload/photo.jpg%0a.php",
        "/upload/none.php/x",
        "/dir.php/none",
    ] {
        let status = server.get(target).status;
        assert!(matches!(status, 400 | 404), "{target}: {status}");
    }
    assert_eq!(server.get("/dir.php/page.txt").text(), "a page\n");
    assert_eq!(backend.count(), 0);
}

#[test]
fn the_answer_to_head_has_no_body() {
    let backend = Backend::start(hello);
    let server = serve(&backend, &[]);
    let mut client = server.connect();
    for method in ["HEAD", "GET", "HEAD", "GET"] {
        client.send(request(method, "/app/", &[], b""));
        let response = client.read_response(method);
        let body: &[u8] = if method == "GET" { b"hello\n" } else { b"" };
        assert_eq!((response.status, response.body.as_slice()), (200, body));
        assert_eq!(backend.last().param("REQUEST_METHOD"), Some(method));
    }
}

#[test]
fn status_and_fields_are_the_applications() {
    let response = scripted(|exchange| {
        exchange.reply(
            "Status: 404 Gone Fishing\nContent-Type: text/x-y\nSet-Cookie: a=1\nSet-Cookie: b=2\n\
             Connection: close\nX-Own: 1\n\nnot here\n",
        )
    });
    let status = (response.status, response.phrase.as_str());
    assert_eq!(status, (404, "Gone Fishing"));
    assert_eq!(response.field("Content-Type"), Some("text/x-y"));
    assert_eq!(response.values("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(response.field("X-Own"), Some("1"));
    assert_eq!(response.field("Connection"), None);
    assert_eq!(response.text(), "not here\n");
}

#[test]
fn redirects_go_to_the_client_or_stay_here() {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    let backend = Backend::start(|exchange| {
        let to = exchange.param("QUERY_STRING").to_string();
        match to.as_str() {
            "" => {
                let method = exchange.param("REQUEST_METHOD").to_string();
                exchange.document(method)
            }
            _ => exchange.reply(format!("Location: {to}\n\n")),
        }
    });
    let server = serve_site(site, "/app/", &backend, &[]);
    let response = server.get("/app/?http://elsewhere.test/x");
    assert_eq!(response.status, 302);
    let location = response.field("Location");
    assert_eq!(location, Some("http://elsewhere.test/x"));

    let response = server.get("/app/?/page.txt");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "a page\n")
    );
    assert_eq!(response.field("Location"), None);

    assert_eq!(server.post("/app/?/app/here", b"body").text(), "GET");
    let text = server.get("/app/?/cgi-bin/probe/env/x").text();
    assert!(text.contains("PATH_INFO=/env/x\n"), "{text}");
    assert_eq!(server.get("/app/?/app/?/app/").text(), "GET");
    assert_eq!(server.get("/app/?/none").status, 404);
}

#[test]
fn records_may_be_cut_padded_and_empty() {
    const OUTPUT: &[u8] = b"Content-Type: text/plain\r\nX-Own: 1\r\n\r\nhello\n";
    let scripts: [fn(&mut Exchange) -> Scripted; 5] = [
        // A byte a record, and no word about the end, as PHP.
        |exchange| {
            for byte in OUTPUT {
                exchange.out([*byte])?;
            }
            exchange.end()
        },
        |exchange| {
            for piece in OUTPUT.chunks(5) {
                exchange.raw(record(STDOUT, exchange.id, piece, 255))?;
            }
            exchange.end()
        },
        // In a packet each.
        |exchange| {
            let bytes = [
                record(STDOUT, exchange.id, OUTPUT, 3),
                end_request(exchange.id, 0, 0),
            ];
            for byte in bytes.concat() {
                exchange.raw([byte])?;
            }
            Ok(Then::AsAsked)
        },
        |exchange| {
            exchange.raw(record(STDOUT, exchange.id, OUTPUT, 3))?;
            exchange.raw(record(STDOUT, exchange.id, b"", 255))?;
            exchange.err(b"")?;
            exchange.end()
        },
        // Values that nobody asked for.
        |exchange| {
            exchange.raw(record(GET_VALUES_RESULT, 0, b"\x0f\x01FCGI_MPXS_CONNS0", 7))?;
            exchange.reply(OUTPUT)
        },
    ];
    for script in scripts {
        let response = scripted(script);
        assert_eq!(response.field("X-Own"), Some("1"));
        assert_eq!(response.text(), "hello\n");
    }
}

#[test]
fn a_management_record_of_unknown_type_is_answered_and_the_exchange_goes_on() {
    let response = scripted(|exchange| {
        exchange.read_stdin()?;
        exchange.raw(record(99, 0, b"what is this", 4))?;
        let answer = exchange.receive()?;
        let text = format!("{} {} {:?}\n", answer.kind, answer.id, answer.content);
        exchange.document(text)
    });
    let expected = format!("{UNKNOWN_TYPE} 0 {:?}\n", [99, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(response.text(), expected);
}

#[test]
fn what_an_application_complains_of_is_logged_and_not_sent() {
    let backend = Backend::start(|exchange| {
        exchange.err("complaint before\nand a ")?;
        exchange.err("line in two\n")?;
        exchange.out("Content-Type: text/plain\n\nfirst ")?;
        exchange.err("complaint between\nbell\x07escape\x1b[31m\n")?;
        exchange.out("second\n")?;
        exchange.err("complaint after")?;
        exchange.err("")?;
        exchange.end()
    });
    let server = serve(&backend, &[]);
    assert_eq!(server.get("/app/loud").text(), "first second\n");
    for text in [
        "complaint before",
        "and a line in two",
        "complaint between",
        "complaint after",
    ] {
        let line = server.wait_for_log(text);
        assert!(line.contains("/app"), "whose? {line:?}");
    }
    let line = server.wait_for_log("bell");
    assert!(!line.contains(['\x07', '\x1b']), "{line:?}");
}

#[test]
fn a_flood_of_complaints_neither_blocks_nor_fills_the_log() {
    let backend = Backend::start(|exchange| {
        for _ in 0..80 {
            exchange.err(
                "a line of some sixty characters, over and over again, for ever\n".repeat(1000),
            )?;
        }
        exchange.document("complained at length\n")
    });
    let server = serve(&backend, &[]);
    assert_eq!(server.get("/app/").text(), "complained at length\n");
    let len = server.log().len();
    assert!(len < 2_000_000, "{len} bytes of log");
}

#[test]
fn a_non_zero_status_is_logged_and_the_response_stands() {
    let backend = Backend::start(|exchange| {
        exchange.out("Content-Type: text/plain\n\na good page\n")?;
        exchange.end_with(3, 0)
    });
    let server = serve(&backend, &[]);
    assert_eq!(server.get("/app/").text(), "a good page\n");
    server.expect_access("/app/", 200, "fastcgi.status");
}

#[test]
fn a_short_reply_has_a_length_and_a_long_one_is_chunked() {
    const LINE: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";
    let short = scripted(hello);
    assert_eq!(short.framing, Framing::Length(6));
    for backend in [
        Backend::start(|exchange| exchange.document(LINE.repeat(160_000))),
        Backend::unix(|exchange| exchange.document(LINE.repeat(160_000))),
    ] {
        let server = serve(&backend, &[]);
        let long = server.get("/app/");
        assert_eq!((long.framing, long.ended), (Framing::Chunked, Ended::Clean));
        assert!(long.body == LINE.repeat(160_000), "not what was sent");
        let old = server.exchange("GET", b"GET /app/ HTTP/1.0\r\n\r\n");
        assert_eq!(
            (old.framing, old.ended),
            (Framing::UntilClose, Ended::Clean)
        );
        assert_eq!(old.body.len(), LINE.len() * 160_000);
    }
}

#[test]
fn an_applications_own_content_length_is_kept() {
    let response = scripted(|exchange| {
        let head = "Content-Type: text/plain\nContent-Length: 1000000\n\n";
        exchange.reply([head.as_bytes(), &[b'x'; 1_000_000]].concat())
    });
    assert_eq!(response.framing, Framing::Length(1_000_000));
    assert_eq!(response.ended, Ended::Clean);
}

#[test]
fn output_is_passed_on_as_it_comes() {
    for version in ["1.1", "1.0"] {
        let gate = Gate::default();
        let backend = Backend::start({
            let gate = gate.clone();
            move |exchange| {
                exchange.read_stdin()?;
                exchange.out("Content-Type: text/plain\n\nfirst\n")?;
                gate.wait()?;
                exchange.out("second\n")?;
                exchange.end()
            }
        });
        let server = serve(&backend, &[]);
        let mut client = server.connect();
        client.send(format!("GET /app/ HTTP/{version}\r\nHost: h\r\n\r\n"));
        client.wait_for("first");
        // The application prints the rest only now.
        gate.open();
        let response = client.read_response("GET");
        assert_eq!(response.text(), "first\nsecond\n", "HTTP/{version}");
    }
}

#[test]
fn a_slow_client_gets_all_of_a_long_reply_and_holds_no_backend() {
    let backend = Backend::start(|exchange| exchange.document(vec![b'x'; 20_000_000]));
    let server = serve(&backend, &["--fastcgi-keep", "0"]);
    let mut client = server.connect();
    client.send(request("GET", "/app/", &[], b""));
    client.wait_for("\r\n\r\n");
    // The application is done long before the client takes a byte.
    backend.wait_until_closed();
    let response = client.read_response("GET");
    assert_eq!(response.ended, Ended::Clean);
    assert_eq!(response.body.len(), 20_000_000);
}

/// What is more than a turn is sent in the next one: no event tells that there is room, where there was
/// always some.
#[test]
fn a_client_that_reads_on_after_a_pause_gets_a_long_reply_without_another() {
    const LEN: usize = 100_000_000;
    let backend = Backend::start(|exchange| exchange.document(vec![b'x'; LEN]));
    // A client would be let wait for as long as it may take.
    let server = serve(&backend, &["--max-spool", "16M", "--send-timeout", "300"]);
    let mut client = server.connect();
    client.send(request("GET", "/app/", &[], b""));
    client.wait_for("\r\n\r\n");
    // In this time all fills up.
    thread::sleep(Duration::from_secs(1));
    let response = client.read_response("GET");
    assert_eq!(response.ended, Ended::Clean);
    assert_eq!(response.body.len(), LEN);
}

#[test]
fn requests_that_an_application_takes_its_time_for_hold_no_thread() {
    const CLIENTS: usize = 40;
    let gate = Gate::default();
    let backend = Backend::start({
        let gate = gate.clone();
        move |exchange| {
            gate.wait()?;
            exchange.document("at last\n")
        }
    });
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    let arguments = ["--threads", "2", "--max-backend", "64"];
    let server = serve_site(site, "/app/", &backend, &arguments);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(request("GET", "/app/", &[], b""));
    }
    backend.wait_for_requests(CLIENTS);
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    gate.open();
    for client in &mut clients {
        assert_eq!(client.read_response("GET").text(), "at last\n");
    }
}

#[test]
fn one_connection_mixes_applications_programs_and_files() {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    let backend = Backend::start(echo);
    let server = serve_site(site, "/app/", &backend, &["--threads", "2"]);
    let round = [
        request("POST", "/app/", &[], b"body"),
        request("GET", "/page.txt", &[], b""),
        request("GET", "/app/", &[], b""),
        request("GET", "/cgi-bin/probe/hello", &[], b""),
    ]
    .concat();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = server.connect();
                for _ in 0..10 {
                    // All at once: the answers come in order.
                    client.send(&round);
                    for body in ["4\nbody", "a page\n", "\n", "hello\n"] {
                        assert_eq!(client.read_response("GET").text(), body);
                    }
                }
            });
        }
    });
}

#[test]
fn unknown_paths_go_to_the_fallback_with_what_was_asked_for() {
    let site = Site::new();
    site.file("www/index.php", "<?php ?>");
    site.file("www/page.txt", "a page\n");
    let backend = Backend::start(echo);
    let server = serve_site(site, ".php", &backend, &["--fallback", "/index.php"]);
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    assert_eq!(backend.count(), 0);
    let response = server.post("/blog/2024%20x/?page=2", b"body");
    assert_eq!(response.text(), "4\nbody");
    let seen = backend.last();
    for (name, value) in [
        ("QUERY_STRING", "page=2"),
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/blog/2024%20x/?page=2"),
        ("SCRIPT_NAME", "/index.php"),
    ] {
        assert_eq!(seen.param(name), Some(value), "{name}");
    }
    let script = seen.param("SCRIPT_FILENAME").unwrap();
    assert!(script.ends_with("/www/index.php"), "{script}");
    assert_eq!(seen.param("PATH_INFO").unwrap_or_default(), "");
    // Which methods there are only the application knows.
    let response = server.fetch("OPTIONS", "/api/posts", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (200, "\n"));
    assert_eq!(backend.last().param("REQUEST_METHOD"), Some("OPTIONS"));
    let response = server.fetch("OPTIONS", "/page.txt", &[], b"");
    assert_eq!(response.field("Allow"), Some("GET, HEAD, OPTIONS"));
}
