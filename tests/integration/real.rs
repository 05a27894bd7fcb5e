//! Software that people use, unchanged: curl and git as clients; git-http-backend, gitweb, php-cgi,
//! CGI.pm and wsgiref as programs. A test whose program is not installed says so and is skipped,
//! except with `CI=true`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Ran, Server, Site, installed, not_installed, run};

/// Runs the program, which has to succeed; what it printed.
#[track_caller]
fn succeed(command: &mut Command) -> String {
    let ran = run(command);
    assert!(ran.status.success(), "{command:?}: {ran:?}");
    ran.stdout
}

fn curl(arguments: &[&str]) -> Ran {
    // -q: whatever ~/.curlrc says.
    run(Command::new("curl")
        .args(["-q", "-sS", "--noproxy", "*", "--max-time", "15"])
        .args(arguments))
}

fn site_with_page() -> Site {
    let site = Site::new();
    site.file("www/page.txt", "0123456789");
    site
}

#[test]
fn curl_gets_heads_and_takes_ranges() {
    if installed("curl_gets_heads_and_takes_ranges", "curl").is_none() {
        return;
    }
    let server = site_with_page().serve(&[]);
    let page = server.url("/page.txt");
    assert_eq!(curl(&[&page]).stdout, "0123456789");
    assert_eq!(curl(&["--http1.0", &page]).stdout, "0123456789");
    assert_eq!(curl(&["-r", "2-4", &page]).stdout, "234");
    assert_eq!(
        curl(&["-H", "Connection: close", &page, &page]).stdout,
        "01234567890123456789"
    );
    let head = curl(&["-I", &page]).stdout;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Length: 10\r\n"), "{head}");
    let code = curl(&[
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        &server.url("/none"),
    ]);
    assert_eq!(code.stdout, "404");
    // The second transfer goes over the same connection.
    let reused = curl(&[
        "-w",
        "%{num_connects} ",
        "-o",
        "/dev/null",
        "-o",
        "/dev/null",
        &page,
        &page,
    ]);
    assert_eq!(reused.stdout, "1 0 ");
}

#[test]
fn curl_posts_and_uploads() {
    if installed("curl_posts_and_uploads", "curl").is_none() {
        return;
    }
    let site = Site::new();
    let upload = site.file("upload", "u".repeat(2 << 20));
    let server = site.serve(&[]);
    let url = server.url("/cgi-bin/probe/stdin");
    assert_eq!(
        curl(&["-d", "a=1&b=2", &url]).stdout,
        "told 7, read 7\na=1&b=2"
    );
    let upload = upload.to_str().unwrap();
    for coding in ["Transfer-Encoding: chunked", "X-None: 1"] {
        // curl asks for 100 Continue by itself for bodies of this size.
        let ran = curl(&["-T", upload, "-H", coding, &url]);
        assert!(
            ran.stdout.starts_with("told 2097152, read 2097152\nuuu"),
            "{coding}: {ran:?}"
        );
        assert_eq!(
            ran.stdout.len(),
            "told 2097152, read 2097152\n".len() + (2 << 20)
        );
    }
    let form = curl(&["-F", "name=value", "-F", &format!("file=@{upload}"), &url]);
    assert!(form.stdout.contains("name=\"file\"; filename=\"upload\""));
}

#[test]
fn curl_sees_that_a_response_is_cut() {
    if installed("curl_sees_that_a_response_is_cut", "curl").is_none() {
        return;
    }
    let server = Server::start(&["--cgi-timeout", "0.5"]);
    let ran = curl(&[&server.url("/cgi-bin/probe/gate?file=/never")]);
    assert!(!ran.status.success(), "{ran:?}");
}

/// git, free of the settings of whoever runs the tests.
fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    command
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "A Tester");
        command.env(format!("GIT_{role}_EMAIL"), "tester@example.test");
    }
    command
}

