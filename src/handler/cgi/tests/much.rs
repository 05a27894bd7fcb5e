//! Much output, and clients that take it as they like.

use super::*;

#[test]
fn a_client_that_reads_nothing_does_not_slow_the_program() {
    let bench = Bench::new();
    let fifo = bench.fifo();
    // The program has ended before the client takes the first byte.
    let program = r"printf 'X: y\n\n'; head -c 20000000 /dev/zero; echo done > fifo";
    let (outcome, received) = bench.run_with(program, |peer| {
        assert_eq!(fs::read_to_string(fifo).unwrap(), "done\n");
        read_all(peer)
    });
    assert_eq!(told(&outcome), "answered");
    let zeros = received.iter().filter(|byte| **byte == 0).count();
    assert_eq!(zeros, 20_000_000);
    assert!(received.ends_with(b"\r\n0\r\n\r\n"));
}

#[test]
fn much_output_arrives_as_it_was_printed_however_the_client_reads() {
    let bench = Bench::new();
    let content = pattern(5 << 20);
    bench.folder.write("file", &content);
    for (version, length) in [
        (Version::Http11, ""),
        (Version::Http10, ""),
        (Version::Http11, r"Content-Length: 5242880\n"),
    ] {
        // In a few pieces, some of them small, so that it is read and passed on by turns.
        let program = format!(
            "printf 'X: y\\n{length}\\n'; head -c 1000000 file; tail -c +1000001 file | head -c 5
             tail -c +1000006 file"
        );
        for pause in [Duration::ZERO, 3 * bulk::MOMENT] {
            let bench = Bench {
                version,
                folder: TempDir::new(),
                ..Bench::new()
            };
            bench.folder.write("file", &content);
            let (outcome, received) = bench.run_with(&program, |peer| {
                let mut received = Vec::new();
                let mut piece = vec![0; 1 << 20];
                loop {
                    let read = peer.read(&mut piece).unwrap();
                    received.extend_from_slice(&piece[..read]);
                    if read == 0 {
                        return received;
                    }
                    // A client that takes its time, not one that something is waited for with.
                    std::thread::sleep(pause);
                }
            });
            assert_eq!(told(&outcome), "answered");
            let body = body_of(&received);
            assert!(body == content, "{version:?}, {length}, {pause:?}");
        }
    }
}

#[test]
fn much_output_has_to_be_as_long_as_announced() {
    let content = pattern(2 << 20);
    for (length, expected) in [
        (2_097_151, "answered, cgi.long"),
        (2_097_152, "answered"),
        (2_097_153, "cut, cgi.short"),
    ] {
        let bench = Bench::new();
        bench.folder.write("file", &content);
        let program = format!("printf 'Content-Length: {length}\\n\\n'; cat file");
        let (outcome, received) = bench.run_with(&program, read_all);
        assert_eq!(told(&outcome), expected);
        let len = content.len().min(length);
        assert!(body_of(&received) == content[..len]);
    }
}

#[test]
fn a_client_that_goes_amid_much_output_ends_the_program_and_its_group() {
    let bench = Bench::new();
    let fifo = bench.fifo();
    let program = r"exec 3> fifo; printf 'X: y\n\n'; while :; do head -c 1000000 /dev/zero; done";
    let held = std::thread::spawn(move || fs::read(fifo));
    let (outcome, ()) = bench.run_with(program, |peer| {
        let mut received = vec![0; 3_000_000];
        peer.read_exact(&mut received).unwrap();
        reset(peer);
    });
    assert_eq!(told(&outcome), "cut, client.gone");
    // Until the whole group is dead and lets go of it.
    held.join().unwrap().unwrap();
}

#[test]
fn a_child_that_goes_on_printing_much_is_left_soon() {
    let program = r"printf 'X: y\n\n'; head -c 500000 /dev/zero
        while :; do head -c 1000000 /dev/zero || exit; done 2> /dev/null &";
    let bench = Bench::new();
    let (outcome, received) = bench.run_with(program, read_all);
    assert_eq!(told(&outcome), "answered");
    assert!(received.ends_with(b"\r\n0\r\n\r\n"));
}

#[test]
fn with_the_spool_full_the_least_rate_decides() {
    let bench = Bench {
        max_disk: 0,
        send_window: SHORT,
        ..Bench::new()
    };
    let program = r"exec 3> fifo; printf 'X: y\n\n'
        while :; do head -c 1000000 /dev/zero; done";
    let fifo = bench.fifo();
    let (outcome, held) = bench.run_with(program, |_peer| {
        // Reads nothing of the response until the whole group is dead and lets go of the FIFO.
        fs::read(fifo)
    });
    assert!(held.is_ok());
    assert_eq!(told(&outcome), "cut, client.slow");
}

#[test]
fn a_client_that_reads_slowly_gets_everything_without_a_spool() {
    let bench = Bench {
        max_disk: 0,
        silence: SHORT,
        ..Bench::new()
    };
    let program = r"printf 'X: y\n\n'; head -c 3000000 /dev/zero; printf end";
    let (outcome, received) = bench.run_with(program, read_all);
    assert_eq!(told(&outcome), "answered");
    let zeros = received.iter().filter(|byte| **byte == 0).count();
    assert_eq!(zeros, 3_000_000);
    assert!(received.ends_with(b"end\r\n0\r\n\r\n"));
}
