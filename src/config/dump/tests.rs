use super::super::tests::parse_with_file;
use super::super::{Command, Settings};

fn dumped(words: &[&str], file: &str) -> String {
    let words = [words, &["--dump-config"]].concat();
    match parse_with_file(&words, file) {
        Ok(Command::Dump(text)) => text,
        other => panic!("{words:?}: {other:?}"),
    }
}

fn read(words: &[&str], file: &str) -> Settings {
    match parse_with_file(words, file) {
        Ok(Command::Serve(settings)) => bare(settings),
        other => panic!("{words:?}: {other:?}"),
    }
}

/// Settings without what tells where they are from, of each site too.
fn bare(mut settings: Settings) -> Settings {
    for site in &mut settings.sites {
        site.settings = bare(site.settings.clone());
    }
    Settings {
        config: None,
        places: Default::default(),
        ..settings
    }
}

#[test]
fn each_value_is_told_with_its_origin() {
    let file = "listen a:1\nlisten b:2\n\nlisting\nmax-processes 7\n";
    let text = dumped(&["--config", "f", "--index", "x.html"], file);
    let expected = [
        "# f:1\nlisten a:1\n# f:2\nlisten b:2\n",
        "# f:4\nlisting\n",
        "# command line\nindex x.html\n",
        "# default\nroot .\n",
        "# default: static /=ROOT/www where it exists\n",
        "# not given: fallback\n",
        "# default\nmax-body 64M\n",
    ];
    for part in expected {
        assert!(text.contains(part), "{part}is not in\n{text}");
    }
    #[cfg(feature = "fastcgi")]
    assert!(
        text.contains("# f:5, as max-processes\nfastcgi-keep 7\n"),
        "{text}"
    );
    assert!(
        !text.contains("\nconfig") && !text.contains("dump-config"),
        "{text}"
    );
}

#[test]
fn what_is_dumped_is_read_back_as_the_same() {
    let cases: [(&[&str], &str); 7] = [
        (&[], ""),
        (
            &["--config", "f"],
            "listen a:1\nlisting\nenv A=#b  c\nindex a,b",
        ),
        (&["-l", "unix:/run/a b", "--threads", "3", "/srv/x"], ""),
        (
            &["--config", "f", "--cgi-timeout", "7.5"],
            "cgi-timeout 3\nallow-root",
        ),
        (
            &["--config", "f"],
            "listing\nindex a\n[site a *.b]\nindex c\nstatic /=./x\n[site [::1]]\n",
        ),
        (
            &["--config", "f", "--index", "d"],
            "env A=b\nunknown-host refuse\n[site a]\nindex c\n",
        ),
        (
            &["--sandbox", "--allow-read", "/etc/a b", "--limit", "cpu=3"],
            "",
        ),
    ];
    for (words, file) in cases {
        let text = dumped(words, file);
        assert_eq!(read(words, file), read(&["--config", "f"], &text), "{text}");
        // The second dump differs from the first in the origins alone.
        let again = dumped(&["--config", "f"], &text);
        let told = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(told(&text), told(&again));
    }
}

#[test]
fn what_no_file_can_hold_stands_in_a_comment() {
    let text = dumped(&["--env", "A=b\nlisten x:1"], "");
    let line = "# which no file can hold: env \"A=b\\nlisten x:1\"\n";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("\nlisten x:1"), "{text}");
}

#[test]
fn a_site_has_what_is_its_own() {
    let text = dumped(
        &["--config", "f"],
        "threads 3\nindex a\n[site b]\nindex c\n[site d]\n",
    );
    let (server, sites) = text.split_once("[site b]\n").unwrap();
    assert!(
        server.contains("\nthreads 3\n") && !server.contains("\nindex"),
        "{text}"
    );
    assert!(server.ends_with("# f:3\n"), "{text}");
    let (first, second) = sites.split_once("[site d]\n").unwrap();
    assert!(
        first.contains("# f:4\nindex c\n") && !first.contains("threads"),
        "{text}"
    );
    assert!(second.contains("# f:2\nindex a\n"), "{text}");
}
