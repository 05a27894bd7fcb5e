use super::super::links::Register;
use super::*;
use crate::config::BackendAddress;

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
    let links = Arc::new(Links::new(8, Register(Box::new(|_, _, _| Ok(())))));
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
    match pool.ask(0, Places::default(), now) {
        Asked::Now(permit) => permit,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn ticket(pool: &Pool, client: u32, now: Moment) -> Ticket {
    match pool.ask(client, Places::default(), now) {
        Asked::Wait(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// Which backends serve, at this moment.
fn up(pool: &Pool, now: Moment) -> Vec<usize> {
    let mut permits = Vec::new();
    while let Asked::Now(permit) = pool.ask(0, Places::default(), now) {
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
