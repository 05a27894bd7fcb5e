use super::super::tests::{check, folder, settings};
use crate::config::ExitStatus;
use crate::handler::site::Site;
use crate::proto::uri::path::UrlPath;

#[test]
fn applications_answer_below_prefixes_and_for_extensions() {
    let folder = folder();
    let site = check(
        &folder,
        &[
            "--fastcgi",
            "/app/=127.0.0.1:9000,unix:/run/b.sock",
            "--fastcgi",
            "/app/own=exec:{}/other/hello x",
            "--fastcgi",
            ".php=unix:/run/php.sock",
            "--fastcgi",
            "/private/=authorizer:unix:/run/auth.sock",
            "{}",
        ],
        &[
            ("/app", "application 0: {}/www/app = /app + "),
            ("/app/", "application 0: {}/www/app/ = /app + /"),
            (
                "/app/a/b.php",
                "application 0: {}/www/app/a/b.php = /app + /a/b.php",
            ),
            ("/apple", "file {}/www: apple"),
            (
                "/app/own/a",
                "application 1: {}/other/hello = /app/own + /a",
            ),
            ("/page.php", "application 2: {}/www/page.php = /page.php + "),
            ("/page.PHP", "file {}/www: page.PHP"),
            (
                "/sub/deep.PHP/a/b",
                "application 2: {}/www/sub/deep.PHP = /sub/deep.PHP + /a/b",
            ),
            ("/missing.php", "file {}/www: missing.php"),
            ("/private/x", "file {}/www: private/x"),
            ("/cgi-bin/page.php", "cgi.not-executable"),
        ],
    );
    let at = folder.path().display();
    assert_eq!(
        site.summary(),
        format!(
            "serves / from {at}/www, runs /cgi-bin/ from {at}/cgi-bin, sends /app/ to \
             127.0.0.1:9000,unix:/run/b.sock, sends /app/own/ to exec:{at}/other/hello, sends *.php \
             to unix:/run/php.sock and asks unix:/run/auth.sock about /private/"
        )
    );
}

#[test]
fn an_application_may_be_all_there_is() {
    let folder = folder();
    folder.write("empty/file", "");
    let site = check(
        &folder,
        &["--fastcgi", "/=127.0.0.1:9000", "{}/empty"],
        &[
            ("/", "application 0:  =  + /"),
            ("/a.php/b", "application 0:  =  + /a.php/b"),
        ],
    );
    assert!(site.document_root().is_none());
    // One that only gives leave serves nothing.
    let arguments = ["--fastcgi", "/=authorizer:127.0.0.1:9000", "{}/empty"];
    assert!(Site::open(&settings(&folder, &arguments)).is_err());
    // Before the files of `www`, which are there still to be handed over.
    check(
        &folder,
        &["--fastcgi", "/=127.0.0.1:9000", "{}"],
        &[(
            "/index.html",
            "application 0: {}/www/index.html =  + /index.html",
        )],
    );
}

#[test]
fn a_program_that_is_started_has_to_be_there_and_is_never_sent() {
    let folder = folder();
    for program in ["{}/missing", "{}/other/notes", "{}/other"] {
        let route = format!("/app/=exec:{program}");
        let error = Site::open(&settings(&folder, &["--fastcgi", &route, "{}"])).unwrap_err();
        let line = error.to_string();
        let line = line.replace(folder.path().to_str().unwrap(), "{}");
        let problem = "is no executable file; give an existing program as exec:PROGRAM";
        assert_eq!(line, format!("--fastcgi: '{program}' {problem}"));
        assert_eq!(error.exit, ExitStatus::Usage);
    }
    folder.link("inner", "www/bin/link");
    let arguments = ["--fastcgi", "/app/=exec:{}/www/bin/link", "{}"];
    let site = Site::open(&settings(&folder, &arguments)).unwrap();
    let hidden = &site.document_root().unwrap().hidden;
    assert_eq!(*hidden, [folder.path().join("www/bin/inner")]);
}

#[test]
fn authorizers_are_asked_from_the_outermost_to_the_innermost() {
    let folder = folder();
    folder.write("www/a/b/index.html", "");
    folder.write("www/a/page.php", "");
    folder.write("www/only/index.php", "");
    let authorizer = |route: &str| format!("{route}=authorizer:127.0.0.1:9000");
    let routes = ["/a/b/", ".PDF", "/a", ".php", "/cgi-bin/", ".html"].map(authorizer);
    let mut arguments = vec![
        "-c",
        ".php={}/other/hello",
        "--index",
        "index.html,index.php",
    ];
    arguments.extend(["-c", "/cgi-bin/={}/cgi-bin"]);
    arguments.extend(["--fastcgi", "/app/=127.0.0.1:9000"]);
    for route in &routes {
        arguments.extend(["--fastcgi", route]);
    }
    arguments.push("{}");
    let site = Site::open(&settings(&folder, &arguments)).unwrap();
    let cases: &[(&str, &[usize])] = &[
        ("/", &[6, 4]),
        ("/x", &[]),
        ("/ab", &[]),
        ("/a", &[3]),
        ("/a/x", &[3]),
        ("/a/b", &[3, 1]),
        ("/a/b/x.txt", &[3, 1]),
        ("/a/b/x.pdf", &[3, 1, 2]),
        ("/a/b/", &[3, 1, 6, 4]),
        ("/x.pdf", &[2]),
        ("/x.pdf.", &[2]),
        ("/x.pdf%20", &[2]),
        ("/x.pdf.gz", &[2]),
        ("/x.pdf.BR.%20", &[2]),
        ("/x.pdf.txt", &[]),
        ("/x.gz", &[]),
        ("/pdf", &[]),
        ("/a/page.php/x.pdf", &[3, 4]),
        ("/only/", &[4]),
        ("/app/x", &[]),
        ("/app/x.pdf", &[2]),
        ("/cgi-bin/hello/x.pdf", &[5]),
    ];
    for (path, expected) in cases {
        let path = UrlPath::decode(path.as_bytes()).unwrap();
        let resource = site.resolve(&path).unwrap();
        assert_eq!(site.guards(&path, &resource), *expected, "{path:?}");
    }
    // Also where nothing is there.
    let path = UrlPath::decode(b"/cgi-bin/missing").unwrap();
    assert!(site.resolve(&path).is_err());
    assert_eq!(site.guards_of_path(&path), [5]);
}
