//! The connections to FastCGI applications, and the choice between several backends: what is kept and
//! used again, what is sent again and what never, and how a dead backend is got round.

use std::net::ToSocketAddrs;
use std::thread;

use crate::support::backend::records::OVERLOADED;
use crate::support::backend::{Backend, Exchange, Gate, Nowhere, Scripted, Then, Workers};
use crate::support::{Client, Folder, PATIENCE, Server, Site, eventually, request, skipped};

/// A server that asks these addresses for everything below `/app/`.
fn serve(addresses: &[&str], arguments: &[&str]) -> Server {
    let route = format!("/app/={}", addresses.join(","));
    Server::start(&[&["--fastcgi", &route], arguments].concat())
}

/// Prints the body of the request, or `hello`.
fn echo(exchange: &mut Exchange) -> Scripted {
    exchange.read_stdin()?;
    match exchange.seen.stdin.clone() {
        body if body.is_empty() => exchange.document("hello"),
        body => exchange.document(body),
    }
}

/// Fails unless a GET and a POST are answered by [`echo`].
#[track_caller]
fn expect_echo(server: &Server) {
    let (get, post) = (server.get("/app/"), server.post("/app/", b"body"));
    assert_eq!((get.status, get.text().as_str()), (200, "hello"));
    assert_eq!((post.status, post.text().as_str()), (200, "body"));
}

#[test]
fn a_connection_is_kept_and_used_again() {
    for backend in [Backend::start(echo), Backend::unix(echo)] {
        let server = serve(&[backend.address()], &["--fastcgi-idle", "20"]);
        for _ in 0..3 {
            expect_echo(&server);
        }
        assert_eq!((backend.accepted(), backend.count()), (1, 6));
        assert!(backend.seen().iter().all(|seen| seen.keep));
    }
}

#[test]
fn none_is_kept_where_none_is_to_be() {
    let backend = Backend::start(echo);
    let server = serve(&[backend.address()], &["--fastcgi-keep", "0"]);
    expect_echo(&server);
    assert_eq!(backend.accepted(), 2);
    assert!(backend.seen().iter().all(|seen| !seen.keep));
    backend.wait_until_closed();
}

#[test]
fn an_idle_connection_is_closed_after_a_while() {
    let backend = Backend::start(echo);
    let server = serve(&[backend.address()], &["--fastcgi-idle", "0.2"]);
    expect_echo(&server);
    backend.wait_until_closed();
    expect_echo(&server);
}

#[test]
fn an_application_may_close_what_it_was_asked_to_keep() {
    let backend = Backend::start(|exchange| {
        echo(exchange)?;
        Ok(Then::Close)
    });
    let server = serve(&[backend.address()], &[]);
    for _ in 0..20 {
        expect_echo(&server);
    }
    assert_eq!((backend.accepted(), backend.count()), (40, 40));
}

#[test]
fn a_request_that_meets_a_dead_kept_connection_is_sent_again() {
    const SCRIPTS: [fn(&mut Exchange) -> Scripted; 2] = [
        // Closes with the request unread, which is a reset.
        |exchange| match exchange.earlier {
            0 => echo(exchange),
            _ => Ok(Then::Close),
        },
        // Closes after some requests, in between.
        |exchange| match exchange.earlier {
            0 | 1 => echo(exchange),
            _ => {
                echo(exchange)?;
                Ok(Then::Close)
            }
        },
    ];
    for script in SCRIPTS {
        for backend in [Backend::start(script), Backend::unix(script)] {
            let server = serve(&[backend.address()], &["--fastcgi-idle", "20"]);
            for _ in 0..10 {
                expect_echo(&server);
            }
        }
    }
}

#[test]
fn a_get_that_a_kept_connection_swallowed_is_sent_again() {
    let backend = Backend::start(|exchange| {
        exchange.read_stdin()?;
        match exchange.earlier {
            0 => echo(exchange),
            _ => Ok(Then::Close),
        }
    });
    let server = serve(&[backend.address()], &["--fastcgi-idle", "20"]);
    for _ in 0..10 {
        assert_eq!(server.get("/app/").text(), "hello");
    }
}

#[test]
fn an_application_with_one_worker_does_not_stall_requests_at_once() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.text("socket"));
    for address in ["127.0.0.1:0", &unix] {
        let backend = Backend::at(address, Workers::One, echo);
        let limits = ["--max-backend", "8", "--fastcgi-idle", "60"];
        let limits = [&limits[..], &["--fastcgi-timeout", "10"]].concat();
        let server = serve(&[backend.address()], &limits);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        assert_eq!(server.get("/app/").text(), "hello");
                    }
                });
            }
        });
        assert_eq!(backend.most_at_once(), 1);
    }
}

