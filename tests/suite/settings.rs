//! Where settings come from, and which of them wins.

use crate::harness::{Ended, Home, Running, data};
use std::fs;

impl Home {
    /// Runs it with something in the environment.
    fn run_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        Running::start(command).end()
    }

    /// Name and value of each option of a stack.
    fn options(&self, stack: &str) -> Vec<String> {
        let database = self.home().join(stack).join("table.db");
        let of =
            |name: &str| crate::harness::rows(&database, &format!("SELECT value FROM settings WHERE name = '{name}'"));
        ["retention", "anomaly_percent", "raw"].map(|name| of(name).concat().concat()).to_vec()
    }
}

/// Would catch a file that wins over what was typed, an environment that is not read, or a default that hides both.
#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let home = Home::new();
    // The stack's name.
    home.ok(["up"]);
    assert!(home.home().join("stockpipe").exists());
    home.write("stockpipe.yaml", "stack: from-file\nformat: json\nretention: 2h\nanomaly_percent: 2.5\nraw: off\n");
    home.ok(["up"]);
    assert!(home.home().join("from-file").exists());
    home.run_in(&[("STOCKPIPE_STACK", "from-env")], &["up"]).expect(0);
    assert!(home.home().join("from-env").exists());
    home.run_in(&[("STOCKPIPE_STACK", "from-env")], &["up", "--stack", "from-flag"]).expect(0);
    assert!(home.home().join("from-flag").exists());

    // The format.
    let status =
        |environment: &[(&str, &str)], arguments: &[&str]| home.run_in(environment, arguments).expect(0).stdout;
    assert!(status(&[], &["status"]).starts_with('{'));
    assert!(status(&[("STOCKPIPE_FORMAT", "csv")], &["status"]).starts_with("name,value"));
    assert!(status(&[("STOCKPIPE_FORMAT", "csv")], &["status", "--format", "table"]).starts_with("Local stack"));

    // The options of a stack.
    assert_eq!(home.options("from-file"), ["7200", "2.5", "off"]);
    let environment = [("STOCKPIPE_RETENTION", "3h"), ("STOCKPIPE_RAW", "batch")];
    home.run_in(&environment, &["up", "--stack", "b", "--retention", "4h"]).expect(0);
    assert_eq!(home.options("b"), ["14400", "2.5", "batch"]);
    fs::remove_file(home.work().join("stockpipe.yaml")).unwrap();
    home.ok(["up", "--stack", "c"]);
    // What is a default is not written down.
    assert_eq!(home.options("c"), ["", "", ""]);

    // Which file.
    let other = home.write("other.yaml", "stack: other\n");
    let other = other.to_str().unwrap();
    home.ok(["up", "--config", other]);
    assert!(home.home().join("other").exists());
    home.run_in(&[("STOCKPIPE_CONFIG", other), ("STOCKPIPE_STACK", "d")], &["up"]).expect(0);
    assert!(home.home().join("d").exists());
}

/// Would catch a mistake in the file that is passed over, or reported without saying where it is.
#[test]
fn a_wrong_file_is_named_with_what_is_wrong() {
    let home = Home::up();
    for (text, says) in [
        ("stack: a\ncolour: red\n", ["unknown field `colour`", "line 2"].as_slice()),
        ("stack: a\n\nformat: xml\n", &["xml", "line 3"]),
        ("target: moon\n", &["moon", "line 1"]),
        ("retention: [\n", &["line"]),
        ("- a\n- b\n", &["invalid type: sequence"]),
        ("stack: Upper\n", &["'Upper' is no name for a stack"]),
        ("raw: some\n", &["'some': not symbol, batch or off"]),
        ("raw: [a]\n", &["raw"]),
        ("retention: soon\n", &["'soon': not a duration"]),
        ("anomaly_percent: five\n", &["'five'"]),
    ] {
        home.write("stockpipe.yaml", text);
        for arguments in [["up"].as_slice(), &["status"]] {
            home.run(arguments).expect(2).says(&["stockpipe.yaml'"]).says(says);
        }
    }
    home.write("stockpipe.yaml", [0xff, 0xfe]);
    home.run(["status"]).expect(2).says(&["stockpipe.yaml' cannot be read"]);
    home.write("stockpipe.yaml", "\n");
    home.ok(["status"]);
    home.run(["status", "--config", "no.yaml"]).expect(2).says(&["no.yaml' cannot be read"]);
}

/// Would catch an option that is kept but does nothing.
#[test]
fn options_do_what_they_say() {
    let home = Home::new();
    home.ok(["up", "--anomaly-percent", "50", "--raw", "off"]);
    let file = data("daily_FB_2012-2013.csv");
    assert_eq!(home.replay(&file)["anomalies"], 0);
    let raw = |home: &Home| home.files().iter().filter(|f| f.contains("raw-data/")).count();
    assert_eq!(raw(&home), 0);

    let home = Home::new();
    home.ok(["up", "--anomaly-percent", "0.5", "--raw", "batch", "--retention", "1s"]);
    assert!(home.replay(&file)["anomalies"].as_u64() > Some(31));
    assert!(raw(&home) > 0);
    // The table forgets, the lake does not.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(home.run(["latest", "--format", "csv"]).expect(0).stdout.lines().count(), 1);
    assert_eq!(home.sql("SELECT count(*) AS n FROM stock_data_table"), "196\n");
}

/// Would catch an `init` that overwrites settings, writes wrong ones, or is stopped by them.
#[test]
fn init_writes_settings_that_work() {
    let home = Home::new();
    home.run(["init"]).expect(0).says(&["stockpipe.yaml", "stockpipe up"]);
    home.run(["up"]).expect(0);
    home.run(["init"]).expect(1).says(&["already", "--force"]);
    std::fs::write(home.work().join("stockpipe.yaml"), "stack: prices\nretention: 5x\n").unwrap();
    home.run(["status"]).expect(2).says(&["stockpipe.yaml", "line 2", "5x"]);
    home.run(["init", "--force"]).expect(0);
    home.run(["status"]).expect(0);
}

/// Would catch completions or a manual that are empty, or need a pipeline or settings.
#[test]
fn completions_and_manual() {
    let home = Home::new();
    home.write("stockpipe.yaml", "raw: some\n");
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.run(["completions", shell]).expect(0).stdout.contains("stream"), "{shell}");
    }
    assert!(home.run(["man"]).expect(0).stdout.contains("market"));
    let pages = home.tmp();
    home.run(["man".as_ref(), "--folder".as_ref(), pages.as_os_str()]).expect(0);
    assert!(pages.join("stockpipe-stream.1").exists());
}
