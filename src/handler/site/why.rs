//! Why a path leads where it leads, in words, without sending or running anything.
//!
//! Shape: a target and a method go in, [`Why`] comes out. Rules: it asks the same tables and the same folders as a
//! request does, and tells what it found on the way; what a request finds at another time may be something else.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Mount, Resource, Runner, Site};
use crate::handler::Body;
use crate::handler::script::Script;
use crate::handler::static_file::{self, FileRequest, StaticRoot};
use crate::proto::Reason;
use crate::proto::http::head::RequestHead;
use crate::proto::http::status::StatusCode;
use crate::proto::uri::copy::is_copy;
use crate::proto::uri::path::UrlPath;
use crate::proto::uri::route::script_splits;
use crate::proto::uri::target::Target;
use crate::sys::beneath::{Failure, Kind, Root};
use crate::sys::clock::epoch_seconds;

/// How many places are told of where something was looked for.
const TRIED_MAX: usize = 32;

/// Why a path leads where it leads.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Why {
    /// The site, where there are several.
    pub site: String,
    /// The path, decoded.
    pub path: String,
    /// The prefix or extension of its route.
    pub route: Option<String>,
    /// What answers: the word for it.
    pub kind: &'static str,
    /// The routes that were compared, and what came of it.
    pub sentences: Vec<String>,
    /// Where something was looked for, and what was there.
    pub tried: Vec<(String, &'static str)>,
    /// What a request would come to: the rest of a sentence.
    pub outcome: String,
    /// Why it would be refused.
    pub reason: Option<Reason>,
}

impl Why {
    /// Where no site is that could answer.
    pub fn of_no_site(sentence: &str, reason: Option<Reason>) -> Why {
        let mut why = Why::default();
        why.say(sentence);
        match reason {
            Some(reason) => why.refuse(reason),
            None => why,
        }
    }

    fn refuse(mut self, reason: Reason) -> Why {
        self.kind = "refusal";
        self.outcome = format!("would answer {}: {}", reason.status(), reason.meaning());
        self.reason = Some(reason);
        self
    }

    fn say(&mut self, sentence: impl Into<String>) {
        self.sentences.push(sentence.into());
    }

    fn tried(&mut self, root: &Root, path: &[u8], result: &'static str) {
        if self.tried.len() < TRIED_MAX {
            let place = root.path().join(OsStr::from_bytes(path));
            self.tried.push((place.display().to_string(), result));
        }
    }
}

