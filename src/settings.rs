//! From what was typed, the environment and `stockpipe.yaml` to plain settings. Flags win over the environment, that
//! over the file, that over the defaults.

use crate::{
    cli::{Format, Global, TargetName},
    error::{Error, ExitStatus},
    report::style::visible,
    sources::parse_duration,
    targets::{
        aws::options::Options as AwsOptions,
        local::{Options, state::Folder},
    },
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

/// The name of a stack that was not given one.
pub const DEFAULT_STACK: &str = "stockpipe";
/// The file that is read where none is named.
pub const FILE: &str = "stockpipe.yaml";
/// The JSON schema of the file.
pub const SCHEMA: &str = include_str!("stockpipe.schema.json");

/// What every command needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the pipeline is.
    pub target: TargetName,
    /// The stack's name.
    pub stack: String,
    /// How to write answers.
    pub format: Format,
    /// Where local stacks live.
    pub home: PathBuf,
    /// What the file says of the stack; flags of `up` win over it.
    pub stack_options: StackOptions,
    /// What the file says of AWS; `up --set` wins over it.
    pub aws: AwsOptions,
}

/// What can be set of a stack, in the file as with `up`.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct StackOptions {
    /// How long the table keeps a quote, such as 7d (the lake keeps all) [default: 7d]
    #[arg(long, value_name = "DURATION", env = "STOCKPIPE_RETENTION", hide_env_values = true)]
    pub retention: Option<String>,
    /// Beyond which change in percent against the previous close a quote is an anomaly [default: 5]
    #[arg(long, value_name = "PERCENT", env = "STOCKPIPE_ANOMALY_PERCENT", hide_env_values = true)]
    pub anomaly_percent: Option<String>,
    /// How the lake keeps quotes as they came: an object per symbol and batch, one per batch, none [default: symbol]
    #[arg(long, value_name = "symbol|batch|off", env = "STOCKPIPE_RAW", hide_env_values = true)]
    pub raw: Option<String>,
}

/// `stockpipe.yaml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    target: Option<TargetName>,
    stack: Option<String>,
    format: Option<Format>,
    retention: Option<String>,
    anomaly_percent: Option<yaml_serde::Value>,
    raw: Option<yaml_serde::Value>,
    aws: Option<BTreeMap<String, yaml_serde::Value>>,
}

impl Settings {
    /// Resolves what was typed.
    pub fn resolve(global: &Global) -> Result<Self, Error> {
        let path = global.config.clone().unwrap_or_else(|| FILE.into());
        let text = read_file(&path, global.config.is_some())?;
        let file = parse_file(&text).map_err(|e| wrong_file(&path, &e))?;
        let target = global.target.or(file.target).unwrap_or(TargetName::Local);
        let stack = global.stack.clone().or_else(|| file.stack.clone()).unwrap_or_else(|| DEFAULT_STACK.into());
        if !is_stack_name(&stack) {
            let by = match line_of(&text, "stack") {
                Some(line) if global.stack.is_none() => format!(" ('{}', line {line})", path.display()),
                _ => String::new(),
            };
            return Err(usage(format!("'{}' is no name for a stack{by}", visible(&stack)))
                .because("it takes a letter a-z, then at most 19 of a-z, 0-9 and -")
                .hint("for example --stack prices-2"));
        }
        let home = match env::var_os("STOCKPIPE_HOME").filter(|home| !home.is_empty()) {
            Some(home) => PathBuf::from(home),
            None => dirs::data_dir()
                .map(|data| data.join("stockpipe"))
                .ok_or_else(|| usage("there is no folder for local stacks").hint("set STOCKPIPE_HOME to one"))?,
        };
        let format = global.format.or(file.format).unwrap_or(Format::Table);
        // Here and not in `up` alone: a mistake in the file is said to be there.
        let aws = aws_options(file.aws.as_ref(), &text).map_err(|e| wrong_file(&path, &e))?;
        let stack_options = file.stack_options();
        stack_options.check(&text).map_err(|e| wrong_file(&path, &e))?;
        Ok(Self { target, stack, format, home, stack_options, aws })
    }

