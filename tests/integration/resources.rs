//! What the server does when the system's resources are used up or taken away: descriptors, processes, room
//! on a disk, the folders that it serves, whoever reads its log.
//!
//! What limits cannot be made to do, system calls are made to do in `tests/faults.rs`.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, statvfs};
use rustix::process::{Pid, Resource, Signal, geteuid, getrlimit, kill_process};

use crate::support::{
    Client, Ended, PATIENCE, Server, Site, eventually, installed, request, skipped, tollgate,
};

/// A user that owns nothing.
const NOBODY: &str = "65534";

/// So few that any usual limit on descriptors is enough, and no line of the log says that it is not.
const FEW: &[&str] = &["--max-connections", "100"];

fn site_with_page() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site
}

/// Fails unless files and programs are answered.
#[track_caller]
fn expect_served(server: &Server) {
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
}

#[test]
fn sixty_four_descriptors_serve_three_hundred_clients() {
    let server = site_with_page().after("ulimit -n 64").serve(&[]);
    let start = Instant::now();
    let closing = ["Connection: close"];
    let ask = |number: usize| {
        let target = match number % 10 {
            0 => "/cgi-bin/probe/hello",
            _ => "/page.txt",
        };
        let mut client = server.connect();
        // At once: whoever has not sent after a second has to make room for others.
        client.send(request("GET", target, &closing, b""));
        client
    };
    let mut crowd: Vec<Client> = (0..300).map(ask).collect();
    for (number, client) in crowd.iter_mut().enumerate() {
        let response = client.read_response("GET");
        assert_eq!(response.status, 200, "client {number}: {response:?}");
    }
    drop(crowd);
    expect_served(&server);
    // Once at the start, and at most once a second.
    let lines = server.log().lines().count() as u64;
    let most = 2 + start.elapsed().as_secs();
    assert!(
        lines <= most,
        "{lines} lines, {most} are enough:\n{}",
        server.log()
    );
}

#[test]
fn a_program_for_which_there_is_no_process_is_503() {
    const TEST: &str = "a_program_for_which_there_is_no_process_is_503";
    let Some(prlimit) = installed(TEST, "prlimit") else {
        return;
    };
    // The limit does not hold for root.
    let mut as_user = String::new();
    if geteuid().is_root() {
        let Some(setpriv) = installed(TEST, "setpriv") else {
            return;
        };
        as_user = format!("{} --reuid {NOBODY} --clear-groups", setpriv.display());
        let program = tollgate().get_program().to_str().unwrap().to_owned();
        if !shell(&format!("{as_user} test -x '{program}'")) {
            return skipped(TEST, "another user may not run the program under test");
        }
    }
    let usual = getrlimit(Resource::Nproc).maximum;
    let usual = usual.map_or("unlimited".to_owned(), |it| it.to_string());
    let limit = |pid: &i32, limit: &str| {
        let set = format!(
            "{as_user} {} --pid {pid} --nproc={limit}:",
            prlimit.display()
        );
        assert!(shell(&set), "{set}");
    };
    for has_spawner in [false, true] {
        let site = site_with_page().after(&format!("exec {as_user} \"$0\" \"$@\""));
        fs::set_permissions(site.path(""), Permissions::from_mode(0o777)).unwrap();
        let server = site.serve(&["--max-processes", "2"]);
        if has_spawner {
            expect_served(&server);
        }
        assert_eq!(!server.spawners().is_empty(), has_spawner);
        let processes = [&[server.pid()][..], &server.spawners()].concat();
        processes.iter().for_each(|pid| limit(pid, "0"));
        for _ in 0..4 {
            let response = server.get("/cgi-bin/probe/hello");
            assert_eq!(response.status, 503, "{response:?}");
            assert_eq!(server.get("/page.txt").text(), "a page\n");
        }
        server.expect_access("/cgi-bin/probe/hello", 503, "cgi.spawn-failed");
        processes.iter().for_each(|pid| limit(pid, &usual));
        expect_served(&server);
        server.wait_until_childless();
    }
}

fn shell(command: &str) -> bool {
    let status = Command::new("/bin/sh").args(["-c", command]).status();
    status.unwrap().success()
}

