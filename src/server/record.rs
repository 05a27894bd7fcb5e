//! What is kept of an exchange for the console, from its head to its last byte.
//!
//! Shape: a [`Record`] travels with the exchange's course, then with its entry, and ends at the console. Rules: without
//! a console it is empty, and every method does nothing; nobody else has to ask.

#[cfg(feature = "console")]
mod kept;

#[cfg(feature = "console")]
pub use kept::Record;

#[cfg(not(feature = "console"))]
pub use none::Record;

#[cfg(not(feature = "console"))]
mod none {
    use crate::handler::Response;
    use crate::handler::reply::{Draft, Reply};
    use crate::handler::report::{Course, Id};
    use crate::handler::script::Script;
    use crate::handler::site::Resource;
    use crate::proto::Reason;
    use crate::proto::cgi::meta::MetaVariables;
    use crate::proto::finding::Finding;
    use crate::proto::uri::path::UrlPath;
    use crate::server::Server;
    use crate::server::served::Hosted;
    use crate::sys::spool::Spool;

    /// Nothing: this server has no console.
    #[derive(Debug, Default)]
    pub struct Record(());

    #[allow(clippy::unused_self, reason = "it is what `kept` has")]
    impl Record {
        pub fn is_kept(&self) -> bool {
            false
        }
        pub fn kept_max(&self) -> usize {
            0
        }
        pub fn lend_head(&mut self, _: &mut Draft) {}
        pub fn receive_body(&mut self, _: &Server) {}
        pub fn wait(&mut self) {}
        pub fn go_on(&mut self, _: &Server) {}
        pub fn redirect(&mut self, _: &[u8]) {}
        pub fn resolve(
            &mut self,
            _: &Server,
            _: &Hosted,
            _: &UrlPath<'_>,
            _: Result<&Resource<'_, '_>, &Reason>,
        ) {
        }
        pub fn file(&mut self, _: &Response) {}
        pub fn run(&mut self, _: &Script, _: &MetaVariables, _: bool, _: Option<Course>) {}
        #[cfg(feature = "fastcgi")]
        pub fn ask<'v>(&mut self, _: bool, _: impl Iterator<Item = (&'v [u8], &'v [u8])>) {}
        #[cfg(feature = "fastcgi")]
        pub fn asked(&mut self, _: String, _: bool, _: bool, _: Option<Course>) {}
        pub fn find(&mut self, _: Option<&Finding>) {}
        pub fn answer(&mut self, _: &[u8], _: Option<&Spool>, _: Option<Id>, _: &mut Reply<'_>) {}
    }
}
