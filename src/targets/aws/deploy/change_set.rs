//! Change sets: what a template would change, looked at before it is done.

use super::{
    follow,
    pace::Pace,
    survey::{self, State},
};
use crate::{
    error::Error,
    targets::aws::{
        Aws, Refused, failed,
        options::Options,
        stack::plan::{Action, Change, Detail, Plan, Recreation, Replacement},
        template::Values,
    },
};
use aws_sdk_cloudformation::types::{
    self, Capability, ChangeAction, ChangeSetStatus, ChangeSetType, EvaluationType, Parameter, PolicyAction,
    RequiresRecreation, Tag,
};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How CloudFormation says that there is nothing to do.
const NO_CHANGES: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];
/// What is waited for when a stack that was only looked at is to go.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a stack is to become.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The stack's name.
    pub stack: String,
    /// The template, in a bucket or in full.
    pub template: Text,
    /// Its parameters.
    pub values: Values,
    /// Tags on everything.
    pub tags: BTreeMap<String, String>,
    /// The role that CloudFormation does it with.
    pub role: Option<String>,
    /// Whether resources that are there under their names are to be taken in.
    pub imports: bool,
}

/// Where a template is.
#[derive(Clone, Debug)]
pub enum Text {
    /// Here; at most 51,200 bytes.
    Inline(String),
    /// In S3, at this URL; at most 1 MB.
    Url(String),
}

impl Default for Text {
    fn default() -> Self {
        Self::Inline(String::new())
    }
}

/// A change set that can be executed.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Its id. Calls name the stack too: rights are those of a stack.
    id: String,
    /// The stack's name.
    pub stack: String,
    /// The stack's id, by which it is followed.
    pub stack_id: String,
    /// Whether the stack is there because of this change set alone.
    pub is_new: bool,
    /// What it does.
    pub plan: Plan,
}

/// What became of a proposal.
#[derive(Debug)]
pub enum Proposed {
    /// There is nothing to change.
    Nothing,
    /// There is.
    Changes(Box<ChangeSet>),
}

/// Has CloudFormation find out what would change. The stack's state is that of a moment ago.
pub async fn propose(aws: &Aws, wanted: &Wanted, state: Option<State>) -> Result<Proposed, Error> {
    let is_new = matches!(state, None | Some(State::Review));
    let client = aws.cloudformation();
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let parameters = wanted
        .values
        .iter()
        .map(|(name, value)| Parameter::builder().parameter_key(name).parameter_value(value).build());
    let mut create = client
        .create_change_set()
        .stack_name(&wanted.stack)
        .change_set_name(format!("stockpipe-{}", unique()))
        .description("made by stockpipe up")
        .change_set_type(if is_new { ChangeSetType::Create } else { ChangeSetType::Update })
        .set_parameters(Some(parameters.collect()))
        .set_tags(Some(wanted.tags.iter().map(tag).collect()))
        .set_role_arn(wanted.role.clone())
        .capabilities(Capability::CapabilityNamedIam);
    if wanted.imports {
        create = create.import_existing_resources(true);
    }
    create = match &wanted.template {
        Text::Inline(text) => create.template_body(text),
        Text::Url(url) => create.template_url(url),
    };
    let what = format!("the changes to stack '{}' cannot be planned", wanted.stack);
    let created = create.send().await;
    let created = created.map_err(|e| failed(&what, "CloudFormation.CreateChangeSet", &e))?;
    let (id, stack_id) = (created.id.unwrap_or_default(), created.stack_id.unwrap_or_default());
    let mut change_set = ChangeSet { id, stack: wanted.stack.clone(), stack_id, is_new, plan: Plan::new(Vec::new()) };
    let mut pace = Pace::default();
    let changes = loop {
        let described = client
            .describe_change_set()
            .stack_name(&change_set.stack_id)
            .change_set_name(&change_set.id)
            .include_property_values(true)
            .send()
            .await
            .map_err(|e| failed(&what, "CloudFormation.DescribeChangeSet", &e))?;
        match described.status {
            Some(ChangeSetStatus::CreateComplete) => {
                break all_changes(aws, &change_set, described.changes.unwrap_or_default(), described.next_token)
                    .await?;
            }
            Some(ChangeSetStatus::Failed) => {
                let reason = described.status_reason.unwrap_or_default();
                let refused = match follow::says_elsewhere(&reason) {
                    true => follow::refused_plan(aws, &change_set.id).await,
                    false => Vec::new(),
                };
                discard(aws, &change_set).await?;
                if NO_CHANGES.iter().any(|text| reason.contains(text)) {
                    return Ok(Proposed::Nothing);
                }
                let made = Error::new(what).because(reason);
                return Err(if refused.is_empty() { made } else { made.because(refused.join("\n")) });
            }
            _ => pace.wait().await,
        }
    };
    change_set.plan = Plan::new(changes);
    Ok(Proposed::Changes(Box::new(change_set)))
}

