//! Proxies in front: who is believed whom a request is from, by fields and by the PROXY protocol.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    Client, Folder, Front, Server, Site, Variables, installed, nginx, run, tollgate,
};

const FOR: &str = "X-Forwarded-For: 6.6.6.6, 192.0.2.7";
const HTTPS: &str = "X-Forwarded-Proto: https";

/// The variables about the client, and what the access log has for its address.
fn told(server: &Server, target: &str, fields: &[&str]) -> [String; 5] {
    let variables = server.variables(target, fields);
    let names = [
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_PORT",
        "HTTPS",
        "REQUEST_SCHEME",
    ];
    names.map(|name| variables.value(name).unwrap_or("-").to_owned())
}

#[test]
fn a_trusted_peer_is_believed() {
    let server = Server::start(&[
        "--trusted-proxy",
        "10.0.0.0/8",
        "--trusted-proxy",
        "127.0.0.1",
    ]);
    let target = "/cgi-bin/probe/env/a";
    assert_eq!(
        told(&server, target, &[FOR, HTTPS]),
        ["192.0.2.7", "192.0.2.7", "-", "on", "https"]
    );
    assert!(
        server
            .wait_for_access("/env/a ")
            .starts_with("192.0.2.7 - - [")
    );
    let target = "/cgi-bin/probe/env/b";
    let fields = ["Forwarded: for=\"[2001:db8::7]:4711\";proto=http, for=10.0.0.2"];
    assert_eq!(
        told(&server, target, &fields),
        ["2001:db8::7", "2001:db8::7", "4711", "-", "http"]
    );
    assert!(
        server
            .wait_for_access("/env/b ")
            .starts_with("2001:db8::7 - - [")
    );
    let target = "/cgi-bin/probe/env/c";
    let [address, _, port, https, _] =
        told(&server, target, &["Forwarded: for=unknown;proto=https"]);
    assert_eq!([address, port, https], ["", "-", "on"]);
    assert!(
        server
            .wait_for_access("/env/c ")
            .starts_with("unknown - - [")
    );
    // The proxy itself, where it tells nothing; and the fields are passed on.
    let target = "/cgi-bin/probe/env/d";
    let [address, _, port, https, scheme] = told(&server, target, &[]);
    assert_eq!([address, https, scheme], ["127.0.0.1", "-", "http"]);
    assert_ne!(port, "-");
    let variables = server.variables(target, &[FOR, HTTPS]);
    assert_eq!(
        variables.value("HTTP_X_FORWARDED_FOR"),
        Some("6.6.6.6, 192.0.2.7")
    );
    assert_eq!(variables.value("HTTP_X_FORWARDED_PROTO"), Some("https"));
}

#[test]
fn a_stranger_is_not() {
    for arguments in [
        &[][..],
        &[
            "--trusted-proxy",
            "10.0.0.0/8",
            "--trusted-proxy",
            "unix",
            "--proxy-protocol",
        ],
    ] {
        let server = Server::start(arguments);
        let fields = [FOR, HTTPS, "Forwarded: for=\"x"];
        let variables = server.variables("/cgi-bin/probe", &fields);
        assert_eq!(variables.value("REMOTE_ADDR"), Some("127.0.0.1"));
        assert_eq!(variables.value("HTTPS"), None);
        assert_eq!(
            variables.value("HTTP_X_FORWARDED_FOR"),
            Some("6.6.6.6, 192.0.2.7")
        );
        assert_eq!(variables.value("HTTP_FORWARDED"), Some("for=\"x"));
        assert!(
            server
                .wait_for_access("/cgi-bin/probe ")
                .starts_with("127.0.0.1 - - [")
        );
        // Nor is a header of the PROXY protocol.
        let proxied = server.exchange(
            "GET",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET / HTTP/1.1\r\n\r\n",
        );
        assert_eq!(proxied.status, 400);
    }
}

#[test]
fn whoever_connects_to_a_unix_socket_can_be_trusted() {
    let serve = |arguments: &[&str]| {
        let site = Site::new();
        let socket = format!("unix:{}", site.text("socket"));
        site.listen(&[&socket]).serve(arguments)
    };
    let server = serve(&["--trusted-proxy", "unix"]);
    assert_eq!(
        told(&server, "/cgi-bin/probe", &[FOR, HTTPS]),
        ["192.0.2.7", "192.0.2.7", "-", "on", "https"]
    );
    let server = serve(&["--trusted-proxy", "0.0.0.0/0", "--trusted-proxy", "::/0"]);
    assert_eq!(
        told(&server, "/cgi-bin/probe", &[FOR, HTTPS]),
        ["", "", "-", "-", "http"]
    );
    assert!(
        server
            .wait_for_access("/cgi-bin/probe ")
            .starts_with("unix: - - [")
    );
}

