//! What was raised, for ever, and the symbols there are: the signals table, in DynamoDB.
//!
//! Partition key `symbol`, sort key `id`: `signal#<timestamp>#BUY`, `anomaly#<session>`, and for each symbol an item
//! of the partition `*`, which can be no symbol, whose `id` is the symbol.

use crate::{
    CallError, Calls, DamagedItem, QuotesTable,
    attributes::{Attributes, number, string},
    quotes::holder,
};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{
    Asked, Average, Direction, Head, Item, PortError, Price, Put, Raised, RecordSequence, Signal, Signals, Symbol,
    Table, Timestamp, trend::Anomaly,
};
use std::collections::{HashMap, HashSet};

/// Calls that are under way at once.
const CALLS: usize = 32;
/// The partition of the register of symbols, whose sort key is the symbol.
pub const REGISTER: &str = "*";
/// What the sort key of every signal begins with; its market time follows.
pub const SIGNAL: &str = "signal#";

/// The signals table, for one invocation.
#[derive(Clone, Debug)]
pub struct SignalsTable {
    /// The client.
    pub client: Client,
    /// The table's name.
    pub name: String,
    /// The invocation's calls.
    pub calls: Calls,
}

/// Both tables, which process needs.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The quotes.
    pub quotes: QuotesTable,
    /// What was raised, and the symbols.
    pub signals: SignalsTable,
}

impl SignalsTable {
    async fn register_one(&self, symbol: &Symbol) -> Result<(), PortError> {
        let put = self.client.put_item().table_name(&self.name);
        let put = put.item("symbol", string(REGISTER)).item("id", string(symbol));
        self.calls.call("DynamoDB.PutItem", put.send()).await.map(drop)
    }

    /// Whether its alert is still to be published.
    async fn record_one(&self, raised: &Raised) -> Result<bool, PortError> {
        const CALL: &str = "DynamoDB.PutItem";
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(recorded(raised)))
            .condition_expression("attribute_not_exists(symbol)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match self.calls.answer(CALL, put.send()).await? {
            Ok(_) => Ok(raised.alert()),
            Err(error) => match holder(&error) {
                Some(old) => Ok(old.flag("alert").unwrap_or(true) && old.string("alerted_at").is_none()),
                None => Err(self.calls.failed(CallError::new(CALL, &error))),
            },
        }
    }
}

impl Signals for SignalsTable {
    async fn register(&mut self, symbols: &[Symbol]) -> Result<(), PortError> {
        let this = &*self;
        let puts = symbols.iter().map(|symbol| this.register_one(symbol));
        stream::iter(puts).buffer_unordered(CALLS).try_collect().await
    }

    async fn record(&mut self, raised: &[Raised]) -> Result<Vec<bool>, PortError> {
        // Of anomalies of one session the first is the one, here as between calls: one alert is enough.
        let mut seen = HashSet::new();
        let first: Vec<bool> = raised.iter().map(|raised| seen.insert(raised.alert_id())).collect();
        let this = &*self;
        let puts = raised
            .iter()
            .zip(first)
            .map(|(raised, first)| async move { if first { this.record_one(raised).await } else { Ok(false) } });
        stream::iter(puts).buffered(CALLS).try_collect().await
    }

    async fn mark_alerted(&mut self, raised: &Raised, at: Timestamp) -> Result<(), PortError> {
        // The first time is kept. An item that was taken away is not made anew from its mark.
        let (symbol, id) = key(raised);
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("symbol", string(symbol))
            .key("id", string(id))
            .condition_expression("attribute_exists(symbol)")
            .update_expression("SET alerted_at = if_not_exists(alerted_at, :at)")
            .expression_attribute_values(":at", string(at));
        match self.calls.answer("DynamoDB.UpdateItem", update.send()).await? {
            Err(error)
                if !error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Err(self.calls.failed(CallError::new("DynamoDB.UpdateItem", &error)))
            }
            _ => Ok(()),
        }
    }
}

impl Signals for Tables {
    async fn register(&mut self, symbols: &[Symbol]) -> Result<(), PortError> {
        self.signals.register(symbols).await
    }

    async fn record(&mut self, raised: &[Raised]) -> Result<Vec<bool>, PortError> {
        self.signals.record(raised).await
    }

    async fn mark_alerted(&mut self, raised: &Raised, at: Timestamp) -> Result<(), PortError> {
        self.signals.mark_alerted(raised, at).await
    }
}

impl Table for Tables {
    async fn heads(
        &mut self,
        asked: &[Asked],
        before: RecordSequence,
        arrival: Timestamp,
    ) -> Result<Vec<Head>, PortError> {
        self.quotes.heads(asked, before, arrival).await
    }

    async fn put_in_order(&mut self, items: &[Item]) -> Result<Vec<usize>, PortError> {
        self.quotes.put_in_order(items).await
    }

    async fn put_new(&mut self, item: &Item, arrival: Timestamp) -> Result<Put, PortError> {
        self.quotes.put_new(item, arrival).await
    }
}

fn key(raised: &Raised) -> (&Symbol, String) {
    match raised {
        Raised::Signal(s) => (&s.symbol, format!("{SIGNAL}{}#{}", s.timestamp, s.direction.as_str())),
        Raised::Anomaly(a) => (&a.symbol, format!("anomaly#{}", a.session)),
    }
}

/// The item that records it.
fn recorded(raised: &Raised) -> HashMap<String, AttributeValue> {
    let (symbol, id) = key(raised);
    let mut map = HashMap::with_capacity(12);
    let mut put = |name: &str, value| _ = map.insert(name.to_owned(), value);
    put("symbol", string(symbol));
    put("id", string(id));
    put("alert_id", string(raised.alert_id()));
    put("alert", AttributeValue::Bool(raised.alert()));
    match raised {
        Raised::Signal(signal) => {
            put("timestamp", string(signal.timestamp));
            put("signal", string(signal.direction.as_str()));
            put("price", number(signal.price));
            put("sma_5", number(signal.sma_5));
            put("sma_20", number(signal.sma_20));
        }
        Raised::Anomaly(Anomaly { session, timestamp, price, previous_close, change_percent, .. }) => {
            put("session", string(session));
            put("timestamp", string(timestamp));
            put("price", number(price));
            previous_close.iter().for_each(|close| put("previous_close", number(close)));
            change_percent.iter().for_each(|percent| put("change_percent", number(percent)));
        }
    }
    map
}

/// The signal that these are the attributes of.
///
/// # Errors
/// When one is missing or no such value.
pub fn signal(map: &impl Attributes) -> Result<Signal, DamagedItem> {
    read(map).map_err(|attribute| DamagedItem {
        symbol: map.string("symbol").unwrap_or("?").to_owned(),
        timestamp: map.string("timestamp").unwrap_or("?").to_owned(),
        attribute,
    })
}

fn read(map: &impl Attributes) -> Result<Signal, &'static str> {
    let average = |name| map.number(name).and_then(Average::parse).ok_or(name);
    Ok(Signal {
        symbol: map.string("symbol").and_then(|text| Symbol::parse(text).ok()).ok_or("symbol")?,
        timestamp: map.string("timestamp").and_then(Timestamp::parse).ok_or("timestamp")?,
        direction: map.string("signal").and_then(Direction::parse).ok_or("signal")?,
        price: map.number("price").and_then(|text| Price::parse(text).ok()).ok_or("price")?,
        sma_5: average("sma_5")?,
        sma_20: average("sma_20")?,
        alert: map.flag("alert").ok_or("alert")?,
    })
}
