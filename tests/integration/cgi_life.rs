//! The life of a program: when its output is passed on, how long it may take, who ends it, and that
//! nothing of it is left behind.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Client, Ended, PATIENCE, Server, Site, eventually, has_ended, process_state, published_pids,
    raise_descriptor_limit, request,
};

/// Asks for a behaviour of the probe that writes process ids to `pids`, and reads them.
fn ask_and_read_pids(server: &Server, behaviour: &str) -> (Client, Vec<i32>) {
    let mut client = server.connect();
    let target = format!("/cgi-bin/probe/{behaviour}?file={}", server.text("pids"));
    client.send(request("GET", &target, &[], b""));
    let pids = published_pids(&server.path("pids"));
    (client, pids)
}

#[track_caller]
fn expect_ended(pids: &[i32]) {
    for &pid in pids {
        assert!(
            eventually(PATIENCE, || has_ended(pid)),
            "process {pid} was left running"
        );
    }
}

#[test]
fn output_is_passed_on_as_it_comes() {
    for version in ["1.1", "1.0"] {
        let server = Server::start(&[]);
        let mut client = server.connect();
        let gate = server.text("gate");
        client.send(format!(
            "GET /cgi-bin/probe/gate?file={gate} HTTP/{version}\r\nHost: h\r\n\r\n"
        ));
        client.wait_for("first");
        // The program prints the rest only now.
        server.file("gate", "");
        let response = client.read_response("GET");
        assert_eq!(response.text(), "first\nsecond\n", "HTTP/{version}");
    }
}

#[test]
fn lines_with_pauses_arrive_one_by_one() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request(
        "GET",
        "/cgi-bin/probe/tick?count=6&ms=300",
        &[],
        b"",
    ));
    client.wait_for("tick 1\n");
    let seen = String::from_utf8_lossy(client.pending()).into_owned();
    assert!(!seen.contains("tick 6"), "all came at once: {seen:?}");
    assert!(client.read_response("GET").text().ends_with("tick 6\n"));
}

#[test]
fn a_silent_program_is_504_and_ended_with_its_group() {
    let server = Server::start(&["--cgi-timeout", "0.5"]);
    let (mut client, pids) = ask_and_read_pids(&server, "family");
    let response = client.read_response("GET");
    assert_eq!(response.status, 504);
    expect_ended(&pids);
    server.wait_for_access("cgi.timeout");
    server.wait_until_childless();
}

#[test]
fn a_program_that_falls_silent_half_way_leaves_a_cut_response() {
    let server = Server::start(&["--cgi-timeout", "0.5"]);
    let response = server.get("/cgi-bin/probe/gate?file=/never");
    assert_eq!((response.status, response.ended), (200, Ended::Cut));
    assert_eq!(response.body, b"first\n");
    server.wait_for_access("cgi.timeout");
}

#[test]
fn a_program_that_prints_now_and_then_is_not_silent() {
    let server = Server::start(&["--cgi-timeout", "2"]);
    let response = server.get("/cgi-bin/probe/tick?count=12&ms=250");
    assert!(response.text().ends_with("tick 12\n"));
}

#[test]
fn what_follows_a_local_redirect_is_silence() {
    let server = Server::start(&["--cgi-timeout", "0.5"]);
    server.script(
        "cgi-bin/babbles",
        "#!/bin/sh\nprintf 'Location: /page.txt\\n\\n'\nexec cat /dev/zero\n",
    );
    assert_eq!(server.get("/cgi-bin/babbles").status, 504);
    server.wait_until_childless();
}

#[test]
fn a_program_that_ignores_sigterm_is_killed() {
    let server = Server::start(&["--cgi-timeout", "0.5"]);
    let (mut client, pids) = ask_and_read_pids(&server, "stubborn");
    assert_eq!(client.read_response("GET").status, 504);
    expect_ended(&pids);
}

#[test]
fn a_client_that_leaves_ends_a_silent_program_and_its_group() {
    let server = Server::start(&[]);
    let (client, pids) = ask_and_read_pids(&server, "family");
    drop(client);
    expect_ended(&pids);
    server.wait_for_access("client.gone");
    server.wait_until_childless();
}

