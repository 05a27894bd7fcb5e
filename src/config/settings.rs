//! What the server is told to do, with every default filled in.
//!
//! Shape: [`settle`] turns what was written for each option into [`Settings`].
//! Rules: no text is left that has to be parsed again. Two routes never claim the same URLs, and two
//! sockets never the same address, so that the order of the arguments decides nothing.
//! Not here: whether folders exist and ports are free (who opens them).

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::proto::cgi::meta::{Authorization, Scheme};
use crate::proto::http::host;
use crate::proto::network::Network;
use crate::proto::uri::route::RouteKey;

#[cfg(feature = "fastcgi")]
use super::backend::{self, Duty, FastcgiSettings};
use super::confinement::Confinement;
use super::flags::Scope;
use super::log_format::LogFormat;
use super::origin::{self, Layers, Named, Places, Written};
use super::sites::{SiteSettings, UnknownHost};
use super::value::{self, Size};
use super::{Surroundings, UsageError};

/// Everything that an operator decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder in which `www` and `cgi-bin` are looked for.
    pub root: PathBuf,
    /// Where to accept connections; at least one address.
    pub listen: Vec<ListenAddress>,
    /// Folders of files as written; with none, `/` is `www` below the root where that exists.
    pub statics: Vec<StaticRoute>,
    /// Programs as written; with none, `/cgi-bin/` is `cgi-bin` below the root where that exists.
    pub cgis: Vec<CgiRoute>,
    /// FastCGI applications, and how they are asked.
    #[cfg(feature = "fastcgi")]
    pub fastcgi: FastcgiSettings,
    /// Routes that ask for a user and a password.
    #[cfg(feature = "auth")]
    pub auths: Vec<AuthRoute>,
    /// Who is believed whom it passes requests on for.
    pub proxies: Proxies,
    /// What is answered where no file or route matches: a path that can be decoded, and perhaps a
    /// query.
    pub fallback: Option<String>,
    /// Variables that every program is given, each name once, none that the server computes.
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether programs are told the Authorization field.
    pub authorization: Authorization,
    /// How clients reach the server, as programs are told.
    pub scheme: Scheme,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Programs that run at once, at least 1.
    pub max_processes: usize,
    /// Connections held open at once, at least 1.
    pub max_connections: usize,
    /// The longest silence of a program.
    pub cgi_timeout: Duration,
    /// The longest time that a request head may take, from its first byte or the connection's start.
    pub header_timeout: Duration,
    /// The longest time that a connection may be quiet between two requests.
    pub idle_timeout: Duration,
    /// The longest time in which a client may take nothing of a response.
    pub send_timeout: Duration,
    /// The longest time that running exchanges are given when the server stops.
    pub drain_timeout: Duration,
    /// How long it is served on before that.
    pub stop_delay: Duration,
    /// The longest request body, in bytes.
    pub max_body: u64,
    /// The longest request head, in bytes.
    pub max_header: usize,
    /// How many bytes of disk all spools may take together.
    pub max_spool: u64,
    /// The names tried in turn where a URL is a folder.
    pub index: Vec<String>,
    /// What a folder without an index answers.
    pub listing: Listing,
    /// Where symbolic links may lead.
    pub symlinks: Symlinks,
    /// Where each request is written down.
    pub access_log: AccessLog,
    /// What its lines are made of.
    pub log_format: LogFormat,
    /// How much is logged, where that was said.
    pub verbosity: Option<Verbosity>,
    /// Who is to be told what went wrong inside, as far as it was said ([`Settings::explained_to`]).
    pub explain: Explain,
    /// Where it is shown what the server does.
    #[cfg(feature = "console")]
    pub console: Option<ListenAddress>,
    /// Where machines are told how it is.
    #[cfg(feature = "console")]
    pub health: Option<ListenAddress>,
    /// Whom the server runs as, and what programs are kept from.
    pub confinement: Confinement,
    /// What is permitted and yet worth a line in the log.
    pub warnings: Vec<String>,
    /// The sites of a configuration file. With none, these settings are those of the only one.
    pub sites: Vec<SiteSettings>,
    /// What a Host of none of them gets.
    pub unknown_host: UnknownHost,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// What the options say that hold until a restart.
    pub fixed: Vec<(&'static str, Vec<String>)>,
    /// The places in it that values are from.
    pub places: Places,
}

