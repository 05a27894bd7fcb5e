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
fn a_token_is_the_same_or_not() {
    assert!(is_same(b"0123", b"0123"));
    for other in [&b"0124"[..], b"012", b"01234", b""] {
        assert!(!is_same(b"0123", other));
    }
}
