//! What is put onto the stream again: what was set aside, once and marked, and spans, which double nothing.

use crate::harness::{
    Home, change_table_db, csv, data, json_lines, now, numbers, put_record, replay_of, rows, summary,
};
use rusqlite::Connection;
use serde_json::Value;

const MINUTE: i64 = 60_000;

fn quote(symbol: &str, ago: i64) -> String {
    format!(r#"{{"symbol":"{symbol}","timestamp":"{}","price":1.25}}"#, now().plus_millis(-ago))
}

/// A record that arrived an hour ago, with quotes of half an hour ago at its head, in its middle and at its end: they
/// were more than five minutes ahead then, and are no longer. Gives its lines.
fn put_ahead(home: &Home) -> Vec<String> {
    let (ahead, good) = (30 * MINUTE, 120 * MINUTE);
    let lines: Vec<_> = [ahead, good, ahead - 1, good - 1, ahead - 2].into_iter().map(|ago| quote("A", ago)).collect();
    put_record(home, 60 * MINUTE, "A", lines.join("\n").as_bytes());
    lines
}

/// A record that belongs to another symbol than its partition key says.
fn put_wrong_key(home: &Home) -> u64 {
    put_record(home, 0, "B", quote("A", 10 * MINUTE).as_bytes())
}

fn listed(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let list = home.ok([&["replay", "--list", "--format", "json"], arguments].concat());
    serde_json::from_str(&list).unwrap_or_else(|e| panic!("{e}: {list}"))
}

fn replay(home: &Home, arguments: &[&str]) -> Value {
    summary(&home.ok([&["replay", "--yes", "--format", "json"], arguments].concat()))
}

fn status(home: &Home) -> [u64; 4] {
    let status = serde_json::from_str(&home.ok(["status", "--format", "json"])).unwrap();
    numbers(&status, ["set_aside", "set_aside_replayed", "table_quotes", "lag"])
}

const COUNTS: [&str; 5] = ["replayed", "stored", "duplicates", "set_aside", "lag"];

/// Would catch a line that is left out, put twice or changed, a mark that is missing or wrong, or one that becomes a
/// quote now and is not stored.
#[test]
fn what_was_set_aside_is_put_again_once() {
    let home = Home::up();
    let lines = put_ahead(&home);
    let wrong = put_wrong_key(&home);
    let before = listed(&home, &[]);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let ids: Vec<_> = before.iter().map(|row| text(row, "sequence")).collect();
    assert_eq!(ids, [(1, 0), (1, 2), (1, 4), (wrong, 0)].map(|(record, line)| format!("{record:020}-{line:05}")));
    for (row, line) in before.iter().zip([&lines[0], &lines[2], &lines[4]]) {
        assert_eq!(&row["data"], line);
        assert!(text(row, "reason").contains("more than 5 minutes after its arrival"), "{row}");
        assert!(row["replayed_at"].is_null() && row["replayed_as"].is_null(), "{row}");
    }
    assert_eq!(status(&home), [4, 0, 2, 0]);

    let ended = home.run(["replay", "--set-aside", "--yes", "--format", "json"]).expect(0);
    let ended = ended.says(&["4 set-aside lines, of A, B", "1 would be set aside again", "by hand"]);
    assert_eq!(numbers(&summary(&ended.stdout), COUNTS), [4, 3, 0, 1, 0], "{}", ended.stderr);
    assert_eq!(status(&home), [1, 4, 5, 0]);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "5\n");

    // Each was put as it came, at its own place, and says where.
    let after = listed(&home, &[]);
    assert_eq!(after.len(), 5);
    let tail = home.ok(["tail", "--no-follow", "--format", "json", "--last", "4"]);
    for (line, row) in tail.lines().zip(&after) {
        let line: Value = serde_json::from_str(line).unwrap();
        let same = ["partition_key", "data"];
        assert_eq!(same.map(|name| &line[name]), same.map(|name| &row[name]));
        assert_eq!(text(&line, "sequence"), format!("{}-00000", text(row, "replayed_as")));
        assert!(text(row, "replayed_at") > text(row, "arrived_at"), "{row}");
    }
    // What is still none is set aside anew, and open.
    assert_eq!(text(&after[4], "sequence"), format!("{}-00000", text(&after[3], "replayed_as")));
    assert_eq!(
        ["partition_key", "reason", "data"].map(|n| &after[4][n]),
        ["partition_key", "reason", "data"].map(|n| &after[3][n])
    );
    assert!(after[4]["replayed_at"].is_null());

    // A second time nothing of A is left to do; asked to, it is, and changes nothing.
    home.run(["replay", "--set-aside", "A", "--yes"]).expect(4).says(&["3 lines were replayed already", "--again"]);
    assert_eq!(numbers(&replay(&home, &["--set-aside", "A", "--again"]), COUNTS), [3, 0, 3, 0, 0]);
    assert_eq!(status(&home), [1, 4, 5, 0]);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "5\n");
}

