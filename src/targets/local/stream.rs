//! The local stream: a durable, ordered log that several processes may write and several consumers read.
//!
//! What is put together is one row and one sync (group commit). A record's sequence number is its place in the log,
//! without gaps. A row's records are framed in its body:
//!
//! ```text
//! u16 key length | key | u64 put at, µs since 1970 | u32 data length | data       (little-endian)
//! ```

use pipeline::{PortError, Record, RecordSequence, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Records that will be put together.
#[derive(Clone, Debug, Default)]
pub struct Group {
    body: Vec<u8>,
    records: u64,
    lines: u64,
}

impl Group {
    /// Adds a record of so many lines. `put_at` is when its first quote was handed over, in µs since 1970.
    ///
    /// A key longer than 64 KiB is cut: it is no symbol in any case, and the record is set aside.
    pub fn push(&mut self, key: &str, put_at: u64, data: &[u8], lines: u64) {
        let mut length = key.len().min(usize::from(u16::MAX));
        while !key.is_char_boundary(length) {
            length -= 1;
        }
        self.body.extend_from_slice(&(length as u16).to_le_bytes());
        self.body.extend_from_slice(key.as_bytes().get(..length).unwrap_or_default());
        self.body.extend_from_slice(&put_at.to_le_bytes());
        self.body.extend_from_slice(&(data.len() as u32).to_le_bytes());
        self.body.extend_from_slice(data);
        self.records += 1;
        self.lines += lines;
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether there is nothing to put.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Lines in all records.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.body.clear();
        self.records = 0;
        self.lines = 0;
    }
}

/// Puts a group; when this returns it is durable. Returns the last sequence number.
pub fn put(db: &mut Connection, run: i64, group: &Group) -> rusqlite::Result<u64> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let first = last(&tx)? + 1;
    let last = first + group.records - 1;
    tx.prepare_cached("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
        first as i64,
        last as i64,
        run,
        now().millis(),
        group.lines as i64,
        group.body
    ])?;
    tx.commit()?;
    Ok(last)
}

/// The last sequence number of the stream; that before its first where it is empty.
pub fn last(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT coalesce((SELECT last FROM log ORDER BY first DESC LIMIT 1), (SELECT next - 1 FROM origin))";
    db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0)).map(|n| n as u64)
}

/// The first record of the newest commit whose first record is below `before`; none where there is none.
pub fn commit_before(db: &Connection, before: u64) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT first FROM log WHERE first < ? ORDER BY first DESC LIMIT 1")?
        .query_row([i64::try_from(before).unwrap_or(i64::MAX)], |row| row.get::<_, i64>(0))
        .optional()
        .map(|first| first.map(|n| n as u64))
}

/// The first record of the oldest commit that arrived at this time or later; none where there is none.
pub fn commit_since(db: &Connection, time: Timestamp) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT first FROM log WHERE arrived_at >= ? ORDER BY first LIMIT 1")?
        .query_row([time.millis()], |row| row.get::<_, i64>(0))
        .optional()
        .map(|first| first.map(|n| n as u64))
}

/// What waits after a checkpoint: lines, bytes, and when the oldest arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Lines, those of a row that is partly taken included.
    pub lines: u64,
    /// Bytes of the records.
    pub bytes: u64,
    /// When the oldest of it arrived, in milliseconds since 1970.
    pub oldest: Option<i64>,
    /// The stream's last sequence number.
    pub last: u64,
}

/// What waits after a checkpoint.
pub fn backlog(db: &Connection, checkpoint: u64) -> rusqlite::Result<Backlog> {
    let sql = "SELECT coalesce(sum(quotes), 0), coalesce(sum(length(body)), 0), min(arrived_at) FROM log
               WHERE first >= coalesce((SELECT max(first) FROM log WHERE first <= ?1), 0) AND last >= ?1";
    let (lines, bytes, oldest) = db.prepare_cached(sql)?.query_row([(checkpoint + 1) as i64], |row| {
        Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64, row.get(2)?))
    })?;
    Ok(Backlog { lines, bytes, oldest, last: last(db)? })
}

/// A record, and what the stream knows of it besides.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The producer's run.
    pub run: i64,
    /// When its first quote was handed over, in µs since 1970.
    pub put_at: u64,
}

/// Records read together, and beside each its entry.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In stream order.
    pub records: Vec<Record>,
    /// One for each record.
    pub entries: Vec<Entry>,
}

