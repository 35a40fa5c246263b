//! A stack's status for people.

use super::{Status, health, minute};
use crate::{
    error::Error,
    report::style::{self, BAD, FAINT, GOOD, STRONG, WARN, outside, plural},
    targets::{
        aws::{
            deploy::{
                drift::Drifted,
                survey::{Resource, State},
            },
            stack::kinds::{Part, kind},
        },
        local::stream::now,
    },
};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// What a client has to know: a word for it, and the stack's output.
const OUTPUTS: [(&str, &str); 6] = [
    ("stream", "StreamName"),
    ("table", "QuotesTable"),
    ("signals", "SignalsTable"),
    ("lake", "DataBucket"),
    ("database", "Database"),
    ("workgroup", "WorkGroup"),
];

/// A status in words.
pub fn words(status: &str) -> &'static str {
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => "ready",
        "UPDATE_ROLLBACK_COMPLETE" => "ready, as it was before an update that failed",
        "IMPORT_ROLLBACK_COMPLETE" => "ready, without what could not be taken in",
        "UPDATE_FAILED" => "an update failed, and what it did so far stays",
        "CREATE_FAILED" => "it could not be made",
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => "it could not be made, and can only be removed",
        "DELETE_FAILED" => "part of it could not be removed",
        "UPDATE_ROLLBACK_FAILED" => "an update failed, and so did taking it back",
        "REVIEW_IN_PROGRESS" => "planned, and not made",
        "CREATE_IN_PROGRESS" | "IMPORT_IN_PROGRESS" => "being made",
        "DELETE_IN_PROGRESS" => "being removed",
        "UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => "being updated",
        status if status.contains("ROLLBACK") => "being taken back to what it was",
        _ => "in a state of its own",
    }
}

/// Whether a resource is not as it should be: neither done nor being worked on.
pub fn is_unwell(resource: &Resource) -> bool {
    resource.status.ends_with("_FAILED")
}

/// How many resources each part has, in the order of a plan.
pub fn parts(resources: &[Resource]) -> BTreeMap<Part, u64> {
    let mut parts = BTreeMap::new();
    let there = resources.iter().filter(|resource| resource.status != "DELETE_COMPLETE");
    there.for_each(|resource| *parts.entry(kind(&resource.kind).part).or_default() += 1);
    parts
}

/// Writes all of it.
pub fn write(out: &mut impl Write, status: &Status, flags: &str) -> io::Result<()> {
    let stack = &status.stack;
    let name = style::paint(STRONG, &stack.name);
    writeln!(out, "Stack '{name}' in {}, account {}", status.region, status.account)?;
    let colour = match stack.state() {
        State::Settled if stack.status.contains("ROLLBACK") || stack.status.ends_with("FAILED") => WARN,
        State::Settled => GOOD,
        State::Busy | State::Review => WARN,
        State::NeverMade | State::HalfDeleted | State::HalfRolledBack => BAD,
    };
    let since = status.since.map(|since| format!(", since {}", minute(since))).unwrap_or_default();
    let words = style::paint(colour, words(&stack.status));
    line(out, "state", &format!("{words}{since}  {}", style::paint(FAINT, &stack.status)))?;
    if let Some(reason) = stack.reason.as_ref().filter(|_| colour != GOOD) {
        line(out, "", &outside(reason))?;
    }
    if stack.state() == State::Busy {
        line(out, "under way", &under_way(status))?;
    }
    if stack.is_protected {
        line(out, "protected", "CloudFormation does not delete it")?;
    }
    write_resources(out, status)?;
    if stack.state() == State::Settled {
        write_drift(out, status, flags)?;
    }
    write_mappings(out, status)?;
    if let Some(health) = &status.health {
        health::write(out, health, now())?;
    }
    write_subscriptions(out, status)?;
    for (what, output) in OUTPUTS {
        if let Some(value) = stack.output(output) {
            line(out, what, value)?;
        }
    }
    Ok(())
}

/// A line, or one that belongs to the line before.
pub fn line(out: &mut impl Write, what: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {what:<9}  {text}")
}

/// That something is not told, and why.
pub fn unknown(out: &mut impl Write, what: &str, error: &Error) -> io::Result<()> {
    line(out, what, &style::paint(WARN, &format!("not known: {}", outside(&error.to_string()))))
}

