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

/// The newest in-order quote expired within the batch. What lies below it had not been read, since below it all is
/// late; and a quote that now was in order took the identity of a late one that still counted.
#[test]
fn a_head_that_expired_within_the_batch_hid_what_was_below() {
    let stream = stream(&[(at(100), 0), (at(50), 30), (at(100), 50), (at(50), 65)]);
    let (before, batch) = stream.records.split_at(2);
    let mut run = Run::new(settings(60));
    run.batch(before);
    run.batch(batch);
    run.assert_is_fold_of(&stream.records);
}

/// An item expired within the batch, and another took its place. When the batch came again, the quotes before that
/// one no longer found what they were judged by, and began a new warm-up.
#[test]
fn a_batch_replaced_what_it_was_judged_by() {
    let stream = stream(&[(at(100), 0), (at(101), 59), (at(100), 61)]);
    let (before, batch) = stream.records.split_at(1);
    let mut run = Run::new(settings(60));
    run.batch(before);
    run.lose(batch);
    run.batch(batch);
    run.assert_is_fold_of(&stream.records);
}

/// Two late quotes of one identity, and its holder expired between them. The second was taken for a repetition.
#[test]
fn a_holder_that_expired_within_the_batch_was_still_compared() {
    let stream = stream(&[(at(100), 0), (at(50), 1), (at(101), 30), (at(50), 60), (at(50), 62)]);
    let (before, batch) = stream.records.split_at(3);
    let mut run = Run::new(settings(60));
    run.batch(before);
    run.batch(batch);
    run.assert_is_fold_of(&stream.records);
}
