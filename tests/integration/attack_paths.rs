//! Paths that try to get at what is not served: files outside of the root, sources of programs, hidden files
//! and copies; in every spelling, by links and by names that change while they are asked for.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::support::{PATIENCE, Response, Server, Site, request};

/// Stands in every file that is not to be seen, and nowhere else.
const SECRET: &str = "the-secret";

/// A program whose text has the secret, and whose output has not.
const PROGRAM: &str =
    "#!/bin/sh\n# the-secret\necho Content-Type: text/plain\necho\necho a program ran\n";

/// Fails where the response has something of what must not be seen.
#[track_caller]
fn expect_no_secret(target: &str, response: &Response) {
    let body = String::from_utf8_lossy(&response.body);
    for secret in [SECRET, "root:x:", "GATEWAY_INTERFACE"] {
        assert!(!body.contains(secret), "{target}: {response:?}");
    }
}

/// The answers to GET and HEAD, to a part of the file, and to one that takes all codings.
fn ask(server: &Server, target: &str) -> Vec<Response> {
    let answers = [
        ("GET", &[][..]),
        ("HEAD", &[]),
        ("GET", &["Range: bytes=0-100"]),
        ("GET", &["Accept-Encoding: br, gzip, zstd"]),
        ("POST", &[]),
    ];
    answers
        .into_iter()
        .map(|(method, fields)| server.fetch(method, target, fields, b""))
        .collect()
}

#[test]
fn no_spelling_leads_out_of_the_root() {
    let site = Site::new();
    site.file("secret.txt", SECRET);
    site.file("www/page.txt", "a page");
    site.file("www/sub/page.txt", "a page");
    site.file("www-other/secret.txt", SECRET);
    let server = site.serve(&["--listing"]);
    let climbs = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "%25%32%65%25%32%65",
        "%u002e%u002e",
        "%c0%ae%c0%ae",
        "%c0%2e%c0%2e",
        "%e0%80%ae%e0%80%ae",
        "%f0%80%80%ae%f0%80%80%ae",
        "%ef%bc%8e%ef%bc%8e",
        "..;",
        "..;a=b",
        ";..",
        "..%00",
        "..%20",
        "..%09",
        "..%0d",
        "...",
        "....",
        "..%5c",
        "..\\",
        "%5c..",
        "..%ff",
        ".%00.",
        "~",
        "..::$DATA",
        "..%c0%80",
    ];
    let slashes = [
        "/",
        "%2f",
        "%2F",
        "%252f",
        "%5c",
        "\\",
        "//",
        "/./",
        "%c0%af",
        "%e0%80%af",
        "%ef%bc%8f",
        "%u2215",
        ";/",
    ];
    for climb in climbs {
        for slash in slashes {
            for start in [
                "/",
                "/sub/",
                "/page.txt/",
                "/cgi-bin/",
                "/cgi-bin/probe/hello/",
                "//",
                "/none/",
            ] {
                let up = [climb, slash].concat();
                for end in [
                    [&up, "secret.txt"].concat(),
                    [&up.repeat(2), "secret.txt"].concat(),
                    [&up, "www-other", slash, "secret.txt"].concat(),
                    [&up.repeat(12), "etc", slash, "passwd"].concat(),
                ] {
                    let target = [start, &end].concat();
                    let response = server.get(&target);
                    expect_no_secret(&target, &response);
                    let is_program = start.contains("probe") || target.contains("cgi-bin/probe");
                    let expected: &[u16] = if is_program {
                        &[200, 400, 403, 404]
                    } else {
                        &[400, 403, 404]
                    };
                    assert!(
                        expected.contains(&response.status),
                        "{target}: {response:?}"
                    );
                }
            }
        }
    }
    // What is left of the path for a program has no segment that climbs.
    for info in [
        "/..",
        "/../..",
        "/x/../../..",
        "/%2e%2e/etc/passwd",
        "/.%2e/%2e.",
    ] {
        let target = format!("/cgi-bin/probe/env{info}");
        let response = server.get(&target);
        let text = response.text();
        let line = text.lines().find(|line| line.starts_with("PATH_"));
        assert!(
            !line.is_some_and(|line| line.contains("..")),
            "{target}: {line:?}"
        );
    }
}

/// What runs the files of an extension route: whatever they say, it says that it did.
fn interpreter(site: &Site) -> PathBuf {
    site.script(
        "interpreter",
        "#!/bin/sh\necho X: y\necho\necho a program ran\n",
    )
}

