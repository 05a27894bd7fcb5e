//! Authorizers (FastCGI 1.0 section 6.3): what they are asked, what they let through, and that nothing
//! gets past one that is broken.

use crate::support::backend::records::{AUTHORIZER, OVERLOADED, RESPONDER, end_request};
use crate::support::backend::{Backend, Exchange, Nowhere, Scripted, Then};
use crate::support::{Ended, Server, Site, request};

/// Lets through what has the cookie, with a variable, and asks for a password otherwise.
fn doorman(exchange: &mut Exchange) -> Scripted {
    match exchange.param("HTTP_COOKIE") {
        "let=me-in" => exchange.reply(
            "Status: 200\nVariable-FOO: bar\nVariable-REMOTE_USER: joe\nX-Ignored: 1\n\nignored",
        ),
        _ => exchange.reply(
            "Status: 401 Who Is It\nContent-Type: text/x-y\nWWW-Authenticate: Basic realm=\"r\"\n\
             Variable-FOO: bar\n\nwho are you?\n",
        ),
    }
}

const COOKIE: &str = "Cookie: let=me-in";

/// A server with `/private/page.txt`, the probe and an application, all guarded by `address`.
fn guarded(address: &str, application: &Backend, arguments: &[&str]) -> Server {
    let site = Site::new();
    site.file("www/private/page.txt", "a secret\n");
    let application = format!("/app/={}", application.address());
    let mut all = vec!["--fastcgi", &application];
    let guards = ["/private/", "/cgi-bin/", "/app/"];
    let guards = guards.map(|route| format!("{route}=authorizer:{address}"));
    all.extend(guards.iter().flat_map(|guard| ["--fastcgi", guard]));
    all.extend(arguments);
    site.serve(&all)
}

fn application() -> Backend {
    Backend::start(|exchange| {
        exchange.read_stdin()?;
        let words = ["FOO", "REMOTE_USER", "HTTP_X_IGNORED"].map(|name| exchange.param(name));
        let text = words.join(",");
        exchange.document([text.as_bytes(), b",", &exchange.seen.stdin].concat())
    })
}

#[test]
fn what_is_let_through_is_answered_by_the_routes_own() {
    let (doorman, application) = (Backend::start(doorman), application());
    let server = guarded(doorman.address(), &application, &[]);
    let get = |target: &str| server.fetch("GET", target, &[COOKIE], b"");

    let file = get("/private/page.txt");
    assert_eq!((file.status, file.text().as_str()), (200, "a secret\n"));
    assert_eq!(file.field("X-Ignored"), None);
    let missing = get("/private/none.txt");
    assert_eq!(missing.status, 404);

    let variables = server.variables("/cgi-bin/probe", &[COOKIE]);
    assert_eq!(variables.value("FOO"), Some("bar"));
    assert_eq!(variables.value("REMOTE_USER"), Some("joe"));

    assert_eq!(get("/app/").text(), "bar,joe,,");
    let post = server.fetch("POST", "/app/", &[COOKIE], b"body");
    assert_eq!(post.text(), "bar,joe,,body");
    let roles = [doorman.last().role, application.last().role];
    assert_eq!(roles, [AUTHORIZER, RESPONDER]);
}

#[test]
fn neither_the_fallback_nor_a_missing_program_is_a_way_around_an_authorizer() {
    let (doorman, application) = (Backend::start(doorman), application());
    // No route leads to /nowhere/; the fallback would stand in for it.
    let (guard, route) = (
        format!("/nowhere/=authorizer:{}", doorman.address()),
        format!("/app/={}", application.address()),
    );
    let site = Site::new();
    site.file("www/index.html", "the front");
    let www = format!("/docs/={}", site.path("www").display());
    let rest = ["-s", &www, "--fallback", "/app/"];
    let server = site.serve(&[&["-f", &guard, "-f", &route], &rest[..]].concat());
    assert_eq!(server.get("/elsewhere").text(), ",,,");
    assert_eq!(server.get("/nowhere/x").status, 401);
    assert_eq!(server.get("/nowhere").status, 401);
    // Whoever is let through is answered by the fallback, which is told what the authorizer said.
    let told = server.fetch("GET", "/nowhere/x", &[COOKIE], b"").text();
    assert_eq!(told, "bar,joe,,");

    let server = guarded(doorman.address(), &application, &[]);
    assert_eq!(server.get("/cgi-bin/missing").status, 401);
    assert_eq!(
        server
            .fetch("GET", "/cgi-bin/missing", &[COOKIE], b"")
            .status,
        404
    );
}

