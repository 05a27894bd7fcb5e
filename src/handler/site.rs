//! What is served where: the operator's routes, opened and checked when the server starts.
//!
//! Shape: [`Settings`] become a [`Site`]; a [`UrlPath`] becomes a [`Resource`]. Rules:
//! - The longest matching prefix wins. Extension routes apply to files under static routes.
//! - A path under a CGI route yields a program's output or an error, never a file; the folders of CGI
//!   routes are hidden from static routes that would contain them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::Cache;
use super::script::{self, Script};
use super::static_file::{self, StaticRoot};
use crate::config::{CgiRoute, Settings, StartError, StaticRoute, Symlinks};
use crate::proto::Reason;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::route::{RouteKey, Routes};
use crate::sys::beneath::{Links, Root};

/// Everything that can be asked for.
#[derive(Debug)]
pub struct Site {
    routes: Routes<Mount>,
    /// The interpreters of extension routes.
    interpreters: Arc<Routes<PathBuf>>,
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
}

/// What a path leads to.
#[derive(Debug)]
pub enum Resource<'s, 'p> {
    /// Something below a static root; the rest of the path names it.
    File(&'s StaticRoot, &'p [u8]),
    /// A program.
    Script(Box<Script>),
}

impl Site {
    /// Opens everything that the settings name.
    ///
    /// Fails where a folder or program is missing or cannot be opened.
    pub fn open(settings: &Settings) -> Result<Site, StartError> {
        let statics = static_routes(settings);
        let cgis = cgi_routes(settings);
        if statics.is_empty() && cgis.is_empty() {
            return Err(StartError::wrong(
                "ROOT",
                settings.root.display(),
                "holds neither www/ nor cgi-bin/; name another folder, or give --static or --cgi",
            ));
        }
        let mut routes = Routes::new();
        let mut interpreters = Routes::new();
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
                    interpreters.insert_extension(extension, interpreter);
                }
            }
        }
        let mut site = Site {
            routes,
            interpreters: Arc::new(interpreters),
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
        let interpreters = Arc::clone(&self.interpreters);
        self.statics.push(StaticRoot {
            number,
            index: settings.index.clone(),
            listing: settings.listing,
            is_script: Box::new(move |name| interpreters.extension_of(name).is_some()),
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
                if let Some(script) = self.find_interpreted(root, found.prefix, found.rest) {
                    return Ok(Resource::Script(Box::new(script)));
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
        }
    }

    fn find_interpreted(&self, root: &StaticRoot, prefix: &str, rest: &[u8]) -> Option<Script> {
        if !self.interpreters.has_extension_routes() {
            return None;
        }
        let found = static_file::find_script(root, rest)?;
        let interpreter = self.interpreters.extension_of(&found.path)?;
        let script_name = [prefix.as_bytes(), found.path.as_slice()].concat();
        Some(Script::interpreted(
            interpreter,
            &root.root,
            &found.path,
            script_name,
            found.path_info,
        ))
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

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
