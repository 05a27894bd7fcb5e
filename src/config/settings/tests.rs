use super::super::flags::{FLAGS, Fallback};
use super::super::tests::{check_refusals, parse_words, settings_of};
use super::super::{Command, parse};
use super::*;

fn tcp(host: &str, port: u16) -> ListenAddress {
    ListenAddress::Tcp {
        host: host.to_owned(),
        port,
    }
}

/// What no argument at all means with 4 cores on a terminal.
fn defaults() -> Settings {
    Settings {
        root: PathBuf::from("."),
        listen: vec![tcp("127.0.0.1", 8080)],
        statics: Vec::new(),
        cgis: Vec::new(),
        #[cfg(feature = "fastcgi")]
        fastcgi: FastcgiSettings {
            routes: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            max_backend: 16,
            keep: 16,
            idle: Duration::from_secs(2),
        },
        #[cfg(feature = "auth")]
        auths: Vec::new(),
        proxies: Proxies::default(),
        fallback: None,
        environment: Vec::new(),
        authorization: Authorization::Withheld,
        scheme: Scheme::Http,
        threads: 5,
        max_processes: 16,
        max_connections: 10_000,
        cgi_timeout: Duration::from_secs(60),
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(15),
        send_timeout: Duration::from_secs(30),
        drain_timeout: Duration::from_secs(10),
        stop_delay: Duration::ZERO,
        max_body: 64 << 20,
        max_header: 16 << 10,
        max_spool: 1 << 30,
        index: vec!["index.html".to_owned()],
        listing: Listing::Off,
        symlinks: Symlinks::Stay,
        access_log: AccessLog::Stdout,
        log_format: LogFormat::default(),
        verbosity: None,
        explain: Explain::Local,
        #[cfg(feature = "console")]
        console: None,
        #[cfg(feature = "console")]
        health: None,
        confinement: Confinement::default(),
        warnings: Vec::new(),
        sites: Vec::new(),
        unknown_host: UnknownHost::First,
        config: None,
        fixed: Vec::new(),
        places: Places::default(),
    }
}

/// Sets what follows `--max-processes` too.
fn set_max_processes(settings: &mut Settings, count: usize) {
    settings.max_processes = count;
    #[cfg(feature = "fastcgi")]
    {
        settings.fastcgi.max_backend = count;
        settings.fastcgi.keep = count;
    }
}

/// Sets what follows `--cgi-timeout` too.
fn set_cgi_timeout(settings: &mut Settings, time: Duration) {
    settings.cgi_timeout = time;
    #[cfg(feature = "fastcgi")]
    {
        settings.fastcgi.timeout = time;
    }
}

#[test]
fn defaults_hold_without_arguments() {
    assert_eq!(settings_of(&[]), defaults());
}

#[test]
fn defaults_follow_the_surroundings() {
    // (cores, threads, max-processes)
    for (cores, threads, max_processes) in [(1, 2, 4), (2, 3, 8), (3, 4, 12), (2000, 1024, 4096)] {
        let surroundings = Surroundings {
            variable: &|_| None,
            cores,
            stdout_is_terminal: false,
            file: &|_| Err("is not there".to_owned()),
        };
        let Ok(Command::Serve(mut settings)) = parse([], &surroundings) else {
            panic!("{cores} cores")
        };
        settings.fixed.clear();
        let mut expected = defaults();
        expected.threads = threads;
        set_max_processes(&mut expected, max_processes);
        expected.access_log = AccessLog::Off;
        assert_eq!(settings, expected, "{cores} cores");
    }
}

