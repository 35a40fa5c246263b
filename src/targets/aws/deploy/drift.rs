//! What was changed by other hands than CloudFormation's.

use super::pace::{self, Pace};
use crate::{
    error::Error,
    interrupt::Interrupt,
    targets::aws::{Aws, failed},
};
use aws_sdk_cloudformation::types::{
    DifferenceType, StackDriftDetectionStatus, StackResourceDrift, StackResourceDriftStatus,
};

/// A resource that is not as its template has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifted {
    /// Its name in the template.
    pub name: String,
    /// Such as `AWS::S3::Bucket`.
    pub kind: String,
    /// Whether it is not there at all.
    pub is_gone: bool,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// A property that is not as the template has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is, such as `/VersioningConfiguration/Status`.
    pub path: String,
    /// What the template says; none where it says nothing.
    pub expected: Option<String>,
    /// What there is; none where there is nothing.
    pub actual: Option<String>,
}

/// Has CloudFormation compare, which takes it a minute, and calls `tick` now and then; none where Ctrl-C ended it.
///
/// Gives what CloudFormation could not compare as well, in its words.
pub async fn detect(
    aws: &Aws,
    stack_id: &str,
    interrupt: &Interrupt,
    tick: &mut dyn FnMut(),
) -> Result<Option<Option<String>>, Error> {
    let what = "it cannot be found out what other hands changed";
    let client = aws.cloudformation();
    let begun = client.detect_stack_drift().stack_name(stack_id).send().await;
    let begun = begun.map_err(|e| failed(what, "CloudFormation.DetectStackDrift", &e))?;
    let id = begun.stack_drift_detection_id.unwrap_or_default();
    let mut pace = Pace::default();
    loop {
        let asked = client.describe_stack_drift_detection_status().stack_drift_detection_id(&id).send().await;
        let asked = asked.map_err(|e| failed(what, "CloudFormation.DescribeStackDriftDetectionStatus", &e))?;
        match asked.detection_status {
            Some(StackDriftDetectionStatus::DetectionComplete) => return Ok(Some(None)),
            // Of those that it could compare it says so all the same.
            Some(StackDriftDetectionStatus::DetectionFailed) => {
                let reason =
                    asked.detection_status_reason.unwrap_or_else(|| "some resources could not be compared".into());
                return Ok(Some(Some(reason)));
            }
            _ => pace::wait(pace.next(), interrupt, &mut *tick).await,
        }
        if interrupt.is_set() {
            return Ok(None);
        }
    }
}

/// What differed the last time that somebody asked.
pub async fn find(aws: &Aws, stack_id: &str) -> Result<Vec<Drifted>, Error> {
    let mut pages = aws
        .cloudformation()
        .describe_stack_resource_drifts()
        .stack_name(stack_id)
        .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
        .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| {
            failed("what other hands changed cannot be read", "CloudFormation.DescribeStackResourceDrifts", &e)
        })?;
        found.extend(page.stack_resource_drifts.unwrap_or_default().into_iter().map(read));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn read(drift: StackResourceDrift) -> Drifted {
    Drifted {
        is_gone: drift.stack_resource_drift_status == Some(StackResourceDriftStatus::Deleted),
        name: drift.logical_resource_id.unwrap_or_default(),
        kind: drift.resource_type.unwrap_or_default(),
        differences: drift
            .property_differences
            .unwrap_or_default()
            .into_iter()
            .map(|difference| {
                let kind = difference.difference_type;
                Difference {
                    path: difference.property_path.unwrap_or_default(),
                    expected: difference.expected_value.filter(|_| kind != Some(DifferenceType::Add)),
                    actual: difference.actual_value.filter(|_| kind != Some(DifferenceType::Remove)),
                }
            })
            .collect(),
    }
}