#[test]
fn a_proxy_that_tells_nonsense_is_refused() {
    let server = Server::start(&["--trusted-proxy", "127.0.0.0/8"]);
    for (fields, reason) in [
        (
            &["X-Forwarded-For: 192.0.2.7, localhost"][..],
            "proxy.forwarded",
        ),
        (&["X-Forwarded-Proto: gopher"], "proxy.forwarded"),
        (&["Forwarded: for=192.0.2.7;x=\""], "proxy.forwarded"),
        (&["Forwarded: for=6.6.6.6", FOR], "proxy.conflict"),
    ] {
        let target = format!("/{reason}");
        let response = server.fetch("GET", &target, fields, b"");
        assert_eq!(response.status, 400, "{fields:?}");
        server.expect_access(&target, 400, reason);
    }
    // Where they agree they are believed.
    let both = ["Forwarded: for=192.0.2.7;proto=https", FOR];
    assert_eq!(
        told(&server, "/cgi-bin/probe", &both),
        ["192.0.2.7", "192.0.2.7", "-", "on", "https"]
    );
}

#[test]
fn the_operators_scheme_holds_where_none_is_told() {
    let server = Server::start(&["--trusted-proxy", "127.0.0.1", "-e", "HTTPS=on"]);
    let scheme = |fields: &[&str]| told(&server, "/cgi-bin/probe", fields)[4].clone();
    assert_eq!(scheme(&[]), "https");
    assert_eq!(scheme(&["X-Forwarded-Proto: http"]), "http");
}

/// A header of version 2 for 192.0.2.7, port 50000, with a vector behind the addresses.
fn binary() -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 192, 0, 2, 1, 0xC3, 0x50, 0, 80];
    [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11",
        &addresses[..],
        &[0x04, 0, 2, 9, 9],
    ]
    .concat()
}

const TEXT: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 80\r\n";

/// The variables that the probe sees behind a header of the PROXY protocol.
fn behind(client: &mut Client, fields: &str) -> Variables {
    client.send(format!(
        "GET /cgi-bin/probe HTTP/1.1\r\nHost: h\r\n{fields}\r\n"
    ));
    let response = client.read_response("GET");
    assert_eq!(response.status, 200);
    Variables::of(&response)
}

