//! The console: what it shows of a request, to whom, and that what it says can be done again.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Client, Response, Server, Site, eventually, installed};
use crate::support::{PATIENCE, request};

/// What the console answers to a GET with these fields.
pub(crate) fn ask(server: &Server, target: &str, fields: &[&str]) -> Response {
    let (address, _) = server.console();
    let mut client = Client::connect(address);
    let mut all = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n");
    fields
        .iter()
        .for_each(|field| all.push_str(&format!("{field}\r\n")));
    client.send(all + "\r\n");
    client.read_response("GET")
}

/// The same, of what has to be there.
#[track_caller]
pub(crate) fn read(server: &Server, target: &str) -> String {
    let response = ask(server, target, &[]);
    assert_eq!(response.status, 200, "{target}: {response:?}");
    response.text()
}

/// The same, with the token.
#[track_caller]
pub(crate) fn read_all(server: &Server, target: &str) -> String {
    let token = format!("X-Tollgate-Token: {}", server.console().1);
    let response = ask(server, target, &[&token]);
    assert_eq!(response.status, 200, "{target}: {response:?}");
    response.text()
}

/// The list of journeys, once it has one of this target.
#[track_caller]
pub(crate) fn list_with(server: &Server, target: &str) -> String {
    let mut list = String::new();
    let wanted = format!("\"target\":\"{target}\"");
    let found = eventually(PATIENCE, || {
        list = read(server, "/api/journeys");
        list.contains(&wanted)
    });
    assert!(found, "{target} is not in {list}");
    list
}

/// The number of the last journey with this target.
#[track_caller]
fn seq_of(server: &Server, target: &str) -> u64 {
    let list = list_with(server, target);
    let at = list.rfind(&format!("\"target\":\"{target}\"")).unwrap();
    let before = &list[..at];
    let seq = &before[before.rfind("\"seq\":").unwrap() + 6..];
    seq[..seq.find(',').unwrap()].parse().unwrap()
}

/// A journey by its target, as it is shown with the token where secrets are asked for.
#[track_caller]
pub(crate) fn revealed(server: &Server, target: &str) -> String {
    let seq = seq_of(server, target);
    read_all(server, &format!("/api/journeys/{seq}?reveal=1"))
}

/// The string that a member of this name has.
#[track_caller]
fn member(json: &str, name: &str) -> String {
    let start = format!("\"{name}\":\"");
    let at = json
        .find(&start)
        .unwrap_or_else(|| panic!("no {name} in {json}"));
    let mut letters = json[at + start.len()..].chars();
    let mut text = String::new();
    loop {
        match letters.next().unwrap() {
            '"' => return text,
            '\\' => match letters.next().unwrap() {
                'n' => text.push('\n'),
                'u' => {
                    let digits: String = letters.by_ref().take(4).collect();
                    let number = u32::from_str_radix(&digits, 16).unwrap();
                    text.push(char::from_u32(number).unwrap());
                }
                letter => text.push(letter),
            },
            letter => text.push(letter),
        }
    }
}

#[track_caller]
pub(crate) fn has(json: &str, parts: &[&str]) {
    for part in parts {
        assert!(json.contains(part), "{part} is not in {json}");
    }
}

