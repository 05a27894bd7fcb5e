//! What becomes of a program's output (RFC 3875 section 6): each kind of reply, and each fault with
//! its status and reason.

use crate::support::{Ended, Framing, PATIENCE, Response, Server, eventually, request};

/// The answer when a program prints these bytes.
fn printed(server: &Server, output: impl AsRef<[u8]>) -> Response {
    server.post("/cgi-bin/probe/raw", output.as_ref())
}

#[test]
fn a_document() {
    let server = Server::start(&[]);
    let response = printed(&server, "Content-Type: text/x-y\nX-Own: 1\n\nbody\n");
    assert_eq!((response.status, response.phrase.as_str()), (200, "OK"));
    assert_eq!(response.field("Content-Type"), Some("text/x-y"));
    assert_eq!(response.field("X-Own"), Some("1"));
    assert_eq!(response.text(), "body\n");
}

#[test]
fn line_ends_are_lf_or_crlf() {
    let server = Server::start(&[]);
    for output in [
        "Content-Type: text/plain\n\na\r\nb\n",
        "Content-Type: text/plain\r\n\r\na\r\nb\n",
        "Content-Type: text/plain\r\n\na\r\nb\n",
        "Content-Type:text/plain\n\r\na\r\nb\n",
    ] {
        let response = printed(&server, output);
        assert_eq!(
            response.field("Content-Type"),
            Some("text/plain"),
            "{output:?}"
        );
        // The body is the program's own; not a byte of it is touched.
        assert_eq!(response.text(), "a\r\nb\n", "{output:?}");
    }
}

#[test]
fn a_status_with_its_phrase() {
    let server = Server::start(&[]);
    let response = server.get("/cgi-bin/probe/status?code=404&phrase=Gone+Fishing");
    assert_eq!(
        (response.status, response.phrase.as_str()),
        (404, "Gone Fishing")
    );
    assert_eq!(response.text(), "as asked\n");
    let response = printed(&server, "Status: 201\nContent-Type: text/plain\n\nx");
    assert_eq!(response.status, 201);
    let response = printed(&server, "Status: 204 No Content\n\n");
    assert_eq!((response.status, response.framing), (204, Framing::NoBody));
    let response = printed(&server, "status: 299 Odd\ncontent-type: text/plain\n\nx");
    assert_eq!((response.status, response.phrase.as_str()), (299, "Odd"));
    assert_eq!(response.field("Status"), None);
}

#[test]
fn a_reset_content_has_none() {
    let server = Server::start(&[]);
    for output in [
        "Status: 205\n\nignored",
        "Status: 205\nContent-Length: 7\n\nignored",
    ] {
        let response = printed(&server, output);
        assert_eq!(
            (response.status, response.framing),
            (205, Framing::Length(0))
        );
    }
}

#[test]
fn a_status_without_a_body_has_none_even_when_the_program_prints_one() {
    let server = Server::start(&[]);
    for status in [204, 304] {
        let mut client = server.connect();
        let output = format!("Status: {status}\nContent-Type: text/plain\n\nGET / HTTP/1.1\r\n");
        client.send(request(
            "POST",
            "/cgi-bin/probe/raw",
            &[],
            output.as_bytes(),
        ));
        assert_eq!(client.read_response("POST").status, status);
        client.send(request("GET", "/cgi-bin/probe/hello", &[], b""));
        assert_eq!(client.read_response("GET").text(), "hello\n");
    }
}

#[test]
fn a_client_redirect() {
    let server = Server::start(&[]);
    let response = server.get("/cgi-bin/probe/redirect?to=http://elsewhere.test/x?y");
    assert_eq!(response.status, 302);
    assert_eq!(
        response.field("Location"),
        Some("http://elsewhere.test/x?y")
    );
    let response = server.get("/cgi-bin/probe/redirect-document");
    assert_eq!((response.status, response.phrase.as_str()), (301, "Moved"));
    assert_eq!(response.field("Location"), Some("http://elsewhere.test/"));
    assert_eq!(response.text(), "over there\n");
}

