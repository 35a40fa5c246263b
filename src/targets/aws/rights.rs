//! Which of the rights that deploying takes the caller has, as IAM itself judges.

use super::{
    Aws, Refused, failed,
    names::Names,
    policy::{Scope, Statement},
};
use crate::error::Error;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;

/// Questions that are under way at once; IAM takes no more than a few a second.
const AT_ONCE: usize = 3;

/// What IAM says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// The account's root user, who may do everything.
    Root,
    /// All of so many.
    All(usize),
    /// These are missing, of so many.
    Missing(Vec<String>, usize),
    /// It does not say, and why.
    NotChecked(String),
}

/// Whom policies are given to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Principal {
    Root,
    Known(String),
    /// A role by its name: where it is, its ARN does not say.
    Role(String),
    Other,
}

impl Principal {
    /// Who is behind the ARN that STS gives.
    fn of(arn: &str) -> Self {
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        match resource.split('/').collect::<Vec<_>>().as_slice() {
            ["root"] => Self::Root,
            ["user", .., _] => Self::Known(arn.into()),
            ["assumed-role", role, ..] => Self::Role((*role).into()),
            _ => Self::Other,
        }
    }
}

/// Asks IAM for each of the statements.
pub async fn check(aws: &Aws, names: &Names, statements: &[Statement]) -> Result<Rights, Error> {
    let arn = match Principal::of(&aws.arn) {
        Principal::Root => return Ok(Rights::Root),
        Principal::Known(arn) => arn,
        Principal::Role(name) => match role(aws, &name).await? {
            Ok(arn) => arn,
            Err(why) => return Ok(Rights::NotChecked(why)),
        },
        Principal::Other => return Ok(Rights::NotChecked(format!("IAM does not judge {}", aws.caller()))),
    };
    let scope = Scope { partition: &aws.partition, stack: &names.stack };
    let asked = statements.iter().map(|statement| missing(aws, &arn, names, scope, statement));
    let answers: Vec<Option<Vec<String>>> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    let rights: BTreeSet<&str> = statements.iter().flat_map(|statement| statement.actions).copied().collect();
    let Some(missing) = answers.into_iter().collect::<Option<Vec<_>>>() else {
        return Ok(Rights::NotChecked("you may not iam:SimulatePrincipalPolicy".into()));
    };
    let missing: BTreeSet<String> = missing.into_iter().flatten().collect();
    Ok(if missing.is_empty() {
        Rights::All(rights.len())
    } else {
        Rights::Missing(missing.into_iter().collect(), rights.len())
    })
}

/// A role's ARN, or why it is not known.
async fn role(aws: &Aws, name: &str) -> Result<Result<String, String>, Error> {
    match aws.iam().get_role().role_name(name).send().await {
        Ok(found) => Ok(found.role.map(|role| role.arn).ok_or_else(|| format!("IAM does not know {}", aws.caller()))),
        Err(error) if is_denied(&error) => Ok(Err("you may not iam:GetRole, which tells the path of your role".into())),
        Err(error) => Err(failed("IAM does not say which rights you have", "IAM.GetRole", &error)),
    }
}

/// The actions of a statement that are not allowed; none where IAM is not to be asked.
async fn missing(
    aws: &Aws,
    principal: &str,
    names: &Names,
    scope: Scope<'_>,
    statement: &Statement,
) -> Result<Option<Vec<String>>, Error> {
    let resources: Vec<String> = statement
        .arns(scope)
        .iter()
        .filter(|arn| *arn != "*")
        .map(|arn| concrete(arn, &aws.region, &aws.account, names))
        .collect();
    let context = statement.condition(scope).map(|(operator, key, value)| {
        // Whether there is such a tag is asked of what has it.
        let value =
            if operator == "Null" { names.stack.clone() } else { concrete(&value, &aws.region, &aws.account, names) };
        let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
        vec![entry.context_key_type(ContextKeyTypeEnum::String).build()]
    });
    let actions = statement.actions.iter().map(|action| (*action).to_owned()).collect();
    let mut pages = aws
        .iam()
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(actions))
        .set_resource_arns(Some(resources).filter(|resources| !resources.is_empty()))
        .set_context_entries(context)
        .into_paginator()
        .send();
    let mut missing = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => {
                let results = page.evaluation_results.unwrap_or_default().into_iter();
                missing.extend(results.filter(|result| !is_allowed(result)).map(|result| result.eval_action_name));
            }
            Err(error) if is_denied(&error) => return Ok(None),
            Err(error) => {
                return Err(failed("IAM does not say which rights you have", "IAM.SimulatePrincipalPolicy", &error));
            }
        }
    }
    Ok(Some(missing))
}

fn is_allowed(result: &EvaluationResult) -> bool {
    let allowed = PolicyEvaluationDecisionType::Allowed;
    match result.resource_specific_results() {
        [] => result.eval_decision == allowed,
        each => each.iter().all(|one| one.eval_resource_decision == allowed),
    }
}

fn is_denied(error: &impl Refused) -> bool {
    error.refusal().0.starts_with("AccessDenied")
}

/// An ARN of the policy as that of something there could be: IAM judges no patterns.
fn concrete(arn: &str, region: &str, account: &str, names: &Names) -> String {
    let mut parts: Vec<&str> = arn.splitn(6, ':').collect();
    for (at, value) in [(3, region), (4, account)] {
        if let Some(part) = parts.get_mut(at).filter(|part| **part == "*") {
            *part = value;
        }
    }
    let id = if arn.contains(":::stockpipe-artifacts-") { &names.bootstrap_id } else { &names.id };
    let is_bucket = parts.get(2) == Some(&"s3");
    let arn = parts.join(":");
    let arn = if is_bucket { arn.replacen("-*", &format!("-{id}"), 1) } else { arn };
    arn.replace('*', "x")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a role that IAM does not find, since an assumed role's ARN is none of a role.
    #[test]
    fn who_is_judged() {
        let of = |resource: &str, service: &str| Principal::of(&format!("arn:aws:{service}::123456789012:{resource}"));
        assert_eq!(of("root", "iam"), Principal::Root);
        assert_eq!(of("assumed-role/Deployer/anna@example.com", "sts"), Principal::Role("Deployer".into()));
        let user = "arn:aws:iam::123456789012:user/team/anna";
        assert_eq!(Principal::of(user), Principal::Known(user.into()));
        assert_eq!(of("federated-user/anna", "sts"), Principal::Other);
        assert_eq!(Principal::of("nonsense"), Principal::Other);
    }

    /// Would catch rights that are asked of names that no pipeline has.
    #[test]
    fn what_is_judged() {
        let names = Names::new("123456789012", "eu-central-1", "prices");
        let of = |arn: &str| concrete(arn, "eu-central-1", "123456789012", &names);
        assert_eq!(
            of("arn:aws:kinesis:*:*:stream/prices-stock-market-stream*"),
            "arn:aws:kinesis:eu-central-1:123456789012:stream/prices-stock-market-streamx"
        );
        assert_eq!(of("arn:aws:iam::*:role/stockpipe/prices-*"), "arn:aws:iam::123456789012:role/stockpipe/prices-x");
        assert_eq!(of("arn:aws:s3:::stock-market-data-bucket-*/*"), format!("arn:aws:s3:::{}/x", names.data_bucket()));
        assert_eq!(of("arn:aws:s3:::stockpipe-artifacts-*"), format!("arn:aws:s3:::{}", names.artifact_bucket()));
        assert_eq!(of("lambda.amazonaws.com"), "lambda.amazonaws.com");
    }
}
