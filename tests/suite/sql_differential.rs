//! The saved queries, answered by the binary and by another engine that reads them as Athena's SQL.

use crate::{
    harness::{Home, csv, data},
    python,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

const SCRIPT: &str = include_str!("sql_differential.py");
/// What doubles may differ by, of their size.
const TOLERANCE: f64 = 1e-9;

/// The saved queries, by name.
fn saved() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let files = fs::read_dir(folder).expect("the queries").map(|entry| entry.expect("an entry").path());
    let named =
        |path: PathBuf| (path.file_stem()?.to_str()?.to_owned(), fs::read_to_string(&path).expect("a query")).into();
    files.filter(|path| path.extension().is_some_and(|e| e == "sql")).filter_map(named).collect()
}

/// The Python of the other side.
fn python() -> PathBuf {
    python::with(&python::SQL).unwrap_or_else(|error| panic!("{error}"))
}

fn script(asked: &Value) -> Result<Value, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let [script, input] = ["script.py", "input.json"].map(|name| folder.path().join(name));
    fs::write(&script, SCRIPT).expect("the script");
    fs::write(&input, asked.to_string()).expect("its input");
    let input = File::open(input).expect("its input");
    let ended = Command::new(python()).arg(script).stdin(input).output().expect("python");
    if ended.status.success() {
        Ok(serde_json::from_slice(&ended.stdout).expect("JSON"))
    } else {
        Err(String::from_utf8_lossy(&ended.stderr).into_owned())
    }
}

/// A value, in the form in which two engines' are compared.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Double(f64),
    /// A text, or a number in its shortest form.
    Exact(String),
}

impl Cell {
    fn of(kind: &str, text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::Null };
        match kind {
            "double" => Self::Double(text.parse().expect("a double")),
            "decimal" if text.contains('.') => Self::Exact(text.trim_end_matches('0').trim_end_matches('.').to_owned()),
            "decimal" | "integer" | "text" | "boolean" | "timestamp" => Self::Exact(text.to_owned()),
            kind => panic!("values of the type {kind} are not compared yet"),
        }
    }

    fn key(&self) -> String {
        match self {
            // Sorted by what is exact.
            Self::Null | Self::Double(_) => String::new(),
            Self::Exact(text) => text.clone(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()),
            _ => false,
        }
    }
}

fn sorted(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    rows.sort_by_cached_key(|row| row.iter().map(Cell::key).collect::<Vec<_>>());
    rows
}

/// Holds every saved query of a stack against the other engine's answer; gives the rows of each. With `yahoo`, quotes of
/// that source are taken for Yahoo's, of which a replay makes none.
fn compare(home: &Home, yahoo: Option<&str>) -> BTreeMap<String, usize> {
    // The first query takes in what waits, so that the list of files is the same for both.
    home.sql("SELECT count(*) FROM stock_data_table");
    let lake = home.stack().join("lake");
    let live = home.table_db("SELECT name FROM lake_files WHERE replaced_at IS NULL ORDER BY name");
    let files: Vec<_> = live.iter().map(|row| lake.join(&row[0])).collect();
    let mut queries = saved();
    if let Some(source) = yahoo {
        queries.retain(|_, sql| sql.contains("'yahoo'"));
        queries.values_mut().for_each(|sql| *sql = sql.replace("'yahoo'", &format!("'{source}'")));
    }
    let answers = script(&json!({"files": files, "queries": queries})).unwrap_or_else(|e| panic!("{e}"));
    let mut counts = BTreeMap::new();
    for (name, sql) in &queries {
        let (header, rows) = if yahoo.is_none() {
            csv(&home.ok(["query", name, "--all", "--format", "csv"]))
        } else {
            home.write("asked.sql", sql);
            csv(&home.ok(["query", "--file", "asked.sql", "--all", "--format", "csv"]))
        };
        let columns: Vec<(&str, &str)> = answers[name]["columns"]
            .as_array()
            .expect("columns")
            .iter()
            .map(|c| (c[0].as_str().expect("a name"), c[1].as_str().expect("a type")))
            .collect();
        assert_eq!(header, columns.iter().map(|c| c.0).collect::<Vec<_>>(), "{name}");
        let typed = |row: &[Option<&str>]| -> Vec<Cell> {
            columns.iter().zip(row).map(|((_, kind), text)| Cell::of(kind, *text)).collect()
        };
        // CSV has no other sign of a null than nothing.
        let here =
            rows.iter().map(|row| typed(&row.iter().map(|t| Some(&**t).filter(|t| !t.is_empty())).collect::<Vec<_>>()));
        let there = answers[name]["rows"].as_array().expect("rows").iter();
        let there =
            there.map(|row| typed(&row.as_array().expect("a row").iter().map(Value::as_str).collect::<Vec<_>>()));
        let (here, there) = (sorted(here.collect()), sorted(there.collect()));
        assert_eq!(here.len(), there.len(), "{name}: rows");
        for (here, there) in here.iter().zip(&there) {
            assert!(here.iter().zip(there).all(|(a, b)| a.is(b)), "{name}:\n   is {here:?}\nother {there:?}");
        }
        counts.insert(name.clone(), here.len());
    }
    counts
}

