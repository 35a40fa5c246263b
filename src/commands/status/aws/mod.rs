//! A stack on AWS, as CloudFormation, Lambda, SNS, CloudWatch and what it keeps tell of it.
//!
//! What is not told, for want of a right, is said to be unknown; the rest is shown all the same.

mod events;
mod health;
mod json;
mod lines;

use crate::{
    cli::{self, Format},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{
        deploy::Deploy,
        progress::Progress,
        style::{self, count, elapsed},
    },
    settings::Settings,
    targets::{
        aws::{
            Aws,
            deploy::{
                drift::{self, Drifted},
                follow::{self, Followed},
                kept::{self, Kept},
                mappings::{self, Mapping},
                survey::{self, Resource, Stack, State},
                topics::{self, Subscription},
            },
            health::Health,
            stack::{
                events::{Act, Board, Outcome},
                failure,
            },
        },
        local::stream::now,
    },
};
use pipeline::Timestamp;
use std::{io::Write, time::Duration};

/// What there is to say of a stack.
struct Status {
    /// `…4821`.
    account: String,
    region: String,
    stack: Stack,
    resources: Vec<Resource>,
    /// The last operation, or the one under way.
    board: Board,
    /// When the stack came into the state that it is in.
    since: Option<Timestamp>,
    mappings: Result<Vec<Mapping>, Error>,
    subscriptions: Result<Vec<Subscription>, Error>,
    /// As of the last time that somebody asked.
    drifted: Result<Vec<Drifted>, Error>,
    /// How it does; none where it is not there as it should be, and so does nothing.
    health: Option<Health>,
}

/// Runs it.
pub async fn run(settings: &Settings, arguments: &cli::Status) -> Result<ExitStatus, Error> {
    let aws = Aws::connect().await?;
    let Some(stack) = survey::stack(&aws, &settings.stack).await? else {
        return Err(no_stack(&aws, settings).await);
    };
    if arguments.events {
        events::show(&aws, settings, &stack).await?;
        return Ok(ExitStatus::Done);
    }
    if arguments.watch && stack.state() == State::Busy {
        return watch(&aws, settings, &stack).await;
    }
    if arguments.watch {
        style::say(&format!("Nothing is being done to stack '{}'.", settings.stack));
    }
    if arguments.drift && !look_for_drift(&aws, &stack).await? {
        return Ok(ExitStatus::Done);
    }
    show(&aws, settings, &stack.id).await
}

/// Shows the stack as it is now.
async fn show(aws: &Aws, settings: &Settings, stack_id: &str) -> Result<ExitStatus, Error> {
    let Some(stack) = survey::stack(aws, stack_id).await? else { return Err(no_stack(aws, settings).await) };
    let status = gather(aws, stack).await?;
    let mut out = anstream::stdout();
    match settings.format {
        Format::Table => lines::write(&mut out, &status, &settings.flags())?,
        Format::Json => writeln!(out, "{}", json::of(&status))?,
        Format::Csv => super::write_csv(&mut out, &json::of(&status))?,
    }
    out.flush()?;
    if let Some(helps) = helps(status.stack.state(), &settings.flags()) {
        style::say(&style::hint(&helps));
    }
    Ok(ExitStatus::Done)
}

/// Asks for all of it at once.
async fn gather(aws: &Aws, stack: Stack) -> Result<Status, Error> {
    let names = aws.names(&stack.name);
    let health = async {
        match stack.state() {
            State::Settled | State::Busy => Some(Health::of(aws, &names).await),
            _ => None,
        }
    };
    let (resources, operation, mappings, subscriptions, health) = tokio::join!(
        survey::resources(aws, &stack.id),
        follow::last_operation(aws, &stack.id),
        mappings::find(aws, &stack),
        topics::subscriptions(aws, &stack),
        health,
    );
    let (resources, (mut board, events)) = (resources?, operation?);
    let since = events.iter().find(|event| event.is_of_stack()).map(|event| event.time);
    _ = board.add(events);
    let is_drifted = |resource: &Resource| matches!(resource.drift.as_deref(), Some("MODIFIED" | "DELETED"));
    let drifted = if resources.iter().any(is_drifted) { drift::find(aws, &stack.id).await } else { Ok(Vec::new()) };
    Ok(Status {
        account: aws.masked_account(),
        region: aws.region.clone(),
        stack,
        resources,
        board,
        since,
        mappings,
        subscriptions,
        drifted,
        health,
    })
}

