//! `latest` and `signals` of tables on AWS, as whoever wrote them.

use super::cloud::Cloud;
use crate::harness::csv;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

type Map = HashMap<String, AttributeValue>;

fn map(texts: &[(&str, &str)], numbers: &[(&str, &str)], flags: &[(&str, bool)]) -> Map {
    let texts = texts.iter().map(|(name, text)| (*name, AttributeValue::S((*text).into())));
    let numbers = numbers.iter().map(|(name, number)| (*name, AttributeValue::N((*number).into())));
    let flags = flags.iter().map(|(name, flag)| (*name, AttributeValue::Bool(*flag)));
    texts.chain(numbers).chain(flags).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// 2100, in seconds since 1970.
const LATER: &str = "4102444800";

impl Cloud {
    fn put(&self, table: &str, item: Map) {
        let put = self.dynamodb().put_item().table_name(format!("stockpipe-stock-market-{table}"));
        self.ask(put.set_item(Some(item)).send()).expect("an item");
    }

    fn register(&self, symbol: &str) {
        self.put("signals", map(&[("symbol", "*"), ("id", symbol)], &[], &[]));
    }

    fn quote(&self, symbol: &str, time: &str, price: &str, expires_at: &str) {
        let sequence = format!("{:056}-00000", 7);
        let texts = [
            ("symbol", symbol),
            ("timestamp", time),
            ("origin", "live"),
            ("ingested_at", time),
            ("processed_at", time),
            ("sequence", &sequence),
        ];
        let numbers = [("price", price), ("volume", "12.5"), ("change_percent", "-1.5"), ("expires_at", expires_at)];
        let flags = [("stale", false), ("alert", true), ("anomaly", false), ("late", false)];
        self.put("data", map(&texts, &numbers, &flags));
    }

    fn signal(&self, symbol: &str, time: &str, signal: &str) {
        let id = format!("signal#{time}#{signal}");
        let texts = [("symbol", symbol), ("id", &id), ("timestamp", time), ("signal", signal), ("alert_id", &id)];
        self.put(
            "signals",
            map(&texts, &[("price", "2.5"), ("sma_5", "2.25"), ("sma_20", "2.125")], &[("alert", true)]),
        );
    }
}

/// Would catch an expired quote that is shown, an order that scripts do not expect, and what else is in the tables taken
/// for a quote or a signal.
#[test]
fn the_newest_quotes_and_the_signals() {
    let cloud = Cloud::new();
    cloud.run(&["latest"]).expect(4).says(&["there is no stack 'stockpipe'"]);
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["latest"]).expect(0).says(&["No quote is in the table"]);
    cloud.run(&["latest", "B"]).expect(4).says(&["nothing was streamed yet", "synthetic --target aws"]);
    ["BRK.B", "A", "C"].iter().for_each(|symbol| cloud.register(symbol));
    for minute in 0..6 {
        cloud.quote("A", &format!("2026-11-20T20:0{minute}:00.000Z"), &format!("{minute}.5"), LATER);
    }
    // Newer than the page that is read first, and gone.
    for minute in 10..16 {
        cloud.quote("A", &format!("2026-11-20T20:{minute}:00.000Z"), "9", "1");
    }
    cloud.quote("BRK.B", "2026-11-20T20:00:00.000Z", "700", LATER);
    cloud.quote("C", "2026-11-20T20:00:00.000Z", "1", "1");
    let (header, rows) = csv(&cloud.run(&["latest", "--format", "csv"]).expect(0).stdout);
    assert_eq!((&*header[0], &*header[9]), ("symbol", "anomaly"));
    let shown: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
    let expected = [
        "A 2026-11-20T20:05:00.000Z 5.5    12.5  -1.5 false",
        "BRK.B 2026-11-20T20:00:00.000Z 700    12.5  -1.5 false",
    ];
    assert_eq!(shown, expected);
    let one = cloud.run(&["latest", "BRK.B", "BRK.A", "--format", "csv"]).expect(5).says(&["no quote of 'BRK.A'"]);
    assert_eq!(csv(&one.stdout).1.len(), 1);

    cloud.signal("BRK.B", "2026-11-20T20:01:00.000Z", "BUY");
    cloud.signal("A", "2026-11-20T20:02:00.000Z", "SELL");
    cloud.signal("A", "2026-11-20T20:01:00.000Z", "BUY");
    let anomaly = [("symbol", "A"), ("id", "anomaly#2026-11-20"), ("session", "2026-11-20")];
    cloud.put("signals", map(&anomaly, &[], &[]));
    let signals = |arguments: &[&str]| {
        let arguments = [&["signals", "--format", "csv"], arguments].concat();
        let rows = csv(&cloud.run(&arguments).expect(0).stdout).1;
        rows.iter().map(|row| format!("{} {} {}", row[0], &row[1][11..16], row[2..].join(" "))).collect::<Vec<_>>()
    };
    let all = ["A 20:01 BUY 2.5 2.25 2.125", "A 20:02 SELL 2.5 2.25 2.125", "BRK.B 20:01 BUY 2.5 2.25 2.125"];
    assert_eq!(signals(&[]), all);
    assert_eq!(signals(&["A"]), all[..2]);
    assert_eq!(signals(&["--since", "2026-11-20T20:02:00Z"]), all[1..2]);

    // Each once, as it is recorded, those of an earlier time too.
    let mut running = cloud.start(&["signals", "--follow", "--format", "csv"]);
    running.until("it follows", |running| running.stderr().contains("Following"));
    cloud.signal("A", "2026-11-20T20:03:00.000Z", "BUY");
    running.until("it comes", |running| running.stdout().contains("20:03"));
    cloud.signal("A", "2026-11-20T20:02:30.000Z", "BUY");
    running.until("it comes", |running| running.stdout().contains("20:02:30"));
    cloud.register("NEW");
    cloud.signal("NEW", "2026-11-20T20:00:00.000Z", "SELL");
    running.until("it comes", |running| running.stdout().contains("NEW"));
    running.signal("INT");
    assert_eq!(csv(&running.end().expect(0).stdout).1.len(), 6);
}
