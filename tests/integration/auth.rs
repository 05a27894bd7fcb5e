//! Users and passwords for routes (RFC 7617): what is kept back, who gets in, and what it costs.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Server, Site, process_state, run, tollgate};

// Made with crypt(3) of libxcrypt: "open sesame" and "secret" at the least cost, "slow" at that of 8.
const SESAME: &str = "$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy";
const SECRET: &str = "$2b$04$....................../dCAsp4PpJoDgv6BeaLP6BKrXlBV1oi";
const SLOW: &str = "$2y$08$abcdefghijklmnopqrstuuDhTyj/ncqnLTTRGGvUpBz0U8HJJSJ8u";

const CHALLENGE: &str = "Basic realm=\"/private/\", charset=\"UTF-8\"";

/// The Authorization line of a user.
fn basic(user: &str, password: &str) -> String {
    let pair = STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {pair}")
}

fn joe() -> String {
    basic("joe", "open sesame")
}

/// A site with a page below /private/, and a file of users beside it.
fn site() -> Site {
    let site = Site::new();
    site.file("www/index.html", "the front\n");
    site.file("www/private/page.txt", "for joe\n");
    site.file(
        "users",
        format!("joe:{SESAME}\nann b:{SECRET}\nslow:{SLOW}\n"),
    );
    site
}

fn guarded(site: Site, routes: &[&str], arguments: &[&str]) -> Server {
    let users = site.text("users");
    let routes: Vec<String> = routes.iter().map(|it| format!("{it}={users}")).collect();
    let mut all: Vec<&str> = routes.iter().flat_map(|it| ["--auth", it]).collect();
    all.extend(arguments);
    site.serve(&all)
}

#[test]
fn a_file_is_sent_to_its_users_alone() {
    let server = guarded(site(), &["/private/"], &[]);
    assert_eq!(server.get("/").text(), "the front\n");
    let asked = server.get("/private/page.txt");
    assert_eq!(
        (asked.status, asked.field("WWW-Authenticate")),
        (401, Some(CHALLENGE))
    );
    assert_eq!(asked.field("Cache-Control"), Some("no-store"));
    server.expect_access("/private/page.txt", 401, "auth.missing");

    let sent = server.fetch("GET", "/private/page.txt", &[&joe()], b"");
    assert_eq!((sent.status, sent.text().as_str()), (200, "for joe\n"));
    assert_eq!(sent.field("WWW-Authenticate"), None);
    let line = server.wait_for_access("/private/page.txt HTTP/1.1\" 200");
    assert!(line.starts_with("127.0.0.1 - joe ["), "{line}");

    let other = server.fetch(
        "GET",
        "/private/page.txt",
        &[&basic("ann b", "secret")],
        b"",
    );
    assert_eq!(other.status, 200);
    server.wait_for_access("127.0.0.1 - ann\\x20b [");
    let wrong = server.fetch(
        "GET",
        "/private/page.txt",
        &[&basic("ann b", "open sesame")],
        b"",
    );
    assert_eq!(
        (wrong.status, wrong.field("WWW-Authenticate")),
        (401, Some(CHALLENGE))
    );
    server.expect_access("/private/page.txt", 401, "auth.wrong");
    for field in ["Authorization: Basic joe", "Authorization: Basic"] {
        let malformed = server.fetch("GET", "/private/page.txt", &[field], b"");
        assert_eq!(
            (malformed.status, malformed.field("WWW-Authenticate")),
            (401, Some(CHALLENGE))
        );
        server.expect_access("/private/page.txt", 401, "auth.malformed");
    }
    let bearer = server.fetch(
        "GET",
        "/private/page.txt",
        &["Authorization: Bearer x"],
        b"",
    );
    assert_eq!(bearer.status, 401);
}

