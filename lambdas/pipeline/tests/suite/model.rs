//! The model test: random histories, and an adversary who does all that the cloud does not rule out.
//!
//! Instances of process and trend run a port call at a time, in any order. Any of them may die before or after any
//! effect; any call may be refused, or lose its answer. What is not done comes again from the checkpoint, cut anew;
//! an instance that was given up may live on with its old batch. The table's changes reach trend in any order, and
//! more than once; what has expired for everyone is deleted now and then. In the end the adversary relents, and what
//! is left must be what the plain fold says.

use crate::{
    fold::{Folded, fold},
    history::{History, Random},
    memory::{Adversary, Ports, World},
    run::{add, assert_end, settings},
    stream::time,
};
use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};
use stockpipe_pipeline::{
    Counts, Item, PortError, ProcessSettings, Processed, Record, Symbol, Timestamp, process, trend,
};

/// Histories that end as the plain fold says. Would catch any rule or order of calls that lets a crash, a repetition,
/// an old instance or an expiry change what a quote means, lose it, double it, or lose an alert.
///
/// `STOCKPIPE_HISTORIES` says how many, `STOCKPIPE_SEED` where they begin.
#[test]
fn any_history_ends_as_the_plain_fold() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("STOCKPIPE_SEED").unwrap_or(0);
    let count = number("STOCKPIPE_HISTORIES").unwrap_or(10_000);
    let mut seen = Seen::default();
    for seed in first..first + count {
        let _named = OnFailure(seed);
        Model::new(seed).run(&mut seen);
    }
    println!("{count} histories: {seen:?}");
    if count >= 1000 {
        // A test that seldom comes to the point proves little.
        let share = |part: u64, at_least: u64| assert!(part * 100 >= count * at_least, "{seen:?}");
        share(seen.with_signals, 60);
        share(seen.with_anomalies, 60);
        share(seen.with_restarts, 10);
        share(seen.with_replaced, 5);
        share(seen.with_crashes, 40);
        share(seen.with_zombies, 40);
    }
}

/// Names the history that failed.
struct OnFailure(u64);

impl Drop for OnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see it again: STOCKPIPE_SEED={} STOCKPIPE_HISTORIES=1", self.0);
        }
    }
}

/// What the histories came to, so that the test can tell whether it tested anything.
#[derive(Debug, Default)]
struct Seen {
    with_signals: u64,
    with_anomalies: u64,
    with_restarts: u64,
    with_replaced: u64,
    with_crashes: u64,
    with_zombies: u64,
    signals: usize,
}

/// Decides by chance, until it relents.
#[derive(Clone, Debug)]
struct Chance(Arc<Mutex<Whim>>);

#[derive(Debug)]
struct Whim {
    random: Random,
    /// Failures in a thousand points where a call can fail.
    failures: usize,
}

impl Adversary for Chance {
    async fn pause(&self) {
        let mut paused = false;
        poll_fn(|_| if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn fails(&self) -> bool {
        let whim = &mut *self.whim();
        whim.random.chance(whim.failures)
    }

    fn shuffle(&self, places: &mut [usize]) {
        self.whim().random.shuffle(places);
    }
}

impl Chance {
    fn whim(&self) -> std::sync::MutexGuard<'_, Whim> {
        self.0.lock().expect("nobody panics with the whim in hand")
    }
}

/// A running handler.
struct Instance {
    work: Work,
    future: Pin<Box<dyn Future<Output = Done>>>,
}

/// What an instance has in hand.
enum Work {
    /// The records from here on. Only the owner's answer moves the checkpoint; the others were given up.
    Process { from: usize, owner: bool },
    /// The changes of these places.
    Trend { changes: Vec<usize> },
}

enum Done {
    Process(Result<Processed, PortError>),
    Trend(Result<(), PortError>),
}

/// One history on its way.
struct Model {
    records: Vec<Record>,
    settings: ProcessSettings,
    random: Random,
    chance: Chance,
    ports: Ports<Chance>,
    instances: Vec<Instance>,
    /// Records before this one are done.
    checkpoint: usize,
    counts: Counts,
    /// The table's changes, and whether trend is done with them.
    changes: Vec<(Item, bool)>,
    deleted: BTreeMap<(Symbol, Timestamp), Item>,
    /// Whether a call may fail in this history.
    fallible: bool,
    /// Crashes in a thousand steps.
    crashes: usize,
    /// Steps until the adversary relents.
    patience: usize,
    crashed: bool,
    replaced: bool,
    zombies: bool,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let history = History::new(&mut random);
        let failures = *random.pick(&[0, 5, 20]);
        let chance = Chance(Arc::new(Mutex::new(Whim { random: random.clone(), failures })));
        Self {
            records: history.stream.records,
            settings: settings(history.retention),
            ports: Ports::new(Arc::new(Mutex::new(World::default())), chance.clone()),
            chance,
            instances: Vec::new(),
            checkpoint: 0,
            counts: Counts::default(),
            changes: Vec::new(),
            deleted: BTreeMap::new(),
            fallible: failures > 0,
            crashes: *random.pick(&[0, 2, 10]),
            patience: random.below(3000),
            random,
            crashed: false,
            replaced: false,
            zombies: false,
        }
    }

    fn run(mut self, seen: &mut Seen) {
        while !self.finished() {
            if self.patience == 0 {
                self.chance.whim().failures = 0;
                self.crashes = 0;
            }
            self.step();
            self.patience = self.patience.saturating_sub(1);
        }
        let folded = fold(&self.records, self.settings);
        assert_eq!(self.counts, folded.counts);
        assert_end(&self.ports.world(), &folded, &self.deleted);
        self.tell(&folded, seen);
    }

