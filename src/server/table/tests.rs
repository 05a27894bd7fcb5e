use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU32;
use std::thread;

use super::*;
use crate::config::Proxies;
use crate::server::origin::Peer;
use crate::sys::testing::connection;

/// A connection with this deadline, and its other end.
fn parked(number: u32, deadline: Moment) -> (Connection, UnixStream) {
    let (stream, other_end) = connection();
    let peer = Peer::new(None, &Proxies::default());
    let connection = Connection::new(stream, number, 0, peer, Moment(0), deadline);
    (connection, other_end)
}

/// Reserves and fills a slot, idle since `idle_since`; its number, and the client's end.
fn connect(table: &Table, deadline: u64, idle_since: Moment) -> (u32, UnixStream) {
    let number = table.reserve().unwrap();
    let (connection, client) = parked(number, Moment(deadline));
    let filled: Result<(), ()> = table.fill(number, connection, 0, |_| Ok(()));
    filled.unwrap();
    table
        .slot(number)
        .park(Moment(deadline), idle_since, Standing::Idle);
    (number, client)
}

/// The same with a client that stays and is silent.
fn occupy(table: &Table, deadline: u64, idle_since: Moment) -> u32 {
    let (number, client) = connect(table, deadline, idle_since);
    std::mem::forget(client);
    number
}

fn is_empty(table: &Table, number: u32) -> bool {
    table.slot(number).lock().is_none()
}

/// Events come at one connection from two threads at the same moment, again and again: it is never
/// served by two, and when both are through each event was followed by a look at the connection.
#[test]
fn no_event_is_lost_and_no_connection_served_twice() {
    const THREADS: u32 = 2;
    const ROUNDS: u32 = 50_000;
    let slot = Slot::new();
    let (events, seen, through) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let inside = AtomicBool::new(false);
    let await_all = |round: u32| {
        through.fetch_add(1, Ordering::SeqCst);
        for spins in 0_u64.. {
            if through.load(Ordering::SeqCst) >= round * THREADS {
                break;
            }
            // With one core to run on, the other needs it.
            match spins % 1_000 {
                999 => thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
    };
    let lost = &|thread: u32| {
        let mut lost = 0;
        for round in 0..ROUNDS {
            await_all(2 * round + 1);
            // So that each moment of the one meets each of the other at some time.
            (0..thread * (round % 100)).for_each(|_| std::hint::spin_loop());
            events.fetch_add(1, Ordering::SeqCst);
            slot.attend(|_| {
                assert!(!inside.swap(true, Ordering::SeqCst), "served by two");
                seen.store(events.load(Ordering::SeqCst), Ordering::SeqCst);
                inside.store(false, Ordering::SeqCst);
            });
            await_all(2 * round + 2);
            lost += u32::from(seen.load(Ordering::SeqCst) < (round + 1) * THREADS);
        }
        lost
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || lost(thread)))
            .collect();
        assert!(
            workers
                .into_iter()
                .all(|worker| worker.join().unwrap() == 0)
        );
    });
    assert!(!slot.is_marked());
}

#[test]
fn an_event_that_finds_the_claim_taken_is_left_to_its_owner() {
    let slot = Slot::new();
    let mut served = 0;
    slot.attend(|_| {
        served += 1;
        if served == 1 {
            let is_served = thread::scope(|scope| {
                let other = scope.spawn(|| {
                    let mut is_served = false;
                    slot.attend(|_| is_served = true);
                    is_served
                });
                other.join().unwrap()
            });
            assert!(!is_served && slot.is_marked());
        }
    });
    assert_eq!(served, 2);
}

#[test]
fn a_panic_of_one_worker_does_not_keep_others_out() {
    let slot = Slot::new();
    thread::scope(|scope| {
        let failing = scope.spawn(|| slot.attend(|_| panic!("on purpose")));
        assert!(failing.join().is_err());
    });
    let mut is_served = false;
    slot.attend(|_| is_served = true);
    assert!(is_served);
}

#[test]
fn numbers_are_given_once_and_given_again_when_returned() {
    for max in [1, 2, BLOCK, BLOCK + 1] {
        let table = Table::new(max, 1);
        let mut numbers: Vec<u32> = std::iter::from_fn(|| table.reserve()).collect();
        assert_eq!((numbers.len(), table.live()), (max, max));
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..max as u32));
        table.release(0);
        assert_eq!(table.live(), max - 1);
        assert_eq!((table.reserve(), table.reserve()), (Some(0), None));
    }
}

#[test]
fn many_threads_never_share_a_number() {
    const MAX: usize = 40;
    let table = Table::new(MAX, 1);
    let taken: Vec<AtomicBool> = (0..MAX).map(|_| AtomicBool::new(false)).collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let Some(number) = table.reserve() else {
                        continue;
                    };
                    let flag = &taken[number as usize];
                    assert!(!flag.swap(true, Ordering::SeqCst));
                    flag.store(false, Ordering::SeqCst);
                    table.release(number);
                }
            });
        }
    });
    assert_eq!(table.live(), 0);
}

