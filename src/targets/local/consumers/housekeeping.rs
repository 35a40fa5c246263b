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
/// No larger merge is begun before the lease is given back, and none after so long: many short runs leave no heap of
/// files, and nobody waits for a long one.
const LAST_MERGES: (u64, Duration) = (4 << 20, Duration::from_secs(2));

impl Session<'_> {
    /// Lets go of what is too old, and merges small files.
    pub(super) fn housekeep(&self) {
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
            self.merge_days()
        })();
        if let Err(failure) = result {
            self.report("housekeeping", &failure.error, HOUSEKEEPING_EVERY);
        }
    }

    fn merge_days(&self) -> Result<(), Failure> {
        let started = Instant::now();
        // A lake of many days is merged over several rounds.
        while !self.lost.load(Ordering::Acquire) {
            let (bytes, time) = if self.ended() { LAST_MERGES } else { (u64::MAX, HOUSEKEEPING_EVERY) };
            if started.elapsed() >= time {
                break;
            }
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
