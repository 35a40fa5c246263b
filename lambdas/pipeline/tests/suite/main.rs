//! What the rules promise, held against the handlers through ports in memory: recorded data with known signals,
//! properties, and a model test whose adversary does all that a stream and a table of the cloud may do.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where what it builds on fails")]

mod fold;
mod golden;
mod history;
mod memory;
mod model;
mod properties;
mod regressions;
mod run;
mod stream;
