//! The gate of the console: bounds what comes to it, and turns away pages of other origins.
//!
//! Source: RFC 9110 section 7.2 (Host); the Fetch standard (Origin, Sec-Fetch-Site).
//! Shape: each connection has a thread, which reads one head by the rules of the public port, judges it, has it
//! answered, and closes the connection. Rules:
//! - A head has a length and a time, and nothing may follow it: there is no body to be read by anybody.
//! - There are so many connections and no more; one that takes nothing for a while is closed.
//! - At the address of `--health` /healthz and /metrics alone are answered, to anybody, who may call it what they like.
//! - Security: the host that is asked for is the console's address, or another name of this machine to itself. A name
//!   of the world's that leads here is somebody else's page (DNS rebinding). So is an Origin that is not the console's,
//!   and a request that the browser says is for another site's page; on this machine another port is another site too.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::answers::{Answer, answer};
use super::places::Places;
use super::{Console, Host, spawn};
use crate::proto::Parsed;
use crate::proto::http::head::{HeadLimits, RequestHead};
use crate::proto::http::host::{self, Authority};
use crate::sys::listener::{Accepted, Bound, Listener};

/// How many connections there are at once.
pub(super) const CONNECTIONS_MAX: usize = 24;

/// How long a head may be.
const HEAD_MAX: usize = 8 << 10;

/// How long it may take.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a client may take none of an answer.
const SEND_TIME: Duration = Duration::from_secs(10);

/// How long accepting rests where the system has no descriptor or memory for it.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What is answered at the address of `--health`.
const HEALTH: [&[u8]; 2] = [b"/healthz", b"/metrics"];

/// What is reached at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// All of the console.
    All,
    /// [`HEALTH`].
    Health,
}

/// Who stands there, and for whom.
pub(super) struct Gate {
    console: Arc<Console>,
    host: Arc<dyn Host>,
    bounds: Vec<Bound>,
    places: Places,
}

/// Why a request is turned away: a status and a sentence.
type Refusal = (u16, &'static str);

const TOO_MANY: Refusal = (503, "The console has as many connections as it takes.");
const MALFORMED: Refusal = (400, "That is no request.");
const TOO_LONG: Refusal = (431, "The head is too long.");
const TOO_SLOW: Refusal = (408, "The head took too long.");
const METHOD: Refusal = (405, "The console shows, and changes nothing: GET and HEAD.");
const BODY: Refusal = (413, "The console takes no body.");
const HOST: Refusal = (
    421,
    "The console answers to its own address alone; open it by the link that was printed at the start.",
);
const ORIGIN: Refusal = (
    403,
    "The console answers its own page alone; type its address, or open the link that was printed at the start.",
);
const NOWHERE: Refusal = (404, "Here are /healthz and /metrics, and nothing else.");

impl Gate {
    pub(super) fn new(console: &Arc<Console>, host: &Arc<dyn Host>) -> Gate {
        Gate {
            bounds: console.bounds().cloned().collect(),
            console: Arc::clone(console),
            host: Arc::clone(host),
            places: Places::default(),
        }
    }

    /// Lets in whoever comes to a listener, until the process ends.
    pub(super) fn keep(self: &Arc<Gate>, listener: &Listener, reached: Reached) {
        loop {
            listener.await_waiting();
            match listener.accept() {
                Accepted::Connection(stream, _) => match stream.into_blocking() {
                    Ok(client) => self.let_in(client, reached),
                    Err(error) => log::debug!("console: {error}"),
                },
                Accepted::Nobody => {}
                Accepted::Exhausted(error) => {
                    log::debug!("console: no connection can be accepted for a second: {error}");
                    thread::sleep(ACCEPT_PAUSE);
                }
            }
        }
    }

    fn let_in(self: &Arc<Gate>, client: OwnedFd, reached: Reached) {
        // It serves for a socket of any kind: what is called is the same.
        let client = UnixStream::from(client);
        let Some(place) = self.places.take(CONNECTIONS_MAX) else {
            // It fits into any socket's buffer.
            let _ = client.set_nonblocking(true);
            turn_away(&client, TOO_MANY);
            return;
        };
        let gate = Arc::clone(self);
        let job = move || {
            let _place = place;
            // It is closed for whatever went wrong on it.
            let _ = gate.attend(&client, reached);
        };
        // Without a thread it is closed.
        let _ = spawn("console-visit".to_owned(), Box::new(job));
    }

    /// Serves one request.
    fn attend(&self, client: &UnixStream, reached: Reached) -> io::Result<()> {
        client.set_write_timeout(Some(SEND_TIME))?;
        let mut head = RequestHead::default();
        let admitted =
            read_head(client, &mut head)?.and_then(|()| judge(&head, reached, &self.bounds));
        match admitted {
            Ok(()) => answer(&head, client, &self.console, &*self.host),
            Err(refusal) => {
                turn_away(client, refusal);
                drop_rest(client)
            }
        }
    }
}

/// Reads a head, and not a byte more.
fn read_head(mut client: &UnixStream, head: &mut RequestHead) -> io::Result<Result<(), Refusal>> {
    let until = Instant::now() + HEAD_TIME;
    let limits = HeadLimits {
        max_len: HEAD_MAX,
        ..HeadLimits::default()
    };
    let mut input = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Err(TOO_SLOW));
        }
        client.set_read_timeout(Some(left))?;
        let read = match client.read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Err(TOO_SLOW)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        input.extend_from_slice(&piece[..read]);
        return Ok(match head.parse(&input, &limits) {
            Ok(Parsed::Complete { used, .. }) if used == input.len() => Ok(()),
            Ok(Parsed::Complete { .. }) => Err(BODY),
            Ok(Parsed::Partial) if input.len() >= HEAD_MAX => Err(TOO_LONG),
            Ok(Parsed::Partial) => continue,
            Err(reason) if reason.status().as_u16() == 431 || reason.status().as_u16() == 414 => {
                Err(TOO_LONG)
            }
            Err(_) => Err(MALFORMED),
        });
    }
}

