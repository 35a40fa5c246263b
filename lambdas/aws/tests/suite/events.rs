//! Events of one's own, as Lambda hands them to a function.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_STANDARD};
use pipeline::Record;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What Lambda would hand to process and archive for these records, whose numbers are of 56 digits.
pub(crate) fn stream_event(records: &[Record]) -> String {
    let records = records.iter().map(|record| {
        let number = format!("{:0>56}", record.sequence.as_str());
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": &*record.partition_key,
                "sequenceNumber": number,
                "data": BASE64_STANDARD.encode(&record.data),
                "approximateArrivalTimestamp": record.arrived_at.millis() as f64 / 1000.0,
            },
            "eventSource": "aws:kinesis",
            "eventID": format!("shardId-000000000006:{number}"),
        })
    });
    json!({"Records": records.collect::<Vec<_>>()}).to_string()
}

/// What Lambda would hand to trend for items that are new.
pub(crate) fn table_event(items: &[HashMap<String, AttributeValue>]) -> String {
    let records = items.iter().enumerate().map(|(at, map)| {
        let image: Value = map.iter().map(|(name, value)| (name.clone(), dynamodb_json(value))).collect();
        json!({
            "eventID": at.to_string(), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/x/stream/y",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_763_900_000, "SequenceNumber": format!("{at:021}"), "SizeBytes": 59,
                "StreamViewType": "NEW_AND_OLD_IMAGES", "NewImage": image,
                "Keys": {"symbol": image["symbol"], "timestamp": image["timestamp"]},
            },
        })
    });
    json!({"Records": records.collect::<Vec<_>>()}).to_string()
}

fn dynamodb_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        other => panic!("{other:?}"),
    }
}
