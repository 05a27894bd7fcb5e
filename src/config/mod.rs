//! The operator's words, made into settings.
