use super::*;

type Bytes = &'static [u8];
type Line = (&'static str, Bytes);
type Lines = &'static [Line];
type Listed = &'static [&'static str];

fn meta_variables<'f>(
    request: &ScriptRequest<'_>,
    fields: impl Iterator<Item = (&'f str, &'f [u8])> + Clone,
) -> Result<MetaVariables, Reason> {
    let mut variables = MetaVariables::default();
    variables.refill(request, fields)?;
    Ok(variables)
}

fn request() -> ScriptRequest<'static> {
    ScriptRequest {
        method: "GET",
        version: "HTTP/1.1",
        script_name: b"/cgi-bin/env",
        path_info: b"",
        query: None,
        request_uri: b"/cgi-bin/%65nv",
        server_name: "www.example",
        server_port: 8080,
        server_addr: "192.0.2.1",
        remote_addr: "198.51.100.7",
        remote_port: Some(50_123),
        scheme: Scheme::Http,
        content_length: None,
        document_root: Some(b"/srv/www"),
        script_filename: b"/srv/cgi-bin/env",
        for_interpreter: Interpreter::None,
        auth: None,
        pass_authorization: Authorization::Withheld,
        granted: &[],
        extra: &[],
    }
}

fn variables(request: &ScriptRequest<'_>, lines: &[Line]) -> MetaVariables {
    meta_variables(request, lines.iter().copied()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The variables as `NAME=VALUE`, in their order.
fn listed(variables: &MetaVariables) -> Vec<String> {
    variables
        .iter()
        .map(|(name, value)| format!("{}={}", text(name), text(value)))
        .collect()
}

/// Those made from field lines.
fn protocol_variables(lines: &[Line]) -> Vec<String> {
    let mut listed = listed(&variables(&request(), lines));
    listed.retain(|variable| variable.starts_with("HTTP_"));
    listed
}

#[test]
fn the_least_environment() {
    let software = format!("SERVER_SOFTWARE=tollgate/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        listed(&variables(&request(), &[])),
        [
            "GATEWAY_INTERFACE=CGI/1.1",
            "PATH_INFO=",
            "QUERY_STRING=",
            "REMOTE_ADDR=198.51.100.7",
            "REMOTE_HOST=198.51.100.7",
            "REQUEST_METHOD=GET",
            "SCRIPT_NAME=/cgi-bin/env",
            "SERVER_NAME=www.example",
            "SERVER_PORT=8080",
            "SERVER_PROTOCOL=HTTP/1.1",
            &software,
            "DOCUMENT_ROOT=/srv/www",
            "REQUEST_SCHEME=http",
            "REMOTE_PORT=50123",
            "REQUEST_URI=/cgi-bin/%65nv",
            "SCRIPT_FILENAME=/srv/cgi-bin/env",
            "SERVER_ADDR=192.0.2.1",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
    );
}

#[test]
fn variables_that_depend_on_the_request() {
    type Change = fn(&mut ScriptRequest<'static>);
    let cases: &[(Change, &str, Option<Bytes>)] = &[
        (|r| r.method = "get", "REQUEST_METHOD", Some(b"get")),
        (
            |r| r.version = "HTTP/1.0",
            "SERVER_PROTOCOL",
            Some(b"HTTP/1.0"),
        ),
        (|r| r.query = Some(b""), "QUERY_STRING", Some(b"")),
        (
            |r| r.query = Some(b"a=%20&b"),
            "QUERY_STRING",
            Some(b"a=%20&b"),
        ),
        (|r| r.script_name = b"", "SCRIPT_NAME", Some(b"")),
        (|r| r.path_info = b"/A b", "PATH_INFO", Some(b"/A b")),
        (|r| r.document_root = None, "DOCUMENT_ROOT", None),
        (|r| r.content_length = None, "CONTENT_LENGTH", None),
        (|r| r.content_length = Some(0), "CONTENT_LENGTH", Some(b"0")),
        (
            |r| r.content_length = Some(u64::MAX),
            "CONTENT_LENGTH",
            Some(b"18446744073709551615"),
        ),
        (
            |r| r.server_name = "[2001:db8::1]",
            "SERVER_NAME",
            Some(b"[2001:db8::1]"),
        ),
        (|r| r.server_port = 80, "SERVER_PORT", Some(b"80")),
        (
            |r| r.remote_addr = "2001:db8::7",
            "REMOTE_ADDR",
            Some(b"2001:db8::7"),
        ),
        (
            |r| r.remote_addr = "2001:db8::7",
            "REMOTE_HOST",
            Some(b"2001:db8::7"),
        ),
        (|r| r.remote_port = None, "REMOTE_PORT", None),
        (|_| (), "HTTPS", None),
        (|r| r.scheme = Scheme::Https, "HTTPS", Some(b"on")),
        (
            |r| r.scheme = Scheme::Https,
            "REQUEST_SCHEME",
            Some(b"https"),
        ),
        (|_| (), "REDIRECT_STATUS", None),
        (
            |r| r.for_interpreter = Interpreter::Configured,
            "REDIRECT_STATUS",
            Some(b"200"),
        ),
        (|_| (), "AUTH_TYPE", None),
        (|_| (), "REMOTE_USER", None),
        (
            |r| {
                r.auth = Some(Authenticated {
                    scheme: "Basic",
                    user: "ada",
                })
            },
            "AUTH_TYPE",
            Some(b"Basic"),
        ),
        (
            |r| {
                r.auth = Some(Authenticated {
                    scheme: "Basic",
                    user: "ada",
                })
            },
            "REMOTE_USER",
            Some(b"ada"),
        ),
    ];
    for (change, name, value) in cases {
        let mut request = request();
        change(&mut request);
        assert_eq!(
            variables(&request, &[]).lookup(name),
            *value,
            "{name} of {request:?}"
        );
    }
}

#[test]
fn the_path_translated() {
    let cases: &[(Option<Bytes>, Bytes, Option<Bytes>)] = &[
        (Some(b"/srv/www"), b"/A b/", Some(b"/srv/www/A b/")),
        (Some(b"/srv/www/"), b"/a", Some(b"/srv/www/a")),
        (Some(b"/"), b"/a", Some(b"/a")),
        (Some(b"/srv/www"), b"", None),
        (None, b"/a", None),
    ];
    for &(document_root, path_info, expected) in cases {
        let request = ScriptRequest {
            document_root,
            path_info,
            ..request()
        };
        let variables = variables(&request, &[]);
        assert_eq!(variables.lookup("PATH_TRANSLATED"), expected, "{request:?}");
    }
}

#[test]
fn field_lines_become_variables() {
    let cases: &[(&str, Lines, Listed)] = &[
        (
            "upper case, dashes",
            &[("Accept-Language", b"de")],
            &["HTTP_ACCEPT_LANGUAGE=de"],
        ),
        ("digits", &[("x-1-2", b"a")], &["HTTP_X_1_2=a"]),
        (
            "spaces around the value",
            &[("Accept", b" \t a b \t")],
            &["HTTP_ACCEPT=a b"],
        ),
        ("an empty value", &[("Accept", b"")], &["HTTP_ACCEPT="]),
        (
            "bytes beyond ASCII",
            &[("X-Name", b"\xc3\xa4\xff")],
            &["HTTP_X_NAME=\\xc3\\xa4\\xff"],
        ),
        (
            "their order",
            &[("B", b"1"), ("A", b"2")],
            &["HTTP_B=1", "HTTP_A=2"],
        ),
        (
            "a repeated field, whatever its spelling",
            &[
                ("Accept", b"a "),
                ("Host", b"h"),
                ("accept", b" b"),
                ("ACCEPT", b"c"),
            ],
            &["HTTP_ACCEPT=a, b, c", "HTTP_HOST=h"],
        ),
        (
            "a repeated cookie",
            &[("Cookie", b"a=1"), ("cookie", b"b=2")],
            &["HTTP_COOKIE=a=1; b=2"],
        ),
        (
            "a name within another",
            &[("X", b"1"), ("X-Y", b"2"), ("X-Y-Z", b"3")],
            &["HTTP_X=1", "HTTP_X_Y=2", "HTTP_X_Y_Z=3"],
        ),
        ("httpoxy", &[("Proxy", b"a"), ("PROXY", b"b")], &[]),
        (
            "credentials",
            &[
                ("Authorization", b"Basic eDp5"),
                ("proxy-authorization", b"x"),
            ],
            &[],
        ),
        (
            "given elsewhere",
            &[("Content-Length", b"1"), ("content-type", b"a/b")],
            &[],
        ),
        (
            "of the connection",
            &[
                ("Connection", b"close"),
                ("Close", b"1"),
                ("Keep-Alive", b"max=1"),
                ("Proxy-Connection", b"close"),
                ("TE", b"trailers"),
                ("Trailer", b"X"),
                ("Transfer-Encoding", b"chunked"),
                ("Upgrade", b"h2c"),
                ("Expect", b"100-continue"),
            ],
            &[],
        ),
        (
            "named by Connection, beside what is always its own",
            &[
                ("Connection", b"keep-alive, X-First, close"),
                ("X-First", b"1"),
                ("HTTP2-Settings", b"AAM"),
                ("X-Hop", b"1"),
                ("X-Stays", b"2"),
                ("Connection", b"upgrade , x-hop"),
                ("connection", b"http2-settings"),
            ],
            &["HTTP_X_STAYS=2"],
        ),
    ];
    for (description, lines, expected) in cases {
        assert_eq!(protocol_variables(lines), *expected, "{description}");
        assert!(
            variables(&request(), lines).dropped().is_empty(),
            "{description}"
        );
    }
}

#[test]
fn suspect_fields_are_dropped_and_named() {
    let cases: &[(&str, Lines, Listed, Listed)] = &[
        (
            "an underscore before and after a dash",
            &[
                ("X_Real_IP", b"1"),
                ("X-Real-IP", b"2"),
                ("X-Real_IP", b"3"),
            ],
            &["HTTP_X_REAL_IP=2"],
            &["X_Real_IP", "X-Real_IP"],
        ),
        (
            "an underscore alone",
            &[("X_Real_IP", b"1")],
            &[],
            &["X_Real_IP"],
        ),
        (
            "CONTENT_LENGTH by a detour",
            &[("Content_Length", b"5")],
            &[],
            &["Content_Length"],
        ),
        (
            "other characters of a token",
            &[("a.b", b"1"), ("a!", b"2")],
            &[],
            &["a.b", "a!"],
        ),
        (
            "an equals sign, which no head has",
            &[("LD=X", b"1")],
            &[],
            &["LD=X"],
        ),
        (
            "Shellshock",
            &[("User-Agent", b" () { :;}; id")],
            &[],
            &["User-Agent"],
        ),
        (
            "Shellshock in one line of several",
            &[
                ("Accept", b"a"),
                ("Accept", b"() { :;}; id"),
                ("Accept", b"b"),
            ],
            &["HTTP_ACCEPT=a, b"],
            &["Accept"],
        ),
        (
            "parentheses as such",
            &[("Accept", b"()")],
            &["HTTP_ACCEPT=()"],
            &[],
        ),
    ];
    for (description, lines, expected, dropped) in cases {
        assert_eq!(protocol_variables(lines), *expected, "{description}");
        assert_eq!(
            variables(&request(), lines).dropped(),
            *dropped,
            "{description}"
        );
    }
}

#[test]
fn the_content_type() {
    let content_type = |lines: &[Line]| {
        meta_variables(&request(), lines.iter().copied())
            .map(|variables| variables.lookup("CONTENT_TYPE").map(<[u8]>::to_vec))
    };
    assert_eq!(content_type(&[]), Ok(None));
    assert_eq!(
        content_type(&[("content-TYPE", b" a/b; c=d ")]),
        Ok(Some(b"a/b; c=d".to_vec()))
    );
    assert_eq!(
        content_type(&[
            ("Content-Type", b"a/b"),
            ("X", b""),
            ("content-type", b"a/b")
        ]),
        Err(Reason::CgiRequestConflict)
    );

    let attack: Lines = &[("Content-Type", b"() { :;}; id")];
    assert_eq!(content_type(attack), Ok(None));
    assert_eq!(variables(&request(), attack).dropped(), ["Content-Type"]);
}

#[test]
fn credentials_for_a_program_that_asks() {
    let mut request = request();
    request.pass_authorization = Authorization::Passed;
    let one: Lines = &[
        ("authorization", b"Basic eDp5"),
        ("Proxy-Authorization", b"Basic eDp5"),
    ];
    let passed = variables(&request, one);
    assert_eq!(
        passed.lookup("HTTP_AUTHORIZATION"),
        Some(b"Basic eDp5".as_slice())
    );
    assert_eq!(passed.lookup("HTTP_PROXY_AUTHORIZATION"), None);
    assert_eq!(passed.lookup("REMOTE_USER"), None);

    let two: Lines = &[
        ("Authorization", b"Basic eDp5"),
        ("authorization", b"Bearer x"),
    ];
    let refused = meta_variables(&request, two.iter().copied());
    assert_eq!(refused.err(), Some(Reason::CgiRequestConflict));
}

#[test]
fn the_operators_variables_replace_nothing() {
    let extra = [
        ("PATH", "/bin"),
        ("LANG", "C"),
        ("LANG", "C.UTF-8"),
        ("SERVER_NAME", "other.example"),
        ("REQUEST_METHOD", "POST"),
        ("HTTP_ACCEPT", "mine"),
        ("HTTP_PROXY", "http://proxy.example:3128"),
        ("EMPTY", ""),
    ]
    .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    let request = ScriptRequest {
        granted: &[],
        extra: &extra,
        ..request()
    };
    let variables = variables(&request, &[("Accept", b"theirs"), ("Proxy", b"theirs")]);
    let cases: &[(&str, Bytes)] = &[
        ("PATH", b"/bin"),
        ("LANG", b"C.UTF-8"),
        ("SERVER_NAME", b"www.example"),
        ("REQUEST_METHOD", b"GET"),
        ("HTTP_ACCEPT", b"theirs"),
        ("HTTP_PROXY", b"http://proxy.example:3128"),
        ("EMPTY", b""),
    ];
    for (name, value) in cases {
        assert_eq!(variables.lookup(name), Some(*value), "{name}");
        assert_eq!(
            variables
                .iter()
                .filter(|(other, _)| other == &name.as_bytes())
                .count(),
            1
        );
    }
}

#[test]
fn a_refill_leaves_nothing_of_the_last_request() {
    let last: Lines = &[("X_Y", b"1"), ("Accept", b"a"), ("Content-Type", b"a/b")];
    let mut variables = variables(
        &ScriptRequest {
            path_info: b"/x",
            ..request()
        },
        last,
    );
    variables.refill(&request(), std::iter::empty()).unwrap();
    let fresh = meta_variables(&request(), std::iter::empty()).unwrap();
    assert_eq!(listed(&variables), listed(&fresh));
    assert!(variables.dropped().is_empty());
}
