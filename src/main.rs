//! The command line.

pub mod queries;
pub mod rows;
pub mod targets;

fn main() {}
