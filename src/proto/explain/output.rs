//! What is wrong with the header that a program printed.
//!
//! Source: RFC 3875 section 6; the grammar is that of `proto::cgi::response`, which refused it.
//! Shape: the reason and the first bytes of the output in, a [`Finding`] out that names the line.

use crate::proto::Reason;
use crate::proto::finding::{Code, Finding};
use crate::proto::grammar::{holds, is_tchar, parse_decimal, trim_ows};

/// What a program has to print at least.
const EXAMPLE: &str =
    "print first, before anything else: Content-Type: text/html, and then an empty line";

/// What php-cgi prints where nothing shows that a server has chosen it.
const PHP_REFUSES: &[u8] = b"force-cgi-redirect";

/// What is wrong with `printed`, for which a program failed for `reason`.
pub fn finding(reason: Reason, printed: &[u8]) -> Finding {
    let it_printed = "it printed";
    match reason {
        Reason::CgiNoOutput => Finding::error(
            reason,
            "The program ended without printing anything, and without a complaint.",
            EXAMPLE,
        ),
        Reason::CgiNoHeader => no_header(printed),
        Reason::CgiHeaderCut => Finding::error(
            reason,
            "The program ended inside its header: no empty line ends it.",
            "print an empty line after the header, and the document behind it",
        )
        .shown_by_end(it_printed, printed),
        Reason::CgiHeaderTooLong => Finding::error(
            reason,
            "No empty line ends the program's header within --max-header.",
            "print an empty line after the header; a header that is meant to be so long wants a larger \
             --max-header",
        )
        .shown_by(it_printed, printed),
        Reason::CgiStatus => field(
            reason,
            printed,
            "status",
            "is no status code from 200 to 599 with words behind it",
            "print it like this: Status: 404 Not Found",
        ),
        Reason::CgiLocation => field(
            reason,
            printed,
            "location",
            "is no place to go to",
            "print a path of this server (Location: /path) or a whole URL (Location: https://host/path)",
        ),
        Reason::CgiSendFile => field(
            reason,
            printed,
            "x-",
            "names no file that a static route could send",
            "name a file below a folder of --static: X-Sendfile by its absolute path, X-Accel-Redirect by \
             its URL",
        ),
        Reason::CgiHeaderMalformed => malformed(printed),
        _ => Finding::error(reason, reason.meaning(), "").shown_by(it_printed, printed),
    }
}

/// The lines of a header, without their ends, and whether each has its end.
fn lines(printed: &[u8]) -> impl Iterator<Item = &[u8]> {
    printed
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The name and the value of a field line.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| !is_tchar(byte))?;
    (colon > 0 && line[colon] == b':').then(|| (&line[..colon], trim_ows(&line[colon + 1..])))
}

/// The first bytes are no header.
fn no_header(printed: &[u8]) -> Finding {
    let first = lines(printed).next().unwrap_or_default();
    let error = |sentence: String, remedy: &'static str| {
        Finding::error(Reason::CgiNoHeader, sentence, remedy).shown_by("it printed", printed)
    };
    if first.starts_with(b"HTTP/") {
        return error(
            "The output begins with a status line, which is the server's to write.".to_owned(),
            "print a field in its place: Status: 200 OK. A program that writes the whole response is \
             named nph-NAME",
        );
    }
    if holds(printed, PHP_REFUSES) {
        return error(
            "php-cgi refuses to run a script that names it in its #! line (cgi.force_redirect)."
                .to_owned(),
            "take the #! line out, put it among the files that are sent (www/), and give both --cgi \
             /cgi-bin/=cgi-bin and --cgi .php=/usr/bin/php-cgi",
        );
    }
    if let Some(at) = lines(printed).position(begins_header) {
        let sentence = format!(
            "The header begins in line {} of the output: something else came before it.",
            at + 1
        );
        let mut finding = error(
            sentence,
            "print nothing before the header. What comes early may be a left-over print, a warning, or \
             the output of a command that was started while the header waited in a buffer: flush it before \
             (Python: print(..., flush=True), Perl: $| = 1, C: fflush(stdout))",
        );
        finding.code = Code::Reason(Reason::CgiHeaderLate);
        return finding;
    }
    if first.starts_with(b"\xEF\xBB\xBF") {
        return error(
            "A byte-order mark (EF BB BF) comes before the header.".to_owned(),
            "save the program, and what it includes, as UTF-8 without a byte-order mark: sed -i \
             '1s/^\\xEF\\xBB\\xBF//' FILE",
        );
    }
    let sentence = match first {
        [] => "The output begins with an empty line, so the header is empty.",
        [b'<', ..] => "The output begins with the document: there is no header before it.",
        [b' ' | b'\t', ..] => "The first line begins with a space, so it is no line of a header.",
        _ => match first.iter().position(|&byte| byte == b':') {
            Some(_) => {
                "The first line is no line of a header: what stands before its colon is no name."
            }
            None => "The first line is no line of a header: it has no colon.",
        },
    };
    error(sentence.to_owned(), EXAMPLE)
}

