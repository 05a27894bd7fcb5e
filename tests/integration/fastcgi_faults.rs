//! What a FastCGI application can do wrong to a request: each fault has its status and reason, and a
//! response that is not whole is visibly so.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::backend::records::{
    BEGIN_REQUEST, CANT_MPX_CONN, END_REQUEST, OVERLOADED, STDIN, STDOUT, UNKNOWN_ROLE,
    end_request, record,
};
use crate::support::backend::{Backend, Exchange, Gate, Nowhere, Scripted, Then};
use crate::support::{Client, Ended, PATIENCE, Response, Server, Site, eventually, request};

type Script = fn(&mut Exchange) -> Scripted;

/// A server that asks the application at `address` for everything below `/app/`.
fn serve(address: &str, arguments: &[&str]) -> Server {
    let route = format!("/app/={address}");
    Server::start(&[&["--fastcgi", &route], arguments].concat())
}

/// Fails unless something is seen to be missing. Where nothing has gone out yet an error page is
/// better still.
#[track_caller]
fn expect_visibly_cut(response: &Response, what: &str) {
    let visible = matches!(response.status, 502 | 504) || response.ended == Ended::Cut;
    assert!(visible, "{what}: {response:?}");
}

/// Receives the request to its end, sends these bytes, and closes: the peer sees no reset.
fn say_and_close(exchange: &mut Exchange, bytes: impl AsRef<[u8]>) -> Scripted {
    exchange.read_stdin()?;
    exchange.raw(bytes)?;
    Ok(Then::Close)
}

/// Prints this, and closes without an end.
fn print_and_close(exchange: &mut Exchange, output: &str) -> Scripted {
    let bytes = record(STDOUT, exchange.id, output.as_bytes(), 0);
    say_and_close(exchange, bytes)
}

const PAGE: &str = "Content-Type: text/plain\n\na page\n";

#[test]
fn faults_before_the_response_have_a_status_and_a_reason() {
    const CASES: &[(&str, u16, &str, Script)] = &[
        ("close-at-once", 502, "fastcgi.closed", |_| Ok(Then::Close)),
        ("close-before-header", 502, "fastcgi.closed", |exchange| {
            say_and_close(exchange, b"")
        }),
        ("close-within-record", 502, "fastcgi.closed", |exchange| {
            let bytes = record(STDOUT, exchange.id, PAGE.as_bytes(), 0);
            say_and_close(exchange, &bytes[..5])
        }),
        ("close-within-header", 502, "fastcgi.closed", |exchange| {
            print_and_close(exchange, "Content-Type: te")
        }),
        ("close-after-stderr", 502, "fastcgi.closed", |exchange| {
            exchange.err("about to crash\n")?;
            say_and_close(exchange, b"")
        }),
        ("garbage", 502, "fastcgi.version", |exchange| {
            say_and_close(exchange, [0xa5; 100])
        }),
        ("http", 502, "fastcgi.version", |exchange| {
            say_and_close(
                exchange,
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            )
        }),
        ("version-2", 502, "fastcgi.version", |exchange| {
            let mut bytes = record(STDOUT, exchange.id, PAGE.as_bytes(), 0);
            bytes[0] = 2;
            say_and_close(exchange, bytes)
        }),
        ("other-id", 502, "fastcgi.request-id", |exchange| {
            say_and_close(
                exchange,
                record(STDOUT, exchange.id + 1, PAGE.as_bytes(), 0),
            )
        }),
        ("other-id-ends", 502, "fastcgi.request-id", |exchange| {
            say_and_close(exchange, end_request(exchange.id + 256, 0, 0))
        }),
        ("unknown-type", 502, "fastcgi.record-type", |exchange| {
            say_and_close(exchange, record(77, exchange.id, b"what", 0))
        }),
        ("begins", 502, "fastcgi.record-type", |exchange| {
            let bytes = record(BEGIN_REQUEST, exchange.id, &[0, 1, 0, 0, 0, 0, 0, 0], 0);
            say_and_close(exchange, bytes)
        }),
        ("sends-stdin", 502, "fastcgi.record-type", |exchange| {
            say_and_close(exchange, record(STDIN, exchange.id, PAGE.as_bytes(), 0))
        }),
        ("short-end", 502, "fastcgi.end-request", |exchange| {
            say_and_close(exchange, record(END_REQUEST, exchange.id, &[0; 4], 0))
        }),
        ("unknown-status", 502, "fastcgi.end-request", |exchange| {
            say_and_close(exchange, end_request(exchange.id, 0, 9))
        }),
        ("overloaded", 503, "fastcgi.overloaded", |exchange| {
            exchange.end_with(0, OVERLOADED)
        }),
        ("multiplex", 502, "fastcgi.multiplex", |exchange| {
            exchange.end_with(0, CANT_MPX_CONN)
        }),
        ("role", 502, "fastcgi.role", |exchange| {
            exchange.end_with(0, UNKNOWN_ROLE)
        }),
        ("nothing", 502, "cgi.no-output", |exchange| exchange.end()),
        ("empty", 502, "cgi.no-output", |exchange| exchange.reply("")),
        ("no-header", 502, "cgi.no-header", |exchange| {
            exchange.reply("This is a page without a header.\n")
        }),
        ("header-cut", 502, "cgi.header-cut", |exchange| {
            exchange.reply("Content-Type: text/plain\nX-Cut: yes\n")
        }),
        ("malformed", 502, "cgi.header-malformed", |exchange| {
            exchange.reply("Content-Type: text/plain\nno colon here\n\nbody\n")
        }),
        ("status", 502, "cgi.status", |exchange| {
            exchange.reply("Status: 20\nContent-Type: text/plain\n\nbody\n")
        }),
    ];
    for (name, status, reason, script) in CASES {
        // Each is one of its own: it is left out after some of these.
        for backend in [Backend::start(script), Backend::unix(script)] {
            let server = serve(backend.address(), &[]);
            let target = format!("/app/{name}");
            let response = server.get(&target);
            assert_eq!(response.status, *status, "{name}: {response:?}");
            server.expect_access(&target, *status, reason);
            let seconds = response.field("Retry-After");
            let seconds = seconds.map(|seconds| seconds.parse::<u32>().unwrap());
            assert_eq!(seconds.is_some(), *status == 503, "{name}: {seconds:?}");
            assert!(!response.text().contains("This is a page"), "{response:?}");
        }
    }
}

