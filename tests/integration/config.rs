//! The configuration file: what is read of it, what is said of it, and what is served by it.

use crate::support::{Folder, Ran, Site, run, tollgate};

/// A site with a page and a configuration file of these lines, in which `{}` stands for its folder.
fn site_with(lines: &str) -> Site {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    let text = lines.replace("{}", site.text("").trim_end_matches('/'));
    site.file("tollgate.conf", text);
    site
}

/// Runs tollgate with a configuration file and these arguments.
fn ran(folder: &Folder, arguments: &[&str]) -> Ran {
    let file = folder.text("tollgate.conf");
    // In a container programs would be a reason of their own not to start.
    run(tollgate()
        .args(["--config", &file, "--allow-root"])
        .args(arguments))
}

#[test]
fn what_the_file_says_is_served() {
    let site = site_with(
        "# where\nlisten 127.0.0.1:0\nroot {}\n\nstatic /files/={}/www\nlisting\ncgi /run/={}/cgi-bin\n\
         env COLOUR=#blue\naccess-log {}/access.log\n",
    );
    let server = site.serve_file("tollgate.conf", &[]);
    assert_eq!(server.get("/files/page.txt").text(), "a page\n");
    assert!(server.get("/files/").text().contains("page.txt"));
    let variables = server.variables("/run/probe/env", &[]);
    assert_eq!(variables.value("COLOUR"), Some("#blue"));
    server.expect_access("/files/page.txt", 200, "-");
}

#[test]
fn an_option_of_the_command_line_counts_in_place_of_the_file() {
    let site = site_with("listen 127.0.0.1:1\nroot /nowhere\nfallback /page.txt\n");
    let root = site.text("");
    let arguments = ["--listen", "127.0.0.1:0", &root];
    let server = site.serve_file("tollgate.conf", &arguments);
    assert_eq!(server.get("/none").text(), "a page\n");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_nothing_starts() {
    let site = site_with("listen 127.0.0.1:0\nroot {}\nlisen a:1\nmax-body\n");
    let file = site.text("tollgate.conf");
    let expected = format!(
        "tollgate: {file}:3: 'lisen' is no option; did you mean listen?\n\
         tollgate: {file}:4: max-body: no value; write it as max-body SIZE\n"
    );
    let started = ran(&site, &[]);
    assert_eq!(started.status.code(), Some(2), "{started:?}");
    assert_eq!(started.stderr, expected);
    let checked = ran(&site, &["check-config"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert_eq!(checked.stderr, expected);
}

#[test]
fn a_check_finds_what_would_keep_a_server_from_starting() {
    let site = site_with(
        "listen 127.0.0.1:0\nlisten unix:{}/none/socket\nstatic /={}/nowhere\naccess-log {}/none/log\n",
    );
    let checked = ran(&site, &["check-config"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let lines: Vec<&str> = checked.stderr.lines().collect();
    let file = site.text("tollgate.conf");
    let begins = [
        format!(
            "tollgate: {file}:2: listen: 'unix:{}' lies in no folder",
            site.text("none/socket")
        ),
        format!(
            "tollgate: {file}:4: access-log: '{}' lies in no folder",
            site.text("none/log")
        ),
        format!(
            "tollgate: {file}:3: static: '{}' cannot be opened",
            site.text("nowhere")
        ),
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(
            line.starts_with(&begin),
            "{line} does not begin with {begin}"
        );
    }
    // The server itself tells the same of the first that it meets.
    let started = ran(&site, &[]);
    assert_eq!(started.status.code(), Some(2), "{started:?}");
    assert_eq!(started.stderr.lines().next(), lines.last().copied());
}

#[test]
fn a_check_changes_nothing_and_binds_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let site = site_with(&format!(
        "listen {address}\nroot {{}}\naccess-log {{}}/access.log\n"
    ));
    let checked = ran(&site, &["check-config"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert_eq!(checked.stdout, "tollgate: the configuration is in order\n");
    assert!(!site.path("access.log").exists());
}

#[test]
fn a_dump_is_a_configuration_file() {
    let site = site_with("listen 127.0.0.1:0\nroot {}\nenv A=b c\nlisting\n");
    let file = site.text("tollgate.conf");
    let dumped = ran(&site, &["--dump-config", "--index", "page.txt"]);
    assert_eq!(dumped.status.code(), Some(0), "{dumped:?}");
    for part in [
        format!("# {file}:3\nenv A=b c\n"),
        "# command line\nindex page.txt\n".to_owned(),
        "# default\nmax-body 64M\n".to_owned(),
    ] {
        assert!(
            dumped.stdout.contains(&part),
            "{part}is not in\n{}",
            dumped.stdout
        );
    }
    site.file("dumped.conf", &dumped.stdout);
    let server = site.serve_file("dumped.conf", &[]);
    assert_eq!(server.get("/").text(), "a page\n");
}
