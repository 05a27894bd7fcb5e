//! What programs are kept from: --limit, --nice, --allow-setuid.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::support::{PATIENCE, Server, Site, eventually, has_ended, is_root, request, run};

/// A script that prints a page of what a shell has to say.
fn script(commands: &str) -> String {
    format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n{commands}\n")
}

/// A line of /proc/self/limits, as soft and hard limit.
fn limit(limits: &str, name: &str) -> [String; 2] {
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("{name} in {limits}"));
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    [words.next().unwrap(), words.next().unwrap()]
}

fn limits_of(server: &Server) -> String {
    let response = server.get("/cgi-bin/limits");
    assert_eq!(response.status, 200, "{}", server.log());
    response.text()
}

fn site_with_limits() -> Site {
    let site = Site::new();
    site.script("cgi-bin/limits", script("cat /proc/self/limits"));
    site
}

const ALL: &str = "cpu=7,memory=512M,files=40,file-size=3M";

#[track_caller]
fn expect_all(limits: &str) {
    assert_eq!(limit(limits, "Max address space"), ["536870912"; 2]);
    assert_eq!(limit(limits, "Max open files"), ["40"; 2]);
    assert_eq!(limit(limits, "Max file size"), ["3145728"; 2]);
}

#[test]
fn limits_hold_for_programs_and_not_for_the_server() {
    let server = site_with_limits().serve(&["--limit", ALL]);
    expect_all(&limits_of(&server));
    let own = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    assert_eq!(limit(&own, "Max cpu time"), ["unlimited"; 2]);
    assert_ne!(limit(&own, "Max address space")[0], "536870912");
    assert_ne!(limit(&own, "Max open files")[0], "40");
}

/// It is there as soon as the program can be looked at from outside, where it is set.
#[test]
fn processor_time_is_limited() {
    let site = site_with_limits();
    let wait = "while ! grep -q 'Max cpu time  *7  *8 ' /proc/self/limits; do :; done; echo set";
    site.script("cgi-bin/wait", script(wait));
    let server = site.serve(&["--limit", ALL]);
    assert_eq!(server.get("/cgi-bin/wait").text(), "set\n");
}

/// What it starts at once has it too, as it is inherited from the spawner, which lives on past it.
#[test]
fn the_limit_of_processor_time_is_inherited() {
    let site = site_with_limits();
    site.script("cgi-bin/ignored", script("grep SigIgn /proc/self/status"));
    let server = site.serve(&["--limit", ALL]);
    let read = |pid| fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let most = limit(&read(server.pid()), "Max cpu time")[1].clone();
    limits_of(&server);
    let spawners = server.spawners();
    assert_eq!(spawners.len(), 1);
    let pid = rustix::process::Pid::from_raw(spawners[0]);
    let seven = ["7".to_owned(), most];
    assert_eq!(limit(&read(spawners[0]), "Max cpu time"), seven);
    // As the kernel does when it has used up that much.
    kill_process(pid.unwrap(), Signal::XCPU).unwrap();
    let raised = Rlimit {
        current: Some(8),
        ..getrlimit(Resource::Cpu)
    };
    prlimit(pid, Resource::Cpu, raised).unwrap();
    let ignored = server.get("/cgi-bin/ignored").text();
    let mask = ignored.split_ascii_whitespace().nth(1).unwrap();
    let mask = u64::from_str_radix(mask, 16).unwrap();
    assert_eq!(mask & 1 << (Signal::XCPU.as_raw() - 1), 0, "{ignored}");
    assert_eq!(server.spawners(), spawners);
    assert_eq!(limit(&read(spawners[0]), "Max cpu time"), seven);
}

