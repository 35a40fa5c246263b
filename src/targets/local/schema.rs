//! The layout of both databases, and how those of earlier versions are brought to it.

use rusqlite::{Connection, TransactionBehavior};

const STREAM_SCHEMA: &str = "
    -- One row per commit: the records that were put together.
    CREATE TABLE log (
        first INTEGER PRIMARY KEY,      -- sequence number of the first record
        last INTEGER NOT NULL,          -- of the last one
        run INTEGER NOT NULL,           -- the producer's run
        arrived_at INTEGER NOT NULL,    -- milliseconds since 1970
        quotes INTEGER NOT NULL,        -- lines in all records
        body BLOB NOT NULL              -- the records, framed
    );
    -- Where a stream begins that follows a kept table.
    CREATE TABLE origin (next INTEGER NOT NULL);
";

const TABLE_SCHEMA: &str = "
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE symbols (id INTEGER PRIMARY KEY, symbol TEXT NOT NULL UNIQUE);
    -- Currencies and sources, which repeat from quote to quote.
    CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    -- Prices and volumes in units of 10^-8 (a volume too wide for an integer as text), percent in 10^-4, times in
    -- milliseconds since 1970, expires_at in seconds. marks: see table.rs.
    CREATE TABLE quotes (
        symbol INTEGER NOT NULL, timestamp INTEGER NOT NULL, price INTEGER NOT NULL,
        open INTEGER, high INTEGER, low INTEGER, previous_close INTEGER, volume,
        currency INTEGER, source INTEGER, marks INTEGER NOT NULL, change_percent INTEGER,
        ingested_at INTEGER NOT NULL, record INTEGER NOT NULL, line INTEGER NOT NULL,
        processed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (symbol, timestamp)
    ) WITHOUT ROWID;
    -- What must be known of a symbol to judge its next quote. prices: eight bytes each, oldest first.
    CREATE TABLE heads (
        symbol INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, prices BLOB NOT NULL, side INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    );
    -- Where the quotes are that expire in an hour: a narrow index.
    CREATE TABLE expiries (
        hour INTEGER NOT NULL, symbol INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (hour, symbol)
    ) WITHOUT ROWID;
    -- Averages in units of 10^-10, as text where too wide.
    -- number is the order in which they were recorded.
    CREATE TABLE signals (
        number INTEGER PRIMARY KEY, symbol INTEGER NOT NULL, timestamp INTEGER NOT NULL, signal TEXT NOT NULL,
        price INTEGER NOT NULL, sma_5 NOT NULL, sma_20 NOT NULL, alert INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
        alerted_at INTEGER, UNIQUE (symbol, timestamp)
    );
    CREATE INDEX signals_pending ON signals (number) WHERE alert AND alerted_at IS NULL;
    CREATE TABLE anomalies (
        symbol INTEGER NOT NULL, session INTEGER NOT NULL, timestamp INTEGER NOT NULL, price INTEGER NOT NULL,
        previous_close INTEGER, change_percent INTEGER, recorded_at INTEGER NOT NULL, alerted_at INTEGER,
        PRIMARY KEY (symbol, session)
    ) WITHOUT ROWID;
    CREATE INDEX anomalies_pending ON anomalies (recorded_at) WHERE alerted_at IS NULL;
    CREATE TABLE set_aside (
        record INTEGER NOT NULL, line INTEGER NOT NULL, partition_key TEXT NOT NULL, arrived_at INTEGER NOT NULL,
        reason TEXT NOT NULL, bytes BLOB NOT NULL,
        replayed_at INTEGER,            -- when it was put again, in milliseconds since 1970
        replayed_as INTEGER,            -- as which record
        PRIMARY KEY (record, line)
    ) WITHOUT ROWID;
    CREATE TABLE checkpoints (consumer TEXT PRIMARY KEY, record INTEGER NOT NULL) WITHOUT ROWID;
    -- Up to where the lake is wanted at once, by whoever wants to query it.
    CREATE TABLE flush (through INTEGER NOT NULL);
    CREATE TABLE lease (token INTEGER NOT NULL, holder TEXT NOT NULL, expires_at INTEGER NOT NULL);
    -- What became of each run's quotes. latency: a histogram.
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY, quotes INTEGER NOT NULL, stored INTEGER NOT NULL, duplicates INTEGER NOT NULL,
        revised INTEGER NOT NULL, late INTEGER NOT NULL, stale INTEGER NOT NULL, anomalies INTEGER NOT NULL,
        set_aside INTEGER NOT NULL, signals INTEGER NOT NULL, archived INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        latency BLOB NOT NULL
    );
    CREATE TABLE lake_files (
        name TEXT PRIMARY KEY, dt INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        rows INTEGER NOT NULL, bytes INTEGER NOT NULL, replaced_at INTEGER
    ) WITHOUT ROWID;
    INSERT INTO checkpoints VALUES ('process', 0), ('archive', 0);
    INSERT INTO flush VALUES (0);
    INSERT INTO lease VALUES (0, '', 0);
";

/// A database's layout, whose version is in its `user_version`: 1, and one more for each upgrade.
pub struct Schema {
    /// What a new one begins with: the newest version.
    create: &'static str,
    /// What leads from each version to the next.
    upgrades: &'static [&'static str],
}

/// The stream's.
pub const STREAM: Schema = Schema { create: STREAM_SCHEMA, upgrades: &[] };
/// The one of everything else.
pub const TABLE: Schema = Schema {
    create: TABLE_SCHEMA,
    upgrades: &["ALTER TABLE set_aside ADD COLUMN replayed_at INTEGER;
                 ALTER TABLE set_aside ADD COLUMN replayed_as INTEGER;"],
};

impl Schema {
    /// The newest version.
    pub const fn version(&self) -> usize {
        1 + self.upgrades.len()
    }

    /// Brings a database to the newest version, a new one only if it may be made. One that a later stockpipe made
    /// stays as it is.
    pub fn apply(&self, db: &mut Connection, may_create: bool) -> rusqlite::Result<()> {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match user_version(&tx)? {
            0 if may_create => tx.execute_batch(self.create)?,
            found @ 1.. => {
                for upgrade in self.upgrades.get(found - 1..).unwrap_or_default() {
                    tx.execute_batch(upgrade)?;
                }
            }
            0 => return Ok(()),
        }
        if user_version(&tx)? < self.version() {
            tx.pragma_update(None, "user_version", self.version() as i64)?;
        }
        tx.commit()
    }
}

/// The version of a database; 0 where it is empty.
pub fn user_version(db: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}
