mod ending;
mod number;

mod queue;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::MutexGuard;
use std::time::Instant;

use super::crew::{ACCEPT_TIMEOUT, TERM_GRACE, last_words};
use super::station;
use super::*;
use crate::config::ExitStatus;
use crate::sys::stream::More;
use crate::sys::testing::{TempDir, await_gone, runs};

/// More than any step takes, so that a fault ends in a failure and not in a wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// Set for the process that is to be [`accepts_at_descriptor_0`].
const ROLE: &str = "TOLLGATE_TEST_ACCEPTS";

/// No test but the program that others run: serves one connection after another, a byte at a time.
#[test]
#[ignore = "the program that other tests run"]
fn accepts_at_descriptor_0() {
    let Ok(kind) = std::env::var(ROLE) else {
        return;
    };
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    if kind == "tcp" {
        let listener = TcpListener::from(socket);
        listener.incoming().for_each(|it| serve(it.unwrap()));
    } else {
        let listener = UnixListener::from(socket);
        listener.incoming().for_each(|it| serve(it.unwrap()));
    }
}

fn serve(mut connection: impl Read + Write) {
    let mut byte = [0];
    while matches!(connection.read(&mut byte), Ok(1)) {
        match byte[0] {
            b'0'..=b'9' => std::process::exit(i32::from(byte[0] - b'0')),
            _ => connection.write_all(&byte).unwrap(),
        }
    }
}

/// The pool as a test wants it to be.
#[derive(Default)]
struct Book {
    entries: Mutex<Vec<Entry>>,
    waits: AtomicBool,
    /// Whether once all were withdrawn.
    was_empty: AtomicBool,
}

#[derive(Default)]
struct Entry {
    warm: Option<Stream>,
    offers: usize,
    is_offered: bool,
    in_use: usize,
    served: u64,
    idle: Duration,
    left: Option<Moment>,
    /// Once a connection waits here, which each start makes, no request is in use any more.
    queue: Option<UnixListener>,
    resumed: usize,
    why: String,
}

impl Book {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap()
    }

    /// Has a request wait, or none.
    fn wait(&self, waits: bool) {
        self.waits.store(waits, Ordering::SeqCst);
    }

    /// Which processes requests may go to.
    fn offered(&self) -> Vec<usize> {
        let entries = self.entries();
        (0..entries.len())
            .filter(|at| entries[*at].is_offered)
            .collect()
    }
}

impl Roster for Book {
    fn offer(&self, which: usize, warm: Stream, _now: Moment) {
        let entry = &mut self.entries()[which];
        assert!(!entry.is_offered && warm.is_quiet());
        entry.left = None;
        entry.warm = Some(warm);
        entry.offers += 1;
        entry.is_offered = true;
        entry.served = 0;
        entry.idle = Duration::ZERO;
    }

    fn resume(&self, which: usize, warm: Stream, _now: Moment) {
        let entry = &mut self.entries()[which];
        assert!(entry.left.take().is_some() && warm.is_quiet());
        entry.warm = Some(warm);
        entry.resumed += 1;
        entry.is_offered = true;
    }

    fn left_until(&self, which: usize) -> Option<Moment> {
        self.entries()[which].left
    }

    fn withdraw(&self, which: usize, why: &str) {
        let entries = &mut self.entries();
        let entry = &mut entries[which];
        entry.left = None;
        entry.is_offered = false;
        entry.warm = None;
        entry.why = why.to_owned();
        if !entries.iter().any(|entry| entry.is_offered) {
            self.was_empty.store(true, Ordering::SeqCst);
        }
    }

    fn recover(&self, which: usize) {
        self.entries()[which].why.clear();
    }

    fn in_use(&self, which: usize) -> usize {
        let entry = &mut self.entries()[which];
        if entry.queue.as_ref().is_some_and(|it| it.accept().is_ok()) {
            entry.in_use = 0;
        }
        entry.in_use
    }

    fn served(&self, which: usize) -> u64 {
        self.entries()[which].served
    }

    fn waiting(&self) -> usize {
        self.waits.load(Ordering::SeqCst).into()
    }

    fn idle_for(&self, which: usize, _now: Moment) -> Duration {
        self.entries()[which].idle
    }
}

/// An application that is looked after by the test itself, step by step.
struct Bench {
    crew: Crew,
    book: Arc<Book>,
}

impl Bench {
    fn new(program: &ExecProgram) -> Bench {
        let environment = [(ROLE.into(), b"unix".to_vec())];
        let supervisor = Supervisor::open(
            program,
            &environment,
            Clock::start(),
            &Arc::new(Spawners::none()),
        )
        .unwrap();
        let stage = std::mem::replace(&mut *supervisor.lock(), Stage::Stopped);
        let Stage::Opened(opened) = stage else {
            panic!("it is not to be started yet");
        };
        let book = book_for(program);
        let crew = Crew {
            launch: opened.launch,
            rules: opened.rules,
            stations: opened.stations,
            clock: opened.clock,
            bell: supervisor.bell(),
            stopping: Arc::new(AtomicBool::new(false)),
            roster: Arc::clone(&book) as Arc<dyn Roster>,
            buffer: Buffer::new(OUTPUT_READ),
        };
        Bench { crew, book }
    }

