//! FastCGI 1.0: what is said to a persistent application, and what it may answer.
//!
//! A connection carries one request at a time, which has the number 1. The server asks for no
//! FCGI_GET_VALUES, runs no two requests on one connection and knows no Filter: docs/conformance.md
//! says why.

pub mod params;
pub mod record;
pub mod request;
pub mod response;
