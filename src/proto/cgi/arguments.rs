//! Makes the words of an indexed query into command-line arguments.
//!
//! Source: RFC 3875 section 4.4.
//!
//! Shape: method and query in, arguments out, all of them or none.
//!
//! Rules:
//! - No word begins with a dash, encoded or not: a program would take it for one of its options
//!   (CVE-2012-1823 ran any code through php-cgi's). For the same reason the caller never gives the
//!   words to an interpreter, only to a program that has a URL of its own.
//! - Where one word cannot be passed, none is: the RFC demands it, since a program that gets some
//!   of the words answers another question than it was asked.
//! - Words are passed as they are. The backslashes that section 7.2 puts before a shell's active
//!   characters would change them for every program that is not a shell script, and a program is
//!   never started through a shell.
//!
//! Not here: whether a program gets arguments at all, which its route decides.

use percent_encoding::percent_decode;

/// The arguments that the query stands for: decoded, not empty, without NUL; none where the query
/// is no indexed query or one of its words cannot be passed.
///
/// **Limits**: a query longer than 4,096 bytes gives no arguments; Linux refuses to start a program
/// whose arguments and environment are too long together.
///
/// ```
/// use tollgate::proto::cgi::arguments::indexed_query;
/// assert_eq!(indexed_query("GET", Some(b"two+w%6frds")), [b"two".to_vec(), b"words".to_vec()]);
/// assert!(indexed_query("GET", Some(b"name=value")).is_empty());
/// ```
pub fn indexed_query(method: &str, query: Option<&[u8]>) -> Vec<Vec<u8>> {
    match query {
        Some(query)
            if matches!(method, "GET" | "HEAD")
                && query.len() <= MAX_QUERY_LEN
                && !query.contains(&b'=') =>
        {
            query
                .split(|&byte| byte == b'+')
                .map(decode_word)
                .collect::<Option<_>>()
                .unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

const MAX_QUERY_LEN: usize = 4096;

/// A word as the program sees it, where it can be passed.
fn decode_word(word: &[u8]) -> Option<Vec<u8>> {
    let mut escapes = word.split(|&byte| byte == b'%').skip(1);
    if !escapes.all(begins_with_two_hex_digits) {
        return None;
    }
    let word: Vec<u8> = percent_decode(word).collect();
    let is_passed = !word.is_empty() && !word.starts_with(b"-") && !word.contains(&0);
    is_passed.then_some(word)
}

fn begins_with_two_hex_digits(escape: &[u8]) -> bool {
    escape.len() >= 2 && escape[..2].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests;
