//! Looks at folders for what will fail, or is not meant to be seen, before anybody asks for it.
//!
//! Shape: a folder of programs ([`programs`]) or of files ([`files`]) goes in, [`Finding`]s come out. Rules:
//! - Nothing is run, and no link to a folder is followed. What is looked at is bounded, and told if that
//!   was not all.
//! - A file in a folder of programs that neither can be executed nor looks like a program is data.
//! - Security: a secret is told by its name and its kind; nothing of its content is quoted.

use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::diagnose;
use crate::proto::explain::file::{self, Shape};
use crate::proto::finding::{Finding, Lint, Severity, quoted};
use crate::proto::grammar::holds;
use crate::proto::uri::copy::is_copy;
use crate::sys::first_bytes;

/// How many files and folders are looked at by `tollgate check`.
pub const CHECK_MAX: usize = 10_000;

/// How many of each route are looked at by a server that starts.
pub const START_MAX: usize = 2_000;

/// How many findings there are at most.
pub const FINDINGS_MAX: usize = 100;

/// How deep folders are looked into.
const DEPTH_MAX: usize = 16;

/// What is wrong with programs: a folder of them, or a single one.
pub fn programs(path: &Path, max: usize) -> Vec<Finding> {
    if !path.is_dir() {
        return program(path);
    }
    walk(path, max, &[], &mut |entry, findings| {
        let name = entry.file_name();
        let is_run = !name.as_bytes().starts_with(b".") && !is_copy(name.as_bytes());
        if is_run {
            findings.extend(program(&entry.path()));
        }
        is_run
    })
}

/// What is wrong with one program.
pub fn program(path: &Path) -> Vec<Finding> {
    let Ok(meta) = fs::metadata(path) else {
        return Vec::new();
    };
    let mode = meta.permissions().mode();
    let mut findings = Vec::new();
    if meta.is_file() {
        let head = first_bytes(path, file::SHEBANG_MAX).unwrap_or_default();
        let shape = file::shape(&head);
        if mode & 0o111 == 0 && matches!(shape, Shape::Text | Shape::Empty | Shape::Wide) {
            return findings;
        }
        findings = diagnose::program(path);
    }
    findings.extend(world_writable(path, mode));
    findings
}

/// What is wrong with files that are sent, but for those in the folders `apart`.
pub fn files(folder: &Path, max: usize, apart: &[PathBuf]) -> Vec<Finding> {
    walk(folder, max, apart, &mut |entry, findings| {
        let path = entry.path();
        let is_hidden = entry.file_name().as_bytes().starts_with(b".");
        findings.extend(secret(&path, is_hidden));
        if let Ok(meta) = entry.metadata()
            && !meta.is_symlink()
        {
            findings.extend(world_writable(&path, meta.permissions().mode()));
        }
        !is_hidden
    })
}

/// Looks at what is below a folder; a folder is looked into where `look` says so.
fn walk(
    folder: &Path,
    max: usize,
    apart: &[PathBuf],
    look: &mut dyn FnMut(&DirEntry, &mut Vec<Finding>) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Ok(meta) = fs::metadata(folder) {
        findings.extend(world_writable(folder, meta.permissions().mode()));
    }
    let mut folders = vec![(folder.to_owned(), 0)];
    let mut looked_at = 0;
    while let Some((inside, depth)) = folders.pop() {
        // What may not be read is not served from there either.
        let Ok(entries) = fs::read_dir(&inside) else {
            continue;
        };
        for entry in entries.flatten() {
            looked_at += 1;
            if looked_at > max || findings.len() >= FINDINGS_MAX {
                findings.truncate(FINDINGS_MAX - 1);
                findings.push(Finding::lint(
                    Lint::Unseen,
                    Severity::Note,
                    format!(
                        "Of {} not all was looked at: it holds much, or much is wrong.",
                        folder.display()
                    ),
                    format!(
                        "look at its folders one by one: tollgate check {}/...",
                        quoted(&folder.display().to_string())
                    ),
                ));
                return findings;
            }
            let is_folder = entry.file_type().is_ok_and(|it| it.is_dir());
            let path = entry.path();
            if apart.contains(&path) {
                continue;
            }
            if look(&entry, &mut findings) && is_folder && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            }
        }
    }
    // A few; what a folder lists has no order.
    for at in 1..findings.len() {
        let mut at = at;
        while at > 0 && findings[at].sentence < findings[at - 1].sentence {
            findings.swap(at, at - 1);
            at -= 1;
        }
    }
    findings
}

