//! Files that a program has the server send: X-Sendfile and X-Accel-Redirect, from CGI and FastCGI.

use std::os::unix::fs::symlink;

use crate::support::{Response, Server, Site};

const PAGE: &[u8] = b"0123456789abcdefghij";

/// A site with `/page.txt` of twenty bytes, and what is not to be seen around it.
fn site() -> Site {
    let site = Site::new();
    site.file("www/page.txt", PAGE);
    site.file("www/sub/page.bin", PAGE);
    site.file("www/.hidden", "a secret\n");
    site.file("secret.txt", "a secret\n");
    symlink(site.path("secret.txt"), site.path("www/link.txt")).unwrap();
    symlink(site.as_ref(), site.path("www/folder")).unwrap();
    site
}

/// Each kind of program that prints what it is sent, and its URL.
fn each_kind(arguments: &[&str], test: impl Fn(&Server, &str)) {
    test(&site().serve(arguments), "/cgi-bin/probe/raw");
    #[cfg(feature = "fastcgi")]
    {
        let backend = crate::support::backend::Backend::start(|exchange| {
            exchange.read_stdin()?;
            exchange.reply(exchange.seen.stdin.clone())
        });
        let route = format!("/app/={}", backend.address());
        let server = site().serve(&[&["--fastcgi", &route], arguments].concat());
        test(&server, "/app/raw");
    }
}

/// The answer when the program at `target` prints these lines of header and some body.
fn printed(server: &Server, target: &str, fields: &[&str], lines: &str) -> Response {
    let output = format!("{lines}\nthe body of the program\n");
    server.fetch("POST", target, fields, output.as_bytes())
}

#[test]
fn a_file_is_sent_in_place_of_the_programs_body() {
    each_kind(&[], |server, target| {
        let root = server.text("www");
        for (line, content_type) in [
            (
                format!("X-Sendfile: {root}/page.txt\n"),
                "text/plain; charset=utf-8",
            ),
            (
                "X-Accel-Redirect: /page.txt\n".to_string(),
                "text/plain; charset=utf-8",
            ),
            (
                "x-accel-redirect: /sub/page.bin\n".to_string(),
                "application/octet-stream",
            ),
            (
                format!("Content-Type: image/x-own\nX-Sendfile: {root}/page.txt\n"),
                "image/x-own",
            ),
            (
                "Content-Type: image/x-own\nX-Accel-Redirect: /page.txt\n".to_string(),
                "image/x-own",
            ),
        ] {
            let response = printed(server, target, &[], &format!("{line}X-Own: 1\n"));
            assert_eq!(response.status, 200, "{line}: {response:?}");
            assert_eq!(response.body, PAGE, "{line}");
            assert_eq!(response.field("Content-Type"), Some(content_type), "{line}");
            assert_eq!(response.field("Content-Length"), Some("20"), "{line}");
            assert_eq!(response.field("X-Own"), Some("1"), "{line}");
            for name in ["X-Sendfile", "X-Accel-Redirect"] {
                assert_eq!(response.field(name), None, "{line}");
            }
        }
    });
}

#[test]
fn names_are_taken_as_what_they_are() {
    each_kind(&[], |server, target| {
        server.file("www/a b%20c.txt", PAGE);
        let root = server.text("www");
        for line in [
            // A path is a path, a URL is encoded.
            format!("X-Sendfile: {root}/a b%20c.txt\n"),
            "X-Accel-Redirect: /a%20b%2520c.txt\n".to_string(),
        ] {
            let response = printed(server, target, &[], &line);
            assert_eq!(
                (response.status, response.body.as_slice()),
                (200, PAGE),
                "{line}"
            );
        }
    });
}

