use super::*;
use crate::proto::testing::{check_parse, complete};

fn client(address: &str, port: u16) -> Preamble {
    Preamble::Client(address.parse().unwrap(), port)
}

/// A binary header: command, family, what follows them.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &len, rest].concat()
}

#[test]
fn text() {
    let longest = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                   ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(longest.len(), TEXT_MAX);
    let malformed = Err(Reason::ProxyMalformed);
    let missing = Err(Reason::ProxyMissing);
    let good = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
    let six = "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n";
    let cases: Vec<(&str, Result<Parsed<Preamble>, Reason>)> = vec![
        (good, complete(client("192.168.0.1", 56324), good.len())),
        (six, complete(client("2001:db8::1", 1), six.len())),
        (
            "PROXY TCP6 ::ffff:1.2.3.4 ::1 0 1\r\n",
            complete(client("1.2.3.4", 0), 35),
        ),
        (longest, complete(Preamble::Unknown, TEXT_MAX)),
        ("PROXY UNKNOWN\r\n", complete(Preamble::Unknown, 15)),
        ("PROXY UNKNOWN \r\n", complete(Preamble::Unknown, 16)),
        ("PROXY UNKNOWNX\r\n", malformed),
        ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n", malformed),
        (
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
            malformed,
        ),
        ("PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n", malformed),
        (
            "PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
            malformed,
        ),
        (
            "PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n",
            malformed,
        ),
        ("PROXY TCP4 192.168.0.1 192.168.0.11 1 65536\r\n", malformed),
        ("PROXY TCP4 192.168.0.1 192.168.0.11 +1 443\r\n", malformed),
        ("PROXY TCP4 192.168.0.1 192.168.0.11 01 443\r\n", malformed),
        ("PROXY TCP4 192.168.0.1 192.168.0.11 1\t443\r\n", malformed),
        ("PROXY TCP4 192.168.000.1 192.168.0.11 1 443\r\n", malformed),
        ("PROXY TCP4 ::1 192.168.0.11 1 443\r\n", malformed),
        ("PROXY TCP4 1.2.3.4 ::1 1 443\r\n", malformed),
        ("PROXY TCP6 1.2.3.4 ::1 1 443\r\n", malformed),
        ("PROXY TCP6 fe80::1%eth0 ::1 1 443\r\n", malformed),
        ("PROXY tcp4 1.2.3.4 1.2.3.4 1 443\r\n", malformed),
        ("PROXY UDP4 1.2.3.4 1.2.3.4 1 443\r\n", malformed),
        ("PROXY \r\n", malformed),
        ("PROXY TCP4 1.2.3.4\r 1.2.3.4 1 443\r\n", malformed),
        ("proxy TCP4 1.2.3.4 1.2.3.4 1 443\r\n", missing),
        ("PROXY\r\n", missing),
        ("PUT / HTTP/1.1\r\n", missing),
        ("GET / HTTP/1.1\r\n", missing),
        (" ", missing),
        ("", Ok(Parsed::Partial)),
        ("PROX", Ok(Parsed::Partial)),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(input, verdict)| (*input, input.as_bytes(), *verdict))
        .collect();
    check_parse(&cases, parse);

    let long = longest.replace("UNKNOWN ", "UNKNOWN  ");
    check_parse(&[("108 bytes", long.as_bytes(), malformed)], parse);
}

#[test]
fn binary_headers() {
    let four = [192, 0, 2, 1, 192, 0, 2, 9, 0xC3, 0x50, 0, 80];
    let six = {
        let mut six = [0; 36];
        six[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        six[32..].copy_from_slice(&[0, 9, 1, 187]);
        six
    };
    let mapped = {
        let mut mapped = six;
        mapped[..16].copy_from_slice(&"::ffff:1.2.3.4".parse::<Ipv6Addr>().unwrap().octets());
        mapped
    };
    let vectors = [&four[..], &[0x01, 0, 2, b'h', b'2', 0x04, 0, 0]].concat();
    let many = [&four[..], &vec![0x04; REST_MAX - 12]].concat();
    let malformed = Err(Reason::ProxyMalformed);
    for (what, header, verdict) in [
        (
            "IPv4",
            binary(0x21, 0x11, &four),
            Ok(client("192.0.2.1", 50000)),
        ),
        (
            "IPv6",
            binary(0x21, 0x21, &six),
            Ok(client("2001:db8::7", 9)),
        ),
        (
            "IPv4 in IPv6",
            binary(0x21, 0x21, &mapped),
            Ok(client("1.2.3.4", 9)),
        ),
        (
            "vectors",
            binary(0x21, 0x11, &vectors),
            Ok(client("192.0.2.1", 50000)),
        ),
        (
            "many",
            binary(0x21, 0x11, &many),
            Ok(client("192.0.2.1", 50000)),
        ),
        (
            "too many",
            binary(0x21, 0x11, &[&many[..], &[0]].concat()),
            malformed,
        ),
        (
            "unix",
            binary(0x21, 0x31, &[b'/'; 216]),
            Ok(Preamble::Unknown),
        ),
        ("short unix", binary(0x21, 0x31, &[b'/'; 215]), malformed),
        (
            "unspecified",
            binary(0x21, 0x00, &[]),
            Ok(Preamble::Unknown),
        ),
        (
            "unspecified and more",
            binary(0x21, 0x00, &[1, 2, 3]),
            Ok(Preamble::Unknown),
        ),
        (
            "datagrams",
            binary(0x21, 0x12, &four),
            Ok(Preamble::Unknown),
        ),
        ("local", binary(0x20, 0x00, &[]), Ok(Preamble::Local)),
        (
            "local with an address",
            binary(0x20, 0x11, &four),
            Ok(Preamble::Local),
        ),
        (
            "local and short",
            binary(0x20, 0x11, &four[..3]),
            Ok(Preamble::Local),
        ),
        ("short IPv4", binary(0x21, 0x11, &four[..11]), malformed),
        ("short IPv6", binary(0x21, 0x21, &six[..35]), malformed),
        ("version 1", binary(0x11, 0x11, &four), malformed),
        ("version 3", binary(0x31, 0x11, &four), malformed),
        ("command 2", binary(0x22, 0x11, &four), malformed),
        ("family 4", binary(0x21, 0x41, &four), malformed),
        ("transport 3", binary(0x21, 0x13, &four), malformed),
    ] {
        let verdict = verdict.and_then(|value| complete(value, header.len()));
        check_parse(&[(what, &header, verdict)], parse);
    }
    // A length that is out of bounds is refused before its bytes come.
    let endless = [SIGNATURE, &[0x21, 0x11, 0xFF, 0xFF]].concat();
    check_parse(&[("64 KiB", &endless, Err(Reason::ProxyMalformed))], parse);
    check_parse(&[("cut", SIGNATURE, Ok(Parsed::Partial))], parse);
    let missing = Err(Reason::ProxyMissing);
    check_parse(&[("blank lines", b"\r\n\r\nGET /", missing)], parse);
}
