//! Several sites, and what of their settings may change while they are served.

use super::settings::Settings;
use crate::proto::http::site_hosts::HostPattern;

/// One of several sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSettings {
    /// Its names, no two alike in all sites.
    pub hosts: Vec<HostPattern>,
    /// Its settings: those of the server, but for what its section says.
    pub settings: Settings,
}

/// What a Host gets that is none of any site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownHost {
    /// The first site.
    First,
    /// A refusal, 421.
    Refuse,
}

impl UnknownHost {
    #[cfg(feature = "config")]
    pub(super) fn parse(text: &str) -> Result<UnknownHost, String> {
        match text {
            "first" => Ok(UnknownHost::First),
            "refuse" => Ok(UnknownHost::Refuse),
            _ => Err("is neither 'first' nor 'refuse'".to_owned()),
        }
    }
}

impl Settings {
    /// Those of each site.
    pub fn each_site(&self) -> Vec<&Settings> {
        match self.sites.as_slice() {
            [] => vec![self],
            sites => sites.iter().map(|site| &site.settings).collect(),
        }
    }

    /// Takes over from settings that a server was started with what holds until it is started again; returns
    /// the options in which these differ.
    pub fn keep_fixed(&mut self, old: &Settings) -> Vec<&'static str> {
        let pairs = self.fixed.iter().zip(&old.fixed);
        let differing = pairs.filter(|(new, old)| new != old);
        let differing = differing.map(|((long, _), _)| *long).collect();
        self.take_fixed(old);
        for site in &mut self.sites {
            site.settings.take_fixed(old);
        }
        differing
    }

    fn take_fixed(&mut self, old: &Settings) {
        self.threads = old.threads;
        self.max_processes = old.max_processes;
        self.max_connections = old.max_connections;
        self.max_spool = old.max_spool;
        self.verbosity = old.verbosity;
        #[cfg(feature = "console")]
        {
            self.console = old.console.clone();
            self.health = old.health.clone();
        }
        self.confinement = old.confinement.clone();
        self.fixed = old.fixed.clone();
    }
}