#[test]
fn the_source_of_a_program_is_never_sent_by_whatever_way() {
    let site = Site::new();
    let interpreter = interpreter(&site);
    site.script("www/programs/form", PROGRAM);
    site.file("www/programs/library.pm", SECRET);
    site.script("www/programs/sub/inner", PROGRAM);
    site.script("www/one.cgi", PROGRAM);
    site.file("www/page.foo", SECRET);
    site.file("www/sub/page.FOO", SECRET);
    site.file("www/page.txt", "a page");
    symlink("programs", site.path("www/link")).unwrap();
    symlink("programs/form", site.path("www/form.txt")).unwrap();
    symlink("one.cgi", site.path("www/one.txt")).unwrap();
    // By a link as well, and by one to a copy; any other link is followed.
    site.file("www/page.foo.bak", SECRET);
    symlink("page.foo", site.path("www/page-link.txt")).unwrap();
    symlink("../page.foo", site.path("www/sub/page-link")).unwrap();
    symlink("page.foo.bak", site.path("www/copy-link.txt")).unwrap();
    symlink("page-link.txt", site.path("www/page.txt.gz")).unwrap();
    symlink("page.txt", site.path("www/good-link.txt")).unwrap();
    let (www, programs) = (site.text("www"), site.text("www/programs"));
    let server = site.serve(&[
        "--listing",
        "-s",
        &format!("/={www}"),
        "-s",
        &format!("/again/={www}"),
        "-s",
        &format!("/alias/={programs}"),
        "-s",
        &format!("/deep/={programs}/sub"),
        "-c",
        &format!("/run/={programs}"),
        "-c",
        &format!("/one/={www}/one.cgi"),
        "-c",
        &format!(".foo={}", interpreter.display()),
    ]);
    let files = [
        "programs/form",
        "programs/library.pm",
        "programs/sub/inner",
        "link/form",
        "link/sub/inner",
        "form.txt",
        "one.txt",
        "one.cgi",
        "page.foo",
        "page.FOO",
        "sub/page.FOO",
        "sub/page.foo",
        "page-link.txt",
        "sub/page-link",
        "copy-link.txt",
        "page.txt",
    ];
    let mut targets: Vec<String> = files
        .iter()
        .flat_map(|file| [format!("/{file}"), format!("/again/{file}")])
        .collect();
    for name in ["form", "library.pm", "sub/inner", "sub/", ""] {
        targets
            .extend(["/alias/", "/run/", "/again/programs/"].map(|route| format!("{route}{name}")));
    }
    targets.extend(["/deep/inner", "/deep/", "/one", "/one/x"].map(str::to_string));
    let endings = [
        "", "/", ".", "..", "%20", "%20.", "%00", "%00.txt", "/.", "/..", "/x", "/x.txt", "/%2e",
        "//", ";a", ";.txt", "%3b.txt", "%3f.txt", "?x", "?.txt", "#", "%23", "::$DATA", "%ff",
        "~", ".bak", "%2f", "%5c", "\\", ".txt",
    ];
    for target in &targets {
        for ending in endings {
            let target = format!("{target}{ending}");
            for response in ask(&server, &target) {
                expect_no_secret(&target, &response);
            }
        }
        for spelled in [
            target.replace('o', "%6f"),
            target.replace('/', "//"),
            target.replace('/', "/./"),
            target.replace('/', "/x/../"),
            target.to_uppercase(),
            format!("http://h{target}"),
        ] {
            for response in ask(&server, &spelled) {
                expect_no_secret(&spelled, &response);
            }
        }
    }
    // And all this is not since nothing works.
    for target in [
        "/run/form",
        "/run/sub/inner",
        "/one/",
        "/page.foo",
        "/again/sub/page.FOO",
    ] {
        assert_eq!(server.get(target).text(), "a program ran\n", "{target}");
    }
    for target in ["/good-link.txt", "/again/page.txt"] {
        assert_eq!(server.get(target).text(), "a page", "{target}");
    }
    server.expect_access("/deep/inner", 404, "file.hidden");
    server.expect_access("/page-link.txt", 404, "file.hidden");
    server.expect_access("/again/sub/page-link", 404, "file.hidden");
    server.expect_access("/copy-link.txt", 404, "file.copy");
    server.wait_for_log("lies in a folder of programs, whose files are never sent; move it out");
}

/// What editors and their like make of the name of a file.
fn copies(name: &str) -> Vec<String> {
    let endings = [
        "~",
        "~~",
        ".~1~",
        ".bak",
        ".BAK",
        ".backup",
        ".old",
        ".orig",
        ".rej",
        ".save",
        ".save.1",
        ".sav",
        ".swp",
        ".swo",
        ".tmp",
        ".copy",
        ".new",
        ".dpkg-old",
        ".dpkg-dist",
        ".rpmsave",
        ".rpmnew",
        ".ucf-old",
        ".gz",
        ".br",
        ".zst",
        ".bz2",
        ".xz",
        ".bak~",
        ".bak1",
        ".old.2",
        "_old",
        ".pacnew",
        ".pacsave",
        ".pacorig",
        ".apk-new",
        ".part",
        ".tar",
        ".tar.gz",
        ".tgz",
        ".zip",
        ".7z",
        ".lz4",
        ".lzma",
        ".old.gz",
        ".bak.",
        ".bak ",
    ];
    let mut copies: Vec<String> = endings
        .iter()
        .map(|ending| format!("{name}{ending}"))
        .collect();
    copies.push(format!("#{name}#"));
    copies
}

