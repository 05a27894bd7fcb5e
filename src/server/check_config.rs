//! Looks whether a server could start, without being one: `check-config`.
//!
//! Rules: nothing is changed and nothing bound. What the start would open, as the site and what belongs to it,
//! is opened and closed again. What only root may look into, inside another root, is looked at by root alone.

use std::path::Path;

use super::opening::{find_user, open_sites};
use super::sandbox;
use crate::config::{AccessLog, ListenAddress, Settings, StartError};
use crate::sys::identity::{self, Identity};
use crate::sys::{listener, log_file};

/// Returns what would keep a server with these settings from starting, as far as can be known before.
pub fn check_config(settings: &Settings) -> Vec<StartError> {
    let mut errors = Vec::new();
    let user = settings.confinement.user.as_ref().map(find_user);
    let user = user.transpose().map_err(|error| errors.push(error));
    errors.extend(
        settings
            .listen
            .iter()
            .filter_map(|it| check_address(it).err()),
    );
    for site in settings.each_site() {
        let checked = check_log(&site.access_log);
        errors.extend(checked.err().map(|error| error.placed(site)));
    }
    if let Ok(user) = user
        && let Err(error) = check_site(settings, user.as_ref())
    {
        errors.push(error);
    }
    errors.into_iter().map(|it| it.placed(settings)).collect()
}

fn check_address(address: &ListenAddress) -> Result<(), StartError> {
    let problem = match address {
        ListenAddress::Tcp { host, port } => match listener::stands_for_none(host, *port) {
            None => return Ok(()),
            Some(error) => format!("stands for no address ({error}); give another name"),
        },
        ListenAddress::Unix(path) => match folder_of(path) {
            folder if folder.is_dir() => return Ok(()),
            folder => format!("lies in no folder; make {} before", folder.display()),
        },
    };
    Err(StartError::failed("--listen", address, problem))
}

fn check_log(log: &AccessLog) -> Result<(), StartError> {
    let AccessLog::File(path) = log else {
        return Ok(());
    };
    let failed = |problem| Err(StartError::failed("--access-log", path.display(), problem));
    let folder = folder_of(path);
    if !path.exists() && !folder.is_dir() {
        return failed(format!(
            "lies in no folder; make {} before",
            folder.display()
        ));
    }
    match log_file::could_open(path) {
        Ok(()) => Ok(()),
        Err(error) => failed(format!("cannot be opened for writing ({error})")),
    }
}

fn check_site(settings: &Settings, user: Option<&Identity>) -> Result<(), StartError> {
    if let Some(root) = &settings.confinement.chroot {
        let failed = |error| {
            let problem = format!("cannot be made the root ({error})");
            StartError::wrong("--chroot", root.display(), problem)
        };
        let inside = std::fs::canonicalize(root).map_err(failed)?;
        if !identity::is_root() {
            log::warn!("--chroot: what lies inside can be looked at by root alone, and was not");
            return Ok(());
        }
        identity::change_root(&inside).map_err(failed)?;
    }
    let sites = open_sites(settings, user)?;
    if settings.confinement.sandbox {
        sandbox::of_programs(settings, &sites)?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
