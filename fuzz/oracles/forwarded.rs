//! The fields with which proxies tell whom a request is from: what a client puts there must not count.

use std::net::IpAddr;

use tollgate::proto::http::forwarded::{Client, Told, told};
use tollgate::proto::http::head::{HeadLimits, RequestHead};
use tollgate::proto::{Parsed, Reason};

use super::is_value;

/// Takes the value of a field, as a client may send it to an honest proxy.
pub fn forwarded(input: &[u8]) {
    if !is_value(input) || input.len() > 4096 {
        return;
    }
    let nobody = |_: IpAddr| false;
    let proxies = |address: IpAddr| address.to_string().starts_with("10.");
    // Whatever it is: no panic, and no address that is trusted where an untrusted one follows.
    for name in ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto"] {
        let _ = tell(&[line(name, input, "")], nobody);
        let _ = tell(&[line(name, input, "")], proxies);
    }
    let seven = |port: Option<u16>| Client::At(IpAddr::from([192, 0, 2, 7]), port);
    for (added, port) in [("192.0.2.7", None), ("192.0.2.7:80", Some(80))] {
        let own = [line("X-Forwarded-For", input, &format!(", {added}"))];
        assert_eq!(client(&own, nobody), Ok(seven(port)));
        let behind = [line(
            "X-Forwarded-For",
            input,
            &format!(",{added},10.0.0.1"),
        )];
        assert_eq!(client(&behind, proxies), Ok(seven(port)));
        let apart = [
            line("X-Forwarded-For", input, ""),
            line("X-Forwarded-For", b"", added),
        ];
        assert_eq!(client(&apart, nobody), Ok(seven(port)));
    }
    // Here a client can make its request one that is refused, and nothing else.
    for (added, port) in [
        ("for=192.0.2.7", None),
        ("For=\"192.0.2.7:80\"; proto=\"https\"", Some(80)),
        ("by=\"[::1]\";for=192.0.2.7, for=10.0.0.1", None),
    ] {
        let one = [line("Forwarded", input, &format!(", {added}"))];
        let two = [line("Forwarded", input, ""), line("Forwarded", b"", added)];
        for lines in [&one[..], &two] {
            match client(lines, proxies) {
                Ok(client) => assert_eq!(client, seven(port)),
                Err(reason) => assert_eq!(reason, Reason::ProxyForwarded),
            }
        }
    }
}

fn line(name: &str, value: &[u8], added: &str) -> Vec<u8> {
    [name.as_bytes(), b": ", value, added.as_bytes(), b"\r\n"].concat()
}

fn client(lines: &[Vec<u8>], is_trusted: impl Fn(IpAddr) -> bool) -> Result<Client, Reason> {
    tell(lines, is_trusted).map(|told| told.client)
}

fn tell(lines: &[Vec<u8>], is_trusted: impl Fn(IpAddr) -> bool) -> Result<Told, Reason> {
    let start = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
    let bytes = [start, lines.concat(), b"\r\n".to_vec()].concat();
    let mut head = RequestHead::default();
    let parsed = head.parse(&bytes, &HeadLimits::default());
    assert!(matches!(parsed, Ok(Parsed::Complete { used, .. }) if used == bytes.len()));
    told(&head, is_trusted)
}