#[test]
fn every_option_sets_its_own_setting_and_no_other() {
    type Change = fn(&mut Settings);
    let cases: [(&[&str], Change); 22] = [
        (&["/srv"], |s| s.root = "/srv".into()),
        (&["-l", "a:1", "-l", "[::]:2"], |s| {
            s.listen = vec![tcp("a", 1), tcp("::", 2)]
        }),
        (&["-l", "a:0", "-l", "a:0"], |s| {
            s.listen = vec![tcp("a", 0), tcp("a", 0)]
        }),
        (&["--static", "/doc=d"], |s| {
            s.statics = vec![StaticRoute {
                prefix: "/doc/".to_owned(),
                folder: "d".into(),
            }];
        }),
        (&["--cgi", "/cgi-bin/=a=b"], |s| {
            let key = RouteKey::Prefix("/cgi-bin/".to_owned());
            s.cgis = vec![CgiRoute {
                key,
                path: "a=b".into(),
            }];
        }),
        (&["--env", "A=1"], |s| {
            s.environment = vec![(b"A".to_vec(), b"1".to_vec())]
        }),
        (&["--threads", "1"], |s| s.threads = 1),
        (&["--max-processes", "1"], |s| set_max_processes(s, 1)),
        (&["--max-connections", "1000000"], |s| {
            s.max_connections = 1_000_000
        }),
        (&["--cgi-timeout", "0.5"], |s| {
            set_cgi_timeout(s, Duration::from_millis(500))
        }),
        (&["--header-timeout", "1"], |s| {
            s.header_timeout = Duration::from_secs(1)
        }),
        (&["--idle-timeout", "2"], |s| {
            s.idle_timeout = Duration::from_secs(2)
        }),
        (&["--send-timeout", "3"], |s| {
            s.send_timeout = Duration::from_secs(3)
        }),
        (&["--stop-delay", "4"], |s| {
            s.stop_delay = Duration::from_secs(4)
        }),
        (&["--drain-timeout", "4"], |s| {
            s.drain_timeout = Duration::from_secs(4)
        }),
        (&["--max-body", "0"], |s| s.max_body = 0),
        (&["--max-header", "1M"], |s| s.max_header = 1 << 20),
        (&["--max-spool", "1024G"], |s| s.max_spool = 1 << 40),
        (&["--fallback", "/a?b"], |s| {
            s.fallback = Some("/a?b".to_owned())
        }),
        (&["--listing"], |s| s.listing = Listing::On),
        (&["--follow-symlinks"], |s| s.symlinks = Symlinks::Follow),
        (&["--access-log", "log"], |s| {
            s.access_log = AccessLog::File("log".into())
        }),
    ];
    for (words, change) in cases {
        let mut expected = defaults();
        change(&mut expected);
        assert_eq!(settings_of(words), expected, "{words:?}");
    }
    assert_eq!(settings_of(&["--index", "a,b"]).index, ["a", "b"]);
}

#[cfg(feature = "fastcgi")]
#[test]
fn every_option_of_fastcgi_sets_its_own_setting_and_no_other() {
    type Change = fn(&mut FastcgiSettings);
    let cases: [(&[&str], Change); 6] = [
        (&["--fastcgi-connect-timeout", "1"], |s| {
            s.connect_timeout = Duration::from_secs(1)
        }),
        (&["--fastcgi-timeout", "1"], |s| {
            s.timeout = Duration::from_secs(1)
        }),
        (&["--max-backend", "4096"], |s| {
            s.max_backend = 4096;
            s.keep = 4096;
        }),
        (&["--fastcgi-keep", "0"], |s| s.keep = 0),
        (&["--fastcgi-idle", "0.5"], |s| {
            s.idle = Duration::from_millis(500)
        }),
        (&["-f", ".php=unix:a", "--fastcgi", "/b=c:1"], |s| {
            s.routes = [".php=unix:a", "/b/=c:1"]
                .map(|text| backend::fastcgi_route(text).unwrap())
                .to_vec();
        }),
    ];
    for (words, change) in cases {
        let mut expected = defaults();
        change(&mut expected.fastcgi);
        assert_eq!(settings_of(words), expected, "{words:?}");
    }
}

#[test]
fn a_wrong_value_is_told_of_the_option_it_was_written_for() {
    for option in ["--cgi-timeout", "--max-processes"] {
        let line = parse_words(&[option, "x"]).expect_err(option).to_string();
        assert!(line.starts_with(&format!("{option}: 'x' ")), "{line}");
    }
}

#[test]
fn what_an_option_follows_is_an_option_of_the_same_kind() {
    for flag in FLAGS {
        if let Fallback::Like(name) = flag.default {
            let other = FLAGS.iter().find(|other| other.long == name);
            let other = other.unwrap_or_else(|| panic!("{flag}: no --{name}"));
            assert_ne!(flag.long, name);
            assert_eq!(flag.value_name(), other.value_name(), "{flag}");
        }
    }
}

