//! A pipeline on this machine, everything embedded.

pub mod sql;
