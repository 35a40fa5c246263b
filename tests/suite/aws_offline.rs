//! What the commands for AWS do where nobody can be asked: no credentials, no region, no network.

use crate::harness::{Ended, Home, Running, csv};
use serde_json::Value;
use std::collections::BTreeSet;

/// What IAM takes as a managed policy.
const MOST_OF_MANAGED: usize = 6_144;

impl Home {
    /// Runs it with nothing of AWS in reach, and this in the environment.
    fn offline(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", self.root()).envs(environment.iter().copied());
        Running::start(command).end()
    }

    /// A policy, as JSON.
    fn policy(&self, arguments: &[&str]) -> Value {
        let ended = self.offline(&[], &[&["policy"], arguments].concat()).expect(0);
        serde_json::from_str(&ended.stdout).expect("JSON alone on standard output")
    }
}

/// The actions of a policy.
fn actions(policy: &Value) -> BTreeSet<String> {
    let texts = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        many => many.as_array().expect("actions").iter().map(|one| one.as_str().expect("a text").to_owned()).collect(),
    };
    policy["Statement"].as_array().expect("statements").iter().flat_map(|s| texts(&s["Action"])).collect()
}

/// Would catch a document that IAM does not take, rights that are lost between the parts, and one that needs a network.
#[test]
fn the_policy_can_be_printed_anywhere() {
    let home = Home::new();
    let whole = home.policy(&[]);
    assert_eq!(whole["Version"], "2012-10-17");
    let parts = [home.policy(&["--part", "1"]), home.policy(&["--part", "2"])];
    for part in &parts {
        assert!(part.to_string().len() <= MOST_OF_MANAGED);
    }
    let both: BTreeSet<String> = parts.iter().flat_map(actions).collect();
    assert_eq!(both, actions(&whole));
    let less = home.policy(&["--service-role"]);
    assert!(actions(&less).len() < both.len() / 2 + 40 && actions(&less).contains("iam:PassRole"));
    assert!(less.to_string().len() <= MOST_OF_MANAGED);
    home.offline(&[], &["policy", "--part", "9"]).expect(2).says(&["--part 9: there are 2 parts"]);
    let named = home.offline(&[], &["--stack", "prices-2", "policy"]).expect(0).stdout;
    assert!(
        named.contains(":stream/prices-2-stock-market-stream") && named.contains("database/prices_2_stock_data_db")
    );
}

/// Would catch rights that do not follow the settings, and ARNs of another partition than the region's.
#[test]
fn the_policy_is_of_the_settings() {
    let home = Home::new();
    assert!(!actions(&home.policy(&[])).contains("ec2:CreateVpc"));
    home.write("stockpipe.yaml", "aws:\n  isolation: yes\n");
    assert!(actions(&home.policy(&[])).contains("ec2:CreateVpc"));
    let china = home.offline(&[("AWS_REGION", "cn-north-1")], &["policy"]).expect(0).stdout;
    assert!(china.contains("arn:aws-cn:") && !china.contains("arn:aws:"));
}

/// Would catch templates that can only be had with credentials, or with something else among them.
#[test]
fn templates_can_be_printed_without_credentials() {
    let home = Home::new();
    let bootstrap =
        home.offline(&[], &["template", "bootstrap"]).expect(0).says(&["StockpipeBootstrap", "Id=12HEXDIGITS"]);
    assert!(bootstrap.stdout.starts_with("AWSTemplateFormatVersion") && !bootstrap.stdout.contains("Value: unknown"));
    home.write("stockpipe.yaml", "aws:\n  shard_count: 2\n  merge_schedule: rate(1 day)\n");
    let pipeline = home.offline(&[], &["template"]).expect(0);
    let pipeline = pipeline.says(&["without an account", "MergeSchedule='rate(1 day)' ShardCount=2", "ProcessCodeKey"]);
    assert!(pipeline.stdout.contains("TableName: !Sub ${AWS::StackName}-stock-market-data"));
    assert!(!pipeline.stdout.contains("AWS::Budgets::Budget") && !pipeline.stderr.contains("Raw="));
}

/// Would catch a doctor that stops at the first thing that is missing, or does not say what to do.
#[test]
fn doctor_says_all_that_is_missing() {
    let home = Home::new();
    let table = home.offline(&[], &["--target", "aws", "doctor"]).expect(1);
    for text in ["✗ region", "✗ credentials", "AWS_REGION=us-east-1", "aws configure sso", "✓ settings"] {
        assert!(table.stdout.contains(text), "{text}: {table:#?}");
    }
    let table = table.says(&["missing before `stockpipe up --target aws`"]);
    assert!(!table.stdout.contains('\u{1b}'));
    home.write("stockpipe.yaml", "target: aws\naws:\n  alerts_url: http://example.com\n");
    let rows = home.offline(&[("AWS_REGION", "us-east-1")], &["doctor", "--format", "csv"]).expect(1).stdout;
    let (header, rows) = csv(&rows);
    assert_eq!(header, ["check", "result", "detail", "remedy"]);
    let of = |check: &str| rows.iter().find(|row| row[0] == check).map(|row| row[1].as_str());
    assert_eq!((of("region"), of("credentials"), of("settings")), (None, Some("missing"), Some("missing")));
    assert!(rows.iter().all(|row| row[1] == "ok" || !row[3].is_empty()), "{rows:?}");
}

/// Would catch a doctor that looks for AWS where nobody wants it, or leaves something behind.
#[test]
fn doctor_looks_at_this_machine() {
    let home = Home::new();
    let before = home.files();
    let found = home.offline(&[], &["doctor", "--format", "json"]).expect(0).stdout;
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let checks: Vec<&str> = found.as_array().expect("findings").iter().filter_map(|f| f["check"].as_str()).collect();
    assert_eq!(checks, ["folder", "disk", "stack"]);
    assert_eq!(home.files(), before);
    home.offline(&[], &["status", "--events"]).expect(2).says(&["stockpipe status --target aws"]);
}
