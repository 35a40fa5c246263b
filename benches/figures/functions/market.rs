//! Quotes as a source of all fields makes them, in records as the producer packs them, and as Lambda hands them over.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use pipeline::{Origin, Price, Quote, RECORD_LIMIT, Symbol, Timestamp, Volume, push_json};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

/// A symbol's quotes are so far apart, in milliseconds.
const STEP: i64 = 1000;
/// A quote is put so long after the market made it, in milliseconds.
const DELAY: i64 = 250;
/// Units of 10⁻⁸ in a cent.
const CENT: i64 = 1_000_000;

/// A random walk for each symbol, of at most two cents a step.
pub struct Market {
    random: ChaCha8Rng,
    walks: Vec<Walk>,
    /// The next of them.
    turn: usize,
    /// Records that were handed over.
    sequence: u64,
}

struct Walk {
    symbol: Symbol,
    cents: i64,
    /// The market time of its next quote, in milliseconds since 1970.
    at: i64,
    low: i64,
    high: i64,
}

/// What goes into one record: quotes of one symbol, in time order.
pub type Quotes = Vec<Quote>;

impl Market {
    /// So many symbols. All quotes are of one day.
    pub fn new(symbols: u32) -> Self {
        // Noon of today, in the future or not: what counts is the arrival, which is that of the quotes.
        let noon = Utc::now().timestamp_millis() / 86_400_000 * 86_400_000 + 43_200_000;
        let symbols = (0..symbols).filter_map(|number| Symbol::parse(&format!("SYN{number:05}")).ok());
        let walks = symbols.map(|symbol| Walk { symbol, cents: 10_000, at: noon, low: 10_000, high: 10_000 }).collect();
        Self { random: ChaCha8Rng::seed_from_u64(7), walks, turn: 0, sequence: 0 }
    }

    /// So many records of so many quotes, of a symbol after the other.
    pub fn records(&mut self, records: usize, quotes: usize) -> Vec<Quotes> {
        (0..records).map(|_| self.record(quotes)).collect()
    }

    /// What a producer can pack into one record.
    pub fn full_record(&mut self) -> Quotes {
        let mut quotes = self.record(1);
        while data(&quotes).len() <= RECORD_LIMIT {
            self.turn = self.turn.checked_sub(1).unwrap_or(self.walks.len() - 1);
            quotes.extend(self.record(1));
        }
        quotes.pop();
        quotes
    }

    fn record(&mut self, quotes: usize) -> Quotes {
        let turn = self.turn;
        self.turn = (turn + 1) % self.walks.len();
        let Self { random, walks, .. } = self;
        let quote = |_| walks.get_mut(turn).and_then(|walk| walk.quote(random.next_u64()));
        (0..quotes).filter_map(quote).collect()
    }

    /// What Lambda hands to the functions of the stream for these records.
    pub fn stream_event(&mut self, records: &[Quotes]) -> String {
        let records: Vec<Value> = records
            .iter()
            .map(|quotes| {
                self.sequence += 1;
                let number = format!("4959{:052}", self.sequence);
                let last = quotes.last().map_or(0, |quote| quote.ingested_at.millis());
                json!({
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": quotes.first().map(|quote| quote.symbol.to_string()),
                        "sequenceNumber": number,
                        "data": BASE64_STANDARD.encode(data(quotes)),
                        "approximateArrivalTimestamp": last as f64 / 1000.0,
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": format!("shardId-000000000000:{number}"),
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": "arn:aws:iam::000000000000:role/stockpipe/none",
                    "awsRegion": "us-east-1",
                    "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/none",
                })
            })
            .collect();
        json!({"Records": records}).to_string()
    }
}

impl Walk {
    fn quote(&mut self, drawn: u64) -> Option<Quote> {
        self.cents = (self.cents + (drawn % 5) as i64 - 2).clamp(9_800, 10_200);
        (self.low, self.high) = (self.low.min(self.cents), self.high.max(self.cents));
        let timestamp = Timestamp::from_millis(self.at)?;
        self.at += STEP;
        let price = |cents: i64| Price::from_units(cents * CENT);
        Some(Quote {
            symbol: self.symbol.clone(),
            timestamp,
            price: price(self.cents)?,
            open: price(10_000),
            high: price(self.high),
            low: price(self.low),
            previous_close: price(9_950),
            volume: Volume::from_units(i128::from(drawn >> 40) * i128::from(CENT) * 100),
            currency: Some(Arc::from("USD")),
            source: Some(Arc::from("yahoo")),
            origin: Origin::Live,
            stale: false,
            alert: true,
            ingested_at: timestamp.plus_millis(DELAY),
        })
    }
}

/// The bytes of a record.
pub fn data(quotes: &[Quote]) -> Vec<u8> {
    let mut data = Vec::new();
    for quote in quotes {
        if !data.is_empty() {
            data.push(b'\n');
        }
        push_json(&mut data, quote);
    }
    data
}

/// The same quotes, each in a record of its own, in order of time.
pub fn one_by_one(records: &[Quotes]) -> Vec<Quotes> {
    let mut quotes: Vec<&Quote> = records.iter().flatten().collect();
    quotes.sort_by_key(|quote| quote.timestamp);
    quotes.into_iter().map(|quote| vec![quote.clone()]).collect()
}

/// What Lambda hands to the functions of the table's stream for items that are new.
pub fn table_event(items: &[HashMap<String, AttributeValue>]) -> String {
    let records = items.iter().enumerate().map(|(at, item)| {
        let image: Value = item.iter().map(|(name, value)| (name.clone(), dynamodb_json(value))).collect();
        json!({
            "eventID": format!("{at:032}"), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/x/stream/y",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_763_900_000, "SequenceNumber": format!("{at:021}"), "SizeBytes": 600,
                "StreamViewType": "NEW_AND_OLD_IMAGES", "NewImage": image,
                "Keys": {"symbol": image["symbol"], "timestamp": image["timestamp"]},
            },
        })
    });
    json!({"Records": records.collect::<Vec<_>>()}).to_string()
}

fn dynamodb_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        _ => Value::Null,
    }
}
