//! What flows through the stream on AWS, as it is shown.

use super::cloud::Cloud;
use crate::harness::{Home, csv, put_record};
use aws_sdk_kinesis::primitives::Blob;
use serde_json::Value;

impl Cloud {
    /// Puts a record as any producer does, and gives its number.
    pub fn put_record(&self, key: &str, data: &[u8]) -> String {
        let put = self.kinesis().put_record().stream_name("stockpipe-stock-market-stream");
        let put = put.partition_key(key).data(Blob::new(data)).send();
        format!("{:0>56}", self.ask(put).expect("a record").sequence_number)
    }

    /// The lines that `tail` shows, and no more.
    pub fn tail(&self, arguments: &[&str]) -> Vec<Value> {
        lines(&self.run(&[&["tail", "--no-follow", "--format", "json"], arguments].concat()).expect(0).stdout)
    }
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn texts(lines: &[Value], name: &str) -> Vec<String> {
    lines.iter().map(|line| line[name].as_str().unwrap_or_default().to_owned()).collect()
}

fn quote(symbol: &str, day: u32) -> String {
    format!(r#"{{"symbol":"{symbol}","timestamp":"2014-01-{day:02}T21:00:00Z","price":1.50,"note":"é,\"x\""}}"#)
}

/// Would catch a line that is missed, changed, out of order or judged otherwise than locally, and another format.
#[test]
fn what_others_put_is_shown_as_it_is_locally() {
    let cloud = Cloud::new();
    cloud.run(&["tail", "--no-follow"]).expect(4).says(&["stockpipe up --target aws"]);
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["tail", "--no-follow"]).expect(0).says(&["Nothing has flowed"]);

    let mixed = [quote("A", 1).as_bytes(), b"\xff\x00", b"\x1b[2J", quote("B", 2).as_bytes()].join(&b'\n');
    let of_b = quote("B", 3);
    let records: [(&str, &[u8]); 4] =
        [("A", &mixed), ("B", of_b.as_bytes()), ("key \u{1b}\"", b" "), ("A", b"not JSON: \xe6\xbc\xa2")];
    let local = Home::up();
    let mut names = Vec::new();
    for (key, data) in records {
        names.push(cloud.put_record(key, data));
        put_record(&local, 0, key, data);
    }
    let shown = cloud.tail(&[]);
    let places = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0)];
    let places = places.map(|(record, line)| format!("{}-{line:05}", names[record]));
    assert_eq!(texts(&shown, "sequence"), places);
    assert!(texts(&shown, "arrived_at").is_sorted());
    let there = lines(&local.ok(["tail", "--no-follow", "--format", "json"]));
    for (here, there) in shown.iter().zip(&there) {
        let names = |line: &Value| line.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(here), names(there));
        for name in ["partition_key", "reason", "data", "data_hex"] {
            assert_eq!(here[name], there[name], "{name}: {here} {there}");
        }
    }
    let (header, rows) = csv(&cloud.run(&["tail", "--no-follow", "--format", "csv"]).expect(0).stdout);
    assert_eq!(header, ["sequence", "arrived_at", "partition_key", "reason", "data", "data_hex"]);
    assert_eq!(rows.len(), shown.len());
    for (row, line) in rows.iter().zip(&shown) {
        assert!(
            row.iter().eq(header.iter().map(|name| line[name].as_str().unwrap_or_default()).collect::<Vec<_>>().iter())
        );
    }
    // For people the end of a number tells records apart.
    let table = cloud.run(&["tail", "--no-follow"]).expect(0).stdout;
    let end = &names[1][50..];
    assert!(table.lines().nth(4).is_some_and(|line| line.starts_with(&format!("…{end}  "))), "{table}");
    assert!(!table.contains('\u{1b}') && table.contains("set aside: not UTF-8"), "{table:?}");

    // It begins where it is asked to.
    let count = |arguments: &[&str]| cloud.tail(arguments).len();
    assert_eq!(cloud.tail(&["--last", "2"]), shown[5..]);
    assert_eq!(count(&["-n", "0"]), 0);
    assert_eq!(cloud.tail(&["B", "-n", "1"]), shown[4..5]);
    assert_eq!(count(&["A", "--since", "1h"]), 5);
    assert_eq!(cloud.tail(&["--since", &texts(&shown, "arrived_at")[5], "--last", "9"]), shown[5..]);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(count(&["--since", "10ms"]), 0);
    cloud.run(&["tail", "--no-follow", "X"]).expect(4).says(&["'X'"]);
}

/// Would catch a shard whose successors are not read, and one who follows and misses, doubles or loses the order.
#[test]
fn it_follows_a_stream_that_is_split() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.put_record("A", quote("A", 1).as_bytes());
    let mut tail = cloud.start(&["tail", "--follow", "--format", "json"]);
    tail.until("the first quote", |t| t.stdout().lines().count() == 1 && t.stderr().contains("Following"));
    cloud.put_record("A", quote("A", 2).as_bytes());
    tail.until("the second quote", |t| t.stdout().lines().count() == 2);
    let split = cloud.kinesis().split_shard().stream_name("stockpipe-stock-market-stream");
    let split = split.shard_to_split("shardId-000000000000").new_starting_hash_key((1_u128 << 127).to_string());
    cloud.ask(split.send()).expect("a split");
    // Of either half.
    for (at, symbol) in ["A", "B", "C", "D", "E", "F"].into_iter().enumerate() {
        cloud.put_record(symbol, quote(symbol, at as u32 + 3).as_bytes());
    }
    tail.until("the quotes of both", |t| t.stdout().lines().count() == 8);
    tail.signal("INT");
    let shown = lines(&tail.end().expect(0).stdout);
    let symbols = texts(&shown, "partition_key");
    assert_eq!(symbols[..2], ["A", "A"]);
    assert!(texts(&shown, "sequence").is_sorted_by(|a, b| a < b), "{shown:#?}");
    assert_eq!(cloud.tail(&["--last", "6"]), shown[2..]);
}
