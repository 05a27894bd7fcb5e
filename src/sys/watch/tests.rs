use std::io::Read;
use std::net::Shutdown;
use std::path::Path;

use super::*;
use crate::sys::buffer::Buffer;
use crate::sys::child::{Exit, Program};
use crate::sys::spawner::Spawners;
use crate::sys::stream::More;
use crate::sys::testing::{connection, tcp_connection};

/// More than any step takes, so that a fault ends in a failure and not in a wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that can be waited for.
const ALL: Wanted = Wanted {
    client: true,
    stdout: true,
    end: true,
    client_half: true,
    client_room: true,
};

/// What is reported without being asked for.
const NONE: Wanted = Wanted {
    client: true,
    stdout: false,
    end: false,
    client_half: false,
    client_room: false,
};

fn shell(text: &str) -> Child {
    let program = Program {
        path: Path::new("/bin/sh"),
        arguments: &[b"-c".to_vec(), text.as_bytes().to_vec()],
        folder: Path::new("/"),
        stdin: None,
    };
    program
        .start(std::iter::empty(), &Spawners::none())
        .unwrap()
}

/// What a look brings whose patience must not be needed.
fn look(child: &Child, client: &Stream, halt: &Halt, wanted: Wanted) -> Events {
    watch(child, client, halt, wanted, PATIENCE).unwrap()
}

/// The events that are not the default, by name.
fn names(events: Events) -> Vec<&'static str> {
    [
        (events.stdout == Pipe::Bytes, "stdout"),
        (events.stdout == Pipe::End, "stdout ended"),
        (events.stderr == Pipe::Bytes, "stderr"),
        (events.stderr == Pipe::End, "stderr ended"),
        (events.ended, "ended"),
        (events.client_room, "room"),
        (events.client_half, "half"),
        (events.client_gone, "gone"),
        (events.halted, "halted"),
    ]
    .into_iter()
    .filter_map(|(happened, name)| happened.then_some(name))
    .collect()
}

#[test]
fn each_event_of_a_program_is_told_alone() {
    let stdout = Wanted {
        stdout: true,
        ..NONE
    };
    let end = Wanted { end: true, ..NONE };
    // (program, what is wanted, what is seen)
    let cases = [
        ("echo x; exec sleep 1000", stdout, "stdout"),
        ("exec >&-; exec sleep 1000", stdout, "stdout ended"),
        ("echo x >&2; exec sleep 1000", stdout, "stderr"),
        ("exec 2>&-; exec sleep 1000", stdout, "stderr ended"),
        ("exec sleep 1000 & exit", end, "ended"),
    ];
    let halt = Halt::new().unwrap();
    for (text, wanted, expected) in cases {
        let (client, _peer) = connection();
        let mut child = shell(text);
        let events = look(&child, &client, &halt, wanted);
        assert_eq!(names(events), [expected], "{text}");
        // It stays true until it is acted on.
        let events = look(&child, &client, &halt, wanted);
        assert_eq!(names(events), [expected], "{text}");
        child.end(Duration::ZERO);
    }
}

#[test]
fn what_is_not_wanted_is_not_waited_for() {
    let halt = Halt::new().unwrap();
    let (client, peer) = tcp_connection();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut child = shell("echo x; exec 2>&-");
    let seen = look(&child, &client, &halt, ALL);
    assert!(seen.client_half && seen.client_room);
    child.close_stderr();
    let patience = Duration::from_millis(1);
    let events = watch(&child, &client, &halt, NONE, patience).unwrap();
    assert_eq!(names(events), [""; 0]);
    assert_eq!(child.reap(), Exit::Status(0));
}

#[test]
fn a_client_that_ended_its_half_is_told_from_one_that_is_gone() {
    let halt = Halt::new().unwrap();
    let child = shell("exec sleep 1000");
    let half = Wanted {
        client_half: true,
        ..NONE
    };

    let (client, peer) = tcp_connection();
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(names(look(&child, &client, &halt, half)), ["half"]);
    drop(peer);

    // A reset is noticed without being asked for.
    let (client, mut peer) = tcp_connection();
    client.write(b"unread", More::No).unwrap();
    peer.read_exact(&mut [0]).unwrap();
    drop(peer);
    assert!(look(&child, &client, &halt, NONE).client_gone);

    let (client, peer) = connection();
    drop(peer);
    assert!(look(&child, &client, &halt, NONE).client_gone);
}

#[test]
fn room_is_told_when_the_client_has_taken_something() {
    let halt = Halt::new().unwrap();
    let child = shell("exec sleep 1000");
    let room = Wanted {
        client_room: true,
        ..NONE
    };
    let (client, mut peer) = connection();
    let mut sent = 0;
    while let Some(step) = client.write(&[0; 4096], More::No).unwrap() {
        sent += step;
    }
    let now = watch(&child, &client, &halt, room, Duration::ZERO).unwrap();
    assert_eq!(names(now), [""; 0]);
    peer.read_exact(&mut vec![0; sent]).unwrap();
    assert_eq!(names(look(&child, &client, &halt, room)), ["room"]);
}

#[test]
fn the_order_to_stop_is_seen_by_all_for_ever() {
    let halt = Halt::new().unwrap();
    assert!(!halt.wait(Duration::ZERO));
    let child = shell("exec sleep 1000");
    let (client, _peer) = connection();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| halt.wait(PATIENCE)))
            .collect();
        let watching = scope.spawn(|| look(&child, &client, &halt, NONE));
        halt.order();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        assert_eq!(names(watching.join().unwrap()), ["halted"]);
    });
    halt.order();
    assert!(halt.wait(Duration::ZERO));
    assert_eq!(names(look(&child, &client, &halt, NONE)), ["halted"]);
}

/// What lies in the pipes when the end is reported is everything: a relay that has read it need not
/// look again.
#[test]
fn a_program_that_is_seen_ended_has_its_output_in_the_pipe() {
    let halt = Halt::new().unwrap();
    let (client, _peer) = connection();
    let mut buffer = Buffer::new(64 << 10);
    for round in 0..200 {
        let mut child = shell("echo out; echo err >&2; exec sleep 0");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let wanted = Wanted {
            stdout: true,
            end: true,
            ..NONE
        };
        loop {
            let events = look(&child, &client, &halt, wanted);
            match events.stderr {
                Pipe::Bytes => {
                    child.read_stderr(&mut buffer).unwrap();
                    err.extend_from_slice(buffer.filled());
                }
                Pipe::End => child.close_stderr(),
                Pipe::Quiet => {}
            }
            match events.stdout {
                Pipe::Bytes => {
                    child.read_stdout(&mut buffer).unwrap();
                    out.extend_from_slice(buffer.filled());
                }
                Pipe::End => child.close_stdout(),
                Pipe::Quiet => {}
            }
            if events.ended {
                break;
            }
        }
        assert_eq!(
            (&out[..], &err[..]),
            (&b"out\n"[..], &b"err\n"[..]),
            "round {round}"
        );
        assert_eq!(child.reap(), Exit::Status(0));
    }
}
