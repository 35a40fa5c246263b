//! Who may do what.

use super::template::{Template, list, said};
use crate::harness::snapshot;
use serde_json::Value;
use std::collections::BTreeSet;

/// A statement of a policy, and the option that it depends on.
struct Statement<'a> {
    option: Option<&'a str>,
    body: &'a Value,
}

impl<'a> Statement<'a> {
    /// The statements of a policy document.
    fn of(document: &'a Value) -> Vec<Self> {
        let statement = |value: &'a Value| match value.get("Fn::If") {
            Some(choice) => Self { option: choice[0].as_str(), body: &choice[1] },
            None => Self { option: None, body: value },
        };
        list(&document["Statement"]).into_iter().map(statement).collect()
    }

    fn actions(&self) -> BTreeSet<&'a str> {
        list(&self.body["Action"]).into_iter().map(|a| a.as_str().expect("an action")).collect()
    }

    fn resources(&self) -> Vec<String> {
        list(&self.body["Resource"]).into_iter().map(said).collect()
    }

    fn allows(&self) -> bool {
        self.body["Effect"] == "Allow"
    }
}

const FUNCTIONS: [&str; 3] = ["ProcessStockData", "StockTrendAnalysis", "ArchiveStockData"];

fn role<'a>(template: &'a Template, function: &str) -> Vec<Statement<'a>> {
    Statement::of(template.property(&format!("{function}Role"), "Policies/0/PolicyDocument"))
}

fn actions<'a>(statements: impl IntoIterator<Item = Statement<'a>>) -> BTreeSet<&'a str> {
    statements.into_iter().filter(Statement::allows).flat_map(|s| s.actions()).collect()
}

/// What Lambda asks for in the name of a function's role, as of AWS.
pub struct ByLambda {
    pub functions: &'static [&'static str],
    pub actions: &'static [&'static str],
    /// As the template says it.
    pub resource: &'static str,
    /// The option that it depends on.
    option: Option<&'static str>,
}

impl ByLambda {
    const fn of(
        functions: &'static [&'static str],
        actions: &'static [&'static str],
        resource: &'static str,
        option: Option<&'static str>,
    ) -> Self {
        Self { functions, actions, resource, option }
    }
}

/// No emulator checks these, so that no function can show that it needs them: the reads of event sources, where what was
/// given up is kept, logs, a customer's key, and the way into subnets.
pub const BY_LAMBDA: [ByLambda; 10] = [
    ByLambda::of(
        &["ProcessStockData", "ArchiveStockData"],
        &[
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        ],
        "StockStream.Arn",
        None,
    ),
    ByLambda::of(
        &["ProcessStockData"],
        &["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"],
        "ProcessConsumer.ConsumerARN",
        Some("FansOut"),
    ),
    ByLambda::of(
        &["StockTrendAnalysis"],
        &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
        "QuotesTable.StreamArn",
        None,
    ),
    ByLambda::of(&["StockTrendAnalysis"], &["dynamodb:ListStreams"], "*", None),
    ByLambda::of(&FUNCTIONS, &["s3:PutObject"], "${DataBucket.Arn}/aws/lambda/*", None),
    // Archive's own code lists as well.
    ByLambda::of(&["ProcessStockData", "StockTrendAnalysis"], &["s3:ListBucket"], "DataBucket.Arn", None),
    ByLambda::of(&["ProcessStockData"], LOGS, "ProcessStockDataLogs.Arn", None),
    ByLambda::of(&["StockTrendAnalysis"], LOGS, "StockTrendAnalysisLogs.Arn", None),
    ByLambda::of(&["ArchiveStockData"], LOGS, "ArchiveStockDataLogs.Arn", None),
    ByLambda::of(
        &FUNCTIONS,
        &["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"],
        "MakesKey? Key.Arn : CustomerKey",
        Some("HasKey"),
    ),
];

const LOGS: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];

/// Would catch a function that does not start, is not fed, leaves no log, or loses what it gives up: what no run of a
/// function here would show.
#[test]
fn lambda_may_do_what_it_does_for_a_function() {
    let template = Template::read("pipeline.yaml");
    for by in BY_LAMBDA {
        for function in by.functions {
            let statements = role(&template, function);
            for action in by.actions {
                let allowed = statements.iter().any(|statement| {
                    statement.allows()
                        && (statement.option, statement.actions().contains(action)) == (by.option, true)
                        && statement.resources().iter().any(|resource| resource == by.resource)
                });
                assert!(allowed, "{function}: {action} on {}", by.resource);
            }
        }
    }
}

