//! FastCGI programs of all kinds, unchanged: on libfcgi, in C and in Perl; a WSGI application on
//! uWSGI; and this repository's own. A test whose program is not installed says so and is skipped,
//! except with `CI=true`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{
    Application, PATIENCE, Site, eventually, example, installed, not_installed, request, run,
};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Compiles examples/hello-fcgi.c into the site.
fn compiled_hello(test: &str, site: &Site) -> Option<PathBuf> {
    let compiler = installed(test, "cc")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello-fcgi.c");
    let program = site.path("hello-fcgi");
    let mut command = Command::new(compiler);
    command.arg("-o").arg(&program).arg(source).arg("-lfcgi");
    let ran = run(&mut command);
    if ran.stderr.contains("fcgi_stdio.h: No such file") {
        not_installed(test, "libfcgi-dev");
        return None;
    }
    assert!(ran.status.success(), "{ran:?}");
    Some(program)
}

#[test]
fn libfcgi_programs_answer() {
    let site = Site::new();
    let Some(program) = compiled_hello("libfcgi_programs_answer", &site) else {
        return;
    };
    let application = Application::start(&program, 2);
    let reached = format!("/reached={}", application.address());
    let started = format!("/started=exec:{}", program.display());
    let server = site.serve(&["-f", &reached, "-f", &started]);
    for number in 1..=5 {
        let response = server.get("/started");
        assert_eq!(
            response.text(),
            format!("hello {number}\n"),
            "{}",
            server.log()
        );
        assert_eq!(response.field("Content-Type"), Some("text/plain"));
        assert!(server.get("/reached").text().starts_with("hello "));
    }
}

#[test]
fn a_perl_program_answers() {
    const TEST: &str = "a_perl_program_answers";
    let Some(perl) = installed(TEST, "perl") else {
        return;
    };
    if !run(Command::new(&perl).args(["-MFCGI", "-e", "1"]))
        .status
        .success()
    {
        return not_installed(TEST, "Perl's FCGI module");
    }
    let site = Site::new();
    let program = site.script(
        "application",
        format!(
            "#!{}\nuse FCGI;\nmy ($count, $request) = (0, FCGI::Request());\n\
             while ($request->Accept() >= 0) {{\n\
             $count++; my $body = ''; read(STDIN, $body, $ENV{{CONTENT_LENGTH}} || 0);\n\
             print STDERR \"seen $count\\n\";\n\
             print \"Content-Type: text/plain\\r\\nX-Count: $count\\r\\n\\r\\n\";\n\
             print join('|', $ENV{{REQUEST_METHOD}}, $ENV{{PATH_INFO}}, $ENV{{QUERY_STRING}}, length $body, $body), \"\\n\";\n\
             }}\n",
            perl.display()
        ),
    );
    let server = site.serve(&["-f", &format!("/app/=exec:{}", program.display())]);
    let got = server.get("/app/some/path?a=b");
    assert_eq!(got.text(), "GET|/some/path|a=b|0|\n", "{}", server.log());
    let posted = server.post("/app/", b"a body");
    assert_eq!(posted.text(), "POST|/||6|a body\n");
    assert_eq!(posted.field("X-Count"), Some("2"));
    server.wait_for_log("seen 2");
    let body = "b".repeat(300_000);
    let long = server.post("/app/", body.as_bytes()).text();
    assert_eq!(long, format!("POST|/||300000|{body}\n"));
}

#[test]
fn a_uwsgi_application_answers() {
    const TEST: &str = "a_uwsgi_application_answers";
    let Some(uwsgi) = installed(TEST, "uwsgi_python3") else {
        return;
    };
    let site = Site::new();
    let application = site.file(
        "application.py",
        "def application(environ, start_response):\n\
         \x20   body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))\n\
         \x20   start_response('202 Taken', [('Content-Type', 'text/plain'), ('X-App', 'wsgi')])\n\
         \x20   return [environ['PATH_INFO'].encode(), b'|', body]\n",
    );
    let command = format!(
        "{} --fastcgi-socket fd://0 --die-on-term --disable-logging --wsgi-file {}",
        uwsgi.display(),
        application.display()
    );
    let server = site.serve(&["-f", &format!("/app/=exec:{command}")]);
    for number in 1..=5 {
        let body = format!("body {number}");
        let response = server.post("/app/some/path", body.as_bytes());
        let phrase = response.phrase.as_str();
        assert_eq!(
            (response.status, phrase),
            (202, "Taken"),
            "{}",
            server.log()
        );
        assert_eq!(response.field("X-App"), Some("wsgi"));
        assert_eq!(response.text(), format!("/some/path|{body}"));
    }
}

