//! The saved queries on the recorded data, against figures computed here, in whole numbers, from the files themselves.

use super::{saved::run, *};
use std::collections::BTreeMap;

/// Units in one.
const ONE: i128 = 100_000_000;

/// A row of a file of `data/`, in units of 10⁻⁸.
#[derive(Clone, Debug)]
struct Bar {
    symbol: String,
    time: String,
    open: i128,
    high: i128,
    low: i128,
    close: i128,
    volume: i128,
    /// The close before, of the same file.
    before: Option<i128>,
}

impl Bar {
    fn day(&self) -> &str {
        &self.time[..10]
    }

    fn millis(&self) -> String {
        self.time.replace('Z', ".000Z")
    }

    fn change(&self) -> String {
        self.before.map_or("null".into(), |before| percent(self.close - before, before))
    }
}

fn units(text: &str) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<i128>().expect("digits") * ONE + format!("{part:0<8}").parse::<i128>().expect("digits")
}

fn bars(name: &str) -> Vec<Bar> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name).with_extension("csv");
    let text = fs::read_to_string(path).expect("a data file");
    let mut before = None;
    let bar = |line: &str| {
        let [symbol, time, open, high, low, close, volume] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let [open, high, low, close, volume] = [open, high, low, close, volume].map(units);
        let before = before.replace(close);
        Bar { symbol: symbol.into(), time: time.into(), open, high, low, close, volume, before }
    };
    text.lines().skip(1).map(bar).collect()
}

