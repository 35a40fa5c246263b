//! A stack on the emulator: tables, bucket, topic, and a queue that hears the topic. It is read back as the world of
//! the handlers' own tests.

use crate::{
    emulator::{Behaviour, Emulator},
    fold::Folded,
    memory::{Recorded, World},
    run::assert_end,
};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use pipeline::{Anomaly, Date, Item, Percent, Price, Raised, Sequence, SetAside, Symbol, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use stockpipe_aws_ports::{Attributes, Clients, item};

type Map = HashMap<String, AttributeValue>;

pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) clients: Clients,
    pub(crate) topic: String,
    queue: String,
    pub(crate) emulator: Emulator,
}

impl Stack {
    /// A stack on an emulator of its own.
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start(&Behaviour { hostile_order: true, ..Behaviour::default() });
        let clients = emulator.clients().await;
        let mut stack = Self { name: "test".into(), clients, topic: String::new(), queue: String::new(), emulator };
        for (table, sort) in [(stack.table(), "timestamp"), (stack.signals_table(), "id")] {
            stack.make_table(&table, sort).await;
        }
        stack.clients.s3().create_bucket().bucket(stack.bucket()).send().await.expect("a bucket");
        let topic = stack.clients.sns().create_topic().name("test-stock-alerts").send().await.expect("a topic");
        stack.topic = topic.topic_arn.expect("an ARN");
        let queue = stack.sqs().create_queue().queue_name("alerts").send().await.expect("a queue");
        stack.queue = queue.queue_url.expect("a URL");
        let queue = format!("arn:aws:sqs:us-east-1:{}:alerts", stack.topic.split(':').nth(4).expect("an account"));
        let subscribe = stack.clients.sns().subscribe().topic_arn(&stack.topic).protocol("sqs").endpoint(queue);
        subscribe.send().await.expect("a subscription");
        stack
    }

    async fn make_table(&self, name: &str, sort: &str) {
        let mut create = self.clients.dynamodb().create_table().table_name(name).stream_specification(
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::NewAndOldImages)
                .build()
                .expect("a stream"),
        );
        for (name, kind) in [("symbol", KeyType::Hash), (sort, KeyType::Range)] {
            let attribute =
                AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
            create = create.attribute_definitions(attribute.expect("a name")).key_schema(key.expect("a key"));
        }
        create.billing_mode(BillingMode::PayPerRequest).send().await.expect("a table");
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(self.clients.config())
    }

    pub(crate) fn table(&self) -> String {
        format!("{}-stock-market-data", self.name)
    }

    pub(crate) fn signals_table(&self) -> String {
        format!("{}-stock-market-signals", self.name)
    }

    pub(crate) fn bucket(&self) -> String {
        "stock-market-data-bucket-000000000000".into()
    }

    /// The environment of the functions.
    pub(crate) fn environment(&self, retention: i64) -> HashMap<String, String> {
        [
            ("STACK", self.name.clone()),
            ("TABLE", self.table()),
            ("SIGNALS_TABLE", self.signals_table()),
            ("BUCKET", self.bucket()),
            ("ALERTS_TOPIC_ARN", self.topic.clone()),
            ("RETENTION", retention.to_string()),
            ("ANOMALY_PERCENT", "5".into()),
            ("RAW", "symbol".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    async fn scan(&self, table: &str) -> Vec<Map> {
        let pages = self.clients.dynamodb().scan().table_name(table).consistent_read(true).into_paginator().items();
        pages.send().try_collect().await.expect("the items")
    }

    /// All quotes, as their attributes.
    pub(crate) async fn quotes(&self) -> Vec<Map> {
        self.scan(&self.table()).await
    }

    /// The bodies of all objects below a folder, by their names.
    pub(crate) async fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let s3 = self.clients.s3();
        let mut pages = s3.list_objects_v2().bucket(self.bucket()).prefix(prefix).into_paginator().send();
        let mut objects = BTreeMap::new();
        while let Some(page) = pages.next().await {
            for object in page.expect("a page").contents() {
                let key = object.key().expect("a key");
                let get = s3.get_object().bucket(self.bucket()).key(key).send().await.expect("an object");
                objects.insert(key.to_owned(), get.body.collect().await.expect("a body").to_vec());
            }
        }
        objects
    }

    /// The ids of the alerts that the topic has sent, and who waits for more.
    pub(crate) async fn alerts(&self) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let receive = self.sqs().receive_message().queue_url(&self.queue).max_number_of_messages(10);
            let received = receive.send().await.expect("messages");
            if received.messages().is_empty() {
                return ids;
            }
            for message in received.messages() {
                let envelope: Value = serde_json::from_str(message.body().expect("a body")).expect("an envelope");
                let alert: Value = serde_json::from_str(envelope["Message"].as_str().expect("a text")).expect("JSON");
                assert!(envelope["MessageAttributes"]["symbol"]["Value"].as_str() == alert["symbol"].as_str());
                ids.push(alert["alert_id"].as_str().expect("an id").to_owned());
                let handle = message.receipt_handle().expect("a handle");
                let delete = self.sqs().delete_message().queue_url(&self.queue).receipt_handle(handle);
                delete.send().await.expect("a deletion");
            }
        }
    }

    /// What is in the tables, the bucket and the queue.
    pub(crate) async fn world(&self, folded: &Folded) -> World {
        let mut world = World::default();
        for map in self.quotes().await {
            let item: Item = item(&map).expect("an item");
            world.written.push(item.clone());
            world.table.entry(item.quote.symbol.clone()).or_default().insert(item.quote.timestamp, item);
        }
        for map in self.scan(&self.signals_table()).await {
            let symbol = map.string("symbol").expect("a symbol");
            if symbol == "*" {
                world.registered.insert(Symbol::parse(map.string("id").expect("an id")).expect("a symbol"));
                continue;
            }
            let recorded = Recorded { raised: raised(&map), alerted: map.string("alerted_at").is_some() };
            let id = map.string("alert_id").expect("an id").to_owned();
            assert_eq!(id, recorded.raised.alert_id());
            world.recorded.insert(id, recorded);
        }
        for id in self.alerts().await {
            world.published.push(world.recorded[&id].raised.clone());
        }
        for (key, bytes) in self.objects("set-aside/").await {
            let line = set_aside(&bytes, folded);
            assert!(key.ends_with(&format!("/{}.json", line.sequence)), "{key}");
            world.set_aside.insert(line.sequence, line);
        }
        world
    }

    /// Holds all of it against the plain fold.
    pub(crate) async fn assert_is(&self, folded: &Folded) {
        assert_end(&self.world(folded).await, folded, &BTreeMap::new());
    }

    /// The signals of a symbol, as the recordings have them.
    pub(crate) async fn signals_of(&self, symbol: &str) -> Vec<Vec<String>> {
        let maps = self.scan(&self.signals_table()).await;
        let of_symbol = maps.iter().filter(|map| map.string("symbol") == Some(symbol) && map.contains_key("signal"));
        let mut signals: Vec<Vec<String>> = of_symbol
            .map(|map| {
                let time = map.string("timestamp").expect("a time").replace(".000Z", "Z");
                let number = |name| map.number(name).expect("a number").to_owned();
                vec![time, map.string("signal").expect("a signal").to_owned(), number("sma_5"), number("sma_20")]
            })
            .collect();
        signals.sort();
        signals
    }

    /// The times of a symbol's anomalies.
    pub(crate) async fn anomalies_of(&self, symbol: &str) -> Vec<String> {
        let maps = self.scan(&self.signals_table()).await;
        let of_symbol = maps.iter().filter(|map| map.string("symbol") == Some(symbol) && map.contains_key("session"));
        let time = |map: &Map| map.string("timestamp").expect("a time").replace(".000Z", "Z");
        let mut times: Vec<String> = of_symbol.map(time).collect();
        times.sort();
        times
    }
}

