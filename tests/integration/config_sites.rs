//! Several sites by Host: each with what is its own, and nothing of another one.

use std::fs;

use crate::support::{Folder, Response, Server, Site, request, run, tollgate};

/// Two sites, `one/` and `two/`, each with a page and a program, and a configuration file of these lines before
/// their sections. In the lines of a section `{}` stands for the folder of the test.
fn two_sites(above: &str, one: &str, two: &str) -> Site {
    let site = Site::bare();
    for name in ["one", "two"] {
        site.file(&format!("{name}/www/page.txt"), format!("page of {name}\n"));
        site.file(
            &format!("{name}/www/404.html"),
            format!("nothing at {name}\n"),
        );
        site.add_program(name);
    }
    let text = format!(
        "listen 127.0.0.1:0\n{above}\n[site one.example www.one.example]\nroot {{}}/one\n{one}\n\
         [site *.two.example 127.0.0.1]\nroot {{}}/two\n{two}\n"
    );
    site.file(
        "tollgate.conf",
        text.replace("{}", site.text("").trim_end_matches('/')),
    );
    site
}

trait AddProgram {
    fn add_program(&self, name: &str);
}

impl AddProgram for Site {
    fn add_program(&self, name: &str) {
        fs::create_dir_all(self.path(&format!("{name}/cgi-bin"))).unwrap();
        self.add_probe(&format!("{name}/cgi-bin/probe"));
    }
}

fn serve(site: Site) -> Server {
    site.serve_file("tollgate.conf", &[])
}

/// A request that is for this host.
fn request_to(host: &str, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let bytes = request(method, target, &[], body);
    let text = String::from_utf8(bytes).unwrap();
    text.replace("Host: tollgate.test", &format!("Host: {host}"))
        .into()
}

fn ask(server: &Server, host: &str, method: &str, target: &str, body: &[u8]) -> Response {
    server.exchange(method, &request_to(host, method, target, body))
}

fn get(server: &Server, host: &str, target: &str) -> String {
    ask(server, host, "GET", target, b"").text()
}

#[test]
fn a_host_decides_which_site_answers() {
    let server = serve(two_sites("", "", ""));
    let cases = [
        ("one.example", "one"),
        ("ONE.Example", "one"),
        ("one.example.", "one"),
        ("one.example:8080", "one"),
        ("www.one.example:1", "one"),
        ("a.two.example", "two"),
        ("a.b.TWO.example.:80", "two"),
        ("127.0.0.1", "two"),
        // Nobody's: the first is asked.
        ("two.example", "one"),
        ("one.example.org", "one"),
        ("[::1]", "one"),
    ];
    for (host, name) in cases {
        let text = get(&server, host, "/page.txt");
        assert_eq!(text, format!("page of {name}\n"), "{host}");
    }
    // The target wins over the field.
    let absolute = "GET http://a.two.example/page.txt HTTP/1.1\r\nHost: one.example\r\n\r\n";
    assert_eq!(
        server.exchange("GET", absolute.as_bytes()).text(),
        "page of two\n"
    );
    // Requests over one connection may be for several.
    let mut client = server.connect();
    for (host, name) in cases {
        client.send(request_to(host, "GET", "/page.txt", b""));
        let response = client.read_response("GET");
        assert_eq!(response.text(), format!("page of {name}\n"), "{host}");
    }
    let old = server.exchange("GET", b"GET /page.txt HTTP/1.0\r\n\r\n");
    assert_eq!(old.text(), "page of one\n");
    assert!(
        server
            .announced()
            .contains("one.example www.one.example serves"),
        "{}",
        server.announced()
    );
}

