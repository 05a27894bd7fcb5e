//! Opens what may need rights that serving does not, and then gives these up.
//!
//! Shape: [`Opened::open`] takes the settings and gives the sites, their logs, the listeners and who starts
//! programs. Rules:
//! - It is done before any thread starts, since rights are given up for one thread and those that it
//!   starts (`sys/identity`).
//! - Nobody else's code runs as root unless the operator says so.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::access_log::Logs;
#[cfg(feature = "fastcgi")]
use super::applications::processes_max;
use super::{sandbox, system};
use crate::config::{Explain, ListenAddress, Settings, StartError};
use crate::handler::site::Site;
use crate::proto::account;
use crate::sys::activation;
use crate::sys::identity::{self, Identity};
use crate::sys::listener::{Bound, Listener};
use crate::sys::mode_permits_making;
use crate::sys::private_folder::PrivateFolder;
use crate::sys::sandbox::{Access, Rule};
use crate::sys::spawner::{Confinement, Jail, Launch, Limits, Reserve, Spawners};

/// How many spawners there are at most: they start more programs in a second than can run.
pub(super) const SPAWNERS_MAX: usize = 8;

/// What was opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// In the order of the settings.
    pub(super) sites: Vec<Site>,
    pub(super) logs: Logs,
    pub(super) listeners: Vec<(ListenAddress, Vec<Listener>)>,
    /// Where the console is reached, and where health is told.
    #[cfg(feature = "console")]
    pub(super) console: [Vec<Listener>; 2],
    /// What may be reached, in a sandbox.
    pub(super) permitted: Option<Vec<Rule>>,
    /// Where bodies wait that programs may open again, in a sandbox.
    pub(super) spool: Option<Arc<PrivateFolder>>,
    /// Who starts programs.
    pub(super) spawners: Spawners,
    /// Who starts the processes of `exec:`.
    #[cfg(feature = "fastcgi")]
    pub(super) services: Arc<Spawners>,
}

impl Opened {
    /// Opens all of it; rights are given up when this returns.
    /// Sockets that were handed over stand in place of those of the settings.
    pub(super) fn open(
        settings: &mut Settings,
        handed: Vec<Listener>,
    ) -> Result<Opened, StartError> {
        if !handed.is_empty() {
            listen_there_alone(settings, handed.iter());
        }
        let settings: &Settings = settings;
        identity::restrict_new_files();
        if !settings.confinement.allow_setuid {
            identity::gain_no_rights().map_err(system)?;
        }
        let user = settings.confinement.user.as_ref();
        let user = user.map(find_user).transpose()?;
        // With another root the site lies inside, and what is opened before lies outside.
        let chroot = settings.confinement.chroot.as_deref();
        let early = match chroot {
            Some(_) => None,
            None => Some(open_sites(settings, user.as_ref())?),
        };
        let heir = user.as_ref().filter(|_| identity::is_root());
        let mut logs = Logs::open(settings, heir)?;
        let mut listeners = Vec::new();
        for address in &settings.listen {
            if handed.is_empty() {
                listeners.push((address.clone(), listen(address)?));
            }
        }
        listeners.extend(handed.into_iter().map(|it| (address_of(&it), vec![it])));
        #[cfg(feature = "console")]
        let mut shown = [
            listen_where("--console", settings.console.as_ref())?,
            listen_where("--health", settings.health.as_ref())?,
        ];
        if let Some(heir) = heir {
            for (_, opened) in &listeners {
                hand_over("--listen", heir, opened)?;
            }
            #[cfg(feature = "console")]
            for (option, opened) in ["--console", "--health"].into_iter().zip(&shown) {
                hand_over(option, heir, opened)?;
            }
        }
        let jail = chroot.map(|root| Cell::enter(root, settings)).transpose()?;
        if jail.is_some() {
            logs.leave_outside();
            let opened = listeners.iter_mut().flat_map(|(_, opened)| opened);
            opened.for_each(Listener::leave_outside);
            #[cfg(feature = "console")]
            shown.iter_mut().flatten().for_each(Listener::leave_outside);
        }
        let sites = match early {
            Some(sites) => sites,
            None => open_sites(settings, user.as_ref())?,
        };
        let confined = settings.confinement.sandbox;
        let spool = confined.then(|| make_spool(heir)).transpose()?;
        let rules = spool.as_ref().map(|spool| {
            let mut rules = sandbox::of_programs(settings, &sites)?;
            rules.push((Access::Read, spool.path().to_owned()));
            Ok(rules)
        });
        let rules = rules.transpose()?;
        let runs_programs = run_programs(&sites);
        let [spawners, services] = open_spawners(settings, rules.clone());
        if let (Some(mut jail), Some(user), true) = (jail, &user, runs_programs) {
            for spawners in [&spawners, &services] {
                jail.fill(spawners, user)?;
            }
        }
        if let Some(user) = &user {
            user.assume().map_err(|error| refused(user, &error))?;
            #[cfg(feature = "auth")]
            check_readable(settings)?;
            warn_of_config(settings);
        }
        let folder = std::env::temp_dir();
        if spool.is_none() && !mode_permits_making(&folder) {
            log::warn!(
                "TMPDIR: {} cannot be written to by the server's user, so that long request bodies and \
                 output for slow clients are answered 500; let it, or set TMPDIR to another folder",
                folder.display()
            );
        }
        if runs_programs && !spawners.are_plain() && chroot.is_none() {
            spawners.try_out().map_err(cannot_confine)?;
        }
        let permitted = match rules {
            Some(rules) => Some(sandbox::enter(settings, rules)?),
            None => None,
        };
        Ok(Opened {
            sites,
            logs,
            listeners,
            #[cfg(feature = "console")]
            console: shown,
            permitted,
            spool,
            spawners,
            #[cfg(feature = "fastcgi")]
            services: Arc::new(services),
        })
    }
}

