//! The authority of a request (RFC 9110 section 7.2).
