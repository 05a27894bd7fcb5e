//! A CGI program that does on request whatever a CGI program can do, right or wrong.
//!
//! The tests run it, and readers may learn from it: each behaviour is one short function. Which one
//! is chosen by the first segment of PATH_INFO, its parameters by QUERY_STRING:
//!
//! ```text
//! /cgi-bin/probe              the environment, a variable a line (the same as /cgi-bin/probe/env)
//! /cgi-bin/probe/status?code=404&phrase=Gone+fishing
//! ```
//!
//! A CGI program (RFC 3875) finds the request in its environment and on its standard input, and prints
//! a header, a blank line and a body on its standard output.
//!
//! Never install it on a server that strangers reach: it writes files that the URL names.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpgrp, getpid, kill_process};

/// How long anything here lives at most, so that a failed test leaves nothing behind for long.
const LIFETIME: Duration = Duration::from_secs(60);

/// Replies that need no more than to be printed, with the behaviour's name.
const REPLIES: &[(&str, &str)] = &[
    ("hello", "Content-Type: text/plain\n\nhello\n"),
    (
        "crlf",
        "Content-Type: text/plain\r\nX-Ends: CR LF\r\n\r\nhello\n",
    ),
    (
        "cookies",
        "Content-Type: text/plain\nSet-Cookie: a=1\nSet-Cookie: b=2; Path=/\n\ntwo cookies\n",
    ),
    (
        "hop-by-hop",
        "Content-Type: text/plain\nConnection: keep-alive, X-Mine\nX-Mine: 1\nKeep-Alive: timeout=9\n\
         Transfer-Encoding: chunked\nUpgrade: h2c\nTrailer: X-End\n\nnot chunked\n",
    ),
    (
        "redirect-document",
        "Location: http://elsewhere.test/\nStatus: 301 Moved\nContent-Type: text/plain\n\nover there\n",
    ),
    // What follows is wrong.
    ("nothing", ""),
    ("no-header", "This is a page without a header.\n"),
    ("blank-header", "\nThe header is empty.\n"),
    (
        "malformed-header",
        "Content-Type: text/plain\nthis line has no colon\n\nbody\n",
    ),
    ("header-cut", "Content-Type: text/plain\nX-Cut: yes\n"),
    (
        "type-twice",
        "Content-Type: text/plain\nContent-Type: text/html\n\nwhich?\n",
    ),
];

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // What a program writes to standard error goes to the server's log, not to the client.
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<ExitCode> {
    let path_info = variable("PATH_INFO");
    let behaviour = path_info
        .split('/')
        .nth(1)
        .filter(|name| !name.is_empty())
        .unwrap_or("env");
    let query = Query::parse(&variable("QUERY_STRING"));

    match behaviour {
        // The request, shown.
        "env" => environment()?,
        "args" => arguments()?,
        "stdin" => standard_input()?,
        "copy" => copy()?,
        "raw" => raw()?,
        "process" => process()?,
        "descriptors" => descriptors()?,

        // Time.
        "sleep" => {
            sleep(query.duration("ms"));
            document("slept\n")?;
        }
        "tick" => tick(query.number("count"), query.duration("ms"))?,
        "gate" => gate(query.path("file")?)?,
        "silent" => silent(query.path("file")?)?,
        "stubborn" => stubborn(query.path("file")?)?,
        "family" => family(query.path("file")?)?,
        "background" => background(query.path("file")?)?,

        // Size.
        "flood" => flood(query.number("bytes"))?,
        "flood-stderr" => flood_stderr(query.number("bytes"))?,
        "length" => length(query.number("claim"), query.number("bytes"))?,
        "endless-header" => endless_header()?,

        // Redirects, status.
        "redirect" => println!("Location: {}\n", query.text("to")),
        "status" => {
            let phrase = query.text("phrase").replace('+', " ");
            println!(
                "Status: {} {phrase}\nContent-Type: text/plain\n\nas asked",
                query.text("code")
            );
        }
        "nph" => nph()?,

        // Ends.
        "exit" => {
            document("a good page\n")?;
            return Ok(ExitCode::from(query.number("code") as u8));
        }
        "exit-early" => return Ok(ExitCode::from(query.number("code") as u8)),
        "killed" => {
            document("the first half\n")?;
            kill_process(getpid(), Signal::KILL)?;
        }
        "killed-early" => kill_process(getpid(), Signal::KILL)?,
        "stderr" => {
            eprintln!("{}", query.text("text"));
            document("complained\n")?;
        }

        other => match REPLIES.iter().find(|(name, _)| *name == other) {
            Some((_, reply)) => print_all(reply.as_bytes())?,
            None => {
                print_all(b"Status: 404 No Such Behaviour\nContent-Type: text/plain\n\nwhat?\n")?
            }
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// The environment as it is, sorted: `NAME=VALUE`, a variable a line.
fn environment() -> io::Result<()> {
    let mut variables: Vec<(OsString, OsString)> = env::vars_os().collect();
    variables.sort();
    let mut page = Vec::new();
    for (name, value) in variables {
        page.extend_from_slice(name.as_bytes());
        page.push(b'=');
        page.extend_from_slice(value.as_bytes());
        page.push(b'\n');
    }
    document(page)
}

/// The command line without the program's name, an argument a line.
fn arguments() -> io::Result<()> {
    let mut page = Vec::new();
    for argument in env::args_os().skip(1) {
        page.extend_from_slice(&argument.into_vec());
        page.push(b'\n');
    }
    document(page)
}

/// CONTENT_LENGTH, the number of bytes that came until the end of standard input, and the bytes.
fn standard_input() -> io::Result<()> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    let told = env::var("CONTENT_LENGTH").unwrap_or_else(|_| "none".to_string());
    let mut page = format!("told {told}, read {}\n", body.len()).into_bytes();
    page.append(&mut body);
    document(page)
}

/// Standard input to standard output as it comes, both at the same time.
fn copy() -> io::Result<()> {
    document("")?;
    io::copy(&mut io::stdin(), &mut io::stdout())?;
    Ok(())
}

/// The request body is the program's whole output, header and all.
fn raw() -> io::Result<()> {
    let mut reply = Vec::new();
    io::stdin().read_to_end(&mut reply)?;
    print_all(&reply)
}

/// Where and as what the program runs.
fn process() -> io::Result<()> {
    let (pid, group) = (getpid().as_raw_nonzero(), getpgrp().as_raw_nonzero());
    let folder = env::current_dir()?;
    document(format!(
        "pid {pid}\npgid {group}\ncwd {}\n",
        folder.display()
    ))
}

/// The open descriptors and what they are, one a line.
fn descriptors() -> io::Result<()> {
    let own_listing = format!("/proc/{}/fd", getpid().as_raw_nonzero());
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let target = fs::read_link(entry.path())?;
        if target != Path::new(&own_listing) {
            open.push(format!(
                "{} {}\n",
                entry.file_name().display(),
                target.display()
            ));
        }
    }
    open.sort();
    document(open.concat())
}

/// A line every `pause`, `count` times.
fn tick(count: u64, pause: Duration) -> io::Result<()> {
    document("")?;
    for number in 1..=count {
        print_all(format!("tick {number}\n").as_bytes())?;
        sleep(pause);
    }
    Ok(())
}

/// A line, and a second one when `file` is there: the test decides when.
fn gate(file: &Path) -> io::Result<()> {
    document("first\n")?;
    let start = Instant::now();
    while !file.exists() && start.elapsed() < LIFETIME {
        sleep(Duration::from_millis(2));
    }
    print_all(b"second\n")
}

/// Not a word, for long; `file` names the process.
fn silent(file: &Path) -> io::Result<()> {
    publish(file, &[getpid().as_raw_nonzero().get()])?;
    sleep(LIFETIME);
    Ok(())
}

/// As silent, and deaf to SIGTERM.
fn stubborn(file: &Path) -> io::Result<()> {
    signal_hook::flag::register(
        signal_hook::consts::SIGTERM,
        Arc::new(AtomicBool::new(false)),
    )?;
    let start = Instant::now();
    publish(file, &[getpid().as_raw_nonzero().get()])?;
    while start.elapsed() < LIFETIME {
        sleep(LIFETIME - start.elapsed().min(LIFETIME));
    }
    Ok(())
}

/// As silent, with a child that is silent too.
fn family(file: &Path) -> io::Result<()> {
    let child = Command::new("sleep")
        .arg(LIFETIME.as_secs().to_string())
        .spawn()?;
    publish(file, &[getpid().as_raw_nonzero().get(), child.id() as i32])?;
    sleep(LIFETIME);
    Ok(())
}

/// A page, and a child that outlives the program and keeps its standard output open.
fn background(file: &Path) -> io::Result<()> {
    let child = Command::new("sleep")
        .arg(LIFETIME.as_secs().to_string())
        .spawn()?;
    publish(file, &[child.id() as i32])?;
    document("the page is whole\n")
}

/// A page of `bytes` bytes: lines of 64, each the number of its line.
fn flood(bytes: u64) -> io::Result<()> {
    document("")?;
    print_lines(io::stdout(), bytes)
}

/// `bytes` bytes of complaint, then a page.
fn flood_stderr(bytes: u64) -> io::Result<()> {
    print_lines(io::stderr(), bytes)?;
    document("complained at length\n")
}

/// A page that claims one length and has another.
fn length(claim: u64, bytes: u64) -> io::Result<()> {
    print_all(format!("Content-Type: text/plain\nContent-Length: {claim}\n\n").as_bytes())?;
    print_lines(io::stdout(), bytes)
}

/// A header that never ends; it is the server that must end it.
fn endless_header() -> io::Result<()> {
    let start = Instant::now();
    while start.elapsed() < LIFETIME {
        print_all(b"X-And: another line\n")?;
    }
    Ok(())
}

/// A whole HTTP message, which the server relays as it is because the program's name begins with nph-.
fn nph() -> io::Result<()> {
    print_all(
        b"HTTP/1.0 299 As I Say\r\nContent-Type: text/plain\r\nX-Raw: yes\r\n\r\nparsed by nobody\n",
    )
}

/// The commonest reply: a header of one line, a blank line, the page.
fn document(page: impl AsRef<[u8]>) -> io::Result<()> {
    print_all(b"Content-Type: text/plain\n\n")?;
    print_all(page.as_ref())
}

/// Prints at once: standard output to a pipe would otherwise wait for more.
fn print_all(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn print_lines(out: impl Write, bytes: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(32 * 1024, out);
    let (mut left, mut number) = (bytes as usize, 0_u64);
    while left > 0 {
        let line = format!("{number:063}\n");
        let piece = left.min(line.len());
        out.write_all(&line.as_bytes()[..piece])?;
        (left, number) = (left - piece, number + 1);
    }
    out.flush()
}

/// Writes process ids for a test to read; by renaming, so that it never reads half of them.
fn publish(file: &Path, pids: &[i32]) -> io::Result<()> {
    let lines: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
    let draft = file.with_extension("draft");
    fs::write(&draft, lines)?;
    fs::rename(&draft, file)
}

/// The query `a=1&b=2`, without decoding: the tests send nothing that needs it.
struct Query(HashMap<String, String>);

impl Query {
    fn parse(query: &str) -> Query {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Query(
            pairs
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        )
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    fn duration(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    fn path(&self, name: &str) -> io::Result<&Path> {
        match self.text(name) {
            "" => Err(io::Error::other(format!("{name}= is missing in the query"))),
            path => Ok(Path::new(path)),
        }
    }
}

fn variable(name: &str) -> String {
    env::var_os(name)
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
