//! Finds the program that a path below a CGI route names (RFC 3875 sections 3.2 and 4.1.13).
//!
//! Shape: the rest of a path below a route's prefix goes in; a [`Script`], which says what to execute
//! and how the path splits into SCRIPT_NAME and PATH_INFO, comes out. Rules:
//! - The first name along the path that is a regular file is the program; everything before it must
//!   be a folder, everything after it is PATH_INFO.
//! - Names are resolved beneath the route's folder by the kernel. The program is then executed by its
//!   path, as a `#!` line needs one: whoever can rename files in a folder of programs can run
//!   programs anyway.
//! - What is found here is run or refused, never sent: no answer holds a program's text.
//! - Hidden names and those of copies (`form~`, `form.bak`) are no programs: nobody means to have last
//!   month's mistakes run.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::proto::Reason;
use crate::proto::cgi::response::is_nph;
use crate::proto::uri::copy::is_copy;
use crate::proto::uri::route::script_splits;
use crate::sys::beneath::{Failure, Kind, Root};

/// A program found for a request.
#[derive(Debug, Clone)]
pub struct Script {
    /// The file to execute, absolute.
    pub program: PathBuf,
    /// Arguments that the route gives it: for an interpreter, the file to interpret.
    pub arguments: Vec<Vec<u8>>,
    /// The folder it runs in: that of the script.
    pub folder: PathBuf,
    /// SCRIPT_FILENAME.
    pub filename: PathBuf,
    /// SCRIPT_NAME, decoded.
    pub script_name: Vec<u8>,
    /// PATH_INFO, decoded.
    pub path_info: Vec<u8>,
    /// Whether a route's interpreter runs it.
    pub is_interpreted: bool,
    /// Whether it writes the response itself, head and all (RFC 3875 section 5).
    pub is_nph: bool,
}

impl Script {
    /// The one program that answers everything below a prefix.
    pub fn single(program: &Path, prefix: &str, rest: &[u8], path: &[u8]) -> Script {
        let name = prefix.trim_end_matches('/');
        // `/app` itself, without the slash, has no PATH_INFO; `/app/` has "/".
        let path_info = if path.len() > name.len() {
            [b"/", rest].concat()
        } else {
            Vec::new()
        };
        Script::direct(program.to_owned(), name.as_bytes().to_vec(), path_info)
    }

    /// What an application that answers everything below a prefix is asked for; `program` is its own,
    /// where that is known.
    #[cfg(feature = "fastcgi")]
    pub fn of_application(
        program: Option<&Path>,
        root: Option<&Path>,
        prefix: &str,
        rest: &[u8],
        path: &[u8],
    ) -> Script {
        let mut script = Script::single(Path::new(""), prefix, rest, path);
        script.filename = match (program, root) {
            (Some(program), _) => program.to_owned(),
            // It names a file only for applications that map URLs to files as the server does.
            (None, Some(root)) => {
                let relative = path.strip_prefix(b"/").unwrap_or(path);
                below(root, relative)
            }
            (None, None) => PathBuf::new(),
        };
        script
    }

    /// What an authorizer is asked about: `path`, whatever it leads to.
    #[cfg(feature = "fastcgi")]
    pub fn guard(path: &[u8]) -> Script {
        Script {
            program: PathBuf::new(),
            arguments: Vec::new(),
            folder: PathBuf::new(),
            filename: PathBuf::new(),
            script_name: path.to_vec(),
            path_info: Vec::new(),
            is_interpreted: false,
            is_nph: false,
        }
    }

    /// A file below a static route that an interpreter runs. `opened` is its name below `root`.
    pub fn interpreted(
        interpreter: &Path,
        root: &Root,
        opened: &[u8],
        script_name: Vec<u8>,
        path_info: Vec<u8>,
    ) -> Script {
        let filename = below(root.path(), opened);
        Script {
            program: interpreter.to_owned(),
            arguments: vec![filename.as_os_str().as_bytes().to_vec()],
            folder: folder_of(&filename),
            script_name,
            path_info,
            is_interpreted: true,
            is_nph: false,
            filename,
        }
    }

    fn direct(program: PathBuf, script_name: Vec<u8>, path_info: Vec<u8>) -> Script {
        let name = program.file_name().unwrap_or_default();
        Script {
            is_nph: is_nph(name.as_bytes()),
            arguments: Vec::new(),
            folder: folder_of(&program),
            filename: program.clone(),
            program,
            script_name,
            path_info,
            is_interpreted: false,
        }
    }
}

/// Finds the program in a folder of programs that `rest`, the path below `prefix`, names.
pub fn find(folder: &Root, prefix: &str, rest: &[u8]) -> Result<Script, Reason> {
    for (name, path_info) in script_splits(rest) {
        let mut segments = name.split(|byte| *byte == b'/');
        if segments.clone().any(|segment| segment.starts_with(b".")) {
            return Err(Reason::CgiHidden);
        }
        if segments.any(is_copy) {
            return Err(Reason::CgiCopy);
        }
        match folder.kind(name) {
            Ok(Kind::Folder) => {}
            Ok(Kind::File { permissions }) if permissions & 0o111 == 0 => {
                return Err(Reason::CgiNotExecutable);
            }
            Ok(Kind::File { .. }) => {
                let program = below(folder.path(), name);
                let script_name = [prefix.as_bytes(), name].concat();
                return Ok(Script::direct(program, script_name, path_info.to_vec()));
            }
            Ok(Kind::Other) => return Err(Reason::CgiDenied),
            Err(error) => return Err(lookup_reason(&error)),
        }
    }
    Err(Reason::CgiFolder)
}

fn lookup_reason(error: &io::Error) -> Reason {
    match Failure::from(error) {
        Failure::Missing => Reason::CgiNotFound,
        Failure::Denied | Failure::Escapes | Failure::Special => Reason::CgiDenied,
        Failure::System => Reason::CgiSpawnFailed,
    }
}

/// `folder/name`, for a name that was found beneath the folder and so is relative and without `..`.
fn below(folder: &Path, name: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(name))
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests;
