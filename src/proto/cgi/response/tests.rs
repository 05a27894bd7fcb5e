mod refused;
mod send_file;

use super::*;

type Bytes = &'static [u8];

const MAX_LEN: usize = 1024;

/// Parses the input byte by byte and whole, which must agree, and gives the verdict; none where
/// more bytes are needed.
fn verdict(input: &[u8], max_len: usize) -> Result<Option<(CgiHead, usize)>, Reason> {
    let whole = outcome(input, max_len);
    let first = (0..=input.len())
        .map(|len| outcome(&input[..len], max_len))
        .find(|outcome| *outcome != Ok(None));
    assert_eq!(whole, first.unwrap_or(Ok(None)), "{}", text(input));
    whole
}

fn outcome(input: &[u8], max_len: usize) -> Result<Option<(CgiHead, usize)>, Reason> {
    Ok(match parse(input, max_len)? {
        Parsed::Complete { value, used } => Some((value, used)),
        Parsed::Partial => None,
    })
}

/// The head of a header that is whole, blank line included.
fn head(header: &[u8]) -> CgiHead {
    let (head, used) = verdict(header, MAX_LEN).unwrap().unwrap();
    assert_eq!(used, header.len(), "{}", text(header));
    let mut with_body = header.to_vec();
    with_body.extend_from_slice(b"\n\nStatus: 500\n\n");
    assert_eq!(outcome(&with_body, MAX_LEN), Ok(Some((head.clone(), used))));
    head
}