/// A name as it stands in a URL.
fn escaped(name: &str) -> String {
    name.replace('#', "%23").replace(' ', "%20")
}

#[test]
fn copies_of_programs_are_neither_sent_nor_run() {
    let site = Site::new();
    let interpreter = interpreter(&site);
    site.file("www/page.foo", SECRET);
    site.file("www/sub/page.foo", SECRET);
    site.script("www/one.cgi", PROGRAM);
    site.script("www/bin/form", PROGRAM);
    site.script("www/bin.old/form", PROGRAM);
    site.file("www/bin.tar.gz", SECRET);
    site.file("www/page.txt", "a page");
    for copy in copies("page.foo") {
        site.file(&format!("www/{copy}"), SECRET);
        site.script(&format!("www/sub/{copy}"), SECRET);
    }
    for copy in copies("one.cgi") {
        site.script(&format!("www/{copy}"), PROGRAM);
    }
    for copy in copies("form") {
        site.script(&format!("www/bin/{copy}"), PROGRAM);
    }
    // Of what is no program a copy is a file like any other.
    for name in copies("page.txt") {
        site.file(&format!("www/{name}"), "a copy");
    }
    let (www, program) = (site.text("www"), site.text("www/one.cgi"));
    let server = site.serve(&[
        "--listing",
        "-s",
        &format!("/={www}"),
        "-c",
        &format!("/run/={www}/bin"),
        "-c",
        &format!("/one/={program}"),
        "-c",
        &format!(".foo={}", interpreter.display()),
    ]);
    let mut targets = ["/bin.old/form", "/bin.tar.gz"]
        .map(|it| (it.to_string(), "file.copy"))
        .to_vec();
    for copy in copies("page.foo") {
        targets.push((format!("/{}", escaped(&copy)), "file.copy"));
        targets.push((format!("/sub/{}", escaped(&copy)), "file.copy"));
    }
    for copy in copies("one.cgi") {
        targets.push((format!("/{}", escaped(&copy)), "file.copy"));
    }
    for copy in copies("form") {
        targets.push((format!("/bin/{}", escaped(&copy)), "file.hidden"));
        targets.push((format!("/run/{}", escaped(&copy)), "cgi.copy"));
        targets.push((format!("/run/{}/info", escaped(&copy)), "cgi.copy"));
    }
    for (target, reason) in &targets {
        let response = server.get(target);
        expect_no_secret(target, &response);
        assert_eq!(response.status, 404, "{target}: {response:?}");
        server.expect_access(target, 404, reason);
        for response in ask(&server, target) {
            expect_no_secret(target, &response);
            assert!(!response.text().contains("ran"), "{target}: {response:?}");
        }
    }
    for name in copies("page.txt") {
        let target = format!("/{}", escaped(&name));
        assert_eq!(server.get(&target).text(), "a copy", "{target}");
    }
    assert_eq!(server.get("/page.foo").text(), "a program ran\n");
    assert_eq!(server.get("/run/form").text(), "a program ran\n");
    // Nor are they listed.
    let list = server.get("/").text();
    for copy in copies("page.foo").iter().chain(&copies("one.cgi")) {
        let link = format!("\"{}\"", escaped(copy));
        assert!(!list.contains(&link), "{link} in {list}");
    }
    assert!(
        list.contains("\"page.txt.bak\"") && list.contains("\"page.foo\""),
        "{list}"
    );
}

#[test]
fn names_with_a_dot_are_not_there_in_any_spelling() {
    let site = Site::new();
    let names = [
        ".htaccess",
        ".htpasswd",
        ".env",
        ".git/config",
        ".git/HEAD",
        ".svn/entries",
        ".ssh/id_rsa",
        ".DS_Store",
        ".page.txt.swp",
        ".#page.txt",
        ".nfs0001",
        "sub/.htaccess",
        "sub/.git/config",
        "sub/.well-known/x",
        "..x",
        "...",
        ". ",
    ];
    for name in names {
        site.file(&format!("www/{name}"), SECRET);
    }
    site.file("www/.well-known/acme-challenge/token", "a token");
    site.file("www/.well-known/.secret", SECRET);
    let server = site.serve(&["--listing"]);
    for name in names.into_iter().chain([".well-known/.secret"]) {
        let name = escaped(name);
        for target in [
            format!("/{name}"),
            format!("//{name}"),
            format!("/./{name}"),
            format!("/{}", name.replace('.', "%2e")),
            format!("/x/../{name}"),
            format!("/{name}/"),
            format!("/{name}%20"),
            format!("/.well-known/../{name}"),
            format!("/{name}?x"),
            format!("/{}", name.to_uppercase()),
        ] {
            for response in ask(&server, &target) {
                expect_no_secret(&target, &response);
                assert!(
                    matches!(response.status, 404 | 405 | 400),
                    "{target}: {response:?}"
                );
            }
        }
    }
    let page = server.get("/.well-known/acme-challenge/token").text();
    assert_eq!(page, "a token");
    for target in ["/", "/sub/", "/.well-known/"] {
        let list = server.get(target).text();
        for name in ["htaccess", "secret", ".git", "swp", "..."] {
            assert!(!list.contains(name), "{name} in {target}: {list}");
        }
    }
}

