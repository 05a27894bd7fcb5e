//! The small words of the HTTP grammar, shared by every parser.
//!
//! Source: RFC 9110 sections 5.5 (field values), 5.6.1 (lists), 5.6.2 (tokens), 5.6.3 (whitespace).
//! Shape: bytes in; a verdict on one byte, a slice of the input or a number out.
//! Rules: a number is digits and nothing else. The standard library's `parse` and `from_str_radix`
//! take a leading `+`, and whitespace is SP and HTAB only, where `trim_ascii` takes CR and LF too:
//! each such kindness makes two parsers disagree about where a message ends.
//! Not here: grammars with one user; they stand beside it.

/// Returns whether `byte` may stand in a token: a method, a field name, a connection option.
pub const fn is_tchar(byte: u8) -> bool {
    TCHARS[byte as usize]
}

/// Returns whether `byte` may stand in a field value: HTAB, SP, visible ASCII and the opaque bytes
/// 0x80-0xFF.
pub const fn is_field_content(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// Returns `bytes` without the optional whitespace (SP, HTAB) around them.
pub const fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Returns the number that `digits` spell, or `None` where they are not `1*DIGIT` or do not fit.
///
/// ```
/// use tollgate::proto::grammar::parse_decimal;
///
/// assert_eq!(parse_decimal(b"042"), Some(42));
/// assert_eq!(parse_decimal(b"+42"), None);
/// ```
pub fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// The digits of a number.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    digits: [u8; DIGITS_MAX],
    start: usize,
}

/// As many digits as a number may have.
const DIGITS_MAX: usize = 20;

impl Decimal {
    /// Those of this number. By hand, as the standard library's formatting takes ten times as long, and
    /// each response and each program is told several.
    ///
    /// ```
    /// use tollgate::proto::grammar::Decimal;
    ///
    /// assert_eq!(Decimal::of(8080).as_ref(), b"8080");
    /// ```
    pub fn of(number: u64) -> Decimal {
        let (mut rest, mut digits, mut start) = (number, [b'0'; DIGITS_MAX], DIGITS_MAX);
        loop {
            start -= 1;
            digits[start] += (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return Decimal { digits, start };
            }
        }
    }
}

impl AsRef<[u8]> for Decimal {
    fn as_ref(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// Returns the members of a comma-separated list, in order, trimmed, empty ones left out.
///
/// For lists of tokens: a comma inside a quoted string separates like any other.
pub fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim_ows)
        .filter(|member| !member.is_empty())
}

/// A table, because heads are made of tokens and each of their bytes asks.
static TCHARS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = matches!(
            byte as u8,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
                | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        byte += 1;
    }
    table
};

/// Whether `text` has `part` in it, which is not empty.
pub fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|it| it == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_visible_ascii_without_delimiters() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            assert_eq!(is_tchar(byte), expected, "{byte:#04x}");
        }
    }

    #[test]
    fn field_content_is_all_but_control_bytes() {
        for byte in 0..=u8::MAX {
            let expected = byte == b'\t' || !byte.is_ascii_control();
            assert_eq!(is_field_content(byte), expected, "{byte:#04x}");
        }
    }

    #[test]
    fn whitespace_is_space_and_tab_alone() {
        assert_eq!(trim_ows(b" \t a b\t "), b"a b");
        assert_eq!(trim_ows(b"\r\na\x0b"), b"\r\na\x0b");
        assert_eq!(trim_ows(b" \t "), b"");
    }

    #[test]
    fn decimals() {
        let cases: [(&[u8], Option<u64>); 12] = [
            (b"0", Some(0)),
            (b"007", Some(7)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"99999999999999999999", None),
            (b"", None),
            (b"+5", None),
            (b"-0", None),
            (b" 5", None),
            (b"0x5", None),
            (b"5_0", None),
            ("५".as_bytes(), None),
        ];
        for (digits, expected) in cases {
            assert_eq!(parse_decimal(digits), expected, "{}", digits.escape_ascii());
        }
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        let edges = (0..DIGITS_MAX as u32).map(|power| 10_u64.pow(power));
        for number in edges
            .flat_map(|edge| [edge - 1, edge, edge + 1])
            .chain([u64::MAX])
        {
            assert_eq!(Decimal::of(number).as_ref(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn lists() {
        let members = |value| list_members(value).collect::<Vec<_>>();
        assert_eq!(members(b"a, b\t,c d"), [&b"a"[..], b"b", b"c d"]);
        assert_eq!(members(b", ,a,,"), [b"a"]);
        assert!(members(b" ").is_empty());
    }
}