#[test]
fn an_authorizer_is_asked_without_what_a_script_is_told() {
    let (doorman, application) = (Backend::start(doorman), application());
    let server = guarded(doorman.address(), &application, &[]);
    let fields = [COOKIE, "Content-Type: text/x"];
    server.fetch("POST", "/app/x/y?q", &fields, &[b'x'; 100_000]);
    let seen = doorman.last();
    for name in [
        "CONTENT_LENGTH",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "SCRIPT_NAME",
    ] {
        assert_eq!(seen.param(name), None, "{name}");
    }
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTP_COOKIE", "let=me-in"),
        ("QUERY_STRING", "q"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/app/x/y?q"),
    ] {
        assert_eq!(seen.param(name), Some(value), "{name}");
    }
    // Its standard input is empty: the body is for the other.
    assert!(seen.stdin.is_empty());
    assert_eq!(application.last().stdin.len(), 100_000);
}

#[test]
fn what_is_turned_away_gets_the_authorizers_answer_and_nothing_runs() {
    let (doorman, application) = (Backend::start(doorman), application());
    let server = guarded(doorman.address(), &application, &[]);
    let mut client = server.connect();
    for target in [
        "/private/page.txt",
        "/cgi-bin/probe",
        "/app/",
        "/private/none",
    ] {
        for (method, sent) in [("GET", ""), ("POST", "body"), ("HEAD", "")] {
            client.send(request(method, target, &[], sent.as_bytes()));
            let response = client.read_response(method);
            let status = (response.status, response.phrase.as_str());
            assert_eq!(status, (401, "Who Is It"), "{method} {target}");
            let challenge = response.field("WWW-Authenticate");
            assert_eq!(challenge, Some("Basic realm=\"r\""));
            assert_eq!(response.field("Variable-FOO"), None);
            let body = if method == "HEAD" {
                ""
            } else {
                "who are you?\n"
            };
            assert_eq!(response.text(), body, "{method} {target}");
        }
    }
    assert_eq!(application.count(), 0);
}

#[test]
fn no_spelling_of_a_path_gets_past() {
    let (doorman, application) = (Backend::start(doorman), application());
    let server = guarded(doorman.address(), &application, &[]);
    for target in [
        "/private/./page.txt",
        "//private/page.txt",
        "/private//page.txt",
        "/x/../private/page.txt",
        "/%70rivate/page.txt",
        "/private/%70age.txt",
        "/private/../private/page.txt?x",
        "http://tollgate.test/private/page.txt",
        // Where the folder lies on a file system that takes these for the same name.
        "/Private/page.txt",
        "/PRIVATE./page.txt",
        "/private%20/page.txt",
    ] {
        let response = server.get(target);
        assert_eq!(response.status, 401, "{target}: {response:?}");
    }
}

#[test]
fn what_is_not_guarded_is_not_asked_about() {
    let (doorman, application) = (Backend::start(doorman), application());
    let server = guarded(doorman.address(), &application, &[]);
    server.file("www/page.txt", "a page\n");
    assert_eq!(server.get("/page.txt").text(), "a page\n");
    assert_eq!(doorman.count(), 0);
}

#[test]
fn a_redirect_into_what_is_guarded_is_asked_about() {
    let doorman = Backend::start(doorman);
    let guard = format!("/private/=authorizer:{}", doorman.address());
    let site = Site::new();
    site.file("www/private/page.txt", "a secret\n");
    let server = site.serve(&["--fastcgi", &guard]);
    let target = "/cgi-bin/probe/redirect?to=/private/page.txt";
    assert_eq!(server.get(target).status, 401);
    let response = server.fetch("GET", target, &[COOKIE], b"");
    assert_eq!(response.text(), "a secret\n");
}

#[test]
fn a_request_cannot_bring_variables_of_the_authorizer() {
    let (doorman, application) = (Backend::start(doorman), application());
    let server = guarded(doorman.address(), &application, &[]);
    let fields = [
        COOKIE,
        "Variable-FOO: evil",
        "Foo: evil",
        "Remote-User: evil",
    ];
    let response = server.fetch("GET", "/app/", &fields, b"");
    assert_eq!(response.text(), "bar,joe,,");
}