#[test]
fn an_unknown_host_is_refused_where_that_is_asked_for() {
    let server = serve(two_sites(
        "unknown-host refuse",
        "access-log {}/access.log",
        "",
    ));
    for host in ["two.example", "other.example", "[::1]", ""] {
        let response = ask(&server, host, "GET", "/page.txt", b"");
        assert_eq!(response.status, 421, "{host}: {}", response.text());
        assert!(
            !response.text().contains("nothing at"),
            "{}",
            response.text()
        );
    }
    let old = server.exchange("GET", b"GET /page.txt HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 421);
    let posted = ask(
        &server,
        "other.example",
        "POST",
        "/cgi-bin/probe/copy",
        b"body",
    );
    assert_eq!(posted.status, 421);
    assert_eq!(get(&server, "one.example", "/page.txt"), "page of one\n");
    server.expect_access("/page.txt", 421, "host.unknown");
    // What is wrong with the request itself is told as such.
    let twice = "GET / HTTP/1.1\r\nHost: other.example\r\nHost: other.example\r\n\r\n";
    assert_eq!(server.exchange("GET", twice.as_bytes()).status, 400);
}

#[test]
fn each_site_has_what_its_section_says() {
    let server = serve(two_sites(
        "env SHARED=yes\nindex page.txt",
        "env NAME=first\naccess-log {}/access.log\nmax-body 3\nfallback /page.txt",
        "env NAME=second\naccess-log {}/two.log\nlisting\nindex none.html\ncgi-timeout 1",
    ));
    // Errors look as their site has them.
    assert_eq!(get(&server, "a.two.example", "/none"), "nothing at two\n");
    assert_eq!(get(&server, "one.example", "/none"), "page of one\n");
    assert_eq!(get(&server, "one.example", "/"), "page of one\n");
    assert!(get(&server, "a.two.example", "/").contains("page.txt"));
    let told = |host: &str| get(&server, host, "/cgi-bin/probe/env");
    let (one, two) = (told("one.example"), told("a.two.example"));
    // Options that can be repeated take the place of those above.
    assert!(
        one.contains("NAME=first\n") && !one.contains("SHARED"),
        "{one}"
    );
    assert!(two.contains("NAME=second\n"), "{two}");
    assert!(one.contains("SERVER_NAME=one.example\n"), "{one}");
    let post = |host: &str| ask(&server, host, "POST", "/cgi-bin/probe/copy", b"four").status;
    assert_eq!((post("one.example"), post("a.two.example")), (413, 200));
    server.expect_access("/cgi-bin/probe/copy", 413, "body.too-long");
    let two = || fs::read_to_string(server.path("two.log")).unwrap();
    assert!(crate::support::eventually(crate::support::PATIENCE, || {
        two().contains("/cgi-bin/probe/copy")
    }));
    assert!(
        !two().contains(" 413 ")
            && !server
                .access_log()
                .contains(" /cgi-bin/probe/copy HTTP/1.1\" 200")
    );
}

#[cfg(feature = "auth")]
#[test]
fn each_site_has_doors_of_its_own() {
    let site = two_sites("", "auth /={}/users", "");
    site.file(
        "users",
        "ann:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n",
    );
    let server = serve(site);
    let status = |host: &str| ask(&server, host, "GET", "/page.txt", b"").status;
    assert_eq!((status("one.example"), status("a.two.example")), (401, 200));
    // In whatever way the host is written.
    for host in [
        "One.Example",
        "one.example.",
        "one.example:80",
        "other.example",
    ] {
        assert_eq!(status(host), 401, "{host}");
    }
    let absolute = "GET http://one.example/page.txt HTTP/1.1\r\nHost: a.two.example\r\n\r\n";
    assert_eq!(server.exchange("GET", absolute.as_bytes()).status, 401);
}

#[test]
fn no_site_sends_what_another_one_hides() {
    // The second serves all of the test's folder, and with it the programs of the first and its file of users.
    let one = if cfg!(feature = "auth") {
        "auth /x/={}/users"
    } else {
        ""
    };
    let site = two_sites("", one, "static /={}");
    site.file(
        "users",
        "ann:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n",
    );
    site.file("open.txt", "open\n");
    let server = serve(site);
    assert_eq!(get(&server, "a.two.example", "/open.txt"), "open\n");
    assert_eq!(
        get(&server, "a.two.example", "/one/www/page.txt"),
        "page of one\n"
    );
    let mut hidden = vec!["/one/cgi-bin/probe", "/two/cgi-bin/probe", "/tollgate.conf"];
    if cfg!(feature = "auth") {
        hidden.push("/users");
    }
    for target in hidden {
        let response = ask(&server, "a.two.example", "GET", target, b"");
        assert_eq!(response.status, 404, "{target}");
    }
}

#[cfg(feature = "fastcgi")]
#[test]
fn each_site_has_applications_of_its_own() {
    use crate::support::example;
    let exec = format!("fastcgi /app/=exec:{}", example("visitor").display());
    let server = serve(two_sites("", &exec, &exec));
    let greeted = |host: &str| get(&server, host, "/app/");
    assert!(greeted("one.example").starts_with("You are visitor 1 of "));
    assert!(greeted("one.example").starts_with("You are visitor 2 of "));
    assert!(greeted("a.two.example").starts_with("You are visitor 1 of "));
}

fn checked(folder: &Folder) -> String {
    let file = folder.text("tollgate.conf");
    let ran = run(tollgate().args(["--config", &file, "--allow-root", "check-config"]));
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    ran.stderr
}

#[test]
fn what_is_wrong_with_a_site_is_told_with_its_line() {
    let site = two_sites("", "", "static /x/={}/nowhere");
    let file = site.text("tollgate.conf");
    let begin = format!(
        "tollgate: {file}:8: static: '{}' cannot be opened",
        site.text("nowhere")
    );
    let told = checked(&site);
    assert!(
        told.starts_with(&begin) && told.lines().count() == 1,
        "{told}"
    );
    // A site that says nothing at all is wrong as a whole.
    site.file(
        "tollgate.conf",
        "listen 127.0.0.1:0\nroot /nowhere\n[site a]\nroot /\n",
    );
    let told = checked(&site);
    let begin = format!("tollgate: {file}:4: ROOT: '/' holds neither");
    assert!(told.starts_with(&begin), "{told}");
}
