//! Recorded market data and the signals known for it.

use crate::{
    run::{Run, WEEK, settings},
    stream::{Stream, line, price, quote, time},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use stockpipe_pipeline::{Date, Price, Quote, Raised, Timestamp, Volume};

/// Stored, duplicates, revised and late of files in order of arrival.
const ARRIVALS: [(&str, [u64; 4]); 2] =
    [("arrival_AAPL_2016-04", [8211, 82, 82, 168]), ("arrival_AAPL_2026-07", [2382, 23, 23, 51])];

/// Would catch any drift of the rules from what is known of real data: a signal too many or too few, an average
/// that is not exact, an anomaly that was rounded over its threshold, an effect of batches or of their repetition.
#[test]
fn recorded_data_gives_the_known_signals_and_anomalies() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    assert_eq!(check(&data, &data.join("golden")), 5);
    if let Some(more) = std::env::var_os("STOCKPIPE_TEST_DATA") {
        let more = Path::new(&more);
        assert!(check(&more.join("data"), &more.join("golden")) > 0);
    }
}

/// Checks every recording of the folder; returns how many there are.
fn check(data: &Path, golden: &Path) -> usize {
    let mut recordings = 0;
    for file in fs::read_dir(data).expect("the folder of recordings") {
        let file = file.expect("a file").path();
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if file.extension().is_some_and(|extension| extension == "csv") {
            recording(name, &file, golden);
            recordings += 1;
        }
    }
    recordings
}

fn recording(name: &str, file: &Path, golden: &Path) {
    let quotes = quotes(file);
    let signals = rows(&golden.join(name).with_extension("csv"), ["timestamp", "signal", "sma5", "sma20"]);
    for (size, times, lines) in
        [(usize::MAX, 1, 1), (1, 1, 1), (7, 2, 1), (100, 1, 1), (500, 2, 1), (3, 1, 40), (usize::MAX, 2, 100)]
    {
        let stream = sent(&quotes, lines);
        let run = Run::of(&stream.records, size, times, settings(WEEK));
        let found: Vec<_> =
            run.signals().into_iter().map(|[at, rest @ ..]| [vec![short(&at)], rest.into()].concat()).collect();
        assert_eq!(found, signals, "{name} in batches of {size}, {times} times, {lines} quotes a record");
        run.assert_is_fold_of(&stream.records);
        if name.starts_with("daily_") {
            assert_eq!(anomalies(name, &run), expected_anomalies(name, golden), "{name}");
        }
        let counts = run.counts();
        for (_, expected) in ARRIVALS.iter().filter(|(arrival, _)| *arrival == name) {
            assert_eq!([counts.stored, counts.duplicates, counts.revised, counts.late], *expected, "{name}");
        }
    }
    println!("{name}: {} quotes, {} signals", quotes.len(), signals.len());
}

/// The file's rows as a replay sends them.
fn quotes(file: &Path) -> Vec<Quote> {
    let mut quotes: Vec<Quote> = rows(file, ["symbol", "timestamp", "open", "high", "low", "close", "volume"])
        .iter()
        .map(|row| Quote {
            open: Some(price(&row[2])),
            high: Some(price(&row[3])),
            low: Some(price(&row[4])),
            volume: Some(Volume::parse(&row[6]).expect("a volume")),
            ..quote(&row[0], time(&row[1]), price(&row[5]))
        })
        .collect();
    let mut closes: BTreeMap<(String, Date), (Timestamp, Price)> = BTreeMap::new();
    for quote in &quotes {
        let close =
            closes.entry((quote.symbol.to_string(), quote.timestamp.date())).or_insert((quote.timestamp, quote.price));
        *close = (*close).max((quote.timestamp, quote.price));
    }
    for quote in &mut quotes {
        let symbol = quote.symbol.to_string();
        let first = (symbol.clone(), Date::parse("0000-01-01").expect("a date"));
        let before = closes.range(first..(symbol, quote.timestamp.date())).next_back();
        quote.previous_close = before.map(|(_, (_, close))| *close);
    }
    quotes
}

/// The quotes on the stream, so many to a record, one record each millisecond.
fn sent(quotes: &[Quote], lines: usize) -> Stream {
    let mut stream = Stream::default();
    let mut arrival = time("2027-01-01T00:00:00Z");
    for packed in quotes.chunks(lines) {
        stream.push(&packed[0].symbol, arrival, &packed.iter().map(line).collect::<Vec<_>>());
        arrival = arrival.plus_millis(1);
    }
    stream
}

/// Every anomaly that was published, as `anomalies.daily.csv` writes it.
fn anomalies(name: &str, run: &Run) -> Vec<Vec<String>> {
    let world = run.world();
    let mut sessions = BTreeSet::new();
    let published = world.published.iter().filter_map(|raised| match raised {
        Raised::Anomaly(anomaly) => Some(anomaly),
        Raised::Signal(_) => None,
    });
    published
        .map(|anomaly| {
            assert!(sessions.insert(anomaly.session), "a session that was published twice");
            let change = anomaly.change_percent.expect("a change").0;
            vec![
                name.to_owned(),
                anomaly.symbol.to_string(),
                short(&anomaly.timestamp.to_string()),
                anomaly.previous_close.expect("a close").to_string(),
                anomaly.price.to_string(),
                format!("{}{}.{:04}", if change < 0 { "-" } else { "" }, change.abs() / 10_000, change.abs() % 10_000),
            ]
        })
        .collect()
}

fn expected_anomalies(name: &str, golden: &Path) -> Vec<Vec<String>> {
    let columns = ["name", "symbol", "timestamp", "prev_close", "close", "change_pct"];
    rows(&golden.join("anomalies.daily.csv"), columns).into_iter().filter(|row| row[0] == name).collect()
}

/// A CSV file without quotation marks.
fn rows<const N: usize>(file: &Path, columns: [&str; N]) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(lines.next().expect("a header"), columns, "{}", file.display());
    lines.inspect(|row| assert_eq!(row.len(), N, "{}: {row:?}", file.display())).collect()
}

/// A time as the files write it, without milliseconds.
fn short(time: &str) -> String {
    time.replace(".000Z", "Z")
}
