//! The table, the signals and the set-aside records in SQLite: the handlers' ports within one transaction.
//!
//! The head of a symbol is a row of its own, written with the batch and the checkpoint, so it always is as it was
//! before the next record.

use super::stream;
use pipeline::{
    Asked, Average, Head, Item, Newest, Origin, Percent, PortError, Price, Put, Quote, Raised, RecordSequence,
    SetAside, SetAsideStore, Side, Signals, Symbol, Table, Timestamp, Trail, Volume, Window,
};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Row,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use std::{collections::HashMap, sync::Arc};

// The bits of the column `marks`; the lowest two are the origin.
const ORIGIN: i64 = 0b11;
const STALE: i64 = 1 << 2;
const ALERT: i64 = 1 << 3;
const ANOMALY: i64 = 1 << 4;
const LATE: i64 = 1 << 5;
const IN_ORDER: i64 = 1 << 6;
const ORIGINS: [Origin; 3] = [Origin::Live, Origin::Replay, Origin::Backfill];

/// An exact integer that may be too wide for the database's 64 bits: then it is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide(pub i128);

impl ToSql for Wide {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).map_or_else(|_| self.0.to_string().into(), ToSqlOutput::from))
    }
}

impl FromSql for Wide {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(value) => Ok(Self(value.into())),
            ValueRef::Text(_) => value.as_str()?.parse().map(Self).map_err(|_| FromSqlError::InvalidType),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// The numbers that stand for symbols and texts in the rows. They never change once committed.
#[derive(Debug, Default)]
pub struct Ids {
    symbols: HashMap<Symbol, i64>,
    texts: HashMap<Arc<str>, i64>,
    last_text: Option<(Arc<str>, i64)>,
}

impl Ids {
    /// Forgets all: after a transaction that made some was rolled back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn symbol(&mut self, db: &Connection, symbol: &Symbol) -> rusqlite::Result<i64> {
        if let Some(id) = self.symbols.get(symbol) {
            return Ok(*id);
        }
        let id = interned(db, "symbols", "symbol", symbol)?;
        self.symbols.insert(symbol.clone(), id);
        Ok(id)
    }

    fn text(&mut self, db: &Connection, text: Option<&Arc<str>>) -> rusqlite::Result<Option<i64>> {
        let Some(text) = text else { return Ok(None) };
        if let Some((last, id)) = &self.last_text
            && Arc::ptr_eq(last, text)
        {
            return Ok(Some(*id));
        }
        let id = match self.texts.get(text) {
            Some(id) => *id,
            None => {
                let id = interned(db, "texts", "text", text)?;
                self.texts.insert(Arc::clone(text), id);
                id
            }
        };
        self.last_text = Some((Arc::clone(text), id));
        Ok(Some(id))
    }
}

fn interned(db: &Connection, table: &str, column: &str, text: &str) -> rusqlite::Result<i64> {
    let found = db
        .prepare_cached(&format!("SELECT id FROM {table} WHERE {column} = ?"))?
        .query_row([text], |row| row.get(0))
        .optional()?;
    match found {
        Some(id) => Ok(id),
        None => {
            db.prepare_cached(&format!("INSERT INTO {table} ({column}) VALUES (?)"))?.execute([text])?;
            Ok(db.last_insert_rowid())
        }
    }
}

/// The ports, within a transaction on `db` that the caller began and ends.
#[derive(Debug)]
pub struct Tables<'t> {
    db: &'t Connection,
    ids: &'t mut Ids,
}

/// Where lines go that can never become quotes, within the same transaction.
#[derive(Debug)]
pub struct SetAsides<'t>(pub &'t Connection);

impl<'t> Tables<'t> {
    /// The ports on a connection that has a transaction open.
    pub fn new(db: &'t Connection, ids: &'t mut Ids) -> Self {
        Self { db, ids }
    }

