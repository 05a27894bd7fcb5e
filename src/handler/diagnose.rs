//! Finds out why a program could not be started, from the error and the file's first line.
//!
//! Shape: a path and what exec(2) said go in; a [`Reason`] for the client and a sentence for the log
//! come out. Rules: the sentence may hold paths and content of the file, so it goes to the log alone.

use std::env::consts::ARCH;
use std::path::Path;

use crate::proto::Reason;
use crate::sys::child::{self, StartFailure};
use crate::sys::{first_bytes, mode_permits_execution};

/// How much of a program is looked at: what the kernel itself reads of a `#!` line.
const LOOKED_AT: usize = 256;

/// Returns the reason and a sentence that names the cause and its remedy.
pub fn start_failure(path: &Path, failure: StartFailure) -> (Reason, String) {
    let shown = path.display();
    let head = first_bytes(path, LOOKED_AT).unwrap_or_default();
    let interpreter = interpreter_of(&head);
    match failure {
        StartFailure::Missing => match interpreter {
            Some(name) if name.ends_with('\r') => (
                Reason::CgiCarriageReturn,
                format!(
                    "the first line of {shown} ends in CR LF, so the kernel looks for '{}^M'; \
                     mend it with: sed -i 's/\\r$//' {shown}",
                    name.trim_end()
                ),
            ),
            Some(name) => (
                Reason::CgiNoInterpreter,
                format!("{shown} asks for the interpreter '{name}', which does not exist here"),
            ),
            None if head.is_empty() => (
                Reason::CgiNotFound,
                format!("{shown} is gone since it was looked up"),
            ),
            None => (
                Reason::CgiNoInterpreter,
                format!("the loader that {shown} was linked for does not exist here"),
            ),
        },
        // A sandbox refuses what modes permit.
        StartFailure::Denied if mode_permits_execution(path) => (
            Reason::CgiNotExecutable,
            format!(
                "{shown} has a mode that permits it to be executed, but its interpreter may not be, or its \
                 file system is mounted noexec, or it is kept back by --sandbox (then give --allow-read \
                 for its folder, or restart where that was exchanged)"
            ),
        ),
        StartFailure::Denied => (
            Reason::CgiNotExecutable,
            format!(
                "{shown}, its interpreter or a folder above them may not be executed by the \
                 server's user; try: chmod +x {shown}"
            ),
        ),
        StartFailure::Format => (
            Reason::CgiBadFormat,
            format_sentence(&shown.to_string(), &head),
        ),
        StartFailure::Nested => (
            Reason::CgiBadFormat,
            format!("the #! line of {shown} leads to another and on, in a circle or too far"),
        ),
        StartFailure::Busy => (
            Reason::CgiSpawnFailed,
            format!("{shown} is still being written, and cannot be run before that is done"),
        ),
        StartFailure::TooLarge => (
            Reason::CgiArgumentsTooLong,
            format!("the variables for {shown} are more than the system takes"),
        ),
        StartFailure::Exhausted => (
            Reason::CgiSpawnFailed,
            format!("the system has no process, memory or descriptor left to start {shown}"),
        ),
    }
}

/// Returns the reason for the end of a program by this signal.
pub fn killed(signal: i32) -> Reason {
    match signal {
        child::CPU_LIMIT => Reason::CgiCpuLimit,
        child::FILE_LIMIT => Reason::CgiFileLimit,
        _ => Reason::CgiKilled,
    }
}

/// The interpreter that a `#!` line names, up to its first space; a CR at its end is kept.
fn interpreter_of(head: &[u8]) -> Option<String> {
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = String::from_utf8_lossy(line);
    let name = line
        .trim_start_matches([' ', '\t'])
        .split([' ', '\t'])
        .next()?;
    Some(name.to_owned())
}

fn format_sentence(shown: &str, head: &[u8]) -> String {
    if head.is_empty() {
        return format!("{shown} is empty");
    }
    if head.starts_with(b"\xEF\xBB\xBF#!") {
        return format!("{shown} begins with a byte-order mark, which hides its #! line");
    }
    if head.starts_with(b"\x7FELF") {
        return match head.get(18..20) {
            Some(&[low, high]) if machine_name(u16::from_le_bytes([low, high])) != ARCH => {
                let machine = machine_name(u16::from_le_bytes([low, high]));
                format!("{shown} is compiled for {machine}, this is {ARCH}")
            }
            _ => format!("{shown} is a damaged ELF file"),
        };
    }
    if head.starts_with(b"#!") {
        return format!(
            "the #! line of {shown} names no interpreter, or is longer than the {LOOKED_AT} bytes \
             that the kernel reads"
        );
    }
    format!("{shown} has no #! line and is no compiled program; begin it with, say, #!/bin/sh")
}

/// The e_machine values of the ELF specification that small machines meet.
fn machine_name(machine: u16) -> String {
    let name = match machine {
        3 => "x86",
        8 => "mips",
        20 | 21 => "powerpc",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv",
        _ => return format!("processor {machine}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests;
