use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use rustix::process::{Signal, kill_process};

use super::*;
use crate::sys::buffer::Buffer;
use crate::sys::child::{Child, Exit, Program, StartFailure};
use crate::sys::spool::Content;
use crate::sys::testing::{TempDir, await_gone, runs};

/// The program that spawners are in these tests: this one, running this test alone.
#[test]
#[ignore = "the program that other tests run"]
fn serves() {
    process::serve();
}

fn launch(name: &str) -> Launch {
    Launch {
        program: std::env::current_exe().unwrap(),
        name: NAME.to_owned(),
        arguments: [name, "--exact", "--ignored", "--nocapture"]
            .map(str::to_owned)
            .into(),
    }
}

fn spawners(count: usize) -> Arc<Spawners> {
    let spawners = Spawners::new(count, launch("sys::spawner::tests::serves"));
    assert_eq!(spawners.places.len(), count, "a kernel with pidfds");
    Arc::new(spawners)
}

fn start(spawners: &Arc<Spawners>, text: &str, stdin: Option<Content<'_>>) -> Child {
    let program = Program {
        path: Path::new("/bin/sh"),
        arguments: &["-c", text].map(|it| it.as_bytes().to_vec()),
        folder: Path::new("/usr"),
        stdin,
    };
    let environment: [(&[u8], &[u8]); 2] = [(b"NAME", b"a value"), (b"PATH", b"/usr/bin:/bin")];
    program.start(environment.into_iter(), spawners).unwrap()
}

fn output(child: &mut Child) -> String {
    let mut buffer = Buffer::new(4096);
    let mut all = Vec::new();
    while child.stdout().is_some() {
        child.read_stdout(&mut buffer).unwrap();
        all.extend_from_slice(buffer.filled());
    }
    String::from_utf8(all).unwrap()
}

/// The process of the spawner at a place.
fn process_at(spawners: &Spawners, place: usize) -> Option<u32> {
    let guard = spawners.places[place].lock().unwrap();
    guard.as_ref().map(|spawner| spawner.process.id())
}

#[test]
fn a_program_is_started_as_the_server_would() {
    let spawners = spawners(1);
    let text = "echo $NAME; pwd; env | grep -v ^_ | grep -v ^PWD; cut -d' ' -f5 /proc/$$/stat; \
                grep SigIgn /proc/$$/status";
    let own = |spawners| {
        let mut child = start(spawners, text, None);
        let pid = child.id().to_string();
        (output(&mut child).replace(&pid, "PID"), child.reap())
    };
    let told = own(&spawners);
    assert!(told.0.starts_with("a value\n/usr\n"), "{told:?}");
    assert_eq!(told, own(&Arc::new(Spawners::none())));
    let text = "readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; echo $PPID";
    let mut through = start(&spawners, text, None);
    let parent = process_at(&spawners, 0).unwrap();
    // The fourth descriptor is that of the folder.
    assert_eq!(output(&mut through), format!("/dev/null\n4\n{parent}\n"));
    assert_eq!(through.reap(), Exit::Status(0));
}

#[test]
fn its_stdin_is_what_the_server_sends() {
    let spawners = spawners(1);
    let mut file = tempfile();
    file.write_all(b"from a file").unwrap();
    for content in [Content::Memory(b"from a file"), Content::File(&file)] {
        let mut child = start(&spawners, "cat", Some(content));
        assert_eq!(output(&mut child), "from a file");
    }
}

fn tempfile() -> fs::File {
    let dir = TempDir::new();
    let path = dir.path().join("file");
    fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .unwrap()
}

