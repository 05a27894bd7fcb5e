//! What is kept of one exchange: its journey through the server.
//!
//! Shape: a [`Journey`] is filled by whoever serves the exchange, and read when it is over. Rules:
//! - It costs the exchange as little as can be: bytes are copied as they are, into memory that an earlier journey
//!   had, and are taken apart only when somebody looks.
//! - Each part of it is bounded, and what was cut says so.
//!
//! Not here: how it is shown (`view.rs`), and how many are kept (`ledger.rs`).

use std::net::IpAddr;

use crate::handler::report::{Course, Id};
use crate::proto::Reason;
use crate::proto::finding::Finding;
use crate::sys::child::Usage;

/// How much of a body, of stdout and of stderr is kept.
pub const BODY_MAX: usize = 8 << 10;

/// How much of the head of a request, and of that of a response.
pub const HEAD_MAX: usize = 16 << 10;

/// How much of the variables of a program.
pub const VARIABLES_MAX: usize = 32 << 10;

/// How many findings.
pub const FINDINGS_MAX: usize = 4;

/// How much memory a journey's buffer keeps for the next one.
const REUSED_MAX: usize = 1 << 10;

/// What answered a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A file.
    File,
    /// The list of a folder.
    Listing,
    /// A redirect to a folder's slash.
    Redirect,
    /// A program.
    Program,
    /// An application.
    Application,
    /// The server itself, which refused it.
    #[default]
    Refusal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::File,
        Kind::Listing,
        Kind::Redirect,
        Kind::Program,
        Kind::Application,
        Kind::Refusal,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Listing => "listing",
            Kind::Redirect => "redirect",
            Kind::Program => "program",
            Kind::Application => "application",
            Kind::Refusal => "refusal",
        }
    }
}

/// What a time is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The head was whole.
    Received,
    /// The body was.
    Body,
    /// It was known what is to answer.
    Resolved,
    /// The turn in the line had come.
    Waited,
    /// The program ran.
    Started,
    /// The application had begun to take the request.
    Connected,
    /// The first byte of the answer came.
    FirstByte,
    /// The last one was the kernel's.
    LastByte,
    /// The program had ended.
    Exit,
}

impl Step {
    /// The words for it.
    pub const fn name(self) -> &'static str {
        match self {
            Step::Received => "received",
            Step::Body => "body",
            Step::Resolved => "resolved",
            Step::Waited => "waited",
            Step::Started => "started",
            Step::Connected => "connected",
            Step::FirstByte => "first byte",
            Step::LastByte => "last byte",
            Step::Exit => "exit",
        }
    }
}

/// Whom a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Client {
    /// This address.
    Address(IpAddr),
    /// A unix socket.
    Local,
    /// Nobody knows.
    #[default]
    Unknown,
}

/// The beginning of some bytes.
#[derive(Debug, Default)]
pub struct Kept {
    /// The first [`BODY_MAX`] of them.
    pub bytes: Vec<u8>,
    /// How many there were.
    pub length: u64,
}

impl Kept {
    /// Of these bytes, which are the beginning of so many.
    pub fn of(mut bytes: Vec<u8>, length: u64) -> Kept {
        bytes.truncate(BODY_MAX);
        Kept { bytes, length }
    }

    /// Whether there were more than are kept.
    pub fn is_cut(&self) -> bool {
        self.length > self.bytes.len() as u64
    }
}

/// A program that was run.
#[derive(Debug, Default)]
pub struct Program {
    /// SCRIPT_FILENAME, or the program itself.
    pub path: Vec<u8>,
    /// What was executed, and its arguments.
    pub command: Vec<Vec<u8>>,
    /// The folder it ran in.
    pub folder: Vec<u8>,
    /// How it ended.
    pub ending: Option<String>,
    /// What it took.
    pub usage: Usage,
}

/// An application that was asked.
#[derive(Debug, Default)]
pub struct Application {
    /// The backend.
    pub backend: String,
    /// Those that were asked in vain.
    pub tried: Vec<String>,
    /// Whether the connection was kept from before.
    pub is_kept: bool,
}

/// What is kept of one exchange.
#[derive(Debug, Default)]
pub struct Journey {
    /// Which one it is, counted by their ends from 1.
    pub seq: u64,
    /// The id under which the log tells of it, if it does.
    pub id: Option<Id>,
    /// Whom it came from.
    pub client: Client,
    /// The head of the request as it came; the request line, or what came of it, where there is no more.
    pub head: Vec<u8>,
    /// Its body.
    pub body: Option<Kept>,
    /// The site that it was for, where there are several.
    pub site: String,
    /// The prefix or extension of the route that it took.
    pub route: String,
    /// What answered.
    pub kind: Kind,
    /// What happened when, in microseconds on the clock.
    pub steps: Vec<(Step, u64)>,
    /// Whether it is in line.
    pub is_waiting: bool,
    /// Where a program had it go on.
    pub redirects: Vec<Vec<u8>>,
    /// The program, where one was run.
    pub program: Option<Box<Program>>,
    /// The application, where one was asked.
    pub application: Option<Box<Application>>,
    /// What they were told: `NAME=value`, ended by NUL.
    pub variables: Vec<u8>,
    /// Whether the body was theirs to read.
    pub is_body_stdin: bool,
    /// What they printed.
    pub stdout: Option<Kept>,
    /// What they complained of.
    pub stderr: Option<Kept>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The status of the response.
    pub status: u16,
    /// Why it was not the plain answer.
    pub reason: Option<Reason>,
    /// The head of the response as it was given to the client.
    pub response: Vec<u8>,
    /// How much of a body followed.
    pub sent: u64,
}

impl Journey {
    /// Notes when something happened.
    pub fn step(&mut self, step: Step, at: u64) {
        self.steps.push((step, at));
    }