#[test]
fn a_local_redirect_is_answered_as_if_that_url_had_been_asked_for() {
    let server = Server::start(&[]);
    server.file("www/page.txt", "a page\n");
    let to_file = server.get("/cgi-bin/probe/redirect?to=/page.txt");
    assert_eq!((to_file.status, to_file.text().as_str()), (200, "a page\n"));
    assert_eq!(to_file.field("Location"), None);

    // A POST that is redirected becomes a GET without a body.
    let response = printed(&server, "Location: /cgi-bin/probe/env/x?q=1\n\n");
    let text = response.text();
    for line in ["REQUEST_METHOD=GET", "PATH_INFO=/env/x", "QUERY_STRING=q=1"] {
        assert!(text.contains(&format!("{line}\n")), "{line}: {text}");
    }
    assert!(!text.contains("CONTENT_LENGTH=1"), "{text}");

    let missing = server.get("/cgi-bin/probe/redirect?to=/none");
    assert_eq!(missing.status, 404);
    let outside = server.get("/cgi-bin/probe/redirect?to=/../../etc/passwd");
    assert_eq!(outside.status, 404);
}

#[test]
fn the_answer_to_head_of_a_local_redirect_has_no_body() {
    let server = Server::start(&[]);
    server.file("www/page.txt", "a page\n");
    let mut client = server.connect();
    client.send(request(
        "HEAD",
        "/cgi-bin/probe/redirect?to=/page.txt",
        &[],
        b"",
    ));
    assert_eq!(client.read_response("HEAD").status, 200);
    client.send(request("GET", "/page.txt", &[], b""));
    assert_eq!(client.read_response("GET").text(), "a page\n");
}

#[test]
fn local_redirects_in_a_circle_end() {
    let server = Server::start(&[]);
    server.script(
        "cgi-bin/circle",
        "#!/bin/sh\necho Location: /cgi-bin/circle\necho\n",
    );
    assert_eq!(server.get("/cgi-bin/circle").status, 502);
    server.expect_access("/cgi-bin/circle", 502, "cgi.redirects");
}

#[test]
fn ten_local_redirects_are_followed_and_no_more() {
    let server = Server::start(&[]);
    server.script(
        "cgi-bin/chain",
        "#!/bin/sh\n\
         if [ \"$QUERY_STRING\" = 0 ]; then printf 'Content-Type: text/plain\\n\\nthe end\\n'\n\
         else printf 'Location: /cgi-bin/chain?%s\\n\\n' $((QUERY_STRING - 1)); fi\n",
    );
    assert_eq!(server.get("/cgi-bin/chain?10").text(), "the end\n");
    assert_eq!(server.get("/cgi-bin/chain?11").status, 502);
}

#[test]
fn several_cookies_are_kept_apart() {
    let response = Server::start(&[]).get("/cgi-bin/probe/cookies");
    assert_eq!(response.values("Set-Cookie"), ["a=1", "b=2; Path=/"]);
}

#[test]
fn connection_fields_of_a_program_are_dropped() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(request("GET", "/cgi-bin/probe/hop-by-hop", &[], b""));
        let response = client.read_response("GET");
        for name in ["Connection", "Keep-Alive", "Upgrade", "Trailer"] {
            assert_eq!(response.field(name), None, "{name}");
        }
        assert_eq!(response.text(), "not chunked\n");
    }
}

#[test]
fn a_program_cannot_split_the_response() {
    let server = Server::start(&[]);
    for output in [
        "Content-Type: text/plain\nX: a\rSet-Cookie: evil=1\n\nx",
        "Content-Type: text/plain\nX: a\0b\n\nx",
        "Status: 200 OK\rX: y\nContent-Type: text/plain\n\nx",
        "Content-Type: text/plain\nX : y\n\nx",
        "Content-Type: text/plain\n folded\n\nx",
        "Content-Type: text/plain\n: no name\n\nx",
    ] {
        // Refused or without the byte; the client's own parser is strict about the rest.
        let response = printed(&server, output);
        assert_eq!(response.field("Set-Cookie"), None, "{output:?}");
        assert!(
            matches!(response.status, 200 | 502),
            "{output:?}: {response:?}"
        );
    }
}

