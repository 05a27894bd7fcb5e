//! Sends the file that a program names in place of a document: X-Sendfile, X-Accel-Redirect.
//!
//! Source: ours; the two fields are those of lighttpd and nginx.
//! Shape: a [`Handover`], which is the program's header, and the client's request → [`Response`].
//! Rules:
//! - A file is sent only from below a static root, opened as for a GET of its URL: the kernel confines
//!   it, and hidden names, sources of programs, folders, links that lead out and what is no regular
//!   file are refused. Whatever is wrong, the client learns [`Reason::CgiSendFile`] alone.
//! - A name is found below the root whose folder is the longest that it begins with, as it is written
//!   and else with its links resolved. That only says where to look: what is opened is confined anew.
//! - The file's own fields (validators, ranges, coding) replace the program's. Its Content-Type wins
//!   over ours, and its other fields go along; with a 304 none about the content, with a refusal none.
//! - A Status that says something else than 200 goes with the whole file, and so does every answer to
//!   a method other than GET and HEAD: nothing of it could be asked for again. One that has no content
//!   or a meaning of its own for the content (204, 205, 206, 3xx) counts as 200.
//!
//! Not here: what the two fields may hold (`proto::cgi::response`), running the program.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Response;
use super::site::Site;
use super::static_file::{self, StaticRoot};
use crate::proto::Reason;
use crate::proto::cgi::response::SendFile;
use crate::proto::http::head::RequestHead;
use crate::proto::http::negotiate::{Codings, acceptable_codings};
use crate::proto::http::response::ResponseHead;
use crate::proto::http::status::StatusCode;
use crate::proto::uri::path::UrlPath;

/// A response whose content is a file of this server.
#[derive(Debug)]
pub struct Handover {
    /// The file.
    pub from: SendFile,
    /// The program's status and fields.
    pub head: ResponseHead,
}

/// What a client asked of the program.
#[derive(Debug, Clone, Copy)]
pub struct HandoverRequest<'a> {
    /// The request; its target is not looked at.
    pub head: &'a RequestHead,
    /// The method, which after a local redirect is not that of the head.
    pub method: &'a str,
    /// Seconds since the epoch.
    pub now: u64,
    /// What a line in the log begins with.
    pub name: &'a str,
}

/// Fields that speak of the content as the program had it, or that every file has.
const REPLACED: [&str; 6] = [
    "Accept-Ranges",
    "Content-Encoding",
    "Content-Range",
    "ETag",
    "Last-Modified",
    "X-Content-Type-Options",
];

/// Answers with the file that a program names, or fails with [`Reason::CgiSendFile`] once the log
/// says why. A response with a reason (412, 416) is bare, as that of [`static_file::respond`].
pub fn respond(
    site: &Site,
    handover: &Handover,
    request: &HandoverRequest<'_>,
) -> Result<Response, Reason> {
    send(site, handover, request).map_err(|reason| {
        let (SendFile::Path(file) | SendFile::Url(file)) = &handover.from;
        let (name, file) = (request.name, file.escape_ascii());
        let (code, why) = (Reason::CgiSendFile.code(), reason.meaning());
        log::error!("{name}: {code}: \"{file}\" is not sent: {why}");
        Reason::CgiSendFile
    })
}

fn send(
    site: &Site,
    handover: &Handover,
    request: &HandoverRequest<'_>,
) -> Result<Response, Reason> {
    let Handover { from, head } = handover;
    let &HandoverRequest { method, now, .. } = request;
    let is_asked_for = matches!(method, "GET" | "HEAD") && !stands(head.status);
    let codings = &|| match is_asked_for {
        true => acceptable_codings(request.head.field_values("Accept-Encoding")),
        false => Codings::NONE,
    };
    let file = match from {
        SendFile::Path(path) => {
            let (root, rest) = find(site, path).ok_or(Reason::RouteNone)?;
            static_file::file(root, &site.cache, &rest, codings, now)?
        }
        SendFile::Url(url) => {
            let path = UrlPath::decode(url)?;
            if path.has_hidden_segment() {
                return Err(Reason::FileHidden);
            }
            let (root, rest) = site.static_route(&path).ok_or(Reason::RouteNone)?;
            static_file::file(root, &site.cache, rest, codings, now)?
        }
    };
    let media_type = field_lines(&head.block)
        .find(|(name, _)| name.eq_ignore_ascii_case(b"Content-Type"))
        .map(|(_, line)| line[b"Content-Type:".len()..].trim_ascii());
    let mut response = if is_asked_for {
        file.answer_as(media_type, request.head, method, now)
    } else {
        let status = stands(head.status).then_some(head.status);
        file.whole(status.unwrap_or(StatusCode::OK), media_type)
    };
    if response.reason.is_none() {
        merge(&mut response.head, head);
    }
    Ok(response)
}

/// Whether a program's status is that of the response, whatever the request says.
fn stands(status: StatusCode) -> bool {
    !matches!(status.as_u16(), 200 | 204..=206 | 300..=399)
}

/// The static root that holds the file of this absolute name, and the rest of the name.
fn find<'s>(site: &'s Site, name: &[u8]) -> Option<(&'s StaticRoot, Vec<u8>)> {
    let name = Path::new(OsStr::from_bytes(name));
    find_literal(site, name).or_else(|| find_literal(site, &fs::canonicalize(name).ok()?))
}

fn find_literal<'s>(site: &'s Site, name: &Path) -> Option<(&'s StaticRoot, Vec<u8>)> {
    let below = |root: &'s StaticRoot| Some((root, name.strip_prefix(root.root.path()).ok()?));
    let (root, rest) = site
        .static_roots()
        .iter()
        .filter_map(below)
        .min_by_key(|(_, rest)| rest.components().count())?;
    let names: Vec<&[u8]> = rest.iter().map(OsStr::as_bytes).collect();
    Some((root, names.join(&b'/')))
}

/// Adds the program's fields to those of the file.
fn merge(response: &mut ResponseHead, program: &ResponseHead) {
    if response.status == program.status {
        response.phrase.clone_from(&program.phrase);
    }
    let has_content = response.status != StatusCode::NOT_MODIFIED;
    for (name, line) in field_lines(&program.block) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let is_of_content = name
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"Content-"));
        let is_dropped = is("Content-Type")
            || REPLACED.iter().any(|replaced| is(replaced))
            || (is_of_content && !has_content);
        if !is_dropped {
            response.block.extend_from_slice(line);
        }
    }
}

/// The names of the lines of a block, each with its whole line.
fn field_lines(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    block.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let colon = line.iter().position(|&byte| byte == b':');
        (&line[..colon.unwrap_or(0)], line)
    })
}

#[cfg(test)]
mod tests;
