//! Looking at what there is, without changing it.

use super::cloud::Cloud;
use serde_json::Value;

/// Would catch a stack that is told other than it is, an answer that programs cannot read, and a look that changes
/// something.
#[test]
fn status_tells_what_there_is() {
    let cloud = Cloud::new();
    cloud.run(&["status"]).expect(4).says(&["stockpipe up --target aws"]);
    // Leaving at once is no end of the work; what is left over is done by the next run.
    cloud
        .run(&["up", "--yes", "--no-wait", "--set", "alerts_email=anna@example.com"])
        .expect(0)
        .says(&["AWS is at work. Next: stockpipe status --watch --target aws"]);
    cloud.run(&["status", "--watch"]).expect(0);
    cloud.run(&["up", "--yes"]).expect(0).says(&["No changes but 10 queries"]);

    let status = cloud.run(&["status"]).expect(0).stdout;
    for text in [
        "Stack 'stockpipe' in us-east-1, account …0000",
        "CREATE_COMPLETE",
        "ProcessStockData    Enabled",
        "anna@example.com",
        "stockpipe-stock-market-stream",
        "stockpipe-stock-queries",
    ] {
        assert!(status.contains(text), "{text}: {status}");
    }
    let json: Value = serde_json::from_str(&cloud.run(&["status", "--format", "json"]).expect(0).stdout).expect("JSON");
    assert_eq!((&json["target"], &json["stack"]), (&"aws".into(), &"stockpipe".into()), "{json:#}");
    assert!(!json.to_string().contains("000000000000"), "{json:#}");

    let events = cloud.run(&["status", "--events"]).expect(0).stdout;
    assert!(events.lines().next().is_some_and(|first| first.contains("CREATE_IN_PROGRESS")), "{events}");
    assert!(events.lines().last().is_some_and(|last| last.ends_with("CREATE_COMPLETE")), "{events}");
    let drift = cloud.run(&["status", "--drift"]).expect(0).stdout;
    assert!(drift.lines().any(|line| line.trim_start().starts_with("drift") && line.contains("as of")), "{drift}");
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");
}

/// Would catch findings that are none, and one that is not made.
#[test]
fn doctor_looks_at_the_account() {
    let cloud = Cloud::new();
    let before = cloud.run(&["doctor"]).expect(0);
    for text in ["credentials", "root, account …0000", "us-east-1", "not there yet: `up` makes it", "toolchain"] {
        assert!(before.stdout.contains(text), "{text}: {before:#?}");
    }
    cloud.run(&["up", "--yes"]).expect(0);
    let (header, rows) = crate::harness::csv(&cloud.run(&["doctor", "--format", "csv"]).expect(0).stdout);
    assert_eq!(header, ["check", "result", "detail", "remedy"]);
    let stack = rows.iter().find(|row| row[0] == "stack").expect("the stack");
    assert!(stack[2].contains("CREATE_COMPLETE"), "{stack:?}");
    // What is deployed is what is printed.
    let deployed = cloud.ask(cloud.cloudformation().get_template().stack_name("stockpipe").send()).expect("a template");
    assert_eq!(deployed.template_body, Some(cloud.run(&["template"]).expect(0).stdout));
}
