//! Tells by its name that a file is a copy of another: what editors, packagers and compressors leave beside it.
//!
//! Source: ours; the names are those of vi, Emacs, nano, patch(1), sed(1), dpkg, rpm, gzip and their like.
//! Shape: a name in; the name of what it is a copy of out, which is itself where it is none.
//! Rules: a copy of a program is a program's source under a name that no route knows: it is neither sent nor
//! run. Case does not matter, and what file systems drop at the end of a name does not either.
//!
//! Not here: names that begin with a dot (`.x.swp`, `.#x`), which are hidden as they are.

use crate::proto::uri::path::plain_name;

/// Returns the name of the file that one of this name is a copy of, and of what that is a copy of; the name
/// itself, without dots and spaces at its end, where it is that of no copy.
///
/// ```
/// use tollgate::proto::uri::copy::original_name;
///
/// assert_eq!(original_name(b"form.php.bak~"), b"form.php");
/// assert_eq!(original_name(b"form.php"), b"form.php");
/// ```
pub fn original_name(name: &[u8]) -> &[u8] {
    let mut name = plain_name(name);
    while let Some(stem) = without_ending(name) {
        name = plain_name(stem);
    }
    name
}

/// Whether a file of this name is a copy.
pub fn is_copy(name: &[u8]) -> bool {
    without_ending(plain_name(name)).is_some()
}

/// The name without what makes it that of a copy: not empty.
fn without_ending(name: &[u8]) -> Option<&[u8]> {
    let stem = match name {
        // Emacs, while the file is being changed.
        [b'#', stem @ .., b'#'] => stem,
        [stem @ .., b'~'] => without_number(stem, b".~").unwrap_or(stem),
        _ => without_number(name, b".save.").or_else(|| {
            let dot = name.iter().rposition(|&byte| byte == b'.')?;
            let (stem, ending) = (&name[..dot], &name[dot + 1..]);
            let is_ending = |known: &&str| ending.eq_ignore_ascii_case(known.as_bytes());
            ENDINGS.iter().any(is_ending).then_some(stem)
        })?,
    };
    (!stem.is_empty()).then_some(stem)
}

/// The name without `mark` and the number behind it.
fn without_number<'n>(name: &'n [u8], mark: &[u8]) -> Option<&'n [u8]> {
    let digits = name
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (stem, number) = name.split_at(name.len() - digits);
    (!number.is_empty()).then(|| stem.strip_suffix(mark))?
}

/// What follows the last dot in the name of a copy: by hand and by editors, by packagers, packed.
const ENDINGS: [&str; 31] = [
    "backup",
    "bak",
    "bck",
    "copy",
    "new",
    "old",
    "orig",
    "rej",
    "sav",
    "save",
    "swn",
    "swo",
    "swp",
    "temp",
    "tmp",
    "dpkg-dist",
    "dpkg-new",
    "dpkg-old",
    "dpkg-tmp",
    "rpmnew",
    "rpmorig",
    "rpmsave",
    "ucf-dist",
    "ucf-new",
    "ucf-old",
    "br",
    "bz2",
    "gz",
    "xz",
    "z",
    "zst",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_lead_to_what_they_are_copies_of() {
        for (name, original) in [
            ("x.php~", "x.php"),
            ("x.php~~", "x.php"),
            ("x.php.~12~", "x.php"),
            ("#x.php#", "x.php"),
            ("x.php.bak", "x.php"),
            ("x.php.BAK", "x.php"),
            ("x.php.bak.old", "x.php"),
            ("x.php.save.2", "x.php"),
            ("x.php.dpkg-old", "x.php"),
            ("x.php.gz", "x.php"),
            ("x.php.tar.gz", "x.php.tar"),
            ("x.php.bak. .", "x.php"),
            ("x.php .bak", "x.php"),
            ("x.bak", "x"),
            ("x~", "x"),
            // None of them a copy.
            ("x.php", "x.php"),
            ("x.php.1", "x.php.1"),
            ("x.phpbak", "x.phpbak"),
            ("x.save.", "x"),
            ("bak", "bak"),
            (".bak", ".bak"),
            ("~", "~"),
            ("##", "##"),
            ("#x", "#x"),
            ("x#", "x#"),
            ("~x", "~x"),
            ("", ""),
        ] {
            let found = original_name(name.as_bytes());
            assert_eq!(found, original.as_bytes(), "{name}");
            assert_eq!(
                is_copy(name.as_bytes()),
                original.len() < plain_name(name.as_bytes()).len(),
                "{name}"
            );
        }
    }
}
