//! Status codes and their reason phrases.
//!
//! Source: RFC 9110 section 15; the IANA HTTP Status Code Registry for those of other documents.
//! Shape: a [`StatusCode`] is a number from 100 to 599, and knows what the protocol says of it alone.
//! Rules: whether a response has a body is asked here and nowhere else, because a body where the
//! recipient expects none is read as the next response.
//! Not here: which status an error gets (`proto::reason`), how the body is framed (`response`).

use std::fmt;

/// A three-digit status code, 100 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(u16);

impl StatusCode {
    /// 200 OK.
    pub const OK: StatusCode = StatusCode(200);
    /// 205 Reset Content.
    pub const RESET_CONTENT: StatusCode = StatusCode(205);
    /// 204 No Content.
    pub const NO_CONTENT: StatusCode = StatusCode(204);
    /// 206 Partial Content.
    pub const PARTIAL_CONTENT: StatusCode = StatusCode(206);
    /// 301 Moved Permanently.
    pub const MOVED_PERMANENTLY: StatusCode = StatusCode(301);
    /// 302 Found.
    pub const FOUND: StatusCode = StatusCode(302);
    /// 304 Not Modified.
    pub const NOT_MODIFIED: StatusCode = StatusCode(304);

    /// 401 Unauthorized.
    pub const UNAUTHORIZED: StatusCode = StatusCode(401);

    /// The code of this number; `None` outside 100 to 599.
    pub const fn new(code: u16) -> Option<StatusCode> {
        if code >= 100 && code <= 599 {
            Some(StatusCode(code))
        } else {
            None
        }
    }

    /// A code known when the program is compiled; the compilation fails where it is none.
    pub(crate) const fn new_const(code: u16) -> StatusCode {
        assert!(code >= 100 && code <= 599);
        StatusCode(code)
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether a response with this status can have content: not 1xx, 204 and 304, whatever their
    /// fields say (RFC 9112 section 6.3).
    pub const fn has_body(self) -> bool {
        !matches!(self.0, 100..=199 | 204 | 304)
    }

    /// The registered reason phrase; empty, which RFC 9112 section 4 allows, for a code without one.
    pub const fn reason_phrase(self) -> &'static str {
        match self.0 {
            100 => "Continue",
            101 => "Switching Protocols",
            102 => "Processing",
            103 => "Early Hints",
            200 => "OK",
            201 => "Created",
            202 => "Accepted",
            203 => "Non-Authoritative Information",
            204 => "No Content",
            205 => "Reset Content",
            206 => "Partial Content",
            207 => "Multi-Status",
            208 => "Already Reported",
            226 => "IM Used",
            300 => "Multiple Choices",
            301 => "Moved Permanently",
            302 => "Found",
            303 => "See Other",
            304 => "Not Modified",
            305 => "Use Proxy",
            307 => "Temporary Redirect",
            308 => "Permanent Redirect",
            400 => "Bad Request",
            401 => "Unauthorized",
            402 => "Payment Required",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            406 => "Not Acceptable",
            407 => "Proxy Authentication Required",
            408 => "Request Timeout",
            409 => "Conflict",
            410 => "Gone",
            411 => "Length Required",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            414 => "URI Too Long",
            415 => "Unsupported Media Type",
            416 => "Range Not Satisfiable",
            417 => "Expectation Failed",
            421 => "Misdirected Request",
            422 => "Unprocessable Content",
            423 => "Locked",
            424 => "Failed Dependency",
            425 => "Too Early",
            426 => "Upgrade Required",
            428 => "Precondition Required",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            451 => "Unavailable For Legal Reasons",
            500 => "Internal Server Error",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            506 => "Variant Also Negotiates",
            507 => "Insufficient Storage",
            508 => "Loop Detected",
            510 => "Not Extended",
            511 => "Network Authentication Required",
            _ => "",
        }
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_100_to_599() {
        for number in 0..=u16::MAX {
            let code = StatusCode::new(number).map(StatusCode::as_u16);
            assert_eq!(code, (100..600).contains(&number).then_some(number));
        }
    }

    #[test]
    fn only_1xx_204_and_304_have_no_body() {
        let without: Vec<u16> = (100..600)
            .filter(|&n| !StatusCode::new_const(n).has_body())
            .collect();
        let expected: Vec<u16> = (100..200).chain([204, 304]).collect();
        assert_eq!(without, expected);
    }

    #[test]
    fn every_reason_of_ours_has_a_phrase_but_the_one_never_sent() {
        for reason in crate::proto::Reason::ALL {
            let status = reason.status();
            assert_eq!(
                status.reason_phrase().is_empty(),
                status.as_u16() == 499,
                "{}",
                reason.code()
            );
        }
    }

    #[test]
    fn phrases_follow_the_registry() {
        let cases = [
            (103, "Early Hints"),
            (226, "IM Used"),
            (306, ""),
            (413, "Content Too Large"),
            (418, ""),
            (422, "Unprocessable Content"),
            (599, ""),
        ];
        for (number, phrase) in cases {
            assert_eq!(
                StatusCode::new_const(number).reason_phrase(),
                phrase,
                "{number}"
            );
        }
    }

    #[test]
    fn displays_as_its_number() {
        assert_eq!(format!("{:>5}", StatusCode::NOT_MODIFIED), "  304");
    }
}
