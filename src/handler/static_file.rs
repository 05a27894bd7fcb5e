//! Answers a request with a file.
//!
//! Source: RFC 9110 section 9.3; the rest is ours.
//! Shape: [`StaticRoot`] and [`FileRequest`] → [`Response`]; errors are bare, `error_page` fills them.
//! The steps of [`respond`]:
//! 1. the method: GET and HEAD; OPTIONS tells so, all others are 405
//! 2. hidden names are 404
//! 3. the cache, checked against the file system
//! 4. open beneath the root, then look at what was opened
//! 5. a folder: 301 to its slash, else an index file, a listing, or 403
//! 6. a precompressed neighbour, where there is one that the client takes
//! 7. conditions, ranges, content: `representation`
//!
//! Rules: what is decided is decided about the open file, never about a path that is opened later.
//! Security: the source of a program is never sent (`source`).
//! Not here: running the program that [`find_script`] finds (`cgi.rs`).

mod source;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Listing;
use crate::handler::cache::{Cache, Key, LONGEST};
use crate::handler::html;
use crate::handler::listing::list;
use crate::handler::mime::MediaType;
use crate::handler::representation::{Opened, Representation};
use crate::handler::{Body, Response};
use crate::proto::Reason;
use crate::proto::http::head::RequestHead;
use crate::proto::http::negotiate::{Coding, Codings, acceptable_codings};
use crate::proto::http::response::ResponseHead;
use crate::proto::http::status::StatusCode;
use crate::proto::uri::copy::{is_copy, original_name};
use crate::proto::uri::path::UrlPath;
use crate::sys::beneath::{Entry, Failure, Kind, Root, Stat};

const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The folder of a static route, and how it is served.
pub struct StaticRoot {
    /// A number of its own, to tell it from other routes in the cache.
    pub number: usize,
    /// The folder.
    pub root: Root,
    /// The names that stand for a folder, the first one that exists.
    pub index: Vec<String>,
    /// What a folder without an index file gives.
    pub listing: Listing,
    /// Whether a file belongs to an extension route.
    pub is_script: IsScript,
    /// Whether there are extension routes. This and the next cost a look at /proc for each file that is
    /// opened.
    pub has_scripts: bool,
    /// Canonical paths of the CGI routes that can be reached from the root.
    pub hidden: Vec<PathBuf>,
}

/// Tells by a name, or a path that ends in it, whether the file is run and not sent.
pub type IsScript = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// What a request asks of a static route.
#[derive(Debug, Clone, Copy)]
pub struct FileRequest<'a> {
    /// The request; its target is not looked at.
    pub head: &'a RequestHead,
    /// The method, which after a local redirect is not that of the head.
    pub method: &'a str,
    /// The path, with the route's prefix.
    pub path: &'a UrlPath<'a>,
    /// The path below the route's prefix, without a leading slash.
    pub rest: &'a [u8],
    /// The query, as it was sent.
    pub query: Option<&'a [u8]>,
    /// Seconds since the epoch.
    pub now: u64,
}

/// A file of an extension route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its path below the root.
    pub path: Vec<u8>,
    /// What follows it in the URL path: empty, or led by a slash.
    pub path_info: Vec<u8>,
}

/// Answers a request with a file below `site`, or with a bare error.
pub fn respond(site: &StaticRoot, cache: &Cache, request: &FileRequest<'_>) -> Response {
    match request.method {
        "GET" | "HEAD" => answer(site, cache, request).unwrap_or_else(Response::refused),
        "OPTIONS" => {
            let mut head = ResponseHead::new(StatusCode::NO_CONTENT);
            head.field("Allow", ALLOW);
            Response {
                head,
                body: Body::Empty,
                reason: None,
            }
        }
        _ => {
            let mut response = Response::refused(Reason::FileMethod);
            response.head.field("Allow", ALLOW);
            response
        }
    }
}

/// The file `rest` below `site`, or the neighbour that `codings` ask for, without regard to a request:
/// for whoever names a file and not a URL. A folder is none, and what [`respond`] refuses is refused.
pub fn file(
    site: &StaticRoot,
    cache: &Cache,
    rest: &[u8],
    codings: &dyn Fn() -> Codings,
    now: u64,
) -> Result<Arc<Representation>, Reason> {
    let mut names = rest.split(|&byte| byte == b'/').enumerate();
    if names.any(|(place, name)| is_hidden(place, name)) {
        return Err(Reason::FileHidden);
    }
    // What the cache has by the name of a folder is the folder's index file.
    if is_folder(rest) {
        return Err(Reason::FileFolder);
    }
    let place = Place {
        site,
        cache,
        path: rest,
        now,
    };
    if let Some(file) = place.lookup(codings) {
        return Ok(file);
    }
    Ok(place.present(open_file(site, rest)?, codings))
}

/// The page `name` in the root, whole and without regard to the request; `None` where there is none.
pub fn page(site: &StaticRoot, cache: &Cache, name: &str, now: u64) -> Option<Arc<Representation>> {
    file(site, cache, name.as_bytes(), &|| Codings::NONE, now).ok()
}

