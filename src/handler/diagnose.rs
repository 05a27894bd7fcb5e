//! Finds out why a program cannot be started: from its file, the folders above it, and what exec(2) said.
//!
//! Shape: a path goes in, [`Finding`]s come out: all that is wrong with the file ([`program`]), or the one
//! for which a start failed ([`start_failure`]) or was refused ([`refused`]). Rules: the file is looked at
//! as the kernel would, by the user that the server is. What is found holds paths and content of files, so
//! it is for the operator alone.
//!
//! Not here: why a program failed that was started (`ended.rs`).

pub mod ended;

use std::env::consts::ARCH;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::proto::Reason;
use crate::proto::cgi::meta::DEFAULT_PATH;
use crate::proto::explain::file::{self, Elf, Shape, Shebang};
use crate::proto::finding::{Code, Finding, quoted};
use crate::sys::child::StartFailure;
use crate::sys::first_bytes;
use crate::sys::identity::may_execute;

/// Whether causes are looked for: without that the sources of this and [`ended`] come to little.
const LOOKS: bool = cfg!(feature = "explain");

/// All that keeps this file from being executed, the most basic first.
pub fn program(path: &Path) -> Vec<Finding> {
    if let Some(finding) = closed_folder(path) {
        return vec![finding];
    }
    let Ok(meta) = fs::metadata(path) else {
        return Vec::new();
    };
    if !meta.is_file() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !may_execute(path) {
        findings.push(not_executable(path, &meta));
    }
    // What only may be executed cannot be looked at.
    if let Ok(head) = first_bytes(path, file::LOOKED_AT) {
        findings.extend(of_shape(path, &head));
    }
    findings
}

/// The first folder on the way to `path` that the server's user may not pass.
fn closed_folder(path: &Path) -> Option<Finding> {
    let folders: Vec<&Path> = path.ancestors().skip(1).collect();
    let closed = folders
        .into_iter()
        .rev()
        .find(|folder| folder.is_dir() && !may_execute(folder))?;
    let shown = closed.display();
    let mode = fs::metadata(closed).map_or(String::new(), |meta| rights(&meta));
    let sentence = format!(
        "The server's user ({}) may not pass the folder {shown}, which {} lies in.",
        own_user(),
        path.display()
    );
    let remedy = format!("chmod a+x {}", quoted(&shown.to_string()));
    let finding = Finding::error(Reason::CgiFolderDenied, sentence, remedy);
    Some(finding.shown_by(format!("rights of {shown}"), mode.as_bytes()))
}

fn not_executable(path: &Path, meta: &fs::Metadata) -> Finding {
    let shown = path.display();
    let (sentence, who) = match meta.permissions().mode() & 0o111 {
        0 => (format!("{shown} has no execute permission."), ""),
        _ => {
            let user = own_user();
            let sentence = format!("{shown} may not be executed by the server's user ({user}).");
            (sentence, "a")
        }
    };
    let remedy = format!("chmod {who}+x {}", quoted(&shown.to_string()));
    Finding::error(Reason::CgiNotExecutable, sentence, remedy)
        .shown_by(format!("rights of {shown}"), rights(meta).as_bytes())
}

