//! How a run ends that does not end by itself alone: by silence, by order, by its client.

use super::*;

#[test]
fn silence_ends_the_program_and_its_group() {
    let bench = Bench {
        silence: SHORT,
        ..Bench::new()
    };
    let (outcome, received) = bench.run(SILENT);
    assert_eq!(outcome, "cut, cgi.timeout");
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    pids(&received).iter().for_each(|pid| await_gone(pid));

    let bench = Bench {
        silence: Duration::from_millis(20),
        ..Bench::new()
    };
    assert_eq!(bench.run("sleep 1000").0, "failed, cgi.timeout");
    // A response that is given already stands.
    let bench = Bench {
        silence: SHORT,
        ..Bench::new()
    };
    let (outcome, received) = bench.run(r"printf 'X: y\n\nok'; exec >&-; sleep 1000");
    assert_eq!(outcome, "answered, cgi.timeout");
    assert_eq!(own(&received), "X: y\r\nContent-Length: 2\r\n\r\nok");
}

#[test]
fn a_program_that_ignores_the_request_to_end_is_killed() {
    let bench = Bench {
        silence: SHORT,
        ..Bench::new()
    };
    let program = format!("trap '' TERM; {SILENT}");
    let (outcome, received) = bench.run(&program);
    assert_eq!(outcome, "cut, cgi.timeout");
    pids(&received).iter().for_each(|pid| await_gone(pid));
}

#[test]
fn the_order_to_stop_ends_the_program_and_its_group() {
    let bench = Bench::new();
    let (outcome, received) = bench.run_with(SILENT, |peer| {
        let seen = read_until(peer, "}");
        bench.halt.order();
        seen
    });
    assert_eq!(told(&outcome), "cut, server.stopping");
    pids(&received).iter().for_each(|pid| await_gone(pid));
    assert_eq!(bench.run("sleep 1000").0, "failed, server.stopping");
}

#[test]
fn a_client_that_is_gone_ends_the_program_and_its_group() {
    // A reset is seen though the program is silent.
    let (outcome, received) = Bench::new().run_with(SILENT, |peer| {
        let seen = read_until(peer, "}");
        reset(peer);
        seen
    });
    assert_eq!(told(&outcome), "cut, client.gone");
    pids(&received).iter().for_each(|pid| await_gone(pid));
    let (outcome, ()) = Bench::new().run_with("sleep 1000", reset);
    assert_eq!(told(&outcome), "failed, client.gone");
}

#[test]
fn a_half_closed_client_has_a_grace_that_output_renews() {
    let bench = Bench {
        half_closed: SHORT,
        ..Bench::new()
    };
    let (outcome, received) = bench.run_with(SILENT, |peer| {
        peer.shutdown(Shutdown::Write).unwrap();
        read_all(peer)
    });
    assert_eq!(told(&outcome), "cut, client.gone");
    let received = String::from_utf8(received).unwrap();
    pids(&received).iter().for_each(|pid| await_gone(pid));

    // Longer than the grace in all, and shorter from each output to the next.
    let program = r"printf 'X: y\n\n'; for n in 1 2 3 4 5 6; do printf $n; sleep 0.2; done";
    let (outcome, received) = bench.run_with(program, |peer| {
        peer.shutdown(Shutdown::Write).unwrap();
        read_all(peer)
    });
    assert_eq!(told(&outcome), "answered");
    let received = String::from_utf8(received).unwrap();
    assert!(own(&received).ends_with("\r\n\r\n123456"), "{received}");
}

#[test]
fn an_old_client_sees_a_cut_as_a_reset() {
    let bench = Bench {
        version: Version::Http10,
        ..Bench::new()
    };
    let (outcome, is_reset) = bench.run_with(r"printf 'X: y\n\nhello'; kill -KILL $$", |peer| {
        peer.read_to_end(&mut Vec::new()).is_err()
    });
    assert_eq!(told(&outcome), "cut, cgi.killed");
    assert!(is_reset);
}
