//! Recorded data through the binary: the signals, anomalies and counts that are known of it.

use crate::harness::{Home, csv, data, number, numbers};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

const SIGNAL_COLUMNS: [&str; 6] = ["symbol", "timestamp", "signal", "price", "sma_5", "sma_20"];
const LATEST_COLUMNS: [&str; 10] =
    ["symbol", "timestamp", "price", "open", "high", "low", "volume", "previous_close", "change_percent", "anomaly"];
const SUMMARY: [&str; 13] = [
    "anomalies",
    "archived",
    "duplicates",
    "lag",
    "late",
    "latency_ms",
    "quotes_per_second",
    "revised",
    "sent",
    "set_aside",
    "signals",
    "stale",
    "stored",
];
/// Stored, duplicates, revised and late of files in order of arrival.
pub const ARRIVALS: [(&str, [u64; 4]); 2] =
    [("arrival_AAPL_2016-04", [8211, 82, 82, 168]), ("arrival_AAPL_2026-07", [2382, 23, 23, 51])];

/// Timestamp, signal, SMA-5 and SMA-20 of each signal.
pub type Signals = Vec<Vec<String>>;

pub fn golden(folder: &Path, name: &str) -> Signals {
    let text = fs::read_to_string(folder.join(name).with_extension("csv")).expect("a golden file");
    let (header, rows) = csv(&text);
    assert_eq!(header, ["timestamp", "signal", "sma5", "sma20"]);
    rows
}

/// The same of what `signals` or `crossovers` printed as CSV.
#[track_caller]
pub fn printed(text: &str) -> Signals {
    let (header, rows) = csv(text);
    assert_eq!(header, SIGNAL_COLUMNS);
    let short = |at: &str| at.replace(".000Z", "Z");
    rows.iter().map(|r| vec![short(&r[1]), r[2].clone(), r[4].clone(), r[5].clone()]).collect()
}

/// The anomalies of a daily file: symbol, timestamp, change with all its places.
pub fn anomalies(golden: &Path, name: &str) -> Vec<[String; 2]> {
    let (header, rows) = csv(&fs::read_to_string(golden.join("anomalies.daily.csv")).expect("the anomalies"));
    assert_eq!(header, ["name", "symbol", "timestamp", "prev_close", "close", "change_pct"]);
    rows.into_iter().filter(|row| row[0] == name).map(|row| [row[2].clone(), row[5].clone()]).collect()
}

/// The recordings of a folder.
pub fn recordings(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "csv")).collect();
    files.sort();
    files
}

pub fn name_of(file: &Path) -> &str {
    file.file_stem().and_then(|name| name.to_str()).expect("a name")
}

fn signals(home: &Home) -> String {
    home.ok(["signals", "--format", "csv"])
}

fn crossovers(home: &Home) -> String {
    home.ok(["query", "crossovers", "--all", "--format", "csv"])
}

/// Would catch any drift between what the rules give for real data and what the binary prints: a signal too many or
/// too few, an average that is not exact, an anomaly rounded over its threshold, a column that scripts do not expect.
#[test]
fn daily_recordings_give_the_known_signals_and_anomalies() {
    let folder = data("");
    let files = recordings(&folder);
    assert_eq!(files.len(), 5);
    for file in files {
        check_in_order(&file, &folder.join("golden"));
    }
}

/// The same of further recordings, in order of arrival with late, duplicate and revised rows among them.
#[test]
fn further_recordings_do_as_well() {
    let Some(folder) = env::var_os("STOCKPIPE_TEST_DATA").map(PathBuf::from) else {
        eprintln!("skipped: STOCKPIPE_TEST_DATA names no folder with data and golden");
        return;
    };
    let golden = folder.join("golden");
    let files = recordings(&folder.join("data"));
    assert!(!files.is_empty());
    for file in files {
        if name_of(&file).starts_with("arrival_") {
            check_arrival(&file, &golden);
        } else {
            check_in_order(&file, &golden);
        }
    }
}

