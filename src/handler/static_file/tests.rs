use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::source::kept_back;
use super::*;
use crate::handler::testing::{Reply, Site};

fn site() -> Site {
    let site = Site::new();
    site.dir.write("file.txt", "0123456789");
    site.dir.write("na\u{ef}ve & 50%.html", "odd name");
    site.dir.write("empty.txt", "");
    site.dir.write("index.html", "front");
    site.dir.write("folder/inner.txt", "inner");
    site.dir.write("docs/index.html", "docs");
    site.dir.write("app/index.php", "<?php secret");
    site.dir.write("app/run.php", "<?php secret");
    site.dir.write("app/x.php/inner.txt", "inner");
    site.dir.write("odd/index.html/inner.txt", "");
    site.dir.write(".env", "secret");
    site.dir.write(".git/config", "secret");
    site.dir.write(".well-known/acme", "acme");
    site.dir.link("../..", "up");
    site.dir.link("/etc/passwd", "passwd");
    site.dir.link("file.txt", "inside");
    site.dir.link("loop", "loop");
    site
}

fn outcome(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.reason.unwrap_or(&reply.body))
}

#[test]
fn paths_give_files_or_reasons() {
    let cases = [
        ("/", 200, "front"),
        ("/file.txt", 200, "0123456789"),
        ("/na%C3%AFve%20&%2050%25.html", 200, "odd name"),
        ("/empty.txt", 200, ""),
        ("/inside", 200, "0123456789"),
        ("/docs/", 200, "docs"),
        ("/docs", 301, ""),
        ("/.well-known/acme", 200, "acme"),
        ("/missing", 404, "file.not-found"),
        ("/file.txt/", 404, "file.not-found"),
        ("/file.txt/more", 404, "file.not-found"),
        ("/.env", 404, "file.hidden"),
        ("/.git/config", 404, "file.hidden"),
        ("/.missing", 404, "file.hidden"),
        ("/docs/.well-known/acme", 404, "file.hidden"),
        ("/up/", 403, "file.escapes"),
        ("/up/etc/passwd", 403, "file.escapes"),
        ("/passwd", 403, "file.escapes"),
        ("/loop", 403, "file.escapes"),
        ("/../../etc/passwd", 404, "file.not-found"),
        ("/folder/", 403, "file.folder"),
        ("/odd/", 403, "file.folder"),
        ("/app/", 404, "file.hidden"),
        ("/app/run.php", 404, "file.hidden"),
        ("/app/run.php/", 404, "file.not-found"),
        ("/app/x.php/inner.txt", 200, "inner"),
        ("/app/x.php", 301, ""),
    ];
    let site = site();
    for (target, status, expected) in cases {
        // Once from the disk, once from memory where it may be.
        for turn in ["first", "second"] {
            assert_eq!(
                outcome(&site.get(target)),
                (status, expected),
                "{target}, {turn}"
            );
        }
    }
    let long = format!("/{}", "n".repeat(300));
    assert_eq!(outcome(&site.get(&long)), (404, "file.not-found"));
}

#[test]
fn methods() {
    let site = site();
    let reply = site.ask("HEAD", "/file.txt", "");
    assert_eq!(
        (reply.status, reply.body.len()),
        (200, 10),
        "the connection leaves the body out"
    );
    for target in ["/file.txt", "/missing"] {
        let reply = site.ask("OPTIONS", target, "");
        assert_eq!(
            (reply.status, reply.field("Allow")),
            (204, Some("GET, HEAD, OPTIONS"))
        );
    }
    for method in ["POST", "PUT", "DELETE", "get", "PROPFIND"] {
        let reply = site.ask(method, "/file.txt", "");
        assert_eq!(outcome(&reply), (405, "file.method"), "{method}");
        assert_eq!(reply.field("Allow"), Some("GET, HEAD, OPTIONS"));
    }
}

