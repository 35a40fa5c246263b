//! What to type next, by the class of what failed.

use super::{Act, Board, Outcome, Reason, Resource, Status, between, outside};
use std::time::Duration;

/// A role that is younger than this may not be known everywhere yet.
const SPREADING: Duration = Duration::from_secs(60);

/// What a hint is about.
pub struct Context<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// The flags that name it.
    pub flags: &'a str,
    /// What the operation was to do.
    pub act: Act,
    /// How it ended.
    pub outcome: Outcome,
    /// All of the operation.
    pub board: &'a Board,
    /// What failed of itself, the first one first.
    pub failed: &'a [&'a Resource],
    /// What could not be undone.
    pub stuck: &'a [&'a Resource],
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Concurrency,
    ServiceLinkedRole,
    Account,
    CodeMissing,
    Key,
    RoleOfFunction,
    Denied,
    Exists,
    Full,
    Limit,
    Throttled,
    Network,
    TimedOut,
    Other,
}

/// By what a reason says, the first that fits: the particular ones before the general.
const CLASSES: [(Class, &[&str]); 13] = [
    (Class::Concurrency, &["below its minimum value"]),
    (Class::ServiceLinkedRole, &["ervice-linked role", "ervice Linked Role", "CreateServiceLinkedRole"]),
    (
        Class::Account,
        &[
            "OptInRequired",
            "SubscriptionRequired",
            "subscription for the service",
            "not subscribed",
            "PendingVerification",
            "being verified",
            "currently blocked",
        ],
    ),
    (Class::CodeMissing, &["NoSuchKey"]),
    (Class::Key, &["KMS", "kms:", "key policy"]),
    (
        Class::RoleOfFunction,
        &["cannot be assumed by", "ensure the role can perform", "xecution role does not have permissions"],
    ),
    (Class::Full, &["BucketNotEmpty", "not empty"]),
    (
        Class::Denied,
        &[
            "AccessDenied",
            "not authorized",
            "Access Denied",
            "access denied",
            "UnauthorizedOperation",
            "permissions error",
        ],
    ),
    (Class::Exists, &["AlreadyExists", "already exists", "AlreadyOwnedByYou"]),
    (Class::Throttled, &["Throttling", "Rate exceeded", "TooManyRequests", "SlowDown"]),
    (
        Class::Limit,
        &[
            "LimitExceeded",
            "imit exceeded",
            "exceed the",
            "TooMany",
            "QuotaExceeded",
            "maximum number",
            "more buckets than allowed",
        ],
    ),
    (Class::Network, &["etwork interface", "DependencyViolation", "dependent object", "has dependencies"]),
    (Class::TimedOut, &["timed out", "NotStabilized", "did not stabilize", "Exceeded attempts", "time out"]),
];

fn class(reason: &Reason) -> Class {
    CLASSES.iter().find(|(_, texts)| reason.says(texts)).map_or(Class::Other, |(class, _)| *class)
}

