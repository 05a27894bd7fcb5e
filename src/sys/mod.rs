//! The operating system, one thin file a facility; no word of HTTP.

pub mod beneath;
pub mod child;
pub mod clock;
pub mod descriptors;
pub mod listener;
pub mod outgoing;
pub mod poller;
pub mod signal;
pub mod spool;
pub mod stream;
pub mod watch;
