//! Where a pipeline can be put, and what it answers wherever it is.

pub mod aws;
pub mod local;

use crate::error::Error;
use pipeline::{Item, Signal, Symbol, Timestamp};

/// A pipeline, wherever it is. A call may block until it has its answer.
pub trait Target {
    /// What it is called, for people: `local stack 'stockpipe'`.
    fn title(&self) -> String;

    /// Every symbol of which quotes ever came, in order.
    fn symbols(&self) -> Result<Vec<String>, Error>;

    /// The newest quote of each symbol, in order of the symbols; of all, or of those named. Expired ones count as gone.
    fn latest(&self, symbols: &[Symbol]) -> Result<Vec<Item>, Error>;

    /// The signals in order of symbol and time; of all symbols, or of those named; of quotes from `since` on.
    fn signals(&self, symbols: &[Symbol], since: Option<Timestamp>) -> Result<Vec<Signal>, Error>;

    /// Signals as they are recorded, those that are there first; of all symbols, or of those named.
    fn new_signals(&self, symbols: &[Symbol]) -> Result<Box<dyn NewSignals + '_>, Error>;
}

/// Signals as they are recorded.
pub trait NewSignals {
    /// Those that are new since the last call, none of them twice; at first all that there are.
    fn next(&mut self) -> Result<Vec<Signal>, Error>;
}
