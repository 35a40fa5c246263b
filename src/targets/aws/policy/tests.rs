use super::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const SCOPE: Scope<'static> = Scope { partition: "aws", stack: "abcdefghij-klmnopqrs" };

/// What each call of the deployer takes.
const CALLS: [(&str, &[&str]); 59] = [
    ("Athena.BatchGetNamedQuery", &["athena:BatchGetNamedQuery"]),
    ("Athena.CreateNamedQuery", &["athena:CreateNamedQuery"]),
    ("Athena.DeleteNamedQuery", &["athena:DeleteNamedQuery"]),
    ("Athena.GetQueryExecution", &["athena:GetQueryExecution"]),
    ("Athena.GetQueryResults", &["athena:GetQueryResults", "s3:GetObject"]),
    ("Athena.GetTableMetadata", &["athena:GetTableMetadata", "glue:GetTable"]),
    ("Athena.ListNamedQueries", &["athena:ListNamedQueries"]),
    // Athena reads catalog and lake, and writes the answer, in the name of who asks.
    (
        "Athena.StartQueryExecution",
        &[
            "athena:StartQueryExecution",
            "glue:GetDatabase",
            "glue:GetTable",
            "s3:AbortMultipartUpload",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:ListBucketMultipartUploads",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
        ],
    ),
    ("Athena.StopQueryExecution", &["athena:StopQueryExecution"]),
    ("CloudFormation.CancelUpdateStack", &["cloudformation:CancelUpdateStack"]),
    ("CloudFormation.ContinueUpdateRollback", &["cloudformation:ContinueUpdateRollback"]),
    ("CloudFormation.CreateChangeSet", &["cloudformation:CreateChangeSet", "s3:GetObject"]),
    ("CloudFormation.DeleteChangeSet", &["cloudformation:DeleteChangeSet"]),
    ("CloudFormation.DeleteStack", &["cloudformation:DeleteStack"]),
    ("CloudFormation.DescribeChangeSet", &["cloudformation:DescribeChangeSet"]),
    ("CloudFormation.DescribeStackDriftDetectionStatus", &["cloudformation:DescribeStackDriftDetectionStatus"]),
    ("CloudFormation.DescribeStackEvents", &["cloudformation:DescribeStackEvents"]),
    ("CloudFormation.DescribeStackResourceDrifts", &["cloudformation:DescribeStackResourceDrifts"]),
    // Of all stacks it takes the list as well.
    ("CloudFormation.DescribeStacks", &["cloudformation:DescribeStacks", "cloudformation:ListStacks"]),
    (
        "CloudFormation.DetectStackDrift",
        &["cloudformation:DetectStackDrift", "cloudformation:DetectStackResourceDrift"],
    ),
    ("CloudFormation.ExecuteChangeSet", &["cloudformation:ExecuteChangeSet"]),
    ("CloudFormation.GetTemplate", &["cloudformation:GetTemplate"]),
    ("CloudFormation.ListChangeSets", &["cloudformation:ListChangeSets"]),
    ("CloudFormation.ListStackResources", &["cloudformation:ListStackResources"]),
    ("CloudFormation.ValidateTemplate", &["cloudformation:ValidateTemplate"]),
    ("CloudWatch.DescribeAlarms", &["cloudwatch:DescribeAlarms"]),
    ("CloudWatch.GetMetricData", &["cloudwatch:GetMetricData"]),
    ("DynamoDB.DeleteTable", &["dynamodb:DeleteTable"]),
    ("DynamoDB.DescribeTable", &["dynamodb:DescribeTable"]),
    ("DynamoDB.Query", &["dynamodb:Query"]),
    ("IAM.GetRole", &["iam:GetRole"]),
    ("IAM.SimulatePrincipalPolicy", &["iam:SimulatePrincipalPolicy"]),
    ("KMS.ListResourceTags", &["kms:ListResourceTags"]),
    ("KMS.ScheduleKeyDeletion", &["kms:ScheduleKeyDeletion"]),
    ("Kinesis.DescribeLimits", &["kinesis:DescribeLimits"]),
    ("Kinesis.GetRecords", &["kinesis:GetRecords"]),
    ("Kinesis.GetShardIterator", &["kinesis:GetShardIterator"]),
    ("Kinesis.ListShards", &["kinesis:ListShards"]),
    ("Kinesis.PutRecords", &["kinesis:PutRecords"]),
    ("Lambda.GetAccountSettings", &["lambda:GetAccountSettings"]),
    ("Lambda.GetEventSourceMapping", &["lambda:GetEventSourceMapping"]),
    ("Lambda.GetFunctionConfiguration", &["lambda:GetFunctionConfiguration"]),
    ("Lambda.Invoke", &["lambda:InvokeFunction"]),
    ("Lambda.UpdateEventSourceMapping", &["lambda:UpdateEventSourceMapping"]),
    ("Logs.DeleteLogGroup", &["logs:DeleteLogGroup"]),
    ("Logs.FilterLogEvents", &["logs:FilterLogEvents"]),
    ("S3.CopyObject", &["s3:GetObject", "s3:PutObject"]),
    ("S3.DeleteBucket", &["s3:DeleteBucket"]),
    ("S3.DeleteObject", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("S3.DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("S3.GetBucketEncryption", &["s3:GetEncryptionConfiguration"]),
    ("S3.GetObject", &["s3:GetObject"]),
    ("S3.HeadBucket", &["s3:ListBucket"]),
    ("S3.HeadObject", &["s3:GetObject", "s3:ListBucket"]),
    ("S3.ListObjectVersions", &["s3:ListBucketVersions"]),
    ("S3.ListObjectsV2", &["s3:ListBucket"]),
    ("S3.PutObject", &["s3:PutObject"]),
    ("SNS.ListSubscriptionsByTopic", &["sns:ListSubscriptionsByTopic"]),
    // Anybody may ask who they are.
    ("STS.GetCallerIdentity", &[]),
];

/// Where the calls are that everybody makes who uses what is deployed.
const OF_USERS: [&str; 2] = ["deployed", "health"];
/// And where those are that the deployer makes as well.
const OF_BOTH: &str = "health";
/// Calls of `status` beside those, in files that are the deployer's.
const OF_STATUS: [&str; 6] = [
    "CloudFormation.DescribeStackEvents",
    "CloudFormation.DescribeStackResourceDrifts",
    "CloudFormation.DescribeStacks",
    "CloudFormation.ListStackResources",
    "Lambda.GetEventSourceMapping",
    "SNS.ListSubscriptionsByTopic",
];

/// The calls that the source names below folders or in files that are wanted.
fn calls(is_wanted: impl Fn(&Path) -> bool) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") && is_wanted(&path) {
                let text = fs::read_to_string(&path).expect("a text");
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                calls.extend(text.split('"').filter(|word| is_call(word)).map(str::to_owned));
            }
        }
    }
    calls
}