/// What a line of the console does in a shell.
fn shell(line: &str) -> Vec<u8> {
    let mut command = Command::new("/bin/sh");
    // Nothing of this test's own gets into what is to be the whole environment.
    command
        .arg("-c")
        .arg(line)
        .stdin(Stdio::null())
        .env("LEAKED", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    output.stdout
}

fn start(arguments: &[&str]) -> Server {
    Server::start(&[&["--console", "127.0.0.1:0"], arguments].concat())
}

#[test]
fn a_request_is_shown_with_what_became_of_it() {
    let site = Site::new();
    site.file("www/page.html", "<p>");
    site.file("www/folder/page.html", "");
    site.script(
        "cgi-bin/bad",
        "#!/bin/sh\necho no header; echo it failed >&2; exit 3\n",
    );
    let server = site.serve(&["--console", "127.0.0.1:0", "--listing"]);
    for target in [
        "/page.html",
        "/missing",
        "/folder",
        "/folder/",
        "/cgi-bin/bad",
        "/cgi-bin/probe/hello",
    ] {
        server.get(target);
        // An answer is there before its exchange has ended, and the next one may end sooner.
        list_with(&server, target);
    }
    server.exchange(
        "GET",
        b"GET /odd HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n",
    );
    let list = list_with(&server, "/odd");
    for (target, status, reason, route, kind) in [
        ("/page.html", 200, "null", "\"/\"", "file"),
        ("/missing", 404, "\"file.not-found\"", "\"/\"", "refusal"),
        ("/folder", 301, "null", "\"/\"", "redirect"),
        ("/folder/", 200, "null", "\"/\"", "listing"),
        (
            "/cgi-bin/bad",
            502,
            "\"cgi.no-header\"",
            "\"/cgi-bin/\"",
            "program",
        ),
        (
            "/cgi-bin/probe/hello",
            200,
            "null",
            "\"/cgi-bin/\"",
            "program",
        ),
        ("/odd", 400, "\"head.field-name\"", "null", "refusal"),
    ] {
        let part = format!(
            "\"client\":\"127.0.0.1\",\"method\":\"GET\",\"target\":\"{target}\",\"status\":{status},\
             \"reason\":{reason},\"site\":null,\"route\":{route},\"kind\":\"{kind}\""
        );
        has(&list, &[&part]);
    }
    let bad = revealed(&server, "/cgi-bin/bad");
    let ids = format!(
        "\"id\":\"{}\"",
        member(&list[list.find("/cgi-bin/bad").unwrap() - 120..], "id")
    );
    has(
        &bad,
        &[
            &ids,
            "\"line\":\"GET /cgi-bin/bad HTTP/1.1\"",
            "{\"name\":\"Host\",\"value\":\"tollgate.test\"}",
            "\"result\":\"found\"",
            "{\"name\":\"received\",\"at\":0},{\"name\":\"resolved\",\"at\":",
            "{\"name\":\"started\",\"at\":",
            "{\"name\":\"first byte\",\"at\":",
            "{\"name\":\"exit\",\"at\":",
            "{\"name\":\"last byte\",\"at\":",
            "\"ending\":\"exit status 3\"",
            "\"name\":\"SCRIPT_NAME\",\"value\":\"/cgi-bin/bad\",\"meaning\":\"the part of the path that names the \
             program\",\"section\":\"RFC 3875, 4.1.13\"",
            "\"stdin\":null",
            // "no header\n" and "it failed\n".
            "\"stdout\":{\"length\":10,\"cut\":false,\"base64\":\"bm8gaGVhZGVyCg==\"}",
            "\"stderr\":{\"length\":10,\"cut\":false,\"base64\":\"aXQgZmFpbGVkCg==\"}",
            "\"findings\":[{\"code\":\"cgi.no-header\",\"severity\":\"error\"",
            "{\"name\":\"Content-Length\",\"value\":",
        ],
    );
    for what in ["\"pid\":", "\"cpu\":", "\"memory\":"] {
        let value = &bad[bad.find(what).unwrap() + what.len()..];
        assert!(
            value.starts_with(|digit: char| digit.is_ascii_digit()),
            "{what} {bad}"
        );
    }
    server.wait_for_log(&format!(
        "{} /cgi-bin/bad: cgi.no-header",
        member(&bad, "id")
    ));
    assert_eq!(ask(&server, "/api/journeys/99999", &[]).status, 404);
    assert_eq!(ask(&server, "/api/journeys/x", &[]).status, 404);
    let toll = read(&server, "/api/toll");
    has(
        &toll,
        &["{\"site\":null,\"route\":\"/cgi-bin/\",\"kind\":\"program\",\"requests\":2,\"start\":"],
    );
}

#[test]
fn bodies_and_secrets_are_for_who_has_the_token() {
    let server = start(&[
        "--env",
        "DATABASE=secret-of-operator",
        "--env",
        "HTTP_AUTHORIZATION",
    ]);
    let fields = ["Cookie: secret-cookie", "Authorization: secret-credentials"];
    server.fetch("POST", "/cgi-bin/probe/copy", &fields, b"secret-body");
    server.fetch("GET", "/cgi-bin/probe/cookies", &[], b"");
    list_with(&server, "/cgi-bin/probe/cookies");
    let target = format!("/api/journeys/{}", seq_of(&server, "/cgi-bin/probe/copy"));
    let without = read(&server, &target);
    assert!(
        !without.contains("secret") && !without.contains("base64"),
        "{without}"
    );
    has(
        &without,
        &[
            "\"body\":{\"length\":11,\"hidden\":true}",
            "\"stdin\":{\"length\":11,\"hidden\":true}",
            "{\"name\":\"Cookie\",\"masked\":true}",
            "{\"name\":\"DATABASE\",\"masked\":true",
            "{\"name\":\"HTTP_AUTHORIZATION\",\"masked\":true",
        ],
    );
    let with = read_all(&server, &target);
    has(
        &with,
        &[
            "c2VjcmV0LWJvZHk=",
            "{\"name\":\"Cookie\",\"masked\":true}",
            "secret-body",
        ],
    );
    for secret in ["secret-cookie", "secret-credentials", "secret-of-operator"] {
        assert!(!with.contains(secret), "{with}");
        has(&read_all(&server, &format!("{target}?reveal=1")), &[secret]);
    }
    // The token that is wrong, and secrets without one.
    assert_eq!(ask(&server, &format!("{target}?reveal=1"), &[]).status, 403);
    for token in ["", "0", &"0".repeat(32), &server.console().1[1..]] {
        let field = format!("X-Tollgate-Token: {token}");
        let response = ask(&server, &target, &[&field]);
        let is_refused = response.status == 403 || token.is_empty();
        assert!(is_refused && !response.text().contains("secret"), "{token}");
    }
    let cookies = seq_of(&server, "/cgi-bin/probe/cookies");
    has(
        &read(&server, &format!("/api/journeys/{cookies}")),
        &["{\"name\":\"Set-Cookie\",\"masked\":true}"],
    );
    // Nothing of it is in a log.
    assert!(
        !server.log().contains(server.console().1)
            && !server.access_log().contains(server.console().1)
    );
}

#[test]
fn of_bodies_the_beginning_is_kept_and_of_requests_the_last() {
    let names: Vec<String> = (0..40).map(|number| format!("index-{number}")).collect();
    let server = start(&["--max-header", "64K", "--index", &names.join(",")]);
    let body = vec![b'x'; 100_000];
    server.post("/cgi-bin/probe/copy", &body);
    let copied = revealed(&server, "/cgi-bin/probe/copy");
    has(
        &copied,
        &["\"body\":{\"length\":100000,\"cut\":true,\"base64\":\"eHh4"],
    );
    let kept = format!("\"base64\":\"{}eHg=\"", "eHh4".repeat(8192 / 3));
    has(&copied, &[&kept, "# the body was longer, and is cut here"]);
    let stdout = &copied[copied.find("\"stdout\":").unwrap()..];
    assert!(
        stdout.contains("\"cut\":true")
            && member(stdout, "base64").len() == 8192_usize.div_ceil(3) * 4
    );
    server.fetch(
        "GET",
        "/long-head",
        &[&format!("X-Long: {}", "y".repeat(40_000))],
        b"",
    );
    let long = revealed(&server, "/long-head");
    let kept = long[..long.find("\"body\":").unwrap()].matches('y').count();
    assert!((15_000..16_384).contains(&kept), "{kept}");
    let why = read(&server, "/api/why?url=%2F");
    assert_eq!(why.matches("\"result\":").count(), 32, "{why}");
    // 256 are kept.
    let mut client = server.connect();
    for number in 0..300 {
        client.send(request("GET", &format!("/{number}"), &[], b""));
        client.read_response("GET");
    }
    let list = list_with(&server, "/299");
    assert_eq!(list.matches("\"seq\":").count(), 256);
    assert!(!list.contains("\"target\":\"/43\"") && list.contains("\"target\":\"/44\""));
    let after = format!("/api/journeys?after={}", seq_of(&server, "/299") - 1);
    assert_eq!(read(&server, &after).matches("\"seq\":").count(), 1);
    assert_eq!(
        read(&server, "/api/journeys?after=99999")
            .matches("\"seq\":")
            .count(),
        0
    );
}

#[test]
fn a_run_can_be_repeated_exactly() {
    let server = start(&["--env", "ODD=it's \"quoted\" $HOME `x` \\ *"]);
    let target = "/cgi-bin/probe/env/in%20fo?a=%27b%27&c=$(d)";
    let fields = ["X-Odd: it's \"odd\"; $(touch /nowhere)", "Cookie: a=b"];
    let seen = server.fetch("GET", target, &fields, b"").text();
    let printed = String::from_utf8(shell(&member(&revealed(&server, target), "run"))).unwrap();
    let (_, printed) = printed.split_once("\n\n").unwrap();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(printed), sorted(&seen));
    for body in [
        &b"text 'quoted' % \\n"[..],
        b"\0binary\xff\n\n",
        b"two\nlines\n",
    ] {
        // Each has a target of its own: the one before may be in the list alone.
        let target = format!("/cgi-bin/probe/copy?{}", body.len());
        server.post(&target, body);
        let run = member(&revealed(&server, &target), "run");
        let printed = shell(&run);
        assert!(printed.ends_with(body), "{run}: {printed:?}");
    }
    // The arguments, and the folder it ran in.
    for target in ["/cgi-bin/probe/args?one+two", "/cgi-bin/probe/process"] {
        let seen = server.get(target).text();
        let printed = shell(&member(&revealed(&server, target), "run"));
        let printed = String::from_utf8(printed).unwrap();
        let stable = |line: &&str| !line.contains("pid") && !line.contains("group");
        for line in seen
            .lines()
            .filter(stable)
            .filter(|line| line.contains("two") || line.starts_with("folder"))
        {
            assert!(printed.contains(line), "{line} is not in {printed}");
        }
    }
}

