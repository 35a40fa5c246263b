//! What process and archive do with a batch, each in one transaction with its checkpoint.

use super::{ARCHIVE, PROCESS, deliver::Failure, session::Session, wanted_through};
use crate::targets::local::{
    lake::{self, Lake},
    stream::{self, Batch, BatchSize},
    table::{Ids, SetAsides, Tables},
};
use futures::executor::block_on;
use pipeline::{Counts, Processed, Raised, Record, Signal, archive, process, trend};
use rusqlite::{Connection, params};
use std::{
    collections::BTreeMap,
    sync::{PoisonError, mpsc},
};

/// What process takes at once.
pub(super) const PROCESS_BATCH: BatchSize = BatchSize { lines: 12_000, bytes: 6 << 20 };
/// What archive takes at once, and does not wait any longer for.
const ARCHIVE_BATCH: BatchSize = BatchSize { lines: 40_000, bytes: 12 << 20 };
/// How long archive waits for a batch to fill, in milliseconds; a query that wants the lake now does not wait.
const ARCHIVE_WINDOW: i64 = 300_000;

impl Session<'_> {
    pub(super) fn process_loop(&self, alerts: mpsc::Sender<Vec<Raised>>) {
        let mut ids = Ids::default();
        self.deliver(
            PROCESS,
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
        let (counts, pending) = self.transact(PROCESS, last, |tx| {
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

    pub(super) fn archive_loop(&self) {
        let mut waiting = Waiting::default();
        self.deliver(
            ARCHIVE,
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
        self.transact(ARCHIVE, through, |tx| {
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
}

/// What waits for archive, counted as it comes rather than anew each time.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) seen: u64,
    checkpoint: u64,
    pub(super) lines: u64,
    bytes: u64,
    oldest: Option<i64>,
}

impl Waiting {
    pub(super) fn look(&mut self, stream: &Connection, checkpoint: u64) -> rusqlite::Result<()> {
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

pub(super) fn ensure_run(tx: &Connection, run: i64) -> rusqlite::Result<()> {
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
pub(super) fn number(record: &Record) -> u64 {
    record.sequence.number().unwrap_or(0)
}
