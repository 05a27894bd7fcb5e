//! Requests that could be read in two ways are refused, and the connection with them: what one
//! server takes for a body, another takes for the next request (RFC 9112 sections 6 and 11.2).

use crate::support::{PATIENCE, Server, Site, eventually, request};

/// Follows each bad request, and must never be answered.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

/// Fails unless the request is refused with `status` and `reason`, and the connection closed.
#[track_caller]
fn expect_refused(server: &Server, bytes: &[u8], status: u16, reason: &str) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let refusals = || server.access_log().matches(reason).count();
    let before = refusals();
    let mut client = server.connect();
    // The server may close before it has read all of this.
    let _ = client.try_send([bytes, SMUGGLED.as_bytes()].concat());
    let response = client.read_response("GET");
    assert_eq!(response.status, status, "{shown:?}: {response:?}");
    assert_eq!(response.field("Connection"), Some("close"), "{shown:?}");
    client.expect_closed();
    let logged = eventually(PATIENCE, || refusals() > before);
    assert!(logged, "{shown:?}: no {reason} in\n{}", server.access_log());
    assert!(
        !server.access_log().contains("/smuggled"),
        "{shown:?}:\n{}",
        server.access_log()
    );
}

/// As [`expect_refused`] for each row of request, status and reason.
#[track_caller]
fn expect_all_refused(rows: &[(&str, u16, &str)]) {
    let server = Server::start(&[]);
    for (head, status, reason) in rows {
        expect_refused(&server, head.as_bytes(), *status, reason);
    }
}

/// A POST to the probe with these field lines, and a body for those who see one.
fn post(fields: &str) -> String {
    format!("POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\n{fields}\r\n0\r\n\r\n")
}

#[test]
fn a_length_together_with_a_coding_is_refused() {
    expect_all_refused(&[
        (
            &post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            400,
            "framing.length-and-coding",
        ),
        (
            &post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
            400,
            "framing.length-and-coding",
        ),
    ]);
}

#[test]
fn a_length_that_is_not_one_decimal_number_is_refused() {
    let server = Server::start(&[]);
    for value in [
        "+5",
        "-5",
        "5, 6",
        "0x5",
        "5 5",
        "5;",
        "\"5\"",
        "5.0",
        "",
        "99999999999999999999",
    ] {
        let head = post(&format!("Content-Length: {value}\r\n"));
        expect_refused(&server, head.as_bytes(), 400, "framing.length-");
    }
    let head = post("Content-Length: 5\r\nContent-Length: 6\r\n");
    expect_refused(&server, head.as_bytes(), 400, "framing.length-differs");
}

#[test]
fn any_coding_but_one_final_chunked_is_refused() {
    expect_all_refused(&[
        (
            &post("Transfer-Encoding: gzip\r\n"),
            501,
            "framing.coding-unknown",
        ),
        (
            &post("Transfer-Encoding: gzip, chunked\r\n"),
            501,
            "framing.coding-unknown",
        ),
        (
            &post("Transfer-Encoding: xchunked\r\n"),
            501,
            "framing.coding-unknown",
        ),
        (
            &post("Transfer-Encoding: chunked, chunked\r\n"),
            400,
            "framing.coding-order",
        ),
        (
            &post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            400,
            "framing.coding-order",
        ),
        (
            &post("Transfer-Encoding: \r\n"),
            400,
            "framing.coding-order",
        ),
    ]);
}

#[test]
fn a_coding_in_http_1_0_is_refused() {
    expect_all_refused(&[(
        "POST /cgi-bin/probe/stdin HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "framing.coding-version",
    )]);
}

#[test]
fn a_malformed_chunk_is_refused() {
    let server = Server::start(&[]);
    for (chunks, reason) in [
        ("+5\r\nhello\r\n0\r\n\r\n", "framing.chunk-size"),
        ("0x5\r\nhello\r\n0\r\n\r\n", "framing.chunk-size"),
        (" 5\r\nhello\r\n0\r\n\r\n", "framing.chunk-size"),
        ("\r\n0\r\n\r\n", "framing.chunk-size"),
        ("G\r\n0\r\n\r\n", "framing.chunk-size"),
        (
            "10000000000000000\r\nhello\r\n0\r\n\r\n",
            "framing.chunk-size",
        ),
        ("5\nhello\r\n0\r\n\r\n", "framing.chunk-"),
        ("5\r\nhello\n0\r\n\r\n", "framing.chunk-line"),
        ("5\r\nhello6\r\n0\r\n\r\n", "framing.chunk-line"),
        ("5;a=\nb\r\nhello\r\n0\r\n\r\n", "framing.chunk-line"),
        ("0\r\nNo colon\r\n\r\n", "framing.trailer"),
        ("0\r\nX: a\nY: b\r\n\r\n", "framing.trailer"),
    ] {
        let head =
            "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        expect_refused(&server, format!("{head}{chunks}").as_bytes(), 400, reason);
    }
}