/// A recording whose rows are in order of time.
fn check_in_order(file: &Path, folder: &Path) {
    let name = name_of(file);
    let home = Home::up();
    let lines = fs::read_to_string(file).expect("a recording").lines().count() as u64 - 1;
    let first = home.replay(file);
    let keys: Vec<_> = first.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, SUMMARY);
    let counts = ["sent", "stored", "archived", "duplicates", "revised", "late", "stale", "set_aside", "lag"];
    assert_eq!(numbers(&first, counts), [lines, lines, lines, 0, 0, 0, 0, 0, 0], "{name}");
    let (p50, p99) = (&first["latency_ms"]["p50"], &first["latency_ms"]["p99"]);
    assert!(p50.as_f64() > Some(0.0) && p99.as_f64() >= p50.as_f64(), "{first}");
    assert!(first["quotes_per_second"].as_f64() > Some(0.0), "{first}");

    let known = golden(folder, name);
    let raised = signals(&home);
    assert_eq!(printed(&raised), known, "{name}");
    assert_eq!(number(&first, "signals"), known.len() as u64, "{name}");
    assert_eq!(crossovers(&home), raised, "{name}: `crossovers` and `signals` differ");
    if name.starts_with("daily_") {
        let known = anomalies(folder, name);
        assert_eq!(number(&first, "anomalies"), known.len() as u64, "{name}");
        let found = "SELECT \"timestamp\", change_percent FROM stock_data_table WHERE anomaly ORDER BY \"timestamp\"";
        let (_, rows) = csv(&format!("t,c\n{}", home.sql(found)));
        let trimmed = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
        let rows: Vec<_> = rows.iter().map(|r| [r[0].replace(".000Z", "Z"), r[1].clone()]).collect();
        let known: Vec<_> = known.iter().map(|[at, change]| [at.clone(), trimmed(change)]).collect();
        assert_eq!(rows, known, "{name}");
        assert_eq!(home.table_db("SELECT count(*) FROM quotes WHERE marks & 16 <> 0"), [[known.len().to_string()]]);
    }

    let (header, rows) = csv(&home.ok(["latest", "--format", "csv"]));
    assert_eq!(header, LATEST_COLUMNS);
    assert_eq!(rows.len(), 1);
    let last: Vec<String> =
        fs::read_to_string(file).unwrap().lines().last().unwrap().split(',').map(str::to_owned).collect();
    let newest = [&last[0], &last[1].replace('Z', ".000Z"), &last[5], &last[2], &last[3], &last[4], &last[6]];
    assert_eq!(rows[0].iter().take(7).collect::<Vec<_>>(), newest, "{name}");

    // The same file again: nothing but duplicates, and the same answers.
    let again = home.replay(file);
    assert_eq!(
        numbers(&again, ["sent", "stored", "archived", "duplicates", "signals", "anomalies"]),
        [lines, 0, lines, lines, 0, 0]
    );
    assert_eq!(signals(&home), raised, "{name}");
    assert_eq!(crossovers(&home), raised, "{name}");
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), format!("{lines}\n"));
}

/// A recording in order of arrival.
fn check_arrival(file: &Path, folder: &Path) {
    let name = name_of(file);
    let home = Home::up();
    let sum = home.replay(file);
    let found = numbers(&sum, ["stored", "duplicates", "revised", "late"]);
    for (_, known) in ARRIVALS.iter().filter(|(arrival, _)| *arrival == name) {
        assert_eq!(&found, known, "{name}");
    }
    assert_eq!(number(&sum, "sent"), found[0] + found[1] + found[2], "{name}");
    assert_eq!(number(&sum, "archived"), number(&sum, "sent"), "{name}");
    assert_eq!(printed(&signals(&home)), golden(folder, name), "{name}");
    let in_order = name.replace("arrival_", "minute_");
    assert_eq!(printed(&crossovers(&home)), golden(folder, &in_order), "{name}");
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), format!("{}\n", found[0]));
    let again = home.replay(file);
    assert_eq!(numbers(&again, ["stored", "signals", "late"]), [0, 0, 0], "{name}");
    assert_eq!(printed(&signals(&home)), golden(folder, name), "{name}");
}

/// Would catch symbols that get into each other's averages, or an order of rows that scripts do not expect.
#[test]
fn several_files_in_one_stack_do_not_touch_each_other() {
    let home = Home::up();
    let names = ["daily_FB_2012-2013", "daily_AAPL_2008-2013", "daily_IBM_2008-2013"];
    for name in names {
        home.replay(&data(&format!("{name}.csv")));
    }
    let all = signals(&home);
    assert_eq!(crossovers(&home), all);
    let (_, rows) = csv(&all);
    let order: Vec<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert!(order.is_sorted(), "not in order of symbol and time");
    for name in names {
        let symbol = name.split('_').nth(1).unwrap();
        let own = home.ok(["signals", symbol, "--format", "csv"]);
        assert_eq!(printed(&own), golden(&data("golden"), name));
        let query = ["query", "crossovers", "--all", "-p", &format!("symbol={symbol}"), "--format", "csv"];
        assert_eq!(home.ok(query), own);
    }
    let since = printed(&home.ok(["signals", "FB", "--since", "2012-12-01", "--format", "csv"]));
    let later = |row: &&Vec<String>| row[0].as_str() >= "2012-12-01";
    assert_eq!(since, golden(&data("golden"), names[0]).iter().filter(later).cloned().collect::<Vec<_>>());
    let (_, latest) = csv(&home.ok(["latest", "--format", "csv"]));
    assert_eq!(latest.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["AAPL", "FB", "IBM"]);

    // A selection of one file's symbols.
    let home = Home::up();
    let both = [names[0], names[1]].map(|name| fs::read_to_string(data(&format!("{name}.csv"))).unwrap()).concat();
    let file = home.write("both.csv", both);
    home.ok(["stream", "FB", "--source", &crate::harness::replay_of(&file)]);
    assert_eq!(printed(&signals(&home)), golden(&data("golden"), names[0]));
}
