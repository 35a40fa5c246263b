//! What can never be a quote: set aside with its reason and its bytes, while everything around it goes on.

use crate::harness::{Home, json_lines, numbers};
use std::path::PathBuf;

/// A line, why it is set aside, and whether it goes onto the stream as it is: what is wrong only when it arrives has
/// been read as a quote before, and carries the marks of the replay.
pub fn bad_lines() -> Vec<(Vec<u8>, &'static str, bool)> {
    let time = "2014-01-01T21:00:00Z";
    let quote = |symbol: &str, timestamp: &str, price: &str| {
        format!(r#"{{"symbol":"{symbol}","timestamp":"{timestamp}","price":{price}}}"#).into_bytes()
    };
    let mut padded = br#"{"symbol":"A","timestamp":""#.to_vec();
    padded.resize(1 << 20, b'x');
    vec![
        (b"rubbish".to_vec(), "not a JSON object: it does not begin with `{`", true),
        (b"{\"symbol\":\"A\",".to_vec(), "not a JSON object", true),
        (b"[\"A\",1]".to_vec(), "not a JSON object", true),
        (format!(r#"{{"timestamp":"{time}","price":1}}"#).into_bytes(), "symbol: missing", true),
        (quote("", time, "1"), "symbol: not 1 to 32", true),
        (quote("../x", time, "1"), "symbol: not 1 to 32", true),
        (quote("..", time, "1"), "symbol: not 1 to 32", true),
        (quote("/etc/x", time, "1"), "symbol: not 1 to 32", true),
        (quote("A\\u0007", time, "1"), "symbol: not 1 to 32", true),
        (quote(&"X".repeat(300), time, "1"), "symbol: not 1 to 32", true),
        (quote("A", time, "NaN"), "not a JSON object", true),
        (quote("A", time, "\"1\""), "price: not a number", true),
        (quote("A", time, "null"), "price: missing", true),
        (quote("A", time, "-1"), "price: negative", true),
        (quote("A", time, "0"), "price: not above zero", true),
        (quote("A", time, "1e300"), "price: too large", true),
        (quote("A", time, "10000000000"), "price: too large", true),
        (quote("A", time, "1.123456789"), "price: more than 8 decimal places", true),
        (quote("A", "20 November", "1"), "timestamp: not a time", true),
        (quote("A", "2014-02-30T00:00:00Z", "1"), "timestamp: not a time", true),
        (quote("A", "1999-12-31T23:59:59.999Z", "1"), "timestamp: before 2000-01-01", true),
        (quote("A", "2999-01-01T00:00:00Z", "1"), "timestamp: more than 5 minutes after its arrival", false),
        (b"{\"symbol\":\"A\",\"timestamp\":\"\x01\"}".to_vec(), "not a JSON object: control character", true),
        (b"\x1b[2J\x07\x08".to_vec(), "not a JSON object", true),
        (b"{\"symbol\":\"\xff\xfe\"}".to_vec(), "not UTF-8", true),
        (b"\xc3\x28".to_vec(), "not UTF-8", true),
        (vec![b'x'; 1 << 20], "not a JSON object", true),
        (padded, "not a JSON object", true),
    ]
}

fn good_lines() -> Vec<String> {
    let prices = (0..25).map(|n| 100 - n).chain((0..25).map(|n| 80 + 2 * n));
    json_lines("A", prices, "").lines().map(str::to_owned).collect()
}

/// Lines with the bad ones before the good one of this number.
fn mixed(good: &[String], at: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0..=good.len() {
        if number == at {
            bad_lines().iter().for_each(|(bytes, _, _)| text.extend([bytes, b"\n".as_slice()].concat()));
        }
        if let Some(line) = good.get(number) {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
    }
    text
}

/// Would catch a bad line that stops the rest, is lost, is reported as something else, changes what the quotes around
/// it mean, or whose symbol becomes a path.
#[test]
fn bad_lines_are_set_aside_wherever_they_stand() {
    let good = good_lines();
    let alone = Home::up();
    let file = alone.write("good.jsonl", good.join("\n"));
    assert_eq!(numbers(&alone.replay(&file), ["stored", "set_aside", "signals"]), [50, 0, 1]);
    let signals = |home: &Home| home.ok(["signals", "--format", "csv"]);

    let bad = bad_lines();
    for at in [0, 30, good.len()] {
        let home = Home::up();
        let file = home.write("mixed.jsonl", mixed(&good, at));
        let outside = |home: &Home| -> Vec<String> {
            let inside = |f: &String| f.starts_with("home/stockpipe/");
            home.files().into_iter().filter(|f| !inside(f)).collect()
        };
        let before = outside(&home);
        let sum = home.replay(&file);
        let all = good.len() + bad.len();
        assert_eq!(
            numbers(&sum, ["sent", "stored", "set_aside", "archived", "lag"]),
            [all as u64, 50, bad.len() as u64, 50, 0],
            "{at}"
        );
        assert_eq!(signals(&home), signals(&alone), "{at}");
        assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "50\n");
        assert_eq!(outside(&home), before, "{at}");
        let kept = home.table_db("SELECT reason, length(bytes), hex(substr(bytes, 1, 2000)) FROM set_aside");
        assert_eq!(kept.len(), bad.len(), "{at}");
        for (kept, (bytes, why, as_it_is)) in kept.iter().zip(&bad) {
            assert!(kept[0].starts_with(why), "{why} expected: {}", kept[0]);
            if *as_it_is {
                let hex: String = bytes.iter().take(2000).map(|b| format!("{b:02X}")).collect();
                assert_eq!((&kept[1], &kept[2]), (&bytes.len().to_string(), &hex), "{why}");
            }
        }
        let aside = home.ok(["status", "--format", "json"]);
        let status: serde_json::Value = serde_json::from_str(&aside).unwrap();
        assert_eq!(numbers(&status, ["set_aside", "table_quotes", "lag", "lag_archive"]), [bad.len() as u64, 50, 0, 0]);

        // The same again is set aside again, and changes nothing.
        let again = home.replay(&file);
        assert_eq!(numbers(&again, ["stored", "duplicates", "set_aside"]), [0, 50, bad.len() as u64], "{at}");
        assert_eq!(signals(&home), signals(&alone), "{at}");
    }
}

/// Would catch that one file of nothing but rubbish ends the run, or is taken for an empty one.
#[test]
fn nothing_but_rubbish_is_all_set_aside() {
    let home = Home::up();
    let file =
        home.write("rubbish", [b"date,open\n\x00\x01\x02\n\n\xff\n".as_slice(), &[b'z'; (1 << 20) + 7]].concat());
    let ended = home.run(["stream", "--source", &crate::harness::replay_of(&file)]).expect(0);
    // The last line is longer than a line can be, and comes in two pieces.
    ended.says(&["5 sent, 0 stored, 5 set aside", "stockpipe replay --list"]);
    let lengths = home.table_db("SELECT length(bytes) FROM set_aside ORDER BY record, line").concat();
    assert_eq!(lengths, ["9", "3", "1", "1048576", "7"]);
    home.run(["latest"]).expect(0).says(&["No quote is in the table"]);
}

/// Would catch a bad cell that takes its row's neighbours with it, or a row that becomes a quote all the same.
#[test]
fn bad_cells_of_a_csv_are_set_aside() {
    let home = Home::up();
    let row = |day: u32, close: &str| format!("A,2014-01-{day:02}T21:00:00Z,1,1,1,{close},5");
    let bad: [(&[u8], &str); 12] = [
        (b"A,2014-01-20T21:00:00Z,1,1,1,x,5", "price: not a number"),
        (b"A,2014-01-20T21:00:00Z,1,1,1,,5", "price: missing"),
        (b"A,2014-01-20T21:00:00Z,1,1,1,NaN,5", "price: not a number"),
        (b"A,2014-01-20T21:00:00Z,1,1,1,-1,5", "price: negative"),
        (b"A,2014-01-20T21:00:00Z,1,1,1,1e300,5", "price: too large"),
        (b"A,2014-01-20T21:00:00Z,1,1,1,1,-5", "volume: negative"),
        (b"A,20 January,1,1,1,1,5", "timestamp: not a time"),
        (b"A,1999-01-20T21:00:00Z,1,1,1,1,5", "timestamp: before 2000-01-01"),
        (b"../x,2014-01-20T21:00:00Z,1,1,1,1,5", "symbol: not 1 to 32"),
        (b"A,2014-01-20T21:00:00Z", "price: missing"),
        (b"\xff,2014-01-20T21:00:00Z,1,1,1,1,5", "not UTF-8"),
        (b"A,2014-01-20T21:00:00Z,1,1,1,1,5,6,7,8", "not a JSON object"),
    ];
    let mut text = b"symbol,timestamp,open,high,low,close,volume\n".to_vec();
    let mut line = |bytes: &[u8]| text.extend([bytes, b"\r\n"].concat());
    line(row(1, "10").as_bytes());
    for (at, (bytes, _)) in bad.iter().enumerate() {
        line(bytes);
        // More places than are kept are rounded by a source, half to even.
        line(row(2 + at as u32, "10.000000005").as_bytes());
    }
    let file: PathBuf = home.write("bad.csv", text);
    let sum = home.replay(&file);
    assert_eq!(numbers(&sum, ["sent", "stored", "set_aside", "archived"]), [25, 13, 12, 13]);
    let reasons = home.table_db("SELECT reason FROM set_aside ORDER BY record, line").concat();
    for (reason, (_, why)) in reasons.iter().zip(&bad) {
        assert!(reason.starts_with(why), "{why} expected: {reason}");
    }
    assert_eq!(home.table_db("SELECT DISTINCT price FROM quotes"), [["1000000000"]]);
    assert!(!home.files().iter().any(|f| f.contains("..") || f.ends_with("/x")));
}
