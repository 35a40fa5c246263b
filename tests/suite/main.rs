//! What is promised of the command, held against the binary as users run it.

mod durability;
#[cfg(target_os = "linux")]
mod power_loss;
