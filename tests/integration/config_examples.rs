//! The examples of configuration files: each is run as it stands, but for the places that a test cannot have
//! (ports, folders of the system, other users), and serves what it says.

use std::fs;
use std::path::Path;

use crate::support::{Server, Site, run, tollgate};

/// Serves an example with these replacements, each of which is to be found in it.
fn serve(site: Site, name: &str, replacements: &[(&str, String)]) -> Server {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/config")
        .join(name);
    let mut text = fs::read_to_string(path).unwrap();
    for (from, to) in replacements {
        assert!(text.contains(from), "{name} does not say {from}");
        text = text.replace(from, to);
    }
    site.file(name, &text);
    let file = site.text(name);
    let checked = run(tollgate().args(["--config", &file, "--allow-root", "check-config"]));
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    site.serve_file(name, &[])
}

/// Users can be changed by root alone, and a folder of a test is for who runs it.
#[cfg(feature = "auth")]
fn without_user(line: &str) -> (&str, String) {
    (line, "# no other user\n".to_owned())
}

#[cfg(feature = "auth")]
const USERS: &str = "ann:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n";

#[cfg(all(feature = "fastcgi", feature = "auth"))]
#[test]
fn a_vps_serves_files_and_has_php_answer() {
    let application = crate::support::Application::start(&crate::support::example("visitor"), 2);
    let site = Site::bare();
    site.file("public/page.html", "a page\n");
    site.file("public/index.php", "<?php");
    site.file("users", USERS);
    let log = site.text("access.log");
    let folder = site.text("");
    let folder = folder.trim_end_matches('/').to_owned();
    let replacements = [
        (
            "listen 0.0.0.0:80\nlisten [::]:80\n",
            "listen 127.0.0.1:0\n".to_owned(),
        ),
        without_user("user www-data\n"),
        ("/srv/example", folder),
        (
            "unix:/run/php/php-fpm.sock",
            application.address().to_owned(),
        ),
        ("/var/log/tollgate/access.log", log),
    ];
    let server = serve(site, "vps-php.conf", &replacements);
    assert_eq!(server.get("/page.html").text(), "a page\n");
    let greeted = server.get("/index.php");
    assert_eq!(greeted.status, 200, "{}", greeted.text());
    // The index, and what is no file, are answered by the same.
    for target in ["/", "/no/such/page"] {
        let response = server.get(target);
        assert_eq!(response.status, 200, "{target}: {}", response.text());
    }
    assert_eq!(server.get("/admin/x").status, 401);
    server.expect_access("/page.html", 200, "-");
    assert_eq!(
        server
            .post("/index.php", &vec![b'x'; (32 << 20) + 1])
            .status,
        413
    );
}

#[cfg(feature = "auth")]
#[test]
fn a_board_runs_two_programs_at_once_and_asks_who_sets_something() {
    let site = Site::bare();
    site.file("www/index.html", "the panel\n");
    site.file("users", USERS);
    site.script(
        "cgi-bin/read",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; ulimit -n\n",
    );
    let folder = site.text("");
    let folder = folder.trim_end_matches('/').to_owned();
    let replacements = [
        ("192.168.7.2:80", "127.0.0.1:0".to_owned()),
        without_user("user nobody:dialout\n"),
        ("/srv/panel", folder),
    ];
    let server = serve(site, "board.conf", &replacements);
    assert_eq!(server.get("/").text(), "the panel\n");
    assert_eq!(server.get("/cgi-bin/read").text(), "32\n");
    assert_eq!(server.get("/cgi-bin/set/lamp").status, 401);
    assert_eq!(
        server
            .post("/cgi-bin/read", &vec![b'x'; (64 << 10) + 1])
            .status,
        413
    );
    let dumped = run(tollgate().args(["--config", &server.text("board.conf"), "--dump-config"]));
    assert!(
        dumped.stdout.contains("\nmax-processes 2\n"),
        "{}",
        dumped.stdout
    );
}

#[test]
fn a_class_has_its_folders_listed_and_its_programs_run() {
    let site = Site::bare();
    site.file("www/index.html", "the teacher's page\n");
    site.file("students/ann/page.html", "ann's page\n");
    let program = "printf 'Content-Type: text/plain\\n\\n'; echo ran by $0; ulimit -t\n";
    site.script("students/ann/hello.sh", program);
    let folder = site.text("");
    // The folder that it is started in; python3 may lie elsewhere, and need not be there.
    let replacements = [
        ("0.0.0.0:8080", "127.0.0.1:0".to_owned()),
        ("=./", format!("={folder}")),
        ("cgi .py=/usr/bin/python3", "cgi .py=/bin/sh".to_owned()),
        // All that the user of the tests runs at this moment counts too.
        ("processes=200", "processes=20000".to_owned()),
    ];
    let server = serve(site, "classroom.conf", &replacements);
    assert_eq!(server.get("/").text(), "the teacher's page\n");
    assert_eq!(server.get("/students/ann/page.html").text(), "ann's page\n");
    let listing = server.get("/students/ann/").text();
    assert!(listing.contains("page.html"), "{listing}");
    let ran = server.get("/students/ann/hello.sh").text();
    assert!(ran.contains("hello.sh\n5\n"), "{ran}");
}

#[test]
fn every_example_is_tried() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["board.conf", "classroom.conf", "vps-php.conf"]);
}
