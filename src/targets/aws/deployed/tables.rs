//! What is in the tables: symbols, their newest quotes, and their signals.

use super::Deployed;
use crate::{
    error::Error,
    targets::{NewSignals, aws::failed, local::stream::now},
};
use aws_ports::{REGISTER, SIGNAL, item, signal};
use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use futures::{StreamExt, TryStreamExt, stream};
use pipeline::{Item, Signal, Symbol, Timestamp};
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// Symbols that are asked for at once.
const QUERIES: usize = 32;
/// Items of a first page, of which nearly always the first is the answer.
const FIRST_PAGE: i32 = 4;
/// So often signals are looked for; each symbol makes it rarer by a part, so that many do not cost more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_RARER: Duration = Duration::from_millis(20);
/// A signal may be recorded after a later one of its symbol, for so long.
const OVERTAKEN: i64 = 5 * 60 * 1000;

type Map = HashMap<String, AttributeValue>;

impl Deployed {
    /// Every symbol that is registered, in order.
    pub(super) async fn registered(&self) -> Result<Vec<String>, Error> {
        let mut items = self.of(self.names.signals_table(), REGISTER).into_paginator().items().send();
        let mut symbols = Vec::new();
        while let Some(item) = items.next().await {
            let mut item = item.map_err(|e| failed("the symbols cannot be read", "DynamoDB.Query", &e))?;
            symbols
                .extend(item.remove("id").and_then(|id| if let AttributeValue::S(id) = id { Some(id) } else { None }));
        }
        Ok(symbols)
    }

    /// Those that were named, or all that are registered.
    async fn wanted(&self, symbols: &[Symbol]) -> Result<Vec<Symbol>, Error> {
        if symbols.is_empty() {
            return Ok(self.registered().await?.iter().filter_map(|symbol| Symbol::parse(symbol).ok()).collect());
        }
        let mut wanted = symbols.to_vec();
        wanted.sort();
        wanted.dedup();
        Ok(wanted)
    }

    /// The newest quote of each that has not expired.
    pub(super) async fn newest(&self, symbols: &[Symbol]) -> Result<Vec<Item>, Error> {
        let wanted = self.wanted(symbols).await?;
        let found = stream::iter(wanted.iter().map(|symbol| self.newest_of(symbol))).buffered(QUERIES);
        found.try_filter_map(async |item| Ok(item)).try_collect().await
    }

    async fn newest_of(&self, symbol: &Symbol) -> Result<Option<Item>, Error> {
        let query = self.of(self.names.quotes_table(), symbol).scan_index_forward(false).limit(FIRST_PAGE);
        let mut items = query.into_paginator().items().send();
        while let Some(map) = items.next().await {
            let map = map.map_err(|e| failed("the table cannot be read", "DynamoDB.Query", &e))?;
            let item = item(&map).map_err(|e| Error::new("the table cannot be read").because(e))?;
            if !item.expired(now()) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// The signals of each, in order of time, from this time on.
    pub(super) async fn recorded(&self, symbols: &[Symbol], since: Option<Timestamp>) -> Result<Vec<Signal>, Error> {
        let wanted = self.wanted(symbols).await?;
        let found = stream::iter(wanted.iter().map(|symbol| self.recorded_of(symbol, since))).buffered(QUERIES);
        found.try_concat().await
    }

    /// The signals of one, in order of time.
    pub(super) async fn recorded_of(&self, symbol: &Symbol, since: Option<Timestamp>) -> Result<Vec<Signal>, Error> {
        let from = since.map(|since| since.to_string()).unwrap_or_default();
        let query = self
            .of(self.names.signals_table(), symbol)
            .key_condition_expression("symbol = :symbol AND id BETWEEN :from AND :to")
            .expression_attribute_values(":from", AttributeValue::S(format!("{SIGNAL}{from}")))
            .expression_attribute_values(":to", AttributeValue::S(format!("{SIGNAL}~")));
        let mut items = query.into_paginator().items().send();
        let mut signals = Vec::new();
        while let Some(map) = items.next().await {
            let map: Map = map.map_err(|e| failed("the signals cannot be read", "DynamoDB.Query", &e))?;
            signals.push(signal(&map).map_err(|e| Error::new("the signals cannot be read").because(e))?);
        }
        Ok(signals)
    }

    /// The items of a partition, read consistently: what was stored before is there.
    pub(super) fn of(&self, table: String, symbol: &str) -> QueryFluentBuilder {
        self.aws
            .dynamodb()
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression("symbol = :symbol")
            .expression_attribute_values(":symbol", AttributeValue::S(symbol.into()))
    }
}

/// Signals as they are recorded. The table is asked again for the newest of each symbol.
pub(super) struct Following<'a> {
    deployed: &'a Deployed,
    symbols: Vec<Symbol>,
    /// Of each symbol since when, and which of those were given already.
    seen: HashMap<Symbol, (Option<Timestamp>, HashSet<Timestamp>)>,
    next_look: Option<Instant>,
}

impl<'a> Following<'a> {
    pub(super) fn new(deployed: &'a Deployed, symbols: &[Symbol]) -> Self {
        Self { deployed, symbols: symbols.to_vec(), seen: HashMap::new(), next_look: None }
    }
}

impl NewSignals for Following<'_> {
    fn next(&mut self) -> Result<Vec<Signal>, Error> {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return Ok(Vec::new());
        }
        let deployed = self.deployed;
        let seen = &self.seen;
        let found: Vec<Signal> = deployed.wait(async {
            let wanted = deployed.wanted(&self.symbols).await?;
            let since = |symbol: &Symbol| seen.get(symbol).and_then(|(since, _)| *since);
            let each = wanted.iter().map(|symbol| deployed.recorded_of(symbol, since(symbol)));
            self.next_look = Some(now + LOOK_EVERY.max(LOOK_RARER.saturating_mul(wanted.len() as u32)));
            stream::iter(each).buffered(QUERIES).try_concat().await
        })?;
        let mut new = Vec::new();
        for signal in found {
            let (since, given) = self.seen.entry(signal.symbol.clone()).or_default();
            if given.insert(signal.timestamp) {
                let from = signal.timestamp.plus_millis(-OVERTAKEN);
                if since.is_none_or(|since| since < from) {
                    *since = Some(from);
                    given.retain(|time| *time >= from);
                }
                new.push(signal);
            }
        }
        Ok(new)
    }
}
