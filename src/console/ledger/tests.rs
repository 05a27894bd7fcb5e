use std::sync::Arc;
use std::thread;

use super::*;
use crate::console::journey::Kept;

fn journey(route: &str, kind: Kind, steps: &[(Step, u64)]) -> Box<Journey> {
    Box::new(Journey {
        route: route.to_owned(),
        kind,
        steps: steps.to_vec(),
        status: 200,
        ..Journey::default()
    })
}

#[test]
fn the_last_are_kept_and_the_oldest_given_back() {
    let ledger = Ledger::new(1, JOURNEYS_MAX);
    for seq in 1..=JOURNEYS_MAX as u64 {
        assert!(ledger.take(Box::default(), 0).is_none());
        assert_eq!(ledger.after(0), (1, seq + 1));
    }
    let gone = ledger.take(Box::default(), 0).unwrap();
    assert_eq!(gone.seq, 1);
    let next = JOURNEYS_MAX as u64 + 2;
    assert_eq!(ledger.after(0), (2, next));
    assert_eq!(ledger.after(100), (101, next));
    assert_eq!(ledger.after(next + 5), (next, next));
    assert_eq!(ledger.after(u64::MAX), (next, next));
    assert_eq!(ledger.look(1, |it| it.seq), None);
    assert_eq!(ledger.look(2, |it| it.seq), Some(2));
    assert_eq!(ledger.look(next - 1, |it| it.seq), Some(next - 1));
    assert_eq!(ledger.look(next, |it| it.seq), None);
}

#[test]
fn where_nobody_looks_none_is_kept_and_all_are_counted() {
    let ledger = Ledger::new(1, 0);
    for _ in 0..3 {
        assert!(ledger.take(Box::default(), 0).is_some());
    }
    assert_eq!(
        (ledger.after(0), ledger.books[0].pages().memory),
        ((4, 4), 0)
    );
    assert_eq!(ledger.sums().kinds[Kind::default() as usize].classes[0], 3);
}

#[test]
fn all_of_them_take_no_more_than_their_memory() {
    let ledger = Ledger::new(1, JOURNEYS_MAX);
    let each = 1 << 20;
    for _ in 0..20 {
        ledger.take(
            Box::new(Journey {
                stdout: Some(Kept {
                    bytes: Vec::with_capacity(each),
                    length: 0,
                }),
                ..Journey::default()
            }),
            0,
        );
        assert!(ledger.books[0].pages().memory <= MEMORY_MAX);
    }
    let (first, next) = ledger.after(0);
    assert_eq!(next - first, (MEMORY_MAX / each) as u64 - 1);
}

#[test]
fn where_the_time_goes_is_added_up_by_route() {
    let ledger = Ledger::new(1, JOURNEYS_MAX);
    for _ in 0..2 {
        let steps = [
            (Step::Received, 0),
            (Step::Resolved, 10),
            (Step::Waited, 100),
            (Step::Started, 400),
            (Step::FirstByte, 900),
            (Step::Exit, 950),
            (Step::LastByte, 1_000),
        ];
        ledger.take(journey("/cgi-bin/", Kind::Program, &steps), 0);
    }
    let steps = [
        (Step::Received, 5),
        (Step::Resolved, 6),
        (Step::LastByte, 30),
    ];
    ledger.take(journey("/", Kind::File, &steps), 0);
    ledger.take(journey("/", Kind::Refusal, &steps), 0);
    let sums = ledger.sums();
    let told = |toll: &Toll| (toll.requests, toll.start, toll.work, toll.relay, toll.total);
    assert_eq!(sums.tolls.len(), 2);
    assert_eq!(told(&sums.tolls[0]), (2, 600, 1_000, 200, 2_000));
    assert_eq!(told(&sums.tolls[1]), (1, 0, 24, 0, 25));
    let programs = sums.kinds[Kind::Program as usize];
    assert_eq!((programs.classes[2], programs.took), (2, 2_000));
    assert_eq!(programs.buckets[3], 2); // 1 ms is no longer than 1 ms.
}

#[test]
fn routes_that_are_counted_are_bounded() {
    let ledger = Ledger::new(1, JOURNEYS_MAX);
    for number in 0..ROUTES_MAX + 5 {
        ledger.take(journey(&format!("/{number}/"), Kind::File, &[]), 0);
    }
    assert_eq!(ledger.sums().tolls.len(), ROUTES_MAX);
}

#[test]
fn who_waits_is_told() {
    let ledger = Arc::new(Ledger::new(1, JOURNEYS_MAX));
    let waiter = thread::spawn({
        let ledger = Arc::clone(&ledger);
        move || ledger.wait(0, Duration::from_secs(60))
    });
    while ledger.waiting.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    ledger.take(Box::default(), 0);
    waiter.join().unwrap();
    // What is there is not waited for, and what does not come has its time.
    ledger.wait(0, Duration::from_secs(60));
    ledger.wait(1, Duration::from_millis(1));
}

#[test]
fn lanes_have_books_and_are_told_of_together() {
    let ledger = Ledger::new(2, 4);
    let routes = ["/a/", "/b/"];
    let take = |lane: usize| {
        let gone = ledger.take(journey(routes[lane % 2], Kind::File, &[]), lane);
        gone.map(|it| it.seq)
    };
    assert_eq!([take(0), take(1), take(1), take(3)], [None; 4]);
    assert_eq!(ledger.after(0), (1, 5));
    // The last four are kept, whichever book they are in; what is older goes when its book is written in.
    assert_eq!([take(1), take(1)], [None, Some(2)]);
    assert_eq!(ledger.after(0), (3, 7));
    let kept = (3..7).filter_map(|seq| ledger.look(seq, |it| it.seq));
    assert!(kept.eq(3..7));
    assert_eq!(take(0), Some(1));
    let sums = ledger.sums();
    let tolls = sums.tolls.iter();
    let tolls: Vec<_> = tolls.map(|it| (it.route.as_str(), it.requests)).collect();
    assert_eq!(tolls, [("/a/", 2), ("/b/", 5)]);
    assert_eq!(sums.kinds[Kind::File as usize].classes[2], 7);
}

/// Whoever is told of a number finds its journey.
#[test]
fn no_number_is_told_before_its_journey_is_there() {
    const EACH: u64 = 5_000;
    let ledger = Ledger::new(2, 4 * EACH as usize);
    thread::scope(|scope| {
        for lane in 0..2 {
            let ledger = &ledger;
            scope.spawn(move || (0..EACH).for_each(|_| drop(ledger.take(Box::default(), lane))));
        }
        let mut told = 0;
        while told < 2 * EACH {
            let (first, next) = ledger.after(told);
            assert!((first..next).all(|seq| ledger.look(seq, |_| ()).is_some()));
            told = next - 1;
        }
    });
}
