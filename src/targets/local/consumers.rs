//! The consumers: process, archive, alerts and housekeeping, in whichever process holds the lease.
//!
//! Batches are delivered by the rules that Lambda documents for its stream event sources, so that what works here
//! works there: in order, at least once, a checkpoint per consumer; what fails is tried again with growing pauses,
//! from the first failed record on; a batch that fails as a whole comes again in halves; a record that makes a
//! handler panic is set aside.

use super::{
    Settings, Wake,
    lake::{self, Lake},
    latency::Histogram,
    lease::{Acquired, Holder, Lease, RENEWED_EVERY},
    state::{Folder, integer},
    stream::{self, Batch, BatchSize},
    table::{self, Ids, SetAsides, Tables},
};
use crate::error::Error;
use futures::executor::block_on;
use pipeline::{
    Counts, PortError, Processed, Raised, Reason, Record, SetAside, SetAsideStore, Signal, Signals, archive, process,
    trend,
};
use rusqlite::{Connection, TransactionBehavior, params};
use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What process takes at once.
const PROCESS_BATCH: BatchSize = BatchSize { lines: 12_000, bytes: 6 << 20 };
/// What archive takes at once, and does not wait any longer for.
const ARCHIVE_BATCH: BatchSize = BatchSize { lines: 40_000, bytes: 12 << 20 };
/// How long archive waits for a batch to fill, in milliseconds; a query that wants the lake now does not wait.
const ARCHIVE_WINDOW: i64 = 300_000;
/// How often other processes' records are looked for.
const POLL: Duration = Duration::from_millis(5);
/// The first and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// How often there is housekeeping.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(30);
/// Merging no more than this is done before the lease is given back, so that many short runs leave no heap of files.
const QUICK_MERGE_BYTES: u64 = 4 << 20;
/// The two consumers, as their checkpoints name them.
const CONSUMERS: [&str; 2] = ["process", "archive"];

/// Something a user may want to see.
#[derive(Debug)]
pub enum Event {
    /// Alerts are published by showing them; only then are they marked.
    Alerts {
        /// What was raised.
        raised: Vec<Raised>,
        /// To be told once they are shown.
        shown: mpsc::Sender<()>,
    },
    /// A consumer failed, and tries again.
    Retrying {
        /// Which.
        consumer: &'static str,
        /// Why.
        error: String,
        /// After which pause.
        pause: Duration,
    },
    /// A record made a handler panic and was set aside.
    Poisoned {
        /// The record's number.
        record: u64,
    },
}

/// Where events go.
pub type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// Runs the consumers while it has the lease, and asks for the lease while it has not.
pub struct Consumers {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    folder: Folder,
    settings: Settings,
    wake: Arc<Wake>,
    stop: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    holding: bool,
    holder: Option<Holder>,
    failure: Option<String>,
}

/// Who runs the consumers, as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// This process.
    Ours,
    /// Another one.
    Theirs(Holder),
    /// Not known yet.
    Asking,
}

