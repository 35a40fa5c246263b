//! Quotes and records, as a producer makes them.

use stockpipe_pipeline::{Origin, Price, Quote, Record, RecordSequence, Symbol, Timestamp, push_json};

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

/// A price in units of 10⁻⁸.
pub(crate) fn units(units: i64) -> Price {
    Price::from_units(units).expect("a price")
}

/// A live, fresh quote of a price alone, whose signals are published.
pub(crate) fn quote(symbol: &str, timestamp: Timestamp, price: Price) -> Quote {
    Quote {
        symbol: Symbol::parse(symbol).expect("a symbol"),
        timestamp,
        price,
        open: None,
        high: None,
        low: None,
        previous_close: None,
        volume: None,
        currency: None,
        source: Some("test".into()),
        origin: Origin::Live,
        stale: false,
        alert: true,
        ingested_at: timestamp,
    }
}

/// The quote's line on the stream.
pub(crate) fn line(quote: &Quote) -> Vec<u8> {
    let mut line = Vec::new();
    push_json(&mut line, quote);
    line
}

/// A stream of one shard, as its records were acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) records: Vec<Record>,
}

impl Stream {
    /// Appends a record of these lines.
    pub(crate) fn push(&mut self, partition_key: &str, arrived_at: Timestamp, lines: &[Vec<u8>]) {
        let number = u64::try_from(self.records.len()).expect("a number") + 1;
        self.records.push(Record {
            sequence: RecordSequence::local(number),
            partition_key: partition_key.into(),
            arrived_at,
            data: lines.join(&b'\n').into(),
        });
    }

    /// Appends a record of one quote.
    pub(crate) fn push_quote(&mut self, quote: &Quote, arrived_at: Timestamp) {
        self.push(&quote.symbol, arrived_at, &[line(quote)]);
    }
}
