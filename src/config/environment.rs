//! The variables that an operator gives to programs.
//!
//! Source: RFC 3875 sections 4.1 and 9.2.
//! Shape: [`add`] takes `NAME=VALUE`, or `NAME` for the server's own variable of that name.
//! Rules: nothing given here can stand in for what the server computes or a client sent, whatever
//! the order in which a gateway fills the environment: such names are refused, in any case of letters
//! since no two variables may differ in case alone (section 4.1). `http_proxy` is the exception: the
//! customary name is lower-case, and the server makes no `HTTP_PROXY` from a request.
//! `HTTPS=on` is no variable but a fact that the server cannot know: a proxy in front of it has TLS.
//! A name that steers the dynamic loader is passed, with a warning: old programs need it.
//! Not here: the variables themselves (`proto::cgi::meta`).

use std::os::unix::ffi::OsStringExt;

use super::Surroundings;
use super::settings::{Authorization, Scheme, Settings};

/// The names that the server computes: the meta-variables, and those that programs have come to expect.
const COMPUTED: [&str; 24] = [
    "AUTH_TYPE",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "DOCUMENT_ROOT",
    "GATEWAY_INTERFACE",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REDIRECT_STATUS",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "REMOTE_PORT",
    "REMOTE_USER",
    "REQUEST_METHOD",
    "REQUEST_SCHEME",
    "REQUEST_URI",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
    "SERVER_ADDR",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
];

/// Adds a variable to the settings. One that the server itself does not have is left out.
///
/// # Errors
/// What is wrong with `text`: the rest of a sentence that begins with it in quotes.
pub(super) fn add(
    settings: &mut Settings,
    text: &str,
    surroundings: &Surroundings<'_>,
) -> Result<(), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if (name, value) == ("HTTP_AUTHORIZATION", None) {
        settings.authorization = Authorization::Passed;
        return Ok(());
    }
    if name.eq_ignore_ascii_case("HTTPS") {
        if (name, value) != ("HTTPS", Some("on")) {
            return Err("can be HTTPS=on alone, for a server that is reached by https".to_owned());
        }
        settings.scheme = Scheme::Https;
        return Ok(());
    }
    check_name(name)?;
    if settings
        .environment
        .iter()
        .any(|(known, _)| known == name.as_bytes())
    {
        return Err(format!("gives {name} a second value; give each name once"));
    }
    let value = match value {
        Some(value) => Some(value.as_bytes().to_vec()),
        None => (surroundings.variable)(name).map(OsStringExt::into_vec),
    };
    if let Some(value) = value {
        if name.starts_with("LD_") {
            settings.warnings.push(format!(
                "--env: {name} decides what code is loaded into every program that is run"
            ));
        }
        settings.environment.push((name.as_bytes().to_vec(), value));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !letters || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(
            "has no valid name; write NAME=VALUE or NAME, with a NAME of letters, digits \
                    and '_' that begins with no digit"
                .to_owned(),
        );
    }
    let upper = name.to_ascii_uppercase();
    if upper == "HTTP_AUTHORIZATION" {
        return Err("is a field of requests; write HTTP_AUTHORIZATION alone to pass it".to_owned());
    }
    if upper.starts_with("HTTP_") && name != "http_proxy" {
        return Err(
            "has a name that belongs to fields of requests; choose one without HTTP_".to_owned(),
        );
    }
    if COMPUTED.contains(&upper.as_str()) {
        return Err(
            "has a name that the server computes for each request; choose another".to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
