//! What was set aside: choosing from it, and what is known of a line.

use super::{
    local::stream::now,
    span::{self, Place},
};
use crate::error::Error;
use pipeline::{Judge, Record, RecordSequence, Sequence, Timestamp};
use std::sync::Arc;

/// Which of what was set aside; without anything all of it.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Of these partition keys; of all where there are none.
    pub keys: Vec<String>,
    /// These; all where there are none.
    pub places: Vec<Place>,
    /// What arrived at this time or later.
    pub since: Option<Timestamp>,
    /// Those whose reason contains this text, in upper or lower case.
    pub reason: Option<String>,
    /// Only what was not replayed yet.
    pub only_open: bool,
    /// Only what was there already then.
    pub through: Option<Through>,
}

/// Where reading ended: what is set aside meanwhile lies behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// At this line.
    Sequence(Sequence),
    /// With what was written by then, as the place itself keeps the time.
    Written(Timestamp),
}

impl Choice {
    /// Whether this one was chosen.
    pub fn has(&self, aside: &Aside) -> bool {
        let text = |reason: &String| aside.reason.to_lowercase().contains(&reason.to_lowercase());
        (self.keys.is_empty() || self.keys.contains(&aside.partition_key))
            && (self.places.is_empty() || self.places.iter().any(|place| place.has(aside.sequence)))
            && self.since.is_none_or(|since| aside.arrived_at >= since)
            && self.reason.as_ref().is_none_or(text)
            && !(self.only_open && aside.replayed.is_some())
    }
}

/// A line that was set aside, or a whole record that could not be judged.
#[derive(Clone, Debug)]
pub struct Aside {
    /// Its place in the stream, by which it is known.
    pub sequence: Sequence,
    /// Its record's partition key.
    pub partition_key: String,
    /// When its record arrived.
    pub arrived_at: Timestamp,
    /// Why.
    pub reason: String,
    /// What it is, byte for byte.
    pub bytes: Vec<u8>,
    /// When it was put again, and as which record.
    pub replayed: Option<(Timestamp, RecordSequence)>,
}

impl Aside {
    /// Its place as short as it can be typed: `42-7`.
    pub fn id(&self) -> String {
        span::typed(self.sequence)
    }

    /// Whether it would be a quote if it arrived now; of a whole record, whether every line of it would.
    pub fn would_be_quote(&self) -> bool {
        let record = Record {
            sequence: self.sequence.record,
            partition_key: Arc::from(&*self.partition_key),
            arrived_at: now(),
            data: Arc::from(&*self.bytes),
        };
        let mut would_be = true;
        Judge::default().record(&record, |_, _, _| {}, |_| would_be = false);
        would_be
    }
}

/// What was chosen, in stream order, read page by page: nothing is held in between.
pub trait Asides {
    /// The next page, perhaps empty although more follow; none at the end.
    fn page(&mut self) -> Result<Option<Vec<Aside>>, Error>;

    /// Where reading has come to; nowhere before anything was read.
    fn through(&self) -> Option<Through>;
}
