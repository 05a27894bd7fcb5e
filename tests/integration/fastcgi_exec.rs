//! Applications that the server starts itself (`exec:`): how many processes there are, what they find
//! when they start, and what follows when they end (FastCGI 1.0 sections 2 and 7).
//!
//! The application is this very test binary, asked for [`application`] alone.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use tollgate::proto::fastcgi::params::decode_pairs;
use tollgate::proto::fastcgi::record::{
    EndRequest, HEADER_LEN, ProtocolStatus, RecordHeader, RecordType,
};

use crate::support::{
    Client, PATIENCE, Server, Site, eventually, has_ended, published_pids, request, run, tollgate,
};

/// Set for the process that is to be the application: `unix` or `tcp`.
const ROLE: &str = "TEST_APPLICATION";

/// No test but the program that the tests have the server run: answers one request after another, as the
/// path says.
#[test]
#[ignore = "the program that other tests run"]
fn application() {
    let Ok(role) = env::var(ROLE) else {
        return;
    };
    let socket = io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut name = Vec::new();
    if role == "tcp" {
        for connection in TcpListener::from(socket).incoming() {
            converse(connection.unwrap(), &name);
        }
    } else {
        let listener = UnixListener::from(socket);
        let address = listener.local_addr().unwrap();
        let path = address.as_pathname().unwrap().to_str().unwrap();
        name.extend_from_slice(path.as_bytes());
        for connection in listener.incoming() {
            converse(connection.unwrap(), &name);
        }
    }
}

fn converse(mut connection: impl Read + Write, own_name: &[u8]) {
    let mut params = Vec::new();
    let mut keeps = false;
    loop {
        let mut header = [0; HEADER_LEN];
        if connection.read_exact(&mut header).is_err() {
            return;
        }
        let header = RecordHeader::decode(&header).unwrap();
        let mut content = vec![0; usize::from(header.content_len)];
        connection.read_exact(&mut content).unwrap();
        let mut padding = vec![0; usize::from(header.padding_len)];
        connection.read_exact(&mut padding).unwrap();
        const BEGIN: u8 = RecordType::BeginRequest as u8;
        const PARAMS: u8 = RecordType::Params as u8;
        const STDIN: u8 = RecordType::Stdin as u8;
        match header.record_type {
            BEGIN => keeps = content[2] & 1 == 1,
            PARAMS => params.append(&mut content),
            STDIN if content.is_empty() => {
                answer(&mut connection, &params, own_name);
                params.clear();
                if !keeps {
                    return;
                }
            }
            _ => {}
        }
    }
}

fn answer(connection: &mut impl Write, params: &[u8], own_name: &[u8]) {
    let params = decode_pairs(params).unwrap();
    let param = |wanted: &str| {
        let found = params.iter().find(|(name, _)| *name == wanted.as_bytes());
        found.map_or("", |(_, value)| std::str::from_utf8(value).unwrap())
    };
    let file = Path::new(param("QUERY_STRING"));
    let mut last = None;
    let page = match param("PATH_INFO").trim_start_matches('/') {
        "socket" => own_name.to_vec(),
        "environment" => {
            let mut lines: Vec<String> = env::vars()
                .map(|(name, value)| format!("{name}={value}\n"))
                .collect();
            lines.sort();
            lines.concat().into_bytes()
        }
        "command" => fs::read("/proc/self/cmdline").unwrap(),
        "folder" => env::current_dir()
            .unwrap()
            .into_os_string()
            .into_encoded_bytes(),
        "print" => {
            println!("printed on stdout");
            eprintln!("printed on stderr");
            Vec::new()
        }
        "hold" => {
            let here = file.with_extension(process::id().to_string());
            fs::write(here, "").unwrap();
            assert!(eventually(PATIENCE, || file.exists()));
            process::id().to_string().into_bytes()
        }
        "crash" => process::exit(7),
        "end" => {
            last = Some(0);
            process::id().to_string().into_bytes()
        }
        _ => process::id().to_string().into_bytes(),
    };
    let mut reply = Vec::new();
    let stdout = [b"Content-Type: text/plain\n\n", &page[..]].concat();
    put(&mut reply, RecordType::Stdout, &stdout);
    put(&mut reply, RecordType::Stdout, b"");
    let end = EndRequest {
        app_status: 0,
        protocol_status: ProtocolStatus::RequestComplete,
    };
    put(&mut reply, RecordType::EndRequest, &end.encode());
    // A client that is gone is no reason to end.
    let _ = connection.write_all(&reply);
    if let Some(status) = last {
        process::exit(status);
    }
}

fn put(reply: &mut Vec<u8>, record_type: RecordType, content: &[u8]) {
    let header = RecordHeader {
        record_type: record_type as u8,
        request_id: 1,
        content_len: content.len().try_into().unwrap(),
        padding_len: 0,
    };
    reply.extend_from_slice(&header.encode());
    reply.extend_from_slice(content);
}

