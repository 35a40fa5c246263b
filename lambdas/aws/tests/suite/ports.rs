//! Process and trend through the ports, against the emulator.

use crate::{
    events::{stream_event, table_event},
    fold::fold,
    history::{History, Random},
    recordings,
    run::{WEEK, settings},
    stack::Stack,
    stream::{Stream, time},
};
use pipeline::{Record, Timestamp};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use stockpipe_aws_ports::{
    Batch, Calls, Clients, KinesisEvent, Settings, process::ProcessStockData, trend::StockTrendAnalysis,
};

/// More than any invocation here takes on a machine that has much else to do.
const TIME: Duration = Duration::from_secs(120);

fn process_of(environment: &HashMap<String, String>, clients: &Clients) -> ProcessStockData {
    ProcessStockData::new(Settings(&|name| environment.get(name).cloned()), clients).expect("all settings")
}

fn trend_of(stack: &Stack, clients: &Clients) -> StockTrendAnalysis {
    let environment = stack.environment(WEEK);
    StockTrendAnalysis::new(Settings(&|name| environment.get(name).cloned()), clients).expect("all settings")
}

/// The records as process sees them: their numbers 56 digits wide.
fn as_seen(records: &[Record]) -> Vec<Record> {
    let event: KinesisEvent = serde_json::from_str(&stream_event(records)).expect("an event");
    Batch::try_from(event).expect("a batch").records
}

/// Delivers a batch once, and returns what comes again of it.
async fn deliver_once<'b>(process: &ProcessStockData, batch: &'b [Record], time: Duration) -> &'b [Record] {
    let answer = process.handle(&stream_event(batch), "test", &Calls::within(time)).await.expect("an event");
    let Some(failed) = answer.batch_item_failures.first() else { return &[] };
    let named = |record: &Record| format!("{:0>56}", record.sequence.as_str()) == failed.item_identifier;
    &batch[batch.iter().position(named).expect("a record of the batch")..]
}

/// Delivers a batch, and what comes again of it, until it is done.
async fn deliver(process: &ProcessStockData, batch: &[Record]) {
    let mut rest = batch;
    for _ in 0..200 {
        rest = deliver_once(process, rest, TIME).await;
        if rest.is_empty() {
            return;
        }
    }
    panic!("{} records are not done", rest.len());
}

/// Delivers all of the table to trend, in any order and in batches, each twice.
async fn deliver_changes(stack: &Stack, trend: &StockTrendAnalysis, random: &mut Random) {
    let mut changes = stack.quotes().await;
    random.shuffle(&mut changes);
    for batch in changes.chunks(100) {
        let mut done = 0;
        for _ in 0..200 {
            let answer = trend.handle(&table_event(batch), "test", &Calls::within(TIME)).await.expect("an event");
            done += usize::from(answer.batch_item_failures.is_empty());
            if done == 2 {
                break;
            }
        }
        assert_eq!(done, 2, "trend gets on");
    }
}

/// Histories with all that may happen to quotes, delivered in batches of any size, some twice, end as the plain fold.
/// Would catch a head that is not what the table says, an expiry that is judged otherwise than by the arrival, an item
/// that loses something on its way to the table and back.
#[tokio::test]
async fn random_histories_end_as_the_plain_fold() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let history = History::new(&mut random);
        let stack = Stack::new().await;
        let process = process_of(&stack.environment(history.retention), &stack.clients);
        let trend = trend_of(&stack, &stack.clients);
        let records = history.stream.records;
        let mut rest = &records[..];
        while !rest.is_empty() {
            let batch = &rest[..(1 + random.below(30)).min(rest.len())];
            let mut again = batch;
            for _ in 0..1 + random.below(2) {
                again = deliver_once(&process, batch, TIME).await;
                assert!(again.len() < batch.len(), "process must get on with its first record");
                // Before another quote takes the place of one that has expired.
                deliver_changes(&stack, &trend, &mut random).await;
            }
            rest = &rest[batch.len() - again.len()..];
        }
        let folded = fold(&as_seen(&records), settings(history.retention));
        eprintln!("seed {seed}: {:?}, {} signals", folded.counts, folded.signals.len());
        stack.assert_is(&folded).await;
    }
}

