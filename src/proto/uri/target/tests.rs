use super::*;

type Parts = (
    Form,
    Option<&'static str>,
    &'static str,
    Option<&'static str>,
);

fn target((form, authority, path, query): Parts) -> Target<'static> {
    Target {
        form,
        authority: authority.map(str::as_bytes),
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
    }
}

#[test]
fn parts_of_every_form() {
    let cases: &[(&str, &str, Parts)] = &[
        ("GET", "/", (Form::Origin, None, "/", None)),
        ("GET", "/a/b", (Form::Origin, None, "/a/b", None)),
        ("GET", "/a?", (Form::Origin, None, "/a", Some(""))),
        ("GET", "/?a?b=/?", (Form::Origin, None, "/", Some("a?b=/?"))),
        ("GET", "//host/a", (Form::Origin, None, "//host/a", None)),
        (
            "GET",
            "/http://h/",
            (Form::Origin, None, "/http://h/", None),
        ),
        ("GET", "/a@b:c", (Form::Origin, None, "/a@b:c", None)),
        ("GET", "/%zz%00", (Form::Origin, None, "/%zz%00", None)),
        (
            "GET",
            "/a|\"<>\\^`{}é",
            (Form::Origin, None, "/a|\"<>\\^`{}é", None),
        ),
        ("OPTIONS", "/", (Form::Origin, None, "/", None)),
        ("OPTIONS", "*", (Form::Asterisk, None, "*", None)),
        ("GET", "http://h", (Form::Absolute, Some("h"), "/", None)),
        ("GET", "http://h/", (Form::Absolute, Some("h"), "/", None)),
        (
            "GET",
            "http://h?q",
            (Form::Absolute, Some("h"), "/", Some("q")),
        ),
        (
            "GET",
            "http://h:80/a?q",
            (Form::Absolute, Some("h:80"), "/a", Some("q")),
        ),
        (
            "GET",
            "http://[::1]:8/a",
            (Form::Absolute, Some("[::1]:8"), "/a", None),
        ),
        (
            "GET",
            "HTTPS://H/A",
            (Form::Absolute, Some("H"), "/A", None),
        ),
        (
            "GET",
            "http://h/a@b",
            (Form::Absolute, Some("h"), "/a@b", None),
        ),
        (
            "GET",
            "http://h?a@b",
            (Form::Absolute, Some("h"), "/", Some("a@b")),
        ),
        (
            "GET",
            "http://h//a",
            (Form::Absolute, Some("h"), "//a", None),
        ),
        (
            "OPTIONS",
            "http://h",
            (Form::Absolute, Some("h"), "/", None),
        ),
        (
            "CONNECT",
            "h:443",
            (Form::Authority, Some("h:443"), "", None),
        ),
        (
            "CONNECT",
            "[::1]:443",
            (Form::Authority, Some("[::1]:443"), "", None),
        ),
    ];
    for &(method, raw, parts) in cases {
        assert_eq!(
            Target::parse(method, raw.as_bytes()),
            Ok(target(parts)),
            "{method} {raw}"
        );
    }
}

#[test]
fn refusals() {
    let cases: &[(&str, &str, Reason)] = &[
        ("GET", "", Reason::TargetForm),
        ("GET", "*", Reason::TargetForm),
        ("options", "*", Reason::TargetForm),
        ("OPTIONS", "**", Reason::TargetForm),
        ("OPTIONS", "*?", Reason::TargetForm),
        ("GET", "a", Reason::TargetForm),
        ("GET", "../a", Reason::TargetForm),
        ("GET", "?a", Reason::TargetForm),
        ("GET", "\\a", Reason::TargetForm),
        ("GET", "%2Fa", Reason::TargetForm),
        ("GET", "h:80", Reason::TargetForm),
        ("GET", "http:", Reason::TargetForm),
        ("GET", "http:/h", Reason::TargetForm),
        ("GET", "http:\\\\h/", Reason::TargetForm),
        ("GET", "ftp://h/", Reason::TargetForm),
        ("GET", "file:///etc/passwd", Reason::TargetForm),
        ("GET", "/a#b", Reason::TargetForm),
        ("GET", "/a?b#c", Reason::TargetForm),
        ("GET", "http://h#@x/", Reason::TargetForm),
        ("GET", "/a b", Reason::TargetForm),
        ("GET", "/a?b\tc", Reason::TargetForm),
        ("GET", "/a?b\r\nX: c", Reason::TargetForm),
        ("GET", "/a\0", Reason::TargetForm),
        ("GET", "/a\x7F", Reason::TargetForm),
        ("GET", "http://", Reason::HostInvalid),
        ("GET", "http:///a", Reason::HostInvalid),
        ("GET", "http://?a", Reason::HostInvalid),
        ("GET", "http://u@h/", Reason::HostInvalid),
        ("GET", "http://u:p@h:80", Reason::HostInvalid),
        ("GET", "http://h\\@x/", Reason::HostInvalid),
        ("CONNECT", "", Reason::TargetForm),
        ("CONNECT", "h", Reason::TargetForm),
        ("CONNECT", "u@h:1", Reason::TargetForm),
        ("CONNECT", "h:1/", Reason::TargetForm),
        ("CONNECT", "h:1?a", Reason::TargetForm),
        ("CONNECT", "/", Reason::TargetForm),
        ("CONNECT", "*", Reason::TargetForm),
        ("CONNECT", "http://h:1/", Reason::TargetForm),
    ];
    for &(method, raw, reason) in cases {
        assert_eq!(
            Target::parse(method, raw.as_bytes()),
            Err(reason),
            "{method} {raw:?}"
        );
    }
}
