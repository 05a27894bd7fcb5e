//! FastCGI routes: which applications answer, and which are asked before.
//!
//! Shape: a [`FastcgiRoute`] is added to a [`Plan`]; [`Site::guards`] names the routes whose
//! authorizers have to let a request through. Rules:
//! - An authorizer is asked about whatever lies below its prefix, also where nothing is there, so that
//!   nobody learns from it what is; and about every spelling of the prefix that some file system takes
//!   for it (`/Private.`), since it does no harm to ask once too often.
//! - One for an extension is asked about every spelling under which the content can be had: a
//!   precompressed neighbour, dots and spaces at the end of a name, a folder for its index file.
//! - The extension of a program is that of its file: whatever the path goes on with leads to it.
//!
//! Not here: asking (`handler::fastcgi`).

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Mount, Plan, Resource, Runner, Site, executable};
use crate::config::{Application, Duty, ExecProgram, FastcgiRoute, Settings, StartError};
use crate::proto::uri::copy::original_name;
use crate::proto::uri::path::{UrlPath, plain_name};
use crate::proto::uri::route::{RouteKey, Routes};

/// The routes of authorizers, by their indexes.
pub(super) type Guards = Routes<usize>;

impl Site {
    /// The FastCGI routes whose authorizers have to let a request through: first those by prefix, the
    /// shortest first, then those by extension.
    pub fn guards(&self, path: &UrlPath<'_>, resource: &Resource<'_, '_>) -> Vec<usize> {
        let mut guards = self.guards_of_path(path);
        if !self.guards.has_extension_routes() {
            return guards;
        }
        let mut add = |name: &[u8]| {
            let found = names_of_content(name)
                .into_iter()
                .find_map(|name| self.guards.extension_of(name));
            if let Some(found) = found.filter(|found| !guards.contains(found)) {
                guards.push(*found);
            }
        };
        match resource {
            Resource::Script(script) => add(script.filename.as_os_str().as_bytes()),
            Resource::Application(_, script) => add(script.filename.as_os_str().as_bytes()),
            Resource::File(root, _) if path.is_folder() => {
                root.index.iter().for_each(|name| add(name.as_bytes()));
            }
            Resource::File(..) => add(path.as_bytes()),
        }
        guards
    }

    /// Those of them that are known already while nothing is, of what the path leads to.
    pub fn guards_of_path(&self, path: &UrlPath<'_>) -> Vec<usize> {
        self.guards.all_above(path).copied().collect()
    }
}

/// Whether an application answers for some of the site.
pub(super) fn has_applications(settings: &Settings) -> bool {
    let mut routes = settings.fastcgi.routes.iter();
    routes.any(|route| route.duty == Duty::Respond)
}

/// The programs that are started for the applications of a site.
pub(super) fn exec_programs(settings: &Settings) -> impl Iterator<Item = PathBuf> {
    let routes = settings.fastcgi.routes.iter();
    routes.filter_map(|route| match &route.application {
        Application::Exec(exec) => Some(exec.program.clone()),
        Application::Backends(_) => None,
    })
}

/// A name, and what its content is a copy or a precompressed form of.
fn names_of_content(name: &[u8]) -> [&[u8]; 2] {
    let name = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    [plain_name(name), original_name(name)]
}

impl Plan {
    pub(super) fn add_fastcgi(
        &mut self,
        index: usize,
        route: &FastcgiRoute,
    ) -> Result<(), StartError> {
        let FastcgiRoute {
            key,
            duty,
            application,
        } = route;
        let program = match application {
            Application::Exec(exec) => Some(self.open_exec(exec)?),
            Application::Backends(_) => None,
        };
        self.clauses.push(match duty {
            Duty::Respond => format!("sends {key} to {application}"),
            Duty::Authorize => format!("asks {application} about {key}"),
        });
        match (duty, key) {
            (Duty::Respond, RouteKey::Prefix(prefix)) => {
                let mount = Mount::Application(index, program);
                self.routes.insert_prefix(prefix, mount);
            }
            (Duty::Respond, RouteKey::Extension(extension)) => {
                let runner = Runner::Application(index);
                self.runners.insert_extension(extension, runner);
            }
            (Duty::Authorize, RouteKey::Prefix(prefix)) => {
                self.guards.insert_prefix(prefix, index);
            }
            (Duty::Authorize, RouteKey::Extension(extension)) => {
                self.guards.insert_extension(extension, index);
            }
        }
        Ok(())
    }

    /// Finds a program that the server is to start, and hides it.
    fn open_exec(&mut self, exec: &ExecProgram) -> Result<PathBuf, StartError> {
        let found = executable(&exec.program).zip(std::fs::canonicalize(&exec.program).ok());
        let (program, canonical) = found.ok_or_else(|| {
            let problem = "is no executable file; give an existing program as exec:PROGRAM";
            StartError::wrong("--fastcgi", exec.program.display(), problem)
        })?;
        self.programs.extend([program.clone(), canonical.clone()]);
        self.hidden.push(canonical);
        Ok(program)
    }
}

#[cfg(test)]
mod tests;
