//! CGI/1.1 (RFC 3875): what a program is told, and what it may answer.

pub mod arguments;
pub mod meta;
pub mod response;
