//! `tollgate new`: a first program in each language, tried by `tollgate check` and by a server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::support::{Folder, Ran, Site, installed, run, tollgate};

/// The name of a program, what has to be installed for it, and what the server then calls it.
const FIRST: [(&str, &str, &str); 9] = [
    ("hello.sh", "sh", "hello.sh"),
    ("hello.py", "python3", "hello.py"),
    ("hello.pl", "perl", "hello.pl"),
    ("hello.php", "php-cgi", "hello.php"),
    ("hello.lua", "lua", "hello.lua"),
    ("hello.rb", "ruby", "hello.rb"),
    ("hello.js", "node", "hello.js"),
    ("hello_c.c", "cc", "hello_c"),
    ("hello_rust.rs", "rustc", "hello_rust"),
];

/// Runs `tollgate new` in a folder.
fn new(folder: &Path, arguments: &[&str]) -> Ran {
    run(tollgate().arg("new").args(arguments).current_dir(folder))
}

/// Runs the command that a line of `new` gives, as the reader would.
fn follow(folder: &Path, told: &str, label: &str) -> Option<Ran> {
    let command = told
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(label))?;
    let command = command.trim().strip_prefix("tollgate ").map_or_else(
        || command.to_owned(),
        |rest| {
            let as_root = if geteuid().is_root() {
                "--allow-root"
            } else {
                ""
            };
            let program = tollgate().get_program().display().to_string();
            format!("{program} {rest} {as_root}")
        },
    );
    Some(run(Command::new("/bin/sh")
        .args(["-ec", &command])
        .current_dir(folder)))
}

#[test]
fn each_first_program_passes_check_and_answers() {
    const TEST: &str = "each_first_program_passes_check_and_answers";
    let site = Site::bare();
    fs::create_dir(site.path("cgi-bin")).unwrap();
    let folder = site.path("");
    let mut made = Vec::new();
    for (name, needs, program) in FIRST {
        if installed(TEST, needs).is_none() {
            continue;
        }
        let ran = new(&folder, &[name]);
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        if let Some(compiled) = follow(&folder, &ran.stdout, "compile it:") {
            assert_eq!(compiled.status.code(), Some(0), "{compiled:?}");
            assert_eq!(
                compiled.stderr, "",
                "a first program compiles without a warning"
            );
            assert!(site.path(name).exists(), "the source is beside cgi-bin");
        }
        let checked = follow(&folder, &ran.stdout, "try it:").unwrap();
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
        assert!(checked.stdout.contains("Hello, Ada!"), "{checked:?}");
        assert!(
            checked.stdout.ends_with("nothing is wrong\n"),
            "{checked:?}"
        );
        made.push(program);
    }
    assert!(!made.is_empty());
    let looked = follow(&folder, "look: tollgate check .", "look:").unwrap();
    assert!(looked.stdout.ends_with("nothing is wrong\n"), "{looked:?}");
    let server = site.serve(&[]);
    for program in made {
        let ask = |query: &str| {
            let response = server.get(&format!("/cgi-bin/{program}?{query}"));
            assert_eq!(
                response.status,
                200,
                "{program}?{query}: {}",
                response.text()
            );
            assert_eq!(
                response
                    .field("Content-Type")
                    .map(str::to_lowercase)
                    .as_deref(),
                Some("text/html; charset=utf-8"),
                "{program}"
            );
            let text = String::from_utf8_lossy(&response.body);
            let start = text.find("<h1>").unwrap();
            let end = text.find("</h1>").unwrap();
            text[start + 4..end].to_owned()
        };
        // Entities may be written by name or by number.
        let plain = |text: String| {
            let named = [("&#60;", "&lt;"), ("&#62;", "&gt;"), ("&#38;", "&amp;")];
            named
                .iter()
                .fold(text, |text, (by, to)| text.replace(by, to))
        };
        assert_eq!(ask("name=Ada"), "Hello, Ada!", "{program}");
        assert_eq!(ask(""), "Hello, world!", "{program}");
        assert_eq!(
            ask("a=1&name=Ada+L%C3%B6w&b"),
            "Hello, Ada Löw!",
            "{program}"
        );
        assert_eq!(
            plain(ask("name=%3Cscript%3E%26amp;%3C/script%3E")),
            "Hello, &lt;script&gt;&amp;amp;&lt;/script&gt;!",
            "{program}"
        );
        let long = format!("name={}", "%41".repeat(3000));
        assert_eq!(
            ask(&long),
            format!("Hello, {}!", "A".repeat(3000)),
            "{program}"
        );
        for odd in [
            "name=%",
            "name=%zz%4&name",
            "&&=&=&",
            "name=%00x",
            "name=%ff%fe",
            "name[]=x",
            "x",
            "name=$(id)*`id`",
        ] {
            let answer = ask(odd);
            assert!(
                answer.starts_with("Hello, ") && !answer.contains("uid="),
                "{program}?{odd}: {answer}"
            );
        }
        // A query without a = is a program's argument: none of them takes it for an option of its interpreter.
        let answer = server.get(&format!("/cgi-bin/{program}?-s+-e")).text();
        assert!(
            !answer.contains("QUERY_STRING") && !answer.contains("$_GET"),
            "{program}: {answer}"
        );
    }
}

