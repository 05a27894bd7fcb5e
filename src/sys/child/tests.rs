use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::sys::testing::{TempDir, await_gone, pattern, runs};

/// More than any step takes, so that a fault ends in a failure and not in a wait.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(path: &Path, arguments: &[&str], stdin: Option<Content<'_>>) -> io::Result<Child> {
    let arguments: Vec<Vec<u8>> = arguments.iter().map(|it| it.as_bytes().to_vec()).collect();
    let program = Program {
        path,
        arguments: &arguments,
        folder: Path::new("/"),
        stdin,
    };
    program.start(
        [(&b"NAME"[..], &b"a value"[..])].into_iter(),
        &Spawners::none(),
    )
}

fn shell(text: &str, stdin: Option<Content<'_>>) -> Child {
    start(Path::new("/bin/sh"), &["-c", text], stdin).unwrap()
}

/// Everything that the program still prints.
fn output(child: &mut Child) -> Vec<u8> {
    let mut buffer = Buffer::new(100_000);
    let mut all = Vec::new();
    while child.stdout().is_some() {
        child.read_stdout(&mut buffer).unwrap();
        all.extend_from_slice(buffer.filled());
    }
    all
}

/// The next whole line of stdout, which has to be short.
fn line(child: &mut Child) -> String {
    let mut buffer = Buffer::new(1);
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        child.read_stdout(&mut buffer).unwrap();
        assert!(!buffer.filled().is_empty(), "the program has ended");
        line.extend_from_slice(buffer.filled());
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

/// As on a kernel without pidfds.
fn forget_pidfd(child: &mut Child) {
    if let Parent::Server(_, pidfd) = &mut child.parent {
        *pidfd = None;
    }
}

fn is_reaped(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn the_end_is_told_as_status_or_signal() {
    for (text, exit) in [
        ("exit 0", Exit::Status(0)),
        ("exit 3", Exit::Status(3)),
        ("kill -KILL $$", Exit::Signal(9)),
        ("kill -SEGV $$", Exit::Signal(11)),
        ("kill -PIPE $$", Exit::Signal(13)),
    ] {
        for has_pidfd in [true, false] {
            let mut child = shell(text, None);
            if !has_pidfd {
                forget_pidfd(&mut child);
            }
            child.await_end(PATIENCE);
            assert!(child.has_ended());
            assert!(!is_reaped(child.id().unwrap()), "looking must not reap");
            assert_eq!(child.reap(), exit, "{text}");
            assert_eq!(child.reap(), exit, "{text}");
            assert!(is_reaped(child.id().unwrap()));
            assert_eq!(child.end(PATIENCE), exit, "{text}");
        }
    }
}

#[test]
fn a_program_gets_its_environment_and_its_folder() {
    let mut child = shell("/usr/bin/env; pwd", None);
    let text = String::from_utf8(output(&mut child)).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.pop(), Some("/"));
    lines.retain(|line| {
        !["PWD=", "SHLVL=", "_="]
            .iter()
            .any(|own| line.starts_with(own))
    });
    assert_eq!(lines, ["NAME=a value"]);
    assert_eq!(child.reap(), Exit::Status(0));
}

#[test]
fn arguments_are_passed_as_they_are() {
    let arguments = [
        "-c",
        "printf '%s|' \"$0\" \"$@\"",
        "a b",
        "",
        "*",
        "$HOME",
        "\n",
    ];
    let mut child = start(Path::new("/bin/sh"), &arguments, None).unwrap();
    assert_eq!(output(&mut child), b"a b||*|$HOME|\n|");
}

#[test]
fn stdin_is_whole_before_the_program_starts() {
    let folder = TempDir::new();
    let on_disk = pattern(300_000);
    folder.write("body", &on_disk);
    let mut file = File::open(folder.path().join("body")).unwrap();
    // Read from the first byte wherever it stood.
    file.seek(io::SeekFrom::Start(123)).unwrap();
    let in_memory = pattern(200_000);
    let memory = |len: usize| (Some(Content::Memory(&in_memory[..len])), &in_memory[..len]);
    let cases = [
        (None, &b""[..]),
        memory(0),
        memory(1),
        memory(PIPE_LEAST),
        memory(PIPE_LEAST + 1),
        memory(64 << 10),
        memory((64 << 10) + 1),
        memory(200_000),
        (Some(Content::File(&file)), &on_disk[..]),
        (Some(Content::File(&file)), &on_disk[..]),
    ];
    for (stdin, expected) in cases {
        let mut child = shell("cat", stdin);
        assert!(output(&mut child) == expected, "{} bytes", expected.len());
        assert_eq!(child.reap(), Exit::Status(0));
        // A program that never reads holds up nothing.
        assert_eq!(shell("exit 5", stdin).reap(), Exit::Status(5));
    }
}

#[test]
fn a_large_stdin_can_be_sought_in() {
    let body = pattern(100_000);
    let mut child = shell(
        "tail -c 3; cat /proc/self/fdinfo/0 | head -1",
        Some(Content::Memory(&body)),
    );
    let printed = output(&mut child);
    assert!(printed.starts_with(&body[body.len() - 3..]));
}

#[test]
fn ending_kills_the_whole_group() {
    // (what the group does about SIGTERM, how its first process ends)
    for (trap, grace, exit) in [
        ("", PATIENCE, Exit::Signal(15)),
        ("trap 'exit 7' TERM;", PATIENCE, Exit::Status(7)),
        ("trap '' TERM;", Duration::ZERO, Exit::Signal(9)),
    ] {
        for has_pidfd in [true, false] {
            let mut child = shell(
                &format!("{trap} sleep 1000 & echo $!; while :; do wait; done"),
                None,
            );
            if !has_pidfd {
                forget_pidfd(&mut child);
            }
            let grandchild = line(&mut child);
            assert!(runs(&grandchild) && !child.has_ended());
            assert_eq!(child.end(grace), exit, "{trap}");
            await_gone(&grandchild);
            assert!(is_reaped(child.id().unwrap()));
        }
    }
}

#[test]
fn dropping_kills_and_reaps() {
    let mut child = shell("sleep 1000 & echo $!; sleep 1000", None);
    let (pid, grandchild) = (child.id(), line(&mut child));
    drop(child);
    assert!(is_reaped(pid.unwrap()));
    await_gone(&grandchild);
}

#[test]
fn what_a_reaped_program_left_behind_lives_on() {
    let mut child = shell("sleep 1000 >/dev/null 2>&1 & echo $!", None);
    let grandchild = line(&mut child);
    assert_eq!(child.reap(), Exit::Status(0));
    drop(child);
    assert!(runs(&grandchild));
    // It is this test's own, found by the id that its parent printed.
    let pid = Pid::from_raw(grandchild.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_buffer_holds_what_the_last_read_brought() {
    let mut child = shell("printf 0123456789; printf error >&2", None);
    let mut buffer = Buffer::new(6);
    assert!(buffer.filled().is_empty() && !buffer.is_full());
    assert_eq!(child.reap(), Exit::Status(0));
    for (filled, is_full) in [(&b"012345"[..], true), (b"6789", false), (b"", false)] {
        assert!(child.stdout().is_some());
        child.read_stdout(&mut buffer).unwrap();
        assert_eq!((buffer.filled(), buffer.is_full()), (filled, is_full));
    }
    assert!(child.stdout().is_none());
    child.read_stderr(&mut buffer).unwrap();
    assert_eq!(buffer.filled(), b"error");
    child.read_stdout(&mut buffer).unwrap();
    assert!(
        buffer.filled().is_empty(),
        "nothing is left of another pipe"
    );
    child.read_stderr(&mut buffer).unwrap();
    assert!(child.stderr().is_none());
}

/// Writes a file with these permissions, and starts it.
fn start_file(folder: &TempDir, content: &[u8], mode: u32) -> io::Error {
    folder.write("program", content);
    let path = folder.path().join("program");
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    loop {
        let error = start(&path, &[], None).unwrap_err();
        // Another test's child that was about to execute held the file open for writing.
        if error.kind() != io::ErrorKind::ExecutableFileBusy {
            return error;
        }
    }
}

#[test]
fn what_kept_a_program_from_starting_is_told_apart() {
    let folder = TempDir::new();
    let of_file = |content: &[u8], mode| start_file(&folder, content, mode);
    let at = |path: &str| start(Path::new(path), &[], None).unwrap_err();
    let huge = "x".repeat(300_000);
    let cases = [
        (at("/nowhere/program"), StartFailure::Missing),
        (at("/etc/passwd/program"), StartFailure::Missing),
        (of_file(b"#!/nowhere/sh\n", 0o755), StartFailure::Missing),
        (of_file(b"#!/bin/sh\r\n", 0o755), StartFailure::Missing),
        (of_file(b"#!/bin/sh\n", 0o644), StartFailure::Denied),
        (at("/etc"), StartFailure::Denied),
        (of_file(b"#!/etc/passwd\n", 0o755), StartFailure::Denied),
        (of_file(b"echo hello\n", 0o755), StartFailure::Format),
        (of_file(b"", 0o755), StartFailure::Format),
        (of_file(b"\x7FELF nonsense", 0o755), StartFailure::Format),
        (
            start(Path::new("/bin/sh"), &[&huge], None).unwrap_err(),
            StartFailure::TooLarge,
        ),
    ];
    for (error, failure) in cases {
        assert_eq!(StartFailure::from(&error), failure, "{error}");
    }
    for number in [11, 12, 23, 24] {
        let error = io::Error::from_raw_os_error(number);
        assert_eq!(
            StartFailure::from(&error),
            StartFailure::Exhausted,
            "{error}"
        );
    }
}

#[test]
fn a_folder_that_is_gone_is_a_missing_program() {
    let program = Program {
        path: Path::new("/bin/sh"),
        arguments: &[],
        folder: &PathBuf::from("/nowhere"),
        stdin: None,
    };
    let error = program
        .start(std::iter::empty(), &Spawners::none())
        .unwrap_err();
    assert_eq!(StartFailure::from(&error), StartFailure::Missing);
}

#[test]
fn the_end_wakes_who_waits_for_it() {
    let mut child = shell("read line", Some(Content::Memory(b"")));
    assert!(watch::await_sign(child.sign(), PATIENCE));
    assert_eq!(child.reap(), Exit::Status(1));
}
