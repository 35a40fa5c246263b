//! What reaches people, and what outlives its pipeline.

use super::{
    answers::{folded, rows},
    order::{daily, lines},
    place::Place,
    recordings::copy,
};
use crate::{
    golden::{anomalies, golden},
    harness::{data, numbers},
};
use std::collections::BTreeSet;

/// Would catch an alert that is lost, that is of nothing, or that nobody asked for.
pub fn alerts(place: &dyn Place) {
    let (name, symbol) = ("daily_FB_2012-2013", "LOUD");
    let file = data(name).with_extension("csv");
    place.stream(&copy(place, &file, "QUIET"), &[]);
    place.stream(&copy(place, &file, symbol), &["--alerts"]);
    let signal = |row: Vec<String>| format!("{symbol}/{}/{}", row[0].replace('Z', ".000Z"), row[1]);
    let anomaly = |[at, _]: [String; 2]| format!("{symbol}/{}/ANOMALY", &at[..10]);
    let mut known: BTreeSet<String> = golden(&data("golden"), name).into_iter().map(signal).collect();
    known.extend(anomalies(&data("golden"), name).into_iter().map(anomaly));
    assert_eq!(known.len(), 41);
    let of = |symbol: &str| place.alerts().into_iter().filter(|id| id.starts_with(symbol)).collect::<BTreeSet<_>>();
    place.becomes("alerts", &known, || of("LOUD/"));
    assert_eq!(of("QUIET/"), BTreeSet::new());
}

/// Would catch data that goes although it is to stay, or that is not what it was before.
pub fn kept(place: &dyn Place) {
    let symbol = "KEPT";
    let quotes = daily(symbol, (0..25).map(|n| 100 - n).chain((0..25).map(|n| 80 + 2 * n)));
    let [first, all] = [&quotes[..40], &quotes].map(|quotes| rows(&folded(quotes).signals));
    assert_eq!((first.len(), all.len()), (1, 1));
    place.stream(&place.home().write("kept-1.jsonl", lines(&quotes[..30])), &[]);
    place.becomes("registered", &1, || place.latest(symbol).len());
    let answers = || {
        [["latest"].as_slice(), &["signals"], &["query", "crossovers", "--all"]]
            .map(|command| place.ok(&[command, &["--format", "csv"]].concat()))
    };
    let before = answers();
    place.ok(&["down", "--keep-data", "--yes"]);
    place.run(&["latest"]).expect(4);
    place.ok(&["up", "--yes"]);
    assert_eq!(answers(), before);

    // What is known is known, and what is new comes after it.
    let sum = place.stream(&place.home().write("kept-2.jsonl", lines(&quotes)), &[]);
    assert_eq!(numbers(&sum, ["stored", "duplicates", "late", "archived"]), [20, 30, 0, 50], "{sum}");
    place.becomes("signals", &all, || place.signals(symbol));
    assert_eq!(place.crossovers(symbol), all);
    assert_eq!(place.in_lake(symbol), 50);
}
