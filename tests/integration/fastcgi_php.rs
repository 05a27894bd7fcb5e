//! php-fpm and php-cgi, unchanged, as most people have them. A test whose program is not installed
//! says so and is skipped, except with `CI=true`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::support::{Fpm, PATIENCE, Server, Site, eventually, installed, not_installed, request};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Debian has php-fpm with its version in its name, and outside of what users have in PATH.
#[track_caller]
pub(crate) fn php_fpm(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .find(|entry| entry.file_name().to_string_lossy().starts_with("php-fpm"));
    if found.is_none() {
        not_installed(test, "php-fpm");
    }
    found.map(|entry| entry.path())
}

/// A php-fpm with so many workers, and a server that asks it for `.php`.
fn serve_php(fpm: &Path, site: Site, workers: usize) -> (Fpm, Server) {
    let sessions = format!(
        "php_admin_value[session.save_path] = {}",
        site.text("sessions")
    );
    fs::create_dir(site.path("sessions")).unwrap();
    let fpm = Fpm::start(fpm, &site, workers, &sessions);
    let server = site.serve(&["-f", &format!(".php={}", fpm.backend())]);
    (fpm, server)
}

#[test]
fn php_fpm_is_told_what_php_programs_look_for() {
    let Some(fpm) = php_fpm("php_fpm_is_told_what_php_programs_look_for") else {
        return;
    };
    let site = Site::new();
    site.file(
        "www/sub/page.php",
        "<?php foreach ($_SERVER as $name => $value)\n\
         if (is_string($value)) echo $name, '=', $value, \"\\n\";\n\
         echo 'cwd=', getcwd(), \"\\n\", 'sapi=', php_sapi_name(), \"\\n\";\n",
    );
    let (_fpm, server) = serve_php(&fpm, site, 2);

    let page = server.get("/sub/page.php/extra/path?x=1&y=a%20b");
    assert_eq!(page.status, 200, "{}", server.log());
    let page = page.text();
    let value = |name: &str| {
        page.lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")))
    };
    let www = server.text("www");
    let file = format!("{www}/sub/page.php");
    let port = server.port().to_string();
    for (name, expected) in [
        ("SCRIPT_FILENAME", file.as_str()),
        ("SCRIPT_NAME", "/sub/page.php"),
        ("PATH_INFO", "/extra/path"),
        ("DOCUMENT_ROOT", &www),
        ("REQUEST_URI", "/sub/page.php/extra/path?x=1&y=a%20b"),
        ("QUERY_STRING", "x=1&y=a%20b"),
        ("REQUEST_METHOD", "GET"),
        ("SERVER_PORT", &port),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_HOST", "tollgate.test"),
        ("sapi", "fpm-fcgi"),
    ] {
        assert_eq!(value(name), Some(expected), "{name} in\n{page}");
    }
    assert_eq!(value("cwd"), Some(format!("{www}/sub").as_str()));
    // Its being set is taken for a connection with TLS.
    assert_eq!(value("HTTPS"), None);
    assert_eq!(value("HTTP_PROXY"), None);
}

/// PHP answers with an empty page, and ends the request as if all were well.
#[cfg(feature = "explain")]
#[test]
fn what_php_complains_of_is_told_with_its_line() {
    let Some(fpm) = php_fpm("what_php_complains_of_is_told_with_its_line") else {
        return;
    };
    let site = Site::new();
    let faults = [
        ("empty", "<?php\n\nnowhere();\n", 500),
        ("begun", "<?php\necho 1;flush();\nnowhere();\n", 200),
    ];
    for (name, content, _) in faults {
        site.file(&format!("www/{name}.php"), content);
    }
    let (_fpm, server) = serve_php(&fpm, site, 2);
    for (name, _, status) in faults {
        let response = server.get(&format!("/{name}.php"));
        assert_eq!(response.status, status, "{}", response.text());
        server.wait_for_log(&format!(
            "fastcgi.status: The program failed at line 3 of {} (PHP): Uncaught Error: Call to undefined function \
             nowhere()",
            server.text(&format!("www/{name}.php"))
        ));
        server.expect_access(&format!("/{name}.php"), status, "fastcgi.status");
    }
    // The empty page itself tells it, where it may.
    assert!(eventually(PATIENCE, || {
        let request = b"GET /empty.php HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n";
        let response = server.exchange("GET", request);
        response.status == 500
            && response
                .text()
                .contains("error[fastcgi.status]: The program failed at line 3 ")
    }));
}

