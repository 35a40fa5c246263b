//! One thing that was said: a line of JSON of ours, one of Lambda's, or any text.

use crate::{
    cli,
    commands::clock,
    report::style::{self, BAD, FAINT, WARN, masked, outside},
    rows::Row,
    targets::aws::deployed::logs::Event,
};
use pipeline::{Date, Timestamp};
use serde_json::{Map, Value, json};

/// Columns of the longest function's word.
const FUNCTION: usize = 7;
/// What every line of ours has, and says in a place of its own or says nothing.
const NOT_FIELDS: [&str; 6] = ["timestamp", "level", "message", "requestId", "stack", "_aws"];
/// Lines that Lambda writes of every invocation.
const ROUTINE: [&str; 6] = ["START ", "END ", "REPORT ", "INIT_START ", "EXTENSION", "XRAY "];
/// What stands in a text that tells of an end before its time.
const FATAL: [&str; 4] = ["panicked at", "Task timed out", "Runtime exited", "signal: killed"];

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of use to who looks for something.
    Debug,
    /// As it should be.
    Info,
    /// Nothing was lost, and something is not as it should be.
    Warn,
    /// Something was lost, or somebody has to act.
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Some(match &*word.to_ascii_uppercase() {
            "TRACE" | "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARN" | "WARNING" => Self::Warn,
            "ERROR" | "FATAL" | "CRITICAL" => Self::Error,
            _ => return None,
        })
    }
}

impl From<cli::LogLevel> for Level {
    fn from(level: cli::LogLevel) -> Self {
        match level {
            cli::LogLevel::Debug => Self::Debug,
            cli::LogLevel::Info => Self::Info,
            cli::LogLevel::Warn => Self::Warn,
            cli::LogLevel::Error => Self::Error,
        }
    }
}

/// What was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    time: Timestamp,
    function: &'static str,
    /// How much it matters. Of a text without a level: little where Lambda says it each time, else that it is to be seen.
    pub level: Level,
    message: String,
    request_id: Option<String>,
    fields: Map<String, Value>,
}

impl Said {
    /// Reads an event.
    pub fn of(event: &Event) -> Self {
        let text = event.message.trim_end();
        let said = Self {
            time: event.time,
            function: event.function,
            level: level_of_text(text),
            message: masked(text).into_owned(),
            request_id: None,
            fields: Map::new(),
        };
        match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(line) if line.contains_key("message") => said.ours(line),
            Ok(line) if line.contains_key("type") && line.contains_key("record") => said.lambdas(line),
            _ => said,
        }
    }

    /// A line of a function.
    fn ours(mut self, mut line: Map<String, Value>) -> Self {
        let text = |line: &Map<String, Value>, name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
        self.level = text(&line, "level").and_then(|word| Level::of_word(&word)).unwrap_or(Level::Info);
        self.message = match line.get("message") {
            Some(Value::String(message)) => masked(message).into_owned(),
            other => masked(&other.cloned().unwrap_or_default().to_string()).into_owned(),
        };
        self.request_id = text(&line, "requestId");
        line.retain(|name, _| !NOT_FIELDS.contains(&&**name));
        self.fields = line;
        self.fields.values_mut().for_each(mask);
        self
    }

    /// A line of Lambda itself, such as `platform.report`.
    fn lambdas(mut self, mut line: Map<String, Value>) -> Self {
        self.message = line.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(Value::Object(record)) = line.remove("record") {
            self.fields = record;
        }
        self.request_id = self.fields.remove("requestId").and_then(|id| id.as_str().map(str::to_owned));
        let status = self.fields.get("status").and_then(Value::as_str);
        self.level = if status.is_some_and(|status| status != "success") { Level::Error } else { Level::Info };
        self.fields.values_mut().for_each(mask);
        self
    }

    /// For people: time, function, level, message, and the fields that say something.
    pub fn line(&self, today: Date) -> String {
        let level = format!("{:<5}", self.level.word());
        let level = match self.level {
            Level::Error => style::paint(BAD, &level),
            Level::Warn => style::paint(WARN, &level),
            Level::Info | Level::Debug => style::paint(FAINT, &level),
        };
        let mut fields = Vec::new();
        self.fields.iter().for_each(|(name, value)| push_field(&mut fields, name, value));
        let fields = fields.iter().map(|field| format!("  {field}")).collect::<String>();
        // A text of several lines stays what it is, below each other.
        let message: Vec<String> = self.message.lines().map(outside).collect();
        let (time, message) = (clock(self.time, today), message.join("\n    "));
        let line = format!("{time:<12}  {:<FUNCTION$}  {level}  {message}{fields}", self.function);
        line.trim_end().to_owned()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "time": self.time.to_string(),
            "function": self.function,
            "level": self.level.word(),
            "message": self.message,
            "request_id": self.request_id,
            "fields": self.fields,
        })
    }

    /// The same as a row.
    pub fn row(&self) -> Row {
        vec![
            Some(self.time.to_string()),
            Some(self.function.to_owned()),
            Some(self.level.word().to_owned()),
            Some(self.message.clone()),
            self.request_id.clone(),
            Some(Value::Object(self.fields.clone()).to_string()),
        ]
    }
}