    /// Goes on until the condition holds.
    #[track_caller]
    fn until(&mut self, condition: impl Fn(&Bench) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.stages());
            self.crew.step(self.crew.clock.now());
            self.crew.attend(Duration::from_millis(1));
        }
    }

    /// What a process said last may stand behind it.
    #[track_caller]
    fn expect_why(&self, which: usize, why: &str) {
        let told = &self.book.entries()[which].why;
        let rest = told.strip_prefix(why).unwrap_or_else(|| panic!("{told}"));
        assert!(
            rest.is_empty() || rest.starts_with("; its last words were "),
            "{told}"
        );
    }

    fn until_offered(&mut self, processes: &[usize]) {
        self.until(|bench| bench.book.offered() == processes);
    }

    /// Goes on for a few rounds, in which nothing is to happen.
    fn idle(&mut self) {
        for _ in 0..20 {
            self.crew.step(self.crew.clock.now());
            self.crew.attend(Duration::from_millis(1));
        }
    }

    fn stages(&self) -> Vec<station::Stage> {
        self.crew.stations.iter().map(|it| it.stage).collect()
    }

    fn pid(&self, which: usize) -> Option<String> {
        let process = self.crew.stations[which].process.as_ref();
        process.map(|process| process.child.id().unwrap().to_string())
    }

    /// Sends a byte over the warm connection.
    fn send(&self, which: usize, byte: u8) {
        let entries = self.book.entries();
        let warm = entries[which].warm.as_ref().unwrap();
        assert_eq!(warm.write(&[byte], More::No).unwrap(), Some(1));
    }

    fn set(&self, which: usize, change: impl Fn(&mut Entry)) {
        change(&mut self.book.entries()[which]);
    }
}

fn book_for(program: &ExecProgram) -> Arc<Book> {
    let book = Book::default();
    let entries = (0..*program.processes.end()).map(|_| Entry::default());
    book.entries().extend(entries);
    Arc::new(book)
}

/// The program that accepts.
fn accepting(least: usize, most: usize) -> ExecProgram {
    let name = "handler::fastcgi::supervisor::tests::accepts_at_descriptor_0";
    ExecProgram {
        program: std::env::current_exe().unwrap(),
        arguments: [name, "--exact", "--ignored"].map(str::to_owned).into(),
        processes: least..=most,
        idle: Duration::from_secs(60),
        requests: None,
        socket: ExecSocket::Unix,
    }
}

/// A shell, which does not accept.
fn shell(text: &str, least: usize, most: usize) -> ExecProgram {
    ExecProgram {
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), text.to_owned()],
        ..accepting(least, most)
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_told_at_the_start() {
    let dir = TempDir::new();
    dir.write("plain", "#!/bin/sh\n");
    for program in ["/nowhere/program", "/etc", "plain"] {
        let program = ExecProgram {
            program: dir.path().join(program),
            ..accepting(1, 1)
        };
        let error = Supervisor::open(&program, &[], Clock::start(), &Arc::new(Spawners::none()))
            .unwrap_err();
        assert_eq!((error.option, error.exit), ("--fastcgi", ExitStatus::Usage));
        assert_eq!(error.value, program.program.display().to_string());
        assert!(
            error.problem.starts_with("is no executable file; "),
            "{error}"
        );
    }
}

