//! The processes of `exec:` are kept from what programs are kept from, and end with the server.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::fastcgi_exec::{page, serve};
use crate::support::{PATIENCE, Server, eventually, has_ended};

/// What `/proc` tells of the process that answers.
fn told(server: &Server, name: &str) -> String {
    let pid = page(server, "");
    fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap()
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn they_are_confined_as_programs_are() {
    let limits = "cpu=30,memory=1G,files=48,file-size=5M";
    let mut arguments = vec!["--limit", limits, "--nice", "4"];
    if cfg!(feature = "sandbox") {
        arguments.push("--sandbox");
    }
    let server = serve("processes=1", &arguments);
    let limits = told(&server, "limits");
    for line in [
        ["Max cpu time", "30", "31"],
        ["Max address space", "1073741824", "1073741824"],
        ["Max open files", "48", "48"],
        ["Max file size", "5242880", "5242880"],
    ] {
        let rest = limits
            .lines()
            .find_map(|it| it.strip_prefix(line[0]))
            .unwrap();
        let words: Vec<&str> = rest.split_ascii_whitespace().take(2).collect();
        assert_eq!(words, line[1..], "{limits}");
    }
    assert!(told(&server, "status").contains("NoNewPrivs:\t1"));
    let nice = |stat: String| -> i32 {
        let rest = stat.rsplit_once(')').unwrap().1.to_owned();
        rest.split_ascii_whitespace()
            .nth(16)
            .unwrap()
            .parse()
            .unwrap()
    };
    let own = nice(fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap());
    assert_eq!(nice(told(&server, "stat")), (own + 4).min(19));
}

/// As many as the descriptors of one spawner are not enough for.
#[test]
fn many_of_them_share_few_descriptors() {
    let server = serve("processes=8", &["--limit", "files=16"]);
    assert!(eventually(PATIENCE, || {
        page(&server, "");
        server.children().len() == 8
    }));
}

#[test]
fn they_end_with_a_server_that_was_killed() {
    let server = serve("processes=2", &[]);
    assert!(eventually(PATIENCE, || server.children().len() == 2));
    let children = server.children();
    kill(server.pid(), Signal::KILL);
    for child in children {
        assert!(eventually(PATIENCE, || has_ended(child)), "{child}");
    }
}

#[test]
fn they_are_started_again_when_their_spawner_was_killed() {
    let server = serve("processes=1", &["--limit", "files=48"]);
    let before = page(&server, "");
    let spawners = server.spawners();
    assert!(!spawners.is_empty());
    spawners.into_iter().for_each(|it| kill(it, Signal::KILL));
    assert!(eventually(PATIENCE, || has_ended(before.parse().unwrap())));
    let answers = || {
        let response = server.get("/app/");
        response.status == 200 && response.text() != before
    };
    assert!(eventually(PATIENCE, answers), "{}", server.log());
    let limits = told(&server, "limits");
    assert!(limits.contains("Max open files            48"), "{limits}");
}