/// A site with `repos/project.git`, which has one commit on `main` and may be pushed to.
fn site_with_repository() -> Site {
    let site = Site::new();
    let first = site.file("first/README", "hello\n");
    let first = first.parent().unwrap();
    fs::create_dir(site.path("repos")).unwrap();
    let bare = site.text("repos/project.git");
    succeed(&mut git(first, &["init", "-q", "-b", "main"]));
    succeed(&mut git(first, &["add", "."]));
    succeed(&mut git(first, &["commit", "-q", "-m", "The first commit"]));
    succeed(&mut git(first, &["clone", "-q", "--bare", ".", &bare]));
    succeed(&mut git(
        Path::new(&bare),
        &["config", "http.receivepack", "true"],
    ));
    site
}

#[test]
fn git_clones_fetches_and_pushes() {
    const TEST: &str = "git_clones_fetches_and_pushes";
    if installed(TEST, "git").is_none() {
        return;
    }
    let exec_path = succeed(Command::new("git").arg("--exec-path"));
    let backend = Path::new(exec_path.trim()).join("git-http-backend");
    if !backend.exists() {
        return not_installed(TEST, "git-http-backend");
    }
    let site = site_with_repository();
    let route = format!("/git/={}", backend.display());
    let root = format!("GIT_PROJECT_ROOT={}", site.text("repos"));
    let server = site.serve(&["-c", &route, "-e", &root, "-e", "GIT_HTTP_EXPORT_ALL=1"]);
    let url = server.url("/git/project.git");

    let here = server.path("");
    succeed(&mut git(&here, &["clone", "-q", &url, "one"]));
    succeed(&mut git(&here, &["clone", "-q", &url, "two"]));
    let (one, two) = (server.path("one"), server.path("two"));
    assert_eq!(fs::read_to_string(one.join("README")).unwrap(), "hello\n");

    // More than http.postBuffer, so git sends it chunked; and nothing that can be compressed.
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(3 << 20)
    .collect();
    fs::write(one.join("noise"), &noise).unwrap();
    succeed(&mut git(&one, &["add", "."]));
    succeed(&mut git(&one, &["commit", "-q", "-m", "Noise"]));
    succeed(&mut git(&one, &["push", "-q", "origin", "main"]));

    succeed(&mut git(&two, &["fetch", "-q", "origin"]));
    succeed(&mut git(&two, &["merge", "-q", "--ff-only", "origin/main"]));
    assert!(fs::read(two.join("noise")).unwrap() == noise);
    let refused = run(&mut git(
        &here,
        &["clone", "-q", &server.url("/git/none.git"), "none"],
    ));
    assert!(!refused.status.success());
}

#[test]
fn gitweb_shows_a_repository() {
    const TEST: &str = "gitweb_shows_a_repository";
    let gitweb = Path::new("/usr/share/gitweb/gitweb.cgi");
    if installed(TEST, "git").is_none() || installed(TEST, &gitweb.to_string_lossy()).is_none() {
        return;
    }
    let site = site_with_repository();
    let settings = site.file(
        "gitweb.conf",
        format!("$projectroot = '{}';\n1;\n", site.text("repos")),
    );
    let route = format!("/gitweb/={}", gitweb.display());
    let variable = format!("GITWEB_CONFIG={}", settings.display());
    let server = site.serve(&["-c", &route, "-e", &variable]);
    let list = server.get("/gitweb/");
    assert_eq!(list.status, 200, "{list:?}\n{}", server.log());
    assert!(list.text().contains("project.git"));
    let log = server.get("/gitweb/?p=project.git;a=log").text();
    assert!(log.contains("The first commit"), "{log}");
    let summary = server.get("/gitweb/project.git").text();
    assert!(summary.contains("The first commit"), "{summary}");
}