#[test]
fn a_program_goes_where_it_is_run_and_nothing_is_written_over() {
    let folder = Folder::new();
    let root = folder.path("");
    let here = new(&root, &["now"]);
    assert_eq!(
        here.stdout.lines().next(),
        Some("now is made. Read it, and then")
    );
    assert!(
        here.stdout
            .contains("  serve it:    tollgate --cgi /cgi-bin/=.\n"),
        "{here:?}"
    );
    fs::create_dir(folder.path("cgi-bin")).unwrap();
    let inside = new(&root, &["now", "--lang", "perl"]);
    assert!(
        inside.stdout.contains("  serve it:    tollgate\n"),
        "{inside:?}"
    );
    assert!(
        inside
            .stdout
            .ends_with("http://127.0.0.1:8080/cgi-bin/now?name=Ada\n"),
        "{inside:?}"
    );
    let text = fs::read_to_string(folder.path("cgi-bin/now")).unwrap();
    assert!(text.starts_with("#!/usr/bin/env perl\n"), "{text}");
    let mode = fs::metadata(folder.path("cgi-bin/now"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o100, 0o100);
    fs::create_dir(folder.path("more programs")).unwrap();
    let other = new(&root, &["more programs/x.c"]);
    for line in [
        "more programs/x.c is made. Read it, and then",
        "  compile it:  cc -O2 -Wall -o 'more programs/x' 'more programs/x.c'",
        "  try it:      tollgate check 'more programs/x' --query name=Ada",
        "  serve it:    tollgate --cgi /cgi-bin/='more programs'",
    ] {
        assert!(
            other.stdout.lines().any(|it| it == line),
            "{line}: {other:?}"
        );
    }
    for (arguments, status, line) in [
        (
            &["now"][..],
            1,
            "tollgate: tollgate new: 'cgi-bin/now' is there already; choose another name, or move it away\n",
        ),
        (
            &["none/x.py"],
            1,
            "tollgate: tollgate new: 'none/x.py' cannot be made (No such file or directory (os error 2))\n",
        ),
        (
            &[".x"],
            2,
            "tollgate: new: '.x' is a name that the server does not run; begin with a letter, and end like hello.py\n",
        ),
    ] {
        let ran = new(&root, arguments);
        assert_eq!(
            (ran.status.code(), ran.stderr.as_str()),
            (Some(status), line)
        );
    }
    assert_eq!(
        fs::read_to_string(folder.path("cgi-bin/now")).unwrap(),
        text
    );
    // A link that leads nowhere is there as well.
    std::os::unix::fs::symlink("elsewhere", folder.path("cgi-bin/link.sh")).unwrap();
    assert_eq!(new(&root, &["link.sh"]).status.code(), Some(1));
    assert!(!folder.path("cgi-bin/elsewhere").exists());
}

#[test]
fn help_tells_of_the_first_program() {
    let ran = run(tollgate().args(["new", "--help"]));
    assert_eq!(ran.status.code(), Some(0));
    assert!(
        ran.stdout.contains("tollgate new NAME [--lang LANG]"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.lines().all(|line| line.len() <= 84),
        "{}",
        ran.stdout
    );
}
