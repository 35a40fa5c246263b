//! What AWS and this machine say of it, all at once.

use super::{
    Finding, Verdict,
    judge::{self, Facts},
};
use crate::{
    error::Error,
    settings::{Settings, StackOptions},
    targets::aws::{
        self, Aws,
        artifacts::{self, BuildOptions},
        checks,
        deploy::{
            bootstrap,
            change_set::Text,
            code::{self, Uploaded},
            kept, survey, topics,
        },
        names::Names,
        options::Choice,
        policy::{self, Maker},
        rights,
        template::{self, Values},
    },
};

/// Looks at all of it.
pub async fn look(settings: &Settings) -> Result<Vec<Finding>, Error> {
    let rules = settings.stack_options.resolve(&StackOptions::default(), None)?;
    let values = settings.aws.values(&rules, None);
    let (connected, mut toolchain) = tokio::join!(Aws::connect(), toolchain(values.clone()));
    let mut findings = match connected {
        Ok(aws) => {
            let facts = ask(&aws, settings, &values).await;
            if let Ok(Some(stack)) = &facts.stack
                && toolchain.verdict == Verdict::Missing
                && has_code(&aws.names(&settings.stack), &values, stack)
            {
                toolchain.verdict = Verdict::Warning;
                toolchain.detail = format!("{}; as it is, the stack has the code already", toolchain.detail);
            }
            judge::all(&aws, settings, &values, &facts)
        }
        Err(error) => not_connected(&error).await,
    };
    findings.push(toolchain);
    findings.extend(judge::settings(&values, &settings.aws));
    Ok(findings)
}

/// All that keeps from connecting, rather than the first of it, and what could not be looked at for it.
async fn not_connected(error: &Error) -> Vec<Finding> {
    let obstacles = aws::obstacles().await;
    let obstacles = obstacles.iter().map(|(check, error)| Finding::error(check, Verdict::Missing, error));
    let mut findings: Vec<Finding> = obstacles.collect();
    if findings.is_empty() {
        findings.push(Finding::error("credentials", Verdict::Missing, error));
    }
    findings.push(Finding::warning(
        "account",
        "not checked: rights, stacks, templates, quotas",
        "run this again after that",
    ));
    findings
}

/// Whether a stack has the very code that would be built: then none is built.
fn has_code(names: &Names, values: &Values, stack: &survey::Stack) -> bool {
    let mut values = values.clone();
    let completed = BuildOptions::from_env().and_then(|options| code::complete(&mut values, names, &options));
    completed.is_ok() && code::is_same(&values, &stack.values)
}

/// Asks AWS everything at once.
async fn ask(aws: &Aws, settings: &Settings, values: &Values) -> Facts {
    let names = aws.names(&settings.stack);
    let maker = match settings.aws.service_role {
        Some(Choice::Own | Choice::Arn(_)) => Maker::Role,
        _ => Maker::Deployer,
    };
    let statements = policy::statements(maker, values);
    let bootstrap_text = Text::Inline(template::bootstrap());
    let (stack, shared, templates, rights, concurrency, shards) = tokio::join!(
        stack(aws, &names),
        bootstrap::find(aws),
        async {
            tokio::join!(checks::validate(aws, "the bootstrap stack", &bootstrap_text), pipeline(aws, &names, values))
        },
        rights::check(aws, &names, &statements),
        checks::concurrency(aws),
        checks::shards(aws),
    );
    let (stack, kept, subscriptions) = stack;
    Facts { stack, kept, subscriptions, shared, templates, rights, concurrency, shards }
}

/// The stack, and what hangs on whether there is one.
async fn stack(
    aws: &Aws,
    names: &Names,
) -> (Result<Option<survey::Stack>, Error>, Result<kept::Kept, Error>, Result<Vec<topics::Subscription>, Error>) {
    let stack = survey::stack(aws, &names.stack).await;
    match &stack {
        Ok(Some(found)) => {
            let subscriptions = topics::subscriptions(aws, found).await;
            (stack, Ok(kept::Kept::default()), subscriptions)
        }
        Ok(None) => (stack, kept::find(aws, names).await, Ok(Vec::new())),
        Err(_) => (stack, Ok(kept::Kept::default()), Ok(Vec::new())),
    }
}

/// Has the pipeline's template read, which is too large for a call: whether it could be, which takes the bucket.
async fn pipeline(aws: &Aws, names: &Names, values: &Values) -> Result<bool, Error> {
    if !kept::bucket(aws, &names.artifact_bucket()).await? {
        return Ok(false);
    }
    let uploaded = Uploaded::put(aws, names, &template::pipeline(names, values)).await?;
    let validated = checks::validate(aws, "the pipeline", &uploaded.text()).await;
    uploaded.remove(aws).await?;
    validated.map(|()| true)
}

/// What would build the functions. It asks other programs, which takes a moment.
async fn toolchain(values: Values) -> Finding {
    let found = tokio::task::spawn_blocking(move || {
        let (architecture, options) = (code::architecture(&values)?, BuildOptions::from_env()?);
        if options.bootstraps.is_some() {
            artifacts::keys(architecture, &options)?;
            return Ok("none is needed: STOCKPIPE_BOOTSTRAPS has the functions".to_owned());
        }
        Ok(format!("{}, for {architecture}", artifacts::toolchain(architecture, &options)?))
    });
    match found.await {
        Ok(Ok(toolchain)) => Finding::good("toolchain", toolchain),
        Ok(Err(error)) => Finding::error("toolchain", Verdict::Missing, &error),
        Err(error) => Finding::warning("toolchain", format!("not checked: {error}"), "run it again"),
    }
}
