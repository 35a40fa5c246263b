//! What the binary promises, held against the binary itself, each time in a fresh home.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it builds on fails"
)]

// The name by which what is shared with the tests of the functions knows it.
extern crate aws_ports as stockpipe_aws_ports;

#[expect(dead_code, reason = "the tests of the source use what these do not")]
mod fake_yahoo;
mod harness;

mod alerts;
mod aws;
mod aws_offline;
mod bad_records;
mod cost;
mod demo;
mod durability;
#[expect(dead_code, reason = "the tests of the functions use what these do not")]
mod emulator;
mod exit_codes;
#[cfg(target_os = "linux")]
mod full_disk;
mod golden;
mod help;
mod lifecycle;
mod live_table;
mod marks;
mod output;
#[cfg(target_os = "linux")]
mod power_loss;
mod processes;
mod python;
mod replay;
mod settings;
mod sql_differential;
mod sql_notes;
mod tail;
mod templates;
mod terminal;
mod yahoo;