/// An address to accept connections at. Displays as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// A TCP port.
    Tcp {
        /// An IPv4 or IPv6 address without brackets, or a name.
        host: String,
        /// The port; 0 for any that is free.
        port: u16,
    },
    /// A unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            ListenAddress::Tcp { host, port } => write!(f, "{host}:{port}"),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A folder whose files are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticRoute {
    /// The URL prefix, with a slash at both ends.
    pub prefix: String,
    /// The folder.
    pub folder: PathBuf,
}

/// Programs that are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgiRoute {
    /// What a request is known by.
    pub key: RouteKey,
    /// For a prefix a folder of programs or one program, for an extension its interpreter.
    pub path: PathBuf,
}

/// A route that asks for a user and a password.
#[cfg(feature = "auth")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRoute {
    /// The URL prefix, with a slash at both ends.
    pub prefix: String,
    /// The file of users.
    pub file: PathBuf,
}

/// The proxies that are believed whom they pass requests on for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Their addresses.
    pub networks: Vec<Network>,
    /// Whether whoever connects to a unix socket is one.
    pub unix: bool,
    /// Whether their connections begin with a header of the PROXY protocol.
    pub protocol: bool,
}

impl Proxies {
    /// Whether the one with this address is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }
}

/// What a folder without an index file answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// That it is not there to be seen.
    Off,
    /// The list of what it holds.
    On,
}

/// Where symbolic links may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symlinks {
    /// Nowhere outside the folder of their route.
    Stay,
    /// Anywhere.
    Follow,
}

/// Which clients are told what went wrong inside, beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// None.
    Nobody,
    /// Those on this machine that come by themselves: nothing was said, and others cannot connect.
    Local,
    /// All.
    Everybody,
}

/// How much is logged on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// Everything.
    Verbose,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To standard output.
    Stdout,
    /// To the end of this file.
    File(PathBuf),
}

/// Returns what the written values and the defaults mean together.
///
/// # Errors
/// The values, in the order of the table, that are not of their options' form.
pub(super) fn settle(
    layers: &Layers,
    surroundings: &Surroundings<'_>,
) -> Result<Settings, UsageError> {
    let mut errors = Vec::new();
    let mut settled = |all: &[Written], section| {
        let settings = settle_options(all, section, surroundings);
        settings.map_err(|error| errors.push(error)).ok()
    };
    let server = settled(&layers.server, None);
    let mut sites = Vec::new();
    for site in &layers.sites {
        let settings = settled(&site.written, Some(site.origin.to_string()));
        sites.extend(settings.map(|settings| SiteSettings {
            hosts: site.hosts.clone(),
            settings,
        }));
    }
    UsageError::all(errors)?;
    let Some(mut server) = server else {
        // What is not settled is an error.
        return Err(UsageError::line("nothing could be settled".to_owned()));
    };
    for site in &sites {
        let known = &mut server.warnings;
        let mut new = site.settings.warnings.clone();
        new.retain(|warning| !known.contains(warning));
        known.append(&mut new);
    }
    server.sites = sites;
    Ok(server)
}