fn raised(map: &Map) -> Raised {
    let symbol = Symbol::parse(map.string("symbol").unwrap()).unwrap();
    let timestamp = Timestamp::parse(map.string("timestamp").unwrap()).unwrap();
    let price = |name| map.number(name).map(|text| Price::parse(text).unwrap());
    let units = |text: &str, places: usize| -> i128 {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{part:0<places$}").parse().unwrap()
    };
    match map.string("signal") {
        Some(_) => Raised::Signal(stockpipe_aws_ports::signal(map).unwrap()),
        None => Raised::Anomaly(Anomaly {
            symbol,
            session: Date::parse(map.string("session").unwrap()).unwrap(),
            timestamp,
            price: price("price").unwrap(),
            previous_close: price("previous_close"),
            change_percent: map.number("change_percent").map(|text| Percent(units(text, 4) as i64)),
        }),
    }
}

fn set_aside(bytes: &[u8], folded: &Folded) -> SetAside {
    let json: Value = serde_json::from_slice(bytes).unwrap();
    let sequence = Sequence::parse(json["sequence"].as_str().unwrap()).unwrap();
    let reason = folded.set_aside[&sequence].clone();
    assert_eq!(json["reason"], reason.to_string());
    let bytes = match json["base64"].as_str() {
        Some(text) => BASE64_STANDARD.decode(text).unwrap(),
        None => json["text"].as_str().unwrap().as_bytes().to_vec(),
    };
    let arrived_at = Timestamp::parse(json["arrived_at"].as_str().unwrap()).unwrap();
    SetAside { sequence, partition_key: json["partition_key"].as_str().unwrap().into(), arrived_at, reason, bytes }
}
