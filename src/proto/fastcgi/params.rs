//! Name-value pairs.
//!
//! Source: the FastCGI specification, section 3.4. Shape: a pair in, its bytes out, and back.
//! Rules: a length of up to 127 takes one byte, a longer one four with the first bit set. A length
//! that claims more than there is is refused before anything is made of it (CVE-2025-23016).

/// The longest name or value: 31 bits.
const LEN_MAX: usize = 0x7fff_ffff;

/// A pair whose lengths claim more bytes than there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Appends a pair.
///
/// ```
/// let mut out = Vec::new();
/// tollgate::proto::fastcgi::params::encode_pair(&mut out, b"SERVER_PORT", b"80");
/// assert_eq!(out, b"\x0b\x02SERVER_PORT80");
/// ```
pub fn encode_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    encode_len(out, name.len());
    encode_len(out, value.len());
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}

fn encode_len(out: &mut Vec<u8>, len: usize) {
    debug_assert!(
        len <= LEN_MAX,
        "no request comes near to 2 GiB of variables"
    );
    match u8::try_from(len) {
        Ok(short @ ..=127) => out.push(short),
        _ => out.extend_from_slice(&(len as u32 | 0x8000_0000).to_be_bytes()),
    }
}

/// Takes whole pairs apart.
///
/// ```
/// use tollgate::proto::fastcgi::params::decode_pairs;
///
/// assert_eq!(decode_pairs(b"\x01\x02ab1"), Err(tollgate::proto::fastcgi::params::Malformed));
/// assert_eq!(decode_pairs(b"\x01\x02ab1"[..].split_at(5).0).is_err(), true);
/// assert_eq!(decode_pairs(b"\x01\x02a12"), Ok(vec![(&b"a"[..], &b"12"[..])]));
/// ```
pub fn decode_pairs(mut input: &[u8]) -> Result<Vec<(&[u8], &[u8])>, Malformed> {
    let mut pairs = Vec::new();
    while !input.is_empty() {
        let name_len = decode_len(&mut input)?;
        let value_len = decode_len(&mut input)?;
        let (name, rest) = input.split_at_checked(name_len).ok_or(Malformed)?;
        let (value, rest) = rest.split_at_checked(value_len).ok_or(Malformed)?;
        pairs.push((name, value));
        input = rest;
    }
    Ok(pairs)
}

fn decode_len(input: &mut &[u8]) -> Result<usize, Malformed> {
    let (&first, rest) = input.split_first().ok_or(Malformed)?;
    if first < 128 {
        *input = rest;
        return Ok(first.into());
    }
    let (bytes, rest) = input.split_first_chunk::<4>().ok_or(Malformed)?;
    *input = rest;
    usize::try_from(u32::from_be_bytes(*bytes) & 0x7fff_ffff).map_err(|_| Malformed)
}
