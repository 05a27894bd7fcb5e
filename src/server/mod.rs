//! Connections and threads.

use crate::config::{Settings, StartError};

/// Serves until told to stop.
///
/// # Errors
/// What kept the server from starting.
pub fn run(settings: Settings) -> Result<(), StartError> {
    log::info!("serving {}", settings.root.display());
    Ok(())
}