#[test]
fn faults_within_the_response_leave_it_visibly_cut() {
    const CASES: &[(&str, &str, Script)] = &[
        ("close-after-header", "fastcgi.closed", |exchange| {
            print_and_close(exchange, "Content-Type: text/plain\n\n")
        }),
        ("close-in-body", "fastcgi.closed", |exchange| {
            print_and_close(exchange, PAGE)
        }),
        ("close-before-end", "fastcgi.closed", |exchange| {
            exchange.read_stdin()?;
            exchange.out(PAGE)?;
            exchange.out("")?;
            Ok(Then::Close)
        }),
        ("end-cut", "fastcgi.closed", |exchange| {
            exchange.read_stdin()?;
            exchange.out(PAGE)?;
            exchange.raw(&end_request(exchange.id, 0, 0)[..15])?;
            Ok(Then::Close)
        }),
        ("short-of-4-gib", "cgi.short", |exchange| {
            exchange.reply("Content-Type: text/plain\nContent-Length: 4294967296\n\nshort\n")
        }),
        ("garbage-in-body", "fastcgi.version", |exchange| {
            exchange.read_stdin()?;
            exchange.out(PAGE)?;
            exchange.raw([0xa5; 100])?;
            Ok(Then::Close)
        }),
    ];
    for (name, reason, script) in CASES {
        for version in ["1.1", "1.0"] {
            let backend = Backend::start(script);
            let server = serve(backend.address(), &[]);
            let bytes = format!("GET /app/{name} HTTP/{version}\r\nHost: h\r\n\r\n");
            let response = server.exchange("GET", bytes.as_bytes());
            expect_visibly_cut(&response, &format!("{name} HTTP/{version}"));
            let line = server.wait_for_access(reason);
            assert!(line.contains(name), "{line}");
        }
    }
}

#[test]
fn what_has_gone_out_is_cut_where_the_application_crashed() {
    for version in ["1.1", "1.0"] {
        let gate = Gate::default();
        let backend = Backend::start({
            let gate = gate.clone();
            move |exchange| {
                exchange.read_stdin()?;
                exchange.out(PAGE)?;
                gate.wait()?;
                Ok(Then::Close)
            }
        });
        let server = serve(backend.address(), &[]);
        let mut client = server.connect();
        client.send(format!("GET /app/ HTTP/{version}\r\nHost: h\r\n\r\n"));
        client.wait_for("a page");
        gate.open();
        let response = client.read_response("GET");
        assert_eq!((response.status, response.ended), (200, Ended::Cut));
        assert_eq!(response.body, b"a page\n");
        client.expect_closed();
        server.expect_access("/app/", 200, "fastcgi.closed");
    }
}

#[test]
fn more_bytes_than_the_content_length_are_dropped() {
    let backend = Backend::start(|exchange| {
        exchange.reply("Content-Type: text/plain\nContent-Length: 4\n\npage and then some")
    });
    let server = serve(backend.address(), &[]);
    for _ in 0..2 {
        assert_eq!(server.get("/app/").text(), "page");
    }
    server.wait_for_log("cgi.long");
}

