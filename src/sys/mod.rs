//! The operating system, one thin file a facility; no word of HTTP.

pub mod beneath;
#[cfg(test)]
pub(crate) mod testing;
