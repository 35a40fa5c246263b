//! Alerts and sudden ends: each is shown, and only then marked.

use crate::harness::{Home, csv};
use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

/// Would catch an alert that is marked before it is shown, and so lost with the process; one that is published for
/// ever; and a repeated one that cannot be told by its id.
#[test]
fn killed_at_any_moment_every_alert_is_shown() {
    let home = Home::up();
    let mut shown: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..5 {
        let seed = round.to_string();
        let options =
            ["--source", "synthetic:40", "--interval", "5ms", "--alerts", "--format", "json", "--seed", &seed];
        let mut stream = home.start([&["stream"], &options[..]].concat());
        stream.until("an alert", |s| s.stdout().contains("alert_id"));
        thread::sleep(Duration::from_millis(20 + 90 * round));
        stream.signal("KILL");
        // Whole lines only: the last one may have been cut.
        let ended = stream.end();
        for line in ended.stdout.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let alert: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
            *shown.entry(alert["alert_id"].as_str().expect("an id").to_owned()).or_default() += 1;
        }
    }
    // Whoever comes next publishes what is left: to its messages, since its answer is something else.
    let ended = home.run(["signals", "--format", "csv"]).expect(0);
    let (_, signals) = csv(&ended.stdout);
    let lost: BTreeSet<String> = signals
        .iter()
        .map(|row| format!("{}/{}/{}", row[0], row[1], row[2]))
        .filter(|id| {
            let (symbol, rest) = id.split_once('/').expect("an id");
            let (timestamp, _) = rest.split_once('/').expect("an id");
            let in_messages = ended.stderr.lines().any(|line| line.contains(symbol) && line.contains(timestamp));
            !shown.contains_key(id) && !in_messages
        })
        .collect();
    assert!(lost.is_empty(), "of {} signals these were never shown: {lost:?}", signals.len());
    assert!(shown.len() > 50, "only {} alerts were seen", shown.len());
    let pending = home.table_db("SELECT count(*) FROM signals WHERE alert AND alerted_at IS NULL");
    assert_eq!(pending, [["0"]]);
}
