//! Operations that fail, and stacks that are in no state to be changed.

use super::cloud::Cloud;
use serde_json::json;
use std::{thread::sleep, time::Duration};

/// A schedule that no rule takes: it fails in the middle of an operation, after most resources are made.
const REFUSED: &str = "merge_schedule=nonsense";

/// A stack that is busy for so many seconds and fails then.
fn waiting(seconds: u32) -> String {
    json!({"Resources": {
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Wait": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": seconds.to_string()},
        },
    }})
    .to_string()
}

/// Would catch a report of a consequence in place of the cause, a failed creation that is in the way for ever, and a
/// bucket of others that is emptied on the way. CloudFormation refuses it before it begins, and tells why only to those
/// who ask.
#[test]
fn a_creation_that_fails_says_why_and_is_no_dead_end() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    let results = cloud.bucket("athena-query-results-");
    cloud.run(&["down", "--yes"]).expect(0);
    cloud.ask(cloud.s3().create_bucket().bucket(&results).send()).expect("a bucket");
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"theirs");
    cloud.ask(cloud.s3().put_object().bucket(&results).key("theirs").body(body).send()).expect("an object");
    cloud.run(&["up", "--yes"]).expect(1).says(&[
        "error: stack 'stockpipe' could not be created: it has been rolled back",
        "first failure  ResultsBucket (AWS::S3::Bucket)",
        "already exists",
        "hint: ",
    ]);
    assert_eq!(cloud.status("stockpipe"), "ROLLBACK_COMPLETE");
    // What it says on a second look.
    cloud.run(&["up", "--dry-run"]).expect(0).says(&["stack 'stockpipe' is in ROLLBACK_COMPLETE", "Nothing was done"]);
    assert_eq!(cloud.status("stockpipe"), "ROLLBACK_COMPLETE");
    cloud.run(&["up", "--yes"]).expect(1).says(&["It holds nothing. Removing it", "already exists"]);
    assert_eq!(cloud.keys(&results), ["theirs"]);
    cloud.ask(cloud.s3().delete_object().bucket(&results).key("theirs").send()).expect("a removal");
    cloud.ask(cloud.s3().delete_bucket().bucket(&results).send()).expect("a removal");
    cloud.run(&["up", "--yes"]).expect(0).says(&["It holds nothing. Removing it", "Ready. Next: "]);
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");
}

/// Would catch an update whose failure leaves something changed, or is told as a success.
#[test]
fn an_update_that_fails_is_rolled_back() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    let before = cloud.parameter("TrendCodeKey");
    cloud.change_code("stock-trend-analysis");
    cloud.run(&["up", "--yes", "--set", REFUSED]).expect(1).says(&[
        "stack 'stockpipe' could not be updated: it has been rolled back",
        "first failure  Merge (AWS::Events::Rule)",
    ]);
    assert_eq!(
        (cloud.status("stockpipe").as_str(), cloud.parameter("TrendCodeKey")),
        ("UPDATE_ROLLBACK_COMPLETE", before)
    );
    cloud.run(&["up", "--yes"]).expect(0).says(&["Updated. Next: "]);
}

/// Would catch a plan that somebody left half way being in the way of `up`, or `down` waiting for ever for its removal.
#[test]
fn a_stack_that_was_only_planned_is_no_obstacle() {
    let cloud = Cloud::new();
    let theirs = || {
        let create = cloud.cloudformation().create_change_set().stack_name("stockpipe").change_set_name("theirs");
        let create = create.change_set_type(aws_sdk_cloudformation::types::ChangeSetType::Create);
        cloud.ask(create.template_body(waiting(1)).send()).expect("a change set");
    };
    theirs();
    assert_eq!(cloud.status("stockpipe"), "REVIEW_IN_PROGRESS");
    cloud.run(&["down", "--yes"]).expect(0);
    assert_eq!(cloud.status("stockpipe"), "");

    theirs();
    cloud.run(&["up"]).expect(3);
    cloud.run(&["up", "--yes"]).expect(0).says(&["Ready. Next: "]);
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");
}

/// Would catch a run that fails, or worse, that goes ahead, because somebody else is at it.
#[test]
fn an_operation_of_somebody_else_is_waited_for() {
    let cloud = Cloud::new();
    cloud.make_stack(&waiting(4));
    cloud
        .run(&["up", "--yes", "--no-wait"])
        .expect(1)
        .says(&["is being changed (CREATE_IN_PROGRESS)", "status --watch"]);
    // It fails by itself in the end, and is in nobody's way.
    cloud.run(&["up", "--yes"]).expect(0).says(&[
        "is being changed (CREATE_IN_PROGRESS). Waiting until that is over.",
        "first failure  Wait (AWS::CloudFormation::WaitCondition)",
        "It holds nothing. Removing it",
        "Ready. Next: ",
    ]);
}

