//! What a reader of the documents is taken to have: a folder with a site, and the places of a system that are named.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::course::lesson::{ADDRESS, CONSOLE, LONGEST, Running, prerequisites, start};
use crate::fastcgi_php::php_fpm;
use crate::support::{
    Folder, Fpm, Ran, can_change_user, example, installed, run_within, skipped, tollgate,
};

/// Places of a system that are put below the scene's folder.
const PLACES: &[&str] = &[
    "/srv/",
    "/etc/tollgate",
    "/run/",
    "/var/log/",
    "/var/lib/tollgate",
];

/// Addresses to listen at, which a test cannot have.
const ADDRESSES: &[&str] = &[
    "0.0.0.0:8080",
    "0.0.0.0:80",
    "[::]:8080",
    "[::]:80",
    "10.0.0.5:80",
    "127.0.0.1:8000",
    ADDRESS,
];

/// Programs of Debian that documents name by their paths, each of which has to be there.
const PROGRAMS: &[&str] = &[
    "/usr/bin/php-cgi",
    "/usr/bin/python3",
    "/usr/bin/uwsgi_python3",
    "/usr/lib/git-core/git-http-backend",
    "/usr/share/gitweb/gitweb.cgi",
    "/usr/lib/cgit/cgit.cgi",
    "/usr/bin/perl",
];

const PROGRAM: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\necho it ran\n";

/// A file of users; nobody asks for the password.
const USERS: &str = "ann:$2y$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n";

/// Where the commands of a section are run.
pub(super) struct Scene {
    folder: Folder,
    /// Whether servers can go on as `www-data`, who is named in examples.
    has_user: bool,
    running: Option<Running>,
    /// Recipes are tried with the real one.
    _php: Option<Fpm>,
}

const FPM_SOCKET: &str = "/run/php/php-fpm.sock";

impl Scene {
    /// The scene of a section, or `None` if it wants what is not installed.
    pub(super) fn new(document: &str, section: &str) -> Option<Scene> {
        let named = PROGRAMS
            .iter()
            .filter(|path| section.contains(**path))
            .copied();
        for program in prerequisites(section).into_iter().chain(named) {
            installed(document, program)?;
        }
        let folder = Folder::new();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let has_user = can_change_user() && users.contains("\nwww-data:");
        for place in [
            "home",
            "srv/git",
            "run/php",
            "var/log/tollgate",
            "var/lib/tollgate",
            "etc/tollgate",
        ] {
            fs::create_dir_all(folder.path(place)).unwrap();
        }
        let mut php = None;
        if document == "docs/recipes.md" && section.contains(FPM_SOCKET) {
            php = Some(Fpm::start(&php_fpm(document)?, &folder, 2, ""));
            symlink(folder.path("fpm.sock"), folder.path(&FPM_SOCKET[1..])).unwrap();
        }
        // A newcomer's folder is empty.
        if document != "README.md" && document != "docs/recipes.md" {
            furnish(&folder);
        }
        folder.file("home/.curlrc", "silent\nshow-error\n");
        let program = fs::canonicalize(tollgate().get_program()).unwrap();
        let as_root = if geteuid().is_root() {
            "--allow-root"
        } else {
            ""
        };
        folder.script(
            "bin/tollgate",
            format!(
                "#!/bin/sh\ncase ${{1-}} in check) exec '{0}' \"$@\" {as_root} ;; new | passwd) exec '{0}' \"$@\" ;; esac\n\
                 exec '{0}' {as_root} \"$@\"\n",
                program.display()
            ),
        );
        Some(Scene {
            folder,
            has_user,
            running: None,
            _php: php,
        })
    }

    /// The text of a document with what is there in this scene in place of what a reader has.
    fn adapt(&self, text: &str) -> String {
        let mut text = text.replace(CONSOLE, "127.0.0.1:0");
        for place in PLACES {
            text = text.replace(place, &self.folder.text(&place[1..]));
        }
        if !self.has_user {
            text = text
                .replace(" --user www-data", "")
                .replace("user www-data\n", "");
        }
        text
    }

    /// What would be printed for the reader.
    fn as_read(&self, printed: &str) -> String {
        let folder = self.folder.text("");
        printed
            .replace('\r', "")
            .replace(folder.trim_end_matches('/'), "")
    }