    /// What to add to a command to mean this stack, with a blank before it; nothing where it is meant anyway.
    pub fn flags(&self) -> String {
        let target = if self.target == TargetName::Aws { " --target aws" } else { "" };
        let stack = if self.stack == DEFAULT_STACK { String::new() } else { format!(" --stack {}", self.stack) };
        format!("{target}{stack}")
    }

    /// The stack's folder.
    pub fn folder(&self) -> Folder {
        Folder::new(&self.home, &self.stack)
    }
}

/// What the section `aws` says.
fn aws_options(section: Option<&BTreeMap<String, yaml_serde::Value>>, text: &str) -> Result<AwsOptions, Error> {
    let mut options = AwsOptions::default();
    for (name, value) in section.into_iter().flatten() {
        let at = |error: &dyn std::fmt::Display| {
            let line = line_in_aws(text, name).map_or_else(String::new, |line| format!("line {line}: "));
            usage(format!("{line}{error}"))
        };
        if name == "tags" {
            let tags = yaml_serde::from_value::<BTreeMap<String, yaml_serde::Value>>(value.clone());
            let tags = tags.map_err(|_| at(&"tags takes a name and a value on each line"))?;
            options.tags = Some(tags.into_iter().map(|(name, value)| (name, text_of(value))).collect());
            continue;
        }
        options.set(name, &text_of(value.clone())).map_err(|error| match error.hint_text() {
            Some(hint) => at(&error).hint(hint),
            None => at(&error),
        })?;
    }
    Ok(options)
}

/// A value of the file as the text that a flag would have.
fn text_of(value: yaml_serde::Value) -> String {
    match value {
        yaml_serde::Value::String(text) => text,
        yaml_serde::Value::Number(number) => number.to_string(),
        yaml_serde::Value::Bool(flag) => flag.to_string(),
        _ => "?".into(),
    }
}

impl File {
    fn stack_options(self) -> StackOptions {
        let text = |value: yaml_serde::Value| match value {
            // YAML reads a bare `off` as it pleases.
            yaml_serde::Value::Bool(false) => "off".into(),
            value => text_of(value),
        };
        StackOptions {
            retention: self.retention,
            anomaly_percent: self.anomaly_percent.map(text),
            raw: self.raw.map(text),
        }
    }
}

impl StackOptions {
    /// Checks each setting of a file by itself, so that an error says on which line it is.
    fn check(&self, text: &str) -> Result<(), Error> {
        let Self { retention, anomaly_percent, raw } = self.clone();
        let none = Self::default;
        for (name, alone) in [
            ("retention", Self { retention, ..none() }),
            ("anomaly_percent", Self { anomaly_percent, ..none() }),
            ("raw", Self { raw, ..none() }),
        ] {
            if let Err(error) = alone.resolve(&none(), None) {
                let line = line_of(text, name).map_or_else(String::new, |line| format!("line {line}: "));
                return Err(usage(format!("{line}{error}")));
            }
        }
        Ok(())
    }

    /// These, then `others` where these say nothing, then what is there already or the defaults.
    pub fn resolve(&self, others: &Self, kept: Option<Options>) -> Result<Options, Error> {
        let mut options = kept.unwrap_or_default();
        if let Some(retention) = self.retention.as_ref().or(others.retention.as_ref()) {
            let seconds = parse_duration(retention).map_err(|e| invalid("retention", retention, &e))?.as_secs();
            options.retention = i64::try_from(seconds)
                .ok()
                .filter(|s| *s >= 1)
                .ok_or_else(|| invalid("retention", retention, &"at least a second"))?;
        }
        if let Some(percent) = self.anomaly_percent.as_ref().or(others.anomaly_percent.as_ref()) {
            // In its shortest form, so that 5.0 is no change from 5.
            options.anomaly_percent = pipeline::AnomalyThreshold::percent(percent)
                .ok_or_else(|| {
                    invalid("anomaly percent", percent, &"not a number above 0 with at most 8 decimal places")
                })?
                .to_string();
        }
        if let Some(raw) = self.raw.as_ref().or(others.raw.as_ref()) {
            if !["symbol", "batch", "off"].contains(&raw.as_str()) {
                return Err(invalid("raw", raw, &"not symbol, batch or off"));
            }
            options.raw.clone_from(raw);
        }
        Ok(options)
    }
}

