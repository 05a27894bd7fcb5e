//! What the kernel lacks, or a filter of system calls keeps away, and what follows for whoever is served.
//!
//! Rules: the start of the server tells all of it, once; nothing here decides how it is done without, which those
//! do that would use it (`beneath.rs`, `spawner.rs`). Landlock is told of where a sandbox is asked for.

use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::beneath;

/// The first kernel that all this was tried with, as far as calls that came later can be kept from it.
pub const OLDEST: &str = "Linux 3.17";

/// Whether there are pidfds.
pub fn has_pidfds() -> bool {
    pidfd_open(getpid(), PidfdFlags::empty()).is_ok()
}

/// What is wanting, a sentence each.
pub fn wants() -> impl Iterator<Item = &'static str> {
    let wants = [
        (
            beneath::confines_root(),
            "the kernel has no openat2, or a filter keeps it away: symbolic links below the folders that are \
             served are not followed; Linux 5.6 has it",
        ),
        (
            has_pidfds(),
            "the kernel has no pidfds, or a filter keeps them away: the server starts programs itself, and looks \
             every 50 ms whether one has ended; Linux 5.3 has them",
        ),
    ];
    wants
        .into_iter()
        .filter_map(|(is_there, sentence)| (!is_there).then_some(sentence))
}
