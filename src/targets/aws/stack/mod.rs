//! The stack as CloudFormation tells of it: what an operation would change, how far it is, and why it failed.
//!
//! Nothing here calls AWS or reads a clock: what the calls answered comes in as plain values, what people read goes out.

pub mod events;
pub mod failure;
pub mod kinds;
pub mod plan;
