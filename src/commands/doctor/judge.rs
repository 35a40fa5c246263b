//! From what was found out to findings, without asking anybody.

use super::{Finding, Verdict};
use crate::{
    error::Error,
    report::style::{count, plural},
    settings::Settings,
    targets::aws::{
        Aws,
        checks::{Concurrency, Shards},
        deploy::{
            bootstrap::{self, Need},
            kept::Kept,
            survey::{Stack, State},
            topics::Subscription,
        },
        names::Names,
        options::{Choice, Options, snake},
        rights::Rights,
        template::{self, Values},
    },
};
use regex_lite::Regex;

/// Fewer functions at once than this are few even for one shard; new accounts have so many.
const FEW_AT_ONCE: i32 = 10;
/// So many missing rights are named.
const NAMED: usize = 8;
/// The policy that bounds the functions' roles.
const BOUNDARY: &str = "PermissionsBoundary";

/// What was found out.
pub struct Facts {
    pub stack: Result<Option<Stack>, Error>,
    pub kept: Result<Kept, Error>,
    pub subscriptions: Result<Vec<Subscription>, Error>,
    pub shared: Result<Option<Stack>, Error>,
    /// Of the bootstrap stack, and of the pipeline: whether that could be looked at.
    pub templates: (Result<(), Error>, Result<bool, Error>),
    pub rights: Result<Rights, Error>,
    pub concurrency: Result<Concurrency, Error>,
    pub shards: Result<Shards, Error>,
}

/// All findings but what this machine is asked.
pub fn all(aws: &Aws, settings: &Settings, values: &Values, facts: &Facts) -> Vec<Finding> {
    let (flags, names) = (settings.flags(), aws.names(&settings.stack));
    let mut findings = vec![
        Finding::good("credentials", format!("{}, account {}", aws.caller(), aws.masked_account())),
        Finding::good(
            "region",
            match aws.endpoint() {
                Some(endpoint) => format!("{}, at {endpoint}", aws.region),
                None => aws.region.clone(),
            },
        ),
        rights(&facts.rights, &flags),
        stack(&facts.stack, &facts.kept, &flags),
    ];
    findings.extend(subscriptions(&facts.subscriptions));
    findings.extend([
        shared(&facts.shared, &names, &settings.aws),
        templates(&facts.templates),
        concurrency(&facts.concurrency, shard_count(values)),
        shards(&facts.shards, values, facts.stack.as_ref().ok().and_then(Option::as_ref)),
    ]);
    findings
}

fn rights(rights: &Result<Rights, Error>, flags: &str) -> Finding {
    let policy = format!("`stockpipe policy{flags}` prints what it takes");
    match rights {
        Ok(Rights::Root) => Finding::good("rights", "all, as the root user; a role of its own would be safer"),
        Ok(Rights::All(of)) => Finding::good("rights", format!("all {of} that it takes")),
        Ok(Rights::Missing(missing, of)) => {
            let mut named = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            if missing.len() > NAMED {
                named = format!("{named} and {} more", missing.len() - NAMED);
            }
            Finding::missing("rights", format!("{} of {of} are missing: {named}", missing.len()), policy)
        }
        Ok(Rights::NotChecked(why)) => Finding::warning("rights", format!("not checked: {why}"), policy),
        Err(error) => Finding::error("rights", Verdict::Warning, error),
    }
}

fn stack(stack: &Result<Option<Stack>, Error>, kept: &Result<Kept, Error>, flags: &str) -> Finding {
    let stack = match stack {
        Ok(Some(stack)) => stack,
        Ok(None) => {
            return match kept {
                Ok(kept) if kept.is_empty() => Finding::good("stack", "not there yet: `up` makes it"),
                Ok(_) => Finding::good("stack", "not there, but its data was kept: `up` takes it in again"),
                Err(error) => Finding::error("stack", Verdict::Warning, error),
            };
        }
        Err(error) => return Finding::error("stack", Verdict::Missing, error),
    };
    let status = &stack.status;
    match stack.state() {
        State::Settled => Finding::good("stack", status),
        State::Review => Finding::good("stack", format!("{status}: it was only planned so far")),
        State::Busy => Finding::warning(
            "stack",
            format!("{status}: it is being changed"),
            format!("`stockpipe status --watch{flags}` looks on until it ends"),
        ),
        State::NeverMade => Finding::warning(
            "stack",
            format!("{status}: it could not be made, and can only be removed"),
            format!("`stockpipe up{flags}` removes it and makes it anew; why it failed says `status --events`"),
        ),
        State::HalfRolledBack => Finding::warning(
            "stack",
            format!("{status}: an update failed, and so did taking it back"),
            format!("`stockpipe up{flags}` takes it back once more; why it failed says `status --events`"),
        ),
        State::HalfDeleted => Finding::missing(
            "stack",
            format!("{status}: part of it is left, and it cannot be changed any more"),
            format!("`stockpipe down{flags}` removes the rest"),
        ),
    }
}

/// Those that hear nothing before somebody confirms.
fn subscriptions(subscriptions: &Result<Vec<Subscription>, Error>) -> Vec<Finding> {
    match subscriptions {
        Ok(all) => all
            .iter()
            .filter(|subscription| subscription.is_pending)
            .map(|Subscription { topic, endpoint, .. }| {
                Finding::warning(
                    "alerts",
                    format!("{endpoint} hears nothing of {topic} yet"),
                    "confirm the subscription in the e-mail that SNS has sent there; its link lasts 3 days",
                )
            })
            .collect(),
        Err(error) => vec![Finding::error("alerts", Verdict::Warning, error)],
    }
}

