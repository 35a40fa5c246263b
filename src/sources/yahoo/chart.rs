//! What an answer of the chart endpoint says of a symbol: a reading, or why there is none.
//!
//! Numbers are taken from their own text and rounded half to even to eight places; they never become binary floats.

use pipeline::{NumberError, Price, Symbol, Timestamp, Volume};
use serde_json::value::RawValue;
use std::{collections::HashMap, sync::Arc};

/// What some servers put before the first character.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// In the text that comes instead of a chart while Yahoo is being worked on.
const MAINTENANCE: &str = "Will be right back";
/// The longest description or currency that is passed on, in characters; Yahoo's own are far shorter.
const LONGEST_TEXT: usize = 200;

/// What the market last said of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) timestamp: Timestamp,
    pub(super) price: Price,
    pub(super) open: Option<Price>,
    pub(super) high: Option<Price>,
    pub(super) low: Option<Price>,
    pub(super) previous_close: Option<Price>,
    pub(super) volume: Option<Volume>,
    pub(super) currency: Option<Arc<str>>,
}

/// Why an answer has no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Yahoo does not know the symbol; in its own words.
    Unknown(String),
    /// Anything else, for people.
    Failed(String),
}

/// The members of an object, each as its own text.
type Members<'a> = HashMap<String, &'a RawValue>;

/// What the answer to a question about this symbol says.
pub(super) fn read(status: u16, body: &[u8], symbol: &Symbol) -> Result<Reading, Trouble> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let envelope = serde_json::from_slice::<Members<'_>>(body);
    if let Ok(envelope) = &envelope
        && let Some((code, description)) = complaint(envelope)
    {
        // Only these words mean that there is no such symbol: a 404 alone may come from anything on the way.
        return Err(if code == "Not Found" {
            Trouble::Unknown(description)
        } else {
            let number = if status == 200 { String::new() } else { format!("{status} ") };
            Trouble::Failed(format!("{number}{code}: {description}"))
        });
    }
    match (status, envelope) {
        (200, Ok(envelope)) => chart(&envelope, symbol).map_err(Trouble::Failed),
        (200, Err(error)) => Err(Trouble::Failed(no_chart(body, &error))),
        (429, _) => Err(Trouble::Failed("too many requests (429)".into())),
        (500.., _) => Err(Trouble::Failed(format!("Yahoo is in trouble (status {status})"))),
        _ => Err(Trouble::Failed(format!("status {status}, and not a word of Yahoo's about it"))),
    }
}

/// The code and the description of an error that Yahoo itself reports, whichever part of it does.
fn complaint(envelope: &Members<'_>) -> Option<(String, String)> {
    let part = |name: &str| envelope.get(name).and_then(|part| members(part).ok());
    let error = ["chart", "finance"].into_iter().filter_map(part).find_map(|part| part.get("error").copied())?;
    let error = members(error).ok()?;
    let text = |name: &str| error.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let code = text("code").unwrap_or_else(|| "error".into());
    Some((shortened(&code), shortened(&text("description").unwrap_or_else(|| "no description".into()))))
}

/// Why a body with status 200 is no JSON.
fn no_chart(body: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(body);
    if text.contains(MAINTENANCE) {
        return "Yahoo is down for maintenance".into();
    }
    match (text.trim_start().chars().next(), error.is_eof()) {
        (None, _) => "the answer is empty".into(),
        (Some('{'), true) => "the answer is cut off".into(),
        (Some('<'), _) => "the answer is a web page, not a chart".into(),
        _ => "the answer is no chart".into(),
    }
}

