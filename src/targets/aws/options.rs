//! What can be set of a pipeline on AWS, by the names of the template's own parameters.
//!
//! `shard_count: 2` in the file's `aws` section, or `up --set shard_count=2`, is the parameter `ShardCount`. What the
//! template declares is what can be set: names, defaults and limits are read from it.

use super::template::{self, Parameter, Values};
use crate::{
    error::{Error, ExitStatus},
    report::style::visible,
    targets::local::Options as Rules,
};
use std::collections::BTreeMap;

/// What the deployer itself decides.
const OWN: [&str; 5] = ["ArtifactBucket", "ProcessCodeKey", "TrendCodeKey", "ArchiveCodeKey", "Id"];
/// What both targets know, and the setting that says it.
const RULES: [(&str, &str); 3] =
    [("AnomalyPercent", "anomaly_percent"), ("Raw", "raw"), ("QuoteRetention", "retention")];
/// The policy that bounds the functions' roles.
const BOUNDARY: &str = "PermissionsBoundary";

/// What was set, by whichever means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Parameters of the template, by name.
    values: Values,
    /// Tags on everything; none where nothing is said of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// The role with which CloudFormation makes the pipeline.
    pub service_role: Option<Choice>,
    /// The policy that bounds the functions' roles.
    pub boundary: Option<Choice>,
}

/// Something that the bootstrap stack can make, or that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// None.
    No,
    /// The bootstrap stack's.
    Own,
    /// This one.
    Arn(String),
}

impl Options {
    /// Sets an option by its name in the file or on the command line.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "service_role" => self.service_role = Some(choice(name, value, ":role/")?),
            "permissions_boundary" => self.boundary = Some(choice(name, value, ":policy/")?),
            _ => {
                let parameter = parameter(name)?;
                let value = yes_or_no(&parameter, value);
                parameter.check(&value).map_err(|why| wrong(name, &value, &why))?;
                self.values.insert(parameter.name, value);
            }
        }
        Ok(())
    }

    /// These, and where they say nothing `others`.
    #[must_use]
    pub fn or(mut self, others: &Self) -> Self {
        for (name, value) in &others.values {
            self.values.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self.tags = self.tags.or_else(|| others.tags.clone());
        self.service_role = self.service_role.or_else(|| others.service_role.clone());
        self.boundary = self.boundary.or_else(|| others.boundary.clone());
        self
    }

    /// All of the template's parameters that users decide: what was set, else what the stack has, else the default.
    #[must_use]
    pub fn values(&self, rules: &Rules, before: Option<&Values>) -> Values {
        let mut values = Values::new();
        for Parameter { name, default, .. } in template::parameters(template::PIPELINE) {
            let before = before.and_then(|before| before.get(&name));
            if let Some(value) = self.values.get(&name).or(before).or(default.as_ref())
                && !OWN.contains(&&*name)
            {
                values.insert(name, value.clone());
            }
        }
        values.insert("AnomalyPercent".into(), rules.anomaly_percent.clone());
        values.insert("Raw".into(), rules.raw.clone());
        values.insert("QuoteRetention".into(), rules.retention.to_string());
        values
    }
}

/// What both targets know, as a stack has it.
#[must_use]
pub fn rules(values: &Values) -> Option<Rules> {
    Some(Rules {
        retention: values.get("QuoteRetention")?.parse().ok()?,
        anomaly_percent: values.get("AnomalyPercent")?.clone(),
        raw: values.get("Raw")?.clone(),
    })
}

/// The names that can be set, and the parameter of each; none for what is no parameter.
pub fn settable() -> impl Iterator<Item = (String, Option<Parameter>)> {
    let parameters = template::parameters(template::PIPELINE).into_iter();
    let parameters = parameters.filter(|p| !OWN.contains(&&*p.name) && !RULES.iter().any(|(name, _)| *name == p.name));
    let named = parameters.filter(|p| p.name != BOUNDARY).map(|p| (snake(&p.name), Some(p)));
    named.chain([("permissions_boundary".to_owned(), None), ("service_role".to_owned(), None)])
}

