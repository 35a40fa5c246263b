//! Recorded market data, and the signals and anomalies known for it.

use crate::stream::{line, price, quote, time};
use pipeline::{Date, Price, Quote, Timestamp, Volume};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data")
}

/// The file's quotes, one line each, as a replay with alerts sends them.
pub(crate) fn lines(name: &str) -> Vec<Vec<u8>> {
    let mut closes: BTreeMap<Date, (Timestamp, Price)> = BTreeMap::new();
    let rows = rows(&data().join(name).with_extension("csv"));
    let quotes: Vec<Quote> = rows
        .iter()
        .map(|row| Quote {
            open: Some(price(&row[2])),
            high: Some(price(&row[3])),
            low: Some(price(&row[4])),
            volume: Some(Volume::parse(&row[6]).expect("a volume")),
            ..quote(&row[0], time(&row[1]), price(&row[5]))
        })
        .collect();
    for quote in &quotes {
        closes.insert(quote.timestamp.date(), (quote.timestamp, quote.price));
    }
    let with_close = |mut quote: Quote| {
        quote.previous_close = closes.range(..quote.timestamp.date()).next_back().map(|(_, (_, close))| *close);
        quote
    };
    quotes.into_iter().map(with_close).map(|quote| line(&quote)).collect()
}

/// Time, direction, SMA-5 and SMA-20 of each known signal.
pub(crate) fn signals(name: &str) -> Vec<Vec<String>> {
    rows(&data().join("golden").join(name).with_extension("csv"))
}

/// The times of the known anomalies.
pub(crate) fn anomalies(name: &str) -> Vec<String> {
    let all = rows(&data().join("golden/anomalies.daily.csv"));
    all.into_iter().filter(|row| row[0] == name).map(|row| row[2].clone()).collect()
}

fn rows(file: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}
