//! `up` on AWS: what there is, what would change, whether to, and then that.
//!
//! The plan comes before anything is built or paid for. What is needed to make it, the bucket of code and templates,
//! costs nothing while it is empty.

use super::{after, code, stuck};
use crate::{
    cli::{self, Format},
    commands::operation::{Ended, LEFT, Operation, shown, unless_interrupted},
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::style::{self, STRONG, Screen, plural},
    settings::Settings,
    targets::aws::{
        Aws,
        artifacts::{Artifact, BuildOptions},
        deploy::{
            bootstrap::{self, Need},
            change_set::{self, ChangeSet, Proposed, Wanted},
            code::Uploaded,
            kept::{self, Kept},
            survey::{self, Stack, State},
        },
        names::{BOOTSTRAP_STACK, Names},
        options::{self, Choice, Options},
        stack::{
            events::Board,
            plan::{Action, Change, Plan, Replacement},
        },
        template::{self, Values},
    },
};

/// What everything here needs.
pub struct Up<'a> {
    pub aws: Aws,
    pub names: Names,
    pub settings: &'a Settings,
    pub arguments: &'a cli::Up,
    pub options: Options,
    pub build: BuildOptions,
    pub flags: String,
    pub interrupt: Interrupt,
}

/// Runs it.
pub async fn run(settings: &Settings, arguments: &cli::Up) -> Result<ExitStatus, Error> {
    let options = options(settings, arguments)?;
    let build = BuildOptions::from_env()?;
    let aws = Aws::connect().await?;
    let names = aws.names(&settings.stack);
    let up = Up {
        aws,
        names,
        settings,
        arguments,
        options,
        build,
        flags: settings.flags(),
        interrupt: Interrupt::listen_to_aws()?,
    };
    style::say(&format!(
        "Stack '{}' in {}, account {}, as {}",
        style::paint(STRONG, &settings.stack),
        up.aws.region,
        up.aws.masked_account(),
        style::visible(&up.aws.caller())
    ));
    let (stack, shared) = tokio::try_join!(survey::stack(&up.aws, &settings.stack), bootstrap::find(&up.aws))?;
    let stack = match stack {
        Some(stack) if !matches!(stack.state(), State::Settled | State::Review) => {
            match stuck::settle(&up, stack).await? {
                stuck::Settled::Stack(stack) => stack.map(|stack| *stack),
                stuck::Settled::Left => return Ok(LEFT),
                stuck::Settled::Said => return Ok(ExitStatus::Done),
            }
        }
        stack => stack,
    };
    up.go_on(stack, shared).await
}

/// What was typed, then what the file says.
fn options(settings: &Settings, arguments: &cli::Up) -> Result<Options, Error> {
    let mut options = Options::default();
    for typed in &arguments.set {
        let Some((name, value)) = typed.split_once('=') else {
            return Err(Error::new(format!("--set '{}' is not of the form name=value", style::visible(typed)))
                .status(ExitStatus::Usage)
                .hint("for example --set shard_count=2"));
        };
        options.set(name, value)?;
    }
    if let Some(shards) = arguments.shards {
        options.set("shard_count", &shards.to_string())?;
    }
    Ok(options.or(&settings.aws))
}

