use super::*;
use crate::rows::ColumnKind;
use datafusion::{
    datasource::{physical_plan::FileScanConfig, source::DataSourceExec},
    physical_plan::ExecutionPlan,
};
use pipeline::{
    AnomalyThreshold, Judge, Price, Record, RecordSequence,
    lake::{LakeQuote, encode},
    quote::FIELDS,
};
use proptest::prelude::*;
use std::{fs, path::Path};

mod differential;
mod figures;
mod functions;
mod notes;

const MEMORY: usize = 64 << 20;

/// A lake in a folder that goes when it does.
struct Lake {
    folder: tempfile::TempDir,
    files: Vec<LakeFile>,
}

impl Lake {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), files: Vec::new() }
    }

    /// Adds a file for each day of the quotes, which come as `(symbol, time, price, record)`.
    fn with(mut self, quotes: &[(&str, &str, &str, u64)]) -> Self {
        self.add(quotes.iter().map(|(symbol, time, price, record)| quote(symbol, time, price, *record)).collect());
        self
    }

    fn add(&mut self, quotes: Vec<LakeQuote>) {
        let mut days: std::collections::BTreeMap<Date, Vec<LakeQuote>> = Default::default();
        for quote in quotes {
            days.entry(quote.quote.timestamp.date()).or_default().push(quote);
        }
        for (dt, quotes) in days {
            let mut contents = Vec::new();
            let span = encode(&quotes, &mut contents).expect("a file");
            let path = self.folder.path().join(format!("dt={dt}")).join(format!("{}.parquet", self.files.len()));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, &contents).expect("a file");
            let (first, last, rows, bytes) = (span.first, span.last, span.rows, contents.len() as u64);
            self.files.push(LakeFile { path, dt, first, last, rows, bytes });
        }
    }

    fn engine(&self) -> Engine {
        Engine::open(self.files.clone(), MEMORY).expect("an engine")
    }
}

fn quote(symbol: &str, time: &str, price: &str, record: u64) -> LakeQuote {
    quote_with(symbol, time, price, record, r#","source":"test""#)
}

/// A quote with more fields, in JSON.
fn quote_with(symbol: &str, time: &str, price: &str, record: u64, more: &str) -> LakeQuote {
    let line = format!(r#"{{"symbol":"{symbol}","timestamp":"{time}","price":{price}{more}}}"#);
    let record = Record {
        sequence: RecordSequence::local(record),
        partition_key: symbol.into(),
        arrived_at: Timestamp::parse("2026-12-01T00:00:00Z").expect("a time"),
        data: line.as_bytes().into(),
    };
    let mut quotes = Vec::new();
    Judge::default().record(
        &record,
        |sequence, quote, _| quotes.push(LakeQuote::new(quote, sequence, AnomalyThreshold::default())),
        |aside| panic!("{}", aside.reason),
    );
    quotes.remove(0)
}

/// The rows, a line each.
async fn answer(engine: &Engine, sql: &str, parameters: &[Parameter]) -> Result<Vec<String>, SqlError> {
    let mut answer = engine.query(sql, parameters).await?;
    let mut lines = Vec::new();
    while let Some(rows) = answer.next().await {
        let text = |value: Option<String>| value.unwrap_or_else(|| "null".into());
        lines.extend(rows?.into_iter().map(|row| row.into_iter().map(text).collect::<Vec<_>>().join(",")));
    }
    Ok(lines)
}

async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    answer(engine, sql, &[]).await.expect("an answer")
}

async fn plan(engine: &Engine, sql: &str) -> String {
    rows(engine, &format!("EXPLAIN {sql}")).await.join("\n")
}

async fn refused(engine: &Engine, sql: &str) -> SqlError {
    answer(engine, sql, &[]).await.expect_err("an error")
}

const ALL: &str = "SELECT symbol, \"timestamp\", price FROM stock_data_table ORDER BY 1, 2, 3";

#[tokio::test]
async fn the_table_has_the_fields_of_the_lake_and_the_day() {
    let engine = Lake::new().engine();
    let answer = engine.query("SELECT * FROM stock_data_table", &[]).await.expect("an answer");
    let mut expected: Vec<_> = FIELDS.iter().filter(|f| f.in_lake).map(|f| f.name).collect();
    expected.push("dt");
    assert_eq!(answer.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), expected);
    let kind = |name: &str| answer.columns.iter().find(|c| c.name == name).map(|c| c.kind);
    assert_eq!(kind("price"), Some(ColumnKind::Number));
    assert_eq!(kind("timestamp"), Some(ColumnKind::Time));
    assert_eq!(kind("anomaly"), Some(ColumnKind::Flag));
    assert_eq!(kind("dt"), Some(ColumnKind::Text));
}

