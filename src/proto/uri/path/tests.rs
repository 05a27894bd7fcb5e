use percent_encoding::percent_decode;

use super::*;

fn decode(raw: &str) -> UrlPath<'_> {
    UrlPath::decode(raw.as_bytes()).unwrap_or_else(|reason| panic!("{raw}: {reason:?}"))
}

#[test]
fn decoded_and_normalised() {
    let cases: &[(&str, &[u8])] = &[
        ("/", b"/"),
        ("/a", b"/a"),
        ("/a/", b"/a/"),
        ("/a/b.c/d", b"/a/b.c/d"),
        ("/%61%2Db%20c", b"/a-b c"),
        ("/%c3%A9", b"/\xC3\xA9"),
        ("/é", b"/\xC3\xA9"),
        ("/%ff%80", b"/\xFF\x80"),
        ("/a+b", b"/a+b"),
        ("/%3f%23%25", b"/?#%"),
        ("//", b"/"),
        ("///a////b//", b"/a/b/"),
        ("/.", b"/"),
        ("/./", b"/"),
        ("/..", b"/"),
        ("/../..", b"/"),
        ("/../../a", b"/a"),
        ("/a/.", b"/a/"),
        ("/a/./", b"/a/"),
        ("/a/./b", b"/a/b"),
        ("/a/b/..", b"/a/"),
        ("/a/b/../", b"/a/"),
        ("/a/b/../c", b"/a/c"),
        ("/a/../../b", b"/b"),
        ("/a//..", b"/"),
        ("/a//../b", b"/b"),
        ("/a/b//./..//..", b"/"),
        ("/%2e", b"/"),
        ("/a/%2E%2e/b", b"/b"),
        ("/a/.%2e/b", b"/b"),
        ("/a/%2e./b", b"/b"),
        ("/...", b"/..."),
        ("/..a/b..", b"/..a/b.."),
        ("/.a/a.", b"/.a/a."),
        ("/%2e%2ea", b"/..a"),
        ("/a/..;/b", b"/a/..;/b"),
        ("/a\\..\\b", b"/a\\..\\b"),
    ];
    for &(raw, decoded) in cases {
        assert_eq!(decode(raw).as_bytes(), decoded, "{raw}");
    }
}

#[test]
fn refused() {
    let cases: &[(&str, Reason)] = &[
        ("", Reason::TargetForm),
        ("*", Reason::TargetForm),
        ("a/b", Reason::TargetForm),
        ("%2Fa", Reason::TargetForm),
        ("/%", Reason::TargetEncoding),
        ("/%4", Reason::TargetEncoding),
        ("/%4/1", Reason::TargetEncoding),
        ("/%4g", Reason::TargetEncoding),
        ("/%g4", Reason::TargetEncoding),
        ("/%+4", Reason::TargetEncoding),
        ("/% 4", Reason::TargetEncoding),
        ("/%%41", Reason::TargetEncoding),
        ("/%u0041", Reason::TargetEncoding),
        ("/a%2fb", Reason::TargetSlash),
        ("/a/%2F", Reason::TargetSlash),
        ("/%00", Reason::TargetByte),
        ("/a%0d%0ab", Reason::TargetByte),
        ("/%1F", Reason::TargetByte),
        ("/%7f", Reason::TargetByte),
        ("/\0", Reason::TargetByte),
        ("/a\n", Reason::TargetByte),
        ("/\x7F", Reason::TargetByte),
        // What is removed was looked at all the same.
        ("/%00/..", Reason::TargetByte),
        ("/%zz/../a", Reason::TargetEncoding),
    ];
    for &(raw, reason) in cases {
        assert_eq!(UrlPath::decode(raw.as_bytes()), Err(reason), "{raw:?}");
    }
}

#[test]
fn borrows_what_needs_no_change() {
    for raw in ["/", "/a", "/a/b/", "/.a/..b/...", "/.well-known/a", "/é;=&"] {
        assert!(matches!(decode(raw).0, Cow::Borrowed(_)), "{raw}");
    }
    for raw in ["/%61", "//", "/.", "/a/..", "/./a"] {
        assert!(matches!(decode(raw).0, Cow::Owned(_)), "{raw}");
    }
}

#[test]
fn segments_and_folders() {
    let cases: &[(&str, &[&str], bool)] = &[
        ("/", &[], true),
        ("/a", &["a"], false),
        ("/a/b/", &["a", "b"], true),
        ("/a/b/..", &["a"], true),
        ("/%41/ä", &["A", "ä"], false),
    ];
    for &(raw, segments, is_folder) in cases {
        let path = decode(raw);
        let expected: Vec<&[u8]> = segments.iter().map(|name| name.as_bytes()).collect();
        assert_eq!(path.segments().collect::<Vec<_>>(), expected, "{raw}");
        assert_eq!(path.is_folder(), is_folder, "{raw}");
    }
}