fn chart(envelope: &Members<'_>, symbol: &Symbol) -> Result<Reading, String> {
    let chart = object(envelope, "chart")?;
    let results: Vec<&RawValue> = list(&chart, "result")?;
    let result = members(results.first().ok_or("`result` is empty")?).map_err(|kind| wrong("result", kind))?;
    let meta = object(&result, "meta")?;
    // An answer about another symbol would be stored under the wrong name.
    if let Some(other) = text(&meta, "symbol")?.filter(|other| !other.eq_ignore_ascii_case(symbol)) {
        return Err(format!("the answer is about '{}'", shortened(&other)));
    }
    let has_bars = given(&result, "timestamp").is_some();
    let Some(price) = price(&meta, "regularMarketPrice")? else {
        return Err(if has_bars { "`regularMarketPrice` is missing" } else { "no data in range" }.into());
    };
    let previous_close = match self::price(&meta, "previousClose")? {
        None if text(&meta, "range")?.is_none_or(|range| range == "1d") => self::price(&meta, "chartPreviousClose")?,
        previous_close => previous_close,
    };
    Ok(Reading {
        timestamp: market_time(&meta)?,
        price,
        open: open(&result)?,
        high: self::price(&meta, "regularMarketDayHigh")?,
        low: self::price(&meta, "regularMarketDayLow")?,
        previous_close,
        volume: number(&meta, "regularMarketVolume")?
            .map(|text| Volume::parse_rounded(text).map_err(|e| format!("`regularMarketVolume` is {e}")))
            .transpose()?,
        currency: text(&meta, "currency")?.filter(|c| !c.is_empty()).map(|c| shortened(&c).into()),
    })
}

fn market_time(meta: &Members<'_>) -> Result<Timestamp, String> {
    const NAME: &str = "regularMarketTime";
    let text = number(meta, NAME)?.ok_or("`regularMarketTime` is missing")?;
    let seconds = text.parse::<i64>().ok().and_then(|s| s.checked_mul(1000)).and_then(Timestamp::from_millis);
    seconds.ok_or_else(|| format!("`{NAME}` is no time in seconds"))
}

/// The day's open: that of its first bar with one; the meta data have none.
fn open(result: &Members<'_>) -> Result<Option<Price>, String> {
    if given(result, "indicators").is_none() && given(result, "timestamp").is_none() {
        return Ok(None);
    }
    let indicators = object(result, "indicators")?;
    let quotes: Vec<&RawValue> = list(&indicators, "quote")?;
    let Some(quote) = quotes.first() else { return Ok(None) };
    let quote = members(quote).map_err(|kind| wrong("quote", kind))?;
    if given(&quote, "open").is_none() {
        return Ok(None);
    }
    // A minute without a trade is null in every array.
    match list(&quote, "open")?.into_iter().find(|raw| raw.get() != "null") {
        Some(first) => as_price(as_number(first, "open")?, "open"),
        None => Ok(None),
    }
}

fn members<'a>(raw: &'a RawValue) -> Result<Members<'a>, &'static str> {
    serde_json::from_str(raw.get()).map_err(|_| kind(raw))
}

fn object<'a>(of: &Members<'a>, name: &str) -> Result<Members<'a>, String> {
    let raw = of.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
    members(raw).map_err(|kind| wrong(name, kind))
}

fn list<'a>(of: &Members<'a>, name: &str) -> Result<Vec<&'a RawValue>, String> {
    let raw = of.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
    serde_json::from_str(raw.get()).map_err(|_| wrong(name, kind(raw)))
}

/// What is there under this name and is not null.
fn given<'a>(of: &Members<'a>, name: &str) -> Option<&'a RawValue> {
    of.get(name).copied().filter(|raw| raw.get() != "null")
}

fn text(of: &Members<'_>, name: &str) -> Result<Option<String>, String> {
    let Some(raw) = given(of, name) else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| wrong(name, kind(raw)))
}

/// The text of a number.
fn number<'a>(of: &Members<'a>, name: &str) -> Result<Option<&'a str>, String> {
    given(of, name).map(|raw| as_number(raw, name)).transpose()
}

fn as_number<'a>(raw: &'a RawValue, name: &str) -> Result<&'a str, String> {
    let text = raw.get();
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_number { Ok(text) } else { Err(wrong(name, kind(raw))) }
}

fn price(of: &Members<'_>, name: &str) -> Result<Option<Price>, String> {
    match number(of, name)? {
        Some(text) => as_price(text, name),
        None => Ok(None),
    }
}

