//! What the functions say.

use super::cloud::Cloud;
use crate::harness::{csv, now};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use serde_json::Value;
use stockpipe_aws_ports::Report;

impl Cloud {
    /// Has a function say this, so many milliseconds ago.
    fn say(&self, function: &str, ago: i64, message: &str) {
        let group = format!("/aws/lambda/stockpipe-{function}");
        let stream = format!("{ago}");
        let create = self.logs().create_log_stream().log_group_name(&group).log_stream_name(&stream);
        _ = self.ask(create.send());
        let event =
            InputLogEvent::builder().timestamp(now().millis() - ago).message(message).build().expect("an event");
        let put = self.logs().put_log_events().log_group_name(group).log_stream_name(stream).log_events(event);
        self.ask(put.send()).expect("an event");
    }
}

fn report(message: &str) -> Report {
    Report::new("stockpipe", "r-1", message)
}

/// Would catch lines out of order, of another function, or that programs cannot read; a panic that is passed over, and
/// metrics in the place of what they are.
#[test]
fn what_functions_say_is_merged_by_time() {
    let cloud = Cloud::new();
    cloud.home.run(["logs"]).expect(2).says(&["keeps no logs", "stockpipe tail"]);
    cloud.run(&["logs"]).expect(4);
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.run(&["logs"]).expect(0).says(&["Nothing was said in the last 10 minutes"]);

    cloud.say("StockTrendAnalysis", 20_000, &report("second").count([("Signals", 1)]).to_json().to_string());
    cloud.say(
        "ProcessStockData",
        30_000,
        &report("first").say("records", 12).count([("Late", 0)]).to_json().to_string(),
    );
    cloud.say("ArchiveStockData", 10_000, "thread 'main' panicked at src/main.rs:1:2:");
    cloud.say("ProcessStockData", 5_000, &report("fourth").fails("no such table 000000000000").to_json().to_string());
    cloud.say("ProcessStockData", 3_600_000, &report("an hour ago").to_json().to_string());

    let shown = cloud.run(&["logs"]).expect(0).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    let words = |line: &str| line.split_whitespace().skip(1).take(3).map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(
        lines.iter().map(|line| words(line)).collect::<Vec<_>>(),
        ["process INFO first", "trend INFO second", "archive ERROR thread", "process ERROR fourth"],
        "{shown}"
    );
    assert!(lines[0].ends_with("first  records=12") && lines[1].ends_with("Signals=1"), "{shown}");
    assert!(lines[3].ends_with("why=\"no such table …0000\""), "{shown}");

    let warned = cloud.run(&["logs", "process", "archive", "--level", "warn", "--format", "json"]).expect(0).stdout;
    let objects: Vec<Value> = warned.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        objects.iter().map(|said| said["function"].as_str().expect("a word")).collect::<Vec<_>>(),
        ["archive", "process"]
    );
    assert_eq!((&objects[1]["request_id"], &objects[1]["level"]), (&"r-1".into(), &"ERROR".into()));
    let (header, rows) = csv(&cloud.run(&["logs", "--since", "2h", "--format", "csv"]).expect(0).stdout);
    assert_eq!(header, ["time", "function", "level", "message", "request_id", "fields"]);
    assert_eq!((rows.len(), &*rows[0][3]), (5, "an hour ago"));
    assert_eq!(serde_json::from_str::<Value>(&rows[1][5]).expect("JSON")["records"], 12);
}

/// Would catch a line that is lost because it comes after later ones, and one that is shown at each look.
#[test]
fn following_shows_each_line_once() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    cloud.say("ProcessStockData", 1_000, &report("there").to_json().to_string());
    let mut logs = cloud.start(&["logs", "--follow"]);
    logs.until("the following", |logs| logs.stderr().contains("Following"));
    cloud.say("ProcessStockData", 0, &report("new").to_json().to_string());
    logs.until("the new line", |logs| logs.stdout().contains("new"));
    cloud.say("StockTrendAnalysis", 60_000, &report("late").to_json().to_string());
    cloud.say("ProcessStockData", 61_000, &report("later").to_json().to_string());
    logs.until("the late lines", |logs| logs.stdout().contains("late") && logs.stdout().contains("later"));
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    logs.signal("INT");
    let ended = logs.end().expect(0);
    assert_eq!(ended.stdout.lines().count(), 4, "{ended:#?}");
}
