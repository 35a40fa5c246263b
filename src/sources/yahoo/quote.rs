//! From what the market said to the quote that is sent.

use super::chart::{Reading, Trouble};
use pipeline::{Date, Origin, Quote, Symbol, Timestamp};
use std::time::Duration;

/// Quotes whose market time is older than this when they are sent are stale: the exchanges' own delay is up to 15 minutes.
const DELAY: Duration = Duration::from_secs(20 * 60);
/// What is further in the future than this would be set aside.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// The symbol's quote, as it is sent now.
pub(super) fn of(symbol: &Symbol, reading: Reading, now: Timestamp) -> Quote {
    Quote {
        stale: is_stale(&reading, now),
        symbol: symbol.clone(),
        timestamp: reading.timestamp,
        price: reading.price,
        open: reading.open,
        high: reading.high,
        low: reading.low,
        previous_close: reading.previous_close,
        volume: reading.volume,
        currency: reading.currency,
        source: Some("yahoo".into()),
        origin: Origin::Live,
        alert: true,
        ingested_at: now,
    }
}

/// Whether it is older than what the exchanges hold back.
pub(super) fn is_stale(reading: &Reading, now: Timestamp) -> bool {
    now.millis().saturating_sub(reading.timestamp.millis()) > DELAY.as_millis() as i64
}

/// Leaves out what process would set aside; and a time in the future would hide all that comes before it.
pub(super) fn in_range(reading: Reading, now: Timestamp) -> Result<Reading, Trouble> {
    let at = reading.timestamp;
    if at > now.plus_millis(AHEAD.as_millis() as i64) {
        return Err(Trouble::Failed("its market time is in the future; is this machine's clock right?".into()));
    }
    if Some(at.date()) < Date::parse("2000-01-01") {
        return Err(Trouble::Failed("its market time is before 2000-01-01".into()));
    }
    Ok(reading)
}
