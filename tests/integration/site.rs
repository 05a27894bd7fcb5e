//! The repository's own site: every page and asset is there, every link leads somewhere, and every
//! program in `cgi-bin/` does what the pages say of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;

use crate::support::{Response, Server, Site, installed, request, skipped};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Takes ten seconds to arrive, so it is asked for once, where that is what is tested.
const CLOCK: &str = "clock.sh";

/// Serves the repository's own folders; what the programs keep goes to a folder of the test's.
fn serve(arguments: &[&str]) -> Server {
    let site = Site::bare();
    let book = format!("GUESTBOOK_DB={}", site.text("book.sqlite"));
    let files = format!("/={REPOSITORY}/www");
    let programs = format!("/cgi-bin/={REPOSITORY}/cgi-bin");
    let routes = ["-s", &files, "-c", &programs, "-e", &book];
    site.serve(&[&routes, arguments].concat())
}

/// The names of the files in a folder of the repository, but for what is hidden.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(REPOSITORY).join(folder)).unwrap();
    entries
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// The files of the site, by their paths below `www`.
fn pages() -> BTreeSet<String> {
    let lessons = names("www/learn");
    let lessons = lessons.iter().map(|name| format!("learn/{name}"));
    names("www").into_iter().chain(lessons).collect()
}

/// Whether the program of this name can run here.
#[track_caller]
fn is_here(test: &str, program: &str) -> bool {
    match program.rsplit_once('.') {
        Some((_, "py")) => installed(test, "python3").is_some(),
        Some((_, "pl")) => installed(test, "perl").is_some(),
        Some(_) => true,
        None if Path::new(REPOSITORY).join("cgi-bin").join(program).exists() => true,
        None => {
            skipped(test, &format!("`make {program}` has not built it"));
            false
        }
    }
}

fn type_of(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "txt")) => "text/plain; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => panic!("{name}: which type should it have?"),
    }
}

/// The addresses that a page at `base` (a path that ends in a slash) names on this server, without
/// fragments.
fn links(page: &str, base: &str) -> BTreeSet<String> {
    let values = ["href=\"", "src=\"", "action=\""].map(|attribute| {
        let rests = page.split(attribute).skip(1);
        rests.filter_map(|rest| Some(rest.split_once('"')?.0))
    });
    let targets = values.into_iter().flatten().filter_map(|value| {
        let target = value.split('#').next()?.replace("&amp;", "&");
        match target.as_str() {
            "" => None,
            _ if target.contains(':') => None,
            _ if target.starts_with('/') => Some(target),
            _ => Some(format!("{base}{target}")),
        }
    });
    targets.collect()
}

fn post_form(server: &Server, target: &str, form: &str) -> Response {
    let fields = ["Content-Type: application/x-www-form-urlencoded"];
    server.fetch("POST", target, &fields, form.as_bytes())
}

#[test]
fn every_file_comes_with_its_type() {
    let server = serve(&[]);
    for name in pages() {
        let response = server.get(&format!("/{name}"));
        assert_eq!(response.status, 200, "{name}");
        assert_eq!(response.field("Content-Type"), Some(type_of(&name)));
        let file = Path::new(REPOSITORY).join("www").join(&name);
        assert_eq!(response.body, fs::read(file).unwrap(), "{name}");
    }
    for folder in ["/", "/learn/"] {
        let index = server.get(&format!("{folder}index.html"));
        assert_eq!(server.get(folder).body, index.body);
    }
    let missing = server.fetch("GET", "/no-such-page", &["Accept: text/html"], b"");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.body, server.get("/404.html").body);
}

