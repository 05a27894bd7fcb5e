//! A running tollgate: a fresh site, any port, its log and access log within reach.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::{Client, Folder, PATIENCE, Response, children_of, eventually, request};

/// The program under test: the one just built, or `$TOLLGATE_BIN` (the static binary, say).
pub(crate) fn tollgate() -> Command {
    let program = std::env::var_os("TOLLGATE_BIN");
    Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_tollgate").into()))
}

/// The program that cargo built from `examples/NAME.rs` together with the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join(name);
    let advice = "`cargo test` builds it; before `--test integration` run `cargo build --examples`";
    assert!(path.exists(), "{} is missing: {advice}", path.display());
    path
}

/// A folder with `www/` and `cgi-bin/`, the latter with the probe in it, and how to serve it.
#[derive(Debug)]
pub(crate) struct Site {
    folder: Folder,
    listen: Vec<String>,
    environment: Vec<(String, String)>,
    prelude: Option<String>,
    handed: Option<OwnedFd>,
}

impl Site {
    /// `cgi-bin/` holds the probe under its own name and as `nph-probe`.
    pub(crate) fn new() -> Site {
        let site = Site::bare();
        fs::create_dir(site.path("www")).unwrap();
        fs::create_dir(site.path("cgi-bin")).unwrap();
        site.add_probe("cgi-bin/probe");
        site.add_probe("cgi-bin/nph-probe");
        site
    }

    /// A folder with nothing in it.
    pub(crate) fn bare() -> Site {
        let listen = vec!["127.0.0.1:0".to_string()];
        Site {
            folder: Folder::new(),
            listen,
            environment: Vec::new(),
            prelude: None,
            handed: None,
        }
    }

    /// Puts the probe at `name`.
    pub(crate) fn add_probe(&self, name: &str) {
        let (from, to) = (example("probe"), self.path(name));
        // A link where the folder is on the same file system: copying is slower, and a copy that was
        // just written may still be open in a process forked meanwhile ("text file busy").
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).unwrap();
        }
    }

    /// Listens there instead of at any port of 127.0.0.1.
    pub(crate) fn listen(mut self, addresses: &[&str]) -> Site {
        self.listen = addresses
            .iter()
            .map(|address| address.to_string())
            .collect();
        self
    }

    /// Sets a variable for the server itself.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Site {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    /// Starts the server from a shell that ran `prelude` before (`ulimit -n 40`).
    pub(crate) fn after(mut self, prelude: &str) -> Site {
        self.prelude = Some(prelude.to_string());
        self
    }

    /// Hands this socket over to the server at descriptor 3, as a service manager does.
    pub(crate) fn hand_over(mut self, socket: impl Into<OwnedFd>) -> Site {
        self.handed = Some(socket.into());
        self.after("exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web")
    }

    /// Starts the server with these arguments and waits until it says where it listens.
    pub(crate) fn serve(self, arguments: &[&str]) -> Server {
        let mut own = Vec::new();
        for address in &self.listen {
            own.extend(["--listen".to_string(), address.clone()]);
        }
        own.extend(["--access-log".to_string(), self.text("access.log")]);
        own.extend(arguments.iter().map(|argument| argument.to_string()));
        own.push(self.text(""));
        self.start(&own)
    }

    /// Starts the server with this configuration file, which says where to listen, and these arguments.
    #[cfg(feature = "config")]
    pub(crate) fn serve_file(self, name: &str, arguments: &[&str]) -> Server {
        let mut own = vec!["--config".to_string(), self.text(name)];
        own.extend(arguments.iter().map(|argument| argument.to_string()));
        self.start(&own)
    }

    fn start(mut self, arguments: &[String]) -> Server {
        let server = tollgate();
        let mut command = match &self.prelude {
            None => server,
            Some(prelude) => {
                let mut shell = Command::new("/bin/sh");
                shell
                    .arg("-c")
                    .arg(format!("{prelude}; exec \"$0\" \"$@\""));
                shell.arg(server.get_program());
                shell
            }
        };
        command.args(arguments);
        // Tests run in containers too, where everybody is root.
        let says_who = |argument: &String| ["--user", "--allow-root"].contains(&argument.as_str());
        if geteuid().is_root() && !arguments.iter().any(says_who) {
            command.arg("--allow-root");
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let handed = self.handed.take();
        command
            .stdin(handed.map_or(Stdio::null(), Stdio::from))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));

        let log = Arc::new(Mutex::new(Vec::new()));
        follow(child.stderr.take().unwrap(), Arc::clone(&log));
        let announced = first_line(child.stdout.take().unwrap());
        let mut server = Server {
            site: self,
            child,
            announced: String::new(),
            console: String::new(),
            health: String::new(),
            log,
        };
        match announced.recv_timeout(PATIENCE) {
            Ok(line) => server.announced = line,
            Err(_) => panic!(
                "tollgate did not say where it listens; it said {:?}",
                server.log()
            ),
        }
        if arguments.iter().any(|argument| argument == "--console") {
            let line = announced.recv_timeout(PATIENCE).unwrap();
            server.console = line.rsplit_once(" at ").unwrap().1.to_string();
        }
        if arguments.iter().any(|argument| argument == "--health") {
            let line = announced.recv_timeout(PATIENCE).unwrap();
            server.health = line.rsplit_once(" at ").unwrap().1.trim().to_string();
        }
        assert!(
            !server.addresses().is_empty(),
            "no address in {:?}",
            server.announced
        );
        server
    }
}