/// Would catch a choice that takes too much or too little.
#[test]
fn what_was_set_aside_can_be_chosen_from() {
    let home = Home::up();
    put_ahead(&home);
    put_wrong_key(&home);
    let chosen = |arguments: &[&str]| listed(&home, arguments).len();
    assert_eq!(chosen(&[]), 4);
    assert_eq!(chosen(&["A"]), 3);
    assert_eq!(chosen(&["--id", "1-2"]), 1);
    assert_eq!(chosen(&["--id", "1"]), 3);
    assert_eq!(chosen(&["--id", "00000000000000000001-00004", "--id", "2"]), 2);
    assert_eq!(chosen(&["--reason", "PARTITION key"]), 1);
    assert_eq!(chosen(&["--since", "30m"]), 1);
    assert_eq!(chosen(&["--since", "2h", "--id", "1", "A", "--reason", "minutes"]), 3);
    let (_, rows) = csv(&home.ok(["replay", "--list", "--format", "csv"]));
    for (row, object) in rows.iter().zip(listed(&home, &[])) {
        let names =
            ["sequence", "arrived_at", "partition_key", "reason", "replayed_at", "replayed_as", "data", "data_hex"];
        assert!(row.iter().eq(names.map(|name| object[name].as_str().unwrap_or_default()).iter()), "{row:?}");
    }
    let shown = home.run(["replay", "--list"]).expect(0).says(&["4 open", "stockpipe replay --set-aside"]);
    assert_eq!(shown.stdout.lines().count(), 5, "{}", shown.stdout);

    assert_eq!(numbers(&replay(&home, &["--set-aside", "--id", "1-2"]), COUNTS), [1, 1, 0, 0, 0]);
    let some = home.run(["replay", "--set-aside", "--yes", "A", "C", "--id", "1-4", "--id", "9"]).expect(5);
    some.says(&["'C', '9'", "1 line replayed, 1 stored"]);
    assert_eq!(status(&home), [2, 2, 4, 0]);
    for arguments in [["--id", "9"], ["--reason", "UTF-16"], ["--since", "1ms"]] {
        home.run([&["replay", "--set-aside", "--yes"], &arguments[..]].concat()).expect(4).says(&["replay --list"]);
    }
    home.run(["replay", "--list", "C"]).expect(4);
    assert_eq!(listed(&home, &["--reason", "UTF-16"]), [Value::Null; 0]);
}

/// Would catch a record that was set aside whole and comes back in part, or bytes that are no text and change.
#[test]
fn bytes_of_any_kind_come_back_as_they_were() {
    let home = Home::up();
    let whole = [quote("A", 3 * MINUTE), quote("A", 2 * MINUTE)].join("\n");
    put_record(&home, 0, "A", b"\xff\x1b\x00");
    put_record(&home, 0, "A", b" \n ");
    assert_eq!(listed(&home, &[]).len(), 2);
    let hex: String = whole.bytes().map(|b| format!("{b:02x}")).collect();
    change_table_db(
        &home,
        &format!(
            "INSERT INTO set_aside (record, line, partition_key, arrived_at, reason, bytes)
             VALUES (1, 7, 'A', {}, 'the check itself failed', x'{hex}')",
            now().millis()
        ),
    );
    assert_eq!(numbers(&replay(&home, &["--set-aside"]), COUNTS), [3, 2, 0, 2, 0]);
    let bytes = home.table_db("SELECT hex(bytes) FROM set_aside WHERE replayed_at IS NULL ORDER BY record");
    assert_eq!(bytes, [["FF1B00"], ["200A20"]]);
}

