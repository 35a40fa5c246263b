//! The handlers on a calm day: every call succeeds, and each batch is done before the next begins.

use crate::{
    fold::{Entry, Folded, fold},
    memory::{Calm, Ports, World},
};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};
use stockpipe_pipeline::{
    AnomalyThreshold, Counts, Item, ProcessSettings, Raised, Record, RecordSequence, Symbol, Timestamp, process, trend,
};

/// The retention of a stack unless told otherwise, in seconds.
pub(crate) const WEEK: i64 = 7 * 24 * 60 * 60;

pub(crate) fn settings(retention: i64) -> ProcessSettings {
    ProcessSettings { retention, anomaly: AnomalyThreshold::default() }
}

/// A pipeline that has worked through some batches.
pub(crate) struct Run {
    settings: ProcessSettings,
    ports: Ports<Calm>,
    /// Of each record that was done; a record that is done again must be counted as before.
    counts: BTreeMap<RecordSequence, Counts>,
}

impl Run {
    pub(crate) fn new(settings: ProcessSettings) -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        Self { settings, ports: Ports::new(world, Calm), counts: BTreeMap::new() }
    }

    /// The whole stream, in batches of `size` records, each delivered `times` times.
    pub(crate) fn of(records: &[Record], size: usize, times: usize, settings: ProcessSettings) -> Self {
        let mut run = Self::new(settings);
        for batch in records.chunks(size) {
            for _ in 0..times {
                run.batch(batch);
            }
        }
        run
    }

    /// Delivers a batch, and what process hands back of it once more, until it is done.
    pub(crate) fn batch(&mut self, batch: &[Record]) {
        let mut rest = batch;
        while !rest.is_empty() {
            let done = at_once(process(rest, self.settings, clock(), &mut self.ports.clone(), &mut self.ports.clone()))
                .expect("nothing fails");
            self.trend(&done.in_order);
            let done_to = match done.failed {
                None => rest.len(),
                Some(failed) => rest.iter().position(|r| r.sequence == failed.record).expect("a record of the batch"),
            };
            assert!(done_to > 0, "process must get on with its first record");
            for (record, counts) in rest.iter().zip(done.counts).take(done_to) {
                let before = self.counts.insert(record.sequence, counts);
                assert!(before.is_none_or(|before| before == counts), "{}: {before:?}, {counts:?}", record.sequence);
            }
            rest = &rest[done_to..];
        }
    }

    /// Lets process have a batch, and forgets what it says: to the stream the batch is not done.
    pub(crate) fn lose(&mut self, batch: &[Record]) {
        at_once(process(batch, self.settings, clock(), &mut self.ports.clone(), &mut self.ports.clone()))
            .expect("nothing fails");
    }

    fn trend(&mut self, items: &[Item]) {
        let (_, pending) = at_once(trend::record(items, &mut self.ports)).expect("nothing fails");
        at_once(trend::publish(&pending, clock(), &mut self.ports.clone(), &mut self.ports)).expect("nothing fails");
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.ports.world()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.values().fold(Counts::default(), |mut sum, counts| {
            add(&mut sum, *counts);
            sum
        })
    }

    /// The signals in short: when, which way, SMA-5, SMA-20; in order of time within a symbol.
    pub(crate) fn signals(&self) -> Vec<[String; 4]> {
        self.world()
            .signals()
            .map(|s| [s.timestamp.to_string(), s.direction.as_str().into(), s.sma_5.to_string(), s.sma_20.to_string()])
            .collect()
    }

    /// Holds everything against the plain fold of these records.
    pub(crate) fn assert_is_fold_of(&self, records: &[Record]) {
        let folded = fold(records, self.settings);
        assert_eq!(self.counts(), folded.counts);
        assert_end(&self.world(), &folded, &BTreeMap::new());
    }
}

/// Holds what is left in the end against the plain fold; `deleted` is what expired and is gone from the table.
pub(crate) fn assert_end(world: &World, folded: &Folded, deleted: &BTreeMap<(Symbol, Timestamp), Item>) {
    for item in &world.written {
        assert_eq!(Some(&Entry::from(item)), folded.entries.get(&item.sequence), "an item that was written");
    }
    let mut table: BTreeMap<(Symbol, Timestamp), Entry> = BTreeMap::new();
    for item in deleted.values().chain(world.table.values().flat_map(BTreeMap::values)) {
        table.insert((item.quote.symbol.clone(), item.quote.timestamp), item.into());
    }
    for (identity, entry) in &folded.table {
        assert_eq!(table.get(identity), Some(entry), "what holds {identity:?}");
        assert!(world.registered.contains(&identity.0), "{} is not registered", identity.0);
    }
    assert_eq!(table.len(), folded.table.len(), "items");

    // After an expiry the same identity may signal again; there is one record, of either.
    let mut signals: BTreeMap<String, Vec<Raised>> = BTreeMap::new();
    for signal in &folded.signals {
        let id = format!("{}/{}/{}", signal.symbol, signal.timestamp, signal.direction.as_str());
        signals.entry(id).or_default().push(Raised::Signal(signal.clone()));
    }
    let mut expected: Vec<String> = signals.keys().cloned().collect();
    expected.extend(folded.anomalies.keys().map(|(symbol, session)| format!("{symbol}/{session}/ANOMALY")));
    expected.sort_unstable();
    assert_eq!(world.recorded.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>(), "what was raised");
    for (id, recorded) in &world.recorded {
        match &recorded.raised {
            signal @ Raised::Signal(_) => assert!(signals[id].contains(signal), "{signal:?}"),
            Raised::Anomaly(a) => {
                assert!(folded.anomalies[&(a.symbol.clone(), a.session)].contains(&a.timestamp), "{a:?}");
            }
        }
        assert_eq!(recorded.alerted, recorded.raised.alert(), "{id}");
        let published = world.published.iter().any(|published| published.alert_id() == *id);
        assert!(published || !recorded.alerted, "{id} is marked, but was never published");
    }
    for published in &world.published {
        assert!(world.recorded.contains_key(&published.alert_id()), "{published:?} is not recorded");
    }

    let set_aside: Vec<_> = world.set_aside.iter().map(|(sequence, line)| (sequence, &line.reason)).collect();
    assert_eq!(set_aside, folded.set_aside.iter().collect::<Vec<_>>(), "what was set aside");
}

pub(crate) fn add(sum: &mut Counts, counts: Counts) {
    sum.quotes += counts.quotes;
    sum.stored += counts.stored;
    sum.duplicates += counts.duplicates;
    sum.revised += counts.revised;
    sum.late += counts.late;
    sum.stale += counts.stale;
    sum.anomalies += counts.anomalies;
    sum.set_aside += counts.set_aside;
}

/// A handler's clock, from which nothing may follow.
fn clock() -> Timestamp {
    crate::stream::time("2030-01-01T00:00:00Z")
}

/// The result of a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a calm port waited"),
    }
}