/// How much a consumer takes at once; it takes one row of the log at least.
#[derive(Clone, Copy, Debug)]
pub struct BatchSize {
    /// Lines.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Reads what follows the checkpoint.
pub fn read(db: &Connection, checkpoint: u64, size: BatchSize) -> Result<Batch, PortError> {
    let failed = |e: rusqlite::Error| PortError(format!("the stream cannot be read: {e}"));
    let mut statement = db
        .prepare_cached(
            "SELECT first, run, arrived_at, quotes, body FROM log
             WHERE first >= coalesce((SELECT max(first) FROM log WHERE first <= ?1), 0) AND last >= ?1 ORDER BY first",
        )
        .map_err(failed)?;
    let mut rows = statement.query([(checkpoint + 1) as i64]).map_err(failed)?;
    let mut batch = Batch::default();
    let (mut lines, mut bytes) = (0, 0);
    let mut key: Arc<str> = Arc::from("");
    while let Some(row) = rows.next().map_err(failed)? {
        let (first, run): (i64, i64) = (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
        let arrived_at = Timestamp::from_millis(row.get(2).map_err(failed)?).unwrap_or_else(now);
        let body = row.get_ref(4).map_err(failed)?.as_blob().map_err(|e| failed(e.into()))?;
        lines += row.get::<_, i64>(3).map_err(failed)? as u64;
        bytes += body.len() as u64;
        if !batch.records.is_empty() && (lines > size.lines || bytes > size.bytes) {
            break;
        }
        let mut rest = body;
        let mut sequence = first as u64;
        while !rest.is_empty() {
            let (text, put_at, data, after) =
                frame(rest).ok_or_else(|| PortError(format!("the stream's row {first} is damaged")))?;
            rest = after;
            if sequence > checkpoint {
                if *key != *text {
                    key = Arc::from(text);
                }
                batch.records.push(Record {
                    sequence: RecordSequence::local(sequence),
                    partition_key: Arc::clone(&key),
                    arrived_at,
                    data: Arc::from(data),
                });
                batch.entries.push(Entry { run, put_at });
            }
            sequence += 1;
        }
    }
    Ok(batch)
}

fn frame(bytes: &[u8]) -> Option<(&str, u64, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (put_at, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (data, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((std::str::from_utf8(key).ok()?, u64::from_le_bytes(*put_at), data, rest))
}

/// Removes what arrived before `before` (milliseconds since 1970) and every consumer has taken. The newest row
/// stays, since it says where the stream goes on.
pub fn prune(db: &Connection, before: i64, taken: u64) -> rusqlite::Result<usize> {
    // A slice at a time, so that producers do not wait for it.
    db.execute(
        "DELETE FROM log WHERE first IN (SELECT first FROM log WHERE last <= ?2 AND arrived_at < ?1
             AND first < (SELECT max(first) FROM log) ORDER BY first LIMIT 64)",
        params![before, taken as i64],
    )
}

/// Now.
pub fn now() -> Timestamp {
    let millis = i64::try_from(now_micros() / 1000).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis).unwrap_or(pipeline::Date::EPOCH.start())
}

/// A number that no other run has. Two processes may begin in the same microsecond, so theirs is part of it.
pub fn new_run() -> i64 {
    ((now_micros() << 12) | u64::from(std::process::id() & 0xfff)) as i64
}

/// Now, in µs since 1970.
pub fn now_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::local::state::Folder;

    const ALL: BatchSize = BatchSize { lines: 1_000_000, bytes: 1 << 30 };

    fn group(records: &[&str]) -> Group {
        let mut group = Group::default();
        for data in records {
            group.push("AAPL", 7, data.as_bytes(), 1);
        }
        group
    }

    fn texts(batch: &Batch) -> Vec<(u64, String)> {
        let text = |r: &Record| (r.sequence.number().unwrap_or(0), String::from_utf8_lossy(&r.data).into_owned());
        batch.records.iter().map(text).collect()
    }

    #[test]
    fn what_was_put_is_read_from_any_place() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(home.path(), "s");
        folder.create().expect("a stack");
        let mut db = folder.stream().expect("a stream");
        assert_eq!(last(&db).expect("last"), 0);
        assert_eq!(put(&mut db, 1, &group(&["a", "b", "c"])).expect("put"), 3);
        assert_eq!(put(&mut db, 1, &group(&["d"])).expect("put"), 4);
        let all = [(1, "a"), (2, "b"), (3, "c"), (4, "d")].map(|(n, t)| (n, t.to_owned()));
        for checkpoint in 0..5 {
            let batch = read(&db, checkpoint, ALL).expect("a batch");
            assert_eq!(texts(&batch), &all[checkpoint as usize..], "{checkpoint}");
        }
        // A row at least, whatever the size; and no second one that exceeds it.
        let small = read(&db, 1, BatchSize { lines: 1, bytes: 1 }).expect("a batch");
        assert_eq!(texts(&small), &all[1..3]);
        let waiting = backlog(&db, 3).expect("a backlog");
        assert_eq!((waiting.lines, waiting.last), (1, 4));
        assert_eq!(backlog(&db, 4).expect("a backlog").lines, 0);
    }

    #[test]
    fn pruning_keeps_what_is_not_taken_and_the_count() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(home.path(), "s");
        folder.create().expect("a stack");
        let mut db = folder.stream().expect("a stream");
        for _ in 0..3 {
            put(&mut db, 1, &group(&["a", "b"])).expect("put");
        }
        assert_eq!(prune(&db, i64::MAX, 3).expect("prune"), 1);
        assert_eq!(texts(&read(&db, 0, ALL).expect("a batch")).first(), Some(&(3, "a".into())));
        assert_eq!(prune(&db, i64::MAX, 6).expect("prune"), 1, "the newest row stays");
        assert_eq!(last(&db).expect("last"), 6);
    }
}
