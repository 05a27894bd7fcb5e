//! Tells a program about its request: the meta-variables of CGI, which FastCGI sends as parameters.
//!
//! Source: RFC 3875 section 4.1; the customary variables that programs expect beside it.
//!
//! Shape: a [`ScriptRequest`] and the request's field lines in, [`MetaVariables`] out.
//!
//! Rules:
//! - A name stands once, and he who is trusted more sets it first: the server itself, then the
//!   request's fields (`HTTP_*`), authorizers, the operator's `--env`, the default `PATH`. Nothing
//!   replaces what the server computed (CVE-2025-65082).
//! - A request names no variable outside `HTTP_*`, and only by letters, digits and dashes: any
//!   other character would let one field stand in for another (`X_Real_IP` for `X-Real-IP`).
//! - `Proxy` never becomes `HTTP_PROXY`, which HTTP clients obey (httpoxy). A value that begins
//!   with `() {` is left out: an old bash would run it (Shellshock).
//! - `AUTH_TYPE` and `REMOTE_USER` tell what the server verified, never what a field claims. Where
//!   two lines cannot be one value (Content-Type, Authorization) the request is refused.
//! - Fields about the connection or the body's framing are left out: neither is the program's.
//!
//! Not here: how a variable reaches the program, the split of a path into script and path-info.

use crate::proto::Reason;
use crate::proto::grammar::{Decimal, list_members, trim_ows};
use crate::proto::http::response::SERVER_SOFTWARE;

/// What the server knows about a request for a program, its field lines apart.
///
/// No value holds a NUL, which neither an environment nor a program could carry.
#[derive(Debug, Clone, Copy)]
pub struct ScriptRequest<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// Protocol and version of the request: `HTTP/1.1`.
    pub version: &'a str,
    /// The decoded part of the path that names the program.
    pub script_name: &'a [u8],
    /// The decoded rest of the path: empty, or led by a slash.
    pub path_info: &'a [u8],
    /// The query, still encoded.
    pub query: Option<&'a [u8]>,
    /// The request target, as sent.
    pub request_uri: &'a [u8],
    /// The host that was asked, without port; an IPv6 address in brackets.
    pub server_name: &'a str,
    /// The port that was asked.
    pub server_port: u16,
    /// The server's own address, without brackets.
    pub server_addr: &'a str,
    /// The client's address, without brackets.
    pub remote_addr: &'a str,
    /// The client's port; none on a unix socket.
    pub remote_port: Option<u16>,
    /// How the request came.
    pub scheme: Scheme,
    /// The length of the body without any transfer coding; none exactly when there is no body.
    pub content_length: Option<u64>,
    /// The folder that a path of this server is mapped to; without one, PATH_TRANSLATED is not set.
    pub document_root: Option<&'a [u8]>,
    /// The absolute name of the program's file.
    pub script_filename: &'a [u8],
    /// Whether a configured interpreter runs the program.
    pub for_interpreter: Interpreter,
    /// What the server verified about the user.
    pub auth: Option<Authenticated<'a>>,
    /// Whether the operator lets the program see the client's credentials.
    pub pass_authorization: Authorization,
    /// What authorizers tell of the request, name and value.
    pub granted: &'a [(Vec<u8>, Vec<u8>)],
    /// The operator's variables, name and value. Of two with one name the last stands.
    pub extra: &'a [(Vec<u8>, Vec<u8>)],
}

/// The scheme of a request's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// Who runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpreter {
    /// The system: the program is executable itself.
    None,
    /// The interpreter of an extension route. php-cgi works only when `REDIRECT_STATUS` tells it
    /// that a server found the file.
    Configured,
}

/// A user whom the server itself has verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated<'a> {
    /// The authentication scheme: `Basic`.
    pub scheme: &'a str,
    /// The user's name.
    pub user: &'a str,
}

/// What becomes of the Authorization field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization {
    /// The program does not see it (RFC 3875 section 9.2).
    Withheld,
    /// The program verifies users itself and gets it as `HTTP_AUTHORIZATION`.
    Passed,
}

/// The value of `PATH` where the operator sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables in the order they were set, each name once.
///
/// All of them lie in one buffer, which [`MetaVariables::refill`] uses again.
#[derive(Debug, Clone, Default)]
pub struct MetaVariables {
    bytes: Vec<u8>,
    ends: Vec<Ends>,
    dropped: Vec<String>,
}

/// Where a name and the value right after it end; the next name begins there.
#[derive(Debug, Clone, Copy)]
struct Ends {
    name: usize,
    value: usize,
}

