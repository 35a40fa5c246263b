//! Several processes in one stack at once.

use crate::harness::{Home, csv, data, json_lines, number, numbers, replay_of, summary};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const EACH: u64 = 20_000;

/// Symbols of one's own, so that every quote is new.
fn stream(home: &Home, symbols: &[&str]) -> crate::harness::Running {
    let options = ["--source", "synthetic", "--speed", "max", "--count", "20000", "--format", "json", "--seed", "7"];
    home.start([&["stream"], symbols, &options].concat())
}

/// Every quote once in the table, and once for every query.
#[track_caller]
fn assert_each_once(home: &Home, quotes: u64) {
    assert_eq!(home.table_db("SELECT count(*) FROM quotes"), [[quotes.to_string()]]);
    let sql =
        "SELECT count(*) AS n, count(DISTINCT symbol || cast(\"timestamp\" AS varchar)) AS d FROM stock_data_table";
    assert_eq!(home.sql(sql), format!("{quotes},{quotes}\n"));
    let runs = home.table_db("SELECT sum(stored), sum(archived), sum(duplicates) FROM runs");
    assert_eq!(runs, [[quotes.to_string(), quotes.to_string(), "0".to_owned()]]);
}

/// Would catch two processes that store the same quotes, lose each other's, wait for each other for ever, or give a
/// reader half of something.
#[test]
fn many_processes_share_a_stack() {
    let home = Home::up();
    let mut follow = home.start(["signals", "--follow", "--format", "csv"]);
    follow.until("the first line", |f| f.stderr().contains("Following"));
    let mut streams = [stream(&home, &["A", "B", "C"]), stream(&home, &["X", "Y"])];
    let mut holders = BTreeSet::new();
    let started = Instant::now();
    let mut last = 0;
    while streams.iter_mut().any(|s| !s.has_ended()) && started.elapsed() < Duration::from_secs(60) {
        let status: serde_json::Value =
            serde_json::from_str(&home.ok(["status", "--format", "json"])).expect("a status");
        holders.extend(status["consumers"].as_str().map(str::to_owned));
        let stored = number(&status, "table_quotes");
        assert!(stored >= last, "the table shrank from {last} to {stored}");
        last = stored;
        let asked = home.run(["query", "--format", "csv", "--sql", "SELECT count(*) AS n FROM stock_data_table"]);
        asked.expect(0);
        home.run(["latest", "--format", "csv"]).expect(0);
    }
    let ids: BTreeSet<_> = streams.iter().map(|s| format!("process {}", s.id())).collect();
    for stream in streams {
        let sum = summary(&stream.end().expect(0).stdout);
        assert_eq!(numbers(&sum, ["sent", "stored", "archived", "lag"]), [EACH, EACH, EACH, 0], "{sum}");
    }
    // A question may hold the lease for a moment, between two streams.
    assert!(holders.is_empty() || holders.intersection(&ids).count() > 0, "{holders:?} of {ids:?}");
    assert_each_once(&home, 2 * EACH);

    let signals = home.ok(["signals", "--format", "csv"]);
    let (_, all) = csv(&signals);
    assert_eq!(home.ok(["query", "crossovers", "--all", "--format", "csv"]), signals);
    follow.until("all signals", |f| f.stdout().lines().count() > all.len());
    follow.signal("INT");
    let (header, mut followed) = csv(&follow.end().expect(0).stdout);
    assert_eq!(header.len(), 6);
    followed.sort();
    assert_eq!(followed, all, "what was followed is not what there is");
}

/// Would catch two holders of the lease at once, or a holder that was killed and keeps everybody waiting.
#[test]
fn another_one_takes_over_from_a_killed_holder() {
    let home = Home::up();
    let start = |symbol: &str| home.start(["stream", symbol, "--source", "synthetic", "--interval", "5ms"]);
    let holder = |home: &Home| -> Option<String> {
        let status: serde_json::Value = serde_json::from_str(&home.ok(["status", "--format", "json"])).unwrap();
        status["consumers"].as_str().map(str::to_owned)
    };
    let mut first = start("A");
    first.until("its quotes", |s| s.stdout().lines().count() > 3);
    assert_eq!(holder(&home), Some(format!("process {}", first.id())));
    let mut second = start("B");
    second.until("its quotes", |s| s.stdout().lines().count() > 3);
    assert_eq!(holder(&home), Some(format!("process {}", first.id())), "the lease went to the second one");

    first.signal("KILL");
    let killed = Instant::now();
    assert_eq!(first.end().code, None);
    let stored =
        || home.table_db("SELECT count(*) FROM quotes WHERE symbol = (SELECT id FROM symbols WHERE symbol = 'B')");
    let taken_over = |home: &Home, id: u32| holder(home) == Some(format!("process {id}"));
    let id = second.id();
    second.until("the lease", |_| taken_over(&home, id));
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    let before = stored();
    second.until("more quotes in the table", |_| stored() != before);
    second.signal("INT");
    second.end().expect(0);

    let log = home.stack().join("stream.db");
    let sent: u64 = crate::harness::rows(&log, "SELECT sum(quotes) FROM log").concat().concat().parse().unwrap();
    assert_eq!(home.table_db("SELECT count(*) FROM quotes"), [[sent.to_string()]]);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), format!("{sent}\n"));
    assert_eq!(home.ok(["query", "crossovers", "--all", "--format", "csv"]), home.ok(["signals", "--format", "csv"]));
}

/// Would catch a replay of the same file by two processes at once that stores a quote twice, or raises a signal twice.
#[test]
fn the_same_file_twice_at_once_counts_once() {
    let home = Home::up();
    let source = replay_of(&data("daily_IBM_2008-2013.csv"));
    let both = [(); 2].map(|()| home.start(["stream", "--source", &source, "--format", "json"]));
    let sums = both.map(|s| numbers(&summary(&s.end().expect(0).stdout), ["stored", "duplicates", "late", "signals"]));
    assert_eq!(sums[0][0] + sums[1][0], 1300, "{sums:?}");
    assert_eq!(sums[0][1] + sums[1][1], 1300, "{sums:?}");
    assert_eq!(home.table_db("SELECT count(*) FROM quotes"), [["1300"]]);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "1300\n");
}

/// Would catch a question that answers from before what was acknowledged, when nobody runs the consumers.
#[test]
fn a_question_first_takes_what_waits() {
    let home = Home::up();
    let mut stream = home.start(["stream", "--source", "replay:-", "--acks"]);
    let lines = json_lines("A", (0..40).map(|n| 200 - 3 * n).chain((0..40).map(|n| 90 + 4 * n)), "");
    std::io::Write::write_all(stream.input(), lines.as_bytes()).unwrap();
    stream.until("an acknowledgement of the last", |s| s.stdout().contains("2014-03-24"));
    stream.signal("KILL");
    stream.end();
    // The lake has nothing yet: it is written at the end of a run, or when somebody asks.
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "80\n");
    assert_eq!(home.ok(["signals", "--format", "csv"]).lines().count(), 2);
    let status: serde_json::Value = serde_json::from_str(&home.ok(["status", "--format", "json"])).unwrap();
    assert_eq!(numbers(&status, ["lag", "lag_archive"]), [0, 0]);
}
