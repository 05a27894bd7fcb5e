//! tollgate(1) and tollgate.conf(5).
//!
//! Source: man(7) as groff and mandoc both read it. Rules: text is escaped by [`escape`], so that nothing in
//! the table is taken for a request; an option's dashes are ASCII's, to be copied from the page.

use std::fmt::Write;

use tollgate::config::flags::{Fallback, Flag, Takes};

use super::{Help, groups};

const DESCRIPTION: &str = "\
A URL leads to a file in \\fIROOT\\fR/www, which is sent, or to a program in \\fIROOT\\fR/cgi-bin, which is run
and whose output is sent, or to an application that stays running (FastCGI).
Without options it serves the current folder at http://127.0.0.1:8080/, to this machine alone.
.PP
Of all routes that fit a URL, the one with the longest prefix answers; a route by extension (.php) takes
the files of that name under the static routes.
A \\fB\\-\\-static\\fR or \\fB\\-\\-cgi\\fR stands in place of the default for that option.
.PP
\\fISIZE\\fR is bytes, or a number with K, M or G.
\\fISECS\\fR may have a fraction, as in 0.5.
";

const SIGNALS: &str = "\
.TP
.BR SIGTERM \", \" SIGINT
Finish what runs, for at most \\fB\\-\\-drain\\-timeout\\fR, then end.
A second one ends that at once.
.TP
.B SIGHUP
Open the access log anew, after it was renamed.
";

const MANAGERS: &str = "\
Sockets that a service manager hands over (\\fBLISTEN_FDS\\fR, \\fBLISTEN_PID\\fR, \\fBLISTEN_FDNAMES\\fR)
are listened on in place of those of \\fB\\-\\-listen\\fR.
The manager keeps them, so that nobody is turned away while the server is restarted.
.PP
With \\fBNOTIFY_SOCKET\\fR the manager is told when the server accepts connections, reopens its log and stops.
With \\fBWATCHDOG_USEC\\fR it is given a sign of life twice in that time, as long as workers do their work.
.PP
Where standard error is the journal, lines bear no time of their own.
";

const ENVIRONMENT: &str = "\
.TP
.B RUST_LOG
How much is logged: \\fBerror\\fR, \\fBwarn\\fR, \\fBinfo\\fR (the default), \\fBdebug\\fR or \\fBoff\\fR,
for all or by module, as in \\fBinfo,tollgate::handler=debug\\fR.
.TP
.B TMPDIR
Where request bodies and output wait that are too long for memory; /tmp without it.
";

const EXIT_STATUS: &str = "\
.TP
.B 0
It was told to stop, and did; or printed what it was asked for.
.TP
.B 1
The machine does not permit it: a port that is taken, a right that is missing.
.TP
.B 2
An option is wrong; the one line on standard error says which, and how it is written.
";

