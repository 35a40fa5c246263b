//! How soon, warm, on the emulator: single quotes go through the stream, the mappings and the deployed functions, each of
//! them raises a signal, and a queue hears the topic.
//!
//! From put to stored the function measures, as it does on AWS: from the record's arrival in the stream to the answer of the
//! last write. From put to published it is from the answer of the put to the time that the queue gives to the alert. Both
//! ends are on this machine's clock. Nearly all of it is the emulator's polling. AWS polls a shard once a second, which is
//! half a second at the median, and gathers changes of the table for up to a second.

use super::{
    market::data,
    place::{Place, QUOTES},
};
use crate::{
    Result,
    ingest::check,
    report::{Report, quantile},
    say,
    stack::now_millis,
};
use pipeline::{Origin, Price, Quote, Symbol, Timestamp, Volume};
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const SYMBOL: &str = "LATENCY";
const STREAM: &str = "stockpipe-stock-market-stream";
const LOGS: &str = "/aws/lambda/stockpipe-ProcessStockData";
/// Quotes until every further one raises a signal: 20 for the averages, and one whose side is the first.
const WARM_UP: i64 = 40;
/// Longer than a cold start takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many quotes, each put when the one before has been published.
pub fn measure(place: &Place, quotes: i64, report: &mut Report) -> Result<()> {
    say(&format!("functions: latency of {quotes} quotes"));
    let queue = listen(place)?;
    let start = now_millis() - (WARM_UP + quotes) * 1000;
    let mut published = vec![];
    for number in 0..WARM_UP + quotes {
        let quote = quote(number, start + number * 1000)?;
        // Not in step with whatever polls.
        std::thread::sleep(Duration::from_millis((number * 37 % 101).unsigned_abs()));
        put(place, &quote)?;
        let answered = now_millis();
        if number < WARM_UP / 2 {
            continue;
        }
        let sent = hear(place, &queue, quote.timestamp)?;
        if number >= WARM_UP {
            published.push((sent - answered) as f64);
        }
    }
    let mut stored = stored(place)?;
    check::equal("quotes that were stored", &(stored.len() as i64), &(WARM_UP + quotes))?;
    let mut stored = stored.split_off(WARM_UP as usize);
    for (key, name, values) in
        [("stored", "put → stored", &mut stored), ("published", "put → published", &mut published)]
    {
        values.sort_by(f64::total_cmp);
        for (share, text) in [(0.5, "p50"), (0.99, "p99")] {
            let (key, name) = (format!("functions_{key}_ms_{text}"), format!("functions: {name}, {text}"));
            report.maybe(&key, &name, quantile(values, share), "ms");
        }
    }
    Ok(())
}

/// A queue that hears the alerts.
fn listen(place: &Place) -> Result<String> {
    place.wait(async |clients| {
        let sqs = aws_sdk_sqs::Client::new(clients.config());
        let queue = sqs.create_queue().queue_name("alerts").send().await?.queue_url.ok_or("a queue without a name")?;
        let topics = clients.sns().list_topics().send().await?;
        let mut topics = topics.topics().iter().filter_map(|topic| topic.topic_arn());
        let topic = topics.find(|topic| topic.ends_with("-stock-alerts")).ok_or("no topic of alerts")?;
        let name = topic.replace(":sns:", ":sqs:").replace("stockpipe-stock-alerts", "alerts");
        clients.sns().subscribe().topic_arn(topic).protocol("sqs").endpoint(name).send().await?;
        Ok(queue)
    })
}

/// Prices go up and down: of any five and twenty of them, those with one more of the high ones have the higher average.
fn quote(number: i64, at: i64) -> Result<Quote> {
    let timestamp = Timestamp::from_millis(at).ok_or("no time")?;
    let price = |text: &str| Price::parse(text).map_err(|error| error.to_string());
    Ok(Quote {
        symbol: Symbol::parse(SYMBOL)?,
        timestamp,
        price: price(if number % 2 == 0 { "100.5" } else { "101.5" })?,
        open: Some(price("100")?),
        high: Some(price("102")?),
        low: Some(price("99")?),
        previous_close: Some(price("100")?),
        volume: Volume::parse("1000").ok(),
        currency: Some(Arc::from("USD")),
        source: Some(Arc::from("yahoo")),
        origin: Origin::Live,
        stale: false,
        alert: true,
        ingested_at: timestamp,
    })
}

fn put(place: &Place, quote: &Quote) -> Result<()> {
    place.wait(async |clients| {
        let put = aws_sdk_kinesis::Client::new(clients.config()).put_record().stream_name(STREAM);
        let data = aws_sdk_kinesis::primitives::Blob::new(data(std::slice::from_ref(quote)));
        put.partition_key(SYMBOL).data(data).send().await?;
        Ok(())
    })
}

/// When the alert of the quote of this time was sent to the queue, in milliseconds since 1970.
fn hear(place: &Place, queue: &str, timestamp: Timestamp) -> Result<i64> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let messages = place.wait(async |clients| {
            let sqs = aws_sdk_sqs::Client::new(clients.config());
            let receive = sqs.receive_message().queue_url(queue).max_number_of_messages(10).wait_time_seconds(2);
            let receive = receive.message_system_attribute_names("SentTimestamp".into());
            let messages = receive.send().await?.messages.unwrap_or_default();
            for message in &messages {
                let delete = sqs.delete_message().queue_url(queue);
                delete.set_receipt_handle(message.receipt_handle.clone()).send().await?;
            }
            Ok(messages)
        })?;
        for message in messages {
            let envelope: Value = serde_json::from_str(message.body().unwrap_or_default())?;
            let alert: Value = serde_json::from_str(envelope["Message"].as_str().unwrap_or_default())?;
            if alert["timestamp"].as_str() == Some(&timestamp.to_string()) {
                let sent = message.attributes.iter().flatten().find(|(name, _)| name.as_str() == "SentTimestamp");
                return Ok(sent.ok_or("a message without a time")?.1.parse()?);
            }
        }
    }
    Err(format!("no alert of the quote of {timestamp} in {QUOTES}").into())
}

/// How long each record took, in ms, as the function said it.
fn stored(place: &Place) -> Result<Vec<f64>> {
    place.wait(async |clients| {
        let logs = aws_sdk_cloudwatchlogs::Client::new(clients.config());
        let mut pages = logs.filter_log_events().log_group_name(LOGS).into_paginator().send();
        let mut stored = vec![];
        while let Some(page) = pages.next().await {
            let lines = page?.events.unwrap_or_default().into_iter().filter_map(|event| event.message);
            for said in lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok()) {
                stored.extend(said["PutToStored"].as_array().into_iter().flatten().filter_map(Value::as_f64));
            }
        }
        Ok(stored)
    })
}
