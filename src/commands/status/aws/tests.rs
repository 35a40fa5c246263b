use super::*;
use crate::targets::aws::{
    health::{Alarm, Difference, Lag},
    stack::events::StackEvent,
};
use std::io;

fn plain(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("lines");
    anstream::adapter::strip_str(&String::from_utf8(out).expect("a text")).to_string()
}

fn resource(name: &str, kind: &str, status: &str) -> Resource {
    Resource {
        logical_id: name.into(),
        physical_id: format!("arn:aws:a:b:123456784821:{name}"),
        kind: kind.into(),
        status: status.into(),
        reason: status.ends_with("FAILED").then(|| "role arn:aws:iam::123456784821:role/a may not".into()),
        drift: None,
    }
}

fn status(of: &str) -> Status {
    let mut stack = Stack { name: "prices".into(), status: of.into(), ..Stack::default() };
    stack.outputs.insert("StreamName".into(), "prices-stock-market-stream".into());
    stack.outputs.insert("StreamArn".into(), "arn:aws:kinesis:us-east-1:123456784821:stream/a".into());
    stack.drift_checked = Timestamp::parse("2026-11-20T14:31:00Z");
    Status {
        account: "…4821".into(),
        region: "us-east-1".into(),
        stack,
        resources: vec![
            resource("Merge", "AWS::Events::Rule", "UPDATE_FAILED"),
            resource("QuotesTable", "AWS::DynamoDB::Table", "CREATE_COMPLETE"),
            resource("StockStream", "AWS::Kinesis::Stream", "CREATE_COMPLETE"),
        ],
        board: Board::new("token", 0),
        since: Timestamp::parse("2026-11-20T14:30:12Z"),
        mappings: Ok(vec![Mapping {
            function: "ProcessStockData",
            id: "1".into(),
            state: "Enabled".into(),
            last: "OK".into(),
        }]),
        subscriptions: Ok(vec![Subscription {
            topic: "alerts",
            protocol: "email".into(),
            endpoint: "anna@example.com".into(),
            is_pending: true,
        }]),
        drifted: Ok(vec![Drifted {
            name: "QuotesTable".into(),
            kind: "AWS::DynamoDB::Table".into(),
            is_gone: false,
            differences: vec![drift::Difference {
                path: "/BillingMode".into(),
                expected: Some("PAY_PER_REQUEST".into()),
                actual: Some("PROVISIONED".into()),
            }],
        }]),
        health: Some(health()),
    }
}

fn health() -> Health {
    let at = Timestamp::parse("2026-11-20T14:25:00Z");
    let text = |text: &str| Some(text.to_owned());
    Health {
        lags: Ok(vec![
            Lag { function: "ProcessStockData", millis: Some(412), at },
            Lag { function: "StockTrendAnalysis", millis: Some(400_000), at },
            Lag { function: "ArchiveStockData", millis: None, at: None },
        ]),
        newest: Ok(None),
        set_aside: Ok(1000),
        failed_batches: Ok(1),
        alarms: Ok(vec![Alarm {
            name: "trend-lag".into(),
            about: "Signals are raised more than 5 minutes late; see the logs of StockTrendAnalysis".into(),
            since: at,
        }]),
        catalog: Ok(vec![Difference { column: "price".into(), catalog: text("double"), files: text("decimal(18,8)") }]),
    }
}

/// Would catch a failure, a change or an address that is waited for being passed over, and an account in full.
#[test]
fn what_people_read() {
    assert_eq!(
        plain(|out| lines::write(out, &status("UPDATE_COMPLETE"), "")),
        "\
Stack 'prices' in us-east-1, account …4821
  state      ready, since 2026-11-20 14:30 UTC  UPDATE_COMPLETE
  resources  3: 2 data, 1 delivery
             ✗ Merge (schedule)  UPDATE_FAILED: role arn:aws:iam::…4821:role/a may not
  drift      1 resource changed by other hands, as of 2026-11-20 14:31 UTC
             ~ QuotesTable (table)  /BillingMode  PAY_PER_REQUEST → PROVISIONED
  feeding    ProcessStockData    Enabled   OK
  lag        ProcessStockData 0.41 s, StockTrendAnalysis 6:40, ArchiveStockData no batch in 10:00
  newest     no quote is in the table
  set aside  1,000+ lines
  given up   1 batch of the stream
  alarms     ✗ trend-lag since 2026-11-20 14:25 UTC: Signals are raised more than 5 minutes late; see the logs of StockTrendAnalysis
  catalog    1 column not as in the lake's files
             ~ price  double in the catalog, decimal(18,8) in the files
  alerts     ! alerts by email to anna@example.com: nothing goes there yet, confirm the e-mail of SNS
  stream     prices-stock-market-stream
"
    );
}