const FORM: &str = "\
The file that
.B tollgate \\-\\-config
.I FILE
reads has an option on each line: its long name without the dashes, white space, and its value, which is the rest
of the line as it stands.
There are no quotes.
What is a mere switch stands alone.
Empty lines are left out, and so are comments, whose first character is #.
A path that begins with no slash is meant from where the server is started.
.PP
An option that is given on the command line counts in place of the file\\(aqs, also where it may be given more than
once.
.PP
.B tollgate \\-\\-config
.I FILE
.B check\\-config
says what is wrong, by line, and
.B tollgate \\-\\-config
.I FILE
.B \\-\\-dump\\-config
prints what is in force and where it comes from.
On SIGHUP the file is read again; where anything is wrong, nothing changes, and the log says so.
";

const SITES: &str = "\
A line
\\fB[site\\fR \\fIHOST\\fR ...\\fB]\\fR
begins what is for one site, which requests for these hosts get; it goes on to the next such line.
What stands before the first one is for the server, and for each site that does not say otherwise.
A host *.example.net is every name below example.net.
What is for the whole server is refused in a section.
";

const SAMPLE: &str = "\
.EX
# what is for the server, or for every site
listen 0.0.0.0:80
user www\\-data

[site example.org www.example.org]
static /=/srv/example

[site *.example.net]
cgi /cgi\\-bin/=/srv/net/cgi\\-bin
.EE
";

/// tollgate(1).
pub fn program(help: &Help) -> String {
    let mut page = header("TOLLGATE", 1, "User Commands");
    page.push_str(
        ".SH NAME\ntollgate \\- web server for files and programs (CGI, FastCGI)\n.SH SYNOPSIS\n",
    );
    page.push_str(".B tollgate\n.RI [ OPTIONS ]\n.RI [ ROOT ]\n");
    for command in &help.commands {
        let _ = writeln!(page, ".br\n{}", synopsis(&command.usage));
    }
    section(&mut page, "DESCRIPTION", DESCRIPTION);
    page.push_str(".SH COMMANDS\n");
    for command in &help.commands {
        let _ = writeln!(
            page,
            ".TP\n{}\n{}",
            synopsis(&command.usage),
            sentence(&command.text)
        );
        if command.name == "check" {
            page.push_str("It has these options too:\n.RS\n");
            for own in &help.check {
                let _ = writeln!(
                    page,
                    ".TP\n{}\n{}",
                    synopsis(&own.usage),
                    sentence(&own.text)
                );
            }
            page.push_str(".RE\n");
        }
    }
    page.push_str(".SH OPTIONS\n");
    for group in groups() {
        let _ = writeln!(page, ".SS {}", escape(group[0].group.title()));
        for flag in group {
            let short = flag.short.map(|short| format!("\\fB\\-{short}\\fR, "));
            let name = format!("\\fB{}\\fR", escape(&flag.to_string()));
            let value = flag
                .value_name()
                .map(|value| format!(" \\fI{}\\fR", escape(value)));
            let (short, value) = (short.unwrap_or_default(), value.unwrap_or_default());
            let _ = writeln!(page, ".TP\n{short}{name}{value}\n{}", body(flag, "--"));
        }
    }
    section(&mut page, "SIGNALS", SIGNALS);
    section(&mut page, "SERVICE MANAGERS", MANAGERS);
    section(&mut page, "ENVIRONMENT", ENVIRONMENT);
    section(&mut page, "EXIT STATUS", EXIT_STATUS);
    page.push_str(".SH EXAMPLES\n");
    for (line, does) in &help.examples {
        let _ = writeln!(page, ".TP\n.B {}\n{}", escape(line), sentence(does));
    }
    page.push_str(
        ".SH SEE ALSO\n.BR tollgate.conf (5),\n.BR systemd.socket (5),\n.BR logrotate (8)\n",
    );
    page
}

/// tollgate.conf(5).
pub fn configuration() -> String {
    let mut page = header("TOLLGATE.CONF", 5, "File Formats");
    page.push_str(".SH NAME\ntollgate.conf \\- configuration of tollgate\n");
    section(&mut page, "DESCRIPTION", FORM);
    section(&mut page, "SITES", SITES);
    page.push_str(".SH OPTIONS\n");
    for group in groups() {
        let mut heading = Some(group[0].group.title());
        for flag in group {
            // What prints a text and exits has no place in a file.
            if matches!(flag.takes, Takes::Answer(_)) {
                continue;
            }
            if let Some(heading) = heading.take() {
                let _ = writeln!(page, ".SS {}", escape(heading));
            }
            let name = escape(flag.long);
            let value = flag
                .value_name()
                .map(|value| format!(" \\fI{}\\fR", escape(value)));
            let value = value.unwrap_or_default();
            let _ = writeln!(page, ".TP\n\\fB{name}\\fR{value}\n{}", body(flag, ""));
        }
    }
    section(&mut page, "EXAMPLES", SAMPLE);
    page.push_str(".SH SEE ALSO\n.BR tollgate (1)\n");
    page
}

fn header(name: &str, section: u8, manual: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".\\\" Made by `make documents`.\n.TH {name} {section} \"\" \"tollgate {version}\" \"{manual}\"\n"
    )
}

fn section(page: &mut String, name: &str, text: &str) {
    let _ = write!(page, ".SH {name}\n{text}");
}

/// What an option does, and what holds without it; `dashes` stand before the name of another one.
fn body(flag: &Flag, dashes: &str) -> String {
    let mut text = sentence(flag.help);
    if flag.is_repeatable() {
        text.push_str("\nMay be given more than once.");
    }
    match flag.default {
        Fallback::None => {}
        Fallback::Like(name) => {
            let _ = write!(
                text,
                "\nDefault: what \\fB{}{}\\fR says.",
                escape(dashes),
                escape(name)
            );
        }
        Fallback::Value(words) | Fallback::Words(words) | Fallback::Computed(words, _) => {
            let _ = write!(text, "\nDefault: {}.", escape(words));
        }
    }
    text
}

/// `tollgate check PATH`, with what is to be written as it is in bold and the rest in italics.
fn synopsis(usage: &str) -> String {
    let words = usage.split(' ').map(|word| {
        let is_placeholder = word.bytes().any(|byte| byte.is_ascii_uppercase());
        let font = if is_placeholder { 'I' } else { 'B' };
        format!("\\f{font}{}\\fR", escape(word))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A text that ends with a full stop and begins with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    escape(&(first.unwrap_or_default() + letters.as_str() + "."))
}

/// Text as roff prints it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '.' if at == 0 => escaped.push_str("\\&."),
            other => escaped.push(other),
        }
    }
    escaped
}
