//! CGI responses (RFC 3875 section 6).
