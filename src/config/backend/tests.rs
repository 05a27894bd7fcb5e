use super::super::tests::{check_refusals, settings_of};
use super::*;

fn tcp(host: &str, port: u16) -> BackendAddress {
    BackendAddress::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn unix(path: &str) -> BackendAddress {
    BackendAddress::Unix(path.into())
}

/// What `backend` means after a ROUTE.
fn read(backend: &str) -> (Duty, Application) {
    let route = fastcgi_route(&format!(".php={backend}")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(route.key, RouteKey::Extension(".php".to_owned()));
    (route.duty, route.application)
}

fn exec(command: &str) -> ExecProgram {
    match read(&format!("exec:{command}")) {
        (Duty::Respond, Application::Exec(exec)) => exec,
        other => panic!("{command}: {other:?}"),
    }
}

/// Checks that each backend is refused with exactly its problem.
fn check_backends(cases: &[(&str, &str)]) {
    for (backend, problem) in cases {
        check_refusals("--fastcgi", &[(&format!("/={backend}"), *problem)]);
    }
}

#[test]
fn backends_display_as_they_are_written() {
    let cases = [
        ("127.0.0.1:9000", vec![tcp("127.0.0.1", 9000)]),
        ("app.example:1", vec![tcp("app.example", 1)]),
        ("[::1]:65535", vec![tcp("::1", 65535)]),
        (
            "unix:/run/php/php-fpm.sock",
            vec![unix("/run/php/php-fpm.sock")],
        ),
        ("unix:a=b:1", vec![unix("a=b:1")]),
        (
            "a:1,b:1,a:2,[::1]:1,unix:a:1",
            vec![
                tcp("a", 1),
                tcp("b", 1),
                tcp("a", 2),
                tcp("::1", 1),
                unix("a:1"),
            ],
        ),
    ];
    for (text, addresses) in cases {
        let displayed: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(displayed.join(","), text);
        let expected = Application::Backends(addresses);
        assert_eq!(read(text), (Duty::Respond, expected.clone()), "{text}");
        let guard = format!("authorizer:{text}");
        assert_eq!(read(&guard), (Duty::Authorize, expected), "{guard}");
    }
}

#[test]
fn wrong_backends_are_refused() {
    let address = "write it as HOST:PORT, [V6]:PORT or unix:PATH";
    let list = "write HOST:PORT, [V6]:PORT or unix:PATH, several with commas between";
    let empty = format!("has an empty address; {list}");
    let named = |word: &str, problem: &str| format!("names '{word}', which {problem}");
    check_backends(&[
        ("authorizer:", &empty),
        (",", &empty),
        ("a:1,", &empty),
        (",a:1", &empty),
        ("a:1,,b:1", &empty),
        (
            "localhost",
            &named("localhost", &format!("has no port; {address}")),
        ),
        ("9000", &named("9000", &format!("has no host; {address}"))),
        (
            "authorizer:9000",
            &named("9000", &format!("has no host; {address}")),
        ),
        (
            "a:1,:9000",
            &named(
                ":9000",
                "has no host; write 127.0.0.1:9000 or [::1]:9000 for this machine",
            ),
        ),
        (
            "a:0",
            &named("a:0", &format!("has no port from 1 to 65535; {address}")),
        ),
        (
            "a:1, b:1",
            &named(" b:1", &format!("has no valid host; {address}")),
        ),
        (
            "::1:9000",
            &named(
                "::1:9000",
                "has an IPv6 address without brackets; write it as [::1]:9000",
            ),
        ),
        ("unix:", &named("unix:", &format!("has no path; {address}"))),
        (
            "a:1,unix:s,a:1",
            "names 'a:1' twice; give each address once",
        ),
        ("a:1|processes=2", "has a '|'; only exec: takes options"),
        (
            "a:1,exec:./app",
            "has exec: in a list; give one exec: alone",
        ),
        (
            "a:1,authorizer:9000",
            "has authorizer: in a list; write it once, right after the '='",
        ),
        (
            "authorizer:authorizer:a:1",
            "has authorizer: in a list; write it once, right after the '='",
        ),
    ]);
    let long = format!("unix:/{}", "x".repeat(107));
    let problem = "has a path of more than 107 bytes; give a shorter one";
    check_backends(&[(&long, &named(&long, problem))]);
}

#[test]
fn a_list_has_a_bound() {
    let list = |count| {
        let words: Vec<_> = (1..=count).map(|port| format!("a:{port}")).collect();
        words.join(",")
    };
    let Application::Backends(addresses) = read(&list(64)).1 else {
        panic!("a list of addresses");
    };
    assert_eq!(addresses.len(), 64);
    let problem = "names more than 64 addresses; give that many at most";
    check_backends(&[(&list(65), problem)]);
}

#[test]
fn wrong_routes_are_refused() {
    let form = "write it as ROUTE=BACKEND, for example .php=unix:/run/php/php-fpm.sock or \
                /app/=127.0.0.1:9000";
    let route = "has no valid ROUTE; begin it with '/' (a URL prefix, without '//', '..', '?', '#' or \
                 '%') or with '.' (a file extension of letters, digits, '-' and '_')";
    check_refusals(
        "--fastcgi",
        &[
            ("", &format!("has no '='; {form}")),
            ("unix:/run/s", &format!("has no '='; {form}")),
            (".php=", &format!("has nothing after the '='; {form}")),
            ("php=a:1", route),
            ("/a/../b=a:1", route),
        ],
    );
}

#[test]
fn a_command_is_split_at_white_space_outside_of_quotes() {
    let cases: [(&str, &str, &[&str]); 12] = [
        ("app", "app", &[]),
        ("  ./app\t-a  -b ", "./app", &["-a", "-b"]),
        ("/usr/bin/app --x=1,2", "/usr/bin/app", &["--x=1,2"]),
        ("'./my app' 'a b'", "./my app", &["a b"]),
        ("app \"a  b\" c", "app", &["a  b", "c"]),
        ("app ''", "app", &[""]),
        ("app a\"b c\"'d e'f", "app", &["ab cd ef"]),
        ("app \"it's\" '\"'", "app", &["it's", "\""]),
        (r"app C:\x 'a\' \n", "app", &[r"C:\x", r"a\", r"\n"]),
        (
            "app $HOME * ; # & `x`",
            "app",
            &["$HOME", "*", ";", "#", "&", "`x`"],
        ),
        ("app 'a|b' \"|\"", "app", &["a|b", "|"]),
        ("app é\u{a0}ü", "app", &["é\u{a0}ü"]),
    ];
    for (command, program, arguments) in cases {
        let expected = ExecProgram {
            program: program.into(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            processes: 1..=1,
            idle: Duration::from_secs(60),
            requests: None,
            socket: ExecSocket::Unix,
        };
        assert_eq!(exec(command), expected, "{command}");
    }
    let (duty, application) = read("authorizer:exec:./guard");
    assert_eq!(duty, Duty::Authorize);
    assert_eq!(application, Application::Exec(exec("./guard")));
}

#[test]
fn options_follow_the_first_bar_outside_of_quotes() {
    type Change = fn(&mut ExecProgram);
    let cases: [(&str, Change); 12] = [
        ("processes=1", |_| {}),
        (" processes=4 ", |exec| exec.processes = 4..=4),
        ("processes=64", |exec| exec.processes = 64..=64),
        ("processes=2-8", |exec| exec.processes = 2..=8),
        ("processes=3-3", |exec| exec.processes = 3..=3),
        ("idle=0.5", |exec| exec.idle = Duration::from_millis(500)),
        ("requests=1", |exec| exec.requests = Some(1)),
        ("requests=1000000000", |exec| {
            exec.requests = Some(1_000_000_000)
        }),
        ("socket=unix", |_| {}),
        ("socket=tcp", |exec| exec.socket = ExecSocket::Tcp),
        ("requests=5,socket=tcp", |exec| {
            exec.requests = Some(5);
            exec.socket = ExecSocket::Tcp;
        }),
        ("processes=1-2 ,\tidle=3  requests=4, socket=tcp", |exec| {
            *exec = ExecProgram {
                processes: 1..=2,
                idle: Duration::from_secs(3),
                requests: Some(4),
                socket: ExecSocket::Tcp,
                ..exec.clone()
            }
        }),
    ];
    for (options, change) in cases {
        let mut expected = exec("'a|b' c");
        change(&mut expected);
        for bar in ["|", " | "] {
            let command = format!("'a|b' c{bar}{options}");
            assert_eq!(exec(&command), expected, "{command}");
        }
    }
}

#[test]
fn wrong_commands_and_options_are_refused() {
    let command = "write exec:PROGRAM ARGS, with quotes where white space is meant";
    let options = "processes=N or MIN-MAX, idle=SECS, requests=N, socket=unix|tcp";
    let no_program = format!("has no program after exec:; {command}");
    let empty = format!("has an empty option after the '|'; write {options}");
    let of = |option: &str, problem: &str| format!("has the option '{option}', which {problem}");
    check_backends(&[
        ("exec:", &no_program),
        ("exec: ", &no_program),
        ("exec:|processes=2", &no_program),
        ("exec:'' a", &no_program),
        (
            "exec:a 'b",
            &format!("has a ' that is not closed; {command}"),
        ),
        (
            "exec:a \"b'|idle=1",
            &format!("has a \" that is not closed; {command}"),
        ),
        ("exec:a|", &empty),
        ("exec:a | ", &empty),
        ("exec:a|idle=1,", &empty),
        ("exec:a|idle=1,,requests=1", &empty),
        (
            "exec:a|threads=2",
            &of("threads=2", &format!("is not known; known are {options}")),
        ),
        (
            "exec:a|Idle=2",
            &of("Idle=2", &format!("is not known; known are {options}")),
        ),
        (
            "exec:a|idle=1 idle=1",
            &format!("gives idle twice; write each option once: {options}"),
        ),
        (
            "exec:a|idle=0",
            &of(
                "idle=0",
                "is not a time; write seconds above 0 and up to 604800, such as 60 or 0.5",
            ),
        ),
        (
            "exec:a|requests=0",
            &of("requests=0", "is not a whole number from 1 to 1000000000"),
        ),
        (
            "exec:a|socket=udp",
            &of("socket=udp", "is neither socket=unix nor socket=tcp"),
        ),
        (
            "exec:a|socket=tcp|idle=1",
            &of("socket=tcp|idle=1", "is neither socket=unix nor socket=tcp"),
        ),
    ]);
    let problem = "is not a whole number from 1 to 64, nor two as MIN-MAX";
    for value in [
        "=0", "=65", "=0-1", "=1-65", "=4-2", "=2-", "=-2", "=1-2-3", "=+2", "=", "", "=two",
    ] {
        let option = format!("processes{value}");
        check_backends(&[(&format!("exec:a|{option}"), &of(&option, problem))]);
    }
}

#[test]
fn what_is_not_written_holds_for_another_option() {
    let timeout = |words: &[&str]| settings_of(words).fastcgi.timeout.as_secs();
    for (words, expected) in [
        (&[][..], 60),
        (&["--cgi-timeout", "7"], 7),
        (&["--fastcgi-timeout", "8"], 8),
        (&["--fastcgi-timeout", "8", "--cgi-timeout", "7"], 8),
    ] {
        assert_eq!(timeout(words), expected, "{words:?}");
    }
    for (words, expected) in [
        // (max-backend, keep), with 4 cores
        (&[][..], (16, 16)),
        (&["--max-processes", "3"], (3, 3)),
        (&["--max-backend", "5"], (5, 5)),
        (&["--max-processes", "3", "--max-backend", "5"], (5, 5)),
        (&["--fastcgi-keep", "0"], (16, 0)),
        (&["--max-processes", "3", "--fastcgi-keep", "9"], (3, 9)),
    ] {
        let fastcgi = settings_of(words).fastcgi;
        assert_eq!((fastcgi.max_backend, fastcgi.keep), expected, "{words:?}");
    }
}
