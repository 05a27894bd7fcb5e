//! Stopping under load, and starting again where another server was: what a client can lose, and what not.
//!
//! A server that stops can lose this alone: a request on a connection that it never read from, because it was
//! not accepted yet or was idle. Its client finds the connection ended without one byte of a response, and
//! may send it again wherever that answers, as nothing was done about it. What is never lost: a request that
//! a program or an application was asked is answered, and a response that has begun is whole.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::support::{Client, Ended, PATIENCE, Server, Site, request, run, tollgate};

fn site_with_page() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site
}

/// How many clients ask on and on.
const CLIENTS: usize = 6;

/// How many answers they get before the server is told to stop.
const ANSWERS: usize = 300;

#[test]
fn what_was_begun_is_answered_whole_when_the_server_stops() {
    let site = site_with_page();
    site.file("www/long.txt", "0123456789".repeat(50_000));
    let ran = site.text("ran");
    // One line for each run; one write to a file opened for appending never mixes with another.
    site.script(
        "cgi-bin/note",
        format!(
            "#!/bin/sh\necho \"$QUERY_STRING\" >>'{ran}'\n\
             printf 'Content-Type: text/plain\\n\\ndone %s\\n' \"$QUERY_STRING\"\n"
        ),
    );
    #[cfg(feature = "fastcgi")]
    let application = crate::support::Application::start(&crate::support::example("visitor"), 2);
    #[cfg(feature = "fastcgi")]
    let route = format!("/app/={}", application.address());
    #[cfg(feature = "fastcgi")]
    let (last, arguments) = ("/app/?", ["--drain-timeout", "20", "-f", &route]);
    #[cfg(not(feature = "fastcgi"))]
    let (last, arguments) = ("/page.txt?", ["--drain-timeout", "20"]);
    let targets = ["/cgi-bin/note?", "/page.txt?", "/long.txt?", last];
    let mut server = site.serve(&arguments);

    let address = server.addresses()[0].to_string();
    let answers = AtomicUsize::new(0);
    let is_told = AtomicBool::new(false);
    let answered: BTreeSet<String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (address, answers, is_told) = (&address, &answers, &is_told);
                scope.spawn(move || ask_until_refused(number, address, &targets, answers, is_told))
            })
            .collect();
        while answers.load(Ordering::Relaxed) < ANSWERS {
            assert!(
                clients.iter().all(|client| !client.is_finished()),
                "{}",
                server.log()
            );
            thread::yield_now();
        }
        is_told.store(true, Ordering::SeqCst);
        server.signal(Signal::TERM);
        let ended = server.wait(PATIENCE).and_then(|status| status.code());
        assert_eq!(ended, Some(0), "{}", server.log());
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });

    // What the server says that it answered, and what clients had whole, are the same.
    let log = server.access_log();
    let logged: BTreeSet<String> = log
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().nth(6))
        .map(str::to_owned)
        .collect();
    assert_eq!(logged, answered, "{}", server.log());
    // And nothing was done that nobody was told of.
    let ran = fs::read_to_string(server.path("ran")).unwrap();
    let ran: BTreeSet<String> = ran
        .lines()
        .map(|line| format!("/cgi-bin/note?{line}"))
        .collect();
    let told = |target: &&String| target.starts_with("/cgi-bin/");
    let answered: BTreeSet<String> = answered.iter().filter(told).cloned().collect();
    assert_eq!(ran, answered);
}

/// Asks over connections that are kept, until none is accepted any more; the targets that were answered.
fn ask_until_refused(
    number: usize,
    address: &str,
    targets: &[&str],
    answers: &AtomicUsize,
    is_told: &AtomicBool,
) -> Vec<String> {
    let mut answered = Vec::new();
    let mut client = Client::connect(address);
    for serial in 0.. {
        let target = targets[(number + serial) % targets.len()];
        let target = format!("{target}{number}-{serial}");
        // Where the connection has been closed meanwhile, this shows in what follows.
        let _ = client.try_send(request("GET", &target, &[], b""));
        match client.try_read_response("GET") {
            Ok(response) => {
                assert_eq!(
                    (response.status, response.ended),
                    (200, Ended::Clean),
                    "{target}"
                );
                let ends = response.field("Connection") == Some("close");
                answered.push(target);
                answers.fetch_add(1, Ordering::Relaxed);
                if !ends {
                    continue;
                }
            }
            Err(_) => {
                assert!(
                    is_told.load(Ordering::SeqCst),
                    "{target}: it was not told to stop"
                );
                assert_eq!(
                    client.pending(),
                    b"",
                    "{target}: a response was begun and cut"
                );
            }
        }
        match Client::try_connect(address) {
            Ok(again) => client = again,
            Err(_) => break,
        }
    }
    answered
}

#[test]
fn the_port_of_a_server_that_was_killed_can_be_taken_at_once() {
    let mut server = site_with_page().serve(&[]);
    let address = server.authority().to_string();
    // Connections of all kinds are left: idle, closed by it, at a program, half a request.
    let mut idle = server.connect();
    idle.send(request("GET", "/page.txt", &[], b""));
    idle.read_response("GET");
    server.fetch("GET", "/page.txt", &["Connection: close"], b"");
    let gate = server.text("gate");
    let mut busy = server.connect();
    busy.send(request(
        "GET",
        &format!("/cgi-bin/probe/gate?file={gate}"),
        &[],
        b"",
    ));
    busy.wait_for("first");
    let mut half = server.connect();
    half.send("GET /page.txt HTTP/1.1\r\n");
    server.signal(Signal::KILL);
    assert!(server.wait(PATIENCE).is_some());
    let again = site_with_page().listen(&[&address]).serve(&[]);
    assert_eq!(again.get("/page.txt").text(), "a page\n");
    assert_eq!(again.get("/cgi-bin/probe/hello").text(), "hello\n");
}

#[test]
fn the_socket_of_a_server_that_was_killed_is_taken_over() {
    let folder = crate::support::Folder::new();
    let address = format!("unix:{}", folder.text("socket"));
    let mut server = site_with_page().listen(&[&address]).serve(&[]);
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    server.signal(Signal::KILL);
    assert!(server.wait(PATIENCE).is_some());
    assert!(
        folder.path("socket").exists(),
        "nobody was left to remove it"
    );
    let again = site_with_page().listen(&[&address]).serve(&[]);
    assert_eq!(again.get("/page.txt").text(), "a page\n");
}

#[test]
fn a_socket_that_somebody_answers_on_is_not_taken_over() {
    let folder = crate::support::Folder::new();
    let address = format!("unix:{}", folder.text("socket"));
    let expect_refused = || {
        let site = site_with_page();
        let arguments = ["--allow-root", "--listen", &address];
        let ran = run(tollgate().args(arguments).arg(site.path("")));
        assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("is taken"), "{}", ran.stderr);
    };
    // Another server, and one that accepts nobody just now.
    let server: Server = site_with_page().listen(&[&address]).serve(&[]);
    expect_refused();
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    drop(server);
    let _stranger = UnixListener::bind(folder.path("socket")).unwrap();
    expect_refused();
}