/// Would catch a line that is marked before it is durable, or lost or doubled when the process dies in between.
#[test]
fn a_kill_between_put_and_mark_loses_nothing() {
    let home = Home::up();
    put_ahead(&home);
    assert_eq!(listed(&home, &[]).len(), 3);
    let lock = Connection::open(home.stack().join("table.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut killed = home.start(["replay", "--set-aside", "--yes"]);
    let log = home.stack().join("stream.db");
    killed.until("the put", |_| rows(&log, "SELECT max(last) FROM log") == [["4"]]);
    killed.signal("KILL");
    assert_eq!(killed.end().code, None);
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);

    // Durable, but not marked: stored by whoever comes next, and put once more.
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "5\n");
    assert_eq!(status(&home), [3, 0, 5, 0]);
    assert_eq!(numbers(&replay(&home, &["--set-aside"]), COUNTS), [3, 0, 3, 0, 0]);
    assert_eq!(status(&home), [0, 3, 5, 0]);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "5\n");
}

/// Would catch a span that is stored, raised or alerted twice, or that is not stored again once it has expired.
#[test]
fn a_span_put_again_doubles_nothing() {
    let home = Home::up();
    home.ok(["stream", "--alerts", "--source", &replay_of(&data("daily_FB_2012-2013.csv"))]);
    let of = |sql: &str| home.table_db(sql);
    let raised = || {
        let signals = of("SELECT number, timestamp, signal, recorded_at, alerted_at FROM signals ORDER BY number");
        (signals, of("SELECT * FROM anomalies"), home.ok(["query", "crossovers", "--all", "--format", "csv"]))
    };
    let (before, quotes) = (raised(), of("SELECT * FROM quotes"));
    assert_eq!(before.0.len(), 10);
    let ended = home.run(["replay", "--from", "1", "--yes", "--alerts", "--format", "json"]).expect(0);
    assert_eq!(numbers(&summary(&ended.stdout), COUNTS), [196, 0, 196, 0, 0]);
    assert!(!ended.stderr.contains("BUY") && !ended.stderr.contains("anomaly"), "{}", ended.stderr);
    assert_eq!((raised(), of("SELECT * FROM quotes")), (before.clone(), quotes));
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "196\n");

    // What has expired is stored anew, and raises what was raised already.
    change_table_db(&home, "UPDATE quotes SET expires_at = 1; UPDATE heads SET expires_at = 1;");
    assert_eq!(numbers(&replay(&home, &["--from", "1h", "--to", "1-49"]), COUNTS)[..3], [50, 50, 0]);
    change_table_db(&home, "UPDATE quotes SET expires_at = 1; UPDATE heads SET expires_at = 1;");
    let again = replay(&home, &["--from", "1h", "FB"]);
    assert_eq!(again["stored"], 196, "{again}");
    assert_eq!(raised(), before);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "196\n");
    assert!(
        of("SELECT DISTINCT marks & 3, marks & 8 FROM quotes").concat() == ["1", "0"],
        "replayed, and not alerting"
    );
}