#[test]
fn a_client_that_resets_the_connection_has_no_grace() {
    let server = Server::start(&[]);
    let (client, pids) = ask_and_read_pids(&server, "family");
    let start = Instant::now();
    client.reset();
    expect_ended(&pids);
    // The grace of a client that may have closed its half only is longer.
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_client_that_leaves_ends_a_stubborn_program() {
    let server = Server::start(&[]);
    let (client, pids) = ask_and_read_pids(&server, "stubborn");
    drop(client);
    expect_ended(&pids);
}

#[test]
fn a_client_that_only_half_closes_has_a_grace_and_no_more() {
    let server = Server::start(&[]);
    let (client, pids) = ask_and_read_pids(&server, "family");
    client.half_close();
    expect_ended(&pids);
}

#[test]
fn a_client_that_leaves_a_flood_ends_the_program() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request(
        "GET",
        "/cgi-bin/probe/tick?count=1000000&ms=1",
        &[],
        b"",
    ));
    client.wait_for("tick 1\n");
    assert!(!server.children().is_empty());
    drop(client);
    server.wait_until_childless();
}

#[test]
fn a_child_that_floods_the_output_of_an_ended_program_does_not_hold_the_response() {
    let site = Site::new();
    site.script(
        "cgi-bin/flood",
        "#!/bin/sh\necho Content-Type: text/plain\necho\nyes 2>/dev/null &\nexit 0\n",
    );
    let server = site.serve(&[]);
    let response = server.get("/cgi-bin/flood");
    assert_eq!((response.status, response.ended), (200, Ended::Clean));
    server.wait_until_childless();
}

#[test]
fn a_child_in_the_background_does_not_hold_the_response() {
    let server = Server::start(&[]);
    let start = Instant::now();
    let (mut client, pids) = ask_and_read_pids(&server, "background");
    let response = client.read_response("GET");
    assert_eq!(response.text(), "the page is whole\n");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    // It is a daemon or a mistake: ours to end only when the request failed. It ends with the test.
    for pid in pids {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
}

#[test]
fn a_program_that_closes_its_output_and_works_on_does_not_hold_the_response() {
    let server = Server::start(&[]);
    server.script(
        "cgi-bin/works-on",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ndone\\n'\nexec sleep 60 >&- 2>&-\n",
    );
    assert_eq!(server.get("/cgi-bin/works-on").text(), "done\n");
    // Here the end of the connection is the end of the response.
    server.script(
        "cgi-bin/works-on",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nhead -c 40000 /dev/zero\n\
         exec sleep 60 >&- 2>&-\n",
    );
    let head = "GET /cgi-bin/works-on HTTP/1.0\r\n\r\n";
    let response = server.exchange("GET", head.as_bytes());
    assert_eq!(
        (response.body.len(), response.ended),
        (40_000, Ended::Clean)
    );
}

#[test]
fn a_client_that_is_given_up_leaves_nothing_in_the_spool() {
    let options = [
        "--max-spool",
        "1M",
        "--max-body",
        "1M",
        "--send-timeout",
        "3",
    ];
    let server = Server::start(&options);
    server.script(
        "cgi-bin/flood",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec cat /dev/zero\n",
    );
    let mut client = server.connect();
    client.send(request("GET", "/cgi-bin/flood", &[], b""));
    server.wait_for_log("client.slow");
    let body = vec![b'x'; 900_000];
    let fits = || server.post("/cgi-bin/probe/stdin", &body).status == 200;
    // Before another `--send-timeout` is over.
    assert!(eventually(Duration::from_secs(2), fits));
}

#[test]
fn no_zombie_is_left() {
    let server = Server::start(&["--cgi-timeout", "0.5"]);
    for behaviour in [
        "hello",
        "exit?code=1",
        "killed",
        "nothing",
        "no-header",
        "endless-header",
    ] {
        server.get(&format!("/cgi-bin/probe/{behaviour}"));
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    server.get("/cgi-bin/probe/hello");
                }
            });
        }
    });
    server.wait_until_childless();
}