/// Whether a request is let through.
fn judge(head: &RequestHead, reached: Reached, bounds: &[Bound]) -> Result<(), Refusal> {
    match reached {
        Reached::All => judge_origin(head, bounds)?,
        Reached::Health if HEALTH.contains(&head.target()) => {}
        Reached::Health => return Err(NOWHERE),
    }
    if !matches!(head.method(), "GET" | "HEAD") {
        return Err(METHOD);
    }
    let has_body = head.field("Transfer-Encoding").is_some()
        || head
            .field_values("Content-Length")
            .any(|length| length != b"0");
    if has_body {
        return Err(BODY);
    }
    Ok(())
}

/// Whether it comes from nobody else's page.
fn judge_origin(head: &RequestHead, bounds: &[Bound]) -> Result<(), Refusal> {
    let Ok(Some(authority)) = host::request_authority(head, None) else {
        return Err(HOST);
    };
    if !is_own(&authority, bounds) {
        return Err(HOST);
    }
    // The console's own page, as the browser reached it.
    let own = [b"http://", head.field("Host").unwrap_or_default()].concat();
    let is_foreign = |value: &[u8]| !value.eq_ignore_ascii_case(&own);
    if head.field_values("Origin").any(is_foreign) {
        return Err(ORIGIN);
    }
    let is_elsewhere = |value: &[u8]| !matches!(value, b"same-origin" | b"none");
    if head.field_values("Sec-Fetch-Site").any(is_elsewhere) {
        return Err(ORIGIN);
    }
    Ok(())
}

/// Whether somebody who asks for this host can mean nobody but the console.
fn is_own(authority: &Authority<'_>, bounds: &[Bound]) -> bool {
    if host::is_loopback(authority.host) {
        // By a tunnel (ssh -L) it has another port.
        return true;
    }
    bounds.iter().any(|bound| match bound {
        Bound::Tcp(address) => {
            let host = authority.host.trim_start_matches('[').trim_end_matches(']');
            host.parse() == Ok(address.ip())
        }
        Bound::Unix(_) => false,
    })
}

fn turn_away(client: &UnixStream, (status, sentence): Refusal) {
    // Who is gone needs no answer.
    let _ = Answer::sentence(status, sentence).send(client, false);
}

/// Drops what is still sent, so that the answer is not lost to a reset; for no longer than a head has.
fn drop_rest(mut client: &UnixStream) -> io::Result<()> {
    client.shutdown(std::net::Shutdown::Write)?;
    let until = Instant::now() + HEAD_TIME;
    let mut piece = [0; 2048];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        client.set_read_timeout(Some(left))?;
        if client.read(&mut piece)? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
