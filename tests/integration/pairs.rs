//! tollgate behind HAProxy and nginx, over connections that both keep: no pair may disagree on where a
//! request ends. Each row of `tests/attacks` is sent through the proxy, and whatever that passes on has
//! to be what tollgate answers: the same requests, as many, in the same order. The proxies are set up to
//! pass on as much as they can be made to.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use crate::support::attacks::{Row, table};
use crate::support::{Folder, Front, PATIENCE, Server, Site, eventually, installed, nginx};

/// Follows each row, and is a request of its own where the row ends as all think it does.
const NEXT: &str = "GET /next.txt HTTP/1.1\r\nHost: h\r\n\r\n";

/// A request as a log has it: its method and target.
type Request = (String, String);

/// tollgate at a unix socket, with a file for each row that tells its name.
fn serve(rows: &[Row]) -> Server {
    let site = Site::new();
    site.file("www/page.txt", "a page\n");
    site.file("www/next.txt", "next\n");
    site.file("www/hidden", "what was smuggled\n");
    fs::create_dir(site.path("www/folder")).unwrap();
    for row in rows {
        site.file(&format!("www/canary/{}", row.name), &row.name);
    }
    let socket = format!("unix:{}", site.text("socket"));
    site.listen(&[&socket]).serve(&[])
}

/// The whole lines of a log: the last one may be half written.
fn whole_lines(log: &str) -> &str {
    &log[..log.rfind('\n').map_or(0, |end| end + 1)]
}

/// What tollgate's access log has past `start`.
fn answered(server: &Server, start: usize) -> Seen {
    let log = server.access_log();
    let lines = whole_lines(&log)[start..].lines();
    Seen::of(lines.map(|line| line.split('"').nth(1).unwrap()))
}

/// What a proxy's log past `start` says it passed on: `passed METHOD TARGET`.
fn passed_on(front: &Front, start: usize) -> Seen {
    let output = front.output();
    let lines = whole_lines(&output)[start..].lines();
    Seen::of(lines.filter_map(|line| line.strip_prefix("passed ")))
}

/// The requests that a log has for a row.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Those of the connection that the row came by, in their order.
    requests: Vec<Request>,
    /// How often there is that of the next connection, whose place in the order may be any.
    canaries: usize,
}

impl Seen {
    fn of<'l>(lines: impl Iterator<Item = &'l str>) -> Seen {
        let all = lines.map(|line| request(line.split(' ')));
        let (canaries, mut requests): (Vec<Request>, Vec<Request>) =
            all.partition(|(_, target)| target.starts_with("/canary/"));
        // Those that come over two connections are logged by two threads, whichever is first.
        requests.sort();
        Seen {
            requests,
            canaries: canaries.len(),
        }
    }
}

/// The method and the path, up to what a log escapes in its own way. Proxies differ in whether they leave
/// the absolute-form as it is.
fn request<'w>(mut words: impl Iterator<Item = &'w str>) -> Request {
    let mut next = || words.next().unwrap_or_default();
    let (method, target) = (next(), next());
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let plain = path.split(['#', '\\']).next().unwrap_or_default();
    (method.to_string(), plain.to_string())
}

