//! Reads the configuration again, and serves what it says from then on, without dropping anybody.
//!
//! Rules:
//! - All of it counts or none: whatever can fail is done first, beside what is served, and a failure leaves that as
//!   it is and is told in the log.
//! - A request that has begun ends at the site that it began at, with its programs and applications. Connections
//!   are asked nothing: the next request of each finds the new sites.
//! - Listeners that are wanted still stay as they are. Those that are not accept who waits already.
//! - What was given up, or made for good, at the start cannot be had otherwise later: the user, the root, the sandbox,
//!   threads. Options that would change it are named, and the old values hold.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "fastcgi")]
use super::applications::Gone;
use super::listeners::Listeners;
use super::opening::{listen, listen_there_alone, open_sites};
use super::sandbox;
use super::served::{Hosted, Served};
use super::worker::Worker;
use super::{Server, access_log::Logs};
use crate::config::{Settings, StartError, UsageError};
use crate::handler::site::Site;
use crate::sys::signal::{Request, Steering};

/// Gives the settings as they are written now.
pub struct Reread(pub Box<dyn Fn() -> Result<Settings, UsageError> + Send + Sync>);

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reread")
    }
}

/// What is served no more, and was begun with by requests that are on their way.
#[derive(Debug, Default)]
pub(super) struct Retired(Mutex<Vec<Batch>>);

#[derive(Debug)]
struct Batch {
    /// Until nobody has a part in its sites; then `None`.
    served: Option<Arc<Served>>,
    /// What no later one leads to. Requests of this one and of all before may still come to it.
    #[cfg(feature = "fastcgi")]
    gone: Vec<Gone>,
    /// Whether it has rested: a worker that was about to begin a request with it has done so.
    is_settled: bool,
}

impl Retired {
    fn push(&self, batch: Batch) {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        batches.push(batch);
    }

    /// Ends what would be let go later: the server ends.
    #[cfg(feature = "fastcgi")]
    pub(super) fn stop(&self) {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<Gone> = batches
            .iter_mut()
            .flat_map(|it| it.gone.drain(..))
            .collect();
        gone.iter().for_each(Gone::order_stop);
        drop(gone);
    }

    /// Lets go what nobody needs any more; to be called now and then. The processes of applications end by it.
    pub(super) fn release(&self) {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in batches.iter_mut() {
            let is_settled = std::mem::replace(&mut batch.is_settled, true);
            let is_over = |served: &Arc<Served>| {
                let mut sites = served.sites.iter();
                is_settled && sites.all(|hosted| Arc::strong_count(hosted) == 1)
            };
            if batch.served.as_ref().is_some_and(is_over) {
                batch.served = None;
            }
        }
        #[cfg(feature = "fastcgi")]
        {
            let waits = batches.iter().position(|batch| batch.served.is_some());
            let end = waits.unwrap_or(batches.len());
            let gone: Vec<Gone> = batches[..end]
                .iter_mut()
                .flat_map(|batch| std::mem::take(&mut batch.gone))
                .collect();
            if !gone.is_empty() {
                // It takes as long as their processes take.
                let ends = std::thread::Builder::new().name("retirement".to_owned());
                let _ = ends.stack_size(super::STACK).spawn(move || drop(gone));
            }
        }
        #[cfg(not(feature = "fastcgi"))]
        batches.retain(|batch| batch.served.is_some());
        #[cfg(feature = "fastcgi")]
        batches.retain(|batch| batch.served.is_some() || !batch.gone.is_empty());
    }
}

/// What is wrong with a configuration, a line each.
type Problems = Vec<String>;

fn problem(error: StartError) -> Problems {
    vec![error.to_string()]
}

impl Server {
    /// Waits to be told to stop; meanwhile does what is to be done where the configuration may be another one.
    pub(super) fn await_stop(&self, steering: &mut Steering, reread: fn(&Server)) {
        while steering.await_request() == Some(Request::Reread) {
            self.supervision.reloading();
            reread(self);
            self.supervision.reloaded();
        }
    }