#[test]
fn every_method_and_every_spelling_is_asked() {
    let server = guarded(site(), &["/private/"], &["--listing"]);
    for method in [
        "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PROPFIND",
    ] {
        let response = server.fetch(method, "/private/page.txt", &[], b"");
        assert_eq!(
            (response.status, response.field("WWW-Authenticate")),
            (401, Some(CHALLENGE)),
            "{method}"
        );
    }
    let head = server.fetch("HEAD", "/private/page.txt", &[&joe()], b"");
    assert_eq!(
        (head.status, head.field("Content-Length")),
        (200, Some("8"))
    );
    for target in [
        "/private",
        "/private/",
        "/private/none",
        "/private/.hidden",
        "//private///page.txt",
        "/x/../private/page.txt",
        "/%70rivate/page.txt",
        "/private/./page.txt?query",
        "/Private/page.txt",
        "/private./page.txt",
        "/private%20/page.txt",
        "http://elsewhere.test/private/page.txt",
    ] {
        assert_eq!(server.get(target).status, 401, "{target}");
    }
    // Whoever is let in learns what is there.
    for (target, status) in [
        ("/private", 301),
        ("/private/", 200),
        ("/private/none", 404),
    ] {
        let response = server.fetch("GET", target, &[&joe()], b"");
        assert_eq!(response.status, status, "{target}");
    }
    // What is next to it is not asked about.
    assert_eq!(server.get("/privateer").status, 404);
    let all = server.exchange("OPTIONS", b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(all.status, 204);
}

#[test]
fn a_program_is_told_the_user_and_never_the_password() {
    let server = guarded(site(), &["/cgi-bin/"], &["-e", "HTTP_AUTHORIZATION"]);
    assert_eq!(server.get("/cgi-bin/probe").status, 401);
    assert_eq!(server.get("/cgi-bin/none").status, 401);
    let told = server.variables("/cgi-bin/probe", &[&joe(), "Remote-User: eve"]);
    assert_eq!(told.value("AUTH_TYPE"), Some("Basic"));
    assert_eq!(told.value("REMOTE_USER"), Some("joe"));
    assert_eq!(told.value("HTTP_AUTHORIZATION"), None);

    // On a route of its own a program may verify users itself.
    let server = guarded(site(), &["/private/"], &["-e", "HTTP_AUTHORIZATION"]);
    let told = server.variables("/cgi-bin/probe", &[&joe()]);
    assert_eq!(
        (told.value("AUTH_TYPE"), told.value("REMOTE_USER")),
        (None, None)
    );
    assert!(told.value("HTTP_AUTHORIZATION").is_some());
}

#[test]
fn neither_redirects_nor_the_fallback_are_a_way_around() {
    let users = site();
    users.script(
        "cgi-bin/lead",
        "#!/bin/sh\nprintf 'Location: %s\\n\\n' \"$QUERY_STRING\"\n",
    );
    let server = guarded(users, &["/private/"], &["--fallback", "/private/page.txt"]);
    let led = "/cgi-bin/lead?/private/page.txt";
    assert_eq!(server.get(led).status, 401);
    assert_eq!(server.fetch("GET", led, &[&joe()], b"").text(), "for joe\n");
    assert_eq!(server.get("/none").status, 401);
    assert_eq!(
        server.fetch("GET", "/none", &[&joe()], b"").text(),
        "for joe\n"
    );

    // What was for the server is not for a program that the request is led to.
    let server = guarded(
        site(),
        &["/private/"],
        &["--fallback", "/cgi-bin/probe", "-e", "HTTP_AUTHORIZATION"],
    );
    assert_eq!(server.get("/private/none").status, 401);
    let told = server.variables("/private/none", &[&joe()]);
    assert_eq!(told.value("REMOTE_USER"), Some("joe"));
    assert_eq!(told.value("HTTP_AUTHORIZATION"), None);
}

#[test]
fn a_file_that_a_program_hands_over_is_the_programs_affair() {
    let server = guarded(site(), &["/private/"], &[]);
    let output = b"X-Accel-Redirect: /private/page.txt\n\n";
    let sent = server.post("/cgi-bin/probe/raw", output);
    assert_eq!((sent.status, sent.text().as_str()), (200, "for joe\n"));
}

#[cfg(feature = "fastcgi")]
#[test]
fn applications_and_authorizers_are_told_the_user_and_never_the_password() {
    use crate::support::backend::Backend;
    let doorman = Backend::start(|exchange| exchange.reply("Status: 200\n\n"));
    let application = Backend::start(|exchange| {
        exchange.read_stdin()?;
        exchange.document("the application")
    });
    let (app, guard) = (
        format!("/app/={}", application.address()),
        format!("/app/=authorizer:{}", doorman.address()),
    );
    let server = guarded(
        site(),
        &["/app/"],
        &["-f", &app, "-f", &guard, "-e", "HTTP_AUTHORIZATION"],
    );
    assert_eq!(server.get("/app/").status, 401);
    assert_eq!((doorman.count(), application.count()), (0, 0));
    let answer = server.fetch("POST", "/app/", &[&joe()], b"body");
    assert_eq!(answer.text(), "the application");
    for seen in [doorman.last(), application.last()] {
        assert_eq!(seen.param("AUTH_TYPE"), Some("Basic"));
        assert_eq!(seen.param("REMOTE_USER"), Some("joe"));
        assert_eq!(seen.param("HTTP_AUTHORIZATION"), None);
    }
}

/// The console tells when a body was whole also where it was received behind a door, and not twice.
#[cfg(feature = "console")]
#[test]
fn the_body_behind_a_door_is_a_step_of_its_request() {
    let server = guarded(site(), &["/cgi-bin/"], &["--console", "127.0.0.1:0"]);
    let sent = server.fetch("POST", "/cgi-bin/probe/copy", &[&joe()], b"a body");
    assert_eq!(sent.text(), "a body");
    let journey = crate::console::revealed(&server, "/cgi-bin/probe/copy");
    let steps = journey.matches("{\"name\":\"body\",\"at\":").count();
    assert_eq!(steps, 1, "{journey}");
}

#[test]
fn nobody_uploads_anything_without_the_password() {
    let arguments = ["--max-body", "1K", "--max-connections", "50"];
    let server = guarded(site(), &["/cgi-bin/"], &arguments);
    let head = |len: usize, fields: &str| {
        format!(
            "POST /cgi-bin/probe/copy HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\
             Expect: 100-continue\r\n{fields}\r\n"
        )
    };
    let right = format!("{}\r\n", joe());
    let wrong = format!("{}\r\n", basic("joe", "a guess"));
    for fields in ["", "Authorization: Basic x\r\n", &wrong] {
        let mut client = server.connect();
        client.send(head(4, fields));
        let turned_away = client.read_response("POST");
        assert_eq!(turned_away.status, 401, "{fields}");
        assert_eq!(turned_away.field("Connection"), Some("close"));
        client.expect_closed();
    }
    // Asked for once the password was found right, by hashing it and by remembering it.
    for _ in 0..2 {
        let mut client = server.connect();
        client.send(head(4, &right));
        client.wait_for("HTTP/1.1 100 Continue\r\n\r\n");
        client.send("body");
        assert_eq!(client.read_response("POST").status, 100);
        assert_eq!(client.read_response("POST").text(), "body");
        // The connection goes on.
        client.send(head(0, &right).replace("Expect: 100-continue\r\n", ""));
        assert_eq!(client.read_response("POST").text(), "");
    }
    // What is too long is told to who may know.
    let long = |fields: &str| {
        server
            .exchange("POST", head(2000, fields).as_bytes())
            .status
    };
    assert_eq!((long(""), long(&right)), (401, 413));
    // A client that does not wait to be asked, and one that is slow, behind a check that takes a while.
    let slow = basic("slow", "slow");
    let sent = server.fetch("POST", "/cgi-bin/probe/copy", &[&slow], b"all at once");
    assert_eq!((sent.status, sent.text().as_str()), (200, "all at once"));
    let mut client = server.connect();
    let chunked = "POST /cgi-bin/probe/copy HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n";
    let message = format!("{chunked}{}\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", joe());
    client.send_in_pieces(message, 3);
    assert_eq!(client.read_response("POST").text(), "abcde");
}

#[test]
fn a_changed_file_of_users_counts_at_once() {
    let server = guarded(site(), &["/private/"], &[]);
    let status = |line: &str| {
        server
            .fetch("GET", "/private/page.txt", &[line], b"")
            .status
    };
    assert_eq!(status(&joe()), 200);
    server.file("users", format!("ann b:{SECRET}\njoe:$apr1$x$y\n"));
    assert_eq!(status(&joe()), 401);
    assert_eq!(status(&basic("ann b", "secret")), 200);
    server.wait_for_log("line 2: user 'joe': MD5 is not taken");
    fs::remove_file(server.path("users")).unwrap();
    assert_eq!(status(&basic("ann b", "secret")), 500);
    server.expect_access("/private/page.txt", 500, "auth.file");
    server.file("users", format!("joe:{SESAME}\n"));
    assert_eq!(status(&joe()), 200);
}

#[test]
fn who_guesses_waits_and_holds_nobody_up() {
    let server = guarded(
        site(),
        &["/private/"],
        &["--threads", "1", "--max-processes", "1"],
    );
    let start = Instant::now();
    let mut guessers: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for (number, client) in guessers.iter_mut().enumerate() {
        let user = ["joe", "nobody"][number % 2];
        let line = basic(user, &number.to_string());
        client.send(format!(
            "GET /private/page.txt HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n"
        ));
    }
    // All of them wait now, or will: others do not.
    for _ in 0..20 {
        assert_eq!(server.get("/").status, 200);
        assert_eq!(server.get("/cgi-bin/probe").status, 200);
    }
    assert_eq!(
        server
            .fetch("GET", "/private/page.txt", &[&joe()], b"")
            .status,
        200
    );
    for client in &mut guessers {
        assert_eq!(client.read_response("GET").status, 401);
        // The connection goes on.
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.read_response("GET").status, 200);
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1), "{took:?}");
    // They waited side by side.
    assert!(took < Duration::from_secs(12), "{took:?}");
}

