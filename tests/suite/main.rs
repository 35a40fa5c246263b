//! What the binary promises, held against the binary itself, each time in a fresh home.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it builds on fails"
)]

// The names by which what is shared with the tests of functions and handlers knows them.
extern crate aws_ports as stockpipe_aws_ports;
extern crate pipeline as stockpipe_pipeline;

#[expect(dead_code, reason = "the tests of the source use what these do not")]
mod fake_yahoo;
mod harness;

mod alerts;
mod aws;
mod aws_offline;
mod bad_records;
mod bootstraps;
mod conformance;
mod cost;
mod demo;
mod durability;
#[expect(dead_code, reason = "the tests of the functions use what these do not")]
mod emulator;
#[path = "../../lambdas/aws/tests/suite/events.rs"]
mod events;
mod exit_codes;
#[path = "../../lambdas/pipeline/tests/suite/fold.rs"]
mod fold;
#[cfg(target_os = "linux")]
mod full_disk;
mod golden;
mod help;
mod lifecycle;
mod live_table;
mod marks;
#[path = "../../lambdas/pipeline/tests/suite/memory.rs"]
mod memory;
mod output;
#[cfg(target_os = "linux")]
mod power_loss;
mod processes;
mod python;
mod replay;
#[path = "../../lambdas/pipeline/tests/suite/run.rs"]
#[expect(dead_code, reason = "what the handlers' own tests need of it is not all needed here")]
mod run;
mod settings;
mod sql_differential;
mod sql_notes;
#[path = "../../lambdas/pipeline/tests/suite/stream.rs"]
#[expect(dead_code, reason = "what the handlers' own tests need of it is not all needed here")]
mod stream;
mod tail;
mod templates;
mod terminal;
mod yahoo;
