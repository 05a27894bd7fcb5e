//! Connections and threads.
