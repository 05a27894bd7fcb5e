//! Started by a service manager: sockets that it hands over and keeps, so that a restart loses nobody; what it is
//! told; and that workers which stand still are found out.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{
    Client, Ended, Folder, PATIENCE, Server, Site, eventually, request, run, tollgate,
};

/// How many clients ask on and on.
const CLIENTS: usize = 6;

/// How many answers they get between one change of servers and the next.
const ANSWERS: usize = 300;

fn site_with_page() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site
}

/// A socket that accepts connections, and its address as [`Client`] takes it.
fn listener() -> (TcpListener, String) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", socket.local_addr().unwrap());
    (socket, address)
}

fn serve_at(socket: &TcpListener) -> Server {
    let site = site_with_page().hand_over(socket.try_clone().unwrap());
    site.serve(&["--drain-timeout", "20"])
}

#[test]
fn a_socket_that_is_handed_over_is_listened_on_in_place_of_those_of_the_options() {
    let (socket, address) = listener();
    // The option's address is taken, by the socket itself.
    let taken = socket.local_addr().unwrap().to_string();
    let site = site_with_page().listen(&[&taken]);
    let server = site.hand_over(socket.try_clone().unwrap()).serve(&[]);
    assert_eq!(server.addresses(), [address.as_str()]);
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    let variables = server.variables("/cgi-bin/probe/env", &[]);
    for name in variables.names() {
        assert!(!name.starts_with("LISTEN_"), "{name}");
    }
    assert_eq!(
        variables.value("SERVER_PORT"),
        Some(server.port().to_string().as_str())
    );
    let descriptors = server.get("/cgi-bin/probe/descriptors").text();
    assert_eq!(descriptors.lines().count(), 3, "{descriptors}");
    server.end();
    // It is open still: who comes now waits for the next server.
    let mut client = Client::connect(&address);
    client.send(request("GET", "/page.txt", &["Connection: close"], b""));
    let server = serve_at(&socket);
    assert_eq!(client.read_response("GET").text(), "a page\n");
    server.end();
}

#[test]
fn a_unix_socket_that_is_handed_over_stays_where_it_is() {
    let folder = Folder::new();
    let path = folder.path("socket");
    let socket = UnixListener::bind(&path).unwrap();
    let server = site_with_page().hand_over(socket).serve(&[]);
    assert_eq!(server.addresses(), [format!("unix:{}", path.display())]);
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    server.end();
    assert!(path.exists());
}

/// Whoever handed it over says where to listen, whatever the file says when it is read again.
#[cfg(feature = "config")]
#[test]
fn a_socket_that_is_handed_over_stays_when_the_configuration_is_read_again() {
    let (socket, address) = listener();
    let site = site_with_page();
    let file = |listing: &str| format!("listen 127.0.0.1:0\nroot {}\n{listing}", site.text(""));
    site.file("site.conf", file(""));
    let changed = file("listing\n");
    let server = site.hand_over(socket).serve_file("site.conf", &[]);
    assert_eq!(server.get("/").status, 403);
    server.file("site.conf", &changed);
    server.signal(Signal::HUP);
    server.wait_for_log("--config: read again; ");
    assert_eq!(server.addresses(), [address.as_str()]);
    assert_eq!(server.get("/").status, 200);
    let mut client = Client::connect(&address);
    client.send(request("GET", "/page.txt", &["Connection: close"], b""));
    assert_eq!(client.read_response("GET").text(), "a page\n");
    let log = server.log();
    assert_eq!(
        log.matches("http://").count(),
        log.matches(&address).count(),
        "{log}"
    );
    server.end();
}

#[test]
fn a_client_of_both_families_has_an_address_of_one() {
    let Ok(socket) = TcpListener::bind("[::]:0") else {
        return crate::support::skipped("a_client_of_both_families", "there is no IPv6 here");
    };
    let port = socket.local_addr().unwrap().port();
    let server = site_with_page().hand_over(socket).serve(&[]);
    let mut client = Client::connect(&format!("http://127.0.0.1:{port}/"));
    client.send(request(
        "GET",
        "/cgi-bin/probe/env",
        &["Connection: close"],
        b"",
    ));
    let variables = crate::support::Variables::of(&client.read_response("GET"));
    assert_eq!(variables.value("REMOTE_ADDR"), Some("127.0.0.1"));
    assert_eq!(variables.value("SERVER_ADDR"), Some("127.0.0.1"));
    server.wait_for_access("127.0.0.1 - - [");
}