/// The changes of all pages.
async fn all_changes(
    aws: &Aws,
    change_set: &ChangeSet,
    first: Vec<types::Change>,
    mut token: Option<String>,
) -> Result<Vec<Change>, Error> {
    let mut changes = first;
    while let Some(next) = token {
        let page = aws.cloudformation().describe_change_set().stack_name(&change_set.stack_id);
        let page = page.change_set_name(&change_set.id).include_property_values(true).next_token(next).send().await;
        let page = page.map_err(|e| failed("the plan cannot be read", "CloudFormation.DescribeChangeSet", &e))?;
        changes.extend(page.changes.unwrap_or_default());
        token = page.next_token;
    }
    Ok(changes.into_iter().filter_map(|change| change.resource_change.map(read)).collect())
}

/// Begins to do what it says, under this token.
pub async fn execute(aws: &Aws, change_set: &ChangeSet, token: &str) -> Result<(), Error> {
    let execute = aws.cloudformation().execute_change_set().stack_name(&change_set.stack_id);
    let execute = execute.change_set_name(&change_set.id).client_request_token(token);
    match execute.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let made = failed(
                format!("the plan of stack '{}' cannot be carried out", change_set.stack),
                "CloudFormation.ExecuteChangeSet",
                &error,
            );
            Err(if error.refusal().0.contains("InvalidChangeSetStatus") || error.is_absent() {
                made.hint("somebody else changed the stack meanwhile: run the same command again")
            } else {
                made
            })
        }
    }
}

/// Leaves nothing of it behind: not the change set, and not the empty stack that was made to hold it.
pub async fn discard(aws: &Aws, change_set: &ChangeSet) -> Result<(), Error> {
    let deleted = aws.cloudformation().delete_change_set().stack_name(&change_set.stack_id);
    let deleted = deleted.change_set_name(&change_set.id).send().await;
    if let Err(error) = deleted
        && !error.is_absent()
    {
        return Err(failed("the plan cannot be taken back", "CloudFormation.DeleteChangeSet", &error));
    }
    if !change_set.is_new {
        return Ok(());
    }
    remove_review(aws, &change_set.stack_id).await
}

/// Deletes a stack that holds nothing but plans, unless it has become one meanwhile.
pub async fn remove_review(aws: &Aws, stack_id: &str) -> Result<(), Error> {
    let mut pace = Pace::default();
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut asked = false;
    while let Some(stack) = survey::stack(aws, stack_id).await? {
        if !asked {
            if stack.state() != State::Review || has_plans(aws, stack_id).await? {
                return Ok(());
            }
            let deleted = aws.cloudformation().delete_stack().stack_name(stack_id).send().await;
            deleted.map_err(|e| failed("the empty stack cannot be removed", "CloudFormation.DeleteStack", &e))?;
            asked = true;
        }
        if tokio::time::Instant::now() > end {
            break;
        }
        pace.wait().await;
    }
    Ok(())
}

/// Whether somebody else is looking at a plan.
async fn has_plans(aws: &Aws, stack_id: &str) -> Result<bool, Error> {
    let listed = aws.cloudformation().list_change_sets().stack_name(stack_id).send().await;
    let listed = listed.map_err(|e| failed("the plans cannot be listed", "CloudFormation.ListChangeSets", &e))?;
    Ok(!listed.summaries().is_empty())
}

/// A token for an operation, by which its events are known.
#[must_use]
pub fn token() -> String {
    format!("stockpipe-{}", unique())
}

/// The tags of a stack: those that were set, else those that it has.
#[must_use]
pub fn tags(options: &Options, before: Option<&survey::Stack>) -> BTreeMap<String, String> {
    options.tags.clone().or_else(|| before.map(|stack| stack.tags.clone())).unwrap_or_default()
}

/// No other process has made the same.
fn unique() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", now.as_nanos(), std::process::id())
}

fn read(change: types::ResourceChange) -> Change {
    let replacement = match change.replacement {
        Some(types::Replacement::True) => Replacement::Replaced,
        Some(types::Replacement::Conditional) => Replacement::Conditional,
        _ => Replacement::None,
    };
    Change {
        action: match change.action {
            Some(ChangeAction::Add) => Action::Add,
            Some(ChangeAction::Remove) => Action::Remove,
            Some(ChangeAction::Import) => Action::Import,
            Some(ChangeAction::Modify) => Action::Modify,
            _ => Action::Dynamic,
        },
        replacement,
        old_stays: matches!(
            change.policy_action,
            Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain | PolicyAction::ReplaceAndSnapshot)
        ),
        logical_id: change.logical_resource_id.unwrap_or_default(),
        physical_id: change.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: change.resource_type.unwrap_or_default(),
        details: change.details.unwrap_or_default().into_iter().filter_map(detail).collect(),
    }
}

fn detail(detail: types::ResourceChangeDetail) -> Option<Detail> {
    let target = detail.target?;
    // What may change when something else does is said by that.
    if detail.evaluation == Some(EvaluationType::Dynamic)
        && target.after_value.is_none()
        && detail.causing_entity.is_none()
    {
        return None;
    }
    Some(Detail {
        attribute: target.attribute.map(|a| a.as_str().to_owned()).unwrap_or_default(),
        name: target.name,
        path: target.path,
        before: target.before_value,
        after: target.after_value,
        requires_recreation: match target.requires_recreation {
            Some(RequiresRecreation::Always) => Recreation::Always,
            Some(RequiresRecreation::Conditionally) => Recreation::Conditionally,
            _ => Recreation::Never,
        },
        cause: detail.causing_entity,
    })
}
