//! How a pipeline on AWS does.

use super::cloud::Cloud;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StateValue};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

impl Cloud {
    fn object(&self, key: &str) {
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"{}");
        let put = self.s3().put_object().bucket(self.bucket("stock-market-data-bucket-")).key(key).body(body);
        self.ask(put.send()).expect("an object");
    }

    fn lag(&self, function: &str, millis: f64) {
        let dimension = Dimension::builder().name("FunctionName").value(function).build();
        let datum = MetricDatum::builder().metric_name("IteratorAge").dimensions(dimension).value(millis).build();
        let put = self.cloudwatch().put_metric_data().namespace("AWS/Lambda").metric_data(datum);
        self.ask(put.send()).expect("a metric");
    }

    fn json_status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "--format", "json"]).expect(0).stdout).expect("JSON")
    }
}

/// Would catch trouble that is not shown: a function that lags, lines set aside, batches given up, an alarm, a table that
/// reads its files otherwise than they were written.
#[test]
fn status_tells_how_it_does() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    let quiet = cloud.run(&["status"]).expect(0).stdout;
    for text in [
        "ProcessStockData no batch in 10:00",
        "no quote is in the table",
        "set aside  none",
        "given up   none",
        "none of 14 is raised",
        "its columns are those of the lake's files",
    ] {
        assert!(quiet.contains(text), "{text}: {quiet}");
    }
    let json = cloud.json_status();
    assert_eq!((&json["set_aside"], &json["newest"]), (&0.into(), &Value::Null), "{json:#}");
    assert_eq!(json["catalog_differences"], Value::Array(vec![]), "{json:#}");
    assert_eq!(json["lag"][0]["ms"], Value::Null);

    cloud.lag("stockpipe-ProcessStockData", 400_000.0);
    cloud.object("set-aside/dt=2026-11-20/a.json");
    cloud.object("set-aside/dt=2026-11-20/b.json");
    cloud.object("aws/lambda/mapping/shard/2026/11/20/c.json");
    let alarm = cloud.cloudwatch().set_alarm_state().alarm_name("stockpipe-process-errors");
    cloud.ask(alarm.state_value(StateValue::Alarm).state_reason("a test").send()).expect("an alarm");
    cloud.put_item("AAPL");
    let status = cloud.run(&["status"]).expect(0).stdout;
    for text in [
        "lag        ProcessStockData 6:40, StockTrendAnalysis no batch",
        "newest     AAPL of 2026-11-20 20:59 UTC, stored ",
        " and 1.5 s after it was sent",
        "set aside  2 lines",
        "given up   1 batch of the stream",
        "✗ process-errors since ",
        "ProcessStockData crashed or ran out of time; see its logs",
    ] {
        assert!(status.contains(text), "{text}: {status}");
    }
    let json = cloud.json_status();
    assert_eq!((&json["set_aside"], &json["failed_batches"]), (&2.into(), &1.into()), "{json:#}");
    assert_eq!((&json["lag"][0]["ms"], &json["newest"]["symbol"]), (&400_000.into(), &"AAPL".into()), "{json:#}");
    assert_eq!(json["alarms"][0]["name"], "process-errors", "{json:#}");
    let csv = cloud.run(&["status", "--format", "csv"]).expect(0).stdout;
    assert!(csv.lines().any(|line| line == "set_aside,2"), "{csv}");
}

impl Cloud {
    /// An item as process writes it, and its symbol registered.
    fn put_item(&self, symbol: &str) {
        use AttributeValue::{Bool, N, S};
        let put = self.dynamodb().put_item().table_name("stockpipe-stock-market-signals");
        let put = put.item("symbol", S("*".into())).item("id", S(symbol.into()));
        self.ask(put.send()).expect("a symbol");
        let mut put = self.dynamodb().put_item().table_name("stockpipe-stock-market-data");
        for (name, value) in [
            ("symbol", S(symbol.into())),
            ("timestamp", S("2026-11-20T20:59:30.000Z".into())),
            ("price", N("271.49".into())),
            ("source", S("yahoo".into())),
            ("origin", S("live".into())),
            ("stale", Bool(false)),
            ("alert", Bool(true)),
            ("anomaly", Bool(false)),
            ("late", Bool(false)),
            ("ingested_at", S("2026-11-20T20:59:31.000Z".into())),
            ("processed_at", S("2026-11-20T20:59:32.500Z".into())),
            ("sequence", S(format!("{:056}-00000", 7))),
            ("expires_at", N("9000000000".into())),
        ] {
            put = put.item(name, value);
        }
        self.ask(put.send()).expect("a quote");
    }
}
