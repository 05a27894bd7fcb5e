//! `tollgate passwd FILE USER`: makes or replaces the entry of a user in a file for `--auth`.
//!
//! Source: htpasswd(1) for the format.
//! Shape: [`run`] asks for the password, writes the file, and returns the line to print.
//! Rules:
//! - A password is never an argument: everybody on the machine sees those.
//! - The file is there whole or not at all, at every moment: it is written beside the old one and renamed.
//!   The name of the new one is always the same, and made anew, so that two at work at once cannot undo
//!   each other's entries.
//! - A new file is for its owner alone (0600). An old one keeps its owner, its group and what the group
//!   may do; others lose what they might.
//! - All other lines stay as they are.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::StartError;
use crate::sys::terminal::Hidden;

/// What one check costs: 2^10 rounds, about 50 ms.
const COST: u32 = 10;

/// The longest password: bcrypt looks at no more bytes.
const PASSWORD_MAX: usize = 71;

/// Makes or replaces the entry of `user`; returns what was done.
///
/// Fails with the line that says what is wrong.
pub fn run(file: &Path, user: &str) -> Result<String, StartError> {
    let failed = |problem: String| StartError::failed("tollgate passwd", "", problem);
    let of_file = |problem: String| StartError::failed("tollgate passwd", file.display(), problem);
    let password = ask().map_err(|error| failed(error.to_string()))?;
    let hash = bcrypt::non_truncating_hash(&password, COST)
        .map_err(|error| failed(format!("the password cannot be hashed ({error})")))?;
    // What Apache's own tool writes; the two differ in nothing but the letter.
    let hash = hash.replacen("$2b$", "$2y$", 1);
    let target = match fs::canonicalize(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => file.to_owned(),
        // A link stays one.
        found => found.map_err(|error| of_file(format!("cannot be found ({error})")))?,
    };
    let replaced = replace(&target, user, &hash).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => of_file(format!(
            "is being changed by somebody else; if nobody is, remove {}",
            fresh_name(&target).display()
        )),
        _ => of_file(format!("cannot be changed ({error})")),
    })?;
    let what = if replaced { "has a new" } else { "now has a" };
    Ok(format!("{}: {user} {what} password\n", file.display()))
}

/// Asks for the password: twice at a terminal, else the first line of standard input.
fn ask() -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    let password = if stdin.is_terminal() {
        let mut hidden = Hidden::start(&stdin)?;
        let first = prompt(&mut hidden, "New password: ")?;
        if prompt(&mut hidden, "The same again: ")? != first {
            return Err(io::Error::other("the two passwords differ; try again"));
        }
        first
    } else {
        let mut bytes = Vec::new();
        stdin.lock().take(4096).read_to_end(&mut bytes)?;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        bytes.truncate(end.unwrap_or(bytes.len()));
        bytes
    };
    let problem = match password.len() {
        0 => "the password is empty",
        len if len > PASSWORD_MAX => "the password is longer than 71 bytes, which bcrypt cuts off",
        _ if str::from_utf8(&password).is_err() => "the password is not UTF-8, as browsers send it",
        _ if password.iter().any(u8::is_ascii_control) => "the password has a control character",
        _ => return Ok(password),
    };
    Err(io::Error::other(problem))
}

fn prompt(hidden: &mut Hidden, text: &str) -> io::Result<Vec<u8>> {
    let mut stderr = io::stderr();
    stderr.write_all(text.as_bytes())?;
    let line = hidden.line();
    // The key that ended the line was not shown either.
    stderr.write_all(b"\n")?;
    line
}

/// Where the new file is written.
fn fresh_name(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".new");
    target.with_file_name(name)
}

/// Writes the file anew; whether the user had an entry.
fn replace(target: &Path, user: &str, hash: &str) -> io::Result<bool> {
    let name = fresh_name(target);
    let mut fresh = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&name)?;
    let written = write(&mut fresh, target, user, hash).and_then(|replaced| {
        fs::rename(&name, target)?;
        Ok(replaced)
    });
    if written.is_err() {
        // What matters is the first failure.
        let _ = fs::remove_file(&name);
    }
    written
}

fn write(fresh: &mut File, target: &Path, user: &str, hash: &str) -> io::Result<bool> {
    let text = match File::open(target) {
        Ok(mut old) => {
            let meta = old.metadata()?;
            let own = fresh.metadata()?;
            if (meta.uid(), meta.gid()) != (own.uid(), own.gid()) {
                std::os::unix::fs::fchown(&*fresh, Some(meta.uid()), Some(meta.gid()))?;
            }
            let mode = meta.permissions().mode() & 0o660 | 0o600;
            fresh.set_permissions(fs::Permissions::from_mode(mode))?;
            let mut text = Vec::new();
            old.read_to_end(&mut text)?;
            text
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let (text, replaced) = with_entry(&text, user, hash);
    fresh.write_all(&text)?;
    fresh.sync_all()?;
    Ok(replaced)
}

/// The text with the user's entry in the place of the old one, or at the end; and whether there was one.
fn with_entry(text: &[u8], user: &str, hash: &str) -> (Vec<u8>, bool) {
    let entry = format!("{user}:{hash}\n").into_bytes();
    let is_users = |line: &[u8]| {
        let rest = line.strip_prefix(user.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b":"))
    };
    let (mut out, mut replaced) = (Vec::with_capacity(text.len() + entry.len()), false);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match is_users(line) {
            true if replaced => {}
            true => {
                out.extend_from_slice(&entry);
                replaced = true;
            }
            false => out.extend_from_slice(line),
        }
    }
    if !replaced {
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.push(b'\n');
        }
        out.extend_from_slice(&entry);
    }
    (out, replaced)
}

#[cfg(test)]
mod tests {
    use super::with_entry;

    #[test]
    fn an_entry_takes_the_place_of_the_old_one_and_all_else_stays() {
        for (before, after, replaced) in [
            ("", "joe:H\n", false),
            ("ann:1\n", "ann:1\njoe:H\n", false),
            ("ann:1", "ann:1\njoe:H\n", false),
            ("# joe:\njoe:0\nann:1\n", "# joe:\njoe:H\nann:1\n", true),
            ("joe:0:note\r\njoey:1\n", "joe:H\njoey:1\n", true),
            ("joe:0\n\njoe:1", "joe:H\n\n", true),
        ] {
            let (text, was) = with_entry(before.as_bytes(), "joe", "H");
            assert_eq!(
                (String::from_utf8(text).unwrap().as_str(), was),
                (after, replaced)
            );
        }
    }
}
