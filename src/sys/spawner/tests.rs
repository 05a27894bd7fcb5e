use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_timeout};
use rustix::process::{Signal, kill_process};

use super::launch::{NAME, PATIENCE};
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
        confinement: Confinement::default(),
    }
}

fn spawners(max: usize) -> Spawners {
    let spawners = Spawners::new(max, launch("sys::spawner::tests::serves"));
    assert_eq!(spawners.max, max, "a kernel with pidfds");
    spawners
}

fn start(spawners: &Spawners, text: &str, stdin: Option<Content<'_>>) -> Child {
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

/// The processes of the spawners there are.
fn processes(spawners: &Spawners) -> Vec<u32> {
    let all = spawners.all();
    let ids = all
        .iter()
        .map(|spawner| spawner.process.lock().unwrap().id());
    ids.collect()
}

fn kill(process: u32, signal: Signal) {
    kill_process(Pid::from_raw(process.cast_signed()).unwrap(), signal).unwrap();
}

#[test]
fn a_program_is_started_as_the_server_would() {
    let spawners = spawners(1);
    let text = "echo $NAME; pwd; env | grep -v ^_ | grep -v ^PWD; test $$ = $(cut -d' ' -f5 /proc/$$/stat) && echo leads; \
                trap '' HUP INT QUIT; grep SigIgn /proc/$$/status";
    // The server always catches them; tests that nohup or a shell's & has started ignore them.
    let own = |spawners| {
        let mut child = start(spawners, text, None);
        (output(&mut child), child.reap())
    };
    let told = own(&spawners);
    assert!(told.0.starts_with("a value\n/usr\n"), "{told:?}");
    assert_eq!(told, own(&Spawners::none()));
    let text = "readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; echo $PPID";
    let mut through = start(&spawners, text, None);
    let parent = processes(&spawners)[0];
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
        let mut child = program.start(std::iter::empty(), &spawners).unwrap();
        assert_eq!(output(&mut child), "");
        let Exit::Unstarted(error) = child.reap() else {
            panic!("{name} was started");
        };
        let error = io::Error::from_raw_os_error(error);
        assert_eq!(StartFailure::from(&error), failure, "{name}");
    }
    assert_eq!(processes(&spawners).len(), 1);
}

#[test]
fn there_are_as_many_as_have_programs_and_no_more_than_may_be() {
    let spawners = spawners(2);
    for count in [1, 1] {
        drop(start(&spawners, "exit", None));
        assert_eq!(processes(&spawners).len(), count);
    }
    let long: Vec<Child> = (0..4)
        .map(|_| start(&spawners, "sleep 100", None))
        .collect();
    assert_eq!(processes(&spawners).len(), 2);
    let running = |spawner: &Arc<Spawner>| spawner.running.load(Ordering::Relaxed);
    assert_eq!(
        spawners.all().iter().map(running).collect::<Vec<_>>(),
        [2, 2]
    );
    drop(long);
    assert_eq!(
        spawners.all().iter().map(running).collect::<Vec<_>>(),
        [0, 0]
    );
}

/// A spawner that is short of descriptors fails what it has no room for, and nothing else.
#[test]
fn a_program_without_room_for_its_descriptors_fails_alone() {
    let own = launch("sys::spawner::tests::serves");
    let script = format!("ulimit -n 32; exec \"{}\" \"$@\"", own.program.display());
    let arguments = ["-c".to_owned(), script, "sh".to_owned()];
    let spawners = Spawners::new(
        1,
        Launch {
            program: "/bin/sh".into(),
            arguments: arguments.into_iter().chain(own.arguments).collect(),
            ..own
        },
    );
    let body = || Some(Content::Memory(b"a body"));
    let mut running: Vec<Child> = (0..30)
        .map(|_| start(&spawners, "exec sleep 100", body()))
        .collect();
    let mut last = start(&spawners, "cat", body());
    let exit = last.reap();
    let no_room = Errno::MFILE.raw_os_error();
    assert!(
        [Exit::Unstarted(no_room), Exit::Lost].contains(&exit),
        "{exit}"
    );
    assert!(!running[0].has_ended());
    running.clear();
    let mut after = start(&spawners, "cat", body());
    assert_eq!(
        (output(&mut after).as_str(), after.reap()),
        ("a body", Exit::Status(0))
    );
    assert_eq!(processes(&spawners).len(), 1);
}

