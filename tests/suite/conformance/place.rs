//! Where a pipeline is: on this machine, or on AWS, which an emulator stands for.

use crate::{
    aws::cloud::Cloud,
    emulator::Behaviour,
    harness::{Ended, Home, Running, csv, put_record, replay_of, summary},
};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt::Debug,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

/// Longer than the consumers take on AWS, where nobody waits for all of them, on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A place, and an empty stack of the default name in it.
pub trait Place {
    /// Where the binary runs.
    fn home(&self) -> &Home;

    /// Starts the binary.
    fn start(&self, arguments: &[&str]) -> Running;

    /// Puts a record of another producer onto the stream.
    fn put(&self, partition_key: &str, data: &[u8]);

    /// The ids of all alerts that were sent so far.
    fn alerts(&self) -> BTreeSet<String>;

    /// How long what a command does not wait for may take.
    fn patience(&self) -> Duration;
}

impl dyn Place + '_ {
    /// Runs the binary to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end_within(PATIENCE)
    }

    /// Runs it, and expects 0; gives its standard output.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect(0).stdout
    }

    /// Sends a file and waits until all of it is stored and archived; gives the summary.
    #[track_caller]
    pub fn stream(&self, file: &Path, options: &[&str]) -> Value {
        let source = replay_of(file);
        let all = [&["stream", "--source", &source, "--wait", "--format", "json"], options].concat();
        summary(&self.ok(&all))
    }

    /// The signals of a symbol, as CSV without the header.
    #[track_caller]
    pub fn signals(&self, symbol: &str) -> Vec<Vec<String>> {
        csv(&self.ok(&["signals", symbol, "--format", "csv"])).1
    }

    /// What history says of a symbol.
    #[track_caller]
    pub fn crossovers(&self, symbol: &str) -> Vec<Vec<String>> {
        let symbol = format!("symbol={symbol}");
        csv(&self.ok(&["query", "crossovers", "--all", "-p", &symbol, "--format", "csv"])).1
    }

    /// The newest quote of a symbol: its time and price.
    #[track_caller]
    pub fn latest(&self, symbol: &str) -> Vec<Vec<String>> {
        csv(&self.ok(&["latest", symbol, "--format", "csv"])).1
    }

    /// The answer to SQL.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        csv(&self.ok(&["query", "--format", "csv", "--sql", sql])).1
    }

    /// How many quotes of a symbol the lake has.
    #[track_caller]
    pub fn in_lake(&self, symbol: &str) -> usize {
        let found = self.sql(&format!("SELECT count(*) AS n FROM stock_data_table WHERE symbol = '{symbol}'"));
        found.concat().concat().parse().expect("a number")
    }

    /// Waits until this is the answer.
    #[track_caller]
    pub fn becomes<T: PartialEq + Debug>(&self, what: &str, expected: &T, ask: impl Fn() -> T) {
        let started = Instant::now();
        loop {
            let found = ask();
            if found == *expected {
                return;
            }
            assert!(started.elapsed() < self.patience(), "{what}: {found:#?}, not {expected:#?}");
            sleep(Duration::from_millis(200));
        }
    }
}

/// This machine.
pub struct Local(Home);

impl Local {
    pub fn new() -> Self {
        Self(Home::new())
    }
}

impl Place for Local {
    fn home(&self) -> &Home {
        &self.0
    }

    fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.0.command(arguments))
    }

    fn put(&self, partition_key: &str, data: &[u8]) {
        put_record(&self.0, 0, partition_key, data);
    }

    fn alerts(&self) -> BTreeSet<String> {
        // What is published here is shown, and then marked.
        let of = |id: &str, table: &str| {
            self.0.table_db(&format!(
                "SELECT symbols.symbol || '/' || {id} FROM {table} JOIN symbols ON symbols.id = {table}.symbol
                 WHERE alerted_at IS NOT NULL"
            ))
        };
        let time = "strftime('%Y-%m-%dT%H:%M:%fZ', timestamp / 1000.0, 'unixepoch') || '/' || signal";
        let session = "date(session * 86400, 'unixepoch') || '/ANOMALY'";
        [of(time, "signals"), of(session, "anomalies")].concat().concat().into_iter().collect()
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

/// An account on AWS.
pub struct Aws {
    cloud: Cloud,
    heard: RefCell<Heard>,
}

/// A queue that hears the topic of alerts, and what it has heard.
#[derive(Default)]
struct Heard {
    queue: Option<String>,
    alerts: BTreeSet<String>,
}

impl Aws {
    pub fn new(behaviour: &Behaviour) -> Self {
        Self { cloud: Cloud::with_functions(behaviour), heard: RefCell::default() }
    }

    /// Subscribes a queue to the stack's topic.
    fn queue(&self) -> String {
        let create = self.cloud.sqs().create_queue().queue_name("heard");
        let url = self.cloud.ask(create.send()).expect("a queue").queue_url.expect("a URL");
        let topic = self.cloud.physical_id("AlertsTopic");
        let account = topic.split(':').nth(4).expect("an account");
        let queue = format!("arn:aws:sqs:us-east-1:{account}:heard");
        // Without it the topic may not send to it.
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": queue, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }]});
        let set = self.cloud.sqs().set_queue_attributes().queue_url(&url);
        let set = set.attributes(QueueAttributeName::Policy, policy.to_string());
        self.cloud.ask(set.send()).expect("a policy");
        let subscribe = self.cloud.sns().subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue);
        self.cloud.ask(subscribe.send()).expect("a subscription");
        url
    }
}

impl Place for Aws {
    fn home(&self) -> &Home {
        &self.cloud.home
    }

    fn start(&self, arguments: &[&str]) -> Running {
        self.cloud.start_beside_functions(arguments)
    }

    fn put(&self, partition_key: &str, data: &[u8]) {
        let put = self.cloud.kinesis().put_record().stream_name("stockpipe-stock-market-stream");
        self.cloud.ask(put.partition_key(partition_key).data(Blob::new(data)).send()).expect("a sequence number");
    }

    fn alerts(&self) -> BTreeSet<String> {
        let mut heard = self.heard.borrow_mut();
        let queue = heard.queue.get_or_insert_with(|| self.queue()).clone();
        loop {
            let receive = self.cloud.sqs().receive_message().queue_url(&queue).max_number_of_messages(10);
            let received = self.cloud.ask(receive.send()).expect("messages");
            if received.messages().is_empty() {
                return heard.alerts.clone();
            }
            for message in received.messages() {
                let envelope: Value = serde_json::from_str(message.body().expect("a body")).expect("an envelope");
                let alert: Value = serde_json::from_str(envelope["Message"].as_str().expect("a text")).expect("JSON");
                heard.alerts.insert(alert["alert_id"].as_str().expect("an id").to_owned());
                let handle = message.receipt_handle().expect("a handle");
                let delete = self.cloud.sqs().delete_message().queue_url(&queue).receipt_handle(handle);
                self.cloud.ask(delete.send()).expect("a deletion");
            }
        }
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}
