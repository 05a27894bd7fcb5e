//! What MIGRATING.md says of tollgate under "What bites", and the tables of options leave to be seen: each paragraph there has its
//! lines here. commands.rs starts what its tables have.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Folder, Front, Site, nginx};

const SHOW: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n";

#[test]
fn programs_find_what_is_said() {
    let site = Site::new()
        .environment("A_KEY", "of mine")
        .environment("HOME", "/there");
    site.script(
        "cgi-bin/env",
        format!("{SHOW}pwd; echo \"$# $1 $2\"; umask; env"),
    );
    site.script(
        "cgi-bin/below/body",
        format!("{SHOW}echo \"$CONTENT_LENGTH\"; cat"),
    );
    site.script(
        "cgi-bin/complain",
        format!("{SHOW}echo a complaint >&2; echo said"),
    );
    let place = site.text("cgi-bin");
    let server = site.serve(&["--env", "HOME"]);
    let fields = ["Authorization: Basic YTpi", "Proxy: http://other.test/"];
    let shown = server.fetch("GET", "/cgi-bin/env?a+b", &fields, b"").text();
    assert!(
        shown.starts_with(&format!("{place}\n2 a b\n0027\n")),
        "{shown}"
    );
    let has = |start: &str| shown.lines().any(|line| line.starts_with(start));
    assert!(
        has("PATH=") && has("HOME=/there") && has("REQUEST_URI="),
        "{shown}"
    );
    for absent in [
        "A_KEY=",
        "HTTP_AUTHORIZATION=",
        "HTTP_PROXY=",
        "CONTENT_TYPE=",
    ] {
        assert!(!has(absent), "{absent} in {shown}");
    }
    let mut client = server.connect();
    client.send(
        "POST /cgi-bin/below/body HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    assert_eq!(client.read_response("POST").text(), "5\nhello");
    assert_eq!(server.get("/cgi-bin/complain").text(), "said\n");
    server.wait_for_log("a complaint");
}

#[test]
fn a_program_that_checks_passwords_is_given_them_with_env() {
    let site = Site::new();
    site.script("cgi-bin/who", format!("{SHOW}echo \"$HTTP_AUTHORIZATION\""));
    let server = site.serve(&["--env", "HTTP_AUTHORIZATION"]);
    let asked = server.fetch("GET", "/cgi-bin/who", &["Authorization: Basic YTpi"], b"");
    assert_eq!(asked.text(), "Basic YTpi\n");
}

#[test]
fn answers_are_what_is_said() {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site.script(
        "cgi-bin/status",
        "#!/bin/sh\nprintf 'Status: 410 Over\\n\\n'",
    );
    site.script(
        "cgi-bin/here",
        "#!/bin/sh\nprintf 'Location: /page.txt\\n\\n'",
    );
    site.script(
        "cgi-bin/there",
        "#!/bin/sh\nprintf 'Location: http://other.test/\\n\\n'",
    );
    site.script("cgi-bin/silent", "#!/bin/sh\n");
    let whole = "#!/bin/sh\nprintf 'HTTP/1.1 203 Own\\r\\nContent-Length: 2\\r\\n\\r\\nok'\n";
    site.script("cgi-bin/nph-own", whole);
    site.script("cgi-bin/own", whole);
    let server = site.serve(&[]);
    let status = |path: &str| server.get(path).status;
    assert_eq!(status("/cgi-bin/status"), 410);
    assert_eq!(server.get("/cgi-bin/here").text(), "a page\n");
    assert_eq!(status("/cgi-bin/there"), 302);
    assert_eq!(status("/cgi-bin/silent"), 502);
    assert_eq!(status("/cgi-bin/nph-own"), 203);
    assert_eq!(status("/cgi-bin/own"), 502);
}

#[test]
fn what_is_served_is_what_is_said() {
    let site = Site::new();
    for name in [
        "www/.htaccess",
        "www/.htpasswd",
        "www/folder/page.html",
        "www/.well-known/it",
    ] {
        site.file(name, "Require all denied\n");
    }
    site.file("outside", "a secret\n");
    std::os::unix::fs::symlink(site.path("outside"), site.path("www/link")).unwrap();
    let bare = site.script("cgi-bin/bare", SHOW);
    fs::set_permissions(bare, fs::Permissions::from_mode(0o644)).unwrap();
    site.file("cgi-bin/form.php~", "<?php");
    let server = site.serve(&[]);
    let status = |path: &str| server.get(path).status;
    for (path, expected) in [
        ("/.htaccess", 404),
        ("/.htpasswd", 404),
        ("/.well-known/it", 200),
        ("/folder/page.html", 200),
        ("/folder/", 403),
        ("/folder/.htaccess", 404),
        ("/cgi-bin/bare", 403),
        ("/cgi-bin/none", 404),
        ("/none", 404),
    ] {
        assert_eq!(status(path), expected, "{path}");
    }
    assert_ne!(status("/link"), 200);
    assert_ne!(status("/cgi-bin/form.php~"), 200);
    assert_eq!(server.post("/folder/page.html", b"").status, 405);
}

/// Programs by their ending, whatever they are written in: thttpd's `**.cgi`, and lighttpd's `".cgi" => ""`.
#[test]
fn env_runs_programs_by_their_own_first_line() {
    let site = Site::new();
    site.script(
        "www/one.cgi",
        format!("{SHOW}echo \"$SCRIPT_NAME $PATH_INFO $#\"; pwd"),
    );
    site.script("www/two.cgi", "#!/bin/cat\nContent-Type: text/plain\n\n");
    let place = site.text("www");
    let server = site.serve(&["-c", ".cgi=/usr/bin/env"]);
    // Words of a query are no options of `env`, and name no program.
    for query in ["", "?-S+sh", "?A=b"] {
        let shown = server.get(&format!("/one.cgi/more{query}")).text();
        assert!(shown.starts_with("/one.cgi /more "), "{query}: {shown}");
        assert!(shown.ends_with(&format!("{place}\n")), "{query}: {shown}");
    }
    // Its first line is printed too, and is no header.
    assert_eq!(server.get("/two.cgi").status, 502);
}

/// The block for nginx in place of fcgiwrap's, with a client's address where nginx has none: it listens at a unix socket here.
#[test]
fn nginx_asks_as_the_page_has_it() {
    let Some(nginx) = nginx("nginx_asks_as_the_page_has_it") else {
        return;
    };
    let page = include_str!("../../MIGRATING.md");
    let block = page.split("```nginx\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let site = Site::new();
    let socket = format!("unix:{}", site.text("socket"));
    let server = site
        .listen(&[&socket])
        .serve(&["--trusted-proxy", "unix", "--no-explain"]);
    let here = server.addresses()[0].to_owned();
    assert!(block.contains("unix:/run/tollgate.sock"));
    let block = block
        .replace("unix:/run/tollgate.sock", &here)
        .replace("$proxy_add_x_forwarded_for", "192.0.2.7");
    let folder = Folder::new();
    let front = folder.text("front");
    let http = format!("access_log off; server {{ listen unix:{front}; {block} }}\n");
    let front = Front::nginx(&nginx, folder, &http);
    let mut client = front.connect();
    client
        .send("GET /cgi-bin/probe HTTP/1.1\r\nHost: example.org\r\nForwarded: for=6.6.6.6\r\n\r\n");
    let shown = client.read_response("GET").text();
    for line in [
        "REMOTE_ADDR=192.0.2.7",
        "REQUEST_SCHEME=http",
        "HTTP_HOST=example.org",
    ] {
        assert!(shown.lines().any(|it| it == line), "{line}: {shown}");
    }
}
