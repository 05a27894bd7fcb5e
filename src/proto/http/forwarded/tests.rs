use super::*;
use crate::proto::testing::request_head;

/// What these lines tell; 10.0.0.0/8 and ::1 are trusted.
fn tell(lines: &str) -> Result<Told, Reason> {
    let head = request_head(format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n"));
    told(&head, |address| {
        address.to_string().starts_with("10.") || address == IpAddr::V6(Ipv6Addr::LOCALHOST)
    })
}

fn client(lines: &str) -> Result<Client, Reason> {
    tell(lines).map(|told| told.client)
}

fn at(address: &str) -> Result<Client, Reason> {
    Ok(Client::At(address.parse().unwrap(), None))
}

fn at_port(address: &str, port: u16) -> Result<Client, Reason> {
    Ok(Client::At(address.parse().unwrap(), Some(port)))
}

const MALFORMED: Result<Client, Reason> = Err(Reason::ProxyForwarded);

#[test]
fn x_forwarded_for_is_read_from_its_end() {
    for (value, expected) in [
        ("192.0.2.7", at("192.0.2.7")),
        (" 192.0.2.7 ,, 10.0.0.1 ", at("192.0.2.7")),
        // What a client wrote is not looked at.
        ("6.6.6.6, 192.0.2.7, 10.0.0.1, 10.9.9.9", at("192.0.2.7")),
        ("\"><script>, 192.0.2.7", at("192.0.2.7")),
        ("6.6.6.6, unknown", Ok(Client::Unknown)),
        ("6.6.6.6, _hidden, 10.0.0.1", Ok(Client::Unknown)),
        // All of them are trusted: the first is the client.
        ("10.0.0.1, 10.0.0.2", at("10.0.0.1")),
        ("192.0.2.7:4711", at_port("192.0.2.7", 4711)),
        ("2001:db8::7", at("2001:db8::7")),
        ("[2001:db8::7]", at("2001:db8::7")),
        ("[2001:db8::7]:4711", at_port("2001:db8::7", 4711)),
        ("192.0.2.7, ::1", at("192.0.2.7")),
        ("192.0.2.7, ::ffff:10.0.0.1", at("192.0.2.7")),
        ("::ffff:192.0.2.7", at("192.0.2.7")),
        ("localhost", MALFORMED),
        ("192.0.2.7, x, 10.0.0.1", MALFORMED),
        ("192.0.2.7:", MALFORMED),
        ("192.0.2.7:99999", MALFORMED),
        ("192.0.2.7:+1", MALFORMED),
        ("192.0.2.007", MALFORMED),
        ("192.0.2.7 6.6.6.6", MALFORMED),
        ("[192.0.2.7]", MALFORMED),
        ("[2001:db8::7]x", MALFORMED),
        ("fe80::1%eth0", MALFORMED),
        ("\"192.0.2.7\"", MALFORMED),
        ("_", MALFORMED),
        ("", Ok(Client::Peer)),
        (" , ", Ok(Client::Peer)),
    ] {
        assert_eq!(
            client(&format!("X-Forwarded-For: {value}\r\n")),
            expected,
            "{value}"
        );
    }
    // Several lines are one list.
    let lines =
        "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 192.0.2.7\r\nX-FORWARDED-FOR: 10.0.0.1\r\n";
    assert_eq!(client(lines), at("192.0.2.7"));
    // One that looks like it is another.
    assert_eq!(client("X_Forwarded_For: 192.0.2.7\r\n"), Ok(Client::Peer));
    assert_eq!(client(""), Ok(Client::Peer));
}

#[test]
fn forwarded_is_read_from_its_end() {
    for (value, expected) in [
        // RFC 7239 sections 4 and 7.1.
        ("for=\"_gazonk\"", Ok(Client::Unknown)),
        (
            "For=\"[2001:db8:cafe::17]:4711\"",
            at_port("2001:db8:cafe::17", 4711),
        ),
        (
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            at("192.0.2.60"),
        ),
        ("for=192.0.2.43, for=198.51.100.17", at("198.51.100.17")),
        (
            "for=192.0.2.43, for=\"[2001:db8:cafe::17]\"",
            at("2001:db8:cafe::17"),
        ),
        (
            "for=192.0.2.43,for=10.0.0.1 , for=\"10.0.0.2:80\"",
            at("192.0.2.43"),
        ),
        ("for=\"192.0.2.43:_port\"", at("192.0.2.43")),
        ("for=unknown", Ok(Client::Unknown)),
        ("for=192.0.2.43;;host=\"a;b,c\\\"d\";", at("192.0.2.43")),
        // A proxy that does not tell whom it had the request from.
        ("for=6.6.6.6, proto=https", Ok(Client::Unknown)),
        ("for=x;a=b, for=192.0.2.43", at("192.0.2.43")),
        (",, for=192.0.2.43 ,", at("192.0.2.43")),
        ("", Ok(Client::Peer)),
        // A mark that was left open swallows nothing.
        ("for=6.6.6.6;x=\", for=192.0.2.43", MALFORMED),
        ("for=6.6.6.6;x=\", for=\"[2001:db8::1]:4711\"", MALFORMED),
        ("for=6.6.6.6;x=\"a\\", MALFORMED),
        ("for=192.0.2.43;for=6.6.6.6", MALFORMED),
        ("for=192.0.2.43 proto=http", MALFORMED),
        ("for = 192.0.2.43", MALFORMED),
        ("for=", MALFORMED),
        ("for", MALFORMED),
        ("=x", MALFORMED),
        ("for=[2001:db8::7]", MALFORMED),
        ("for=192.0.2.43:80", MALFORMED),
        ("for=example.org", MALFORMED),
        ("for=\"\"", MALFORMED),
    ] {
        assert_eq!(
            client(&format!("Forwarded: {value}\r\n")),
            expected,
            "{value}"
        );
    }
    // Each line stands for itself.
    let lines = "Forwarded: for=6.6.6.6;x=\"\r\nForwarded: for=192.0.2.43\r\n";
    assert_eq!(client(lines), MALFORMED);
}

#[test]
fn the_scheme_is_that_of_who_had_to_do_with_the_client() {
    let (http, https) = (Ok(Some(Scheme::Http)), Ok(Some(Scheme::Https)));
    let malformed = Err(Reason::ProxyForwarded);
    for (lines, expected) in [
        ("X-Forwarded-Proto: https", https),
        ("X-Forwarded-Proto: HTTP", http),
        ("X-Forwarded-Proto: wss", https),
        (
            "X-Forwarded-For: 192.0.2.7, 10.0.0.1\r\nX-Forwarded-Proto: https, http",
            https,
        ),
        (
            "X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\nX-Forwarded-Proto: https, http",
            http,
        ),
        (
            "X-Forwarded-For: 192.0.2.7, 10.0.0.1\r\nX-Forwarded-Proto: https",
            https,
        ),
        ("X-Forwarded-Proto: https, http", malformed),
        ("X-Forwarded-Proto: gopher", malformed),
        ("X-Forwarded-Proto: ", Ok(None)),
        ("X-Forwarded-For: 192.0.2.7", Ok(None)),
        (
            "Forwarded: for=192.0.2.7;proto=https, for=10.0.0.1;proto=http",
            https,
        ),
        (
            "Forwarded: for=192.0.2.7, for=10.0.0.1;proto=https",
            Ok(None),
        ),
        ("Forwarded: for=192.0.2.7;proto=gopher", malformed),
        (
            "Forwarded: for=6.6.6.6;proto=gopher, for=192.0.2.7;proto=\"HTTPS\"",
            https,
        ),
    ] {
        let scheme = tell(&format!("{lines}\r\n")).map(|told| told.scheme);
        assert_eq!(scheme, expected, "{lines}");
    }
}

#[test]
fn both_kinds_have_to_tell_the_same() {
    let conflict = Err(Reason::ProxyConflict);
    for (forwarded, customary, expected) in [
        (
            "for=192.0.2.7",
            "X-Forwarded-For: 192.0.2.7",
            at("192.0.2.7"),
        ),
        (
            "for=\"192.0.2.7:80\"",
            "X-Forwarded-For: 192.0.2.7",
            at_port("192.0.2.7", 80),
        ),
        (
            "for=unknown",
            "X-Forwarded-For: unknown",
            Ok(Client::Unknown),
        ),
        ("for=6.6.6.6", "X-Forwarded-For: 192.0.2.7", conflict),
        ("for=6.6.6.6", "X-Forwarded-Proto: https", conflict),
        ("for=unknown", "X-Forwarded-For: 192.0.2.7", conflict),
        (
            "for=192.0.2.7;proto=http",
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https",
            conflict,
        ),
        (
            "for=192.0.2.7",
            "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https",
            at("192.0.2.7"),
        ),
        ("by=10.0.0.1", "X-Forwarded-For: 192.0.2.7", conflict),
    ] {
        let lines = format!("Forwarded: {forwarded}\r\n{customary}\r\n");
        assert_eq!(client(&lines), expected, "{lines}");
    }
}
