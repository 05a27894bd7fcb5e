use super::*;
use crate::sys::testing::TempDir;

#[test]
fn every_failure_has_its_reason_and_a_sentence_that_helps() {
    use StartFailure::*;
    let elf = |machine: u16| {
        let mut elf = b"\x7FELF".to_vec();
        elf.resize(18, 0);
        elf.extend_from_slice(&machine.to_le_bytes());
        elf
    };
    // (content, failure, reason, part of the sentence)
    let cases: Vec<(Vec<u8>, StartFailure, Reason, &str)> = vec![
        (
            b"#!/nowhere/python3 -u\n".to_vec(),
            Missing,
            Reason::CgiNoInterpreter,
            "'/nowhere/python3'",
        ),
        (
            b"#!/bin/sh\r\necho\r\n".to_vec(),
            Missing,
            Reason::CgiCarriageReturn,
            "'/bin/sh^M'",
        ),
        (
            // With an argument the name itself ends well.
            b"#!/usr/bin/env python3\r\n".to_vec(),
            Missing,
            Reason::CgiNoInterpreter,
            "'/usr/bin/env'",
        ),
        (elf(62), Missing, Reason::CgiNoInterpreter, "the loader"),
        (b"".to_vec(), Missing, Reason::CgiNotFound, "is gone"),
        (
            b"#!/bin/sh\n".to_vec(),
            Denied,
            Reason::CgiNotExecutable,
            "chmod +x",
        ),
        (b"".to_vec(), Format, Reason::CgiBadFormat, "is empty"),
        (b"echo".to_vec(), Format, Reason::CgiBadFormat, "no #! line"),
        (
            b"\xEF\xBB\xBF#!/bin/sh\n".to_vec(),
            Format,
            Reason::CgiBadFormat,
            "byte-order mark",
        ),
        (
            elf(183),
            Format,
            Reason::CgiBadFormat,
            "compiled for aarch64",
        ),
        (elf(40), Format, Reason::CgiBadFormat, "compiled for arm"),
        (elf(999), Format, Reason::CgiBadFormat, "processor 999"),
        (b"\x7FELF".to_vec(), Format, Reason::CgiBadFormat, "damaged"),
        (
            b"#!/bin/sh\n".to_vec(),
            TooLarge,
            Reason::CgiArgumentsTooLong,
            "more than",
        ),
        (
            b"#!/bin/sh\n".to_vec(),
            Exhausted,
            Reason::CgiSpawnFailed,
            "no process",
        ),
    ];
    let folder = TempDir::new();
    let path = folder.path().join("program");
    for (content, failure, reason, part) in cases {
        folder.write("program", &content);
        let (told, sentence) = start_failure(&path, failure);
        assert_eq!(told, reason, "{sentence}");
        assert!(sentence.contains(part), "{sentence}");
        assert!(sentence.contains(path.to_str().unwrap()), "{sentence}");
    }
    let (reason, sentence) = start_failure(&folder.path().join("missing"), Missing);
    assert_eq!(reason, Reason::CgiNotFound, "{sentence}");
}

#[test]
fn the_interpreter_is_the_first_word() {
    for (head, interpreter) in [
        (&b"#!/bin/sh\necho"[..], Some("/bin/sh")),
        (b"#! \t/usr/bin/env python3\n", Some("/usr/bin/env")),
        (b"#!/usr/bin/python3\r\n", Some("/usr/bin/python3\r")),
        (b"#!/bin/sh", Some("/bin/sh")),
        (b"#!\n", Some("")),
        (b"echo hello\n", None),
        (b" #!/bin/sh\n", None),
        (b"", None),
    ] {
        assert_eq!(interpreter_of(head).as_deref(), interpreter);
    }
}

#[test]
fn no_more_than_the_beginning_of_a_file_is_looked_at() {
    let folder = TempDir::new();
    folder.write("program", [&b"#!/"[..], &[b'n'; 5_000]].concat());
    let (_, sentence) = start_failure(&folder.path().join("program"), StartFailure::Missing);
    assert!(
        sentence.matches('n').count() < LOOKED_AT + 100,
        "{sentence}"
    );
}

#[test]
fn what_cannot_be_executed_is_told_by_its_first_bytes() {
    let elf = |machine: u16| {
        let mut head = b"\x7FELF".to_vec();
        head.resize(18, 0);
        head.extend_from_slice(&machine.to_le_bytes());
        head
    };
    let own = (0..300).find(|machine| machine_name(*machine) == ARCH);
    for (head, words) in [
        (elf(8), "compiled for mips"),
        (elf(own.unwrap_or(0)), "damaged ELF"),
        (elf(8)[..19].to_vec(), "damaged ELF"),
        (b"echo".to_vec(), "no #! line"),
        (b"#!  \necho".to_vec(), "names no interpreter"),
        (b"\xEF\xBB\xBF#!/bin/sh".to_vec(), "byte-order mark"),
    ] {
        let sentence = format_sentence("x", &head);
        assert!(sentence.contains(words), "{head:?}: {sentence}");
    }
}

/// What the mode does not explain: a sandbox, say.
#[test]
fn a_program_whose_mode_permits_it_is_not_told_to_be_given_that() {
    for (path, part) in [
        (Path::new("/bin/sh"), "--sandbox"),
        (Path::new("/etc/passwd"), "chmod +x"),
    ] {
        let (reason, sentence) = start_failure(path, StartFailure::Denied);
        assert_eq!(reason, Reason::CgiNotExecutable);
        assert!(sentence.contains(part), "{sentence}");
    }
}
