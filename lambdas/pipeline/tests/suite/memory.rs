//! The ports in memory. They promise what DynamoDB and SNS promise, and no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use stockpipe_pipeline::{
    Alerts, Asked, Head, Item, Newest, PortError, Put, Raised, RecordSequence, Sequence, SetAside, SetAsideStore,
    Signal, Signals, Symbol, Table, Timestamp,
};

/// What decides over the calls of one instance of a handler.
pub(crate) trait Adversary: Clone + Send + Sync {
    /// Before and after every effect: others may act now, and the instance may never come back.
    fn pause(&self) -> impl Future<Output = ()> + Send;

    /// Whether the call fails at this point.
    fn fails(&self) -> bool;

    /// Puts what is written together into any order.
    fn shuffle(&self, places: &mut [usize]);
}

/// Lets every call succeed at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calm;

impl Adversary for Calm {
    async fn pause(&self) {}

    fn fails(&self) -> bool {
        false
    }

    fn shuffle(&self, _: &mut [usize]) {}
}

/// Something raised, as the signals table has it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) raised: Raised,
    pub(crate) alerted: bool,
}

/// All that is outside the handlers.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) table: BTreeMap<Symbol, BTreeMap<Timestamp, Item>>,
    /// Every item that was ever written, again and again where it was.
    pub(crate) written: Vec<Item>,
    /// The items that were new to the table, or took the place of another: the inserts of its stream. Writing an item
    /// again is none.
    pub(crate) changes: Vec<Item>,
    /// The expired items that others took the place of.
    pub(crate) replaced: Vec<Item>,
    pub(crate) registered: BTreeSet<Symbol>,
    /// By alert id.
    pub(crate) recorded: BTreeMap<String, Recorded>,
    pub(crate) published: Vec<Raised>,
    pub(crate) set_aside: BTreeMap<Sequence, SetAside>,
}

impl World {
    /// The signals, in order of symbol, time and direction.
    pub(crate) fn signals(&self) -> impl Iterator<Item = &Signal> {
        self.recorded.values().filter_map(|recorded| match &recorded.raised {
            Raised::Signal(signal) => Some(signal),
            Raised::Anomaly(_) => None,
        })
    }

    fn head(&self, symbol: &Symbol, before: RecordSequence, arrival: Timestamp) -> Head {
        let mut head = Head::default();
        let newest_first = self.table.get(symbol).into_iter().flat_map(|items| items.values().rev());
        for item in newest_first.filter(|item| item.sequence.record < before && !item.expired(arrival)) {
            if let Some(trail) = item.trail.clone() {
                head.newest =
                    Some(Newest { timestamp: item.quote.timestamp, trail: *trail, expires_at: item.expires_at });
                break;
            }
            head.taken.push(item.clone());
        }
        head
    }

    fn put(&mut self, item: &Item) {
        self.written.push(item.clone());
        let items = self.table.entry(item.quote.symbol.clone()).or_default();
        let old = items.insert(item.quote.timestamp, item.clone());
        if old.as_ref().is_some_and(|old| old.sequence == item.sequence) {
            return;
        }
        self.replaced.extend(old);
        self.changes.push(item.clone());
    }

    fn put_new(&mut self, item: &Item, arrival: Timestamp) -> Put {
        let holder = self.table.get(&item.quote.symbol).and_then(|items| items.get(&item.quote.timestamp));
        match holder.filter(|holder| !holder.expired(arrival)) {
            Some(holder) => Put::Taken(Box::new(holder.clone())),
            None => {
                self.put(item);
                Put::Stored
            }
        }
    }

    fn record(&mut self, raised: &Raised) -> bool {
        let recorded = self
            .recorded
            .entry(raised.alert_id())
            .or_insert_with(|| Recorded { raised: raised.clone(), alerted: false });
        recorded.raised.alert() && !recorded.alerted
    }
}

/// What one instance of a handler has of the world.
#[derive(Clone, Debug)]
pub(crate) struct Ports<A> {
    world: Arc<Mutex<World>>,
    adversary: A,
}

impl<A: Adversary> Ports<A> {
    pub(crate) fn new(world: Arc<Mutex<World>>, adversary: A) -> Self {
        Self { world, adversary }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panics with the world in hand")
    }

    /// One call over the network: it may be refused, and its answer may be lost.
    async fn call<T: Send>(&self, effect: impl FnOnce(&mut World) -> T + Send) -> Result<T, PortError> {
        self.adversary.pause().await;
        if self.adversary.fails() {
            return Err(PortError("throttled".into()));
        }
        let answer = effect(&mut self.world());
        self.adversary.pause().await;
        if self.adversary.fails() { Err(PortError("no answer".into())) } else { Ok(answer) }
    }
}

impl<A: Adversary> Table for Ports<A> {
    async fn heads(
        &mut self,
        asked: &[Asked],
        before: RecordSequence,
        arrival: Timestamp,
    ) -> Result<Vec<Head>, PortError> {
        let mut heads = Vec::new();
        for Asked { symbol, first, last } in asked {
            let mut head = self.call(|world| world.head(symbol, before, arrival)).await?;
            head.taken.retain(|item| (*first..=*last).contains(&item.quote.timestamp));
            heads.push(head);
        }
        Ok(heads)
    }

    async fn put_in_order(&mut self, items: &[Item]) -> Result<Vec<usize>, PortError> {
        self.call(|_| ()).await?;
        let mut places: Vec<usize> = (0..items.len()).collect();
        self.adversary.shuffle(&mut places);
        let mut unwritten = Vec::new();
        for place in places {
            if self.call(|world| world.put(&items[place])).await.is_err() {
                unwritten.push(place);
            }
        }
        Ok(unwritten)
    }

    async fn put_new(&mut self, item: &Item, arrival: Timestamp) -> Result<Put, PortError> {
        self.call(|world| world.put_new(item, arrival)).await
    }
}

impl<A: Adversary> Signals for Ports<A> {
    async fn register(&mut self, symbols: &[Symbol]) -> Result<(), PortError> {
        for symbol in symbols {
            self.call(|world| world.registered.insert(symbol.clone())).await?;
        }
        Ok(())
    }

    async fn record(&mut self, raised: &[Raised]) -> Result<Vec<bool>, PortError> {
        let mut pending = Vec::new();
        for raised in raised {
            pending.push(self.call(|world| world.record(raised)).await?);
        }
        Ok(pending)
    }

    async fn mark_alerted(&mut self, raised: &Raised, _: Timestamp) -> Result<(), PortError> {
        self.call(|world| world.recorded.get_mut(&raised.alert_id()).expect("what was recorded").alerted = true).await
    }
}

impl<A: Adversary> Alerts for Ports<A> {
    async fn publish(&mut self, raised: &Raised) -> Result<(), PortError> {
        self.call(|world| world.published.push(raised.clone())).await
    }
}

impl<A: Adversary> SetAsideStore for Ports<A> {
    async fn put(&mut self, lines: &[SetAside]) -> Result<(), PortError> {
        for line in lines {
            self.call(|world| _ = world.set_aside.entry(line.sequence).or_insert_with(|| line.clone())).await?;
        }
        Ok(())
    }
}