fn shared(shared: &Result<Option<Stack>, Error>, names: &Names, options: &Options) -> Finding {
    let stack = match shared {
        Ok(Some(stack)) => stack,
        Ok(None) => return Finding::good("bootstrap", "not there yet: `up` makes it, once per account and region"),
        Err(error) => return Finding::error("bootstrap", Verdict::Missing, error),
    };
    match stack.state() {
        State::HalfDeleted => Finding::missing(
            "bootstrap",
            format!("{}: part of {} is left", stack.status, stack.name),
            "delete the stack in CloudFormation's console, which says what holds it",
        ),
        State::Settled if bootstrap::need(names, options, Some(stack)) == Need::None => {
            Finding::good("bootstrap", &stack.status)
        }
        _ => Finding::good("bootstrap", format!("{}: `up` brings it up to date", stack.status)),
    }
}

/// The pipeline's is read without its parameters. So what is not known there may be a part that nobody asked for.
fn templates((bootstrap, pipeline): &(Result<(), Error>, Result<bool, Error>)) -> Finding {
    match (bootstrap, pipeline) {
        (Err(error), _) => Finding::error("templates", Verdict::Missing, error),
        (_, Ok(true)) => Finding::good("templates", "CloudFormation takes both"),
        (_, Ok(false)) => {
            Finding::good("templates", "CloudFormation takes the bootstrap's; the pipeline's is checked by `up`")
        }
        (_, Err(error)) => {
            let mut finding = Finding::error("templates", Verdict::Warning, error);
            let by_up = "`up --dry-run` says whether it matters: a part that is not asked for does no harm";
            finding.remedy.get_or_insert_with(|| by_up.into());
            finding
        }
    }
}

/// Process and archive are called once per shard at a time, trend once per partition of the table.
fn concurrency(found: &Result<Concurrency, Error>, shards: i32) -> Finding {
    let Concurrency { limit, unreserved } = match found {
        Ok(found) => *found,
        Err(error) => return Finding::error("concurrency", Verdict::Warning, error),
    };
    let needed = shards.saturating_mul(2).saturating_add(1);
    let detail = format!("{} functions at once, {} unreserved", number(limit), number(unreserved));
    if limit < FEW_AT_ONCE || unreserved < needed {
        let detail = format!("{detail}; {} use {needed} or more", plural(shards.unsigned_abs().into(), "shard"));
        Finding::warning(
            "concurrency",
            detail,
            "ask for more of Lambda's quota 'Concurrent executions'; with fewer the pipeline lags, and loses nothing",
        )
    } else {
        Finding::good("concurrency", detail)
    }
}

fn shards(found: &Result<Shards, Error>, values: &Values, stack: Option<&Stack>) -> Finding {
    let found = match found {
        Ok(found) => found,
        Err(error) => return Finding::error("shards", Verdict::Warning, error),
    };
    let there = stack.filter(|stack| stack.output("StreamName").is_some()).map(|stack| &stack.values);
    // One that changes its mode gives nothing back before it is through.
    let had = there.filter(|had| is_on_demand(had) == is_on_demand(values));
    let remedy = "ask for more of Kinesis' quota, or remove streams that nobody uses";
    let (used, limit, needed, what) = if is_on_demand(values) {
        (found.on_demand, found.on_demand_limit, 1 - had.map_or(0, |_| 1), "streams that grow by themselves")
    } else {
        (found.open, found.limit, shard_count(values) - had.map_or(0, shard_count), "shards")
    };
    let detail = format!("{} of {} {what} in use", number(used), number(limit));
    if needed > limit - used {
        return Finding::missing("shards", format!("{detail}, {} more needed", number(needed)), remedy);
    }
    Finding::good("shards", detail)
}

fn shard_count(values: &Values) -> i32 {
    if is_on_demand(values) {
        // What such a stream begins with.
        return 4;
    }
    values.get("ShardCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn is_on_demand(values: &Values) -> bool {
    values.get("StreamMode").is_some_and(|mode| mode == "on-demand")
}

fn number(number: i32) -> String {
    count(number.max(0).unsigned_abs().into())
}

/// Whether what is set looks as the template wants it.
pub fn settings(values: &Values, options: &Options) -> Vec<Finding> {
    let boundary = match &options.boundary {
        Some(Choice::Arn(arn)) => Some((BOUNDARY.to_owned(), arn.clone())),
        _ => None,
    };
    let parameters = template::parameters(template::PIPELINE);
    let wrong = values.iter().map(|(name, value)| (name.clone(), value.clone())).chain(boundary);
    let wrong = wrong.filter_map(|(name, value)| {
        let parameter = parameters.iter().find(|parameter| parameter.name == name)?;
        let pattern = parameter.pattern()?;
        let matches = Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(&value));
        (!matches).then(|| {
            let detail = format!("{} '{value}' is not of the form {pattern}", snake(&name));
            Finding::missing("settings", detail, format!("{}: mend it in stockpipe.yaml", parameter.description))
        })
    });
    let wrong: Vec<Finding> = wrong.collect();
    if wrong.is_empty() { vec![Finding::good("settings", "as the template takes them")] } else { wrong }
}

#[cfg(test)]
mod tests;