    fn head(&mut self, asked: &Asked, arrival: Timestamp) -> rusqlite::Result<Head> {
        let symbol = self.ids.symbol(self.db, &asked.symbol)?;
        let newest = newest_in_order(self.db, symbol, arrival)?;
        let above = newest.as_ref().map_or(i64::MIN, |n| n.timestamp.millis().saturating_add(1));
        let mut statement = self.db.prepare_cached(&format!(
            "{SELECT_ITEM} WHERE q.symbol = ? AND timestamp BETWEEN ? AND ? AND expires_at > ?"
        ))?;
        let (first, last) = (above.max(asked.first.millis()), asked.last.millis());
        let mut rows = statement.query([symbol, first, last, arrival.seconds()])?;
        let mut taken = Vec::new();
        while let Some(row) = rows.next()? {
            taken.push(item(row)?);
        }
        Ok(Head { newest, taken })
    }

    fn insert(&mut self, items: &[Item]) -> rusqlite::Result<()> {
        let mut quotes = self.db.prepare_cached(
            "INSERT OR REPLACE INTO quotes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for run in items.chunk_by(|a, b| a.quote.symbol == b.quote.symbol && hour(a) == hour(b)) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let symbol = self.ids.symbol(self.db, &first.quote.symbol)?;
            let (mut earliest, mut latest) = (i64::MAX, i64::MIN);
            for item in run {
                let millis = item.quote.timestamp.millis();
                (earliest, latest) = (earliest.min(millis), latest.max(millis));
                self.bind(&mut quotes, symbol, item)?;
                quotes.raw_execute()?;
            }
            let mut expiries = self.db.prepare_cached(
                "INSERT INTO expiries VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
                 SET first = min(first, excluded.first), last = max(last, excluded.last)",
            )?;
            expiries.execute([hour(first), symbol, earliest, latest])?;
            if let Some(trail) = &last.trail {
                let prices: Vec<u8> = trail.window.prices().iter().flat_map(|p| p.units().to_le_bytes()).collect();
                let mut heads = self.db.prepare_cached("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)")?;
                heads.execute(rusqlite::params![
                    symbol,
                    last.quote.timestamp.millis(),
                    prices,
                    trail.side.map_or(0, Side::sign),
                    last.expires_at
                ])?;
            }
        }
        Ok(())
    }

    fn bind(&mut self, statement: &mut CachedStatement<'_>, symbol: i64, item: &Item) -> rusqlite::Result<()> {
        let quote = &item.quote;
        let mut marks = ORIGINS.iter().position(|o| *o == quote.origin).map_or(0, |i| i as i64);
        for (bit, set) in [
            (STALE, quote.stale),
            (ALERT, quote.alert),
            (ANOMALY, item.anomaly),
            (LATE, item.late),
            (IN_ORDER, item.trail.is_some()),
        ] {
            marks |= if set { bit } else { 0 };
        }
        let units = |price: Option<Price>| price.map(Price::units);
        statement.raw_bind_parameter(1, symbol)?;
        statement.raw_bind_parameter(2, quote.timestamp.millis())?;
        statement.raw_bind_parameter(3, quote.price.units())?;
        statement.raw_bind_parameter(4, units(quote.open))?;
        statement.raw_bind_parameter(5, units(quote.high))?;
        statement.raw_bind_parameter(6, units(quote.low))?;
        statement.raw_bind_parameter(7, units(quote.previous_close))?;
        statement.raw_bind_parameter(8, quote.volume.map(|v| Wide(v.units())))?;
        statement.raw_bind_parameter(9, self.ids.text(self.db, quote.currency.as_ref())?)?;
        statement.raw_bind_parameter(10, self.ids.text(self.db, quote.source.as_ref())?)?;
        statement.raw_bind_parameter(11, marks)?;
        statement.raw_bind_parameter(12, item.change_percent.map(|p| p.0))?;
        statement.raw_bind_parameter(13, quote.ingested_at.millis())?;
        statement.raw_bind_parameter(14, number(item.sequence.record))?;
        statement.raw_bind_parameter(15, item.sequence.line)?;
        statement.raw_bind_parameter(16, item.processed_at.millis())?;
        statement.raw_bind_parameter(17, item.expires_at)
    }

