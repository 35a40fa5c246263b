//! What to type next, by the class of what failed.

use super::{Act, Board, Outcome, Reason, Resource, Status, between, class::Class, outside};
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

impl Context<'_> {
    /// What to do, with the command to type.
    pub fn hint(&self, reason: &Reason) -> String {
        let hint = self.by_class(Class::of(reason), reason);
        let Some(way_out) = self.way_out() else { return hint };
        format!("{way_out};\n{hint}")
    }

    /// Out of what CloudFormation does not leave by itself.
    fn way_out(&self) -> Option<String> {
        if self.outcome != Outcome::RollbackFailed {
            return None;
        }
        let flags = self.flags;
        if self.act == Act::Create {
            return Some(format!("first `stockpipe down{flags}`, which removes what is left"));
        }
        let stuck: Vec<String> = self.stuck.iter().map(|resource| outside(&resource.name)).collect();
        let skip: String = stuck.iter().map(|name| format!(" --skip-rollback {name}")).collect();
        Some(format!("first `stockpipe up{flags}{skip}`, which ends the rollback and leaves those as they are"))
    }

    fn by_class(&self, class: Class, reason: &Reason) -> String {
        let again = self.again();
        let first = self.failed.first();
        let role = self.young_role(class, reason);
        match (class, role) {
            (Class::RoleOfFunction | Class::Denied | Class::Key, Some((role, age))) => format!(
                "{role} was made {} s earlier and may not have spread yet; run {again} again, or see every event with {}",
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
                        "a policy denies {who} {action} explicitly, which no grant overrules: a service control policy \
                         or a permissions boundary; whoever keeps it can tell, then {again}"
                    );
                }
                format!(
                    "allow {who} to {action}, then {again}; `stockpipe doctor{}` checks the other rights",
                    self.flags
                )
            }
            (Class::Exists, _) => match first.filter(|first| first.kind == "AWS::Logs::LogGroup") {
                Some(group) => format!(
                    "a function made that log group by itself and left it; remove it with \
                     `aws logs delete-log-group --log-group-name {}`, then {again}",
                    identifier(reason).map_or_else(|| outside(&group.name), outside)
                ),
                None if owner(reason).is_some() => format!(
                    "it belongs to stack '{}': give that one up first, or choose another name with --stack; then {again}",
                    owner(reason).map(outside).unwrap_or_default()
                ),
                None => format!(
                    "what an earlier `stockpipe down --keep-data` left, {again} takes in; what is not this pipeline's \
                     has to go first, or choose another name with --stack"
                ),
            },
            (Class::Limit, _) => {
                let service = first.map_or("cloudformation", |first| service_code(&first.kind));
                format!(
                    "a quota of the account is used up; ask for more in Service Quotas \
                     (`aws service-quotas list-service-quotas --service-code {service}`), then {again}"
                )
            }
            (Class::Concurrency, _) => format!(
                "the account may run too few functions at once to reserve any; reserve none, or ask for more \
                 (`aws service-quotas get-service-quota --service-code lambda --quota-code L-B99A9384`), then {again}"
            ),
            (Class::Full, _) if self.act == Act::Delete => {
                format!("something was written meanwhile; {again} empties it once more and goes on")
            }
            (Class::Full, _) => format!("`stockpipe down{}` empties what it removes; then {again}", self.flags),
            (Class::Throttled, _) => format!("AWS asks to go slower; wait a minute, then {again}"),
            (Class::Key, None) => format!(
                "the key has to be enabled, and its policy has to allow what the template's own key allows \
                 (`stockpipe template`); then {again}"
            ),
            (Class::CodeMissing, _) => {
                format!("the functions' code is not in the bucket (any more); {again} puts it there")
            }
            (Class::Network, _) => format!(
                "Lambda gives the network interfaces of functions in subnets back after 20 to 40 minutes; then {again}"
            ),
            (Class::TimedOut, _) => format!(
                "it took longer than CloudFormation waits; https://health.aws.amazon.com tells of disturbances; \
                 run {again} again"
            ),
            (Class::Account, _) => format!(
                "the account is not ready for this service: sign in to the console, complete billing and verification, \
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
                    "{again} tries again; `aws cloudformation delete-stack --stack-name {} --retain-resources {}` \
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
            None if class == Class::RoleOfFunction => {
                let likeness = |role: &&Resource| common(&role.name, &first.name);
                roles.max_by_key(likeness).filter(|role| likeness(role) > 0)
            }
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

/// The stack that what is there already belongs to: `… already exists in stack arn:…:stack/NAME/ID`.
fn owner(reason: &Reason) -> Option<&str> {
    let (_, arn) = reason.message.split_once("already exists in stack ")?;
    arn.split('/').nth(1)
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