#[cfg(feature = "fastcgi")]
#[test]
fn routes_that_claim_the_same_urls_are_refused_in_whichever_order() {
    let taken = |value: &str, by: &str| {
        format!("--fastcgi: '{value}' has a ROUTE that {by}; give each ROUTE once")
    };
    let again = "is given already";
    // (two routes, the one that is refused, why)
    let cases = [
        (
            ["-f", "/x=a:1", "-f", "/x/=b:1"],
            taken("/x/=b:1", again),
            taken("/x=a:1", again),
        ),
        (
            ["-f", ".php=a:1", "-f", ".PHP=b:1"],
            taken(".PHP=b:1", again),
            taken(".php=a:1", again),
        ),
        (
            ["-f", "/x=authorizer:a:1", "-f", "/x=authorizer:b:1"],
            taken("/x=authorizer:b:1", again),
            taken("/x=authorizer:a:1", again),
        ),
        (
            ["-f", "/x=a:1", "-s", "/x=b"],
            taken("/x=a:1", "--static is given too"),
            taken("/x=a:1", "--static is given too"),
        ),
        (
            ["-f", "/x=a:1", "-c", "/x/=b"],
            taken("/x=a:1", "--cgi is given too"),
            taken("/x=a:1", "--cgi is given too"),
        ),
        (
            ["-f", ".php=exec:a", "-c", ".Php=b"],
            taken(".php=exec:a", "--cgi is given too"),
            taken(".php=exec:a", "--cgi is given too"),
        ),
    ];
    for ([one, first, other, second], line, turned) in cases {
        for (words, line) in [
            ([one, first, other, second], line),
            ([other, second, one, first], turned),
        ] {
            let error = parse_words(&words).expect_err(&line);
            assert_eq!(error.to_string(), line, "{words:?}");
        }
    }
}

#[cfg(feature = "fastcgi")]
#[test]
fn an_authorizer_shares_its_route_with_anything() {
    for words in [
        ["-f", "/x=authorizer:a:1", "-f", "/x=a:1"],
        ["-f", "/x=authorizer:a:1", "-s", "/x=b"],
        ["-f", "/x=authorizer:a:1", "-c", "/x=b"],
        ["-f", ".php=authorizer:a:1", "-c", ".php=b"],
        ["-f", "/x=a:1", "-c", ".x=b"],
        ["-f", "/x=a:1", "-s", "/x/y=b"],
    ] {
        settings_of(&words);
        let [one, first, other, second] = words;
        settings_of(&[other, second, one, first]);
    }
}

#[test]
fn a_cgi_route_is_a_prefix_or_an_extension() {
    let settings = settings_of(&["-c", "/git=/usr/lib/git", "-c", ".php=/usr/bin/php-cgi"]);
    let keys: Vec<_> = settings.cgis.into_iter().map(|route| route.key).collect();
    assert_eq!(
        keys,
        ["/git/", ".php"].map(|text| RouteKey::parse(text).unwrap())
    );
}

#[test]
fn wrong_routes_are_refused() {
    let route = "has no valid ROUTE; begin it with '/' (a URL prefix, without '//', '..', '?', '#' or \
                 '%') or with '.' (a file extension of letters, digits, '-' and '_')";
    let files = "write it as ROUTE=DIR, for example /=./www";
    check_refusals(
        "--static",
        &[
            ("/srv", &format!("has no '='; {files}")),
            ("/=", &format!("has nothing after the '='; {files}")),
            (
                ".php=x",
                &format!("has a file extension for ROUTE; {files}"),
            ),
            ("=x", route),
            ("a=x", route),
            ("/../=x", route),
        ],
    );
    let programs = "write it as ROUTE=PATH, for example /cgi-bin/=./cgi-bin";
    check_refusals(
        "--cgi",
        &[
            ("/x", &format!("has no '='; {programs}")),
            ("", &format!("has no '='; {programs}")),
            ("/x=", &format!("has nothing after the '='; {programs}")),
            ("cgi-bin=x", route),
            (".=x", route),
            ("/a%20b/=x", route),
            ("/a?b=x", route),
        ],
    );
}

