//! What each variable of a program means, and where that is written.

/// The variables that a server sets, what each means, and the section that says so; empty where none does.
const MEANINGS: &[(&str, &str, &str)] = &[
    ("AUTH_TYPE", "how the user was verified", "4.1.1"),
    (
        "CONTENT_LENGTH",
        "how many bytes stand in standard input; absent without a body",
        "4.1.2",
    ),
    (
        "CONTENT_TYPE",
        "what the body is, as the client says",
        "4.1.3",
    ),
    ("DOCUMENT_ROOT", "the folder whose files are sent at /", ""),
    ("GATEWAY_INTERFACE", "the version of CGI", "4.1.4"),
    ("HTTPS", "that the client came by TLS", ""),
    (
        "PATH",
        "where programs are looked for that are called by name",
        "",
    ),
    ("PATH_INFO", "what follows the program in the path", "4.1.5"),
    (
        "PATH_TRANSLATED",
        "the file that PATH_INFO would be in the folder of the site",
        "4.1.6",
    ),
    (
        "QUERY_STRING",
        "what follows the ? in the URL, still encoded",
        "4.1.7",
    ),
    (
        "REDIRECT_STATUS",
        "that a server found the file: php-cgi wants to know",
        "",
    ),
    ("REMOTE_ADDR", "the address of the client", "4.1.8"),
    ("REMOTE_HOST", "the name of the client", "4.1.9"),
    ("REMOTE_PORT", "the port of the client", ""),
    (
        "REMOTE_USER",
        "the user whom the server has verified",
        "4.1.11",
    ),
    (
        "REQUEST_METHOD",
        "what the client wants done: GET, POST, ...",
        "4.1.12",
    ),
    ("REQUEST_SCHEME", "http or https", ""),
    ("REQUEST_URI", "path and query as the client sent them", ""),
    ("SCRIPT_FILENAME", "the file of the program", ""),
    (
        "SCRIPT_NAME",
        "the part of the path that names the program",
        "4.1.13",
    ),
    ("SERVER_ADDR", "the address that the client came to", ""),
    (
        "SERVER_NAME",
        "the host that the client asked for",
        "4.1.14",
    ),
    ("SERVER_PORT", "the port that the client came to", "4.1.15"),
    (
        "SERVER_PROTOCOL",
        "the version of HTTP that the client speaks",
        "4.1.16",
    ),
    ("SERVER_SOFTWARE", "this server", "4.1.17"),
];

/// What a variable means, and the section that says so, if one does.
pub(super) fn of(name: &str) -> (&'static str, Option<String>) {
    let section = |section: &str| (!section.is_empty()).then(|| format!("RFC 3875, {section}"));
    match MEANINGS.iter().find(|known| known.0 == name) {
        Some((_, meaning, at)) => (meaning, section(at)),
        None if name.starts_with("HTTP_") => {
            ("the field of the request of that name", section("4.1.18"))
        }
        None => ("set by the operator or an authorizer", None),
    }
}

/// Whether the server sets a variable by itself, or a request does; others may hold what is nobody's business.
pub(super) fn is_of_request(name: &str) -> bool {
    name.starts_with("HTTP_") || MEANINGS.iter().any(|known| known.0 == name)
}

/// Whether a field of a message is a secret.
pub(super) fn is_secret_field(name: &[u8]) -> bool {
    [
        "Authorization",
        "Cookie",
        "Proxy-Authorization",
        "Set-Cookie",
    ]
    .iter()
    .any(|secret| name.eq_ignore_ascii_case(secret.as_bytes()))
}

/// Whether a variable is one: made of such a field, or the operator's own.
pub(super) fn is_secret_variable(name: &str) -> bool {
    let field = name
        .strip_prefix("HTTP_")
        .map(|field| field.replace('_', "-"));
    field.is_some_and(|field| is_secret_field(field.as_bytes())) || !is_of_request(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_meaning_and_secrets_are_known() {
        for (name, section, is_secret) in [
            ("SCRIPT_NAME", Some("RFC 3875, 4.1.13"), false),
            ("PATH", None, false),
            ("HTTP_ACCEPT", Some("RFC 3875, 4.1.18"), false),
            ("HTTP_COOKIE", Some("RFC 3875, 4.1.18"), true),
            ("HTTP_PROXY_AUTHORIZATION", Some("RFC 3875, 4.1.18"), true),
            ("HTTP_AUTHORIZATION", Some("RFC 3875, 4.1.18"), true),
            ("DATABASE_PASSWORD", None, true),
        ] {
            let (meaning, found) = of(name);
            assert!(!meaning.is_empty());
            assert_eq!(found.as_deref(), section, "{name}");
            assert_eq!(is_secret_variable(name), is_secret, "{name}");
        }
        assert!(is_secret_field(b"set-cookie") && !is_secret_field(b"Accept"));
        assert!(MEANINGS.is_sorted_by_key(|known| known.0));
    }
}