#[test]
fn a_request_can_be_repeated_exactly() {
    let test = "console::a_request_can_be_repeated_exactly";
    if installed(test, "curl").is_none() {
        return;
    }
    let server = start(&[]);
    for (number, (method, target, fields, body)) in [
        (
            "GET",
            "/a/../b?c=[d]{e}&f=%2F'g'",
            &["X-Empty:", "Accept: text/html"][..],
            &b""[..],
        ),
        ("HEAD", "/head", &["User-Agent: it's \"odd\""], b""),
        (
            "POST",
            "/cgi-bin/probe/copy",
            &["Content-Type: text/plain"],
            b"one 'two'\n",
        ),
        (
            "PUT",
            "/cgi-bin/probe/copy?put",
            &["X-A: 1", "X-A: 2"],
            b"\0\x01\xff",
        ),
        ("OPTIONS", "*", &[], b""),
    ]
    .into_iter()
    .enumerate()
    {
        let mark = format!("X-Mark: {number}");
        let fields = [fields, &[mark.as_str()]].concat();
        server.fetch(method, target, &fields, body);
        let (first, once) = (seq_of(&server, target), revealed(&server, target));
        shell(&format!("{} -s -o /dev/null", member(&once, "curl")));
        assert!(
            eventually(PATIENCE, || seq_of(&server, target) > first),
            "{once}"
        );
        let again = revealed(&server, target);
        assert_eq!(request_of(&again), request_of(&once), "{once}");
    }
}

