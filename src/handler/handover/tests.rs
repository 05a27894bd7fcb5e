use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::time::SystemTime;

use super::*;
use crate::config::{Command, Surroundings, parse};
use crate::handler::testing::Reply;
use crate::proto::http::head::HeadLimits;
use crate::sys::testing::TempDir;

/// A site, what its programs hand over, and a client.
struct Bench {
    folder: TempDir,
    site: Site,
    now: u64,
}

/// A site's folders: `www` is `/`, `files` is `/f/`, `www/sub` is `/s/`, `hidden` is a folder of
/// programs that `files` holds.
const ROUTES: [&str; 10] = [
    "-s",
    "/={}/www",
    "-s",
    "/f/={}/files",
    "-s",
    "/s/={}/www/sub",
    "-c",
    "/run/={}/files/hidden",
    "-c",
    ".php=/bin/sh",
];

fn open(folder: &TempDir, arguments: &[&str]) -> Site {
    let at = folder.path().to_str().unwrap();
    let arguments = arguments.iter();
    let arguments = arguments.map(|it| OsString::from(it.replace("{}", at)));
    let surroundings = Surroundings {
        variable: &|_| None,
        cores: 1,
        stdout_is_terminal: false,
        file: &|_| Err("is not there".to_owned()),
    };
    match parse(arguments, &surroundings) {
        Ok(Command::Serve(settings)) => Site::open(&settings).unwrap(),
        other => panic!("{other:?}"),
    }
}

impl Bench {
    fn new() -> Bench {
        Bench::with(&[])
    }

    fn with(options: &[&str]) -> Bench {
        let folder = TempDir::new();
        for (name, content) in [
            ("www/a.txt", "0123456789"),
            ("www/a b%41.txt", "odd name"),
            ("www/page.php", "source"),
            ("www/index.html", "front"),
            ("www/.env", "secret"),
            ("www/.git/config", "secret"),
            ("www/.well-known/acme", "acme"),
            ("www/style.css", "plain"),
            ("www/style.css.gz", "coded"),
            ("www/sub/x.txt", "sub"),
            ("files/f.pdf", "file"),
            ("files/hidden/program", "source"),
            ("outside/secret.txt", "secret"),
            ("www-not/secret.txt", "secret"),
        ] {
            folder.write(name, content);
        }
        folder.link("a.txt", "www/inside");
        folder.link("../outside/secret.txt", "www/out");
        folder.link("../outside", "www/outdir");
        folder.link("/etc/passwd", "www/passwd");
        folder.link("../files", "www/other");
        folder.link("www", "current");
        folder.link("files/hidden/program", "program");
        folder.fifo("www/fifo");
        Bench {
            site: open(&folder, &[&ROUTES, options].concat()),
            folder,
            now: SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 100,
        }
    }

    fn path(&self, name: &str) -> SendFile {
        let at = self.folder.path().to_str().unwrap();
        SendFile::Path(name.replace("{}", at).into_bytes())
    }

    fn ask(&self, method: &str, fields: &str, from: SendFile, program: ResponseHead) -> Reply {
        let text = format!("{method} /run/program HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        let mut head = RequestHead::default();
        head.parse(text.as_bytes(), &HeadLimits::default()).unwrap();
        let request = HandoverRequest {
            head: &head,
            method,
            now: self.now,
            name: "test",
        };
        let handover = Handover {
            from,
            head: program,
        };
        let response = respond(&self.site, &handover, &request);
        Reply::from(response.unwrap_or_else(Response::refused))
    }

    /// What a plain GET is answered with.
    fn get(&self, from: SendFile) -> Reply {
        self.ask("GET", "", from, ResponseHead::new(StatusCode::OK))
    }
}

fn url(path: &str) -> SendFile {
    SendFile::Url(path.into())
}

fn program(status: u16, block: &str) -> ResponseHead {
    let mut head = ResponseHead::new(StatusCode::new(status).unwrap());
    head.block = block.into();
    head
}

const REFUSED: (u16, &str) = (502, "cgi.send-file");

fn outcome(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.reason.unwrap_or(&reply.body))
}

#[test]
fn files_are_found_by_their_names() {
    let bench = Bench::new();
    let cases = [
        ("{}/www/a.txt", "0123456789"),
        ("{}//www/.//a.txt", "0123456789"),
        ("{}/www/a b%41.txt", "odd name"),
        ("{}/www/inside", "0123456789"),
        ("{}/www/.well-known/acme", "acme"),
        ("{}/www/sub/x.txt", "sub"),
        ("{}/files/f.pdf", "file"),
        // By a way that leads into a root.
        ("{}/current/a.txt", "0123456789"),
        ("{}/outside/../www/a.txt", "0123456789"),
    ];
    for (name, body) in cases {
        let reply = bench.get(bench.path(name));
        assert_eq!(outcome(&reply), (200, body), "{name}");
    }
}

