//! A day in minutes: a mix of everything, with clients that go away in the midst of it. What a server
//! takes has to be as much in the last third of the time as in the second.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Scenario;
use super::scenario::{self, Figures, Probes, site};
use super::vitals::Vitals;
#[cfg(feature = "fastcgi")]
use crate::support::backend::Backend;
use crate::support::{Client, Ended, Server, request};

pub(crate) const SCENARIO: Scenario = ("soak", soak);

/// How long it lasts, in seconds, unless the variable SECONDS says.
const SECONDS: u64 = 600;

/// How often the server is looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// How many clients there are at a time.
const CLIENTS: u64 = 12;

/// By how much the mean of a third may be above that of the one before: in KiB, and in numbers, which
/// go up and down with what is on its way.
const MEMORY_DRIFT: f64 = 1024.0;
const DRIFT: f64 = 8.0;

const LARGE: usize = 4 << 20;

fn soak(name: &str) -> Figures {
    let seconds = std::env::var("SECONDS").map_or(SECONDS, |it| it.parse().unwrap());
    let site = site();
    site.file("www/large", vec![b'x'; LARGE]);
    site.file("www/page.html", "<p>page</p>".repeat(200));
    #[cfg(feature = "fastcgi")]
    let backend = Backend::start(|exchange| {
        exchange.read_stdin()?;
        let len = exchange.param("QUERY_STRING").parse().unwrap_or(10);
        exchange.document(vec![b'f'; len])
    });
    #[cfg(feature = "fastcgi")]
    let route = format!("/app/={}", backend.address());
    #[cfg(feature = "fastcgi")]
    let arguments = ["--fastcgi", &route];
    #[cfg(not(feature = "fastcgi"))]
    let arguments: [&str; 0] = [];
    let server = site.serve(&arguments);
    scenario::run(name, &server, Probes::Programs, || {
        let ends = Instant::now() + Duration::from_secs(seconds);
        let stops = AtomicBool::new(false);
        let answered = AtomicUsize::new(0);
        let aborted = AtomicUsize::new(0);
        let samples = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let (server, stops, answered, aborted) = (&server, &stops, &answered, &aborted);
            for number in 0..CLIENTS {
                scope.spawn(move || {
                    let mut dice = Dice(number + 1);
                    let mut client = None;
                    while !stops.load(Ordering::Relaxed) {
                        match visit(server, &mut client, &mut dice) {
                            Came::Answer => answered.fetch_add(1, Ordering::Relaxed),
                            Came::Abort => aborted.fetch_add(1, Ordering::Relaxed),
                        };
                    }
                });
            }
            let mut next = Instant::now();
            while Instant::now() < ends {
                next += SAMPLE_EVERY;
                thread::sleep(next.min(ends).saturating_duration_since(Instant::now()));
                samples.lock().unwrap().push(Vitals::of(server));
            }
            stops.store(true, Ordering::Relaxed);
        });
        let samples = samples.into_inner().unwrap();
        let told = expect_flat(&samples);
        let (answered, aborted) = (answered.into_inner(), aborted.into_inner());
        assert!(answered > 0 && aborted > 0, "{answered} and {aborted}");
        format!("{answered} answered, {aborted} aborted; {told}")
    })
}

/// What came of one visit.
enum Came {
    Answer,
    Abort,
}

