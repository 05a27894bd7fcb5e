//! The access log in other formats, and how much of the other log there is.

use std::process::Command;

use rustix::process::Signal;

use crate::support::{PATIENCE, Server, Site, installed, request, run};

/// A client that would end lines, quotations and values.
const HOSTILE: &str = "User-Agent: a\"b\\c\u{1f600}\u{9b}d";

fn ask(server: &Server, target: &str, fields: &[&str]) {
    server.exchange("GET", &request("GET", target, fields, b""));
}

#[test]
fn json_is_a_line_of_values_whatever_clients_send() {
    const TEST: &str = "json_is_a_line_of_values_whatever_clients_send";
    let Some(python) = installed(TEST, "python3") else {
        return;
    };
    let server = Server::start(&["--log-format", "json"]);
    ask(
        &server,
        "/cgi-bin/probe/hello?a=\"b",
        &["Referer: http://r/", HOSTILE],
    );
    ask(&server, "/nothing", &[]);
    let mut wrong = server.connect();
    wrong.send(b"GET /\xff\x01 HTTP/1.1\r\n\r\n");
    wrong.read_response("GET");
    server.wait_for_access("/hello");
    server.wait_for_access("\"status\":404");
    server.wait_for_access("\"status\":400");
    let program = "import json, sys\n\
                   for line in open(sys.argv[1], 'rb'):\n\
                   \x20   it = json.loads(line.decode())\n\
                   \x20   print(ascii([it[name] for name in 'status client user request referer reason'.split()]))\n\
                   \x20   print(ascii(it['user_agent']), type(it['seconds']), it['bytes'] >= 0, len(it['time']))\n";
    let ran = run(Command::new(python)
        .args(["-c", program])
        .arg(server.path("access.log")));
    assert!(ran.status.success(), "{}", ran.stderr);
    for line in [
        r#"[200, '127.0.0.1', None, 'GET /cgi-bin/probe/hello?a="b HTTP/1.1', 'http://r/', None]"#,
        r#"'a"b\\c\U0001f600\x9bd' <class 'float'> True 20"#,
        "[404, '127.0.0.1', None, 'GET /nothing HTTP/1.1', None, 'file.not-found']",
        "None <class 'float'> True 20",
    ] {
        assert!(
            ran.stdout.lines().any(|it| it == line),
            "{line}\n{}",
            ran.stdout
        );
    }
    assert!(ran.stdout.contains("[400, "), "{}", ran.stdout);
}

#[test]
fn a_format_of_its_own_has_apaches_directives() {
    let format = "%h|%l|%u|%m|%U|%q|%H|%s|%>s|%b|%B|%T|%{X-Word}i|%{reason}n|100%%";
    let server = Server::start(&["--log-format", format]);
    ask(&server, "/a%20b?c=d", &["X-Word: one two"]);
    ask(&server, "/a", &[]);
    let line = server.wait_for_access("|/a%20b|");
    let parts: Vec<_> = line.split('|').collect();
    let expected = [
        "127.0.0.1",
        "-",
        "-",
        "GET",
        "/a%20b",
        "?c=d",
        "HTTP/1.1",
        "404",
        "404",
    ];
    assert_eq!(parts[..9], expected);
    assert_eq!(parts[9], parts[10]);
    assert!(parts[9].parse::<u64>().unwrap() > 0);
    assert!(parts[11].parse::<u64>().is_ok());
    assert_eq!(parts[12..], ["one two", "file.not-found", "100%"]);
    let line = server.wait_for_access("|/a|");
    assert!(
        line.contains("|/a||HTTP/1.1|") && line.contains("|-|file.not-found|"),
        "{line}"
    );
}

#[test]
fn a_line_is_never_longer_than_a_pipe_takes_as_one() {
    let format = "%{X-Long}i ".repeat(30) + "end";
    let server = Server::start(&["--log-format", &format]);
    let long = format!("X-Long: {}", "x".repeat(700));
    ask(&server, "/", &[&long]);
    let line = server.wait_for_access("xxx");
    assert_eq!(line.len() + "\n".len(), 4_095);
    assert!(line.ends_with("xxx..."), "{line}");
}

#[test]
fn the_log_is_as_long_as_was_asked_for() {
    let said = |options: &[&str], variable: Option<&str>| {
        let mut site = Site::new();
        if let Some(value) = variable {
            site = site.environment("RUST_LOG", value);
        }
        site.script("cgi-bin/fails", "#!/bin/sh\necho a warning >&2\n");
        let mut server = site.serve(&[options, &["--drain-timeout", "0.05"]].concat());
        server.get("/cgi-bin/fails");
        // A connection that is open still when the time is up is a line of level info.
        let mut busy = server.connect();
        let target = format!("/cgi-bin/probe/gate?file={}", server.text("gate"));
        busy.send(request("GET", &target, &[], b""));
        busy.wait_for("first");
        server.signal(Signal::TERM);
        assert!(server.wait(PATIENCE).is_some());
        let log = server.log();
        [" INFO ", " WARN ", " ERROR "].map(|level| log.contains(level))
    };
    assert_eq!(said(&[], None), [true, true, true]);
    assert_eq!(said(&["-q"], None), [false, true, true]);
    assert_eq!(said(&["-v"], None), [true, true, true]);
    // By module; and what is said on the command line counts more.
    assert_eq!(said(&[], Some("error")), [false, false, true]);
    assert_eq!(
        said(&[], Some("info,tollgate::handler=error")),
        [true, false, true]
    );
    assert_eq!(said(&["-v"], Some("error")), [true, true, true]);
}

#[test]
fn the_journal_is_told_how_grave_a_line_is() {
    let site = Site::new();
    site.script("cgi-bin/fails", "#!/bin/sh\necho a warning >&2\n");
    let journal = "JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); export JOURNAL_STREAM";
    let server = site.after(journal).serve(&[]);
    server.get("/cgi-bin/fails");
    let warning = server.wait_for_log("/cgi-bin/fails: a warning");
    assert!(warning.starts_with("<4>"), "{warning}");
    let error = server.wait_for_log("cgi.no-output");
    assert!(
        error.starts_with("<3>") && !error.contains('\u{1b}'),
        "{error}"
    );
}
