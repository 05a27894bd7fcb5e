//! What --sandbox keeps from the server and from programs, and what it leaves to them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tollgate::sys::sandbox::{Access, Signals, enter};

use crate::support::{
    PATIENCE, Server, Site, can_change_user, eventually, has_ended, installed, is_root, run,
    skipped, tollgate,
};

/// The version of Landlock that keeps signals inside.
const SIGNALS: i32 = 6;

/// Whether the kernel has what is tested, which `wanted` is the first version for; asked in a thread, which
/// then is in a sandbox.
pub(crate) fn has_landlock(test: &str, wanted: i32) -> bool {
    let rules = [(Access::Run, PathBuf::from("/"))];
    let version = std::thread::spawn(move || enter(&rules, Signals::Inside).unwrap());
    let version = version.join().unwrap();
    if version < wanted {
        let reason = format!("the kernel has Landlock of version {version}, not {wanted}");
        skipped(test, &reason);
    }
    version >= wanted
}

/// A site with room to spool in, a shell to command, and something that is nobody's business.
fn site() -> Site {
    let site = Site::new();
    for name in ["tmp/.keep", "private/secret", "data/file", "www/page.txt"] {
        site.file(name, name);
    }
    site.script(
        "cgi-bin/do",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\neval \"$(cat)\" 2>&1\n",
    );
    let tmp = site.text("tmp");
    site.environment("TMPDIR", &tmp)
}

fn told(server: &Server, commands: &str) -> String {
    let response = server.post("/cgi-bin/do", commands.as_bytes());
    assert_eq!(response.status, 200, "{}", server.log());
    response.text()
}

#[test]
fn everything_is_served_from_inside() {
    if !has_landlock("everything_is_served_from_inside", 1) {
        return;
    }
    let server = site().serve(&["--sandbox", "--listing"]);
    assert_eq!(server.get("/page.txt").text(), "www/page.txt");
    assert!(server.get("/").text().contains("page.txt"));
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
    assert_eq!(
        told(&server, "echo here > /dev/null; date > /dev/null; echo ok"),
        "ok\n"
    );
    // More than is kept in memory, and than a pipe takes.
    let body = vec![b'x'; 2 << 20];
    let response = server.post("/cgi-bin/probe/stdin", &body);
    assert!(response.text().starts_with("told 2097152, read 2097152\n"));
    server.wait_for_access("/cgi-bin/probe/stdin");
    std::fs::rename(server.path("access.log"), server.path("old.log")).unwrap();
    server.signal(Signal::HUP);
    let log = server.path("access.log");
    assert!(eventually(PATIENCE, || log.exists()), "{}", server.log());
    // Spawners are started by a server that is inside.
    for spawner in server.spawners() {
        kill_process(Pid::from_raw(spawner).unwrap(), Signal::KILL).unwrap();
        assert!(eventually(PATIENCE, || has_ended(spawner)));
    }
    assert_eq!(told(&server, "echo ok"), "ok\n");
    assert_eq!(server.spawners().len(), 1);
}

/// It is a file by then, which the program opens anew, and which no name leads to.
#[test]
fn a_long_body_is_read_by_dev_stdin_too() {
    if !has_landlock("a_long_body_is_read_by_dev_stdin_too", 1) {
        return;
    }
    let user: &[&str] = match can_change_user() {
        true => &["--user", "61403:61403"],
        false => &[],
    };
    let site = site();
    let text = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n\
                for it in /dev/stdin /proc/self/fd/0; do cat $it 2>&1 | wc -c; done; ls -A \"$TMP\"\n";
    site.script("cgi-bin/count", text);
    let tmp = site.path("tmp");
    let shown = format!("TMP={}", tmp.display());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&tmp, mode).unwrap();
    let mut server = site.serve(&[&["--sandbox", "-e", &shown], user].concat());
    let response = server.post("/cgi-bin/count", &vec![b'x'; 300_000]);
    assert_eq!(response.text(), "300000\n300000\n", "{}", server.log());
    let left = || std::fs::read_dir(&tmp).unwrap().count();
    assert_eq!(left(), 2, "what was there, and the spool");
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some());
    assert_eq!(left(), 1);
}

