//! The commands that are told to mend a program: each is run, and has to mend it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{PATIENCE, Server, Site, eventually, installed, is_root};

/// The page of a program, as a terminal gets it.
fn page(server: &Server, name: &str) -> (u16, String) {
    let request =
        format!("GET /cgi-bin/{name} HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n");
    let response = server.exchange("GET", request.as_bytes());
    (response.status, response.text())
}

/// Runs what a page tells to do, once for each fault that it finds.
#[track_caller]
fn mend(server: &Server, name: &str, code: &str, times: usize) {
    for time in 0..times {
        let (status, text) = page(server, name);
        assert_ne!(status, 200, "{name}, {time}: {text}");
        if time == 0 {
            assert!(text.contains(&format!("error[{code}]: ")), "{name}: {text}");
        }
        let remedy = text.split_once("= to mend it: ").expect(&text).1;
        let remedy = remedy.lines().next().unwrap();
        let tools = ["sed -i", "chmod", "iconv"];
        let begin = tools.iter().find_map(|tool| remedy.find(tool));
        let command = &remedy[begin.expect(remedy)..];
        let done = Command::new("sh")
            .args(["-c", command])
            .current_dir(server.path(""))
            .status();
        assert!(done.unwrap().success(), "{name}: {command}");
    }
    let (status, text) = page(server, name);
    assert_eq!((status, text.as_str()), (200, "mended\n"), "{name}");
}

#[test]
fn the_command_that_is_told_mends_the_file() {
    let test = "the_command_that_is_told_mends_the_file";
    let Some(perl) = installed(test, "perl") else {
        return;
    };
    // Interpreters are looked for where programs look for them.
    assert!(perl.starts_with("/usr"), "{}", perl.display());
    let site = Site::new();
    let sh = "printf 'Content-Type: text/plain\\n\\nmended\\n'\n";
    let pl = "print \"Content-Type: text/plain\\n\\nmended\\n\";\n";
    let warns = "print \"Content-Type: text/plain\\n\\n\", $^W ? \"mended\\n\" : \"lost\\n\";\n";
    let wide: Vec<u8> = format!("\u{feff}#!/bin/sh\n{sh}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let format = "cgi.bad-format";
    let missing = "cgi.no-interpreter";
    let mut told = Vec::new();
    for (name, content, code, times) in [
        ("none", sh.as_bytes().to_vec(), format, 1),
        ("none.sh", sh.as_bytes().to_vec(), format, 1),
        ("none.pl", pl.as_bytes().to_vec(), format, 1),
        ("below.sh", format!("\n\n#!/bin/sh\n{sh}").into(), format, 1),
        ("aside.sh", format!("  #!/bin/sh\n{sh}").into(), format, 1),
        (
            "mark",
            format!("\u{feff}#!/bin/sh\n{sh}").into(),
            "cgi.byte-order-mark",
            1,
        ),
        ("wide", wide, "cgi.byte-order-mark", 1),
        (
            "lines",
            format!("#!/bin/sh\r\n{sh}").into(),
            "cgi.carriage-return",
            1,
        ),
        (
            "mark and lines",
            format!("\u{feff}#!/bin/sh\r\n{sh}").into(),
            "cgi.byte-order-mark",
            2,
        ),
        (
            "elsewhere",
            format!("#!/nowhere/bin/perl\n{pl}").into(),
            missing,
            1,
        ),
        (
            // What is behind it is kept: that Perl is to warn.
            "argument",
            format!("#!/nowhere/bin/perl -w\n{warns}").into(),
            missing,
            1,
        ),
        ("bare", format!("#!perl\n{pl}").into(), missing, 1),
        (
            "version",
            format!("#!/nowhere/perl5.36\n{pl}").into(),
            missing,
            1,
        ),
        (
            "env",
            format!("#!/usr/bin/env perl5.0\n{pl}").into(),
            missing,
            1,
        ),
        (
            "one-word",
            format!("#!/usr/bin/env perl -w\n{warns}").into(),
            missing,
            1,
        ),
    ] {
        site.script(&format!("cgi-bin/{name}"), content);
        told.push((name.replace(' ', "%20"), code, times));
    }
    site.file("cgi-bin/bit", format!("#!/bin/sh\n{sh}"));
    told.push(("bit".to_owned(), "cgi.not-executable", 1));
    let server = site.serve(&[]);
    for (name, code, times) in told {
        mend(&server, &name, code, times);
    }
}

/// An application whose processes end before they serve.
#[cfg(feature = "fastcgi")]
#[test]
fn why_nobody_is_left_to_be_asked_is_told() {
    let site = Site::new();
    let program = site.script("app", "#!/bin/sh\necho no luck today >&2\nexit 7\n");
    site.script("slow", "#!/bin/sh\nsleep 1\nexit 8\n");
    let slow = format!("/slow/=exec:{}", site.text("slow"));
    let server = site.serve(&[
        "-f",
        &format!("/app/=exec:{}", program.display()),
        "-f",
        &slow,
    ]);
    server.wait_for_log("ended with exit status 7");
    for (target, status) in [("/app/", "exit status 7"), ("/slow/", "exit status 8")] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n");
        let response = server.exchange("GET", request.as_bytes());
        let text = response.text();
        assert_eq!(response.status, 503, "{text}");
        assert!(text.contains("error[fastcgi.down]: "), "{text}");
        assert!(
            text.contains(&format!("its process ended with {status}")),
            "{text}"
        );
        // The log has the same, under the id that the page shows.
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("Request "))
            .expect(&text);
        server.wait_for_log(&format!("{id}: fastcgi.down: "));
    }
    server.wait_for_log("no luck today");
}

