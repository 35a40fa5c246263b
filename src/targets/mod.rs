//! Where a pipeline can be put, and what it answers wherever it is.

pub mod aws;
pub mod latency;
pub mod local;
pub mod producer;

use crate::error::Error;
use latency::Histogram;
use pipeline::{Counts, Item, Signal, Symbol, Timestamp};

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

/// What became of a run's quotes.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What process made of them.
    pub counts: Counts,
    /// Signals that they raised.
    pub signals: u64,
    /// Quotes in the lake, duplicates included.
    pub archived: u64,
    /// How long each took from put to stored.
    pub latency: Histogram,
}

impl Run {
    /// How long it took from put to stored, in ms, for this share of the quotes; none where nothing was measured.
    pub fn latency(&self, share: f64) -> Option<f64> {
        self.latency.quantile(share)
    }
}

/// How a drain ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything is in the table and in the lake.
    All,
    /// The time was up: so many quotes are missing, for the reason given.
    Missing {
        /// Quotes not in the table yet, or not in the lake.
        quotes: u64,
        /// Who should have taken them, or what fails.
        because: String,
    },
}
