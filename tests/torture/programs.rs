//! Programs that do what programs do when they are wrong, and clients that leave them alone: none is left
//! behind, and each answer is whole or can be told to be cut.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Scenario;
use super::scenario::{self, Figures, Probes, address, site};
use super::swarm::{Ended, Leaves, Swarm, Visit, count};
use crate::support::{
    Ended as End, PATIENCE, Server, eventually, has_ended, published_pids, request,
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("program-segfault", segfault),
    ("program-killed", killed),
    ("program-stubborn", stubborn),
    ("program-stubborn-stop", stubborn_stop),
    ("program-leaves-child", leaves_child),
    ("program-forks", forks),
    ("program-unread", unread),
    ("program-stdin-closed", stdin_closed),
    ("program-length", wrong_length),
    ("program-format", format_error),
    ("program-vanishes", vanishes),
    ("program-aborted", aborted),
];

const PRINTS: &str = "printf 'Content-Type: text/plain\\n\\nhello\\n'";

/// Fails unless all of these processes come to be ended.
#[track_caller]
fn expect_ended(pids: &[i32]) {
    for &pid in pids {
        assert!(eventually(PATIENCE, || has_ended(pid)), "{pid} is left");
    }
}

/// The status of so many requests, one after the other, which is the same.
#[track_caller]
fn expect_status(server: &Server, target: &str, times: usize, status: u16) {
    for _ in 0..times {
        let response = server.get(target);
        assert_eq!((response.status, response.ended), (status, End::Clean));
    }
}

fn segfault(name: &str) -> Figures {
    let site = site();
    site.script("cgi-bin/segfault", "#!/bin/sh\nkill -SEGV $$\n");
    let server = site.serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        expect_status(&server, "/cgi-bin/segfault", 200, 502);
        server.wait_for_access("cgi.killed");
        "200 answered with 502, cgi.killed".to_owned()
    })
}

fn killed(name: &str) -> Figures {
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        for round in 0..50 {
            let file = format!("pid-{round}");
            let target = format!("/cgi-bin/probe/silent?file={}", server.text(&file));
            let mut client = server.connect();
            client.send(request("GET", &target, &[], b""));
            let pids = published_pids(&server.path(&file));
            kill_process(Pid::from_raw(pids[0]).unwrap(), Signal::KILL).unwrap();
            assert_eq!(client.read_response("GET").status, 502);
            expect_ended(&pids);
        }
        "50 killed from outside while they run: 502 at once".to_owned()
    })
}

fn stubborn(name: &str) -> Figures {
    let server = site().serve(&["--cgi-timeout", "1"]);
    scenario::run(name, &server, Probes::Programs, || {
        let target = |at| {
            let file = server.text(&format!("pid-{at}"));
            format!("/cgi-bin/probe/stubborn?file={file}")
        };
        let get = |at| Visit::sending(request("GET", &target(at), &[], b""));
        let outcomes = Swarm::of(address(&server), (0..6).map(get).collect()).outcomes(PATIENCE);
        assert_eq!(count(&outcomes, |it| it.status == 504), 6, "{outcomes:?}");
        for at in 0..6 {
            expect_ended(&published_pids(&server.path(&format!("pid-{at}"))));
        }
        "6 deaf to SIGTERM killed 2 s after --cgi-timeout (1 s), 504".to_owned()
    })
}

/// Here it is the server itself that ends, so the figures are of the time before that.
fn stubborn_stop(name: &str) -> Figures {
    let mut server = site().serve(&["--drain-timeout", "1"]);
    let mut clients = Vec::new();
    let mut pids = Vec::new();
    let mut figures = scenario::run(name, &server, Probes::Programs, String::new);
    for round in 0..4 {
        let file = format!("pid-{round}");
        let target = format!("/cgi-bin/probe/stubborn?file={}", server.text(&file));
        let mut client = server.connect();
        client.send(request("GET", &target, &[], b""));
        clients.push(client);
        pids.extend(published_pids(&server.path(&file)));
    }
    server.signal(Signal::TERM);
    let began = std::time::Instant::now();
    let status = server.wait(PATIENCE);
    assert!(status.is_some_and(|it| it.success()), "{status:?}");
    let took = began.elapsed();
    expect_ended(&pids);
    figures.told = format!(
        "the server stops in {:.1} s and leaves none of 4 that are deaf to SIGTERM",
        took.as_secs_f64()
    );
    figures
}

fn leaves_child(name: &str) -> Figures {
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        let mut left = Vec::new();
        for round in 0..50 {
            let file = format!("pid-{round}");
            let target = format!("/cgi-bin/probe/background?file={}", server.text(&file));
            assert_eq!(server.get(&target).text(), "the page is whole\n");
            left.extend(published_pids(&server.path(&file)));
        }
        for pid in left {
            // It is nobody's any more; what is gone already needs no kill.
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
        "50 whole at once, though a child holds stdout open".to_owned()
    })
}

