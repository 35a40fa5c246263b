//! The local target: one machine, everything embedded, nothing to install.
//!
//! ```text
//! producer ─▶ stream.db ─▶ process + trend ─▶ table.db ─▶ alerts
//!                     └──▶ archive ─▶ lake/ (listed in table.db) ─▶ sql
//! ```
//!
//! Any number of processes may produce, query and look at the status; the consumers run in the one that holds the
//! lease. All state is in the stack's folder, and whoever opens it goes on where the last one stopped.

pub mod aside;
pub mod consumers;
mod history;
mod lake;
mod lease;
pub mod live;
pub mod producer;
mod replay;
mod schema;
pub mod span;
pub mod sql;
pub mod state;
pub mod stream;
mod table;

pub use super::{Drained, Run};

use crate::{
    error::Error,
    targets::{NewSignals, Target, latency::Histogram},
};
use consumers::{Consumers, Event, Events, Role};
use pipeline::{AnomalyThreshold, ArchiveSettings, Counts, Item, ProcessSettings, Raw, Signal, Symbol, Timestamp};
use rusqlite::{Connection, ErrorCode, params};
use state::{Folder, Made, integer};
use std::{
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// The name of the local stream's one shard.
const SHARD: &str = "local";

/// How long a drain tries at a time to say what it wants.
const WANT_TIMEOUT: Duration = Duration::from_millis(50);

/// What the consumers are told; kept in the stack, so that whoever runs them does the same.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For process.
    pub process: ProcessSettings,
    /// For archive.
    pub archive: ArchiveSettings,
    /// How long the stream keeps what every consumer has taken, in milliseconds.
    pub stream_retention: i64,
}

/// What a user can set of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long the table keeps a quote, in seconds.
    pub retention: i64,
    /// Beyond which change, in percent, a quote is an anomaly.
    pub anomaly_percent: String,
    /// How lines are kept as they came: `symbol`, `batch` or `off`.
    pub raw: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { retention: 7 * 86_400, anomaly_percent: "5".into(), raw: "symbol".into() }
    }
}

impl Options {
    /// Name and value of each, as they are kept.
    fn pairs(&self) -> [(&'static str, String); 3] {
        [
            ("retention", self.retention.to_string()),
            ("anomaly_percent", self.anomaly_percent.clone()),
            ("raw", self.raw.clone()),
        ]
    }

    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let mut options = Self::default();
        let mut statement = db.prepare("SELECT name, value FROM settings")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let value: String = row.get(1)?;
            match row.get::<_, String>(0)?.as_str() {
                "retention" => options.retention = value.parse().unwrap_or(options.retention),
                "anomaly_percent" => options.anomaly_percent = value,
                "raw" => options.raw = value,
                _ => {}
            }
        }
        Ok(options)
    }

    fn settings(&self) -> Settings {
        let anomaly = AnomalyThreshold::percent(&self.anomaly_percent).unwrap_or_default();
        let raw = match self.raw.as_str() {
            "off" => Raw::Off,
            "batch" => Raw::Batch,
            _ => Raw::Symbol,
        };
        Settings {
            process: ProcessSettings { retention: self.retention, anomaly },
            archive: ArchiveSettings { shard: SHARD.into(), raw, anomaly },
            stream_retention: 86_400_000,
        }
    }
}

/// Wakes the consumers of this process when something was put.
#[derive(Debug, Default)]
pub struct Wake {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Wake {
    /// How often it was woken so far: to be asked before looking for work.
    fn now(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that there may be work.
    pub fn notify(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits until it was woken since `seen`, so long at most.
    fn wait(&self, seen: u64, at_most: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(count, at_most, |count| *count == seen));
    }
}

/// A local stack.
#[derive(Clone, Debug)]
pub struct Local {
    folder: Folder,
}

/// What `up` did.
#[derive(Clone, Debug)]
pub struct Up {
    /// Whether it made the stack.
    pub made: Made,
    /// Options that changed: name, before, after.
    pub changed: Vec<(String, String, String)>,
}

/// What waits for the consumers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Quotes that are not in the table yet.
    pub process: u64,
    /// Quotes that are not in the lake yet.
    pub archive: u64,
    /// How long the oldest of those not in the table has waited, in milliseconds.
    pub oldest: i64,
}

/// What is in a stack and how it does.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its options.
    pub options: Options,
    /// Who runs the consumers, if anybody.
    pub holder: Option<String>,
    /// What waits.
    pub lag: Lag,
    /// Records ever put, and quotes in the stream now.
    pub stream: (u64, u64),
    /// Quotes and symbols in the table.
    pub table: (u64, u64),
    /// Signals, and alerts that are not published yet.
    pub signals: (u64, u64),
    /// Lines that were set aside and not replayed, the newest with its reason.
    pub set_aside: (u64, Option<String>),
    /// Lines that were set aside and replayed since.
    pub replayed: u64,
    /// Files of the lake, their quotes and bytes.
    pub lake: (u64, u64, u64),
    /// Bytes of the whole folder.
    pub bytes: u64,
}

