use super::*;

const TAG: &str = "\"a,b\"";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const EXACT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const MODIFIED: u64 = 784_111_777;

fn file() -> Validators<'static> {
    Validators {
        entity_tag: TAG.as_bytes(),
        last_modified: MODIFIED,
        now: MODIFIED + 1,
    }
}

fn verdict(fields: &[(&str, &str)]) -> Verdict {
    let fields = fields.iter().map(|(name, value)| (name, value.as_bytes()));
    evaluate(&Conditions::from_fields(fields), &file())
}

/// Lists of tags: (list, whether it holds the tag strongly, whether weakly).
const LISTS: &[(&str, bool, bool)] = &[
    ("*", true, true),
    (" * ", true, true),
    ("\"a,b\"", true, true),
    ("W/\"a,b\"", false, true),
    ("\"x\", \"a,b\"", true, true),
    ("\"a,b\",\"x\"", true, true),
    ("\"x\"\t,\t\"a,b\"\t", true, true),
    (", ,\"x\",,W/\"a,b\", ,", false, true),
    ("\"x\"", false, false),
    ("\"\"", false, false),
    ("\"A,B\"", false, false),
    ("\"a\",\"b\"", false, false),
    ("\"x,\"a,b\"", false, false),
    ("", false, false),
    (" , ", false, false),
    // malformed lists hold nothing, wherever the fault is
    ("a,b", false, false),
    ("\"a,b", false, false),
    ("a,b\"", false, false),
    ("w/\"a,b\"", false, false),
    ("W/ \"a,b\"", false, false),
    ("W/", false, false),
    ("\"a,b\" \"x\"", false, false),
    ("\"a,b\"\"x\"", false, false),
    ("\"a,b\"x", false, false),
    ("\"a,b\", x", false, false),
    ("\"a,b\", \"x y\"", false, false),
    ("\"a,b\", \"x\x7f\"", false, false),
    ("*, \"a,b\"", false, false),
    ("\"a,b\", *", false, false),
    ("\"*\"", false, false),
];

#[test]
fn if_match_compares_strongly() {
    for (list, strongly, _) in LISTS {
        let expected = if *strongly {
            Verdict::Proceed
        } else {
            Verdict::PreconditionFailed
        };
        assert_eq!(verdict(&[("if-match", list)]), expected, "{list}");
    }
}

#[test]
fn if_none_match_compares_weakly() {
    for (list, _, weakly) in LISTS {
        let expected = if *weakly {
            Verdict::NotModified
        } else {
            Verdict::Proceed
        };
        assert_eq!(verdict(&[("IF-NONE-MATCH", list)]), expected, "{list}");
    }
}

#[test]
fn opaque_bytes_are_part_of_a_tag() {
    let file = Validators {
        entity_tag: b"\"\xe9\xff\"",
        ..file()
    };
    let fields = [("If-None-Match", b"\"\xe9\xff\"".as_slice())];
    assert_eq!(
        evaluate(&Conditions::from_fields(fields), &file),
        Verdict::NotModified
    );
}

#[test]
fn dates_are_compared_in_whole_seconds() {
    use Verdict::*;
    let cases: &[(&str, Verdict, Verdict)] = &[
        // value, with If-Modified-Since, with If-Unmodified-Since
        (BEFORE, Proceed, PreconditionFailed),
        (EXACT, NotModified, Proceed),
        (AFTER, NotModified, Proceed),
        ("Sunday, 06-Nov-94 08:49:37 GMT", NotModified, Proceed),
        (
            "Sunday, 06-Nov-94 08:49:36 GMT",
            Proceed,
            PreconditionFailed,
        ),
        ("Sun Nov  6 08:49:37 1994", NotModified, Proceed),
        ("Fri, 31 Dec 9999 23:59:59 GMT", NotModified, Proceed),
        // no condition at all
        ("", Proceed, Proceed),
        ("0", Proceed, Proceed),
        ("784111777", Proceed, Proceed),
        ("Mon, 06 Nov 1994 08:49:37 GMT", Proceed, Proceed),
        ("Sun, 06 Nov 1994 08:49:37 UTC", Proceed, Proceed),
        ("Sun, 06 Nov 1994 08:49:37", Proceed, Proceed),
        ("Sun, 31 Feb 1999 00:00:00 GMT", Proceed, Proceed),
        ("Wed, 31 Dec 1969 23:59:59 GMT", Proceed, Proceed),
        ("Sun, 06 Nov 1994 08:49:37 GMT; length=3", Proceed, Proceed),
        ("Sün, 06 Nov 1994 08:49:37 GMT", Proceed, Proceed),
    ];
    for (date, modified, unmodified) in cases {
        assert_eq!(verdict(&[("If-Modified-Since", date)]), *modified, "{date}");
        assert_eq!(
            verdict(&[("If-Unmodified-Since", date)]),
            *unmodified,
            "{date}"
        );
    }
}