fn settle_options(
    all: &[Written],
    section: Option<String>,
    surroundings: &Surroundings<'_>,
) -> Result<Settings, UsageError> {
    let mut settings = Settings::unset();
    settings.places = Places::new(all, section);
    let mut errors = Vec::new();
    for written in all {
        let (values, followed) = origin::in_force(all, written, surroundings);
        if written.flag.scope == Scope::Start {
            let texts = values.iter().map(|value| value.text.clone());
            settings.fixed.push((written.flag.long, texts.collect()));
        }
        for value in values {
            // A wrong value is told of the option that it was written for, and once.
            let set = written.flag.set(&mut settings, &value.text, surroundings);
            if let Err(problem) = set
                && followed.long == written.flag.long
            {
                let named = Named(followed, &value.origin);
                errors.push(UsageError::of_value(named, &value.text, problem));
            }
        }
    }
    UsageError::all(errors)?;
    let proxies = &settings.proxies;
    if proxies.protocol && !proxies.unix && proxies.networks.is_empty() {
        let problem = "is believed of trusted proxies alone; give --trusted-proxy too";
        return Err(settings.refuse("--proxy-protocol", problem));
    }
    if let Err((option, problem)) = settings.confinement.check() {
        return Err(settings.refuse(option, problem));
    }
    #[cfg(feature = "console")]
    for (option, address, others) in [
        ("--console", &settings.console, &None),
        ("--health", &settings.health, &settings.console),
    ] {
        let Some(address) = address else { continue };
        let whose = match settings.listen.contains(address) {
            true => "--listen",
            false if others.as_ref() == Some(address) => "--console",
            false => continue,
        };
        if !matches!(address, ListenAddress::Tcp { port: 0, .. }) {
            let problem = format!("'{address}' is that of {whose}; give it one of its own");
            return Err(settings.refuse(option, &problem));
        }
    }
    settings.warn_of_body_beyond_spool();
    Ok(settings)
}

impl Settings {
    /// Settings in which nothing that has a default is set: the table of options does that.
    fn unset() -> Settings {
        Settings {
            root: PathBuf::new(),
            listen: Vec::new(),
            statics: Vec::new(),
            cgis: Vec::new(),
            #[cfg(feature = "fastcgi")]
            fastcgi: FastcgiSettings::unset(),
            #[cfg(feature = "auth")]
            auths: Vec::new(),
            proxies: Proxies::default(),
            fallback: None,
            environment: Vec::new(),
            authorization: Authorization::Withheld,
            scheme: Scheme::Http,
            threads: 0,
            max_processes: 0,
            max_connections: 0,
            cgi_timeout: Duration::ZERO,
            header_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            send_timeout: Duration::ZERO,
            drain_timeout: Duration::ZERO,
            stop_delay: Duration::ZERO,
            max_body: 0,
            max_header: 0,
            max_spool: 0,
            index: Vec::new(),
            listing: Listing::Off,
            symlinks: Symlinks::Stay,
            access_log: AccessLog::Off,
            log_format: LogFormat::default(),
            verbosity: None,
            explain: Explain::Local,
            #[cfg(feature = "console")]
            console: None,
            #[cfg(feature = "console")]
            health: None,
            confinement: Confinement::default(),
            warnings: Vec::new(),
            sites: Vec::new(),
            unknown_host: UnknownHost::First,
            config: None,
            fixed: Vec::new(),
            places: Places::default(),
        }
    }

    pub(super) fn add_listen(&mut self, text: &str) -> Result<(), String> {
        let address = value::listen_address(text)?;
        // Port 0 is another port each time.
        let distinct = matches!(address, ListenAddress::Tcp { port: 0, .. });
        if self.listen.contains(&address) && !distinct {
            return Err("is given twice; give each address once".to_owned());
        }
        self.listen.push(address);
        Ok(())
    }

    pub(super) fn add_static(&mut self, text: &str) -> Result<(), String> {
        let form = "write it as ROUTE=DIR, for example /=./www";
        let (key, folder) = value::route(text, form)?;
        let RouteKey::Prefix(prefix) = key else {
            return Err(format!("has a file extension for ROUTE; {form}"));
        };
        if self.statics.iter().any(|route| route.prefix == prefix) {
            return Err(format!(
                "gives {prefix} a second folder; give each ROUTE once"
            ));
        }
        self.statics.push(StaticRoute {
            prefix,
            folder: PathBuf::from(folder),
        });
        Ok(())
    }

    pub(super) fn add_cgi(&mut self, text: &str) -> Result<(), String> {
        let form = "write it as ROUTE=PATH, for example /cgi-bin/=./cgi-bin";
        let (key, path) = value::route(text, form)?;
        if self.cgis.iter().any(|route| is_same(&route.key, &key)) {
            return Err("has a ROUTE that is given already; give each ROUTE once".to_owned());
        }
        self.cgis.push(CgiRoute {
            key,
            path: PathBuf::from(path),
        });
        Ok(())
    }