/// Two instances at once, with batches cut differently, while calls are throttled, half done, unanswered and in any
/// order. Would catch an effect that is not idempotent, and a failure that is taken for success.
#[tokio::test]
async fn two_instances_under_faults_end_as_the_plain_fold() {
    let stack = Stack::new().await;
    let faults = stack.emulator.proxy(&json!([
        {"target": "BatchWriteItem", "probability": 0.2, "kind": "partial"},
        {"target": "BatchWriteItem", "probability": 0.2, "kind": "shuffle"},
        {"target": "DynamoDB", "probability": 0.1, "kind": "throttle"},
        {"target": "DynamoDB", "probability": 0.1, "kind": "lost"},
        {"target": "Action=Publish", "probability": 0.2, "kind": "lost"},
        {"target": "PUT /", "probability": 0.2, "kind": "throttle"},
    ]));
    let clients = faults.clients().await;
    let mut stream = Stream::default();
    for seed in 100..108 {
        stream.records.extend(weekly(seed));
    }
    let records = renumbered(stream.records);
    let process = process_of(&stack.environment(WEEK), &clients);
    let (one, other) = (process.clone(), process);
    let small = async {
        for batch in records.chunks(7) {
            deliver(&one, batch).await;
        }
    };
    let large = async {
        for batch in records.chunks(45) {
            deliver(&other, batch).await;
        }
    };
    tokio::join!(small, large);
    let trend = trend_of(&stack, &clients);
    let (mut any, mut order) = (Random::new(1), Random::new(2));
    tokio::join!(deliver_changes(&stack, &trend, &mut any), deliver_changes(&stack, &trend, &mut order));
    stack.assert_is(&fold(&as_seen(&records), settings(WEEK))).await;
}

/// A table that takes nothing: the answer comes in time and names the first record, and what the table takes later is
/// all there. Would catch a function that runs into its end, and a failure that is reported past its place.
#[tokio::test]
async fn a_throttled_table_is_answered_in_time_with_the_first_failed_record() {
    let stack = Stack::new().await;
    let throttled = stack.emulator.proxy(&json!([
        {"target": "BatchWriteItem", "probability": 1, "kind": "throttle"},
    ]));
    let records = renumbered(weekly(100));
    let process = process_of(&stack.environment(WEEK), &throttled.clients().await);
    let calls = Calls::within(Duration::from_secs(3));
    let answer = process.handle(&stream_event(&records), "test", &calls).await.expect("an event");
    assert!(!answer.batch_item_failures.is_empty(), "nothing could be written");
    let first = records.iter().position(|record| {
        serde_json::from_slice::<Value>(&record.data).is_ok_and(|quote| quote["symbol"].is_string())
    });
    let failed = answer.batch_item_failures[0].item_identifier.trim_start_matches('0').to_owned();
    let place = records.iter().position(|r| r.sequence.as_str().trim_start_matches('0') == failed).expect("a record");
    assert!(place <= first.expect("a quote") + 3, "{place}: nothing in order was written");
    assert!(calls.first_error().is_some_and(|error| error.call == "DynamoDB.BatchWriteItem"));
    let process = process_of(&stack.environment(WEEK), &stack.clients);
    deliver(&process, &records).await;
    deliver_changes(&stack, &trend_of(&stack, &stack.clients), &mut Random::new(3)).await;
    stack.assert_is(&fold(&as_seen(&records), settings(WEEK))).await;
}

/// Recorded daily quotes, each batch delivered twice, give exactly the known signals and anomalies, and one alert each.
#[tokio::test]
async fn recorded_data_gives_the_known_signals() {
    let stack = Stack::new().await;
    let recorded = [("FB", "daily_FB_2012-2013"), ("IBM", "daily_IBM_2008-2013")];
    let mut stream = Stream::default();
    let mut arrival = time("2027-01-01T00:00:00Z");
    for (symbol, name) in recorded {
        for lines in recordings::lines(name).chunks(3) {
            stream.push(symbol, arrival, lines);
            arrival = arrival.plus_millis(1);
        }
    }
    let process = process_of(&stack.environment(WEEK), &stack.clients);
    for batch in stream.records.chunks(100) {
        for _ in 0..2 {
            deliver(&process, batch).await;
        }
    }
    deliver_changes(&stack, &trend_of(&stack, &stack.clients), &mut Random::new(4)).await;
    let mut raised = 0;
    for (symbol, name) in recorded {
        assert_eq!(stack.signals_of(symbol).await, recordings::signals(name), "{name}");
        assert_eq!(stack.anomalies_of(symbol).await, recordings::anomalies(name), "{name}");
        raised += recordings::signals(name).len() + recordings::anomalies(name).len();
    }
    let mut alerts = stack.alerts().await;
    alerts.sort();
    alerts.dedup();
    assert_eq!(alerts.len(), raised);
}

/// A history in which nothing expires.
fn weekly(seed: u64) -> Vec<Record> {
    let mut random = Random::new(seed);
    loop {
        let history = History::new(&mut random);
        if history.retention == WEEK {
            return history.stream.records;
        }
    }
}

/// The records as one stream: numbered, and arriving in order.
fn renumbered(records: Vec<Record>) -> Vec<Record> {
    let mut stream = Stream::default();
    let mut arrival = Timestamp::from_millis(0).expect("a time");
    for record in records {
        arrival = arrival.max(record.arrived_at);
        stream.push(&record.partition_key, arrival, &[record.data.to_vec()]);
    }
    stream.records
}