#[test]
fn php_fpm_takes_forms_uploads_and_sessions() {
    let Some(fpm) = php_fpm("php_fpm_takes_forms_uploads_and_sessions") else {
        return;
    };
    let site = Site::new();
    site.file(
        "www/form.php",
        "<?php echo $_POST['name'], '|', count($_POST);\n",
    );
    site.file(
        "www/upload.php",
        "<?php $file = $_FILES['file']; echo $_POST['note'], '|', $file['name'], '|', $file['size'];\n\
         move_uploaded_file($file['tmp_name'], $_SERVER['DOCUMENT_ROOT'] . '/uploaded');\n",
    );
    site.file(
        "www/count.php",
        "<?php session_start(); $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;\n\
         echo $_SESSION['count'];\n",
    );
    let (_fpm, server) = serve_php(&fpm, site, 2);

    let posted = server.fetch("POST", "/form.php", &[FORM], b"name=J%C3%BCrgen+X&more=1");
    assert_eq!(posted.text(), "J\u{fc}rgen X|2");

    let content: Vec<u8> = (0..1 << 20).map(|at: u32| ((at * 31) >> 5) as u8).collect();
    let part = |name: &str| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"");
    let body = [
        format!("{}\r\n\r\na note\r\n", part("note")).as_bytes(),
        format!("{}; filename=\"photo\"\r\n\r\n", part("file")).as_bytes(),
        &content,
        b"\r\n--B--\r\n",
    ]
    .concat();
    let fields = ["Content-Type: multipart/form-data; boundary=B"];
    let uploaded = server.fetch("POST", "/upload.php", &fields, &body);
    assert_eq!(uploaded.text(), "a note|photo|1048576", "{}", server.log());
    assert!(fs::read(server.path("www/uploaded")).unwrap() == content);

    let first = server.get("/count.php");
    assert_eq!(first.text(), "1");
    let cookie = first
        .field("Set-Cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(
        server.fetch("GET", "/count.php", &[&cookie], b"").text(),
        "2"
    );
    assert_eq!(server.get("/count.php").text(), "1");
}

#[test]
fn php_fpm_output_comes_whole_and_as_it_is_made() {
    let Some(fpm) = php_fpm("php_fpm_output_comes_whole_and_as_it_is_made") else {
        return;
    };
    let site = Site::new();
    site.file(
        "www/much.php",
        "<?php for ($line = 0; $line < 81920; $line++) printf(\"%063d\\n\", $line);\n",
    );
    site.file(
        "www/gate.php",
        "<?php echo \"first\\n\"; flush(); $until = time() + 60;\n\
         while (!file_exists($_GET['file']) && time() < $until) { usleep(2000); clearstatcache(); }\n\
         echo \"second\\n\";\n",
    );
    site.file(
        "www/gone.php",
        "<?php http_response_code(410); header('X-Why: moved'); echo 'gone';\n",
    );
    let (_fpm, server) = serve_php(&fpm, site, 2);

    let much = server.get("/much.php").text();
    let expected = (0..81_920).map(|line| format!("{line:063}\n"));
    assert!(expected.eq(much.split_inclusive('\n')), "{}", much.len());

    let mut client = server.connect();
    let target = format!("/gate.php?file={}", server.text("go"));
    client.send(request("GET", &target, &[], b""));
    client.wait_for("first");
    server.file("go", "");
    assert_eq!(client.read_response("GET").text(), "first\nsecond\n");

    let gone = server.get("/gone.php");
    assert_eq!((gone.status, gone.text().as_str()), (410, "gone"));
    assert_eq!(gone.field("X-Why"), Some("moved"));
    let head = server.fetch("HEAD", "/gone.php", &[], b"");
    assert_eq!((head.status, head.body.len()), (410, 0));
}

