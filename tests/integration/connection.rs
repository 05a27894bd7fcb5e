//! Connections: how long they are kept, who waits for whom, how they and the server end.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{
    Client, Ended, Framing, PATIENCE, Response, Server, Site, eventually, has_ended, memory_of,
    process_state, published_pids, raise_descriptor_limit, request,
};

fn site_with_page() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site
}

fn get(target: &str) -> Vec<u8> {
    request("GET", target, &[], b"")
}

#[test]
fn http_1_1_keeps_the_connection() {
    let server = site_with_page().serve(&[]);
    let mut client = server.connect();
    for target in ["/page.txt", "/cgi-bin/probe/hello", "/none", "/page.txt"] {
        client.send(get(target));
        let response = client.read_response("GET");
        assert_eq!(response.field("Connection"), None, "{target}: {response:?}");
        assert_eq!(response.ended, Ended::Clean);
    }
}

#[test]
fn http_1_1_closes_when_asked() {
    let server = site_with_page().serve(&[]);
    for option in ["close", "Close", "keep-alive, close", "x,close"] {
        let mut client = server.connect();
        client.send(request(
            "GET",
            "/page.txt",
            &[&format!("Connection: {option}")],
            b"",
        ));
        let response = client.read_response("GET");
        assert_eq!(response.text(), "a page\n");
        assert_eq!(response.field("Connection"), Some("close"), "{option}");
        client.expect_closed();
    }
}

#[test]
fn http_1_0_closes_unless_asked_to_keep() {
    let server = site_with_page().serve(&[]);
    let mut client = server.connect();
    client.send("GET /page.txt HTTP/1.0\r\n\r\n");
    assert_eq!(client.read_response("GET").text(), "a page\n");
    client.expect_closed();

    let mut client = server.connect();
    for _ in 0..3 {
        client.send("GET /page.txt HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        let response = client.read_response("GET");
        assert_eq!(response.text(), "a page\n");
        assert!(
            response
                .field("Connection")
                .unwrap()
                .eq_ignore_ascii_case("keep-alive")
        );
    }
}

#[test]
fn fifty_pipelined_requests_are_answered_in_order() {
    let site = Site::new();
    for number in 0..50 {
        site.file(&format!("www/{number}.txt"), format!("page {number}"));
    }
    let server = site.serve(&[]);
    let mut client = server.connect();
    let mut requests = Vec::new();
    for number in 0..50 {
        // A program in between is slower than the files after it, which have to wait.
        let program = number % 10 == 5;
        let target = if program {
            format!("/cgi-bin/probe/env?{number}")
        } else {
            format!("/{number}.txt")
        };
        requests.extend(get(&target));
    }
    client.send(requests);
    for number in 0..50 {
        let text = client.read_response("GET").text();
        let expected = match number % 10 == 5 {
            true => format!("QUERY_STRING={number}\n"),
            false => format!("page {number}"),
        };
        assert!(text.contains(&expected), "{number}: {text:?}");
    }
    assert!(client.pending().is_empty());
}

#[test]
fn pipelined_bodies_are_told_apart() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut requests = request("POST", "/cgi-bin/probe/stdin", &[], b"one");
    requests.extend(
        b"POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
          2\r\ntw\r\n1\r\no\r\n0\r\n\r\n",
    );
    requests.extend(request("POST", "/cgi-bin/probe/stdin", &[], b"three"));
    client.send(requests);
    assert_eq!(client.read_response("POST").text(), "told 3, read 3\none");
    assert_eq!(client.read_response("POST").text(), "told 3, read 3\ntwo");
    assert_eq!(client.read_response("POST").text(), "told 5, read 5\nthree");
}

#[test]
fn a_pipeline_longer_than_a_turn_is_answered_to_its_end() {
    let site = Site::new();
    for number in 0..10 {
        site.file(&format!("www/{number}.txt"), format!("page {number}"));
    }
    let server = site.serve(&[]);
    let mut client = server.connect();
    let numbers = || (0..1_000).map(|number| number % 10);
    client.send(
        numbers()
            .flat_map(|number| get(&format!("/{number}.txt")))
            .collect::<Vec<u8>>(),
    );
    for number in numbers() {
        assert_eq!(client.read_response("GET").text(), format!("page {number}"));
    }
}

#[test]
fn a_half_closed_client_is_answered() {
    let server = site_with_page().serve(&[]);
    for target in [
        "/page.txt",
        "/cgi-bin/probe/hello",
        "/cgi-bin/probe/sleep?ms=100",
    ] {
        let mut client = server.connect();
        client.send(get(target));
        client.half_close();
        let response = client.read_response("GET");
        assert_eq!(
            (response.status, response.ended),
            (200, Ended::Clean),
            "{target}"
        );
        client.expect_closed();
    }
}

