//! Past one machine: tollgates behind HAProxy, with the configuration of examples/haproxy as it stands but for its
//! addresses. One is killed and one is upgraded while clients ask on and on, and none of them notices.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::health::ask;
use crate::support::{
    Client, Ended, Folder, PATIENCE, Server, Site, Variables, eventually, installed, request,
};

/// How many clients ask.
const CLIENTS: usize = 4;

/// How many answers a step waits for.
const ANSWERS: usize = 100;

/// How long a client rests between two requests, so that others get on too.
const BETWEEN: Duration = Duration::from_millis(3);

/// The longest that the load goes on, whatever happens.
const LOAD_MAX: Duration = Duration::from_secs(90);

/// What clients do: ask what may be asked twice, ask anything, end.
const SAFE: u8 = 0;
const ANYTHING: u8 = 1;
const END: u8 = 2;

/// One of several that are the same, but that each says its name.
fn serve(name: &str, listen: &str, health: &str) -> Server {
    let site = Site::new().listen(&[listen]);
    site.file("www/who.txt", name);
    let program = format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' {name}\n");
    site.script("cgi-bin/who", program);
    site.serve(&[
        "--proxy-protocol",
        "--trusted-proxy",
        "127.0.0.1",
        "--stop-delay",
        "5",
        "--health",
        health,
    ])
}

/// HAProxy, ended with the test.
struct Balancer {
    child: Child,
    folder: Folder,
    address: String,
}

impl Balancer {
    /// The committed configuration, for these servers and health ports, at a port of its own.
    fn start(haproxy: &Path, servers: &[&Server; 3]) -> Balancer {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/haproxy/haproxy.cfg");
        let mut text = fs::read_to_string(path).unwrap();
        let mut replace = |from: &str, to: &str| {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text = text.replace(from, to);
        };
        replace("bind :80\n", "bind fd@0\n");
        for (at, server) in servers.iter().enumerate() {
            let health = server.health().rsplit(':').next().unwrap();
            replace(
                &format!("10.0.0.1{}:8080 port 9100", at + 1),
                &format!(
                    "{} port {}",
                    server.authority(),
                    health.trim_end_matches('/')
                ),
            );
        }
        let folder = Folder::new();
        let file = folder.file("haproxy.cfg", text);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", socket.local_addr().unwrap());
        let output = fs::File::create(folder.path("output")).unwrap();
        let child = Command::new(haproxy)
            .args(["-db", "-f"])
            .arg(file)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Balancer {
            child,
            folder,
            address,
        }
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path("output")).unwrap_or_default()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- output of HAProxy\n{}---", self.output());
        }
    }
}

/// How many answers each server gave, by its name, and all that went wrong.
#[derive(Debug, Default)]
struct Tally {
    answers: BTreeMap<String, usize>,
    failures: Vec<String>,
}

/// Asks on and on; whatever is not answered rightly is a failure.
fn load(number: usize, address: &str, phase: &AtomicU8, tally: &Mutex<Tally>) {
    let targets = ["/who.txt", "/cgi-bin/who"];
    let until = Instant::now() + LOAD_MAX;
    let mut client = Client::connect(address);
    let mut is_settled = false;
    for serial in 0.. {
        let phase = phase.load(Ordering::SeqCst);
        if phase == END || Instant::now() > until {
            return;
        }
        // The first one finds out that a connection of before leads to nobody.
        let posts = phase == ANYTHING && is_settled && serial % 4 == 3;
        is_settled = phase == ANYTHING;
        let (method, target, body) = match posts {
            true => ("POST", "/cgi-bin/who", &b"a form"[..]),
            false => ("GET", targets[(number + serial) % 2], &b""[..]),
        };
        let sent = client.try_send(request(method, target, &[], body));
        let answer = match sent {
            Ok(()) => client.try_read_response(method),
            Err(error) => Err(error.to_string()),
        };
        let is_kept = answer
            .as_ref()
            .is_ok_and(|answer| answer.field("Connection") != Some("close"));
        let mut tally = tally.lock().unwrap();
        match answer {
            Ok(answer) if answer.status == 200 && answer.ended == Ended::Clean => {
                *tally.answers.entry(answer.text()).or_default() += 1;
            }
            other => tally.failures.push(format!("{method} {target}: {other:?}")),
        }
        drop(tally);
        thread::sleep(BETWEEN);
        if !is_kept {
            client = Client::connect(address);
        }
    }
}

#[test]
fn one_is_killed_and_one_upgraded_and_no_request_fails() {
    let Some(haproxy) = installed(
        "one_is_killed_and_one_upgraded_and_no_request_fails",
        "haproxy",
    ) else {
        return;
    };
    // Addresses that no other test listens at, so that a port stays free for the next server there.
    let one = serve("one", "127.11.0.1:0", "127.11.0.1:0");
    let mut two = serve("two", "127.11.0.2:0", "127.11.0.2:0");
    let mut three = serve("three", "127.11.0.3:0", "127.11.0.3:0");
    let balancer = Balancer::start(&haproxy, &[&one, &two, &three]);

    // Whom a request is from is told, and to whom it is passed on is not.
    let mut client = Client::connect_from([127, 11, 0, 9], &balancer.address);
    client.send(request("GET", "/cgi-bin/probe/env", &[], b""));
    let variables = Variables::of(&client.read_response("GET"));
    assert_eq!(variables.value("REMOTE_ADDR"), Some("127.11.0.9"));

    let (tally, phase) = (Mutex::new(Tally::default()), AtomicU8::new(SAFE));
    let answers = |name: &str| {
        let tally = tally.lock().unwrap();
        tally.answers.get(name).copied().unwrap_or(0)
    };
    let wait_for = |name: &str, more: usize| {
        let goal = answers(name) + more;
        let came = eventually(PATIENCE, || answers(name) >= goal);
        assert!(came, "{name} does not answer: {:?}", tally.lock().unwrap());
    };
    let next = thread::scope(|scope| {
        // However this ends, the load does.
        let _end = OnDrop(|| phase.store(END, Ordering::SeqCst));
        for number in 0..CLIENTS {
            let (address, phase, tally) = (&balancer.address, &phase, &tally);
            scope.spawn(move || load(number, address, phase, tally));
        }
        for name in ["one", "two", "three"] {
            wait_for(name, ANSWERS);
        }
        two.signal(Signal::KILL);
        assert!(two.wait(PATIENCE).is_some());
        wait_for("one", ANSWERS);
        wait_for("three", ANSWERS);
        phase.store(ANYTHING, Ordering::SeqCst);

        let (listen, health) = (three.authority().to_owned(), three.health().to_owned());
        let health = health.trim_start_matches("http://").trim_end_matches('/');
        three.signal(Signal::TERM);
        let told = || ask(&three, "GET /healthz HTTP/1.0").status;
        assert!(eventually(PATIENCE, || told() == 503));
        let ended = three.wait(PATIENCE).and_then(|status| status.code());
        assert_eq!(ended, Some(0), "{}", three.log());
        let next = serve("next", &listen, health);
        wait_for("next", ANSWERS);
        wait_for("one", ANSWERS);
        next
    });
    let tally = tally.into_inner().unwrap();
    assert_eq!(tally.failures, [""; 0], "{:?}", tally.answers);
    // Nobody is there any more for whom they would serve on.
    [one, next].iter().for_each(|it| it.signal(Signal::TERM));
}

/// Does something at the end of a block.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
