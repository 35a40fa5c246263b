//! Answers with the operators of this folder against those without: the same types, values and, where a query gives
//! one, order.

use super::*;
use crate::queries::{self, Defaults};
use proptest::sample::select;

mod asked;

use asked::QUERIES;

/// Symbols whose order as bytes is not that of a dictionary, one of them longer than a view holds in itself.
const SYMBOLS: [&str; 6] = ["AAPL", "BRK.B", "^GSPC", "a", "A-SYMBOL-OF-MANY-LETTERS.X", "ZZ"];

/// Parameters of the saved queries; what one has not is left out. Without any the whole history is asked for.
const GIVEN: &[&[(&str, &str)]] = &[
    &[],
    &[("symbol", "AAPL")],
    &[("symbol", "none")],
    &[("from", "2026-11-19")],
    &[("from", "2026-11-19"), ("to", "2026-11-19"), ("symbol", "a")],
];

/// How a lake is cut into files.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// A file a day.
    Days,
    /// Files of a day that follow one another in time.
    Apart,
    /// Files of a day that overlap, some with quotes of others.
    Overlapping,
}

/// A lake of so many rows of each symbol.
fn lake(seed: u64, rows: &[usize], cut: Cut) -> Lake {
    let mut random = Random(seed);
    let day = Timestamp::parse("2026-11-18T10:00:00Z").expect("a time");
    let mut files = vec![Vec::new(); 3];
    for (symbol, rows) in SYMBOLS.iter().zip(rows) {
        for _ in 0..*rows {
            let minute = random.below(90);
            let time = day.plus_millis((random.below(3) * 1440 + minute) as i64 * 60_000);
            let record = random.below(10_000);
            let quote = random.quote(symbol, time, record);
            let file = match cut {
                Cut::Days => 0,
                Cut::Apart => minute / 30,
                Cut::Overlapping => random.below(3),
            };
            files[file as usize].push(quote.clone());
            if matches!(cut, Cut::Overlapping) && random.below(8) == 0 {
                files[random.below(3) as usize].push(random.quote(symbol, time, record + 1));
            }
        }
    }
    let mut lake = Lake::new();
    files.into_iter().for_each(|file| lake.add(file));
    lake
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// A quote in which what can be missing sometimes is, and values come again.
    fn quote(&mut self, symbol: &str, time: Timestamp, record: u64) -> LakeQuote {
        let price = 9_000 + self.below(2_000);
        let decimal = |units: u64| format!("{}.{:02}", units / 100, units % 100);
        let mut more = String::new();
        for name in ["open", "high", "low", "previous_close"] {
            if self.below(3) > 0 {
                more += &format!(r#","{name}":{}"#, decimal(9_500 + self.below(600)));
            }
        }
        if self.below(4) > 0 {
            more += &format!(r#","volume":{}"#, self.below(50));
        }
        if self.below(3) > 0 {
            more += &format!(r#","source":"{}""#, ["yahoo", "replay:a.csv"][self.below(2) as usize]);
        }
        more += &format!(r#","origin":"{}""#, ["live", "backfill"][(self.below(5) == 0) as usize]);
        more += &format!(r#","stale":{}"#, self.below(6) == 0);
        if self.below(2) > 0 {
            more += &format!(r#","ingested_at":"{}""#, time.plus_millis(self.below(9_000) as i64));
        }
        quote_with(symbol, &time.to_string(), &decimal(price), record, &more)
    }
}

/// An answer: its columns with their types, and its rows as text.
async fn typed(engine: &Engine, sql: &str, parameters: &[Parameter]) -> (String, Vec<String>) {
    let types = engine.query(sql, parameters).await.unwrap_or_else(|e| panic!("{sql}: {e}")).batches.schema();
    (types.to_string(), answer(engine, sql, parameters).await.unwrap_or_else(|e| panic!("{sql}: {e}")))
}

/// Holds both engines' answers against each other.
async fn compare([ours, stock]: [&Engine; 2], sql: &str, parameters: &[Parameter]) {
    let (ours, stock) = (typed(ours, sql, parameters).await, typed(stock, sql, parameters).await);
    assert_eq!(ours.0, stock.0, "{sql}");
    let (mut ours, mut stock) = (ours.1, stock.1);
    // Queries give their order at the end, if they do.
    if !sql.trim_end().rsplit(')').next().is_some_and(|end| end.contains("ORDER BY")) {
        ours.sort();
        stock.sort();
    }
    assert_eq!(ours, stock, "{sql} with {parameters:?}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

proptest! {
    // A case is seconds of queries: too many to shrink one, and its seed says all.
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 0, ..ProptestConfig::default() })]

    /// Would catch a window, a scan or a rewrite that gives another value, type, order, or number of rows.
    #[test]
    fn answers_are_those_of_datafusion_alone(
        seed in any::<u64>(),
        rows in proptest::collection::vec(prop_oneof![Just(0_usize), Just(1), 0..150_usize], SYMBOLS.len()),
        cut in select(&[Cut::Days, Cut::Apart, Cut::Overlapping][..]),
        batch_rows in select(&[1_usize, 7, 64, 8192][..]),
        partitions in 1..=3_usize,
        chosen in proptest::collection::vec(select(QUERIES), 8),
        given in select(GIVEN),
    ) {
        let lake = lake(seed, &rows, cut);
        let with = |own_operators| {
            Engine::with(lake.files.clone(), MEMORY, Tuning { own_operators, partitions, batch_rows }).expect("an engine")
        };
        let (ours, stock) = (with(true), with(false));
        runtime().block_on(async {
            for query in queries::bundled().expect("queries") {
                let newest = lake.files.iter().map(|file| file.dt).max();
                let newest = newest.unwrap_or_else(|| Date::parse("2026-11-20").expect("a date"));
                let given: Vec<_> = given
                    .iter()
                    .filter(|(name, _)| query.parameters.iter().any(|p| p.name == *name))
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect();
                let values = query.resolve(&given, Defaults { newest, all: Date::parse("2000-01-01").filter(|_| given.is_empty()) }).expect("values");
                compare([&ours, &stock], &query.sql, &values).await;
            }
            for sql in chosen {
                compare([&ours, &stock], sql, &[]).await;
            }
        });
    }
}

/// Would catch a query that none of the cases above happens to choose.
#[test]
fn every_query_is_answered_as_by_datafusion_alone() {
    for (seed, cut) in [(1, Cut::Days), (2, Cut::Overlapping)] {
        let lake = lake(seed, &[70, 1, 40, 0, 25, 33], cut);
        let with = |own_operators| {
            let tuning = Tuning { own_operators, partitions: 2, batch_rows: 16 };
            Engine::with(lake.files.clone(), MEMORY, tuning).expect("an engine")
        };
        let (ours, stock) = (with(true), with(false));
        runtime().block_on(async {
            for sql in QUERIES {
                compare([&ours, &stock], sql, &[]).await;
            }
        });
    }
}

/// The plan of a saved query for the whole history of all symbols.
async fn plan_of(engine: &Engine, name: &str) -> String {
    let query = queries::find(name).expect("a query");
    let newest = Date::parse("2026-11-20").expect("a date");
    let values = query.resolve(&[], Defaults { newest, all: Date::parse("2000-01-01") }).expect("values");
    answer(engine, &format!("EXPLAIN {}", query.sql), &values).await.expect("a plan").join("\n")
}

/// Would catch a new version of DataFusion in which the operators find no place, and the above compares nothing.
#[tokio::test]
async fn saved_queries_use_the_operators() {
    let lake = lake(1, &[70, 1, 40, 0, 25, 33], Cut::Days);
    let engine = lake.engine();
    for (name, operators) in [
        ("crossovers", &["SortedWindow: sum of 5, sum of 20, row_number by", "SortedWindow: last value by"][..]),
        ("moving-averages", &["SortedWindow: sum of 5, sum of 20, row_number by"]),
        ("drawdown", &["SortedWindow: Max so far by", "SortWithin: first by [fall"]),
        ("latest-prices", &["SortedWindow: row_number by", "SortWithin: first by [timestamp", ", last rows"]),
        ("data-quality", &["SortedWindow: Max before by", "SortedWindow: lag 1 by", "SortWithin: all by [sequence"]),
        ("volume-profile", &["SortedWindow: Max before by", "SortWithin: all by [source"]),
    ] {
        let plan = plan_of(&engine, name).await;
        for operator in operators {
            assert!(plan.contains(operator), "{name}: no {operator} in\n{plan}");
        }
        assert!(plan.contains("SymbolScan: 5 symbols of 3 files"), "{name}: not by symbol in\n{plan}");
    }
    // Above groups, which are made file by file.
    for (name, operators) in [
        (
            "daily-trend",
            &["SortedWindow: sum of 5, sum of 20, row_number by", "GroupRuns: parts of groups by [symbol"][..],
        ),
        ("volatility", &["SortedWindow: deviation of 20 by", "GroupRuns: parts of groups by [symbol"]),
        ("top-movers", &["GroupRuns: parts of groups by [symbol"]),
        ("data-quality", &["GroupRuns: groups by [symbol"]),
    ] {
        let plan = plan_of(&engine, name).await;
        for operator in operators {
            assert!(plan.contains(operator), "{name}: no {operator} in\n{plan}");
        }
    }
    // Nothing is left to sort or to exchange.
    for name in ["crossovers", "moving-averages"] {
        let plan = plan_of(&engine, name).await;
        assert!(!plan.contains("SortExec") && !plan.contains("RepartitionExec"), "{name}:\n{plan}");
    }
}

/// Would catch files that are put one after the other although their times mix.
#[tokio::test]
async fn files_that_overlap_are_not_read_by_symbol() {
    let overlapping = lake(1, &[70, 1, 40, 0, 25, 33], Cut::Overlapping);
    let plan = plan_of(&overlapping.engine(), "crossovers").await;
    assert!(!plan.contains("SymbolScan") && plan.contains("FirstOfEach") && plan.contains("SortedWindow"), "{plan}");
    let apart = lake(1, &[70, 1, 40, 0, 25, 33], Cut::Apart);
    let plan = plan_of(&apart.engine(), "crossovers").await;
    assert!(plan.contains("SymbolScan: 5 symbols of 9 files"), "{plan}");
}

/// Would catch a symbol that is taken for one run although another comes between, where a filter puts what is left of
/// several files into one batch.
#[tokio::test]
async fn symbols_of_several_files_in_a_batch_stay_apart() {
    let mut lake = Lake::new();
    for day in 1..=4 {
        let of = |symbol, rows: u64| {
            (0..rows).map(move |i| quote(symbol, &format!("2026-11-0{day}T10:0{i}:00Z"), "1", 10 * day + i))
        };
        lake.add(of("A", 5).chain(of("B", 1)).collect());
    }
    let tuning = Tuning { partitions: 2, ..Tuning::default() };
    let engine = Engine::with(lake.files.clone(), MEMORY, tuning).expect("an engine");
    let sql = "SELECT symbol, count(*) FROM stock_data_table WHERE price > 0 GROUP BY symbol ORDER BY symbol";
    assert!(plan(&engine, sql).await.contains("GroupRuns: parts of groups"));
    assert_eq!(rows(&engine, sql).await, ["A,20", "B,4"]);
}

/// Would catch an interval that is added row by row after all.
#[tokio::test]
async fn intervals_of_fixed_length_are_durations() {
    let engine = lake(1, &[70], Cut::Days).engine();
    let plan_of = async |interval: &str| {
        plan(&engine, &format!("SELECT 1 FROM stock_data_table WHERE \"timestamp\" + {interval} > ingested_at")).await
    };
    for (interval, millis) in [("INTERVAL '45' SECOND", 45_000), ("INTERVAL '1' DAY", 86_400_000)] {
        let plan = plan_of(interval).await;
        assert!(plan.contains(&format!("FilterExec: timestamp@0 + {millis} >")), "{plan}");
    }
    for interval in ["INTERVAL '1' MONTH", "INTERVAL '0.0001' SECOND"] {
        let plan = plan_of(interval).await;
        assert!(plan.contains("FilterExec: timestamp@0 + IntervalMonthDayNano"), "{plan}");
    }
}

/// Would catch footers that are not asked, or of which too much is believed.
#[tokio::test]
async fn files_whose_footers_exclude_the_filter_are_not_read() {
    let mut lake = Lake::new()
        .with(&[("A", "2026-11-18T10:00:00Z", "5", 1)])
        .with(&[("A", "2026-11-19T10:00:00Z", "7", 2), ("B", "2026-11-19T10:00:00Z", "9", 3)]);
    lake.add(vec![quote_with("A", "2026-11-20T10:00:00Z", "8", 4, r#","previous_close":4,"source":"yahoo""#)]);
    let each = |files: &[usize]| files.iter().map(|file| lake.files[*file].bytes).sum::<u64>();
    let engine = lake.engine();
    for (filter, files) in [
        ("anomaly", &[2][..]),
        ("NOT anomaly", &[0, 1]),
        ("price > 6", &[1, 2]),
        ("price > 6 AND dt < '2026-11-20'", &[1]),
        ("price > 10", &[]),
        ("previous_close IS NULL", &[0, 1]),
        ("open IS NOT NULL", &[]),
        ("price = 5 OR change_percent > 50", &[0, 2]),
        ("price = 5 OR dt = '2026-11-20'", &[0, 1, 2]),
        ("source = 'yahoo'", &[0, 1, 2]),
        ("currency IS NULL", &[0, 1, 2]),
        ("price + 1 = 6", &[0, 1, 2]),
    ] {
        let answer = engine.query(&format!("SELECT * FROM stock_data_table WHERE {filter}"), &[]).await;
        assert_eq!(answer.expect("an answer").bytes, each(files), "{filter}");
    }
}