    fn tell(&self, folded: &Folded, seen: &mut Seen) {
        seen.with_signals += u64::from(!folded.signals.is_empty());
        seen.with_anomalies += u64::from(!folded.anomalies.is_empty());
        seen.with_restarts += u64::from(folded.restarts > 0);
        seen.with_replaced += u64::from(self.replaced);
        seen.with_crashes += u64::from(self.crashed);
        seen.with_zombies += u64::from(self.zombies);
        seen.signals += folded.signals.len();
    }

    fn finished(&self) -> bool {
        self.instances.is_empty() && self.checkpoint == self.records.len() && self.changes.iter().all(|(_, done)| *done)
    }

    fn step(&mut self) {
        let relented = self.patience == 0;
        let owner = self.instances.iter().position(|i| matches!(i.work, Work::Process { owner: true, .. }));
        let trends = self.instances.iter().filter(|i| matches!(i.work, Work::Trend { .. })).count();
        if owner.is_none() && self.checkpoint < self.records.len() {
            self.start_process();
        } else if trends < 2 && self.random.chance(100) {
            self.start_trend();
        } else if !relented && self.instances.len() < 5 && self.random.chance(10) {
            if let Some(Instance { work: Work::Process { owner, .. }, .. }) =
                owner.and_then(|at| self.instances.get_mut(at))
            {
                *owner = false;
                self.zombies = true;
            }
        } else if self.random.chance(10) {
            self.delete_expired();
        } else if !self.instances.is_empty() {
            let at = self.random.below(self.instances.len());
            if self.random.chance(self.crashes) {
                self.instances.swap_remove(at);
                self.crashed = true;
            } else {
                self.poll(at);
            }
        }
    }

    fn start_process(&mut self) {
        let from = self.checkpoint;
        let len = (1 + self.random.below(30)).min(self.records.len() - from);
        let (batch, settings) = (self.records[from..from + len].to_vec(), self.settings);
        let (mut ports, mut aside, now) = (self.ports.clone(), self.ports.clone(), self.clock());
        let future = Box::pin(async move {
            let done = process(&batch, settings, now, &mut ports, &mut aside).await;
            Done::Process(done)
        });
        self.instances.push(Instance { work: Work::Process { from, owner: true }, future });
    }

    /// Some of the changes that trend has not done, and a few that it has, in any order.
    fn start_trend(&mut self) {
        let random = &mut self.random;
        let mut changes: Vec<usize> = (0..self.changes.len())
            .filter(|at| if self.changes[*at].1 { random.chance(50) } else { random.chance(600) })
            .collect();
        if changes.is_empty() {
            return;
        }
        random.shuffle(&mut changes);
        let items: Vec<Item> = changes.iter().map(|at| self.changes[*at].0.clone()).collect();
        let (mut signals, mut alerts, now) = (self.ports.clone(), self.ports.clone(), self.clock());
        let future = Box::pin(async move {
            Done::Trend(match trend::record(&items, &mut signals).await {
                Ok((_, pending)) => trend::publish(&pending, now, &mut signals, &mut alerts).await,
                Err(error) => Err(error),
            })
        });
        self.instances.push(Instance { work: Work::Trend { changes }, future });
    }

    fn poll(&mut self, at: usize) {
        let polled = self.instances[at].future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let (changes, replaced) = {
            let mut world = self.ports.world();
            (std::mem::take(&mut world.changes), std::mem::take(&mut world.replaced))
        };
        self.changes.extend(changes.into_iter().map(|item| (item, false)));
        let work = match polled {
            Poll::Ready(done) => Some((self.instances.swap_remove(at).work, done)),
            Poll::Pending => None,
        };
        for item in replaced {
            self.replaced = true;
            self.bury(&item);
        }
        match work {
            Some((Work::Process { from, owner: true }, Done::Process(Ok(done)))) => {
                let end = done.failed.map_or(from + done.counts.len(), |failed| {
                    self.records.iter().position(|r| r.sequence == failed.record).expect("a record")
                });
                assert!(end > from || self.fallible, "where no call fails, process gets on");
                done.counts.iter().take(end - from).for_each(|counts| add(&mut self.counts, *counts));
                self.checkpoint = end;
            }
            Some((Work::Trend { changes }, Done::Trend(Ok(())))) => {
                changes.into_iter().for_each(|at| self.changes[at].1 = true);
            }
            _ => {}
        }
    }

    /// An instance that was given up does not live to see the replacement of an item that still counts in its batch:
    /// it lasts for minutes, an item for days.
    fn bury(&mut self, replaced: &Item) {
        let records = &self.records;
        self.instances.retain(|instance| match instance.work {
            Work::Process { from, owner: false } => replaced.expired(records[from].arrived_at),
            _ => true,
        });
    }

    /// Deletes some of what has expired for every record that may still be handled.
    fn delete_expired(&mut self) {
        let batches = self.instances.iter().filter_map(|instance| match instance.work {
            Work::Process { from, .. } => Some(from),
            Work::Trend { .. } => None,
        });
        let Some(first) = self.records.get(batches.fold(self.checkpoint, usize::min)) else { return };
        for items in self.ports.world().table.values_mut() {
            let expired = items.extract_if(.., |_, item| item.expired(first.arrived_at) && self.random.chance(500));
            self.deleted.extend(expired.map(|(at, item)| ((item.quote.symbol.clone(), at), item)));
        }
    }

    /// A handler's clock, from which nothing may follow.
    fn clock(&mut self) -> Timestamp {
        time("2026-12-01T00:00:00Z").plus_millis(self.random.between(0, 1_000_000))
    }
}
