//! What is served where: the operator's routes, opened and checked when the server starts.
//!
//! Shape: [`Settings`] become a [`Site`]; a [`UrlPath`] becomes a [`Resource`]. Rules:
//! - The longest matching prefix wins. Extension routes apply to files under static routes.
//! - A path under a CGI or FastCGI route yields a program's output or an error, never a file, also
//!   where a static route has the same prefix; the folders of CGI routes are hidden from static routes
//!   that would contain them, or lie in them.
//! - Whoever has to be asked about a path is known from the path and what it leads to, before anything
//!   is looked for there.

#[cfg(feature = "fastcgi")]
mod applications;
#[cfg(feature = "console")]
mod why;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "fastcgi")]
use applications::{exec_programs, has_applications};

#[cfg(feature = "console")]
pub use why::Why;

#[cfg(feature = "auth")]
use super::auth::Doors;
use super::cache::Cache;
use super::script::{self, Script};
use super::static_file::{self, StaticRoot};
use crate::config::{CgiRoute, Settings, StartError, StaticRoute, Symlinks};
use crate::proto::Reason;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::route::{RouteKey, Routes};
use crate::sys::beneath::{Links, Renewal, Root};

/// Everything that can be asked for.
#[derive(Debug)]
pub struct Site {
    routes: Routes<Mount>,
    /// Who runs the files of extension routes.
    runners: Arc<Routes<Runner>>,
    #[cfg(feature = "fastcgi")]
    guards: applications::Guards,
    /// What the applications are called, by the numbers of their routes.
    #[cfg(all(feature = "console", feature = "fastcgi"))]
    applications: Vec<String>,
    /// Who asks for users and passwords.
    #[cfg(feature = "auth")]
    pub doors: Doors,
    statics: Vec<StaticRoot>,
    default_static: Option<usize>,
    fallback: Option<String>,
    /// Small files, kept in memory; where there are several sites, of all of them.
    pub cache: Arc<Cache>,
    /// What is started for it: folders of programs, and the files of single ones.
    pub programs: Vec<PathBuf>,
    summary: String,
}

/// The number of the next static root, by which the cache knows it: one that is opened later is another one.
static NEXT_ROOT: AtomicUsize = AtomicUsize::new(0);

/// What a prefix leads to.
#[derive(Debug)]
enum Mount {
    /// The static root with this index.
    Files(usize),
    /// A folder of programs.
    Programs(Root),
    /// One program.
    Program(PathBuf),
    /// The application of the FastCGI route with this index, and its program where we start it.
    #[cfg(feature = "fastcgi")]
    Application(usize, Option<PathBuf>),
}

/// Who runs the files of an extension.
#[derive(Debug)]
enum Runner {
    /// A program, started for each request.
    Interpreter(PathBuf),
    /// The application of the FastCGI route with this index.
    #[cfg(feature = "fastcgi")]
    Application(usize),
}

/// What a path leads to.
#[derive(Debug)]
pub enum Resource<'s, 'p> {
    /// Something below a static root; the rest of the path names it.
    File(&'s StaticRoot, &'p [u8]),
    /// A program.
    Script(Box<Script>),
    /// What the application of the FastCGI route with this index answers; nothing of its script is for
    /// us to execute.
    #[cfg(feature = "fastcgi")]
    Application(usize, Arc<Script>),
}

/// A site that is being opened.
#[derive(Debug, Default)]
struct Plan {
    routes: Routes<Mount>,
    runners: Routes<Runner>,
    #[cfg(feature = "fastcgi")]
    guards: applications::Guards,
    /// What is started.
    programs: Vec<PathBuf>,
    /// Canonical paths of programs and their folders.
    hidden: Vec<PathBuf>,
    /// What the summary is made of.
    clauses: Vec<String>,
}

impl Site {
    /// Opens everything that the settings name.
    ///
    /// Fails where a folder or program is missing or cannot be opened.
    pub fn open(settings: &Settings) -> Result<Site, StartError> {
        Site::open_beside(settings, &settings.each_site(), Arc::default())
    }

