//! Persistent applications behind FastCGI: reached over the network, or started by the server.

pub mod authorizer;
pub mod connect;
pub mod links;
pub mod lookup;
pub mod pool;
pub mod run;
pub mod supervisor;
pub mod watch;