    pub(super) fn add_trusted_proxy(&mut self, text: &str) -> Result<(), String> {
        if text == "unix" {
            if std::mem::replace(&mut self.proxies.unix, true) {
                return Err("is given twice; give each once".to_owned());
            }
            return Ok(());
        }
        let network = Network::parse(text)?;
        if self.proxies.networks.contains(&network) {
            return Err("is given twice; give each once".to_owned());
        }
        self.proxies.networks.push(network);
        Ok(())
    }

    #[cfg(feature = "auth")]
    pub(super) fn add_auth(&mut self, text: &str) -> Result<(), String> {
        let form = "write it as ROUTE=FILE, for example /private/=./users";
        let (key, file) = value::route(text, form)?;
        let RouteKey::Prefix(prefix) = key else {
            return Err(format!("has a file extension for ROUTE; {form}"));
        };
        if self.auths.iter().any(|route| route.prefix == prefix) {
            return Err(format!(
                "gives {prefix} a second file; give each ROUTE once"
            ));
        }
        self.auths.push(AuthRoute {
            prefix,
            file: PathBuf::from(file),
        });
        Ok(())
    }

    /// Is to be called when the other routes are all there: the table of options sees to that.
    #[cfg(feature = "fastcgi")]
    pub(super) fn add_fastcgi(&mut self, text: &str) -> Result<(), String> {
        let route = backend::fastcgi_route(text)?;
        let key = &route.key;
        let is_given = |known: &RouteKey| is_same(known, key);
        let mut known = self.fastcgi.routes.iter();
        if known.any(|known| known.duty == route.duty && is_given(&known.key)) {
            return Err("has a ROUTE that is given already; give each ROUTE once".to_owned());
        }
        if route.duty == Duty::Respond {
            let is_static = |prefix: &String| matches!(key, RouteKey::Prefix(key) if key == prefix);
            let other = if self.cgis.iter().any(|known| is_given(&known.key)) {
                Some("--cgi")
            } else {
                let mut statics = self.statics.iter();
                statics
                    .any(|known| is_static(&known.prefix))
                    .then_some("--static")
            };
            if let Some(other) = other {
                return Err(format!(
                    "has a ROUTE that {other} is given too; give each ROUTE once"
                ));
            }
        }
        self.fastcgi.routes.push(route);
        Ok(())
    }

    /// Who is told what went wrong inside: where nothing was said, those on this machine if nobody else can
    /// come.
    pub fn explained_to(&self) -> Explain {
        match self.explain {
            Explain::Local if !self.is_for_this_machine() => Explain::Nobody,
            explain => explain,
        }
    }

    /// Whether nobody from elsewhere can connect, nor come by way of a proxy that is known.
    fn is_for_this_machine(&self) -> bool {
        let is_loopback = |address: &ListenAddress| match address {
            ListenAddress::Tcp { host, .. } => host::is_loopback(host),
            ListenAddress::Unix(_) => false, // A proxy's, mostly.
        };
        self.listen.iter().all(is_loopback) && self.proxies == Proxies::default()
    }

    /// The error of an option that means nothing beside others.
    fn refuse(&self, option: &str, problem: &str) -> UsageError {
        match self.places.of(option, "") {
            Some(place) => {
                UsageError::line(format!("{place}: {}: {problem}", &option["--".len()..]))
            }
            None => UsageError::new(option, problem),
        }
    }

    fn warn_of_body_beyond_spool(&mut self) {
        if self.max_body > self.max_spool {
            let (body, spool) = (Size(self.max_body), Size(self.max_spool));
            self.warnings.push(format!(
                "--max-body: {body} is more than --max-spool {spool}, the room for all bodies together"
            ));
        }
    }
}

/// Whether two keys claim the same requests: extensions are matched in either case of letters.
fn is_same(one: &RouteKey, other: &RouteKey) -> bool {
    match (one, other) {
        (RouteKey::Extension(one), RouteKey::Extension(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests;
