use super::*;

fn head(method: &str, fields: &str) -> RequestHead {
    let mut head = RequestHead::default();
    let text = format!("{method} / HTTP/1.1\r\n{fields}\r\n");
    let parsed = head.parse(text.as_bytes(), &HeadLimits::default());
    assert!(matches!(parsed, Ok(Parsed::Complete { .. })), "{text}");
    head
}

fn bounds() -> Vec<Bound> {
    vec![Bound::Tcp("127.0.0.1:8081".parse().unwrap())]
}

#[test]
fn whoever_means_the_console_is_let_through_and_nobody_else() {
    let own = "Host: 127.0.0.1:8081\r\n";
    for (fields, refusal) in [
        (own, None),
        ("Host: localhost:8081\r\n", None),
        ("Host: [::1]:8081\r\n", None),
        // By a tunnel.
        ("Host: localhost:9999\r\n", None),
        ("Host: LOCALHOST\r\n", None),
        (
            "Host: 127.0.0.1:8081\r\nOrigin: http://127.0.0.1:8081\r\n",
            None,
        ),
        (
            "Host: localhost:8081\r\nSec-Fetch-Site: same-origin\r\n",
            None,
        ),
        ("Host: localhost:8081\r\nSec-Fetch-Site: none\r\n", None),
        // DNS rebinding: the name is the attacker's, the address this one.
        ("Host: evil.example:8081\r\n", Some(HOST)),
        ("Host: localhost.evil.example\r\n", Some(HOST)),
        ("Host: 127.0.0.1.evil.example\r\n", Some(HOST)),
        ("Host: 192.0.2.1:8081\r\n", Some(HOST)),
        ("Host:\r\n", Some(HOST)),
        ("", Some(HOST)),
        ("Host: localhost\r\nHost: evil.example\r\n", Some(HOST)),
        // Pages of other origins, this machine's other servers among them.
        (
            "Host: 127.0.0.1:8081\r\nOrigin: http://evil.example\r\n",
            Some(ORIGIN),
        ),
        ("Host: 127.0.0.1:8081\r\nOrigin: null\r\n", Some(ORIGIN)),
        (
            "Host: 127.0.0.1:8081\r\nOrigin: http://127.0.0.1:8080\r\n",
            Some(ORIGIN),
        ),
        (
            "Host: 127.0.0.1:8081\r\nOrigin: http://localhost:8081\r\n",
            Some(ORIGIN),
        ),
        (
            "Host: 127.0.0.1:8081\r\nOrigin: https://127.0.0.1:8081\r\n",
            Some(ORIGIN),
        ),
        (
            "Host: localhost:8081\r\nSec-Fetch-Site: cross-site\r\n",
            Some(ORIGIN),
        ),
        (
            "Host: localhost:8081\r\nSec-Fetch-Site: same-site\r\n",
            Some(ORIGIN),
        ),
        // Bodies.
        ("Host: localhost\r\nContent-Length: 0\r\n", None),
        ("Host: localhost\r\nContent-Length: 1\r\n", Some(BODY)),
        (
            "Host: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n",
            Some(BODY),
        ),
        (
            "Host: localhost\r\nTransfer-Encoding: chunked\r\n",
            Some(BODY),
        ),
    ] {
        let judged = judge(&head("GET", fields), Reached::All, &bounds());
        assert_eq!(judged.err(), refusal, "{fields}");
    }
    for (method, refusal) in [
        ("HEAD", None),
        ("POST", Some(METHOD)),
        ("OPTIONS", Some(METHOD)),
    ] {
        assert_eq!(
            judge(&head(method, own), Reached::All, &bounds()).err(),
            refusal
        );
    }
}

#[test]
fn machines_are_told_health_and_nothing_else() {
    for (line, refusal) in [
        ("GET /healthz HTTP/1.0", None),
        ("HEAD /healthz HTTP/1.1\r\nHost: anybody.example", None),
        ("GET /metrics HTTP/1.1\r\nHost: 10.0.0.7:9100", None),
        ("GET / HTTP/1.1", Some(NOWHERE)),
        ("GET /metrics?reveal=1 HTTP/1.1", Some(NOWHERE)),
        (
            "GET /api/state HTTP/1.1\r\nHost: 127.0.0.1:8081",
            Some(NOWHERE),
        ),
        ("GET /healthz/../ HTTP/1.1", Some(NOWHERE)),
        ("POST /healthz HTTP/1.1", Some(METHOD)),
        ("GET /healthz HTTP/1.1\r\nContent-Length: 1", Some(BODY)),
    ] {
        let mut head = RequestHead::default();
        let parsed = head.parse(format!("{line}\r\n\r\n").as_bytes(), &HeadLimits::default());
        assert!(matches!(parsed, Ok(Parsed::Complete { .. })), "{line}");
        assert_eq!(
            judge(&head, Reached::Health, &bounds()).err(),
            refusal,
            "{line}"
        );
    }
}
