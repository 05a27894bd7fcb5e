use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::*;
use crate::sys::beneath::Links;
use crate::sys::testing::TempDir;

/// A folder of programs with one of everything that may stand in it.
fn programs() -> (TempDir, Root) {
    let folder = TempDir::new();
    for name in [
        "hello",
        "nph-raw",
        "sub/inner",
        "sub/nph-inner",
        "sub.d/with space",
        ".hidden",
        ".git/hook",
        "na\u{ef}ve",
    ] {
        folder.write(name, "#!/bin/sh\n");
        let path = folder.path().join(name);
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    folder.write("readme", "not to be executed");
    folder.write("sub/notes", "not to be executed");
    folder.fifo("fifo");
    drop(UnixListener::bind(folder.path().join("socket")).unwrap());
    folder.link("/bin/sh", "out");
    folder.link("../..", "up");
    folder.link("hello", "inside");
    folder.link("sub", "linked");
    folder.link("missing", "dangling");
    folder.link("loop", "loop");
    let root = Root::open(folder.path(), Links::Within).unwrap();
    (folder, root)
}

#[test]
fn a_path_splits_at_the_first_program() {
    // (rest of the path, program, PATH_INFO)
    let cases = [
        ("hello", "hello", ""),
        ("hello/", "hello", "/"),
        ("hello/a/b", "hello", "/a/b"),
        ("hello/a//b/", "hello", "/a//b/"),
        ("hello/.hidden/..", "hello", "/.hidden/.."),
        ("sub/inner", "sub/inner", ""),
        ("sub/inner/hello", "sub/inner", "/hello"),
        ("sub.d/with space", "sub.d/with space", ""),
        ("inside", "inside", ""),
        ("linked/inner/x", "linked/inner", "/x"),
        ("na\u{ef}ve", "na\u{ef}ve", ""),
        ("nph-raw/x", "nph-raw", "/x"),
        ("sub/nph-inner", "sub/nph-inner", ""),
    ];
    let (folder, root) = programs();
    for (rest, program, path_info) in cases {
        let script = find(&root, "/cgi-bin/", rest.as_bytes()).unwrap();
        let path = folder.path().join(program);
        assert_eq!(script.program, path, "{rest}");
        assert_eq!(script.filename, path, "{rest}");
        assert_eq!(script.folder, path.parent().unwrap(), "{rest}");
        assert_eq!(
            script.script_name,
            format!("/cgi-bin/{program}").into_bytes()
        );
        assert_eq!(script.path_info, path_info.as_bytes(), "{rest}");
        assert_eq!(script.is_nph, program.contains("nph-"), "{rest}");
        assert!(!script.is_interpreted && script.arguments.is_empty());
    }
}

#[test]
fn what_is_no_program_is_refused_and_never_read() {
    let cases = [
        ("", Reason::CgiFolder),
        ("sub", Reason::CgiFolder),
        ("sub/", Reason::CgiFolder),
        ("linked", Reason::CgiFolder),
        ("missing", Reason::CgiNotFound),
        ("missing/more", Reason::CgiNotFound),
        ("sub/missing", Reason::CgiNotFound),
        ("hell", Reason::CgiNotFound),
        ("HELLO", Reason::CgiNotFound),
        ("dangling", Reason::CgiNotFound),
        (".hidden", Reason::CgiHidden),
        (".git/hook", Reason::CgiHidden),
        (".missing", Reason::CgiHidden),
        ("sub/.missing", Reason::CgiHidden),
        ("..", Reason::CgiHidden),
        ("sub/../hello", Reason::CgiHidden),
        ("hello~", Reason::CgiCopy),
        ("hello.bak/more", Reason::CgiCopy),
        ("sub.old/hello", Reason::CgiCopy),
        ("sub/#hello#", Reason::CgiCopy),
        ("missing.swp", Reason::CgiCopy),
        ("readme", Reason::CgiNotExecutable),
        ("readme/x", Reason::CgiNotExecutable),
        ("sub/notes", Reason::CgiNotExecutable),
        ("fifo", Reason::CgiDenied),
        ("fifo/x", Reason::CgiDenied),
        ("socket", Reason::CgiDenied),
        ("out", Reason::CgiDenied),
        ("up", Reason::CgiDenied),
        ("up/etc/passwd", Reason::CgiDenied),
        ("loop", Reason::CgiDenied),
    ];
    let (_folder, root) = programs();
    for (rest, reason) in cases {
        let found = find(&root, "/cgi-bin/", rest.as_bytes()).map(|script| script.program);
        assert_eq!(found, Err(reason), "{rest}");
    }
    let long = "n".repeat(300);
    let found = find(&root, "/cgi-bin/", long.as_bytes()).map(|script| script.program);
    assert_eq!(found, Err(Reason::CgiNotFound));
}

#[test]
fn a_byte_that_is_no_utf8_is_a_byte_of_the_name() {
    let (folder, root) = programs();
    let name = OsStr::from_bytes(b"\xff\xfe");
    fs::copy("/bin/sh", folder.path().join(name)).unwrap();
    let script = find(&root, "/", b"\xff\xfe/\xfd").unwrap();
    assert_eq!(script.script_name, b"/\xff\xfe");
    assert_eq!(script.path_info, b"/\xfd");
    assert_eq!(script.program, folder.path().join(name));
}

#[test]
fn one_program_answers_everything_below_its_prefix() {
    // (prefix, path, rest, SCRIPT_NAME, PATH_INFO)
    for (prefix, path, rest, script_name, path_info) in [
        ("/app/", "/app", "", "/app", ""),
        ("/app/", "/app/", "", "/app", "/"),
        ("/app/", "/app/a/b", "a/b", "/app", "/a/b"),
        ("/", "/", "", "", "/"),
        ("/", "/a", "a", "", "/a"),
    ] {
        let script = Script::single(
            Path::new("/srv/nph-x"),
            prefix,
            rest.as_bytes(),
            path.as_bytes(),
        );
        assert_eq!(script.script_name, script_name.as_bytes());
        assert_eq!(script.path_info, path_info.as_bytes(), "{path}");
        assert_eq!(script.folder, Path::new("/srv"));
        assert!(script.is_nph);
    }
}

#[test]
fn an_interpreter_is_given_the_file_and_never_speaks_for_itself() {
    let (folder, root) = programs();
    let script = Script::interpreted(
        Path::new("/usr/bin/nph-php"),
        &root,
        b"sub/nph-page.php",
        b"/x/nph-page.php".to_vec(),
        b"/info".to_vec(),
    );
    let file = folder.path().join("sub/nph-page.php");
    assert_eq!(script.program, Path::new("/usr/bin/nph-php"));
    assert_eq!(script.arguments, [file.as_os_str().as_bytes().to_vec()]);
    assert_eq!(script.folder, folder.path().join("sub"));
    assert_eq!(script.filename, file);
    assert!(script.is_interpreted && !script.is_nph);
}