#[test]
fn every_process_that_there_may_be_has_an_address_of_its_own() {
    let unix = Supervisor::open(
        &accepting(1, 3),
        &[],
        Clock::start(),
        &Arc::new(Spawners::none()),
    )
    .unwrap();
    let mut paths = Vec::new();
    for address in unix.addresses() {
        match address {
            BackendAddress::Unix(path) => paths.push(path.clone()),
            BackendAddress::Tcp { .. } => panic!("{address}"),
        }
    }
    paths.dedup();
    assert_eq!(paths.len(), 3);
    let folder = paths[0].parent().unwrap().to_owned();
    assert_eq!(mode(&folder), 0o700);
    assert!(paths.iter().all(|path| mode(path) == 0o600));
    drop(unix);
    assert!(!folder.exists());

    let program = ExecProgram {
        socket: ExecSocket::Tcp,
        ..accepting(2, 2)
    };
    let tcp = Supervisor::open(&program, &[], Clock::start(), &Arc::new(Spawners::none())).unwrap();
    assert_eq!(tcp.addresses().len(), 2);
    for address in tcp.addresses() {
        assert!(address.to_string().starts_with("127.0.0.1:"), "{address}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_environment_is_the_operators_and_what_the_socket_asks_for() {
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let path = pair("PATH", DEFAULT_PATH);
    let addresses = pair("FCGI_WEB_SERVER_ADDRS", "127.0.0.1");
    let own = [pair("NAME", "a value"), pair("PATH", "/own")];
    let stray = pair("FCGI_WEB_SERVER_ADDRS", "192.0.2.1");
    for (socket, given, expected) in [
        (ExecSocket::Unix, vec![], vec![path.clone()]),
        (ExecSocket::Unix, own.to_vec(), own.to_vec()),
        (ExecSocket::Unix, vec![stray.clone()], vec![path.clone()]),
        (ExecSocket::Tcp, vec![stray], vec![path, addresses]),
    ] {
        assert_eq!(environment_for(socket, &given), expected);
    }
}

#[test]
fn a_process_that_was_left_in_a_request_is_given_another_when_it_accepts_again() {
    let mut bench = Bench::new(&accepting(1, 1));
    bench.until_offered(&[0]);
    let pid = bench.pid(0);
    // It is with this connection for as long as that is open.
    let busy = bench.book.entries()[0].warm.take();
    bench.set(0, |entry| {
        entry.is_offered = false;
        entry.served = 7;
        entry.left = Some(Moment::NEVER);
    });
    bench.idle();
    assert!(matches!(bench.stages()[..], [station::Stage::Left { .. }]));
    assert_eq!(bench.book.offered(), []);
    drop(busy);
    bench.until_offered(&[0]);
    let entries = bench.book.entries();
    assert_eq!(
        (entries[0].resumed, entries[0].offers, entries[0].served),
        (1, 1, 7)
    );
    drop(entries);
    assert_eq!(bench.pid(0), pid);
}

#[test]
fn a_process_that_does_not_come_back_from_a_request_is_replaced() {
    let mut bench = Bench::new(&accepting(1, 1));
    bench.until_offered(&[0]);
    let pid = bench.pid(0);
    let _busy = bench.book.entries()[0].warm.take();
    bench.set(0, |entry| {
        entry.is_offered = false;
        entry.left = Some(Moment(0));
    });
    bench.until(|bench| bench.book.entries()[0].offers == 2);
    assert_ne!(bench.pid(0), pid);
    assert_eq!(bench.book.entries()[0].resumed, 0);
}

#[test]
fn a_process_that_dies_of_a_request_that_was_left_is_told_of_once() {
    let mut bench = Bench::new(&accepting(1, 1));
    bench.until_offered(&[0]);
    let busy = bench.book.entries()[0].warm.take().unwrap();
    bench.set(0, |entry| {
        entry.is_offered = false;
        entry.left = Some(Moment::NEVER);
    });
    bench.idle();
    assert_eq!(busy.write(b"3", More::No).unwrap(), Some(1));
    bench.until(|bench| bench.book.entries()[0].left.is_none());
    let why = bench.book.entries()[0].why.clone();
    assert!(why.contains("exit status 3"), "{why}");
    bench.until_offered(&[0]);
}

#[test]
fn the_thread_offers_who_accepts_and_leaves_nothing_behind() {
    for (socket, kind) in [(ExecSocket::Unix, "unix"), (ExecSocket::Tcp, "tcp")] {
        let program = ExecProgram {
            socket,
            ..accepting(2, 3)
        };
        let environment = [(ROLE.into(), kind.into())];
        let supervisor = Supervisor::open(
            &program,
            &environment,
            Clock::start(),
            &Arc::new(Spawners::none()),
        )
        .unwrap();
        let book = book_for(&program);
        supervisor
            .start(Arc::clone(&book) as Arc<dyn Roster>)
            .unwrap();
        await_that(|| book.offered() == [0, 1]);
        book.wait(true);
        supervisor.bell().ring();
        await_that(|| book.offered() == [0, 1, 2]);
        for entry in &*book.entries() {
            let warm = entry.warm.as_ref().unwrap();
            assert_eq!(warm.write(b"x", More::No).unwrap(), Some(1));
            let mut read = Vec::with_capacity(1);
            await_that(|| matches!(warm.read(&mut read), Ok(Some(1))));
            assert_eq!(read, b"x");
        }
        supervisor.stop();
        let entries = book.entries();
        for entry in &*entries {
            assert_eq!((entry.offers, &*entry.why), (1, "the server is stopping"));
        }
        if let BackendAddress::Unix(path) = &supervisor.addresses()[0] {
            assert!(!path.parent().unwrap().exists());
        }
    }
}

#[track_caller]
fn await_that(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_flood_of_output_holds_up_nothing() {
    let text = "head -c 3000000 /dev/zero; exec sleep 1000";
    let mut bench = Bench::new(&shell(text, 1, 1));
    let is_sleep = |bench: &Bench| {
        let pid = bench.pid(0).unwrap_or_default();
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    };
    bench.until(is_sleep);
    bench.crew.end_all();
    assert_eq!(bench.pid(0), None);
}