/// What is wrong with a file that begins so.
fn of_shape(path: &Path, head: &[u8]) -> Option<Finding> {
    let shown = path.display().to_string();
    let word = quoted(&shown);
    let first_line = format!("line 1 of {shown}");
    let error = |reason, sentence: String, remedy: String| {
        let line = head.split_inclusive(|&byte| byte == b'\n').next();
        let line = line
            .filter(|line| line.len() <= file::SHEBANG_MAX)
            .unwrap_or_default();
        Some(Finding::error(reason, sentence, remedy).shown_by(first_line.clone(), line))
    };
    match file::shape(head) {
        Shape::Empty => error(
            Reason::CgiBadFormat,
            format!("{shown} is empty."),
            format!("write the program; a script begins with, say, #!/bin/sh ({word})"),
        ),
        Shape::Marked => error(
            Reason::CgiByteOrderMark,
            format!("{shown} begins with a byte-order mark (EF BB BF), which hides its #! line."),
            format!("sed -i '1s/^\\xEF\\xBB\\xBF//' {word}"),
        ),
        Shape::Wide => error(
            Reason::CgiByteOrderMark,
            format!("{shown} is written in UTF-16, which hides its #! line."),
            format!(
                "save it as UTF-8: iconv -f UTF-16 -t UTF-8 {word} > copy && cat copy > {word} && rm copy"
            ),
        ),
        Shape::Indented => error(
            Reason::CgiBadFormat,
            format!("White space stands before the #! line of {shown}, so it is none."),
            format!("sed -i -z 's/^[[:space:]]*//' {word}"),
        ),
        Shape::Text => Some(Finding::error(
            Reason::CgiBadFormat,
            format!("{shown} has no #! line and is no compiled program."),
            match file::usual_line(shown.as_bytes()) {
                Some(line) => {
                    format!("let its first line name the interpreter: sed -i '1i {line}' {word}")
                }
                None => "put it among the files that are sent (www/), and give both --cgi /cgi-bin/=cgi-bin \
                         and --cgi .php=/usr/bin/php-cgi"
                    .to_owned(),
            },
        ))
        .map(|finding| {
            let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
            finding.shown_by(first_line.clone(), &line[..line.len().min(80)])
        }),
        Shape::Compiled(elf) => of_compiled(&shown, elf),
        Shape::Script(shebang) if shebang.interpreter.is_empty() => error(
            Reason::CgiBadFormat,
            format!("The #! line of {shown} names no interpreter."),
            format!("name it with its path: sed -i '1s|.*|#!/bin/sh|' {word}"),
        ),
        Shape::Script(shebang) if shebang.is_too_long => error(
            Reason::CgiBadFormat,
            format!(
                "The #! line of {shown} is longer than the {} bytes that the kernel reads.",
                file::SHEBANG_MAX
            ),
            "put what it says into a short script of its own, and name that".to_owned(),
        ),
        Shape::Script(shebang) => {
            let (reason, sentence, remedy) = of_shebang(path, &shown, &shebang)?;
            error(reason, sentence, remedy)
        }
    }
}

fn of_compiled(shown: &str, elf: Elf<'_>) -> Option<Finding> {
    let Some(machine) = elf.machine else {
        let sentence = format!("{shown} is a damaged ELF file: it ends within its head.");
        return Some(Finding::error(
            Reason::CgiBadFormat,
            sentence,
            "compile it again",
        ));
    };
    if !file::runs_on(machine, ARCH) {
        let machine = file::machine_name(machine);
        let sentence = format!("{shown} is compiled for {machine}, this is {ARCH}.");
        let remedy = format!("compile it here, or for {ARCH}");
        return Some(Finding::error(Reason::CgiProcessor, sentence, remedy));
    }
    let loader = Path::new(OsStr::from_bytes(elf.loader?));
    if loader.exists() {
        return None;
    }
    let sentence = format!(
        "{shown} was linked for the loader {}, which does not exist here.",
        loader.display()
    );
    let remedy = "link it statically (cc -static), or install the C library that it was linked for";
    Some(Finding::error(Reason::CgiNoInterpreter, sentence, remedy))
}

