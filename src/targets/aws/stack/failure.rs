//! Why an operation failed, and what to type next.
//!
//! CloudFormation tells some fifty events where one matters: the first resource that failed of itself, before anything
//! was undone. Those that were cancelled because of it are counted, no more; others that failed of themselves are named
//! after it. Where undoing failed as well, that is said with what is stuck.

mod class;
mod hint;
mod reason;
mod wrap;

use super::events::{Act, Board, Outcome, Phase, Resource, Status, between};
use crate::{
    error::{Error, ExitStatus},
    report::style::{elapsed, outside, plural},
};
use reason::Reason;
use wrap::wrapped;

/// Columns of a line and of a line of the hint, which are moved in by two and by eight.
const LINE: usize = 78;
const HINT: usize = 72;
/// What begins the line that says what failed; it stays in one.
const FIRST: &str = "first failure";
/// Columns of what begins a line.
const DETAIL: usize = FIRST.len() + 2;
/// More failures than this are counted.
const MOST_NAMED: usize = 5;

/// The failure of an operation on a stack that has ended otherwise than it was to; the flags are those that name the
/// stack, such as ` --target aws --stack prices`, for the command to type next.
#[must_use]
pub fn report(board: &Board, stack: &str, flags: &str) -> Error {
    let act = board.act().unwrap_or(Act::Update);
    let outcome = board.outcome().unwrap_or(Outcome::Failed);
    let forward = failures(board, Phase::Forward);
    let stuck = match act {
        Act::Rollback => failures(board, Phase::Rollback),
        _ if outcome == Outcome::RollbackFailed => failures(board, Phase::Rollback),
        _ => vec![],
    };
    // Of what is rolled back once more, the first that is stuck is all there is.
    let failed = if forward.is_empty() { &stuck } else { &forward };

    let mut lines = vec![ended(act, outcome).to_owned()];
    let reason = failed.first().map_or_else(|| Reason::parse(&of_stack(board)), |first| Reason::of(first));
    if let Some(first) = failed.first() {
        let after = board.began().zip(first.ended).map(|(began, ended)| between(began, ended));
        let after = after.map(|after| format!(", {} in", elapsed(whole(after)))).unwrap_or_default();
        lines.push(format!("{FIRST}  {}{after}", named(first)));
    }
    lines.push(format!("cause          {reason}"));
    lines.extend(listed("also failed", failed.get(1..).unwrap_or_default()));
    if !forward.is_empty() {
        lines.extend(listed("not undone", &stuck));
    }
    let last = if act == Act::Rollback { Phase::Rollback } else { Phase::Forward };
    let is_cancelled = |r: &&Resource| r.status == Status::Cancelled && r.phase == last;
    let cancelled = board.resources().iter().filter(is_cancelled).count();
    if cancelled > 0 {
        let others = plural(cancelled as u64, "other");
        lines.push(format!("cancelled      {others}, because of the above"));
    }

    let context = hint::Context { stack, flags, act, outcome, board, failed, stuck: &stuck };
    let what = match act {
        Act::Create => "could not be created",
        Act::Delete => "could not be removed",
        Act::Rollback => "could not be rolled back",
        Act::Import => "could not take in what was kept",
        Act::Update | Act::Replace => "could not be updated",
    };
    let status = if act == Act::Delete { ExitStatus::Partial } else { ExitStatus::Failed };
    let lines: Vec<String> = lines
        .iter()
        .map(|line| if line.starts_with(FIRST) { line.clone() } else { wrapped(line, LINE, DETAIL) })
        .collect();
    let hint = context.hint(&reason);
    let hint: Vec<String> = hint.lines().map(|line| wrapped(line, HINT, 0)).collect();
    Error::new(format!("stack '{stack}' {what}")).because(lines.join("\n")).hint(hint.join("\n")).status(status)
}

/// Why a resource failed, in the service's words.
#[must_use]
pub fn cause(resource: &Resource) -> String {
    Reason::of(resource).to_string()
}

/// What failed of itself in a phase, the first one first.
fn failures(board: &Board, phase: Phase) -> Vec<&Resource> {
    let is_failed = |r: &&Resource| r.status == Status::Failed && r.phase == phase;
    let mut failed: Vec<&Resource> = board.resources().iter().filter(is_failed).collect();
    failed.sort_by_key(|resource| resource.ended);
    failed
}

/// Why the stack as a whole turned back, where no resource failed: somebody cancelled it, a hook refused it.
fn of_stack(board: &Board) -> String {
    let turned = board.ours().filter(|event| event.is_of_stack()).filter(|event| {
        event.status.contains("ROLLBACK") || event.status.ends_with("FAILED") || event.status.starts_with("DELETE_")
    });
    let mut reasons = turned.filter_map(|event| event.reason.clone());
    reasons.next().unwrap_or_else(|| "CloudFormation gave no reason".into())
}

/// How it is now.
const fn ended(act: Act, outcome: Outcome) -> &'static str {
    match (outcome, act) {
        (Outcome::RolledBack, _) => "it has been rolled back",
        (Outcome::RollbackFailed, Act::Rollback) => "it is stuck in between",
        (Outcome::RollbackFailed, _) => "rolling it back failed too",
        (Outcome::Failed, Act::Delete) => "part of it is left",
        (Outcome::Failed, _) => "what was done so far stays",
        (Outcome::Done, _) => "it ended all the same",
    }
}

/// `ProcessStockDataMapping (AWS::Lambda::EventSourceMapping)`.
fn named(resource: &Resource) -> String {
    format!("{} ({})", outside(&resource.name), outside(&resource.kind))
}

/// A line to each, the first one with what they are.
fn listed(what: &str, failed: &[&Resource]) -> Vec<String> {
    let shown = failed.iter().take(MOST_NAMED).enumerate();
    let mut lines: Vec<String> = shown
        .map(|(at, resource)| {
            let what = if at == 0 { what } else { "" };
            format!("{what:<13}  {}: {}", named(resource), Reason::of(resource))
        })
        .collect();
    if failed.len() > MOST_NAMED {
        lines.push(format!("{:<13}  and {} more", "", failed.len() - MOST_NAMED));
    }
    lines
}

/// Parts of a second say nothing here.
fn whole(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(time.as_secs())
}

#[cfg(test)]
mod tests;