#[tokio::test]
async fn an_empty_lake_answers() {
    let engine = Lake::new().engine();
    assert!(rows(&engine, ALL).await.is_empty());
    assert_eq!(rows(&engine, "SELECT count(*), max(price) FROM stock_data_table WHERE dt > '2000'").await, ["0,null"]);
}

#[tokio::test]
async fn overlapping_files_show_each_quote_once_and_the_first() {
    let lake = Lake::new()
        .with(&[("A", "2026-11-20T10:00:00Z", "1", 5), ("A", "2026-11-20T11:00:00Z", "3", 6)])
        .with(&[("A", "2026-11-20T10:00:00Z", "2", 4), ("B", "2026-11-20T10:00:00Z", "7", 7)])
        // Begins where the first ends: still an overlap.
        .with(&[("A", "2026-11-20T11:00:00Z", "4", 8), ("A", "2026-11-20T12:00:00Z", "5", 9)]);
    let engine = lake.engine();
    assert_eq!(
        rows(&engine, ALL).await,
        [
            "A,2026-11-20T10:00:00.000Z,2",
            "A,2026-11-20T11:00:00.000Z,3",
            "A,2026-11-20T12:00:00.000Z,5",
            "B,2026-11-20T10:00:00.000Z,7"
        ]
    );
    assert_eq!(rows(&engine, "SELECT count(*) FROM stock_data_table").await, ["4"]);
    // A filter on another column must not hide the first quote and show the second.
    let second = "SELECT price FROM stock_data_table WHERE price IN (1, 4)";
    assert!(rows(&engine, second).await.is_empty());
    let of_a = "SELECT count(*), sum(price) FROM stock_data_table WHERE symbol = 'A' AND dt = '2026-11-20'";
    assert_eq!(rows(&engine, of_a).await, ["3,10"]);
    let late = "SELECT price FROM stock_data_table WHERE \"timestamp\" >= timestamp '2026-11-20 11:00:00' ORDER BY 1";
    assert_eq!(rows(&engine, late).await, ["3", "5"]);
}

#[tokio::test]
async fn only_files_that_overlap_are_merged_while_reading() {
    let lake = Lake::new()
        .with(&[("A", "2026-11-19T10:00:00Z", "1", 1), ("A", "2026-11-19T11:00:00Z", "2", 2)])
        .with(&[("A", "2026-11-19T12:00:00Z", "3", 3)])
        .with(&[("A", "2026-11-20T10:00:00Z", "4", 4), ("A", "2026-11-20T11:00:00Z", "5", 5)])
        .with(&[("A", "2026-11-20T10:30:00Z", "6", 6)]);
    let engine = lake.engine();
    let all = plan(&engine, "SELECT price FROM stock_data_table").await;
    assert!(all.contains("UnionExec") && all.contains("FirstOfEach: 2 files in 1 sets"), "{all}");
    let apart = plan(&engine, "SELECT price FROM stock_data_table WHERE dt = '2026-11-19'").await;
    assert!(!apart.contains("FirstOfEach") && apart.contains("DataSourceExec"), "{apart}");
    // Pruned to one of the two, there is nothing left to overlap.
    let one = "SELECT price FROM stock_data_table WHERE \"timestamp\" > timestamp '2026-11-20 10:45:00'";
    assert!(!plan(&engine, one).await.contains("FirstOfEach"));
    assert_eq!(rows(&engine, one).await, ["5"]);
    assert_eq!(rows(&engine, "SELECT sum(price) FROM stock_data_table").await, ["21"]);
}

