//! Where a pipeline runs.

pub mod local;