#[test]
fn faults_of_a_program_have_a_status_and_a_reason() {
    let server = Server::start(&[]);
    for (behaviour, status, reason) in [
        ("nothing", 502, "cgi.no-output"),
        ("exit-early?code=3", 502, "cgi.no-output"),
        ("killed-early", 502, "cgi.killed"),
        ("no-header", 502, "cgi.no-header"),
        ("malformed-header", 502, "cgi.header-malformed"),
        ("type-twice", 502, "cgi.header-malformed"),
        ("header-cut", 502, "cgi.header-cut"),
        ("endless-header", 502, "cgi.header-too-long"),
        ("status?code=20", 502, "cgi.status"),
        ("status?code=199", 502, "cgi.status"),
        ("status?code=600", 502, "cgi.status"),
        ("status?code=+20", 502, "cgi.status"),
        ("status?code=2000", 502, "cgi.status"),
    ] {
        let target = format!("/cgi-bin/probe/{behaviour}");
        let response = server.get(&target);
        assert_eq!(response.status, status, "{behaviour}: {response:?}");
        server.expect_access(&target, status, reason);
    }
    // What it printed instead of a header is shown to the operator, not to the client.
    assert!(server.wait_for_log("This is a page").contains("probe"));
    let page = server.get("/cgi-bin/probe/no-header");
    assert!(!page.text().contains("This is a page"), "{page:?}");
}

#[test]
fn no_more_than_a_little_of_what_failed_is_quoted() {
    let server = Server::start(&[]);
    server.script(
        "cgi-bin/talker",
        "#!/bin/sh\nhead -c 9000 /dev/zero | tr '\\0' z >&2\nhead -c 9000 /dev/zero | tr '\\0' y\n",
    );
    assert_eq!(server.get("/cgi-bin/talker").status, 502);
    let log = server.wait_for_log("it printed");
    let line = log
        .lines()
        .find(|line| line.contains("it printed"))
        .unwrap();
    let (printed, complained) = line.split_once("; its stderr ended in: ").unwrap();
    assert_eq!(
        printed
            .split("it printed")
            .nth(1)
            .unwrap()
            .matches('y')
            .count(),
        800
    );
    assert_eq!(complained.matches('z').count(), 800);
}

#[test]
fn an_empty_header_is_a_fault() {
    // RFC 3875 section 6.3: at least one CGI field.
    let server = Server::start(&[]);
    assert_eq!(server.get("/cgi-bin/probe/blank-header").status, 502);
}

#[test]
fn a_non_zero_exit_is_logged_and_the_response_stands() {
    let server = Server::start(&[]);
    let response = server.get("/cgi-bin/probe/exit?code=3");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "a good page\n")
    );
    server.expect_access("/cgi-bin/probe/exit?code=3", 200, "cgi.exit");
}

#[test]
fn a_killed_program_leaves_a_response_that_is_visibly_cut() {
    let server = Server::start(&[]);
    for (version, rest) in [
        ("1.1", "\r\n"),
        ("1.0", "\r\n"),
        ("1.0", "Connection: keep-alive\r\n\r\n"),
        ("1.0", "\r\nGET / HTTP/1.0\r\n\r\n"),
    ] {
        let bytes = format!("GET /cgi-bin/probe/killed HTTP/{version}\r\nHost: h\r\n{rest}");
        let response = server.exchange("GET", bytes.as_bytes());
        // Nothing may have gone out yet, and then an error page is better still.
        let visible = response.ended == Ended::Cut || response.status == 502;
        assert!(visible, "HTTP/{version}: {response:?}");
    }
    server.wait_for_access("cgi.killed");
}

#[test]
fn fewer_bytes_than_the_content_length_are_visibly_cut() {
    let server = Server::start(&[]);
    let response = server.get("/cgi-bin/probe/length?claim=1000&bytes=100");
    assert!(
        response.ended == Ended::Cut || response.status == 502,
        "{response:?}"
    );
    server.wait_for_access("cgi.short");
}

#[test]
fn more_bytes_than_the_content_length_are_dropped() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request(
        "GET",
        "/cgi-bin/probe/length?claim=64&bytes=6400",
        &[],
        b"",
    ));
    let response = client.read_response("GET");
    assert_eq!(response.text(), format!("{:063}\n", 0));
    server.wait_for_log("cgi.long");
    if response.field("Connection") == Some("close") {
        client.expect_closed();
    } else {
        client.send(request("GET", "/cgi-bin/probe/hello", &[], b""));
        assert_eq!(client.read_response("GET").text(), "hello\n");
    }
}

#[test]
fn an_invalid_content_length_of_a_program_is_not_relayed() {
    let server = Server::start(&[]);
    for value in ["+5", "5, 5", "0x5", "five"] {
        let output = format!("Content-Type: text/plain\nContent-Length: {value}\n\nhello");
        let response = printed(&server, &output);
        assert_ne!(response.field("Content-Length"), Some(value));
        assert!(
            response.status == 502 || response.text() == "hello",
            "{value}: {response:?}"
        );
    }
}

