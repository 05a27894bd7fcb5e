//! FastCGI 1.0: the records between a server and an application.

pub mod params;
pub mod record;
pub mod request;
pub mod response;