/// Makes a folder for bodies: a program opens its own anew by `/dev/stdin`, which the kernel asks the
/// sandbox about as about any file of the folder that it was made in.
fn make_spool(heir: Option<&Identity>) -> Result<Arc<PrivateFolder>, StartError> {
    let parent = std::env::temp_dir();
    let made = match heir {
        Some(heir) => PrivateFolder::create_for(&parent, heir),
        None => PrivateFolder::create(&parent),
    };
    made.map_err(|error| {
        let problem = format!(
            "takes no folder for request bodies to wait in ({error}); let it be written to, or set \
             another one"
        );
        StartError::failed("TMPDIR", parent.display(), problem)
    })
}

/// Becomes who runs programs, and gives those who start them, for one program that is tried.
#[cfg(feature = "explain")]
pub(super) fn become_ready_to_run(settings: &Settings) -> Result<Spawners, StartError> {
    let system = |error: io::Error| StartError::failed("tollgate check", "", error);
    let confinement = &settings.confinement;
    if confinement.chroot.is_some() || confinement.sandbox {
        let problem = "is for the server alone; a program is tried without it";
        let option = if confinement.sandbox {
            "--sandbox"
        } else {
            "--chroot"
        };
        return Err(StartError::wrong(option, "", problem));
    }
    identity::restrict_new_files();
    if !confinement.allow_setuid {
        identity::gain_no_rights().map_err(system)?;
    }
    let user = confinement.user.as_ref().map(find_user).transpose()?;
    if user.is_none() && !confinement.allow_root && identity::is_root() {
        return Err(root_refused());
    }
    let [spawners, _] = open_spawners(settings, None);
    if let Some(user) = &user {
        user.assume().map_err(|error| refused(user, &error))?;
    }
    Ok(spawners)
}

/// Opens the sites, which are to have programs only where somebody else than root runs them.
pub(super) fn open_sites(
    settings: &Settings,
    user: Option<&Identity>,
) -> Result<Vec<Site>, StartError> {
    let cache = Arc::default();
    let all = settings.each_site();
    let open = |own: &&Settings| {
        let site = Site::open_beside(own, &all, Arc::clone(&cache));
        site.map_err(|error| error.placed(own))
    };
    let sites: Vec<Site> = all.iter().map(open).collect::<Result<_, _>>()?;
    if user.is_none() && !settings.confinement.allow_root {
        refuse_root(&sites)?;
    }
    Ok(sites)
}

/// Whether there are programs to be started.
fn run_programs(sites: &[Site]) -> bool {
    sites.iter().any(|site| !site.programs.is_empty())
}

