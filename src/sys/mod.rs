//! The operating system, one thin file a facility; no word of HTTP.

pub mod activation;
pub mod beneath;
pub mod buffer;
pub mod child;
pub mod clock;
pub mod descriptors;
pub mod fault;
pub mod identity;
pub mod kernel;
pub mod listener;
pub mod log_file;
pub mod look;
pub mod notify;
pub mod outgoing;
pub mod pipe;
pub mod poller;
pub mod private_folder;
#[cfg(feature = "console")]
pub mod random;
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

/// Opens a regular file to read it, and nothing that could be waited for: a pipe, a device.
fn open_regular(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    // What it is can be asked safely only of what is open.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::ErrorKind::InvalidInput.into()),
    }
}

/// Whether the mode of a folder, and of those above it, lets this user make files in it.
pub fn mode_permits_making(folder: &std::path::Path) -> bool {
    use rustix::fs::Access;
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Reads at most `len` bytes from the beginning of a regular file.
pub fn first_bytes(path: &std::path::Path, len: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    open_regular(path)?
        .take(len as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
