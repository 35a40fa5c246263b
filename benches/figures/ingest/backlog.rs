//! Memory, whatever waits: a backlog that nobody took while it grew, drained by one process.

use super::check;
use crate::{
    Result,
    process::{self, Usage},
    report::Report,
    say,
    stack::{self, Stack},
};
use serde_json::Value;
use std::{ops::ControlFlow, path::Path, process::Command};

/// A backlog drained by `stream`, and one by the heaviest saved query.
pub fn measure(folder: &Path, count: u64, report: &mut Report) -> Result<()> {
    say("backlog, drained by stream");
    let usage = by_stream(folder, count)?;
    report.memory("peak_mb_backlog_stream", "peak memory, backlog drained by stream", usage.peak);
    say("backlog, drained by query");
    let [draining, alone] = by_query(folder, count)?;
    let rate = count as f64 / draining.wall.as_secs_f64();
    report.figure("backlog_quotes_per_second", "backlog drained by query, at", rate, "quotes/s");
    report.memory("peak_mb_backlog_query", "peak memory, backlog drained by query", draining.peak);
    report.memory("peak_mb_query", "peak memory, the query alone", alone.peak);
    Ok(())
}

/// The process that sent the quotes drains them, once all are durable.
fn by_stream(folder: &Path, count: u64) -> Result<Usage> {
    let stack = Stack::up(folder)?;
    let (mut held, mut let_go, mut durable) = (Some(stack.hold_back()?), Ok(()), 0);
    let (summary, usage) = stack::summary(sending(&stack, count), |line| {
        durable += acked(line);
        if durable == count
            && let Some(held) = held.take()
        {
            let_go = held.let_go();
        }
    })?;
    let_go?;
    check::summed_up(&summary, count)?;
    check::all_there(&stack, count)?;
    Ok(usage)
}

/// The process that sent the quotes is killed once all are durable, and a query drains them. Returns what that took,
/// and what the same query takes when nothing waits.
fn by_query(folder: &Path, count: u64) -> Result<[Usage; 2]> {
    let stack = Stack::up(folder)?;
    let held = stack.hold_back()?;
    let mut durable = 0;
    process::run(sending(&stack, count), |line| {
        durable += acked(line);
        if durable == count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    check::equal("quotes acknowledged", &durable, &count)?;
    held.let_go()?;
    let query = || process::output(stack.query(&["crossovers", "--all"]));
    let ((answer, draining), (again, alone)) = (query()?, query()?);
    check::equal("the answer of the query that drained", &answer, &again)?;
    check::all_there(&stack, count)?;
    Ok([draining, alone])
}

fn sending(stack: &Stack, count: u64) -> Command {
    stack.stream(&["--speed", "max", "--acks", "--count", &count.to_string()])
}

/// How many quotes a line says are durable.
fn acked(line: &str) -> u64 {
    serde_json::from_str::<Value>(line).ok().and_then(|ack| ack["count"].as_u64()).unwrap_or(0)
}
