//! What is served at present: the sites, and the settings that hold for all of them.
//!
//! Shape: [`Current`] has one [`Served`], which another takes the place of when the configuration is read again;
//! each of its sites is a [`Hosted`]. Rules:
//! - A request keeps the site that it began with, whatever comes in between: it has a part in it, and what
//!   belongs to a site that is gone lives on as long as somebody has.
//! - A worker has the present one at hand and compares a number before each request, so that nothing is locked
//!   for one. Only the site's own count is written to.
//! - Settings of a site are whole: what is for the server is in them too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::access_log::{AccessLog, Logs};
use crate::config::{Explain, Settings, UnknownHost};
#[cfg(feature = "fastcgi")]
use crate::handler::fastcgi::pool::Pool;
#[cfg(feature = "explain")]
use crate::handler::lint;
use crate::handler::site::Site;
#[cfg(feature = "explain")]
use crate::proto::finding::Severity;
use crate::proto::http::head::{HeadLimits, RequestHead};
use crate::proto::http::host::request_authority;
use crate::proto::http::site_hosts::SiteHosts;
use crate::proto::uri::target::Target;

/// How many faults of what is served are told at the start.
#[cfg(feature = "explain")]
const FAULTS_TOLD: usize = 20;

/// A site, and what is its own.
#[derive(Debug)]
pub struct Hosted {
    /// The first of its hosts; nothing where there is one site for all.
    #[cfg(feature = "console")]
    pub name: String,
    pub settings: Settings,
    pub site: Site,
    pub access_log: Arc<AccessLog>,
    /// Which clients are told what went wrong inside.
    pub explain: Explain,
    /// The applications of its FastCGI routes, in their order.
    #[cfg(feature = "fastcgi")]
    pub pools: Vec<Arc<Pool>>,
}

impl Hosted {
    /// Those of all sites, in the order of the settings.
    pub fn all(
        settings: &Settings,
        sites: Vec<Site>,
        logs: &Logs,
        #[cfg(feature = "fastcgi")] pools: Vec<Vec<Arc<Pool>>>,
    ) -> Vec<Hosted> {
        #[cfg(feature = "fastcgi")]
        let mut pools = pools.into_iter();
        #[cfg(feature = "console")]
        let mut names = settings.sites.iter().map(|site| site.hosts.first());
        let settings = settings.each_site().into_iter();
        let hosted = settings.zip(sites).map(|(settings, site)| Hosted {
            #[cfg(feature = "console")]
            name: match names.next() {
                Some(Some(host)) => host.to_string(),
                _ => String::new(),
            },
            access_log: logs.of(settings),
            explain: settings.explained_to(),
            settings: settings.clone(),
            site,
            #[cfg(feature = "fastcgi")]
            pools: pools.next().unwrap_or_default(),
        });
        hosted.collect()
    }
}

/// All sites.
#[derive(Debug)]
pub struct Served {
    pub settings: Settings,
    pub head_limits: HeadLimits,
    hosts: SiteHosts,
    /// At least one.
    pub sites: Vec<Arc<Hosted>>,
}

impl Served {
    /// These sites, in the order of the settings.
    pub fn new(settings: Settings, sites: Vec<Hosted>) -> Served {
        let numbered = settings.sites.iter().enumerate();
        let named =
            numbered.flat_map(|(at, site)| site.hosts.iter().map(move |it| (it.clone(), at)));
        Served {
            hosts: SiteHosts::new(named.collect()),
            head_limits: HeadLimits {
                max_len: settings.max_header,
                ..HeadLimits::default()
            },
            sites: sites.into_iter().map(Arc::new).collect(),
            settings,
        }
    }

