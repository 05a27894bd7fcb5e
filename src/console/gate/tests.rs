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

#[test]
fn only_what_the_answers_look_at_is_passed_on() {
    let fields = "Host: localhost\r\nCookie: a\r\nConnection: keep-alive\r\nx-tollgate-token: 0af\r\n\
                  Last-Event-ID: 7\r\nTE: chunked\r\n";
    let inner = inner_head(&head("GET", fields));
    assert_eq!(
        String::from_utf8(inner).unwrap(),
        "GET / HTTP/1.1\r\nHost: console\r\nConnection: close\r\nX-Tollgate-Token: 0af\r\nLast-Event-ID: 7\r\n\r\n"
    );
    let long = format!("Host: localhost\r\n{TOKEN_FIELD}: {}\r\n", "a".repeat(65));
    for fields in [&long, "Host: localhost\r\nX-Tollgate-Token: a b\r\n"] {
        let inner = inner_head(&head("GET", fields));
        assert!(!String::from_utf8(inner).unwrap().contains(TOKEN_FIELD));
    }
}

#[test]
fn who_takes_nothing_and_who_says_nothing_are_given_up() {
    let short = Some(Duration::from_millis(20));
    // The answer has no end, and its client takes none of it.
    let (inner, mut answers) = UnixStream::pair().unwrap();
    let (client, visitor) = UnixStream::pair().unwrap();
    client.set_write_timeout(short).unwrap();
    let writer = thread::spawn(move || while answers.write_all(&[b'x'; 4096]).is_ok() {});
    assert_eq!(
        pass_on(&inner, &client).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    drop((inner, visitor));
    writer.join().unwrap();
    // Nothing is answered.
    let (inner, _silent) = UnixStream::pair().unwrap();
    inner.set_read_timeout(short).unwrap();
    assert_eq!(
        pass_on(&inner, &client).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    assert!(SEND_TIME < Duration::from_secs(60));
}

#[test]
fn an_answer_is_passed_on_as_it_is_and_says_that_the_connection_closes() {
    let (inner, mut answers) = UnixStream::pair().unwrap();
    let (client, mut visitor) = UnixStream::pair().unwrap();
    answers
        .write_all(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody")
        .unwrap();
    drop(answers);
    assert_eq!(pass_on(&inner, &client).unwrap(), 29);
    drop(client);
    let mut passed = String::new();
    visitor.read_to_string(&mut passed).unwrap();
    assert_eq!(
        passed,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nA: b\r\n\r\nbody"
    );
}