#[test]
fn an_authorizer_that_leads_elsewhere_lets_nobody_through() {
    let application = application();
    for header in [
        "Location: /login.txt\n",
        "X-Accel-Redirect: /login.txt\n",
        "Status: 200\nVariable-FOO: bar\nX-Accel-Redirect: /login.txt\n",
    ] {
        let answer = format!("{header}\n");
        let guard = Backend::start(move |exchange| exchange.reply(&answer));
        let server = guarded(guard.address(), &application, &[]);
        server.file("www/login.txt", "who are you?\n");
        for target in ["/private/page.txt", "/cgi-bin/probe", "/app/"] {
            for (method, sent) in [("GET", ""), ("POST", "body")] {
                let response = server.fetch(method, target, &[], sent.as_bytes());
                assert_eq!(
                    response.text(),
                    "who are you?\n",
                    "{header}: {method} {target}"
                );
            }
        }
    }
    assert_eq!(application.count(), 0);
}

#[test]
fn an_authorizer_whose_status_is_not_zero_is_logged() {
    let guard = Backend::start(|exchange| {
        exchange.read_stdin()?;
        exchange.out("Status: 200\n\n")?;
        exchange.end_with(3, 0)
    });
    let server = guarded(guard.address(), &application(), &[]);
    assert_eq!(server.get("/private/page.txt").text(), "a secret\n");
    let log = server.wait_for_log("fastcgi.status");
    assert!(log.contains("status 3"), "{log}");
}

#[test]
fn nothing_gets_past_an_authorizer_that_is_broken() {
    type Case = (&'static str, fn(&mut Exchange) -> Scripted);
    const CASES: &[Case] = &[
        ("closes", |exchange| {
            exchange.read_stdin()?;
            Ok(Then::Close)
        }),
        ("no end", |exchange| {
            exchange.read_stdin()?;
            exchange.out("Status: 200\n\n")?;
            Ok(Then::Close)
        }),
        ("garbage", |exchange| {
            exchange.read_stdin()?;
            exchange.raw([0xa5; 100])?;
            Ok(Then::Close)
        }),
        ("garbage after 200", |exchange| {
            exchange.read_stdin()?;
            exchange.out("Status: 200\n\n")?;
            exchange.raw([0xa5; 100])?;
            Ok(Then::Close)
        }),
        ("another's end", |exchange| {
            exchange.read_stdin()?;
            exchange.out("Status: 200\n\n")?;
            exchange.raw(end_request(exchange.id + 1, 0, 0))?;
            Ok(Then::Close)
        }),
        ("nothing", |exchange| exchange.reply("")),
        ("no header", |exchange| exchange.reply("come in\n")),
        ("header cut", |exchange| exchange.reply("Status: 200\n")),
        ("no status", |exchange| exchange.reply("Status: 20\n\n")),
        ("overloaded", |exchange| exchange.end_with(0, OVERLOADED)),
        ("silent", |exchange| exchange.wait_until_closed()),
        ("silent after 200", |exchange| {
            exchange.out("Status: 200\n\n")?;
            exchange.wait_until_closed()
        }),
    ];
    let application = application();
    for (name, script) in CASES {
        let broken = Backend::start(script);
        let server = guarded(
            broken.address(),
            &application,
            &["--fastcgi-timeout", "0.3"],
        );
        for target in ["/private/page.txt", "/cgi-bin/probe", "/app/"] {
            let response = server.get(target);
            let refused = matches!(response.status, 502..=504);
            assert!(refused, "{name}, {target}: {response:?}");
            assert_eq!(response.ended, Ended::Clean, "{name}, {target}");
        }
    }
    assert_eq!(application.count(), 0);
}

#[test]
fn nothing_gets_past_an_authorizer_that_is_down() {
    let (nowhere, application) = (Nowhere::refusing(), application());
    let server = guarded(nowhere.address(), &application, &[]);
    for _ in 0..3 {
        for target in ["/private/page.txt", "/cgi-bin/probe", "/app/"] {
            let status = server.get(target).status;
            assert!(matches!(status, 502 | 503), "{target}: {status}");
        }
    }
    assert_eq!(application.count(), 0);
}
