//! One test for each bug that there was, named after it.

use crate::{
    run::{Run, settings},
    stream::{Stream, line, price, quote, time},
};
use stockpipe_pipeline::{Quote, Timestamp};

/// A market time, in seconds.
fn at(seconds: i64) -> Quote {
    quote("AAPL", time("2026-11-20T12:00:00Z").plus_millis(seconds * 1000), price("100"))
}

/// An arrival, in seconds.
fn arrival(seconds: i64) -> Timestamp {
    time("2026-11-20T13:00:00Z").plus_millis(seconds * 1000)
}

/// A stream of these quotes, one record each, at these arrivals.
fn stream(quotes: &[(Quote, i64)]) -> Stream {
    let mut stream = Stream::default();
    for (quote, seconds) in quotes {
        stream.push("AAPL", arrival(*seconds), &[line(quote)]);
    }
    stream
}

/// After a silence longer than the retention, market times went back, as when a recording is sent again. The newest
/// item of the table was one that had expired, and the in-order quotes below it were never found: every batch
/// began a new warm-up.
#[test]
fn an_expired_in_order_quote_hid_newer_ones() {
    let stream = stream(&[(at(100), 0), (at(50), 70), (at(51), 71), (at(52), 72)]);
    Run::of(&stream.records, 1, 2, settings(60)).assert_is_fold_of(&stream.records);
}