/// What everybody may write to is whatever somebody wrote last.
fn world_writable(path: &Path, mode: u32) -> Option<Finding> {
    let is_writable = mode & 0o002 != 0;
    // In a folder with the sticky bit nobody can replace what is another's.
    if !is_writable || mode & 0o1000 != 0 {
        return None;
    }
    let meta = fs::symlink_metadata(path)
        .ok()
        .filter(|meta| !meta.is_symlink())?;
    let shown = path.display();
    let finding = Finding::lint(
        Lint::WorldWritable,
        Severity::Warning,
        format!("Every user of this machine can change {shown}, and so what is run or sent."),
        format!("chmod o-w {}", quoted(&shown.to_string())),
    );
    let rights = diagnose::rights(&meta);
    Some(finding.shown_by(format!("rights of {shown}"), rights.as_bytes()))
}

/// Whether a file is one that nobody means to send, by its name and the first of its bytes.
fn secret(path: &Path, is_hidden: bool) -> Option<Finding> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let shown = path.display();
    if is_hidden {
        let what = HIDDEN.iter().find(|(start, _)| name.starts_with(start))?.1;
        return Some(Finding::lint(
            Lint::HiddenSecret,
            Severity::Note,
            format!(
                "{shown} ({what}) lies below a folder that is served. It is not sent, for the dot \
                 before its name; another server might."
            ),
            format!("move it out: mv {} ...", quoted(&shown.to_string())),
        ));
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let begins = |what: &[u8]| {
        holds(
            &first_bytes(path, file::LOOKED_AT).unwrap_or_default(),
            what,
        )
    };
    let what = match extension {
        "sql" | "dump" => "a dump of a database",
        "db" | "sqlite" | "sqlite3" if begins(b"SQLite format 3\0") => "a database",
        "p12" | "pfx" | "jks" | "kdbx" => "a store of keys",
        "pem" | "key" | "" | "txt" if begins(b"PRIVATE KEY-----") => "a private key",
        _ => return None,
    };
    Some(Finding::lint(
        Lint::Secret,
        Severity::Warning,
        format!("{shown} is sent to everybody who asks for it, and looks like {what}."),
        format!(
            "move it out of the folder that is served: mv {} ...",
            quoted(&shown.to_string())
        ),
    ))
}

