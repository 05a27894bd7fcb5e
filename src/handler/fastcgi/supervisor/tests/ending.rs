//! Processes that end, fail, or are ended, and what comes in their place.

use super::*;

#[test]
fn who_ends_by_itself_is_started_again() {
    let mut bench = Bench::new(&accepting(1, 1));
    // (what it is told, requests that it was given, why it is withdrawn)
    for (byte, served, why) in [
        (b'0', 1, "its process ended by itself"),
        (
            b'3',
            1,
            "its process ended with exit status 3; it is started again in 0.25 s",
        ),
        (
            b'0',
            0,
            "its process ended with exit status 0; it is started again in 0.5 s",
        ),
        (
            b'7',
            0,
            "its process ended with exit status 7; it is started again in 1 s",
        ),
        (
            b'3',
            2,
            "its process ended with exit status 3; it is started again in 0.25 s",
        ),
    ] {
        bench.until_offered(&[0]);
        bench.set(0, |entry| entry.served = served);
        bench.send(0, byte);
        bench.until_offered(&[]);
        bench.expect_why(0, why);
    }
}

#[test]
fn one_that_is_killed_is_told_by_its_signal() {
    let mut bench = Bench::new(&accepting(1, 1));
    bench.until_offered(&[0]);
    let process = bench.crew.stations[0].process.as_ref().unwrap();
    process.child.kill();
    bench.until_offered(&[]);
    let why = "its process ended with signal 9; it is started again in 0.25 s";
    bench.expect_why(0, why);
}

#[test]
fn pauses_double_up_to_a_bound_and_none_is_skipped() {
    let mut bench = Bench::new(&shell("echo starting >&2; exit 1", 1, 4));
    bench.book.wait(true);
    let mut now = bench.crew.clock.now();
    for pause in [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
        let before = bench.crew.clock.now();
        bench.crew.step(now);
        let start = Instant::now();
        while bench.pid(0).is_some() {
            assert!(start.elapsed() < PATIENCE);
            bench.crew.attend(PATIENCE);
        }
        let station::Stage::Resting(until) = bench.stages()[0] else {
            panic!("{:?}", bench.stages());
        };
        // The pause begins with the true end, though time is said to have gone on.
        let pause = Duration::from_millis(pause);
        let after = bench.crew.clock.now();
        assert!(
            before + pause <= until && until <= after + pause,
            "{until:?}"
        );
        // Requests wait, and yet nobody is started elsewhere or too early.
        bench.crew.step(Moment(until.0 - 1));
        assert_eq!(bench.stages()[1..], [station::Stage::Vacant; 3]);
        assert_eq!(bench.pid(0), None);
        assert_eq!(bench.crew.next_deadline(after), until);
        now = until;
    }
}

#[test]
fn a_program_that_cannot_be_started_is_tried_again() {
    let dir = TempDir::new();
    dir.write("program", "no program\n");
    let path = dir.path().join("program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let program = ExecProgram {
        program: path,
        ..accepting(2, 2)
    };
    let mut bench = Bench::new(&program);
    bench.crew.step(Moment(0));
    for (which, stage) in bench.stages().into_iter().enumerate() {
        assert_eq!(stage, station::Stage::Resting(Moment(250)));
        let why = bench.book.entries()[which].why.clone();
        assert!(
            why.starts_with("its program could not be started ("),
            "{why}"
        );
        assert!(why.ends_with("; it is started again in 0.25 s"), "{why}");
    }
    bench.crew.step(Moment(250));
    assert_eq!(bench.stages(), [station::Stage::Resting(Moment(750)); 2]);
    let why = &bench.book.entries()[0].why;
    assert!(why.contains("; it is started again in 0.5 s"), "{why}");
}

