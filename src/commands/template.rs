//! `template`: prints a template as it would be deployed.

use crate::{
    cli::{self, TemplateName},
    error::{Error, ExitStatus},
    report::style,
    settings::{Settings, StackOptions},
    targets::aws::{
        Aws,
        names::{BOOTSTRAP_STACK, Names},
        template::{self, Values},
    },
};
use std::io::{self, Write};

/// Runs it.
pub fn run(settings: &Settings, arguments: &cli::Template) -> Result<ExitStatus, Error> {
    // Names follow from the account; without credentials the template makes them itself, but for what was kept.
    let names = super::block_on(Aws::connect()).map(|aws| aws.names(&settings.stack));
    let (text, values) = match arguments.name {
        TemplateName::Bootstrap => (template::bootstrap(), Values::new()),
        TemplateName::Pipeline => {
            let rules = settings.stack_options.resolve(&StackOptions::default(), None)?;
            let values = settings.aws.values(&rules, None);
            let text = match &names {
                Ok(names) => template::pipeline(names, &values),
                Err(_) => template::unnamed_pipeline(&values),
            };
            (text, values)
        }
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    match arguments.name {
        TemplateName::Bootstrap => say_bootstrap(&names),
        TemplateName::Pipeline => say_pipeline(settings, &names, &values),
    }
    Ok(ExitStatus::Done)
}

fn say_bootstrap(names: &Result<Names, Error>) {
    style::say(&format!("Deploy it as the stack {BOOTSTRAP_STACK}, with CAPABILITY_NAMED_IAM."));
    let id = match names {
        Ok(names) => &names.bootstrap_id,
        Err(error) => &without_names(error),
    };
    style::say(&format!("Parameters: Id={id}, and PermissionsBoundary=yes or ServiceRole=yes if wanted"));
}

fn say_pipeline(settings: &Settings, names: &Result<Names, Error>, values: &Values) {
    style::say(&format!(
        "Deploy it as the stack {}, with CAPABILITY_IAM; it is too large for a call: from S3.",
        settings.stack
    ));
    let (id, bucket) = match names {
        Ok(names) => (names.id.clone(), names.artifact_bucket()),
        Err(error) => (without_names(error), "BUCKET".to_owned()),
    };
    let defaults = template::parameters(template::PIPELINE);
    let is_default = |name: &String, value: &String| {
        defaults.iter().any(|parameter| parameter.name == *name && parameter.default.as_ref() == Some(value))
    };
    let set = values.iter().filter(|(name, value)| !is_default(name, value));
    let set: String = set.map(|(name, value)| format!(" {name}={}", quoted(value))).collect();
    style::say(&format!("Parameters: Id={id} ArtifactBucket={bucket}{set}"));
    style::say("and of the zips that were uploaded there: ProcessCodeKey, TrendCodeKey, ArchiveCodeKey");
}

/// Says why names are missing, and what stands for them.
fn without_names(error: &Error) -> String {
    style::say(&style::warning(&format!(
        "without an account the names of tables and buckets are left to the template: {error}"
    )));
    "12HEXDIGITS".into()
}

/// As a shell takes it.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        value.into()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a parameter that a shell takes apart.
    #[test]
    fn parameters_can_be_pasted() {
        assert_eq!(
            ["2", "a@example.com", "cron(30 0 * * ? *)", "a'b", ""].map(quoted),
            ["2", "a@example.com", "'cron(30 0 * * ? *)'", r"'a'\''b'", "''"]
        );
    }
}
