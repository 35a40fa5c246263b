//! `policy`: the IAM policy of whoever deploys.

use crate::{
    cli,
    error::{Error, ExitStatus},
    report::style,
    settings::{Settings, StackOptions},
    targets::aws::policy::{self, MOST_OF_INLINE, MOST_OF_MANAGED, Maker, Scope, Statement},
};
use std::io::{self, Write};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Policy) -> Result<ExitStatus, Error> {
    let maker = match (arguments.user, arguments.service_role) {
        (true, _) => Maker::Nobody,
        (_, true) => Maker::Role,
        _ => Maker::Deployer,
    };
    let rules = settings.stack_options.resolve(&StackOptions::default(), None)?;
    let statements = policy::statements(maker, &settings.aws.values(&rules, None));
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok());
    let partition = policy::partition(&region.unwrap_or_default());
    let scope = Scope { partition, stack: &settings.stack };
    let parts = policy::parts(&statements, scope);
    let shown = match arguments.part {
        None => &statements,
        Some(part) => part.checked_sub(1).and_then(|at| parts.get(at)).ok_or_else(|| {
            Error::new(format!("--part {part}: there are {}", style::plural(parts.len() as u64, "part")))
                .status(ExitStatus::Usage)
        })?,
    };
    let document = policy::document(shown, scope)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{document}")?;
    out.flush()?;
    explain(settings, maker, scope, arguments.part.is_some(), shown, parts.len());
    Ok(ExitStatus::Done)
}

/// What one has to know who gives these rights to somebody.
fn explain(settings: &Settings, maker: Maker, scope: Scope<'_>, is_part: bool, shown: &[Statement], parts: usize) {
    let length = policy::length(shown, scope);
    style::say(&format!("What the commands take of whoever runs them on stack '{}', and no more.", settings.stack));
    style::say("In ARNs the account is `*`: a policy acts in its own account alone. So is the region.");
    if !is_part && length > MOST_OF_MANAGED {
        let numbers: Vec<String> = (1..=parts).map(|part| format!("--part {part}")).collect();
        style::say(&format!(
            "It has {} characters; a managed policy takes {}, a role {} inline. As managed policies: {}.",
            style::count(length as u64),
            style::count(MOST_OF_MANAGED as u64),
            style::count(MOST_OF_INLINE as u64),
            numbers.join(", ")
        ));
    }
    match maker {
        Maker::Deployer => {
            style::say(
                "It holds the rights of the options that stockpipe.yaml sets: of isolation, customer_key, audit_trail and \
                 monthly_budget. Before one is switched off, print it while it is still set.",
            );
            style::say(&style::warning(
                "who may make roles and hand them to functions can do anything that a function can: `service_role: yes` \
                 bounds that, and `stockpipe policy --service-role` is what is left then",
            ));
        }
        Maker::Nobody => {}
        Maker::Role => style::say(&style::warning(
            "BoundaryAndDeployRole makes the role itself, once per account and region. Who is not to do that gets the \
             rest, once somebody else has run the first `up`",
        )),
    }
}
