//! What others put onto the stream, and what can never be a quote.

use super::{
    answers::{folded, rows},
    order::{daily, lines},
    place::Place,
};
use crate::{
    bad_records::bad_lines,
    harness::{numbers, summary},
};
use serde_json::Value;
use std::collections::BTreeMap;

fn aside(place: &dyn Place) -> Vec<Value> {
    let list = place.ok(&["replay", "--list", "--format", "json"]);
    serde_json::from_str(&list).unwrap_or_else(|e| panic!("{e}: {list}"))
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// Would catch a bad line that stops the rest, is lost, is set aside twice, is told for something else, or changes what
/// the quotes around it mean; and one that is replayed twice, or never.
pub fn bad_records(place: &dyn Place) {
    let symbol = "AROUND";
    let good = daily(symbol, (0..25).map(|n| 100 - n).chain((0..25).map(|n| 80 + 2 * n)));
    // Longer lines than a record holds are a matter of one target alone.
    let bad: Vec<_> = bad_lines().into_iter().filter(|(bytes, ..)| bytes.len() < 1000).collect();
    let all_bad: Vec<u8> = bad.iter().flat_map(|(bytes, ..)| [bytes, &b"\n"[..]].concat()).collect();
    let file = [&all_bad, &lines(&good[..30]), &all_bad, &lines(&good[30..]), &all_bad].map(Vec::as_slice).concat();
    let before = aside(place).len();
    let sum = place.stream(&place.home().write("bad.jsonl", file), &[]);
    let count = 3 * bad.len() as u64;
    let names = ["sent", "stored", "set_aside", "archived"];
    assert_eq!(numbers(&sum, names), [50 + count, 50, count, 50], "{sum}");
    let known = rows(&folded(&good).signals);
    assert_eq!(known.len(), 1);
    place.becomes("signals", &known, || place.signals(symbol));
    assert_eq!(place.in_lake(symbol), 50);

    let listed = aside(place).split_off(before);
    assert_eq!(listed.len() as u64, count);
    let open = |rows: &[Value]| rows.iter().filter(|row| row["replayed_at"].is_null()).count();
    for (bytes, why, as_it_is) in &bad {
        let form = if std::str::from_utf8(bytes).is_ok() { "data" } else { "data_hex" };
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let kept = if form == "data" { String::from_utf8_lossy(bytes).into_owned() } else { hex };
        let found =
            listed.iter().filter(|row| text(row, "reason").starts_with(why) && (text(row, form) == kept || !as_it_is));
        assert!(found.count() >= 3, "{why}: {kept}");
    }
    let mut sequences: BTreeMap<&str, u32> = BTreeMap::new();
    listed.iter().for_each(|row| *sequences.entry(text(row, "sequence")).or_default() += 1);
    assert_eq!(sequences.len() as u64, count);

    // Put again, each is set aside anew, and the old ones are marked as replayed.
    let still_open = open(&aside(place)) as u64;
    let sum = summary(&place.ok(&["replay", "--set-aside", "--yes", "--format", "json"]));
    assert_eq!(numbers(&sum, ["replayed"]), [still_open], "{sum}");
    let all = before + count as usize + still_open as usize;
    place.becomes("set aside again", &all, || aside(place).len());
    let after = aside(place);
    assert_eq!(open(&after) as u64, still_open);
}

/// Would catch an agreement between our own producer and our own consumers that others know nothing of.
pub fn third_party(place: &dyn Place) {
    let symbol = "THIRD";
    let known = daily(symbol, (0..25).map(|n| 100 - n).chain((0..15).map(|n| 77 + 2 * n)));
    let before = aside(place).len();
    let plain = |quote: &pipeline::Quote| {
        format!(r#"{{"price":{},"exchange":"X","symbol":"{symbol}","timestamp":"{}"}}"#, quote.price, quote.timestamp)
    };
    let all: Vec<String> = known.iter().map(plain).collect();
    for (at, some) in all.chunks(10).enumerate() {
        // One of its lines is none, at the head, in the middle and at the end.
        let mut some = some.to_vec();
        if at < 3 {
            some.insert([0, 5, 10][at], format!("rubbish {at}"));
        }
        place.put(symbol, some.join("\n").as_bytes());
    }
    place.put("OTHER", all[0].as_bytes());
    place.becomes("set aside", &(before + 4), || aside(place).len());
    let reasons: Vec<String> = aside(place)[before..].iter().map(|row| text(row, "reason").to_owned()).collect();
    assert!(reasons.iter().take(3).all(|reason| reason.starts_with("not a JSON object")), "{reasons:?}");
    assert!(reasons[3].contains("partition key"), "{reasons:?}");
    let signals = rows(&folded(&known).signals);
    place.becomes("signals", &signals, || place.signals(symbol));
    place.becomes("quotes in the lake", &known.len(), || place.in_lake(symbol));
    assert_eq!(place.crossovers(symbol), signals);
    // Without marks it is live, and its signals are published.
    let of_it = || place.alerts().into_iter().filter(|id| id.starts_with("THIRD/")).collect::<Vec<_>>();
    place.becomes("alerts", &vec![format!("THIRD/{}/{}", signals[0][1], signals[0][2])], of_it);
}
