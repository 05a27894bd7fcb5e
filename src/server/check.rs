//! `tollgate check PATH`: tries a program as the server would run it, or looks at a folder, and reports.
//!
//! Shape: [`run`] gives a [`Report`]. Rules: what is tried is what is served: the same look-up, the same
//! variables, the same spawners, the same reading of the output; the client is the other end of a pair of
//! sockets. Nothing listens.
//!
//! Not here: how it is told (`told.rs`).

mod told;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::opening::become_ready_to_run;
use crate::config::{Authorization, Check, Settings, StartError};
use crate::handler::cgi::{self, Outcome, Terms};
use crate::handler::reply::{Draft, Envelope, Reply};
use crate::handler::report::{Course, KEPT_MAX, Witness};
use crate::handler::script::{self, Script};
use crate::handler::{diagnose, lint};
use crate::proto::Reason;
use crate::proto::cgi::arguments::indexed_query;
use crate::proto::cgi::meta::{Interpreter, MetaVariables, ScriptRequest};
use crate::proto::finding::{Finding, Lint, Severity, seconds};
use crate::proto::http::head::Version;
use crate::proto::http::response::Connection;
use crate::proto::uri::route::RouteKey;
use crate::sys::beneath::{Links, Root};
use crate::sys::buffer::Buffer;
use crate::sys::clock::{Clock, Moment};
use crate::sys::outgoing::{Flushed, Outgoing};
use crate::sys::spawner::Spawners;
use crate::sys::spool::{Content, Room};
use crate::sys::stream::Stream;
use crate::sys::watch::Halt;

/// How much of the response is kept to be shown: its head.
const HEAD_MAX: usize = 16 << 10;

/// A program that runs for so long and prints all at its end holds its output back.
const BUFFERED_FROM: Duration = Duration::from_secs(1);

/// What was found out.
#[derive(Debug)]
pub struct Report {
    /// For people, or in JSON.
    pub text: String,
    /// Whether nothing is wrong.
    pub is_right: bool,
}

/// Everything that is told.
#[derive(Debug, Default)]
struct Told {
    path: PathBuf,
    request: String,
    variables: Vec<(String, String)>,
    course: Course,
    was_run: bool,
    /// When the first output came, and when it had ended.
    times: Option<(Option<Moment>, Moment)>,
    /// The head of the response that a client would get.
    response: Vec<u8>,
    findings: Vec<Finding>,
}

/// Tries a program, or looks at a folder.
///
/// # Errors
/// What kept it from being tried, where that is no fault of the program.
pub fn run(settings: &Settings, check: &Check) -> Result<Report, StartError> {
    let path = fs::canonicalize(&check.path).map_err(|error| {
        let problem = format!("cannot be found ({error}); give a program or a folder");
        StartError::wrong("tollgate check", check.path.display(), problem)
    })?;
    let told = match path.is_dir() {
        true => Told {
            findings: of_folder(&path),
            path,
            ..Told::default()
        },
        false => try_program(settings, check, path)?,
    };
    let is_right = !told
        .findings
        .iter()
        .any(|it| it.severity == Severity::Error);
    let text = match check.json {
        true => told.json(),
        false => told.text(),
    };
    Ok(Report { text, is_right })
}

/// A folder as it would be served: with `www` and `cgi-bin` in it, or one of the two.
fn of_folder(folder: &Path) -> Vec<Finding> {
    let (files, programs) = (folder.join("www"), folder.join("cgi-bin"));
    if !files.is_dir() && !programs.is_dir() {
        return match folder.file_name().is_some_and(|name| name == "www") {
            true => lint::files(folder, lint::CHECK_MAX, &[]),
            false => lint::programs(folder, lint::CHECK_MAX),
        };
    }
    let mut findings = Vec::new();
    if programs.is_dir() {
        findings.extend(lint::programs(&programs, lint::CHECK_MAX));
    }
    if files.is_dir() {
        findings.extend(lint::files(&files, lint::CHECK_MAX, &[programs]));
    }
    findings
}