#[test]
fn files_are_found_by_their_urls() {
    let bench = Bench::new();
    let cases = [
        ("/a.txt", "0123456789"),
        ("/a%20b%2541.txt", "odd name"),
        ("/a b%2541.txt", "odd name"),
        ("/x/../a.txt", "0123456789"),
        ("/inside", "0123456789"),
        ("/.well-known/acme", "acme"),
        ("/s/x.txt", "sub"),
        ("/sub/x.txt", "sub"),
        ("/f/f.pdf", "file"),
    ];
    for (path, body) in cases {
        assert_eq!(outcome(&bench.get(url(path))), (200, body), "{path}");
    }
}

#[test]
fn nothing_else_is_sent() {
    let bench = Bench::new();
    let names = [
        "/",
        "/etc/passwd",
        "/proc/self/environ",
        "{}",
        "{}/outside/secret.txt",
        "{}/www-not/secret.txt",
        "{}/www/missing",
        "{}/www",
        "{}/www/",
        "{}/www/sub",
        "{}/www/index.html/more",
        "{}/www/../outside/secret.txt",
        "{}/www/sub/../../outside/secret.txt",
        "{}/www/../www/a.txt",
        "{}/www/out",
        "{}/www/outdir/secret.txt",
        "{}/www/passwd",
        "{}/current/passwd",
        "{}/www/other/f.pdf",
        "{}/www/fifo",
        "{}/www/.env",
        "{}/www/.git/config",
        "{}/www/sub/.well-known",
        "{}/www/page.php",
        "{}/current/page.php",
        "{}/files/hidden/program",
        "{}/program",
    ];
    for name in names {
        let reply = bench.get(bench.path(name));
        assert_eq!(outcome(&reply), REFUSED, "{name}");
    }
    for path in [
        "/",
        "/missing",
        "/sub",
        "/sub/",
        "/a.txt/",
        "/a.txt/more",
        "/../outside/secret.txt",
        "/%2e%2e/outside/secret.txt",
        "/..%2foutside/secret.txt",
        "/a.txt%00",
        "/a.txt%",
        "/out",
        "/outdir/secret.txt",
        "/passwd",
        "/other/f.pdf",
        "/fifo",
        "/.env",
        "/.git/config",
        "/f/.well-known/acme",
        "/page.php",
        "/page.php/x",
        "/page.php.",
        "/run/program",
        "/f/hidden/program",
    ] {
        assert_eq!(outcome(&bench.get(url(path))), REFUSED, "{path}");
    }
}

#[test]
fn what_is_kept_in_memory_is_refused_as_well() {
    let bench = Bench::new();
    let name = bench.path("{}/www/a.txt");
    assert_eq!(bench.get(name.clone()).status, 200);
    std::fs::remove_file(bench.folder.path().join("www/a.txt")).unwrap();
    assert_eq!(outcome(&bench.get(name.clone())), REFUSED);
    symlink("/etc/passwd", bench.folder.path().join("www/a.txt")).unwrap();
    assert_eq!(outcome(&bench.get(name)), REFUSED);
}

#[test]
fn links_that_may_lead_anywhere_lead_out_but_not_to_sources() {
    let bench = Bench::with(&["--follow-symlinks"]);
    bench.folder.link("../files/hidden/program", "www/program");
    for (path, expected) in [
        ("/out", (200, "secret")),
        ("/other/f.pdf", (200, "file")),
        ("/program", REFUSED),
        ("/other/hidden/program", REFUSED),
        ("/../outside/secret.txt", REFUSED),
    ] {
        assert_eq!(outcome(&bench.get(url(path))), expected, "{path}");
        let name = bench.path(&format!("{{}}/www{path}"));
        assert_eq!(outcome(&bench.get(name)), expected, "{path}");
    }
}

#[test]
fn a_root_without_urls_of_its_own_can_be_handed_over_from() {
    let folder = TempDir::new();
    folder.write("www/a.txt", "file");
    let site = open(&folder, &["-c", "/=/bin/sh", "{}"]);
    let bench = Bench {
        folder,
        site,
        now: 0,
    };
    let name = bench.path("{}/www/a.txt");
    assert_eq!(outcome(&bench.get(name)), (200, "file"));
    assert_eq!(outcome(&bench.get(url("/a.txt"))), REFUSED);
}

