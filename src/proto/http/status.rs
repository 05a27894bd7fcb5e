//! Status codes and their reason phrases (RFC 9110 section 15).

/// A three-digit status code, 100 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(u16);

impl StatusCode {
    /// 200 OK.
    pub const OK: StatusCode = StatusCode(200);

    /// A code known when the program is compiled; the compilation fails where it is none.
    pub(crate) const fn new_const(code: u16) -> StatusCode {
        assert!(code >= 100 && code <= 599);
        StatusCode(code)
    }

    /// The code, where it is one from 100 to 599.
    pub const fn new(code: u16) -> Option<StatusCode> {
        if code >= 100 && code <= 599 { Some(StatusCode(code)) } else { None }
    }

    /// The code as a number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}
