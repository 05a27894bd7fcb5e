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