    /// When something had happened.
    pub fn at(&self, step: Step) -> Option<u64> {
        let mut steps = self.steps.iter();
        steps.find(|it| it.0 == step).map(|it| it.1)
    }

    /// From the whole head until the last byte, in microseconds.
    pub fn took(&self) -> u64 {
        let began = self.at(Step::Received).unwrap_or(0);
        self.at(Step::LastByte)
            .map_or(0, |ended| ended.saturating_sub(began))
    }

    /// Notes what a program or an application was told.
    pub fn tell<'v>(&mut self, variables: impl Iterator<Item = (&'v [u8], &'v [u8])>) {
        self.variables.clear();
        for (name, value) in variables {
            if self.variables.len() + name.len() + value.len() + 2 > VARIABLES_MAX {
                break;
            }
            self.variables.extend_from_slice(name);
            self.variables.push(b'=');
            self.variables.extend_from_slice(value);
            self.variables.push(0);
        }
    }

    /// What they were told, by name.
    pub fn variables(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut variables = self.variables.split(|&byte| byte == 0);
        // Behind the last NUL there is nothing.
        variables.next_back();
        variables.filter_map(|variable| {
            let end = variable.iter().position(|&byte| byte == b'=')?;
            Some((&variable[..end], &variable[end + 1..]))
        })
    }

    /// Notes how a run went, which began with this step.
    pub fn run(&mut self, course: Course, began: Step) {
        for (step, at) in [
            (began, course.began_at),
            (Step::FirstByte, course.first_at),
            (
                Step::Exit,
                course.ended_at.filter(|_| began == Step::Started),
            ),
        ] {
            self.steps.extend(at.map(|at| (step, at)));
        }
        self.stdout = Some(Kept::of(course.printed, course.printed_len));
        self.stderr = Some(Kept::of(course.complained, course.complained_len));
        if let Some(program) = &mut self.program {
            program.ending = course.ending;
            program.usage = course.usage;
        }
    }

    /// Notes what is wrong.
    pub fn find(&mut self, finding: &Finding) {
        if self.findings.len() < FINDINGS_MAX && !self.findings.contains(finding) {
            self.findings.push(finding.clone());
        }
    }

    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        let kept = |kept: &Option<Kept>| kept.as_ref().map_or(0, |it| it.bytes.capacity());
        let finding = |finding: &Finding| {
            let quoted = finding.evidence.iter().map(|it| it.text.len() + 128);
            quoted.sum::<usize>() + finding.sentence.len() + finding.remedy.len() + 128
        };
        let bytes = |bytes: &Vec<u8>| bytes.capacity() + 24;
        let program = |it: &Program| {
            it.command.iter().map(bytes).sum::<usize>() + it.path.len() + it.folder.len() + 256
        };
        let application = |it: &Application| it.tried.iter().map(|it| it.len() + 24).sum::<usize>();
        size_of::<Journey>()
            + self.head.capacity()
            + self.response.capacity()
            + self.variables.capacity()
            + [&self.body, &self.stdout, &self.stderr]
                .map(kept)
                .iter()
                .sum::<usize>()
            + self.findings.iter().map(finding).sum::<usize>()
            + self.redirects.iter().map(bytes).sum::<usize>()
            + self.program.as_deref().map_or(0, program)
            + self.application.as_deref().map_or(0, application)
    }

    /// Makes a new one of it, in its memory. Each field by itself, as most of them are as they were: to make all of it
    /// anew takes twice as long.
    pub fn clear(&mut self) {
        let Journey {
            seq,
            id,
            client,
            head,
            body,
            site,
            route,
            kind,
            steps,
            is_waiting,
            redirects,
            program,
            application,
            variables,
            is_body_stdin,
            stdout,
            stderr,
            findings,
            status,
            reason,
            response,
            sent,
        } = self;
        for buffer in [head, response, variables] {
            buffer.clear();
            buffer.shrink_to(REUSED_MAX);
        }
        site.clear();
        route.clear();
        steps.clear();
        (*seq, *id, *client, *kind) = (0, None, Client::default(), Kind::default());
        (*is_waiting, *is_body_stdin) = (false, false);
        (*body, *stdout, *stderr) = (None, None, None);
        (*program, *application) = (None, None);
        *redirects = Vec::new();
        *findings = Vec::new();
        (*status, *reason, *sent) = (0, None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_one_is_in_the_next_but_its_memory() {
        let text = |it: &Journey| format!("{it:?}");
        let mut journey = Journey {
            seq: 1,
            id: Some(Id {
                started: 1,
                serial: 1,
            }),
            client: Client::Local,
            head: b"GET / HTTP/1.1".to_vec(),
            body: Some(Kept::default()),
            site: "site".to_owned(),
            route: "/".to_owned(),
            kind: Kind::Program,
            is_waiting: true,
            redirects: vec![Vec::new()],
            program: Some(Box::default()),
            application: Some(Box::default()),
            is_body_stdin: true,
            stdout: Some(Kept::default()),
            stderr: Some(Kept::default()),
            findings: vec![Finding::error(Reason::CgiExit, "it failed", "mend it")],
            status: 500,
            reason: Some(Reason::CgiExit),
            response: vec![0; 2 * REUSED_MAX],
            sent: 1,
            ..Journey::default()
        };
        journey.step(Step::Received, 1);
        journey.tell([(&b"PATH"[..], &b"/bin"[..])].into_iter());
        assert_ne!(text(&journey), text(&Journey::default()));
        journey.clear();
        assert_eq!(text(&journey), text(&Journey::default()));
        assert!(journey.head.capacity() > 0 && journey.response.capacity() == REUSED_MAX);
    }
}
