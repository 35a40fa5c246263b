//! What an account and region allow, and whether CloudFormation takes a template. Nothing is changed by it.

use super::{Aws, deploy::change_set::Text, failed};
use crate::error::Error;

/// How many functions may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// In the account and region.
    pub limit: i32,
    /// Of those, what is not set apart for some functions.
    pub unreserved: i32,
}

/// How many shards there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    /// Open ones.
    pub open: i32,
    /// At most.
    pub limit: i32,
    /// Streams that grow by themselves.
    pub on_demand: i32,
    /// At most.
    pub on_demand_limit: i32,
}

/// Asks Lambda.
pub async fn concurrency(aws: &Aws) -> Result<Concurrency, Error> {
    let settings = aws.lambda().get_account_settings().send().await;
    let settings = settings.map_err(|e| failed("Lambda does not say its limits", "Lambda.GetAccountSettings", &e))?;
    let limits = settings.account_limit();
    let limit = limits.map(|limits| limits.concurrent_executions).unwrap_or_default();
    let unreserved = limits.and_then(|limits| limits.unreserved_concurrent_executions).unwrap_or(limit);
    Ok(Concurrency { limit, unreserved })
}

/// Asks Kinesis.
pub async fn shards(aws: &Aws) -> Result<Shards, Error> {
    let limits = aws.kinesis().describe_limits().send().await;
    let limits = limits.map_err(|e| failed("Kinesis does not say its limits", "Kinesis.DescribeLimits", &e))?;
    Ok(Shards {
        open: limits.open_shard_count,
        limit: limits.shard_limit,
        on_demand: limits.on_demand_stream_count,
        on_demand_limit: limits.on_demand_stream_count_limit,
    })
}

/// Has CloudFormation read a template.
pub async fn validate(aws: &Aws, what: &str, template: &Text) -> Result<(), Error> {
    let validate = aws.cloudformation().validate_template();
    let validate = match template {
        Text::Inline(text) => validate.template_body(text),
        Text::Url(url) => validate.template_url(url),
    };
    let validated = validate.send().await;
    validated.map(drop).map_err(|e| {
        failed(format!("CloudFormation does not take the template of {what}"), "CloudFormation.ValidateTemplate", &e)
    })
}