#[test]
fn precedence_is_that_of_13_2_2() {
    use Verdict::*;
    let none = "\"x\"";
    let cases: &[(&[(&str, &str)], Verdict)] = &[
        (&[], Proceed),
        (&[("Range", "bytes=0-"), ("If-Range", none)], Proceed),
        // If-Match silences If-Unmodified-Since
        (
            &[("If-Match", TAG), ("If-Unmodified-Since", BEFORE)],
            Proceed,
        ),
        (
            &[("If-Unmodified-Since", AFTER), ("If-Match", none)],
            PreconditionFailed,
        ),
        (
            &[("If-Match", "junk"), ("If-Unmodified-Since", AFTER)],
            PreconditionFailed,
        ),
        // If-None-Match silences If-Modified-Since
        (
            &[("If-None-Match", TAG), ("If-Modified-Since", BEFORE)],
            NotModified,
        ),
        (
            &[("If-Modified-Since", AFTER), ("If-None-Match", none)],
            Proceed,
        ),
        (
            &[("If-None-Match", "junk"), ("If-Modified-Since", AFTER)],
            Proceed,
        ),
        // what fails comes before what is not modified
        (
            &[("If-None-Match", TAG), ("If-Match", none)],
            PreconditionFailed,
        ),
        (&[("If-None-Match", TAG), ("If-Match", TAG)], NotModified),
        (
            &[
                ("If-Modified-Since", AFTER),
                ("If-Unmodified-Since", BEFORE),
            ],
            PreconditionFailed,
        ),
        (
            &[("If-Modified-Since", EXACT), ("If-Unmodified-Since", EXACT)],
            NotModified,
        ),
        (
            &[("If-Match", TAG), ("If-Modified-Since", EXACT)],
            NotModified,
        ),
        (
            &[("If-None-Match", TAG), ("If-Unmodified-Since", EXACT)],
            NotModified,
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(verdict(fields), *expected, "{fields:?}");
    }
}

#[test]
fn field_lines_of_one_name_are_one_value() {
    let lines = [("If-None-Match", "\"x\""), ("If-None-Match", TAG)];
    assert_eq!(verdict(&lines), Verdict::NotModified);
    // More than one date is no date (RFC 9110 section 13.1.3).
    let dates = [("If-Modified-Since", EXACT), ("If-Modified-Since", EXACT)];
    assert_eq!(verdict(&dates), Verdict::Proceed);

    let single = Conditions::from_fields([("If-Match", b"x".as_slice())]);
    assert!(matches!(single.if_match, Some(Cow::Borrowed(b"x"))));
}

#[test]
fn if_range_wants_a_strong_validator() {
    let cases: &[(&str, u64, bool)] = &[
        // value, seconds since the modification, whether Range is obeyed
        (TAG, 0, true),
        (" \"a,b\" ", 0, true),
        ("W/\"a,b\"", 9, false),
        ("\"a\"", 9, false),
        ("\"a,b\", \"x\"", 9, false),
        ("*", 9, false),
        ("", 9, false),
        (EXACT, 0, false),
        (EXACT, 1, true),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 1, true),
        (BEFORE, 9, false),
        (AFTER, 9, false),
        ("junk", 9, false),
    ];
    for (value, age, expected) in cases {
        let file = Validators {
            now: MODIFIED + age,
            ..file()
        };
        assert_eq!(
            if_range_holds(value.as_bytes(), &file),
            *expected,
            "{value} at {age}"
        );
    }
}

#[test]
fn entity_tags_differ_with_each_of_their_parts_and_are_well_formed() {
    let files = [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 1),
        (0, -1, 0, 0),
        (0x11, 1, 0, 0),
        (1, 0x11, 0, 0),
        (1, 1, 0x11, 0),
        (1, 1, 1, 0x11),
        (u64::MAX, i64::MIN, 999_999_999, u64::MAX),
    ];
    let tags: Vec<Vec<u8>> = files
        .iter()
        .map(|&(s, m, n, i)| entity_tag(s, m, n, i))
        .collect();
    for (at, tag) in tags.iter().enumerate() {
        assert_eq!(
            split_entity_tag(tag),
            Some((tag.as_slice(), b"".as_slice()))
        );
        assert!(tag.starts_with(b"\""), "a strong one");
        assert!(!tags[..at].contains(tag), "{}", tag.escape_ascii());
    }
}

#[test]
fn last_modified_lies_between_the_epoch_and_now() {
    for (mtime, now, expected) in [
        (5, 9, 5),
        (9, 9, 9),
        (10, 9, 9),
        (-1, 9, 0),
        (i64::MAX, 9, 9),
    ] {
        assert_eq!(last_modified(mtime, now), expected, "{mtime}");
    }
}

#[test]
fn dates_survive_the_wire() {
    assert_eq!(http_date(MODIFIED), EXACT.as_bytes());
    assert_eq!(&http_date(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(&http_date(951_782_400), b"Tue, 29 Feb 2000 00:00:00 GMT");
    assert_eq!(&http_date(LAST_SECOND), b"Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(http_date(u64::MAX), http_date(LAST_SECOND));
    for time in (0..=LAST_SECOND).step_by(86_399 * 997) {
        assert_eq!(parse_http_date(&http_date(time)), Some(time));
    }
}
