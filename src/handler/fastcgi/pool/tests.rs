use std::io::Write;
use std::os::unix::net::UnixStream;

use super::*;
use crate::config::BackendAddress;
use crate::handler::fastcgi::links::Register;
use crate::sys::stream::More;
use crate::sys::testing::connection;

const NOW: Moment = Moment(1);

fn pool() -> Pool {
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
    let links = Arc::new(Links::new(8, Register(Box::new(|_, _, _| Ok(())))));
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

#[test]
fn the_connection_kept_last_is_given_first() {
    let pool = pool();
    let (first, last) = (keep(&pool), keep(&pool));
    assert_eq!(given_to(&pool, &[&first, &last]), Some(1));
    assert_eq!(given_to(&pool, &[&first]), Some(0));
    assert_eq!(given_to(&pool, &[]), None);
}

#[test]
fn a_connection_that_was_closed_or_spoken_over_is_not_given() {
    let pool = pool();
    let (first, mut second, third) = (keep(&pool), keep(&pool), keep(&pool));
    second.write_all(b"nobody asked").unwrap();
    drop(third);
    // Of neither has an event told.
    assert_eq!(given_to(&pool, &[&first]), Some(0));
    assert_eq!(given_to(&pool, &[]), None);
}

#[test]
fn a_new_connection_is_given_where_one_is_wanted() {
    let pool = pool();
    let _peer = keep(&pool);
    assert!(matches!(pool.connect(0, 7, true, NOW), Given::New(_)));
}
