//! Whom the server runs as: --user, --allow-root, and what files permit to others.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, geteuid};

use crate::support::{
    PATIENCE, Server, Site, eventually, installed, is_root, run, skipped, tollgate,
};

/// A user and a group that no machine has an entry for.
const USER: &str = "61234:61235";

/// A script that shows a line of its own status.
fn status_script(fields: &str) -> String {
    format!(
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ngrep -E '^({fields}):' /proc/self/status\n"
    )
}

/// The words of a line of `/proc/PID/status`, without its name.
fn words(status: &str, name: &str) -> Vec<String> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")));
    let words = line.unwrap_or_else(|| panic!("{name} in {status}"));
    words.split_ascii_whitespace().map(str::to_owned).collect()
}

fn site_with_status() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page");
    site.script("cgi-bin/status", status_script("Uid|Gid|Groups|CapPrm"));
    site
}

fn status_of(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
}

/// What every thread of a server, its spawners and a program say of themselves.
fn all_statuses(server: &Server) -> Vec<String> {
    let response = server.get("/cgi-bin/status");
    assert_eq!(response.status, 200, "{}", response.text());
    let mut all = vec![response.text()];
    for task in fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap() {
        all.push(fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    }
    let spawners = server.spawners();
    assert!(!spawners.is_empty());
    all.extend(spawners.into_iter().map(status_of));
    all
}

#[test]
fn a_server_of_root_goes_on_as_the_user_with_all_that_it_starts() {
    if !is_root("a_server_of_root_goes_on_as_the_user_with_all_that_it_starts") {
        return;
    }
    let server = site_with_status().serve(&["--user", USER]);
    assert_eq!(server.get("/page.txt").text(), "a page");
    let all = all_statuses(&server);
    assert!(all.len() > 4, "threads, a spawner and a program");
    for status in all {
        assert_eq!(words(&status, "Uid"), ["61234"; 4]);
        assert_eq!(words(&status, "Gid"), ["61235"; 4]);
        assert_eq!(words(&status, "Groups"), ["61235"]);
        assert_eq!(words(&status, "CapPrm"), ["0000000000000000"]);
    }
}

#[test]
fn a_name_is_looked_up_and_has_its_group() {
    let test = "a_name_is_looked_up_and_has_its_group";
    if !is_root(test) {
        return;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let is_there = |name: &str| passwd.lines().any(|line| line.starts_with(name));
    if !is_there("nobody:x:65534:65534:") {
        return skipped(test, "there is no nobody of number 65534");
    }
    let server = site_with_status().serve(&["--user", "nobody"]);
    let status = status_of(server.pid());
    assert_eq!(words(&status, "Uid"), ["65534"; 4]);
    assert_eq!(words(&status, "Gid"), ["65534"; 4]);
    assert_eq!(words(&status, "Groups"), ["65534"]);
}

#[test]
fn whom_the_server_cannot_become_is_told() {
    let site = Site::bare();
    site.file("www/page.txt", "");
    let arguments = |user| ["-l", "127.0.0.1:0", "--user", user].map(str::to_owned);
    let mut cases = vec![
        (
            "no-such-user",
            2,
            "tollgate: --user: 'no-such-user' is no user of /etc/passwd; give one, or a number\n",
        ),
        (
            "61234",
            2,
            "tollgate: --user: '61234' is not in /etc/passwd, which would tell its group; give one, \
             as 1000:1000\n",
        ),
        (
            "61234:no-such-group",
            2,
            "tollgate: --user: '61234:no-such-group' has a group that is not in /etc/group; give \
             one, or a number\n",
        ),
        (
            "root",
            2,
            "tollgate: --user: 'root' is root, whose rights are to be given up; give another user\n",
        ),
    ];
    if !geteuid().is_root() {
        cases.push((
            USER,
            1,
            "tollgate: --user: '61234:61235' is not what the server is; only root can become another \
             user; start it as root (Operation not permitted (os error 1))\n",
        ));
    }
    for (user, code, line) in cases {
        let ran = run(tollgate().args(arguments(user)).arg(site.text("")));
        assert_eq!((ran.status.code(), &*ran.stderr), (Some(code), line));
    }
}

#[cfg(feature = "auth")]
#[test]
fn a_file_of_users_that_the_user_cannot_read_is_told() {
    if !is_root("a_file_of_users_that_the_user_cannot_read_is_told") {
        return;
    }
    let site = Site::bare();
    site.file("www/page.txt", "");
    let users = site.file("users", "");
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    let route = format!("/={}", users.display());
    let mut command = tollgate();
    command.args(["-l", "127.0.0.1:0", "--user", USER, "--auth", &route]);
    let ran = run(command.arg(site.text("")));
    let line = format!(
        "tollgate: --auth: '{}' cannot be read by the user of --user (Permission denied (os error \
         13))\n",
        users.display()
    );
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stderr.ends_with(&line), "{}", ran.stderr);
}

/// Whoever has CAP_SETUID can be root again, whatever its number is.
#[test]
fn a_server_that_could_be_root_again_does_not_start() {
    let test = "a_server_that_could_be_root_again_does_not_start";
    let Some(setpriv) = is_root(test).then(|| installed(test, "setpriv")).flatten() else {
        return;
    };
    let site = Site::bare();
    site.file("www/page.txt", "");
    let mut command = Command::new(setpriv);
    command.args(["--reuid=61200", "--regid=61200", "--clear-groups"]);
    command.args([
        "--inh-caps=+setuid,+setgid",
        "--ambient-caps=+setuid,+setgid",
    ]);
    command.arg(tollgate().get_program());
    command.args(["-l", "127.0.0.1:0", "--user", USER, &site.text("")]);
    let ran = run(&mut command);
    let line = "tollgate: --user: '61234:61235' is not what the server is; what root may do could not \
                be given up (it keeps CAP_SETGID, CAP_SETUID, by which it could be more than that user)\n";
    assert_eq!((ran.status.code(), &*ran.stderr), (Some(1), line));
}

/// The numbers of the user and its group are right already, and would be all that is looked at.
#[test]
fn a_server_that_is_in_foreign_groups_leaves_them_or_does_not_start() {
    let test = "a_server_that_is_in_foreign_groups_leaves_them_or_does_not_start";
    let Some(setpriv) = is_root(test).then(|| installed(test, "setpriv")).flatten() else {
        return;
    };
    let site = Site::bare();
    site.file("www/page.txt", "");
    let mut command = Command::new(setpriv);
    command.args(["--reuid=61200", "--regid=61200", "--groups=61200,61299"]);
    command.arg(tollgate().get_program());
    command.args(["-l", "127.0.0.1:0", "--user", "61200:61200"]);
    let ran = run(command.arg(site.text("")));
    let line = "tollgate: --user: '61200:61200' is not what the server is; only root can become another \
                user; start it as root (it is in group 61299 too, unlike that user: Operation not \
                permitted (os error 1))\n";
    assert_eq!((ran.status.code(), &*ran.stderr), (Some(1), line));
}

#[test]
fn a_folder_to_spool_in_that_the_user_cannot_write_to_is_told() {
    if !is_root("a_folder_to_spool_in_that_the_user_cannot_write_to_is_told") {
        return;
    }
    let site = Site::bare();
    site.file("www/page.txt", "");
    let closed = site.file("closed/file", "").parent().unwrap().to_owned();
    let site = site.environment("TMPDIR", closed.to_str().unwrap());
    let server = site.serve(&["--user", USER]);
    server.wait_for_log(&format!(
        "TMPDIR: {} cannot be written to",
        closed.display()
    ));
}

#[test]
fn programs_are_not_run_as_root_unless_that_is_allowed() {
    let test = "programs_are_not_run_as_root_unless_that_is_allowed";
    if !is_root(test) {
        return;
    }
    let site = site_with_status();
    site.script("app", "#!/bin/sh\n");
    let line = "tollgate: --user: programs would run as root; name another user for them, as --user \
                www-data, or give --allow-root if that is meant\n";
    let listen = ["-l", "127.0.0.1:0"];
    let ran = run(tollgate().args(listen).arg(site.text("")));
    assert_eq!((ran.status.code(), &*ran.stderr), (Some(2), line));
    if cfg!(feature = "fastcgi") {
        let route = format!("/=exec:{}", site.text("app"));
        let files = format!("/files/={}", site.text("www"));
        let mut command = tollgate();
        command.args(listen).args(["-f", &route, "-s", &files]);
        let ran = run(command.arg(site.text("www")));
        assert_eq!((ran.status.code(), &*ran.stderr), (Some(2), line));
    }
    let server = site.serve(&["--allow-root"]);
    let response = server.get("/cgi-bin/status");
    assert_eq!(words(&response.text(), "Uid"), ["0"; 4]);
}

#[test]
fn files_alone_are_sent_by_root() {
    if !is_root("files_alone_are_sent_by_root") {
        return;
    }
    let site = Site::bare();
    site.file("www/page.txt", "a page");
    let mut command = tollgate();
    command.args(["-l", "127.0.0.1:0"]).arg(site.text(""));
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("serves / from"), "{line}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_made_is_not_for_others_and_a_socket_is_for_the_group() {
    let site = Site::new();
    let socket = site.path("socket");
    let address = format!("unix:{}", socket.display());
    let text = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; umask; : > \"$QUERY_STRING\"";
    site.script("cgi-bin/make", text);
    let server = site.listen(&["127.0.0.1:0", &address]).serve(&[]);
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(mode(&server.path("access.log")), 0o640);
    let made = server.path("made");
    let response = server.get(&format!("/cgi-bin/make?{}", made.display()));
    assert_eq!(response.text(), "0027\n");
    assert_eq!(mode(&made), 0o640);
}

#[test]
fn the_user_is_given_what_has_to_be_opened_again() {
    if !is_root("the_user_is_given_what_has_to_be_opened_again") {
        return;
    }
    let site = Site::new();
    let socket = site.path("socket");
    let address = format!("unix:{}", socket.display());
    site.file("www/page.txt", "a page");
    // The folder of the log, in which the user makes a new one.
    fs::set_permissions(site.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    let server = site
        .listen(&["127.0.0.1:0", &address])
        .serve(&["--user", USER]);
    let log = server.path("access.log");
    for path in [&socket, &log] {
        let meta = fs::metadata(path).unwrap();
        assert_eq!(
            (meta.uid(), meta.gid()),
            (61234, 61235),
            "{}",
            path.display()
        );
    }
    drop(UnixStream::connect(&socket).unwrap());
    fs::rename(&log, server.path("old.log")).unwrap();
    server.signal(Signal::HUP);
    assert!(eventually(PATIENCE, || log.exists()), "{}", server.log());
    server.get("/page.txt");
    server.wait_for_access("/page.txt");
}

/// Whoever may write to the log's folder could otherwise be given any file of root's by a restart.
#[test]
fn root_opens_no_log_by_a_link_and_gives_away_none_that_was_there() {
    if !is_root("root_opens_no_log_by_a_link_and_gives_away_none_that_was_there") {
        return;
    }
    let site = Site::new();
    let roots = site.file("roots", "kept\n");
    let missing = site.path("missing");
    let log = site.path("log");
    let start = || {
        let mut command = tollgate();
        command.args(["-l", "127.0.0.1:0", "--user", USER, "--access-log"]);
        run(command.arg(&log).arg(site.text("")))
    };
    for target in [&roots, &missing] {
        std::os::unix::fs::symlink(target, &log).unwrap();
        let ran = start();
        let line = format!(
            "tollgate: --access-log: '{}' cannot be opened for writing (it is a link, which root does \
             not follow for --user; name the file itself, or - for standard output)\n",
            log.display()
        );
        assert_eq!((ran.status.code(), ran.stderr), (Some(1), line));
        fs::remove_file(&log).unwrap();
    }
    assert!(!missing.exists());
    fs::hard_link(&roots, &log).unwrap();
    let ran = start();
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stderr.contains("another name too"), "{}", ran.stderr);
    let meta = fs::metadata(&roots).unwrap();
    assert_eq!((meta.uid(), meta.len()), (0, 5));
    // One that is there is written to, and stays root's.
    let log = site.file("access.log", "");
    let server = site.serve(&["--user", USER]);
    server.get("/page.txt");
    server.wait_for_access("/page.txt");
    assert_eq!(fs::metadata(&log).unwrap().uid(), 0);
}

#[cfg(not(feature = "sandbox"))]
#[test]
fn a_sandbox_that_was_not_built_is_told_and_nothing_served() {
    let site = Site::new();
    let mut command = tollgate();
    command.args(["--listen", "127.0.0.1:0", "--allow-root", "--sandbox"]);
    let ran = run(command.arg(site.text("")));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("built without it"), "{}", ran.stderr);
}
