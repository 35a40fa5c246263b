//! Trend: from an in-order item to what it raises, recorded once and alerted at least once.
//!
//! It needs nothing but the item, whose window and side say what came before it. So changes may come in any order
//! between items, and again.

use crate::{Alerts, Date, Item, Percent, PortError, Price, Signal, Signals, Symbol, Timestamp};

/// Something that an item raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raised {
    /// The averages crossed.
    Signal(Signal),
    /// The price moved beyond the threshold: the first time in this session that it is to be published.
    Anomaly(Anomaly),
}

/// A change against the previous close beyond the threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// The quote's symbol.
    pub symbol: Symbol,
    /// The session, of which it is the one anomaly that is alerted.
    pub session: Date,
    /// The quote's market time.
    pub timestamp: Timestamp,
    /// The quote's price.
    pub price: Price,
    /// The last price of the session before.
    pub previous_close: Option<Price>,
    /// The change; none where it does not fit.
    pub change_percent: Option<Percent>,
}

impl Raised {
    /// Names what was raised, the same whenever it is raised again, so that a repeated alert can be told.
    #[must_use]
    pub fn alert_id(&self) -> String {
        match self {
            Self::Signal(s) => format!("{}/{}/{}", s.symbol, s.timestamp, s.direction.as_str()),
            Self::Anomaly(a) => format!("{}/{}/ANOMALY", a.symbol, a.session),
        }
    }

    /// Whether it is to be published.
    #[must_use]
    pub const fn alert(&self) -> bool {
        match self {
            Self::Signal(signal) => signal.alert,
            Self::Anomaly(_) => true,
        }
    }

    /// What is published: one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let id = self.alert_id();
        match self {
            Self::Signal(Signal { symbol, timestamp, direction, price, sma_5, sma_20, .. }) => {
                let direction = direction.as_str();
                format!(
                    r#"{{"alert_id":"{id}","symbol":"{symbol}","timestamp":"{timestamp}","signal":"{direction}","price":{price},"sma_5":{sma_5},"sma_20":{sma_20}}}"#
                )
            }
            Self::Anomaly(Anomaly { symbol, session, timestamp, price, previous_close, change_percent }) => {
                let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".into());
                let previous_close = or_null(previous_close.map(|p| p.to_string()));
                let change_percent = or_null(change_percent.map(|p| p.to_string()));
                format!(
                    r#"{{"alert_id":"{id}","symbol":"{symbol}","session":"{session}","timestamp":"{timestamp}","anomaly":true,"price":{price},"previous_close":{previous_close},"change_percent":{change_percent}}}"#
                )
            }
        }
    }
}

/// What an item raises: a signal, an anomaly, both, or nothing. Only an in-order item raises anything.
pub fn raised(item: &Item) -> impl Iterator<Item = Raised> {
    let signal = Signal::of(item).map(Raised::Signal);
    let anomaly = (item.trail.is_some() && item.anomaly && item.quote.alert).then(|| {
        Raised::Anomaly(Anomaly {
            symbol: item.quote.symbol.clone(),
            session: item.session(),
            timestamp: item.quote.timestamp,
            price: item.quote.price,
            previous_close: item.quote.previous_close,
            change_percent: item.change_percent,
        })
    });
    signal.into_iter().chain(anomaly)
}

/// Records what the items raise, each once. Returns all of it, and what of it is still to be published.
///
/// # Errors
/// When it cannot be recorded: then all of it has to come again.
pub async fn record<S: Signals>(
    items: impl IntoIterator<Item = &Item>,
    signals: &mut S,
) -> Result<(Vec<Raised>, Vec<Raised>), PortError> {
    let all: Vec<Raised> = items.into_iter().flat_map(raised).collect();
    if all.is_empty() {
        return Ok((vec![], vec![]));
    }
    let pending = signals.record(&all).await?;
    let pending = all.iter().zip(pending).filter(|(_, pending)| *pending).map(|(raised, _)| raised.clone()).collect();
    Ok((all, pending))
}

/// Publishes alerts and marks them. What was published and not marked is published again, with the same id.
///
/// # Errors
/// When one cannot be published or marked: it and those after it have to come again.
pub async fn publish<S: Signals, A: Alerts>(
    pending: &[Raised],
    now: Timestamp,
    signals: &mut S,
    alerts: &mut A,
) -> Result<(), PortError> {
    for raised in pending {
        alerts.publish(raised).await?;
        signals.mark_alerted(raised, now).await?;
    }
    Ok(())
}
