//! How many processes there are, and which one makes way for which.

use super::*;

#[test]
fn more_are_started_one_at_a_time_while_requests_wait() {
    let mut bench = Bench::new(&accepting(1, 3));
    bench.until_offered(&[0]);
    bench.idle();
    assert_eq!(bench.stages()[1..], [station::Stage::Vacant; 2]);
    bench.book.wait(true);
    bench.crew.step(bench.crew.clock.now());
    assert!(matches!(
        bench.stages()[..],
        [
            station::Stage::Offered { .. },
            station::Stage::Starting(_),
            station::Stage::Vacant
        ]
    ));
    bench.until_offered(&[0, 1, 2]);
    bench.idle();
    assert_eq!(bench.book.offered(), [0, 1, 2]);
}

#[test]
fn those_above_the_least_number_end_when_idle() {
    let mut bench = Bench::new(&accepting(1, 3));
    bench.book.wait(true);
    bench.until_offered(&[0, 1, 2]);
    bench.book.wait(false);
    bench.idle();
    assert_eq!(
        bench.book.offered(),
        [0, 1, 2],
        "none has been idle for long"
    );
    let pid = bench.pid(2).unwrap();
    bench.set(1, |entry| entry.in_use = 1);
    for which in 0..3 {
        bench.set(which, |entry| entry.idle = Duration::from_secs(60));
    }
    bench.until(|bench| bench.stages()[2] == station::Stage::Vacant);
    // The least number stays, and so does who is busy.
    bench.until_offered(&[1]);
    bench.until(|bench| bench.stages()[0] == station::Stage::Vacant);
    bench.idle();
    assert_eq!(bench.book.offered(), [1]);
    await_gone(&pid);
}

#[test]
fn a_process_that_was_given_its_requests_is_replaced_by_one_that_is_there() {
    let program = ExecProgram {
        requests: Some(5),
        ..accepting(1, 2)
    };
    let mut bench = Bench::new(&program);
    bench.until_offered(&[0]);
    bench.set(0, |entry| {
        entry.served = 5;
        entry.in_use = 1;
    });
    bench.until_offered(&[1]);
    assert!(!bench.book.was_empty.load(Ordering::SeqCst));
    bench.idle();
    assert!(matches!(bench.stages()[0], station::Stage::Leaving(_)));
    let pid = bench.pid(0).unwrap();
    bench.set(0, |entry| entry.in_use = 0);
    bench.until(|bench| bench.stages()[0] == station::Stage::Vacant);
    await_gone(&pid);
    bench.idle();
    assert_eq!(bench.book.offered(), [1]);
}

#[test]
fn without_room_for_another_they_are_replaced_in_turn() {
    let program = ExecProgram {
        requests: Some(5),
        ..accepting(2, 2)
    };
    let mut bench = Bench::new(&program);
    bench.until_offered(&[0, 1]);
    for which in 0..2 {
        bench.set(which, |entry| entry.served = 5);
    }
    bench.until(|bench| bench.book.entries()[0].offers == 2);
    assert_eq!(bench.book.entries()[1].offers, 1);
    bench.until(|bench| bench.book.entries()[1].offers == 2);
    assert!(!bench.book.was_empty.load(Ordering::SeqCst));
    bench.until_offered(&[0, 1]);
    bench.idle();
    assert_eq!(bench.book.entries()[0].offers, 2);
}
