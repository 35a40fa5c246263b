//! The command line.

pub mod report;
pub mod rows;
pub mod sources;

fn main() {}
