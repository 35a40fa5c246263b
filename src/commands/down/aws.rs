//! `down` on AWS: counts what goes, asks, deletes the stack, then what a stack keeps when it is deleted, and looks
//! whether anything is left.

use super::{confirm_by, drain::drain};
use crate::{
    cli,
    commands::operation::{Ended, LEFT, Operation, shown, unless_interrupted},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{
        progress::Progress,
        style::{self, STRONG, bytes, count, plural},
    },
    settings::Settings,
    targets::aws::{
        Aws,
        artifacts::Function,
        deploy::{
            bootstrap, change_set, code,
            data::{self, Contents},
            follow,
            kept::{self, Kept},
            mappings,
            survey::{self, Stack, State},
        },
        failed,
        names::{BOOTSTRAP_STACK, Names},
        stack::events::Board,
    },
};

/// What everything here needs.
struct Down<'a> {
    aws: Aws,
    names: Names,
    arguments: &'a cli::Down,
    flags: String,
    interrupt: Interrupt,
}

/// Runs it.
pub async fn run(settings: &Settings, arguments: &cli::Down) -> Result<ExitStatus, Error> {
    let aws = Aws::connect().await?;
    let names = aws.names(&settings.stack);
    let down = Down { names, aws, arguments, flags: settings.flags(), interrupt: Interrupt::listen_to_aws()? };
    let name = &down.names.stack;
    let mut stack = survey::stack(&down.aws, name).await?;
    while let Some(busy) = stack.as_ref().filter(|stack| stack.state() == State::Busy) {
        style::say(&format!("Stack '{name}' is being changed ({}). Waiting until that is over.", busy.status));
        let (mut board, events) = follow::last_operation(&down.aws, &busy.id).await?;
        _ = board.add(events);
        match down.operation(busy, board).watch(&down.interrupt).await {
            Ok(Ended::Left) => return Ok(LEFT),
            Ok(_) => {}
            Err(error) => style::say(&style::warning(&error.to_string())),
        }
        stack = survey::stack(&down.aws, name).await?;
    }
    let kept = kept::find(&down.aws, &down.names).await?;
    if stack.is_none() && kept.is_empty() {
        style::say(&format!("There is no stack '{name}' in {}: nothing to remove.", down.aws.region));
        return down.sweep().await;
    }
    style::say(&format!(
        "Stack '{}' in {}, account {}, as {}",
        style::paint(STRONG, name),
        down.aws.region,
        down.aws.masked_account(),
        style::visible(&down.aws.caller())
    ));
    if stack.is_none() && arguments.keep_data {
        style::say("It is down already; its data stays.");
        return Ok(ExitStatus::Done);
    }
    down.check_protection(stack.as_ref()).await?;
    down.say_what_goes(stack.as_ref(), &kept).await?;
    confirm_by(name, arguments.yes, |question, undone| crate::commands::ask_unless(&down.interrupt, question, undone))?;
    if let Some(stack) = &stack
        && down.remove_stack(stack).await? == Ended::Left
    {
        return Ok(LEFT);
    }
    if arguments.keep_data {
        return down.say_what_stays(&kept).await;
    }
    down.remove_data(&kept).await?;
    style::say(&style::done(&format!("stack '{name}' and its data are gone")));
    down.sweep().await
}