#[test]
fn a_program_that_is_lost_with_its_spawner_leaves_a_response_that_is_cut() {
    let server = site_with_page().serve(&[]);
    let gate = server.text("gate");
    for version in ["1.1", "1.0"] {
        let mut client = server.connect();
        client.send(format!(
            "GET /cgi-bin/probe/gate?file={gate} HTTP/{version}\r\nHost: a\r\n\r\n"
        ));
        client.wait_for("first");
        for spawner in server.spawners() {
            kill_process(Pid::from_raw(spawner).unwrap(), Signal::KILL).unwrap();
        }
        // Nothing tells that the rest is missing but the server.
        assert_eq!(client.read_response("GET").ended, Ended::Cut);
        server.expect_access(
            &format!("/cgi-bin/probe/gate?file={gate}"),
            200,
            "cgi.killed",
        );
        expect_served(&server);
    }
    server.wait_until_childless();
}

#[test]
fn a_full_disk_costs_those_alone_who_need_it() {
    const TEST: &str = "a_full_disk_costs_those_alone_who_need_it";
    let Some(unshare) = installed(TEST, "unshare") else {
        return;
    };
    let unshare = format!("{} --map-root-user --mount", unshare.display());
    let disk = "mount -t tmpfs -o size=256k tollgate \"$TMPDIR\"";
    let site = site_with_page();
    fs::create_dir(site.path("disk")).unwrap();
    let folder = site.text("disk");
    let can_mount = Command::new("/bin/sh")
        .args(["-c", &format!("{unshare} sh -c '{disk}'")])
        .env("TMPDIR", &folder)
        .stderr(Stdio::null())
        .status();
    if !can_mount.unwrap().success() {
        return skipped(TEST, "no file system may be mounted here");
    }
    let site = site.environment("TMPDIR", &folder);
    // Whoever may mount there is root there, whoever it was before.
    let server = site
        .after(&format!(
            "exec {unshare} sh -c '{disk} && exec \"$0\" \"$@\"' \"$0\" \"$@\""
        ))
        .serve(&["--allow-root"]);
    // As the server sees it.
    let disk = format!("/proc/{}/root{folder}", server.pid());
    let taken = || {
        let disk = statvfs(&disk).unwrap();
        (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    };
    let long = vec![b'x'; 1 << 20];
    for _ in 0..3 {
        // It fits, and takes most of the disk.
        let mut holder = server.connect();
        let head = request(
            "POST",
            "/cgi-bin/probe/stdin",
            &["Content-Length: 200001"],
            b"",
        );
        holder.send(&head);
        holder.send(&long[..200_000]);
        assert!(eventually(PATIENCE, || taken() >= 200_000), "{}", taken());
        let response = server.post("/cgi-bin/probe/stdin", &long);
        assert_eq!(response.status, 507, "{response:?}");
        server.expect_access("/cgi-bin/probe/stdin", 507, "spool.full");
        let response = server.post("/cgi-bin/probe/stdin", b"little");
        assert_eq!(response.text(), "told 6, read 6\nlittle");
        expect_served(&server);
        holder.send(b"x");
        assert_eq!(holder.read_response("POST").status, 200);
    }
}

#[test]
fn a_limit_on_the_length_of_files_ends_no_server() {
    // 100 blocks of 512 bytes.
    let site = site_with_page();
    let server = site.after("ulimit -f 200").serve(&[]);
    for _ in 0..3 {
        let response = server.post("/cgi-bin/probe/stdin", &vec![b'x'; 1 << 20]);
        assert_eq!(response.status, 507, "{response:?}");
        expect_served(&server);
    }
    server.expect_access("/cgi-bin/probe/stdin", 507, "spool.full");
}

#[test]
fn a_program_is_ended_by_a_limit_on_the_length_of_files_as_ever() {
    let site = site_with_page();
    let file = site.text("long");
    site.script(
        "cgi-bin/long",
        format!(
            "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n\
             head -c 300000 /dev/zero >'{file}' 2>/dev/null\necho \"status $?\"\n"
        ),
    );
    let server = site.after("ulimit -f 200").serve(&[]);
    // 128 and SIGXFSZ, which whoever ignores it gets as an error and ends with 1.
    assert_eq!(server.get("/cgi-bin/long").text(), "status 153\n");
}

#[test]
fn a_folder_that_is_put_back_is_served() {
    let server = site_with_page().serve(&[]);
    expect_served(&server);
    let is_served = |path: &str, text: &str| {
        let response = server.get(path);
        response.status == 200 && response.text() == text
    };
    for round in 0..2 {
        fs::rename(server.path("www"), server.path(&format!("old-www-{round}"))).unwrap();
        fs::rename(
            server.path("cgi-bin"),
            server.path(&format!("old-cgi-{round}")),
        )
        .unwrap();
        let page = format!("page {round}\n");
        server.file("www/page.txt", &page);
        server.script(
            "cgi-bin/probe",
            format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nprogram {round}\\n'\n"),
        );
        assert!(
            eventually(PATIENCE, || is_served("/page.txt", &page)),
            "the new folder is not served"
        );
        let program = format!("program {round}\n");
        assert!(eventually(PATIENCE, || is_served(
            "/cgi-bin/probe",
            &program
        )));
    }
    // What is gone is not there, and ends nothing.
    fs::remove_dir_all(server.path("www")).unwrap();
    assert_eq!(server.get("/page.txt").status, 404);
    server.file("www/page.txt", "again\n");
    assert!(eventually(PATIENCE, || is_served("/page.txt", "again\n")));
}

/// Nobody answers what the kernel asks of it, so that whoever looks for a name in it waits until it is killed.
#[test]
fn a_file_system_that_hangs_holds_up_no_deadline() {
    const TEST: &str = "a_file_system_that_hangs_holds_up_no_deadline";
    let site = site_with_page();
    site.file("place/files/page.txt", "before\n");
    let Some(site) = with_what_hangs(TEST, site) else {
        return;
    };
    let files = format!("/files/={}", site.text("place/files"));
    let pages = format!("/={}", site.text("www"));
    let arguments = ["-s", &pages, "-s", &files, "--header-timeout", "1"];
    let mut server = site.serve(&[&arguments[..], &["--allow-root"]].concat());
    assert_eq!(server.get("/files/page.txt").text(), "before\n");
    fs::rename(server.path("place"), server.path("old")).unwrap();
    fs::rename(server.path("hung"), server.path("place")).unwrap();
    let is_held = || held_threads(server.pid()) > 0;
    assert!(eventually(PATIENCE, is_held), "nothing waits for it");
    // Overdue with its head from here on.
    let mut slow = server.connect();
    slow.send("GET / HTTP/1.1\r\n");
    assert_eq!(slow.read_response("GET").status, 408);
    expect_served(&server);
    assert!(is_held(), "nothing waits for it any more");
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some(), "it does not stop");
}

