use super::*;

#[test]
fn codings_in_the_clients_order_then_ours() {
    let cases: &[(&[&str], &str)] = &[
        (&[], ""),
        (&[""], ""),
        (&[" , "], ""),
        (&["gzip, deflate, br, zstd"], "br zstd gzip"),
        (&["gzip, deflate"], "gzip"),
        (&["deflate, compress"], ""),
        (&["GZIP, Br"], "br gzip"),
        (&["x-gzip"], "gzip"),
        (&["gzip", "br"], "br gzip"),
        (&["br;q=0.5, gzip;q=0.8, zstd;q=0.801"], "zstd gzip br"),
        (&["gzip;q=1.0,br;q=1"], "br gzip"),
        (&["gzip ; Q=0.5 , br\t;\tq=0.4"], "gzip br"),
        // refused
        (&["gzip;q=0"], ""),
        (&["br;q=0.000, gzip;q=0.001"], "gzip"),
        // the wildcard stands for those not named
        (&["*"], "br zstd gzip"),
        (&["*;q=0.5, gzip"], "gzip br zstd"),
        (&["*;q=0.5, gzip;q=0.4"], "br zstd"),
        (&["identity;q=0.1, *;q=0.5, gzip"], "gzip br zstd"),
        (&["*, br;q=0"], "zstd gzip"),
        (&["*;q=0"], ""),
        (&["gzip, *;q=0"], "gzip"),
        // the file as it is
        (&["identity"], ""),
        (&["identity, gzip"], "gzip"),
        (&["identity, gzip;q=0.5"], ""),
        (&["identity;q=0.5, gzip;q=0.4, br;q=0.6"], "br"),
        (&["identity;q=0"], ""),
        (&["identity;q=0, gzip;q=0.1"], "gzip"),
        (&["identity;q=0, *"], "br zstd gzip"),
        // malformed members count as not written
        (&["gzip;q=, br"], "br"),
        (&["gzip;q, br"], "br"),
        (&["gzip;q=1.1, br;q=2, zstd;q=-1"], ""),
        (&["gzip;q=.5, br;q=0.1234, zstd;q=1,001"], "zstd"),
        (&["gzip;q=0.5x, br;q=1.0 , zstd;q=\"1\""], "br"),
        (&["gzip br, zstd"], "zstd"),
        (&["gzip;level=9"], "gzip"),
    ];
    for (values, expected) in cases {
        let codings = acceptable_codings(values.iter().map(|value| value.as_bytes()));
        let tokens: Vec<&str> = codings
            .as_slice()
            .iter()
            .map(|coding| coding.token())
            .collect();
        assert_eq!(tokens.join(" "), *expected, "{values:?}");
    }
}

#[test]
fn every_coding_is_found_by_its_own_token() {
    for coding in Coding::ALL {
        assert_eq!(Coding::from_token(coding.token().as_bytes()), Some(coding));
        assert_eq!(Coding::ALL[coding as usize], coding);
    }
    assert_eq!(Coding::ALL.map(Coding::suffix), [".br", ".zst", ".gz"]);
}

#[test]
fn qvalues_are_thousandths() {
    let cases: &[(&str, Option<u16>)] = &[
        ("0", Some(0)),
        ("0.", Some(0)),
        ("0.5", Some(500)),
        ("0.05", Some(50)),
        ("0.123", Some(123)),
        ("1", Some(1000)),
        ("1.", Some(1000)),
        ("1.000", Some(1000)),
        ("1.001", None),
        ("1.9", None),
        ("0.1234", None),
        ("2", None),
        ("", None),
        (".5", None),
        ("00", None),
        ("0,5", None),
        ("0.-1", None),
        ("+1", None),
        ("1e0", None),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_qvalue(text.as_bytes()), *expected, "{text}");
    }
}

#[test]
fn html_goes_to_those_who_name_it() {
    let cases: &[(&str, bool)] = &[
        // Firefox, Chromium, Safari
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            true,
        ),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,\
             */*;q=0.8,application/signed-exchange;v=b3;q=0.7",
            true,
        ),
        // lynx, w3m
        (
            "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
            true,
        ),
        ("text/html, text/*;q=0.5, image/*, application/*", true),
        // curl and wget; an image or script of a page; axios
        ("*/*", false),
        ("image/avif,image/webp,*/*", false),
        ("application/json, text/plain, */*", false),
        ("TEXT/HTML", true),
        ("text/html;level=1;q=0.7, text/plain;q=0.7", true),
        ("text/html;q=0.4, text/plain;q=0.5", false),
        ("text/html;q=0.4, text/*;q=0.5", false),
        ("text/html;q=0.4, */*;q=0.5", false),
        // the more specific range decides for plain text
        ("text/html;q=0.4, text/plain;q=0.3, text/*, */*", true),
        ("text/html;q=0.4, text/*;q=0.3, */*", true),
        ("text/html;q=0", false),
        ("text/html;q=0, text/plain;q=0", false),
        ("text/html;q=x", false),
        ("text/*", false),
        ("text/htmlx", false),
        ("", false),
    ];
    for (accept, expected) in cases {
        assert_eq!(prefers_html(Some(accept.as_bytes())), *expected, "{accept}");
    }
    assert!(!prefers_html(None));
}
