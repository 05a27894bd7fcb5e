//! What nobody can guess.
//!
//! Source: getrandom(2).

use std::fmt::Write;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// 128 random bits, as 32 digits.
pub fn hex() -> io::Result<String> {
    let mut bits = [0; 16];
    let mut filled = 0;
    while filled < bits.len() {
        let get = || getrandom(&mut bits[filled..], GetRandomFlags::empty());
        filled += rustix::io::retry_on_intr(get)?;
    }
    let mut text = String::with_capacity(32);
    for byte in bits {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_another_each_time() {
        let (one, other) = (hex().unwrap(), hex().unwrap());
        assert_ne!(one, other);
        assert!(one.len() == 32 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
