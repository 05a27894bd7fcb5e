//! Finds what a decoded path belongs to: the longest prefix, or the extension of a name along it.
//!
//! Source: ours; RFC 3875 sections 3.3 and 4.1.5 for the split into script and extra path.
//! Shape: [`Routes`] is filled once and asked per request, with a [`UrlPath`] or parts of one.
//! Rules:
//! - A prefix matches whole segments: `/git/` is not met by `/github`.
//! - Prefixes are compared byte by byte, as files are named; extensions without regard to ASCII case,
//!   so that `X.PHP` is never sent as source. ASCII only: folding other letters changes lengths, and
//!   with them the place of the split (GHSA-3g8v-8r37-cgjm).
//!   What guards a prefix is found by a wider rule ([`Routes::all_above`]).
//! - A split lies before a slash and nowhere else; which of the splits is the script, only the file
//!   system knows.
//!
//! Not here: looking for the file, deciding between a prefix's and an extension's target (`handler`).

use crate::proto::uri::path::{UrlPath, plain_name};

/// What a route is found by, as the operator writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteKey {
    /// A URL prefix, decoded, that begins and ends with a slash: `/`, `/cgi-bin/`.
    Prefix(String),
    /// A file extension, led by its dot: `.php`.
    Extension(String),
}

impl std::fmt::Display for RouteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RouteKey::Prefix(prefix) => f.write_str(prefix),
            RouteKey::Extension(extension) => write!(f, "*{extension}"),
        }
    }
}

impl RouteKey {
    /// Reads a prefix or an extension; `None` where the text is neither.
    ///
    /// A prefix is given its last slash. One that holds `?`, `#`, `%`, a control character, an empty
    /// segment or a dot segment is none, since no decoded path would ever match it. An extension is a
    /// dot and one or more of `A-Z a-z 0-9 _ -`.
    ///
    /// ```
    /// use tollgate::proto::uri::route::RouteKey;
    ///
    /// assert_eq!(RouteKey::parse("/git"), Some(RouteKey::Prefix("/git/".to_owned())));
    /// assert_eq!(RouteKey::parse(".php"), Some(RouteKey::Extension(".php".to_owned())));
    /// assert_eq!(RouteKey::parse("php"), None);
    /// ```
    pub fn parse(text: &str) -> Option<RouteKey> {
        match text.strip_prefix('.') {
            Some(name) => is_extension_name(name).then(|| RouteKey::Extension(text.to_owned())),
            None => is_prefix(text).then(|| {
                let slash = if text.ends_with('/') { "" } else { "/" };
                RouteKey::Prefix([text, slash].concat())
            }),
        }
    }
}

fn is_extension_name(name: &str) -> bool {
    let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.bytes().all(is_permitted)
}

fn is_prefix(text: &str) -> bool {
    let is_own_decoding =
        UrlPath::decode(text.as_bytes()).is_ok_and(|path| path.as_bytes() == text.as_bytes());
    is_own_decoding && !text.contains(['?', '#'])
}

/// Targets by prefix and by extension.
///
/// ```
/// use tollgate::proto::uri::path::UrlPath;
/// use tollgate::proto::uri::route::Routes;
///
/// let mut routes = Routes::new();
/// routes.insert_prefix("/", "files");
/// routes.insert_prefix("/cgi-bin/", "programs");
/// routes.insert_extension(".php", "php-cgi");
///
/// let path = UrlPath::decode(b"/cgi-bin/form.py/thanks")?;
/// let found = routes.resolve_prefix(&path).ok_or(tollgate::proto::Reason::RouteNone)?;
/// assert_eq!((found.prefix, found.rest), ("/cgi-bin/", &b"form.py/thanks"[..]));
/// assert_eq!(*found.target, "programs");
/// assert_eq!(routes.extension_of(b"INDEX.PHP"), Some(&"php-cgi"));
/// # Ok::<(), tollgate::proto::Reason>(())
/// ```
#[derive(Debug, Clone)]
pub struct Routes<T> {
    /// Longest first, so that the first that matches is the one.
    prefixes: Vec<(String, T)>,
    extensions: Vec<(String, T)>,
}

/// The route that a path belongs to by its beginning.
#[derive(Debug)]
pub struct PrefixMatch<'a, T> {
    /// The prefix, which begins and ends with a slash.
    pub prefix: &'a str,
    /// The rest of the path, without a leading slash; empty for the prefix itself, whether or not the
    /// path has the prefix's last slash ([`UrlPath::is_folder`] tells).
    pub rest: &'a [u8],
    /// What the route was given.
    pub target: &'a T,
}