impl Consumers {
    /// Starts to ask for the lease.
    pub fn start(folder: &Folder, settings: Settings, wake: Arc<Wake>, events: Events) -> Result<Self, Error> {
        let in_use = folder.use_it()?;
        let shared = Arc::new(Shared {
            folder: folder.clone(),
            settings,
            wake,
            stop: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("lease".into())
            .spawn(move || {
                let _in_use = in_use;
                theirs.run(&events);
            })
            .map_err(|e| Error::new("a thread cannot be started").because(e))?;
        Ok(Self { shared, thread })
    }

    /// Who runs the consumers.
    pub fn role(&self) -> Role {
        let state = self.shared.state();
        match &state.holder {
            _ if state.holding => Role::Ours,
            Some(holder) => Role::Theirs(holder.clone()),
            None => Role::Asking,
        }
    }

    /// Why the consumers cannot run at all, if so.
    pub fn failure(&self) -> Option<String> {
        self.shared.state().failure.clone()
    }

    /// Ends after the batches under way, and gives the lease back.
    pub fn stop(self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.notify();
        // A panic there has been reported by the panic hook; the lease runs out by itself.
        let _ = self.thread.join();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, events: &Events) {
        while !self.stop.load(Ordering::Acquire) {
            let result = self.folder.table().and_then(|mut db| {
                let acquired = Lease::acquire(&mut db).map_err(|e| self.folder.broken("table.db", e))?;
                match acquired {
                    Acquired::Ours { lease, abandoned } => {
                        self.state().holding = true;
                        let session = Session::new(self, lease, db, Arc::clone(events))?;
                        let result = session.run(abandoned);
                        self.state().holding = false;
                        result.map_err(|e| self.folder.broken("table.db", e))
                    }
                    Acquired::Held(holder) => {
                        self.state().holder = Some(holder);
                        Ok(())
                    }
                }
            });
            self.state().failure = result.as_ref().err().map(ToString::to_string);
            if !self.stop.load(Ordering::Acquire) {
                self.wake.wait(self.wake.now(), if result.is_ok() { POLL * 20 } else { PAUSES.1 / 10 });
            }
        }
    }
}

/// The time for which this process has the lease.
struct Session<'s> {
    shared: &'s Shared,
    lease: Lease,
    /// The one connection that writes. Its lock is fair: a consumer under load does not starve the others.
    writer: tokio::sync::Mutex<Connection>,
    lost: AtomicBool,
    events: Events,
    /// What was measured since it was last written down, by run.
    latencies: Mutex<HashMap<i64, Histogram>>,
}

/// A batch that could not be handled to its end.
struct Failure {
    /// The first record that has to come again; none when the batch failed as a whole.
    first: Option<u64>,
    error: String,
    panicked: bool,
}

/// What a transaction of the lease's holder comes to when another process has the lease.
const LOST: &str = "another process has the lease";

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self { first: None, error: error.to_string(), panicked: false }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self { first: None, error: error.to_string(), panicked: false }
    }
}

impl<'s> Session<'s> {
    fn new(shared: &'s Shared, lease: Lease, db: Connection, events: Events) -> Result<Self, Error> {
        Ok(Self {
            shared,
            lease,
            writer: tokio::sync::Mutex::new(db),
            lost: AtomicBool::new(false),
            events,
            latencies: Mutex::default(),
        })
    }

    fn run(&self, abandoned: bool) -> rusqlite::Result<()> {
        if abandoned {
            lake::sweep(&self.shared.folder, &self.writer.blocking_lock())?;
        }
        let (alerts, pending) = mpsc::channel::<Vec<Raised>>();
        let unpublished = table::pending_alerts(&self.writer.blocking_lock())?;
        let _ = alerts.send(unpublished);
        thread::scope(|scope| {
            let named = |name: &str| thread::Builder::new().name(name.into());
            let started = [
                named("process").spawn_scoped(scope, || self.process_loop(alerts)),
                named("archive").spawn_scoped(scope, || self.archive_loop()),
                named("alerts").spawn_scoped(scope, || self.publish(pending)),
            ];
            if started.iter().any(Result::is_err) {
                // Without all of them there is no point in having the lease.
                self.lost.store(true, Ordering::Release);
            }
            self.renew_until_the_end();
        });
        if !self.lost.load(Ordering::Acquire) {
            self.housekeep(QUICK_MERGE_BYTES);
            let db = self.writer.blocking_lock();
            self.write_latencies(&db)?;
            self.lease.release(&db)?;
        }
        Ok(())
    }

