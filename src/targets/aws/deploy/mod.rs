//! What is done to the stacks, call by call. What is asked, shown and decided in between is the commands'.

pub mod bootstrap;
pub mod change_set;
pub mod code;
pub mod data;
pub mod drift;
pub mod follow;
pub mod kept;
pub mod mappings;
pub mod pace;
pub mod queries;
pub mod survey;
pub mod topics;