impl<T> Routes<T> {
    /// No routes.
    pub const fn new() -> Routes<T> {
        Routes {
            prefixes: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// Adds a route for `prefix`, as [`RouteKey::Prefix`] holds it; returns the target it replaces.
    pub fn insert_prefix(&mut self, prefix: &str, target: T) -> Option<T> {
        debug_assert!(prefix.starts_with('/') && prefix.ends_with('/'));
        if let Some((_, old)) = self.prefixes.iter_mut().find(|(known, _)| known == prefix) {
            return Some(std::mem::replace(old, target));
        }
        let place = self
            .prefixes
            .partition_point(|(known, _)| known.len() >= prefix.len());
        self.prefixes.insert(place, (prefix.to_owned(), target));
        None
    }

    /// The prefixes and what they lead to, the longest first.
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, &T)> {
        self.prefixes
            .iter()
            .map(|(prefix, target)| (prefix.as_str(), target))
    }

    /// What the prefixes lead to, the longest first.
    pub fn targets(&self) -> impl Iterator<Item = &T> {
        self.prefixes.iter().map(|(_, target)| target)
    }

    /// Adds a route for `extension`, as [`RouteKey::Extension`] holds it; returns the target it
    /// replaces, which may have been added in other case.
    pub fn insert_extension(&mut self, extension: &str, target: T) -> Option<T> {
        debug_assert!(extension.starts_with('.'));
        let mut known = self.extensions.iter_mut();
        if let Some((_, old)) = known.find(|(known, _)| known.eq_ignore_ascii_case(extension)) {
            return Some(std::mem::replace(old, target));
        }
        self.extensions.push((extension.to_owned(), target));
        None
    }

    /// The route with the longest prefix that `path` begins with, on a segment border.
    ///
    /// `/git` belongs to the prefix `/git/`.
    pub fn resolve_prefix<'a>(&'a self, path: &'a UrlPath<'_>) -> Option<PrefixMatch<'a, T>> {
        self.prefixes.iter().find_map(|(prefix, target)| {
            let rest = rest_below(path.as_bytes(), prefix.as_bytes())?;
            Some(PrefixMatch {
                prefix,
                rest,
                target,
            })
        })
    }

    /// The targets of all prefixes that `path` begins with, on a segment border: the shortest first.
    ///
    /// Names count as the same here if any file system takes them for the same: without regard to ASCII
    /// case, and to dots and spaces at their end. What has to hold for a file holds under each name of it.
    pub fn all_above<'a>(&'a self, path: &'a UrlPath<'_>) -> impl Iterator<Item = &'a T> {
        let is_above = |prefix: &str| {
            let mut names = path.segments();
            let mut own = prefix.split('/').filter(|name| !name.is_empty());
            own.all(|own| names.next().is_some_and(|name| may_be_same(name, own)))
        };
        let shortest_first = self.prefixes.iter().rev();
        shortest_first.filter_map(move |(prefix, target)| is_above(prefix).then_some(target))
    }

    /// Whether there is a route by extension.
    pub fn has_extension_routes(&self) -> bool {
        !self.extensions.is_empty()
    }

    /// The target for the last extension of `name`, a segment or a path that ends in one.
    ///
    /// ASCII case does not matter. A name that is nothing but an extension has none.
    pub fn extension_of(&self, name: &[u8]) -> Option<&T> {
        self.extension_matched(name).map(|(_, target)| target)
    }

    /// The same, with the extension as the route has it.
    pub fn extension_matched(&self, name: &[u8]) -> Option<(&str, &T)> {
        let dot = name.iter().rposition(|&byte| byte == b'.')?;
        let (stem, extension) = name.split_at(dot);
        if stem.is_empty() || stem.ends_with(b"/") {
            return None;
        }
        let is_extension = |known: &String| known.as_bytes().eq_ignore_ascii_case(extension);
        self.extensions
            .iter()
            .find(|(known, _)| is_extension(known))
            .map(|(known, target)| (known.as_str(), target))
    }
}

impl<T> Default for Routes<T> {
    fn default() -> Routes<T> {
        Routes::new()
    }
}

fn may_be_same(name: &[u8], own: &str) -> bool {
    plain_name(name).eq_ignore_ascii_case(plain_name(own.as_bytes()))
}

fn rest_below<'p>(path: &'p [u8], prefix: &[u8]) -> Option<&'p [u8]> {
    let is_prefix_unslashed = prefix.strip_suffix(b"/") == Some(path);
    if is_prefix_unslashed {
        Some(b"")
    } else {
        path.strip_prefix(prefix)
    }
}

/// The ways to split the rest of a path into script and extra path (PATH_INFO), shortest script
/// first.
///
/// The extra path is empty or begins with a slash, and keeps the path's last one.
///
/// ```
/// use tollgate::proto::uri::route::script_splits;
///
/// let splits: Vec<(&[u8], &[u8])> = script_splits(b"a/b/c").collect();
/// assert_eq!(splits, [(&b"a"[..], &b"/b/c"[..]), (b"a/b", b"/c"), (b"a/b/c", b"")]);
/// ```
pub fn script_splits(rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let is_border = |&at: &usize| match rest.get(at) {
        Some(&byte) => byte == b'/',
        None => !rest.ends_with(b"/"),
    };
    (1..=rest.len())
        .filter(is_border)
        .map(|at| rest.split_at(at))
}

#[cfg(test)]
mod tests;
