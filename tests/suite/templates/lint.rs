//! What linters say of the templates.

use super::template::{Template, folder, text};
use crate::python;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output},
};

const PACKAGES: [&str; 2] = ["cfn-lint==1.58.0", "checkov==3.3.30"];
const TEMPLATES: [&str; 2] = ["bootstrap.yaml", "pipeline.yaml"];
/// What turns every option on.
const OPTIONS: [(&str, &str); 12] = [
    ("PermissionsBoundary", "'yes'"),
    ("ServiceRole", "'yes'"),
    ("FanOut", "'yes'"),
    ("CustomerKey", "new"),
    ("Isolation", "'yes'"),
    ("AuditTrail", "'yes'"),
    ("PointInTimeRecovery", "'yes'"),
    ("MonthlyBudget", "50"),
    ("DeletionProtection", "'yes'"),
    ("TableMode", "provisioned"),
    ("RawDays", "30"),
    ("ParquetDays", "30"),
];

fn tool(name: &str) -> Command {
    let python = python::with(&PACKAGES).unwrap_or_else(|error| panic!("{error}"));
    Command::new(python.with_file_name(name))
}

fn said(ended: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
}

/// The template with the options on by default.
fn with_options(template: &str) -> String {
    let mut parameter = "";
    let mut lines = Vec::new();
    for line in template.lines() {
        let name = line.strip_prefix("  ").and_then(|l| l.strip_suffix(':')).filter(|l| !l.starts_with(' '));
        parameter = name.unwrap_or(parameter);
        let on = OPTIONS.iter().find(|(option, _)| *option == parameter);
        match on.filter(|_| line.starts_with("    Default:")) {
            Some((_, value)) => lines.push(format!("    Default: {value}")),
            None => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

/// Would catch a property, value or reference that CloudFormation refuses, in any region.
#[test]
fn cloudformation_accepts_them() {
    let mut lint = tool("cfn-lint");
    let ended = lint.current_dir(folder()).args(["-c", "I", "-r", "ALL_REGIONS", "--"]).args(TEMPLATES).output();
    let ended = ended.expect("cfn-lint");
    assert!(ended.status.success() && ended.stdout.is_empty(), "{}", said(&ended));
    // The one thing left out, budgets, is argued for beside it.
    assert_eq!(TEMPLATES.map(|name| text(name).matches("ignore_checks").count()), [0, 1]);
}

/// Would catch what is against good practice and not argued for beside it, with the options off and on, and a
/// suppression that suppresses nothing.
#[test]
fn good_practice_or_a_reason() {
    // Without the suppressions: what is found then is what has to be argued for.
    let copies = tempfile::tempdir().expect("a folder");
    let mut argued = BTreeSet::new();
    for name in TEMPLATES {
        let (mut unargued, mut resource) = (String::new(), String::new());
        for line in text(name).lines() {
            if let Some(name) = line.strip_prefix("  ").and_then(|l| l.strip_suffix(':')) {
                resource = name.to_owned();
            }
            if let Some((_, skip)) = line.split_once("checkov:skip=") {
                let (check, reason) = skip.split_once(':').expect("a reason");
                assert!(reason.len() > 10, "{resource}: {skip}");
                argued.insert((name.to_owned(), resource.clone(), check.to_owned()));
            } else {
                unargued.push_str(line);
                unargued.push('\n');
            }
        }
        let on = with_options(&unargued);
        for (kind, text) in [("off", unargued), ("on", on)] {
            let folder = copies.path().join(kind);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join(name), text).expect("a copy");
        }
    }
    let mut checkov = tool("checkov");
    // Without what it would fetch by network.
    checkov.args(["--framework", "cloudformation", "--skip-download", "--output", "json", "--directory"]);
    let ended = checkov.arg(copies.path()).output().expect("checkov");
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{}", said(&ended)));
    let last =
        |value: &Value, at: char| value.as_str().and_then(|text| text.rsplit(at).next()).expect("a name").to_owned();
    let failed = report["results"]["failed_checks"].as_array().expect("checks").iter();
    let failed: BTreeSet<_> =
        failed.map(|c| (last(&c["file_path"], '/'), last(&c["resource"], '.'), last(&c["check_id"], ' '))).collect();
    assert_eq!(failed, argued);
    let resources = TEMPLATES.map(|name| Template::read(name).members("/Resources").len());
    assert_eq!(report["summary"]["resource_count"], 2 * resources.iter().sum::<usize>(), "all of each, off and on");
}