/// What became of a run's quotes.
fn read_run(db: &Connection, run: i64) -> rusqlite::Result<Run> {
    let mut statement = db.prepare_cached(
        "SELECT quotes, stored, duplicates, revised, late, stale, anomalies, set_aside, signals, archived, latency
             FROM runs WHERE run = ?",
    )?;
    let mut rows = statement.query([run])?;
    let Some(row) = rows.next()? else { return Ok(Run::default()) };
    let number = |column| row.get::<_, i64>(column).map(|n| n as u64);
    Ok(Run {
        counts: Counts {
            quotes: number(0)?,
            stored: number(1)?,
            duplicates: number(2)?,
            revised: number(3)?,
            late: number(4)?,
            stale: number(5)?,
            anomalies: number(6)?,
            set_aside: number(7)?,
        },
        signals: number(8)?,
        archived: number(9)?,
        latency: Histogram::from_bytes(row.get_ref(10)?.as_blob()?),
    })
}

impl Local {
    /// The stack of this folder; it need not exist.
    pub fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// Where it is.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    fn failed(&self, error: rusqlite::Error) -> Error {
        self.folder.broken("table.db", error)
    }

    /// What `up` would change: the options kept now, if the stack or its data is there.
    pub fn kept_options(&self) -> Result<Option<Options>, Error> {
        let Some(table) = self.folder.kept_table()? else { return Ok(None) };
        Options::read(&table).map(Some).map_err(|e| self.failed(e))
    }

    /// Creates the stack, takes kept data in again, or changes its options; doing it again changes nothing.
    pub fn up(&self, options: &Options) -> Result<Up, Error> {
        let made = self.folder.create()?;
        let db = self.folder.table()?;
        let before = Options::read(&db).map_err(|e| self.failed(e))?;
        let mut changed = Vec::new();
        for ((name, before), (_, after)) in before.pairs().into_iter().zip(options.pairs()) {
            if before != after {
                db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", params![name, after])
                    .map_err(|e| self.failed(e))?;
                changed.push((name.to_owned(), before, after));
            }
        }
        Ok(Up { made, changed })
    }

    /// Runs the consumers in this process, as soon as no other one does.
    pub fn start_consumers(&self, wake: &Arc<Wake>, events: Events) -> Result<Consumers, Error> {
        let options = Options::read(&self.folder.table()?).map_err(|e| self.failed(e))?;
        Consumers::start(&self.folder, options.settings(), Arc::clone(wake), events)
    }

    /// The stream's last sequence number.
    pub fn last(&self) -> Result<u64, Error> {
        stream::last(&self.folder.stream()?).map_err(|e| self.folder.broken("stream.db", e))
    }

    /// Waits until all up to `through` is in the table and in the lake and every alert is published, calling `look`
    /// now and then with how many quotes are missing. Gives up when `look` says so.
    pub fn drain(
        &self,
        consumers: &Consumers,
        through: u64,
        mut look: impl FnMut(&Role, Lag) -> bool,
    ) -> Result<Drained, Error> {
        let (table, stream) = (self.folder.table()?, self.folder.stream()?);
        // Under load the consumers write all the time, and `look` is not to wait for a turn among them.
        table.busy_timeout(WANT_TIMEOUT).map_err(|e| self.failed(e))?;
        let mut waiting = lag(&table, &stream).map_err(|e| self.failed(e))?;
        let mut is_wanted = false;
        loop {
            // What fails now, on a full disk for one, may not fail the next time: `look` decides how long to hope.
            let seen = (|| {
                if !is_wanted {
                    is_wanted = match consumers::want_through(&table, through) {
                        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => false,
                        result => result.map(|()| true)?,
                    };
                }
                waiting = lag(&table, &stream)?;
                Ok(consumers::checkpoint(&table, "process")?.min(consumers::checkpoint(&table, "archive")?))
            })();
            let failure = match seen {
                Ok(reached) if reached >= through => return Ok(Drained::All),
                Ok(_) => None,
                Err(error) => Some(self.failed(error).to_string()),
            };
            let role = consumers.role();
            if !look(&role, waiting) {
                let because = match (consumers.failure().or(failure), role) {
                    (Some(failure), _) => failure,
                    (None, Role::Theirs(holder)) => format!("{} runs the consumers and is behind", holder.name),
                    (None, _) => "the consumers are behind".into(),
                };
                return Ok(Drained::Missing { quotes: waiting.process.max(waiting.archive), because });
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Before a question: takes what waits, if nobody does; else waits for whoever does, five seconds at most.
    /// `progress` is called now and then, `show` with what happens meanwhile.
    pub fn catch_up(&self, mut progress: impl FnMut(Lag), mut show: impl FnMut(Event)) -> Result<Drained, Error> {
        let (table, stream) = (self.folder.table()?, self.folder.stream()?);
        let last = self.last()?;
        let waiting = lag(&table, &stream).map_err(|e| self.failed(e))?;
        let unpublished = table::has_pending_alerts(&table).map_err(|e| self.failed(e))?;
        if waiting.process == 0 && waiting.archive == 0 && !unpublished {
            return Ok(Drained::All);
        }
        let (events, received) = mpsc::channel();
        let send: Events = Arc::new(move |event| {
            let _ = events.send(event);
        });
        let consumers = self.start_consumers(&Arc::default(), send)?;
        let patience = Instant::now() + Duration::from_secs(5);
        let drained = self.drain(&consumers, last, |role, lag| {
            progress(lag);
            received.try_iter().for_each(&mut show);
            *role == Role::Ours && consumers.failure().is_none() || Instant::now() < patience
        });
        consumers.stop();
        drained
    }

    /// What waits for the consumers.
    pub fn lag(&self) -> Result<Lag, Error> {
        lag(&self.folder.table()?, &self.folder.stream()?).map_err(|e| self.failed(e))
    }

    /// What became of a run.
    pub fn run(&self, run: i64) -> Result<Run, Error> {
        read_run(&self.folder.table()?, run).map_err(|e| self.failed(e))
    }

    /// Signals recorded after `mark`, oldest first, and the mark to ask with the next time. The first mark is 0.
    fn signals_after(&self, mark: i64) -> Result<(Vec<Signal>, i64), Error> {
        let db = self.folder.table()?;
        (|| {
            // The newest first: what is recorded between the two reads comes with the next call.
            let newest = integer(&db, "SELECT max(number) FROM signals")?.unwrap_or(0);
            let sql = format!("{} WHERE number > ? AND number <= ? ORDER BY number", table::SELECT_SIGNAL);
            let mut statement = db.prepare_cached(&sql)?;
            let found = statement.query_map([mark, newest], table::signal)?.collect::<Result<Vec<_>, _>>()?;
            Ok((found, newest))
        })()
        .map_err(|e| self.failed(e))
    }

    /// The lake's files that count.
    pub fn lake_files(&self) -> Result<Vec<sql::LakeFile>, Error> {
        lake::live(&self.folder, &self.folder.table()?).map_err(|e| self.failed(e))
    }

    /// What is in the stack and how it does. Reads only.
    pub fn status(&self) -> Result<Status, Error> {
        let (db, stream) = (self.folder.table()?, self.folder.stream()?);
        let count = |sql: &str| integer(&db, sql).map(|n| n.unwrap_or(0) as u64);
        (|| {
            let newest =
                "SELECT reason FROM set_aside WHERE replayed_at IS NULL ORDER BY record DESC, line DESC LIMIT 1";
            let reason = db.prepare(newest)?.query_map([], |row| row.get(0))?.next().transpose()?;
            Ok(Status {
                options: Options::read(&db)?,
                holder: lease::holder(&db)?.map(|h| h.name),
                lag: lag(&db, &stream)?,
                stream: (stream::last(&stream)?, integer(&stream, "SELECT sum(quotes) FROM log")?.unwrap_or(0) as u64),
                table: (count("SELECT count(*) FROM quotes")?, count("SELECT count(*) FROM symbols")?),
                signals: (
                    count("SELECT count(*) FROM signals")?,
                    count("SELECT count(*) FROM signals WHERE alert AND alerted_at IS NULL")?
                        + count("SELECT count(*) FROM anomalies WHERE alerted_at IS NULL")?,
                ),
                set_aside: (count("SELECT count(*) FROM set_aside WHERE replayed_at IS NULL")?, reason),
                replayed: count("SELECT count(*) FROM set_aside WHERE replayed_at IS NOT NULL")?,
                lake: (
                    count("SELECT count(*) FROM lake_files WHERE replaced_at IS NULL")?,
                    count("SELECT sum(rows) FROM lake_files WHERE replaced_at IS NULL")?,
                    count("SELECT sum(bytes) FROM lake_files WHERE replaced_at IS NULL")?,
                ),
                bytes: size(self.folder.path()),
            })
        })()
        .map_err(|e| self.failed(e))
    }
}

impl Target for Local {
    fn title(&self) -> String {
        format!("local stack '{}'", self.folder.name())
    }

    fn symbols(&self) -> Result<Vec<String>, Error> {
        let db = self.folder.table()?;
        let mut statement = db.prepare("SELECT symbol FROM symbols ORDER BY symbol").map_err(|e| self.failed(e))?;
        let symbols = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
        symbols.map_err(|e| self.failed(e))
    }

    fn latest(&self, symbols: &[Symbol]) -> Result<Vec<Item>, Error> {
        let db = self.folder.table()?;
        (|| {
            let mut found = Vec::new();
            for id in symbol_ids(&db, symbols)? {
                found.extend(table::newest(&db, id, stream::now())?);
            }
            Ok(found)
        })()
        .map_err(|e| self.failed(e))
    }

    fn signals(&self, symbols: &[Symbol], since: Option<Timestamp>) -> Result<Vec<Signal>, Error> {
        let db = self.folder.table()?;
        (|| {
            let mut found = Vec::new();
            let mut statement = db.prepare_cached(&format!(
                "{} WHERE s.symbol = ? AND timestamp >= ? ORDER BY timestamp",
                table::SELECT_SIGNAL
            ))?;
            let since = since.map_or(i64::MIN, Timestamp::millis);
            for id in symbol_ids(&db, symbols)? {
                found.extend(statement.query_map([id, since], table::signal)?.collect::<Result<Vec<_>, _>>()?);
            }
            Ok(found)
        })()
        .map_err(|e| self.failed(e))
    }

    fn new_signals(&self, symbols: &[Symbol]) -> Result<Box<dyn NewSignals + '_>, Error> {
        Ok(Box::new(Following { local: self, symbols: symbols.to_vec(), mark: 0 }))
    }
}

/// Signals as they are recorded.
struct Following<'a> {
    local: &'a Local,
    symbols: Vec<Symbol>,
    /// The last one that was read.
    mark: i64,
}