/// Whoever asks for a file that cannot be read waits, and nobody else in the same lane does.
#[test]
fn a_file_that_hangs_holds_up_who_asks_for_it_alone() {
    const TEST: &str = "a_file_that_hangs_holds_up_who_asks_for_it_alone";
    let Some(site) = with_what_hangs(TEST, site_with_page()) else {
        return;
    };
    // A link, so that nobody comes there but a request.
    symlink(site.path("hung"), site.path("www/link")).unwrap();
    // With two threads there is one lane.
    let mut server = site.serve(&["--follow-symlinks", "--threads", "2", "--allow-root"]);
    let mut others: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    let mut asking = server.connect();
    asking.send(request("GET", "/link/file.txt", &[], b""));
    let is_held = || held_threads(server.pid()) > 0;
    assert!(eventually(PATIENCE, is_held), "nothing waits for it");
    for client in &mut others {
        client.send(request("GET", "/page.txt", &[], b""));
        assert_eq!(client.read_response("GET").text(), "a page\n");
    }
    assert!(is_held(), "nothing waits for it any more");
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).is_some(), "it does not stop");
}

/// A site whose server sees a file system in its folder `hung` at which nobody answers the kernel; none where that
/// cannot be made.
fn with_what_hangs(test: &str, site: Site) -> Option<Site> {
    let unshare = installed(test, "unshare")?;
    let unshare = format!("{} --map-root-user --mount", unshare.display());
    fs::create_dir(site.path("hung")).unwrap();
    let mount = format!(
        "exec 9<>/dev/fuse && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 hung '{}'",
        site.text("hung")
    );
    if !shell(&format!("{unshare} sh -c \"{mount}\" 2>/dev/null")) {
        skipped(test, "no file system may be mounted here");
        return None;
    }
    let server = "exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    Some(site.after(&format!("exec {unshare} sh -c \"{mount}\"' && {server}")))
}

/// How many threads of a process wait for the kernel, whatever comes.
fn held_threads(pid: i32) -> usize {
    threads_of(pid).filter(|state| *state == 'D').count()
}

