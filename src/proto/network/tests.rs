use super::*;

#[test]
fn what_is_a_network_and_what_is_in_it() {
    // (network, as displayed, in it, outside)
    for (text, shown, inside, outside) in [
        (
            "127.0.0.1",
            "127.0.0.1/32",
            &["127.0.0.1", "::ffff:127.0.0.1"][..],
            &["127.0.0.2", "::1"][..],
        ),
        (
            "10.0.0.0/8",
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.255.255"],
            &["9.255.255.255", "11.0.0.0"],
        ),
        (
            "192.168.4.0/22",
            "192.168.4.0/22",
            &["192.168.7.255"],
            &["192.168.8.0", "192.168.3.255"],
        ),
        (
            "0.0.0.0/0",
            "0.0.0.0/0",
            &["1.2.3.4", "::ffff:1.2.3.4"],
            &["::1", "::", "::1.2.3.4"],
        ),
        ("::1", "::1/128", &["::1"], &["::2", "127.0.0.1", "0.0.0.1"]),
        (
            "fd00::/8",
            "fd00::/8",
            &["fd12::1", "fdff:ffff::"],
            &["fe80::1", "fc00::1"],
        ),
        (
            "2001:db8::/33",
            "2001:db8::/33",
            &["2001:db8:7fff::"],
            &["2001:db8:8000::"],
        ),
        // Every address of either kind is one of these.
        ("::/0", "::/0", &["::1", "1.2.3.4", "ffff::"], &[]),
        (
            "::fffe:0:0/95",
            "::fffe:0:0/95",
            &["1.2.3.4", "::fffe:1.2.3.4"],
            &["::1"],
        ),
        (
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8",
            &["10.1.2.3"],
            &["11.0.0.0", "::10.1.2.3"],
        ),
        (
            "::ffff:1.2.3.4",
            "1.2.3.4/32",
            &["1.2.3.4", "::ffff:1.2.3.4"],
            &["1.2.3.5"],
        ),
    ] {
        let network = Network::parse(text).unwrap();
        assert_eq!(network.to_string(), shown);
        for address in inside {
            assert!(
                network.contains(address.parse().unwrap()),
                "{address} in {text}"
            );
        }
        for address in outside {
            assert!(
                !network.contains(address.parse().unwrap()),
                "{address} not in {text}"
            );
        }
    }
}

#[test]
fn what_is_none() {
    for (text, told) in [
        ("", "is no address"),
        ("localhost", "is no address"),
        ("10.0.0.0/8 ", "has no prefix length"),
        ("10.0.0/8", "is no address"),
        ("010.0.0.0/8", "is no address"),
        ("[::1]", "is no address"),
        ("fe80::1%eth0", "is no address"),
        ("10.0.0.0/", "has no prefix length"),
        ("10.0.0.0/33", "has no prefix length"),
        ("10.0.0.0/+8", "has no prefix length"),
        ("10.0.0.0/255.0.0.0", "has no prefix length"),
        ("::/129", "has no prefix length"),
        ("10.0.0.1/8", "has bits behind its prefix"),
        ("0.0.0.1/0", "has bits behind its prefix"),
        ("::1/127", "has bits behind its prefix"),
        ("::ffff:10.0.0.1/104", "has bits behind its prefix"),
    ] {
        let problem = Network::parse(text).unwrap_err();
        assert!(problem.starts_with(told), "{text}: {problem}");
    }
}
