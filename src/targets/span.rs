//! The stream line by line, as process judges it: what `tail` shows, and what `replay` puts again of a span.

use crate::error::Error;
use pipeline::{Quote, Reason, Record, RecordSequence, Sequence, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// A place in the stream, as it can be typed: a record, `42`, or one of its lines, `42-7`. Leading zeros, as the whole
/// sequence has them, make no difference. On AWS a record's number is typed whole: it has 56 digits there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    record: RecordSequence,
    line: Option<u32>,
}

/// The most digits that a number of the local stream is typed with.
const LOCAL_DIGITS: usize = 20;
/// Digits by which people tell records of AWS apart where none of them is to be typed.
const TOLD_APART: usize = 6;

impl Place {
    /// The place that this text names.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (record, line) = match text.split_once('-') {
            Some((record, line)) => (record, Some(line)),
            None => (text, None),
        };
        if !is_number(record) || !line.is_none_or(is_number) {
            return None;
        }
        let record = if record.len() <= LOCAL_DIGITS {
            RecordSequence::local(record.parse().ok()?)
        } else {
            aws_ports::sequence(record)?
        };
        Some(Self { record, line: line.map(str::parse).transpose().ok()? })
    }

    /// The first line that it names.
    pub fn first(self) -> Sequence {
        self.record.line(self.line.unwrap_or(0))
    }

    /// The last line that it can name.
    pub fn last(self) -> Sequence {
        self.record.line(self.line.unwrap_or(u32::MAX))
    }

    /// Whether it names this line.
    pub fn has(self, sequence: Sequence) -> bool {
        (self.first()..=self.last()).contains(&sequence)
    }
}

/// A line's place as short as it can be typed: `42-7`.
pub fn typed(sequence: Sequence) -> String {
    match sequence.record.number() {
        Some(record) => format!("{record}-{}", sequence.line),
        None => format!("{}-{}", sequence.record, sequence.line),
    }
}

/// A record's number as short as people tell it from others: `42`, or on AWS its last digits, `…588898`.
pub fn told(record: RecordSequence) -> String {
    match record.number() {
        Some(number) => number.to_string(),
        None => {
            let digits = record.as_str();
            format!("…{}", digits.get(digits.len().saturating_sub(TOLD_APART)..).unwrap_or(digits))
        }
    }
}

/// Which lines; without anything all of them.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Of these partition keys; of all where there are none.
    pub keys: Vec<String>,
    /// From this line on.
    pub from: Option<Sequence>,
    /// Up to this line.
    pub to: Option<Sequence>,
    /// What arrived at this time or later.
    pub since: Option<Timestamp>,
    /// What arrived at this time or earlier.
    pub until: Option<Timestamp>,
    /// No further than this.
    pub ends: Option<Ends>,
}

/// Where reading ended: of each shard the last record that was read. What is put later lies behind it, even where it
/// arrives within the span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(pub BTreeMap<String, RecordSequence>);

impl Span {
    /// Whether lines of this record belong to it.
    pub fn has_record(&self, record: &Record) -> bool {
        (self.keys.is_empty() || self.keys.iter().any(|key| **key == *record.partition_key))
            && self.since.is_none_or(|since| record.arrived_at >= since)
            && self.until.is_none_or(|until| record.arrived_at <= until)
    }

    /// Whether a line at this place belongs to it.
    pub fn has(&self, sequence: Sequence) -> bool {
        self.from.is_none_or(|from| sequence >= from) && self.to.is_none_or(|to| sequence <= to)
    }
}

/// A line of the stream.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place.
    pub sequence: Sequence,
    /// Its record's partition key.
    pub partition_key: Arc<str>,
    /// When its record arrived.
    pub arrived_at: Timestamp,
    /// What it is, byte for byte.
    pub bytes: Vec<u8>,
    /// The quote that it is, or why it is none.
    pub judged: Result<Quote, Reason>,
}

/// The lines of a span in stream order, read as they are asked for.
pub trait Lines {
    /// The next lines, perhaps none although more follow; nothing at all where there is nothing to read for now.
    fn next(&mut self) -> Result<Option<Vec<Line>>, Error>;

    /// Where reading has come to.
    fn ends(&self) -> Ends;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_as_they_are_typed() {
        let local = RecordSequence::local(42);
        let aws = "49590338271490256608559692538361571095921575989136588898";
        let emulated = "000000017640000000000000000042";
        for (text, record, line) in [
            ("42", local, None),
            ("42-7", local, Some(7)),
            ("00000000000000000042-00007", local, Some(7)),
            ("00000000000000000042", local, None),
            (aws, RecordSequence::parse(aws).expect("a record"), None),
            (&format!("{aws}-00007"), RecordSequence::parse(aws).expect("a record"), Some(7)),
            (&format!("{emulated}-3"), aws_ports::sequence(emulated).expect("a record"), Some(3)),
            (&format!("{emulated:0>56}-3"), aws_ports::sequence(emulated).expect("a record"), Some(3)),
        ] {
            let place = Place::parse(text).expect("a place");
            assert_eq!(place, Place { record, line }, "{text}");
            assert_eq!(Place::parse(&typed(place.first())), Some(Place { record, line: line.or(Some(0)) }), "{text}");
        }
        for text in ["", "-", "4-", "-4", "+4", "4-+4", "10m", "2026-11-20", "99999999999999999999", "1-99999999999"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        assert_eq!(Place::parse(&format!("{aws}0")), None);
        assert_eq!([told(local), told(RecordSequence::parse(aws).expect("a record"))], ["42", "…588898"]);
    }
}