impl Site {
    /// The prefix, or the extension, of the route by which a path leads to what was found.
    pub fn route_name<'s>(
        &'s self,
        path: &'s UrlPath<'_>,
        found: Option<&Resource<'_, '_>>,
    ) -> Option<&'s str> {
        let matched = self.routes.resolve_prefix(path)?;
        let script = match (matched.target, found) {
            (Mount::Files(_), Some(Resource::Script(script))) => &**script,
            #[cfg(feature = "fastcgi")]
            (Mount::Files(_), Some(Resource::Application(_, script))) => &**script,
            _ => return Some(matched.prefix),
        };
        let name = script.filename.as_os_str().as_bytes();
        self.runners.extension_matched(name).map(|it| it.0)
    }

    /// Why a target leads where it leads.
    pub fn why(&self, target: &[u8], method: &str) -> Why {
        let mut why = Why::default();
        let target = match Target::parse(method, target) {
            Ok(target) => target,
            Err(reason) => return why.refuse(reason),
        };
        let path = match UrlPath::decode(target.path) {
            Ok(path) => path,
            Err(reason) => return why.refuse(reason),
        };
        why.path = String::from_utf8_lossy(path.as_bytes()).into_owned();
        self.say_routes(&path, &mut why);
        let found = self.resolve(&path);
        why.route = self
            .route_name(&path, found.as_ref().ok())
            .map(str::to_owned);
        self.say_guards(&path, found.as_ref().ok(), &mut why);
        match found {
            Ok(Resource::Script(script)) => {
                self.say_script(&script, &path, &mut why);
                why.kind = "program";
                let program = script.program.display();
                why.outcome = match script.is_interpreted {
                    true => format!("would run {program} for {}", script.filename.display()),
                    false => format!("would run {program}"),
                };
                why
            }
            #[cfg(feature = "fastcgi")]
            Ok(Resource::Application(number, script)) => {
                self.say_script(&script, &path, &mut why);
                why.kind = "application";
                let name = self.applications.get(number).map_or("", String::as_str);
                why.outcome = format!("would ask the application {name}");
                why
            }
            Ok(Resource::File(root, rest)) => {
                self.say_file(root, rest, &path, &target, method, why)
            }
            Err(reason) => {
                if let Some(matched) = self.routes.resolve_prefix(&path)
                    && let Mount::Programs(folder) = matched.target
                {
                    say_splits(folder, matched.rest, &mut why);
                }
                self.refuse_or_fall_back(reason, &path, why)
            }
        }
    }

    fn say_routes(&self, path: &UrlPath<'_>, why: &mut Why) {
        let matched = self.routes.resolve_prefix(path).map(|it| it.prefix);
        for (prefix, mount) in self.routes.prefixes() {
            let leads = match mount {
                Mount::Files(number) => match self.statics.get(*number) {
                    Some(root) => format!("files of {}", root.root.path().display()),
                    None => "files".to_owned(),
                },
                Mount::Programs(folder) => format!("programs of {}", folder.path().display()),
                Mount::Program(program) => format!("the program {}", program.display()),
                #[cfg(feature = "fastcgi")]
                Mount::Application(number, _) => {
                    let name = self.applications.get(*number).map_or("", String::as_str);
                    format!("the application {name}")
                }
            };
            if matched == Some(prefix) {
                why.say(format!(
                    "The path begins with {prefix}, the longest route that it does: {leads}."
                ));
                return;
            }
            why.say(format!("It does not begin with {prefix} ({leads})."));
        }
        why.say("No route's prefix begins the path.");
    }

    fn say_guards(&self, path: &UrlPath<'_>, found: Option<&Resource<'_, '_>>, why: &mut Why) {
        #[cfg(feature = "auth")]
        for _ in self.doors.at(path) {
            why.say("Before anything else a user and a password are asked for (--auth).");
        }
        #[cfg(feature = "fastcgi")]
        {
            let guards = match found {
                Some(found) => self.guards(path, found),
                None => self.guards_of_path(path),
            };
            for number in guards {
                let name = self.applications.get(number).map_or("", String::as_str);
                why.say(format!(
                    "The authorizer {name} has to let the request through."
                ));
            }
        }
        #[cfg(not(all(feature = "auth", feature = "fastcgi")))]
        let _ = (path, found, why);
    }

    fn say_script(&self, script: &Script, path: &UrlPath<'_>, why: &mut Why) {
        let Some(matched) = self.routes.resolve_prefix(path) else {
            return;
        };
        match matched.target {
            Mount::Programs(folder) => say_splits(folder, matched.rest, why),
            Mount::Files(_) => {
                let name = script.filename.as_os_str().as_bytes();
                if let Some((extension, runner)) = self.runners.extension_matched(name) {
                    let who = match runner {
                        Runner::Interpreter(program) => program.display().to_string(),
                        #[cfg(feature = "fastcgi")]
                        Runner::Application(number) => {
                            let name = self.applications.get(*number).map_or("", String::as_str);
                            format!("the application {name}")
                        }
                    };
                    why.say(format!(
                        "{} ends in {extension}: such files are never sent, and run by {who}.",
                        script.filename.display()
                    ));
                }
            }
            _ => {}
        }
        if !script.path_info.is_empty() {
            let info = String::from_utf8_lossy(&script.path_info);
            why.say(format!(
                "What follows the program in the path is PATH_INFO: {info}"
            ));
        }
    }

    fn say_file(
        &self,
        root: &StaticRoot,
        rest: &[u8],
        path: &UrlPath<'_>,
        asked: &Target<'_>,
        method: &str,
        mut why: Why,
    ) -> Why {
        why.kind = "file";
        let found = root.root.kind(rest);
        let mut file = rest.to_vec();
        if path.has_hidden_segment() {
            why.say("A name that begins with a dot is never sent.");
        } else {
            why.tried(&root.root, rest, told_kind(&found));
            if matches!(found, Ok(Kind::Folder)) && path.is_folder() {
                for name in &root.index {
                    let index = [rest, name.as_bytes()].concat();
                    let found = root.root.kind(&index);
                    why.tried(&root.root, &index, told_kind(&found));
                    if let Ok(Kind::File { .. }) = found {
                        file = index;
                        break;
                    }
                }
            }
        }
        // What a request without fields would be answered.
        let response = static_file::respond(
            root,
            &self.cache,
            &FileRequest {
                head: &RequestHead::default(),
                method,
                path,
                rest,
                query: asked.query,
                now: epoch_seconds(),
            },
        );
        let status = response.head.status;
        why.outcome = match (response.reason, &response.body) {
            (Some(reason), _) => return self.refuse_or_fall_back(reason, path, why),
            (None, _) if status == StatusCode::MOVED_PERMANENTLY => {
                why.kind = "redirect";
                "would answer 301, and lead to the same path with a slash behind it: it is a folder"
                    .to_owned()
            }
            (None, _) if status == StatusCode::NO_CONTENT => {
                "would answer 204, and tell the methods".to_owned()
            }
            (None, Body::Bytes(_)) => {
                why.kind = "listing";
                "would send the list of the folder".to_owned()
            }
            (None, _) => {
                let file = root.root.path().join(OsStr::from_bytes(&file));
                format!("would send {}", file.display())
            }
        };
        why
    }

    fn refuse_or_fall_back(&self, reason: Reason, path: &UrlPath<'_>, mut why: Why) -> Why {
        match self.fallback() {
            Some(fallback) if self.falls_back(reason, path) => {
                let fallback = String::from_utf8_lossy(fallback);
                why.say(format!(
                    "Nothing is there, so the fallback {fallback} is answered with."
                ));
                why.outcome = format!("would answer with {fallback}");
                why
            }
            _ => why.refuse(reason),
        }
    }
}

/// Where a program was looked for in a folder of programs.
fn say_splits(folder: &Root, rest: &[u8], why: &mut Why) {
    for (name, _) in script_splits(rest) {
        let mut segments = name.split(|&byte| byte == b'/');
        let last = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
        if segments.any(|segment| segment.starts_with(b".")) || is_copy(last) {
            return why.tried(folder, name, "a name that is never run");
        }
        let found = folder.kind(name);
        let result = match found {
            Ok(Kind::File { permissions }) if permissions & 0o111 == 0 => "not executable",
            _ => told_kind(&found),
        };
        why.tried(folder, name, result);
        if !matches!(found, Ok(Kind::Folder)) {
            return;
        }
    }
}

fn told_kind(found: &std::io::Result<Kind>) -> &'static str {
    match found {
        Ok(Kind::Folder) => "a folder",
        Ok(Kind::File { .. }) => "found",
        Ok(Kind::Other) => "no regular file",
        Err(error) => match Failure::from(error) {
            Failure::Missing => "not there",
            Failure::Denied => "not permitted",
            Failure::Escapes => "leads out of the folder",
            Failure::Special => "no regular file",
            Failure::System => "cannot be looked at",
        },
    }
}