fn level_of_text(text: &str) -> Level {
    if FATAL.iter().any(|words| text.contains(words)) {
        Level::Error
    } else if ROUTINE.iter().any(|begin| text.starts_with(begin)) {
        Level::Info
    } else {
        Level::Warn
    }
}

/// Cuts account ids, however deep.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        _ => {}
    }
}

/// `name=value`: counts of nothing are left out, of many measurements the span is said, and a group is told field by
/// field.
fn push_field(fields: &mut Vec<String>, name: &str, value: &Value) {
    let shown = match value {
        Value::Null => return,
        Value::Number(number) if number.as_f64() == Some(0.0) => return,
        Value::Object(inner) => {
            inner.iter().for_each(|(inner, value)| push_field(fields, &format!("{name}.{inner}"), value));
            return;
        }
        Value::Array(values) => match span(values) {
            Some([least, most]) if least == most => least.to_string(),
            Some([least, most]) => format!("{least}…{most}"),
            None => value.to_string(),
        },
        Value::String(text) if text.contains(char::is_whitespace) || text.is_empty() => format!("{text:?}"),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    fields.push(format!("{}={}", outside(name), outside(&shown)));
}

/// The least and the most of some whole numbers.
fn span(values: &[Value]) -> Option<[i64; 2]> {
    let numbers: Vec<i64> = values.iter().map(Value::as_i64).collect::<Option<_>>()?;
    Some([*numbers.iter().min()?, *numbers.iter().max()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn said(message: &str) -> Said {
        let time = Timestamp::parse("2026-11-20T14:30:00.125Z").expect("a time");
        Said::of(&Event { function: "trend", time, message: message.into() })
    }

    fn shown(message: &str) -> String {
        let said = said(message);
        strip_str(&said.line(said.time.date())).to_string()
    }

    /// Would catch a line whose trouble is not seen, metrics shown as text, and an account in full.
    #[test]
    fn what_functions_say() {
        let mut report = aws_ports::Report::new("prices", "r-1", "batch");
        report.say("records", 12).count([("Stored", 40), ("Late", 0)]).millis("PutToStored", &[5, 120, 7]);
        let line = report.to_json().to_string();
        assert_eq!(shown(&line), "14:30:00.125  trend    INFO   batch  PutToStored=5…120  Stored=40  records=12");
        let said_so = said(&line);
        assert_eq!(said_so.request_id.as_deref(), Some("r-1"));
        assert_eq!(said_so.json()["fields"]["Late"], 0);
        assert_eq!(said_so.json()["fields"].get("_aws"), None);
        report.fails("arn:aws:sns:us-east-1:123456784821:a is gone");
        let failed = said(&report.to_json().to_string());
        assert_eq!(failed.level, Level::Error);
        assert!(
            strip_str(&failed.line(failed.time.date()))
                .to_string()
                .ends_with("why=\"arn:aws:sns:us-east-1:…4821:a is gone\"")
        );
        assert!(!failed.json().to_string().contains("123456784821"));
        assert_eq!(
            shown(
                r#"{"message":"batch","level":"WARN","error":{"code":"Throttled","message":"too many"},"none":null}"#
            ),
            "14:30:00.125  trend    WARN   batch  error.code=Throttled  error.message=\"too many\""
        );
    }

    /// Would catch a panic that `--level warn` leaves out, and routine that it shows.
    #[test]
    fn what_lambda_says() {
        for (message, level) in [
            ("REPORT RequestId: a Duration: 3 ms", Level::Info),
            ("thread 'main' panicked at src/main.rs:1:2:\nno", Level::Error),
            ("2026-11-20T14:30:00Z a Task timed out after 60.00 seconds", Level::Error),
            ("something odd", Level::Warn),
            (
                r#"{"time":"2026-11-20T14:30:00Z","type":"platform.report","record":{"requestId":"a","status":"success"}}"#,
                Level::Info,
            ),
            (
                r#"{"time":"2026-11-20T14:30:00Z","type":"platform.report","record":{"requestId":"a","status":"timeout"}}"#,
                Level::Error,
            ),
            (r#"["a"]"#, Level::Warn),
        ] {
            assert_eq!(said(message).level, level, "{message}");
        }
        assert_eq!(
            shown("thread 'main' panicked at src/main.rs:1:2:\nno \u{1b}[2J\n"),
            "14:30:00.125  trend    ERROR  thread 'main' panicked at src/main.rs:1:2:\n    no \\u{1b}[2J"
        );
        assert!(Level::Debug < Level::Info && Level::Warn < Level::Error);
        assert_eq!(said("a").row().len(), super::super::columns().len());
    }
}
