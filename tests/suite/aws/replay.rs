//! What is put onto the stream on AWS again: what was set aside, once and marked, batches that were given up, and spans.

use super::cloud::Cloud;
use crate::harness::{Home, csv, now, put_record, summary};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::{fs, io::Write, path::PathBuf};
use zip::write::SimpleFileOptions;

/// Answers every event with the same, and keeps the events.
const FUNCTION: &str = r#"#!/usr/bin/env python3
import os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as given:
        name, event = given.headers["Lambda-Runtime-Aws-Request-Id"], given.read()
    with open("{events}", "ab") as events:
        events.write(event + b"\n")
    urllib.request.urlopen(urllib.request.Request(api + name + "/response", data=b'{answer}')).close()
"#;

impl Cloud {
    fn read_object(&self, key: &str) -> Value {
        let get = self.s3().get_object().bucket(self.bucket("stock-market-data-bucket-")).key(key);
        let bytes = self.ask(async { get.send().await.expect("an object").body.collect().await.expect("a body") });
        serde_json::from_slice(&bytes.to_vec()).expect("JSON")
    }

    /// A line that process set aside, as it keeps it; gives its key.
    fn set_aside(&self, number: u64, partition_key: &str, form: &str, contents: &str) -> String {
        let (sequence, arrived_at) = (place(number), now().to_string());
        let key = format!("set-aside/dt={}/{sequence}.json", &arrived_at[..10]);
        let line = json!({"sequence": sequence, "partition_key": partition_key, "arrived_at": arrived_at,
            "reason": "timestamp: more than 5 minutes after its arrival", form: contents});
        self.object(&key, &line);
        key
    }

    fn replay(&self, arguments: &[&str]) -> Value {
        summary(&self.run(&[&["replay", "--yes", "--format", "json"], arguments].concat()).expect(0).stdout)
    }

    fn listed(&self, arguments: &[&str]) -> Vec<Value> {
        let list = self.run(&[&["replay", "--list", "--format", "json"], arguments].concat()).expect(0).stdout;
        serde_json::from_str(&list).unwrap_or_else(|e| panic!("{e}: {list}"))
    }

    /// Makes a function answer so from now on; gives the file with the events that it gets.
    fn answer(&self, function: &str, answer: &str) -> PathBuf {
        let events = self.home.work().join("events");
        let program = FUNCTION.replace("{events}", events.to_str().expect("a path")).replace("{answer}", answer);
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).expect("a file");
        zip.write_all(program.as_bytes()).expect("a program");
        let code = zip.finish().expect("a zip").into_inner();
        let update = self.lambda().update_function_code().function_name(function);
        self.ask(update.zip_file(aws_sdk_lambda::primitives::Blob::new(code)).send()).expect("new code");
        events
    }
}

/// A place in the stream long ago.
fn place(number: u64) -> String {
    format!("{number:056}-00000")
}

fn data(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["data"].as_str().unwrap_or("?")).collect()
}