#[test]
fn a_short_reply_has_a_length_and_a_long_one_is_chunked() {
    let server = Server::start(&[]);
    // Where the program is kept from ending at once, what it has printed leaves before its end.
    let short = || server.get("/cgi-bin/probe/hello").framing == Framing::Length(6);
    assert!(eventually(PATIENCE, short));
    let long = server.get("/cgi-bin/probe/flood?bytes=3000000");
    assert_eq!((long.framing, long.ended), (Framing::Chunked, Ended::Clean));
    assert_eq!(long.body.len(), 3_000_000);
    let counted = long.body.chunks(64).enumerate();
    assert!(
        counted
            .into_iter()
            .all(|(at, line)| line == format!("{at:063}\n").as_bytes())
    );
}

#[test]
fn http_1_0_gets_a_long_reply_until_the_connection_closes() {
    let server = Server::start(&[]);
    let bytes =
        b"GET /cgi-bin/probe/flood?bytes=3000000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let response = server.exchange("GET", bytes);
    assert_eq!(
        (response.framing, response.ended),
        (Framing::UntilClose, Ended::Clean)
    );
    assert_eq!(response.body.len(), 3_000_000);
}

#[test]
fn a_programs_own_content_length_is_kept() {
    let server = Server::start(&[]);
    let response = server.get("/cgi-bin/probe/length?claim=1000000&bytes=1000000");
    assert_eq!(response.framing, Framing::Length(1_000_000));
    assert_eq!(response.ended, Ended::Clean);
}

#[test]
fn a_slow_client_gets_all_of_a_long_reply() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request(
        "GET",
        "/cgi-bin/probe/flood?bytes=20000000",
        &[],
        b"",
    ));
    client.wait_for("\r\n\r\n");
    // The program has ended long before the client takes a byte.
    server.wait_until_childless();
    let response = client.read_response("GET");
    assert_eq!(
        (response.ended, response.body.len()),
        (Ended::Clean, 20_000_000)
    );
}

#[test]
fn nph_output_is_relayed_as_it_is() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request("GET", "/cgi-bin/nph-probe/nph", &[], b""));
    let text = String::from_utf8(client.read_to_end()).unwrap();
    assert_eq!(
        text,
        "HTTP/1.0 299 As I Say\r\nContent-Type: text/plain\r\nX-Raw: yes\r\n\r\nparsed by nobody\n"
    );
}

#[test]
fn a_request_behind_the_last_one_costs_no_byte_of_the_response() {
    const LEN: usize = 16 << 20;
    let server = Server::start(&[]);
    server.script(
        "cgi-bin/nph-long",
        format!("#!/bin/sh\nprintf 'HTTP/1.1 200 OK\\r\\n\\r\\n'\nhead -c {LEN} /dev/zero\n"),
    );
    let mut client = server.connect();
    client.send(request("GET", "/cgi-bin/nph-long", &[], b""));
    client.wait_for("\r\n\r\n");
    // It is not known yet that the connection closes after an nph- program.
    client.send(request("GET", "/", &[], b""));
    server.wait_until_childless();
    let output = client.read_to_end();
    assert_eq!(output.len(), "HTTP/1.1 200 OK\r\n\r\n".len() + LEN);
}

#[test]
fn what_a_program_complains_of_is_logged_with_its_name_and_not_sent() {
    let server = Server::start(&[]);
    let response = server.get("/cgi-bin/probe/stderr?text=words-for-the-operator");
    assert_eq!(response.text(), "complained\n");
    let line = server.wait_for_log("words-for-the-operator");
    assert!(line.contains("/cgi-bin/probe"), "no script in {line:?}");
}

#[test]
fn a_complaint_cannot_forge_a_line_of_the_log() {
    let server = Server::start(&[]);
    server.script(
        "cgi-bin/forge",
        "#!/bin/sh\nprintf 'bell\\007escape\\033[31m\\n' >&2\necho Content-Type: text/plain\necho\n",
    );
    server.get("/cgi-bin/forge");
    let line = server.wait_for_log("bell");
    assert!(!line.contains(['\x07', '\x1b']), "{line:?}");
}

#[test]
fn a_flood_of_complaints_neither_blocks_nor_fills_the_log() {
    let server = Server::start(&[]);
    let response = server.get("/cgi-bin/probe/flood-stderr?bytes=5000000");
    assert_eq!(response.text(), "complained at length\n");
    assert!(
        server.log().len() < 2_000_000,
        "{} bytes of log",
        server.log().len()
    );
}