#[test]
fn past_max_processes_requests_wait_in_line() {
    let server = Server::start(&["--max-processes", "2"]);
    std::fs::create_dir(server.path("running")).unwrap();
    // Prints how many there are between their beginnings and their ends.
    let program = format!(
        "#!/bin/sh\ncd {} && : >$$\nset -- *\nprintf 'Content-Type: text/plain\\n\\n%s' $#\n\
         sleep 0.1\nexec rm $$\n",
        server.text("running")
    );
    server.script("cgi-bin/count", &program);
    let counts: Vec<String> = thread::scope(|scope| {
        let request = || server.get("/cgi-bin/count").text();
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(request)).collect();
        clients.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(
        counts.iter().all(|count| count == "1" || count == "2"),
        "{counts:?}"
    );
}

#[test]
fn past_the_line_requests_are_503_with_retry_after() {
    let site = Site::new();
    let gate = site.text("gate");
    let server = site.serve(&["--max-processes", "1"]);
    let mut running = server.connect();
    running.send(request(
        "GET",
        &format!("/cgi-bin/probe/gate?file={gate}"),
        &[],
        b"",
    ));
    running.wait_for("first");

    // More than the line has places.
    raise_descriptor_limit();
    let mut clients: Vec<Client> = (0..1100).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(request(
            "GET",
            "/cgi-bin/probe/hello",
            &["Connection: close"],
            b"",
        ));
    }
    server.wait_for_access("cgi.busy");
    server.file("gate", "");
    assert_eq!(running.read_response("GET").text(), "first\nsecond\n");

    let (mut answered, mut refused) = (0, 0);
    for client in &mut clients {
        let response = client.read_response("GET");
        match response.status {
            200 => answered += 1,
            503 => {
                let seconds = response.field("Retry-After").expect("Retry-After");
                assert!(seconds.parse::<u32>().unwrap() >= 1);
                refused += 1;
            }
            other => panic!("{other}: {response:?}"),
        }
    }
    assert!(
        answered > 0 && refused > 0,
        "{answered} answered, {refused} refused"
    );
}

#[test]
fn nobody_waits_in_line_for_ever() {
    let server = Site::new().serve(&["--max-processes", "1"]);
    let mut running = server.run_until_gate();

    let mut waiting = server.connect();
    let start = Instant::now();
    waiting.send(request("GET", "/cgi-bin/probe/hello", &[], b""));
    // Half a minute, which nothing shortens.
    assert!(eventually(3 * PATIENCE, || server
        .access_log()
        .contains("cgi.busy")));
    assert!(start.elapsed() > Duration::from_secs(29));
    let response = waiting.read_response("GET");
    assert_eq!(response.status, 503);
    assert!(response.field("Retry-After").is_some());
    server.file("gate", "");
    assert_eq!(running.read_response("GET").text(), "first\nsecond\n");
}

#[test]
fn files_are_answered_while_every_process_is_busy() {
    let site = Site::new();
    let gate = site.text("gate");
    site.file("www/page.txt", "a page\n");
    let server = site.serve(&["--max-processes", "2", "--threads", "2"]);
    let mut busy: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut busy {
        let target = format!("/cgi-bin/probe/gate?file={gate}");
        client.send(request("GET", &target, &["Connection: close"], b""));
    }
    assert!(eventually(PATIENCE, || !server.children().is_empty()));
    for _ in 0..10 {
        assert_eq!(server.get("/page.txt").text(), "a page\n");
    }
    server.file("gate", "");
    for client in &mut busy {
        assert_eq!(client.read_response("GET").text(), "first\nsecond\n");
    }
}

#[test]
fn one_thread_is_enough_for_files_and_programs() {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    let server = site.serve(&["--threads", "1"]);
    for _ in 0..3 {
        assert_eq!(server.get("/page.txt").text(), "a page\n");
        assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    }
}

#[test]
fn a_client_that_leaves_while_it_waits_in_line_starts_no_program() {
    let site = Site::new();
    let (gate, pid) = (site.text("gate"), site.text("pid"));
    let server = site.serve(&["--max-processes", "1"]);
    let mut running = server.connect();
    running.send(request(
        "GET",
        &format!("/cgi-bin/probe/gate?file={gate}"),
        &[],
        b"",
    ));
    running.wait_for("first");
    let mut waiting = server.connect();
    waiting.send(request(
        "GET",
        &format!("/cgi-bin/probe/silent?file={pid}"),
        &[],
        b"",
    ));
    waiting.reset();
    server.wait_for_access("client.gone");
    server.file("gate", "");
    assert_eq!(running.read_response("GET").text(), "first\nsecond\n");
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    assert!(!server.path("pid").exists());
}

