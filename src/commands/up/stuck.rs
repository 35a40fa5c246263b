//! Stacks that cannot be changed as they are: being changed by somebody else, half made, half removed, half rolled
//! back. Each has a way on, and what is there is looked at before anything is removed.

use super::aws::Up;
use crate::{
    commands::operation::{Ended, Operation},
    error::{Error, ExitStatus},
    report::style::{self, plural},
    targets::aws::{
        deploy::{
            change_set, data, follow,
            survey::{self, Resource, Stack, State},
        },
        failed,
        names::BOOTSTRAP_STACK,
        stack::{
            events::{self, Board, Phase, Status},
            failure,
        },
        template::Values,
    },
};

/// What became of it.
pub enum Settled {
    /// The stack as it is now, or none.
    Stack(Option<Box<Stack>>),
    /// The user left while AWS was at work.
    Left,
    /// It was only to be said what would be done.
    Said,
}

/// More than this are counted.
const NAMED: usize = 10;

/// Brings a stack to where it can be planned with.
pub async fn settle(up: &Up<'_>, stack: Stack) -> Result<Settled, Error> {
    let mut stack = stack;
    loop {
        let state = stack.state();
        if matches!(state, State::Settled | State::Review) {
            return Ok(Settled::Stack(Some(Box::new(stack))));
        }
        if up.arguments.dry_run {
            say_state(&stack);
            style::say("`up` deals with that first. Nothing was done.");
            return Ok(Settled::Said);
        }
        let ended = match state {
            State::Busy => wait_for_others(up, &stack).await?,
            State::NeverMade => clear_away(up, &stack).await?,
            State::HalfRolledBack => roll_back_again(up, &stack).await?,
            State::HalfDeleted => return Err(half_deleted(up, &stack).await?),
            State::Settled | State::Review => Ended::Done,
        };
        if ended == Ended::Left {
            return Ok(Settled::Left);
        }
        match survey::stack(&up.aws, &stack.name).await? {
            Some(now) => stack = now,
            None => return Ok(Settled::Stack(None)),
        }
    }
}

/// The same for the stack that all pipelines share, which holds nothing but code.
pub async fn settle_shared(up: &Up<'_>, stack: &Stack, values: Values) -> Result<(), Error> {
    match stack.state() {
        State::Busy => {
            if wait_for_others(up, stack).await? == Ended::Left {
                return Err(
                    Error::new(format!("stack {BOOTSTRAP_STACK} was not waited for")).status(ExitStatus::Interrupted)
                );
            }
        }
        State::NeverMade => _ = remove(up, stack).await?,
        _ => {
            return Err(Error::new(format!("stack {BOOTSTRAP_STACK} is in {}", stack.status))
                .because(stack.reason.clone().unwrap_or_else(|| "CloudFormation gives no reason".into()))
                .hint(format!("`aws cloudformation delete-stack --stack-name {BOOTSTRAP_STACK}`, then the same command again: it holds code alone, which is built anew")));
        }
    }
    let now = survey::stack(&up.aws, BOOTSTRAP_STACK).await?;
    up.deploy_shared(values, now.as_ref()).await
}

fn say_state(stack: &Stack) {
    let reason = stack.reason.as_deref().map(|reason| format!(": {}", style::visible(reason))).unwrap_or_default();
    style::say(&style::warning(&format!("stack '{}' is in {}{reason}", stack.name, stack.status)));
}

/// Somebody else's operation, or one of our own that was left. Looks on until it has ended.
async fn wait_for_others(up: &Up<'_>, stack: &Stack) -> Result<Ended, Error> {
    if up.arguments.no_wait {
        return Err(Error::new(format!("stack '{}' is being changed ({})", stack.name, stack.status))
            .hint(format!("`stockpipe status --watch{}` looks on; without --no-wait this command waits", up.flags)));
    }
    style::say(&format!("Stack '{}' is being changed ({}). Waiting until that is over.", stack.name, stack.status));
    let (board, events) = follow::last_operation(&up.aws, &stack.id).await?;
    let mut board = board;
    _ = board.add(events);
    let operation = Operation::on(&up.aws, stack, &up.flags, board);
    match operation.watch(&up.interrupt).await {
        Ok(ended) => Ok(ended),
        // Its failure is somebody else's; what it left is looked at next.
        Err(error) => {
            style::say(&style::warning(&error.to_string()));
            Ok(Ended::Done)
        }
    }
}

/// A stack that could not be made can only be removed. Most of them hold nothing by then.
async fn clear_away(up: &Up<'_>, stack: &Stack) -> Result<Ended, Error> {
    say_state(stack);
    let left = left(up, stack).await?;
    if left.is_empty() {
        style::say("It holds nothing. Removing it before it is made anew.");
    } else {
        style::say(&format!("It still holds {}:", plural(left.len() as u64, "resource")));
        say_resources(&left);
        style::say("Tables and buckets with data stay and are taken in again; the rest is removed with the stack.");
        confirm(up, "Remove it and make it anew? [y/N]")?;
    }
    remove(up, stack).await
}

