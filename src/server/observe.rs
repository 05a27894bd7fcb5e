//! The server as the console sees it.
//!
//! Rules: nothing here waits for a lock that a worker may hold for long; what cannot be had cheaply is left out.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::Server;
use super::access_log::AccessLog;
use super::served::Served;
use super::table::Standing;
use crate::console::metrics::{head, single};
use crate::console::{Host, Of};
use crate::handler::admission::LINE_MAX;
#[cfg(feature = "fastcgi")]
use crate::handler::fastcgi::pool::Pool;
use crate::handler::site::Why;
use crate::proto::Reason;
use crate::proto::http::host::Authority;
use crate::proto::json::Json;
use crate::sys::clock::epoch_seconds;
use crate::sys::descriptors;
use crate::sys::listener::Bound;
use crate::sys::look;

impl Host for Server {
    fn state(&self, json: &mut Json) {
        let facts = Facts::of(self);
        json.count("uptime", facts.uptime);
        json.name("connections").object();
        for (name, count) in facts.connections {
            json.count(name, count);
        }
        json.count("max", self.settings.max_connections as u64)
            .end_object();
        json.name("workers").object();
        json.count("busy", facts.busy)
            .count("all", facts.workers)
            .end_object();
        json.name("programs").object();
        json.count("running", facts.running)
            .count("max", self.settings.max_processes as u64)
            .count("waiting", facts.waiting)
            .count("line", LINE_MAX as u64)
            .end_object();
        json.name("backends").array();
        #[cfg(feature = "fastcgi")]
        for (site, route, pool) in pools(&self.current.served()) {
            for backend in pool.vitals() {
                json.object().name("site").optional(site.as_deref());
                json.text("route", &route)
                    .text("address", &backend.address)
                    .name("up")
                    .truth(backend.is_up)
                    .count("busy", backend.busy)
                    .count("max", backend.max)
                    .count("kept", backend.kept)
                    .count("requests", backend.requests)
                    .count("failures", backend.failures)
                    .end_object();
            }
        }
        json.end_array();
        let (used, max) = self.room.disk();
        json.name("spool")
            .object()
            .count("used", used)
            .count("max", max)
            .end_object();
        json.name("descriptors").object();
        json.count("open", facts.descriptors)
            .count("max", facts.descriptors_max)
            .end_object();
        json.count("memory", facts.memory)
            .count("lines_dropped", facts.lines_dropped);
    }

    fn gauges(&self, text: &mut String) {
        let facts = Facts::of(self);
        head(
            text,
            "connections",
            "gauge",
            "Connections of clients, by what they are at.",
        );
        for (name, count) in facts.connections {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "tollgate_connections{{state=\"{name}\"}} {count}");
        }
        let (used, max) = self.room.disk();
        let settings = &self.settings;
        for (name, help, value) in [
            ("uptime_seconds", "Since the start.", facts.uptime),
            (
                "connections_limit",
                "The most connections.",
                settings.max_connections as u64,
            ),
            (
                "workers_busy",
                "Workers that answer a request or run a program.",
                facts.busy,
            ),
            ("workers", "Workers.", facts.workers),
            ("programs_running", "Programs that run.", facts.running),
            (
                "programs_limit",
                "The most programs.",
                settings.max_processes as u64,
            ),
            (
                "programs_waiting",
                "Requests in line for a program.",
                facts.waiting,
            ),
            (
                "spool_bytes",
                "Disk that bodies and unsent output take.",
                used,
            ),
            ("spool_limit_bytes", "The most of that.", max),
            ("open_fds", "Open descriptors.", facts.descriptors),
            ("max_fds", "The most of them.", facts.descriptors_max),
            (
                "resident_memory_bytes",
                "Memory that is in use.",
                facts.memory << 10,
            ),
        ] {
            single(text, name, "gauge", help, value);
        }
        let dropped = facts.lines_dropped;
        single(
            text,
            "log_lines_dropped",
            "gauge",
            "Lines of the access log lost since one was last written.",
            dropped,
        );
        #[cfg(feature = "fastcgi")]
        self.backend_gauges(text);
    }

    fn why(&self, of: Of<'_>, target: &[u8], method: &str) -> Why {
        let served = self.current.served();
        let hosted = match of {
            Of::Site(name) => served.sites.iter().find(|hosted| hosted.name == name),
            Of::Host("") => served.sites.first(),
            Of::Host(authority) => {
                let authority = Authority::parse(authority.as_bytes()).ok();
                served.site_of_host(authority.map(|authority| authority.host))
            }
        };
        match (hosted, of) {
            (Some(hosted), _) => Why {
                site: hosted.name.clone(),
                ..hosted.site.why(target, method)
            },
            (None, Of::Site(_)) => Why::of_no_site("Its site is not served any more.", None),
            (None, Of::Host(_)) => {
                Why::of_no_site("No site has this host.", Some(Reason::HostUnknown))
            }
        }
    }

    fn bound(&self) -> Bound {
        let listeners = self.listeners.all();
        let first = listeners.first().map(|(_, it)| it.bound().clone());
        first.unwrap_or_else(|| Bound::Unix(PathBuf::new()))
    }

    fn is_stopping(&self) -> bool {
        Server::is_leaving(self)
    }
}

