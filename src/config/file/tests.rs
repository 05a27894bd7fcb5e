use super::super::tests::{parse_with_file, parse_words};
use super::super::{Command, Settings};
use super::*;

const NAME: &str = "site.conf";

fn read(text: &str) -> Settings {
    match parse_with_file(&["--config", NAME], text) {
        Ok(Command::Serve(settings)) => settings,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn refused(text: impl AsRef<[u8]>) -> Vec<String> {
    let text = text.as_ref();
    match parse_with_file(&["--config", NAME], text) {
        Err(error) => error.lines().to_vec(),
        other => panic!("{}: {other:?}", String::from_utf8_lossy(text)),
    }
}

/// What the same options mean on a command line.
fn meant(words: &[&str]) -> Settings {
    match parse_words(words) {
        Ok(Command::Serve(settings)) => settings,
        other => panic!("{words:?}: {other:?}"),
    }
}

/// Settings without what tells where they are from.
fn bare(settings: Settings) -> Settings {
    Settings {
        config: None,
        places: Default::default(),
        ..settings
    }
}

#[test]
fn a_line_means_what_its_option_means_on_the_command_line() {
    let cases: [(&str, &[&str]); 12] = [
        ("", &[]),
        ("# a comment\n\n  # another\n", &[]),
        ("listen a:1", &["--listen", "a:1"]),
        ("listen a:1\nlisten b:2\n", &["-l", "a:1", "-l", "b:2"]),
        ("  listen\t a:1 \r\n", &["--listen", "a:1"]),
        ("\u{feff}listing", &["--listing"]),
        ("listing\nlisting\n", &["--listing"]),
        ("root /srv/my site", &["/srv/my site"]),
        ("static /=./www", &["--static", "/=./www"]),
        (
            "env COLOUR=#fff # no comment",
            &["--env", "COLOUR=#fff # no comment"],
        ),
        ("env NOTE='a  b'", &["--env", "NOTE='a  b'"]),
        (
            "cgi-timeout 5\nmax-processes 3",
            &["--cgi-timeout", "5", "--max-processes", "3"],
        ),
    ];
    for (text, words) in cases {
        assert_eq!(bare(read(text)), bare(meant(words)), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let cases = [
        (
            "lisen a:1",
            "site.conf:1: 'lisen' is no option; did you mean listen?",
        ),
        (
            "\n\nport 80",
            "site.conf:3: 'port' is no option; see tollgate --help; a line is the long name of an option \
             and its value",
        ),
        (
            "--listen a:1",
            "site.conf:1: '--listen' is no option; write listen without dashes",
        ),
        (
            "listen=a:1",
            "site.conf:1: 'listen=a:1' is no option; write a space for the '=': listen a:1",
        ),
        (
            "-l a:1",
            "site.conf:1: '-l' is no option; see tollgate --help; a line is the long name of an \
                    option and its value",
        ),
        (
            "listen = a:1",
            "site.conf:1: listen: has a '='; write it as listen ADDR, with a space between",
        ),
        (
            "listen",
            "site.conf:1: listen: no value; write it as listen ADDR",
        ),
        (
            "listing yes",
            "site.conf:1: listing: takes no value; write listing alone, or leave the line out",
        ),
        (
            "listing # all of it",
            "site.conf:1: listing: takes no value; write the comment on a line of its own",
        ),
        (
            "index a\nindex b",
            "site.conf:2: index: is given at site.conf:1 too; give this option once",
        ),
        (
            "config other",
            "site.conf:1: config: has a meaning on the command line alone; leave it out",
        ),
        (
            "help",
            "site.conf:1: help: has a meaning on the command line alone; leave it out",
        ),
        (
            "# first\nlisten localhost",
            "site.conf:2: listen: 'localhost' has no port; write it as HOST:PORT, [V6]:PORT or unix:PATH",
        ),
        (
            "proxy-protocol",
            "site.conf:1: proxy-protocol: is believed of trusted proxies alone; give --trusted-proxy too",
        ),
        (
            "user www-data\nallow-read /etc",
            "site.conf:2: allow-read: counts in a sandbox alone; give --sandbox too",
        ),
    ];
    for (text, line) in cases {
        assert_eq!(refused(text), [line], "{text:?}");
    }
    let line = "site.conf:2: the line is not UTF-8; write names and paths in UTF-8";
    assert_eq!(refused(b"listing\nroot \xff\n"), [line]);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    assert_eq!(
        refused("lisen a:1\nthreads\nlisting"),
        [
            "site.conf:1: 'lisen' is no option; did you mean listen?",
            "site.conf:2: threads: no value; write it as threads N",
        ]
    );
    let lines = refused("threads x\nmax-body 1Q");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("site.conf:1: threads: 'x' "),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("site.conf:2: max-body: '1Q' "),
        "{lines:?}"
    );
}

#[test]
fn the_command_line_counts_in_place_of_the_file() {
    let text = "listen a:1\nlisten b:2\nindex a.html\nthreads 3\nroot /srv/a\n";
    let words = ["--config", NAME, "-l", "c:3", "--index", "b.html", "/srv/b"];
    let settings = match parse_with_file(&words, text) {
        Ok(Command::Serve(settings)) => bare(settings),
        other => panic!("{other:?}"),
    };
    let words = ["-l", "c:3", "--index", "b.html", "/srv/b", "--threads", "3"];
    assert_eq!(settings, bare(meant(&words)));
    // What is wrong in the file is told all the same, as far as it is read.
    let words = ["--config", NAME, "--threads", "2"];
    assert!(parse_with_file(&words, "threads x").is_ok());
    assert!(parse_with_file(&words, "thread 3").is_err());
}

#[test]
fn a_file_has_an_end() {
    let fits = "#".repeat(FILE_MAX);
    assert_eq!(bare(read(&fits)), bare(meant(&[])));
    let line = "--config: 'site.conf' is longer than 512 KiB; shorten it";
    assert_eq!(refused(fits + "#"), [line]);
}

#[test]
fn a_file_that_cannot_be_read_is_told_of() {
    let error = parse_words(&["--config", "none.conf"]).unwrap_err();
    assert_eq!(error.to_string(), "--config: 'none.conf' is not there");
    let error = parse_words(&["--config", "--listing"]).unwrap_err();
    let line =
        "--config: '--listing' looks like an option; write ./--listing for a file of that name";
    assert_eq!(error.to_string(), line);
}

#[test]
fn a_value_is_found_again_in_the_file() {
    let text = "# routes\nstatic /=./www\nstatic /b/=./b\nlisten a:1\nindex x\n";
    let settings = read(text);
    let cases = [
        ("--static", "./b", Some("site.conf:3")),
        ("--static", "./www", Some("site.conf:2")),
        ("--static", "./c", None),
        ("--listen", "a:1", Some("site.conf:4")),
        ("--index", "", Some("site.conf:5")),
        ("ROOT", ".", None),
    ];
    for (option, value, place) in cases {
        let found = settings.places.of(option, value);
        assert_eq!(found.as_deref(), place, "{option} {value}");
    }
}
