//! Where a pipeline can be put, and what it answers wherever it is.

pub mod aside;
pub mod aws;
pub mod local;
pub mod span;

use crate::error::Error;
use aside::{Asides, Choice};
use pipeline::{Item, Origin, Quote, Signal, Symbol, Timestamp};
use span::{Lines, Span};

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

/// A pipeline whose stream can be read line by line, and what was set aside of it. It only reads.
pub trait Stream: Target {
    /// The lines of a span: those that are in the stream, and those that come while it is read.
    fn lines(&self, span: Span) -> Result<Box<dyn Lines + '_>, Error>;

    /// As [`Stream::lines`], of those already in the stream only the newest, so many.
    fn newest_lines(&self, span: Span, count: u64) -> Result<Box<dyn Lines + '_>, Error>;

    /// What of the set-aside lines was chosen.
    fn asides(&self, choice: Choice) -> Box<dyn Asides + '_>;
}

/// The quote as it is sent a second time. What raised nothing at first, stale or from a backfill, raises nothing now.
fn again(quote: Quote, alert: bool, now: Timestamp) -> Quote {
    let origin = if quote.origin == Origin::Backfill { Origin::Backfill } else { Origin::Replay };
    Quote { origin, alert, ingested_at: now, ..quote }
}
