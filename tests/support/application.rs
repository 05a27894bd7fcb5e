//! FastCGI applications that a test starts itself, and that end with it.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::{Folder, PATIENCE, eventually};

/// Processes of one program that share a listening socket, which is their descriptor 0.
#[derive(Debug)]
pub(crate) struct Application {
    processes: Vec<Child>,
    address: String,
}

impl Application {
    /// Starts so many processes at any port of 127.0.0.1.
    pub(crate) fn start(program: &Path, count: usize) -> Application {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let start = |_| {
            let mut command = Command::new(program);
            command.stdin(OwnedFd::from(listener.try_clone().unwrap()));
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let processes = (0..count).map(start).collect();
        Application { processes, address }
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends all of its processes a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        for process in &self.processes {
            kill_process(Pid::from_child(process), signal).unwrap();
        }
    }

    /// Kills all of its processes, with whatever they are doing; nobody listens there any more.
    pub(crate) fn kill(&mut self) {
        for process in &mut self.processes {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A php-fpm with a configuration of its own, at a unix socket in the folder of a site.
#[derive(Debug)]
pub(crate) struct Fpm {
    program: PathBuf,
    configuration: PathBuf,
    socket: PathBuf,
    master: Child,
}

impl Fpm {
    /// Starts so many workers, with more `lines` for their pool.
    pub(crate) fn start(program: &Path, folder: &Folder, workers: usize, lines: &str) -> Fpm {
        // php-fpm wants a user named where it is started by root.
        let user = if geteuid().is_root() {
            "user = root"
        } else {
            ""
        };
        let log = folder.text("fpm.log");
        let socket = folder.path("fpm.sock");
        let configuration = folder.file(
            "fpm.conf",
            format!(
                "[global]\nerror_log = {log}\n[site]\nlisten = {}\n{user}\npm = static\n\
                 pm.max_children = {workers}\ncatch_workers_output = no\n\
                 php_admin_value[output_buffering] = 0\n{lines}\n",
                socket.display()
            ),
        );
        let master = Fpm::run(program, &configuration, &socket);
        Fpm {
            program: program.to_path_buf(),
            configuration,
            socket,
            master,
        }
    }

    /// As a backend is written for `--fastcgi`.
    pub(crate) fn backend(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Ends it, with whatever it is doing.
    pub(crate) fn stop(&mut self) {
        if self.master.try_wait().unwrap().is_some() {
            return;
        }
        // Killed, it would leave its workers behind.
        kill_process(Pid::from_child(&self.master), Signal::TERM).unwrap();
        let ended = eventually(Duration::from_secs(5), || {
            self.master.try_wait().unwrap().is_some()
        });
        if !ended {
            self.master.kill().unwrap();
            self.master.wait().unwrap();
        }
    }

    pub(crate) fn start_again(&mut self) {
        self.master = Fpm::run(&self.program, &self.configuration, &self.socket);
    }

    fn run(program: &Path, configuration: &Path, socket: &Path) -> Child {
        let mut command = Command::new(program);
        command.args(["--nodaemonize", "--allow-to-run-as-root", "--fpm-config"]);
        command.arg(configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        let master = command.spawn().unwrap();
        let listens = eventually(PATIENCE, || UnixStream::connect(socket).is_ok());
        let log = configuration.with_extension("log");
        assert!(
            listens,
            "php-fpm does not listen: {}",
            fs::read_to_string(log).unwrap_or_default()
        );
        master
    }
}

impl Drop for Fpm {
    fn drop(&mut self) {
        self.stop();
    }
}