#[test]
fn a_guesser_that_leaves_is_forgotten() {
    let server = guarded(site(), &["/private/"], &[]);
    let mut client = server.connect();
    let line = basic("joe", "guess");
    client.send(format!(
        "GET /private/page.txt HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n"
    ));
    client.reset();
    server.expect_access("/private/page.txt", 499, "client.gone");
}

#[test]
fn a_kept_connection_pays_for_its_password_once() {
    let site = site();
    // Cost 10, as `tollgate passwd` has it.
    make_entry(&site, "users", "dear", "four words and more");
    let server = guarded(site, &["/private/"], &[]);
    let line = basic("dear", "four words and more");
    let request = format!("GET /private/page.txt HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n");
    let mut client = server.connect();
    let ticks = || process_state(server.pid()).unwrap().cpu_ticks;
    let before = ticks();
    for _ in 0..100 {
        client.send(&request);
        assert_eq!(client.read_response("GET").status, 200);
    }
    // A hundred hashes take 5 seconds at least.
    let spent = ticks() - before;
    assert!(spent < 200, "{spent} hundredths of a second");
}

#[test]
fn no_log_and_no_listener_ever_sees_a_password_or_the_file() {
    let mut site = site().environment("RUST_LOG", "trace");
    site.file("www/users", format!("joe:{SESAME}\n"));
    site = site.listen(&["127.0.0.1:0"]);
    let route = format!("/private/={}", site.text("www/users"));
    let server = site.serve(&["--auth", &route, "--listing", "-e", "HTTP_AUTHORIZATION"]);
    assert_eq!(server.get("/users").status, 404);
    let listing = server.get("/");
    assert!(!listing.text().contains("users"));
    let (right, wrong) = (joe(), basic("joe", "a-wrong-one"));
    for line in [&right, &wrong] {
        server.fetch("GET", "/private/page.txt", &[line], b"");
        server.fetch("GET", "/private/page.txt", &[line, line], b"");
    }
    server.wait_for_log("auth.wrong: a wrong user or password from 127.0.0.1");
    server.wait_for_access("auth.malformed");
    server.wait_for_access("auth.wrong");
    let logs = server.log() + &server.access_log();
    for secret in [
        "open sesame",
        "a-wrong-one",
        &right[21..],
        &wrong[21..],
        SESAME,
    ] {
        assert!(!logs.contains(secret), "{secret} in {logs}");
    }
}