impl MetaVariables {
    /// Replaces all variables by those of a request with these field lines, in the memory of the
    /// last ones.
    ///
    /// **Errors**: [`Reason::CgiRequestConflict`] (400) where a field that has a single value is
    /// repeated.
    pub fn refill<'f>(
        &mut self,
        request: &ScriptRequest<'_>,
        fields: impl Iterator<Item = (&'f str, &'f [u8])> + Clone,
    ) -> Result<(), Reason> {
        self.bytes.clear();
        self.ends.clear();
        self.dropped.clear();

        let content_type = single_value("Content-Type", fields.clone())?;
        if request.pass_authorization == Authorization::Passed {
            single_value("Authorization", fields.clone())?;
        }
        self.set_request(request, content_type);
        self.set_customary(request);
        self.set_fields(request.pass_authorization, fields);
        let extra = request.extra.iter().rev();
        for (name, value) in request.granted.iter().rev().chain(extra) {
            self.set_absent(name, value);
        }
        self.set_absent(b"PATH", DEFAULT_PATH.as_bytes());
        Ok(())
    }

    /// Name and value of each variable.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.after(0)
    }

    /// Those that were set after so many.
    fn after(&self, count: usize) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let mut start = count.checked_sub(1).map_or(0, |last| self.ends[last].value);
        self.ends[count..].iter().map(move |ends| {
            let name = &self.bytes[start..ends.name];
            start = ends.value;
            (name, &self.bytes[ends.name..ends.value])
        })
    }

    /// The value of a variable.
    pub fn lookup(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        self.iter()
            .find(|variable| variable.0 == name)
            .map(|variable| variable.1)
    }

    /// The names of fields that were left out because their name or value looks like an attack, for
    /// the log. Each is a token.
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// The variables of RFC 3875 section 4.1, in its order.
    fn set_request(&mut self, request: &ScriptRequest<'_>, content_type: Option<&[u8]>) {
        if let Some(auth) = request.auth {
            self.set("AUTH_TYPE", auth.scheme);
        }
        if let Some(len) = request.content_length {
            self.set("CONTENT_LENGTH", Decimal::of(len));
        }
        if let Some(value) = content_type {
            self.set("CONTENT_TYPE", value);
        }
        self.set("GATEWAY_INTERFACE", "CGI/1.1");
        self.set("PATH_INFO", request.path_info);
        if let Some(root) = request.document_root
            && !request.path_info.is_empty()
        {
            let root = root.strip_suffix(b"/").unwrap_or(root);
            self.set("PATH_TRANSLATED", [root, request.path_info].concat());
        }
        self.set("QUERY_STRING", request.query.unwrap_or_default());
        self.set("REMOTE_ADDR", request.remote_addr);
        self.set("REMOTE_HOST", request.remote_addr);
        if let Some(auth) = request.auth {
            self.set("REMOTE_USER", auth.user);
        }
        self.set("REQUEST_METHOD", request.method);
        self.set("SCRIPT_NAME", request.script_name);
        self.set("SERVER_NAME", request.server_name);
        self.set("SERVER_PORT", Decimal::of(request.server_port.into()));
        self.set("SERVER_PROTOCOL", request.version);
        self.set("SERVER_SOFTWARE", SERVER_SOFTWARE);
    }

    /// Variables that no standard names and many programs need.
    fn set_customary(&mut self, request: &ScriptRequest<'_>) {
        if let Some(root) = request.document_root {
            self.set("DOCUMENT_ROOT", root);
        }
        match request.scheme {
            Scheme::Http => self.set("REQUEST_SCHEME", "http"),
            Scheme::Https => {
                self.set("HTTPS", "on");
                self.set("REQUEST_SCHEME", "https");
            }
        }
        if request.for_interpreter == Interpreter::Configured {
            self.set("REDIRECT_STATUS", "200");
        }
        if let Some(port) = request.remote_port {
            self.set("REMOTE_PORT", Decimal::of(port.into()));
        }
        self.set("REQUEST_URI", request.request_uri);
        self.set("SCRIPT_FILENAME", request.script_filename);
        self.set("SERVER_ADDR", request.server_addr);
    }

    /// The protocol's own variables (section 4.1.18): the lines of one name become one value, where
    /// the first of them stands.
    fn set_fields<'f>(
        &mut self,
        authorization: Authorization,
        fields: impl Iterator<Item = (&'f str, &'f [u8])> + Clone,
    ) {
        let first = self.ends.len();
        let names_fields = names_fields(fields.clone());
        for (name, value) in fields.clone() {
            let start = self.bytes.len();
            let is_unambiguous = self.push_variable_name(name);
            let (variable, value) = (&self.bytes[start..], trim_ows(value));
            let is_told = is_unambiguous && !is_shell_function(value);
            if !is_told {
                self.dropped.push(name.to_owned());
            }
            if !is_told
                || !is_passed(variable, authorization)
                || names_fields && is_connection_option(name, fields.clone())
            {
                self.bytes.truncate(start);
                continue;
            }
            let place = self.after(first).position(|before| before.0 == variable);
            if let Some(place) = place {
                let separator = separator(variable);
                self.bytes.truncate(start);
                self.extend(first + place, separator, value);
            } else {
                let name_end = self.bytes.len();
                self.bytes.extend_from_slice(value);
                self.end(name_end);
            }
        }
    }

    /// Appends the name that a field of this name has as a variable; false where another field could have it, too.
    fn push_variable_name(&mut self, name: &str) -> bool {
        self.bytes.extend_from_slice(HTTP);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        let mut is_unambiguous = true;
        for byte in &mut self.bytes[start..] {
            *byte = VARIABLE_BYTES[usize::from(*byte)];
            is_unambiguous &= *byte != 0;
        }
        is_unambiguous
    }

    /// Puts more behind the value of the variable in this place.
    fn extend(&mut self, place: usize, separator: &[u8], more: &[u8]) {
        let (end, all) = (self.ends[place].value, self.bytes.len());
        let len = separator.len() + more.len();
        self.bytes.resize(all + len, 0);
        self.bytes.copy_within(end..all, end + len);
        let (first, second) = self.bytes[end..end + len].split_at_mut(separator.len());
        first.copy_from_slice(separator);
        second.copy_from_slice(more);
        self.ends[place].value += len;
        for later in &mut self.ends[place + 1..] {
            later.name += len;
            later.value += len;
        }
    }

    fn set_absent(&mut self, name: &[u8], value: &[u8]) {
        if self.lookup(name).is_none() {
            self.set(name, value);
        }
    }

    fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(name.as_ref());
        let name_end = self.bytes.len();
        self.bytes.extend_from_slice(value.as_ref());
        self.end(name_end);
    }

    fn end(&mut self, name: usize) {
        let value = self.bytes.len();
        self.ends.push(Ends { name, value });
    }
}