#[test]
fn a_client_that_leaves_without_a_request_is_no_event() {
    let server = site_with_page().serve(&[]);
    let mut client = server.connect();
    client.half_close();
    client.expect_closed();
    let mut client = server.connect();
    client.send("GET /page.t");
    client.half_close();
    // An unfinished head may be refused or let go; the server is there for the next.
    client.read_to_end();
    assert_eq!(server.get("/page.txt").text(), "a page\n");
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let bytes = request("POST", "/cgi-bin/probe/stdin", &[], b"slowly");
    client.send_in_pieces(bytes, 1);
    assert_eq!(
        client.read_response("POST").text(),
        "told 6, read 6\nslowly"
    );
    let chunked = "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n";
    client.send_in_pieces(chunked, 1);
    assert_eq!(client.read_response("POST").text(), "told 5, read 5\nabcde");
}

#[test]
fn continue_is_sent_when_the_body_is_wanted() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(
        "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\
         Content-Length: 5\r\n\r\n",
    );
    let interim = client.read_response("POST");
    assert_eq!(interim.status, 100);
    client.send("hello");
    assert_eq!(client.read_response("POST").text(), "told 5, read 5\nhello");
}

#[test]
fn continue_is_not_sent_when_the_body_is_not_wanted() {
    let server = site_with_page().serve(&["--max-body", "1K"]);
    for (target, length, statuses) in [
        ("/cgi-bin/none", 5, &[404][..]),
        ("/page.txt", 5, &[405]),
        ("/none", 5, &[404, 405]),
        ("/cgi-bin/probe", 1025, &[413]),
    ] {
        let mut client = server.connect();
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        ));
        let response = client.read_response("POST");
        assert!(
            statuses.contains(&response.status),
            "{target}: {response:?}"
        );
    }
}

#[test]
fn continue_is_not_sent_to_http_1_0() {
    let server = Server::start(&[]);
    let response = server.exchange(
        "POST",
        b"POST /cgi-bin/probe/stdin HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert_eq!(response.text(), "told 2, read 2\nhi");
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    let site = site_with_page();
    fs::create_dir(site.path("www/folder")).unwrap();
    let server = site.serve(&[]);
    let lasting = |response: &Response| {
        let fields = response.fields.iter().filter(|(name, _)| name != "Date");
        fields.cloned().collect::<Vec<_>>()
    };
    for target in ["/page.txt", "/none", "/folder", "/cgi-bin/none"] {
        let mut client = server.connect();
        client.send(request("HEAD", target, &[], b""));
        let head = client.read_response("HEAD");
        client.send(request("GET", target, &["Connection: close"], b""));
        let got = client.read_response("GET");
        client.expect_closed();
        assert_eq!(head.status, got.status, "{target}");
        // The identifier of the request on an error page is of one length.
        let mut expected = lasting(&got);
        expected.retain(|(name, _)| name != "Connection");
        assert_eq!(lasting(&head), expected, "{target}");
    }
}

#[test]
fn head_of_a_program_has_no_body_and_keeps_the_connection() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request("HEAD", "/cgi-bin/probe", &[], b""));
    assert_eq!(client.read_response("HEAD").status, 200);
    client.send(get("/cgi-bin/probe/hello"));
    assert_eq!(client.read_response("GET").text(), "hello\n");
}

#[test]
fn every_response_tells_date_and_server() {
    let server = site_with_page().serve(&[]);
    for target in ["/page.txt", "/none", "/cgi-bin/probe/hello"] {
        let response = server.get(target);
        let date = response.field("Date").unwrap();
        assert!(httpdate::parse_http_date(date).is_ok(), "{target}: {date}");
        assert!(
            response.field("Server").unwrap().starts_with("tollgate"),
            "{target}"
        );
    }
}