/// A server that runs the application below `/app/`, with its temporary files in `tmp` of its site.
pub(crate) fn serve(options: &str, arguments: &[&str]) -> Server {
    let own = env::current_exe().unwrap();
    let command = format!(
        "'{}' fastcgi_exec::application --exact --ignored --nocapture",
        own.display()
    );
    serve_command(&command, options, arguments)
}

fn serve_command(command: &str, options: &str, arguments: &[&str]) -> Server {
    let site = Site::new();
    let temporary = site.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let role = match options.contains("socket=tcp") {
        true => "tcp",
        false => "unix",
    };
    let route = format!("/app/=exec:{command}|{options}");
    let role = format!("{ROLE}={role}");
    let site = site.environment("TMPDIR", temporary.to_str().unwrap());
    site.serve(&[&["--fastcgi", &route, "--env", &role], arguments].concat())
}

/// The page at a path below `/app/`.
#[track_caller]
pub(crate) fn page(server: &Server, path: &str) -> String {
    let response = server.get(&format!("/app/{path}"));
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.text()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Asks for a page that comes once `gate` exists; returns what comes.
fn hold(server: &Server, gate: &Path) -> thread::JoinHandle<String> {
    let mut client = server.connect();
    let target = format!("/app/hold?{}", gate.display());
    client.send(request("GET", &target, &[], b""));
    thread::spawn(move || client.read_response("GET").text())
}

/// How many processes hold a request before `gate`.
fn held(gate: &Path) -> usize {
    held_by(gate).len()
}

/// Which processes hold a request before `gate`.
fn held_by(gate: &Path) -> Vec<String> {
    let start = format!("{}.", gate.file_stem().unwrap().to_str().unwrap());
    let entries = fs::read_dir(gate.parent().unwrap()).unwrap();
    entries
        .filter_map(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str()
                .unwrap()
                .strip_prefix(&start)
                .map(str::to_owned)
        })
        .collect()
}

#[test]
fn a_program_finds_what_it_is_to_find() {
    let own = env::current_exe().unwrap();
    let server = serve("processes=1", &["--env", "NAME=a value"]);
    let environment = page(&server, "environment");
    for line in ["NAME=a value", "TEST_APPLICATION=unix"] {
        assert!(environment.lines().any(|it| it == line), "{environment}");
    }
    assert!(environment.lines().any(|it| it.starts_with("PATH=/")));
    assert!(
        !environment.contains("FCGI_WEB_SERVER_ADDRS"),
        "{environment}"
    );
    assert!(!environment.contains("TMPDIR"), "{environment}");

    let command = page(&server, "command");
    let name = own.file_name().unwrap().to_str().unwrap();
    assert!(command.starts_with(&format!("{name}\0fastcgi_exec::application\0--exact\0")));
    assert_eq!(Path::new(&page(&server, "folder")), own.parent().unwrap());

    let socket = PathBuf::from(page(&server, "socket"));
    assert_eq!(mode(&socket), 0o600);
    let folder = socket.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    assert_eq!(folder.parent().unwrap(), server.path("tmp"));
}

#[test]
fn over_tcp_it_is_told_who_may_connect() {
    let server = serve("processes=1,socket=tcp", &[]);
    let environment = page(&server, "environment");
    let line = "FCGI_WEB_SERVER_ADDRS=127.0.0.1";
    assert!(environment.lines().any(|it| it == line), "{environment}");
    assert!(is_empty(&server.path("tmp")));
}

#[test]
fn what_it_prints_goes_to_the_log_with_its_name() {
    let server = serve("processes=1", &[]);
    let pid = page(&server, "");
    page(&server, "print");
    for line in ["printed on stdout", "printed on stderr"] {
        let found = server.wait_for_log(line);
        assert!(found.contains(&format!("[{pid}]: {line}")), "{found}");
    }
}

#[test]
fn a_process_serves_request_after_request() {
    let server = serve("processes=1", &[]);
    let pid = page(&server, "");
    for _ in 0..20 {
        assert_eq!(page(&server, ""), pid);
    }
    assert_eq!(server.children(), [pid.parse::<i32>().unwrap()]);
}

#[test]
fn there_are_more_processes_while_all_are_busy() {
    let server = serve("processes=1-3,idle=0.3", &[]);
    page(&server, "");
    assert_eq!(server.children().len(), 1);
    let gate = server.path("gate");
    let requests: Vec<_> = (0..5).map(|_| hold(&server, &gate)).collect();
    assert!(eventually(PATIENCE, || held(&gate) == 3));
    assert_eq!(server.children().len(), 3);
    fs::write(&gate, "").unwrap();
    let pids: HashSet<String> = requests.into_iter().map(|it| it.join().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    // Those above the least number end when there is nothing to do.
    assert!(eventually(PATIENCE, || server.children().len() == 1));
    server.wait_for_log("is ended, as it had nothing to do");
    page(&server, "");
}

#[test]
fn processes_are_replaced_after_their_requests_and_no_request_fails() {
    for (options, most) in [
        ("processes=2,requests=5", 2),
        ("processes=1-2,requests=5", 2),
    ] {
        let server = serve(options, &[]);
        // A process serves on until the next one accepts, however many requests that takes.
        let pids = Mutex::new(HashSet::new());
        let start = Instant::now();
        let client = || {
            let mut asked = 0;
            while asked < 25 || pids.lock().unwrap().len() <= 2 {
                assert!(start.elapsed() < PATIENCE, "{options}: {pids:?}");
                // One that must not be repeated, so that a failure shows.
                let answer = server.post("/app/", b"");
                assert_eq!(answer.status, 200, "{answer:?}");
                pids.lock().unwrap().insert(answer.text());
                asked += 1;
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(client);
            }
        });
        assert!(eventually(PATIENCE, || server.children().len() <= most));
        server.wait_for_log("is ended, as it was given all its requests");
    }
}

