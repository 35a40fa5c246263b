//! What a quote is: the one table of its fields, from which JSON, items, Parquet and SQL types follow.

use crate::{Date, Price, Sequence, Symbol, Timestamp, Volume, rules::Side, rules::Window};
use std::{fmt, sync::Arc};

/// What kind of value a field holds, and so its type in each place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string everywhere.
    Text,
    /// A string of 24 characters in JSON and items, a timestamp of milliseconds in the lake.
    Time,
    /// A number of this many digits, so many of them after the point; an exact decimal everywhere.
    Decimal(u8, i8),
    /// A boolean everywhere.
    Flag,
}

impl Kind {
    /// The type in SQL, as the Glue catalog writes it.
    #[must_use]
    pub fn sql(self) -> String {
        match self {
            Self::Text => "string".into(),
            Self::Time => "timestamp".into(),
            Self::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
            Self::Flag => "boolean".into(),
        }
    }
}

/// Whether a quote on the stream has the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStream {
    /// Every quote has it.
    Required,
    /// A quote may have it.
    Optional,
    /// The pipeline makes it.
    Never,
}

/// One field of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, the same everywhere.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it is in the stream's JSON.
    pub on_stream: OnStream,
    /// Whether it is a column of the lake; all fields are attributes of the table's items.
    pub in_lake: bool,
}

/// Prices have 18 digits, 8 of them after the point.
pub const PRICE: Kind = Kind::Decimal(18, 8);
/// Volumes have 28 digits, 8 of them after the point.
pub const VOLUME: Kind = Kind::Decimal(28, 8);
/// Changes in percent have 18 digits, 4 of them after the point.
pub const PERCENT: Kind = Kind::Decimal(18, 4);

/// Every field of a quote, in the order of the lake's columns.
pub const FIELDS: [Field; 17] = [
    field("symbol", Kind::Text, OnStream::Required, true),
    field("timestamp", Kind::Time, OnStream::Required, true),
    field("price", PRICE, OnStream::Required, true),
    field("open", PRICE, OnStream::Optional, true),
    field("high", PRICE, OnStream::Optional, true),
    field("low", PRICE, OnStream::Optional, true),
    field("previous_close", PRICE, OnStream::Optional, true),
    field("volume", VOLUME, OnStream::Optional, true),
    field("currency", Kind::Text, OnStream::Optional, true),
    field("source", Kind::Text, OnStream::Optional, true),
    field("origin", Kind::Text, OnStream::Optional, true),
    field("stale", Kind::Flag, OnStream::Optional, true),
    field("alert", Kind::Flag, OnStream::Optional, false),
    field("ingested_at", Kind::Time, OnStream::Optional, true),
    field("change_percent", PERCENT, OnStream::Never, true),
    field("anomaly", Kind::Flag, OnStream::Never, true),
    field("sequence", Kind::Text, OnStream::Never, true),
];

const fn field(name: &'static str, kind: Kind, on_stream: OnStream, in_lake: bool) -> Field {
    Field { name, kind, on_stream, in_lake }
}

/// Where a quote comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// As the market made it.
    #[default]
    Live,
    /// Recorded or synthetic.
    Replay,
    /// History, filled in later: stored, but without averages, signals or alerts.
    Backfill,
}

impl Origin {
    /// `live`, `replay` or `backfill`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Replay => "replay",
            Self::Backfill => "backfill",
        }
    }

    /// The origin of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Replay, Self::Backfill].into_iter().find(|o| o.as_str() == text)
    }
}

/// A quote as it is on the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What it is of.
    pub symbol: Symbol,
    /// When the market made it.
    pub timestamp: Timestamp,
    /// The price.
    pub price: Price,
    /// The first price of the bar or the day.
    pub open: Option<Price>,
    /// The highest.
    pub high: Option<Price>,
    /// The lowest.
    pub low: Option<Price>,
    /// The last price of the session before.
    pub previous_close: Option<Price>,
    /// What was traded in the bar or the day.
    pub volume: Option<Volume>,
    /// As the source says.
    pub currency: Option<Arc<str>>,
    /// Who sent it.
    pub source: Option<Arc<str>>,
    /// Where it comes from.
    pub origin: Origin,
    /// Older than its source's delay allows when it was sent; set by the producer, never judged again.
    pub stale: bool,
    /// Whether its signals are published.
    pub alert: bool,
    /// When the producer sent it.
    pub ingested_at: Timestamp,
}

impl Quote {
    /// What makes a second quote of the same identity a duplicate rather than a revised one.
    #[must_use]
    pub fn same_values(&self, other: &Self) -> bool {
        (self.price, self.open, self.high, self.low, self.volume)
            == (other.price, other.open, other.high, other.low, other.volume)
    }
}

/// Decides whether a change of price is an anomaly: beyond this many percent, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnomalyThreshold(Price);