/// What is wrong with a `#!` line that names something.
fn of_shebang(path: &Path, shown: &str, shebang: &Shebang<'_>) -> Option<(Reason, String, String)> {
    let name = String::from_utf8_lossy(shebang.interpreter).into_owned();
    let looked_up = shebang.looked_up();
    if shebang.ends_in_cr {
        let wanted = match (shebang.argument, looked_up) {
            (b"", _) => format!("the kernel looks for '{name}^M'"),
            (_, Some(looked_up)) => {
                format!(
                    "{name} looks for '{}^M'",
                    String::from_utf8_lossy(looked_up)
                )
            }
            (argument, None) => {
                let argument = String::from_utf8_lossy(argument);
                format!("{name} is given '{argument}^M'")
            }
        };
        return Some((
            Reason::CgiCarriageReturn,
            format!("The first line of {shown} ends in CR LF, so {wanted}."),
            format!("sed -i 's/\\r$//' {}", quoted(shown)),
        ));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let interpreter = folder.join(OsStr::from_bytes(shebang.interpreter));
    if !interpreter.exists() {
        let found = interpreter.file_name().and_then(installed_as);
        let remedy = match found {
            Some(found) => put_for(shown, &name, &found.display().to_string()),
            None => "install it, or name another with its whole path".to_owned(),
        };
        let sentence =
            format!("{shown} asks for the interpreter '{name}', which does not exist here.");
        return Some((Reason::CgiNoInterpreter, sentence, remedy));
    }
    if !may_execute(&interpreter) || interpreter.is_dir() {
        let sentence = format!(
            "{shown} asks for the interpreter '{name}', which the server's user ({}) may not execute.",
            own_user()
        );
        let remedy = format!("chmod a+x {}, or name another", quoted(&name));
        return Some((Reason::CgiNotExecutable, sentence, remedy));
    }
    let wanted = OsStr::from_bytes(looked_up?);
    let found = installed_as(wanted);
    let word = wanted.display();
    if shebang.is_one_word() {
        let argument = String::from_utf8_lossy(shebang.argument);
        let sentence = format!(
            "{shown} has env look for '{argument}', which the kernel gives it as one word."
        );
        let remedy = match &found {
            Some(found) => put_for(
                shown,
                &format!("{name}[[:space:]]*{word}"),
                &found.display().to_string(),
            ),
            None => format!("name {word} with its whole path, in place of {name}"),
        };
        return Some((Reason::CgiNoInterpreter, sentence, remedy));
    }
    if wanted.as_bytes().contains(&b'/') || find_in_path(wanted).is_some() {
        return None;
    }
    let sentence = format!(
        "{shown} has env look for '{word}', which is in no folder of PATH ({DEFAULT_PATH})."
    );
    let remedy = match found.as_deref().and_then(Path::file_name) {
        Some(found) => put_for(shown, &word.to_string(), &found.display().to_string()),
        None => format!(
            "install {word}, name it with its whole path, or give programs another PATH: --env PATH=..."
        ),
    };
    Some((Reason::CgiNoInterpreter, sentence, remedy))
}

/// What puts another name into a first line.
fn put_for(shown: &str, name: &str, found: &str) -> String {
    let edit = format!("1s|{name}|{found}|");
    format!(
        "it is there as {found}: sed -i {} {}",
        quoted(&edit),
        quoted(shown)
    )
}

/// What interprets a script, by its first line.
pub fn language_of(path: &Path) -> Option<String> {
    let head = first_bytes(path, file::SHEBANG_MAX).ok()?;
    match file::shape(&head) {
        Shape::Script(shebang) => {
            let name = shebang.looked_up().unwrap_or(shebang.interpreter);
            Some(String::from_utf8_lossy(name).into_owned())
        }
        _ => None,
    }
}

/// Where a program of this name lies, as programs look it up.
fn find_in_path(name: &OsStr) -> Option<PathBuf> {
    let folders = DEFAULT_PATH.split(':').map(Path::new);
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file() && may_execute(path))
}

/// Where a program of this name lies, or one of another version: python3 for python.
fn installed_as(name: &OsStr) -> Option<PathBuf> {
    let text = name.to_str().unwrap_or_default();
    let stem = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    find_in_path(name)
        .or_else(|| find_in_path(OsStr::new(stem)))
        .or_else(|| find_in_path(OsStr::new(&format!("{stem}3"))))
}