#[cfg(feature = "explain")]
#[test]
fn what_went_wrong_inside_is_not_shown_at_a_socket_that_others_can_connect_to() {
    for (host, shown) in [("127.0.0.1", true), ("0.0.0.0", false)] {
        let socket = TcpListener::bind((host, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let site = Site::new();
        site.script(
            "cgi-bin/wrong",
            "#!/bin/sh\necho what only its operator may read >&2\n",
        );
        let _server = site.hand_over(socket).serve(&[]);
        let mut client = Client::connect(&format!("http://127.0.0.1:{port}/"));
        client.send("GET /cgi-bin/wrong HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n");
        let page = client.read_response("GET").text();
        assert_eq!(
            page.contains("what only its operator may read"),
            shown,
            "{host}: {page}"
        );
    }
}

#[test]
fn a_restart_and_an_upgrade_lose_no_request() {
    let (socket, address) = listener();
    let answers = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let first = serve_at(&socket);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (address, answers, is_over) = (&address, &answers, &is_over);
                scope.spawn(move || ask_until_over(number, address, answers, is_over))
            })
            .collect();
        let await_answers = || {
            let wanted = answers.load(Ordering::Relaxed) + ANSWERS;
            while answers.load(Ordering::Relaxed) < wanted {
                assert!(
                    !clients.iter().any(|client| client.is_finished()),
                    "a client failed"
                );
                thread::yield_now();
            }
        };
        await_answers();
        // A restart: the next server is started when the one before has ended.
        first.end();
        let second = serve_at(&socket);
        await_answers();
        // An upgrade: both serve for a while.
        let third = serve_at(&socket);
        await_answers();
        second.end();
        await_answers();
        is_over.store(true, Ordering::SeqCst);
        for client in clients {
            client.join().unwrap();
        }
        third.end();
    });
}