fn refusal(output: &[u8]) -> Option<Reason> {
    verdict(output, MAX_LEN).err()
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn local(location: &[u8]) -> CgiResponse {
    CgiResponse::LocalRedirect {
        location: location.to_vec(),
    }
}

#[test]
fn the_four_responses() {
    use CgiResponse::{ClientRedirect, ClientRedirectWithDocument, Document};
    let cases: &[(&str, Bytes, CgiResponse, u16, Bytes)] = &[
        (
            "a document",
            b"Content-Type: text/plain\n\n",
            Document,
            200,
            b"Content-Type: text/plain\r\n",
        ),
        (
            "a document with a status",
            b"Status: 404 Not Found\nContent-Type: text/plain\n\n",
            Document,
            404,
            b"Content-Type: text/plain\r\n",
        ),
        ("a status alone", b"Status: 204\n\n", Document, 204, b""),
        (
            "no CGI field",
            b"Set-Cookie: a=1\n\n",
            Document,
            200,
            b"Set-Cookie: a=1\r\n",
        ),
        (
            "an empty Location is none",
            b"Location:\n\n",
            Document,
            200,
            b"",
        ),
        (
            "a local path",
            b"Location: /a/b\n\n",
            local(b"/a/b"),
            200,
            b"",
        ),
        (
            "with a query",
            b"location:/a?b=//c%20d\n\n",
            local(b"/a?b=//c%20d"),
            200,
            b"",
        ),
        (
            "a local redirect with spaces",
            b"Location: /a b?c=d e\n\n",
            local(b"/a%20b?c=d%20e"),
            200,
            b"",
        ),
        (
            "a client redirect with spaces",
            b"Location: https://www.example/?note=all  done\n\n",
            CgiResponse::ClientRedirect,
            302,
            b"Location: https://www.example/?note=all%20%20done\r\n",
        ),
        ("the root", b"LOCATION: /\r\n\r\n", local(b"/"), 200, b""),
        (
            "a local path among fields that are dropped",
            b"Date: now\nX-CGI-Note: x\nX-Empty:\nContent-Length: 0\nLocation: /a\n\n",
            local(b"/a"),
            200,
            b"",
        ),
        (
            "an absolute URI",
            b"Location: https://www.example/a#b\n\n",
            ClientRedirect,
            302,
            b"Location: https://www.example/a#b\r\n",
        ),
        (
            "an authority without scheme",
            b"Location: //www.example/a\n\n",
            ClientRedirect,
            302,
            b"Location: //www.example/a\r\n",
        ),
        (
            "a relative reference",
            b"Location: b.html\n\n",
            ClientRedirect,
            302,
            b"Location: b.html\r\n",
        ),
        (
            "a fragment",
            b"Location: /a#b\n\n",
            ClientRedirect,
            302,
            b"Location: /a#b\r\n",
        ),
        (
            "bytes beyond ASCII",
            b"Location: b/k\xc3\xa4se\n\n",
            ClientRedirect,
            302,
            b"Location: b/k\xc3\xa4se\r\n",
        ),
        (
            "a local path with a cookie",
            b"Location: /home\nSet-Cookie: sid=1\n\n",
            ClientRedirect,
            302,
            b"Set-Cookie: sid=1\r\nLocation: /home\r\n",
        ),
        (
            "a local path with a status",
            b"Status: 303 See Other\nLocation: /done\n\n",
            ClientRedirect,
            303,
            b"Location: /done\r\n",
        ),
        (
            "a local path with a document",
            b"Location: /a\nContent-Type: text/html\n\n",
            ClientRedirectWithDocument,
            302,
            b"Content-Type: text/html\r\nLocation: /a\r\n",
        ),
        (
            "a redirect with status and document",
            b"Status: 301 Moved\nLocation: http://www.example/\nContent-Type: text/html\n\n",
            ClientRedirectWithDocument,
            301,
            b"Content-Type: text/html\r\nLocation: http://www.example/\r\n",
        ),
        (
            "where a new resource is",
            b"Status: 201 Created\nLocation: /items/7\n\n",
            Document,
            201,
            b"Location: /items/7\r\n",
        ),
    ];
    for (description, header, kind, status, block) in cases {
        let head = head(header);
        assert_eq!(head.kind, *kind, "{description}");
        assert_eq!(head.status.as_u16(), *status, "{description}");
        assert_eq!(text(&head.block), text(block), "{description}");
    }
}

#[test]
fn the_status() {
    let cases: &[(Bytes, u16, Option<Bytes>)] = &[
        (b"200", 200, None),
        (b"200 ", 200, None),
        (b"200 OK", 200, Some(b"OK")),
        (b"299 Quite\tso", 299, Some(b"Quite\tso")),
        (b"404   Not  here  ", 404, Some(b"Not  here")),
        (b"599 \xe4", 599, Some(b"\xe4")),
        (b"302 HTTP/1.1 200 OK", 302, Some(b"HTTP/1.1 200 OK")),
    ];
    for (value, status, phrase) in cases {
        let head = head(&[b"sTATUS: ", *value, b"\n\n"].concat());
        assert_eq!(
            (head.status.as_u16(), head.phrase.as_deref()),
            (*status, *phrase)
        );
        assert_eq!(head.block, b"");
    }
    let refused = [
        "0",
        "20",
        "099",
        "100 Continue",
        "101",
        "199",
        "600",
        "2000",
        "200OK",
        "200\tOK",
        "200,",
        "+20",
        "-20",
        "2 0",
        "0x1",
        "OK",
        "HTTP/1.1 200 OK",
        "\u{b2}00",
    ];
    for value in refused {
        let header = format!("Status: {value}\n");
        assert_eq!(
            refusal(header.as_bytes()),
            Some(Reason::CgiStatus),
            "{value}"
        );
    }
}

#[test]
fn the_content_length() {
    let cases: &[(Bytes, Option<u64>)] = &[
        (b"Content-Type: a/b\n\n", None),
        (b"Content-Length:\n\n", None),
        (b"Content-Length: 0\n\n", Some(0)),
        (b"content-LENGTH:\t0012 \r\n\r\n", Some(12)),
        (b"Content-Length: 18446744073709551615\n\n", Some(u64::MAX)),
    ];
    for (header, len) in cases {
        assert_eq!(head(header).content_length, *len, "{}", text(header));
    }
    assert_eq!(head(b"Content-Length: 5\nX: y\n\n").block, b"X: y\r\n");

    let refused = [
        "18446744073709551616",
        "+5",
        "-5",
        "0x5",
        "5, 5",
        "5 5",
        "5;",
        "5\nContent-Length: 5",
    ];
    for value in refused {
        let header = format!("Content-Length: {value}\n");
        assert_eq!(
            refusal(header.as_bytes()),
            Some(Reason::CgiHeaderMalformed),
            "{value:?}"
        );
    }
}

#[test]
fn fields_for_the_client() {
    let cases: &[(&str, Bytes, Bytes)] = &[
        (
            "order, spelling and repetition",
            b"b: 1\nSET-Cookie: a=1\nA: 2\nSet-Cookie: b=2\nb: 3\n\n",
            b"b: 1\r\nSET-Cookie: a=1\r\nA: 2\r\nSet-Cookie: b=2\r\nb: 3\r\n",
        ),
        (
            "each line end for itself",
            b"A: 1\r\nB: 2\nC: 3\r\n\n",
            b"A: 1\r\nB: 2\r\nC: 3\r\n",
        ),
        (
            "spaces around a value",
            b"A:1\nB: \t 2 \t\r\n\r\n",
            b"A: 1\r\nB: 2\r\n",
        ),
        (
            "an empty value is no field",
            b"A:\nB: 2\nC: \t\n\n",
            b"B: 2\r\n",
        ),
        (
            "an empty CGI field may be repeated",
            b"Content-Type:\nContent-Type: a/b\n\n",
            b"Content-Type: a/b\r\n",
        ),
        (
            "colons, tabs, bytes beyond ASCII",
            b"A: :b:\tc\xe4\n\n",
            b"A: :b:\tc\xe4\r\n",
        ),
        (
            "every character of a token",
            b"!#$%&'*+-.^_`|~09AZaz: 1\n\n",
            b"!#$%&'*+-.^_`|~09AZaz: 1\r\n",
        ),
        (
            "fields of the connection",
            b"Connection: close\nKEEP-ALIVE: 1\nA: 1\n\n",
            b"A: 1\r\n",
        ),
        (
            "of a proxy's connection",
            b"Proxy-Connection: close\nUpgrade: h2c\n\n",
            b"",
        ),
        (
            "of framing",
            b"TE: a\nTrailer: X\ntransfer-encoding: chunked\n\n",
            b"",
        ),
        ("the server's own", b"Date: now\nServer: mine/1\n\n", b""),
        (
            "for the server",
            b"X-CGI-Cache: no\nx-cgi-: 1\nX-CGI: 2\n\n",
            b"X-CGI: 2\r\n",
        ),
        (
            "another server's word",
            b"X-Accel-Buffering: no\n\n",
            b"X-Accel-Buffering: no\r\n",
        ),
    ];
    for (description, header, block) in cases {
        assert_eq!(text(&head(header).block), text(block), "{description}");
    }
}

/// The headers that well-known programs print, in their manner of line ends, order and spelling.
#[test]
fn well_known_programs() {
    let cases: &[(&str, Bytes, u16, &str, Bytes)] = &[
        (
            "php-cgi, a page",
            b"X-Powered-By: PHP/8.2.1\r\nSet-Cookie: PHPSESSID=0f; path=/\r\n\
              Content-type: text/html; charset=UTF-8\r\n\r\n",
            200,
            "",
            b"X-Powered-By: PHP/8.2.1\r\nSet-Cookie: PHPSESSID=0f; path=/\r\n\
              Content-type: text/html; charset=UTF-8\r\n",
        ),
        (
            "php-cgi, a redirect to a path",
            b"Status: 302 Found\r\nLocation: /login.php\r\nSet-Cookie: a=b\r\n\
              Content-type: text/html; charset=UTF-8\r\n\r\n",
            302,
            "Found",
            b"Set-Cookie: a=b\r\nContent-type: text/html; charset=UTF-8\r\n\
              Location: /login.php\r\n",
        ),
        (
            "CGI.pm, a page with two cookies",
            b"Set-Cookie: a=1; path=/\r\nSet-Cookie: b=2; path=/\r\n\
              Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
              Content-Type: text/html; charset=ISO-8859-1\r\n\r\n",
            200,
            "",
            b"Set-Cookie: a=1; path=/\r\nSet-Cookie: b=2; path=/\r\n\
              Content-Type: text/html; charset=ISO-8859-1\r\n",
        ),
        (
            "CGI.pm, a redirect",
            b"Status: 302 Found\r\nLocation: /x\r\n\r\n",
            302,
            "Found",
            b"Location: /x\r\n",
        ),
        (
            "gitweb, an error page",
            b"Status: 404 Not Found\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
            404,
            "Not Found",
            b"Content-Type: text/html; charset=utf-8\r\n",
        ),
        (
            "git-http-backend, a refusal without content",
            b"Status: 403 Forbidden\r\nPragma: no-cache\r\n\r\n",
            403,
            "Forbidden",
            b"Pragma: no-cache\r\n",
        ),
        (
            "wsgiref, which tells its length",
            b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\n",
            200,
            "OK",
            b"Content-Type: text/plain\r\n",
        ),
        (
            "echo in a shell",
            b"Content-type: a/b\n\n",
            200,
            "",
            b"Content-type: a/b\r\n",
        ),
    ];
    for (description, header, status, phrase, block) in cases {
        let head = head(header);
        assert_eq!(head.status.as_u16(), *status, "{description}");
        assert_eq!(
            head.phrase.unwrap_or_default(),
            phrase.as_bytes(),
            "{description}"
        );
        assert_eq!(text(&head.block), text(block), "{description}");
    }
}

#[test]
fn names_of_nph_scripts() {
    for name in ["nph-clock", "nph-"] {
        assert!(is_nph(name.as_bytes()), "{name}");
    }
    for name in ["clock", "nph", "NPH-clock", "my-nph-clock", ""] {
        assert!(!is_nph(name.as_bytes()), "{name}");
    }
}
