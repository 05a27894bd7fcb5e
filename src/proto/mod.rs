//! The standards tollgate speaks, as pure functions: bytes in, values out, and back.
//!
//! Rules: nothing in this folder does I/O, logs, sleeps, spawns or reads a clock; the current time,
//! like every byte, arrives as an argument. A parser has three outcomes and no other: a value and how
//! many bytes it took, "more bytes are needed", or a [`Reason`] to refuse.

pub mod account;
pub mod address;
pub mod cgi;
pub mod explain;
#[cfg(feature = "fastcgi")]
pub mod fastcgi;
pub mod finding;
pub mod grammar;
pub mod http;
pub mod json;
pub mod network;
pub mod proxy;
pub mod reason;
#[cfg(test)]
pub mod testing;
pub mod uri;

pub use reason::Reason;

/// What a parser made of the bytes it was given.
///
/// `used` counts the bytes of the input that belong to `value`; what follows them is untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<T> {
    /// The value is whole.
    Complete {
        /// What was parsed.
        value: T,
        /// How many bytes of the input it took.
        used: usize,
    },
    /// The input is the beginning of a value; more bytes are needed.
    Partial,
}
