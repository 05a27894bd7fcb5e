//! Content negotiation (RFC 9110 section 12).
