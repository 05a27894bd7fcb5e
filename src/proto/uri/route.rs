//! Routes.

/// What a route is found by: the beginning of a path, or the end of a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteKey {
    /// A URL prefix, with a slash at both ends.
    Prefix(String),
    /// A file extension, led by its dot.
    Extension(String),
}

impl RouteKey {
    /// Returns the key that `text` writes, `None` where it is neither a prefix nor an extension.
    pub fn parse(text: &str) -> Option<RouteKey> {
        let plain = |c: char| !matches!(c, '?' | '#' | '%') && !c.is_control();
        if text.starts_with('/') {
            let sound = text.chars().all(plain) && text.split('/').all(|segment| segment != "..");
            let end = if text.ends_with('/') { "" } else { "/" };
            return sound.then(|| RouteKey::Prefix(format!("{text}{end}")));
        }
        let word = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        let extension = text.strip_prefix('.')?;
        (!extension.is_empty() && extension.bytes().all(word))
            .then(|| RouteKey::Extension(text.to_owned()))
    }
}
