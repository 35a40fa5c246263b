//! The ports and the functions against an emulator of AWS, held against the plain fold that the handlers' own tests
//! use; and the conversions, for any item.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends where what it builds on fails"
)]

// The reference and the random histories of the handlers' own tests, which name the crate in full.
extern crate pipeline as stockpipe_pipeline;

mod conversions;
#[expect(dead_code, reason = "the bench of the functions uses what these do not")]
#[path = "../../../../tests/suite/emulator.rs"]
mod emulator;
#[path = "../../../pipeline/tests/suite/fold.rs"]
mod fold;
mod functions;
#[path = "../../../pipeline/tests/suite/history.rs"]
mod history;
#[path = "../../../pipeline/tests/suite/memory.rs"]
mod memory;
mod merging;
mod ports;
#[expect(dead_code, reason = "what compares packages is not used here")]
#[path = "../../../../tests/suite/python.rs"]
mod python;
mod recordings;
#[expect(dead_code, reason = "only the comparison in the end is used here")]
#[path = "../../../pipeline/tests/suite/run.rs"]
mod run;
mod stack;
#[expect(dead_code, reason = "what the histories need of it is used here")]
#[path = "../../../pipeline/tests/suite/stream.rs"]
mod stream;