/// Whether this line looks like the first of a header.
fn begins_header(line: &[u8]) -> bool {
    split(line).is_some_and(|(name, value)| {
        let known: [&[u8]; 4] = [b"content-type", b"status", b"location", b"set-cookie"];
        !value.is_empty() && known.iter().any(|it| name.eq_ignore_ascii_case(it))
    })
}

/// A field whose value is wrong.
fn field(
    reason: Reason,
    printed: &[u8],
    begins: &str,
    problem: &str,
    remedy: &'static str,
) -> Finding {
    let found = lines(printed).enumerate().find(|(_, line)| {
        let beginning = line.get(..begins.len());
        beginning.is_some_and(|it| it.eq_ignore_ascii_case(begins.as_bytes()))
    });
    let (number, line) = found.map_or((0, printed), |(at, line)| (at + 1, line));
    let name = split(line).map_or(begins.as_bytes(), |(name, _)| name);
    let sentence = format!(
        "The value of {} in the program's header {problem}.",
        String::from_utf8_lossy(name)
    );
    Finding::error(reason, sentence, remedy).shown_by(format!("line {number} of its output"), line)
}

/// A later line is none of a header.
fn malformed(printed: &[u8]) -> Finding {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for (at, line) in lines(printed).enumerate() {
        if line.is_empty() {
            break;
        }
        let told = match split(line) {
            None => Some(no_field(line)),
            Some((name, value)) => {
                let name = name.to_ascii_lowercase();
                let single: [&[u8]; 6] = [
                    b"status",
                    b"location",
                    b"content-length",
                    b"content-type",
                    b"x-sendfile",
                    b"x-accel-redirect",
                ];
                let repeated = single.contains(&&name[..]) && seen.contains(&name);
                let is_length = name == b"content-length";
                seen.push(name);
                if value
                    .iter()
                    .any(|&byte| byte.is_ascii_control() && byte != b'\t')
                {
                    Some((
                        "holds a control character",
                        "leave it out; a CR or LF in a value would let whoever sends it write fields of \
                         their own",
                    ))
                } else if repeated {
                    Some(("gives a field again that may stand once", "print it once"))
                } else if is_length && parse_decimal(value).is_none() {
                    Some((
                        "gives a length that is no number",
                        "print digits alone, or leave Content-Length to the server",
                    ))
                } else {
                    None
                }
            }
        };
        if let Some((problem, remedy)) = told {
            let sentence = format!("Line {} of the program's header {problem}.", at + 1);
            return Finding::error(Reason::CgiHeaderMalformed, sentence, remedy)
                .shown_by(format!("line {} of its output", at + 1), line);
        }
    }
    let reason = Reason::CgiHeaderMalformed;
    Finding::error(reason, reason.meaning(), "").shown_by("it printed", printed)
}

