//! Which of several sites a host belongs to.
//!
//! Source: ours; RFC 9110 section 7.2 (Host), RFC 4343 (case in names).
//! Shape: patterns, each with the number of its site, in; a host as a request has it in, a number out.
//! Rules:
//! - Letters count in either case, a dot at the end does not count, and a port is not looked at: a host is the
//!   same site at every port.
//! - `*.example.org` is every name below example.org, however deep, and not example.org itself. The name itself
//!   wins over a pattern, and a longer pattern over a shorter one.
//! - Looking up allocates nothing.
//!
//! Not here: which host a request is for (`host`).

use std::fmt;

use super::host::Authority;

/// The longest name that is a pattern, or is looked up: DNS has none longer (RFC 1035 section 2.3.4).
const NAME_MAX: usize = 253;

/// A name, or all names below one. Displays as it is written, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// In lower case, without a dot at its end; one that stands for all names below begins with a dot.
    key: String,
}

impl HostPattern {
    /// Reads `example.org`, `*.example.org`, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Option<HostPattern> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let authority = Authority::parse(name.as_bytes()).ok()?;
        let host = authority.host.strip_suffix('.').unwrap_or(authority.host);
        let is_whole = authority.host.len() == name.len() && !host.is_empty();
        if !is_whole || name.len() > NAME_MAX {
            return None;
        }
        let key = match text.len() == name.len() {
            true => host.to_ascii_lowercase(),
            false if host.starts_with('[') => return None,
            false => format!(".{}", host.to_ascii_lowercase()),
        };
        Some(HostPattern { key })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.starts_with('.') {
            f.write_str("*")?;
        }
        f.write_str(&self.key)
    }
}

/// Patterns with the numbers of their sites.
#[derive(Debug, Default)]
pub struct SiteHosts {
    /// In the order of their keys.
    sites: Vec<(HostPattern, usize)>,
}

impl SiteHosts {
    /// Of two equal patterns one counts.
    pub fn new(named: Vec<(HostPattern, usize)>) -> SiteHosts {
        let mut hosts = SiteHosts::default();
        // As they are few; the library's way to sort is many kilobytes of code.
        for (pattern, site) in named {
            let at = hosts.place(pattern.key.as_bytes()).unwrap_or_else(|at| at);
            hosts.sites.insert(at, (pattern, site));
        }
        hosts
    }

    /// The number of the site that a host belongs to.
    pub fn site_of(&self, host: &str) -> Option<usize> {
        let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
        let mut lower = [0; NAME_MAX];
        let lower = lower.get_mut(..host.len())?;
        if host.first() == Some(&b'.') {
            return None; // It is a key, and no name.
        }
        lower.copy_from_slice(host);
        lower.make_ascii_lowercase();
        self.find(lower).or_else(|| {
            let dots = lower.iter().enumerate().filter(|(_, byte)| **byte == b'.');
            // A label has to stand before the dot.
            let mut below = dots.filter(|(at, _)| *at > 0);
            below.find_map(|(at, _)| self.find(&lower[at..]))
        })
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        let at = self.place(key).ok()?;
        self.sites.get(at).map(|(_, site)| *site)
    }

    /// Where a key is, or would be.
    fn place(&self, key: &[u8]) -> Result<usize, usize> {
        let order = |(pattern, _): &(HostPattern, usize)| pattern.key.as_bytes().cmp(key);
        self.sites.binary_search_by(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn patterns_are_names_without_a_port() {
        let longest = "a".repeat(NAME_MAX);
        let cases = [
            ("example.org", "example.org"),
            ("Example.ORG.", "example.org"),
            ("*.Example.org", "*.example.org"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            (&longest, &longest),
        ];
        for (text, shown) in cases {
            assert_eq!(pattern(text).to_string(), shown);
        }
        let too_long = "a".repeat(NAME_MAX + 1);
        for text in [
            "",
            ".",
            "*",
            "*.",
            "*example.org",
            "a.*.org",
            "example.org:80",
            "example.org:",
            "::1",
            "*.[::1]",
            "a b",
            "a/b",
            "exam%70le.org",
            "a..b",
            ".a",
            &too_long,
        ] {
            assert_eq!(HostPattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_host_belongs_to_the_site_that_names_it_best() {
        let names = [
            ("example.org", 0),
            ("www.example.org", 0),
            ("*.example.org", 1),
            ("*.deep.example.org", 2),
            ("deep.example.org", 3),
            ("[::1]", 4),
            ("127.0.0.1", 5),
        ];
        let sites = names.map(|(name, site)| (pattern(name), site));
        let hosts = SiteHosts::new(sites.to_vec());
        let cases = [
            ("example.org", Some(0)),
            ("EXAMPLE.Org", Some(0)),
            ("example.org.", Some(0)),
            ("www.example.org", Some(0)),
            ("shop.example.org", Some(1)),
            ("a.b.example.org", Some(1)),
            ("deep.example.org", Some(3)),
            ("x.deep.example.org", Some(2)),
            ("[::1]", Some(4)),
            ("127.0.0.1", Some(5)),
            ("example.com", None),
            ("badexample.org", None),
            ("org", None),
            (".example.org", None),
            ("", None),
        ];
        for (host, site) in cases {
            assert_eq!(hosts.site_of(host), site, "{host}");
        }
        let long = "a".repeat(NAME_MAX + 1);
        assert_eq!(hosts.site_of(&long), None);
        assert_eq!(SiteHosts::default().site_of("example.org"), None);
    }
}
