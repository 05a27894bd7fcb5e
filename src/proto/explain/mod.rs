//! Why a program failed, read off bytes: those of its file, of what it printed, of what it complained of.
//!
//! Rules: pure; what is quoted is bounded by who calls. A cause is told from evidence that is there, and
//! where there is none nothing is made up.

pub mod file;
pub mod output;
pub mod stderr;