/// Why a program could not be started, from what exec(2) said and what its file shows.
pub fn start_failure(path: &Path, failure: StartFailure) -> Finding {
    let shown = path.display();
    let (fits, reason, sentence, remedy): (&[Reason], _, _, _) = match failure {
        StartFailure::Missing if !path.exists() => (
            &[Reason::CgiFolderDenied],
            Reason::CgiNotFound,
            format!("{shown} is gone since it was looked up."),
            "put it back; a program is replaced by renaming the new one over it",
        ),
        StartFailure::Missing => (
            &[Reason::CgiCarriageReturn, Reason::CgiNoInterpreter],
            Reason::CgiNoInterpreter,
            format!("The loader or interpreter that {shown} asks for does not exist here."),
            "install it, or link the program statically",
        ),
        // A sandbox refuses what modes permit.
        StartFailure::Denied if may_execute(path) => (
            &[Reason::CgiNotExecutable],
            Reason::CgiNotExecutable,
            format!(
                "{shown} may be executed by its mode, but its file system is mounted noexec, or --sandbox \
                 keeps it back."
            ),
            "move it to another file system; with --sandbox, give --allow-read for its folder, or restart \
             where that was exchanged",
        ),
        StartFailure::Denied => (
            &[Reason::CgiFolderDenied, Reason::CgiNotExecutable],
            Reason::CgiNotExecutable,
            format!(
                "{shown}, its interpreter or a folder above them may not be executed by the server's \
                 user ({}), or lies where nothing may be (a file system mounted noexec).",
                own_user()
            ),
            "chmod +x the program, or move it to another file system",
        ),
        StartFailure::Format => (
            &[
                Reason::CgiByteOrderMark,
                Reason::CgiProcessor,
                Reason::CgiBadFormat,
            ],
            Reason::CgiBadFormat,
            format!("{shown} is a damaged ELF file, or of a kind that the kernel does not know."),
            "compile it again",
        ),
        StartFailure::Nested => (
            &[],
            Reason::CgiBadFormat,
            format!("The #! line of {shown} leads to another and on, in a circle or too far."),
            "name a compiled interpreter",
        ),
        StartFailure::Busy => (
            &[],
            Reason::CgiSpawnFailed,
            format!("{shown} is still being written, and cannot be run before that is done."),
            "write a new program beside the old one, and rename it",
        ),
        StartFailure::TooLarge => (
            &[],
            Reason::CgiArgumentsTooLong,
            format!("The variables for {shown} are more than the system takes."),
            "send less, or lower --max-header",
        ),
        StartFailure::Exhausted => (
            &[],
            Reason::CgiSpawnFailed,
            format!("The system has no process, memory or descriptor left to start {shown}."),
            "lower --max-processes, or raise the limits",
        ),
    };
    let found = match fits {
        [_, ..] if LOOKS => program(path)
            .into_iter()
            .find(|it| it.reason().is_some_and(|it| fits.contains(&it))),
        _ => None,
    };
    found.unwrap_or_else(|| Finding::error(reason, sentence, remedy))
}

/// Why a file that a request leads to was refused for `reason`; none where that says it all.
pub fn refused(path: &Path, reason: Reason) -> Option<Finding> {
    if !LOOKS {
        return None;
    }
    let shown = path.display();
    let found = program(path).into_iter().find(|finding| match reason {
        Reason::CgiNotExecutable => finding.reason() == Some(reason),
        Reason::CgiDenied | Reason::FileDenied => finding.reason() == Some(Reason::CgiFolderDenied),
        _ => false,
    });
    let escapes = |option: &'static str| {
        let target = fs::canonicalize(path).ok()?;
        let sentence = format!("{shown} leads out of its route by a symbolic link.");
        let finding = Finding::error(reason, sentence, option);
        let target = target.display().to_string();
        Some(finding.shown_by(format!("{shown} leads to"), target.as_bytes()))
    };
    match reason {
        Reason::FileDenied if found.is_some() => found.map(|finding| Finding {
            code: Code::Reason(reason),
            ..finding
        }),
        _ if found.is_some() => found,
        Reason::CgiDenied => escapes("put the program itself into the folder of programs"),
        Reason::FileEscapes => escapes("put the file itself there, or give --follow-symlinks"),
        Reason::FileDenied => {
            let meta = fs::metadata(path).ok()?;
            let user = own_user();
            let sentence = format!("{shown} may not be read by the server's user ({user}).");
            let remedy = format!("chmod o+r {}", quoted(&shown.to_string()));
            let finding = Finding::error(reason, sentence, remedy);
            Some(finding.shown_by(format!("rights of {shown}"), rights(&meta).as_bytes()))
        }
        _ => None,
    }
}

/// Owner, group and rights, as far as they decide.
pub fn rights(meta: &fs::Metadata) -> String {
    let mode = meta.permissions().mode() & 0o7777;
    let letters: String = (0..9)
        .map(|bit| match mode >> (8 - bit) & 1 {
            0 => '-',
            _ => ['r', 'w', 'x'][bit % 3],
        })
        .collect();
    format!(
        "{letters} ({mode:04o}), user {}, group {}",
        meta.uid(),
        meta.gid()
    )
}

/// Whom the server is.
pub fn own_user() -> u32 {
    fs::metadata("/proc/self").map_or(0, |own| own.uid())
}

#[cfg(test)]
mod tests;
