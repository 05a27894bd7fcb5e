//! Test harness for the parsers.
