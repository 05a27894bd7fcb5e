//! Opens what may need rights that serving does not, and then gives these up.
//!
//! Shape: [`Opened::open`] takes the settings and gives the site, the log, the listeners and who starts
//! programs. Rules:
//! - It is done before any thread starts, since rights are given up for one thread and those that it
//!   starts (`sys/identity`).
//! - Nobody else's code runs as root unless the operator says so.

use std::io;
use std::path::Path;
use std::thread;

use super::access_log::AccessLog;
use crate::config::{ListenAddress, Settings, StartError};
use crate::handler::site::Site;
use crate::proto::account;
use crate::sys::identity::{self, Identity};
use crate::sys::listener::{Bound, Listener};
use crate::sys::spawner::{Confinement, Launch, Limits, Spawners};

/// How many spawners there are at most: they start more programs in a second than can run.
const SPAWNERS_MAX: usize = 8;

/// What was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) site: Site,
    pub(super) access_log: AccessLog,
    pub(super) listeners: Vec<Listener>,
    pub(super) spawners: Spawners,
}

impl Opened {
    /// Opens all of it; rights are given up when this returns.
    pub(super) fn open(settings: &Settings) -> Result<Opened, StartError> {
        let system = |error: io::Error| StartError::failed("tollgate", "", error);
        identity::restrict_new_files();
        if !settings.confinement.allow_setuid {
            identity::gain_no_rights().map_err(system)?;
        }
        let user = settings.confinement.user.as_ref();
        let user = user.map(find_user).transpose()?;
        let site = Site::open(settings)?;
        if user.is_none() && !settings.confinement.allow_root {
            refuse_root(&site)?;
        }
        let access_log = AccessLog::open(&settings.access_log)?;
        let listeners = listen(&settings.listen)?;
        if let Some(user) = &user {
            hand_over(user, &access_log, &listeners)?;
            user.assume().map_err(|error| refused(user, &error))?;
        }
        let spawners = open_spawners(settings);
        if site.runs_programs && !spawners.are_plain() {
            spawners.try_out().map_err(cannot_confine)?;
        }
        Ok(Opened {
            site,
            access_log,
            listeners,
            spawners,
        })
    }
}

/// Those that start programs: two for each core, or more where each has descriptors for a few programs
/// only.
fn open_spawners(settings: &Settings) -> Spawners {
    let usual = thread::available_parallelism()
        .map_or(2, |cores| 2 * cores.get())
        .min(settings.max_processes)
        .min(SPAWNERS_MAX);
    let mut confinement = confinement_of(settings);
    let each = confinement.limits.programs_each();
    let max = usual.max(settings.max_processes.div_ceil(each));
    if let Some(processes) = &mut confinement.limits.processes {
        if identity::is_root() {
            log::warn!("--limit: processes={processes} does not hold for root; give --user");
        }
        // The kernel counts all that the user has, and does not tell programs from the server.
        *processes += (tasks(settings) + max) as u64;
    }
    Spawners::new(max, Launch::own(confinement))
}

fn confinement_of(settings: &Settings) -> Confinement {
    let limits = &settings.confinement.limits;
    Confinement {
        // At most 19.
        nice: settings.confinement.nice as u32,
        limits: Limits {
            cpu: limits.cpu,
            memory: limits.memory,
            files: limits.files,
            processes: limits.processes,
            file_size: limits.file_size,
        },
    }
}

/// How many threads the server has at most.
fn tasks(settings: &Settings) -> usize {
    /// main, janitor, keeper, steering.
    const SINGLE: usize = 4;
    #[cfg(feature = "fastcgi")]
    let supervisors = settings.fastcgi.routes.len();
    #[cfg(not(feature = "fastcgi"))]
    let supervisors = 0;
    let spare = settings.max_processes + super::checks_at_once(settings);
    settings.threads + spare + SINGLE + supervisors
}

fn cannot_confine(error: io::Error) -> StartError {
    let problem = format!("programs could not be confined as asked for ({error})");
    StartError::failed("--limit, --nice or --sandbox", "", problem)
}

/// Programs may do whatever their user may.
fn refuse_root(site: &Site) -> Result<(), StartError> {
    if !site.runs_programs || !identity::is_root() {
        return Ok(());
    }
    let problem = "programs would run as root; name another user for them, as --user www-data, or \
                   give --allow-root if that is meant";
    Err(StartError::wrong("--user", "", problem))
}

/// Looks a user up in the two files that tell of them.
fn find_user(wanted: &crate::config::User) -> Result<Identity, StartError> {
    let wrong = |problem: &str| StartError::wrong("--user", wanted, problem);
    let read = |path: &str| std::fs::read(path).unwrap_or_default();
    let (passwd, group) = (read("/etc/passwd"), read("/etc/group"));
    let known = account::find_user(&passwd, &wanted.name);
    let number = account::number(wanted.name.as_bytes());
    let uid = known
        .map(|known| known.uid)
        .or(number)
        .ok_or_else(|| wrong("is no user of /etc/passwd; give one, or a number"))?;
    let gid = match &wanted.group {
        Some(name) => account::find_group(&group, name)
            .ok_or_else(|| wrong("has a group that is not in /etc/group; give one, or a number"))?,
        None => known.map(|known| known.gid).ok_or_else(|| {
            wrong("is not in /etc/passwd, which would tell its group; give one, as 1000:1000")
        })?,
    };
    if uid == 0 {
        return Err(wrong(
            "is root, whose rights are to be given up; give another user",
        ));
    }
    let mut groups = known.map_or(Vec::new(), |known| account::groups_of(&group, known.name));
    if !groups.contains(&gid) {
        groups.insert(0, gid);
    }
    Ok(Identity { uid, gid, groups })
}

/// Gives the user what it has to open or connect to later.
fn hand_over(
    user: &Identity,
    access_log: &AccessLog,
    listeners: &[Listener],
) -> Result<(), StartError> {
    if !identity::is_root() {
        return Ok(());
    }
    let failed = |option, path: &Path, error| {
        let problem = format!("cannot be given to the user of --user ({error})");
        StartError::failed(option, path.display(), problem)
    };
    access_log
        .hand_over(user)
        .map_err(|(path, error)| failed("--access-log", path, error))?;
    for listener in listeners {
        if let Bound::Unix(path) = listener.bound() {
            user.take_path(path)
                .map_err(|error| failed("--listen", path, error))?;
        }
    }
    Ok(())
}

fn refused(user: &Identity, error: &io::Error) -> StartError {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "only root can become another user; start it as root",
        _ => "what root may do could not be given up",
    };
    let whom = format!("{}:{}", user.uid, user.gid);
    StartError::failed(
        "--user",
        whom,
        format!("is not what the server is; {hint} ({error})"),
    )
}

fn listen(addresses: &[ListenAddress]) -> Result<Vec<Listener>, StartError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = match address {
            ListenAddress::Tcp { host, port } => Listener::tcp(host, *port),
            ListenAddress::Unix(path) => Listener::unix(path).map(|listener| vec![listener]),
        };
        match bound {
            Ok(bound) => listeners.extend(bound),
            Err(error) => {
                let hint = match error.kind() {
                    io::ErrorKind::AddrInUse => "is taken; stop who has it or name another address",
                    io::ErrorKind::PermissionDenied => {
                        "may not be listened on by this user; ports below 1024 need a right"
                    }
                    _ => "cannot be listened on; write it as HOST:PORT, [V6]:PORT or unix:PATH",
                };
                let problem = format!("{hint} ({error})");
                return Err(StartError::failed("--listen", address, problem));
            }
        }
    }
    Ok(listeners)
}
