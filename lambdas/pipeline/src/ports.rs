//! What the handlers ask of the world, as narrow as they need it. Each target has its own implementations.
//!
//! Every effect is idempotent: a batch may come again, cut otherwise, or to two instances at once.

use crate::{Item, Raised, RecordSequence, SetAside, Symbol, Timestamp, Trail};
use std::future::Future;

/// Something outside failed for now: throttled, unreachable, full. What it was needed for is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PortError(pub String);

/// What has to be known of a symbol to judge its next quote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The newest in-order quote.
    pub newest: Option<Newest>,
    /// The items above it, of the times asked for at least: not in order themselves, but their identities are taken.
    pub taken: Vec<Item>,
}

/// The newest in-order quote of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Its market time.
    pub timestamp: Timestamp,
    /// What it carries.
    pub trail: Trail,
    /// When it counts as gone, in seconds since 1970.
    pub expires_at: i64,
}

/// A symbol whose head is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The symbol.
    pub symbol: Symbol,
    /// The earliest market time that is to be judged.
    pub first: Timestamp,
    /// The latest.
    pub last: Timestamp,
}

/// Whether an item was new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was, and is stored now.
    Stored,
    /// Its identity was taken, by this item.
    Taken(Box<Item>),
}

/// The latest quotes by symbol and market time.
pub trait Table {
    /// The head of each symbol as it was before the record `before`, which came at `arrival`: items whose sequence
    /// is not below it are passed over, and so are those that had expired by then. Reads consistently.
    fn heads(
        &mut self,
        asked: &[Asked],
        before: RecordSequence,
        arrival: Timestamp,
    ) -> impl Future<Output = Result<Vec<Head>, PortError>>;

    /// Writes in-order items, in any order; nothing else that is not expired has their identity. The places in
    /// `items` of those that could not be written come back.
    fn put_in_order(&mut self, items: &[Item]) -> impl Future<Output = Result<Vec<usize>, PortError>>;

    /// Writes the item if its identity is free or was last held by an item that had expired at `arrival`.
    fn put_new(&mut self, item: &Item, arrival: Timestamp) -> impl Future<Output = Result<Put, PortError>>;
}

/// What was raised, for ever, and the symbols there are.
pub trait Signals {
    /// Makes symbols known, so that `latest` finds them.
    fn register(&mut self, symbols: &[Symbol]) -> impl Future<Output = Result<(), PortError>>;

    /// Records each once; true for those whose alert is still to be published.
    fn record(&mut self, raised: &[Raised]) -> impl Future<Output = Result<Vec<bool>, PortError>>;

    /// Marks an alert as published.
    fn mark_alerted(&mut self, raised: &Raised, at: Timestamp) -> impl Future<Output = Result<(), PortError>>;
}

/// Where alerts go.
pub trait Alerts {
    /// Publishes one; when this returns it is delivered or durably queued.
    fn publish(&mut self, raised: &Raised) -> impl Future<Output = Result<(), PortError>>;
}

/// Where lines go that can never become quotes.
pub trait SetAsideStore {
    /// Keeps them, each once by its sequence.
    fn put(&mut self, lines: &[SetAside]) -> impl Future<Output = Result<(), PortError>>;
}
