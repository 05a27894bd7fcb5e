//! The families of request smuggling, a table of each (`tests/attacks`): what could be read in two ways is
//! refused and the connection closed, what only looks odd is one request and no more; each in one
//! write and byte by byte, which must not change the verdict.

use std::fs;

use crate::support::attacks::{Row, table};
use crate::support::{Client, PATIENCE, Server, Site, eventually};

/// Follows each row, and must be answered where the connection is kept, and never elsewhere.
const NEXT: &str = "GET /cgi-bin/probe/hello?next HTTP/1.1\r\nHost: h\r\n\r\n";

fn serve() -> Server {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site.file("www/hidden", "what was smuggled\n");
    fs::create_dir(site.path("www/folder")).unwrap();
    site.serve(&[])
}

/// Sends a row and what follows it. The server may have closed before it has read all of that.
fn send(server: &Server, row: &Row, piece: usize) -> Client {
    let mut client = server.connect();
    let bytes = [&row.bytes, NEXT.as_bytes()].concat();
    for piece in bytes.chunks(piece) {
        if client.try_send(piece).is_err() {
            break;
        }
    }
    client
}

/// How the bytes come: in one write, and one by one.
const PIECES: [usize; 2] = [usize::MAX, 1];

#[test]
fn each_ambiguous_request_is_refused_and_the_connection_closed() {
    let server = serve();
    for row in table("refused.table") {
        let [status, reason] = &row.words;
        for piece in PIECES {
            let name = format!("{}, by {piece}", row.name);
            let ends_so = |line: &&str| line.rsplit(' ').next().unwrap().starts_with(reason);
            let lines = || server.access_log().lines().filter(ends_so).count();
            let before = lines();
            let mut client = send(&server, &row, piece);
            let response = client.read_response(row.method());
            assert_eq!(response.status.to_string(), *status, "{name}: {response:?}");
            assert_eq!(response.field("Connection"), Some("close"), "{name}");
            client.expect_closed();
            let is_logged = eventually(PATIENCE, || lines() > before);
            assert!(is_logged, "{name}: no {reason} in\n{}", server.access_log());
        }
    }
    let log = server.access_log();
    assert!(
        !log.contains("?next HTTP/1.1\" 200"),
        "what was smuggled was answered:\n{log}"
    );
}

#[test]
fn each_odd_request_is_one_request() {
    let server = serve();
    for row in table("taken.table") {
        let [status, end] = &row.words;
        for piece in PIECES {
            let name = format!("{}, by {piece}", row.name);
            let mut client = send(&server, &row, piece);
            let mut response = client.read_response(row.method());
            if response.status == 100 {
                response = client.read_response(row.method());
            }
            assert_eq!(response.status.to_string(), *status, "{name}: {response:?}");
            match end.as_str() {
                "kept" => {
                    assert_ne!(response.field("Connection"), Some("close"), "{name}");
                    assert_eq!(client.read_response("GET").text(), "hello\n", "{name}");
                    client.half_close();
                }
                _ => assert_eq!(end, "closed", "{name}"),
            }
            client.expect_closed();
        }
    }
    let log = server.access_log();
    assert!(
        !log.contains("/hidden"),
        "a body was taken for a request:\n{log}"
    );
}

#[test]
fn a_request_behind_a_refused_one_of_a_pipeline_is_not_answered() {
    let server = serve();
    let good = "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    for row in table("refused.table") {
        let mut client = server.connect();
        let bytes = [good.as_bytes(), &row.bytes, NEXT.as_bytes()].concat();
        let _ = client.try_send(bytes);
        assert_eq!(
            client.read_response("POST").text(),
            "told 5, read 5\nhello",
            "{}",
            row.name
        );
        let response = client.read_response(row.method());
        assert_eq!(
            response.status.to_string(),
            row.words[0],
            "{}: {response:?}",
            row.name
        );
        client.expect_closed();
    }
    let log = server.access_log();
    assert!(
        !log.contains("?next HTTP/1.1\" 200"),
        "what was smuggled was answered:\n{log}"
    );
}
