//! Where a pipeline can be put.

pub mod aws;
pub mod local;
