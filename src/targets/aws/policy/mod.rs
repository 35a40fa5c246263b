//! The rights of whoever deploys, from one table: what `policy` prints and `doctor` asks for.
//!
//! Account and region are `*`: a policy acts in its own account alone, and the numbers of accounts are not printed. What
//! has a name has the stack's; a bucket's name ends with digits that nobody else has. What a service knows no resources
//! for stands by itself, on `*`.

mod statements;

use super::template::Values;
use crate::error::Error;
use serde::Serialize;
use statements::{
    ALL_BUCKETS, ARTIFACT_BUCKET, AUDIT_TRAIL, BUDGET, CUSTOMER_KEY, DEPLOYER, HANDING_OVER, ISOLATION, PIPELINE,
    READER, SHARED,
};
use std::collections::BTreeMap;

/// Characters of a managed policy, blanks left out, that IAM takes.
pub const MOST_OF_MANAGED: usize = 6_144;
/// Characters of all inline policies of a role, blanks left out, that IAM takes.
pub const MOST_OF_INLINE: usize = 10_240;

/// Parameters that take rights of their own, and what each is where it takes none.
const OPTIONS: [(&str, &str, &[Statement]); 4] = [
    ("Isolation", "no", ISOLATION),
    ("CustomerKey", "none", CUSTOMER_KEY),
    ("AuditTrail", "no", AUDIT_TRAIL),
    ("MonthlyBudget", "0", BUDGET),
];

/// Something that is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// What it is for, in letters and digits.
    pub sid: &'static str,
    /// Such as `kinesis:CreateStream`.
    pub actions: &'static [&'static str],
    /// ARNs without `arn:aws:` in front, with `{stack}` and `{database}` for their names; or `*`.
    pub resources: &'static [&'static str],
    /// Operator, key and value of a condition.
    pub condition: Option<(&'static str, &'static str, &'static str)>,
}

/// Who has the rights to make the pipeline's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Whoever deploys.
    Deployer,
    /// A role that is handed to CloudFormation.
    Role,
}

/// What the names in a policy follow from.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'a str,
    /// The stack.
    pub stack: &'a str,
}

/// What it takes to deploy a pipeline with these parameters.
#[must_use]
pub fn statements(maker: Maker, values: &Values) -> Vec<Statement> {
    let own = [DEPLOYER, READER, SHARED].concat();
    if maker == Maker::Role {
        return [&*own, &[ARTIFACT_BUCKET], HANDING_OVER].concat();
    }
    let mut statements = [&*own, &[ALL_BUCKETS], PIPELINE].concat();
    for (name, without, rights) in OPTIONS {
        if values.get(name).is_some_and(|value| value != without) {
            statements.extend(rights);
        }
    }
    statements
}

/// The statements in as few parts as are managed policies.
#[must_use]
pub fn parts(statements: &[Statement], scope: Scope<'_>) -> Vec<Vec<Statement>> {
    let mut parts: Vec<Vec<Statement>> = Vec::new();
    for statement in statements {
        if let Some(part) = parts.last_mut() {
            part.push(*statement);
            if length(part, scope) <= MOST_OF_MANAGED {
                continue;
            }
            part.pop();
        }
        parts.push(vec![*statement]);
    }
    parts
}

/// The statements as an IAM policy, in JSON for people.
pub fn document(statements: &[Statement], scope: Scope<'_>) -> Result<String, Error> {
    serde_json::to_string_pretty(&Document::of(statements, scope))
        .map_err(|error| Error::new("the policy cannot be written").because(error))
}

/// The length of a policy as IAM counts it: without blanks.
#[must_use]
pub fn length(statements: &[Statement], scope: Scope<'_>) -> usize {
    // No value in it has a blank.
    serde_json::to_string(&Document::of(statements, scope)).map_or(usize::MAX, |text| text.chars().count())
}

/// The partition of a region.
#[must_use]
pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl Statement {
    const fn of(sid: &'static str, actions: &'static [&'static str], resources: &'static [&'static str]) -> Self {
        Self { sid, actions, resources, condition: None }
    }

    const fn when(mut self, operator: &'static str, key: &'static str, value: &'static str) -> Self {
        self.condition = Some((operator, key, value));
        self
    }

    /// Its ARNs.
    pub fn arns(&self, scope: Scope<'_>) -> Vec<String> {
        self.resources.iter().map(|resource| arn(resource, scope)).collect()
    }

    /// The condition's operator, key and value.
    #[must_use]
    pub fn condition(&self, scope: Scope<'_>) -> Option<(&'static str, &'static str, String)> {
        self.condition.map(|(operator, key, value)| {
            // An ARN, or just a value.
            let value = if operator == "ArnLike" { arn(value, scope) } else { value.to_owned() };
            (operator, key, value)
        })
    }
}

/// As IAM reads it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: Vec<Allowed>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Allowed {
    sid: &'static str,
    effect: &'static str,
    action: OneOrMany,
    resource: OneOrMany,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<BTreeMap<&'static str, BTreeMap<&'static str, String>>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Document {
    fn of(statements: &[Statement], scope: Scope<'_>) -> Self {
        let statement = statements.iter().map(|statement| Allowed {
            sid: statement.sid,
            effect: "Allow",
            action: statement.actions.iter().map(|action| (*action).to_owned()).collect::<Vec<_>>().into(),
            resource: statement.arns(scope).into(),
            condition: statement
                .condition(scope)
                .map(|(operator, key, value)| BTreeMap::from([(operator, BTreeMap::from([(key, value)]))])),
        });
        Self { version: "2012-10-17", statement: statement.collect() }
    }
}

impl From<Vec<String>> for OneOrMany {
    fn from(texts: Vec<String>) -> Self {
        match <[String; 1]>::try_from(texts) {
            Ok([text]) => Self::One(text),
            Err(texts) => Self::Many(texts),
        }
    }
}

fn arn(resource: &str, scope: Scope<'_>) -> String {
    if resource == "*" {
        return resource.into();
    }
    let database = format!("{}_stock_data_db", scope.stack.replace('-', "_"));
    let named = resource.replace("{stack}", scope.stack).replace("{database}", &database);
    format!("arn:{}:{named}", scope.partition)
}

#[cfg(test)]
mod tests;