    fn put_if_new(&mut self, item: &Item, arrival: Timestamp) -> rusqlite::Result<Put> {
        let symbol = self.ids.symbol(self.db, &item.quote.symbol)?;
        let holder = self
            .db
            .prepare_cached(&format!("{SELECT_ITEM} WHERE q.symbol = ? AND timestamp = ?"))?
            .query_row([symbol, item.quote.timestamp.millis()], self::item)
            .optional()?;
        match holder {
            Some(holder) if !holder.expired(arrival) => Ok(Put::Taken(Box::new(holder))),
            _ => self.insert(std::slice::from_ref(item)).map(|()| Put::Stored),
        }
    }

    fn record_one(&mut self, raised: &Raised) -> rusqlite::Result<bool> {
        let now = stream::now().millis();
        match raised {
            Raised::Signal(signal) => {
                let symbol = self.ids.symbol(self.db, &signal.symbol)?;
                let timestamp = signal.timestamp.millis();
                let new = self
                    .db
                    .prepare_cached("INSERT OR IGNORE INTO signals VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL)")?
                    .execute(rusqlite::params![
                        symbol,
                        timestamp,
                        signal.direction.as_str(),
                        signal.price.units(),
                        Wide(signal.sma_5.0),
                        Wide(signal.sma_20.0),
                        signal.alert,
                        now
                    ])?;
                if new == 1 {
                    return Ok(signal.alert);
                }
                self.db
                    .prepare_cached(
                        "SELECT alert AND alerted_at IS NULL FROM signals WHERE symbol = ? AND timestamp = ?",
                    )?
                    .query_row([symbol, timestamp], |row| row.get(0))
            }
            Raised::Anomaly(anomaly) => {
                let symbol = self.ids.symbol(self.db, &anomaly.symbol)?;
                let session = i64::from(anomaly.session.days());
                let new = self
                    .db
                    .prepare_cached("INSERT OR IGNORE INTO anomalies VALUES (?, ?, ?, ?, ?, ?, ?, NULL)")?
                    .execute(rusqlite::params![
                        symbol,
                        session,
                        anomaly.timestamp.millis(),
                        anomaly.price.units(),
                        anomaly.previous_close.map(Price::units),
                        anomaly.change_percent.map(|p| p.0),
                        now
                    ])?;
                if new == 1 {
                    return Ok(true);
                }
                // Claimed by another quote of the session: that one's alert is on its way.
                let sql =
                    "SELECT alerted_at IS NULL AND timestamp = ?3 FROM anomalies WHERE symbol = ?1 AND session = ?2";
                self.db.prepare_cached(sql)?.query_row([symbol, session, anomaly.timestamp.millis()], |row| row.get(0))
            }
        }
    }
}

impl Table for Tables<'_> {
    async fn heads(
        &mut self,
        asked: &[Asked],
        _before: RecordSequence,
        arrival: Timestamp,
    ) -> Result<Vec<Head>, PortError> {
        asked.iter().map(|asked| self.head(asked, arrival)).collect::<Result<_, _>>().map_err(failed)
    }

    async fn put_in_order(&mut self, items: &[Item]) -> Result<Vec<usize>, PortError> {
        self.insert(items).map(|()| vec![]).map_err(failed)
    }

    async fn put_new(&mut self, item: &Item, arrival: Timestamp) -> Result<Put, PortError> {
        self.put_if_new(item, arrival).map_err(failed)
    }
}

