//! The path of a URL, decoded once.

use std::borrow::Cow;

/// A path that was percent-decoded once and had its dot segments removed.
///
/// Always begins with `/`, holds no NUL or other control byte, no empty segment but a last one, and
/// no `.` or `..` segment. The only way from a request to a file or program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath<'a>(pub(super) Cow<'a, [u8]>);

impl UrlPath<'_> {
    /// The decoded bytes, led by a slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
