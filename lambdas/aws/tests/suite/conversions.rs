//! What is converted comes back as it was, for any item; and events of the shapes that the services make.

use crate::stream::time;
use aws_sdk_dynamodb::types::AttributeValue;
use pipeline::{
    Item, Origin, Percent, Price, Quote, Sequence, Side, Symbol, Timestamp, Trail, Volume,
    quote::{FIELDS, Kind},
};
use proptest::{collection::vec, option, prelude::*, strategy::ValueTree};
use serde_json::{Value, json};
use stockpipe_aws_ports::{Batch, Changes, KinesisEvent, TableEvent, attributes, item, sequence};

fn prices() -> impl Strategy<Value = Price> {
    (1..1_000_000_000_000_000_000_i64).prop_map(|units| Price::from_units(units).expect("a price"))
}

fn times() -> impl Strategy<Value = Timestamp> {
    (946_684_800_000..253_402_300_799_999_i64).prop_map(|millis| Timestamp::from_millis(millis).expect("a time"))
}

fn sequences() -> impl Strategy<Value = Sequence> {
    ("[0-9]{1,56}", 0..100_000_u32).prop_map(|(number, line)| sequence(&number).expect("a number").line(line))
}

fn trails() -> impl Strategy<Value = Trail> {
    (vec(prices(), 1..=20), option::of(any::<bool>())).prop_map(|(prices, side)| Trail {
        window: prices.into_iter().collect(),
        side: side.map(|above| if above { Side::Above } else { Side::Below }),
    })
}

fn quotes() -> impl Strategy<Value = Quote> {
    let optional = || option::of(prices());
    let volume = option::of((0..10_i128.pow(28)).prop_map(|units| Volume::from_units(units).expect("a volume")));
    let texts = || option::of("[ -~é€]{0,12}");
    let origins = prop_oneof![Just(Origin::Live), Just(Origin::Replay), Just(Origin::Backfill)];
    (
        ("[A-Za-z0-9^=_-]{1,32}", times(), prices(), [optional(), optional(), optional(), optional()]),
        (volume, texts(), texts(), origins, any::<bool>(), any::<bool>(), times()),
    )
        .prop_map(|((symbol, timestamp, price, [open, high, low, previous_close]), rest)| {
            let (volume, currency, source, origin, stale, alert, ingested_at) = rest;
            Quote {
                symbol: Symbol::parse(&symbol).expect("a symbol"),
                timestamp,
                price,
                open,
                high,
                low,
                previous_close,
                volume,
                currency: currency.map(Into::into),
                source: source.map(Into::into),
                origin,
                stale,
                alert,
                ingested_at,
            }
        })
}

fn items() -> impl Strategy<Value = Item> {
    let percent = option::of((-999_999_999_999_999_999..=999_999_999_999_999_999_i64).prop_map(Percent));
    (quotes(), sequences(), percent, any::<[bool; 2]>(), option::of(trails()), times(), any::<i32>()).prop_map(
        |(quote, sequence, change_percent, [anomaly, late], trail, processed_at, expires_at)| Item {
            quote,
            sequence,
            change_percent,
            anomaly,
            late,
            trail: trail.map(Box::new),
            processed_at,
            expires_at: expires_at.into(),
        },
    )
}

/// A change as Lambda shows it.
fn change(name: &str, new: &Item, old: Option<&Item>) -> TableEvent {
    let image = |item: &Item| -> Value {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
            other => panic!("{other:?}"),
        };
        let attributes = attributes(item);
        let mut image: Value = attributes.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect();
        image["added_by_hand"] = json!({"L": [{"NULL": true}]});
        image
    };
    let mut record = json!({
        "eventID": "c4ca4238a0b923820dcc509a6f75849b", "eventName": name, "eventVersion": "1.1",
        "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-20T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_428_537_600, "SequenceNumber": "4421584500000000017450439091",
            "Keys": {}, "NewImage": image(new), "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    });
    if let Some(old) = old {
        record["dynamodb"]["OldImage"] = image(old);
    }
    serde_json::from_value(json!({"Records": [record]})).expect("an event")
}

proptest! {
    /// Would catch a field that is forgotten, rounded, or taken for another.
    #[test]
    fn an_item_comes_back_from_its_attributes_and_from_the_stream(expected in items()) {
        let map = attributes(&expected);
        let back = item(&map);
        prop_assert_eq!(back.as_ref(), Ok(&expected));
        prop_assert_eq!(
            map["ttl"].as_n().unwrap().parse::<i64>().unwrap(),
            expected.expires_at + 24 * 60 * 60
        );
        let changes = Changes::from(change("INSERT", &expected, None));
        let in_order: Vec<Item> = expected.trail.is_some().then(|| expected.clone()).into_iter().collect();
        prop_assert_eq!(changes.items.into_iter().map(|(_, item)| item).collect::<Vec<_>>(), in_order);
    }

    /// Would catch a reader that panics, or makes an item up.
    #[test]
    fn an_item_without_an_attribute_or_with_rubbish_is_damaged(expected in items(), at in any::<prop::sample::Index>()) {
        let map = attributes(&expected);
        let required = ["symbol", "timestamp", "price", "origin", "stale", "alert", "ingested_at", "sequence", "anomaly",
            "late", "processed_at", "expires_at"];
        let name = required[at.index(required.len())];
        for value in [None, Some(AttributeValue::S("rubbish!".into())), Some(AttributeValue::N("-0.5e3".into()))] {
            let mut map = map.clone();
            map.remove(name);
            value.into_iter().for_each(|value| _ = map.insert(name.into(), value));
            prop_assert_eq!(item(&map).map_err(|damaged| damaged.attribute), Err(name));
        }
    }

    #[test]
    fn the_order_of_numbers_is_the_order_of_their_texts(a in "[1-9][0-9]{0,37}", b in "[1-9][0-9]{0,37}") {
        let (a_number, b_number) = (a.parse::<u128>().unwrap(), b.parse::<u128>().unwrap());
        let (a, b) = (sequence(&a).unwrap(), sequence(&b).unwrap());
        prop_assert_eq!(a_number.cmp(&b_number), a.cmp(&b));
        prop_assert_eq!(a.cmp(&b), a.line(0).to_string().cmp(&b.line(0).to_string()));
        prop_assert_eq!(a.as_str().len(), 56);
    }
}

/// A quote that takes the place of an expired one comes as a change of its item; the same one again raised all it has to.
#[test]
fn a_change_counts_where_the_quote_is_another() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut new = items().new_tree(&mut runner).expect("an item").current();
    new.trail = Some(Box::new(trails().new_tree(&mut runner).expect("a trail").current()));
    let mut old = new.clone();
    old.processed_at = time("2001-01-01T00:00:00Z");
    assert!(Changes::from(change("MODIFY", &new, Some(&old))).items.is_empty());
    old.sequence = sequence("7").expect("a number").line(0);
    assert_eq!(Changes::from(change("MODIFY", &new, Some(&old))).items, [(0, new)]);
}

