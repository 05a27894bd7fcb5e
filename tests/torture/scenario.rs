//! One scenario: a server, something that is done to it, and a client that all the while wants no more
//! than a small file and a short program.
//!
//! Rules: whatever is done, that client has to be answered well and soon; the server's memory may grow by
//! [`GROWTH_MAX`], its spool to `--max-spool`; and when it is over descriptors, threads and processes are
//! what they were.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::vitals::Vitals;
use crate::support::{Client, PATIENCE, Response, Server, Site, eventually, memory_of, request};

/// How long the client may wait for its answer, on a machine that has several other things to do. A hang
/// would be longer, and how fast it is meant to be the figures tell.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How often it asks.
const ASKS_EVERY: Duration = Duration::from_millis(100);

/// How much a server's memory may grow, in KiB.
pub(crate) const GROWTH_MAX: u64 = 16 << 10;

/// The spool that servers have here, in KiB.
pub(crate) const SPOOL_MAX: u64 = 1 << 20;

/// What the client asks for besides a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probes {
    /// Nothing: all processes are taken.
    Files,
    /// A program.
    Programs,
}

/// Figures of one scenario.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) name: String,
    /// What came of it, in words.
    pub(crate) told: String,
    pub(crate) seconds: f64,
    /// Answers of the small file: the median, the one that 99 in a hundred are faster than, the slowest.
    pub(crate) file: [Duration; 3],
    /// The same of the program, if it was asked for.
    pub(crate) program: Option<[Duration; 3]>,
    /// By how much memory grew, in KiB.
    pub(crate) growth: u64,
    /// The most of it that the spool took, in KiB.
    pub(crate) spool: u64,
}

/// A site with what the client asks for.
pub(crate) fn site() -> Site {
    let site = Site::new();
    site.file("www/probe.txt", "twelve bytes");
    site
}

/// The socket address of a server.
pub(crate) fn address(server: &Server) -> SocketAddr {
    server.authority().parse().unwrap()
}

/// Does `torture` to a server while the client asks, and checks everything afterwards.
pub(crate) fn run(
    name: &str,
    server: &Server,
    probes: Probes,
    torture: impl FnOnce() -> String,
) -> Figures {
    warm_up(server);
    let before = Vitals::of(server);
    let began = Instant::now();
    let stops = Arc::new(AtomicBool::new(false));
    let mut probed = Probed::default();
    let told = thread::scope(|scope| {
        let stops_too = Arc::clone(&stops);
        let prober = scope.spawn(move || probe(server, probes, &stops_too));
        let guard = StopsWhenDropped(&stops);
        let told = torture();
        drop(guard);
        match prober.join() {
            Ok(it) => probed = it,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        told
    });
    let seconds = began.elapsed().as_secs_f64();
    let is_back = eventually(PATIENCE, || Vitals::of(server).is_back_to(&before));
    let after = Vitals::of(server);
    assert!(
        is_back,
        "{name}: the server was {before:?}, and comes to be no less than {after:?}"
    );
    let growth = probed
        .memory
        .max(after.memory)
        .saturating_sub(before.memory);
    assert!(growth <= GROWTH_MAX, "{name}: memory grew by {growth} KiB");
    let spool = probed.spool;
    assert!(spool <= SPOOL_MAX + 1024, "{name}: {spool} KiB of spool");
    let figures = Figures {
        name: name.to_owned(),
        told,
        seconds,
        file: quantiles(probed.file),
        program: (!probed.program.is_empty()).then(|| quantiles(probed.program)),
        growth,
        spool,
    };
    assert!(
        figures.file[2] <= ANSWER_MAX,
        "{name}: a file took {:?}",
        figures.file[2]
    );
    let slowest = figures.program.map_or(Duration::ZERO, |it| it[2]);
    assert!(slowest <= ANSWER_MAX, "{name}: a program took {slowest:?}");
    figures
}

/// Has a torture that failed end the client's asking as well.
struct StopsWhenDropped<'s>(&'s AtomicBool);

impl Drop for StopsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the client saw.
#[derive(Debug, Default)]
struct Probed {
    file: Vec<Duration>,
    program: Vec<Duration>,
    memory: u64,
    spool: u64,
}

/// The client has an address of its own.
const PROBE: [u8; 4] = [127, 0, 0, 9];

fn probe(server: &Server, probes: Probes, stops: &AtomicBool) -> Probed {
    let mut probed = Probed::default();
    let mut next = Instant::now();
    for round in 0_usize.. {
        let is_last = stops.load(Ordering::Relaxed);
        let (file, took) = ask(server, "/probe.txt");
        assert_eq!((file.status, file.text().as_str()), (200, "twelve bytes"));
        probed.file.push(took);
        if probes == Probes::Programs {
            let (page, took) = ask(server, "/cgi-bin/probe/hello");
            assert_eq!((page.status, page.text().as_str()), (200, "hello\n"));
            probed.program.push(took);
        }
        if round.is_multiple_of(5) {
            let pid = server.pid();
            probed.memory = probed.memory.max(memory_of(pid));
            probed.spool = probed.spool.max(super::vitals::spool(pid));
        }
        if is_last {
            break;
        }
        next += ASKS_EVERY;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    probed
}

/// The answer, and how long it took from the connection on.
pub(crate) fn ask(server: &Server, target: &str) -> (Response, Duration) {
    let began = Instant::now();
    let mut client = Client::connect_from(PROBE, server.addresses()[0]);
    client.send(request("GET", target, &["Connection: close"], b""));
    let response = client.read_response("GET");
    (response, began.elapsed())
}

/// Has the server make what it makes once: buffers, spawners, open files.
fn warm_up(server: &Server) {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    ask(server, "/probe.txt");
                    ask(server, "/cgi-bin/probe/hello");
                }
            });
        }
    });
    server.wait_until_childless();
    // The clients' connections are closed a moment after they have their answers.
    let count = || Vitals::of(server).descriptors;
    let mut last = count();
    eventually(Duration::from_secs(2), || {
        let now = count();
        let is_still = now == last;
        last = now;
        thread::sleep(Duration::from_millis(50));
        is_still
    });
}

fn quantiles(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    [at(0.5), at(0.99), at(1.0)]
}