/// One request of many kinds, over a connection that is kept for the next one where it can be.
fn visit(server: &Server, kept: &mut Option<Client>, dice: &mut Dice) -> Came {
    // What is asked, as what, with which field, and the statuses that are right.
    type Kind = (
        &'static str,
        &'static str,
        &'static str,
        usize,
        &'static [u16],
    );
    const KINDS: &[Kind] = &[
        ("GET", "/probe.txt", "X: y", 0, &[200]),
        ("GET", "/page.html", "Accept-Encoding: gzip", 0, &[200]),
        ("GET", "/large", "X: y", 0, &[200]),
        ("HEAD", "/large", "X: y", 0, &[200]),
        ("GET", "/large", "Range: bytes=100-4099", 0, &[206]),
        ("GET", "/large", "Range: bytes=0-9,50-59", 0, &[206]),
        ("GET", "/large", "Range: bytes=99999999-", 0, &[416]),
        ("GET", "/page.html", "If-None-Match: *", 0, &[304]),
        ("GET", "/nothing", "X: y", 0, &[404]),
        ("POST", "/page.html", "X: y", 10, &[405]),
        ("GET", "/cgi-bin/probe/hello", "X: y", 0, &[200]),
        ("GET", "/cgi-bin/probe/env", "X: y", 0, &[200]),
        (
            "GET",
            "/cgi-bin/probe/flood?bytes=1000000",
            "X: y",
            0,
            &[200],
        ),
        ("POST", "/cgi-bin/probe/stdin", "X: y", 1000, &[200]),
        ("POST", "/cgi-bin/probe/stdin", "X: y", 300_000, &[200]),
        ("GET", "/cgi-bin/probe/no-header", "X: y", 0, &[502]),
        ("GET", "/cgi-bin/probe/exit-early?code=3", "X: y", 0, &[502]),
        ("GET", "/cgi-bin/probe/stderr?text=a", "X: y", 0, &[200]),
        ("GET", "/cgi-bin/nothing", "X: y", 0, &[404]),
        #[cfg(feature = "fastcgi")]
        ("GET", "/app/", "X: y", 0, &[200]),
        #[cfg(feature = "fastcgi")]
        ("GET", "/app/?500000", "X: y", 0, &[200]),
        #[cfg(feature = "fastcgi")]
        ("POST", "/app/", "X: y", 20_000, &[200]),
    ];
    let (method, target, field, len, statuses) = KINDS[dice.below(KINDS.len() as u64) as usize];
    let body = vec![b'b'; len];
    let mut client = match kept.take() {
        // The server may have closed it meanwhile, which a client has to expect.
        Some(client) if dice.below(8) > 0 => client,
        _ => server.connect(),
    };
    let bytes = request(method, target, &[field], &body);
    if dice.below(10) == 0 {
        // Gone in the midst of sending, or of reading.
        let part = 1 + dice.below(bytes.len() as u64) as usize;
        if client.try_send(&bytes[..part]).is_ok() && part == bytes.len() {
            client.wait_for("HTTP/1.1");
        }
        client.reset();
        return Came::Abort;
    }
    client.send(&bytes);
    let response = client.read_response(method);
    assert!(
        statuses.contains(&response.status),
        "{method} {target}: {}",
        response.status
    );
    assert_eq!(response.ended, Ended::Clean, "{method} {target}");
    if response.field("Connection") != Some("close") {
        *kept = Some(client);
    }
    Came::Answer
}

/// Fails where the last third took more than the second; tells both.
fn expect_flat(samples: &[Vitals]) -> String {
    let third = samples.len() / 3;
    assert!(third >= 1, "too short to tell: {} samples", samples.len());
    let second = &samples[third..2 * third];
    let last = &samples[2 * third..];
    let mut told = Vec::new();
    type Measure = (&'static str, f64, fn(&Vitals) -> f64);
    let measures: [Measure; 4] = [
        ("memory KiB", MEMORY_DRIFT, |it| it.memory as f64),
        ("descriptors", DRIFT, |it| it.descriptors as f64),
        ("threads", 0.0, |it| it.threads as f64),
        ("programs", DRIFT, |it| it.programs as f64),
    ];
    for (what, drift, measure) in measures {
        let mean = |part: &[Vitals]| part.iter().map(measure).sum::<f64>() / part.len() as f64;
        let (before, after) = (mean(second), mean(last));
        assert!(
            after <= before + drift,
            "{what}: {before} on average, then {after}: {samples:?}"
        );
        told.push(format!("{what} {before:.0} → {after:.0}"));
    }
    told.join(", ")
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        // Knuth's MMIX; the upper bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
