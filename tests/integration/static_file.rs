//! Files: what is sent of them, under which conditions, and which are not.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{Ended, PATIENCE, Response, Server, Site, eventually, request, run, skipped};

const PAGE: &[u8] = b"0123456789abcdefghij";

/// A site with `/page.txt` of twenty bytes, last modified long ago at a whole second.
fn site() -> Site {
    let site = Site::new();
    let path = site.file("www/page.txt", PAGE);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    site
}

const MODIFIED: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
const BEFORE: &str = "Sat, 08 Sep 2001 01:46:40 GMT";
const AFTER: &str = "Mon, 10 Sep 2001 01:46:40 GMT";

fn get(server: &Server, fields: &[&str]) -> Response {
    server.fetch("GET", "/page.txt", fields, b"")
}

#[test]
fn a_file_comes_with_its_length_type_and_validators() {
    let server = site().serve(&[]);
    let response = get(&server, &[]);
    assert_eq!(response.body, PAGE);
    assert_eq!(response.field("Content-Length"), Some("20"));
    assert_eq!(
        response.field("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(response.field("Last-Modified"), Some(MODIFIED));
    assert_eq!(response.field("Accept-Ranges"), Some("bytes"));
    let tag = response.field("ETag").unwrap();
    assert!(
        tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'),
        "not strong: {tag}"
    );
}

#[test]
fn an_empty_file_has_length_0() {
    let site = site();
    site.file("www/empty.txt", "");
    let response = site.serve(&[]).get("/empty.txt");
    assert_eq!(
        (response.status, response.field("Content-Length")),
        (200, Some("0"))
    );
}

#[test]
fn conditions_follow_the_precedence_of_rfc_9110() {
    let server = site().serve(&[]);
    let tag = get(&server, &[]).field("ETag").unwrap().to_string();
    let weak = format!("W/{tag}");
    let (match_it, match_other) = (
        format!("If-Match: {tag}"),
        "If-Match: \"other\"".to_string(),
    );
    let match_weak = format!("If-Match: {weak}");
    let none_it = format!("If-None-Match: {tag}");
    let none_weak = format!("If-None-Match: {weak}");
    let none_list = format!("If-None-Match: \"other\", {tag}");
    let none_other = "If-None-Match: \"other\"".to_string();
    let unmodified = |date: &str| format!("If-Unmodified-Since: {date}");
    let modified = |date: &str| format!("If-Modified-Since: {date}");

    for (fields, status) in [
        (vec![match_it.clone()], 200),
        (vec!["If-Match: *".to_string()], 200),
        (vec![match_other.clone()], 412),
        // If-Match compares strongly.
        (vec![match_weak], 412),
        (vec![none_it.clone()], 304),
        // If-None-Match compares weakly.
        (vec![none_weak], 304),
        (vec![none_list], 304),
        (vec!["If-None-Match: *".to_string()], 304),
        (vec![none_other.clone()], 200),
        (vec![unmodified(BEFORE)], 412),
        (vec![unmodified(MODIFIED)], 200),
        (vec![unmodified(AFTER)], 200),
        (vec![modified(BEFORE)], 200),
        (vec![modified(MODIFIED)], 304),
        (vec![modified(AFTER)], 304),
        (vec![modified("yesterday")], 200),
        // If-Match is there, so If-Unmodified-Since is not looked at.
        (vec![match_it.clone(), unmodified(BEFORE)], 200),
        // If-None-Match is there, so If-Modified-Since is not looked at.
        (vec![none_other, modified(AFTER)], 200),
        (vec![none_it.clone(), modified(BEFORE)], 304),
        // The refusal comes first.
        (vec![match_other, none_it], 412),
    ] {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        assert_eq!(get(&server, &fields).status, status, "{fields:?}");
    }
}

#[test]
fn conditions_do_not_count_where_there_is_no_file() {
    let server = site().serve(&[]);
    for condition in [
        "If-Match: \"x\"",
        "If-None-Match: *",
        "If-Modified-Since: Sun, 06 Nov 2044 08:49:37 GMT",
    ] {
        let response = server.fetch("GET", "/nowhere", &[condition], b"");
        assert_eq!(response.status, 404, "{condition}");
    }
}

#[test]
fn not_modified_has_the_validators_and_no_content() {
    let server = site().serve(&[]);
    let tag = get(&server, &[]).field("ETag").unwrap().to_string();
    let response = get(&server, &[&format!("If-None-Match: {tag}")]);
    assert_eq!(response.status, 304);
    assert_eq!(response.field("ETag"), Some(tag.as_str()));
    assert_eq!(response.field("Content-Type"), None);
}

#[test]
fn single_ranges() {
    let server = site().serve(&[]);
    for (range, content, content_range) in [
        ("bytes=0-4", &PAGE[0..5], "bytes 0-4/20"),
        ("bytes=5-5", &PAGE[5..6], "bytes 5-5/20"),
        ("bytes=15-", &PAGE[15..], "bytes 15-19/20"),
        ("bytes=-3", &PAGE[17..], "bytes 17-19/20"),
        ("bytes=10-999", &PAGE[10..], "bytes 10-19/20"),
        ("bytes=-999", PAGE, "bytes 0-19/20"),
    ] {
        let response = get(&server, &[&format!("Range: {range}")]);
        assert_eq!(response.status, 206, "{range}");
        assert_eq!(response.body, content, "{range}");
        assert_eq!(
            response.field("Content-Range"),
            Some(content_range),
            "{range}"
        );
    }
}

#[test]
fn several_ranges_come_as_parts() {
    let server = site().serve(&[]);
    let response = get(&server, &["Range: bytes=0-1, 10-11, -1"]);
    assert_eq!(response.status, 206);
    assert_eq!(response.field("Content-Range"), None);
    let kind = response.field("Content-Type").unwrap();
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap()
        .trim_matches('"');
    let text = response.text();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(
        parts.len(),
        5,
        "a preamble, three parts and the end: {text:?}"
    );
    assert_eq!(parts[4].trim_end(), "--");
    for (part, range, content) in [
        (parts[1], "bytes 0-1/20", "01"),
        (parts[2], "bytes 10-11/20", "ab"),
        (parts[3], "bytes 19-19/20", "j"),
    ] {
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Range: {range}")),
            "{head:?}"
        );
        assert!(
            head.contains("Content-Type: text/plain; charset=utf-8"),
            "{head:?}"
        );
        assert_eq!(body, format!("{content}\r\n"));
    }
}

#[test]
fn a_range_past_the_end_is_416() {
    let server = site().serve(&[]);
    for range in ["bytes=20-", "bytes=20-30", "bytes=-0", "bytes=30-40, 50-60"] {
        let response = get(&server, &[&format!("Range: {range}")]);
        assert_eq!(response.status, 416, "{range}");
        assert_eq!(
            response.field("Content-Range"),
            Some("bytes */20"),
            "{range}"
        );
    }
}

#[test]
fn a_range_that_is_none_is_not_looked_at() {
    let server = site().serve(&[]);
    for range in [
        "bytes=4-2",
        "bytes=a-b",
        "bytes=",
        "lines=1-2",
        "bytes 0-1",
        "bytes=+1-2",
    ] {
        let response = get(&server, &[&format!("Range: {range}")]);
        assert_eq!(
            (response.status, response.body.as_slice()),
            (200, PAGE),
            "{range}"
        );
    }
    let posted = server.fetch("HEAD", "/page.txt", &["Range: bytes=0-1"], b"");
    // RFC 9110 section 14.2: Range is defined for GET alone.
    assert_eq!(posted.status, 200);
}

#[test]
fn many_ranges_are_not_worth_more_than_the_file() {
    let server = site().serve(&[]);
    let ranges = vec!["0-"; 1000].join(",");
    let response = get(&server, &[&format!("Range: bytes={ranges}")]);
    assert!(
        matches!(response.status, 200 | 206 | 416),
        "{}",
        response.status
    );
    assert!(
        response.body.len() <= 2 * PAGE.len(),
        "{} bytes",
        response.body.len()
    );
}

#[test]
fn if_range_asks_for_the_part_only_of_the_same_file() {
    let server = site().serve(&[]);
    let tag = get(&server, &[]).field("ETag").unwrap().to_string();
    for (validator, status) in [
        (tag.clone(), 206),
        ("\"other\"".to_string(), 200),
        (format!("W/{tag}"), 200),
        (MODIFIED.to_string(), 206),
        (AFTER.to_string(), 200),
        (BEFORE.to_string(), 200),
    ] {
        let response = get(
            &server,
            &["Range: bytes=0-1", &format!("If-Range: {validator}")],
        );
        assert_eq!(response.status, status, "{validator}");
    }
}

#[test]
fn methods_but_get_and_head_are_405_with_allow() {
    let server = site().serve(&[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "get"] {
        let response = server.fetch(method, "/page.txt", &[], b"");
        assert_eq!(response.status, 405, "{method}");
        let allowed = response.field("Allow").unwrap();
        assert!(
            allowed.contains("GET") && allowed.contains("HEAD"),
            "{allowed}"
        );
    }
    server.expect_access("/page.txt", 405, "file.method");
}

#[test]
fn options_of_a_file_names_the_methods() {
    let server = site().serve(&[]);
    let response = server.fetch("OPTIONS", "/page.txt", &[], b"");
    assert!(matches!(response.status, 200 | 204), "{response:?}");
    assert!(response.field("Allow").unwrap().contains("GET"));
}

#[test]
fn types_by_extension_with_a_charset_for_text() {
    let site = Site::new();
    let kinds = [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.svg", "image/svg+xml"),
        ("a.pdf", "application/pdf"),
        ("a.wasm", "application/wasm"),
        ("A.HTML", "text/html; charset=utf-8"),
        ("no-extension", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
    ];
    for (name, _) in kinds {
        site.file(&format!("www/{name}"), "x");
    }
    site.file("www/a.js", "x");
    site.file("www/a.json", "{}");
    let server = site.serve(&[]);
    for (name, kind) in kinds {
        assert_eq!(
            server.get(&format!("/{name}")).field("Content-Type"),
            Some(kind),
            "{name}"
        );
    }
    let script = server.get("/a.js");
    assert!(script.field("Content-Type").unwrap().contains("javascript"));
    let json = server.get("/a.json");
    assert!(
        json.field("Content-Type")
            .unwrap()
            .starts_with("application/json")
    );
}

#[test]
fn a_folder_shows_its_index() {
    let site = site();
    site.file("www/index.html", "root index");
    site.file("www/sub/index.html", "sub index");
    let server = site.serve(&[]);
    for (target, text) in [
        ("/", "root index"),
        ("/sub/", "sub index"),
        ("/sub/?q", "sub index"),
    ] {
        let response = server.get(target);
        assert_eq!(response.text(), text);
        assert_eq!(
            response.field("Content-Type"),
            Some("text/html; charset=utf-8")
        );
    }
}

#[test]
fn the_names_of_index_files_can_be_given() {
    let site = site();
    site.file("www/default.htm", "by another name");
    let server = site.serve(&["--index", "index.html,default.htm"]);
    assert_eq!(server.get("/").text(), "by another name");
}

#[test]
fn a_folder_without_a_slash_is_redirected_with_its_query() {
    let site = site();
    site.file("www/a b/sub/index.html", "index");
    let server = site.serve(&[]);
    for (target, location) in [
        ("/a%20b", "/a%20b/"),
        ("/a%20b/sub", "/a%20b/sub/"),
        ("/a%20b/sub?x=1&y=%2F", "/a%20b/sub/?x=1&y=%2F"),
        // Were the first slashes kept, the browser would go to the host "a b".
        ("//a%20b", "/a%20b/"),
    ] {
        let response = server.get(target);
        assert_eq!(response.status, 301, "{target}");
        let found = response.field("Location").unwrap();
        let path = found.strip_prefix("http://tollgate.test").unwrap_or(found);
        assert_eq!(path, location, "{target}");
    }
}

#[test]
fn a_folder_is_listed_only_when_asked_for() {
    let build = || {
        let site = site();
        site.file("www/list/b & <c>.txt", "x");
        site.file("www/list/a.txt", "x");
        site.file("www/list/.hidden", "x");
        fs::create_dir(site.path("www/list/folder")).unwrap();
        site
    };
    let server = build().serve(&[]);
    assert_eq!(server.get("/list/").status, 403);
    server.expect_access("/list/", 403, "file.folder");

    let server = build().serve(&["--listing"]);
    let response = server.get("/list/");
    assert_eq!(
        response.field("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    let page = response.text();
    let at = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("no {text:?} in {page}"))
    };
    assert!(at("a.txt") < at("b%20%26%20%3Cc%3E.txt"), "{page}");
    assert!(!page.contains("<c>"), "{page}");
    at("folder/");
    assert!(!page.contains(".hidden"), "{page}");
    // The links lead where they say.
    assert_eq!(server.get("/list/b%20%26%20%3Cc%3E.txt").text(), "x");
}

#[test]
fn names_that_begin_with_a_dot_are_not_there() {
    let site = site();
    site.file("www/.git/config", "secret");
    site.file("www/.env", "secret");
    site.file("www/sub/.htpasswd", "secret");
    site.file("www/.well-known/security.txt", "Contact: us");
    let server = site.serve(&["--listing"]);
    for target in [
        "/.git/config",
        "/.env",
        "/sub/.htpasswd",
        "/%2eenv",
        "/.git/",
        "/.git",
    ] {
        let response = server.get(target);
        assert_eq!(response.status, 404, "{target}");
        assert!(!response.text().contains("secret"), "{target}");
    }
    assert_eq!(
        server.get("/.well-known/security.txt").text(),
        "Contact: us"
    );
}

#[test]
fn no_spelling_of_a_path_leaves_the_root() {
    let site = site();
    site.file("secret.txt", "secret");
    let server = site.serve(&[]);
    for target in [
        "/../secret.txt",
        "/../../../../../../../../etc/passwd",
        "/%2e%2e/secret.txt",
        "/%2E%2e/%2e%2E/etc/passwd",
        "/.%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/x/../../secret.txt",
        "/./../secret.txt",
        "//../secret.txt",
        "/page.txt/../../secret.txt",
        "/%252e%252e/secret.txt",
        "/..;/secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/..%00/secret.txt",
        "//etc/passwd",
        "/../access.log",
    ] {
        let response = server.get(target);
        assert!(
            matches!(response.status, 400 | 403 | 404),
            "{target}: {response:?}"
        );
        let page = String::from_utf8_lossy(&response.body).into_owned();
        assert!(
            page != "secret" && !page.contains("root:"),
            "{target}: {page}"
        );
    }
}

#[test]
fn dot_segments_inside_the_root_are_resolved() {
    let server = site().serve(&[]);
    for target in [
        "/./page.txt",
        "/sub/../page.txt",
        "//page.txt",
        "/%70age.txt",
    ] {
        assert_eq!(server.get(target).body, PAGE, "{target}");
    }
}

#[test]
fn a_file_has_no_path_below_it() {
    let server = site().serve(&[]);
    for target in ["/page.txt/", "/page.txt/more"] {
        assert_eq!(server.get(target).status, 404, "{target}");
    }
}

#[test]
fn a_link_that_leaves_the_root_is_refused_unless_followed() {
    let build = || {
        let site = site();
        site.file("outside/file.txt", "outside");
        symlink("../outside/file.txt", site.path("www/relative")).unwrap();
        symlink(site.path("outside/file.txt"), site.path("www/absolute")).unwrap();
        symlink("../outside", site.path("www/folder")).unwrap();
        symlink("page.txt", site.path("www/inside")).unwrap();
        site
    };
    let server = build().serve(&[]);
    for target in ["/relative", "/absolute", "/folder/file.txt"] {
        let response = server.get(target);
        assert_eq!(response.status, 403, "{target}");
        server.expect_access(target, 403, "file.escapes");
    }
    assert_eq!(server.get("/inside").body, PAGE);

    let server = build().serve(&["--follow-symlinks"]);
    for target in ["/relative", "/absolute", "/folder/file.txt"] {
        assert_eq!(server.get(target).text(), "outside", "{target}");
    }
}

#[test]
fn what_is_no_file_is_refused_and_holds_nobody_up() {
    let site = site();
    let fifo = site.path("www/fifo");
    assert!(run(Command::new("mkfifo").arg(&fifo)).status.success());
    let _socket = std::os::unix::net::UnixListener::bind(site.path("www/socket")).unwrap();
    let server = site.serve(&["--threads", "2"]);
    for target in ["/fifo", "/fifo", "/fifo", "/socket"] {
        assert_eq!(server.get(target).status, 403, "{target}");
    }
    server.expect_access("/fifo", 403, "file.not-regular");
}

#[test]
fn precompressed_neighbours_are_sent_to_those_who_accept_them() {
    let site = site();
    site.file("www/app.js", "plain");
    site.file("www/app.js.gz", "gzipped");
    site.file("www/app.js.br", "brotli");
    let server = site.serve(&[]);
    for (accepted, coding, content) in [
        ("gzip", Some("gzip"), "gzipped"),
        ("br", Some("br"), "brotli"),
        ("gzip;q=0", None, "plain"),
        ("identity", None, "plain"),
        ("zstd", None, "plain"),
    ] {
        let field = format!("Accept-Encoding: {accepted}");
        let response = server.fetch("GET", "/app.js", &[&field], b"");
        assert_eq!(response.text(), content, "{accepted}");
        assert_eq!(response.field("Content-Encoding"), coding, "{accepted}");
        assert!(
            response
                .field("Content-Type")
                .unwrap()
                .contains("javascript"),
            "{accepted}"
        );
        let vary = response.field("Vary").unwrap();
        assert!(
            vary.eq_ignore_ascii_case("Accept-Encoding"),
            "{accepted}: {vary}"
        );
    }
    let plain = server.get("/app.js");
    let tag = plain.field("ETag").unwrap().to_string();
    assert_eq!(plain.text(), "plain");
    let zipped = server.fetch("GET", "/app.js", &["Accept-Encoding: gzip"], b"");
    assert_ne!(
        zipped.field("ETag"),
        Some(tag.as_str()),
        "two contents, one strong tag"
    );
}

#[test]
fn an_own_page_for_an_error() {
    let site = site();
    site.file("www/404.html", "<h1>our own page</h1>");
    let server = site.serve(&[]);
    let response = server.get("/none");
    assert_eq!(response.status, 404);
    assert_eq!(response.text(), "<h1>our own page</h1>");
    assert_eq!(
        response.field("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(response.field("ETag"), None, "an error has no validator");
}

#[test]
fn an_error_page_is_short_and_tells_the_status() {
    let server = site().serve(&[]);
    let response = server.fetch("GET", "/<none>&", &["Accept: text/html"], b"");
    assert_eq!(response.status, 404);
    let page = response.text();
    assert!(page.contains("404") && page.len() < 4096, "{page}");
    assert!(
        !page.contains("<none>"),
        "the request is in the page, unescaped: {page}"
    );
    server.expect_access("/<none>&", 404, "file.not-found");
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_leaves_a_response_that_is_cut() {
    let site = site();
    let file = site.file("www/big", vec![b'x'; 64 << 20]);
    let server = site.serve(&[]);
    let mut client = server.connect();
    client.send(request("GET", "/big", &[], b""));
    client.wait_for("\r\n\r\nx");
    // What is on its way already is far less than this.
    fs::OpenOptions::new()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(40 << 20)
        .unwrap();
    assert_eq!(client.read_response("GET").ended, Ended::Cut);
    server.wait_for_access("file.shrunk");
}

#[test]
fn a_big_file_arrives_whole() {
    let content: Vec<u8> = (0..20_u32 << 18)
        .flat_map(|word| word.to_le_bytes())
        .collect();
    assert_eq!(content.len(), 20 << 20);
    let site = site();
    site.file("www/big", &content);
    let server = site.serve(&[]);
    let response = server.get("/big");
    assert!(
        response.body == content,
        "{} bytes came",
        response.body.len()
    );
    let (first, last) = (12_345_678, 18_765_432);
    let range = format!("Range: bytes={first}-{last}");
    let part = server.fetch("GET", "/big", &[&range], b"");
    assert!(
        part.body == content[first..=last],
        "{} bytes came",
        part.body.len()
    );
}

#[test]
fn a_file_is_never_stale() {
    let server = site().serve(&[]);
    let mut client = server.connect();
    for number in 0..20 {
        // The same length each time, and within one tick of a coarse clock.
        let content = format!("content {number:02}");
        server.file("www/page.txt", &content);
        client.send(crate::support::request("GET", "/page.txt", &[], b""));
        assert_eq!(client.read_response("GET").text(), content);
    }
    fs::remove_file(server.path("www/page.txt")).unwrap();
    assert_eq!(get(&server, &[]).status, 404);
}

#[test]
fn a_file_that_may_not_be_read_is_403() {
    use std::os::unix::fs::PermissionsExt;
    let site = site();
    let path = site.file("www/secret.txt", "secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&path).is_ok() {
        skipped(
            "a_file_that_may_not_be_read_is_403",
            "root may read everything",
        );
        return;
    }
    let server = site.serve(&[]);
    assert_eq!(server.get("/secret.txt").status, 403);
}

#[test]
fn a_folder_that_may_only_be_searched_leads_to_its_index() {
    use std::os::unix::fs::PermissionsExt;
    let site = site();
    let index = site.file("www/home/index.html", "home");
    let folder = index.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o311)).unwrap();
    if fs::read_dir(folder).is_ok() {
        skipped(
            "a_folder_that_may_only_be_searched_leads_to_its_index",
            "root may read everything",
        );
        return;
    }
    let server = site.serve(&["--listing"]);
    assert_eq!(server.get("/home/").text(), "home");
    assert_eq!(server.get("/home").field("Location"), Some("/home/"));
    fs::remove_file(&index).unwrap();
    assert_eq!(server.get("/home/").status, 403);
    // So that it can be cleared away.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_folder_of_programs_is_never_served_as_files() {
    let site = site();
    site.script("www/cgi-bin/secret.sh", "#!/bin/sh\necho source\n");
    let server = site.serve(&[]);
    // The CGI route is the longer prefix, whatever lies below www.
    let response = server.get("/cgi-bin/secret.sh");
    assert_eq!(response.status, 404);
    assert!(!response.text().contains("echo"));
}

/// What is remembered of a file for one request must not answer another behind a program that changed it.
#[test]
fn a_file_that_a_program_changes_between_pipelined_requests_is_sent_as_it_is() {
    let site = site();
    site.script(
        "cgi-bin/change",
        "#!/bin/sh\necho changed > ../www/page.txt\nprintf 'X: y\\n\\n'\n",
    );
    let server = site.serve(&[]);
    // It is kept in memory once it has rested.
    let changed = fs::metadata(server.path("www/page.txt")).unwrap().ctime();
    let now = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
    };
    assert!(eventually(PATIENCE, || now().as_secs().cast_signed() > changed + 3));
    assert_eq!(get(&server, &[]).body, PAGE);
    let requests = ["/page.txt", "/cgi-bin/change", "/page.txt"];
    let bytes = requests
        .map(|target| request("GET", target, &[], b""))
        .concat();
    let mut client = server.connect();
    client.send(bytes);
    assert_eq!(client.read_response("GET").body, PAGE);
    assert_eq!(client.read_response("GET").body, b"");
    assert_eq!(client.read_response("GET").body, b"changed\n");
}