#[tokio::test]
async fn files_that_cannot_matter_are_not_read() {
    let mut lake = Lake::new();
    for day in 1..=9 {
        lake = lake.with(&[("A", &format!("2026-11-0{day}T10:00:00Z"), "1", day)]);
    }
    let engine = lake.engine();
    let each = lake.files[0].bytes;
    for (filter, files) in [
        ("true", 9),
        ("dt = '2026-11-03'", 1),
        ("dt >= '2026-11-03' AND dt <= '2026-11-05'", 3),
        ("dt IN ('2026-11-01', '2026-11-09') OR dt LIKE '%-05'", 3),
        ("substr(dt, 10) = '4'", 1),
        ("\"timestamp\" < timestamp '2026-11-03 00:00:00'", 2),
        ("\"timestamp\" BETWEEN timestamp '2026-11-03 10:00:00' AND timestamp '2026-11-04 09:00:00'", 1),
        ("dt = '2026-11-03' AND price < 5", 1),
        ("dt = '2026-11-03' AND price > 5", 0),
        ("dt > '2027'", 0),
    ] {
        let answer =
            engine.query(&format!("SELECT price FROM stock_data_table WHERE {filter}"), &[]).await.expect("an answer");
        assert_eq!(answer.bytes, each * files, "{filter}");
    }
    // A day that is asked for by value stays outside the plan, since the list of files has decided it.
    let filtered = plan(&engine, "SELECT price FROM stock_data_table WHERE dt = '2026-11-03'").await;
    assert!(!filtered.contains("FilterExec"), "{filtered}");
}

fn collect_scans(plan: &Arc<dyn ExecutionPlan>, scans: &mut Vec<FileScanConfig>) {
    let mut push = |scan: &DataSourceExec| scans.extend(scan.data_source().downcast_ref::<FileScanConfig>().cloned());
    if let Some(first) = plan.downcast_ref::<first::FirstOfEach>() {
        first.sets().for_each(push);
    } else if let Some(scan) = plan.downcast_ref::<DataSourceExec>() {
        push(scan);
    }
    plan.children().into_iter().for_each(|child| collect_scans(child, scans));
}

#[tokio::test]
async fn filters_reach_the_files_of_both_kinds() {
    let lake = Lake::new()
        .with(&[("A", "2026-11-19T10:00:00Z", "1", 1)])
        .with(&[("A", "2026-11-20T10:00:00Z", "4", 4), ("B", "2026-11-20T11:00:00Z", "5", 5)])
        .with(&[("A", "2026-11-20T10:30:00Z", "6", 6)]);
    let engine = lake.engine();
    let sql = "SELECT price FROM stock_data_table WHERE symbol = 'B'";
    let state = engine.context.state();
    let logical = state.create_logical_plan(sql).await.expect("a plan");
    let physical = state.create_physical_plan(&logical).await.expect("a plan");
    let mut scans = Vec::new();
    collect_scans(&physical, &mut scans);
    let filters: Vec<_> = scans.iter().map(|s| s.file_source().filter().map(|f| f.to_string())).collect();
    assert_eq!(filters, [Some("symbol@0 = B".to_owned()), Some("symbol@0 = B".to_owned())]);
    assert_eq!(rows(&engine, sql).await, ["5"]);
}

#[tokio::test]
async fn only_listed_files_count() {
    let mut lake =
        Lake::new().with(&[("A", "2026-11-20T10:00:00Z", "1", 1)]).with(&[("A", "2026-11-20T11:00:00Z", "2", 2)]);
    lake.files.pop();
    assert_eq!(rows(&lake.engine(), ALL).await, ["A,2026-11-20T10:00:00.000Z,1"]);
}

#[tokio::test]
async fn a_file_that_is_gone_or_damaged_is_an_error_that_names_it() {
    let lake = Lake::new().with(&[("A", "2026-11-20T10:00:00Z", "1", 1)]);
    fs::write(&lake.files[0].path, b"PAR1").expect("a file");
    let damaged = refused(&lake.engine(), ALL).await;
    assert!(matches!(damaged, SqlError::Failed(_)), "{damaged:?}");
    fs::remove_file(&lake.files[0].path).expect("gone");
    let gone = refused(&lake.engine(), ALL).await.to_string();
    assert!(gone.contains("0.parquet") && !gone.contains('\n'), "{gone}");
}

