//! What --chroot makes of paths and programs. Each jail has a shell with what that is linked with, and
//! neither /dev nor /proc.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::CapabilitySet;

#[cfg(feature = "sandbox")]
use crate::confine_sandbox::has_landlock;
use crate::support::{
    PATIENCE, Server, Site, eventually, has_ended, installed, is_root, may, run, skipped, tollgate,
};

const USER: &str = "61501:61501";

/// A folder to be the root: a shell, a site, and a place to spool in; `None` where it cannot be made.
fn jail(test: &str) -> Option<Site> {
    if !is_root(test) {
        return None;
    }
    if !may(CapabilitySet::SYS_CHROOT) {
        skipped(test, "this root may not change the root of its paths");
        return None;
    }
    let busybox = installed(test, "busybox")?;
    let site = Site::bare();
    copy(&busybox, &site.path("jail/bin/busybox"));
    let linked = run(Command::new("ldd").arg(&busybox)).stdout;
    // A static one has none.
    for library in linked
        .split_ascii_whitespace()
        .filter(|it| it.starts_with('/'))
    {
        copy(Path::new(library), &site.path(&format!("jail{library}")));
    }
    site.file("jail/www/page.txt", "a page inside");
    site.script(
        "jail/cgi-bin/do",
        "#!/bin/busybox sh\nprintf 'Content-Type: text/plain\\n\\n'\neval \"$(busybox cat)\" 2>&1\n",
    );
    fs::create_dir(site.path("jail/tmp")).unwrap();
    fs::set_permissions(site.path("jail/tmp"), Permissions::from_mode(0o1777)).unwrap();
    Some(site)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// Serves what is in the jail: ROOT is a path inside.
fn serve(site: Site, arguments: &[&str]) -> Server {
    let root = site.text("jail");
    let inside = [
        "--chroot",
        &root,
        "--user",
        USER,
        "-s",
        "/=/www",
        "-c",
        "/cgi-bin/=cgi-bin",
    ];
    // The one that the jail has, whatever the tests have.
    let site = site.environment("TMPDIR", "/tmp");
    site.serve(&[&inside, arguments].concat())
}

fn told(server: &Server, commands: &str) -> String {
    let response = server.post("/cgi-bin/do", commands.as_bytes());
    assert_eq!(response.status, 200, "{}", server.log());
    response.text()
}

fn kill_spawners(server: &Server) {
    for spawner in server.spawners() {
        kill_process(Pid::from_raw(spawner).unwrap(), Signal::KILL).unwrap();
        assert!(eventually(PATIENCE, || has_ended(spawner)));
    }
}

#[test]
fn files_and_programs_are_inside_and_the_log_outside() {
    let Some(site) = jail("files_and_programs_are_inside_and_the_log_outside") else {
        return;
    };
    let server = serve(site, &[]);
    let inside = server.path("jail");
    for pid in [&[server.pid()], &*server.spawners()].concat() {
        let root = fs::read_link(format!("/proc/{pid}/root")).unwrap();
        assert_eq!(root, inside);
        let folder = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
        assert!(folder.starts_with(&inside), "{}", folder.display());
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(
            status.contains("\nUid:\t61501\t61501\t61501\t61501\n"),
            "{status}"
        );
    }
    assert!(!server.spawners().is_empty());
    assert_eq!(server.get("/page.txt").text(), "a page inside");
    let text = told(
        &server,
        "busybox id -u; busybox id -g; pwd; busybox ls /; echo x > /bin/x",
    );
    let beginning = "61501\n61501\n/cgi-bin\nbin\ncgi-bin\n";
    assert!(
        text.starts_with(beginning) && text.contains("\ntmp\nwww\n"),
        "{text}"
    );
    assert!(text.contains("Permission denied"), "{text}");
    // To disk inside.
    let body = vec![b' '; 1 << 20];
    assert_eq!(server.post("/cgi-bin/do", &body).status, 200);
    server.wait_for_access("/cgi-bin/do");
}

#[test]
fn the_log_stays_when_it_cannot_be_opened_anew() {
    let Some(site) = jail("the_log_stays_when_it_cannot_be_opened_anew") else {
        return;
    };
    let socket = site.text("socket");
    let site = site.listen(&["127.0.0.1:0", &format!("unix:{socket}")]);
    let inside = site.path("jail").join(socket.trim_start_matches('/'));
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::set_permissions(inside.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
    fs::write(&inside, "").unwrap();
    let mut server = serve(site, &[]);
    server.signal(Signal::HUP);
    server.wait_for_log("copytruncate of logrotate");
    server.get("/page.txt");
    server.wait_for_access("/page.txt");
    // A file inside that is called as the socket outside is not what is removed at the end.
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some());
    assert!(inside.exists());
}

#[cfg(feature = "sandbox")]
#[test]
fn limits_and_the_sandbox_hold_inside() {
    let test = "limits_and_the_sandbox_hold_inside";
    let Some(site) = jail(test).filter(|_| has_landlock(test, 1)) else {
        return;
    };
    // Whose mode would let everybody write to it.
    fs::create_dir(site.path("jail/other")).unwrap();
    fs::set_permissions(site.path("jail/other"), Permissions::from_mode(0o777)).unwrap();
    let server = serve(
        site,
        &[
            "--limit",
            "files=32,memory=256M",
            "--sandbox",
            "--allow-write",
            "/tmp",
        ],
    );
    assert_eq!(
        told(&server, "ulimit -n; ulimit -Hn; ulimit -n 33 || echo kept")
            .lines()
            .take(2)
            .collect::<Vec<_>>(),
        ["32"; 2]
    );
    assert_eq!(told(&server, "echo x > /tmp/x && echo made"), "made\n");
    let text = told(&server, "(echo x > /other/x) && echo made || echo refused");
    assert!(text.ends_with("refused\n"), "{text}");
    assert!(!server.path("jail/other/x").exists());
}

/// Without /proc a link may lead to what is run: then nobody can tell.
#[test]
fn files_beside_scripts_are_sent_unless_a_link_leads_to_them() {
    let Some(site) = jail("files_beside_scripts_are_sent_unless_a_link_leads_to_them") else {
        return;
    };
    site.file("jail/www/script.sh", "the source");
    for (target, link) in [("script.sh", "source"), ("page.txt", "link.txt")] {
        symlink(target, site.path(&format!("jail/www/{link}"))).unwrap();
    }
    let server = serve(site, &["-c", ".sh=/bin/busybox"]);
    assert_eq!(server.get("/page.txt").text(), "a page inside");
    for target in ["/source", "/link.txt"] {
        assert_eq!(server.get(target).status, 500, "{target}");
        server.expect_access(target, 500, "file.failed");
    }
    server.wait_for_log("link.txt: without /proc it cannot be told whether it is a program");
}

/// Without /proc no other spawner can be had: the server starts programs itself, if that undoes nothing.
#[test]
fn without_spawners_programs_are_started_or_refused_but_never_free() {
    let test = "without_spawners_programs_are_started_or_refused_but_never_free";
    let (Some(plain), Some(limited)) = (jail(test), jail(test)) else {
        return;
    };
    let server = serve(plain, &[]);
    kill_spawners(&server);
    let text = told(&server, "busybox id -u; echo x > /dev/null || echo none");
    assert!(
        text.starts_with("61501\n") && text.ends_with("\nnone\n"),
        "{text}"
    );
    let server = serve(limited, &["--limit", "files=32"]);
    kill_spawners(&server);
    let response = server.post("/cgi-bin/do", b"ulimit -n");
    assert_eq!(response.status, 503, "{}", response.text());
    server.expect_access("/cgi-bin/do", 503, "cgi.spawn-failed");
    server.wait_for_log("there is no spawner, which alone could confine it");
    assert_eq!(server.get("/page.txt").status, 200);
}

#[test]
fn what_is_missing_inside_is_told() {
    let Some(site) = jail("what_is_missing_inside_is_told") else {
        return;
    };
    let root = site.text("jail");
    let start = |root: &str, folder: &str| {
        let mut command = tollgate();
        command.args(["-l", "127.0.0.1:0", "--user", USER, "--chroot", root]);
        run(command.args(["-s", folder]).env("TMPDIR", "/tmp"))
    };
    let ran = start(&root, &format!("/={root}/www"));
    assert_eq!(ran.status.code(), Some(2));
    let line = format!("tollgate: --static: '{root}/www' cannot be opened as a folder");
    assert!(ran.stderr.starts_with(&line), "{}", ran.stderr);
    fs::remove_dir(site.path("jail/tmp")).unwrap();
    let ran = start(&root, "/=/www");
    assert_eq!(ran.status.code(), Some(2));
    let words = "has no folder /tmp for request bodies to wait in; make one";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let missing = site.text("missing");
    let ran = start(&missing, "/=/www");
    let line = format!(
        "tollgate: --chroot: '{missing}' cannot be made the root (No such file or directory (os error \
         2))\n"
    );
    assert_eq!((ran.status.code(), ran.stderr), (Some(2), line));
}

#[cfg(feature = "fastcgi")]
#[test]
fn processes_of_exec_are_inside() {
    let Some(site) = jail("processes_of_exec_are_inside") else {
        return;
    };
    let route = "/app/=exec:/bin/busybox sleep 60 | processes=2";
    let server = serve(site, &["--limit", "files=32", "-f", route]);
    assert!(eventually(PATIENCE, || server.children().len() == 2));
    for child in server.children() {
        let root = fs::read_link(format!("/proc/{child}/root")).unwrap();
        assert_eq!(root, server.path("jail"));
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap();
        assert!(status.contains("\nUid:\t61501\t"), "{status}");
        let limits = fs::read_to_string(format!("/proc/{child}/limits")).unwrap();
        assert!(limits.contains("Max open files            32"), "{limits}");
    }
}
