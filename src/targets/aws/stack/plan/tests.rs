use super::*;
use crate::report::style::{self, Screen};

fn change(action: Action, name: &str, resource_type: &str) -> Change {
    Change {
        action,
        replacement: Replacement::None,
        old_stays: false,
        logical_id: name.into(),
        physical_id: (action != Action::Add).then(|| format!("stockpipe-{name}")),
        resource_type: resource_type.into(),
        details: vec![],
    }
}

fn property(name: &str, path: &str, before: &str, after: &str) -> Detail {
    let told = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    Detail {
        attribute: "Properties".into(),
        name: Some(name.into()),
        path: told(path),
        before: told(before),
        after: told(after),
        requires_recreation: Recreation::Never,
        cause: told(name),
    }
}

fn modify(name: &str, resource_type: &str, details: Vec<Detail>) -> Change {
    Change { details, ..change(Action::Modify, name, resource_type) }
}

/// All resources that the template makes without options.
fn creation() -> Plan {
    let (_, events) = super::super::events::tests::fixture("create");
    let mut names: Vec<(String, String)> =
        events.into_iter().filter(|event| !event.is_of_stack()).map(|e| (e.logical_id, e.resource_type)).collect();
    names.sort();
    names.dedup();
    Plan::new(names.iter().map(|(name, kind)| change(Action::Add, name, kind)).collect())
}