#[test]
fn a_program_reaches_what_is_named_and_nothing_else() {
    if !has_landlock("a_program_reaches_what_is_named_and_nothing_else", 1) {
        return;
    }
    let site = site();
    let (private, data) = (site.text("private/secret"), site.text("data"));
    let read = format!("cat {private} >/dev/null && echo read || echo refused");
    let write = format!("echo new > {data}/made && cat {data}/made || echo refused");
    let inside = format!("cat {}/page.txt && echo", site.text("www"));
    let www = format!("echo x > {}/made || echo refused", site.text("www"));
    let server = site.serve(&["--sandbox", "--allow-write", &data]);
    assert!(told(&server, &read).ends_with("refused\n"));
    assert_eq!(told(&server, &write), "new\n");
    assert_eq!(told(&server, &inside), "www/page.txt\n");
    assert!(told(&server, &www).ends_with("refused\n"));
    // What is written is not executed.
    let run = format!("cp /bin/true {data}/true; {data}/true && echo ran || echo refused");
    assert!(told(&server, &run).ends_with("refused\n"));
}

#[test]
fn what_may_be_read_may_be_executed_but_not_written() {
    if !has_landlock("what_may_be_read_may_be_executed_but_not_written", 1) {
        return;
    }
    let site = site();
    let program = site.script("private/run", "#!/bin/sh\necho ran\n");
    let private = site.text("private");
    let commands = format!("{0}; echo x > {0} || echo refused", program.display());
    let server = site.serve(&["--sandbox", "--allow-read", &private]);
    let text = told(&server, &commands);
    assert!(
        text.starts_with("ran\n") && text.ends_with("refused\n"),
        "{text}"
    );
}

#[test]
fn a_program_can_do_nothing_to_the_server() {
    if !has_landlock("a_program_can_do_nothing_to_the_server", SIGNALS) {
        return;
    }
    // Root's rights reach into other processes.
    let user: &[&str] = match can_change_user() {
        true => &["--user", "61401:61401"],
        false => &[],
    };
    let server = site().serve(&[&["--sandbox"], user].concat());
    let pid = server.pid();
    let text = told(
        &server,
        &format!("kill -0 {pid} && echo can || echo refused"),
    );
    assert!(text.ends_with("refused\n"), "{text}");
    let environ = format!("cat /proc/{pid}/environ > /dev/null && echo read || echo refused");
    let text = told(&server, &environ);
    assert!(text.ends_with("refused\n"), "{text}");
    // It is inside as well, and has the same user.
    let spawner = "cat /proc/$PPID/environ > /dev/null && echo read || echo refused";
    let text = told(&server, spawner);
    let is_traced_by_root = geteuid().is_root() && user.is_empty();
    assert!(is_traced_by_root || text.ends_with("refused\n"), "{text}");
    let own = told(
        &server,
        "kill -0 $$ && cat /proc/$$/environ > /dev/null && echo can",
    );
    assert_eq!(own, "can\n");
}

/// A link that leads out of all folders that are served is what the server itself is kept from.
#[test]
fn the_server_is_inside_too() {
    if !has_landlock("the_server_is_inside_too", 1) {
        return;
    }
    for (option, status) in [(&[][..], 200), (&["--sandbox"], 403)] {
        let site = site();
        symlink(site.path("private/secret"), site.path("www/link.txt")).unwrap();
        let server = site.serve(&[&["--follow-symlinks"], option].concat());
        assert_eq!(server.get("/link.txt").status, status);
    }
}

