mod ending;
mod much;

use std::fs;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::handler::reply::{Draft, Envelope};
use crate::proto::cgi::response::SendFile;
use crate::proto::http::chunked::{ChunkedDecoder, Step};
use crate::proto::http::head::Version;
use crate::proto::http::response::Connection;
use crate::sys::outgoing::{Flushed, Outgoing};
use crate::sys::spool::Room;
use crate::sys::testing::{TempDir, await_gone, pattern, tcp_connection};

/// Longer than any step takes, so that a fault ends in a failure and not in a wait.
const LONG: Duration = Duration::from_secs(20);

/// What is short enough to be waited for, and yet long enough for a program to start in.
const SHORT: Duration = Duration::from_secs(1);

/// The stage for one run.
struct Bench {
    folder: TempDir,
    version: Version,
    silence: Duration,
    send_window: Duration,
    half_closed: Duration,
    max_header: usize,
    max_disk: u64,
    halt: Halt,
    stdin: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            folder: TempDir::new(),
            version: Version::Http11,
            silence: LONG,
            send_window: LONG,
            half_closed: LONG,
            max_header: 16 << 10,
            max_disk: 64 << 20,
            halt: Halt::new().unwrap(),
            stdin: Vec::new(),
        }
    }

    /// Runs these lines of shell while `client` has the other end of the connection, which is closed
    /// after it; returns what `client` brought.
    fn run_with<T: Send>(
        &self,
        program: &str,
        client: impl FnOnce(&mut TcpStream) -> T + Send,
    ) -> (Outcome, T) {
        self.run_script(&self.script(program), client)
    }

    fn run_script<T: Send>(
        &self,
        script: &Script,
        client: impl FnOnce(&mut TcpStream) -> T + Send,
    ) -> (Outcome, T) {
        let (stream, mut peer) = tcp_connection();
        let room = Arc::new(Room::new(self.folder.path(), self.max_disk));
        let clock = Clock::start();
        std::thread::scope(|scope| {
            let client = scope.spawn(move || {
                let brought = client(&mut peer);
                drop(peer);
                brought
            });
            let mut outgoing = Outgoing::default();
            let envelope = Envelope {
                version: self.version,
                is_head: false,
                connection: Connection::Close,
                date: *b"Sun, 06 Nov 1994 08:49:37 GMT",
            };
            let mut reply = Reply::new(&stream, &mut outgoing, &room, Draft::new(envelope));
            let spawners = Spawners::none();
            let terms = Terms {
                spawners: &spawners,
                silence: self.silence,
                send_window: self.send_window,
                half_closed: self.half_closed,
                max_header: self.max_header,
                clock: &clock,
                halt: &self.halt,
                witness: &Witness::default(),
                explains: false,
            };
            let outcome = run(
                script,
                &MetaVariables::default(),
                (!self.stdin.is_empty()).then_some(Content::Memory(&self.stdin)),
                &mut reply,
                &mut Buffer::new(64 << 10),
                &terms,
                "test",
            );
            while matches!(reply.flush(), Ok(Flushed::Blocked | Flushed::Turn)) {
                std::thread::yield_now();
            }
            drop(stream);
            (outcome, client.join().unwrap())
        })
    }

    /// Runs these lines for a client that reads all it gets.
    fn run(&self, program: &str) -> (String, String) {
        let (outcome, received) = self.run_with(program, read_all);
        (told(&outcome), String::from_utf8(received).unwrap())
    }

    fn script(&self, program: &str) -> Script {
        Script {
            program: PathBuf::from("/bin/sh"),
            arguments: vec![b"-c".to_vec(), program.as_bytes().to_vec()],
            folder: self.folder.path().to_owned(),
            filename: PathBuf::from("/bin/sh"),
            script_name: b"/cgi-bin/test".to_vec(),
            path_info: Vec::new(),
            is_interpreted: false,
            is_nph: false,
        }
    }

    fn fifo(&self) -> PathBuf {
        self.folder.fifo("fifo");
        self.folder.path().join("fifo")
    }
}

