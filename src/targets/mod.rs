//! Where a pipeline can be put, and what it answers wherever it is.

pub mod aws;
pub mod latency;
pub mod local;
pub mod producer;

use crate::{
    error::Error,
    queries::Parameter,
    rows::{Column, Row},
};
use latency::Histogram;
use pipeline::{Counts, Date, Item, Signal, Symbol, Timestamp};

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

/// All quotes that ever came, which SQL asks.
pub trait History {
    /// The days of its oldest and its newest quote; none where it is empty.
    fn days(&self) -> Result<Option<[Date; 2]>, Error>;

    /// Begins to answer a query, and comes back with the first of the answer. `parameters` are the values of its `?`, by
    /// position.
    ///
    /// # Errors
    /// When it cannot be understood, names what is not there, would change something, or is interrupted.
    fn query(
        &self,
        sql: &str,
        parameters: &[Parameter],
        tell: &mut dyn FnMut(Asked<'_>),
    ) -> Result<Box<dyn Answer + '_>, Error>;
}

/// What there is to say while a query is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Something about the query that its author may want to change.
    Note(&'a str),
    /// What goes on now.
    GoingOn(&'a str),
}

/// An answer that comes piece by piece, so that a long one never is in memory as a whole.
pub trait Answer {
    /// Its columns.
    fn columns(&self) -> &[Column];

    /// The next rows; none after the last.
    fn next(&mut self) -> Result<Option<Vec<Row>>, Error>;

    /// What it took beside time, such as `12 kB read`.
    fn took(&self) -> String;
}