#[test]
fn two_routes_to_one_worker_share_its_connection() {
    let backend = Backend::at("127.0.0.1:0", Workers::One, echo);
    let address = backend.address();
    let (guard, other) = (
        format!("/app/=authorizer:{address}"),
        format!("/other/={address}"),
    );
    let idle = ["--fastcgi-idle", "20", "--max-backend", "1"];
    let arguments = [&["-f", &guard, "-f", &other], &idle[..]].concat();
    let server = serve(&[address], &arguments);
    for _ in 0..3 {
        expect_echo(&server);
        assert_eq!(server.get("/other/").text(), "hello");
    }
    assert_eq!((backend.accepted(), backend.most_at_once()), (1, 1));
}

#[test]
fn past_max_backend_requests_wait_in_line() {
    let (first, second) = (Backend::start(echo), Backend::start(echo));
    for (most, addresses) in [
        (1, vec![first.address()]),
        (2, vec![first.address(), second.address()]),
    ] {
        let server = serve(&addresses, &["--max-backend", "1"]);
        thread::scope(|scope| {
            for _ in 0..5 * most {
                scope.spawn(|| {
                    for _ in 0..10 {
                        assert_eq!(server.post("/app/", b"body").text(), "body");
                    }
                });
            }
        });
    }
    assert_eq!((first.most_at_once(), second.most_at_once()), (1, 1));
    assert_eq!(first.count() + second.count(), 5 * 10 + 10 * 10);
}

#[test]
fn who_waits_in_line_is_answered_when_the_backend_crashes() {
    let gate = Gate::default();
    let backend = Backend::start({
        let gate = gate.clone();
        move |exchange| {
            if exchange.param("QUERY_STRING") == "crash" {
                gate.wait()?;
                return Ok(Then::Close);
            }
            echo(exchange)
        }
    });
    let server = serve(&[backend.address()], &["--max-backend", "1"]);
    let mut first = server.connect();
    first.send(request("GET", "/app/?crash", &[], b""));
    backend.wait_for_requests(1);
    let mut line: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for client in &mut line {
        client.send(request("GET", "/app/", &[], b""));
    }
    gate.open();
    assert_eq!(first.read_response("GET").status, 502);
    for client in &mut line {
        let status = client.read_response("GET").status;
        assert!(matches!(status, 200 | 502 | 503), "{status}");
    }
    let well = || server.get("/app/").status == 200;
    assert!(eventually(PATIENCE, well));
}

#[test]
fn a_client_that_leaves_while_it_waits_in_line_is_asked_for_no_more() {
    let gate = Gate::default();
    let backend = Backend::start({
        let gate = gate.clone();
        move |exchange| {
            gate.wait()?;
            echo(exchange)
        }
    });
    let server = serve(
        &[backend.address()],
        &[
            "--max-backend",
            "1",
            #[cfg(feature = "console")]
            "--health",
            #[cfg(feature = "console")]
            "127.0.0.1:0",
        ],
    );
    let mut first = server.connect();
    first.send(request("GET", "/app/", &[], b""));
    backend.wait_for_requests(1);
    // How many wait is counted by the route.
    let is_waiting = |count: usize| {
        #[cfg(feature = "console")]
        {
            let line = format!("\ntollgate_backends_waiting{{route=\"/app/\"}} {count}\n");
            let metrics = || super::health::ask(&server, "GET /metrics HTTP/1.0").text();
            assert!(
                eventually(PATIENCE, || metrics().contains(&line)),
                "{}",
                metrics()
            );
        }
        #[cfg(not(feature = "console"))]
        let _ = count;
    };
    is_waiting(0);
    let mut waiting = server.connect();
    waiting.send(request("GET", "/app/waiting", &[], b""));
    is_waiting(1);
    waiting.reset();
    server.wait_for_access("client.gone");
    is_waiting(0);
    gate.open();
    assert_eq!(first.read_response("GET").text(), "hello");
    assert_eq!(server.get("/app/").text(), "hello");
    assert_eq!(backend.count(), 2);
}

