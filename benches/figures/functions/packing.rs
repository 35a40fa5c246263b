//! How many quotes a second one shard takes, in records as the producer packs them, and one a record.

use super::market::{Market, Quotes, data};
use crate::report::Report;

/// What a shard takes in a second: bytes, of data and partition keys, and records.
const SHARD_BYTES: f64 = 1e6;
const SHARD_RECORDS: f64 = 1000.0;

/// Of records that a producer made.
pub fn measure(market: &mut Market, report: &mut Report) {
    let packed: Vec<Quotes> = (0..50).map(|_| market.full_record()).collect();
    let single = market.records(packed.len(), 1);
    let quotes: usize = packed.iter().map(Vec::len).sum();
    report.figure("packing_quotes", "quotes of a full record", quotes as f64 / packed.len() as f64, "");
    report.figure("packing_quotes_per_second", "one shard: quotes in full records", rate(&packed), "/s");
    report.figure("packing_single_per_second", "one shard: quotes, one a record", rate(&single), "/s");
}

/// Quotes per second of such records.
fn rate(records: &[Quotes]) -> f64 {
    let key = |quotes: &Quotes| quotes.first().map_or(0, |quote| quote.symbol.len());
    let bytes: usize = records.iter().map(|quotes| data(quotes).len() + key(quotes)).sum();
    let records_per_second = (SHARD_BYTES * records.len() as f64 / bytes as f64).min(SHARD_RECORDS);
    let quotes: usize = records.iter().map(Vec::len).sum();
    records_per_second * quotes as f64 / records.len() as f64
}