#[tokio::test]
async fn parameters_are_bound_by_position_and_only_as_values() {
    let lake = Lake::new().with(&[("A", "2026-11-20T10:00:00Z", "1.5", 1), ("B", "2026-11-20T10:00:00Z", "2", 2)]);
    let engine = lake.engine();
    let sql = "SELECT symbol, '?' -- ?\n FROM stock_data_table /* ? */ WHERE symbol = ? AND price > ? AND dt <= ?";
    let date = Parameter::Date(Date::parse("2026-11-20").expect("a date"));
    let text = |text: &str| Parameter::Text(text.into());
    let values = [text("B"), Parameter::Decimal("1.5".into()), date.clone()];
    assert_eq!(answer(&engine, sql, &values).await.expect("rows"), ["B,?"]);
    let values = [text("' OR '1' = '1"), Parameter::Integer(-1), date];
    assert!(answer(&engine, sql, &values).await.expect("rows").is_empty());
    let few = answer(&engine, sql, &[text("B")]).await;
    assert_eq!(few, Err(SqlError::Parameters { expected: 3, given: 1 }));
    assert_eq!(answer(&engine, "SELECT $1", &[text("B")]).await, Err(SqlError::Placeholder("$1".into())));
    assert_eq!(
        answer(&engine, "SELECT ?, ?", &[text("it's"), Parameter::Integer(-7)]).await.expect("rows"),
        ["it's,-7"]
    );
}

#[tokio::test]
async fn only_reading() {
    let engine = Lake::new().with(&[("A", "2026-11-20T10:00:00Z", "1", 1)]).engine();
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/tmp'",
        "INSERT INTO stock_data_table SELECT * FROM stock_data_table",
        "DELETE FROM stock_data_table",
        "COPY stock_data_table TO '/tmp/never.parquet'",
        "EXPLAIN ANALYZE COPY stock_data_table TO '/tmp/never.parquet'",
        "SELECT * INTO t FROM stock_data_table",
        "DROP TABLE stock_data_table",
        "SET datafusion.execution.batch_size = 1",
    ] {
        let error = refused(&engine, sql).await;
        assert!(matches!(error, SqlError::ReadOnly(_) | SqlError::Query(_)), "{sql}: {error:?}");
    }
    assert!(matches!(refused(&engine, "DROP TABLE stock_data_table").await, SqlError::ReadOnly(_)));
    assert_eq!(refused(&engine, "SELECT 1; SELECT 2").await, SqlError::Statements(2));
    assert_eq!(refused(&engine, " -- nothing").await, SqlError::Statements(0));
    assert_eq!(rows(&engine, "SELECT count(*) FROM stock_data_table;").await, ["1"]);
}

#[tokio::test]
async fn errors_are_one_line_and_say_where() {
    let engine = Lake::new().engine();
    for (sql, message) in [
        ("SELECT prize FROM stock_data_table", "prize"),
        ("SELECT price\nFROM nowhere", "nowhere"),
        ("SELECT price FRM stock_data_table WHERE", "Column"),
        ("SELECT 'open", "Unterminated"),
    ] {
        let error = refused(&engine, sql).await.to_string();
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
    // The parser tells a place of its own accord; once is enough.
    let parsed = refused(&engine, "SELECT price FRM x WHERE").await.to_string();
    assert_eq!(parsed, "Expected: end of statement, found: x at Line: 1, Column: 18");
    assert_eq!(refused(&engine, "DROP TABLE x").await.to_string(), "a query can only read; refused: DropTable");
    assert_eq!(
        refused(&engine, "SELECT 1 FROM nowhere").await.to_string(),
        "table 'nowhere' not found (line 1, column 15)"
    );
    let where_to_look = refused(&engine, "SELECT\n  prize FROM stock_data_table").await.to_string();
    assert!(where_to_look.ends_with("(line 2, column 3)"), "{where_to_look}");
}

#[tokio::test]
async fn values_are_exact_texts() {
    let engine = Lake::new().engine();
    for (expression, text) in [
        ("decimal '12.3400'", "12.34"),
        ("cast(-0.5 as decimal(18,8))", "-0.5"),
        ("cast(100 as decimal(5,0))", "100"),
        ("timestamp '2026-11-20 20:59:30'", "2026-11-20T20:59:30.000Z"),
        ("date '2026-11-20'", "2026-11-20"),
        ("true", "true"),
        ("cast(9223372036854775807 as bigint)", "9223372036854775807"),
        ("0.1e0 + 0.2e0", "0.30000000000000004"),
        ("2e0", "2"),
        ("cast('0.1' as real)", "0.1"),
        ("1e300", "1e300"),
        ("'a' || 'b'", "ab"),
        ("null", "null"),
    ] {
        assert_eq!(rows(&engine, &format!("SELECT {expression}")).await, [text], "{expression}");
    }
}

#[tokio::test]
async fn nulls_come_last_either_way() {
    let engine = Lake::new().engine();
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT x FROM (VALUES (1), (NULL), (1)) AS t (x) ORDER BY x {order}");
        assert_eq!(rows(&engine, &sql).await, ["1", "1", "null"]);
    }
}

