//! What was set aside: choosing from it, and marking what was put again.

use super::{Local, span::Place, state::Folder, stream, table::number};
use crate::error::Error;
use pipeline::{Judge, Record, RecordSequence, Sequence, Timestamp};
use rusqlite::{Connection, TransactionBehavior, params};
use std::sync::Arc;

/// How much of it is in memory at once: lines, and after which size no more, in bytes.
const PAGE: (usize, usize) = (500, 2 << 20);

/// Which of what was set aside; without anything all of it.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Of these partition keys; of all where there are none.
    pub keys: Vec<String>,
    /// These; all where there are none.
    pub places: Vec<Place>,
    /// What arrived at this time or later.
    pub since: Option<Timestamp>,
    /// Those whose reason contains this text, in upper or lower case.
    pub reason: Option<String>,
    /// Only what was not replayed yet.
    pub only_open: bool,
    /// Up to this one.
    pub through: Option<Sequence>,
}

impl Choice {
    fn has(&self, aside: &Aside) -> bool {
        let text = |reason: &String| aside.reason.to_lowercase().contains(&reason.to_lowercase());
        (self.keys.is_empty() || self.keys.contains(&aside.partition_key))
            && (self.places.is_empty() || self.places.iter().any(|place| place.has(aside.sequence)))
            && self.since.is_none_or(|since| aside.arrived_at >= since)
            && self.reason.as_ref().is_none_or(text)
            && !(self.only_open && aside.replayed.is_some())
    }
}

/// A line that was set aside, or a whole record that could not be judged.
#[derive(Clone, Debug)]
pub struct Aside {
    /// Its place in the stream, by which it is known.
    pub sequence: Sequence,
    /// Its record's partition key.
    pub partition_key: String,
    /// When its record arrived.
    pub arrived_at: Timestamp,
    /// Why.
    pub reason: String,
    /// What it is, byte for byte.
    pub bytes: Vec<u8>,
    /// When it was put again, and as which record.
    pub replayed: Option<(Timestamp, RecordSequence)>,
}

impl Aside {
    /// Its place as short as it can be typed: `42-7`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.sequence.record.number().unwrap_or(0), self.sequence.line)
    }

    /// Whether it would be a quote if it arrived now; of a whole record, whether every line of it would.
    pub fn would_be_quote(&self) -> bool {
        let record = Record {
            sequence: self.sequence.record,
            partition_key: Arc::from(&*self.partition_key),
            arrived_at: stream::now(),
            data: Arc::from(&*self.bytes),
        };
        let mut would_be = true;
        Judge::default().record(&record, |_, _, _| {}, |_| would_be = false);
        would_be
    }
}

/// What was chosen, in stream order, read page by page: no transaction is open in between.
pub struct Asides {
    folder: Folder,
    choice: Choice,
    /// The last one that was read.
    after: Option<Sequence>,
}

impl Local {
    /// What of the set-aside lines was chosen.
    pub fn asides(&self, choice: Choice) -> Asides {
        Asides { folder: self.folder.clone(), choice, after: None }
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

impl Asides {
    /// The next page, perhaps empty although more follow; none at the end.
    pub fn page(&mut self) -> Result<Option<Vec<Aside>>, Error> {
        let db = self.folder.table()?;
        let read = self.read(&db).map_err(|e| self.folder.broken("table.db", e))?;
        let Some(last) = read.last() else { return Ok(None) };
        self.after = Some(last.sequence);
        Ok(Some(read.into_iter().filter(|aside| self.choice.has(aside)).collect()))
    }

    fn read(&self, db: &Connection) -> rusqlite::Result<Vec<Aside>> {
        let key = |sequence: Sequence| (number(sequence.record), i64::from(sequence.line));
        let after = self.after.map_or((-1, -1), key);
        let through = self.choice.through.map_or((i64::MAX, i64::MAX), key);
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