#[test]
fn php_fpm_is_never_given_a_path_through_another_file() {
    let Some(fpm) = php_fpm("php_fpm_is_never_given_a_path_through_another_file") else {
        return;
    };
    let site = Site::new();
    // php-fpm by itself would look for the longest part of the path that is a file, and run that.
    site.file("www/upload/photo.jpg", "<?php echo 'run'; touch('ran');\n");
    let (_fpm, server) = serve_php(&fpm, site, 1);
    for target in [
        "/upload/photo.jpg/x.php",
        "/upload/photo.jpg/.php",
        "/upload/none.php",
        "/upload/none.php/photo.jpg",
    ] {
        let response = server.get(target);
        assert_eq!(response.status, 404, "{target}: {response:?}");
    }
    for target in ["/upload/photo.jpg%00.php", "/upload/photo.jpg%2Fx.php"] {
        let response = server.get(target);
        assert!(
            matches!(response.status, 400 | 404),
            "{target}: {response:?}"
        );
    }
    assert!(!server.path("www/upload/ran").exists());
    assert!(server.get("/upload/photo.jpg").text().starts_with("<?php"));
}

#[test]
fn php_fpm_is_found_again_when_it_was_away() {
    let Some(fpm) = php_fpm("php_fpm_is_found_again_when_it_was_away") else {
        return;
    };
    let site = Site::new();
    site.file("www/page.php", "<?php echo 'here';\n");
    let (mut fpm, server) = serve_php(&fpm, site, 2);
    assert_eq!(server.get("/page.php").text(), "here");
    fpm.stop();
    for _ in 0..3 {
        let away = server.get("/page.php");
        assert!(matches!(away.status, 502 | 503), "{away:?}");
    }
    fpm.start_again();
    let back = eventually(PATIENCE, || server.get("/page.php").status == 200);
    assert!(back, "{}", server.log());
}

/// Each of `clients` asks `times` times over a connection of its own; fails unless all answers are `body`.
fn ask_in_parallel(server: &Server, target: &str, clients: usize, times: usize, body: &str) {
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = server.connect();
                for _ in 0..times {
                    client.send(request("GET", target, &[], b""));
                    let response = client.read_response("GET");
                    assert_eq!(response.status, 200, "{target}: {response:?}");
                    assert_eq!(response.text(), body);
                }
            });
        }
    });
}

#[test]
fn php_fpm_with_one_worker_serves_many_clients() {
    let Some(fpm) = php_fpm("php_fpm_with_one_worker_serves_many_clients") else {
        return;
    };
    let site = Site::new();
    site.file("www/page.php", "<?php echo 'here';\n");
    let (_fpm, server) = serve_php(&fpm, site, 1);
    // A connection that is kept has the only worker; nobody may have to wait until it is given up.
    ask_in_parallel(&server, "/page.php", 4, 50, "here");
    assert!(
        !server.access_log().contains("fastcgi."),
        "{}",
        server.access_log()
    );
}

#[test]
fn php_cgi_processes_are_started_and_replaced() {
    let Some(php) = installed("php_cgi_processes_are_started_and_replaced", "php-cgi") else {
        return;
    };
    let site = Site::new();
    site.file(
        "www/page.php",
        "<?php echo php_sapi_name(), $_GET['x'] ?? '';\n",
    );
    site.file("www/pid.php", "<?php echo getmypid();\n");
    let route = format!(".php=exec:{} | processes=2", php.display());
    // php-cgi ends by itself after so many requests, and by that closes a connection that was kept.
    let server = site.serve(&["-f", &route, "-e", "PHP_FCGI_MAX_REQUESTS=7"]);
    assert_eq!(server.get("/page.php/more?x=1").text(), "cgi-fcgi1");
    ask_in_parallel(&server, "/page.php", 2, 20, "cgi-fcgi");
    let pids: BTreeSet<String> = (0..20).map(|_| server.get("/pid.php").text()).collect();
    assert!((2..=20).contains(&pids.len()), "{pids:?}");
}
