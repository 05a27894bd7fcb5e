//! Attacks on the way from a target to a route, by family: what other servers were led astray by.

use super::path::UrlPath;
use super::route::{Routes, script_splits};
use super::target::Target;
use crate::proto::Reason;

/// The prefix that the target is routed to and the rest of its path.
fn resolve(raw: &[u8]) -> Result<(String, Vec<u8>), Reason> {
    let mut routes = Routes::new();
    for prefix in ["/", "/cgi-bin/"] {
        routes.insert_prefix(prefix, ());
    }
    let path = UrlPath::decode(Target::parse("GET", raw)?.path)?;
    let found = routes.resolve_prefix(&path).ok_or(Reason::RouteNone)?;
    Ok((found.prefix.to_owned(), found.rest.to_owned()))
}

fn check(cases: &[(&[u8], &str, &[u8])]) {
    for &(raw, prefix, rest) in cases {
        let expected = Ok((prefix.to_owned(), rest.to_owned()));
        assert_eq!(resolve(raw), expected, "{}", raw.escape_ascii());
    }
}

fn check_refused(cases: &[(&[u8], Reason)]) {
    for &(raw, reason) in cases {
        assert_eq!(resolve(raw), Err(reason), "{}", raw.escape_ascii());
    }
}

/// CVE-2021-41773: dots that only show once decoded.
#[test]
fn encoded_dots_climb_to_the_root_and_no_further() {
    check(&[
        (b"/cgi-bin/.%2e/.%2e/.%2e/bin/sh", "/", b"bin/sh"),
        (b"/cgi-bin/%2e%2e/%2E%2E/etc/passwd", "/", b"etc/passwd"),
        (b"/../../etc/passwd", "/", b"etc/passwd"),
        (b"http://h/../../etc/passwd", "/", b"etc/passwd"),
        (b"/cgi-bin/a/../../../..", "/", b""),
        (b"/x/..//../cgi-bin//../cgi-bin/a", "/cgi-bin/", b"a"),
    ]);
}

/// CVE-2021-42013: the second decoding of `%252e` or `%%32%65`.
#[test]
fn nothing_is_decoded_twice() {
    check(&[
        (
            b"/cgi-bin/%252e%252e/%252e%252e/bin/sh",
            "/cgi-bin/",
            b"%2e%2e/%2e%2e/bin/sh",
        ),
        (b"/cgi-bin%252fa", "/", b"cgi-bin%2fa"),
        (b"/a%2500", "/", b"a%00"),
    ]);
    check_refused(&[
        (b"/cgi-bin/.%%32%65/.%%32%65/bin/sh", Reason::TargetEncoding),
        (b"/%%32%66", Reason::TargetEncoding),
    ]);
}

/// CVE-2014-4650: `/cgi-bin%2fa` taken for a file, and its source sent.
#[test]
fn no_spelling_of_a_program_is_routed_as_a_file() {
    check(&[
        (b"/cgi-bin/a", "/cgi-bin/", b"a"),
        (b"/%63gi-bin/a", "/cgi-bin/", b"a"),
        (b"/cgi%2Dbin/%61", "/cgi-bin/", b"a"),
        (b"//cgi-bin//a", "/cgi-bin/", b"a"),
        (b"/./cgi-bin/./a", "/cgi-bin/", b"a"),
        (b"/x/../cgi-bin/a", "/cgi-bin/", b"a"),
        (b"/x/%2e%2e/cgi-bin/a", "/cgi-bin/", b"a"),
        (b"HTTP://h//cgi-bin/a", "/cgi-bin/", b"a"),
        (b"/cgi-bin", "/cgi-bin/", b""),
    ]);
    check_refused(&[
        (b"/cgi-bin%2fa", Reason::TargetSlash),
        (b"/cgi-bin/..%2F..%2Fetc/passwd", Reason::TargetSlash),
        (b"/x%2f..%2fcgi-bin/a", Reason::TargetSlash),
    ]);
}

/// Longer encodings of `.` (C0 AE) and `/` (C0 AF), which UTF-8 forbids; full-width look-alikes; `%u`.
#[test]
fn other_spellings_of_dot_and_slash_mean_nothing() {
    check(&[
        (b"/%c0%ae%c0%ae/a", "/", b"\xC0\xAE\xC0\xAE/a"),
        (b"/..%c0%af..%c0%afa", "/", b"..\xC0\xAF..\xC0\xAFa"),
        (b"/%e0%80%ae./a", "/", b"\xE0\x80\xAE./a"),
        (b"/\xC0\xAE\xC0\xAE/a", "/", b"\xC0\xAE\xC0\xAE/a"),
        (b"/%ef%bc%8f%ef%bc%8e", "/", "／．".as_bytes()),
    ]);
    check_refused(&[(b"/%u002e%u002e/a", Reason::TargetEncoding)]);
}

