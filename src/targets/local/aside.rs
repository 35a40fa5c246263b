//! What was set aside locally: reading it, and marking what was put again.

use super::{Local, state::Folder, stream, table::number};
use crate::{
    error::Error,
    targets::aside::{Aside, Asides, Choice, Through},
};
use pipeline::{RecordSequence, Sequence, Timestamp};
use rusqlite::{Connection, TransactionBehavior, params};

/// How much of it is in memory at once: lines, and after which size no more, in bytes.
const PAGE: (usize, usize) = (500, 2 << 20);

/// What was chosen, in stream order, read page by page: no transaction is open in between.
pub struct LocalAsides {
    folder: Folder,
    choice: Choice,
    /// The last one that was read.
    after: Option<Sequence>,
}

impl Local {
    /// What of the set-aside lines was chosen.
    pub(super) fn asides_of(&self, choice: Choice) -> LocalAsides {
        LocalAsides { folder: self.folder.clone(), choice, after: None }
    }

    /// Marks lines that were put again, each as the record beside it.
    pub fn mark_replayed(&self, lines: &[(Sequence, RecordSequence)]) -> Result<(), Error> {
        let mut db = self.folder.table()?;
        mark(&mut db, lines).map_err(|e| self.failed(e))
    }
}

fn mark(db: &mut Connection, lines: &[(Sequence, RecordSequence)]) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now = stream::now().millis();
    for (sequence, replayed_as) in lines {
        tx.prepare_cached("UPDATE set_aside SET replayed_at = ?, replayed_as = ? WHERE record = ? AND line = ?")?
            .execute(params![now, number(*replayed_as), number(sequence.record), sequence.line])?;
    }
    tx.commit()
}

impl Asides for LocalAsides {
    fn page(&mut self) -> Result<Option<Vec<Aside>>, Error> {
        let db = self.folder.table()?;
        let read = self.read(&db).map_err(|e| self.folder.broken("table.db", e))?;
        let Some(last) = read.last() else { return Ok(None) };
        self.after = Some(last.sequence);
        Ok(Some(read.into_iter().filter(|aside| self.choice.has(aside)).collect()))
    }

    fn through(&self) -> Option<Through> {
        self.after.map(Through::Sequence)
    }
}

impl LocalAsides {
    fn read(&self, db: &Connection) -> rusqlite::Result<Vec<Aside>> {
        let key = |sequence: Sequence| (number(sequence.record), i64::from(sequence.line));
        let after = self.after.map_or((-1, -1), key);
        let through = match self.choice.through {
            Some(Through::Sequence(sequence)) => key(sequence),
            Some(Through::Written(_)) | None => (i64::MAX, i64::MAX),
        };
        let mut statement = db.prepare_cached(
            "SELECT record, line, partition_key, arrived_at, reason, replayed_at, replayed_as, bytes FROM set_aside
             WHERE (record, line) > (?, ?) AND (record, line) <= (?, ?) ORDER BY record, line LIMIT ?",
        )?;
        let mut rows = statement.query(params![after.0, after.1, through.0, through.1, PAGE.0 as i64])?;
        let (mut read, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE.1
            && let Some(row) = rows.next()?
        {
            let record = |column| row.get::<_, i64>(column).map(|n| RecordSequence::local(n as u64));
            let time = |column| {
                let millis = row.get(column)?;
                Timestamp::from_millis(millis).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, millis))
            };
            let is_replayed = row.get::<_, Option<i64>>(5)?.is_some();
            let aside = Aside {
                sequence: record(0)?.line(row.get(1)?),
                partition_key: row.get(2)?,
                arrived_at: time(3)?,
                reason: row.get(4)?,
                replayed: if is_replayed { Some((time(5)?, record(6)?)) } else { None },
                bytes: row.get(7)?,
            };
            bytes += aside.bytes.len();
            read.push(aside);
        }
        Ok(read)
    }
}