#[test]
fn php_runs_as_an_extension_route() {
    let Some(php) = installed("php_runs_as_an_extension_route", "php-cgi") else {
        return;
    };
    let site = Site::new();
    site.file(
        "www/page.php",
        "<?php header('X-Php: yes'); setcookie('a', '1'); setcookie('b', '2');\n\
         echo $_SERVER['SCRIPT_NAME'], '|', $_SERVER['PATH_INFO'] ?? '', '|', $_GET['x'] ?? '', '|',\n\
         $_POST['y'] ?? '', '|', strlen(file_get_contents($_FILES['f']['tmp_name'] ?? '/dev/null'));\n",
    );
    site.file(
        "www/missing.php",
        "<?php http_response_code(410); echo 'gone';\n",
    );
    let server = site.serve(&["-c", &format!(".php={}", php.display())]);

    let response = server.get("/page.php/extra?x=a%20b");
    assert_eq!(response.text(), "/page.php|/extra|a b||0");
    assert_eq!(response.field("X-Php"), Some("yes"));
    assert_eq!(response.values("Set-Cookie").len(), 2);
    assert!(
        response
            .field("Content-Type")
            .unwrap()
            .starts_with("text/html")
    );

    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let posted = server.fetch("POST", "/page.php", &form, b"y=posted");
    assert_eq!(posted.text(), "/page.php|||posted|0");

    let upload = ["Content-Type: multipart/form-data; boundary=B"];
    let content = "u".repeat(300_000);
    let body = format!(
        "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n{content}\r\n--B--\r\n"
    );
    let uploaded = server.fetch("POST", "/page.php", &upload, body.as_bytes());
    assert_eq!(uploaded.text(), "/page.php||||300000");

    let gone = server.get("/missing.php");
    assert_eq!((gone.status, gone.text().as_str()), (410, "gone"));
    assert_eq!(server.get("/none.php").status, 404);
    // CVE-2012-1823: the query as options of the interpreter; -s prints the source.
    for query in ["-s", "-s+-n", "%2ds", "-dallow_url_include%3don", "%ADs"] {
        let text = server.get(&format!("/page.php?{query}")).text();
        assert!(text.starts_with("/page.php|"), "{query}: {text}");
    }
}

#[test]
fn a_cgi_pm_form_answers() {
    const TEST: &str = "a_cgi_pm_form_answers";
    let Some(perl) = installed(TEST, "perl") else {
        return;
    };
    if !run(Command::new(&perl).args(["-MCGI", "-e", "1"]))
        .status
        .success()
    {
        return not_installed(TEST, "Perl's CGI.pm");
    }
    let site = Site::new();
    site.script(
        "cgi-bin/form",
        format!(
            "#!{}\nuse CGI;\nmy $q = CGI->new;\nprint $q->header(-type => 'text/plain', \
             -cookie => $q->cookie(-name => 'seen', -value => 1));\n\
             print join('|', $q->request_method, scalar $q->param('name'), $q->path_info, \
             $q->cookie('given') // ''), \"\\n\";\n",
            perl.display()
        ),
    );
    let server = site.serve(&[]);
    let got = server.fetch(
        "GET",
        "/cgi-bin/form/p?name=J%C3%BCrgen+X",
        &["Cookie: given=2"],
        b"",
    );
    assert_eq!(got.text(), "GET|J\u{fc}rgen X|/p|2\n");
    assert!(got.field("Set-Cookie").unwrap().starts_with("seen=1"));
    let fields = ["Content-Type: application/x-www-form-urlencoded"];
    let posted = server.fetch("POST", "/cgi-bin/form", &fields, b"name=posted");
    assert_eq!(posted.text(), "POST|posted||\n");
}

#[test]
fn a_python_wsgi_application_answers() {
    let Some(python) = installed("a_python_wsgi_application_answers", "python3") else {
        return;
    };
    let site = Site::new();
    site.script(
        "cgi-bin/app",
        format!(
            "#!{}\nfrom wsgiref.handlers import CGIHandler\n\
             def app(environ, start_response):\n\
             \x20   length = int(environ.get('CONTENT_LENGTH') or 0)\n\
             \x20   body = environ['wsgi.input'].read(length)\n\
             \x20   start_response('202 Taken', [('Content-Type', 'text/plain'), ('X-App', 'wsgi')])\n\
             \x20   return [environ['PATH_INFO'].encode(), b'|', body]\n\
             CGIHandler().run(app)\n",
            python.display()
        ),
    );
    let server = site.serve(&[]);
    let response = server.post("/cgi-bin/app/some/path", b"a body");
    assert_eq!((response.status, response.phrase.as_str()), (202, "Taken"));
    assert_eq!(response.field("X-App"), Some("wsgi"));
    assert_eq!(response.text(), "/some/path|a body");
}
