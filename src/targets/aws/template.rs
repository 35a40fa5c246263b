//! The templates: what can be set in them, and their texts as they are deployed.
//!
//! The text that is deployed is the one in `templates/`, comments included, for whoever looks at it in the console. Two
//! things are said in it rather than left to CloudFormation. The names of what holds data are literals: only then are
//! resources that `down --keep-data` left taken in again. And what CloudFormation does not know everywhere, the budget,
//! is left out where it is not asked for.

use super::names::Names;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use yaml_serde::Value;

/// The pipeline.
pub const PIPELINE: &str = include_str!("../../../templates/pipeline.yaml");
/// The artifact bucket and what else there is once per account and region.
pub const BOOTSTRAP: &str = include_str!("../../../templates/bootstrap.yaml");

/// Parameters of a stack, by name.
pub type Values = BTreeMap<String, String>;

/// A parameter as the template declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, such as `ShardCount`.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// What it is when nothing is said; none where something has to be.
    pub default: Option<String>,
    /// The values it may have; none where any.
    pub allowed: Vec<String>,
    pattern: Option<String>,
    least: Option<i64>,
    most: Option<i64>,
    is_number: bool,
}

impl Parameter {
    /// Why a value is none for it.
    ///
    /// CloudFormation would say the same, later and in other words. Patterns are left to it.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == value) {
            return Err(format!("not one of {}", self.allowed.join(", ")));
        }
        if self.is_number {
            let number = value.parse::<i64>().map_err(|_| "not a whole number".to_owned())?;
            if self.least.is_some_and(|least| number < least) || self.most.is_some_and(|most| number > most) {
                return Err(match (self.least, self.most) {
                    (Some(least), Some(most)) => format!("not between {least} and {most}"),
                    (Some(least), None) => format!("less than {least}"),
                    (_, most) => format!("more than {}", most.unwrap_or_default()),
                });
            }
        }
        Ok(())
    }

    /// Whether it takes numbers alone.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        self.is_number
    }

    /// What a value has to look like, as a regular expression.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }
}

/// What a template declares.
#[must_use]
pub fn parameters(text: &str) -> Vec<Parameter> {
    let parsed = parse(text);
    let of = |value: &Value, name: &str| value.get(name).map(scalar);
    let declared = parsed.get("Parameters").and_then(Value::as_mapping).into_iter().flatten();
    declared
        .map(|(name, value)| Parameter {
            name: scalar(name),
            description: of(value, "Description").unwrap_or_default(),
            default: of(value, "Default"),
            allowed: value
                .get("AllowedValues")
                .and_then(Value::as_sequence)
                .into_iter()
                .flatten()
                .map(scalar)
                .collect(),
            pattern: of(value, "AllowedPattern"),
            least: of(value, "MinValue").and_then(|n| n.parse().ok()),
            most: of(value, "MaxValue").and_then(|n| n.parse().ok()),
            is_number: of(value, "Type").as_deref() == Some("Number"),
        })
        .collect()
}

/// The resources that a template makes with these parameters: logical name and type.
#[must_use]
pub fn resources(text: &str, values: &Values) -> Vec<(String, String)> {
    let parsed = parse(text);
    let mut values = values.clone();
    for parameter in parameters(text) {
        if let Some(default) = parameter.default {
            values.entry(parameter.name).or_insert(default);
        }
    }
    let conditions = parsed.get("Conditions");
    let made = parsed.get("Resources").and_then(Value::as_mapping).into_iter().flatten();
    made.filter(|(_, resource)| {
        let condition = resource.get("Condition").map(scalar);
        condition
            .is_none_or(|name| conditions.and_then(|c| c.get(&*name)).is_none_or(|c| holds(c, conditions, &values)))
    })
    .map(|(name, resource)| (scalar(name), resource.get("Type").map(scalar).unwrap_or_default()))
    .collect()
}

/// The memory of one of the pipeline's functions, in MB.
#[must_use]
pub fn memory(function: &str) -> f64 {
    let parsed = parse(PIPELINE);
    let properties = parsed.get("Resources").and_then(|r| r.get(function)).and_then(|f| f.get("Properties"));
    properties.and_then(|p| p.get("MemorySize")).and_then(Value::as_f64).unwrap_or_default()
}

