//! Persistence of connections (RFC 9112 section 9.3).