#[test]
fn a_spawner_that_was_stopped_is_waited_for_no_longer_than_it_may_take() {
    let spawners = spawners(1);
    drop(start(&spawners, "exit", None));
    let stopped = processes(&spawners)[0];
    let spawner = Arc::clone(&spawners.all()[0]);
    for way in [Timeout::Recv, Timeout::Send] {
        assert_eq!(socket_timeout(&spawner.socket, way), Ok(Some(PATIENCE)));
    }
    let short = Some(Duration::from_millis(100));
    set_socket_timeout(&spawner.socket, Timeout::Send, short).unwrap();
    kill(stopped, Signal::STOP);
    // Its queue takes some orders before it is full.
    let order = encode_signal(u32::MAX, Urgency::Term);
    while spawner.send(&order, &[]).is_ok() {}
    let mut child = start(&spawners, "echo here", None);
    assert_eq!(
        (output(&mut child).as_str(), child.reap()),
        ("here\n", Exit::Status(0))
    );
    assert_ne!(processes(&spawners), [stopped]);
}

/// A child left behind by a program that was told to end holds its pipe open until it is killed.
#[test]
fn a_program_that_is_told_to_end_leaves_nothing_behind() {
    let spawners = spawners(1);
    let text = "(trap '' TERM; echo; exec sleep 100) & wait";
    let mut child = start(&spawners, text, None);
    let mut buffer = Buffer::new(1);
    child.read_stdout(&mut buffer).unwrap();
    assert_eq!(buffer.filled(), b"\n", "the trap is set");
    child.ask_to_end();
    assert_eq!(output(&mut child), "");
    assert_eq!(child.reap(), Exit::Signal(15));
}

#[test]
fn a_spawner_that_was_killed_is_replaced_and_its_programs_are_ended() {
    let spawners = spawners(1);
    let mut before = start(&spawners, "echo $$; exec >&-; sleep 100", None);
    let program = output(&mut before).trim().to_owned();
    let process = processes(&spawners)[0];
    kill(process, Signal::KILL);
    assert_eq!(before.reap(), Exit::Lost, "nobody knows");
    await_gone(&program);
    for word in ["once\n", "twice\n"] {
        let mut after = start(&spawners, &format!("echo {word}"), None);
        assert_eq!(
            (output(&mut after).as_str(), after.reap()),
            (word, Exit::Status(0))
        );
    }
    assert_ne!(processes(&spawners), [process]);
}

