//! What a stack must hold: a plain fold over the rows of its stream, written for the tests alone, and what the
//! commands and the files say beside it.
//!
//! It shares no code with the pipeline: the framing is read as `src/targets/local/stream.rs` documents it, the rules
//! are those of the design.

use super::stack::Stack;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
};

/// A record as it is acknowledged: key, time of its last quote, lines.
pub(crate) type Acked = (String, Option<String>, u64);

/// What follows from the stream's rows.
#[derive(Default)]
pub(crate) struct Truth {
    /// The first of each identity, by symbol and time: its price and place.
    pub(crate) table: BTreeMap<(String, String), (i128, String)>,
    /// What was acknowledged or could have been, by run, in the order of the stream.
    pub(crate) records: BTreeMap<i64, Vec<Acked>>,
    signals: Vec<String>,
    set_aside: Vec<String>,
    /// Every line that is a quote, by its place.
    lines: BTreeMap<String, (String, String, i128)>,
    runs: BTreeMap<i64, Counts>,
    symbols: HashMap<String, Symbol>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    quotes: u64,
    stored: u64,
    duplicates: u64,
    revised: u64,
    late: u64,
    stale: u64,
    set_aside: u64,
    signals: u64,
}

#[derive(Default)]
struct Symbol {
    newest: Option<String>,
    averages: Averages,
    /// Price, open, high, low and volume of the first of each time.
    first: HashMap<String, Values>,
}

type Values = [Option<i128>; 5];

/// The last twenty prices, and the last side other than equal.
#[derive(Default)]
struct Averages {
    prices: VecDeque<i128>,
    side: Option<Ordering>,
}

impl Averages {
    /// The change of side that this price makes, as `signals` prints it after symbol and time.
    fn push(&mut self, price: i128) -> Option<String> {
        self.prices.push_back(price);
        if self.prices.len() > 20 {
            self.prices.pop_front();
        }
        if self.prices.len() < 20 {
            return None;
        }
        let (long, short): (i128, i128) = (self.prices.iter().sum(), self.prices.iter().skip(15).sum());
        let side = (4 * short).cmp(&long);
        if side == Ordering::Equal {
            return None;
        }
        let before = self.side.replace(side)?;
        let name = if side == Ordering::Greater { "BUY" } else { "SELL" };
        let averages = (decimal(short * 20, 10), decimal(long * 5, 10));
        (side != before).then(|| format!("{name},{},{},{}", decimal(price, 8), averages.0, averages.1))
    }
}

/// A line of the stream, as far as the rules ask for it.
#[derive(Deserialize)]
struct Line<'l> {
    symbol: String,
    timestamp: String,
    #[serde(borrow)]
    price: &'l RawValue,
    #[serde(borrow, default)]
    open: Option<&'l RawValue>,
    #[serde(borrow, default)]
    high: Option<&'l RawValue>,
    #[serde(borrow, default)]
    low: Option<&'l RawValue>,
    #[serde(borrow, default)]
    volume: Option<&'l RawValue>,
    #[serde(default)]
    origin: Option<String>,
    #[serde(default)]
    stale: bool,
}

impl Line<'_> {
    fn values(&self) -> Values {
        [Some(self.price), self.open, self.high, self.low, self.volume].map(|n| n.and_then(|n| units(n.get())))
    }
}

impl Truth {
    /// Reads the stream of a stack.
    pub(crate) fn read(stack: &Stack) -> Result<Self, String> {
        let failed = |e: rusqlite::Error| format!("stream.db: {e}");
        let db = stack.open("stream.db")?;
        let mut statement =
            db.prepare("SELECT first, last, run, quotes, body FROM log ORDER BY first").map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let (mut truth, mut next) = (Self::default(), 1);
        while let Some(row) = rows.next().map_err(failed)? {
            let number = |column| row.get::<_, i64>(column).map_err(failed);
            let (first, last, run, quotes) = (number(0)?, number(1)?, number(2)?, number(3)?);
            let body: Vec<u8> = row.get(4).map_err(failed)?;
            if first != next {
                return Err(format!("stream.db: record {first} follows {}", next - 1));
            }
            let mut lines = 0;
            for (i, (key, data)) in frames(&body).enumerate() {
                lines += truth.record(run, first + i as i64, key, data);
                next += 1;
            }
            if (next - 1, lines) != (last, quotes) {
                return Err(format!("stream.db: row {first} says {last}, {quotes}; it has {}, {lines}", next - 1));
            }
        }
        Ok(truth)
    }