#[test]
fn an_endless_header_is_given_up() {
    let backend = Backend::start(|exchange| {
        exchange.out("Content-Type: text/plain\n")?;
        loop {
            exchange.out("X-More: and more, and more, and more\n")?;
        }
    });
    let server = serve(backend.address(), &[]);
    assert_eq!(server.get("/app/").status, 502);
    server.expect_access("/app/", 502, "cgi.header-too-long");
    backend.wait_until_closed();
}

#[test]
fn silence_has_an_end() {
    let backend = Backend::start(|exchange| {
        exchange.read_stdin()?;
        match exchange.param("QUERY_STRING") {
            "body" => exchange.out(PAGE)?,
            "header" => exchange.out("Content-Type: te")?,
            "stderr" => exchange.err("thinking\n")?,
            _ => {}
        }
        exchange.wait_until_closed()
    });
    let server = serve(backend.address(), &["--fastcgi-timeout", "0.4"]);
    for query in ["nothing", "header", "stderr"] {
        let target = format!("/app/?{query}");
        assert_eq!(server.get(&target).status, 504, "{query}");
        server.expect_access(&target, 504, "fastcgi.timeout");
    }
    let response = server.get("/app/?body");
    assert_eq!((response.status, response.ended), (200, Ended::Cut));
    assert_eq!(response.body, b"a page\n");
    server.expect_access("/app/?body", 200, "fastcgi.timeout");
    backend.wait_until_closed();
}

#[test]
fn the_time_of_a_program_holds_for_an_application_that_has_none_of_its_own() {
    let backend = Backend::start(|exchange| exchange.wait_until_closed());
    let server = serve(backend.address(), &["--cgi-timeout", "0.3"]);
    assert_eq!(server.get("/app/").status, 504);
}

#[test]
fn an_application_that_prints_now_and_then_is_not_silent() {
    let backend = Backend::start(|exchange| {
        exchange.out("Content-Type: text/plain\n\n")?;
        for _ in 0..11 {
            exchange.out("tick\n")?;
            // The very time that is tested, and shorter than what is allowed.
            thread::sleep(Duration::from_millis(250));
        }
        exchange.end()
    });
    let server = serve(backend.address(), &["--fastcgi-timeout", "2"]);
    assert_eq!(server.get("/app/").text(), "tick\n".repeat(11));
}

#[test]
fn an_answer_before_the_body_is_read_is_the_answer() {
    const SCRIPTS: [Script; 2] = [
        // Reads nothing, neither before its answer nor after it.
        |exchange| {
            exchange.out(PAGE)?;
            exchange.end()?;
            Err(ErrorKind::Other.into())
        },
        // Answers in the middle of the body.
        |exchange| {
            exchange.receive()?;
            exchange.out(PAGE)?;
            exchange.end()
        },
    ];
    let body = vec![b'x'; 10_000_000];
    for (at, script) in SCRIPTS.into_iter().enumerate() {
        for backend in [Backend::start(script), Backend::unix(script)] {
            let server = serve(backend.address(), &[]);
            for _ in 0..2 {
                let response = server.post("/app/", &body);
                assert_eq!(response.status, 200, "{at}: {response:?}");
                assert_eq!(response.text(), "a page\n", "{at}");
            }
        }
    }
}

#[test]
fn an_answer_ends_the_request_though_its_body_is_not_read() {
    let gate = Gate::default();
    let backend = Backend::start({
        let gate = gate.clone();
        move |exchange| {
            exchange.out(PAGE)?;
            exchange.end()?;
            // Neither reads nor hangs up.
            gate.wait()?;
            Ok(Then::Close)
        }
    });
    let server = serve(backend.address(), &[]);
    for _ in 0..2 {
        let response = server.post("/app/", &vec![b'x'; 10_000_000]);
        assert_eq!(response.text(), "a page\n");
    }
    assert_eq!(backend.accepted(), 2);
    gate.open();
}

#[test]
fn an_application_that_prints_before_it_reads_does_not_block() {
    const LEN: usize = 4_000_000;
    let backend = Backend::start(|exchange| {
        exchange.out("Content-Type: text/plain\n\n")?;
        exchange.out(vec![b'x'; LEN])?;
        exchange.read_stdin()?;
        exchange.end()
    });
    let server = serve(backend.address(), &[]);
    let response = server.post("/app/", &vec![b'y'; LEN]);
    assert_eq!((response.ended, response.body.len()), (Ended::Clean, LEN));
    assert_eq!(backend.last().stdin.len(), LEN);
}

#[test]
fn a_client_that_leaves_has_its_backend_told() {
    for printed in ["", "Content-Type: te", PAGE] {
        let backend = Backend::start(move |exchange| {
            exchange.read_stdin()?;
            if !printed.is_empty() {
                exchange.out(printed)?;
            }
            exchange.wait_until_closed()
        });
        let server = serve(backend.address(), &[]);
        let mut client = server.connect();
        client.send(request("GET", "/app/", &[], b""));
        backend.wait_for_requests(1);
        if printed == PAGE {
            client.wait_for("a page");
        }
        client.reset();
        backend.wait_until_closed();
        server.wait_for_access("client.gone");
    }
}

