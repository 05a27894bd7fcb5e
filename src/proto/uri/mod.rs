//! From the bytes of a request target to the route that serves it.
//!
//! Source: RFC 9112 section 3.2, RFC 3986.
//! Shape: [`target`] splits the bytes by form, [`path`] decodes the path of it, [`route`] finds what
//! the decoded path belongs to. [`copy`] tells which names are those of copies.
//! Rules: in this order and each once. A route is found on the decoded path only, so that no spelling
//! of a path reaches another handler than the plain one does.
//! Not here: the authority (`http::host`), files and programs (`handler`).

pub mod copy;
pub mod path;
pub mod route;
pub mod target;

#[cfg(test)]
mod tests;