#[test]
fn a_folder_is_redirected_to_its_slash_and_keeps_the_query() {
    let site = site();
    fs::create_dir(site.dir.path().join("a b\\c")).unwrap();
    let cases = [
        ("/docs", "/docs/"),
        ("/docs?", "/docs/?"),
        ("/docs?a=1&b=%20?", "/docs/?a=1&b=%20?"),
        ("//docs", "/docs/"),
        ("/./docs", "/docs/"),
        ("/a%20b%5cc", "/a%20b%5Cc/"),
    ];
    for (target, location) in cases {
        let reply = site.get(target);
        assert_eq!(
            (reply.status, reply.field("Location")),
            (301, Some(location)),
            "{target}"
        );
    }
}

#[test]
fn the_prefix_of_a_route_without_its_slash_is_redirected_also_when_its_index_is_in_memory() {
    let site = site();
    let ask = |path: &[u8]| {
        let path = UrlPath::decode(path).unwrap();
        let head = RequestHead::default();
        let request = FileRequest {
            head: &head,
            method: "GET",
            path: &path,
            rest: b"",
            query: None,
            now: site.now,
        };
        Reply::from(respond(&site.site, &site.cache, &request))
    };
    for _ in 0..2 {
        assert_eq!(outcome(&ask(b"/static/")), (200, "front"));
        assert_eq!(ask(b"/static").field("Location"), Some("/static/"));
    }
}

#[test]
fn what_is_not_a_file_neither_blocks_nor_is_sent() {
    let site = site();
    site.dir.fifo("fifo");
    drop(UnixListener::bind(site.dir.path().join("socket")).unwrap());
    for target in ["/fifo", "/socket"] {
        assert_eq!(
            outcome(&site.get(target)),
            (403, "file.not-regular"),
            "{target}"
        );
    }
}

#[test]
fn an_unreadable_file_is_denied() {
    let site = site();
    let path = site.dir.path().join("file.txt");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if File::open(&path).is_ok() {
        eprintln!("skipped: this user reads every file");
        return;
    }
    assert_eq!(outcome(&site.get("/file.txt")), (403, "file.denied"));
}