#[tokio::test]
async fn aggregates_that_athena_has() {
    let engine = Lake::new().engine();
    let t = "(VALUES ('a', 1, 'x'), ('a', 3, NULL), ('a', NULL, 'z'), ('b', 2, 'y'), ('c', NULL, 'w')) AS t (k, y, x)";
    let sql = format!("SELECT k, max_by(x, y), min_by(x, y), count_if(y > 1) FROM {t} GROUP BY k ORDER BY k");
    assert_eq!(rows(&engine, &sql).await, ["a,null,x,1", "b,y,y,1", "c,null,null,0"]);
    let sql = format!("SELECT max_by(k, cast(y as decimal(18,8))), count_if(x = 'x') FROM {t}");
    assert_eq!(rows(&engine, &sql).await, ["a,1"]);
}

#[tokio::test]
async fn a_sort_larger_than_the_memory_goes_to_disk() {
    let mut lake = Lake::new();
    let day = Timestamp::parse("2026-11-20T00:00:00Z").expect("a time");
    let sample = quote("A", "2026-11-20T00:00:00Z", "1", 0);
    lake.add(
        (0..200_000)
            .map(|i: i64| {
                let mut quote = sample.clone();
                quote.quote.timestamp = day.plus_millis(i);
                quote.quote.price = Price::from_units(1 + (i * 7919) % 1_000_003).expect("a price");
                quote.sequence = RecordSequence::local(i as u64).line(0);
                quote
            })
            .collect(),
    );
    let engine = Engine::open(lake.files.clone(), 24 << 20).expect("an engine");
    let sql = "SELECT * FROM stock_data_table ORDER BY price DESC";
    let mut answer = engine.query(sql, &[]).await.expect("an answer");
    let mut count = 0;
    let mut last = f64::MAX;
    while let Some(rows) = answer.next().await {
        for row in rows.expect("rows") {
            let price: f64 = row[2].as_deref().expect("a price").parse().expect("a number");
            assert!(price <= last);
            last = price;
            count += 1;
        }
    }
    assert_eq!(count, 200_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_cut_into_files_shows_the_first_of_each_identity(
        quotes in proptest::collection::vec((0..2_usize, 19..21_u8, 0..8_u8, 0..4_usize), 1..60),
        batch_size in prop_oneof![Just(1_usize), Just(3), Just(8192)],
    ) {
        let mut files = vec![Vec::new(); 4];
        let mut expected = std::collections::BTreeMap::new();
        for (record, (symbol, day, hour, file)) in quotes.into_iter().enumerate() {
            let (symbol, time) = (["A", "B"][symbol], format!("2026-11-{day}T0{hour}:00:00.000Z"));
            let price = (record + 1).to_string();
            files[file].push(quote(symbol, &time, &price, record as u64));
            expected.entry((symbol, time)).or_insert(price);
        }
        let mut lake = Lake::new();
        files.into_iter().for_each(|file| lake.add(file));
        let engine = lake.engine();
        let state = engine.context.state_ref();
        let size = batch_size.to_string();
        state.write().config_mut().options_mut().set("datafusion.execution.batch_size", &size).expect("a setting");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let expected: Vec<_> = expected.into_iter().map(|((s, t), p)| format!("{s},{t},{p}")).collect();
        prop_assert_eq!(runtime.block_on(rows(&engine, ALL)), expected);
    }
}

mod saved {
    use super::*;
    use crate::queries::{self, Defaults};

    /// The bars of a file of `data/` as quotes, a record each, in files of the lake: a day each, or several where
    /// `cut` is given, which then overlap.
    fn lake(data: &Path, cut: Option<usize>) -> Lake {
        let text = fs::read_to_string(data).expect("a data file");
        let mut quotes = Vec::new();
        for (record, line) in text.lines().skip(1).enumerate() {
            let [symbol, time, open, high, low, close, volume] = line.split(',').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let mut quote = quote(symbol, time, close, record as u64);
            quote.quote.open = Price::parse(open).ok();
            quote.quote.high = Price::parse(high).ok();
            quote.quote.low = Price::parse(low).ok();
            quote.quote.volume = pipeline::Volume::parse(volume).ok();
            quotes.push(quote);
        }
        let mut lake = Lake::new();
        for quotes in quotes.chunks(cut.unwrap_or(quotes.len())) {
            lake.add(quotes.to_vec());
        }
        lake
    }

    pub(super) async fn run(engine: &Engine, name: &str, given: &[(&str, &str)], all: bool) -> Vec<String> {
        let query = queries::find(name).expect("a query");
        let newest = rows(engine, "SELECT max(dt) FROM stock_data_table").await;
        let newest = Date::parse(&newest[0]).unwrap_or_else(|| Date::parse("2026-11-20").expect("a date"));
        let given: Vec<_> = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let all = Date::parse("2000-01-01").filter(|_| all);
        let values = query.resolve(&given, Defaults { newest, all }).expect("values");
        answer(engine, &query.sql, &values).await.expect("an answer")
    }

    /// Whether `crossovers` gives the signals of a golden file, for a data file.
    async fn crossovers_are(data: &Path, cut: Option<usize>, golden: &Path) {
        let crossovers = run(&lake(data, cut).engine(), "crossovers", &[], true).await;
        let normal = |line: &str| {
            let values: Vec<&str> = line.split(',').collect();
            let [_, time, signal, _, sma_5, sma_20] = values[..] else { panic!("{line}") };
            format!("{},{signal},{sma_5},{sma_20}", time.replace(".000Z", "Z"))
        };
        let crossovers: Vec<_> = crossovers.iter().map(|l| normal(l)).collect();
        let golden = fs::read_to_string(golden).expect("a golden file");
        let golden: Vec<_> = golden.lines().skip(1).collect();
        assert!(!golden.is_empty());
        assert_eq!(crossovers, golden, "{}", data.display());
    }

    #[tokio::test]
    async fn crossovers_are_the_signals_that_others_computed() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        for symbol in ["AAPL", "GOOG", "IBM"] {
            let name = format!("daily_{symbol}_2008-2013.csv");
            crossovers_are(&data.join(&name), None, &data.join("golden").join(&name)).await;
        }
    }

    #[tokio::test]
    async fn the_lead_in_makes_a_span_show_what_the_whole_history_does() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/daily_IBM_2008-2013.csv");
        let lake = lake(&data, None);
        let engine = lake.engine();
        for name in ["crossovers", "daily-trend", "moving-averages", "volatility", "data-quality"] {
            let all = run(&engine, name, &[], true).await;
            let given = [("from", "2012-06-01"), ("to", "2012-12-31"), ("symbol", "IBM")];
            let span = run(&engine, name, &given, false).await;
            let within = |l: &&String| ("2012-06-01".."2013").contains(&l.trim_start_matches("IBM,"));
            assert!(!span.is_empty());
            assert_eq!(span, all.iter().filter(within).cloned().collect::<Vec<_>>(), "{name}");
        }
        assert!(run(&engine, "crossovers", &[("symbol", "AAPL")], true).await.is_empty());
    }

    #[tokio::test]
    async fn a_day_in_pieces_is_one_bar() {
        let lake = Lake::new().with(&[
            ("A", "2026-11-20T10:00:00Z", "5", 3),
            ("A", "2026-11-20T09:00:00Z", "4", 2),
            ("A", "2026-11-20T11:00:00Z", "4.5", 1),
        ]);
        assert_eq!(
            run(&lake.engine(), "daily-trend", &[], false).await,
            ["A,2026-11-20,4,5,4,4.5,null,null,warming up,null"]
        );
    }

    #[tokio::test]
    async fn every_saved_query_runs_on_an_empty_lake() {
        let engine = Lake::new().engine();
        for query in queries::bundled().expect("queries") {
            assert!(run(&engine, &query.name, &[], false).await.is_empty(), "{}", query.name);
        }
    }

    #[tokio::test]
    async fn columns_of_crossovers_are_those_of_signals() {
        let query = queries::find("crossovers").expect("a query");
        let newest = Date::parse("2026-11-20").expect("a date");
        let values = query.resolve(&[], Defaults { newest, all: None }).expect("values");
        let answer = Lake::new().engine().query(&query.sql, &values).await.expect("an answer");
        let columns: Vec<_> = answer.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(columns, ["symbol", "timestamp", "signal", "price", "sma_5", "sma_20"]);
    }
}