#[test]
fn nothing_is_claimed_twice() {
    let cases: [(&[&str], &str); 5] = [
        (
            &["-l", "a:1", "-l", "a:1"],
            "--listen: 'a:1' is given twice; give each address once",
        ),
        (
            &["-l", "unix:s", "-l", "unix:s"],
            "--listen: 'unix:s' is given twice; give each address once",
        ),
        (
            &["-s", "/=a", "-s", "/b=c", "-s", "/b/=d"],
            "--static: '/b/=d' gives /b/ a second folder; give each ROUTE once",
        ),
        (
            &["-c", "/x=a", "-c", "/x/=b"],
            "--cgi: '/x/=b' has a ROUTE that is given already; give each ROUTE once",
        ),
        (
            &["-c", ".pl=a", "-c", ".PL=b"],
            "--cgi: '.PL=b' has a ROUTE that is given already; give each ROUTE once",
        ),
    ];
    for (words, line) in cases {
        assert_eq!(parse_words(words).expect_err(line).to_string(), line);
    }
}

#[test]
fn values_out_of_range_are_refused() {
    let cases = [
        (
            "--threads",
            ["0", "1025"],
            "is not a whole number from 1 to 1024",
        ),
        (
            "--max-processes",
            ["0", "4097"],
            "is not a whole number from 1 to 4096",
        ),
        (
            "--max-connections",
            ["0", "1000001"],
            "is not a whole number from 1 to 1000000",
        ),
        (
            "--max-header",
            ["1023", "1025K"],
            "is not a size from 1K to 1M; write bytes, or a number with K, M or G",
        ),
        (
            "--max-body",
            ["-1", "1025G"],
            "is not a size from 0 to 1024G; write bytes, or a number with K, M or G",
        ),
        (
            "--max-spool",
            ["1023K", "1025G"],
            "is not a size from 1M to 1024G; write bytes, or a number with K, M or G",
        ),
    ];
    for (option, values, problem) in cases {
        check_refusals(option, &values.map(|value| (value, problem)));
    }
    #[cfg(feature = "fastcgi")]
    {
        let problem = "is not a whole number from 1 to 4096";
        check_refusals("--max-backend", &[("0", problem), ("4097", problem)]);
        let problem = "is not a whole number from 0 to 4096";
        check_refusals("--fastcgi-keep", &[("-1", problem), ("4097", problem)]);
    }
    for name in ["header", "idle", "send", "cgi", "drain"] {
        let problem = "is not a time; write seconds above 0 and up to 604800, such as 60 or 0.5";
        check_refusals(
            &format!("--{name}-timeout"),
            &[("0", problem), ("604801", problem)],
        );
    }
}

#[test]
fn a_body_that_no_spool_can_hold_is_worth_a_warning() {
    let warning =
        "--max-body: 2G is more than --max-spool 1G, the room for all bodies together".to_owned();
    assert_eq!(settings_of(&["--max-body", "2G"]).warnings, [warning]);
    assert!(settings_of(&["--max-body", "1G"]).warnings.is_empty());
}

#[test]
fn faults_are_explained_where_nobody_else_can_connect() {
    for (words, explain) in [
        ("", Explain::Local),
        ("-l [::1]:80 -l localhost:80 -l 127.1.2.3:0", Explain::Local),
        ("-l 0.0.0.0:80", Explain::Nobody),
        ("-l 127.0.0.1:80 -l 192.0.2.1:80", Explain::Nobody),
        ("-l example.org:80", Explain::Nobody),
        ("-l unix:/run/x", Explain::Nobody),
        ("--trusted-proxy 127.0.0.1", Explain::Nobody),
        ("--trusted-proxy unix", Explain::Nobody),
        ("-l 0.0.0.0:80 --explain", Explain::Everybody),
        ("--explain", Explain::Everybody),
        ("--no-explain", Explain::Nobody),
        // Who says both wants to be careful.
        ("--no-explain --explain", Explain::Nobody),
    ] {
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(settings_of(&words).explained_to(), explain, "{words:?}");
    }
}