/// Whether a GET of `rest` below `site` would find nothing to send: neither a file nor a folder that
/// shows something.
pub fn is_missing(site: &StaticRoot, rest: &[u8]) -> bool {
    match site.root.kind(rest) {
        Ok(Kind::Folder) => {
            is_folder(rest)
                && site.listing == Listing::Off
                && matches!(open_index(site, rest), Ok(None))
        }
        Ok(_) => false,
        Err(error) => matches!(Failure::from(&error), Failure::Missing),
    }
}

/// Finds the file of an extension route that the path `rest` below `site` leads to: the shortest
/// part of it that is a regular file of such a name. A folder leads to its index file.
///
/// `None` also where something is wrong with the path: [`respond`] tells what, and never sends a
/// file of such a name.
pub fn find_script(site: &StaticRoot, rest: &[u8]) -> Option<Script> {
    let mut start = 0;
    for name in rest.split(|&byte| byte == b'/') {
        let end = start + name.len();
        if is_hidden(start, name) {
            return None;
        }
        if (site.is_script)(name) {
            match site.root.kind(&rest[..end]).ok()? {
                Kind::File { .. } => {
                    let (path, path_info) = rest.split_at(end);
                    return Some(Script {
                        path: path.to_vec(),
                        path_info: path_info.to_vec(),
                    });
                }
                Kind::Folder => {}
                Kind::Other => return None,
            }
        }
        start = end + 1;
    }
    if !is_folder(rest)
        || !site
            .index
            .iter()
            .any(|name| (site.is_script)(name.as_bytes()))
    {
        return None;
    }
    let is_file = |path: &Vec<u8>| matches!(site.root.kind(path), Ok(Kind::File { .. }));
    let mut index = site
        .index
        .iter()
        .map(|name| [rest, name.as_bytes()].concat());
    let path = index.find(is_file).filter(|path| (site.is_script)(path))?;
    Some(Script {
        path,
        path_info: Vec::new(),
    })
}

/// Whether the rest of a path names a folder, and not just what may turn out to be one.
fn is_folder(rest: &[u8]) -> bool {
    rest.is_empty() || rest.ends_with(b"/")
}

/// The rule of [`UrlPath::has_hidden_segment`] for a path below a root; `place` is 0 for its first name.
fn is_hidden(place: usize, name: &[u8]) -> bool {
    name.starts_with(b".") && (place, name) != (0, b".well-known")
}

fn answer(site: &StaticRoot, cache: &Cache, request: &FileRequest<'_>) -> Result<Response, Reason> {
    let &FileRequest {
        head,
        method,
        path,
        rest,
        now,
        ..
    } = request;
    if path.has_hidden_segment() {
        return Err(Reason::FileHidden);
    }
    let place = Place {
        site,
        cache,
        path: rest,
        now,
    };
    let codings: &dyn Fn() -> Codings =
        &|| acceptable_codings(head.field_values("Accept-Encoding"));
    // The prefix of a route may be asked for without its slash, and is a folder all the same.
    let is_folder = path.is_folder();
    if (is_folder || !rest.is_empty())
        && let Some(file) = place.lookup(codings)
    {
        return Ok(file.answer(head, method, now));
    }
    let opened = open(site, rest)?;
    let opened = match opened.stat.kind() {
        Kind::File { .. } => opened,
        Kind::Folder if !is_folder => return Ok(redirect_to_slash(request)),
        Kind::Folder => match open_index(site, rest)? {
            Some(opened) => opened,
            None if site.listing == Listing::On => return list_folder(site, request),
            None => return Err(Reason::FileFolder),
        },
        Kind::Other => return Err(Reason::FileNotRegular),
    };
    // Another index file is kept as itself, not as its folder: the first may come to exist.
    let is_first = |first: &String| opened.path.strip_prefix(rest) == Some(first.as_bytes());
    let own_path = opened.path.clone();
    let path = if site.index.first().is_some_and(is_first) {
        rest
    } else {
        &own_path
    };
    let file = Place { path, ..place }.present(opened, codings);
    Ok(file.answer(head, method, now))
}

fn open(site: &StaticRoot, path: &[u8]) -> Result<Opened, Reason> {
    let failed = |error| reason_of(&error, path);
    let file = site.root.open_file(path).map_err(failed)?;
    let stat = Stat::of(&file).map_err(failed)?;
    source::refuse(site, path, &file, &stat)?;
    Ok(Opened {
        file,
        stat,
        path: path.to_vec(),
    })
}

fn open_file(site: &StaticRoot, path: &[u8]) -> Result<Opened, Reason> {
    let opened = open(site, path)?;
    match opened.stat.kind() {
        Kind::File { .. } => Ok(opened),
        _ => Err(Reason::FileNotRegular),
    }
}

/// The first index file of a folder.
fn open_index(site: &StaticRoot, folder: &[u8]) -> Result<Option<Opened>, Reason> {
    for name in &site.index {
        match open_file(site, &[folder, name.as_bytes()].concat()) {
            Ok(opened) => return Ok(Some(opened)),
            Err(Reason::FileNotFound | Reason::FileNotRegular) => {}
            Err(reason) => return Err(reason),
        }
    }
    Ok(None)
}