/// The request of a journey: its line, its fields in no order, and the rest, which is the body.
fn request_of(json: &str) -> (String, Vec<&str>, &str) {
    let request = &json[json.find("\"request\":").unwrap()..json.find("\"why\":").unwrap()];
    let (fields, body) = request.split_once("],").unwrap();
    let mut fields: Vec<&str> = fields
        .split("{\"name\":")
        .skip(1)
        .map(|it| it.trim_end_matches(','))
        .collect();
    fields.sort_unstable();
    (member(request, "line"), fields, body)
}

#[test]
fn requests_are_told_as_they_come() {
    let server = start(&[]);
    let (address, _) = server.console();
    let mut listener = Client::connect(address);
    listener
        .send("GET /api/events HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n");
    listener.wait_for("\r\n\r\nretry: 1000\n\n");
    listener.wait_for("event: state\ndata: {\"version\":\"");
    for number in 0..3 {
        server.get(&format!("/live-{number}"));
        listener.wait_for(&format!("\"target\":\"/live-{number}\",\"status\":404"));
    }
    listener.wait_for("event: journey\nid: 3\ndata: {\"seq\":3,");
    let head = String::from_utf8_lossy(listener.pending()).into_owned();
    has(
        &head,
        &[
            "HTTP/1.1 200 OK\r\nConnection: close\r\n",
            "Content-Type: text/event-stream\r\n",
        ],
    );
    assert!(!head.to_lowercase().contains("access-control"));
    // One who has gone away leaves room: there are eight places.
    let listen = || {
        let mut client = Client::connect(address);
        client.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.wait_for("\r\n\r\n");
        client
    };
    let mut others: Vec<Client> = (0..7).map(|_| listen()).collect();
    let refused = || listen().pending().starts_with(b"HTTP/1.1 503 ");
    assert!(refused());
    others.pop();
    assert!(eventually(PATIENCE, || !refused()));
}

