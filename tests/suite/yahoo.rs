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

    let mut command = home.command(["stream", "AAPL", "--for", "3s"]);
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
    // Yahoo itself is not asked more often than is polite.
    let ended = home.run(["stream", "AAPL", "--interval", "999ms"]).expect(2);
    ended.says(&["--interval 999 ms: Yahoo is a public service", "at most once a second", "hint: --interval 30s"]);
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

/// Would catch what grows with every poll: a connection, a file or a thread that is not given back.
#[test]
#[cfg(target_os = "linux")]
fn hundreds_of_polls_take_no_more_than_the_first() {
    let home = Home::up();
    let at = seconds() - 60;
    let fake = Fake::start(move |symbol, before| match (symbol, before) {
        ("A", 60 | 120) => Reply::none(),
        ("B", 80..90) => Reply::unknown(),
        _ => Reply::chart(symbol, at, "271.49"),
    });
    let mut running = start(&home, &fake, &["A", "B", "C", "D", "--interval", "10ms", "--format", "json"]);
    let entries = |running: &Running, of: &str| {
        let folder = std::fs::read_dir(format!("/proc/{}/{of}", running.id())).expect("a process");
        folder.flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let sockets = |running: &Running| {
        let links = entries(running, "fd").into_iter().filter_map(|path| std::fs::read_link(path).ok());
        links.filter(|to| to.to_string_lossy().starts_with("socket:")).count()
    };
    let threads = |running: &Running| {
        let names =
            entries(running, "task").into_iter().filter_map(|path| std::fs::read_to_string(path.join("comm")).ok());
        names.filter(|name| name.trim() == "yahoo").count()
    };
    let asked = || fake.asked().iter().filter(|asked| asked.symbol == "A").count();
    running.until("the first polls", |_| asked() >= 40);
    let (sockets_before, threads_before) = (sockets(&running), threads(&running));
    assert!(sockets_before >= 1 && threads_before >= 1, "{sockets_before} {threads_before}");
    running.until("hundreds of polls", |_| asked() >= 300);
    running.until("no more sockets", |r| sockets(r) <= sockets_before.max(4 + 2));
    running.until("no more threads", |r| threads(r) <= threads_before);
    // Four at first; after each that was cut all are made anew.
    assert!(fake.connections() <= 3 * 4, "{}", fake.connections());
    running.signal("INT");
    let ended = running.end().expect(0);
    assert_eq!(numbers(&summary(&ended.stdout), ["sent", "stored"]), [4, 4]);
}

/// Would catch a proxy that is passed by, and a failure of the proxy's that is blamed on Yahoo.
#[test]
fn a_proxy_of_the_environment_is_used() {
    let home = Home::up();
    let at = seconds() - 60;
    let proxy = Fake::start(move |symbol, before| match symbol {
        "AAPL" => Reply::chart(symbol, at + before as u64, "271.49"),
        _ => Reply::new(403, "no way"),
    });
    let run = |name: &str, arguments: &[&str], more: &[(&str, &str)]| {
        let mut command = home.command([&["stream"], arguments].concat());
        command.env(name, proxy.url()).envs(more.iter().copied());
        Running::start(command).end()
    };
    let url = ("STOCKPIPE_YAHOO_URL", "http://charts.invalid");
    run("HTTP_PROXY", &["AAPL", "--count", "1"], &[url]).expect(0);
    assert!(proxy.asked()[0].head.starts_with("GET http://charts.invalid/v8/finance/chart/AAPL?"));
    let ended = run("HTTP_PROXY", &["AAPL", "--for", "3s"], &[url, ("NO_PROXY", "charts.invalid")]).expect(1);
    ended.says(&["no quote for 'AAPL' at yahoo: its name cannot be looked up"]);
    // What is secure goes through a tunnel, which this one refuses.
    let ended = run("HTTPS_PROXY", &["AAPL", "--for", "3s"], &[]).expect(1);
    ended.says(&["no quote for 'AAPL' at yahoo: ", "by way of the proxy", "no quote came for 'AAPL'"]);
    assert!(proxy.asked().iter().any(|asked| asked.head.starts_with("CONNECT query1.finance.yahoo.com:443 ")));
}

/// Would catch a machine without certificates that fails without a word of what to do.
#[test]
#[cfg(target_os = "linux")]
fn without_certificates_it_says_what_is_missing() {
    let home = Home::up();
    let start = |url: &str| {
        let mut command = home.command(["stream", "AAPL", "--for", "3s"]);
        command.env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere").env("STOCKPIPE_YAHOO_URL", url);
        Running::start(command).end().expect(1)
    };
    start("").says(&["yahoo: no secure connection can be made (No CA certificates", "hint: install", "SSL_CERT_FILE"]);
    // Who needs none is not asked for any.
    start("http://127.0.0.1:1").says(&["the connection was refused"]);
}