    pub(super) fn reopen_logs(&self) {
        self.logs().reopen();
    }

    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the logs anew and, where there is a configuration file, reads it again.
    pub(super) fn reload(&self) {
        self.reopen_logs();
        if !cfg!(feature = "config") || self.settings.config.is_none() {
            return;
        }
        if self.settings.confinement.chroot.is_some() {
            // What has its name inside may be anybody's.
            log::error!(
                "--config: the file lies outside of --chroot, where nothing can be read again; restart the server \
                 for another one to count"
            );
            return;
        }
        match self.reread() {
            Ok(sites) => log::info!("--config: read again; {sites}"),
            Err(problems) => {
                problems.iter().for_each(|line| log::error!("{line}"));
                log::error!(
                    "--config: nothing was changed, and what was served before is served on"
                );
            }
        }
    }

    /// Takes the configuration as it is now; returns what is served then.
    fn reread(&self) -> Result<String, Problems> {
        let mut settings = (self.reread.0)().map_err(|error| error.lines().to_vec())?;
        let differing = settings.keep_fixed(&self.settings);
        let present = self.listeners.all();
        let are_handed = present.iter().any(|(_, listener)| listener.is_shared());
        if are_handed {
            // Whoever handed them over says where.
            listen_there_alone(&mut settings, present.iter().map(|(_, it)| &**it));
        }
        let settings = settings;
        let placed = |error: StartError| problem(error.placed(&settings));
        let sites = open_sites(&settings, None).map_err(placed)?;
        self.check_permitted(&settings, &sites).map_err(placed)?;
        let logs = self.logs().with(&settings, None).map_err(placed)?;
        let listeners = match are_handed {
            true => Ok(Listeners::no_change()),
            false => self.listeners.plan(&settings.listen, listen),
        };
        let listeners = listeners.map_err(placed)?;
        #[cfg(feature = "fastcgi")]
        let mut applications = self.applications.plan(&settings).map_err(placed)?;
        // From here on there is but want of threads and memory to fail for.
        #[cfg(feature = "fastcgi")]
        if let Err(error) = self.applications.add(&mut applications, true) {
            return Err(problem(StartError::failed("--fastcgi", "", error)));
        }
        let (opened, gone) = self.listeners.change(listeners);
        self.listen_too(&opened)?;
        for warning in &settings.warnings {
            log::warn!("{warning}");
        }
        for option in differing {
            log::warn!("--{option}: is another one now, which counts after a restart");
        }
        self.serve_other(
            &settings,
            sites,
            logs,
            #[cfg(feature = "fastcgi")]
            applications,
        );
        self.close(&gone);
        Ok(self.summary())
    }

    fn listen_too(&self, opened: &[usize]) -> Result<(), Problems> {
        for at in opened {
            let listener = self.listeners.at(*at);
            if let Some(Err(error)) = listener.map(|listener| self.parking.listen(*at, &listener)) {
                self.close(opened);
                return Err(problem(StartError::failed("--listen", "", error)));
            }
        }
        Ok(())
    }

    fn serve_other(
        &self,
        settings: &Settings,
        sites: Vec<Site>,
        logs: Logs,
        #[cfg(feature = "fastcgi")] applications: super::applications::Change,
    ) {
        let hosted = Hosted::all(
            settings,
            sites,
            &logs,
            #[cfg(feature = "fastcgi")]
            applications.pools,
        );
        *self.logs() = logs;
        let old = self.current.replace(Served::new(settings.clone(), hosted));
        self.retired.push(Batch {
            served: Some(old),
            #[cfg(feature = "fastcgi")]
            gone: self.applications.remove(&applications.gone),
            is_settled: false,
        });
    }

    /// Stops listening, once those are accepted who wait.
    fn close(&self, listeners: &[usize]) {
        let mut worker = Worker::new(self);
        for at in listeners {
            while worker.accept(*at) {}
            if let Some(listener) = self.listeners.at(*at) {
                self.parking.stop_listening(&listener);
            }
            self.listeners.forget(*at);
        }
    }

    /// Refuses what the sandbox would keep from being served.
    fn check_permitted(&self, settings: &Settings, sites: &[Site]) -> Result<(), StartError> {
        let Some(permitted) = &self.permitted else {
            return Ok(());
        };
        let mut wanted = sandbox::of_programs(settings, sites)?;
        wanted.extend(sandbox::of_server(settings));
        match wanted.iter().find(|rule| !permitted.contains(rule)) {
            None => Ok(()),
            Some((_, path)) => {
                let problem = "was not there when the sandbox was made, which permits it to nobody; restart the \
                               server";
                Err(StartError::failed("--sandbox", path.display(), problem))
            }
        }
    }
}
