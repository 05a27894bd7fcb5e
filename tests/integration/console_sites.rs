//! The console of several sites: of each request it shows the one that it was for, also when that is gone.

use super::config_reload::{DONE, configure, reread, site};
use super::console::{has, list_with, read, revealed};
use crate::support::Server;

const TWO: &str = "listen 127.0.0.1:0\nunknown-host refuse\n[site one.test www.one.test]\nstatic /={}/one\n\
                   [site *.two.test]\nstatic /={}/two\nstatic /more/={}/one\n";

fn serve(text: &str) -> Server {
    let site = site();
    configure(&site, text);
    site.serve_file("tollgate.conf", &["--console", "127.0.0.1:0"])
}

fn get(server: &Server, host: &str, target: &str) -> u16 {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    server.exchange("GET", request.as_bytes()).status
}

#[test]
fn each_request_is_shown_at_the_site_that_it_was_for() {
    let server = serve(TWO);
    for (host, target, status) in [
        ("www.one.test", "/page.txt?1", 200),
        ("www.one.test", "/more/page.txt?1", 404),
        ("a.two.test", "/page.txt?2", 200),
        ("a.two.test", "/more/page.txt?2", 200),
        ("three.test", "/page.txt?3", 421),
    ] {
        assert_eq!(get(&server, host, target), status, "{host}{target}");
    }
    let list = list_with(&server, "/page.txt?3");
    for (target, shown) in [
        ("/page.txt?1", "\"site\":\"one.test\",\"route\":\"/\""),
        ("/more/page.txt?1", "\"site\":\"one.test\",\"route\":\"/\""),
        ("/page.txt?2", "\"site\":\"*.two.test\",\"route\":\"/\""),
        (
            "/more/page.txt?2",
            "\"site\":\"*.two.test\",\"route\":\"/more/\"",
        ),
    ] {
        let at = list.find(&format!("\"target\":\"{target}\"")).unwrap();
        let end = list[at..].find('}').unwrap();
        has(&list[at..at + end], &[shown]);
    }
    let folder = |name: &str| format!("files of {}", server.text(name));
    has(&revealed(&server, "/page.txt?1"), &[&folder("one")]);
    has(&revealed(&server, "/page.txt?2"), &[&folder("two")]);
    // A route counts for its site alone.
    has(
        &read(&server, "/api/toll"),
        &[
            "{\"site\":\"one.test\",\"route\":\"/\",\"kind\":\"file\",\"requests\":1,",
            "{\"site\":\"*.two.test\",\"route\":\"/\",\"kind\":\"file\",\"requests\":1,",
        ],
    );
}

#[test]
fn a_url_is_explained_by_the_site_of_its_host() {
    let server = serve(TWO);
    for (url, site, outcome) in [
        (
            "http://one.test/page.txt",
            "\"one.test\"",
            server.text("one/page.txt"),
        ),
        (
            "https://b.a.two.test:81/page.txt",
            "\"*.two.test\"",
            server.text("two/page.txt"),
        ),
        ("http://three.test/page.txt", "null", "421".to_owned()),
        ("/page.txt", "\"one.test\"", server.text("one/page.txt")),
    ] {
        let why = read(&server, &format!("/api/why?url={url}"));
        has(&why, &[&format!("\"site\":{site},"), &outcome]);
    }
}

#[test]
fn it_is_there_still_when_the_configuration_was_read_again_and_sites_are_gone() {
    let server = serve(TWO);
    assert_eq!(get(&server, "a.two.test", "/page.txt?2"), 200);
    has(&revealed(&server, "/page.txt?2"), &["\"steps\":"]);
    reread(&server, "listen 127.0.0.1:0\nstatic /={}/one\n", DONE);
    has(
        &revealed(&server, "/page.txt?2"),
        &["Its site is not served any more."],
    );
    assert_eq!(get(&server, "a.two.test", "/page.txt?4"), 200);
    has(
        &revealed(&server, "/page.txt?4"),
        &["\"site\":null", &format!("files of {}", server.text("one"))],
    );
}
