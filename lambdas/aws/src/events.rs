//! What Lambda hands to a function, and the answer it takes.

use crate::{
    Attributes, DamagedItem,
    attributes::{self, StreamAttribute},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use pipeline::{Item, Record, RecordSequence, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use std::{collections::HashMap, sync::Arc};

/// Digits of a sequence number of Kinesis.
const WIDTH: usize = 56;

/// A batch of one shard, as Lambda hands it over.
///
/// Read here, since `aws_lambda_events` takes the fraction of an arrival for whole milliseconds (0.98 s for 98 ms), and
/// arrivals decide what has expired.
#[derive(Clone, Debug, Deserialize)]
pub struct KinesisEvent {
    #[serde(rename = "Records")]
    records: Vec<EventRecord>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventRecord {
    #[serde(rename = "eventID")]
    event_id: String,
    kinesis: KinesisRecord,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KinesisRecord {
    #[serde(deserialize_with = "seconds")]
    approximate_arrival_timestamp: Timestamp,
    data: String,
    partition_key: String,
    sequence_number: String,
}

/// Seconds since 1970, with a fraction. A binary float tells milliseconds apart for the next 100,000 years.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let millis = (f64::deserialize(deserializer)? * 1000.0).round();
    // Saturates, and is then refused.
    Timestamp::from_millis(millis as i64).ok_or_else(|| serde::de::Error::custom("no time of the years 0 to 9999"))
}

/// An event that is not as its service makes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not 1 to 56 digits.
    #[error("the sequence number `{0}` is not 1 to 56 digits")]
    Sequence(String),
    /// The data is not base64.
    #[error("the data of record {0} is not base64")]
    Data(String),
}

/// The place in the stream that Kinesis names so. Always 56 digits wide, so that the order of texts is the order of
/// the stream; AWS writes so many, emulators fewer.
#[must_use]
pub fn sequence(number: &str) -> Option<RecordSequence> {
    RecordSequence::parse(&format!("{number:0>WIDTH$}")).filter(|_| !number.is_empty())
}

/// Records of one shard, in stream order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The records.
    pub records: Vec<Record>,
    /// The shard's name.
    pub shard: String,
    /// What Lambda calls each record.
    names: Vec<String>,
}

impl TryFrom<KinesisEvent> for Batch {
    type Error = EventError;

    fn try_from(event: KinesisEvent) -> Result<Self, EventError> {
        let mut batch = Self::default();
        if let Some(first) = event.records.first() {
            batch.shard = first.event_id.split(':').next().unwrap_or_default().to_owned();
        }
        for EventRecord { kinesis, .. } in event.records {
            let KinesisRecord { approximate_arrival_timestamp, data, partition_key, sequence_number } = kinesis;
            let data = BASE64_STANDARD.decode(data).map_err(|_| EventError::Data(sequence_number.clone()))?;
            batch.records.push(Record {
                sequence: sequence(&sequence_number).ok_or_else(|| EventError::Sequence(sequence_number.clone()))?,
                partition_key: partition_key.into(),
                arrived_at: approximate_arrival_timestamp,
                data: Arc::from(data),
            });
            batch.names.push(sequence_number);
        }
        Ok(batch)
    }
}

impl Batch {
    /// The answer that names the first record that has to come again.
    #[must_use]
    pub fn answer(&self, failed: Option<RecordSequence>) -> Answer {
        let place = failed.map(|failed| self.records.iter().position(|r| r.sequence == failed).unwrap_or(0));
        Answer::failed_from(place.and_then(|place| self.names.get(place)))
    }
}

/// Changes of the table, as Lambda hands them over.
#[derive(Clone, Debug, Deserialize)]
pub struct TableEvent {
    #[serde(rename = "Records")]
    records: Vec<ChangeRecord>,
}

#[derive(Clone, Debug, Deserialize)]
struct ChangeRecord {
    dynamodb: Change,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    sequence_number: String,
    #[serde(default)]
    new_image: HashMap<String, StreamAttribute>,
    #[serde(default)]
    old_image: HashMap<String, StreamAttribute>,
}

/// Changes of the table, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// In-order items that are new, or took the place of another, and the place of each among the changes.
    pub items: Vec<(usize, Item)>,
    /// Items that cannot be read. They never will be.
    pub damaged: Vec<DamagedItem>,
    /// What Lambda calls each change.
    names: Vec<String>,
}

impl From<TableEvent> for Changes {
    fn from(event: TableEvent) -> Self {
        let mut changes = Self::default();
        for (place, record) in event.records.into_iter().enumerate() {
            let Change { sequence_number, new_image: new, old_image: old } = record.dynamodb;
            changes.names.push(sequence_number);
            // Only in-order items have a window. The same quote written again was handled when it was new.
            if new.string("window").is_none() || new.string("sequence") == old.string("sequence") {
                continue;
            }
            match attributes::item(&new) {
                Ok(item) => changes.items.push((place, item)),
                Err(damaged) => changes.damaged.push(damaged),
            }
        }
        changes
    }
}

impl Changes {
    /// How many there are, of all kinds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The answer that names the first change that has to come again.
    #[must_use]
    pub fn answer(&self, failed: Option<usize>) -> Answer {
        Answer::failed_from(failed.and_then(|place| self.names.get(place)))
    }
}

/// `ReportBatchItemFailures`: the first that has to come again; Lambda takes all after it for failed as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// At most one.
    pub batch_item_failures: Vec<FailedItem>,
}

/// What has to come again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedItem {
    /// Its sequence number. An empty one fails the whole batch.
    pub item_identifier: String,
}

impl Answer {
    fn failed_from(name: Option<&String>) -> Self {
        let failed = name.map(|name| FailedItem { item_identifier: name.clone() });
        Self { batch_item_failures: failed.into_iter().collect() }
    }
}