impl Context<'_> {
    /// What to do, with the command to type.
    pub fn hint(&self, reason: &Reason) -> String {
        let hint = self.by_class(class(reason), reason);
        let Some(way_out) = self.way_out() else { return hint };
        format!("{way_out};\n{hint}")
    }

    /// Out of what CloudFormation does not leave by itself.
    fn way_out(&self) -> Option<String> {
        if self.outcome != Outcome::RollbackFailed {
            return None;
        }
        let Self { stack, flags, .. } = self;
        if self.act == Act::Create {
            return Some(format!("first `stockpipe down{flags}`, which removes what is left"));
        }
        let stuck: Vec<String> = self.stuck.iter().map(|resource| outside(&resource.name)).collect();
        let skip = if stuck.is_empty() { String::new() } else { format!(" --resources-to-skip {}", stuck.join(" ")) };
        Some(format!(
            "first `aws cloudformation continue-update-rollback --stack-name {stack}{skip}`,\n\
             which ends the rollback and leaves those as they are"
        ))
    }

    fn by_class(&self, class: Class, reason: &Reason) -> String {
        let again = self.again();
        let first = self.failed.first();
        let role = self.young_role(class, reason);
        match (class, role) {
            (Class::RoleOfFunction | Class::Denied | Class::Key, Some((role, age))) => format!(
                "{role} was made {} s earlier and may not have spread yet; run {again} again,\nor see every event with {}",
                age.as_secs(),
                self.events()
            ),
            (Class::RoleOfFunction, None) => format!(
                "the function's role has to allow what it needs there, and a permissions boundary too; then {again}"
            ),
            (Class::Denied, None) => {
                let who = reason.who().map_or_else(|| "whoever deploys".into(), outside);
                let action = reason.action().map_or_else(|| "do that".into(), outside);
                if reason.says(&["explicit deny"]) {
                    return format!(
                        "a policy denies {who} {action} explicitly, which no grant overrules: a service control policy\n\
                         or a permissions boundary; whoever keeps it can tell, then {again}"
                    );
                }
                format!(
                    "allow {who} to {action}, then {again};\n`stockpipe doctor{}` checks the other rights",
                    self.flags
                )
            }
            (Class::Exists, _) => match first.filter(|first| first.kind == "AWS::Logs::LogGroup") {
                Some(group) => format!(
                    "a function made that log group by itself and left it; remove it with\n\
                     `aws logs delete-log-group --log-group-name {}`, then {again}",
                    identifier(reason).map_or_else(|| outside(&group.name), outside)
                ),
                None => format!(
                    "what an earlier `stockpipe down --keep-data` left, {again} takes in; what is not this pipeline's\n\
                     has to go first, or choose another name with --stack"
                ),
            },
            (Class::Limit, _) => {
                let service = first.map_or("cloudformation", |first| service_code(&first.kind));
                format!(
                    "a quota of the account is used up; ask for more in Service Quotas\n\
                     (`aws service-quotas list-service-quotas --service-code {service}`), then {again}"
                )
            }
            (Class::Concurrency, _) => format!(
                "the account may run too few functions at once to reserve any; reserve none, or ask for more\n\
                 (`aws service-quotas get-service-quota --service-code lambda --quota-code L-B99A9384`), then {again}"
            ),
            (Class::Full, _) if self.act == Act::Delete => {
                format!("something was written meanwhile; {again} empties it once more and goes on")
            }
            (Class::Full, _) => format!("`stockpipe down{}` empties what it removes; then {again}", self.flags),
            (Class::Throttled, _) => format!("AWS asks to go slower; wait a minute, then {again}"),
            (Class::Key, None) => format!(
                "the key has to be enabled, and its policy has to allow what the template's own key allows\n\
                 (`stockpipe template`); then {again}"
            ),
            (Class::CodeMissing, _) => {
                format!("the functions' code is not in the bucket (any more); {again} puts it there")
            }
            (Class::Network, _) => format!(
                "Lambda gives the network interfaces of functions in subnets back after 20 to 40 minutes;\nthen {again}"
            ),
            (Class::TimedOut, _) => format!(
                "it took longer than CloudFormation waits; https://health.aws.amazon.com tells of disturbances;\n\
                 run {again} again"
            ),
            (Class::Account, _) => format!(
                "the account is not ready for this service: sign in to the console, complete billing and verification,\n\
                 then {again}"
            ),
            (Class::ServiceLinkedRole, _) => {
                let who = reason.who().map_or_else(|| "whoever deploys".into(), outside);
                format!(
                    "allow {who} to iam:CreateServiceLinkedRole, or have the role made once by somebody who may; then {again}"
                )
            }
            (Class::Other, _) if self.act == Act::Delete && !self.failed.is_empty() => {
                let left: Vec<String> = self.failed.iter().map(|resource| outside(&resource.name)).collect();
                format!(
                    "{again} tries again; `aws cloudformation delete-stack --stack-name {} --retain-resources {}`\n\
                     leaves them and removes the rest",
                    self.stack,
                    left.join(" ")
                )
            }
            (Class::Other, _) => format!("{} shows every event; mend the cause, then {again}", self.events()),
        }
    }

    /// What does it once more.
    fn again(&self) -> String {
        format!("`stockpipe {}{}`", if self.act == Act::Delete { "down" } else { "up" }, self.flags)
    }

    fn events(&self) -> String {
        format!("`stockpipe status{} --events`", self.flags)
    }

    /// The role that the first failure is about, and how long before it was made, if only just.
    fn young_role(&self, class: Class, reason: &Reason) -> Option<(String, Duration)> {
        let first = self.failed.first()?;
        let failed = first.ended?;
        let made =
            |role: &&Resource| role.kind == "AWS::IAM::Role" && role.act == Act::Create && role.status == Status::Done;
        let roles = self.board.resources().iter().filter(made);
        let role = match reason.who() {
            // The role of a function is named by CloudFormation, with the template's name in it.
            Some(who) => roles.into_iter().find(|role| who.contains(&role.name)),
            // Else the one that shares the most of its name: ProcessStockDataMapping, ProcessStockDataRole.
            None if class == Class::RoleOfFunction => roles.max_by_key(|role| common(&role.name, &first.name)),
            None => None,
        }?;
        let age = between(role.ended?, failed);
        (age < SPREADING).then(|| (outside(&role.name), age))
    }
}

