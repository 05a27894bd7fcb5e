//! What is served where: the operator's routes, opened and checked when the server starts.
//!
//! Shape: [`Settings`] become a [`Site`]; a [`UrlPath`] becomes a [`Resource`]. Rules:
//! - The longest matching prefix wins. Extension routes apply to files under static routes.
//! - A path under a CGI route yields a program's output or an error, never a file; the folders of CGI
//!   routes are hidden from static routes that would contain them.

#[cfg(feature = "fastcgi")]
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::Cache;
use super::script::{self, Script};
use super::static_file::{self, StaticRoot};
#[cfg(feature = "fastcgi")]
use crate::config::Duty;
use crate::config::{CgiRoute, Settings, StartError, StaticRoute, Symlinks};
use crate::proto::Reason;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::route::{RouteKey, Routes};
use crate::sys::beneath::{Links, Root};

/// Everything that can be asked for.
#[derive(Debug)]
pub struct Site {
    routes: Routes<Mount>,
    /// What runs or answers for the files of extension routes.
    runners: Arc<Routes<Runner>>,
    #[cfg(feature = "fastcgi")]
    guards: Vec<Guard>,
    statics: Vec<StaticRoot>,
    default_static: Option<usize>,
    /// Small files, kept in memory.
    pub cache: Cache,
    summary: String,
}

/// What a prefix leads to.
#[derive(Debug)]
enum Mount {
    /// The static root with this index.
    Files(usize),
    /// A folder of programs.
    Programs(Root),
    /// One program.
    Program(PathBuf),
    /// The application with this number.
    #[cfg(feature = "fastcgi")]
    Application(usize),
}

/// What a file extension leads to.
#[derive(Debug)]
enum Runner {
    /// A program that runs files.
    Interpreter(PathBuf),
    /// The application with this number.
    #[cfg(feature = "fastcgi")]
    Application(usize),
}

/// An authorizer, and what it guards.
#[cfg(feature = "fastcgi")]
#[derive(Debug)]
struct Guard {
    key: RouteKey,
    application: usize,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Resource<'s, 'p> {
    /// Something below a static root; the rest of the path names it.
    File(&'s StaticRoot, &'p [u8]),
    /// A program.
    Script(Box<Script>),
    /// The application with this number, and what it is asked for.
    #[cfg(feature = "fastcgi")]
    Application(usize, Box<Script>),
}

impl Site {
    /// Opens everything that the settings name.
    ///
    /// Fails where a folder or program is missing or cannot be opened.
    pub fn open(settings: &Settings) -> Result<Site, StartError> {
        let statics = static_routes(settings);
        let cgis = cgi_routes(settings);
        if statics.is_empty() && cgis.is_empty() && !has_applications(settings) {
            return Err(StartError::wrong(
                "ROOT",
                settings.root.display(),
                "holds neither www/ nor cgi-bin/; name another folder, or give --static or --cgi",
            ));
        }
        let mut routes = Routes::new();
        let mut runners = Routes::new();
        let mut hidden = Vec::new();
        let mut clauses = Vec::new();
        for StaticRoute { prefix, folder } in &statics {
            let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
            clauses.push(format!("serves {prefix} from {}", folder.display()));
        }
        for route in &cgis {
            match &route.key {
                RouteKey::Prefix(prefix) => {
                    let (mount, path) = open_programs(route)?;
                    clauses.push(format!("runs {prefix} from {}", path.display()));
                    routes.insert_prefix(prefix, mount);
                    hidden.push(path);
                }
                RouteKey::Extension(extension) => {
                    let interpreter = open_interpreter(route)?;
                    clauses.push(format!("runs *{extension} with {}", interpreter.display()));
                    runners.insert_extension(extension, Runner::Interpreter(interpreter));
                }
            }
        }
        #[cfg(feature = "fastcgi")]
        let guards = mount_applications(settings, &mut routes, &mut runners, &mut clauses);
        let mut site = Site {
            routes,
            runners: Arc::new(runners),
            #[cfg(feature = "fastcgi")]
            guards,
            statics: Vec::new(),
            default_static: None,
            cache: Cache::new(),
            summary: String::new(),
        };
        for route in &statics {
            site.mount_static(route, settings, &hidden)?;
        }
        site.summary = match clauses.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        };
        Ok(site)
    }

