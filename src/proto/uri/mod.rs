//! Request targets, paths and routes.

pub mod path;
pub mod route;
pub mod target;
