//! Request target forms (RFC 9112 section 3.2).