/// Everything up to the end, or up to a reset.
fn read_all(peer: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = peer.read_to_end(&mut received);
    received
}

/// The content of a response.
fn body_of(wire: &[u8]) -> Vec<u8> {
    let end = wire.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    let (head, mut rest) = (&wire[..end], &wire[end + 4..]);
    if !head.windows(7).any(|at| at == b"chunked") {
        return rest.to_vec();
    }
    let mut decoder = ChunkedDecoder::default();
    let mut body = Vec::new();
    while let Step::Data { bytes, used } = decoder.step(rest).unwrap() {
        body.extend_from_slice(bytes);
        rest = &rest[used..];
    }
    body
}

/// What comes up to and with `end`.
fn read_until(peer: &mut TcpStream, end: &str) -> String {
    peer.set_read_timeout(Some(LONG)).unwrap();
    let mut received = Vec::new();
    while !received.ends_with(end.as_bytes()) {
        let mut byte = [0];
        let read = peer.read(&mut byte).unwrap();
        assert_eq!(read, 1, "{}", String::from_utf8_lossy(&received));
        received.push(byte[0]);
    }
    String::from_utf8(received).unwrap()
}

/// The numbers of the processes that a program prints as `{pid pid}`.
fn pids(text: &str) -> Vec<String> {
    let (_, rest) = text.split_once('{').unwrap();
    let (list, _) = rest.split_once('}').unwrap();
    list.split(' ').map(str::to_owned).collect()
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(None) => "answered".to_owned(),
        Outcome::Answered(Some(reason)) => format!("answered, {}", reason.code()),
        Outcome::Failed(reason) => format!("failed, {}", reason.code()),
        Outcome::Cut(reason) => format!("cut, {}", reason.code()),
        Outcome::LocalRedirect(location) => {
            format!("redirect to {}", String::from_utf8_lossy(location))
        }
        Outcome::SendFile(handover) => {
            let Handover { from, head } = &**handover;
            let (SendFile::Path(name) | SendFile::Url(name)) = from;
            let [name, block] = [name, &head.block].map(|it| it.escape_ascii());
            format!("send {name}, {} {block}", head.status.as_u16())
        }
    }
}

/// The program's own part of a response: no status line, none of the fields that are always there.
/// A whole body has a length, also where the machine was so slow that it went out in chunks.
fn own(wire: &str) -> String {
    let constant = ["HTTP/1.1 200", "Server: ", "Date: ", "Connection: close"];
    let own: String = wire
        .split_inclusive("\r\n")
        .filter(|line| !constant.iter().any(|it| line.starts_with(it)))
        .collect();
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    match own.split_once(chunked) {
        Some((head, chunks)) if chunks.ends_with("0\r\n\r\n") => {
            let body = joined(chunks);
            format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
        }
        _ => own,
    }
}

fn joined(chunks: &str) -> String {
    let mut decoder = ChunkedDecoder::default();
    let mut rest = chunks.as_bytes();
    let mut body = Vec::new();
    while let Step::Data { bytes, used } = decoder.step(rest).unwrap() {
        body.extend_from_slice(bytes);
        rest = &rest[used..];
    }
    String::from_utf8(body).unwrap()
}

