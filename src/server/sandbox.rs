//! What `--sandbox` leaves to the server and to programs.
//!
//! Shape: [`of_programs`] lists what programs may reach, which their spawner enters, and [`enter`] has
//! the server keep to the same and to what it needs itself. Rules:
//! - Whoever is in command of the server can have a spawner start any program. So nothing is lost where
//!   the server may reach what programs may; and the spawners that it starts are inside its own sandbox.
//! - What any program needs to be started at all is permitted: the folders of the system's programs and
//!   libraries, and those files of /etc that a C library looks at. What is one program's alone
//!   (`/etc/php`, its data) is named by the operator.
//! - Where a file is replaced rather than written (logs, files of users), it is its folder that is named.

use std::path::{Path, PathBuf};

use crate::config::{self, ListenAddress, Settings, StartError};
use crate::handler::site::Site;
use crate::sys::sandbox::{self, Access, Rule, Signals, WHOLE};

/// Programs and libraries.
const SYSTEM: [&str; 7] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
];

/// What libraries read, and what is known of processors and processes. Of processes outside the sandbox
/// the kernel keeps back what is theirs.
const LIBRARIES: [&str; 19] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/proc",
    "/sys/devices/system/cpu",
];

const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// The version of Landlock that keeps files from being cut short.
const TRUNCATE: i32 = 3;

/// What programs may reach: the system's, their own folders, the files that are sent, and what the
/// operator names.
pub(super) fn of_programs(settings: &Settings, sites: &[Site]) -> Result<Vec<Rule>, StartError> {
    let mut rules = Vec::new();
    let mut permit = |access, paths: &[&str]| {
        rules.extend(paths.iter().map(|path| (access, PathBuf::from(path))));
    };
    permit(Access::Run, &SYSTEM);
    permit(Access::Read, &LIBRARIES);
    permit(Access::Device, &DEVICES);
    let programs = sites.iter().flat_map(|site| &site.programs);
    let programs = programs.map(|path| folder_of_program(path));
    rules.extend(programs.map(|path| (Access::Run, path.to_owned())));
    let roots = sites.iter().flat_map(|site| site.static_roots());
    rules.extend(roots.map(|root| (Access::Read, root.root.path().to_owned())));
    let confinement = &settings.confinement;
    for (option, access, paths) in [
        ("--allow-read", Access::Run, &confinement.allow_read),
        ("--allow-write", Access::Write, &confinement.allow_write),
    ] {
        for path in paths {
            let there = std::fs::canonicalize(path).map_err(|error| {
                let problem = format!("cannot be found ({error}); name what is there");
                StartError::wrong(option, path.display(), problem)
            })?;
            rules.push((access, there));
        }
    }
    Ok(rules)
}

/// The folder that a program lies in, where it finds what belongs to it; never the root of all.
fn folder_of_program(program: &Path) -> &Path {
    match program.parent() {
        Some(folder) if !program.is_dir() && folder.parent().is_some() => folder,
        _ => program,
    }
}

/// What the server needs itself.
pub(super) fn of_server(settings: &Settings) -> Vec<Rule> {
    let mut rules = Vec::new();
    // As it was started, for its spawners.
    rules.push((Access::Run, PathBuf::from("/proc/self/exe")));
    rules.push((Access::Write, std::env::temp_dir()));
    let folder_of = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        path.parent().map(Path::to_owned)
    };
    for site in settings.each_site() {
        // With another root the log lies outside.
        if let config::AccessLog::File(path) = &site.access_log
            && settings.confinement.chroot.is_none()
        {
            rules.extend(folder_of(path).map(|folder| (Access::Append, folder)));
        }
    }
    // To be read again.
    let config = settings.config.as_deref().and_then(folder_of);
    rules.extend(config.map(|folder| (Access::Read, folder)));
    #[cfg(feature = "console")]
    let shown = settings.console.iter().chain(&settings.health);
    #[cfg(not(feature = "console"))]
    let shown = None;
    for address in settings.listen.iter().chain(shown) {
        // So do the sockets, which are left where they are at the end.
        if let ListenAddress::Unix(path) = address
            && settings.confinement.chroot.is_none()
        {
            rules.extend(folder_of(path).map(|folder| (Access::Remove, folder)));
        }
    }
    #[cfg(feature = "auth")]
    for route in settings
        .each_site()
        .into_iter()
        .flat_map(|site| &site.auths)
    {
        let target = std::fs::canonicalize(&route.file).ok();
        let paths = [Some(route.file.clone()), target];
        let folders = paths.iter().flatten().filter_map(|path| folder_of(path));
        rules.extend(folders.map(|folder| (Access::Read, folder)));
    }
    rules
}

/// Has the server keep to what programs may reach, and to what it needs itself; tells where the kernel
/// can do less than that. Returns all of it.
pub(super) fn enter(settings: &Settings, mut rules: Vec<Rule>) -> Result<Vec<Rule>, StartError> {
    rules.extend(of_server(settings));
    let failed =
        |error| StartError::failed("--sandbox", "", format!("could not be made ({error})"));
    match sandbox::enter(&rules, Signals::Anybody).map_err(failed)? {
        0 => log::warn!(
            "--sandbox: this kernel has no Landlock, or not enabled; nothing is confined"
        ),
        version if version < WHOLE => {
            let more = match version {
                ..TRUNCATE => {
                    "files that they could not write to can be cut short by programs, and "
                }
                _ => "",
            };
            log::warn!(
                "--sandbox: Landlock of this kernel has version {version}; before {WHOLE} {more}some of \
                 what programs could do to other processes and devices is not kept from them"
            );
        }
        _ => {}
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Command, Surroundings, parse};

    fn rules(more: &[&str]) -> Vec<Rule> {
        let surroundings = Surroundings {
            variable: &|_| None,
            cores: 1,
            stdout_is_terminal: false,
            file: &|_| Err("is not there".to_owned()),
        };
        let log = ["--access-log", "/var/log/web/log"];
        let arguments = [&["--sandbox", "-l", "unix:/run/web/socket"], &log[..], more].concat();
        match parse(arguments.into_iter().map(Into::into), &surroundings) {
            Ok(Command::Serve(settings)) => of_server(&settings),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_lies_outside_of_a_jail_is_not_permitted_inside() {
        let outside = [
            (Access::Append, PathBuf::from("/var/log/web")),
            (Access::Remove, PathBuf::from("/run/web")),
        ];
        let jailed = rules(&["--chroot", "/srv/jail", "--user", "web"]);
        for rule in outside {
            assert!(rules(&[]).contains(&rule), "{rule:?}");
            assert!(!jailed.contains(&rule), "{rule:?}");
        }
    }
}