fn under_way(status: &Status) -> String {
    let count = status.board.count();
    let doing: Vec<String> = status.board.doing().take(3).map(|resource| outside(&resource.name)).collect();
    let more = status.board.doing().count().saturating_sub(doing.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let now = if doing.is_empty() { String::new() } else { format!(", now {}{more}", doing.join(", ")) };
    format!("{} of {} done{now}", count.done, count.total)
}

fn write_resources(out: &mut impl Write, status: &Status) -> io::Result<()> {
    let parts = parts(&status.resources);
    let counted: Vec<String> = parts.iter().map(|(part, n)| format!("{n} {}", part.name())).collect();
    let total: u64 = parts.values().sum();
    let counted = if total == 0 { "none".into() } else { format!("{total}: {}", counted.join(", ")) };
    line(out, "resources", &counted)?;
    for resource in status.resources.iter().filter(|resource| is_unwell(resource)) {
        let reason = resource.reason.as_deref().unwrap_or("it gives no reason");
        let name = format!("{} ({})", resource.logical_id, kind(&resource.kind).one);
        line(out, "", &format!("{} {name}  {}: {}", style::paint(BAD, "✗"), resource.status, outside(reason)))?;
    }
    Ok(())
}

fn write_drift(out: &mut impl Write, status: &Status, flags: &str) -> io::Result<()> {
    let Some(checked) = status.stack.drift_checked else {
        return line(out, "drift", &format!("not looked for yet: `stockpipe status --drift{flags}` does"));
    };
    let as_of = format!("as of {}", minute(checked));
    match &status.drifted {
        Err(error) => unknown(out, "drift", error),
        Ok(drifted) if drifted.is_empty() => line(out, "drift", &format!("none, {as_of}")),
        Ok(drifted) => {
            let differ = plural(drifted.len() as u64, "resource");
            line(
                out,
                "drift",
                &format!("{}, {as_of}", style::paint(WARN, &format!("{differ} changed by other hands"))),
            )?;
            drifted.iter().flat_map(drift_lines).try_for_each(|text| line(out, "", &text))
        }
    }
}

/// `~ QuotesTable (table)  /BillingMode  PAY_PER_REQUEST → PROVISIONED`: what the template says, and what there is.
pub fn drift_lines(drifted: &Drifted) -> Vec<String> {
    let name = format!("{} ({})", outside(&drifted.name), kind(&drifted.kind).one);
    if drifted.is_gone {
        return vec![format!("{} {name}  is not there any more", style::paint(BAD, "-"))];
    }
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), outside);
    let lines = drifted.differences.iter().map(|difference| {
        let (expected, actual) = (value(&difference.expected), value(&difference.actual));
        format!("{} {name}  {}  {expected} → {actual}", style::paint(WARN, "~"), outside(&difference.path))
    });
    lines.collect()
}

fn write_mappings(out: &mut impl Write, status: &Status) -> io::Result<()> {
    let mappings = match &status.mappings {
        Ok(mappings) => mappings,
        Err(error) => return unknown(out, "feeding", error),
    };
    for (at, mapping) in mappings.iter().enumerate() {
        let is_well = mapping.state == "Enabled" && !mapping.last.starts_with("PROBLEM");
        let state = style::paint(if is_well { GOOD } else { WARN }, &format!("{:<8}", mapping.state));
        let last = if mapping.last.is_empty() { "no batch yet" } else { &mapping.last };
        line(
            out,
            if at == 0 { "feeding" } else { "" },
            &format!("{:<18}  {state}  {}", mapping.function, outside(last)),
        )?;
    }
    Ok(())
}

fn write_subscriptions(out: &mut impl Write, status: &Status) -> io::Result<()> {
    let all = match &status.subscriptions {
        Ok(all) => all,
        Err(error) => return unknown(out, "alerts", error),
    };
    for (at, subscription) in all.iter().enumerate() {
        let endpoint =
            format!("{} by {} to {}", subscription.topic, subscription.protocol, outside(&subscription.endpoint));
        let text = if subscription.is_pending {
            format!("{} {endpoint}: nothing goes there yet, confirm the e-mail of SNS", style::paint(WARN, "!"))
        } else {
            format!("{} {endpoint}", style::paint(GOOD, "✓"))
        };
        line(out, if at == 0 { "alerts" } else { "" }, &text)?;
    }
    Ok(())
}