    /// The site that a request is for: the first for a head out of order, which is refused later; `None` for a
    /// host of no site where that is to be refused.
    pub fn site_of(&self, head: &RequestHead) -> Option<&Arc<Hosted>> {
        let refuses =
            self.settings.unknown_host == UnknownHost::Refuse && !self.settings.sites.is_empty();
        if self.sites.len() == 1 && !refuses {
            return self.sites.first();
        }
        let target = Target::parse(head.method(), head.target());
        let authority = match target.and_then(|it| request_authority(head, it.authority)) {
            Ok(authority) => authority,
            Err(_) => return self.sites.first(),
        };
        self.site_of_host(authority.map(|authority| authority.host))
    }

    /// The site that a request for this host is for; `None` where that is to be refused.
    pub fn site_of_host(&self, host: Option<&str>) -> Option<&Arc<Hosted>> {
        let refuses =
            self.settings.unknown_host == UnknownHost::Refuse && !self.settings.sites.is_empty();
        match host.and_then(|host| self.hosts.site_of(host)) {
            Some(number) => self.sites.get(number),
            None if refuses => None,
            None => self.sites.first(),
        }
    }

    /// The shortest of the times that are looked after for connections.
    pub fn shortest_wait(&self) -> Duration {
        let settings = &self.settings;
        let shortest = settings
            .header_timeout
            .min(settings.idle_timeout)
            .min(settings.send_timeout)
            .min(Duration::from_secs(4));
        let of_site = |hosted: &Arc<Hosted>| {
            let wait = Duration::MAX;
            #[cfg(feature = "fastcgi")]
            let wait = match hosted.pools.is_empty() {
                true => wait,
                false => {
                    let fastcgi = &hosted.settings.fastcgi;
                    wait.min(fastcgi.connect_timeout).min(fastcgi.timeout)
                }
            };
            #[cfg(feature = "auth")]
            let wait = match hosted.site.doors.is_empty() {
                true => wait,
                false => wait.min(super::exchange::WRONG_PAUSE),
            };
            let _ = hosted;
            wait
        };
        let waits = self.sites.iter().map(of_site);
        waits.fold(shortest, Duration::min)
    }

    /// What is served where, for the line that is printed at the start.
    pub fn summary(&self) -> String {
        let named = self.settings.sites.iter().zip(&self.sites);
        let clauses = named.map(|(named, hosted)| {
            let hosts: Vec<String> = named.hosts.iter().map(ToString::to_string).collect();
            format!("{} {}", hosts.join(" "), hosted.site.summary())
        });
        match self.sites.first() {
            Some(only) if self.settings.sites.is_empty() => only.site.summary().to_owned(),
            _ => clauses.collect::<Vec<String>>().join("; "),
        }
    }
}

#[cfg(feature = "explain")]
impl Served {
    /// Tells the log what will fail, or is not meant to be seen, among what is served; a line for each.
    pub fn tell_of_faults(&self) {
        let mut findings = Vec::new();
        for hosted in &self.sites {
            let site = &hosted.site;
            for programs in &site.programs {
                findings.extend(lint::programs(programs, lint::START_MAX));
            }
            for files in site.static_roots() {
                let root = files.root.path();
                findings.extend(lint::files(root, lint::START_MAX, &site.programs));
            }
        }
        findings.retain(|finding| finding.severity < Severity::Note);
        for finding in findings.iter().take(FAULTS_TOLD) {
            log::warn!("{}: {}", finding.code, finding.line());
        }
        let untold = findings.len().saturating_sub(FAULTS_TOLD);
        if untold > 0 {
            log::warn!("{untold} more faults are told by: tollgate check FOLDER");
        }
    }
}

/// What is served now, until it is something else.
#[derive(Debug)]
pub struct Current {
    served: RwLock<Arc<Served>>,
    number: AtomicU64,
}

impl Current {
    pub fn new(served: Served) -> Current {
        Current {
            served: RwLock::new(Arc::new(served)),
            number: AtomicU64::new(1),
        }
    }

    /// Grows with each one that takes the place of another.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    pub fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves something else from the next request on; returns what was served.
    pub fn replace(&self, served: Served) -> Arc<Served> {
        let mut place = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, Arc::new(served));
        drop(place);
        self.number.fetch_add(1, Ordering::Release);
        old
    }
}