#[test]
fn it_answers_while_all_others_are_busy() {
    let server = start(&["--threads", "1", "--max-processes", "1"]);
    let running = server.run_until_gate();
    let mut waiting: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = server.connect();
            client.send(request("GET", "/cgi-bin/probe/hello", &[], b""));
            client
        })
        .collect();
    let mut receiving = server.connect();
    receiving.send("POST /cgi-bin/probe/copy HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    let mut idle = server.connect();
    idle.send(request("GET", "/", &[], b""));
    idle.read_response("GET");
    let mut state = String::new();
    let is_seen = eventually(PATIENCE, || {
        state = read(&server, "/api/state");
        [
            "\"connections\":{\"idle\":1,\"head\":0,\"body\":1,\"busy\":4,\"sending\":0,",
            "\"programs\":{\"running\":1,\"max\":1,\"waiting\":3,\"line\":1024}",
        ]
        .iter()
        .all(|part| state.contains(part))
    });
    assert!(is_seen, "{state}");
    has(
        &state,
        &[
            "\"backends\":[]",
            "\"spool\":{\"used\":0,",
            "\"lines_dropped\":0",
        ],
    );
    assert_eq!(read(&server, "/healthz"), "ok\n");
    has(
        &read(&server, "/metrics"),
        &["\ntollgate_programs_waiting 3\n"],
    );
    server.file("gate", "");
    waiting
        .iter_mut()
        .for_each(|client| assert_eq!(client.read_response("GET").status, 200));
    list_with(&server, "/cgi-bin/probe/hello");
    let hello = revealed(&server, "/cgi-bin/probe/hello");
    has(&hello, &["{\"name\":\"waited\",\"at\":"]);
    drop(running);
}

#[test]
fn metrics_are_written_as_prometheus_reads_them() {
    let server = start(&[]);
    server.get("/missing");
    server.get("/cgi-bin/probe/hello");
    list_with(&server, "/cgi-bin/probe/hello");
    let response = ask(&server, "/metrics", &[]);
    assert_eq!(
        response.field("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = response.text();
    let is_name = |name: &str| {
        name.starts_with("tollgate_")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let (mut known, mut last) = (Vec::new(), ("", 0));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(is_name(name) && help.ends_with('.'), "{line}");
            assert!(!known.contains(&name), "{name} is told of twice");
            known.push(name);
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(known.last(), Some(&name));
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            continue;
        }
        let (metric, value) = line.rsplit_once(' ').unwrap();
        assert!(
            value.parse::<f64>().is_ok_and(|value| value >= 0.0),
            "{line}"
        );
        let (name, labels) = metric.split_once('{').unwrap_or((metric, "}"));
        let family = *known.last().unwrap();
        let ends = ["", "_bucket", "_sum", "_count"];
        assert!(
            is_name(name) && ends.contains(&name.strip_prefix(family).unwrap()),
            "{line}"
        );
        let labels = labels.strip_suffix('}').unwrap();
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once('=').unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{line}");
            assert!(
                value.len() > 2 && value.starts_with('"') && value.ends_with('"'),
                "{line}"
            );
        }
        // Buckets hold those before them.
        let kind = labels.split_once(",le=").map_or("", |it| it.0);
        if name.ends_with("_bucket") {
            let count: u64 = value.parse().unwrap();
            assert!(kind != last.0 || count >= last.1, "{line}");
            last = (kind, count);
        }
    }
    has(
        &text,
        &[
            "\ntollgate_requests_total{kind=\"refusal\",status=\"4xx\"} 1\n",
            "\ntollgate_requests_total{kind=\"program\",status=\"2xx\"} 1\n",
            "\ntollgate_request_duration_seconds_bucket{kind=\"program\",le=\"+Inf\"} 1\n",
            "\ntollgate_request_duration_seconds_count{kind=\"program\"} 1\n",
            "\ntollgate_response_body_bytes_total{kind=\"program\"} 6\n",
            "\ntollgate_failures_total{reason=\"file.not-found\"} 1\n",
            "\ntollgate_programs_running 0\n",
        ],
    );
}

