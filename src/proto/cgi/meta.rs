//! Meta-variables (RFC 3875 section 4.1).