/// Separators and drives of another system (cpython issue 104711) are letters of a name here.
#[test]
fn backslash_and_drive_letters_are_names() {
    check(&[
        (b"/..\\..\\etc/passwd", "/", b"..\\..\\etc/passwd"),
        (b"/cgi-bin/%5c..%5C..%5ca", "/cgi-bin/", b"\\..\\..\\a"),
        (b"/\\..\\a", "/", b"\\..\\a"),
        (b"/cgi-bin\\a", "/", b"cgi-bin\\a"),
        (b"/C:/a", "/", b"C:/a"),
    ]);
}

/// Endings that other systems strip off a name, so that it slips past an extension.
#[test]
fn trailing_dots_spaces_and_streams_stay() {
    check(&[
        (b"/a.php.", "/", b"a.php."),
        (b"/a.php..", "/", b"a.php.."),
        (b"/a.php%20", "/", b"a.php "),
        (b"/a.php::$DATA", "/", b"a.php::$DATA"),
        (b"/.../a", "/", b".../a"),
        (b"/cgi-bin./a", "/", b"cgi-bin./a"),
        (b"/..%20/a", "/", b".. /a"),
        (b"/cgi-bin%20/a", "/", b"cgi-bin /a"),
    ]);
}

/// `..;` is a dot segment to servers that strip parameters, and to those only.
#[test]
fn parameters_are_part_of_the_segment() {
    check(&[
        (b"/a/..;/b", "/", b"a/..;/b"),
        (b"/a/..;x=1/..;/b", "/", b"a/..;x=1/..;/b"),
        (b"/a/.;/b", "/", b"a/.;/b"),
        (b"/cgi-bin;x/a", "/", b"cgi-bin;x/a"),
        (b"/cgi-bin/a;x=1/b", "/cgi-bin/", b"a;x=1/b"),
    ]);
}

/// CVE-2019-11043 (`%0a` in the extra path) and NUL, which ends a name for the kernel alone.
#[test]
fn control_characters_reach_nobody() {
    check_refused(&[
        (b"/index.php/%0a", Reason::TargetByte),
        (b"/index.php%0d%0aX:%20y", Reason::TargetByte),
        (b"/a.php%00.jpg", Reason::TargetByte),
        (b"/a.jpg%00.php", Reason::TargetByte),
        (b"/%00/../a", Reason::TargetByte),
        (b"/a?b\n", Reason::TargetForm),
        (b"/a\x00", Reason::TargetForm),
    ]);
}

/// GHSA-3g8v-8r37-cgjm, GHSA-v4h7-cj44-8fc8: letters whose lower case has another length, before the
/// split.
#[test]
fn splits_and_extensions_hold_beside_letters_of_other_length() {
    let mut routes = Routes::new();
    routes.insert_extension(".php", ());
    let rest = "ȺİK.PHP/x.txt.php/y".as_bytes();
    let scripts: Vec<_> = script_splits(rest)
        .filter(|(script, _)| routes.extension_of(script).is_some())
        .collect();
    let expected = [("ȺİK.PHP", "/x.txt.php/y"), ("ȺİK.PHP/x.txt.php", "/y")];
    assert_eq!(
        scripts,
        expected.map(|(script, extra)| (script.as_bytes(), extra.as_bytes()))
    );
    assert_eq!(routes.extension_of("a.pH\u{FF50}".as_bytes()), None);
}

/// `//host` and `/\host` lead to another site once they stand in a `Location` field.
#[test]
fn no_path_encodes_to_another_host() {
    let cases: &[(&[u8], &str)] = &[
        (b"//evil.example/a", "/evil.example/a"),
        (b"/.//evil.example", "/evil.example"),
        (b"/a/..//evil.example", "/evil.example"),
        (b"/\\evil.example", "/%5Cevil.example"),
        (b"/%5c/evil.example", "/%5C/evil.example"),
    ];
    for &(raw, encoded) in cases {
        let path = UrlPath::decode(raw).unwrap();
        assert_eq!(path.encode(), encoded, "{}", raw.escape_ascii());
    }
    check_refused(&[(b"/%09/evil.example", Reason::TargetByte)]);
}