impl Deref for Site {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

/// A running server, ended when the test is over. It can be asked for the files of its site.
#[derive(Debug)]
pub(crate) struct Server {
    site: Site,
    child: Child,
    announced: String,
    console: String,
    health: String,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// Serves a fresh [`Site`] with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        Site::new().serve(arguments)
    }

    /// The line that says what is served where.
    pub(crate) fn announced(&self) -> &str {
        &self.announced
    }

    /// The addresses of that line, as printed: `http://HOST:PORT/` or `unix:PATH`.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        let words = self.announced.split_ascii_whitespace();
        words
            .filter(|word| word.starts_with("http://") || word.starts_with("unix:"))
            .collect()
    }

    /// The first address with a path below it: `http://127.0.0.1:34567/path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.addresses()[0].trim_end_matches('/'))
    }

    /// The link of the console, its address and its token.
    #[cfg(feature = "console")]
    pub(crate) fn console(&self) -> (&str, &str) {
        let (address, token) = self.console.split_once("#token=").unwrap();
        (address.trim(), token)
    }

    /// Where health is told.
    #[cfg(feature = "console")]
    pub(crate) fn health(&self) -> &str {
        &self.health
    }

    /// `HOST:PORT` of the first address.
    pub(crate) fn authority(&self) -> &str {
        self.addresses()[0]
            .trim_start_matches("http://")
            .trim_end_matches('/')
    }

    /// The port of the first address.
    pub(crate) fn port(&self) -> u16 {
        self.authority()
            .rsplit_once(':')
            .unwrap()
            .1
            .parse()
            .unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.addresses()[0])
    }

    /// A client whose program runs, and will until there is a file `gate` in the site's folder.
    pub(crate) fn run_until_gate(&self) -> Client {
        let mut client = self.connect();
        let target = format!("/cgi-bin/probe/gate?file={}", self.text("gate"));
        client.send(request("GET", &target, &[], b""));
        client.wait_for("first");
        client
    }

    /// The answer to a GET of its own connection.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.fetch("GET", target, &[], b"")
    }

    /// The answer to a POST of its own connection.
    pub(crate) fn post(&self, target: &str, body: &[u8]) -> Response {
        self.fetch("POST", target, &[], body)
    }

    /// The answer to one request with `fields` (`"Name: value"`), on a connection of its own.
    pub(crate) fn fetch(
        &self,
        method: &str,
        target: &str,
        fields: &[&str],
        body: &[u8],
    ) -> Response {
        self.exchange(method, &request(method, target, fields, body))
    }

    /// The answer to these bytes, which are a request with that method.
    pub(crate) fn exchange(&self, method: &str, bytes: &[u8]) -> Response {
        let mut client = self.connect();
        client.send(bytes);
        client.read_response(method)
    }

    /// The variables that the probe at `target` sees, by name.
    pub(crate) fn variables(&self, target: &str, fields: &[&str]) -> Variables {
        let response = self.fetch("GET", target, fields, b"");
        assert_eq!(response.status, 200, "{target}: {}", response.text());
        Variables(response.text())
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The programs that it runs at this moment, and those it has not reaped, by itself or through its
    /// spawners.
    pub(crate) fn children(&self) -> Vec<i32> {
        let (spawners, mut programs): (Vec<i32>, Vec<i32>) = children_of(self.pid())
            .into_iter()
            .partition(|&child| is_spawner(child));
        programs.extend(spawners.into_iter().flat_map(children_of));
        programs
    }

    /// The processes that start programs for it.
    pub(crate) fn spawners(&self) -> Vec<i32> {
        let mut children = children_of(self.pid());
        children.retain(|&child| is_spawner(child));
        children
    }

    /// Fails unless all of them come to be ended and reaped.
    #[track_caller]
    pub(crate) fn wait_until_childless(&self) {
        let childless = eventually(PATIENCE, || self.children().is_empty());
        assert!(
            childless,
            "children that were not ended or not reaped: {:?}",
            self.children()
        );
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How the server ended, if it does within the time given.
    pub(crate) fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let mut status = None;
        eventually(within, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status
    }

    /// Has it told to stop, which it has to do without a fault.
    #[track_caller]
    pub(crate) fn end(mut self) {
        self.signal(Signal::TERM);
        let ended = self.wait(PATIENCE).and_then(|status| status.code());
        assert_eq!(ended, Some(0), "{}", self.log());
    }

    /// What the server wrote to standard error until now.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Fails unless the log comes to hold `text`; returns the line.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        wait_for_line(text, "log", || self.log())
    }

    /// Fails unless the access log comes to hold a line with `text`; returns the line.
    #[track_caller]
    pub(crate) fn wait_for_access(&self, text: &str) -> String {
        wait_for_line(text, "access log", || self.access_log())
    }

    pub(crate) fn access_log(&self) -> String {
        fs::read_to_string(self.path("access.log")).unwrap_or_default()
    }

    /// Fails unless the access log comes to hold a line with `target`, `status` and `reason`.
    #[track_caller]
    pub(crate) fn expect_access(&self, target: &str, status: u16, reason: &str) {
        let is_it = |line: &str| {
            let mut words = line.split(|letter: char| letter.is_whitespace() || letter == '"');
            line.contains(&format!(" {target} "))
                && line.contains(&format!("\" {status} "))
                && words.any(|word| word == reason)
        };
        let found = eventually(PATIENCE, || self.access_log().lines().any(is_it));
        assert!(
            found,
            "no line with {target}, {status}, {reason} in\n{}",
            self.access_log()
        );
    }
}

