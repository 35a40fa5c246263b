//! What is to be answered, by the plain fold of the rules.

use crate::{
    fold::{Folded, fold},
    run::{WEEK, settings},
    stream::{Stream, time},
};
use pipeline::{Origin, Quote, Signal, Symbol, Timestamp};
use std::collections::BTreeMap;

/// What the rules make of quotes in the order of their stream.
pub fn folded<'q>(quotes: impl IntoIterator<Item = &'q Quote>) -> Folded {
    let mut stream = Stream::default();
    quotes.into_iter().for_each(|quote| stream.push_quote(quote, time("2026-11-20T21:00:00Z")));
    fold(&stream.records, settings(WEEK))
}

/// The signals as the binary prints them.
pub fn rows(signals: &[Signal]) -> Vec<Vec<String>> {
    let mut signals: Vec<&Signal> = signals.iter().collect();
    signals.sort_by_key(|signal| (signal.symbol.clone(), signal.timestamp));
    let row = |s: &&Signal| {
        let (price, sma_5, sma_20) = (s.price.to_string(), s.sma_5.to_string(), s.sma_20.to_string());
        vec![s.symbol.to_string(), s.timestamp.to_string(), s.direction.as_str().into(), price, sma_5, sma_20]
    };
    signals.iter().map(row).collect()
}

/// What history says: the first quote of each identity, in order of time.
pub fn history(quotes: &[Quote]) -> Vec<Vec<String>> {
    let mut first: BTreeMap<(Symbol, Timestamp), &Quote> = BTreeMap::new();
    for quote in quotes {
        first.entry((quote.symbol.clone(), quote.timestamp)).or_insert(quote);
    }
    let in_order: Vec<Quote> =
        first.into_values().map(|quote| Quote { stale: false, origin: Origin::Live, ..quote.clone() }).collect();
    rows(&folded(&in_order).signals)
}