fn parameter(name: &str) -> Result<Parameter, Error> {
    let found = settable().find(|(settable, _)| settable == name).and_then(|(_, parameter)| parameter);
    found.ok_or_else(|| {
        let made = Error::new(format!("there is no setting '{}' of AWS", visible(name))).status(ExitStatus::Usage);
        if let Some((_, rule)) = RULES.iter().find(|(parameter, rule)| *rule == name || snake(parameter) == name) {
            return made.hint(format!(
                "it is of both targets: `{rule}` at the top of stockpipe.yaml, or --{}",
                rule.replace('_', "-")
            ));
        }
        let names: Vec<String> = settable().map(|(name, _)| name).collect();
        let score = |known: &String| strsim::jaro_winkler(name, known);
        match names.iter().max_by(|a, b| score(a).total_cmp(&score(b))).filter(|nearest| score(nearest) > 0.8) {
            Some(nearest) => made.hint(format!("did you mean {nearest}?")),
            None => made.hint(format!("there are {}", names.join(", "))),
        }
    })
}

fn choice(name: &str, value: &str, kind: &str) -> Result<Choice, Error> {
    match value {
        "no" | "false" => Ok(Choice::No),
        "yes" | "true" => Ok(Choice::Own),
        arn if arn.starts_with("arn:") && arn.contains(kind) => Ok(Choice::Arn(arn.into())),
        _ => Err(wrong(name, value, &"not yes, no or an ARN")),
    }
}

/// YAML's own words for it as the template's.
fn yes_or_no(parameter: &Parameter, value: &str) -> String {
    match value {
        "true" if parameter.allowed.iter().any(|allowed| allowed == "yes") => "yes".into(),
        "false" if parameter.allowed.iter().any(|allowed| allowed == "no") => "no".into(),
        value => value.into(),
    }
}

fn wrong(name: &str, value: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(format!("{name} '{}'", visible(value))).because(why).status(ExitStatus::Usage)
}

/// `ShardCount` as `shard_count`.
#[must_use]
pub fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(of: &[(&str, &str)]) -> Result<Options, Error> {
        let mut options = Options::default();
        of.iter().try_for_each(|(name, value)| options.set(name, value)).map(|()| options)
    }

    /// Would catch a setting that changes nothing, and a value that the template refuses.
    #[test]
    fn settings_are_the_templates_parameters() {
        let options =
            set(&[("shard_count", "2"), ("isolation", "true"), ("table_mode", "provisioned")]).expect("options");
        let values = options.values(&Rules::default(), None);
        let of = |name: &str| values.get(name).map(String::as_str);
        assert_eq!((of("ShardCount"), of("Isolation"), of("TableMode")), (Some("2"), Some("yes"), Some("provisioned")));
        assert_eq!((of("LogDays"), of("QuoteRetention"), of("Raw")), (Some("14"), Some("604800"), Some("symbol")));
        assert!(OWN.iter().all(|name| !values.contains_key(*name)));
        let kept = Values::from([("LogDays".to_owned(), "30".to_owned()), ("ShardCount".to_owned(), "5".to_owned())]);
        let values = options.values(&Rules::default(), Some(&kept));
        assert_eq!((&*values["LogDays"], &*values["ShardCount"]), ("30", "2"));
        assert_eq!(rules(&values).expect("rules").retention, 604_800);
    }

    /// Would catch a mistake that is not said to be one, or not helped with.
    #[test]
    fn mistakes_are_named() {
        let error = |name: &str, value: &str| {
            let error = set(&[(name, value)]).expect_err("an error");
            assert_eq!(error.exit_status(), ExitStatus::Usage);
            format!("{error} | {}", error.hint_text().unwrap_or_default())
        };
        assert_eq!(error("shard_cuont", "2"), "there is no setting 'shard_cuont' of AWS | did you mean shard_count?");
        assert!(error("raw", "off").contains("`raw` at the top of stockpipe.yaml, or --raw"));
        assert!(error("quote_retention", "1").contains("--retention"));
        assert!(error("id", "000000000000").starts_with("there is no setting 'id'"));
        assert_eq!(error("shard_count", "0"), "shard_count '0': not between 1 and 500 | ");
        assert_eq!(error("service_role", "Deployer"), "service_role 'Deployer': not yes, no or an ARN | ");
    }

    /// Would catch flags that lose against the file.
    #[test]
    fn the_nearer_one_wins() {
        let flags = set(&[("shard_count", "2"), ("service_role", "no")]).expect("options");
        let file = set(&[("shard_count", "3"), ("log_days", "30"), ("service_role", "yes")]).expect("options");
        let options = flags.or(&file);
        assert_eq!(options.service_role, Some(Choice::No));
        let values = options.values(&Rules::default(), None);
        assert_eq!((&*values["ShardCount"], &*values["LogDays"]), ("2", "30"));
    }
}
