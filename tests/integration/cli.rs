//! The command line: what it prints, how it fails, where it listens.

use std::fs;
use std::net::TcpListener;

use crate::support::{
    Client, Folder, PATIENCE, Ran, Server, Site, request, run, skipped, tollgate,
};

fn tollgate_with(arguments: &[&str]) -> Ran {
    run(tollgate().args(arguments))
}

/// Fails unless the server refuses to start with one line that holds all `words`.
#[track_caller]
fn expect_refusal(arguments: &[&str], status: i32, words: &[&str]) {
    // In a container programs would be a reason of their own.
    let ran = run(tollgate().arg("--allow-root").args(arguments));
    assert_eq!(ran.status.code(), Some(status), "{arguments:?}: {ran:?}");
    assert_eq!(ran.stdout, "", "{arguments:?}");
    assert_eq!(
        ran.stderr.lines().count(),
        1,
        "{arguments:?}: {:?}",
        ran.stderr
    );
    assert!(
        ran.stderr.starts_with("tollgate: "),
        "{arguments:?}: {:?}",
        ran.stderr
    );
    for word in words {
        assert!(
            ran.stderr.contains(word),
            "{arguments:?}: {word:?} is not in {:?}",
            ran.stderr
        );
    }
}

#[test]
fn version_is_the_packages() {
    for option in ["-V", "--version"] {
        let ran = tollgate_with(&[option]);
        assert_eq!(ran.status.code(), Some(0));
        assert_eq!(
            ran.stdout,
            format!("tollgate {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
}

#[test]
fn a_wrong_option_or_value_is_named_in_one_line_with_status_2() {
    for (arguments, words) in [
        (&["--no-such-option"][..], &["no-such-option"][..]),
        (&["-x"], &["x"]),
        (&["one", "two"], &["two"]),
        (&["--listen"], &["listen"]),
        (
            &["--listen", "nowhere"],
            &["--listen", "nowhere", "HOST:PORT"],
        ),
        (&["-l", "127.0.0.1:99999"], &["--listen", "127.0.0.1:99999"]),
        (&["-l", "unix:"], &["--listen", "unix:"]),
        (
            &["--static", "no-equals-sign"],
            &["--static", "no-equals-sign", "ROUTE="],
        ),
        (&["--static", "relative=/tmp"], &["--static", "relative"]),
        (&["--cgi", "/x/"], &["--cgi", "/x/", "ROUTE="]),
        (&["--env", "=value"], &["--env", "=value"]),
        (&["--threads", "0"], &["--threads", "0"]),
        (&["--threads", "many"], &["--threads", "many"]),
        (&["--cgi-timeout", "soon"], &["--cgi-timeout", "soon"]),
        (&["--header-timeout", "-1"], &["--header-timeout", "-1"]),
        (&["--idle-timeout", ""], &["--idle-timeout"]),
        (&["--send-timeout", "1h"], &["--send-timeout", "1h"]),
        (&["--max-body", "10X"], &["--max-body", "10X"]),
        (&["--max-header", "+5"], &["--max-header", "+5"]),
        (&["--max-processes", "0"], &["--max-processes", "0"]),
        (&["--max-connections", "x"], &["--max-connections", "x"]),
        (
            &["--fallback", "http://localhost/"],
            &["--fallback", "http://localhost/", "/index.php"],
        ),
    ] {
        expect_refusal(arguments, 2, words);
    }
}

#[cfg(feature = "fastcgi")]
#[test]
fn a_wrong_backend_or_route_of_an_application_is_named_in_one_line_with_status_2() {
    for (arguments, words) in [
        (
            &["-f", "a:1"][..],
            &["--fastcgi", "a:1", "ROUTE=BACKEND"][..],
        ),
        (&["-f", ".php=a"], &["--fastcgi", ".php=a", "HOST:PORT"]),
        (
            &["-f", "/=exec:'app"],
            &["--fastcgi", "exec:'app", "not closed"],
        ),
        (
            &["-f", "/=exec:app|threads=2"],
            &["--fastcgi", "threads=2", "processes=N or MIN-MAX"],
        ),
        (
            &["-f", "/app/=a:1", "-s", "/app/=."],
            &["--fastcgi", "/app/=a:1", "--static"],
        ),
        (
            &["-f", ".php=a:1", "-c", ".php=b"],
            &["--fastcgi", ".php=a:1", "--cgi"],
        ),
        (&["--max-backend", "0"], &["--max-backend", "0", "4096"]),
        (&["--fastcgi-keep", "x"], &["--fastcgi-keep", "x", "4096"]),
        (&["--fastcgi-idle", "0"], &["--fastcgi-idle", "0"]),
        (&["--fastcgi-timeout", "1h"], &["--fastcgi-timeout", "1h"]),
        (
            &["--fastcgi-connect-timeout", ""],
            &["--fastcgi-connect-timeout"],
        ),
    ] {
        expect_refusal(arguments, 2, words);
    }
}

#[cfg(not(feature = "fastcgi"))]
#[test]
fn without_the_feature_its_options_are_unknown() {
    for option in ["-f", "--fastcgi", "--fastcgi-timeout", "--max-backend"] {
        expect_refusal(&[option, "/=a:1"], 2, &[option, "unknown option"]);
    }
}

#[test]
fn a_missing_folder_is_named_in_one_line() {
    let folder = Folder::new();
    let missing = folder.text("not-there");
    let (site, programs) = (format!("/={missing}"), format!("/cgi-bin/={missing}"));
    for arguments in [&[missing.as_str()][..], &["-s", &site], &["-c", &programs]] {
        let ran = tollgate_with(arguments);
        assert!(matches!(ran.status.code(), Some(1 | 2)), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        assert!(ran.stderr.contains(&missing), "{ran:?}");
    }
}

#[test]
fn a_taken_port_is_named_in_one_line_with_status_1() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    expect_refusal(&["-l", &address, &site.text("")], 1, &[&address]);
}

#[test]
fn an_address_that_is_not_this_machines_is_named_with_status_1() {
    let site = Site::new();
    // 192.0.2.0/24 is for documentation (RFC 5737) and on no machine.
    expect_refusal(&["-l", "192.0.2.1:0", &site.text("")], 1, &["192.0.2.1"]);
}

#[test]
fn one_line_says_what_is_served_where() {
    let server = Server::start(&[]);
    let line = server.announced();
    assert!(line.starts_with("tollgate: http://127.0.0.1:"), "{line:?}");
    for part in ["serves / from", "www", "runs /cgi-bin/ from", "cgi-bin"] {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

#[test]
fn port_0_is_any_port_and_the_line_names_it() {
    let server = Server::start(&[]);
    assert_ne!(server.port(), 0);
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
}

#[test]
fn default_routes_exist_only_where_the_folders_do() {
    let site = Site::bare();
    site.file("www/index.html", "only files");
    let server = site.serve(&[]);
    assert!(
        !server.announced().contains("cgi-bin"),
        "{}",
        server.announced()
    );
    assert_eq!(server.get("/").text(), "only files");
    assert_eq!(server.get("/cgi-bin/probe").status, 404);

    let site = Site::bare();
    fs::create_dir(site.path("cgi-bin")).unwrap();
    site.add_probe("cgi-bin/probe");
    let server = site.serve(&[]);
    assert!(
        !server.announced().contains("www"),
        "{}",
        server.announced()
    );
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    assert_eq!(server.get("/index.html").status, 404);
}

#[test]
fn root_defaults_to_the_current_folder() {
    let site = Site::bare();
    let link = site.file("www/index.html", "here");
    // `.` as ROOT comes last on the command line, after the folder of the site, in no other test.
    let mut command = tollgate();
    command
        .args(["-l", "192.0.2.1:0"])
        .current_dir(link.parent().unwrap().parent().unwrap());
    let ran = run(&mut command);
    // It came as far as binding: the folder was found, with its www.
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(ran.stderr.contains("192.0.2.1"), "{ran:?}");
}

#[test]
fn several_static_routes_and_the_longest_prefix_wins() {
    let site = Site::bare();
    site.file("outer/page.txt", "outer");
    site.file("outer/deep/page.txt", "hidden by the longer route");
    site.file("inner/page.txt", "inner");
    let (outer, inner) = (site.text("outer"), site.text("inner"));
    let server = site.serve(&[
        "-s",
        &format!("/={outer}"),
        "--static",
        &format!("/deep/={inner}"),
    ]);
    assert_eq!(server.get("/page.txt").text(), "outer");
    assert_eq!(server.get("/deep/page.txt").text(), "inner");
}

#[test]
fn two_listeners_both_answer() {
    let server = Site::new()
        .listen(&["127.0.0.1:0", "127.0.0.1:0"])
        .serve(&[]);
    let addresses = server.addresses();
    assert_eq!(addresses.len(), 2, "{}", server.announced());
    assert_ne!(addresses[0], addresses[1]);
    for address in addresses {
        let mut client = Client::connect(address);
        client.send(request("GET", "/cgi-bin/probe/hello", &[], b""));
        assert_eq!(client.read_response("GET").text(), "hello\n");
    }
}

#[test]
fn a_unix_socket_answers_and_a_stale_one_is_replaced() {
    let site = Site::new();
    let socket = site.text("socket");
    let address = format!("unix:{socket}");
    // What a server that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let mut server = site.listen(&[&address]).serve(&[]);
    assert_eq!(server.addresses(), [address.as_str()]);
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");

    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait(PATIENCE).unwrap().success());
    assert!(
        !server.path("socket").exists(),
        "the socket was left behind"
    );
}

#[test]
fn ipv6_answers() {
    if TcpListener::bind("[::1]:0").is_err() {
        skipped("ipv6_answers", "this machine has no IPv6");
        return;
    }
    let server = Site::new().listen(&["[::1]:0"]).serve(&[]);
    assert!(
        server.addresses()[0].starts_with("http://[::1]:"),
        "{}",
        server.announced()
    );
    let variables = server.variables("/cgi-bin/probe", &[]);
    // RFC 3875 section 4.1.8: without brackets.
    assert_eq!(variables.value("REMOTE_ADDR"), Some("::1"));
    assert_eq!(variables.value("SERVER_ADDR"), Some("::1"));
}

#[test]
fn an_access_log_that_nobody_reads_holds_nobody_up() {
    let site = Site::new();
    let fifo = site.path("access.log");
    assert!(
        run(std::process::Command::new("mkfifo").arg(&fifo))
            .status
            .success()
    );
    // Without a reader it is refused at the start, at once.
    expect_refusal(
        &[
            "--access-log",
            fifo.to_str().unwrap(),
            "-l",
            "127.0.0.1:0",
            &site.text(""),
        ],
        1,
        &["access.log"],
    );
    let _reader = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&fifo)
        .unwrap();
    let server = site.serve(&[]);
    let mut client = server.connect();
    let target = format!("/{}", "long".repeat(250));
    // Twice what a pipe holds.
    for _ in 0..128 {
        client.send(request("GET", &target, &[], b""));
        assert_eq!(client.read_response("GET").status, 404);
    }
    server.wait_for_log("the access log cannot be written");
}
