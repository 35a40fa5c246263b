//! The plain fold: the rules in their simplest form, an independent reference for the handlers.
//!
//! It takes the whole stream at once, one quote after the other, keeps everything, and computes every sum from
//! scratch. It shares the types of values with the handlers, and the check of a line; no rule.

use crate::run::add;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};
use stockpipe_pipeline::{
    Average, Counts, Date, Direction, Item, Judge, Origin, Price, ProcessSettings, Quote, Reason, Record, Sequence,
    Signal, Symbol, Timestamp, change,
};

/// A quote that is the first of its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) sequence: Sequence,
    pub(crate) quote: Quote,
    pub(crate) late: bool,
    /// Of one in order: its last 20 prices, and the last side other than equal before it.
    pub(crate) in_order: Option<(Vec<Price>, Ordering)>,
    pub(crate) expires_at: i64,
}

impl From<&Item> for Entry {
    fn from(item: &Item) -> Self {
        Self {
            sequence: item.sequence,
            quote: item.quote.clone(),
            late: item.late,
            in_order: item
                .trail
                .as_ref()
                .map(|trail| (trail.window.prices().to_vec(), trail.side.map_or(0, |side| side.sign()).cmp(&0))),
            expires_at: item.expires_at,
        }
    }
}

/// What the rules make of a stream.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// Who holds each identity in the end, expired or not.
    pub(crate) table: BTreeMap<(Symbol, Timestamp), Entry>,
    /// All who ever did.
    pub(crate) entries: BTreeMap<Sequence, Entry>,
    /// In stream order.
    pub(crate) signals: Vec<Signal>,
    /// For each session with an anomaly to be published, the quotes that may claim it.
    pub(crate) anomalies: BTreeMap<(Symbol, Date), Vec<Timestamp>>,
    pub(crate) counts: Counts,
    pub(crate) set_aside: BTreeMap<Sequence, Reason>,
    /// How often a symbol's averages began anew after a silence.
    pub(crate) restarts: usize,
    symbols: BTreeMap<Symbol, Past>,
}

/// The in-order quotes of a symbol since its last warm-up began.
#[derive(Debug, Default)]
struct Past {
    prices: Vec<Price>,
    times: BTreeSet<Timestamp>,
    /// When the last of them counts as gone.
    expires_at: i64,
}

/// What the rules make of these records.
pub(crate) fn fold(records: &[Record], settings: ProcessSettings) -> Folded {
    let mut folded = Folded::default();
    for record in records {
        let (mut quotes, mut set_aside) = (Vec::new(), Vec::new());
        Judge::default().record(record, |sequence, quote, _| quotes.push((sequence, quote)), |bad| set_aside.push(bad));
        for (sequence, quote) in quotes {
            folded.counts.quotes += 1;
            folded.quote(sequence, quote, record.arrived_at, settings);
        }
        for bad in set_aside {
            folded.counts.set_aside += 1;
            folded.set_aside.insert(bad.sequence, bad.reason);
        }
    }
    folded
}

impl Folded {
    fn quote(&mut self, sequence: Sequence, quote: Quote, arrival: Timestamp, settings: ProcessSettings) {
        let past = self.symbols.entry(quote.symbol.clone()).or_default();
        if !past.prices.is_empty() && past.expires_at <= arrival.seconds() {
            *past = Past::default();
            self.restarts += 1;
        }
        let identity = (quote.symbol.clone(), quote.timestamp);
        if let Some(first) = self.table.get(&identity).filter(|first| first.expires_at > arrival.seconds()) {
            let values = |q: &Quote| (q.price, q.open, q.high, q.low, q.volume);
            if values(&first.quote) == values(&quote) {
                self.counts.duplicates += 1;
            } else {
                self.counts.revised += 1;
            }
            return;
        }
        let late = past.times.iter().any(|time| quote.timestamp <= *time);
        let anomaly = change(&quote, settings.anomaly).1;
        add(
            &mut self.counts,
            Counts {
                stored: 1,
                late: late.into(),
                stale: quote.stale.into(),
                anomalies: anomaly.into(),
                ..Counts::default()
            },
        );
        let expires_at = arrival.seconds() + settings.retention;
        let mut in_order = None;
        if !late && !quote.stale && quote.origin != Origin::Backfill {
            let before = last_side(&past.prices);
            past.prices.push(quote.price);
            past.times.insert(quote.timestamp);
            past.expires_at = expires_at;
            self.signals.extend(signal(&quote, &past.prices, before));
            if anomaly && quote.alert {
                let session = (quote.symbol.clone(), quote.timestamp.date());
                self.anomalies.entry(session).or_default().push(quote.timestamp);
            }
            in_order = Some((last(&past.prices, 20.min(past.prices.len())).to_vec(), before));
        }
        let entry = Entry { sequence, quote, late, in_order, expires_at };
        self.entries.insert(sequence, entry.clone());
        self.table.insert(identity, entry);
    }
}

fn last(prices: &[Price], count: usize) -> &[Price] {
    &prices[prices.len() - count..]
}

fn sum(prices: &[Price]) -> i128 {
    prices.iter().map(|price| i128::from(price.units())).sum()
}

/// How SMA-5 compares with SMA-20; equal while there are too few prices.
fn side(prices: &[Price]) -> Ordering {
    if prices.len() < 20 {
        return Ordering::Equal;
    }
    (sum(last(prices, 5)) * 4).cmp(&sum(last(prices, 20)))
}

/// The last side other than equal; equal where there was none.
fn last_side(prices: &[Price]) -> Ordering {
    (20..=prices.len()).rev().map(|end| side(&prices[..end])).find(|side| side.is_ne()).unwrap_or(Ordering::Equal)
}

fn signal(quote: &Quote, prices: &[Price], before: Ordering) -> Option<Signal> {
    let side = side(prices);
    (side.is_ne() && before.is_ne() && side != before).then(|| Signal {
        symbol: quote.symbol.clone(),
        timestamp: quote.timestamp,
        direction: if side.is_gt() { Direction::Buy } else { Direction::Sell },
        price: quote.price,
        sma_5: Average(sum(last(prices, 5)) * 100 / 5),
        sma_20: Average(sum(last(prices, 20)) * 100 / 20),
        alert: quote.alert,
    })
}