impl NewSignals for Following<'_> {
    fn next(&mut self) -> Result<Vec<Signal>, Error> {
        // One read gives the signals and where the next ones begin: none is missed or given twice.
        let (mut signals, mark) = self.local.signals_after(self.mark)?;
        self.mark = mark;
        signals.retain(|signal| self.symbols.is_empty() || self.symbols.contains(&signal.symbol));
        Ok(signals)
    }
}

fn lag(table: &Connection, stream: &Connection) -> rusqlite::Result<Lag> {
    let process = stream::backlog(stream, consumers::checkpoint(table, "process")?)?;
    let archive = stream::backlog(stream, consumers::checkpoint(table, "archive")?)?;
    let oldest = process.oldest.map_or(0, |t| (stream::now().millis() - t).max(0));
    Ok(Lag { process: process.lines, archive: archive.lines, oldest })
}

fn symbol_ids(db: &Connection, symbols: &[Symbol]) -> rusqlite::Result<Vec<i64>> {
    let mut statement = db.prepare_cached("SELECT id, symbol FROM symbols ORDER BY symbol")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let wanted = |symbol: &str| symbols.is_empty() || symbols.iter().any(|s| **s == *symbol);
    rows.filter_map(|row| match row {
        Ok((id, symbol)) => wanted(&symbol).then_some(Ok(id)),
        Err(error) => Some(Err(error)),
    })
    .collect()
}

/// Bytes of all files below a folder; what cannot be read counts nothing.
fn size(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size(&entry.path()),
            _ => entry.metadata().map_or(0, |m| m.len()),
        })
        .sum()
}
