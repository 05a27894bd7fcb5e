//! What has no end: heads, bodies, and what programs print. Each is ended by the bound that is named
//! for it, and none is kept in memory.

use std::time::Duration;

use super::Scenario;
use super::scenario::{self, Figures, Probes, address, site};
use super::swarm::{Ended, Outcome, Swarm, Visit, count};
use crate::support::{PATIENCE, eventually, has_ended, published_pids, request};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("endless-target", target),
    ("endless-field", field),
    ("endless-fields", fields),
    ("endless-extension", extension),
    ("endless-trailer", trailer),
    ("endless-chunks", chunks),
    ("endless-length", length),
    ("endless-header", header),
    ("endless-stdout", stdout),
    ("endless-stderr", stderr),
    ("endless-silence", silence),
];

/// How many clients do the same at once.
const CLIENTS: usize = 100;

const CHUNKED: &str =
    "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// How large a log may become, in bytes.
const LOG_MAX: usize = 1 << 20;

/// Fails unless all were answered so, or found the connection reset after that since they sent on.
fn expect_refused(outcomes: &[Outcome], status: u16) {
    let refused = count(outcomes, |it| {
        it.ended == Ended::Whole && it.status == status
    });
    // An answer that is lost to a reset has its line in the access log all the same.
    let lost = count(outcomes, |it| it.ended == Ended::Reset);
    assert_eq!(refused + lost, outcomes.len(), "{outcomes:?}");
    assert!(lost <= outcomes.len() / 10, "{lost} answers were lost");
}

/// Has `CLIENTS` send what does not end, and be refused.
fn refuse(name: &str, visit: Visit, arguments: &[&str], status: u16, reason: &str) -> Figures {
    let server = site().serve(arguments);
    scenario::run(name, &server, Probes::Programs, || {
        let swarm = Swarm::start(address(&server), CLIENTS, visit);
        let outcomes = swarm.outcomes(PATIENCE * 2);
        assert_eq!(outcomes.len(), CLIENTS);
        expect_refused(&outcomes, status);
        server.wait_for_access(reason);
        format!("{CLIENTS} refused with {status}, {reason}")
    })
}

fn target(name: &str) -> Figures {
    let visit = Visit::sending("GET /").then_endlessly("a".repeat(1000));
    refuse(name, visit, &[], 414, "head.target-too-long")
}

fn field(name: &str) -> Figures {
    let visit = Visit::sending("GET / HTTP/1.1\r\nHost: h\r\nX: ").then_endlessly("a".repeat(1000));
    refuse(name, visit, &[], 431, "head.too-long")
}

fn fields(name: &str) -> Figures {
    let visit = Visit::sending("GET / HTTP/1.1\r\nHost: h\r\n").then_endlessly("X: y\r\n");
    refuse(name, visit, &[], 431, "head.too-many-fields")
}

fn extension(name: &str) -> Figures {
    let visit = Visit::sending(format!("{CHUNKED}5;")).then_endlessly("extension");
    refuse(name, visit, &[], 400, "framing.chunk-line")
}

fn trailer(name: &str) -> Figures {
    let visit = Visit::sending(format!("{CHUNKED}0\r\n")).then_endlessly("X: y\r\n");
    refuse(name, visit, &[], 400, "framing.trailer")
}

fn chunks(name: &str) -> Figures {
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let visit = Visit::sending(CHUNKED).then_endlessly(chunk);
    // A hundred of them have room in the spool at the same time.
    let arguments = ["--max-body", "8M"];
    refuse(name, visit, &arguments, 413, "body.too-long")
}

fn length(name: &str) -> Figures {
    let head = "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\n";
    let visit = Visit::sending(head).then_endlessly("x".repeat(4096));
    refuse(name, visit, &[], 413, "body.too-long")
}

fn header(name: &str) -> Figures {
    let get = request("GET", "/cgi-bin/probe/endless-header", &[], b"");
    refuse(name, Visit::sending(get), &[], 502, "cgi.header-too-long")
}

fn stdout(name: &str) -> Figures {
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        let get = request("GET", "/cgi-bin/probe/flood?bytes=1073741824", &[], b"");
        let swarm = Swarm::start(address(&server), 1, Visit::sending(get));
        let outcomes = swarm.outcomes(Duration::from_secs(120));
        let whole = |it: &Outcome| it.ended == Ended::Whole && it.status == 200;
        assert_eq!(count(&outcomes, whole), 1, "{outcomes:?}");
        format!("1 GiB relayed in {:.1} s", outcomes[0].after.as_secs_f64())
    })
}

fn stderr(name: &str) -> Figures {
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        let target = "/cgi-bin/probe/flood-stderr?bytes=268435456";
        let swarm = Swarm::start(
            address(&server),
            1,
            Visit::sending(request("GET", target, &[], b"")),
        );
        let outcomes = swarm.outcomes(Duration::from_secs(120));
        assert_eq!(count(&outcomes, |it| it.ended == Ended::Whole), 1);
        // It is told with the next line that is kept, and at the end.
        let told = || -> u64 {
            let log = server.log();
            let lines = log.lines().map(|line| number_before(line, " more lines"));
            lines.sum()
        };
        assert!(eventually(PATIENCE, || told() > 4_000_000), "{}", told());
        let (log, dropped) = (server.log().len(), told());
        assert!(log <= LOG_MAX, "the log has {log} bytes");
        format!(
            "of 256 MiB {} KiB are in the log, which tells of {dropped} lines dropped",
            log >> 10
        )
    })
}

/// The number that stands before these words; 0 where they do not.
fn number_before(line: &str, words: &str) -> u64 {
    let before = line.split_once(words).map(|(before, _)| before);
    let number = before.and_then(|it| it.rsplit(' ').next());
    number.and_then(|it| it.parse().ok()).unwrap_or(0)
}

fn silence(name: &str) -> Figures {
    let server = site().serve(&["--cgi-timeout", "2"]);
    scenario::run(name, &server, Probes::Programs, || {
        let file = |at| format!("pid-{at}");
        let visit = |at| {
            let target = format!("/cgi-bin/probe/silent?file={}", server.text(&file(at)));
            Visit::sending(request("GET", &target, &[], b""))
        };
        let swarm = Swarm::of(address(&server), (0..4).map(visit).collect());
        let outcomes = swarm.outcomes(PATIENCE);
        let timed_out = |it: &Outcome| it.ended == Ended::Whole && it.status == 504;
        assert_eq!(count(&outcomes, timed_out), 4, "{outcomes:?}");
        server.wait_for_access("cgi.timeout");
        let pids = (0..4).flat_map(|at| published_pids(&server.path(&file(at))));
        for pid in pids {
            assert!(eventually(PATIENCE, || has_ended(pid)));
        }
        "4 ended by --cgi-timeout (2 s) with 504".to_owned()
    })
}
