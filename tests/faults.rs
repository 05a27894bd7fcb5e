//! Every system call of `src/sys/fault.rs` refused, one after another, with each error that it may give: the
//! request that is hit fails as it should and no other does, the server goes on, and nothing is lost for
//! good: no descriptor, no process, no permit to run a program.
//!
//! Needs the feature `fault-points`, and is run by `make test`. What the limits of the system do themselves
//! is in `integration/resources.rs`.
//!
//! Shape: a [`Case`] is a point, its errors and what a client that is hit may meet. For each of its errors a
//! server is started in which the first call fails, and one in which several do; it is asked a [`round`] of
//! requests until all of these calls were made, and then another round, of which every answer has to be
//! right.

// Clippy's leave for tests does not reach the functions that tests call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(
    dead_code,
    unused_imports,
    reason = "what it offers is for the other tests too"
)]
mod support;

#[path = "faults/cases.rs"]
mod cases;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use cases::*;
use support::{
    Client, Ended, PATIENCE, Response, Server, Site, eventually, request, run, tollgate,
};
use tollgate::sys::fault::{POINTS, VARIABLE};

#[test]
fn every_point_is_tried() {
    let groups = [
        STARTS,
        CONNECTIONS,
        FILES,
        SPOOLS,
        PROGRAMS,
        SPLICES,
        BACKENDS,
        SUPERVISED,
    ];
    let tried: BTreeSet<&str> = groups
        .into_iter()
        .flatten()
        .map(|case| case.point)
        .collect();
    // One has a test of its own.
    let points = POINTS.iter().copied().filter(|point| *point != "grace");
    assert_eq!(tried, points.collect());
}

#[test]
fn a_server_that_cannot_start_says_why() {
    for (fault, _) in faults(STARTS) {
        let site = Site::new();
        let mut command = tollgate();
        command.env(VARIABLE, &fault);
        command.args(["--allow-root", "--listen", "127.0.0.1:0"]);
        command.arg(site.path(""));
        let ran = run(&mut command);
        assert_eq!(ran.status.code(), Some(1), "{fault}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{fault}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        let [told, why] = lines[..] else {
            panic!("{fault}: {}", ran.stderr)
        };
        assert!(told.starts_with("fault: "), "{fault}: {told}");
        assert!(why.starts_with("tollgate: "), "{fault}: {why}");
    }
}

#[test]
fn a_connection_that_fails_is_the_only_one_that_does() {
    try_all(CONNECTIONS, CONNECTION_ROUND, &[]);
}

#[test]
fn a_file_that_cannot_be_opened_is_never_taken_for_one_that_is_not_there() {
    try_all(FILES, FILE_ROUND, &[]);
}

#[test]
fn a_body_that_cannot_be_spooled_starts_no_program() {
    try_all(SPOOLS, SPOOL_ROUND, &[]);
}

#[test]
fn a_program_that_cannot_be_run_costs_no_other_its_turn() {
    try_all(PROGRAMS, PROGRAM_ROUND, &["--max-processes", "2"]);
}

#[test]
fn much_output_is_whole_or_cut() {
    try_all(SPLICES, SPLICE_ROUND, &[]);
}

#[test]
fn a_spawner_that_cannot_be_had_costs_nothing() {
    // Then the server starts programs itself, and is refused that too.
    let case = case("launch=EAGAIN@1-,spawn", &["EAGAIN", "ENOMEM"], &[503]);
    try_all(&[case], PROGRAM_ROUND, &["--max-processes", "2"]);
    let case = self::case("launch=EAGAIN@1-,pidfd", &["EMFILE"], &[]);
    try_all(&[case], PROGRAM_ROUND, &["--max-processes", "2"]);
}

#[cfg(feature = "fastcgi")]
#[test]
fn a_backend_that_cannot_be_asked_is_asked_again() {
    let application = support::Application::start(&support::example("visitor"), 2);
    let route = format!("/app/={}", application.address());
    // With two threads there is one poller, on however many cores, so that calls can be counted.
    let arguments = ["-f", &route, "--fastcgi-keep", "0"];
    let arguments = [&arguments[..], &["--max-backend", "2", "--threads", "2"]].concat();
    try_all(BACKENDS, APPLICATION_ROUND, &arguments);
}

