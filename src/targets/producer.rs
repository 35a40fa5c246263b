//! What puts quotes onto a stream, whichever it is: packing them into records, and saying what has become durable.

use crate::{error::Error, sources::Outgoing};
use pipeline::{Quote, RECORD_LIMIT, Symbol, Timestamp, push_json};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// A record that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The record's partition key.
    pub key: Arc<str>,
    /// The market time of its last quote; none for a line that is no quote.
    pub through: Option<Timestamp>,
    /// Its lines.
    pub count: u64,
}

/// Called with what has become durable, on the producer's thread.
pub type OnAck = Box<dyn FnMut(&[Ack]) + Send>;

/// Packs and puts.
pub trait Producer: Send {
    /// Takes quotes in their order, and waits while too much is on its way. False when it has given up.
    fn send(&mut self, quotes: &mut Vec<Outgoing>) -> bool;

    /// Puts what is left and ends.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// How far a producer is, for others than whoever feeds it.
pub trait Gauge: Send + Sync {
    /// How many quotes are durable.
    fn acknowledged(&self) -> u64;

    /// Waits until all that was handed over is durable or given up, so long at most.
    fn settle(&self, at_most: Duration);
}

/// A record that is ready to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// What is acknowledged once it is durable.
    pub ack: Ack,
    /// When its first line was handed over, as the caller counts.
    pub put_at: u64,
    /// Its lines.
    pub data: Vec<u8>,
}

/// Packs the quotes that are sent together: those of a symbol, in their order, into as few records as hold them.
#[derive(Debug, Default)]
pub struct Packer {
    /// Records that are being filled, by symbol; `records` says in which order they were begun.
    open: HashMap<Symbol, usize>,
    records: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    symbol: Symbol,
    data: Vec<u8>,
    put_at: u64,
    lines: u64,
    through: Timestamp,
}

impl Packer {
    /// Packs all of them, and hands over each record as it is full or there is no more.
    pub fn pack(&mut self, quotes: &mut Vec<Outgoing>, put_at: u64, mut hand_over: impl FnMut(Packed)) {
        for outgoing in quotes.drain(..) {
            match outgoing {
                Outgoing::Quote(quote) => self.add(&quote, put_at, &mut hand_over),
                // What is no quote may still belong to a symbol, whose order it keeps.
                Outgoing::Raw { key, bytes } => {
                    self.close(&mut hand_over);
                    let ack = Ack { key: Arc::from(key), through: None, count: 1 };
                    hand_over(Packed { ack, put_at, data: bytes });
                }
            }
        }
        self.close(&mut hand_over);
    }

    fn add(&mut self, quote: &Quote, put_at: u64, hand_over: &mut impl FnMut(Packed)) {
        let at = match self.open.get(&quote.symbol) {
            Some(at) => *at,
            None => {
                self.records.push(Open {
                    symbol: quote.symbol.clone(),
                    data: Vec::with_capacity(512),
                    put_at,
                    lines: 0,
                    through: quote.timestamp,
                });
                self.open.insert(quote.symbol.clone(), self.records.len() - 1);
                self.records.len() - 1
            }
        };
        let Some(record) = self.records.get_mut(at) else { return };
        let full = record.data.len();
        if record.lines > 0 {
            record.data.push(b'\n');
        }
        push_json(&mut record.data, quote);
        if record.data.len() > RECORD_LIMIT && record.lines > 0 {
            let next = record.data.split_off(full + 1);
            record.data.truncate(full);
            let data = std::mem::replace(&mut record.data, next);
            let ack = Ack { key: Arc::from(&*record.symbol), through: Some(record.through), count: record.lines };
            hand_over(Packed { ack, put_at: std::mem::replace(&mut record.put_at, put_at), data });
            record.lines = 0;
        }
        record.lines += 1;
        record.through = quote.timestamp;
    }

    fn close(&mut self, hand_over: &mut impl FnMut(Packed)) {
        self.open.clear();
        for Open { symbol, data, put_at, lines, through } in self.records.drain(..) {
            let ack = Ack { key: Arc::from(&*symbol), through: Some(through), count: lines };
            hand_over(Packed { ack, put_at, data });
        }
    }
}