impl Signals for Tables<'_> {
    async fn register(&mut self, symbols: &[Symbol]) -> Result<(), PortError> {
        symbols.iter().try_for_each(|s| self.ids.symbol(self.db, s).map(|_| ())).map_err(failed)
    }

    async fn record(&mut self, raised: &[Raised]) -> Result<Vec<bool>, PortError> {
        raised.iter().map(|raised| self.record_one(raised)).collect::<Result<_, _>>().map_err(failed)
    }

    async fn mark_alerted(&mut self, raised: &Raised, at: Timestamp) -> Result<(), PortError> {
        let (symbol, sql, key) = match raised {
            Raised::Signal(signal) => (
                &signal.symbol,
                "UPDATE signals SET alerted_at = ? WHERE symbol = ? AND timestamp = ? AND alerted_at IS NULL",
                signal.timestamp.millis(),
            ),
            Raised::Anomaly(anomaly) => (
                &anomaly.symbol,
                "UPDATE anomalies SET alerted_at = ? WHERE symbol = ? AND session = ? AND alerted_at IS NULL",
                anomaly.session.days().into(),
            ),
        };
        let symbol = self.ids.symbol(self.db, symbol).map_err(failed)?;
        let mark = |sql| self.db.prepare_cached(sql)?.execute([at.millis(), symbol, key]);
        mark(sql).map(|_| ()).map_err(failed)
    }
}

impl SetAsideStore for SetAsides<'_> {
    async fn put(&mut self, lines: &[SetAside]) -> Result<(), PortError> {
        let put = |line: &SetAside| {
            self.0.prepare_cached("INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)")?.execute(
                rusqlite::params![
                    number(line.sequence.record),
                    line.sequence.line,
                    &*line.partition_key,
                    line.arrived_at.millis(),
                    line.reason.to_string(),
                    line.bytes
                ],
            )
        };
        lines.iter().try_for_each(|line| put(line).map(|_| ())).map_err(failed)
    }
}

/// A symbol's newest in-order quote, unless it has expired by then.
pub fn newest_in_order(db: &Connection, symbol: i64, at: Timestamp) -> rusqlite::Result<Option<Newest>> {
    let mut statement = db.prepare_cached("SELECT timestamp, prices, side, expires_at FROM heads WHERE symbol = ?")?;
    let newest = statement.query_row([symbol], |row| {
        let timestamp = time(row, 0)?;
        let window: Window = row.get_ref(1)?.as_blob()?.chunks_exact(8).filter_map(price_of_bytes).collect();
        let side = Side::from_sign(row.get(2)?);
        Ok(Newest { timestamp, trail: Trail { window, side }, expires_at: row.get(3)? })
    });
    Ok(newest.optional()?.filter(|newest| newest.expires_at > at.seconds()))
}

/// A symbol's newest quote, unless it has expired by then.
pub fn newest(db: &Connection, symbol: i64, at: Timestamp) -> rusqlite::Result<Option<Item>> {
    let sql = format!("{SELECT_ITEM} WHERE q.symbol = ? AND expires_at > ? ORDER BY timestamp DESC LIMIT 1");
    db.prepare_cached(&sql)?.query_row([symbol, at.seconds()], item).optional()
}

/// Whether there are alerts that are not published yet.
pub fn has_pending_alerts(db: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM signals WHERE alert AND alerted_at IS NULL)
               OR EXISTS (SELECT 1 FROM anomalies WHERE alerted_at IS NULL)";
    db.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// What raised an alert that is not published yet, oldest first: after a crash.
pub fn pending_alerts(db: &Connection) -> rusqlite::Result<Vec<Raised>> {
    let mut pending = Vec::new();
    let mut statement =
        db.prepare_cached(&format!("{SELECT_SIGNAL} WHERE alert AND alerted_at IS NULL ORDER BY number"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        pending.push(Raised::Signal(signal(row)?));
    }
    let mut statement = db.prepare_cached(
        "SELECT y.symbol, session, timestamp, price, previous_close, change_percent
         FROM anomalies a JOIN symbols y ON y.id = a.symbol WHERE alerted_at IS NULL ORDER BY recorded_at, timestamp",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        pending.push(Raised::Anomaly(pipeline::Anomaly {
            symbol: symbol(row, 0)?,
            session: pipeline::Date::from_days(row.get(1)?),
            timestamp: time(row, 2)?,
            price: price(row, 3)?.ok_or(rusqlite::Error::InvalidQuery)?,
            previous_close: price(row, 4)?,
            change_percent: row.get::<_, Option<i64>>(5)?.map(Percent),
        }));
    }
    Ok(pending)
}

