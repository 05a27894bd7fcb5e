use std::io::Write;

use super::*;
use crate::sys::testing::connection;

/// A poller with a bell that is rung to see that nothing else is to be reported.
fn poller() -> (Poller, Bell) {
    let poller = Poller::new().unwrap();
    let bell = Bell::new().unwrap();
    poller.register(&bell, BELL).unwrap();
    assert_eq!(poller.wait().unwrap().token, BELL);
    (poller, bell)
}

const BELL: u64 = u64::MAX;

fn assert_quiet(poller: &Poller, bell: &Bell) {
    bell.ring();
    assert_eq!(poller.wait().unwrap().token, BELL);
}

#[test]
fn every_change_is_reported_once() {
    let (poller, bell) = poller();
    let (stream, mut peer) = connection();
    poller.register(&stream, 7).unwrap();
    let wait = || {
        let woken = poller.wait().unwrap();
        (woken.token, woken.hung_up)
    };
    assert_eq!(wait(), (7, false));
    assert_quiet(&poller, &bell);
    for _ in 0..2 {
        // The first bytes are not read: more of them are another event all the same.
        peer.write_all(b"x").unwrap();
        assert_eq!(wait(), (7, false));
        assert_quiet(&poller, &bell);
    }
    poller.wake(&stream, 7).unwrap();
    assert_eq!(wait(), (7, false));
    assert_quiet(&poller, &bell);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(wait(), (7, true));
    poller.wake(&stream, 7).unwrap();
    assert_eq!(wait(), (7, true));
    assert_quiet(&poller, &bell);
}

#[test]
fn what_is_forgotten_or_closed_is_not_reported() {
    let (poller, bell) = poller();
    let (stream, mut peer) = connection();
    poller.register(&stream, 7).unwrap();
    poller.forget(&stream).unwrap();
    peer.write_all(b"x").unwrap();
    assert_quiet(&poller, &bell);
    assert!(poller.wake(&stream, 7).is_err());
    poller.register(&stream, 8).unwrap();
    drop(stream);
    assert_quiet(&poller, &bell);
}

#[test]
fn a_bell_is_heard_again_and_again() {
    let (poller, bell) = poller();
    for _ in 0..1_000 {
        assert_quiet(&poller, &bell);
    }
}

#[test]
fn what_is_reported_together_is_given_to_whoever_asks() {
    let (poller, bell) = poller();
    let connections: Vec<_> = (0..3).map(|_| connection()).collect();
    for ((stream, _), token) in connections.iter().zip(0..) {
        poller.register(stream, token).unwrap();
    }
    let first = poller.wait().unwrap();
    let others = std::thread::scope(|scope| {
        let ask = || poller.look().unwrap().unwrap();
        [(); 2].map(|()| scope.spawn(ask).join().unwrap())
    });
    assert!(others.iter().all(|woken| !woken.was_awaited));
    assert_eq!(first.token, 0);
    assert_eq!(others.map(|woken| woken.token), [1, 2]);
    assert_eq!(poller.look().unwrap(), None);
    bell.ring();
    assert_eq!(poller.wait().unwrap().token, BELL);
}

#[test]
fn an_event_tells_that_it_was_waited_for() {
    let (poller, bell) = poller();
    let is_caught_waiting = || {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                bell.ring();
            });
            poller.wait().unwrap().was_awaited
        })
    };
    // Once is enough: the other thread may always be late.
    assert!((0..1_000).any(|_| is_caught_waiting()));
}

#[test]
fn who_looks_while_another_waits_leaves_the_event_to_him() {
    let (poller, bell) = poller();
    let reported = poller.reported.lock().unwrap();
    bell.ring();
    assert_eq!(poller.look().unwrap(), None);
    drop(reported);
    assert_eq!(poller.wait().unwrap().token, BELL);
}
