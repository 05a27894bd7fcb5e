use super::super::tests::check_refusals;
use super::*;

#[test]
fn sizes() {
    let cases = [
        ("0", 0),
        ("4096", 4096),
        ("007", 7),
        ("64K", 64 << 10),
        ("64k", 64 << 10),
        ("10M", 10 << 20),
        ("1g", 1 << 30),
        ("17179869183G", 17_179_869_183 << 30),
    ];
    for (text, bytes) in cases {
        assert_eq!(size(text, &(0..=u64::MAX)), Ok(bytes), "{text}");
    }
    let wrong = [
        "",
        "K",
        "+5",
        "-1",
        " 1",
        "1 K",
        "1.5M",
        "0x10",
        "64KB",
        "64KiB",
        "1T",
        "1KK",
        "٣",
        "17179869184G",
        "18446744073709551616",
    ];
    let problem = "is not a size from 1K to 3G; write bytes, or a number with K, M or G";
    for text in wrong {
        assert_eq!(
            size(text, &(1024..=3 << 30)),
            Err(problem.to_owned()),
            "{text}"
        );
    }
    for text in ["1023", "3073M"] {
        assert_eq!(
            size(text, &(1024..=3 << 30)),
            Err(problem.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn sizes_display_as_they_are_written() {
    let cases = [
        (0, "0"),
        (1023, "1023"),
        (1024, "1K"),
        (1 << 20, "1M"),
        (1 << 40, "1024G"),
    ];
    for (bytes, text) in cases {
        assert_eq!(Size(bytes).to_string(), text);
    }
    assert_eq!(Size((1 << 30) + 1024).to_string(), "1048577K");
}

#[test]
fn counts() {
    for (text, number) in [("1", 1), ("10", 10), ("010", 10)] {
        assert_eq!(count(text, &(1..=10)), Ok(number), "{text}");
    }
    let problem = Err("is not a whole number from 1 to 10".to_owned());
    for text in [
        "",
        "0",
        "11",
        "+5",
        "-5",
        "5.0",
        "1K",
        "99999999999999999999",
    ] {
        assert_eq!(count(text, &(1..=10)), problem, "{text}");
    }
}

#[test]
fn times() {
    let cases = [
        ("60", Duration::from_secs(60)),
        ("0.5", Duration::from_millis(500)),
        ("00.050", Duration::from_millis(50)),
        ("1.000000001", Duration::new(1, 1)),
        ("604800", Duration::from_secs(604_800)),
        ("604800.0", Duration::from_secs(604_800)),
    ];
    for (text, time) in cases {
        assert_eq!(seconds(text), Ok(time), "{text}");
    }
    let wrong = [
        "",
        ".",
        "1.",
        ".5",
        "0",
        "0.0",
        "-1",
        "+1",
        "1e3",
        "5m",
        "1,5",
        "1.2.3",
        "0.0000000001",
        "604800.000000001",
        "604801",
        "18446744073709551615",
        "18446744073709551616",
        "inf",
    ];
    let problem = "is not a time; write seconds above 0 and up to 604800, such as 60 or 0.5";
    for text in wrong {
        assert_eq!(seconds(text), Err(problem.to_owned()), "{text}");
    }
}

#[test]
fn listen_addresses_display_as_they_are_written() {
    let tcp = |host: &str, port| ListenAddress::Tcp {
        host: host.to_owned(),
        port,
    };
    let cases = [
        ("127.0.0.1:8080", tcp("127.0.0.1", 8080)),
        ("localhost:0", tcp("localhost", 0)),
        ("my-host.example.:65535", tcp("my-host.example.", 65535)),
        ("[::1]:8080", tcp("::1", 8080)),
        ("[::ffff:127.0.0.1]:80", tcp("::ffff:127.0.0.1", 80)),
        (
            "unix:/run/tollgate.sock",
            ListenAddress::Unix("/run/tollgate.sock".into()),
        ),
        ("unix:a:1", ListenAddress::Unix("a:1".into())),
    ];
    for (text, address) in cases {
        assert_eq!(listen_address(text).as_ref(), Ok(&address), "{text}");
        assert_eq!(address.to_string(), text);
    }
    let longest = format!("unix:/{}", "x".repeat(106));
    assert!(listen_address(&longest).is_ok());
    let problem = "has a path of more than 107 bytes; give a shorter one".to_owned();
    assert_eq!(listen_address(&(longest + "x")), Err(problem));
}

#[test]
fn wrong_listen_addresses_are_refused() {
    const FORM: &str = "write it as HOST:PORT, [V6]:PORT or unix:PATH";
    let no_port = format!("has no port; {FORM}");
    let no_number = format!("has no port from 0 to 65535; {FORM}");
    let no_host = format!("has no host; {FORM}");
    let bad_host = format!("has no valid host; {FORM}");
    let cases = [
        ("localhost", &*no_port),
        ("[::1]", &no_port),
        ("/run/tollgate.sock", &no_port),
        ("", &no_port),
        ("localhost:", &no_number),
        ("localhost:http", &no_number),
        ("localhost:+80", &no_number),
        ("localhost:65536", &no_number),
        ("8080", &no_host),
        (
            ":8080",
            "has no host; write 0.0.0.0:8080 or [::]:8080 for all",
        ),
        (
            "::1:8080",
            "has an IPv6 address without brackets; write it as [::1]:8080",
        ),
        ("127.0.0.256:80", &bad_host),
        ("127.1:80", &bad_host),
        ("[127.0.0.1]:80", &bad_host),
        ("[]:80", &bad_host),
        ("[::1:80", &bad_host),
        ("http://localhost:80", &bad_host),
        ("*:80", &bad_host),
        ("a b:80", &bad_host),
        ("unix:", &format!("has no path; {FORM}")),
    ];
    check_refusals("--listen", &cases);
}

#[test]
fn index_names_and_their_refusals() {
    let names = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(index_names("index.html"), names(&["index.html"]));
    assert_eq!(
        index_names("index.php,index.html"),
        names(&["index.php", "index.html"])
    );

    let problem = "is not a list of file names; write names without '/' and not beginning with \
                   '.', with commas between, for example index.html,index.php";
    let wrong = [
        "", ",", "a,", "a/b", "/a", ".", "..", "a,.b", "a\nb", "a, b",
    ];
    check_refusals("--index", &wrong.map(|value| (value, problem)));
}

#[test]
fn access_logs() {
    assert_eq!(access_log("-"), Ok(AccessLog::Stdout));
    assert_eq!(
        access_log("/var/log/x"),
        Ok(AccessLog::File("/var/log/x".into()))
    );
    assert_eq!(access_log("./-x"), Ok(AccessLog::File("./-x".into())));
    let cases = [
        ("", "is empty; give a file, or - for standard output"),
        (
            "--listing",
            "looks like an option; write ./--listing for a file of that name",
        ),
    ];
    check_refusals("--access-log", &cases);
}

#[test]
fn fallbacks() {
    for text in [
        "/",
        "/index.php",
        "/a/b/?",
        "/index.php?x=%zz&y=/",
        "/na%C3%AFve",
        "/a%2e",
    ] {
        assert_eq!(fallback(text).as_deref(), Ok(text));
    }
    let problem = "is not the path of a URL; begin it with '/', write '%' before two hexadecimal digits \
                   only, and no space or '#', for example /index.php";
    let wrong = [
        "",
        "index.php",
        "./index.php",
        "?x",
        "*",
        "http://localhost/index.php",
        "HTTP://localhost",
        "localhost:80",
        "/a#b",
        "/a?b#c",
        "/a b",
        "/a?b c",
        "/a\tb",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%2Fb",
        "/a%00",
    ];
    check_refusals("--fallback", &wrong.map(|value| (value, problem)));
}