#[cfg(feature = "fastcgi")]
#[test]
fn an_application_that_cannot_be_started_is_started_again() {
    let program = support::example("visitor");
    let route = format!("/app/=exec:{}", program.display());
    let arguments = ["-f", &route, "--fastcgi-keep", "0"];
    try_all(SUPERVISED, APPLICATION_ROUND, &arguments);
}

/// A disk that fails is not taken for a client that left.
#[test]
fn why_a_response_was_cut_is_told() {
    for (fault, method, target, status, reason) in [
        ("sendfile=EIO@1", "GET", "/long.txt", 200, "file.failed"),
        ("sendfile=EPIPE@1", "GET", "/long.txt", 200, "client.gone"),
        (
            "send=ENOBUFS@1",
            "OPTIONS",
            "/long.txt",
            204,
            "server.failed",
        ),
        (
            "send=ECONNRESET@1",
            "OPTIONS",
            "/long.txt",
            204,
            "client.gone",
        ),
    ] {
        let server = serve(fault, &[]);
        let mut client = server.connect();
        client.send(request(method, target, &[], b""));
        let is_whole = |response: Response| response.ended == Ended::Clean;
        assert!(
            !client.try_read_response(method).is_ok_and(is_whole),
            "{fault}"
        );
        server.expect_access(target, status, reason);
    }
}

/// A signal to the server while it waits for a program to end: no shorter time to end in.
#[test]
fn a_program_that_is_told_to_end_has_its_time_whatever_interrupts_the_server() {
    for error in ["EINTR", "ENOMEM"] {
        let site = Site::new().environment(VARIABLE, &format!("grace={error}@1-3"));
        let (begun, put_away) = (site.text("begun"), site.text("put-away"));
        site.script(
            "cgi-bin/careful",
            format!(
                "#!/bin/sh\ntrap 'sleep 0.3; echo done >{put_away}; exit' TERM\n\
                 printf 'Content-Type: text/plain\\n\\n'\necho >{begun}\n\
                 while :; do sleep 0.05; done\n"
            ),
        );
        let server = site.serve(&[]);
        let mut client = server.connect();
        client.send(request("GET", "/cgi-bin/careful", &[], b""));
        assert!(eventually(PATIENCE, || server.path("begun").exists()));
        client.reset();
        server.wait_for_log("fault: grace 3");
        server.wait_until_childless();
        let text = fs::read_to_string(server.path("put-away"));
        assert_eq!(text.unwrap_or_default(), "done\n", "{error}: it was killed");
    }
}

/// Output that cannot be spooled waits at its program: nothing of it is lost.
#[test]
fn output_for_which_there_is_no_spool_is_whole_all_the_same() {
    const LEN: usize = 16 << 20;
    for fault in [
        "spool_open=ENOSPC@1-",
        "spool_write=ENOSPC@1-",
        "spool_write=EIO@2-9",
    ] {
        let site = Site::new().environment(VARIABLE, fault);
        let server = site.serve(&[]);
        let mut client = server.connect();
        let target = format!("/cgi-bin/probe/flood?bytes={LEN}");
        client.send(request("GET", &target, &[], b""));
        // The client takes nothing until the spool was needed.
        server.wait_for_log("fault: spool_");
        let response = client.read_response("GET");
        assert_eq!(
            (response.status, response.ended),
            (200, Ended::Clean),
            "{fault}"
        );
        assert!(is_flood(&response.body, LEN), "{fault}");
        server.wait_until_childless();
    }
}

#[cfg(feature = "console")]
#[test]
fn the_console_goes_on_accepting() {
    for errors in ["EMFILE", "ENFILE", "ENOMEM"] {
        let site = Site::new().environment(VARIABLE, &format!("accept={errors}@1"));
        let server = site.serve(&["--console", "127.0.0.1:0"]);
        let (address, _) = server.console();
        let mut client = support::Client::connect(address);
        client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.read_response("GET").text(), "ok\n");
    }
}

/// What `probe/flood` prints: numbered lines of 64 bytes.
fn is_flood(body: &[u8], len: usize) -> bool {
    let mut lines = body.chunks(64).enumerate();
    body.len() == len && lines.all(|(at, line)| line == format!("{at:063}\n").as_bytes())
}

/// Each error of each case, as the server is told it.
fn faults(cases: &[Case]) -> impl Iterator<Item = (String, &Case)> {
    cases.iter().flat_map(|case| {
        case.errors.iter().flat_map(move |error| {
            let told = move |calls| (format!("{}={error}@{calls}", case.point), case);
            case.calls.iter().map(told)
        })
    })
}

