//! The waiting lines of programs and applications: fair by client address, also where they are full.

use std::fs;

use crate::support::{Client, PATIENCE, Server, Site, eventually, raise_descriptor_limit, request};

/// More than the line has places.
const MANY: usize = 1100;
const LINE: usize = 1024;

/// Where the greedy client and the other one come from.
#[derive(Clone, Copy)]
enum From {
    /// Addresses of this machine.
    Loopback,
    /// What a trusted proxy says.
    Proxy,
}

impl From {
    fn connect(self, server: &Server, last: u8) -> Client {
        match self {
            From::Loopback => Client::connect_from([127, 0, 0, last], server.addresses()[0]),
            From::Proxy => server.connect(),
        }
    }

    fn field(self, last: u8) -> String {
        match self {
            From::Loopback => "X-Nothing: 1".to_owned(),
            From::Proxy => format!("X-Forwarded-For: 192.0.2.{last}"),
        }
    }

    /// One client fills the line behind the request that is served now, another asks for one thing;
    /// `open` ends the first. Fails unless the other one is answered second at the latest, at the cost
    /// of one request of the greedy one.
    fn expect_fairness(self, server: &Server, target: &str, busy: &str, open: impl FnOnce()) {
        raise_descriptor_limit();
        let ask = |last: u8, who: &str| {
            let mut client = self.connect(server, last);
            let fields = [self.field(last), "Connection: close".to_owned()];
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            client.send(request("GET", &format!("{target}?{who}"), &fields, b""));
            client
        };
        let refused = || {
            let log = server.access_log();
            let refused = log.lines().filter(|line| line.contains(busy));
            refused.map(str::to_owned).collect::<Vec<String>>()
        };
        let comes_to_refuse = |count| eventually(PATIENCE, || refused().len() == count);
        let _greedy: Vec<Client> = (0..MANY).map(|_| ask(1, "greedy")).collect();
        assert!(comes_to_refuse(MANY - LINE), "{} refused", refused().len());
        let mut other = ask(2, "other");
        assert!(comes_to_refuse(MANY - LINE + 1));
        open();
        assert_eq!(other.read_response("GET").status, 200);
        let order = fs::read_to_string(server.path("order")).unwrap();
        let at = order.lines().position(|line| line == "other").unwrap();
        assert!(at <= 1, "{at} were answered before: {order}");
        assert!(refused().iter().all(|line| line.contains("?greedy ")));
    }
}

/// A site with a program that notes who asked; `/cgi-bin/probe/gate?file=GATE` comes before it.
fn fill(from: From, arguments: &[&str]) {
    let site = Site::new();
    let gate = site.text("gate");
    let note = format!(
        "#!/bin/sh\necho \"$QUERY_STRING\" >>{}\nprintf 'Content-Type: text/plain\\n\\n'\n",
        site.text("order")
    );
    site.script("cgi-bin/note", note);
    let server = site.serve(&[&["--max-processes", "1"], arguments].concat());
    let mut running = from.connect(&server, 1);
    let target = format!("/cgi-bin/probe/gate?file={gate}");
    running.send(request("GET", &target, &[&from.field(1)], b""));
    running.wait_for("first");
    from.expect_fairness(&server, "/cgi-bin/note", "cgi.busy", || {
        server.file("gate", "");
    });
}

#[test]
fn who_asks_for_one_thing_does_not_wait_for_who_asks_for_everything() {
    fill(From::Loopback, &[]);
}

#[test]
fn the_line_tells_the_clients_of_a_trusted_proxy_apart() {
    fill(From::Proxy, &["--trusted-proxy", "127.0.0.0/8"]);
}

#[test]
fn one_address_is_one_client_whatever_it_says_of_itself() {
    let server = Site::new().serve(&["--max-processes", "1"]);
    let mut running = server.run_until_gate();
    raise_descriptor_limit();
    let ask = |number: usize| {
        let mut client = server.connect();
        let field = format!("X-Forwarded-For: 192.0.2.{}", number % 200);
        client.send(request("GET", "/cgi-bin/probe/hello", &[&field], b""));
        client
    };
    let mut clients: Vec<Client> = (0..MANY).map(ask).collect();
    server.wait_for_access("cgi.busy");
    // The last one is refused; were it believed, it would have displaced another.
    assert_eq!(clients[MANY - 1].read_response("GET").status, 503);
    server.file("gate", "");
    assert_eq!(running.read_response("GET").text(), "first\nsecond\n");
}

#[cfg(feature = "fastcgi")]
#[test]
fn the_line_of_an_application_is_fair_too() {
    use crate::support::backend::{Backend, Gate};
    use std::io::Write;
    use std::sync::Mutex;

    let site = Site::new();
    let gate = Gate::default();
    let order = fs::File::create(site.path("order")).unwrap();
    let backend = Backend::start({
        let (gate, order) = (gate.clone(), Mutex::new(order));
        move |exchange| {
            gate.wait()?;
            let who = exchange.seen.param("QUERY_STRING").unwrap_or("").to_owned();
            // The one that is served from the beginning asks for nothing.
            if !who.is_empty() {
                writeln!(order.lock().unwrap(), "{who}")?;
            }
            exchange.document("")
        }
    });
    let route = format!("/app/={}", backend.address());
    let server = site.serve(&["--fastcgi", &route, "--max-backend", "1"]);
    let from = From::Loopback;
    let mut running = from.connect(&server, 1);
    running.send(request("GET", "/app/", &[], b""));
    backend.wait_for_requests(1);
    from.expect_fairness(&server, "/app/", "fastcgi.busy", || gate.open());
}