#[test]
fn a_process_that_ends_by_itself_is_started_again() {
    let server = serve("processes=1", &[]);
    let mut pids = HashSet::new();
    for _ in 0..5 {
        assert!(pids.insert(page(&server, "end")));
    }
    server.wait_for_log("ended by itself with exit status 0");
}

#[test]
fn a_crash_fails_its_own_request_alone() {
    let server = serve("processes=1", &[]);
    let pid = page(&server, "");
    let response = server.post("/app/crash", b"");
    assert_eq!(response.status, 502);
    server.expect_access("/app/crash", 502, "fastcgi.closed");
    let line = server.wait_for_log("ended with exit status 7");
    assert!(line.contains("it is started again in 0.25 s"), "{line}");
    assert_ne!(page(&server, ""), pid);
}

#[test]
fn a_program_that_always_fails_is_started_ever_more_seldom() {
    let server = serve_command(
        "/bin/sh -c 'echo no luck >&2; exit 3'",
        "processes=1-4",
        &[],
    );
    for pause in ["0.25", "0.5", "1"] {
        let line = server.wait_for_log(&format!("; it is started again in {pause} s"));
        assert!(line.contains("ended with exit status 3"), "{line}");
        assert!(line.contains("its last words were \"no luck\""), "{line}");
    }
    // A file is served all the same.
    assert_eq!(server.get("/cgi-bin/probe/hello").status, 200);
}

#[test]
fn a_program_that_is_not_there_keeps_the_server_from_starting() {
    let site = Site::new();
    let file = site.file("plain", "");
    for program in ["/nowhere/program", file.to_str().unwrap()] {
        let route = format!("/app/=exec:{program}");
        let ran = run(tollgate().args(["-l", "127.0.0.1:0", "-f", &route, &site.text("")]));
        assert_eq!(ran.status.code(), Some(2), "{ran:?}");
        let expected = format!("--fastcgi: '{program}' is no executable file; ");
        assert!(ran.stderr.contains(&expected), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    }
}

#[test]
fn a_request_does_not_wait_for_one_that_was_given_up() {
    let server = serve("processes=2", &["--fastcgi-timeout", "0.5"]);
    let gate = server.path("tmp/gate");
    let target = format!("/app/hold?{}", gate.display());
    assert_eq!(server.get(&target).status, 504);
    let stuck = held_by(&gate);
    assert_eq!(stuck.len(), 1);
    for _ in 0..5 {
        assert_ne!(page(&server, "pid"), stuck[0]);
    }
    // It does not come back, and another one takes its place.
    server.wait_for_log("does not come back from a request");
    let pid = stuck[0].parse().unwrap();
    assert!(eventually(PATIENCE, || has_ended(pid)));
}

#[test]
fn nothing_is_left_behind_when_the_server_ends() {
    // A program that is deaf, and has a child.
    let pids = Site::bare();
    let file = pids.path("pids");
    let shown = file.display();
    let deaf = format!(
        "/bin/sh -c 'trap \"\" TERM; sleep 60 & echo \"$$ $!\" | tr \" \" \"\\n\" >{shown}.new; \
         mv {shown}.new {shown}; while :; do wait; done'"
    );
    let mut server = serve_command(&deaf, "processes=1", &[]);
    let left = published_pids(&file);
    assert_eq!(left.len(), 2);
    server.signal(Signal::TERM);
    let status = server.wait(PATIENCE).unwrap();
    assert!(status.success(), "{status}");
    assert!(eventually(PATIENCE, || left
        .iter()
        .all(|pid| has_ended(*pid))));
    assert!(is_empty(&server.path("tmp")));
}

#[test]
fn a_second_signal_does_not_wait_for_requests_and_leaves_nothing_behind_either() {
    let mut server = serve("processes=2", &["--drain-timeout", "60"]);
    let gate = server.path("gate");
    let mut client = server.connect();
    let target = format!("/app/hold?{}", gate.display());
    client.send(request("GET", &target, &[], b""));
    assert!(eventually(PATIENCE, || held(&gate) == 1));
    let left = server.children();
    assert_eq!(left.len(), 2);
    let address = server.addresses()[0].to_string();
    server.signal(Signal::TERM);
    // One signal that is pending takes up another.
    assert!(eventually(PATIENCE, || Client::try_connect(&address).is_err()));
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some());
    assert!(left.iter().all(|pid| has_ended(*pid)));
    assert!(is_empty(&server.path("tmp")));
}