/// What to type where a stack is stuck, or being changed.
fn helps(state: State, flags: &str) -> Option<String> {
    Some(match state {
        State::Settled => return None,
        State::Review => format!("only planned so far: `stockpipe up{flags}` makes it"),
        State::Busy => format!("`stockpipe status --watch{flags}` looks on until it ends"),
        State::NeverMade => format!(
            "`stockpipe up{flags}` removes it and makes it anew; `stockpipe status --events{flags}` says why it failed"
        ),
        State::HalfRolledBack => format!(
            "`stockpipe up{flags}` takes the update back once more; `stockpipe status --events{flags}` says why it failed"
        ),
        State::HalfDeleted => {
            format!("`stockpipe down{flags}` removes the rest; `stockpipe status --events{flags}` says what holds it")
        }
    })
}

/// That there is none, and what was kept of it.
pub async fn no_stack(aws: &Aws, settings: &Settings) -> Error {
    let (name, flags) = (&settings.stack, settings.flags());
    let what = format!("there is no stack '{name}' in {}, account {}", aws.region, aws.masked_account());
    let made = Error::new(what).status(ExitStatus::NotFound);
    match kept::find(aws, &aws.names(name)).await {
        Ok(kept) if !kept.is_empty() => made.because(format!("its data was kept: {}", said(&kept))).hint(format!(
            "`stockpipe up{flags}` makes it and takes the data in again, `stockpipe down{flags}` removes the data"
        )),
        _ => made.hint(format!("`stockpipe up{flags}` makes it")),
    }
}

fn said(kept: &Kept) -> String {
    // DynamoDB counts every few hours.
    let table = |items: Option<i64>, what: &str| {
        let items = u64::try_from(items?).unwrap_or(0);
        Some(if items == 0 { format!("the table of {what}") } else { format!("about {} {what}", count(items)) })
    };
    let parts = [
        table(kept.quotes, "quotes"),
        table(kept.signals, "signals and symbols"),
        kept.lake.then(|| "the lake".into()),
        kept.audit.then(|| "the audit trail's log".into()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Has CloudFormation compare; false where the user did not wait for it.
async fn look_for_drift(aws: &Aws, stack: &Stack) -> Result<bool, Error> {
    let interrupt = Interrupt::listen_to_aws()?;
    let mut progress = Progress::new("comparing what there is with the template", None);
    let found = drift::detect(aws, &stack.id, &interrupt, &mut || progress.message("")).await;
    progress.finish();
    match found? {
        None => return Ok(false),
        Some(Some(reason)) => {
            style::say(&style::warning(&format!("not all could be compared: {}", style::outside(&reason))))
        }
        Some(None) => {}
    }
    Ok(true)
}

/// Looks on at what is being done. It is only looked at: Ctrl-C leaves, and stops nothing.
async fn watch(aws: &Aws, settings: &Settings, stack: &Stack) -> Result<ExitStatus, Error> {
    let interrupt = Interrupt::listen_to_aws()?;
    let (mut board, events) = follow::last_operation(aws, &stack.id).await?;
    style::say(&format!(
        "Stack '{}' in {}: {}   Ctrl-C leaves, and stops nothing",
        stack.name,
        aws.region,
        lines::words(&stack.status)
    ));
    let names: Vec<String> = events.iter().filter(|e| !e.is_of_stack()).map(|e| e.logical_id.clone()).collect();
    let mut screen = Deploy::new(names.iter().map(String::as_str));
    let before = board.add(events);
    screen.show(&before, &board, now());
    let followed = if board.outcome().is_some() {
        // It ended just now.
        Followed::Ended
    } else {
        let show = &mut |events: &[_], board: &Board, now| screen.show(events, board, now);
        follow::follow(aws, &stack.id, &mut board, &interrupt, show).await?
    };
    drop(screen);
    if followed == Followed::Interrupted {
        return Ok(ExitStatus::Done);
    }
    if board.outcome() != Some(Outcome::Done) {
        return Err(failure::report(&board, &settings.stack, &settings.flags()));
    }
    let took = elapsed(Duration::from_secs(board.took(now()).as_secs()));
    match board.act() {
        Some(Act::Delete) => {
            style::say(&format!("Removed in {took}."));
            return Ok(ExitStatus::Done);
        }
        Some(Act::Create | Act::Import) => style::say(&format!("Made in {took}.")),
        Some(Act::Rollback) => style::say(&format!("Taken back in {took}.")),
        _ => style::say(&format!("Updated in {took}.")),
    }
    show(aws, settings, &stack.id).await
}

/// `2026-11-20 14:30 UTC`.
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

#[cfg(test)]
mod tests;
