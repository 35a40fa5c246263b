//! Where a pipeline can be put.

pub mod local;
