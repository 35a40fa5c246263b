//! `stream` onto Kinesis: what it says is durable is there, in order, whatever the calls meet.

use super::cloud::Cloud;
use crate::harness::{json_lines, summary};
use aws_sdk_kinesis::types::ShardIteratorType;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const STREAM: &str = "stockpipe-stock-market-stream";

impl Cloud {
    /// The records of the stream, in order of their shard: partition key and data.
    fn records(&self) -> Vec<(String, String)> {
        let kinesis = self.kinesis();
        let shards = self.ask(kinesis.list_shards().stream_name(STREAM).send()).expect("the shards").shards;
        let mut records = Vec::new();
        for shard in shards.unwrap_or_default() {
            let iterator = kinesis.get_shard_iterator().stream_name(STREAM).shard_id(shard.shard_id);
            let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon);
            let mut iterator = self.ask(iterator.send()).expect("an iterator").shard_iterator;
            while let Some(next) = iterator {
                let page = self.ask(kinesis.get_records().shard_iterator(next).send()).expect("records");
                iterator = page.next_shard_iterator.filter(|_| !page.records.is_empty());
                records.extend(page.records.into_iter().map(|record| {
                    let data = String::from_utf8(record.data.into_inner()).expect("a text");
                    (record.partition_key, data)
                }));
            }
        }
        records
    }

    /// The prices of each symbol in the order of the stream, each the first time that it comes.
    fn prices(&self) -> BTreeMap<String, Vec<u64>> {
        let mut prices: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (key, data) in self.records() {
            assert!(data.len() <= 25_000, "{} bytes", data.len());
            for line in data.lines() {
                let quote: Value = serde_json::from_str(line).expect("a quote");
                assert_eq!(quote["symbol"], key.as_str());
                let price = quote["price"].as_u64().expect("a price");
                let known = prices.entry(key.clone()).or_default();
                if !known.contains(&price) {
                    known.push(price);
                }
            }
        }
        prices
    }
}

/// Would catch a quote that overtakes another of its symbol, that is lost though it was acknowledged, or that is not
/// sent again; and records of less than they could hold.
#[test]
fn refused_shuffled_and_unanswered_records_end_in_order() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    // So long that a symbol's quotes take several records, and so several requests, one after the other.
    let filler = format!(r#","source":"{}""#, "x".repeat(250));
    let of = |name: usize| json_lines(&format!("S{name}"), 1..=330, &filler);
    let all: Vec<Vec<String>> = (0..30).map(|name| of(name).lines().map(str::to_owned).collect()).collect();
    // A quote of each, then the next of each.
    let interleaved: String = (0..330).flat_map(|at| all.iter().map(move |lines| lines[at].clone() + "\n")).collect();
    let file = cloud.home.write("quotes.json", interleaved);
    let source = format!("replay:{}", file.display());
    let proxy = cloud.proxy(&json!([
        {"target": "PutRecords", "probability": 1, "times": 1, "kind": "partial"},
        {"target": "PutRecords", "probability": 0.3, "kind": "shuffle"},
        {"target": "PutRecords", "probability": 0.2, "kind": "lost"},
        {"target": "PutRecords", "probability": 0.2, "kind": "throttle"},
        {"target": "PutRecords", "probability": 0.2, "kind": "error"},
        {"target": "PutRecords", "probability": 0.5, "kind": "partial"},
    ]));
    let ended = cloud.start_behind(proxy.port, &["stream", "--source", &source, "--acks", "--format", "json"]).end();
    let ended = ended.expect(0);
    let mut acked: BTreeMap<String, u64> = BTreeMap::new();
    for line in ended.stdout.lines() {
        let ack: Value = serde_json::from_str(line).expect("JSON");
        if let Some(key) = ack["acked"].as_str() {
            *acked.entry(key.to_owned()).or_default() += ack["count"].as_u64().expect("a count");
        }
    }
    assert_eq!(acked, (0..30).map(|name| (format!("S{name}"), 330)).collect());
    let sum = summary(&ended.stdout);
    assert_eq!((&sum["sent"], &sum["stored"], &sum["lag"]), (&9900.into(), &Value::Null, &Value::Null));
    let expected: BTreeMap<_, _> = (0..30).map(|name| (format!("S{name}"), (1..=330).collect())).collect();
    assert_eq!(cloud.prices(), expected);
    // A quote a record would be 9,900 and more.
    assert!(cloud.records().len() < 1000, "{} records", cloud.records().len());
    ended.says(&["which went again: it has 1 shard", "stockpipe up --target aws --shards 2"]);
}

/// Would catch an outage that loses a quote, ends a live stream, or is not said.
#[test]
fn an_outage_is_waited_for() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    let proxy = cloud.proxy(&json!([{"target": "PutRecords", "probability": 1, "kind": "drop"}]));
    let port = proxy.port;
    let arguments = ["stream", "--source", "synthetic:3", "--interval", "100ms", "--format", "json"];
    let mut running = cloud.start_behind(port, &arguments);
    running.until("it says so", |running| running.stderr().contains("the stream takes nothing"));
    drop(proxy);
    let _proxy = cloud.proxy_on(port, &json!([]));
    running.until("it goes on", |running| running.stderr().contains("takes quotes again"));
    running.signal("INT");
    let ended = running.end().expect(0);
    let sent = summary(&ended.stdout)["sent"].as_u64().expect("a number");
    let lines: usize = cloud.records().iter().map(|(_, data)| data.lines().count()).sum();
    assert!(sent > 0 && lines as u64 >= sent, "{sent} sent, {lines} on the stream");
    ended.says(&["drained"]);
}

/// Would catch somebody who waits for a stream that will never be there.
#[test]
fn without_a_stream_it_says_so() {
    let cloud = Cloud::new();
    let quotes = ["stream", "--source", "synthetic:3", "--count", "9", "--speed", "max"];
    cloud.run(&quotes).expect(4).says(&["there is no stack 'stockpipe' in us-east-1", "stockpipe up --target aws"]);
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.ask(cloud.kinesis().delete_stream().stream_name(STREAM).send()).expect("deleted");
    cloud.run(&quotes).expect(1).says(&["9 quotes could not be put onto the stream", "ResourceNotFoundException"]);
}