fn try_program(settings: &Settings, check: &Check, path: PathBuf) -> Result<Told, StartError> {
    let mut told = Told {
        path,
        ..Told::default()
    };
    let body = check
        .body
        .as_deref()
        .map(|file| read_body(file, settings))
        .transpose()?;
    let spawners = become_ready_to_run(settings)?;
    let script = match find(settings, &told.path) {
        Ok(script) => script,
        Err(finding) => {
            told.findings.push(*finding);
            return Ok(told);
        }
    };
    if !script.is_interpreted {
        told.findings = lint::program(&told.path);
        if told
            .findings
            .iter()
            .any(|it| it.severity == Severity::Error)
        {
            return Ok(told); // It cannot be started.
        }
    }
    let mut variables = MetaVariables::default();
    let query = check.query.as_deref().map(str::as_bytes);
    let mut uri = script.script_name.clone();
    if let Some(query) = query {
        uri.extend_from_slice(b"?");
        uri.extend_from_slice(query);
    }
    told.request = format!("{} {}", check.method, String::from_utf8_lossy(&uri));
    let filled = fill(
        &mut variables,
        &Asked {
            settings,
            check,
            script: &script,
            uri: &uri,
            body_len: body.as_ref().map(Vec::len),
        },
    );
    if let Err(reason) = filled {
        told.findings.push(Finding::error(
            reason,
            reason.meaning(),
            "give that --header once",
        ));
        return Ok(told);
    }
    told.variables = variables
        .iter()
        .map(|(name, value)| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(name), text(value))
        })
        .collect();
    let script = Script {
        arguments: match script.is_interpreted {
            true => script.arguments,
            false => indexed_query(&check.method, query),
        },
        ..script
    };
    let system = |error: std::io::Error| StartError::failed("tollgate check", "", error);
    told.run(
        settings,
        check,
        &script,
        &variables,
        body.as_deref(),
        &spawners,
    )
    .map_err(system)?;
    Ok(told)
}

fn read_body(file: &Path, settings: &Settings) -> Result<Vec<u8>, StartError> {
    let mut body = Vec::new();
    let read =
        File::open(file).and_then(|file| file.take(settings.max_body + 1).read_to_end(&mut body));
    read.map_err(|error| {
        let problem = format!("cannot be read ({error}); give an existing file");
        StartError::wrong("--body", file.display(), problem)
    })?;
    if body.len() as u64 > settings.max_body {
        return Err(StartError::wrong(
            "--body",
            file.display(),
            "is longer than --max-body",
        ));
    }
    Ok(body)
}

/// Looks the program up as below a route of programs, or finds who runs files of its extension.
fn find(settings: &Settings, path: &Path) -> Result<Script, Box<Finding>> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().as_bytes();
    let failed = |reason| {
        let finding = diagnose::refused(path, reason);
        Box::new(finding.unwrap_or_else(|| {
            Finding::error(reason, reason.meaning(), "").shown_by("its name", name)
        }))
    };
    let root = Root::open(folder, Links::Within).map_err(|_| failed(Reason::CgiDenied))?;
    let ends_so = |extension: &str| {
        let (name, extension) = (name.to_ascii_lowercase(), extension.to_ascii_lowercase());
        name.ends_with(extension.as_bytes())
    };
    let interpreter = settings.cgis.iter().find_map(|route| match &route.key {
        RouteKey::Extension(extension) if ends_so(extension) => Some(&route.path),
        _ => None,
    });
    if let Some(interpreter) = interpreter {
        let interpreter = std::path::absolute(interpreter).unwrap_or_else(|_| interpreter.clone());
        let script_name = [b"/", name].concat();
        return Ok(Script::interpreted(
            &interpreter,
            &root,
            name,
            script_name,
            Vec::new(),
        ));
    }
    script::find(&root, "/cgi-bin/", name).map_err(failed)
}

/// What is made up of a request.
struct Asked<'a> {
    settings: &'a Settings,
    check: &'a Check,
    script: &'a Script,
    uri: &'a [u8],
    body_len: Option<usize>,
}

fn fill(variables: &mut MetaVariables, asked: &Asked<'_>) -> Result<(), Reason> {
    let Asked {
        settings,
        check,
        script,
        uri,
        body_len,
    } = asked;
    let document_root = script
        .filename
        .parent()
        .and_then(Path::parent)
        .map(|root| root.join("www"));
    let document_root = document_root.filter(|root| root.is_dir());
    let request = ScriptRequest {
        method: &check.method,
        version: "HTTP/1.1",
        script_name: &script.script_name,
        path_info: &script.path_info,
        query: check.query.as_deref().map(str::as_bytes),
        request_uri: uri,
        server_name: "localhost",
        server_port: 8080,
        server_addr: "127.0.0.1",
        remote_addr: "127.0.0.1",
        remote_port: Some(54321),
        scheme: settings.scheme,
        content_length: body_len.map(|len| len as u64),
        document_root: document_root
            .as_ref()
            .map(|root| root.as_os_str().as_bytes()),
        script_filename: script.filename.as_os_str().as_bytes(),
        for_interpreter: match script.is_interpreted {
            true => Interpreter::Configured,
            false => Interpreter::None,
        },
        auth: None,
        pass_authorization: match settings.authorization {
            Authorization::Passed => Authorization::Passed,
            Authorization::Withheld => Authorization::Withheld,
        },
        granted: &[],
        extra: &settings.environment,
    };
    let own = [("Host", &b"localhost:8080"[..])].into_iter();
    let given = check
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    let names_host = check
        .fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"));
    variables.refill(&request, own.filter(move |_| !names_host).chain(given))
}