    fn mount_static(
        &mut self,
        route: &StaticRoute,
        settings: &Settings,
        hidden: &[PathBuf],
    ) -> Result<(), StartError> {
        let links = match settings.symlinks {
            Symlinks::Stay => Links::Within,
            Symlinks::Follow => Links::Follow,
        };
        let root = Root::open(&route.folder, links).map_err(|error| {
            StartError::wrong(
                "--static",
                route.folder.display(),
                format!(
                    "cannot be opened as a folder ({error}); give an existing one as ROUTE=DIR"
                ),
            )
        })?;
        let number = self.statics.len();
        if route.prefix == "/" {
            self.default_static = Some(number);
        }
        // Only those that can be reached: each costs a look at every file that is opened.
        let is_reachable =
            |path: &&PathBuf| links == Links::Follow || path.starts_with(root.path());
        let runners = Arc::clone(&self.runners);
        self.statics.push(StaticRoot {
            number,
            index: settings.index.clone(),
            listing: settings.listing,
            is_script: Box::new(move |name| runners.extension_of(name).is_some()),
            hidden: hidden.iter().filter(is_reachable).cloned().collect(),
            root,
        });
        self.routes
            .insert_prefix(&route.prefix, Mount::Files(number));
        Ok(())
    }

    /// What is served where, for the line that is printed at start.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The static root of the whole site, which holds error pages and is DOCUMENT_ROOT.
    pub fn document_root(&self) -> Option<&StaticRoot> {
        self.default_static
            .and_then(|number| self.statics.get(number))
    }

