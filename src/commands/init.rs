//! `init`: writes a commented `stockpipe.yaml`, and the schema by which editors complete and check it.

use crate::{
    cli,
    error::{Error, ExitStatus},
    report::style,
    settings::{FILE, SCHEMA},
    targets::aws::options,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Columns of a comment.
const WIDTH: usize = 114;
/// More values than this are not listed.
const MOST_ALLOWED: usize = 6;

/// The schema's file, which the settings name for editors.
const SCHEMA_FILE: &str = "stockpipe.schema.json";

/// All settings with their defaults, as comments: a line counts once its `#` is gone.
const SETTINGS: &str = "\
# yaml-language-server: $schema=stockpipe.schema.json
# Settings of stockpipe for this folder. Flags win over STOCKPIPE_* in the environment, those over this file.

# Where the pipeline is: local is this machine, all embedded; aws is AWS, made by CloudFormation.
#target: local

# Which pipeline; several live side by side. A letter a-z, then at most 19 of a-z, 0-9 and -.
#stack: stockpipe

# How answers are written to standard output: table, json or csv.
#format: table

# The rest is of the pipeline itself: `stockpipe up` applies it.

# How long the table keeps a quote; the lake keeps all.
#retention: 7d

# Beyond which change in percent against the previous close a quote is an anomaly.
#anomaly_percent: 5

# How the lake keeps quotes as they came: an object per symbol and batch (symbol), one per batch (batch), none (off).
#raw: symbol
";

/// Above what only AWS has.
const SETTINGS_OF_AWS: &str = "
# On AWS alone: parameters of the template that `stockpipe template` prints, with what they are if nothing is said.
#aws:
  # Tags on everything, a name and a value to a line.
  #tags: {}

  # The role with which CloudFormation makes the pipeline, so that whoever runs `up` needs fewer rights: no, yes (the
  # bootstrap stack's) or an ARN.
  #service_role: no

  # The policy that bounds the roles of the functions: no, yes (the bootstrap stack's) or an ARN.
  #permissions_boundary: no
";

/// Runs it.
pub fn run(arguments: &cli::Init) -> Result<ExitStatus, Error> {
    let failed =
        |file: &str, why: &dyn std::fmt::Display| Error::new(format!("'{file}' cannot be written")).because(why);
    if !arguments.force && Path::new(FILE).exists() {
        return Err(Error::new(format!("there is a '{FILE}' already")).hint("`stockpipe init --force` writes it anew"));
    }
    for (file, text) in [(SCHEMA_FILE, schema()?), (FILE, settings())] {
        fs::write(file, text).map_err(|e| failed(file, &e))?;
        style::say(&style::done(file));
    }
    style::say("Every setting is in it with its default, as a comment. Next: stockpipe up");
    Ok(ExitStatus::Done)
}

/// The settings with what only AWS has, which the template says.
fn settings() -> String {
    let mut text = format!("{SETTINGS}{SETTINGS_OF_AWS}");
    for (name, parameter) in options::settable() {
        let Some(parameter) = parameter else { continue };
        text.push('\n');
        let allowed = if parameter.allowed.is_empty() || parameter.allowed.len() > MOST_ALLOWED {
            String::new()
        } else {
            format!(" ({})", parameter.allowed.join(", "))
        };
        for line in wrapped(&format!("{}{allowed}.", parameter.description), WIDTH) {
            text.push_str(&format!("  # {line}\n"));
        }
        let default = parameter.default.filter(|default| !default.is_empty()).unwrap_or_else(|| "''".into());
        text.push_str(&format!("  #{name}: {default}\n"));
    }
    text
}

/// The schema with what only AWS has.
fn schema() -> Result<String, Error> {
    let wrong = |why: serde_json::Error| Error::new("the schema cannot be written").because(why);
    let mut schema: Value = serde_json::from_str(SCHEMA).map_err(wrong)?;
    if let Some(properties) = schema.pointer_mut("/properties/aws/properties").and_then(Value::as_object_mut) {
        for (name, parameter) in options::settable() {
            let Some(parameter) = parameter else { continue };
            let default = parameter.default.clone().unwrap_or_default();
            let mut property = json!({"description": format!("{}.", parameter.description)});
            if parameter.is_number() {
                property["type"] = "integer".into();
                property["default"] = default.parse::<i64>().unwrap_or_default().into();
            } else if parameter.allowed.iter().any(|allowed| allowed == "yes") {
                property["type"] = json!(["boolean", "string"]);
                property["default"] = default.into();
            } else {
                property["type"] = "string".into();
                property["default"] = default.into();
            }
            if !parameter.allowed.is_empty() && !parameter.allowed.iter().any(|allowed| allowed == "yes") {
                let number = |text: &String| text.parse::<i64>().map_or_else(|_| text.as_str().into(), Value::from);
                property["enum"] = parameter.allowed.iter().map(number).collect();
            }
            if let Some(pattern) = parameter.pattern() {
                property["pattern"] = format!("^({pattern})$").into();
            }
            properties.insert(name, property);
        }
    }
    serde_json::to_string_pretty(&schema).map(|text| text + "\n").map_err(wrong)
}

/// A text in lines of at most so many characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() || line.len() + 1 + word.len() <= width => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::check_file;

    /// Without the `#` of each setting.
    fn uncommented(text: &str) -> String {
        let uncomment = |line: &str| {
            let (blank, rest) = line.split_at(line.len() - line.trim_start().len());
            let setting = rest.strip_prefix('#').filter(|rest| !rest.starts_with(' '))?;
            Some(format!("{blank}{setting}\n"))
        };
        text.lines().filter_map(uncomment).collect()
    }

    /// Catches a default that is none, and a setting that `init` does not know.
    #[test]
    fn the_settings_are_all_there_and_right() {
        let schema: Value = serde_json::from_str(&schema().expect("a schema")).expect("a schema");
        let uncommented = uncommented(&settings());
        check_file(&settings()).expect("comments alone");
        check_file(&uncommented).expect("all defaults");
        let mut lines = 0;
        for (place, blank) in [("/properties", ""), ("/properties/aws/properties", "  ")] {
            for (name, property) in schema.pointer(place).and_then(Value::as_object).expect("properties") {
                lines += 1;
                if let Some(default) = property.get("default") {
                    let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
                    let default = if default.is_empty() { "''".into() } else { default };
                    assert!(uncommented.contains(&format!("{blank}{name}: {default}\n")), "{name}: {default}");
                }
            }
        }
        assert_eq!(uncommented.lines().count(), lines);
        // What the file may have, as its reader says.
        let properties = schema["properties"].as_object().expect("properties");
        let unknown = check_file("nonsense: 1\n").expect_err("no such setting").to_string();
        for name in properties.keys() {
            assert!(unknown.contains(&format!("`{name}`")), "{unknown}");
        }
        assert_eq!(unknown.matches('`').count() / 2, properties.len() + 1, "{unknown}");
        assert!(check_file("aws:\n  nonsense: 1\n").is_err_and(|e| e.to_string().starts_with("line 2: ")));
        assert!(settings().lines().all(|line| line.len() <= 120));
    }
}