#[test]
fn a_malformed_head_is_refused() {
    expect_all_refused(&[
        (
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
            400,
            "head.folded",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nX : a\r\n\r\n",
            400,
            "head.field-name",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\n: a\r\n\r\n",
            400,
            "head.field-name",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nX(: a\r\n\r\n",
            400,
            "head.field-name",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
            400,
            "head.",
        ),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400, "head."),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400, "head."),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01b\r\n\r\n",
            400,
            "head.",
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\x7fb\r\n\r\n",
            400,
            "head.",
        ),
        (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "head."),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "head."),
        ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400, "head."),
        ("GET /\tHTTP/1.1\r\nHost: h\r\n\r\n", 400, "head."),
        ("G<T / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "head."),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400, "head."),
    ]);
}

#[test]
fn an_unknown_version_is_refused() {
    expect_all_refused(&[
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, "head.version"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "head.version"),
    ]);
}

#[test]
fn the_host_of_http_1_1_is_there_once_and_well_formed() {
    expect_all_refused(&[
        ("GET / HTTP/1.1\r\n\r\n", 400, "host.missing"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            400,
            "host.repeated",
        ),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "host.invalid"),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "host.invalid"),
        (
            "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
            400,
            "host.invalid",
        ),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, "host.invalid"),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "host.invalid"),
    ]);
}

#[test]
fn http_1_0_needs_no_host() {
    let server = Server::start(&[]);
    let response = server.exchange("GET", b"GET /cgi-bin/probe/hello HTTP/1.0\r\n\r\n");
    assert_eq!(response.text(), "hello\n");
}

#[test]
fn an_unknown_expectation_is_refused() {
    let server = Server::start(&[]);
    let response = server.fetch("GET", "/cgi-bin/probe", &["Expect: 200-ok"], b"");
    assert_eq!(response.status, 417);
    server.wait_for_access("expect.unknown");
}

#[test]
fn a_long_target_is_414_and_a_long_head_431() {
    let server = Server::start(&["--max-header", "4K"]);
    let long = "a".repeat(8 * 1024);
    let target = format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_refused(&server, target.as_bytes(), 414, "head.target-too-long");
    let endless_target = format!("GET /{long}");
    expect_refused(
        &server,
        endless_target.as_bytes(),
        414,
        "head.target-too-long",
    );
    let field = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n");
    expect_refused(&server, field.as_bytes(), 431, "head.too-long");
}

#[test]
fn more_than_100_fields_are_431() {
    let server = Server::start(&[]);
    let fields = "X: y\r\n".repeat(99);
    let head = format!("GET /cgi-bin/probe/hello HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    assert_eq!(server.exchange("GET", head.as_bytes()).text(), "hello\n");
    let head = format!("GET /cgi-bin/probe/hello HTTP/1.1\r\nHost: h\r\n{fields}X: y\r\n\r\n");
    expect_refused(&server, head.as_bytes(), 431, "head.too-many-fields");
}

#[test]
fn a_long_body_is_413_before_it_is_read() {
    let server = Server::start(&["--max-body", "1K"]);
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut client = server.connect();
        // Not a byte of the body is sent, so an answer does not depend on it.
        client.send(format!(
            "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n{expect}\r\n"
        ));
        let response = client.read_response("POST");
        assert_eq!(response.status, 413);
        assert_eq!(response.field("Connection"), Some("close"));
        client.expect_closed();
    }
    server.expect_access("/cgi-bin/probe/stdin", 413, "body.too-long");
    assert_eq!(
        server.post("/cgi-bin/probe/stdin", &[b'a'; 1024]).status,
        200
    );
}

#[test]
fn a_long_chunked_body_is_413() {
    let server = Server::start(&["--max-body", "1K"]);
    let chunk = format!("400\r\n{}\r\n", "a".repeat(1024));
    let head =
        "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let fits = server.exchange("POST", format!("{head}{chunk}0\r\n\r\n").as_bytes());
    assert_eq!(fits.status, 200);
    expect_refused(
        &server,
        format!("{head}{chunk}1\r\na\r\n").as_bytes(),
        413,
        "body.too-long",
    );
}