#[test]
fn a_file_that_cannot_be_used_stops_the_start() {
    let site = site();
    site.file("old", format!("ann:{SECRET}\njoe:$apr1$salt$hash\n"));
    for (file, told) in [
        (
            "old",
            "line 2: user 'joe': MD5 is not taken, bcrypt alone is; make a new entry with: ",
        ),
        (
            "none",
            "cannot be read (No such file or directory (os error 2)); give a file of users",
        ),
    ] {
        let route = format!("/={}", site.text(file));
        let mut command = tollgate();
        command
            .args(["-l", "127.0.0.1:0", "--auth", &route])
            .arg(site.as_ref());
        let ran = run(&mut command);
        assert_eq!(ran.status.code(), Some(2));
        let line = format!("tollgate: --auth: '{}' {told}", site.text(file));
        assert!(ran.stderr.starts_with(&line), "{}", ran.stderr);
    }
}

/// Has `tollgate passwd` read a password from a pipe.
fn make_entry(site: &Site, file: &str, user: &str, password: &str) -> (i32, String, String) {
    let mut child = tollgate()
        .args(["passwd", &site.text(file), user])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(password.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn passwd_makes_and_replaces_entries() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let site = site();
    let (code, stdout, stderr) = make_entry(&site, "fresh", "joe", "first one\nnot this\n");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        format!("{}: joe now has a password\n", site.text("fresh"))
    );
    let mode = |name: &str| fs::metadata(site.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("fresh"), 0o600);

    // Whoever may read an old file may go on to, apart from strangers; and it is a new one.
    fs::set_permissions(site.path("users"), fs::Permissions::from_mode(0o644)).unwrap();
    let before = fs::metadata(site.path("users")).unwrap().ino();
    let (code, stdout, _) = make_entry(&site, "users", "joe", "second");
    assert_eq!((code, mode("users")), (0, 0o640));
    assert!(
        stdout.ends_with("users: joe has a new password\n"),
        "{stdout}"
    );
    assert_ne!(fs::metadata(site.path("users")).unwrap().ino(), before);
    let text = fs::read_to_string(site.path("users")).unwrap();
    assert!(text.starts_with("joe:$2y$10$"), "{text}");
    assert!(
        text.ends_with(&format!("\nann b:{SECRET}\nslow:{SLOW}\n")),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3);
    assert!(!site.path(".users.new").exists());

    let server = guarded(site, &["/private/"], &[]);
    let status = |password: &str| {
        let line = basic("joe", password);
        server
            .fetch("GET", "/private/page.txt", &[&line], b"")
            .status
    };
    assert_eq!((status("second"), status("open sesame")), (200, 401));
}

