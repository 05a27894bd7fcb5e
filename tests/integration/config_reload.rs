//! SIGHUP: the configuration is read again, and nobody is dropped for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::support::{Client, PATIENCE, Server, Site, eventually, request};

pub(crate) const DONE: &str = "--config: read again";
const REFUSED: &str = "--config: nothing was changed";

/// A site with folders `one` and `two`, each with a page, and the probe. In a configuration `{}` stands for its
/// folder.
pub(crate) fn site() -> Site {
    let site = Site::new();
    for name in ["one", "two"] {
        site.file(&format!("{name}/page.txt"), format!("page of {name}\n"));
    }
    site
}

pub(crate) fn configure(folder: &crate::support::Folder, text: &str) {
    let text = text.replace("{}", folder.text("").trim_end_matches('/'));
    // As an editor does it: another file in its place.
    folder.file("tollgate.new", text);
    std::fs::rename(folder.path("tollgate.new"), folder.path("tollgate.conf")).unwrap();
}

fn serve(text: &str) -> Server {
    let site = site();
    configure(&site, text);
    site.serve_file("tollgate.conf", &[])
}

fn count(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

/// Has the configuration read, and waits for what is said of it.
#[track_caller]
pub(crate) fn reread(server: &Server, text: &str, expected: &str) {
    configure(server, text);
    let before = count(&server.log(), expected);
    server.signal(Signal::HUP);
    let told = eventually(PATIENCE, || count(&server.log(), expected) > before);
    assert!(told, "{expected} did not come: {}", server.log());
}

const ONE: &str = "listen 127.0.0.1:0\nroot {}\nstatic /={}/one\naccess-log {}/access.log\n";
const TWO: &str = "listen 127.0.0.1:0\nroot {}\nstatic /={}/two\naccess-log {}/access.log\n";

#[test]
fn clients_that_ask_on_and_on_notice_nothing_but_the_new_pages() {
    const CLIENTS: usize = 4;
    const READINGS: usize = 12;
    let server = serve(ONE);
    let address = server.addresses()[0].to_string();
    let is_over = AtomicBool::new(false);
    let answers = [AtomicUsize::new(0), AtomicUsize::new(0)];
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (address, is_over, answers) = (&address, &is_over, &answers);
                scope.spawn(move || {
                    let target = ["/page.txt", "/cgi-bin/probe/env"][number % 2];
                    let mut client = Client::connect(address);
                    while !is_over.load(Ordering::SeqCst) {
                        // One connection for all of it: one that is closed fails the test.
                        client.send(request("GET", target, &[], b""));
                        let response = client.read_response("GET");
                        assert_eq!(response.status, 200, "{}", response.text());
                        assert_eq!(response.field("Connection"), None);
                        match response.text().as_str() {
                            "page of one\n" => answers[0].fetch_add(1, Ordering::SeqCst),
                            "page of two\n" => answers[1].fetch_add(1, Ordering::SeqCst),
                            text => {
                                assert!(text.contains("REQUEST_METHOD=GET"), "{text}");
                                0
                            }
                        };
                    }
                })
            })
            .collect();
        for reading in 0..READINGS {
            let which = (reading + 1) % 2;
            reread(&server, [ONE, TWO][which], DONE);
            let before = answers[which].load(Ordering::SeqCst);
            let comes = || answers[which].load(Ordering::SeqCst) > before + 3;
            let ended = || clients.iter().any(|client| client.is_finished());
            assert!(
                eventually(PATIENCE, || comes() || ended()),
                "{}",
                server.log()
            );
        }
        is_over.store(true, Ordering::SeqCst);
    });
    // Every answer has its line.
    let log = server.access_log();
    assert!(log.lines().all(|line| line.contains("\" 200 ")), "{log}");
}