#[test]
fn a_slot_is_claimed_while_its_connection_is_registered() {
    let table = Table::new(1, 1);
    let number = table.reserve().unwrap();
    table.slot(number).hear(true);
    let filled: Result<(), ()> = table.fill(number, parked(number, Moment(9)).0, 0, |_| {
        // The first event of a connection may come now.
        thread::scope(|scope| {
            let event = scope.spawn(|| table.slot(number).attend(|_| panic!("not whole yet")));
            event.join().unwrap();
        });
        Ok(())
    });
    filled.unwrap();
    let slot = table.slot(number);
    assert!(slot.is_marked() && !slot.is_hung_up());
    let failed = table.fill(number, parked(number, Moment(9)).0, 0, |_| Err("full"));
    assert_eq!(failed, Err("full"));
}

#[test]
fn deadlines_are_those_of_parked_connections() {
    let table = Table::new(2 * BLOCK, 1);
    let early = occupy(&table, 10, Moment::NEVER);
    let late = occupy(&table, 20, Moment::NEVER);
    let reserved = table.reserve().unwrap();
    for (now, overdue) in [(9, vec![]), (10, vec![early]), (30, vec![early, late])] {
        assert_eq!(table.overdue(Moment(now)), overdue);
    }
    table.slot(early).attend(|_| {
        assert_eq!(
            table.overdue(Moment(30)),
            [late],
            "who is served is not overdue"
        );
        // And yet the stop of the server has to reach it.
        assert_eq!(table.used(), 0..3);
    });
    table
        .slot(early)
        .park(Moment(10), Moment::NEVER, Standing::Head);
    assert_eq!(table.overdue(Moment(30)), [early, late]);
    table.release(early);
    assert_eq!(table.overdue(Moment(30)), [late]);
    table.release(reserved);
}

#[test]
fn who_has_been_idle_longest_makes_room() {
    let table = Table::new(4, 1);
    let busy = occupy(&table, 90, Moment::NEVER);
    let second = occupy(&table, 90, Moment(5));
    let first = occupy(&table, 90, Moment(3));
    let fresh = occupy(&table, 90, Moment(50));
    assert_eq!(table.reserve(), None);
    for number in [first, second] {
        assert_eq!(table.evict_idle(Moment(9)), Evicted::One);
        assert!(is_empty(&table, number));
        assert_eq!(table.reserve(), Some(number));
    }
    assert_eq!(table.evict_idle(Moment(9)), Evicted::Nobody);
    assert!(!is_empty(&table, busy) && !is_empty(&table, fresh));
}

#[test]
fn who_has_an_event_or_an_owner_is_not_sent_away() {
    let table = Table::new(1, 1);
    let number = occupy(&table, 90, Moment(3));
    let slot = table.slot(number);
    slot.attend(|_| {
        thread::scope(|scope| {
            let evicting = scope.spawn(|| table.evict_idle(Moment(9)));
            assert_eq!(evicting.join().unwrap(), Evicted::Nobody);
        });
    });
    slot.park(Moment(90), Moment(3), Standing::Idle);
    // An event whose worker found the slot claimed by the one who looked for room.
    slot.marked.store(true, Ordering::SeqCst);
    assert_eq!(table.evict_idle(Moment(9)), Evicted::Busy(number));
    assert!(slot.is_marked() && !is_empty(&table, number));
    assert_eq!(table.live(), 1);
}

#[test]
fn who_has_sent_something_is_not_sent_away_before_anybody_was_told() {
    let table = Table::new(1, 1);
    let (number, mut client) = connect(&table, 90, Moment(3));
    client.write_all(b"GET").unwrap();
    assert_eq!(table.evict_idle(Moment(9)), Evicted::Busy(number));
    assert!(!is_empty(&table, number));
    assert_eq!(
        table.evict_idle(Moment(9)),
        Evicted::Nobody,
        "it is looked at first"
    );
}

#[test]
fn a_connection_counts_in_its_lane_while_it_lasts() {
    let table = Table::new(4, 3);
    let counts = || table.in_lanes().collect::<Vec<_>>();
    let numbers: Vec<u32> = [2, 0, 2]
        .into_iter()
        .map(|lane| {
            let number = table.reserve().unwrap();
            let (connection, _) = parked(number, Moment(9));
            let filled: Result<(), ()> = table.fill(number, connection, lane, |_| Ok(()));
            filled.unwrap();
            number
        })
        .collect();
    assert_eq!(counts(), [1, 0, 2]);
    assert_eq!(numbers.iter().map(|it| table.lane_of(*it)).max(), Some(2));
    table.release(numbers[0]);
    assert_eq!((counts(), table.lane_of(numbers[0])), (vec![1, 0, 1], 0));
    // One that was reserved and not filled is in no lane yet.
    table.release(table.reserve().unwrap());
    assert_eq!(counts(), [1, 0, 1]);
}