impl Deref for Server {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.site
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The programs that it runs are to end with it, so it is asked before it is killed.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            if self.wait(Duration::from_secs(3)).is_none() {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
        if thread::panicking() {
            eprintln!("--- log of the server, its end\n{}---", tail(&self.log()));
        }
    }
}

/// The environment of a program as the probe prints it.
#[derive(Debug)]
pub(crate) struct Variables(String);

impl Variables {
    /// What the probe printed.
    pub(crate) fn of(response: &Response) -> Variables {
        Variables(response.text())
    }

    /// The value of a variable that is set exactly once.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.0.lines().filter_map(|line| line.split_once('='));
        let value = values.find(|(candidate, _)| *candidate == name)?.1;
        assert!(
            !values.any(|(candidate, _)| candidate == name),
            "{name} is set twice"
        );
        Some(value)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0))
            .collect()
    }
}

/// The last lines of a log: enough to see why a test failed.
fn tail(log: &str) -> String {
    let mut lines: Vec<&str> = log.lines().rev().take(20).collect();
    lines.reverse();
    lines.join("\n") + "\n"
}

/// Fails unless `read` comes to give a line with `text`.
#[track_caller]
fn wait_for_line(text: &str, name: &str, read: impl Fn() -> String) -> String {
    let mut found = None;
    eventually(PATIENCE, || {
        found = read()
            .lines()
            .find(|line| line.contains(text))
            .map(str::to_string);
        found.is_some()
    });
    found.unwrap_or_else(|| panic!("{text:?} did not come to the {name}:\n{}", tail(&read())))
}

/// Reads the pipe to its end in a thread of its own: a full pipe would halt the server.
fn follow(mut pipe: impl Read + Send + 'static, to: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count) = pipe.read(&mut piece) {
            if count == 0 {
                break;
            }
            to.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    });
}

fn first_line(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // All but the first have no reader: the test went on.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// By what it was called as; an emulator and the path of the program may stand before that.
fn is_spawner(pid: i32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0).take(3);
    words.any(|word| word == b"tollgate: spawner")
}