fn no_field(line: &[u8]) -> (&'static str, &'static str) {
    match line {
        [b' ' | b'\t', ..] => (
            "begins with a space, as if it continued the one before",
            "print each field in one line",
        ),
        _ if !line.contains(&b':') => (
            "has no colon",
            "print an empty line between the header and the document; a line of the header is Name: value",
        ),
        _ => (
            "has no name before its colon",
            "print Name: value, without a space before the colon; an empty line ends the header",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Parsed;
    use crate::proto::cgi::response;

    #[test]
    fn each_fault_of_a_header_is_told_from_what_was_printed() {
        // (printed, code, part of the sentence, part of the evidence)
        for (printed, code, sentence, shown) in [
            (&b""[..], "cgi.no-output", "without printing anything", ""),
            (b"hello\n", "cgi.no-header", "no colon", "hello\\n"),
            (
                b"\nContent\n",
                "cgi.no-header",
                "begins with an empty line",
                "\\n",
            ),
            (
                b"<html>\n",
                "cgi.no-header",
                "begins with the document",
                "<html>",
            ),
            (
                b" X: y\n\n",
                "cgi.no-header",
                "begins with a space",
                " X: y",
            ),
            (b"x y: z\n\n", "cgi.no-header", "is no name", "x y: z"),
            (
                b"HTTP/1.1 200 OK\n\n",
                "cgi.no-header",
                "status line",
                "HTTP/1.1",
            ),
            (
                b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n",
                "cgi.no-header",
                "status line",
                "HTTP/1.0",
            ),
            (
                b"<b>Security Alert!</b> ... compiled with force-cgi-redirect enabled.\n",
                "cgi.no-header",
                "php-cgi refuses",
                "Security Alert",
            ),
            (
                b"\xEF\xBB\xBFContent-Type: x\n\n",
                "cgi.no-header",
                "byte-order mark",
                "\\u{feff}",
            ),
            (
                b"debug\x1b[0m\nContent-Type: text/html\n\nx",
                "cgi.header-late",
                "in line 2",
                "debug\\x1b[0m\\n",
            ),
            (b"X: y\n", "cgi.header-cut", "no empty line", "X: y"),
            (
                b"Status: OK\n\n",
                "cgi.status",
                "value of Status",
                "Status: OK",
            ),
            (
                b"X: y\nStatus: 99 x\n\n",
                "cgi.status",
                "no status code",
                "Status: 99 x",
            ),
            (b"Location: a\tb\n\n", "cgi.location", "no place", "a\\tb"),
            (
                b"X-Sendfile: a\n\n",
                "cgi.send-file",
                "X-Sendfile",
                "X-Sendfile: a",
            ),
            (
                b"X: y\n<html>\n\n",
                "cgi.header-malformed",
                "Line 2 of the program's header has no colon",
                "<html>",
            ),
            (
                b"X: y\nA b: c\n\n",
                "cgi.header-malformed",
                "Line 2",
                "A b: c",
            ),
            (b"X: y\n z\n\n", "cgi.header-malformed", "continued", " z"),
            (
                b"X: a\x01b\n\n",
                "cgi.header-malformed",
                "control character",
                "a\\x01b",
            ),
            (
                b"Status: 200\nStatus: 200\n\n",
                "cgi.header-malformed",
                "again",
                "Status: 200",
            ),
            (
                b"Content-Length: +5\n\n",
                "cgi.header-malformed",
                "no number",
                "+5",
            ),
        ] {
            let reason = match response::parse(printed, 16 << 10) {
                Err(reason) => reason,
                Ok(Parsed::Partial) => response::ended(printed),
                Ok(whole) => panic!("{printed:?} is right: {whole:?}"),
            };
            let finding = finding(reason, printed);
            assert_eq!(finding.code.to_string(), code, "{finding:?}");
            assert!(finding.sentence.contains(sentence), "{finding:?}");
            let evidence = finding.evidence.first().map_or("", |it| &it.text);
            assert!(evidence.contains(shown), "{finding:?}");
            assert!(!finding.remedy.is_empty(), "{finding:?}");
        }
    }

    #[test]
    fn a_header_without_an_end_is_shown_by_its_beginning() {
        let printed = b"X: y\n".repeat(100);
        let reason = response::parse(&printed, 100).unwrap_err();
        let finding = finding(reason, &printed);
        assert_eq!(finding.reason(), Some(Reason::CgiHeaderTooLong));
        assert!(finding.evidence[0].text.starts_with("X: y\\n"));
    }
}