#[test]
fn an_error_arrives_although_the_client_is_still_sending() {
    let server = Server::start(&["--max-body", "1K"]);
    let mut client = server.connect();
    let body = vec![b'a'; 2 << 20];
    client.send(format!(
        "POST /cgi-bin/probe HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    // Closed at once, the connection would be reset by these bytes, and the answer lost with it.
    let _ = client.try_send(&body);
    let response = client.read_response("POST");
    assert_eq!((response.status, response.ended), (413, Ended::Clean));
    client.expect_closed();
}

#[test]
fn a_client_that_stays_after_a_refusal_is_listened_to_for_a_while() {
    let server = site_with_page().serve(&["--header-timeout", "600", "--idle-timeout", "600"]);
    let mut client = server.connect();
    let start = Instant::now();
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.read_response("GET").status, 400);
    client.expect_closed();
    // What is sent to a connection that is closed for good comes back as a reset.
    assert!(eventually(PATIENCE, || client.try_send("x").is_err()));
    assert!(start.elapsed() > Duration::from_secs(4));
}

#[test]
fn a_body_nobody_read_is_not_taken_for_a_request() {
    let server = site_with_page().serve(&[]);
    let mut client = server.connect();
    let body = get("/cgi-bin/probe?smuggled");
    client.send(request("POST", "/page.txt", &[], &body));
    let refused = client.read_response("POST");
    assert_eq!(refused.status, 405);
    if refused.field("Connection") == Some("close") {
        client.expect_closed();
    } else {
        client.send(get("/page.txt"));
        assert_eq!(client.read_response("GET").text(), "a page\n");
    }
    assert!(
        !server.access_log().contains("smuggled"),
        "{}",
        server.access_log()
    );
}

#[test]
fn a_slow_head_is_408_although_bytes_keep_coming() {
    let server = Server::start(&["--header-timeout", "0.5"]);
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nX-Slow: ");
    let mut sender = client.another_handle();
    let answered = AtomicBool::new(false);
    let response = thread::scope(|scope| {
        scope.spawn(|| {
            // A byte of the head now and then: the deadline is for the whole of it.
            eventually(PATIENCE, || {
                answered.load(Ordering::Relaxed) || sender.try_send("a").is_err()
            });
        });
        let response = client.read_response("GET");
        answered.store(true, Ordering::Relaxed);
        response
    });
    assert_eq!(
        (response.status, response.field("Connection")),
        (408, Some("close"))
    );
    client.half_close();
    client.expect_closed();
    server.wait_for_access("head.timeout");
}

#[test]
fn a_slow_body_is_408() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("POST /cgi-bin/probe HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    // The least rate is held against the client after 10 s.
    let response = client.read_response("POST");
    assert_eq!(
        (response.status, response.field("Connection")),
        (408, Some("close"))
    );
    client.expect_closed();
    server.wait_for_access("body.timeout");
}

#[test]
fn a_body_that_is_cut_starts_no_program() {
    let site = Site::new();
    let file = site.text("pid");
    let server = site.serve(&[]);
    let mut client = server.connect();
    client.send(format!(
        "POST /cgi-bin/probe/silent?file={file} HTTP/1.1\r\nHost: h\r\n\
         Content-Length: 10\r\n\r\nhalf"
    ));
    client.half_close();
    client.read_to_end();
    server.wait_for_access("body.cut");
    assert!(!server.path("pid").exists());
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let server = site_with_page().serve(&["--idle-timeout", "0.5"]);
    let mut client = server.connect();
    client.send(get("/page.txt"));
    assert_eq!(client.read_response("GET").text(), "a page\n");
    client.expect_closed();
}

#[test]
fn blank_lines_after_a_request_are_no_slow_request() {
    let server = site_with_page().serve(&["--header-timeout", "0.5"]);
    for blank in ["\r", "\r\n", "\r\n\r\n"] {
        let mut client = server.connect();
        client.send(get("/page.txt"));
        client.send(blank);
        assert_eq!(client.read_response("GET").text(), "a page\n");
        client.expect_closed();
    }
}

#[test]
fn an_idle_connection_makes_room_for_a_new_one() {
    let server = site_with_page().serve(&["--max-connections", "8", "--idle-timeout", "600"]);
    // Each comes to be idle some time after the one before.
    let mut idle: Vec<Client> = (0..8)
        .map(|_| {
            let mut client = server.connect();
            client.send(get("/cgi-bin/probe/sleep?ms=5"));
            assert_eq!(client.read_response("GET").status, 200);
            client
        })
        .collect();
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    // The one that was idle the longest went, and no other.
    idle[0].expect_closed();
    for client in &mut idle[1..] {
        client.send(get("/page.txt"));
        assert_eq!(client.read_response("GET").text(), "a page\n");
    }
}

#[test]
fn a_connection_that_comes_to_be_idle_makes_room_for_who_waits() {
    let server = site_with_page().serve(&["--max-connections", "1", "--idle-timeout", "600"]);
    let mut first = server.connect();
    first.send(get("/cgi-bin/probe/sleep?ms=300"));
    let mut second = server.connect();
    second.send(get("/page.txt"));
    assert_eq!(first.read_response("GET").status, 200);
    assert_eq!(second.read_response("GET").text(), "a page\n");
    first.expect_closed();
}

#[test]
fn a_client_that_asks_on_and_on_makes_no_room() {
    let server = site_with_page().serve(&["--max-connections", "1"]);
    let mut busy = server.connect();
    let mut waiting = Vec::new();
    for _ in 0..20 {
        busy.send(get("/page.txt"));
        assert_eq!(busy.read_response("GET").text(), "a page\n");
        waiting.push(server.connect());
    }
}

#[test]
fn a_connection_without_a_request_makes_room_for_who_waits() {
    let server = site_with_page().serve(&["--max-connections", "1", "--header-timeout", "600"]);
    let mut silent = server.connect();
    let mut second = server.connect();
    second.send(get("/page.txt"));
    assert_eq!(second.read_response("GET").text(), "a page\n");
    silent.expect_closed();
}

#[test]
fn a_head_that_is_slow_makes_room_for_who_waits() {
    let server = site_with_page().serve(&["--max-connections", "1", "--header-timeout", "600"]);
    for before in ["", "GET /page.txt HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut slow = server.connect();
        slow.send(format!("{before}GET /page.txt HT"));
        if !before.is_empty() {
            assert_eq!(slow.read_response("GET").text(), "a page\n");
        }
        let mut second = server.connect();
        second.send(request("GET", "/page.txt", &["Connection: close"], b""));
        assert_eq!(second.read_response("GET").text(), "a page\n");
        slow.expect_closed();
    }
}

#[test]
fn heads_that_come_byte_by_byte_take_no_more_memory_than_they_are_long() {
    const HEADS: usize = 1000;
    // The room of a read each would be four times as much.
    const GROWTH_MAX: u64 = 2048;
    raise_descriptor_limit();
    let server = site_with_page().serve(&["--header-timeout", "600"]);
    server.get("/page.txt");
    let before = memory_of(server.pid());
    let mut slow: Vec<Client> = (0..HEADS).map(|_| server.connect()).collect();
    for byte in ["G", "E", "T", " "] {
        slow.iter_mut().for_each(|client| client.send(byte));
        // Whoever comes after them is answered after they were read.
        server.get("/page.txt");
    }
    let growth = memory_of(server.pid()).saturating_sub(before);
    assert!(growth < GROWTH_MAX, "{growth} KiB for {HEADS} heads");
    for client in &mut slow[HEADS - 10..] {
        client.send(&get("/page.txt")[4..]);
        assert_eq!(client.read_response("GET").text(), "a page\n");
    }
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let site = Site::new();
    site.file("www/big", vec![0; 32 << 20]);
    let server = site.serve(&["--send-timeout", "0.5"]);
    let mut client = server.connect();
    client.send(get("/big"));
    let line = server.wait_for_access("client.slow");
    let response = client.read_response("GET");
    assert_eq!(response.ended, Ended::Cut);
    // The log tells what was sent, not what was asked for.
    let logged: usize = line.split(' ').nth(9).unwrap().parse().unwrap();
    assert!(logged < 32 << 20, "{line}");
}

#[test]
fn slow_clients_hold_no_worker() {
    let site = site_with_page();
    site.file("www/big", vec![0; 32 << 20]);
    let server = site.serve(&["--threads", "2"]);
    let mut slow: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for (number, client) in slow.iter_mut().enumerate() {
        match number % 3 {
            0 => client.send("GET /page.txt HT"),
            1 => {
                client.send("POST /cgi-bin/probe HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
            }
            _ => client.send(get("/big")),
        }
    }
    for _ in 0..3 {
        assert_eq!(server.get("/page.txt").text(), "a page\n");
        assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    }
}

/// With a lane for each core connections stand in several, wherever their packets come in, and each is answered:
/// files, programs, one after the other and while others run.
#[test]
fn whatever_lane_a_connection_stands_in_it_is_answered() {
    for threads in ["1", "2", "3", "9"] {
        let server = site_with_page().serve(&["--threads", threads]);
        // More than a lane has for being near, so that others get some.
        let mut clients: Vec<Client> = (0..60).map(|_| server.connect()).collect();
        for round in 0..3 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.send(match (number + round) % 10 {
                    0 => get("/cgi-bin/probe/hello"),
                    _ => get("/page.txt"),
                });
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let expected = match (number + round) % 10 {
                    0 => "hello\n",
                    _ => "a page\n",
                };
                let response = client.read_response("GET");
                assert_eq!(response.text(), expected, "{threads} threads, {number}");
            }
        }
        // So often that it is looked several times whether its packets come in elsewhere.
        let mut client = server.connect();
        for _ in 0..300 {
            client.send(get("/page.txt"));
            assert_eq!(client.read_response("GET").text(), "a page\n");
        }
    }
}