/// Would catch a right that a function gains or loses unseen.
#[test]
fn a_function_may_do_exactly_this() {
    let template = Template::read("pipeline.yaml");
    let mut text = String::new();
    for function in FUNCTIONS {
        assert_eq!(said(template.property(function, "Role")), format!("{function}Role.Arn"));
        let role_name = format!("{function}Role");
        assert!(template.at(&format!("/Resources/{role_name}/Properties")).get("ManagedPolicyArns").is_none());
        assert_eq!(template.property(&role_name, "Policies").as_array().expect("policies").len(), 1);
        let trust = template.property(&role_name, "AssumeRolePolicyDocument/Statement");
        assert_eq!(trust.as_array().expect("statements").len(), 1);
        assert_eq!(trust[0]["Principal"]["Service"], "lambda.amazonaws.com");
        text.push_str(&format!("{function}\n"));
        for statement in role(&template, function) {
            let option = statement.option.map_or_else(String::new, |o| format!(" if {o}"));
            let effect = statement.body["Effect"].as_str().expect("an effect").to_lowercase();
            text.push_str(&format!("  {effect}{option}\n"));
            for action in statement.actions() {
                assert!(!action.contains('*') || !statement.allows(), "{function}: {action}");
                text.push_str(&format!("    {action}\n"));
            }
            for resource in statement.resources() {
                text.push_str(&format!("      on {resource}\n"));
                // What Lambda asks for without a name, and what is denied.
                let argued = ["Streams", "Network", "NetworkNotByCode"].map(Value::from);
                assert!(resource != "*" || argued.contains(&statement.body["Sid"]), "{function}");
            }
        }
    }
    snapshot("template-rights.txt", &text);
}

/// Would catch a boundary, or an endpoint of the isolated network, that forbids what a function has to do.
#[test]
fn what_bounds_the_functions_lets_them_work() {
    let template = Template::read("pipeline.yaml");
    let needed = |service: &str| -> BTreeSet<&str> {
        let all = FUNCTIONS.iter().flat_map(|f| actions(role(&template, f)));
        all.filter(|action| action.starts_with(service)).collect()
    };
    let bootstrap = Template::read("bootstrap.yaml");
    let boundary = actions(Statement::of(bootstrap.property("Boundary", "PolicyDocument")));
    assert_eq!(needed(""), boundary, "needed, and within the boundary");
    // Lambda reads the streams from outside of the network.
    let by_lambda = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
    for (endpoint, service) in [("S3Endpoint", "s3:"), ("DynamoDbEndpoint", "dynamodb:"), ("SnsEndpoint", "sns:")] {
        let through = actions(Statement::of(template.property(endpoint, "PolicyDocument")));
        let mut by_code = needed(service);
        by_code.retain(|action| !by_lambda.iter().any(|l| action.ends_with(&format!(":{l}"))));
        assert_eq!(by_code, through, "{endpoint}");
    }
}

/// Would catch a bucket or topic that takes requests in the clear, and a service that may use it for other accounts.
#[test]
fn resources_refuse_plain_http_and_other_accounts() {
    let (pipeline, bootstrap) = (Template::read("pipeline.yaml"), Template::read("bootstrap.yaml"));
    let mut protected = BTreeSet::new();
    for template in [&pipeline, &bootstrap] {
        for policy in [template.of_type("S3::BucketPolicy"), template.of_type("SNS::TopicPolicy")].concat() {
            let statements = Statement::of(template.property(policy, "PolicyDocument"));
            let plain = statements.iter().find(|s| s.body["Sid"] == "TlsOnly").expect("a denial");
            assert_eq!((&plain.body["Effect"], &plain.body["Principal"]), (&"Deny".into(), &"*".into()));
            assert_eq!(plain.body["Condition"]["Bool"]["aws:SecureTransport"], "false");
            for statement in statements.iter().filter(|s| s.allows()) {
                let condition = statement.body["Condition"]["StringEquals"].as_object().expect("a condition");
                let from = ["aws:SourceAccount", "aws:SourceArn"];
                assert!(condition.keys().any(|k| from.contains(&&**k)), "{policy}");
            }
            let properties = template.at(&format!("/Resources/{policy}/Properties"));
            protected.insert(said(properties.get("Bucket").unwrap_or(&properties["Topics"][0])));
        }
    }
    let mut all = BTreeSet::new();
    for template in [&pipeline, &bootstrap] {
        all.extend([template.of_type("S3::Bucket"), template.of_type("SNS::Topic")].concat());
    }
    assert_eq!(protected.iter().map(|name| &**name).collect::<BTreeSet<_>>(), all);
}

/// Would catch a policy that IAM refuses for its size: 10,240 characters of a role, 6,144 of a managed one.
#[test]
fn policies_are_not_too_large() {
    let size = |template: &Template, document: &Value| -> usize {
        let mut text = document.to_string();
        // The longest that there are.
        for (parameter, value) in [
            ("${AWS::Partition}", "aws-us-gov"),
            ("${AWS::Region}", "ap-southeast-1"),
            ("${AWS::AccountId}", "123456789012"),
            ("${AWS::StackName}", "abcdefghijklmnopqrst"),
        ] {
            text = text.replace(parameter, value);
        }
        // References become ARNs of up to 120 characters.
        let references = template.members("/Resources").keys().map(|name| text.matches(&**name).count()).sum::<usize>();
        text.len() + 120 * references
    };
    for name in ["pipeline.yaml", "bootstrap.yaml"] {
        let template = Template::read(name);
        for role in template.of_type("IAM::Role") {
            let size = size(&template, template.property(role, "Policies"));
            assert!(size < 10_240, "{role}: {size}");
        }
        for policy in template.of_type("IAM::ManagedPolicy") {
            let size = size(&template, template.property(policy, "PolicyDocument"));
            assert!(size < 6_144, "{policy}: {size}");
        }
    }
}
