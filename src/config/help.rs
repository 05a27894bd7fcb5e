//! The texts of `--help` and `--version`.
//!
//! Rules: written from the table of options alone, in at most 80 columns.

use std::fmt::Write;

use super::flags::{FLAGS, Fallback, Flag};

const WIDTH: usize = 80;
/// Where descriptions begin. A name that does not end two columns before it stands on a line alone.
const INDENT: usize = 29;

const INTRODUCTION: &str = "\
Sends files and runs programs (CGI) over HTTP.

Usage: tollgate [OPTIONS] [ROOT]
";

const CHECK_CONFIG_USAGE: &str =
    "       tollgate [OPTIONS] check-config    says what is wrong, and starts nothing\n";

/// Of the commands that are left out together.
const EXPLAIN_USAGE: &str = "       \
tollgate new NAME            writes a first program, hello.py for one
       tollgate check PATH          says what is wrong with a program or
                                    folder; see tollgate check --help
";

#[cfg(feature = "explain")]
const NEW: &str = "\
Writes a first program, which answers and passes tollgate check.

Usage: tollgate new NAME [--lang LANG]

NAME tells the language by its ending, as in hello.py; without one it is a shell
script. The program goes into cgi-bin/ where there is one; else, and where NAME has
a folder, it goes where NAME says. Of C and Rust the source is written beside
cgi-bin/, and how to compile it is told. What is there is never written over.

  --lang LANG          sh, python, perl, c, rust, php, lua, ruby, node
";

#[cfg(feature = "explain")]
const CHECK: &str = "\
Tries a program as the server would run it, and says what is wrong.

Usage: tollgate check [OPTIONS] PATH

PATH is a program; or a folder, whose programs and files are looked at and not run
(one that holds www/ and cgi-bin/, www itself, or one of programs).

  --query Q            the URL's query, as in a=1&b=2
  --method M           the method (default GET, or POST with a body)
  --body FILE          what the program reads from its standard input
  --header 'N: value'  a field of the request; repeatable
  --json               report in JSON

Options of the server hold here too: --env, --cgi .php=PROGRAM, --cgi-timeout,
--limit, --user, --allow-root and others. Exit status: 0 if there is no error,
1 if there is one, 2 for a wrong option.
";

const PASSWD_USAGE: &str = "       tollgate passwd FILE USER    sets a password for --auth\n";

const ROOT: &str = "
ROOT is the folder that holds www/ and cgi-bin/ (default .)
";

const CONCLUSION: &str = "
SIZE is bytes, or a number with K, M or G. SECS may have a fraction, as in 0.5.
RUST_LOG=debug in the environment makes the log on standard error say more.

Examples:
  tollgate
      Serve ./www, and run ./cgi-bin, at http://127.0.0.1:8080/
  tollgate -l 0.0.0.0:80 -s /=/srv/site -c .php=/usr/bin/php-cgi
      Serve a site with PHP to the whole network
";

const FASTCGI_EXAMPLES: &str = "  \
  tollgate -f .php=unix:/run/php/php-fpm.sock --index index.php,index.html
      Have PHP's own FastCGI server answer for .php files
  tollgate -f '/app/=exec:./app.py | processes=2-8, requests=1000'
      Keep 2 to 8 processes of ./app.py running, each for 1000 requests
";

/// Returns the name and version of the program.
pub(super) fn version() -> String {
    format!("tollgate {}\n", env!("CARGO_PKG_VERSION"))
}

/// Returns the description of `tollgate check`.
#[cfg(feature = "explain")]
pub(super) fn check() -> String {
    CHECK.to_owned()
}

/// Returns the description of `tollgate new`.
#[cfg(feature = "explain")]
pub(super) fn new() -> String {
    NEW.to_owned()
}

/// Returns the description of all options.
pub(super) fn text() -> String {
    let mut text = version() + INTRODUCTION;
    if cfg!(feature = "config") {
        text.push_str(CHECK_CONFIG_USAGE);
    }
    if cfg!(feature = "explain") {
        text.push_str(EXPLAIN_USAGE);
    }
    if cfg!(feature = "auth") {
        text.push_str(PASSWD_USAGE);
    }
    text.push_str(ROOT);
    let mut group = None;
    for flag in FLAGS {
        if group.replace(flag.group) != Some(flag.group) {
            text.extend(["\n", flag.group.title(), ":\n"]);
        }
        push_entry(&mut text, flag);
    }
    text.push_str(CONCLUSION);
    if cfg!(feature = "fastcgi") {
        text.push_str(FASTCGI_EXAMPLES);
    }
    text
}

fn push_entry(text: &mut String, flag: &Flag) {
    let short = flag
        .short
        .map_or_else(|| " ".repeat(4), |short| format!("-{short}, "));
    let value = flag
        .value_name()
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    let name = format!("  {short}{flag}{value}");
    // Writing to a String cannot fail.
    let _ = if name.len() + 2 > INDENT {
        write!(text, "{name}\n{:INDENT$}", "")
    } else {
        write!(text, "{name:<INDENT$}")
    };

    let mut column = INDENT;
    for piece in pieces(flag) {
        if column > INDENT && column + 1 + piece.len() > WIDTH {
            let _ = write!(text, "\n{:INDENT$}", "");
            column = INDENT;
        }
        if column > INDENT {
            text.push(' ');
            column += 1;
        }
        text.push_str(&piece);
        column += piece.len();
    }
    text.push('\n');
}

/// What is not broken over lines: each word, and the default as a whole.
fn pieces(flag: &Flag) -> Vec<String> {
    let help = flag.help.to_owned()
        + if flag.is_repeatable() {
            "; repeatable"
        } else {
            ""
        };
    let mut pieces: Vec<String> = help.split_whitespace().map(str::to_owned).collect();
    match flag.default {
        Fallback::None => {}
        Fallback::Like(name) => pieces.push(format!("(default what --{name} says)")),
        Fallback::Value(words) | Fallback::Words(words) | Fallback::Computed(words, _) => {
            pieces.push(format!("(default {words})"));
        }
    }
    pieces
}