/// Would catch SQL that Athena's parser reads otherwise or not at all, and a function, type or order of nulls by which
/// DataFusion's answer is not the one that others give.
#[test]
fn saved_queries_of_recorded_data_are_answered_as_another_engine_does() {
    let home = Home::up();
    for name in ["AAPL_split-2005", "FB_2012-2013"] {
        home.replay(&data(&format!("daily_{name}.csv")));
    }
    let counts = compare(&home, None);
    assert_eq!((counts["moving-averages"], counts["daily-trend"], counts["volatility"]), (321, 321, 321));
    assert_eq!((counts["crossovers"], counts["anomalies"]), (11 + 10, 9 + 31));
    // Of the newest day's one symbol.
    assert_eq!((counts["latest-prices"], counts["top-movers"], counts["drawdown"]), (2, 1, 2));
}

/// The same of quotes that come late, twice, revised, stale and with gaps, of several sources, in files that overlap.
#[test]
fn saved_queries_of_disordered_data_are_answered_as_another_engine_does() {
    let home = Home::up();
    let mut random = Random(7);
    let mut sent = [0; 2];
    for file in 0..3 {
        let mut lines = String::new();
        for _ in 0..900 {
            let line = random.quote(file);
            lines.push_str(&line);
            // Sometimes twice, and sometimes with another price.
            match random.below(20) {
                0 => lines.push_str(&line),
                1 => lines.push_str(&line.replace("\"price\":", "\"price\":1")),
                _ => {}
            }
        }
        let summary = home.replay(&home.write(&format!("{file}.json"), lines));
        for (sum, name) in sent.iter_mut().zip(["stored", "late"]) {
            *sum += crate::harness::number(&summary, name);
        }
        assert!(crate::harness::number(&summary, "revised") > 0, "{summary}");
    }
    let [stored, late] = sent;
    let counts = compare(&home, None);
    assert_eq!(counts["moving-averages"] as u64, stored);
    assert!(counts.values().all(|rows| *rows > 0), "{counts:?}");
    let counts = compare(&home, Some("replay:0.json"));
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["daily-trend", "volume-profile"]);
    // What the pipeline counted as late when it came is what the query finds in the lake.
    let (header, rows) = csv(&home.ok(["query", "data-quality", "--all", "--format", "csv"]));
    let column = header.iter().position(|name| name == "late").expect("a column");
    assert!(late > 0);
    assert_eq!(rows.iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>(), late);
}

/// Would catch a parameter where Athena takes none, and a check for it that passes everything.
#[test]
fn parameters_outside_where_are_refused() {
    let home = Home::up();
    home.replay(
        &home.write("a.csv", "symbol,timestamp,open,high,low,close,volume\nA,2014-01-02T21:00:00Z,1,1,1,1,1\n"),
    );
    home.sql("SELECT 1");
    let live = home.table_db("SELECT name FROM lake_files WHERE replaced_at IS NULL");
    let ask = |sql: &str| {
        let sql = format!("-- T\n-- D\n-- ? limit integer = 1\n{sql}");
        script(&json!({"files": [home.stack().join("lake").join(&live[0][0])], "queries": {"q": sql}}))
    };
    for outside in ["SELECT price * ? FROM stock_data_table", "SELECT price FROM stock_data_table LIMIT ?"] {
        let error = ask(outside).expect_err("an error");
        assert!(error.contains("q: 1 ? outside WHERE"), "{error}");
    }
    let inside = ask("SELECT price FROM stock_data_table WHERE price >= ?").expect("an answer");
    assert_eq!(inside["q"]["rows"], json!([["1.00000000"]]));
}

/// A generator of the same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// A line of JSON: some minute of a month, so that times come in disorder and more than once.
    fn quote(&mut self, file: u64) -> String {
        let symbol = ["AAA", "BBB", "CCC-USD"][self.below(3) as usize];
        let (day, hour, minute) = (1 + self.below(28), 13 + self.below(7), 5 * self.below(12));
        let (second, milli) = (self.below(2) * 30, self.below(2) * 250);
        let price = format!("{}.{:04}", 50 + self.below(20) + 3 * file, self.below(10_000));
        let mut line = format!(
            "{{\"symbol\":\"{symbol}\",\"timestamp\":\"2014-03-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z\",\
             \"price\":{price}"
        );
        if self.below(4) > 0 {
            line.push_str(&format!(",\"volume\":{}.{}", 60 * hour + minute + self.below(30), self.below(10)));
        }
        if self.below(3) > 0 {
            line.push_str(&format!(",\"previous_close\":{}", 50 + self.below(20)));
        }
        if self.below(2) > 0 {
            line.push_str(&format!(",\"open\":{},\"high\":{},\"low\":{}", 49 + self.below(9), 75 + self.below(9), 40));
        }
        let origin = if self.below(10) == 0 { "backfill" } else { "replay" };
        line.push_str(&format!(",\"origin\":\"{origin}\",\"stale\":{}}}\n", self.below(10) == 0));
        line
    }
}
