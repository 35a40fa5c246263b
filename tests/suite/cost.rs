//! `cost`, as scripts read it.

use crate::harness::{Home, csv};
use serde_json::Value;

/// Would catch a total that is not that of its lines, an option that changes nothing, and a need for credentials.
#[test]
fn a_month_line_by_line_and_in_all() {
    let home = Home::new();
    let json = |arguments: &[&str]| -> Value {
        let arguments = [&["cost", "--format", "json"], arguments].concat();
        serde_json::from_str(&home.ok(arguments)).expect("JSON")
    };
    let plain = json(&["--quotes", "100000", "--symbols", "35"]);
    let lines = plain["lines"].as_array().expect("lines");
    for (total, part) in [("total", "dollars"), ("total_after_free_tiers", "after_free_tiers")] {
        let sum: f64 = lines.iter().filter_map(|line| line[part].as_f64()).sum();
        let total = plain[total].as_f64().expect("a total");
        assert!((sum - total).abs() < 0.01, "{sum} {total}");
    }
    home.write("stockpipe.yaml", "raw: batch\naws:\n  shard_count: 3\n");
    let of_file = json(&["--quotes", "100000", "--symbols", "35"]);
    assert_eq!(of_file["lines"][0]["dollars"], 32.85);
    assert!(of_file["total"].as_f64() > plain["total"].as_f64());
    assert_eq!(json(&["--set", "shard_count=1"])["lines"][0]["dollars"], 10.95);
    let (header, rows) = csv(&home.ok(["cost", "--format", "csv"]));
    assert_eq!(header, ["line", "dollars", "after_free_tiers"]);
    assert_eq!(rows.last().map(|row| row[0].as_str()), Some("total"));
    home.run(["cost", "--set", "shards=2"]).expect(2).says(&["there is no setting 'shards' of AWS"]);
    home.run(["cost", "--quotes", "-1"]).expect(2);
}
