//! Request body framing (RFC 9112 section 6).
