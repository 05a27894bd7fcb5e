//! A FastCGI application in the test's own process, which answers as a test's script says, right or
//! wrong, and keeps what it was sent.
//!
//! Source: FastCGI 1.0.
//! Rules: a script is called once for each request, when its parameters are there, in a thread of the
//! connection. A server that breaks the specification fails the test, when the backend is dropped.

mod exchange;
pub(crate) mod records;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, Shutdown, SocketFlags, SocketType, accept_with, shutdown};

pub(crate) use exchange::{Exchange, Scripted, Seen, Then};

use super::{Folder, PATIENCE, eventually};

/// How many connections are served at once; further ones wait to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workers {
    /// As with one process of PHP, for which a kept connection is all it has.
    One,
    Many,
}

/// What several threads wait for until a test lets them go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// An error where it stays closed for too long, as it does when the test has failed.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let (open, changed) = &*self.0;
        let (_open, waited) = changed
            .wait_timeout_while(open.lock().unwrap(), PATIENCE, |open| !*open)
            .unwrap();
        match waited.timed_out() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(()),
        }
    }
}

/// A running application, ended when the test is over.
#[derive(Debug)]
pub(crate) struct Backend {
    address: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
    /// Where its socket lies.
    _folder: Option<Folder>,
}

type Script = dyn Fn(&mut Exchange) -> Scripted + Send + Sync;

struct Shared {
    listener: OwnedFd,
    script: Box<Script>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<Seen>,
    accepted: usize,
    /// A second handle of each connection that is open, by its number.
    open: Vec<(usize, File)>,
    active: usize,
    most_at_once: usize,
    faults: Vec<String>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}

impl Backend {
    /// At any TCP port of 127.0.0.1.
    pub(crate) fn start(
        script: impl Fn(&mut Exchange) -> Scripted + Send + Sync + 'static,
    ) -> Backend {
        Backend::at("127.0.0.1:0", Workers::Many, script)
    }

    /// At a unix socket in a folder of its own.
    pub(crate) fn unix(
        script: impl Fn(&mut Exchange) -> Scripted + Send + Sync + 'static,
    ) -> Backend {
        let folder = Folder::new();
        let address = format!("unix:{}", folder.text("socket"));
        let mut backend = Backend::at(&address, Workers::Many, script);
        backend._folder = Some(folder);
        backend
    }

    /// At `HOST:PORT` or `unix:PATH`, where a socket that is left over is replaced.
    pub(crate) fn at(
        address: &str,
        workers: Workers,
        script: impl Fn(&mut Exchange) -> Scripted + Send + Sync + 'static,
    ) -> Backend {
        let mut address = address.to_string();
        let listener: OwnedFd = match address.strip_prefix("unix:") {
            Some(path) => {
                let _ = std::fs::remove_file(path);
                UnixListener::bind(path).unwrap().into()
            }
            None => {
                let listener = TcpListener::bind(&address).unwrap();
                address = listener.local_addr().unwrap().to_string();
                listener.into()
            }
        };
        let shared = Arc::new(Shared {
            listener,
            script: Box::new(script),
            state: Mutex::default(),
        });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&shared, workers)
        });
        Backend {
            address,
            shared,
            accepting: Some(accepting),
            _folder: None,
        }
    }

    /// As it stands on a command line.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// All requests until now.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state(|state| state.seen.clone())
    }

    /// How many requests there have been.
    pub(crate) fn count(&self) -> usize {
        self.state(|state| state.seen.len())
    }

    /// The latest request, which has to be there.
    #[track_caller]
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("a request at the backend")
    }

    /// How many connections were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.state(|state| state.accepted)
    }

    /// The most requests there were at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state(|state| state.most_at_once)
    }

    /// Fails unless `count` requests come to be there.
    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let came = eventually(PATIENCE, || self.count() >= count);
        assert!(came, "{} requests came, not {count}", self.count());
    }

    /// Fails unless the server comes to close all connections.
    #[track_caller]
    pub(crate) fn wait_until_closed(&self) {
        let closed = eventually(PATIENCE, || self.state(|state| state.open.is_empty()));
        assert!(closed, "connections stayed open: {:?}", self.shared);
    }

    /// Ends it as a crash would: its address refuses, its connections are closed.
    pub(crate) fn stop(mut self) {
        self.hang_up();
        self.accepting.take().unwrap().join().unwrap();
    }

    fn hang_up(&self) {
        let _ = shutdown(&self.shared.listener, Shutdown::Both);
        self.state(|state| {
            for (_, stream) in &state.open {
                let _ = shutdown(stream, Shutdown::Both);
            }
        });
    }

    fn state<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.shared.state.lock().unwrap())
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.hang_up();
        let faults = self.state(|state| std::mem::take(&mut state.faults));
        if !thread::panicking() {
            assert!(faults.is_empty(), "faults of the server: {faults:?}");
        }
    }
}

fn accept_all(shared: &Arc<Shared>, workers: Workers) {
    // Without CLOEXEC the servers that tests start would hold the connection open.
    while let Ok(stream) = accept_with(&shared.listener, SocketFlags::CLOEXEC) {
        let stream = File::from(stream);
        let _ = sockopt::set_tcp_nodelay(&stream, true);
        for direction in [Timeout::Recv, Timeout::Send] {
            sockopt::set_socket_timeout(&stream, direction, Some(PATIENCE)).unwrap();
        }
        let number = {
            let mut state = shared.state.lock().unwrap();
            let number = state.accepted;
            state.accepted += 1;
            state.open.push((number, stream.try_clone().unwrap()));
            number
        };
        match workers {
            Workers::One => attend(shared, number, stream),
            Workers::Many => {
                let shared = Arc::clone(shared);
                thread::spawn(move || attend(&shared, number, stream));
            }
        }
    }
}

/// Serves a connection to its end.
fn attend(shared: &Shared, number: usize, mut stream: File) {
    let ended = exchange::serve(shared, &mut stream);
    let mut state = shared.state.lock().unwrap();
    if let Err(error) = ended
        && error.kind() == ErrorKind::InvalidData
    {
        state.faults.push(error.to_string());
    }
    // Both handles go before the connection counts as closed.
    drop(stream);
    state.open.retain(|(open, _)| *open != number);
}

/// An address that is nobody's, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Nowhere {
    address: String,
    _held: Vec<OwnedFd>,
}

impl Nowhere {
    /// A TCP port that refuses connections.
    pub(crate) fn refusing() -> Nowhere {
        let (socket, address) = Nowhere::bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        Nowhere {
            address: address.to_string(),
            _held: vec![socket],
        }
    }

    /// A TCP port whose line of connections is full, and stays so.
    pub(crate) fn never_accepting() -> Nowhere {
        Nowhere::never_accepting_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// As [`Nowhere::never_accepting`], at this address.
    pub(crate) fn never_accepting_at(address: SocketAddr) -> Nowhere {
        let (socket, address) = Nowhere::bound(address);
        net::listen(&socket, 0).unwrap();
        let mut held = vec![socket];
        let enough = Duration::from_millis(200);
        while let Ok(waiting) = TcpStream::connect_timeout(&address, enough) {
            held.push(waiting.into());
        }
        Nowhere {
            address: address.to_string(),
            _held: held,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn bound(address: SocketAddr) -> (OwnedFd, SocketAddr) {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
        net::bind(&socket, &address).unwrap();
        let address = net::getsockname(&socket).unwrap();
        (socket, SocketAddr::try_from(address).unwrap())
    }
}
