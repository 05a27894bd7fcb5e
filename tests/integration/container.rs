//! The container image and the manifests for Kubernetes, without either: what they have tollgate do is done here, with
//! the ports and folders of a test, and what they say twice is the same.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::health::ask;
use crate::support::{Server, Site, run, tollgate};

fn committed(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What follows the only line that begins so.
fn rest_of<'t>(text: &'t str, beginning: &str) -> &'t str {
    let mut found = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix(beginning));
    let rest = found.next();
    assert!(found.next().is_none(), "{beginning} is there twice");
    rest.unwrap_or_else(|| panic!("no {beginning}")).trim()
}

/// The words of an instruction in its exec form.
fn words<'t>(text: &'t str, instruction: &str) -> Vec<&'t str> {
    let list = rest_of(text, instruction);
    let words = list.split('"').skip(1).step_by(2).collect();
    assert!(list.starts_with('[') && list.ends_with(']'), "{list}");
    words
}

/// The number at the end of an address.
fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap()
}

#[test]
fn the_image_serves_as_its_containerfile_says() {
    let text = committed("dist/container/Containerfile");
    assert_eq!(rest_of(&text, "FROM "), "scratch");
    assert_eq!(words(&text, "ENTRYPOINT "), ["/tollgate"]);
    let user = rest_of(&text, "USER ").split(':');
    let is_somebody = |id: &str| id.parse::<u32>().is_ok_and(|id| id != 0);
    assert!(user.clone().count() == 2 && user.clone().all(is_somebody));
    let words = words(&text, "CMD ");
    let [_, listen, _, health, _, _, root] = words[..] else {
        panic!("{words:?}");
    };
    assert_eq!([words[0], words[2], root], ["--listen", "--health", "/srv"]);
    // In a container the loopback address is reached by nobody.
    assert!([listen, health].iter().all(|it| it.starts_with("0.0.0.0:")));
    let ports = format!("{} {}", port(listen), port(health));
    assert_eq!(rest_of(&text, "EXPOSE "), ports);

    let site = Site::bare();
    site.file("www/index.html", committed("dist/container/www/index.html"));
    let server = site.serve(&["--health", "127.0.0.1:0", words[4], words[5]]);
    assert!(server.get("/").text().contains("<h1>tollgate runs</h1>"));
    assert_eq!(ask(&server, "GET /healthz HTTP/1.0").status, 200);
    end(server);
}

/// Ends a server that would serve on for a while.
fn end(server: Server) {
    server.signal(rustix::process::Signal::TERM);
}

#[cfg(all(feature = "config", feature = "fastcgi"))]
#[test]
fn pods_serve_as_the_manifests_say() {
    let text = committed("examples/kubernetes/tollgate.yaml");
    let (before, rest) = text.split_once("  tollgate.conf: |\n").unwrap();
    assert!(before.contains("\nkind: ConfigMap\n"));
    let (config, _) = rest.split_once("---\n").unwrap();
    let config: String = config
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
        .collect();
    let value = |name: &str| rest_of(&config, &format!("{name} ")).to_owned();

    // Where the probes, Prometheus and the Service ask, somebody listens.
    for (name, port_of) in [("web", "listen"), ("health", "health")] {
        let address = value(port_of);
        let named = format!("{{name: {name}, containerPort: {}}}", port(&address));
        assert!(
            address.starts_with("0.0.0.0:") && text.contains(&named),
            "{named}"
        );
    }
    let scraped = format!("prometheus.io/port: \"{}\"", port(&value("health")));
    assert!(text.contains(&scraped), "{scraped}");
    assert_eq!(text.matches("{path: /healthz, port: health}").count(), 2);
    assert!(text.contains("args: [--config, /etc/tollgate/tollgate.conf]"));
    assert!(text.contains("mountPath: /etc/tollgate, readOnly: true"));
    // The user of the image.
    let user = rest_of(&text, "runAsUser: ");
    let image = committed("dist/container/Containerfile");
    assert_eq!(rest_of(&image, "USER "), format!("{user}:{user}"));
    // Whoever is told to stop has the time for it, and is out of the Service before it closes.
    let seconds = |text: &str| Duration::from_secs(text.parse().unwrap());
    let delay = seconds(&value("stop-delay"));
    let ends = delay + seconds(&value("drain-timeout")) + Duration::from_secs(5);
    assert!(seconds(rest_of(&text, "terminationGracePeriodSeconds: ")) > ends);
    assert!(seconds("2") < delay && text.contains("periodSeconds: 2\n"));

    // The configuration, as it stands but for its addresses.
    let site = Site::bare();
    site.file("site/index.html", "a page\n");
    let mut own = config.clone();
    for (from, to) in [
        ("0.0.0.0:8080", "127.0.0.1:0".to_owned()),
        ("0.0.0.0:9100", "127.0.0.1:0".to_owned()),
        ("/=/srv/www", format!("/={}", site.text("site"))),
        ("/app/=app:9000", "/app/=127.0.0.1:9".to_owned()),
    ] {
        assert_eq!(own.matches(from).count(), 1, "{from}");
        own = own.replace(from, &to);
    }
    let file = site.file("tollgate.conf", own);
    let arguments = ["--config", file.to_str().unwrap(), "--allow-root"];
    let checked = run(tollgate().args(arguments).arg("check-config"));
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let server = site.serve_file("tollgate.conf", &["--health", "127.0.0.1:0"]);
    assert_eq!(server.get("/").text(), "a page\n");
    // The metric is made of what is there.
    let rule = committed("examples/kubernetes/prometheus-adapter.yaml");
    assert!(rule.contains("{__name__=~\"tollgate_(programs|backends)_waiting\""));
    let metrics = ask(&server, "GET /metrics HTTP/1.0").text();
    for line in [
        "\ntollgate_programs_waiting 0\n",
        "\ntollgate_backends_waiting{route=\"/app/\"} 0\n",
    ] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }
    let made = rest_of(&rule, "name: {as: ").trim_end_matches('}');
    assert!(
        text.contains(&format!("metric: {{name: {made}}}")),
        "{made}"
    );
    end(server);
}
