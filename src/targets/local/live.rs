//! What is seen of the table while quotes flow: read again and again, on connections that stay open.

use super::{Local, Run, consumers, lease, stream, table};
use crate::{error::Error, rows::Standing};
use pipeline::{Symbol, Window};
use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;

/// How long a look waits for others: the next one is not far away.
const PATIENCE: Duration = Duration::from_millis(50);

/// Looks at what becomes of a run. Nobody waits for it: it reads only, and whoever has the lease goes on writing.
pub struct Live {
    local: Local,
    table: Connection,
    stream: Connection,
    run: i64,
}

/// What was seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The symbols that were asked for, in that order.
    pub standings: Vec<Standing>,
    /// The run so far.
    pub run: Run,
    /// Quotes of any run that are not in the table yet.
    pub lag: u64,
    /// Which other process runs the consumers, if one does.
    pub other: Option<String>,
}

impl Local {
    /// Begins to look at a run.
    pub fn live(&self, run: i64) -> Result<Live, Error> {
        let (table, stream) = (self.folder.table()?, self.folder.stream()?);
        for db in [&table, &stream] {
            db.busy_timeout(PATIENCE).map_err(|e| self.failed(e))?;
        }
        Ok(Live { local: self.clone(), table, stream, run })
    }
}

impl Live {
    /// What is so now, of these symbols and of the run.
    pub fn look(&self, symbols: &[Symbol]) -> Result<Seen, Error> {
        self.read(symbols).map_err(|e| self.local.failed(e))
    }

    fn read(&self, symbols: &[Symbol]) -> rusqlite::Result<Seen> {
        // In one transaction: price, averages and counters are those of one moment.
        let tx = self.table.unchecked_transaction()?;
        Ok(Seen {
            standings: symbols.iter().map(|symbol| standing(&tx, symbol)).collect::<Result<_, _>>()?,
            run: super::read_run(&tx, self.run)?,
            lag: stream::backlog(&self.stream, consumers::checkpoint(&tx, "process")?)?.lines,
            other: lease::holder(&tx)?.map(|holder| holder.name).filter(|name| *name != lease::our_name()),
        })
    }
}

fn standing(db: &Connection, symbol: &Symbol) -> rusqlite::Result<Standing> {
    let mut standing = Standing { symbol: symbol.clone(), newest: None, window: Window::default(), signal: None };
    let mut ids = db.prepare_cached("SELECT id FROM symbols WHERE symbol = ?")?;
    let Some(id) = ids.query_row([&**symbol], |row| row.get(0)).optional()? else { return Ok(standing) };
    let now = stream::now();
    standing.newest = table::newest(db, id, now)?;
    standing.window = table::newest_in_order(db, id, now)?.map(|newest| newest.trail.window).unwrap_or_default();
    let sql = format!("{} WHERE s.symbol = ? ORDER BY timestamp DESC LIMIT 1", table::SELECT_SIGNAL);
    standing.signal = db.prepare_cached(&sql)?.query_row([id], table::signal).optional()?;
    Ok(standing)
}
