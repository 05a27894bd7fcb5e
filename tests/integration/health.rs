//! How it is, told to machines; and a stop that those who send clients here notice before it closes.

use std::time::{Duration, Instant};

use rustix::process::Signal;

#[cfg(feature = "console")]
use crate::support::{Client, Response, run, tollgate};
use crate::support::{PATIENCE, Server, Site, eventually, request};

fn site_with_page() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site
}

/// Whether a request is answered so that its connection ends.
fn tells_to_leave(server: &Server) -> bool {
    let page = server.get("/page.txt");
    assert_eq!(page.text(), "a page\n");
    page.field("Connection") == Some("close")
}

/// What `--health` answers to a request line and fields.
#[cfg(feature = "console")]
pub(crate) fn ask(server: &Server, head: &str) -> Response {
    let mut client = Client::connect(server.health());
    client.send(format!("{head}\r\n\r\n"));
    client.read_response(head.split(' ').next().unwrap())
}

#[cfg(feature = "console")]
#[test]
fn machines_are_told_how_it_is_and_no_more() {
    let server = site_with_page().serve(&["--health", "127.0.0.1:0"]);
    server.get("/page.txt");
    // A balancer says little, and Prometheus calls it by any name.
    let healthy = ask(&server, "GET /healthz HTTP/1.0");
    assert_eq!((healthy.status, healthy.text().as_str()), (200, "ok\n"));
    let counted = "\ntollgate_requests_total{kind=\"file\",status=\"2xx\"} 1\n";
    let metrics = || ask(&server, "GET /metrics HTTP/1.1\r\nHost: pod-7.example:9100").text();
    assert!(eventually(PATIENCE, || metrics().contains(counted)));
    assert!(
        metrics().contains("\ntollgate_programs_waiting 0\n"),
        "{}",
        metrics()
    );
    for (head, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost", 404),
        ("GET /api/journeys HTTP/1.1\r\nHost: localhost", 404),
        ("GET /healthz?x HTTP/1.1\r\nHost: localhost", 404),
        ("POST /healthz HTTP/1.1\r\nHost: localhost", 405),
    ] {
        assert_eq!(ask(&server, head).status, status, "{head}");
    }
    // The console's page is at the console's address alone.
    let arguments = ["--console", "127.0.0.1:0", "--health", "127.0.0.1:0"];
    let server = site_with_page().serve(&arguments);
    assert_eq!(
        ask(&server, "GET / HTTP/1.1\r\nHost: localhost").status,
        404
    );
    assert_eq!(ask(&server, "GET /healthz HTTP/1.1\r\nHost: h").status, 200);
    assert_eq!(super::console::ask(&server, "/", &[]).status, 200);
}

#[cfg(feature = "console")]
#[test]
fn health_has_an_address_of_its_own() {
    for (other, whose) in [("--listen", "--listen"), ("--console", "--console")] {
        let arguments = [other, "127.0.0.1:4", "--health", "127.0.0.1:4"];
        let ran = run(tollgate().args(arguments));
        assert_eq!(ran.status.code(), Some(2));
        let told = format!("--health: '127.0.0.1:4' is that of {whose}; give it one of its own");
        assert_eq!(ran.stderr, format!("tollgate: {told}\n"));
    }
}

#[test]
fn who_is_told_to_stop_serves_on_for_the_delay() {
    let arguments = [
        "--stop-delay",
        "3600",
        #[cfg(feature = "console")]
        "--health",
        #[cfg(feature = "console")]
        "127.0.0.1:0",
    ];
    let mut server = site_with_page().serve(&arguments);
    let mut kept = server.connect();
    kept.send(request("GET", "/page.txt", &[], b""));
    assert_eq!(kept.read_response("GET").field("Connection"), None);
    server.signal(Signal::TERM);
    // New connections are accepted, and those that were there are answered, for the last time.
    assert!(eventually(PATIENCE, || tells_to_leave(&server)));
    kept.send(request("GET", "/page.txt", &[], b""));
    assert_eq!(kept.read_response("GET").field("Connection"), Some("close"));
    kept.expect_closed();
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    #[cfg(feature = "console")]
    {
        let told = ask(&server, "GET /healthz HTTP/1.0");
        assert_eq!((told.status, told.text().as_str()), (503, "stopping\n"));
    }
    // Who does not want to wait for that says so.
    server.signal(Signal::TERM);
    let ended = server.wait(PATIENCE).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", server.log());
}

#[test]
fn the_delay_has_an_end() {
    let mut server = site_with_page().serve(&["--stop-delay", "1"]);
    let told = Instant::now();
    server.signal(Signal::TERM);
    let ended = server.wait(PATIENCE).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "{}", server.log());
    assert!(told.elapsed() >= Duration::from_secs(1));
}
