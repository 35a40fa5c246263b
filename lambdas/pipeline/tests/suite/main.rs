//! What the rules promise, held against the handlers through ports in memory: recorded data with known signals.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where what it builds on fails")]

mod fold;
mod golden;
mod memory;
mod regressions;
mod run;
mod stream;
