//! The command line.

pub mod sources;

fn main() {}
