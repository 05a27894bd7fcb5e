//! Judges how a run ended, from how its program ended and what it had printed.

use super::{Stage, Terms};
use crate::handler::diagnose::ended;
use crate::handler::reply::{Ending, Reply};
use crate::proto::Reason;
use crate::proto::cgi::response;
use crate::sys::child::{self, Exit};

/// Whether a program has failed before its document. An empty page says nothing: who may know why it is empty is told
/// that in its place.
pub(super) fn is_in_vain(stage: &Stage, exit: Exit, stderr: &[u8], terms: &Terms<'_>) -> bool {
    terms.explains
        && matches!((stage, exit), (Stage::Body, Exit::Status(1..)))
        && ended::is_traced(stderr)
}

/// Whether the output of a program that ended by itself is a whole response; a reason beside `Ok` is
/// worth a line in the log.
pub(super) fn verdict_of(
    stage: &Stage,
    exit: Exit,
    reply: &mut Reply<'_>,
) -> Result<Option<Reason>, Reason> {
    match (stage, exit) {
        (Stage::Elsewhere(_) | Stage::Given, _) => {}
        (_, Exit::Signal(signal)) => return Err(killed(signal)),
        (_, Exit::Lost | Exit::Unstarted(_)) => return Err(Reason::CgiKilled),
        (Stage::Header(seen), _) => return Err(response::ended(seen)),
        (Stage::Raw, _) if !reply.is_begun() => return Err(Reason::CgiNoOutput),
        (Stage::Body | Stage::Raw, _) => {
            if reply.finish() == Ending::Short {
                return Err(Reason::CgiShort);
            }
        }
    }
    Ok(match exit {
        _ if reply.has_excess() => Some(Reason::CgiLong),
        Exit::Status(0) => None,
        _ => Some(Reason::CgiExit),
    })
}

/// The reason for the end of a program by this signal.
fn killed(signal: i32) -> Reason {
    match signal {
        child::CPU_LIMIT => Reason::CgiCpuLimit,
        child::FILE_LIMIT => Reason::CgiFileLimit,
        _ => Reason::CgiKilled,
    }
}
