use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::{Command, ExitStatus, Surroundings, parse};
use crate::sys::testing::TempDir;

/// The settings that these arguments mean; `{}` in them is the folder.
pub(super) fn settings(folder: &TempDir, arguments: &[&str]) -> Settings {
    let surroundings = Surroundings {
        variable: &|_| None,
        cores: 1,
        stdout_is_terminal: false,
        file: &|_| Err("is not there".to_owned()),
    };
    let at = folder.path().to_str().unwrap();
    let arguments = arguments
        .iter()
        .map(|it| OsString::from(it.replace("{}", at)));
    match parse(arguments, &surroundings) {
        Ok(Command::Serve(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

pub(super) fn folder() -> TempDir {
    let folder = TempDir::new();
    for (name, mode) in [
        ("www/index.html", 0o644),
        ("www/page.php", 0o644),
        ("www/sub/deep.PHP", 0o644),
        ("www/.php", 0o644),
        ("www/bin/inner", 0o755),
        ("cgi-bin/hello", 0o755),
        ("cgi-bin/page.php", 0o644),
        ("other/hello", 0o755),
        ("other/notes", 0o644),
        ("docs/index.html", 0o644),
    ] {
        folder.write(name, "content");
        let path = folder.path().join(name);
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    folder
}

/// What a path leads to, in words; `{}` is the folder.
fn lead(folder: &TempDir, site: &Site, path: &str) -> String {
    let path = UrlPath::decode(path.as_bytes()).unwrap();
    let text = match site.resolve(&path) {
        Err(reason) => reason.code().to_owned(),
        Ok(Resource::File(root, rest)) => format!(
            "file {}: {}",
            root.root.path().display(),
            String::from_utf8_lossy(rest)
        ),
        Ok(Resource::Script(script)) => format!(
            "{} {:?} {} + {}",
            script.program.display(),
            script
                .arguments
                .iter()
                .map(|it| String::from_utf8_lossy(it))
                .collect::<Vec<_>>(),
            String::from_utf8_lossy(&script.script_name),
            String::from_utf8_lossy(&script.path_info)
        ),
        #[cfg(feature = "fastcgi")]
        Ok(Resource::Application(number, script)) => format!(
            "application {number}: {} = {} + {}",
            script.filename.display(),
            String::from_utf8_lossy(&script.script_name),
            String::from_utf8_lossy(&script.path_info)
        ),
    };
    text.replace(folder.path().to_str().unwrap(), "{}")
}

pub(super) fn check(folder: &TempDir, arguments: &[&str], cases: &[(&str, &str)]) -> Site {
    let site = Site::open(&settings(folder, arguments)).unwrap();
    for (path, expected) in cases {
        assert_eq!(lead(folder, &site, path), *expected, "{path}");
    }
    site
}

#[test]
fn a_root_serves_its_www_and_cgi_bin() {
    let folder = folder();
    let site = check(
        &folder,
        &["{}"],
        &[
            ("/", "file {}/www: "),
            ("/index.html", "file {}/www: index.html"),
            ("/page.php", "file {}/www: page.php"),
            ("/cgi-bin/hello", "{}/cgi-bin/hello [] /cgi-bin/hello + "),
            (
                "/cgi-bin/hello/x",
                "{}/cgi-bin/hello [] /cgi-bin/hello + /x",
            ),
            ("/cgi-bin/page.php", "cgi.not-executable"),
            ("/cgi-bin", "cgi.folder"),
            ("/cgi-bins", "file {}/www: cgi-bins"),
        ],
    );
    let root = site.document_root().unwrap();
    assert_eq!(root.root.path(), folder.path().join("www"));
    let at = folder.path().display();
    let expected = format!("serves / from {at}/www and runs /cgi-bin/ from {at}/cgi-bin");
    assert_eq!(site.summary(), expected);
}

#[test]
fn one_of_the_two_folders_is_enough() {
    let folder = folder();
    fs::rename(folder.path().join("cgi-bin"), folder.path().join("away")).unwrap();
    check(
        &folder,
        &["{}"],
        &[("/cgi-bin/hello", "file {}/www: cgi-bin/hello")],
    );
    fs::rename(folder.path().join("away"), folder.path().join("cgi-bin")).unwrap();
    fs::remove_dir_all(folder.path().join("www")).unwrap();
    let cases = [
        ("/", "route.none"),
        ("/cgi-bin/hello", "{}/cgi-bin/hello [] /cgi-bin/hello + "),
    ];
    assert!(check(&folder, &["{}"], &cases).document_root().is_none());
}

#[test]
fn given_routes_stand_in_for_the_default_of_their_kind() {
    let folder = folder();
    let site = check(
        &folder,
        &[
            "-s",
            "/docs/={}/docs",
            "-c",
            "/x/={}/other",
            "-c",
            "/docs/run/={}/other/hello",
            "{}",
        ],
        &[
            ("/", "route.none"),
            ("/docs", "file {}/docs: "),
            ("/docs/index.html", "file {}/docs: index.html"),
            ("/cgi-bin/hello", "route.none"),
            ("/x/hello", "{}/other/hello [] /x/hello + "),
            ("/x/notes", "cgi.not-executable"),
            ("/docs/run", "{}/other/hello [] /docs/run + "),
            ("/docs/run/", "{}/other/hello [] /docs/run + /"),
            ("/docs/run/a", "{}/other/hello [] /docs/run + /a"),
            ("/docs/runner", "file {}/docs: runner"),
        ],
    );
    assert!(site.document_root().is_none());
    check(
        &folder,
        &["-c", "/x/={}/other", "{}"],
        &[
            ("/", "file {}/www: "),
            ("/cgi-bin/hello", "file {}/www: cgi-bin/hello"),
        ],
    );
}

#[test]
fn extension_routes_run_files_under_static_routes_alone() {
    let folder = folder();
    check(
        &folder,
        &[
            "-c",
            ".php={}/other/hello",
            "-c",
            "/cgi-bin/={}/cgi-bin",
            "-s",
            "/p/={}/www",
            "{}",
        ],
        &[
            (
                "/p/page.php",
                "{}/other/hello [\"{}/www/page.php\"] /p/page.php + ",
            ),
            (
                "/p/page.php/a/b",
                "{}/other/hello [\"{}/www/page.php\"] /p/page.php + /a/b",
            ),
            (
                "/p/sub/deep.PHP",
                "{}/other/hello [\"{}/www/sub/deep.PHP\"] /p/sub/deep.PHP + ",
            ),
            ("/p/missing.php", "file {}/www: missing.php"),
            ("/p/index.html", "file {}/www: index.html"),
            ("/p/.php", "file {}/www: .php"),
            ("/cgi-bin/page.php", "cgi.not-executable"),
        ],
    );
}

#[test]
fn folders_of_programs_are_hidden_from_roots_that_hold_them() {
    let folder = folder();
    folder.link("../cgi-bin", "www/link");
    let bin = "/bin/={}/www/bin";
    // (arguments, what each static root hides)
    let cases: [(&[&str], &[&str]); 4] = [
        (&["-s", "/={}/www", "-c", bin], &["www/bin"]),
        (&["-s", "/={}/docs", "-c", bin], &[]),
        (
            &["-s", "/={}", "-c", bin, "-c", "/c/={}/cgi-bin"],
            &["www/bin", "cgi-bin"],
        ),
        (
            &[
                "-s",
                "/={}/www",
                "-c",
                bin,
                "-c",
                "/c/={}/cgi-bin",
                "--follow-symlinks",
            ],
            &["www/bin", "cgi-bin"],
        ),
    ];
    for (arguments, expected) in cases {
        let site = Site::open(&settings(&folder, arguments)).unwrap();
        let expected: Vec<PathBuf> = expected.iter().map(|it| folder.path().join(it)).collect();
        assert_eq!(
            site.document_root().unwrap().hidden,
            expected,
            "{arguments:?}"
        );
    }
}

#[test]
fn what_cannot_be_opened_is_told_in_one_line() {
    let folder = folder();
    folder.write("empty/file", "");
    let cases: [(&[&str], &str); 7] = [
        (
            &["{}/empty"],
            "ROOT: '{}/empty' holds neither www/ nor cgi-bin/; name another folder, or give \
             --static or --cgi",
        ),
        (
            &["-s", "/={}/missing"],
            "--static: '{}/missing' cannot be opened as a folder (No such file or directory (os \
             error 2)); give an existing one as ROUTE=DIR",
        ),
        (
            &["-s", "/={}/www/index.html"],
            "--static: '{}/www/index.html' cannot be opened as a folder (Not a directory (os \
             error 20)); give an existing one as ROUTE=DIR",
        ),
        (
            &["-c", "/x/={}/missing"],
            "--cgi: '{}/missing' cannot be found (No such file or directory (os error 2)); give \
             an existing folder of programs, or one program, as ROUTE=PATH",
        ),
        (
            &["-c", "/x/={}/other/notes"],
            "--cgi: '{}/other/notes' is no executable file; give an existing folder of programs, \
             or one program, as ROUTE=PATH",
        ),
        (
            &["-c", ".php={}/other/notes", "{}"],
            "--cgi: '{}/other/notes' is no executable file; give an existing interpreter as \
             .EXT=PROGRAM",
        ),
        (
            &["-c", ".php={}/other", "{}"],
            "--cgi: '{}/other' is no executable file; give an existing interpreter as \
             .EXT=PROGRAM",
        ),
    ];
    for (arguments, expected) in cases {
        let error = Site::open(&settings(&folder, arguments)).unwrap_err();
        let line = error
            .to_string()
            .replace(folder.path().to_str().unwrap(), "{}");
        assert_eq!(line, expected);
        assert_eq!(error.exit, ExitStatus::Usage);
    }
}

#[test]
fn one_program_keeps_the_name_it_was_given() {
    let folder = folder();
    folder.link("hello", "other/applet");
    check(
        &folder,
        &["-c", "/x/={}/other/applet"],
        &[("/x/", "{}/other/applet [] /x + /")],
    );
}

#[test]
fn a_program_keeps_its_prefix_where_files_have_the_same() {
    let folder = folder();
    let site = check(
        &folder,
        &["-c", "/={}/other/hello", "{}"],
        &[("/index.html", "{}/other/hello []  + /index.html")],
    );
    // What a program may hand over, and where error pages lie.
    let www = folder.path().join("www");
    assert_eq!(site.document_root().unwrap().root.path(), www);
    let at = folder.path().display();
    assert_eq!(site.summary(), format!("runs / from {at}/other/hello"));
}

#[test]
fn the_fallback_stands_in_for_what_is_not_there() {
    let folder = folder();
    folder.write("www/full/index.html", "content");
    folder.write("www/.env", "content");
    folder.link("/etc", "www/out");
    let arguments = [
        "-c",
        ".php={}/other/hello",
        "-c",
        "/cgi-bin/={}/cgi-bin",
        "--fallback",
        "/page.php?q",
        "{}",
    ];
    let site = Site::open(&settings(&folder, &arguments)).unwrap();
    assert_eq!(site.fallback(), Some(&b"/page.php?q"[..]));
    let falls_back = |site: &Site, reason, path: &str| {
        site.falls_back(reason, &UrlPath::decode(path.as_bytes()).unwrap())
    };
    use Reason::*;
    // (reason, path, whether the fallback is the answer)
    let cases = [
        (RouteNone, "/", true),
        (FileNotFound, "/missing", true),
        (FileFolder, "/sub/", true),
        (FileMethod, "/missing", true),
        (FileMethod, "/sub/missing/", true),
        (FileMethod, "/index.html/more", true),
        (FileMethod, "/sub/", true),
        (FileMethod, "/sub", false),
        (FileMethod, "/full/", false),
        (FileMethod, "/index.html", false),
        (FileMethod, "/.env", false),
        (FileMethod, "/.missing", false),
        (FileMethod, "/out/passwd", false),
        (FileMethod, "/out/missing", false),
        (FileMethod, "/cgi-bin/missing", false),
        (FileHidden, "/.env", false),
        (FileDenied, "/a", false),
        (FileEscapes, "/a", false),
        (FileNotRegular, "/a", false),
        (FilePrecondition, "/a", false),
        (FileRange, "/a", false),
        (CgiNotFound, "/cgi-bin/missing", false),
        (CgiFolder, "/cgi-bin/", false),
        (CgiHidden, "/cgi-bin/.x", false),
    ];
    for (reason, path, expected) in cases {
        let found = falls_back(&site, reason, path);
        assert_eq!(found, expected, "{reason:?} {path}");
    }
    let listing = ["--fallback", "/", "--listing", "{}"];
    let site = Site::open(&settings(&folder, &listing)).unwrap();
    assert!(!falls_back(&site, FileMethod, "/sub/"));
    let site = Site::open(&settings(&folder, &["{}"])).unwrap();
    assert_eq!(site.fallback(), None);
    assert!(!falls_back(&site, FileNotFound, "/missing"));
}

#[test]
fn a_fallback_that_is_not_there_is_noticed() {
    let folder = folder();
    folder.write("www/.env", "content");
    let cases = [
        ("/", true),
        ("/?q=/missing", true),
        ("/page%2Ephp", true),
        ("/cgi-bin/hello/x", true),
        ("/missing", false),
        ("/sub/", false),
        ("/.env", false),
        ("/cgi-bin/missing", false),
    ];
    for (fallback, expected) in cases {
        let settings = settings(&folder, &["--fallback", fallback, "{}"]);
        let site = Site::open(&settings).unwrap();
        assert_eq!(site.leads_somewhere(fallback), expected, "{fallback}");
    }
}