#[test]
fn a_client_whose_program_the_stop_ended_is_told_so() {
    let site = Site::new();
    let mut server = site.serve(&["--drain-timeout", "0.2"]);
    let (mut client, pids) = ask_and_read_pids(&server, "silent");
    server.signal(Signal::TERM);
    let response = client.read_response("GET");
    assert_eq!(
        (response.status, response.field("Connection")),
        (503, Some("close"))
    );
    assert!(server.wait(PATIENCE).is_some_and(|status| status.success()));
    expect_ended(&pids);
    server.wait_for_access("server.stopping");
}

#[test]
fn a_server_that_ends_its_programs_starts_no_more() {
    let site = Site::new();
    site.script("cgi-bin/next", "#!/bin/sh\nexit\n");
    let mut server = site.serve(&["--max-processes", "1", "--drain-timeout", "0.2"]);
    let (_first, pids) = ask_and_read_pids(&server, "stubborn");
    let mut line: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for client in &mut line {
        client.send(request("GET", "/cgi-bin/next", &[], b""));
    }
    // By the time that a later request is answered most of them stand in line.
    assert_eq!(server.get("/").status, 403);
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some_and(|status| status.success()));
    expect_ended(&pids);
    assert!(!server.log().contains("/cgi-bin/next"), "{}", server.log());
}

#[test]
fn a_server_that_is_killed_leaves_no_program_behind() {
    let site = Site::new();
    let mut server = site.serve(&[]);
    let (_polite, mut pids) = ask_and_read_pids(&server, "silent");
    std::fs::remove_file(server.path("pids")).unwrap();
    let (_stubborn, stubborn) = ask_and_read_pids(&server, "stubborn");
    pids.extend(stubborn);
    let spawners = server.spawners();
    assert!(!spawners.is_empty());
    server.signal(Signal::KILL);
    assert!(server.wait(PATIENCE).is_some());
    expect_ended(&pids);
    expect_ended(&spawners);
}

#[test]
fn a_spawner_that_is_killed_costs_no_more_than_what_it_runs() {
    let site = Site::new();
    let server = site.serve(&[]);
    for _ in 0..3 {
        let (mut client, pids) = ask_and_read_pids(&server, "silent");
        std::fs::remove_file(server.path("pids")).unwrap();
        let spawners = server.spawners();
        // Once they wait again, the server has been told of the program.
        let waits = |&pid: &i32| process_state(pid).is_some_and(|state| state.letter == 'S');
        assert!(eventually(PATIENCE, || spawners.iter().all(waits)));
        for &spawner in &spawners {
            kill_process(Pid::from_raw(spawner).unwrap(), Signal::KILL).unwrap();
        }
        assert_eq!(client.read_response("GET").status, 502);
        expect_ended(&spawners);
        expect_ended(&pids[..1]);
        assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    }
}

#[test]
fn programs_that_complain_a_little_each_do_not_flood_the_log_together() {
    const RUNS: usize = 40;
    const LINES: usize = 150;
    let server = Server::start(&[]);
    let began = Instant::now();
    for _ in 0..RUNS {
        let response = server.get(&format!("/cgi-bin/probe/flood-stderr?bytes={}", LINES * 64));
        assert_eq!(response.status, 200);
    }
    let kept = server.log().matches(": 0000").count();
    // 2,000, then 100 a second.
    let most = 2000 + 100 * (began.elapsed().as_secs() as usize + 1);
    assert!(
        kept <= most.min(RUNS * LINES - 1),
        "{kept} of {most} at most"
    );
    let told = eventually(PATIENCE, || {
        server.get("/cgi-bin/probe/stderr?text=again");
        server
            .log()
            .contains("more lines of several programs were dropped")
    });
    assert!(told, "{}", server.log().lines().count());
}
