use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::super::tests::{parse_words, settings_of};
use super::*;

fn line_of(words: &[&str]) -> Line {
    read(words.iter().map(OsString::from)).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn values<'a>(line: &'a Line, name: &str) -> Vec<&'a str> {
    let mut written = line.written.iter();
    let found = written.find(|written| written.flag.long == name).unwrap();
    found.values.iter().map(|value| &*value.text).collect()
}

#[test]
fn every_way_to_write_an_option_is_read() {
    let cases: [(&[&str], &[&str]); 6] = [
        (&["-l", "a:1"], &["a:1"]),
        (&["-la:1"], &["a:1"]),
        (&["--listen", "a:1"], &["a:1"]),
        (&["--listen=a:1"], &["a:1"]),
        (&["-l", "a:1", "ROOT", "--listen=b:2"], &["a:1", "b:2"]),
        (&["--", "-l"], &[]),
    ];
    for (words, expected) in cases {
        assert_eq!(values(&line_of(words), "listen"), expected, "{words:?}");
    }
}

#[test]
fn root_stands_anywhere() {
    let cases: [(&[&str], &str); 8] = [
        (&[], "."),
        (&["/srv"], "/srv"),
        (&["/srv", "--listing"], "/srv"),
        (&["--threads", "4", "/srv"], "/srv"),
        (&["--", "-srv"], "-srv"),
        (&["--"], "."),
        (&["--root", "/srv"], "/srv"),
        (&["check-config/"], "check-config/"),
    ];
    for (words, root) in cases {
        assert_eq!(settings_of(words).root, Path::new(root), "{words:?}");
    }
}

#[test]
fn a_switch_may_be_repeated() {
    assert_eq!(
        settings_of(&["--listing", "--listing"]),
        settings_of(&["--listing"])
    );
}

#[test]
fn what_is_not_a_command_line_is_refused_in_one_line() {
    let cases: [(&[&str], &str); 19] = [
        (
            &["--lisen", "a:1"],
            "--lisen: unknown option; did you mean --listen?",
        ),
        (
            &["--lstings"],
            "--lstings: unknown option; did you mean --listing?",
        ),
        (
            &["--max-proc", "4"],
            "--max-proc: unknown option; did you mean --max-processes?",
        ),
        (
            &["--max-heads=1K"],
            "--max-heads: unknown option; did you mean --max-header?",
        ),
        (
            &["--port", "80"],
            "--port: unknown option; see tollgate --help",
        ),
        (&["--xy"], "--xy: unknown option; see tollgate --help"),
        (&["-p", "80"], "-p: unknown option; see tollgate --help"),
        (&["-hx"], "-x: unknown option; see tollgate --help"),
        (&["--é"], "-é: unknown option; see tollgate --help"),
        (
            &["--listen"],
            "--listen: no value; write it as --listen ADDR",
        ),
        (&["-c"], "--cgi: no value; write it as --cgi ROUTE=PATH"),
        (
            &["/srv", "--max-body"],
            "--max-body: no value; write it as --max-body SIZE",
        ),
        (
            &["--listing=yes"],
            "--listing: takes no value; write it as --listing",
        ),
        (
            &["--help=all"],
            "--help: takes no value; write it as --help",
        ),
        (
            &["-t", "4", "--threads=8"],
            "--threads: '8' is a second value; give this option once",
        ),
        (
            &["--index", "a", "--index", "b", "--index", "c"],
            "--index: 'b' is a second value; give this option once",
        ),
        (
            &["a", "b"],
            "ROOT: 'b' is a second folder; give one, or none for .",
        ),
        (
            &["a", "--", "-b"],
            "ROOT: '-b' is a second folder; give one, or none for .",
        ),
        (
            &[""],
            "ROOT: '' is empty; give the folder of www/ and cgi-bin/",
        ),
    ];
    for (words, line) in cases {
        assert_eq!(
            parse_words(words).expect_err(line).to_string(),
            line,
            "{words:?}"
        );
    }
}

#[test]
fn only_utf8_is_taken() {
    let error = read([OsString::from_vec(b"--static=/=/srv/\xff".to_vec())])
        .err()
        .unwrap();
    let line = "'--static=/=/srv/\u{fffd}' is not UTF-8; write names and paths in UTF-8";
    assert_eq!(error.to_string(), line);
}

#[test]
fn distance_counts_slips() {
    let cases = [
        ("listen", "listen", 0),
        ("lisen", "listen", 1),
        ("listten", "listen", 1),
        ("lizten", "listen", 1),
        ("ilsten", "listen", 2),
        ("", "cgi", 3),
        ("cgi", "", 3),
        ("kitten", "sitting", 3),
    ];
    for (from, to, slips) in cases {
        assert_eq!(distance(from, to), slips, "{from} → {to}");
    }
}