/// A header, and then a fault: an empty page.
#[test]
fn in_place_of_an_empty_page_the_fault_is_told() {
    let site = Site::new();
    let fault = "printf 'Content-Type: text/plain\\n\\n'; echo $0: 7: foo: not found >&2; exit 127";
    site.script("cgi-bin/empty", format!("#!/bin/sh\n{fault}\n"));
    let begun = fault.replace("n';", "nbegun';");
    site.script("cgi-bin/begun", format!("#!/bin/sh\n{begun}\n"));
    let mild = "printf 'Status: 404 None\\n\\n'; exit 1";
    site.script("cgi-bin/mild", format!("#!/bin/sh\n{mild}\n"));
    let server = site.serve(&[]);
    // What takes longer than the head is held back for, as on a busy machine, is sent as it is.
    assert!(eventually(PATIENCE, || {
        let (status, text) = page(&server, "empty");
        status == 500 && text.contains("error[cgi.exit]: The program failed at line 7 of ")
    }));
    assert_eq!(page(&server, "begun"), (200, "begun".to_owned()));
    assert_eq!(page(&server, "mild"), (404, String::new()));
    server.expect_access("/cgi-bin/mild", 404, "cgi.exit");
    // Strangers get what the program printed.
    let request = b"GET /cgi-bin/empty HTTP/1.1\r\nHost: example.org\r\n\r\n";
    let response = server.exchange("GET", request);
    assert_eq!((response.status, response.text().as_str()), (200, ""));
}

/// Who may execute a script may not be who may read it.
#[test]
fn a_script_that_its_interpreter_may_not_read_is_told() {
    if !is_root("a_script_that_its_interpreter_may_not_read_is_told") {
        return;
    }
    let site = Site::new();
    let sh = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nmended\\n'\n";
    site.script("cgi-bin/closed", sh);
    site.script("cgi-bin/folder/x", sh);
    for (name, mode) in [("closed", 0o711), ("folder", 0o700)] {
        let path = site.path(&format!("cgi-bin/{name}"));
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let server = site.serve(&["--user", "65534:65534"]);
    let (_, text) = page(&server, "closed");
    assert!(text.contains("but not read"), "{text}");
    mend(&server, "closed", "cgi.not-executable", 1);
    mend(&server, "folder/x", "cgi.folder-denied", 1);
}