fn redirect_to_slash(request: &FileRequest<'_>) -> Response {
    // Encoded, it begins with one slash only: a second would lead to another host.
    let mut location = request.path.encode().into_bytes();
    location.push(b'/');
    if let Some(query) = request.query {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    let mut head = ResponseHead::new(StatusCode::MOVED_PERMANENTLY);
    head.field("Location", location);
    Response {
        head,
        body: Body::Empty,
        reason: None,
    }
}

fn list_folder(site: &StaticRoot, request: &FileRequest<'_>) -> Result<Response, Reason> {
    let hidden: Vec<(u64, u64)> = site
        .hidden
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|metadata| (metadata.dev(), metadata.ino()))
        .collect();
    let is_hidden = |entry: &Entry| {
        let Entry { name, stat } = entry;
        let original = original_name(name);
        let is_copy_of = |hidden: &PathBuf| {
            hidden
                .file_name()
                .is_some_and(|it| it.as_bytes() == original)
        };
        hidden.contains(&(stat.device, stat.inode))
            || (is_copy(name) && ((site.is_script)(original) || site.hidden.iter().any(is_copy_of)))
    };
    let page = list(&site.root, request.rest, request.path, is_hidden)
        .map_err(|error| reason_of(&error, request.rest))?;
    let mut head = ResponseHead::new(StatusCode::OK);
    head.field("Content-Type", html::MEDIA_TYPE);
    Ok(Response {
        head,
        body: Body::Bytes(page),
        reason: None,
    })
}

fn reason_of(error: &io::Error, path: &[u8]) -> Reason {
    match Failure::from(error) {
        Failure::Missing => Reason::FileNotFound,
        Failure::Denied => Reason::FileDenied,
        Failure::Escapes => Reason::FileEscapes,
        Failure::Special => Reason::FileNotRegular,
        Failure::System => {
            log::error!("{}: {error}", path.escape_ascii());
            Reason::FileFailed
        }
    }
}

/// A path as it is asked for, and the cache that may know it.
#[derive(Clone, Copy)]
struct Place<'a> {
    site: &'a StaticRoot,
    cache: &'a Cache,
    path: &'a [u8],
    now: u64,
}

impl Place<'_> {
    /// The file or neighbour that the cache has for a client which would rather have `codings`.
    fn lookup(&self, codings: &dyn Fn() -> Codings) -> Option<Arc<Representation>> {
        let kept = |coding| {
            self.cache
                .lookup(&self.site.root, &self.key(coding), self.now)
        };
        let file = kept(None)?;
        match best(codings, &file.neighbours) {
            None => Some(file),
            coding => kept(coding),
        }
    }

    /// Makes a file, or the neighbour that a client would rather have, ready to be sent.
    fn present(&self, original: Opened, codings: &dyn Fn() -> Codings) -> Arc<Representation> {
        let media_type = MediaType::of(&original.path);
        let found = open_neighbours(self.site, &original);
        let neighbours: Vec<Coding> = found.iter().map(|(coding, _)| *coding).collect();
        let ready = |opened, coding| {
            let file = Representation::new(opened, media_type, coding, &neighbours, self.now);
            self.keep(file, coding)
        };
        // The file itself tells the next request which neighbours there are: it is kept as well.
        let original = ready(original, None);
        let chosen = best(codings, &neighbours);
        let neighbour = found
            .into_iter()
            .find(|(coding, _)| Some(*coding) == chosen);
        neighbour.map_or(original, |(coding, opened)| ready(opened, Some(coding)))
    }

    fn keep(&self, mut file: Representation, coding: Option<Coding>) -> Arc<Representation> {
        // What cannot be read now is sent as far as it can be: the file stays open.
        let is_kept = Cache::admits(&file.stat, self.now)
            && (file.stat.size > LONGEST || file.read().is_ok());
        let file = Arc::new(file);
        if is_kept {
            self.cache
                .insert(&self.key(coding), Arc::clone(&file), self.now);
        }
        file
    }

    fn key(&self, coding: Option<Coding>) -> Key<'_> {
        Key {
            route: self.site.number,
            path: self.path,
            coding,
        }
    }
}

/// Which of those that are there a client would rather have; most files have none, and nobody is asked.
fn best(wanted: &dyn Fn() -> Codings, present: &[Coding]) -> Option<Coding> {
    if present.is_empty() {
        return None;
    }
    let wanted = wanted();
    let mut wanted = wanted.as_slice().iter().copied();
    wanted.find(|coding| present.contains(coding))
}

/// The precompressed files beside a file, unless they are older than it.
fn open_neighbours(site: &StaticRoot, original: &Opened) -> Vec<(Coding, Opened)> {
    let open = |coding: Coding| {
        let path = [&original.path, coding.suffix().as_bytes()].concat();
        let opened = open_file(site, &path).ok()?;
        (opened.stat.modified >= original.stat.modified).then_some((coding, opened))
    };
    Coding::ALL.into_iter().filter_map(open).collect()
}

impl fmt::Debug for StaticRoot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StaticRoot")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