/// The states of a process's threads: R, S, D ...
fn threads_of(pid: i32) -> impl Iterator<Item = char> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.filter_map(|thread| {
        let stat = fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    })
}

/// A programs' folder inside a static one is not sent from, also when both are new.
#[test]
fn programs_of_a_folder_that_is_put_back_are_not_sent() {
    let site = site_with_page();
    site.script(
        "www/bin/secret",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nrun\\n'\n",
    );
    let programs = format!("/run/={}", site.text("www/bin"));
    let server = site.serve(&["--cgi", &programs]);
    fs::rename(server.path("www"), server.path("old")).unwrap();
    server.file("www/page.txt", "new\n");
    server.script(
        "www/bin/secret",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nrun anew\\n'\n",
    );
    assert!(eventually(PATIENCE, || server.get("/page.txt").body == b"new\n"));
    assert!(eventually(PATIENCE, || server.get("/run/secret").body == b"run anew\n"));
    assert_eq!(server.get("/bin/secret").status, 404);
}

#[test]
fn a_log_that_nobody_reads_any_more_ends_nothing() {
    let site = site_with_page();
    let path = site.path("stderr");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let nonblock = OFlags::NONBLOCK.bits() as i32;
    let reader = fs::OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(&path)
        .unwrap();
    let server = site
        .after(&format!("exec 2>'{}'", path.display()))
        .serve(FEW);
    drop(reader);
    for _ in 0..3 {
        // Each is worth a line.
        assert_eq!(server.get("/cgi-bin/probe/nothing").status, 502);
        expect_served(&server);
    }
    // Whoever comes to read it finds the next lines.
    let mut reader = BufReader::new(File::open(&path).unwrap());
    server.get("/cgi-bin/probe/nothing");
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("cgi.no-output"), "{line}");
}

#[test]
fn logs_on_a_full_disk_cost_their_lines_alone() {
    let site = site_with_page();
    symlink("/dev/full", site.path("access.log")).unwrap();
    let server = site.after("exec 2>/dev/full").serve(&[]);
    for _ in 0..3 {
        assert_eq!(server.get("/cgi-bin/probe/nothing").status, 502);
        expect_served(&server);
    }
}

#[test]
fn lines_of_the_access_log_that_are_lost_are_told_of_once() {
    let site = site_with_page();
    symlink("/dev/full", site.path("access.log")).unwrap();
    let server = site.serve(FEW);
    for _ in 0..20 {
        assert_eq!(server.get("/page.txt").text(), "a page\n");
    }
    server.wait_for_log("the access log cannot be written");
    assert_eq!(server.log().lines().count(), 1, "{}", server.log());
    // It is put right, and what was lost is counted.
    fs::remove_file(server.path("access.log")).unwrap();
    server.signal(Signal::HUP);
    assert!(eventually(PATIENCE, || server.path("access.log").exists()));
    server.get("/page.txt");
    server.wait_for_log(" lines of the access log were lost");
    server.wait_for_access("/page.txt");
}

#[cfg(feature = "fastcgi")]
#[test]
fn a_backend_that_is_stopped_is_got_round_and_goes_on() {
    use crate::support::{Application, example};
    let backends = [(); 2].map(|()| Application::start(&example("visitor"), 1));
    let [stopped, other] = &backends;
    let route = format!("/app/={},{}", stopped.address(), other.address());
    let server = Server::start(&[
        "-f",
        &route,
        "--fastcgi-timeout",
        "1",
        "--fastcgi-keep",
        "0",
    ]);
    let process = |page: &str| page.split("process ").nth(1).unwrap().to_owned();
    let ask = || {
        let response = server.get("/app/");
        match response.status {
            200 => Some(process(response.text().lines().next().unwrap())),
            504 | 502 => None,
            other => panic!("{other}: {response:?}"),
        }
    };
    stopped.signal(Signal::STOP);
    // At most one of them waits in vain; then it is left out.
    let answers: Vec<_> = (0..6).map(|_| ask()).collect();
    let lost = answers.iter().filter(|answer| answer.is_none()).count();
    assert!(lost <= 1, "{answers:?}");
    let all: Vec<&String> = answers.iter().flatten().collect();
    assert!(all.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    let only = all[0].clone();
    stopped.signal(Signal::CONT);
    let is_back = || ask().is_some_and(|name| name != only);
    assert!(eventually(PATIENCE, is_back), "it is not asked any more");
}
