//! Live quotes, from a Yahoo on this machine.

use crate::{
    fake_yahoo::{Fake, Reply, seconds},
    harness::{Ended, Home, Running, csv, numbers, summary},
};
use std::time::{Duration, Instant};

fn start(home: &Home, fake: &Fake, arguments: &[&str]) -> Running {
    let mut command = home.command([&["stream"], arguments].concat());
    command.env("STOCKPIPE_YAHOO_URL", fake.url());
    Running::start(command)
}

fn run(home: &Home, fake: &Fake, arguments: &[&str]) -> Ended {
    start(home, fake, arguments).end()
}

/// Would catch a default source that is not Yahoo, and any field that is read from the wrong place.
#[test]
fn quotes_come_as_the_market_made_them() {
    let home = Home::up();
    let at = seconds() - 60;
    let fake = Fake::start(move |symbol, before| Reply::chart(symbol, at + before as u64, "271.4900"));
    let ended = run(&home, &fake, &["AAPL", "msft", "--count", "2", "--interval", "1s", "--format", "json"]).expect(0);
    assert_eq!(numbers(&summary(&ended.stdout), ["sent", "stored", "archived", "stale", "late"]), [2, 2, 2, 0, 0]);
    let (header, rows) = csv(&home.ok(["latest", "--format", "csv"]));
    let expected = [
        "symbol,timestamp,price,open,high,low,volume,previous_close,change_percent,anomaly",
        "271.49,265.95,273.33000183,265.67,59030832,266.25,1.9681,false",
    ];
    assert_eq!(header.join(","), expected[0]);
    let symbols: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(symbols, ["AAPL", "MSFT"]);
    for row in &rows {
        assert_eq!(row[2..].join(","), expected[1]);
        assert!(row[1].ends_with(".000Z"), "{row:?}");
    }
    let marks = home.sql("SELECT DISTINCT source, origin, stale, currency FROM stock_data_table");
    assert_eq!(marks.trim(), "yahoo,live,false,USD");
    let heads = fake.asked();
    assert!(heads.iter().all(|a| a.head.contains("?range=1d&interval=1m&includePrePost=false HTTP/1.1")));
    assert!(heads.iter().all(|a| a.head.to_lowercase().contains("user-agent: mozilla/5.0")), "{heads:?}");
}

/// Would catch one symbol's mistake that stops the others, or is not said, or said at every poll.
#[test]
fn what_goes_wrong_for_one_symbol_is_said_once_and_the_others_go_on() {
    let home = Home::up();
    let at = seconds() - 60;
    let fake = Fake::start(move |symbol, before| match symbol {
        "NOPE" => Reply::unknown(),
        "TEXT" => Reply::chart(symbol, at, "\"271.49\""),
        _ => Reply::chart(symbol, at + before as u64, "271.49"),
    });
    let arguments = ["^GSPC", "NOPE", "TEXT", "EURUSD=X", "--count", "8", "--interval", "200ms", "--format", "json"];
    let ended = run(&home, &fake, &arguments).expect(5);
    let ended = ended.says(&[
        "no quote for 'NOPE' at yahoo: no data found, symbol may be delisted",
        "no quote for 'TEXT' at yahoo: `regularMarketPrice` is text",
        "hint: the other 2 symbols go on",
        "no quote came for 'TEXT'",
        "the source does not know 'NOPE'",
    ]);
    assert_eq!(numbers(&summary(&ended.stdout), ["sent", "stored"]), [8, 8]);
    assert_eq!(ended.stderr.matches("is text").count(), 1, "{}", ended.stderr);
    let asked = |symbol: &str| fake.asked().iter().filter(|a| a.symbol == symbol).count();
    assert!(asked("NOPE") == 1 && asked("TEXT") >= 3, "{:?}", fake.asked());
    assert!(fake.asked().iter().any(|a| a.head.starts_with("GET /v8/finance/chart/%5EGSPC?")));
}

/// Would catch that a script takes for success, or for something else, what no symbol was right of.
#[test]
fn nothing_known_ends_with_4_and_nothing_reached_with_1() {
    let home = Home::up();
    let fake = Fake::start(|_, _| Reply::unknown());
    let ended = run(&home, &fake, &["APPL", "BRK.B"]).expect(4);
    ended.says(&["none of the symbols: 'APPL', 'BRK.B'", "did you mean BRK-B?", "finance.yahoo.com/lookup"]);
    assert_eq!(fake.asked().len(), 2);

    let mut command = home.command(["stream", "AAPL", "--for", "1s"]);
    command.env("STOCKPIPE_YAHOO_URL", "http://127.0.0.1:1");
    let ended = Running::start(command).end().expect(1);
    ended.says(&["no quote for 'AAPL' at yahoo: the connection was refused", "no quote came for 'AAPL'"]);
}

/// Would catch a symbol that is needed and not asked for, or options that mean nothing here.
#[test]
fn wrong_usage_of_live_quotes_ends_with_2() {
    let home = Home::up();
    home.run(["stream"]).expect(2).says(&["yahoo needs at least one", "stockpipe stream AAPL MSFT"]);
    home.run(["stream", "AAPL", "--speed", "max"]).expect(2).says(&["--speed 'max'", "--interval"]);
    let mut command = home.command(["stream", "AAPL"]);
    command.env("STOCKPIPE_YAHOO_URL", "localhost:80");
    Running::start(command).end().expect(2).says(&["STOCKPIPE_YAHOO_URL 'localhost:80'", "http://localhost:8080"]);
}

/// Would catch a closed market that looks like a failure, or a Ctrl-C that waits for a slow answer or a long pause.
#[test]
fn a_closed_market_is_said_once_and_ctrl_c_waits_for_nobody() {
    let home = Home::up();
    let at = seconds() - 24 * 3600;
    let fake = Fake::start(move |symbol, _| match symbol {
        "SLOW" => Reply::chart(symbol, at, "1").after(Duration::from_secs(10)),
        _ => Reply::chart(symbol, at, "271.49"),
    });
    let mut running = start(&home, &fake, &["AAPL", "SLOW", "--interval", "100ms"]);
    running.until("five polls", |_| fake.asked().len() > 6);
    running.until("the note", |r| r.stderr().contains("no new quote for 'AAPL' since"));
    running.until("the quote", |r| r.stdout().contains("stale"));
    let stopped = Instant::now();
    running.signal("INT");
    let ended = running.end().expect(0).says(&["1 sent, 1 stored, 1 stale", "the market is probably closed"]);
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert_eq!(ended.stderr.matches("probably closed").count(), 1, "{}", ended.stderr);
    assert_eq!(home.sql("SELECT stale FROM stock_data_table").trim(), "true");
}
