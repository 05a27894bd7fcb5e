//! Connects to a backend: its name is resolved anew, and each of its addresses is tried in turn.
//!
//! Shape: a [`Connecting`] is asked for a stream with [`Connecting::attempt`]; when that stream turns
//! out not to come about it is asked again. Rules: nothing here waits, also not for a name server
//! (`lookup.rs`). Why a connection failed is told with all that helps to mend it, for the log alone.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::lookup::Flight;
use crate::config::BackendAddress;
use crate::handler::diagnose::own_user;
use crate::proto::Reason;
use crate::proto::finding::{Finding, quoted};
use crate::sys::stream::Stream;

/// A backend, and what the log calls it.
#[derive(Debug, Clone)]
pub struct Address {
    /// Where it listens.
    pub at: BackendAddress,
    /// Its name, where that says more than the address.
    pub label: Option<String>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => f.write_str(label),
            None => self.at.fmt(f),
        }
    }
}

/// A connection that is to be made.
#[derive(Debug)]
pub struct Connecting {
    target: Target,
    failure: Option<io::Error>,
}

#[derive(Debug)]
enum Target {
    Unix(PathBuf),
    /// A name that is being looked up.
    Name(Arc<Flight>),
    Addresses(VecDeque<SocketAddr>),
}

/// What came of an attempt.
#[derive(Debug)]
pub enum Attempt {
    /// A stream that is connected, or on the way to be.
    Stream(Stream),
    /// The backend's queue of connections is full, or its name is still being looked up: try again later.
    Later,
    /// There is nothing left to try; the last failure.
    Failed(io::Error),
}

impl Connecting {
    /// A connection to this backend. Where it has a name `look_up` is asked for that host and port.
    pub fn new(address: &Address, look_up: impl FnOnce(&str, u16) -> Arc<Flight>) -> Connecting {
        let target = match &address.at {
            BackendAddress::Unix(path) => Target::Unix(path.clone()),
            BackendAddress::Tcp { host, port } => match host.parse::<IpAddr>() {
                Ok(ip) => Target::Addresses([SocketAddr::new(ip, *port)].into()),
                Err(_) => Target::Name(look_up(host, *port)),
            },
        };
        Connecting {
            target,
            failure: None,
        }
    }

    /// Whether it is not known yet what there is to connect to.
    pub fn is_looking_up(&self) -> bool {
        matches!(&self.target, Target::Name(flight) if flight.addresses().is_none())
    }

    /// How much of the time that is left the last attempt may take, where others are to have some too.
    pub fn share(&self, left: Duration) -> Option<Duration> {
        match &self.target {
            // A host has a few.
            Target::Addresses(others) if !others.is_empty() => {
                Some(left / (others.len() as u32 + 1))
            }
            _ => None,
        }
    }

    /// Notes why the last attempt's stream did not come about.
    pub fn fail(&mut self, error: io::Error) {
        self.failure = Some(error);
        if let Target::Unix(_) = self.target {
            self.target = Target::Addresses(VecDeque::new());
        }
    }

    /// Begins to connect to the next address.
    pub fn attempt(&mut self) -> Attempt {
        if let Target::Name(flight) = &self.target {
            let Some(addresses) = flight.addresses() else {
                return Attempt::Later;
            };
            let addresses = addresses.unwrap_or_else(|error| {
                self.failure = Some(error);
                Vec::new()
            });
            self.target = Target::Addresses(addresses.into());
        }
        let addresses = match &mut self.target {
            Target::Unix(path) => {
                return match Stream::connect_unix(path) {
                    Ok(stream) => Attempt::Stream(stream),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Attempt::Later,
                    Err(error) => Attempt::Failed(error),
                };
            }
            Target::Addresses(addresses) => addresses,
            Target::Name(..) => return Attempt::Failed(ErrorKind::NotFound.into()),
        };
        while let Some(address) = addresses.pop_front() {
            match Stream::connect_tcp(&address) {
                Ok(stream) => return Attempt::Stream(stream),
                Err(error) => self.failure = Some(error),
            }
        }
        let unnamed = || ErrorKind::AddrNotAvailable.into();
        Attempt::Failed(self.failure.take().unwrap_or_else(unnamed))
    }
}

/// Why a backend could not be connected to.
pub fn diagnose(address: &Address, error: &io::Error) -> Finding {
    let finding = |reason, why: &str, remedy: Cow<'static, str>| {
        let sentence = format!("{address} cannot be connected to ({error}): {why}.");
        Finding::error(reason, sentence, remedy)
    };
    let unreachable =
        |why, remedy: &'static str| finding(Reason::FastcgiUnreachable, why, remedy.into());
    let BackendAddress::Unix(path) = &address.at else {
        return match error.kind() {
            ErrorKind::ConnectionRefused => unreachable(
                "nobody listens there",
                "start the application, or mend the address",
            ),
            _ => unreachable(
                "it is not reached",
                "check the name, the network and that the application runs",
            ),
        };
    };
    match error.kind() {
        ErrorKind::PermissionDenied => {
            let (why, remedy) = describe_rights(path);
            finding(Reason::FastcgiDenied, &why, remedy.into())
        }
        ErrorKind::NotFound => unreachable(
            "there is no such socket",
            "start the application, or mend the path",
        ),
        _ => unreachable("nobody listens on it", "start the application"),
    }
}

/// Who may connect to a socket, and who this server is; and what helps.
fn describe_rights(path: &Path) -> (String, String) {
    let own = own_user();
    match std::fs::metadata(path) {
        Ok(socket) if socket.file_type().is_socket() => (
            format!(
                "the socket belongs to user {}, group {} with mode {:04o}, and the server runs as \
                 user {own}, who needs the right to write to it",
                socket.uid(),
                socket.gid(),
                socket.mode() & 0o7777
            ),
            "put the server's user into that group (usermod -aG), or have the application give the socket \
             away (php-fpm: listen.group, listen.mode = 0660)"
                .to_owned(),
        ),
        Ok(_) => (
            "it is no socket".to_owned(),
            "mend the path: unix:PATH".to_owned(),
        ),
        Err(_) => (
            format!("user {own}, as whom the server runs, may not pass a folder above it"),
            format!(
                "chmod o+x the folders above {}: namei -l shows them",
                quoted(&path.display().to_string())
            ),
        ),
    }
}
