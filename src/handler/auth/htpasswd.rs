//! Reads a file of users, in the format of Apache's htpasswd: `USER:HASH` on each line.
//!
//! Source: htpasswd(1); crypt(5) for the form of a hash.
//! Shape: the file's text → [`Users`], and each line that is of no use as a [`BadLine`].
//! Rules:
//! - Only bcrypt is taken (`$2y$`, `$2b$`, `$2a$`): whoever gets the file can try a million passwords a
//!   second against anything older. The error says how to make a new entry, and for which line.
//! - A name stands once: which of two passwords counts would be a guess.
//! - The cost is bounded: an entry of cost 31 takes days for one check.
//! - Security: an error never quotes what stands behind the colon.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use bcrypt::HashParts;

/// The highest cost that is taken: about 4 seconds for one check.
const COST_MAX: u32 = 16;

/// What an unknown user is checked against where the file has nobody: a hash of cost 10 that no
/// password is known for.
const NOBODY: &str = "$2y$10$abcdefghijklmnopqrstuuQkKz1eXyFhGQqTzS1rN6hGm4pWmT1zS";

/// The users of one file.
#[derive(Debug, Default)]
pub struct Users {
    hashes: Vec<String>,
    by_name: HashMap<String, usize>,
}

/// A line that lets nobody in. Displays as the rest of a sentence that begins with the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    problem: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.number, self.problem)
    }
}

impl Users {
    /// Reads the text of a file. Empty lines and those that begin with `#` are passed over, and so is
    /// what stands behind a second colon.
    pub fn parse(text: &[u8]) -> (Users, Vec<BadLine>) {
        let (mut users, mut bad) = (Users::default(), Vec::new());
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() || line.starts_with(b"#") {
                continue;
            }
            if let Err(problem) = users.add(line) {
                let number = at + 1;
                bad.push(BadLine { number, problem });
            }
        }
        (users, bad)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), String> {
        let line = str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
        let mut parts = line.split(':');
        let (Some(name), Some(hash)) = (parts.next(), parts.next()) else {
            return Err("has no colon; a line is USER:HASH".to_owned());
        };
        if name.is_empty() || name.contains(char::is_control) {
            return Err("has no valid user; a line is USER:HASH".to_owned());
        }
        let cost = cost_of(hash).map_err(|problem| format!("user '{name}': {problem}"))?;
        if cost > COST_MAX {
            return Err(format!(
                "user '{name}': cost {cost} is more than {COST_MAX}, which makes each check take \
                 seconds; {REMEDY}"
            ));
        }
        if self.by_name.contains_key(name) {
            return Err(format!("user '{name}' is there twice; leave one of them"));
        }
        self.by_name.insert(name.to_owned(), self.hashes.len());
        self.hashes.push(hash.to_owned());
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// The hash of this user; `None` where there is no such user.
    pub fn hash_of(&self, name: &[u8]) -> Option<&str> {
        let name = str::from_utf8(name).ok()?;
        self.by_name.get(name).map(|&at| self.hashes[at].as_str())
    }

    /// The hash that an unknown user is checked against, so that this takes as long as for a known one.
    /// Costs may differ: `number` is the same whenever it is the same name, and tells nothing of it.
    pub fn decoy(&self, number: u64) -> &str {
        match self.hashes.len() {
            0 => NOBODY,
            // The remainder is less than the number of hashes.
            count => &self.hashes[(number % count as u64) as usize],
        }
    }
}

/// Whether the password is that of the hash. Takes from a millisecond to seconds, as the cost of the
/// hash says, and as long for a wrong password as for the right one.
pub fn is_right(password: &[u8], hash: &str) -> bool {
    bcrypt::verify(password, hash).unwrap_or(false)
}

const REMEDY: &str = "make a new entry with: tollgate passwd FILE USER";

/// The cost of a bcrypt hash.
fn cost_of(hash: &str) -> Result<u32, String> {
    let kind = match hash {
        "" => "an empty password",
        _ if hash.starts_with("$2y$") || hash.starts_with("$2b$") || hash.starts_with("$2a$") => {
            // Digits alone: what parses the hash takes a sign.
            let has_cost = hash.as_bytes()[4..].iter().take(2).all(u8::is_ascii_digit);
            let parts = HashParts::from_str(hash).ok().filter(|_| has_cost);
            return match parts.map(|parts| parts.get_cost()) {
                Some(cost @ 4..=31) => Ok(cost),
                _ => Err(format!("the bcrypt hash is malformed; {REMEDY}")),
            };
        }
        _ if hash.starts_with("$2x$") => "the faulty bcrypt of old PHP ($2x$)",
        _ if hash.starts_with("$apr1$") || hash.starts_with("$1$") => "MD5",
        _ if hash.starts_with("{SHA}") || hash.starts_with("{SSHA}") => "SHA-1",
        _ if hash.starts_with("$5$") || hash.starts_with("$6$") => "SHA-crypt ($5$, $6$)",
        _ if hash.starts_with('$') => "a hash of an unknown kind",
        _ => "a plain password or an old crypt(3) hash",
    };
    Err(format!("{kind} is not taken, bcrypt alone is; {REMEDY}"))
}

#[cfg(test)]
mod tests;