fn forks(name: &str) -> Figures {
    let site = site();
    let program = format!(
        "#!/bin/sh\nn=0\nwhile [ $n -lt 50 ]; do sleep 60 & echo $!; n=$((n+1)); done >{0}.draft\n\
         mv {0}.draft {0}\nwait\n",
        site.text("pids")
    );
    site.script("cgi-bin/forks", program);
    // Time enough to start them all on a machine that has other things to do.
    let server = site.serve(&["--cgi-timeout", "5"]);
    scenario::run(name, &server, Probes::Programs, || {
        for _ in 0..2 {
            assert_eq!(server.get("/cgi-bin/forks").status, 504);
            let pids = published_pids(&server.path("pids"));
            assert_eq!(pids.len(), 50);
            expect_ended(&pids);
            fs::remove_file(server.path("pids")).unwrap();
        }
        "2 × 50 children end with their program at --cgi-timeout (5 s)".to_owned()
    })
}

fn unread(name: &str) -> Figures {
    let site = site();
    site.script("cgi-bin/unread", format!("#!/bin/sh\n{PRINTS}\n"));
    let server = site.serve(&[]);
    let body = vec![b'x'; 10 << 20];
    scenario::run(name, &server, Probes::Programs, || {
        for _ in 0..20 {
            assert_eq!(server.post("/cgi-bin/unread", &body).text(), "hello\n");
        }
        "20 with 10 MiB that nobody reads: 200".to_owned()
    })
}

fn stdin_closed(name: &str) -> Figures {
    let site = site();
    site.script(
        "cgi-bin/closes",
        format!("#!/bin/sh\nexec <&-\nsleep 0.02\n{PRINTS}\n"),
    );
    let server = site.serve(&[]);
    let large = vec![b'x'; 1 << 20];
    scenario::run(name, &server, Probes::Programs, || {
        for body in [&large[..10], &large[..60_000], &large] {
            for _ in 0..20 {
                assert_eq!(server.post("/cgi-bin/closes", body).text(), "hello\n");
            }
        }
        "60 that close stdin before they read: 200".to_owned()
    })
}

fn wrong_length(name: &str) -> Figures {
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        for _ in 0..50 {
            let short = server.get("/cgi-bin/probe/length?claim=100000&bytes=50000");
            assert_eq!((short.status, short.ended), (200, End::Cut));
            let long = server.get("/cgi-bin/probe/length?claim=50000&bytes=100000");
            assert_eq!((long.ended, long.body.len()), (End::Clean, 50_000));
        }
        server.wait_for_access("cgi.short");
        server.wait_for_access("cgi.long");
        "50 too short: cut; 50 too long: what was announced".to_owned()
    })
}

fn format_error(name: &str) -> Figures {
    let site = site();
    site.script("cgi-bin/garbage", [0x7f; 4096]);
    site.script("cgi-bin/no-interpreter", "#!/nowhere/sh\n");
    site.script("cgi-bin/empty", "");
    let server = site.serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        for program in ["garbage", "no-interpreter", "empty"] {
            expect_status(&server, &format!("/cgi-bin/{program}"), 50, 500);
        }
        server.wait_for_access("cgi.bad-format");
        server.wait_for_access("cgi.no-interpreter");
        "150 that the kernel does not execute: 500".to_owned()
    })
}

fn vanishes(name: &str) -> Figures {
    let site = site();
    // No script, whose interpreter would not find it either.
    site.add_probe("cgi-bin/comes");
    let program = site.path("cgi-bin/comes");
    let server = site.serve(&[]);
    let away = server.path("away");
    scenario::run(name, &server, Probes::Programs, || {
        let mut seen = [0; 3];
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let status = |_| server.get("/cgi-bin/comes/hello").status;
                (0..1000).map(status).collect::<Vec<u16>>()
            });
            while !asking.is_finished() {
                fs::rename(&program, &away).unwrap();
                thread::sleep(Duration::from_micros(300));
                fs::rename(&away, &program).unwrap();
                thread::sleep(Duration::from_micros(700));
            }
            for status in asking.join().unwrap() {
                match status {
                    200 => seen[0] += 1,
                    404 => seen[1] += 1,
                    500 => seen[2] += 1,
                    other => panic!("{other}"),
                }
            }
        });
        let [run, gone, failed] = seen;
        assert!(run > 0 && gone + failed > 0, "{seen:?}");
        format!("of 1,000 {run} run, {gone} not found, {failed} vanished in between (500)")
    })
}

fn aborted(name: &str) -> Figures {
    let server = site().serve(&[]);
    scenario::run(name, &server, Probes::Programs, || {
        let get = request("GET", "/cgi-bin/probe/flood?bytes=104857600", &[], b"");
        let visit = Visit::sending(get).leaving(Leaves::After(100_000));
        let mut left = 0;
        for _ in 0..20 {
            let swarm = Swarm::start(address(&server), 50, visit.clone());
            let outcomes = swarm.outcomes(PATIENCE * 2);
            left += count(&outcomes, |it| it.ended == Ended::Left);
        }
        assert_eq!(left, 1000);
        "1,000 left in mid-output, their programs ended".to_owned()
    })
}
