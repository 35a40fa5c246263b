//! What is printed: data on standard output, exact and nothing else, to readers that may go away.

use crate::harness::{Home, Running, csv, data, json_lines, replay_of};
use std::{
    io::{self, BufRead, BufReader},
    process::{Command, Stdio},
};

fn filled() -> Home {
    let home = Home::up();
    home.replay(&data("daily_FB_2012-2013.csv"));
    home
}

const QUESTIONS: [&[&str]; 6] = [
    &["latest"],
    &["signals"],
    &["query"],
    &["query", "daily-trend", "--all"],
    &["query", "crossovers", "--all"],
    &["query", "--sql", "SELECT * FROM stock_data_table ORDER BY \"timestamp\" LIMIT 3"],
];

/// Would catch a number that loses digits or gains zeros, a null that looks like a value, columns in another order.
#[test]
fn csv_and_json_are_exact() {
    let home = Home::up();
    let quotes = concat!(
        r#"{"symbol":"A-1","timestamp":"2014-01-02T03:04:05.678901Z","price":0.00000001,"volume":0.5,"currency":"U\"S,D"}"#,
        "\n",
        r#"{"symbol":"B","timestamp":"2014-01-02T03:04:05+02:00","price":9999999999.99999999,"open":1.10,"high":1e1,"low":1,"volume":99999999999999999999.99999999,"previous_close":3}"#,
        "\n",
        r#"{"symbol":"C","timestamp":"2014-01-02T00:00:00Z","price":105.25,"previous_close":100}"#,
    );
    let file = home.write("quotes.jsonl", quotes);
    home.replay(&file);
    assert_eq!(
        home.ok(["latest", "--format", "csv"]),
        "symbol,timestamp,price,open,high,low,volume,previous_close,change_percent,anomaly\n\
         A-1,2014-01-02T03:04:05.678Z,0.00000001,,,,0.5,,,false\n\
         B,2014-01-02T01:04:05.000Z,9999999999.99999999,1.1,10,1,99999999999999999999.99999999,3,333333333233.3333,true\n\
         C,2014-01-02T00:00:00.000Z,105.25,,,,,100,5.25,true\n"
    );
    assert_eq!(
        home.ok(["latest", "B", "A-1", "--format", "json"]),
        r#"[
{"symbol":"A-1","timestamp":"2014-01-02T03:04:05.678Z","price":0.00000001,"open":null,"high":null,"low":null,"volume":0.5,"previous_close":null,"change_percent":null,"anomaly":false},
{"symbol":"B","timestamp":"2014-01-02T01:04:05.000Z","price":9999999999.99999999,"open":1.1,"high":10,"low":1,"volume":99999999999999999999.99999999,"previous_close":3,"change_percent":333333333233.3333,"anomaly":true}
]
"#
    );
    let lake = home.ok([
        "query",
        "--format",
        "csv",
        "--sql",
        "SELECT symbol, currency, price, volume, source, origin, stale, dt FROM stock_data_table ORDER BY symbol",
    ]);
    assert_eq!(
        lake,
        "symbol,currency,price,volume,source,origin,stale,dt\n\
         A-1,\"U\"\"S,D\",0.00000001,0.5,replay:quotes.jsonl,replay,false,2014-01-02\n\
         B,,9999999999.99999999,99999999999999999999.99999999,replay:quotes.jsonl,replay,false,2014-01-02\n\
         C,,105.25,,replay:quotes.jsonl,replay,false,2014-01-02\n"
    );
}

/// Would catch that one format has other rows than another, or that something else gets among the data.
#[test]
fn every_answer_is_the_same_in_csv_and_json() {
    let home = filled();
    for question in QUESTIONS {
        let of = |format: &str| home.ok([question, &["--format", format]].concat());
        let (header, rows) = csv(&of("csv"));
        let objects: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&of("json")).unwrap();
        assert_eq!(objects.len(), rows.len(), "{question:?}");
        for (object, row) in objects.iter().zip(&rows) {
            assert_eq!(object.len(), header.len(), "{question:?}");
            for (name, cell) in header.iter().zip(row) {
                match &object[name] {
                    serde_json::Value::Null => assert_eq!(cell, "", "{question:?} {name}"),
                    serde_json::Value::String(text) => assert_eq!(text, cell, "{question:?} {name}"),
                    // The number is compared as such: a reader may write it otherwise.
                    serde_json::Value::Number(n) => assert_eq!(n.as_f64(), cell.parse().ok(), "{question:?} {name}"),
                    other => assert_eq!(&other.to_string(), cell, "{question:?} {name}"),
                }
            }
        }
    }
    let empty = Home::up();
    for question in [["latest"].as_slice(), &["signals"], &["query", "daily-trend"], &["query", "crossovers", "--all"]]
    {
        let of = |format: &str| empty.ok([question, &["--format", format]].concat());
        assert_eq!(of("csv").lines().count(), 1, "{question:?}");
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&of("json")).unwrap().len(), 0, "{question:?}");
    }
}