#[test]
fn how_it_ended_is_told_and_why_it_could_not_start() {
    let spawners = spawners(1);
    for (text, exit) in [
        ("exit 3", Exit::Status(3)),
        ("kill -SEGV $$", Exit::Signal(11)),
    ] {
        assert_eq!(start(&spawners, text, None).reap(), exit);
    }
    let dir = TempDir::new();
    dir.write("plain", "#!/bin/sh\n");
    dir.write("text", "no program\n");
    let text = dir.path().join("text");
    fs::set_permissions(&text, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (name, failure) in [
        ("nothing", StartFailure::Missing),
        ("plain", StartFailure::Denied),
        ("text", StartFailure::Format),
    ] {
        let program = Program {
            path: &dir.path().join(name),
            arguments: &[],
            folder: Path::new("/"),
            stdin: None,
        };
        let error = program.start(std::iter::empty(), &spawners).unwrap_err();
        assert_eq!(StartFailure::from(&error), failure, "{name}");
    }
    assert_eq!(spawners.launched.load(Ordering::Relaxed), 1);
}

#[test]
fn there_are_as_many_as_are_busy_at_once_and_no_more_than_may_be() {
    let spawners = spawners(2);
    drop(start(&spawners, "exit", None));
    drop(start(&spawners, "exit", None));
    assert!(process_at(&spawners, 0).is_some());
    assert_eq!(process_at(&spawners, 1), None);
    let first = spawners.places[0].lock().unwrap();
    drop(start(&spawners, "exit", None));
    drop(first);
    assert!(process_at(&spawners, 1).is_some());
}

#[test]
fn a_spawner_that_was_killed_is_replaced_and_costs_no_program() {
    let spawners = spawners(1);
    let mut before = start(&spawners, "read line; echo $line", None);
    let process = process_at(&spawners, 0).unwrap();
    let pid = Pid::from_raw(process.cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let mut during = start(&spawners, "echo once", None);
    assert_eq!(
        (output(&mut during), during.reap()),
        ("once\n".to_owned(), Exit::Status(0))
    );
    let mut after = start(&spawners, "echo twice", None);
    assert_eq!(
        (output(&mut after), after.reap()),
        ("twice\n".to_owned(), Exit::Status(0))
    );
    assert_ne!(process_at(&spawners, 0), Some(process));
    assert_eq!(before.reap(), Exit::Status(-1), "nobody knows");
}

#[test]
fn what_is_no_spawner_or_cannot_take_an_order_is_done_without() {
    let mut nothing = launch("");
    nothing.program = "/nowhere/program".into();
    // One that ends at once, and one that answers with something else.
    for broken in [nothing, launch("sys::spawner::tests::no_such_test")] {
        let spawners = Arc::new(Spawners::new(1, broken));
        for _ in 0..2 {
            let mut child = start(&spawners, "echo here", None);
            assert_eq!(
                (output(&mut child), child.reap()),
                ("here\n".to_owned(), Exit::Status(0))
            );
        }
    }
    let spawners = spawners(1);
    let half = vec![b'x'; ORDER_MAX / 2];
    let program = Program {
        path: Path::new("/bin/sh"),
        arguments: &[b"-c".to_vec(), b"echo here".to_vec(), half.clone(), half],
        folder: Path::new("/"),
        stdin: None,
    };
    let mut child = program.start(std::iter::empty(), &spawners).unwrap();
    assert_eq!(output(&mut child), "here\n");
}

#[test]
fn signals_that_end_a_server_do_not_end_a_spawner_but_its_connection_does() {
    let spawners = spawners(1);
    let mut child = start(&spawners, "trap '' TERM; exec >&-; exec sleep 100", None);
    assert_eq!(output(&mut child), "", "the trap is set");
    let process = process_at(&spawners, 0).unwrap();
    let pid = Pid::from_raw(process.cast_signed()).unwrap();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill_process(pid, signal).unwrap();
    }
    let mut other = start(&spawners, "echo works", None);
    assert_eq!(output(&mut other), "works\n");
    let program = child.id().to_string();
    assert!(runs(&program));
    let spawner = spawners.places[0].lock().unwrap().take();
    let Spawner {
        socket,
        mut process,
        ..
    } = spawner.unwrap();
    drop(socket);
    assert!(process.wait().unwrap().success());
    await_gone(&program);
}