    /// The same for one of several sites: none of them sends what another one hides.
    pub fn open_beside(
        settings: &Settings,
        all: &[&Settings],
        cache: Arc<Cache>,
    ) -> Result<Site, StartError> {
        let statics = static_routes(settings);
        let cgis = cgi_routes(settings);
        let mut plan = Plan::default();
        for route in &cgis {
            plan.add_cgi(route)?;
        }
        #[cfg(feature = "fastcgi")]
        for (index, route) in settings.fastcgi.routes.iter().enumerate() {
            plan.add_fastcgi(index, route)?;
        }
        if statics.is_empty() && cgis.is_empty() && !has_applications(settings) {
            return Err(StartError::wrong(
                "ROOT",
                settings.root.display(),
                "holds neither www/ nor cgi-bin/; name another folder, or give --static or --cgi",
            ));
        }
        #[cfg(feature = "auth")]
        let doors = Doors::open(&settings.auths)?;
        #[cfg(feature = "auth")]
        plan.hidden.extend(doors.files().map(Path::to_owned));
        for path in all.iter().flat_map(|settings| hidden_paths(settings)) {
            if !plan.hidden.contains(&path) {
                plan.hidden.push(path);
            }
        }
        let mut site = Site {
            routes: plan.routes,
            runners: Arc::new(plan.runners),
            #[cfg(feature = "fastcgi")]
            guards: plan.guards,
            #[cfg(all(feature = "console", feature = "fastcgi"))]
            applications: {
                let routes = settings.fastcgi.routes.iter();
                routes.map(|route| route.application.to_string()).collect()
            },
            #[cfg(feature = "auth")]
            doors,
            statics: Vec::new(),
            default_static: None,
            fallback: settings.fallback.clone(),
            cache,
            programs: plan.programs,
            summary: String::new(),
        };
        let mut clauses = Vec::new();
        for route in &statics {
            clauses.extend(site.mount_static(route, settings, &plan.hidden)?);
        }
        clauses.append(&mut plan.clauses);
        site.summary = match clauses.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        };
        if let Some(fallback) = &site.fallback
            && !site.leads_somewhere(fallback)
        {
            log::warn!("--fallback: '{fallback}' leads to nothing that is there now");
        }
        Ok(site)
    }

    /// Opens a static root; returns what it serves, or nothing where programs have its prefix: then it
    /// holds but what they hand over and DOCUMENT_ROOT.
    fn mount_static(
        &mut self,
        route: &StaticRoute,
        settings: &Settings,
        hidden: &[PathBuf],
    ) -> Result<Option<String>, StartError> {
        let StaticRoute { prefix, folder } = route;
        let links = match settings.symlinks {
            Symlinks::Stay => Links::Within,
            Symlinks::Follow => Links::Follow,
        };
        let root = Root::open(folder, links).map_err(|error| {
            StartError::wrong(
                "--static",
                folder.display(),
                format!(
                    "cannot be opened as a folder ({error}); give an existing one as ROUTE=DIR"
                ),
            )
        })?;
        let number = self.statics.len();
        if prefix == "/" {
            self.default_static = Some(number);
        }
        let clause = format!("serves {prefix} from {}", root.path().display());
        // Only those that can be reached: each costs a look at every file that is opened.
        let is_reachable = |path: &&PathBuf| {
            links == Links::Follow || path.starts_with(root.path()) || root.path().starts_with(path)
        };
        let root_path = root.path().to_owned();
        let runners = Arc::clone(&self.runners);
        let has_scripts = runners.has_extension_routes();
        self.statics.push(StaticRoot {
            number: NEXT_ROOT.fetch_add(1, Ordering::Relaxed),
            index: settings.index.clone(),
            listing: settings.listing,
            is_script: Box::new(move |name| runners.extension_of(name).is_some()),
            has_scripts,
            hidden: hidden.iter().filter(is_reachable).cloned().collect(),
            root,
        });
        let is_inside = hidden.iter().any(|path| root_path.starts_with(path));
        match self.routes.insert_prefix(prefix, Mount::Files(number)) {
            None if is_inside => {
                log::warn!(
                    "--static: {} lies in a folder of programs, whose files are never sent; move it out",
                    root_path.display()
                );
                Ok(Some(clause))
            }
            None => Ok(Some(clause)),
            Some(programs) => {
                self.routes.insert_prefix(prefix, programs);
                Ok(None)
            }
        }
    }

    /// Looks whether other folders have come to the paths of those that are served, and takes them; in a
    /// sandbox only those that it permits.
    pub fn renew(&self, in_sandbox: bool) {
        let programs = self.routes.targets().filter_map(|mount| match mount {
            Mount::Programs(folder) => Some(folder),
            _ => None,
        });
        for root in self.statics.iter().map(|it| &it.root).chain(programs) {
            let path = root.path();
            let shown = path.display();
            match root.renew(in_sandbox) {
                Renewal::None => {}
                Renewal::Taken => log::info!("{shown} is another folder now, and served as such"),
                Renewal::Refused(error) => log::error!(
                    "--sandbox: {shown} is another folder now, which is not permitted ({error}); the old \
                     one is served until a restart. Give --allow-read {} for new ones to be permitted",
                    path.parent().unwrap_or(path).display()
                ),
            }
        }
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

    /// All static roots.
    pub fn static_roots(&self) -> &[StaticRoot] {
        &self.statics
    }

    /// The static root that a path belongs to, and the rest of the path below it.
    pub fn static_route<'a>(&'a self, path: &'a UrlPath<'_>) -> Option<(&'a StaticRoot, &'a [u8])> {
        let found = self.routes.resolve_prefix(path)?;
        match found.target {
            Mount::Files(number) => Some((self.statics.get(*number)?, found.rest)),
            _ => None,
        }
    }

    /// The URL that is answered with where there is nothing else: a path and perhaps a query.
    pub fn fallback(&self) -> Option<&[u8]> {
        self.fallback.as_deref().map(str::as_bytes)
    }

    /// Whether a request for `path` that was refused for `reason` is to be answered with the fallback:
    /// only where nothing is there, never where something is kept back.
    pub fn falls_back(&self, reason: Reason, path: &UrlPath<'_>) -> bool {
        self.fallback.is_some()
            && match reason {
                Reason::RouteNone | Reason::FileNotFound | Reason::FileFolder => true,
                // The method is refused before the file is looked for.
                Reason::FileMethod => !path.has_hidden_segment() && self.is_missing(path),
                _ => false,
            }
    }

    /// Whether a static route has nothing to send for `path`.
    fn is_missing(&self, path: &UrlPath<'_>) -> bool {
        self.static_route(path)
            .is_some_and(|(root, rest)| static_file::is_missing(root, rest))
    }

    /// Whether something is there to answer this URL, as far as can be known without a request.
    fn leads_somewhere(&self, url: &str) -> bool {
        let path = url.split('?').next().unwrap_or(url);
        UrlPath::decode(path.as_bytes()).is_ok_and(|path| {
            self.resolve(&path).is_ok() && !path.has_hidden_segment() && !self.is_missing(&path)
        })
    }

    /// The file that a path leads to below its route, for whoever is to be told of it: the first thing on the
    /// way that is no folder.
    pub fn place_of(&self, path: &UrlPath<'_>) -> Option<PathBuf> {
        let found = self.routes.resolve_prefix(path)?;
        let root = match found.target {
            Mount::Files(number) => self.statics.get(*number)?.root.path(),
            Mount::Programs(folder) => folder.path(),
            _ => return None,
        };
        let mut place = root.to_owned();
        for name in found.rest.split(|&byte| byte == b'/') {
            place.push(OsStr::from_bytes(name));
            if !place.is_dir() {
                break;
            }
        }
        Some(place)
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
                Ok(self
                    .find_script(root, found.prefix, found.rest)
                    .unwrap_or(Resource::File(root, found.rest)))
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
            Mount::Application(index, program) => {
                let root = self.document_root().map(|root| root.root.path());
                let (prefix, rest, path) = (found.prefix, found.rest, path.as_bytes());
                let script = Script::of_application(program.as_deref(), root, prefix, rest, path);
                Ok(Resource::Application(*index, Arc::new(script)))
            }
        }
    }

    /// The file of an extension route that a path below a static route leads to.
    fn find_script<'s, 'p>(
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
        let interpreted = |interpreter: &Path| {
            Script::interpreted(
                interpreter,
                &root.root,
                &found.path,
                script_name,
                found.path_info,
            )
        };
        Some(match runner {
            Runner::Interpreter(program) => Resource::Script(Box::new(interpreted(program))),
            #[cfg(feature = "fastcgi")]
            Runner::Application(index) => {
                Resource::Application(*index, Arc::new(interpreted(Path::new(""))))
            }
        })
    }
}