#[test]
fn the_backend_with_the_fewest_requests_is_asked() {
    let gate = Gate::default();
    let backends: Vec<Backend> = (0..2)
        .map(|_| {
            let gate = gate.clone();
            Backend::start(move |exchange| {
                if exchange.param("QUERY_STRING") == "hold" {
                    gate.wait()?;
                }
                echo(exchange)
            })
        })
        .collect();
    let server = serve(&[backends[0].address(), backends[1].address()], &[]);
    let counts = || (backends[0].count(), backends[1].count());
    let mut held = server.connect();
    held.send(request("GET", "/app/?hold", &[], b""));
    let came = eventually(PATIENCE, || counts() != (0, 0));
    assert!(came, "no backend was asked");
    let (idle, busy) = match counts() {
        (0, _) => (&backends[0], &backends[1]),
        _ => (&backends[1], &backends[0]),
    };
    for _ in 0..10 {
        assert_eq!(server.get("/app/").text(), "hello");
    }
    assert_eq!((busy.count(), idle.count()), (1, 10));
    gate.open();
    assert_eq!(held.read_response("GET").text(), "hello");
}

#[test]
fn a_dead_backend_costs_no_request() {
    let nowhere = Nowhere::refusing();
    let site = Site::new();
    let missing = format!("unix:{}", site.text("no-socket"));
    let backend = Backend::start(echo);
    let server = serve(&[nowhere.address(), &missing, backend.address()], &[]);
    let mut client = server.connect();
    for at in 0..100 {
        for (method, body) in [("GET", "hello"), ("POST", "body")] {
            let sent: &[u8] = if method == "GET" { b"" } else { b"body" };
            client.send(request(method, "/app/", &[], sent));
            let response = client.read_response(method);
            let got = (response.status, response.text());
            assert_eq!(got, (200, body.to_string()), "{method} {at}");
        }
    }
    assert_eq!(backend.count(), 200);
}

#[test]
fn a_name_has_every_one_of_its_addresses_tried() {
    let backend = Backend::start(echo);
    let port = backend.address().rsplit_once(':').unwrap().1;
    let named = format!("localhost:{port}");
    let mut all = named.to_socket_addrs().unwrap();
    if all.next().is_none_or(|first| !first.is_ipv6()) || !all.any(|it| it.is_ipv4()) {
        return skipped(
            "a_name_has_every_one_of_its_addresses_tried",
            "localhost has one",
        );
    }
    let _full = Nowhere::never_accepting_at(format!("[::1]:{port}").parse().unwrap());
    let server = serve(&[&named], &["--fastcgi-connect-timeout", "1"]);
    expect_echo(&server);
    assert_eq!(backend.count(), 2);
}

#[test]
fn a_backend_that_comes_back_is_used_again() {
    let site = Site::new();
    let address = format!("unix:{}", site.text("socket"));
    let first = Backend::at(&address, Workers::Many, echo);
    let other = Backend::start(echo);
    let server = serve(&[&address, other.address()], &[]);
    expect_echo(&server);
    first.stop();
    for _ in 0..20 {
        expect_echo(&server);
    }
    let again = Backend::at(&address, Workers::Many, echo);
    let used = eventually(PATIENCE, || {
        expect_echo(&server);
        again.count() > 0
    });
    assert!(used, "it is left out for ever");
}

#[test]
fn all_backends_down_is_told_and_mends_itself() {
    let site = Site::new();
    let (address, nowhere) = (format!("unix:{}", site.text("socket")), Nowhere::refusing());
    let server = serve(&[&address, nowhere.address()], &[]);
    for _ in 0..5 {
        let status = server.get("/app/").status;
        assert!(matches!(status, 502 | 503), "{status}");
    }
    for (address, cause) in [(&*address, "No such file"), (nowhere.address(), "refused")] {
        let line = server.wait_for_log(address);
        assert!(line.contains(cause), "no cause in {line:?}");
    }
    let _backend = Backend::at(&address, Workers::Many, echo);
    let well = eventually(PATIENCE, || server.get("/app/").status == 200);
    assert!(well, "it is left out for ever");
    for _ in 0..20 {
        expect_echo(&server);
    }
}

#[test]
fn a_post_that_a_backend_received_is_sent_to_no_other() {
    // RFC 9110 section 9.2.2: nobody knows what became of it.
    let script = |exchange: &mut Exchange| {
        exchange.read_stdin()?;
        Ok(Then::Close)
    };
    let backends = [Backend::start(script), Backend::start(script)];
    let server = serve(&[backends[0].address(), backends[1].address()], &[]);
    assert_eq!(server.post("/app/", b"body").status, 502);
    server.expect_access("/app/", 502, "fastcgi.closed");
    assert_eq!(backends[0].count() + backends[1].count(), 1);
}