#[test]
fn hidden_segments() {
    let hidden = [
        "/.git/config",
        "/a/.env",
        "/%2ehtpasswd",
        "/.git/",
        "/...",
        "/.well-known/.a",
        "/a/.well-known/b",
        "/.well-known2/a",
        "/.Well-Known/a",
    ];
    let shown = [
        "/",
        "/a.b",
        "/a./b",
        "/.well-known",
        "/.well-known/a",
        "/%2Ewell-known/a",
        "/./a",
    ];
    for raw in hidden {
        assert!(decode(raw).has_hidden_segment(), "{raw}");
    }
    for raw in shown {
        assert!(!decode(raw).has_hidden_segment(), "{raw}");
    }
}

#[test]
fn encoded_for_links() {
    let cases: &[(&[u8], &str)] = &[
        (b"/a-b_c.d~e/", "/a-b_c.d~e/"),
        (b"/!$()*+,;=:@", "/!$()*+,;=:@"),
        (b"/a b%c?d#e", "/a%20b%25c%3Fd%23e"),
        (b"/<\">'&", "/%3C%22%3E%27%26"),
        (b"/\\host", "/%5Chost"),
        (b"/\xC3\xA9\xFF", "/%C3%A9%FF"),
        (b"/[]^`{|}", "/%5B%5D%5E%60%7B%7C%7D"),
    ];
    for &(decoded, encoded) in cases {
        let path = UrlPath(Cow::Borrowed(decoded));
        assert_eq!(path.encode(), encoded);
        assert_eq!(decode(encoded), path);
    }
}

#[test]
fn every_byte_survives_encoding_or_is_refused() {
    for byte in 0..=u8::MAX {
        let raw = [b'/', b'a', byte, b'z'];
        match UrlPath::decode(&raw) {
            Err(reason) => assert_eq!(reason, expected_refusal(byte), "{byte:#04X}"),
            Ok(path) => assert_eq!(decode(&path.encode()), path, "{byte:#04X}"),
        }
    }
}

fn expected_refusal(byte: u8) -> Reason {
    match byte {
        b'%' => Reason::TargetEncoding,
        0..=0x1F | 0x7F => Reason::TargetByte,
        _ => panic!("{byte:#04X} is an ordinary byte"),
    }
}

#[test]
fn every_short_string_of_bytes() {
    let bytes = ["/", ".", "%", "2", "e", "E", "f", "F", "0", "a", "\\"];
    assert!(for_every_string(&bytes, 6, check_against_reference) > 10_000);
}

#[test]
fn every_short_string_of_words() {
    let words = [
        "/", ".", "..", "%2e", "%2E%2e", "%2f", "%5C", "%00", "%25", "2e", "a", "%", "\n",
    ];
    assert!(for_every_string(&words, 5, check_against_reference) > 10_000);
}

/// Calls `check` for a slash and up to `most` words after it; returns how many of the strings it
/// found to be paths.
fn for_every_string(words: &[&str], most: usize, check: fn(&[u8]) -> bool) -> usize {
    fn extend(raw: &mut Vec<u8>, words: &[&str], most: usize, check: fn(&[u8]) -> bool) -> usize {
        let mut accepted = usize::from(check(raw));
        if most > 0 {
            let len = raw.len();
            for word in words {
                raw.extend_from_slice(word.as_bytes());
                accepted += extend(raw, words, most - 1, check);
                raw.truncate(len);
            }
        }
        accepted
    }
    extend(&mut b"/".to_vec(), words, most, check)
}

fn check_against_reference(raw: &[u8]) -> bool {
    let shown = raw.escape_ascii();
    let path = UrlPath::decode(raw);
    assert_eq!(
        path.as_ref().ok().map(UrlPath::as_bytes),
        reference(raw).as_deref(),
        "{shown}"
    );
    let Ok(path) = path else { return false };

    let bytes = path.as_bytes();
    assert!(bytes.starts_with(b"/"), "{shown}");
    assert!(!bytes.iter().any(u8::is_ascii_control), "{shown}");
    assert!(!bytes.windows(2).any(|pair| pair == b"//"), "{shown}");
    assert!(
        !path.segments().any(|name| name == b"." || name == b".."),
        "{shown}"
    );

    let encoded = path.encode();
    assert!(encoded.is_ascii() && !encoded.starts_with("//"), "{shown}");
    assert_eq!(decode(&encoded), path, "{shown}");
    true
}

/// Decodes in whole passes what the tested code decodes in one.
fn reference(raw: &[u8]) -> Option<Vec<u8>> {
    let after_percent = raw.split(|&byte| byte == b'%').skip(1);
    for digits in after_percent {
        let digits = digits.get(..2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) || digits.eq_ignore_ascii_case(b"2f") {
            return None;
        }
    }
    let decoded: Vec<u8> = percent_decode(raw).collect();
    if decoded.iter().any(u8::is_ascii_control) {
        return None;
    }
    let segments: Vec<&[u8]> = decoded.split(|&byte| byte == b'/').collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    for &segment in &segments {
        match segment {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let is_folder = matches!(segments.last(), Some(&(b"" | b"." | b"..")));
    let mut path = Vec::new();
    for segment in &kept {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    if is_folder {
        path.push(b'/');
    }
    Some(path)
}
