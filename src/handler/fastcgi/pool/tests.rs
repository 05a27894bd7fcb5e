use std::io::Write;
use std::os::unix::net::UnixStream;

use super::super::links::{Interest, Lanes};
use super::*;
use crate::config::BackendAddress;
use crate::sys::stream::More;
use crate::sys::testing::connection;

/// Two pollers, of which each has the clients of one half of the numbers.
#[derive(Debug)]
struct Halves;

impl Lanes for Halves {
    fn lane_of(&self, client: u32) -> usize {
        client as usize / 100
    }

    fn register(&self, _: &Stream, _: u32, _: usize, _: Interest) -> std::io::Result<()> {
        Ok(())
    }

    fn forget(&self, _: &Stream, _: usize) -> std::io::Result<()> {
        Ok(())
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A pool of so many backends of the operator's, each of which serves one request at a time; and who
/// was woken.
fn pool(backends: u16) -> (Pool, Arc<Mutex<Vec<u32>>>) {
    let address = |port| Address {
        at: BackendAddress::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        label: None,
    };
    let bounds = Bounds {
        max: 1,
        keep: 1,
        idle: SECOND,
        requests: None,
    };
    let links = Arc::new(Links::new(8, Arc::new(Halves)));
    let woken = Arc::new(Mutex::new(Vec::new()));
    let wake = Wake(Arc::new({
        let woken = Arc::clone(&woken);
        move |client| woken.lock().unwrap().push(client)
    }));
    let addresses = (1..=backends).map(address).collect();
    let watch = Arc::default();
    let pool = Pool::new(0, addresses, Owner::Operator, bounds, &links, wake, &watch);
    (pool, woken)
}

#[track_caller]
fn permit(pool: &Pool, now: Moment) -> Permit {
    match pool.ask(0, Party::Unnamed, Places::default(), now) {
        Asked::Now(permit) => permit,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn ticket(pool: &Pool, client: u32, now: Moment) -> Ticket {
    match pool.ask(client, Party::Unnamed, Places::default(), now) {
        Asked::Wait(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// Which backends serve, at this moment.
fn up(pool: &Pool, now: Moment) -> Vec<usize> {
    let mut permits = Vec::new();
    while let Asked::Now(permit) = pool.ask(0, Party::Unnamed, Places::default(), now) {
        permits.push(permit);
    }
    let mut places: Vec<usize> = permits.iter().map(Permit::place).collect();
    places.sort_unstable();
    places
}

fn start() -> Moment {
    Moment(0) + SECOND * 100
}

#[test]
fn failures_at_the_same_time_are_one() {
    let (pool, _) = pool(2);
    let now = start();
    for _ in 0..20 {
        pool.failed(0, now);
    }
    assert_eq!(up(&pool, now), [1]);
    assert_eq!(up(&pool, now + PAUSE_FIRST), [0, 1]);
}

#[test]
fn pauses_grow_with_each_try_that_fails() {
    let (pool, _) = pool(2);
    let mut now = start();
    for pause in [1, 2, 4, 8, 16, 32, 60, 60].map(|halves| PAUSE_FIRST * halves) {
        pool.failed(0, now);
        assert_eq!(up(&pool, now + (pause - PAUSE_FIRST / 2)), [1]);
        now = now + pause;
        assert_eq!(up(&pool, now), [0, 1]);
    }
}

#[test]
fn who_waits_for_the_last_backend_tries_one_that_may_be_back() {
    let (pool, woken) = pool(2);
    let now = start();
    for before in [3, 2].map(|halves| PAUSE_FIRST * halves) {
        pool.failed(0, now + before);
    }
    // Its pause lasts on, but nobody has tried it for a while.
    let now = now + PAUSE_FIRST * 4;
    pool.failed(0, now);
    let now = now + PAUSE_FIRST;
    let permit = permit(&pool, now);
    assert_eq!(permit.place(), 1);
    let (first, second) = (ticket(&pool, 7, now), ticket(&pool, 8, now));
    pool.failed(1, now);
    assert_eq!(*woken.lock().unwrap(), [7]);
    let first = first.redeem().unwrap();
    assert_eq!((first.place(), second.is_dismissed()), (0, false));
    // It is not: there is no use in having all others find out.
    pool.failed(0, now);
    assert_eq!(*woken.lock().unwrap(), [7, 8]);
    assert!(second.is_dismissed());
}

#[test]
fn a_backend_is_left_out_that_says_nothing_to_anybody() {
    let (pool, _) = pool(2);
    let (since, now) = (start(), start() + SECOND);
    assert!(pool.silent(0, since, now));
    assert_eq!(up(&pool, now), [1]);
    pool.backends()[1].heard = since + SECOND / 2;
    assert!(!pool.silent(1, since, now));
    assert_eq!(up(&pool, now), [1]);
}

#[test]
fn a_backend_is_left_out_that_closes_everything_without_a_word() {
    let (pool, _) = pool(2);
    let now = start();
    pool.backends()[1].heard = now;
    for _ in 0..DROPS {
        pool.dropped(0, now);
        pool.dropped(1, now);
    }
    assert_eq!(up(&pool, now), [1]);
    pool.dropped(1, now + UNHEARD);
    assert!(!up(&pool, now).contains(&1));
}

#[test]
fn a_backend_without_another_is_not_left_out_for_its_silence() {
    let (pool, _) = pool(1);
    let now = start();
    assert!(!pool.silent(0, now, now + SECOND));
    for _ in 0..DROPS {
        pool.dropped(0, now);
    }
    assert!(pool.backends()[0].health == Health::Up);
}

const NOW: Moment = Moment(1);

/// A pool of one backend, of whose connections all are kept.
fn keeping() -> Pool {
    let address = Address {
        at: BackendAddress::Unix("/nowhere".into()),
        label: None,
    };
    let bounds = Bounds {
        max: 8,
        keep: 8,
        idle: Duration::from_secs(60),
        requests: None,
    };
    let links = Arc::new(Links::new(8, Arc::new(Halves)));
    let (wake, watch) = (Wake(Arc::new(|_| ())), Arc::new(Watch::default()));
    let addresses = vec![address];
    Pool::new(0, addresses, Owner::Operator, bounds, &links, wake, &watch)
}

/// Keeps a connection; its other end.
fn keep(pool: &Pool) -> UnixStream {
    let (stream, peer) = connection();
    pool.keep(0, pool.channel(stream, 7).unwrap(), NOW);
    peer
}

/// Whether a kept connection is given, and to which peer.
fn given_to(pool: &Pool, peers: &[&UnixStream]) -> Option<usize> {
    let Given::Kept(channel) = pool.connect(0, 7, false, NOW) else {
        return None;
    };
    assert_eq!(channel.stream().write(b"x", More::No).unwrap(), Some(1));
    peers.iter().position(|peer| !is_silent(peer))
}

fn is_silent(peer: &UnixStream) -> bool {
    peer.set_nonblocking(true).unwrap();
    let mut byte = [0];
    std::io::Read::read(&mut &*peer, &mut byte).is_err()
}

/// What is told of one by the same poller needs no other worker.
#[test]
fn one_that_is_beside_its_client_is_given_before_others() {
    let pool = keeping();
    let (stream, peer) = connection();
    pool.keep(0, pool.channel(stream, 150).unwrap(), NOW);
    let others = [keep(&pool), keep(&pool)];
    let Given::Kept(beside) = pool.connect(0, 160, false, NOW) else {
        panic!("none is given");
    };
    assert!(beside.is_beside(160) && !beside.is_beside(7));
    assert_eq!(beside.stream().write(b"x", More::No).unwrap(), Some(1));
    assert!(!is_silent(&peer));
    // Where there is none it is another one, which moves.
    let Given::Kept(moved) = pool.connect(0, 170, false, NOW) else {
        panic!("none is given");
    };
    assert!(moved.is_beside(170));
    assert_eq!(given_to(&pool, &[&others[0]]), Some(0));
}

#[test]
fn the_connection_kept_last_is_given_first() {
    let pool = keeping();
    let (first, last) = (keep(&pool), keep(&pool));
    assert_eq!(given_to(&pool, &[&first, &last]), Some(1));
    assert_eq!(given_to(&pool, &[&first]), Some(0));
    assert_eq!(given_to(&pool, &[]), None);
}

#[test]
fn a_connection_that_was_closed_or_spoken_over_is_not_given() {
    let pool = keeping();
    let (first, mut second, third) = (keep(&pool), keep(&pool), keep(&pool));
    second.write_all(b"nobody asked").unwrap();
    drop(third);
    // Of neither has an event told.
    assert_eq!(given_to(&pool, &[&first]), Some(0));
    assert_eq!(given_to(&pool, &[]), None);
}

#[test]
fn a_new_connection_is_given_where_one_is_wanted() {
    let pool = keeping();
    let _peer = keep(&pool);
    assert!(matches!(pool.connect(0, 7, true, NOW), Given::New(_)));
}

#[test]
fn a_pool_that_no_route_leads_to_keeps_nothing() {
    let pool = keeping();
    let before = keep(&pool);
    pool.retire();
    let after = keep(&pool);
    assert_eq!(pool.backends()[0].idle.len(), 0);
    for mut peer in [before, after] {
        assert_eq!(
            std::io::Read::read(&mut peer, &mut [0]).unwrap(),
            0,
            "it is closed"
        );
    }
    assert!(matches!(pool.connect(0, 7, false, NOW), Given::New(_)));
}

#[test]
fn kept_connections_make_way_for_a_late_one_and_for_a_while_none_is_kept_beside_one() {
    let pool = keeping();
    let _peer = keep(&pool);
    let idle = || pool.backends()[0].idle.len();
    let keep_at = |now| {
        let (stream, _peer) = connection();
        pool.keep(0, pool.channel(stream, 8).unwrap(), now);
        idle()
    };
    assert!(matches!(pool.connect(0, 7, true, NOW), Given::New(_)));
    assert!(pool.relieve(NOW) && idle() == 1);
    let late = NOW + LATE;
    assert!(!pool.relieve(late) && idle() == 0);
    assert_eq!(keep_at(late), 0);
    assert_eq!(keep_at(late + (CROWDED - Duration::from_millis(1))), 0);
    assert_eq!(keep_at(late + CROWDED), 1);
    // Beside none that waits for its first byte it never mattered.
    pool.answered(0, 7);
    assert_eq!(keep_at(late), 2);
}