/// Columns for [`signal`].
pub const SELECT_SIGNAL: &str = "SELECT y.symbol, timestamp, signal, price, sma_5, sma_20, alert
    FROM signals s JOIN symbols y ON y.id = s.symbol";

/// The signal of a row of [`SELECT_SIGNAL`].
pub fn signal(row: &Row<'_>) -> rusqlite::Result<pipeline::Signal> {
    Ok(pipeline::Signal {
        symbol: symbol(row, 0)?,
        timestamp: time(row, 1)?,
        direction: match row.get_ref(2)?.as_str()? {
            "BUY" => pipeline::Direction::Buy,
            _ => pipeline::Direction::Sell,
        },
        price: price(row, 3)?.ok_or(rusqlite::Error::InvalidQuery)?,
        sma_5: Average(row.get::<_, Wide>(4)?.0),
        sma_20: Average(row.get::<_, Wide>(5)?.0),
        alert: row.get(6)?,
    })
}

/// Columns for [`item`].
pub const SELECT_ITEM: &str = "SELECT y.symbol, timestamp, price, open, high, low, previous_close, volume,
    (SELECT text FROM texts WHERE id = currency), (SELECT text FROM texts WHERE id = source),
    marks, change_percent, ingested_at, record, line, processed_at, expires_at
    FROM quotes q JOIN symbols y ON y.id = q.symbol";

/// The item of a row of [`SELECT_ITEM`], without its trail: that is in its symbol's head.
pub fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    let marks: i64 = row.get(10)?;
    let marked = |bit| marks & bit != 0;
    let shared = |text: Option<String>| text.map(Arc::from);
    let volume = row.get::<_, Option<Wide>>(7)?.and_then(|v| Volume::from_units(v.0));
    Ok(Item {
        quote: Quote {
            symbol: symbol(row, 0)?,
            timestamp: time(row, 1)?,
            price: price(row, 2)?.ok_or(rusqlite::Error::InvalidQuery)?,
            open: price(row, 3)?,
            high: price(row, 4)?,
            low: price(row, 5)?,
            previous_close: price(row, 6)?,
            volume,
            currency: shared(row.get(8)?),
            source: shared(row.get(9)?),
            origin: usize::try_from(marks & ORIGIN).ok().and_then(|i| ORIGINS.get(i).copied()).unwrap_or_default(),
            stale: marked(STALE),
            alert: marked(ALERT),
            ingested_at: time(row, 12)?,
        },
        sequence: RecordSequence::local(row.get::<_, i64>(13)? as u64).line(row.get(14)?),
        change_percent: row.get::<_, Option<i64>>(11)?.map(Percent),
        anomaly: marked(ANOMALY),
        late: marked(LATE),
        trail: None,
        processed_at: time(row, 15)?,
        expires_at: row.get(16)?,
    })
}

/// Removes what expired in the oldest hour that is over, of one symbol, so that nobody waits for long. False when
/// there is nothing left to do.
pub fn expire(db: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    // A window of times of one symbol; not all in it need have expired, for late quotes widen it.
    let oldest = "SELECT hour, symbol, first, last FROM expiries WHERE hour < ? ORDER BY hour LIMIT 1";
    let Some((hour, symbol, first, last)) = db
        .prepare_cached(oldest)?
        .query_row([now.seconds() / 3600], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
        })
        .optional()?
    else {
        return Ok(false);
    };
    db.prepare_cached("DELETE FROM quotes WHERE symbol = ? AND timestamp BETWEEN ? AND ? AND expires_at <= ?")?
        .execute([symbol, first, last, now.seconds()])?;
    db.prepare_cached("DELETE FROM expiries WHERE hour = ? AND symbol = ?")?.execute([hour, symbol])?;
    Ok(true)
}