#[test]
fn ranges_and_conditions_hold() {
    each_kind(&[], |server, _| {
        let line = format!("X-Sendfile: {}/page.txt\\n\\n", server.text("www"));
        server.script("cgi-bin/send", format!("#!/bin/sh\nprintf '{line}'\n"));
        let get = |fields: &[&str]| server.fetch("GET", "/cgi-bin/send", fields, b"");
        let whole = get(&[]);
        assert_eq!((whole.status, whole.body.as_slice()), (200, PAGE));
        let tag = whole.field("ETag").unwrap();
        assert_eq!(get(&[&format!("If-None-Match: {tag}")]).status, 304);
        let part = get(&["Range: bytes=5-9"]);
        assert_eq!((part.status, part.body.as_slice()), (206, &PAGE[5..10]));
        assert_eq!(part.field("Content-Range"), Some("bytes 5-9/20"));
        assert_eq!(get(&["Range: bytes=20-"]).status, 416);
        assert_eq!(get(&["If-Match: \"other\""]).status, 412);
    });
}

#[test]
#[cfg(feature = "fastcgi")]
fn ranges_and_conditions_hold_for_an_application() {
    let site = site();
    let line = format!("X-Sendfile: {}/page.txt\n\n", site.text("www"));
    let backend = crate::support::backend::Backend::start(move |exchange| exchange.reply(&line));
    let server = site.serve(&["--fastcgi", &format!("/app/={}", backend.address())]);
    let get = |fields: &[&str]| server.fetch("GET", "/app/", fields, b"");
    let whole = get(&[]);
    assert_eq!((whole.status, whole.body.as_slice()), (200, PAGE));
    let tag = whole.field("ETag").unwrap();
    assert_eq!(get(&[&format!("If-None-Match: {tag}")]).status, 304);
    let part = get(&["Range: bytes=5-9"]);
    assert_eq!((part.status, part.body.as_slice()), (206, &PAGE[5..10]));
    let mut client = server.connect();
    for method in ["HEAD", "GET"] {
        client.send(crate::support::request(method, "/app/", &[], b""));
        let response = client.read_response(method);
        assert_eq!(response.field("Content-Length"), Some("20"), "{method}");
    }
}

#[test]
fn nothing_outside_of_a_static_route_is_sent() {
    each_kind(&[], |server, target| {
        let (site, root) = (server.text(""), server.text("www"));
        let site = site.trim_end_matches('/');
        for line in [
            format!("X-Sendfile: {site}/secret.txt"),
            format!("X-Sendfile: {root}/../secret.txt"),
            format!("X-Sendfile: {root}/sub/../../secret.txt"),
            format!("X-Sendfile: {root}/link.txt"),
            format!("X-Sendfile: {root}/folder/secret.txt"),
            format!("X-Sendfile: {root}/.hidden"),
            format!("X-Sendfile: {root}/none.txt"),
            format!("X-Sendfile: {root}/sub"),
            format!("X-Sendfile: {root}x/page.txt"),
            format!("X-Sendfile: {site}/cgi-bin/probe"),
            "X-Sendfile: page.txt".to_string(),
            "X-Sendfile: /etc/passwd".to_string(),
            "X-Sendfile: /proc/self/environ".to_string(),
            "X-Accel-Redirect: /../secret.txt".to_string(),
            "X-Accel-Redirect: /%2e%2e/secret.txt".to_string(),
            "X-Accel-Redirect: /link.txt".to_string(),
            "X-Accel-Redirect: /folder/secret.txt".to_string(),
            "X-Accel-Redirect: /.hidden".to_string(),
            "X-Accel-Redirect: /none.txt".to_string(),
            "X-Accel-Redirect: page.txt".to_string(),
            "X-Accel-Redirect: http://elsewhere.test/page.txt".to_string(),
        ] {
            let lines = format!("Content-Type: text/plain\n{line}\n");
            let response = printed(server, target, &[], &lines);
            let text = String::from_utf8_lossy(&response.body).into_owned();
            for secret in [
                "a secret",
                "root:",
                "PATH=",
                "body of the program",
                "\x7fELF",
            ] {
                assert!(!text.contains(secret), "{line}: {response:?}");
            }
            assert_eq!(response.status, 502, "{line}: {response:?}");
        }
        server.expect_access(target, 502, "cgi.send-file");
    });
}
