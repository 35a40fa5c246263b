//! What is left to do once the stack is as it is to be: what CloudFormation does not do, and what to do next.

use super::aws::Up;
use crate::{
    error::{Error, ExitStatus},
    queries,
    report::{
        style::{self, plural},
        table::{self, Writer},
    },
    rows::{Column, ColumnKind},
    targets::aws::{
        artifacts::{self, Artifact},
        deploy::{change_set::ChangeSet, code, queries as saved, survey, topics},
        stack::plan::Plan,
    },
};

/// The stack was as it is to be.
pub async fn unchanged(up: &Up<'_>) -> Result<ExitStatus, Error> {
    if up.arguments.dry_run {
        style::say("No changes.");
        return Ok(ExitStatus::Done);
    }
    let saved = synchronise(up).await?;
    style::say(&match saved {
        Some(saved) => format!("No changes but {saved}. Next: stockpipe status{}", up.flags),
        None => format!("No changes. Next: stockpipe status{}", up.flags),
    });
    Ok(ExitStatus::Done)
}

/// The stack has become what it is to be. What fails from here on leaves a pipeline that works.
pub async fn done(up: &Up<'_>, change_set: &ChangeSet, artifacts: &[Artifact]) -> Result<ExitStatus, Error> {
    let Some(stack) = survey::stack(&up.aws, &change_set.stack_id).await? else {
        return Err(Error::new(format!("stack '{}' is gone: somebody removed it meanwhile", change_set.stack)));
    };
    verify(up, artifacts).await?;
    let saved = synchronise(up).await?;
    collect(up).await;
    if let Some(saved) = saved {
        style::say(&style::done(&format!("{saved} saved in Athena")));
    }
    for (what, output) in [
        ("stream", "StreamName"),
        ("table", "QuotesTable"),
        ("lake", "DataBucket"),
        ("Athena", "WorkGroup"),
        ("alerts", "AlertsTopic"),
    ] {
        if let Some(value) = stack.output(output) {
            // A topic is told by its ARN, of which the name is enough.
            style::say(&format!("  {what:<8}  {}", value.rsplit(':').next().unwrap_or(value)));
        }
    }
    let pending: Vec<_> = topics::subscriptions(&up.aws, &stack).await?.into_iter().filter(|s| s.is_pending).collect();
    for subscription in &pending {
        style::say(&style::warning(&format!(
            "{} has to confirm: nothing of {} goes there before",
            style::visible(&subscription.endpoint),
            subscription.topic
        )));
    }
    if !pending.is_empty() {
        style::say(&style::hint("AWS has sent a link to each, which is good for three days"));
    }
    let verb = if change_set.is_new { "Ready" } else { "Updated" };
    style::say(&format!("{verb}. Next: stockpipe status{}", up.flags));
    Ok(ExitStatus::Done)
}

/// Checks that the functions run the code that was uploaded.
async fn verify(up: &Up<'_>, artifacts: &[Artifact]) -> Result<(), Error> {
    let lambda = up.aws.lambda();
    for artifact in artifacts {
        let name = up.names.function(artifact.function.name());
        artifacts::verify(&lambda, &name, &artifact.code_sha256).await?;
    }
    Ok(())
}

/// Makes Athena's saved queries be those of this program; says which changed.
async fn synchronise(up: &Up<'_>) -> Result<Option<String>, Error> {
    let bundled = queries::bundled().map_err(|e| Error::new("the saved queries cannot be read").because(e))?;
    let saved = saved::synchronise(&up.aws, &up.names, &bundled).await?;
    Ok(match (saved.added + saved.changed) as u64 {
        0 => None,
        1 => Some("1 query".into()),
        count => Some(format!("{count} queries")),
    })
}

/// Removes code that nobody refers to. That it could not be is no failure of `up`.
async fn collect(up: &Up<'_>) {
    match code::collect(&up.aws, &up.names).await {
        Ok(collected) => {
            if !collected.removed.is_empty() {
                let count = plural(collected.removed.len() as u64, "zip");
                style::say(&style::done(&format!("{count} of code that no stack refers to removed")));
            }
            for (key, why) in collected.failed {
                style::say(&style::warning(&format!("old code {key} stays: {}", style::visible(&why))));
            }
        }
        Err(error) => style::say(&style::warning(&format!("old code stays: {error}"))),
    }
}

/// A plan as rows.
pub fn plan_csv(plan: &Plan) -> Result<(), Error> {
    let column = |name: &str| Column::new(name, ColumnKind::Text);
    let columns = ["action", "resource", "type", "physical_id"].map(column).to_vec();
    let mut writer = Writer::stdout(table::Format::Csv, columns)?;
    for change in plan.changes() {
        writer.row(vec![
            Some(change.group().word().into()),
            Some(change.logical_id.clone()),
            Some(change.resource_type.clone()),
            change.physical_id.clone(),
        ])?;
    }
    writer.finish()?;
    Ok(())
}
