//! What flows through the stream, as it is shown: complete, exact, in order, and without disturbing anybody.

use crate::harness::{Home, csv, data, json_lines, now, number, put_record, replay_of};
use serde_json::Value;
use std::io::Write;

fn lines(stdout: &str) -> Vec<Value> {
    // The last line may not be whole yet.
    let whole = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn tail(home: &Home, arguments: &[&str]) -> Vec<Value> {
    lines(&home.ok([&["tail", "--no-follow", "--format", "json"], arguments].concat()))
}

fn texts(lines: &[Value], name: &str) -> Vec<String> {
    lines.iter().map(|line| line[name].as_str().unwrap_or_default().to_owned()).collect()
}

/// Would catch a line that is missed, comes twice or late, or of another symbol, while another process streams.
#[test]
fn it_follows_what_another_process_sends() {
    let home = Home::up();
    home.replay(&data("daily_FB_2012-2013.csv"));
    let mut all = home.start(["tail", "--format", "json", "--last", "3"]);
    let mut one = home.start(["tail", "B", "-f", "--format", "json"]);
    for tail in [&mut all, &mut one] {
        tail.until("its first look", |t| t.stderr().contains("Following"));
    }
    all.until("the last lines", |t| t.stdout().lines().count() == 3);
    let mut stream = home.start(["stream", "--source", "replay:-"]);
    for year in 2004..2010 {
        let lines = ["A", "B"].map(|symbol| json_lines(symbol, 1..=50, "").replace("2014-", &format!("{year}-")));
        stream.input().write_all(lines.concat().as_bytes()).unwrap();
    }
    // While the source is still open: nobody waits for its end.
    one.until("its quotes", |t| t.stdout().lines().count() == 300);
    all.until("all quotes", |t| t.stdout().lines().count() == 603);
    drop(stream.input.take());
    stream.end().expect(0);
    one.signal("INT");
    all.signal("TERM");
    let (one, all) = (lines(&one.end().expect(0).stdout), lines(&all.end().expect(0).stdout));
    assert_eq!((one.len(), all.len()), (300, 603));
    assert!(texts(&one, "partition_key").iter().all(|key| key == "B"));
    let sequences = texts(&all, "sequence");
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    assert_eq!(all, tail(&home, &["--last", "603"]));
    assert_eq!(one, tail(&home, &["B", "--last", "1000000"]));
}

/// Would catch bytes that do not come out as they went in, or reach a terminal's controls.
#[test]
fn any_bytes_come_out_as_they_went_in() {
    let home = Home::up();
    let quote = r#"{"symbol":"A","timestamp":"2014-01-01T21:00:00Z","price":1.50,"note":"é,\"x\""}"#;
    let bad: [&[u8]; 4] = [b"\xff\x00\x80", b"\x1b[2J\x07 \"a\", b", "not JSON: 漢字\u{202e}".as_bytes(), b"{}"];
    let data = [bad[0], b"\n", quote.as_bytes(), b"\n\n", bad[1], b"\n", bad[2], b"\n", bad[3]].concat();
    put_record(&home, 0, "A", &data);
    put_record(&home, 0, "key \u{1b}[1m\"", b" ");

    let lines = tail(&home, &[]);
    let bytes = |line: &Value| match line["data"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let hex = line["data_hex"].as_str().unwrap();
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        }
    };
    let expected = [bad[0], quote.as_bytes(), bad[1], bad[2], bad[3], b" "];
    assert_eq!(lines.iter().map(bytes).collect::<Vec<_>>(), expected);
    assert_eq!(lines[0]["data_hex"], "ff0080");
    let place = |record, line| format!("{record:020}-{line:05}");
    let places = [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (2, 0)].map(|(record, line)| place(record, line));
    assert_eq!(texts(&lines, "sequence"), places);
    assert_eq!(lines[5]["partition_key"], "key \u{1b}[1m\"");
    // Each with the reason for which process sets it aside then, and under the same name.
    home.ok(["latest"]);
    let kept = home.table_db("SELECT printf('%020d-%05d', record, line), reason, hex(bytes) FROM set_aside");
    let told = lines.iter().filter(|line| !line["reason"].is_null());
    let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
    let told: Vec<_> = told
        .map(|line| [&line["sequence"], &line["reason"]].map(|v| v.as_str().unwrap().to_owned()).to_vec())
        .zip(lines.iter().filter(|line| !line["reason"].is_null()).map(|line| hex(bytes(line))))
        .map(|(mut row, bytes)| {
            row.push(bytes);
            row
        })
        .collect();
    assert_eq!(kept, told);

    let (header, rows) = csv(&home.ok(["tail", "--no-follow", "--format", "csv"]));
    assert_eq!(header, ["sequence", "arrived_at", "partition_key", "reason", "data", "data_hex"]);
    for (row, line) in rows.iter().zip(&lines) {
        let texts = header.iter().map(|name| line[name].as_str().unwrap_or_default());
        assert!(row.iter().eq(texts), "{row:?} {line}");
    }
    assert_eq!(rows.len(), lines.len());

    let shown = home.ok(["tail", "--no-follow"]);
    assert_eq!(shown.lines().count(), 6, "{shown}");
    assert!(!shown.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
    for text in ["1.5", "set aside: not UTF-8: \\xff\\u{0}\\x80", "\\u{1b}[2J", "set aside: symbol: missing: {}"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}

/// Would catch a beginning that is too early or too late.
#[test]
fn it_begins_where_it_was_asked_to() {
    let home = Home::up();
    let minute = 60_000;
    for (at, ago) in [60, 30, 10, 0].into_iter().enumerate() {
        let quote = format!("{{\"symbol\":\"A\",\"timestamp\":\"2014-01-0{}T00:00:00Z\",\"price\":1}}", at + 1);
        put_record(&home, ago * minute, ["A", "B"][at % 2], quote.as_bytes());
    }
    let records = |arguments: &[&str]| -> Vec<u64> {
        let sequences = texts(&tail(&home, arguments), "sequence");
        sequences.iter().map(|s| s.split('-').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(records(&[]), [1, 2, 3, 4]);
    assert_eq!(records(&["--last", "3"]), [2, 3, 4]);
    assert_eq!(records(&["-n", "0"]), [0; 0]);
    assert_eq!(records(&["--since", "31m"]), [2, 3, 4]);
    assert_eq!(records(&["--since", "9m"]), [4]);
    assert_eq!(records(&["--since", "31m", "--last", "1"]), [4]);
    assert_eq!(records(&["--since", "31m", "--last", "100", "B"]), [2, 4]);
    assert_eq!(records(&["--since", "2014-01-01"]), [1, 2, 3, 4]);
    let since = now().plus_millis(-15 * minute).to_string();
    assert_eq!(records(&["--since", &since]), [3, 4]);
    assert_eq!(records(&["A", "B", "--last", "2"]), [3, 4]);
    assert_eq!(records(&["A", "--last", "2"]), [1, 3]);
    // What arrived on another day is told by its date.
    put_record(&home, 2 * 86_400_000, "A", b"x");
    let date = now().plus_millis(-2 * 86_400_000).to_string();
    assert!(home.ok(["tail", "--no-follow", "--last", "1"]).contains(&date[5..10]));
}

/// Would catch a look at the stream that stores, judges or holds something, or that fails while there is nothing yet.
#[test]
fn it_only_reads() {
    let home = Home::up();
    home.run(["tail", "--no-follow"]).expect(0).says(&["Nothing has flowed"]);
    put_record(&home, 0, "A", br#"{"symbol":"A","timestamp":"2014-01-01T00:00:00Z","price":1}"#);
    let mut tail = home.start(["tail"]);
    tail.until("the quote", |t| t.stdout().contains("2014-01-01T00:00:00Z"));
    let status: Value = serde_json::from_str(&home.ok(["status", "--format", "json"])).unwrap();
    assert_eq!((number(&status, "lag"), &status["consumers"]), (1, &Value::Null));
    // Not even `down` waits for it; without a stack there is nothing to follow.
    home.ok(["down", "--yes"]);
    tail.end().expect(4).says(&["there is no local stack 'stockpipe'"]);
}

/// Would catch a mistyped symbol that looks like one without quotes.
#[test]
fn unknown_symbols() {
    let home = Home::up();
    home.ok(["stream", "--source", &replay_of(&data("daily_FB_2012-2013.csv"))]);
    home.run(["tail", "--no-follow", "FBB"]).expect(4).says(&["'FBB'", "did you mean FB?"]);
    home.run(["tail", "--no-follow", "A\u{7}"]).expect(4).says(&["'A\\u{7}'"]);
    let some = home.run(["tail", "--no-follow", "--last", "1", "FB", "XX"]).expect(5).says(&["'XX'"]);
    assert_eq!(some.stdout.lines().count(), 1);
    // A partition key that is no symbol, of lines that could not be read.
    home.run_with(["stream", "--source", "replay:-"], b"rubbish\n").expect(0);
    assert!(home.ok(["tail", "--no-follow", "?"]).contains("rubbish"));
}
