//! What a server takes of the machine, read from `/proc`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::support::{Server, memory_of};

/// What a server takes at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Its memory, files left out (Pss_Anon), in KiB.
    pub(crate) memory: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    /// Programs that run, or were not reaped.
    pub(crate) programs: usize,
    /// Its files without a name, in KiB.
    pub(crate) spool: u64,
}

impl Vitals {
    pub(crate) fn of(server: &Server) -> Vitals {
        let pid = server.pid();
        Vitals {
            memory: memory_of(pid),
            descriptors: entries(pid, "fd"),
            threads: entries(pid, "task"),
            programs: server.children().len(),
            spool: spool(pid),
        }
    }

    /// Whether as much is held as before, memory apart.
    pub(crate) fn is_back_to(&self, before: &Vitals) -> bool {
        self.descriptors <= before.descriptors
            && self.threads <= before.threads
            && self.programs <= before.programs
            && self.spool <= before.spool
    }
}

/// The disk that its files without a name take, in KiB.
pub(crate) fn spool(pid: i32) -> u64 {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    let paths = folder.filter_map(|entry| Some(entry.ok()?.path()));
    let deleted = paths.filter(|path| {
        let name = fs::read_link(path).unwrap_or_default();
        let name = name.to_string_lossy();
        // Files of memory are not on a disk.
        name.ends_with(" (deleted)") && !name.starts_with("/memfd:")
    });
    let blocks = deleted.filter_map(|path| Some(fs::metadata(path).ok()?.blocks()));
    blocks.sum::<u64>() / 2
}

fn entries(pid: i32, name: &str) -> usize {
    fs::read_dir(format!("/proc/{pid}/{name}")).map_or(0, Iterator::count)
}