fn shown(plan: &Plan, width: usize) -> String {
    let lines = plan.lines(Screen { width: Some(width), ..Screen::default() });
    assert!(lines.iter().all(|line| style::width(line) <= width), "{lines:#?}");
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn update() -> Plan {
    let function = "AWS::Lambda::Function";
    let stream = [
        property("ShardCount", "/Properties/ShardCount", "1", "2"),
        // Again, as what depends on a parameter.
        property("ShardCount", "", "", ""),
    ];
    let code = property("Code", "/Properties/Code/S3Key", "process/1f", "process/2e");
    let variable = property("Environment", "/Properties/Environment/Variables/RETENTION", "604800", "86400");
    let policies =
        property("Policies", "/Properties/Policies/0/PolicyDocument/Statement/1/Action/0", "sns:Publish", "sns:*");
    let tags = Detail { attribute: "Tags".into(), ..Detail::default() };
    Plan::new(vec![
        modify("ArchiveStockData", function, vec![code.clone()]),
        modify("StockStream", "AWS::Kinesis::Stream", stream.to_vec()),
        modify("ProcessStockData", function, vec![code, variable, tags]),
        modify("ProcessStockDataRole", "AWS::IAM::Role", vec![policies]),
        change(Action::Add, "AlertsByEmail", "AWS::SNS::Subscription"),
    ])
}

/// Would catch a new stack that is a wall of lines, or one whose data and rights are not named.
#[test]
fn a_creation() {
    let expected = "\
Plan        0 to change, 44 to add, 0 to replace, 0 to remove
  + buckets          DataBucket, ResultsBucket
  + tables           QuotesTable, SignalsTable
  + stream           StockStream
  + functions        ArchiveStockData, ProcessStockData, StockTrendAnalysis
  + delivery         3 log groups, 3 mappings, 1 schedule
  + queries          1 catalog database, 2 catalog tables, 1 workgroup
  + alerts           2 topics
  + watching         14 alarms, 1 dashboard
Rights      8 to add
  + topic policies   AlertsTopicPolicy, OperationsTopicPolicy
  + roles            ArchiveStockDataRole, ProcessStockDataRole,
                     StockTrendAnalysisRole
  + bucket policies  DataBucketPolicy, ResultsBucketPolicy
  + permission       MergePermission
";
    assert_eq!(shown(&creation(), 80), expected);
}

/// Would catch a change that does not say what changes, or says it twice.
#[test]
fn an_update() {
    let expected = "\
Plan        4 to change, 1 to add, 0 to replace, 0 to remove
  ~ StockStream           ShardCount 1 → 2
  ~ ArchiveStockData      code
  ~ ProcessStockData      code, RETENTION 604800 → 86400, tags
  + AlertsByEmail         subscription
Rights      1 to change
  ~ ProcessStockDataRole  Policies Action sns:Publish → sns:*
";
    assert_eq!(shown(&update(), 80), expected);
}

/// Would catch data that goes without a word.
#[test]
fn what_becomes_of_data() {
    let table = "AWS::DynamoDB::Table";
    let name = || vec![property("TableName", "/Properties/TableName", "a", "b")];
    let replaced = |name: &str, kind: &str, old_stays: bool, details| Change {
        replacement: Replacement::Replaced,
        old_stays,
        ..modify(name, kind, details)
    };
    let plan = Plan::new(vec![
        replaced("QuotesTable", table, true, name()),
        replaced("StockStream", "AWS::Kinesis::Stream", false, name()),
        replaced("ProcessStockDataMapping", "AWS::Lambda::EventSourceMapping", false, vec![]),
        Change { replacement: Replacement::Conditional, ..modify("SignalsTable", table, name()) },
        Change { replacement: Replacement::Conditional, ..modify("ProcessLag", "AWS::CloudWatch::Alarm", name()) },
        change(Action::Remove, "AuditBucket", "AWS::S3::Bucket"),
        Change { old_stays: true, ..change(Action::Remove, "Key", "AWS::KMS::Key") },
        change(Action::Remove, "Trail", "AWS::CloudTrail::Trail"),
        change(Action::Import, "DataBucket", "AWS::S3::Bucket"),
    ]);
    let expected = "\
Plan        1 to change, 0 to add, 4 to replace, 3 to remove, 1 to take in
  - AuditBucket              bucket  goes, with its data
  - Key                      key  stays, outside the stack
  - Trail                    trail
  ! QuotesTable              TableName a → b  is made anew, empty: the old table
                             stays, with its data
  ! StockStream              TableName a → b  is made anew, empty: the old
                             stream goes, with its data
  ! SignalsTable             TableName a → b  may be made anew, empty: the old
                             table goes, with its data
  ! ProcessStockDataMapping  mapping  is made anew
  ~ ProcessLag               TableName a → b  may be made anew
  = DataBucket               bucket  is taken in as it is
Rights      no change
";
    assert_eq!(shown(&plan, 80), expected);
    assert_eq!(plan.data_at_stake().count(), 3);
    assert!(update().data_at_stake().next().is_none() && creation().data_at_stake().next().is_none());
}

/// Would catch lines that a narrow terminal breaks, and names that are lost there.
#[test]
fn narrow_screens() {
    let expected = "\
Plan        4 to change, 1 to add,
            0 to replace, 0 to remove
  ~ StockStream
      ShardCount 1 → 2
  ~ ArchiveStockData
      code
  ~ ProcessStockData
      code, RETENTION 604800 → 86400,
      tags
  + AlertsByEmail
      subscription
Rights      1 to change
  ~ ProcessStockDataRole
      Policies Action sns:Publish →
      sns:*
";
    assert_eq!(shown(&update(), 40), expected);
    for width in 36..120 {
        shown(&creation(), width);
        shown(&update(), width);
    }
    for width in 0..36 {
        let _ = creation().lines(Screen { width: Some(width), ..Screen::default() });
    }
}

/// Would catch an update without changes that looks like one.
#[test]
fn nothing_to_do() {
    assert_eq!(shown(&Plan::default(), 80), "Plan        no change\nRights      no change\n");
    assert_eq!(Plan::default().len(), 0);
}

/// Would catch account ids, addresses with tokens, long values and what a terminal obeys.
#[test]
fn values_from_outside() {
    let long = "x".repeat(100);
    let address = "https://hooks.example.com/token";
    let plan = Plan::new(vec![
        modify(
            "Evil\u{1b}[2J",
            "AWS::Lambda::Function",
            vec![
                property("Role", "", "arn:aws:iam::123456784821:role/a", "arn:aws:iam::123456784821:role/b"),
                property("Description", "", &long, "\u{1b}[2J"),
                property("VpcConfig", "", "{\"a\": 1}", "{\"a\": 2}"),
            ],
        ),
        modify("AlertsByUrl", "AWS::SNS::Subscription", vec![property("Endpoint", "", address, address)]),
    ]);
    let (lines, json) = (shown(&plan, 200), plan.to_json().to_string());
    assert!(lines.contains("Role arn:aws:iam::…4821:role/a → arn:aws:iam::…4821:role/b, Description xxx"), "{lines}");
    assert!(lines.contains("x… → \\u{1b}[2J, VpcConfig\n") && lines.contains("~ Evil\\u{1b}[2J"), "{lines}");
    for text in [lines, json] {
        assert!(!text.contains("123456784821") && !text.contains("token") && text.contains("…4821"), "{text}");
    }
}

/// Would catch a change of the shape that scripts read.
#[test]
fn the_shape_of_json() {
    let plan = Plan::new(vec![Change {
        replacement: Replacement::Conditional,
        ..modify("StockStream", "AWS::Kinesis::Stream", vec![property("Name", "/Properties/Name", "a", "")])
    }]);
    let expected = serde_json::json!({
        "summary": {"add": 0, "change": 0, "replace": 1, "remove": 0, "import": 0},
        "changes": [{
            "action": "replace",
            "certain": false,
            "resource": "StockStream",
            "type": "AWS::Kinesis::Stream",
            "id": "stockpipe-StockStream",
            "holds_data": true,
            "rights": false,
            "old_stays": false,
            "details": [{
                "attribute": "Properties",
                "property": "Name",
                "path": "/Properties/Name",
                "before": "a",
                "after": null,
                "recreation": "never",
                "cause": "Name",
            }],
        }],
    });
    assert_eq!(plan.to_json(), expected);
    assert_eq!(creation().to_json()["changes"].as_array().map(Vec::len), Some(44));
}

/// Would catch the policy of a key, by which rights are given too, among the plain changes.
#[test]
fn a_key_s_policy_is_a_right() {
    let policy = property("KeyPolicy", "/Properties/KeyPolicy/Statement/0/Action", "", "");
    let plan = Plan::new(vec![modify("Key", "AWS::KMS::Key", vec![policy])]);
    assert!(
        shown(&plan, 80).ends_with("Rights      1 to change\n  ~ Key         KeyPolicy Action\n"),
        "{}",
        shown(&plan, 80)
    );
}
