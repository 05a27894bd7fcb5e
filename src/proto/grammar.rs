//! The tokens that all HTTP parsers share.

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
pub const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
        | b'`' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// `bytes` without the spaces and tabs around it.
pub fn trim_ows(bytes: &[u8]) -> &[u8] {
    let is_ows = |byte: &u8| matches!(byte, b' ' | b'\t');
    let first = bytes.iter().position(|byte| !is_ows(byte));
    let last = bytes.iter().rposition(|byte| !is_ows(byte));
    match (first, last) {
        (Some(first), Some(last)) => &bytes[first..=last],
        _ => &[],
    }
}

/// The value of one or more decimal digits; none where there is anything else, or an overflow.
pub fn parse_decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// The members of a comma-separated list, trimmed, empty ones left out.
pub fn list_members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(trim_ows).filter(|member| !member.is_empty())
}
