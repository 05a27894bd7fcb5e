//! A lesson, read and run.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::support::{Folder, PATIENCE, Ran, eventually, installed, run, run_within, tollgate};

/// What a fenced block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Fails,
    Serve,
    Output,
    Shown,
}

/// A fenced block, and the line that it begins in.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    /// What stands behind the fence.
    pub(crate) word: String,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The fenced blocks of a lesson.
pub(crate) fn blocks(lesson: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = lesson.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(word) = line.strip_prefix("```") else {
            continue;
        };
        let kind = match word {
            "sh" => Kind::Run,
            "sh fails" => Kind::Fails,
            "sh server" => Kind::Serve,
            "output" => Kind::Output,
            _ => Kind::Shown,
        };
        let line = at + 1;
        assert!(
            kind != Kind::Shown || !word.starts_with("sh"),
            "line {line}: what is {word}?"
        );
        let before = blocks.last().map(|block| block.kind);
        assert!(
            kind != Kind::Output || matches!(before, Some(Kind::Run | Kind::Fails)),
            "line {line}: the output of what?"
        );
        let mut text = String::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, line)) => text += &format!("{line}\n"),
                None => panic!("line {line}: a block without an end"),
            }
        }
        let word = word.to_owned();
        blocks.push(Block {
            kind,
            word,
            line,
            text,
        });
    }
    blocks
}

/// The programs that a lesson says it needs.
pub(crate) fn prerequisites(lesson: &str) -> Vec<&str> {
    let line = lesson
        .lines()
        .find_map(|line| line.strip_prefix("You need: "));
    line.map_or(Vec::new(), |line| {
        line.split('`').skip(1).step_by(2).collect()
    })
}

/// Where what was printed differs from what a lesson says, if it does.
pub(crate) fn differs(expected: &str, printed: &str) -> Option<String> {
    fn is_line(expected: &str, line: &str) -> bool {
        let Some((start, rest)) = expected.split_once('…') else {
            return expected == line;
        };
        let Some(line) = line.strip_prefix(start) else {
            return false;
        };
        let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
        ends.into_iter().any(|at| is_line(rest, &line[at..]))
    }
    fn are_lines(expected: &[&str], lines: &[&str]) -> bool {
        match (expected.split_first(), lines.split_first()) {
            (Some((&"…", rest)), _) => (0..=lines.len()).any(|at| are_lines(rest, &lines[at..])),
            (Some((first, expected)), Some((line, lines))) => {
                is_line(first, line) && are_lines(expected, lines)
            }
            (None, None) => true,
            _ => false,
        }
    }
    let wanted: Vec<&str> = expected.split_terminator('\n').collect();
    let found: Vec<&str> = printed.split_terminator('\n').collect();
    (!are_lines(&wanted, &found))
        .then(|| format!("it prints\n{printed}\nwhere the lesson says\n{expected}"))
}

