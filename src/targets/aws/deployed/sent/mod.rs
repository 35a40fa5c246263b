//! What was sent, so that what became of it can be looked up: each line's identity, values and place in the stream.
//!
//! Nothing on AWS counts for whoever sent. But a place in the stream says all: the item that has a quote's identity has
//! its sequence or an earlier one's, an object of the lake is named by the sequences it holds, and so is what was set
//! aside.

mod look;

pub use look::{Looked, Waiting};

use crate::targets::{local::stream::now, producer::Packed};
use pipeline::{Judge, Quote, Record, RecordSequence, Sequence, Symbol, Timestamp};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// Everything that was sent in a run.
#[derive(Debug)]
pub struct Sent {
    /// When the run began; nothing of it arrived before.
    began: Timestamp,
    judge: Judge,
    records: Vec<SentRecord>,
    quotes: HashMap<Symbol, Vec<SentQuote>>,
    /// Lines that are no quotes.
    others: Vec<Sequence>,
}

/// A record, and where it is.
#[derive(Clone, Debug)]
struct SentRecord {
    sequence: RecordSequence,
    shard: Arc<str>,
    /// Whether it may be on the stream once more, before this one: an answer was lost.
    is_in_doubt: bool,
}

/// A quote: 32 bytes, for there may be millions.
#[derive(Clone, Copy, Debug)]
struct SentQuote {
    timestamp: Timestamp,
    /// Its record, by its place in `records`, and its line there.
    record: u32,
    line: u32,
    ingested_at: Timestamp,
    /// A hash of what tells a duplicate from a revised one.
    values: u64,
}

impl Default for Sent {
    fn default() -> Self {
        let (judge, records, quotes, others) = Default::default();
        Self { began: now(), judge, records, quotes, others }
    }
}

impl Sent {
    /// Takes in a record that is durable, by the number and the shard that the stream gave it. It is in doubt when an
    /// earlier try of it was not answered, and may be on the stream as well.
    pub fn add(&mut self, packed: &Packed, number: &str, shard: Option<&str>, is_in_doubt: bool) {
        let Some(sequence) = aws_ports::sequence(number) else { return };
        let shard = match self.records.last() {
            Some(last) if Some(&*last.shard) == shard => Arc::clone(&last.shard),
            _ => Arc::from(shard.unwrap_or_default()),
        };
        let place = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.records.push(SentRecord { sequence, shard, is_in_doubt });
        let record = Record {
            sequence,
            partition_key: Arc::clone(&packed.ack.key),
            arrived_at: now(),
            data: Arc::from(&*packed.data),
        };
        let Self { judge, quotes, others, .. } = self;
        let add = |sequence: Sequence, quote: Quote, _: &[u8]| {
            let sent = SentQuote {
                timestamp: quote.timestamp,
                record: place,
                line: sequence.line,
                ingested_at: quote.ingested_at,
                values: values(&quote),
            };
            quotes.entry(quote.symbol).or_default().push(sent);
        };
        judge.record(&record, add, |line| others.push(line.sequence));
    }

    fn is_in_doubt(&self, quote: &SentQuote) -> bool {
        self.records.get(quote.record as usize).is_some_and(|record| record.is_in_doubt)
    }

    fn sequence(&self, quote: &SentQuote) -> Option<Sequence> {
        Some(self.records.get(quote.record as usize)?.sequence.line(quote.line))
    }
}

/// What tells a duplicate from a revised one, in short.
fn values(quote: &Quote) -> u64 {
    let mut hasher = DefaultHasher::new();
    (quote.price, quote.open, quote.high, quote.low, quote.volume).hash(&mut hasher);
    hasher.finish()
}