impl Up<'_> {
    /// From what there is to what there is to be. The stack is settled, or not there.
    async fn go_on(&self, stack: Option<Stack>, shared: Option<Stack>) -> Result<ExitStatus, Error> {
        let before = stack.as_ref().filter(|stack| stack.state() == State::Settled);
        let kept = match before {
            Some(_) => Kept::default(),
            None => kept::find(&self.aws, &self.names).await?,
        };
        let mut wanted = self.wanted(before, &kept)?;
        let need = bootstrap::need(&self.names, &self.options, shared.as_ref());
        self.refer_to_shared(&mut wanted, before, shared.as_ref())?;
        let text = template::pipeline(&self.names, &wanted.values);
        if let Some(before) = before
            && need == Need::None
            && is_as_wanted(before, &wanted)
            && survey::template(&self.aws, &before.id).await? == text
        {
            return after::unchanged(self).await;
        }
        if self.arguments.dry_run && shared.is_none() {
            // Where the template would have to be put to be planned with does not exist yet: nothing else does either.
            return self.say_first_plan(&wanted, &kept);
        }
        if let Need::Deploy(values) = need {
            if self.arguments.dry_run {
                style::say(&format!("Stack {BOOTSTRAP_STACK} would be brought up to date first."));
            } else {
                self.make_shared(values, shared.as_ref()).await?;
            }
        }
        let shared = bootstrap::find(&self.aws).await?;
        self.refer_to_shared(&mut wanted, before, shared.as_ref())?;
        let uploaded = Uploaded::put(&self.aws, &self.names, &text).await?;
        wanted.template = uploaded.text();
        let state = stack.as_ref().map(Stack::state);
        let proposed = shown("planning", change_set::propose(&self.aws, &wanted, state)).await;
        if let Err(error) = uploaded.remove(&self.aws).await {
            style::say(&style::warning(&error.to_string()));
        }
        match proposed? {
            Proposed::Nothing => match before {
                Some(_) => after::unchanged(self).await,
                None => Err(Error::new("CloudFormation finds nothing to make").hint("this is a mistake of stockpipe")),
            },
            Proposed::Changes(change_set) => self.carry_out(before, &wanted, &kept, *change_set).await,
        }
    }

    /// The stack as it is to be, without where its template is.
    fn wanted(&self, before: Option<&Stack>, kept: &Kept) -> Result<Wanted, Error> {
        let rules = self
            .arguments
            .options
            .resolve(&self.settings.stack_options, before.and_then(|stack| options::rules(&stack.values)))?;
        let mut values = self.options.values(&rules, before.map(|stack| &stack.values));
        if self.arguments.shards.is_some() && values.get("StreamMode").is_some_and(|mode| mode != "provisioned") {
            return Err(Error::new("--shards: this stream grows and shrinks by itself (stream_mode: on-demand)")
                .status(ExitStatus::Usage)
                .hint("--set stream_mode=provisioned gives it as many shards as you say"));
        }
        // What was kept under a key can be read with that key alone.
        if let Some(key) = &kept.key
            && values.get("CustomerKey").is_none_or(|set| !set.starts_with("arn:"))
        {
            values.insert("CustomerKey".into(), key.clone());
        }
        crate::targets::aws::deploy::code::complete(&mut values, &self.names, &self.build)?;
        Ok(Wanted {
            stack: self.names.stack.clone(),
            values,
            tags: change_set::tags(&self.options, before),
            imports: !kept.is_empty(),
            ..Wanted::default()
        })
    }

    /// Puts the role and the boundary in that were asked for, or that the stack has.
    fn refer_to_shared(
        &self,
        wanted: &mut Wanted,
        before: Option<&Stack>,
        shared: Option<&Stack>,
    ) -> Result<(), Error> {
        let output = |name: &str| shared.and_then(|stack| stack.output(name)).map(str::to_owned);
        wanted.role = match &self.options.service_role {
            None => before.and_then(|stack| stack.role.clone()),
            Some(Choice::No) => None,
            Some(Choice::Own) => output("DeployRoleArn"),
            Some(Choice::Arn(arn)) => Some(arn.clone()),
        };
        if self.options.service_role == Some(Choice::No) && before.is_some_and(|stack| stack.role.is_some()) {
            return Err(Error::new("a stack keeps the role that it was made with: CloudFormation takes none away")
                .status(ExitStatus::Usage)
                .hint("give another one, as service_role=ARN, or leave service_role out"));
        }
        // A role that makes roles may make only those with the boundary.
        let boundary = match (&self.options.boundary, &self.options.service_role) {
            (Some(Choice::No), _) => Some(String::new()),
            (Some(Choice::Arn(arn)), _) => Some(arn.clone()),
            (Some(Choice::Own), _) | (None, Some(Choice::Own)) => output("PermissionsBoundaryArn"),
            (None, _) => None,
        };
        if let Some(boundary) = boundary {
            wanted.values.insert("PermissionsBoundary".into(), boundary);
        }
        Ok(())
    }

    /// Shows the plan, asks, builds, and has AWS do it.
    async fn carry_out(
        &self,
        before: Option<&Stack>,
        wanted: &Wanted,
        kept: &Kept,
        change_set: ChangeSet,
    ) -> Result<ExitStatus, Error> {
        // From here on an end of whatever kind leaves no plan behind.
        let artifacts = match self.agree(before, wanted, kept, &change_set).await {
            Ok(Some(artifacts)) => artifacts,
            Ok(None) => {
                change_set::discard(&self.aws, &change_set).await?;
                return Ok(ExitStatus::Done);
            }
            Err(error) => {
                self.take_back(&change_set).await;
                return Err(error);
            }
        };
        let token = change_set::token();
        if let Err(error) = change_set::execute(&self.aws, &change_set, &token).await {
            self.take_back(&change_set).await;
            return Err(error);
        }
        if self.arguments.no_wait {
            style::say(&format!("AWS is at work. Next: stockpipe status --watch{}", self.flags));
            style::say(&format!("Then `stockpipe up{}` once more saves the queries in Athena.", self.flags));
            return Ok(ExitStatus::Done);
        }
        let operation = self.operation(&change_set, token);
        match operation.watch(&self.interrupt).await? {
            Ended::Done => after::done(self, &change_set, &artifacts).await,
            Ended::Cancelled if change_set.is_new => {
                style::say("What was made so far is removed.");
                Ok(ExitStatus::Partial)
            }
            Ended::Cancelled => {
                style::say("The stack is as it was before.");
                Ok(ExitStatus::Partial)
            }
            Ended::Left => Ok(LEFT),
        }
    }

    /// Leaves no plan behind after a failure, which is what is reported: that the plan stays is said beside it.
    async fn take_back(&self, change_set: &ChangeSet) {
        if let Err(error) = change_set::discard(&self.aws, change_set).await {
            style::say(&style::warning(&error.to_string()));
        }
    }

    fn operation<'a>(&'a self, change_set: &'a ChangeSet, token: String) -> Operation<'a> {
        Operation {
            aws: &self.aws,
            stack: &change_set.stack,
            stack_id: &change_set.stack_id,
            flags: &self.flags,
            board: Board::new(token, change_set.plan.len()),
            names: change_set.plan.changes().iter().map(|change| change.logical_id.clone()).collect(),
        }
    }

    /// Whether it is to be done: shows the plan and asks. The code is ready then; none where nothing is to be done.
    async fn agree(
        &self,
        before: Option<&Stack>,
        wanted: &Wanted,
        kept: &Kept,
        change_set: &ChangeSet,
    ) -> Result<Option<[Artifact; 3]>, Error> {
        self.say_plan(&change_set.plan, wanted, before, kept)?;
        code::preflight(self, &wanted.values).await?;
        if self.arguments.dry_run {
            if self.settings.format == Format::Table {
                style::say("Nothing was done.");
            }
            return Ok(None);
        }
        if !self.arguments.yes {
            let (undone, name) = ("nothing was changed", &self.names.stack);
            let agreed = if change_set.plan.data_at_stake().next().is_some() {
                let question =
                    format!("Data may go with what is replaced. Type the stack's name to apply it ({name}):");
                crate::commands::ask_unless(&self.interrupt, &question, undone)? == *name
            } else {
                matches!(
                    crate::commands::ask_unless(&self.interrupt, "Apply? [y/N]", undone)?.as_str(),
                    "y" | "Y" | "yes"
                )
            };
            if !agreed {
                return Err(Error::new(undone).status(ExitStatus::NotConfirmed));
            }
        }
        unless_interrupted(&self.interrupt, "nothing was changed", code::ensure(self, &wanted.values)).await.map(Some)
    }

    /// The plan of a first `up`, as far as it can be told without CloudFormation: everything is made.
    fn say_first_plan(&self, wanted: &Wanted, kept: &Kept) -> Result<ExitStatus, Error> {
        let there = |name: &str| match name {
            "QuotesTable" => kept.quotes.is_some(),
            "SignalsTable" => kept.signals.is_some(),
            "DataBucket" => kept.lake,
            "AuditBucket" => kept.audit,
            _ => false,
        };
        let change = |(logical_id, resource_type): (String, String)| Change {
            action: if there(&logical_id) { Action::Import } else { Action::Add },
            replacement: Replacement::None,
            old_stays: false,
            logical_id,
            physical_id: None,
            resource_type,
            details: Vec::new(),
        };
        let resources = template::resources(template::PIPELINE, &wanted.values);
        let plan = Plan::new(resources.into_iter().map(change).collect());
        style::say(&format!("Stack {BOOTSTRAP_STACK} with the bucket of code and templates would be made first."));
        self.say_plan(&plan, wanted, None, kept)?;
        if self.settings.format == Format::Table {
            style::say("Nothing was done, and CloudFormation was not asked: it needs that bucket to be.");
        }
        Ok(ExitStatus::Done)
    }

    fn say_plan(&self, plan: &Plan, wanted: &Wanted, before: Option<&Stack>, kept: &Kept) -> Result<(), Error> {
        match self.settings.format {
            Format::Json if self.arguments.dry_run => {
                use std::io::Write;
                writeln!(anstream::stdout(), "{}", plan.to_json())?;
                return Ok(());
            }
            Format::Csv if self.arguments.dry_run => return after::plan_csv(plan),
            _ => {}
        }
        plan.lines(Screen::stderr()).iter().for_each(|line| style::say(line));
        if !kept.is_empty() {
            let quotes = u64::try_from(kept.quotes.unwrap_or_default()).unwrap_or_default();
            style::say(&format!("Kept        data is taken in again, about {} among it", plural(quotes, "quote")));
        }
        if before.is_none() {
            let stream = match wanted.values.get("StreamMode").map(String::as_str) {
                Some("on-demand") => "the stream alone is $29.20",
                _ => "a shard alone is $10.95",
            };
            style::say(&format!("Cost        {stream} a month, quotes or none (us-east-1, list price)"));
        }
        Ok(())
    }

    /// Makes the shared stack, or brings it up to date. It costs nothing, so nothing is asked.
    async fn make_shared(&self, values: Values, found: Option<&Stack>) -> Result<(), Error> {
        if let Some(found) = found
            && !matches!(found.state(), State::Settled | State::Review)
        {
            return stuck::settle_shared(self, found, values).await;
        }
        self.deploy_shared(values, found).await
    }

    /// As [`Self::make_shared`], where nothing is in the way.
    pub async fn deploy_shared(&self, values: Values, found: Option<&Stack>) -> Result<(), Error> {
        let Proposed::Changes(change_set) = shown("planning", bootstrap::propose(&self.aws, values, found)).await?
        else {
            return Ok(());
        };
        let token = change_set::token();
        change_set::execute(&self.aws, &change_set, &token).await?;
        let operation = self.operation(&change_set, token);
        let what = if found.is_some() { "brought up to date" } else { "made" };
        match operation.watch(&self.interrupt).await? {
            Ended::Done => {
                style::say(&style::done(&format!("{BOOTSTRAP_STACK} {what}: the bucket of code and templates")));
                Ok(())
            }
            Ended::Cancelled | Ended::Left => Err(Error::new(format!("stack {BOOTSTRAP_STACK} was not waited for"))
                .status(LEFT)
                .hint(format!("`stockpipe up{}` goes on from there", self.flags))),
        }
    }
}

/// Whether a stack was made from these parameters, tags and role. Where no role is wanted, it has the one that it has.
fn is_as_wanted(before: &Stack, wanted: &Wanted) -> bool {
    before.values == wanted.values && before.tags == wanted.tags && before.role == wanted.role
}
