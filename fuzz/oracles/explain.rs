//! Causes of failures: how a program's file begins, what it printed, and what it complained of.

use tollgate::proto::Reason;
use tollgate::proto::explain::file::{LOOKED_AT, Shape, runs_on, shape, usual_line};
use tollgate::proto::explain::output::finding;
use tollgate::proto::explain::stderr::{Complaint, complaint, is_library};
use tollgate::proto::finding::QUOTED_MAX;

/// Takes any bytes as each of the three.
pub fn explain(input: &[u8]) {
    check_shape(&input[..input.len().min(LOOKED_AT)]);
    for &reason in Reason::ALL {
        check_finding(reason, input);
    }
    if let Some(complaint) = complaint(input) {
        check_complaint(&complaint, &String::from_utf8_lossy(input));
    }
    let _ = usual_line(input);
}

fn check_shape(head: &[u8]) {
    match shape(head) {
        Shape::Script(shebang) => {
            let end = head.iter().position(|&byte| byte == b'\n');
            assert_eq!(shebang.line, &head[..end.unwrap_or(head.len())]);
            assert_eq!(shebang.ends_in_cr, shebang.line.ends_with(b"\r"));
            for word in [shebang.interpreter, shebang.argument] {
                assert_eq!(word, word.trim_ascii());
            }
            assert!(!shebang.interpreter.contains(&b' '));
            let is_within = |word: &[u8]| shebang.line.windows(word.len()).any(|it| it == word);
            for word in shebang
                .looked_up()
                .into_iter()
                .chain([shebang.interpreter, shebang.argument])
            {
                assert!(word.is_empty() || is_within(word));
            }
        }
        Shape::Compiled(elf) => {
            assert!(elf.loader.is_none_or(|path| !path.contains(&0)));
            if let Some(machine) = elf.machine {
                let _ = runs_on(machine, std::env::consts::ARCH);
            }
        }
        Shape::Empty => assert!(head.is_empty()),
        Shape::Marked | Shape::Wide | Shape::Indented | Shape::Text => {
            assert!(!head.starts_with(b"#!"));
        }
    }
}

/// What is quoted is bounded, and cannot write into the lines around it.
fn check_finding(reason: Reason, printed: &[u8]) {
    let finding = finding(reason, printed);
    assert!(!finding.sentence.is_empty());
    for evidence in &finding.evidence {
        // A byte is at most four letters long, and an ellipsis tells what was cut.
        assert!(
            evidence.text.len() <= 4 * QUOTED_MAX + 16,
            "{}",
            evidence.text.len()
        );
        assert!(
            !evidence.text.contains(['\0', '\r', '\x1b']),
            "{:?}",
            evidence.text
        );
    }
    assert_eq!(finding.line().lines().count(), 1);
}

fn check_complaint(complaint: &Complaint, text: &str) {
    match complaint {
        Complaint::Trace(trace) => {
            assert!(trace.line > 0 && text.contains(&trace.line.to_string()));
            assert!(!trace.file.is_empty() && text.contains(&trace.file));
            assert!(!trace.message.is_empty());
            let _ = is_library(&trace.file);
        }
        Complaint::Library(name) => assert!(text.contains(name.as_str())),
        // What env writes out is read.
        Complaint::NotFound(name) => assert!(name.len() <= text.len()),
    }
}
