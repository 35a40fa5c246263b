//! A quote on the stream: one JSON line. Writing it, and judging what was put there by others.

use crate::{
    NumberError, Origin, Price, Quote, RecordSequence, Sequence, Symbol, SymbolError, Timestamp, Volume, push_decimal,
    sequence::LAST_LINE,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc};

/// The most that a producer packs into one record, in bytes: one payload unit of Kinesis.
pub const RECORD_LIMIT: usize = 25_000;
/// How far a quote may be ahead of its arrival, in milliseconds.
const AHEAD_LIMIT: i64 = 5 * 60 * 1000;
/// `2000-01-01`, the first day of the lake, in milliseconds since 1970.
const FIRST_DAY: i64 = 946_684_800_000;
/// The longest text of a source or a currency, in bytes.
const TEXT_LIMIT: usize = 256;

/// A record as it came from the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the stream.
    pub sequence: RecordSequence,
    /// What the producer says it is of.
    pub partition_key: Arc<str>,
    /// When the stream took it.
    pub arrived_at: Timestamp,
    /// One quote, or several of one symbol in time order, one JSON line each.
    pub data: Arc<[u8]>,
}

/// A line that can never become a quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its place in the stream.
    pub sequence: Sequence,
    /// The record's partition key.
    pub partition_key: Arc<str>,
    /// When the stream took it.
    pub arrived_at: Timestamp,
    /// What is wrong with it.
    pub reason: Reason,
    /// The line as it came.
    pub bytes: Vec<u8>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The record holds nothing.
    #[error("empty")]
    Empty,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// No JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// A required field is missing or null.
    #[error("{0}: missing")]
    Missing(&'static str),
    /// A field holds another kind of value.
    #[error("{0}: not {1}")]
    Type(&'static str, &'static str),
    /// A number that is none, or out of its range.
    #[error("{0}: {1}")]
    Number(&'static str, NumberError),
    /// No symbol.
    #[error("symbol: {0}")]
    Symbol(SymbolError),
    /// The record's partition key is another symbol.
    #[error("symbol: not the record's partition key")]
    PartitionKey,
    /// No RFC 3339 time.
    #[error("{0}: not a time such as 2026-11-20T20:59:30.000Z")]
    Time(&'static str),
    /// Before the lake's first day.
    #[error("timestamp: before 2000-01-01")]
    TooOld,
    /// More than five minutes after its arrival.
    #[error("timestamp: more than 5 minutes after its arrival")]
    Future,
    /// A text that is too long, or has control characters.
    #[error("{0}: more than 256 bytes, or control characters")]
    Text(&'static str),
    /// No origin.
    #[error("origin: not live, replay or backfill")]
    Origin,
    /// A record's line that five digits cannot number.
    #[error("past the record's 99,999th line")]
    TooManyLines,
    /// Judging it panicked: a fault of ours, but the line is kept and the rest goes on.
    #[error("the check itself failed")]
    Panic,
}

/// The fields as they stand in the line, so that numbers are read from their text and errors name the field.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    symbol: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    open: Option<&'a RawValue>,
    #[serde(borrow)]
    high: Option<&'a RawValue>,
    #[serde(borrow)]
    low: Option<&'a RawValue>,
    #[serde(borrow)]
    previous_close: Option<&'a RawValue>,
    #[serde(borrow)]
    volume: Option<&'a RawValue>,
    #[serde(borrow)]
    currency: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    origin: Option<&'a RawValue>,
    #[serde(borrow)]
    stale: Option<&'a RawValue>,
    #[serde(borrow)]
    alert: Option<&'a RawValue>,
    #[serde(borrow)]
    ingested_at: Option<&'a RawValue>,
}

/// Judges records line by line, and remembers the texts that repeat from quote to quote.
#[derive(Debug, Default)]
pub struct Judge {
    symbol: Option<Symbol>,
    currency: Option<Arc<str>>,
    source: Option<Arc<str>>,
}

impl Judge {
    /// Calls `quote` or `set_aside` for each line of the record, in order.
    ///
    /// Blank lines are passed over. A line that makes the check itself panic is set aside.
    pub fn record<'r>(
        &mut self,
        record: &'r Record,
        mut quote: impl FnMut(Sequence, Quote, &'r [u8]),
        mut set_aside: impl FnMut(SetAside),
    ) {
        let mut reject = |line: u32, reason, bytes: &[u8]| {
            set_aside(SetAside {
                sequence: record.sequence.line(line),
                partition_key: Arc::clone(&record.partition_key),
                arrived_at: record.arrived_at,
                reason,
                bytes: bytes.to_vec(),
            });
        };
        let mut line = 0;
        let mut rest = &record.data[..];
        while !rest.is_empty() {
            if line == LAST_LINE {
                reject(line, Reason::TooManyLines, rest);
                return;
            }
            let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let judged = std::panic::catch_unwind(AssertUnwindSafe(|| self.line(record, text)));
            match judged.unwrap_or(Err(Reason::Panic)) {
                Ok(judged) => quote(record.sequence.line(line), judged, text),
                Err(reason) => reject(line, reason, text),
            }
            line += 1;
        }
        if line == 0 {
            reject(0, Reason::Empty, &record.data);
        }
    }

    fn line(&mut self, record: &Record, bytes: &[u8]) -> Result<Quote, Reason> {
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
        // Without this an array would be read as the fields in their order.
        if !text.trim_start_matches([' ', '\t', '\r']).starts_with('{') {
            return Err(Reason::NotJson("it does not begin with `{`".into()));
        }
        let line: Line = serde_json::from_str(text).map_err(|e| Reason::NotJson(e.to_string()))?;

        let symbol = text_of("symbol", line.symbol)?.ok_or(Reason::Missing("symbol"))?;
        let symbol = match &self.symbol {
            Some(known) if **known == *symbol => known.clone(),
            _ => self.symbol.insert(Symbol::parse(&symbol).map_err(Reason::Symbol)?).clone(),
        };
        if *symbol != *record.partition_key {
            return Err(Reason::PartitionKey);
        }
        let timestamp = time_of("timestamp", line.timestamp)?.ok_or(Reason::Missing("timestamp"))?;
        if timestamp.millis() < FIRST_DAY {
            return Err(Reason::TooOld);
        }
        if timestamp.millis() > record.arrived_at.millis().saturating_add(AHEAD_LIMIT) {
            return Err(Reason::Future);
        }
        let origin = match text_of("origin", line.origin)? {
            Some(origin) => Origin::parse(&origin).ok_or(Reason::Origin)?,
            None => Origin::Live,
        };
        Ok(Quote {
            symbol,
            timestamp,
            price: price_of("price", line.price)?.ok_or(Reason::Missing("price"))?,
            open: price_of("open", line.open)?,
            high: price_of("high", line.high)?,
            low: price_of("low", line.low)?,
            previous_close: price_of("previous_close", line.previous_close)?,
            volume: number_of("volume", line.volume, Volume::parse)?,
            currency: shared("currency", line.currency, &mut self.currency)?,
            source: shared("source", line.source, &mut self.source)?,
            origin,
            stale: flag_of("stale", line.stale)?.unwrap_or(false),
            alert: flag_of("alert", line.alert)?.unwrap_or(true),
            ingested_at: time_of("ingested_at", line.ingested_at)?.unwrap_or(record.arrived_at),
        })
    }
}

fn text_of<'a>(field: &'static str, value: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Reason> {
    let Some(value) = value else { return Ok(None) };
    let quoted = value.get().strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    match quoted {
        Some(text) if !text.contains('\\') => Ok(Some(Cow::Borrowed(text))),
        Some(_) => serde_json::from_str(value.get()).map(Some).map_err(|_| Reason::Text(field)),
        None => Err(Reason::Type(field, "a string")),
    }
}

fn shared(
    field: &'static str,
    value: Option<&RawValue>,
    last: &mut Option<Arc<str>>,
) -> Result<Option<Arc<str>>, Reason> {
    let Some(text) = text_of(field, value)? else { return Ok(None) };
    if let Some(last) = last
        && **last == *text
    {
        return Ok(Some(Arc::clone(last)));
    }
    if text.len() > TEXT_LIMIT || text.chars().any(char::is_control) {
        return Err(Reason::Text(field));
    }
    Ok(Some(Arc::clone(last.insert(Arc::from(&*text)))))
}

fn time_of(field: &'static str, value: Option<&RawValue>) -> Result<Option<Timestamp>, Reason> {
    let Some(text) = text_of(field, value)? else { return Ok(None) };
    Timestamp::parse(&text).map(Some).ok_or(Reason::Time(field))
}

fn price_of(field: &'static str, value: Option<&RawValue>) -> Result<Option<Price>, Reason> {
    number_of(field, value, Price::parse)
}

fn number_of<N>(
    field: &'static str,
    value: Option<&RawValue>,
    parse: impl Fn(&str) -> Result<N, NumberError>,
) -> Result<Option<N>, Reason> {
    let Some(value) = value else { return Ok(None) };
    if value.get().starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        parse(value.get()).map(Some).map_err(|e| Reason::Number(field, e))
    } else {
        Err(Reason::Type(field, "a number"))
    }
}

fn flag_of(field: &'static str, value: Option<&RawValue>) -> Result<Option<bool>, Reason> {
    match value.map(RawValue::get) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Reason::Type(field, "true or false")),
    }
}

