//! The exit codes, on the binary: scripts rely on each.

use crate::harness::{Home, data, json_lines, numbers, replay_of, summary};
use std::{fs, io::Write, time::Duration};

/// Would catch a failure that looks like success to a script, or like wrong usage.
#[test]
fn what_fails_ends_with_1() {
    // A file where the folder for stacks should be: nobody can write there, not even root.
    let home = Home::new();
    let file = home.write("file", "");
    let mut command = home.command(["up"]);
    command.env("STOCKPIPE_HOME", &file);
    crate::harness::Running::start(command).end().expect(1).says(&["cannot be made", "file/stockpipe"]);

    for (database, command) in [
        ("table.db", ["status"].as_slice()),
        ("table.db", &["up"]),
        ("table.db", &["latest"]),
        ("table.db", &["signals"]),
        ("table.db", &["query", "daily-trend"]),
        ("table.db", &["stream", "--source", "synthetic", "--count", "1"]),
        ("table.db", &["down", "--keep-data", "--yes"]),
        ("stream.db", &["status"]),
        ("stream.db", &["stream", "--source", "synthetic", "--count", "1"]),
    ] {
        let home = Home::up();
        for name in [format!("{database}-wal"), format!("{database}-shm")] {
            let _ = fs::remove_file(home.stack().join(name));
        }
        fs::write(home.stack().join(database), "no database").unwrap();
        let failed = home.run(command).expect(1).says(&["error:", database, "hint:", "stockpipe down"]);
        assert_eq!(failed.stdout, "", "{command:?}");
    }
}

/// Would catch a hint that leads nowhere: what is damaged has to be removable by the command that the error names.
#[test]
fn what_is_damaged_can_be_taken_down() {
    for damage in [Some("no database"), None] {
        let home = Home::up();
        let table = home.stack().join("table.db");
        match damage {
            Some(text) => fs::write(&table, text).unwrap(),
            None => fs::remove_file(&table).unwrap(),
        }
        home.run(["status"]).expect(1).says(&["stockpipe down"]);
        home.run(["down"]).expect(3).says(&["--yes"]);
        home.run(["down", "--yes"]).expect(0).says(&["Nothing of stack 'stockpipe' is left"]);
        assert!(!home.stack().exists());
        home.ok(["up"]);
        home.ok(["status"]);
    }
}