#[test]
fn a_post_that_a_backend_received_in_part_is_sent_to_no_other() {
    let body = vec![b'x'; 10_000_000];
    for _ in 0..5 {
        let backends = [(), ()].map(|()| Backend::start(|_| Ok(Then::Close)));
        let server = serve(&[backends[0].address(), backends[1].address()], &[]);
        assert_eq!(server.post("/app/", &body).status, 502);
        assert_eq!(backends[0].count() + backends[1].count(), 1);
    }
}

#[test]
fn what_an_overloaded_backend_declined_goes_to_another() {
    let overloaded = Backend::start(|exchange| exchange.end_with(0, OVERLOADED));
    let other = Backend::unix(echo);
    let server = serve(&[overloaded.address(), other.address()], &[]);
    let body = vec![b'x'; 300_000];
    for _ in 0..10 {
        assert!(server.post("/app/", &body).body == body);
        assert_eq!(server.get("/app/").text(), "hello");
    }
    assert!(overloaded.count() > 0);
}

#[test]
fn an_overloaded_backend_is_not_asked_again_while_the_other_is_busy() {
    let gate = Gate::default();
    let overloaded = Backend::start(|exchange| exchange.end_with(0, OVERLOADED));
    let busy = Backend::start({
        let gate = gate.clone();
        move |exchange| {
            gate.wait()?;
            echo(exchange)
        }
    });
    let addresses = [overloaded.address(), busy.address()];
    let server = serve(&addresses, &["--max-backend", "1"]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(request("GET", "/app/", &[], b""));
        // Each of them comes to the busy one, or waits for it.
        let is_there = || busy.count() == 1 && (number == 0 || overloaded.count() >= number);
        assert!(eventually(PATIENCE, is_there));
    }
    gate.open();
    for client in &mut clients {
        assert_eq!(client.read_response("GET").text(), "hello");
    }
    assert!(overloaded.count() <= 3, "{}", overloaded.count());
}

#[test]
fn a_silent_backend_costs_no_get_and_is_left_out() {
    let gate = Gate::default();
    let silent = Backend::start({
        let gate = gate.clone();
        move |exchange| {
            exchange.read_stdin()?;
            gate.wait()?;
            Ok(Then::Close)
        }
    });
    let other = Backend::start(echo);
    let addresses = [silent.address(), other.address()];
    let server = serve(&addresses, &["--fastcgi-timeout", "0.5"]);
    let mut clients: Vec<Client> = (0..6).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(request("GET", "/app/", &[], b""));
    }
    for client in &mut clients {
        assert_eq!(client.read_response("GET").text(), "hello");
    }
    assert!((1..6).contains(&silent.count()));
    server.wait_for_log("fastcgi.timeout");
    let asked = silent.count();
    for _ in 0..10 {
        expect_echo(&server);
    }
    assert_eq!(silent.count(), asked);
    gate.open();
}

#[test]
fn a_backend_that_only_closes_connections_is_left_out() {
    let closing = Backend::start(|exchange| {
        exchange.read_stdin()?;
        Ok(Then::Close)
    });
    let other = Backend::start(echo);
    let server = serve(&[closing.address(), other.address()], &[]);
    let is_left_out = || (0..4).all(|_| server.post("/app/", b"body").status == 200);
    assert!(eventually(PATIENCE, is_left_out), "{}", closing.count());
}

#[test]
fn an_application_closing_all_its_connections_is_connected_to_anew() {
    let site = Site::new();
    let address = format!("unix:{}", site.text("socket"));
    let first = Backend::at(&address, Workers::Many, echo);
    let server = serve(&[&address], &["--fastcgi-idle", "60"]);
    expect_echo(&server);
    first.stop();
    let _second = Backend::at(&address, Workers::Many, echo);
    // A restart between two requests is nothing that a client need know of.
    for _ in 0..5 {
        expect_echo(&server);
    }
}

#[test]
fn many_requests_at_once_are_each_answered_with_their_own() {
    let backends = [Backend::start(echo), Backend::unix(echo)];
    let addresses = [backends[0].address(), backends[1].address()];
    let server = serve(&addresses, &["--max-backend", "3", "--fastcgi-keep", "1"]);
    thread::scope(|scope| {
        for number in 0..12 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for at in 0..50 {
                    let body = format!("client {number}, request {at}").repeat(1 + at * 40);
                    client.send(request("POST", "/app/", &[], body.as_bytes()));
                    assert!(client.read_response("POST").text() == body);
                }
            });
        }
    });
    for backend in &backends {
        assert!(backend.most_at_once() <= 3);
    }
}
