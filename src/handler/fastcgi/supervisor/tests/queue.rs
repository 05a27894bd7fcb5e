//! Requests that wait at the socket of a process for whoever accepts there next.

use super::*;

#[test]
fn a_connection_in_the_queue_is_served_by_the_next_process() {
    let mut bench = Bench::new(&accepting(1, 1));
    bench.until_offered(&[0]);
    // The process is busy with the warm connection, so this one has to wait.
    let waiting = bench.crew.stations[0].socket.connect().unwrap();
    assert_eq!(waiting.write(b"x", More::No).unwrap(), Some(1));
    bench.send(0, b'9');
    let mut read = Vec::with_capacity(1);
    let start = Instant::now();
    while !matches!(waiting.read(&mut read), Ok(Some(1))) {
        assert!(start.elapsed() < PATIENCE);
        bench.idle();
    }
    assert_eq!(read, b"x");
    drop(waiting);
    bench.until(|bench| bench.book.entries()[0].offers == 2);
}

#[test]
fn a_request_in_the_queue_counts_as_served_by_whoever_accepts_it() {
    let mut bench = Bench::new(&accepting(1, 1));
    bench.until_offered(&[0]);
    let waiting = bench.crew.stations[0].socket.connect().unwrap();
    assert_eq!(waiting.write(b"x", More::No).unwrap(), Some(1));
    bench.set(0, |entry| entry.in_use = 1);
    bench.send(0, b'9');
    bench.until(|bench| matches!(bench.stages()[0], station::Stage::Starting(_)));
    // However long that takes: it is the request that is waited for.
    let late = bench.crew.clock.now() + ACCEPT_TIMEOUT * 2;
    bench.crew.step(late);
    assert!(matches!(bench.stages()[0], station::Stage::Starting(_)));
    // It ends on purpose, and another is started at once.
    let first = bench.pid(0);
    assert_eq!(waiting.write(b"0", More::No).unwrap(), Some(1));
    bench.until(|bench| bench.pid(0).is_none());
    assert_eq!(bench.stages(), [station::Stage::Vacant]);
    bench.set(0, |entry| entry.in_use = 0);
    bench.until_offered(&[0]);
    assert_ne!(bench.pid(0), first);
}

#[test]
fn a_request_that_is_served_before_the_start_has_returned_counts_too() {
    let mut bench = Bench::new(&shell("exit 0", 1, 1));
    let socket = &bench.crew.stations[0].socket;
    let queue = UnixListener::from(socket.as_fd().try_clone_to_owned().unwrap());
    queue.set_nonblocking(true).unwrap();
    bench.book.entries()[0].queue = Some(queue);
    bench.set(0, |entry| (entry.in_use, entry.served) = (1, 1));
    bench.crew.step(bench.crew.clock.now());
    let start = Instant::now();
    while bench.pid(0).is_some() {
        assert!(start.elapsed() < PATIENCE);
        bench.crew.attend(PATIENCE);
    }
    // It has not failed, so the next one is started at once.
    assert_eq!(bench.stages(), [station::Stage::Vacant]);
    assert_eq!(bench.book.entries()[0].in_use, 0);
}