impl Told {
    /// Runs the program with a client that reads all of the response.
    fn run(
        &mut self,
        settings: &Settings,
        check: &Check,
        script: &Script,
        variables: &MetaVariables,
        body: Option<&[u8]>,
        spawners: &Spawners,
    ) -> std::io::Result<()> {
        let clock = Clock::start();
        let halt = Halt::new()?;
        let witness = Witness::close(clock, KEPT_MAX);
        let (stream, mut client) = Stream::pair()?;
        let room = Arc::new(Room::new(&std::env::temp_dir(), settings.max_spool));
        let client = thread::spawn(move || {
            let mut head = Vec::new();
            // Where it cannot be read there is less to show.
            let _ = client.by_ref().take(HEAD_MAX as u64).read_to_end(&mut head);
            let mut rest = [0; 4096];
            while client.read(&mut rest).is_ok_and(|len| len > 0) {}
            head
        });
        let envelope = Envelope {
            version: Version::Http11,
            is_head: check.method == "HEAD",
            connection: Connection::Close,
            date: *b"Thu, 01 Jan 1970 00:00:00 GMT",
        };
        let terms = Terms {
            silence: settings.cgi_timeout,
            send_window: settings.send_timeout,
            half_closed: settings.cgi_timeout,
            max_header: settings.max_header,
            clock: &clock,
            halt: &halt,
            spawners,
            witness: &witness,
            explains: false,
        };
        diagnose::ended::begin();
        let mut outgoing = Outgoing::default();
        let mut reply = Reply::new(&stream, &mut outgoing, &room, Draft::new(envelope));
        let stdin = body.filter(|body| !body.is_empty()).map(Content::Memory);
        let mut buffer = Buffer::new(64 << 10);
        let outcome = cgi::run(
            script,
            variables,
            stdin,
            &mut reply,
            &mut buffer,
            &terms,
            "check",
        );
        let ended = clock.now();
        while matches!(reply.flush(), Ok(Flushed::Blocked | Flushed::Turn)) {
            thread::sleep(Duration::from_millis(1));
        }
        drop(stream);
        self.response = client.join().unwrap_or_default();
        let end = self.response.windows(4).position(|it| it == b"\r\n\r\n");
        self.response
            .truncate(end.map_or(self.response.len(), |end| end + 2));
        match outcome {
            Outcome::LocalRedirect(location) => {
                self.response = [b"the server would go on with ", &location[..]].concat();
            }
            Outcome::SendFile(_) => {
                self.response = b"the server would send the file that it names".to_vec();
            }
            _ => {}
        }
        self.findings.append(&mut witness.findings.take());
        self.was_run = true;
        if let Some(course) = witness.course {
            self.course = course.into_inner();
        }
        self.times = Some((self.course.first_output, ended));
        self.look_for_buffer(script);
        Ok(())
    }

    /// Whether all output came at the end of a program that took its time.
    fn look_for_buffer(&mut self, script: &Script) {
        let Some((Some(first), ended)) = self.times else {
            return;
        };
        let took = Moment(0).until(ended);
        let late = first.until(ended);
        // What is more than a pipe takes at once would have come before.
        let is_late = late < took / 5 && took >= BUFFERED_FROM;
        if !is_late
            || self
                .findings
                .iter()
                .any(|it| it.severity == Severity::Error)
        {
            return;
        }
        let sentence = format!(
            "The program ran for {} s, and all of its output came at the end: until then its \
             client sees nothing.",
            seconds(took)
        );
        let remedy = match diagnose::language_of(&script.filename).as_deref() {
            Some(name) if name.contains("python") => {
                "flush as you print: print(..., flush=True), or #!/usr/bin/python3 -u"
            }
            Some(name) if name.contains("perl") => "flush as you print: $| = 1;",
            Some(name) if name.contains("ruby") => "flush as you print: $stdout.sync = true",
            _ => {
                "flush as you print (C: fflush(stdout)); where it has nothing to print before, all is well"
            }
        };
        self.findings.push(Finding::lint(
            Lint::Buffered,
            Severity::Note,
            sentence,
            remedy,
        ));
    }
}