#[test]
fn fields_of_a_file() {
    let site = site();
    for _ in 0..2 {
        let reply = site.get("/file.txt");
        assert_eq!(
            reply.field("Content-Type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(reply.field("Accept-Ranges"), Some("bytes"));
        assert_eq!(reply.field("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(reply.field("Vary"), None);
        assert!(reply.field("Last-Modified").unwrap().ends_with(" GMT"));
        assert!(reply.field("ETag").unwrap().starts_with('"'));
    }
}

#[test]
fn conditions_and_ranges() {
    let site = site();
    let fresh = site.get("/file.txt");
    let (tag, date) = (
        fresh.field("ETag").unwrap(),
        fresh.field("Last-Modified").unwrap(),
    );
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    let cases = [
        (format!("If-None-Match: {tag}"), 304, ""),
        (format!("If-None-Match: W/{tag}"), 304, ""),
        ("If-None-Match: *".into(), 304, ""),
        ("If-None-Match: \"other\"".into(), 200, "0123456789"),
        (format!("If-Modified-Since: {date}"), 304, ""),
        (format!("If-Modified-Since: {old}"), 200, "0123456789"),
        (
            format!("If-None-Match: \"other\"\r\nIf-Modified-Since: {date}"),
            200,
            "0123456789",
        ),
        (format!("If-Match: {tag}"), 200, "0123456789"),
        ("If-Match: \"other\"".into(), 412, "file.precondition"),
        (
            format!("If-Unmodified-Since: {old}"),
            412,
            "file.precondition",
        ),
        ("Range: bytes=2-4".into(), 206, "234"),
        ("Range: bytes=7-".into(), 206, "789"),
        ("Range: bytes=-2".into(), 206, "89"),
        ("Range: bytes=10-".into(), 416, "file.range"),
        ("Range: lines=1-2".into(), 200, "0123456789"),
        (format!("Range: bytes=2-4\r\nIf-Range: {tag}"), 206, "234"),
        (format!("Range: bytes=2-4\r\nIf-Range: {date}"), 206, "234"),
        (
            "Range: bytes=2-4\r\nIf-Range: \"other\"".into(),
            200,
            "0123456789",
        ),
        (format!("Range: bytes=2-4\r\nIf-None-Match: {tag}"), 304, ""),
        (
            "Range: bytes=20-\r\nIf-Match: \"other\"".into(),
            412,
            "file.precondition",
        ),
    ];
    for fields in cases {
        let (field, status, expected) = fields;
        let reply = site.ask("GET", "/file.txt", &format!("{field}\r\n"));
        assert_eq!(outcome(&reply), (status, expected), "{field}");
        if status == 304 {
            assert_eq!(reply.field("ETag"), Some(tag), "{field}");
            assert_eq!(reply.field("Content-Type"), None, "{field}");
        }
    }
    let ranged = |fields: &str| site.ask("GET", "/file.txt", fields);
    assert_eq!(
        ranged("Range: bytes=2-4\r\n").field("Content-Range"),
        Some("bytes 2-4/10")
    );
    assert_eq!(
        ranged("Range: bytes=10-\r\n").field("Content-Range"),
        Some("bytes */10")
    );
    assert_eq!(
        site.ask("HEAD", "/file.txt", "Range: bytes=2-4\r\n").status,
        200
    );
    assert_eq!(
        site.ask("GET", "/empty.txt", "Range: bytes=0-\r\n").status,
        200
    );
}

#[test]
fn several_ranges_come_in_parts() {
    let mut site = site();
    site.dir.write("long.txt", "x".repeat(100_000));
    // From memory, and from a file too young for it.
    for now in [site.now, 0] {
        site.now = now;
        let reply = site.ask("GET", "/file.txt", "Range: bytes=0-1,-2\r\n");
        assert_eq!(reply.status, 206);
        let content_type = reply.field("Content-Type").unwrap();
        let boundary = content_type
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap();
        let part = |range, text| {
            format!(
                "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Range: bytes {range}/10\r\n\r\n{text}\r\n"
            )
        };
        let expected = part("0-1", "01") + &part("8-9", "89") + &format!("--{boundary}--\r\n");
        assert_eq!(reply.body, expected);
        assert_eq!(reply.fields.matches("\r\nContent-Type: ").count(), 1);
        let other = site.ask("GET", "/file.txt", "Range: bytes=0-1,-2\r\n");
        assert_ne!(
            other.field("Content-Type"),
            Some(content_type),
            "a boundary is not foreseen"
        );
        let long = site.ask("GET", "/long.txt", "Range: bytes=0-1,99998-\r\n");
        assert_eq!(long.body.matches("\r\nxx\r\n").count(), 2);
    }
}

fn set_age(site: &Site, rel: &str, seconds: u64) {
    let file = File::options()
        .write(true)
        .open(site.dir.path().join(rel))
        .unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - seconds);
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

#[test]
fn precompressed_neighbours() {
    let site = site();
    for (name, seconds) in [
        ("a.css", 10),
        ("a.css.gz", 10),
        ("a.css.br", 0),
        ("a.css.zst", 20),
    ] {
        site.dir.write(name, name);
        set_age(&site, name, seconds);
    }
    site.dir.write("b.css", "b.css");
    site.dir.link("/etc/passwd", "b.css.gz");
    site.dir.write("c.css", "c.css");
    fs::create_dir(site.dir.path().join("c.css.gz")).unwrap();
    site.dir.write("docs/index.html.gz", "docs, zipped");
    // (target, Accept-Encoding, body, Content-Encoding, varies)
    let cases = [
        ("/a.css", "", "a.css", None, true),
        ("/a.css", "identity", "a.css", None, true),
        ("/a.css", "gzip", "a.css.gz", Some("gzip"), true),
        (
            "/a.css",
            "gzip, deflate, br, zstd",
            "a.css.br",
            Some("br"),
            true,
        ),
        (
            "/a.css",
            "gzip;q=1, br;q=0.5",
            "a.css.gz",
            Some("gzip"),
            true,
        ),
        ("/a.css", "zstd", "a.css", None, true),
        ("/a.css", "gzip;q=0", "a.css", None, true),
        ("/a.css.gz", "gzip", "a.css.gz", None, false),
        ("/b.css", "gzip", "b.css", None, false),
        ("/c.css", "gzip", "c.css", None, false),
        ("/docs/", "gzip", "docs, zipped", Some("gzip"), true),
        ("/docs/", "br", "docs", None, true),
    ];
    for (target, accepted, body, coding, varies) in cases {
        for turn in ["first", "second"] {
            let reply = site.ask("GET", target, &format!("Accept-Encoding: {accepted}\r\n"));
            let about = format!("{target}, {accepted}, {turn}");
            assert_eq!((reply.status, reply.body.as_str()), (200, body), "{about}");
            assert_eq!(reply.field("Content-Encoding"), coding, "{about}");
            assert_eq!(reply.field("Vary").is_some(), varies, "{about}");
        }
    }
    let plain = site.get("/a.css");
    let zipped = site.ask("GET", "/a.css", "Accept-Encoding: gzip\r\n");
    assert_eq!(zipped.field("Content-Type"), plain.field("Content-Type"));
    assert_ne!(zipped.field("ETag"), plain.field("ETag"));
    assert_eq!(
        site.get("/a.css.gz").field("Content-Type"),
        Some("application/gzip")
    );
    let conditional = format!(
        "Accept-Encoding: gzip\r\nIf-None-Match: {}\r\n",
        zipped.field("ETag").unwrap()
    );
    let reply = site.ask("GET", "/a.css", &conditional);
    assert_eq!(
        (reply.status, reply.field("Vary")),
        (304, Some("Accept-Encoding"))
    );
    assert_eq!(
        site.ask(
            "GET",
            "/a.css",
            "Accept-Encoding: gzip\r\nRange: bytes=-2\r\n"
        )
        .body,
        "gz"
    );

    // A neighbour that goes, or falls behind, is not sent from memory.
    fs::remove_file(site.dir.path().join("a.css.gz")).unwrap();
    assert_eq!(
        site.ask("GET", "/a.css", "Accept-Encoding: gzip\r\n").body,
        "a.css"
    );
    site.dir.write("a.css", "newer");
    assert_eq!(
        site.ask("GET", "/a.css", "Accept-Encoding: br\r\n").body,
        "newer"
    );
}

#[test]
fn the_first_index_name_that_exists_stands_for_the_folder() {
    let mut site = site();
    site.site.index = vec!["a.html".into(), "b.html".into()];
    site.dir.write("sub/b.html", "second");
    for _ in 0..2 {
        assert_eq!(site.get("/sub/").body, "second");
    }
    site.dir.write("sub/a.html", "first");
    for _ in 0..2 {
        assert_eq!(site.get("/sub/").body, "first");
    }
    fs::remove_file(site.dir.path().join("sub/a.html")).unwrap();
    assert_eq!(site.get("/sub/").body, "second");
}

#[test]
fn a_file_that_changes_is_never_stale() {
    let site = site();
    let path = site.dir.path().join("file.txt");
    assert_eq!(site.get("/file.txt").body, "0123456789");

    fs::write(&path, "9876543210x").unwrap();
    assert_eq!(
        site.get("/file.txt").body,
        "9876543210x",
        "written in place"
    );

    site.dir.write("new", "abcdefghij");
    fs::rename(site.dir.path().join("new"), &path).unwrap();
    assert_eq!(site.get("/file.txt").body, "abcdefghij", "replaced");

    fs::remove_file(&path).unwrap();
    assert_eq!(
        site.get("/file.txt").reason,
        Some("file.not-found"),
        "removed"
    );

    symlink("/etc/passwd", &path).unwrap();
    assert_eq!(
        site.get("/file.txt").reason,
        Some("file.escapes"),
        "a link that leads out"
    );

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(site.get("/file.txt").status, 301, "a folder");
}

#[test]
fn a_file_written_twice_within_a_tick_is_never_stale() {
    let mut site = site();
    let path = site.dir.path().join("file.txt");
    for round in 0..200 {
        let content = format!("{round:03}");
        fs::write(&path, &content).unwrap();
        site.now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert_eq!(site.get("/file.txt").body, content);
    }
}

#[test]
fn a_file_that_is_replaced_meanwhile_is_sent_whole_as_one_or_the_other() {
    let site = site();
    let path = site.dir.path().join("file.txt");
    let contents = ["a".repeat(1000), "b".repeat(50_000)];
    fs::write(&path, &contents[0]).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..500 {
                site.dir.write("new", &contents[round % 2]);
                fs::rename(site.dir.path().join("new"), &path).unwrap();
            }
        });
        while !writer.is_finished() {
            let reply = site.get("/file.txt");
            assert!(contents.contains(&reply.body), "{} bytes", reply.body.len());
        }
    });
    assert_eq!(site.get("/file.txt").body, contents[1]);
}

