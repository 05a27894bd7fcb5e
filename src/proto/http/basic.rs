//! Reads Basic credentials, and writes the challenge that asks for them.
//!
//! Source: RFC 7617; RFC 9110 section 11 for the frame that it stands in.
//! Shape: [`RequestHead`] → [`Credentials`], or the reason for which there are none; a realm → the value
//! of WWW-Authenticate.
//! Rules:
//! - One Authorization field, one scheme, base64 to the letter: what can be read in two ways is
//!   malformed, since whoever stands in front of us may have read it in the other one.
//! - A user has no colon, neither has a control character in it: a program is told the one, and a
//!   password with a NUL ends there for some.
//! - The password is bytes: nothing about it is normalised. Whoever makes entries has to use UTF-8,
//!   which is what the challenge asks for.
//!
//! Not here: who the users are (`handler::auth`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::proto::Reason;
use crate::proto::http::head::RequestHead;

/// The longest password that is looked at. No form of hash takes more of it than that.
const PASSWORD_MAX: usize = 1024;

/// What a client claims.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name, perhaps empty.
    pub user: Vec<u8>,
    /// The password, perhaps empty.
    pub password: Vec<u8>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Security: whatever is printed for debugging may be kept.
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Returns what the Authorization field of a request claims.
    ///
    /// Errors: `AuthMissing` without the field or with that of another scheme; `AuthMalformed`.
    pub fn of(head: &RequestHead) -> Result<Credentials, Reason> {
        let mut values = head.field_values("Authorization");
        match (values.next(), values.next()) {
            (None, _) => Err(Reason::AuthMissing),
            (Some(value), None) => Credentials::parse(value),
            (Some(_), Some(_)) => Err(Reason::AuthMalformed),
        }
    }

    /// Parses the value of an Authorization field.
    ///
    /// ```
    /// use tollgate::proto::http::basic::Credentials;
    ///
    /// let credentials = Credentials::parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
    /// assert_eq!(credentials.user, b"Aladdin");
    /// assert_eq!(credentials.password, b"open sesame");
    /// ```
    pub fn parse(value: &[u8]) -> Result<Credentials, Reason> {
        let scheme_len = value.iter().position(|&byte| byte == b' ');
        let (scheme, rest) = value.split_at(scheme_len.unwrap_or(value.len()));
        if !scheme.eq_ignore_ascii_case(b"Basic") {
            return Err(Reason::AuthMissing);
        }
        let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
        let decoded = STANDARD.decode(&rest[spaces..]);
        let mut pair = decoded.map_err(|_| Reason::AuthMalformed)?;
        let colon = pair.iter().position(|&byte| byte == b':');
        let colon = colon.ok_or(Reason::AuthMalformed)?;
        let password = pair.split_off(colon + 1);
        pair.truncate(colon);
        let has_control = pair.iter().chain(&password).any(u8::is_ascii_control);
        if has_control || password.len() > PASSWORD_MAX {
            return Err(Reason::AuthMalformed);
        }
        Ok(Credentials {
            user: pair,
            password,
        })
    }
}

/// Returns the value of a WWW-Authenticate field for what is below the prefix `realm`. What could not
/// stand in quotes is percent-encoded, so that different realms stay different.
///
/// ```
/// use tollgate::proto::http::basic::challenge;
///
/// assert_eq!(challenge("/a \"b\"/"), r#"Basic realm="/a %22b%22/", charset="UTF-8""#);
/// ```
pub fn challenge(realm: &str) -> String {
    let mut quoted = String::new();
    for byte in realm.bytes() {
        match byte {
            b' '..=b'~' if !matches!(byte, b'"' | b'\\' | b'%') => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("Basic realm=\"{quoted}\", charset=\"UTF-8\"")
}

#[cfg(test)]
mod tests;