    /// Takes in a record; returns its lines.
    fn record(&mut self, run: i64, number: i64, key: &str, data: &[u8]) -> i64 {
        let (mut through, mut count) = (None, 0);
        for (i, text) in data.split(|byte| *byte == b'\n').enumerate() {
            let place = format!("{number:020}-{i:05}");
            let line: Option<Line<'_>> = serde_json::from_slice(text).ok();
            match line.filter(|line| line.values()[0].is_some_and(|price| price > 0) && line.symbol == key) {
                Some(line) => {
                    through = Some(line.timestamp.clone());
                    self.quote(run, place, line);
                }
                None => {
                    self.set_aside.push(place);
                    self.runs.entry(run).or_default().set_aside += 1;
                }
            }
            count += 1;
        }
        self.records.entry(run).or_default().push((key.into(), through, count as u64));
        count
    }

    fn quote(&mut self, run: i64, place: String, line: Line<'_>) {
        let values = line.values();
        let price = values[0].unwrap_or_default();
        self.lines.insert(place.clone(), (line.symbol.clone(), line.timestamp.clone(), price));
        let counts = self.runs.entry(run).or_default();
        counts.quotes += 1;
        let symbol = self.symbols.entry(line.symbol.clone()).or_default();
        if let Some(first) = symbol.first.get(&line.timestamp) {
            *(if *first == values { &mut counts.duplicates } else { &mut counts.revised }) += 1;
            return;
        }
        symbol.first.insert(line.timestamp.clone(), values);
        let late = symbol.newest.as_ref().is_some_and(|newest| line.timestamp <= *newest);
        counts.stored += 1;
        counts.late += u64::from(late);
        counts.stale += u64::from(line.stale);
        if !late && !line.stale && line.origin.as_deref() != Some("backfill") {
            symbol.newest = Some(line.timestamp.clone());
            if let Some(signal) = symbol.averages.push(price) {
                counts.signals += 1;
                self.signals.push(format!("{},{},{signal}", line.symbol, line.timestamp));
            }
        }
        self.table.insert((line.symbol, line.timestamp), (price, place));
    }

    /// Whether the commands' answers, the table and the counts are what follows from the stream.
    pub(crate) fn compare(&self, stack: &Stack, answers: &Answers) -> Result<(), String> {
        let identities = |count: &str| -> Vec<String> {
            let row = |((symbol, time), (price, _)): (&(String, String), &(i128, String))| {
                format!("{symbol},{time},{}{count}", decimal(*price, 8))
            };
            self.table.iter().map(row).collect()
        };
        equal("the rows of the lake in SQL", identities(",1"), rows(&answers.sql))?;
        equal("`signals`", self.signals.clone(), rows(&answers.signals))?;

        let mut latest: BTreeMap<&str, String> = BTreeMap::new();
        for ((symbol, time), (price, _)) in &self.table {
            latest.insert(symbol, format!("{symbol},{time},{}", decimal(*price, 8)));
        }
        let first_three = |row: String| row.split(',').take(3).collect::<Vec<_>>().join(",");
        let found = rows(&answers.latest).into_iter().map(first_three).collect();
        equal("`latest`", latest.into_values().collect(), found)?;

        let mut crossovers = Vec::new();
        let mut averages: HashMap<&str, Averages> = HashMap::new();
        for ((symbol, time), (price, _)) in &self.table {
            let change = averages.entry(symbol).or_default().push(*price);
            crossovers.extend(change.map(|change| format!("{symbol},{time},{change}")));
        }
        equal("`query crossovers`", crossovers, rows(&answers.crossovers))?;
        self.compare_table(stack)
    }

    fn compare_table(&self, stack: &Stack) -> Result<(), String> {
        let quotes = stack.rows(
            "table.db",
            "SELECT symbols.symbol, strftime('%Y-%m-%dT%H:%M:%S', timestamp / 1000, 'unixepoch') ||
             printf('.%03dZ', timestamp % 1000), price, printf('%020d-%05d', record, line)
             FROM quotes JOIN symbols ON symbols.id = quotes.symbol",
        )?;
        let expected = self.table.iter().map(|((s, t), (price, place))| format!("{s},{t},{price},{place}"));
        equal("the table's quotes", expected.collect(), quotes)?;
        let aside = stack.rows("table.db", "SELECT printf('%020d-%05d', record, line) FROM set_aside")?;
        equal("the lines set aside", self.set_aside.clone(), aside)?;
        let runs = stack.rows(
            "table.db",
            "SELECT run, quotes, stored, duplicates, revised, late, stale, set_aside, signals, archived FROM runs",
        )?;
        let expected = self.runs.iter().map(|(run, c)| {
            let Counts { quotes, stored, duplicates, revised, late, stale, set_aside, signals } = c;
            format!("{run},{quotes},{stored},{duplicates},{revised},{late},{stale},{set_aside},{signals},{quotes}")
        });
        equal("the counts of the runs", expected.collect(), runs)
    }