fn hour(item: &Item) -> i64 {
    item.expires_at.div_euclid(3600)
}

/// A record's number as the database has it.
pub(super) fn number(sequence: RecordSequence) -> i64 {
    sequence.number().map_or(i64::MAX, |n| n as i64)
}

fn symbol(row: &Row<'_>, column: usize) -> rusqlite::Result<Symbol> {
    Symbol::parse(row.get_ref(column)?.as_str()?).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis = row.get(column)?;
    Timestamp::from_millis(millis).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, millis))
}

fn price(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Price>> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(Price::from_units))
}

fn price_of_bytes(bytes: &[u8]) -> Option<Price> {
    Price::from_units(i64::from_le_bytes(bytes.try_into().ok()?))
}

fn failed(error: rusqlite::Error) -> PortError {
    PortError(format!("the table: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::local::state::Folder;
    use futures::executor::block_on;

    fn quote(symbol: &str, second: i64, price: &str) -> Quote {
        let timestamp = Timestamp::from_millis(1_700_000_000_000 + second * 1000).expect("a time");
        Quote {
            symbol: Symbol::parse(symbol).expect("a symbol"),
            timestamp,
            price: Price::parse(price).expect("a price"),
            open: Price::parse("1.5").ok(),
            high: None,
            low: Price::parse("0.00000001").ok(),
            previous_close: Price::parse("9999999999.99999999").ok(),
            // Too wide for the database's integers.
            volume: Volume::parse("99999999999999999999.99999999").ok(),
            currency: Some("USD".into()),
            source: Some("test".into()),
            origin: Origin::Backfill,
            stale: true,
            alert: false,
            ingested_at: timestamp,
        }
    }

    fn item(quote: Quote, record: u64, expires_at: i64) -> Item {
        Item {
            processed_at: quote.timestamp,
            quote,
            sequence: RecordSequence::local(record).line(7),
            change_percent: Some(Percent(-50_000)),
            anomaly: true,
            late: true,
            trail: None,
            expires_at,
        }
    }

    fn table() -> (tempfile::TempDir, Connection) {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(home.path(), "s");
        folder.create().expect("a stack");
        let db = folder.table().expect("a table");
        (home, db)
    }

    /// Catches a field that is lost, swapped or rounded on its way into the database and back.
    #[test]
    fn an_item_comes_back_as_it_was() {
        let (_home, db) = table();
        let mut ids = Ids::default();
        let stored = item(quote("AAPL", 0, "271.49"), 3, 1_800_000_000);
        let mut tables = Tables::new(&db, &mut ids);
        let arrival = stored.quote.timestamp;
        assert_eq!(block_on(tables.put_new(&stored, arrival)), Ok(Put::Stored));
        let again = Item { sequence: RecordSequence::local(4).line(0), ..stored.clone() };
        assert_eq!(block_on(tables.put_new(&again, arrival)), Ok(Put::Taken(Box::new(stored))));
    }

    /// Catches a head that loses its window or side, or hides items above it.
    #[test]
    fn a_head_is_what_the_last_in_order_item_left() {
        let (_home, db) = table();
        let mut ids = Ids::default();
        let mut tables = Tables::new(&db, &mut ids);
        let prices = (1..=20).filter_map(|i| Price::from_units(i * 7));
        let trail = Trail { window: prices.collect(), side: Some(Side::Below) };
        let in_order = Item {
            trail: Some(Box::new(trail.clone())),
            late: false,
            ..item(quote("AAPL", 10, "3"), 1, 1_800_000_000)
        };
        assert_eq!(block_on(tables.put_in_order(std::slice::from_ref(&in_order))), Ok(vec![]));
        let above = item(quote("AAPL", 20, "4"), 2, 1_800_000_000);
        assert_eq!(block_on(tables.put_new(&above, above.quote.timestamp)), Ok(Put::Stored));
        let asked =
            Asked { symbol: above.quote.symbol.clone(), first: in_order.quote.timestamp, last: above.quote.timestamp };
        let arrival = above.quote.timestamp;
        let heads =
            block_on(tables.heads(std::slice::from_ref(&asked), RecordSequence::local(3), arrival)).expect("heads");
        let newest = Newest { timestamp: in_order.quote.timestamp, trail, expires_at: 1_800_000_000 };
        assert_eq!(heads, [Head { newest: Some(newest), taken: vec![above] }]);
        // Once it has expired nothing of it counts.
        let later = Timestamp::from_millis(1_800_000_000_000).expect("a time");
        let heads = block_on(tables.heads(&[asked], RecordSequence::local(3), later)).expect("heads");
        assert_eq!(heads, [Head::default()]);
    }

    /// Catches quotes that never go, or go before their time.
    #[test]
    fn what_has_expired_is_removed() {
        let (_home, db) = table();
        let mut ids = Ids::default();
        let mut tables = Tables::new(&db, &mut ids);
        for (second, expires_at) in [(0, 3600), (1, 7199), (2, 7200), (3, 1_800_000_000)] {
            let item = item(quote("AAPL", second, "1"), 1, expires_at);
            let long_ago = Timestamp::from_millis(0).expect("a time");
            assert_eq!(block_on(tables.put_new(&item, long_ago)), Ok(Put::Stored));
        }
        let now = Timestamp::from_millis(7_300_000).expect("a time");
        while expire(&db, now).expect("expire") {}
        let left: Vec<i64> = db
            .prepare("SELECT expires_at FROM quotes ORDER BY timestamp")
            .and_then(|mut s| s.query_map([], |row| row.get(0))?.collect())
            .expect("rows");
        // The hour of the third is not over.
        assert_eq!(left, [7200, 1_800_000_000]);
    }

    /// Catches a signal or anomaly that is recorded twice, or whose alert is published again once it is marked.
    #[test]
    fn what_was_raised_is_recorded_once_and_pending_until_it_is_marked() {
        let (_home, db) = table();
        let mut ids = Ids::default();
        let mut tables = Tables::new(&db, &mut ids);
        let quote = quote("AAPL", 0, "2");
        let signal = Raised::Signal(pipeline::Signal {
            symbol: quote.symbol.clone(),
            timestamp: quote.timestamp,
            direction: pipeline::Direction::Sell,
            price: quote.price,
            sma_5: Average(i128::from(i64::MAX) * 3),
            sma_20: Average(5),
            alert: true,
        });
        let anomaly = Raised::Anomaly(pipeline::Anomaly {
            symbol: quote.symbol.clone(),
            session: quote.timestamp.date(),
            timestamp: quote.timestamp,
            price: quote.price,
            previous_close: quote.previous_close,
            change_percent: Some(Percent(1)),
        });
        let raised = [signal.clone(), anomaly.clone()];
        for _ in 0..2 {
            assert_eq!(block_on(tables.record(&raised)), Ok(vec![true, true]));
            assert_eq!(pending_alerts(&db).expect("alerts"), raised);
        }
        let another = match anomaly.clone() {
            Raised::Anomaly(a) => Raised::Anomaly(pipeline::Anomaly { timestamp: a.timestamp.plus_millis(1), ..a }),
            signal => signal,
        };
        assert_eq!(block_on(tables.record(&[another])), Ok(vec![false]), "one anomaly a session");
        for raised in &raised {
            assert_eq!(block_on(tables.mark_alerted(raised, quote.timestamp)), Ok(()));
        }
        assert_eq!(block_on(tables.record(&raised)), Ok(vec![false, false]));
        assert!(!has_pending_alerts(&db).expect("alerts"));
    }
}
