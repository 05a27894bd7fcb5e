#![cfg(feature = "config")]

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

/// The hosts of each site with its settings, which are to differ from those of the others as `words` say.
#[track_caller]
fn check_sites(settings: Settings, expected: &[(&str, &[&str])]) {
    assert_eq!(settings.sites.len(), expected.len());
    for (site, (hosts, words)) in settings.sites.into_iter().zip(expected) {
        let names: Vec<String> = site.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(names.join(" "), *hosts);
        assert_eq!(bare(site.settings), bare(meant(words)), "{hosts}");
    }
}

#[test]
fn a_section_is_a_site_with_what_stands_above_where_it_says_nothing() {
    let text = "threads 3\nindex a.html\nstatic /=./a\nlisting\n\n\
                [site Example.org www.example.org.]\nstatic /=./b\nstatic /c/=./c\n\n\
                [ site  *.example.net ]\nindex b.html\n";
    let first: &[&str] = &[
        "--threads",
        "3",
        "--index",
        "a.html",
        "-s",
        "/=./b",
        "-s",
        "/c/=./c",
        "--listing",
    ];
    let second: &[&str] = &[
        "--threads",
        "3",
        "--index",
        "b.html",
        "-s",
        "/=./a",
        "--listing",
    ];
    let expected = [
        ("example.org www.example.org", first),
        ("*.example.net", second),
    ];
    check_sites(read(text), &expected);
    // The command line counts in place of all of the file.
    let words = ["--config", NAME, "--index", "c.html"];
    let Ok(Command::Serve(settings)) = parse_with_file(&words, text) else {
        panic!("{text}");
    };
    let first = [first, &["--index", "c.html"]].concat();
    let without = |words: &[&'static str]| -> Vec<&'static str> {
        let at = words.iter().position(|word| *word == "--index").unwrap();
        [&words[..at], &words[at + 2..]].concat()
    };
    let second = [without(second).as_slice(), &["--index", "c.html"]].concat();
    let expected = [
        ("example.org www.example.org", without(&first)),
        ("*.example.net", second),
    ];
    let expected: Vec<(&str, &[&str])> = expected
        .iter()
        .map(|(hosts, words)| (*hosts, words.as_slice()))
        .collect();
    check_sites(settings, &expected);
}

#[test]
fn what_is_wrong_with_a_section_is_told_with_its_line() {
    let form = "write it as [site HOST ...], as in [site example.org www.example.org]";
    let name = "is no name of a host; write it as example.org, *.example.org or an address, without a port";
    let cases = [
        ("[sites a]", format!("site.conf:1: '[sites a]' is no section; {form}")),
        ("[site a", format!("site.conf:1: '[site a' is no section; {form}")),
        ("[]", format!("site.conf:1: '[]' is no section; {form}")),
        ("[site]", format!("site.conf:1: '[site]' has no host; {form}")),
        ("[site a:80]", format!("site.conf:1: site: 'a:80' {name}")),
        ("[site a/b]", format!("site.conf:1: site: 'a/b' {name}")),
        (
            "[site a]\n\n[site b A.]",
            "site.conf:3: site: 'A.' is named at site.conf:1 too; give each name once".to_owned(),
        ),
        (
            "[site a]\nthreads 3",
            "site.conf:2: threads: is for the whole server; write it before the first [site ...]".to_owned(),
        ),
        (
            "[site a]\nlisten b:1",
            "site.conf:2: listen: is for the whole server; write it before the first [site ...]".to_owned(),
        ),
        (
            "[site a]\nindex a\n[site b]\nindex a\nindex b",
            "site.conf:5: index: is given at site.conf:4 too; give this option once".to_owned(),
        ),
        (
            "[site a]\nmax-body 1Q\n[site b]",
            "site.conf:2: max-body: '1Q' is not a size from 0 to 1024G; write bytes, or a number with K, M or G"
                .to_owned(),
        ),
        // What holds for all of them is told once.
        (
            "max-body 1Q\n[site a]\n[site b]",
            "site.conf:1: max-body: '1Q' is not a size from 0 to 1024G; write bytes, or a number with K, M or G"
                .to_owned(),
        ),
        ("unknown-host last", "site.conf:1: unknown-host: 'last' is neither 'first' nor 'refuse'".to_owned()),
    ];
    for (text, line) in cases {
        assert_eq!(refused(text), [line], "{text:?}");
    }
}

#[test]
fn there_is_an_end_to_sites() {
    let sections =
        |count: usize| -> String { (0..count).map(|at| format!("[site s{at}]\n")).collect() };
    assert_eq!(read(&sections(SITES_MAX)).sites.len(), SITES_MAX);
    let line = "site.conf:257: is one more than 256 sites; give that many at most";
    assert_eq!(refused(sections(SITES_MAX + 1)), [line]);
}

#[test]
fn a_value_of_a_site_is_found_in_its_section_or_above() {
    let text = "root /a\n[site a]\nroot /b\n[site c]\n";
    let settings = read(text);
    let place = |site: usize, option, value| settings.sites[site].settings.places.of(option, value);
    assert_eq!(place(0, "ROOT", "/b").as_deref(), Some("site.conf:3"));
    assert_eq!(place(1, "ROOT", "/a").as_deref(), Some("site.conf:1"));
    // What is written nowhere is wrong with the site.
    assert_eq!(place(1, "--static", "/x").as_deref(), Some("site.conf:4"));
    assert_eq!(settings.places.of("--static", "/x"), None);
}

#[test]
fn what_holds_until_a_restart_is_taken_over_and_told() {
    let old = read("threads 3\nmax-spool 2M\nuser www-data\nindex a\n[site a]\n");
    let mut new = read("threads 4\nmax-spool 2M\nindex b\nallow-root\n[site a]\n[site b]\n");
    assert_eq!(new.keep_fixed(&old), ["threads", "user", "allow-root"]);
    for settings in [&new, &new.sites[1].settings] {
        assert_eq!(settings.threads, 3);
        assert_eq!(settings.confinement, old.confinement);
    }
    assert_eq!(new.sites[1].settings.index, ["b"]);
    assert_eq!(new.clone().keep_fixed(&old), [""; 0]);
    // Every option that is marked so is kept: with another value of each nothing else is left that differs.
    for flag in FLAGS.iter().filter(|flag| flag.scope == Scope::Start) {
        let line = match flag.long {
            "user" => "user nobody".to_owned(),
            "chroot" => "user www-data\nchroot /srv".to_owned(),
            "limit" => "limit cpu=3".to_owned(),
            "allow-read" | "allow-write" => format!("sandbox\n{} /srv", flag.long),
            long if flag.value_name().is_none() => long.to_owned(),
            "max-spool" => "max-spool 3M".to_owned(),
            "console" | "health" => format!("{} 127.0.0.1:7", flag.long),
            long => format!("{long} 7"),
        };
        let text = if flag.long == "user" {
            ""
        } else {
            "user www-data\n"
        };
        let text = if line.contains("user ") {
            line
        } else {
            format!("{text}{line}")
        };
        let old = bare(read("user www-data\n"));
        let mut new = bare(read(&text));
        assert!(new.keep_fixed(&old).contains(&flag.long), "{}", flag.long);
        #[cfg(feature = "fastcgi")]
        {
            // These follow max-processes where they are not given, and may change.
            (new.fastcgi.max_backend, new.fastcgi.keep) =
                (old.fastcgi.max_backend, old.fastcgi.keep);
        }
        new.warnings.clear();
        assert_eq!(new, old, "{}", flag.long);
    }
}
