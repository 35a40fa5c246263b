//! Where quotes come from.

pub mod replay;
pub mod synthetic;

use pipeline::{Quote, Timestamp};
use std::time::Instant;

/// Something for the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A quote, marked and stamped.
    Quote(Quote),
    /// A line that the source cannot read: it goes onto the stream as it is, so that process sets it aside with its
    /// reason and nothing is lost.
    Raw {
        /// The partition key: the line's symbol where it has a text for one, else `?`.
        key: String,
        /// The line, without its line end.
        bytes: Vec<u8>,
    },
}

/// What a source does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// There may be more at once.
    More,
    /// The next quotes are due then.
    WaitUntil(Instant),
    /// There is no more.
    End,
}

/// Where quotes come from. It may block, and runs on a thread of its own.
pub trait Source: Send {
    /// Appends the quotes that are due, at most `limit`, in the order in which they are to be sent. `now` is when
    /// they are sent: their `ingested_at`.
    ///
    /// # Errors
    /// When the source itself fails; a bad line is no failure, see [`Outgoing::Raw`].
    fn next(&mut self, now: Timestamp, limit: usize, out: &mut Vec<Outgoing>) -> Result<Flow, SourceError>;

    /// Its name for people, such as `replay daily.csv`.
    fn name(&self) -> String;

    /// How many quotes it has in all, where it knows.
    fn total(&self) -> Option<u64>;
}

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct SourceError {
    /// The file or place.
    pub what: String,
    /// What is wrong with it.
    pub cause: String,
}
