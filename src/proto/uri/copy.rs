//! Tells by its name that a file is a copy of another: what editors, packagers and compressors leave beside it.
//!
//! Source: ours; the names are those of vi, Emacs, nano, patch(1), sed(1), dpkg, rpm, pacman, apk, gzip, tar, zip
//! and their like. It is a list, and can be nothing else: a copy by another name is not known as one.
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
        [stem @ .., b'~'] => stem
            .strip_suffix(number_of(stem))
            .and_then(|stem| stem.strip_suffix(b".~"))
            .unwrap_or(stem),
        _ => without_mark(name).or_else(|| {
            let dot = name.iter().rposition(|&byte| byte == b'.')?;
            let (stem, ending) = (&name[..dot], &name[dot + 1..]);
            let is_ending = |known: &&str| ending.eq_ignore_ascii_case(known.as_bytes());
            ENDINGS.iter().any(is_ending).then_some(stem)
        })?,
    };
    (!stem.is_empty()).then_some(stem)
}

/// The name without one of [`MARKS`] and a number behind it, if there is one, perhaps with a dot between.
fn without_mark(name: &[u8]) -> Option<&[u8]> {
    let number = number_of(name);
    let name = name.strip_suffix(number)?;
    let name = match number {
        [] => name,
        _ => name.strip_suffix(b".").unwrap_or(name),
    };
    MARKS.iter().find_map(|mark| {
        let (stem, end) = name.split_at_checked(name.len().checked_sub(mark.len())?)?;
        end.eq_ignore_ascii_case(mark.as_bytes()).then_some(stem)
    })
}

/// The digits that a name ends in.
fn number_of(name: &[u8]) -> &[u8] {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let digits = name.iter().rev().take_while(|byte| is_digit(byte)).count();
    &name[name.len() - digits..]
}

/// What the name of a copy ends in, numbered where there are several.
const MARKS: [&str; 5] = [".bak", ".old", ".save", "_bak", "_old"];

/// What follows the last dot in the name of a copy: by hand and by editors, by packagers, packed.
const ENDINGS: [&str; 39] = [
    "backup",
    "bck",
    "copy",
    "new",
    "orig",
    "part",
    "rej",
    "sav",
    "swn",
    "swo",
    "swp",
    "temp",
    "tmp",
    "apk-new",
    "dpkg-dist",
    "dpkg-new",
    "dpkg-old",
    "dpkg-tmp",
    "pacnew",
    "pacorig",
    "pacsave",
    "rpmnew",
    "rpmorig",
    "rpmsave",
    "ucf-dist",
    "ucf-new",
    "ucf-old",
    "7z",
    "br",
    "bz2",
    "gz",
    "lz4",
    "lzma",
    "tar",
    "tgz",
    "xz",
    "z",
    "zip",
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
            ("x.php.save2", "x.php"),
            ("x.php.bak1", "x.php"),
            ("x.php.OLD.12", "x.php"),
            ("x.php_old", "x.php"),
            ("x_bak2", "x"),
            ("x.php.tar.gz", "x.php"),
            ("x.php.pacsave", "x.php"),
            ("x.php.apk-new", "x.php"),
            ("x.7z", "x"),
            ("x.php.bak. .", "x.php"),
            ("x.php .bak", "x.php"),
            ("x.bak", "x"),
            ("x~", "x"),
            // None of them a copy.
            ("x.php", "x.php"),
            ("x.php.1", "x.php.1"),
            ("x.phpbak", "x.phpbak"),
            ("x.php1", "x.php1"),
            ("x.orig1", "x.orig1"),
            ("x.bak..1", "x.bak..1"),
            ("x.save.", "x"),
            ("1", "1"),
            ("_old", "_old"),
            (".old.1", ".old.1"),
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
