//! `up` and `down`: what they make, change, keep and remove.

use crate::harness::{Home, data, numbers};
use std::fs;

const SETTINGS: &str = "SELECT name, value FROM settings ORDER BY name";
const FILE: &str = "daily_FB_2012-2013.csv";

/// Would catch an `up` that makes something anew, forgets an option, or writes where nothing is to change.
#[test]
fn up_twice_changes_nothing_and_an_option_just_itself() {
    let home = Home::new();
    home.run(["up"]).expect(0).says(&["Ready", "Next: stockpipe stream"]);
    home.replay(&data(FILE));
    let answers = |home: &Home| ["latest", "signals"].map(|c| home.ok([c, "--format", "csv"]));
    let (files, before) = (home.files(), answers(&home));
    home.run(["up"]).expect(0).says(&["No changes"]);
    home.run(["up", "--yes"]).expect(0).says(&["No changes"]);
    home.run(["up", "--retention", "7d", "--anomaly-percent", "5", "--raw", "symbol"]).expect(0).says(&["No changes"]);
    assert_eq!((home.files(), answers(&home)), (files.clone(), before.clone()));
    assert_eq!(home.table_db(SETTINGS), [[""; 0]; 0]);

    let changed = home.run(["up", "--retention", "3d"]).expect(0).says(&["Changed", "expire after 3 d"]);
    assert_eq!(changed.stderr.matches("changed").count(), 1, "{}", changed.stderr);
    assert_eq!(home.table_db(SETTINGS), [["retention", "259200"]]);
    home.run(["up", "--raw", "off"]).expect(0).says(&["Changed"]);
    assert_eq!(home.table_db(SETTINGS), [["raw", "off"], ["retention", "259200"]]);
    home.run(["up"]).expect(0).says(&["No changes"]);
    assert_eq!((home.files(), answers(&home)), (files, before));
}

/// Would catch a plan that is carried out, or one that says something else than what is done afterwards.
#[test]
fn a_dry_run_does_nothing() {
    let home = Home::new();
    let plan = |home: &Home, more: &[&str]| -> Vec<(String, String)> {
        let text = home.ok([&["up", "--dry-run", "--format", "json"], more].concat());
        let parts: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        let field = |part: &serde_json::Value, name: &str| part[name].as_str().expect("a text").to_owned();
        parts.iter().map(|part| (field(part, "part"), field(part, "action"))).collect()
    };
    let all = |actions: [&str; 5]| {
        let parts = ["stream", "table", "signals", "lake", "queries"];
        parts.iter().zip(actions).map(|(p, a)| ((*p).to_owned(), a.to_owned())).collect::<Vec<_>>()
    };
    let empty = home.files();
    let new = ["create", "create", "create", "create", "unchanged"];
    assert_eq!(plan(&home, &[]), all(new));
    home.run(["up", "--dry-run"]).expect(0).says(&["Nothing was done"]);
    assert_eq!(home.files(), empty);

    home.ok(["up"]);
    let up = home.files();
    let none = "unchanged";
    assert_eq!(plan(&home, &[]), all([none; 5]));
    assert_eq!(plan(&home, &["--raw", "off"]), all([none, none, none, "change", none]));
    assert_eq!(plan(&home, &["--retention", "1h"]), all([none, "change", none, none, none]));
    assert_eq!((home.files(), home.table_db(SETTINGS)), (up, vec![]));

    home.ok(["down", "--keep-data", "--yes"]);
    let again = "take in again";
    assert_eq!(plan(&home, &[]), all(["create", again, again, again, none]));
    assert!(!home.stack().join("stream.db").exists());
}

/// Would catch kept data that is lost, taken for new, or that a question can still be asked of what is down.
#[test]
fn kept_data_is_taken_in_again() {
    let home = Home::new();
    home.ok(["up", "--retention", "3d"]);
    let first = home.replay(&data(FILE));
    assert_eq!(numbers(&first, ["stored", "signals"]), [196, 10]);
    let answers = |home: &Home| {
        [["latest"].as_slice(), &["signals"], &["query", "crossovers", "--all"]]
            .map(|c| home.ok([c, &["--format", "csv"]].concat()))
    };
    let before = answers(&home);
    home.run(["down", "--keep-data", "--yes"]).expect(0).says(&["the data stays in", "stockpipe up"]);
    home.run(["down", "--keep-data", "--yes"]).expect(0).says(&["is down already"]);
    for command in [["latest"].as_slice(), &["signals"], &["status"], &["query", "crossovers"]] {
        home.run(command).expect(4).says(&["its data was kept", "stockpipe up"]);
    }
    home.run(["stream", "--source", "synthetic", "--count", "1"]).expect(4).says(&["stockpipe up"]);

    home.run(["up"]).expect(0).says(&["taken in"]);
    assert_eq!(home.table_db(SETTINGS), [["retention", "259200"]]);
    assert_eq!(answers(&home), before);
    let again = home.replay(&data(FILE));
    assert_eq!(numbers(&again, ["sent", "stored", "duplicates", "signals", "archived"]), [196, 0, 196, 0, 196]);
    assert_eq!(answers(&home), before);
    // The sequence goes on where it was: what is new comes after what is old.
    let sequences = "SELECT count(*) FROM quotes WHERE record > (SELECT max(record) FROM checkpoints)";
    assert_eq!(home.table_db(sequences), [["0"]]);

    // What waits in the stream is not lost with it.
    home.ok(["down", "--yes"]);
    home.ok(["up"]);
    home.ok(["stream", "--source", "synthetic:3", "--speed", "max", "--count", "300"]);
    home.ok(["down", "--keep-data", "--yes"]);
    home.ok(["up"]);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "300\n");
    assert_eq!(home.table_db("SELECT count(*) FROM quotes"), [["300"]]);
}

