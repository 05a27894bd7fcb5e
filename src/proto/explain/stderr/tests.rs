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

#[test]
fn what_fails_in_a_library_was_called_from_a_line_of_the_program() {
    expect(
        "Python",
        "Traceback (most recent call last):\n  File \"/srv/x.py\", line 5, in <module>\n    f()\n  \
         File \"/srv/x.py\", line 4, in f\n    return json.loads(x)\n  \
         File \"/usr/lib/python3.11/json/__init__.py\", line 346, in loads\n    return decode(s)\n  \
         File \"/usr/lib/python3.11/json/decoder.py\", line 353, in raw_decode\n    scan()\n\
         json.decoder.JSONDecodeError: Expecting value\n",
        "/srv/x.py",
        4,
        "json.decoder.JSONDecodeError: Expecting value",
    );
    // Of two tracebacks the last counts, also where it names nothing but a library.
    expect(
        "Python",
        "Traceback (most recent call last):\n  File \"/srv/x.py\", line 5, in <module>\n    f()\nKeyError: 1\n\n\
         During handling of the above exception, another exception occurred:\n\n\
         Traceback (most recent call last):\n  File \"/usr/lib/python3/dist-packages/y.py\", line 9, in g\n    \
         h()\nValueError: z\n",
        "/usr/lib/python3/dist-packages/y.py",
        9,
        "ValueError: z",
    );
    expect(
        "Ruby",
        "/usr/lib/ruby/3.1.0/json/common.rb:216:in `parse': unexpected token at '{' (JSON::ParserError)\n\
         \tfrom /usr/lib/ruby/3.1.0/json/common.rb:216:in `parse'\n\tfrom /srv/x:4:in `f'\n\
         \tfrom /srv/x:6:in `<main>'\n",
        "/srv/x",
        4,
        "unexpected token at '{' (JSON::ParserError)",
    );
    expect(
        "Ruby",
        "<internal:/usr/lib/ruby/vendor_ruby/rubygems/core_ext/kernel_require.rb>:85:in `require': cannot load \
         such file -- nowhere (LoadError)\n\tfrom <internal:/usr/lib/ruby/x.rb>:85:in `require'\n\
         \tfrom /srv/x.rb:2:in `<main>'\n",
        "/srv/x.rb",
        2,
        "cannot load such file -- nowhere (LoadError)",
    );
    for head in [
        "node:internal/modules/cjs/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module 'x'\n\
         Require stack:\n- /srv/x.js\n    at Module._load (node:internal/modules/cjs/loader:1038:27)\n    \
         at require (node:internal/modules/helpers:182:18)\n    \
         at Object.<anonymous> (/srv/x.js:2:11)\n    \
         at node:internal/main/run_main_module:28:49 {\n  code: 'MODULE_NOT_FOUND',\n  \
         requireStack: [ '/srv/x.js' ]\n}\n\nNode.js v20.20.2\n",
        "<anonymous_script>:1\n{bad\n ^\n\nError: Cannot find module 'x'\n    \
         at JSON.parse (<anonymous>)\n    at file:///srv/x.js:2:6\n    \
         at Module._compile (node:internal/modules/cjs/loader:1521:14)\n\nNode.js v20.20.2\n",
        "node:fs:573\n  return binding.open(\n                 ^\n\nError: Cannot find module 'x'\n    \
         at Object.openSync (node:fs:573:18)\n    at async /srv/x.js:2:4\n",
    ] {
        expect(
            "Node.js",
            head,
            "/srv/x.js",
            2,
            "Error: Cannot find module 'x'",
        );
    }
}

#[test]
fn a_script_may_have_any_name() {
    expect(
        "Ruby",
        "/srv/hello:2:in `<main>': undefined method `foo' for nil:NilClass (NoMethodError)\n\nnil.foo\n   ^^^^\n",
        "/srv/hello",
        2,
        "undefined method `foo' for nil:NilClass (NoMethodError)",
    );
    expect(
        "Ruby",
        "/srv/hello:7:in 'Integer#/': divided by 0 (ZeroDivisionError)\n\tfrom /srv/hello:7:in '<main>'\n",
        "/srv/hello",
        7,
        "divided by 0 (ZeroDivisionError)",
    );
}

#[test]
fn node_tells_where_what_is_no_error_was_thrown() {
    expect(
        "Node.js",
        "\n/srv/x.js:2\nthrow \"a string\";\n^\na string\n(Use `node --trace-uncaught ...` to show where the \
         exception was thrown)\n\nNode.js v20.20.2\n",
        "/srv/x.js",
        2,
        "a string",
    );
}
