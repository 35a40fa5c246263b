//! Items as DynamoDB keeps them: attribute maps, as the client writes them and as the table's stream shows them.

use aws_sdk_dynamodb::types::AttributeValue;
use pipeline::{Item, Origin, Percent, Price, Quote, Sequence, Side, Symbol, Timestamp, Trail, Volume, Window};
use serde::Deserialize;
use std::{collections::HashMap, fmt::Display, sync::Arc};

/// How long the table keeps an item beyond `expires_at`, in seconds. Deletion follows the wall clock, and a consumer
/// that lags behind by up to a day still has to find what counted when its records arrived.
const KEPT_LONGER: i64 = 24 * 60 * 60;

/// Named attributes, of which an item is read.
pub trait Attributes {
    /// A string.
    fn string(&self, name: &str) -> Option<&str>;
    /// A number's text.
    fn number(&self, name: &str) -> Option<&str>;
    /// A truth value.
    fn flag(&self, name: &str) -> Option<bool>;
}

impl Attributes for HashMap<String, AttributeValue> {
    fn string(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_s().ok().map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_n().ok().map(String::as_str)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool().ok().copied()
    }
}

/// An attribute as the table's stream shows it, in DynamoDB's own JSON; of other kinds of values, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct StreamAttribute {
    #[serde(rename = "S")]
    string: Option<String>,
    #[serde(rename = "N")]
    number: Option<String>,
    #[serde(rename = "BOOL")]
    flag: Option<bool>,
}

impl Attributes for HashMap<String, StreamAttribute> {
    fn string(&self, name: &str) -> Option<&str> {
        self.get(name)?.string.as_deref()
    }

    fn number(&self, name: &str) -> Option<&str> {
        self.get(name)?.number.as_deref()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.flag
    }
}

/// An item of a table that is not as the functions write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{symbol} at {timestamp}: the item's attribute `{attribute}` is missing, or not as the functions write it")]
pub struct DamagedItem {
    /// What the item is of, as far as it says.
    pub symbol: String,
    /// Its market time, as far as it says.
    pub timestamp: String,
    /// The attribute.
    pub attribute: &'static str,
}

/// The item as attributes. `ttl` is when DynamoDB may delete it, in seconds since 1970: a day after it expires.
#[must_use]
pub fn attributes(item: &Item) -> HashMap<String, AttributeValue> {
    let Item { quote, sequence, change_percent, anomaly, late, trail, processed_at, expires_at } = item;
    let mut map = HashMap::with_capacity(24);
    let mut put = |name: &str, value| _ = map.insert(name.to_owned(), value);
    put("symbol", string(&quote.symbol));
    put("timestamp", string(quote.timestamp));
    put("price", number(quote.price));
    for (name, price) in
        [("open", quote.open), ("high", quote.high), ("low", quote.low), ("previous_close", quote.previous_close)]
    {
        price.into_iter().for_each(|price| put(name, number(price)));
    }
    quote.volume.into_iter().for_each(|volume| put("volume", number(volume)));
    for (name, text) in [("currency", &quote.currency), ("source", &quote.source)] {
        text.iter().for_each(|text| put(name, string(text)));
    }
    put("origin", string(quote.origin.as_str()));
    for (name, flag) in [("stale", quote.stale), ("alert", quote.alert), ("anomaly", *anomaly), ("late", *late)] {
        put(name, AttributeValue::Bool(flag));
    }
    put("ingested_at", string(quote.ingested_at));
    put("sequence", string(sequence));
    change_percent.iter().for_each(|percent| put("change_percent", number(percent)));
    if let Some(trail) = trail {
        let prices: Vec<String> = trail.window.prices().iter().map(ToString::to_string).collect();
        put("window", string(prices.join(" ")));
        trail.side.iter().for_each(|side| put("side", number(side.sign())));
    }
    put("processed_at", string(processed_at));
    put("expires_at", number(expires_at));
    put("ttl", number(expires_at.saturating_add(KEPT_LONGER)));
    map
}

/// The item that these are the attributes of. Others than an item's are passed over.
///
/// # Errors
/// When one is missing or no such value.
pub fn item(map: &impl Attributes) -> Result<Item, DamagedItem> {
    read(map).map_err(|attribute| DamagedItem {
        symbol: map.string("symbol").unwrap_or("?").to_owned(),
        timestamp: map.string("timestamp").unwrap_or("?").to_owned(),
        attribute,
    })
}

fn read(map: &impl Attributes) -> Result<Item, &'static str> {
    let time = |name| map.string(name).and_then(Timestamp::parse).ok_or(name);
    let flag = |name| map.flag(name).ok_or(name);
    let optional = |name: &'static str| match map.number(name) {
        Some(text) => Price::parse(text).map(Some).map_err(|_| name),
        None => Ok(None),
    };
    let volume = map.number("volume").map(Volume::parse).transpose().map_err(|_| "volume")?;
    let percent = map.number("change_percent").map(|text| percent(text).ok_or("change_percent")).transpose()?;
    let quote = Quote {
        symbol: map.string("symbol").and_then(|text| Symbol::parse(text).ok()).ok_or("symbol")?,
        timestamp: time("timestamp")?,
        price: optional("price")?.ok_or("price")?,
        open: optional("open")?,
        high: optional("high")?,
        low: optional("low")?,
        previous_close: optional("previous_close")?,
        volume,
        currency: map.string("currency").map(Arc::from),
        source: map.string("source").map(Arc::from),
        origin: map.string("origin").and_then(Origin::parse).ok_or("origin")?,
        stale: flag("stale")?,
        alert: flag("alert")?,
        ingested_at: time("ingested_at")?,
    };
    Ok(Item {
        quote,
        sequence: map.string("sequence").and_then(Sequence::parse).ok_or("sequence")?,
        change_percent: percent,
        anomaly: flag("anomaly")?,
        late: flag("late")?,
        trail: map.string("window").map(|text| trail(text, map)).transpose()?.map(Box::new),
        processed_at: time("processed_at")?,
        expires_at: map.number("expires_at").and_then(|text| text.parse().ok()).ok_or("expires_at")?,
    })
}

fn trail(text: &str, map: &impl Attributes) -> Result<Trail, &'static str> {
    let prices: Result<Vec<Price>, _> = text.split(' ').map(Price::parse).collect();
    let window: Window = prices.map_err(|_| "window")?.into_iter().collect();
    let side = match map.number("side") {
        Some(sign) => Some(sign.parse().ok().and_then(Side::from_sign).ok_or("side")?),
        None => None,
    };
    Ok(Trail { window, side })
}

/// A number of at most four places, exactly.
fn percent(text: &str) -> Option<Percent> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || part.len() > 4 || !digits(whole) || !digits(part) {
        return None;
    }
    let units: i64 = format!("{whole}{part:0<4}").parse().ok()?;
    Some(Percent(if negative { -units } else { units }))
}

pub(crate) fn string(value: impl Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