/// Would catch a Ctrl-C that stops nothing and says nothing, that cannot be undone, or that undoes unasked.
#[test]
fn ctrl_c_asks_and_takes_back_only_when_told_to() {
    let cloud = Cloud::new();
    cloud.make_stack(&waiting(600));
    let mut terminal = cloud.on_terminal(&["up", "--yes"]);
    terminal.until("what goes on", |screen| screen.has("Wait ") && screen.has("creating"));
    terminal.tell(&json!({ "type": "\u{3}" }));
    terminal.until("the question", |s| s.has("l: leave it to AWS   u: remove what was made so far   Enter: look on"));
    terminal.tell(&json!({ "type": "l\r" }));
    let screen = terminal.ended();
    assert!(screen.has("AWS goes on without this command.") && screen.0["code"] == 130, "{screen:#?}");
    assert_eq!(cloud.status("stockpipe"), "CREATE_IN_PROGRESS");

    let mut terminal = cloud.on_terminal(&["up", "--yes"]);
    terminal.until("what goes on", |screen| screen.has("Wait ") && screen.has("creating"));
    terminal.tell(&json!({ "type": "\u{3}" }));
    terminal.until("the question", |screen| screen.has("u: remove what was made so far"));
    terminal.tell(&json!({ "type": "u\r" }));
    // And then the pipeline is made after all, for that was what the command is for.
    terminal.until("the removal", |screen| screen.has("Removing what was made so far."));
    terminal.until("the end", |screen| screen.has("Ready. Next: "));
    assert_eq!(cloud.status("stockpipe"), "CREATE_COMPLETE");

    // An update is cancelled and rolled back. The emulator does that once the resource that it is at has ended.
    let update = cloud.cloudformation().update_stack().stack_name("StockpipeBootstrap").template_body(waiting(8));
    cloud.ask(update.send()).expect("an update");
    sleep(Duration::from_millis(200));
    assert_eq!(cloud.status("StockpipeBootstrap"), "UPDATE_IN_PROGRESS");
    let mut terminal = cloud.on_terminal(&["up", "--yes", "--set", "log_days=30"]);
    terminal.until("what goes on", |screen| screen.has("Wait ") && screen.has("updating"));
    terminal.tell(&json!({ "type": "\u{3}" }));
    terminal.until("the question", |screen| screen.has("u: cancel it and go back to what was"));
    terminal.tell(&json!({ "type": "u\r" }));
    terminal.until("the cancellation", |screen| screen.has("Cancelled; AWS goes back to what was."));
    terminal.until("the end", |screen| screen.has("Updated. Next: "));
    assert_eq!(cloud.parameter("LogDays"), "30");
}

/// Would catch a failed rollback that only the console gets out of.
#[test]
fn a_rollback_that_failed_can_be_ended() {
    let cloud = Cloud::new();
    cloud.run(&["up", "--yes"]).expect(0);
    // The code to go back to is gone.
    let artifacts = cloud.bucket("stockpipe-artifacts-");
    for key in cloud.keys(&artifacts) {
        cloud.ask(cloud.s3().delete_object().bucket(&artifacts).key(key).send()).expect("a removal");
    }
    cloud.change_all_code();
    let failed = cloud.run(&["up", "--yes", "--set", REFUSED]).expect(1);
    let failed = failed.says(&["could not be updated: rolling it back failed too", "not undone", "--skip-rollback"]);
    assert_eq!(cloud.status("stockpipe"), "UPDATE_ROLLBACK_FAILED");
    let functions = ["ProcessStockData", "StockTrendAnalysis", "ArchiveStockData"];
    let skip: Vec<&str> =
        functions.into_iter().filter(|f| failed.stderr.contains(&format!("--skip-rollback {f}"))).collect();
    assert!(!skip.is_empty(), "{failed:#?}");

    cloud.run(&["up"]).expect(3).says(&["is in UPDATE_ROLLBACK_FAILED"]);
    cloud.run(&["up", "--yes", "--skip-rollback", "Nothing"]).expect(2).says(&["not among what is stuck"]);
    let mut arguments = vec!["up", "--yes"];
    skip.iter().for_each(|name| arguments.extend(["--skip-rollback", name]));
    cloud.run(&arguments).expect(0).says(&["Left as they are", "Updated. Next: "]);
    assert_eq!(cloud.status("stockpipe"), "UPDATE_COMPLETE");
}

/// Would catch half a stack that `up` builds on, or that `down` cannot end.
#[test]
fn a_removal_that_failed_can_be_ended() {
    let cloud = Cloud::new();
    let network = json!({"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/24"}});
    cloud.make_stack(&json!({"Resources": {"Network": network}}).to_string());
    // As the interfaces of functions keep it for half an hour.
    let network = cloud.physical_id("Network");
    let form = format!("Action=CreateSubnet&Version=2016-11-15&CidrBlock=10.0.0.0/25&VpcId={network}");
    let subnet = cloud.ec2(&form, "subnetId");
    cloud.run(&["down", "--yes"]).expect(5).says(&[
        "could not be removed: part of it is left",
        "first failure  Network (AWS::EC2::VPC)",
        "DependencyViolation",
    ]);
    assert_eq!(cloud.status("stockpipe"), "DELETE_FAILED");
    cloud.run(&["up", "--yes"]).expect(1).says(&[
        "stack 'stockpipe' is in DELETE_FAILED",
        "was being removed, and 1 resource is left",
        "down --target aws",
    ]);
    cloud.ec2(&format!("Action=DeleteSubnet&Version=2016-11-15&SubnetId={subnet}"), "return");
    cloud.run(&["down", "--yes"]).expect(0);
    assert_eq!(cloud.status("stockpipe"), "");
}