/// What a stack holds that is not gone.
async fn left(up: &Up<'_>, stack: &Stack) -> Result<Vec<Resource>, Error> {
    let resources = survey::resources(&up.aws, &stack.id).await?;
    Ok(resources.into_iter().filter(|r| !["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&&*r.status)).collect())
}

async fn remove(up: &Up<'_>, stack: &Stack) -> Result<Ended, Error> {
    // Answers of queries would keep their bucket, and with it the stack. Only if it is the stack's.
    let results = up.names.results_bucket();
    if left(up, stack).await?.iter().any(|resource| resource.physical_id == results) {
        data::empty(&up.aws, &results, |_| {}).await?;
    }
    let token = change_set::token();
    let delete = up.aws.cloudformation().delete_stack().stack_name(&stack.id).client_request_token(&token);
    delete.send().await.map_err(|e| failed("the stack cannot be removed", "CloudFormation.DeleteStack", &e))?;
    let board = Board::new(token, 0);
    Operation::on(&up.aws, stack, &up.flags, board).watch(&up.interrupt).await
}

/// An update that failed and could not be taken back: tries that once more, leaving out what was said to be left out.
async fn roll_back_again(up: &Up<'_>, stack: &Stack) -> Result<Ended, Error> {
    say_state(stack);
    let (mut board, events) = follow::last_operation(&up.aws, &stack.id).await?;
    _ = board.add(events);
    let is_stuck = |r: &&events::Resource| r.status == Status::Failed && r.phase == Phase::Rollback;
    let stuck: Vec<&events::Resource> = board.resources().iter().filter(is_stuck).collect();
    for resource in &stuck {
        style::say(&format!("  {} ({}): {}", resource.name, resource.kind, failure::cause(resource)));
    }
    let skipped = &up.arguments.skip_rollback;
    if let Some(unknown) = skipped.iter().find(|name| !stuck.iter().any(|r| r.name == **name)) {
        let names: Vec<&str> = stuck.iter().map(|r| &*r.name).collect();
        return Err(Error::new(format!("--skip-rollback {}: not among what is stuck", style::visible(unknown)))
            .status(ExitStatus::Usage)
            .hint(format!("there are {}", names.join(", "))));
    }
    if skipped.is_empty() {
        style::say(
            "The rollback is tried once more. What cannot be put back can be left as it is: --skip-rollback NAME",
        );
    } else {
        style::say(&format!("Left as they are, whatever the template says: {}", skipped.join(", ")));
    }
    confirm(up, "Go on with the rollback? [y/N]")?;
    let token = change_set::token();
    let client = up.aws.cloudformation();
    let go_on = client.continue_update_rollback().stack_name(&stack.id).client_request_token(&token);
    let go_on = go_on.set_resources_to_skip((!skipped.is_empty()).then(|| skipped.clone())).send().await;
    go_on.map_err(|e| failed("the rollback cannot go on", "CloudFormation.ContinueUpdateRollback", &e))?;
    let board = Board::new(token, 0);
    Operation::on(&up.aws, stack, &up.flags, board).watch(&up.interrupt).await
}

/// Half a stack is no base for an update, and what is left of it may be wanted.
async fn half_deleted(up: &Up<'_>, stack: &Stack) -> Result<Error, Error> {
    say_state(stack);
    let left = left(up, stack).await?;
    say_resources(&left);
    Ok(Error::new(format!(
        "stack '{}' was being removed, and {} left",
        stack.name,
        match left.len() {
            1 => "1 resource is".to_owned(),
            count => format!("{count} resources are"),
        }
    ))
    .hint(format!(
        "`stockpipe down --keep-data{0}` ends the removal and keeps the data, `stockpipe down{0}` keeps nothing; \
             then `stockpipe up{0}`",
        up.flags
    )))
}

fn say_resources(resources: &[Resource]) {
    for resource in resources.iter().take(NAMED) {
        let reason = resource.reason.as_deref().map(|r| format!("  {}", style::visible(r))).unwrap_or_default();
        style::say(&format!("  {} ({}) {}{reason}", resource.logical_id, resource.kind, resource.status));
    }
    if resources.len() > NAMED {
        style::say(&format!("  and {} more", resources.len() - NAMED));
    }
}

fn confirm(up: &Up<'_>, question: &str) -> Result<(), Error> {
    let undone = "nothing was changed";
    if up.arguments.yes
        || matches!(crate::commands::ask_unless(&up.interrupt, question, undone)?.as_str(), "y" | "Y" | "yes")
    {
        return Ok(());
    }
    Err(Error::new(undone).status(ExitStatus::NotConfirmed))
}
