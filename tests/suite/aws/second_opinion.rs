//! The same calls of another emulator, which has nothing in common with the first: what both take is more likely right.
//!
//! It knows no conditions of templates, runs no functions, and does not answer what `up` asks of a stack that is there,
//! nor drift, metrics, the catalog or Athena. What is left is a stack that is made, used and removed.

use super::cloud::Cloud;
use crate::harness::{csv, summary};

/// Would catch calls, and properties of the template, that only one emulator takes.
#[test]
fn another_emulator_agrees() {
    let cloud = Cloud::second_opinion();
    cloud.run(&["up", "--yes"]).expect(0).says(&["StockpipeBootstrap made", "10 queries saved in Athena", "Ready."]);
    assert_eq!([cloud.status("StockpipeBootstrap"), cloud.status("stockpipe")], ["CREATE_COMPLETE"; 2]);

    // What it does not answer is said to be unknown, and the rest is there.
    let status = cloud.run(&["status"]).expect(0).stdout;
    for line in ["ready, since", "no quote is in the table", "not known: the metrics cannot be read"] {
        assert!(status.contains(line), "{status}");
    }
    let sent = ["stream", "--source", "synthetic:3", "--count", "30", "--speed", "max", "--format", "json"];
    assert_eq!(summary(&cloud.run(&sent).expect(0).stdout)["sent"], 30);
    let tail = cloud.run(&["tail", "--last", "30", "--no-follow", "--format", "csv"]).expect(0).stdout;
    assert_eq!(csv(&tail).1.len(), 30);
    for question in ["latest", "signals"] {
        let answer = cloud.run(&[question, "--format", "csv"]).expect(0).stdout;
        assert!(csv(&answer).1.is_empty(), "{answer}");
    }
    cloud.run(&["replay", "--list"]).expect(0).says(&["Nothing is set aside"]);

    cloud.run(&["down", "--yes"]).expect(0).says(&["Nothing of stack 'stockpipe' is left. It was the last one"]);
    assert_eq!((cloud.buckets(), cloud.tables()), (Vec::new(), Vec::new()));
    assert_eq!([cloud.status("stockpipe"), cloud.status("StockpipeBootstrap")], ["", ""]);
    let groups = cloud.ask(cloud.logs().describe_log_groups().send()).expect("log groups");
    assert!(groups.log_groups().is_empty());
}
