use super::*;

#[test]
fn nothing_hides_in_what_is_shown() {
    for (bytes, shown) in [
        (&b"plain \\ text"[..], "plain \\ text"),
        (b"#!/bin/sh\r\nx\ty\n", "#!/bin/sh\\r\\n\nx\\ty\\n\n"),
        (b"\xEF\xBB\xBF#!", "\\u{feff}#!"),
        (b"\x1b[2J\0\x7f", "\\x1b[2J\\x00\\x7f"),
        (
            "a\u{a0}b\u{200b}c\u{85}ü".as_bytes(),
            "a\\u{a0}b\\u{200b}c\\u{85}ü",
        ),
        (b"caf\xe9", "caf\\xe9"),
        (b"", ""),
    ] {
        assert_eq!(visible(bytes, 100), shown);
    }
    assert_eq!(visible(b"abcdef", 3), "abc...");
    assert_eq!(visible(b"abc", 3), "abc");
}

#[test]
fn it_is_written_for_a_log_a_terminal_and_a_program() {
    let finding = Finding::error(Reason::CgiNoHeader, "It \"says\" hello.", "echo\nmore")
        .shown_by("it printed", b"hello\nyou\x01");
    assert_eq!(
        finding.line(),
        "It \"says\" hello; it printed: \"hello\\nyou\\x01\"; to mend it: echo more"
    );
    assert_eq!(
        finding.text(),
        "error[cgi.no-header]: It \"says\" hello.\n  --> it printed\n   | hello\\n\n   | you\\x01\n  \
         = to mend it: echo\n      more\n"
    );
    let mut json = Json::new();
    finding.push_json(&mut json);
    assert_eq!(
        json.finish(),
        "{\"code\":\"cgi.no-header\",\"severity\":\"error\",\"sentence\":\"It \\\"says\\\" hello.\",\
         \"remedy\":\"echo\\nmore\",\"evidence\":[{\"from\":\"it printed\",\"text\":\"hello\\\\n\\n\
         you\\\\x01\"}]}"
    );
}

#[test]
fn the_end_that_is_shown_begins_with_a_line_and_is_bounded() {
    let long = [b"x".repeat(QUOTED_MAX), b"\nsecond\nlast\n".to_vec()].concat();
    let finding = Finding::error(Reason::CgiExit, "", "").shown_by_end("e", &long);
    assert_eq!(finding.evidence[0].text, "second\\n\nlast");
    let one_line = b"y".repeat(3 * QUOTED_MAX);
    let finding = Finding::error(Reason::CgiExit, "", "").shown_by_end("e", &one_line);
    assert_eq!(finding.evidence[0].text.len(), QUOTED_MAX);
    let finding = Finding::error(Reason::CgiExit, "", "").shown_by_end("e", b"\n \n");
    assert_eq!(finding.evidence, []);
}

#[test]
fn a_word_is_one_word_to_a_shell() {
    for (word, shown) in [
        ("/srv/cgi-bin/x.py", "/srv/cgi-bin/x.py"),
        ("a b", "'a b'"),
        ("it's", "'it'\\''s'"),
        ("$(x)", "'$(x)'"),
        ("", "''"),
    ] {
        assert_eq!(quoted(word), shown);
    }
}