/// Of a flag, the environment or the file: each calls it by much the same name.
fn invalid(option: &str, value: &str, why: &dyn std::fmt::Display) -> Error {
    usage(format!("{option} '{}'", visible(value))).because(why)
}

fn usage(what: impl Into<String>) -> Error {
    Error::new(what).status(ExitStatus::Usage)
}

/// The file's text; it need not be there unless it was named.
fn read_file(path: &Path, named: bool) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound && !named => Ok(String::new()),
        Err(e) => Err(usage(format!("the settings '{}' cannot be read", path.display())).because(e)),
    }
}

/// What the text says; nothing where it is empty or all comments.
fn parse_file(text: &str) -> Result<File, yaml_serde::Error> {
    yaml_serde::from_str::<Option<File>>(text).map(Option::unwrap_or_default)
}

/// On which line a setting is, counted from 1.
fn line_of(text: &str, name: &str) -> Option<usize> {
    let is = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(':'));
    text.lines().position(is).map(|at| at + 1)
}

/// On which line a setting of the section `aws` is, counted from 1.
fn line_in_aws(text: &str, name: &str) -> Option<usize> {
    let start = line_of(text, "aws")?;
    let is = |line: &str| line.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(':'));
    text.lines().skip(start).position(is).map(|at| start + at + 1)
}

/// Whether a text is right as settings.
#[cfg(test)]
pub fn check_file(text: &str) -> Result<(), Error> {
    let file = parse_file(text).map_err(|e| usage(e.to_string()))?;
    aws_options(file.aws.as_ref(), text)?;
    file.stack_options().check(text)
}

fn wrong_file(path: &Path, why: &dyn std::fmt::Display) -> Error {
    usage(format!("the settings '{}' are wrong", path.display())).because(why)
}

/// `[a-z][a-z0-9-]{0,19}`: what AWS allows once a suffix follows it.
fn is_stack_name(name: &str) -> bool {
    let rest = name.strip_prefix(|c: char| c.is_ascii_lowercase());
    rest.is_some_and(|rest| {
        rest.len() <= 19 && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_stacks() {
        for name in ["stockpipe", "a", "prices-2", "abcdefghijklmnopqrst"] {
            assert!(is_stack_name(name), "{name}");
        }
        for name in ["", "A", "2a", "-a", "a_b", "a/b", "..", "abcdefghijklmnopqrstu"] {
            assert!(!is_stack_name(name), "{name}");
        }
    }

    #[test]
    fn the_nearest_setting_wins() {
        let flags = StackOptions { retention: Some("1h".into()), ..StackOptions::default() };
        let file = StackOptions { retention: Some("2h".into()), raw: Some("off".into()), ..StackOptions::default() };
        let options = flags.resolve(&file, None).expect("options");
        assert_eq!((options.retention, options.raw.as_str(), options.anomaly_percent.as_str()), (3600, "off", "5"));
        let kept = Options { anomaly_percent: "2.5".into(), ..Options::default() };
        let options = StackOptions::default().resolve(&StackOptions::default(), Some(kept.clone())).expect("options");
        assert_eq!(options, kept);
        let longer = StackOptions { anomaly_percent: Some("2.50".into()), ..StackOptions::default() };
        assert_eq!(longer.resolve(&StackOptions::default(), Some(kept.clone())).expect("options"), kept);
        let wrong = StackOptions { raw: Some("some".into()), ..StackOptions::default() };
        assert!(wrong.resolve(&file, None).is_err_and(|e| e.exit_status() == ExitStatus::Usage));
    }
}