#[test]
fn any_url_is_explained_and_nothing_run() {
    let site = Site::new();
    site.file("www/page.html", "");
    site.file("www/folder/index.html", "");
    fs::create_dir_all(site.path("www/empty")).unwrap();
    site.file("www/app/x.txt", "");
    site.file("www/run.sh", "");
    site.file("cgi-bin/data", "");
    let ran = site.text("ran");
    site.script("cgi-bin/touch", format!("#!/bin/sh\ntouch {ran}\n"));
    let cgi = format!("/cgi-bin/={}", site.text("cgi-bin"));
    let server = site.serve(&["--console", "127.0.0.1:0", "-c", &cgi, "-c", ".sh=/bin/sh"]);
    for (url, kind, outcome, more) in [
        (
            "/page.html",
            "file",
            "would send ",
            &[
                "The path begins with /, the longest route",
                "page.html\",\"result\":\"found\"",
            ][..],
        ),
        (
            "http://any.test/folder/?x#y",
            "file",
            "would send ",
            &["index.html\",\"result\":\"found\"", "\"path\":\"/folder/\""],
        ),
        (
            "/folder",
            "redirect",
            "would answer 301",
            &["\"result\":\"a folder\""],
        ),
        (
            "/empty/",
            "refusal",
            "would answer 403",
            &[
                "\"reason\":\"file.folder\"",
                "index.html\",\"result\":\"not there\"",
            ],
        ),
        (
            "/missing",
            "refusal",
            "would answer 404",
            &["\"reason\":\"file.not-found\"", "\"result\":\"not there\""],
        ),
        (
            "/.hidden",
            "refusal",
            "would answer 404",
            &["\"reason\":\"file.hidden\"", "begins with a dot"],
        ),
        (
            "/cgi-bin/touch/in/fo",
            "program",
            "would run ",
            &["\"route\":\"/cgi-bin/\"", "PATH_INFO: /in/fo"],
        ),
        (
            "/cgi-bin/data",
            "refusal",
            "would answer 403",
            &["\"result\":\"not executable\""],
        ),
        (
            "/run.sh",
            "program",
            "would run /bin/sh for ",
            &[
                "\"route\":\".sh\"",
                "ends in .sh: such files are never sent",
            ],
        ),
        ("/a%2", "refusal", "would answer 400", &[]),
        ("", "refusal", "would answer 400", &[]),
    ] {
        let query: String = url.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let why = read(&server, &format!("/api/why?url={query}&method=GET"));
        has(
            &why,
            &[
                &format!("\"kind\":\"{kind}\""),
                &format!("\"outcome\":\"{outcome}"),
            ],
        );
        has(&why, more);
    }
    has(
        &read(&server, "/api/why?url=%2Fpage.html&method=POST"),
        &["\"reason\":\"file.method\""],
    );
    assert!(!fs::exists(ran).unwrap());
    assert_eq!(read(&server, "/api/journeys"), "{\"journeys\":[]}\n");
}

#[cfg(feature = "fastcgi")]
#[test]
fn an_application_is_shown_as_a_program_is() {
    let server = super::fastcgi_exec::serve("processes=1", &["--console", "127.0.0.1:0"]);
    server.fetch("POST", "/app/x", &[], b"a body");
    let shown = revealed(&server, "/app/x");
    has(
        &shown,
        &[
            "\"route\":\"/app/\",\"kind\":\"application\"",
            "{\"name\":\"connected\",\"at\":",
            "{\"name\":\"first byte\",\"at\":",
            "\"program\":null",
            "\"stdin\":{\"length\":6,\"cut\":false,\"base64\":\"YSBib2R5\"}",
            "\"name\":\"REQUEST_METHOD\",\"value\":\"POST\"",
            "\"run\":null",
        ],
    );
    has(
        &shown[shown.find("\"application\":{\"backend\":\"exec:").unwrap()..],
        &["(1)", "\"tried\":[],\"kept\":"],
    );
    assert!(member(&shown[shown.find("\"stdout\":").unwrap()..], "base64").len() > 20);
    let state = read(&server, "/api/state");
    has(
        &state,
        &[
            "\"backends\":[{\"site\":null,\"route\":\"/app/\",\"address\":\"exec:",
            "\"up\":true,\"busy\":0,\"max\":1,",
        ],
    );
    has(
        &read(&server, "/metrics"),
        &["tollgate_backend_up{route=\"/app/\",backend=\"exec:"],
    );
    has(
        &read(&server, "/api/why?url=%2Fapp%2F"),
        &["would ask the application exec:"],
    );
}