/// The metrics of the functions' own that the pipeline's alarms and dashboard are of, by name.
#[must_use]
pub fn metrics() -> BTreeSet<String> {
    let parsed = parse(PIPELINE);
    let of = |value: &Value, path: &[&str]| {
        path.iter().try_fold(value.clone(), |value, name| value.get(name).cloned()).unwrap_or_default()
    };
    let own = scalar(&of(&parsed, &["Metadata", "Stockpipe", "MetricNamespace"]));
    let mut names = BTreeSet::new();
    for (_, resource) in parsed.get("Resources").and_then(Value::as_mapping).into_iter().flatten() {
        if scalar(&of(resource, &["Properties", "Namespace"])) == own {
            names.insert(scalar(&of(resource, &["Properties", "MetricName"])));
        }
        let Value::Tagged(body) = of(resource, &["Properties", "DashboardBody"]) else { continue };
        let body: serde_json::Value = serde_json::from_str(&scalar(&body.value)).unwrap_or_default();
        for widget in body["widgets"].as_array().into_iter().flatten() {
            // A `.` repeats what the metric before had in its place.
            let mut namespace = String::new();
            for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
                match (metric[0].as_str(), metric[1].as_str()) {
                    (Some("."), Some(name)) if namespace == own => _ = names.insert(name.to_owned()),
                    (Some("." | "..."), _) => {}
                    (Some(of), Some(name)) => {
                        namespace = of.to_owned();
                        names.extend((of == own).then(|| name.to_owned()));
                    }
                    _ => {}
                }
            }
        }
    }
    names
}

/// The pipeline's text as it is deployed.
#[must_use]
pub fn pipeline(names: &Names, values: &Values) -> String {
    let mut text = PIPELINE.to_owned();
    for (property, name) in literals(names) {
        text = text.replace(property.1, &format!("{}: {name}", property.0));
    }
    without_idle_budget(text, values)
}

/// The pipeline's text as it is deployed where nobody knows the account: names are made by CloudFormation, so that
/// nothing that was kept is taken in.
#[must_use]
pub fn unnamed_pipeline(values: &Values) -> String {
    without_idle_budget(PIPELINE.to_owned(), values)
}

fn without_idle_budget(text: String, values: &Values) -> String {
    if values.get("MonthlyBudget").is_none_or(|dollars| dollars == "0") {
        return without_resource(&text, "Budget");
    }
    text
}

/// The artifact bucket's text as it is deployed: its output `Version` says which text it is.
#[must_use]
pub fn bootstrap() -> String {
    BOOTSTRAP.replace("Value: unknown", &format!("Value: '{}'", bootstrap_version()))
}

