//! How little memory is enough: this repository's own site, with four programs at once, in a control group that has
//! 32 MiB for the server and all that it runs, page cache included.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::{PATIENCE, Server, Site, eventually, installed, run, skipped};

/// All that there is.
const MEMORY: u64 = 32 << 20;

/// Programs at once.
const PROGRAMS: usize = 4;

/// How often each client asks for all of it.
const ROUNDS: usize = 5;

/// A control group with a limit of memory, of either version; removed with this.
struct Group(PathBuf);

impl Group {
    /// `None` where there are none, or they are not for us.
    fn make(limit: u64) -> Option<Group> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = |is_it: &dyn Fn(&str) -> bool| {
            let mut lines = own.lines().map(|line| line.splitn(3, ':'));
            let mut found = lines.find(|line| line.clone().nth(1).is_some_and(is_it))?;
            Some(found.nth(2)?.trim_start_matches('/').to_owned())
        };
        let first = path(&|controllers| controllers.split(',').any(|it| it == "memory"));
        let second = path(&str::is_empty);
        let all = Path::new("/sys/fs/cgroup");
        let parents = [
            first.map(|path| all.join("memory").join(path)),
            Some(all.join("memory")),
            second.map(|path| all.join(path)),
            Some(all.to_owned()),
        ];
        let name = format!("tollgate-test-{}", std::process::id());
        for parent in parents.into_iter().flatten() {
            let group = Group(parent.join(&name));
            if fs::create_dir(&group.0).is_err() {
                continue;
            }
            let limits = ["memory.limit_in_bytes", "memory.max"];
            if let Some(file) = limits.iter().find(|file| group.0.join(file).exists()) {
                fs::write(group.0.join(file), limit.to_string()).unwrap();
                // Nothing is to be put aside instead; not every kernel counts that.
                for file in ["memory.memsw.limit_in_bytes", "memory.swap.max"] {
                    let none = if file.contains("swap.") { 0 } else { limit };
                    let _ = fs::write(group.0.join(file), none.to_string());
                }
                return Some(group);
            }
        }
        None
    }

    /// How many processes the kernel ended for want of memory.
    fn killed(&self) -> u64 {
        let text = ["memory.oom_control", "memory.events"]
            .iter()
            .find_map(|file| fs::read_to_string(self.0.join(file)).ok())
            .unwrap();
        let mut lines = text.lines();
        let count = lines.find_map(|line| line.strip_prefix("oom_kill "));
        count.unwrap().parse().unwrap()
    }

    /// The most memory that it ever had, where that is known.
    fn most(&self) -> Option<u64> {
        let files = ["memory.max_usage_in_bytes", "memory.peak"];
        let mut texts = files.map(|file| fs::read_to_string(self.0.join(file)).ok());
        texts.iter_mut().find_map(Option::take)?.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Who was in it is gone a moment after it was ended.
        eventually(Duration::from_secs(5), || fs::remove_dir(&self.0).is_ok());
    }
}

/// The repository's own site.
fn own_site() -> Site {
    let site = Site::bare();
    for folder in ["www", "cgi-bin"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut copy = Command::new("cp");
        let ran = run(copy.arg("-R").arg(from).arg(site.path(folder)));
        assert!(ran.status.success(), "{ran:?}");
    }
    site
}

/// Asks for a page and for each kind of program.
fn ask(server: &Server) {
    let upload = "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n";
    let upload = [upload.as_bytes(), &vec![b'a'; 1 << 20], b"\r\n--x--\r\n"].concat();
    let form = "Content-Type: application/x-www-form-urlencoded";
    let several = "Content-Type: multipart/form-data; boundary=x";
    for (method, target, fields, body) in [
        ("GET", "/", &[][..], &b""[..]),
        ("GET", "/style.css", &[], b""),
        ("GET", "/cgi-bin/hello.sh", &[], b""),
        ("GET", "/cgi-bin/hello.py", &[], b""),
        ("GET", "/cgi-bin/hello.pl", &[], b""),
        ("GET", "/cgi-bin/env.py", &[], b""),
        (
            "POST",
            "/cgi-bin/form.py",
            &[form],
            b"name=Ann&colour=green",
        ),
        ("POST", "/cgi-bin/upload.py", &[several], &upload),
    ] {
        let response = server.fetch(method, target, fields, body);
        assert_eq!(response.status, 200, "{target}: {}", response.text());
    }
}

#[test]
fn the_own_site_lives_in_32_mib_with_four_programs_at_once() {
    const TEST: &str = "the_own_site_lives_in_32_mib_with_four_programs_at_once";
    for program in ["python3", "perl"] {
        if installed(TEST, program).is_none() {
            return;
        }
    }
    let Some(group) = Group::make(MEMORY) else {
        return skipped(TEST, "no control group can be made here");
    };
    let join = format!("echo $$ > '{}'", group.0.join("cgroup.procs").display());
    let programs = PROGRAMS.to_string();
    let server = own_site()
        .after(&join)
        .serve(&["--max-processes", &programs]);
    thread::scope(|scope| {
        for _ in 0..PROGRAMS {
            scope.spawn(|| (0..ROUNDS).for_each(|_| ask(&server)));
        }
    });
    // Four that stay.
    let clocks: Vec<_> = (0..PROGRAMS)
        .map(|_| {
            let mut client = server.connect();
            client.send("GET /cgi-bin/clock.sh HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
        })
        .collect();
    assert!(eventually(PATIENCE, || server.children().len() == PROGRAMS));
    assert_eq!(server.get("/").status, 200);
    drop(clocks);
    server.wait_until_childless();
    assert_eq!(group.killed(), 0, "{}", server.log());
    if let Some(most) = group.most() {
        assert!(most <= MEMORY, "{most}");
        assert!(most > MEMORY / 8, "{most}: the server is not in it");
    }
    // Before its group.
    drop(server);
}
