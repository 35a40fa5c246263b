//! What there is: a stack, how it is, and what it was made with.

use crate::{
    error::Error,
    targets::aws::{Aws, Refused, failed, template::Values},
};
use aws_sdk_cloudformation::types::{self, ResourceStatus};
use pipeline::Timestamp;
use std::collections::BTreeMap;

/// A stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its id, by which it is known even once it is gone.
    pub id: String,
    /// Its name.
    pub name: String,
    /// CloudFormation's word, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// And its reason, if it gave one.
    pub reason: Option<String>,
    /// The parameters that it was made with.
    pub values: Values,
    /// What it gives out.
    pub outputs: BTreeMap<String, String>,
    /// Its tags, which all it makes have too.
    pub tags: BTreeMap<String, String>,
    /// The role that it is made with.
    pub role: Option<String>,
    /// Whether CloudFormation refuses to delete it.
    pub is_protected: bool,
    /// When it was last looked for what other hands changed, if ever.
    pub drift_checked: Option<Timestamp>,
}

/// What can be done with a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as somebody wanted it, and can be changed.
    Settled,
    /// A change set was made for a stack that is not there yet; it holds nothing.
    Review,
    /// Something is being done to it.
    Busy,
    /// It could not be made. It can only be deleted.
    NeverMade,
    /// It could not be deleted altogether.
    HalfDeleted,
    /// An update failed, and so did taking it back.
    HalfRolledBack,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// What it is called, or known by, on AWS.
    pub physical_id: String,
    /// Such as `AWS::S3::Bucket`.
    pub kind: String,
    /// CloudFormation's word, such as `CREATE_COMPLETE`.
    pub status: String,
    /// And its reason, if it gave one.
    pub reason: Option<String>,
    /// Whether it was changed by other hands, as of the last time that somebody asked.
    pub drift: Option<String>,
}

impl Stack {
    /// What can be done with it.
    #[must_use]
    pub fn state(&self) -> State {
        match self.status.as_str() {
            "REVIEW_IN_PROGRESS" => State::Review,
            status if status.ends_with("_IN_PROGRESS") => State::Busy,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => State::NeverMade,
            "DELETE_FAILED" => State::HalfDeleted,
            "UPDATE_ROLLBACK_FAILED" => State::HalfRolledBack,
            _ => State::Settled,
        }
    }

    /// An output.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }
}

/// A stack by its name or id; none where there is none, or only one that was deleted.
pub async fn stack(aws: &Aws, name: &str) -> Result<Option<Stack>, Error> {
    match aws.cloudformation().describe_stacks().stack_name(name).send().await {
        Ok(found) => Ok(found.stacks.unwrap_or_default().into_iter().map(read).find(|s| s.status != "DELETE_COMPLETE")),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => {
            Err(failed(format!("stack '{name}' cannot be looked at"), "CloudFormation.DescribeStacks", &error))
        }
    }
}

/// All stacks of the account and region.
pub async fn stacks(aws: &Aws) -> Result<Vec<Stack>, Error> {
    let mut pages = aws.cloudformation().describe_stacks().into_paginator().send();
    let mut stacks = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("the stacks cannot be listed", "CloudFormation.DescribeStacks", &e))?;
        stacks.extend(page.stacks.unwrap_or_default().into_iter().map(read));
    }
    Ok(stacks)
}

/// The resources of a stack, in order of their names.
pub async fn resources(aws: &Aws, stack: &str) -> Result<Vec<Resource>, Error> {
    let mut pages = aws.cloudformation().list_stack_resources().stack_name(stack).into_paginator().send();
    let mut resources = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page
            .map_err(|e| failed("the stack's resources cannot be listed", "CloudFormation.ListStackResources", &e))?;
        let drift = |r: &types::StackResourceSummary| {
            Some(r.drift_information.as_ref()?.stack_resource_drift_status.as_ref()?.as_str().to_owned())
        };
        resources.extend(page.stack_resource_summaries.unwrap_or_default().into_iter().map(|r| Resource {
            drift: drift(&r),
            logical_id: r.logical_resource_id.unwrap_or_default(),
            physical_id: r.physical_resource_id.unwrap_or_default(),
            kind: r.resource_type.unwrap_or_default(),
            status: r.resource_status.as_ref().map(ResourceStatus::as_str).unwrap_or_default().to_owned(),
            reason: r.resource_status_reason.filter(|reason| !reason.is_empty()),
        }));
    }
    resources.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
    Ok(resources)
}

/// The template that a stack was made with, as it was given.
pub async fn template(aws: &Aws, stack: &str) -> Result<String, Error> {
    let template = aws.cloudformation().get_template().stack_name(stack).send().await;
    let template =
        template.map_err(|e| failed("the stack's template cannot be read", "CloudFormation.GetTemplate", &e))?;
    Ok(template.template_body.unwrap_or_default())
}

fn read(stack: types::Stack) -> Stack {
    let pairs = |pairs: Vec<(Option<String>, Option<String>)>| {
        pairs.into_iter().filter_map(|(name, value)| Some((name?, value.unwrap_or_default()))).collect()
    };
    let parameters = stack.parameters.unwrap_or_default().into_iter().map(|p| (p.parameter_key, p.parameter_value));
    let outputs = stack.outputs.unwrap_or_default().into_iter().map(|o| (o.output_key, o.output_value));
    let tags = stack.tags.unwrap_or_default().into_iter().map(|t| (t.key, t.value));
    Stack {
        id: stack.stack_id.unwrap_or_default(),
        name: stack.stack_name.unwrap_or_default(),
        status: stack.stack_status.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        reason: stack.stack_status_reason.filter(|reason| !reason.is_empty()),
        values: pairs(parameters.collect()),
        outputs: pairs(outputs.collect()),
        tags: pairs(tags.collect()),
        role: stack.role_arn.filter(|role| !role.is_empty()),
        drift_checked: stack
            .drift_information
            .and_then(|drift| drift.last_check_timestamp)
            .and_then(|time| Timestamp::from_millis(time.to_millis().ok()?)),
        is_protected: stack.enable_termination_protection.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a status that is a dead end.
    #[test]
    fn every_status_has_a_way_on() {
        let state = |status: &str| Stack { status: status.into(), ..Stack::default() }.state();
        for (status, expected) in [
            ("CREATE_COMPLETE", State::Settled),
            ("UPDATE_ROLLBACK_COMPLETE", State::Settled),
            ("IMPORT_ROLLBACK_COMPLETE", State::Settled),
            ("UPDATE_FAILED", State::Settled),
            ("REVIEW_IN_PROGRESS", State::Review),
            ("CREATE_IN_PROGRESS", State::Busy),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", State::Busy),
            ("DELETE_IN_PROGRESS", State::Busy),
            ("ROLLBACK_COMPLETE", State::NeverMade),
            ("ROLLBACK_FAILED", State::NeverMade),
            ("CREATE_FAILED", State::NeverMade),
            ("DELETE_FAILED", State::HalfDeleted),
            ("UPDATE_ROLLBACK_FAILED", State::HalfRolledBack),
        ] {
            assert_eq!(state(status), expected, "{status}");
        }
    }
}
