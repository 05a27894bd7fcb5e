use std::io::Read;
use std::time::Duration;

use super::*;

#[test]
fn parameters_are_decoded() {
    for (query, name, value) in [
        ("url=%2Fa%3Fb&method=GET", "url", Some("/a?b")),
        ("url=%2Fa%3Fb&method=GET", "method", Some("GET")),
        ("a=1+2", "a", Some("1 2")),
        ("a=%ff", "a", Some("\u{fffd}")),
        ("a", "a", None),
        ("", "a", None),
        ("aa=1", "a", None),
    ] {
        assert_eq!(parameter(query, name).as_deref(), value, "{query}");
    }
    assert_eq!(encoded("/a b/ä%20"), "/a%20b/%C3%A4%20");
}

#[test]
fn an_answer_says_how_long_it_is_and_that_the_connection_closes() {
    let (client, mut visitor) = UnixStream::pair().unwrap();
    Answer::sentence(503, "stopping")
        .send(&client, false)
        .unwrap();
    Answer::sentence(421, "There").send(&client, true).unwrap();
    drop(client);
    let mut sent = String::new();
    visitor.read_to_string(&mut sent).unwrap();
    let (first, second) = sent.split_once("stopping\n").unwrap();
    assert!(
        first.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{sent}"
    );
    assert!(
        first.ends_with("\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"),
        "{sent}"
    );
    assert!(
        second.starts_with("HTTP/1.1 421 Misdirected Request\r\n"),
        "{sent}"
    );
    assert!(
        second.ends_with("\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"),
        "{sent}"
    );
    for head in [first, second, &stream_head()] {
        for (name, value) in FIELDS {
            assert_eq!(
                head.matches(&format!("\r\n{name}: {value}\r\n")).count(),
                1,
                "{head}"
            );
        }
        assert!(
            !head.contains("tiny") && !head.contains("chunked"),
            "{head}"
        );
    }
}

#[test]
fn who_takes_nothing_of_an_answer_is_given_up() {
    let (client, _visitor) = UnixStream::pair().unwrap();
    client
        .set_write_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let long = Answer(200, TEXT, "x".repeat(64 << 20));
    assert_eq!(
        long.send(&client, false).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
}

#[test]
fn a_token_is_the_same_or_not() {
    assert!(is_same(b"0123", b"0123"));
    for other in [&b"0124"[..], b"012", b"01234", b""] {
        assert!(!is_same(b"0123", other));
    }
}