#[test]
fn a_proxy_header_tells_whom_a_connection_is_from() {
    let server = Server::start(&["--trusted-proxy", "127.0.0.1", "--proxy-protocol"]);
    for header in [TEXT.to_vec(), binary()] {
        for size in [1, 7, 1000] {
            let mut client = server.connect();
            client.send_in_pieces(&header, size);
            // It holds for all requests; whoever it is from is not believed anything.
            for _ in 0..2 {
                let variables = behind(&mut client, &format!("{FOR}\r\n{HTTPS}\r\n"));
                assert_eq!(variables.value("REMOTE_ADDR"), Some("192.0.2.7"));
                assert_eq!(variables.value("REMOTE_PORT"), Some("50000"));
                assert_eq!(variables.value("HTTPS"), None);
            }
        }
    }
    assert!(
        server
            .wait_for_access("/cgi-bin/probe ")
            .starts_with("192.0.2.7 - - [")
    );
    // In one piece with the request behind it.
    let request = [TEXT, b"GET /none HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    assert_eq!(server.exchange("GET", &request).status, 404);
}

#[test]
fn a_proxy_behind_a_proxy_is_believed_if_it_is_trusted() {
    let arguments = [
        "--trusted-proxy",
        "127.0.0.1",
        "--trusted-proxy",
        "192.0.2.0/24",
        "--proxy-protocol",
    ];
    let server = Server::start(&arguments);
    let mut client = server.connect();
    client.send(TEXT);
    let variables = behind(&mut client, "X-Forwarded-For: 198.51.100.9, 192.0.2.4\r\n");
    assert_eq!(variables.value("REMOTE_ADDR"), Some("198.51.100.9"));
}

#[test]
fn a_connection_for_nobody_in_particular() {
    let server = Server::start(&["--trusted-proxy", "127.0.0.1", "--proxy-protocol"]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let mut client = server.connect();
    client.send(local);
    assert_eq!(
        behind(&mut client, "").value("REMOTE_ADDR"),
        Some("127.0.0.1")
    );
    for unknown in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"] {
        let mut client = server.connect();
        client.send(unknown);
        let variables = behind(&mut client, &format!("{FOR}\r\n"));
        assert_eq!(variables.value("REMOTE_ADDR"), Some(""));
        assert_eq!(variables.value("REMOTE_PORT"), None);
    }
}

#[test]
fn what_is_no_proxy_header_is_refused_where_one_is_owed() {
    let server = Server::start(&["--trusted-proxy", "127.0.0.1", "--proxy-protocol"]);
    for (bytes, reason) in [
        (&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..], "proxy.missing"),
        (b"PROXY TCP4 1.2.3.4\r\n", "proxy.malformed"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF", "proxy.malformed"),
    ] {
        let mut client = server.connect();
        client.send(bytes);
        assert_eq!(client.read_response("GET").status, 400, "{reason}");
        client.expect_closed();
        let line = server.wait_for_access(reason);
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    }
    // One header and no more.
    let twice = [TEXT, TEXT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    assert_eq!(server.exchange("GET", &twice).status, 400);
}

#[test]
fn a_proxy_header_and_the_head_behind_it_have_one_deadline() {
    let arguments = [
        "--trusted-proxy",
        "127.0.0.1",
        "--proxy-protocol",
        "--header-timeout",
        "2",
    ];
    let server = Server::start(&arguments);
    let mut slow = server.connect();
    slow.send(&TEXT[..10]);
    assert_eq!(slow.read_response("GET").status, 408);
    server.wait_for_access("\"PROXY TCP4\" 408");
    let mut slow = server.connect();
    slow.send(TEXT);
    slow.expect_closed();
    // The head begins late: its first byte gives it no more time.
    let start = Instant::now();
    let mut slow = server.connect();
    slow.send(TEXT);
    thread::sleep(Duration::from_millis(1700));
    slow.send("GET / HTTP/1.1\r\n");
    assert_eq!(slow.read_response("GET").status, 408);
    let took = start.elapsed();
    assert!(took < Duration::from_millis(3500), "{took:?}");
}

#[test]
fn proxies_are_named_as_networks() {
    for (arguments, told) in [
        (
            &["--trusted-proxy", "10.0.0.1/8"][..],
            "--trusted-proxy: '10.0.0.1/8' has bits behind its prefix; write them as zeros",
        ),
        (
            &["--trusted-proxy", "proxy.example"],
            "--trusted-proxy: 'proxy.example' is no address and no network; write it as 10.0.0.0/8 or fd00::/8",
        ),
        (
            &["--trusted-proxy", "::1", "--trusted-proxy", "::1/128"],
            "--trusted-proxy: '::1/128' is given twice; give each once",
        ),
        (
            &["--trusted-proxy", "unix", "--trusted-proxy", "unix"],
            "--trusted-proxy: 'unix' is given twice; give each once",
        ),
        (
            &["--proxy-protocol"],
            "--proxy-protocol: is believed of trusted proxies alone; give --trusted-proxy too",
        ),
    ] {
        let ran = run(tollgate().args(arguments));
        assert_eq!(ran.status.code(), Some(2));
        assert_eq!(ran.stderr, format!("tollgate: {told}\n"));
    }
}

#[test]
fn nginx_in_front_is_believed() {
    let Some(nginx) = nginx("nginx_in_front_is_believed") else {
        return;
    };
    let site = Site::new();
    let socket = format!("unix:{}", site.text("socket"));
    let server = site.listen(&[&socket]).serve(&["--trusted-proxy", "unix"]);
    let folder = Folder::new();
    let http = format!(
        "access_log off;\n\
         server {{ listen unix:{front}; location / {{ proxy_pass http://{upstream}:;\n\
         proxy_set_header X-Forwarded-For \"$http_x_forwarded_for, 192.0.2.7\";\n\
         proxy_set_header X-Forwarded-Proto https; }} }}\n",
        front = folder.text("front"),
        upstream = server.addresses()[0],
    );
    let front = Front::nginx(&nginx, folder, &http);

    let mut client = front.connect();
    let fields = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\n";
    let variables = behind(&mut client, fields);
    assert_eq!(variables.value("REMOTE_ADDR"), Some("192.0.2.7"));
    assert_eq!(variables.value("HTTPS"), Some("on"));
}

#[test]
fn curl_speaks_for_itself() {
    let Some(curl) = installed("curl_speaks_for_itself", "curl") else {
        return;
    };
    let server = Server::start(&["--trusted-proxy", "127.0.0.1", "--proxy-protocol"]);
    let url = server.url("/cgi-bin/probe");
    let ran = run(Command::new(curl).args(["-sS", "--haproxy-protocol", &url]));
    assert!(ran.stdout.contains("\nREMOTE_ADDR=127.0.0.1\n"), "{ran:?}");
}