#[test]
fn a_body_for_which_the_spool_has_no_room_is_507() {
    let server = Server::start(&["--max-spool", "1M", "--max-body", "10M"]);
    let response = server.post("/cgi-bin/probe/stdin", &vec![b'a'; 2 << 20]);
    assert_eq!(response.status, 507);
    server.wait_for_access("spool.full");
    // What the refused body took has been given back.
    let response = server.post("/cgi-bin/probe/stdin", &vec![b'a'; 512 << 10]);
    assert_eq!(response.status, 200);
}

#[test]
fn the_port_can_be_taken_again_at_once() {
    let mut server = site_with_page().serve(&[]);
    let address = server.authority().to_string();
    // The server closes first, so its side of the connection lingers in TIME_WAIT.
    server.fetch("GET", "/page.txt", &["Connection: close"], b"");
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some());
    let again = site_with_page().listen(&[&address]).serve(&[]);
    assert_eq!(again.get("/page.txt").text(), "a page\n");
}

#[test]
fn sigterm_finishes_what_runs_and_then_exits_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let site = Site::new();
        let gate = site.text("gate");
        let mut server = site.serve(&[]);
        let address = server.addresses()[0].to_string();
        let mut idle = server.connect();
        let mut client = server.connect();
        client.send(get(&format!("/cgi-bin/probe/gate?file={gate}")));
        client.wait_for("first");

        server.signal(signal);
        let refused = eventually(PATIENCE, || Client::try_connect(&address).is_err());
        assert!(refused, "new connections are still accepted");
        idle.expect_closed();

        server.file("gate", "");
        let response = client.read_response("GET");
        assert_eq!(response.text(), "first\nsecond\n");
        client.expect_closed();
        assert_eq!(
            server.wait(PATIENCE).and_then(|status| status.code()),
            Some(0)
        );
    }
}