#[test]
fn opaque_bytes_in_values_are_accepted() {
    let server = Server::start(&[]);
    let mut bytes = b"GET /cgi-bin/probe HTTP/1.1\r\nHost: h\r\nX-Opaque: ".to_vec();
    bytes.extend(0x80..=0xff_u8);
    bytes.extend(b"\r\n\r\n");
    let response = server.exchange("GET", &bytes);
    assert_eq!(response.status, 200);
    let expected: Vec<u8> = b"HTTP_X_OPAQUE="
        .iter()
        .copied()
        .chain(0x80..=0xff)
        .collect();
    assert!(
        response
            .body
            .split(|&byte| byte == b'\n')
            .any(|line| line == expected)
    );
}

#[test]
fn trace_and_connect_are_refused() {
    let server = Server::start(&[]);
    for (method, target) in [("TRACE", "/"), ("CONNECT", "h.test:80")] {
        let response = server.fetch(method, target, &[], b"");
        assert_eq!(response.status, 405, "{method}");
        assert!(
            response.field("Allow").is_some(),
            "{method}: a 405 names what is allowed"
        );
    }
    server.wait_for_access("method.refused");
}

#[test]
fn options_of_the_server_is_answered() {
    let server = Server::start(&[]);
    let response = server.fetch("OPTIONS", "*", &[], b"");
    assert!(matches!(response.status, 200 | 204), "{response:?}");
    assert!(response.body.is_empty());
    assert!(response.field("Allow").is_some());
}

#[test]
fn the_asterisk_is_for_options_alone() {
    let server = Server::start(&[]);
    assert_eq!(server.fetch("GET", "*", &[], b"").status, 400);
}

#[test]
fn the_absolute_form_is_understood_and_its_authority_wins() {
    let server = Server::start(&[]);
    let bytes = b"GET http://absolute.test:81/cgi-bin/probe?q HTTP/1.1\r\nHost: other.test\r\n\r\n";
    let response = server.exchange("GET", bytes);
    let text = response.text();
    // RFC 9112 section 3.2.2: the Host field is replaced by the authority of the target.
    assert!(text.contains("SERVER_NAME=absolute.test\n"), "{text}");
    assert!(text.contains("QUERY_STRING=q\n"), "{text}");
}

#[test]
fn blank_lines_before_a_request_are_skipped() {
    // RFC 9112 section 2.2: at least one.
    let server = Server::start(&[]);
    let mut bytes = b"\r\n".to_vec();
    bytes.extend(request("GET", "/cgi-bin/probe/hello", &[], b""));
    assert_eq!(server.exchange("GET", &bytes).text(), "hello\n");
}

#[test]
fn trailer_fields_are_dropped() {
    let server = Server::start(&[]);
    let response = server.exchange(
        "POST",
        b"POST /cgi-bin/probe HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
          3;name=value\r\nabc\r\n0\r\nX-Trailer: yes\r\n\r\n",
    );
    let text = response.text();
    assert!(text.contains("CONTENT_LENGTH=3\n"), "{text}");
    assert!(!text.contains("TRAILER"), "{text}");
}

#[test]
fn a_path_that_could_be_read_in_two_ways_is_refused() {
    let site = Site::new();
    site.file("www/index.html", "index");
    let server = site.serve(&[]);
    for (target, reason) in [
        ("/%zz", "target.encoding"),
        ("/%4", "target.encoding"),
        ("/a%00b", "target.byte"),
        ("/a%0ab", "target.byte"),
        ("/a%2fb", "target.slash"),
        ("/cgi-bin%2Fprobe", "target.slash"),
    ] {
        let response = server.get(target);
        assert_eq!(response.status, 400, "{target}");
        server.expect_access(target, 400, reason);
    }
}

#[test]
fn a_get_with_content_keeps_the_connection() {
    let site = Site::new();
    site.file("www/x.txt", "x");
    let server = site.serve(&[]);
    let mut client = server.connect();
    for target in ["/x.txt", "/nowhere", "/cgi-bin/probe/stdin", "/x.txt"] {
        client.send(request("GET", target, &[], b"GET "));
        let response = client.read_response("GET");
        assert_eq!(response.status == 404, target == "/nowhere", "{response:?}");
        assert_eq!(response.field("Connection"), None);
    }
}

#[test]
fn a_refused_request_line_is_in_the_log_as_far_as_it_came() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("GET /what is this HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.read_response("GET").status, 400);
    let line = server.wait_for_access("head.malformed");
    assert!(
        line.contains("\"GET /what is this HTTP/1.1\" 400"),
        "{line}"
    );
}