/// Would catch what is well shown as trouble, what is not known shown as well, and ages from other clocks than the item's.
#[test]
fn health_for_people() {
    let now = Timestamp::parse("2026-11-20T14:30:00Z").expect("a time");
    let quiet = Health {
        lags: Err(Error::new("denied")),
        newest: Ok(Some(item())),
        set_aside: Ok(0),
        failed_batches: Err(Error::new("denied")),
        alarms: Ok(vec![]),
        catalog: Ok(vec![]),
    };
    assert_eq!(
        plain(|out| super::health::write(out, &quiet, now)),
        "  lag        not known: denied
  newest     AAPL of 2026-11-20 14:29 UTC, stored 9.75 s ago and 0.25 s after it was sent
  set aside  none
  given up   not known: denied
  alarms     none of 14 is raised
  catalog    its columns are those of the lake's files
"
    );
    let json = super::health::json(Some(&quiet));
    assert_eq!((&json["lag"], &json["set_aside"], &json["failed_batches"]), (&().into(), &0.into(), &().into()));
    assert_eq!(json["newest"]["processed_at"], "2026-11-20T14:29:50.250Z");
    assert!(super::health::json(None).values().all(serde_json::Value::is_null));
}

/// Stored a quarter of a second after it was sent.
fn item() -> pipeline::Item {
    use aws_sdk_dynamodb::types::AttributeValue::{Bool, N, S};
    let time = |text: &str| S(format!("2026-11-20T14:29:{text}Z"));
    let attributes = [
        ("symbol", S("AAPL".into())),
        ("timestamp", time("30.000")),
        ("price", N("271.49".into())),
        ("source", S("yahoo".into())),
        ("origin", S("live".into())),
        ("stale", Bool(false)),
        ("alert", Bool(true)),
        ("anomaly", Bool(false)),
        ("late", Bool(false)),
        ("ingested_at", time("50.000")),
        ("processed_at", time("50.250")),
        ("sequence", S(format!("{:056}-00000", 7))),
        ("expires_at", N("1800000000".into())),
    ];
    let map: std::collections::HashMap<_, _> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    aws_ports::item(&map).expect("an item")
}

/// Would catch a name that changes under a program, an account in full, and what is unknown shown as nothing.
#[test]
fn what_programs_read() {
    let mut status = status("UPDATE_COMPLETE");
    status.mappings = Err(Error::new("denied"));
    let json = json::of(&status);
    let names: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut expected = [
        "target",
        "stack",
        "region",
        "account",
        "status",
        "state",
        "reason",
        "since",
        "under_way",
        "protected",
        "resources_by_part",
        "resources_failed",
        "resources",
        "drift_checked",
        "drifted",
        "mappings",
        "subscriptions",
        "outputs",
        "lag",
        "newest",
        "set_aside",
        "failed_batches",
        "alarms",
        "catalog_differences",
    ];
    expected.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert!(!json.to_string().contains("123456784821"), "{json}");
    assert_eq!(json["mappings"], serde_json::Value::Null);
    assert_eq!(json["resources_by_part"]["data"], 2);
    assert_eq!(json["drifted"][0]["differences"][0]["actual"], "PROVISIONED");
    assert_eq!(json["outputs"].as_object().expect("outputs").len(), 1);
}

/// Would catch a stuck stack without the command that helps, and a state without words.
#[test]
fn stuck_stacks_say_what_helps() {
    let of = |state| helps(state, " --target aws").unwrap_or_default();
    assert!(of(State::NeverMade).starts_with("`stockpipe up --target aws`"));
    assert!(of(State::HalfRolledBack).starts_with("`stockpipe up --target aws`"));
    assert!(of(State::HalfDeleted).starts_with("`stockpipe down --target aws`"));
    assert!(of(State::Busy).contains("--watch") && of(State::Settled).is_empty());
    use aws_sdk_cloudformation::types::StackStatus;
    for status in StackStatus::values() {
        assert!(*status == "DELETE_COMPLETE" || lines::words(status) != "in a state of its own", "{status}");
    }
}

/// Would catch a cause that is cut off, and columns that are not below each other.
#[test]
fn events_are_a_line_each() {
    let event = |name: &str, status: &str, reason: Option<&str>| StackEvent {
        id: name.into(),
        time: Timestamp::parse("2026-11-20T14:30:12.345Z").expect("a time"),
        logical_id: name.into(),
        physical_id: None,
        resource_type: "AWS::Kinesis::Stream".into(),
        status: status.into(),
        reason: reason.map(str::to_owned),
        token: None,
        operation_id: None,
        stack_id: "arn".into(),
        stack_name: "prices".into(),
    };
    let long = "a cause ".repeat(40);
    let events = [event("StockStream", "CREATE_IN_PROGRESS", None), event("Merge", "CREATE_FAILED", Some(&long))];
    let written = plain(|out| events::write(out, &events));
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "2026-11-20 14:30:12  StockStream  CREATE_IN_PROGRESS");
    assert_eq!(lines[1], format!("2026-11-20 14:30:12  Merge        CREATE_FAILED       {}", long.trim_end()));
}

#[test]
fn what_was_kept_is_told() {
    let kept = Kept { quotes: Some(12_000), signals: Some(0), lake: true, ..Kept::default() };
    assert_eq!(said(&kept), "about 12,000 quotes, the table of signals and symbols, the lake");
}