/// The bars of several files, in a lake of a file a day.
fn recorded(names: &[&str]) -> (Lake, Vec<Vec<Bar>>) {
    let files: Vec<_> = names.iter().map(|name| bars(name)).collect();
    let mut lake = Lake::new();
    let quote = |(record, bar): (usize, &Bar)| {
        let before = bar.before.map_or(String::new(), |b| format!(r#","previous_close":{}"#, decimal(b, 8)));
        let [open, high, low, close, volume] =
            [bar.open, bar.high, bar.low, bar.close, bar.volume].map(|n| decimal(n, 8));
        let more =
            format!(r#","open":{open},"high":{high},"low":{low},"volume":{volume},"source":"replay:a.csv"{before}"#);
        quote_with(&bar.symbol, &bar.time, &close, record as u64, &more)
    };
    lake.add(files.iter().flatten().enumerate().map(quote).collect());
    (lake, files)
}

/// The text of a number in units of so many places, without zeros at its end.
fn decimal(units: i128, places: u32) -> String {
    let one = 10_i128.pow(places);
    let text = format!("{}.{:0width$}", units.abs() / one, units.abs() % one, width = places as usize);
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A part of a whole in percent, rounded half away from zero to four places.
fn percent(part: i128, whole: i128) -> String {
    let rounded = (2 * part.abs() * 1_000_000 + whole) / (2 * whole);
    decimal(if part < 0 { -rounded } else { rounded }, 4)
}

const THREE: [&str; 3] = ["daily_AAPL_2008-2013", "daily_FB_2012-2013", "daily_IBM_2008-2013"];

#[tokio::test]
async fn moving_averages() {
    let (lake, files) = recorded(&THREE);
    let mut expected = Vec::new();
    for bars in files {
        for (i, bar) in bars.iter().enumerate() {
            let sum = |n: usize| (i + 1 >= n).then(|| bars[i + 1 - n..=i].iter().map(|b| b.close).sum::<i128>());
            let average = |n, places, times| sum(n).map_or("null".into(), |s: i128| decimal(s * times, places));
            let side = match (sum(5), sum(20)) {
                (Some(five), Some(twenty)) if 4 * five > twenty => "above",
                (Some(five), Some(twenty)) if 4 * five < twenty => "below",
                (Some(_), Some(_)) => "equal",
                _ => "warming up",
            };
            let (sma_5, sma_20) = (average(5, 9, 2), average(20, 10, 5));
            expected.push(format!("{},{},{},{sma_5},{sma_20},{side}", bar.symbol, bar.millis(), decimal(bar.close, 8)));
        }
    }
    assert_eq!(run(&lake.engine(), "moving-averages", &[], true).await, expected);
}

#[tokio::test]
async fn anomalies_are_the_known_ones_newest_first() {
    let (lake, files) = recorded(&THREE);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden/anomalies.daily.csv");
    let golden = fs::read_to_string(golden).expect("the anomalies");
    let mut known: Vec<(String, String)> = golden
        .lines()
        .filter(|line| THREE.iter().any(|name| line.starts_with(&format!("{name},"))))
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|row| (row[2].to_owned(), row[1].to_owned()))
        .collect();
    known.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let all: Vec<&Bar> = files.iter().flatten().collect();
    let line = |(rank, (time, symbol)): (usize, &(String, String))| {
        let bar = all.iter().find(|bar| bar.time == *time && bar.symbol == *symbol).expect("a bar");
        let before = decimal(bar.before.expect("a close before"), 8);
        let (close, change) = (decimal(bar.close, 8), bar.change());
        format!("{},{symbol},{},{close},{before},{change},replay:a.csv", rank + 1, bar.millis())
    };
    let expected: Vec<_> = known.iter().enumerate().map(line).collect();
    assert_eq!(expected.len(), 99);
    let engine = lake.engine();
    assert_eq!(run(&engine, "anomalies", &[], true).await, expected);
    assert_eq!(run(&engine, "anomalies", &[("limit", "7")], true).await, expected[..7]);
}

#[tokio::test]
async fn volume_by_hour() {
    let (lake, files) = recorded(&THREE);
    let mut hours: BTreeMap<(String, String), (u32, i128)> = BTreeMap::new();
    for bar in files.iter().flatten() {
        let hour = hours.entry((bar.symbol.clone(), bar.time[11..13].to_owned())).or_default();
        *hour = (hour.0 + 1, hour.1 + bar.volume);
    }
    let expected: Vec<_> = hours
        .iter()
        .map(|((s, hour), (quotes, volume))| format!("{s},{hour},{quotes},{}", decimal(*volume, 8)))
        .collect();
    assert_eq!(run(&lake.engine(), "volume-profile", &[], true).await, expected);
}

#[tokio::test]
async fn volume_of_the_day_so_far_is_not_added_up() {
    let mut lake = Lake::new();
    let yahoo = |time: &str, volume: &str, record| {
        quote_with("A", time, "5", record, &format!(r#","source":"yahoo","volume":{volume}"#))
    };
    lake.add(vec![
        yahoo("2026-11-19T15:00:00Z", "100", 1),
        yahoo("2026-11-19T15:30:00Z", "130", 2),
        yahoo("2026-11-19T16:00:00Z", "150.5", 3),
        // Corrected downward, which is no trade.
        yahoo("2026-11-19T16:01:00Z", "149", 4),
        yahoo("2026-11-19T16:02:00Z", "151", 5),
        // A new day begins anew.
        yahoo("2026-11-20T15:00:00Z", "90", 6),
        quote_with("A", "2026-11-20T15:30:00Z", "5", 7, r#","source":"yahoo""#),
        yahoo("2026-11-20T16:00:00Z", "95", 8),
    ]);
    let engine = lake.engine();
    assert_eq!(run(&engine, "volume-profile", &[], false).await, ["A,15,4,30", "A,16,4,26"]);
    let trend = run(&engine, "daily-trend", &[], false).await;
    let volumes: Vec<_> = trend.iter().filter_map(|line| line.rsplit(',').next()).collect();
    assert_eq!(volumes, ["151", "95"]);
}

#[tokio::test]
async fn movers_of_the_newest_day() {
    let names = ["daily_AAPL_2008-2013", "daily_FB_2012-2013", "daily_GOOG_2008-2013", "daily_IBM_2008-2013"];
    let (lake, files) = recorded(&names);
    let engine = lake.engine();
    for to in ["2013-03-01", "2012-10-30", "2012-12-24"] {
        // Markets were closed on 2012-10-30.
        let of = |bars: &Vec<Bar>| bars.iter().rfind(|bar| bar.day() <= to).cloned().expect("a bar");
        let mut newest: Vec<Bar> = files.iter().map(of).collect();
        let size = |bar: &Bar| {
            let before = bar.before.expect("a close before");
            ((bar.close - before).abs() * ONE * ONE) / before
        };
        newest.sort_by_key(|bar| std::cmp::Reverse(size(bar)));
        let line = |(i, bar): (usize, &Bar)| {
            let before = decimal(bar.before.expect("a close before"), 8);
            format!("{},{},{},{},{before},{}", i + 1, bar.symbol, bar.day(), decimal(bar.close, 8), bar.change())
        };
        let expected: Vec<_> = newest.iter().enumerate().map(line).collect();
        assert_eq!(run(&engine, "top-movers", &[("to", to)], false).await, expected);
        // A span of the one day finds the session before it all the same.
        let day = newest[0].day();
        let given = [("from", day), ("to", to), ("limit", "2")];
        assert_eq!(run(&engine, "top-movers", &given, false).await, expected[..2]);
    }
    // Without the source's word the lake's own session before counts; the first session has nothing before it.
    let lake = Lake::new()
        .with(&[("A", "2026-11-18T10:00:00Z", "8", 1), ("A", "2026-11-20T10:00:00Z", "6", 2)])
        .with(&[("B", "2026-11-20T10:00:00Z", "7", 3)]);
    assert_eq!(run(&lake.engine(), "top-movers", &[], false).await, ["1,A,2026-11-20,6,8,-25"]);
}

#[tokio::test]
async fn latest_prices() {
    let (lake, files) = recorded(&THREE);
    let line = |bars: &Vec<Bar>| {
        let bar = bars.last().expect("a bar");
        let before = bar.before.expect("a close before");
        let [close, open, high, low, volume, before] =
            [bar.close, bar.open, bar.high, bar.low, bar.volume, before].map(|n| decimal(n, 8));
        let (symbol, time, change) = (&bar.symbol, bar.millis(), bar.change());
        format!("{symbol},{time},{close},{open},{high},{low},{volume},{before},{change},false")
    };
    let expected: Vec<_> = files.iter().map(line).collect();
    let engine = lake.engine();
    assert_eq!(run(&engine, "latest-prices", &[], false).await, expected);
    assert_eq!(run(&engine, "latest-prices", &[("symbol", "FB")], false).await, expected[1..2]);
}

#[tokio::test]
async fn volatility() {
    let (lake, files) = recorded(&THREE);
    let rows = run(&lake.engine(), "volatility", &[], true).await;
    let mut rows = rows.iter();
    for bars in files {
        for (i, bar) in bars.iter().enumerate() {
            let row: Vec<&str> = rows.next().expect("a row").split(',').collect();
            assert_eq!(row[..4], [&bar.symbol, bar.day(), &decimal(bar.close, 8), &bar.change()]);
            let change = |bar: &Bar| bar.close as f64 / bar.before.expect("a close before") as f64 * 100.0 - 100.0;
            if i < 20 {
                assert_eq!(row[4], "null");
                continue;
            }
            let changes: Vec<f64> = bars[i - 19..=i].iter().map(change).collect();
            let mean = changes.iter().sum::<f64>() / 20.0;
            let deviation = (changes.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 19.0).sqrt();
            let found: f64 = row[4].parse().expect("a number");
            assert!((found - deviation).abs() < 0.000_050_001, "{row:?}: {deviation}");
            assert!(row[4].split('.').nth(1).is_none_or(|places| places.len() <= 4), "{row:?}");
        }
    }
    assert!(rows.next().is_none());
}

#[tokio::test]
async fn drawdown() {
    let (lake, files) = recorded(&THREE);
    let mut expected = Vec::new();
    for bars in &files {
        let mut worst = (&bars[0], &bars[0]);
        for (i, trough) in bars.iter().enumerate() {
            let peak = bars[..=i].iter().max_by_key(|bar| bar.close).expect("a bar");
            // By the cross product: the greater fall is the smaller price to peak.
            if trough.close * worst.0.close < worst.1.close * peak.close {
                worst = (peak, trough);
            }
        }
        let (peak, trough) = worst;
        let (top, low, fall) =
            (decimal(peak.close, 8), decimal(trough.close, 8), percent(peak.close - trough.close, peak.close));
        expected.push(format!("{},{top},{},{low},{},{fall}", peak.symbol, peak.millis(), trough.millis()));
    }
    let engine = lake.engine();
    assert_eq!(run(&engine, "drawdown", &[], true).await, expected);
    // What only rises has not fallen.
    let lake = Lake::new().with(&[("A", "2026-11-20T10:00:00Z", "1", 1), ("A", "2026-11-20T11:00:00Z", "2", 2)]);
    assert_eq!(
        run(&lake.engine(), "drawdown", &[], false).await,
        ["A,1,2026-11-20T10:00:00.000Z,1,2026-11-20T10:00:00.000Z,0"]
    );
}

#[tokio::test]
async fn data_quality() {
    let (lake, files) = recorded(&THREE);
    let arrival = Timestamp::parse("2026-12-01T00:00:00Z").expect("a time").millis() / 1000;
    let line = |bar: &Bar| {
        let lag = arrival - Timestamp::parse(&bar.time).expect("a time").millis() / 1000;
        format!("{},{},1,0,null,0,0,{lag},{lag}", bar.symbol, bar.day())
    };
    let expected: Vec<_> = files.iter().flatten().map(line).collect();
    assert_eq!(run(&lake.engine(), "data-quality", &[], true).await, expected);

    let sent = |time: &str, sent: &str, record, more: &str| {
        let more = format!(r#","ingested_at":"2026-11-20T{sent}Z"{more}"#);
        quote_with("A", &format!("2026-11-20T{time}Z"), "5", record, &more)
    };
    let mut lake = Lake::new();
    lake.add(vec![
        sent("10:00:00", "10:00:01", 1, ""),
        sent("10:15:00", "10:15:00.5", 2, ""),
        // Stale: ahead of all, but sets no order.
        sent("12:00:00", "13:00:00", 3, r#","stale":true"#),
        // Filled in: neither does it.
        sent("11:30:00", "13:00:00", 4, r#","origin":"backfill""#),
        sent("10:30:00.001", "10:30:01.001", 5, ""),
        // Late, twice; the second is above the first, but not above what was in order.
        sent("10:20:00", "10:31:00", 6, ""),
        sent("10:25:00", "10:31:00", 7, ""),
    ]);
    let engine = lake.engine();
    let lags: i64 = 1000 + 500 + 3_600_000 + 5_400_000 + 1000 + 660_000 + 360_000;
    let mean = format!("{:.3}", lags as f64 / 7000.0);
    // Gaps of 15, 5, 5, 5 minutes and a millisecond, an hour less that, and half an hour.
    for (gap, gaps) in [("900", 2), ("899", 3), ("300", 4), ("299", 6), ("3600", 0)] {
        assert_eq!(
            run(&engine, "data-quality", &[("gap", gap)], false).await,
            [format!("A,2026-11-20,7,{gaps},3599.999,2,1,{mean},5400")]
        );
    }
}
