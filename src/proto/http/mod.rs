//! HTTP/1.1 (RFC 9110, RFC 9112): one file a section.

#[cfg(feature = "auth")]
pub mod basic;
pub mod chunked;
pub mod conditional;
pub mod forwarded;
pub mod framing;
pub mod head;
pub mod host;
pub mod negotiate;
pub mod persist;
pub mod range;
pub mod response;
pub mod site_hosts;
pub mod status;
