//! Whether every quote is in the table, in SQL and evaluated: the signals are computed anew, by nothing of stockpipe,
//! from the prices that SQL returns.

use crate::{Result, SYMBOLS, process, stack::Stack};
use serde_json::Value;
use std::{collections::VecDeque, fmt::Write, ops::ControlFlow};

/// Every stored quote, in order of symbol and time.
const PRICES: &str = r#"SELECT symbol, "timestamp", price FROM stock_data_table ORDER BY symbol, "timestamp""#;

/// Checks a stack that was sent so many quotes.
pub fn all_there(stack: &Stack, count: u64) -> Result<()> {
    equal("quotes in the table", &stack.status()?["table_quotes"], &count.into())?;
    let (rows, _) = process::output(stack.query(&["--sql", "SELECT count(*) AS quotes FROM stock_data_table"]))?;
    equal("quotes in SQL", &rows, &format!("quotes\n{count}\n"))?;

    let mut fold = Fold::default();
    let mut wrong = None;
    process::run(stack.query(&["--sql", PRICES]), |line| match fold.row(line) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            wrong = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = wrong {
        return Err(error);
    }
    equal("distinct quotes in SQL", &fold.quotes, &count)?;
    equal("symbols in SQL", &fold.symbols, &u64::from(SYMBOLS).min(count))?;
    let (signals, _) = process::output(stack.command(&["signals", "--format", "csv"]))?;
    equal("signals", &signals, &fold.signals)?;
    let (crossovers, _) = process::output(stack.query(&["crossovers", "--all"]))?;
    equal("crossovers", &crossovers, &fold.signals)
}

/// Checks what `stream` said at its end: all sent, stored and archived, and nothing else.
pub fn summed_up(summary: &Value, count: u64) -> Result<()> {
    for name in ["sent", "stored", "archived"] {
        equal(name, &summary[name], &count.into())?;
    }
    for name in ["duplicates", "revised", "late", "stale", "set_aside", "lag"] {
        equal(name, &summary[name], &0.into())?;
    }
    Ok(())
}

/// The signals of prices, as `signals --format csv` writes them; the rows are those of [`PRICES`].
pub fn signals(rows: impl Iterator<Item = String>) -> Result<String> {
    let mut fold = Fold::default();
    for row in rows {
        fold.row(&row)?;
    }
    Ok(fold.signals)
}

/// Fails where two things differ; of long texts it says the first line that does.
pub fn equal<T: PartialEq + ToString>(what: &str, is: &T, expected: &T) -> Result<()> {
    if is == expected {
        return Ok(());
    }
    let (is, expected) = (is.to_string(), expected.to_string());
    let at = is.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
    let line = |text: &str| text.lines().nth(at).unwrap_or("nothing").to_owned();
    Err(format!("{what}: {}, not {}", line(&is), line(&expected)).into())
}

/// The rule of the signals, over the rows of [`PRICES`].
struct Fold {
    signals: String,
    quotes: u64,
    symbols: u64,
    symbol: String,
    timestamp: String,
    /// The newest 20 at most, in units of 10⁻⁸.
    prices: VecDeque<i128>,
    /// The last side other than zero, or 0.
    side: i128,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            signals: "symbol,timestamp,signal,price,sma_5,sma_20\n".into(),
            quotes: 0,
            symbols: 0,
            symbol: String::new(),
            timestamp: String::new(),
            prices: VecDeque::new(),
            side: 0,
        }
    }
}

impl Fold {
    fn row(&mut self, line: &str) -> Result<()> {
        let mut cells = line.split(',');
        let (Some(symbol), Some(timestamp), Some(price), None) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            return Err(format!("SQL returned '{line}'").into());
        };
        if line == "symbol,timestamp,price" {
            return Ok(());
        }
        if symbol != self.symbol {
            symbol.clone_into(&mut self.symbol);
            self.timestamp.clear();
            self.prices.clear();
            (self.symbols, self.side) = (self.symbols + 1, 0);
        } else if *timestamp <= *self.timestamp {
            return Err(format!("SQL returned {timestamp} of {symbol} after {}", self.timestamp).into());
        }
        timestamp.clone_into(&mut self.timestamp);
        self.quotes += 1;
        self.prices.push_back(units(price).ok_or_else(|| format!("'{price}' is no price"))?);
        self.judge(price)
    }

    fn judge(&mut self, price: &str) -> Result<()> {
        if self.prices.len() > 20 {
            self.prices.pop_front();
        }
        if self.prices.len() < 20 {
            return Ok(());
        }
        let sum_20: i128 = self.prices.iter().sum();
        let sum_5: i128 = self.prices.iter().skip(15).sum();
        let side = (4 * sum_5 - sum_20).signum();
        if side * self.side < 0 {
            let signal = if side > 0 { "BUY" } else { "SELL" };
            let (symbol, timestamp) = (&self.symbol, &self.timestamp);
            // A fifth of 10⁻⁸ is 20 of 10⁻¹⁰, a twentieth 5 of them.
            let (sma_5, sma_20) = (decimal(sum_5 * 20), decimal(sum_20 * 5));
            writeln!(self.signals, "{symbol},{timestamp},{signal},{price},{sma_5},{sma_20}")?;
        }
        if side != 0 {
            self.side = side;
        }
        Ok(())
    }
}

/// A price in units of 10⁻⁸.
fn units(price: &str) -> Option<i128> {
    let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
    format!("{whole}{fraction:0<8}").parse().ok().filter(|_| fraction.len() <= 8)
}

/// A number in units of 10⁻¹⁰ as it is written: without trailing zeros.
fn decimal(units: i128) -> String {
    let text = format!("{}.{:010}", units / 10_000_000_000, units % 10_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