#[test]
fn a_path_that_is_not_there_is_told() {
    let site = site();
    let missing = site.text("missing");
    let ran = run(tollgate().args([
        "--allow-root",
        "-l",
        "127.0.0.1:0",
        "--sandbox",
        "--allow-write",
        &missing,
        &site.text(""),
    ]));
    let line = format!(
        "tollgate: --allow-write: '{missing}' cannot be found (No such file or directory (os error \
         2)); name what is there\n"
    );
    assert_eq!((ran.status.code(), ran.stderr), (Some(2), line));
}

/// It was opened by root, and is served without a sandbox; the rule for it would be left out.
#[test]
fn a_folder_that_the_user_cannot_look_up_is_told() {
    let test = "a_folder_that_the_user_cannot_look_up_is_told";
    if !is_root(test) || !has_landlock(test, 1) {
        return;
    }
    // Without programs, whose spawner would tell the same first.
    let site = Site::bare();
    site.file("closed/www/page.txt", "a page");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(site.path("closed"), mode).unwrap();
    let folder = site.text("closed/www");
    let mut command = tollgate();
    command.args(["-l", "127.0.0.1:0", "--sandbox", "--user", "61402:61402"]);
    let ran = run(command.args(["-s", &format!("/={folder}"), &site.text("")]));
    let line = format!(
        "tollgate: --sandbox: could not be made (failed to open \"{folder}\": Permission denied (os \
         error 13))\n"
    );
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(&line), "{}", ran.stderr);
}

#[test]
fn an_interpreter_runs_inside_with_its_configuration() {
    let test = "an_interpreter_runs_inside_with_its_configuration";
    let Some(php) = installed(test, "php-cgi").filter(|_| has_landlock(test, 1)) else {
        return;
    };
    let site = site();
    site.file("www/page.php", "<?php include 'part.inc'; echo @file_get_contents('../private/secret') === false ? 'kept' : 'read';");
    site.file("www/part.inc", "part ");
    let route = format!(".php={}", php.display());
    // Its cache makes a lock where it is told to.
    let data = site.text("data");
    site.file("data/php.ini", format!("opcache.lockfile_path={data}\n"));
    let phprc = format!("PHPRC={data}");
    let mut arguments = vec![
        "--sandbox",
        "-c",
        &route,
        "-e",
        &phprc,
        "--allow-write",
        &data,
    ];
    if Path::new("/etc/php").exists() {
        arguments.extend(["--allow-read", "/etc/php"]);
    }
    let server = site.serve(&arguments);
    assert_eq!(server.get("/page.php").text(), "part kept");
}

/// The kernel's rule is for the folder that was there at the start.
#[test]
fn an_exchanged_folder_is_served_where_it_is_permitted_and_else_the_old_one() {
    if !has_landlock(
        "an_exchanged_folder_is_served_where_it_is_permitted_and_else_the_old_one",
        1,
    ) {
        return;
    }
    for is_permitted in [false, true] {
        let site = site();
        site.file("srv/now/page.txt", "old");
        site.file("srv/next/page.txt", "new");
        let (parent, folder) = (site.text("srv"), site.path("srv/now"));
        let route = format!("/srv/={}", folder.display());
        let mut arguments = vec!["--sandbox", "-s", &route];
        if is_permitted {
            arguments.extend(["--allow-read", &parent]);
        }
        let server = site.serve(&arguments);
        assert_eq!(server.get("/srv/page.txt").text(), "old");
        std::fs::rename(&folder, server.path("srv/before")).unwrap();
        std::fs::rename(server.path("srv/next"), &folder).unwrap();
        let found = match is_permitted {
            true => {
                let is_new = || server.get("/srv/page.txt").text() == "new";
                assert!(eventually(PATIENCE, is_new), "{}", server.log());
                "new"
            }
            false => {
                server.wait_for_log(&format!("Give --allow-read {parent} for new ones"));
                "old"
            }
        };
        let response = server.get("/srv/page.txt");
        assert_eq!((response.status, &*response.text()), (200, found));
    }
}