fn quote(symbol: &str, second: u32) -> String {
    format!(r#"{{"symbol":"{symbol}","timestamp":"2014-01-01T21:00:{second:02}.000Z","price":1.5}}"#)
}

const CONSUMERS: [&str; 10] =
    ["stored", "archived", "duplicates", "revised", "late", "stale", "set_aside", "signals", "anomalies", "lag"];

/// Would catch a line that is put twice, not at all, changed or out of order, a mark that is missing, and an answer
/// that differs from the local one's.
#[test]
fn what_was_set_aside_is_put_again_once() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["replay", "--set-aside", "--yes"]).expect(4).says(&["nothing is set aside", "--from"]);
    cloud.run(&["replay", "--list"]).expect(0).says(&["Nothing is set aside"]);
    let keys = [(1, "A", "text", "a1"), (2, "B", "text", "b1"), (3, "A", "text", "a2"), (4, "A", "base64", "/wA=")]
        .map(|(number, key, form, contents)| cloud.set_aside(number, key, form, contents));

    let before = cloud.listed(&[]);
    assert_eq!(before.iter().map(|row| row["sequence"].as_str().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4].map(place));
    let local = Home::up();
    put_record(&local, 0, "A", b"bad");
    let there: Vec<Value> = serde_json::from_str(&local.ok(["replay", "--list", "--format", "json"])).unwrap();
    let names = |row: &Value| row.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before[0]), names(&there[0]));
    assert_eq!((&before[3]["data_hex"], &before[3]["data"]), (&"ff00".into(), &Value::Null));
    // What is shown as an id can be given as one.
    let table = cloud.run(&["replay", "--list"]).expect(0).says(&["4 open", "replay --target aws --set-aside"]).stdout;
    let id = table.lines().nth(2).and_then(|line| line.split_whitespace().next()).expect("an id").to_owned();
    assert_eq!(data(&cloud.listed(&["--id", &id])), ["b1"]);
    assert_eq!(data(&cloud.listed(&["A", "--since", "1h"])), ["a1", "a2", "?"]);

    cloud.run(&["replay", "--set-aside", "A"]).expect(3).says(&["3 set-aside lines, of A", "nothing was put"]);
    let sum = cloud.replay(&["--set-aside", "A"]);
    assert_eq!(sum["replayed"], 3, "{sum}");
    assert!(CONSUMERS.iter().all(|name| sum[name].is_null()), "{sum}");
    put_record(&local, 0, "A", b"bad");
    let there = summary(&local.ok(["replay", "--set-aside", "--yes", "--format", "json"]));
    assert_eq!(names(&sum), names(&there));

    // Each is there as it came, and says where.
    let shown = cloud.tail(&[]);
    assert_eq!(data(&shown), ["a1", "a2", "?"]);
    assert_eq!(shown[2]["data_hex"], "ff00");
    assert!(shown.iter().all(|line| line["partition_key"] == "A"));
    let after = cloud.listed(&["A"]);
    for (row, line) in after.iter().zip(&shown) {
        let as_record = row["replayed_as"].as_str().expect("a record");
        assert_eq!(line["sequence"], format!("{as_record}-00000"));
        assert!(row["replayed_at"].as_str() > row["arrived_at"].as_str(), "{row}");
    }
    let object = cloud.read_object(&keys[0]);
    assert_eq!((&object["text"], &object["sequence"]), (&"a1".into(), &place(1).into()));

    cloud.run(&["replay", "--set-aside", "A", "--yes"]).expect(4).says(&["3 lines were replayed already", "--again"]);
    let some = cloud.run(&["replay", "--set-aside", "--yes", "--id", &id, "--id", &place(9)]).expect(5);
    some.says(&["nothing is set aside of", "1 line replayed", "stockpipe status --target aws"]);
    assert_eq!(cloud.replay(&["--set-aside", "A", "--again"])["replayed"], 3);
    assert_eq!(data(&cloud.tail(&[])), ["a1", "a2", "?", "b1", "a1", "a2", "?"]);
}

/// The event that Lambda keeps of a batch, in whose records are these numbers, keys and data.
fn given_up(function: &str, info: &str, first: u64, records: &[Value]) -> Value {
    json!({
        "requestContext": {"requestId": "5b1f", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 4,
            "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:stockpipe-{function}")},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": now().to_string(),
        info: {"shardId": "shardId-000000000000", "startSequenceNumber": format!("{first:030}"),
            "endSequenceNumber": "9", "batchSize": records.len(), "streamArn": "arn"},
        "payload": {"Records": records},
    })
}

fn record(number: u64, key: &str, data: &str) -> Value {
    json!({
        "eventID": format!("shardId-000000000000:{number:030}"), "eventSource": "aws:kinesis",
        "kinesis": {"sequenceNumber": format!("{number:030}"), "partitionKey": key,
            "approximateArrivalTimestamp": 1_764_000_000.123, "data": BASE64_STANDARD.encode(data)},
    })
}

fn batch(mapping: &str, number: u64) -> String {
    format!("aws/lambda/{mapping}/shardId-000000000000/2026/11/20/2026-11-20T21.00.{number:02}-5b1f")
}

