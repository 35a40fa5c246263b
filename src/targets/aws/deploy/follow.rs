//! Following an operation by the stack's id and the operation's token, until it has ended, however long that takes.

use super::pace::{self, Pace};
use crate::{
    error::Error,
    interrupt::Interrupt,
    targets::{
        aws::{
            Aws, Refused, failed,
            stack::events::{Board, Event, StackEvent},
        },
        local::stream::now,
    },
};
use aws_sdk_cloudformation::types;
use pipeline::Timestamp;
use std::time::Duration;

/// From one question to the next where AWS does not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Why looking on came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The operation has ended.
    Ended,
    /// Ctrl-C.
    Interrupted,
}

/// Looks on until the operation ends or Ctrl-C. What happens goes to `show`, which is called ten times a second.
///
/// An answer that does not come is waited for: the operation goes on meanwhile.
pub async fn follow(
    aws: &Aws,
    stack_id: &str,
    board: &mut Board,
    interrupt: &Interrupt,
    show: &mut dyn FnMut(&[Event], &Board, Timestamp),
) -> Result<Followed, Error> {
    let mut pace = Pace::default();
    loop {
        let wait = match events(aws, stack_id, |id| board.knows(id)).await {
            Ok(found) => {
                let news = board.add(found);
                if !news.is_empty() {
                    pace.moved();
                }
                show(&news, board, now());
                if board.outcome().is_some() {
                    refused(aws, stack_id, board).await;
                    return Ok(Followed::Ended);
                }
                pace.next()
            }
            Err(Failure { error, is_final: true }) => return Err(error),
            Err(_) => AFTER_FAILURE,
        };
        pace::wait(wait, interrupt, || show(&[], board, now())).await;
        if interrupt.is_set() {
            return Ok(Followed::Interrupted);
        }
    }
}

/// The operation that is under way, or else the last one: its events, newest first, with a token on each.
pub async fn last_operation(aws: &Aws, stack_id: &str) -> Result<(Board, Vec<StackEvent>), Error> {
    let mut all = events(aws, stack_id, |_| false).await.map_err(|failure| failure.error)?;
    // What was asked for, not what followed from it by itself.
    let is_start = |event: &StackEvent| {
        event.is_of_stack()
            && event.status.ends_with("_IN_PROGRESS")
            && !event.status.contains("CLEANUP")
            && (!event.status.contains("ROLLBACK") || event.reason.as_deref() == Some("User Initiated"))
            && event.status != "REVIEW_IN_PROGRESS"
    };
    if let Some(start) = all.iter().position(is_start) {
        all.truncate(start + 1);
    }
    // Whoever used the console or another tool may have given none.
    let token = all.last().and_then(|event| event.token.clone()).unwrap_or_else(|| "none".into());
    for event in &mut all {
        event.token.get_or_insert_with(|| token.clone());
    }
    Ok((Board::new(token, 0), all))
}

/// What CloudFormation tells only to those who ask for it: which resource it refused before it began with any. Told as
/// failures of those resources; that it cannot be had is no reason to fail.
async fn refused(aws: &Aws, stack_id: &str, board: &mut Board) {
    let is_hint = |event: &&StackEvent| event.reason.as_deref().is_some_and(says_elsewhere);
    let Some(hint) = board.ours().find(is_hint).cloned() else { return };
    let Ok(found) = aws.cloudformation().describe_events().stack_name(stack_id).send().await else { return };
    let errors = found.operation_events.unwrap_or_default().into_iter().filter(is_refusal);
    let told = errors.map(|event| StackEvent {
        id: event.event_id.unwrap_or_default(),
        // Before the stack turned back because of it.
        time: hint.time.plus_millis(-1),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id,
        resource_type: event.resource_type.unwrap_or_default(),
        status: "CREATE_FAILED".into(),
        reason: event.validation_status_reason,
        operation_id: event.operation_id,
        ..hint.clone()
    });
    _ = board.add(told.collect());
}

/// The same of a change set that could not be made: resource and reason of each, one to a line.
pub async fn refused_plan(aws: &Aws, change_set: &str) -> Vec<String> {
    let Ok(found) = aws.cloudformation().describe_events().change_set_name(change_set).send().await else {
        return Vec::new();
    };
    let errors = found.operation_events.unwrap_or_default().into_iter().filter(is_refusal);
    let text = |text: Option<String>| text.unwrap_or_default();
    errors
        .map(|e| {
            format!("{} ({}): {}", text(e.logical_resource_id), text(e.resource_type), text(e.validation_status_reason))
        })
        .collect()
}

/// Whether a reason says that the reason is elsewhere.
#[must_use]
pub fn says_elsewhere(reason: &str) -> bool {
    reason.contains("DescribeEvents")
}

fn is_refusal(event: &types::OperationEvent) -> bool {
    event.validation_status.as_ref().is_some_and(|status| status.as_str() == "FAILED")
}

struct Failure {
    error: Error,
    is_final: bool,
}

/// The stack's events, newest first, down to one that is known.
async fn events(aws: &Aws, stack_id: &str, is_known: impl Fn(&str) -> bool) -> Result<Vec<StackEvent>, Failure> {
    let mut pages = aws.cloudformation().describe_stack_events().stack_name(stack_id).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure {
            is_final: error.is_absent() || error.refusal().0.starts_with("AccessDenied"),
            error: failed("the stack's events cannot be read", "CloudFormation.DescribeStackEvents", &error),
        })?;
        for event in page.stack_events.unwrap_or_default() {
            let Some(event) = read(event) else { continue };
            if is_known(&event.id) {
                return Ok(found);
            }
            found.push(event);
        }
    }
    Ok(found)
}

/// An event that can be told; one without a time or an id cannot.
fn read(event: types::StackEvent) -> Option<StackEvent> {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let millis = event.timestamp?.to_millis().ok()?;
    Some(StackEvent {
        id: event.event_id?,
        time: Timestamp::from_millis(millis)?,
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: text(event.physical_resource_id),
        resource_type: event.resource_type.unwrap_or_default(),
        status: event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: text(event.resource_status_reason),
        token: text(event.client_request_token),
        operation_id: text(event.operation_id),
        stack_id: event.stack_id.unwrap_or_default(),
        stack_name: event.stack_name.unwrap_or_default(),
    })
}
