//! Letting go of what is too old, and merging small files of the lake.

use super::{ARCHIVE, PROCESS, checkpoint, deliver::Failure, session::Session};
use crate::targets::local::{lake, stream, table};
use rusqlite::TransactionBehavior;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// How often there is housekeeping.
pub(super) const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(30);
/// Merging no more than this is done before the lease is given back, so that many short runs leave no heap of files.
pub(super) const QUICK_MERGE_BYTES: u64 = 4 << 20;

impl Session<'_> {
    /// Lets go of what is too old, and merges small files, so many bytes of them at most.
    pub(super) fn housekeep(&self, merge_bytes: u64) {
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
            let stream = self.shared.folder.stream().map_err(Failure::of)?;
            let taken = {
                let db = self.writer.blocking_lock();
                checkpoint(&db, PROCESS)?.min(checkpoint(&db, ARCHIVE)?)
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
            let merged = lake::merge(&self.shared.folder, &due).map_err(Failure::of)?;
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