/// Would catch a batch that is forgotten, a record that comes twice or out of order, and a function whose failure is
/// taken for success.
#[test]
fn batches_that_were_given_up_are_handled_after_all() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["replay", "--failed-batches", "--yes"]).expect(4).says(&["no batch was given up"]);
    let (of_process, of_archive) = ("ProcessStockData", "ArchiveStockData");
    // Two of process and, cut otherwise, one of archive, which sorts before them.
    for (mapping, number, function, records) in
        [("b-process", 2, of_process, 4..6), ("b-process", 1, of_process, 1..4), ("a-archive", 1, of_archive, 2..8)]
    {
        let records: Vec<Value> =
            records.map(|n| record(n, if n == 3 { "B" } else { "A" }, &format!("line {n}"))).collect();
        let first = records[0]["kinesis"]["sequenceNumber"].as_str().unwrap().parse().unwrap();
        cloud.object(&batch(mapping, number), &given_up(function, "KinesisBatchInfo", first, &records));
    }
    let change = json!({"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb",
        "dynamodb": {"SequenceNumber": "111", "Keys": {"symbol": {"S": "A"}}, "NewImage": {"symbol": {"S": "A"}}}});
    let changes = [change];
    cloud.object(&batch("c-trend", 1), &given_up("StockTrendAnalysis", "DDBStreamBatchInfo", 1, &changes));

    cloud.run(&["replay", "--list"]).expect(0).says(&["Nothing is set aside", "4 failed batches", "--failed-batches"]);
    assert_eq!(cloud.listed(&[]), [Value::Null; 0]);
    let mut listed = cloud.listed(&["--failed-batches"]);
    listed.sort_by_key(|row| row["object"].to_string());
    let rows = listed.iter().map(|row| (row["function"].as_str().unwrap(), row["records"].as_u64().unwrap()));
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [(of_archive, 6), (of_process, 3), (of_process, 2), ("StockTrendAnalysis", 1)]
    );
    assert_eq!((&listed[0]["reason"], &listed[0]["attempts"]), (&"RetryAttemptsExhausted".into(), &4.into()));
    let (header, _) = csv(&cloud.run(&["replay", "--list", "--failed-batches", "--format", "csv"]).expect(0).stdout);
    assert_eq!(header, ["given_up_at", "function", "records", "attempts", "reason", "object"]);
    cloud.run(&["replay", "--failed-batches"]).expect(3).says(&["5 records, 2 failed batches", "nothing was put"]);

    // Trend names a change that has to come again: that batch stays, the others are done.
    let events = cloud.answer("stockpipe-StockTrendAnalysis", r#"{"batchItemFailures":[{"itemIdentifier":"111"}]}"#);
    let ended = cloud.run(&["replay", "--failed-batches", "--yes", "--format", "json"]).expect(5);
    let ended = ended.says(&["StockTrendAnalysis could not handle", "3 of 4 failed batches replayed"]);
    assert_eq!(summary(&ended.stdout)["replayed"], 3);
    let shown = cloud.tail(&["A", "--last", "100"]);
    assert_eq!(data(&shown), ["line 1", "line 2", "line 4", "line 5", "line 6", "line 7"]);
    assert_eq!(data(&cloud.tail(&["B", "--last", "100"])), ["line 3"]);
    let bucket = cloud.bucket("stock-market-data-bucket-");
    let batches = [batch("a-archive", 1), batch("b-process", 1), batch("b-process", 2)];
    let mut expected = vec![batch("c-trend", 1)];
    expected.extend(batches.iter().map(|key| format!("replayed/{key}")));
    assert_eq!(cloud.keys(&bucket), expected);

    cloud.answer("stockpipe-StockTrendAnalysis", r#"{"batchItemFailures":[]}"#);
    assert_eq!(cloud.replay(&["--failed-batches"])["replayed"], 1);
    let events = fs::read_to_string(events).expect("the events");
    let events: Vec<Value> = events.lines().map(|event| serde_json::from_str(event).expect("an event")).collect();
    assert_eq!(events, [json!({"Records": changes}), json!({"Records": changes})]);
    assert!(cloud.keys(&bucket).iter().all(|key| key.starts_with("replayed/")));
    assert_eq!(cloud.tail(&["--last", "100"]).len(), 7);
    cloud.run(&["replay", "--failed-batches", "--yes"]).expect(4);

    // On this machine there are none.
    let local = Home::up();
    local.run(["replay", "--failed-batches", "--yes"]).expect(4).says(&["on this machine no batch is given up"]);
    assert_eq!(local.ok(["replay", "--list", "--failed-batches", "--format", "json"]).trim(), "[]");
}

/// Would catch a place that is a line off, what is put again belonging to the span, and quotes that are not marked.
#[test]
fn a_span_is_put_again_as_replayed_quotes() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    let quotes = |symbol: &str, seconds: std::ops::Range<u32>| -> Vec<u8> {
        seconds.map(|second| quote(symbol, second) + "\n").collect::<String>().into_bytes()
    };
    let first = cloud.put_record("A", &quotes("A", 0..10));
    cloud.put_record("A", b"rubbish");
    let last = cloud.put_record("B", &quotes("B", 0..5));
    cloud.put_record("A", &quotes("A", 10..12));

    let (from, to) = (format!("{first}-8"), format!("{last}-00001"));
    let plan = cloud.run(&["replay", "--from", &from, "--to", &to]).expect(3);
    plan.says(&["4 quotes in 2 records", "A, B", &from, &format!("{last}-1"), "without 1 line"]);
    let sum = cloud.replay(&["--from", &from, "--to", &to]);
    assert_eq!(sum["replayed"], 4, "{sum}");
    assert!(CONSUMERS.iter().all(|name| sum[name].is_null()), "{sum}");
    let again: Vec<Value> = cloud
        .tail(&["--last", "4"])
        .iter()
        .map(|l| serde_json::from_str(l["data"].as_str().unwrap()).unwrap())
        .collect();
    let times: Vec<_> =
        again.iter().map(|q| (q["symbol"].as_str().unwrap(), &q["timestamp"].as_str().unwrap()[17..19])).collect();
    for (symbol, expected) in [("A", ["08", "09"]), ("B", ["00", "01"])] {
        let of: Vec<_> = times.iter().filter(|(s, _)| *s == symbol).map(|(_, time)| *time).collect();
        assert_eq!(of, expected);
    }
    assert!(again.iter().all(|quote| quote["origin"] == "replay" && quote["alert"] == false), "{again:?}");
    // What was put by then is in the stream, too, and what is put now is not.
    assert_eq!(cloud.replay(&["--from", "1h", "B", "--alerts"])["replayed"], 7);
    assert_eq!(cloud.tail(&["B", "--last", "100"]).len(), 14);
    for nothing in [["--from", "1ms"], ["--from", "42"], ["--from", &"9".repeat(56)]] {
        cloud.run(&[&["replay", "--yes"], &nothing[..]].concat()).expect(4);
    }
}