    fn ended(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire) || self.lost.load(Ordering::Acquire)
    }

    /// Renews the lease, and keeps house now and then.
    fn renew_until_the_end(&self) {
        let mut housekeeping = Instant::now();
        while !self.ended() {
            let asleep = Instant::now();
            while asleep.elapsed() < RENEWED_EVERY && !self.ended() {
                thread::sleep(RENEWED_EVERY / 50);
            }
            let db = self.writer.blocking_lock();
            // An error is no loss: the disk may be full, and the lease's three seconds decide.
            if matches!(self.lease.renew(&db), Ok(false)) {
                self.lost.store(true, Ordering::Release);
            } else if let Err(error) = self.write_latencies(&db) {
                self.report("process", &error.to_string(), RENEWED_EVERY);
            }
            drop(db);
            if housekeeping.elapsed() > HOUSEKEEPING_EVERY {
                self.housekeep(u64::MAX);
                housekeeping = Instant::now();
            }
        }
        self.shared.wake.notify();
    }

    fn report(&self, consumer: &'static str, error: &str, pause: Duration) {
        (self.events)(Event::Retrying { consumer, error: error.into(), pause });
    }

    /// Delivers batches to `handle` until the end: `ready` says whether one is due after the checkpoint.
    fn deliver(
        &self,
        consumer: &'static str,
        size: BatchSize,
        mut ready: impl FnMut(&Connection, u64) -> rusqlite::Result<bool>,
        mut handle: impl FnMut(&Batch) -> Result<(), Failure>,
    ) {
        let (mut pause, mut limit) = (PAUSES.0, usize::MAX);
        let mut stream: Option<Connection> = None;
        while !self.ended() {
            let seen = self.shared.wake.now();
            let attempt = (|| -> Result<bool, (Failure, Option<Batch>)> {
                let db = match &mut stream {
                    Some(db) => db,
                    None => stream.insert(self.shared.folder.stream().map_err(|e| (failure(e), None))?),
                };
                let checkpoint = self.checkpoint(consumer).map_err(|e| (e.into(), None))?;
                if !ready(db, checkpoint).map_err(|e| (e.into(), None))? {
                    return Ok(false);
                }
                let mut batch = stream::read(db, checkpoint, size).map_err(|e| (e.into(), None))?;
                batch.records.truncate(limit);
                batch.entries.truncate(limit);
                if batch.records.is_empty() {
                    return Ok(false);
                }
                let handled = std::panic::catch_unwind(AssertUnwindSafe(|| handle(&batch)));
                match handled.unwrap_or_else(|_| {
                    Err(Failure { first: None, error: "the handler panicked".into(), panicked: true })
                }) {
                    Ok(()) => Ok(true),
                    Err(failure) => Err((failure, Some(batch))),
                }
            })();
            match attempt {
                Ok(true) => (pause, limit) = (PAUSES.0, usize::MAX),
                Ok(false) => self.shared.wake.wait(seen, POLL),
                Err(_) if self.ended() => {}
                Err((failure, batch)) => {
                    let len = batch.as_ref().map_or(0, |b| b.records.len());
                    let first = batch.as_ref().and_then(|b| b.records.first()).and_then(|r| r.sequence.number());
                    if let (true, 1, Some(batch)) = (failure.panicked, len, &batch) {
                        // Set aside or tried again: in no case passed over.
                        if let Err(error) = self.set_aside_whole(consumer, batch) {
                            self.report(consumer, &error.error, pause);
                            self.sleep(pause);
                        }
                        limit = usize::MAX;
                        continue;
                    }
                    limit = match (failure.first, first) {
                        // What comes before the failed record goes first.
                        (Some(failed), Some(first)) if failed > first => (failed - first) as usize,
                        _ => {
                            self.report(consumer, &failure.error, pause);
                            self.sleep(pause);
                            pause = (pause * 2).min(PAUSES.1);
                            (len / 2).max(1)
                        }
                    };
                }
            }
        }
    }

    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.ended() {
            thread::sleep(POLL);
        }
    }

    fn checkpoint(&self, consumer: &str) -> rusqlite::Result<u64> {
        checkpoint(&self.writer.blocking_lock(), consumer)
    }

    /// Runs `work` in a transaction that also moves the checkpoint, if the lease is still ours.
    fn transact<T>(
        &self,
        consumer: &str,
        through: u64,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut db = self.writer.blocking_lock();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !self.lease.is_held(&tx)? {
            self.lost.store(true, Ordering::Release);
            return Err(Failure { first: None, error: LOST.into(), panicked: false });
        }
        let done = work(&tx)?;
        tx.prepare_cached("UPDATE checkpoints SET record = ? WHERE consumer = ?")?
            .execute(params![through as i64, consumer])?;
        tx.commit()?;
        Ok(done)
    }

    fn process_loop(&self, alerts: mpsc::Sender<Vec<Raised>>) {
        let mut ids = Ids::default();
        self.deliver(
            "process",
            PROCESS_BATCH,
            |_, _| Ok(true),
            |batch| {
                let result = self.process_batch(batch, &mut ids, &alerts);
                if result.is_err() {
                    ids.clear();
                }
                result
            },
        );
    }

    fn process_batch(&self, batch: &Batch, ids: &mut Ids, alerts: &mpsc::Sender<Vec<Raised>>) -> Result<(), Failure> {
        let Some(last) = batch.records.last().and_then(|r| r.sequence.number()) else { return Ok(()) };
        let (counts, pending) = self.transact("process", last, |tx| {
            let mut ports = Tables::new(tx, ids);
            let settings = self.shared.settings.process;
            let mut aside = SetAsides(tx);
            let done = block_on(process(&batch.records, settings, stream::now(), &mut ports, &mut aside))?;
            if let Some(failed) = done.failed {
                // The heads in the database are past the failed record now: all of it is rolled back, and what
                // comes before the record is delivered by itself.
                return Err(Failure {
                    first: failed.record.number(),
                    error: failed.error.to_string(),
                    panicked: false,
                });
            }
            let (_, pending) = block_on(trend::record(&done.in_order, &mut ports))?;
            add_to_runs(tx, batch, &done)?;
            Ok((done.counts, pending))
        })?;
        let stored_at = stream::now_micros();
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, counts) in batch.entries.iter().zip(&counts) {
            let latency = latencies.entry(entry.run).or_default();
            latency.record(stored_at.saturating_sub(entry.put_at), counts.quotes);
        }
        drop(latencies);
        if !pending.is_empty() {
            let _ = alerts.send(pending);
        }
        Ok(())
    }

    fn archive_loop(&self) {
        let mut waiting = Waiting::default();
        self.deliver(
            "archive",
            ARCHIVE_BATCH,
            |stream, checkpoint| {
                waiting.look(stream, checkpoint)?;
                if waiting.lines == 0 {
                    return Ok(false);
                }
                let full = waiting.lines >= ARCHIVE_BATCH.lines || waiting.bytes >= ARCHIVE_BATCH.bytes;
                let aged = waiting.oldest.is_some_and(|t| stream::now().millis() - t >= ARCHIVE_WINDOW);
                Ok(full || aged || wanted_through(&self.writer.blocking_lock())? > checkpoint)
            },
            |batch| self.archive_batch(batch),
        );
    }

    fn archive_batch(&self, batch: &Batch) -> Result<(), Failure> {
        let Some(last) = batch.records.last().and_then(|r| r.sequence.number()) else { return Ok(()) };
        let mut files = Lake::new(&self.shared.folder);
        let archived = block_on(archive(&batch.records, &self.shared.settings.archive, &mut files, || false));
        let through = archived.failed.as_ref().and_then(|f| f.record.number()).map_or(last, |failed| failed - 1);
        self.transact("archive", through, |tx| {
            lake::list(tx, files.written())?;
            let mut by_run: BTreeMap<i64, u64> = BTreeMap::new();
            for ((record, entry), quotes) in batch.records.iter().zip(&batch.entries).zip(&archived.quotes) {
                if record.sequence.number().is_some_and(|n| n <= through) {
                    *by_run.entry(entry.run).or_default() += quotes;
                }
            }
            for (run, quotes) in by_run {
                ensure_run(tx, run)?;
                tx.prepare_cached("UPDATE runs SET archived = archived + ? WHERE run = ?")?
                    .execute([quotes as i64, run])?;
            }
            Ok(())
        })?;
        match archived.failed {
            None => Ok(()),
            Some(failed) => {
                Err(Failure { first: failed.record.number(), error: failed.error.to_string(), panicked: false })
            }
        }
    }

    /// Keeps a record, whole, that makes its handler panic, and passes on.
    fn set_aside_whole(&self, consumer: &'static str, batch: &Batch) -> Result<(), Failure> {
        let Some(record) = batch.records.first() else { return Ok(()) };
        let number = record.sequence.number().unwrap_or(0);
        self.transact(consumer, number, |tx| {
            let line = SetAside {
                sequence: record.sequence.line(0),
                partition_key: Arc::clone(&record.partition_key),
                arrived_at: record.arrived_at,
                reason: Reason::Panic,
                bytes: record.data.to_vec(),
            };
            Ok(block_on(SetAsides(tx).put(&[line]))?)
        })?;
        (self.events)(Event::Poisoned { record: number });
        Ok(())
    }

    /// Publishes alerts after their commit, and marks them. What a crash leaves unmarked is published again.
    fn publish(&self, pending: mpsc::Receiver<Vec<Raised>>) {
        let mut ids = Ids::default();
        while let Ok(mut alerts) = pending.recv() {
            while let Ok(more) = pending.try_recv() {
                alerts.extend(more);
            }
            if alerts.is_empty() {
                continue;
            }
            let (shown, seen) = mpsc::channel();
            (self.events)(Event::Alerts { raised: alerts.clone(), shown });
            loop {
                match seen.recv_timeout(POLL) {
                    Ok(()) => break,
                    Err(mpsc::RecvTimeoutError::Timeout) if !self.ended() => {}
                    // Nobody shows them: whoever has the lease next publishes them.
                    Err(_) => return,
                }
            }
            let mut pause = PAUSES.0;
            while let Err(error) = self.mark(&alerts, &mut ids) {
                if self.ended() {
                    return;
                }
                ids.clear();
                self.report("alerts", &error.error, pause);
                self.sleep(pause);
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }

    fn mark(&self, alerts: &[Raised], ids: &mut Ids) -> Result<(), Failure> {
        let mut db = self.writer.blocking_lock();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = stream::now();
        for raised in alerts {
            block_on(Tables::new(&tx, ids).mark_alerted(raised, now))?;
        }
        Ok(tx.commit()?)
    }

    fn write_latencies(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        for (run, latency) in latencies.iter() {
            ensure_run(db, *run)?;
            let kept: Vec<u8> = db.query_row("SELECT latency FROM runs WHERE run = ?", [run], |row| row.get(0))?;
            let mut sum = Histogram::from_bytes(&kept);
            sum.add(latency);
            db.execute("UPDATE runs SET latency = ? WHERE run = ?", params![sum.to_bytes(), run])?;
        }
        latencies.clear();
        Ok(())
    }

    /// Lets go of what is too old, and merges small files, so many bytes of them at most.
    fn housekeep(&self, merge_bytes: u64) {
        let result = (|| -> Result<(), Failure> {
            let now = stream::now();
            {
                let db = self.writer.blocking_lock();
                let a_month = 30 * 86_400_000;
                db.execute("DELETE FROM runs WHERE updated_at < ?", [now.millis() - a_month])?;
            }
            let mut more = true;
            while more && !self.lost.load(Ordering::Acquire) {
                more = table::expire(&self.writer.blocking_lock(), now)?;
            }
            let stream = self.shared.folder.stream().map_err(failure)?;
            let taken = {
                let db = self.writer.blocking_lock();
                checkpoint(&db, CONSUMERS[0])?.min(checkpoint(&db, CONSUMERS[1])?)
            };
            while stream::prune(&stream, now.millis() - self.shared.settings.stream_retention, taken)? > 0 {}
            lake::remove_replaced(&self.shared.folder, &self.writer.blocking_lock(), now)?;
            self.merge_days(merge_bytes)
        })();
        if let Err(failure) = result {
            self.report("housekeeping", &failure.error, HOUSEKEEPING_EVERY);
        }
    }

    fn merge_days(&self, bytes: u64) -> Result<(), Failure> {
        let started = Instant::now();
        // A lake of many days is merged over several rounds.
        while started.elapsed() < HOUSEKEEPING_EVERY && !self.lost.load(Ordering::Acquire) {
            let due = lake::merge_due(&self.writer.blocking_lock())?;
            let Some(due) = due.filter(|files| files.iter().map(|f| f.bytes).sum::<u64>() <= bytes) else { break };
            let merged = lake::merge(&self.shared.folder, &due).map_err(failure)?;
            let mut db = self.writer.blocking_lock();
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if !self.lease.is_held(&tx)? {
                return Ok(());
            }
            lake::replace(&tx, &due, &merged, stream::now())?;
            tx.commit()?;
        }
        Ok(())
    }
}

/// What waits for archive, counted as it comes rather than anew each time.
#[derive(Default)]
struct Waiting {
    seen: u64,
    checkpoint: u64,
    lines: u64,
    bytes: u64,
    oldest: Option<i64>,
}

impl Waiting {
    fn look(&mut self, stream: &Connection, checkpoint: u64) -> rusqlite::Result<()> {
        if checkpoint != self.checkpoint || self.seen < checkpoint {
            *self = Self { seen: checkpoint, checkpoint, ..Self::default() };
        }
        if stream::last(stream)? == self.seen {
            return Ok(());
        }
        let more = stream::backlog(stream, self.seen)?;
        self.lines += more.lines;
        self.bytes += more.bytes;
        self.oldest = self.oldest.or(more.oldest);
        self.seen = more.last;
        Ok(())
    }
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure { first: None, error: error.to_string(), panicked: false }
}

/// Up to which record a consumer has taken the stream.
pub fn checkpoint(db: &Connection, consumer: &str) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT record FROM checkpoints WHERE consumer = ?")?
        .query_row([consumer], |row| row.get::<_, i64>(0))
        .map(|n| n as u64)
}

