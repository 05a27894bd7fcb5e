//! Keeps the sources of programs from being sent.
//!
//! Shape: an open file and the path that it was asked for by in; nothing, or the reason to refuse it, out.
//! Rules: it is not sent by the name of an extension route ([`StaticRoot::is_script`]), not from the folder of
//! a CGI route ([`StaticRoot::hidden`]), and not under the name of a copy of either. What counts is the path
//! that is asked for, and the one that the open file has: a link may lead from the one to the other.
//!
//! Not here: names that begin with a dot, and which of all these are listed (`static_file.rs`).

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::StaticRoot;
use crate::proto::Reason;
use crate::proto::uri::copy::original_name;
use crate::proto::uri::path::plain_name;
use crate::sys::beneath::{Kind, Stat, path_of};

/// Fails where `file`, which `path` below `site` led to, is not to be sent.
pub(super) fn refuse(
    site: &StaticRoot,
    path: &[u8],
    file: &File,
    stat: &Stat,
) -> Result<(), Reason> {
    let place = place_of(site, path, file, stat)?;
    let place = place.as_deref();
    if !site.hidden.is_empty() {
        // As it is asked for, too: the file may have been given another name since it was opened.
        let asked_for = site.root.path().join(OsStr::from_bytes(path));
        for place in place.into_iter().chain([&*asked_for]) {
            kept_back(place, &site.hidden).map_or(Ok(()), Err)?;
        }
    }
    if matches!(stat.kind(), Kind::File { .. }) {
        let asked_for = path.rsplit(|&byte| byte == b'/').next();
        let own = place.and_then(Path::file_name).map(OsStr::as_bytes);
        for name in asked_for.into_iter().chain(own.map(without_mark)) {
            is_source(site, name).map_or(Ok(()), Err)?;
        }
    }
    Ok(())
}

/// The path that the file has, where it matters and is not the one that it was asked for by.
fn place_of(
    site: &StaticRoot,
    path: &[u8],
    file: &File,
    stat: &Stat,
) -> Result<Option<PathBuf>, Reason> {
    let is_file = matches!(stat.kind(), Kind::File { .. });
    if site.hidden.is_empty() && !(site.has_scripts && is_file) {
        return Ok(None);
    }
    match path_of(file) {
        Ok(place) => Ok(Some(place)),
        // Without /proc it cannot be asked for. A name that no link leads to is the file's own.
        Err(_) if site.hidden.is_empty() && site.root.leads_straight(path, stat) => Ok(None),
        Err(error) => {
            let path = path.escape_ascii();
            log::error!("{path}: without /proc it cannot be told whether it is a program: {error}");
            Err(Reason::FileFailed)
        }
    }
}

/// Why a file of this name is not sent: it could be another spelling of the name of a program, or is that
/// of a copy.
fn is_source(site: &StaticRoot, name: &[u8]) -> Option<Reason> {
    if (site.is_script)(plain_name(name)) {
        Some(Reason::FileHidden)
    } else {
        (site.is_script)(original_name(name)).then_some(Reason::FileCopy)
    }
}

/// Why what lies at `place` is not sent: it is one of the programs at the paths `hidden`, lies in one of
/// their folders, or in a copy of either. Names count as the same if any file system takes them for the same.
pub(super) fn kept_back(place: &Path, hidden: &[PathBuf]) -> Option<Reason> {
    let is_or_holds = |hidden: &PathBuf| {
        let mut names = place.iter().map(OsStr::as_bytes);
        hidden.iter().try_fold(Reason::FileHidden, |reason, own| {
            let (name, own) = (names.next()?, plain_name(own.as_bytes()));
            let name = without_mark(name);
            if plain_name(name).eq_ignore_ascii_case(own) {
                return Some(reason);
            }
            let is_copy = original_name(name).eq_ignore_ascii_case(own);
            is_copy.then_some(Reason::FileCopy)
        })
    };
    hidden.iter().find_map(is_or_holds)
}

/// A name without what the kernel adds where the file is gone already.
fn without_mark(name: &[u8]) -> &[u8] {
    name.strip_suffix(b" (deleted)").unwrap_or(name)
}