    /// Finds what a path leads to.
    pub fn resolve<'s, 'p>(&'s self, path: &'p UrlPath<'_>) -> Result<Resource<'s, 'p>, Reason>
    where
        's: 'p,
    {
        let found = self.routes.resolve_prefix(path).ok_or(Reason::RouteNone)?;
        match found.target {
            Mount::Files(number) => {
                let root = self.statics.get(*number).ok_or(Reason::RouteNone)?;
                if let Some(resource) = self.find_interpreted(root, found.prefix, found.rest) {
                    return Ok(resource);
                }
                Ok(Resource::File(root, found.rest))
            }
            Mount::Programs(folder) => script::find(folder, found.prefix, found.rest)
                .map(Box::new)
                .map(Resource::Script),
            Mount::Program(program) => Ok(Resource::Script(Box::new(Script::single(
                program,
                found.prefix,
                found.rest,
                path.as_bytes(),
            )))),
            #[cfg(feature = "fastcgi")]
            Mount::Application(number) => {
                let root = self.document_root().map(|root| root.root.path());
                let script =
                    Script::of_application(root, found.prefix, found.rest, path.as_bytes());
                Ok(Resource::Application(*number, Box::new(script)))
            }
        }
    }

    fn find_interpreted<'s, 'p>(
        &'s self,
        root: &StaticRoot,
        prefix: &str,
        rest: &[u8],
    ) -> Option<Resource<'s, 'p>> {
        if !self.runners.has_extension_routes() {
            return None;
        }
        let found = static_file::find_script(root, rest)?;
        let runner = self.runners.extension_of(&found.path)?;
        let script_name = [prefix.as_bytes(), found.path.as_slice()].concat();
        let script = |interpreter: &Path| {
            Box::new(Script::interpreted(
                interpreter,
                &root.root,
                &found.path,
                script_name,
                found.path_info,
            ))
        };
        Some(match runner {
            Runner::Interpreter(interpreter) => Resource::Script(script(interpreter)),
            #[cfg(feature = "fastcgi")]
            Runner::Application(number) => Resource::Application(*number, script(Path::new(""))),
        })
    }

    /// The applications that have to let a request for this resource through, outermost first.
    #[cfg(feature = "fastcgi")]
    pub fn guards(&self, path: &UrlPath<'_>, resource: &Resource<'_, '_>) -> Vec<usize> {
        let guards = self.guards.iter();
        guards
            .filter(|guard| guard.watches(path, resource))
            .map(|guard| guard.application)
            .collect()
    }
}

#[cfg(feature = "fastcgi")]
fn has_applications(settings: &Settings) -> bool {
    let mut routes = settings.fastcgi.routes.iter();
    routes.any(|route| route.duty == Duty::Respond)
}

#[cfg(not(feature = "fastcgi"))]
fn has_applications(_: &Settings) -> bool {
    false
}

#[cfg(feature = "fastcgi")]
impl Guard {
    fn watches(&self, path: &UrlPath<'_>, resource: &Resource<'_, '_>) -> bool {
        let extension = match &self.key {
            RouteKey::Prefix(prefix) => {
                let path = path.as_bytes();
                let folder = prefix.as_bytes();
                return path.starts_with(folder) || folder.strip_suffix(b"/") == Some(path);
            }
            RouteKey::Extension(extension) => extension.as_bytes(),
        };
        let has_it = |name: &[u8]| {
            let at = name.len().checked_sub(extension.len());
            at.is_some_and(|at| name[at..].eq_ignore_ascii_case(extension))
        };
        match resource {
            Resource::Script(script) | Resource::Application(_, script) => {
                has_it(script.filename.as_os_str().as_bytes())
            }
            Resource::File(root, _) if path.is_folder() => {
                root.index.iter().any(|name| has_it(name.as_bytes()))
            }
            Resource::File(..) => has_it(path.as_bytes()),
        }
    }
}

/// Adds the applications to the routes, and returns the authorizers, those of shorter prefixes first.
#[cfg(feature = "fastcgi")]
fn mount_applications(
    settings: &Settings,
    routes: &mut Routes<Mount>,
    runners: &mut Routes<Runner>,
    clauses: &mut Vec<String>,
) -> Vec<Guard> {
    let mut guards = Vec::new();
    for (number, route) in settings.fastcgi.routes.iter().enumerate() {
        let application = &route.application;
        match (route.duty, &route.key) {
            (Duty::Authorize, key) => {
                clauses.push(format!("asks {application} about {key}"));
                guards.push(Guard {
                    key: key.clone(),
                    application: number,
                });
            }
            (Duty::Respond, RouteKey::Prefix(prefix)) => {
                clauses.push(format!("sends {prefix} to {application}"));
                routes.insert_prefix(prefix, Mount::Application(number));
            }
            (Duty::Respond, RouteKey::Extension(extension)) => {
                clauses.push(format!("sends *{extension} to {application}"));
                runners.insert_extension(extension, Runner::Application(number));
            }
        }
    }
    guards.sort_by_key(|guard| match &guard.key {
        RouteKey::Prefix(prefix) => prefix.len(),
        RouteKey::Extension(_) => usize::MAX,
    });
    guards
}

/// The static routes as given, or ROOT/www where it exists.
fn static_routes(settings: &Settings) -> Vec<StaticRoute> {
    let www = settings.root.join("www");
    if settings.statics.is_empty() && www.is_dir() {
        return vec![StaticRoute {
            prefix: "/".to_owned(),
            folder: www,
        }];
    }
    settings.statics.clone()
}

/// The CGI routes as given, or ROOT/cgi-bin where it exists.
fn cgi_routes(settings: &Settings) -> Vec<CgiRoute> {
    let programs = settings.root.join("cgi-bin");
    if settings.cgis.is_empty() && programs.is_dir() {
        let key = RouteKey::Prefix("/cgi-bin/".to_owned());
        return vec![CgiRoute {
            key,
            path: programs,
        }];
    }
    settings.cgis.clone()
}

/// Opens the folder of programs, or the one program, that a prefix leads to; returns its canonical
/// path too.
fn open_programs(route: &CgiRoute) -> Result<(Mount, PathBuf), StartError> {
    const EXPECTED: &str = "give an existing folder of programs, or one program, as ROUTE=PATH";
    let wrong = |problem: String| {
        StartError::wrong(
            "--cgi",
            route.path.display(),
            format!("{problem}; {EXPECTED}"),
        )
    };
    let path = std::fs::canonicalize(&route.path)
        .map_err(|error| wrong(format!("cannot be found ({error})")))?;
    if path.is_dir() {
        let folder = Root::open(&path, Links::Within)
            .map_err(|error| wrong(format!("cannot be opened ({error})")))?;
        return Ok((Mount::Programs(folder), path));
    }
    let program = executable(route).ok_or_else(|| wrong("is no executable file".to_owned()))?;
    Ok((Mount::Program(program), path))
}

/// Finds the interpreter of an extension.
fn open_interpreter(route: &CgiRoute) -> Result<PathBuf, StartError> {
    executable(route).ok_or_else(|| {
        let problem = "is no executable file; give an existing interpreter as .EXT=PROGRAM";
        StartError::wrong("--cgi", route.path.display(), problem)
    })
}

/// The route's path made absolute, if it can be executed: not resolved further, so that a program
/// that looks at its own name finds the one that it was given.
fn executable(route: &CgiRoute) -> Option<PathBuf> {
    is_executable(&route.path)
        .then(|| std::path::absolute(&route.path).ok())
        .flatten()
}

/// Whether there is a file at `path` that somebody may execute.
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