/// Would catch an error, a panic or an endless run where the reader has seen enough.
#[test]
fn a_reader_may_go_away() {
    let home = filled();
    let source = replay_of(&data("daily_IBM_2008-2013.csv"));
    let alerting = replay_of(&data("daily_GOOG_2008-2013.csv"));
    // More than a pipe holds, so that the binary notices.
    let rows = "SELECT a.symbol, a.\"timestamp\", b.price FROM stock_data_table a CROSS JOIN stock_data_table b";
    for (arguments, lines) in [
        (["query", "--format", "csv", "--sql", rows].as_slice(), 1),
        (&["query", "--format", "json", "--sql", rows], 1),
        (&["query", "--sql", rows], 1),
        (&["query", "daily-trend", "--all"], 0),
        (&["query", "daily-trend", "--all", "--format", "csv"], 0),
        (&["signals"], 0),
        (&["signals", "--format", "json"], 0),
        (&["latest"], 0),
        (&["status"], 0),
        (&["status", "--format", "json"], 0),
        (&["status", "--watch"], 1),
        (&["signals", "--follow", "--format", "csv"], 0),
        (&["tail"], 0),
        (&["tail", "--format", "json"], 0),
        (&["tail", "--format", "csv"], 0),
        (&["replay", "--list", "--format", "csv"], 0),
        (&["--help"], 0),
        (&["stream", "--source", "synthetic:5", "--interval", "10ms"], 1),
        (&["stream", "--source", "synthetic:5", "--speed", "max", "--count", "100000", "--acks"], 1),
        (&["stream", "--source", &source, "--format", "json"], 0),
        (&["stream", "--source", &alerting, "--alerts"], 1),
    ] {
        let (reader, writer) = io::pipe().unwrap();
        let mut reader = Some(BufReader::new(reader));
        if lines == 0 {
            // Gone before the first word.
            reader = None;
        }
        let mut command = home.command(arguments);
        command.stdout(writer);
        let child = command.spawn().unwrap();
        // With it goes the last writer's end that is ours.
        drop(command);
        for _ in 0..lines {
            let read = reader.as_mut().map(|r| r.read_line(&mut String::new()).unwrap());
            assert!(read > Some(0), "{arguments:?}");
        }
        drop(reader);
        let ended = Running::of(child).end().expect(0);
        for word in ["error", "panicked", "Broken pipe"] {
            assert!(!ended.stderr.contains(word), "{arguments:?}: {}", ended.stderr);
        }
    }
    // What was sent before the reader went is stored.
    let waiting: serde_json::Value = serde_json::from_str(&home.ok(["status", "--format", "json"])).unwrap();
    assert_eq!((&waiting["lag"], &waiting["lag_archive"]), (&0.into(), &0.into()));
}

/// Would catch escape characters in a file or a log, or text of others that a terminal would obey.
#[test]
fn pipes_get_no_escape_characters() {
    let home = filled();
    let file = home.write("odd.jsonl", format!("\x1b[31mred\n{}", json_lines("A", 1..=30, "")));
    let source = replay_of(&file);
    let mut commands: Vec<Vec<&str>> = QUESTIONS.map(<[&str]>::to_vec).to_vec();
    commands.extend([
        vec!["stream", "--source", &source, "--alerts"],
        vec!["stream", "--source", "synthetic:2", "--interval", "10ms", "--count", "20"],
        vec!["status"],
        vec!["up", "--raw", "off"],
        vec!["query", "daily-trend", "-p", "symbol=FB", "--chart"],
        vec!["query", "da\x1b[31m"],
        vec!["latest", "\x1b]0;x\x07"],
        vec!["stream", "--source", "\x1b[31m"],
        vec!["latest", "FBX"],
        vec!["no-such-command\x1b[31m"],
        vec!["--help"],
        vec!["down"],
    ]);
    for command in &commands {
        for environment in [&[("TERM", "xterm-256color")][..], &[("NO_COLOR", "1"), ("CLICOLOR", "1")]] {
            let mut run = home.command(command);
            run.envs(environment.iter().copied());
            let ended = Running::start(run).end();
            for text in [&ended.stdout, &ended.stderr] {
                assert!(!text.contains('\x1b') && !text.contains('\x07'), "{command:?}: {text:?}");
            }
        }
    }
}

/// Would catch a table that breaks its lines on a narrow terminal, or is cut where there is room.
#[test]
fn tables_fit_the_terminal() {
    let exists = Command::new("sh").args(["-c", "command -v script && command -v stty"]).stdout(Stdio::null()).status();
    if !exists.is_ok_and(|status| status.success()) {
        eprintln!("skipped: `script` is not there to make a terminal");
        return;
    }
    let home = filled();
    for columns in [40, 80, 160] {
        for command in ["latest", "query daily-trend", "signals", "query daily-trend --chart", "status", "query"] {
            let binary = env!("CARGO_BIN_EXE_stockpipe");
            let inner = format!("stty cols {columns} rows 40; '{binary}' {command} 2>/dev/null");
            let mut run = Command::new("script");
            run.args(["-qec", &inner, "/dev/null"]).env_clear().env("STOCKPIPE_HOME", home.home());
            run.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("NO_COLOR", "1").env("SHELL", "/bin/sh");
            run.current_dir(home.work()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let shown = Running::start(run).end().expect(0).stdout;
            let widest = shown.lines().map(|l| l.trim_end_matches('\r').chars().count()).max().unwrap_or(0);
            // The folder's path is shown whole, for it is there to be copied.
            let path = usize::from(command == "status") * home.stack().display().to_string().len();
            assert!(widest <= columns.max(path + 40), "{command} at {columns} is {widest} wide:\n{shown}");
            assert!(!shown.contains('\x1b'), "{command}: {shown:?}");
            if columns == 160 && command == "latest" {
                assert!(shown.contains("2013-03-01") && !shown.contains('…'), "{shown}");
            }
        }
    }
}
