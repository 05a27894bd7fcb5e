//! Splits a request target into authority, path and query.
//!
//! Source: RFC 9112 section 3.2; RFC 9110 section 4.2 (http and https URIs).
//! Shape: the method and the raw bytes between the two spaces of the request line → [`Target`], which
//! borrows from them.
//! Rules:
//! - The method decides: CONNECT takes the authority-form and nothing else does; `*` is for OPTIONS.
//! - A fragment, a space and every control character are refused, in the query too: the query reaches
//!   programs and `Location` fields as it is.
//! - User information in the authority is refused (RFC 9110 section 4.2.4): it serves to disguise
//!   which host is meant.
//! - Other bytes outside the URI grammar (`|`, `"`) pass: clients send them unescaped, and none of
//!   them separates anything. So do 0x80-0xFF where a program's Location holds them; `http::head`
//!   lets none through.
//!
//! Not here: the syntax of host and port (`http::host`), decoding the path ([`super::path`]).

use crate::proto::Reason;

/// Which of the four forms a request target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `/path?query`: the usual one.
    Origin,
    /// `http://authority/path?query`: what a proxy is sent; a server must take it as well.
    Absolute,
    /// `host:port`: CONNECT.
    Authority,
    /// `*`: OPTIONS for the server as a whole.
    Asterisk,
}

/// The parts of a request target, not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The form that the parts were found in.
    pub form: Form,
    /// The authority of an absolute-form or authority-form; never empty, without user information.
    pub authority: Option<&'a [u8]>,
    /// The path: led by `/` in origin-form and absolute-form (`/` where the latter has none), `*` in
    /// asterisk-form, empty in authority-form.
    pub path: &'a [u8],
    /// What follows the first `?`, without it; `Some` and empty where nothing does.
    pub query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Splits the target of a request with this method.
    ///
    /// Errors: [`Reason::TargetForm`] (400) for bytes in none of the forms or in one that the method
    /// does not take; [`Reason::HostInvalid`] (400) for an absolute-form whose authority is empty or
    /// holds user information.
    ///
    /// ```
    /// use tollgate::proto::uri::target::{Form, Target};
    ///
    /// let target = Target::parse("GET", b"http://example.org/cgi-bin/a%20b?x=1")?;
    /// assert_eq!(target.form, Form::Absolute);
    /// assert_eq!(target.authority, Some(&b"example.org"[..]));
    /// assert_eq!(target.path, b"/cgi-bin/a%20b");
    /// assert_eq!(target.query, Some(&b"x=1"[..]));
    /// # Ok::<(), tollgate::proto::Reason>(())
    /// ```
    pub fn parse(method: &str, raw: &'a [u8]) -> Result<Target<'a>, Reason> {
        if raw
            .iter()
            .any(|&byte| matches!(byte, 0..=b' ' | b'#' | 0x7F))
        {
            return Err(Reason::TargetForm);
        }
        match (method, raw) {
            ("CONNECT", _) => authority_form(raw),
            ("OPTIONS", b"*") => Ok(Target {
                form: Form::Asterisk,
                authority: None,
                path: raw,
                query: None,
            }),
            (_, [b'/', ..]) => Ok(path_and_query(Form::Origin, None, raw)),
            _ => absolute_form(raw),
        }
    }
}

fn authority_form(raw: &[u8]) -> Result<Target<'_>, Reason> {
    let (authority, rest) = split_authority(raw);
    // Unlike other authorities it has a port always and user information never.
    if !rest.is_empty() || !authority.contains(&b':') || authority.contains(&b'@') {
        return Err(Reason::TargetForm);
    }
    Ok(Target {
        form: Form::Authority,
        authority: Some(authority),
        path: b"",
        query: None,
    })
}

fn absolute_form(raw: &[u8]) -> Result<Target<'_>, Reason> {
    let (authority, rest) = split_authority(after_scheme(raw).ok_or(Reason::TargetForm)?);
    if authority.is_empty() || authority.contains(&b'@') {
        return Err(Reason::HostInvalid);
    }
    Ok(path_and_query(Form::Absolute, Some(authority), rest))
}

fn after_scheme(raw: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"]
        .into_iter()
        .find_map(|scheme| {
            let (start, rest) = raw.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        })
}

/// Splits before the path or query, whichever comes first.
fn split_authority(raw: &[u8]) -> (&[u8], &[u8]) {
    let end = raw.iter().position(|byte| matches!(byte, b'/' | b'?'));
    raw.split_at(end.unwrap_or(raw.len()))
}

fn path_and_query<'a>(form: Form, authority: Option<&'a [u8]>, raw: &'a [u8]) -> Target<'a> {
    let (path, query) = match raw.iter().position(|&byte| byte == b'?') {
        Some(mark) => (&raw[..mark], Some(&raw[mark + 1..])),
        None => (raw, None),
    };
    Target {
        form,
        authority,
        path: if path.is_empty() { b"/" } else { path },
        query,
    }
}

#[cfg(test)]
mod tests;
