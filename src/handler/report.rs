//! Tells the log what is known about a program or application that failed.
//!
//! Rules: it may quote output, since it goes to the log alone, and no more of it than helps.

use crate::proto::Reason;

/// How much of what a program wrote is quoted.
const QUOTED_MAX: usize = 200;

/// Writes a line that begins with `name`. `detail` tells how it ended, `seen` is what there is of a
/// header that is not whole, and `tail` the end of stderr.
pub fn report(name: &str, reason: Reason, detail: &str, seen: &[u8], tail: &[u8]) {
    let mut line = format!("{name}: {}: {} ({detail})", reason.code(), reason.meaning());
    if !seen.is_empty() {
        let shown = &seen[..seen.len().min(QUOTED_MAX)];
        line.push_str(&format!("; it printed \"{}\"", shown.escape_ascii()));
    }
    if !tail.is_empty() {
        let shown = tail.trim_ascii();
        let shown = &shown[shown.len().saturating_sub(QUOTED_MAX)..];
        line.push_str(&format!(
            "; its stderr ended in \"{}\"",
            shown.escape_ascii()
        ));
    }
    match reason {
        Reason::ClientGone | Reason::ClientSlow | Reason::ServerStopping => log::info!("{line}"),
        _ => log::error!("{line}"),
    }
}