fn try_all(cases: &[Case], round: &[Ask], arguments: &[&str]) {
    let sound = serve("", arguments);
    for _ in 0..2 {
        ask_all(&sound, "no fault", round, &[]);
    }
    let held = descriptors(&sound);
    drop(sound);
    for (fault, case) in faults(cases) {
        // Shown where it fails.
        println!("{fault}");
        let server = serve(&fault, arguments);
        let (point, last) = last_call(&fault);
        let told = |log: &str| {
            log.lines()
                .any(|line| line.starts_with(&format!("fault: {point} {last}: ")))
        };
        let mut hit = 0;
        let through = eventually(PATIENCE, || {
            hit += ask_all(&server, &fault, round, case.fails);
            told(&server.log())
        });
        assert!(through, "{fault}: not all of these calls were made");
        if case.fails.is_empty() {
            assert_eq!(hit, 0);
        } else {
            assert!(hit > 0, "{fault}: nobody was hit");
        }
        // It may hit one that is not asked for: an application is started anew after a while.
        let is_well = || ask_all(&server, &fault, round, case.fails) == 0;
        assert!(
            eventually(PATIENCE, is_well),
            "{fault}: it does not recover"
        );
        ask_all(&server, &fault, round, &[]);
        let most = held;
        assert!(
            eventually(PATIENCE, || descriptors(&server) <= most),
            "{fault}: {} descriptors, and without a fault {most}",
            descriptors(&server)
        );
        let most = usize::from(arguments.contains(&"-f"));
        assert!(
            eventually(PATIENCE, || server.children().len() <= most),
            "{fault}: processes are left: {:?}",
            server.children()
        );
    }
}

/// The point of the last fault, and the number of the last call that it meets.
fn last_call(fault: &str) -> (&str, &str) {
    let last = fault.rsplit(',').next().unwrap();
    let (point, rest) = last.split_once('=').unwrap();
    let calls = rest.split_once('@').unwrap().1;
    (point, calls.rsplit('-').next().unwrap())
}

fn serve(fault: &str, arguments: &[&str]) -> Server {
    let site = Site::new().environment(VARIABLE, fault);
    site.file("www/small.txt", "small\n");
    let long = site.file("www/long.txt", "0123456789".repeat(20_000));
    // More than a pipe holds, in few writes.
    let files = format!(" '{}'", long.display()).repeat(5);
    site.script(
        "cgi-bin/much",
        format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec cat{files}\n"),
    );
    site.serve(arguments)
}

/// Asks everything of a round, each on a connection of its own; how many got something else than the right
/// answer, which has to be what `fails` allows.
fn ask_all(server: &Server, fault: &str, round: &[Ask], fails: &[u16]) -> usize {
    let mut hit = 0;
    for ask in round {
        let met = meet(server, ask);
        match met {
            Ok(()) => {}
            Err((status, told)) => {
                assert!(fails.contains(&status), "{fault}: {}: {told}", ask.name);
                hit += 1;
            }
        }
    }
    hit
}

/// Asks for one thing; what came in place of the right answer.
fn meet(server: &Server, ask: &Ask) -> Result<(), (u16, String)> {
    let mut client = Client::connect(server.addresses()[0]);
    let body = vec![b'x'; ask.body];
    // The server may close before it has all of it.
    let _ = client.try_send(request(ask.method, ask.target, &[], &body));
    let response = match client.try_read_response(ask.method) {
        Ok(response) => response,
        Err(ended) => return Err((CUT, ended)),
    };
    if response.ended == Ended::Cut {
        return Err((CUT, "it is cut".to_owned()));
    }
    let text = String::from_utf8_lossy(&response.body);
    if response.status != 200 {
        return Err((response.status, format!("{}: {text}", response.status)));
    }
    let is_right = text.contains(ask.part) && ask.len.is_none_or(|len| len == text.len());
    assert!(is_right, "{}: a wrong answer: {text}", ask.name);
    Ok(())
}

/// How many descriptors a server has, without those of its spawners, of which it may have more or fewer, and
/// without one of the long file, which may be kept open for a while.
fn descriptors(server: &Server) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let targets = open.filter_map(|it| fs::read_link(it.unwrap().path()).ok());
    let long = server.path("www/long.txt");
    let (kept, others): (Vec<PathBuf>, Vec<PathBuf>) = targets.partition(|it| *it == long);
    others.len() + kept.len().saturating_sub(1) - server.spawners().len()
}