impl Default for AnomalyThreshold {
    /// 5 %.
    fn default() -> Self {
        Self::percent("5").unwrap_or(Self(Price::MIN))
    }
}

impl AnomalyThreshold {
    /// A threshold in percent, such as `2.5`; none where it is not above zero or has more than eight places.
    #[must_use]
    pub fn percent(text: &str) -> Option<Self> {
        Price::parse(text).ok().map(Self)
    }
}

impl fmt::Display for AnomalyThreshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A change against the session before, in units of 10⁻⁴ percent: `decimal(18,4)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub i64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        crate::push_decimal(&mut text, i128::from(self.0), 4);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// What the change against the previous close is, and whether it is an anomaly.
///
/// The percentage is rounded to four places, half away from zero, and is none without a previous close or where
/// it has more than 18 digits; the decision uses the exact value.
#[must_use]
pub fn change(quote: &Quote, threshold: AnomalyThreshold) -> (Option<Percent>, bool) {
    let Some(previous) = quote.previous_close else { return (None, false) };
    let previous = i128::from(previous.units());
    let difference = i128::from(quote.price.units()) - previous;
    // difference / previous · 100 %, in units of 10⁻⁴: at most 10¹⁸ · 10⁶, far inside an i128.
    let scaled = difference.abs() * 1_000_000;
    let rounded = (scaled * 2 + previous) / (previous * 2) * difference.signum();
    let percent = i64::try_from(rounded).ok().filter(|p| p.unsigned_abs() < 10_u64.pow(18)).map(Percent);
    let anomaly = difference.abs() * 100 * i128::from(crate::decimal::ONE) > i128::from(threshold.0.units()) * previous;
    (percent, anomaly)
}

/// A quote as the table keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What was on the stream.
    pub quote: Quote,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Against the previous close.
    pub change_percent: Option<Percent>,
    /// Whether the change is beyond the threshold.
    pub anomaly: bool,
    /// Not above every in-order quote before it in the stream.
    pub late: bool,
    /// Of an in-order quote: what a signal is decided from.
    pub trail: Option<Box<Trail>>,
    /// When process wrote it.
    pub processed_at: Timestamp,
    /// When it counts as gone, in seconds since 1970: its arrival plus the retention.
    pub expires_at: i64,
}

/// What an in-order quote carries of its symbol's past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// The last 20 in-order prices, its own included.
    pub window: Window,
    /// The last side other than zero before it.
    pub side: Option<Side>,
}

impl Trail {
    /// The last side other than zero after it.
    #[must_use]
    pub fn side_after(&self) -> Option<Side> {
        self.window.side().or(self.side)
    }
}

impl Item {
    /// Whether the item counts as gone for what arrives then.
    #[must_use]
    pub fn expired(&self, arrival: Timestamp) -> bool {
        self.expires_at <= arrival.seconds()
    }

    /// The session it belongs to.
    #[must_use]
    pub fn session(&self) -> Date {
        self.quote.timestamp.date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(price: &str, previous_close: Option<&str>) -> Quote {
        Quote {
            symbol: Symbol::parse("AAPL").expect("a symbol"),
            timestamp: Timestamp::parse("2013-02-28T21:00:00Z").expect("a time"),
            price: Price::parse(price).expect("a price"),
            open: None,
            high: None,
            low: None,
            previous_close: previous_close.and_then(|p| Price::parse(p).ok()),
            volume: None,
            currency: None,
            source: None,
            origin: Origin::Live,
            stale: false,
            alert: true,
            ingested_at: Timestamp::parse("2013-02-28T21:00:00Z").expect("a time"),
        }
    }

    fn judged(price: &str, previous: &str) -> (String, bool) {
        let (percent, anomaly) = change(&quote(price, Some(previous)), AnomalyThreshold::default());
        (percent.map(|p| p.to_string()).unwrap_or_default(), anomaly)
    }

    #[test]
    fn the_decision_is_exact_and_the_figure_is_rounded() {
        assert_eq!(judged("180.05", "194.93"), ("-7.6335".into(), true));
        // Exactly 5 % is no anomaly; the smallest step beyond it is, though both round to 5.
        assert_eq!(judged("105", "100"), ("5".into(), false));
        assert_eq!(judged("105.00000001", "100"), ("5".into(), true));
        assert_eq!(judged("94.99999999", "100"), ("-5".into(), true));
    }

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(judged("100.00005", "100").0, "0.0001");
        assert_eq!(judged("99.99995", "100").0, "-0.0001");
    }

    #[test]
    fn what_does_not_fit_is_none_but_still_an_anomaly() {
        assert_eq!(judged("9999999999", "0.00000001"), (String::new(), true));
        assert_eq!(change(&quote("1", None), AnomalyThreshold::default()), (None, false));
    }
}
