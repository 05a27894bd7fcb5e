//! X-Sendfile and X-Accel-Redirect.

use super::*;

#[test]
fn files_in_place_of_documents() {
    let path = |name: &[u8]| SendFile::Path(name.to_vec());
    let url = |name: &[u8]| SendFile::Url(name.to_vec());
    let cases: &[(&str, Bytes, SendFile, u16, Bytes)] = &[
        (
            "a file",
            b"X-Sendfile: /srv/a.txt\n\n",
            path(b"/srv/a.txt"),
            200,
            b"",
        ),
        (
            "in any case of letters",
            b"x-SENDFILE:/a\r\n\r\n",
            path(b"/a"),
            200,
            b"",
        ),
        (
            "a name is taken as it is",
            b"X-Sendfile: //a b/../%41?c#d/\xe4\n\n",
            path(b"//a b/../%41?c#d/\xe4"),
            200,
            b"",
        ),
        (
            "a URL",
            b"X-Accel-Redirect: /files/a%20b.txt\n\n",
            url(b"/files/a%20b.txt"),
            200,
            b"",
        ),
        (
            "spaces of a URL are encoded, as those of a Location",
            b"X-Accel-Redirect: /a b ?c d\n\n",
            url(b"/a%20b%20"),
            200,
            b"",
        ),
        (
            "in another case of letters",
            b"x-accel-REDIRECT: /a\n\n",
            url(b"/a"),
            200,
            b"",
        ),
        (
            "a query is cut off",
            b"X-Accel-Redirect: /a?b?c\n\n",
            url(b"/a"),
            200,
            b"",
        ),
        (
            "the other fields",
            b"Status: 404 Gone\nSet-Cookie: a=1\nX-Sendfile: /a\nContent-Type: b/c\n\n",
            path(b"/a"),
            404,
            b"Set-Cookie: a=1\r\nContent-Type: b/c\r\n",
        ),
        (
            "a Location makes no redirect",
            b"Location: /b\nX-Sendfile: /a\n\n",
            path(b"/a"),
            200,
            b"Location: /b\r\n",
        ),
        (
            "an empty one is none",
            b"X-Sendfile:\nX-Accel-Redirect: /a\n\n",
            url(b"/a"),
            200,
            b"",
        ),
    ];
    for (description, header, from, status, block) in cases {
        let head = head(header);
        let kind = CgiResponse::SendFile { from: from.clone() };
        assert_eq!(head.kind, kind, "{description}");
        assert_eq!(head.status.as_u16(), *status, "{description}");
        assert_eq!(text(&head.block), text(block), "{description}");
    }
    for value in [
        "X-Sendfile: a",
        "X-Sendfile: ./a",
        "X-Sendfile: ../a",
        "X-Sendfile: %2Fa",
        "X-Sendfile: file:///a",
        "X-Accel-Redirect: a",
        "X-Accel-Redirect: /a\tb",
        "X-Accel-Redirect: ?a",
        "X-Accel-Redirect: //host/a",
        "X-Accel-Redirect: /a#b",
        "X-Accel-Redirect: http://host/a",
        "X-Accel-Redirect: @name",
    ] {
        let output = format!("{value}\n");
        let reason = refusal(output.as_bytes());
        assert_eq!(reason, Some(Reason::CgiSendFile), "{value}");
    }
}