/// Asks, each second client over a connection for each request. What a kept connection ends with, without a
/// byte of a response, is asked again, as clients do (RFC 9112, 9.3.1); nothing else may fail.
fn ask_until_over(number: usize, address: &str, answers: &AtomicUsize, is_over: &AtomicBool) {
    let keeps = number.is_multiple_of(2);
    let mut kept: Option<Client> = None;
    let mut serial = 0;
    while !is_over.load(Ordering::SeqCst) {
        let target = ["/cgi-bin/probe/hello", "/page.txt", "/page.txt"][serial % 3];
        let fields: &[&str] = if keeps { &[] } else { &["Connection: close"] };
        let was_kept = kept.is_some();
        let mut client = kept.take().unwrap_or_else(|| Client::connect(address));
        let sent = client.try_send(request("GET", target, fields, b""));
        match client.try_read_response("GET") {
            Ok(response) => {
                assert_eq!(
                    (response.status, response.ended),
                    (200, Ended::Clean),
                    "{target}"
                );
                let ends = response.field("Connection") == Some("close");
                answers.fetch_add(1, Ordering::Relaxed);
                serial += 1;
                kept = (keeps && !ends).then_some(client);
            }
            Err(ended) => {
                assert!(
                    was_kept,
                    "{target}: a new connection was lost: {ended} {sent:?}"
                );
                assert_eq!(
                    client.pending(),
                    b"",
                    "{target}: a response was begun and cut"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_taken_over_is_named() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("www")).unwrap();
    for (variables, words) in [
        (
            "LISTEN_PID=$$ LISTEN_FDS=65",
            "LISTEN_FDS: '65' is not a number of sockets from 0 to 64",
        ),
        (
            "LISTEN_PID=$$ LISTEN_FDS=one",
            "LISTEN_FDS: 'one' is not a number of sockets",
        ),
        (
            "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web",
            "LISTEN_FDS: '1' has descriptor 3 (web), which cannot be listened on: ",
        ),
        (
            "LISTEN_PID=$$ LISTEN_FDS=9",
            "has descriptor 4 (unnamed), which cannot",
        ),
    ] {
        let server = tollgate();
        let mut shell = Command::new("/bin/sh");
        // Descriptor 3 is a socket where the second is to be wrong.
        let second = variables.ends_with('9');
        shell.arg("-c").arg(format!(
            "exec 3<&0 0</dev/null; {variables} exec \"$0\" \"$@\""
        ));
        shell
            .arg(server.get_program())
            .arg("--allow-root")
            .arg(folder.path(""));
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut child = shell
            .stdin(if second {
                Stdio::from(std::os::fd::OwnedFd::from(socket))
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut status = None;
        let ended = eventually(PATIENCE, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        if !ended {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{variables}: {said}");
        assert!(said.contains(words), "{variables}: {said}");
    }
}

#[test]
fn sockets_that_are_meant_for_another_process_are_left_alone() {
    // They are programs' too, which an environment leads astray.
    let site = site_with_page()
        .environment("LISTEN_PID", "1")
        .environment("LISTEN_FDS", "1");
    let server = site.serve(&[]);
    assert_eq!(server.get("/page.txt").text(), "a page\n");
}

/// What the manager is told next, as lines; what repeats itself without end left out.
fn told(manager: &UnixDatagram) -> Vec<String> {
    loop {
        let mut bytes = [0; 4096];
        let len = manager.recv(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
        if text != "WATCHDOG=1" {
            return text.lines().map(str::to_owned).collect();
        }
    }
}

#[test]
fn the_manager_is_told_what_the_server_does() {
    let folder = Folder::new();
    let path = folder.text("notify");
    let name = format!("tollgate-test-{}", std::process::id());
    let hidden = SocketAddr::from_abstract_name(&name).unwrap();
    for (manager, address) in [
        (UnixDatagram::bind(&path).unwrap(), path.clone()),
        (
            UnixDatagram::bind_addr(&hidden).unwrap(),
            format!("@{name}"),
        ),
    ] {
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let site = site_with_page().environment("NOTIFY_SOCKET", &address);
        // In a sandbox, too, which is made before.
        let options: &[&str] = if cfg!(feature = "sandbox") {
            &["--sandbox"]
        } else {
            &[]
        };
        let mut server = site.serve(options);
        let ready = told(&manager);
        assert_eq!(ready[0], "READY=1");
        assert!(
            ready[1].starts_with("STATUS=http://127.0.0.1:"),
            "{ready:?}"
        );
        assert_eq!(server.get("/page.txt").text(), "a page\n");
        server.signal(Signal::HUP);
        let reloading = told(&manager);
        assert_eq!(reloading[0], "RELOADING=1");
        let micros = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0);
        assert_eq!(told(&manager), ["READY=1"]);
        server.signal(Signal::TERM);
        assert_eq!(told(&manager)[0], "STOPPING=1");
        assert!(server.wait(PATIENCE).is_some_and(|status| status.success()));
    }
}

#[test]
fn signs_of_life_come_from_workers_and_go_on_while_all_of_them_are_busy() {
    let folder = Folder::new();
    let path = folder.text("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let site = site_with_page()
        .environment("NOTIFY_SOCKET", &path)
        .environment("WATCHDOG_USEC", "100000");
    let server = site.serve(&["--threads", "1", "--max-processes", "1"]);
    let signs = |wanted: usize| {
        let mut bytes = [0; 4096];
        for _ in 0..wanted {
            while manager.recv(&mut bytes).unwrap() != "WATCHDOG=1".len() {}
        }
    };
    signs(5);
    let gate = server.text("gate");
    let mut busy = server.connect();
    let target = format!("/cgi-bin/probe/gate?file={gate}");
    busy.send(request("GET", &target, &[], b""));
    busy.wait_for("first");
    // One in line, too.
    let mut next = server.connect();
    next.send(request("GET", &target, &[], b""));
    signs(5);
    std::fs::write(server.path("gate"), "").unwrap();
    busy.read_response("GET");
}

#[test]
fn a_manager_that_is_not_there_is_named() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("www")).unwrap();
    let socket = folder.text("nobody");
    let ran = run(tollgate()
        .env("NOTIFY_SOCKET", &socket)
        .args(["-l", "127.0.0.1:0"])
        .arg(folder.path("")));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
    let words =
        format!("tollgate: NOTIFY_SOCKET: '{socket}' cannot be told that the server is ready");
    assert!(ran.stderr.starts_with(&words), "{}", ran.stderr);
}

#[test]
fn who_connected_just_before_the_stop_is_answered() {
    // They have a second, which this process may not be given.
    let answered = eventually(2 * PATIENCE, || {
        let mut server = site_with_page().serve(&[]);
        let start = Instant::now();
        let mut client = server.connect();
        // It is accepted after the other.
        let mut last = server.connect();
        last.send(request("GET", "/page.txt", &[], b""));
        last.read_response("GET");
        server.signal(Signal::TERM);
        // That this is closed shows that the server stops.
        last.expect_closed();
        let sent = client.try_send(request("GET", "/page.txt", &[], b""));
        let was_in_time = start.elapsed() < Duration::from_millis(500);
        let answer = client.try_read_response("GET");
        assert!(server.wait(PATIENCE).is_some_and(|status| status.success()));
        assert!(answer.is_ok() || !was_in_time, "{sent:?} {answer:?}");
        answer.is_ok_and(|answer| answer.text() == "a page\n")
    });
    assert!(answered);
}

#[test]
fn who_connected_before_the_stop_and_says_nothing_does_not_hold_it_up() {
    let mut server = site_with_page().serve(&["--drain-timeout", "3600"]);
    let _silent = server.connect();
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some_and(|status| status.success()));
}