/// Asks for the lake to be written up to this record without waiting for more.
pub fn want_through(db: &Connection, record: u64) -> rusqlite::Result<()> {
    if wanted_through(db)? < record {
        db.execute("UPDATE flush SET through = max(through, ?)", [record as i64])?;
    }
    Ok(())
}

fn wanted_through(db: &Connection) -> rusqlite::Result<u64> {
    integer(db, "SELECT through FROM flush").map(|n| n.unwrap_or(0) as u64)
}

fn ensure_run(tx: &Connection, run: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT OR IGNORE INTO runs VALUES (?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ?, x'')")?
        .execute([run, stream::now().millis()])
        .map(|_| ())
}

fn add_to_runs(tx: &Connection, batch: &Batch, done: &Processed) -> Result<(), Failure> {
    let mut by_run: BTreeMap<i64, (Counts, i64)> = BTreeMap::new();
    for (entry, counts) in batch.entries.iter().zip(&done.counts) {
        by_run.entry(entry.run).or_default().0.add(counts);
    }
    let first = batch.records.first().map_or(0, number);
    for item in done.in_order.iter().filter(|item| Signal::of(item).is_some()) {
        let at = item.sequence.record.number().unwrap_or(0).saturating_sub(first) as usize;
        if let Some(entry) = batch.entries.get(at) {
            by_run.entry(entry.run).or_default().1 += 1;
        }
    }
    for (run, (counts, signals)) in by_run {
        ensure_run(tx, run)?;
        let numbers = [
            counts.quotes,
            counts.stored,
            counts.duplicates,
            counts.revised,
            counts.late,
            counts.stale,
            counts.anomalies,
            counts.set_aside,
        ];
        let [quotes, stored, duplicates, revised, late, stale, anomalies, set_aside] = numbers.map(|n| n as i64);
        tx.prepare_cached(
            "UPDATE runs SET quotes = quotes + ?, stored = stored + ?, duplicates = duplicates + ?,
             revised = revised + ?, late = late + ?, stale = stale + ?, anomalies = anomalies + ?,
             set_aside = set_aside + ?, signals = signals + ?, updated_at = ? WHERE run = ?",
        )?
        .execute(params![
            quotes,
            stored,
            duplicates,
            revised,
            late,
            stale,
            anomalies,
            set_aside,
            signals,
            stream::now().millis(),
            run
        ])?;
    }
    Ok(())
}