/// How the names of secrets begin that are known by them, and what they are.
const HIDDEN: &[(&str, &str)] = &[
    (".env", "passwords for a program"),
    (".git", "a repository, with all that ever was in it"),
    (".svn", "a repository"),
    (".hg", "a repository"),
    (".ht", "users and passwords"),
    (".ssh", "keys"),
    (".aws", "keys"),
    (".netrc", "passwords"),
    (".pgpass", "passwords"),
    (".my.cnf", "passwords"),
];

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;
    use crate::sys::testing::TempDir;

    fn told(folder: &TempDir, findings: &[Finding]) -> Vec<String> {
        let root = format!("{}/", folder.path().display());
        let mut told: Vec<String> = findings
            .iter()
            .map(|it| {
                let path = it.sentence.split(' ').find(|word| word.starts_with(&root));
                let path = path.unwrap_or_default().trim_start_matches(&root);
                format!("{} {}", it.code, path.trim_end_matches([',', '.']))
            })
            .collect();
        told.sort();
        told
    }

    fn set_mode(folder: &TempDir, name: &str, mode: u32) {
        fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn programs_are_told_from_data() {
        let folder = TempDir::new();
        for (name, content, mode) in [
            ("p/good", "#!/bin/sh\n", 0o755),
            ("p/bit", "#!/bin/sh\n", 0o644),
            ("p/crlf", "#!/bin/sh\r\n", 0o755),
            ("p/bom", "\u{feff}#!/bin/sh\n", 0o755),
            ("p/none", "print 1\n", 0o755),
            ("p/everybody", "#!/bin/sh\n", 0o777),
            ("p/data.txt", "data\n", 0o644),
            ("p/empty.cfg", "", 0o644),
            ("p/.hidden", "#!/bin/sh\n", 0o644),
            ("p/bit~", "#!/bin/sh\n", 0o644),
            ("p/deep/er/bit", "#!/bin/sh\n", 0o644),
        ] {
            folder.write(name, content);
            set_mode(&folder, name, mode);
        }
        let findings = programs(&folder.path().join("p"), CHECK_MAX);
        assert_eq!(
            told(&folder, &findings),
            [
                "cgi.bad-format p/none",
                "cgi.byte-order-mark p/bom",
                "cgi.carriage-return p/crlf",
                "cgi.not-executable p/bit",
                "cgi.not-executable p/deep/er/bit",
                "lint.world-writable p/everybody",
            ]
        );
        let one = programs(&folder.path().join("p/bit"), CHECK_MAX);
        assert_eq!(told(&folder, &one), ["cgi.not-executable p/bit"]);
    }

    #[test]
    fn secrets_are_told_and_not_quoted() {
        let folder = TempDir::new();
        for (name, content) in [
            ("w/index.html", "hello"),
            ("w/backup.sql", "INSERT secret"),
            ("w/key.pem", "-----BEGIN PRIVATE KEY-----\nsecret"),
            ("w/id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret"),
            ("w/cert.pem", "-----BEGIN CERTIFICATE-----"),
            ("w/x.db", "SQLite format 3\0secret"),
            ("w/y.db", "something else"),
            ("w/.env", "A=secret"),
            ("w/.git/config", "secret"),
            ("w/.well-known/x", "meant"),
            ("w/cgi/x.sql", "apart"),
        ] {
            folder.write(name, content);
        }
        let apart = [folder.path().join("w/cgi")];
        let findings = files(&folder.path().join("w"), CHECK_MAX, &apart);
        assert_eq!(
            told(&folder, &findings),
            [
                "lint.hidden-secret w/.env",
                "lint.hidden-secret w/.git",
                "lint.secret w/backup.sql",
                "lint.secret w/id_rsa",
                "lint.secret w/key.pem",
                "lint.secret w/x.db",
            ]
        );
        for finding in findings {
            assert!(!finding.text().contains("\nsecret") && finding.evidence.is_empty());
        }
    }

    #[test]
    fn what_is_looked_at_is_bounded_and_said_so() {
        let folder = TempDir::new();
        for number in 0..FINDINGS_MAX + 20 {
            folder.write(format!("w/{number}.sql"), "");
        }
        let root = folder.path().join("w");
        let some = files(&root, 10, &[]);
        assert_eq!(
            (some.len(), some[10].code.to_string().as_str()),
            (11, "lint.unseen")
        );
        let all = files(&root, CHECK_MAX, &[]);
        assert_eq!(all.len(), FINDINGS_MAX);
        assert_eq!(all[FINDINGS_MAX - 1].code.to_string(), "lint.unseen");
        let deep = "d/".repeat(DEPTH_MAX);
        folder.write(format!("v/{deep}x.sql"), "");
        folder.write(format!("v/{deep}d/x.sql"), "");
        let found = told(&folder, &files(&folder.path().join("v"), CHECK_MAX, &[]));
        assert!(
            found.contains(&format!("lint.secret v/{deep}x.sql")),
            "{found:?}"
        );
        assert!(
            !found.contains(&format!("lint.secret v/{deep}d/x.sql")),
            "{found:?}"
        );
        // A circle of links is no folder, and nobody waits for a pipe.
        folder.link(".", "w/circle");
        folder.fifo("w/0.db");
        folder.fifo("w/0");
        folder.link("0", "w/0.pem");
        assert!(files(&root, CHECK_MAX, &[]).len() <= FINDINGS_MAX);
    }
}
