//! How fast, how soon and in how much memory quotes get in.

pub mod backlog;
mod baseline;
pub mod check;
pub mod latency;
pub mod throughput;
