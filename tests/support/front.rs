//! Another server in the foreground, ended with the test: a proxy in front of tollgate, say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Client, Folder, PATIENCE, eventually, program, skipped};

/// A running server with a folder of its own.
#[derive(Debug)]
pub(crate) struct Front {
    folder: Folder,
    child: Child,
    address: String,
}

impl Front {
    /// Starts `command` and waits until somebody listens at the unix socket `front` in `folder`.
    pub(crate) fn start(folder: Folder, mut command: Command) -> Front {
        let output = fs::File::create(folder.path("output")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let front = Front {
            address: format!("unix:{}", folder.text("front")),
            child: command
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
            folder,
        };
        let is_up = eventually(PATIENCE, || Client::try_connect(&front.address).is_ok());
        assert!(is_up, "{command:?}: {}", front.output());
        front
    }

    /// nginx with these lines in its `http` block; `listen unix:FOLDER/front` has to be among them.
    pub(crate) fn nginx(nginx: &Path, folder: Folder, http: &str) -> Front {
        let configuration = format!(
            "daemon off; master_process off; pid {pid}; error_log stderr crit;\n\
             events {{}}\n\
             http {{ client_body_temp_path {temp}; proxy_temp_path {temp};\n\
             fastcgi_temp_path {temp}; uwsgi_temp_path {temp}; scgi_temp_path {temp};\n\
             {http}}}\n",
            pid = folder.text("pid"),
            temp = folder.text("temp"),
        );
        let file = folder.file("nginx.conf", configuration);
        let mut command = Command::new(nginx);
        command.arg("-c").arg(file).arg("-p").arg(folder.as_ref());
        Front::start(folder, command)
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.address)
    }

    /// What it printed until now.
    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(self.folder.path("output")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where nginx is; a test that has to do without it is skipped, also with `CI=true`: to install it would
/// have it serve the machine.
pub(crate) fn nginx(test: &str) -> Option<PathBuf> {
    let found = program("nginx");
    if found.is_none() {
        skipped(test, "nginx is not installed");
    }
    found
}
