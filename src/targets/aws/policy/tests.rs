use super::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const SCOPE: Scope<'static> = Scope { partition: "aws", stack: "abcdefghij-klmnopqrs" };

/// What each call of the deployer takes.
const CALLS: [(&str, &[&str]); 55] = [
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
    ("Lambda.GetAccountSettings", &["lambda:GetAccountSettings"]),
    ("Lambda.GetEventSourceMapping", &["lambda:GetEventSourceMapping"]),
    ("Lambda.GetFunctionConfiguration", &["lambda:GetFunctionConfiguration"]),
    ("Lambda.UpdateEventSourceMapping", &["lambda:UpdateEventSourceMapping"]),
    ("Logs.DeleteLogGroup", &["logs:DeleteLogGroup"]),
    ("Logs.FilterLogEvents", &["logs:FilterLogEvents"]),
    ("S3.DeleteBucket", &["s3:DeleteBucket"]),
    ("S3.DeleteObject", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("S3.DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("S3.GetBucketEncryption", &["s3:GetEncryptionConfiguration"]),
    ("S3.HeadBucket", &["s3:ListBucket"]),
    ("S3.HeadObject", &["s3:GetObject", "s3:ListBucket"]),
    ("S3.ListObjectVersions", &["s3:ListBucketVersions"]),
    ("S3.ListObjectsV2", &["s3:ListBucket"]),
    ("S3.PutObject", &["s3:PutObject"]),
    ("SNS.ListSubscriptionsByTopic", &["sns:ListSubscriptionsByTopic"]),
    // Anybody may ask who they are.
    ("STS.GetCallerIdentity", &[]),
];

/// The calls that the source names, of the deployer and of nobody else.
fn calls() -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                let text = fs::read_to_string(&path).expect("a text");
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                calls.extend(text.split('"').filter(|word| is_call(word)).map(str::to_owned));
            }
        }
    }
    calls
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
fn the_deployer_may_do_what_it_calls_and_no_more() {
    let known: BTreeMap<&str, &[&str]> = CALLS.into_iter().collect();
    let calls = calls();
    let mut needed = BTreeSet::new();
    for call in &calls {
        let rights = known.get(&**call).unwrap_or_else(|| panic!("which rights does {call} take? Say it in CALLS"));
        needed.extend(rights.iter().copied());
    }
    let unused: Vec<&&str> = known.keys().filter(|call| !calls.contains(**call)).collect();
    assert!(unused.is_empty(), "not called any more: {unused:?}");
    let given: BTreeSet<&str> =
        DEPLOYER.iter().chain(READER).flat_map(|statement| statement.actions).copied().collect();
    assert_eq!(given, needed);
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
    assert_eq!(count(Maker::Role, &everything()), 2);
    assert_eq!(count(Maker::Deployer, &Values::new()), 3);
    assert_eq!(count(Maker::Deployer, &everything()), 3);
}

/// Would catch what IAM refuses or takes as more than was meant: a whole service, a name twice, what is no ARN.
#[test]
fn statements_are_narrow() {
    let all = statements(Maker::Deployer, &everything());
    let mut sids = BTreeSet::new();
    for statement in all.iter().chain(HANDING_OVER).chain([&ARTIFACT_BUCKET]) {
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
