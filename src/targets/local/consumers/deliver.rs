//! Batches to a handler: in order, at least once, from the first failed record on.

use super::{Event, PAUSES, POLL, checkpoint, session::Session};
use crate::targets::local::{
    stream::{self, Batch, BatchSize},
    table::SetAsides,
};
use futures::executor::block_on;
use pipeline::{PortError, Reason, SetAside, SetAsideStore};
use rusqlite::{Connection, TransactionBehavior, params};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
};

/// A batch that could not be handled to its end.
pub(super) struct Failure {
    /// The first record that has to come again; none when the batch failed as a whole.
    pub(super) first: Option<u64>,
    pub(super) error: String,
    pub(super) panicked: bool,
}

/// What a transaction of the lease's holder comes to when another process has the lease.
const LOST: &str = "another process has the lease";

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::of(error)
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::of(error)
    }
}

impl Failure {
    /// Of a batch as a whole.
    pub(super) fn of(error: impl std::fmt::Display) -> Self {
        Self { first: None, error: error.to_string(), panicked: false }
    }
}

impl Session<'_> {
    /// Delivers batches to `handle` until the end: `ready` says whether one is due after the checkpoint.
    pub(super) fn deliver(
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
                    None => stream.insert(self.shared.folder.stream().map_err(|e| (Failure::of(e), None))?),
                };
                let taken = checkpoint(&self.writer.blocking_lock(), consumer).map_err(|e| (e.into(), None))?;
                if !ready(db, taken).map_err(|e| (e.into(), None))? {
                    return Ok(false);
                }
                let mut batch = stream::read(db, taken, size).map_err(|e| (e.into(), None))?;
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

    /// Runs `work` in a transaction that also moves the checkpoint, if the lease is still ours.
    pub(super) fn transact<T>(
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

    /// Keeps a record, whole, that makes its handler panic, and passes on.
    pub(super) fn set_aside_whole(&self, consumer: &'static str, batch: &Batch) -> Result<(), Failure> {
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
}

#[cfg(test)]
mod tests {
    use super::{super::Shared, *};
    use crate::targets::local::{
        Options,
        consumers::batches::{PROCESS_BATCH, Waiting, number},
        lease::{Acquired, Lease},
        state::Folder,
        stream::Group,
    };
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize},
    };

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
