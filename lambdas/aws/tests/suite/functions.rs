//! The three functions as Lambda runs them: bootstraps, fed by event source mappings.

use crate::{bootstraps::bootstraps, recordings, run::WEEK, stack::Stack, stream::time};
use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, EventSourcePosition, Filter, FilterCriteria, FunctionCode, FunctionResponseType, Runtime},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Cursor, Write},
    path::Path,
    time::{Duration, Instant},
};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Longer than everything takes on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the mapping of trend lets through.
const IN_ORDER: &str =
    r#"{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"window":{"S":[{"exists":true}]}}}}"#;

fn zipped(bootstrap: &Path) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).expect("a zip");
    zip.write_all(&fs::read(bootstrap).expect("a bootstrap")).expect("a zip");
    zip.finish().expect("a zip").into_inner()
}

impl Stack {
    fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(self.clients.config())
    }

    fn kinesis(&self) -> aws_sdk_kinesis::Client {
        aws_sdk_kinesis::Client::new(self.clients.config())
    }

    async fn make_function(&self, name: &str, code: Vec<u8>) {
        let create = self
            .lambda()
            .create_function()
            .function_name(name)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .role("arn:aws:iam::000000000000:role/none")
            .timeout(60)
            .environment(Environment::builder().set_variables(Some(self.environment(WEEK))).build())
            .code(FunctionCode::builder().zip_file(Blob::new(code)).build());
        create.send().await.expect("a function");
    }

    async fn make_mapping(&self, function: &str, source: &str, filter: Option<&str>) {
        let filter =
            filter.map(|pattern| FilterCriteria::builder().filters(Filter::builder().pattern(pattern).build()).build());
        let create = self
            .lambda()
            .create_event_source_mapping()
            .function_name(function)
            .event_source_arn(source)
            .starting_position(EventSourcePosition::TrimHorizon)
            .batch_size(100)
            .set_filter_criteria(filter)
            .function_response_types(FunctionResponseType::ReportBatchItemFailures);
        create.send().await.expect("a mapping");
    }

    async fn put(&self, stream: &str, key: &str, data: Vec<u8>) {
        let put = self.kinesis().put_record().stream_name(stream).partition_key(key);
        put.data(aws_sdk_kinesis::primitives::Blob::new(data)).send().await.expect("a sequence number");
    }

    /// Waits until this is so.
    async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let start = Instant::now();
        while !is_so().await {
            assert!(start.elapsed() < PATIENCE, "not yet {what}: {}", self.emulator.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// From the stream to the table, the lake, the signals and the alerts, with the mappings' worst order. Would catch
/// functions that do not start, do not understand what they are handed, or are not understood.
#[tokio::test]
async fn quotes_become_items_objects_signals_and_alerts() {
    let stack = Stack::new().await;
    let stream = "test-stock-market-stream";
    stack.kinesis().create_stream().stream_name(stream).shard_count(1).send().await.expect("a stream");
    let described = stack.kinesis().describe_stream_summary().stream_name(stream).send().await.expect("the stream");
    let stream_arn = described.stream_description_summary.expect("a summary").stream_arn;
    let table = stack.clients.dynamodb().describe_table().table_name(stack.table()).send().await.expect("the table");
    let changes_arn = table.table.and_then(|table| table.latest_stream_arn).expect("its stream");
    for (name, bootstrap) in bootstraps() {
        stack.make_function(name, zipped(bootstrap)).await;
    }
    stack.make_mapping("process-stock-data", &stream_arn, None).await;
    stack.make_mapping("archive-stock-data", &stream_arn, None).await;
    stack.make_mapping("stock-trend-analysis", &changes_arn, Some(IN_ORDER)).await;

    let recorded = [("FB", "daily_FB_2012-2013"), ("AAPL", "daily_AAPL_split-2005")];
    let mut quotes = 0;
    for (symbol, name) in recorded {
        let lines = recordings::lines(name);
        quotes += lines.len();
        for lines in lines.chunks(20) {
            stack.put(stream, symbol, lines.join(&b'\n')).await;
        }
        // Nothing of this is new.
        stack.put(stream, symbol, lines[..30].join(&b'\n')).await;
    }
    stack.put(stream, "FB", b"rubbish".to_vec()).await;

    stack.until("all quotes in the table", async || stack.quotes().await.len() == quotes).await;
    stack.until("the rubbish set aside", async || stack.objects("set-aside/").await.len() == 1).await;
    for (symbol, name) in recorded {
        let (signals, anomalies) = (recordings::signals(name), recordings::anomalies(name));
        stack.until("all signals", async || stack.signals_of(symbol).await == signals).await;
        stack.until("all anomalies", async || stack.anomalies_of(symbol).await.len() == anomalies.len()).await;
        let mut sessions = stack.anomalies_of(symbol).await;
        sessions.sort();
        assert_eq!(sessions, anomalies);
    }
    let raised: usize =
        recorded.iter().map(|(_, n)| recordings::signals(n).len() + recordings::anomalies(n).len()).sum();
    let mut alerts = std::collections::BTreeSet::new();
    let start = Instant::now();
    while alerts.len() < raised {
        alerts.extend(stack.alerts().await);
        assert!(start.elapsed() < PATIENCE, "{} of {raised} alerts", alerts.len());
    }

    // Every line is in the lake, those that came again as well.
    stack
        .until("all lines in the lake", async || {
            let raw = stack.objects("raw-data/").await;
            let lines = |bytes: &Vec<u8>| bytes.iter().filter(|b| **b == b'\n').count();
            raw.values().map(lines).sum::<usize>() >= quotes + 60
        })
        .await;
    let merge = stack.lambda().invoke().function_name("archive-stock-data");
    let merged = merge.payload(Blob::new(json!({"merge": true}).to_string())).send().await.expect("an answer");
    assert_eq!(merged.function_error(), None);
    let answer: Value = serde_json::from_slice(merged.payload().expect("a payload").as_ref()).expect("JSON");
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let folder = format!("quotes/dt={}/", time("2012-05-18T20:00:00Z").date());
    assert!(!stack.objects(&folder).await.is_empty());
}
