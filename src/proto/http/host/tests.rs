use super::*;
use crate::proto::testing::request_head;

#[test]
fn authorities() {
    let good: &[(&str, &str, Option<u16>)] = &[
        ("example.org", "example.org", None),
        ("EXAMPLE.org:80", "EXAMPLE.org", Some(80)),
        ("a-b.c_d~e.", "a-b.c_d~e.", None),
        ("127.0.0.1:0", "127.0.0.1", Some(0)),
        ("h:65535", "h", Some(65535)),
        ("h:", "h", None),
        ("h:00080", "h", Some(80)),
        ("[::1]", "[::1]", None),
        (
            "[2001:DB8::192.0.2.1]:443",
            "[2001:DB8::192.0.2.1]",
            Some(443),
        ),
    ];
    for &(input, host, port) in good {
        assert_eq!(
            Authority::parse(input.as_bytes()),
            Ok(Authority { host, port }),
            "{input}"
        );
    }

    let bad: &[&[u8]] = &[
        b"",
        b":",
        b":80",
        b"h:+80",
        b"h:-1",
        b"h: 80",
        b"h:65536",
        b"h:000080",
        b"h:8o",
        b"h:80:80",
        b"h:80 ",
        b"::1",
        b"[]",
        b"[::1",
        b"::1]",
        b"[::1]80",
        b"[::1]]",
        b"[::1%25eth0]",
        b"[::1%eth0]",
        b"[v1.a]",
        b"[127.0.0.1]",
        b"[h]",
        b"h[::1]",
        b".",
        b"..",
        b".a",
        b"a..b",
        b"a..",
        b"a b",
        b"a\tb",
        b"a,b",
        b"a/b",
        b"..\\a",
        b"a?b",
        b"a#b",
        b"user@h",
        b"user:pw@h",
        b"a%2e",
        b"a;b",
        b"a$(b)",
        b"a'b",
        b"\"a\"",
        b"<a>",
        b"caf\xc3\xa9",
        b"caf\xe9",
    ];
    for input in bad {
        let what = input.escape_ascii();
        assert_eq!(Authority::parse(input), Err(Reason::HostInvalid), "{what}");
    }
}

#[test]
fn the_host_of_a_request() {
    let name = |host| Ok(Some(Authority { host, port: None }));
    let cases = [
        ("one", "1.1", "Host: a\r\n", None, name("a")),
        (
            "any case of letters",
            "1.1",
            "hOST:\ta \r\n",
            None,
            name("a"),
        ),
        ("missing", "1.1", "", None, Err(Reason::HostMissing)),
        (
            "missing in a later version",
            "1.2",
            "",
            None,
            Err(Reason::HostMissing),
        ),
        ("missing in 1.0", "1.0", "", None, Ok(None)),
        ("empty", "1.1", "Host:\r\n", None, Ok(None)),
        ("empty in 1.0", "1.0", "Host: \r\n", None, Ok(None)),
        (
            "twice",
            "1.1",
            "Host: a\r\nHost: b\r\n",
            None,
            Err(Reason::HostRepeated),
        ),
        (
            "twice the same",
            "1.1",
            "Host: a\r\nX: y\r\nhost: a\r\n",
            None,
            Err(Reason::HostRepeated),
        ),
        (
            "twice in 1.0",
            "1.0",
            "Host: a\r\nHost: a\r\n",
            None,
            Err(Reason::HostRepeated),
        ),
        (
            "twice, once empty",
            "1.1",
            "Host:\r\nHost: a\r\n",
            None,
            Err(Reason::HostRepeated),
        ),
        (
            "a list",
            "1.1",
            "Host: a, b\r\n",
            None,
            Err(Reason::HostInvalid),
        ),
        (
            "invalid in 1.0",
            "1.0",
            "Host: a/b\r\n",
            None,
            Err(Reason::HostInvalid),
        ),
        (
            "the target wins",
            "1.1",
            "Host: a\r\n",
            Some("b"),
            name("b"),
        ),
        (
            "the target beside an empty Host",
            "1.1",
            "Host:\r\n",
            Some("b"),
            name("b"),
        ),
        ("the target in 1.0", "1.0", "", Some("b"), name("b")),
        (
            "the target excuses no missing Host",
            "1.1",
            "",
            Some("b"),
            Err(Reason::HostMissing),
        ),
        (
            "nor a bad one",
            "1.1",
            "Host: a b\r\n",
            Some("b"),
            Err(Reason::HostInvalid),
        ),
        (
            "nor a second",
            "1.1",
            "Host: b\r\nHost: b\r\n",
            Some("b"),
            Err(Reason::HostRepeated),
        ),
        (
            "a bad target",
            "1.1",
            "Host: a\r\n",
            Some("u@b"),
            Err(Reason::HostInvalid),
        ),
        (
            "an empty target",
            "1.1",
            "Host: a\r\n",
            Some(""),
            Err(Reason::HostInvalid),
        ),
    ];
    for (what, version, fields, target, expected) in cases {
        let head = request_head(format!("GET / HTTP/{version}\r\n{fields}\r\n"));
        assert_eq!(
            request_authority(&head, target.map(str::as_bytes)),
            expected,
            "{what}"
        );
    }
}