#[test]
fn a_pause_ends_though_nobody_needs_the_process() {
    let mut bench = Bench::new(&accepting(1, 2));
    bench.book.wait(true);
    bench.until_offered(&[0, 1]);
    bench.book.wait(false);
    bench.send(1, b'9');
    bench.until_offered(&[0]);
    let why = "its process ended with exit status 9; it is started again when it is needed, not \
               before 0.25 s";
    bench.expect_why(1, why);
    bench.until(|bench| bench.stages()[1] == station::Stage::Vacant);
    assert_eq!(bench.book.entries()[1].why, "");
    bench.book.wait(true);
    bench.until_offered(&[0, 1]);
}

#[test]
fn a_process_that_does_not_accept_is_ended() {
    let mut bench = Bench::new(&shell("trap '' TERM; sleep 1000", 1, 1));
    let now = bench.crew.clock.now();
    bench.crew.step(now);
    let pid = bench.pid(0).unwrap();
    bench
        .crew
        .step(now + (ACCEPT_TIMEOUT - Duration::from_millis(1)));
    assert!(matches!(bench.stages()[0], station::Stage::Starting(_)));
    let late = now + ACCEPT_TIMEOUT + Duration::from_millis(100);
    bench.crew.step(late);
    let kill = late + TERM_GRACE;
    let failed = true;
    assert_eq!(bench.stages()[0], station::Stage::Ending { kill, failed });
    assert_eq!(bench.crew.next_deadline(late), kill);
    let why = "its process accepted no connection within 30 s";
    bench.expect_why(0, why);
    bench.crew.step(kill);
    let start = Instant::now();
    while bench.pid(0).is_some() {
        assert!(start.elapsed() < PATIENCE);
        bench.crew.attend(PATIENCE);
    }
    assert!(matches!(bench.stages()[0], station::Stage::Resting(_)));
    assert!(!runs(&pid));
}

#[test]
fn stopping_ends_whole_groups_and_the_deaf() {
    let dir = TempDir::new();
    let file = dir.path().join("pids");
    let text = format!(
        "trap '' TERM; sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; while :; do wait; done",
        file.display()
    );
    let program = shell(&text, 1, 1);
    let supervisor =
        Supervisor::open(&program, &[], Clock::start(), &Arc::new(Spawners::none())).unwrap();
    supervisor.start(book_for(&program)).unwrap();
    await_that(|| file.exists());
    let pids = fs::read_to_string(&file).unwrap();
    supervisor.stop();
    for pid in pids.split_whitespace() {
        await_gone(pid);
    }
    // It is no fault to stop, or to start, once more.
    supervisor.stop();
    supervisor.start(book_for(&program)).unwrap();
    supervisor.stop();
}

#[test]
fn what_a_process_leaves_behind_ends_with_it() {
    let dir = TempDir::new();
    let file = dir.path().join("pid");
    let text = format!("sleep 1000 & echo $! > {}; exit 0", file.display());
    let mut bench = Bench::new(&shell(&text, 1, 1));
    bench.until(|bench| matches!(bench.stages()[0], station::Stage::Resting(_)));
    await_gone(fs::read_to_string(&file).unwrap().trim());
}

#[test]
fn last_words_are_few() {
    let words = |text: &str| last_words(text.as_bytes());
    assert_eq!(words(""), "");
    assert_eq!(words("one\ntwo\n"), "; its last words were \"two\"");
    let long = format!("{}{}", "a".repeat(100), "z".repeat(200));
    assert_eq!(
        words(&long),
        format!("; its last words were \"{}\"", "z".repeat(200))
    );
}

#[test]
fn who_ran_for_long_did_not_fail_from_the_start() {
    let mut bench = Bench::new(&accepting(1, 1));
    let now = bench.crew.clock.now();
    let station = &mut bench.crew.stations[0];
    let [first, _] = station::PAUSES;
    assert_eq!(station.rest(now), first);
    station.forgive(0, station::SETTLED - Duration::from_millis(1));
    assert_eq!(station.rest(now), 2 * first);
    station.forgive(0, station::SETTLED);
    assert_eq!(station.rest(now), first);
}
