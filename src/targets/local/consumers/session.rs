//! The time for which this process has the lease.

use super::{
    Event, Events, PAUSES, POLL, Shared, batches::ensure_run, deliver::Failure, housekeeping::HOUSEKEEPING_EVERY,
};
use crate::{
    error::Error,
    targets::{
        latency::Histogram,
        local::{
            lake,
            lease::{Lease, RENEWED_EVERY},
            stream,
            table::{self, Ids, Tables},
        },
    },
};
use futures::executor::block_on;
use pipeline::{Raised, Signals};
use rusqlite::{Connection, TransactionBehavior, params};
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// The time for which this process has the lease.
pub(super) struct Session<'s> {
    pub(super) shared: &'s Shared,
    /// Open, and nothing else.
    _stream: Mutex<Connection>,
    pub(super) lease: Lease,
    /// The one connection that writes. Its lock is fair: a consumer under load does not starve the others.
    pub(super) writer: tokio::sync::Mutex<Connection>,
    pub(super) lost: AtomicBool,
    pub(super) events: Events,
    /// What was measured since it was last written down, by run.
    pub(super) latencies: Mutex<HashMap<i64, Histogram>>,
}

impl<'s> Session<'s> {
    pub(super) fn new(shared: &'s Shared, lease: Lease, db: Connection, events: Events) -> Result<Self, Error> {
        // As long as it is open, commits of the stream can be read only once they are synced. Those before it are
        // synced here: what was taken must not be lost from the stream, which would give its numbers again.
        let stream = shared.folder.stream()?;
        stream::last(&stream).map_err(|e| shared.folder.broken("stream.db", e))?;
        shared
            .folder
            .sync()
            .map_err(|e| Error::new(format!("'{}' cannot be synced", shared.folder.path().display())).because(e))?;
        Ok(Self {
            shared,
            _stream: Mutex::new(stream),
            lease,
            writer: tokio::sync::Mutex::new(db),
            lost: AtomicBool::new(false),
            events,
            latencies: Mutex::default(),
        })
    }

    pub(super) fn run(&self, abandoned: bool) -> rusqlite::Result<()> {
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
                // By itself: merging takes longer than a lease lasts.
                named("housekeeping").spawn_scoped(scope, || self.housekeep_until_the_end()),
            ];
            if started.iter().any(Result::is_err) {
                // Without all of them there is no point in having the lease.
                self.lost.store(true, Ordering::Release);
            }
            self.renew_until_the_end();
        });
        if !self.lost.load(Ordering::Acquire) {
            self.housekeep();
            let db = self.writer.blocking_lock();
            self.write_latencies(&db)?;
            self.lease.release(&db)?;
        }
        Ok(())
    }

    pub(super) fn ended(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire) || self.lost.load(Ordering::Acquire)
    }

    fn renew_until_the_end(&self) {
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
        }
        self.shared.wake.notify();
    }

    fn housekeep_until_the_end(&self) {
        while !self.ended() {
            self.sleep(HOUSEKEEPING_EVERY);
            if !self.ended() {
                self.housekeep();
            }
        }
    }

    pub(super) fn report(&self, consumer: &'static str, error: &str, pause: Duration) {
        (self.events)(Event::Retrying { consumer, error: error.into(), pause });
    }

    pub(super) fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.ended() {
            thread::sleep(POLL);
        }
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

    pub(super) fn write_latencies(&self, db: &Connection) -> rusqlite::Result<()> {
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
}