/// How often two clients ask at least while names are changed.
const ROUNDS: usize = 1_000;

/// Has `change` run again and again while two clients ask for `targets`, often, and until `is_enough` of the
/// statuses that they saw; these.
fn race(
    server: &Server,
    targets: &[&str],
    is_enough: impl Fn(&BTreeSet<u16>) -> bool,
    change: impl Fn(),
) -> BTreeSet<u16> {
    let over = AtomicBool::new(false);
    let (rounds, seen) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    let ask = || {
        let mut client = server.connect();
        while !over.load(Ordering::Relaxed) {
            for target in targets {
                client.send(request("GET", target, &[], b""));
                let response = client.read_response("GET");
                expect_no_secret(target, &response);
                seen.lock().unwrap().insert(response.status);
            }
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let clients = [scope.spawn(ask), scope.spawn(ask)];
        // One that has ended has failed.
        let is_over = || {
            clients.iter().any(|client| client.is_finished())
                || (rounds.load(Ordering::Relaxed) > ROUNDS && is_enough(&seen.lock().unwrap()))
        };
        let start = Instant::now();
        while !is_over() && start.elapsed() < PATIENCE {
            change();
        }
        over.store(true, Ordering::Relaxed);
    });
    seen.into_inner().unwrap()
}

#[test]
fn a_name_that_becomes_a_link_out_of_the_root_shows_nothing() {
    let site = Site::new();
    site.file("outside/file.txt", SECRET);
    site.file("www/page.txt", "a page");
    site.file("www/folder/file.txt", "a page");
    symlink("../outside/file.txt", site.path("www/link")).unwrap();
    symlink("../outside", site.path("www/other")).unwrap();
    let server = site.serve(&[]);
    let path = |name: &str| server.path(&format!("www/{name}"));
    let swap = |one: &str, other: &str| {
        fs::rename(path(one), path("spare")).unwrap();
        fs::rename(path(other), path(one)).unwrap();
        fs::rename(path("spare"), path(other)).unwrap();
    };
    let is_enough = |seen: &BTreeSet<u16>| seen.contains(&200) && seen.contains(&403);
    let seen = race(
        &server,
        &["/page.txt", "/folder/file.txt"],
        is_enough,
        || {
            swap("page.txt", "link");
            swap("folder", "other");
        },
    );
    // Both were met: otherwise nothing was tried.
    assert!(is_enough(&seen), "{seen:?}");
}

#[test]
fn a_program_that_is_replaced_or_renamed_while_it_is_asked_for_is_not_sent() {
    let site = Site::new();
    let interpreter = interpreter(&site);
    site.script("www/one.cgi", PROGRAM);
    site.script("www/bin/form", PROGRAM);
    site.script("www/new/form", PROGRAM);
    site.file("www/page.foo", SECRET);
    let (www, program) = (site.text("www"), site.text("www/one.cgi"));
    let server = site.serve(&[
        "-s",
        &format!("/={www}"),
        "-c",
        &format!("/run/={www}/bin"),
        "-c",
        &format!("/one/={program}"),
        "-c",
        &format!(".foo={}", interpreter.display()),
    ]);
    let path = |name: &str| server.path(&format!("www/{name}"));
    let seen = race(
        &server,
        &["/one.cgi", "/bin/form"],
        |_| true,
        || {
            // As a new version is put into place.
            server.script("fresh", PROGRAM);
            fs::rename(server.path("fresh"), path("one.cgi")).unwrap();
            fs::rename(path("bin"), path("elsewhere")).unwrap();
            fs::rename(path("elsewhere"), path("bin")).unwrap();
        },
    );
    assert_eq!(seen, BTreeSet::from([404]));
    let seen = race(
        &server,
        &["/page.foo"],
        |_| true,
        || {
            fs::rename(path("page.foo"), path("page.foo.bak")).unwrap();
            fs::rename(path("page.foo.bak"), path("page.foo")).unwrap();
        },
    );
    assert!(
        seen.is_subset(&BTreeSet::from([200, 403, 404, 502])),
        "{seen:?}"
    );
}