/// Nothing can be set on it once it is another user's.
#[test]
fn a_program_with_a_set_user_id_bit_runs_with_what_it_inherited() {
    if !is_root("a_program_with_a_set_user_id_bit_runs_with_what_it_inherited") {
        return;
    }
    let site = Site::new();
    let program = site.path("cgi-bin/other");
    // By a process of its own: one that this test forks could have it open for writing while it is run.
    let mut copy = std::process::Command::new("cp");
    let copied = run(copy.arg(site.path("cgi-bin/probe")).arg(&program));
    assert!(copied.status.success(), "{}", copied.stderr);
    std::os::unix::fs::chown(&program, Some(61302), None).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let user = ["--user", "61303:61303", "--allow-setuid"];
    let server = site.serve(&[&user[..], &["--limit", "cpu=7"]].concat());
    for _ in 0..10 {
        let response = server.get("/cgi-bin/other/hello");
        let told = (response.status, response.text());
        assert_eq!(told, (200, "hello\n".to_owned()), "{}", server.log());
    }
}

/// A second of processor time may take long where there is little of it.
#[test]
fn a_program_that_uses_up_its_processor_time_is_ended_and_that_is_told() {
    let site = Site::new();
    let spin = "while :; do :; done\n";
    site.script("cgi-bin/spin", format!("#!/bin/sh\n{spin}"));
    site.script("cgi-bin/deaf", format!("#!/bin/sh\ntrap '' XCPU\n{spin}"));
    let server = site.serve(&["--limit", "cpu=1", "--cgi-timeout", "600"]);
    let cases = [
        ("/cgi-bin/spin", "504", "cgi.cpu-limit"),
        ("/cgi-bin/deaf", "502", "cgi.killed"),
    ];
    let clients = cases.map(|(target, ..)| {
        let mut client = server.connect();
        client.send(request("GET", target, &[], b""));
        client
    });
    for (target, status, reason) in cases {
        let is_told = |line: &str| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            words.contains(&target) && words.contains(&status) && words.contains(&reason)
        };
        let told = || server.access_log().lines().any(is_told);
        assert!(eventually(10 * PATIENCE, told), "{}", server.log());
    }
    drop(clients);
    server.wait_for_log("its limit of processor time");
    server.wait_until_childless();
}

#[test]
fn a_program_that_writes_without_end_is_ended_and_that_is_told() {
    let site = Site::new();
    let file = site.path("written");
    let text = format!("#!/bin/sh\nexec cat /dev/zero > {}\n", file.display());
    site.script("cgi-bin/write", text);
    let server = site.serve(&["--limit", "file-size=64K"]);
    assert_eq!(server.get("/cgi-bin/write").status, 500);
    server.expect_access("/cgi-bin/write", 500, "cgi.file-limit");
    server.wait_for_log("its limit of a file's size");
    assert_eq!(fs::metadata(file).unwrap().len(), 64 << 10);
}

#[test]
fn memory_and_descriptors_come_to_an_end() {
    let site = Site::new();
    let text = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null && echo got || echo none";
    site.script("cgi-bin/memory", script(text));
    site.script("cgi-bin/files", script("ulimit -n; ulimit -Hn"));
    let server = site.serve(&["--limit", "memory=64M,files=16"]);
    assert_eq!(server.get("/cgi-bin/memory").text(), "none\n");
    assert_eq!(server.get("/cgi-bin/files").text(), "16\n16\n");
}

/// A spawner that may have few descriptors itself leaves the others to more of its kind.
#[test]
fn few_descriptors_for_each_are_enough_for_many_programs() {
    let site = Site::new();
    let server = site.serve(&["--limit", "files=16", "--max-processes", "12"]);
    let gate = server.path("gate");
    let target = format!("/cgi-bin/probe/gate?file={}", gate.display());
    let request = request("GET", &target, &[], b"");
    let mut clients: Vec<_> = (0..12).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(&request);
    }
    assert!(
        eventually(PATIENCE, || server.children().len() == 12),
        "{}",
        server.log()
    );
    fs::write(&gate, "").unwrap();
    for client in &mut clients {
        let response = client.read_response("GET");
        assert_eq!(
            (response.status, &*response.text()),
            (200, "first\nsecond\n")
        );
    }
}