/// Appends the quote as one JSON object, without a line end.
pub fn push_json(out: &mut Vec<u8>, quote: &Quote) {
    out.extend_from_slice(b"{\"symbol\":\"");
    out.extend_from_slice(quote.symbol.as_bytes());
    out.extend_from_slice(b"\",\"timestamp\":\"");
    quote.timestamp.push(out);
    out.push(b'"');
    let price = |out: &mut Vec<u8>, name: &str, price: Option<Price>| {
        if let Some(price) = price {
            push_name(out, name);
            push_decimal(out, i128::from(price.units()), crate::decimal::PLACES);
        }
    };
    price(out, "price", Some(quote.price));
    price(out, "open", quote.open);
    price(out, "high", quote.high);
    price(out, "low", quote.low);
    price(out, "previous_close", quote.previous_close);
    if let Some(volume) = quote.volume {
        push_name(out, "volume");
        push_decimal(out, volume.units(), crate::decimal::PLACES);
    }
    for (name, text) in [("currency", &quote.currency), ("source", &quote.source)] {
        if let Some(text) = text {
            push_name(out, name);
            push_string(out, text);
        }
    }
    push_name(out, "origin");
    push_string(out, quote.origin.as_str());
    for (name, flag) in [("stale", quote.stale), ("alert", quote.alert)] {
        push_name(out, name);
        out.extend_from_slice(if flag { b"true" } else { b"false" });
    }
    out.extend_from_slice(b",\"ingested_at\":\"");
    quote.ingested_at.push(out);
    out.extend_from_slice(b"\"}");
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a text as a JSON string.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::{FIELDS, OnStream};
    use proptest::prelude::*;

    fn judge(key: &str, data: &[u8]) -> (Vec<Quote>, Vec<(u32, Reason)>) {
        let record = Record {
            sequence: RecordSequence::local(7),
            partition_key: key.into(),
            arrived_at: Timestamp::parse("2026-11-20T21:00:00Z").expect("a time"),
            data: data.into(),
        };
        let (mut quotes, mut rejected) = (vec![], vec![]);
        Judge::default().record(
            &record,
            |_, quote, _| quotes.push(quote),
            |aside| rejected.push((aside.sequence.line, aside.reason)),
        );
        (quotes, rejected)
    }

    const FULL: &str = r#"{"symbol":"AAPL","timestamp":"2026-11-20T20:59:30.000Z","price":271.49,"open":270,"high":272.5,"low":269.125,"previous_close":268,"volume":48100000.5,"currency":"USD","source":"yahoo","origin":"live","stale":false,"alert":true,"ingested_at":"2026-11-20T20:59:31.250Z"}"#;

    #[test]
    fn a_full_quote_comes_back_as_it_was() {
        let (quotes, rejected) = judge("AAPL", FULL.as_bytes());
        assert_eq!(rejected, []);
        let mut text = Vec::new();
        push_json(&mut text, &quotes[0]);
        assert_eq!(String::from_utf8_lossy(&text), FULL);
    }

    #[test]
    fn the_json_has_the_fields_of_the_table() {
        let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(FULL).expect("JSON");
        let mut named: Vec<_> = FIELDS.iter().filter(|f| f.on_stream != OnStream::Never).map(|f| f.name).collect();
        named.sort_unstable();
        assert_eq!(json.keys().collect::<Vec<_>>(), named);
        for field in FIELDS.iter().filter(|f| f.on_stream == OnStream::Required) {
            let mut without = json.clone();
            without.remove(field.name);
            let text = serde_json::Value::Object(without).to_string();
            assert_eq!(judge("AAPL", text.as_bytes()).1, [(0, Reason::Missing(field.name))]);
        }
    }

    #[test]
    fn third_parties_need_three_fields_only() {
        let text = br#" {"price": 1e1, "note": {"a": [1]}, "symbol": "\u0041", "timestamp": "2026-11-20T20:59:30+00:00", "open": null}"#;
        let (quotes, rejected) = judge("A", text);
        assert_eq!(rejected, []);
        let quote = &quotes[0];
        assert_eq!((quote.origin, quote.stale, quote.alert), (Origin::Live, false, true));
        assert_eq!(quote.ingested_at.to_string(), "2026-11-20T21:00:00.000Z");
        assert_eq!(quote.price.to_string(), "10");
    }

    #[test]
    fn each_bad_line_is_set_aside_and_its_neighbours_go_on() {
        let with = |from: &str, to: &str| FULL.replace(from, to).into_bytes();
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"rubbish".to_vec(), "not a JSON object"),
            (b"[\"AAPL\",\"2026-11-20T20:59:30.000Z\",1]".to_vec(), "not a JSON object"),
            (b"{\"symbol\":\"AAPL\"".to_vec(), "not a JSON object"),
            (vec![b'{', 0xff, b'}'], "not UTF-8"),
            (with("271.49", "NaN"), "not a JSON object"),
            (with("271.49", "\"271.49\""), "price: not a number"),
            (with("271.49", "-1"), "price: negative"),
            (with("271.49", "0"), "price: not above zero"),
            (with("271.49", "1e300"), "price: too large"),
            (with("271.49", "1.123456789"), "price: more than 8 decimal places"),
            (with("48100000.5", "-1"), "volume: negative"),
            (with("\"AAPL\"", "\"../x\""), "symbol: not 1 to 32"),
            (with("\"AAPL\"", "\"A\\u0007\""), "symbol: not 1 to 32"),
            (with("\"AAPL\"", "5"), "symbol: not a string"),
            (with("\"AAPL\"", "\"MSFT\""), "symbol: not the record's partition key"),
            (with("2026-11-20T20:59:30.000Z", "20 November"), "timestamp: not a time"),
            (with("2026-11-20T20:59:30.000Z", "1999-12-31T23:59:59.999Z"), "timestamp: before 2000-01-01"),
            (with("2026-11-20T20:59:30.000Z", "2026-11-20T21:05:00.001Z"), "timestamp: more than 5 minutes"),
            (with("\"yahoo\"", "\"a\\nb\""), "source: more than 256 bytes"),
            (with("\"live\"", "\"elsewhere\""), "origin: not live"),
            (with("false", "0"), "stale: not true or false"),
            (with("\"open\":270", "\"price\":270"), "not a JSON object: duplicate field"),
            (vec![b'x'; 1 << 20], "not a JSON object"),
        ];
        for (bad, why) in cases {
            let data = [FULL.as_bytes(), &bad, FULL.as_bytes()].join(&b'\n');
            let (quotes, rejected) = judge("AAPL", &data);
            assert_eq!(quotes.len(), 2, "{why}");
            assert_eq!(rejected.len(), 1, "{why}");
            assert!(rejected[0].0 == 1 && rejected[0].1.to_string().starts_with(why), "{why}: {}", rejected[0].1);
        }
        assert_eq!(judge("AAPL", b" \n\n").1, [(0, Reason::Empty)]);
        assert_eq!(judge("AAPL", &b"x\n".repeat(100_005)).1.last(), Some(&(99_999, Reason::TooManyLines)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (quotes, rejected) = judge("AAPL", &data);
            prop_assert!(quotes.is_empty() && !rejected.is_empty());
        }

        #[test]
        fn a_damaged_line_is_judged(at in 0..FULL.len(), byte in any::<u8>()) {
            let mut data = FULL.as_bytes().to_vec();
            data[at] = byte;
            let (quotes, rejected) = judge("AAPL", &data);
            prop_assert!(quotes.len() + rejected.len() >= 1);
        }
    }
}