#[test]
fn passwd_refuses_what_would_be_no_password() {
    let site = site();
    let before = fs::read(site.path("users")).unwrap();
    let long = "x".repeat(72);
    for (password, told) in [
        ("", "the password is empty"),
        ("\n", "the password is empty"),
        (long.as_str(), "the password is longer than 71 bytes"),
        ("a\tb", "the password has a control character"),
    ] {
        let (code, stdout, stderr) = make_entry(&site, "users", "joe", password);
        assert_eq!((code, stdout.as_str()), (1, ""), "{password:?}");
        assert!(
            stderr.starts_with(&format!("tollgate: tollgate passwd: {told}")),
            "{stderr}"
        );
    }
    // One at a time.
    site.file(".users.new", "");
    let (code, _, stderr) = make_entry(&site, "users", "joe", "new");
    assert_eq!(code, 1);
    assert!(
        stderr.contains("is being changed by somebody else; if nobody is, remove "),
        "{stderr}"
    );
    assert!(site.path(".users.new").exists());
    for (arguments, told) in [
        (&["passwd"][..], "write it as tollgate passwd FILE USER"),
        (
            &["passwd", "f", "joe", "hunter2"],
            "write it as tollgate passwd FILE USER",
        ),
        (&["passwd", "f", "a:b"], "'a:b' cannot be a user"),
        (&["passwd", "f", ""], "'' cannot be a user"),
        (
            &["passwd", "--help", "x"],
            "the FILE is empty or looks like an option",
        ),
    ] {
        let ran = run(tollgate().args(arguments));
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}");
        assert!(
            ran.stderr.starts_with(&format!("tollgate: passwd: {told}")),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("hunter2"));
    }
    assert_eq!(fs::read(site.path("users")).unwrap(), before);
}