/// Another root, which this process has, and spawners that are still outside.
struct Cell {
    root: PathBuf,
    reserve: Reserve,
}

impl Cell {
    /// Changes the root. A spawner executes the server's file, for which there need be none inside, so
    /// they are started before.
    fn enter(root: &Path, settings: &Settings) -> Result<Cell, StartError> {
        let wrong = |problem: String| StartError::wrong("--chroot", root.display(), problem);
        let failed = |error| wrong(format!("cannot be made the root ({error})"));
        let inside = std::fs::canonicalize(root).map_err(failed)?;
        let confinement = confinement_of(settings, None);
        let [programs, services] = spawners_max(settings, &confinement);
        let reserve = Reserve::start(programs + services).map_err(failed)?;
        identity::change_root(&inside).map_err(failed)?;
        let spool = std::env::temp_dir();
        if !spool.is_dir() {
            let spool = spool.display();
            return Err(wrong(format!(
                "has no folder {spool} for request bodies to wait in; make one, for the user to write \
                 to, or set TMPDIR"
            )));
        }
        Ok(Cell {
            root: inside,
            reserve,
        })
    }

    /// Has spawners follow, and go on as the user.
    fn fill(&mut self, spawners: &Spawners, user: &Identity) -> Result<(), StartError> {
        let jail = Jail {
            root: &self.root,
            identity: user,
        };
        spawners
            .employ(&mut self.reserve, &jail)
            .map_err(cannot_confine)
    }
}

/// How many spawners there are at most for programs, and for the processes of `exec:`: two for each core
/// and one, or more where each has descriptors for a few programs only.
fn spawners_max(settings: &Settings, confinement: &Confinement) -> [usize; 2] {
    let usual = thread::available_parallelism()
        .map_or(2, |cores| 2 * cores.get())
        .min(settings.max_processes)
        .min(SPAWNERS_MAX);
    #[cfg(feature = "fastcgi")]
    let services = processes_max(settings);
    #[cfg(not(feature = "fastcgi"))]
    let services: usize = 0;
    let each = confinement.limits.programs_each();
    let programs = usual.max(settings.max_processes.div_ceil(each));
    // A configuration that is read again may come to have some.
    let later = usize::from(settings.config.is_some());
    [programs, services.div_ceil(each).max(later)]
}

fn open_spawners(settings: &Settings, sandbox: Option<Vec<Rule>>) -> [Spawners; 2] {
    let mut confinement = confinement_of(settings, sandbox);
    let max = spawners_max(settings, &confinement);
    if let Some(processes) = &mut confinement.limits.processes {
        if identity::is_root() && settings.confinement.user.is_none() {
            log::warn!("--limit: processes={processes} does not hold for root; give --user");
        }
        // The kernel counts all that the user has, and does not tell programs from the server.
        *processes += (tasks(settings) + max[0] + max[1]) as u64;
    }
    max.map(|max| Spawners::new(max, Launch::own(confinement.clone())))
}

fn confinement_of(settings: &Settings, sandbox: Option<Vec<Rule>>) -> Confinement {
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
        sandbox,
    }
}

/// How many threads the server has at most.
fn tasks(settings: &Settings) -> usize {
    /// main, janitor, caretaker, keeper, steering, watchdog.
    const SINGLE: usize = 6;
    #[cfg(feature = "console")]
    let console = match settings.console.is_some() || settings.health.is_some() {
        true => crate::console::THREADS_MAX,
        false => 0,
    };
    #[cfg(not(feature = "console"))]
    let console = 0;
    #[cfg(feature = "fastcgi")]
    let supervisors = settings
        .each_site()
        .iter()
        .map(|site| site.fastcgi.routes.len())
        .sum::<usize>();
    #[cfg(not(feature = "fastcgi"))]
    let supervisors = 0;
    let spare = settings.max_processes + super::checks_at_once(settings);
    settings.threads + spare + SINGLE + supervisors + console
}

fn cannot_confine(error: io::Error) -> StartError {
    let problem = format!("programs could not be confined as asked for ({error})");
    StartError::failed("--limit, --nice or --sandbox", "", problem)
}

/// Programs may do whatever their user may.
fn refuse_root(sites: &[Site]) -> Result<(), StartError> {
    if !run_programs(sites) || !identity::is_root() {
        return Ok(());
    }
    Err(root_refused())
}

