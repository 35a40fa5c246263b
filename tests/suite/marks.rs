//! What a quote carries: stale, backfill, and whether its alerts are published; and what `--acks` says of it.

use crate::harness::{Home, data, json_lines, number, numbers, replay_of, rows, summary};
use std::{collections::BTreeMap, io::Write};

/// Forty falling prices, then forty rising ones: a SELL that is none (the warm-up ends below), then a BUY.
fn prices() -> impl Iterator<Item = u32> {
    (0..40).map(|n| 200 - 3 * n).chain((0..40).map(|n| 90 + 4 * n))
}

/// Would catch old prices that raise signals now, or that are not stored because they cannot.
#[test]
fn stale_and_backfilled_quotes_are_stored_and_mean_nothing_else() {
    let plain = Home::up();
    let file = plain.write("plain.jsonl", json_lines("A", prices(), ""));
    assert_eq!(numbers(&plain.replay(&file), ["stored", "signals", "stale"]), [80, 1, 0]);

    for (mark, stale) in [(r#","stale":true"#, 80), (r#","origin":"backfill""#, 0)] {
        let home = Home::up();
        let file = home.write("marked.jsonl", json_lines("A", prices(), &format!("{mark},\"previous_close\":1000")));
        let ended = home.run(["stream", "--source", &replay_of(&file), "--alerts", "--format", "json"]).expect(0);
        assert_eq!(ended.stdout.lines().count(), 1, "an alert: {}", ended.stdout);
        let sum = summary(&ended.stdout);
        assert_eq!(numbers(&sum, ["stored", "archived", "stale", "signals", "late"]), [80, 80, stale, 0, 0], "{mark}");
        assert_eq!(home.ok(["signals", "--format", "csv"]).lines().count(), 1, "{mark}");
        assert_eq!(home.table_db("SELECT count(*) FROM heads"), [["0"]], "{mark}");
        assert_eq!(home.table_db("SELECT count(*) FROM anomalies"), [["0"]], "{mark}");
        assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "80\n");
        assert!(home.ok(["latest", "--format", "csv"]).contains("A,2014-03-24T21:00:00.000Z"), "{mark}");
        // The history knows them: what was there to be seen had they come in time.
        let crossovers = home.ok(["query", "crossovers", "--all", "--format", "csv"]);
        assert_eq!(crossovers, plain.ok(["signals", "--format", "csv"]), "{mark}");

        // They shift no later average either: the same quotes of later days are judged as if they were alone.
        let later = json_lines("A", prices(), "").replace("2014-", "2015-");
        let file = home.write("later.jsonl", later);
        assert_eq!(numbers(&home.replay(&file), ["stored", "signals"]), [80, 1], "{mark}");
        let signals = home.ok(["signals", "--format", "csv"]).replace("2015-", "2014-");
        assert_eq!(signals, plain.ok(["signals", "--format", "csv"]), "{mark}");
    }
}