#[test]
fn every_link_leads_somewhere() {
    const TEST: &str = "every_link_leads_somewhere";
    // As `make run` serves it.
    let toll = format!("/toll/=exec:{REPOSITORY}/cgi-bin/toll.py");
    let has_toll = cfg!(feature = "fastcgi") && is_here(TEST, "toll.py");
    let server = match has_toll {
        true => serve(&["--fastcgi", &toll]),
        false => serve(&[]),
    };
    let mut targets = BTreeSet::from(["/".to_string()]);
    let mut seen = BTreeSet::new();
    while let Some(target) = targets.pop_first() {
        let path = target.split('?').next().unwrap().to_string();
        let program = path.strip_prefix("/cgi-bin/");
        let program = program.and_then(|rest| rest.split('/').next());
        if path.starts_with("/toll/") && !has_toll {
            continue;
        }
        if program.is_some_and(|name| name == CLOCK || !is_here(TEST, name)) {
            continue;
        }
        let response = server.get(&target);
        assert!(
            matches!(response.status, 200 | 302),
            "{target}: {response:?}"
        );
        seen.insert(target);
        if response
            .field("Content-Type")
            .is_some_and(|it| it.contains("html"))
        {
            let base = &path[..=path.rfind('/').unwrap()];
            let found = links(&response.text(), base);
            targets.extend(found.difference(&seen).cloned());
        }
    }
    for name in pages() {
        // Nothing links to these: the index is `/`, the rest is for errors and robots.
        let is_unlinked = [
            "index.html",
            "learn/index.html",
            "404.html",
            "robots.txt",
            "arrived.html",
        ];
        assert!(
            is_unlinked.contains(&name.as_str()) || seen.contains(&format!("/{name}")),
            "nothing leads to {name}"
        );
    }
}

#[test]
fn every_program_answers() {
    const TEST: &str = "every_program_answers";
    let server = serve(&[]);
    for name in names("cgi-bin") {
        if [CLOCK, "redirect.sh"].contains(&name.as_str()) || !is_here(TEST, &name) {
            continue;
        }
        let response = server.get(&format!("/cgi-bin/{name}"));
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        assert_eq!(
            response.field("Content-Type"),
            Some("text/html; charset=utf-8")
        );
        assert!(response.text().ends_with("</html>\n"), "{name}");
        assert!(!server.log().contains(&name), "{}", server.log());
    }
}

#[test]
fn a_program_whose_interpreter_is_missing_says_so() {
    let server = serve(&["-e", "PATH=/nowhere"]);
    for name in names("cgi-bin") {
        let language = match name.rsplit_once('.') {
            Some((_, "py")) => "python3",
            Some((_, "pl")) => "perl",
            _ => continue,
        };
        let response = server.get(&format!("/cgi-bin/{name}"));
        assert_eq!(response.status, 501, "{name}");
        assert!(response.text().contains(language), "{name}");
    }
}

#[test]
fn the_environment_is_shown_with_path_and_query() {
    if !is_here("the_environment_is_shown_with_path_and_query", "env.py") {
        return;
    }
    let page = serve(&[])
        .get("/cgi-bin/env.py/some/path?colour=red")
        .text();
    for cell in [
        "PATH_INFO</th><td>/some/path<",
        "QUERY_STRING</th><td>colour=red<",
    ] {
        assert!(page.contains(cell), "{cell}: {page}");
    }
}

#[test]
fn the_form_escapes_what_was_sent() {
    if !is_here("the_form_escapes_what_was_sent", "form.py") {
        return;
    }
    let server = serve(&[]);
    let form = "name=%3Cscript%3Ealert(1)%3C/script%3E&word=J%C3%BCrgen+%26+co";
    let got = server.get(&format!("/cgi-bin/form.py?{form}")).text();
    let posted = post_form(&server, "/cgi-bin/form.py", form).text();
    for page in [got, posted] {
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("Jürgen &amp; co"));
        assert!(!page.contains("<script"), "{page}");
    }
}

