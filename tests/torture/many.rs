//! More of everything than there is room for: connections, requests in line, and one client who asks for
//! all of it.

use std::thread;
use std::time::{Duration, Instant};

use super::Scenario;
use super::scenario::{self, Figures, Probes, address, ask, site};
use super::swarm::{Ended, Leaves, Swarm, Visit, count};
use crate::support::{eventually, raise_descriptor_limit, request};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("many-idle", idle),
    ("many-slow-heads", slow_heads),
    ("many-empty", empty),
    ("many-in-line", in_line),
    ("many-of-one", of_one),
];

/// How long thousands of connections may take to be made, and to be answered.
const CROWDED: Duration = Duration::from_secs(90);

/// As many connections as this process may have, `wanted` at most.
fn connections(wanted: usize) -> usize {
    let limit = raise_descriptor_limit();
    // Both this process and the server need some for themselves.
    let room = usize::try_from(limit.saturating_sub(500)).unwrap_or(usize::MAX);
    assert!(room >= 500, "the limit of {limit} open files crowds nobody");
    wanted.min(room)
}

fn idle(name: &str) -> Figures {
    let wanted = connections(10_000);
    let server = site().serve(&["--max-connections", "10100", "--idle-timeout", "60"]);
    scenario::run(name, &server, Probes::Programs, || {
        let visit = Visit::sending(request("GET", "/probe.txt", &[], b"")).leaving(Leaves::Never);
        let swarm = Swarm::start(address(&server), wanted, visit);
        let is_idle = eventually(CROWDED, || swarm.answered() == wanted);
        assert!(is_idle, "{} answered", swarm.answered());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(100));
            assert_eq!(swarm.ended(), 0, "one of them was closed");
        }
        swarm.stop();
        format!("{wanted} kept open for 5 s, each after an answer")
    })
}

/// More heads at a byte a second than there may be connections: who has a whole one is let in.
fn slow_heads(name: &str) -> Figures {
    let wanted = connections(3000);
    let server = site().serve(&["--max-connections", "2000"]);
    scenario::run(name, &server, Probes::Programs, || {
        let visit = Visit::sending("G")
            .then_endlessly("ET / HTTP/1.1 and so on")
            .at(1, Duration::from_secs(1))
            .leaving(Leaves::Returns);
        let swarm = Swarm::start(address(&server), wanted, visit);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(15) {
            thread::sleep(Duration::from_millis(100));
        }
        let outcomes = swarm.stop();
        let cut = count(&outcomes, |it| it.ended == Ended::Closed);
        assert!(cut > 0, "{} ended", outcomes.len());
        format!("{wanted} for 2,000 places, for 15 s: {cut} closed for whoever has a whole one")
    })
}

fn empty(name: &str) -> Figures {
    connections(1000);
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        let visit = Visit::sending("").leaving(Leaves::AtOnce);
        let outcomes = Swarm::start(address(&server), 5000, visit).outcomes(CROWDED);
        assert_eq!(count(&outcomes, |it| it.ended == Ended::Left), 5000);
        "5,000 opened and closed without a byte".to_owned()
    })
}

/// The client that wants a file and a program comes from another address: it is served in turn.
fn in_line(name: &str) -> Figures {
    let wanted = connections(10_000);
    let server = site().serve(&["--max-connections", "10100", "--max-processes", "4"]);
    scenario::run(name, &server, Probes::Programs, || {
        let fields = ["Connection: close"];
        let get = request("GET", "/cgi-bin/probe/sleep?ms=20", &fields, b"");
        let swarm = Swarm::start(address(&server), wanted, Visit::sending(get));
        let outcomes = swarm.outcomes(CROWDED);
        let served = count(&outcomes, |it| it.ended == Ended::Whole && it.status == 200);
        let refused = count(&outcomes, |it| {
            it.ended == Ended::Whole && it.status == 503 && it.retry_after
        });
        assert_eq!(served + refused, wanted, "{served} and {refused}");
        assert!(served > 1000 && refused > 0, "{served} and {refused}");
        format!(
            "of {wanted} for 4 processes {served} served, {refused} told to come again; none lost"
        )
    })
}

/// One client asks for everything, again and again, another for a program now and then.
fn of_one(name: &str) -> Figures {
    let wanted = connections(2000);
    let server = site().serve(&["--max-processes", "4"]);
    scenario::run(name, &server, Probes::Files, || {
        let fields = ["Connection: close"];
        let get = request("GET", "/cgi-bin/probe/sleep?ms=50", &fields, b"");
        let visit = Visit::sending(get).leaving(Leaves::Returns);
        let greedy = Swarm::start(address(&server), wanted, visit);
        // From the first refusal on the line is full.
        server.wait_for_access("cgi.busy");
        let mut waits = Vec::new();
        for _ in 0..50 {
            let (page, took) = ask(&server, "/cgi-bin/probe/hello");
            assert_eq!((page.status, page.text().as_str()), (200, "hello\n"));
            waits.push(took);
        }
        waits.sort_unstable();
        let outcomes = greedy.stop();
        let served = count(&outcomes, |it| it.status == 200);
        let refused = count(&outcomes, |it| it.status == 503);
        assert!(refused > 0, "{served} and {refused}");
        let slowest = waits[waits.len() - 1];
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
        format!(
            "one address has {served} served and {refused} refused; of another's 50 each is, after {} ms, {} at most",
            waits[25].as_millis(),
            slowest.as_millis()
        )
    })
}