#[test]
fn a_request_is_answered_as_a_get_of_the_file() {
    let bench = Bench::new();
    let file = || bench.path("{}/www/a.txt");
    let plain = bench.get(file());
    let etag = plain.field("ETag").unwrap();
    assert!(plain.field("Last-Modified").is_some());
    assert_eq!(plain.field("Accept-Ranges"), Some("bytes"));
    assert_eq!(
        plain.field("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    let unchanged = format!("If-None-Match: {etag}\r\n");
    // (fields of the request, status, body or reason)
    let cases = [
        ("Range: bytes=2-4\r\n", (206, "234")),
        ("Range: bytes=99-\r\n", (416, "file.range")),
        (&unchanged, (304, "")),
        ("If-Match: \"x\"\r\n", (412, "file.precondition")),
        (
            "If-Range: \"x\"\r\nRange: bytes=2-4\r\n",
            (200, "0123456789"),
        ),
    ];
    for (fields, expected) in cases {
        for method in ["GET", "HEAD"] {
            let reply = bench.ask(method, fields, file(), program(200, ""));
            let ranges = fields.starts_with("Range") && method == "HEAD";
            let expected = if ranges {
                (200, "0123456789")
            } else {
                expected
            };
            assert_eq!(outcome(&reply), expected, "{method} {fields}");
        }
        // Whatever else was asked for, the file is what it led to.
        let reply = bench.ask("POST", fields, file(), program(200, ""));
        assert_eq!(outcome(&reply), (200, "0123456789"), "POST {fields}");
        assert_eq!(reply.field("ETag"), None, "POST {fields}");
    }
    let gzip = "Accept-Encoding: gzip\r\n";
    let coded = bench.ask("GET", gzip, url("/style.css"), program(200, ""));
    assert_eq!(outcome(&coded), (200, "coded"));
    assert_eq!(coded.field("Content-Encoding"), Some("gzip"));
    assert_eq!(coded.field("Vary"), Some("Accept-Encoding"));
    for (method, status) in [("POST", 200), ("GET", 404)] {
        let reply = bench.ask(method, gzip, url("/style.css"), program(status, ""));
        assert_eq!(outcome(&reply), (status, "plain"), "{method}");
        assert_eq!(reply.field("Content-Encoding"), None, "{method}");
    }
}

#[test]
fn the_programs_fields_go_along() {
    let bench = Bench::new();
    let printed = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Type: a/b\r\n\
                   content-disposition: attachment\r\nCache-Control: private\r\nETag: \"mine\"\r\n\
                   Last-Modified: never\r\naccept-ranges: none\r\nContent-Range: bytes 0-0/1\r\n\
                   Content-Encoding: br\r\nX-Content-Type-Options: nosniff\r\n";
    let ask = |fields: &str| {
        let file = bench.path("{}/www/a.txt");
        bench.ask("GET", fields, file, program(200, printed))
    };
    let own = |reply: &Reply| -> Vec<String> {
        let theirs = ["ETag: \"", "Last-Modified: ", "Content-Type: multipart"];
        let lines = reply.fields.lines();
        let lines = lines.filter(|line| !theirs.iter().any(|it| line.starts_with(it)));
        lines.map(str::to_owned).collect()
    };
    let whole = ask("");
    let along = [
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
        "content-disposition: attachment",
        "Cache-Control: private",
    ];
    let typed = [
        "Accept-Ranges: bytes",
        "X-Content-Type-Options: nosniff",
        "Content-Type: a/b",
    ];
    assert_eq!(own(&whole), [&typed[..], &along].concat());
    assert_ne!(whole.field("ETag"), Some("\"mine\""));

    let part = ask("Range: bytes=0-1\r\n");
    let range = ["Content-Range: bytes 0-1/10"];
    assert_eq!(own(&part), [&typed[..], &range, &along].concat());

    let parts = ask("Range: bytes=0-0,9-9\r\n");
    assert_eq!(parts.status, 206);
    assert_eq!(own(&parts), [&typed[..2], &along].concat());
    assert_eq!(parts.body.matches("Content-Type: a/b\r\n").count(), 2);

    let etag = whole.field("ETag").unwrap();
    let unchanged = ask(&format!("If-None-Match: {etag}\r\n"));
    assert_eq!(unchanged.status, 304);
    let uncontent = [along[0], along[1], along[3]];
    assert_eq!(own(&unchanged), uncontent);

    let refused = ask("Range: bytes=99-\r\n");
    assert_eq!(refused.fields, "Content-Range: bytes */10\r\n");
}

#[test]
fn the_programs_status() {
    let bench = Bench::new();
    let ask = |status: u16, phrase: &str, fields: &str| {
        let mut head = program(status, "X: y\r\n");
        head.phrase = Some(phrase.into());
        bench.ask("GET", fields, url("/a.txt"), head)
    };
    for status in [201, 203, 400, 404, 416, 500, 599] {
        for fields in ["", "Range: bytes=1-2\r\n", "If-Match: \"x\"\r\n"] {
            let reply = ask(status, "", fields);
            assert_eq!(outcome(&reply), (status, "0123456789"));
            let expected = "X-Content-Type-Options: nosniff\r\n\
                            Content-Type: text/plain; charset=utf-8\r\nX: y\r\n";
            assert_eq!(reply.fields, expected, "{status} {fields}");
        }
    }
    for status in [200, 204, 205, 206, 301, 302, 304] {
        let reply = ask(status, "", "");
        assert_eq!(outcome(&reply), (200, "0123456789"), "{status}");
        assert!(reply.field("ETag").is_some(), "{status}");
        let reply = ask(status, "", "Range: bytes=1-2\r\n");
        assert_eq!(outcome(&reply), (206, "12"), "{status}");
    }
}

#[test]
fn the_programs_phrase_goes_with_its_status_alone() {
    let phrase = |own: u16, answer: u16| {
        let mut response = program(answer, "");
        let mut program = program(own, "");
        program.phrase = Some(b"Mine".to_vec());
        merge(&mut response, &program);
        response.phrase.is_some()
    };
    assert!(phrase(200, 200) && phrase(404, 404));
    assert!(!phrase(200, 206) && !phrase(302, 200));
}
