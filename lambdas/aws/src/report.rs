//! What a function says: one line of JSON for each batch, which is its metrics as well.
//!
//! The metrics are in CloudWatch's embedded metric format, with the stack as their one dimension: a metric costs
//! $0.30 a month, one for each symbol more than the pipeline.

use crate::{CallError, Calls};
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// The namespace of the metrics.
const NAMESPACE: &str = "stockpipe";
/// Values of one metric that a line may hold.
const VALUES: usize = 100;

/// One line, under way.
#[derive(Clone, Debug)]
pub struct Report {
    line: Map<String, Value>,
    metrics: Vec<Value>,
    stack: String,
    millis: u64,
}

impl Report {
    /// The line of an invocation, that says what it was about.
    #[must_use]
    pub fn new(stack: &str, request_id: &str, message: &str) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut line = Map::new();
        if let Some(time) = i64::try_from(millis).ok().and_then(pipeline::Timestamp::from_millis) {
            line.insert("timestamp".into(), time.to_string().into());
        }
        line.insert("level".into(), "INFO".into());
        line.insert("message".into(), message.into());
        line.insert("requestId".into(), request_id.into());
        Self { line, metrics: Vec::new(), stack: stack.to_owned(), millis }
    }

    /// A value that is no metric.
    pub fn say(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.line.insert(name.into(), value.into());
        self
    }

    /// Counts that are metrics.
    pub fn count<'a>(&mut self, counts: impl IntoIterator<Item = (&'a str, u64)>) -> &mut Self {
        for (name, count) in counts {
            self.line.insert(name.into(), count.into());
            self.metrics.push(json!({"Name": name, "Unit": "Count"}));
        }
        self
    }

    /// How long something took, each time, in milliseconds. Of many, a hundred evenly spaced stand for all.
    pub fn millis(&mut self, name: &str, values: &[i64]) -> &mut Self {
        let step = values.len().div_ceil(VALUES).max(1);
        let sample: Vec<i64> = values.iter().step_by(step).copied().collect();
        if !sample.is_empty() {
            self.line.insert(name.into(), sample.into());
            self.metrics.push(json!({"Name": name, "Unit": "Milliseconds"}));
        }
        self
    }

    /// That part of the work comes again, from the record on that Lambda calls so, and why. Nothing is lost.
    pub fn comes_again(&mut self, from: &str, why: &str, calls: &Calls) -> &mut Self {
        self.say("level", "WARN").say("failedFrom", from).say("why", why);
        if let Some(CallError { call, code, message, request_id }) = calls.first_error() {
            let (service, operation) = call.split_once('.').unwrap_or((call, ""));
            self.say(
                "error",
                json!({
                    "service": service, "operation": operation, "code": code, "message": message,
                    "requestId": request_id,
                }),
            );
        }
        self
    }

    /// That something was lost, or somebody has to act.
    pub fn fails(&mut self, why: impl std::fmt::Display) -> &mut Self {
        self.say("level", "ERROR").say("why", why.to_string())
    }

    /// The line.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self { line, metrics, stack, millis } = self;
        let mut line = line.clone();
        if !metrics.is_empty() {
            let about = json!([{"Namespace": NAMESPACE, "Dimensions": [["stack"]], "Metrics": metrics}]);
            line.insert("_aws".into(), json!({"Timestamp": millis, "CloudWatchMetrics": about}));
        }
        line.insert("stack".into(), stack.as_str().into());
        line.into()
    }

    /// Writes the line to standard output, which Lambda logs.
    pub fn write(&self) {
        println!("{}", self.to_json());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_log_and_its_metrics() {
        let mut report = Report::new("demo", "r-1", "batch");
        report.say("records", 2).count([("Quotes", 3), ("Late", 0)]).millis("PutToStored", &[5; 250]);
        let line = report.to_json();
        assert_eq!((&line["stack"], &line["requestId"], &line["Quotes"]), (&"demo".into(), &"r-1".into(), &3.into()));
        let about = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(about["Dimensions"], json!([["stack"]]));
        let named: Vec<_> = about["Metrics"].as_array().into_iter().flatten().map(|m| m["Name"].clone()).collect();
        assert_eq!(named, ["Quotes", "Late", "PutToStored"]);
        // Every metric is in the line, and so is the dimension.
        assert!(named.iter().filter_map(Value::as_str).all(|name| line.get(name).is_some()));
        assert_eq!(line["PutToStored"].as_array().map(Vec::len), Some(84));
    }
}
