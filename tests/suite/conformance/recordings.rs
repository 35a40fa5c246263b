//! Recorded data, whose signals and anomalies are known.

use super::place::Place;
use crate::{
    golden::{ARRIVALS, Signals, anomalies, golden, name_of, printed, recordings},
    harness::{csv, data, number, numbers},
};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

const COUNTS: [&str; 8] = ["sent", "stored", "archived", "duplicates", "revised", "late", "stale", "set_aside"];

/// A copy of a recording with a symbol of its own, since the files share some.
pub fn copy(place: &dyn Place, file: &Path, symbol: &str) -> PathBuf {
    let text = fs::read_to_string(file).expect("a recording");
    let rename = |line: &str| match line.split_once(',') {
        Some((first, rest)) if first != "symbol" => format!("{symbol},{rest}\n"),
        _ => format!("{line}\n"),
    };
    place.home().write(&format!("{symbol}.csv"), text.lines().map(rename).collect::<String>())
}

/// The signals in short, as the golden files have them.
fn short(rows: &[Vec<String>]) -> Signals {
    rows.iter().map(|r| vec![r[1].replace(".000Z", "Z"), r[2].clone(), r[4].clone(), r[5].clone()]).collect()
}

/// Would catch any drift between what is known of real data and what the target answers: signals, averages, anomalies,
/// counts, the newest quote; and a file that counts when it comes again.
pub fn daily(place: &dyn Place) {
    check(place, &recordings(&data("")));
}

/// The same of the short ones.
pub fn short_daily(place: &dyn Place) {
    let is_short = |file: &PathBuf| fs::metadata(file).is_ok_and(|file| file.len() < 20_000);
    let short: Vec<PathBuf> = recordings(&data("")).into_iter().filter(is_short).collect();
    assert_eq!(short.len(), 2);
    check(place, &short);
}

fn check(place: &dyn Place, files: &[PathBuf]) {
    let golden_folder = data("golden");
    let mut counts = BTreeMap::new();
    for file in files {
        let name = name_of(file);
        let symbol = name.trim_start_matches("daily_");
        let copied = copy(place, file, symbol);
        let text = fs::read_to_string(&copied).expect("a copy");
        let lines = text.lines().count() as u64 - 1;
        let sum = place.stream(&copied, &[]);
        assert_eq!(numbers(&sum, COUNTS), [lines, lines, lines, 0, 0, 0, 0, 0], "{name}: {sum}");
        let known = golden(&golden_folder, name);
        assert!(!known.is_empty());
        place.becomes(&format!("signals of {name}"), &known, || short(&place.signals(symbol)));
        assert_eq!(number(&sum, "anomalies"), anomalies(&golden_folder, name).len() as u64, "{name}");
        let last: Vec<&str> = text.lines().last().expect("a row").split(',').collect();
        let newest = [last[0], &last[1].replace('Z', ".000Z"), last[5], last[2], last[3], last[4], last[6]];
        assert_eq!(place.latest(symbol)[0][..7], newest, "{name}");
        counts.insert(symbol.to_owned(), (copied, lines));
    }
    assert_eq!(counts.len(), files.len());

    // Of all of them in one question.
    let of_these = |command: &[&str]| -> Vec<Vec<String>> {
        let (_, rows) = csv(&place.ok(&[command, &["--format", "csv"]].concat()));
        rows.into_iter().filter(|row| counts.contains_key(&row[0])).collect()
    };
    assert_eq!(of_these(&["query", "crossovers", "--all"]), of_these(&["signals"]));
    let sql = "SELECT symbol, \"timestamp\", change_percent FROM stock_data_table WHERE anomaly AND origin = 'replay' \
               ORDER BY symbol, \"timestamp\"";
    let found = of_these(&["query", "--sql", sql]);
    let trimmed = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    let known = files.iter().flat_map(|file| {
        let name = name_of(file).to_owned();
        let symbol = name.trim_start_matches("daily_").to_owned();
        let row = move |[at, change]: [String; 2]| vec![symbol.clone(), at.replace('Z', ".000Z"), trimmed(&change)];
        anomalies(&golden_folder, &name).into_iter().map(row).collect::<Vec<_>>()
    });
    let mut known: Vec<Vec<String>> = known.collect();
    known.sort();
    assert_eq!(found, known);

    // The same again: nothing but duplicates.
    let (symbol, (file, lines)) = counts.iter().min_by_key(|(_, (_, lines))| *lines).expect("a recording");
    let sum = place.stream(file, &[]);
    assert_eq!(numbers(&sum, COUNTS), [*lines, 0, *lines, *lines, 0, 0, 0, 0], "{sum}");
    assert_eq!(place.in_lake(symbol) as u64, *lines);
}

/// The same of further recordings by the minute, and of those in order of arrival.
pub fn further(place: &dyn Place) {
    let Some(folder) = env::var_os("STOCKPIPE_TEST_DATA").map(PathBuf::from) else {
        eprintln!("skipped: STOCKPIPE_TEST_DATA names no folder with data and golden");
        return;
    };
    let known = folder.join("golden");
    for (name, counts) in ARRIVALS {
        let file = folder.join("data").join(name).with_extension("csv");
        let symbol = &*name.replace("arrival_", "ARRIVED.");
        let sum = place.stream(&copy(place, &file, symbol), &[]);
        assert_eq!(numbers(&sum, ["stored", "duplicates", "revised", "late"]), counts, "{name}");
        let of_arrival = golden(&known, name);
        place.becomes(&format!("signals of {name}"), &of_arrival, || short(&place.signals(symbol)));
        let by_the_minute = name.replace("arrival_", "minute_");
        assert_eq!(short(&place.crossovers(symbol)), golden(&known, &by_the_minute), "{name}");
        assert_eq!(place.in_lake(symbol) as u64, counts[0], "{name}");
    }
    let name = "minute_AAPL_2026-07";
    let symbol = "MINUTES";
    place.stream(&copy(place, &folder.join("data").join(name).with_extension("csv"), symbol), &[]);
    let known = golden(&known, name);
    place.becomes(&format!("signals of {name}"), &known, || short(&place.signals(symbol)));
    assert_eq!(place.crossovers(symbol), place.signals(symbol));
    let all = place.ok(&["query", "crossovers", "--all", "-p", "symbol=MINUTES", "--format", "csv"]);
    assert_eq!(printed(&all), known);
}