#[test]
fn a_client_that_leaves_a_flood_has_its_backend_told() {
    let backend = Backend::start(|exchange| {
        exchange.out("Content-Type: text/plain\n\n")?;
        loop {
            exchange.out([b'x'; 1000])?;
        }
    });
    let server = serve(backend.address(), &[]);
    let mut client = server.connect();
    client.send(request("GET", "/app/", &[], b""));
    client.wait_for("xxx");
    drop(client);
    backend.wait_until_closed();
}

#[test]
fn a_flood_of_management_records_takes_no_memory() {
    let backend = Backend::start(|exchange| {
        exchange.read_stdin()?;
        let records = record(99, 0, b"", 0).repeat(1 << 13);
        for _ in 0..1 << 9 {
            exchange.raw(&records)?; // Of 64 MiB of answers it reads none.
        }
        exchange.document("a page\n")?;
        exchange.wait_until_closed()
    });
    let server = serve(backend.address(), &[]);
    assert_eq!(server.get("/app/").text(), "a page\n");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 32 << 10, "{peak}");
}

#[test]
fn an_address_that_refuses_is_told_with_its_cause() {
    let nowhere = Nowhere::refusing();
    let site = Site::new();
    let missing = format!("unix:{}", site.text("no-socket"));
    for (address, cause) in [(nowhere.address(), "refused"), (&missing, "No such file")] {
        let server = serve(address, &[]);
        assert_eq!(server.get("/app/").status, 502, "{address}");
        server.expect_access("/app/", 502, "fastcgi.unreachable");
        let line = server.wait_for_log(address);
        assert!(line.contains(cause), "no cause in {line:?}");
        let status = server.get("/app/").status;
        assert!(matches!(status, 502 | 503), "{address}: {status}");
    }
}

#[test]
fn an_address_that_never_accepts_is_given_up() {
    let nowhere = Nowhere::never_accepting();
    let server = serve(nowhere.address(), &["--fastcgi-connect-timeout", "0.4"]);
    assert_eq!(server.get("/app/").status, 504);
    server.expect_access("/app/", 504, "fastcgi.connect-timeout");
}

#[test]
fn a_client_that_leaves_while_its_backend_is_connected_to_is_noticed() {
    let nowhere = Nowhere::never_accepting();
    let server = serve(nowhere.address(), &[]);
    let mut client = server.connect();
    client.send(request("GET", "/app/", &[], b""));
    client.reset();
    server.wait_for_access("client.gone");
}

#[test]
fn the_application_is_well_again_after_a_fault() {
    static WELL: AtomicBool = AtomicBool::new(false);
    let backend = Backend::start(|exchange| {
        if WELL.load(Ordering::Relaxed) {
            exchange.reply(PAGE)
        } else {
            say_and_close(exchange, "garbage")
        }
    });
    let server = serve(backend.address(), &[]);
    for _ in 0..5 {
        assert!(matches!(server.get("/app/").status, 502 | 503));
    }
    WELL.store(true, Ordering::Relaxed);
    let well = || server.get("/app/").status == 200;
    assert!(eventually(PATIENCE, well));
}

#[test]
fn a_stop_lets_an_application_finish() {
    let gate = Gate::default();
    let backend = Backend::start({
        let gate = gate.clone();
        move |exchange| {
            gate.wait()?;
            exchange.reply(PAGE)
        }
    });
    let mut server = serve(backend.address(), &[]);
    let mut client = server.connect();
    client.send(request("GET", "/app/", &[], b""));
    backend.wait_for_requests(1);
    server.signal(Signal::TERM);
    let address = server.addresses()[0].to_string();
    let refused = eventually(PATIENCE, || Client::try_connect(&address).is_err());
    assert!(refused, "new connections are still accepted");
    gate.open();
    assert_eq!(client.read_response("GET").text(), "a page\n");
    assert!(server.wait(PATIENCE).is_some_and(|status| status.success()));
    backend.wait_until_closed();
}

#[test]
fn a_stop_does_not_wait_for_ever_for_an_application() {
    let backend = Backend::start(|exchange| exchange.wait_until_closed());
    let mut server = serve(backend.address(), &["--drain-timeout", "0.2"]);
    let mut client = server.connect();
    client.send(request("GET", "/app/", &[], b""));
    backend.wait_for_requests(1);
    server.signal(Signal::TERM);
    assert_eq!(client.read_response("GET").status, 503);
    assert!(server.wait(PATIENCE).is_some_and(|status| status.success()));
    server.wait_for_access("server.stopping");
}