#[test]
fn processes_are_counted_for_all_programs_together() {
    if !is_root("processes_are_counted_for_all_programs_together") {
        return;
    }
    let site = Site::new();
    // Each waits for the end of its own input, which is the end of the script.
    let fork = "echo begins; i=0; while [ $i -lt 40 ]; do sleep 60 >&- 2>&- & i=$((i+1)); done; echo forked";
    site.script("cgi-bin/fork", script(fork));
    site.script("cgi-bin/hello", script("echo hello"));
    // A user of this run alone, since all that it has is counted.
    let uid = 1_000_000_000 + std::process::id();
    let _leftovers = Leftovers(uid);
    let user = format!("{uid}:{uid}");
    let user = ["--user", &user];
    let few = ["--limit", "processes=10"];
    let server = site.serve(&[user, few].concat());
    assert_eq!(server.get("/cgi-bin/hello").text(), "hello\n");
    let response = server.get("/cgi-bin/fork");
    assert_eq!(response.text(), "begins\n", "{}", server.log());
    assert_eq!(server.get("/page").status, 404);
}

/// The processes of a user, which are ended with the test.
struct Leftovers(u32);

impl Drop for Leftovers {
    fn drop(&mut self) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let pid = name.parse().ok().and_then(rustix::process::Pid::from_raw);
            let is_theirs = entry.metadata().is_ok_and(|it| it.uid() == self.0);
            if let (Some(pid), true) = (pid, is_theirs) {
                // It may have ended meanwhile.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

#[test]
fn a_nice_program_stands_back() {
    let site = Site::new();
    site.script("cgi-bin/nice", script("cut -d' ' -f19 /proc/self/stat"));
    let nice_of =
        |server: &Server| -> i32 { server.get("/cgi-bin/nice").text().trim().parse().unwrap() };
    let server = site.serve(&["--nice", "5"]);
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let own: i32 = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_ascii_whitespace()
        .nth(16)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(nice_of(&server), (own + 5).min(19));
}

#[test]
fn programs_gain_no_rights_unless_that_is_allowed() {
    let text = "grep NoNewPrivs /proc/self/status";
    for (option, found) in [
        (None, "NoNewPrivs:\t1\n"),
        (Some("--allow-setuid"), "NoNewPrivs:\t0\n"),
    ] {
        let site = Site::new();
        site.script("cgi-bin/privs", script(text));
        let server = site.serve(option.as_slice());
        let own = fs::read_to_string("/proc/self/status").unwrap();
        if own.contains("NoNewPrivs:\t1") {
            return crate::support::skipped(
                "programs_gain_no_rights",
                "the tests may gain none either",
            );
        }
        assert_eq!(server.get("/cgi-bin/privs").text(), found);
    }
}

/// A server that cannot have a spawner must not start the program without its limits.
#[test]
fn a_spawner_that_was_killed_is_replaced_by_one_with_the_same_limits() {
    let server = site_with_limits().serve(&["--limit", ALL]);
    for _ in 0..3 {
        expect_all(&limits_of(&server));
        for spawner in server.spawners() {
            let pid = rustix::process::Pid::from_raw(spawner).unwrap();
            kill_process(pid, Signal::KILL).unwrap();
            assert!(eventually(PATIENCE, || has_ended(spawner)));
        }
    }
}

/// More than an order may hold; otherwise such a program is started by the server itself.
#[test]
fn what_no_spawner_can_start_is_not_started_without_limits() {
    let server = site_with_limits().serve(&["--limit", ALL, "--max-header", "1M"]);
    let long = format!("X-Long: {}", "x".repeat(130 << 10));
    let response = server.fetch("GET", "/cgi-bin/limits", &[&long], b"");
    assert_eq!(response.status, 431);
    server.expect_access("/cgi-bin/limits", 431, "cgi.arguments-too-long");
}

#[test]
fn a_limit_is_never_above_that_of_the_server() {
    let server = site_with_limits().serve(&["--limit", "files=1048576"]);
    let own = fs::read_to_string("/proc/self/limits").unwrap();
    let most: u64 = limit(&own, "Max open files")[1].parse().unwrap();
    let expected = most.min(1 << 20).to_string();
    assert_eq!(
        limit(&limits_of(&server), "Max open files"),
        [expected.clone(), expected]
    );
}