/// What the output `Version` of a bootstrap stack is that needs no update.
#[must_use]
pub fn bootstrap_version() -> String {
    Sha256::digest(BOOTSTRAP).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Property and text of each name that is written out, and the name.
fn literals(names: &Names) -> [((&'static str, &'static str), String); 4] {
    [
        (("TableName", "TableName: !Sub ${AWS::StackName}-stock-market-data"), names.quotes_table()),
        (("TableName", "TableName: !Sub ${AWS::StackName}-stock-market-signals"), names.signals_table()),
        (("BucketName", "BucketName: !Sub stock-market-data-bucket-${Id}"), names.data_bucket()),
        (("BucketName", "BucketName: !Sub stock-market-audit-${Id}"), names.audit_bucket()),
    ]
}

/// The text without a resource and the comment above it.
fn without_resource(text: &str, name: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some(start) = lines.iter().position(|line| line.strip_prefix("  ") == Some(&format!("{name}:"))) else {
        return text.to_owned();
    };
    let inside = |line: &&&str| line.is_empty() || line.starts_with("    ");
    let length = 1 + lines.iter().skip(start + 1).take_while(inside).count();
    let above = lines.iter().take(start).rev().take_while(|line| line.starts_with("  #")).count();
    let kept = lines.iter().take(start - above).chain(lines.iter().skip(start + length));
    kept.fold(String::with_capacity(text.len()), |text, line| text + line + "\n")
}

/// The templates come with the binary, and a test reads them: they are YAML.
fn parse(text: &str) -> Value {
    yaml_serde::from_str(text).unwrap_or_default()
}

/// Whether a condition holds: `Equals`, `Not`, `And`, `Or`, other conditions and parameters.
fn holds(condition: &Value, conditions: Option<&Value>, values: &Values) -> bool {
    let Value::Tagged(tagged) = condition else { return true };
    let of = tagged.value.as_sequence().map(Vec::as_slice).unwrap_or_default();
    let value = |value: &Value| match value {
        Value::Tagged(reference) => values.get(&scalar(&reference.value)).cloned().unwrap_or_default(),
        value => scalar(value),
    };
    match (tagged.tag.to_string().trim_start_matches('!'), of) {
        ("Equals", [a, b]) => value(a) == value(b),
        ("Not", [inner]) => !holds(inner, conditions, values),
        ("And", all) => all.iter().all(|inner| holds(inner, conditions, values)),
        ("Or", any) => any.iter().any(|inner| holds(inner, conditions, values)),
        ("Condition", _) => {
            let named = conditions.and_then(|c| c.get(&*scalar(&tagged.value)));
            named.is_none_or(|named| holds(named, conditions, values))
        }
        _ => true,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a metric that is paid for and not counted.
    #[test]
    fn metrics_and_memory_are_counted() {
        let names: Vec<String> = metrics().into_iter().collect();
        let expected = [
            "Anomalies",
            "Archived",
            "Duplicates",
            "Late",
            "PutToStored",
            "Quotes",
            "Revised",
            "SetAside",
            "Signals",
            "Stale",
        ];
        assert_eq!(names, expected);
        assert!((memory("ProcessStockData"), memory("ArchiveStockData")) == (256.0, 512.0));
    }

    fn names() -> Names {
        Names::new("123456789012", "us-east-1", "prices")
    }

    fn values(of: &[(&str, &str)]) -> Values {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Would catch a template whose lines no longer are what is replaced: kept data would not be taken in.
    #[test]
    fn what_holds_data_is_named_in_the_text() {
        let text = pipeline(&names(), &Values::new());
        for ((property, line), name) in literals(&names()) {
            assert_eq!(PIPELINE.matches(line).count(), 1, "{line}");
            assert_eq!(text.matches(&format!("{property}: {name}\n")).count(), 1, "{name}");
        }
    }

    /// Would catch a budget that is left out where it is asked for, or takes its neighbours with it.
    #[test]
    fn the_budget_is_there_when_asked_for() {
        let with = pipeline(&names(), &values(&[("MonthlyBudget", "20")]));
        let without = pipeline(&names(), &values(&[("MonthlyBudget", "0")]));
        assert!(with.contains("AWS::Budgets::Budget") && !without.contains("AWS::Budgets::Budget"));
        let parsed = parse(&without);
        assert_eq!(parsed["Outputs"], parse(&with)["Outputs"]);
        let count = |text: &str| parse(text)["Resources"].as_mapping().map(yaml_serde::Mapping::len);
        assert_eq!(count(&without).map(|n| n + 1), count(&with));
        assert!(without.contains("# What a client needs"));
    }

    /// Would catch conditions that are read otherwise than CloudFormation reads them.
    #[test]
    fn options_decide_what_is_made() {
        let made =
            |of: &[(&str, &str)]| resources(PIPELINE, &values(of)).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        let plain = made(&[]);
        assert!(plain.contains(&"QuotesTable".into()) && plain.contains(&"StockDashboard".into()));
        for (option, value, resource) in [
            ("FanOut", "yes", "ProcessConsumer"),
            ("CustomerKey", "new", "Key"),
            ("Isolation", "yes", "SnsEndpoint"),
            ("AuditTrail", "yes", "AuditBucket"),
            ("MonthlyBudget", "20", "Budget"),
            ("AlertsEmail", "a@example.com", "AlertsByEmail"),
        ] {
            assert!(!plain.contains(&resource.into()), "{resource}");
            assert!(made(&[(option, value)]).contains(&resource.into()), "{resource}");
        }
        assert!(!made(&[("Dashboard", "no")]).contains(&"StockDashboard".into()));
        let bootstrap = |of| resources(BOOTSTRAP, &values(of)).len();
        assert_eq!(
            (bootstrap(&[]), bootstrap(&[("PermissionsBoundary", "yes")]), bootstrap(&[("ServiceRole", "yes")])),
            (2, 3, 4)
        );
    }

    /// Would catch a text that CloudFormation does not give back as it was: beyond ASCII it gives question marks, and then
    /// no run of `up` finds the stack unchanged.
    #[test]
    fn the_texts_are_ascii() {
        assert!(PIPELINE.is_ascii() && BOOTSTRAP.is_ascii());
    }

    /// Would catch a bootstrap stack that is never brought up to date.
    #[test]
    fn the_bootstrap_stack_says_its_version() {
        let parsed = parse(&bootstrap());
        assert_eq!(scalar(&parsed["Outputs"]["Version"]["Value"]), bootstrap_version());
    }

    /// Would catch a declaration that is not read.
    #[test]
    fn parameters_are_read_as_declared() {
        let all = parameters(PIPELINE);
        let of = |name: &str| all.iter().find(|p| p.name == name).expect("a parameter");
        assert_eq!(of("ShardCount").default.as_deref(), Some("1"));
        assert_eq!(of("ShardCount").check("501"), Err("not between 1 and 500".into()));
        assert_eq!(of("ShardCount").check("two"), Err("not a whole number".into()));
        assert_eq!(of("Raw").check("some"), Err("not one of symbol, batch, off".into()));
        assert_eq!(of("Raw").check("off"), Ok(()));
        assert!(of("LogDays").check("2").is_err());
        assert_eq!(of("MonthlyBudget").check("-1"), Err("less than 0".into()));
        assert!(of("Id").default.is_none() && of("AlertsUrl").pattern().is_some());
        assert!(all.iter().all(|p| !p.description.is_empty()));
    }
}