#[test]
fn the_source_of_a_program_is_not_sent() {
    let mut site = site();
    site.dir.write("cgi-bin/prog.txt", "source");
    site.dir.write("cgi-bin-not/file.txt", "harmless");
    site.dir.write("dots/run.php.", "<?php secret");
    site.dir.write("dots/run.php. .", "<?php secret");
    site.dir.write("dots/RUN.PHP", "<?php secret");
    site.dir.link("cgi-bin", "alias");
    site.site.hidden = vec![site.dir.path().join("cgi-bin")];
    for target in [
        "/cgi-bin/prog.txt",
        "/cgi-bin/",
        "/cgi-bin",
        "/alias/prog.txt",
        "/alias/",
        "/dots/run.php.",
        "/dots/run.php.%20.",
        "/dots/RUN.PHP",
    ] {
        assert_eq!(outcome(&site.get(target)), (404, "file.hidden"), "{target}");
    }
    assert_eq!(site.get("/cgi-bin-not/file.txt").body, "harmless");
    assert_eq!(site.get("/file.txt").body, "0123456789");
}

#[test]
fn scripts_are_the_shortest_file_with_an_extension() {
    let site = site();
    site.dir.write("app/run.php5/x", "");
    site.dir.write("both/index.html", "");
    site.dir.write("both/index.php", "");
    site.dir.write(".hidden/x.php", "");
    site.dir.write(".well-known/x.php", "");
    let script = |path: &str, path_info: &str| {
        Some(Script {
            path: path.into(),
            path_info: path_info.into(),
        })
    };
    let cases = [
        ("app/run.php", script("app/run.php", "")),
        ("app/run.php/", script("app/run.php", "/")),
        (
            "app/run.php/more/b.php",
            script("app/run.php", "/more/b.php"),
        ),
        ("app/run.php/.dots", script("app/run.php", "/.dots")),
        ("app/x.php/inner.txt", None),
        ("app/x.php", None),
        ("app/x.php/missing.php", None),
        ("app/", script("app/index.php", "")),
        ("app", None),
        ("both/", None),
        ("docs/", None),
        ("", None),
        ("missing.php", None),
        ("file.txt", None),
        ("file.txt/x.php", None),
        ("up/x.php", None),
        (".hidden/x.php", None),
        (".well-known/x.php", script(".well-known/x.php", "")),
    ];
    for (rest, expected) in cases {
        assert_eq!(find_script(&site.site, rest.as_bytes()), expected, "{rest}");
    }
}