/// The number of a record.
pub fn number(record: &Record) -> u64 {
    record.sequence.number().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::local::{Options, stream::Group};
    use std::sync::atomic::AtomicUsize;

    /// A stack with so many records of one line each, and the lease on it.
    fn with_session(records: &[&str], test: impl FnOnce(&Session<'_>)) {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(home.path(), "s");
        folder.create().expect("a stack");
        let mut group = Group::default();
        records.iter().for_each(|data| group.push("AAPL", 1, data.as_bytes(), 1));
        stream::put(&mut folder.stream().expect("a stream"), 1, &group).expect("put");
        let shared = Shared {
            folder: folder.clone(),
            settings: Options::default().settings(),
            wake: Arc::default(),
            stop: AtomicBool::new(false),
            state: Mutex::default(),
        };
        let mut db = folder.table().expect("a table");
        let Ok(Acquired::Ours { lease, .. }) = Lease::acquire(&mut db) else { panic!("the lease is free") };
        test(&Session::new(&shared, lease, db, Arc::new(|_| {})).expect("a session"));
    }

    /// Delivers to `handle` until process's checkpoint is at the stream's end, and returns the batches that were
    /// handled to their end.
    fn delivered(session: &Session<'_>, last: u64, handle: impl Fn(&[u64]) -> Result<(), Failure>) -> Vec<Vec<u64>> {
        let mut done = Vec::new();
        session.deliver(
            "process",
            PROCESS_BATCH,
            |_, checkpoint| {
                if checkpoint == last {
                    session.shared.stop.store(true, Ordering::Release);
                }
                Ok(checkpoint < last)
            },
            |batch| {
                let numbers: Vec<u64> = batch.records.iter().map(number).collect();
                handle(&numbers)?;
                let through = *numbers.last().expect("a batch has records");
                session.transact("process", through, |_| Ok(()))?;
                done.push(numbers);
                Ok(())
            },
        );
        done
    }

    /// Catches a failed record that is skipped, or that holds up those before it.
    #[test]
    fn what_comes_before_the_first_failed_record_goes_first() {
        with_session(&["a"; 5], |session| {
            let calls = AtomicUsize::new(0);
            let done = delivered(session, 5, |numbers| {
                let failing = numbers.contains(&3) && calls.fetch_add(1, Ordering::Relaxed) < 3;
                let failure = Failure { first: Some(3), error: "throttled".into(), panicked: false };
                if failing { Err(failure) } else { Ok(()) }
            });
            assert_eq!(done.concat(), [1, 2, 3, 4, 5]);
            assert_eq!(done.first(), Some(&vec![1, 2]));
        });
    }

    /// Catches one record that stops all others, is tried for ever, or is lost.
    #[test]
    fn a_record_that_panics_is_found_by_halves_and_set_aside_whole() {
        with_session(&["a", "b", "c", "poison", "e", "f", "g"], |session| {
            let done = delivered(session, 7, |numbers| {
                assert!(!numbers.contains(&4), "a handler's fault, on purpose");
                Ok(())
            });
            assert_eq!(done.concat(), [1, 2, 3, 5, 6, 7]);
            let db = session.writer.blocking_lock();
            let kept: (i64, Vec<u8>) = db
                .query_row("SELECT record, bytes FROM set_aside", [], |row| Ok((row.get(0)?, row.get(1)?)))
                .expect("one row");
            assert_eq!(kept, (4, b"poison".to_vec()));
        });
    }

    /// Catches a consumer that goes on writing when another process has taken over.
    #[test]
    fn without_the_lease_nothing_changes() {
        with_session(&["a"], |session| {
            let other = session.shared.folder.table().expect("a table");
            other.execute("UPDATE lease SET token = token + 1", []).expect("update");
            let result = session.transact("process", 1, |_| Ok(()));
            assert!(result.is_err_and(|failure| failure.error == LOST));
            assert_eq!(checkpoint(&other, "process").expect("a checkpoint"), 0);
            assert!(session.ended());
        });
    }

    /// Catches counting anew, or not at all, what other processes put meanwhile.
    #[test]
    fn what_waits_is_counted_as_it_comes() {
        with_session(&["a", "b"], |session| {
            let mut db = session.shared.folder.stream().expect("a stream");
            let mut waiting = Waiting::default();
            waiting.look(&db, 0).expect("a look");
            assert_eq!((waiting.lines, waiting.seen), (2, 2));
            let mut group = Group::default();
            group.push("AAPL", 1, b"c", 1);
            stream::put(&mut db, 2, &group).expect("put");
            waiting.look(&db, 0).expect("a look");
            assert_eq!((waiting.lines, waiting.seen), (3, 3));
            waiting.look(&db, 2).expect("a look");
            assert_eq!((waiting.lines, waiting.seen), (1, 3));
        });
    }
}