/// Would catch a record that overtakes one that was refused, one that is put twice, and a reader that gives up, or reads
/// twice, when it is told to wait or to begin anew.
#[test]
fn refusals_change_no_order() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    for number in 1..=45 {
        cloud.set_aside(number, ["A", "B", "C"][number as usize % 3], "text", &number.to_string());
    }
    let put = "Kinesis_20131202.PutRecords";
    let refusing = json!([
        {"target": put, "probability": 0.3, "kind": "partial"},
        {"target": put, "probability": 0.2, "kind": "throttle"},
        {"target": put, "probability": 0.5, "kind": "shuffle"},
    ]);
    let ended = cloud.run_with_faults(&refusing, &["replay", "--set-aside", "--yes", "--format", "json"]).expect(0);
    assert_eq!(summary(&ended.stdout)["replayed"], 45);
    let read = "Kinesis_20131202.GetRecords";
    let waiting = json!([
        {"target": read, "probability": 0.4, "kind": "throttle", "code": "ExpiredIteratorException"},
        {"target": read, "probability": 0.5, "kind": "throttle"},
        {"target": "Kinesis_20131202.GetShardIterator", "probability": 0.5, "kind": "throttle"},
    ]);
    let tail = ["tail", "--no-follow", "--format", "json", "--last", "100"];
    let shown = cloud.run_with_faults(&waiting, &tail).expect(0).stdout;
    assert_eq!(shown, cloud.run(&tail).expect(0).stdout);
    let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (at, key) in ["A", "B", "C"].into_iter().enumerate() {
        let of: Vec<_> = shown.iter().filter(|line| line["partition_key"] == key).cloned().collect();
        let expected: Vec<String> = (1..=45).filter(|n| n % 3 == at).map(|n| n.to_string()).collect();
        assert_eq!(data(&of), expected);
    }
}