/// Would catch a replay that wakes somebody at night, or one that was asked to and does not.
#[test]
fn a_replay_alerts_only_if_asked() {
    let file = data("daily_FB_2012-2013.csv");
    let source = replay_of(&file);
    let pending = "SELECT count(*) FROM signals WHERE alerted_at IS NOT NULL OR alert";
    let quiet = Home::up();
    for format in ["table", "json"] {
        let ended = quiet.run(["stream", "--source", &source, "--format", format]).expect(0);
        assert!(!ended.stdout.contains("BUY") && !ended.stderr.contains("anomaly "), "{ended:#?}");
    }
    assert_eq!(quiet.table_db(pending), [["0"]]);
    assert_eq!(quiet.table_db("SELECT count(*) FROM anomalies"), [["0"]]);

    let home = Home::up();
    let ended = home.run(["stream", "--source", &source, "--alerts", "--format", "json"]).expect(0);
    let alerts: Vec<serde_json::Value> = ended.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let (sum, alerts) = alerts.split_last().unwrap();
    assert_eq!(numbers(sum, ["signals", "anomalies"]), [10, 31]);
    let signals: Vec<_> = alerts.iter().filter(|a| a.get("signal").is_some()).collect();
    let anomalies = alerts.iter().filter(|a| a["anomaly"] == true).count();
    assert_eq!((signals.len(), anomalies, alerts.len()), (10, 31, 41));
    let stored: Vec<serde_json::Value> =
        serde_json::from_str(&home.ok(["signals", "--format", "json"])).expect("the signals");
    for (alert, stored) in signals.iter().zip(&stored) {
        let [symbol, at, signal] = ["symbol", "timestamp", "signal"].map(|n| stored[n].as_str().unwrap());
        assert_eq!(alert["alert_id"], format!("{symbol}/{at}/{signal}"));
        for field in ["symbol", "timestamp", "signal", "price", "sma_5", "sma_20"] {
            assert_eq!(alert[field], stored[field], "{field}");
        }
    }
    let mut ids: Vec<_> = alerts.iter().map(|a| a["alert_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 41, "an alert came twice");
    assert_eq!(home.table_db("SELECT count(*) FROM signals WHERE alerted_at IS NULL"), [["0"]]);

    // Sent again they are duplicates: nothing is raised, and nothing alerted.
    let again = home.run(["stream", "--source", &source, "--alerts", "--format", "json"]).expect(0);
    assert_eq!(again.stdout.lines().count(), 1, "{}", again.stdout);

    // For people.
    let home = Home::up();
    let shown = home.ok(["stream", "--source", &source, "--alerts"]);
    assert_eq!(shown.lines().filter(|l| l.contains("BUY") || l.contains("SELL")).count(), 10, "{shown}");
    assert_eq!(shown.lines().filter(|l| l.contains("anomaly")).count(), 31, "{shown}");
}

/// Would catch alerts that wait for the end of the run.
#[test]
fn alerts_come_as_they_are_raised() {
    let home = Home::up();
    let mut stream = home.start(["stream", "--source", "replay:-", "--alerts", "--format", "json"]);
    let lines = json_lines("A", prices(), "");
    stream.input().write_all(lines.as_bytes()).unwrap();
    stream.until("the alert", |s| s.stdout().contains("\"signal\":\"BUY\""));
    drop(stream.input.take());
    let ended = stream.end().expect(0);
    assert_eq!(number(&summary(&ended.stdout), "signals"), 1);
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
}

/// Would catch an acknowledgement of what is not durable, one that is missing, or one whose form scripts cannot read.
#[test]
fn acknowledgements_say_what_is_durable() {
    let home = Home::up();
    let mut stream = home.start(["stream", "--source", "replay:-", "--acks", "--format", "json"]);
    let log = home.stack().join("stream.db");
    let acked = |text: &str| -> (u64, BTreeMap<String, String>) {
        let mut all = (0, BTreeMap::new());
        // The last line may not be whole yet.
        for line in text.split_inclusive('\n').filter(|l| l.ends_with('\n')) {
            let ack: serde_json::Value = serde_json::from_str(line).unwrap();
            if ack.get("acked").is_none() {
                continue;
            }
            assert_eq!(ack.as_object().unwrap().len(), 3, "{line}");
            assert!(line.starts_with("{\"acked\":\""), "{line}");
            all.0 += number(&ack, "count");
            if let Some(through) = ack["through"].as_str() {
                all.1.insert(ack["acked"].as_str().unwrap().to_owned(), through.to_owned());
            }
        }
        all
    };
    let mut sent = 0;
    for year in 2004..2014 {
        let lines = ["A", "B"].map(|symbol| json_lines(symbol, 1..=200, "").replace("2014-", &format!("{year}-")));
        stream.input().write_all(lines.concat().as_bytes()).unwrap();
        if year == 2008 {
            stream.input().write_all(b"rubbish\n").unwrap();
            sent += 1;
        }
        sent += 400;
        // First what was said, then what is there: what is said later may be there already.
        let said = acked(&stream.stdout()).0;
        let durable = rows(&log, "SELECT coalesce(sum(quotes), 0) FROM log").concat().concat();
        assert!(said <= durable.parse().unwrap(), "{said} acknowledged, {durable} durable");
    }
    stream.until("all acknowledgements", |s| acked(&s.stdout()).0 == sent);
    assert_eq!(rows(&log, "SELECT sum(quotes) FROM log"), [[sent.to_string()]]);
    // Acknowledged is durable, whatever becomes of the process.
    stream.signal("KILL");
    let killed = stream.end();
    assert_eq!(killed.code, None);
    let through = acked(&killed.stdout).1;
    assert_eq!(
        through,
        [("A", "2013-08-04"), ("B", "2013-08-04")].map(|(s, day)| (s.into(), format!("{day}T21:00:00.000Z"))).into()
    );
    let (_, latest) = crate::harness::csv(&home.ok(["latest", "--format", "csv"]));
    assert_eq!(latest.iter().map(|r| (r[0].clone(), r[1].clone())).collect::<BTreeMap<_, _>>(), through);
    assert_eq!(home.table_db("SELECT count(*) FROM quotes"), [[(sent - 1).to_string()]]);
    assert_eq!(home.table_db("SELECT count(*) FROM set_aside"), [["1"]]);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), format!("{}\n", sent - 1));
}

/// Would catch acknowledgements that do not add up to what the summary says was sent.
#[test]
fn acknowledgements_add_up() {
    let home = Home::up();
    let source = replay_of(&data("daily_IBM_2008-2013.csv"));
    for format in ["json", "table"] {
        let ended = home.run(["stream", "--source", &source, "--acks", "--alerts", "--format", format]).expect(0);
        let lines: Vec<serde_json::Value> = ended.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let acks: Vec<_> = lines.iter().filter(|l| l.get("acked").is_some()).collect();
        assert_eq!(acks.iter().map(|ack| number(ack, "count")).sum::<u64>(), 1300);
        assert!(acks.iter().all(|ack| ack["acked"] == "IBM"));
        assert_eq!(acks.last().unwrap()["through"], "2013-03-01T21:00:00.000Z");
        assert_eq!(lines.len() - acks.len(), usize::from(format == "json"), "{}", ended.stdout);
    }
}