impl Down<'_> {
    fn operation<'b>(&'b self, stack: &'b Stack, board: Board) -> Operation<'b> {
        Operation::on(&self.aws, stack, &self.flags, board)
    }

    /// What was made to refuse its removal is not removed by the way.
    async fn check_protection(&self, stack: Option<&Stack>) -> Result<(), Error> {
        let name = &self.names.stack;
        if stack.is_some_and(|stack| stack.is_protected) {
            return Err(Error::new(format!("stack '{name}' is protected against termination")).hint(format!(
                "`aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name}`"
            )));
        }
        let by_option = stack.is_some_and(|s| s.values.get("DeletionProtection").is_some_and(|on| on == "yes"));
        if by_option {
            return Err(Error::new(format!("stack '{name}' is protected against deletion"))
                .hint(format!("`stockpipe up{} --set deletion_protection=no` first", self.flags)));
        }
        if stack.is_none() {
            for table in [self.names.quotes_table(), self.names.signals_table()] {
                if kept::table(&self.aws, &table).await?.is_some_and(|table| table.is_protected) {
                    return Err(Error::new(format!("table '{table}' is protected against deletion")).hint(format!(
                        "`aws dynamodb update-table --no-deletion-protection-enabled --table-name {table}`"
                    )));
                }
            }
        }
        Ok(())
    }

    /// How much goes, and what stays.
    async fn say_what_goes(&self, stack: Option<&Stack>, kept: &Kept) -> Result<(), Error> {
        let mut data = Vec::new();
        if let Some(quotes) = kept.quotes {
            data.push(format!("table {}: about {}", self.names.quotes_table(), items(quotes, "quote")));
        }
        if let Some(signals) = kept.signals {
            data.push(format!("table {}: about {}", self.names.signals_table(), items(signals, "signal")));
        }
        for (is_there, bucket) in [(kept.lake, self.names.data_bucket()), (kept.audit, self.names.audit_bucket())] {
            if is_there {
                data.push(format!("bucket {bucket}: {}", self.count(&bucket).await?));
            }
        }
        if kept.key.is_some() {
            data.push("the customer key: what it encrypted cannot be read any more once it is gone".into());
        }
        if let Some(stack) = stack {
            let resources = survey::resources(&self.aws, &stack.id).await?;
            let resources = resources.iter().filter(|r| !["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&&*r.status));
            style::say(&format!(
                "  - stack {}: {}, the stream and what is on it among them",
                self.names.stack,
                plural(resources.count() as u64, "resource")
            ));
        }
        let (mark, end) = if self.arguments.keep_data { ('=', "   stays") } else { ('-', "") };
        data.iter().for_each(|line| style::say(&format!("  {mark} {line}{end}")));
        Ok(())
    }

    /// What is in a bucket, in words.
    async fn count(&self, bucket: &str) -> Result<String, Error> {
        let mut progress = Progress::new(&format!("counting {bucket}"), None);
        let contents = data::contents(&self.aws, bucket, |versions| progress.set(versions));
        let contents = unless_interrupted(&self.interrupt, "nothing was removed", contents).await?;
        progress.finish();
        let Contents { objects, versions, bytes: size, set_aside, failed_batches } = contents;
        let mut text =
            format!("{} ({} with old versions), {}", plural(objects, "object"), count(versions), bytes(size));
        if set_aside > 0 {
            text += &format!(", {} set aside", plural(set_aside, "line"));
        }
        if failed_batches > 0 {
            text += &format!(", {} that had to be given up", plural(failed_batches, "file"));
        }
        Ok(text)
    }

    /// Stops what writes, empties what would keep the stack, and deletes it. Tables and buckets with data stay for now.
    async fn remove_stack(&self, stack: &Stack) -> Result<Ended, Error> {
        let mappings = mappings::find(&self.aws, stack).await?;
        if self.arguments.keep_data {
            drain(&self.aws, stack, &mappings, &self.flags, &self.interrupt).await?;
        }
        if !mappings.is_empty() {
            shown("switching off what feeds the functions", mappings::disable(&self.aws, &mappings)).await?;
        }
        self.empty(&self.names.results_bucket()).await?;
        let token = change_set::token();
        let delete = self.aws.cloudformation().delete_stack().stack_name(&stack.id).client_request_token(&token);
        delete.send().await.map_err(|e| failed("the stack cannot be removed", "CloudFormation.DeleteStack", &e))?;
        self.operation(stack, Board::new(token, 0)).watch(&self.interrupt).await
    }

    async fn empty(&self, bucket: &str) -> Result<(), Error> {
        if !kept::bucket(&self.aws, bucket).await? {
            return Ok(());
        }
        let mut progress = Progress::new(&format!("emptying {bucket}"), None);
        let empty = data::empty(&self.aws, bucket, |removed| progress.set(removed));
        unless_interrupted(&self.interrupt, "the same command again removes the rest", empty).await
    }

    /// What the stack kept when it was deleted. Whatever fails, the rest goes.
    async fn remove_data(&self, kept: &Kept) -> Result<(), Error> {
        let mut failures = Vec::new();
        // That of results goes with the stack; where it did not, it is a leftover.
        for bucket in [self.names.data_bucket(), self.names.audit_bucket(), self.names.results_bucket()] {
            let removed = match self.empty(&bucket).await {
                Ok(()) => data::remove_bucket(&self.aws, &bucket).await,
                Err(error) => Err(error),
            };
            match removed {
                Ok(true) => style::say(&style::done(&format!("bucket {bucket}"))),
                Ok(false) => {}
                Err(error) => failures.push(error),
            }
        }
        for table in [self.names.quotes_table(), self.names.signals_table()] {
            match shown(&format!("removing {table}"), data::remove_table(&self.aws, &table)).await {
                Ok(true) => style::say(&style::done(&format!("table {table}"))),
                Ok(false) => {}
                Err(error) => failures.push(error),
            }
        }
        // The data under it first: while any is left, so is its key.
        if let Some(key) = kept.key.as_ref().filter(|_| failures.is_empty()) {
            self.give_up_key(key).await.unwrap_or_else(|error| failures.push(error));
        }
        let Some(first) = failures.first() else { return Ok(()) };
        for failure in failures.iter().skip(1) {
            style::say(&style::error(&failure.to_string()));
        }
        Err(Error::new("not everything could be removed").because(first).status(ExitStatus::Partial).hint(
            first.hint_text().map_or_else(
                || format!("`stockpipe down{}` again removes the rest", self.flags),
                |hint| format!("{hint}; then `stockpipe down{}` again", self.flags),
            ),
        ))
    }

    /// Only a key that a stack made for itself: one from elsewhere is somebody's.
    async fn give_up_key(&self, key: &str) -> Result<(), Error> {
        if !data::is_own_key(&self.aws, key, &self.names.stack).await? {
            style::say("The customer key is not the stack's own and stays.");
            return Ok(());
        }
        if let Some(days) = data::give_up_key(&self.aws, key).await? {
            style::say(&style::done(&format!(
                "the customer key, for good in {days} days; until then KMS can take that back"
            )));
        }
        Ok(())
    }

    async fn say_what_stays(&self, kept: &Kept) -> Result<ExitStatus, Error> {
        let groups = data::remove_log_groups(&self.aws, &self.log_groups()).await?;
        groups.iter().for_each(|group| style::say(&style::done(&format!("log group {group}"))));
        self.collect().await;
        let there = [
            (kept.quotes.is_some(), self.names.quotes_table()),
            (kept.signals.is_some(), self.names.signals_table()),
            (kept.lake, self.names.data_bucket()),
            (kept.audit, self.names.audit_bucket()),
        ];
        let names: Vec<String> = there.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
        let key = if kept.key.is_some() { " and the customer key" } else { "" };
        style::say(&format!("Down; {}{key} stay, and cost what they hold.", names.join(", ")));
        style::say(&format!(
            "Next: `stockpipe up{0}` takes them in again, `stockpipe down{0}` removes them.",
            self.flags
        ));
        Ok(ExitStatus::Done)
    }

    fn log_groups(&self) -> Vec<String> {
        Function::ALL.map(|function| self.names.log_group(function.name())).to_vec()
    }

    /// Looks for what is left: log groups that came back, code that no stack refers to, and the shared stack once the
    /// last pipeline is gone.
    async fn sweep(&self) -> Result<ExitStatus, Error> {
        for group in data::remove_log_groups(&self.aws, &self.log_groups()).await? {
            style::say(&style::done(&format!("log group {group}, which came back")));
        }
        let Some(shared) = bootstrap::find(&self.aws).await? else {
            style::say(&format!("Nothing of stack '{}' is left.", self.names.stack));
            return Ok(ExitStatus::Done);
        };
        let others: Vec<String> =
            survey::stacks(&self.aws).await?.into_iter().filter(code::is_pipeline).map(|stack| stack.name).collect();
        let stays = if !others.is_empty() {
            Some(format!("for {}", others.join(", ")))
        } else if bootstrap::is_shared(&shared) {
            Some("its role and boundary may be of use to others".to_owned())
        } else if shared.state() == State::Busy {
            Some(format!("it is in {}", shared.status))
        } else {
            None
        };
        let Some(why) = stays else { return self.remove_shared(&shared).await };
        self.collect().await;
        style::say(&format!("Nothing of stack '{}' is left. {BOOTSTRAP_STACK} stays: {why}.", self.names.stack));
        if others.is_empty() {
            style::say(&style::hint(&format!(
                "`aws cloudformation delete-stack --stack-name {BOOTSTRAP_STACK}` once its bucket is empty"
            )));
        }
        Ok(ExitStatus::Done)
    }

    /// The last one turns off the light.
    async fn remove_shared(&self, shared: &Stack) -> Result<ExitStatus, Error> {
        self.empty(&self.names.artifact_bucket()).await?;
        let token = change_set::token();
        let delete = self.aws.cloudformation().delete_stack().stack_name(&shared.id).client_request_token(&token);
        delete.send().await.map_err(|e| failed("the artifact bucket stays", "CloudFormation.DeleteStack", &e))?;
        if self.operation(shared, Board::new(token, 0)).watch(&self.interrupt).await? == Ended::Left {
            return Ok(LEFT);
        }
        style::say(&format!(
            "Nothing of stack '{}' is left. It was the last one: {BOOTSTRAP_STACK} with the code is gone too.",
            self.names.stack
        ));
        Ok(ExitStatus::Done)
    }

    /// Removes code that no stack refers to. That it could not be does not matter to what is gone.
    async fn collect(&self) {
        match code::collect(&self.aws, &self.names).await {
            Ok(collected) => {
                for (key, why) in collected.failed {
                    style::say(&style::warning(&format!("code {key} stays: {}", style::visible(&why))));
                }
            }
            Err(error) => style::say(&style::warning(&format!("code of no stack stays: {error}"))),
        }
    }
}

/// A number that DynamoDB counts every six hours or so.
fn items(number: i64, what: &str) -> String {
    plural(u64::try_from(number).unwrap_or_default(), what)
}