#[test]
fn what_a_program_prints_becomes_an_outcome() {
    let cases = [
        // Documents.
        (
            r"printf 'Content-Type: text/plain\n\nhello'",
            "answered",
            "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            r"printf 'X: y\r\n\r\n'",
            "answered",
            "X: y\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            r"printf 'Status: 404 Not today\nX: y\n\nhello'",
            "answered",
            "HTTP/1.1 404 Not today\r\nX: y\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            r"printf 'Content-Length: 5\n\nhello'",
            "answered",
            "Content-Length: 5\r\n\r\nhello",
        ),
        (
            r"printf 'Status: 204\n\nhello'",
            "answered",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        // Redirects.
        (
            r"printf 'Location: /other?x=1\n\n'",
            "redirect to /other?x=1",
            "",
        ),
        (
            r"printf 'Location: http://h/\n\n'",
            "answered",
            "HTTP/1.1 302 Found\r\nLocation: http://h/\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            r"printf 'Location: /other\n\n'; exit 1",
            "redirect to /other",
            "",
        ),
        // Files in place of documents.
        (
            r"printf 'X-Sendfile: /a\nContent-Length: 5\nX: y\n\nhello'; exit 1",
            r"send /a, 200 X: y\r\n",
            "",
        ),
        (
            r"printf 'Status: 404\nX-Accel-Redirect: /b\n\n'",
            "send /b, 404 ",
            "",
        ),
        (r"printf 'X-Sendfile: a\n\n'", "failed, cgi.send-file", ""),
        // Faults, before anything was sent.
        ("exit 0", "failed, cgi.no-output", ""),
        ("exit 1", "failed, cgi.no-output", ""),
        ("echo hello", "failed, cgi.no-header", ""),
        ("printf hello", "failed, cgi.no-header", ""),
        (r"printf 'X: y\n'", "failed, cgi.header-cut", ""),
        (
            r"printf 'X: y\nhello world\n\n'",
            "failed, cgi.header-malformed",
            "",
        ),
        (r"printf 'Status: 42\n\n'", "failed, cgi.status", ""),
        (r"printf 'Location: a\tb\n\n'", "failed, cgi.location", ""),
        ("kill -KILL $$", "failed, cgi.killed", ""),
        (r"printf 'X: y\n'; kill -SEGV $$", "failed, cgi.killed", ""),
        // Faults, after a response was begun.
        (
            r"printf 'Content-Length: 9\n\nhello'",
            "cut, cgi.short",
            "Content-Length: 9\r\n\r\nhello",
        ),
        (
            r"printf 'X: y\n\nhello'; kill -KILL $$",
            "cut, cgi.killed",
            "X: y\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ),
        // Faults that leave the response standing.
        (
            r"printf 'Content-Length: 3\n\nhello'",
            "answered, cgi.long",
            "Content-Length: 3\r\n\r\nhel",
        ),
        (
            r"printf 'X: y\n\nhello'; exit 3",
            "answered, cgi.exit",
            "X: y\r\nContent-Length: 5\r\n\r\nhello",
        ),
    ];
    for (program, outcome, wire) in cases {
        let (told, received) = Bench::new().run(program);
        assert_eq!(told, outcome, "{program}");
        assert_eq!(own(&received), wire, "{program}");
    }
}

#[test]
fn a_header_has_its_bound() {
    let bench = Bench {
        max_header: 100,
        ..Bench::new()
    };
    let header = |len: usize| format!("printf 'X: {}\\n\\nhello'", "y".repeat(len));
    assert_eq!(bench.run(&header(90)).0, "answered");
    assert_eq!(bench.run(&header(100)).0, "failed, cgi.header-too-long");
    assert_eq!(
        bench.run("while :; do printf 'X: y\\n'; done").0,
        "failed, cgi.header-too-long"
    );
}

#[test]
fn a_program_that_cannot_be_started_is_diagnosed() {
    let bench = Bench::new();
    bench.folder.write("page.php", "");
    let mut script = bench.script("");
    for (program, outcome) in [
        ("/nowhere/program", "failed, cgi.not-found"),
        ("/etc", "failed, cgi.not-executable"),
    ] {
        script.program = PathBuf::from(program);
        let (failed, received) = bench.run_script(&script, read_all);
        assert_eq!(
            (told(&failed).as_str(), &received[..]),
            (outcome, &b""[..]),
            "{program}"
        );
    }
}

#[test]
fn an_nph_program_writes_its_own_response() {
    let bench = Bench::new();
    let cases = [
        (
            r"printf 'HTTP/1.1 299 Own\r\n\r\nhello'",
            "answered",
            "HTTP/1.1 299 Own\r\n\r\nhello",
        ),
        ("printf anything; exit 2", "answered, cgi.exit", "anything"),
        ("exit 0", "failed, cgi.no-output", ""),
        ("kill -KILL $$", "failed, cgi.killed", ""),
    ];
    for (program, outcome, wire) in cases {
        let script = Script {
            is_nph: true,
            ..bench.script(program)
        };
        let (given, received) = bench.run_script(&script, read_all);
        assert_eq!(told(&given), outcome, "{program}");
        assert_eq!(String::from_utf8(received).unwrap(), wire, "{program}");
    }
}

#[test]
fn output_is_sent_on_when_the_program_falls_quiet() {
    let bench = Bench::new();
    let fifo = bench.fifo();
    let program = r"printf 'X: y\n\ntick'; read line < fifo; printf tock";
    let (outcome, rest) = bench.run_with(program, |peer| {
        let seen = read_until(peer, "tick\r\n");
        assert_eq!(
            own(&seen),
            "X: y\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntick\r\n"
        );
        // The program goes on only now.
        fs::write(fifo, "go on\n").unwrap();
        read_all(peer)
    });
    assert_eq!(told(&outcome), "answered");
    assert_eq!(String::from_utf8(rest).unwrap(), "4\r\ntock\r\n0\r\n\r\n");
}

#[test]
fn who_closes_stdout_has_given_its_response() {
    for field in ["Content-Length: 2", "X: y"] {
        let bench = Bench::new();
        let fifo = bench.fifo();
        let program = format!(r"printf '{field}\n\nok'; exec >&-; read line < fifo; exit 3");
        let (outcome, received) = bench.run_with(&program, |peer| {
            // The client has all, up to the end of the connection, while the program still runs.
            let received = read_all(peer);
            fs::write(fifo, "go on\n").unwrap();
            String::from_utf8(received).unwrap()
        });
        assert_eq!(told(&outcome), "answered, cgi.exit", "{field}");
        assert!(
            own(&received).ends_with("Content-Length: 2\r\n\r\nok"),
            "{received}"
        );
    }
    for (program, outcome) in [
        ("exec >&-; sleep 1000", "failed, cgi.no-output"),
        (
            r"printf 'X: y\n'; exec >&-; sleep 1000",
            "failed, cgi.header-cut",
        ),
        (
            r"printf 'Content-Length: 5\n\nhel'; exec >&-; sleep 1000",
            "cut, cgi.short",
        ),
    ] {
        assert_eq!(Bench::new().run(program).0, outcome, "{program}");
    }
}

#[test]
fn a_child_that_is_left_behind_holds_up_nothing() {
    let program = r"sleep 1000 & printf 'X: y\n\n{%s}' $!";
    let (outcome, received) = Bench::new().run(program);
    assert_eq!(outcome, "answered");
    assert!(
        own(&received).contains("Content-Length: "),
        "it is whole: {received}"
    );
    // It lives on, as it may; it was started by this test.
    let pid = &pids(&received)[0];
    assert!(crate::sys::testing::runs(pid));
    let killed = std::process::Command::new("/bin/sh")
        .args(["-c", "kill -KILL $0", pid])
        .status();
    assert!(killed.unwrap().success());
}

/// A program that tells its own number and its child's, and then is silent for ever.
const SILENT: &str = r"sleep 1000 & printf 'X: y\n\n{%s %s}' $$ $!; wait";

/// Makes the client go away in both directions at once, as a process that dies with unread bytes.
fn reset(peer: &mut TcpStream) {
    rustix::net::sockopt::set_socket_linger(&*peer, Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_body_reaches_the_program_whole_and_unread_bodies_harm_nothing() {
    let bench = Bench {
        stdin: pattern(300_000),
        ..Bench::new()
    };
    let (outcome, received) = bench.run_with(r"printf 'Content-Length: 300000\n\n'; cat", read_all);
    assert_eq!(told(&outcome), "answered");
    assert!(received.ends_with(&bench.stdin));
    assert_eq!(bench.run(r"printf 'X: y\n\nok'").0, "answered");
}

#[test]
fn a_flood_of_stderr_holds_up_nothing() {
    let program = r"head -c 3000000 /dev/zero >&2; printf 'X: y\n\nok'; yes | head -c 100000 >&2";
    let (outcome, received) = Bench::new().run(program);
    assert_eq!(outcome, "answered");
    assert_eq!(own(&received), "X: y\r\nContent-Length: 2\r\n\r\nok");
}