/// The price of this text; none for zero, which Yahoo writes where it has none.
fn as_price(text: &str, name: &str) -> Result<Option<Price>, String> {
    match Price::parse_rounded(text) {
        Ok(price) => Ok(Some(price)),
        Err(NumberError::NotPositive) => Ok(None),
        Err(error) => Err(format!("`{name}` is {error}")),
    }
}

fn wrong(name: &str, kind: &str) -> String {
    format!("`{name}` is {kind}")
}

fn kind(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'"') => "text",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: &str = r#""currency":"USD","symbol":"AAPL","regularMarketTime":1763672370,"regularMarketPrice":271.49,
        "regularMarketDayHigh":273.3300018310547,"regularMarketDayLow":265.6700134277344,"regularMarketVolume":59030832,
        "previousClose":266.25,"chartPreviousClose":200.5,"range":"1d""#;
    const BARS: &str = r#""timestamp":[1763649000,1763649060,1763672370],"indicators":{"quote":[{
        "open":[null,265.95001220703125,270],"high":[null,266,271],"low":[null,265,269],"close":[null,265.5,270.5],
        "volume":[null,1,2]}]}"#;

    fn answer(meta: &str, bars: &str) -> String {
        format!(r#"{{"chart":{{"result":[{{"meta":{{{meta}}},{bars}}}],"error":null}}}}"#)
    }

    fn of(status: u16, body: &str) -> Result<Reading, Trouble> {
        read(status, body.as_bytes(), &Symbol::parse("AAPL").unwrap())
    }

    fn reading(meta: &str) -> Reading {
        of(200, &answer(meta, BARS)).unwrap()
    }

    fn failure(status: u16, body: &str) -> String {
        match of(status, body) {
            Err(Trouble::Failed(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn price(text: &str) -> Option<Price> {
        Price::parse(text).ok()
    }

    /// Would catch a field read from the neighbour that looks like it.
    #[test]
    fn each_field_is_read_where_it_is_right() {
        let expected = Reading {
            timestamp: Timestamp::parse("2025-11-20T20:59:30Z").unwrap(),
            price: Price::parse("271.49").unwrap(),
            open: price("265.95001221"),
            high: price("273.33000183"),
            low: price("265.67001343"),
            previous_close: price("266.25"),
            volume: Volume::parse("59030832").ok(),
            currency: Some("USD".into()),
        };
        assert_eq!(reading(META), expected);
        let marked = format!("\u{feff}{}", answer(META, BARS));
        assert_eq!(of(200, &marked), Ok(expected));
    }

    #[test]
    fn numbers_keep_their_text() {
        let of = |number: &str| reading(&META.replace("271.49", number)).price.to_string();
        assert_eq!(of("9007199254.740993"), "9007199254.740993");
        assert_eq!(of("2.7149e2"), "271.49");
        assert_eq!(of("0.000000125"), "0.00000012");
        assert_eq!(of("0.000000135"), "0.00000014");
    }

    #[test]
    fn the_chart_s_previous_close_is_the_day_s_for_a_range_of_a_day_alone() {
        let without = META.replace(r#""previousClose":266.25,"#, "");
        assert_eq!(reading(&without).previous_close, price("200.5"));
        assert_eq!(reading(&without.replace(r#""range":"1d""#, r#""range":"5d""#)).previous_close, None);
        assert_eq!(reading(&META.replace("266.25", "null")).previous_close, price("200.5"));
    }

    #[test]
    fn what_may_be_missing_is_left_out() {
        let bare = r#""regularMarketTime":1763672370,"regularMarketPrice":1,"currency":null,"regularMarketDayLow":0"#;
        for bars in [
            r#""indicators":{"quote":[{}]}"#,
            r#""indicators":{"quote":[]}"#,
            r#""timestamp":[1],"indicators":{"quote":[{"open":[null]}]}"#,
            r#""x":1"#,
        ] {
            let reading = of(200, &answer(bare, bars)).unwrap();
            let optional = (reading.open, reading.high, reading.low, reading.previous_close);
            assert_eq!(optional, (None, None, None, None));
            assert_eq!((reading.volume, reading.currency), (None, None));
        }
    }

    #[test]
    fn what_is_of_the_wrong_kind_is_one_failure() {
        for (from, to, expected) in [
            ("271.49", "\"271.49\"", "`regularMarketPrice` is text"),
            ("271.49", "null", "`regularMarketPrice` is missing"),
            ("271.49", "0", "`regularMarketPrice` is missing"),
            ("271.49", "-1", "`regularMarketPrice` is negative"),
            ("271.49", "1e10", "`regularMarketPrice` is too large"),
            ("266.25", "\"266.25\"", "`previousClose` is text"),
            ("59030832", "-1", "`regularMarketVolume` is negative"),
            ("59030832", "{}", "`regularMarketVolume` is an object"),
            ("1763672370", "\"1763672370\"", "`regularMarketTime` is text"),
            ("1763672370", "1.5", "`regularMarketTime` is no time in seconds"),
            ("1763672370", "null", "`regularMarketTime` is missing"),
            ("1763672370", "9223372036854775807", "`regularMarketTime` is no time in seconds"),
            ("\"USD\"", "1", "`currency` is a number"),
            ("\"AAPL\"", "\"MSFT\"", "the answer is about 'MSFT'"),
        ] {
            assert_eq!(failure(200, &answer(&META.replace(from, to), BARS)), expected);
        }
        assert_eq!(failure(200, &answer(META, &BARS.replace("265.95001220703125", "\"1\""))), "`open` is text");
        for (body, expected) in [
            ("null", "the answer is no chart"),
            ("{}", "`chart` is missing"),
            (r#"{"chart":null}"#, "`chart` is null"),
            (r#"{"chart":{"result":null,"error":null}}"#, "`result` is null"),
            (r#"{"chart":{"result":[],"error":null}}"#, "`result` is empty"),
            (r#"{"chart":{"result":[null],"error":null}}"#, "`result` is null"),
            (r#"{"chart":{"result":[{"meta":null}],"error":null}}"#, "`meta` is null"),
            (&answer(META, r#""indicators":null,"timestamp":[1]"#), "`indicators` is null"),
            (&answer(META, r#""indicators":{"quote":[null]}"#), "`quote` is null"),
        ] {
            assert_eq!(failure(200, body), expected);
        }
        let empty = r#"{"chart":{"result":[{"meta":{"symbol":"AAPL"},"indicators":{"quote":[{}]}}],"error":null}}"#;
        assert_eq!(failure(200, empty), "no data in range");
    }

    #[test]
    fn what_yahoo_says_instead_of_a_chart() {
        let envelope = |code: &str, what: &str| {
            format!(r#"{{"chart":{{"result":null,"error":{{"code":"{code}","description":"{what}"}}}}}}"#)
        };
        let unknown = Err(Trouble::Unknown("No data found, symbol may be delisted".into()));
        let body = envelope("Not Found", "No data found, symbol may be delisted");
        assert_eq!(of(404, &body), unknown);
        assert_eq!(of(200, &body), unknown);
        assert_eq!(failure(404, "<html>"), "status 404, and not a word of Yahoo's about it");
        let range = envelope("Unprocessable Entity", "1m data not available");
        assert_eq!(failure(422, &range), "422 Unprocessable Entity: 1m data not available");
        for text in ["Too Many Requests\r\n", "Edge: Too Many Requests"] {
            assert_eq!(failure(429, text), "too many requests (429)");
        }
        let crumb = r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#;
        assert_eq!(failure(401, crumb), "401 Unauthorized: Invalid Crumb");
        assert_eq!(failure(503, ""), "Yahoo is in trouble (status 503)");
        let maintenance = "<!DOCTYPE html><html><h1>Will be right back...</h1>";
        assert_eq!(failure(200, maintenance), "Yahoo is down for maintenance");
        assert_eq!(failure(200, "<html>consent"), "the answer is a web page, not a chart");
        assert_eq!(failure(200, ""), "the answer is empty");
        let whole = answer(META, BARS);
        for length in [1, 40, whole.len() / 2, whole.len() - 1] {
            assert_eq!(failure(200, &whole[..length]), "the answer is cut off");
        }
    }
}