const HTTP: &[u8] = b"HTTP_";

/// The value of a field that may stand once only.
fn single_value<'f>(
    name: &str,
    fields: impl Iterator<Item = (&'f str, &'f [u8])>,
) -> Result<Option<&'f [u8]>, Reason> {
    let mut values = fields.filter(|field| field.0.eq_ignore_ascii_case(name));
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Reason::CgiRequestConflict),
        (first, None) => Ok(first
            .map(|field| trim_ows(field.1))
            .filter(|v| !is_shell_function(v))),
    }
}

/// Whether a field becomes a variable of this name. Credentials do not, nor what other variables tell, what concerns
/// this connection only (there is no field `Close`: IANA has its name reserved), and `Proxy`.
fn is_passed(variable: &[u8], authorization: Authorization) -> bool {
    match variable {
        b"HTTP_AUTHORIZATION" => authorization == Authorization::Passed,
        b"HTTP_CLOSE"
        | b"HTTP_CONNECTION"
        | b"HTTP_CONTENT_LENGTH"
        | b"HTTP_CONTENT_TYPE"
        | b"HTTP_EXPECT"
        | b"HTTP_KEEP_ALIVE"
        | b"HTTP_PROXY"
        | b"HTTP_PROXY_AUTHORIZATION"
        | b"HTTP_PROXY_CONNECTION"
        | b"HTTP_TE"
        | b"HTTP_TRAILER"
        | b"HTTP_TRANSFER_ENCODING"
        | b"HTTP_UPGRADE" => false,
        _ => true,
    }
}

/// Whether a Connection field has an option that a field which is passed might have for its name; few have.
fn names_fields<'f>(mut fields: impl Iterator<Item = (&'f str, &'f [u8])>) -> bool {
    let is_customary = |option: &[u8]| {
        option.eq_ignore_ascii_case(b"keep-alive") || option.eq_ignore_ascii_case(b"close")
    };
    fields.any(|(field, value)| {
        field.eq_ignore_ascii_case("Connection") && !list_members(value).all(is_customary)
    })
}

/// Whether a Connection field says that the field of this name concerns the connection only.
fn is_connection_option<'f>(
    name: &str,
    mut fields: impl Iterator<Item = (&'f str, &'f [u8])>,
) -> bool {
    fields.any(|(field, value)| {
        field.eq_ignore_ascii_case("Connection")
            && list_members(value).any(|option| option.eq_ignore_ascii_case(name.as_bytes()))
    })
}

/// What joins the lines of the field that becomes this variable; cookies are no comma list (RFC 6265 section 4.2.1).
fn separator(variable: &[u8]) -> &'static [u8] {
    match variable {
        b"HTTP_COOKIE" => b"; ",
        _ => b", ",
    }
}

/// What a byte of a field's name becomes; 0 where it is neither letter, digit nor dash.
static VARIABLE_BYTES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = match byte as u8 {
            b'-' => b'_',
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_uppercase(),
            _ => 0,
        };
        byte += 1;
    }
    table
};

fn is_shell_function(value: &[u8]) -> bool {
    trim_ows(value).starts_with(b"() {")
}

#[cfg(test)]
mod tests;