/// Would catch a mistyped option that is taken for something else, or fails only after it has begun.
#[test]
fn wrong_usage_ends_with_2() {
    let home = Home::up();
    let before = home.files();
    for (arguments, says) in [
        ([].as_slice(), "Usage: stockpipe"),
        (&["--no-such-flag"], "unexpected argument '--no-such-flag'"),
        (&["upp"], "unrecognized subcommand 'upp'"),
        (&["stream"], "stockpipe stream AAPL MSFT"),
        (&["stream", "--source", "csv:a"], "--source 'csv:a': not a source"),
        (&["stream", "--source", "synthetic:0"], "--source 'synthetic:0': not a source"),
        (&["stream", "--source", "synthetic", "--speed", "fast"], "--speed 'fast': not max, realtime"),
        (&["stream", "--source", "synthetic", "--speed", "0x"], "--speed '0x'"),
        (&["stream", "--source", "synthetic", "--interval", "soon"], "--interval 'soon': not a duration"),
        (&["stream", "--source", "synthetic", "--interval", "0s"], "--interval '0s'"),
        (&["stream", "--source", "synthetic", "--for", "ever"], "--for 'ever'"),
        (&["stream", "--source", "synthetic", "--start", "now"], "--start 'now'"),
        (&["stream", "--source", "synthetic", "--count", "many"], "--count"),
        (&["stream", "--source", "synthetic", "A/B"], "'A/B' is no symbol"),
        (&["latest", "../x"], "'../x' is no symbol"),
        (&["signals", "--since", "yesterday"], "--since 'yesterday'"),
        (&["tail", "--since", "yesterday"], "--since 'yesterday'"),
        (&["tail", "--last", "few"], "--last"),
        (&["replay"], "<--list|--set-aside|--failed-batches|--from <PLACE>>"),
        (&["replay", "--failed-batches", "AAPL"], "cannot be used with"),
        (&["replay", "AAPL"], "<--list|--set-aside|--failed-batches|--from <PLACE>>"),
        (&["replay", "--set-aside", "--id", "4-"], "--id '4-'"),
        (&["replay", "--set-aside", "--from", "1"], "cannot be used with"),
        (&["replay", "--set-aside", "--alerts"], "cannot be used with"),
        (&["replay", "--from", "then"], "--from 'then'"),
        (&["replay", "--from", "1", "--to", "soon"], "--to 'soon'"),
        (&["replay", "--to", "1"], "--from <PLACE>"),
        (&["replay", "--list", "--again"], "cannot be used with"),
        (&["up", "--raw", "some"], "raw 'some': not symbol, batch or off"),
        (&["up", "--retention", "long"], "retention 'long'"),
        (&["up", "--anomaly-percent", "0"], "anomaly percent '0'"),
        (&["up", "--anomaly-percent", "five"], "anomaly percent 'five'"),
        (&["up", "--stack", "Upper"], "'Upper' is no name for a stack"),
        (&["up", "--stack", "../x"], "'../x' is no name for a stack"),
        (&["up", "--stack", "a-name-longer-than-20"], "is no name for a stack"),
        (&["up", "--target", "moon"], "'moon'"),
        (&["latest", "--format", "xml"], "'xml'"),
        (&["query", "daily-trend", "-p", "symbol"], "'symbol' is not of the form name=value"),
        (&["query", "daily-trend", "-p", "day=1"], "no parameter `day`"),
        (&["query", "daily-trend", "-p", "from=soon"], "`soon` is no date"),
        (&["query", "--sql", "SELEC 1"], "the query failed"),
        (&["query", "--sql", "SELECT nothing FROM stock_data_table"], "nothing"),
        (&["query", "--sql", "DELETE FROM stock_data_table"], "can only read"),
        (&["query", "--file", "no.sql"], "'no.sql' cannot be read"),
        (&["query", "daily-trend", "--sql", "SELECT 1"], "cannot be used with"),
    ] {
        let ended = home.run(arguments).expect(2).says(&[says]);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    assert_eq!(home.files(), before, "wrong usage changed something");
}

/// Would catch a prompt where nobody can answer: a script would hang, or lose its data.
#[test]
fn what_is_not_confirmed_ends_with_3() {
    let home = Home::up();
    home.replay(&data("daily_FB_2012-2013.csv"));
    let before = home.table_db("SELECT count(*) FROM quotes");
    // Whoever pipes the name in is no terminal either.
    for ended in [home.run(["down"]), home.run(["down", "--keep-data"]), home.run_with(["down"], b"stockpipe\n")] {
        ended.expect(3).says(&["nothing was removed", "--yes"]);
    }
    assert_eq!(home.table_db("SELECT count(*) FROM quotes"), before);
    home.run(["down", "--keep-data", "--yes"]).expect(0);
    home.run(["down"]).expect(3).says(&["--yes"]);
    assert!(home.stack().join("table.db").exists());
}

/// Would catch an empty answer where the question was about nothing that there is.
#[test]
fn what_is_not_there_ends_with_4() {
    let home = Home::new();
    for arguments in [
        ["latest"].as_slice(),
        &["signals"],
        &["signals", "--follow"],
        &["status"],
        &["status", "--watch"],
        &["tail"],
        &["tail", "--no-follow"],
        &["replay", "--list"],
        &["replay", "--set-aside", "--yes"],
        &["replay", "--from", "1", "--yes"],
        &["query", "daily-trend"],
        &["query", "--sql", "SELECT 1"],
        &["stream", "--source", "synthetic", "--count", "1"],
    ] {
        let ended = home.run(arguments).expect(4).says(&["there is no local stack 'stockpipe'", "stockpipe up"]);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    home.run(["latest", "--stack", "other"]).expect(4).says(&["'other'", "stockpipe up --stack other"]);
    assert_eq!(home.files(), ["home", "tmp", "work"], "asking made something");

    home.ok(["up"]);
    home.run(["latest", "AAPL"]).expect(4).says(&["'AAPL'", "nothing was streamed yet"]);
    home.replay(&data("daily_FB_2012-2013.csv"));
    home.run(["latest", "FBB", "AAPL"]).expect(4).says(&["'FBB', 'AAPL'", "did you mean FB?"]);
    home.run(["signals", "XXXX"]).expect(4).says(&["'XXXX'", "it has FB"]);
    home.run(["query", "daily-trendy"]).expect(4).says(&["no saved query `daily-trendy`", "did you mean daily-trend?"]);
}

/// Would catch that the symbols that are there are withheld for one that is not, or that nobody is told of it.
#[test]
fn some_unknown_symbols_end_with_5() {
    let home = Home::up();
    home.replay(&data("daily_FB_2012-2013.csv"));
    for command in ["latest", "signals"] {
        let all = home.ok([command, "FB", "--format", "csv"]);
        let some = home.run([command, "FB", "FBX", "--format", "csv"]).expect(5).says(&["'FBX'", "did you mean FB?"]);
        assert_eq!(some.stdout, all);
    }
}

/// Would catch a source that cannot be read being taken for an empty one.
#[test]
fn a_source_that_is_not_there_fails() {
    let home = Home::up();
    home.run(["stream", "--source", "replay:no.csv"]).expect(1).says(&["no.csv: no such file"]);
    home.run(["stream", "--source", "replay:."]).expect(1).says(&["is a folder"]);
}

/// Would catch a Ctrl-C that loses what was sent, or waits for a pipe that gives nothing more.
#[test]
fn the_first_interrupt_drains_and_ends_with_0() {
    for signal in ["INT", "TERM"] {
        let home = Home::up();
        let mut stream = home.start(["stream", "--source", "replay:-", "--acks", "--format", "json"]);
        stream.input().write_all(json_lines("A", 1..=30, "").as_bytes()).unwrap();
        let acked = |stdout: &str| -> u64 {
            let counts = stdout.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
            counts.filter_map(|ack| ack["count"].as_u64()).sum()
        };
        stream.until("30 acknowledgements", |s| acked(&s.stdout()) == 30);
        stream.signal(signal);
        let ended = stream.end().expect(0).says(&["drained", "30 stored"]);
        let sum = summary(&ended.stdout);
        assert_eq!(numbers(&sum, ["stored", "archived", "lag"]), [30, 30, 0]);
    }
    let home = Home::up();
    let mut stream = home.start(["stream", "--source", "synthetic:5", "--interval", "10ms"]);
    stream.until("a quote", |s| s.stdout().lines().count() > 10);
    stream.signal("INT");
    stream.end().expect(0).says(&["drained"]);
    assert_eq!(home.table_db("SELECT (SELECT count(*) FROM quotes) = (SELECT sum(quotes) FROM runs)"), [["1"]]);
}

/// Would catch a count from before the last acknowledgement, where the source still blocks at the end.
#[test]
fn what_a_blocked_source_gave_is_counted_as_sent() {
    let home = Home::up();
    let mut stream = home.start(["stream", "--source", "replay:-", "--acks", "--format", "json"]);
    stream.input().write_all(json_lines("A", 1..=30, "").as_bytes()).unwrap();
    stream.until("the last acknowledgement", |s| s.stdout().contains("2014-02-02"));
    stream.signal("INT");
    let ended = stream.end().expect(0);
    assert_eq!(numbers(&summary(&ended.stdout), ["sent", "stored"]), [30, 30], "{}", ended.stderr);
}

/// Would catch a second Ctrl-C that waits as well, or is not noticed because it comes so soon.
#[test]
fn the_second_interrupt_ends_at_once_with_130() {
    for pause in ["", "sleep 0.02;", "sleep 0.2;"] {
        let home = Home::up();
        let mut stream = home.start(["stream", "--source", "replay:-"]);
        stream.until("its first line", |s| s.stderr().contains("Ctrl-C stops"));
        let id = stream.id();
        // Without a pause the two may become one, and that one drains.
        let script = format!("kill -INT {id}; {pause} kill -INT {id}");
        assert!(std::process::Command::new("sh").args(["-c", &script]).status().unwrap().success());
        if pause.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
            stream.signal("INT");
        }
        stream.end().expect(130).says(&["interrupted at once", "durable"]);
    }
}

/// Would catch that `--count` or `--for` end with anything but success, or early.
#[test]
fn a_limited_stream_ends_with_0() {
    let home = Home::up();
    let of = |arguments: &[&str]| summary(&home.ok([&["stream", "--format", "json"], arguments].concat()));
    assert_eq!(of(&["--source", "synthetic:3", "--speed", "max", "--count", "1000"])["sent"], 1000);
    let file = data("daily_FB_2012-2013.csv");
    assert_eq!(of(&["--source", &replay_of(&file), "--count", "7"])["stored"], 7);
    let started = std::time::Instant::now();
    let sent = of(&["--source", "synthetic:1", "--interval", "100ms", "--for", "1s"])["sent"].as_u64();
    assert!(started.elapsed() >= Duration::from_secs(1) && sent.is_some_and(|n| (5..=11).contains(&n)), "{sent:?}");
}