/// Would catch an attribute whose type is not the one that the table of fields gives it.
#[test]
fn attributes_have_the_types_of_their_fields() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let map = attributes(&items().new_tree(&mut runner).expect("an item").current());
        for field in FIELDS {
            let Some(value) = map.get(field.name) else { continue };
            seen.insert(field.name);
            let right = match field.kind {
                Kind::Text | Kind::Time => value.is_s(),
                Kind::Decimal(..) => value.is_n(),
                Kind::Flag => value.is_bool(),
            };
            assert!(right, "{}: {value:?}", field.name);
        }
    }
    assert_eq!(seen.len(), FIELDS.len());
}

/// The example of AWS's documentation, and an emulator's narrower numbers and finer times.
#[test]
fn batches_of_real_shapes() {
    let event = json!({"Records": [{
        "kinesis": {
            "kinesisSchemaVersion": "1.0", "partitionKey": "1",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==", "approximateArrivalTimestamp": 1_545_084_650.98,
        },
        "eventSource": "aws:kinesis", "eventVersion": "1.0",
        "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::111122223333:role/lambda-role", "awsRegion": "us-east-2",
        "eventSourceARN": "arn:aws:kinesis:us-east-2:111122223333:stream/lambda-stream",
    }, {
        "kinesis": {
            "partitionKey": "1", "sequenceNumber": "000000000000000000000000000042", "data": "",
            "approximateArrivalTimestamp": 1_763_900_000.123_456_7,
        },
        "eventID": "shardId-000000000000:000000000000000000000000000042",
    }]});
    let event: KinesisEvent = serde_json::from_value(event).expect("an event");
    let batch = Batch::try_from(event).expect("a batch");
    assert_eq!(batch.shard, "shardId-000000000006");
    let [first, second] = &batch.records[..] else { panic!("two records") };
    assert_eq!(&*first.data, b"Hello, this is a test.");
    assert_eq!(first.arrived_at, time("2018-12-17T22:10:50.980Z"));
    assert_eq!(first.sequence.as_str(), "49590338271490256608559692538361571095921575989136588898");
    assert_eq!(second.arrived_at.millis(), 1_763_900_000_123);
    assert_eq!(second.sequence.as_str().len(), 56);
    // Lambda knows the record by the number that it gave it.
    let answer = serde_json::to_value(batch.answer(Some(second.sequence))).expect("JSON");
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "000000000000000000000000000042"}]}));
    assert_eq!(serde_json::to_value(batch.answer(None)).expect("JSON"), json!({"batchItemFailures": []}));
}

#[test]
fn what_is_no_batch_is_refused() {
    let event = |number: &str, data: &str| {
        let record = json!({"eventID": "s:1", "kinesis": {"partitionKey": "1", "sequenceNumber": number, "data": data,
            "approximateArrivalTimestamp": 1}});
        let event: KinesisEvent = serde_json::from_value(json!({"Records": [record]})).expect("an event");
        Batch::try_from(event).expect_err("not a batch").to_string()
    };
    assert_eq!(event("12x", ""), "the sequence number `12x` is not 1 to 56 digits");
    assert!(event("", "").starts_with("the sequence number ``"));
    assert_eq!(event("12", "?"), "the data of record 12 is not base64");
}