#[test]
fn a_bad_file_changes_nothing_and_says_so() {
    let server = serve(ONE);
    let mut client = server.connect();
    let file = server.text("tollgate.conf");
    let bad = [
        (
            "lisen a:1\n",
            format!("{file}:1: 'lisen' is no option; did you mean listen?"),
        ),
        (
            "listen 127.0.0.1:0\nstatic /={}/two\nstatic /x/={}/none\n",
            format!(
                "{file}:3: static: '{}' cannot be opened",
                server.text("none")
            ),
        ),
        (
            "listen 127.0.0.1:0\nlisten unix:{}/none/socket\nstatic /={}/two\n",
            format!(
                "{file}:2: listen: 'unix:{}' cannot be",
                server.text("none/socket")
            ),
        ),
        (
            "static /={}/two\naccess-log {}/none/log\n",
            format!(
                "{file}:2: access-log: '{}' cannot be",
                server.text("none/log")
            ),
        ),
        (
            "[site a]\nstatic /={}/two\n[site b]\nthreads 3\n",
            format!("{file}:4: threads: is for the whole server"),
        ),
    ];
    for (text, line) in bad {
        reread(&server, text, REFUSED);
        server.wait_for_log(&line);
        client.send(request("GET", "/page.txt", &[], b""));
        assert_eq!(
            client.read_response("GET").text(),
            "page of one\n",
            "{text}"
        );
        assert_eq!(server.get("/page.txt").text(), "page of one\n", "{text}");
    }
    std::fs::remove_file(server.path("tollgate.conf")).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("cannot be read");
    // And then a good one.
    reread(&server, TWO, DONE);
    client.send(request("GET", "/page.txt", &[], b""));
    assert_eq!(client.read_response("GET").text(), "page of two\n");
}