    /// Whether the lake's folder holds what is listed and nothing else, and each line as it came once.
    pub(crate) fn compare_files(&self, stack: &Stack) -> Result<(), String> {
        let lake = stack.folder().join("lake");
        let mut parquet = Vec::new();
        let mut raw = Vec::new();
        for file in files(&lake) {
            let bytes = fs::read(&file).map_err(|e| format!("'{}': {e}", file.display()))?;
            let name = file.strip_prefix(&lake).unwrap_or(&file).to_string_lossy().into_owned();
            match file.extension().and_then(|e| e.to_str()) {
                Some("parquet") => parquet.push(format!("{name},{}", bytes.len())),
                Some("json") => {
                    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                        raw.push(raw_line(line).ok_or_else(|| format!("'{name}' has a line that is cut off"))?);
                    }
                }
                _ => return Err(format!("'{name}' was left behind")),
            }
        }
        equal("the lake's files", stack.rows("table.db", "SELECT name, bytes FROM lake_files")?, parquet)?;
        let line = |(place, (symbol, time, price)): (&String, &(String, String, i128))| {
            format!("{place} {symbol} {time} {price}")
        };
        equal("the lines as they came", self.lines.iter().map(line).collect(), raw)
    }
}

/// What the commands say.
pub(crate) struct Answers {
    sql: String,
    signals: String,
    latest: String,
    crossovers: String,
}

impl Answers {
    /// Asks, `first` one of four questions: whoever is first takes what waits.
    pub(crate) fn ask(stack: &Stack, first: usize) -> Result<Self, String> {
        let sql = "SELECT symbol, \"timestamp\", price, count(*) AS n FROM stock_data_table
                   GROUP BY symbol, \"timestamp\", price ORDER BY symbol, \"timestamp\"";
        let questions: [&[&str]; 4] =
            [&["query", "--sql", sql], &["signals"], &["latest"], &["query", "crossovers", "--all"]];
        let mut answers = [const { String::new() }; 4];
        for i in 0..4 {
            let i = (first + i) % 4;
            answers[i] = stack.run(&[questions[i], &["--format", "csv"]].concat())?;
        }
        let [sql, signals, latest, crossovers] = answers;
        Ok(Self { sql, signals, latest, crossovers })
    }
}

/// The records of a row of the stream: key and data.
fn frames(mut body: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    fn split(body: &[u8]) -> Option<(&str, &[u8], &[u8])> {
        let (length, rest) = body.split_first_chunk()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let (length, rest) = rest.get(8..)?.split_first_chunk()?;
        let (data, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some((std::str::from_utf8(key).ok()?, data, rest))
    }
    std::iter::from_fn(move || {
        let (key, data, rest) = split(body)?;
        body = rest;
        Some((key, data))
    })
}

/// `place symbol time price` of a line of raw data, if it is whole.
fn raw_line(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Place {
        sequence: String,
    }
    let text = line.strip_suffix(b"\n")?;
    let Place { sequence } = serde_json::from_slice(text).ok()?;
    let line: Line<'_> = serde_json::from_slice(text).ok()?;
    Some(format!("{sequence} {} {} {}", line.symbol, line.timestamp, units(line.price.get())?))
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The rows of CSV without their header.
fn rows(csv: &str) -> Vec<String> {
    csv.lines().skip(1).map(str::to_owned).collect()
}

/// A number in units of 10^-8; none where it is no plain decimal.
pub(crate) fn units(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<8}").parse().ok().filter(|_| fraction.len() <= 8)
}

/// As CSV has a number of these units: without trailing zeros.
pub(crate) fn decimal(units: i128, places: u32) -> String {
    let one = 10_i128.pow(places);
    let text = format!("{}.{:0width$}", units / one, units % one, width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Both in any order, each as often as in the other.
fn equal(what: &str, mut expected: Vec<String>, mut found: Vec<String>) -> Result<(), String> {
    expected.sort_unstable();
    found.sort_unstable();
    if expected == found {
        return Ok(());
    }
    let only = |these: &[String], those: &[String]| {
        let those: BTreeSet<&String> = those.iter().collect();
        these.iter().filter(|row| !those.contains(row)).cloned().collect::<Vec<_>>()
    };
    let twice = |rows: &[String]| rows.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0].clone()).collect::<Vec<_>>();
    let part = |name: &str, rows: Vec<String>| match rows.as_slice() {
        [] => String::new(),
        rows => format!("\n  {} {name}: {}", rows.len(), rows[..rows.len().min(4)].join("  |  ")),
    };
    Err(format!(
        "{what}: {} expected, {} found{}{}{}",
        expected.len(),
        found.len(),
        part("missing", only(&expected, &found)),
        part("not expected", only(&found, &expected)),
        part("twice", twice(&found)),
    ))
}