/// Sends all rows through the proxy, each with what follows it, and fails where the two disagree.
#[track_caller]
fn agree(rows: &[Row], server: &Server, front: &Front) {
    let mut faults = String::new();
    let mut passed = 0;
    for row in rows {
        let from = whole_lines(&front.output()).len();
        let log_from = whole_lines(&server.access_log()).len();
        let mut client = front.connect();
        let _ = client.try_send([&row.bytes, NEXT.as_bytes()].concat());
        // What waits for more is told that there is none.
        client.half_close();
        let raw = client.read_to_end();

        let mut client = front.connect();
        client.send(format!(
            "GET /canary/{} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            row.name
        ));
        let canary = client.read_response("GET");
        let told = String::from_utf8_lossy(&canary.body);
        if canary.status != 200 || told != row.name {
            writeln!(
                faults,
                "{}: another was given {} {told:?}",
                row.name, canary.status
            )
            .unwrap();
        }

        let agreed = eventually(PATIENCE, || {
            let passed = passed_on(front, from);
            passed.canaries == 1 && passed == answered(server, log_from)
        });
        let (sent, seen) = (passed_on(front, from), answered(server, log_from));
        if !agreed {
            writeln!(
                faults,
                "{}: {sent:?} was passed on, and {seen:?} answered",
                row.name
            )
            .unwrap();
        }
        // What the client got are the answers to what was passed on, and perhaps a refusal of the proxy's;
        // one that the client left unfinished may have none.
        let (count, answers) = (sent.requests.len(), status_lines(&raw));
        if !(count.saturating_sub(1)..=count + 1).contains(&answers) {
            writeln!(faults, "{}: {answers} answers to {sent:?}", row.name).unwrap();
        }
        if seen
            .requests
            .iter()
            .any(|(_, target)| target.contains("/hidden"))
        {
            writeln!(faults, "{}: a body was taken for a request", row.name).unwrap();
        }
        passed += count;
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(
        passed > 100,
        "only {passed} requests were passed on: {}",
        front.output()
    );
}

/// How many final responses there are, by their status lines.
fn status_lines(raw: &[u8]) -> usize {
    let is_start =
        |window: &[u8]| window.starts_with(b"HTTP/1.") && window[8] == b' ' && window[9] != b'1';
    raw.windows(12).filter(|window| is_start(window)).count()
}

fn rows() -> Vec<Row> {
    let mut rows = table("taken.table");
    rows.extend(table("refused.table"));
    rows
}

/// HAProxy with this option in its `defaults`.
fn haproxy(test: &str, option: &str) {
    let Some(haproxy) = installed(test, "haproxy") else {
        return;
    };
    let rows = rows();
    let server = serve(&rows);
    let folder = Folder::new();
    let upstream = server.addresses()[0].replace("unix:", "unix@");
    let configuration = format!(
        "global\n log stdout format raw local0\n\
         defaults\n mode http\n log global\n {option}\n\
         log-format \"%s %HM %HU\"\n\
         timeout connect 20s\n timeout server 20s\n timeout client 2s\n\
         option http-keep-alive\n http-reuse always\n retries 0\n\
         frontend front\n bind unix@{front}\n\
         default_backend back\n\
         backend back\n server passed {upstream}\n",
        front = folder.text("front"),
    );
    let file = folder.file("haproxy.cfg", configuration);
    let mut command = Command::new(haproxy);
    command.arg("-db").arg("-f").arg(file);
    agree(&rows, &server, &Front::start(folder, command));
}

#[test]
fn haproxy_and_tollgate_agree_where_a_request_ends() {
    haproxy("haproxy_and_tollgate_agree_where_a_request_ends", "");
}

#[test]
fn a_lenient_haproxy_and_tollgate_agree_where_a_request_ends() {
    haproxy(
        "a_lenient_haproxy_and_tollgate_agree_where_a_request_ends",
        "option accept-invalid-http-request",
    );
}

/// nginx with these lines beside its `server`.
fn behind_nginx(test: &str, lines: &str) {
    let Some(nginx) = nginx(test) else {
        return;
    };
    let rows = rows();
    let server = serve(&rows);
    let folder = Folder::new();
    let http = format!(
        "map $upstream_addr $passed {{ '' kept; default passed; }}\n\
         log_format pair '$passed $request_method $request_uri';\n\
         access_log /dev/stdout pair; merge_slashes off;\n\
         upstream tollgate {{ server {upstream}; keepalive 4; }}\n\
         {lines}\n\
         server {{ listen unix:{front}; location / {{ proxy_pass http://tollgate;\n\
         proxy_http_version 1.1; proxy_set_header Connection ''; proxy_next_upstream off;\n\
         proxy_ignore_client_abort on; }} }}\n",
        upstream = server.addresses()[0],
        front = folder.text("front"),
    );
    agree(&rows, &server, &Front::nginx(&nginx, folder, &http));
}

#[test]
fn nginx_and_tollgate_agree_where_a_request_ends() {
    behind_nginx("nginx_and_tollgate_agree_where_a_request_ends", "");
}

#[test]
fn a_lenient_nginx_and_tollgate_agree_where_a_request_ends() {
    behind_nginx(
        "a_lenient_nginx_and_tollgate_agree_where_a_request_ends",
        "ignore_invalid_headers off; underscores_in_headers on; proxy_request_buffering off;",
    );
}
