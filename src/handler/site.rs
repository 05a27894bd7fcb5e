//! What is served where: the operator's routes, opened and checked when the server starts.
//!
//! Shape: [`Settings`] become a [`Site`]; a [`UrlPath`] becomes a [`Resource`]. Rules:
//! - The longest matching prefix wins. Extension routes apply to files under static routes.
//! - A path under a CGI route yields a program's output or an error, never a file; the folders of CGI
//!   routes are hidden from static routes that would contain them.

use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::script::{self, Script};
use super::static_file::{self, StaticRoot};
use crate::config::StartError;
use crate::config::settings::{CgiRoute, Settings, StaticRoute, Symlinks};
use crate::proto::Reason;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::route::{RouteKey, Routes};
use crate::sys::beneath::{Links, Root};

/// Everything that can be asked for.
#[derive(Debug)]
pub struct Site {
    routes: Routes<Mount>,
    statics: Vec<StaticRoot>,
    default_static: Option<usize>,
    /// Small files, kept in memory.
    pub cache: Cache,
    summary: String,
}

/// What a prefix or an extension leads to.
#[derive(Debug)]
enum Mount {
    /// The static root with this index.
    Files(usize),
    /// A folder of programs.
    Programs(Root),
    /// One program, or the interpreter of an extension.
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
        let mut site = Site {
            routes: Routes::new(),
            statics: Vec::new(),
            default_static: None,
            cache: Cache::new(),
            summary: String::new(),
        };
        let mut hidden = Vec::new();
        let mut clauses = Vec::new();
        for route in &cgis {
            let (mount, path) = open_cgi(route)?;
            match &route.key {
                RouteKey::Prefix(prefix) => {
                    clauses.push(format!("runs {prefix} from {}", path.display()));
                    hidden.push(path);
                    site.routes.insert_prefix(prefix, mount);
                }
                RouteKey::Extension(extension) => {
                    clauses.push(format!("runs *{extension} with {}", path.display()));
                    site.routes.insert_extension(extension, mount);
                }
            }
        }
        for route in statics.iter().rev() {
            clauses.insert(0, format!("serves {} from {}", route.prefix, route.folder.display()));
        }
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
                format!("cannot be opened as a folder ({error}); give an existing one as ROUTE=DIR"),
            )
        })?;
        let number = self.statics.len();
        if route.prefix == "/" {
            self.default_static = Some(number);
        }
        self.statics.push(StaticRoot::new(
            number,
            root,
            settings.index.clone(),
            settings.listing,
            hidden.to_vec(),
        ));
        self.routes.insert_prefix(&route.prefix, Mount::Files(number));
        Ok(())
    }

    /// What is served where, for the line that is printed at start.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The static root of the whole site, which holds error pages and is DOCUMENT_ROOT.
    pub fn document_root(&self) -> Option<&StaticRoot> {
        self.default_static.and_then(|number| self.statics.get(number))
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
                if self.routes.has_extension_routes() {
                    if let Some(script) = self.find_interpreted(root, found.prefix, found.rest) {
                        return Ok(Resource::Script(Box::new(script)));
                    }
                }
                Ok(Resource::File(root, found.rest))
            }
            Mount::Programs(folder) => {
                script::find(folder, found.prefix, found.rest).map(Box::new).map(Resource::Script)
            }
            Mount::Program(program) => Ok(Resource::Script(Box::new(Script::single(
                program,
                found.prefix,
                found.rest,
                path.as_bytes(),
            )))),
        }
    }

    fn find_interpreted(&self, root: &StaticRoot, prefix: &str, rest: &[u8]) -> Option<Script> {
        let found = static_file::find_script(root, rest, |name| {
            self.routes.extension_of(name).is_some()
        })?;
        let Some(Mount::Program(interpreter)) = self.routes.extension_of(&found.script_rest) else {
            return None;
        };
        let script_name = [prefix.as_bytes(), found.script_rest.as_slice()].concat();
        Some(Script::interpreted(
            interpreter,
            root.root(),
            &found.script_rest,
            script_name,
            found.path_info,
        ))
    }
}

/// The static routes as given, or ROOT/www where it exists.
fn static_routes(settings: &Settings) -> Vec<StaticRoute> {
    let www = settings.root.join("www");
    if settings.statics.is_empty() && www.is_dir() {
        return vec![StaticRoute { prefix: "/".to_owned(), folder: www }];
    }
    settings.statics.clone()
}

/// The CGI routes as given, or ROOT/cgi-bin where it exists.
fn cgi_routes(settings: &Settings) -> Vec<CgiRoute> {
    let programs = settings.root.join("cgi-bin");
    if settings.cgis.is_empty() && programs.is_dir() {
        let key = RouteKey::Prefix("/cgi-bin/".to_owned());
        return vec![CgiRoute { key, path: programs }];
    }
    settings.cgis.clone()
}

/// Opens what a CGI route names; returns its canonical path too.
fn open_cgi(route: &CgiRoute) -> Result<(Mount, PathBuf), StartError> {
    let wrong = |problem: String| StartError::wrong("--cgi", route.path.display(), problem);
    let expected = match route.key {
        RouteKey::Prefix(_) => "give an existing folder of programs, or one program, as ROUTE=PATH",
        RouteKey::Extension(_) => "give an existing interpreter as .EXT=PROGRAM",
    };
    let path = std::fs::canonicalize(&route.path)
        .map_err(|error| wrong(format!("cannot be found ({error}); {expected}")))?;
    if matches!(route.key, RouteKey::Prefix(_)) && path.is_dir() {
        let folder = Root::open(&path, Links::Within)
            .map_err(|error| wrong(format!("cannot be opened ({error}); {expected}")))?;
        return Ok((Mount::Programs(folder), path));
    }
    if !is_executable(&path) {
        return Err(wrong(format!("is no executable file; {expected}")));
    }
    // As it was written, so that a program that looks at its own name finds the one it knows.
    let program = std::path::absolute(&route.path)
        .map_err(|error| wrong(format!("has no absolute path ({error}); {expected}")))?;
    Ok((Mount::Program(program), path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
