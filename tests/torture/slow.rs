//! Clients that take their time, by the hundred: they hold no worker and no process, and those who are
//! slower than the least rate are cut by the deadline that is named for it.

use std::time::Duration;

use super::Scenario;
use super::scenario::{self, Figures, Probes, address, site};
use super::swarm::{Ended, Leaves, Rate, Reads, Swarm, Visit, count};
use crate::support::{PATIENCE, eventually, request};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("slow-heads", heads),
    ("slow-bodies", bodies),
    ("slow-files", files),
    ("slow-spooled", spooled),
    ("slow-outputs", outputs),
];

/// A server that is this much later than its deadline is still on time: the janitor's tick, and a
/// loaded machine.
const LATE: Duration = Duration::from_secs(10);

/// The window of a body's least rate.
const BODY_WINDOW: Duration = Duration::from_secs(10);

const READS: Reads = Reads::Slowly(Rate {
    bytes: 1024,
    every: Duration::from_secs(1),
});

/// The file and the output that are read.
const LONG: usize = 10 << 20;

fn heads(name: &str) -> Figures {
    let timeout = Duration::from_secs(6);
    let server = site().serve(&["--header-timeout", "6"]);
    scenario::run(name, &server, Probes::Programs, || {
        let visit = Visit::sending("G")
            .then_endlessly("ET / HTTP/1.1 and so on")
            .at(1, Duration::from_secs(2));
        let swarm = Swarm::start(address(&server), 1000, visit);
        let outcomes = swarm.outcomes(timeout + PATIENCE);
        let cut = count(&outcomes, |it| {
            it.ended == Ended::Whole
                && it.status == 408
                && (timeout..timeout + LATE).contains(&it.after)
        });
        assert_eq!(cut, 1000, "{outcomes:?}");
        server.wait_for_access("head.timeout");
        "1,000 cut by --header-timeout (6 s) with 408".to_owned()
    })
}

fn bodies(name: &str) -> Figures {
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        let head =
            "POST /cgi-bin/probe/stdin HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
        let visit = Visit::sending(head)
            .then_endlessly("x")
            .at(1, Duration::from_secs(1));
        let swarm = Swarm::start(address(&server), 500, visit);
        let outcomes = swarm.outcomes(BODY_WINDOW + PATIENCE);
        let cut = count(&outcomes, |it| {
            it.ended == Ended::Whole
                && it.status == 408
                && (BODY_WINDOW..BODY_WINDOW + LATE).contains(&it.after)
        });
        assert_eq!(cut, 500, "{outcomes:?}");
        server.wait_for_access("body.timeout");
        let log = server.log();
        assert!(!log.contains("/cgi-bin/probe/stdin"), "one was run: {log}");
        "500 cut by the least rate (256 B/s over 10 s) with 408, none run".to_owned()
    })
}

/// How fast a client takes something is seen by what leaves the kernel's buffer, which it does in lumps:
/// of a megabyte on this interface, of some ten kilobytes on a network. Who has not taken one when the
/// time is up is cut, though he may have read some of it.
fn files(name: &str) -> Figures {
    let site = site();
    site.file("www/long", vec![b'x'; LONG]);
    let server = site.serve(&["--send-timeout", "4"]);
    scenario::run(name, &server, Probes::Programs, || {
        let get = request("GET", "/long", &[], b"");
        let slow = Visit::sending(&get).reading(READS);
        let still = Visit::sending(&get)
            .reading(Reads::Nothing)
            .leaving(Leaves::Never);
        let visits = [vec![slow; 500], vec![still; 100]].concat();
        let swarm = Swarm::of(address(&server), visits);
        assert!(eventually(PATIENCE, || swarm.connected() == 600));
        expect_cut(swarm, Duration::from_secs(4));
        server.wait_for_access("client.slow");
        "500 at 1 KiB/s and 100 that read nothing cut by --send-timeout (4 s)".to_owned()
    })
}

/// Fails unless all connections of a swarm are cut, not before `timeout`.
fn expect_cut(swarm: Swarm, timeout: Duration) {
    let count_of_all = swarm.connected();
    let outcomes = swarm.outcomes(timeout + LATE + PATIENCE);
    let cut = count(&outcomes, |it| {
        it.ended == Ended::Reset && it.after >= timeout
    });
    assert_eq!(cut, count_of_all, "{outcomes:?}");
}

/// As much as the spool has room for is taken off its programs, which end long before their clients do.
fn spooled(name: &str) -> Figures {
    let server = site().serve(&["--send-timeout", "15"]);
    scenario::run(name, &server, Probes::Programs, || {
        let target = format!("/cgi-bin/probe/flood?bytes={LONG}");
        let get = request("GET", &target, &[], b"");
        let swarm = Swarm::start(address(&server), 100, Visit::sending(get).reading(READS));
        let run = || {
            let access = server.access_log();
            access
                .lines()
                .filter(|line| line.contains("/flood"))
                .count()
        };
        assert!(eventually(PATIENCE, || swarm.connected() == 100));
        assert!(eventually(PATIENCE, || !server.children().is_empty()));
        assert!(eventually(PATIENCE, || server.children().is_empty()));
        assert_eq!((swarm.ended(), run()), (0, 0), "somebody was cut before");
        expect_cut(swarm, Duration::from_secs(15));
        "100 in the spool, no program waits for them; cut by --send-timeout (15 s)".to_owned()
    })
}

/// What does not fit the spool keeps its program waiting, for as long as its client has a right to.
fn outputs(name: &str) -> Figures {
    let server = site().serve(&["--send-timeout", "2", "--max-processes", "40"]);
    scenario::run(name, &server, Probes::Files, || {
        let target = format!("/cgi-bin/probe/flood?bytes={LONG}");
        let get = request("GET", &target, &[], b"");
        let swarm = Swarm::start(address(&server), 500, Visit::sending(get).reading(READS));
        assert!(eventually(PATIENCE, || swarm.connected() == 500));
        let outcomes = swarm.outcomes(Duration::from_secs(120));
        let cut = count(&outcomes, |it| it.ended == Ended::Reset);
        // Who has waited in line for 30 s is told so.
        let busy = count(&outcomes, |it| it.ended == Ended::Whole && it.status == 503);
        assert_eq!(cut + busy, 500, "{outcomes:?}");
        assert!(cut > 0);
        server.wait_for_access("client.slow");
        server.wait_until_childless();
        format!(
            "of 500, more than the spool has room for, {cut} cut by --send-timeout (2 s), {busy} refused with 503"
        )
    })
}