/// How many characters they begin with in common.
fn common(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// What a handler says is there already: the value in `'{"/properties/LogGroupName":"/aws/lambda/a"}'`.
fn identifier(reason: &Reason) -> Option<&str> {
    let (_, rest) = reason.message.split_once("\":\"")?;
    rest.split('"').next()
}

/// What Service Quotas calls the service of a type.
fn service_code(resource_type: &str) -> &'static str {
    match resource_type.split("::").nth(1).unwrap_or_default() {
        "Kinesis" => "kinesis",
        "Lambda" => "lambda",
        "DynamoDB" => "dynamodb",
        "S3" => "s3",
        "EC2" => "vpc",
        "IAM" => "iam",
        "SNS" => "sns",
        "Glue" => "glue",
        "Athena" => "athena",
        "KMS" => "kms",
        "Logs" => "logs",
        "CloudWatch" => "monitoring",
        "Events" => "events",
        _ => "cloudformation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a class that another, more general one hides: each of these is how AWS words it.
    #[test]
    fn reasons_have_their_class() {
        let told = [
            (
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [10]. (Service: Lambda, Status Code: 400, Request ID: 1)",
                Class::Concurrency,
            ),
            ("Caller does not have permission to create a Service Linked Role.", Class::ServiceLinkedRole),
            (
                "The AWS Access Key Id needs a subscription for the service (Service: Kinesis, Status Code: 400, Request ID: 1)",
                Class::Account,
            ),
            ("Your request has been blocked: your account is currently being verified", Class::Account),
            (
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist. (Service: Lambda, Status Code: 400, Request ID: 1)",
                Class::CodeMissing,
            ),
            (
                "User: arn:aws:sts::123456789012:assumed-role/d/s is not authorized to perform: kms:CreateGrant on resource: arn:aws:kms:us-east-1:123456789012:key/1",
                Class::Key,
            ),
            (
                "The role defined for the function cannot be assumed by Lambda. (Service: Lambda, Status Code: 400, Request ID: 1)",
                Class::RoleOfFunction,
            ),
            (
                "User: arn:aws:iam::123456789012:user/u is not authorized to perform: iam:CreateRole (Service: Iam; Status Code: 403; Error Code: AccessDenied; Request ID: 1; Proxy: null)",
                Class::Denied,
            ),
            (
                "stockpipe-stock-market-data already exists in stack arn:aws:cloudformation:us-east-1:123456789012:stack/a/1",
                Class::Exists,
            ),
            (
                "The bucket you tried to delete is not empty (Service: Amazon S3; Status Code: 409; Error Code: BucketNotEmpty; Request ID: 1; Proxy: null)",
                Class::Full,
            ),
            (
                "This request would exceed the shard limit for the account 123456789012 in us-east-1. (Service: Kinesis, Status Code: 400, Request ID: 1)",
                Class::Limit,
            ),
            (
                "The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400, Request ID: 1)",
                Class::Limit,
            ),
            ("Rate exceeded (Service: CloudWatch, Status Code: 400, Request ID: 1)", Class::Throttled),
            ("resource sg-0a1 has a dependent object (Service: Ec2, Status Code: 400, Request ID: 1)", Class::Network),
            ("The subnet 'subnet-0a1' has dependencies and cannot be deleted.", Class::Network),
            ("WaitCondition timed out. Received 0 conditions when expecting 1", Class::TimedOut),
            ("Exceeded attempts to wait", Class::TimedOut),
            ("Template error", Class::Other),
        ];
        for (text, expected) in told {
            assert_eq!(class(&Reason::parse(text)), expected, "{text}");
        }
    }
}