#[test]
fn sigterm_does_not_wait_longer_than_the_drain_timeout() {
    let site = Site::new();
    let file = site.text("pid");
    let mut server = site.serve(&["--drain-timeout", "0.5"]);
    let mut client = server.connect();
    client.send(get(&format!("/cgi-bin/probe/family?file={file}")));
    let pids = published_pids(&server.path("pid"));
    server.signal(Signal::TERM);
    assert_eq!(
        server.wait(PATIENCE).and_then(|status| status.code()),
        Some(0)
    );
    for pid in pids {
        assert!(
            eventually(PATIENCE, || has_ended(pid)),
            "{pid} outlived the server"
        );
    }
}

#[test]
fn sighup_reopens_the_access_log() {
    let server = site_with_page().serve(&[]);
    server.get("/page.txt?before");
    server.wait_for_access("before");
    fs::rename(server.path("access.log"), server.path("access.old")).unwrap();
    server.signal(Signal::HUP);
    assert!(
        eventually(PATIENCE, || server.path("access.log").exists()),
        "no new log"
    );
    server.get("/page.txt?after");
    server.wait_for_access("after");
    let old = fs::read_to_string(server.path("access.old")).unwrap();
    assert!(old.contains("before") && !old.contains("after"), "{old}");
}

#[test]
fn want_of_descriptors_neither_ends_nor_spins_the_server() {
    let mut server = site_with_page().after("ulimit -n 40").serve(&[]);
    let crowd: Vec<Client> = (0..60).map(|_| server.connect()).collect();
    // Long enough for the server to meet the limit; a loop that spins would take all of this time.
    let before = process_state(server.pid()).unwrap().cpu_ticks;
    thread::sleep(Duration::from_millis(600));
    let spent = process_state(server.pid()).unwrap().cpu_ticks - before;
    assert!(spent < 20, "{spent}/100 s of processor time in 0.6 s");
    assert!(server.wait(Duration::ZERO).is_none(), "the server ended");
    drop(crowd);
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
}

#[test]
fn an_idle_server_does_nothing() {
    let server = site_with_page().serve(&[]);
    let mut client = server.connect();
    client.send(get("/page.txt"));
    assert_eq!(client.read_response("GET").framing, Framing::Length(7));
    let before = process_state(server.pid()).unwrap().cpu_ticks;
    thread::sleep(Duration::from_millis(500));
    let spent = process_state(server.pid()).unwrap().cpu_ticks - before;
    assert!(spent <= 2, "{spent}/100 s of processor time in 0.5 s");
}