#[test]
fn an_upload_is_measured_and_hashed() {
    if !is_here("an_upload_is_measured_and_hashed", "upload.py") {
        return;
    }
    let head =
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"<a>.txt\"\r\n\r\n";
    let fields = ["Content-Type: multipart/form-data; boundary=edge"];
    let server = serve(&[]);
    let send = |end: &str| {
        let body = [head.as_bytes(), &[b'a'; 1_000_000], end.as_bytes()].concat();
        server.fetch("POST", "/cgi-bin/upload.py", &fields, &body)
    };
    // FIPS 180-2 gives this sum of a million times "a".
    let sum = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    for end in [
        "\r\n--edge--\r\n",
        "\r\n--edge--",
        "\r\n--edge--\r\nepilogue",
    ] {
        let page = send(end).text();
        for part in [sum, "1,000,000 bytes", "&lt;a&gt;.txt"] {
            assert!(page.contains(part), "{end:?}: {part}: {page}");
        }
    }
    for cut in ["", "\r\n--edg", "\r\n--edge", "\r\n--edge\r\nX: y"] {
        assert_eq!(send(cut).status, 400, "{cut:?}");
    }
}

#[test]
fn the_redirect_goes_both_ways() {
    let server = serve(&[]);
    let sent = server.get("/cgi-bin/redirect.sh");
    assert_eq!(sent.status, 302);
    assert_eq!(
        sent.field("Location"),
        Some("http://tollgate.test/arrived.html")
    );
    let local = server.get("/cgi-bin/redirect.sh?local");
    assert_eq!(local.status, 200);
    assert_eq!(local.body, server.get("/arrived.html").body);
}

#[test]
fn the_cookie_counts() {
    let server = serve(&[]);
    for (cookie, visits) in [
        ("other=1", 1),
        ("tollgate_visits=1", 2),
        ("other=7; tollgate_visits=41", 42),
        ("tollgate_visits=999999", 1_000_000),
        ("tollgate_visits=1000000", 1),
        ("tollgate_visits=$(id)", 1),
        ("tollgate_visits=*", 1),
        ("tollgate_visits=08", 1),
    ] {
        let fields = [format!("Cookie: {cookie}")];
        let response = server.fetch("GET", "/cgi-bin/cookie.sh", &[&fields[0]], b"");
        let set = response.field("Set-Cookie").unwrap();
        let expected = format!("tollgate_visits={visits};");
        assert!(set.starts_with(&expected), "{cookie}: {set}");
        let heading = format!("<h1>Visit number {visits}</h1>");
        assert!(response.text().contains(&heading), "{cookie}");
    }
}

#[test]
fn the_guestbook_keeps_fifty_entries_written_at_once() {
    const TEST: &str = "the_guestbook_keeps_fifty_entries_written_at_once";
    if !is_here(TEST, "guestbook.py") {
        return;
    }
    let server = serve(&[]);
    let guest = |number| format!("guest {number}'); --<{number}>");
    thread::scope(|scope| {
        for number in 0..50 {
            let (server, name) = (&server, guest(number).replace(' ', "+"));
            scope.spawn(move || {
                let form = format!("name={name}&words=hello");
                let response = post_form(server, "/cgi-bin/guestbook.py", &form);
                assert_eq!(response.status, 303, "{}", response.text());
                assert_eq!(
                    response.field("Location"),
                    Some("http://tollgate.test/cgi-bin/guestbook.py")
                );
            });
        }
    });
    let page = server.get("/cgi-bin/guestbook.py").text();
    assert!(page.contains("50 signed so far"), "{page}");
    for number in 0..50 {
        let name = guest(number).replace('<', "&lt;").replace('>', "&gt;");
        let name = name.replace('\'', "&#x27;");
        assert!(page.contains(&name), "{name}: {page}");
    }
}

#[test]
fn the_clock_arrives_line_by_line_and_ends_with_its_reader() {
    let server = serve(&[]);
    let mut client = server.connect();
    client.send(request("GET", &format!("/cgi-bin/{CLOCK}"), &[], b""));
    client.wait_for("UTC</li>");
    let seen = String::from_utf8_lossy(client.pending()).into_owned();
    assert!(!seen.contains("</ol>"), "all came at once: {seen}");
    client.reset();
    server.wait_until_childless();
}
