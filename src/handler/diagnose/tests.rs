#![cfg(feature = "explain")]

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
            // With an argument it is that which ends in CR.
            b"#!/usr/bin/env python3\r\n".to_vec(),
            Missing,
            Reason::CgiCarriageReturn,
            "'python3^M'",
        ),
        (elf(62), Missing, Reason::CgiNoInterpreter, "he loader"),
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
            Reason::CgiByteOrderMark,
            "byte-order mark",
        ),
        (elf(22), Format, Reason::CgiProcessor, "compiled for s390x"),
        (elf(8), Format, Reason::CgiProcessor, "compiled for mips"),
        (elf(999), Format, Reason::CgiProcessor, "processor 999"),
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
        let finding = start_failure(&path, failure);
        let sentence = finding.line();
        assert_eq!(finding.reason(), Some(reason), "{sentence}");
        assert!(sentence.contains(part), "{sentence}");
        assert!(sentence.contains(path.to_str().unwrap()), "{sentence}");
    }
    let finding = start_failure(&folder.path().join("missing"), Missing);
    assert_eq!(finding.reason(), Some(Reason::CgiNotFound), "{finding:?}");
}

#[test]
fn no_more_than_the_beginning_of_a_file_is_looked_at() {
    let folder = TempDir::new();
    folder.write("program", [&b"#!/"[..], &[b'n'; 5_000]].concat());
    let finding = start_failure(&folder.path().join("program"), StartFailure::Format);
    assert!(
        finding.sentence.contains("longer than the 256 bytes"),
        "{finding:?}"
    );
    assert!(finding.line().len() < 1_000, "{finding:?}");
}

/// The codes of what is wrong with a file of this content, which may be executed.
fn codes(content: impl AsRef<[u8]>) -> Vec<String> {
    let folder = TempDir::new();
    folder.write("program", content);
    let path = folder.path().join("program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let findings = program(&path);
    findings
        .iter()
        .map(|finding| finding.code.to_string())
        .collect()
}

#[test]
fn a_file_is_looked_at_as_the_kernel_would() {
    for (content, expected) in [
        (&b"#!/bin/sh\necho"[..], &[][..]),
        (b"#!/usr/bin/env sh\n", &[]),
        (b"#!/usr/bin/env -S sh -e\n", &[]),
        (b"#!/bin/sh\r\n", &["cgi.carriage-return"]),
        (b"#!/bin/sh -e\r\n", &["cgi.carriage-return"]),
        (b"#!/usr/bin/env sh\r\n", &["cgi.carriage-return"]),
        (b"#!/nowhere/sh\n", &["cgi.no-interpreter"]),
        (b"#!/usr/bin/env nowhere9\n", &["cgi.no-interpreter"]),
        (b"#!/etc/passwd\n", &["cgi.not-executable"]),
        (b"#!\n", &["cgi.bad-format"]),
        (b"print 1\n", &["cgi.bad-format"]),
        (b"", &["cgi.bad-format"]),
        (b"\xEF\xBB\xBF#!/bin/sh\n", &["cgi.byte-order-mark"]),
    ] {
        assert_eq!(
            codes(content),
            expected,
            "{:?}",
            content.escape_ascii().to_string()
        );
    }
    assert_eq!(codes(fs::read("/proc/self/exe").unwrap()), [""; 0]);
}

#[test]
fn rights_are_told_with_what_mends_them() {
    let folder = TempDir::new();
    folder.write("a b", "#!/bin/sh\n");
    let path = folder.path().join("a b");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let findings = program(&path);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].remedy, format!("chmod +x '{}'", path.display()));
    assert!(
        findings[0].evidence[0]
            .text
            .starts_with("rw-r----- (0640), user ")
    );
    // A folder is nothing to execute.
    assert_eq!(program(folder.path()), []);
}

/// What the mode does not explain: a sandbox, say.
#[test]
fn a_program_whose_mode_permits_it_is_not_told_to_be_given_that() {
    for (path, part) in [
        (Path::new("/bin/sh"), "--sandbox"),
        (Path::new("/etc/passwd"), "chmod +x"),
    ] {
        let finding = start_failure(path, StartFailure::Denied);
        assert_eq!(finding.reason(), Some(Reason::CgiNotExecutable));
        let line = finding.line();
        assert!(line.contains(part), "{line}");
    }
}