#[test]
fn a_request_ends_at_the_site_that_it_began_at() {
    let with = |more: &str| format!("{ONE}{more}");
    let server = serve(&with("env COLOUR=red\ncgi /run/={}/cgi-bin\n"));
    // One that runs, one whose body is still coming, one whose head is.
    let mut running = server.connect();
    let target = format!("/run/probe/gate?file={}", server.text("gate"));
    running.send(request("GET", &target, &[], b""));
    running.wait_for("first");
    let mut sending = server.connect();
    sending.send("POST /run/probe/env HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(sending.read_response("POST").status, 100);
    let mut beginning = server.connect();
    beginning.send("GET /run/probe/env HTTP/1.1\r\nHost: a\r\n");

    reread(
        &server,
        &with("env COLOUR=blue\ncgi /other/={}/cgi-bin\n"),
        DONE,
    );
    sending.send("body");
    let text = sending.read_response("POST").text();
    assert!(text.contains("COLOUR=red"), "{text}");
    server.file("gate", "");
    assert!(running.read_response("GET").text().ends_with("second\n"));
    // A request has begun when its head is whole.
    beginning.send("\r\n");
    assert_eq!(beginning.read_response("GET").status, 404);
    let text = server.get("/other/probe/env").text();
    assert!(text.contains("COLOUR=blue"), "{text}");
    // And on a connection that was there before.
    running.send(request("GET", "/other/probe/env", &[], b""));
    assert!(running.read_response("GET").text().contains("COLOUR=blue"));
}

#[test]
fn sites_come_and_go() {
    let server = serve(ONE);
    let two = "listen 127.0.0.1:0\nunknown-host refuse\n[site tollgate.test]\nstatic /={}/one\n\
               [site two.test]\nstatic /={}/two\n";
    let to_two = b"GET /page.txt HTTP/1.1\r\nHost: two.test\r\n\r\n";
    assert_eq!(server.exchange("GET", to_two).text(), "page of one\n");
    reread(&server, two, DONE);
    assert_eq!(server.exchange("GET", to_two).text(), "page of two\n");
    assert_eq!(server.get("/page.txt").text(), "page of one\n");
    let to_three = b"GET /page.txt HTTP/1.1\r\nHost: three.test\r\n\r\n";
    assert_eq!(server.exchange("GET", to_three).status, 421);
    reread(&server, ONE, DONE);
    assert_eq!(server.exchange("GET", to_three).text(), "page of one\n");
}

#[test]
fn listeners_that_stay_stay_and_others_come_and_go() {
    let listening = |name: &str| format!("{ONE}listen unix:{{}}/{name}\n");
    let server = serve(&listening("first"));
    let [tcp, first] = server.addresses()[..] else {
        panic!("{}", server.announced());
    };
    let (mut kept, mut of_first) = (Client::connect(tcp), Client::connect(first));
    let ask = |client: &mut Client| {
        client.send(request("GET", "/page.txt", &[], b""));
        client.read_response("GET").text()
    };
    assert_eq!(
        (ask(&mut kept), ask(&mut of_first)),
        ("page of one\n".into(), "page of one\n".into())
    );
    reread(&server, &listening("second"), DONE);
    // Connections are no listeners: also those of one that is gone go on.
    assert_eq!(
        (ask(&mut kept), ask(&mut of_first)),
        ("page of one\n".into(), "page of one\n".into())
    );
    assert_eq!(ask(&mut Client::connect(tcp)), "page of one\n");
    let second = format!("unix:{}", server.text("second"));
    assert_eq!(ask(&mut Client::connect(&second)), "page of one\n");
    assert!(Client::try_connect(first).is_err());
    assert!(!server.path("first").exists(), "the socket was not removed");
    let line = server.wait_for_log(DONE);
    assert!(
        line.contains(tcp) && line.contains(&second) && !line.contains("first"),
        "{line}"
    );
}

#[test]
fn what_holds_until_a_restart_is_named() {
    let server = serve(&format!("{ONE}threads 2\nmax-connections 50\n"));
    reread(
        &server,
        &format!("{TWO}threads 3\nmax-connections 50\nnice 3\n"),
        DONE,
    );
    for option in ["threads", "nice"] {
        server.wait_for_log(&format!(
            "--{option}: is another one now, which counts after a restart"
        ));
    }
    assert!(
        !server.log().contains("--max-connections:"),
        "{}",
        server.log()
    );
    assert_eq!(server.get("/page.txt").text(), "page of two\n");
}

#[cfg(feature = "sandbox")]
#[test]
fn a_sandbox_has_what_it_was_made_with() {
    let above = "sandbox\nallow-read {}/one\n";
    let scratch = site();
    std::fs::create_dir(scratch.path("tmp")).unwrap();
    configure(&scratch, &format!("{above}{ONE}"));
    let tmp = scratch.text("tmp");
    let server = scratch
        .environment("TMPDIR", &tmp)
        .serve_file("tollgate.conf", &[]);
    assert_eq!(server.get("/page.txt").text(), "page of one\n");
    // Another folder was permitted to nobody; another option of what is served is no other folder.
    reread(&server, &format!("{above}{TWO}"), REFUSED);
    let line = format!(
        "--sandbox: '{}' was not there when the sandbox was made",
        server.text("two")
    );
    server.wait_for_log(&line);
    assert_eq!(server.get("/page.txt").text(), "page of one\n");
    reread(
        &server,
        &format!("{above}{ONE}listing\nindex page.txt\n"),
        DONE,
    );
    assert_eq!(server.get("/").text(), "page of one\n");
    assert_eq!(server.get("/cgi-bin/probe/hello").text(), "hello\n");
}

#[test]
fn a_file_that_another_user_may_not_read_is_told_of() {
    if !crate::support::is_root("a_file_that_another_user_may_not_read_is_told_of") {
        return;
    }
    let site = site();
    configure(&site, ONE);
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(site.path(""), mode(0o755)).unwrap();
    std::fs::set_permissions(site.path("tollgate.conf"), mode(0o600)).unwrap();
    let server = site.serve_file("tollgate.conf", &["--user", "nobody"]);
    server.wait_for_log("cannot be read by the user of --user");
    server.signal(Signal::HUP);
    server.wait_for_log(REFUSED);
    assert_eq!(server.get("/page.txt").text(), "page of one\n");
}

#[test]
fn logs_are_begun_anew_and_change() {
    let server = serve(ONE);
    server.get("/page.txt?a");
    server.wait_for_access("?a");
    std::fs::rename(server.path("access.log"), server.path("access.1")).unwrap();
    reread(&server, ONE, DONE);
    server.get("/page.txt?b");
    server.wait_for_access("?b");
    // With a bad file, too, the one that was moved away is left.
    std::fs::rename(server.path("access.log"), server.path("access.2")).unwrap();
    reread(&server, "bad", REFUSED);
    server.get("/page.txt?c");
    server.wait_for_access("?c");
    reread(&server, &ONE.replace("access.log", "other.log"), DONE);
    server.get("/page.txt?d");
    let other = || std::fs::read_to_string(server.path("other.log")).unwrap_or_default();
    assert!(eventually(PATIENCE, || other().contains("?d")));
    assert!(!server.access_log().contains("?d"));
}

#[test]
fn without_a_file_the_signal_opens_the_log_alone() {
    let server = Server::start(&[]);
    server.get("/?a");
    server.wait_for_access("?a");
    std::fs::rename(server.path("access.log"), server.path("access.1")).unwrap();
    server.signal(Signal::HUP);
    assert!(eventually(PATIENCE, || server.path("access.log").exists()));
    assert!(!server.log().contains("--config"), "{}", server.log());
}

#[cfg(feature = "fastcgi")]
mod applications {
    use super::*;
    use crate::support::{example, has_ended};

    /// The process that answers at a URL.
    fn process(server: &Server, target: &str) -> i32 {
        let text = server.get(target).text();
        let (_, rest) = text
            .split_once(" of process ")
            .unwrap_or_else(|| panic!("{text}"));
        rest.split('.').next().unwrap().parse().unwrap()
    }

    fn with(routes: &[&str]) -> String {
        let visitor = example("visitor");
        let lines = routes.iter().map(|route| {
            format!(
                "fastcgi {}\n",
                route.replace("VISITOR", visitor.to_str().unwrap())
            )
        });
        let lines: String = lines.collect();
        format!("{ONE}{lines}")
    }

    #[test]
    fn those_that_are_unchanged_live_on_and_others_start_and_end() {
        let server = serve(&with(&["/a/=exec:VISITOR", "/b/=exec:VISITOR b"]));
        let (a, b) = (process(&server, "/a/"), process(&server, "/b/"));
        // In another order, and with another one for another.
        reread(
            &server,
            &with(&["/c/=exec:VISITOR c", "/a/=exec:VISITOR"]),
            DONE,
        );
        assert_eq!(process(&server, "/a/"), a);
        let c = process(&server, "/c/");
        assert!(c != a && c != b);
        assert_eq!(server.get("/b/").status, 404);
        assert!(
            eventually(PATIENCE, || has_ended(b)),
            "the process of an application that is gone"
        );
        assert!(!has_ended(a) && !has_ended(c));
        // Other variables are for other processes.
        let text = format!("{}env A=b\n", with(&["/c/=exec:VISITOR c"]));
        reread(&server, &text, DONE);
        assert_ne!(process(&server, "/c/"), c);
        assert!(eventually(PATIENCE, || has_ended(a) && has_ended(c)));
    }

    #[test]
    fn the_first_application_can_come_later() {
        let server = serve(ONE);
        reread(&server, &with(&["/a/=exec:VISITOR"]), DONE);
        let a = process(&server, "/a/");
        reread(&server, ONE, DONE);
        assert!(eventually(PATIENCE, || has_ended(a)));
        assert_eq!(server.get("/a/").status, 404);
    }

    #[test]
    fn applications_beyond_the_room_are_refused() {
        // None at the start: there is room for 1,024 connections, and each backend may have 128.
        let server = serve(ONE);
        let routes = |count: usize| -> String {
            let lines = (0..count).map(|at| format!("fastcgi /{at}/=127.0.0.1:{}\n", 1000 + at));
            format!(
                "{ONE}max-backend 64\nfastcgi-keep 64\n{}",
                lines.collect::<String>()
            )
        };
        reread(&server, &routes(8), DONE);
        reread(&server, &routes(9), REFUSED);
        server.wait_for_log("fastcgi: would have more connections than there is room for");
        assert_eq!(server.get("/page.txt").text(), "page of one\n");
    }

    #[test]
    fn one_that_is_gone_ends_after_its_last_request() {
        let server = serve(&with(&["/a/=exec:VISITOR"]));
        let a = process(&server, "/a/");
        let mut client = server.connect();
        client.send(
            "POST /a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.read_response("POST").status, 100);
        reread(&server, ONE, DONE);
        // It is gone for others, and looked after for longer than it takes to end one that is not needed.
        let since = std::time::Instant::now();
        while since.elapsed().as_secs() < 3 {
            assert_eq!(server.get("/a/").status, 404);
            assert!(
                !has_ended(a),
                "it was ended before a request that may still ask it"
            );
            thread::sleep(std::time::Duration::from_millis(50));
        }
        client.send("body");
        let text = client.read_response("POST").text();
        assert!(text.contains(&format!("of process {a}.")), "{text}");
        assert!(text.contains("I have read 4"), "{text}");
        assert!(eventually(PATIENCE, || has_ended(a)));
    }

    #[test]
    fn all_end_with_the_server_those_that_are_gone_too() {
        let site = site();
        let scratch = site.text("scratch");
        std::fs::create_dir(&scratch).unwrap();
        configure(&site, &with(&["/a/=exec:VISITOR"]));
        let site = site.environment("TMPDIR", &scratch);
        let mut server = site.serve_file("tollgate.conf", &[]);
        let a = process(&server, "/a/");
        let mut client = server.connect();
        client.send(
            "POST /a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.read_response("POST").status, 100);
        reread(&server, &with(&["/c/=exec:VISITOR c"]), DONE);
        let c = process(&server, "/c/");
        server.signal(Signal::TERM);
        client.send("body");
        assert_eq!(client.read_response("POST").status, 200);
        assert!(server.wait(PATIENCE).is_some());
        assert!(has_ended(a) && has_ended(c));
        let left: Vec<_> = std::fs::read_dir(&scratch).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
