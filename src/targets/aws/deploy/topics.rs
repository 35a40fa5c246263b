//! Who hears of signals and alarms, and who has not confirmed yet that they want to.

use super::survey::Stack;
use crate::{
    error::Error,
    targets::aws::{Aws, failed},
};

/// A subscription of one of the stack's topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `alerts` or `operations`.
    pub topic: &'static str,
    /// `email` or `https`.
    pub protocol: String,
    /// The address.
    pub endpoint: String,
    /// Whether nothing goes there before somebody confirms.
    pub is_pending: bool,
}

/// All subscriptions of both topics.
pub async fn subscriptions(aws: &Aws, stack: &Stack) -> Result<Vec<Subscription>, Error> {
    let mut found = Vec::new();
    for (output, topic) in [("AlertsTopic", "alerts"), ("OperationsTopic", "operations")] {
        let Some(arn) = stack.output(output) else { continue };
        let mut pages = aws.sns().list_subscriptions_by_topic().topic_arn(arn).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| {
                failed(format!("the subscriptions of {topic} cannot be listed"), "SNS.ListSubscriptionsByTopic", &e)
            })?;
            found.extend(page.subscriptions.unwrap_or_default().into_iter().map(|subscription| Subscription {
                topic,
                protocol: subscription.protocol.unwrap_or_default(),
                endpoint: subscription.endpoint.unwrap_or_default(),
                is_pending: subscription.subscription_arn.as_deref() == Some("PendingConfirmation"),
            }));
        }
    }
    Ok(found)
}