/// What no site is to send of what the settings name, as far as it is there: folders of programs, files of users,
/// the configuration itself.
fn hidden_paths(settings: &Settings) -> Vec<PathBuf> {
    let cgis = cgi_routes(settings).into_iter();
    let programs = cgis.filter(|route| matches!(route.key, RouteKey::Prefix(_)));
    let mut paths: Vec<PathBuf> = programs.map(|route| route.path).collect();
    #[cfg(feature = "fastcgi")]
    paths.extend(exec_programs(settings));
    #[cfg(feature = "auth")]
    paths.extend(settings.auths.iter().map(|route| route.file.clone()));
    paths.extend(settings.config.clone());
    let canonical = paths.iter().map(std::fs::canonicalize);
    canonical.filter_map(Result::ok).collect()
}

#[cfg(not(feature = "fastcgi"))]
fn has_applications(_: &Settings) -> bool {
    false
}

impl Plan {
    fn add_cgi(&mut self, route: &CgiRoute) -> Result<(), StartError> {
        match &route.key {
            RouteKey::Prefix(prefix) => {
                let (mount, path) = open_programs(route)?;
                self.clauses
                    .push(format!("runs {prefix} from {}", path.display()));
                self.routes.insert_prefix(prefix, mount);
                self.programs.push(path.clone());
                self.hidden.push(path);
            }
            RouteKey::Extension(extension) => {
                let program = open_interpreter(route)?;
                self.clauses
                    .push(format!("runs *{extension} with {}", program.display()));
                self.programs.push(program.clone());
                self.runners
                    .insert_extension(extension, Runner::Interpreter(program));
            }
        }
        Ok(())
    }
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
    let program =
        executable(&route.path).ok_or_else(|| wrong("is no executable file".to_owned()))?;
    Ok((Mount::Program(program), path))
}

/// Finds the interpreter of an extension.
fn open_interpreter(route: &CgiRoute) -> Result<PathBuf, StartError> {
    executable(&route.path).ok_or_else(|| {
        let problem = "is no executable file; give an existing interpreter as .EXT=PROGRAM";
        StartError::wrong("--cgi", route.path.display(), problem)
    })
}

/// The path made absolute, if it can be executed: not resolved further, so that a program that looks
/// at its own name finds the one that it was given.
fn executable(path: &Path) -> Option<PathBuf> {
    is_executable(path)
        .then(|| std::path::absolute(path).ok())
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
