//! Decides whether a connection stays open after an exchange.
//!
//! Source: RFC 9112 section 9.3; RFC 9110 section 7.6.1.
//! Shape: a head in; [`Persistence`], and the names in its Connection fields, out.
//! Rules: Connection is a list. `close` counts wherever it stands, in any case of letters, and wins
//! over `keep-alive`; `closed` or `not-close` is another option, and means nothing to us.
//! Not here: when a connection has been idle for too long.

use crate::proto::grammar::list_members;
use crate::proto::http::head::{RequestHead, Version};

/// Whether a connection can carry another exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// It stays open.
    Keep,
    /// It ends with this exchange: the client asks for it, or speaks HTTP/1.0 and does not ask for
    /// more.
    Close,
}

/// Returns what the request says about the connection.
///
/// ```
/// use tollgate::proto::http::head::{HeadLimits, RequestHead};
/// use tollgate::proto::http::persist::{Persistence, of_request};
///
/// let mut head = RequestHead::default();
/// head.parse(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &HeadLimits::default()).unwrap();
/// assert_eq!(of_request(&head), Persistence::Keep);
/// ```
pub fn of_request(head: &RequestHead) -> Persistence {
    let (mut close, mut keep_alive) = (false, false);
    for option in connection_options(head) {
        close |= option.eq_ignore_ascii_case(b"close");
        keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    if close || (head.version() < Version::Http11 && !keep_alive) {
        Persistence::Close
    } else {
        Persistence::Keep
    }
}

/// Returns the members of all Connection fields, in order: besides `close` and `keep-alive`, the
/// names of fields that are meant for this connection alone and must not be passed on.
pub fn connection_options(head: &RequestHead) -> impl Iterator<Item = &[u8]> {
    head.field_values("Connection").flat_map(list_members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::testing::request_head;

    #[test]
    fn the_request_decides_by_list_members() {
        use Persistence::{Close, Keep};
        let cases = [
            ("1.1", "", Keep),
            ("1.1", "Connection: close\r\n", Close),
            ("1.1", "connection: Foo ,\tCLOSE\r\n", Close),
            ("1.1", "Connection: TE\r\nConnection: close\r\n", Close),
            ("1.1", "Connection: keep-alive, close\r\n", Close),
            ("1.1", "Connection: closed, not-close, x close\r\n", Keep),
            ("1.1", "Connection: keep-alive\r\n", Keep),
            ("1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n", Keep),
            ("1.1", "Connection:\r\nClose: close\r\n", Keep),
            ("1.1", "Proxy-Connection: close\r\n", Keep),
            ("1.2", "", Keep),
            ("1.0", "", Close),
            ("1.0", "Connection: x-keep-alive\r\n", Close),
            ("1.0", "Connection: Keep-Alive\r\n", Keep),
            ("1.0", "Connection: ,,keep-alive,\r\n", Keep),
            ("1.0", "Connection: close, keep-alive\r\n", Close),
            ("1.0", "Proxy-Connection: keep-alive\r\n", Close),
        ];
        for (version, fields, expected) in cases {
            let head = request_head(format!("GET / HTTP/{version}\r\n{fields}\r\n"));
            assert_eq!(of_request(&head), expected, "{version} {fields}");
        }
    }

    #[test]
    fn options_of_all_lines_are_listed_in_order() {
        let head = request_head(
            "GET / HTTP/1.1\r\nConnection: close, X-Hop\r\nVia: a\r\nCONNECTION: ,TE \r\n\r\n",
        );
        let options: Vec<_> = connection_options(&head).collect();
        assert_eq!(options, [&b"close"[..], b"X-Hop", b"TE"]);
    }
}
