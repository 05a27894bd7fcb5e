//! The tokens that all HTTP parsers share.