#[cfg(feature = "fastcgi")]
impl Server {
    fn backend_gauges(&self, text: &mut String) {
        use crate::console::metrics::label;
        use crate::handler::fastcgi::pool::Vitals;
        let (mut all, mut lines) = (Vec::new(), Vec::new());
        for (site, route, pool) in pools(&self.current.served()) {
            let mut labels = match site {
                Some(site) => format!("site=\"{}\",", label(&site)),
                None => String::new(),
            };
            let _ = write!(labels, "route=\"{}\"", label(&route));
            lines.push((labels.clone(), pool.waiting()));
            all.extend(pool.vitals().into_iter().map(|it| (labels.clone(), it)));
        }
        if all.is_empty() {
            return;
        }
        let help = "Requests in line for a route's backends.";
        head(text, "backends_waiting", "gauge", help);
        for (labels, waiting) in lines {
            let _ = writeln!(text, "tollgate_backends_waiting{{{labels}}} {waiting}");
        }
        type Value = fn(&Vitals) -> u64;
        let metrics: [(&str, &str, &str, Value); 5] = [
            ("backend_up", "gauge", "Whether a backend is asked.", |it| {
                it.is_up.into()
            }),
            ("backend_busy", "gauge", "Requests at a backend.", |it| {
                it.busy
            }),
            ("backend_kept", "gauge", "Idle connections to it.", |it| {
                it.kept
            }),
            (
                "backend_requests_total",
                "counter",
                "Requests that it was given.",
                |it| it.requests,
            ),
            (
                "backend_failures_total",
                "counter",
                "How often it failed.",
                |it| it.failures,
            ),
        ];
        for (name, kind, help, value) in metrics {
            head(text, name, kind, help);
            for (labels, backend) in &all {
                let address = label(&backend.address);
                let value = value(backend);
                let _ = writeln!(
                    text,
                    "tollgate_{name}{{{labels},backend=\"{address}\"}} {value}"
                );
            }
        }
    }
}

/// The application of each route, after its site, where there are several, and its route.
#[cfg(feature = "fastcgi")]
fn pools(served: &Served) -> Vec<(Option<String>, String, Arc<Pool>)> {
    let mut pools = Vec::new();
    for hosted in &served.sites {
        let site = Some(&hosted.name).filter(|name| !name.is_empty());
        for (route, pool) in hosted.settings.fastcgi.routes.iter().zip(&hosted.pools) {
            pools.push((site.cloned(), route.key.to_string(), Arc::clone(pool)));
        }
    }
    pools
}

/// How many lines of access logs were lost since one was last written; sites may share a log.
fn lines_lost(served: &Served) -> u64 {
    let mut logs: Vec<*const AccessLog> = Vec::new();
    let mut lost = 0;
    for hosted in &served.sites {
        let log = Arc::as_ptr(&hosted.access_log);
        if !logs.contains(&log) {
            logs.push(log);
            lost += hosted.access_log.lost();
        }
    }
    lost
}

struct Facts {
    uptime: u64,
    connections: [(&'static str, u64); 5],
    busy: u64,
    workers: u64,
    running: u64,
    waiting: u64,
    descriptors: u64,
    descriptors_max: u64,
    /// KiB.
    memory: u64,
    lines_dropped: u64,
}

impl Facts {
    fn of(server: &Server) -> Facts {
        let running = server.admission.running() as u64;
        let spare = server.settings.max_processes + super::checks_at_once(&server.settings);
        let counts = server.parking.table.standings();
        let count = |standing: Standing| counts[standing as usize];
        Facts {
            uptime: epoch_seconds().saturating_sub(server.started),
            connections: [
                ("idle", count(Standing::Idle)),
                ("head", count(Standing::Head)),
                ("body", count(Standing::Body)),
                ("busy", count(Standing::Busy)),
                ("sending", count(Standing::Sending)),
            ],
            busy: server.seats.busy() as u64 + running,
            workers: (server.settings.threads + spare) as u64,
            running,
            waiting: server.admission.waiting() as u64,
            descriptors: descriptors::count_open(),
            descriptors_max: descriptors::limit(),
            memory: look::own_memory(),
            lines_dropped: lines_lost(&server.current.served()),
        }
    }
}