/// A server that a lesson started; it ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    /// `HOST:PORT`; nothing where it listens at a unix socket.
    pub(crate) address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        let _ = kill_process(pid, Signal::TERM);
        if !eventually(PATIENCE, || !matches!(self.child.try_wait(), Ok(None))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The longest that the commands of a block may take: some ask a hundred times.
pub(crate) const LONGEST: Duration = Duration::from_secs(120);

pub(crate) const ADDRESS: &str = "127.0.0.1:8080";
pub(crate) const CONSOLE: &str = "127.0.0.1:8081";

/// Runs a lesson from top to bottom.
#[track_caller]
pub(super) fn run_lesson(name: &str) {
    let text = super::text(name);
    for program in prerequisites(&text) {
        if installed(name, program).is_none() {
            return;
        }
    }
    let folder = Folder::new();
    copy(&super::course(), &folder.path("docs/course"));
    let place = match name {
        "README.md" => folder.path(""),
        "9-source.md" => {
            for part in ["src", "www", "cgi-bin"] {
                copy(&Path::new(super::REPOSITORY).join(part), &folder.path(part));
            }
            folder.path("")
        }
        _ => folder.path("docs/course"),
    };
    let as_root = if geteuid().is_root() {
        "--allow-root"
    } else {
        ""
    };
    let program = tollgate();
    let program = fs::canonicalize(program.get_program()).unwrap();
    folder.script(
        "bin/tollgate",
        format!(
            "#!/bin/sh\ncase ${{1-}} in\n    check) exec '{0}' \"$@\" {as_root} ;;\n    new | --*) ;;\n    \
             *) echo 'no word of the course' >&2; exit 9 ;;\nesac\nexec '{0}' \"$@\"\n",
            program.display()
        ),
    );
    // At a terminal curl shows how far it is only where what it gets goes elsewhere.
    folder.file(".curlrc", "silent\nshow-error\n");
    let path = std::env::var("PATH").unwrap_or_default();
    // That of the system first: what a version manager puts before it needs its own home.
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin:{path}", folder.text("bin"));
    let shell = |script: &str| {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-ec", script])
            .current_dir(&place)
            .env("PATH", &path)
            .env("HOME", folder.path(""))
            .env("LC_ALL", "C.UTF-8");
        shell
    };
    let has_console = run(Command::new(&program).arg("--help"))
        .stdout
        .contains("--console");
    let mut running: Option<Running> = None;
    let mut printed = String::new();
    for block in blocks(&text) {
        let at = format!("docs/course/{name}, line {}", block.line);
        match block.kind {
            Kind::Shown => {}
            Kind::Serve => {
                drop(running.take());
                let command = block.text.trim_end();
                let rest = command
                    .strip_prefix("tollgate")
                    .unwrap_or_else(|| panic!("{at}: no server"));
                let console = format!(" --console {CONSOLE}");
                let rest = match has_console {
                    true => rest.replace(CONSOLE, "127.0.0.1:0"),
                    false => rest.replace(&console, ""),
                };
                let script = format!(
                    "exec '{}' --listen 127.0.0.1:0 {as_root} {rest}",
                    program.display()
                );
                running = Some(start(shell(&script), &at));
            }
            Kind::Run | Kind::Fails => {
                let address = running.as_ref().map_or(ADDRESS, |it| &it.address);
                let script = format!("exec 2>&1\n{}", block.text.replace(ADDRESS, address));
                let Ran { status, stdout, .. } = run_within(LONGEST, &mut shell(&script));
                printed = stdout.replace('\r', "").replace(address, ADDRESS);
                let should_succeed = block.kind == Kind::Run;
                assert!(
                    status.success() == should_succeed,
                    "{at}: {status}, and it prints\n{printed}"
                );
            }
            Kind::Output => {
                if let Some(difference) = differs(&block.text, &printed) {
                    panic!("{at}: {difference}");
                }
            }
        }
    }
}

/// Starts a server, and waits until it says where it listens.
pub(crate) fn start(mut command: Command, at: &str) -> Running {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, first) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            // All but the first have no reader: the lesson went on.
            let _ = sender.send(line);
        }
    });
    let mut stderr = child.stderr.take().unwrap();
    let log = thread::spawn(move || {
        let mut log = Vec::new();
        let _ = stderr.read_to_end(&mut log);
        String::from_utf8_lossy(&log).into_owned()
    });
    let line = first.recv_timeout(PATIENCE).unwrap_or_default();
    let mut running = Running {
        child,
        address: String::new(),
    };
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    match address.or(line.contains("unix:").then_some("")) {
        Some(address) => running.address = address.to_owned(),
        None => {
            drop(running);
            panic!(
                "{at}: the server does not say where it listens: {line} {}",
                log.join().unwrap()
            );
        }
    }
    running
}

/// Copies a folder with the rights of its files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(&from, &to).unwrap()),
        }
    }
}