fn is_below(path: &Path, folder: &str) -> bool {
    path.iter().any(|part| part == folder || part == format!("{folder}.rs").as_str())
}

/// What these calls take.
fn rights_of(calls: &BTreeSet<String>) -> BTreeSet<&'static str> {
    let known: BTreeMap<&str, &'static [&'static str]> = CALLS.into_iter().collect();
    let rights = |call: &String| {
        known.get(&**call).copied().unwrap_or_else(|| panic!("which rights does {call} take? Say it in CALLS"))
    };
    calls.iter().flat_map(rights).copied().collect()
}

fn given(statements: &[&[Statement]]) -> BTreeSet<&'static str> {
    statements.concat().iter().flat_map(|statement| statement.actions).copied().collect()
}

/// `Service.Operation`.
fn is_call(word: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let is_word = |name: &str| is_name(name) && name.contains(|c: char| c.is_ascii_lowercase());
    word.split_once('.').is_some_and(|(service, operation)| is_name(service) && is_word(operation))
}

fn values(of: &[(&str, &str)]) -> Values {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn everything() -> Values {
    values(&[("Isolation", "yes"), ("CustomerKey", "new"), ("AuditTrail", "yes"), ("MonthlyBudget", "20")])
}

/// Would catch a call without its right, and a right without its call.
#[test]
fn everybody_may_do_what_they_call_and_no_more() {
    let of_deployer = calls(|path| is_below(path, OF_BOTH) || !OF_USERS.iter().any(|folder| is_below(path, folder)));
    let mut needed = rights_of(&of_deployer);
    // Athena looks a table up in the catalog, in its database.
    needed.insert("glue:GetDatabase");
    assert_eq!(given(&[DEPLOYER, HEALTH]), needed);
    let mut of_users = calls(|path| OF_USERS.iter().any(|folder| is_below(path, folder)));
    of_users.extend(OF_STATUS.map(str::to_owned));
    let mut needed = rights_of(&of_users);
    // They look at their stack alone, and leave old versions of objects.
    needed.remove("cloudformation:ListStacks");
    needed.remove("s3:DeleteObjectVersion");
    assert_eq!(given(&[HEALTH, USER]), needed);
    let all: BTreeSet<&String> = of_deployer.union(&of_users).collect();
    let unused: Vec<&str> =
        CALLS.into_iter().map(|(call, _)| call).filter(|call| !all.iter().any(|c| c == call)).collect();
    assert!(unused.is_empty(), "not called any more: {unused:?}");
}

/// Would catch a document that IAM refuses for its length, whatever the stack is called.
#[test]
fn parts_fit_into_managed_policies() {
    let count = |maker, values: &Values| {
        let statements = statements(maker, values);
        let parts = parts(&statements, SCOPE);
        assert!(parts.iter().all(|part| length(part, SCOPE) <= MOST_OF_MANAGED));
        assert_eq!(parts.concat().len(), statements.len());
        let text = document(&statements, SCOPE).expect("a policy");
        assert_eq!(text.chars().filter(|c| !c.is_whitespace()).count(), length(&statements, SCOPE));
        parts.len()
    };
    assert_eq!(count(Maker::Role, &everything()), 1);
    assert_eq!(count(Maker::Deployer, &Values::new()), 2);
    assert_eq!(count(Maker::Deployer, &everything()), 3);
    assert_eq!(count(Maker::Nobody, &everything()), 1);
}

/// Would catch what IAM refuses or takes as more than was meant: a whole service, a name twice, what is no ARN.
#[test]
fn statements_are_narrow() {
    let all = statements(Maker::Deployer, &everything());
    let mut sids = BTreeSet::new();
    for statement in all.iter().chain(HANDING_OVER).chain([&ARTIFACT_BUCKET]).chain(USER).chain(UNDER_KEY) {
        let sid = statement.sid;
        assert!(sids.insert(sid) && sid.chars().all(|c| c.is_ascii_alphanumeric()), "{sid}");
        for action in statement.actions {
            let (service, name) = action.split_once(':').expect("an action");
            assert!(service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{action}");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()) && name.len() > 3, "{action}");
        }
        let sorted: BTreeSet<_> = statement.actions.iter().collect();
        assert!(statement.actions.iter().eq(sorted), "{sid} is not in order, or names one twice");
        for arn in statement.arns(SCOPE) {
            assert!(arn == "*" || arn.starts_with("arn:aws:") && arn.split(':').count() >= 6, "{arn}");
            assert!(!arn.contains('{'), "{arn}");
        }
    }
}

/// Would catch rights of an option that was not asked for.
#[test]
fn options_bring_their_rights() {
    let services = |values: &Values| -> BTreeSet<&str> {
        let statements = statements(Maker::Deployer, values);
        statements.iter().flat_map(|s| s.actions).filter_map(|action| action.split(':').next()).collect()
    };
    let plain = services(&values(&[("Isolation", "no"), ("CustomerKey", "none"), ("MonthlyBudget", "0")]));
    assert!(!plain.contains("ec2") && !plain.contains("cloudtrail") && !plain.contains("budgets"));
    let all = services(&everything());
    assert!(["ec2", "kms", "cloudtrail", "budgets"].iter().all(|service| all.contains(service)));
}

/// Would catch a type of the templates whose rights nobody thought of.
#[test]
fn every_type_of_the_templates_can_be_made_and_removed() {
    let rights: BTreeSet<&str> =
        statements(Maker::Deployer, &everything()).iter().flat_map(|s| s.actions).copied().collect();
    let made = [
        ("AWS::Athena::WorkGroup", "athena:CreateWorkGroup", "athena:DeleteWorkGroup"),
        ("AWS::Budgets::Budget", "budgets:ModifyBudget", "budgets:ModifyBudget"),
        ("AWS::CloudTrail::Trail", "cloudtrail:CreateTrail", "cloudtrail:DeleteTrail"),
        ("AWS::CloudWatch::Alarm", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
        ("AWS::CloudWatch::Dashboard", "cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"),
        ("AWS::DynamoDB::Table", "dynamodb:CreateTable", "dynamodb:DeleteTable"),
        ("AWS::EC2::RouteTable", "ec2:CreateRouteTable", "ec2:DeleteRouteTable"),
        ("AWS::EC2::SecurityGroup", "ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup"),
        ("AWS::EC2::Subnet", "ec2:CreateSubnet", "ec2:DeleteSubnet"),
        ("AWS::EC2::SubnetRouteTableAssociation", "ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"),
        ("AWS::EC2::VPC", "ec2:CreateVpc", "ec2:DeleteVpc"),
        ("AWS::EC2::VPCEndpoint", "ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints"),
        ("AWS::Events::Rule", "events:PutRule", "events:DeleteRule"),
        ("AWS::Glue::Database", "glue:CreateDatabase", "glue:DeleteDatabase"),
        ("AWS::Glue::Table", "glue:CreateTable", "glue:DeleteTable"),
        ("AWS::IAM::ManagedPolicy", "iam:CreatePolicy", "iam:DeletePolicy"),
        ("AWS::IAM::Role", "iam:CreateRole", "iam:DeleteRole"),
        ("AWS::KMS::Alias", "kms:CreateAlias", "kms:DeleteAlias"),
        ("AWS::KMS::Key", "kms:CreateKey", "kms:ScheduleKeyDeletion"),
        ("AWS::Kinesis::Stream", "kinesis:CreateStream", "kinesis:DeleteStream"),
        ("AWS::Kinesis::StreamConsumer", "kinesis:RegisterStreamConsumer", "kinesis:DeregisterStreamConsumer"),
        ("AWS::Lambda::EventSourceMapping", "lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping"),
        ("AWS::Lambda::Function", "lambda:CreateFunction", "lambda:DeleteFunction"),
        ("AWS::Lambda::Permission", "lambda:AddPermission", "lambda:RemovePermission"),
        ("AWS::Logs::LogGroup", "logs:CreateLogGroup", "logs:DeleteLogGroup"),
        ("AWS::S3::Bucket", "s3:CreateBucket", "s3:DeleteBucket"),
        ("AWS::S3::BucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
        ("AWS::SNS::Subscription", "sns:Subscribe", "sns:Unsubscribe"),
        ("AWS::SNS::Topic", "sns:CreateTopic", "sns:DeleteTopic"),
        ("AWS::SNS::TopicPolicy", "sns:SetTopicAttributes", "sns:SetTopicAttributes"),
    ];
    let templates = [super::super::template::PIPELINE, super::super::template::BOOTSTRAP];
    let types: BTreeSet<&str> =
        templates.iter().flat_map(|t| t.lines()).filter_map(|line| line.strip_prefix("    Type: AWS::")).collect();
    assert_eq!(types, made.iter().filter_map(|(kind, ..)| kind.strip_prefix("AWS::")).collect());
    for (kind, make, remove) in made {
        assert!(rights.contains(make) && rights.contains(remove), "{kind}");
    }
}
