//! Who comes to the console: pages of other origins, clients without bounds, and those who may.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use super::console::ask;
use crate::support::{Client, PATIENCE, Server, Site, eventually, run, tollgate};

fn start() -> Server {
    Server::start(&["--console", "127.0.0.1:0"])
}

#[test]
fn a_page_of_another_origin_gets_nothing() {
    let server = start();
    server.get("/a-secret-target");
    let (address, token) = server.console();
    let authority = address.trim_start_matches("http://").trim_end_matches('/');
    let port = authority.rsplit_once(':').unwrap().1;
    assert!(eventually(PATIENCE, || {
        ask(&server, "/api/journeys", &[])
            .text()
            .contains("a-secret-target")
    }));
    let token = format!("X-Tollgate-Token: {token}");
    for (host, more, status) in [
        (authority, "", 200),
        // DNS rebinding: the page's own name leads here.
        (&format!("evil.example:{port}"), "", 421),
        (&format!("localhost.evil.example:{port}"), "", 421),
        ("evil.example", "Origin: http://evil.example", 421),
        // fetch(), an image, a form, a WebSocket, another server of this machine.
        (authority, "Origin: http://evil.example", 403),
        (authority, "Origin: null", 403),
        (authority, "Sec-Fetch-Site: cross-site", 403),
        (authority, "Sec-Fetch-Site: same-site", 403),
        (
            authority,
            &format!("Origin: http://127.0.0.1:{}", server.port()),
            403,
        ),
        (
            authority,
            "Access-Control-Request-Method: GET\r\nOrigin: http://evil.example",
            403,
        ),
    ] {
        for target in [
            "/",
            "/api/journeys",
            "/api/state",
            "/metrics",
            "/api/events",
            "/api/journeys/1?reveal=1",
        ] {
            if (target, status) == ("/api/events", 200) {
                continue;
            }
            let mut client = Client::connect(address);
            let more = if more.is_empty() {
                String::new()
            } else {
                format!("{more}\r\n")
            };
            client.send(format!(
                "GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}{token}\r\n\r\n"
            ));
            let response = client.read_response("GET");
            assert_eq!(
                response.status, status,
                "{host} {more} {target}: {response:?}"
            );
            for (name, _) in &response.fields {
                assert!(
                    !name.to_ascii_lowercase().starts_with("access-control"),
                    "{response:?}"
                );
            }
            if status != 200 {
                let text = response.text();
                assert!(
                    !text.contains("secret") && !text.contains("script"),
                    "{text}"
                );
            }
        }
    }
    // What the answers say about themselves.
    let page = ask(&server, "/", &[]);
    for (name, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
        ("Content-Type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(page.field(name), Some(value), "{page:?}");
    }
    let policy = page.field("Content-Security-Policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';")
            && policy.ends_with("frame-ancestors 'none'")
    );
    for (target, media_type) in [
        ("/console.js", "text/javascript"),
        ("/console.css", "text/css"),
    ] {
        let response = ask(&server, target, &[]);
        assert!(
            response
                .field("Content-Type")
                .unwrap()
                .starts_with(media_type)
        );
    }
    assert_eq!(ask(&server, "/nothing", &[]).status, 404);
}

#[test]
fn whoever_comes_is_bounded() {
    let server = start();
    let (address, _) = server.console();
    let own = "Host: localhost\r\n";
    for (sent, status) in [
        (
            format!("GET / HTTP/1.1\r\n{own}X: {}\r\n\r\n", "a".repeat(9_000)),
            431,
        ),
        (
            format!("GET /{} HTTP/1.1\r\n{own}\r\n", "a".repeat(9_000)),
            431,
        ),
        (
            format!("POST / HTTP/1.1\r\n{own}Content-Length: 1\r\n\r\nx"),
            413,
        ),
        (format!("POST / HTTP/1.1\r\n{own}\r\n"), 405),
        (
            format!("GET / HTTP/1.1\r\n{own}Transfer-Encoding: chunked\r\n\r\n"),
            413,
        ),
        // A second request that would be read as one.
        (
            format!("GET / HTTP/1.1\r\n{own}\r\nGET / HTTP/1.1\r\n{own}\r\n"),
            413,
        ),
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\n{own}\r\n"), 400),
        // The time of a head.
        ("GET / HTTP/1.1\r\nHost: loc".to_owned(), 408),
    ] {
        let mut client = Client::connect(address);
        // It may be answered before all of it was sent.
        let _ = client.try_send(&sent);
        assert_eq!(client.read_response("GET").status, status, "{:.40}", sent);
    }
    // As many connections as there may be; then there is room again.
    let mut held: Vec<Client> = (0..24).map(|_| Client::connect(address)).collect();
    let answer = || {
        let mut client = Client::connect(address);
        let _ = client.try_send(format!("GET /healthz HTTP/1.1\r\n{own}\r\n"));
        client
            .try_read_response("GET")
            .map(|response| response.status)
    };
    assert!(eventually(PATIENCE, || answer() != Ok(200)));
    held.clear();
    assert!(eventually(PATIENCE, || answer() == Ok(200)));
}

#[test]
fn it_has_a_socket_of_its_own_too_and_leaves_nothing_behind() {
    let site = Site::new();
    let temporary = site.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let socket = site.text("console.sock");
    let console = format!("unix:{socket}");
    let variable = temporary.to_str().unwrap().to_owned();
    let mut server = site
        .environment("TMPDIR", &variable)
        .serve(&["--console", &console]);
    assert_eq!(server.console().0, console);
    assert_eq!(ask(&server, "/healthz", &[]).text(), "ok\n");
    server.signal(Signal::TERM);
    assert!(server.wait(Duration::from_secs(20)).unwrap().success());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(!fs::exists(socket).unwrap());
}

#[cfg(feature = "sandbox")]
#[test]
fn it_answers_in_the_sandbox() {
    let server = Server::start(&["--console", "127.0.0.1:0", "--sandbox"]);
    server.get("/cgi-bin/probe/hello");
    assert!(eventually(PATIENCE, || {
        ask(&server, "/api/journeys", &[])
            .text()
            .contains("/cgi-bin/probe/hello")
    }));
    assert!(
        !ask(&server, "/api/state", &[])
            .text()
            .contains("\"memory\":0")
    );
}

#[test]
fn it_is_for_this_machine_alone() {
    for (address, problem) in [
        ("0.0.0.0:8081", "can be reached from other machines"),
        ("[::]:8081", "can be reached from other machines"),
        ("192.0.2.1:8081", "can be reached from other machines"),
        ("example.test:8081", "can be reached from other machines"),
        ("8081", "has no host"),
        ("127.0.0.1:8080", "is that of --listen"),
    ] {
        let ran = run(tollgate().args(["--console", address]));
        let told = ran.stderr;
        assert!(
            told.starts_with(&format!("tollgate: --console: '{address}' {problem}")),
            "{told}"
        );
    }
}