#[test]
fn what_is_no_spawner_or_cannot_take_an_order_is_done_without() {
    let mut nothing = launch("");
    nothing.program = "/nowhere/program".into();
    // One that ends at once, and one that answers with something else.
    for broken in [nothing, launch("sys::spawner::tests::no_such_test")] {
        let spawners = Spawners::new(1, broken);
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

fn limited() -> Confinement {
    Confinement {
        limits: Limits {
            files: Some(32),
            ..Limits::default()
        },
        ..Confinement::default()
    }
}

#[test]
fn a_program_has_the_limits_of_its_spawner() {
    let own = launch("sys::spawner::tests::serves");
    let confinement = limited();
    let spawners = Spawners::new(1, Launch { confinement, ..own });
    spawners.try_out().unwrap();
    assert_eq!(processes(&spawners).len(), 1);
    let mut child = start(&spawners, "ulimit -n; ulimit -Hn", None);
    assert_eq!(output(&mut child), "32\n32\n");
}

#[test]
fn a_program_that_nobody_can_confine_is_not_started() {
    let own = launch("sys::spawner::tests::serves");
    let broken = Launch {
        program: "/nowhere/program".into(),
        confinement: limited(),
        ..own
    };
    let spawners = Spawners::new(1, broken);
    spawners.try_out().unwrap_err();
    let program = Program {
        path: Path::new("/bin/true"),
        arguments: &[],
        folder: Path::new("/"),
        stdin: None,
    };
    let error = program.start(std::iter::empty(), &spawners).unwrap_err();
    assert_eq!(error.to_string(), nobody().to_string());
}

#[test]
fn a_spawner_that_cannot_enter_its_jail_says_why_and_is_ended() {
    let spawner = Spawner::start(&launch("sys::spawner::tests::serves")).unwrap();
    let identity = crate::sys::identity::Identity {
        uid: 61601,
        gid: 61601,
        groups: Vec::new(),
    };
    let jail = Jail {
        root: Path::new("/nowhere/at/all"),
        identity: &identity,
    };
    let confined = spawner.confine(&Confinement::default(), Some(&jail));
    let error = confined.unwrap_err().to_string();
    assert!(error.starts_with("--chroot: "), "{error}");
    let process = spawner.process.lock().unwrap().try_wait().unwrap();
    assert!(process.is_some());
}

#[test]
fn signals_that_end_a_server_do_not_end_a_spawner_but_its_connection_does() {
    let spawners = spawners(1);
    let text = "trap '' TERM; echo $$; exec >&-; exec sleep 100";
    let mut child = start(&spawners, text, None);
    let program = output(&mut child).trim().to_owned();
    let process = processes(&spawners)[0];
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill(process, signal);
    }
    let mut other = start(&spawners, "echo works", None);
    assert_eq!(
        (output(&mut other).as_str(), other.reap()),
        ("works\n", Exit::Status(0))
    );
    assert!(runs(&program));
    // The connection ends with the last who holds it.
    let spawner = spawners.all()[0].socket.try_clone().unwrap();
    rustix::net::shutdown(&spawner, rustix::net::Shutdown::Both).unwrap();
    await_gone(&process.to_string());
    await_gone(&program);
}

/// Spawners that cannot be started before the program is linked to the second path.
fn without_a_program(confinement: Confinement) -> (TempDir, Spawners) {
    let folder = TempDir::new();
    let launch = Launch {
        program: folder.path().join("spawner"),
        confinement,
        ..launch("sys::spawner::tests::serves")
    };
    let spawners = Spawners::new(1, launch);
    (folder, spawners)
}

#[test]
fn after_launches_that_came_to_nothing_one_is_tried_again() {
    let (folder, spawners) = without_a_program(Confinement::default());
    let run = || start(&spawners, "exit 7", None).reap();
    for _ in 0..FAILURES_MAX {
        assert_eq!(run(), Exit::Status(7), "without a spawner");
    }
    let now = Instant::now();
    let rest_until = spawners.failures().rest_until.unwrap();
    assert!(rest_until <= now + RETRY_PAUSE);
    folder.link(std::env::current_exe().unwrap(), "spawner");
    // A pause that no machine is too slow for.
    spawners.failures().rest_until = Some(now + PATIENCE * 100);
    assert_eq!(run(), Exit::Status(7));
    assert!(spawners.all().is_empty(), "not at once");
    spawners.failures().rest_until = Some(now);
    assert_eq!(run(), Exit::Status(7));
    assert_eq!(spawners.all().len(), 1);
    assert_eq!(spawners.failures().rest_until, None);
}

/// Where nobody else may start programs it is time that counts, not how many are refused meanwhile.
#[test]
fn confined_programs_are_started_again_when_their_spawner_can_be() {
    let (folder, spawners) = without_a_program(Confinement {
        nice: 1,
        ..Confinement::default()
    });
    let try_to = || {
        let program = Program {
            path: Path::new("/bin/sh"),
            arguments: &[b"-c".to_vec(), b"exit 7".to_vec()],
            folder: Path::new("/"),
            stdin: None,
        };
        program.start(std::iter::empty(), &spawners)
    };
    for _ in 0..2 * FAILURES_MAX {
        assert!(try_to().is_err(), "nobody could confine it");
    }
    folder.link(std::env::current_exe().unwrap(), "spawner");
    std::thread::sleep(RETRY_PAUSE);
    assert_eq!(try_to().unwrap().reap(), Exit::Status(7));
}
