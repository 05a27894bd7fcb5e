//! What starts the server and looks after its files on systems without systemd: the scripts of `dist/`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Client, PATIENCE, Site, eventually, installed, request, run, tollgate};

const TREE: &str = env!("CARGO_MANIFEST_DIR");

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn logrotate_has_a_new_log_begun() {
    const TEST: &str = "logrotate_has_a_new_log_begun";
    let Some(logrotate) = installed(TEST, "logrotate") else {
        return;
    };
    let server = Site::new().serve(&[]);
    server.get("/first");
    server.wait_for_access("/first");
    // The server here has no systemd, so another one stands in for `systemctl reload`.
    let bin = server.path("bin");
    fs::create_dir(&bin).unwrap();
    script(
        &bin.join("systemctl"),
        &format!(
            "#!/bin/sh\n[ \"$1\" != reload ] || kill -HUP {}\n",
            server.pid()
        ),
    );
    let shipped = fs::read_to_string(Path::new(TREE).join("dist/logrotate/tollgate")).unwrap();
    let ours = shipped.replace("/var/log/tollgate/*.log", &server.text("access.log"));
    assert_ne!(shipped, ours);
    let config = server.path("logrotate.conf");
    fs::write(&config, ours).unwrap();
    // It does not trust a file or a folder that others may write to.
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(server.path(""), fs::Permissions::from_mode(0o700)).unwrap();
    let ran = run(Command::new(logrotate)
        .args(["--force", "--state"])
        .arg(server.path("state"))
        .arg(&config)
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display())));
    assert!(ran.status.success(), "{}", ran.stderr);
    // The new one is made by the server.
    let made = eventually(PATIENCE, || server.path("access.log").exists());
    assert!(made, "{}", ran.stderr);
    server.get("/second");
    server.wait_for_access("/second");
    assert!(!server.access_log().contains("/first"));
    let old = fs::read_to_string(server.path("access.log.1")).unwrap();
    assert!(old.contains("/first") && !old.contains("/second"), "{old}");
}

#[test]
fn the_script_for_busybox_starts_and_stops_a_server() {
    const TEST: &str = "the_script_for_busybox_starts_and_stops_a_server";
    if installed(TEST, "start-stop-daemon").is_none() {
        return;
    }
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    let binary = tollgate();
    let socket = format!("unix:{}", site.text("socket"));
    site.file(
        "settings",
        format!(
            "PROGRAM='{}'\nROOT='{}'\nOPTIONS='--allow-root --listen {socket}'\nLOG='{}'\nPIDFILE='{}'\n",
            binary.get_program().to_str().unwrap(),
            site.text(""),
            site.text("log"),
            site.text("pid"),
        ),
    );
    let control = |action: &str| {
        run(Command::new("/bin/sh")
            .arg(Path::new(TREE).join("dist/busybox/S80tollgate"))
            .arg(action)
            .env("SETTINGS", site.path("settings")))
    };
    let ran = control("start");
    assert!(ran.status.success(), "{}", ran.stderr);
    let log = || fs::read_to_string(site.path("log")).unwrap_or_default();
    let answers = || {
        let mut client = Client::try_connect(&socket).ok()?;
        client.send(request("GET", "/page.txt", &["Connection: close"], b""));
        Some(client.read_response("GET").text())
    };
    let mut page = None;
    let served = eventually(PATIENCE, || {
        page = answers();
        page.is_some()
    });
    assert!(served, "{}", log());
    assert_eq!(page.unwrap(), "a page\n");
    assert!(log().contains("tollgate: unix:"), "{}", log());
    let ran = control("stop");
    assert!(ran.status.success(), "{}", ran.stderr);
    assert!(!site.path("pid").exists());
    assert!(answers().is_none(), "it is there still");
    // Once more is no error.
    assert!(control("stop").status.success());
}