/// Would catch a place that is a line off, lines of others, or lines that are no quotes.
#[test]
fn a_span_is_what_was_asked_for() {
    let home = Home::up();
    let file = home.write("a.jsonl", json_lines("A", 1..=30, "") + "rubbish\n" + &json_lines("B", 1..=5, ""));
    home.replay(&file);
    let put = |arguments: &[&str]| number_of(&replay(&home, arguments));
    fn number_of(sum: &Value) -> u64 {
        let [replayed, duplicates] = numbers(sum, ["replayed", "duplicates"]);
        assert_eq!(replayed, duplicates);
        replayed
    }
    assert_eq!(put(&["--from", "1-10", "--to", "1-19"]), 10);
    assert_eq!(put(&["--from", "1", "--to", "3"]), 35);
    assert_eq!(put(&["--from", "1", "--to", "00000000000000000003-00000", "A"]), 30);
    assert_eq!(put(&["--from", "3", "--to", "3", "B"]), 5);
    let ended = home.run(["replay", "--from", "1", "--to", "3", "A", "X", "--yes"]).expect(5);
    ended.says(&["'X'", "30 quotes in 1 record", "30 quotes replayed, 0 stored, 30 duplicates"]);
    let plan = home.run(["replay", "--from", "1", "--to", "3"]).expect(3);
    plan.says(&["35 quotes in 2 records", "A, B", "from 1-0", "to   3-4", "without 1 line that is no quote", "--yes"]);
    let last: u64 =
        rows(&home.stack().join("stream.db"), "SELECT max(last) FROM log").concat().concat().parse().unwrap();
    for nothing in
        [["--from", "2", "--to", "2"], ["--from", "1ms", "--to", "3"], ["--from", "999999", "--to", "9999999"]]
    {
        home.run([&["replay", "--yes"], &nothing[..]].concat()).expect(4).says(&["no quote in this span"]);
    }
    home.run(["replay", "--yes", "--from", "1", "XX"]).expect(4).says(&["'XX'"]);
    assert_eq!(rows(&home.stack().join("stream.db"), "SELECT max(last) FROM log"), [[last.to_string()]]);
}

/// Would catch a replay that makes signals of what was never to raise any.
#[test]
fn backfilled_and_stale_quotes_stay_what_they_are() {
    let prices = || (0..40).map(|n| 200 - 3 * n).chain((0..40).map(|n| 90 + 4 * n));
    for mark in [r#","stale":true"#, r#","origin":"backfill""#] {
        let home = Home::up();
        let file = home.write("marked.jsonl", json_lines("A", prices(), mark));
        home.replay(&file);
        change_table_db(&home, "UPDATE quotes SET expires_at = 1");
        let sum = replay(&home, &["--from", "1", "--alerts"]);
        assert_eq!(numbers(&sum, ["replayed", "stored", "signals"]), [80, 80, 0], "{mark}");
        assert_eq!(home.table_db("SELECT count(*) FROM heads"), [["0"]], "{mark}");
    }
}

/// Would catch a replay without consent, or a prompt that nobody can answer.
#[test]
fn without_consent_nothing_is_put() {
    let home = Home::up();
    home.run(["replay", "--set-aside", "--yes"]).expect(4).says(&["nothing is set aside", "--from"]);
    home.run(["replay", "--list"]).expect(0).says(&["Nothing is set aside"]);
    assert_eq!(listed(&home, &[]), [Value::Null; 0]);
    put_ahead(&home);
    for arguments in [["--set-aside", "A"], ["--from", "1"]] {
        let ended = home.run_with([&["replay"], &arguments[..]].concat(), b"y\n").expect(3);
        ended.says(&["nothing was put", "--yes"]);
    }
    assert_eq!(rows(&home.stack().join("stream.db"), "SELECT max(last) FROM log"), [["1"]]);
    assert_eq!(status(&home), [3, 0, 2, 0]);
}

/// Would catch a stack of an earlier version that cannot be opened, or loses what was set aside.
#[test]
fn a_stack_of_the_first_version_is_taken_on() {
    let home = Home::up();
    put_ahead(&home);
    assert_eq!(listed(&home, &[]).len(), 3);
    let first = "ALTER TABLE set_aside DROP COLUMN replayed_at; ALTER TABLE set_aside DROP COLUMN replayed_as;
                 PRAGMA user_version = 1;";
    for command in [["status"].as_slice(), &["up"], &["replay", "--list"], &["latest"]] {
        change_table_db(&home, first);
        home.ok(command);
        assert_eq!(home.table_db("PRAGMA user_version"), [["2"]], "{command:?}");
        assert_eq!(status(&home), [3, 0, 2, 0]);
    }
    change_table_db(&home, first);
    assert_eq!(numbers(&replay(&home, &["--set-aside"]), COUNTS), [3, 3, 0, 0, 0]);
    // One that a later version made is let alone.
    change_table_db(&home, "PRAGMA user_version = 3");
    home.run(["status"]).expect(1).says(&["has schema version 3", "knows version 2"]);
    assert_eq!(home.table_db("PRAGMA user_version"), [["3"]]);
}