fn root_refused() -> StartError {
    let problem = "programs would run as root; name another user for them, as --user www-data, or \
                   give --allow-root if that is meant";
    StartError::wrong("--user", "", problem)
}

/// Looks a user up in the two files that tell of them.
pub(super) fn find_user(wanted: &crate::config::User) -> Result<Identity, StartError> {
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

/// Gives the user the sockets, which it has to remove at the end.
fn hand_over(
    option: &'static str,
    user: &Identity,
    listeners: &[Listener],
) -> Result<(), StartError> {
    for listener in listeners {
        if let Bound::Unix(path) = listener.bound()
            && !listener.is_shared()
        {
            user.take_path(path).map_err(|error| {
                let problem = format!("cannot be given to the user of --user ({error})");
                StartError::failed(option, path.display(), problem)
            })?;
        }
    }
    Ok(())
}

/// Files of users are read again whenever they change, by whom the server is then.
#[cfg(feature = "auth")]
fn check_readable(settings: &Settings) -> Result<(), StartError> {
    for route in settings
        .each_site()
        .into_iter()
        .flat_map(|site| &site.auths)
    {
        std::fs::File::open(&route.file).map_err(|error| {
            let problem = format!("cannot be read by the user of --user ({error})");
            StartError::failed("--auth", route.file.display(), problem)
        })?;
    }
    Ok(())
}

/// The configuration is read again by whom the server is then.
fn warn_of_config(settings: &Settings) {
    if let (Some(path), None) = (&settings.config, &settings.confinement.chroot)
        && let Err(error) = std::fs::File::open(path)
    {
        log::warn!(
            "--config: {} cannot be read by the user of --user ({error}), so that SIGHUP will change nothing",
            path.display()
        );
    }
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

/// The sockets that whoever started the server hands over.
pub(super) fn take_over(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Listener>, StartError> {
    activation::take(variable)
        .map_err(|wrong| StartError::failed(wrong.variable, wrong.value, wrong.problem))
}

/// Has the settings say where the sockets listen that were handed over. Those at a path are not the server's to
/// remove, and are somebody else's to connect to.
pub(super) fn listen_there_alone<'l>(
    settings: &mut Settings,
    handed: impl Iterator<Item = &'l Listener> + Clone,
) {
    let own = settings.sites.iter_mut().map(|site| &mut site.settings);
    for own in own {
        listen_there_alone(own, handed.clone());
    }
    let addresses = || handed.clone().map(address_of);
    let is_path = |address: &ListenAddress| matches!(address, ListenAddress::Unix(_));
    settings.listen = addresses().filter(|it| !is_path(it)).collect();
    if settings.explain == Explain::Local && addresses().any(|it| is_path(&it)) {
        settings.explain = Explain::Nobody;
    }
}

fn address_of(listener: &Listener) -> ListenAddress {
    match listener.bound() {
        Bound::Tcp(address) => ListenAddress::Tcp {
            host: address.ip().to_string(),
            port: address.port(),
        },
        Bound::Unix(path) => ListenAddress::Unix(path.clone()),
    }
}

/// Listens at an address, which may stand for several.
pub(super) fn listen(address: &ListenAddress) -> Result<Vec<Listener>, StartError> {
    listen_for("--listen", address)
}

/// Listens where that is wanted.
#[cfg(feature = "console")]
fn listen_where(
    option: &'static str,
    address: Option<&ListenAddress>,
) -> Result<Vec<Listener>, StartError> {
    address.map_or(Ok(Vec::new()), |address| listen_for(option, address))
}

fn listen_for(option: &'static str, address: &ListenAddress) -> Result<Vec<Listener>, StartError> {
    let bound = match address {
        ListenAddress::Tcp { host, port } => Listener::tcp(host, *port),
        ListenAddress::Unix(path) => Listener::unix(path).map(|listener| vec![listener]),
    };
    bound.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "is taken; stop who has it or name another address",
            io::ErrorKind::PermissionDenied => {
                "may not be listened on by this user; ports below 1024 need a right"
            }
            _ => "cannot be listened on; write it as HOST:PORT, [V6]:PORT or unix:PATH",
        };
        StartError::failed(option, address, format!("{hint} ({error})"))
    })
}
