//! What the server does without where the kernel is old, or a filter keeps system calls from it
//! (`tests/support/kernel_without.py`): what it says at the start, and what is served all the same.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::process::Signal;

use crate::support::{PATIENCE, Server, Site, eventually, installed, run, skipped, tollgate};

/// What answers as such a kernel would.
const WITHOUT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/support/kernel_without.py"
);

/// Every call that came after [`OLDEST`](tollgate::sys::kernel::OLDEST).
const NEW: &str = "since-3.18";

fn has_filter(test: &str) -> bool {
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        skipped(test, "the calls of this processor are not known by number");
        return false;
    }
    installed(test, "python3").is_some()
}

/// The shell's words that have what comes after them run without these calls.
fn without(calls: &str) -> String {
    format!("exec python3 '{WITHOUT}' {calls} \"$0\" \"$@\"")
}

/// A site with a file, a long one, and a link to a file beside it.
fn site() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site.file("www/long.txt", vec![b'x'; 3 << 20]);
    symlink("page.txt", site.path("www/link.txt")).unwrap();
    site
}

/// Files, programs, bodies and ends are as ever.
#[track_caller]
fn expect_served(server: &Server) {
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    assert_eq!(server.get("/long.txt").body.len(), 3 << 20);
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    // In memory, in a pipe, and on disk.
    for len in [10, 60_000, 2 << 20] {
        let response = server.post("/cgi-bin/probe/stdin", &vec![b'x'; len]);
        let told = format!("told {len}, read {len}\n");
        assert!(response.text().starts_with(&told), "{}", server.log());
    }
    let mut client = server.run_until_gate();
    assert_eq!(server.children().len(), 1);
    server.file("gate", "");
    client.wait_for("second");
    drop(client);
    // Nobody is left that ran for somebody who is gone.
    let _gone = server.run_until_gate();
    server.wait_until_childless();
}

#[test]
fn without_openat2_all_is_served_but_links() {
    if !has_filter("without_openat2_all_is_served_but_links") {
        return;
    }
    let whole = site().serve(&[]);
    assert_eq!(whole.get("/link.txt").text(), "a page\n");
    assert!(
        !whole.log().contains("the kernel has no"),
        "{}",
        whole.log()
    );
    let server = site().after(&without("openat2")).serve(&[]);
    server.wait_for_log("WARN  the kernel has no openat2");
    assert_eq!(server.get("/link.txt").status, 403);
    expect_served(&server);
    // One, or another beside it where that one was busy.
    assert!(!server.spawners().is_empty());
    server.end();
}

#[test]
fn without_pidfds_the_server_starts_programs_itself() {
    if !has_filter("without_pidfds_the_server_starts_programs_itself") {
        return;
    }
    let server = site()
        .after(&without("pidfd_open"))
        .serve(&["--cgi-timeout", "1"]);
    server.wait_for_log("WARN  the kernel has no pidfds");
    expect_served(&server);
    let silent = format!("/cgi-bin/probe/silent?file={}", server.text("pid"));
    assert_eq!(server.get(&silent).status, 504);
    server.wait_until_childless();
    assert_eq!(server.spawners(), [0; 0]);
    server.end();
}

/// What only a spawner can do is refused, by name.
#[test]
fn without_pidfds_nothing_is_left_unconfined() {
    if !has_filter("without_pidfds_nothing_is_left_unconfined") {
        return;
    }
    let said = refused("pidfd_open", &["--limit", "files=64"], &site());
    assert!(said.contains("tollgate: --limit"), "{said}");
    assert!(said.contains("no pidfds (before 5.3)"), "{said}");
}

#[test]
fn without_landlock_a_sandbox_is_told_to_be_none() {
    if !cfg!(feature = "sandbox") || !has_filter("without_landlock_a_sandbox_is_told_to_be_none") {
        return;
    }
    let server = site()
        .after(&without("landlock_create_ruleset"))
        .serve(&["--sandbox"]);
    server.wait_for_log("--sandbox: this kernel has no Landlock");
    expect_served(&server);
}

#[test]
fn the_oldest_kernel_serves_all() {
    if !has_filter("the_oldest_kernel_serves_all") {
        return;
    }
    let server = site().after(&without(NEW)).serve(&["--listing"]);
    server.wait_for_log("openat2");
    server.wait_for_log("pidfds");
    expect_served(&server);
    let printed = server.get("/cgi-bin/probe/flood?bytes=5000000");
    assert_eq!(printed.status, 200, "{}", server.log());
    fs::rename(server.path("access.log"), server.path("old.log")).unwrap();
    server.signal(Signal::HUP);
    let log = server.path("access.log");
    assert!(eventually(PATIENCE, || log.exists()), "{}", server.log());
    assert!(server.get("/?").status < 500, "{}", server.log());
    server.end();
}

/// A socket cannot be taken over without a call of its own.
#[test]
fn a_socket_that_an_old_kernel_cannot_hand_over_is_named() {
    if !has_filter("a_socket_that_an_old_kernel_cannot_hand_over_is_named") {
        return;
    }
    for call in ["pidfd_open", "pidfd_getfd"] {
        let site = site();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = format!(
            "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; {}",
            without(call)
        );
        let mut command = shell(&line, &[], &site);
        command.stdin(std::os::fd::OwnedFd::from(socket));
        let ran = command.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("LISTEN_FDS"), "{said}");
        assert!(said.contains("that wants Linux 5.6"), "{said}");
    }
}

/// What there is no way around.
#[test]
fn a_kernel_that_is_too_old_is_told_so() {
    if !has_filter("a_kernel_that_is_too_old_is_told_so") {
        return;
    }
    for call in ["epoll_create1", "eventfd2"] {
        let said = refused(call, &[], &site());
        assert!(said.contains("Linux 3.17 has it"), "{call}: {said}");
    }
}

/// The server's words without this call: it does not start.
#[track_caller]
fn refused(call: &str, arguments: &[&str], site: &Site) -> String {
    let ran = run(&mut shell(&without(call), arguments, site));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
    ran.stderr
}

/// The server, started from a shell.
fn shell(line: &str, arguments: &[&str], site: &Site) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).arg(tollgate().get_program());
    command.args(["--listen", "127.0.0.1:0", "--allow-root"]);
    command.args(arguments).arg(site.path(""));
    command
}