    fn shell(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        // That of the system first: what a version manager puts before it needs its own home.
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin:{path}",
            self.folder.text("bin")
        );
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-ec", script])
            .current_dir(self.folder.path("home"))
            .env("PATH", path);
        shell
            .env("HOME", self.folder.path("home"))
            .env("LC_ALL", "C.UTF-8")
            .env("NO_PROXY", "*")
            .env("no_proxy", "*");
        shell
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        shell
    }

    /// Runs commands, which have to succeed, or to fail; what they print.
    pub(super) fn run(&self, commands: &str, should_succeed: bool, at: &str) -> String {
        let mut commands = self.adapt(commands);
        let address = self.running.as_ref().map(|it| it.address.clone());
        match &address {
            Some(address) => commands = commands.replace(ADDRESS, address),
            None => ADDRESSES
                .iter()
                .for_each(|it| commands = commands.replace(it, "127.0.0.1:0")),
        }
        let Ran { status, stdout, .. } =
            run_within(LONGEST, &mut self.shell(&format!("exec 2>&1\n{commands}")));
        let printed = self.as_read(&stdout.replace(address.as_deref().unwrap_or(ADDRESS), ADDRESS));
        assert!(
            status.success() == should_succeed,
            "{at}: {status}, and it prints\n{printed}"
        );
        printed
    }

    /// Has a configuration file checked, in which nothing may be wrong.
    pub(super) fn check_configuration(&self, text: &str, at: &str) {
        self.folder.file("home/shown.conf", self.adapt(text));
        self.run("tollgate --config shown.conf check-config", true, at);
    }

    /// Starts a server in place of the one that runs. One command that says something and ends has to succeed.
    pub(super) fn serve(&mut self, command: &str, at: &str) {
        self.running = None;
        let at = format!("{at}: {command}");
        let mut command = self.adapt(command);
        for address in ADDRESSES {
            command = command.replace(address, "127.0.0.1:0");
        }
        let says = ["check", "new", "passwd"]
            .iter()
            .any(|word| command.starts_with(&format!("tollgate {word} ")));
        if says
            || ["--dump-config", "check-config", "--help"]
                .iter()
                .any(|word| command.contains(word))
        {
            self.run(&command, true, &at);
            return;
        }
        if command.contains(" --chroot ") && !self.has_user {
            skipped(&at, "root alone can have another root");
            return;
        }
        let is_said = [" -l ", " --listen ", " --config "]
            .iter()
            .any(|word| command.contains(word));
        let listen = if is_said { "" } else { " --listen 127.0.0.1:0" };
        let rest = command
            .strip_prefix("tollgate")
            .unwrap_or_else(|| panic!("{at}: no server"));
        self.running = Some(start(
            self.shell(&format!("exec tollgate{listen}{rest}")),
            &at,
        ));
    }
}

/// What the examples of a manual name.
fn furnish(folder: &Folder) {
    for name in [
        "home/www",
        "srv/site",
        "srv/site/www",
        "srv/example",
        "srv/net/www",
        "srv/private",
        "srv/jail/www",
    ] {
        folder.file(&format!("{name}/index.html"), "a page\n");
    }
    for name in ["srv/jail/tmp", "srv/files", "srv/big", "srv/site/cgi-bin"] {
        fs::create_dir_all(folder.path(name)).unwrap();
    }
    folder.file(
        "home/page.php",
        "<?php header('Content-Type: text/plain'); echo $_GET['id'];\n",
    );
    folder.file("home/answers.txt", "name=Ann\n");
    for name in ["form", "now"] {
        folder.script(&format!("home/cgi-bin/{name}"), PROGRAM);
    }
    let application = example("visitor");
    for name in ["home/app", "home/app.py", "home/guard"] {
        copy(&application, &folder.path(name));
    }
    let listens = "listen 127.0.0.1:0\n[site example.org]\nstatic /=./www\n";
    folder.file("etc/tollgate.conf", listens);
    folder.file("etc/tollgate/users", USERS);
}

/// A link where the folder is on the same file system: a copy may still be open in a process that was forked meanwhile.
fn copy(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}