#[test]
fn the_program_of_the_toll_answers_in_both_ways() {
    if installed("the_program_of_the_toll_answers_in_both_ways", "python3").is_none() {
        return;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("cgi-bin/toll.py");
    let (cgi, fastcgi) = (
        format!("/cgi={}", program.display()),
        format!("/fastcgi=exec:{}", program.display()),
    );
    let server = Site::new().serve(&["-c", &cgi, "-f", &fastcgi]);
    for number in 1..=3 {
        for (target, how, answered) in [("/cgi", "CGI", 1), ("/fastcgi", "FastCGI", number)] {
            let page = server.get(&format!("{target}?from=2&to=5")).text();
            assert!(page.contains("The fare is 1.00"), "{page}");
            assert!(
                page.contains(&format!("run as <strong>{how}</strong>")),
                "{page}"
            );
            let count = format!("request number <strong>{answered}</strong>");
            assert!(page.contains(&count), "{page}");
        }
    }
    assert_eq!(server.get("/fastcgi?from=2&to=none").status, 404);
    assert_eq!(server.get("/cgi?from=999").status, 404);
}

#[test]
fn the_visitor_is_both_a_cgi_and_a_fastcgi_program() {
    let site = Site::new();
    let visitor = example("visitor");
    let (cgi, fastcgi) = (
        format!("/cgi={}", visitor.display()),
        format!("/fastcgi=exec:{}", visitor.display()),
    );
    let server = site.serve(&["-c", &cgi, "-f", &fastcgi, "--max-body", "4M"]);
    let mut processes = BTreeSet::new();
    for number in 1..=5 {
        let page = server.get("/cgi/a?b").text();
        assert!(page.starts_with("You are visitor 1 of process "), "{page}");
        let page = server.get("/fastcgi/a?b").text();
        let process = page.lines().next().unwrap().split_once(" of ").unwrap();
        assert_eq!(process.0, format!("You are visitor {number}"));
        processes.insert(process.1.to_string());
        for shown in ["PATH_INFO        /a\n", "QUERY_STRING     b\n"] {
            assert!(page.contains(shown), "{page}");
        }
    }
    assert_eq!(processes.len(), 1);
    for target in ["/cgi", "/fastcgi"] {
        let page = server
            .fetch("POST", target, &[FORM], &[b'f'; 200_000])
            .text();
        assert!(
            page.contains("has 200000 bytes, and I have read 200000"),
            "{page}"
        );
        let long = server.fetch("POST", target, &[FORM], &[b'f'; 2_000_000]);
        assert_eq!(long.status, 413, "{target}");
    }
}

#[test]
fn a_backend_that_dies_under_load_costs_no_request() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 10_000;
    let visitor = example("visitor");
    let mut doomed = Application::start(&visitor, CLIENTS);
    let other = Application::start(&visitor, CLIENTS);
    let route = format!("/visitor={},{}", doomed.address(), other.address());
    let server = Site::new().serve(&["-f", &route]);

    let answered = AtomicUsize::new(0);
    let pages: Vec<Vec<String>> = thread::scope(|scope| {
        let ask = || {
            let mut client = server.connect();
            let mut pages = Vec::new();
            for _ in 0..REQUESTS / CLIENTS {
                client.send(request("GET", "/visitor", &[], b""));
                let response = client.read_response("GET");
                pages.push(format!("{} {}", response.status, response.text()));
                answered.fetch_add(1, Ordering::Relaxed);
            }
            pages
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        assert!(eventually(PATIENCE, || answered.load(Ordering::Relaxed) > REQUESTS / 4));
        doomed.kill();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });

    let pages: Vec<String> = pages.into_iter().flatten().collect();
    assert_eq!(pages.len(), REQUESTS);
    let failed: Vec<&String> = pages
        .iter()
        .filter(|page| !page.starts_with("200 You are"))
        .collect();
    assert!(
        failed.is_empty(),
        "{} failed: {:?}\n{}",
        failed.len(),
        failed[0],
        server.log()
    );
}
