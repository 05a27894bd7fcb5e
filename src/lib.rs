//! tollgate: a web server for Linux that sends files and runs programs.
//!
//! This library is the whole server; `main.rs` only turns arguments into a running one. The modules
//! below stand in layer order, lowest first, and **imports point down, never up and never sideways**:
//!
//! | layer | module | job |
//! |---|---|---|
//! | 0 | [`proto`] | the standards: bytes in, values out, and back; no socket, clock or log |
//! | 1a | [`config`] | the operator's words, made into settings |
//! | 1b | [`sys`] | the operating system, one file a facility; no word of HTTP |
//! | 2 | [`handler`] | one file per kind of resource: a file is sent, a program is run |
//! | 3 | `console` | what the server does, shown to whoever runs it |
//! | 4 | [`server`] | connections and threads |
//!
//! `config` and `sys` do not know each other. ARCHITECTURE.md follows one request through all of it;
//! `tests/layering.rs` holds the rule.

pub mod proto;

pub mod config;
pub mod sys;

pub mod handler;

#[cfg(feature = "console")]
pub mod console;

pub mod server;
