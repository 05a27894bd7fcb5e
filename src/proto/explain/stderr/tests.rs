use super::*;

#[track_caller]
fn expect(language: &'static str, stderr: &str, file: &str, line: u32, message: &str) {
    let expected = Trace {
        language,
        file: file.to_owned(),
        line,
        message: message.to_owned(),
    };
    let told = complaint(stderr.as_bytes());
    assert_eq!(told, Some(Complaint::Trace(expected)), "{stderr}");
}

#[test]
fn python_tells_the_innermost_line() {
    expect(
        "Python",
        "Traceback (most recent call last):\n  File \"/srv/a.py\", line 4, in <module>\n    f()\n  \
         File \"/srv/a.py\", line 3, in f\n    return foo\n           ^^^\nNameError: name 'foo' is not \
         defined\n",
        "/srv/a.py",
        3,
        "NameError: name 'foo' is not defined",
    );
    expect(
        "Python",
        "  File \"/srv/b.py\", line 2\n    print(\n         ^\nSyntaxError: '(' was never closed\n",
        "/srv/b.py",
        2,
        "SyntaxError: '(' was never closed",
    );
    // The beginning is lost.
    expect(
        "Python",
        "ine 1, in <module>\n    g()\n  File \"x.py\", line 9, in g\n    h\nKeyError: 'id'",
        "x.py",
        9,
        "KeyError: 'id'",
    );
}

#[test]
fn perl_tells_the_line_that_failed_first() {
    expect(
        "Perl",
        "Can't locate Foo/Bar.pm in @INC (@INC contains: /etc/perl) at a.pl line 1.\nBEGIN \
         failed--compilation aborted at a.pl line 1.\n",
        "a.pl",
        1,
        "Can't locate Foo/Bar.pm in @INC (@INC contains: /etc/perl)",
    );
    expect(
        "Perl",
        "syntax error at /srv/b.pl line 12, near \"= ;\"\nExecution of /srv/b.pl aborted due to \
         compilation errors.\n",
        "/srv/b.pl",
        12,
        "syntax error",
    );
    expect(
        "Perl",
        "no at c.pl line 7, <STDIN> line 3.\n",
        "c.pl",
        7,
        "no",
    );
}

#[test]
fn php_tells_the_file_after_the_message() {
    expect(
        "PHP",
        "PHP Fatal error:  Uncaught Error: Call to undefined function foo() in /srv/a.php:2\nStack \
         trace:\n#0 {main}\n  thrown in /srv/a.php on line 2\n",
        "/srv/a.php",
        2,
        "Uncaught Error: Call to undefined function foo()",
    );
    expect(
        "PHP",
        "PHP Parse error:  syntax error, unexpected end of file in /srv/b.php on line 3\n",
        "/srv/b.php",
        3,
        "syntax error, unexpected end of file",
    );
}

#[test]
fn node_tells_its_file_before_the_message() {
    expect(
        "Node.js",
        "/srv/a.js:1\nfunction f(){ x.y }\n              ^\n\nReferenceError: x is not defined\n    \
         at f (/srv/a.js:1:15)\n    at node:internal/main/run_main_module:28:49\n\nNode.js v20.20.2\n",
        "/srv/a.js",
        1,
        "ReferenceError: x is not defined",
    );
    expect(
        "Node.js",
        "file:///srv/a.mjs:7\nx(\n\n\nSyntaxError: missing ) after argument list\n    at wrapSafe (n:1:2)\n",
        "/srv/a.mjs",
        7,
        "SyntaxError: missing ) after argument list",
    );
}

#[test]
fn ruby_lua_and_shells_begin_with_the_file() {
    expect(
        "Ruby",
        "/srv/a.rb:2:in `f': undefined local variable or method `x' for main:Object (NameError)\n\tfrom \
         /srv/a.rb:4:in `<main>'\n",
        "/srv/a.rb",
        2,
        "undefined local variable or method `x' for main:Object (NameError)",
    );
    expect(
        "Ruby",
        "a.rb:3: syntax error, unexpected end-of-input\n",
        "a.rb",
        3,
        "syntax error, unexpected end-of-input",
    );
    expect(
        "Lua",
        "lua5.4: a.lua:1: attempt to index a nil value (global 'x')\nstack traceback:\n\t[C]: in ?\n",
        "a.lua",
        1,
        "attempt to index a nil value (global 'x')",
    );
    for (stderr, line, message) in [
        ("/srv/a.sh: 2: foo: not found\n", 2, "foo: not found"),
        (
            "/srv/a.sh: line 2: foo: command not found\n",
            2,
            "foo: command not found",
        ),
        (
            "/srv/a.sh: 3: Syntax error: end of file unexpected\n",
            3,
            "Syntax error: end of file unexpected",
        ),
    ] {
        expect("shell", stderr, "/srv/a.sh", line, message);
    }
}

#[test]
fn what_is_not_found_is_named() {
    for (stderr, name) in [
        ("env: 'python3': No such file or directory\n", "python3"),
        (
            "/usr/bin/env: ‘python3\\r’: No such file or directory\n/usr/bin/env: use -[v]S\n",
            "python3\r",
        ),
        (
            "/usr/bin/env: 'python3\\r': No such file or directory\n",
            "python3\r",
        ),
        (
            "/usr/bin/env: 'python3'$'\\r': No such file or directory\n",
            "python3\r",
        ),
        (
            "env: can't execute 'lua': No such file or directory\n",
            "lua",
        ),
    ] {
        let told = complaint(stderr.as_bytes());
        assert_eq!(told, Some(Complaint::NotFound(name.to_owned())), "{stderr}");
    }
    for stderr in [
        "/srv/x: error while loading shared libraries: libz.so.9: cannot open shared object file: No such \
         file or directory\n",
        "Error loading shared library libz.so.9: No such file or directory (needed by /srv/x)\n",
    ] {
        let told = complaint(stderr.as_bytes());
        assert_eq!(
            told,
            Some(Complaint::Library("libz.so.9".to_owned())),
            "{stderr}"
        );
    }
}

#[test]
fn a_mere_word_is_no_trace() {
    for stderr in [
        "",
        "\n\n",
        "oops\n",
        "warning: 3 things to do\n",
        "a: b: c\n",
        "12: 5: x\nFile \"",
        "File \"x\", line \nError",
        "at  line .\n at x line 5000000000.",
        "  at x\nError",
        "\u{fffd}: line : \n",
        "/a:1\n    at x\n",
    ] {
        assert_eq!(complaint(stderr.as_bytes()), None, "{stderr}");
    }
}
