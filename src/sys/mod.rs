//! The operating system, one thin file a facility; no word of HTTP.

pub mod beneath;
pub mod buffer;
pub mod child;
pub mod clock;
pub mod descriptors;
pub mod fault;
pub mod identity;
pub mod listener;
pub mod log_file;
pub mod look;
pub mod outgoing;
pub mod pipe;
pub mod poller;
pub mod sandbox;
#[cfg(feature = "fastcgi")]
pub mod service;
pub mod signal;
pub mod spawner;
pub mod spool;
pub mod stream;
#[cfg(feature = "auth")]
pub mod terminal;
#[cfg(test)]
pub(crate) mod testing;
pub mod watch;

/// Reads at most `len` bytes from the beginning of a file.
pub fn first_bytes(path: &std::path::Path, len: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(len as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