/// `tollgate passwd` at a terminal where somebody types: what it showed, what the terminal did, and how
/// it ended.
fn at_a_terminal(site: &Site, typed: &[&str]) -> (String, String, i32) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let options = || fs::OpenOptions::new().read(true).write(true).clone();
    let slave = options().open(name.to_str().unwrap()).unwrap();
    let mut master = fs::File::from(master);
    let mut child = Command::new(tollgate().get_program())
        .args(["passwd", &site.text("users"), "joe"])
        .stdin(slave.try_clone().unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut shown = Vec::new();
    for text in typed {
        let mut byte = [0];
        while !shown.ends_with(b": ") {
            assert_eq!(
                stderr.read(&mut byte).unwrap(),
                1,
                "{}",
                shown.escape_ascii()
            );
            shown.push(byte[0]);
        }
        shown.push(b'|');
        master.write_all(text.as_bytes()).unwrap();
    }
    stderr.read_to_end(&mut shown).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    let modes = tcgetattr(&slave).unwrap().local_modes;
    assert!(
        modes.contains(LocalModes::ECHO | LocalModes::ISIG),
        "{modes:?}"
    );
    // What is typed now is shown; whatever was before it, is too.
    master.write_all(b"END\n").unwrap();
    let mut echoed = Vec::new();
    let mut byte = [0];
    while !echoed.ends_with(b"END") {
        assert_eq!(master.read(&mut byte).unwrap(), 1);
        echoed.push(byte[0]);
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(shown), text(echoed), code)
}

#[test]
fn passwd_shows_nothing_of_what_is_typed() {
    let site = site();
    let both = "New password: |\nThe same again: |\n";
    let typed = at_a_terminal(&site, &["geheim!\n", "geheim!\n"]);
    assert_eq!(typed, (both.to_owned(), "END".to_owned(), 0));
    let changed = fs::read(site.path("users")).unwrap();

    let (shown, echoed, code) = at_a_terminal(&site, &["one\n", "another\n"]);
    let told = "tollgate: tollgate passwd: the two passwords differ; try again\n";
    assert_eq!(
        (shown, echoed.as_str(), code),
        (format!("{both}{told}"), "END", 1)
    );

    // Ctrl-C ends it, and leaves the terminal as it was.
    let (shown, echoed, code) = at_a_terminal(&site, &["half\u{3}"]);
    let told = "New password: |\ntollgate: tollgate passwd: interrupted\n";
    assert_eq!((shown.as_str(), echoed.as_str(), code), (told, "END", 1));
    assert_eq!(fs::read(site.path("users")).unwrap(), changed);

    let server = guarded(site, &["/private/"], &[]);
    let line = basic("joe", "geheim!");
    assert_eq!(
        server
            .fetch("GET", "/private/page.txt", &[&line], b"")
            .status,
        200
    );
}

#[test]
fn passwd_takes_no_line_without_an_end() {
    // Ctrl-D hands on what was typed so far, so that the terminal itself does not bound the line.
    let long = "x".repeat(3_000);
    let (shown, _, code) = at_a_terminal(&site(), &[&format!("{long}\u{4}{long}\n")]);
    let told = "New password: |\ntollgate: tollgate passwd: the line is longer than 4096 bytes\n";
    assert_eq!((shown.as_str(), code), (told, 1));
}

#[test]
fn entries_of_htpasswd_are_understood() {
    let Some(htpasswd) = crate::support::installed("auth", "htpasswd") else {
        return;
    };
    let site = site();
    let made =
        run(Command::new(htpasswd).args(["-bBc", "-C", "5", &site.text("users"), "joe", "pw £"]));
    assert!(made.status.success(), "{}", made.stderr);
    let server = guarded(site, &["/private/"], &[]);
    let line = basic("joe", "pw £");
    assert_eq!(
        server
            .fetch("GET", "/private/page.txt", &[&line], b"")
            .status,
        200
    );
}

#[test]
fn the_line_of_those_who_wait_for_a_check_is_served_in_full() {
    let server = guarded(site(), &["/private/"], &["--threads", "2"]);
    // Each of a user whose check takes a while, none of which is remembered before the first is done.
    let clients: Vec<_> = (0..30).map(|_| server.connect()).collect();
    let line = basic("slow", "slow");
    let asking: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            client.send(format!(
                "GET /private/page.txt HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n"
            ));
            thread::spawn(move || client.read_response("GET").status)
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.join().unwrap(), 200);
    }
}