/// Would catch files that stay behind, or a removal that fails because there is nothing to remove.
#[test]
fn down_removes_everything() {
    let home = Home::new();
    let empty = home.files();
    home.run(["down"]).expect(0).says(&["nothing to remove"]);
    home.run(["down", "--yes"]).expect(0).says(&["nothing to remove"]);
    home.run(["down", "--keep-data", "--yes"]).expect(0).says(&["nothing to remove"]);
    assert_eq!(home.files(), empty);

    home.ok(["up"]);
    home.ok(["up", "--stack", "other"]);
    home.replay(&data(FILE));
    home.run(["down", "--yes"]).expect(0).says(&["196 quotes in the stream", "10 signals", "Nothing of stack"]);
    assert!(!home.stack().exists() && home.home().join("other/stream.db").exists());
    home.run(["latest"]).expect(4);
    home.ok(["latest", "--stack", "other"]);
    home.ok(["down", "--stack", "other", "--yes"]);
    assert_eq!(home.files(), empty);

    // What was kept goes as well.
    home.ok(["up"]);
    home.replay(&data(FILE));
    home.ok(["down", "--keep-data", "--yes"]);
    home.run(["down", "--yes"]).expect(0).says(&["Nothing of stack 'stockpipe' is left"]);
    assert_eq!(home.files(), empty);
}

/// Would catch that what a removal left behind when it was interrupted can never be removed, or is taken for data.
#[test]
fn an_interrupted_removal_can_be_finished() {
    let home = Home::up();
    home.replay(&data(FILE));
    for name in ["stream.db", "table.db"] {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(home.stack().join(format!("{name}{suffix}")));
        }
    }
    home.run(["latest"]).expect(4).says(&["there is no local stack"]);
    home.run(["down"]).expect(3).says(&["interrupted", "--yes"]);
    home.run(["down", "--yes"]).expect(0).says(&["Nothing of stack 'stockpipe' is left"]);
    assert!(!home.stack().exists());
}

/// Would catch a `down` that deletes what was in a folder before it became a stack's: STOCKPIPE_HOME may be set to a
/// folder with others in it.
#[test]
fn a_folder_of_somebody_else_is_let_alone() {
    let home = Home::new();
    fs::create_dir(home.stack()).unwrap();
    fs::write(home.stack().join("letters.txt"), "dear").unwrap();
    let before = home.files();
    home.run(["up"]).expect(1).says(&["letters.txt", "of no stack", "--stack", "STOCKPIPE_HOME"]);
    home.run(["down", "--yes"]).expect(0).says(&["nothing to remove"]);
    assert_eq!(home.files(), before);
    // An empty one may be used.
    fs::remove_file(home.stack().join("letters.txt")).unwrap();
    home.ok(["up"]);
}

/// Would catch a stack that is taken down while somebody streams into it.
#[test]
fn a_stack_in_use_stays_up() {
    let home = Home::up();
    let mut stream = home.start(["stream", "--source", "synthetic", "--interval", "50ms"]);
    stream.until("the lease", |s| home.ok(["status"]).contains(&format!("process {}", s.id())));
    home.run(["down", "--yes"]).expect(1).says(&["is in use by process", &stream.id().to_string(), "Ctrl-C"]);
    stream.signal("INT");
    stream.end().expect(0);
    home.ok(["down", "--yes"]);
    assert!(!home.stack().exists());
}

/// Would catch two `up`s at once of which one fails, or makes the stream anew that the other one already filled.
#[test]
fn several_ups_at_once_make_one_stack() {
    let home = Home::new();
    let ups: Vec<_> = (0..4).map(|_| home.start(["up"])).collect();
    for up in ups {
        up.end().expect(0);
    }
    assert_eq!(numbers(&home.replay(&data(FILE)), ["stored"]), [196]);
    assert!(!home.files().iter().any(|f| f.contains("new-")), "{:?}", home.files());
}