#[test]
fn what_is_kept_back_is_so_under_each_of_its_names() {
    let hidden = ["/srv/www/bin", "/srv/www/one.cgi"].map(PathBuf::from);
    let (is_hidden, is_copy) = (Some(Reason::FileHidden), Some(Reason::FileCopy));
    for (place, expected) in [
        ("/srv/www/bin", is_hidden),
        ("/srv/www/bin/form", is_hidden),
        ("/srv/www/bin/sub/form (deleted)", is_hidden),
        ("/srv/www/one.cgi", is_hidden),
        ("/srv/www/one.cgi (deleted)", is_hidden),
        // As a file system knows them that does not tell case, or drops dots at the end.
        ("/srv/www/BIN/form", is_hidden),
        ("/srv/www/bin./form", is_hidden),
        ("/srv/www/One.CGI", is_hidden),
        ("/srv/www/bin.old/form", is_copy),
        ("/srv/www/one.cgi~", is_copy),
        ("/srv/www/one.cgi.bak (deleted)", is_copy),
        ("/srv/www", None),
        ("/srv/www/bin2/form", None),
        ("/srv/www/sub/bin/form", None),
        ("/srv/www/one.cgi.txt", None),
        ("/srv/www/one", None),
        ("/", None),
    ] {
        assert_eq!(kept_back(Path::new(place), &hidden), expected, "{place}");
    }
}
